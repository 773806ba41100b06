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

# In each scenario that says so each bug is caught, by its check; no scenario is red without its bugs.
every_bug_is_caught() {
    grep -q '"complete": true' "$folder/matrix" && grep -q '"survivors": \[\]' "$folder/matrix" &&
        ! grep -q '"killed": false\|"clean_red": [1-9]' "$folder/matrix" && [ "$1" = 0 ]
    holds "every bug is caught, and the clean core is silent (status $1)" $?
}

# Every kind of fault struck where a bug of its row was caught (D5).
every_kind_is_shown() {
    grep -q '"shown_by": ' "$folder/matrix" && ! grep '"why_not": ' "$folder/matrix"
    holds 'every kind of fault is shown by a bug of its row' $?
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

# A run that did not come to its end says nothing of the bug: that is neither caught nor a survivor.
a_killed_worker_is_told() {
    sed -e 's/"events": *[0-9]*/"events": 3000000/' -e 's/"name": *"bad-day"/"name": "slow"/' \
        -e '2i "catches": ["no-dedupe"],' scenarios/bad-day.json >"$folder/slow.json"
    "$murphy" bugs --scenario "$folder/slow.json" --seeds 1 --jobs 1 >"$folder/out" 2>"$folder/err" &
    local playing=$! worker='' before='' status
    for _ in 1 2; do
        for _ in $(seq 50); do
            worker=$(ps -o pid= --ppid $playing 2>/dev/null | tr -d ' ')
            [ -n "$worker" ] && [ "$worker" != "$before" ] && break
            sleep 0.1
        done
        sleep 0.5
        kill -SEGV "$worker"
        before=$worker
    done
    wait $playing
    status=$?
    [ $status = 70 ] && grep -qE '^  slow +0 +0 +1 +- +1$' "$folder/out" &&
        grep -q 'no-dedupe is not caught by .*: error: its process was ended by signal 11' "$folder/err"
    holds "runs that are killed leave 70 (here $status) and are told" $?
}

"$murphy" bugs --seeds 1 --json >"$folder/matrix" 2>"$folder/err"
status=$?
every_bug_is_tried
every_bug_is_caught $status
every_kind_is_shown
a_surviving_bug_is_told
usage_is_refused
an_interrupted_matrix_goes_on
a_killed_worker_is_told

expect_end
