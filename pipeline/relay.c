/*
 * The outbox relay (A2): publishes committed outbox rows to their feeds, in commit order, one batch
 * at a time, and remembers how far it is. A batch whose fate is unknown is published again: readers
 * fold, so a repeat is no news to them.
 *
 *     assigned -> load state -> trim -> [ outbox fetch -> produce -> save state -> trim ] for ever
 *
 * A leader change may lose rows that were acknowledged. Where that is allowed for (verify_outputs),
 * rows stay in the outbox for a while after they were published, the relay asks each new leader
 * where the former one's records end, and publishes all that the outbox still has when something is
 * lost (C2).
 *
 * Invariant: `published` is the sequence up to which every row is acknowledged by the log.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "pipeline/array.h"
#include "pipeline/machine_parts.h"
#include "pipeline/wire.h"

enum purpose { LOAD, FETCH, PRODUCE, SAVE, PROBE, WATCH };

/* So far a partition has acknowledged. */
struct place {
    enum topic_id topic;
    uint32_t partition;
    uint32_t epoch; /* of the last acknowledgement that is not in doubt */
    int64_t next;   /* behind it */
    bool watched;   /* the relay waits at the end of it, and hears of another leader at once */
    bool doubted;   /* whether another leader has it is being asked */
    uint32_t epoch_after;
    int64_t next_after;
};
enum { PLACE_BYTES = 1 + 4 + 4 + 8 };

/* Rows up to the sequence were published at that moment. */
struct published {
    int64_t sequence;
    vtime at;
};

struct relay {
    struct machine machine;
    struct pending_requests pending;
    uint32_t generation;
    bool owner;
    int64_t published;
    int64_t publishing; /* last sequence of the batch under way */
    bool rewound;       /* what the outbox has is to be published again */
    struct place *places;
    size_t place_count, place_capacity;
    struct published *kept; /* rows that are published and stay in the outbox, oldest first */
    size_t kept_count, kept_capacity;
    bool trim_armed; /* the timer of the next ones to go runs */
    int64_t trimmed;
    uint32_t sequence; /* of the last item produced */
};

static bool verifies(const struct relay *relay) {
    return relay->machine.config->verify_outputs;
}

static int request(struct relay *relay, struct effect *effect, enum purpose purpose) {
    return effect == NULL ? -ENOMEM : pending_add(&relay->pending, effect->request, 0, purpose);
}

static int load_state(struct relay *relay, struct effects *effects) {
    struct effect *load = machine_request(&relay->machine, effects, EFFECT_LOAD_STATE, 0);
    if (load != NULL) {
        load->load_state.group = machine_group(MACHINE_RELAY);
        load->load_state.generation = relay->generation;
    }
    return request(relay, load, LOAD);
}

static int fetch(struct relay *relay, struct effects *effects) {
    struct effect *fetch = machine_request(&relay->machine, effects, EFFECT_OUTBOX_FETCH, 0);
    if (fetch != NULL) {
        fetch->outbox_fetch.sequence = relay->published;
        fetch->outbox_fetch.max = relay->machine.config->fetch_records_max;
    }
    return request(relay, fetch, FETCH);
}

static int publish(struct relay *relay, const struct event *event, struct effects *effects) {
    size_t count = event->outbox.count;
    if (count == 0) {
        return fetch(relay, effects);
    }
    struct effect *produce = machine_request(&relay->machine, effects, EFFECT_PRODUCE, 0);
    if (produce == NULL) {
        return -ENOMEM;
    }
    struct produce_item *items = effect_alloc(effects, produce, count * sizeof *items);
    struct produce_result *results = effect_alloc(effects, produce, count * sizeof *results);
    if (items == NULL || results == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        const struct outbox_row *row = &event->outbox.rows[i];
        items[i] =
            (struct produce_item){row->topic, row->key, effect_copy(effects, produce, row->value)};
    }
    produce->produce.items = items;
    produce->produce.results = results;
    produce->produce.count = count;
    if (relay->machine.config->idempotent) {
        uint32_t who[] = {(uint32_t)relay->machine.kind, 0};
        bool restarts = bug_on(relay->machine.bugs, BUG_SEQUENCE_RESTARTS);
        produce->produce.mark =
            (struct producer_mark){XXH3_64bits(who, sizeof who) | 1,
                                   restarts ? 1 : relay->generation, relay->sequence + 1};
        relay->sequence += (uint32_t)count;
    }
    relay->publishing = event->outbox.rows[count - 1].sequence;
    machine_count(&relay->machine, COUNTER_RECORDS_READ, count);
    return request(relay, produce, PRODUCE);
}

