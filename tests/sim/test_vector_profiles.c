/*
 * What sets the vector databases of the profiles apart (C3): each behaviour of docs/vector.md that
 * the fake claims, by the smallest sequence of calls that shows it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/fake_keyword.h"
#include "sim/fake_vector_db.h"
#include "sim/vector_math.h"

#define TEXT MODALITY_TEXT

static const vtime start = {INT64_C(1700000000000000000)};

static vtime at(int64_t ms) {
    return vtime_add(start, ms * VTIME_MILLISECOND);
}

static struct fake_vector_db *open_like(enum vector_profile_id id) {
    struct fake_vector_db *db =
        fake_vector_db_new(&(struct fake_vector_db_options){.profile = vector_profile_of(id)});
    assert_non_null(db);
    assert_int_equal(fake_vector_db_create_collection(db, TEXT, 1), 0);
    const struct vector_alias alias = {TEXT, 1};
    assert_int_equal(fake_vector_db_switch_aliases(db, start, &alias, 1), 0);
    return db;
}

/* The unit vector along one axis. */
static const float *axis(size_t i) {
    static float vector[TEXT_DIMENSION];
    memset(vector, 0, sizeof vector);
    vector[i] = 1;
    return vector;
}

static struct vector_write write_of(enum row_write_kind kind, uint64_t id, doc_version version) {
    return (struct vector_write){.listing_id = id,
                                 .kind = kind,
                                 .rule = VERSION_GREATER,
                                 .meta = {.version = version,
                                          .whole_hash = (uint64_t)version,
                                          .content_hash = 7,
                                          .model_version = 1,
                                          .policy = POLICY_ACTIVE,
                                          .active = true},
                                 .vector = axis(id % TEXT_DIMENSION)};
}

static enum item_status put(struct fake_vector_db *db, vtime now, struct vector_write w) {
    enum item_status status = ITEM_UNKNOWN;
    struct vector_port port = fake_vector_db_port(db);
    assert_int_equal(port.ops->write(port.ctx, now, TEXT, 1, &w, 1, &status), 0);
    return status;
}

/* A deletion that is a row keeps an older write out for good: after the store forgot its tombstones
 * and after a restart, which both revive a row that was deleted by its key. */
static void tombstone_rows_last(void **state) {
    (void)state;
    for (int restart = 0; restart < 2; restart++) {
        struct fake_vector_db *db = open_like(VECTORS_OPENSEARCH);
        put(db, at(0), write_of(ROW_DELETE, 1, 5));
        put(db, at(0), write_of(ROW_TOMBSTONE, 2, 5));
        vtime then = at(restart ? 1 : 60000);
        if (restart) {
            assert_int_equal(fake_vector_db_restart(db, then, &(size_t){0}), 0);
        }
        assert_int_equal(put(db, then, write_of(ROW_UPSERT, 1, 3)), ITEM_APPLIED);
        assert_int_equal(put(db, then, write_of(ROW_UPSERT, 2, 3)), ITEM_CONFLICT);
        assert_int_equal(fake_vector_db_show(db, then), 0);
        assert_int_equal(fake_vector_db_collection(db, 0).rows, 1);
        /* Its listing may live again, and die for good. */
        assert_int_equal(put(db, then, write_of(ROW_UPSERT, 2, 6)), ITEM_APPLIED);
        assert_int_equal(put(db, then, write_of(ROW_DELETE, 2, 7)), ITEM_APPLIED);
        assert_int_equal(fake_vector_db_restart(db, then, &(size_t){0}), 0);
        assert_int_equal(put(db, then, write_of(ROW_UPSERT, 2, 6)), ITEM_APPLIED);
        fake_vector_db_check(db);
        fake_vector_db_free(db);
    }
}

