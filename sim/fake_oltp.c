#include "sim/fake_oltp.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/array.h"
#include "pipeline/fact.h"
#include "sim/cell.h"
#include "sim/sqlite_host.h"

static const char schema[] =
    "CREATE TABLE oltp_listing(key INTEGER PRIMARY KEY, seller_id, title, description, locale,"
    " category, price, image_ids, attributes, deleted, updated_at, event_hi, event_lo);"
    "CREATE TABLE oltp_tombstone(key INTEGER PRIMARY KEY, deleted_at, event_hi, event_lo);"
    "CREATE TABLE oltp_seller(key INTEGER PRIMARY KEY, status, updated_at, event_hi, event_lo);"
    "CREATE TABLE oltp_reference(key INTEGER PRIMARY KEY, kind, name, value, tokeniser, updated_at,"
    " event_hi, event_lo);"
    "CREATE TABLE oltp_order(key INTEGER PRIMARY KEY, listing_id, category, quantity, amount,"
    " ordered_at, event_hi, event_lo, created_at, placed_at);"
    "CREATE TABLE outbox(sequence INTEGER PRIMARY KEY, topic, key, value, created_at);";

enum statement {
    PUT_LISTING,
    PUT_TOMBSTONE,
    PUT_SELLER,
    PUT_REFERENCE,
    PUT_ORDER,
    PUT_OUTBOX,
    READ_LISTING,
    READ_TOMBSTONE,
    READ_SELLER,
    READ_REFERENCE,
    READ_OUTBOX,
    READ_ORDERS,
    SCAN_LISTINGS,
    FIND_SELLERS_LISTING,
    TRIM_OUTBOX,
    BEGIN,
    COMMIT,
    UNDO,
    STATEMENT_COUNT
};

static const char *const sql[STATEMENT_COUNT] = {
    [PUT_LISTING] = "REPLACE INTO oltp_listing VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)",
    [PUT_TOMBSTONE] = "REPLACE INTO oltp_tombstone VALUES(?,?,?,?)",
    [PUT_SELLER] = "REPLACE INTO oltp_seller VALUES(?,?,?,?,?)",
    [PUT_REFERENCE] = "REPLACE INTO oltp_reference VALUES(?,?,?,?,?,?,?,?)",
    [PUT_ORDER] =
        "INSERT INTO oltp_order VALUES(?,?,?,?,?,?,?,?,?,?) ON CONFLICT(key) DO UPDATE SET"
        " category = excluded.category, quantity = excluded.quantity,"
        " amount = excluded.amount, ordered_at = excluded.ordered_at,"
        " event_hi = excluded.event_hi, event_lo = excluded.event_lo",
    [PUT_OUTBOX] = "INSERT INTO outbox VALUES(?,?,?,?,?)",
    [READ_LISTING] = "SELECT * FROM oltp_listing WHERE key = ?",
    [READ_TOMBSTONE] = "SELECT * FROM oltp_tombstone WHERE key = ?",
    [READ_SELLER] = "SELECT * FROM oltp_seller WHERE key = ?",
    [READ_REFERENCE] = "SELECT * FROM oltp_reference WHERE key = ?",
    [READ_OUTBOX] = "SELECT * FROM outbox WHERE sequence > ? AND sequence <= ? ORDER BY sequence"
                    " LIMIT ?",
    [READ_ORDERS] = "SELECT * FROM oltp_order ORDER BY key",
    [SCAN_LISTINGS] = "SELECT l.*, s.status FROM oltp_listing l"
                      " LEFT JOIN oltp_seller s ON s.key = l.seller_id"
                      " WHERE l.key BETWEEN ? AND ? ORDER BY l.key LIMIT ?",
    [FIND_SELLERS_LISTING] = "SELECT key, updated_at, event_hi, event_lo FROM oltp_listing"
                             " WHERE seller_id = ? AND key > ? ORDER BY key LIMIT 1",
    [TRIM_OUTBOX] = "DELETE FROM outbox WHERE sequence <= ?",
    [BEGIN] = "SAVEPOINT application",
    [COMMIT] = "RELEASE application",
    [UNDO] = "ROLLBACK TO application",
};

