#!/usr/bin/env bash
# Builds the fuzzers with clang's libFuzzer and sanitizers, and runs each for a while.
#
#	bash test/fuzz/run.sh [SECONDS [NAME ...]]
#
# SECONDS (30) is for each fuzzer; two run at a time.  It needs clang and its
# libclang-rt, and finds Postgres's headers by PG_CONFIG.  Prints TAP, with what was
# executed; a finding is shown in full, as base64 too: seeds.py adds it to the corpus.
# The seeds there are made by hand.  A fuzzer that is run by itself writes what it finds
# into the first folder it is given.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
seconds=${1:-30}
shift || true

work=$(mktemp -d /tmp/sagemaker_fdw_fuzz.XXXXXX)
pids=()
cleanup() {
	local pid
	for pid in ${pids[@]+"${pids[@]}"}; do
		kill "$pid" 2>/dev/null || true
	done
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# a copy: the work tree stays as it is
mkdir -p "$work/tree/test"
cp -R "$top/src" "$work/tree/"
cp -R "$here" "$work/tree/test/"
cd "$work/tree/test/fuzz"
if [ $# = 0 ]; then
	read -ra names <<<"$(make -s names)"
else
	names=("$@")
fi
make -s -j2 "${names[@]/#/build/}" "${names[@]/#/build/corpus/}" >"$work/make.log" 2>&1 || {
	cat "$work/make.log" >&2
	echo "error: the fuzzers were not built" >&2
	exit 1
}

# where memory came from is told of findings when they are run again
export ASAN_OPTIONS=malloc_context_size=0:quarantine_size_mb=8

# Run one of two shares of the fuzzers.
share() {
	local i name child=
	trap 'kill "$child" 2>/dev/null; exit 143' TERM
	for ((i = $1; i < ${#names[@]}; i += 2)); do
		name=${names[i]}
		mkdir "$work/found-$name"
		"build/$name" -max_total_time="$seconds" -timeout=10 -print_final_stats=1 \
			-artifact_prefix="$work/" "$work/found-$name" "build/corpus/$name" >"$work/$name.log" 2>&1 &
		child=$!
		wait "$child" || touch "$work/$name.failed"
	done
}

share 0 &
pids+=($!)
share 1 &
pids+=($!)
wait

failed=0
number=0
echo "1..${#names[@]}"
for name in "${names[@]}"; do
	number=$((number + 1))
	executed=$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/$name.log")
	if [ ! -e "$work/$name.failed" ] && [ "${executed:-0}" -gt 0 ]; then
		echo "ok $number - fuzzer $name: $executed executions"
	else
		echo "not ok $number - fuzzer $name"
		grep -vE '^#[0-9]+[[:space:]]+(NEW|REDUCE|RELOAD|pulse)' "$work/$name.log" | sed 's/^/# /' || true
		failed=1
	fi
done
exit "$failed"
