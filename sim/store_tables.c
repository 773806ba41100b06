#include "sim/store_tables.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "pipeline/array.h"
#include "pipeline/dead_letter.h"
#include "pipeline/id_map.h"
#include "sim/arena.h"
#include "sim/cell.h"
#include "sim/sqlite_host.h"

enum { COLUMNS_MAX = 20 };

/* A cell in half of its room: of a busy day there are a million. */
struct value {
    union {
        int64_t integer;
        const char *text;
    } u;
    uint32_t length;
    uint32_t type; /* enum cell_type */
};

/* A table as it was when it was first asked for. */
struct snapshot {
    struct value *values; /* row by row */
    size_t count, capacity;
    bool loaded;
    bool whole; /* with the columns that are dear to read */
};

struct filling {
    struct store_tables *t;
    struct snapshot *rows;
    size_t columns;
};

struct table_about {
    const char *name;
    int (*fill)(struct filling *f, bool whole);
    size_t dear; /* columns from here on cost more; 0: none does */
    const char *columns[COLUMNS_MAX + 1];
};

enum table_id {
    OLTP_LISTING,
    OUTBOX,
    BRONZE_EVENT,
    SILVER_LISTING,
    SILVER_ORDER,
    GOLD_DOCUMENT,
    GOLD_SALES,
    DASHBOARD_SALES,
    VECTOR_ROW,
    KEYWORD_ROW,
    EMBEDDING_AUDIT,
    ARTIFACT,
    DEAD_LETTER,
    TABLE_COUNT
};

/* What SQLite knows a table by. */
struct registered {
    struct store_tables *t;
    enum table_id id;
};

struct store_tables {
    struct simulation *s;
    sqlite3 *db;
    struct arena texts;
    struct snapshot snapshots[TABLE_COUNT];
    struct registered registered[TABLE_COUNT];
};

/* ---- Rows ---- */

static int value_set(struct filling *f, struct value *value, const struct cell *cell) {
    struct bytes text = cell->text;
    *value = (struct value){.u.integer = cell->integer, .type = (uint32_t)cell->type};
    if (cell->type != CELL_TEXT && cell->type != CELL_BLOB) {
        return 0;
    }
    assert(text.len <= UINT32_MAX);
    if (cell->type == CELL_TEXT && arena_copy(&f->t->texts, cell->text, &text) != 0) {
        return -ENOMEM;
    }
    value->u.text = text.data;
    value->length = (uint32_t)text.len;
    return 0;
}

static int add_row(struct filling *f, const struct cell *cells) {
    struct snapshot *rows = f->rows;
    if (ARRAY_RESERVE(rows->values, rows->capacity, (rows->count + 1) * f->columns) != 0) {
        return -ENOMEM;
    }
    struct value *row = rows->values + rows->count * f->columns;
    for (size_t i = 0; i < f->columns; i++) {
        if (value_set(f, &row[i], &cells[i]) != 0) {
            return -ENOMEM;
        }
    }
    rows->count++;
    return 0;
}

/* Of a text that lives as long as the program no copy is made. */
static struct cell name_cell(const char *name) {
    return name == NULL ? cell_null() : (struct cell){CELL_BLOB, 0, bytes_of(name)};
}

static struct cell moment_cell(vtime at) {
    return at.ns == VTIME_NEVER.ns ? cell_null() : cell_integer(at.ns);
}

/* Calls `scan` with more and more room until all rows fit. */
static int each_scanned(struct filling *f,
                        int (*scan)(struct filling *f, const void *what, struct scan_row *rows,
                                    size_t max, size_t *count),
                        const void *what,
                        int (*add)(struct filling *f, const struct scan_row *row)) {
    struct scan_row *rows = NULL;
    size_t capacity = 0, count = 0, wanted = 4096;
    int failed = 0;
    do {
        failed = ARRAY_RESERVE(rows, capacity, wanted) != 0 ||
                         scan(f, what, rows, capacity, &count) != PORT_OK
                     ? -ENOMEM
                     : 0;
        wanted = 2 * capacity;
    } while (failed == 0 && count == capacity);
    for (size_t i = 0; failed == 0 && i < count; i++) {
        failed = add(f, &rows[i]);
    }
    free(rows);
    return failed;
}

