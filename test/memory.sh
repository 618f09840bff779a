#!/usr/bin/env bash
# Runs the regression suite, and those of faults, partitions and cursors, under
# valgrind, and with the module built with the address and undefined behaviour
# sanitizers.
#
#	bash test/memory.sh [valgrind] [sanitizers]
#
# It fails if a suite does, if memcheck finds an error or a definite leak in whose
# stack the module or libcurl stands, or if a sanitizer reports anything.

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[ $# -gt 0 ] || set -- valgrind sanitizers
begin
find_postgres
# memcheck needs to know libc from the inside
install_packages valgrind libc6-dbg

problems=0

# Run one that writes TAP, with an endpoint of so many bulk jobs; what is not well is shown.
#	tap NAME BULK
tap() {
	local status=0
	say "running test/t/$1.py"
	# what is slow here is not the service
	SAGEMAKER_FDW_TEST_SLOWNESS=10 "$top/test/with-service" -o "--bulk $2" \
		/usr/bin/python3 -B "$top/test/t/$1.py" >"$work/$1.log" 2>&1 || status=$?
	grep -v '^ok' "$work/$1.log" || true
	[ $status = 0 ] || problems=$((problems + 1))
}

# All suites, in the cluster that runs.
suites() {
	local status=0
	[ "$(id -u)" != 0 ] || chown -R postgres "$work/build"
	say "running the regression suite"
	# what is slow is memcheck: no notice says how far a scan is
	as_owner env PGHOST="$PGHOST" PGPORT="$PGPORT" PGUSER="$PGUSER" \
		PGOPTIONS="-c sagemaker_fdw.progress_interval=10min" \
		make -C "$work/build" installcheck PG_CONFIG="$pg_bin/pg_config" >"$work/regression.log" 2>&1 || status=$?
	if [ $status != 0 ]; then
		problems=$((problems + 1))
		cat "$work/regression.log" "$work/build/regression.diffs"
	fi
	tap faults 2000
	tap async 400
	tap change 400
}

stop() {
	quietly as_owner "$pg_bin/pg_ctl" -D "$work/pg/data" -w -t 300 -m fast stop
	cluster_started=
}

for what; do
	rm -rf "$work/build" "$work/pg"
	case $what in
		valgrind)
			build COPT="-g -O1"
			cat >"$work/postgres" <<-END
				#!/bin/sh
				exec valgrind --leak-check=full --show-leak-kinds=definite --trace-children=yes \\
					--error-markers=REPORT-BEGIN,REPORT-END --log-file="$work/pg/valgrind-%p" \\
					--suppressions="$work/build/test/valgrind.supp" "$pg_bin/postgres" "\$@"
			END
			chmod 755 "$work/postgres"
			start_cluster -p "$work/postgres"
			suites
			stop
			say "what memcheck found in the module's or libcurl's frames"
			/usr/bin/python3 -B "$top/test/valgrind_report.py" "$work"/pg/valgrind-* || problems=$((problems + 1))
			;;
		sanitizers)
			build COPT="-g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer"
			libraries="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)"
			LD_PRELOAD=$libraries ASAN_OPTIONS=detect_leaks=0 timeout 30 "$pg_bin/postgres" --version >/dev/null ||
				die "this distribution's address sanitizer does not get along with its libc (Debian 13's does)"
			# the leak sanitizer would judge Postgres itself; valgrind tells of the module's leaks
			cat >"$work/postgres" <<-END
				#!/bin/sh
				LD_PRELOAD="$libraries \${LD_PRELOAD:-}"
				ASAN_OPTIONS="detect_leaks=0:log_path=$work/pg/sanitizer"
				UBSAN_OPTIONS="print_stacktrace=1:log_path=$work/pg/sanitizer"
				export LD_PRELOAD ASAN_OPTIONS UBSAN_OPTIONS
				exec "$pg_bin/postgres" "\$@"
			END
			chmod 755 "$work/postgres"
			start_cluster -p "$work/postgres"
			# a cluster of a test's own loads the same module
			SAGEMAKER_FDW_TEST_POSTGRES=$work/postgres suites
			stop
			say "what the sanitizers found"
			for report in "$work"/pg/sanitizer*; do
				[ ! -e "$report" ] || {
					cat "$report"
					problems=$((problems + 1))
				}
			done
			;;
		*) die "valgrind or sanitizers, not $what" ;;
	esac
done

# what is installed now is no build to keep
rm -rf "$work/build"
build
echo "$problems problems"
[ "$problems" = 0 ]
