/*
 * The state port over PostgreSQL: a row for each checkpoint with its fence and its offsets, a row
 * for each entry. A save is one transaction that begins by passing the fence; the lock on that row
 * keeps a later owner's load and an earlier owner's save apart.
 */
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "conformance/postgres.h"
#include "conformance/state_subject.h"

static const char schema[] =
    "CREATE TABLE checkpoint(name bytea, partition bigint, generation bigint NOT NULL,"
    " offsets bytea NOT NULL, PRIMARY KEY(name, partition));"
    "CREATE TABLE entry(name bytea, partition bigint, key bigint, value bytea NOT NULL,"
    " PRIMARY KEY(name, partition, key))";

struct subject {
    PGconn *db;
    PGresult *offsets, *peeked; /* whose bytes were handed out */
};

static void keep(PGresult **held, PGresult *result) {
    PQclear(*held);
    *held = result;
}

static struct bytes whole(struct bytes b) {
    return (struct bytes){b.len > 0 ? b.data : "", b.len};
}

/* Of two entries with the same key the later one holds: they are written one after the other. */
static void put_entry(struct subject *s, const char *group, uint32_t partition,
                      const struct state_entry *entry) {
    struct cell cells[] = {cell_blob(bytes_of(group)), cell_integer(partition),
                           cell_integer(postgres_key(entry->key)), cell_blob(whole(entry->value))};
    if (entry->value.len == 0) {
        postgres_do(s->db, "DELETE FROM entry WHERE name = $1 AND partition = $2 AND key = $3",
                    cells, 3);
    } else {
        postgres_do(s->db,
                    "INSERT INTO entry VALUES($1,$2,$3,$4)"
                    " ON CONFLICT(name, partition, key) DO UPDATE SET value = $4",
                    cells, 4);
    }
}

static int port_save(void *ctx, vtime now, const char *group, uint32_t partition,
                     uint32_t generation, struct bytes offsets, const struct state_entry *entries,
                     size_t count) {
    (void)now;
    struct subject *s = ctx;
    struct cell cells[] = {cell_blob(bytes_of(group)), cell_integer(partition),
                           cell_integer(generation), cell_blob(whole(offsets))};
    postgres_run(s->db, "BEGIN");
    if (postgres_do(s->db,
                    "INSERT INTO checkpoint VALUES($1,$2,$3,$4) ON CONFLICT(name, partition)"
                    " DO UPDATE SET generation = $3, offsets = $4"
                    " WHERE checkpoint.generation <= $3",
                    cells, 4) != 1) {
        postgres_run(s->db, "ROLLBACK");
        return PORT_FENCED;
    }
    for (size_t i = 0; i < count; i++) {
        put_entry(s, group, partition, &entries[i]);
    }
    postgres_run(s->db, "COMMIT");
    return 0;
}

static int port_load(void *ctx, vtime now, const char *group, uint32_t partition,
                     uint32_t generation, struct bytes *offsets,
                     int (*entry)(void *entry_ctx, uint64_t key, struct bytes value),
                     void *entry_ctx) {
    (void)now;
    struct subject *s = ctx;
    struct cell cells[] = {cell_blob(bytes_of(group)), cell_integer(partition),
                           cell_integer(generation)};
    postgres_run(s->db, "BEGIN");
    keep(&s->offsets,
         postgres_ask(s->db,
                      "INSERT INTO checkpoint VALUES($1, $2, $3, '') ON CONFLICT(name, partition)"
                      " DO UPDATE SET generation = greatest(checkpoint.generation, $3)"
                      " RETURNING offsets",
                      cells, 3));
    PGresult *entries = postgres_ask(
        s->db, "SELECT key, value FROM entry WHERE name = $1 AND partition = $2 ORDER BY key",
        cells, 2);
    postgres_run(s->db, "COMMIT");
    *offsets = postgres_bytes(s->offsets, 0, 0);
    int rc = 0;
    for (int i = 0; i < PQntuples(entries) && rc == 0; i++) {
        rc = entry(entry_ctx, postgres_id(postgres_integer(entries, i, 0)),
                   postgres_bytes(entries, i, 1));
    }
    PQclear(entries);
    return rc;
}

static int port_peek(void *ctx, vtime now, const char *group, uint32_t partition, uint64_t key,
                     struct bytes *value) {
    (void)now;
    struct subject *s = ctx;
    struct cell cells[] = {cell_blob(bytes_of(group)), cell_integer(partition),
                           cell_integer(postgres_key(key))};
    keep(&s->peeked,
         postgres_ask(s->db,
                      "SELECT value FROM entry WHERE name = $1 AND partition = $2 AND key = $3",
                      cells, 3));
    *value = PQntuples(s->peeked) == 1 ? postgres_bytes(s->peeked, 0, 0) : (struct bytes){"", 0};
    return 0;
}

static const struct state_port_ops port_ops = {
    .save = port_save, .load = port_load, .peek = port_peek};

static void release(void *ctx) {
    struct subject *s = ctx;
    PQclear(s->offsets);
    PQclear(s->peeked);
    free(s);
}

bool state_subject_postgres(struct state_subject *out) {
    struct subject *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return false;
    }
    s->db = postgres_open("state");
    if (s->db == NULL) {
        free(s);
        return false;
    }
    postgres_run(s->db, schema);
    *out = (struct state_subject){{&port_ops, s}, release, s};
    return true;
}
