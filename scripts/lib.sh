# shellcheck shell=bash
# shellcheck disable=SC2034 # the lists are for those who source this
# What scripts/run and scripts/test share: packages, builds, a server for as long as it is needed.

# Debian package, and a file or command that shows that it is there.
BUILD_NEEDS='
gcc gcc
libc6-dev /usr/include/stdio.h
meson meson
ninja-build ninja
pkg-config pkg-config
python3 /usr/bin/python3
uthash-dev /usr/include/uthash.h
libc-ares-dev /usr/include/ares.h
libcrypt-dev /usr/include/crypt.h
libseccomp-dev /usr/include/seccomp.h
'
DEMO_NEEDS='
curl curl
'
TEST_NEEDS='
check /usr/include/check.h
libsubunit-dev /usr/include/subunit/child.h
binutils readelf
'
STORY_NEEDS='
curl curl
wget wget
git git
openssh-client ssh
openssh-server /usr/sbin/sshd
socat socat
ncat ncat
microsocks microsocks
dante-server /usr/sbin/danted
openssl openssl
netcat-openbsd nc.openbsd
inetutils-telnet telnet
rsync rsync
vsftpd /usr/sbin/vsftpd
lftp lftp
w3m w3m
tmux tmux
nginx /usr/sbin/nginx
redis-server redis-server
redis-tools redis-cli
postgresql /usr/lib/postgresql/*/bin/postgres
postgresql-client psql
mariadb-server-core /usr/sbin/mariadbd
mariadb-client-core mariadb
iproute2 /usr/sbin/ip:/sbin/ip:/usr/bin/ip
util-linux unshare
mount mount
'
# Programs of the matrix that are wanted, but not demanded: a package that can't be had skips its cells.
MATRIX_NEEDS='
bash-completion /usr/share/bash-completion/bash_completion
zsh zsh
fish fish
perl perl
libwww-perl /usr/share/perl5/LWP.pm
libio-socket-socks-perl /usr/share/perl5/IO/Socket/Socks.pm
php-cli php
php-curl /usr/lib/php/*/curl.so
ruby ruby
nodejs node
node-socks /usr/share/nodejs/socks
default-jdk-headless javac
python3-socks /usr/lib/python3/dist-packages/socks.py
tsocks tsocks
proxychains4 proxychains4
connect-proxy connect-proxy
torsocks torsocks
tor tor-resolve
oidentd /usr/sbin/oidentd
libdsocksd0 /usr/lib/*/libdsocksd.so.0
aria2 aria2c
bind9-dnsutils dig
bind9-host host
iputils-ping ping
busybox-static busybox
hey hey
sudo sudo
musl-tools musl-gcc
chromium chromium
'
# What some of the stories' own programs are built with: wanted in the same way, before a build is configured.
LOOP_NEEDS='
libevent-dev /usr/include/event2/event.h
libuv1-dev /usr/include/uv.h
liburing-dev /usr/include/liburing.h
'
# Compilers for other classes and machines, and who runs the latter: wanted likewise. No gcc-multilib: it and the
# cross compilers can't be installed beside each other.
ARCH_NEEDS='
libc6-dev-i386 /usr/lib32/crt1.o
lib32gcc-12-dev /usr/lib/gcc/x86_64-linux-gnu/*/32/libgcc.a
gcc-aarch64-linux-gnu aarch64-linux-gnu-gcc
libc6-dev-arm64-cross /usr/aarch64-linux-gnu/include/stdio.h
qemu-user qemu-aarch64
'
CLANG_NEEDS='
clang clang
libclang-rt-14-dev /usr/lib/llvm-14/lib/clang/*/lib/linux/libclang_rt.asan-*.a
'
COVERAGE_NEEDS='
gcovr gcovr
'
LINT_NEEDS='
git git
clang-format clang-format
clang-tidy clang-tidy
shellcheck shellcheck
mandoc mandoc
'

TREE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# sshd, ip and others live where an ordinary user's PATH does not look.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export PATH

say() { printf '%s\n' "$*" >&2; }
die() {
	say "${0##*/}: $*"
	exit 125
}

