# Pages do not rot: README.md and docs/*.md link only to files that are there, and name only functions
# that are there.
#
#   [words](FILE)             FILE is beside the page; web addresses and #places are not looked at
#   [FILE.c:FUNCTION](FILE)   FUNCTION stands in that file as well
#   `FOLDER/FILE.c:FUNCTION`  the same of a path from the root
#
# The diagram, docs/architecture.svg, names every machine of pipeline/machine.h, runs no script and
# fetches nothing.
set -u
status=0
fault() {
    echo "$page:$line: $1"
    status=1
}

# FILE FUNCTION: does it stand there?
look_up() {
    grep -q "\b$2 *(" "$1" || grep -q "^$2()" "$1" || fault "$1 has no function $2"
}

check_link() {
    local words=$1 target=${2%%#*} file
    case $2 in
    http://* | https://* | mailto:* | \#*) return ;;
    esac
    file=$(dirname "$page")/$target
    file=${file#./}
    if [ ! -e "$file" ]; then
        fault "there is no $file"
    elif [[ $words =~ ^\`?([A-Za-z0-9_]+\.(c|h|sh)):([A-Za-z0-9_]+)\`?$ ]]; then
        if [ "${BASH_REMATCH[1]}" = "${file##*/}" ]; then
            look_up "$file" "${BASH_REMATCH[3]}"
        else
            fault "a link to $file is called ${BASH_REMATCH[1]}"
        fi
    fi
}

check_path() {
    local file=${1%:*}
    if [ -e "$file" ]; then look_up "$file" "${1##*:}"; else fault "there is no $file"; fi
}

links=0
for page in README.md docs/*.md; do
    [ -e "$page" ] || continue
    # Of each link and each path the line, its kind, and what it says.
    while IFS=$'\t' read -r line kind first second; do
        links=$((links + 1))
        if [ "$kind" = link ]; then check_link "$first" "$second"; else check_path "$first"; fi
    done < <(awk -v OFS='\t' '{
        text = $0
        while (match(text, /\[[^][]*\]\([^() ]+\)/)) {
            link = substr(text, RSTART + 1, RLENGTH - 2)
            split(link, parts, /\]\(/)
            print NR, "link", parts[1] == "" ? "-" : parts[1], parts[2]
            text = substr(text, RSTART + RLENGTH)
        }
        text = $0
        while (match(text, /`[a-z]+\/[A-Za-z0-9_\/]+\.(c|h|sh):[A-Za-z0-9_]+`/)) {
            print NR, "path", substr(text, RSTART + 1, RLENGTH - 2), ""
            text = substr(text, RSTART + RLENGTH)
        }
    }' "$page")
done

page=docs/architecture.svg
if [ -e "$page" ]; then
    line=1
    for machine in $(sed -n 's/^    X([A-Z]*, \([a-z]*\), [A-Z]*).*/\1/p' pipeline/machine.h); do
        grep -q "\b$machine\b" "$page" || fault "the machine $machine is not in the diagram"
    done
    while IFS=: read -r line _; do
        fault 'a diagram runs no script and fetches nothing'
    done < <(grep -niE '<script|\bon[a-z]+=|href=|@import|url\([^#]' "$page")
fi
echo "links: $links looked up"
exit $status
