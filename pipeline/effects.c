#include "pipeline/effects.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_ALIGNMENT = 64, SMALLEST_CLASS_BITS = 10 };

/* The header of a block; its memory follows. Aligned, so that vectors in it are too. */
struct effect_block {
    _Alignas(BLOCK_ALIGNMENT) struct effect_block *next;
    size_t used;
    size_t capacity;
    unsigned size_class; /* EFFECT_POOL_CLASSES: too large to be kept */
};

static char *block_memory(struct effect_block *block) {
    return (char *)(block + 1);
}

static size_t round_up(size_t size) {
    return (size + BLOCK_ALIGNMENT - 1) / BLOCK_ALIGNMENT * BLOCK_ALIGNMENT;
}

void effect_pool_init(struct effect_pool *pool) {
    memset(pool, 0, sizeof *pool);
}

void effect_pool_release(struct effect_pool *pool) {
    for (unsigned i = 0; i < EFFECT_POOL_CLASSES; i++) {
        while (pool->free[i] != NULL) {
            struct effect_block *block = pool->free[i];
            pool->free[i] = block->next;
            free(block);
        }
    }
}

static struct effect_block *block_take(struct effect_pool *pool, size_t size) {
    unsigned size_class = 0;
    while (size_class < EFFECT_POOL_CLASSES &&
           ((size_t)1 << (SMALLEST_CLASS_BITS + size_class)) < size) {
        size_class++;
    }
    bool kept = size_class < EFFECT_POOL_CLASSES;
    size_t capacity = kept ? (size_t)1 << (SMALLEST_CLASS_BITS + size_class) : round_up(size);
    struct effect_block *block;
    if (kept && pool->free[size_class] != NULL) {
        block = pool->free[size_class];
        pool->free[size_class] = block->next;
    } else {
        block = aligned_alloc(BLOCK_ALIGNMENT, sizeof *block + capacity);
        if (block == NULL) {
            return NULL;
        }
        pool->blocks_allocated++;
    }
    block->next = NULL;
    block->used = 0;
    block->capacity = capacity;
    block->size_class = size_class;
    return block;
}

static void block_give_back(struct effect_pool *pool, struct effect_block *block) {
    if (block->size_class == EFFECT_POOL_CLASSES) {
        free(block);
        return;
    }
    block->next = pool->free[block->size_class];
    pool->free[block->size_class] = block;
}

void effects_init(struct effects *effects, struct effect_pool *pool) {
    effects->pool = pool;
    effects->first = NULL;
    effects->last = &effects->first;
    effects->out_of_memory = false;
}

struct effect *effects_add(struct effects *effects, enum effect_kind kind, uint64_t request,
                           size_t size_hint) {
    size_t own = round_up(sizeof(struct effect));
    struct effect_block *block = block_take(effects->pool, own + round_up(size_hint));
    if (block == NULL) {
        effects->out_of_memory = true;
        return NULL;
    }
    struct effect *effect = (struct effect *)(void *)block_memory(block);
    memset(effect, 0, sizeof *effect);
    block->used = own;
    effect->kind = kind;
    effect->request = request;
    effect->blocks = block;
    *effects->last = effect;
    effects->last = &effect->next;
    return effect;
}

void *effect_alloc_raw(struct effects *effects, struct effect *effect, size_t size) {
    size = round_up(size);
    struct effect_block *block = effect->blocks;
    if (block->capacity - block->used < size) {
        /* Grow by doubling, so that an effect of unknown size needs few blocks. */
        size_t wanted = size > 2 * block->capacity ? size : 2 * block->capacity;
        struct effect_block *more = block_take(effects->pool, wanted);
        if (more == NULL) {
            effects->out_of_memory = true;
            return NULL;
        }
        more->next = block;
        effect->blocks = block = more;
    }
    void *memory = block_memory(block) + block->used;
    block->used += size;
    return memory;
}

void *effect_alloc(struct effects *effects, struct effect *effect, size_t size) {
    void *memory = effect_alloc_raw(effects, effect, size);
    return memory == NULL ? NULL : memset(memory, 0, size);
}

struct bytes effect_copy(struct effects *effects, struct effect *effect, struct bytes bytes) {
    if (bytes.len == 0) {
        return (struct bytes){NULL, 0};
    }
    char *copy = effect_alloc_raw(effects, effect, bytes.len);
    if (copy == NULL) {
        return (struct bytes){NULL, 0};
    }
    memcpy(copy, bytes.data, bytes.len);
    return (struct bytes){copy, bytes.len};
}

void effects_alert(struct effects *effects, const char *name, const char *subject,
                   enum alert_state state, struct bytes evidence) {
    struct effect *alert = effects_add(effects, EFFECT_ALERT, 0, 0);
    if (alert != NULL) {
        alert->alert.name = name;
        alert->alert.subject = subject;
        alert->alert.state = state;
        alert->alert.evidence = effect_copy(effects, alert, evidence);
    }
}

