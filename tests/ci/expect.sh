# For the scripts of tests/ci, which source it: expectations, each with a sentence, and a small tree to
# plant violations in. A script ends with `expect_end`, which prints what ci/test.sh reads.
set -u
repo=$PWD
# ci/test.sh gives each suite a folder; a script that is run by hand makes one.
if [ -z "${TMPDIR-}" ]; then
    TMPDIR=$(mktemp -d)
    export TMPDIR
    trap 'rm -rf "$TMPDIR"' EXIT
fi
passed=0
failed=0
output=

fulfilled() {
    passed=$((passed + 1))
}

unfulfilled() {
    failed=$((failed + 1))
    printf 'not so: %s\n%s\n' "$1" "$(sed 's/^/    /' <<<"$output")"
}

# SENTENCE COMMAND...: the command exits with 0.
expect_pass() {
    local sentence=$1
    shift
    if output=$("$@" 2>&1 </dev/null); then fulfilled; else unfulfilled "$sentence"; fi
}

# SENTENCE PATTERN COMMAND...: the command exits with another status and says PATTERN.
expect_fail() {
    local sentence=$1 pattern=$2
    shift 2
    if output=$("$@" 2>&1 </dev/null) || ! grep -Eq -- "$pattern" <<<"$output"; then
        unfulfilled "$sentence"
    else
        fulfilled
    fi
}

# SENTENCE PATTERN: what the last command printed says PATTERN.
expect_said() {
    if grep -Eq -- "$2" <<<"$output"; then fulfilled; else unfulfilled "$1"; fi
}

# SENTENCE PATTERN: what the last command printed does not say PATTERN.
expect_unsaid() {
    if grep -Eq -- "$2" <<<"$output"; then unfulfilled "$1"; else fulfilled; fi
}

expect_end() {
    echo "$passed passed, $failed failed"
    [ $failed = 0 ]
    exit
}

# A fresh tree with our Makefile and scripts and a source or two that are without fault; the script
# goes on in it. What make would inherit from `make test` is not meant for it.
unset MAKEFLAGS MFLAGS MAKELEVEL WERROR OPT CC SANITIZE EXTRA BUILD
small_tree() {
    rm -rf "${TMPDIR:?}/tree"
    mkdir -p "$TMPDIR/tree/pipeline" "$TMPDIR/tree/sim" "$TMPDIR/tree/reports"
    cd "$TMPDIR/tree" || exit 1
    cp -r "$repo/Makefile" "$repo/.clang-format" "$repo/ci" .
    cat >pipeline/core.h <<'END'
/* A name for a number. */
#ifndef MURPHY_PIPELINE_CORE_H
#define MURPHY_PIPELINE_CORE_H

const char *core_name(int number);

#endif
END
    cat >pipeline/core.c <<'END'
#include "pipeline/core.h"

#include <assert.h>
#include <string.h>

static const char *const names[] = {"zero", "one"};

const char *core_name(int number) {
    assert(number >= 0 && strlen(names[0]) == 4);
    return names[number % 2];
}
END
    cat >sim/host.h <<'END'
/* What a host of the core offers. */
#ifndef MURPHY_SIM_HOST_H
#define MURPHY_SIM_HOST_H

#include "pipeline/core.h"

#endif
END
}
