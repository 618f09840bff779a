#!/usr/bin/python3
"""Files look as .editorconfig says, and C as pgindent leaves it, as TAP.

	format.py TOP

TOP is the top of the tree.  C is compared with what pg_bsd_indent, the engine of
pgindent, makes of it: code, declarations, and the column of a comment, but not where a
comment's lines end.  Where it is not installed (Debian: pg-bsd-indent) that is skipped.
"""
import difflib
import os
import pathlib
import re
import shutil
import subprocess
import sys

from c_source import code_of, functions
from tap import check, done, skip

TOP = pathlib.Path(sys.argv[1]).resolve()

# Directories that hold nothing of the tree's own.
FOREIGN = {".git", "__pycache__", "build", "results", "output_iso", "tmp_check", "log"}
BUILT = {".o", ".bc", ".so", ".zip", ".diffs", ".pyc"}

# pgindent's options, but for the length of a comment's lines.
OPTIONS = ("-bad -bap -bbb -bc -bl -cli1 -cp33 -cdb -nce -d0 -di12 -nfc1 -i4 -l140 -lp -lpl -nip -npro -sac "
           "-tpg -ts4").split()

# Types that no header of Postgres or of ours defines.
TYPES = """CURL CURLM CURLMcode CURLMsg CURLSH CURLcode EVP_MD EVP_MD_CTX FILE SSL SSL_CTX X509_STORE __int128
    bool curl_off_t curl_version_info_data int32_t int64_t pid_t posix_spawn_file_actions_t sig_atomic_t
    sigset_t size_t ssize_t time_t uint32_t uint64_t uint8_t va_list""".split()

# Types whose names are members here, which pg_bsd_indent cannot tell apart.
MEMBERS = {"text"}

# Longest line, tabs counted as 4; a text that is said to a user stays in one piece.
LINE_MAX = 120

# A body of so many lines needs comments that say what its steps are.
LABELLED_FROM = 30


def tree():
    """The files of the tree: their paths below TOP, with what they hold."""
    for directory, directories, names in os.walk(TOP):
        directories[:] = sorted(set(directories) - FOREIGN)
        for name in sorted(names):
            path = pathlib.Path(directory, name)
            if path.suffix not in BUILT and path.is_file():
                yield path.relative_to(TOP).as_posix(), path.read_bytes()


def glob_pattern(glob):
    """A glob of .editorconfig as a regular expression."""
    pattern = ""
    for part in re.findall(r"\*\*|.", glob):
        pattern += {"**": ".*", "*": "[^/]*", "{": "(?:", "}": ")", ",": "|"}.get(part, re.escape(part))
    return re.compile(pattern if "/" in glob else "(?:.*/)?" + pattern)


def editor_rules():
    """(pattern, its properties) of each section of .editorconfig."""
    rules = []
    for line in (TOP / ".editorconfig").read_text(encoding="ascii").split("\n"):
        section = re.fullmatch(r"\[(.*)\]", line)
        if section:
            alternatives = re.fullmatch(r"\{(.*)\}", section[1])
            globs = alternatives[1].split(",") if alternatives else [section[1]]
            rules.append(([glob_pattern(glob) for glob in globs], {}))
        elif rules and "=" in line:
            key, value = line.split("=")
            rules[-1][1][key.strip()] = value.strip()
    return rules


def properties_of(rules, path):
    found = {}
    for patterns, properties in rules:
        if any(pattern.fullmatch(path) for pattern in patterns):
            found.update(properties)
    return found


def without_strings(text):
    """Python's without those that span lines, which may hold any indentation."""
    return re.sub(r'("""|\'\'\').*?\1', "", text, flags=re.S)


def departures(path, data, properties):
    """What of a file is not as its properties say."""
    if properties["charset"] == "utf-8":
        try:
            text = data.decode()
        except UnicodeDecodeError:
            yield "%s: not UTF-8" % path
            return
        if "\ufeff" in text:
            yield "%s: byte order mark" % path
    if properties["end_of_line"] == "lf" and b"\r" in data:
        yield "%s: a carriage return" % path
    if properties["insert_final_newline"] == "true" and (not data.endswith(b"\n") or data.endswith(b"\n\n")):
        yield "%s: not one newline at its end" % path
    if properties["trim_trailing_whitespace"] == "true":
        for number, line in enumerate(data.split(b"\n"), 1):
            if line.endswith((b" ", b"\t")):
                yield "%s:%d: blanks at its end" % (path, number)
    # behind tabs, up to three spaces align a line with the one before
    wrong = {"tab": r"\t* {4}", "space": r" *\t"}.get(properties.get("indent_style"))
    if wrong is not None:
        text = without_strings(text) if path.endswith(".py") else text
        for line in text.split("\n"):
            if re.match(wrong, line):
                yield "%s: not indented by %ss: %s" % (path, properties["indent_style"], line.strip())


def check_files(files):
    rules = editor_rules()
    check([problem for path, data in files.items() for problem in departures(path, data, properties_of(rules, path))],
          "%d files are as .editorconfig says" % len(files))
    check([glob.pattern for patterns, _ in rules for glob in patterns if not any(map(glob.fullmatch, files))],
          "and every pattern there is of some file")


def head(name):
    """How a file begins."""
    return "/*%s\n *\n * %s\n *\t\t" % ("-" * 73, name)


def uncommented(path, text):
    """Functions that other files can call, defined without a comment before them."""
    for found in re.finditer(r"\n([^\n]*)\n([A-Za-z_][^\n;=(]*)\n(\w+)\([^;{]*\)\n\{", text):
        if not re.search(r"\bstatic\b", found[2]) and not found[1].rstrip().endswith("*/"):
            yield "%s: %s()" % (path, found[3])


