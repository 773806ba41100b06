/*
 * The operational database and its outbox (A2): commits, the relay's view, what a scan says of a
 * row against the fold of the events that made it, and what republishing repairs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/document.h"
#include "pipeline/little_endian.h"
#include "sim/fake_oltp.h"
#include "sim/prng.h"
#include "sim/sqlite_host.h"

static vtime at(int64_t second) {
    return (vtime){second * VTIME_SECOND};
}

static struct stamp stamp_of(int64_t second) {
    return (struct stamp){at(second), {UINT64_C(0xfedcba9876543210), (uint64_t)second}};
}

static struct fake_oltp *open_oltp(void) {
    struct fake_oltp *o = fake_oltp_new(&(struct fake_oltp_options){.journal = true});
    assert_non_null(o);
    return o;
}

static struct oltp_listing plain_row(uint64_t id, int64_t second) {
    return (struct oltp_listing){.listing_id = id,
                                 .seller_id = 7,
                                 .title = bytes_of("lamp"),
                                 .locale = bytes_of("en"),
                                 .category = bytes_of("home"),
                                 .price = 10000,
                                 .stamp = stamp_of(second)};
}

static struct outbox_item item_of(const char *value) {
    return (struct outbox_item){TOPIC_LISTING, 1, bytes_of(value)};
}

/* "1:a 2:b" for the outbox rows after `sequence`. */
static const char *outbox(struct fake_oltp *o, int64_t sequence, size_t max) {
    static char text[512];
    struct oltp_port port = fake_oltp_port(o);
    struct outbox_row rows[16];
    size_t count = 0;
    assert_int_equal(port.ops->outbox_read(port.ctx, at(0), sequence, rows, max, &count), 0);
    text[0] = 0;
    for (size_t i = 0; i < count; i++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof(text) - used, "%s%d:%.*s", i == 0 ? "" : " ",
                 (int)rows[i].sequence, (int)rows[i].value.len, rows[i].value.data);
    }
    return text;
}

/* A change and its outbox row come together; a rollback takes both back, sequence included. */
static void change_and_outbox_commit_together(void **state) {
    (void)state;
    struct fake_oltp *o = open_oltp();
    struct oltp_listing row = plain_row(1, 1), kept;
    struct outbox_item a = item_of("a"), b = item_of("b"), c = item_of("c");
    assert_int_equal(fake_oltp_write_listing(o, at(1), &row, &a), 0);
    assert_int_equal(fake_oltp_begin(o), 0);
    row.title = bytes_of("chair");
    assert_int_equal(fake_oltp_write_listing(o, at(2), &row, &b), 0);
    assert_int_equal(fake_oltp_write_seller(o, at(2), 7, POLICY_SUPPRESSED, stamp_of(2), &b), 0);
    assert_int_equal(fake_oltp_last_sequence(o), 1);
    assert_int_equal(fake_oltp_rollback(o), 0);
    assert_int_equal(fake_oltp_read_listing(o, 1, &kept), 1);
    assert_true(bytes_equal(kept.title, bytes_of("lamp")));
    assert_string_equal(outbox(o, 0, 16), "1:a");
    assert_int_equal(fake_oltp_listing_journal(o)->count, 1);
    assert_int_equal(fake_oltp_seller_journal(o)->count, 0);

    assert_int_equal(fake_oltp_begin(o), 0);
    assert_int_equal(fake_oltp_write_listing(o, at(3), &row, &c), 0);
    assert_int_equal(fake_oltp_commit(o), 0);
    assert_string_equal(outbox(o, 0, 16), "1:a 2:c");
    assert_int_equal(fake_oltp_read_listing(o, 1, &kept), 1);
    assert_true(bytes_equal(kept.title, bytes_of("chair")));
    fake_oltp_free(o);
}

/* The relay reads in order after a sequence, never more than it asked for; trimmed rows are gone,
 * also when the trim names rows that do not exist yet. */
static void relay_reads_and_trims(void **state) {
    (void)state;
    struct fake_oltp *o = open_oltp();
    struct oltp_port port = fake_oltp_port(o);
    static const char *const values[] = {"a", "b", "c", "", "e"};
    for (int i = 0; i < 5; i++) {
        struct outbox_item item = item_of(values[i]);
        assert_int_equal(fake_oltp_publish(o, at(i), &item), 0);
    }
    assert_string_equal(outbox(o, 1, 3), "2:b 3:c 4:");
    assert_string_equal(outbox(o, 5, 3), "");
    assert_int_equal(port.ops->outbox_trim(port.ctx, at(6), 2), 0);
    assert_string_equal(outbox(o, 0, 16), "3:c 4: 5:e");
    assert_int_equal(fake_oltp_outbox_count(o), 3);
    assert_int_equal(port.ops->outbox_trim(port.ctx, at(6), 99), 0);
    struct outbox_item item = item_of("f");
    assert_int_equal(fake_oltp_publish(o, at(7), &item), 0);
    assert_string_equal(outbox(o, 0, 16), "6:f");
    fake_oltp_free(o);
}

