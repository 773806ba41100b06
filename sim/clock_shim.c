/* The form of the shim that is linked into the simulator. See clock_shim.h. */
#define _GNU_SOURCE 1
#include "sim/clock_shim.h"
#include "sim/clock_shim_parts.h"
#include <stdio.h>
#include <stdlib.h>

_Thread_local struct clock_shim_state clock_shim_state;

static const char *const linked[] __attribute__((used)) = {&shim_calls_linked, &shim_waits_linked};

static clock_shim_hook *offence_hook;
static void *offence_ctx;

void clock_shim_enter(vtime start, uint64_t seed) {
    assert(!clock_shim_state.inside);
    clock_shim_state = (struct clock_shim_state){.now_ns = start.ns, .seed = seed, .inside = true};
}

void clock_shim_leave(void) {
    assert(clock_shim_state.inside && clock_shim_state.guard == NULL);
    clock_shim_state.inside = false;
}

void clock_shim_set_hook(clock_shim_hook *hook, void *ctx) {
    offence_hook = hook;
    offence_ctx = ctx;
}

int64_t clock_shim_real_monotonic_ns(void) {
    return shim_real_ns(CLOCK_MONOTONIC);
}

static void report_offence(const char *function, const void *caller) {
    char name[256];
    char place[512];
    char sentence[1024];
    struct clock_shim_offence offence = {
        .function = function,
        .caller = name,
        .guard = clock_shim_state.guard,
        .sentence = sentence,
    };
    shim_caller_name(caller, name, sizeof(name), place, sizeof(place));
    snprintf(
        sentence, sizeof(sentence),
        "murphy: %s() was called by %s (%s) while the core was stepping \"%s\": the core reads "
        "no clock, sleeps for nothing and draws no randomness; its event brings the time",
        function, name, place, offence.guard);
    if (offence_hook == NULL) {
        fprintf(stderr, "%s\n", sentence);
        abort();
    }
    offence_hook(&offence, offence_ctx);
}

bool shim_begin(enum shim_kind kind, const char *function, const void *caller) {
    (void)kind;
    if (!clock_shim_state.inside) {
        return false;
    }
    if (clock_shim_state.guard != NULL) {
        report_offence(function, caller);
    }
    return true;
}

/* In a simulation both clocks are one: nothing sets the wall clock there. */
int64_t shim_read_ns(enum shim_clock clock) {
    (void)clock;
    return clock_shim_state.now_ns;
}

int64_t shim_peek_ns(enum shim_clock clock) {
    return shim_read_ns(clock);
}

/* Until the simulator sets the time again, a program that sleeps finds its deadline reached. */
int shim_sleep_until(enum shim_clock clock, int64_t deadline_ns) {
    (void)clock;
    if (deadline_ns > clock_shim_state.now_ns) {
        clock_shim_state.now_ns = deadline_ns;
    }
    return 0;
}

int64_t shim_slice_ns(enum shim_clock clock, int64_t deadline_ns) {
    (void)clock;
    (void)deadline_ns;
    return 0;
}

bool shim_expired(enum shim_clock clock, int64_t deadline_ns) {
    shim_sleep_until(clock, deadline_ns);
    return true;
}

void shim_draw(uint64_t *words, size_t count) {
    for (size_t i = 0; i < count; i++) {
        words[i] = shim_random_word(clock_shim_state.seed, clock_shim_state.drawn_words++);
    }
}