def unlabelled(path, text):
    """Functions that are long, and whose bodies no comment on a line of its own divides into steps."""
    for name, _, begin, end in functions(code_of(text)):
        body = text[begin + 1:end]
        if len(body.split("\n")) >= LABELLED_FROM and not re.search(r"^\s*/\*", body, re.M):
            yield "%s: %s()" % (path, name)


def check_labels(sources):
    found = {problem for path, text in sources.items() if path.startswith("src/") for problem in unlabelled(path, text)}
    check(sorted(found), "functions of %d lines and more label their steps" % LABELLED_FROM)


def check_habits(sources):
    check([path for path, text in sources.items() if not text.startswith(head(path.split("/")[-1]))],
          "%d C files begin with their name and what they are" % len(sources))
    guards = []
    for path, text in sources.items():
        guard = re.search(r"^#ifndef (\w+_H)\n#define \1\n", text, re.M)
        if path.endswith(".h") and not (guard and re.search(r"^#endif\t+/\* %s \*/\n\Z" % guard[1], text, re.M)):
            guards.append(path)
    check(guards, "headers have a guard")
    check(["%s:%d" % (path, number) for path, text in sources.items()
           for number, line in enumerate(code_of(text).split("\n"), 1) if "//" in line],
          "comments are between /* and */")
    check(["%s:%d" % (path, number) for path, text in sources.items()
           for number, line in enumerate(text.split("\n"), 1) if len(line.expandtabs(4)) > LINE_MAX and '"' not in line],
          "lines have %d columns at most, but for strings" % LINE_MAX)
    check([problem for path, text in sources.items() if path.startswith("src/") for problem in uncommented(path, text)],
          "functions that other files call have a comment")


def check_exits(files):
    """What a script does when it ends must not change how it ends: a command in the trap would."""
    wrong = []
    for path, data in files.items():
        if data.startswith(b"#!/usr/bin/env bash") or path.endswith(".sh"):
            for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
                found = re.search(r"trap '(.*)' .*EXIT", line)
                if found and ";" in found[1] and not found[1].startswith("status=$?;"):
                    wrong.append("%s:%d: %s" % (path, number, line.strip()))
    check(wrong, "scripts that clean up end with the status that they had")


def type_names(texts):
    names = set(TYPES)
    for text in texts:
        names.update(re.findall(r"^typedef [^;{(]*?(\w+)(?:\[\w*\])?;", text, re.M))
        names.update(re.findall(r"^typedef [^;{]*?\(\*\s*(\w+)\)", text, re.M))
        names.update(re.findall(r"^typedef (?:struct|union|enum)\b[^;{]*\n\{.*?^\}\s*(\w+);", text, re.M | re.S))
    return names - MEMBERS


def indented(text, types):
    """What pgindent would make of a file; its name of types is a file."""
    # a structure in the middle of an expression is beyond the engine: a cast is not
    literals = set(re.findall(r"\((\w+)\) \{", text))
    for name in literals:
        text = re.sub(r"\(%s\) \{([^{}]*)\}" % name, r"(%s) (\1)" % name, text)
    done = subprocess.run(["pg_bsd_indent", *OPTIONS, "-U" + types], input=text, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, encoding="utf-8", check=False)
    text = done.stdout
    for name in literals:
        before, *pieces = text.split("(%s) (" % name)
        for piece in pieces:
            depth, end = 1, 0
            while depth > 0:
                depth += {"(": 1, ")": -1}.get(piece[end], 0)
                end += 1
            before += "(%s) {%s}%s" % (name, piece[:end - 1], piece[end:])
        text = before
    # the return type of a definition
    text = re.sub(r"^(\w[\w ]*?)[ \t]+(\*+)$", r"\1 \2", text, flags=re.M)
    # a declaration's second line is one stop in from version 2.1.2 on
    text = re.sub(r"^(\t+)(\w[\w \t*]* = [^;{\n]*[^;{,\n])\n\1(?=[^\t])", r"\1\2\n\1\t", text, flags=re.M)
    # a named member of an initializer
    return re.sub(r",(?=\.[a-z])", ", ", text)


def comparable(text):
    """Lines without what pgindent may do otherwise: each comment in one line, named members not indented."""
    def join(found):
        return " ".join(re.sub(r"\n\s*\*?", " ", found[0]).split())
    text = re.sub(r"/\*(?!-).*?\*/", join, text, flags=re.S)
    return re.sub(r"^\s+(?=\.[a-z]\w* = )", "", text, flags=re.M).split("\n")


def check_indentation(sources):
    if shutil.which("pg_bsd_indent") is None:
        skip("C is as pgindent leaves it", "pg_bsd_indent is not installed")
        return
    include = subprocess.run([os.environ.get("PG_CONFIG", "pg_config"), "--includedir-server"], stdout=subprocess.PIPE,
                             encoding="utf-8", check=True).stdout.strip()
    headers = [path.read_text(encoding="utf-8", errors="replace") for path in pathlib.Path(include).rglob("*.h")]
    types = "/tmp/sagemaker_fdw_types.%d" % os.getpid()
    try:
        pathlib.Path(types).write_text("\n".join(sorted(type_names(headers + list(sources.values())))) + "\n", encoding="ascii")
        for path, text in sources.items():
            check(list(difflib.unified_diff(comparable(text), comparable(indented(text, types)), path, "as pgindent leaves it",
                                            n=1, lineterm="")), "%s is as pgindent leaves it" % path)
    finally:
        os.unlink(types)


def main():
    files = dict(tree())
    check_files(files)
    check_exits(files)
    sources = {path: data.decode() for path, data in files.items() if path.endswith((".c", ".h"))}
    check_habits(sources)
    check_labels(sources)
    check_indentation(sources)
    return done()


sys.exit(main())
