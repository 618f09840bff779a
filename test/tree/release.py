#!/usr/bin/python3
"""What a release says of itself, and what is in it, as TAP.

	release.py TOP

TOP is the top of the tree.  META.json is checked as version 1.0.0 of PGXN's meta
specification has it, the archive is that of "make dist", of the last commit: where the
tree is no clone, that is skipped.
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import zipfile

from tap import check, done, skip

TOP = pathlib.Path(sys.argv[1]).resolve()

REQUIRED = {"name", "version", "abstract", "maintainer", "license", "provides", "meta-spec"}
OPTIONAL = {"description", "generated_by", "no_index", "prereqs", "release_status", "resources", "tags"}
LICENSES = set("""agpl_3 apache_1_1 apache_2_0 artistic_1 artistic_2 bsd freebsd gfdl_1_2 gfdl_1_3 gpl_1 gpl_2 gpl_3
    lgpl_2_1 lgpl_3_0 mit mozilla_1_0 mozilla_1_1 openssl perl_5 postgresql qpl_1_0 ssleay sun zlib open_source
    restricted unrestricted unknown""".split())
PHASES = {"configure", "build", "test", "runtime", "develop"}
RELATIONS = {"requires", "recommends", "suggests", "conflicts"}

# A term is a name: no blanks, control characters, or what parts a path.
TERM = re.compile(r"[^\x00-\x20\x7f/\\]{2,}")
TAG = re.compile(r"[^\x00-\x1f\x7f/\\]{1,255}")
# a semantic version: three numbers without zeros before them
VERSION = re.compile(r"(?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*)){2}(?:-[A-Za-z][0-9A-Za-z-]*)?")

# The dot files that the tests of a release need.
DOT_FILES = {".clang-format", ".editorconfig"}
# What must be on top.
AT_TOP = {"META.json", "Makefile", "sagemaker_fdw.control", "README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md",
          "SECURITY.md"}


def read(path):
    return (TOP / path).read_text(encoding="utf-8")


def found(pattern, path):
    """The one place of a file where a pattern is, its first group; else a complaint."""
    places = re.findall(pattern, read(path), re.M)
    return places[0] if len(places) == 1 else "%d times %s" % (len(places), pattern)


def is_text(value):
    return isinstance(value, str) and value.strip() != ""


def is_matched(pattern, value):
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def check_meta(meta):
    check(REQUIRED - set(meta), "META.json has what it must have")
    check([key for key in set(meta) - REQUIRED - OPTIONAL if key[:2].lower() != "x_"], "and nothing unknown")
    check([key for key, good in (
        ("name", is_matched(TERM, meta["name"])),
        ("version", is_matched(VERSION, meta["version"])),
        ("abstract", is_text(meta["abstract"])),
        ("description", is_text(meta.get("description", "none"))),
        ("maintainer", is_text(meta["maintainer"]) or
         isinstance(meta["maintainer"], list) and meta["maintainer"] and all(map(is_text, meta["maintainer"]))),
        ("license", meta["license"] in LICENSES),
        ("release_status", meta.get("release_status", "stable") in ("stable", "testing", "unstable")),
        ("tags", all(is_matched(TAG, tag) for tag in meta.get("tags", []))),
        ("meta-spec", meta["meta-spec"] == {"version": "1.0.0", "url": "https://pgxn.org/meta/spec.txt"}),
    ) if not good], "each value is of its kind")
    check([name for name, about in meta["provides"].items()
           if not is_matched(TERM, name) or not is_matched(VERSION, about.get("version")) or
           set(about) - {"file", "version", "abstract", "docfile"} or "file" not in about] or
          ([] if meta["provides"] else ["nothing"]), "what it provides has a file and a version")
    check([path for about in meta["provides"].values() for path in (about.get("file"), about.get("docfile"))
           if path is not None and not (TOP / path).is_file()], "whose files there are")
    check([(phase, relation, name, version) for phase, relations in meta.get("prereqs", {}).items()
           for relation, terms in relations.items() for name, version in terms.items()
           if phase not in PHASES or relation not in RELATIONS or not is_matched(TERM, name) or
           not all(is_matched(VERSION, re.sub(r"^(?:[<>=!]=?)? *", "", part))
                   for part in re.split(r" *, *", str(version)))],
          "prerequisites are names with versions")


def check_versions(meta):
    version = meta["version"]
    # the extension's version is that of its SQL, which the last number does not change
    sql_version = version.rpartition(".")[0]
    script = "sql/sagemaker_fdw--%s.sql" % sql_version
    packaged = r"\Asagemaker-fdw \(([^)]*)-\d+\) "
    said = {
        "META.json, provides": (meta["provides"]["sagemaker_fdw"]["version"], version),
        "Makefile, DATA_built": (found(r"^DATA_built = (.*)$", "Makefile"), script),
        "Makefile, EXTVERSION": (found(r"^EXTVERSION = (.*)$", "Makefile"), version),
        "src/http/http.h, SMF_VERSION": (found(r'^#define SMF_VERSION "(.*)"$', "src/http/http.h"), version),
        "sagemaker_fdw.control": (found(r"^default_version = '(.*)'$", "sagemaker_fdw.control"), sql_version),
        "debian/changelog": (found(packaged, "debian/changelog"), version),
        "CHANGELOG.md": (found(r"\A# Changelog\n\n## (\S+) \(", "CHANGELOG.md"), version),
    }
    for path in ("docker/Dockerfile", "docker/Dockerfile.cloudnativepg"):
        said[path] = found(r'org\.opencontainers\.image\.version="(.*)"$', path), version
    if (TOP / ".gitignore").exists():
        said[".gitignore"] = found(r"^/(sql/.*)$", ".gitignore"), script
    check(["%s: %s, not %s" % (where, is_said, meant) for where, (is_said, meant) in said.items() if is_said != meant],
          "all say that this is %s" % version)
    # make may have made the install script here
    check(set(found(r"^DATA =(.*)$", "Makefile").split()) ^
          {path.relative_to(TOP).as_posix() for path in (TOP / "sql").glob("sagemaker_fdw--*.sql")} - {script},
          "every script of the extension is installed")
    check(set(found(r"^SCRIPT_PARTS = (.*)$", "Makefile").split()) ^ {path.stem for path in (TOP / "sql" / "extension").glob("*.sql")},
          "and every part of the install script is in it")
    with tempfile.TemporaryDirectory() as directory:
        made = pathlib.Path(directory, "portable.sql")
        subprocess.run(["make", "-s", "-C", str(TOP), "portable", "PORTABLE=%s" % made], check=True)
        check([] if made.read_text(encoding="utf-8") == read("sql/portable.sql") else ["run make portable"],
              "sql/portable.sql is made from its parts")
    released = {
        "META.json": meta.get("release_status", "stable") != "unstable",
        "debian/changelog": re.match(r"\S+ \(\S+\) UNRELEASED;", read("debian/changelog")) is None,
        "CHANGELOG.md": found(r"\A# Changelog\n\n## \S+ \((.*)\)$", "CHANGELOG.md") != "unreleased",
    }
    check(released.items() if len(set(released.values())) > 1 else [], "and all, whether it is released")


def check_packages():
    """debian/control is what pg_buildext makes of debian/control.in for its versions."""
    control, template = read("debian/control"), read("debian/control.in")
    versions = re.findall(r"^Package: postgresql-(\d+)-sagemaker-fdw$", control, re.M)
    paragraphs = []
    for paragraph in template.strip().split("\n\n"):
        each = versions if "PGVERSION" in paragraph else [""]
        paragraphs += [paragraph.replace("PGVERSION", version) for version in each]
    check([] if versions and control == "\n\n".join(paragraphs) + "\n" else ["run pg_buildext updatecontrol"],
          "debian/control is made from debian/control.in")


def check_archive(meta):
    titles = ("make dist makes an archive that begins with the name and version", "on its top is what must be",
              "nothing in it is for the repository only", "it has META.json as committed")
    if not (TOP / ".git").exists():
        for each in titles:
            skip(each, "no clone")
        return
    # said, not looked for: git would refuse the clone of another user
    clone = dict(os.environ, GIT_DIR=str(TOP / ".git"))
    committed = subprocess.run(["git", "show", "HEAD:META.json"], env=clone, check=True, stdout=subprocess.PIPE).stdout
    prefix = "%(name)s-%(version)s" % meta
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run(["make", "-s", "-f", str(TOP / "Makefile"), "dist"], cwd=directory, env=clone, check=True,
                       stdout=subprocess.DEVNULL)
        archives = os.listdir(directory)
        names, content = [], None
        if archives == [prefix + ".zip"]:
            with zipfile.ZipFile(os.path.join(directory, archives[0])) as archive:
                names = archive.namelist()
                if prefix + "/META.json" in names:
                    content = archive.read(prefix + "/META.json")
    check([name for name in names if not name.startswith(prefix + "/")] if names else archives, titles[0])
    check(AT_TOP - {name.partition("/")[2] for name in names}, titles[1])
    check([name for name in names if any(part.startswith(".") and part not in DOT_FILES for part in name.split("/"))] or
          ([] if names else ["no archive"]), titles[2])
    check([] if content == committed else ["another one"], titles[3])


def main():
    meta = json.loads(read("META.json"))
    check_meta(meta)
    check_versions(meta)
    check_packages()
    check_archive(meta)
    return done()


sys.exit(main())
