/*
 * The router: re-keys the feeds into one ordered log per listing (A1, A8).
 *
 * A task owns partition p of the listing and media feeds and of the listing log; it reads every
 * partition of the policy and of the reference feed, since the listings of a seller, a category or
 * a locale are spread over all partitions. It knows which listings ever named each of these (of its
 * own partition), so that
 *  - what is told of one (a fact) fans out to just those listings, in slices, so that a seller with
 *    very many does not hold up the rest (A4);
 *  - what was told last rides along with each record that names it, so that a listing that comes
 *    after the fact has it too.
 * A listing record older than the allowed lateness, against the greatest event time seen, goes to
 * the late queue, which is drained into the log once every late-batch interval; a repair does not
 * wait there.
 *
 * Deletes that look like an accident go to the quarantine (pipeline/quarantine.h) until an operator
 * says what is to become of them; then it is drained, like the late queue, but at once.
 *
 * It reads every partition of the privacy feed too. An erasure of a listing goes into the listing
 * log of the partition that owns the listing, one of a seller to each of its listings, those
 * included that name the seller only later; what is erased is remembered
 * (pipeline/erasure_ledger.h), and a record at or below its subject's erasure is dropped, wherever
 * it comes from. In the register topic the eraser reads which listings a seller's erasure reached
 * (A12).
 *
 * A leader change may lose outputs that were acknowledged. Where that is allowed for, the router
 * finds it out and reads its sources again from before the loss (router_trail.c, C2).
 *
 * Invariants of a task:
 *  1. a source's `safe` offset is below the first record whose output is not acknowledged;
 *  2. at most one fetch or produce is under way for a source: outputs of a source keep its order;
 *  3. knowledge (facts, listings) may be ahead of the offsets, never behind: replaying a record
 *     fans out again, which is harmless.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/control.h"
#include "pipeline/format.h"
#include "pipeline/router_parts.h"
#include "pipeline/sentence.h"

static int task_init(struct partitioned *router, struct task *head) {
    static const enum topic_id fanned_feeds[FANNED_FEEDS] = {TOPIC_POLICY, TOPIC_PRIVACY,
                                                             TOPIC_REFERENCE};
    struct router_task *task = (struct router_task *)head;
    knowledge_init(task);
    erasure_ledger_init(&task->ledger);
    task->watermark = (vtime){INT64_MIN};
    uint32_t partitions = router->machine.config->partitions;
    size_t fanned = FANNED_FEEDS * (size_t)partitions;
    if (task_sources(head, SOURCE_POLICY + fanned + has_quarantine(router)) != 0) {
        return -ENOMEM;
    }
    head->sources[SOURCE_LISTING].topic = TOPIC_LISTING;
    head->sources[SOURCE_MEDIA].topic = TOPIC_MEDIA;
    head->sources[SOURCE_LATE].topic = TOPIC_LATE;
    head->sources[SOURCE_CONTROL].topic = TOPIC_CONTROL;
    for (size_t i = 0; i < SOURCES_OWN; i++) {
        head->sources[i].partition = head->partition;
    }
    for (size_t i = SOURCE_POLICY; i < SOURCE_POLICY + fanned; i++) {
        head->sources[i].topic = fanned_feeds[(i - SOURCE_POLICY) / partitions];
        head->sources[i].partition = (uint32_t)(i - SOURCE_POLICY) % partitions;
    }
    if (has_quarantine(router)) {
        struct source *quarantine = &head->sources[source_quarantine(router)];
        quarantine->topic = TOPIC_QUARANTINE;
        quarantine->partition = head->partition;
    }
    return trail_init(router, task) != 0
               ? -ENOMEM
               : contract_gate_init(&task->gate, router, head, SOURCE_CONTROL);
}

static void task_release(struct task *head) {
    struct router_task *task = (struct router_task *)head;
    knowledge_release(task);
    trail_release(task);
    quarantine_release(&task->quarantine);
    contract_gate_release(&task->gate);
    erasure_ledger_release(&task->ledger);
}

/* ---- Progress ---- */

/* Lets what is in quarantine go its way, once nothing is on its way there. */
static int drain_start(struct partitioned *router, struct router_task *task,
                       struct effects *effects) {
    bool under_way = task->task.sources[SOURCE_LISTING].waiting > 0;
    if (!has_quarantine(router) || !task->drain_wanted || task->draining || under_way) {
        return 0;
    }
    task->drain_wanted = false;
    task->draining = true;
    return task_fetch(router, &task->task, source_quarantine(router), true, effects);
}