/* ---- OLTP ---- */

static int scan_oltp(struct filling *f, const void *what, struct scan_row *rows, size_t max,
                     size_t *count) {
    struct oltp_port port = fake_oltp_port(simulation_oltp(f->t->s));
    (void)what;
    return port.ops->scan(port.ctx, simulation_now(f->t->s), 0, UINT64_MAX, rows, max, count);
}

static int add_oltp(struct filling *f, const struct scan_row *row) {
    struct cell cells[] = {cell_pattern(row->listing_id), cell_integer(!row->alive),
                           moment_cell(row->changed_at)};
    return add_row(f, cells);
}

static int fill_oltp(struct filling *f, bool whole) {
    (void)whole;
    return each_scanned(f, scan_oltp, NULL, add_oltp);
}

static int fill_outbox(struct filling *f, bool whole) {
    struct oltp_port port = fake_oltp_port(simulation_oltp(f->t->s));
    struct outbox_row rows[64];
    int64_t sequence = 0;
    size_t count;
    (void)whole;
    do {
        if (port.ops->outbox_read(port.ctx, simulation_now(f->t->s), sequence, rows,
                                  sizeof rows / sizeof *rows, &count) != PORT_OK) {
            return -ENOMEM;
        }
        for (size_t i = 0; i < count; i++) {
            struct cell cells[] = {cell_integer(rows[i].sequence),
                                   name_cell(topic_name(rows[i].topic)), cell_pattern(rows[i].key)};
            sequence = rows[i].sequence;
            if (add_row(f, cells) != 0) {
                return -ENOMEM;
            }
        }
    } while (count > 0);
    return 0;
}

/* ---- The warehouse ---- */

static int add_bronze(void *ctx, vtime ingested, const struct bronze_row *row) {
    struct cell cells[] = {
        name_cell(topic_name(row->topic)), cell_integer(row->partition),
        cell_integer(row->epoch),          cell_integer(row->offset),
        cell_integer(row->append.ns),      name_cell(record_type_name(row->type)),
        cell_integer(row->stamp.ts.ns),    cell_pattern(row->subject_id),
        cell_integer(ingested.ns),
    };
    return add_row(ctx, cells);
}

static int fill_bronze(struct filling *f, bool whole) {
    (void)whole;
    return fake_warehouse_each_bronze(simulation_warehouse(f->t->s), add_bronze, f);
}

static const char *policy_word(bool suppressed) {
    return suppressed ? "suppressed" : "active";
}

static int add_silver(void *ctx, const struct silver_row *row) {
    const struct document_row *d = &row->document;
    struct cell cells[] = {
        cell_pattern(d->listing_id),
        cell_integer(d->version),
        cell_integer(row->valid_from.ns),
        moment_cell(row->valid_to),
        cell_integer(row->valid_to.ns == VTIME_NEVER.ns),
        cell_integer(row->recorded.ns),
        cell_integer(d->changed_at.ns),
        cell_integer(d->stamp.ts.ns),
        cell_integer(d->alive),
        name_cell(policy_word(d->policy == POLICY_SUPPRESSED)),
        cell_pattern(d->seller_id),
        d->price < 0 ? cell_null() : cell_integer(d->price),
        cell_text(d->title),
        cell_text(d->locale),
        cell_text(d->category),
    };
    return add_row(ctx, cells);
}

static int fill_silver(struct filling *f, bool whole) {
    struct fake_warehouse *w = simulation_warehouse(f->t->s);
    return whole ? fake_warehouse_each_silver(w, add_silver, f)
                 : fake_warehouse_each_version(w, add_silver, f);
}

static int add_order(void *ctx, const struct order_row *order, uint32_t copy) {
    (void)copy;
    struct cell cells[] = {cell_pattern(order->order_id),   cell_pattern(order->listing_id),
                           cell_text(order->category),      cell_integer(order->placed.ns),
                           cell_integer(order->quantity),   cell_integer(order->amount),
                           cell_integer(order->stamp.ts.ns)};
    return add_row(ctx, cells);
}

