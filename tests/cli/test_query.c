/*
 * A finished run as a file, and `murphy query` on it (A11): every table as of any moment is what a
 * naive log says, and the command keeps its contract of forms and exit statuses.
 *
 * The program is taken from $MURPHY, or from where `make` puts it beside this test.
 */
#define _POSIX_C_SOURCE 200809L

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "pipeline/little_endian.h"
#include "sim/prng.h"
#include "sim/sqlite_host.h"
#include "sim/stores_export.h"

#define START (INT64_C(1767571200) * VTIME_SECOND) /* 2026-01-05T00:00:00Z */

static char folder[] = "/tmp/murphy-query-XXXXXX";
static char program[4096];

/* ---- a small run, and a naive log of it ---- */

#define LISTINGS 6
#define STEPS 240
#define TEXT 2048

/* What each table held after a step, as the rows of its query below, in text. */
struct snapshot {
    int64_t at_ns;
    char oltp[TEXT], outbox[TEXT], gold[TEXT], keyword[TEXT], silver[TEXT], sales[TEXT];
};
static struct snapshot snapshots[STEPS];

static const char *const asked[][2] = {
    {"oltp", "SELECT listing_id || ' ' || title || ' ' || ifnull(price,'none') || ' ' || deleted"
             " FROM oltp_listing ORDER BY listing_id"},
    {"outbox", "SELECT sequence || ' ' || topic FROM outbox ORDER BY sequence"},
    {"gold", "SELECT listing_id || ' ' || version || ' ' || alive || ' ' || policy"
             " FROM gold_document ORDER BY listing_id"},
    {"keyword", "SELECT listing_id || ' ' || version || ' ' || title FROM keyword_row"
                " ORDER BY listing_id"},
    {"silver", "SELECT listing_id || ' ' || version || ' ' || (valid_from_ns - 1767571200000000000)"
               " || ' ' || ifnull(valid_to_ns - 1767571200000000000, 'open') || ' ' || is_current"
               " FROM silver_listing ORDER BY listing_id, version"},
    {"sales",
     "SELECT category || ' ' || orders || ' ' || quantity || ' ' || amount FROM dashboard_sales"
     " ORDER BY category, hour_ns"},
};

struct world {
    struct fake_oltp *oltp;
    struct fake_keyword *keyword;
    struct fake_warehouse *warehouse;
    struct fake_vector_db *vectors;
    struct prng prng;

    /* the naive side */
    struct {
        bool there, deleted;
        int price;
        char title[16];
    } rows[LISTINGS];
    int64_t trimmed, written;
    struct {
        int64_t version;
        bool alive;
    } gold[LISTINGS], keyword_rows[LISTINGS];
    char keyword_titles[LISTINGS][16];
    struct {
        int64_t version, changed_ns;
    } silver[LISTINGS][STEPS];
    int silver_count[LISTINGS];
    int64_t sales[2][3], shown[2][3];
    int64_t next_version;
};

static void lineof(char *out, const char *format, ...) {
    size_t used = strlen(out);
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(out + used, TEXT - used, format, arguments);
    va_end(arguments);
    assert_true(len > 0 && used + (size_t)len < TEXT);
}

static void change_oltp(struct world *w, vtime now, int i) {
    uint64_t draw = prng_next(&w->prng);
    w->rows[i].there = true;
    w->rows[i].deleted = draw % 5 == 0;
    w->rows[i].price = draw % 7 == 0 ? -1 : (int)(draw % 1000);
    snprintf(w->rows[i].title, sizeof(w->rows[i].title), "t%d", (int)(draw % 90));
    struct oltp_listing row = {.listing_id = (uint64_t)i,
                               .seller_id = 3,
                               .title = bytes_of(w->rows[i].title),
                               .price = w->rows[i].price,
                               .deleted = w->rows[i].deleted,
                               .stamp = {now, {1, 2}}};
    struct outbox_item item = {TOPIC_LISTING, 1, bytes_of("value")};
    bool rolled_back = prng_ratio(&w->prng, 1, 6);
    if (rolled_back) {
        struct oltp_listing other = row;
        other.title = bytes_of("never");
        assert_int_equal(fake_oltp_begin(w->oltp), 0);
        assert_int_equal(fake_oltp_write_listing(w->oltp, now, &other, &item), 0);
        assert_int_equal(fake_oltp_rollback(w->oltp), 0);
    }
    bool published = prng_ratio(&w->prng, 4, 5);
    assert_int_equal(fake_oltp_write_listing(w->oltp, now, &row, published ? &item : 0), 0);
    w->written += published;
}

static void trim_outbox(struct world *w, vtime now) {
    struct oltp_port port = fake_oltp_port(w->oltp);
    w->trimmed += (int64_t)prng_below(&w->prng, (uint64_t)(w->written - w->trimmed) + 1);
    assert_int_equal(port.ops->outbox_trim(port.ctx, now, w->trimmed), 0);
}

static void change_keyword(struct world *w, vtime now, int i) {
    struct keyword_port port = fake_keyword_port(w->keyword);
    int64_t version = w->next_version + prng_range(&w->prng, -6, 3);
    version = version < 1 ? 1 : version;
    char title[16];
    snprintf(title, sizeof(title), "k%d", (int)prng_below(&w->prng, 90));
    struct keyword_write write = {.listing_id = (uint64_t)i,
                                  .kind = prng_ratio(&w->prng, 1, 4) ? ROW_DELETE : ROW_UPSERT,
                                  .meta = {.version = version, .policy = POLICY_ACTIVE},
                                  .title = bytes_of(title)};
    enum item_status status;
    assert_int_equal(port.ops->write(port.ctx, now, &write, 1, &status), 0);
    if (version > w->keyword_rows[i].version) {
        w->keyword_rows[i].version = version;
        w->keyword_rows[i].alive = write.kind == ROW_UPSERT;
        memcpy(w->keyword_titles[i], title, sizeof(title));
    }
}

static void note_silver(struct world *w, int i, int64_t version, int64_t changed_ns) {
    int at = 0;
    while (at < w->silver_count[i] && w->silver[i][at].version < version) {
        at++;
    }
    if (at < w->silver_count[i] && w->silver[i][at].version == version) {
        return;
    }
    for (int k = w->silver_count[i]++; k > at; k--) {
        w->silver[i][k] = w->silver[i][k - 1];
    }
    w->silver[i][at].version = version;
    w->silver[i][at].changed_ns = changed_ns;
}

