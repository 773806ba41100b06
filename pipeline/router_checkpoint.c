#include <errno.h>

#include "pipeline/router_parts.h"
#include "pipeline/wire.h"

/* Entries are numbered as they are first saved, since ids of listings and of what they name may be
 * any 64 bits and share the one space of keys. An entry says what it is and whose. */
enum {
    ENTRY_WATERMARK = 1,
    ENTRY_NAMED,
    ENTRY_LISTING,
    ENTRY_REGISTRY,
    ENTRY_QUARANTINE,
    ENTRY_ERASED,
    ENTRY_TRAIL
};
enum { WATERMARK_KEY = 0 };

static uint64_t entry_key(struct router_task *task, uint64_t *entry) {
    if (*entry == 0) {
        *entry = ++task->entry_last;
    }
    return *entry;
}

static int save_quarantine(struct router_task *task, struct effect *save, struct state_entry *entry,
                           struct effects *effects) {
    size_t room = 1 + 1 + quarantine_size(&task->quarantine);
    char *value = effect_alloc(effects, save, room);
    if (value == NULL) {
        return -ENOMEM;
    }
    char *at = wire_put(value, ENTRY_QUARANTINE, 1);
    at = wire_put(at, task->drain_wanted || task->draining, 1);
    at = quarantine_encode(&task->quarantine, at);
    entry->key = entry_key(task, &task->quarantine_entry);
    entry->value = (struct bytes){value, (size_t)(at - value)};
    return 0;
}

static int save_trail(struct router_task *task, struct effect *save, struct state_entry *entry,
                      struct effects *effects) {
    if (trail_mark_now(task) != 0) {
        return -ENOMEM;
    }
    size_t size = 1 + trail_size(task);
    char *value = effect_alloc(effects, save, size);
    if (value == NULL) {
        return -ENOMEM;
    }
    trail_encode(task, wire_put(value, ENTRY_TRAIL, 1));
    entry->key = entry_key(task, &task->trail.entry);
    entry->value = (struct bytes){value, size};
    return 0;
}

static int save_named(struct router_task *task, struct named *named, struct effect *save,
                      struct state_entry *entry, struct effects *effects) {
    const struct fact *fact = &named->fact;
    size_t size = 1 + 1 + 8 + 1 + 24 + 4 + fact->value.len;
    char *value = effect_alloc(effects, save, size);
    if (value == NULL) {
        return -ENOMEM;
    }
    char *at = wire_put(value, ENTRY_NAMED, 1);
    at = wire_put(at, fact->kind, 1);
    at = wire_put(at, fact->key, 8);
    at = wire_put(at, fact->code, 1);
    at = wire_put(at, (uint64_t)fact->stamp.ts.ns, 8);
    at = wire_put(at, fact->stamp.id.hi, 8);
    at = wire_put(at, fact->stamp.id.lo, 8);
    wire_put_bytes(at, fact->value);
    entry->key = entry_key(task, &named->entry);
    entry->value = (struct bytes){value, size};
    named->dirty = false;
    return 0;
}

static int save_listing(struct router_task *task, struct routed_listing *listing,
                        struct effect *save, struct state_entry *entry, struct effects *effects) {
    size_t size = 1 + 8 + 9 * (size_t)listing->name_count;
    char *value = effect_alloc(effects, save, size);
    if (value == NULL) {
        return -ENOMEM;
    }
    char *at = wire_put(wire_put(value, ENTRY_LISTING, 1), listing->id, 8);
    for (uint32_t i = 0; i < listing->name_count; i++) {
        const struct fact *fact = &task->named[listing->names[i]].fact;
        at = wire_put(wire_put(at, fact->kind, 1), fact->key, 8);
    }
    entry->key = entry_key(task, &listing->entry);
    entry->value = (struct bytes){value, size};
    listing->dirty = false;
    return 0;
}

