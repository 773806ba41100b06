#!/bin/bash
# Every scenario's run is, in every layer, what its bronze says (B4), and its audit streams verify and
# make the documents that are live (B8): whatever was done to it on the way, and whatever was erased
# or expired meanwhile. Where a fault corrupts a layer on purpose, the rows are named. Finds the
# program in MURPHY_BUILD; `test_medallion.sh NAME...` tries these scenarios.
set -u
murphy=${MURPHY_BUILD:-build}/murphy
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
passed=0
failed=0

# STATUS SENTENCE: the sentence is what is wrong when the status is not 0.
verdict() {
    if [ "$1" = 0 ]; then
        passed=$((passed + 1))
    else
        echo "$2"
        failed=$((failed + 1))
    fi
}

# What a rebuild of the run says, first lines only; its status.
rebuilt() {
    local said status
    said=$("$murphy" rebuild "$folder/run" "$@" 2>&1)
    status=$?
    found=$said
    return $status
}

is_equal() {
    rebuilt --from bronze && grep -q '^EQUAL' <<<"$found" &&
        rebuilt --from audit && grep -q '^VERIFIED' <<<"$found"
    verdict $? "$1: $(head -5 <<<"$found")"
}

# SCENARIO PATTERN OPTIONS...: what is corrupt is named, by exit status 1 and a line like the pattern.
differs() {
    local scenario=$1 pattern=$2
    shift 2
    rebuilt --from bronze "$@"
    [ $? = 1 ] && grep -q '^DIFFERENT' <<<"$found" && grep -q "$pattern" <<<"$found"
    verdict $? "$scenario: no line like '$pattern' in: $(head -5 <<<"$found")"
}

[ $# -gt 0 ] || set -- $("$murphy" list scenarios | awk '{print $1}')
for scenario in "$@"; do
    [ "$scenario" = real-catalogue ] && continue # it wants a file of the user's
    "$murphy" run "$scenario" --seed 1 --out "$folder/run" >/dev/null 2>&1
    case $scenario in
    lineage-bronze) # half of the orders of an hour are lost before bronze has them
        differs "$scenario" '^bronze: a row of bronze_event: topic orders, .*: stored no row'
        ;;
    lineage-silver) # repaired from bronze in the end, so it is looked at before
        differs "$scenario" '^orders: amount of silver_order: order_id' --at +2h
        is_equal "$scenario"
        ;;
    lineage-gold)
        differs "$scenario" '^sales: [a-z]* of gold_sales: category' --at +2h
        is_equal "$scenario"
        ;;
    *)
        is_equal "$scenario"
        ;;
    esac
    rm -rf "$folder/run"
done

echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
