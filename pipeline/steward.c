/*
 * The steward (A13): sends the records of dead letters to their feeds once more when an operator
 * asks, after what refused them is mended.
 *
 *     command --> [ each partition of the dead letters: fetch -> produce ] --> the next command
 *
 * A record goes back as its bytes were, under its key and with its own stamp, so that it takes its
 * place among what was said before and after it, and one that is sent twice is a repeat. What is
 * refused again is a letter again, but a later one than the command: a replay ends where its
 * command stood in time, so it cannot chase its own tail.
 *
 * Only what came from a feed goes back. A row that a store refused, or bytes of the listing log,
 * have no feed to go to: they are made good by reconciliation. A letter without a value was erased.
 *
 * It also tells a vector database that does not do so by itself to drop what deleted and replaced
 * rows left in its index, at an interval: until then they use up its searches.
 *
 * Invariants:
 *  1. commands that are read and not done are in the checkpoint, in their order, before the control
 *     topic's offset passes them;
 *  2. a letter partition's safe offset is below the first letter of the present command whose
 *     record is not back in its feed.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/array.h"
#include "pipeline/control.h"
#include "pipeline/partitioned.h"
#include "pipeline/record.h"
#include "pipeline/wire.h"

enum {
    PURPOSE_REPLAY = TASK_PURPOSE_OWN, /* argument: the source of the letters */
    PURPOSE_COMPACT,
};
enum { TIMER_COMPACT = TASK_TIMER_OWN };

/* The control topic, then the partitions of the dead letters. */
enum { SOURCE_CONTROL, SOURCE_LETTERS };

/* Letters written in [from, to) and before the command. */
struct replay {
    vtime asked;
    vtime from, to;
};

struct steward_task {
    struct task task;
    struct replay *replays; /* the first is under way */
    size_t replay_count, replay_capacity;
    size_t reading; /* letter partitions that the present one has not read to its end */
};

static int task_init(struct partitioned *steward, struct task *head) {
    uint32_t partitions = steward->machine.config->partitions;
    if (task_sources(head, SOURCE_LETTERS + partitions) != 0) {
        return -ENOMEM;
    }
    head->sources[SOURCE_CONTROL].topic = TOPIC_CONTROL;
    head->sources[SOURCE_CONTROL].partition = topic_partition(CONTROL_KEY, partitions);
    for (uint32_t p = 0; p < partitions; p++) {
        head->sources[SOURCE_LETTERS + p].topic = TOPIC_DEAD_LETTER;
        head->sources[SOURCE_LETTERS + p].partition = p;
    }
    return 0;
}

static void task_release(struct task *head) {
    free(((struct steward_task *)head)->replays);
}

/* ---- Compaction ---- */

static void compact_later(const struct partitioned *steward, const struct task *head, vtime now,
                          struct effects *effects) {
    int64_t every_ns = steward->machine.config->vector_compact_ns;
    if (every_ns > 0 && !bug_on(steward->machine.bugs, BUG_NEVER_COMPACTS)) {
        task_timer(effects, head, TIMER_COMPACT, vtime_add(now, every_ns));
    }
}

static int timer(struct partitioned *steward, struct task *head, uint32_t id, vtime now,
                 struct effects *effects) {
    (void)now;
    assert(id == TIMER_COMPACT);
    (void)id;
    struct effect *compact = machine_request(&steward->machine, effects, EFFECT_VECTOR_ADMIN, 0);
    if (compact == NULL) {
        return -ENOMEM;
    }
    compact->admin.what.kind = VECTOR_COMPACT;
    return task_expect(steward, head, compact, PURPOSE_COMPACT, 0);
}

/* ---- Replays ---- */

static int read_letters(struct partitioned *steward, struct steward_task *task,
                        struct effects *effects) {
    for (size_t i = SOURCE_LETTERS; i < task->task.source_count; i++) {
        if (task_fetch(steward, &task->task, i, true, effects) != 0) {
            return -ENOMEM;
        }
    }
    task->reading = task->task.source_count - SOURCE_LETTERS;
    return 0;
}

