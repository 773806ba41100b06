#!/bin/bash
# What the code may not do. `ci/check.sh [NAME...]` runs all checks or those named, from the folder
# that holds the Makefile; each is a script of its own, ci/check_NAME.sh, that prints its findings as
# FILE:LINE: SENTENCE and exits with 0 or 1.
#
#   warnings      gcc and clang have nothing to say about any source
#   names         no two sources of the library define the same name
#   core          pipeline/ touches no clock, randomness, thread, file or socket, and keeps no state
#   includes      folders include only what they may, and nothing goes round in a circle
#   headers       every header compiles alone
#   layout        .clang-format decides (`ci/check.sh --fix layout` lays out)
#   requirements  docs/requirements.md says for each promise what shows it, and that exists
#   links         pages link to files, and name functions, that are there
#   words         no leftovers of the work process, no paths of a machine
set -u
here=$(dirname "$(realpath "$0")")
names='warnings names core includes headers layout requirements links words'

if [ "${1-}" = --fix ]; then
    export FIX=1
    shift
fi
[ $# -gt 0 ] && names=$*

passed=0
failed=0
for name in $names; do
    if [ ! -e "$here/check_$name.sh" ]; then
        echo "ci/check.sh: there is no check '$name'" >&2
        exit 64
    fi
    if bash "$here/check_$name.sh"; then
        passed=$((passed + 1))
        echo "ok      $name"
    else
        failed=$((failed + 1))
        echo "FAILED  $name"
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