/* Columns of oltp_listing. */
enum {
    KEY,
    SELLER,
    TITLE,
    DESCRIPTION,
    LOCALE,
    CATEGORY,
    PRICE,
    IMAGE_IDS,
    ATTRIBUTES,
    DELETED,
    UPDATED_AT,
    EVENT_HI,
    EVENT_LO,
    LISTING_COLUMNS,
    SELLER_STATUS = LISTING_COLUMNS /* of the scan */
};

struct buffer {
    char *data;
    size_t capacity;
};

struct fake_oltp {
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENT_COUNT];
    int64_t sequence;  /* the last given out */
    int64_t committed; /* the last that the relay may see */
    int64_t trimmed;   /* every row up to here is gone */
    bool in_transaction;
    struct journal_mark listing_mark, seller_mark, order_mark, outbox_mark;
    struct row_journal listings, sellers, orders, outbox;
    char reference_value[FACT_VALUE_MAX]; /* that was read last */
    struct buffer packed;                 /* attributes of the row being written */
    struct buffer handed;                 /* what the last call handed out */
    struct oltp_encoder encoder;          /* of rows that were read */
};

/* Listing ids in the order of signed integers: SQLite knows no others. */
static int64_t key_of(uint64_t id) {
    return (int64_t)(id ^ (UINT64_C(1) << 63));
}

static uint64_t id_of(int64_t key) {
    return (uint64_t)key ^ (UINT64_C(1) << 63);
}

static int reserve(struct buffer *buffer, size_t needed) {
    return ARRAY_RESERVE(buffer->data, buffer->capacity, needed + 1);
}

struct fake_oltp *fake_oltp_new(const struct fake_oltp_options *options) {
    struct fake_oltp *o = calloc(1, sizeof(*o));
    if (o == 0) {
        return 0;
    }
    row_journal_init(&o->listings, options->journal);
    row_journal_init(&o->sellers, options->journal);
    row_journal_init(&o->orders, options->journal);
    row_journal_init(&o->outbox, options->journal);
    int rc = sqlite_host_open(&o->db, SQLITE_HOST_UNDO, 0);
    if (rc == SQLITE_OK) {
        rc = sqlite3_exec(o->db, schema, 0, 0, 0);
    }
    for (int i = 0; i < STATEMENT_COUNT && rc == SQLITE_OK; i++) {
        rc = sqlite_host_prepare(o->db, sql[i], &o->statements[i]);
    }
    assert(rc == SQLITE_OK || rc == SQLITE_NOMEM);
    if (rc != SQLITE_OK) {
        fake_oltp_free(o);
        return 0;
    }
    return o;
}

void fake_oltp_free(struct fake_oltp *o) {
    if (o == 0) {
        return;
    }
    for (int i = 0; i < STATEMENT_COUNT; i++) {
        sqlite3_finalize(o->statements[i]);
    }
    sqlite3_close(o->db);
    row_journal_release(&o->listings);
    row_journal_release(&o->sellers);
    row_journal_release(&o->orders);
    row_journal_release(&o->outbox);
    free(o->packed.data);
    free(o->handed.data);
    oltp_encoder_release(&o->encoder);
    free(o);
}

/* Runs a statement with these cells as its parameters. */
static int run(struct fake_oltp *o, enum statement which, const struct cell *cells, int count) {
    sqlite3_stmt *statement = o->statements[which];
    if (cells_bind(statement, 1, cells, count) != SQLITE_OK || statement_run(statement) != 0) {
        return PORT_NO_MEMORY;
    }
    return 0;
}

/* ---- transactions and the outbox ---- */

int fake_oltp_begin(struct fake_oltp *o) {
    assert(!o->in_transaction);
    if (run(o, BEGIN, 0, 0) != 0) {
        return PORT_NO_MEMORY;
    }
    o->in_transaction = true;
    o->listing_mark = row_journal_mark(&o->listings);
    o->seller_mark = row_journal_mark(&o->sellers);
    o->order_mark = row_journal_mark(&o->orders);
    o->outbox_mark = row_journal_mark(&o->outbox);
    return 0;
}

