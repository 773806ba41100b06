/*
 * Freshness: samples that wait to be visible, histograms, and what each minute was like.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/array.h"
#include "sim/oracle_parts.h"

/* A series longer than this halves: neighbours become one of twice the width. */
enum { MINUTES_MAX = 4096 };

/* ---- Samples ---- */

void freshness_init(struct oracle *o) {
    for (size_t i = 0; i < ORACLE_FRESH_STORES; i++) {
        o->fresh[i].waiting = (struct sample_list){SAMPLE_NONE, SAMPLE_NONE};
    }
    o->free_sample = SAMPLE_NONE;
    o->minute_ns = VTIME_MINUTE;
    o->minute_end = vtime_add(o->options.start, o->minute_ns);
    for (size_t i = 0; i < PULSE_COUNT; i++) {
        o->pulses[i].until = o->options.traffic_end;
    }
}

void freshness_release(struct oracle *o) {
    for (size_t i = 0; i < ORACLE_FRESH_STORES; i++) {
        free(o->fresh[i].minutes.items);
    }
    for (size_t i = 0; i < FEED_COUNT; i++) {
        free(o->feeds[i].items);
    }
    free(o->samples);
}

enum store_id oracle_fresh_store(size_t i) {
    static const enum store_id stores[ORACLE_FRESH_STORES] = {STORE_VECTOR_FUSED, STORE_KEYWORD,
                                                              STORE_GOLD};
    assert(i < ORACLE_FRESH_STORES);
    return stores[i];
}

static uint32_t sample_new(struct oracle *o) {
    uint32_t at = o->free_sample;
    if (at != SAMPLE_NONE) {
        o->free_sample = o->samples[at].next_of_listing;
        return at;
    }
    if (ARRAY_RESERVE(o->samples, o->sample_capacity, o->sample_count + 1) != 0) {
        o->out_of_memory = true;
        return SAMPLE_NONE;
    }
    return (uint32_t)o->sample_count++;
}

static void sample_open(struct oracle *o, size_t store, const struct sample *sample) {
    uint32_t at = sample_new(o);
    if (at == SAMPLE_NONE) {
        return;
    }
    struct fresh_store *fresh = &o->fresh[store];
    struct sample_list *own = &o->listings[sample->listing].waiting[store];
    struct sample *kept = &o->samples[at];
    *kept = *sample;
    kept->next_of_listing = SAMPLE_NONE;
    kept->before = fresh->waiting.last;
    kept->after = SAMPLE_NONE;
    *(kept->before == SAMPLE_NONE ? &fresh->waiting.first : &o->samples[kept->before].after) = at;
    fresh->waiting.last = at;
    *(own->first == SAMPLE_NONE ? &own->first : &o->samples[own->last].next_of_listing) = at;
    own->last = at;
    fresh->pending++;
}

/* The first sample of the listing is visible. */
static void sample_close(struct oracle *o, vtime now, size_t store, uint32_t listing) {
    struct fresh_store *fresh = &o->fresh[store];
    struct sample_list *own = &o->listings[listing].waiting[store];
    uint32_t at = own->first;
    struct sample *sample = &o->samples[at];
    own->first = sample->next_of_listing;
    *(sample->before == SAMPLE_NONE ? &fresh->waiting.first : &o->samples[sample->before].after) =
        sample->after;
    *(sample->after == SAMPLE_NONE ? &fresh->waiting.last : &o->samples[sample->after].before) =
        sample->before;
    fresh->pending--;
    pulse_beat(&o->pulses[PULSE_VECTORS + store], now);
    if (sample->late) {
        fresh->late++;
    } else {
        int64_t lag_ns = vtime_diff(now, sample->log);
        if (fresh->visibility.count == 0 || lag_ns > fresh->visibility.max_ns) {
            fresh->worst_listing = o->listings[listing].id;
            fresh->worst_at = now;
        }
        lag_histogram_count(&fresh->visibility, lag_ns);
        lag_histogram_count(&fresh->event, vtime_diff(now, sample->event));
        lag_histogram_count(&fresh->minutes.current, lag_ns);
    }
    if (o->options.sampled != NULL) {
        o->options.sampled(o->options.ctx, &(struct oracle_sample){
                                               o->listings[listing].id, oracle_fresh_store(store),
                                               sample->position, sample->event, sample->log, now});
    }
    sample->next_of_listing = o->free_sample;
    o->free_sample = at;
}

/* Is a listing that looks like this to be found in the store? */
static bool wanted_in(const struct seen *seen, enum store_id store) {
    return seen_served(seen) &&
           (seen->has_text || (store == STORE_VECTOR_FUSED && seen->images != 0));
}

