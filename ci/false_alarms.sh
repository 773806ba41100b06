#!/bin/bash
# False alarms of the quality monitors (B10): runs a scenario in which nothing is wrong for many
# seeds and counts, for each monitor, the seeds in which it raised an alarm. Exit status 1 when one
# did. Finds the program in MURPHY_BUILD.
#
#   SCENARIO  default: quality-calm
#   SEEDS     default: 1000, from 1 on
#   JOBS      default: 2
set -u
export murphy=${MURPHY_BUILD:-build}/murphy
export scenario=${SCENARIO:-quality-calm}
seeds=${SEEDS:-1000}
jobs=${JOBS:-2}
monitors='null-explosion schema-drift future-timestamps field-absence load-failures embedding-drift
mass-delete feed-volume'

# Names of the alerts that one seed raised, each once; ERROR when there was no run.
alarms_of() {
    local report status
    report=$("$murphy" run "$scenario" --seed "$1" --json 2>/dev/null)
    status=$?
    if [ $status -gt 2 ]; then
        echo "ERROR seed $1"
        return
    fi
    tr -d '\n' <<<"$report" | grep -o '"name": *"[^"]*", *"subject": *"[^"]*", *"state": *"raised"' |
        sed 's/"name": *"\([^"]*\)".*/\1/' | sort -u | sed "s/\$/ seed $1/"
}
export -f alarms_of

found=$(seq 1 "$seeds" | xargs -P "$jobs" -I {} bash -c 'alarms_of {}')
failed=0
for monitor in $monitors ERROR; do
    count=$(grep -c "^$monitor " <<<"$found")
    printf '%-20s %s of %s seeds' "$monitor" "$count" "$seeds"
    [ "$count" -gt 0 ] && failed=1 &&
        printf ': %s' "$(grep "^$monitor " <<<"$found" | cut -d ' ' -f 3 | sort -n | head -5 | tr '\n' ' ')"
    echo
done
exit $failed