static int save(struct relay *relay, struct effects *effects) {
    struct effect *save = machine_request(&relay->machine, effects, EFFECT_SAVE_STATE, 0);
    if (save == NULL) {
        return -ENOMEM;
    }
    size_t size = 8 + PLACE_BYTES * relay->place_count;
    char *state = effect_alloc(effects, save, size);
    if (state == NULL) {
        return -ENOMEM;
    }
    char *at = wire_put(state, (uint64_t)relay->published, 8);
    for (size_t i = 0; i < relay->place_count; i++) {
        const struct place *place = &relay->places[i];
        at = wire_put(wire_put(at, place->topic, 1), place->partition, 4);
        at = wire_put(wire_put(at, place->epoch, 4), (uint64_t)place->next, 8);
    }
    save->save_state.group = machine_group(MACHINE_RELAY);
    save->save_state.generation = relay->generation;
    save->save_state.offsets = (struct bytes){state, size};
    machine_count(&relay->machine, COUNTER_CHECKPOINTS, 1);
    return request(relay, save, SAVE);
}

/* Asks whether the present leader has what was acknowledged, or waits there for what comes next. */
static int probe(struct relay *relay, size_t index, enum purpose purpose, struct effects *effects) {
    const struct place *place = &relay->places[index];
    struct effect *fetch = machine_request(&relay->machine, effects, EFFECT_FETCH, 0);
    if (fetch == NULL) {
        return -ENOMEM;
    }
    fetch->fetch.topic = place->topic;
    fetch->fetch.partition = place->partition;
    fetch->fetch.offset = place->next;
    fetch->fetch.after_epoch = place->epoch + 1;
    fetch->fetch.max = 1;
    fetch->fetch.no_wait = purpose == PROBE;
    return pending_add(&relay->pending, fetch->request, (uint32_t)index, purpose);
}

static int watch(struct relay *relay, struct effects *effects) {
    bool deaf = bug_on(relay->machine.bugs, BUG_LOSS_UNNOTICED);
    for (size_t i = 0; i < relay->place_count && !deaf; i++) {
        struct place *place = &relay->places[i];
        if (!place->watched && !place->doubted) {
            place->watched = true;
            if (probe(relay, i, WATCH, effects) != 0) {
                return -ENOMEM;
            }
        }
    }
    return 0;
}

/* Rows that were published just now stay for a while; *upto: those up to there may go. */
static int keep(struct relay *relay, vtime now, int64_t *upto, struct effects *effects) {
    if (ARRAY_RESERVE(relay->kept, relay->kept_capacity, relay->kept_count + 1) != 0) {
        return -ENOMEM;
    }
    if (*upto > relay->trimmed) {
        relay->kept[relay->kept_count++] = (struct published){*upto, now};
    }
    size_t old = 0;
    while (old < relay->kept_count &&
           vtime_diff(now, relay->kept[old].at) >= relay->machine.config->outbox_kept_ns) {
        int64_t sequence = relay->kept[old++].sequence;
        relay->trimmed = sequence > relay->trimmed ? sequence : relay->trimmed;
    }
    if (relay->kept_count > old && !relay->trim_armed) {
        relay->trim_armed = true;
        machine_timer(effects, 0,
                      vtime_add(relay->kept[old].at, relay->machine.config->outbox_kept_ns));
    }
    if (old > 0) {
        relay->kept_count -= old;
        memmove(relay->kept, relay->kept + old, relay->kept_count * sizeof *relay->kept);
    }
    *upto = relay->trimmed;
    return 0;
}

/* A checkpoint says that rows are published: they may go. Said again after a restart, since the
 * process may have died before it said so. */
static int trim(struct relay *relay, vtime now, struct effects *effects) {
    int64_t upto = relay->published;
    if (verifies(relay) && keep(relay, now, &upto, effects) != 0) {
        return -ENOMEM;
    }
    if (upto > 0) {
        struct effect *trim = effects_add(effects, EFFECT_TRIM_OUTBOX, 0, 0);
        if (trim == NULL) {
            return -ENOMEM;
        }
        trim->trim_sequence = upto;
    }
    return 0;
}

