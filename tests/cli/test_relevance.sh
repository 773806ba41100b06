#!/bin/bash
# murphy relevance (B7): the generated set, files of the user, what is refused and where, and real
# judgments when they are there (MURPHY_DATA names the folder that holds icecat/). Finds the program
# in MURPHY_BUILD. Figures are the same on every machine.
set -u
murphy=$(realpath "${MURPHY_BUILD:-build}")/murphy
data=${MURPHY_DATA:-../shared/data}/icecat
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
passed=0
failed=0

judge() {
    if [ "$1" = 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "not so: $2"
        sed 's/^/    /' "$folder/err" "$folder/out" | head -n 3
    fi
}

# STATUS SENTENCE OPTION...: leaves with the status; what it said is in out and err.
relevance() {
    local status=$1 sentence=$2
    shift 2
    "$murphy" relevance "$@" >"$folder/out" 2>"$folder/err" </dev/null
    local got=$?
    [ $got = "$status" ]
    judge $? "$sentence (status $got)"
}

# STATUS PATTERN OPTION...: refused in one line, with nothing on stdout.
refuses() {
    local status=$1 pattern=$2
    shift 2
    relevance "$status" "refuses $*" "$@"
    [ ! -s "$folder/out" ] && [ "$(wc -l <"$folder/err")" = 1 ] && grep -qE -- "$pattern" "$folder/err"
    judge $? "says of $* in one line: $pattern"
}

# NAME: the nDCG@10 of that ranking in the JSON of out; lift: the lift.
ndcg() {
    sed -n "/\"$1\": {/,/}/s/.*\"ndcg10\": \([-0-9.e]*\).*/\1/p" "$folder/out"
}

# Hybrid beats the better of the two, and the lift is that difference.
lifts() {
    awk -v b="$(ndcg bm25)" -v v="$(ndcg vector)" -v h="$(ndcg hybrid)" -v l="$(ndcg lift)" 'BEGIN {
        best = b > v ? b : v
        gap = h - best - l
        exit !(h > best && l > 0 && gap < 1e-8 && gap > -1e-8) }'
    judge $? "hybrid beats the better of the two $1"
}

relevance 0 'the generated set' --json
lifts 'on the generated set'
tr -d ' \n' <"$folder/out" | grep -qE '^\{"queries":600,"bm25":\{"ndcg10":[0-9.]+,"mrr":[0-9.]+,"recall100":[0-9.]+\},"vector":\{"ndcg10":[0-9.]+,"mrr":[0-9.]+,"recall100":[0-9.]+\},"hybrid":\{"ndcg10":[0-9.]+,"mrr":[0-9.]+,"recall100":[0-9.]+\},"lift":\{"ndcg10":[-0-9.e]+,"ci95":\[[-0-9.e]+,[-0-9.e]+\]\}\}$'
judge $? 'JSON has these keys and no others'
cp "$folder/out" "$folder/first"
relevance 0 'once more' --json
cmp -s "$folder/out" "$folder/first"
judge $? 'the same figures to the last digit'
relevance 0 'text'
grep -q 'nDCG@10' "$folder/out" && grep -q 'better of the two' "$folder/out" && grep -q '95 % of the bootstrap' "$folder/out"
judge $? 'the text says what was compared with what'
[ "$(awk '{ if (length($0) > most) most = length($0) } END { print most }' "$folder/out")" -le 90 ]
judge $? 'the text fits into 90 columns'

cat >"$folder/products.jsonl" <<'END'
{"id": "a", "title": "oak table", "description": "solid wood for the kitchen"}
{"id": 7, "name": "pine table", "colour": "white", "image": "https://example.org/lamp.jpg"}

