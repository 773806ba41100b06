#include "sim/stores_export.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/array.h"
#include "pipeline/little_endian.h"
#include "sim/row_cells.h"
#include "sim/sqlite_host.h"
#include "sim/stores_export_parts.h"

/* How a column is made from the cells of a row; all but UUID take one cell, NULL stays NULL. */
enum format {
    AS_IS,
    HEX,        /* a 64-bit pattern */
    UUID,       /* two cells: high and low half */
    TOPIC,      /* enum topic_id, by name */
    POLICY,     /* enum policy_status, by name */
    TOKENISER,  /* enum tokeniser, by name */
    OPERATION,  /* enum record_op, by name; 0: NULL */
    RECORD,     /* enum record_type, by name; 0: NULL */
    IDS,        /* packed image ids, as JSON */
    DIGEST,     /* bytes, as hexadecimal digits */
    ATTRIBUTES, /* packed attributes, as JSON */
};

struct column {
    const char *name;
    enum format format;
};

enum history { CHANGING, GROWING };

#define COLUMNS_MAX 24
struct table {
    const char *name;
    enum history history;
    struct column columns[COLUMNS_MAX]; /* before those of its history; ends at a NULL name */
};

#define DOCUMENT_COLUMNS                                                                           \
    {"version", AS_IS}, {"changed_at_ns", AS_IS}, {"event_at_ns", AS_IS}, {"event_id", UUID},      \
        {"source_hash", HEX}, {"whole_hash", HEX}, {"alive", AS_IS}, {"policy", POLICY},           \
        {"seller_id", AS_IS}, {"price", AS_IS}, {"title", AS_IS}, {"description", AS_IS},          \
        {"locale", AS_IS}, {"category", AS_IS}, {"attributes", AS_IS}, {"images", AS_IS},          \
        {"category_path", AS_IS}, {"locale_tag", AS_IS}, {                                         \
        "tokeniser", TOKENISER                                                                     \
    }