int fake_oltp_commit(struct fake_oltp *o) {
    assert(o->in_transaction);
    if (run(o, COMMIT, 0, 0) != 0) {
        return PORT_NO_MEMORY;
    }
    o->in_transaction = false;
    o->committed = o->sequence;
    return 0;
}

int fake_oltp_rollback(struct fake_oltp *o) {
    assert(o->in_transaction);
    if (run(o, UNDO, 0, 0) != 0 || run(o, COMMIT, 0, 0) != 0) {
        return PORT_NO_MEMORY;
    }
    o->in_transaction = false;
    o->sequence = o->committed;
    row_journal_rewind(&o->listings, o->listing_mark);
    row_journal_rewind(&o->sellers, o->seller_mark);
    row_journal_rewind(&o->orders, o->order_mark);
    row_journal_rewind(&o->outbox, o->outbox_mark);
    return 0;
}

/* Ends a write: its outbox row, and its commit when it stands alone. */
static int finish_write(struct fake_oltp *o, vtime now, const struct outbox_item *item) {
    if (item != 0) {
        struct cell cells[] = {cell_integer(o->sequence + 1), cell_integer(item->topic),
                               cell_pattern(item->key), cell_blob(item->value),
                               cell_integer(now.ns)};
        if (run(o, PUT_OUTBOX, cells, 5) != 0 ||
            row_journal_put(&o->outbox, now, (struct row_key){(uint64_t)o->sequence + 1, 0}, cells,
                            5) != 0) {
            return PORT_NO_MEMORY;
        }
        o->sequence++;
    }
    if (!o->in_transaction) {
        o->committed = o->sequence;
    }
    return 0;
}

int fake_oltp_publish(struct fake_oltp *o, vtime now, const struct outbox_item *item) {
    return finish_write(o, now, item);
}

/* ---- rows ---- */

static char *put_bytes(char *at, struct bytes bytes) {
    if (bytes.len > 0) {
        memcpy(at, bytes.data, bytes.len);
    }
    return at + bytes.len;
}

static int pack_attributes(struct fake_oltp *o, const struct oltp_listing *row,
                           struct bytes *packed) {
    size_t bound = oltp_attributes_bound(row->attributes, row->attribute_count);
    if (reserve(&o->packed, bound) != 0) {
        return PORT_NO_MEMORY;
    }
    size_t length = oltp_attributes_pack(row->attributes, row->attribute_count, o->packed.data);
    *packed = (struct bytes){o->packed.data, length};
    return 0;
}

int fake_oltp_write_listing(struct fake_oltp *o, vtime now, const struct oltp_listing *row,
                            const struct outbox_item *item) {
    struct bytes packed;
    if (pack_attributes(o, row, &packed) != 0) {
        return PORT_NO_MEMORY;
    }
    struct cell cells[LISTING_COLUMNS] = {
        [KEY] = cell_integer(key_of(row->listing_id)),
        [SELLER] = row->seller_id == 0 ? cell_null() : cell_pattern(row->seller_id),
        [TITLE] = cell_text(row->title),
        [DESCRIPTION] = cell_text(row->description),
        [LOCALE] = cell_text(row->locale),
        [CATEGORY] = cell_text(row->category),
        [PRICE] = row->price < 0 ? cell_null() : cell_integer(row->price),
        [IMAGE_IDS] = cell_blob(row->image_ids),
        [ATTRIBUTES] = cell_blob(packed),
        [DELETED] = cell_integer(row->deleted),
        [UPDATED_AT] = cell_integer(row->stamp.ts.ns),
        [EVENT_HI] = cell_pattern(row->stamp.id.hi),
        [EVENT_LO] = cell_pattern(row->stamp.id.lo),
    };
    if (run(o, PUT_LISTING, cells, LISTING_COLUMNS) != 0) {
        return PORT_NO_MEMORY;
    }
    if (row->deleted) {
        struct cell tombstone[] = {cells[KEY], cells[UPDATED_AT], cells[EVENT_HI], cells[EVENT_LO]};
        if (run(o, PUT_TOMBSTONE, tombstone, 4) != 0) {
            return PORT_NO_MEMORY;
        }
    }
    cells[KEY] = cell_pattern(row->listing_id);
    if (row_journal_put(&o->listings, now, (struct row_key){row->listing_id, 0}, cells,
                        LISTING_COLUMNS) != 0) {
        return PORT_NO_MEMORY;
    }
    return finish_write(o, now, item);
}

