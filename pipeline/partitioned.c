#include "pipeline/partitioned.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/array.h"
#include "pipeline/checkpoint_seal.h"
#include "pipeline/format.h"
#include "pipeline/sentence.h"

enum { PURPOSE_LOAD, PURPOSE_SAVE, PURPOSE_FETCH };
enum { TIMER_SAVE };

/* Purpose and argument share the pending request's one number; a timer's number is made of the
 * partition, the serial of its task and the timer's id. */
enum { PURPOSE_BITS = 8, TIMER_BITS = 8, SERIAL_BITS = 24 };

int task_sources(struct task *task, size_t count) {
    task->sources = calloc(count, sizeof *task->sources);
    task->source_count = count;
    return task->sources == NULL ? -ENOMEM : 0;
}

static void task_free(struct partitioned *machine, struct task *task) {
    pending_drop_partition(&machine->pending, task->partition);
    machine->ops->release(task);
    free(task->sources);
    free(task);
}

struct task *task_find(struct partitioned *machine, uint32_t partition) {
    for (size_t i = 0; i < machine->task_count; i++) {
        if (machine->tasks[i]->partition == partition) {
            return machine->tasks[i];
        }
    }
    return NULL;
}

int task_expect(struct partitioned *machine, struct task *task, struct effect *effect,
                uint32_t purpose, uint32_t argument) {
    if (effect == NULL) {
        return -ENOMEM;
    }
    return pending_add(&machine->pending, effect->request, task->partition,
                       purpose | argument << PURPOSE_BITS);
}

/* NULL when out of memory. */
static struct effect *fetch_request(struct partitioned *machine, struct task *task, size_t source,
                                    struct effects *effects) {
    struct effect *fetch = machine_request(&machine->machine, effects, EFFECT_FETCH, 0);
    if (task_expect(machine, task, fetch, PURPOSE_FETCH, (uint32_t)source) != 0) {
        return NULL;
    }
    fetch->fetch.topic = task->sources[source].topic;
    fetch->fetch.partition = task->sources[source].partition;
    fetch->fetch.offset = task->sources[source].next;
    bool blind = bug_on(machine->machine.bugs, BUG_TRUNCATION_UNSEEN);
    fetch->fetch.after_epoch =
        task->sources[source].next < 0 || blind ? 0 : task->sources[source].after_epoch;
    fetch->fetch.max = machine->machine.config->fetch_records_max;
    fetch->fetch.may_move = true;
    return fetch;
}

int task_fetch(struct partitioned *machine, struct task *task, size_t source, bool no_wait,
               struct effects *effects) {
    struct source *from = &task->sources[source];
    if (from->rewind) {
        from->next = from->safe = from->rewind_to;
        from->rewind = false;
    }
    struct effect *fetch = fetch_request(machine, task, source, effects);
    if (fetch == NULL) {
        return -ENOMEM;
    }
    fetch->fetch.no_wait = no_wait;
    return 0;
}

void task_forget(struct partitioned *machine, const struct task *task) {
    struct pending_requests *pending = &machine->pending;
    size_t kept = 0;
    for (size_t i = 0; i < pending->count; i++) {
        const struct pending_request *item = &pending->items[i];
        uint32_t purpose = item->purpose & ((1u << PURPOSE_BITS) - 1);
        if (item->partition != task->partition || purpose < TASK_PURPOSE_OWN) {
            pending->items[kept++] = *item;
        }
    }
    pending->count = kept;
}

int task_rewind(struct partitioned *machine, struct task *task, size_t source, int64_t offset,
                struct effects *effects) {
    struct source *from = &task->sources[source];
    /* Of two rewinds the further one is meant. */
    from->rewind_to = from->rewind && from->rewind_to < offset ? from->rewind_to : offset;
    from->rewind = true;
    for (size_t i = 0; i < machine->pending.count; i++) {
        const struct pending_request *pending = &machine->pending.items[i];
        if (pending->partition == task->partition &&
            pending->purpose == (PURPOSE_FETCH | (uint32_t)source << PURPOSE_BITS)) {
            /* It may wait for long: whatever it brings then is not expected any more. */
            pending_remove(&machine->pending, pending->request);
            return task_fetch(machine, task, source, false, effects);
        }
    }
    return 0;
}

