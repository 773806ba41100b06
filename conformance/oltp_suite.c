/*
 * The conformance suite of the OLTP port (A2, A12, B1): what the relay, the reconciler and the
 * eraser lean on, held by the fake and by a PostgreSQL; and long random plays in which a subject
 * must answer as the fake does, to the byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conformance/oltp_subject.h"
#include "conformance/suite.h"
#include "pipeline/document.h"
#include "pipeline/fact.h"
#include "sim/prng.h"

enum { ROWS_MAX = 512 };

SUITE_SUBJECTS(oltp)

/* ---- What the tests say ---- */

static struct oltp_listing lamp(uint64_t id, int64_t second) {
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

static void write(struct oltp_subject *s, const struct oltp_listing *row, const char *value) {
    struct outbox_item item = item_of(value != NULL ? value : "");
    s->ops->write_listing(s->ctx, at(0), row, value != NULL ? &item : NULL);
}

static size_t read_outbox(struct oltp_subject *s, int64_t sequence, struct outbox_row *rows,
                          size_t max) {
    size_t count = 0;
    assert_int_equal(s->port.ops->outbox_read(s->port.ctx, at(0), sequence, rows, max, &count), 0);
    return count;
}

/* "1:a 2:b " for the outbox rows after `sequence`. */
static const char *outbox(struct oltp_subject *s, int64_t sequence, size_t max) {
    static char text[512];
    struct outbox_row rows[16];
    size_t count = read_outbox(s, sequence, rows, max);
    text[0] = 0;
    for (size_t i = 0; i < count; i++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%d:%.*s ", (int)rows[i].sequence,
                 (int)rows[i].value.len, rows[i].value.data);
    }
    return text;
}

static size_t scan(struct oltp_subject *s, uint64_t first, uint64_t last, struct scan_row *rows,
                   size_t max) {
    size_t count = 0;
    assert_int_equal(s->port.ops->scan(s->port.ctx, at(0), first, last, rows, max, &count), 0);
    return count;
}

static void republish(struct oltp_subject *s, uint64_t id) {
    assert_int_equal(s->port.ops->republish(s->port.ctx, at(900), &id, 1), 0);
}

/* How much an erasure of what was said of the listing up to that second finds. */
static uint64_t erase(struct oltp_subject *s, uint64_t id, int64_t second) {
    struct erasure_look looks[ERASURE_PLACE_COUNT] = {{0}};
    struct erasure_subject subject = {.listing_id = id, .stamp = stamp_of(second)};
    assert_int_equal(s->port.ops->erase(s->port.ctx, at(1000), &subject, 1, looks), 0);
    assert_int_equal(looks[ERASED_IN_SOURCE].examined, 1);
    return looks[ERASED_IN_SOURCE].found;
}

/* ---- The outbox ---- */

/* A change and its outbox row come together; a rollback takes both back, sequence included, so the
 * relay sees dense sequences in the order of commits. */
static void change_and_outbox_commit_together(void **state) {
    struct oltp_subject *s = *state;
    struct oltp_listing row = lamp(1, 1);
    struct scan_row rows[4];
    write(s, &row, "a");
    s->ops->begin(s->ctx);
    row.price = 5;
    write(s, &row, "lost");
    struct oltp_listing other = lamp(2, 2);
    write(s, &other, "lost");
    s->ops->rollback(s->ctx);
    assert_int_equal(scan(s, 0, UINT64_MAX, rows, 4), 1);
    s->ops->begin(s->ctx);
    write(s, &other, "b");
    struct outbox_item item = item_of("c");
    s->ops->write_seller(s->ctx, at(0), 7, POLICY_ACTIVE, stamp_of(1), &item);
    s->ops->commit(s->ctx);
    assert_string_equal(outbox(s, 0, 16), "1:a 2:b 3:c ");
    assert_int_equal(scan(s, 0, UINT64_MAX, rows, 4), 2);
}

/* A change may leave no outbox row: nothing ever tells the relay of it. */
static void dual_writes_are_not_told(void **state) {
    struct oltp_subject *s = *state;
    struct oltp_listing row = lamp(1, 1);
    struct scan_row rows[2];
    write(s, &row, NULL);
    assert_string_equal(outbox(s, 0, 16), "");
    assert_int_equal(scan(s, 0, UINT64_MAX, rows, 2), 1);
}

/* Rows come after the sequence asked for, no more than wanted, with all their bytes; what is
 * trimmed is gone, trimming again does no harm, and numbers go on. */
