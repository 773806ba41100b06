#include "sim/rebuilt_layers.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/rebuild.h"
#include "pipeline/topics.h"
#include "sim/rebuilt_parts.h"
#include "sim/row_cells.h"
#include "sim/sqlite_host.h"
#include "sim/stores_export_parts.h"

struct layer {
    const char *name, *table;
    const char *key, *ignored;
    bool lags; /* behind the warehouse, so only at rest it is what bronze says */
};

static const struct layer layers[REBUILT_LAYER_COUNT] = {
    [REBUILT_BRONZE] = {"bronze", "bronze_event", "topic, partition, epoch, offset",
                        "append_at_ns, value", false},
    [REBUILT_SILVER] = {"silver", "silver_listing", "listing_id, version", NULL, false},
    [REBUILT_ORDERS] = {"orders", "silver_order", "order_id", NULL, false},
    [REBUILT_GOLD] = {"gold", "gold_document", "listing_id", "written_at_ns", false},
    [REBUILT_SALES] = {"sales", "gold_sales", "category, hour_ns", NULL, false},
    [REBUILT_DASHBOARD] = {"dashboard", "dashboard_sales", "category, hour_ns", NULL, true},
    [REBUILT_KEYWORDS] = {"keywords", "keyword_row", "listing_id", NULL, true},
    [REBUILT_VECTORS] = {"vectors", "vector_row", "collection, listing_id", NULL, true},
    [REBUILT_AUDIT] = {"audit", "audit_event", "listing_id, version", NULL, false},
};

const char *rebuilt_layer_name(enum rebuilt_layer layer) {
    return layers[layer].name;
}

const char *rebuilt_layer_table(enum rebuilt_layer layer) {
    return layers[layer].table;
}