static int trim_and_fetch(struct relay *relay, vtime now, struct effects *effects) {
    if ((verifies(relay) && watch(relay, effects) != 0) || trim(relay, now, effects) != 0) {
        return -ENOMEM;
    }
    return fetch(relay, effects);
}

/* ---- What became of rows ---- */

static struct place *place_of(struct relay *relay, enum topic_id topic, uint32_t partition) {
    for (size_t i = 0; i < relay->place_count; i++) {
        if (relay->places[i].topic == topic && relay->places[i].partition == partition) {
            return &relay->places[i];
        }
    }
    if (ARRAY_RESERVE(relay->places, relay->place_capacity, relay->place_count + 1) != 0) {
        return NULL;
    }
    struct place *place = &relay->places[relay->place_count++];
    *place = (struct place){.topic = topic, .partition = partition};
    return place;
}

static int acknowledged(struct relay *relay, const struct effect *produce,
                        struct effects *effects) {
    for (size_t i = 0; i < produce->produce.count; i++) {
        const struct produce_result *result = &produce->produce.results[i];
        if (result->offset < 0) {
            continue;
        }
        struct place *place = place_of(relay, produce->produce.items[i].topic, result->partition);
        if (place == NULL) {
            return -ENOMEM;
        }
        bool changed = place->next > 0 && !place->doubted && result->epoch > place->epoch;
        if (changed && !bug_on(relay->machine.bugs, BUG_LOSS_UNNOTICED)) {
            place->doubted = true;
            place->epoch_after = result->epoch;
            place->next_after = 0;
            if (probe(relay, (size_t)(place - relay->places), PROBE, effects) != 0) {
                return -ENOMEM;
            }
        }
        if (!place->doubted) {
            place->epoch = result->epoch;
            place->next = result->offset + 1;
        } else if (result->epoch == place->epoch_after && result->offset >= place->next_after) {
            place->next_after = result->offset + 1;
        }
    }
    return 0;
}

static bool forget_fetch(struct relay *relay) {
    for (size_t i = 0; i < relay->pending.count; i++) {
        if (relay->pending.items[i].purpose == FETCH) {
            pending_remove(&relay->pending, relay->pending.items[i].request);
            return true;
        }
    }
    return false;
}

/* From the first row that the outbox still has. The checkpoint says so before anything is sent. */
static int begin_again(struct relay *relay, struct effects *effects) {
    relay->rewound = false;
    relay->published = 0;
    relay->kept_count = 0;
    effects_alert(effects, "outputs-lost", "outbox", ALERT_INFO,
                  bytes_of("a leader change lost what was acknowledged: publishing it again"));
    return save(relay, effects);
}

/* A new leader told where the former one's records end for it. */
static int probed(struct relay *relay, size_t index, enum purpose purpose,
                  const struct event *event, struct effects *effects) {
    struct place *place = &relay->places[index];
    if (purpose == WATCH) {
        place->watched = false; /* more was acknowledged since */
    } else if (place->doubted) {
        place->doubted = false;
        place->epoch = place->epoch_after;
        place->next = place->next_after;
    }
    const struct effect *fetch = event->answered;
    bool lost = event->error == PORT_TRUNCATED ||
                (event->error == PORT_OUT_OF_RANGE && fetch->fetch.offset > event->records.end);
    if (!lost) {
        return 0;
    }
    if (!place->doubted && place->epoch < fetch->fetch.after_epoch &&
        place->next > event->records.end) {
        place->next = event->records.end;
    }
    machine_count(&relay->machine, COUNTER_TRUNCATIONS, 1);
    relay->rewound = true;
    return forget_fetch(relay) ? begin_again(relay, effects) : 0;
}

static int restore(struct relay *relay, struct bytes state, struct effects *effects) {
    struct wire_reader reader = wire_reader_of(state);
    relay->published = state.len == 0 ? 0 : (int64_t)wire_get(&reader, 8);
    relay->place_count = 0;
    while (reader.at != reader.end && !reader.failed) {
        enum topic_id topic = (enum topic_id)wire_get(&reader, 1);
        uint32_t partition = (uint32_t)wire_get(&reader, 4);
        uint32_t epoch = (uint32_t)wire_get(&reader, 4);
        int64_t next = (int64_t)wire_get(&reader, 8);
        struct place *place = reader.failed ? NULL : place_of(relay, topic, partition);
        if (place == NULL) {
            return -ENOMEM;
        }
        place->epoch = epoch;
        place->next = next;
    }
    bool deaf = !verifies(relay) || bug_on(relay->machine.bugs, BUG_LOSS_UNNOTICED);
    for (size_t i = 0; i < relay->place_count && !deaf; i++) {
        if (probe(relay, i, PROBE, effects) != 0) {
            return -ENOMEM;
        }
    }
    return 0;
}