static void outbox_is_read_in_pieces_and_trimmed(void **state) {
    struct oltp_subject *s = *state;
    struct oltp_listing row = lamp(1, 1);
    const char *const values[] = {"a", "b", "c", "d"};
    for (int i = 0; i < 4; i++) {
        write(s, &row, values[i]);
    }
    assert_string_equal(outbox(s, 0, 2), "1:a 2:b ");
    assert_string_equal(outbox(s, 2, 16), "3:c 4:d ");
    assert_int_equal(s->port.ops->outbox_trim(s->port.ctx, at(0), 3), 0);
    assert_int_equal(s->port.ops->outbox_trim(s->port.ctx, at(0), 2), 0);
    assert_string_equal(outbox(s, 0, 16), "4:d ");
    assert_int_equal(s->port.ops->outbox_trim(s->port.ctx, at(0), 4), 0);
    assert_string_equal(outbox(s, 0, 16), "");
    struct outbox_item item = {TOPIC_MEDIA, UINT64_MAX, {"\0\xff", 2}};
    s->ops->write_listing(s->ctx, at(0), &row, &item);
    struct outbox_row rows[2];
    assert_int_equal(read_outbox(s, 0, rows, 2), 1);
    assert_int_equal(rows[0].sequence, 5);
    assert_int_equal(rows[0].topic, TOPIC_MEDIA);
    assert_true(rows[0].key == UINT64_MAX);
    assert_true(bytes_equal(rows[0].value, item.value));
}

/* ---- Scans ---- */

/* Rows come in the order of ids as unsigned numbers, ends included, no more than wanted. */
static void scans_are_in_the_order_of_ids(void **state) {
    struct oltp_subject *s = *state;
    const uint64_t ids[] = {UINT64_MAX, 3, UINT64_C(1) << 63, 1, 2};
    struct scan_row rows[8];
    for (int i = 0; i < 5; i++) {
        struct oltp_listing row = lamp(ids[i], i);
        row.deleted = ids[i] == 2;
        write(s, &row, NULL);
    }
    s->ops->write_seller(s->ctx, at(0), 7, POLICY_SUPPRESSED, stamp_of(9), NULL);
    assert_int_equal(scan(s, 2, UINT64_MAX, rows, 8), 4);
    assert_int_equal(rows[0].listing_id, 2);
    assert_int_equal(rows[1].listing_id, 3);
    assert_true(rows[2].listing_id == UINT64_C(1) << 63);
    assert_true(rows[3].listing_id == UINT64_MAX);
    assert_false(rows[0].alive);
    assert_true(rows[1].alive);
    assert_true(rows[1].suppressed);
    assert_int_equal(rows[1].changed_at.ns, at(1).ns);
    assert_int_equal(scan(s, 0, 3, rows, 2), 2);
    assert_int_equal(rows[1].listing_id, 2);
}

/* The source hash is the one of a document that was told the row and nothing else: it changes with
 * every column, and comes back when the column does. */
static void source_hash_is_the_rows(void **state) {
    struct oltp_subject *s = *state;
    struct oltp_listing row = lamp(4, 1);
    struct scan_row first, changed, back;
    write(s, &row, NULL);
    assert_int_equal(scan(s, 4, 4, &first, 1), 1);
    row.title = bytes_of("lamp, red");
    row.stamp = stamp_of(2);
    write(s, &row, NULL);
    assert_int_equal(scan(s, 4, 4, &changed, 1), 1);
    assert_true(changed.source_hash != first.source_hash);
    row.title = bytes_of("lamp");
    row.stamp = stamp_of(3);
    write(s, &row, NULL);
    assert_int_equal(scan(s, 4, 4, &back, 1), 1);
    assert_true(back.source_hash == first.source_hash);
}

/* ---- Said again, and erased ---- */

/* What is republished makes the document that the row stands for, whatever was told before: an
 * unknown listing is deleted, a revived one keeps nothing of its earlier life, and the seller's
 * status and what the reference tables say come along. */
