#!/bin/bash
# The table of faults names what is there (D5). Finds the program in MURPHY_BUILD.
set -u
murphy=${MURPHY_BUILD:-build}/murphy
passed=0
failed=0

# SENTENCE STATUS: the sentence holds when the status is 0.
holds() {
    if [ "$2" = 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "not so: $1"
    fi
}

# KEY: the members of that array in every fault, a line each.
members() {
    "$murphy" list faults --json | tr -d '\n' | grep -o "\"$1\": *\[[^]]*\]" |
        sed 's/^[^[]*//' | grep -o '"[^"]*"' | tr -d '"' | LC_ALL=C sort -u
}

names() {
    "$murphy" list "$1" --json | sed -n 's/.*"name": *"\([^"]*\)".*/\1/p' | LC_ALL=C sort -u
}

# What a kind says that notices it is a check of the program, or an alert that the pipeline raises.
every_check_exists() {
    local check
    while read -r check; do
        case $check in
        caught:*) grep -qF "\"${check#caught:}\"" pipeline/*.[ch] ;;
        *) names checks | grep -qx -- "$check" ;;
        esac
        holds "there is a check $check" $?
    done < <(members checks)
}

# So are the bugs that take a protection away.
every_bug_exists() {
    local bug
    while read -r bug; do
        names bugs | grep -qx -- "$bug"
        holds "there is a bug $bug" $?
    done < <(members bugs)
}

every_check_exists
every_bug_exists
echo "$passed passed, $failed failed"
[ $failed = 0 ]
