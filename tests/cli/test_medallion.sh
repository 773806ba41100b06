#!/bin/bash
# Every scenario's run is, in every layer, what its bronze says (B4), and its audit streams verify and
# make the documents that are live (B8): whatever was done to it on the way, and whatever was erased
# or expired meanwhile. Finds the program in MURPHY_BUILD; `test_medallion.sh NAME...` tries these.
set -u
murphy=${MURPHY_BUILD:-build}/murphy
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
passed=0
failed=0

[ $# -gt 0 ] || set -- $("$murphy" list scenarios | awk '{print $1}')
for scenario in "$@"; do
    [ "$scenario" = real-catalogue ] && continue # it wants a file of the user's
    "$murphy" run "$scenario" --seed 1 --out "$folder/run" >/dev/null 2>&1
    if found=$("$murphy" rebuild "$folder/run" --from bronze 2>&1) &&
        grep -q '^EQUAL' <<<"$found" &&
        found=$("$murphy" rebuild "$folder/run" --from audit 2>&1) &&
        grep -q '^VERIFIED' <<<"$found"; then
        passed=$((passed + 1))
    else
        echo "$scenario: $(head -5 <<<"$found")"
        failed=$((failed + 1))
    fi
    rm -rf "$folder/run"
done

echo "test_medallion.sh: $passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
