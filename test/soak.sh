#!/usr/bin/env bash
# Reads under random faults and cancels for a long time: no crash, no stuck backend,
# no wrong row.
#
#	bash test/soak.sh [SECONDS]
#
# pgbench runs look-ups, lists, scans and cursors closed early in 8 sessions for
# SECONDS (600), while calls fail at random and sessions are cancelled at random.
# It prints what came of the reads, and fails if any of that was wrong.

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

seconds=${1:-600}
slice=30

begin
find_postgres
install_packages
say "building for PostgreSQL $pg_version"
build
start_cluster
start_endpoint
ctl() { /usr/bin/python3 -B "$top/test/service/ctl.py" "$@" >/dev/null; }
psql() { "$pg_bin/psql" -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }
export SAGEMAKER_FDW_TEST_URL
psql -c 'SET client_min_messages = warning' -f "$top/test/soak.sql"

ctl fault '{"kind": "error", "status": 500, "code": "InternalFailure", "times": 0, "probability": 0.03}'
ctl fault '{"kind": "error", "code": "ThrottlingException", "times": 0, "probability": 0.02, "seed": 2}'
ctl fault '{"kind": "reset_during", "times": 0, "probability": 0.01, "seed": 3}'
ctl fault '{"kind": "close_after", "times": 0, "probability": 0.02, "seed": 4}'
ctl fault '{"kind": "hang", "times": 0, "probability": 0.0005, "seed": 5}'
for what in lookup:20 list:5 scan:2 cursor:5; do
	echo "SELECT attempt('${what%:*}');" >"$work/${what%:*}.sql"
	files+=(-f "$work/${what%:*}.sql@${what#*:}")
done
chmod 644 "$work"/*.sql

say "reading for $seconds s"
until=$((SECONDS + seconds))
problems=0
while [ $SECONDS -lt $until ]; do
	# a cancel between the statements' own handlers ends a client: slices begin anew
	status=0
	timeout $((slice + 90)) "$pg_bin/pgbench" -n -c 8 -j 2 -T $slice "${files[@]}" \
		>"$work/pgbench.log" 2>&1 &
	bench=$!
	while kill -0 $bench 2>/dev/null; do
		psql -c "SELECT pg_cancel_backend(pid) FROM pg_stat_activity
			WHERE wait_event_type = 'Extension' AND random() < 0.02" >/dev/null
		sleep 0.2
	done
	wait $bench || status=$?
	if [ $status = 124 ] || grep -E 'ERROR|FATAL|server closed' "$work/pgbench.log" |
		grep -v 'canceling statement due to user request'; then
		problems=$((problems + 1))
		cat "$work/pgbench.log"
	fi
done

say "what came of the reads"
psql -F ' ' -c "SELECT what, sqlstate, count(*) FROM outcome GROUP BY 1, 2 ORDER BY 1, 2"
stuck=$(psql -c "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid()
	AND backend_type = 'client backend'")
crashes=$(as_owner grep -cE 'terminated by signal|PANIC|TRAP' "$work/pg/log" || true)
[ "$crashes" = 0 ] || as_owner grep -E 'terminated by signal|PANIC|TRAP' "$work/pg/log"
echo "$problems slices with wrong rows or errors, $stuck stuck backends, $crashes crashes"
[ "$problems$stuck$crashes" = 000 ]
