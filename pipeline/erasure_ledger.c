#include "pipeline/erasure_ledger.h"

#include <errno.h>
#include <stdlib.h>

#include "pipeline/array.h"

void erasure_ledger_init(struct erasure_ledger *ledger) {
    *ledger = (struct erasure_ledger){.items = NULL};
    id_map_init(&ledger->listings);
    id_map_init(&ledger->sellers);
}

void erasure_ledger_release(struct erasure_ledger *ledger) {
    id_map_release(&ledger->listings);
    id_map_release(&ledger->sellers);
    free(ledger->items);
}

struct stamp erasure_ledger_stamp(const struct erasure_ledger *ledger, enum erasure_scope scope,
                                  uint64_t id) {
    uint32_t at = id_map_get(scope == ERASURE_SELLER ? &ledger->sellers : &ledger->listings, id);
    return at == ID_MAP_NONE ? STAMP_NONE : ledger->items[at].stamp;
}

static void mark(struct erasure_ledger *ledger, struct erased *item, bool dirty) {
    ledger->dirty_count += dirty;
    ledger->dirty_count -= item->dirty;
    item->dirty = dirty;
}

int erasure_ledger_learn(struct erasure_ledger *ledger, enum erasure_scope scope, uint64_t id,
                         struct stamp stamp) {
    struct id_map *index = scope == ERASURE_SELLER ? &ledger->sellers : &ledger->listings;
    uint32_t at = id_map_get(index, id);
    if (at == ID_MAP_NONE) {
        if (ARRAY_RESERVE(ledger->items, ledger->capacity, ledger->count + 1) != 0 ||
            id_map_put_index(index, id, ledger->count) != 0) {
            return -ENOMEM;
        }
        at = (uint32_t)ledger->count++;
        ledger->items[at] = (struct erased){.scope = scope, .id = id, .stamp = STAMP_NONE};
    }
    struct erased *item = &ledger->items[at];
    if (stamp_compare(stamp, item->stamp) <= 0) {
        return 0;
    }
    item->stamp = stamp;
    mark(ledger, item, true);
    return 1;
}

void erasure_ledger_saved(struct erasure_ledger *ledger, struct erased *item) {
    mark(ledger, item, false);
}

void erased_encode(const struct erased *erased, char *buffer) {
    char *at = wire_put(buffer, erased->scope, 1);
    at = wire_put(at, erased->id, 8);
    at = wire_put(at, (uint64_t)erased->stamp.ts.ns, 8);
    at = wire_put(at, erased->stamp.id.hi, 8);
    wire_put(at, erased->stamp.id.lo, 8);
}

int erasure_ledger_restore(struct erasure_ledger *ledger, uint64_t entry,
                           struct wire_reader *reader) {
    enum erasure_scope scope = (enum erasure_scope)wire_get(reader, 1);
    uint64_t id = wire_get(reader, 8);
    struct stamp stamp;
    stamp.ts.ns = (int64_t)wire_get(reader, 8);
    stamp.id.hi = wire_get(reader, 8);
    stamp.id.lo = wire_get(reader, 8);
    if (reader->failed || (scope != ERASURE_LISTING && scope != ERASURE_SELLER)) {
        return -EINVAL;
    }
    int learnt = erasure_ledger_learn(ledger, scope, id, stamp);
    if (learnt < 0) {
        return learnt;
    }
    uint32_t at = id_map_get(scope == ERASURE_SELLER ? &ledger->sellers : &ledger->listings, id);
    ledger->items[at].entry = entry;
    mark(ledger, &ledger->items[at], false);
    return 0;
}