/* A partition is read as far as the present replay goes; after the last one the next begins. */
static int partition_done(struct partitioned *steward, struct steward_task *task, vtime now,
                          struct effects *effects) {
    assert(task->reading > 0);
    if (--task->reading > 0) {
        return 0;
    }
    task->replay_count--;
    memmove(task->replays, task->replays + 1, task->replay_count * sizeof *task->replays);
    for (size_t i = SOURCE_LETTERS; i < task->task.source_count; i++) {
        task->task.sources[i].next = task->task.sources[i].safe = 0;
    }
    task_changed(steward, &task->task, now, effects);
    return task->replay_count > 0 ? read_letters(steward, task, effects) : 0;
}

/* The letter's record goes back when it came from a feed. 0 or -ENOMEM. */
static int send_back(const struct replay *replay, const struct log_record *logged,
                     struct effect *produce, struct effects *effects) {
    struct dead_letter letter;
    bool asked =
        !vtime_before(logged->append, replay->from) && vtime_before(logged->append, replay->to);
    if (!asked || dead_letter_decode(logged->value, &letter) != 0 ||
        letter.topic >= TOPIC_FEED_COUNT || letter.value.len == 0) {
        return 0;
    }
    struct bytes value = effect_copy(effects, produce, letter.value);
    if (value.len == 0) {
        return -ENOMEM;
    }
    produce->produce.items[produce->produce.count++] =
        (struct produce_item){letter.topic, letter.key, value};
    return 0;
}

static int letters_read(struct partitioned *steward, struct steward_task *task, size_t index,
                        const struct event *event, struct effects *effects) {
    const struct replay *replay = &task->replays[0];
    struct source *source = &task->task.sources[index];
    size_t count = event->records.count, taken = 0;
    struct effect *produce = machine_request(&steward->machine, effects, EFFECT_PRODUCE, 0);
    if (produce == NULL) {
        return -ENOMEM;
    }
    produce->produce.items = effect_alloc(effects, produce, count * sizeof *produce->produce.items);
    produce->produce.results =
        effect_alloc(effects, produce, count * sizeof *produce->produce.results);
    if (effects->out_of_memory) {
        return -ENOMEM;
    }
    for (; taken < count; taken++) {
        const struct log_record *logged = &event->records.records[taken];
        if (!vtime_before(logged->append, replay->asked)) {
            break;
        }
        if (send_back(replay, logged, produce, effects) != 0) {
            return -ENOMEM;
        }
        source->next = logged->offset + 1;
    }
    machine_count(&steward->machine, COUNTER_RECORDS_READ, taken);
    source->waiting = taken < count; /* it is read to the end once this produce is in */
    return task_expect(steward, &task->task, produce, PURPOSE_REPLAY, (uint32_t)index);
}

static int control_read(struct partitioned *steward, struct steward_task *task,
                        const struct event *event, struct effects *effects) {
    bool idle = task->replay_count == 0;
    for (size_t i = 0; i < event->records.count; i++) {
        const struct log_record *logged = &event->records.records[i];
        struct record record;
        struct record_error error;
        if (record_of_topic(TOPIC_CONTROL, logged->value, &record, &error) != 0 ||
            record.control.kind != CONTROL_REPLAY_LETTERS) {
            continue;
        }
        if (ARRAY_RESERVE(task->replays, task->replay_capacity, task->replay_count + 1) != 0) {
            return -ENOMEM;
        }
        bool limited = record.control.to.ns != 0;
        task->replays[task->replay_count++] = (struct replay){
            .asked = logged->append,
            .from = record.control.from,
            .to = limited ? record.control.to : VTIME_NEVER,
        };
    }
    struct source *control = &task->task.sources[SOURCE_CONTROL];
    control->next = control->safe = event->records.records[event->records.count - 1].offset + 1;
    task_changed(steward, &task->task, event->now, effects);
    if (idle && task->replay_count > 0 && read_letters(steward, task, effects) != 0) {
        return -ENOMEM;
    }
    return task_fetch(steward, &task->task, SOURCE_CONTROL, false, effects);
}

