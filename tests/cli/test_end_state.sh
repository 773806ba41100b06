#!/bin/bash
# The end state of a scenario is the same for 1, 3 and 16 workers of each kind (A15), and another
# one when a row is wrong. Finds the program in MURPHY_BUILD. SCENARIOS and SEEDS: which ones.
set -u
murphy=${MURPHY_BUILD:-build}/murphy
passed=0
failed=0

# SCENARIO SEED ARGUMENT...: the end state, and that of each store.
end_state() {
    local scenario=$1 seed=$2
    shift 2
    "$murphy" run "$scenario" --seed "$seed" "$@" --json 2>/dev/null | tr -d '\n ' |
        sed -n 's/.*"end_state":"\([0-9a-f]*\)","end_states":{\([^}]*\)}.*/\1 \2/p'
}

# SCENARIO SEED WORKERS
end_state_of_workers() {
    end_state "$1" "$2" --set "pipeline.workers.router=$3" --set "pipeline.workers.builder=$3" \
        --set "pipeline.workers.loader=$3"
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

worker_counts_agree() {
    local one some
    one=$(end_state_of_workers "$1" "$2" 1)
    for workers in 3 16; do
        some=$(end_state_of_workers "$1" "$2" "$workers")
        [ -n "$one" ] && [ "$one" = "$some" ]
        verdict $? "$1, seed $2: 1 worker ends in $one; $workers workers in $some"
    done
}

# A protection taken away shows in the end state, in the stores that it spoils.
a_wrong_row_shows() {
    local right wrong
    right=$(end_state calm-day 1)
    wrong=$(end_state calm-day 1 --bug never-reembed --set reconcile.at_end=false)
    [ -n "$wrong" ] && [ "$right" != "$wrong" ] &&
        [ "$(tr ',' '\n' <<<"$right" | grep '^"gold"')" = \
            "$(tr ',' '\n' <<<"$wrong" | grep '^"gold"')" ]
    verdict $? "the bug never-reembed spoils what it should not, or nothing: $right, then $wrong"
}

for scenario in ${SCENARIOS:-calm-day bad-day late-two-hours upgrade-under-load registry-breaking erasure-seller}; do
    for seed in ${SEEDS:-1 2}; do
        worker_counts_agree "$scenario" "$seed"
    done
done
a_wrong_row_shows

echo "$passed passed, $failed failed"
[ $failed = 0 ]