/* ---- Offsets that are not kept any more ---- */

/* Asks for the next records where the topic does not keep them: in bronze, or by leaving out what
 * is lost. */
static int fetch_elsewhere(struct partitioned *machine, struct task *task, size_t source,
                           bool bronze, struct effects *effects) {
    struct effect *fetch = fetch_request(machine, task, source, effects);
    if (fetch == NULL) {
        return -ENOMEM;
    }
    fetch->fetch.bronze = fetch->fetch.no_wait = bronze;
    if (bronze) {
        fetch->fetch.after_epoch = 0;
    } else {
        fetch->fetch.offset = FETCH_OLDEST;
        fetch->fetch.after_epoch = 0;
    }
    return 0;
}

static void tell_expired(const struct source *source, enum alert_state state,
                         const struct sentence *evidence, struct effects *effects) {
    effects_alert(effects, "offset-out-of-range", topic_name(source->topic), state,
                  sentence_bytes(evidence));
}

/* "offset 5", or "offsets 5 to 9", "of listing-log/3"; the end is not meant any more. */
static struct sentence which(const struct source *source, int64_t from, int64_t end) {
    struct sentence text = sentence_begin();
    bool several = end > from + 1;
    sentence_add(&text, several ? "offsets " : "offset ");
    sentence_add_integer(&text, from);
    if (several) {
        sentence_add(&text, " to ");
        sentence_add_integer(&text, end - 1);
    }
    sentence_add(&text, " of ");
    sentence_add(&text, topic_name(source->topic));
    sentence_add(&text, "/");
    sentence_add_number(&text, source->partition);
    return text;
}

/* The topic kept less than the task had still to read (A16): bronze has what is missing of the
 * listing log; what a feed lost unread is lost, and reconciliation must make it good. */
static int expired(struct partitioned *machine, struct task *task, size_t at,
                   const struct effect *fetch, struct effects *effects) {
    struct source *source = &task->sources[at];
    bool from_bronze = machine->ops->reads_bronze && source->topic == TOPIC_LISTING_LOG &&
                       !fetch->fetch.bronze && !bug_on(machine->machine.bugs, BUG_SKIPS_EXPIRED);
    struct sentence evidence = which(source, source->next, source->kept_from);
    if (from_bronze && !source->expired) {
        sentence_add(&evidence, " not kept any more: reading on from bronze");
        tell_expired(source, ALERT_WARN, &evidence, effects);
    } else if (!from_bronze) {
        sentence_add(&evidence, " not kept any more: records were lost unread");
        tell_expired(source, ALERT_ERROR, &evidence, effects);
    }
    source->expired = true;
    return fetch_elsewhere(machine, task, at, from_bronze, effects);
}

/* Reading on behind what expired: says what of it is lost, and for how long records are handed over
 * behind it. */
static void beyond_expired(struct source *source, const struct event *event,
                           struct effects *effects) {
    int64_t first = event->records.count == 0 ? 0 : event->records.records[0].offset;
    source->expired = false;
    source->lost_upto = first > source->next ? first : 0;
    struct sentence evidence = sentence_begin();
    if (source->lost_upto > 0) {
        evidence = which(source, source->next, first);
        sentence_add(&evidence, " lost: ");
    }
    sentence_add(&evidence, "reading on from the topic");
    tell_expired(source, ALERT_CLEARED, &evidence, effects);
}

/* Bronze has not all from the next offset on: what lacks is erased, or expired unread before. */
static bool has_holes(const struct source *source, const struct event *event) {
    int64_t next = source->next;
    bool holes = false;
    for (size_t i = 0; i < event->records.count && next >= 0; i++) {
        int64_t offset = event->records.records[i].offset;
        holes = holes || offset > next;
        next = offset >= next ? offset + 1 : next;
    }
    return holes;
}

