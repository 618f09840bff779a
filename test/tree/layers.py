#!/usr/bin/python3
"""Who includes and who calls whom in src/, as TAP.

	layers.py TOP

TOP is the top of the tree.  doc/architecture.md says what the layers are for.
"""
import pathlib
import re
import sys

from c_source import code_of, functions
from tap import check, done

SRC = pathlib.Path(sys.argv[1]).resolve() / "src"

# From the bottom to the top: a file includes headers of its own layer and of those below.
# A header of compat/ is of the layer that it is named for; base.h is below all.
LAYERS = ["base", "http", "aws", "jobs", "option_check", "option", "fdw", "sagemaker_fdw"]

# What only fdw/ may know of Postgres.
PLANNER_AND_EXECUTOR = re.compile("executor/|optimizer/|parser/|rewrite/|tcop/|foreign/fdwapi|commands/explain|"
                                  "nodes/(execnodes|pathnodes|plannodes|parsenodes|nodeFuncs|makefuncs)")

# What tests build into programs of their own, without Postgres.
PURE = {"aws/arn", "aws/ascii", "aws/config_file", "aws/endpoint", "aws/error_code", "aws/expiry", "aws/rate", "aws/retry",
        "aws/session_name", "aws/sigv4", "aws/xml", "jobs/attribute", "jobs/price"}

# Headers of libraries, and the files that may include them.
LIBRARIES = {
    "curl/": {"http/internal.h"},
    "openssl/(evp|hmac)": {"aws/sigv4.c", "aws/session_name.c", "aws/providers/sso.c"},
}

# A list of options is one of nodes: nothing of the planner's.
EXEMPT = {("aws/mapping.c", "nodes/makefuncs.h")}

# What is not yet as it should be; a line that is no longer needed fails, too.
#
# Calls that close a circle: (who calls, whom).
CIRCULAR = {
    ("fdw/role.c", "fdw/scan.c"),
}


def layer(path):
    return path.replace("compat/", "").split("/")[0].split(".")[0]


def reached(graph, path):
    """All that a path leads to, by one step or more."""
    seen, ahead = set(), [path]
    while ahead:
        for other in graph.get(ahead.pop(), ()):
            if other not in seen:
                seen.add(other)
                ahead.append(other)
    return seen


def circles(graph):
    """Who leads back to itself."""
    return [path for path in graph if path in reached(graph, path)]


def variables(code):
    """What is defined outside of functions for other files, too."""
    return [name for kind, name in re.findall(r"^(\w[\w \t*]*?)(\w+)(?:\[[^\]\n]*\])?(?: =.*|;.*)$", code, re.M)
            if not {"static", "extern", "typedef"} & set(kind.split())]


def declared(codes):
    """(name, the file that declares it) of every function and variable."""
    return [(name, path) for path, code in codes.items()
            for name in re.findall(r"^(?:smf_noreturn )?extern\b[^;]*?(\w+)(?:\(|\[|;)", code, re.M)]


def beside(header, path):
    """Is the path the header's own file, or one in the folder of its name?  internal.h is of all its folder."""
    header, path = pathlib.PurePosixPath(header), pathlib.PurePosixPath(path)
    if path.parent != header.parent:
        return path.parent == header.with_suffix("")
    return header.stem in (path.stem, "internal", header.parent.name, header.parent.name[:-1])


def check_calls(texts):
    """Who calls whom, by the names in the code of each file."""
    codes = {path: code_of(re.sub(r"^#include.*", "", text, flags=re.M)) for path, text in texts.items()}
    callable_names = {name: path for path, code in codes.items() for name, static, _, _ in functions(code) if not static}
    names = {name: path for path, code in codes.items() if path.endswith(".c") for name in variables(code)}
    names.update(callable_names)

    pairs = declared(codes)
    headers = [(name, path) for name, path in pairs if path.endswith(".h")]
    check([(name, path) for name, path in headers if name not in names], "%d names in headers are defined" % len(headers))
    elsewhere = {(name, path, names[name]) for name, path in headers if name in names and not beside(path, names[name])}
    check(sorted(elsewhere), "each in its header's own file or folder")
    check([(name, path) for name, path in pairs if path.endswith(".c") and names.get(name, path) != path],
          "no file declares what another one defines")

    calls = {(path, callable_names[name]) for path, code in codes.items()
             for name in set(re.findall(r"\w+", code)) & set(callable_names) if callable_names[name] != path}
    graph = {path: [whom for who, whom in calls - CIRCULAR if who == path] for path in codes}
    check(circles(graph), "%d calls from file to file close no circle, but for %d" % (len(calls), len(CIRCULAR)))
    check([(who, whom) for who, whom in CIRCULAR if (who, whom) not in calls or who not in reached(graph, whom)],
          "and each of these does")
    check([(who, whom) for who, whom in calls if LAYERS.index(layer(whom)) > LAYERS.index(layer(who))],
          "none is of a layer above")


def main():
    texts = {path.relative_to(SRC).as_posix(): path.read_text(encoding="utf-8") for path in sorted(SRC.rglob("*.[ch]"))}
    every = {path: re.findall(r"^#include [<\"]([^>\"]+)", text, re.M) for path, text in texts.items()}
    ours = {path: [name for name in names if name in texts] for path, names in every.items()}
    pairs = [(path, name) for path, names in every.items() for name in names]
    own_pairs = [(path, name) for path, names in ours.items() for name in names]

    check({layer(path) for path in texts} ^ set(LAYERS), "every file of src/ is in one of %d layers" % len(LAYERS))
    check([(path, name) for path, name in own_pairs if LAYERS.index(layer(name)) > LAYERS.index(layer(path))],
          "none of %d includes is of a layer above" % len(own_pairs))
    check([(path, name) for path, name in own_pairs
           if name.endswith("/internal.h") and pathlib.PurePath(name).parent != pathlib.PurePath(path).parent],
          "internal.h is included in its own folder only")
    check(circles(ours), "no header leads back to itself")
    check([path for path, name in own_pairs if name.endswith(".c")], "no file is included but headers")
    check([(path, name) for path, name in pairs
           if layer(path) in ("http", "aws", "jobs", "option_check", "option") and PLANNER_AND_EXECUTOR.match(name) and
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
    check_calls(texts)
    return done()


sys.exit(main())