static void republished_rows_make_their_document(void **state) {
    struct oltp_subject *s = *state;
    republish(s, 99);
    struct oltp_listing row = lamp(5, 1);
    row.deleted = true;
    write(s, &row, NULL);
    republish(s, 5);
    row = lamp(5, 20);
    write(s, &row, NULL);
    s->ops->write_seller(s->ctx, at(0), 7, POLICY_SUPPRESSED, stamp_of(9), NULL);
    struct reference_row category = {
        .table = FACT_CATEGORY, .key = bytes_of("home"), .value = bytes_of("all/home")};
    s->ops->write_reference(s->ctx, at(0), &category, stamp_of(8), NULL);
    republish(s, 5);

    struct outbox_row rows[16];
    assert_int_equal(read_outbox(s, 0, rows, 16), 6);
    static const enum topic_id topics[] = {TOPIC_LISTING, TOPIC_LISTING, TOPIC_LISTING,
                                           TOPIC_LISTING, TOPIC_POLICY,  TOPIC_REFERENCE};
    static const enum record_op listing_ops[] = {RECORD_DELETE, RECORD_DELETE, RECORD_DELETE,
                                                 RECORD_UPSERT};
    struct document document;
    document_init(&document, 5);
    for (int i = 0; i < 6; i++) {
        struct record record;
        struct record_error error;
        assert_int_equal(rows[i].topic, topics[i]);
        assert_int_equal(record_decode(rows[i].value, &record, &error), 0);
        assert_true((record.sections & SECTION_REPAIR) != 0);
        if (i < 4) {
            assert_int_equal(record.op, listing_ops[i]);
        }
        if (i > 0 && i < 4) {
            assert_true(document_fold(&document, &record, doc_version_pack(0, i), at(0), 0) >= 0);
        }
    }
    struct document_digest digest;
    struct scan_row scanned;
    document_digest(&document, &digest);
    assert_int_equal(scan(s, 5, 5, &scanned, 1), 1);
    assert_true(digest.source == scanned.source_hash);
    document_release(&document);
}

/* An erasure empties what was said up to it and leaves what came after; it finds nothing a second
 * time, orders stay, and the row stays as one that is gone. */
static void erasures_empty_rows(void **state) {
    struct oltp_subject *s = *state;
    struct oltp_listing row = lamp(6, 10);
    write(s, &row, NULL);
    struct order_row order = {.order_id = 1,
                              .listing_id = 6,
                              .stamp = stamp_of(11),
                              .quantity = 1,
                              .amount = 10000,
                              .category = bytes_of("home")};
    s->ops->write_order(s->ctx, at(0), &order, NULL);
    assert_int_equal(erase(s, 6, 9), 0);
    assert_int_equal(erase(s, 6, 10), 1);
    assert_int_equal(erase(s, 6, 10), 0);
    assert_int_equal(erase(s, 404, 10), 0);
    assert_int_equal(s->ops->count_orders(s->ctx), 1);
    struct scan_row scanned;
    assert_int_equal(scan(s, 6, 6, &scanned, 1), 1);
    assert_false(scanned.alive);
    row.stamp = stamp_of(30);
    write(s, &row, NULL);
    assert_int_equal(erase(s, 6, 10), 0);
    assert_int_equal(scan(s, 6, 6, &scanned, 1), 1);
    assert_true(scanned.alive);
}

/* ---- Random plays beside the fake ---- */

struct play {
    struct oltp_subject *both[2];
    struct prng prng;
    int64_t second;
};

static const char *const words[] = {"lamp", "", "chair", "caf\xc3\xa9", "\xe6\xa4\x85\xe5\xad\x90"};

static struct bytes word(struct play *p) {
    return prng_ratio(&p->prng, 1, 4) ? (struct bytes){NULL, 0}
                                      : bytes_of(words[prng_below(&p->prng, 5)]);
}

static void play_listing(struct play *p, uint64_t id) {
    struct field attributes[] = {
        {.id = FIELD_ATTRIBUTE, .type = VALUE_INTEGER, .name = bytes_of("eco"), .integer = -3},
        {.id = FIELD_ATTRIBUTE, .type = VALUE_TEXT, .name = bytes_of("hue"), .text = word(p)}};
    if (attributes[1].text.data == NULL) {
        attributes[1].type = VALUE_NULL;
    }
    struct oltp_listing row = {
        .listing_id = id,
        .seller_id = prng_below(&p->prng, 4),
        .title = word(p),
        .description = word(p),
        .locale = word(p),
        .category = word(p),
        .price = prng_range(&p->prng, -1, 50000),
        .attributes = attributes,
        .attribute_count = prng_below(&p->prng, 3),
        .deleted = prng_ratio(&p->prng, 1, 5),
        .stamp = stamp_of(p->second),
    };
    struct outbox_item item = item_of(words[prng_below(&p->prng, 5)]);
    bool told = prng_ratio(&p->prng, 3, 4);
    for (int i = 0; i < 2; i++) {
        p->both[i]->ops->write_listing(p->both[i]->ctx, at(p->second), &row, told ? &item : NULL);
    }
}

