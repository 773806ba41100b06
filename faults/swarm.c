#include <stdio.h>

#include "faults/faults.h"
#include "faults/pipeline_states.h"
#include "sim/prng.h"

/* Intensities are so many eighths of what is stated. */
#define LEVELS 8
/* How much more often a fault strikes in the one state that it waits for. */
#define FOCUSED 4

/* The share of kinds that a seed has, in quarters: 1 to 3. */
static uint64_t density(uint64_t seed) {
    struct prng stream;
    prng_init(&stream, seed, "swarm density");
    return 1 + prng_below(&stream, 3);
}

static bool has_kind(uint64_t seed, enum fault_kind kind) {
    char name[FAULT_STREAM_TEXT];
    struct prng stream;
    snprintf(name, sizeof name, "swarm kind %s", fault_table()[kind].name);
    prng_init(&stream, seed, name);
    return prng_below(&stream, 4) < density(seed);
}

static int64_t part(struct prng *stream, int64_t stated_ns) {
    int64_t levels = (int64_t)prng_below(stream, LEVELS) + 1;
    int64_t drawn_ns = stated_ns / LEVELS * levels;
    return stated_ns == 0 || drawn_ns > 0 ? drawn_ns : 1;
}

static void temper(struct fault *fault, struct prng *stream) {
    if (fault->ratio_num > 0) {
        fault->ratio_num *= (uint32_t)prng_below(stream, LEVELS) + 1;
        fault->ratio_den *= LEVELS;
    }
    fault->every_ns *= (int64_t)prng_below(stream, LEVELS) + 1;
    fault->delay_ns = part(stream, fault->delay_ns);
    fault->down_ns = part(stream, fault->down_ns);
}

/* Strikes only in one state of the pipeline, but there more often: many states are short. */
static void focus(struct fault *fault, struct prng *stream) {
    fault->when = 1 + (uint32_t)prng_below(stream, PIPELINE_STATE_COUNT);
    uint64_t num = (uint64_t)fault->ratio_num * FOCUSED, most = fault->ratio_den / 2;
    if (fault->ratio_num > 0 && fault->ratio_num < most) {
        fault->ratio_num = (uint32_t)(num < most ? num : most);
    }
    if (fault->every_ns > 0) {
        fault->every_ns = fault->every_ns / FOCUSED + 1;
    }
}

void faults_swarm(struct fault *faults, size_t count, uint64_t seed, uint32_t focus_ppm) {
    for (size_t i = 0; i < count; i++) {
        if (faults[i].always) {
            continue;
        }
        char name[FAULT_STREAM_TEXT];
        struct prng stream;
        fault_stream_name(faults, i, "swarm", name);
        prng_init(&stream, seed, name);
        faults[i].off = !has_kind(seed, faults[i].kind) || prng_below(&stream, 4) == 0;
        temper(&faults[i], &stream);
        if (prng_ratio(&stream, focus_ppm, 1000000) && faults[i].when == 0) {
            focus(&faults[i], &stream);
        }
    }
}
