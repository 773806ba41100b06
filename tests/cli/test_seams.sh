#!/bin/bash
# Contracts of the seams are kept to (B2): editing one changes what fails, by the contract's id; one
# that is malformed is refused before anything runs (D12). Finds the program in MURPHY_BUILD.
source tests/cli/expect.sh
ours=$(realpath contracts)

# NAME SED-SCRIPT: a copy of our contracts in which that one is edited, and is another one then.
edited() {
    rm -rf "$folder/contracts"
    cp -r "$ours" "$folder/contracts"
    sed -i "$2" "$folder/contracts/$1.odcs.yaml"
    ! cmp -s "$ours/$1.odcs.yaml" "$folder/contracts/$1.odcs.yaml"
    holds "the edit of $1 changes it: $2" $?
}

# STATUS SCENARIO [OPTION...]: it is played by the copy and leaves with that status.
plays() {
    local status=$1
    shift
    "$murphy" run "$@" --json --contracts "$folder/contracts" >"$folder/out" 2>"$folder/err" </dev/null
    local got=$?
    [ $got = "$status" ]
    holds "run $* leaves with $status, not with $got" $?
}

# PATTERN: what was printed has it, white space apart.
says() {
    tr -d '\n' <"$folder/out" | sed 's/  */ /g' | grep -qE -- "$1"
    holds "the result says $1" $?
}

# Minutes become seconds: only an objective fails, and it has the contract's id. The watch over the
# feed raises its alert by the same number.
freshness_is_kept_to() {
    edited "$1" '/property: freshness/,/unit:/s/unit: m$/unit: s/'
    plays 2 calm-day
    says '"verdict": "slo"'
    says "\"name\": \"contract $1: freshness\", .{0,200}\"status\": \"breached\""
    says "\"id\": \"$1\", .{0,120}\"status\": \"broken\""
}

watch_goes_by_the_contract() {
    freshness_is_kept_to listing-changes
    says '"name": "feed-freshness", "subject": "listing-changes", "state": "raised"'
    says '"name": "no-false-alarm", .{0,40}"status": "pass"'
    edited listing-changes 's/value: 30$/value: 31/'
    plays 0 calm-day
    ! grep -q '"subject": "listing-changes"' "$folder/out"
    holds 'by our contract the watch over the feed is silent' $?
}

# Latency and retention are measured as well.
other_levels_are_kept_to() {
    edited vectors '/property: latency/,/unit:/s/unit: m$/unit: ms/'
    plays 2 calm-day
    says '"name": "contract vectors: latency"'
    edited embedding-artifacts '/property: retention/,/unit:/s/unit: d$/unit: y/'
    plays 2 calm-day
    says '"name": "contract embedding-artifacts: retention"'
}

# What the schema of a feed refuses is a dead letter that names field and limit; what it allows again
# is none.
schema_is_kept_to_at_ingest() {
    edited listing-changes 's/^          minimum: 0$/&\n          maximum: 5000000/'
    rm -rf "$folder/run"
    plays 1 calm-day --out "$folder/run"
    "$murphy" query "$folder/run" --csv \
        "SELECT DISTINCT field, expected FROM dead_letter WHERE reason = 'value is out of bounds'" \
        >"$folder/out" 2>"$folder/err"
    says 'price,integer from 0 to 5000000 or null'
    edited orders '/name: quantity/,/required/s/minimum: 1/minimum: 3/'
    plays 1 calm-day
    says '"dead_lettered": [0-9]{2,}'
}

# Rules of every kind are asked of the stores.
quality_is_kept_to() {
    edited gold-document 's/mustBe: 0/mustBeGreaterThan: 0/'
    plays 1 calm-day
    says '"name": "contract gold-document", "kind": "contract", "status": "fail"'
    says 'is-the-current-version: 0, must be > 0'
}

