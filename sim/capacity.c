#include "sim/capacity.h"

static uint64_t load_of(const struct capacity_rates *rates, const struct effect *effect,
                        uint32_t *rate) {
    const struct warehouse_batch *batch = &effect->warehouse;
    *rate = 0;
    switch (effect->kind) {
    case EFFECT_EMBED:
        *rate = rates->embedding;
        return effect->embed.count;
    case EFFECT_WRITE_VECTORS:
        *rate = rates->vectors;
        return effect->vectors.count;
    case EFFECT_WRITE_KEYWORDS:
        *rate = rates->keywords;
        return effect->keywords.count;
    case EFFECT_LOAD_WAREHOUSE:
        *rate = rates->warehouse;
        return batch->bronze_count + batch->silver_count + batch->gold_count + batch->order_count;
    default:
        return 0;
    }
}

vtime capacity_take(struct capacity *capacity, vtime arrival, const struct effect *effect) {
    uint32_t rate;
    uint64_t items = load_of(&capacity->rates, effect, &rate);
    if (rate == 0) {
        return arrival;
    }
    vtime *free_at = &capacity->free_at[effect->kind];
    *free_at = vtime_add(vtime_max(arrival, *free_at), (int64_t)(items * VTIME_SECOND / rate));
    return *free_at;
}