/* ---- Records that went with a leader ---- */

static void tell_torn(const struct source *source, enum alert_state state, const char *evidence,
                      struct effects *effects) {
    effects_alert(effects, "log-truncated", topic_name(source->topic), state, bytes_of(evidence));
}

/* Another leader took over without what was read last: the log is read on from where the two part,
 * since those offsets are given out once more (C2). What was learnt from the lost records stays
 * known: they were said, and whoever said them says them again. */
static int truncated(struct partitioned *machine, struct task *task, size_t at, int64_t end,
                     vtime now, struct effects *effects) {
    struct source *source = &task->sources[at];
    machine_count(&machine->machine, COUNTER_TRUNCATIONS, 1);
    if (!source->torn) {
        tell_torn(source, ALERT_WARN,
                  "records that were read are lost to a leader change: reading on from where the "
                  "log was cut",
                  effects);
    }
    source->torn = true;
    source->next = end;
    source->safe = source->safe > end ? end : source->safe;
    task_changed(machine, task, now, effects);
    return task_fetch(machine, task, at, false, effects);
}

/* The log has not what the source reads next. */
static int out_of_place(struct partitioned *machine, struct task *task, size_t at,
                        const struct event *event, struct effects *effects) {
    const struct effect *fetch = event->answered;
    if (event->error == PORT_TRUNCATED ||
        (event->records.bounded && fetch->fetch.offset > event->records.end)) {
        return truncated(machine, task, at, event->records.end, event->now, effects);
    }
    if (event->records.bounded && bug_on(machine->machine.bugs, BUG_RESETS_AT_ONCE)) {
        task->sources[at].next = task->sources[at].safe = event->records.end;
        return task_fetch(machine, task, at, false, effects);
    }
    task->sources[at].kept_from = event->records.bounded ? event->records.start : 0;
    return expired(machine, task, at, fetch, effects);
}

/*
 * The client has put the reader where its group's reset policy says, for a reason that it keeps to
 * itself: records that expired, a log that was cut, a broker that erred, no commit (C2). What was
 * dealt with stands in the checkpoint, and where the client stands has nothing to do with it. So
 * nothing is read there: the log is asked for the same offset by somebody who is told.
 */
static int moved(struct partitioned *machine, struct task *task, size_t at,
                 const struct event *event, struct effects *effects) {
    struct source *source = &task->sources[at];
    machine_count(&machine->machine, COUNTER_OFFSET_RESETS, 1);
    /* Who asks for what was committed leaves it to the client. */
    if (bug_on(machine->machine.bugs, BUG_POLICY_BELIEVED) || source->next == FETCH_COMMITTED) {
        source->next = source->safe = event->records.position;
        source->after_epoch = 0;
        return task_fetch(machine, task, at, event->answered->fetch.no_wait, effects);
    }
    struct effect *fetch = fetch_request(machine, task, at, effects);
    if (fetch == NULL) {
        return -ENOMEM;
    }
    fetch->fetch.offset = event->answered->fetch.offset;
    fetch->fetch.after_epoch = event->answered->fetch.after_epoch;
    fetch->fetch.no_wait = event->answered->fetch.no_wait;
    fetch->fetch.may_move = false;
    return 0;
}

/* ---- Formats of a later version ---- */

static void tell_unknown(const struct partitioned *machine, const struct task *task,
                         const char *what, struct effects *effects) {
    struct sentence evidence = sentence_begin();
    sentence_add(&evidence, what);
    sentence_add(&evidence, " of partition ");
    sentence_add_number(&evidence, task->partition);
    sentence_add(&evidence, " is in a format that code version ");
    sentence_add_number(&evidence, machine->machine.config->code_version);
    sentence_add(&evidence, " does not know: the partition is left alone");
    effects_alert(effects, "format-unknown", machine_kind_name(machine->machine.kind), ALERT_ERROR,
                  sentence_bytes(&evidence));
}