/* Everything of the source up to its next offset is dealt with: it may be read on. */
static int source_done(struct partitioned *router, struct router_task *task, size_t source,
                       vtime now, struct effects *effects) {
    task->task.sources[source].safe = task->task.sources[source].next;
    task_changed(router, &task->task, now, effects);
    if (source == SOURCE_LISTING && has_quarantine(router)) {
        quarantine_dealt(&task->quarantine);
        if (drain_start(router, task, effects) != 0) {
            return -ENOMEM;
        }
    }
    return contract_gate_waits(&task->gate, source)
               ? contract_gate_look(&task->gate, router, &task->task, source, PURPOSE_LOOK, effects)
               : task_fetch(router, &task->task, source, is_queue(router, source), effects);
}

int output_done(struct partitioned *router, struct router_task *task, size_t source, vtime now,
                struct effects *effects) {
    assert(task->task.sources[source].waiting > 0);
    return --task->task.sources[source].waiting > 0
               ? 0
               : source_done(router, task, source, now, effects);
}

/* ---- Routing ---- */

int produce_reserve(struct effects *effects, struct effect *produce, size_t count) {
    produce->produce.items = effect_alloc(effects, produce, count * sizeof *produce->produce.items);
    produce->produce.results =
        effect_alloc(effects, produce, count * sizeof *produce->produce.results);
    return produce->produce.items == NULL || produce->produce.results == NULL ? -ENOMEM : 0;
}

int produce_record(const struct record *record, enum topic_id topic, uint64_t key,
                   struct effect *produce, struct effects *effects, struct bytes *value) {
    size_t room = record_encoded_bound(record, NULL, 0);
    char *buffer = effect_alloc(effects, produce, room);
    if (buffer == NULL) {
        return -ENOMEM;
    }
    int64_t length = record_encode(record, NULL, 0, buffer, room);
    assert(length > 0);
    struct bytes encoded = {buffer, (size_t)length};
    produce->produce.items[produce->produce.count++] = (struct produce_item){topic, key, encoded};
    if (value != NULL) {
        *value = encoded;
    }
    return 0;
}

static void alert_quarantine(enum alert_state state, const struct sentence *evidence,
                             struct effects *effects) {
    effects_alert(effects, "mass-delete", topic_name(TOPIC_LISTING), state,
                  sentence_bytes(evidence));
}

/* Whether a record of the listing feed goes to the quarantine, where what is discarded stays. */
static bool is_held(struct partitioned *router, struct router_task *task,
                    const struct log_record *logged, const struct record *record,
                    struct effects *effects) {
    if (!has_quarantine(router)) {
        return false;
    }
    struct quarantine *quarantine = &task->quarantine;
    bool began;
    enum quarantine_verdict verdict =
        quarantine_judge(quarantine, router->machine.config, record, logged->append, &began);
    if (began) {
        struct sentence evidence = sentence_begin();
        sentence_add_number(&evidence, quarantine->seen.deletes);
        sentence_add(&evidence, " deletes in partition ");
        sentence_add_number(&evidence, task->task.partition);
        sentence_add(&evidence, " within a window; usual is ");
        sentence_add_number(&evidence, usual_mean(&quarantine->seen.usual));
        sentence_add(&evidence, "; from now on deletes wait for an operator");
        alert_quarantine(ALERT_ERROR, &evidence, effects);
    }
    machine_count(&router->machine, COUNTER_QUARANTINED, verdict == QUARANTINE_HOLD);
    return verdict != QUARANTINE_PASS;
}

void router_sign(const struct partitioned *router, struct record *record) {
    record->sections &= ~(unsigned)SECTION_WRITER;
    if (machine_format(&router->machine) >= FORMAT_SEALED) {
        record->sections |= SECTION_WRITER;
        record->writer = (struct record_writer){router->machine.config->code_version,
                                                router->machine.member, router->generation};
    }
}

