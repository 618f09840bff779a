#!/usr/bin/env bash
# Measures how the extension fares with a service that throttles, beside boto3.
#
#	bash test/bench/pace.sh [--quick] [--output FILE]
#
# It installs what it needs from the distribution, and writes a table into FILE
# (doc/benchmark/pace.md).  --quick measures once, and only prints the table.  It takes
# four minutes, most of which is waiting.

. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

quick=
output=$top/doc/benchmark/pace.md
while [ $# -gt 0 ]; do
	case $1 in
		--quick) quick=yes ;;
		--output)
			[ $# -ge 2 ] || die "--output needs a file"
			output=$2
			shift
			;;
		*) die "unknown option $1" ;;
	esac
	shift
done

begin
find_postgres
install_packages python3-boto3
say "building for PostgreSQL $pg_version"
build
start_cluster
say "measuring"
"$top/test/with-service" -o "--bulk 800" \
	/usr/bin/python3 -B "$top/test/bench/pace.py" ${quick:+--quick} >"$work/table"
cat "$work/table"
[ -n "$quick" ] || cp "$work/table" "$output"
