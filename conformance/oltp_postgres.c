/*
 * The OLTP port over PostgreSQL: tables, an outbox written in the same transaction, the relay's
 * reads, and what reconciliation and erasure ask for.
 *
 * Sequences of PostgreSQL leave gaps, and their order is not that of commits: a relay that reads
 * "after the last one I saw" would pass over rows of a transaction that commits late. So the outbox
 * is numbered by a counter row, whose lock each writer holds until its commit.
 */
#include <assert.h>
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "conformance/oltp_postgres.h"
#include "pipeline/array.h"
#include "pipeline/fact.h"

static const char schema[] =
    "CREATE TABLE listing(key bigint PRIMARY KEY, seller_id bigint, title bytea, description bytea,"
    " locale bytea, category bytea, price bigint, image_ids bytea, attributes bytea,"
    " deleted bigint NOT NULL, updated_at bigint NOT NULL, event_hi bigint NOT NULL,"
    " event_lo bigint NOT NULL);"
    "CREATE TABLE tombstone(key bigint PRIMARY KEY, deleted_at bigint, event_hi bigint,"
    " event_lo bigint);"
    "CREATE TABLE seller(key bigint PRIMARY KEY, status bigint NOT NULL, updated_at bigint,"
    " event_hi bigint, event_lo bigint);"
    "CREATE TABLE reference(key bigint PRIMARY KEY, kind bigint, name bytea, value bytea,"
    " tokeniser bigint, updated_at bigint, event_hi bigint, event_lo bigint);"
    "CREATE TABLE orders(key bigint PRIMARY KEY, listing_id bigint, category bytea,"
    " quantity bigint, amount bigint, ordered_at bigint, event_hi bigint, event_lo bigint,"
    " placed_at bigint);"
    "CREATE TABLE outbox(sequence bigint PRIMARY KEY, topic bigint NOT NULL, key bigint NOT NULL,"
    " value bytea NOT NULL);"
    "CREATE TABLE outbox_counter(last bigint NOT NULL);"
    "INSERT INTO outbox_counter VALUES(0)";

#define LISTING_COLUMNS                                                                            \
    "l.key, l.seller_id, l.title, l.description, l.locale, l.category, l.price, l.image_ids,"      \
    " l.attributes, l.deleted, l.updated_at, l.event_hi, l.event_lo"
enum { COLUMN_COUNT = 13, SELLER_STATUS = COLUMN_COUNT };

struct subject {
    PGconn *db;
    struct oltp_encoder encoder;
    PGresult *handed; /* whose bytes the last call handed out */
    char *packed;
    size_t packed_capacity;
};

static int64_t number(PGconn *db, const char *sql, const struct cell *cells, int count) {
    PGresult *result = postgres_ask(db, sql, cells, count);
    int64_t value = PQntuples(result) > 0 ? postgres_integer(result, 0, 0) : 0;
    PQclear(result);
    return value;
}

/* ---- The application's side ---- */

static void release(void *ctx) {
    struct subject *s = ctx;
    PQclear(s->handed);
    oltp_encoder_release(&s->encoder);
    free(s->packed);
    free(s);
}

static void begin(void *ctx) {
    struct subject *s = ctx;
    postgres_run(s->db, "BEGIN");
}

static void commit(void *ctx) {
    struct subject *s = ctx;
    postgres_run(s->db, "COMMIT");
}

static void rollback(void *ctx) {
    struct subject *s = ctx;
    postgres_run(s->db, "ROLLBACK");
}

/* A write that stands alone is a transaction of its own, of several statements. */
static bool enter(struct subject *s) {
    if (PQtransactionStatus(s->db) != PQTRANS_IDLE) {
        return false;
    }
    begin(s);
    return true;
}

static void leave(struct subject *s, bool entered) {
    if (entered) {
        commit(s);
    }
}

static void publish(struct subject *s, enum topic_id topic, uint64_t key, struct bytes value) {
    int64_t sequence =
        number(s->db, "UPDATE outbox_counter SET last = last + 1 RETURNING last", NULL, 0);
    struct cell cells[] = {cell_integer(sequence), cell_integer(topic), cell_pattern(key),
                           cell_blob(value)};
    postgres_do(s->db, "INSERT INTO outbox VALUES($1,$2,$3,$4)", cells, 4);
}

static void publish_item(struct subject *s, const struct outbox_item *item) {
    if (item != NULL) {
        publish(s, item->topic, item->key, item->value);
    }
}

