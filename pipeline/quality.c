/*
 * The quality monitor (B10): a consumer of its own that reads the listing feed and the dead letters
 * and says what looks wrong in them (pipeline/quality_feed.h), and every so often holds vectors
 * that were written lately against a reference (pipeline/quality_drift.h). Alerts are raised and
 * cleared on change of state, each with a sentence of evidence.
 *
 * It stops nothing: what must not come in is the router's to refuse or to hold back.
 *
 * It also carries out an operator's answer to drift: re-embed has every vector made anew that was
 * written in a stretch of time. The vector collections are walked for rows of that stretch, and the
 * builder is told to write those (as reconciliation does it); that is done again until no row of
 * the stretch is left, since a builder that dies takes what it was told with it.
 *
 * A checkpoint is taken once a window and with every command: what it costs to read a window's
 * records again is less than to save the state with each batch.
 *
 * Invariants:
 *  1. a batch is taken in within one step, so a checkpoint's counts are those of its offsets;
 *  2. at most one look at vectors, and one walk, is under way.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/control.h"
#include "pipeline/partitioned.h"
#include "pipeline/quality_drift.h"
#include "pipeline/quality_feed.h"
#include "pipeline/registry.h"
#include "pipeline/wire.h"

enum { PURPOSE_VECTORS = TASK_PURPOSE_OWN, PURPOSE_PURGE, PURPOSE_WALK };
enum { TIMER_WINDOW = TASK_TIMER_OWN, TIMER_DRIFT, TIMER_WALK };
enum { WALK_ROWS = 256 };

/* The stores whose rows are re-embedded. */
#define WALK_FIRST SCAN_VECTOR_TEXT
#define WALK_LAST SCAN_VECTOR_FUSED

struct walk {
    bool active;
    bool under_way;
    bool found;     /* a row of the stretch, since the walk began anew */
    vtime from, to; /* to: NEVER in a first walk without an end */
    vtime began;    /* what is written from here on is right */
    enum scan_store store;
    uint64_t next; /* listing id */
};

struct quality_task {
    struct task task;
    struct registry registry; /* of contracts, folded from the control topic */
    bool registry_unsaved;
    struct quality_feed feed;
    struct quality_drift drift;
    size_t reference_saved; /* rows of the reference that a checkpoint has */
    bool looking;           /* vectors are being read */
    uint32_t model_served;
    struct walk walk;
};

/* Sources: every partition of the listing feed, of the dead letters, then the control topic. */
static size_t source_letters(const struct partitioned *quality) {
    return quality->machine.config->partitions;
}
static size_t source_control(const struct partitioned *quality) {
    return 2 * (size_t)quality->machine.config->partitions;
}

static int task_init(struct partitioned *quality, struct task *head) {
    struct quality_task *task = (struct quality_task *)head;
    uint32_t partitions = quality->machine.config->partitions;
    if (task_sources(head, source_control(quality) + 1) != 0) {
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < partitions; i++) {
        head->sources[i].topic = TOPIC_LISTING;
        head->sources[i].partition = i;
        head->sources[source_letters(quality) + i].topic = TOPIC_DEAD_LETTER;
        head->sources[source_letters(quality) + i].partition = i;
    }
    head->sources[source_control(quality)].topic = TOPIC_CONTROL;
    head->sources[source_control(quality)].partition = topic_partition(CONTROL_KEY, partitions);
    task->model_served = quality->machine.config->model_version;
    return registry_init(&task->registry, quality->machine.config->contracts);
}

static void task_release(struct task *head) {
    struct quality_task *task = (struct quality_task *)head;
    quality_drift_release(&task->drift);
    registry_release(&task->registry);
}

/* ---- Alerts ---- */

static const char *monitor_subject(enum quality_monitor monitor) {
    return topic_name(monitor == QUALITY_LOADS ? TOPIC_DEAD_LETTER : TOPIC_LISTING);
}

