/*
 * What each fault does to a record or a request, seen in the fakes behind it (C1, C3, C4, C5). The
 * simulation has no traffic of its own: the test makes every request by hand, at a moment of its
 * choice. test_injector_runs.c has the faults that need workers or an application.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "faults/injector.h"
#include "sim/fake_embedding.h"
#include "sim/fake_object_store.h"

static const vtime start = {INT64_C(1772409600) * VTIME_SECOND};

enum { APPENDS_MAX = 4096, ITEMS_MAX = 600 };

/* A record that reached a topic. */
struct append {
    enum topic_id topic;
    vtime at;
    uint64_t key;
    uint64_t value;
};

struct rig {
    struct simulation *simulation;
    struct injector *injector;
    struct append appends[APPENDS_MAX];
    size_t append_count;
};

static void note_append(void *ctx, vtime now, enum topic_id topic, uint32_t partition,
                        const struct log_record *record) {
    struct rig *rig = ctx;
    (void)partition;
    if (record->value.len == 8) { /* one of ours: the router's dead letters are longer */
        assert_true(rig->append_count < APPENDS_MAX);
        struct append *append = &rig->appends[rig->append_count++];
        *append = (struct append){.topic = topic, .at = now, .key = record->key};
        memcpy(&append->value, record->value.data, 8);
    }
}

static struct rig *rig_of(const struct fault *faults, size_t count) {
    static struct rig rig;
    rig = (struct rig){0};
    struct simulation_options options = {.seed = 11, .start = start};
    rig.simulation = simulation_new(&options, NULL);
    assert_non_null(rig.simulation);
    simulation_observe(rig.simulation,
                       &(struct simulation_observer){.ctx = &rig, .appended = note_append});
    rig.injector = injector_new(rig.simulation, faults, count);
    assert_non_null(rig.injector);
    return &rig;
}

static void rig_free(struct rig *rig) {
    assert_false(injector_out_of_memory(rig->injector));
    injector_free(rig->injector);
    simulation_free(rig->simulation);
}

static struct simulation_ports *ports_of(struct rig *rig) {
    return simulation_ports(rig->simulation);
}

static vtime now_of(struct rig *rig) {
    return simulation_now(rig->simulation);
}

static void run_to(struct rig *rig, int64_t since_ns) {
    assert_int_equal(simulation_run(rig->simulation, vtime_add(start, since_ns)),
                     SIMULATION_RUNNING);
}

/* ---- Requests by hand ---- */

/* Produces one record, of which its producer is told that it is in. */
static int produce(struct rig *rig, enum topic_id topic, uint64_t key, uint64_t value) {
    struct produce_item item = {topic, key, {(const char *)&value, 8}};
    struct produce_result result = {.status = ITEM_UNKNOWN};
    struct log_port *log = &ports_of(rig)->log;
    int error = log->ops->produce(log->ctx, now_of(rig), &item, 1, &result);
    assert_true(error != PORT_OK || result.status == ITEM_APPLIED);
    return error;
}

/* How often a topic got a key, and the moment of the last time. */
static size_t appended(const struct rig *rig, enum topic_id topic, uint64_t key, vtime *last) {
    size_t count = 0;
    *last = VTIME_NEVER;
    for (size_t i = 0; i < rig->append_count; i++) {
        if (rig->appends[i].topic == topic && rig->appends[i].key == key) {
            count++;
            *last = rig->appends[i].at;
        }
    }
    return count;
}

static const float *unit_vector(void) {
    static const float vector[TEXT_DIMENSION] = {1.0F};
    return vector;
}

/* Writes listings first to first + count - 1, whose titles go when the call returns. */
static int write_vectors(struct rig *rig, uint64_t first, size_t count, doc_version version,
                         enum item_status *statuses) {
    static struct vector_write items[ITEMS_MAX];
    char category[] = "lamps";
    for (size_t i = 0; i < count; i++) {
        items[i] = (struct vector_write){.listing_id = first + i,
                                         .kind = ROW_UPSERT,
                                         .meta = {.version = version,
                                                  .category = {category, 5},
                                                  .model_version = 1,
                                                  .active = true},
                                         .vector = unit_vector()};
        statuses[i] = ITEM_UNKNOWN;
    }
    struct vector_port *vectors = &ports_of(rig)->vectors;
    int error =
        vectors->ops->write(vectors->ctx, now_of(rig), MODALITY_TEXT, 1, items, count, statuses);
    memset(items, 0, sizeof items);
    memset(category, 'x', sizeof category);
    return error;
}

static int write_keywords(struct rig *rig, uint64_t first, size_t count, doc_version version,
                          enum item_status *statuses) {
    static struct keyword_write items[ITEMS_MAX];
    char title[] = "brass lamp";
    for (size_t i = 0; i < count; i++) {
        items[i] = (struct keyword_write){.listing_id = first + i,
                                          .kind = ROW_UPSERT,
                                          .meta = {.version = version, .active = true},
                                          .title = {title, 10}};
        statuses[i] = ITEM_UNKNOWN;
    }
    struct keyword_port *keywords = &ports_of(rig)->keywords;
    int error = keywords->ops->write(keywords->ctx, now_of(rig), items, count, statuses);
    memset(items, 0, sizeof items);
    memset(title, 'x', sizeof title);
    return error;
}

static uint64_t vector_rows(struct rig *rig) {
    return fake_vector_db_collection(simulation_vector_db(rig->simulation), MODALITY_TEXT).rows;
}

static uint64_t keyword_rows(struct rig *rig) {
    return fake_keyword_counts(simulation_keyword(rig->simulation)).rows;
}

static uint64_t silver_rows(struct rig *rig) {
    return fake_warehouse_counts(simulation_warehouse(rig->simulation)).silver;
}

static uint64_t saves(struct rig *rig) {
    struct fake_state_info info;
    return fake_state_store_find(simulation_state_store(rig->simulation), "test", 0, &info)
               ? info.saves
               : 0;
}

static uint64_t logged(struct rig *rig) {
    return rig->append_count;
}

static float embedded_vectors[4][TEXT_DIMENSION];

static uint64_t embedded(struct rig *rig) {
    (void)rig;
    uint64_t count = 0;
    for (size_t i = 0; i < 4; i++) {
        static const float none[TEXT_DIMENSION];
        count += memcmp(embedded_vectors[i], none, sizeof none) != 0;
    }
    return count;
}

static int embed(struct rig *rig) {
    struct embed_item items[4];
    struct embed_result results[4];
    memset(embedded_vectors, 0, sizeof embedded_vectors);
    for (size_t i = 0; i < 4; i++) {
        items[i] = (struct embed_item){.listing_id = i,
                                       .modalities = 1u << MODALITY_TEXT,
                                       .anew = true,
                                       .text = {.title = {"brass lamp", 10}}};
        results[i] = (struct embed_result){.vectors = {[MODALITY_TEXT] = embedded_vectors[i]}};
    }
    struct embedding_port *embedding = &ports_of(rig)->embedding;
    return embedding->ops->embed(embedding->ctx, now_of(rig), 1, items, 4, results);
}

