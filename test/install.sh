#!/usr/bin/env bash
# Does on bare systems what doc/install.md tells a reader to do, as far as they are Debian's.
#
#	bash test/install.sh [SUITE ...]
#
# SUITE is a release of Debian, bookworm without any.  Each fence of "sh" is run as it is
# printed: but that apt-get does not ask back, that the page's version of Postgres is
# the suite's, and that what the front page has a reader type into psql is read by it.  Of
# that, what would call AWS is left out.  As root; nothing may listen on port 5432.

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$top/test/roots.sh"

begin_roots
trap 'status=$?; stop_servers; leave_roots; cleanup "$status"' EXIT
[ $# -gt 0 ] || set -- bookworm

# End the servers that packages have started.
stop_servers() {
	local root
	for root in "$roots"/*; do
		[ -x "$root/usr/bin/pg_lsclusters" ] || continue
		inside "pg_lsclusters -h | while read -r version name rest; do
			pg_ctlcluster \$version \$name stop -m immediate; done" >/dev/null 2>&1 </dev/null || true
	done
}

# The lines of the fences of a language below a heading of a page.
#	fences PAGE HEADING LANGUAGE
fences() {
	awk -v heading="$2" -v fence="\`\`\`$3" '
		/^```/ { inside = !inside; wanted = inside && below && $0 == fence; next }
		!inside && /^#/ { title = $0; sub(/^#+ /, "", title); below = title == heading }
		wanted' "$top/$1" | sed "s/\\b15\\b/$version/g"
}

# Run in $root the commands of a section of the page.  As in a container, nothing starts servers
# here: before psql is what the page says of that.
follow() {
	local commands starts
	starts=$(fences doc/install.md "Debian and Ubuntu" text | grep '^pg_ctlcluster .* start$')
	commands=$(fences doc/install.md "$1" sh | sed "s|^su postgres -c psql\$|$starts; & </root/typed.sql|")
	[ -n "$commands" ] || die "doc/install.md has no commands below \"$1\""
	echo "--- $1"
	inside "set -ex; export DEBIAN_FRONTEND=noninteractive; $commands" </dev/null
}

# Run in $root what is typed into psql, which may not fail.
#	typed [PSQL'S OPTIONS] <SQL
typed() {
	{
		echo '\set ON_ERROR_STOP on'
		cat
	} >"$root/root/typed.sql"
}

# A command fails, and says so.
#	refused MESSAGE COMMAND
refused() {
	local said
	echo "--- $2"
	! said=$(inside "$2" 2>&1 </dev/null) && [[ $said == *"$1"* ]] && return
	echo "it said: $said"
	return 1
}

# From the sources to a server that has the extension, and back.
by_make() {
	local files="find /usr/lib/postgresql /usr/share/postgresql /usr/share/doc -name '*sagemaker*'"
	fences README.md Install sql | sed '/sagemaker_fdw_check_server/d' | typed
	follow "Debian and Ubuntu" || return
	inside "$files" | grep . || return
	# what psql says, and what helps
	refused 'role "root" does not exist' psql || return
	refused 'Peer authentication failed for user "postgres"' "psql -U postgres" || return
	inside "su postgres -c 'createuser --superuser root' && psql -d postgres -c \"SELECT 'aws.training_jobs'::regclass\"" </dev/null || return
	inside "pg_ctlcluster $version main stop" || return
	refused 'No such file or directory' "su postgres -c psql" || return
	inside "pg_ctlcluster $version main start" || return
	# built anew
	follow "Several versions" || return
	follow "Where clang is missing" || return
	# a newer version, and none
	fences doc/install.md Upgrade sql | typed
	inside "su postgres -c psql </root/typed.sql" || return
	fences doc/install.md Remove sql | typed
	inside "su postgres -c psql </root/typed.sql" || return
	follow Remove || return
	! inside "$files" | grep . || return
}

# The package, on a system that has what the first section installs.
by_package() {
	typed </dev/null
	follow "Debian and Ubuntu" || return
	inside "make uninstall clean" || return
	follow "As a package" || return
	fences README.md Install sql | sed '/sagemaker_fdw_check_server/d' | typed
	inside "su postgres -c psql </root/typed.sql" || return
}

failed=0
results=$work/results
for suite in "$@"; do
	for way in by_make by_package; do
		say "$suite: doc/install.md, $way"
		make_root "$suite-$way" "$suite"
		echo 'APT::Get::Assume-Yes "true";' >"$root/etc/apt/apt.conf.d/assume-yes"
		quietly inside "apt-get update"
		version=$(inside "apt-cache depends postgresql" | version_depended_on)
		if "$way" >"$work/log" 2>&1; then
			echo "$suite: $way passed" >>"$results"
		else
			echo "$suite: $way FAILED" >>"$results"
			failed=1
			cat "$work/log"
		fi
		stop_servers
		remove_roots
	done
done
cat "$results"
[ "$failed" = 0 ]