/* News is saved soon: it is not to be told again after a crash. */
static void look(struct partitioned *quality, struct quality_task *task, vtime now,
                 struct effects *effects) {
    for (int i = 0; i < QUALITY_MONITOR_COUNT; i++) {
        enum quality_monitor monitor = (enum quality_monitor)i;
        struct sentence evidence;
        if (monitor == QUALITY_LOADS && bug_on(quality->machine.bugs, BUG_REFUSALS_UNHEARD)) {
            continue;
        }
        if (quality_feed_strikes(&task->feed, monitor, &evidence)) {
            effects_alert(effects, quality_monitor_name(monitor), monitor_subject(monitor),
                          ALERT_ERROR, sentence_bytes(&evidence));
            task_changed(quality, &task->task, now, effects);
        }
    }
}

static void window_close(struct partitioned *quality, struct quality_task *task, vtime now,
                         struct effects *effects) {
    look(quality, task, now, effects);
    unsigned cleared = quality_feed_close(&task->feed);
    for (int i = 0; i < QUALITY_MONITOR_COUNT; i++) {
        if ((cleared >> i & 1) != 0) {
            enum quality_monitor monitor = (enum quality_monitor)i;
            struct sentence evidence = sentence_begin();
            sentence_add(&evidence, "a whole window passed without");
            effects_alert(effects, quality_monitor_name(monitor), monitor_subject(monitor),
                          ALERT_CLEARED, sentence_bytes(&evidence));
        }
    }
}

/* ---- Drift ---- */

static bool text_changes(const struct record *record) {
    struct field field;
    for (struct field_cursor c = record_fields(record); record_fields_next(&c, &field);) {
        if (field.id == FIELD_TITLE || field.id == FIELD_DESCRIPTION ||
            field.id == FIELD_ATTRIBUTE) {
            return record->op == RECORD_UPSERT;
        }
    }
    return false;
}

static int vectors_read(struct partitioned *quality, struct quality_task *task,
                        struct effects *effects) {
    struct effect *read = machine_request(&quality->machine, effects, EFFECT_READ_VECTORS, 0);
    size_t count = task->drift.count;
    if (read == NULL) {
        return -ENOMEM;
    }
    read->read.modality = MODALITY_TEXT;
    read->read.model_version = task->model_served;
    read->read.count = count;
    read->read.listing_ids = effect_alloc(effects, read, count * sizeof *read->read.listing_ids);
    read->read.vectors = effect_alloc(effects, read, count * TEXT_DIMENSION * sizeof(float));
    read->read.found = effect_alloc(effects, read, count * sizeof *read->read.found);
    if (read->read.listing_ids == NULL || read->read.vectors == NULL || read->read.found == NULL) {
        return -ENOMEM;
    }
    memcpy(read->read.listing_ids, task->drift.ids, count * sizeof *task->drift.ids);
    task->drift.count = 0;
    task->looking = true;
    return task_expect(quality, &task->task, read, PURPOSE_VECTORS, 0);
}

static int vectors_seen(struct partitioned *quality, struct quality_task *task,
                        const struct event *event, struct effects *effects) {
    const struct effect *read = event->answered;
    size_t rows = 0;
    for (size_t i = 0; i < read->read.count; i++) {
        const float *vector = read->read.vectors + i * TEXT_DIMENSION;
        if (read->read.found[i]) {
            memmove(read->read.vectors + rows++ * TEXT_DIMENSION, vector,
                    TEXT_DIMENSION * sizeof *vector);
        }
    }
    task->looking = false;
    if (read->read.model_version != task->model_served) {
        return 0; /* another model came to be served while they were read */
    }
    struct sentence evidence;
    enum quality_drift_verdict verdict;
    if (quality_drift_judge(&task->drift, read->read.vectors, rows, quality->machine.bugs,
                            &evidence, &verdict) != 0) {
        return -ENOMEM;
    }
    if (verdict != QUALITY_DRIFT_NOTHING) {
        effects_alert(effects, "embedding-drift", scan_store_name(SCAN_VECTOR_TEXT),
                      verdict == QUALITY_DRIFT_RAISED ? ALERT_ERROR : ALERT_CLEARED,
                      sentence_bytes(&evidence));
    }
    task_changed(quality, &task->task, event->now, effects);
    return 0;
}

/* ---- Re-embedding ---- */

/* What was kept of the stretch goes first: content that was replaced since may come back, and its
 * vector would come from the archive. */
