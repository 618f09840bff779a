"""What doc/architecture.md says is where, is there, as TAP.

	places.py TOP

TOP is the top of the tree.  A line of the table names a file, of C or of SQL, and a function that is defined in it.
"""
import os
import re
import sys

from c_source import code_of, functions
from tap import check, done

TOP = os.path.abspath(sys.argv[1])


def read(path):
    with open(os.path.join(TOP, path), encoding="utf-8") as file:
        return file.read()


def defined(path):
    """The functions, and SQL's procedures, that a file defines; none where there is no such file."""
    if not os.path.exists(os.path.join(TOP, path)):
        return set()
    if path.endswith(".sql"):
        return set(re.findall(r"^CREATE (?:FUNCTION|PROCEDURE) (?:@extschema@|sagemaker_fdw_internal)\.(\w+)\(", read(path), re.M))
    return {name for name, *_ in functions(code_of(read(path)))}


def main():
    page = read("doc/architecture.md")
    table = page[page.index("\n## What is where\n"):].split("\n## ")[1]
    lines = [line for line in table.split("\n") if line.startswith("| …")]
    places = [re.fullmatch(r"\| … [^|]+ \| `(src/[\w/]+\.c|sql/extension/\w+\.sql)`: `(\w+)\(\)` \|", line) for line in lines]
    check([line for line, place in zip(lines, places) if not place], "places are named by file and function")
    check([] if len(lines) >= 30 else ["%d lines" % len(lines)], "the table has thirty of them and more")
    places = [place.groups() for place in places if place]
    there = {path: defined(path) for path, _function in places}
    check(["%s: %s()" % place for place in places if place[1] not in there[place[0]]], "each function is defined in its file")
    return done()


if __name__ == "__main__":
    sys.exit(main())