void freshness_change(struct oracle *o, vtime now, uint32_t listing, const struct seen *before,
                      doc_version position, vtime log, vtime event, bool late) {
    struct oracle_listing *l = &o->listings[listing];
    for (size_t i = 0; i < ORACLE_FRESH_STORES; i++) {
        enum store_id store = oracle_fresh_store(i);
        struct sample sample = {
            .position = position, .log = log, .event = event, .listing = listing, .late = late};
        if (store != STORE_GOLD && !wanted_in(&l->view.seen, store)) {
            if (!wanted_in(before, store)) {
                continue;
            }
            sample.removal = true;
        }
        sample_open(o, i, &sample);
        if (sample.removal && !l->rows[store].present) {
            /* Nobody sees it already, so whatever came before is overtaken. */
            while (l->waiting[i].first != SAMPLE_NONE) {
                sample_close(o, now, i, listing);
            }
        }
    }
}

/* How many of the listing's samples an absent row of that version answers. */
static size_t answered_by_absence(const struct oracle *o, struct sample_list own,
                                  doc_version version) {
    size_t answered = 0;
    size_t count = 0;
    for (uint32_t at = own.first; at != SAMPLE_NONE; at = o->samples[at].next_of_listing) {
        count++;
        if (o->samples[at].removal &&
            (version == DOC_VERSION_NONE || version >= o->samples[at].position)) {
            answered = count;
        }
    }
    return answered;
}

static size_t answered_by_version(const struct oracle *o, struct sample_list own,
                                  doc_version version) {
    size_t count = 0;
    for (uint32_t at = own.first; at != SAMPLE_NONE && o->samples[at].position <= version;
         at = o->samples[at].next_of_listing) {
        count++;
    }
    return count;
}

void freshness_row(struct oracle *o, vtime now, uint32_t listing, enum store_id store,
                   const struct row_state *after) {
    for (size_t i = 0; i < ORACLE_FRESH_STORES; i++) {
        if (oracle_fresh_store(i) != store) {
            continue;
        }
        struct sample_list own = o->listings[listing].waiting[i];
        /* Gold keeps the dead: there the version says it all. */
        size_t answered = store == STORE_GOLD || after->present
                              ? answered_by_version(o, own, after->version)
                              : answered_by_absence(o, own, after->version);
        while (answered-- > 0) {
            sample_close(o, now, i, listing);
        }
    }
}

/* Changes that a store without conditional writes has lost wait for a reconciliation: those that
 * are young are on their way. */
static uint64_t pending_young(const struct oracle *o, const struct fresh_store *fresh) {
    uint64_t pending = 0;
    for (uint32_t at = fresh->waiting.first; at != SAMPLE_NONE; at = o->samples[at].after) {
        pending += vtime_diff(o->now, o->samples[at].log) < 10 * VTIME_MINUTE;
    }
    return pending;
}

uint64_t freshness_pending(const struct oracle *o) {
    uint64_t pending = 0;
    for (size_t i = 0; i < ORACLE_FRESH_STORES; i++) {
        pending += store_conditional(o, oracle_fresh_store(i)) ? o->fresh[i].pending
                                                               : pending_young(o, &o->fresh[i]);
    }
    return pending;
}

struct oracle_freshness oracle_freshness(const struct oracle *o, size_t fresh_store) {
    assert(fresh_store < ORACLE_FRESH_STORES);
    const struct fresh_store *fresh = &o->fresh[fresh_store];
    return (struct oracle_freshness){
        .visibility = &fresh->visibility,
        .event = &fresh->event,
        .pending = fresh->pending,
        .late = fresh->late,
        .worst_listing = fresh->worst_listing,
        .worst_at = fresh->worst_at,
    };
}

/* ---- Feeds ---- */

void freshness_feed(struct oracle *o, enum topic_id topic, vtime append,
                    const struct record *record) {
    struct feed_minutes *feed = &o->feeds[topic];
    feed->appended = true;
    feed->last_append = append;
    feed->records++;
    pulse_beat(&o->pulses[PULSE_FEED + topic], append);
    pulse_beat(&o->pulses[PULSE_ANY_FEED], append);
    if (record == NULL) {
        return;
    }
    int64_t lag_ns = vtime_diff(append, record->stamp.ts);
    lag_histogram_count(&o->feed_lag[topic], lag_ns);
    if (!feed->lag_known || lag_ns > feed->lag_max_ns) {
        feed->lag_max_ns = lag_ns;
        feed->lag_known = true;
    }
}

const struct lag_histogram *oracle_feed_lag(const struct oracle *o, enum topic_id topic) {
    assert(topic < FEED_COUNT);
    return &o->feed_lag[topic];
}

/* ---- Seams ---- */

const struct pulse *oracle_pulse(const struct oracle *o, enum oracle_pulse which) {
    assert(which < PULSE_COUNT);
    return &o->pulses[which];
}

/* ---- Minutes ---- */

static struct oracle_minute minute_join(struct oracle_minute a, struct oracle_minute b) {
    struct oracle_minute joined = b;
    joined.samples += a.samples;
    if (a.samples > 0 && (b.samples == 0 || a.lag_max_ns > b.lag_max_ns)) {
        joined.lag_max_ns = a.lag_max_ns;
    }
    /* The worse of the two: a spike is never averaged away. */
    if (a.samples > 0 && (b.samples == 0 || a.lag_p95_ns > b.lag_p95_ns)) {
        joined.lag_p95_ns = a.lag_p95_ns;
    }
    if (a.pending_age_ns > b.pending_age_ns) {
        joined.pending_age_ns = a.pending_age_ns;
    }
    return joined;
}

