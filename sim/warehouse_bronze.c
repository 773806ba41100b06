#include "sim/warehouse_parts.h"

#include <assert.h>
#include <string.h>

#include "pipeline/array.h"

#define OFFSET_BITS 38
#define EPOCH_BITS 12
#define PARTITION_BITS 10

/* (topic, partition, epoch, offset) in one integer that sorts like them. */
static int64_t warehouse_position(const struct bronze_row *row) {
    assert(row->topic < TOPIC_COUNT && row->partition < (1u << PARTITION_BITS));
    assert(row->epoch < (1u << EPOCH_BITS));
    assert(row->offset >= 0 && row->offset < (INT64_C(1) << OFFSET_BITS));
    uint64_t packed = (uint64_t)row->topic;
    packed = (packed << PARTITION_BITS) | row->partition;
    packed = (packed << EPOCH_BITS) | row->epoch;
    return (int64_t)((packed << OFFSET_BITS) | (uint64_t)row->offset);
}

void warehouse_place(int64_t position, struct bronze_row *row) {
    uint64_t packed = (uint64_t)position;
    row->offset = (int64_t)(packed & ((UINT64_C(1) << OFFSET_BITS) - 1));
    packed >>= OFFSET_BITS;
    row->epoch = (uint32_t)(packed & ((1u << EPOCH_BITS) - 1));
    packed >>= EPOCH_BITS;
    row->partition = (uint32_t)(packed & ((1u << PARTITION_BITS) - 1));
    row->topic = (enum topic_id)(packed >> PARTITION_BITS);
}

/* Of what an erasure is about: orders, policy and erasures themselves stay. */
bool warehouse_is_content(enum record_type type) {
    return type == RECORD_LISTING || type == RECORD_MEDIA;
}

static bool bronze_is_erased(const struct fake_warehouse *w, const struct bronze_row *row) {
    const struct erasure_mark *mark = erasure_marks_find(&w->marks, row->subject_id);
    return mark != NULL && warehouse_is_content(row->type) &&
           stamp_compare(row->stamp, mark->stamp) <= 0;
}

/* Such a record goes at the edge, whoever still asks for it. */
bool warehouse_goes_at_edge(const struct fake_warehouse *w, const struct bronze_row *row) {
    if (row->topic != TOPIC_LISTING_LOG || row->type == 0) {
        return true;
    }
    uint32_t at = id_map_get(&w->silver_newest, row->subject_id);
    if (at == NONE || !warehouse_is_content(row->type)) {
        return warehouse_is_content(row->type);
    }
    const struct silver_entry *newest = &w->silver[at];
    return !newest->alive && newest->valid_from_ns < w->edge.ns &&
           newest->recorded_ns < w->edge.ns &&
           newest->version != doc_version_pack(row->epoch, row->offset);
}

int warehouse_load_bronze(struct fake_warehouse *w, vtime now, const struct bronze_row *row,
                          bool dedupe) {
    if (bronze_is_erased(w, row) ||
        (vtime_before(row->append, w->edge) && warehouse_goes_at_edge(w, row))) {
        return 0;
    }
    w->oldest = row->append.ns < w->oldest ? row->append.ns : w->oldest;
    struct cell cells[] = {
        cell_integer(warehouse_position(row)),
        cell_integer(row->append.ns),
        cell_integer(row->type),
        cell_integer(row->stamp.ts.ns),
        cell_pattern(row->stamp.id.hi),
        cell_pattern(row->stamp.id.lo),
        cell_pattern(row->subject_id),
        cell_integer(now.ns),
        cell_blob(row->value),
    };
    if (warehouse_run(w, PUT_BRONZE, cells, 9) != 0) {
        return PORT_NO_MEMORY;
    }
    if (sqlite3_changes(w->db) == 1) {
        w->counts.bronze++;
        pulse_beat_after(&w->pulses[WAREHOUSE_BRONZE], now, vtime_diff(now, row->append));
        return 0;
    }
    if (!dedupe) {
        w->counts.bronze++;
        w->counts.duplicates++;
        return warehouse_run(w, PUT_BRONZE_SECOND, cells, 9);
    }
    return 0;
}

/* Adds the record to those read; its value is found by its place until all are there. */
static int take_logged(struct fake_warehouse *w, sqlite3_stmt *s, const struct bronze_row *row,
                       struct log_record *out, size_t *used) {
    struct bytes value = statement_bytes(s, 8);
    if (ARRAY_RESERVE(w->log_values, w->log_capacity, *used + value.len + 1) != 0) {
        return PORT_NO_MEMORY;
    }
    memcpy(w->log_values + *used, value.data, value.len);
    *out = (struct log_record){.offset = row->offset,
                               .epoch = row->epoch,
                               .append = {sqlite3_column_int64(s, 1)},
                               .key = (uint64_t)sqlite3_column_int64(s, 6),
                               .value = {NULL, value.len},
                               .refused = sqlite3_column_int(s, 2) == 0};
    *used += value.len;
    return 0;
}

/* The records of the partition from the offset on, in the order of offsets, the later of two first.
 * Where no leader ever changed that is the order in which bronze keeps them. */