/* A document of some version, now and then an old one: it goes to silver and gold. */
static void load_document(struct world *w, vtime now, int i) {
    int64_t version = w->next_version++ - (int64_t)prng_below(&w->prng, 12);
    version = version < 1 ? 1 : version;
    int64_t changed_ns =
        START + version * VTIME_SECOND + (version % 7 == 0 ? -4 * VTIME_SECOND : 0);
    struct document_row row = {.listing_id = (uint64_t)i,
                               .version = version,
                               .changed_at = {changed_ns},
                               .alive = version % 5 != 0,
                               .policy = version % 11 == 0 ? POLICY_SUPPRESSED : POLICY_ACTIVE,
                               .price = 5};
    struct warehouse_port port = fake_warehouse_port(w->warehouse);
    struct warehouse_batch batch = {
        .silver = &row, .silver_count = 1, .gold = &row, .gold_count = 1, .dedupe = true};
    assert_int_equal(port.ops->load(port.ctx, now, &batch), 0);
    note_silver(w, i, version, changed_ns);
    if (version > w->gold[i].version) {
        w->gold[i].version = version;
    }
}

static void place_order(struct world *w, vtime now) {
    static const char *const categories[] = {"home", "toys"};
    uint64_t which = prng_below(&w->prng, 2);
    struct order_row order = {.order_id = prng_next(&w->prng),
                              .stamp = {{START}, {0, 1}},
                              .quantity = prng_range(&w->prng, 1, 4),
                              .amount = prng_range(&w->prng, 1, 999),
                              .category = bytes_of(categories[which])};
    struct warehouse_port port = fake_warehouse_port(w->warehouse);
    struct warehouse_batch batch = {.orders = &order, .order_count = 1, .dedupe = true};
    assert_int_equal(port.ops->load(port.ctx, now, &batch), 0);
    w->sales[which][0]++;
    w->sales[which][1] += order.quantity;
    w->sales[which][2] += order.amount;
    if (prng_ratio(&w->prng, 1, 2)) {
        assert_int_equal(port.ops->refresh_dashboard(port.ctx, now, false, &(vtime){0}), 0);
        memcpy(w->shown, w->sales, sizeof(w->shown));
    }
}

static void snap_silver(const struct world *w, char *out, int i) {
    int64_t from = INT64_MIN;
    for (int k = 0; k < w->silver_count[i]; k++) {
        bool last = k + 1 == w->silver_count[i];
        from = w->silver[i][k].changed_ns > from ? w->silver[i][k].changed_ns : from;
        if (last) {
            lineof(out, "%d %d %lld open 1\n", i, (int)w->silver[i][k].version,
                   (long long)(from - START));
        } else {
            int64_t next = w->silver[i][k + 1].changed_ns;
            lineof(out, "%d %d %lld %lld 0\n", i, (int)w->silver[i][k].version,
                   (long long)(from - START), (long long)((next > from ? next : from) - START));
        }
    }
}

static void snap(const struct world *w, struct snapshot *s, vtime now) {
    *s = (struct snapshot){.at_ns = now.ns};
    for (int i = 0; i < LISTINGS; i++) {
        if (w->rows[i].there && w->rows[i].price < 0) {
            lineof(s->oltp, "%d %s none %d\n", i, w->rows[i].title, w->rows[i].deleted);
        } else if (w->rows[i].there) {
            lineof(s->oltp, "%d %s %d %d\n", i, w->rows[i].title, w->rows[i].price,
                   w->rows[i].deleted);
        }
        int64_t version = w->gold[i].version;
        if (version > 0) {
            lineof(s->gold, "%d %d %d %s\n", i, (int)version, version % 5 != 0,
                   version % 11 == 0 ? "suppressed" : "active");
        }
        if (w->keyword_rows[i].alive) {
            lineof(s->keyword, "%d %d %s\n", i, (int)w->keyword_rows[i].version,
                   w->keyword_titles[i]);
        }
        if (i < 2) { /* two listings are enough for a text of this size */
            snap_silver(w, s->silver, i);
        }
    }
    for (int64_t k = w->trimmed + 1; k <= w->written; k++) {
        lineof(s->outbox, "%d listing-changes\n", (int)k);
    }
    for (int c = 0; c < 2; c++) {
        if (w->shown[c][0] > 0) {
            lineof(s->sales, "%s %d %d %d\n", c == 0 ? "home" : "toys", (int)w->shown[c][0],
                   (int)w->shown[c][1], (int)w->shown[c][2]);
        }
    }
}

static void play(struct world *w) {
    vtime now = {START};
    for (int step = 0; step < STEPS; step++) {
        if (!prng_ratio(&w->prng, 1, 4)) { /* else one more change at the same moment */
            now = vtime_add(now, prng_range(&w->prng, 1, 3 * VTIME_SECOND));
        }
        int i = (int)prng_below(&w->prng, LISTINGS);
        switch (prng_below(&w->prng, 7)) {
        case 0:
        case 1:
            change_oltp(w, now, i);
            break;
        case 2:
            trim_outbox(w, now);
            break;
        case 3:
            change_keyword(w, now, i);
            break;
        case 4:
            place_order(w, now);
            break;
        default:
            load_document(w, now,
                          (int)prng_below(&w->prng, prng_ratio(&w->prng, 1, 3) ? 2 : LISTINGS));
        }
        snap(w, &snapshots[step], now);
    }
}