static const struct table tables[TABLE_COUNT] = {
    [OLTP_LISTING] = {"oltp_listing",
                      CHANGING,
                      {{"listing_id", AS_IS},
                       {"seller_id", AS_IS},
                       {"title", AS_IS},
                       {"description", AS_IS},
                       {"locale", AS_IS},
                       {"category", AS_IS},
                       {"price", AS_IS},
                       {"image_ids", IDS},
                       {"attributes", ATTRIBUTES},
                       {"deleted", AS_IS},
                       {"updated_at_ns", AS_IS},
                       {"event_id", UUID}}},
    [OLTP_SELLER] =
        {"oltp_seller",
         CHANGING,
         {{"seller_id", AS_IS}, {"status", POLICY}, {"updated_at_ns", AS_IS}, {"event_id", UUID}}},
    [OLTP_ORDER] = {"oltp_order",
                    CHANGING,
                    {{"order_id", AS_IS},
                     {"listing_id", AS_IS},
                     {"category", AS_IS},
                     {"quantity", AS_IS},
                     {"amount", AS_IS},
                     {"ordered_at_ns", AS_IS},
                     {"event_at_ns", AS_IS},
                     {"event_id", UUID}}},
    [OUTBOX] = {"outbox",
                CHANGING,
                {{"sequence", AS_IS},
                 {"topic", TOPIC},
                 {"key", AS_IS},
                 {"value", AS_IS},
                 {"created_at_ns", AS_IS}}},
    [ORDER_RECORD] = {"order_record",
                      GROWING,
                      {{"partition", AS_IS},
                       {"epoch", AS_IS},
                       {"offset", AS_IS},
                       {"order_id", AS_IS},
                       {"listing_id", AS_IS},
                       {"category", AS_IS},
                       {"hour_ns", AS_IS},
                       {"quantity", AS_IS},
                       {"amount", AS_IS},
                       {"event_at_ns", AS_IS},
                       {"event_id", UUID}}},
    [BRONZE_EVENT] = {"bronze_event",
                      GROWING,
                      {{"topic", TOPIC},
                       {"partition", AS_IS},
                       {"epoch", AS_IS},
                       {"offset", AS_IS},
                       {"append_at_ns", AS_IS},
                       {"type", RECORD},
                       {"event_at_ns", AS_IS},
                       {"event_id", UUID},
                       {"subject_id", AS_IS},
                       {"value", AS_IS}}},
    [SILVER_LISTING] = {"silver_listing",
                        GROWING,
                        {{"listing_id", AS_IS},
                         DOCUMENT_COLUMNS,
                         {"valid_from_ns", AS_IS},
                         {"valid_to_ns", AS_IS},
                         {"is_current", AS_IS}}},
    [SILVER_ORDER] = {"silver_order",
                      CHANGING,
                      {{"order_id", AS_IS},
                       {"listing_id", AS_IS},
                       {"category", AS_IS},
                       {"hour_ns", AS_IS},
                       {"quantity", AS_IS},
                       {"amount", AS_IS},
                       {"event_at_ns", AS_IS},
                       {"event_id", UUID},
                       {"ordered_at_ns", AS_IS},
                       {"copy", AS_IS}}},
    [GOLD_DOCUMENT] = {"gold_document",
                       CHANGING,
                       {{"listing_id", AS_IS}, DOCUMENT_COLUMNS, {"written_at_ns", AS_IS}}},
    [GOLD_SALES] = {"gold_sales",
                    CHANGING,
                    {{"category", AS_IS},
                     {"hour_ns", AS_IS},
                     {"orders", AS_IS},
                     {"quantity", AS_IS},
                     {"amount", AS_IS}}},
    [DASHBOARD_SALES] = {"dashboard_sales",
                         CHANGING,
                         {{"category", AS_IS},
                          {"hour_ns", AS_IS},
                          {"orders", AS_IS},
                          {"quantity", AS_IS},
                          {"amount", AS_IS}}},
    [GOLD_BATCH] = {"gold_batch",
                    GROWING,
                    {{"listing_id", AS_IS},
                     {"version", AS_IS},
                     {"source_hash", HEX},
                     {"whole_hash", HEX},
                     {"changed_at_ns", AS_IS},
                     {"alive", AS_IS},
                     {"suppressed", AS_IS}}},
    [SALES_BATCH] = {"sales_batch",
                     GROWING,
                     {{"category", AS_IS},
                      {"hour_ns", AS_IS},
                      {"orders", AS_IS},
                      {"quantity", AS_IS},
                      {"amount", AS_IS}}},
    [VECTOR_ROW] = {"vector_row",
                    CHANGING,
                    {{"collection", AS_IS},
                     {"modality", AS_IS},
                     {"listing_id", AS_IS},
                     {"version", AS_IS},
                     {"source_hash", HEX},
                     {"whole_hash", HEX},
                     {"content_hash", HEX},
                     {"model_version", AS_IS},
                     {"category", AS_IS},
                     {"locale", AS_IS},
                     {"seller_id", AS_IS},
                     {"price", AS_IS},
                     {"policy", POLICY},
                     {"active", AS_IS},
                     {"modalities", AS_IS}}},
    [KEYWORD_ROW] = {"keyword_row",
                     CHANGING,
                     {{"listing_id", AS_IS},
                      {"version", AS_IS},
                      {"source_hash", HEX},
                      {"whole_hash", HEX},
                      {"content_hash", HEX},
                      {"category", AS_IS},
                      {"locale", AS_IS},
                      {"seller_id", AS_IS},
                      {"price", AS_IS},
                      {"policy", POLICY},
                      {"active", AS_IS},
                      {"title", AS_IS},
                      {"description", AS_IS},
                      {"attributes", AS_IS}}},
    [ARTIFACT] = {"artifact",
                  CHANGING,
                  {{"listing_id", AS_IS},
                   {"modality", AS_IS},
                   {"model_version", AS_IS},
                   {"content_hash", HEX},
                   {"bytes", AS_IS},
                   {"stored_at_ns", AS_IS},
                   {"expires_at_ns", AS_IS}}},
    [EMBEDDING_AUDIT] = {"embedding_audit",
                         GROWING,
                         {{"listing_id", AS_IS},
                          {"version", AS_IS},
                          {"modality", AS_IS},
                          {"model_version", AS_IS},
                          {"content_hash", HEX},
                          {"made", AS_IS}}},
    [LOG_GAP] =
        {"log_gap",
         GROWING,
         {{"topic", TOPIC}, {"partition", AS_IS}, {"from_offset", AS_IS}, {"to_offset", AS_IS}}},
    [DEAD_LETTER] = {"dead_letter",
                     GROWING,
                     {{"topic", TOPIC},
                      {"partition", AS_IS},
                      {"offset", AS_IS},
                      {"append_at_ns", AS_IS},
                      {"contract_version", AS_IS},
                      {"reason", AS_IS},
                      {"field", AS_IS},
                      {"expected", AS_IS},
                      {"actual", AS_IS},
                      {"value", AS_IS}}},
    [FRESHNESS_SAMPLE] = {"freshness_sample",
                          GROWING,
                          {{"feed", AS_IS},
                           {"store", AS_IS},
                           {"listing_id", AS_IS},
                           {"version", AS_IS},
                           {"event_at_ns", AS_IS},
                           {"log_at_ns", AS_IS},
                           {"visible_at_ns", AS_IS},
                           {"visibility_lag_ns", AS_IS},
                           {"event_lag_ns", AS_IS}}},
    [CHECK_RESULT] = {"check_result",
                      GROWING,
                      {{"name", AS_IS},
                       {"kind", AS_IS},
                       {"status", AS_IS},
                       {"expected", AS_IS},
                       {"observed", AS_IS},
                       {"at_ns", AS_IS},
                       {"evidence", AS_IS}}},
    [AUDIT_EVENT] = {"audit_event",
                     GROWING,
                     {{"listing_id", AS_IS},
                      {"sequence", AS_IS},
                      {"version", AS_IS},
                      {"type", RECORD},
                      {"event_at_ns", AS_IS},
                      {"event_id", UUID},
                      {"visible", AS_IS},
                      {"payload_sha256", DIGEST},
                      {"digest", DIGEST}}},
    [AUDIT_HEAD] = {"audit_head",
                    GROWING,
                    {{"listing_id", AS_IS}, {"events", AS_IS}, {"digest", DIGEST}}},
    [TOPIC_RECORD] = {"topic_record",
                      GROWING,
                      {{"topic", TOPIC},
                       {"partition", AS_IS},
                       {"epoch", AS_IS},
                       {"offset", AS_IS},
                       {"type", RECORD},
                       {"op", OPERATION},
                       {"event_at_ns", AS_IS},
                       {"event_id", UUID},
                       {"subject_id", AS_IS},
                       {"image_id", AS_IS},
                       {"repair", AS_IS},
                       {"origin_topic", TOPIC},
                       {"origin_partition", AS_IS},
                       {"origin_offset", AS_IS}}},
    [LOG_READ] = {"log_read",
                  GROWING,
                  {{"machine", AS_IS},
                   {"topic", AS_IS},
                   {"partition", AS_IS},
                   {"first_offset", AS_IS},
                   {"next_offset", AS_IS},
                   {"from_bronze", AS_IS}}},
    [EMBEDDING_CALL] = {"embedding_call",
                        GROWING,
                        {{"listing_id", AS_IS},
                         {"model_version", AS_IS},
                         {"text_hash", HEX},
                         {"image_hash", HEX},
                         {"fused_hash", HEX},
                         {"asked_at_ns", AS_IS},
                         {"returned_at_ns", AS_IS},
                         {"status", AS_IS},
                         {"reused", AS_IS}}},
    [VISIBLE_CHANGE] = {"visible_change",
                        GROWING,
                        {{"listing_id", AS_IS},
                         {"version", AS_IS},
                         {"text", AS_IS},
                         {"image", AS_IS},
                         {"fused", AS_IS},
                         {"seen", AS_IS}}},
    [ROW_GONE] =
        {"row_gone",
         GROWING,
         {{"store", AS_IS}, {"model_version", AS_IS}, {"listing_id", AS_IS}, {"version", AS_IS}}},
    [REFUSED_WRITE] = {"refused_write",
                       GROWING,
                       {{"store", AS_IS},
                        {"model_version", AS_IS},
                        {"listing_id", AS_IS},
                        {"version", AS_IS},
                        {"reason", AS_IS},
                        {"times", AS_IS},
                        {"last_at_ns", AS_IS}}},
    [ALIAS_SWITCH] = {"alias_switch", GROWING, {{"modality", AS_IS}, {"model_version", AS_IS}}},
    [SELLER_GATE] = {"seller_gate",
                     GROWING,
                     {{"store", AS_IS}, {"seller_id", AS_IS}, {"status", POLICY}}},
    [FAULT_BAND] = {"fault_band",
                    GROWING,
                    {{"kind", AS_IS}, {"subject", AS_IS}, {"from_ns", AS_IS}, {"to_ns", AS_IS}}},
};

