# What test/demo.sh and test/check.sh share: packages, build, a throwaway cluster.
#
# Source it with bash.  Everything it makes lies below $work and is removed when the
# script ends, however it ends; the processes it starts are ended by their ids.  It
# touches no Postgres cluster but its own: installing adds this extension's files to
# the Postgres of the distribution, and nothing else of that changes.

set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=
cluster_started=
endpoint_pid=

say() { printf '==> %s\n' "$*"; }

die() {
	printf 'error: %s\n' "$*" >&2
	exit 1
}

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	else
		sudo "$@"
	fi
}

# Run a command as the user that owns the cluster: initdb refuses root.
as_owner() {
	if [ "$(id -u)" = 0 ]; then
		runuser -u postgres -- "$@"
	else
		"$@"
	fi
}

# Run a command without its output, which is shown if it fails.
quietly() {
	local log=$work/quietly.log
	"$@" >"$log" 2>&1 || {
		cat "$log" >&2
		die "failed: $*"
	}
}

# Its argument is the status to end with, by default that of the command before.
cleanup() {
	local status=${1:-$?}
	trap - EXIT
	stop_endpoint
	stop_cluster
	[ -z "$work" ] || rm -rf --one-file-system "$work"
	exit "$status"
}

# Every script begins with this.
begin() {
	trap cleanup EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	# /tmp, not $TMPDIR: the path of a socket must be short
	work=$(mktemp -d /tmp/sagemaker_fdw.XXXXXX)
	chmod 755 "$work"
}

# ----- packages -----