static int records(struct partitioned *steward, struct task *head, size_t index,
                   const struct event *event, struct effects *effects) {
    struct steward_task *task = (struct steward_task *)head;
    if (index == SOURCE_CONTROL) {
        return control_read(steward, task, event, effects);
    }
    return event->records.count == 0 ? partition_done(steward, task, event->now, effects)
                                     : letters_read(steward, task, index, event, effects);
}

static int answered(struct partitioned *steward, struct task *head, uint32_t purpose,
                    uint32_t argument, const struct event *event, struct effects *effects,
                    bool *again) {
    (void)again;
    if (purpose == PURPOSE_COMPACT) {
        machine_count(&steward->machine, COUNTER_COMPACTIONS, 1);
        compact_later(steward, head, event->now, effects);
        return 0;
    }
    struct steward_task *task = (struct steward_task *)head;
    struct source *source = &head->sources[argument];
    source->safe = source->next;
    machine_count(&steward->machine, COUNTER_LETTERS_REPLAYED, event->answered->produce.count);
    task_changed(steward, head, event->now, effects);
    if (source->waiting > 0) {
        source->waiting = 0;
        return partition_done(steward, task, event->now, effects);
    }
    return task_fetch(steward, head, argument, true, effects);
}

/* ---- Checkpoints ---- */

enum { KEY_REPLAYS = 0, REPLAY_BYTES = 3 * 8 };

static int save_entries(struct partitioned *steward, struct task *head, struct effect *save,
                        struct effects *effects) {
    (void)steward;
    const struct steward_task *task = (const struct steward_task *)head;
    struct state_entry *entry = effect_alloc(effects, save, sizeof *entry);
    size_t size = 4 + task->replay_count * REPLAY_BYTES;
    char *value = effect_alloc(effects, save, size);
    if (entry == NULL || value == NULL) {
        return -ENOMEM;
    }
    char *at = wire_put(value, task->replay_count, 4);
    for (size_t i = 0; i < task->replay_count; i++) {
        at = wire_put(at, (uint64_t)task->replays[i].asked.ns, 8);
        at = wire_put(at, (uint64_t)task->replays[i].from.ns, 8);
        at = wire_put(at, (uint64_t)task->replays[i].to.ns, 8);
    }
    *entry = (struct state_entry){.key = KEY_REPLAYS, .value = {value, size}};
    save->save_state.entries = entry;
    save->save_state.count = 1;
    return 0;
}

static int restore_entry(struct partitioned *steward, struct task *head, uint64_t key,
                         struct bytes value) {
    struct steward_task *task = (struct steward_task *)head;
    struct wire_reader reader = wire_reader_of(value);
    size_t count = (size_t)wire_get(&reader, 4);
    if (key != KEY_REPLAYS || reader.failed || value.len != 4 + count * REPLAY_BYTES) {
        return -EINVAL;
    }
    if (ARRAY_RESERVE(task->replays, task->replay_capacity, count) != 0) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        task->replays[i].asked.ns = (int64_t)wire_get(&reader, 8);
        task->replays[i].from.ns = (int64_t)wire_get(&reader, 8);
        task->replays[i].to.ns = (int64_t)wire_get(&reader, 8);
    }
    task->replay_count = bug_on(steward->machine.bugs, BUG_REPLAY_FORGETS) ? 0 : count;
    return 0;
}

static int begin(struct partitioned *steward, struct task *head, const struct event *event,
                 struct effects *effects) {
    struct steward_task *task = (struct steward_task *)head;
    compact_later(steward, head, event->now, effects);
    if (task->replay_count > 0 && read_letters(steward, task, effects) != 0) {
        return -ENOMEM;
    }
    return task_fetch(steward, head, SOURCE_CONTROL, false, effects);
}

struct machine *steward_new(void) {
    static const struct task_ops ops = {
        .task_size = sizeof(struct steward_task),
        .init = task_init,
        .release = task_release,
        .restore_entry = restore_entry,
        .begin = begin,
        .records = records,
        .answered = answered,
        .timer = timer,
        .save_entries = save_entries,
    };
    return partitioned_new(sizeof(struct partitioned), &ops);
}