struct effect *effects_take(struct effects *effects) {
    struct effect *effect = effects->first;
    if (effect != NULL) {
        effects->first = effect->next;
        if (effects->first == NULL) {
            effects->last = &effects->first;
        }
        effect->next = NULL;
    }
    return effect;
}

void effect_release(struct effect_pool *pool, struct effect *effect) {
    /* The effect itself lives in the oldest block of the chain: read the chain first. */
    struct effect_block *block = effect->blocks;
    while (block != NULL) {
        struct effect_block *next = block->next;
        block_give_back(pool, block);
        block = next;
    }
}

const char *effect_kind_name(enum effect_kind kind) {
    static const char *const names[EFFECT_COUNT] = {
        [EFFECT_LOAD_STATE] = "load-state",
        [EFFECT_SAVE_STATE] = "save-state",
        [EFFECT_FETCH] = "fetch",
        [EFFECT_OUTBOX_FETCH] = "outbox-fetch",
        [EFFECT_PRODUCE] = "produce",
        [EFFECT_EMBED] = "embed",
        [EFFECT_WRITE_VECTORS] = "write-vectors",
        [EFFECT_WRITE_KEYWORDS] = "write-keywords",
        [EFFECT_LOAD_WAREHOUSE] = "load-warehouse",
        [EFFECT_REFRESH_DASHBOARD] = "refresh-dashboard",
        [EFFECT_SCAN] = "scan",
        [EFFECT_REPUBLISH] = "republish",
        [EFFECT_BLOCK_SELLERS] = "block-sellers",
        [EFFECT_OBSERVE_FEEDS] = "observe-feeds",
        [EFFECT_VECTOR_ADMIN] = "vector-admin",
        [EFFECT_READ_VECTORS] = "read-vectors",
        [EFFECT_SEARCH] = "search",
        [EFFECT_ERASE] = "erase",
        [EFFECT_RESEND] = "resend",
        [EFFECT_TIMER] = "timer",
        [EFFECT_COMMIT] = "commit",
        [EFFECT_TRIM_OUTBOX] = "trim-outbox",
        [EFFECT_REPAIR] = "repair",
        [EFFECT_ALERT] = "alert",
        [EFFECT_REPORT] = "report",
        [EFFECT_READ_SALES] = "read-sales",
        [EFFECT_OPEN_CHANNELS] = "open-channels",
        [EFFECT_REPUBLISH_SALES] = "republish-sales",
        [EFFECT_BATCH_REPORT] = "batch-report",
    };
    assert(kind < EFFECT_COUNT);
    return names[kind];
}

const char *erase_target_name(enum erase_target target) {
    static const char *const names[ERASE_TARGET_COUNT] = {
        "source", "warehouse", "vectors", "keyword", "state", "artifacts", "artifacts-of-stretch"};
    assert(target < ERASE_TARGET_COUNT);
    return names[target];
}

const char *scan_store_name(enum scan_store store) {
    static const char *const names[SCAN_STORE_COUNT] = {
        "oltp", "gold", "vector-text", "vector-image", "vector-fused", "keyword",
    };
    assert(store < SCAN_STORE_COUNT);
    return names[store];
}

const char *drift_class_name(enum drift_class c) {
    static const char *const names[DRIFT_CLASS_COUNT] = {
        "missing",     "orphan",      "duplicate",         "stale",     "mismatch",
        "resurrected", "wrong_model", "suppressed_served", "in_flight",
    };
    assert(c < DRIFT_CLASS_COUNT);
    return names[c];
}

const char *alert_state_name(enum alert_state state) {
    static const char *const names[] = {"cleared", "warn", "error", "no_data", "info"};
    assert((size_t)state < sizeof names / sizeof *names);
    return names[state];
}

bool item_unsettled(enum item_status status) {
    return status == ITEM_RETRYABLE || status == ITEM_UNKNOWN;
}

void effect_narrow(struct effect *write) {
    size_t kept = 0;
    if (write->kind == EFFECT_WRITE_VECTORS) {
        for (size_t i = 0; i < write->vectors.count; i++) {
            if (item_unsettled(write->vectors.statuses[i])) {
                write->vectors.items[kept++] = write->vectors.items[i];
            }
        }
        write->vectors.count = kept;
        return;
    }
    assert(write->kind == EFFECT_WRITE_KEYWORDS);
    for (size_t i = 0; i < write->keywords.count; i++) {
        if (item_unsettled(write->keywords.statuses[i])) {
            write->keywords.items[kept++] = write->keywords.items[i];
        }
    }
    write->keywords.count = kept;
}