int router_save_entries(struct partitioned *router, struct task *head, struct effect *save,
                        struct effects *effects) {
    struct router_task *task = (struct router_task *)head;
    size_t count = 1 + task->ledger.dirty_count;
    count += task->gate.dirty;
    count += has_quarantine(router);
    bool trail = trail_is_kept(router, task);
    count += trail;
    for (size_t i = 0; i < task->named_count; i++) {
        count += task->named[i].dirty;
    }
    for (size_t i = 0; i < task->listing_count; i++) {
        count += task->listings[i].dirty;
    }
    struct state_entry *entry = effect_alloc(effects, save, count * sizeof *entry);
    if (entry == NULL) {
        return -ENOMEM;
    }
    save->save_state.entries = entry;
    save->save_state.count = count;
    for (size_t i = 0; i < task->named_count; i++) {
        struct named *named = &task->named[i];
        if (named->dirty && save_named(task, named, save, entry++, effects) != 0) {
            return -ENOMEM;
        }
    }
    for (size_t i = 0; i < task->listing_count; i++) {
        struct routed_listing *listing = &task->listings[i];
        if (listing->dirty && save_listing(task, listing, save, entry++, effects) != 0) {
            return -ENOMEM;
        }
    }
    for (size_t i = 0; task->ledger.dirty_count > 0 && i < task->ledger.count; i++) {
        struct erased *erased = &task->ledger.items[i];
        if (!erased->dirty) {
            continue;
        }
        char value[1 + ERASED_BYTES];
        erased_encode(erased, wire_put(value, ENTRY_ERASED, 1));
        entry->key = entry_key(task, &erased->entry);
        entry++->value = effect_copy(effects, save, (struct bytes){value, sizeof value});
        erasure_ledger_saved(&task->ledger, erased);
    }
    if (task->gate.dirty) {
        size_t size = registry_encode(&task->gate.registry, NULL);
        char *value = effect_alloc(effects, save, 1 + size);
        if (value == NULL) {
            return -ENOMEM;
        }
        registry_encode(&task->gate.registry, wire_put(value, ENTRY_REGISTRY, 1));
        entry->key = entry_key(task, &task->gate_entry);
        entry++->value = (struct bytes){value, 1 + size};
        task->gate.dirty = false;
    }
    if (has_quarantine(router) && save_quarantine(task, save, entry++, effects) != 0) {
        return -ENOMEM;
    }
    if (trail && save_trail(task, save, entry++, effects) != 0) {
        return -ENOMEM;
    }
    char watermark[1 + 8];
    wire_put(wire_put(watermark, ENTRY_WATERMARK, 1), (uint64_t)task->watermark.ns, 8);
    entry->key = WATERMARK_KEY;
    entry->value = effect_copy(effects, save, (struct bytes){watermark, sizeof watermark});
    return 0;
}

/* The kind of what listings name; 0 when it is none. */
static enum fact_kind kind_get(struct wire_reader *reader) {
    uint64_t kind = wire_get(reader, 1);
    return kind > 0 && kind < FACT_KIND_END ? (enum fact_kind)kind : (enum fact_kind)0;
}

static int restore_named(struct router_task *task, uint64_t entry, struct wire_reader *reader) {
    struct fact fact = {.kind = kind_get(reader), .key = wire_get(reader, 8)};
    fact.code = (uint8_t)wire_get(reader, 1);
    fact.stamp.ts.ns = (int64_t)wire_get(reader, 8);
    fact.stamp.id.hi = wire_get(reader, 8);
    fact.stamp.id.lo = wire_get(reader, 8);
    fact.value = wire_get_bytes(reader);
    if (reader->failed || !fact_sound(&fact)) {
        return -EINVAL;
    }
    int64_t index = named_of(task, fact.kind, fact.key);
    if (index < 0) {
        return -ENOMEM;
    }
    task->named[index].entry = entry;
    return named_learn(&task->named[index], &fact);
}

static int restore_listing(struct router_task *task, uint64_t entry, struct wire_reader *reader) {
    uint64_t id = wire_get(reader, 8);
    while (reader->at != reader->end) {
        enum fact_kind kind = kind_get(reader);
        uint64_t key = wire_get(reader, 8);
        if (reader->failed || kind == 0) {
            return -EINVAL;
        }
        if (listing_names(task, id, kind, key) != 0) {
            return -ENOMEM;
        }
    }
    int64_t index = listing_of(task, id);
    if (index < 0) {
        return -ENOMEM;
    }
    task->listings[index].entry = entry;
    task->listings[index].dirty = false;
    return 0;
}

int router_restore_entry(struct partitioned *router, struct task *head, uint64_t key,
                         struct bytes value) {
    struct router_task *task = (struct router_task *)head;
    struct wire_reader reader = wire_reader_of(value);
    int error = 0;
    switch (wire_get(&reader, 1)) {
    case ENTRY_WATERMARK:
        task->watermark.ns = (int64_t)wire_get(&reader, 8);
        break;
    case ENTRY_NAMED:
        error = restore_named(task, key, &reader);
        break;
    case ENTRY_LISTING:
        error = restore_listing(task, key, &reader);
        break;
    case ENTRY_REGISTRY:
        task->gate_entry = key;
        error = registry_decode(&task->gate.registry,
                                (struct bytes){reader.at, (size_t)(reader.end - reader.at)});
        break;
    case ENTRY_QUARANTINE:
        task->quarantine_entry = key;
        task->drain_wanted = wire_get(&reader, 1) != 0;
        error = quarantine_decode(&task->quarantine, &reader);
        break;
    case ENTRY_ERASED:
        error = erasure_ledger_restore(&task->ledger, key, &reader);
        break;
    case ENTRY_TRAIL:
        task->trail.entry = key;
        error = trail_decode(router, task, &reader);
        break;
    default:
        error = -EINVAL;
    }
    error = error == 0 && reader.failed ? -EINVAL : error;
    task->entry_last = key > task->entry_last ? key : task->entry_last;
    return error;
}
