/*
 * What became of the router's outputs (C2). An acknowledged record may go with a leader where
 * unclean elections are allowed, and nobody tells who produced it. But its feeds still have what it
 * was made of: so each checkpoint leaves a mark that pairs offsets of the sources with the position
 * in the listing log below which their outputs stood. When an acknowledgement comes under another
 * leader epoch, or a task begins, the router asks where the former leader's records end now; if
 * that is below what it was acknowledged, it reads its sources again from the last mark before the
 * loss, and says of each record that it is told again (folded_retold). While it has nothing to say
 * it waits at the end of its outputs like a consumer, which hears of another leader at once.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "pipeline/router_parts.h"

int trail_init(const struct partitioned *router, struct router_task *task) {
    size_t sources = task->task.source_count;
    if (router->machine.config->verify_outputs) {
        task->trail.again_until = calloc(sources, sizeof *task->trail.again_until);
        if (task->trail.again_until == NULL) {
            return -ENOMEM;
        }
    }
    if (router->machine.config->idempotent) {
        task->sequences = calloc(PRODUCER_SOURCES + sources, sizeof *task->sequences);
        bool restarts = bug_on(router->machine.bugs, BUG_SEQUENCE_RESTARTS);
        task->producer_epoch = restarts ? 1 : router->generation;
        return task->sequences == NULL ? -ENOMEM : 0;
    }
    return 0;
}

void trail_release(struct router_task *task) {
    for (size_t i = 0; i < task->trail.mark_count; i++) {
        free(task->trail.marks[i].offsets);
    }
    free(task->trail.again_until);
    free(task->sequences);
}

void producer_mark(const struct partitioned *router, struct router_task *task, size_t producer,
                   struct effect *produce, size_t room) {
    if (task->sequences == NULL) {
        return;
    }
    uint32_t who[] = {(uint32_t)router->machine.kind, task->task.partition, (uint32_t)producer};
    produce->produce.mark = (struct producer_mark){
        XXH3_64bits(who, sizeof who) | 1, task->producer_epoch, task->sequences[producer] + 1};
    task->sequences[producer] += (uint32_t)room;
}

bool trail_again(const struct router_task *task, size_t source, const struct log_record *logged) {
    return task->trail.again_until != NULL && logged->offset < task->trail.again_until[source];
}

/* ---- Marks ---- */

static void mark_drop(struct trail *trail, size_t at) {
    free(trail->marks[at].offsets);
    trail->mark_count--;
    memmove(trail->marks + at, trail->marks + at + 1,
            (trail->mark_count - at) * sizeof *trail->marks);
}

/* The older half gets thinner: the further back a loss reaches, the rougher is the way back. */
static void marks_thin(struct trail *trail) {
    for (size_t at = 1; at <= TRAIL_MARKS / 4; at++) {
        mark_drop(trail, at);
    }
}

bool trail_is_kept(const struct partitioned *router, const struct router_task *task) {
    return router->machine.config->verify_outputs && task->trail.known;
}

int trail_mark_now(struct router_task *task) {
    struct trail *trail = &task->trail;
    size_t sources = task->task.source_count;
    if (trail->doubted) {
        return 0; /* what is in doubt is no way back */
    }
    if (trail->mark_count == TRAIL_MARKS) {
        marks_thin(trail);
    }
    int64_t *offsets = calloc(sources, sizeof *offsets);
    if (offsets == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < sources; i++) {
        const struct source *source = &task->task.sources[i];
        offsets[i] = source->rewind ? source->rewind_to : source->safe;
    }
    trail->marks[trail->mark_count++] = (struct trail_mark){trail->epoch, trail->next, offsets};
    return 0;
}

/* ---- Asking ---- */

enum { PROBE_ASKS, PROBE_WATCHES };

