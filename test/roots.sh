# Bare Debian systems, each in a directory: what test/matrix.sh, test/package.sh and test/image.sh share.
#
# Source it after lib.sh, with bash, as root, and call begin_roots in place of begin.
# The roots lie below $work.  Each is a mount point, in which /proc and /dev are
# mounted; all are unmounted before anything is removed, however the script ends.

# The first thing that a script does.
begin_roots() {
	begin
	roots=$work/roots
	trap 'status=$?; leave_roots; cleanup "$status"' EXIT
	[ "$(id -u)" = 0 ] || die "run it as root: debootstrap and chroot want to be"
	if ! command -v debootstrap >/dev/null; then
		quietly apt-get update
		quietly apt-get install -y --no-install-recommends debootstrap
	fi
}

# Make one, with the last commit's clone in /root/sagemaker_fdw; sets root to it.  SUITE is
# a release of Debian; experimental, which is none for itself, is sid with its Postgres.  With
# -i386 behind it, it is that release for 32 bits, which an x86-64 kernel runs as well.
#	make_root NAME SUITE
make_root() {
	local suite=${2/#experimental/sid} architecture=()
	root=$roots/$1
	root_postgres=
	as_machine=()
	if [[ $suite == *-i386 ]]; then
		suite=${suite%-i386}
		architecture=(--arch=i386)
		# what uname says in there
		as_machine=(setarch i386)
	fi
	mkdir -p "$root"
	# a namespace of mounts can be made only below a mount point
	quietly mount --bind "$root" "$root"
	quietly debootstrap ${architecture[@]+"${architecture[@]}"} --variant=minbase --include=git,ca-certificates \
		"$suite" "$root"
	# a mirror may lag behind
	echo 'Acquire::Check-Valid-Until "false";' >"$root/etc/apt/apt.conf.d/lagging-mirror"
	# it does not outlive a crash
	echo force-unsafe-io >"$root/etc/dpkg/dpkg.cfg.d/unsafe-io"
	quietly mount -t proc proc "$root/proc"
	quietly mount --bind /dev "$root/dev"
	quietly git clone "$top" "$root/root/sagemaker_fdw"
	[ "$2" != experimental ] || take_experimental_postgres
}

# Let $root have the newest Postgres of experimental, and nothing else of it.
take_experimental_postgres() {
	sed 's/ sid / experimental /' "$root/etc/apt/sources.list" >"$root/etc/apt/sources.list.d/experimental.list"
	quietly inside "apt-get update"
	root_postgres=$(inside "apt-cache pkgnames postgresql-" | sed -n 's/^postgresql-\([0-9]*\)$/\1/p' | sort -n | tail -n 1)
	printf 'Package: src:postgresql-%s\nPin: release a=experimental\nPin-Priority: 500\n' "$root_postgres" \
		>"$root/etc/apt/preferences.d/experimental"
	# the one that packages of extensions are built for
	mkdir -p "$root/etc/postgresql-common"
	echo "$root_postgres" >"$root/etc/postgresql-common/supported_versions"
}

# Run a command in $root, in the clone, with nothing of this system's environment.
inside() {
	${as_machine[@]+"${as_machine[@]}"} chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
		SAGEMAKER_FDW_TEST_PG_VERSION="$root_postgres" bash -c "cd /root/sagemaker_fdw && $1"
}

# Unmount what is mounted in the roots.  What stays mounted must not be removed: it is
# this system's own /dev.
leave_roots() {
	local point
	while read -r point; do
		umount "$point" 2>/dev/null || umount --lazy "$point" || true
	done < <(mounted)
	if [ -n "$(mounted)" ]; then
		echo "error: $roots stays, since this is mounted in it: $(mounted)" >&2
		work=
	fi
}

# The mount points below the roots, the innermost first.
mounted() {
	awk -v roots="$roots/" 'index($2, roots) == 1 { print $2 }' /proc/self/mounts | sort -r
}

# Remove all roots.
remove_roots() {
	leave_roots
	[ -n "$work" ] || exit 1
	rm -rf --one-file-system "${roots:?}"
}