static int fill_orders(struct filling *f, bool whole) {
    (void)whole;
    return fake_warehouse_each_order(simulation_warehouse(f->t->s), add_order, f);
}

static int scan_gold(struct filling *f, const void *what, struct scan_row *rows, size_t max,
                     size_t *count) {
    struct warehouse_port port = fake_warehouse_port(simulation_warehouse(f->t->s));
    (void)what;
    return port.ops->scan(port.ctx, simulation_now(f->t->s), 0, UINT64_MAX, rows, max, count);
}

static int add_gold(struct filling *f, const struct scan_row *row) {
    struct cell cells[] = {cell_pattern(row->listing_id), cell_integer(row->version),
                           cell_integer(row->alive), name_cell(policy_word(row->suppressed)),
                           cell_integer(row->changed_at.ns)};
    return add_row(f, cells);
}

static int fill_gold(struct filling *f, bool whole) {
    (void)whole;
    return each_scanned(f, scan_gold, NULL, add_gold);
}

static int add_sales(struct filling *f, const struct sales_row *row) {
    struct cell cells[] = {cell_text(row->category), cell_integer(row->hour.ns),
                           cell_integer(row->orders), cell_integer(row->quantity),
                           cell_integer(row->amount)};
    return row->orders == 0 ? 0 : add_row(f, cells);
}

static int fill_sales(struct filling *f, bool whole) {
    struct sales_row row;
    (void)whole;
    for (size_t i = 0; fake_warehouse_gold_sales(simulation_warehouse(f->t->s), i, &row); i++) {
        if (add_sales(f, &row) != 0) {
            return -ENOMEM;
        }
    }
    return 0;
}

static int fill_dashboard(struct filling *f, bool whole) {
    struct sales_row row;
    (void)whole;
    for (size_t i = 0; fake_warehouse_sales(simulation_warehouse(f->t->s), i, &row); i++) {
        if (add_sales(f, &row) != 0) {
            return -ENOMEM;
        }
    }
    return 0;
}

static int fill_audit(struct filling *f, bool whole) {
    const struct warehouse_audit *audit = fake_warehouse_audit(simulation_warehouse(f->t->s));
    (void)whole;
    for (size_t i = 0; i < audit->count; i++) {
        const struct audit_row *row = &audit->entries[i].row;
        struct cell cells[] = {cell_pattern(row->listing_id),
                               cell_integer(row->version),
                               name_cell(modality_name(row->modality)),
                               cell_integer(row->model_version),
                               cell_integer(row->made),
                               cell_integer(audit->entries[i].recorded.ns)};
        if (add_row(f, cells) != 0) {
            return -ENOMEM;
        }
    }
    return 0;
}

/* ---- Serving stores, objects, letters ---- */

static int scan_vectors(struct filling *f, const void *what, struct scan_row *rows, size_t max,
                        size_t *count) {
    const struct vector_collection_info *c = what;
    struct vector_port port = fake_vector_db_port(simulation_vector_db(f->t->s));
    return port.ops->scan(port.ctx, simulation_now(f->t->s), c->modality, c->model_version,
                          SCAN_BY_ID, 0, UINT64_MAX, rows, max, count);
}

/* Which modality it is stands in the row's one bit when the row is added. */
static int add_vector(struct filling *f, const struct scan_row *row) {
    struct cell cells[] = {cell_null(), cell_pattern(row->listing_id), cell_integer(row->version),
                           cell_integer(row->model_version),
                           name_cell(policy_word(row->suppressed))};
    return add_row(f, cells);
}

static int fill_vectors(struct filling *f, bool whole) {
    struct fake_vector_db *db = simulation_vector_db(f->t->s);
    int failed = 0;
    (void)whole;
    for (size_t i = 0; failed == 0 && i < fake_vector_db_collection_count(db); i++) {
        struct vector_collection_info c = fake_vector_db_collection(db, i);
        size_t first = f->rows->count;
        failed = c.dropped ? 0 : each_scanned(f, scan_vectors, &c, add_vector);
        struct cell name = name_cell(modality_name(c.modality));
        for (size_t k = first; failed == 0 && k < f->rows->count; k++) {
            failed = value_set(f, &f->rows->values[k * f->columns], &name);
        }
    }
    return failed;
}

