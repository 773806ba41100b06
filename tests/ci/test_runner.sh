# ci/test.sh and .ci/run count what happened: a suite that fails, crashes, hangs or runs nothing is
# never taken for one that passed.
source tests/ci/expect.sh

small_tree
mkdir -p tests/x build/tests/x
rm ci/scenarios.sh

# What a suite does stands in a script; for a cmocka program, in its place under build/.
suite() {
    rm -f tests/x/* build/tests/x/*
    another "$@"
}
another() {
    local file="tests/x/$1"
    [[ $1 == *.c ]] && : >"$file" && file="build/tests/x/${1%.c}"
    printf '#!/bin/bash\n%s\n' "$2" >"$file"
    chmod +x "$file"
}
run() {
    bash ci/test.sh build 2
}
cmocka='echo "[==========] Running 4 test(s)."
echo "[  PASSED  ] 3 test(s)." >&2'

suite test_a.c "$cmocka"
another test_b.sh 'echo "2 passed, 0 failed, 1 skipped"'
expect_pass 'suites that pass are summed up' run
expect_said 'a cmocka program has its line' '^ok +tests/x/test_a +3 passed, 0 failed'
expect_said 'the last line is the sum' '^5 passed, 0 failed, 1 skipped$'
expect_unsaid 'the output of what passed is not shown' 'Running'

suite test_a.c "$cmocka"'
echo "[  FAILED  ] 1 test(s), listed below:"
echo "the reason"
exit 1'
expect_fail 'a failed test fails the run' '^FAILED +tests/x/test_a +3 passed, 1 failed' run
expect_said 'its output is shown' 'the reason'
expect_said 'it is counted once' '^3 passed, 1 failed$'

suite test_a.c "$cmocka"'
kill -SEGV $$'
expect_fail 'a crash after passed tests is a failure' 'ended by signal 11' run
expect_said 'and counts as one' '^3 passed, 1 failed$'

suite test_a.sh 'echo "2 passed, 0 failed"; exit 3'
expect_fail 'an exit status without a failed test is a failure' 'exit status 3' run

suite test_a.sh 'exit 0'
expect_fail 'a suite that runs nothing has not passed' 'ran no test' run

suite test_a.sh 'sleep 60'
export SUITE_LIMIT_SECONDS=1
expect_fail 'a suite that hangs is stopped' 'stopped after 1 s' run
unset SUITE_LIMIT_SECONDS

suite test_a.c "$cmocka"
rm build/tests/x/test_a
expect_fail 'a suite that was not built has not passed' 'exit status 127' run

suite test_a.sh 'echo x >"$TMPDIR/left"; echo "1 passed, 0 failed"'
expect_pass 'a suite has a folder for what it writes' run

suite none.txt ''
expect_fail 'no suite at all is a failure' '^0 passed, 0 failed$' run

suite test_a.sh 'exit 1'
another test_b.sh 'echo "1 passed, 0 failed"'
export ONLY=test_b
expect_pass 'ONLY picks suites by name' run
unset ONLY

printf '#!/bin/bash\n' >build/murphy
chmod +x build/murphy
printf 'echo "7 passed, 0 failed"\n' >ci/scenarios.sh
suite test_b.sh 'echo "1 passed, 0 failed"'
expect_pass 'the scenario suite is one of them' run
expect_said 'and is counted' '^8 passed, 0 failed$'

# .ci/run sums up the checks and the suites. Its make is a stand-in that says what a script tells it.
mkdir .ci bin
cp "$repo/.ci/run" .ci/run
printf 'exit 0\n' >ci/install.sh
cat >bin/make <<'END'
#!/bin/bash
source "./make-$1"
END
chmod +x bin/make
merge() {
    PATH="$PWD/bin:$PATH" bash .ci/run
}
echo 'echo "6 passed, 0 failed"' >make-check
echo 'echo "9 passed, 0 failed, 1 skipped"' >make-test
echo 'echo "4 passed, 0 failed"' >make-conformance
expect_pass 'green checks and suites let a merge through' merge
expect_said 'and are summed up' '^19 passed, 0 failed, 1 skipped$'
echo 'echo "5 passed, 1 failed"; exit 1' >make-check
expect_fail 'a red check stops a merge' '^18 passed, 1 failed, 1 skipped$' merge
echo 'echo "6 passed, 0 failed"' >make-check
echo 'echo "3 passed, 1 failed"; exit 1' >make-conformance
expect_fail 'a fake that drifts stops a merge' '^18 passed, 1 failed, 1 skipped$' merge
echo 'echo "4 passed, 0 failed"' >make-conformance
echo 'exit 2' >make-test
expect_fail 'a build that breaks stops a merge' '^10 passed, 1 failed$' merge
expect_end
