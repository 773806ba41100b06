/*
 * The books port over PostgreSQL: the orders of the application's own table, summed up by the
 * server. Sums wrap around at 64 bits as those of the pipeline do, so they are made in numeric.
 */
#include <assert.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

#include "conformance/books_subject.h"
#include "conformance/oltp_postgres.h"

/* sales_checksum of pipeline/rows.h a second time, in the words of the server: `key` is the id in
 * the order of integers (postgres_key), and >> of a bigint draws the sign in, which is masked. */
static const char schema[] =
    "CREATE FUNCTION wrap(n numeric) RETURNS bigint IMMUTABLE LANGUAGE sql AS $$"
    " SELECT (mod(mod(n + 9223372036854775808, 18446744073709551616) + 18446744073709551616,"
    " 18446744073709551616) - 9223372036854775808)::bigint $$;"
    "CREATE FUNCTION shifted(x bigint, bits int) RETURNS bigint IMMUTABLE LANGUAGE sql AS $$"
    " SELECT x # ((x >> bits) & ((1::bigint << (64 - bits)) - 1)) $$;"
    "CREATE FUNCTION checksum(key bigint, ts bigint, hi bigint, lo bigint) RETURNS bigint"
    " IMMUTABLE LANGUAGE sql AS $$"
    " SELECT shifted(wrap((shifted(wrap((shifted(wrap((key # (-9223372036854775808)::bigint)"
    " * 11400714819323198485) # ts, 29) # hi) * 13787848793156543929), 32) # lo)"
    " * 10723151780598845931), 31) $$;"
    "CREATE FUNCTION hour(t bigint) RETURNS bigint IMMUTABLE LANGUAGE sql AS $$"
    " SELECT t - mod(mod(t, 3600000000000) + 3600000000000, 3600000000000) $$;"
    "CREATE VIEW sale AS SELECT *, hour(placed_at) AS hour, coalesce(category, '') AS name"
    " FROM orders;"
    "CREATE TABLE wanted(hour bigint, name bytea, PRIMARY KEY(hour, name))";

struct subject {
    struct oltp_subject oltp;
    PGconn *db;
    struct oltp_encoder encoder;
    PGresult *handed; /* whose categories the last call handed out */
};

static int read_sales(void *ctx, vtime now, vtime from, vtime to, size_t skip,
                      struct sales_row *out, size_t max, size_t *count) {
    struct subject *s = ctx;
    struct cell cells[] = {cell_integer(from.ns), cell_integer(to.ns), cell_integer((int64_t)skip),
                           cell_integer((int64_t)max)};
    (void)now;
    PQclear(s->handed);
    s->handed = postgres_ask(
        s->db,
        "SELECT hour, name, count(*), wrap(sum(quantity)), wrap(sum(amount)), max(ordered_at),"
        " wrap(sum(checksum(key, ordered_at, event_hi, event_lo))) FROM sale"
        " WHERE hour >= $1 AND hour < $2 GROUP BY 1, 2 ORDER BY 1, 2 OFFSET $3 LIMIT $4",
        cells, 4);
    *count = (size_t)PQntuples(s->handed);
    for (int i = 0; i < PQntuples(s->handed); i++) {
        out[i] = (struct sales_row){
            .hour = {postgres_integer(s->handed, i, 0)},
            .category = postgres_bytes(s->handed, i, 1),
            .orders = postgres_integer(s->handed, i, 2),
            .quantity = postgres_integer(s->handed, i, 3),
            .amount = postgres_integer(s->handed, i, 4),
            .changed_at = {postgres_integer(s->handed, i, 5)},
            .checksum = (uint64_t)postgres_integer(s->handed, i, 6),
        };
    }
    return 0;
}

static void tell_orders(struct subject *s) {
    PGresult *result =
        postgres_ask(s->db,
                     "SELECT key, listing_id, name, quantity, amount, ordered_at, event_hi,"
                     " event_lo, placed_at FROM sale JOIN wanted USING (hour, name)"
                     " ORDER BY hour, name, key",
                     NULL, 0);
    for (int i = 0; i < PQntuples(result); i++) {
        struct order_row order = {
            .order_id = postgres_id(postgres_integer(result, i, 0)),
            .listing_id = (uint64_t)postgres_integer(result, i, 1),
            .category = postgres_bytes(result, i, 2),
            .quantity = postgres_integer(result, i, 3),
            .amount = postgres_integer(result, i, 4),
            .stamp = {{postgres_integer(result, i, 5)},
                      {(uint64_t)postgres_integer(result, i, 6),
                       (uint64_t)postgres_integer(result, i, 7)}},
            .placed = {postgres_integer(result, i, 8)},
        };
        struct bytes encoded;
        int rc = oltp_encode_order(&s->encoder, &order, &encoded);
        assert(rc == 0);
        (void)rc;
        oltp_postgres_publish(s->oltp.ctx, TOPIC_ORDER, order.listing_id, encoded);
    }
    PQclear(result);
}

static int republish(void *ctx, vtime now, const struct sales_row *rows, size_t count) {
    struct subject *s = ctx;
    (void)now;
    postgres_run(s->db, "BEGIN; DELETE FROM wanted");
    for (size_t i = 0; i < count; i++) {
        struct bytes name = rows[i].category.len > 0 ? rows[i].category : bytes_of("");
        struct cell cells[] = {cell_integer(rows[i].hour.ns), cell_blob(name)};
        postgres_do(s->db, "INSERT INTO wanted VALUES($1, $2) ON CONFLICT DO NOTHING", cells, 2);
    }
    tell_orders(s);
    postgres_run(s->db, "COMMIT");
    return 0;
}

static const struct books_port_ops port_ops = {read_sales, republish};

static void release(void *ctx) {
    struct subject *s = ctx;
    PQclear(s->handed);
    oltp_encoder_release(&s->encoder);
    s->oltp.free(s->oltp.ctx);
    free(s);
}

bool books_subject_postgres(struct books_subject *out) {
    struct subject *s = calloc(1, sizeof *s);
    if (s == NULL || !oltp_subject_postgres(&s->oltp)) {
        free(s);
        return false;
    }
    s->db = oltp_postgres_connection(s->oltp.ctx);
    postgres_run(s->db, schema);
    *out = (struct books_subject){{&port_ops, s}, s->oltp, release, s};
    return true;
}