/* Appends the record, re-keyed, to the produce. 0 or -ENOMEM. */
static int route(struct partitioned *router, struct router_task *task, size_t source,
                 const struct log_record *logged, struct record *record, struct effect *produce,
                 struct effects *effects) {
    enum topic_id topic = TOPIC_LISTING_LOG;
    if (record->type == RECORD_LISTING && meet_erasures(task, record, produce, effects) != 0) {
        return -ENOMEM;
    }
    if (is_erased(router, task, record)) {
        machine_count(&router->machine, COUNTER_ERASED_DROPPED, 1);
        return 0;
    }
    if (!is_queue(router, source)) {
        record->sections |= SECTION_ORIGIN;
        record->origin =
            (struct origin){(uint8_t)task->task.sources[source].topic,
                            task->task.sources[source].partition, logged->offset, logged->append};
    }
    if (record->type == RECORD_LISTING && facts_ride(router, task, record) != 0) {
        return -ENOMEM;
    }
    if (source == SOURCE_LISTING) {
        int64_t horizon_ns = task->watermark.ns == INT64_MIN
                                 ? INT64_MIN
                                 : task->watermark.ns - router->machine.config->allowed_lateness_ns;
        bool repair = (record->sections & (SECTION_REPAIR | SECTION_AGAIN)) != 0;
        if (is_held(router, task, logged, record, effects)) {
            topic = TOPIC_QUARANTINE;
        } else if (record->stamp.ts.ns < horizon_ns && !repair) {
            topic = TOPIC_LATE;
            machine_count(&router->machine, COUNTER_LATE, 1);
        }
        int64_t seen_ns =
            record->stamp.ts.ns < logged->append.ns ? record->stamp.ts.ns : logged->append.ns;
        task->watermark = vtime_max(task->watermark, (vtime){seen_ns});
    }
    if (topic == TOPIC_LISTING_LOG) {
        router_sign(router, record);
    }
    size_t room = logged->value.len + record_sections_size(record);
    char *buffer = effect_alloc_raw(effects, produce, room);
    if (buffer == NULL) {
        return -ENOMEM;
    }
    int64_t length = record_reframe(logged->value, record, buffer, room);
    assert(length > 0);
    produce->produce.items[produce->produce.count++] =
        (struct produce_item){topic, record->subject_id, {buffer, (size_t)length}};
    machine_count(&router->machine, COUNTER_RECORDS_ROUTED, 1);
    return 0;
}

/* The record as it may come in. A time that lies in the future is refused: it would win against all
 * that is said from now until then. */
static int take_in(const struct partitioned *router, enum topic_id topic,
                   const struct log_record *logged, struct record *record,
                   struct record_error *error) {
    if (record_of_topic(topic, logged->value, record, error) != 0) {
        return -1;
    }
    int64_t ahead_ns = vtime_diff(record->stamp.ts, logged->append);
    bool taken_before = topic == TOPIC_LATE || topic == TOPIC_QUARANTINE;
    if (taken_before || ahead_ns <= router->machine.config->future_max_ns ||
        bug_on(router->machine.bugs, BUG_FUTURE_ACCEPTED)) {
        return 0;
    }
    *error = (struct record_error){"event time lies in the future", "event_ts",
                                   "a time that is hardly ahead of its append, in ns", ahead_ns};
    return -1;
}

/* Every task reads a policy record; the one that owns its partition says what is wrong with it. */
static int refuse(struct partitioned *router, struct router_task *task, size_t source,
                  const struct log_record *logged, const struct dead_letter *letter,
                  struct effect *produce, struct effects *effects) {
    if (task->task.sources[source].partition != task->task.partition) {
        return 0;
    }
    machine_count(&router->machine, COUNTER_DEAD_LETTERED, 1);
    return dead_letter_item(effects, produce, &produce->produce.items[produce->produce.count++],
                            logged->key, letter);
}

/* A record that says something in another form than documents hold, in their form. 0 or -ENOMEM. */
static int rewrite(struct log_record *logged, struct record *record, struct effect *produce,
                   struct effects *effects) {
    size_t room = contract_rewrite_bound(logged->value);
    struct field *fields = effect_alloc(effects, produce, record->field_count * sizeof *fields);
    char *buffer = effect_alloc(effects, produce, room);
    if (fields == NULL || buffer == NULL) {
        return -ENOMEM;
    }
    int64_t length = contract_rewrite(record, fields, buffer, room);
    assert(length > 0);
    struct record_error error;
    logged->value = (struct bytes){buffer, (size_t)length};
    int failed = record_decode(logged->value, record, &error);
    assert(failed == 0);
    (void)failed;
    return 0;
}