/* The keyword index forgets as the vector database does, and keeps deletions that are documents. */
static void keyword_tombstones(void **state) {
    (void)state;
    struct fake_keyword *k =
        fake_keyword_new(&(struct fake_keyword_options){.gc_deletes_ns = 60 * VTIME_SECOND});
    assert_non_null(k);
    struct keyword_port port = fake_keyword_port(k);
    enum item_status statuses[4];
    struct keyword_write removals[] = {
        {.listing_id = 1, .kind = ROW_DELETE, .meta = {.version = 5}},
        {.listing_id = 2, .kind = ROW_TOMBSTONE, .meta = {.version = 5}},
        {.listing_id = 3, .kind = ROW_DELETE, .meta = {.version = 5}}};
    struct keyword_write upserts[] = {
        {.listing_id = 1, .kind = ROW_UPSERT, .meta = {.version = 3, .active = true}},
        {.listing_id = 2, .kind = ROW_UPSERT, .meta = {.version = 3, .active = true}},
        {.listing_id = 3, .kind = ROW_UPSERT, .meta = {.version = 3, .active = true}}};
    assert_int_equal(port.ops->write(port.ctx, at(0), removals, 3, statuses), 0);
    assert_int_equal(port.ops->write(port.ctx, at(59999), upserts, 2, statuses), 0);
    assert_int_equal(statuses[0], ITEM_CONFLICT);
    assert_int_equal(port.ops->write(port.ctx, at(60000), upserts, 2, statuses), 0);
    assert_int_equal(statuses[0], ITEM_APPLIED);
    assert_int_equal(statuses[1], ITEM_CONFLICT);
    fake_keyword_restart(k);
    assert_int_equal(port.ops->write(port.ctx, at(1), upserts + 1, 2, statuses), 0);
    assert_int_equal(statuses[0], ITEM_CONFLICT);
    assert_int_equal(statuses[1], ITEM_APPLIED);
    fake_keyword_check(k);
    fake_keyword_free(k);
}

/* What an erasure removes stays out of a store that forgets deletions: an older write that is still
 * on its way after a restart meets a row that says that there is none (A12). */
static void erasure_leaves_a_row(void **state) {
    (void)state;
    struct fake_vector_db *db = open_like(VECTORS_OPENSEARCH);
    struct vector_port vectors = fake_vector_db_port(db);
    const struct erasure_subject subject = {1, STAMP_NONE, 9};
    struct erasure_look looks[ERASURE_PLACE_COUNT] = {{0}};
    put(db, at(0), write_of(ROW_UPSERT, 1, 5));
    assert_int_equal(vectors.ops->erase(vectors.ctx, at(1), 0, &subject, 1, looks), 0);
    assert_int_equal(fake_vector_db_restart(db, at(2), &(size_t){0}), 0);
    assert_int_equal(put(db, at(3), write_of(ROW_UPSERT, 1, 5)), ITEM_CONFLICT);
    fake_vector_db_check(db);
    fake_vector_db_free(db);

    struct fake_keyword *k =
        fake_keyword_new(&(struct fake_keyword_options){.gc_deletes_ns = 60 * VTIME_SECOND});
    assert_non_null(k);
    struct keyword_port keywords = fake_keyword_port(k);
    struct keyword_write upsert = {
        .listing_id = 1, .kind = ROW_UPSERT, .meta = {.version = 5, .active = true}};
    enum item_status status;
    assert_int_equal(keywords.ops->write(keywords.ctx, at(0), &upsert, 1, &status), 0);
    assert_int_equal(keywords.ops->erase(keywords.ctx, at(1), &subject, 1, looks), 0);
    fake_keyword_restart(k);
    assert_int_equal(keywords.ops->write(keywords.ctx, at(3), &upsert, 1, &status), 0);
    assert_int_equal(status, ITEM_CONFLICT);
    fake_keyword_free(k);
}

/* Where writes are not conditional, the last one to arrive wins, whatever its version. */
static void last_write_wins(void **state) {
    (void)state;
    static const enum vector_profile_id blind[] = {VECTORS_MILVUS, VECTORS_PINECONE};
    for (size_t i = 0; i < sizeof blind / sizeof *blind; i++) {
        struct fake_vector_db *db = open_like(blind[i]);
        put(db, at(0), write_of(ROW_UPSERT, 1, 9));
        assert_int_equal(put(db, at(100), write_of(ROW_UPSERT, 1, 4)), ITEM_APPLIED);
        assert_int_equal(fake_vector_db_show(db, at(100)), 0);
        assert_int_equal(fake_vector_db_row(db, TEXT, 1, 1).version, 4);
        put(db, at(200), write_of(ROW_DELETE, 1, 10));
        assert_int_equal(put(db, at(300), write_of(ROW_UPSERT, 1, 4)), ITEM_APPLIED);
        assert_int_equal(fake_vector_db_show(db, at(300)), 0);
        assert_true(fake_vector_db_row(db, TEXT, 1, 1).present);
        fake_vector_db_check(db);
        fake_vector_db_free(db);
    }
}