static int load(struct rig *rig) {
    struct document_row silver[4] = {{0}};
    for (size_t i = 0; i < 4; i++) {
        silver[i].listing_id = i + 1;
        silver[i].version = doc_version_pack(0, 1);
        silver[i].price = -1;
    }
    struct warehouse_batch batch = {.silver = silver, .silver_count = 4, .dedupe = true};
    struct warehouse_port *warehouse = &ports_of(rig)->warehouse;
    return warehouse->ops->load(warehouse->ctx, now_of(rig), &batch);
}

static int save(struct rig *rig) {
    struct state_port *port = &ports_of(rig)->state;
    return port->ops->save(port->ctx, now_of(rig), "test", 0, 1, (struct bytes){"7", 1}, NULL, 0);
}

static int produce_four(struct rig *rig) {
    struct produce_item items[4];
    struct produce_result results[4];
    for (uint64_t i = 0; i < 4; i++) {
        items[i] = (struct produce_item){TOPIC_DEAD_LETTER, i, {"8 bytes.", 8}};
    }
    struct log_port *log = &ports_of(rig)->log;
    return log->ops->produce(log->ctx, now_of(rig), items, 4, results);
}

static int vectors_four(struct rig *rig) {
    enum item_status statuses[4];
    return write_vectors(rig, 1, 4, 5, statuses);
}

static int keywords_four(struct rig *rig) {
    enum item_status statuses[4];
    return write_keywords(rig, 1, 4, 5, statuses);
}

static struct artifact_key artifact_of(uint64_t listing_id) {
    return (struct artifact_key){listing_id, 1, 1, MODALITY_TEXT};
}

static uint64_t objects_kept(struct rig *rig) {
    return fake_object_store_counts(simulation_object_store(rig->simulation)).kept;
}

static int put_four(struct rig *rig) {
    struct artifact_key keys[4];
    const float *vectors[4];
    for (uint64_t i = 0; i < 4; i++) {
        keys[i] = artifact_of(i + 1);
        vectors[i] = unit_vector();
    }
    struct object_port *objects = &ports_of(rig)->objects;
    return objects->ops->put(objects->ctx, now_of(rig), keys, vectors, 4);
}

/* One request of four parts to each sink, and how many parts of it are in. */
static const struct {
    int (*request)(struct rig *rig);
    uint64_t (*done)(struct rig *rig);
    uint64_t whole, half; /* a checkpoint is one part: half of it is none */
} sinks[SINK_COUNT] = {
    [SINK_VECTORS] = {vectors_four, vector_rows, 4, 2},
    [SINK_KEYWORDS] = {keywords_four, keyword_rows, 4, 2},
    [SINK_WAREHOUSE] = {load, silver_rows, 4, 2},
    [SINK_EMBEDDING] = {embed, embedded, 4, 2},
    [SINK_STATE] = {save, saves, 1, 0},
    [SINK_LOG] = {produce_four, logged, 4, 2},
    [SINK_OBJECTS] = {put_four, objects_kept, 4, 2},
};

/* ---- Reads by hand ---- */

static int search_vectors(struct rig *rig) {
    struct search_hit hits[4];
    size_t count;
    struct vector_port *p = &ports_of(rig)->vectors;
    return p->ops->search(p->ctx, now_of(rig), MODALITY_TEXT, 0, unit_vector(), 4, 0, true, NULL,
                          hits, &count);
}

static int scan_vectors(struct rig *rig) {
    struct scan_row rows[8];
    size_t count;
    struct vector_port *p = &ports_of(rig)->vectors;
    return p->ops->scan(p->ctx, now_of(rig), MODALITY_TEXT, 1, SCAN_BY_ID, 0, 9, rows, 8, &count);
}

static int search_keywords(struct rig *rig) {
    struct search_hit hits[4];
    size_t count;
    struct keyword_port *p = &ports_of(rig)->keywords;
    return p->ops->search(p->ctx, now_of(rig), (struct bytes){"lamp", 4}, 4, NULL, hits, &count);
}

static int scan_keywords(struct rig *rig) {
    struct scan_row rows[8];
    size_t count;
    struct keyword_port *p = &ports_of(rig)->keywords;
    return p->ops->scan(p->ctx, now_of(rig), SCAN_BY_ID, 0, 9, rows, 8, &count);
}

static int scan_warehouse(struct rig *rig) {
    struct scan_row rows[8];
    size_t count;
    struct warehouse_port *p = &ports_of(rig)->warehouse;
    return p->ops->scan(p->ctx, now_of(rig), 0, 9, rows, 8, &count);
}

static int refresh(struct rig *rig) {
    struct warehouse_port *p = &ports_of(rig)->warehouse;
    return p->ops->refresh_dashboard(p->ctx, now_of(rig), false, &(vtime){0});
}

static int ignore_entry(void *ctx, uint64_t key, struct bytes value) {
    (void)ctx, (void)key, (void)value;
    return 0;
}

static int load_state(struct rig *rig) {
    struct bytes offsets;
    struct state_port *p = &ports_of(rig)->state;
    return p->ops->load(p->ctx, now_of(rig), "test", 0, 1, &offsets, ignore_entry, NULL);
}

static int fetch_log(struct rig *rig) {
    struct log_record record;
    size_t count;
    struct log_port *p = &ports_of(rig)->log;
    return p->ops->fetch(p->ctx, now_of(rig), TOPIC_DEAD_LETTER, 0, 0, &record, 1, &count);
}

static int bound_log(struct rig *rig) {
    int64_t first, end;
    struct log_port *p = &ports_of(rig)->log;
    return p->ops->bounds(p->ctx, now_of(rig), TOPIC_DEAD_LETTER, 0, &first, &end);
}

static int commit_log(struct rig *rig) {
    struct log_port *p = &ports_of(rig)->log;
    const char *group = machine_group(MACHINE_BUILDER);
    uint32_t generation = fake_kafka_group_generation(simulation_kafka(rig->simulation), group);
    return p->ops->commit(p->ctx, now_of(rig), group, 0, generation, TOPIC_LISTING_LOG, 0, 0);
}

static const struct {
    enum fault_sink sink;
    int (*ask)(struct rig *rig);
} reads[] = {
    {SINK_VECTORS, search_vectors},
    {SINK_VECTORS, scan_vectors},
    {SINK_KEYWORDS, search_keywords},
    {SINK_KEYWORDS, scan_keywords},
    {SINK_WAREHOUSE, scan_warehouse},
    {SINK_WAREHOUSE, refresh},
    {SINK_STATE, load_state},
    {SINK_LOG, fetch_log},
    {SINK_LOG, bound_log},
    {SINK_LOG, commit_log},
};

static void expect_reads(struct rig *rig, enum fault_sink sink, int error) {
    for (size_t i = 0; i < sizeof reads / sizeof *reads; i++) {
        if (reads[i].sink == sink) {
            assert_int_equal(reads[i].ask(rig), error);
        }
    }
}

/* ---- Feeds ---- */

/* Records are told of twice, at once and within the delay, with the same bytes; other feeds, and
 * records that were not struck, once. */
