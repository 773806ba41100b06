/*
 * What is usual: the last counts of some thing by window, so that a window can be held against
 * them. Windows in which something was wrong are not taught, or an accident would become the rule.
 */
#ifndef MURPHY_PIPELINE_USUAL_H
#define MURPHY_PIPELINE_USUAL_H

#include <stdbool.h>
#include <stdint.h>

#include "pipeline/wire.h"

enum { USUAL_WINDOWS = 32, USUAL_LEARNT = 2 };

struct usual {
    uint64_t counts[USUAL_WINDOWS]; /* a ring */
    uint64_t windows;               /* ever taught */
};

static inline uint64_t usual_kept(const struct usual *usual) {
    return usual->windows < USUAL_WINDOWS ? usual->windows : USUAL_WINDOWS;
}

static inline void usual_learn(struct usual *usual, uint64_t count) {
    usual->counts[usual->windows++ % USUAL_WINDOWS] = count;
}

/* Windows enough to say what is usual. */
static inline bool usual_is_known(const struct usual *usual) {
    return usual->windows >= USUAL_LEARNT;
}

/* The mean, to the nearest; 0 without windows. */
static inline uint64_t usual_mean(const struct usual *usual) {
    uint64_t kept = usual_kept(usual);
    uint64_t sum = 0;
    for (uint64_t i = 0; i < kept; i++) {
        sum += usual->counts[i];
    }
    return kept == 0 ? 0 : (sum + kept / 2) / kept;
}

/* For checkpoints. */
#define USUAL_BYTES_MAX (8 + 8 * USUAL_WINDOWS)

static inline char *usual_put(char *at, const struct usual *usual) {
    at = wire_put(at, usual->windows, 8);
    for (uint64_t i = 0; i < usual_kept(usual); i++) {
        at = wire_put(at, usual->counts[i], 8);
    }
    return at;
}

static inline struct usual usual_get(struct wire_reader *reader) {
    struct usual usual = {.windows = wire_get(reader, 8)};
    for (uint64_t i = 0; i < usual_kept(&usual); i++) {
        usual.counts[i] = wire_get(reader, 8);
    }
    return usual;
}

#endif
