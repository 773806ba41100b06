# For scripts of tests/cli, which source it: the program of MURPHY_BUILD, a folder for what it leaves,
# and expectations. A script ends with `expect_end`, which prints what ci/test.sh reads.
set -u
murphy=$(realpath "${MURPHY_BUILD:-build}")/murphy
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
passed=0
failed=0

# SENTENCE STATUS: the sentence holds when the status is 0.
holds() {
    if [ "$2" = 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "not so: $1"
        tail -n 8 "$folder/out" "$folder/err" 2>/dev/null
    fi
}

# STATUS FRAGMENT COMMAND...: leaves with that status and says the fragment, on stdout or stderr.
wants() {
    local status=$1 fragment=$2
    shift 2
    "$@" >"$folder/out" 2>"$folder/err" </dev/null
    local got=$?
    [ $got = "$status" ] && grep -qF -- "$fragment" "$folder/out" "$folder/err"
    holds "$* leaves with $status (here $got) and says '$fragment'" $?
}

expect_end() {
    echo "$passed passed, $failed failed"
    [ $failed = 0 ]
    exit
}