/* Rows that the random steps do not make: one of each remaining kind. */
static void add_special_rows(struct world *w, vtime now) {
    const struct field attributes[] = {
        {FIELD_ATTRIBUTE, VALUE_TEXT, bytes_of("a \"b\""), 0, bytes_of("line\nbreak \xc3\xa9")},
        {FIELD_ATTRIBUTE, VALUE_NULL, bytes_of("gone"), 0, {0, 0}},
        {FIELD_ATTRIBUTE, VALUE_NUMBER, bytes_of("weight"), 0, bytes_of("1.250")},
        {FIELD_ATTRIBUTE, VALUE_INTEGER, bytes_of("width"), -40, {0, 0}},
    };
    char ids[16];
    le64_put(le64_put(ids, 7), UINT64_MAX);
    struct oltp_listing row = {
        .listing_id = 1000,
        .seller_id = 3,
        .title = bytes_of("\xe7\x81\xaf\xe5\x85\xb7, \"lamp\"\x1b[31m"),
        .price = 129900,
        .image_ids = {ids, 16},
        .attributes = attributes,
        .attribute_count = 4,
        .stamp = {now, {UINT64_C(0x0123456789abcdef), UINT64_C(0xfedcba9876543210)}}};
    assert_int_equal(fake_oltp_write_listing(w->oltp, now, &row, 0), 0);
    assert_int_equal(fake_oltp_write_seller(w->oltp, now, 3, POLICY_SUPPRESSED, row.stamp, 0), 0);
    struct order_row order = {.order_id = 5,
                              .listing_id = 1000,
                              .stamp = row.stamp,
                              .quantity = 1,
                              .amount = 129900,
                              .category = bytes_of("home")};
    assert_int_equal(fake_oltp_write_order(w->oltp, now, &order, 0), 0);
    struct bronze_row raw[] = {
        {TOPIC_LISTING, 2, 1, 7, now, RECORD_LISTING, row.stamp, 1000, bytes_of("raw")},
        {TOPIC_MEDIA, 0, 0, 8, now, 0, row.stamp, 0, {"\0\1", 2}},
    };
    struct warehouse_port port = fake_warehouse_port(w->warehouse);
    struct document_row made = {.listing_id = 1000, .version = 5, .alive = true};
    struct sales_row sales = {.category = bytes_of("home"), .hour = {START}, .orders = 2};
    struct warehouse_batch batch = {.bronze = raw,
                                    .bronze_count = 2,
                                    .rebuilt = &made,
                                    .rebuilt_count = 1,
                                    .rebuilt_sales_given = true,
                                    .rebuilt_to = VTIME_NEVER,
                                    .rebuilt_sales = &sales,
                                    .rebuilt_sales_count = 1,
                                    .dedupe = true};
    assert_int_equal(port.ops->load(port.ctx, now, &batch), 0);
}

/* A text row that is embedded, changed in its metadata, embedded anew and deleted. */
static void write_vectors(struct world *w) {
    static const enum row_write_kind kinds[] = {ROW_UPSERT, ROW_METADATA, ROW_UPSERT, ROW_DELETE};
    static float vector[TEXT_DIMENSION] = {1};
    w->vectors = fake_vector_db_new(&(struct fake_vector_db_options){.journal = true});
    assert_non_null(w->vectors);
    assert_int_equal(fake_vector_db_create_collection(w->vectors, MODALITY_TEXT, 3), 0);
    struct vector_port port = fake_vector_db_port(w->vectors);
    for (int i = 0; i < 4; i++) {
        struct vector_write write = {.listing_id = 8,
                                     .kind = kinds[i],
                                     .meta = {.version = i + 1,
                                              .content_hash = 10,
                                              .model_version = 3,
                                              .policy = POLICY_ACTIVE},
                                     .vector = vector};
        enum item_status status = ITEM_UNKNOWN;
        assert_int_equal(port.ops->write(port.ctx, (vtime){START + 10 * i}, MODALITY_TEXT, 3,
                                         &write, 1, &status),
                         0);
        assert_int_equal(status, ITEM_APPLIED);
        if (kinds[i] != ROW_DELETE) {
            struct audit_row audit = {8, i + 1, MODALITY_TEXT, 3, 10, kinds[i] == ROW_UPSERT};
            struct warehouse_port warehouse = fake_warehouse_port(w->warehouse);
            struct audit_event event = {.listing_id = audit.listing_id,
                                        .sequence = 1,
                                        .version = audit.version,
                                        .type = RECORD_LISTING};
            struct warehouse_batch batch = {.audits = &audit,
                                            .audit_count = 1,
                                            .gap_given = true,
                                            .gap = {.from = i, .to = i + 1},
                                            .events = &event,
                                            .event_count = 1,
                                            .dedupe = true};
            assert_int_equal(warehouse.ops->load(warehouse.ctx, (vtime){START + 10 * i}, &batch),
                             0);
        }
    }
}

/* ---- the way of one change ---- */

/* A record of listing 1001 is appended, with its place in the feed in the log. */
static void way_appended(struct hop_log *hops, enum topic_id topic, int64_t offset, bool routed) {
    static const struct field title = {.id = FIELD_TITLE, .type = VALUE_TEXT, .text = {"lamp", 4}};
    struct record record = {.type = RECORD_LISTING,
                            .op = RECORD_UPSERT,
                            .contract_version = RECORD_CONTRACT_VERSION,
                            .stamp = {{START}, {7, 9}},
                            .subject_id = 1001,
                            .sections = routed ? SECTION_ORIGIN : 0,
                            .origin = {TOPIC_LISTING, 3, 40, {START + 5}}};
    char buffer[512];
    int64_t len = record_encode(&record, &title, 1, buffer, sizeof(buffer));
    assert_true(len > 0);
    struct log_record logged = {.offset = offset,
                                .append = {START + (routed ? 20 : 5)},
                                .key = 1001,
                                .value = {buffer, (size_t)len}};
    hop_log_appended(hops, topic, 3, &logged);
}

/* The router was handed the record, the outbox before it, and something of no interest. */
static void way_read(struct hop_log *hops) {
    struct effect fetch = {.kind = EFFECT_FETCH};
    fetch.fetch.topic = TOPIC_LISTING;
    fetch.fetch.partition = 3;
    struct log_record record = {.offset = 40};
    struct event event = {.kind = EVENT_RECORDS, .now = {START + 10}, .answered = &fetch};
    event.records.records = &record;
    event.records.count = 1;
    hop_log_told(hops, 4, MACHINE_ROUTER, "router-2", &event);
    hop_log_told(hops, 9, MACHINE_QUALITY, "quality", &event);
    fetch.fetch.topic = TOPIC_CONTROL;
    hop_log_told(hops, 4, MACHINE_ROUTER, "router-2", &event);
    struct outbox_row row = {.sequence = 6};
    struct event outbox = {.kind = EVENT_OUTBOX, .now = {START + 3}, .answered = &fetch};
    outbox.outbox.rows = &row;
    outbox.outbox.count = 1;
    hop_log_told(hops, 1, MACHINE_RELAY, "relay", &outbox);
}