static void duplicates_come_within_their_delay(void **state) {
    (void)state;
    const struct fault faults[] = {{.kind = FAULT_DUPLICATE_RECORDS,
                                    .feed = TOPIC_MEDIA,
                                    .ratio_num = 1,
                                    .ratio_den = 2,
                                    .delay_ns = 10 * VTIME_SECOND}};
    struct rig *rig = rig_of(faults, 1);
    for (uint64_t key = 0; key < 400; key++) {
        assert_int_equal(produce(rig, TOPIC_MEDIA, key, 7 * key), PORT_OK);
        assert_int_equal(produce(rig, TOPIC_ORDER, key, key), PORT_OK);
    }
    assert_int_equal(rig->append_count, 800);
    run_to(rig, 10 * VTIME_SECOND + 1);
    uint64_t twice = 0;
    int64_t longest_ns = 0;
    for (uint64_t key = 0; key < 400; key++) {
        vtime last;
        assert_int_equal(appended(rig, TOPIC_ORDER, key, &last), 1);
        size_t count = appended(rig, TOPIC_MEDIA, key, &last);
        int64_t delay_ns = vtime_diff(last, start);
        assert_true(count == 1 ? delay_ns == 0 : count == 2 && delay_ns > 0);
        longest_ns = delay_ns > longest_ns ? delay_ns : longest_ns;
        twice += count - 1;
    }
    for (size_t i = 0; i < rig->append_count; i++) {
        assert_true(rig->appends[i].topic == TOPIC_ORDER ||
                    rig->appends[i].value == 7 * rig->appends[i].key);
    }
    assert_in_range(twice, 160, 240);
    assert_in_range(longest_ns, 9 * VTIME_SECOND, 10 * VTIME_SECOND + 1);
    assert_int_equal(injector_struck(rig->injector, 0), twice);
    rig_free(rig);
}

/* Without a delay the duplicate is right behind its original. */
static void duplicates_need_no_delay(void **state) {
    (void)state;
    const struct fault faults[] = {
        {.kind = FAULT_DUPLICATE_RECORDS, .ratio_num = 1, .ratio_den = 1}};
    struct rig *rig = rig_of(faults, 1);
    produce(rig, TOPIC_LISTING, 3, 5);
    run_to(rig, 1);
    vtime last;
    assert_int_equal(appended(rig, TOPIC_LISTING, 3, &last), 2);
    rig_free(rig);
}

/* A late record is not lost, comes once, and comes behind younger ones; its producer is done. */
static void late_records_come_once(void **state) {
    (void)state;
    const struct fault faults[] = {
        {.kind = FAULT_LATE_RECORDS, .ratio_num = 1, .ratio_den = 4, .delay_ns = 2 * VTIME_HOUR}};
    struct rig *rig = rig_of(faults, 1);
    for (uint64_t key = 0; key < 400; key++) {
        assert_int_equal(produce(rig, TOPIC_LISTING, key, key), PORT_OK);
    }
    uint64_t late = 400 - rig->append_count;
    assert_int_equal(injector_struck(rig->injector, 0), late);
    assert_in_range(late, 60, 140);
    run_to(rig, 2 * VTIME_HOUR);
    assert_int_equal(rig->append_count, 400);
    bool overtaken = false;
    for (uint64_t key = 0; key < 400; key++) {
        vtime last;
        assert_int_equal(appended(rig, TOPIC_LISTING, key, &last), 1);
        overtaken = overtaken || vtime_diff(last, start) > VTIME_HOUR;
    }
    assert_true(overtaken);
    rig_free(rig);
}

/* While a feed stands nothing at all reaches it, also not what other faults held back before; when
 * the stall is over everything is there at that moment, in the order of sending. */
static void a_stalled_feed_lets_nothing_through(void **state) {
    (void)state;
    const struct fault faults[] = {
        {.kind = FAULT_DUPLICATE_RECORDS, .ratio_num = 1, .ratio_den = 2, .delay_ns = VTIME_MINUTE},
        {.kind = FAULT_LATE_RECORDS, .ratio_num = 1, .ratio_den = 2, .delay_ns = VTIME_MINUTE},
        {.kind = FAULT_STALLED_FEED, .from_ns = 30 * VTIME_SECOND, .until_ns = 10 * VTIME_MINUTE},
    };
    for (size_t first = 0; first < 3; first++) {
        /* The stall is last, in the middle, and first of the scenario: no matter. */
        const struct fault turned[] = {faults[first], faults[(first + 1) % 3],
                                       faults[(first + 2) % 3]};
        struct rig *rig = rig_of(turned, 3);
        for (uint64_t key = 0; key < 60; key++) {
            assert_int_equal(produce(rig, TOPIC_LISTING, key, key), PORT_OK);
            assert_int_equal(produce(rig, TOPIC_MEDIA, key, key), PORT_OK);
            run_to(rig, (int64_t)key * VTIME_SECOND);
        }
        run_to(rig, 10 * VTIME_MINUTE - 1);
        size_t before = rig->append_count;
        vtime from = vtime_add(start, 30 * VTIME_SECOND);
        for (size_t i = 0; i < before; i++) {
            assert_true(rig->appends[i].topic == TOPIC_MEDIA ||
                        vtime_before(rig->appends[i].at, from));
        }
        run_to(rig, 10 * VTIME_MINUTE);
        uint64_t sent_in_stall = 0;
        for (size_t i = before; i < rig->append_count; i++) {
            assert_int_equal(rig->appends[i].at.ns, vtime_add(start, 10 * VTIME_MINUTE).ns);
            sent_in_stall += rig->appends[i].key > 31;
        }
        assert_true(sent_in_stall >= 28);
        for (uint64_t key = 0; key < 60; key++) {
            vtime last;
            assert_in_range(appended(rig, TOPIC_LISTING, key, &last), 1, 2);
            assert_int_equal(appended(rig, TOPIC_MEDIA, key, &last), 1);
        }
        size_t stall = (5 - first) % 3;
        assert_int_equal(turned[stall].kind, FAULT_STALLED_FEED);
        assert_true(injector_struck(rig->injector, stall) >= 10);
        run_to(rig, 20 * VTIME_MINUTE);
        size_t after = rig->append_count;
        produce(rig, TOPIC_ORDER, 1, 1);
        assert_int_equal(rig->append_count, after + 1);
        rig_free(rig);
    }
}

/* What a stall held alone comes in the order of sending. */
static void a_stall_keeps_the_order(void **state) {
    (void)state;
    for (int healed = 0; healed < 2; healed++) {
        const struct fault faults[] = {
            {.kind = FAULT_STALLED_FEED, .until_ns = healed ? 0 : VTIME_MINUTE}};
        struct rig *rig = rig_of(faults, 1);
        for (uint64_t key = 0; key < 50; key++) {
            produce(rig, TOPIC_LISTING, key, key);
        }
        run_to(rig, VTIME_MINUTE - 1);
        assert_int_equal(rig->append_count, 0);
        if (healed) {
            injector_heal(rig->injector);
        }
        run_to(rig, VTIME_MINUTE);
        assert_int_equal(rig->append_count, 50);
        for (uint64_t key = 0; key < 50; key++) {
            assert_int_equal(rig->appends[key].key, key);
        }
        rig_free(rig);
    }
}

/* Healing lets everything out that was held back, at once and once; from then on nothing strikes.
 */