static int walk_purge(struct partitioned *quality, struct quality_task *task,
                      struct effects *effects) {
    const struct walk *walk = &task->walk;
    struct effect *purge = machine_request(&quality->machine, effects, EFFECT_ERASE, 0);
    if (purge == NULL) {
        return -ENOMEM;
    }
    purge->erase.target = ERASE_ARTIFACTS_OF_STRETCH;
    purge->erase.artifacts_from = walk->from;
    purge->erase.artifacts_until = walk->to.ns < walk->began.ns ? walk->to : walk->began;
    return task_expect(quality, &task->task, purge, PURPOSE_PURGE, 0);
}

static int walk_scan(struct partitioned *quality, struct quality_task *task,
                     struct effects *effects) {
    struct effect *scan = machine_request(&quality->machine, effects, EFFECT_SCAN, 0);
    if (scan == NULL) {
        return -ENOMEM;
    }
    scan->scan.store = task->walk.store;
    scan->scan.path = SCAN_BY_SCAN;
    scan->scan.model_version = task->model_served;
    scan->scan.first = task->walk.next;
    scan->scan.last = UINT64_MAX;
    scan->scan.max = WALK_ROWS;
    scan->scan.page = true;
    scan->scan.rows = effect_alloc(effects, scan, WALK_ROWS * sizeof *scan->scan.rows);
    return scan->scan.rows == NULL ? -ENOMEM
                                   : task_expect(quality, &task->task, scan, PURPOSE_WALK, 0);
}

static int walk_on(struct partitioned *quality, struct quality_task *task,
                   struct effects *effects) {
    bool first = task->walk.store == WALK_FIRST && task->walk.next == 0;
    bool purges = first && !bug_on(quality->machine.bugs, BUG_REEMBED_FROM_ARCHIVE);
    task->walk.under_way = true;
    return purges ? walk_purge(quality, task, effects) : walk_scan(quality, task, effects);
}

static void walk_anew(struct walk *walk) {
    walk->store = WALK_FIRST;
    walk->next = 0;
    walk->found = false;
}

/* Tells the builders to write the rows of the stretch anew. */
static int walk_repair(const struct partitioned *quality, struct quality_task *task,
                       const struct effect *scan, struct effects *effects) {
    struct effect *repair = NULL;
    for (size_t i = 0; i < scan->scan.count; i++) {
        const struct scan_row *row = &scan->scan.rows[i];
        if (vtime_before(row->changed_at, task->walk.from) ||
            !vtime_before(row->changed_at, task->walk.to)) {
            continue;
        }
        if (repair == NULL) {
            repair = effects_add(effects, EFFECT_REPAIR, 0, 0);
            if (repair == NULL) {
                return -ENOMEM;
            }
            repair->listings.store = scan->scan.store;
            repair->listings.anew = !bug_on(quality->machine.bugs, BUG_REEMBED_FROM_ARCHIVE);
            repair->listings.model_version = scan->scan.model_version;
            repair->listings.listing_ids =
                effect_alloc(effects, repair, scan->scan.count * sizeof(uint64_t));
            if (repair->listings.listing_ids == NULL) {
                return -ENOMEM;
            }
        }
        repair->listings.listing_ids[repair->listings.count++] = row->listing_id;
        task->walk.found = true;
    }
    return 0;
}

static int walked(struct partitioned *quality, struct quality_task *task, const struct event *event,
                  struct effects *effects) {
    const struct effect *scan = event->answered;
    struct walk *walk = &task->walk;
    walk->under_way = false;
    if (!walk->active || walk_repair(quality, task, scan, effects) != 0) {
        return walk->active ? -ENOMEM : 0;
    }
    task_changed(quality, &task->task, event->now, effects);
    if (!scan->scan.complete && scan->scan.count > 0) {
        walk->next = scan->scan.rows[scan->scan.count - 1].listing_id + 1;
        return walk_on(quality, task, effects);
    }
    if (walk->store < WALK_LAST) {
        walk->store++;
        walk->next = 0;
        return walk_on(quality, task, effects);
    }
    walk->active = walk->found;
    walk->to = walk->to.ns < walk->began.ns ? walk->to : walk->began;
    walk_anew(walk);
    if (walk->active) {
        task_timer(effects, &task->task, TIMER_WALK,
                   vtime_add(event->now, quality->machine.config->reconcile_settle_ns));
    }
    return 0;
}

