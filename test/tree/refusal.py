"""On what it cannot be built, make says so, and names what is needed, as TAP.

	refusal.py TOP

TOP is the top of the tree, in which nothing is built.  What make asks of the system, uname, pkg-config
and pg_config, is a shell script that answers as another system's would.
"""
import os
import pathlib
import subprocess
import sys
import tempfile

from tap import check, done

TOP = pathlib.Path(sys.argv[1]).resolve()

# What a pg_config says that has no server's files.
NO_SERVER = "echo /nonexistent/pgxs.mk"


def pkg_config(**versions):
    """A pkg-config that knows libraries of these versions, and no others."""
    cases = "".join("%s) echo %s ;;\n" % item for item in versions.items())
    return """
has() { case $1 in %s*) return 1 ;; esac; }
case $1 in
--version) echo 1.8.1 ;;
--modversion) has "$2" ;;
--exists) set -- $2; [ -n "$(has "$1")" ] && [ "$(printf '%%s\\n' "$3" "$(has "$1")" | sort -V | head -n 1)" = "$3" ] ;;
esac""" % cases


# What make must say: the scripts that differ from those of a system that has everything, the goal.
CASES = [
    ("FreeBSD", {"uname": "echo FreeBSD"}, "",
     "only Linux is supported, not FreeBSD: what waits for the network is epoll and timerfd"),
    ("no pkg-config", {"pkg-config": "exit 127"}, "",
     "pkg-config is needed; PKG_CONFIG=... names it; packages: doc/install.md"),
    ("no libcurl", {"pkg-config": pkg_config(openssl="3.0.20")}, "",
     "libcurl 7.75 or later is needed, with its headers; found: none; packages: doc/install.md"),
    ("the libcurl of Debian 11", {"pkg-config": pkg_config(libcurl="7.74.0", openssl="1.1.1w")}, "",
     "libcurl 7.75 or later is needed, with its headers; found: 7.74.0; packages: doc/install.md"),
    ("no OpenSSL", {"pkg-config": pkg_config(libcurl="7.88.1")}, "",
     "OpenSSL 1.1.1 or later is needed, with its headers; found: none; packages: doc/install.md"),
    ("an old OpenSSL", {"pkg-config": pkg_config(libcurl="7.75.0", openssl="1.1.0l")}, "install",
     "OpenSSL 1.1.1 or later is needed, with its headers; found: 1.1.0l; packages: doc/install.md"),
    ("no pg_config", {"pg_config": "exit 127"}, "",
     "pg_config of PostgreSQL 15 or later is needed, with the server's headers; PG_CONFIG=... names it; packages: doc/install.md"),
    ("a client's pg_config", {"pg_config": NO_SERVER}, "",
     "pg_config of PostgreSQL 15 or later is needed, with the server's headers; PG_CONFIG=... names it; packages: doc/install.md"),
    ("Postgres 14", {"Makefile.global": "VERSION = 14.20\nMAJORVERSION = 14\n"}, "",
     "PostgreSQL 15 or later is needed, not 14.20; PG_CONFIG=... names another; packages: doc/install.md"),
    ("Postgres 9.6", {"Makefile.global": "VERSION = 9.6.24\nMAJORVERSION = 9.6\n"}, "install",
     "PostgreSQL 15 or later is needed, not 9.6.24; PG_CONFIG=... names another; packages: doc/install.md"),
    # nothing is refused
    ("Postgres 15, the oldest libcurl and OpenSSL", {}, "", None),
    ("Postgres 100", {"Makefile.global": "VERSION = 100devel\nMAJORVERSION = 100\n"}, "", None),
    ("an archive, with nothing there", {"uname": "echo FreeBSD", "pkg-config": "exit 127", "pg_config": NO_SERVER}, "dist", None),
    ("cleaning with Postgres 14", {"Makefile.global": "VERSION = 14.20\nMAJORVERSION = 14\n"}, "clean", None),
]


def system(directory, differs):
    """Put the scripts into the directory; returns where they are found."""
    scripts = {
        "uname": "echo Linux",
        "pkg-config": pkg_config(libcurl="7.75.0", openssl="1.1.1"),
        "pg_config": "echo %s/Makefile.global" % directory,
        "Makefile.global": "VERSION = 15.1\nMAJORVERSION = 15\n",
        **differs,
    }
    for name, text in scripts.items():
        path = pathlib.Path(directory, name)
        if name != "Makefile.global":
            text = "#!/bin/sh\n%s\n" % text
        else:
            # in the place of PGXS, which has the goals
            text += "all install clean:\n\t@echo made $(MODULE_big)\n"
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)
    return directory + ":" + os.environ["PATH"]


def main():
    for title, differs, goal, refusal in CASES:
        with tempfile.TemporaryDirectory() as directory:
            environment = {"PATH": system(directory, differs), "LC_ALL": "C"}
            made = subprocess.run(["make", "-s", "-n", "-C", str(TOP), *goal.split()], env=environment, check=False,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8")
        if refusal is None:
            wrong = made.returncode != 0
        else:
            wrong = made.returncode != 2 or ": *** %s.  Stop." % refusal not in made.stdout
        check([made.stdout] if wrong else [], "%s: %s" % (title, "built" if refusal is None else "refused"))
    return done()


sys.exit(main())