int fake_oltp_write_seller(struct fake_oltp *o, vtime now, uint64_t seller_id,
                           enum policy_status status, struct stamp stamp,
                           const struct outbox_item *item) {
    struct cell cells[] = {cell_pattern(seller_id), cell_integer(status), cell_integer(stamp.ts.ns),
                           cell_pattern(stamp.id.hi), cell_pattern(stamp.id.lo)};
    if (run(o, PUT_SELLER, cells, 5) != 0 ||
        row_journal_put(&o->sellers, now, (struct row_key){seller_id, 0}, cells, 5) != 0) {
        return PORT_NO_MEMORY;
    }
    return finish_write(o, now, item);
}

int fake_oltp_write_reference(struct fake_oltp *o, vtime now, const struct reference_row *row,
                              struct stamp stamp, const struct outbox_item *item) {
    struct cell cells[] = {cell_pattern(reference_key(row)),
                           cell_integer(row->table),
                           cell_text(row->key),
                           cell_text(row->value),
                           cell_integer(row->tokeniser),
                           cell_integer(stamp.ts.ns),
                           cell_pattern(stamp.id.hi),
                           cell_pattern(stamp.id.lo)};
    return run(o, PUT_REFERENCE, cells, sizeof cells / sizeof *cells) != 0
               ? PORT_NO_MEMORY
               : finish_write(o, now, item);
}

int fake_oltp_write_order(struct fake_oltp *o, vtime now, const struct order_row *order,
                          const struct outbox_item *item) {
    struct cell cells[] = {cell_integer(key_of(order->order_id)),
                           cell_pattern(order->listing_id),
                           cell_text(order->category),
                           cell_integer(order->quantity),
                           cell_integer(order->amount),
                           cell_integer(order->stamp.ts.ns),
                           cell_pattern(order->stamp.id.hi),
                           cell_pattern(order->stamp.id.lo),
                           cell_integer(now.ns),
                           cell_integer(order_placed(order->placed, order->stamp).ns)};
    struct cell kept[] = {cell_pattern(order->order_id),
                          cells[1],
                          cells[2],
                          cells[3],
                          cells[4],
                          cells[9],
                          cells[5],
                          cells[6],
                          cells[7]};
    if (run(o, PUT_ORDER, cells, 10) != 0 ||
        row_journal_put(&o->orders, now, (struct row_key){order->order_id, 0}, kept, 9) != 0) {
        return PORT_NO_MEMORY;
    }
    return finish_write(o, now, item);
}

static struct stamp stamp_at(sqlite3_stmt *statement, int column) {
    return (struct stamp){{sqlite3_column_int64(statement, column)},
                          {(uint64_t)sqlite3_column_int64(statement, column + 1),
                           (uint64_t)sqlite3_column_int64(statement, column + 2)}};
}

/* The row without its content, as of the erasure. */
static int erase_row(struct fake_oltp *o, vtime now, uint64_t listing_id, struct stamp stamp) {
    struct oltp_listing emptied = {
        .listing_id = listing_id, .price = -1, .deleted = true, .stamp = stamp};
    return fake_oltp_write_listing(o, now, &emptied, NULL);
}

