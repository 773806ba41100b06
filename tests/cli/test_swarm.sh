#!/bin/bash
# The swarm holds, and its faults strike in the states of the pipeline (D5). What is swept here is a
# part: so many seeds, and of the cells the share that so many seeds reach. All cells are asked of
# seeds 1 to 10,000 (docs/faults.md). Finds the program in MURPHY_BUILD.
source tests/cli/expect.sh

# Every seed holds, and no cell that is declared impossible is reached.
the_swarm_holds_and_covers() {
    "$murphy" sweep swarm --seeds 1..200 --cover 85% >"$folder/swept" 2>"$folder/err"
    local status=$?
    [ $status = 0 ] || grep -v '^never' "$folder/swept" | tail -n 60
    holds 'seeds 1 to 200 of the swarm hold and reach 85 % of the cells' $status
}

# In the sweep before this, each profile of a vector database is drawn, the table says how its runs
# went, and a run tells what its seed drew.
seeds_say_what_they_drew() {
    local drawn missing=0 profile
    drawn=$(grep '^swarm, vectors.profile: ' "$folder/swept")
    for profile in plain opensearch-like milvus-like pinecone-like pgvector-like; do
        grep -q " $profile [0-9]" <<<"$drawn" || missing=1
    done
    holds 'the seeds of a sweep draw every vector database' $missing
    profile=$("$murphy" run swarm --seed 4 --json | sed -n 's/.*"vectors.profile": *"\([a-z-]*\)".*/\1/p')
    "$murphy" run swarm --seed 4 | grep -q "drawn .*vectors.profile $profile"
    holds 'a run tells which one it is, in the text as in run.json' $?
}

# The share is asked for in earnest: a sweep of one seed cannot have it, and says what it lacks.
an_empty_cell_fails() {
    "$murphy" sweep swarm --seeds 1 --cover 100% >"$folder/swept" 2>/dev/null
    [ $? = 1 ] && grep -q '^never reached: ' "$folder/swept"
    holds 'a sweep that leaves cells empty fails and names them' $?
    "$murphy" sweep swarm --seeds 1 >/dev/null 2>&1
    holds 'without --cover the same sweep passes' $?
}

the_swarm_of_what_is_repaired_holds() {
    "$murphy" sweep swarm-repaired --seeds 1..40 >"$folder/swept" 2>"$folder/err"
    holds 'seeds 1 to 40 of what is repaired hold' $?
}

the_swarm_holds_and_covers
seeds_say_what_they_drew
the_swarm_of_what_is_repaired_holds
an_empty_cell_fails
expect_end
