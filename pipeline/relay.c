/*
 * The outbox relay (A2): publishes committed outbox rows to their feeds, in commit order, one batch
 * at a time, and remembers how far it is. A batch whose fate is unknown is published again: readers
 * fold, so a repeat is no news to them.
 *
 *     assigned -> load state -> trim -> [ outbox fetch -> produce -> save state -> trim ] for ever
 *
 * Invariant: `published` is the sequence up to which every row is acknowledged by the log.
 */
#include <errno.h>
#include <stdlib.h>

#include "pipeline/machine_parts.h"
#include "pipeline/wire.h"

enum purpose { LOAD, FETCH, PRODUCE, SAVE };

struct relay {
    struct machine machine;
    struct pending_requests pending;
    uint32_t generation;
    bool owner;
    int64_t published;
    int64_t publishing; /* last sequence of the batch under way */
};

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
    relay->publishing = event->outbox.rows[count - 1].sequence;
    machine_count(&relay->machine, COUNTER_RECORDS_READ, count);
    return request(relay, produce, PRODUCE);
}

static int save(struct relay *relay, struct effects *effects) {
    struct effect *save = machine_request(&relay->machine, effects, EFFECT_SAVE_STATE, 0);
    if (save == NULL) {
        return -ENOMEM;
    }
    char sequence[8];
    wire_put(sequence, (uint64_t)relay->published, sizeof sequence);
    save->save_state.group = machine_group(MACHINE_RELAY);
    save->save_state.generation = relay->generation;
    save->save_state.offsets =
        effect_copy(effects, save, (struct bytes){sequence, sizeof sequence});
    machine_count(&relay->machine, COUNTER_CHECKPOINTS, 1);
    return request(relay, save, SAVE);
}

/* A checkpoint says that rows are published: they may go. Said again after a restart, since the
 * process may have died before it said so. */
static int trim_and_fetch(struct relay *relay, struct effects *effects) {
    if (relay->published > 0) {
        struct effect *trim = effects_add(effects, EFFECT_TRIM_OUTBOX, 0, 0);
        if (trim == NULL) {
            return -ENOMEM;
        }
        trim->trim_sequence = relay->published;
    }
    return fetch(relay, effects);
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
    bool failed =
        event->error != PORT_OK || (purpose == PRODUCE && produce_incomplete(event->answered));
    if (failed) {
        if (event->error == PORT_FENCED) {
            relay->owner = false;
            pending_remove(&relay->pending, event->request);
            return 0;
        }
        machine_resend(&relay->machine, effects, event, ++pending->failures);
        return 0;
    }
    pending_remove(&relay->pending, event->request);
    switch (purpose) {
    case LOAD:
        relay->published = 0;
        if (event->state.offsets.len > 0) {
            struct wire_reader reader = wire_reader_of(event->state.offsets);
            relay->published = (int64_t)wire_get(&reader, 8);
        }
        return trim_and_fetch(relay, effects);
    case FETCH:
        return publish(relay, event, effects);
    case PRODUCE:
        relay->published = relay->publishing;
        machine_count(&relay->machine, COUNTER_RECORDS_ROUTED, event->answered->produce.count);
        return save(relay, effects);
    case SAVE:
        return trim_and_fetch(relay, effects);
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
    case EVENT_PRODUCED:
    case EVENT_SAVED:
        return answered(relay, event, effects);
    default:
        return 0;
    }
}

static void relay_free(struct machine *machine) {
    struct relay *relay = (struct relay *)machine;
    pending_release(&relay->pending);
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
