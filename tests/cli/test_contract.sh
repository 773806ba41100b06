#!/bin/bash
# The contract of the command line: exit statuses, one message per mistake, no output left behind by
# bad input or Ctrl-C, the same bytes from the same seed (D3, D12). Finds the program in MURPHY_BUILD.
source tests/cli/expect.sh

# STATUS FRAGMENT COMMAND...: the command leaves with that status and says the fragment: a refusal on
# stderr, in one line and with nothing on stdout; anything else on stdout.
wants() {
    local status=$1 fragment=$2
    shift 2
    "$@" >"$folder/out" 2>"$folder/err" </dev/null
    local got=$? said="$folder/out" why=
    [ "$status" -ge 64 ] && said="$folder/err"
    if [ $got != "$status" ]; then
        why="exit status $got in place of $status"
    elif ! grep -qF -- "$fragment" "$said"; then
        why="does not say '$fragment'"
    elif [ "$status" -ge 64 ] && { [ -s "$folder/out" ] || [ "$(wc -l <"$folder/err")" != 1 ]; }; then
        why='is not refused in one line'
    fi
    holds "$*: $why: $(head -qn 2 "$folder/out" "$folder/err")" "$([ -z "$why" ]; echo $?)"
}

# WHO: the output folder that it was given is not there.
left_nothing() {
    [ ! -e "$folder/left" ]
    holds "$1 leaves nothing behind" $?
    rm -rf "$folder/left"
}

# What the command does not have.
bad_usage_is_refused() {
    wants 64 "there is no command 'rnu'" "$murphy" rnu
    wants 64 'say which scenario' "$murphy" run
    wants 64 "unknown option '--sede'" "$murphy" run calm-day --sede 3
    for seed in -1 99999999999999999999 3x '' 0x10; do
        wants 64 "2^64-1, not '$seed'" "$murphy" run calm-day --seed "$seed"
    done
    wants 64 "missing after '--seed'" "$murphy" run calm-day --seed
    wants 64 "not wanted: 'bad-day'" "$murphy" run calm-day bad-day
    wants 64 "no bug 'nonesuch'" "$murphy" run calm-day --bug nonesuch
    wants 64 "no kind 'nonesuch'" "$murphy" list nonesuch
    wants 64 'say what to list' "$murphy" list
    wants 64 "unknown option '--speed'" "$murphy" demo --speed
    wants 64 "unknown option '--speed'" "$murphy" tune --speed 9
    wants 64 'query' "$murphy" query
}

# Every command says how it is used, and everything that there is is listed both ways.
help_and_lists() {
    wants 0 'usage: murphy' "$murphy" --help
    for command in run sweep merge bugs list query explain rebuild tune relevance demo; do
        wants 0 "usage: murphy $command" "$murphy" "$command" --help
        [ "$("$murphy" "$command" --help | wc -L)" -le 80 ]
        holds "murphy $command --help keeps to 80 columns" $?
    done
    wants 0 'calm-day' "$murphy" list scenarios
    wants 0 'duplicate-records' "$murphy" list faults
    wants 0 'convergence' "$murphy" list checks
    wants 0 'vectors.write' "$murphy" list points
    wants 0 'no-tombstone' "$murphy" list bugs
    wants 0 'stale-write' "$murphy" list faults 21095
    [ "$(grep -c '^[^ ]' "$folder/out")" = 1 ]
    holds 'murphy list with a word lists only what has it' $?
    wants 64 "nothing has this in its name or text: 'nonesuch'" "$murphy" list bugs nonesuch
    for kind in scenarios faults checks points bugs; do
        "$murphy" list "$kind" >"$folder/text"
        "$murphy" list "$kind" --json >"$folder/json"
        [ "$(head -c 1 "$folder/json")" = '[' ] && [ "$(tail -n 1 "$folder/json")" = ']' ]
        holds "murphy list $kind --json is an array" $?
        local names abouts lines
        names=$(grep -c '^ *"name": ' "$folder/json")
        abouts=$(grep -c '^ *"about": ' "$folder/json")
        lines=$(grep -c '^[^ ]' "$folder/text")
        [ "$names" -gt 0 ] && [ "$names" = "$abouts" ] && [ "$names" = "$lines" ]
        holds "murphy list $kind: $lines lines, $names names, $abouts abouts" $?
        script -qec "'$murphy' list $kind" /dev/null </dev/null | tr -d '\r' >"$folder/terminal"
        [ "$(wc -L <"$folder/terminal")" -le 80 ] &&
            diff <(tr -s ' \n' '\n\n' <"$folder/text") <(tr -s ' \n' '\n\n' <"$folder/terminal") >&2
        holds "murphy list $kind keeps to 80 columns on a terminal, with the same words" $?
    done
}

# The stretches in which a fault struck name what it struck, as the scenario or its table says.
faults_say_what_they_struck() {
    local case
    for case in lineage-gold:gold-skip,warehouse kafka-leader-change:leader-change,listing-log \
        object-lost-delete:lost-deletes,objects; do
        "$murphy" run "${case%%:*}" --out "$folder/struck" >/dev/null 2>&1
        wants 0 "${case#*:}" "$murphy" query "$folder/struck" --csv \
            'SELECT DISTINCT kind, subject FROM fault_band'
        rm -rf "$folder/struck"
    done
}

# Every check of a run is one of the list; those of what a scenario expects are named "caught: ...".
every_check_is_listed() {
    local unlisted
    unlisted=$("$murphy" run bad-day --seed 1 --json 2>/dev/null | sed -n '/"checks": \[/,/^  \]/p' |
        sed -n 's/^ *"name": "\([^":]*\).*/\1/p' | sed 's/^contract .*/contract/' | sort -u |
        grep -vxF "$("$murphy" list checks | sed -n 's/^\([^ ][^ ]*\) .*/\1/p')")
    [ -z "$unlisted" ]
    holds "murphy list checks does not list $unlisted" $?
}

