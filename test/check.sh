#!/usr/bin/env bash
# Builds the extension with warnings as errors, and runs every test.
#
#	bash test/check.sh [--accept] [NAME ...]
#
# NAME is a suite as listed below, or a regression test (sql/NAME.sql): only these are
# run then, and nothing is built with clang.  --accept makes what regression tests and
# the documentation's statements print the output that is expected of them.
#
# It installs what it needs from the distribution, and closes with one line:
# "N passed, N failed".  What fails is shown in full.

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

accept=
if [ "${1:-}" = --accept ]; then
	accept=yes
	shift
fi
names=("$@")
known=()					# the suites that there are
passed=0
failed=0
since=0						# when the suite before has ended, in $SECONDS

# Count a suite's results, and show its output if not all is well.
#	count NAME STATUS PASSED FAILED LOG
count() {
	local name=$1 status=$2 good=$3 bad=$4 log=$5
	# a suite that dies, or that tests nothing, has failed
	if [ "$bad" = 0 ] && { [ "$status" != 0 ] || [ "$good" = 0 ]; }; then
		bad=1
	fi
	passed=$((passed + good))
	failed=$((failed + bad))
	printf '    %-28s %d passed, %d failed (%d s)\n' "$name" "$good" "$bad" $((SECONDS - since))
	since=$SECONDS
	if [ "$bad" != 0 ]; then
		printf -- '---- %s (exit status %d)\n' "$name" "$status"
		cat "$log"
		printf -- '----\n'
	fi
}