/* How many of the records stand in front of the first whose format this code does not know. Feeds
 * come from outside, and dead letters hold anything. */
static size_t records_known(const struct partitioned *machine, const struct source *source,
                            const struct event *event) {
    const struct log_record *records = event->records.records;
    uint32_t version = machine->machine.config->code_version;
    size_t count = event->records.count;
    if (source->topic < TOPIC_FEED_COUNT || source->topic == TOPIC_DEAD_LETTER ||
        bug_on(machine->machine.bugs, BUG_UNKNOWN_FORMAT_GUESSED)) {
        return count;
    }
    for (size_t i = 0; i < count; i++) {
        bool other = records[i].value.len > 0 && (unsigned char)records[i].value.data[0] > version;
        if (other && record_format(records[i].value) > version) {
            return i;
        }
    }
    return count;
}

/* Records came. One that reads on where it could not before says so. */
static int fetched(struct partitioned *machine, struct task *task, size_t at,
                   const struct event *event, struct effects *effects) {
    struct source *source = &task->sources[at];
    const struct effect *fetch = event->answered;
    if (fetch->fetch.bronze && event->records.count == 0) {
        return expired(machine, task, at, fetch, effects);
    }
    struct event known = *event;
    known.records.count = records_known(machine, source, event);
    if (known.records.count == 0 && event->records.count > 0) {
        if (bug_on(machine->machine.bugs, BUG_UNKNOWN_RECORD_SKIPPED)) {
            source->next = source->safe = event->records.records[0].offset + 1;
            task_changed(machine, task, event->now, effects);
            return task_fetch(machine, task, at, fetch->fetch.no_wait, effects);
        }
        tell_unknown(machine, task, "a record in the log", effects);
        return 0; /* it reads no further: whoever is assigned the partition next does */
    }
    if (source->expired && !fetch->fetch.bronze) {
        beyond_expired(source, event, effects);
    }
    if (source->torn) {
        source->torn = false;
        tell_torn(source, ALERT_CLEARED, "reading on", effects);
    }
    /* The next fetch may go out in this very step: it is to say what was read in it. Who reads less
     * of it knows a later epoch than it need, which the same log has. */
    if (known.records.count > 0) {
        source->after_epoch = known.records.records[known.records.count - 1].epoch + 1;
    }
    source->holed = fetch->fetch.bronze && has_holes(source, &known);
    if (machine->ops->records(machine, task, at, &known, effects) != 0) {
        return -ENOMEM;
    }
    task->sources[at].lost_upto = 0;
    task->sources[at].holed = false;
    return 0;
}

void task_timer(struct effects *effects, const struct task *task, uint32_t id, vtime at) {
    assert(id < 1u << TIMER_BITS);
    machine_timer(effects,
                  id | task->serial << TIMER_BITS |
                      (uint64_t)task->partition << (TIMER_BITS + SERIAL_BITS),
                  at);
}

void task_changed(struct partitioned *machine, struct task *task, vtime now,
                  struct effects *effects) {
    task->changed = true;
    if (!task->save_armed && !task->saving && !task->save_due) {
        task->save_armed = true;
        task_timer(effects, task, TIMER_SAVE,
                   vtime_add(now, machine->machine.config->checkpoint_interval_ns));
    }
}

/* ---- Assignment ---- */

static bool assigned_has(const struct event *event, uint32_t partition) {
    for (size_t i = 0; i < event->assigned.count; i++) {
        if (event->assigned.partitions[i] == partition) {
            return true;
        }
    }
    return false;
}