/* Its text is embedded at the second try; a first process never hears the answer. */
static void way_embedded(struct hop_log *hops) {
    struct embed_item item = {.listing_id = 1001, .modalities = 1 << MODALITY_TEXT, .content = {5}};
    struct embed_result result = {.status = ITEM_RETRYABLE};
    struct effect embed = {.kind = EFFECT_EMBED, .request = 8};
    embed.embed.model_version = 1;
    embed.embed.items = &item;
    embed.embed.results = &result;
    embed.embed.count = 1;
    hop_log_asked(hops, (vtime){START + 28}, 6, &embed);
    hop_log_asked(hops, (vtime){START + 30}, 6, &embed);
    struct event event = {
        .kind = EVENT_EMBEDDED, .now = {START + 35}, .request = 8, .answered = &embed};
    hop_log_told(hops, 6, MACHINE_BUILDER, "builder-1", &event);
    hop_log_asked(hops, (vtime){START + 40}, 6, &embed);
    result = (struct embed_result){.status = ITEM_APPLIED, .reused = item.modalities};
    event.now = (vtime){START + 45};
    hop_log_told(hops, 6, MACHINE_BUILDER, "builder-1", &event);
}

/* The keyword index is down twice; then the rows go, and readers get the seller's no more. */
static void way_ends(struct hop_log *hops) {
    struct keyword_write item = {.listing_id = 1001, .meta = {.version = 12}};
    enum item_status status = ITEM_APPLIED;
    struct effect write = {.kind = EFFECT_WRITE_KEYWORDS};
    write.keywords.items = &item;
    write.keywords.statuses = &status;
    write.keywords.count = 1;
    struct event event = {
        .kind = EVENT_WRITTEN, .now = {START + 50}, .error = PORT_UNAVAILABLE, .answered = &write};
    hop_log_told(hops, 6, MACHINE_BUILDER, "builder-1", &event);
    event.now = (vtime){START + 60};
    hop_log_told(hops, 6, MACHINE_BUILDER, "builder-1", &event);
    event.error = PORT_OK;
    hop_log_told(hops, 6, MACHINE_BUILDER, "builder-1", &event);
    struct row_change change = {
        .store = STORE_VECTOR_TEXT, .listing_id = 1001, .after = {.version = 12}};
    hop_log_row_changed(hops, (vtime){START + 70}, &change, true);
    change.after.present = true;
    hop_log_row_changed(hops, (vtime){START + 71}, &change, true);
    hop_log_alias_switched(hops, (vtime){START + 80}, MODALITY_TEXT, 2);
    hop_log_seller_changed(hops, (vtime){START + 90}, STORE_KEYWORD, 3, POLICY_SUPPRESSED);
    hop_log_changed(hops, &(struct oracle_change){1001, 12, {START + 20}, 5, true});
}

static void export_way(struct stores_export *x) {
    struct hop_log *hops = hop_log_new((vtime){START}, 1);
    assert_non_null(hops);
    way_appended(hops, TOPIC_LISTING, 40, false);
    way_appended(hops, TOPIC_AUDIT, 1, false);
    way_appended(hops, TOPIC_LISTING_LOG, 11, true);
    way_read(hops);
    way_embedded(hops);
    way_ends(hops);
    assert_false(hop_log_out_of_memory(hops));
    stores_export_hops(x, hops);
    hop_log_free(hops);
}

static void export_run(struct world *w, vtime end) {
    struct stores_export *x = stores_export_new(
        folder, &(struct export_run){"0.1", "test", UINT64_MAX, "cafe", {START}, end, 0, 0, 0});
    assert_non_null(x);
    stores_export_oltp(x, w->oltp);
    stores_export_keyword(x, w->keyword);
    stores_export_warehouse(x, w->warehouse);
    stores_export_streams(x, fake_warehouse_events(w->warehouse));
    stores_export_vector_db(x, w->vectors);
    struct fake_object_store *objects = fake_object_store_new(NULL);
    struct object_port port = fake_object_store_port(objects);
    static const float vector[TEXT_DIMENSION] = {1};
    const float *vectors[] = {vector};
    struct artifact_key key = {8, 10, 3, MODALITY_TEXT};
    assert_int_equal(port.ops->put(port.ctx, (vtime){START}, &key, vectors, 1), 0);
    stores_export_objects(x, objects);
    fake_object_store_free(objects);
    stores_export_dead_letter(x, end,
                              &(struct dead_letter){.topic = TOPIC_LISTING,
                                                    .offset = 9,
                                                    .reason = bytes_of("text is not valid UTF-8"),
                                                    .field = bytes_of("title"),
                                                    .value = bytes_of("\xff")});
    stores_export_order(x, 1, &(struct log_record){.offset = 3, .append = {START}},
                        &(struct record){.type = RECORD_ORDER,
                                         .stamp = {{START}, {1, 2}},
                                         .order_id = 5,
                                         .order_category = bytes_of("home")});
    stores_export_freshness(x, &(struct export_freshness){
                                   "listing", "gold", 1, 1, {START}, {START + 5}, {START + 1505}});
    stores_export_freshness(
        x, &(struct export_freshness){"listing", "gold", 2, 1, {START}, {START + 5}, VTIME_NEVER});
    stores_export_check(x, &(struct export_check){.name = "convergence", .status = "pass"});
    stores_export_band(x, "sink-outage", "keywords", (vtime){START}, (vtime){START + 60});
    export_way(x);
    if (stores_export_finish(x) != 0) {
        fail_msg("%s", stores_export_error(x));
    }
    stores_export_free(x);
}

static struct world the_world;

static int set_up(void **state) {
    (void)state;
    const char *named = getenv("MURPHY");
    ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 32);
    assert_true(len > 0);
    for (int up = 0; up < 3; up++) { /* BUILD/tests/cli/test_query */
        program[len] = 0;
        len = strrchr(program, '/') - program;
    }
    program[len] = 0;
    strcat(program, "/murphy");
    if (named != 0) {
        snprintf(program, sizeof(program), "%s", named);
    }
    assert_non_null(mkdtemp(folder));
    sqlite_host_start(1, (vtime){START});
    struct world *w = &the_world;
    prng_init(&w->prng, 9, "query");
    w->next_version = 2;
    w->oltp = fake_oltp_new(&(struct fake_oltp_options){.journal = true});
    w->keyword = fake_keyword_new(&(struct fake_keyword_options){.journal = true});
    w->warehouse = fake_warehouse_new(&(struct fake_warehouse_options){.journal = true});
    play(w);
    vtime end = {START + VTIME_DAY};
    add_special_rows(w, end);
    write_vectors(w);
    export_run(w, end);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    fake_oltp_free(the_world.oltp);
    fake_keyword_free(the_world.keyword);
    fake_warehouse_free(the_world.warehouse);
    fake_vector_db_free(the_world.vectors);
    char command[200];
    snprintf(command, sizeof(command), "rm -r '%s'", folder);
    return system(command);
}