/* ---- Records ---- */

static void listing_records(struct partitioned *quality, struct quality_task *task,
                            const struct event *event) {
    const struct pipeline_config *config = quality->machine.config;
    uint64_t stretch = (uint64_t)(event->now.ns / config->quality_drift_ns);
    for (size_t i = 0; i < event->records.count; i++) {
        const struct log_record *logged = &event->records.records[i];
        struct record record;
        struct record_error error;
        if (record_of_topic(TOPIC_LISTING, logged->value, &record, &error) != 0) {
            continue; /* the router refuses it */
        }
        bool registered =
            registry_find(&task->registry, TOPIC_LISTING, record.contract_version) != NULL;
        quality_feed_record(&task->feed, &record, logged->append, config->future_max_ns,
                            registered);
        if (vtime_diff(record.stamp.ts, logged->append) <= config->future_max_ns &&
            text_changes(&record)) {
            quality_drift_offer(&task->drift, record.subject_id, stretch);
        }
    }
}

static void letter_records(struct quality_task *task, const struct event *event) {
    for (size_t i = 0; i < event->records.count; i++) {
        struct dead_letter letter;
        bool row = dead_letter_decode(event->records.records[i].value, &letter) == 0 &&
                   letter.topic == TOPIC_LISTING_LOG && letter.value.len == 0;
        quality_feed_refused(&task->feed, row);
    }
}

static int registered(struct quality_task *task, const struct record *record) {
    struct sentence why = sentence_begin();
    int outcome = record->control.id >= TOPIC_FEED_COUNT
                      ? 0
                      : registry_fold(&task->registry, (enum topic_id)record->control.id,
                                      record->control.text, &why);
    return outcome < 0 ? outcome : 0;
}

static int command(struct partitioned *quality, struct quality_task *task,
                   const struct record *record, vtime now, struct effects *effects) {
    struct walk *walk = &task->walk;
    switch (record->control.kind) {
    case CONTROL_MODELS:
        if (record->control.model_version != task->model_served) {
            task->model_served = record->control.model_version;
            quality_drift_forget(&task->drift);
            task->reference_saved = 0;
        }
        return 0;
    case CONTROL_REGISTER:
        task->registry_unsaved = true;
        return registered(task, record);
    case CONTROL_REEMBED:
        walk->from = record->control.from;
        walk->to = record->control.to.ns == 0 ? VTIME_NEVER : record->control.to;
        walk->began = now;
        walk->active = true;
        walk_anew(walk);
        return walk->under_way ? 0 : walk_on(quality, task, effects);
    default:
        return 0;
    }
}

static int control_records(struct partitioned *quality, struct quality_task *task,
                           const struct event *event, struct effects *effects) {
    for (size_t i = 0; i < event->records.count; i++) {
        struct record record;
        struct record_error error;
        if (record_of_topic(TOPIC_CONTROL, event->records.records[i].value, &record, &error) == 0 &&
            command(quality, task, &record, event->now, effects) != 0) {
            return -ENOMEM;
        }
    }
    return 0;
}

static int records(struct partitioned *quality, struct task *head, size_t index,
                   const struct event *event, struct effects *effects) {
    struct quality_task *task = (struct quality_task *)head;
    size_t count = event->records.count;
    struct source *source = &head->sources[index];
    machine_count(&quality->machine, COUNTER_RECORDS_READ, count);
    if (index == source_control(quality)) {
        if (control_records(quality, task, event, effects) != 0) {
            return -ENOMEM;
        }
        task_changed(quality, head, event->now, effects);
    } else if (index >= source_letters(quality)) {
        letter_records(task, event);
    } else {
        listing_records(quality, task, event);
    }
    look(quality, task, event->now, effects);
    source->next = source->safe = event->records.records[count - 1].offset + 1;
    return task_fetch(quality, head, index, false, effects);
}

/* ---- Checkpoints ---- */

/* What changes all the time is one entry, the registry another; each row of the reference is one of
 * its own, saved once. */
enum { STATE_KEY, REGISTRY_KEY, REFERENCE_KEY };