static int task_begin(struct partitioned *machine, uint32_t partition, struct effects *effects) {
    struct task **tasks =
        realloc(machine->tasks, (machine->task_count + 1) * sizeof(struct task *));
    if (tasks == NULL) {
        return -ENOMEM;
    }
    machine->tasks = tasks;
    struct task *task = calloc(1, machine->ops->task_size);
    if (task == NULL) {
        return -ENOMEM;
    }
    task->partition = partition;
    task->serial = ++machine->serial_last & ((1u << SERIAL_BITS) - 1);
    tasks[machine->task_count++] = task;
    if (machine->ops->init(machine, task) != 0) {
        return -ENOMEM;
    }
    struct effect *load = machine_request(&machine->machine, effects, EFFECT_LOAD_STATE, 0);
    if (load != NULL) {
        load->load_state.group = machine_group(machine->machine.kind);
        load->load_state.partition = partition;
        load->load_state.generation = machine->generation;
    }
    return task_expect(machine, task, load, PURPOSE_LOAD, 0);
}

static int assigned(struct partitioned *machine, const struct event *event,
                    struct effects *effects) {
    if (event->assigned.generation <= machine->generation) {
        return 0; /* news of an earlier generation that was overtaken on its way */
    }
    /* Only what this member owned in the generation just before is surely still its own. */
    bool successive = event->assigned.generation == machine->generation + 1;
    machine->generation = event->assigned.generation;
    size_t kept = 0;
    for (size_t i = 0; i < machine->task_count; i++) {
        struct task *task = machine->tasks[i];
        if (successive && assigned_has(event, task->partition)) {
            machine->tasks[kept++] = task;
        } else {
            task_free(machine, task);
        }
    }
    machine->task_count = kept;
    for (size_t i = 0; i < event->assigned.count; i++) {
        uint32_t partition = event->assigned.partitions[i];
        if (task_find(machine, partition) == NULL && task_begin(machine, partition, effects) != 0) {
            return -ENOMEM;
        }
    }
    return 0;
}

/* A later generation exists: the task belongs to somebody else. */
static void task_lost(struct partitioned *machine, struct task *task) {
    for (size_t i = 0; i < machine->task_count; i++) {
        if (machine->tasks[i] == task) {
            machine->tasks[i] = machine->tasks[--machine->task_count];
            break;
        }
    }
    task_free(machine, task);
}

/* ---- Checkpoints ---- */

static void alert(struct effects *effects, const char *name, const char *subject,
                  const char *evidence) {
    effects_alert(effects, name, subject, ALERT_ERROR, bytes_of(evidence));
}

/* What stands in the seal of an entry: as checkpoint_open. */
static int unseal(const struct partitioned *machine, uint64_t key, struct bytes stored,
                  struct bytes *body) {
    int error = checkpoint_open(stored, key, (uint8_t)machine->machine.config->code_version, body);
    if (error == -EINVAL && stored.len > CHECKPOINT_SEAL_BYTES &&
        bug_on(machine->machine.bugs, BUG_SEAL_UNCHECKED)) {
        *body =
            (struct bytes){stored.data + CHECKPOINT_SEAL_BYTES, stored.len - CHECKPOINT_SEAL_BYTES};
        return 0;
    }
    return error;
}

/* Some of the checkpoint was written by a later version of the code, whose formats were finalised:
 * part of it would be worse than nothing (C6). */
static bool is_beyond(const struct partitioned *machine, const struct event *event) {
    struct bytes body;
    bool beyond = unseal(machine, CHECKPOINT_OFFSETS_KEY, event->state.offsets, &body) == -ENOTSUP;
    for (size_t i = 0; i < event->state.count && !beyond; i++) {
        const struct state_entry *entry = &event->state.entries[i];
        beyond = unseal(machine, entry->key, entry->value, &body) == -ENOTSUP;
    }
    return beyond && !bug_on(machine->machine.bugs, BUG_UNKNOWN_FORMAT_GUESSED);
}

/* 0, -EINVAL or -ENOMEM. */
static int restore_entry(struct partitioned *machine, struct task *task,
                         const struct state_entry *entry) {
    struct bytes body;
    int error = unseal(machine, entry->key, entry->value, &body);
    if (error == -ENOTSUP) {
        return 0; /* only a bug comes so far */
    }
    return error != 0 ? error : machine->ops->restore_entry(machine, task, entry->key, body);
}