static int scan_keywords(struct filling *f, const void *what, struct scan_row *rows, size_t max,
                         size_t *count) {
    struct keyword_port port = fake_keyword_port(simulation_keyword(f->t->s));
    (void)what;
    return port.ops->scan(port.ctx, simulation_now(f->t->s), SCAN_BY_ID, 0, UINT64_MAX, rows, max,
                          count);
}

static int add_keyword(struct filling *f, const struct scan_row *row) {
    struct cell cells[] = {cell_pattern(row->listing_id), cell_integer(row->version),
                           name_cell(policy_word(row->suppressed))};
    return add_row(f, cells);
}

static int fill_keywords(struct filling *f, bool whole) {
    (void)whole;
    return each_scanned(f, scan_keywords, NULL, add_keyword);
}

static int fill_artifacts(struct filling *f, bool whole) {
    struct fake_object_store *o = simulation_object_store(f->t->s);
    size_t count = fake_object_store_count(o, simulation_now(f->t->s));
    (void)whole;
    for (size_t i = 0; i < count; i++) {
        struct object_info info = fake_object_store_object(o, i);
        struct cell cells[] = {cell_pattern(info.key.listing_id),
                               name_cell(modality_name(info.key.modality)),
                               cell_integer(info.key.model_version), cell_integer(info.stored.ns),
                               moment_cell(info.expires)};
        if (info.end == OBJECT_KEPT && add_row(f, cells) != 0) {
            return -ENOMEM;
        }
    }
    return 0;
}

static int add_letter(struct filling *f, const struct log_record *record) {
    struct dead_letter letter;
    if (record == NULL || dead_letter_decode(record->value, &letter) != 0) {
        return 0;
    }
    struct cell cells[] = {name_cell(topic_name(letter.topic)),
                           cell_integer(letter.partition),
                           cell_integer(letter.offset),
                           cell_integer(letter.append.ns),
                           cell_integer(letter.contract_version),
                           cell_text(letter.reason),
                           cell_text(letter.field),
                           cell_text(letter.expected),
                           cell_integer(letter.actual),
                           cell_integer(record->append.ns)};
    return add_row(f, cells);
}

static int fill_letters(struct filling *f, bool whole) {
    struct fake_kafka *kafka = simulation_kafka(f->t->s);
    (void)whole;
    for (uint32_t p = 0; p < fake_kafka_partitions(kafka, TOPIC_DEAD_LETTER); p++) {
        struct fake_kafka_partition partition = fake_kafka_partition(kafka, TOPIC_DEAD_LETTER, p);
        for (int64_t at = partition.start; at < partition.end; at++) {
            if (add_letter(f, fake_kafka_record(kafka, TOPIC_DEAD_LETTER, p, at)) != 0) {
                return -ENOMEM;
            }
        }
    }
    return 0;
}

/* ---- The tables ---- */

