#include "scenarios/scenario_draw.h"

#include <stdio.h>
#include <string.h>

#include "scenarios/quantity.h"
#include "sim/prng.h"

static void profile_text(const void *value, char *text, size_t size) {
    uint32_t profile;
    memcpy(&profile, value, sizeof profile);
    snprintf(text, size, "%s", vector_profile_name((enum vector_profile_id)profile));
}

static void protocol_text(const void *value, char *text, size_t size) {
    enum fake_kafka_protocol protocol;
    memcpy(&protocol, value, sizeof protocol);
    snprintf(text, size, "%s", fake_kafka_protocol_name(protocol));
}

static void flag_text(const void *value, char *text, size_t size) {
    bool flag;
    memcpy(&flag, value, sizeof flag);
    snprintf(text, size, "%s", flag ? "true" : "false");
}

static void duration_text(const void *value, char *text, size_t size) {
    int64_t ns;
    char duration[DURATION_TEXT_SIZE];
    memcpy(&ns, value, sizeof ns);
    quantity_duration_format(ns, duration);
    snprintf(text, size, "%s", ns == 0 ? "off" : duration);
}

/* Where a setting is, how large, and where its list is. */
static const struct drawable {
    const char *key;
    size_t offset, size;
    size_t list_offset, count_offset;
    void (*text)(const void *value, char *text, size_t size);
} drawables[] = {
#define DRAWABLE(key, member, list, write)                                                         \
    {                                                                                              \
        key, offsetof(struct scenario, member), sizeof((struct scenario *)NULL)->member,           \
            offsetof(struct scenario, draw.list), offsetof(struct scenario, draw.list##_count),    \
            write,                                                                                 \
    }
    DRAWABLE("vectors.profile", vectors.profile, profiles, profile_text),
    DRAWABLE("keywords.gc_deletes", keyword_gc_deletes_ns, keyword_gc_deletes, duration_text),
    DRAWABLE("pipeline.rebalance", rebalance, rebalances, protocol_text),
    DRAWABLE("pipeline.idempotent_producers", pipeline.idempotent, idempotent, flag_text),
    DRAWABLE("pipeline.unclean_leaders", pipeline.verify_outputs, unclean_leaders, flag_text),
    DRAWABLE("explore_ties", explore_ties, explore_ties, flag_text),
#undef DRAWABLE
};

enum { DRAWABLES = sizeof drawables / sizeof *drawables };

static size_t list_of(const struct scenario *scenario, const struct drawable *d,
                      const char **values) {
    size_t count;
    memcpy(values, (const char *)scenario + d->list_offset, sizeof *values);
    memcpy(&count, (const char *)scenario + d->count_offset, sizeof count);
    return count;
}

void scenario_draw(struct scenario *scenario, uint64_t seed) {
    for (size_t i = 0; i < DRAWABLES; i++) {
        const struct drawable *d = &drawables[i];
        const char *values;
        size_t count = list_of(scenario, d, &values);
        if (count == 0) {
            continue;
        }
        char name[64];
        struct prng stream;
        snprintf(name, sizeof name, "draw %s", d->key);
        prng_init(&stream, seed, name);
        memcpy((char *)scenario + d->offset, values + prng_below(&stream, count) * d->size,
               d->size);
    }
}

bool scenario_drawn(const struct scenario *scenario, size_t i, struct scenario_drawn *out) {
    for (size_t at = 0; at < DRAWABLES; at++) {
        const struct drawable *d = &drawables[at];
        const char *values;
        if (list_of(scenario, d, &values) > 0 && i-- == 0) {
            out->key = d->key;
            d->text((const char *)scenario + d->offset, out->value, sizeof out->value);
            return true;
        }
    }
    return false;
}