/* A row that a transaction deleted leaves nothing that an older write could be held against. */
static void deletions_leave_nothing(void **state) {
    (void)state;
    struct fake_vector_db *db = open_like(VECTORS_PGVECTOR);
    put(db, at(0), write_of(ROW_UPSERT, 1, 5));
    assert_int_equal(put(db, at(1), write_of(ROW_UPSERT, 1, 4)), ITEM_CONFLICT);
    put(db, at(2), write_of(ROW_DELETE, 1, 6));
    assert_int_equal(put(db, at(3), write_of(ROW_UPSERT, 1, 4)), ITEM_APPLIED);
    fake_vector_db_free(db);
}

/* A request beyond a limit is refused as a whole, and the next second begins anew: rows and bytes
 * of one call, calls of one second. */
static void limits_refuse_whole_requests(void **state) {
    (void)state;
    struct fake_vector_db *db = open_like(VECTORS_PINECONE);
    struct vector_port port = fake_vector_db_port(db);
    static struct vector_write items[1001];
    static enum item_status statuses[1001];
    for (size_t i = 0; i < 1001; i++) {
        items[i] = write_of(ROW_DELETE, i + 1, 1);
    }
    assert_int_equal(port.ops->write(port.ctx, at(0), TEXT, 1, items, 1001, statuses),
                     PORT_TOO_LARGE);
    assert_int_equal(port.ops->write(port.ctx, at(0), TEXT, 1, items, 1000, statuses), 0);
    for (size_t i = 0; i < 1000; i++) {
        items[i] = write_of(ROW_UPSERT, 1, 1);
    }
    assert_int_equal(port.ops->write(port.ctx, at(0), TEXT, 1, items, 700, statuses),
                     PORT_TOO_LARGE);
    for (int i = 1; i < 100; i++) {
        assert_int_equal(port.ops->write(port.ctx, at(500), TEXT, 1, items, 1, statuses), 0);
    }
    assert_int_equal(port.ops->write(port.ctx, at(999), TEXT, 1, items, 1, statuses),
                     PORT_THROTTLED);
    assert_int_equal(port.ops->write(port.ctx, at(1000), TEXT, 1, items, 1, statuses), 0);
    assert_int_equal(fake_vector_db_counts(db).batches_refused, 3);
    fake_vector_db_free(db);
}

static size_t seen(struct fake_vector_db *db, vtime now, enum scan_path path) {
    struct scan_row rows[8];
    size_t count = 0;
    struct vector_port port = fake_vector_db_port(db);
    assert_int_equal(port.ops->scan(port.ctx, now, TEXT, 1, path, 0, UINT64_MAX, rows, 8, &count),
                     0);
    return count;
}

/* A refresh shows searches and scans all that was written before it; a get by id knows it at once,
 * and so does the next write. */
static void a_refresh_shows_what_was_written(void **state) {
    (void)state;
    struct fake_vector_db *db = open_like(VECTORS_OPENSEARCH);
    put(db, at(100), write_of(ROW_UPSERT, 1, 5));
    put(db, at(200), write_of(ROW_UPSERT, 2, 5));
    put(db, at(300), write_of(ROW_DELETE, 2, 6));
    assert_int_equal(put(db, at(400), write_of(ROW_UPSERT, 1, 4)), ITEM_CONFLICT);
    assert_int_equal(put(db, at(400), write_of(ROW_UPSERT, 2, 5)), ITEM_CONFLICT);
    assert_int_equal(put(db, at(400), write_of(ROW_METADATA, 1, 6)), ITEM_FATAL);
    assert_int_equal(put(db, at(400), write_of(ROW_UPSERT, 1, 6)), ITEM_APPLIED);
    assert_int_equal(seen(db, at(999), SCAN_BY_SEARCH), 0);
    assert_int_equal(seen(db, at(999), SCAN_BY_SCAN), 0);
    assert_int_equal(seen(db, at(999), SCAN_BY_ID), 1);
    struct vector_collection_info before = fake_vector_db_collection(db, 0);
    assert_int_equal(before.lsn, 4);
    assert_int_equal(before.lsn_seen, 0);
    assert_int_equal(seen(db, at(1000), SCAN_BY_SEARCH), 1);
    assert_int_equal(fake_vector_db_row(db, TEXT, 1, 1).version, 6);
    assert_int_equal(fake_vector_db_collection(db, 0).lsn_seen, 4);
    put(db, at(1100), write_of(ROW_DELETE, 1, 7));
    assert_int_equal(seen(db, at(1200), SCAN_BY_SEARCH), 1);
    assert_int_equal(seen(db, at(1200), SCAN_BY_ID), 0);
    assert_int_equal(seen(db, at(2000), SCAN_BY_SEARCH), 0);
    fake_vector_db_check(db);
    fake_vector_db_free(db);
}

