#!/usr/bin/env bash
# Tests the extension that a package has installed, and builds nothing.
#
#	bash test/installed.sh VERSION ...
#
# For each VERSION of Postgres: its files are those of the package, the demo's report
# runs, and so do the regression tests.  It needs python3-botocore, openssl, and
# pg_regress: that of postgresql-server-dev-VERSION, or the one that PG_REGRESS names.

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[ $# -gt 0 ] || die "which version of Postgres?"
begin

# a copy, which the owner of the cluster may read
mkdir "$work/tests"
cp -R "$top/sql" "$top/expected" "$top/test" "$top/Makefile" "$work/tests"
[ "$(id -u)" != 0 ] || chown -R postgres "$work/tests"
cd "$work/tests"
read -ra tests <<<"$(sed -n 's/^REGRESS = //p' Makefile)"
read -ra options <<<"$(sed -n 's/^REGRESS_OPTS = //p' Makefile)"
[ ${#tests[@]} -gt 0 ] && [ ${#options[@]} -gt 0 ] || die "the Makefile names no regression tests"

for pg_version in "$@"; do
	pg_bin=/usr/lib/postgresql/$pg_version/bin
	package=postgresql-$pg_version-sagemaker-fdw
	share=/usr/share/postgresql/$pg_version/extension

	# nothing else has put files in their place, or changed them
	for file in "/usr/lib/postgresql/$pg_version/lib/sagemaker_fdw.so" "$share/sagemaker_fdw.control" "$share"/sagemaker_fdw--*.sql; do
		[ "$(dpkg-query -S "$file" 2>&1)" = "$package: $file" ] || die "$file is not of $package"
	done
	# (containers may leave the documentation out)
	changed=$(dpkg --verify "$package" 2>&1 | grep -v ' /usr/share/doc/' || true)
	[ -z "$changed" ] || die "not as $package has them: $changed"

	say "starting a throwaway cluster of PostgreSQL $pg_version"
	start_cluster
	say "running the demo's report"
	start_endpoint --anchor "$(date +%s)"
	as_owner env DEMO_REGION=us-east-1 AWS_ACCESS_KEY_ID=AKIDHISTORY000000001 \
		AWS_SECRET_ACCESS_KEY=secret/of+the/history/account000000000001 \
		"$pg_bin/psql" -X -q -v ON_ERROR_STOP=1 -P pager=off -f test/demo.sql
	stop_endpoint
	say "running the regression tests"
	if ! as_owner "${PG_REGRESS:-/usr/lib/postgresql/$pg_version/lib/pgxs/src/test/regress/pg_regress}" \
		--bindir="$pg_bin" --host="$PGHOST" --port="$PGPORT" --user="$PGUSER" \
		--dbname=contrib_regression "${options[@]}" "${tests[@]}"; then
		[ ! -e regression.diffs ] || cat regression.diffs
		die "the package for PostgreSQL $pg_version failed its tests"
	fi
	stop_cluster
	say "PostgreSQL $pg_version: the report and ${#tests[@]} regression tests passed"
done