{"id": "c", "title": "desk lamp", "short_description": "light for a desk"}
END
printf 'query,docid,rating\r\noak table,a,3\r\n"table, white",7,2\r\nlamp,c,3\r\nnothing,a,0\r\n' >"$folder/judgments.csv"
relevance 0 'files' --products "$folder/products.jsonl" --judgments "$folder/judgments.csv"
grep -q '3 products, 3 queries with 4 judgments' "$folder/out" && grep -q '1 more queries have no rating above 0' "$folder/out"
judge $? 'what was read is said'
cp "$folder/out" "$folder/first"
gzip -k "$folder/products.jsonl" "$folder/judgments.csv"
relevance 0 'gzip' --products "$folder/products.jsonl.gz" --judgments "$folder/judgments.csv.gz"
cmp -s <(tail -n +2 "$folder/out") <(tail -n +2 "$folder/first")
judge $? 'gzip is read as what it holds'
printf 'rating,note,docid,query\n3,x,gone,lamp\n3,,c,lamp\n' >"$folder/other.csv"
relevance 0 'columns in any order' --products "$folder/products.jsonl" --judgments "$folder/other.csv"
grep -q '1 judgments name products that are not there' "$folder/out"
judge $? 'judgments of products that are not there are said'

refuses 64 "unknown option '--speed'" --speed 9
refuses 64 "missing after '--seed'" --seed
refuses 64 "seed is a whole number" --seed x
refuses 64 'go together' --products "$folder/products.jsonl"
refuses 65 'none: No such file' --products "$folder/none" --judgments "$folder/none"

# PATTERN TEXT: products that are refused.
bad_products() {
    printf "$2" >"$folder/bad.jsonl"
    refuses 65 "bad.jsonl:$1" --products "$folder/bad.jsonl" --judgments "$folder/judgments.csv"
}
bad_products '2:[0-9]+: ' '{"id": "a", "title": "t"}\n{"id": "b", "title" "t"}\n'
bad_products '1:1: a product is a JSON object' '[1]\n'
bad_products '1:1: a product has an "id"' '{"title": "t"}\n'
bad_products '2:1: the id "a" is that of an earlier product' '{"id": "a", "title": "t"}\n{"id": "a", "title": "t"}\n'
bad_products '1:1: a product has a "title"' '{"id": "a", "title": ""}\n'
bad_products '1:10: this byte is not UTF-8' '{"id": "a\xff"}\n'
bad_products ' there is no product' ''
head -c 60 "$folder/products.jsonl.gz" >"$folder/cut.gz"
refuses 65 'cut.gz:.*cut off' --products "$folder/cut.gz" --judgments "$folder/judgments.csv"

# PATTERN TEXT: judgments that are refused.
bad_judgments() {
    printf "$2" >"$folder/bad.csv"
    refuses 65 "bad.csv:$1" --products "$folder/products.jsonl" --judgments "$folder/bad.csv"
}
bad_judgments '1:1: .*rating is missing' 'query,docid,grade\nlamp,a,1\n'
bad_judgments '2:8: a rating is a whole number from 0 to 9, not "good"' 'query,docid,rating\nlamp,a,good\n'
bad_judgments '2:7: the line has 2 fields' 'query,docid,rating\nlamp,a\n'
bad_judgments '3:6: this product was rated' 'query,docid,rating\nlamp,a,1\nlamp,a,2\n'
bad_judgments '2:1: the query is empty' 'query,docid,rating\n,a,1\n'
bad_judgments '2:1: the quote that begins here' 'query,docid,rating\n"lamp,a,1\n'
bad_judgments '2:7: behind a quoted field' 'query,docid,rating\n"lamp"x,a,1\n'
bad_judgments '2:3: a quote may only begin' 'query,docid,rating\nla"mp,a,1\n'
bad_judgments '.*nothing to score' 'query,docid,rating\nlamp,a,0\n'

if [ -r "$data/judgments.csv" ]; then
    relevance 0 'real judgments' --json --products "$data/products.jsonl.gz" --judgments "$data/judgments.csv"
    grep -q '"queries": 65' "$folder/out"
    judge $? 'all queries with a rating above 0 are scored'
    lifts 'on real judgments'
else
    echo "skipped: there is no $data/judgments.csv"
fi

echo "$passed passed, $failed failed"
[ $failed = 0 ]
