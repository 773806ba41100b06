/*
 * The oracle's look at audit streams (B8): whatever is wrong with a stream that the loader wrote,
 * or with the raw records behind it, is found out.
 */
#include "tests/sim/oracle_world.h"

/* A world in which listing 1 was made and changed `changes` times, and its stream is right. */
static struct world *world_with_stream(int changes) {
    struct world *w = world_new();
    done(w, creation(w, 1));
    for (int i = 0; i < changes; i++) {
        done(w, price_change(w, 1, 5 + i));
    }
    return w;
}

/* One more row of a stream, as it is given. */
static void add_event(struct world *w, const struct audit_event *event, bool dedupe) {
    struct warehouse_batch batch = {.events = event, .event_count = 1, .dedupe = dedupe};
    struct warehouse_port port = fake_warehouse_port(w->warehouse);
    assert_int_equal(port.ops->load(port.ctx, w->now, &batch), 0);
}

/* An event that follows the last one of listing 1, of a record that readers saw nothing of. */
static struct audit_event next_event(struct world *w) {
    struct audit_event event = {.listing_id = 1, .version = w->told[1] + 1};
    struct audit_chain chain = w->chains[1];
    audit_chain_add(&chain, &event);
    return event;
}

static void assert_found(struct world *w, const char *evidence) {
    finish(w);
    assert_only(w, "audit-stream");
    if (strstr(check(w, "audit-stream").evidence, evidence) == NULL) {
        fail_msg("found: %s", check(w, "audit-stream").evidence);
    }
    world_free(w);
}

/* A stream that grows event by event passes, one that readers saw nothing of included. */
static void a_right_stream_passes(void **state) {
    (void)state;
    struct world *w = world_with_stream(3);
    struct audit_event event = next_event(w);
    add_event(w, &event, true);
    finish(w);
    assert_only(w, "");
    assert_status(w, "audit-stream", ORACLE_PASS);
    world_free(w);
}

/* A row that is there twice. */
static void twice(void **state) {
    (void)state;
    struct world *w = world_with_stream(1);
    struct audit_event event = next_event(w);
    add_event(w, &event, true);
    add_event(w, &event, true); /* a repeat is turned away */
    add_event(w, &event, false);
    assert_found(w, "listing 1, event 3, version");
}

/* A sequence with a gap: the loader appended an event that the store never got. */
static void missing(void **state) {
    (void)state;
    struct world *w = world_with_stream(1);
    struct audit_event lost = {.listing_id = 1, .version = w->told[1] + 1};
    struct audit_event event = {.listing_id = 1, .version = w->told[1] + 2};
    audit_chain_add(&w->chains[1], &lost);
    audit_chain_add(&w->chains[1], &event);
    add_event(w, &event, true);
    assert_found(w, "event 4, version 4: the one before it is missing");
}

/* Each column is in the digest. */
static void every_column_is_chained(void **state) {
    (void)state;
    for (int column = 0; column < 5; column++) {
        struct world *w = world_with_stream(1);
        struct audit_event event = next_event(w);
        event.version += column == 0;
        event.stamp.ts.ns += column == 1;
        event.stamp.id.lo += column == 2;
        event.type = column == 3 ? RECORD_MEDIA : event.type;
        event.payload.bytes[31] ^= column == 4;
        add_event(w, &event, true);
        assert_found(w, "its digest is not that of what it says and the one before it");
    }
}

/* A version that readers saw and no event tells of, and the other way round. */
static void readers_saw_something_else(void **state) {
    (void)state;
    struct world *w = world_with_stream(1);
    struct row_texts texts;
    tell(w, price_change(w, 1, 77));
    struct document_row row = row_of(&w->folded[1], &texts);
    w->told[1] = row.version; /* and so it is not told */
    deliver(w, 1);
    assert_found(w, "which readers saw, is no event of its stream");

    w = world_with_stream(1);
    struct audit_event event = {.listing_id = 1, .version = w->told[1] + 1, .visible = true};
    audit_chain_add(&w->chains[1], &event);
    add_event(w, &event, true);
    assert_found(w, "readers saw nothing of it");
}

/* Puts bytes into bronze where the listing's first event says that its record is. */
static void put_raw(struct world *w, struct bytes value) {
    struct bronze_row raw = {.topic = TOPIC_LISTING_LOG,
                             .partition = topic_partition(1, 1),
                             .epoch = doc_version_epoch(w->told[1]),
                             .offset = doc_version_offset(w->told[1]),
                             .append = w->now,
                             .type = RECORD_LISTING,
                             .subject_id = 1,
                             .value = value};
    struct warehouse_batch batch = {.bronze = &raw, .bronze_count = 1, .dedupe = true};
    struct warehouse_port port = fake_warehouse_port(w->warehouse);
    assert_int_equal(port.ops->load(port.ctx, w->now, &batch), 0);
}

/* A raw record that is not the one whose hash the stream tells; replayed it makes no listing. */
static void other_bytes(void **state) {
    (void)state;
    struct world *w = world_with_stream(0);
    put_raw(w, bytes_of("something else"));
    finish(w);
    assert_status(w, "audit-stream", ORACLE_FAIL);
    assert_non_null(
        strstr(check(w, "audit-stream").evidence, "bronze has other bytes than it tells of"));
    assert_non_null(
        strstr(check(w, "audit-stream").evidence, "replayed, are not what it is: alive"));
    world_free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_right_stream_passes),
        cmocka_unit_test(twice),
        cmocka_unit_test(missing),
        cmocka_unit_test(every_column_is_chained),
        cmocka_unit_test(readers_saw_something_else),
        cmocka_unit_test(other_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
