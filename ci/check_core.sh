# The core is clean (D3): what its objects leave undefined is on the list in ci/core_symbols.txt or
# defined by another object of the core, and no object holds data that can be written to.
#
# Objects of -O0, so that no call is optimised away; without position independence, so that a
# constant table of pointers counts as constant.
set -u
allowed=$(dirname "$0")/core_symbols.txt
build=${CHECK_BUILD:-build/check}/gcc
make -s V=1 WERROR=1 OPT=-O0 SANITIZE= EXTRA=-fno-pie BUILD="$build" CC=gcc core || exit 1

objects=()
for source in pipeline/*.c; do
    [ -e "$source" ] && objects+=("$build/${source%.c}.o")
done
if [ ${#objects[@]} = 0 ]; then
    echo 'pipeline/: holds no source, so there is nothing to check'
    exit 1
fi

# Columns of nm: [ADDRESS] LETTER NAME [FILE:LINE]; -A puts the object in front.
nm -A -l "${objects[@]}" | awk -v root="$PWD/" -v build="$build/" -v allowed="$allowed" '
    BEGIN {
        while ((getline line < allowed) > 0) {
            if (line ~ /^#/ || line == "") continue
            if (line ~ /\*$/) prefixes[substr(line, 1, length(line) - 1)] = 1
            else known[line] = 1
        }
    }
    function may(name,   prefix) {
        if (name in known || name in defined) return 1
        for (prefix in prefixes) if (index(name, prefix) == 1) return 1
        return 0
    }
    {
        where = ""
        tab = index($0, "\t")
        if (tab) { where = substr($0, tab + 1); $0 = substr($0, 1, tab - 1) }
        object = $1
        sub(/:.*/, "", object)
        if (where == "") { where = object; sub(/\.o$/, ".c", where) }
        if (index(where, root) == 1) where = substr(where, length(root) + 1)
        if (index(where, build) == 1) where = substr(where, length(build) + 1)
        name = $NF
        letter = $(NF - 1)
        if (letter == "U" || letter == "w") { used[++n] = name; at[n] = where }
        else if (letter ~ /[bBcCdDgGsSuvV]/) {
            print where ": the core keeps no global state, but \"" name "\" can be written to"
            bad = 1
        } else if (letter ~ /[A-Z]/) defined[name] = 1
    }
    END {
        for (i = 1; i <= n; i++)
            if (!may(used[i])) {
                print at[i] ": the core may not use \"" used[i] "\" (ci/core_symbols.txt says what it may)"
                bad = 1
            }
        exit bad
    }'