/* Names are quoted: some are words of SQL, such as offset. */
#define QUOTED "\"%s\""

struct stores_export {
    sqlite3 *db;
    sqlite3_stmt *inserts[TABLE_COUNT];
    vtime end;
    char *path, *part; /* the file, and what it is called until it is whole */
    bool part_made;
    bool finished;
    char *text; /* a value being made */
    size_t text_len, text_capacity;
    char error[512];
};

/* Keeps the first failure; -1. */
static int fail(struct stores_export *x, const char *format, ...) {
    if (x->error[0] == 0) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(x->error, sizeof(x->error), format, arguments);
        va_end(arguments);
    }
    return -1;
}

static bool failed(const struct stores_export *x) {
    return x->error[0] != 0;
}

static int fail_sqlite(struct stores_export *x) {
    return fail(x, "%s: cannot be written: %s", x->path, sqlite3_errmsg(x->db));
}

/* ---- values ---- */

static void text_start(struct stores_export *x) {
    x->text_len = 0;
}

static int text_add(struct stores_export *x, const char *data, size_t len) {
    if (ARRAY_RESERVE(x->text, x->text_capacity, x->text_len + len + 1) != 0) {
        return fail(x, "%s: no memory", x->path);
    }
    if (len > 0) {
        memcpy(x->text + x->text_len, data, len);
    }
    x->text_len += len;
    return 0;
}

static int text_addf(struct stores_export *x, const char *format, ...) {
    char piece[128];
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(piece, sizeof(piece), format, arguments);
    va_end(arguments);
    assert(len >= 0 && (size_t)len < sizeof(piece));
    return text_add(x, piece, (size_t)len);
}

static int text_add_json(struct stores_export *x, struct bytes text) {
    int rc = text_add(x, "\"", 1);
    for (size_t i = 0; i < text.len && rc == 0; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c == '"' || c == '\\') {
            rc = text_addf(x, "\\%c", c);
        } else if (c < 0x20) {
            rc = text_addf(x, "\\u%04x", c);
        } else {
            rc = text_add(x, text.data + i, 1);
        }
    }
    return rc == 0 ? text_add(x, "\"", 1) : rc;
}

static int make_ids(struct stores_export *x, struct bytes packed) {
    int rc = text_add(x, "[", 1);
    for (size_t i = 0; i + 8 <= packed.len && rc == 0; i += 8) {
        rc = text_addf(x, "%s%" PRIu64, i == 0 ? "" : ",", le64_get(packed.data + i));
    }
    return rc == 0 ? text_add(x, "]", 1) : rc;
}

static int add_attribute(struct stores_export *x, const struct field *f) {
    switch (f->type) {
    case VALUE_TEXT:
        return text_add_json(x, f->text);
    case VALUE_NUMBER:
        return text_add(x, f->text.data, f->text.len);
    case VALUE_INTEGER:
        return text_addf(x, "%" PRId64, f->integer);
    case VALUE_NULL:
    case VALUE_IDS:
        break;
    }
    return text_add(x, "null", 4);
}

static int make_attributes(struct stores_export *x, struct bytes packed) {
    int rc = text_add(x, "{", 1);
    struct field f;
    const char *separator = "";
    for (size_t at = 0; rc == 0 && oltp_attribute_next(packed, &at, &f); separator = ",") {
        rc = text_addf(x, "%s", separator);
        rc = rc == 0 ? text_add_json(x, f.name) : rc;
        rc = rc == 0 ? text_add(x, ":", 1) : rc;
        rc = rc == 0 ? add_attribute(x, &f) : rc;
    }
    return rc == 0 ? text_add(x, "}", 1) : rc;
}

static const char *policy_name(int64_t status) {
    return status == POLICY_ACTIVE ? "active" : status == POLICY_SUPPRESSED ? "suppressed" : "?";
}

static const char *tokeniser_name(int64_t tokeniser) {
    return tokeniser == TOKENISER_BIGRAM ? "bigram" : "word";
}