static int restored(struct partitioned *machine, struct task *task, const struct event *event,
                    struct effects *effects) {
    if (is_beyond(machine, event)) {
        tell_unknown(machine, task, "the checkpoint", effects);
        return 0; /* it is never ready; whoever is assigned the partition next loads it anew */
    }
    struct bytes offsets = {NULL, 0};
    bool corrupt =
        unseal(machine, CHECKPOINT_OFFSETS_KEY, event->state.offsets, &offsets) == -EINVAL ||
        sources_decode(task->sources, task->source_count, offsets) != 0;
    for (size_t i = 0; i < event->state.count; i++) {
        int error = restore_entry(machine, task, &event->state.entries[i]);
        if (error != 0 && error != -EINVAL) {
            return -ENOMEM;
        }
        corrupt = corrupt || error == -EINVAL;
    }
    if (corrupt) {
        alert(effects, "checkpoint-corrupt", machine_kind_name(machine->machine.kind),
              "an entry of a checkpoint cannot be read: what it held is made again from the start "
              "of the log");
    }
    for (size_t i = 0; i < task->source_count && corrupt; i++) {
        task->sources[i].next = task->sources[i].safe = 0;
    }
    for (size_t i = 0; i < task->source_count; i++) {
        if (bug_on(machine->machine.bugs, BUG_RESUMES_AT_COMMIT) &&
            task->sources[i].partition == task->partition) {
            task->sources[i].next = FETCH_COMMITTED;
        }
    }
    task->ready = true;
    return machine->ops->begin(machine, task, event, effects);
}

/* The bytes behind a seal, in the memory of the save. Empty when out of memory, or when they say
 * that there is nothing. */
static struct bytes sealed(const struct partitioned *machine, uint64_t key, struct bytes body,
                           struct effect *save, struct effects *effects) {
    char *seal =
        body.len == 0 ? NULL : effect_alloc_raw(effects, save, CHECKPOINT_SEAL_BYTES + body.len);
    if (seal == NULL) {
        return (struct bytes){NULL, 0};
    }
    memcpy(seal + CHECKPOINT_SEAL_BYTES, body.data, body.len);
    checkpoint_seal(seal, machine_format(&machine->machine), key,
                    (struct bytes){seal + CHECKPOINT_SEAL_BYTES, body.len});
    return (struct bytes){seal, CHECKPOINT_SEAL_BYTES + body.len};
}

static int seal_all(const struct partitioned *machine, struct effect *save,
                    struct effects *effects) {
    if (machine_format(&machine->machine) < FORMAT_SEALED) {
        return 0;
    }
    save->save_state.offsets =
        sealed(machine, CHECKPOINT_OFFSETS_KEY, save->save_state.offsets, save, effects);
    for (size_t i = 0; i < save->save_state.count; i++) {
        struct state_entry *entry = &save->save_state.entries[i];
        entry->value = sealed(machine, entry->key, entry->value, save, effects);
    }
    return effects->out_of_memory ? -ENOMEM : 0;
}

