#!/bin/bash
# The same seed gives the same bytes whatever compiled Murphy (D3). Builds each variant under
# build/variants, runs the scenarios with the seeds, and prints the trace hash of the first variant
# and what each other one made of it. Exit status 1 when any differs.
#
#   SCENARIOS  names or files; default: every scenario that needs no file from outside
#   SEEDS      default: 1 2 3
#   JOBS       default: 2
#
# arm64 is stood in for where it differs from x86-64 at this level: plain char is unsigned.
set -u
jobs=${JOBS:-2}
seeds=${SEEDS:-1 2 3}
folder=${VARIANTS_BUILD:-build/variants}

# name, then what make is told
variants='gcc-O0 CC=gcc OPT=-O0
gcc-O3 CC=gcc OPT=-O3
clang-O2 CC=clang OPT=-O2
gcc-asan-ubsan CC=gcc OPT=-O1 SANITIZE=address,undefined
gcc-O2-uchar CC=gcc OPT=-O2 EXTRA=-funsigned-char'

if [ -z "${SCENARIOS-}" ]; then
    SCENARIOS=
    for file in scenarios/*.json; do
        case $file in
        *.schema.json | */real-catalogue.json) ;;
        *) SCENARIOS="$SCENARIOS $(basename "$file" .json)" ;;
        esac
    done
fi

names=
while read -r name settings; do
    names="$names $name"
    echo "building $name" >&2
    # shellcheck disable=SC2086
    make -s BUILD="$folder/$name" OPT= SANITIZE= EXTRA= WERROR= $settings all >&2 || exit 1
done <<<"$variants"

# One run: its trace hash, or what went wrong instead of it. The verdict of the run is not judged here.
hash_of() {
    local out
    out=$("$1/murphy" run "$2" --seed "$3" --json 2>"$results/$$.err" |
        sed -n 's/.*"trace_hash": *"\([0-9a-f]*\)".*/\1/p' | head -n 1)
    [ -n "$out" ] || out="none: $(head -n 1 "$results/$$.err")"
    echo "$out" >"$results/$4.$5.$3"
}
export -f hash_of
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
export results

for name in $names; do
    number=0
    for scenario in $SCENARIOS; do
        number=$((number + 1))
        for seed in $seeds; do
            printf '%s\0' "$folder/$name" "$scenario" "$seed" "$name" "$number"
        done
    done
done | xargs -0 -r -n 5 -P "$jobs" bash -c 'hash_of "$@"' -

read -r first rest <<<"$names"
printf '%-24s %-5s %-32s' scenario seed "$first"
printf ' %s' $rest
echo
same=0
different=0
number=0
for scenario in $SCENARIOS; do
    number=$((number + 1))
    for seed in $seeds; do
        hash=$(cat "$results/$first.$number.$seed")
        printf '%-24s %-5s %-32s' "$(basename "$scenario" .json)" "$seed" "$hash"
        all=same
        [[ $hash == none:* ]] && all=different
        for name in $rest; do
            other=$(cat "$results/$name.$number.$seed")
            cell=same
            [ "$other" = "$hash" ] || { cell=$other all=different; }
            printf ' %-*s' ${#name} "$cell"
        done
        echo
        if [ $all = same ]; then same=$((same + 1)); else different=$((different + 1)); fi
    done
done
echo "$same passed, $different failed"
[ $different = 0 ] && [ $same -gt 0 ]