static const struct table_about tables[TABLE_COUNT] = {
    [OLTP_LISTING] = {"oltp_listing", fill_oltp, 0, {"listing_id", "deleted", "updated_at_ns"}},
    [OUTBOX] = {"outbox", fill_outbox, 0, {"sequence", "topic", "key"}},
    [BRONZE_EVENT] = {"bronze_event",
                      fill_bronze,
                      0,
                      {"topic", "partition", "epoch", "offset", "append_at_ns", "type",
                       "event_at_ns", "subject_id", "recorded_at_ns"}},
    [SILVER_LISTING] = {"silver_listing",
                        fill_silver,
                        6,
                        {"listing_id", "version", "valid_from_ns", "valid_to_ns", "is_current",
                         "recorded_at_ns", "changed_at_ns", "event_at_ns", "alive", "policy",
                         "seller_id", "price", "title", "locale", "category"}},
    [SILVER_ORDER] = {"silver_order",
                      fill_orders,
                      0,
                      {"order_id", "listing_id", "category", "hour_ns", "quantity", "amount",
                       "event_at_ns"}},
    [GOLD_DOCUMENT] = {"gold_document",
                       fill_gold,
                       0,
                       {"listing_id", "version", "alive", "policy", "written_at_ns"}},
    [GOLD_SALES] = {"gold_sales",
                    fill_sales,
                    0,
                    {"category", "hour_ns", "orders", "quantity", "amount"}},
    [DASHBOARD_SALES] = {"dashboard_sales",
                         fill_dashboard,
                         0,
                         {"category", "hour_ns", "orders", "quantity", "amount"}},
    [VECTOR_ROW] = {"vector_row",
                    fill_vectors,
                    0,
                    {"modality", "listing_id", "version", "model_version", "policy"}},
    [KEYWORD_ROW] = {"keyword_row", fill_keywords, 0, {"listing_id", "version", "policy"}},
    [EMBEDDING_AUDIT] = {"embedding_audit",
                         fill_audit,
                         0,
                         {"listing_id", "version", "modality", "model_version", "made",
                          "recorded_at_ns"}},
    [ARTIFACT] = {"artifact",
                  fill_artifacts,
                  0,
                  {"listing_id", "modality", "model_version", "stored_at_ns", "expires_at_ns"}},
    [DEAD_LETTER] = {"dead_letter",
                     fill_letters,
                     0,
                     {"topic", "partition", "offset", "append_at_ns", "contract_version", "reason",
                      "field", "expected", "actual", "recorded_at_ns"}},
};

static size_t column_count(enum table_id id) {
    size_t count = 0;
    while (tables[id].columns[count] != NULL) {
        count++;
    }
    return count;
}

const char *store_tables_column(const char *table, size_t i) {
    for (int id = 0; id < TABLE_COUNT; id++) {
        if (strcmp(tables[id].name, table) == 0) {
            return i < column_count((enum table_id)id) ? tables[id].columns[i] : NULL;
        }
    }
    return NULL;
}

static int load(struct store_tables *t, enum table_id id, bool whole) {
    struct snapshot *rows = &t->snapshots[id];
    if (t->s == NULL || (rows->loaded && (rows->whole || !whole))) {
        return 0;
    }
    struct filling f = {t, rows, column_count(id)};
    rows->count = 0;
    rows->loaded = tables[id].fill(&f, whole) == 0;
    rows->whole = whole;
    return rows->loaded ? 0 : -ENOMEM;
}

/* ---- Counting ---- */

static enum table_id table_named(const char *name) {
    int id = 0;
    while (strcmp(tables[id].name, name) != 0) {
        id++;
        assert(id < TABLE_COUNT);
    }
    return (enum table_id)id;
}

static size_t column_named(enum table_id id, const char *name) {
    size_t column = 0;
    while (strcmp(tables[id].columns[column], name) != 0) {
        column++;
        assert(tables[id].columns[column] != NULL);
    }
    return column;
}

static bool has_null(const struct value *row, const size_t *columns, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (row[columns[i]].type == CELL_NULL) {
            return true;
        }
    }
    return false;
}

/* Of 64 bits: two keys of one table that share them are not to be expected in a lifetime of runs.
 */
static uint64_t hash_of(const struct value *row, const size_t *columns, size_t count) {
    uint64_t hash = 0;
    for (size_t i = 0; i < count; i++) {
        const struct value *value = &row[columns[i]];
        hash = value->type == CELL_NULL ? XXH3_64bits_withSeed("", 0, hash)
               : value->type == CELL_INTEGER
                   ? XXH3_64bits_withSeed(&value->u.integer, sizeof value->u.integer, hash)
                   : XXH3_64bits_withSeed(value->u.text, value->length, hash + 1);
    }
    return hash;
}