# is_there PROOF: a command, or one of several file patterns with colons between.
is_there() {
	local pattern file
	case $1 in
	/*) ;;
	*)
		command -v "$1" >/dev/null
		return
		;;
	esac
	local IFS=:
	for pattern in $1; do
		for file in $pattern; do
			[ -e "$file" ] && return 0
		done
	done
	return 1
}

# missing_packages NEEDS: the packages whose proof is not found, a word each.
missing_packages() {
	local package proof
	while read -r package proof; do
		[ -z "$package" ] || is_there "$proof" || printf '%s ' "$package"
	done <<<"$1"
}

# need NEEDS: install what is missing. Returns 1, with what to do said, where that can't be done.
need() {
	local missing
	missing=$(missing_packages "$1")
	[ -n "$missing" ] || return 0
	missing=${missing% }
	if ! command -v apt-get >/dev/null; then
		say "missing, by the names of their Debian packages: $missing"
		return 1
	fi
	if [ "$(id -u)" -ne 0 ]; then
		say "missing: $missing"
		say "install with: sudo apt-get install --no-install-recommends $missing"
		return 1
	fi
	# shellcheck disable=SC2086 # words are meant
	quietly apt_install $missing || return 1
	missing=$(missing_packages "$1")
	[ -z "$missing" ] || {
		say "still missing after the installation: $missing"
		return 1
	}
}

# want NEEDS: as need, but each by itself if not all together, and what can't be had is told and left.
want() {
	local missing package
	missing=$(missing_packages "$1")
	[ -n "$missing" ] || return 0
	if command -v apt-get >/dev/null && [ "$(id -u)" -eq 0 ]; then
		# shellcheck disable=SC2086 # words are meant
		apt_install $missing >/dev/null 2>&1 || for package in $missing; do
			apt_install "$package" >/dev/null 2>&1
		done
		missing=$(missing_packages "$1")
	fi
	[ -z "$missing" ] || say "goes without: $missing"
}

# apt_install PACKAGES...: in a subshell, so that the daemons' bar is lifted however it ends.
apt_install() (
	local bar=/usr/sbin/policy-rc.d
	export DEBIAN_FRONTEND=noninteractive
	# A package that brings a daemon would start it; 101 forbids that (invoke-rc.d(8)).
	if [ ! -e "$bar" ]; then
		trap 'rm -f "$bar"' EXIT
		trap 'exit 130' INT
		trap 'exit 143' TERM
		printf '#!/bin/sh\nexit 101\n' >"$bar"
		chmod 755 "$bar"
	fi
	apt-get -q update
	apt-get -q -y -o DPkg::Lock::Timeout=300 --no-install-recommends --no-remove install "$@" </dev/null
)

# quietly COMMAND...: its output only if it fails.
quietly() {
	local log status
	log=$(mktemp)
	if "$@" >"$log" 2>&1; then
		rm -f "$log"
		return 0
	else
		status=$?
	fi
	say "failed ($status): $*"
	cat "$log" >&2
	rm -f "$log"
	return "$status"
}

TEMPORARY_BUILDS=()
remove_temporary_builds() {
	[ ${#TEMPORARY_BUILDS[@]} -eq 0 ] || rm -rf "${TEMPORARY_BUILDS[@]}"
}

# build_dir NAME: sets BUILD_DIR. Where the tree, or a build in it, is someone else's, it is built elsewhere.
build_dir() {
	BUILD_DIR=$TREE/$1
	# LD_PRELOAD can carry neither a space nor a colon.
	if [[ $TREE == *[[:space:]:]* ]]; then
		:
	elif [ -d "$BUILD_DIR" ]; then
		[ ! -w "$BUILD_DIR" ] || [ ! -O "$BUILD_DIR" ] || return 0
	elif [ -w "$TREE" ]; then
		return 0
	fi
	local cache=${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}
	BUILD_DIR=$cache/socksify/$(printf '%s' "$TREE" | cksum | tr ' ' -)/$1
	mkdir -p "$BUILD_DIR" 2>/dev/null && return 0
	# A fixed name in a directory that all may write to could be another user's trap.
	BUILD_DIR=$(mktemp -d "${TMPDIR:-/tmp}/socksify-$1.XXXXXX") || die "no place to build in"
	TEMPORARY_BUILDS+=("$BUILD_DIR")
}

# configure DIR MESON-OPTIONS...: sets up a build, or again where its options or meson have changed.
configure() {
	local dir=$1 stamp=$1/.options
	shift
	local want="$TREE $* ${CC:-}"
	if [ -f "$stamp" ] && [ -f "$dir/build.ninja" ] && [ "$(cat "$stamp")" = "$want" ]; then
		return 0
	fi
	rm -rf "$dir/meson-private" "$dir/meson-info" "$dir/meson-logs" "$dir/build.ninja"
	quietly meson setup "$dir" "$TREE" "$@" || return
	printf '%s\n' "$want" >"$stamp"
}

# compile DIR MESON-OPTIONS...: configured and built; by one at a time.
compile() {
	mkdir -p "$1" || return
	(
		flock 9 && configure "$@" && ninja --quiet -C "$1"
	) 9>"$1/.lock"
}

# start_server SERVER ARGS...: sets SERVER_PID and SERVER_PORT once it listens, on a free loopback port.
start_server() {
	local log line='' i
	log=$(mktemp)
	# In a session of its own it hears no Ctrl-C or Ctrl-Z that is meant for others; it ends when we do, however.
	setsid setpriv --pdeathsig TERM -- "$1" --listen 127.0.0.1:0 "${@:2}" </dev/null >/dev/null 2>"$log" &
	SERVER_PID=$!
	SERVER_LOG=$log
	for ((i = 0; i < 500; i++)); do
		line=$(grep -m1 -o 'listening address=[^ ]* port=[0-9]*' "$log") && break
		kill -0 "$SERVER_PID" 2>/dev/null || break
		sleep 0.02
	done
	SERVER_PORT=${line##*port=}
	[ -n "$SERVER_PORT" ] && return 0
	say "the server did not start:"
	cat "$log" >&2
	return 1
}

# stop_server: ends it and forgets its log. Harmless where none runs.
stop_server() {
	if [ -n "${SERVER_PID:-}" ]; then
		kill "$SERVER_PID" 2>/dev/null
		wait "$SERVER_PID" 2>/dev/null
		SERVER_PID=
	fi
	rm -f "${SERVER_LOG:-}"
	SERVER_LOG=
}