/* Takes a record in: LEFT when it has to wait for a look at the control topic. */
enum { LEFT = 1 };
static int record_in(struct partitioned *router, struct router_task *task, size_t source,
                     const struct log_record *logged, struct effect *produce,
                     struct effects *effects) {
    const struct source *from = &task->task.sources[source];
    struct record record;
    struct record_error error;
    struct contract_violation violation;
    if (take_in(router, from->topic, logged, &record, &error) != 0) {
        struct dead_letter letter = dead_letter_of(from, logged, &error);
        return refuse(router, task, source, logged, &letter, produce, effects);
    }
    if (source == source_quarantine(router) &&
        quarantine_is_discarded(&task->quarantine, &record)) {
        return 0;
    }
    if (trail_again(task, source, logged)) {
        record.sections |= SECTION_AGAIN;
        machine_count(&router->machine, COUNTER_REROUTED, 1);
    }
    if (!is_queue(router, source)) {
        enum contract_verdict verdict = contract_gate_judge(
            &task->gate, &router->machine, &task->task, source, logged, &record, &violation);
        if (verdict == CONTRACT_UNKNOWN) {
            return LEFT;
        }
        if (verdict == CONTRACT_BROKEN) {
            struct dead_letter letter = contract_letter(from, logged, &record, &violation);
            return refuse(router, task, source, logged, &letter, produce, effects);
        }
    }
    struct log_record written = *logged;
    if (record.type == RECORD_LISTING && contract_rewrites(&record) &&
        rewrite(&written, &record, produce, effects) != 0) {
        return -ENOMEM;
    }
    if (from->topic == TOPIC_PRIVACY) {
        return erasure_learn(router, task, source, logged, &record, produce, effects);
    }
    return from->topic == TOPIC_POLICY || from->topic == TOPIC_REFERENCE
               ? facts_learn(router, task, source, logged, &record)
               : route(router, task, source, &written, &record, produce, effects);
}

/* Every task hears the word, since each has a quarantine of its own; where nothing is held it is
 * true all the same of what may still be read again. */
static int quarantine_command(struct router_task *task, const struct log_record *logged,
                              struct effects *effects) {
    struct record record;
    struct record_error error;
    if (record_of_topic(TOPIC_CONTROL, logged->value, &record, &error) != 0) {
        return 0; /* no command: whose it was to obey cannot be told */
    }
    bool discard = record.control.kind == CONTROL_DISCARD;
    if (!discard && record.control.kind != CONTROL_RELEASE) {
        return 0;
    }
    vtime to = record.control.to.ns == 0 ? record.stamp.ts : record.control.to;
    if (quarantine_decide(&task->quarantine, discard, record.control.from, to) != 0) {
        return -ENOMEM;
    }
    task->drain_wanted = true;
    struct sentence evidence = sentence_begin();
    sentence_add(&evidence, "deletes of partition ");
    sentence_add_number(&evidence, task->task.partition);
    sentence_add(&evidence, discard ? " are discarded: " : " go on: ");
    sentence_add(&evidence, "an operator decided on those dated before ");
    sentence_add_time(&evidence, to);
    alert_quarantine(ALERT_CLEARED, &evidence, effects);
    return 0;
}

/* Reads a feed again from the oldest record that it keeps, as soon as what was read of it is dealt
 * with. */
static int replay_command(struct partitioned *router, struct router_task *task,
                          const struct log_record *logged, struct effects *effects) {
    struct record record;
    struct record_error error;
    if (record_of_topic(TOPIC_CONTROL, logged->value, &record, &error) != 0 ||
        record.control.kind != CONTROL_REPLAY_FEED || record.control.id >= TOPIC_FEED_COUNT) {
        return 0;
    }
    for (size_t i = 0; i < task->task.source_count; i++) {
        if (task->task.sources[i].topic == record.control.id &&
            task_rewind(router, &task->task, i, FETCH_OLDEST, effects) != 0) {
            return -ENOMEM;
        }
    }
    return 0;
}

/* Commands: read at the same place by every task, each of which holds the same registry. */
static int control_records(struct partitioned *router, struct router_task *task,
                           const struct event *event, struct effects *effects) {
    for (size_t i = 0; i < event->records.count; i++) {
        const struct log_record *logged = &event->records.records[i];
        bool read_before = logged->offset < task->task.sources[SOURCE_CONTROL].next;
        if (!read_before &&
            (replay_command(router, task, logged, effects) != 0 ||
             (has_quarantine(router) && quarantine_command(task, logged, effects) != 0))) {
            return -ENOMEM;
        }
    }
    if (drain_start(router, task, effects) != 0) {
        return -ENOMEM;
    }
    bool speaks = task->task.sources[SOURCE_CONTROL].partition == task->task.partition;
    return contract_gate_fold(&task->gate, router, &task->task, speaks, event, effects);
}

