#!/bin/bash
# murphy explain --metric (B6): from a finished run's file the walk names the layer that the run
# itself named, shows rows and numbers, gives SQL that runs, and refuses what it does not know. Finds
# the program in MURPHY_BUILD.
source tests/cli/expect.sh

# STATUS RUN OPTION...: leaves with the status; what it said is in out and err.
explain() {
    local status=$1 run=$2
    shift 2
    "$murphy" explain "$folder/$run" "$@" >"$folder/out" 2>"$folder/err" </dev/null
    [ $? = "$status" ]
    holds "explain $run $* leaves with $status" $?
}

# KEY: its value in the JSON of out, at the outermost level.
value() {
    sed -n "s/^  \"$1\": \"\{0,1\}\([^\",]*\)\"\{0,1\},\{0,1\}$/\1/p" "$folder/out"
}

says() {
    [ "$(value "$1")" = "$2" ]
    local status=$?
    holds "$1 is $2, not $(value "$1")" $status
}

shows() {
    grep -qE -- "$1" "$folder/out"
    holds "it shows: $1" $?
}

# What each layer's scenario expects of the walk, seen from outside.
walks_to() {
    local layer=$1 cause=$2 at=$3
    "$murphy" run "lineage-$layer" --seed 3 --out "$folder/$layer" >"$folder/out" 2>"$folder/err"
    holds "lineage-$layer passes" $?
    explain 0 "$layer" --metric sales_amount --at "$at" --json
    says verdict wrong
    says layer "$layer"
    [ -z "$cause" ] || says cause "$cause"
    # The statements that it gives run, and each but that of an absent row finds something.
    sed -n '/^  "sql": \[/,/\]/s/^    "\(.*\)",\{0,1\}$/\1/p' "$folder/out" | sed 's/\\"/"/g' >"$folder/sql"
    [ "$(wc -l <"$folder/sql")" = 2 ]
    holds "two statements for $layer" $?
    local sql rows=0
    while read -r sql; do
        "$murphy" query "$folder/$layer" --at "$at" --csv "$sql" >"$folder/rows" 2>"$folder/err"
        holds "runs: $sql" $?
        [ "$(wc -l <"$folder/rows")" -gt 1 ] && rows=1
    done <"$folder/sql"
    [ $rows = 1 ]
    holds "a statement for $layer finds rows" $?
    explain 0 "$layer" --metric sales_amount --json
    says verdict right
    says layer none
    rm -rf "${folder:?}/$layer"
}

walks_to relay stalled +1h25m
walks_to topic lost +1h45m
walks_to bronze lost +1h45m
walks_to gold '' +1h45m
walks_to view stalled +1h45m

"$murphy" run lineage-silver --seed 3 --out "$folder/run" >"$folder/out" 2>"$folder/err"
holds 'lineage-silver passes' $?
explain 0 run --metric sales_amount --at +1h45m
shows '^WRONG: silver corrupted since '
shows '^  silver .*<- here$'
shows '^      oltp     ".*", hour .*,$'
shows '^               quantity [0-9]+, amount [0-9.]+$'
shows '^      record   partition [0-9]+, offset [0-9]+, appended '
shows "murphy query .* --at .* 'SELECT \* FROM silver_order WHERE order_id IN"
explain 0 run --metric 'sales_orders' --at +1h45m --json
says layer none
explain 0 run --metric 'sales_amount{hour="+1h"}' --at +1h45m --json
says layer silver
explain 0 run --metric 'sales_amount{category="Nothing of the kind"}' --json
says verdict 'no data'
explain 64 run --metric sales_profit
explain 64 run --metric 'sales_amount{colour="red"}'
explain 64 run --metric 'sales_amount{hour="soon"}'
explain 64 run --metric 'sales_amount{category="Books"'
explain 64 run --metric sales_amount --listing 5
explain 64 run --metric sales_amount --at never
explain 65 nowhere --metric sales_amount
expect_end
