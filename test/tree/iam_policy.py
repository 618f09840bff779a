"""The IAM policies in the documentation allow exactly what the code calls, as TAP.

	iam_policy.py TOP

TOP is the top of the tree: policies are the JSON in README.md and doc/, operations
are read from src/.
"""
import glob
import json
import os
import re
import sys

TOP = os.path.abspath(sys.argv[1])


def read(*path):
    with open(os.path.join(TOP, *path), encoding="utf-8") as file:
        return file.read()


def statements():
    """(file, statement) of each policy."""
    for path in sorted([os.path.join(TOP, "README.md")] + glob.glob(os.path.join(TOP, "doc", "*.md"))):
        for block in re.findall(r"^```json\n(.*?)^```", read(path), re.M | re.S):
            document = json.loads(block)
            if isinstance(document, dict) and "Statement" in document:
                for statement in document["Statement"]:
                    yield os.path.basename(path), statement


def actions(statement):
    return [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]


def sources():
    for path in sorted(glob.glob(os.path.join(TOP, "src", "**", "*.c"), recursive=True)):
        yield os.path.basename(path), read(path)


def main():
    number = failed = 0

    def check(good, title, detail):
        nonlocal number, failed
        number += 1
        failed += not good
        print("%s %d - %s" % ("ok" if good else "not ok", number, title))
        if not good:
            print("# %s" % (detail,))

    body = re.search(r"\nsmf_operation_name\(.*?\n}\n", read("src", "jobs", "operation.c"), re.S).group(0)
    called = sorted("sagemaker:" + name for name in re.findall(r'return "(\w+)";', body))
    check(len(called) == len(set(called)) == body.count("case "), "every operation has a name", called)

    # and there are no other operations but that of the price list: whoever starts a call takes one of these names
    for name, text in sources():
        if name == "call.c":
            continue
        for words in re.findall(r"\bsmf_call_start\(([^;]*);", text):
            priced = re.match(r'[^,]+,\s*"(\w+)"', words) if name == "price_list.c" else None
            called += ["pricing:" + priced.group(1)] if priced else []
            check(priced is not None or re.match(r"[^,]+,\s*smf_operation_name\(", words) is not None,
                  "%s calls one of them" % name, words)
    called.sort()
    check([action for action in called if action.startswith("pricing:")] == ["pricing:GetProducts"],
          "the price list is asked by one", called)

    assumed = set()
    for name, text in sources():
        if name == "sts.c":
            assumed = {"sts:" + action for action in re.findall(r'"(AssumeRole\w*)"', text)}
    check(assumed == {"sts:AssumeRole", "sts:AssumeRoleWithWebIdentity"}, "roles are assumed in two ways", assumed)

    policies = list(statements())
    documented = set()
    for name, statement in policies:
        listed = actions(statement)
        check(statement["Effect"] == "Allow", "%s: policies allow" % name, statement)
        if any(action.startswith("sts:") for action in listed):
            documented |= set(listed)
            check(set(listed) <= assumed, "%s: a policy for roles allows what is called" % name, listed)
        else:
            check(sorted(listed) == called, "%s: the least policy is exactly what is called" % name, (sorted(listed), called))
    check(documented == assumed, "both ways to assume a role are documented", documented)
    check("credentials.md" in {name for name, statement in policies if actions(statement)[0].startswith("sagemaker:")},
          "doc/credentials.md has the policy", [name for name, _ in policies])
    print("1..%d" % number)
    return failed > 0


sys.exit(main())