static int records(struct partitioned *router, struct task *head, size_t index,
                   const struct event *event, struct effects *effects) {
    struct router_task *task = (struct router_task *)head;
    size_t count = event->records.count;
    if (count == 0) {
        if (index == SOURCE_LATE) {
            task->late_open = false;
            return 0;
        }
        assert(index == source_quarantine(router));
        task->draining = false;
        task_changed(router, head, event->now, effects);
        return drain_start(router, task, effects);
    }
    if (index == SOURCE_CONTROL) {
        return control_records(router, task, event, effects) != 0
                   ? -ENOMEM
                   : task_fetch(router, head, SOURCE_CONTROL, false, effects);
    }
    struct source *source = &task->task.sources[index];
    struct effect *produce = machine_request(&router->machine, effects, EFFECT_PRODUCE, 0);
    if (produce == NULL || produce_reserve(effects, produce, (1 + ERASURE_ITEMS) * count) != 0) {
        return -ENOMEM;
    }
    producer_mark(router, task, PRODUCER_SOURCES + index, produce, (1 + ERASURE_ITEMS) * count);
    source->waiting = 1; /* this produce, empty or not */
    int taken = 0;
    for (size_t i = 0; i < count && taken == 0; i++) {
        const struct log_record *logged = &event->records.records[i];
        taken = record_in(router, task, index, logged, produce, effects);
        source->next = logged->offset + (taken != LEFT);
        machine_count(&router->machine, COUNTER_RECORDS_READ, taken != LEFT);
    }
    if (taken == LEFT) {
        contract_gate_wait(&task->gate, index, event);
    }
    if (taken < 0 ||
        task_expect(router, &task->task, produce, PURPOSE_PRODUCE, (uint32_t)index) != 0) {
        return -ENOMEM;
    }
    return fanouts_begin(router, task, index, event->now, effects);
}

/* ---- Steps ---- */

static int task_begin(struct partitioned *router, struct task *head, const struct event *event,
                      struct effects *effects) {
    if (trail_look(router, (struct router_task *)head, effects) != 0) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < head->source_count; i++) {
        bool later = is_queue(router, i) || i == SOURCE_CONTROL;
        if (!later && task_fetch(router, head, i, false, effects) != 0) {
            return -ENOMEM;
        }
    }
    if (task_fetch(router, head, SOURCE_CONTROL, false, effects) != 0 ||
        drain_start(router, (struct router_task *)head, effects) != 0) {
        return -ENOMEM;
    }
    /* Late batches come at whole multiples of the interval, whoever owns the partition. */
    int64_t interval_ns = router->machine.config->late_batch_interval_ns;
    task_timer(effects, head, TIMER_LATE, (vtime){(event->now.ns / interval_ns + 1) * interval_ns});
    return 0;
}

/* The control topic was read up for the sake of a source. */
static int look_done(struct partitioned *router, struct router_task *task, uint32_t source,
                     const struct event *event, struct effects *effects) {
    if (control_records(router, task, event, effects) != 0) {
        return -ENOMEM;
    }
    int looked = contract_gate_looked(&task->gate, router, &task->task, source, PURPOSE_LOOK, event,
                                      effects);
    return looked <= 0 ? looked : task_fetch(router, &task->task, source, false, effects);
}

static int task_answered(struct partitioned *router, struct task *head, uint32_t purpose,
                         uint32_t source, const struct event *event, struct effects *effects,
                         bool *again) {
    (void)again;
    struct router_task *task = (struct router_task *)head;
    if (purpose == PURPOSE_PROBE) {
        trail_answered(task, source);
        return 0;
    }
    if ((purpose == PURPOSE_PRODUCE || purpose == PURPOSE_FANOUT) &&
        trail_acknowledged(router, task, event->answered, effects) != 0) {
        return -ENOMEM;
    }
    if (purpose == PURPOSE_FANOUT) {
        return fanout_send(router, task, event->now, effects);
    }
    return purpose == PURPOSE_LOOK ? look_done(router, task, source, event, effects)
                                   : output_done(router, task, source, event->now, effects);
}

static int late_batch(struct partitioned *router, struct task *head, uint32_t id, vtime now,
                      struct effects *effects) {
    assert(id == TIMER_LATE);
    struct router_task *task = (struct router_task *)head;
    task_timer(effects, head, TIMER_LATE,
               vtime_add(now, router->machine.config->late_batch_interval_ns));
    if (task->late_open) {
        return 0;
    }
    task->late_open = true;
    return task_fetch(router, head, SOURCE_LATE, true, effects);
}

struct machine *router_new(void) {
    static const struct task_ops ops = {
        .task_size = sizeof(struct router_task),
        .init = task_init,
        .release = task_release,
        .restore_entry = router_restore_entry,
        .begin = task_begin,
        .records = records,
        .answered = task_answered,
        .refused = trail_refused,
        .save_entries = router_save_entries,
        .saved = trail_watch,
        .timer = late_batch,
    };
    return partitioned_new(sizeof(struct partitioned), &ops);
}