/* ---- time travel ---- */

static const char *snapshot_text(const struct snapshot *s, size_t which) {
    const char *const texts[] = {s->oltp, s->outbox, s->gold, s->keyword, s->silver, s->sales};
    return texts[which];
}

/* The rows of a query of one column, a line each. */
static const char *rows_of(sqlite3 *db, const char *sql) {
    static char text[8 * TEXT];
    sqlite3_stmt *s = 0;
    if (sqlite_host_prepare(db, sql, &s) != SQLITE_OK) {
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    }
    text[0] = 0;
    while (sqlite3_step(s) == SQLITE_ROW) {
        strcat(strcat(text, (const char *)sqlite3_column_text(s, 0)), "\n");
        assert_true(strlen(text) < 7 * TEXT);
    }
    sqlite3_finalize(s);
    return text;
}

static sqlite3 *open_at(int64_t at_ns) {
    char path[100];
    sqlite3 *db = 0;
    snprintf(path, sizeof(path), "%s/" STORES_FILE, folder);
    assert_int_equal(sqlite_host_open(&db, SQLITE_HOST_READ, path), SQLITE_OK);
    assert_int_equal(stores_export_views(db, (vtime){at_ns}), SQLITE_OK);
    return db;
}

static void compare_at(int64_t at_ns, const struct snapshot *expected) {
    sqlite3 *db = open_at(at_ns);
    for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
        char sql[600];
        snprintf(sql, sizeof(sql), "%s", asked[i][1]);
        if (strcmp(asked[i][0], "silver") == 0) {
            snprintf(sql, sizeof(sql),
                     "WITH s AS (SELECT * FROM silver_listing WHERE listing_id"
                     " < 2) %s",
                     asked[i][1]);
            memcpy(strstr(sql, "FROM silver_listing ORDER"), "FROM s              ORDER", 25);
        }
        const char *text = rows_of(db, sql);
        if (strcmp(text, snapshot_text(expected, i)) != 0) {
            fail_msg("%s at %lld:\n%s\nexpected:\n%s", asked[i][0], (long long)(at_ns - START),
                     text, snapshot_text(expected, i));
        }
    }
    sqlite3_close(db);
}

/* Every table at every moment of a change, and a nanosecond before the next one, is what the naive
 * log says; before the first change all are empty. */
static void tables_are_as_of_any_moment(void **state) {
    (void)state;
    static const struct snapshot nothing;
    compare_at(START - 1, &nothing);
    for (int i = 0; i < STEPS; i++) {
        bool last = i + 1 == STEPS;
        if (last || snapshots[i + 1].at_ns > snapshots[i].at_ns) {
            compare_at(snapshots[i].at_ns, &snapshots[i]);
            compare_at(last ? START + VTIME_DAY - 1 : snapshots[i + 1].at_ns - 1, &snapshots[i]);
        }
    }
}

/* Without a moment the views show the end: what silver's own columns say is what they compute. */
static void the_end_is_the_present(void **state) {
    (void)state;
    sqlite3 *present = open_at(INT64_MAX);
    sqlite3 *end = open_at(START + VTIME_DAY);
    for (const char *const *name = stores_export_tables(); *name != 0; name++) {
        static char text[8 * TEXT];
        char sql[200];
        snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", *name);
        snprintf(text, sizeof(text), "%s", rows_of(present, sql));
        assert_string_equal(text, rows_of(end, sql));
        if (strcmp(*name, "vector_row") != 0) { /* its row is deleted by then */
            assert_string_not_equal(text, "0\n");
        }
    }
    static char text[8 * TEXT];
    snprintf(text, sizeof(text), "%s", rows_of(present, asked[4][1]));
    assert_true(strlen(text) > 200);
    assert_string_equal(text, rows_of(end, asked[4][1]));
    sqlite3_close(present);
    sqlite3_close(end);
}

/* What a change passed, and nothing that is of no interest to it (B3). */
static void the_way_is_shown(void **state) {
    (void)state;
    static const char *const wanted[][2] = {
        {"SELECT topic || ' ' || partition || ' ' || \"offset\" || ' ' || type || ' ' || op || ' '"
         " || event_id || ' ' || subject_id || ' ' || ifnull(origin_topic || origin_offset, '-')"
         " FROM topic_record",
         "listing-changes 3 40 listing upsert 00000000-0000-0007-0000-000000000009 1001 -\n"
         "listing-log 3 11 listing upsert 00000000-0000-0007-0000-000000000009 1001"
         " listing-changes40\n"},
        {"SELECT machine || ' ' || topic || ' ' || ifnull(partition, '-') || ' ' || first_offset ||"
         " ' ' || next_offset || ' ' || (recorded_at_ns - 1767571200000000000) FROM log_read",
         "router-2 listing-changes 3 40 41 10\nrelay outbox - 6 7 3\n"},
        {"SELECT listing_id || ' ' || text_hash || ' ' || ifnull(image_hash, '-') || ' ' ||"
         " (asked_at_ns - 1767571200000000000) || ' ' ||"
         " ifnull(returned_at_ns - 1767571200000000000, 'never') || ' ' || ifnull(status, '-') ||"
         " ' ' || reused FROM embedding_call",
         "1001 0000000000000005 - 28 never - 0\n1001 0000000000000005 - 30 35 retryable 0\n"
         "1001 0000000000000005 - 40 45 applied 1\n"},
        {"SELECT store || ' ' || version || ' ' || reason || ' ' || times || ' ' ||"
         " (last_at_ns - recorded_at_ns) FROM refused_write",
         "keyword 12 unavailable 2 10\n"},
        {"SELECT store || ' ' || model_version || ' ' || listing_id || ' ' || version FROM "
         "row_gone",
         "vector-text 1 1001 12\n"},
        {"SELECT modality || ' ' || model_version FROM alias_switch",
         "text 1\nimage 1\nfused 1\ntext 2\n"},
        {"SELECT store || ' ' || seller_id || ' ' || status FROM seller_gate",
         "keyword 3 suppressed\n"},
        {"SELECT version || ' ' || text || image || fused || ' ' || seen FROM visible_change",
         "12 101 1\n"},
        {"SELECT kind || ' ' || subject || ' ' || (to_ns - from_ns) FROM fault_band",
         "sink-outage keywords 60\n"},
    };
    sqlite3 *db = open_at(INT64_MAX);
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        assert_string_equal(rows_of(db, wanted[i][0]), wanted[i][1]);
    }
    sqlite3_close(db);
}

