#include "sim/trace.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <xxhash.h>

#define CHECKPOINT_EVERY_DEFAULT 256
#define CHECKPOINTS_MAX_DEFAULT 4096

void trace_hash_format(struct trace_hash hash, char text[TRACE_HASH_TEXT_SIZE]) {
    snprintf(text, TRACE_HASH_TEXT_SIZE, "%016" PRIx64 "%016" PRIx64, hash.hi, hash.lo);
}

static struct trace_hash from_xxh128(XXH128_hash_t hash) {
    return (struct trace_hash){hash.high64, hash.low64};
}

struct trace_hash trace_digest(struct bytes payload) {
    return from_xxh128(XXH3_128bits(payload.data, payload.len));
}

bool trace_event_equal(const struct trace_event *a, const struct trace_event *b) {
    return a->sequence == b->sequence && a->at.ns == b->at.ns && a->actor == b->actor &&
           a->kind == b->kind && trace_hash_equal(a->digest, b->digest);
}

int trace_init(struct trace *t, const struct trace_options *options) {
    static const struct trace_options defaults = {0};
    const struct trace_options *o = options != NULL ? options : &defaults;
    t->checkpoints_max = o->checkpoints_max != 0 ? o->checkpoints_max : CHECKPOINTS_MAX_DEFAULT;
    t->checkpoint_every = o->checkpoint_every != 0 ? o->checkpoint_every : CHECKPOINT_EVERY_DEFAULT;
    assert(t->checkpoints_max >= 2);
    t->checkpoint_next = t->checkpoint_every;
    t->checkpoint_count = 0;
    t->position = 0;
    t->window = (struct trace_window){0, 0};
    t->recorded = NULL;
    t->batched = 0;
    t->checkpoints = calloc(t->checkpoints_max, sizeof *t->checkpoints);
    t->hasher = XXH3_createState();
    if (t->checkpoints == NULL || t->hasher == NULL) {
        trace_release(t);
        return -ENOMEM;
    }
    XXH3_128bits_reset(t->hasher);
    return 0;
}

void trace_release(struct trace *t) {
    XXH3_freeState(t->hasher);
    free(t->checkpoints);
    free(t->recorded);
    t->hasher = NULL;
    t->checkpoints = NULL;
    t->recorded = NULL;
}

int trace_record_window(struct trace *t, struct trace_window window) {
    assert(window.from >= t->position && window.from <= window.to);
    uint64_t length = window.to - window.from;
    free(t->recorded);
    t->recorded = NULL;
    t->window = (struct trace_window){0, 0};
    if (length == 0) {
        return 0;
    }
    if (length > SIZE_MAX / sizeof *t->recorded) {
        return -ENOMEM;
    }
    t->recorded = malloc((size_t)length * sizeof *t->recorded);
    if (t->recorded == NULL) {
        return -ENOMEM;
    }
    t->window = window;
    return 0;
}

/* Written so that compilers make one store of it, on little-endian machines, without assuming one.
 */
static inline void store_le64(unsigned char *out, uint64_t v) {
    out[0] = (unsigned char)v;
    out[1] = (unsigned char)(v >> 8);
    out[2] = (unsigned char)(v >> 16);
    out[3] = (unsigned char)(v >> 24);
    out[4] = (unsigned char)(v >> 32);
    out[5] = (unsigned char)(v >> 40);
    out[6] = (unsigned char)(v >> 48);
    out[7] = (unsigned char)(v >> 56);
}

static inline void serialise(const struct trace_event *e, unsigned char out[TRACE_EVENT_BYTES]) {
    store_le64(out, e->sequence);
    store_le64(out + 8, (uint64_t)e->at.ns);
    store_le64(out + 16, (uint64_t)e->kind << 32 | e->actor); /* actor first, being little-endian */
    store_le64(out + 24, e->digest.lo);
    store_le64(out + 32, e->digest.hi);
}

static void flush_batch(struct trace *t) {
    XXH_errorcode status = XXH3_128bits_update(t->hasher, t->batch, t->batched * TRACE_EVENT_BYTES);
    assert(status == XXH_OK);
    (void)status;
    t->batched = 0;
}

/* Keeps every second checkpoint: those that would have been taken at twice the distance. */
static void thin_checkpoints(struct trace *t) {
    size_t kept = 0;
    for (size_t i = 1; i < t->checkpoint_count; i += 2) {
        t->checkpoints[kept++] = t->checkpoints[i];
    }
    t->checkpoint_count = kept;
    t->checkpoint_every *= 2;
}

/*
 * Only checkpoints at multiples of the distance are kept. After thinning, the position at hand need
 * not be one.
 */
static void take_checkpoint(struct trace *t) {
    if (t->checkpoint_count == t->checkpoints_max) {
        thin_checkpoints(t);
    }
    if (t->position % t->checkpoint_every == 0) {
        flush_batch(t);
        t->checkpoints[t->checkpoint_count++] =
            (struct trace_checkpoint){t->position, from_xxh128(XXH3_128bits_digest(t->hasher))};
    }
    t->checkpoint_next = (t->position / t->checkpoint_every + 1) * t->checkpoint_every;
}

void trace_add(struct trace *t, const struct trace_event *event) {
    uint64_t into_window = t->position - t->window.from; /* wraps before it */
    if (into_window < t->window.to - t->window.from) {
        t->recorded[into_window] = *event;
    }
    serialise(event, t->batch + t->batched * TRACE_EVENT_BYTES);
    t->batched++;
    t->position++;
    if (t->batched == TRACE_BATCH_EVENTS) {
        flush_batch(t);
    }
    if (t->position == t->checkpoint_next) {
        take_checkpoint(t);
    }
}