static void put_listing(struct subject *s, const struct oltp_listing *row) {
    size_t bound = oltp_attributes_bound(row->attributes, row->attribute_count);
    int rc = ARRAY_RESERVE(s->packed, s->packed_capacity, bound + 1);
    assert(rc == 0);
    (void)rc;
    size_t length = oltp_attributes_pack(row->attributes, row->attribute_count, s->packed);
    struct cell cells[] = {
        cell_integer(postgres_key(row->listing_id)),
        row->seller_id == 0 ? cell_null() : cell_pattern(row->seller_id),
        cell_text(row->title),
        cell_text(row->description),
        cell_text(row->locale),
        cell_text(row->category),
        row->price < 0 ? cell_null() : cell_integer(row->price),
        cell_blob(row->image_ids),
        cell_blob((struct bytes){s->packed, length}),
        cell_integer(row->deleted),
        cell_integer(row->stamp.ts.ns),
        cell_pattern(row->stamp.id.hi),
        cell_pattern(row->stamp.id.lo),
    };
    postgres_do(s->db,
                "INSERT INTO listing VALUES($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13)"
                " ON CONFLICT(key) DO UPDATE SET seller_id = $2, title = $3, description = $4,"
                " locale = $5, category = $6, price = $7, image_ids = $8, attributes = $9,"
                " deleted = $10, updated_at = $11, event_hi = $12, event_lo = $13",
                cells, COLUMN_COUNT);
    if (row->deleted) {
        struct cell tombstone[] = {cells[0], cells[10], cells[11], cells[12]};
        postgres_do(s->db,
                    "INSERT INTO tombstone VALUES($1,$2,$3,$4) ON CONFLICT(key)"
                    " DO UPDATE SET deleted_at = $2, event_hi = $3, event_lo = $4",
                    tombstone, 4);
    }
}

static void write_listing(void *ctx, vtime now, const struct oltp_listing *row,
                          const struct outbox_item *item) {
    (void)now;
    struct subject *s = ctx;
    bool entered = enter(s);
    put_listing(s, row);
    publish_item(s, item);
    leave(s, entered);
}

static void write_seller(void *ctx, vtime now, uint64_t seller_id, enum policy_status status,
                         struct stamp stamp, const struct outbox_item *item) {
    (void)now;
    struct subject *s = ctx;
    bool entered = enter(s);
    struct cell cells[] = {cell_pattern(seller_id), cell_integer(status), cell_integer(stamp.ts.ns),
                           cell_pattern(stamp.id.hi), cell_pattern(stamp.id.lo)};
    postgres_do(s->db,
                "INSERT INTO seller VALUES($1,$2,$3,$4,$5) ON CONFLICT(key)"
                " DO UPDATE SET status = $2, updated_at = $3, event_hi = $4, event_lo = $5",
                cells, 5);
    publish_item(s, item);
    leave(s, entered);
}

static void write_reference(void *ctx, vtime now, const struct reference_row *row,
                            struct stamp stamp, const struct outbox_item *item) {
    (void)now;
    struct subject *s = ctx;
    bool entered = enter(s);
    struct cell cells[] = {cell_pattern(reference_key(row)),
                           cell_integer(row->table),
                           cell_text(row->key),
                           cell_text(row->value),
                           cell_integer(row->tokeniser),
                           cell_integer(stamp.ts.ns),
                           cell_pattern(stamp.id.hi),
                           cell_pattern(stamp.id.lo)};
    postgres_do(s->db,
                "INSERT INTO reference VALUES($1,$2,$3,$4,$5,$6,$7,$8) ON CONFLICT(key)"
                " DO UPDATE SET kind = $2, name = $3, value = $4, tokeniser = $5, updated_at = $6,"
                " event_hi = $7, event_lo = $8",
                cells, 8);
    publish_item(s, item);
    leave(s, entered);
}

static void write_order(void *ctx, vtime now, const struct order_row *order,
                        const struct outbox_item *item) {
    (void)now;
    struct subject *s = ctx;
    bool entered = enter(s);
    struct cell cells[] = {cell_integer(postgres_key(order->order_id)),
                           cell_pattern(order->listing_id),
                           cell_text(order->category),
                           cell_integer(order->quantity),
                           cell_integer(order->amount),
                           cell_integer(order->stamp.ts.ns),
                           cell_pattern(order->stamp.id.hi),
                           cell_pattern(order->stamp.id.lo),
                           cell_integer(order_placed(order->placed, order->stamp).ns)};
    postgres_do(s->db,
                "INSERT INTO orders VALUES($1,$2,$3,$4,$5,$6,$7,$8,$9) ON CONFLICT(key)"
                " DO UPDATE SET category = $3, quantity = $4, amount = $5, ordered_at = $6,"
                " event_hi = $7, event_lo = $8",
                cells, 9);
    publish_item(s, item);
    leave(s, entered);
}

static size_t count_orders(void *ctx) {
    struct subject *s = ctx;
    return (size_t)number(s->db, "SELECT count(*) FROM orders", NULL, 0);
}

/* ---- The port ---- */