static sqlite3_stmt *log_statement(struct fake_warehouse *w, enum topic_id topic,
                                   uint32_t partition, int64_t offset) {
    int64_t offset_max = (INT64_C(1) << OFFSET_BITS) - 1;
    struct bronze_row place = {
        .topic = topic, .partition = partition, .offset = offset < 0 ? 0 : offset};
    int64_t from = warehouse_position(&place);
    place.offset = 0;
    int64_t first = warehouse_position(&place);
    place.offset = offset_max;
    int64_t epoch_end = warehouse_position(&place);
    place.epoch = (1u << EPOCH_BITS) - 1;
    int64_t end = warehouse_position(&place);
    sqlite3_stmt *later = w->statements[LATER_EPOCH];
    sqlite3_bind_int64(later, 1, epoch_end);
    sqlite3_bind_int64(later, 2, end);
    bool changed = statement_row(later) != 0;
    sqlite3_reset(later);
    if (!changed) {
        sqlite3_stmt *s = w->statements[READ_LOG_OF_EPOCH];
        sqlite3_bind_int64(s, 1, from);
        sqlite3_bind_int64(s, 2, epoch_end);
        return s;
    }
    sqlite3_stmt *s = w->statements[READ_LOG];
    sqlite3_bind_int64(s, 1, first);
    sqlite3_bind_int64(s, 2, end);
    sqlite3_bind_int64(s, 3, offset_max);
    sqlite3_bind_int64(s, 4, offset);
    return s;
}

int warehouse_read_log(void *ctx, vtime now, enum topic_id topic, uint32_t partition,
                       int64_t offset, struct log_record *out, size_t max, size_t *count) {
    struct fake_warehouse *w = ctx;
    *count = 0;
    if (fake_warehouse_expire(w, now) != 0) {
        return PORT_NO_MEMORY;
    }
    sqlite3_stmt *s = log_statement(w, topic, partition, offset);
    size_t used = 0;
    int more = statement_row(s), rc = 0;
    for (; more == 1 && rc == 0 && *count < max; more = statement_row(s)) {
        struct bronze_row row;
        warehouse_place(sqlite3_column_int64(s, 0), &row);
        if (*count > 0 && out[*count - 1].offset == row.offset) {
            continue; /* what stood there before a leader change */
        }
        rc = take_logged(w, s, &row, &out[*count], &used);
        *count += rc == 0;
    }
    sqlite3_reset(s);
    const char *at = w->log_values;
    for (size_t i = 0; i < *count; i++) {
        out[i].value.data = at;
        at += out[i].value.len;
    }
    return more < 0 ? PORT_NO_MEMORY : rc;
}

/* Rows of the positions from..to, then second rows. */
static int each_bronze(struct fake_warehouse *w, int64_t from, int64_t to,
                       int (*each)(void *ctx, vtime ingested, const struct bronze_row *row),
                       void *ctx) {
    sqlite3_stmt *s = w->statements[READ_BRONZE];
    sqlite3_bind_int64(s, 1, from);
    sqlite3_bind_int64(s, 2, to);
    int more = statement_row(s);
    for (; more == 1; more = statement_row(s)) {
        struct bronze_row row = {
            .append = {sqlite3_column_int64(s, 1)},
            .type = (enum record_type)sqlite3_column_int(s, 2),
            .stamp = warehouse_stamp(s, 3),
            .subject_id = (uint64_t)sqlite3_column_int64(s, 6),
            .value = statement_bytes(s, 8),
        };
        warehouse_place(sqlite3_column_int64(s, 0), &row);
        int rc = each(ctx, (vtime){sqlite3_column_int64(s, 7)}, &row);
        if (rc != 0) {
            sqlite3_reset(s);
            return rc;
        }
    }
    return more < 0 ? PORT_NO_MEMORY : 0;
}

int fake_warehouse_each_bronze(struct fake_warehouse *w,
                               int (*each)(void *ctx, vtime ingested, const struct bronze_row *row),
                               void *ctx) {
    return each_bronze(w, INT64_MIN, INT64_MAX, each, ctx);
}

int fake_warehouse_each_bronze_of(struct fake_warehouse *w, enum topic_id topic,
                                  int (*each)(void *ctx, vtime ingested,
                                              const struct bronze_row *row),
                                  void *ctx) {
    struct bronze_row place = {.topic = topic};
    int64_t from = warehouse_position(&place);
    return each_bronze(
        w, from, from + (INT64_C(1) << (OFFSET_BITS + EPOCH_BITS + PARTITION_BITS)) - 1, each, ctx);
}

int warehouse_drop_bronze(struct fake_warehouse *w, int64_t position) {
    struct cell cell = cell_integer(position);
    if (warehouse_run(w, DROP_BRONZE, &cell, 1) != 0) {
        return PORT_NO_MEMORY;
    }
    w->counts.bronze--;
    if (warehouse_run(w, DROP_BRONZE_SECOND, &cell, 1) != 0) {
        return PORT_NO_MEMORY;
    }
    w->counts.bronze -= (uint64_t)sqlite3_changes(w->db);
    return 0;
}

int fake_warehouse_raw(struct fake_warehouse *w, enum topic_id topic, uint32_t partition,
                       uint32_t epoch, int64_t offset, struct bytes *value) {
    struct bronze_row place = {
        .topic = topic, .partition = partition, .epoch = epoch, .offset = offset};
    sqlite3_stmt *s = w->statements[READ_RAW];
    sqlite3_reset(s);
    sqlite3_bind_int64(s, 1, warehouse_position(&place));
    int found = statement_row(s);
    if (found == 1) {
        *value = statement_bytes(s, 0);
    }
    return found < 0 ? PORT_NO_MEMORY : found;
}