static int save_state(struct quality_task *task, struct effect *save, struct state_entry *entry,
                      struct effects *effects) {
    char *value = effect_alloc_raw(effects, save, QUALITY_FEED_BYTES_MAX + 1024);
    if (value == NULL) {
        return -ENOMEM;
    }
    char *at = quality_feed_encode(&task->feed, value);
    at = wire_put(at, task->model_served, 4);
    at = wire_put(at, task->drift.raised, 1);
    at = wire_put(at, task->drift.reference_rows, 4);
    at = wire_put(at, task->drift.count, 4);
    for (size_t i = 0; i < task->drift.count; i++) {
        at = wire_put(at, task->drift.ids[i], 8);
        at = wire_put(at, task->drift.keys[i], 8);
    }
    const struct walk *walk = &task->walk;
    at = wire_put(at, (uint64_t)(walk->active | walk->found << 1), 1);
    at = wire_put(at, (uint64_t)walk->from.ns, 8);
    at = wire_put(at, (uint64_t)walk->to.ns, 8);
    at = wire_put(at, (uint64_t)walk->began.ns, 8);
    at = wire_put(at, walk->store, 1);
    at = wire_put(at, walk->next, 8);
    *entry = (struct state_entry){STATE_KEY, {value, (size_t)(at - value)}};
    return 0;
}

static int save_entries(struct partitioned *quality, struct task *head, struct effect *save,
                        struct effects *effects) {
    (void)quality;
    struct quality_task *task = (struct quality_task *)head;
    size_t rows = task->drift.reference_rows - task->reference_saved;
    struct state_entry *entries = effect_alloc(effects, save, (2 + rows) * sizeof *entries);
    if (entries == NULL || save_state(task, save, entries, effects) != 0) {
        return -ENOMEM;
    }
    struct state_entry *entry = entries + 1;
    if (task->registry_unsaved) {
        size_t size = registry_encode(&task->registry, NULL);
        char *value = effect_alloc(effects, save, size);
        if (value == NULL) {
            return -ENOMEM;
        }
        registry_encode(&task->registry, value);
        *entry++ = (struct state_entry){REGISTRY_KEY, {value, size}};
        task->registry_unsaved = false;
    }
    for (size_t i = 0; i < rows; i++) {
        size_t row = task->reference_saved + i;
        const float *vector = task->drift.reference + row * TEXT_DIMENSION;
        struct bytes bytes = {(const char *)vector, TEXT_DIMENSION * sizeof *vector};
        *entry++ = (struct state_entry){REFERENCE_KEY + row, effect_copy(effects, save, bytes)};
    }
    save->save_state.entries = entries;
    save->save_state.count = (size_t)(entry - entries);
    task->reference_saved = task->drift.reference_rows;
    return 0;
}

static int state_decode(struct quality_task *task, struct bytes value) {
    struct wire_reader reader = wire_reader_of(value);
    quality_feed_decode(&task->feed, &reader);
    task->model_served = (uint32_t)wire_get(&reader, 4);
    task->drift.raised = wire_get(&reader, 1) != 0;
    task->drift.reference_rows = (size_t)wire_get(&reader, 4);
    task->drift.count = (size_t)wire_get(&reader, 4);
    if (task->drift.count > QUALITY_SAMPLE_MAX ||
        task->drift.reference_rows > QUALITY_REFERENCE_ROWS) {
        return -EINVAL;
    }
    for (size_t i = 0; i < task->drift.count; i++) {
        task->drift.ids[i] = wire_get(&reader, 8);
        task->drift.keys[i] = wire_get(&reader, 8);
    }
    struct walk *walk = &task->walk;
    uint64_t flags = wire_get(&reader, 1);
    walk->active = (flags & 1) != 0;
    walk->found = (flags & 2) != 0;
    walk->from.ns = (int64_t)wire_get(&reader, 8);
    walk->to.ns = (int64_t)wire_get(&reader, 8);
    walk->began.ns = (int64_t)wire_get(&reader, 8);
    walk->store = (enum scan_store)wire_get(&reader, 1);
    walk->next = wire_get(&reader, 8);
    bool walkable = !walk->active || (walk->store >= WALK_FIRST && walk->store <= WALK_LAST);
    if (task->drift.reference_rows > 0) {
        task->drift.reference =
            calloc((size_t)QUALITY_REFERENCE_ROWS * TEXT_DIMENSION, sizeof(float));
        if (task->drift.reference == NULL) {
            return -ENOMEM;
        }
    }
    task->reference_saved = task->drift.reference_rows;
    return reader.failed || reader.at != reader.end || !walkable ? -EINVAL : 0;
}