/* The lowest digits of a number. By hand: a run has half a million of such numbers. */
static void hex_digits(char *out, uint64_t bits, int digits) {
    for (int i = digits - 1; i >= 0; i--, bits >>= 4) {
        out[i] = "0123456789abcdef"[bits & 15];
    }
}

static int make_uuid(struct stores_export *x, uint64_t high, uint64_t low) {
    char text[36];
    memset(text, '-', sizeof text);
    hex_digits(text, high >> 32, 8);
    hex_digits(text + 9, high >> 16, 4);
    hex_digits(text + 14, high, 4);
    hex_digits(text + 19, low >> 48, 4);
    hex_digits(text + 24, low, 12);
    return text_add(x, text, sizeof text);
}

/* Makes the text of a cell that is not taken as it is. */
static int make_text(struct stores_export *x, enum format format, const struct cell *cell) {
    uint64_t bits = (uint64_t)cell->integer;
    text_start(x);
    switch (format) {
    case HEX: {
        char digits[16];
        hex_digits(digits, bits, 16);
        return text_add(x, digits, sizeof digits);
    }
    case DIGEST:
        for (size_t i = 0; i < cell->text.len; i++) {
            char digits[2];
            hex_digits(digits, (unsigned char)cell->text.data[i], 2);
            if (text_add(x, digits, sizeof digits) != 0) {
                return -1;
            }
        }
        return 0;
    case UUID:
        return make_uuid(x, bits, (uint64_t)cell[1].integer);
    case TOPIC:
        return text_addf(x, "%s", topic_name((enum topic_id)cell->integer));
    case TOKENISER:
        return text_addf(x, "%s", tokeniser_name(cell->integer));
    case OPERATION:
        return text_addf(x, "%s", cell->integer == RECORD_DELETE ? "delete" : "upsert");
    case POLICY:
        return text_addf(x, "%s", policy_name(cell->integer));
    case RECORD:
        return text_addf(x, "%s", record_type_name((enum record_type)cell->integer));
    case IDS:
        return make_ids(x, cell->text);
    case ATTRIBUTES:
        return make_attributes(x, cell->text);
    case AS_IS:
        break;
    }
    assert(false && "a cell that is taken as it is");
    return -1;
}

static bool is_null(enum format format, const struct cell *cell) {
    return cell->type == CELL_NULL || (format == OPERATION && cell->integer == 0) ||
           (format == RECORD && record_type_name((enum record_type)cell->integer) == 0);
}

/* Binds one column; returns how many cells it took, or -1. */
static int bind_column(struct stores_export *x, sqlite3_stmt *insert, int index, enum format format,
                       const struct cell *cell) {
    int rc;
    if (is_null(format, cell)) {
        rc = sqlite3_bind_null(insert, index);
    } else if (format == AS_IS) {
        rc = cells_bind(insert, index, cell, 1);
    } else if (make_text(x, format, cell) != 0) {
        return -1;
    } else {
        rc =
            sqlite3_bind_text64(insert, index, x->text, x->text_len, SQLITE_TRANSIENT, SQLITE_UTF8);
    }
    if (rc != SQLITE_OK) {
        return fail_sqlite(x);
    }
    return format == UUID ? 2 : 1;
}

/* ---- rows ---- */

static size_t column_count(const struct table *table) {
    size_t count = 0;
    while (count < COLUMNS_MAX && table->columns[count].name != 0) {
        count++;
    }
    return count;
}

int stores_export_row(struct stores_export *x, enum export_table id, const struct cell *cells,
                      size_t count, vtime from, vtime to) {
    const struct table *table = &tables[id];
    sqlite3_stmt *insert = x->inserts[id];
    if (failed(x)) {
        return -1;
    }
    size_t columns = column_count(table);
    size_t used = 0;
    for (size_t i = 0; i < columns; i++) {
        assert(used < count);
        int taken = bind_column(x, insert, (int)i + 1, table->columns[i].format, &cells[used]);
        if (taken < 0) {
            return -1;
        }
        used += (size_t)taken;
    }
    assert(used == count);
    struct cell recorded[] = {cell_integer(from.ns), cell_integer(to.ns)};
    if (to.ns == INT64_MAX) {
        recorded[1] = cell_null();
    }
    int last = table->history == CHANGING ? 2 : 1;
    if (cells_bind(insert, (int)columns + 1, recorded, last) != SQLITE_OK) {
        return fail_sqlite(x);
    }
    sqlite3_step(insert);
    return sqlite3_reset(insert) == SQLITE_OK ? 0 : fail_sqlite(x);
}

struct journal_export {
    struct stores_export *x;
    enum export_table table;
};

static int add_version(void *ctx, const struct row_version *v) {
    const struct journal_export *j = ctx;
    return stores_export_row(j->x, j->table, v->cells, v->count, v->from, v->to);
}

static int add_journal(struct stores_export *x, enum export_table table,
                       const struct row_journal *journal) {
    assert(journal->on);
    struct journal_export j = {x, table};
    if (failed(x)) {
        return -1;
    }
    int rc = row_journal_each(journal, add_version, &j);
    return rc == 0 ? 0 : fail(x, "%s: no memory", x->path);
}

/* ---- stores ---- */

vtime stores_export_end(const struct stores_export *x) {
    return x->end;
}

int stores_export_no_memory(struct stores_export *x) {
    return fail(x, "%s: no memory", x->path);
}

/* A walk ended with rc; what it says of memory becomes the export's error. */
static int walked(struct stores_export *x, int rc) {
    return rc == 0 ? 0 : fail(x, "%s: no memory", x->path);
}