int rebuilt_layer_find(const char *name) {
    for (int i = 0; i < REBUILT_LAYER_COUNT; i++) {
        if (strcmp(layers[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

static bool wanted(const struct remaking *m, enum rebuilt_layer layer) {
    return (m->options->layers >> layer & 1) != 0;
}

/* Whether the layer is compared: what lags behind is only at the end. */
static bool compared(const struct remaking *m, enum rebuilt_layer layer) {
    return wanted(m, layer) && (m->options->at.ns == VTIME_NEVER.ns || !layers[layer].lags);
}

/* The warehouse let go of what is older. */
bool rebuilt_has_edge(const struct remaking *m) {
    return vtime_before(m->options->start, m->options->warehouse_from);
}

int rebuilt_run(const struct remaking *m, const char *sql) {
    return sqlite3_exec(stores_export_database(m->made), sql, 0, 0, 0) == SQLITE_OK ? 0 : -ENOMEM;
}

/* ---- What the rebuild makes, as rows ---- */

/* Moments mean nothing there. */
int rebuilt_row(struct remaking *m, enum export_table table, const struct cell *cells,
                size_t count) {
    int failed = stores_export_row(m->made, table, cells, count, (vtime){0}, VTIME_NEVER);
    return failed == 0 ? 0 : -ENOMEM;
}

static int add_version(void *ctx, const struct document_row *row) {
    struct remaking *m = ctx;
    /* The view of silver makes the intervals. */
    struct cell cells[1 + DOCUMENT_CELLS + 3] = {cell_pattern(row->listing_id)};
    document_cells(row, cells + 1);
    for (int i = 1; i <= 3; i++) {
        cells[DOCUMENT_CELLS + i] = cell_null();
    }
    return rebuilt_row(m, SILVER_LISTING, cells, sizeof cells / sizeof *cells);
}

static int add_erased(void *ctx, const struct erasure_row *erasure) {
    struct remaking *m = ctx;
    char sql[160];
    m->report->erasures++;
    snprintf(sql, sizeof sql,
             "DELETE FROM silver_listing WHERE listing_id = %" PRId64 " AND version < %" PRId64,
             (int64_t)erasure->listing_id, erasure->version);
    return rebuilt_run(m, sql);
}

static int add_event(void *ctx, const struct audit_event *event) {
    struct cell cells[EVENT_CELLS];
    event_cells(event, cells);
    return rebuilt_row(ctx, AUDIT_EVENT, cells, EVENT_CELLS);
}

int rebuilt_document(void *ctx, const struct folded *folded) {
    struct remaking *m = ctx;
    struct document_row row;
    if (rebuild_document_row(m->rebuild, folded, &row) != 0) {
        return -ENOMEM;
    }
    struct cell cells[1 + DOCUMENT_CELLS + 1] = {cell_pattern(row.listing_id)};
    document_cells(&row, cells + 1);
    cells[DOCUMENT_CELLS + 1] = cell_null();
    return rebuilt_row(m, GOLD_DOCUMENT, cells, sizeof cells / sizeof *cells);
}

static int add_order(void *ctx, const struct order_row *order) {
    struct remaking *m = ctx;
    struct cell cells[ORDER_CELLS + 1];
    order_cells(order, cells);
    cells[ORDER_CELLS] = cell_integer(0); /* an order is there once */
    return rebuilt_row(m, SILVER_ORDER, cells, ORDER_CELLS + 1);
}

static int add_sales(void *ctx, const struct sales_row *sales) {
    struct remaking *m = ctx;
    struct cell cells[SALES_CELLS];
    sales_cells(sales, cells);
    int failed = rebuilt_row(m, GOLD_SALES, cells, SALES_CELLS);
    return failed != 0 ? failed : rebuilt_row(m, DASHBOARD_SALES, cells, SALES_CELLS);
}

/* An index that was told nothing of a text has an empty one. */
static struct bytes told(struct bytes text) {
    return text.data == NULL ? bytes_of("") : text;
}

static int add_keywords(void *ctx, const struct folded *folded) {
    struct remaking *m = ctx;
    struct row_meta meta = folded_row_meta(folded);
    meta.content_hash = folded_digest(folded).text;
    if (!document_served(&folded->document) || meta.content_hash == 0) {
        return 0;
    }
    size_t length = folded_attributes_text(folded, NULL, 0);
    char *attributes = malloc(length + 1);
    if (attributes == NULL) {
        return -ENOMEM;
    }
    folded_attributes_text(folded, attributes, length);
    meta.category = told(meta.category);
    meta.locale = told(meta.locale);
    struct cell cells[KEYWORD_CELLS];
    keyword_cells(folded->document.listing_id, &meta, told(folded_text(folded, FIELD_TITLE)),
                  told(folded_text(folded, FIELD_DESCRIPTION)), (struct bytes){attributes, length},
                  cells);
    int failed = rebuilt_row(m, KEYWORD_ROW, cells, KEYWORD_CELLS);
    free(attributes);
    return failed;
}

static int add_vector(void *ctx, const struct folded *folded) {
    struct remaking *m = ctx;
    struct document_digest digest = folded_digest(folded);
    const uint64_t content[MODALITY_COUNT] = {digest.text, digest.image, digest.fused};
    struct row_meta meta = folded_row_meta(folded);
    meta.content_hash = content[m->modality];
    meta.model_version = m->model_version;
    if (!document_served(&folded->document) || meta.content_hash == 0) {
        return 0;
    }
    meta.category = told(meta.category);
    meta.locale = told(meta.locale);
    struct cell cells[2 + VECTOR_CELLS] = {cell_text(bytes_of(m->collection)),
                                           cell_text(bytes_of(modality_name(m->modality)))};
    vector_cells(folded->document.listing_id, &meta, cells + 2);
    return rebuilt_row(m, VECTOR_ROW, cells, 2 + VECTOR_CELLS);
}

/* ---- Bronze ---- */

enum { B_TOPIC, B_PARTITION, B_EPOCH, B_OFFSET, B_APPEND, B_TYPE, B_VALUE };

/* A whole number of a range, or false: the file may say anything. */
static bool number_in(sqlite3_stmt *s, int column, int64_t limit, int64_t *out) {
    *out = sqlite3_column_int64(s, column);
    return sqlite3_column_type(s, column) == SQLITE_INTEGER && *out >= 0 && *out < limit;
}

/* Reads a raw record's place; false when it stands in no log that is folded. */
static bool read_place(sqlite3_stmt *s, struct bronze_row *row) {
    const char *topic = (const char *)sqlite3_column_text(s, B_TOPIC);
    int64_t partition, epoch;
    bool known = topic != NULL;
    if (known && strcmp(topic, topic_name(TOPIC_LISTING_LOG)) == 0) {
        row->topic = TOPIC_LISTING_LOG;
    } else if (known && strcmp(topic, topic_name(TOPIC_ORDER)) == 0) {
        row->topic = TOPIC_ORDER;
    } else {
        return false;
    }
    if (!number_in(s, B_PARTITION, 1 << 10, &partition) ||
        !number_in(s, B_EPOCH, 1 << 12, &epoch) ||
        !number_in(s, B_OFFSET, INT64_C(1) << 38, &row->offset)) {
        return false;
    }
    row->partition = (uint32_t)partition;
    row->epoch = (uint32_t)epoch;
    row->append = (vtime){sqlite3_column_int64(s, B_APPEND)};
    row->value = statement_bytes(s, B_VALUE);
    return true;
}

/* What should stand beside the bytes. */
static int add_bronze(struct remaking *m, const struct bronze_row *row,
                      const struct record *record) {
    struct cell cells[] = {
        cell_integer(row->topic),
        cell_integer(row->partition),
        cell_integer(row->epoch),
        cell_integer(row->offset),
        cell_null(),
        cell_integer(record == NULL ? 0 : (int64_t)record->type),
        record == NULL ? cell_null() : cell_integer(record->stamp.ts.ns),
        record == NULL ? cell_null() : cell_pattern(record->stamp.id.hi),
        record == NULL ? cell_null() : cell_pattern(record->stamp.id.lo),
        record == NULL ? cell_null() : cell_pattern(record->subject_id),
        cell_null(),
    };
    return rebuilt_row(m, BRONZE_EVENT, cells, sizeof cells / sizeof *cells);
}

/* Whether the loader ever read that offset: 1, 0 when it had expired by then or was passed over, or
 * -EIO. */
static int was_read(const struct remaking *m, const struct bronze_row *row) {
    static const char sql[] =
        "SELECT 1 FROM log_read WHERE machine LIKE 'loader%' AND topic = ? AND"
        " partition = ? AND first_offset <= ? AND next_offset > ? LIMIT 1";
    sqlite3_stmt *s = NULL;
    if (sqlite_host_prepare(m->run, sql, &s) != SQLITE_OK) {
        return -EIO;
    }
    struct cell cells[] = {cell_text(bytes_of(topic_name(row->topic))),
                           cell_integer(row->partition), cell_integer(row->offset),
                           cell_integer(row->offset)};
    cells_bind(s, 1, cells, 4);
    int rc = sqlite3_step(s);
    sqlite3_finalize(s);
    return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : -EIO;
}

/* A place of bronze that is empty: a row that is missing, unless there is a good reason. */
static int add_hole(struct remaking *m, const struct bronze_row *row) {
    m->report->holes++;
    int read = m->holes ? 0 : was_read(m, row);
    m->report->unread += !m->holes && read == 0;
    return read == 1 ? add_bronze(m, row, NULL) : read;
}

/* Offsets of a partition follow each other, and a later epoch goes on at or below where the one
 * before it ended: whatever is passed over was there. */
static int fill_hole(struct remaking *m, const struct bronze_row *row) {
    bool same = m->last.topic == row->topic && m->last.partition == row->partition;
    struct bronze_row lost = *row;
    int answer = 0;
    for (lost.offset = same ? m->last.offset + 1 : 0; answer == 0 && lost.offset < row->offset;
         lost.offset++) {
        answer = add_hole(m, &lost);
    }
    m->last = *row;
    return answer;
}

/* A second row of the record before it: bronze holds each once. */
static bool is_second(const struct remaking *m, const struct bronze_row *row) {
    return m->last.topic == row->topic && m->last.partition == row->partition &&
           m->last.epoch == row->epoch && m->last.offset == row->offset;
}

static int take_bronze(struct remaking *m, sqlite3_stmt *s) {
    struct bronze_row row = {.topic = TOPIC_COUNT};
    m->report->records++;
    if (!read_place(s, &row) || is_second(m, &row)) {
        return 0;
    }
    int filled = fill_hole(m, &row);
    if (filled != 0) {
        return filled;
    }
    /* An order that broke its contract is a record all the same, and in no layer behind. */
    if (row.topic == TOPIC_ORDER && sqlite3_column_type(s, B_TYPE) == SQLITE_NULL) {
        m->report->refused++;
        return add_bronze(m, &row, NULL);
    }
    struct log_record logged = {
        .offset = row.offset, .epoch = row.epoch, .append = row.append, .value = row.value};
    struct record record;
    int taken = rebuild_take(m->rebuild, row.topic, row.partition, &logged, &record);
    if (taken < 0) {
        return taken;
    }
    m->report->refused += taken == REBUILD_NO_RECORD;
    return add_bronze(m, &row, taken == REBUILD_NO_RECORD ? NULL : &record);
}

/* What the topics held at the end and bronze does not have behind its last record of a partition;
 * of topics whose records expired it is known no better. */
static int fill_ends(struct remaking *m) {
    static const char sql[] =
        "SELECT t.topic, t.partition, max(t.epoch), max(t.\"offset\"), coalesce((SELECT max(b."
        "\"offset\") FROM bronze_event b WHERE b.topic = t.topic AND b.partition = t.partition), "
        "-1)"
        " FROM topic_record t WHERE t.topic IN ('listing-log', 'orders') GROUP BY 1, 2";
    sqlite3_stmt *s = NULL;
    if (m->holes || m->options->at.ns != VTIME_NEVER.ns) {
        return 0;
    }
    if (sqlite_host_prepare(m->run, sql, &s) != SQLITE_OK) {
        return -EIO;
    }
    int rc, answer = 0;
    while (answer == 0 && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        const char *topic = (const char *)sqlite3_column_text(s, 0);
        struct bronze_row lost = {.topic = strcmp(topic, "orders") == 0 ? TOPIC_ORDER
                                                                        : TOPIC_LISTING_LOG,
                                  .partition = (uint32_t)sqlite3_column_int64(s, 1),
                                  .epoch = (uint32_t)sqlite3_column_int64(s, 2),
                                  .offset = sqlite3_column_int64(s, 4) + 1};
        for (; answer == 0 && lost.offset <= sqlite3_column_int64(s, 3); lost.offset++) {
            answer = add_hole(m, &lost);
        }
    }
    sqlite3_finalize(s);
    return answer != 0 ? answer : rc == SQLITE_DONE ? 0 : -EIO;
}

static int read_bronze(struct remaking *m) {
    char sql[512];
    sqlite3_stmt *s = NULL;
    snprintf(sql, sizeof sql,
             "SELECT topic, partition, epoch, \"offset\", append_at_ns, type, value"
             " FROM bronze_event WHERE topic <> '%s' OR subject_id IS NULL OR subject_id NOT IN"
             " (SELECT subject_id FROM bronze_event_history WHERE type = 'erasure'"
             " AND recorded_at_ns > %" PRId64 ") ORDER BY topic, partition, epoch, \"offset\"",
             topic_name(TOPIC_LISTING_LOG), m->options->at.ns);
    if (sqlite_host_prepare(m->run, sql, &s) != SQLITE_OK) {
        return -EIO;
    }
    int rc, answer = 0;
    while (answer == 0 && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        answer = take_bronze(m, s);
    }
    sqlite3_finalize(s);
    return answer != 0 ? answer : rc == SQLITE_DONE ? 0 : -EIO;
}

/* Of what was erased no raw content stays. */
static int drop_erased(struct remaking *m) {
    return m->report->erasures == 0
               ? 0
               : rebuilt_run(m,
                             "CREATE INDEX bronze_by_subject ON bronze_event(subject_id);"
                             "DELETE FROM bronze_event WHERE type IN ('listing', 'media')"
                             " AND EXISTS (SELECT 1 FROM bronze_event e WHERE e.type = 'erasure'"
                             " AND e.subject_id = bronze_event.subject_id AND (bronze_event."
                             "event_at_ns, bronze_event.event_id) <= (e.event_at_ns, e.event_id))");
}

/* ---- The serving rows ---- */

/* Rows for each collection that holds some: those of one that was dropped are gone. */
static int make_vectors(struct remaking *m) {
    sqlite3_stmt *s = NULL;
    if (sqlite_host_prepare(m->run, "SELECT DISTINCT collection FROM vector_row ORDER BY 1", &s) !=
        SQLITE_OK) {
        return -EIO;
    }
    int rc, answer = 0;
    while (answer == 0 && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(s, 0);
        for (int i = 0; name != NULL && i < MODALITY_COUNT; i++) {
            char prefix[32];
            int length =
                snprintf(prefix, sizeof prefix, "listing-%s-v", modality_name((enum modality)i));
            if (strncmp(name, prefix, (size_t)length) == 0) {
                m->collection = name;
                m->modality = (enum modality)i;
                m->model_version = (uint32_t)strtoul(name + length, NULL, 10);
                answer = rebuild_each_listing(m->rebuild, add_vector, m);
            }
        }
    }
    sqlite3_finalize(s);
    return answer != 0 ? answer : rc == SQLITE_DONE ? 0 : -EIO;
}

/* ---- Comparing ---- */

static int heard(void *ctx, const struct table_difference *difference) {
    struct remaking *m = ctx;
    return m->options->different(m->options->ctx, m->layer, difference);
}

/* The row of a listing that was gone when the warehouse's time began: bronze may not know it any
 * more. */
static bool gold_excused(const void *ctx, sqlite3_stmt *stored) {
    const struct remaking *m = ctx;
    bool gone = false, old = false;
    for (int i = 0; i < sqlite3_column_count(stored); i++) {
        const char *name = sqlite3_column_name(stored, i);
        int64_t value = sqlite3_column_int64(stored, i);
        gone = gone || (strcmp(name, "alive") == 0 && value == 0);
        old = old || (strcmp(name, "changed_at_ns") == 0 && value < m->options->warehouse_from.ns);
    }
    return gone && old && rebuilt_has_edge(m);
}

/* The rows of a layer of which bronze tells everything, as a condition; it must hold for stored and
 * for rebuilt rows. Empty: all of them. */
static void edge_condition(const struct remaking *m, enum rebuilt_layer layer, char *out,
                           size_t size) {
    int64_t edge_ns = m->options->warehouse_from.ns;
    const char *column = layer == REBUILT_SILVER   ? "coalesce(valid_to_ns, 9223372036854775807)"
                         : layer == REBUILT_ORDERS ? "ordered_at_ns + 1"
                         : layer == REBUILT_SALES || layer == REBUILT_DASHBOARD ? "hour_ns + 1"
                                                                                : NULL;
    snprintf(out, size, "%s",
             layer == REBUILT_AUDIT ? "listing_id NOT IN (SELECT listing_id FROM put_aside)" : "1");
    if (layer == REBUILT_GOLD && m->options->listing != NULL) {
        snprintf(out, size, "listing_id = %" PRId64, (int64_t)*m->options->listing);
    }
    if (rebuilt_has_edge(m) && column != NULL) {
        snprintf(out, size, "%s > %" PRId64, column, edge_ns);
    }
    if (layer == REBUILT_SILVER) {
        size_t used = strlen(out);
        snprintf(out + used, size - used,
                 " AND (is_current = 1 OR listing_id NOT IN (SELECT listing_id FROM put_aside"
                 " WHERE torn))");
    }
}

/* Listings that were erased since the moment asked for are left out where they are stored. */
static void stored_condition(const struct remaking *m, enum rebuilt_layer layer, const char *edge,
                             char *out, size_t size) {
    bool documents = layer == REBUILT_SILVER || layer == REBUILT_GOLD;
    if (m->options->at.ns == VTIME_NEVER.ns || (!documents && layer != REBUILT_BRONZE)) {
        snprintf(out, size, "%s", edge);
        return;
    }
    snprintf(out, size,
             "%s AND (%s IS NULL%s OR %s NOT IN (SELECT subject_id FROM bronze_event_history WHERE"
             " type = 'erasure' AND recorded_at_ns > %" PRId64 "))",
             edge, documents ? "listing_id" : "subject_id",
             documents ? "" : " OR topic <> 'listing-log'", documents ? "listing_id" : "subject_id",
             m->options->at.ns);
}

/* Listings to be put aside: with holes, those of which bronze lacks a record that is an event; and
 * (torn) those of which the log lost a record that bronze has: nobody knows which loader had read
 * it. */
static int list_put_aside(struct remaking *m) {
    char sql[1024];
    snprintf(sql, sizeof sql,
             "CREATE TEMP TABLE put_aside AS SELECT DISTINCT listing_id, 0 AS torn FROM (SELECT"
             " listing_id, version FROM audit_event EXCEPT SELECT subject_id, (epoch << %d) +"
             " \"offset\" + 1 FROM bronze_event WHERE topic = '%s') WHERE %d UNION"
             " SELECT b.subject_id, 1 FROM bronze_event b JOIN (SELECT partition, epoch,"
             " min(\"offset\") AS first FROM bronze_event WHERE topic = '%s' GROUP BY 1, 2) later"
             " ON later.partition = b.partition AND later.epoch > b.epoch AND later.first <="
             " b.\"offset\" WHERE b.topic = '%s' AND b.subject_id IS NOT NULL",
             DOC_VERSION_OFFSET_BITS, topic_name(TOPIC_LISTING_LOG), m->holes,
             topic_name(TOPIC_LISTING_LOG), topic_name(TOPIC_LISTING_LOG));
    return sqlite3_exec(m->run, sql, 0, 0, 0) == SQLITE_OK ? 0 : -EIO;
}

/* Streams cannot be made of these, nor all versions in silver of those that were torn: the same
 * list on both sides. */
static int put_aside(struct remaking *m) {
    char sql[96];
    sqlite3_stmt *s = NULL;
    int answer = list_put_aside(m);
    if (answer != 0 || rebuilt_run(m, "CREATE TABLE put_aside(listing_id, torn)") != 0) {
        return answer != 0 ? answer : -ENOMEM;
    }
    if (sqlite_host_prepare(m->run, "SELECT listing_id, torn FROM put_aside", &s) != SQLITE_OK) {
        return -EIO;
    }
    int rc;
    while (answer == 0 && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        bool torn = sqlite3_column_int64(s, 1) == 1;
        snprintf(sql, sizeof sql, "INSERT INTO put_aside VALUES(%" PRId64 ", %d)",
                 (int64_t)sqlite3_column_int64(s, 0), torn);
        m->report->put_aside += !torn;
        m->report->torn += torn;
        answer = rebuilt_run(m, sql);
    }
    sqlite3_finalize(s);
    return answer != 0 ? answer : rc == SQLITE_DONE ? 0 : -EIO;
}

int rebuilt_compare(struct remaking *m, enum rebuilt_layer layer) {
    char edge[256], stored[640];
    edge_condition(m, layer, edge, sizeof edge);
    stored_condition(m, layer, edge, stored, sizeof stored);
    struct table_comparison comparison = {
        .table = layers[layer].table,
        .key = layers[layer].key,
        .ignored = layers[layer].ignored,
        .where_stored = stored,
        .where_rebuilt = edge,
        .excused = layer == REBUILT_GOLD ? gold_excused : NULL,
        .different = heard,
        .ctx = m,
    };
    m->layer = layer;
    m->report->compared[layer] = true;
    int answer = tables_compare(m->run, stores_export_database(m->made), &comparison,
                                &m->report->counts[layer]);
    return answer == -1 ? -EIO : answer == -2 ? -ENOMEM : answer;
}

/* ---- The whole ---- */

/* Whether anything of bronze was ever erased, or came of age: then places in it may be empty. */
static int find_holes(struct remaking *m) {
    sqlite3_stmt *s = NULL;
    m->last.topic = TOPIC_COUNT;
    m->holes = rebuilt_has_edge(m);
    if (sqlite_host_prepare(m->run,
                            "SELECT 1 FROM bronze_event_history WHERE type = 'erasure' LIMIT 1",
                            &s) != SQLITE_OK) {
        return -EIO;
    }
    int rc = sqlite3_step(s);
    m->holes = m->holes || rc == SQLITE_ROW;
    sqlite3_finalize(s);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : -EIO;
}

int rebuilt_rule_of_orphans(sqlite3 *run, struct pipeline_config *config) {
    sqlite3_stmt *s = NULL;
    bool ok = sqlite_host_prepare(run, "SELECT orphan_after_ns, orphan_kept_ns FROM run_info",
                                  &s) == SQLITE_OK &&
              sqlite3_step(s) == SQLITE_ROW;
    if (ok) {
        config->orphan_after_ns = sqlite3_column_int64(s, 0);
        config->orphan_kept_ns = sqlite3_column_int64(s, 1);
    }
    sqlite3_finalize(s);
    return ok ? 0 : -EIO;
}

static int make(struct remaking *m) {
    int answer = read_bronze(m);
    answer = answer == 0 ? fill_ends(m) : answer;
    answer = answer == 0 ? drop_erased(m) : answer;
    answer = answer == 0 && compared(m, REBUILT_ORDERS)
                 ? rebuild_each_order(m->rebuild, add_order, m)
                 : answer;
    answer = answer == 0 && (compared(m, REBUILT_SALES) || compared(m, REBUILT_DASHBOARD))
                 ? rebuild_each_sales(m->rebuild, (vtime){0}, add_sales, m)
                 : answer;
    answer = answer == 0 && compared(m, REBUILT_GOLD)
                 ? rebuild_each_listing(m->rebuild, rebuilt_document, m)
                 : answer;
    answer = answer == 0 && compared(m, REBUILT_KEYWORDS)
                 ? rebuild_each_listing(m->rebuild, add_keywords, m)
                 : answer;
    return answer == 0 && compared(m, REBUILT_VECTORS) ? make_vectors(m) : answer;
}

static int make_and_compare(struct remaking *m) {
    struct pipeline_config config = {.partitions = 0};
    struct rebuild_listener listener = {m, add_version, add_erased,
                                        compared(m, REBUILT_AUDIT) ? add_event : NULL};
    int answer = find_holes(m);
    answer = answer == 0 ? rebuilt_rule_of_orphans(m->run, &config) : answer;
    if (answer != 0) {
        return answer;
    }
    m->rebuild = rebuild_new(&config, &listener);
    m->made = stores_export_memory();
    if (m->rebuild == NULL || m->made == NULL) {
        return -ENOMEM;
    }
    answer = make(m);
    /* A moment behind all rows, but not the end: then silver's intervals are made by the view. */
    if (answer == 0 && stores_export_views(stores_export_database(m->made),
                                           (vtime){VTIME_NEVER.ns - 1}) != SQLITE_OK) {
        return -ENOMEM;
    }
    answer = answer == 0 ? put_aside(m) : answer;
    for (int i = 0; answer == 0 && i < REBUILT_LAYER_COUNT; i++) {
        answer = compared(m, (enum rebuilt_layer)i) ? rebuilt_compare(m, (enum rebuilt_layer)i) : 0;
    }
    return answer;
}

enum rebuilt_status rebuilt_layers_compare(sqlite3 *run, const struct rebuilt_options *options,
                                           struct rebuilt_report *report) {
    struct remaking m = {.run = run, .options = options, .report = report};
    *report = (struct rebuilt_report){.records = 0};
    int answer = make_and_compare(&m);
    rebuild_free(m.rebuild);
    stores_export_free(m.made);
    return answer == 0         ? REBUILT_DONE
           : answer == -ENOMEM ? REBUILT_NO_MEMORY
           : answer == -EIO    ? REBUILT_BAD_RUN
                               : REBUILT_STOPPED;
}