/* A change without an outbox row is in the table and nowhere else (dual write). */
static void dual_write_is_unpublished(void **state) {
    (void)state;
    struct fake_oltp *o = open_oltp();
    struct oltp_listing row = plain_row(5, 1);
    assert_int_equal(fake_oltp_write_listing(o, at(1), &row, 0), 0);
    assert_string_equal(outbox(o, 0, 16), "");
    assert_int_equal(fake_oltp_read_listing(o, 5, &row), 1);
    assert_int_equal(fake_oltp_read_listing(o, 6, &row), 0);
    fake_oltp_free(o);
}

/* A row comes back as it was written: null and empty told apart, attributes of every type. */
static void rows_come_back_whole(void **state) {
    (void)state;
    struct fake_oltp *o = open_oltp();
    const struct field attributes[] = {
        {FIELD_ATTRIBUTE, VALUE_TEXT, bytes_of("colour"), 0, bytes_of("red")},
        {FIELD_ATTRIBUTE, VALUE_NULL, bytes_of("gone"), 0, {0, 0}},
        {FIELD_ATTRIBUTE, VALUE_NUMBER, bytes_of("weight"), 0, bytes_of("1.25")},
        {FIELD_ATTRIBUTE, VALUE_INTEGER, bytes_of("width"), -40, {0, 0}},
    };
    struct oltp_listing row = plain_row(UINT64_MAX, 3), read;
    row.description = bytes_of("");
    row.category = (struct bytes){0, 0};
    row.price = -1;
    row.seller_id = 0;
    row.attributes = attributes;
    row.attribute_count = 4;
    row.image_ids = (struct bytes){"\x05\0\0\0\0\0\0\0", 8};
    assert_int_equal(fake_oltp_write_listing(o, at(3), &row, 0), 0);
    assert_int_equal(fake_oltp_read_listing(o, UINT64_MAX, &read), 1);
    assert_true(read.listing_id == UINT64_MAX && read.seller_id == 0 && read.price == -1);
    assert_true(bytes_equal(read.title, row.title));
    assert_true(read.description.data != 0 && read.description.len == 0);
    assert_null(read.category.data);
    assert_true(bytes_equal(read.image_ids, row.image_ids));
    assert_int_equal(stamp_compare(read.stamp, row.stamp), 0);
    assert_int_equal(read.attribute_count, 4);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(read.attributes[i].type, attributes[i].type);
        assert_true(bytes_equal(read.attributes[i].name, attributes[i].name));
        assert_true(bytes_equal(read.attributes[i].text, attributes[i].text));
        assert_int_equal(read.attributes[i].integer, attributes[i].integer);
    }
    fake_oltp_free(o);
}

/* Scans go by unsigned id, stay in their range and within max, and tell deleted and suppressed. */
static void scan_is_in_id_order(void **state) {
    (void)state;
    struct fake_oltp *o = open_oltp();
    struct oltp_port port = fake_oltp_port(o);
    const uint64_t ids[] = {UINT64_MAX, 3, UINT64_C(1) << 63, 1, 2, INT64_MAX};
    for (int i = 0; i < 6; i++) {
        struct oltp_listing row = plain_row(ids[i], i);
        row.deleted = ids[i] == 2;
        row.seller_id = ids[i] == 3 ? 8 : 7;
        assert_int_equal(fake_oltp_write_listing(o, at(i), &row, 0), 0);
    }
    assert_int_equal(fake_oltp_write_seller(o, at(9), 8, POLICY_SUPPRESSED, stamp_of(9), 0), 0);
    struct scan_row rows[8];
    size_t count = 0;
    assert_int_equal(port.ops->scan(port.ctx, at(9), 0, UINT64_MAX, rows, 8, &count), 0);
    assert_int_equal(count, 6);
    const uint64_t ordered[] = {1, 2, 3, INT64_MAX, UINT64_C(1) << 63, UINT64_MAX};
    for (int i = 0; i < 6; i++) {
        assert_true(rows[i].listing_id == ordered[i]);
        assert_int_equal(rows[i].alive, ordered[i] != 2);
        assert_int_equal(rows[i].suppressed, ordered[i] == 3);
        assert_int_equal(rows[i].version, DOC_VERSION_NONE);
    }
    assert_int_equal(rows[4].changed_at.ns, at(2).ns);
    assert_int_equal(port.ops->scan(port.ctx, at(9), 2, INT64_MAX, rows, 2, &count), 0);
    assert_int_equal(count, 2);
    assert_true(rows[0].listing_id == 2 && rows[1].listing_id == 3);
    fake_oltp_free(o);
}