static bool reader_wrote;

static bool writer_reads(void *ctx) {
    (void)ctx;
    return reader_wrote;
}

/* Four levels: a strong read waits for what was written, a session for its own writes, a bounded
 * read gets what is older than the bound, an eventual one what is older than its delay. */
static void levels_of_consistency(void **state) {
    (void)state;
    static const struct {
        enum vector_consistency level;
        bool own;
        int64_t visible_ms;
    } cases[] = {{CONSISTENCY_STRONG, false, 0},     {CONSISTENCY_SESSION, true, 0},
                 {CONSISTENCY_SESSION, false, 5000}, {CONSISTENCY_BOUNDED, true, 5000},
                 {CONSISTENCY_BOUNDED, false, 5000}, {CONSISTENCY_EVENTUALLY, true, 5000}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct vector_profile profile = vector_profile_of(VECTORS_MILVUS);
        profile.consistency = cases[i].level;
        reader_wrote = cases[i].own;
        struct fake_vector_db *db = fake_vector_db_new(&(struct fake_vector_db_options){
            .profile = profile, .background = {.writer_reads = writer_reads}});
        assert_non_null(db);
        assert_int_equal(fake_vector_db_create_collection(db, TEXT, 1), 0);
        put(db, at(0), write_of(ROW_UPSERT, 1, 5));
        if (cases[i].visible_ms > 0) {
            assert_int_equal(seen(db, at(cases[i].visible_ms - 1), SCAN_BY_ID), 0);
            assert_int_equal(seen(db, at(cases[i].visible_ms - 1), SCAN_BY_SEARCH), 0);
        }
        assert_int_equal(seen(db, at(cases[i].visible_ms), SCAN_BY_SEARCH), 1);
        fake_vector_db_free(db);
    }
}

/* Writes stay in their order however the delay changes, and a thousand of them cost no row. */
static void late_writes_keep_their_order(void **state) {
    (void)state;
    struct fake_vector_db *db = open_like(VECTORS_PLAIN);
    for (int i = 1; i <= 1000; i++) {
        fake_vector_db_delay(db, (i * 37 % 11) * VTIME_SECOND);
        put(db, at(i), write_of(i % 3 == 0 ? ROW_DELETE : ROW_UPSERT, (uint64_t)(1 + i % 5), i));
        if (i % 100 == 0) {
            seen(db, at(i + 100 * i), SCAN_BY_SCAN);
        }
    }
    assert_int_equal(fake_vector_db_show(db, at(2000000)), 0);
    for (uint64_t id = 1; id <= 5; id++) {
        doc_version last = id == 1 ? 1000 : 995 + (doc_version)id - 1;
        assert_int_equal(fake_vector_db_row(db, TEXT, 1, id).version, last);
        assert_int_equal(fake_vector_db_row(db, TEXT, 1, id).present, last % 3 != 0);
    }
    fake_vector_db_check(db);
    fake_vector_db_free(db);
}

/* Where a key is none, an upsert replaces one of its rows and a delete takes one, so that what is
 * by id is not what searches find; elsewhere both take all of them. */
static void keys_repeat(void **state) {
    (void)state;
    static const enum vector_profile_id both[] = {VECTORS_PLAIN, VECTORS_MILVUS};
    for (size_t i = 0; i < 2; i++) {
        size_t left = both[i] == VECTORS_MILVUS;
        struct fake_vector_db *db = open_like(both[i]);
        put(db, at(0), write_of(ROW_UPSERT, 1, 1));
        assert_int_equal(fake_vector_db_show(db, at(0)), 0);
        assert_int_equal(fake_vector_db_duplicate_row(db, at(1), TEXT, 1, 1), 0);
        put(db, at(2), write_of(ROW_UPSERT, 1, 2));
        assert_int_equal(fake_vector_db_show(db, at(2)), 0);
        assert_int_equal(seen(db, at(3), SCAN_BY_SEARCH), 1 + left);
        assert_int_equal(seen(db, at(3), SCAN_BY_ID), 1);
        put(db, at(4), write_of(ROW_DELETE, 1, 3));
        assert_int_equal(fake_vector_db_show(db, at(4)), 0);
        assert_int_equal(seen(db, at(5), SCAN_BY_SEARCH), left);
        assert_int_equal(seen(db, at(5), SCAN_BY_ID), left);
        put(db, at(6), write_of(ROW_DELETE, 1, 3));
        assert_int_equal(fake_vector_db_show(db, at(6)), 0);
        assert_int_equal(seen(db, at(7), SCAN_BY_SEARCH), 0);
        assert_int_equal(seen(db, at(7), SCAN_BY_ID), 0);
        fake_vector_db_check(db);
        fake_vector_db_free(db);
    }
}