int stores_export_oltp(struct stores_export *x, struct fake_oltp *o) {
    if (add_journal(x, OLTP_LISTING, fake_oltp_listing_journal(o)) != 0 ||
        add_journal(x, OLTP_SELLER, fake_oltp_seller_journal(o)) != 0 ||
        add_journal(x, OLTP_ORDER, fake_oltp_order_journal(o)) != 0) {
        return -1;
    }
    return add_journal(x, OUTBOX, fake_oltp_outbox_journal(o));
}

int stores_export_keyword(struct stores_export *x, const struct fake_keyword *k) {
    return add_journal(x, KEYWORD_ROW, fake_keyword_journal(k));
}

static int add_bronze(void *ctx, vtime ingested, const struct bronze_row *row) {
    struct cell cells[] = {
        cell_integer(row->topic),       cell_integer(row->partition),
        cell_integer(row->epoch),       cell_integer(row->offset),
        cell_integer(row->append.ns),   cell_integer(row->type),
        cell_integer(row->stamp.ts.ns), cell_pattern(row->stamp.id.hi),
        cell_pattern(row->stamp.id.lo), cell_pattern(row->subject_id),
        cell_blob(row->value),
    };
    if (record_type_name(row->type) == 0) { /* bytes that are no record have no event */
        for (int i = 6; i < 10; i++) {
            cells[i] = cell_null();
        }
    }
    return stores_export_row(ctx, BRONZE_EVENT, cells, 11, ingested, VTIME_NEVER);
}

static int add_silver(void *ctx, const struct silver_row *row) {
    const struct document_row *d = &row->document;
    bool current = row->valid_to.ns == INT64_MAX;
    struct cell cells[1 + DOCUMENT_CELLS + 3] = {cell_pattern(d->listing_id)};
    document_cells(d, cells + 1);
    cells[DOCUMENT_CELLS + 1] = cell_integer(row->valid_from.ns);
    cells[DOCUMENT_CELLS + 2] = current ? cell_null() : cell_integer(row->valid_to.ns);
    cells[DOCUMENT_CELLS + 3] = cell_integer(current);
    return stores_export_row(ctx, SILVER_LISTING, cells, sizeof(cells) / sizeof(cells[0]),
                             row->recorded, VTIME_NEVER);
}

static int add_audit(struct stores_export *x, const struct warehouse_audit *audit) {
    for (size_t i = 0; i < audit->count; i++) {
        const struct audit_row *row = &audit->entries[i].row;
        struct cell cells[] = {
            cell_pattern(row->listing_id),
            cell_integer(row->version),
            cell_text(bytes_of(modality_name(row->modality))),
            cell_integer(row->model_version),
            cell_pattern(row->content_hash),
            cell_integer(row->made),
        };
        if (stores_export_row(x, EMBEDDING_AUDIT, cells, sizeof cells / sizeof *cells,
                              audit->entries[i].recorded, VTIME_NEVER) != 0) {
            return -1;
        }
    }
    return 0;
}

/* What expired before it was loaded: from an offset on, up to and without another. */
static int add_gaps(struct stores_export *x, const struct fake_warehouse *w) {
    size_t count;
    const struct gap_row *gaps = fake_warehouse_gaps(w, &count);
    for (size_t i = 0; i < count; i++) {
        struct cell cells[] = {
            cell_integer(gaps[i].topic),
            cell_integer(gaps[i].partition),
            cell_integer(gaps[i].from),
            cell_integer(gaps[i].to),
        };
        if (stores_export_row(x, LOG_GAP, cells, 4, gaps[i].noticed, VTIME_NEVER) != 0) {
            return -1;
        }
    }
    return 0;
}