# Is a suite to be run?
wanted() {
	known+=("$1")
	[ ${#names[@]} = 0 ] || [[ " ${names[*]} " == *" $1 "* ]]
}

# Count the results of a suite that has written TAP.
#	count_tap NAME STATUS
count_tap() {
	local name=$1 status=$2 log=$work/$1.log good bad plan
	good=$(grep -c '^ok ' "$log" || true)
	bad=$(grep -c '^not ok ' "$log" || true)
	# a suite may be several programs, each with its plan
	plan=$(awk '/^1\.\.[0-9]/ { plan += substr($1, 4) } END { print plan }' "$log")
	if [ "$bad" = 0 ] && [ "$plan" != "$good" ]; then
		echo "# planned ${plan:-no} tests, saw $good" >>"$log"
		status=${status/#0/1}
	fi
	count "$name" "$status" "$good" "$bad" "$log"
}

# Run a suite that writes TAP.
#	tap NAME COMMAND ...
tap() {
	local name=$1 status=0
	wanted "$name" || return 0
	shift
	"$@" >"$work/$name.log" 2>&1 || status=$?
	count_tap "$name" "$status"
}

# Let a suite be run beside the others, in a cluster of its own: those that mostly wait,
# those that take longest first.
#	beside NAME COMMAND ...
beside() {
	wanted "$1" || return 0
	beside_names+=("$1")
	beside_commands+=("$(printf '%q ' "${@:2}")")
}
beside_names=()
beside_commands=()

# Run those that no other lane has taken, one after the other.
lane() {
	local i begun status
	for i in "${!beside_names[@]}"; do
		mkdir "$work/${beside_names[i]}.taken" 2>/dev/null || continue
		begun=$SECONDS
		status=0
		eval "${beside_commands[i]}" >"$work/${beside_names[i]}.log" 2>&1 || status=$?
		echo "$status $((SECONDS - begun))" >"$work/${beside_names[i]}.status"
	done
}

# Start two lanes, in a process group that can be ended.
start_beside() {
	set -m
	(
		export SAGEMAKER_FDW_TEST_CLUSTER=own
		lane &
		lane
		wait
	) &
	beside_pid=$!
	set +m
	trap 'status=$?; kill -- "-$beside_pid" 2>/dev/null || true; cleanup "$status"' EXIT
}

# Wait for them, and count their results.
end_beside() {
	local name status took
	wait "$beside_pid" || true
	for name in ${beside_names[@]+"${beside_names[@]}"}; do
		read -r status took <"$work/$name.status" || status=1 took=0
		since=$((SECONDS - took))
		count_tap "$name" "$status"
	done
}

# test/with-service, its command in a cluster of its own, whose module was built as it is
# for the oldest libcurl that is supported.  That one tells and keeps less; what it does is
# the installed one's.
with_old_libcurl() {
	# once, whichever lane is first
	{
		flock 9
		[ -e "$work/old" ] || build_beside old "-DSMF_LIBCURL=0x074b00 -Wno-deprecated-declarations"
	} 9>"$work/old.lock"
	PG_CONFIG=$work/old/lib/postgresql/$pg_version/bin/pg_config SAGEMAKER_FDW_TEST_CLUSTER=own \
		"$top/test/with-service" "$@"
}

# The unit tests that need no library, as if on another processor.
emulated() {
	local program status=0
	make -C "$unit" "$1" || return
	for program in "$unit/build/$1"/*; do
		"qemu-$1" "$program" || status=1
	done
	return "$status"
}

# Run the regression tests in the throwaway cluster, as its owner.
regression() {
	local log=$work/regression.log status=0 good bad name some=()
	for name in ${names[@]+"${names[@]}"}; do
		if [ -e "$top/expected/$name.out" ]; then
			some+=("$name")
			known+=("$name")
		fi
	done
	wanted regression || [ ${#some[@]} -gt 0 ] || return 0
	[ "$(id -u)" != 0 ] || chown -R postgres "$work/build"
	as_owner env PGHOST="$PGHOST" PGPORT="$PGPORT" PGUSER="$PGUSER" \
		make -C "$work/build" installcheck PG_CONFIG="$pg_bin/pg_config" ${some[@]+REGRESS="${some[*]}"} \
		>"$log" 2>&1 || status=$?
	[ -z "$accept" ] || cp "$work/build/results"/*.out "$top/expected/"
	# "test x ... ok 12 ms" up to version 15, TAP from 16 on
	good=$(grep -cE '^(test .* \.\.\. ok|ok )' "$log" || true)
	bad=$(grep -cE '^(test .* \.\.\. FAILED|not ok )' "$log" || true)
	[ ! -e "$work/build/regression.diffs" ] || cat "$work/build/regression.diffs" >>"$log"
	count regression "$status" "$good" "$bad" "$log"
}

begin
find_postgres
export PG_CONFIG=$pg_bin/pg_config
install_packages clang libclang-rt-dev python3-yaml
# pandas is large: for its suite only
[ ${#names[@]} -gt 0 ] && [[ " ${names[*]} " != *" tools "* ]] || tools=(python3-{psycopg,psycopg2,sqlalchemy,pandas})
# not every release, nor every processor, has these
for package in pg-bsd-indent "postgresql-$pg_version-cron" qemu-user gcc-aarch64-linux-gnu libc6-dev-arm64-cross \
	gcc-s390x-linux-gnu libc6-dev-s390x-cross ${tools[@]+"${tools[@]}"}; do
	! apt-cache show "$package" >/dev/null 2>&1 || more+=("$package")
done
install_packages ${more[@]+"${more[@]}"}
say "building for PostgreSQL $pg_version, warnings are errors"
build WERROR=1
if [ ${#names[@]} = 0 ]; then
	say "building with clang"
	cp -R "$work/build" "$work/clang"
	quietly make -C "$work/clang" clean
	# Postgres was configured for gcc: its flags and attributes are not all known to clang.
	# And its headers ask for OpenSSL as of long ago, which hides what has been deprecated
	# since: unless OpenSSL's own come first.
	quietly make -C "$work/clang" -j2 PG_CONFIG="$pg_bin/pg_config" CC=clang WERROR=1 with_llvm=no \
		COPT="-Wno-ignored-optimization-argument -Wno-unknown-warning-option -Wno-ignored-attributes \
			-include openssl/macros.h"
fi
# all that can be logged is, but the statements that users type
start_cluster -o "-c log_min_messages=debug5 -c log_min_error_statement=panic"

say "testing"
since=$SECONDS
unit=$work/build/test/unit
quietly make -C "$unit"
beside fuzz bash "$top/test/fuzz/run.sh" 5
beside load "$top/test/with-service" -o "--bulk 20000" /usr/bin/python3 -B "$top/test/t/load.py" 20000
beside faults "$top/test/with-service" -o "--bulk 2000" /usr/bin/python3 -B "$top/test/t/faults.py"
beside document_fuzz "$top/test/with-service" /usr/bin/python3 -B "$top/test/fuzz/documents.py" 2000
beside query_differential "$top/test/with-service" \
	/usr/bin/python3 -B "$top/test/differential/queries.py" --queries 2000
beside auto "$top/test/with-service" -o "--bulk 10000" /usr/bin/python3 -B "$top/test/t/auto.py"
beside auto_answers "$top/test/with-service" -o "--bulk 10000" /usr/bin/python3 -B "$top/test/t/auto_answers.py"
beside refresh_auto "$top/test/with-service" -o "--bulk 10000" /usr/bin/python3 -B "$top/test/t/refresh_auto.py"
beside search_costs "$top/test/with-service" -o "--bulk 10000" /usr/bin/python3 -B "$top/test/t/search_costs.py"
beside tls "$top/test/with-service" /usr/bin/python3 -B "$top/test/t/tls.py"
beside old_libcurl_faults with_old_libcurl -o "--bulk 2000" /usr/bin/python3 -B "$top/test/t/faults.py" connections
beside old_libcurl_tls with_old_libcurl /usr/bin/python3 -B "$top/test/t/tls.py"
beside proxy "$top/test/with-service" /usr/bin/python3 -B "$top/test/t/proxy.py"
beside credentials "$top/test/with-service" /usr/bin/python3 -B "$top/test/t/credentials.py"
beside credential_files "$top/test/with-service" /usr/bin/python3 -B "$top/test/t/credential_files.py"
beside credential_rights "$top/test/with-service" /usr/bin/python3 -B "$top/test/t/credential_rights.py"
beside check_server "$top/test/with-service" /usr/bin/python3 -B "$top/test/t/check_server.py"
beside mistakes "$top/test/with-service" /usr/bin/python3 -B "$top/test/t/mistakes.py"
beside renewal "$top/test/with-service" /usr/bin/python3 -B "$top/test/t/renewal.py"
beside waiting "$top/test/with-service" -o "--bulk 5000" /usr/bin/python3 -B "$top/test/t/waiting.py"
beside schedules "$top/test/with-service" /usr/bin/python3 -B "$top/test/t/schedules.py" --schedules 120 --jobs 3
beside job_costs "$top/test/with-service" /usr/bin/python3 -B "$top/test/t/job_costs.py"
beside forms "$top/test/with-service" /usr/bin/python3 -B "$top/test/t/forms.py"
beside prices "$top/test/with-service" /usr/bin/python3 -B "$top/test/t/prices.py"
beside portable "$top/test/with-service" /usr/bin/python3 -B "$top/test/t/portable.py"
beside tools "$top/test/with-service" /usr/bin/python3 -B "$top/test/tree/tools.py" ${accept:+--accept}
start_beside
for program in sigv4_test endpoint_test expiry_test retry_test rate_test session_name_test price_test json_skip_test; do
	tap "$program" "$unit/build/$program"
done
# with NEON, and where numbers begin with the highest byte
for processor in aarch64 s390x; do
	if [ "$(uname -m)" = "$processor" ]; then
		! wanted "$processor" || say "skipping $processor: this is one, the suites above say it all"
	elif installed qemu-user && installed "gcc-$processor-linux-gnu"; then
		tap "$processor" emulated "$processor"
	elif wanted "$processor"; then
		say "skipping $processor: there are no packages qemu-user and gcc-$processor-linux-gnu"
	fi
done
tap sigv4_differential /usr/bin/python3 -B "$unit/sigv4_differential.py" "$unit/build/sigv4_driver"
tap endpoint_differential /usr/bin/python3 -B "$unit/endpoint_differential.py" "$unit/build/endpoint_driver"
tap config_differential /usr/bin/python3 -B "$unit/config_differential.py" "$unit/build/config_driver"
tap attribute_model /usr/bin/python3 -B "$unit/attribute_model.py" "$unit/build/attribute_dump"
tap iam_policy /usr/bin/python3 -B "$top/test/tree/iam_policy.py" "$top"
tap layers /usr/bin/python3 -B "$top/test/tree/layers.py" "$top"
tap places /usr/bin/python3 -B "$top/test/tree/places.py" "$top"
tap container /usr/bin/python3 -B "$top/test/tree/container.py" "$top"
tap release /usr/bin/python3 -B "$top/test/tree/release.py" "$top"
tap format /usr/bin/python3 -B "$top/test/tree/format.py" "$top"
tap refusal /usr/bin/python3 -B "$top/test/tree/refusal.py" "$top"
tap service /usr/bin/python3 -B "$top/test/service/selftest.py"
regression
tap document_differential "$top/test/with-service" -o "--generated 1000" \
	/usr/bin/python3 -B "$top/test/differential/documents.py"
tap json_build "$top/test/with-service" -o "--bulk 400" /usr/bin/python3 -B "$top/test/t/json_build.py"
tap proof "$top/test/with-service" /usr/bin/python3 -B "$top/test/t/proof.py"
tap queries "$top/test/with-service" -o "--bulk 10000" /usr/bin/python3 -B "$top/test/t/queries.py"
tap lookahead "$top/test/with-service" -o "--bulk 400" /usr/bin/python3 -B "$top/test/t/lookahead.py"
tap planning "$top/test/with-service" -o "--bulk 400" /usr/bin/python3 -B "$top/test/t/planning.py"
tap costs "$top/test/with-service" /usr/bin/python3 -B "$top/test/t/costs.py"
tap async "$top/test/with-service" -o "--bulk 400" /usr/bin/python3 -B "$top/test/t/async.py"
tap may_end "$top/test/with-service" -o "--bulk 400" /usr/bin/python3 -B "$top/test/t/may_end.py"
tap change "$top/test/with-service" -o "--bulk 400" /usr/bin/python3 -B "$top/test/t/change.py"
tap rate "$top/test/with-service" /usr/bin/python3 -B "$top/test/t/rate.py"
tap check_search "$top/test/with-service" -o "--bulk 1000" /usr/bin/python3 -B "$top/test/t/check_search.py"
tap cancel "$top/test/with-service" -o "--bulk 1000000" /usr/bin/python3 -B "$top/test/t/cancel.py"
tap refresh "$top/test/with-service" -o "--bulk 10000 --anchor $(date +%s)" /usr/bin/python3 -B "$top/test/t/refresh.py"
tap rights "$top/test/with-service" -o "--anchor $(date +%s)" /usr/bin/python3 -B "$top/test/t/rights.py"
tap stats "$top/test/with-service" /usr/bin/python3 -B "$top/test/t/stats.py"
tap dump "$top/test/with-service" /usr/bin/python3 -B "$top/test/t/dump.py"
if installed "postgresql-$pg_version-cron"; then
	tap cron "$top/test/with-service" /usr/bin/python3 -B "$top/test/t/cron.py"
elif wanted cron; then
	say "skipping cron: there is no package postgresql-$pg_version-cron"
fi
tap docs "$top/test/with-service" /usr/bin/python3 -B "$top/test/tree/docs.py" ${accept:+--accept} "$unit/build/attribute_dump"
end_beside
tap secrets /usr/bin/python3 -B "$top/test/secrets.py" "$work/pg/log"

for name in ${names[@]+"${names[@]}"}; do
	[[ " ${known[*]} " == *" $name "* ]] || die "there is no suite \"$name\"; there are ${known[*]}"
done
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