static int probe(struct partitioned *router, struct router_task *task, uint32_t what,
                 struct effects *effects) {
    struct effect *fetch = machine_request(&router->machine, effects, EFFECT_FETCH, 0);
    if (fetch != NULL) {
        fetch->fetch.topic = TOPIC_LISTING_LOG;
        fetch->fetch.partition = task->task.partition;
        fetch->fetch.offset = task->trail.next;
        fetch->fetch.after_epoch = task->trail.epoch + 1;
        fetch->fetch.max = 1;
        fetch->fetch.no_wait = what == PROBE_ASKS;
    }
    return task_expect(router, &task->task, fetch, PURPOSE_PROBE, what);
}

int trail_acknowledged(struct partitioned *router, struct router_task *task,
                       const struct effect *produce, struct effects *effects) {
    struct trail *trail = &task->trail;
    if (!router->machine.config->verify_outputs) {
        return 0;
    }
    for (size_t i = 0; i < produce->produce.count; i++) {
        const struct produce_result *result = &produce->produce.results[i];
        if (produce->produce.items[i].topic != TOPIC_LISTING_LOG || result->offset < 0) {
            continue;
        }
        bool changed = trail->known && !trail->doubted && result->epoch > trail->epoch;
        if (changed && !bug_on(router->machine.bugs, BUG_LOSS_UNNOTICED)) {
            trail->doubted = true;
            trail->epoch_after = result->epoch;
            trail->next_after = 0;
            if (probe(router, task, PROBE_ASKS, effects) != 0) {
                return -ENOMEM;
            }
        }
        /* Of a further change the next acknowledgement tells once more. */
        if (!trail->doubted) {
            trail->known = true;
            trail->epoch = result->epoch;
            trail->next = result->offset + 1;
        } else if (result->epoch == trail->epoch_after && result->offset >= trail->next_after) {
            trail->next_after = result->offset + 1;
        }
    }
    return 0;
}

int trail_watch(struct partitioned *router, struct task *head, vtime now, struct effects *effects) {
    struct router_task *task = (struct router_task *)head;
    bool deaf = bug_on(router->machine.bugs, BUG_LOSS_UNNOTICED);
    (void)now;
    if (!trail_is_kept(router, task) || task->trail.watched || task->trail.doubted || deaf) {
        return 0;
    }
    task->trail.watched = true;
    return probe(router, task, PROBE_WATCHES, effects);
}

void trail_answered(struct router_task *task, uint32_t what) {
    struct trail *trail = &task->trail;
    if (what == PROBE_WATCHES) {
        trail->watched = false; /* it was acknowledged more since */
    } else if (trail->doubted) {
        trail->doubted = false;
        trail->epoch = trail->epoch_after;
        trail->next = trail->next_after;
    }
}

int trail_look(struct partitioned *router, struct router_task *task, struct effects *effects) {
    bool deaf = bug_on(router->machine.bugs, BUG_LOSS_UNNOTICED);
    return task->trail.known && !deaf ? probe(router, task, PROBE_ASKS, effects) : 0;
}

/* ---- Saying it again ---- */

/* Outputs at and above `end` are lost. The control topic is no source of outputs. */
static int reroute(struct partitioned *router, struct router_task *task, uint32_t epoch,
                   int64_t end, struct effects *effects) {
    struct trail *trail = &task->trail;
    while (trail->mark_count > 0) {
        const struct trail_mark *last = &trail->marks[trail->mark_count - 1];
        if (last->epoch <= epoch && last->next <= end) {
            break;
        }
        mark_drop(trail, trail->mark_count - 1);
    }
    const struct trail_mark *mark =
        trail->mark_count == 0 ? NULL : &trail->marks[trail->mark_count - 1];
    for (size_t i = 0; i < task->task.source_count; i++) {
        if (i == SOURCE_CONTROL) {
            continue;
        }
        int64_t reached = task->task.sources[i].next;
        if (reached > trail->again_until[i]) {
            trail->again_until[i] = reached;
        }
        if (task_rewind(router, &task->task, i, mark == NULL ? FETCH_OLDEST : mark->offsets[i],
                        effects) != 0) {
            return -ENOMEM;
        }
    }
    effects_alert(effects, "outputs-lost", topic_name(TOPIC_LISTING_LOG), ALERT_INFO,
                  bytes_of("a leader change lost what was acknowledged: routing it again"));
    return 0;
}

