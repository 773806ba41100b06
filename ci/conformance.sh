#!/bin/bash
# Holds each port's fake and the real system behind it to the same suite (conformance/): the program
# that `make conformance` built, by `ci/conformance.sh BUILD`. Starts what it needs where nobody else can
# reach it (PostgreSQL, and servers that npm carries, each on a socket in a folder of its own) and stops
# it again. The last line sums up: 'N passed, N failed'. Exit status 1 when anything failed.
set -u
MURPHY_BUILD=$(realpath "${1:?usage: ci/conformance.sh BUILD}")
export MURPHY_BUILD
logs=$(mktemp -d)
postgres=
npm=$MURPHY_BUILD/conformance/npm
servers=()
stop() {
    [ ${#servers[@]} = 0 ] || kill "${servers[@]}" 2>/dev/null
    [ -z "$postgres" ] || as_postgres "$postgres/pg_ctl" stop -m immediate -D "$logs/postgres" >/dev/null
    rm -rf "$logs"
}
trap stop EXIT
trap 'exit 130' INT TERM

# A PostgreSQL refuses to run as root, so then it runs as the user that its package made.
as_postgres() {
    if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}

start_postgres() {
    local bin
    bin=$(dirname "$(realpath "$(command -v initdb || ls /usr/lib/postgresql/*/bin/initdb | tail -n 1)")")
    mkdir "$logs/postgres"
    chmod 711 "$logs"
    [ "$(id -u)" = 0 ] && chown postgres "$logs/postgres"
    (
        cd "$logs/postgres" || exit 1
        as_postgres "$bin/initdb" -D "$logs/postgres" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync &&
            as_postgres "$bin/pg_ctl" start -w -t 60 -D "$logs/postgres" -l "$logs/postgres/server.log" \
                -o "-c listen_addresses='' -c fsync=off -c unix_socket_directories='$logs/postgres'"
    ) >"$logs/postgres.log" 2>&1 || return 1
    postgres=$bin
    export PGHOST=$logs/postgres PGUSER=postgres PGDATABASE=postgres
}

passed=0
failed=0

# PORT SUBJECT: one suite against one subject, its output to a file.
run() {
    local began=$SECONDS
    timeout -k 5 300 "$MURPHY_BUILD/murphy-conformance" "$1" "$2" >"$logs/$1-$2.log" 2>&1 </dev/null
    echo "$? $((SECONDS - began))" >"$logs/$1-$2.status"
}

# The same, with a line of its own; what it printed only when it failed.
hold() {
    local log="$logs/$1-$2.log" status took p f
    [ -e "$logs/$1-$2.status" ] || run "$1" "$2"
    read -r status took <"$logs/$1-$2.status"
    read -r p f <<<"$(awk '
        /^\[  PASSED  \] [0-9]+ test\(s\)/ { passed += $4 }
        /^\[  FAILED  \] [0-9]+ test\(s\)/ { failed += $4 }
        END { print passed + 0, failed + 0 }' "$log")"
    # Whatever ended it before its own count is a failure that it did not count.
    [ $status != 0 ] && [ "$f" = 0 ] && f=1
    [ $((p + f)) = 0 ] && f=1
    passed=$((passed + p))
    failed=$((failed + f))
    printf '%-6s  %-44s %4d passed, %d failed, %d s\n' "$([ "$f" = 0 ] && echo ok || echo FAILED)" \
        "conformance: $1, $2" "$p" "$f" $took
    [ "$f" = 0 ] || tail -n 200 "$log" | tr -d '\000' | sed 's/^/    /'
}

install_npm() {
    cp conformance/package.json conformance/*.mjs "$npm"
    (cd "$npm" && npm install --no-audit --no-fund --no-package-lock)
}

# NAME PLACE: the server conformance/NAME.mjs, on a socket in the folder $logs/PLACE. npm carries what
# Debian does not: PostgreSQL with pgvector as a program of Node.js, a server of the protocol of Amazon
# S3, and a trained model of texts.
start_node() {
    local log=$logs/$2.log
    mkdir -p "$logs/$2" "$npm"
    [ -e "$logs/npm" ] || install_npm >"$log" 2>&1 || return 1
    touch "$logs/npm" "$log"
    node "$npm/$1.mjs" "$logs/$2" >>"$log" 2>&1 &
    servers+=($!)
    for _ in $(seq 300); do
        grep -q '^ready' "$log" && return 0
        kill -0 "${servers[-1]}" 2>/dev/null || return 1
        sleep 0.2
    done
    return 1
}

# SERVER: what was said when it did not start.
no_start() {
    echo "FAILED  conformance: $1 did not start"
    sed 's/^/    /' "$logs/$2.log"
    failed=$((failed + 1))
}

# Most of its time is waiting for timeouts of the protocol.
run log librdkafka &
waiting=$!
hold log fake
hold oltp fake
hold books fake
hold warehouse fake
hold state fake
hold keywords fake
if start_postgres; then
    hold oltp postgres
    hold books postgres
    hold warehouse postgres
    hold state postgres
    hold keywords postgres
else
    no_start PostgreSQL postgres
fi
hold objects fake
if start_node s3 s3; then
    MURPHY_CONFORMANCE_S3=$logs/s3/s3 hold objects s3
else
    no_start 'The object store' s3
fi
hold embedding fake
if start_node embeddings embeddings; then
    MURPHY_CONFORMANCE_EMBEDDINGS=$logs/embeddings/embeddings hold embedding http
else
    no_start 'The embedding service' embeddings
fi
export PGUSER=postgres PGDATABASE=postgres PGSSLMODE=disable
for suite in vectors pgvector; do
    hold $suite fake
    # A server of its own for each: PGlite serves one client and no second one.
    if start_node pglite $suite; then
        PGHOST=$logs/$suite hold $suite postgres
    else
        no_start PGlite $suite
    fi
done
wait "$waiting"
hold log librdkafka

echo "$passed passed, $failed failed"
[ $failed = 0 ] && [ $passed -gt 0 ]
