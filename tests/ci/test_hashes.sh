# ci/hashes.sh turns red when one variant makes another hash, and when there is no hash at all. The
# compiler is a stand-in: a make that puts a script in the place of each variant's program.
source tests/ci/expect.sh

small_tree
mkdir bin scenarios
touch scenarios/calm.json scenarios/storm.json scenarios/real-catalogue.json scenarios/run.schema.json
cat >bin/make <<'END'
#!/bin/bash
for word in "$@"; do
    case $word in BUILD=*) folder=${word#BUILD=} ;; esac
done
mkdir -p "$folder"
cp program "$folder/murphy"
END
chmod +x bin/make
program() {
    { echo '#!/bin/bash'; cat; } >program
    chmod +x program
}
hashes() {
    PATH="$PWD/bin:$PATH" bash ci/hashes.sh
}

program <<<'echo "{\"verdict\": \"pass\", \"trace_hash\": \"ab$4\", \"wall_seconds\": $RANDOM}"'
expect_pass 'equal hashes pass' hashes
expect_said 'each scenario and seed has a row' '^storm +3 +ab3 +same +same +same +same'
expect_said 'what needs a file from outside is left out, and no schema is run' '^6 passed, 0 failed$'
program <<'END'
case $0-$2-$4 in
*clang*-storm-2) echo '{"trace_hash": "cd"}' ;;
*) echo '{"trace_hash": "ab"}' ;;
esac
END
expect_fail 'one other hash is a failure' '^storm +2 +ab +same +cd ' hashes
expect_said 'of that row alone' '^5 passed, 1 failed$'
program <<<'echo "no such scenario" >&2; exit 65'
expect_fail 'no hash is not an equal hash' '^calm +1 +none: no such scenario' hashes
expect_end
