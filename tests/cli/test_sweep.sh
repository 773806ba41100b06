#!/bin/bash
# Many seeds over many processes, and shards joined again (D3, D4). Finds the program in MURPHY_BUILD.
source tests/cli/expect.sh
quick='erasure-listing audit-time-travel'

# Lines "SCENARIO SEED HASH" of a sweep's JSON document on stdin: of what did not hold.
hashes() {
    tr -d '\n ' | grep -o '"scenario":"[^"]*","seed":[0-9]*,"verdict":"[a-z]*","trace_hash":"[0-9a-f]*"' |
        sed 's/"scenario":"\([^"]*\)","seed":\([0-9]*\),.*"trace_hash":"\([0-9a-f]*\)"/\1 \2 \3/' | sort
}

usage_is_refused() {
    wants 64 'say which scenario' "$murphy" sweep --seeds 1..2
    wants 64 'say which --seeds' "$murphy" sweep calm-day
    for seeds in 5..4 -1..2 1.. x 1..99999999999999999999; do
        wants 64 "not '$seeds'" "$murphy" sweep calm-day --seeds "$seeds"
    done
    for shard in 0/2 3/2 1 1/0; do
        wants 64 "not '$shard'" "$murphy" sweep calm-day --seeds 1..2 --shard "$shard"
    done
    wants 64 'jobs' "$murphy" sweep calm-day --seeds 1..2 --jobs 0
    wants 64 'not one sweep' "$murphy" sweep calm-day --seeds 1..900000000
    wants 64 'given twice' "$murphy" sweep calm-day scenarios/calm-day.json --seeds 1
    wants 64 "unknown option '--speed'" "$murphy" sweep calm-day --speed 1
    wants 65 'did you mean "calm-day"' "$murphy" sweep clam-day --seeds 1
    wants 65 'needs a file' "$murphy" sweep real-catalogue --seeds 1
    wants 64 'say which folders' "$murphy" merge
    wants 65 'there is no sweep.db' "$murphy" merge "$folder/nowhere"
}

# One process that plays all runs one after the other, three processes, and a process for each run
# give the same hashes: nothing of a run is left for the one after it. The objective that nobody
# can meet makes each run show its hash.
hashes_are_those_of_single_runs() {
    local unmet='objectives.freshness_p95=1ms' scenario seed
    for jobs in 1 3; do
        "$murphy" sweep $quick --seeds 1..3 --jobs $jobs --set "$unmet" --json \
            >"$folder/out" 2>"$folder/err"
        holds "objectives alone leave 2 (here $?)" $(($? != 2))
        hashes <"$folder/out" >"$folder/hashes-$jobs"
    done
    for scenario in $quick; do
        for seed in 1 2 3; do
            echo "$scenario $seed $("$murphy" run "$scenario" --seed $seed --set "$unmet" --json \
                2>/dev/null | sed -n 's/^ *"trace_hash": "\([0-9a-f]*\)".*/\1/p')"
        done
    done | sort >"$folder/hashes"
    [ "$(wc -l <"$folder/hashes")" = 6 ] && [ "$(cut -d ' ' -f 3 "$folder/hashes" | sort -u | wc -l)" = 6 ]
    holds 'six runs have six hashes' $?
    cmp "$folder/hashes" "$folder/hashes-1" && cmp "$folder/hashes" "$folder/hashes-3"
    holds 'swept and single runs have the same hashes' $?
}