/* The seller's next listing after *key: 1, 0 when there is none, or PORT_NO_MEMORY. */
static int next_listing_of(struct fake_oltp *o, uint64_t seller_id, int64_t *key,
                           struct stamp *stamp) {
    sqlite3_stmt *s = o->statements[FIND_SELLERS_LISTING];
    sqlite3_bind_int64(s, 1, (int64_t)seller_id);
    sqlite3_bind_int64(s, 2, *key);
    int found = statement_row(s);
    if (found == 1) {
        *key = sqlite3_column_int64(s, 0);
        *stamp = stamp_at(s, 1);
        sqlite3_reset(s);
    }
    return found < 0 ? PORT_NO_MEMORY : found;
}

static int erase_seller(struct fake_oltp *o, vtime now, uint64_t seller_id, struct stamp stamp) {
    int64_t key = INT64_MIN;
    struct stamp last;
    int found;
    while ((found = next_listing_of(o, seller_id, &key, &last)) == 1) {
        if (stamp_compare(last, stamp) <= 0 && erase_row(o, now, id_of(key), stamp) != 0) {
            return PORT_NO_MEMORY;
        }
    }
    return found;
}

int fake_oltp_erase(struct fake_oltp *o, vtime now, enum erasure_scope scope, uint64_t id,
                    struct stamp stamp, const struct outbox_item *item) {
    int rc = 0;
    if (scope == ERASURE_SELLER) {
        rc = erase_seller(o, now, id, stamp);
    } else {
        struct oltp_listing row;
        int found = fake_oltp_read_listing(o, id, &row);
        rc = found == 1 && stamp_compare(row.stamp, stamp) <= 0 ? erase_row(o, now, id, stamp)
             : found < 0                                        ? PORT_NO_MEMORY
                                                                : 0;
    }
    return rc == 0 ? finish_write(o, now, item) : rc;
}

/* The present row of a statement; its pointers are good until the statement steps. */
static int load_row(struct fake_oltp *o, sqlite3_stmt *s, struct oltp_listing *out) {
    *out = (struct oltp_listing){
        .listing_id = id_of(sqlite3_column_int64(s, KEY)),
        .seller_id = (uint64_t)sqlite3_column_int64(s, SELLER),
        .title = statement_bytes(s, TITLE),
        .description = statement_bytes(s, DESCRIPTION),
        .locale = statement_bytes(s, LOCALE),
        .category = statement_bytes(s, CATEGORY),
        .price = sqlite3_column_type(s, PRICE) == SQLITE_NULL ? -1 : sqlite3_column_int64(s, PRICE),
        .image_ids = statement_bytes(s, IMAGE_IDS),
        .deleted = sqlite3_column_int(s, DELETED) != 0,
        .stamp = stamp_at(s, UPDATED_AT),
    };
    return oltp_attributes_unpack(&o->encoder, statement_bytes(s, ATTRIBUTES), out);
}

static void move_text(char **at, struct bytes *text) {
    if (text->data != 0) {
        char *place = *at;
        *at = put_bytes(place, *text);
        text->data = place;
    }
}

/* Moves what a row points to into the buffer that lasts until the next call. */
static int keep_row(struct fake_oltp *o, struct oltp_listing *row) {
    size_t needed = row->title.len + row->description.len + row->locale.len + row->category.len +
                    row->image_ids.len +
                    oltp_attributes_bound(row->attributes, row->attribute_count);
    if (reserve(&o->handed, needed) != 0) {
        return PORT_NO_MEMORY;
    }
    char *at = o->handed.data;
    move_text(&at, &row->title);
    move_text(&at, &row->description);
    move_text(&at, &row->locale);
    move_text(&at, &row->category);
    move_text(&at, &row->image_ids);
    for (size_t i = 0; i < row->attribute_count; i++) {
        struct field *attribute = oltp_attribute(&o->encoder, i);
        move_text(&at, &attribute->name);
        move_text(&at, &attribute->text);
    }
    return 0;
}

int fake_oltp_read_listing(struct fake_oltp *o, uint64_t listing_id, struct oltp_listing *out) {
    sqlite3_stmt *s = o->statements[READ_LISTING];
    sqlite3_bind_int64(s, 1, key_of(listing_id));
    int found = statement_row(s);
    if (found <= 0) {
        return found == 0 ? 0 : PORT_NO_MEMORY;
    }
    int rc = load_row(o, s, out);
    if (rc == 0) {
        rc = keep_row(o, out);
    }
    sqlite3_reset(s);
    return rc == 0 ? 1 : rc;
}

