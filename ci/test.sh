#!/bin/bash
# Runs every suite that `make tests` built: `ci/test.sh BUILD JOBS`. A suite is a cmocka program
# (tests/FOLDER/test_*), a script (tests/FOLDER/test_*.sh) or the scenario suite (ci/scenarios.sh);
# a script closes with a line of its own, 'N passed, N failed'. Each gets a line here, and its output
# is shown only when something in it failed. ONLY=PATTERN runs the suites whose name matches.
# The last line sums up: 'N passed, N failed' with ', N skipped' when there were. Exit status 1 when
# anything failed, or when there was nothing to run.
#
# A suite finds in its environment MURPHY_BUILD, the folder of what was built; it runs in the root.
set -u
MURPHY_BUILD=$(realpath "${1:?usage: ci/test.sh BUILD JOBS}")
jobs=${2:-2}
here=$(dirname "$(realpath "$0")")
export MURPHY_BUILD

logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

# The scenario suite first: it is the longest.
suites=()
[ -x "$MURPHY_BUILD/murphy" ] && [ -e ci/scenarios.sh ] && suites+=(ci/scenarios.sh)
for source in tests/*/test_*.c tests/*/test_*.sh; do
    [ -e "$source" ] && suites+=("$source")
done
if [ -n "${ONLY-}" ]; then
    chosen=()
    for suite in "${suites[@]}"; do
        [[ $suite == *$ONLY* ]] && chosen+=("$suite")
    done
    suites=("${chosen[@]}")
fi

if [ ${#suites[@]} -gt 0 ]; then
    printf '%s\n' "${suites[@]}" | xargs -P "$jobs" -I '{}' bash "$here/run_suite.sh" '{}' "$logs"
fi

# Each suite left a line 'PASSED FAILED SKIPPED'; one that left none did not come to its end.
passed=0
failed=0
skipped=0
for suite in "${suites[@]}"; do
    counts="$logs/${suite//\//_}.counts"
    p=0 f=1 s=0
    [ -e "$counts" ] && read -r p f s <"$counts"
    passed=$((passed + p))
    failed=$((failed + f))
    skipped=$((skipped + s))
done

summary="$passed passed, $failed failed"
[ $skipped -gt 0 ] && summary="$summary, $skipped skipped"
echo "$summary"
[ $failed = 0 ] && [ $((passed + skipped)) -gt 0 ]