static struct oracle_feed_minute feed_minute_join(struct oracle_feed_minute a,
                                                  struct oracle_feed_minute b) {
    struct oracle_feed_minute joined = b;
    joined.records += a.records;
    if (a.records > 0 && (b.records == 0 || a.lag_max_ns > b.lag_max_ns)) {
        joined.lag_max_ns = a.lag_max_ns;
    }
    if (a.silence_ns > b.silence_ns) {
        joined.silence_ns = a.silence_ns;
    }
    return joined;
}

/* Room is short: every two neighbours become one. */
static void minutes_halve(struct oracle *o) {
    for (size_t s = 0; s < ORACLE_FRESH_STORES; s++) {
        struct fresh_minutes *minutes = &o->fresh[s].minutes;
        minutes->count /= 2;
        for (size_t i = 0; i < minutes->count; i++) {
            minutes->items[i] = minute_join(minutes->items[2 * i], minutes->items[2 * i + 1]);
        }
    }
    for (size_t f = 0; f < FEED_COUNT; f++) {
        struct feed_minutes *minutes = &o->feeds[f];
        minutes->count /= 2;
        for (size_t i = 0; i < minutes->count; i++) {
            minutes->items[i] = feed_minute_join(minutes->items[2 * i], minutes->items[2 * i + 1]);
        }
    }
    o->minute_ns *= 2;
}

static int store_minute_close(struct oracle *o, struct fresh_store *fresh, vtime end) {
    struct fresh_minutes *minutes = &fresh->minutes;
    if (ARRAY_RESERVE(minutes->items, minutes->capacity, minutes->count + 1) != 0) {
        return -1;
    }
    struct oracle_minute minute = {.samples = minutes->current.count};
    if (minute.samples > 0) {
        minute.lag_max_ns = minutes->current.max_ns;
        minute.lag_p95_ns = lag_quantile_ns(&minutes->current, 950);
        memset(&minutes->current, 0, sizeof minutes->current);
    }
    if (fresh->waiting.first != SAMPLE_NONE) {
        int64_t age_ns = vtime_diff(end, o->samples[fresh->waiting.first].log);
        minute.pending_age_ns = age_ns > 0 ? age_ns : 0;
    }
    minutes->items[minutes->count++] = minute;
    return 0;
}

static int feed_minute_close(struct feed_minutes *feed, vtime end) {
    if (ARRAY_RESERVE(feed->items, feed->capacity, feed->count + 1) != 0) {
        return -1;
    }
    feed->items[feed->count++] = (struct oracle_feed_minute){
        .records = feed->records,
        .lag_max_ns = feed->lag_known ? feed->lag_max_ns : 0,
        .silence_ns = feed->appended ? vtime_diff(end, feed->last_append) : -1,
    };
    feed->records = 0;
    feed->lag_known = false;
    return 0;
}

/* Sets the end of the minute that runs. */
static void minute_begin(struct oracle *o) {
    if (o->feeds[0].count == MINUTES_MAX) {
        minutes_halve(o);
    }
    o->minute_end = vtime_add(o->options.start, (int64_t)(o->feeds[0].count + 1) * o->minute_ns);
}

static void minute_close(struct oracle *o, vtime end) {
    for (size_t s = 0; s < ORACLE_FRESH_STORES; s++) {
        if (store_minute_close(o, &o->fresh[s], end) != 0) {
            o->out_of_memory = true;
            return;
        }
    }
    for (size_t f = 0; f < FEED_COUNT; f++) {
        if (feed_minute_close(&o->feeds[f], end) != 0) {
            o->out_of_memory = true;
            return;
        }
    }
    minute_begin(o);
}

void freshness_tick(struct oracle *o, vtime now) {
    while (o->minute_end.ns <= now.ns && !o->out_of_memory) {
        minute_close(o, o->minute_end);
    }
}

void freshness_finish(struct oracle *o, vtime now) {
    freshness_tick(o, now);
    if (vtime_diff(now, vtime_add(o->minute_end, -o->minute_ns)) > 0) {
        minute_close(o, now);
    }
}

int64_t oracle_minute_ns(const struct oracle *o) {
    return o->minute_ns;
}

const struct oracle_minute *oracle_minutes(const struct oracle *o, size_t fresh_store,
                                           size_t *count) {
    assert(fresh_store < ORACLE_FRESH_STORES);
    *count = o->fresh[fresh_store].minutes.count;
    return o->fresh[fresh_store].minutes.items;
}

const struct oracle_feed_minute *oracle_feed_minutes(const struct oracle *o, enum topic_id topic,
                                                     size_t *count) {
    assert(topic < FEED_COUNT);
    *count = o->feeds[topic].count;
    return o->feeds[topic].items;
}