/* ---- rows said again ---- */

static int publish_record(struct fake_oltp *o, vtime now, uint64_t listing_id, struct stamp stamp,
                          const struct oltp_listing *row) {
    struct bytes encoded;
    if (oltp_encode_listing(&o->encoder, listing_id, stamp, row, &encoded) != 0) {
        return PORT_NO_MEMORY;
    }
    struct outbox_item item = {TOPIC_LISTING, listing_id, encoded};
    return finish_write(o, now, &item);
}

/* The listing's last deletion; STAMP_NONE when there was none. */
static int read_tombstone(struct fake_oltp *o, uint64_t listing_id, struct stamp *out) {
    sqlite3_stmt *s = o->statements[READ_TOMBSTONE];
    sqlite3_bind_int64(s, 1, key_of(listing_id));
    *out = STAMP_NONE;
    int found = statement_row(s);
    if (found == 1) {
        *out = stamp_at(s, 1);
        sqlite3_reset(s);
    }
    return found < 0 ? PORT_NO_MEMORY : 0;
}

int fake_oltp_read_reference(struct fake_oltp *o, enum fact_kind table, struct bytes text,
                             struct reference_row *out, struct stamp *stamp) {
    sqlite3_stmt *s = o->statements[READ_REFERENCE];
    sqlite3_bind_int64(s, 1, (int64_t)fact_key(table, text));
    int found = statement_row(s);
    if (found <= 0) {
        return found < 0 ? PORT_NO_MEMORY : 0;
    }
    struct bytes value = statement_bytes(s, 3);
    assert(value.len <= sizeof o->reference_value);
    memcpy(o->reference_value, value.data, value.len);
    *out = (struct reference_row){
        .table = table,
        .tokeniser = (enum tokeniser)sqlite3_column_int(s, 4),
        .key = text,
        .value = {o->reference_value, value.len},
    };
    *stamp = stamp_at(s, 5);
    sqlite3_reset(s);
    return 1;
}

/* What was last said of the seller, if anything was. */
static int republish_seller(struct fake_oltp *o, vtime now, uint64_t seller_id) {
    sqlite3_stmt *s = o->statements[READ_SELLER];
    sqlite3_bind_int64(s, 1, (int64_t)seller_id);
    int found = statement_row(s);
    if (found <= 0) {
        return found < 0 ? PORT_NO_MEMORY : 0;
    }
    enum policy_status status = (enum policy_status)sqlite3_column_int(s, 1);
    struct stamp stamp = stamp_at(s, 2);
    sqlite3_reset(s);
    struct bytes encoded;
    if (oltp_encode_seller(&o->encoder, seller_id, status, stamp, &encoded) != 0) {
        return PORT_NO_MEMORY;
    }
    struct outbox_item item = {TOPIC_POLICY, seller_id, encoded};
    return finish_write(o, now, &item);
}

/* What the table says of what the listing names, if it says anything. */
static int republish_reference(struct fake_oltp *o, vtime now, enum fact_kind table,
                               struct bytes text) {
    struct reference_row row;
    struct stamp stamp;
    int found = text.data == NULL ? 0 : fake_oltp_read_reference(o, table, text, &row, &stamp);
    if (found <= 0) {
        return found;
    }
    struct bytes encoded;
    if (oltp_encode_reference(&o->encoder, &row, stamp, &encoded) != 0) {
        return PORT_NO_MEMORY;
    }
    struct outbox_item item = {TOPIC_REFERENCE, reference_key(&row), encoded};
    return finish_write(o, now, &item);
}

/* What else the document of the row depends on. */
static int republish_facts(struct fake_oltp *o, vtime now, const struct oltp_listing *row) {
    struct bytes category = row->category, locale = row->locale;
    int rc = row->seller_id != 0 ? republish_seller(o, now, row->seller_id) : 0;
    rc = rc == 0 ? republish_reference(o, now, FACT_CATEGORY, category) : rc;
    return rc == 0 ? republish_reference(o, now, FACT_LOCALE, locale) : rc;
}