# The check and the line that does it again, at once and at the end; the line does do it again.
failures_are_reproduced() {
    wants 1 'always-reembed' "$murphy" sweep calm-day --seeds 3 --bug always-reembed \
        --set workload.events=6000
    local line="murphy run calm-day --seed 3 --bug always-reembed --set workload.events=6000"
    grep -qF "$line" "$folder/out" && grep -qF "$line" "$folder/err" &&
        grep -q '^fail  calm-day, seed 3: ' "$folder/out"
    holds 'a failure prints its line on stdout and stderr' $?
    "$murphy" ${line#murphy } >/dev/null 2>&1
    holds 'and the line fails as the sweep did' $(($? != 1))
}

# What a scenario waives and none of its runs breaches is told, and what is needed is not; of few runs
# nothing is said.
needless_allowances_are_told() {
    local small='--set workload.duration=1h --set workload.catalogue_load=10m --set workload.listings=20
        --set workload.events=150 --set contracts.waived=["vectors.latency"]'
    "$murphy" sweep calm-day --seeds 1..40 $small --set 'expect.may_raise=["mass-delete"]' \
        >"$folder/out" 2>"$folder/err"
    grep -qx 'needless: calm-day: contracts.waived vectors.latency, in none of 40 runs' "$folder/out" &&
        grep -qx 'needless: calm-day: expect.may_raise mass-delete, in none of 40 runs' "$folder/out"
    holds 'what no run needed is told' $?
    "$murphy" sweep calm-day --seeds 1..40 $small --set vectors.visible_after=1h \
        >"$folder/out" 2>"$folder/err"
    ! grep -q '^needless' "$folder/out"
    holds 'what runs needed is not' $?
    "$murphy" sweep calm-day --seeds 1..3 $small >"$folder/out" 2>"$folder/err"
    ! grep -q '^needless' "$folder/out"
    holds 'of three runs nothing is said' $?
}

# A scenario that lasts for minutes, beside a quick one.
slow_scenario() {
    sed -e 's/"events": *[0-9]*/"events": 3000000/' -e 's/"name": *"bad-day"/"name": "slow"/' \
        scenarios/bad-day.json >"$folder/slow.json"
}

# A worker that is killed costs its one seed; another one plays the rest.
a_killed_worker_costs_one_run() {
    slow_scenario
    "$murphy" sweep "$folder/slow.json" erasure-listing --seeds 1 --jobs 1 >"$folder/out" \
        2>"$folder/err" &
    local sweeping=$! worker= status
    for _ in $(seq 50); do
        worker=$(ps -o pid= --ppid $sweeping 2>/dev/null | tr -d ' ')
        [ -n "$worker" ] && break
        sleep 0.1
    done
    sleep 0.5
    kill -SEGV "$worker"
    wait $sweeping
    status=$?
    [ $status = 70 ]
    holds "a crash leaves 70 (here $status)" $?
    grep -q '^error slow, seed 1: its process was ended by signal 11' "$folder/out" &&
        grep -Eq '^erasure-listing +1 +1 +0 +0 +0' "$folder/out"
    holds 'the crash is told with its signal, and the run after it was played' $?
}

# SIGKILL at any moment: what came out is there, the workers are gone, and the sweep goes on.
a_killed_sweep_goes_on() {
    "$murphy" sweep $quick --seeds 1..500 --jobs 2 --out "$folder/killed" >/dev/null 2>&1 &
    local sweeping=$! workers alive=0
    sleep 1.5
    workers=$(ps -o pid= --ppid $sweeping)
    wants 64 'another sweep is at work' "$murphy" sweep erasure-listing --seeds 1 --out "$folder/killed"
    kill -KILL $sweeping
    wait $sweeping 2>/dev/null
    sleep 0.3
    for worker in $workers; do
        # One that nobody has asked for its end is dead all the same.
        grep -q '^State:[[:space:]]*[^ZX[:space:]]' "/proc/$worker/status" 2>/dev/null &&
            alive=$((alive + 1))
    done
    holds "no worker survives ($alive did)" $alive
    wants 0 'going on' "$murphy" sweep $quick --seeds 1..6 --out "$folder/killed"
    grep -Eq ' holds [1-9][0-9]* of 12 runs' "$folder/err"
    holds 'and it was not from the start' $?
    wants 0 'holds 12 of 12' "$murphy" sweep $quick --seeds 1..6 --out "$folder/killed"
    wants 65 'asked for are missing' "$murphy" merge "$folder/killed"
    wants 64 'another bug' "$murphy" sweep $quick --seeds 1 --out "$folder/killed" --bug no-dedupe
    sed 's/"listings": *[0-9]*/&1/' scenarios/erasure-listing.json >"$folder/erasure-listing.json"
    wants 64 'another text of the scenario' "$murphy" sweep "$folder/erasure-listing.json" \
        --seeds 1 --out "$folder/killed"
}

# Ctrl-C ends it within a second and keeps what is done.
an_interrupted_sweep_keeps_what_it_has() {
    slow_scenario
    "$murphy" sweep erasure-listing "$folder/slow.json" --seeds 1..3 --jobs 1 --json \
        --out "$folder/kept" >"$folder/out" 2>"$folder/err" &
    local sweeping=$! began status
    sleep 1.5
    # A shell starts what runs in the background deaf to SIGINT; SIGTERM takes the same way.
    kill -TERM $sweeping
    began=$(date +%s%N)
    wait $sweeping
    status=$?
    [ $status = 130 ] && [ $(($(date +%s%N) - began)) -lt 1000000000 ]
    holds "an interrupted sweep ends within a second, with status 130 (here $status)" $?
    grep -q '"runs": 1,' "$folder/out" && grep -q '"complete": false' "$folder/out"
    holds 'and says what it has' $?
    wants 0 'holds 1 of 1' "$murphy" sweep erasure-listing --seeds 1 --out "$folder/kept"
}

# Shards together are the whole; what contradicts another shard is refused, and both are named.
shards_are_joined() {
    local whole joined hash
    for shard in 1 2 3; do
        wants 0 'all ' "$murphy" sweep $quick --seeds 1..7 --shard $shard/3 --out "$folder/shard-$shard"
    done
    wants 65 'missing' "$murphy" merge "$folder/shard-1" "$folder/shard-3"
    wants 0 'all ' "$murphy" merge "$folder"/shard-? --out "$folder/joined"
    grep -q '<title>PASS sweep</title>' "$folder/joined/report.html" "$folder/shard-1/report.html"
    holds "sweep and merge leave a page" $?
    grep -Eq '^all +14 +14 ' "$folder/out"
    holds 'three shards are all seeds, each once' $?
    wants 0 '"complete": true' "$murphy" merge "$folder/joined" "$folder/shard-2" --json
    wants 64 'there already' "$murphy" merge "$folder/shard-1" --out "$folder/joined"
    hash=$("$murphy" run erasure-listing --seed 2 --json | sed -n 's/^ *"trace_hash": "\([0-9a-f]*\)".*/\1/p')
    LC_ALL=C sed -i "s/$hash/$(tr 0-9a-f 1-9a-f0 <<<"$hash")/" "$folder/joined/sweep.db"
    wants 65 "$folder/shard-2, but " "$murphy" merge "$folder/shard-2" "$folder/joined"
    grep -qF "erasure-listing, seed 2: trace hash $hash" "$folder/err" &&
        grep -qF "in $folder/joined" "$folder/err"
    holds 'a contradiction names the run and both folders' $?
    LC_ALL=C sed -i 's/0\.1\.0/0.0.9/' "$folder/shard-3/sweep.db"
    mkdir "$folder/empty" && : >"$folder/empty/sweep.db"
    wants 65 "$folder/empty/sweep.db" "$murphy" merge "$folder/shard-1" "$folder/empty"
    wants 65 "the version of" "$murphy" merge "$folder/shard-1" "$folder/shard-3"
}

usage_is_refused
hashes_are_those_of_single_runs
failures_are_reproduced
needless_allowances_are_told
a_killed_worker_costs_one_run
a_killed_sweep_goes_on
an_interrupted_sweep_keeps_what_it_has
shards_are_joined

expect_end
