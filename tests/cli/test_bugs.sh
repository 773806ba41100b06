#!/bin/bash
# The kill matrix: taking any one protection away turns its scenarios red, by the check that is meant
# to catch it; with all protections the same scenarios and seeds are green (D4). And the command that
# shows it says so when one of the two is not the case. Finds the program in MURPHY_BUILD.
source tests/cli/expect.sh

# Names of the bugs, of a listing or a matrix.
names() {
    sed -n 's/^ *"name": "\([^"]*\)",*$/\1/p'
}

# Every bug of the program stands in the matrix, with a scenario that says it catches it.
every_bug_is_tried() {
    diff <("$murphy" list bugs --json | names) <(sed '/^  "faults": /,$d' "$folder/matrix" | names)
    holds 'the bugs of the program (<) are those of the matrix (>)' $?
    ! grep -B 1 '"scenarios": \[\]' "$folder/matrix"
    holds 'some scenario catches each bug' $?
}

# Each pair of a bug and a scenario is caught on seed 1 or, if not there, on one of the next four; no
# scenario is red without its bugs.
every_bug_is_caught() {
    local bug scenario
    grep -q '"complete": true' "$folder/matrix" && ! grep -q '"clean_red": [1-9]' "$folder/matrix"
    holds 'everything was played, and the clean core is silent' $?
    while read -r bug scenario; do
        "$murphy" bugs --bug "$bug" --scenario "$scenario" --seeds 2..5 --json >"$folder/out" 2>"$folder/err"
        grep -q '"caught": [1-9]' "$folder/out" && grep -q '"clean_red": 0' "$folder/out"
        holds "$bug is caught in $scenario" $?
    done < <(sed -n 's/^ *"reproduce": "murphy run \([^ ]*\) --seed 1 --bug \([^ ]*\)".*/\2 \1/p' "$folder/matrix")
}

# A scenario that says it catches a bug and does not: the bug survives, the line that plays it is
# there, and another check that fails in its place does not count.
a_surviving_bug_is_told() {
    sed 's/"catches": \[[^]]*\]/"catches": ["no-backpressure"]/' scenarios/erasure-listing.json \
        >"$folder/claims.json"
    wants 1 'no-backpressure is not caught by backlog-bounded: the run passed' \
        "$murphy" bugs --scenario "$folder/claims.json" --seeds 1..2
    grep -qE '^  erasure-listing +0 +0 +2 +- +0$' "$folder/out" &&
        grep -qF -- "murphy run $folder/claims.json --seed 2 --bug no-backpressure" "$folder/err"
    holds 'the matrix has no seed caught, and the line of each' $?
    sed '2i "expect": {"counts": [{"name": "records_read", "min": 99999999}]},' \
        "$folder/claims.json" >"$folder/red.json"
    wants 1 'without a bug: fail: caught: records_read' "$murphy" bugs --scenario "$folder/red.json" --seeds 1
    grep -qE '^  erasure-listing +0 +1 +1 +- +1$' "$folder/out"
    holds 'a seed that fails by another check is not caught, and the clean core is not silent' $?
}

usage_is_refused() {
    wants 64 "there is no bug 'nonesuch'" "$murphy" bugs --bug nonesuch
    wants 64 "not wanted: 'no-dedupe'" "$murphy" bugs no-dedupe
    wants 64 "unknown option '--shard'" "$murphy" bugs --shard 1/2
    wants 64 "missing after '--seeds'" "$murphy" bugs --seeds
    wants 64 "not '3..2'" "$murphy" bugs --seeds 3..2
    wants 64 "in \`catches\`: 'no-dedupe'" "$murphy" bugs --scenario erasure-listing --bug no-dedupe
    wants 64 "catches no bug" "$murphy" bugs --scenario bad-day
    wants 65 'did you mean "calm-day"' "$murphy" bugs --scenario clam-day
}

# Stopped in the middle it leaves with 130 and says what it has; with its folder it goes on. Nothing
# else takes the folder for a sweep's.
an_interrupted_matrix_goes_on() {
    "$murphy" bugs --scenario erasure-listing --seeds 1..400 --out "$folder/kept" \
        >"$folder/out" 2>"$folder/err" &
    local playing=$! status
    sleep 1.5
    # A shell starts what runs in the background deaf to SIGINT; SIGTERM takes the same way.
    kill -TERM $playing
    wait $playing
    status=$?
    [ $status = 130 ] && grep -q '^interrupted: .* missing$' "$folder/out"
    holds "an interrupted matrix leaves with 130 (here $status) and says so" $?
    wants 0 'going on' "$murphy" bugs --scenario erasure-listing --seeds 1..2 --out "$folder/kept"
    grep -qE '^  erasure-listing +2 +2 +2 +1 +0$' "$folder/out"
    holds 'and counts the seeds that are asked for alone' $?
    wants 65 'is of murphy bugs' "$murphy" merge "$folder/kept"
    wants 64 'another bug' "$murphy" sweep erasure-listing --seeds 1 --out "$folder/kept"
}

"$murphy" bugs --seeds 1 --json >"$folder/matrix" 2>"$folder/err"
every_bug_is_tried
every_bug_is_caught
a_surviving_bug_is_told
usage_is_refused
an_interrupted_matrix_goes_on

expect_end
