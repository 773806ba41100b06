# Every header compiles alone, and twice in one file, with gcc and with clang. A declaration of our
# own follows, since C knows no empty file and a header may define macros only.
set -u
flags="$(make -s WERROR=1 flags)"
alone() {
    for cc in gcc clang; do
        # shellcheck disable=SC2086
        printf '#include "%s"\n#include "%s"\nextern int alone;\n' "$1" "$1" |
            $cc $flags -fsyntax-only -x c - >"$log/$$" 2>&1 && continue
        echo "$1:1: does not compile alone with $cc:"
        sed 's/^/    /' "$log/$$"
        return 1
    done
}
log=$(mktemp -d)
trap 'rm -rf "$log"' EXIT
export -f alone
export flags log
find . \( -name .git -o -path ./build \) -prune -o -name '*.h' -printf '%P\n' | LC_ALL=C sort |
    xargs -r -P 2 -I '{}' bash -c 'alone "$1" || exit 1' - '{}'