/* What the nightly batch made, as it stands at the end of the run. */
static int add_batch(struct stores_export *x, const struct warehouse_rebuilt *made) {
    for (size_t i = 0; i < made->count; i++) {
        const struct scan_row *d = &made->documents[i];
        struct cell cells[] = {
            cell_pattern(d->listing_id),    cell_integer(d->version),
            cell_pattern(d->source_hash),   cell_pattern(d->whole_hash),
            cell_integer(d->changed_at.ns), cell_integer(d->alive),
            cell_integer(d->suppressed),
        };
        if (stores_export_row(x, GOLD_BATCH, cells, 7, x->end, VTIME_NEVER) != 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < made->sales_count; i++) {
        const struct sales_row *row = &made->sales[i];
        struct cell cells[] = {
            cell_text(row->category),    cell_integer(row->hour.ns), cell_integer(row->orders),
            cell_integer(row->quantity), cell_integer(row->amount),
        };
        if (stores_export_row(x, SALES_BATCH, cells, 5, x->end, VTIME_NEVER) != 0) {
            return -1;
        }
    }
    return 0;
}

/* From when on the warehouse tells everything, if it has dropped something. */
static int set_warehouse_from(struct stores_export *x, vtime from) {
    char update[80];
    if (failed(x) || from.ns == INT64_MIN) {
        return failed(x) ? -1 : 0;
    }
    snprintf(update, sizeof update, "UPDATE run_info SET warehouse_from_ns = %" PRId64, from.ns);
    return sqlite3_exec(x->db, update, 0, 0, 0) == SQLITE_OK ? 0 : fail_sqlite(x);
}

int stores_export_warehouse(struct stores_export *x, struct fake_warehouse *w) {
    if (add_journal(x, GOLD_DOCUMENT, fake_warehouse_gold_journal(w)) != 0 ||
        add_journal(x, GOLD_SALES, fake_warehouse_gold_sales_journal(w)) != 0 ||
        add_journal(x, DASHBOARD_SALES, fake_warehouse_sales_journal(w)) != 0 ||
        add_journal(x, SILVER_ORDER, fake_warehouse_order_journal(w)) != 0 ||
        add_audit(x, fake_warehouse_audit(w)) != 0 || add_gaps(x, w) != 0 ||
        add_batch(x, fake_warehouse_rebuilt(w)) != 0 ||
        set_warehouse_from(x, fake_warehouse_from(w)) != 0 ||
        walked(x, fake_warehouse_each_bronze(w, add_bronze, x)) != 0) {
        return -1;
    }
    return walked(x, fake_warehouse_each_silver(w, add_silver, x));
}

/* Cells of a vector row's journal. */
enum { V_LISTING, V_KIND, V_VERSION, V_CELLS = 14 };

struct vector_export {
    struct stores_export *x;
    struct cell collection, modality;
};

static int add_vector(void *ctx, const struct row_version *v) {
    const struct vector_export *e = ctx;
    assert(v->count == V_CELLS);
    struct cell cells[V_CELLS + 1] = {e->collection, e->modality, v->cells[V_LISTING]};
    memcpy(cells + 3, v->cells + V_VERSION, (V_CELLS - V_VERSION) * sizeof(cells[0]));
    return stores_export_row(e->x, VECTOR_ROW, cells, V_CELLS + 1, v->from, v->to);
}

int stores_export_vector_db(struct stores_export *x, const struct fake_vector_db *db) {
    for (size_t i = 0; i < fake_vector_db_collection_count(db) && !failed(x); i++) {
        struct vector_collection_info info = fake_vector_db_collection(db, i);
        struct vector_export e = {x, cell_text(bytes_of(info.name)),
                                  cell_text(bytes_of(modality_name(info.modality)))};
        if (walked(x, row_journal_each(info.journal, add_vector, &e)) != 0) {
            return -1;
        }
    }
    return failed(x) ? -1 : 0;
}

int stores_export_objects(struct stores_export *x, struct fake_object_store *o) {
    size_t count = fake_object_store_count(o, x->end);
    for (size_t i = 0; i < count; i++) {
        struct object_info object = fake_object_store_object(o, i);
        struct cell cells[] = {
            cell_pattern(object.key.listing_id),
            cell_text(bytes_of(modality_name(object.key.modality))),
            cell_integer(object.key.model_version),
            cell_pattern(object.key.content_hash),
            cell_integer((int64_t)(modality_dimension(object.key.modality) * sizeof(float))),
            cell_integer(object.stored.ns),
            object.expires.ns == VTIME_NEVER.ns ? cell_null() : cell_integer(object.expires.ns),
        };
        vtime until = object.end == OBJECT_KEPT ? VTIME_NEVER : object.ended;
        if (stores_export_row(x, ARTIFACT, cells, 7, object.stored, until) != 0) {
            return -1;
        }
    }
    return 0;
}

int stores_export_order(struct stores_export *x, uint32_t partition,
                        const struct log_record *logged, const struct record *record) {
    vtime placed = order_placed(record->placed, record->stamp);
    struct cell cells[] = {
        cell_integer(partition),
        cell_integer(logged->epoch),
        cell_integer(logged->offset),
        cell_pattern(record->order_id),
        cell_pattern(record->subject_id),
        cell_text(record->order_category),
        cell_integer(sales_hour(placed).ns),
        cell_integer(record->quantity),
        cell_integer(record->amount),
        cell_integer(record->stamp.ts.ns),
        cell_pattern(record->stamp.id.hi),
        cell_pattern(record->stamp.id.lo),
    };
    return stores_export_row(x, ORDER_RECORD, cells, 12, logged->append, VTIME_NEVER);
}

int stores_export_dead_letter(struct stores_export *x, vtime recorded,
                              const struct dead_letter *letter) {
    struct cell cells[] = {
        cell_integer(letter->topic),
        cell_integer(letter->partition),
        cell_integer(letter->offset),
        cell_integer(letter->append.ns),
        cell_integer(letter->contract_version),
        cell_text(letter->reason),
        cell_text(letter->field),
        cell_text(letter->expected),
        cell_integer(letter->actual),
        cell_blob(letter->value),
    };
    return stores_export_row(x, DEAD_LETTER, cells, 10, recorded, VTIME_NEVER);
}

static struct cell cell_string(const char *text) {
    return text == 0 ? cell_null() : cell_text(bytes_of(text));
}

int stores_export_freshness(struct stores_export *x, const struct export_freshness *sample) {
    bool seen = sample->visible.ns != INT64_MAX;
    struct cell cells[] = {
        cell_string(sample->feed),
        cell_string(sample->store),
        cell_pattern(sample->listing_id),
        cell_integer(sample->version),
        cell_integer(sample->event.ns),
        cell_integer(sample->log.ns),
        seen ? cell_integer(sample->visible.ns) : cell_null(),
        seen ? cell_integer(vtime_diff(sample->visible, sample->log)) : cell_null(),
        seen ? cell_integer(vtime_diff(sample->visible, sample->event)) : cell_null(),
    };
    return stores_export_row(x, FRESHNESS_SAMPLE, cells, 9, seen ? sample->visible : x->end,
                             VTIME_NEVER);
}

int stores_export_check(struct stores_export *x, const struct export_check *check) {
    vtime at = check->at.ns == 0 ? x->end : check->at;
    struct cell cells[] = {
        cell_string(check->name),     cell_string(check->kind),     cell_string(check->status),
        cell_string(check->expected), cell_string(check->observed), cell_integer(at.ns),
        cell_string(check->evidence),
    };
    return stores_export_row(x, CHECK_RESULT, cells, 7, at, VTIME_NEVER);
}

/* ---- the file ---- */

/* CREATE TABLE and INSERT of a table. */
static int make_table(struct stores_export *x, enum export_table id) {
    const struct table *table = &tables[id];
    char create[2048];
    char insert[512];
    int c = snprintf(create, sizeof(create), "CREATE TABLE " QUOTED "(", table->name);
    int i = snprintf(insert, sizeof(insert), "INSERT INTO " QUOTED " VALUES(?", table->name);
    size_t columns = column_count(table);
    for (size_t k = 0; k < columns; k++) {
        c += snprintf(create + c, sizeof(create) - (size_t)c, QUOTED ",", table->columns[k].name);
        i += snprintf(insert + i, sizeof(insert) - (size_t)i, ",?");
    }
    bool changing = table->history == CHANGING;
    c += snprintf(create + c, sizeof(create) - (size_t)c, "%s",
                  changing ? "recorded_from_ns, recorded_to_ns)" : "recorded_at_ns)");
    i += snprintf(insert + i, sizeof(insert) - (size_t)i, "%s", changing ? ",?)" : ")");
    assert((size_t)c < sizeof(create) && (size_t)i < sizeof(insert));
    if (sqlite3_exec(x->db, create, 0, 0, 0) != SQLITE_OK ||
        sqlite_host_prepare(x->db, insert, &x->inserts[id]) != SQLITE_OK) {
        return fail_sqlite(x);
    }
    return 0;
}

static int write_run_info(struct stores_export *x, const struct export_run *run) {
    char seed[24];
    snprintf(seed, sizeof(seed), "%" PRIu64, run->seed);
    struct cell cells[] = {cell_string(run->murphy),
                           cell_string(run->scenario),
                           cell_string(seed),
                           cell_string(run->trace_hash),
                           cell_integer(run->start.ns),
                           cell_integer(run->end.ns),
                           cell_integer(run->orphan_after_ns),
                           cell_integer(run->orphan_kept_ns),
                           cell_integer(run->dashboard_sla_ns)};
    sqlite3_stmt *insert = 0;
    if (sqlite3_exec(x->db,
                     "CREATE TABLE run_info(murphy, scenario, seed, trace_hash, start_at_ns,"
                     " end_at_ns, orphan_after_ns, orphan_kept_ns, dashboard_sla_ns,"
                     " warehouse_from_ns)",
                     0, 0, 0) != SQLITE_OK ||
        sqlite_host_prepare(x->db, "INSERT INTO run_info VALUES(?,?,?,?,?,?,?,?,?,NULL)",
                            &insert) != SQLITE_OK) {
        return fail_sqlite(x);
    }
    cells_bind(insert, 1, cells, sizeof cells / sizeof *cells);
    sqlite3_step(insert);
    return sqlite3_finalize(insert) == SQLITE_OK ? 0 : fail_sqlite(x);
}

static void make_tables(struct stores_export *x) {
    for (int i = 0; i < TABLE_COUNT && !failed(x); i++) {
        make_table(x, (enum export_table)i);
    }
}

static void open_part(struct stores_export *x, const struct export_run *run) {
    remove(x->part);
    if (sqlite_host_open(&x->db, SQLITE_HOST_CREATE, x->part) != SQLITE_OK) {
        fail(x, "%s: cannot be written: is there a directory, and may you write to it?", x->path);
        return;
    }
    x->part_made = true;
    char begin[64];
    snprintf(begin, sizeof(begin), "PRAGMA user_version = %d; BEGIN", STORES_LAYOUT);
    if (sqlite3_exec(x->db, begin, 0, 0, 0) != SQLITE_OK) {
        fail_sqlite(x);
        return;
    }
    make_tables(x);
    if (!failed(x)) {
        write_run_info(x, run);
    }
}

struct stores_export *stores_export_new(const char *directory, const struct export_run *run) {
    struct stores_export *x = calloc(1, sizeof(*x));
    if (x == 0) {
        return 0;
    }
    size_t size = strlen(directory) + sizeof("/" STORES_FILE ".part");
    x->path = malloc(size);
    x->part = malloc(size);
    if (x->path == 0 || x->part == 0) {
        stores_export_free(x);
        return 0;
    }
    snprintf(x->path, size, "%s/%s", directory, STORES_FILE);
    snprintf(x->part, size, "%s/%s.part", directory, STORES_FILE);
    x->end = run->end;
    open_part(x, run);
    return x;
}

struct stores_export *stores_export_memory(void) {
    static const char path[] = "the tables in memory";
    struct stores_export *x = calloc(1, sizeof(*x));
    if (x == 0) {
        return 0;
    }
    x->path = malloc(sizeof(path));
    if (x->path == 0 || sqlite_host_open(&x->db, SQLITE_HOST_MEMORY, 0) != SQLITE_OK) {
        stores_export_free(x);
        return 0;
    }
    memcpy(x->path, path, sizeof(path));
    make_tables(x);
    return x;
}

sqlite3 *stores_export_database(struct stores_export *x) {
    return x->db;
}

/* Lets go of the database: 0, or a SQLite error. */
static int close_part(struct stores_export *x) {
    for (int i = 0; i < TABLE_COUNT; i++) {
        sqlite3_finalize(x->inserts[i]);
        x->inserts[i] = 0;
    }
    int rc = sqlite3_close(x->db);
    x->db = 0;
    return rc;
}

int stores_export_finish(struct stores_export *x) {
    if (failed(x)) {
        return -1;
    }
    assert(!x->finished);
    if (sqlite3_exec(x->db, "COMMIT", 0, 0, 0) != SQLITE_OK) {
        return fail_sqlite(x);
    }
    if (close_part(x) != SQLITE_OK || rename(x->part, x->path) != 0) {
        return fail(x, "%s: cannot be put in place", x->path);
    }
    x->finished = true;
    return 0;
}

const char *stores_export_error(const struct stores_export *x) {
    return x->error;
}

void stores_export_free(struct stores_export *x) {
    if (x == 0) {
        return;
    }
    close_part(x);
    if (x->part_made && !x->finished) {
        remove(x->part);
    }
    free(x->path);
    free(x->part);
    free(x->text);
    free(x);
}

/* ---- views ---- */

const char *stores_export_column(const char *table, size_t i) {
    for (int id = 0; id < TABLE_COUNT; id++) {
        if (strcmp(tables[id].name, table) == 0) {
            return i < column_count(&tables[id]) ? tables[id].columns[i].name : NULL;
        }
    }
    return NULL;
}

const char *const *stores_export_tables(void) {
    static const char *names[TABLE_COUNT + 2];
    for (int i = 0; i < TABLE_COUNT; i++) {
        names[i] = tables[i].name;
    }
    names[TABLE_COUNT] = "run_info";
    return names;
}

/* The columns of a table, each preceded by a comma but the first; of silver only those that do not
 * depend on the moment. */
static void list_columns(char *out, size_t capacity, enum export_table id) {
    size_t used = 0;
    size_t count = column_count(&tables[id]) - (id == SILVER_LISTING ? 3 : 0);
    for (size_t i = 0; i < count; i++) {
        int len = snprintf(out + used, capacity - used, "%s" QUOTED, i == 0 ? "" : ", ",
                           tables[id].columns[i].name);
        used += (size_t)len;
        assert(used < capacity);
    }
}

/* Silver as of a moment: of the versions recorded by then each is valid until the next one. */
static void silver_view(char *out, size_t capacity, const char *columns, int64_t at_ns) {
    int len = snprintf(
        out, capacity,
        "CREATE TEMP VIEW silver_listing AS SELECT %s, valid_from_ns, valid_to_ns,"
        " valid_to_ns IS NULL AS is_current, recorded_at_ns FROM"
        " (SELECT *, lead(valid_from_ns) OVER (PARTITION BY listing_id ORDER BY version, place)"
        " AS valid_to_ns FROM (SELECT %s, recorded_at_ns, rowid AS place, max(changed_at_ns) OVER"
        " (PARTITION BY listing_id ORDER BY version, rowid) AS valid_from_ns"
        " FROM main.silver_listing WHERE recorded_at_ns <= %" PRId64 "))",
        columns, columns, at_ns);
    assert(len > 0 && (size_t)len < capacity);
}

static void plain_view(char *out, size_t capacity, enum export_table id, const char *columns,
                       int64_t at_ns) {
    const char *name = tables[id].name;
    int len;
    if (tables[id].history == GROWING) {
        len = snprintf(out, capacity,
                       "CREATE TEMP VIEW " QUOTED " AS SELECT * FROM main." QUOTED
                       " WHERE recorded_at_ns <= %" PRId64,
                       name, name, at_ns);
    } else if (at_ns == INT64_MAX) {
        len = snprintf(out, capacity,
                       "CREATE TEMP VIEW " QUOTED " AS SELECT %s FROM main." QUOTED
                       " WHERE recorded_to_ns IS NULL",
                       name, columns, name);
    } else {
        len = snprintf(out, capacity,
                       "CREATE TEMP VIEW " QUOTED " AS SELECT %s FROM main." QUOTED
                       " WHERE recorded_from_ns <= %" PRId64
                       " AND (recorded_to_ns IS NULL OR recorded_to_ns > %" PRId64 ")",
                       name, columns, name, at_ns, at_ns);
    }
    assert(len > 0 && (size_t)len < capacity);
}

/* Each order beside its listing as it was, and was known to be, when the order was placed: of the
 * versions that had happened and been recorded by then the last. Whoever joins with the present
 * version, or with one that was recorded later, tells a model of the past what it could not know
 * (B5). */
static const char order_as_of[] =
    "CREATE TEMP VIEW order_as_of AS SELECT o.order_id, o.listing_id, o.category, o.quantity,"
    " o.amount, o.ordered_at_ns, l.version AS listing_version, l.price AS listing_price,"
    " l.title AS listing_title, l.alive AS listing_alive, l.changed_at_ns, l.recorded_at_ns"
    " FROM silver_order o LEFT JOIN silver_listing_history l ON l.listing_id = o.listing_id"
    " AND l.version = (SELECT max(k.version) FROM silver_listing_history k"
    " WHERE k.listing_id = o.listing_id AND k.changed_at_ns <= o.ordered_at_ns"
    " AND k.recorded_at_ns <= o.ordered_at_ns)";

int stores_export_views(sqlite3 *db, vtime at) {
    int rc = SQLITE_OK;
    for (int i = 0; i < TABLE_COUNT && rc == SQLITE_OK; i++) {
        enum export_table id = (enum export_table)i;
        char columns[1024];
        char view[4096];
        list_columns(columns, sizeof(columns), id);
        if (id == SILVER_LISTING && at.ns != INT64_MAX) {
            silver_view(view, sizeof(view), columns, at.ns);
        } else {
            plain_view(view, sizeof(view), id, columns, at.ns);
        }
        rc = sqlite3_exec(db, view, 0, 0, 0);
        if (rc == SQLITE_OK) {
            snprintf(view, sizeof(view),
                     "CREATE TEMP VIEW \"%s_history\" AS SELECT * FROM main." QUOTED,
                     tables[id].name, tables[id].name);
            rc = sqlite3_exec(db, view, 0, 0, 0);
        }
    }
    return rc == SQLITE_OK ? sqlite3_exec(db, order_as_of, 0, 0, 0) : rc;
}
