#!/usr/bin/env bash
# Builds the images of docker/, and tests what is in them.
#
#	bash test/image.sh [SUITE ...]
#
# SUITE is a release of Debian, trixie and sid without any; each image is built from the
# last commit with buildah, on one that stands for postgres:NN, of the Postgres that the
# release has: no registry is needed.  Below Postgres 18 that is the image of the page
# doc/operations.md, in which the demo's report is run.  From 18 on it is the one of
# compose.yaml, started as that says, with pg_cron and a role for Grafana; and the
# extension alone, mounted beside a server as CloudNativePG does.  As root.

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$top/test/roots.sh"

begin_roots
trap 'status=$?; [ "$status" = 0 ] || [ ! -e "$log" ] || cat "$log"; leave_roots; cleanup "$status"' EXIT
[ $# -gt 0 ] || set -- trixie sid
for package in buildah python3-botocore python3-yaml; do
	if ! installed "$package"; then
		quietly apt-get update
		quietly apt-get install -y --no-install-recommends buildah python3-botocore python3-yaml
	fi
done
apt="DEBIAN_FRONTEND=noninteractive apt-get -o APT::Install-Recommends=false -y"
storage=$roots/storage
export BUILDAH_ISOLATION=chroot TMPDIR=$work/tmp
# loopback only, and not the port of another cluster
port=$((20000 + $$ % 10000))
# passwords that only this test has
export POSTGRES_PASSWORD=super-$$ GRAFANA_DATABASE_PASSWORD="reads \$HOME's $$" GRAFANA_ADMIN_PASSWORD=admin-$$
server_pid=
log=

buildah() {
	command buildah --storage-driver vfs --root "$storage" --runroot "$work/run" "$@"
}

# The page's commands, which build with another program here.
docker() {
	[ "$1" = build ] || die "docker $1 is not for this test"
	buildah build --pull-never "${@:2}"
}

# The commands of the page that begin with these words, for the version that is tested.
#	documented WORDS
documented() {
	sed -n '/^## In a container$/,/^## /p' "$context/doc/operations.md" | sed -e ':line' -e '/\\$/{N;s/\\\n */ /;b line' -e '}' |
		grep "^$1 " | sed "s/18/$version/g"
}

# ----- the images -----

# An image with the layout of postgres:NN; sets version.
#	make_base SUITE
make_base() {
	local container data=/var/lib/postgresql/data volume=/var/lib/postgresql/data
	make_root base "$1"
	inside "apt-get update" >>"$log" 2>&1
	version=$(inside "apt-cache depends postgresql" | version_depended_on)
	if [ "$version" -ge 18 ]; then
		data=/var/lib/postgresql/$version/docker
		volume=/var/lib/postgresql
	fi
	printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
	chmod 755 "$root/usr/sbin/policy-rc.d"
	mkdir -p "$root/etc/postgresql-common"
	echo 'create_main_cluster = false' >"$root/etc/postgresql-common/createcluster.conf"
	inside "groupadd -r --gid 999 postgres &&
		useradd -r -g postgres --uid 999 --home-dir /var/lib/postgresql --shell /bin/bash postgres &&
		$apt install postgresql-$version && mkdir /docker-entrypoint-initdb.d &&
		install -d -o postgres -g postgres -m 3777 /var/run/postgresql &&
		install -d -o postgres -g postgres -m 1777 /var/lib/postgresql $volume" >>"$log" 2>&1 </dev/null
	# without what only make_root needs: git has most of the libraries that libcurl has
	inside "dpkg-query -W -f '\${Package} \${Priority}\n' | awk '\$2 !~ /^(required|important)\$/ { print \$1 }' | xargs apt-mark auto &&
		apt-mark manual postgresql-$version ca-certificates && $apt -o APT::AutoRemove::RecommendsImportant=false autopurge git &&
		rm -rf /var/lib/apt/lists/* /root/sagemaker_fdw" >>"$log" 2>&1 </dev/null
	install -m 755 "$top/test/docker-entrypoint.sh" "$root/usr/local/bin"
	container=$(buildah from scratch)
	tar -C "$root" --one-file-system -c . | tar -C "$(buildah mount "$container")" -x
	buildah config --env "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/postgresql/$version/bin" \
		--env LANG=C.UTF-8 --env "PG_MAJOR=$version" --env "PGDATA=$data" --volume "$volume" \
		--entrypoint '["docker-entrypoint.sh"]' --cmd postgres "$container"
	buildah commit --rm "$container" "docker.io/library/postgres:$version" >>"$log" 2>&1
}

# One that CloudNativePG runs: it has no entrypoint, and a user with another number.
make_operand() {
	local container
	container=$(buildah from --pull-never "postgres:$version")
	buildah run "$container" -- sh -c 'usermod -u 26 postgres && chown -R postgres: /var/lib/postgresql /var/run/postgresql'
	buildah config --entrypoint '[]' --cmd bash --user 26 --volume /var/lib/postgresql- "$container"
	buildah commit --rm "$container" localhost/operand >>"$log" 2>&1
}

# What our Dockerfiles must leave as it is, and say.
#	check_image NAME [BASE]
check_image() {
	local form='{{.OCIv1.Config.User}} {{.OCIv1.Config.Entrypoint}} {{.OCIv1.Config.Cmd}} {{.OCIv1.Config.Volumes}} {{.OCIv1.Config.StopSignal}}'
	local label='{{index .OCIv1.Config.Labels "org.opencontainers.image.version"}}'
	[ "$(buildah inspect --type image --format "$label" "$1")" = "$(sed -n 's/^EXTVERSION = //p' "$top/Makefile")" ] ||
		die "$1 has another version"
	[ $# = 1 ] || [ "$(buildah inspect --type image --format "$form" "$1")" = "$(buildah inspect --type image --format "$form" "$2")" ] ||
		die "$1 is not run as $2 is"
}

# ----- a server in a container -----

# Start a command in $container, which becomes a server, and wait until it answers.
#	start_server [OPTION ...] -- COMMAND ...
start_server() {
	local i options=()
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	set -m
	buildah run ${options[@]+"${options[@]}"} "$container" "$@" </dev/null >"$work/server.log" 2>&1 &
	server_pid=$!
	set +m
	for ((i = 0; i < 240; i++)); do
		! in_container pg_isready --quiet --username=postgres "--host=$answers_at" || return 0
		kill -0 "$server_pid" 2>/dev/null || break
		sleep 0.5
	done
	cat "$work/server.log"
	die "the server did not start"
}

in_container() {
	buildah run "$container" -- "$@"
}

stop_server() {
	buildah run --user postgres "$container" -- pg_ctl -w -m fast stop >>"$work/server.log" 2>&1
	wait "$server_pid" || true
	server_pid=
}

# However the script ends.
kill_server() {
	[ -z "$server_pid" ] || kill -INT -- "-$server_pid" 2>/dev/null || true
	server_pid=
}

# psql as the superuser, in $container.
run_psql() {
	in_container psql -X -q -v ON_ERROR_STOP=1 -P pager=off -U postgres "$@"
}

# The demo's report; its last table has the teams.
run_demo() {
	local teams
	in_container env DEMO_REGION=us-east-1 "SAGEMAKER_FDW_TEST_URL=$SAGEMAKER_FDW_TEST_URL" AWS_ACCESS_KEY_ID=AKIDHISTORY000000001 \
		AWS_SECRET_ACCESS_KEY=secret/of+the/history/account000000000001 \
		psql -X -q -v ON_ERROR_STOP=1 -P pager=off -U postgres <"$context/test/demo.sql" >"$work/demo" 2>&1 || {
		cat "$work/demo"
		die "the demo's report failed"
	}
	teams=$(awk '/ team .* list_cost /, /rows\)/ { if (/^ [a-z]/ && !/ list_cost /) print $1 }' "$work/demo" | sort | xargs)
	[ "$teams" = "ads fraud search vision" ] || die "the demo's report has the teams \"$teams\""
}

# ----- the tests -----

# The image of the page, and the demo in it.
test_page() {
	eval "$(documented 'docker build -f docker/Dockerfile')"
	check_image "sagemaker_fdw:$version" "postgres:$version"
	container=$(buildah from --pull-never "sagemaker_fdw:$version")
	in_container sh -c '! command -v cc gcc clang make pkg-config'
	buildah config --env "POSTGRES_PASSWORD=$POSTGRES_PASSWORD" --env "PGPORT=$port" "$container"
	answers_at=127.0.0.1
	start_server -- docker-entrypoint.sh postgres
	run_demo
	stop_server
}

# What compose.yaml starts, what the page does next, and what Grafana reads.
test_compose() {
	local arguments words user database query i outcome=
	mapfile -d '' -t arguments < <(/usr/bin/python3 -B "$context/test/tree/compose.py" "$context" build postgres)
	docker build "${arguments[@]}"
	check_image "${arguments[3]}" "postgres:$version"
	container=$(buildah from --pull-never "${arguments[3]}")
	buildah config --env "PGPORT=$port" "$container"
	mapfile -d '' -t words < <(/usr/bin/python3 -B "$context/test/tree/compose.py" "$context" run postgres)
	answers_at=127.0.0.1
	start_server "${words[@]}"
	run_psql -v "url=$SAGEMAKER_FDW_TEST_URL" <<-'EOF'
		CREATE SERVER sm FOREIGN DATA WRAPPER sagemaker_fdw
		  OPTIONS (region 'us-east-1', endpoint_url :'url', pricing_endpoint_url :'url', sts_endpoint_url :'url');
		CREATE USER MAPPING FOR CURRENT_USER SERVER sm
		  OPTIONS (aws_access_key_id 'AKIDHISTORY000000001', aws_secret_access_key 'secret/of+the/history/account000000000001');
		CALL sagemaker_fdw_create_partitioned_table('aws.all_jobs', servers => ARRAY['sm']);
		CALL sagemaker_fdw_refresh('reports.training_jobs', 'aws.all_jobs', since => '2017-11-01');
		CALL sagemaker_fdw_refresh_prices('reports.training_prices', server => 'sm');
		CALL sagemaker_fdw_create_cost_views('reports', jobs => 'reports.training_jobs', prices => 'reports.training_prices');
		SELECT cron.schedule('training jobs', '* * * * *',
		  $$CALL sagemaker_fdw_refresh('reports.training_jobs', 'aws.all_jobs', since => '2017-11-01')$$);
	EOF
	# pg_cron begins a job with a minute
	for ((i = 0; i < 150; i++)); do
		outcome=$(run_psql -A -t -c "SELECT status FROM cron.job_run_details WHERE status IN ('succeeded', 'failed') ORDER BY runid LIMIT 1")
		[ -z "$outcome" ] || break
		sleep 1
	done
	[ "$outcome" = succeeded ] || die "pg_cron's refresh: ${outcome:-has not run}"
	mapfile -d '' -t words < <(/usr/bin/python3 -B "$context/test/tree/compose.py" "$context" queries)
	user=${words[0]} database=${words[1]}
	! as_grafana wrong "SELECT 1" || die "the role $user needs no password"
	for query in "${words[@]:2}" "SELECT FROM reports.job_costs" "SELECT FROM reports.job_charges" "SELECT FROM sagemaker_fdw_refresh_status"; do
		[ "$(as_grafana "$GRAFANA_DATABASE_PASSWORD" "SELECT count(*) > 0 FROM ($query) AS rows")" = t ] || die "Grafana gets no row of: $query"
	done
	stop_server
}

# psql as Grafana's data source connects, with a password.
#	as_grafana PASSWORD QUERY
as_grafana() {
	in_container env "PGPASSWORD=$1" psql -X -A -t -v ON_ERROR_STOP=1 -h 127.0.0.1 -U "$user" -d "$database" -c "$2"
}

# The extension alone, mounted where CloudNativePG mounts it, with its settings.
test_cloudnativepg() {
	local name image extension operand=localhost/operand
	make_operand
	eval "$(documented 'docker build -f docker/Dockerfile.cloudnativepg')"
	name=$(documented '      - name:' | sed 's/.*: //')
	image=$(documented '          reference:' | sed 's/.*: //')
	check_image "$image"
	extension=$(buildah mount "$(buildah from --pull-never "$image")")
	find "$extension" -type f -printf '%P\n' | sort
	[ -e "$extension/system/libcurl.so.4" ] || die "$image has no libcurl: does its base have one?"
	container=$(buildah from --pull-never "$operand")
	buildah config --env "PGPORT=$port" "$container"
	answers_at=/var/run/postgresql
	start_server --volume "$extension:/extensions/$name:ro" -- sh -ec "initdb --username=postgres --auth=trust
		exec postgres -c listen_addresses= -c extension_control_path='\$system:/extensions/$name/share' \
			-c dynamic_library_path='\$libdir:/extensions/$name/lib'"
	run_demo
	stop_server
}

# Run one of them, and show what it printed if it failed.
#	try WHAT COMMAND
try() {
	say "$suite: $1"
	(
		trap kill_server EXIT
		"${@:2}"
	) >>"$log" 2>&1
	echo "$suite: $1 on PostgreSQL $version passed" >>"$results"
}

context=$work/context
results=$work/results
mkdir -p "$context" "$TMPDIR"
git -C "$top" archive HEAD | tar -C "$context" -x
cd "$context"
start_endpoint --anchor "$(date +%s)"
for suite in "$@"; do
	log=$work/$suite.log
	say "$suite: making an image like postgres:NN"
	make_base "$suite"
	if [ "$version" -lt 18 ]; then
		try docker/Dockerfile test_page
	else
		try docker/compose.yaml test_compose
		try docker/Dockerfile.cloudnativepg test_cloudnativepg
	fi
	remove_roots
done
cat "$results"