static PGresult *hand_out(struct subject *s, PGresult *result) {
    PQclear(s->handed);
    s->handed = result;
    return result;
}

static int outbox_read(void *ctx, vtime now, int64_t sequence, struct outbox_row *out, size_t max,
                       size_t *count) {
    (void)now;
    struct subject *s = ctx;
    struct cell cells[] = {cell_integer(sequence), cell_integer((int64_t)max)};
    PGresult *result = hand_out(s, postgres_ask(s->db,
                                                "SELECT sequence, topic, key, value FROM outbox"
                                                " WHERE sequence > $1 ORDER BY sequence LIMIT $2",
                                                cells, 2));
    *count = (size_t)PQntuples(result);
    for (int i = 0; i < PQntuples(result); i++) {
        out[i] = (struct outbox_row){
            postgres_integer(result, i, 0), (enum topic_id)postgres_integer(result, i, 1),
            (uint64_t)postgres_integer(result, i, 2), postgres_bytes(result, i, 3)};
    }
    return 0;
}

static int outbox_trim(void *ctx, vtime now, int64_t sequence) {
    (void)now;
    struct subject *s = ctx;
    struct cell cell = cell_integer(sequence);
    postgres_do(s->db, "DELETE FROM outbox WHERE sequence <= $1", &cell, 1);
    return 0;
}

static struct stamp stamp_at(const PGresult *result, int row, int column) {
    return (struct stamp){{postgres_integer(result, row, column)},
                          {(uint64_t)postgres_integer(result, row, column + 1),
                           (uint64_t)postgres_integer(result, row, column + 2)}};
}

static struct oltp_listing listing_at(struct subject *s, const PGresult *result, int row) {
    struct oltp_listing out = {
        .listing_id = postgres_id(postgres_integer(result, row, 0)),
        .seller_id = (uint64_t)postgres_integer(result, row, 1),
        .title = postgres_bytes(result, row, 2),
        .description = postgres_bytes(result, row, 3),
        .locale = postgres_bytes(result, row, 4),
        .category = postgres_bytes(result, row, 5),
        .price = PQgetisnull(result, row, 6) ? -1 : postgres_integer(result, row, 6),
        .image_ids = postgres_bytes(result, row, 7),
        .deleted = postgres_integer(result, row, 9) != 0,
        .stamp = stamp_at(result, row, 10),
    };
    int rc = oltp_attributes_unpack(&s->encoder, postgres_bytes(result, row, 8), &out);
    assert(rc == 0);
    (void)rc;
    return out;
}

static int scan(void *ctx, vtime now, uint64_t first, uint64_t last, struct scan_row *out,
                size_t max, size_t *count) {
    (void)now;
    struct subject *s = ctx;
    struct cell cells[] = {cell_integer(postgres_key(first)), cell_integer(postgres_key(last)),
                           cell_integer((int64_t)max)};
    PGresult *result = postgres_ask(s->db,
                                    "SELECT " LISTING_COLUMNS ", s.status FROM listing l"
                                    " LEFT JOIN seller s ON s.key = l.seller_id"
                                    " WHERE l.key BETWEEN $1 AND $2 ORDER BY l.key LIMIT $3",
                                    cells, 3);
    *count = (size_t)PQntuples(result);
    int rc = 0;
    for (int i = 0; i < PQntuples(result) && rc == 0; i++) {
        struct oltp_listing row = listing_at(s, result, i);
        out[i] = (struct scan_row){
            .listing_id = row.listing_id,
            .changed_at = row.stamp.ts,
            .alive = !row.deleted,
            .suppressed = postgres_integer(result, i, SELLER_STATUS) == POLICY_SUPPRESSED,
        };
        rc = oltp_hash_listing(&s->encoder, &row, &out[i].source_hash);
    }
    PQclear(result);
    return rc;
}

static void publish_listing(struct subject *s, uint64_t listing_id, struct stamp stamp,
                            const struct oltp_listing *row) {
    struct bytes encoded;
    int rc = oltp_encode_listing(&s->encoder, listing_id, stamp, row, &encoded);
    assert(rc == 0);
    (void)rc;
    publish(s, TOPIC_LISTING, listing_id, encoded);
}

static void publish_seller(struct subject *s, uint64_t seller_id) {
    struct cell cell = cell_pattern(seller_id);
    PGresult *result = postgres_ask(s->db, "SELECT * FROM seller WHERE key = $1", &cell, 1);
    if (PQntuples(result) == 1) {
        struct bytes encoded;
        int rc = oltp_encode_seller(&s->encoder, seller_id,
                                    (enum policy_status)postgres_integer(result, 0, 1),
                                    stamp_at(result, 0, 2), &encoded);
        assert(rc == 0);
        (void)rc;
        publish(s, TOPIC_POLICY, seller_id, encoded);
    }
    PQclear(result);
}