static int take_order(void *ctx, vtime created, const struct order_row *order) {
    (void)created;
    *(struct order_row *)ctx = *order;
    return 0;
}

/* An erasure empties rows and leaves them as deletions, a seller's all of its rows; what changed
 * later stays, and so do orders. The eraser's look finds nothing more (A12). */
static void erasure_empties_rows(void **state) {
    (void)state;
    struct fake_oltp *o = open_oltp();
    struct oltp_port port = fake_oltp_port(o);
    for (uint64_t id = 1; id <= 4; id++) {
        struct oltp_listing row = plain_row(id, id == 4 ? 50 : 10);
        row.seller_id = id == 3 ? 8 : 7;
        assert_int_equal(fake_oltp_write_listing(o, at(10), &row, 0), 0);
    }
    struct order_row order = {.order_id = 1, .listing_id = 1, .quantity = 1, .amount = 5};
    assert_int_equal(fake_oltp_write_order(o, at(11), &order, 0), 0);
    struct outbox_item item = {TOPIC_PRIVACY, 7, bytes_of("erasure")};
    assert_int_equal(fake_oltp_erase(o, at(20), ERASURE_SELLER, 7, stamp_of(20), &item), 0);
    assert_string_equal(outbox(o, 0, 9), "1:erasure");
    for (uint64_t id = 1; id <= 4; id++) {
        struct oltp_listing row;
        bool emptied = id <= 2;
        assert_int_equal(fake_oltp_read_listing(o, id, &row), 1);
        assert_int_equal(row.deleted, emptied);
        assert_int_equal(row.title.len, emptied ? 0 : 4);
        assert_int_equal(fake_oltp_held(o, id, stamp_of(30)), id == 3);
    }
    struct erasure_subject subject = {3, stamp_of(30), 1};
    struct erasure_look looks[ERASURE_PLACE_COUNT] = {{0}};
    assert_int_equal(port.ops->erase(port.ctx, at(40), &subject, 1, looks), 0);
    assert_int_equal(looks[ERASED_IN_SOURCE].found, 1);
    assert_int_equal(fake_oltp_held(o, 3, stamp_of(30)), 0);
    struct order_row found = {0};
    assert_int_equal(fake_oltp_each_order(o, take_order, &found), 0);
    assert_int_equal(found.listing_id, 1);
    fake_oltp_free(o);
}

/* ---- random histories of one listing ---- */

#define SLOTS 10
#define HISTORY 24

/* One event: a deletion, or new values of some slots. */
struct change {
    bool deletes;
    uint8_t named[SLOTS]; /* 0 not named, 1 null, 2.. a value */
};

static const char *const attribute_names[] = {"brand", "colour", "width"};
static char packed_ids[8][16];

/* The field of a slot: the own fields in their order, then three attributes. */
static struct field slot_field(int slot, unsigned value) {
    static const char *const texts[] = {"", "une table", "a lamp \xe2\x98\x83", "seat", "x", "yy"};
    static const enum field_id ids[] = {FIELD_TITLE,    FIELD_DESCRIPTION, FIELD_LOCALE,
                                        FIELD_CATEGORY, FIELD_SELLER,      FIELD_PRICE,
                                        FIELD_IMAGE_IDS};
    struct field f = {.id = slot < 7 ? ids[slot] : FIELD_ATTRIBUTE, .type = VALUE_NULL};
    if (slot >= 7) {
        f.name = bytes_of(attribute_names[slot - 7]);
    }
    if (value < 2) {
        return f;
    }
    if (f.id == FIELD_SELLER || f.id == FIELD_PRICE || slot == 9) {
        f.type = VALUE_INTEGER;
        f.integer = value;
    } else if (f.id == FIELD_IMAGE_IDS) {
        f.type = VALUE_IDS;
        le64_put(le64_put(packed_ids[value], value), value + 100);
        f.text = (struct bytes){packed_ids[value], 8 * (value % 3)};
    } else {
        f.type = VALUE_TEXT;
        f.text = bytes_of(texts[value - 2]);
    }
    return f;
}

