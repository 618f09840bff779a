#!/usr/bin/env bash
# Measures the extension beside what is used without it, against a local endpoint.
#
#	bash test/bench/run.sh [--quick] [--output DIRECTORY]
#
# It installs what it needs from the distribution, and writes a table and plots into
# DIRECTORY (doc/benchmark).  --quick measures once, with few jobs, to try the
# benchmark itself, and only prints the table.  Run it on a machine that does nothing else.

. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

quick=
output=
while [ $# -gt 0 ]; do
	case $1 in
		--quick) quick=yes ;;
		--output)
			[ $# -ge 2 ] || die "--output needs a directory"
			output=$2
			shift
			;;
		*) die "unknown option $1" ;;
	esac
	shift
done

# Calls a second that the endpoint must bear, so that it is not what is measured.
enough=15000

begin
find_postgres
install_packages wrk gnuplot-nox python3-boto3 awscli
output=${output:-${quick:+$work/report}}
output=${output:-$top/doc/benchmark}

say "building for PostgreSQL $pg_version"
build
export BENCH_BUILD=$work/build/test/bench/build
quietly make -C "$work/build/test/bench"
start_cluster

say "starting the endpoint"
/usr/bin/python3 -B "$top/test/bench/endpoint/templates.py" >"$work/templates"
"$BENCH_BUILD/endpoint" "$work/templates" "$work/endpoint" "$(date +%s)" </dev/null >"$work/endpoint.log" 2>&1 &
endpoint_pid=$!
for ((i = 0; i < 200; i++)); do
	[ ! -e "$work/endpoint" ] || break
	sleep 0.05
done
[ -e "$work/endpoint" ] || die "the endpoint did not start: $(cat "$work/endpoint.log")"
SAGEMAKER_FDW_TEST_URL=$(cat "$work/endpoint")
export SAGEMAKER_FDW_TEST_URL SAGEMAKER_FDW_TEST_TLS_URL= SAGEMAKER_FDW_TEST_CA=

# it is asked for a document again and again, on connections that are kept
cat >"$work/describe.lua" <<-'END'
	wrk.method = "POST"
	wrk.body = '{"TrainingJobName": "bulk-000001"}'
	wrk.headers["X-Amz-Target"] = "SageMaker.DescribeTrainingJob"
	wrk.headers["Content-Type"] = "application/x-amz-json-1.1"
END
/usr/bin/python3 -c 'import sys, urllib.request
urllib.request.build_opener(urllib.request.ProxyHandler({})).open(sys.argv[1] + "/_control/config?jobs=1", data=b"")' \
	"$SAGEMAKER_FDW_TEST_URL"
wrk -t 1 -c 32 -d 5 -s "$work/describe.lua" "$SAGEMAKER_FDW_TEST_URL/" >"$work/wrk.log"
! grep -q 'Non-2xx' "$work/wrk.log" || die "the endpoint answers with errors: $(cat "$work/wrk.log")"
rate=$(sed -n 's/^Requests\/sec: *\([0-9]*\).*/\1/p' "$work/wrk.log")
say "the endpoint serves $rate documents a second (wrk)"
if [ "$rate" -lt $enough ]; then
	[ -n "$quick" ] || die "that is less than $enough: it would be what is measured"
	say "that is less than $enough: figures would not count"
fi

say "measuring"
/usr/bin/python3 -B "$top/test/bench/measure.py" ${quick:+--quick} --output "$output" \
	--note "the endpoint serves $rate documents a second (wrk, 32 connections)" \
	--note "sagemaker_fdw $(sed -n 's/^EXTVERSION = //p' "$top/Makefile")"
[ -z "$quick" ] || cat "$output/README.md"
say "done"
