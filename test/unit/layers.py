#!/usr/bin/python3
"""Who includes whom in src/, as TAP.

	layers.py TOP

TOP is the top of the tree.  doc/architecture.md says what the layers are for.
"""
import pathlib
import re
import sys

from tap import check, done

SRC = pathlib.Path(sys.argv[1]).resolve() / "src"

# From the bottom to the top: a file includes headers of its own layer and of those below.
# A header of compat/ is of the layer that it is named for; base.h is below all.
LAYERS = ["base", "http", "aws", "jobs", "option", "fdw", "sagemaker_fdw"]

# What only fdw/ may know of Postgres.
PLANNER_AND_EXECUTOR = re.compile("executor/|optimizer/|parser/|rewrite/|tcop/|foreign/fdwapi|commands/explain|"
                                  "nodes/(execnodes|pathnodes|plannodes|parsenodes|nodeFuncs|makefuncs)")

# What tests build into programs of their own, without Postgres.
PURE = {"aws/config_file", "aws/endpoint", "aws/expiry", "aws/rate", "aws/retry", "aws/session_name", "aws/sigv4", "aws/xml",
        "jobs/attribute"}

# Headers of libraries, and the files that may include them.
LIBRARIES = {
    "curl/": {"http/internal.h"},
    "openssl/(evp|hmac)": {"aws/sigv4.c", "aws/session_name.c", "aws/providers/sso.c"},
}

# A list of options is one of nodes: nothing of the planner's.
EXEMPT = {("aws/session.c", "nodes/makefuncs.h")}


def layer(path):
    return path.replace("compat/", "").split("/")[0].split(".")[0]


def circles(includes):
    """Headers that lead back to themselves."""
    def reached(path, seen):
        for other in includes.get(path, ()):
            if other not in seen:
                seen.add(other)
                reached(other, seen)
        return seen
    return [path for path in includes if path in reached(path, set())]


def main():
    texts = {path.relative_to(SRC).as_posix(): path.read_text(encoding="utf-8") for path in sorted(SRC.rglob("*.[ch]"))}
    every = {path: re.findall(r"^#include [<\"]([^>\"]+)", text, re.M) for path, text in texts.items()}
    ours = {path: [name for name in names if name in texts] for path, names in every.items()}
    pairs = [(path, name) for path, names in every.items() for name in names]
    own_pairs = [(path, name) for path, names in ours.items() for name in names]

    check({layer(path) for path in texts} ^ set(LAYERS), "every file of src/ is in one of %d layers" % len(LAYERS))
    check([(path, name) for path, name in own_pairs if LAYERS.index(layer(name)) > LAYERS.index(layer(path))],
          "none of %d includes is of a layer above" % len(own_pairs))
    check(circles(ours), "no header leads back to itself")
    check([path for path, name in own_pairs if name.endswith(".c")], "no file is included but headers")
    check([(path, name) for path, name in pairs
           if layer(path) in ("http", "aws", "jobs", "option") and PLANNER_AND_EXECUTOR.match(name) and
           (path, name) not in EXEMPT], "planner and executor are known to fdw/ only")
    check([(path, name) for path, name in pairs for library, allowed in LIBRARIES.items()
           if re.match(library, name) and path not in allowed], "libraries are used in one place")
    check([(path, name) for path in texts if path[:-2] in PURE for name in every[path]
           if name[:-2] not in PURE and not re.match(r"(sys/)?\w+\.h$|openssl/", name) or name in ("postgres.h", "fmgr.h")],
          "%d parts are free of Postgres" % len(PURE))
    check([path for path, text in texts.items() if not path.startswith("compat/") and "PG_VERSION_NUM" in text],
          "only compat/ tells Postgres versions apart")
    check([(path, name) for path, name in own_pairs if path.startswith("compat/") and not name.startswith("compat/")],
          "compat/ includes nothing else of ours")
    return done()


sys.exit(main())