static struct change random_change(struct prng *prng) {
    struct change c = {.deletes = prng_ratio(prng, 1, 5)};
    for (int i = 0; i < SLOTS && !c.deletes; i++) {
        c.named[i] = prng_ratio(prng, 1, 3) ? (uint8_t)(1 + prng_below(prng, 6)) : 0;
    }
    return c;
}

/* What the application's table holds after the change. */
static void apply(uint8_t slots[SLOTS], const struct change *c) {
    for (int i = 0; i < SLOTS; i++) {
        if (c->deletes || c->named[i] != 0) {
            slots[i] = c->named[i];
        }
    }
}

static void write_row(struct fake_oltp *o, uint64_t id, const uint8_t slots[SLOTS], bool deleted,
                      int64_t second) {
    struct field attributes[3];
    size_t count = 0;
    for (int i = 7; i < SLOTS; i++) {
        if (slots[i] != 0) {
            attributes[count++] = slot_field(i, slots[i]);
        }
    }
    struct oltp_listing row = {.listing_id = id,
                               .seller_id = (uint64_t)slot_field(4, slots[4]).integer,
                               .title = slot_field(0, slots[0]).text,
                               .description = slot_field(1, slots[1]).text,
                               .locale = slot_field(2, slots[2]).text,
                               .category = slot_field(3, slots[3]).text,
                               .price = slots[5] < 2 ? -1 : slots[5],
                               .image_ids = slot_field(6, slots[6]).text,
                               .attributes = attributes,
                               .attribute_count = count,
                               .deleted = deleted,
                               .stamp = stamp_of(second)};
    assert_int_equal(fake_oltp_write_listing(o, at(second), &row, 0), 0);
}

static void fold_bytes(struct document *d, struct bytes value) {
    struct record record;
    struct record_error error;
    if (record_decode(value, &record, &error) != 0) {
        fail_msg("%s: %s", error.field, error.reason);
    }
    assert_true(document_fold(d, &record, doc_version_pack(0, 0), at(0), 0) >= 0);
}

static void fold_change(struct document *d, uint64_t id, const struct change *c, int64_t second) {
    struct field fields[SLOTS];
    size_t count = 0;
    for (int i = 0; i < SLOTS; i++) {
        if (c->named[i] != 0) {
            fields[count++] = slot_field(i, c->named[i]);
        }
    }
    struct record record = {.type = RECORD_LISTING,
                            .op = c->deletes ? RECORD_DELETE : RECORD_UPSERT,
                            .contract_version = RECORD_CONTRACT_VERSION,
                            .stamp = stamp_of(second),
                            .subject_id = id};
    char buffer[4096];
    int64_t length = record_encode(&record, fields, count, buffer, sizeof(buffer));
    assert_true(length > 0);
    fold_bytes(d, (struct bytes){buffer, (size_t)length});
}

static uint64_t source_of(const struct document *d) {
    struct document_digest digest;
    document_digest(d, &digest);
    return digest.source;
}

static struct scan_row scan_one(struct fake_oltp *o, uint64_t id) {
    struct oltp_port port = fake_oltp_port(o);
    struct scan_row row;
    size_t count = 0;
    assert_int_equal(port.ops->scan(port.ctx, at(0), id, id, &row, 1, &count), 0);
    assert_int_equal(count, 1);
    return row;
}

/*
 * The scan's source hash of a row is that of the document made from all its events in any order
 * (A3, A4), and a document that missed any of the events is mended by the republished row, without
 * a field of an earlier life coming back.
 */