static int64_t count_duplicates(const struct snapshot *rows, size_t width, const size_t *columns,
                                size_t count) {
    struct id_map seen;
    int64_t duplicates = 0;
    id_map_init(&seen);
    if (id_map_reserve(&seen, rows->count) != 0) {
        return -1;
    }
    for (size_t i = 0; i < rows->count && duplicates >= 0; i++) {
        uint64_t hash = hash_of(rows->values + i * width, columns, count);
        int put = id_map_put(&seen, hash, (union id_map_value){.number = 1});
        duplicates = put < 0 ? -1 : duplicates + (put == 0);
    }
    id_map_release(&seen);
    return duplicates;
}

int64_t store_tables_count(struct store_tables *t, enum store_count what, const char *table,
                           const char *const *columns, size_t wanted_count) {
    enum table_id id = table_named(table);
    size_t at[COLUMNS_MAX], width = column_count(id);
    bool whole = false;
    assert(wanted_count <= COLUMNS_MAX);
    for (size_t i = 0; i < wanted_count; i++) {
        at[i] = column_named(id, columns[i]);
        whole = whole || (tables[id].dear != 0 && at[i] >= tables[id].dear);
    }
    if (load(t, id, whole) != 0) {
        return -1;
    }
    const struct snapshot *rows = &t->snapshots[id];
    if (what == STORE_COUNT_DUPLICATES) {
        return count_duplicates(rows, width, at, wanted_count);
    }
    int64_t nulls = 0;
    for (size_t i = 0; what == STORE_COUNT_NULLS && i < rows->count; i++) {
        nulls += has_null(rows->values + i * width, at, wanted_count);
    }
    return what == STORE_COUNT_NULLS ? nulls : (int64_t)rows->count;
}

/* ---- Virtual tables ---- */

struct store_vtab {
    sqlite3_vtab base;
    struct registered *about;
};

/* Columns that must equal something, each a letter of idxStr from 'a' on. */
struct store_cursor {
    sqlite3_vtab_cursor base;
    struct registered *about;
    size_t at;
    struct {
        size_t column;
        sqlite3_value *value;
    } wanted[COLUMNS_MAX];
    size_t wanted_count;
};

static int table_connect(sqlite3 *db, void *aux, int argc, const char *const *argv,
                         sqlite3_vtab **out, char **error) {
    const struct registered *about = aux;
    (void)argc;
    (void)argv;
    (void)error;
    char sql[640];
    int length = snprintf(sql, sizeof sql, "CREATE TABLE x(");
    for (size_t i = 0; i < column_count(about->id); i++) {
        length += snprintf(sql + length, sizeof sql - (size_t)length, "%s\"%s\"", i == 0 ? "" : ",",
                           tables[about->id].columns[i]);
    }
    length += snprintf(sql + length, sizeof sql - (size_t)length, ")");
    assert((size_t)length < sizeof sql);
    int rc = sqlite3_declare_vtab(db, sql);
    struct store_vtab *table = rc == SQLITE_OK ? calloc(1, sizeof *table) : NULL;
    if (table == NULL) {
        return rc == SQLITE_OK ? SQLITE_NOMEM : rc;
    }
    table->about = aux;
    *out = &table->base;
    return SQLITE_OK;
}

static int table_disconnect(sqlite3_vtab *base) {
    free(base);
    return SQLITE_OK;
}

static int table_best_index(sqlite3_vtab *base, sqlite3_index_info *info) {
    const struct table_about *table = &tables[((struct store_vtab *)base)->about->id];
    char columns[COLUMNS_MAX + 1];
    size_t count = 0;
    for (int i = 0; i < info->nConstraint; i++) {
        bool usable = info->aConstraint[i].usable && info->aConstraint[i].iColumn >= 0 &&
                      info->aConstraint[i].op == SQLITE_INDEX_CONSTRAINT_EQ;
        if (usable && count < COLUMNS_MAX) {
            columns[count] = (char)('a' + info->aConstraint[i].iColumn);
            info->aConstraintUsage[i].argvIndex = (int)++count;
            info->aConstraintUsage[i].omit = 1;
        }
    }
    columns[count] = '\0';
    uint64_t dear = table->dear == 0 ? 0 : ~(((uint64_t)1 << table->dear) - 1);
    info->idxNum = (info->colUsed & dear) != 0;
    info->idxStr = sqlite3_mprintf("%s", columns);
    info->needToFreeIdxStr = 1;
    info->estimatedCost = count > 0 ? 2000 : 20000;
    info->estimatedRows = count > 0 ? 1000 : 10000;
    return info->idxStr == NULL ? SQLITE_NOMEM : SQLITE_OK;
}

