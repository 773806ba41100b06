#!/bin/bash
# Runs one suite for ci/test.sh: `ci/run_suite.sh SUITE LOGS`. Writes its counts to a file in LOGS and
# prints its line, all at once, since suites run beside each other.
set -u
suite=$1
base="$2/${suite//\//_}"
limit=${SUITE_LIMIT_SECONDS:-900}

case $suite in
*.sh) command=(bash "$suite") ;;
*) command=("$MURPHY_BUILD/${suite%.c}") ;;
esac

# A folder of its own for what the suite writes: nothing is left behind, nothing is shared.
mkdir "$base.tmp"
began=$SECONDS
TMPDIR="$base.tmp" timeout -k 5 "$limit" "${command[@]}" >"$base.log" 2>&1 </dev/null
status=$?
took=$((SECONDS - began))

# cmocka says '[  PASSED  ] 3 test(s).' for each group, or the script closes with its own counts.
read -r passed failed skipped <<<"$(awk '
    /^\[  PASSED  \] [0-9]+ test\(s\)/ { passed += $4 }
    /^\[  FAILED  \] [0-9]+ test\(s\)/ { failed += $4 }
    /^\[  SKIPPED \] [0-9]+ test\(s\)/ { skipped += $4 }
    /^[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$/ { last = $0 }
    END {
        if (last != "") { split(last, n, " "); passed += n[1]; failed += n[3]; skipped += n[5] }
        print passed + 0, failed + 0, skipped + 0
    }' "$base.log")"

why=
if [ $status = 124 ] || [ $status = 137 ]; then
    why=" (stopped after $limit s)"
elif [ $status -gt 128 ]; then
    why=" (ended by signal $((status - 128)))"
elif [ $status != 0 ] && [ "$failed" = 0 ]; then
    why=" (exit status $status)"
elif [ $((passed + failed + skipped)) = 0 ]; then
    why=' (ran no test)'
fi
# Whatever ended a suite before its own count is a failure that it did not count.
[ -n "$why" ] && failed=$((failed + 1))

echo "$passed $failed $skipped" >"$base.counts"
word=ok
[ "$failed" -gt 0 ] && word=FAILED
line=$(printf '%-6s  %-44s %4d passed, %d failed' $word "${suite%.c}" "$passed" "$failed")
[ "$skipped" -gt 0 ] && line="$line, $skipped skipped"
line="$line, $took s$why"
if [ $word = FAILED ]; then
    printf '%s\n%s\n\n' "$line" "$(tail -n 200 "$base.log" | tr -d '\000' | sed 's/^/    /')"
else
    printf '%s\n' "$line"
fi
exit 0