/* Columns take the forms that the header names. */
static void columns_are_readable(void **state) {
    (void)state;
    sqlite3 *db = open_at(INT64_MAX);
    assert_string_equal(rows_of(db, "SELECT image_ids || attributes || event_id FROM oltp_listing"
                                    " WHERE listing_id = 1000"),
                        "[7,18446744073709551615]{\"a \\\"b\\\"\":\"line\\u000abreak \xc3\xa9\","
                        "\"gone\":null,\"weight\":1.250,\"width\":-40}"
                        "01234567-89ab-cdef-fedc-ba9876543210\n");
    assert_string_equal(
        rows_of(db, "SELECT attributes ->> '$.width' FROM oltp_listing WHERE listing_id = 1000"),
        "-40\n");
    assert_string_equal(rows_of(db,
                                "SELECT topic || \"partition\" || epoch || \"offset\" ||"
                                " ifnull(type, 'none') || ifnull(subject_id, 'none') || hex(value)"
                                " FROM bronze_event"),
                        "listing-changes217listing1000726177\nmedia-ingest008nonenone0001\n");
    assert_string_equal(rows_of(db, "SELECT status FROM oltp_seller"), "suppressed\n");
    assert_string_equal(rows_of(db, "SELECT seed FROM run_info"), "18446744073709551615\n");
    assert_string_equal(rows_of(db, "SELECT listing_id || ' ' || ifnull(visibility_lag_ns, 'never')"
                                    " FROM freshness_sample ORDER BY 1"),
                        "1 1500\n2 never\n");
    assert_string_equal(rows_of(db, "SELECT length(source_hash) FROM gold_document LIMIT 1"),
                        "16\n");
    assert_string_equal(rows_of(db, "SELECT count(*) > 20 FROM oltp_listing_history"
                                    " WHERE recorded_to_ns IS NOT NULL"),
                        "1\n");
    sqlite3_close(db);
}

/* The vector collections travel in time too, and the audit names every vector that was written and
 * the model that made it, but no change of metadata (A11). */
static void embeddings_are_on_record(void **state) {
    (void)state;
    static const char *const seen[] = {"1 000000000000000a", "2 000000000000000a",
                                       "3 000000000000000a", ""};
    for (int i = 0; i < 4; i++) {
        sqlite3 *db = open_at(START + 10 * i);
        const char *row = rows_of(db, "SELECT version || ' ' || content_hash FROM vector_row WHERE"
                                      " collection = 'listing-text-v3' AND modality = 'text'");
        assert_int_equal(strncmp(row, seen[i], strlen(seen[i]) + (i == 3)), 0);
        sqlite3_close(db);
    }
    sqlite3 *db = open_at(INT64_MAX);
    assert_string_equal(rows_of(db, "SELECT listing_id || ' ' || version || ' ' || model_version ||"
                                    " ' ' || modality || ' ' || made || ' ' ||"
                                    " (recorded_at_ns % 1000)"
                                    " FROM embedding_audit ORDER BY version"),
                        "8 1 3 text 1 0\n8 2 3 text 0 10\n8 3 3 text 1 20\n");
    sqlite3_close(db);
}

/* What the nightly batch made stands beside what the stream made (A17). */
static void the_batch_is_shown(void **state) {
    (void)state;
    sqlite3 *db = open_at(INT64_MAX);
    assert_string_equal(rows_of(db, "SELECT listing_id || ' ' || version || ' ' || alive"
                                    " FROM gold_batch"),
                        "1000 5 1\n");
    assert_string_equal(rows_of(db, "SELECT category || ' ' || orders FROM sales_batch"),
                        "home 2\n");
    sqlite3_close(db);
}

/* An export that cannot be written says why and leaves nothing; one that is given up leaves the
 * file that was there. */
static void exports_are_whole_or_absent(void **state) {
    (void)state;
    const struct export_run run = {"0.1", "test", 1, "", {START}, {START}, 0, 0, 0};
    struct stores_export *x = stores_export_new("/nowhere/at/all", &run);
    assert_int_equal(stores_export_oltp(x, the_world.oltp), -1);
    assert_int_equal(stores_export_finish(x), -1);
    assert_non_null(strstr(stores_export_error(x), "/nowhere/at/all/stores.db: cannot be written"));
    stores_export_free(x);

    char path[100];
    struct stat before, after;
    snprintf(path, sizeof(path), "%s/stores.db", folder);
    assert_int_equal(stat(path, &before), 0);
    x = stores_export_new(folder, &run);
    assert_int_equal(stores_export_oltp(x, the_world.oltp), 0);
    stores_export_free(x);
    assert_int_equal(stat(path, &after), 0);
    assert_true(before.st_ino == after.st_ino && before.st_size == after.st_size);
    snprintf(path, sizeof(path), "%s/stores.db.part", folder);
    assert_int_equal(stat(path, &after), -1);
}

/* ---- the command ---- */

static char output[1 << 16], errors[1 << 12];

static void read_file(const char *name, char *out, size_t capacity) {
    char path[100];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t len = fread(out, 1, capacity - 1, file);
    out[len] = 0;
    fclose(file);
}

