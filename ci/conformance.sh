#!/bin/bash
# Holds each port's fake and the real system behind it to the same suite (conformance/): the programs
# that `make conformance` built, by `ci/conformance.sh BUILD`. Starts what they need on the loopback
# interface and stops it again. The last line sums up: 'N passed, N failed'. Exit status 1 when
# anything failed.
set -u
MURPHY_BUILD=$(realpath "${1:?usage: ci/conformance.sh BUILD}")
export MURPHY_BUILD
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

passed=0
failed=0

# PORT SUBJECT: one suite against one subject, with a line of its own; its output only when it failed.
hold() {
    local log="$logs/$1-$2.log" began=$SECONDS status p f
    timeout -k 5 300 "$MURPHY_BUILD/conformance/$1" "$2" >"$log" 2>&1 </dev/null
    status=$?
    read -r p f <<<"$(awk '
        /^\[  PASSED  \] [0-9]+ test\(s\)/ { passed += $4 }
        /^\[  FAILED  \] [0-9]+ test\(s\)/ { failed += $4 }
        END { print passed + 0, failed + 0 }' "$log")"
    # Whatever ended it before its own count is a failure that it did not count.
    [ $status != 0 ] && [ "$f" = 0 ] && f=1
    [ $((p + f)) = 0 ] && f=1
    passed=$((passed + p))
    failed=$((failed + f))
    printf '%-6s  %-44s %4d passed, %d failed, %d s\n' "$([ "$f" = 0 ] && echo ok || echo FAILED)" \
        "conformance: $1, $2" "$p" "$f" $((SECONDS - began))
    [ "$f" = 0 ] || tail -n 200 "$log" | tr -d '\000' | sed 's/^/    /'
}

hold log fake
hold log librdkafka

echo "$passed passed, $failed failed"
[ $failed = 0 ] && [ $passed -gt 0 ]