static void rows_equal_the_fold_of_their_events(void **state) {
    (void)state;
    struct prng prng;
    prng_init(&prng, 11, "oltp-fold");
    struct fake_oltp *o = open_oltp();
    struct oltp_port port = fake_oltp_port(o);
    int mended = 0;
    for (uint64_t id = 1; id <= 2000; id++) {
        struct change history[HISTORY];
        int order[HISTORY];
        uint8_t slots[SLOTS] = {0};
        int length = (int)prng_range(&prng, 1, HISTORY);
        for (int i = 0; i < length; i++) {
            order[i] = i;
            history[i] = random_change(&prng);
            apply(slots, &history[i]);
            write_row(o, id, slots, history[i].deletes, 100 + i);
        }
        prng_shuffle(&prng, order, (size_t)length, sizeof(order[0]));
        struct document whole, torn;
        document_init(&whole, id);
        document_init(&torn, id);
        for (int i = 0; i < length; i++) {
            fold_change(&whole, id, &history[order[i]], 100 + order[i]);
            if (prng_ratio(&prng, 1, 2)) {
                fold_change(&torn, id, &history[order[i]], 100 + order[i]);
            }
        }
        struct scan_row row = scan_one(o, id);
        assert_int_equal(row.alive, document_alive(&whole));
        assert_true(row.source_hash == source_of(&whole));

        int64_t before = fake_oltp_last_sequence(o);
        mended += source_of(&torn) != row.source_hash;
        assert_int_equal(port.ops->republish(port.ctx, at(500), &id, 1), 0);
        struct outbox_row rows[4];
        size_t count = 0;
        assert_int_equal(port.ops->outbox_read(port.ctx, at(500), before, rows, 4, &count), 0);
        for (size_t i = 0; i < count; i++) {
            assert_true(rows[i].topic == TOPIC_LISTING && rows[i].key == id);
            fold_bytes(&torn, rows[i].value);
            fold_bytes(&whole, rows[i].value);
        }
        assert_true(source_of(&torn) == row.source_hash);
        assert_true(source_of(&whole) == row.source_hash);
        document_release(&whole);
        document_release(&torn);
    }
    assert_true(mended > 500);
    fake_oltp_free(o);
}

/* A listing that the table does not know is republished as a deletion later than all it had. */
static void unknown_listings_are_republished_as_deletions(void **state) {
    (void)state;
    struct fake_oltp *o = open_oltp();
    struct oltp_port port = fake_oltp_port(o);
    struct change created = {.named = {3, 3, 3, 3, 3, 3, 3, 3, 3, 3}};
    struct document d;
    document_init(&d, 77);
    fold_change(&d, 77, &created, 100);
    assert_true(document_alive(&d));
    uint64_t id = 77;
    assert_int_equal(port.ops->republish(port.ctx, at(500), &id, 1), 0);
    struct outbox_row row;
    size_t count = 0;
    assert_int_equal(port.ops->outbox_read(port.ctx, at(500), 0, &row, 1, &count), 0);
    fold_bytes(&d, row.value);
    assert_false(document_alive(&d));
    document_release(&d);
    fake_oltp_free(o);
}

/* A row whose text is no UTF-8 hashes to 0, which equals no document. */
static void broken_rows_equal_nothing(void **state) {
    (void)state;
    struct fake_oltp *o = open_oltp();
    struct oltp_listing row = plain_row(1, 1);
    row.title = (struct bytes){"\xff\xfe", 2};
    assert_int_equal(fake_oltp_write_listing(o, at(1), &row, 0), 0);
    assert_true(scan_one(o, 1).source_hash == 0);
    fake_oltp_free(o);
}

static int sum_order(void *ctx, vtime created, const struct order_row *order) {
    int64_t *sum = ctx;
    *sum = *sum * 100 + order->quantity * 10 + created.ns / VTIME_SECOND;
    return 0;
}

/* Orders are kept by id, with the moment of their writing. */
static void orders_are_kept(void **state) {
    (void)state;
    struct fake_oltp *o = open_oltp();
    for (int i = 3; i >= 1; i--) {
        struct order_row order = {.order_id = (uint64_t)i,
                                  .listing_id = 1,
                                  .stamp = stamp_of(i),
                                  .quantity = i,
                                  .amount = 100,
                                  .category = bytes_of("home")};
        assert_int_equal(fake_oltp_write_order(o, at(i + 4), &order, 0), 0);
    }
    int64_t sum = 0;
    assert_int_equal(fake_oltp_each_order(o, sum_order, &sum), 0);
    assert_int_equal(sum, 152637);
    fake_oltp_free(o);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(change_and_outbox_commit_together),
        cmocka_unit_test(relay_reads_and_trims),
        cmocka_unit_test(dual_write_is_unpublished),
        cmocka_unit_test(rows_come_back_whole),
        cmocka_unit_test(scan_is_in_id_order),
        cmocka_unit_test(erasure_empties_rows),
        cmocka_unit_test(rows_equal_the_fold_of_their_events),
        cmocka_unit_test(unknown_listings_are_republished_as_deletions),
        cmocka_unit_test(broken_rows_equal_nothing),
        cmocka_unit_test(orders_are_kept),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