installed() {
	[ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# Set pg_version, and pg_bin: the version that SAGEMAKER_FDW_TEST_PG_VERSION names, or else
# the distribution's.
find_postgres() {
	command -v apt-get >/dev/null || die "this script installs what it needs with apt-get; see README.md for other systems"
	if [ "$(id -u)" != 0 ]; then
		command -v sudo >/dev/null || die "run it as root, or install sudo"
	fi
	pg_version=${SAGEMAKER_FDW_TEST_PG_VERSION:-$(distribution_version)}
	if [ -z "$pg_version" ]; then
		say "reading the package lists"
		quietly as_root apt-get update
		pg_version=$(distribution_version)
	fi
	[ -n "$pg_version" ] || die "this distribution has no package postgresql"
	[ "$pg_version" -ge 15 ] || die "PostgreSQL 15 or later is needed, not $pg_version"
	pg_bin=/usr/lib/postgresql/$pg_version/bin
}

distribution_version() {
	apt-cache depends postgresql 2>/dev/null | version_depended_on
}

# What "apt-cache depends postgresql" prints, as the version of Postgres.
version_depended_on() {
	sed -n 's/^ *Depends: postgresql-\([0-9]*\)$/\1/p' | head -n 1
}

# Install the packages named, and those that any build needs, as far as they are missing.
install_packages() {
	local package missing=() dist conf=/etc/postgresql-common/createcluster.conf no_main=
	for package in gcc make libc6-dev pkg-config libcurl4-openssl-dev libssl-dev \
		"postgresql-$pg_version" "postgresql-server-dev-$pg_version" \
		python3 python3-botocore openssl "$@"; do
		installed "$package" || missing+=("$package")
	done
	# pkg-config is an alias of pkgconf in newer releases
	if command -v pkg-config >/dev/null; then
		missing=("${missing[@]/#pkg-config/}")
	fi
	read -ra missing <<<"${missing[*]}" || true
	[ ${#missing[@]} -gt 0 ] || return 0

	say "installing ${missing[*]}"
	quietly as_root apt-get update
	# where no Postgres is, the package would create a cluster and start it
	if [ ! -e "$conf" ]; then
		no_main=yes
		as_root mkdir -p "${conf%/*}"
		echo 'create_main_cluster = false' | as_root tee "$conf" >/dev/null
	fi
	quietly as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
		-o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "${missing[@]}"
	# the package's own file, which was put beside ours
	if [ -n "$no_main" ]; then
		for dist in "$conf.dpkg-dist" "$conf.ucf-dist"; do
			[ ! -e "$dist" ] || as_root mv "$dist" "$conf"
		done
	fi
}

# ----- build -----

# Build and install from a copy, so that the work tree stays as it is.
build() {
	mkdir -p "$work/build"
	(cd "$top" && tar -cf - --exclude=.git --exclude='*.o' --exclude='*.bc' --exclude='*.so' \
		--exclude=./results --exclude=./test/unit/build --exclude=./test/bench/build \
		--exclude=./test/fuzz/build .) | tar -xf - -C "$work/build"
	quietly make -C "$work/build" -j2 PG_CONFIG="$pg_bin/pg_config" "$@"
	quietly as_root make -C "$work/build" install PG_CONFIG="$pg_bin/pg_config" "$@"
}

# Make a Postgres beside the installed one, below $work/NAME, whose module has src/http/
# built with other flags: a Postgres that has moved finds its files from where it is.
#	build_beside NAME FLAGS
build_beside() {
	local tree=$work/$1 home=$work/$1/lib/postgresql/$pg_version
	mkdir -p "$home/bin" "$home/lib"
	ln -s /usr/share "$tree/share"
	cp "$pg_bin"/{initdb,pg_config,postgres} "$home/bin"
	ln -s "${pg_bin%/bin}/lib"/* "$home/lib"
	cp -R "$work/build" "$tree/build"
	rm "$tree/build/src/http/"*.o "$tree/build/sagemaker_fdw.so" "$home/lib/sagemaker_fdw.so"
	quietly make -C "$tree/build" PG_CONFIG="$pg_bin/pg_config" with_llvm=no COPT="$2" sagemaker_fdw.so
	cp "$tree/build/sagemaker_fdw.so" "$home/lib"
}

# ----- the cluster -----

start_postmaster() {
	as_owner "$pg_bin/pg_ctl" -D "$work/pg/data" -l "$work/pg/log" -w -t 60 "$@" \
		-o "-c listen_addresses='' -c unix_socket_directories='$work/pg' -c fsync=off" start || {
		cat "$work/pg/log"
		return 1
	}
}

# The superuser is "postgres", reached through the socket in $work/pg.  Arguments go to
# pg_ctl.
start_cluster() {
	mkdir "$work/pg"
	[ "$(id -u)" != 0 ] || chown postgres "$work/pg"
	quietly as_owner "$pg_bin/initdb" -D "$work/pg/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync
	cluster_started=yes
	quietly start_postmaster "$@"
	export PGHOST=$work/pg PGPORT=5432 PGUSER=postgres PGDATABASE=postgres
}

stop_cluster() {
	[ -z "$cluster_started" ] || as_owner "$pg_bin/pg_ctl" -D "$work/pg/data" -m immediate stop >/dev/null 2>&1 || true
	cluster_started=
	[ -z "$work" ] || rm -rf "$work/pg"
}

# ----- the local endpoint -----

# Start it with the options given; sets SAGEMAKER_FDW_TEST_URL.
start_endpoint() {
	local i
	/usr/bin/python3 -B "$top/test/service/endpoint.py" --ready-file "$work/endpoint" "$@" \
		</dev/null >"$work/endpoint.log" 2>&1 &
	endpoint_pid=$!
	for ((i = 0; i < 600; i++)); do
		[ ! -e "$work/endpoint" ] || break
		kill -0 "$endpoint_pid" 2>/dev/null || break
		sleep 0.05
	done
	[ -e "$work/endpoint" ] || {
		cat "$work/endpoint.log" >&2
		die "the local endpoint did not start"
	}
	SAGEMAKER_FDW_TEST_URL=$(head -n 1 "$work/endpoint")
	export SAGEMAKER_FDW_TEST_URL
}

stop_endpoint() {
	[ -z "$endpoint_pid" ] || kill "$endpoint_pid" 2>/dev/null || true
	endpoint_pid=
	[ -z "$work" ] || rm -f "$work/endpoint"
}
