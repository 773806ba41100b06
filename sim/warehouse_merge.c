#include <xxhash.h>

#include "sim/warehouse_parts.h"

/* Rows of former loads say nothing any more: their table is kept small, near the processor. */
enum { MERGED_KEPT_MAX = 1024 };

void warehouse_merge_begin(struct fake_warehouse *w) {
    w->batch++;
    if (id_map_count(&w->merged) > MERGED_KEPT_MAX) {
        id_map_release(&w->merged);
    }
}

static uint64_t key_hash(enum merge_table table, uint64_t key, uint64_t more) {
    const uint64_t words[] = {(uint64_t)table, key, more};
    return XXH3_64bits(words, sizeof words);
}

enum merge_turn warehouse_merge_turn(const struct fake_warehouse *w, enum merge_table table,
                                     uint64_t key, uint64_t more) {
    uint64_t hash = key_hash(table, key, more);
    const struct id_map_entry *entry =
        w->merge == WAREHOUSE_ROW_BY_ROW ? NULL : id_map_find(&w->merged, hash);
    if (entry == NULL || entry->value.number >> 1 != w->batch) {
        return MERGE_FIRST;
    }
    bool matched = (entry->value.number & 1) != 0;
    if (!matched) {
        return MERGE_INSERTS;
    }
    if (w->merge == WAREHOUSE_MERGE_REFUSES) {
        return MERGE_REFUSED;
    }
    return (hash + w->batch) * UINT64_C(0x9e3779b97f4a7c15) >> 63 != 0 ? MERGE_WINS : MERGE_LOSES;
}

int warehouse_merge_took(struct fake_warehouse *w, enum merge_table table, uint64_t key,
                         uint64_t more, bool matched) {
    if (w->merge == WAREHOUSE_ROW_BY_ROW) {
        return 0;
    }
    union id_map_value value = {.number = (uint64_t)w->batch << 1 | matched};
    return id_map_put(&w->merged, key_hash(table, key, more), value) < 0 ? PORT_NO_MEMORY : 0;
}