static void healing_releases_records(void **state) {
    (void)state;
    const struct fault faults[] = {
        {.kind = FAULT_DUPLICATE_RECORDS, .ratio_num = 1, .ratio_den = 1, .delay_ns = VTIME_HOUR},
        {.kind = FAULT_LATE_RECORDS,
         .feed = TOPIC_MEDIA,
         .ratio_num = 1,
         .ratio_den = 1,
         .delay_ns = VTIME_HOUR},
        {.kind = FAULT_STALLED_FEED, .feed = TOPIC_ORDER},
    };
    struct rig *rig = rig_of(faults, 3);
    for (uint64_t key = 0; key < 20; key++) {
        produce(rig, TOPIC_LISTING, key, key);
        produce(rig, TOPIC_MEDIA, key, key);
        produce(rig, TOPIC_ORDER, key, key);
    }
    assert_int_equal(rig->append_count, 20);
    injector_heal(rig->injector);
    assert_int_equal(rig->append_count, 80);
    for (uint64_t key = 0; key < 20; key++) {
        produce(rig, TOPIC_LISTING, 100 + key, key);
        produce(rig, TOPIC_MEDIA, 100 + key, key);
        produce(rig, TOPIC_ORDER, 100 + key, key);
    }
    injector_heal(rig->injector); /* is healed already */
    run_to(rig, 2 * VTIME_HOUR);
    assert_int_equal(rig->append_count, 140);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(injector_struck(rig->injector, i), 20);
    }
    rig_free(rig);
}

/* ---- Sinks ---- */

/* A store that crashes did nothing, everything or half of what it was asked at that moment, as its
 * point says; then it answers nobody until it is up again, and is as good as ever. */
static void a_crashed_sink_is_down_for_a_while(void **state) {
    (void)state;
    for (int sink = 0; sink < SINK_COUNT; sink++) {
        for (int point = 0; point < POINT_COUNT; point++) {
            /* The window holds the first moment alone. */
            const struct fault faults[] = {{.kind = FAULT_SINK_CRASH,
                                            .sink = (enum fault_sink)sink,
                                            .point = (enum fault_point)point,
                                            .ratio_num = 1,
                                            .ratio_den = 1,
                                            .until_ns = 1,
                                            .down_ns = point == POINT_HALF ? VTIME_MINUTE : 0}};
            int64_t down_ns = point == POINT_HALF ? VTIME_MINUTE : 20 * VTIME_SECOND;
            struct rig *rig = rig_of(faults, 1);
            int error = sinks[sink].request(rig);
            uint64_t done = sinks[sink].done(rig);
            assert_int_equal(error, point == POINT_BEFORE ? PORT_UNAVAILABLE : PORT_UNKNOWN);
            assert_int_equal(done, point == POINT_BEFORE  ? 0
                                   : point == POINT_AFTER ? sinks[sink].whole
                                                          : sinks[sink].half);
            run_to(rig, down_ns - 1);
            uint64_t struck = injector_struck(rig->injector, 0);
            assert_int_equal(struck, 1);
            done = sinks[sink].done(rig);
            assert_int_equal(sinks[sink].request(rig), PORT_UNAVAILABLE);
            assert_int_equal(sinks[sink].done(rig), sink == SINK_EMBEDDING ? 0 : done);
            expect_reads(rig, (enum fault_sink)sink, PORT_UNAVAILABLE);
            run_to(rig, down_ns);
            expect_reads(rig, (enum fault_sink)sink, PORT_OK);
            assert_int_equal(sinks[sink].request(rig), PORT_OK);
            assert_true(sinks[sink].done(rig) >= sinks[sink].whole);
            assert_int_equal(injector_struck(rig->injector, 0), 1);
            rig_free(rig);
        }
    }
}

/* Other sinks go on while one is down. */
static void a_crash_is_of_one_sink(void **state) {
    (void)state;
    const struct fault faults[] = {
        {.kind = FAULT_SINK_CRASH, .sink = SINK_KEYWORDS, .ratio_num = 1, .ratio_den = 1}};
    struct rig *rig = rig_of(faults, 1);
    for (int sink = 0; sink < SINK_COUNT; sink++) {
        assert_int_equal(sinks[sink].request(rig),
                         sink == SINK_KEYWORDS ? PORT_UNAVAILABLE : PORT_OK);
        expect_reads(rig, (enum fault_sink)sink,
                     sink == SINK_KEYWORDS ? PORT_UNAVAILABLE : PORT_OK);
    }
    rig_free(rig);
}

/* In an outage every request is refused, reads as well, and nothing is done; before and after it
 * everything is as ever; healing ends it. */
static void an_outage_refuses_everything(void **state) {
    (void)state;
    for (int sink = 0; sink < SINK_COUNT; sink++) {
        for (int healed = 0; healed < 2; healed++) {
            const struct fault faults[] = {{.kind = FAULT_SINK_OUTAGE,
                                            .sink = (enum fault_sink)sink,
                                            .from_ns = VTIME_MINUTE,
                                            .until_ns = healed ? 0 : 2 * VTIME_MINUTE}};
            struct rig *rig = rig_of(faults, 1);
            run_to(rig, VTIME_MINUTE - 1);
            expect_reads(rig, (enum fault_sink)sink, PORT_OK);
            run_to(rig, VTIME_MINUTE);
            for (int i = 0; i < 3; i++) {
                assert_int_equal(sinks[sink].request(rig), PORT_UNAVAILABLE);
                expect_reads(rig, (enum fault_sink)sink, PORT_UNAVAILABLE);
            }
            assert_int_equal(sinks[sink].done(rig), 0);
            /* Who sends to the log record by record is turned away once a second. */
            uint64_t times = injector_struck(rig->injector, 0);
            assert_true(sink == SINK_LOG ? times == 1 : times >= 3);
            run_to(rig, 2 * VTIME_MINUTE - 1);
            assert_int_equal(sinks[sink].request(rig), PORT_UNAVAILABLE);
            if (healed) {
                injector_heal(rig->injector);
            } else {
                run_to(rig, 2 * VTIME_MINUTE);
            }
            uint64_t struck = injector_struck(rig->injector, 0);
            assert_int_equal(sinks[sink].request(rig), PORT_OK);
            expect_reads(rig, (enum fault_sink)sink, PORT_OK);
            assert_int_equal(sinks[sink].done(rig), sinks[sink].whole);
            assert_int_equal(injector_struck(rig->injector, 0), struck);
            rig_free(rig);
        }
    }
}

/* A throttled request was not carried out, and says so in a way of its own; reads are not meant. */
static void a_throttled_request_does_nothing(void **state) {
    (void)state;
    for (int sink = 0; sink < SINK_COUNT; sink++) {
        const struct fault faults[] = {{.kind = FAULT_SINK_THROTTLE,
                                        .sink = (enum fault_sink)sink,
                                        .ratio_num = 1,
                                        .ratio_den = 1}};
        struct rig *rig = rig_of(faults, 1);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(sinks[sink].request(rig), PORT_THROTTLED);
        }
        assert_int_equal(sinks[sink].done(rig), 0);
        assert_int_equal(injector_struck(rig->injector, 0), 3);
        injector_heal(rig->injector);
        assert_int_equal(sinks[sink].request(rig), PORT_OK);
        assert_int_equal(injector_struck(rig->injector, 0), 3);
        rig_free(rig);
    }
}

