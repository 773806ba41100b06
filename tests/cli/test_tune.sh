#!/bin/bash
# murphy tune (D8, D12): the point that it picks, what it refuses, files, the plot, and Ctrl-C. Finds
# the program in MURPHY_BUILD. Recall is the same everywhere and compared; speed is only there.
source tests/cli/expect.sh

# STATUS SENTENCE OPTION...: leaves with the status; what it said is in out and err.
tune() {
    local status=$1 sentence=$2
    shift 2
    "$murphy" tune "$@" >"$folder/out" 2>"$folder/err" </dev/null
    local got=$?
    [ $got = "$status" ]
    holds "$sentence (status $got)" $?
}

# PATTERN SENTENCE: the pattern is in the output, or on stderr when the output is empty.
says() {
    grep -qE -- "$1" "$folder/out" "$folder/err"
    holds "$2" $?
}

# STATUS PATTERN OPTION...: refused in one line, with nothing on stdout.
refuses() {
    local status=$1 pattern=$2
    shift 2
    tune "$status" "refuses $*" "$@"
    [ ! -s "$folder/out" ] && [ "$(wc -l <"$folder/err")" = 1 ] && grep -qE -- "$pattern" "$folder/err"
    holds "says of $* in one line: $pattern" $?
}

small='--count 600 --dim 24 --clusters 10 --queries-count 50 --m 4,8 --ef-construction 20 --ef 10,40'

# shellcheck disable=SC2086
tune 0 'a point is chosen' $small
says 'The fastest of 4 points' 'the choice is explained'
says ' \*$' 'the choice is marked in the table'
[ "$(awk '{ if (length($0) > most) most = length($0) } END { print most }' "$folder/out")" -le 80 ]
holds 'the text fits into 80 columns' $?

# shellcheck disable=SC2086
tune 2 'an objective out of reach has a status of its own' $small --m 2 --ef 10 --deleted 50 --objective 1
says 'No point reaches' 'an objective out of reach is said'

# shellcheck disable=SC2086
tune 0 'JSON' $small --json --metric l2 --accept 20
[ "$(grep -c '"queries_per_second"' "$folder/out")" = 5 ] && grep -q '"chosen": {' "$folder/out"
holds 'JSON gives each point and the chosen one' $?
grep '"recall"' "$folder/out" >"$folder/first"
# shellcheck disable=SC2086
tune 0 'JSON again' $small --json --metric l2 --accept 20
grep '"recall"' "$folder/out" | head -n 4 | cmp -s - <(head -n 4 "$folder/first")
holds 'recall is the same from the same seed' $?

refuses 64 "unknown option '--speed'" --speed 9
refuses 64 "missing after '--ef'" --ef
refuses 64 "ascending numbers from 2 to 128, not '16,8'" --m 16,8
refuses 64 "not '0'" --ef-construction 0
refuses 64 "at least --k" --k 20 --ef 10
refuses 64 "recall above 0 and up to 1, not '1.5'" --objective 1.5
refuses 64 "l2 or cosine, not 'dot'" --metric dot
refuses 64 'go together' --base "$folder/none"
refuses 64 'do not go with --base' --base "$folder/none" --queries "$folder/none" --count 5
refuses 64 'of memory, and the machine has' --count 100000000 --dim 4096
refuses 64 'cannot be written' --out "$folder/none/plot.svg"
refuses 65 'No such file' --base "$folder/none" --queries "$folder/none"

# Rows of two elements, 1 apart: little-endian dimension and floats written by hand.
row='\x02\x00\x00\x00\x00\x00\x80\x3f'
printf "$row"'\x00\x00\x00\x00'"$row"'\x00\x00\x80\x3f'"$row"'\x00\x00\x00\x40' >"$folder/base.fvecs"
printf "$row"'\x00\x00\x80\x3f' >"$folder/queries.fvecs"
printf "$row" >"$folder/cut.fvecs"
tune 0 'files are searched' --base "$folder/base.fvecs" --queries "$folder/queries.fvecs" --metric l2
says '3 vectors of 2' 'what was read is said'
refuses 65 'cut.fvecs: row 0 at byte 0 is cut off' --base "$folder/base.fvecs" --queries "$folder/cut.fvecs"

# shellcheck disable=SC2086
tune 0 'a plot is drawn' $small --out "$folder/plot.svg"
grep -q '</svg>' "$folder/plot.svg" && grep -q 'efConstruction' "$folder/plot.svg"
holds 'the plot is an SVG' $?
PATH=/nowhere "$murphy" tune --out "$folder/other.svg" >"$folder/out" 2>"$folder/err"
[ $? = 70 ] && grep -q 'gnuplot-nox' "$folder/err" && [ ! -s "$folder/out" ]
holds 'without gnuplot it says so before it measures' $?

"$murphy" tune --count 60000 --out "$folder/late.svg" >"$folder/out" 2>"$folder/err" &
running=$!
sleep 1.5
kill -TERM $running
began=$(date +%s%N)
wait $running
status=$?
[ $status = 130 ] && [ $(($(date +%s%N) - began)) -lt 1000000000 ] && [ ! -s "$folder/out" ]
holds "it stops within a second (status $status)" $?
[ -z "$(find "$folder" -name '*.svg*' ! -name plot.svg)" ]
holds 'nothing half-written is left' $?
expect_end