library_rules_are_kept_to() {
    edited silver 's/^    quality:$/    quality:\n      - {name: few, metric: rowCount, mustBeLessThan: 9}/'
    plays 1 calm-day
    says 'few: [0-9]+, must be < 9'
    edited dead-letters 's/^    quality:$/    quality:\n      - {name: none, metric: duplicateValues, arguments: {properties: [topic]}, mustBe: 0, unit: percent}/'
    plays 1 calm-day
    says '"name": "contract dead-letters", .{0,40}"status": "fail"'
    edited silver 's/- name: valid_to_ns/&\n        required: true/'
    plays 1 calm-day
    says 'required: [0-9]+, must be 0: no column that is required is null'
}

# A planted bug that loads rows twice breaks what the contracts promise.
bugs_break_contracts() {
    "$murphy" run duplicate-storm --bug no-dedupe --json >"$folder/out" 2>"$folder/err" </dev/null
    says '"name": "contract gold-sales", .{0,40}"status": "fail"'
    says 'no-order-twice: [0-9]+, must be 0'
}

# A scenario may waive a service level, and must say so.
levels_can_be_waived() {
    edited vectors '/property: freshness/,/unit:/s/unit: m$/unit: s/'
    plays 0 calm-day --set 'contracts.waived=["vectors.freshness"]'
    says '"id": "vectors", .{0,120}"status": "waived"'
    plays 0 calm-day --set 'expect.breached=["vectors.freshness"]'
    says '"name": "caught: contract vectors: freshness breached"'
    plays 1 calm-day --set 'expect.breached=["keywords.freshness"]'
    plays 65 calm-day --set 'expect.breached=["keywords.freshness"]' --set 'contracts.waived=["freshness"]'
}

# STATUS 65, one line, nothing on stdout.
is_refused() {
    "$murphy" run calm-day --contracts "$folder/contracts" >"$folder/out" 2>"$folder/err" </dev/null
    [ $? = 65 ] && [ ! -s "$folder/out" ] && [ "$(wc -l <"$folder/err")" = 1 ] &&
        grep -qF -- "$1" "$folder/err"
    holds "refused with: $1" $?
}

malformed_ones_are_refused() {
    edited orders 's/minimum: 1/minimum: one/'
    is_refused "contracts/orders.odcs.yaml:48:20: schema[0].properties[5].logicalTypeOptions.minimum: takes a whole number, not a text"
    edited vectors 's/unit: m$/unit: moons/'
    is_refused 'slaProperties[0].unit: takes one of ms, s, m, h, d, y, not "moons"'
    edited vectors 's/^id: .*/id: [/'
    is_refused 'contracts/vectors.odcs.yaml:5:8: not YAML'
    edited vectors 's/FROM {object} WHERE/FROM {object} WHRE x/'
    is_refused 'quality[0].query: SQL: near'
    rm "$folder/contracts/vectors.odcs.yaml"
    is_refused 'the seam "vectors" has no contract here'
    rm -rf "$folder/contracts"
    is_refused 'no folder of contracts: No such file or directory'
}

contracts_are_listed() {
    "$murphy" list contracts --json >"$folder/out" 2>"$folder/err"
    says '"name": "vectors", "about": "[^"]+", "seam": "vectors", "owner": "search-platform", "version": "1.0.0"'
    says '"delivery": "[^"]+", "idempotent_by": "[^"]+", "reconciliation": "[^"]+"'
    [ "$(grep -c '"idempotent_by"' "$folder/out")" = "$(ls "$ours" | wc -l)" ]
    holds 'each contract is listed' $?
    "$murphy" list contracts >"$folder/out" 2>"$folder/err"
    says 'freshness: 30m'
}

watch_goes_by_the_contract
for contract in media-ingest orders outbox vectors bronze gold-sales; do
    freshness_is_kept_to $contract
done
other_levels_are_kept_to
schema_is_kept_to_at_ingest
quality_is_kept_to
library_rules_are_kept_to
bugs_break_contracts
levels_can_be_waived
malformed_ones_are_refused
contracts_are_listed
expect_end