static int save(struct partitioned *machine, struct task *task, struct effects *effects) {
    task->save_armed = false;
    if (task->saving || !task->changed) {
        return 0;
    }
    task->save_due = machine->ops->may_save != NULL && !machine->ops->may_save(task);
    if (task->save_due) {
        return 0;
    }
    struct effect *save = machine_request(&machine->machine, effects, EFFECT_SAVE_STATE, 0);
    if (save == NULL) {
        return -ENOMEM;
    }
    save->save_state.group = machine_group(machine->machine.kind);
    save->save_state.partition = task->partition;
    bool unfenced = bug_on(machine->machine.bugs, BUG_FENCING_OFF);
    save->save_state.generation = unfenced ? UINT32_MAX : machine->generation;
    char *offsets = effect_alloc(effects, save, task->source_count * SOURCE_ENCODED_BYTES);
    if (offsets == NULL || machine->ops->save_entries(machine, task, save, effects) != 0) {
        return -ENOMEM;
    }
    bool early = bug_on(machine->machine.bugs, BUG_OFFSET_BEFORE_STATE);
    size_t length = sources_encode(task->sources, task->source_count, early, offsets);
    save->save_state.offsets = (struct bytes){offsets, length};
    if (seal_all(machine, save, effects) != 0) {
        return -ENOMEM;
    }
    task->saving = true;
    task->changed = false;
    machine_count(&machine->machine, COUNTER_CHECKPOINTS, 1);
    machine_count(&machine->machine, COUNTER_CHECKPOINTS_SEALED,
                  machine_format(&machine->machine) >= FORMAT_SEALED);
    return task_expect(machine, task, save, PURPOSE_SAVE, 0);
}

int task_save(struct partitioned *machine, struct task *task, struct effects *effects) {
    assert(machine->ops->may_save == NULL);
    task->changed = true;
    task->save_next = task->saving;
    return save(machine, task, effects);
}

int task_savable(struct partitioned *machine, struct task *task, struct effects *effects) {
    return task->save_due ? save(machine, task, effects) : 0;
}

/* A checkpoint is in: the group hears how far the task is with the sources of its own. */
static int saved(struct partitioned *machine, struct task *task, const struct event *event,
                 struct effects *effects) {
    const struct effect *taken = event->answered;
    struct bytes offsets = {NULL, 0};
    unseal(machine, CHECKPOINT_OFFSETS_KEY, taken->save_state.offsets, &offsets);
    task->saving = false;
    for (size_t i = 0; i < task->source_count; i++) {
        struct source source = task->sources[i];
        if (source.partition != task->partition) {
            continue;
        }
        sources_decode(&source, 1, offsets);
        if (source.safe < 0) {
            continue; /* it is being read again from its beginning */
        }
        struct effect *commit = effects_add(effects, EFFECT_COMMIT, 0, 0);
        if (commit == NULL) {
            return -ENOMEM;
        }
        commit->commit.group = taken->save_state.group;
        commit->commit.generation = taken->save_state.generation;
        commit->commit.topic = source.topic;
        commit->commit.partition = source.partition;
        commit->commit.offset = source.safe;
    }
    if (task->save_next) {
        task->save_next = false;
        return save(machine, task, effects);
    }
    if (task->changed) {
        task_changed(machine, task, event->now, effects);
        return 0;
    }
    return machine->ops->saved == NULL ? 0
                                       : machine->ops->saved(machine, task, event->now, effects);
}

/* ---- Steps ---- */

/* A broker that says out of range of what its log keeps errs for a moment, as one that has just
 * become the leader does: it is asked again. */
static bool in_place(const struct partitioned *machine, const struct event *event) {
    int64_t offset = event->answered->fetch.offset;
    bool kept =
        offset == FETCH_OLDEST || (offset >= event->records.start && offset <= event->records.end);
    return event->error == PORT_OUT_OF_RANGE && event->records.bounded && kept &&
           !bug_on(machine->machine.bugs, BUG_RESETS_AT_ONCE);
}