static int restore_state(struct quality_task *task, const struct pipeline_config *config,
                         struct bytes value) {
    int error = state_decode(task, value);
    if (error == -EINVAL) { /* nothing was learnt yet */
        quality_drift_release(&task->drift);
        task->feed = (struct quality_feed){.windows = 0};
        task->walk = (struct walk){.active = false};
        task->reference_saved = 0;
        task->model_served = config->model_version;
    }
    return error;
}

/* Entries come in the order of their keys: the state says how many rows of the reference count. */
static int restore_entry(struct partitioned *quality, struct task *head, uint64_t key,
                         struct bytes value) {
    struct quality_task *task = (struct quality_task *)head;
    if (key == STATE_KEY) {
        return restore_state(task, quality->machine.config, value);
    }
    if (key == REGISTRY_KEY) {
        return registry_decode(&task->registry, value);
    }
    size_t row = (size_t)(key - REFERENCE_KEY);
    if (value.len != TEXT_DIMENSION * sizeof(float)) {
        return -EINVAL;
    }
    if (row < task->drift.reference_rows) { /* others are of a reference that was forgotten */
        memcpy(task->drift.reference + row * TEXT_DIMENSION, value.data, value.len);
    }
    return 0;
}

/* ---- Steps ---- */

/* At whole multiples of the interval, whoever runs. */
static vtime next_multiple(vtime now, int64_t interval_ns) {
    return (vtime){(now.ns / interval_ns + 1) * interval_ns};
}

static int task_begin(struct partitioned *quality, struct task *head, const struct event *event,
                      struct effects *effects) {
    struct quality_task *task = (struct quality_task *)head;
    const struct pipeline_config *config = quality->machine.config;
    if (config->quality_off) {
        return 0;
    }
    for (size_t i = 0; i < head->source_count; i++) {
        if (task_fetch(quality, head, i, false, effects) != 0) {
            return -ENOMEM;
        }
    }
    task_timer(effects, head, TIMER_WINDOW, next_multiple(event->now, config->quality_window_ns));
    task_timer(effects, head, TIMER_DRIFT, next_multiple(event->now, config->quality_drift_ns));
    return task->walk.active ? walk_on(quality, task, effects) : 0;
}

static int answered(struct partitioned *quality, struct task *head, uint32_t purpose,
                    uint32_t argument, const struct event *event, struct effects *effects,
                    bool *again) {
    (void)argument;
    (void)again;
    struct quality_task *task = (struct quality_task *)head;
    switch (purpose) {
    case PURPOSE_VECTORS:
        return vectors_seen(quality, task, event, effects);
    case PURPOSE_PURGE:
        return walk_scan(quality, task, effects);
    default:
        return walked(quality, task, event, effects);
    }
}

static int timer(struct partitioned *quality, struct task *head, uint32_t id, vtime now,
                 struct effects *effects) {
    struct quality_task *task = (struct quality_task *)head;
    const struct pipeline_config *config = quality->machine.config;
    switch (id) {
    case TIMER_WINDOW:
        window_close(quality, task, now, effects);
        task_changed(quality, head, now, effects);
        task_timer(effects, head, TIMER_WINDOW, next_multiple(now, config->quality_window_ns));
        return 0;
    case TIMER_DRIFT:
        task_timer(effects, head, TIMER_DRIFT, next_multiple(now, config->quality_drift_ns));
        return task->looking || !quality_drift_is_due(&task->drift)
                   ? 0
                   : vectors_read(quality, task, effects);
    default:
        assert(id == TIMER_WALK);
        return task->walk.under_way || !task->walk.active ? 0 : walk_on(quality, task, effects);
    }
}

struct machine *quality_new(void) {
    static const struct task_ops ops = {
        .task_size = sizeof(struct quality_task),
        .init = task_init,
        .release = task_release,
        .restore_entry = restore_entry,
        .begin = task_begin,
        .records = records,
        .answered = answered,
        .save_entries = save_entries,
        .timer = timer,
    };
    return partitioned_new(sizeof(struct partitioned), &ops);
}