/* Single items fail for now and are not in the store; each of the others is. */
static void failed_items_are_not_in(void **state) {
    (void)state;
    static enum item_status statuses[ITEMS_MAX];
    for (int sink = SINK_VECTORS; sink <= SINK_KEYWORDS; sink++) {
        const struct fault faults[] = {{.kind = FAULT_ITEM_FAILURES,
                                        .sink = (enum fault_sink)sink,
                                        .ratio_num = 1,
                                        .ratio_den = 3}};
        struct rig *rig = rig_of(faults, 1);
        int error = sink == SINK_VECTORS ? write_vectors(rig, 1, 500, 5, statuses)
                                         : write_keywords(rig, 1, 500, 5, statuses);
        assert_int_equal(error, PORT_OK);
        uint64_t failed = 0;
        for (uint64_t i = 0; i < 500; i++) {
            bool in = sink == SINK_VECTORS
                          ? fake_vector_db_row(simulation_vector_db(rig->simulation), MODALITY_TEXT,
                                               1, i + 1)
                                .present
                          : fake_keyword_row(simulation_keyword(rig->simulation), i + 1).present;
            assert_int_equal(statuses[i], in ? ITEM_APPLIED : ITEM_RETRYABLE);
            failed += !in;
        }
        assert_in_range(failed, 120, 220);
        assert_int_equal(injector_struck(rig->injector, 0), failed);
        injector_heal(rig->injector);
        write_vectors(rig, 1, 500, 6, statuses);
        write_keywords(rig, 1, 500, 6, statuses);
        assert_int_equal(vector_rows(rig) + keyword_rows(rig), 1000);
        assert_int_equal(injector_struck(rig->injector, 0), failed);
        rig_free(rig);
    }
}

/* Items that are refused for good are not in the store; deletions never are refused. */
static void refused_items_are_not_in(void **state) {
    (void)state;
    static enum item_status statuses[ITEMS_MAX];
    for (int sink = SINK_VECTORS; sink <= SINK_KEYWORDS; sink++) {
        const struct fault faults[] = {{.kind = FAULT_ITEM_REFUSALS,
                                        .sink = (enum fault_sink)sink,
                                        .ratio_num = 1,
                                        .ratio_den = 3}};
        struct rig *rig = rig_of(faults, 1);
        int error = sink == SINK_VECTORS ? write_vectors(rig, 1, 500, 5, statuses)
                                         : write_keywords(rig, 1, 500, 5, statuses);
        assert_int_equal(error, PORT_OK);
        uint64_t refused = 0;
        for (uint64_t i = 0; i < 500; i++) {
            assert_true(statuses[i] == ITEM_APPLIED || statuses[i] == ITEM_FATAL);
            refused += statuses[i] == ITEM_FATAL;
        }
        assert_in_range(refused, 120, 220);
        assert_int_equal(vector_rows(rig) + keyword_rows(rig), 500 - refused);
        assert_int_equal(injector_struck(rig->injector, 0), refused);
        rig_free(rig);
    }
}

/* Embeddings that drift are of length 1 and far from what the model makes; angles among themselves
 * stay, so that only their distribution tells. */
static void drifted_embeddings_are_elsewhere(void **state) {
    (void)state;
    static float made[2][2][TEXT_DIMENSION];
    for (int drifts = 0; drifts < 2; drifts++) {
        const struct fault faults[] = {
            {.kind = FAULT_MODEL_DRIFT, .ratio_num = (uint32_t)drifts, .ratio_den = 1}};
        struct rig *rig = rig_of(faults, 1);
        struct embed_item items[2] = {
            {.listing_id = 1, .modalities = 1, .text = {.title = bytes_of("green oak desk")}},
            {.listing_id = 2, .modalities = 1, .text = {.title = bytes_of("green oak chair")}}};
        struct embed_result results[2] = {{.vectors = {made[drifts][0]}},
                                          {.vectors = {made[drifts][1]}}};
        struct embedding_port port = simulation_ports(rig->simulation)->embedding;
        assert_int_equal(port.ops->embed(port.ctx, now_of(rig), 1, items, 2, results), PORT_OK);
        assert_int_equal(injector_struck(rig->injector, 0), drifts == 0 ? 0 : 2);
        rig_free(rig);
    }
    double same = 0, across = 0, right = 0, drifted = 0;
    for (size_t i = 0; i < TEXT_DIMENSION; i++) {
        same += (double)made[1][0][i] * (double)made[1][0][i];
        across += (double)made[0][0][i] * (double)made[1][0][i];
        right += (double)made[0][0][i] * (double)made[0][1][i];
        drifted += (double)made[1][0][i] * (double)made[1][1][i];
    }
    assert_true(same > 0.999 && same < 1.001);
    assert_true(across < 0.2 && across > -0.2);
    assert_true(right > 0.5 && drifted - right < 0.001 && right - drifted < 0.001);
}

/* A write that was carried out is carried out once more, as it was then, though whoever made it is
 * long gone: a row that was lost meanwhile is there again. Items that had failed are not in it. */
static void a_stale_write_comes_again(void **state) {
    (void)state;
    static enum item_status statuses[ITEMS_MAX];
    for (int healed = 0; healed < 2; healed++) {
        const struct fault faults[] = {
            {.kind = FAULT_STALE_WRITE,
             .sink = SINK_VECTORS,
             .ratio_num = 1,
             .ratio_den = 1,
             .delay_ns = VTIME_HOUR},
            {.kind = FAULT_ITEM_FAILURES, .sink = SINK_VECTORS, .ratio_num = 1, .ratio_den = 2},
        };
        struct rig *rig = rig_of(faults, 2);
        struct fake_vector_db *db = simulation_vector_db(rig->simulation);
        assert_int_equal(write_vectors(rig, 1, 100, 5, statuses), PORT_OK);
        uint64_t in = vector_rows(rig);
        assert_int_equal(in, 100 - injector_struck(rig->injector, 1));
        for (uint64_t id = 1; id <= 100; id++) {
            if (statuses[id - 1] == ITEM_APPLIED) {
                assert_int_equal(fake_vector_db_lose_row(db, now_of(rig), MODALITY_TEXT, 1, id,
                                                         (1u << SCAN_PATH_COUNT) - 1),
                                 0);
            }
        }
        assert_int_equal(vector_rows(rig), 0);
        if (healed) {
            injector_heal(rig->injector);
            assert_int_equal(vector_rows(rig), in);
        }
        run_to(rig, VTIME_HOUR);
        assert_int_equal(vector_rows(rig), in);
        for (uint64_t id = 1; id <= 100; id++) {
            struct row_state row = fake_vector_db_row(db, MODALITY_TEXT, 1, id);
            assert_int_equal(row.present, statuses[id - 1] == ITEM_APPLIED);
            assert_true(!row.present || row.version == 5);
        }
        uint64_t writes =
            fake_vector_db_counts(db).writes[MODALITY_TEXT][ROW_UPSERT][ITEM_APPLIED] +
            fake_vector_db_counts(db).writes[MODALITY_TEXT][ROW_UPSERT][ITEM_CONFLICT];
        assert_int_equal(writes, 2 * in);
        assert_int_equal(injector_struck(rig->injector, 0), 1);
        rig_free(rig);
    }
}