/* Runs `murphy query ARGUMENTS` (a shell's words; %s stands for the run's folder). */
static int query(const char *arguments) {
    char expanded[2048], command[8192];
    snprintf(expanded, sizeof(expanded), arguments, folder);
    snprintf(command, sizeof(command), "'%s' query %s >'%s/out' 2>'%s/err'", program, expanded,
             folder, folder);
    int status = system(command);
    read_file("out", output, sizeof(output));
    read_file("err", errors, sizeof(errors));
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* For people: aligned by what is seen, numbers to the right, moments as dates, no raw escape. */
static void table_is_for_people(void **state) {
    (void)state;
    assert_int_equal(query("%s \"SELECT listing_id, title, updated_at_ns, NULL AS n, 1500 AS lag_ns"
                           " FROM oltp_listing WHERE listing_id >= 1000\""),
                     0);
    assert_string_equal(output,
                        "listing_id  title                          updated_at_ns  n     lag_ns\n"
                        "----------  ----------------------  --------------------  ----  ------\n"
                        "      1000  \xe7\x81\xaf\xe5\x85\xb7, \"lamp\"\\u{1b}[31m  "
                        "2026-01-06T00:00:00Z  NULL  1.5 us\n"
                        "(1 row)\n");
    assert_string_equal(errors, "");
    assert_int_equal(query("%s \"SELECT 1 AS one, printf('%%.100c', 'x') AS x\""), 0);
    assert_non_null(strstr(output, "xxx\xe2\x80\xa6\n"));
    assert_int_equal(query("%s \"SELECT printf('%%.100c', 'x') AS x\""), 0);
    assert_null(strstr(output, "\xe2\x80\xa6"));
}

/* For programs: everything as it is. */
static void json_and_csv_are_exact(void **state) {
    (void)state;
    const char *sql =
        "\"SELECT listing_id, title, price / 7.0 AS p, NULL AS listing_id, x'00ff' AS b"
        " FROM oltp_listing WHERE listing_id = 1000\"";
    char arguments[400];
    snprintf(arguments, sizeof(arguments), "%%s --json %s", sql);
    assert_int_equal(query(arguments), 0);
    assert_string_equal(output, "[\n{\"listing_id\": 1000, \"title\": \"\xe7\x81\xaf\xe5\x85\xb7, "
                                "\\\"lamp\\\"\\u001b[31m\", \"p\": 18557.14285714286, "
                                "\"listing_id_2\": null, \"b\": \"00ff\"}\n]\n");
    snprintf(arguments, sizeof(arguments), "--csv %%s %s", sql);
    assert_int_equal(query(arguments), 0);
    assert_string_equal(output, "listing_id,title,p,listing_id,b\n1000,\"\xe7\x81\xaf\xe5\x85\xb7, "
                                "\"\"lamp\"\"\x1b[31m\",18557.14285714286,,00ff\n");
    assert_int_equal(query("%s --json 'SELECT 1 WHERE 0'"), 0);
    assert_string_equal(output, "[]\n");
    assert_int_equal(query("%s --json \"SELECT CAST(x'61ff62' AS TEXT) AS t, 9e999 AS inf\""), 0);
    assert_string_equal(output, "[\n{\"t\": \"a\xef\xbf\xbd"
                                "b\", \"inf\": null}\n]\n");
}

/* --at takes dates and durations; SQL's present is that moment. */
static void at_takes_dates_and_durations(void **state) {
    (void)state;
    const char *const same[] = {"--at 2026-01-05T00:01:30Z", "--at +1m30s", "--at=+90s",
                                "--at '2026-01-05 00:01:30.000'"};
    char first[1 << 16];
    for (size_t i = 0; i < 4; i++) {
        char arguments[400];
        snprintf(arguments, sizeof(arguments),
                 "%%s --csv %s \"SELECT *, datetime('now') FROM gold_document ORDER BY 1\"",
                 same[i]);
        assert_int_equal(query(arguments), 0);
        assert_non_null(strstr(output, "2026-01-05 00:01:30"));
        if (i == 0) {
            memcpy(first, output, sizeof(first));
        }
        assert_string_equal(output, first);
    }
    assert_int_equal(
        query("%s --csv \"SELECT iso(ns('+1d')) a, iso(ns('2026-02-28T23:59:59.5'))\""), 0);
    assert_non_null(strstr(output, "2026-01-06T00:00:00Z,2026-02-28T23:59:59.500Z\n"));
    static const char *const bad[] = {"now",
                                      "+",
                                      "+2x",
                                      "+30m2h",
                                      "2026-02-30",
                                      "2026-13-01",
                                      "2026-01-05T24:00",
                                      "2026-01-05T03",
                                      "+99999999999d",
                                      "3:00",
                                      "2026-01-05Z!",
                                      "+1h30"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char arguments[100];
        snprintf(arguments, sizeof(arguments), "%%s --at '%s' 'SELECT 1'", bad[i]);
        assert_int_equal(query(arguments), 64);
        assert_non_null(strstr(errors, bad[i]));
        assert_string_equal(output, "");
    }
}

struct refusal {
    const char *arguments;
    int status;
    const char *says;
};

/* What cannot be done is refused with its status and one line, and nothing on stdout. */
static void refusals_say_why(void **state) {
    (void)state;
    static const struct refusal refusals[] = {
        {"", 64, "RUN is missing"},
        {"%s", 64, "SQL is missing"},
        {"%s SELECT 1", 64, "in quotes"},
        {"%s --jsn 'SELECT 1'", 64, "--jsn"},
        {"%s --json --csv 'SELECT 1'", 64, "--csv"},
        {"%s 'SELECT 1' --at", 64, "--at"},
        {"%s/nothing 'SELECT 1'", 65, "no such run"},
        {"/ 'SELECT 1'", 65, "holds no stores.db"},
        {"/etc/passwd 'SELECT 1'", 65, "is not the stores.db of a run"},
        {"%s 'SELECT nonsense FROM gold_document'", 65, "no such column: nonsense"},
        {"%s 'SELEC 1'", 65, "character 1"},
        {"%s ''", 65, "no statement"},
        {"%s ' -- nothing'", 65, "no statement"},
        {"%s 'SELECT 1; SELECT 2'", 65, "one statement only"},
        {"%s 'SELECT 1; nonsense'", 65, "one statement only"},
        {"%s 'DELETE FROM main.gold_document'", 65, "only statements that read"},
        {"%s 'CREATE TEMP TABLE t(x)'", 65, "only statements that read"},
        {"%s \"ATTACH '/tmp/murphy-other' AS o\"", 65, "only statements that read"},
        {"%s \"VACUUM INTO '/tmp/murphy-other'\"", 65, "only statements that read"},
        {"%s 'PRAGMA journal_mode=WAL'", 65, "only statements that read"},
        {"%s 'BEGIN'", 65, "only statements that read"},
        {"%s \"SELECT ns('tomorrow')\"", 65, "ns() knows"},
        {"%s \"SELECT load_extension('x')\"", 65, "SQL"},
    };
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        int status = query(refusals[i].arguments);
        if (status != refusals[i].status || strstr(errors, refusals[i].says) == 0 ||
            output[0] != 0 || strchr(errors, '\n') != errors + strlen(errors) - 1) {
            fail_msg("%s: status %d\nstdout: %s\nstderr: %s", refusals[i].arguments, status, output,
                     errors);
        }
    }
    assert_int_equal(access("/tmp/murphy-other", F_OK), -1);
}