uint64_t trace_count(const struct trace *t) {
    return t->position;
}

struct trace_hash trace_hash_of(struct trace *t) {
    flush_batch(t);
    return from_xxh128(XXH3_128bits_digest(t->hasher));
}

const struct trace_event *trace_recorded(const struct trace *t, uint64_t position) {
    bool held = position >= t->window.from && position < t->window.to && position < t->position;
    return held ? &t->recorded[position - t->window.from] : NULL;
}

struct trace_outline trace_outline_of(struct trace *t) {
    return (struct trace_outline){
        .checkpoints = t->checkpoints,
        .checkpoint_count = t->checkpoint_count,
        .count = t->position,
        .hash = trace_hash_of(t),
    };
}

/* The end of a run is the checkpoint after its last one; it may stand at the same position. */
static struct trace_checkpoint checkpoint_at(const struct trace_outline *o, size_t i) {
    assert(i <= o->checkpoint_count);
    return i < o->checkpoint_count ? o->checkpoints[i]
                                   : (struct trace_checkpoint){o->count, o->hash};
}

static uint64_t lesser(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

bool trace_first_difference(const struct trace_outline *a, const struct trace_outline *b,
                            struct trace_window *window) {
    if (a->count == b->count && trace_hash_equal(a->hash, b->hash)) {
        return false;
    }
    size_t i = 0;
    size_t j = 0;
    *window = (struct trace_window){0, lesser(a->count, b->count) + 1};
    while (i <= a->checkpoint_count && j <= b->checkpoint_count) {
        struct trace_checkpoint x = checkpoint_at(a, i);
        struct trace_checkpoint y = checkpoint_at(b, j);
        if (x.position == y.position && !trace_hash_equal(x.hash, y.hash)) {
            window->to = x.position;
            break;
        }
        if (x.position == y.position) {
            window->from = x.position;
        }
        i += x.position <= y.position;
        j += y.position <= x.position;
    }
    return true;
}

bool trace_window_difference(const struct trace *a, const struct trace *b, uint64_t *position) {
    uint64_t from = a->window.from > b->window.from ? a->window.from : b->window.from;
    uint64_t to = lesser(a->window.to, b->window.to);
    for (uint64_t at = from; at < to; at++) {
        const struct trace_event *x = trace_recorded(a, at);
        const struct trace_event *y = trace_recorded(b, at);
        if (x == NULL && y == NULL) {
            return false;
        }
        if (x == NULL || y == NULL || !trace_event_equal(x, y)) {
            *position = at;
            return true;
        }
    }
    return false;
}

#define TIME_TEXT_SIZE 48

/*
 * RFC 3339 in UTC with nine decimals. The date is counted from 0000-03-01, so that the leap day is
 * the last of its year and months have the same lengths in all years, in eras of 400 years.
 */
static void format_time(vtime at, char text[TIME_TEXT_SIZE]) {
    int64_t day_ns = at.ns % VTIME_DAY;
    int64_t days = at.ns / VTIME_DAY;
    if (day_ns < 0) {
        day_ns += VTIME_DAY;
        days--;
    }
    int64_t since_march =
        days + 719468; /* the epoch, counted from 0000-03-01; never negative here */
    int64_t era = since_march / 146097;
    int64_t day_of_era = since_march % 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    int64_t day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    int64_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    int64_t year = era * 400 + year_of_era + (month <= 2);
    snprintf(text, TIME_TEXT_SIZE,
             "%04" PRId64 "-%02" PRId64 "-%02" PRId64 "T%02" PRId64 ":%02" PRId64 ":%02" PRId64
             ".%09" PRId64 "Z",
             year, month, day, day_ns / VTIME_HOUR, day_ns / VTIME_MINUTE % 60,
             day_ns / VTIME_SECOND % 60, day_ns % VTIME_SECOND);
}

#define NUMBER_TEXT_SIZE 24

/* The name, or, where there is none, the word and the number in TEXT. */
static const char *name_or_number(const char *name, const char *word, uint32_t number,
                                  char text[NUMBER_TEXT_SIZE]) {
    if (name != NULL) {
        return name;
    }
    snprintf(text, NUMBER_TEXT_SIZE, "%s-%" PRIu32, word, number);
    return text;
}

int trace_event_format(const struct trace_event *event, const struct trace_names *names, char *text,
                       size_t size) {
    static const struct trace_names none = {0};
    const struct trace_names *n = names != NULL ? names : &none;
    const char *actor = n->actor_name != NULL ? n->actor_name(n->ctx, event->actor) : NULL;
    const char *kind = n->kind_name != NULL ? n->kind_name(n->ctx, event->kind) : NULL;
    char actor_text[NUMBER_TEXT_SIZE];
    char kind_text[NUMBER_TEXT_SIZE];
    char time_text[TIME_TEXT_SIZE];
    char digest_text[TRACE_HASH_TEXT_SIZE];
    format_time(event->at, time_text);
    trace_hash_format(event->digest, digest_text);
    return snprintf(text, size, "#%" PRIu64 " %s %s %s %s", event->sequence, time_text,
                    name_or_number(actor, "actor", event->actor, actor_text),
                    name_or_number(kind, "kind", event->kind, kind_text), digest_text);
}