static int republish_listing(struct fake_oltp *o, vtime now, uint64_t listing_id) {
    struct oltp_listing row;
    int found = fake_oltp_read_listing(o, listing_id, &row);
    if (found < 0) {
        return found;
    }
    if (found == 0) {
        return publish_record(o, now, listing_id, (struct stamp){now, {0, listing_id}}, 0);
    }
    if (row.deleted) {
        return publish_record(o, now, listing_id, row.stamp, 0);
    }
    struct stamp tombstone;
    int rc = read_tombstone(o, listing_id, &tombstone);
    if (rc == 0 && !stamp_is_none(tombstone)) {
        rc = publish_record(o, now, listing_id, tombstone, 0);
    }
    rc = rc == 0 ? publish_record(o, now, listing_id, row.stamp, &row) : rc;
    return rc == 0 ? republish_facts(o, now, &row) : rc;
}

/* ---- the port ---- */

static int port_outbox_read(void *ctx, vtime now, int64_t sequence, struct outbox_row *out,
                            size_t max, size_t *count) {
    struct fake_oltp *o = ctx;
    (void)now;
    assert(!o->in_transaction);
    *count = 0;
    if (sequence >= o->committed || max == 0) {
        return 0; /* the usual answer to a poll */
    }
    sqlite3_stmt *s = o->statements[READ_OUTBOX];
    sqlite3_bind_int64(s, 1, sequence);
    sqlite3_bind_int64(s, 2, o->committed);
    sqlite3_bind_int64(s, 3, (int64_t)max);
    size_t used = 0;
    int more = statement_row(s);
    while (more == 1) {
        struct bytes value = statement_bytes(s, 3);
        if (reserve(&o->handed, used + value.len) != 0) {
            sqlite3_reset(s);
            return PORT_NO_MEMORY;
        }
        put_bytes(o->handed.data + used, value);
        out[*count] = (struct outbox_row){sqlite3_column_int64(s, 0),
                                          (enum topic_id)sqlite3_column_int(s, 1),
                                          (uint64_t)sqlite3_column_int64(s, 2),
                                          {0, value.len}};
        used += value.len;
        ++*count;
        more = statement_row(s);
    }
    const char *at = o->handed.data; /* the buffer no longer moves */
    for (size_t i = 0; i < *count; i++) {
        out[i].value.data = at;
        at += out[i].value.len;
    }
    return more < 0 ? PORT_NO_MEMORY : 0;
}

static int port_outbox_trim(void *ctx, vtime now, int64_t sequence) {
    struct fake_oltp *o = ctx;
    assert(!o->in_transaction);
    if (sequence > o->committed) {
        sequence = o->committed;
    }
    if (sequence <= o->trimmed) {
        return 0;
    }
    struct cell cell = cell_integer(sequence);
    if (run(o, TRIM_OUTBOX, &cell, 1) != 0) {
        return PORT_NO_MEMORY;
    }
    for (; o->trimmed < sequence; o->trimmed++) {
        if (row_journal_gone(&o->outbox, now, (struct row_key){(uint64_t)o->trimmed + 1, 0}) != 0) {
            return PORT_NO_MEMORY;
        }
    }
    return 0;
}

