#!/bin/bash
# Taking any one protection away turns a scenario red, by the check that is meant to catch it (D4);
# with all protections the same scenario and seed are green. Finds the program in MURPHY_BUILD.
set -u
murphy=${MURPHY_BUILD:-build}/murphy
passed=0
failed=0

# bug, scenario in which it shows, seeds within which it must show
catches='no-version-check crashed-sink 3
no-tombstone late-two-hours 3
no-dedupe duplicate-storm 1
offset-before-state crashed-sink 3
always-reembed calm-day 1
never-reembed calm-day 1
no-policy-fanout calm-day 3
future-accepted quality-future-timestamps 1
suppression-queues policy-ahead-of-backlog 1
late-order-wrong-hour orders-late 2
no-backpressure pressure-slow-sink 1
cutover-early upgrade-early-cutover 2
rollback-loses-writes upgrade-rollback-under-load 2
skips-expired retention-restart-from-bronze 1
audit-skips-kept audit-model-history 2
suppression-existing-only policy-large-seller 2
partial-nulls calm-day 1
live-writes-missed upgrade-under-load 1
contract-unchecked registry-breaking 1
replay-forgets registry-replay-crash 5
tombstone-early late-two-hours 3
drift-self quality-embedding-drift 1
reference-no-fanout reference-taxonomy 1
reference-to-all reference-taxonomy 1
orphans-shown media-orphans 1
erasure-forgets-letters erasure-listing 1
erasure-forgets-state erasure-listing 1
erasure-forgets-ledger erasure-replay 1
erasure-forgets-old-models erasure-during-backfill 1
row-deleted-outright vector-stale-retry-after-gc 1
row-deleted-outright vector-restart-loses-tombstones 2
text-deleted-outright vector-stale-retry-after-gc 3
text-deleted-outright vector-restart-loses-tombstones 5
batch-taken-whole vector-partial-batch 1
throttle-ignored vector-throttled 1
too-large-again vector-too-large 1
resurrected-left vector-no-conditional-write 1
erasure-believes-deletes object-lost-delete 3
erasure-believes-deletes object-late-delete 3
erasure-hasty object-slow-listing 3
cutoff-ignored vector-delayed-visibility 1
repair-overwrites vector-duplicate-rows 1
never-compacts vector-dead-rows 1
cutover-early vector-alias-switch-under-load 1
metadata-kept vector-filters 5
switch-believed vector-torn-alias-switch 1
erasure-believes-vectors vector-slow-compaction 1
books-unread lineage-topic 1
books-unread lineage-bronze 1
batch-only-looks lineage-silver 1
batch-only-looks lineage-gold 1
embed-given-up embedding-timeout 1
embed-given-up embedding-throttled 1
dimension-unchecked embedding-wrong-dimension 1
numbers-unchecked embedding-nan 1
model-unchecked embedding-other-model 1
drift-self embedding-silent-model-change 1
reembed-from-archive embedding-silent-model-change 1
audit-event-twice audit-stream 1
audit-event-lost audit-stream 1
audit-head-forgotten audit-stream 3
truncation-unseen kafka-unclean-truncation 2
loss-unnoticed kafka-unclean-truncation 2
resets-at-once kafka-offset-out-of-range 1
sequence-restarts kafka-idempotent-producers 1
resumes-at-commit kafka-lost-commit 2
fencing-off kafka-zombie-consumer 3
produce-taken-whole kafka-leader-change 1
no-version-check kafka-poll-timeout 2
offset-before-state kafka-rebalance-storm 1
offset-before-state kafka-cooperative-rebalance 1
no-dedupe kafka-producer-retries 1
skips-expired kafka-retention-overtakes 1
failed-load-taken warehouse-load-failure 1
torn-load-taken warehouse-torn-batch 1
merge-as-it-came warehouse-duplicate-keys 1
merge-as-it-came warehouse-arbitrary-merge 1
view-unchecked warehouse-slow-view 3
stale-stream-skipped warehouse-stale-stream 2
erasure-forgets-time-travel warehouse-time-travel-overrun 1
token-trusted warehouse-token-overwritten 1
batch-takes-refused registry-refused-orders 1
books-unread retention-loader-outage 1
watch-asleep stalled-feed 1
failed-load-taken worker-disk-full 3
no-version-check worker-slow-node 5
offset-before-state worker-rolling-restart 3
source-unread dual-write-drift 1
refusals-unheard quality-load-failures 1
'

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

# The bugs that the program has are those of the table above.
every_bug_is_tried() {
    diff <("$murphy" list bugs --json | sed -n 's/.*"name": *"\([^"]*\)".*/\1/p' | LC_ALL=C sort) \
        <(cut -d ' ' -f 1 <<<"${catches%$'\n'}" | LC_ALL=C sort -u)
    verdict $? 'the bugs of the program (<) are not those that are tried (>)'
}

# BUG SCENARIO SEEDS: the bug is caught by its check within the seeds; the clean core is not.
bug_is_caught() {
    local bug=$1 scenario=$2 seeds=$3 check caught=1 seen='' seed report status names
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
while read -r bug scenario seeds; do
    bug_is_caught "$bug" "$scenario" "$seeds"
done <<<"${catches%$'\n'}"

echo "$passed passed, $failed failed"
[ $failed = 0 ]
