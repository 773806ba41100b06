/*
 * The gate (A8): keeps the listings of a suppressed seller from readers at once, ahead of the log.
 *
 * Taking the rows of a seller out of the serving stores goes through the listing log, in order with
 * everything else, and takes as long as that. So that a suppression need not wait in that line, the
 * serving stores have a list of the sellers whose rows readers do not get, and the gate keeps it:
 * it reads the policy feed alone, and writes each status with its stamp. A store ignores what is
 * older than what it knows, so that repeats and other orders do no harm.
 *
 * Invariant: a source's safe offset is below the first record whose status some store does not have
 * yet.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "pipeline/partitioned.h"
#include "pipeline/record.h"

enum { PURPOSE_BLOCK = TASK_PURPOSE_OWN }; /* argument: the source that waits */

/* The stores with a list. */
static const enum scan_store stores[] = {SCAN_VECTOR_FUSED, SCAN_KEYWORD};
enum { STORES = sizeof stores / sizeof *stores };

/* What is urgent does not wait half a minute for a store that came back. */
#define RETRY_NS_MAX (3 * VTIME_SECOND)

static int task_init(struct partitioned *gate, struct task *task) {
    struct pipeline_config *config = &gate->machine.config_storage;
    if (config->retry_max_ns > RETRY_NS_MAX) {
        config->retry_max_ns = RETRY_NS_MAX;
    }
    if (task_sources(task, gate->machine.config->partitions) != 0) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < task->source_count; i++) {
        task->sources[i].topic = TOPIC_POLICY;
        task->sources[i].partition = (uint32_t)i;
    }
    return 0;
}

static void task_release(struct task *task) {
    (void)task; /* it knows nothing but its sources */
}

static int restore_entry(struct partitioned *gate, struct task *task, uint64_t key,
                         struct bytes value) {
    (void)gate;
    (void)task;
    (void)key;
    (void)value;
    return -EINVAL; /* a checkpoint of its own has no entries */
}

static int begin(struct partitioned *gate, struct task *task, const struct event *event,
                 struct effects *effects) {
    (void)event;
    for (size_t i = 0; i < task->source_count; i++) {
        if (task_fetch(gate, task, i, false, effects) != 0) {
            return -ENOMEM;
        }
    }
    return 0;
}

static int done(struct partitioned *gate, struct task *task, size_t source, vtime now,
                struct effects *effects) {
    task->sources[source].safe = task->sources[source].next;
    task_changed(gate, task, now, effects);
    return task_fetch(gate, task, source, false, effects);
}

/* Tells one store what the records say. Bytes that are no policy record are the router's to refuse.
 */
static int block(struct partitioned *gate, struct task *task, size_t source, enum scan_store store,
                 const struct event *event, struct effects *effects) {
    size_t count = event->records.count;
    struct effect *effect = machine_request(&gate->machine, effects, EFFECT_BLOCK_SELLERS, 0);
    struct seller_block *items =
        effect == NULL ? NULL : effect_alloc(effects, effect, count * sizeof *items);
    if (items == NULL) {
        return -ENOMEM;
    }
    effect->block.store = store;
    effect->block.items = items;
    for (size_t i = 0; i < count; i++) {
        struct record record;
        struct record_error error;
        if (record_of_topic(TOPIC_POLICY, event->records.records[i].value, &record, &error) == 0) {
            items[effect->block.count++] =
                (struct seller_block){record.seller_id, record.status, record.stamp};
        }
    }
    task->sources[source].waiting++;
    return task_expect(gate, task, effect, PURPOSE_BLOCK, (uint32_t)source);
}

static int records(struct partitioned *gate, struct task *task, size_t source,
                   const struct event *event, struct effects *effects) {
    size_t count = event->records.count;
    task->sources[source].next = event->records.records[count - 1].offset + 1;
    machine_count(&gate->machine, COUNTER_RECORDS_READ, count);
    if (bug_on(gate->machine.bugs, BUG_SUPPRESSION_QUEUES)) {
        return done(gate, task, source, event->now, effects);
    }
    for (size_t i = 0; i < STORES; i++) {
        if (block(gate, task, source, stores[i], event, effects) != 0) {
            return -ENOMEM;
        }
    }
    return 0;
}

static int answered(struct partitioned *gate, struct task *task, uint32_t purpose,
                    uint32_t argument, const struct event *event, struct effects *effects,
                    bool *again) {
    (void)again;
    assert(purpose == PURPOSE_BLOCK && task->sources[argument].waiting > 0);
    return --task->sources[argument].waiting > 0 ? 0
                                                 : done(gate, task, argument, event->now, effects);
}

static int save_entries(struct partitioned *gate, struct task *task, struct effect *save,
                        struct effects *effects) {
    (void)gate;
    (void)task;
    (void)save;
    (void)effects;
    return 0;
}

struct machine *gate_new(void) {
    static const struct task_ops ops = {
        .task_size = sizeof(struct task),
        .init = task_init,
        .release = task_release,
        .restore_entry = restore_entry,
        .begin = begin,
        .records = records,
        .answered = answered,
        .save_entries = save_entries,
    };
    return partitioned_new(sizeof(struct partitioned), &ops);
}