/* Rows along axes of their own, each near the query the less the higher its id. */
static struct vector_write slanted(uint64_t id, doc_version version, float lean) {
    static float vector[TEXT_DIMENSION];
    memset(vector, 0, sizeof vector);
    vector[0] = 1 - lean * (float)id;
    vector[1 + id] = 1;
    vector_normalise(vector, TEXT_DIMENSION, vector);
    struct vector_write w = write_of(ROW_UPSERT, id, version);
    w.vector = vector;
    return w;
}

static size_t found(struct fake_vector_db *db, uint32_t ef) {
    struct search_hit hits[10];
    size_t count = 0;
    struct vector_port port = fake_vector_db_port(db);
    float query[TEXT_DIMENSION] = {1};
    assert_int_equal(
        port.ops->search(port.ctx, at(0), TEXT, 0, query, 10, ef, false, NULL, hits, &count), 0);
    return count;
}

/* Dead rows use up the candidates of a blind index until somebody has them dropped, which a long
 * transaction holds back; of other indexes they cost nothing (D8). */
static void dead_rows_use_up_the_search(void **state) {
    (void)state;
    static const enum vector_profile_id both[] = {VECTORS_PLAIN, VECTORS_PGVECTOR};
    for (size_t i = 0; i < 2; i++) {
        bool blind = both[i] == VECTORS_PGVECTOR;
        struct fake_vector_db *db = fake_vector_db_new(&(struct fake_vector_db_options){
            .profile = vector_profile_of(both[i]),
            .index[TEXT] = {.on = true, .m = 8, .ef_construction = 60, .seal_rows_min = 8}});
        assert_non_null(db);
        assert_int_equal(fake_vector_db_create_collection(db, TEXT, 1), 0);
        const struct vector_alias alias = {TEXT, 1};
        assert_int_equal(fake_vector_db_switch_aliases(db, start, &alias, 1), 0);
        for (uint64_t id = 0; id < 60; id++) {
            put(db, at(0), slanted(id, 1, 0.01F));
        }
        assert_int_equal(found(db, 20), 10);
        for (uint64_t id = 0; id < 25; id++) {
            put(db, at(1), write_of(ROW_DELETE, id, 2));
        }
        assert_int_equal(found(db, 20), blind ? 0 : 10);
        struct vector_port port = fake_vector_db_port(db);
        enum item_status status;
        const struct vector_admin compact = {.kind = VECTOR_COMPACT};
        fake_vector_db_hold_compaction(db, true);
        assert_int_equal(port.ops->admin(port.ctx, at(2), &compact, &status, NULL), 0);
        assert_int_equal(fake_vector_db_collection(db, 0).masked, 25);
        fake_vector_db_hold_compaction(db, false);
        assert_int_equal(port.ops->admin(port.ctx, at(3), &compact, &status, NULL), 0);
        assert_int_equal(fake_vector_db_collection(db, 0).masked, 0);
        assert_int_equal(found(db, 20), 10);
        fake_vector_db_check(db);
        fake_vector_db_free(db);
    }
}

/* Of a filter that accepts one row in two hundred nothing is missed, whatever ef is (A7, D8). */
static void sparse_filters_are_exact(void **state) {
    (void)state;
    struct fake_vector_db *db = fake_vector_db_new(&(struct fake_vector_db_options){
        .index[TEXT] = {.on = true, .m = 4, .ef_construction = 20, .seal_rows_min = 8}});
    assert_non_null(db);
    assert_int_equal(fake_vector_db_create_collection(db, TEXT, 1), 0);
    const struct vector_alias alias = {TEXT, 1};
    assert_int_equal(fake_vector_db_switch_aliases(db, start, &alias, 1), 0);
    for (uint64_t id = 0; id < 600; id++) {
        struct vector_write w = slanted(id, 1, 0.001F);
        w.meta.seller_id = id % 200 + 1;
        put(db, at(0), w);
    }
    assert_int_equal(found(db, 20), 10);
    struct vector_port port = fake_vector_db_port(db);
    float query[TEXT_DIMENSION] = {1};
    for (uint64_t seller = 1; seller <= 200; seller++) {
        const struct row_filter filter = {.seller_id = seller};
        struct search_hit hits[10];
        size_t count = 0;
        assert_int_equal(
            port.ops->search(port.ctx, at(1), TEXT, 0, query, 10, 10, false, &filter, hits, &count),
            0);
        assert_int_equal(count, 3);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(hits[i].listing_id, seller - 1 + 200 * i);
        }
    }
    fake_vector_db_free(db);
}