static int port_scan(void *ctx, vtime now, uint64_t first, uint64_t last, struct scan_row *out,
                     size_t max, size_t *count) {
    struct fake_oltp *o = ctx;
    (void)now;
    assert(!o->in_transaction);
    sqlite3_stmt *s = o->statements[SCAN_LISTINGS];
    sqlite3_bind_int64(s, 1, key_of(first));
    sqlite3_bind_int64(s, 2, key_of(last));
    sqlite3_bind_int64(s, 3, (int64_t)max);
    *count = 0;
    int more = statement_row(s);
    while (more == 1) {
        struct oltp_listing row;
        struct scan_row *line = &out[*count];
        *line = (struct scan_row){0};
        if (load_row(o, s, &row) != 0 ||
            oltp_hash_listing(&o->encoder, &row, &line->source_hash) != 0) {
            sqlite3_reset(s);
            return PORT_NO_MEMORY;
        }
        line->listing_id = row.listing_id;
        line->changed_at = row.stamp.ts;
        line->alive = !row.deleted;
        line->suppressed = sqlite3_column_int(s, SELLER_STATUS) == POLICY_SUPPRESSED;
        ++*count;
        more = statement_row(s);
    }
    return more < 0 ? PORT_NO_MEMORY : 0;
}

static int port_republish(void *ctx, vtime now, const uint64_t *listing_ids, size_t count) {
    struct fake_oltp *o = ctx;
    assert(!o->in_transaction);
    for (size_t i = 0; i < count; i++) {
        int rc = republish_listing(o, now, listing_ids[i]);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

int fake_oltp_held(struct fake_oltp *o, uint64_t listing_id, struct stamp stamp) {
    struct oltp_listing row;
    int found = fake_oltp_read_listing(o, listing_id, &row);
    if (found <= 0) {
        return found;
    }
    return oltp_listing_says(&row) && stamp_compare(row.stamp, stamp) <= 0;
}

static int port_erase(void *ctx, vtime now, const struct erasure_subject *subjects, size_t count,
                      struct erasure_look *looks) {
    struct fake_oltp *o = ctx;
    struct erasure_look *look = &looks[ERASED_IN_SOURCE];
    look->examined += (uint32_t)count;
    look->at = now;
    for (size_t i = 0; i < count; i++) {
        int held = fake_oltp_held(o, subjects[i].listing_id, subjects[i].stamp);
        look->found += held == 1;
        if (held < 0 ||
            (held == 1 && erase_row(o, now, subjects[i].listing_id, subjects[i].stamp) != 0)) {
            return PORT_NO_MEMORY;
        }
    }
    return 0;
}

struct oltp_port fake_oltp_port(struct fake_oltp *o) {
    static const struct oltp_port_ops ops = {port_outbox_read, port_outbox_trim, port_scan,
                                             port_republish, port_erase};
    return (struct oltp_port){&ops, o};
}

/* ---- what is asked from outside the simulation ---- */

int64_t fake_oltp_outbox_count(const struct fake_oltp *o) {
    return o->committed - o->trimmed;
}

int64_t fake_oltp_last_sequence(const struct fake_oltp *o) {
    return o->committed;
}

const struct row_journal *fake_oltp_listing_journal(const struct fake_oltp *o) {
    return &o->listings;
}

const struct row_journal *fake_oltp_seller_journal(const struct fake_oltp *o) {
    return &o->sellers;
}

const struct row_journal *fake_oltp_order_journal(const struct fake_oltp *o) {
    return &o->orders;
}

const struct row_journal *fake_oltp_outbox_journal(const struct fake_oltp *o) {
    return &o->outbox;
}

int fake_oltp_each_order(struct fake_oltp *o,
                         int (*each)(void *ctx, vtime created, const struct order_row *order),
                         void *ctx) {
    sqlite3_stmt *s = o->statements[READ_ORDERS];
    int more = statement_row(s);
    while (more == 1) {
        struct order_row order = {
            .order_id = id_of(sqlite3_column_int64(s, 0)),
            .listing_id = (uint64_t)sqlite3_column_int64(s, 1),
            .category = statement_bytes(s, 2),
            .quantity = sqlite3_column_int64(s, 3),
            .amount = sqlite3_column_int64(s, 4),
            .stamp = stamp_at(s, 5),
            .placed = {sqlite3_column_int64(s, 9)},
        };
        int rc = each(ctx, (vtime){sqlite3_column_int64(s, 8)}, &order);
        if (rc != 0) {
            sqlite3_reset(s);
            return rc;
        }
        more = statement_row(s);
    }
    return more < 0 ? PORT_NO_MEMORY : 0;
}