static int table_open(sqlite3_vtab *base, sqlite3_vtab_cursor **out) {
    struct store_cursor *cursor = calloc(1, sizeof *cursor);
    if (cursor == NULL) {
        return SQLITE_NOMEM;
    }
    cursor->about = ((struct store_vtab *)base)->about;
    *out = &cursor->base;
    return SQLITE_OK;
}

static void forget_wanted(struct store_cursor *cursor) {
    for (size_t i = 0; i < cursor->wanted_count; i++) {
        sqlite3_value_free(cursor->wanted[i].value);
    }
    cursor->wanted_count = 0;
}

static int table_close(sqlite3_vtab_cursor *base) {
    forget_wanted((struct store_cursor *)base);
    free(base);
    return SQLITE_OK;
}

static const struct snapshot *rows_of(const struct store_cursor *cursor) {
    return &cursor->about->t->snapshots[cursor->about->id];
}

static const struct value *row_at(const struct store_cursor *cursor, size_t at) {
    return rows_of(cursor)->values + at * column_count(cursor->about->id);
}

/* As SQLite compares a value with a column that has no type. */
static bool equals(const struct value *held, sqlite3_value *value) {
    switch (sqlite3_value_type(value)) {
    case SQLITE_INTEGER:
        return held->type == CELL_INTEGER && held->u.integer == sqlite3_value_int64(value);
    case SQLITE_FLOAT:
        return held->type == CELL_INTEGER && (double)held->u.integer == sqlite3_value_double(value);
    case SQLITE_TEXT:
        return (held->type == CELL_TEXT || held->type == CELL_BLOB) &&
               bytes_equal((struct bytes){held->u.text, held->length},
                           (struct bytes){(const char *)sqlite3_value_text(value),
                                          (size_t)sqlite3_value_bytes(value)});
    default:
        return false; /* NULL equals nothing; no column holds a blob */
    }
}

static bool wanted(const struct store_cursor *cursor) {
    const struct value *row = row_at(cursor, cursor->at);
    for (size_t i = 0; i < cursor->wanted_count; i++) {
        if (!equals(&row[cursor->wanted[i].column], cursor->wanted[i].value)) {
            return false;
        }
    }
    return true;
}

static void skip(struct store_cursor *cursor) {
    while (cursor->at < rows_of(cursor)->count && !wanted(cursor)) {
        cursor->at++;
    }
}

static int table_filter(sqlite3_vtab_cursor *base, int whole, const char *columns, int argc,
                        sqlite3_value **argv) {
    struct store_cursor *cursor = (struct store_cursor *)base;
    forget_wanted(cursor);
    if (load(cursor->about->t, cursor->about->id, whole != 0) != 0) {
        return SQLITE_NOMEM;
    }
    for (int i = 0; i < argc; i++) {
        sqlite3_value *value = sqlite3_value_dup(argv[i]);
        if (value == NULL) {
            return SQLITE_NOMEM;
        }
        cursor->wanted[cursor->wanted_count].column = (size_t)(columns[i] - 'a');
        cursor->wanted[cursor->wanted_count++].value = value;
    }
    cursor->at = 0;
    skip(cursor);
    return SQLITE_OK;
}

static int table_next(sqlite3_vtab_cursor *base) {
    struct store_cursor *cursor = (struct store_cursor *)base;
    cursor->at++;
    skip(cursor);
    return SQLITE_OK;
}

static int table_eof(sqlite3_vtab_cursor *base) {
    const struct store_cursor *cursor = (const struct store_cursor *)base;
    return cursor->at >= rows_of(cursor)->count;
}

