/*
 * The watch over the feeds (B10): freshness against warn and error thresholds, in the manner of
 * dbt's source freshness, and the volume of deletes and of upserts against what is usual, so that
 * an accident upstream that empties the catalogue, or floods it, is seen when it happens. And over
 * those who read: whether a group is about to lose what it has not read (A16).
 *
 * No data is a state of its own: a feed that never carried a record is not fresh. Alerts are raised
 * and cleared on change of state, not on every look.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/machine_parts.h"
#include "pipeline/sentence.h"
#include "pipeline/usual.h"

enum { TIMER_LOOK = 1 };

/* What is counted of a feed, each by itself. */
enum volume_op { VOLUME_DELETES, VOLUME_UPSERTS, VOLUME_COUNT };

/* Records of one feed and op, window by window: a window begins with the look that sees its first
 * records, and what the look at its end sees belongs to the next. Windows without any record are
 * skipped: a feed that comes in weekly snapshots is compared snapshot with snapshot. */
struct volume {
    bool open;                   /* a window began and is not over */
    vtime window_begin;          /* of the open window */
    vtime first_record;          /* of the open window */
    uint64_t before;             /* count when the window began */
    uint64_t records_seen, seen; /* counts at the last look */
    struct usual usual;
    bool raised;
};

struct feed {
    bool seen;
    bool at_risk; /* a group is about to lose what it has not read */
    enum alert_state freshness;
    struct volume volumes[VOLUME_COUNT];
};

struct watch {
    struct machine machine;
    uint64_t look; /* request under way, or 0 */
    struct feed feeds[TOPIC_COUNT];
};

static void alert(struct effects *effects, const char *name, enum topic_id topic,
                  enum alert_state state, const struct sentence *evidence) {
    effects_alert(effects, name, topic_name(topic), state, sentence_bytes(evidence));
}

/* ---- Freshness ---- */

static enum alert_state freshness_state(const struct pipeline_config *config,
                                        const struct feed_observation *seen, vtime now) {
    if (seen->records == 0) {
        return ALERT_NO_DATA;
    }
    int64_t age_ns = vtime_diff(now, seen->last_append);
    int64_t error_ns = config->feed_error_ns[seen->topic];
    if (error_ns > 0 && age_ns >= error_ns) {
        return ALERT_ERROR;
    }
    int64_t warn_ns = config->feed_warn_ns[seen->topic];
    return warn_ns > 0 && age_ns >= warn_ns ? ALERT_WARN : ALERT_CLEARED;
}

static void add_threshold(struct sentence *evidence, const char *what, int64_t threshold_ns) {
    if (threshold_ns > 0) {
        sentence_add(evidence, what);
        sentence_add_duration(evidence, threshold_ns);
    }
}

static void freshness_look(struct watch *watch, const struct feed_observation *seen, vtime now,
                           struct effects *effects) {
    const struct pipeline_config *config = watch->machine.config;
    struct feed *feed = &watch->feeds[seen->topic];
    if (bug_on(watch->machine.bugs, BUG_WATCH_ASLEEP) ||
        (config->feed_warn_ns[seen->topic] == 0 && config->feed_error_ns[seen->topic] == 0)) {
        return;
    }
    enum alert_state state = freshness_state(config, seen, now);
    if (feed->seen && state == feed->freshness) {
        return;
    }
    bool first_and_fresh = !feed->seen && state == ALERT_CLEARED;
    feed->seen = true;
    feed->freshness = state;
    if (first_and_fresh) {
        return;
    }
    struct sentence evidence = sentence_begin();
    if (state == ALERT_NO_DATA) {
        sentence_add(&evidence, "the feed never carried a record");
    } else {
        sentence_add(&evidence, "newest record at ");
        sentence_add_time(&evidence, seen->last_append);
        sentence_add(&evidence, ", ");
        sentence_add_duration(&evidence, vtime_diff(now, seen->last_append));
        sentence_add(&evidence, " ago");
        add_threshold(&evidence, "; warn after ", config->feed_warn_ns[seen->topic]);
        add_threshold(&evidence, "; error after ", config->feed_error_ns[seen->topic]);
    }
    alert(effects, "feed-freshness", seen->topic, state, &evidence);
}

/* ---- Retention ---- */

/* Warns while there is time: what a group has not read is past half the time that it is kept
 * (A16). */
static void retention_look(struct watch *watch, const struct feed_observation *seen, vtime now,
                           struct effects *effects) {
    int64_t kept_ns = watch->machine.config->topics_kept_ns;
    struct feed *feed = &watch->feeds[seen->topic];
    bool at_risk =
        seen->laggard != NULL && kept_ns > 0 && vtime_diff(now, seen->unread) > kept_ns / 2;
    if (at_risk == feed->at_risk) {
        return;
    }
    feed->at_risk = at_risk;
    struct sentence evidence = sentence_begin();
    if (at_risk) {
        sentence_add(&evidence, seen->laggard);
        sentence_add(&evidence, " has not read what came at ");
        sentence_add_time(&evidence, seen->unread);
        sentence_add(&evidence, ", ");
        sentence_add_duration(&evidence, vtime_diff(now, seen->unread));
        sentence_add(&evidence, " ago; the topic keeps it for ");
        sentence_add_duration(&evidence, kept_ns);
    } else {
        sentence_add(&evidence, "nothing unread is past half its time");
    }
    alert(effects, "retention-risk", seen->topic, at_risk ? ALERT_WARN : ALERT_CLEARED, &evidence);
}

