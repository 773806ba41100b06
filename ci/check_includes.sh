# Arrows between folders go one way: each includes only what the table allows, by its path from the
# root, and neither folders nor headers include each other in a circle.
set -u
folders='pipeline sim faults scenarios reports cli tests bench conformance'
found=()
for folder in $folders; do
    [ -d "$folder" ] && found+=("$folder")
done
edges=$(mktemp -d)
trap 'rm -rf "$edges"' EXIT
: >"$edges/folders"
: >"$edges/headers"

find "${found[@]}" -name '*.[ch]' | LC_ALL=C sort | xargs -r awk -v folders="$folders" -v edges="$edges" '
    BEGIN {
        may["pipeline"] = " pipeline "
        may["sim"] = " sim pipeline "
        may["faults"] = " faults sim pipeline "
        may["scenarios"] = " scenarios faults sim pipeline "
        may["reports"] = " reports "
        may["cli"] = " cli pipeline sim faults scenarios reports "
        may["tests"] = " tests pipeline sim faults scenarios reports "
        may["conformance"] = " conformance pipeline sim "
        may["bench"] = " bench pipeline sim faults scenarios reports "
    }
    /^[ \t]*#[ \t]*include[ \t]*["<]/ {
        quoted = $0 ~ /include[ \t]*"/
        target = $0
        sub(/^[^"<]*["<]/, "", target)
        sub(/[">].*/, "", target)
        from = FILENAME; sub(/\/.*/, "", from)
        to = target; sub(/\/.*/, "", to)
        ours = index(" " folders " ", " " to " ") && target ~ /\//
        if (!quoted && !ours) next
        if (!ours) {
            print FILENAME ":" FNR ": include \"" target "\" by its path from the root"
            bad = 1
        } else {
            if (!index(may[from], " " to " ")) {
                print FILENAME ":" FNR ": " from "/ may not include " to "/ (" target ")"
                bad = 1
            }
            if (from != to) print from, to >(edges "/folders")
            if (FILENAME ~ /\.h$/) print FILENAME, target >(edges "/headers")
        }
    }
    END { exit bad }'
status=$?

for kind in folders headers; do
    circle=$(sort -u "$edges/$kind" | LC_ALL=C tsort 2>&1 >/dev/null | sed -n 's/^tsort: //p' |
        grep -v 'contains a loop' | tr '\n' ' ')
    if [ -n "$circle" ]; then
        echo "$kind that include each other in a circle: $circle"
        status=1
    fi
done
[ $status = 0 ]
