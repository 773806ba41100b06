#!/bin/bash
# Installs what is missing on Debian or Ubuntu: `ci/install.sh run` for the program and its report,
# `ci/install.sh test` for the suites and the checks as well, `ci/install.sh bench` for what the
# benchmarks are compared with, `ci/install.sh conformance` for the real systems that fakes are held
# against. Looks for files and not for packages, so that a library brought in some other way counts,
# and so that it costs nothing when all is there. Exit status: 0 all there, 1 something is missing and
# could not be installed, 64 bad usage.
set -u

# package, then a command, a header, or a path with wildcards that shows that it is there
run='
build-essential gcc
make make
libsqlite3-dev sqlite3.h
libjansson-dev jansson.h
libyaml-dev yaml.h
libxxhash-dev xxhash.h
nettle-dev nettle/sha2.h
zlib1g-dev zlib.h
gnuplot-nox gnuplot'
test="$run
libcmocka-dev cmocka.h
clang clang
clang-format clang-format"
bench="$run
g++ g++
libhnswlib-dev hnswlib/hnswlib.h"
conformance="$run
libcmocka-dev cmocka.h
librdkafka-dev librdkafka/rdkafka.h
libpq-dev pg_config
libcurl4-openssl-dev curl/curl.h
postgresql /usr/lib/postgresql/*/bin/initdb
nodejs node
npm npm"

# Folders that hold headers; INCLUDE_DIRS is for the tests of this script.
dirs=${INCLUDE_DIRS-/usr/include /usr/include/*-linux-gnu /usr/local/include}

there() {
    case $1 in
    *.h)
        local dir
        for dir in $dirs; do
            [ -e "$dir/$1" ] && return 0
        done
        return 1
        ;;
    /*) compgen -G "$1" >/dev/null ;;
    *) command -v "$1" >/dev/null ;;
    esac
}

find_missing() {
    missing=
    while read -r package sign; do
        [ -z "$package" ] || there "$sign" || missing="$missing $package"
    done <<<"$1"
}

case ${1-} in
run) wanted=$run ;;
test) wanted=$test ;;
bench) wanted=$bench ;;
conformance) wanted=$conformance ;;
*)
    echo 'usage: ci/install.sh run|test|bench|conformance' >&2
    exit 64
    ;;
esac

find_missing "$wanted"
[ -z "$missing" ] && exit 0

tell() {
    echo "ci/install.sh: missing:$missing" >&2
    echo "$1" >&2
    exit 1
}

command -v apt-get >/dev/null ||
    tell "This is neither Debian nor Ubuntu: install what these packages hold in this system's own way."
line="apt-get install -y --no-install-recommends$missing"
if [ "$(id -u)" = 0 ]; then
    root=
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    root='sudo -n'
else
    tell "Run this as root, then again what you ran: apt-get update && $line"
fi

# Another package client may hold the lock for a while.
apt="$root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -q"
echo "ci/install.sh: installing$missing" >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# Without package lists, or with old ones, the first try fails; only then are they fetched.
# shellcheck disable=SC2086
$apt install -y --no-install-recommends $missing >"$log" 2>&1 ||
    { $apt update && $apt install -y --no-install-recommends $missing; } >>"$log" 2>&1
find_missing "$wanted"
[ -z "$missing" ] && exit 0
tail -n 20 "$log" >&2
tell "Installing them failed (above). Try as root: apt-get update && $line"