static void publish_reference(struct subject *s, enum fact_kind table, struct bytes text) {
    if (text.data == NULL) {
        return;
    }
    struct cell cell = cell_pattern(fact_key(table, text));
    PGresult *result = postgres_ask(s->db, "SELECT * FROM reference WHERE key = $1", &cell, 1);
    if (PQntuples(result) == 1) {
        struct reference_row row = {
            .table = table,
            .tokeniser = (enum tokeniser)postgres_integer(result, 0, 4),
            .key = text,
            .value = postgres_bytes(result, 0, 3),
        };
        struct bytes encoded;
        int rc = oltp_encode_reference(&s->encoder, &row, stamp_at(result, 0, 5), &encoded);
        assert(rc == 0);
        (void)rc;
        publish(s, TOPIC_REFERENCE, reference_key(&row), encoded);
    }
    PQclear(result);
}

/* A listing that lives again is told its last end first, so that no field of its earlier life comes
 * back with it. */
static void publish_live(struct subject *s, const struct oltp_listing *row) {
    struct cell key = cell_integer(postgres_key(row->listing_id));
    PGresult *tombstone = postgres_ask(s->db, "SELECT * FROM tombstone WHERE key = $1", &key, 1);
    if (PQntuples(tombstone) == 1) {
        publish_listing(s, row->listing_id, stamp_at(tombstone, 0, 1), NULL);
    }
    PQclear(tombstone);
    publish_listing(s, row->listing_id, row->stamp, row);
    if (row->seller_id != 0) {
        publish_seller(s, row->seller_id);
    }
    publish_reference(s, FACT_CATEGORY, row->category);
    publish_reference(s, FACT_LOCALE, row->locale);
}

static PGresult *read_listing(struct subject *s, uint64_t listing_id) {
    struct cell key = cell_integer(postgres_key(listing_id));
    return postgres_ask(s->db, "SELECT " LISTING_COLUMNS " FROM listing l WHERE l.key = $1", &key,
                        1);
}

static int republish(void *ctx, vtime now, const uint64_t *listing_ids, size_t count) {
    struct subject *s = ctx;
    bool entered = enter(s);
    for (size_t i = 0; i < count; i++) {
        PGresult *result = read_listing(s, listing_ids[i]);
        if (PQntuples(result) == 0) {
            publish_listing(s, listing_ids[i], (struct stamp){now, {0, listing_ids[i]}}, NULL);
        } else {
            struct oltp_listing row = listing_at(s, result, 0);
            if (row.deleted) {
                publish_listing(s, row.listing_id, row.stamp, NULL);
            } else {
                publish_live(s, &row);
            }
        }
        PQclear(result);
    }
    leave(s, entered);
    return 0;
}

static int erase(void *ctx, vtime now, const struct erasure_subject *subjects, size_t count,
                 struct erasure_look *looks) {
    struct subject *s = ctx;
    struct erasure_look *look = &looks[ERASED_IN_SOURCE];
    look->examined += (uint32_t)count;
    look->at = now;
    bool entered = enter(s);
    for (size_t i = 0; i < count; i++) {
        PGresult *result = read_listing(s, subjects[i].listing_id);
        if (PQntuples(result) == 1) {
            struct oltp_listing row = listing_at(s, result, 0);
            if (oltp_listing_says(&row) && stamp_compare(row.stamp, subjects[i].stamp) <= 0) {
                look->found++;
                put_listing(s, &(struct oltp_listing){.listing_id = row.listing_id,
                                                      .price = -1,
                                                      .deleted = true,
                                                      .stamp = subjects[i].stamp});
            }
        }
        PQclear(result);
    }
    leave(s, entered);
    return 0;
}

static const struct oltp_port_ops port_ops = {outbox_read, outbox_trim, scan, republish, erase};

static const struct oltp_subject_ops ops = {
    .begin = begin,
    .commit = commit,
    .rollback = rollback,
    .write_listing = write_listing,
    .write_seller = write_seller,
    .write_reference = write_reference,
    .write_order = write_order,
    .count_orders = count_orders,
};

PGconn *oltp_postgres_connection(void *ctx) {
    return ((struct subject *)ctx)->db;
}

void oltp_postgres_publish(void *ctx, enum topic_id topic, uint64_t key, struct bytes value) {
    publish(ctx, topic, key, value);
}

bool oltp_subject_postgres(struct oltp_subject *out) {
    struct subject *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return false;
    }
    s->db = postgres_open("oltp");
    if (s->db == NULL) {
        free(s);
        return false;
    }
    postgres_run(s->db, schema);
    *out = (struct oltp_subject){{&port_ops, s}, &ops, release, s};
    return true;
}
