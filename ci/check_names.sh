# No two sources of the library define the same name: the linker takes one from an archive without a
# word, and says so only on the day when a program needs both.
set -u
build=${CHECK_BUILD:-build/check}/gcc
make -s -k V=1 WERROR=1 OPT=-O0 SANITIZE= EXTRA=-fno-pie BUILD="$build" CC=gcc objects >/dev/null 2>&1

objects=()
for source in pipeline/*.c sim/*.c faults/*.c scenarios/*.c reports/*.c; do
    # What does not compile is the business of ci/check_warnings.sh.
    [ -e "$build/${source%.c}.o" ] && [ -e "$source" ] && objects+=("$build/${source%.c}.o")
done
[ ${#objects[@]} = 0 ] && exit 0
nm -A -l -g --defined-only "${objects[@]}" | awk -v root="$PWD/" -v build="$build/" '
    {
        where = ""
        tab = index($0, "\t")
        if (tab) { where = substr($0, tab + 1); $0 = substr($0, 1, tab - 1) }
        if (where == "") { where = $1; sub(/\.o:.*/, ".c", where) }
        if (index(where, root) == 1) where = substr(where, length(root) + 1)
        if (index(where, build) == 1) where = substr(where, length(build) + 1)
        if ($(NF - 1) ~ /[VWvw]/) next
        if ($NF in defined) {
            print where ": \"" $NF "\" is defined by " defined[$NF] " as well"
            bad = 1
        }
        defined[$NF] = where
    }
    END { exit bad }'