/* Comments, a last semicolon, the file itself in place of its folder, and help. */
static void harmless_variants_are_taken(void **state) {
    (void)state;
    assert_int_equal(query("%s/stores.db --csv -- '/* a */ SELECT 1 AS x; -- b'"), 0);
    assert_string_equal(output, "x\n1\n");
    assert_int_equal(query("%s --csv 'EXPLAIN QUERY PLAN SELECT 1'"), 0);
    assert_int_equal(query("%s --csv 'PRAGMA table_info(gold_document)'"), 0);
    assert_non_null(strstr(output, "source_hash"));
    assert_int_equal(query("--help"), 0);
    assert_non_null(strstr(output, "embedding_audit"));
    assert_int_equal(query("%s --csv 'SELECT version_epoch(v), version_offset(v) FROM (SELECT"
                           " (3 << 47) + 42 + 1 AS v)'"),
                     0);
    assert_non_null(strstr(output, "3,42"));
}

/* A version of day 0, with its vector kept as an artifact, and one of day 1; the run ends so many
 * days later. */
static void export_old_run(int days) {
    vtime end = {START + days * VTIME_DAY};
    struct fake_warehouse *w =
        fake_warehouse_new(&(struct fake_warehouse_options){.journal = true});
    struct warehouse_port port = fake_warehouse_port(w);
    for (int i = 0; i < 2; i++) {
        vtime at = {START + i * VTIME_DAY};
        struct document_row row = {
            .listing_id = 8, .version = i + 1, .changed_at = at, .alive = true};
        struct audit_row audit = {8, i + 1, MODALITY_TEXT, 3, 10, true};
        struct warehouse_batch batch = {
            .silver = &row, .silver_count = 1, .audits = &audit, .audit_count = 1, .dedupe = true};
        assert_int_equal(port.ops->load(port.ctx, at, &batch), 0);
    }
    struct fake_object_store *objects = fake_object_store_new(NULL);
    struct object_port store = fake_object_store_port(objects);
    static const float vector[TEXT_DIMENSION] = {1};
    const float *vectors[] = {vector};
    struct artifact_key key = {8, 10, 3, MODALITY_TEXT};
    assert_int_equal(store.ops->put(store.ctx, (vtime){START}, &key, vectors, 1), 0);
    assert_int_equal(fake_warehouse_expire(w, end), 0);
    struct stores_export *x = stores_export_new(
        folder, &(struct export_run){"0.1", "old", 1, "cafe", {START}, end, 0, 0, 0});
    stores_export_warehouse(x, w);
    stores_export_objects(x, objects);
    assert_int_equal(stores_export_finish(x), 0);
    stores_export_free(x);
    fake_object_store_free(objects);
    fake_warehouse_free(w);
}

/* What an audit finds of a version: its artifact until day 90, which model made it for two years.
 * Who asks for a moment before the edge is told that there may be a hole (A11, A16). */
static void audits_end_with_what_is_kept(void **state) {
    (void)state;
    static const char *const audit = "%s --csv --at +36h 'SELECT version FROM embedding_audit'";
    static const struct {
        int days;
        const char *found;
        bool told;
    } ends[] = {{700, "version\n1\n2\n", false}, {735, "version\n2\n", true}};
    for (size_t i = 0; i < 2; i++) {
        export_old_run(ends[i].days);
        assert_int_equal(query(audit), 0);
        assert_string_equal(output, ends[i].found);
        assert_int_equal(strstr(errors, "the warehouse keeps silver, bronze and the audit from "
                                        "2026-01-10T00:00:00Z on") != NULL,
                         ends[i].told);
        assert_int_equal(query("%s --csv --at +700d 'SELECT version FROM silver_listing'"), 0);
        assert_string_equal(errors, "");
    }
    assert_int_equal(query("%s --csv --at +89d 'SELECT count(*) AS n FROM artifact'"), 0);
    assert_string_equal(output, "n\n1\n");
    assert_int_equal(query("%s --csv --at +92d 'SELECT count(*) AS n FROM artifact'"), 0);
    assert_string_equal(output, "n\n0\n");
}

/* Ctrl-C ends a statement that would never end, within a second, with 130 and no output. */
static void interrupt_ends_a_query(void **state) {
    (void)state;
    char out[100];
    snprintf(out, sizeof(out), "%s/out", folder);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (freopen(out, "w", stdout) == 0) {
            _exit(1);
        }
        execl(program, "murphy", "query", folder, "--json",
              "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
              " SELECT i FROM n WHERE i % 1000000 = 0",
              (char *)0);
        _exit(1);
    }
    nanosleep(&(struct timespec){0, 400000000}, 0);
    assert_int_equal(kill(child, SIGINT), 0);
    int status = 0;
    pid_t ended = 0;
    for (int i = 0; i < 100 && ended == 0; i++) {
        nanosleep(&(struct timespec){0, 10000000}, 0);
        ended = waitpid(child, &status, WNOHANG);
    }
    if (ended == 0) {
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
        fail_msg("still running a second after SIGINT");
    }
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 130);
    read_file("out", output, sizeof(output));
    assert_string_equal(output, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_as_of_any_moment),
        cmocka_unit_test(the_end_is_the_present),
        cmocka_unit_test(the_way_is_shown),
        cmocka_unit_test(columns_are_readable),
        cmocka_unit_test(embeddings_are_on_record),
        cmocka_unit_test(the_batch_is_shown),
        cmocka_unit_test(exports_are_whole_or_absent),
        cmocka_unit_test(table_is_for_people),
        cmocka_unit_test(json_and_csv_are_exact),
        cmocka_unit_test(at_takes_dates_and_durations),
        cmocka_unit_test(refusals_say_why),
        cmocka_unit_test(harmless_variants_are_taken),
        cmocka_unit_test(interrupt_ends_a_query),
        cmocka_unit_test(audits_end_with_what_is_kept), /* puts another run in its place */
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
