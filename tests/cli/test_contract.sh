#!/bin/bash
# The contract of the command line: exit statuses, one message per mistake, no output left behind by
# bad input, the same bytes from the same seed (D3, D12). Finds the program in MURPHY_BUILD.
set -u
murphy=$(realpath "${MURPHY_BUILD:-build}")/murphy
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
passed=0
failed=0

# wants STATUS FRAGMENT COMMAND...: the command leaves with that status and says the fragment, on
# stderr and in one line; on stdout when the status is 0.
wants() {
    local status=$1 fragment=$2
    shift 2
    "$@" >"$folder/out" 2>"$folder/err"
    local got=$?
    local said="$folder/err"
    [ "$status" = 0 ] && said="$folder/out"
    if [ "$got" != "$status" ]; then
        echo "$*: exit status $got in place of $status: $(head -n 2 "$folder/err")"
        failed=$((failed + 1))
    elif ! grep -qF -- "$fragment" "$said"; then
        echo "$*: does not say '$fragment' but: $(head -n 2 "$said")"
        failed=$((failed + 1))
    elif [ "$status" != 0 ] && [ "$(wc -l <"$folder/err")" != 1 ]; then
        echo "$*: more than one line: $(cat "$folder/err")"
        failed=$((failed + 1))
    else
        passed=$((passed + 1))
    fi
}

# Bad usage.
wants 64 "there is no command 'rnu'" "$murphy" rnu
wants 64 "say which scenario" "$murphy" run
wants 64 "unknown option" "$murphy" run calm-day --sede 3
wants 64 "seed" "$murphy" run calm-day --seed -1
wants 64 "seed" "$murphy" run calm-day --seed 99999999999999999999
wants 64 "value is missing" "$murphy" run calm-day --seed
wants 64 "no bug" "$murphy" run calm-day --bug nonesuch
wants 64 "no kind" "$murphy" list nonesuch
wants 0 "usage: murphy" "$murphy" --help
wants 0 "usage: murphy run" "$murphy" run --help
wants 0 "calm-day" "$murphy" list scenarios
wants 0 '"name": "duplicate-records"' "$murphy" list faults --json

# Bad input: one message that names the place; nothing is written.
printf '{"name": "x",\n "about": }\n' >"$folder/syntax.json"
wants 65 "syntax.json:2" "$murphy" run "$folder/syntax.json" --out "$folder/left"
sed 's/"events"/"evnets"/' scenarios/calm-day.json >"$folder/unknown.json"
wants 65 '"events"' "$murphy" run "$folder/unknown.json" --out "$folder/left"
wants 65 "workload.events" "$murphy" run calm-day --set workload.events=-5 --out "$folder/left"
wants 65 "workload.listings" "$murphy" run calm-day --set workload.listings=many \
    --out "$folder/left"
wants 65 "no-such" "$murphy" run no-such-scenario --out "$folder/left"
wants 65 "workload.file" "$murphy" run real-catalogue --out "$folder/left"
wants 65 "missing.jsonl" "$murphy" run real-catalogue --set workload.file="$folder/missing.jsonl" \
    --out "$folder/left"
good='{"op":"create","ts":"2026-02-10T17:12:15Z","id":"1","doc":{"id":"1","name":"a","price":1.5}}'
printf '%s\nnot json\n' "$good" >"$folder/broken.jsonl"
wants 65 "broken.jsonl:2" "$murphy" run real-catalogue \
    --set workload.file="$folder/broken.jsonl" --out "$folder/left"
printf '%s\n%s\n' "$good" "${good/1.5/NaN}" >"$folder/nan.jsonl"
wants 65 "nan.jsonl:2" "$murphy" run real-catalogue --set workload.file="$folder/nan.jsonl" \
    --out "$folder/left"
if [ -e "$folder/left" ]; then
    echo "bad input left something behind in its output folder"
    failed=$((failed + 1))
else
    passed=$((passed + 1))
fi

# A run leaves its four files, and the stores answer as of any moment.
wants 0 "" "$murphy" run calm-day --seed 3 --out "$folder/run"
for file in run.json junit.xml report.html stores.db; do
    wants 0 "" test -s "$folder/run/$file"
done
wants 0 "alive" "$murphy" query "$folder/run" "SELECT count(*) AS alive FROM gold_document"
wants 65 "no such table" "$murphy" query "$folder/run" "SELECT * FROM nonesuch"

# The same seed gives the same bytes, wall time apart, with files or without.
"$murphy" run bad-day --seed 5 --json | grep -v wall_seconds >"$folder/first"
"$murphy" run bad-day --seed 5 --json --out "$folder/again" | grep -v wall_seconds >"$folder/second"
wants 0 "" cmp "$folder/first" "$folder/second"

echo "$passed passed, $failed failed"
[ $failed = 0 ]