/* The same in the keyword index: the older write arrives behind the newer one, and the version
 * keeps it out. */
static void a_stale_keyword_write_loses(void **state) {
    (void)state;
    const struct fault faults[] = {{.kind = FAULT_STALE_WRITE,
                                    .sink = SINK_KEYWORDS,
                                    .ratio_num = 1,
                                    .ratio_den = 1,
                                    .delay_ns = VTIME_HOUR,
                                    .until_ns = 1}};
    struct rig *rig = rig_of(faults, 1);
    enum item_status statuses[4];
    assert_int_equal(write_keywords(rig, 1, 4, 5, statuses), PORT_OK);
    run_to(rig, 1);
    assert_int_equal(write_keywords(rig, 1, 2, 6, statuses), PORT_OK);
    uint64_t indexed = fake_keyword_counts(simulation_keyword(rig->simulation)).indexed;
    run_to(rig, VTIME_HOUR);
    for (uint64_t id = 1; id <= 4; id++) {
        struct row_state row = fake_keyword_row(simulation_keyword(rig->simulation), id);
        assert_int_equal(row.version, id <= 2 ? 6 : 5);
    }
    assert_int_equal(fake_keyword_counts(simulation_keyword(rig->simulation)).indexed, indexed);
    assert_int_equal(injector_struck(rig->injector, 0), 1);
    rig_free(rig);
}

/* Nothing of a write that was refused, or of which half was none, comes again. */
static void a_refused_write_does_not_come_again(void **state) {
    (void)state;
    const struct fault faults[] = {
        {.kind = FAULT_STALE_WRITE, .ratio_num = 1, .ratio_den = 1, .delay_ns = VTIME_MINUTE},
        {.kind = FAULT_SINK_CRASH,
         .point = POINT_HALF,
         .ratio_num = 1,
         .ratio_den = 1,
         .until_ns = 1},
    };
    struct rig *rig = rig_of(faults, 2);
    enum item_status status;
    assert_int_equal(write_vectors(rig, 1, 1, 5, &status), PORT_UNKNOWN); /* half of one */
    assert_int_equal(write_vectors(rig, 1, 1, 5, &status), PORT_UNAVAILABLE);
    run_to(rig, 2 * VTIME_MINUTE);
    assert_int_equal(vector_rows(rig), 0);
    assert_int_equal(injector_struck(rig->injector, 0), 0);
    rig_free(rig);
}

/* ---- Decisions ---- */

/* Strikes are on record with their fault, moment, point and the number of what they struck. */
static void strikes_are_on_record(void **state) {
    (void)state;
    const struct fault faults[] = {
        {.kind = FAULT_SINK_THROTTLE, .sink = SINK_WAREHOUSE, .ratio_num = 1, .ratio_den = 1},
        {.kind = FAULT_LATE_RECORDS,
         .feed = TOPIC_ORDER,
         .ratio_num = 1,
         .ratio_den = 1,
         .delay_ns = VTIME_HOUR,
         .from_ns = 2},
    };
    struct rig *rig = rig_of(faults, 2);
    produce(rig, TOPIC_ORDER, 1, 1); /* before the window */
    run_to(rig, 2);
    produce(rig, TOPIC_MEDIA, 1, 1); /* another feed */
    produce(rig, TOPIC_ORDER, 1, 1);
    load(rig);
    size_t count;
    const struct decision *decisions = injector_decisions(rig->injector, &count);
    assert_int_equal(count, 2);
    assert_int_equal(decisions[0].fault, 1);
    assert_int_equal(decisions[0].at.ns, start.ns + 2);
    assert_string_equal(decisions[0].point, "feed.append");
    assert_int_equal(decisions[0].occurrence, 3);
    assert_int_equal(decisions[1].fault, 0);
    assert_string_equal(decisions[1].point, "warehouse.load");
    assert_int_equal(decisions[1].occurrence, 1);
    rig_free(rig);
}

enum { PASSAGES = 400 };

/* Passes records and requests by a set of faults; which passages fault `of` struck, as bits, and
 * which any fault did. */
static void decide(const struct fault *faults, size_t count, size_t of, bool *own, bool *any) {
    struct rig *rig = rig_of(faults, count);
    for (uint64_t i = 0; i < PASSAGES; i++) {
        enum item_status status;
        write_vectors(rig, i, 1, 5, &status);
        produce(rig, TOPIC_MEDIA, i, i);
        run_to(rig, (int64_t)(i + 1) * VTIME_MINUTE);
    }
    memset(own, 0, PASSAGES * sizeof *own);
    memset(any, 0, PASSAGES * sizeof *any);
    size_t decisions;
    const struct decision *decision = injector_decisions(rig->injector, &decisions);
    for (size_t i = 0; i < decisions; i++) {
        /* One passage of each kind a minute. */
        size_t passage = (size_t)(vtime_diff(decision[i].at, start) / VTIME_MINUTE);
        own[passage] = own[passage] || decision[i].fault == of;
        any[passage] = any[passage] || decision[i].fault != of;
    }
    rig_free(rig);
}

/* Other faults, before or behind a fault in the scenario, leave its decisions as they were: it
 * strikes the same passages, but those that another one struck first. */
static void faults_decide_for_themselves(void **state) {
    (void)state;
    static const struct fault observed[] = {
        {.kind = FAULT_SINK_CRASH, .point = POINT_AFTER, .ratio_num = 1, .ratio_den = 5},
        {.kind = FAULT_SINK_THROTTLE, .ratio_num = 1, .ratio_den = 5},
        {.kind = FAULT_STALE_WRITE, .ratio_num = 1, .ratio_den = 5, .delay_ns = VTIME_SECOND},
        {.kind = FAULT_LATE_RECORDS,
         .feed = TOPIC_MEDIA,
         .ratio_num = 1,
         .ratio_den = 5,
         .delay_ns = VTIME_SECOND},
        {.kind = FAULT_DUPLICATE_RECORDS, .feed = TOPIC_MEDIA, .ratio_num = 1, .ratio_den = 5},
    };
    static const struct fault others[] = {
        {.kind = FAULT_SINK_CRASH, .sink = SINK_WAREHOUSE, .ratio_num = 1, .ratio_den = 3},
        {.kind = FAULT_SINK_OUTAGE, .from_ns = 300 * VTIME_MINUTE, .until_ns = 330 * VTIME_MINUTE},
        {.kind = FAULT_SINK_CRASH, .point = POINT_HALF, .ratio_num = 1, .ratio_den = 7},
        {.kind = FAULT_STALE_WRITE,
         .sink = SINK_KEYWORDS,
         .ratio_num = 1,
         .ratio_den = 3,
         .delay_ns = VTIME_SECOND},
        {.kind = FAULT_STALLED_FEED,
         .feed = TOPIC_MEDIA,
         .from_ns = 100 * VTIME_MINUTE,
         .until_ns = 200 * VTIME_MINUTE},
        {.kind = FAULT_DUPLICATE_RECORDS, .feed = TOPIC_ORDER, .ratio_num = 1, .ratio_den = 1},
    };
    enum { OTHERS = sizeof others / sizeof *others };
    for (size_t k = 0; k < sizeof observed / sizeof *observed; k++) {
        bool alone[PASSAGES], own[PASSAGES], any[PASSAGES];
        decide(&observed[k], 1, 0, alone, any);
        size_t strikes = 0;
        for (size_t i = 0; i < PASSAGES; i++) {
            strikes += alone[i];
        }
        assert_in_range(strikes, 40, 120);
        for (size_t place = 0; place <= OTHERS; place += OTHERS) {
            struct fault all[OTHERS + 1];
            memcpy(all + (place == 0), others, sizeof others);
            all[place] = observed[k];
            decide(all, OTHERS + 1, place, own, any);
            size_t same = 0;
            for (size_t i = 0; i < PASSAGES; i++) {
                assert_true(!own[i] || alone[i]);
                assert_true(own[i] || !alone[i] || any[i]);
                same += own[i];
            }
            assert_true(2 * same > strikes);
        }
    }
}

