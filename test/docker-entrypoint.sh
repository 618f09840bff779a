#!/usr/bin/env bash
# A stand-in for the entrypoint of the official image postgres:NN, where test/image.sh has no
# registry to get that from: a new cluster is created, given what is in
# /docker-entrypoint-initdb.d, and started with the arguments.  Of all that the original
# does, it has what this project relies on.  Connections over TCP need a password here even
# from the loopback, where the original trusts them.

set -euo pipefail

if [ "$1" = postgres ] && [ "$(id -u)" = 0 ]; then
	mkdir -p "$PGDATA"
	chown -R postgres: "$PGDATA"
	exec setpriv --reuid postgres --regid postgres --init-groups "$0" "$@"
fi
if [ "$1" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
	[ -n "${POSTGRES_PASSWORD:-}" ] || { echo "POSTGRES_PASSWORD is not set" >&2 && exit 1; }
	initdb --username=postgres --pwfile=<(echo "$POSTGRES_PASSWORD") --auth-local=trust --auth-host=scram-sha-256
	# as it will be started, but not for others
	pg_ctl -w -o "$(printf '%q ' "${@:2}" -c listen_addresses=)" start
	for script in /docker-entrypoint-initdb.d/*.sql; do
		[ ! -e "$script" ] || psql -X -v ON_ERROR_STOP=1 --no-password -U postgres -f "$script"
	done
	pg_ctl -w -m fast stop
fi
exec "$@"
