#!/bin/bash
# The OpenLineage events of real runs (B6) keep the rules of tests/reports/test_openlineage.c, name
# every job, and are the same, to the byte, when the run is played again. Finds the program in
# MURPHY_BUILD.
set -u
build=$(realpath "${MURPHY_BUILD:-build}")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
passed=0
failed=0

judge() {
    if [ "$1" = 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "not so: $2"
        head -n 8 "$folder/out"
    fi
}

# SCENARIO JOB...: its events are right, and each job is among them.
events() {
    local scenario=$1 job
    shift
    "$build/murphy" run "$scenario" --seed 2 --out "$folder/run" >"$folder/out" 2>&1
    judge $? "$scenario passes"
    MURPHY_EVENTS=$folder/run/openlineage.jsonl "$build/tests/reports/test_openlineage" >"$folder/out" 2>&1
    judge $? "the events of $scenario keep the rules"
    for job in "$@"; do
        grep -q "\"eventType\":\"COMPLETE\".*\"job\":{\"namespace\":\"murphy\",\"name\":\"$job\"" \
            "$folder/run/openlineage.jsonl"
        judge $? "$scenario completes $job"
    done
}

workers='relay router builder loader reconciler batch eraser steward upgrader watch quality gate'
events lineage-bronze $workers refresh batch.nightly reconciliation
cp "$folder/run/openlineage.jsonl" "$folder/first"
events lineage-bronze
cmp -s "$folder/first" "$folder/run/openlineage.jsonl"
judge $? 'the same run gives the same events'
events upgrade-under-load upgrade.backfilling upgrade.validating upgrade.switching upgrade.retiring
events erasure-listing erasure
grep -q '"eventType":"FAIL"' "$folder/first"
judge $? 'a process that died is a run that failed'

echo "$passed passed, $failed failed"
[ $failed = 0 ]
