#!/bin/bash
# A strike is what a fault did, not what it tried (D5): every kind, alone in the world of the swarm,
# strikes and leaves its mark on some of a few seeds; and while it waits for a state that never holds
# it does not strike at all. Finds the program in MURPHY_BUILD. ONLY_KIND: that kind alone.
source tests/cli/expect.sh
seeds="1 2 3"

# Kinds that a swarm does without, each in a form that would strike.
beside_the_swarm='
{"kind": "dual-write", "ratio": "1/10"}
{"kind": "item-refusals", "sink": "vectors", "ratio": "1/10"}
{"kind": "model-drift", "ratio": "1/2"}
{"kind": "upsert-duplicates", "ratio": "1/5"}
{"kind": "outbox-stall", "from": "20m", "until": "30m"}
{"kind": "acked-lost", "feed": "orders", "ratio": "1/4"}
{"kind": "load-loss", "ratio": "1/2"}
{"kind": "merge-corrupt", "ratio": "1/2"}
{"kind": "gold-skip", "ratio": "1/2"}
{"kind": "stale-view", "ratio": "1/2"}
{"kind": "silent-model", "ratio": "1/2"}
{"kind": "unclean-leader", "topic": "listing-log", "every": "2m", "delay": "5m"}
{"kind": "early-retention", "topic": "listing-log", "every": "2m"}
{"kind": "rows-lost", "ratio": "1/2", "delay": "10m"}
{"kind": "rows-return", "ratio": "1/2", "delay": "10m"}
{"kind": "rows-spoiled", "ratio": "1/2", "delay": "10m"}
{"kind": "rotten-state", "ratio": "1/3"}
'

# KIND: what else has to go wrong for the kind to have an effect.
companion() {
    case $1 in
    # What a broker knows of producers matters to a retry, and somebody has to make one.
    producers-forgotten)
        echo '{"kind": "sink-crash", "sink": "log", "point": "half", "ratio": "1/4", "down": "20s"}'
        ;;
    # A checkpoint is read by whoever takes its place.
    rotten-state) echo '{"kind": "worker-crash", "worker": "builder", "every": "5m", "down": "5s"}' ;;
    # What nobody reads any more may go, and what a token says matters to whoever opens a channel.
    early-retention)
        echo '{"kind": "worker-pause", "worker": "builder", "every": "5m", "down": "90s"}'
        ;;
    token-overwritten)
        echo '{"kind": "worker-crash", "worker": "loader", "every": "5m", "down": "5s"}'
        ;;
    esac
}

# KIND: how the world has to be for the kind to have an effect, as arguments.
setting() {
    case $1 in
    upsert-duplicates) echo '--set vectors.profile=milvus-like' ;;
    esac
}

# KIND: why it strikes and leaves no mark; nothing when it has to leave one.
without_a_mark() {
    case $1 in
    lost-commits | commits-forgotten)
        echo 'who goes on from a checkpoint reads no commit, and there always is one'
        ;;
    esac
}

kinds() {
    "$murphy" list faults --json | sed -n 's/^    "name": "\(.*\)",$/\1/p'
}

# KIND: its faults, a line each, as the swarm has them.
faults_of() {
    { cat scenarios/swarm.json; echo "$beside_the_swarm"; } | grep "{\"kind\": \"$1\"" |
        sed 's/^ *//; s/,$//'
}

# The world of the swarm with the faults of stdin, all of them on, and nothing drawn. Nobody upgrades
# anything in it: readers are never led to another model.
world() {
    awk '
        FNR == NR { faults = faults (faults == "" ? "" : ",\n") $0; next }
        /^  "(swarm|focus)": / { next }
        /^  "(operations|draw)": [[{]$/ { skipping = 1; next }
        /^  "faults": \[/ { print "  \"faults\": [\n" faults "\n  ],"; skipping = 1; next }
        skipping && /^  []}],$/ { skipping = 0; next }
        !skipping { print }
    ' - scenarios/swarm.json
}

# FILE SEED: of a run, how often faults of the kind struck, and what shows that they did.
struck=0
mark=
run() {
    local settings
    read -ra settings < <(setting "$kind")
    "$murphy" run "$1" --seed "$2" --set pipeline.idempotent_producers=true \
        --set keywords.gc_deletes=10m "${settings[@]}" --json 2>/dev/null >"$folder/run.json"
    struck=$(tr -d '\n' <"$folder/run.json" |
        grep -o "\"kind\": \"$kind\", *\"injected\": [0-9]*" | sed 's/.* //' | head -n 1)
    mark=$(grep -E '"(trace_hash|embeddings_(made|reused)|objects\.request)":' "$folder/run.json")
    [ -n "$mark" ]
    holds "there is a result of $kind with seed $2" $?
}

# KIND: alone, against itself waiting for a state that never holds: the moments at which it looks
# whether to strike are in both runs.
a_kind_strikes_and_waits() {
    local kind=$1 strikes=0 waiting_strikes=0 marks=0 seed before
    { faults_of "$kind"; companion "$kind"; } | world >"$folder/alone.json"
    { faults_of "$kind" | sed 's/}$/, "when": "switching"}/'; companion "$kind"; } | world \
        >"$folder/waits.json"
    for seed in $seeds; do
        run "$folder/waits.json" "$seed"
        waiting_strikes=$((waiting_strikes + ${struck:-0}))
        before=$mark
        run "$folder/alone.json" "$seed"
        strikes=$((strikes + ${struck:-0}))
        [ "$mark" = "$before" ] || marks=$((marks + 1))
    done
    [ "$strikes" -gt 0 ]
    holds "$kind strikes" $?
    [ "$waiting_strikes" = 0 ]
    holds "$kind does not strike in a state that never holds ($waiting_strikes strikes)" $?
    if [ -z "$(without_a_mark "$kind")" ]; then
        [ "$marks" -gt 0 ]
        holds "$kind leaves a mark" $?
    else
        [ "$marks" = 0 ]
        holds "$kind leaves no mark, as is said of it" $?
    fi
}

for kind in ${ONLY_KIND:-$(kinds)}; do
    [ -n "$(faults_of "$kind")" ]
    holds "the swarm, or this test, has the kind $kind" $?
    a_kind_strikes_and_waits "$kind"
done
expect_end
