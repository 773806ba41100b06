# docs/requirements.md says for each promise, in a table row `| id | promise | shown by |`, what shows
# it: any of scenario:NAME, test:FILE:FUNCTION, test:SCRIPT.sh, bench:NAME, separated by commas or
# spaces, and each of them exists; `open`, alone or beside others, says that it is not (wholly) shown
# yet.
set -u
page=docs/requirements.md
ids=$(for range in A:17 B:11 C:8 D:12; do
    for ((i = 1; i <= ${range#*:}; i++)); do echo "${range%:*}$i"; done
done)
if [ ! -e "$page" ]; then
    echo "$page: is missing"
    exit 1
fi

status=0
fault() {
    echo "$page:$line: $1"
    status=1
}

# Is what an entry names there?
look_up() {
    local kind=${1%%:*} rest=${1#*:}
    case $1 in
    scenario:?*) [ -e "scenarios/$rest.json" ] || fault "$id: there is no scenarios/$rest.json" ;;
    bench:?*)
        grep -qs "\"$rest\"" bench/*.c || fault "$id: no benchmark in bench/ is named \"$rest\""
        ;;
    test:?*:?*)
        local file=${rest%%:*} function=${rest#*:}
        if [ ! -e "$file" ]; then
            fault "$id: there is no $file"
        elif ! grep -q "\b$function *(" "$file"; then
            fault "$id: $file has no function $function"
        fi
        ;;
    test:?*.sh) [ -e "$rest" ] || fault "$id: there is no $rest" ;;
    *) fault "$id: '$1' is none of scenario:NAME, test:FILE:FUNCTION, test:SCRIPT.sh, bench:NAME, open" ;;
    esac
}

seen=' '
open=0
line=0
while IFS= read -r text; do
    line=$((line + 1))
    [[ $text =~ ^\|\ *([A-Z][0-9]+)\ *\|.*\|([^|]*)\|\ *$ ]] || continue
    id=${BASH_REMATCH[1]}
    entries=${BASH_REMATCH[2]//[\`,]/ }
    [[ $'\n'$ids$'\n' == *$'\n'$id$'\n'* ]] || fault "$id: is no promise of ours"
    [[ $seen == *" $id "* ]] && fault "$id: has a row already"
    seen="$seen$id "
    [ -n "${entries// /}" ] || fault "$id: nothing is said to show it"
    is_open=0
    for entry in $entries; do
        if [ "$entry" = open ]; then is_open=1; else look_up "$entry"; fi
    done
    open=$((open + is_open))
done <"$page"

line=1
for id in $ids; do
    [[ $seen == *" $id "* ]] || fault "$id: has no row"
done
echo "requirements: $(wc -w <<<"$ids") promises, $open open"
exit $status
