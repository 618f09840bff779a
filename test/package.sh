#!/usr/bin/env bash
# Builds the Debian packages, and tests what they install on a bare system.
#
#	bash test/package.sh [--keep DIRECTORY] [SUITE ...]
#
# SUITE is a release of Debian, bookworm without any; experimental is sid with that one's
# Postgres, bookworm-i386 has 32 bits.  In a bare system the packages are built from a clean clone of the last commit
# for the versions of Postgres that the release has: by a user without rights, with no
# network but the loopback, with the regression tests, and so that nothing is left behind
# and lintian finds no error.  In another one, which has neither compilers nor headers,
# apt installs each package, and test/installed.sh tests it.  --keep puts those that have
# passed into a directory.  As root.

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$top/test/roots.sh"

keep=
if [ "${1:-}" = --keep ]; then
	[ $# -ge 2 ] && [ -d "$2" ] || die "--keep needs a directory"
	keep=$2
	shift 2
fi
begin_roots
[ $# -gt 0 ] || set -- bookworm
apt="DEBIAN_FRONTEND=noninteractive apt-get -o APT::Install-Recommends=false -y"

# the source package's name and version, as in the name of its archive
release=$(sed -n '1s/^\(.*\) (\(.*\)-[0-9]*) .*/\1_\2/p' "$top/debian/changelog")

# Build the packages for a suite, in $root; sets versions to those of Postgres.  What
# each step prints is in $log.
build_packages() {
	make_root build "$1"
	say "$1: installing what the build needs"
	inside "apt-get update && $apt install build-essential iproute2 lintian && $apt build-dep . &&
		pg_buildext supported-versions | sed 's/.*/postgresql-& postgresql-server-dev-&/' |
		xargs env $apt install" >>"$log" 2>&1 || return 1
	# what a release's archive has, and debian/
	inside "useradd -m builder && cd /home/builder &&
		git -C /root/sagemaker_fdw archive --format=tar.gz --prefix=$release/ HEAD -- . ':!debian' >$release.orig.tar.gz &&
		tar -xzf $release.orig.tar.gz && cp -R /root/sagemaker_fdw/debian $release && cd $release &&
		pg_buildext updatecontrol && find . | sort >../before && chown -R builder: /home/builder" >>"$log" 2>&1 || return 1
	say "$1: building"
	inside "unshare --net sh -ec 'ip link set lo up; cd /home/builder/$release
		exec setpriv --reuid builder --regid builder --init-groups env HOME=/home/builder USER=builder \
			dpkg-buildpackage -us -uc --post-clean'" >>"$log" 2>&1 </dev/null || return 1
	inside "cd /home/builder/$release && find . | sort | diff ../before - &&
		runuser -u builder -- lintian --fail-on error ../*.changes" >>"$log" 2>&1 || return 1
	versions=$(inside "pg_buildext supported-versions")
}

# Install the package for a version on a bare system, and test it.
#	test_package SUITE VERSION
test_package() {
	local build=$roots/build
	make_root "install-$2" "$1"
	cp "$build/home/builder/postgresql-$2-sagemaker-fdw_"*.deb \
		"$build/usr/lib/postgresql/$2/lib/pgxs/src/test/regress/pg_regress" "$root/root"
	# no cluster but the test's own is started
	printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
	chmod 755 "$root/usr/sbin/policy-rc.d" "$root/root"
	say "$1: installing the package for PostgreSQL $2"
	inside "apt-get update && $apt install ../postgresql-$2-sagemaker-fdw_*.deb openssl python3-botocore" >>"$log" 2>&1 || return 1
	# nothing can be built here (the server itself depends on postgresql-common-dev, scripts)
	inside '! command -v cc gcc clang make pkg-config && ! dpkg-query -W -f "\${Package}\n" |
		grep -vx postgresql-common-dev | grep -e "-dev$" -e "-dev-[0-9]*$"' >>"$log" 2>&1 || return 1
	say "$1: testing the package for PostgreSQL $2"
	inside "PG_REGRESS=/root/pg_regress bash test/installed.sh $2" >>"$log" 2>&1
}

failed=0
results=$work/results
for suite in "$@"; do
	log=$work/$suite.log
	versions=
	say "$suite: making a bare system"
	if ! build_packages "$suite"; then
		echo "$suite: FAILED to build" >>"$results"
	elif [ -z "$versions" ]; then
		echo "$suite: FAILED, it has no version of PostgreSQL" >>"$results"
	fi
	for version in $versions; do
		if test_package "$suite" "$version"; then
			package=$(echo "$roots/build/home/builder/postgresql-$version-sagemaker-fdw_"*.deb)
			[ -z "$keep" ] || cp "$package" "$keep"
			echo "$suite: ${package##*/} passed" >>"$results"
		else
			echo "$suite: postgresql-$version-sagemaker-fdw FAILED" >>"$results"
		fi
	done
	if grep -q "^$suite: .*FAILED" "$results"; then
		failed=1
		cat "$log"
	fi
	remove_roots
done
cat "$results"
[ "$failed" = 0 ]
