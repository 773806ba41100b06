#!/bin/bash
# Taking any one protection away turns a scenario red, by the check that is meant to catch it (D4);
# with all protections the same scenario and seed are green. Finds the program in MURPHY_BUILD.
set -u
murphy=${MURPHY_BUILD:-build}/murphy
passed=0
failed=0

# Seeds within which a bug must show.
seeds=5

# Lines "BUG SCENARIO": scenarios name in `catches` what they catch.
pairs() {
    "$murphy" list bugs | awk '/^[^ ]/ { bug = $1 }
        sub(/^ *caught in: /, "") { n = split($0, in_, ", "); for (i = 1; i <= n; i++) print bug, in_[i] }'
}

# STATUS SENTENCE: the sentence is what is wrong when the status is not 0.
verdict() {
    if [ "$1" = 0 ]; then
        passed=$((passed + 1))
    else
        echo "$2"
        failed=$((failed + 1))
    fi
}

# Names of the checks that failed in a run.json.
failing() {
    tr -d '\n' <<<"$1" | grep -o '{[^{}]*"status": *"fail"[^{}]*}' |
        sed -n 's/.*"name": *"\([^"]*\)".*/\1/p'
}

# The check that is meant to catch a bug.
check_of() {
    "$murphy" list bugs --json | tr -d '\n' | grep -o "{[^{}]*\"$1\"[^{}]*}" |
        sed -n 's/.*"check": *"\([^"]*\)".*/\1/p'
}

# Some scenario claims to catch each bug.
every_bug_is_tried() {
    ! pairs | grep ' no scenario$'
    verdict $? 'no scenario catches these bugs'
}

# BUG SCENARIO: the bug is caught by its check within the seeds; the clean core is not.
bug_is_caught() {
    local bug=$1 scenario=$2 check caught=1 seen='' seed report status names
    check=$(check_of "$bug")
    for seed in $(seq 1 "$seeds"); do
        report=$("$murphy" run "$scenario" --seed "$seed" --bug "$bug" --json 2>/dev/null)
        status=$?
        names=$(failing "$report")
        seen="$seen seed $seed: exit $status, $(tr '\n' ' ' <<<"$names")"
        if [ $status = 1 ] && grep -qx "$check" <<<"$names"; then
            caught=0
            break
        fi
    done
    verdict $caught "the bug $bug in $scenario was not caught by $check:$seen"
    "$murphy" run "$scenario" --seed "$seed" --json >/dev/null 2>&1
    verdict $? "murphy run $scenario --seed $seed: red without the bug $bug"
}

every_bug_is_tried
while read -r bug scenario; do
    bug_is_caught "$bug" "$scenario"
done < <(pairs)

echo "$passed passed, $failed failed"
[ $failed = 0 ]