static int answered(struct partitioned *machine, const struct event *event,
                    struct effects *effects) {
    struct pending_request *pending = pending_find(&machine->pending, event->request);
    if (pending == NULL) {
        return 0;
    }
    struct task *task = task_find(machine, pending->partition);
    assert(task != NULL);
    bool zombie =
        event->kind == EVENT_PRODUCED && event->error == PORT_OK && produce_fenced(event->answered);
    if (event->error == PORT_FENCED || zombie) {
        task_lost(machine, task);
        return 0;
    }
    uint32_t purpose = pending->purpose & ((1u << PURPOSE_BITS) - 1);
    uint32_t argument = pending->purpose >> PURPOSE_BITS;
    uint32_t failures = pending->failures;
    bool own = purpose >= TASK_PURPOSE_OWN;
    bool again = event->error != PORT_OK ||
                 (event->kind == EVENT_PRODUCED && produce_incomplete(event->answered) &&
                  !bug_on(machine->machine.bugs, BUG_PRODUCE_TAKEN_WHOLE));
    bool misplaced = event->error == PORT_OUT_OF_RANGE || event->error == PORT_TRUNCATED;
    if (misplaced && purpose == PURPOSE_FETCH && !in_place(machine, event)) {
        pending_remove(&machine->pending, event->request);
        return out_of_place(machine, task, argument, event, effects);
    }
    if (purpose == PURPOSE_FETCH && !again && event->records.moved) {
        pending_remove(&machine->pending, event->request);
        return moved(machine, task, argument, event, effects);
    }
    int error = 0;
    if (own && !again) {
        error = machine->ops->answered(machine, task, purpose, argument, event, effects, &again);
    } else if (own && event->error != PORT_OK && machine->ops->refused != NULL) {
        error = machine->ops->refused(machine, task, purpose, argument, event, effects, &again);
    }
    if (error != 0) {
        return error;
    }
    if (again) {
        pending = pending_find(&machine->pending, event->request);
        pending->failures = failures + 1;
        /* A store that answers item by item is up: those that failed need not wait for long. */
        bool up = event->kind == EVENT_WRITTEN && event->error == PORT_OK;
        machine_resend(&machine->machine, effects, event, up ? 1 : failures + 1);
    } else {
        pending_remove(&machine->pending, event->request);
    }
    if (own) {
        if (machine->ops->failing != NULL && (again || failures > 0)) {
            machine->ops->failing(task, purpose, argument, again ? failures + 1 : 0);
        }
        return again || machine->ops->settled == NULL
                   ? 0
                   : machine->ops->settled(machine, task, effects);
    }
    if (again) {
        return 0;
    }
    switch (purpose) {
    case PURPOSE_LOAD:
        return restored(machine, task, event, effects);
    case PURPOSE_SAVE:
        return saved(machine, task, event, effects);
    default:
        return fetched(machine, task, argument, event, effects);
    }
}

static int timer(struct partitioned *machine, const struct event *event, struct effects *effects) {
    struct task *task = task_find(machine, (uint32_t)(event->timer >> (TIMER_BITS + SERIAL_BITS)));
    uint32_t serial = (uint32_t)event->timer >> TIMER_BITS;
    if (task == NULL || task->serial != serial) {
        return 0;
    }
    assert(task->ready);
    uint32_t id = (uint32_t)event->timer & ((1u << TIMER_BITS) - 1);
    return id == TIMER_SAVE ? save(machine, task, effects)
                            : machine->ops->timer(machine, task, id, event->now, effects);
}

static int partitioned_step(struct machine *machine, const struct event *event,
                            struct effects *effects) {
    struct partitioned *self = (struct partitioned *)machine;
    if (event->request != 0) {
        return answered(self, event, effects);
    }
    switch (event->kind) {
    case EVENT_ASSIGNED:
        return assigned(self, event, effects);
    case EVENT_TIMER:
        return timer(self, event, effects);
    default:
        return self->ops->other == NULL ? 0 : self->ops->other(self, event, effects);
    }
}

static void partitioned_free(struct machine *machine) {
    struct partitioned *self = (struct partitioned *)machine;
    for (size_t i = 0; i < self->task_count; i++) {
        task_free(self, self->tasks[i]);
    }
    free(self->tasks);
    pending_release(&self->pending);
    free(self);
}

struct machine *partitioned_new(size_t size, const struct task_ops *ops) {
    struct partitioned *machine = calloc(1, size);
    if (machine == NULL) {
        return NULL;
    }
    machine->ops = ops;
    machine->machine.step = partitioned_step;
    machine->machine.free = partitioned_free;
    return &machine->machine;
}