/* Two faults of one kind and subject draw from two streams. */
static void equal_faults_decide_differently(void **state) {
    (void)state;
    static const struct fault faults[] = {
        {.kind = FAULT_DUPLICATE_RECORDS, .feed = TOPIC_MEDIA, .ratio_num = 1, .ratio_den = 2},
        {.kind = FAULT_DUPLICATE_RECORDS, .feed = TOPIC_MEDIA, .ratio_num = 1, .ratio_den = 2},
    };
    bool own[PASSAGES], any[PASSAGES];
    decide(faults, 2, 0, own, any);
    size_t differ = 0;
    for (size_t i = 0; i < PASSAGES; i++) {
        differ += own[i] != any[i];
    }
    assert_in_range(differ, PASSAGES * 2 / 5, PASSAGES * 3 / 5);
}

/* ---- Points and bands ---- */

/* Every point has a name and a sentence, and counts what passes it, struck or not. */
static void points_count_what_passes(void **state) {
    (void)state;
    struct rig *rig = rig_of(NULL, 0);
    uint64_t before[64], passed;
    const char *about;
    size_t count = 0;
    while (injector_point(rig->injector, count, &before[count]) != NULL) {
        assert_true(strlen(injector_point_about(count, &about)) > 3);
        assert_true(strlen(about) > 10);
        count++;
    }
    assert_null(injector_point_about(count, &about));
    assert_in_range(count, SINK_COUNT + 3, 63);
    for (int sink = 0; sink < SINK_COUNT; sink++) {
        injector_point(rig->injector, (size_t)sink, &before[sink]);
        sinks[sink].request(rig);
        sinks[sink].request(rig);
        injector_point(rig->injector, (size_t)sink, &passed);
        assert_int_equal(passed - before[sink], 2);
    }
    rig_free(rig);
}

/* For drawing: strikes of a stall are one band, which healing cuts short. */
static void healing_ends_bands(void **state) {
    (void)state;
    const struct fault faults[] = {{.kind = FAULT_STALLED_FEED, .until_ns = VTIME_HOUR},
                                   {.kind = FAULT_SINK_CRASH,
                                    .sink = SINK_VECTORS,
                                    .ratio_num = 1,
                                    .ratio_den = 1,
                                    .down_ns = VTIME_SECOND}};
    struct rig *rig = rig_of(faults, 2);
    for (int minute = 0; minute < 30; minute++) {
        produce(rig, TOPIC_LISTING, 1, 1);
        if (minute == 0 || minute == 20) {
            vectors_four(rig);
        }
        run_to(rig, (minute + 1) * VTIME_MINUTE);
    }
    injector_heal(rig->injector);
    size_t count;
    const struct fault_band *bands = injector_bands(rig->injector, &count);
    assert_int_equal(count, 3);
    assert_int_equal(bands[0].fault, 0);
    assert_int_equal(vtime_diff(bands[0].from, start), 0);
    assert_int_equal(vtime_diff(bands[0].to, start), 30 * VTIME_MINUTE);
    assert_int_equal(bands[1].fault, 1);
    assert_int_equal(vtime_diff(bands[1].to, bands[1].from), VTIME_SECOND);
    assert_int_equal(vtime_diff(bands[2].from, start), 20 * VTIME_MINUTE);
    rig_free(rig);
}

/* ---- The warehouse ---- */

/* A torn load has an unknown outcome and some of its rows in, now these, now those; sent again it
 * is whole (C4). */
static void a_torn_load_is_in_partly(void **state) {
    (void)state;
    const struct fault faults[] = {
        {.kind = FAULT_TORN_LOAD, .ratio_num = 1, .ratio_den = 1, .until_ns = VTIME_HOUR}};
    uint64_t least = 4, most = 0;
    for (int i = 0; i < 20; i++) {
        struct rig *rig = rig_of(faults, 1);
        for (int k = 0; k <= i; k++) {
            assert_int_equal(load(rig), PORT_UNKNOWN);
        }
        least = silver_rows(rig) < least ? silver_rows(rig) : least;
        most = silver_rows(rig) > most ? silver_rows(rig) : most;
        run_to(rig, VTIME_HOUR);
        assert_int_equal(load(rig), PORT_OK);
        assert_int_equal(silver_rows(rig), 4);
        rig_free(rig);
    }
    assert_true(least < most);
}

/* A slow view says of which moment it is; a stale stream refuses all but a refresh of the whole. */
static void views_are_slow_and_streams_stale(void **state) {
    (void)state;
    const struct fault faults[] = {
        {.kind = FAULT_SLOW_VIEW, .ratio_num = 1, .ratio_den = 1, .delay_ns = VTIME_HOUR},
        {.kind = FAULT_STALE_STREAM, .ratio_num = 1, .ratio_den = 1}};
    struct rig *rig = rig_of(faults, 2);
    struct warehouse_port *p = &ports_of(rig)->warehouse;
    vtime as_of = VTIME_NEVER;
    assert_int_equal(p->ops->refresh_dashboard(p->ctx, now_of(rig), false, &as_of),
                     PORT_OUT_OF_RANGE);
    assert_int_equal(p->ops->refresh_dashboard(p->ctx, now_of(rig), true, &as_of), PORT_OK);
    assert_in_range(vtime_diff(now_of(rig), as_of), 1, VTIME_HOUR);
    assert_int_equal(injector_struck(rig->injector, 1), 1);
    rig_free(rig);
}

/* ---- The object store ---- */

static int erase_objects(struct rig *rig, const uint64_t *listing_ids, size_t count) {
    struct object_port *objects = &ports_of(rig)->objects;
    return objects->ops->erase(objects->ctx, now_of(rig), listing_ids, count, VTIME_NEVER);
}

static uint64_t objects_of(struct rig *rig, uint64_t listing_id) {
    uint64_t found = 99;
    struct object_port *objects = &ports_of(rig)->objects;
    assert_int_equal(
        objects->ops->count(objects->ctx, now_of(rig), &listing_id, 1, VTIME_NEVER, &found),
        PORT_OK);
    return found;
}

/* One bit of a checkpoint is wrong when it is read; where there is no entry nothing was struck
 * (C6). */