static int table_column(sqlite3_vtab_cursor *base, sqlite3_context *out, int column) {
    const struct store_cursor *cursor = (const struct store_cursor *)base;
    const struct value *value = &row_at(cursor, cursor->at)[column];
    switch ((enum cell_type)value->type) {
    case CELL_NULL:
        sqlite3_result_null(out);
        break;
    case CELL_INTEGER:
        sqlite3_result_int64(out, value->u.integer);
        break;
    case CELL_TEXT:
    case CELL_BLOB:
        sqlite3_result_text(out, value->u.text, (int)value->length, SQLITE_STATIC);
        break;
    }
    return SQLITE_OK;
}

static int table_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *out) {
    *out = (sqlite3_int64)((const struct store_cursor *)base)->at;
    return SQLITE_OK;
}

static const sqlite3_module module = {
    .xConnect = table_connect, /* without xCreate: the table is there by its name */
    .xBestIndex = table_best_index,
    .xDisconnect = table_disconnect,
    .xOpen = table_open,
    .xClose = table_close,
    .xFilter = table_filter,
    .xNext = table_next,
    .xEof = table_eof,
    .xColumn = table_column,
    .xRowid = table_rowid,
};

/* ---- Asking ---- */

struct store_tables *store_tables_new(struct simulation *s) {
    struct store_tables *t = calloc(1, sizeof *t);
    if (t == NULL) {
        return NULL;
    }
    t->s = s;
    arena_init(&t->texts);
    int rc = sqlite_host_open(&t->db, SQLITE_HOST_MEMORY, NULL);
    for (int id = 0; id < TABLE_COUNT && rc == SQLITE_OK; id++) {
        t->registered[id] = (struct registered){t, (enum table_id)id};
        rc = sqlite3_create_module(t->db, tables[id].name, &module, &t->registered[id]);
    }
    if (rc != SQLITE_OK) {
        store_tables_free(t);
        return NULL;
    }
    return t;
}

void store_tables_free(struct store_tables *t) {
    if (t == NULL) {
        return;
    }
    sqlite3_close(t->db);
    for (int id = 0; id < TABLE_COUNT; id++) {
        free(t->snapshots[id].values);
    }
    arena_release(&t->texts);
    free(t);
}

/* NULL with a sentence. */
static sqlite3_stmt *prepare(struct store_tables *t, const char *sql, char *error, size_t size) {
    sqlite3_stmt *statement = NULL;
    const char *rest = "";
    if (sqlite3_prepare_v2(t->db, sql, -1, &statement, &rest) != SQLITE_OK) {
        snprintf(error, size, "SQL: %s", sqlite3_errmsg(t->db));
    } else if (statement == NULL) {
        snprintf(error, size, "SQL: there is no statement");
    } else if (rest[strspn(rest, " \t\r\n;")] != '\0') {
        snprintf(error, size, "SQL: one statement is asked, not several");
    } else if (!sqlite3_stmt_readonly(statement)) {
        snprintf(error, size, "SQL: a rule asks and changes nothing");
    } else if (sqlite3_column_count(statement) != 1) {
        snprintf(error, size, "SQL: a rule asks for one number, not for %d columns",
                 sqlite3_column_count(statement));
    } else {
        return statement;
    }
    sqlite3_finalize(statement);
    return NULL;
}

int store_tables_check(struct store_tables *t, const char *sql, char *error, size_t error_size) {
    sqlite3_stmt *statement = prepare(t, sql, error, error_size);
    sqlite3_finalize(statement);
    return statement == NULL ? -1 : 0;
}

int store_tables_ask(struct store_tables *t, const char *sql, double *number, char *error,
                     size_t error_size) {
    sqlite3_stmt *statement = prepare(t, sql, error, error_size);
    if (statement == NULL) {
        return -1;
    }
    int rc = sqlite3_step(statement);
    int known = rc == SQLITE_ROW && sqlite3_column_type(statement, 0) != SQLITE_NULL;
    if (known) {
        *number = sqlite3_column_double(statement, 0);
    } else if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
        snprintf(error, error_size, "SQL: %s", sqlite3_errmsg(t->db));
        known = -1;
    }
    sqlite3_finalize(statement);
    return known;
}