int trail_refused(struct partitioned *router, struct task *head, uint32_t purpose,
                  uint32_t argument, const struct event *event, struct effects *effects,
                  bool *again) {
    struct router_task *task = (struct router_task *)head;
    bool misplaced = event->error == PORT_TRUNCATED || event->error == PORT_OUT_OF_RANGE;
    if (purpose != PURPOSE_PROBE || !misplaced) {
        return 0;
    }
    *again = false;
    trail_answered(task, argument);
    /* Below the start of the log nothing is missed any more. */
    if (event->error == PORT_OUT_OF_RANGE && event->answered->fetch.offset <= event->records.end) {
        return 0;
    }
    if (!task->trail.doubted && task->trail.next > event->records.end &&
        task->trail.epoch < event->answered->fetch.after_epoch) {
        task->trail.next = event->records.end;
    }
    task_changed(router, head, event->now, effects);
    return reroute(router, task, event->answered->fetch.after_epoch - 1, event->records.end,
                   effects);
}

/* ---- Checkpoints ---- */

size_t trail_size(const struct router_task *task) {
    size_t sources = task->task.source_count;
    return 12 + 4 + 8 * sources + 4 + task->trail.mark_count * (12 + 8 * sources);
}

static char *put_offsets(char *at, const int64_t *offsets, size_t count) {
    for (size_t i = 0; i < count; i++) {
        at = wire_put(at, (uint64_t)offsets[i], 8);
    }
    return at;
}

char *trail_encode(const struct router_task *task, char *at) {
    const struct trail *trail = &task->trail;
    size_t sources = task->task.source_count;
    at = wire_put(wire_put(at, trail->epoch, 4), (uint64_t)trail->next, 8);
    at = wire_put(at, sources, 4);
    at = put_offsets(at, trail->again_until, sources);
    at = wire_put(at, trail->mark_count, 4);
    for (size_t i = 0; i < trail->mark_count; i++) {
        at = wire_put(wire_put(at, trail->marks[i].epoch, 4), (uint64_t)trail->marks[i].next, 8);
        at = put_offsets(at, trail->marks[i].offsets, sources);
    }
    return at;
}

static bool get_offsets(struct wire_reader *reader, int64_t *offsets, size_t count) {
    for (size_t i = 0; i < count; i++) {
        offsets[i] = (int64_t)wire_get(reader, 8);
        if (reader->failed || offsets[i] < FETCH_OLDEST) {
            return false;
        }
    }
    return true;
}

/* A trail that another configuration wrote is of no use, and no harm. */
int trail_decode(const struct partitioned *router, struct router_task *task,
                 struct wire_reader *reader) {
    struct trail *trail = &task->trail;
    size_t sources = task->task.source_count;
    uint32_t epoch = (uint32_t)wire_get(reader, 4);
    int64_t next = (int64_t)wire_get(reader, 8);
    if (wire_get(reader, 4) != sources || reader->failed || next < 0) {
        return -EINVAL;
    }
    if (!router->machine.config->verify_outputs) {
        return 0;
    }
    if (!get_offsets(reader, trail->again_until, sources)) {
        return -EINVAL;
    }
    size_t marks = wire_get(reader, 4);
    if (reader->failed || marks > TRAIL_MARKS) {
        return -EINVAL;
    }
    for (size_t i = 0; i < marks; i++) {
        int64_t *offsets = calloc(sources, sizeof *offsets);
        if (offsets == NULL) {
            return -ENOMEM;
        }
        struct trail_mark mark = {.offsets = offsets};
        mark.epoch = (uint32_t)wire_get(reader, 4);
        mark.next = (int64_t)wire_get(reader, 8);
        if (!get_offsets(reader, offsets, sources) || trail->mark_count == TRAIL_MARKS) {
            free(offsets);
            return -EINVAL;
        }
        trail->marks[trail->mark_count++] = mark;
    }
    trail->known = true;
    trail->epoch = epoch;
    trail->next = next;
    return 0;
}