static void a_checkpoint_rots_when_it_is_read(void **state) {
    (void)state;
    const struct fault faults[] = {{.kind = FAULT_ROTTEN_STATE, .ratio_num = 1, .ratio_den = 1}};
    struct rig *rig = rig_of(faults, 1);
    struct fake_state_store *store = simulation_state_store(rig->simulation);
    struct state_port *port = &ports_of(rig)->state;
    assert_int_equal(load_state(rig), PORT_OK);
    assert_int_equal(injector_struck(rig->injector, 0), 0);
    const struct state_entry entry = {4, {"sound", 5}};
    assert_int_equal(
        port->ops->save(port->ctx, now_of(rig), "test", 0, 1, (struct bytes){"7", 1}, &entry, 1),
        PORT_OK);
    assert_memory_equal(fake_state_store_value(store, "test", 0, 4).data, "sound", 5);
    assert_int_equal(load_state(rig), PORT_OK);
    assert_memory_not_equal(fake_state_store_value(store, "test", 0, 4).data, "sound", 5);
    assert_int_equal(injector_struck(rig->injector, 0), 1);
    injector_heal(rig->injector);
    assert_int_equal(load_state(rig), PORT_OK);
    assert_int_equal(injector_struck(rig->injector, 0), 1);
    rig_free(rig);
}

/* A lost delete is confirmed and never carried out; without the fault it is (A12, C5). */
static void a_lost_delete_leaves_the_objects(void **state) {
    (void)state;
    const struct fault faults[] = {{.kind = FAULT_LOST_DELETES, .ratio_num = 1, .ratio_den = 1}};
    struct rig *rig = rig_of(faults, 1);
    put_four(rig);
    assert_int_equal(erase_objects(rig, (const uint64_t[]){2, 3}, 2), PORT_OK);
    run_to(rig, VTIME_DAY);
    assert_int_equal(objects_of(rig, 2), 1);
    assert_int_equal(injector_struck(rig->injector, 0), 2);
    injector_heal(rig->injector);
    assert_int_equal(erase_objects(rig, (const uint64_t[]){2, 3}, 2), PORT_OK);
    assert_int_equal(objects_kept(rig), 2);
    rig_free(rig);
}

/* A late delete is confirmed at once and carried out within its delay, or when the run heals. */
static void a_late_delete_comes_within_its_delay(void **state) {
    (void)state;
    const struct fault faults[] = {
        {.kind = FAULT_LATE_DELETES, .ratio_num = 1, .ratio_den = 1, .delay_ns = VTIME_HOUR}};
    struct rig *rig = rig_of(faults, 1);
    assert_int_equal(erase_objects(rig, (const uint64_t[]){2}, 1), PORT_OK);
    assert_int_equal(injector_struck(rig->injector, 0), 0); /* there was nothing to delete */
    put_four(rig);
    assert_int_equal(erase_objects(rig, (const uint64_t[]){2}, 1), PORT_OK);
    assert_int_equal(objects_of(rig, 2), 1);
    run_to(rig, VTIME_HOUR);
    assert_int_equal(objects_of(rig, 2), 0);
    assert_int_equal(erase_objects(rig, (const uint64_t[]){3}, 1), PORT_OK);
    injector_heal(rig->injector);
    assert_int_equal(objects_of(rig, 3), 0);
    run_to(rig, VTIME_DAY);
    assert_int_equal(objects_kept(rig), 2);
    rig_free(rig);
}

/* A slow listing names nothing of what was stored lately, and is right once the fault ends. It
 * strikes where that is another answer: twice it missed what was there, once it named what was
 * gone.
 */
static void a_slow_listing_misses_what_is_young(void **state) {
    (void)state;
    const struct fault faults[] = {
        {.kind = FAULT_SLOW_LISTING, .delay_ns = VTIME_HOUR, .until_ns = 10 * VTIME_HOUR}};
    struct rig *rig = rig_of(faults, 1);
    put_four(rig);
    assert_int_equal(objects_of(rig, 2), 0);
    assert_int_equal(erase_objects(rig, (const uint64_t[]){2}, 1), PORT_OK);
    assert_int_equal(objects_kept(rig), 4);
    run_to(rig, VTIME_HOUR);
    assert_int_equal(objects_of(rig, 2), 1);
    assert_int_equal(erase_objects(rig, (const uint64_t[]){2}, 1), PORT_OK);
    assert_int_equal(objects_kept(rig), 3);
    assert_int_equal(objects_of(rig, 2), 1); /* it still names what is gone */
    run_to(rig, 10 * VTIME_HOUR);
    put_four(rig);
    assert_int_equal(objects_of(rig, 2), 1);
    assert_int_equal(injector_struck(rig->injector, 0), 3);
    rig_free(rig);
}

/* The lifecycle comes as much too early, or too late, as the fault says (A16). */
static void a_lifecycle_surprises(void **state) {
    (void)state;
    static const enum fault_kind kinds[] = {FAULT_EARLY_LIFECYCLE, FAULT_LATE_LIFECYCLE};
    for (size_t i = 0; i < 2; i++) {
        const struct fault faults[] = {{.kind = kinds[i], .delay_ns = 30 * VTIME_DAY}};
        struct rig *rig = rig_of(faults, 1);
        int64_t days = i == 0 ? 60 : 120;
        put_four(rig);
        run_to(rig, days * VTIME_DAY - VTIME_MINUTE);
        assert_int_equal(objects_of(rig, 2), 1);
        assert_int_equal(injector_struck(rig->injector, 0), i);
        run_to(rig, days * VTIME_DAY + VTIME_MINUTE);
        assert_int_equal(objects_of(rig, 2), 0);
        assert_int_equal(injector_struck(rig->injector, 0), 1);
        rig_free(rig);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(duplicates_come_within_their_delay),
        cmocka_unit_test(duplicates_need_no_delay),
        cmocka_unit_test(late_records_come_once),
        cmocka_unit_test(a_stalled_feed_lets_nothing_through),
        cmocka_unit_test(a_stall_keeps_the_order),
        cmocka_unit_test(healing_releases_records),
        cmocka_unit_test(a_crashed_sink_is_down_for_a_while),
        cmocka_unit_test(a_crash_is_of_one_sink),
        cmocka_unit_test(an_outage_refuses_everything),
        cmocka_unit_test(a_throttled_request_does_nothing),
        cmocka_unit_test(failed_items_are_not_in),
        cmocka_unit_test(refused_items_are_not_in),
        cmocka_unit_test(drifted_embeddings_are_elsewhere),
        cmocka_unit_test(a_stale_write_comes_again),
        cmocka_unit_test(a_stale_keyword_write_loses),
        cmocka_unit_test(a_refused_write_does_not_come_again),
        cmocka_unit_test(strikes_are_on_record),
        cmocka_unit_test(faults_decide_for_themselves),
        cmocka_unit_test(equal_faults_decide_differently),
        cmocka_unit_test(points_count_what_passes),
        cmocka_unit_test(healing_ends_bands),
        cmocka_unit_test(a_torn_load_is_in_partly),
        cmocka_unit_test(views_are_slow_and_streams_stale),
        cmocka_unit_test(a_checkpoint_rots_when_it_is_read),
        cmocka_unit_test(a_lost_delete_leaves_the_objects),
        cmocka_unit_test(a_late_delete_comes_within_its_delay),
        cmocka_unit_test(a_slow_listing_misses_what_is_young),
        cmocka_unit_test(a_lifecycle_surprises),
    };
    return cmocka_run_group_tests_name("injector", tests, NULL, NULL);
}
