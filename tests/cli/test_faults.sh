#!/bin/bash
# The table of faults names what is there (D5). Finds the program in MURPHY_BUILD.
source tests/cli/expect.sh

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
expect_end