static int assigned(struct relay *relay, const struct event *event, struct effects *effects) {
    if (event->assigned.generation <= relay->generation) {
        return 0;
    }
    relay->pending.count = 0;
    relay->owner = event->assigned.count > 0;
    relay->generation = event->assigned.generation;
    return relay->owner ? load_state(relay, effects) : 0;
}

static int answered(struct relay *relay, const struct event *event, struct effects *effects) {
    struct pending_request *pending = pending_find(&relay->pending, event->request);
    if (pending == NULL) {
        return 0;
    }
    enum purpose purpose = pending->purpose;
    uint32_t place = pending->partition;
    bool misplaced = event->error == PORT_TRUNCATED || event->error == PORT_OUT_OF_RANGE;
    bool asks = purpose == PROBE || purpose == WATCH;
    if (asks && (event->error == PORT_OK || misplaced)) {
        pending_remove(&relay->pending, event->request);
        return probed(relay, place, purpose, event, effects);
    }
    bool zombie = purpose == PRODUCE && event->error == PORT_OK && produce_fenced(event->answered);
    bool incomplete = purpose == PRODUCE && event->error == PORT_OK &&
                      produce_incomplete(event->answered) &&
                      !bug_on(relay->machine.bugs, BUG_PRODUCE_TAKEN_WHOLE);
    bool failed = event->error != PORT_OK || incomplete;
    if (failed) {
        if (event->error == PORT_FENCED || zombie) {
            relay->owner = false;
            pending_remove(&relay->pending, event->request);
            return 0;
        }
        if (purpose == FETCH && bug_on(relay->machine.bugs, BUG_OUTBOX_GIVEN_UP)) {
            pending_remove(&relay->pending, event->request);
            return 0;
        }
        machine_resend(&relay->machine, effects, event, ++pending->failures);
        return 0;
    }
    pending_remove(&relay->pending, event->request);
    switch (purpose) {
    case LOAD:
        return restore(relay, event->state.offsets, effects) != 0
                   ? -ENOMEM
                   : trim_and_fetch(relay, event->now, effects);
    case FETCH:
        return publish(relay, event, effects);
    case PRODUCE:
        if (verifies(relay) && acknowledged(relay, event->answered, effects) != 0) {
            return -ENOMEM;
        }
        if (relay->rewound) {
            return begin_again(relay, effects);
        }
        relay->published = relay->publishing;
        machine_count(&relay->machine, COUNTER_RECORDS_ROUTED, event->answered->produce.count);
        return save(relay, effects);
    case SAVE:
        return relay->rewound ? begin_again(relay, effects)
                              : trim_and_fetch(relay, event->now, effects);
    case PROBE:
    case WATCH:
        break;
    }
    return 0;
}

static int relay_step(struct machine *machine, const struct event *event, struct effects *effects) {
    struct relay *relay = (struct relay *)machine;
    switch (event->kind) {
    case EVENT_ASSIGNED:
        return assigned(relay, event, effects);
    case EVENT_STATE:
    case EVENT_OUTBOX:
    case EVENT_RECORDS:
    case EVENT_PRODUCED:
    case EVENT_SAVED:
        return answered(relay, event, effects);
    case EVENT_TIMER:
        relay->trim_armed = false;
        return relay->owner ? trim(relay, event->now, effects) : 0;
    default:
        return 0;
    }
}

static void relay_free(struct machine *machine) {
    struct relay *relay = (struct relay *)machine;
    pending_release(&relay->pending);
    free(relay->places);
    free(relay->kept);
    free(relay);
}

struct machine *relay_new(void) {
    struct relay *relay = calloc(1, sizeof *relay);
    if (relay == NULL) {
        return NULL;
    }
    relay->machine.step = relay_step;
    relay->machine.free = relay_free;
    return &relay->machine;
}
