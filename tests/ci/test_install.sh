# ci/install.sh installs exactly what is missing, does nothing where all is there, and says the line
# to run where it may not. The machine is a stand-in: a PATH and a folder of headers of our own.
source tests/ci/expect.sh

# NAME: a command of the machine that does what standard input says, or succeeds.
command_is() {
    { echo '#!/bin/bash'; cat; } >"$machine/bin/$1"
    chmod +x "$machine/bin/$1"
}

# A machine that has all; its apt-get writes down what it was told and brings what it was asked for.
fresh_machine() {
    machine=$TMPDIR/machine
    rm -rf "$machine"
    mkdir -p "$machine/bin" "$machine/include"
    for tool in bash env mktemp rm tail touch true; do
        ln -s "$(type -P $tool)" "$machine/bin/$tool"
    done
    for tool in gcc make gnuplot clang clang-format; do
        command_is $tool </dev/null
    done
    mkdir "$machine/include/nettle"
    for header in sqlite3 jansson xxhash nettle/sha2 zlib yaml cmocka; do
        : >"$machine/include/$header.h"
    done
    command_is id <<<'echo 0'
    command_is apt-get <<END
echo "apt-get \$*" >>"$machine/told"
if [ -e "$machine/no-lists" ]; then
    case " \$* " in *' update '*) rm "$machine/no-lists" ;; *) echo 'E: Unable to locate package'; exit 100 ;; esac
fi
for package in "\$@"; do
    case \$package in
    libcmocka-dev) touch "$machine/include/cmocka.h" ;;
    libsqlite3-dev) touch "$machine/include/sqlite3.h" ;;
    esac
done
END
}
install() {
    PATH=$machine/bin INCLUDE_DIRS=$machine/include "$machine/bin/bash" "$repo/ci/install.sh" "$@"
}
told() {
    output=$(cat "$machine/told" 2>/dev/null)
}

fresh_machine
expect_pass 'where all is there nothing is done' install test
expect_unsaid 'and nothing said' .
told
expect_unsaid 'and the package client is not asked' .

fresh_machine
rm "$machine/include/cmocka.h" "$machine/include/sqlite3.h"
expect_pass 'what is missing is installed' install test
told
expect_said 'only that' 'install -y --no-install-recommends libsqlite3-dev libcmocka-dev$'
expect_unsaid 'without fetching lists that are there' update

fresh_machine
rm "$machine/include/cmocka.h"
expect_pass 'the program needs no test library' install run
told
expect_unsaid 'so none is installed' .

fresh_machine
rm "$machine/include/sqlite3.h"
touch "$machine/no-lists"
expect_pass 'a bare machine has no package lists: they are fetched' install run
told
expect_said 'once' update

fresh_machine
rm "$machine/include/jansson.h"
expect_fail 'a package that does not come is told, with the line to run' \
    'as root: apt-get update && apt-get install -y --no-install-recommends libjansson-dev$' install run

fresh_machine
rm "$machine/include/sqlite3.h"
command_is id <<<'echo 1000'
expect_fail 'without root and sudo the line to run is said' \
    '^Run this as root.*: apt-get update && apt-get install -y --no-install-recommends libsqlite3-dev$' \
    install run
command_is sudo <<<'exit 1'
expect_fail 'a sudo that asks for a password is as good as none' '^Run this as root' install run
told
expect_unsaid 'and nothing was tried' .
command_is sudo <<<'shift; exec "$@"'
expect_pass 'a sudo that asks nothing is used' install run

fresh_machine
rm "$machine/bin/apt-get" "$machine/bin/gnuplot"
expect_fail 'on another system it says what is missing' 'missing: gnuplot-nox' install run
expect_fail 'and a wrong word is bad usage' '^usage: ' install everything
expect_end
