# No leftovers of the work process in what readers see: no notes to self, no numbers of a tracker, no
# paths of the machine it was written on. The words are put together here so that this file passes.
set -u
find . \( -name .git -o -path ./build \) -prune -o -type f \( -name '*.[ch]' -o -name '*.sh' \
    -o -name '*.awk' -o -name '*.md' -o -name '*.gp' -o -name '*.html' -o -name '*.txt' \
    -o -name Makefile -o -path './scenarios/*.json' -o -path './.ci/*' \) -printf '%P\n' |
    LC_ALL=C sort | xargs -r awk -v words='TO''DO FIX''ME X''XX HA''CK' -v machine='/wo''rk/' '
    BEGIN { count = split(words, word, " ") }
    function report(sentence) {
        print FILENAME ":" FNR ": " sentence
        bad = 1
    }
    # A number of a tracker: # and digits as a word of its own. Colours (three or six digits after a
    # quote, a colon, an equals sign or a comma), character references and formats are none, nor is
    # what a quote opens, nor a text that a test expects, since events are written so: "#17 embed".
    function quoted(before) {
        gsub(/\\./, "", before)
        return gsub(/"/, "", before) % 2
    }
    function numbered(line,   before, digits, after) {
        while (match(line, /#[0-9]+/)) {
            before = substr(line, 1, RSTART - 1)
            digits = RLENGTH - 1
            line = substr(line, RSTART + RLENGTH)
            after = substr(line, 1, 1)
            if (after ~ /[0-9A-Za-z_;%]/ || before ~ /[0-9A-Za-z_%&$#{"\\]$/) continue
            if (FILENAME ~ /^tests\/.*\.[ch]$/ && quoted(before)) continue
            if ((digits == 3 || digits == 6) && before ~ /["\x27:=,] *$/) continue
            return 1
        }
        return 0
    }
    {
        for (i = 1; i <= count; i++)
            if ((" " $0 " ") ~ ("[^A-Za-z0-9_]" word[i] "[^A-Za-z0-9_]"))
                report("the word " word[i] " is a note to self")
        if (index($0, machine)) report("a path of one machine: " machine)
        if (numbered($0) || tolower($0) ~ /(^|[^a-z])issues? [0-9]+([^0-9a-z]|$)/)
            report("a number of a tracker says nothing to a reader")
    }
    END { exit bad }'
