/*
 * Reading the stores once, by each access path, for the comparison at the end.
 */
#include <stdlib.h>

#include "pipeline/array.h"
#include "sim/oracle_parts.h"

struct scanned_rows scanned_take(struct scanned *s, uint64_t id) {
    while (s->at < s->count && s->rows[s->at].listing_id < id) {
        s->at++;
    }
    struct scanned_rows rows = {0};
    while (s->at < s->count && s->rows[s->at].listing_id == id) {
        rows.first = rows.count == 0 ? &s->rows[s->at] : rows.first;
        rows.count++;
        s->at++;
    }
    return rows;
}

/* One call of a scan; the model is meant for vectors only. */
static int scan_once(struct comparison *c, enum store_id store, uint32_t model_version,
                     enum scan_path path, struct scanned *s) {
    s->count = 0;
    if (store == STORE_GOLD) {
        struct warehouse_port port = fake_warehouse_port(c->stores->warehouse);
        return port.ops->scan(port.ctx, c->now, 0, UINT64_MAX, s->rows, s->capacity, &s->count);
    }
    if (store == STORE_KEYWORD) {
        struct keyword_port port = fake_keyword_port(c->stores->keyword);
        return port.ops->scan(port.ctx, c->now, path, 0, UINT64_MAX, s->rows, s->capacity,
                              &s->count);
    }
    struct vector_port port = fake_vector_db_port(c->stores->vectors);
    return port.ops->scan(port.ctx, c->now, (enum modality)store, model_version, path, 0,
                          UINT64_MAX, s->rows, s->capacity, &s->count);
}

/* All rows of a store by one path, twins included: read again with more room until all fit. */
static bool scan_all(struct comparison *c, enum store_id store, uint32_t model_version,
                     enum scan_path path, struct scanned *s) {
    size_t wanted = c->o->listing_count + 64;
    do {
        if (ARRAY_RESERVE(s->rows, s->capacity, wanted) != 0) {
            return false;
        }
        int error = scan_once(c, store, model_version, path, s);
        if (error == PORT_NOT_FOUND) {
            return true; /* no such collection: every row is missing */
        }
        if (error != PORT_OK) {
            return false;
        }
        wanted = 2 * s->capacity;
    } while (s->count == s->capacity);
    return true;
}

static bool ids_add(struct comparison *c, uint64_t id) {
    if (ARRAY_RESERVE(c->ids, c->id_capacity, c->id_count + 1) != 0) {
        return false;
    }
    c->ids[c->id_count++] = id;
    return true;
}

static bool ids_of(struct comparison *c, const struct scanned *s) {
    for (size_t i = 0; i < s->count; i++) {
        if ((i == 0 || s->rows[i].listing_id != s->rows[i - 1].listing_id) &&
            !ids_add(c, s->rows[i].listing_id)) {
            return false;
        }
    }
    return true;
}

static int id_order_of(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Rows of a store by one path, and whose they are. */
static bool read_rows(struct comparison *c, enum store_id store, uint32_t model_version,
                      enum scan_path path, struct scanned *s) {
    return scan_all(c, store, model_version, path, s) && ids_of(c, s);
}

static bool read_collections(struct comparison *c) {
    for (int lane = 0; lane < LANE_COUNT; lane++) {
        for (int m = 0; m < MODALITY_COUNT; m++) {
            uint32_t model = c->models[lane][m];
            for (int path = 0; model != 0 && path < SCAN_PATH_COUNT; path++) {
                if (!read_rows(c, (enum store_id)m, model, (enum scan_path)path,
                               &c->vectors[lane][m][path])) {
                    return false;
                }
            }
        }
    }
    return true;
}

/* Those that the reference or the log names. */
static bool ids_known(struct comparison *c) {
    const uint64_t *ids;
    size_t count;
    if (reference_ids(c->o->reference, &ids, &count) != 0) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!ids_add(c, ids[i])) {
            return false;
        }
    }
    for (size_t i = 0; i < c->o->listing_count; i++) {
        if (!ids_add(c, c->o->listings[i].id)) {
            return false;
        }
    }
    return true;
}

static void ids_sort(struct comparison *c) {
    if (c->id_count > 0) {
        qsort(c->ids, c->id_count, sizeof *c->ids, id_order_of);
    }
    size_t kept = 0;
    for (size_t i = 0; i < c->id_count; i++) {
        if (kept == 0 || c->ids[kept - 1] != c->ids[i]) {
            c->ids[kept++] = c->ids[i];
        }
    }
    c->id_count = kept;
}

bool comparison_read(struct comparison *c) {
    if (!ids_known(c) || !read_collections(c)) {
        return false;
    }
    for (int path = 0; path < SCAN_PATH_COUNT; path++) {
        if (!read_rows(c, STORE_KEYWORD, 0, (enum scan_path)path, &c->keyword[path])) {
            return false;
        }
    }
    if (!read_rows(c, STORE_GOLD, 0, SCAN_BY_SCAN, &c->gold)) {
        return false;
    }
    ids_sort(c);
    return true;
}
