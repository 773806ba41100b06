#!/bin/bash
# The scenario suite of `make test`: every scenario holds for its seeds, and the same seed run again
# in another process gives the same trace hash (D3). Finds the program in MURPHY_BUILD. SEEDS: which,
# default 1 2 3; SCENARIOS: which, default all that need no file from outside. Closes with
# 'N passed, N failed'.
set -u
murphy=${MURPHY_BUILD:-build}/murphy
passed=0
failed=0

hash_of() {
    "$murphy" run "$1" --seed "$2" --json 2>/dev/null |
        sed -n 's/.*"trace_hash": *"\([0-9a-f]*\)".*/\1/p' | head -n 1
}

if [ -z "${SCENARIOS-}" ]; then
    SCENARIOS=
    for file in scenarios/*.json; do
        case $file in
        *.schema.json | */real-catalogue.json) ;;
        *) [ -e "$file" ] && SCENARIOS="$SCENARIOS $(basename "$file" .json)" ;;
        esac
    done
fi
for scenario in $SCENARIOS; do
    for seed in ${SEEDS:-1 2 3}; do
        if ! report=$("$murphy" run "$scenario" --seed "$seed" --json 2>&1); then
            echo "murphy run $scenario --seed $seed: did not hold"
            tail -n 60 <<<"$report"
            failed=$((failed + 1))
            continue
        fi
        first=$(sed -n 's/.*"trace_hash": *"\([0-9a-f]*\)".*/\1/p' <<<"$report" | head -n 1)
        again=$(hash_of "$scenario" "$seed")
        if [ -z "$first" ] || [ "$first" != "$again" ]; then
            echo "murphy run $scenario --seed $seed: trace hash '$first', then '$again'"
            failed=$((failed + 1))
        else
            passed=$((passed + 1))
        fi
    done
done
echo "$passed passed, $failed failed"
[ $failed = 0 ]