/* An erasure finds what a graph still masks of a former life, again and again while nothing is
 * compacted, and leaves the row of the present one alone, also where writes have no condition
 * (A12).
 */
static void erasures_spare_a_new_life(void **state) {
    (void)state;
    for (int id = 0; id < VECTOR_PROFILE_COUNT; id++) {
        struct fake_vector_db_options options = {.profile =
                                                     vector_profile_of((enum vector_profile_id)id)};
        options.index[TEXT] = (struct vector_index_options){.on = true, .seal_rows_min = 1};
        struct fake_vector_db *db = fake_vector_db_new(&options);
        assert_int_equal(fake_vector_db_create_collection(db, TEXT, 1), 0);
        const struct vector_alias alias = {TEXT, 1};
        assert_int_equal(fake_vector_db_switch_aliases(db, start, &alias, 1), 0);
        struct vector_port port = fake_vector_db_port(db);
        for (uint64_t listing = 1; listing <= 8; listing++) {
            put(db, at(0), write_of(ROW_UPSERT, listing, 10));
        }
        struct search_hit hits[8];
        size_t count = 0;
        assert_int_equal(
            port.ops->search(port.ctx, at(60000), TEXT, 0, axis(1), 8, 8, false, 0, hits, &count),
            0); /* seals */
        fake_vector_db_hold_compaction(db, true);
        put(db, at(60001), write_of(ROW_DELETE, 1, 20));
        put(db, at(60002), write_of(ROW_UPSERT, 1, 30));
        assert_int_equal(fake_vector_db_show(db, at(60003)), 0);
        struct erasure_subject subject = {1, STAMP_NONE, 20};
        struct erasure_look looks[ERASURE_PLACE_COUNT] = {{0}};
        assert_int_equal(port.ops->erase(port.ctx, at(60004), 0, &subject, 1, looks), 0);
        assert_int_equal(looks[ERASED_IN_VECTORS].found, 1);
        assert_int_equal(fake_vector_db_row(db, TEXT, 1, 1).version, 30);
        assert_true(fake_vector_db_row(db, TEXT, 1, 1).present);
        fake_vector_db_free(db);
    }
}

/* The pipeline is told what it has to do about it; the plain profile asks nothing of it. */
static void profiles_configure_the_pipeline(void **state) {
    (void)state;
    for (int id = 0; id < VECTOR_PROFILE_COUNT; id++) {
        struct vector_profile profile = vector_profile_of((enum vector_profile_id)id);
        struct pipeline_config config = {0};
        vector_profile_configure(&profile, &config);
        assert_int_equal(config.vector_tombstone_rows,
                         id == VECTORS_OPENSEARCH || id == VECTORS_PGVECTOR);
        assert_int_equal(config.vector_whole_rows, id == VECTORS_OPENSEARCH ||
                                                       id == VECTORS_MILVUS ||
                                                       id == VECTORS_PINECONE);
        assert_int_equal(config.vector_compact_ns != 0, id == VECTORS_PGVECTOR);
        assert_int_equal(config.vector_repair_deletes, id == VECTORS_MILVUS);
        assert_int_equal(config.upgrade_tend_ns != 0,
                         id == VECTORS_MILVUS || id == VECTORS_PINECONE);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tombstone_rows_last),
        cmocka_unit_test(keyword_tombstones),
        cmocka_unit_test(erasure_leaves_a_row),
        cmocka_unit_test(last_write_wins),
        cmocka_unit_test(deletions_leave_nothing),
        cmocka_unit_test(limits_refuse_whole_requests),
        cmocka_unit_test(a_refresh_shows_what_was_written),
        cmocka_unit_test(levels_of_consistency),
        cmocka_unit_test(late_writes_keep_their_order),
        cmocka_unit_test(keys_repeat),
        cmocka_unit_test(dead_rows_use_up_the_search),
        cmocka_unit_test(sparse_filters_are_exact),
        cmocka_unit_test(erasures_spare_a_new_life),
        cmocka_unit_test(profiles_configure_the_pipeline),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
