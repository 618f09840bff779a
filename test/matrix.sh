#!/usr/bin/env bash
# Runs the README's two commands as a newcomer would, on bare systems.
#
#	bash test/matrix.sh [SUITE ...]
#
# SUITE is a release of Debian: bookworm (Postgres 15), trixie (17), sid (18), experimental
# (sid with Postgres 19), and bookworm-i386, with 32 bits, without any; the last one on x86-64
# only.  Each is made with debootstrap in a directory of its own, with git and bash and
# nothing else, gets a clone of the last commit, and is removed in the end.  check.sh
# builds with gcc and with clang, and takes warnings for errors, those of OpenSSL's
# deprecated functions among them.  As root.

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$top/test/roots.sh"

begin_roots
if [ $# = 0 ]; then
	set -- bookworm trixie sid experimental
	[ "$(uname -m)" != x86_64 ] || set -- "$@" bookworm-i386
fi

table=$work/table
failed=0
for suite in "$@"; do
	say "$suite: making a bare system"
	make_root "$suite" "$suite"
	line=$suite
	for script in demo check; do
		say "$suite: bash test/$script.sh"
		if inside "bash test/$script.sh" >"$work/$suite.$script" 2>&1; then
			outcome=passed
		else
			outcome=FAILED
			failed=1
			cat "$work/$suite.$script"
		fi
		line+=" | $outcome"
	done
	versions=$(inside 'psql --version | sed "s/[^0-9]*\([0-9a-z.]*\).*/\1/"; curl-config --version | cut -d" " -f2;
		openssl version | cut -d" " -f2; gcc -dumpfullversion; clang --version | sed -n "1s/.*version \([0-9.]*\).*/\1/p"' | paste -sd' ')
	echo "| $line | ${versions// / | } | $(tail -n 1 "$work/$suite.check") |" >>"$table"
	remove_roots
done

echo "| suite | demo.sh | check.sh | PostgreSQL | libcurl | OpenSSL | gcc | clang | tests |"
echo "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
cat "$table"
[ "$failed" = 0 ]
