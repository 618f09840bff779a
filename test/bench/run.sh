#!/usr/bin/env bash
# Measures the extension beside what is used without it, against a local endpoint.
#
#	bash test/bench/run.sh [--quick] [--output DIRECTORY]
#
# It installs what it needs from the distribution, and writes a table and plots into
# DIRECTORY (doc/benchmark).  --quick measures once, with few jobs, to try the
# benchmark itself, and only prints the table.  Run it on a machine that does nothing else.
#
# Where there are two processors or more, the endpoint has one of them to itself, on which it polls,
# and all that is measured, with the cluster, has the others.
#
# All of it runs in a mount namespace of its own, which needs the right to mount: there, and
# only there, the system trusts the endpoint's certificate.

. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

if [ -z "${BENCH_NAMESPACE:-}" ]; then
	as_user=()
	[ "$(id -u)" = 0 ] || as_user=(runuser -u "$(id -un)" --)
	as_root unshare -m true || die "the benchmark needs the right to make a mount namespace"
	as_root unshare -m ${as_user[@]+"${as_user[@]}"} env BENCH_NAMESPACE=own PATH="$PATH" bash "$0" "$@"
	exit
fi

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

# Make certificates as a service has them, below a root that the system trusts from now on.
make_certificates() {
	local directory=$work/tls key=(-newkey rsa:2048 -nodes)
	mkdir "$directory" && cd "$directory" &&
		printf '%s\n' '[ca]' 'basicConstraints=critical,CA:TRUE' 'keyUsage=critical,keyCertSign,cRLSign' \
			'[server]' 'basicConstraints=CA:FALSE' 'subjectAltName=IP:127.0.0.1' 'extendedKeyUsage=serverAuth' >extensions &&
		openssl req -x509 "${key[@]}" -keyout root.key -out root.pem -days 2 -subj "/CN=benchmark root" &&
		openssl req "${key[@]}" -keyout between.key -out between.csr -subj "/CN=benchmark CA" &&
		openssl x509 -req -in between.csr -CA root.pem -CAkey root.key -CAcreateserial -out between.pem -days 2 \
			-extfile extensions -extensions ca &&
		openssl req "${key[@]}" -keyout server.key -out server.csr -subj "/CN=127.0.0.1" &&
		openssl x509 -req -in server.csr -CA between.pem -CAkey between.key -CAcreateserial -out server.pem -days 2 \
			-extfile extensions -extensions server &&
		cat server.pem between.pem >chain.pem &&
		cp -a /etc/ssl/certs trusted &&
		cat root.pem >>trusted/ca-certificates.crt &&
		as_root mount --bind "$directory/trusted" /etc/ssl/certs
}

begin
find_postgres
install_packages wrk gnuplot-nox python3-boto3 awscli ca-certificates
output=${output:-${quick:+$work/report}}
output=${output:-$top/doc/benchmark}

say "building for PostgreSQL $pg_version"
build
export BENCH_BUILD=$work/build/test/bench/build
quietly make -C "$work/build/test/bench"

# what this shell starts from here on inherits where it may run
own_processor=()
poll=
endpoint_note='the endpoint shares the one processor with what is measured, and sleeps between calls'
read -ra processors <<<"$(/usr/bin/python3 -c 'import os; print(*sorted(os.sched_getaffinity(0)))')"
if [ ${#processors[@]} -ge 2 ]; then
	own_processor=(taskset -c "${processors[0]}")
	poll=poll
	endpoint_note="the endpoint polls on processor ${processors[0]}, which is its own"
	others=$(IFS=, && echo "${processors[*]:1}")
	quietly taskset -c -p "$others" $$
else
	say "there is one processor: the endpoint shares it with what is measured"
fi
start_cluster

say "starting the endpoint"
# its jobs have ended hours ago: Search is asked for those that have not changed in the last hour
# in a subshell, which changes its directory
(quietly make_certificates)
/usr/bin/python3 -B "$top/test/bench/endpoint/templates.py" >"$work/templates"
${own_processor[@]+"${own_processor[@]}"} "$BENCH_BUILD/endpoint" "$work/templates" "$work/endpoint" \
	"$(date -d yesterday +%s)" "$work/tls/chain.pem" "$work/tls/server.key" $poll </dev/null >"$work/endpoint.log" 2>&1 &
endpoint_pid=$!
for ((i = 0; i < 200; i++)); do
	[ ! -e "$work/endpoint" ] || break
	sleep 0.05
done
[ -e "$work/endpoint" ] || die "the endpoint did not start: $(cat "$work/endpoint.log")"
SAGEMAKER_FDW_TEST_URL=$(sed -n 1p "$work/endpoint")
SAGEMAKER_FDW_TEST_TLS_URL=$(sed -n 2p "$work/endpoint")
export SAGEMAKER_FDW_TEST_URL SAGEMAKER_FDW_TEST_TLS_URL SAGEMAKER_FDW_TEST_CA=$work/tls/root.pem

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

# What the endpoint serves at the URL, documents a second.
rate_of() {
	wrk -t 1 -c 32 -d 5 -s "$work/describe.lua" "$1/" >"$work/wrk.log"
	! grep -q 'Non-2xx' "$work/wrk.log" || die "the endpoint answers with errors: $(cat "$work/wrk.log")"
	sed -n 's/^Requests\/sec: *\([0-9]*\).*/\1/p' "$work/wrk.log"
}

rate=$(rate_of "$SAGEMAKER_FDW_TEST_URL")
tls_rate=$(rate_of "$SAGEMAKER_FDW_TEST_TLS_URL")
say "the endpoint serves $rate documents a second, over TLS $tls_rate (wrk)"
if [ "$rate" -lt $enough ] || [ "$tls_rate" -lt $enough ]; then
	[ -n "$quick" ] || die "that is less than $enough: it would be what is measured"
	say "that is less than $enough: figures would not count"
fi

say "measuring"
/usr/bin/python3 -B "$top/test/bench/measure.py" ${quick:+--quick} --output "$output" \
	--note "the endpoint serves $rate documents a second, over TLS $tls_rate (wrk, 32 connections)" \
	--note "$endpoint_note" \
	--note "sagemaker_fdw $(sed -n 's/^EXTVERSION = //p' "$top/Makefile")"
[ -z "$quick" ] || cat "$output/README.md"
say "done"