/* ---- Volume ---- */

static void volume_alarm(const struct volume *volume, enum volume_op op,
                         const struct feed_observation *seen, uint64_t count,
                         enum alert_state state, struct effects *effects) {
    struct sentence evidence = sentence_begin();
    sentence_add_number(&evidence, count);
    sentence_add(&evidence, op == VOLUME_DELETES ? " deletes" : " upserts");
    sentence_add(&evidence, " in the window that began at ");
    sentence_add_time(&evidence, volume->first_record);
    sentence_add(&evidence, "; usual is ");
    sentence_add_number(&evidence, usual_mean(&volume->usual));
    alert(effects, "feed-volume", seen->topic, state, &evidence);
}

static void volume_open(struct volume *volume, const struct feed_observation *seen, vtime now) {
    volume->open = true;
    volume->window_begin = now;
    volume->first_record = seen->last_append;
    volume->before = volume->seen;
}

static void volume_close(struct volume *volume, enum volume_op op,
                         const struct feed_observation *seen, struct effects *effects) {
    uint64_t count = volume->seen - volume->before;
    if (volume->raised) {
        /* An accident is not what is usual: it does not teach. */
        volume_alarm(volume, op, seen, count, ALERT_CLEARED, effects);
        volume->raised = false;
    } else {
        usual_learn(&volume->usual, count);
    }
    volume->open = false;
}

static void volume_look(struct watch *watch, enum volume_op op, const struct feed_observation *seen,
                        vtime now, struct effects *effects) {
    const struct pipeline_config *config = watch->machine.config;
    struct volume *volume = &watch->feeds[seen->topic].volumes[op];
    uint64_t least = op == VOLUME_DELETES ? config->volume_deletes_min : config->volume_upserts_min;
    if (volume->open && vtime_diff(now, volume->window_begin) >= config->volume_window_ns) {
        volume_close(volume, op, seen, effects);
    }
    if (!volume->open && seen->records > volume->records_seen) {
        volume_open(volume, seen, now);
    }
    volume->records_seen = seen->records;
    volume->seen = op == VOLUME_DELETES ? seen->deletes : seen->upserts;
    uint64_t count = volume->seen - volume->before;
    if (volume->open && usual_is_known(&volume->usual) && !volume->raised && least > 0 &&
        count >= least && count > usual_mean(&volume->usual) * config->volume_factor) {
        volume->raised = true;
        volume_alarm(volume, op, seen, count, ALERT_ERROR, effects);
    }
}

/* ---- Steps ---- */

static int look(struct watch *watch, struct effects *effects) {
    struct effect *observe = machine_request(&watch->machine, effects, EFFECT_OBSERVE_FEEDS, 0);
    if (observe == NULL) {
        return -ENOMEM;
    }
    watch->look = observe->request;
    return 0;
}

static int observed(struct watch *watch, const struct event *event, struct effects *effects) {
    if (event->request != watch->look) {
        return 0;
    }
    watch->look = 0;
    if (event->error != PORT_OK) {
        return 0; /* the next look comes anyway */
    }
    for (size_t i = 0; i < event->observed.count; i++) {
        retention_look(watch, &event->observed.feeds[i], event->now, effects);
        if (event->observed.feeds[i].topic >= TOPIC_FEED_COUNT) {
            continue; /* what the pipeline itself writes is no feed */
        }
        freshness_look(watch, &event->observed.feeds[i], event->now, effects);
        for (int op = 0; op < VOLUME_COUNT; op++) {
            volume_look(watch, (enum volume_op)op, &event->observed.feeds[i], event->now, effects);
        }
    }
    return 0;
}

static int watch_step(struct machine *machine, const struct event *event, struct effects *effects) {
    struct watch *watch = (struct watch *)machine;
    switch (event->kind) {
    case EVENT_START:
    case EVENT_TIMER:
        machine_timer(effects, TIMER_LOOK,
                      vtime_add(event->now, machine->config->watch_interval_ns));
        return event->kind == EVENT_TIMER ? look(watch, effects) : 0;
    case EVENT_OBSERVED:
        return observed(watch, event, effects);
    default:
        return 0;
    }
}

static void watch_free(struct machine *machine) {
    free(machine);
}

struct machine *watch_new(void) {
    struct watch *watch = calloc(1, sizeof *watch);
    if (watch == NULL) {
        return NULL;
    }
    watch->machine.step = watch_step;
    watch->machine.free = watch_free;
    return &watch->machine;
}