static void play_facts(struct play *p) {
    uint64_t seller = 1 + prng_below(&p->prng, 3);
    enum policy_status status = prng_ratio(&p->prng, 1, 2) ? POLICY_ACTIVE : POLICY_SUPPRESSED;
    struct reference_row row = {.table = FACT_CATEGORY,
                                .key = bytes_of(words[prng_below(&p->prng, 5)]),
                                .value = bytes_of("all/of/it")};
    for (int i = 0; i < 2; i++) {
        struct oltp_subject *s = p->both[i];
        s->ops->write_seller(s->ctx, at(p->second), seller, status, stamp_of(p->second), NULL);
        s->ops->write_reference(s->ctx, at(p->second), &row, stamp_of(p->second), NULL);
    }
}

static void play_transaction(struct play *p) {
    bool keep = prng_ratio(&p->prng, 1, 2);
    for (int i = 0; i < 2; i++) {
        p->both[i]->ops->begin(p->both[i]->ctx);
    }
    for (uint64_t n = prng_below(&p->prng, 4); n > 0; n--) {
        play_listing(p, 1 + prng_below(&p->prng, 12));
    }
    for (int i = 0; i < 2; i++) {
        struct oltp_subject *s = p->both[i];
        (keep ? s->ops->commit : s->ops->rollback)(s->ctx);
    }
}

static void play_step(struct play *p) {
    p->second++;
    uint64_t id = 1 + prng_below(&p->prng, 12);
    int64_t sequence = (int64_t)prng_below(&p->prng, (uint64_t)p->second);
    uint64_t choice = prng_below(&p->prng, 10);
    if (choice < 5) {
        play_listing(p, id);
    } else if (choice == 5) {
        play_facts(p);
    } else if (choice == 6) {
        play_transaction(p);
    } else if (choice == 7) {
        republish(p->both[0], id);
        republish(p->both[1], id);
    } else if (choice == 8) {
        assert_int_equal(erase(p->both[0], id, p->second - 5),
                         erase(p->both[1], id, p->second - 5));
    } else {
        for (int i = 0; i < 2; i++) {
            struct oltp_port port = p->both[i]->port;
            (void)port.ops->outbox_trim(port.ctx, at(0), sequence / 4);
        }
    }
}

static void assert_same(struct play *p) {
    static struct outbox_row outboxes[2][ROWS_MAX];
    static struct scan_row scans[2][ROWS_MAX];
    size_t told[2];
    size_t rows[2];
    for (int i = 0; i < 2; i++) {
        told[i] = read_outbox(p->both[i], 0, outboxes[i], ROWS_MAX);
        rows[i] = scan(p->both[i], 0, UINT64_MAX, scans[i], ROWS_MAX);
    }
    assert_int_equal(told[0], told[1]);
    assert_int_equal(rows[0], rows[1]);
    for (size_t i = 0; i < rows[0]; i++) {
        assert_memory_equal(&scans[0][i], &scans[1][i], sizeof scans[0][i]);
    }
    /* The values of one subject are good until its next call, and none came between. */
    for (size_t i = 0; i < told[0]; i++) {
        assert_int_equal(outboxes[0][i].sequence, outboxes[1][i].sequence);
        assert_int_equal(outboxes[0][i].topic, outboxes[1][i].topic);
        assert_true(outboxes[0][i].key == outboxes[1][i].key);
    }
    told[0] = read_outbox(p->both[0], 0, outboxes[0], ROWS_MAX);
    told[1] = read_outbox(p->both[1], 0, outboxes[1], ROWS_MAX);
    for (size_t i = 0; i < told[0]; i++) {
        assert_true(bytes_equal(outboxes[0][i].value, outboxes[1][i].value));
    }
}

/* Whatever applications, relay, reconciler and eraser do, a subject answers as the fake does. */
static void random_plays_agree_with_the_fake(void **state) {
    struct oltp_subject *s = *state;
    struct oltp_subject fake;
    assert_true(oltp_subject_fake(&fake));
    struct play p = {.both = {s, &fake}};
    prng_init(&p.prng, 17, "oltp conformance");
    for (int step = 0; step < 400; step++) {
        play_step(&p);
        if (step % 10 == 9) {
            assert_same(&p);
        }
    }
    fake.free(fake.ctx);
}

int oltp_suite_run(const char *name, bool (*make)(struct oltp_subject *out)) {
    const struct CMUnitTest tests[] = {
        TEST(change_and_outbox_commit_together),
        TEST(dual_writes_are_not_told),
        TEST(outbox_is_read_in_pieces_and_trimmed),
        TEST(scans_are_in_the_order_of_ids),
        TEST(source_hash_is_the_rows),
        TEST(republished_rows_make_their_document),
        TEST(erasures_empty_rows),
        TEST(random_plays_agree_with_the_fake),
    };
    make_subject = make;
    return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}