# One message names the file and the place, or the path of the value; no output is left behind.
bad_scenarios_are_refused() {
    printf '{"name": "x",\n "about": }\n' >"$folder/syntax.json"
    wants 65 'syntax.json:2:' "$murphy" run "$folder/syntax.json" --out "$folder/left"
    sed 's/"events"/"evnets"/' scenarios/calm-day.json >"$folder/unknown.json"
    wants 65 'unknown.json:' "$murphy" run "$folder/unknown.json" --out "$folder/left"
    grep -qF 'did you mean "events"?' "$folder/err"
    holds 'an unknown key is named, and the nearest known one' $?
    wants 65 'workload.events' "$murphy" run calm-day --set workload.events=-5 --out "$folder/left"
    wants 65 'workload.listings' "$murphy" run calm-day --set workload.listings=many \
        --out "$folder/left"
    wants 65 'faults' "$murphy" run bad-day --set 'faults[0].ratio=-1/2' --out "$folder/left"
    wants 65 'did you mean "calm-day"' "$murphy" run clam-day --out "$folder/left"
    wants 65 'missing.json' "$murphy" run "$folder/missing.json" --out "$folder/left"
    left_nothing 'a bad scenario'
}

# The same for a file of changes.
bad_event_files_are_refused() {
    local good='{"op":"create","ts":"2026-02-10T17:12:15Z","id":"1","doc":{"id":"1","name":"a","price":1.5}}'
    wants 65 'workload.file' "$murphy" run real-catalogue --out "$folder/left"
    wants 65 'missing.jsonl' "$murphy" run real-catalogue \
        --set workload.file="$folder/missing.jsonl" --out "$folder/left"
    printf '%s\nnot json\n' "$good" >"$folder/broken.jsonl"
    wants 65 'broken.jsonl:2' "$murphy" run real-catalogue \
        --set workload.file="$folder/broken.jsonl" --out "$folder/left"
    printf '%s\n%s\n' "$good" "${good/1.5/NaN}" >"$folder/nan.jsonl"
    wants 65 'nan.jsonl:2' "$murphy" run real-catalogue --set workload.file="$folder/nan.jsonl" \
        --out "$folder/left"
    left_nothing 'a bad file of changes'
}

# 0 all held, 1 a check failed, 2 only an objective failed; run.json says the same.
exit_statuses_are_verdicts() {
    wants 0 '"verdict": "pass"' "$murphy" run stalled-feed --json
    wants 1 '"verdict": "fail"' "$murphy" run stalled-feed --set 'faults=[]' --json
    wants 1 '"verdict": "fail"' "$murphy" run calm-day --bug always-reembed --json
    wants 2 '"verdict": "slo"' "$murphy" run stalled-feed --set objectives.freshness_p95=1ms --json
}

# A run leaves its files, and the stores answer as of any moment.
a_run_leaves_its_files() {
    wants 0 'PASS' "$murphy" run calm-day --seed 3 --out "$folder/run"
    local files='run.json junit.xml report.html stores.db openlineage.jsonl'
    for file in $files; do
        [ -s "$folder/run/$file" ]
        holds "$file is there" $?
    done
    [ "$(find "$folder/run" -type f | wc -l)" = "$(wc -w <<<"$files")" ]
    holds 'and nothing else' $?
    local count='SELECT count(*) AS rows_then FROM gold_document'
    wants 0 'rows_then' "$murphy" query "$folder/run" "$count"
    local start noon
    start=$("$murphy" query "$folder/run" --at +0s "$count" --json | tr -dc 0-9)
    noon=$("$murphy" query "$folder/run" --at +12h "$count" --json | tr -dc 0-9)
    [ "$start" = 0 ] && [ "$noon" -gt 1000 ]
    holds "gold grows from $start to $noon rows" $?
    wants 65 'no such table' "$murphy" query "$folder/run" 'SELECT * FROM nonesuch'
}

# The same seed gives the same bytes, wall time apart, with files or without; another seed does not.
same_seed_same_bytes() {
    played() {
        "$murphy" run bad-day --json "$@" 2>/dev/null | grep -v wall_seconds
    }
    played --seed 5 >"$folder/first"
    played --seed 5 --out "$folder/again" >"$folder/second"
    played --seed 6 >"$folder/other"
    [ -s "$folder/first" ] && diff "$folder/first" "$folder/second"
    holds 'the same seed gives the same bytes' $?
    ! diff -q <(grep trace_hash "$folder/first") <(grep trace_hash "$folder/other") >/dev/null
    holds 'another seed gives another run' $?
}

# Ctrl-C ends a long run within a second, with a status of its own and no half-written result.
interrupts_leave_nothing() {
    "$murphy" run bad-day --set workload.events=2000000 --json --out "$folder/left" \
        >"$folder/out" 2>"$folder/err" &
    local running=$! began status
    sleep 1.5
    # A shell starts what runs in the background deaf to SIGINT; SIGTERM takes the same way.
    kill -TERM $running
    began=$(date +%s%N)
    wait $running
    status=$?
    [ $status = 130 ] && [ $(($(date +%s%N) - began)) -lt 1000000000 ]
    holds "an interrupted run ends within a second, with status 130 (here $status)" $?
    [ ! -s "$folder/out" ]
    holds 'and has no output' $?
    left_nothing 'an interrupted run'
}

bad_usage_is_refused
help_and_lists
faults_say_what_they_struck
every_check_is_listed
bad_scenarios_are_refused
bad_event_files_are_refused
exit_statuses_are_verdicts
a_run_leaves_its_files
same_seed_same_bytes
interrupts_leave_nothing
expect_end
