/*
 * The router: re-keys the feeds into one ordered log per listing (A1, A8).
 *
 * A task owns partition p of the listing and media feeds and of the listing log; it reads every
 * partition of the policy feed, since a seller's listings are spread over all partitions. It knows
 * which listings each seller ever had (of its own partition), so that
 *  - a policy event fans out to those listings, in slices, so that a seller with very many does
 *    not hold up the rest;
 *  - the seller's present status rides along with each record that names the seller, so that a
 *    listing that comes after the policy event has it too.
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
 * Invariants of a task:
 *  1. a source's `safe` offset is below the first record whose output is not acknowledged;
 *  2. at most one fetch or produce is under way for a source: outputs of a source keep its order;
 *  3. knowledge (sellers, listings) may be ahead of the offsets, never behind: replaying a record
 *     fans out again, which is harmless.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/array.h"
#include "pipeline/contract_gate.h"
#include "pipeline/control.h"
#include "pipeline/erasure_ledger.h"
#include "pipeline/id_map.h"
#include "pipeline/partitioned.h"
#include "pipeline/quarantine.h"
#include "pipeline/record.h"
#include "pipeline/sentence.h"
#include "pipeline/wire.h"

enum { PURPOSE_PRODUCE = TASK_PURPOSE_OWN, PURPOSE_FANOUT, PURPOSE_LOOK };
enum { TIMER_LATE = TASK_TIMER_OWN };

/* Sources of a task: three of its own partition, the control topic, then every policy and every
 * privacy partition; behind them its partition of the quarantine, if there is one. */
enum { SOURCE_LISTING, SOURCE_MEDIA, SOURCE_LATE, SOURCE_CONTROL, SOURCE_POLICY };
enum { SOURCES_OWN = SOURCE_CONTROL };

static bool has_quarantine(const struct partitioned *router) {
    return router->machine.config->quarantine_deletes_min > 0;
}

static size_t source_quarantine(const struct partitioned *router) {
    return SOURCE_POLICY + 2 * (size_t)router->machine.config->partitions;
}

/* The source is a queue of the router's own, whose records were taken in before. */
static bool is_queue(const struct partitioned *router, size_t source) {
    return source == SOURCE_LATE || source == source_quarantine(router);
}

/* Listings of a seller that one produce carries. */
enum { FANOUT_SLICE = 512 };

struct seller {
    uint64_t id;
    uint64_t entry; /* its key in the checkpoint; 0: none yet */
    bool known;     /* a policy event told its status */
    bool dirty;
    enum policy_status status;
    struct stamp stamp;
    uint64_t *listings; /* in the order in which they were first seen */
    size_t listing_count, listing_capacity;
};

/* A listing and the sellers that ever had it, nearly always one. */
struct routed_listing {
    uint64_t id;
    uint64_t entry; /* its key in the checkpoint; 0: none yet */
    bool dirty;
    size_t seller_count, seller_capacity;
    uint64_t *sellers;
};

/* A policy record, or the erasure of a seller, on its way to the listings that its seller has; of
 * those that come while it is sent some get the status twice, since it rides along with them too.
 */
struct fanout {
    size_t source;
    size_t seller;
    size_t next; /* listing to send next */
    bool last_of_batch;
    bool registered;      /* the register has the end of an erasure's listings */
    struct record record; /* without pointers */
};

struct router_task {
    struct task task;
    bool late_open; /* the late queue is being drained */
    struct quarantine quarantine;
    uint64_t quarantine_entry; /* its key in the checkpoint; 0: none yet */
    bool drain_wanted;         /* an operator decided: what is held is to go its way */
    bool draining;
    struct contract_gate gate;
    uint64_t gate_entry; /* its key in the checkpoint; 0: none yet */
    vtime watermark;
    struct id_map seller_index;
    struct seller *sellers;
    size_t seller_count, seller_capacity;
    struct id_map listing_index;
    struct routed_listing *listings;
    size_t listing_count, listing_capacity;
    struct erasure_ledger ledger;
    struct fanout *fanouts; /* a queue: [fanout_first, fanout_count) */
    size_t fanout_first, fanout_count, fanout_capacity;
    uint64_t entry_last;
};

static int task_init(struct partitioned *router, struct task *head) {
    struct router_task *task = (struct router_task *)head;
    id_map_init(&task->seller_index);
    id_map_init(&task->listing_index);
    erasure_ledger_init(&task->ledger);
    task->watermark = (vtime){INT64_MIN};
    uint32_t partitions = router->machine.config->partitions;
    size_t fanned = 2 * (size_t)partitions;
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
        head->sources[i].topic = i < SOURCE_POLICY + partitions ? TOPIC_POLICY : TOPIC_PRIVACY;
        head->sources[i].partition = (uint32_t)(i - SOURCE_POLICY) % partitions;
    }
    if (has_quarantine(router)) {
        struct source *quarantine = &head->sources[source_quarantine(router)];
        quarantine->topic = TOPIC_QUARANTINE;
        quarantine->partition = head->partition;
    }
    return contract_gate_init(&task->gate, router, head, SOURCE_CONTROL);
}

static void task_release(struct task *head) {
    struct router_task *task = (struct router_task *)head;
    for (size_t i = 0; i < task->seller_count; i++) {
        free(task->sellers[i].listings);
    }
    for (size_t i = 0; i < task->listing_count; i++) {
        free(task->listings[i].sellers);
    }
    free(task->sellers);
    free(task->listings);
    free(task->fanouts);
    quarantine_release(&task->quarantine);
    id_map_release(&task->seller_index);
    id_map_release(&task->listing_index);
    contract_gate_release(&task->gate);
    erasure_ledger_release(&task->ledger);
}

/* ---- Knowledge: sellers and their listings ---- */

/* The index of the seller, made if need be; -ENOMEM when out of memory. */
static int64_t seller_of(struct router_task *task, uint64_t id) {
    uint32_t index;
    if (id_map_index(&task->seller_index, id, &index)) {
        return index;
    }
    if (ARRAY_RESERVE(task->sellers, task->seller_capacity, task->seller_count + 1) != 0 ||
        id_map_put_index(&task->seller_index, id, task->seller_count) != 0) {
        return -ENOMEM;
    }
    task->sellers[task->seller_count] = (struct seller){.id = id, .stamp = STAMP_NONE};
    return (int64_t)task->seller_count++;
}

static int64_t listing_of(struct router_task *task, uint64_t id) {
    uint32_t index;
    if (id_map_index(&task->listing_index, id, &index)) {
        return index;
    }
    if (ARRAY_RESERVE(task->listings, task->listing_capacity, task->listing_count + 1) != 0 ||
        id_map_put_index(&task->listing_index, id, task->listing_count) != 0) {
        return -ENOMEM;
    }
    task->listings[task->listing_count] = (struct routed_listing){.id = id};
    return (int64_t)task->listing_count++;
}

/* Remembers that the listing is, or was, the seller's. 0 or -ENOMEM. */
static int seller_has(struct router_task *task, uint64_t seller_id, uint64_t listing_id) {
    int64_t seller_index = seller_of(task, seller_id);
    int64_t listing_index = listing_of(task, listing_id);
    if (seller_index < 0 || listing_index < 0) {
        return -ENOMEM;
    }
    struct seller *seller = &task->sellers[seller_index];
    struct routed_listing *listing = &task->listings[listing_index];
    for (size_t i = 0; i < listing->seller_count; i++) {
        if (listing->sellers[i] == seller_id) {
            return 0;
        }
    }
    if (ARRAY_RESERVE(listing->sellers, listing->seller_capacity, listing->seller_count + 1) != 0 ||
        ARRAY_RESERVE(seller->listings, seller->listing_capacity, seller->listing_count + 1) != 0) {
        return -ENOMEM;
    }
    listing->sellers[listing->seller_count++] = seller_id;
    listing->dirty = true;
    seller->listings[seller->listing_count++] = listing_id;
    return 0;
}

/* ---- Progress ---- */

/* Lets what is in quarantine go its way, once nothing is on its way there. */
static int drain_start(struct partitioned *router, struct router_task *task,
                       struct effects *effects) {
    bool under_way = task->task.sources[SOURCE_LISTING].waiting > 0;
    if (!task->drain_wanted || task->draining || under_way) {
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

/* One output of a source's fetched records is acknowledged. */
static int output_done(struct partitioned *router, struct router_task *task, size_t source,
                       vtime now, struct effects *effects) {
    assert(task->task.sources[source].waiting > 0);
    return --task->task.sources[source].waiting > 0
               ? 0
               : source_done(router, task, source, now, effects);
}

/* ---- Routing ---- */

static int produce_reserve(struct effects *effects, struct effect *produce, size_t count) {
    produce->produce.items = effect_alloc(effects, produce, count * sizeof *produce->produce.items);
    produce->produce.results =
        effect_alloc(effects, produce, count * sizeof *produce->produce.results);
    return produce->produce.items == NULL || produce->produce.results == NULL ? -ENOMEM : 0;
}

/* Learns what a listing record says of its seller; the seller's status rides along. */
static int route_listing(struct router_task *task, struct record *record) {
    struct field_cursor cursor = record_fields(record);
    struct field field;
    while (record_fields_next(&cursor, &field)) {
        if (field.id != FIELD_SELLER || field.type != VALUE_INTEGER) {
            continue;
        }
        uint64_t seller_id = (uint64_t)field.integer;
        if (seller_has(task, seller_id, record->subject_id) != 0) {
            return -ENOMEM;
        }
        const struct seller *seller = &task->sellers[seller_of(task, seller_id)];
        if (seller->known) {
            record->sections |= SECTION_POLICY;
            record->policy = (struct policy_note){seller_id, seller->status, seller->stamp};
        }
    }
    return 0;
}

static void alert_quarantine(enum alert_state state, const struct sentence *evidence,
                             struct effects *effects) {
    struct effect *alert = effects_add(effects, EFFECT_ALERT, 0, 0);
    if (alert != NULL) {
        alert->alert.name = "mass-delete";
        alert->alert.subject = topic_name(TOPIC_LISTING);
        alert->alert.state = state;
        alert->alert.evidence = effect_copy(effects, alert, sentence_bytes(evidence));
    }
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

/* ---- Erasures ---- */

/* Items that the erasures which a batch brings with it can add to its produce, by record. */
enum { ERASURE_ITEMS = 2 };

/* Encodes the erasure as one of that listing, which goes into the log, and into the register when a
 * seller's request reached it. 0 or -ENOMEM. */
static int erasure_items(struct record *erasure, uint64_t listing_id, struct effect *produce,
                         struct effects *effects) {
    erasure->subject_id = listing_id;
    size_t room = record_encoded_bound(erasure, NULL, 0);
    char *buffer = effect_alloc(effects, produce, room);
    if (buffer == NULL) {
        return -ENOMEM;
    }
    int64_t length = record_encode(erasure, NULL, 0, buffer, room);
    assert(length > 0);
    struct bytes value = {buffer, (size_t)length};
    struct produce_item *items = produce->produce.items;
    items[produce->produce.count++] = (struct produce_item){TOPIC_LISTING_LOG, listing_id, value};
    if (erasure->erasure_scope == ERASURE_SELLER) {
        items[produce->produce.count++] =
            (struct produce_item){TOPIC_ERASED, erasure->erasure_id, value};
    }
    return 0;
}

/* The listing names a seller whose listings were erased: it goes with them. */
static int erase_with_seller(struct router_task *task, uint64_t seller_id, uint64_t listing_id,
                             struct effect *produce, struct effects *effects) {
    struct record erasure = {
        .type = RECORD_ERASURE,
        .op = RECORD_UPSERT,
        .contract_version = RECORD_CONTRACT_VERSION,
        .stamp = erasure_ledger_stamp(&task->ledger, ERASURE_SELLER, seller_id),
        .erasure_scope = ERASURE_SELLER,
        .erasure_id = seller_id,
    };
    if (stamp_is_none(erasure.stamp)) {
        return 0;
    }
    int learnt = erasure_ledger_learn(&task->ledger, ERASURE_LISTING, listing_id, erasure.stamp);
    return learnt <= 0 ? learnt : erasure_items(&erasure, listing_id, produce, effects);
}

/* True when the record is not to be routed: its subject was erased, at its stamp or above. */
static bool is_erased(const struct partitioned *router, const struct router_task *task,
                      const struct record *record) {
    struct stamp erased = erasure_ledger_stamp(&task->ledger, ERASURE_LISTING, record->subject_id);
    return stamp_compare(record->stamp, erased) <= 0 &&
           !bug_on(router->machine.bugs, BUG_ERASURE_FORGETS_LEDGER);
}

/* Whom the listing record names, and whether that was erased. */
static int meet_erasures(struct router_task *task, const struct record *record,
                         struct effect *produce, struct effects *effects) {
    struct field_cursor cursor = record_fields(record);
    struct field field;
    while (task->ledger.count > 0 && record_fields_next(&cursor, &field)) {
        if (field.id == FIELD_SELLER && field.type == VALUE_INTEGER &&
            erase_with_seller(task, (uint64_t)field.integer, record->subject_id, produce,
                              effects) != 0) {
            return -ENOMEM;
        }
    }
    return 0;
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
    if (record->type == RECORD_LISTING && route_listing(task, record) != 0) {
        return -ENOMEM;
    }
    if (source == SOURCE_LISTING) {
        int64_t horizon_ns = task->watermark.ns == INT64_MIN
                                 ? INT64_MIN
                                 : task->watermark.ns - router->machine.config->allowed_lateness_ns;
        bool repair = (record->sections & SECTION_REPAIR) != 0;
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
    size_t room = logged->value.len + RECORD_SECTIONS_MAX;
    char *buffer = effect_alloc(effects, produce, room);
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

static int fanout_queue(struct router_task *task, size_t source, const struct log_record *logged,
                        const struct record *record, size_t seller) {
    if (ARRAY_RESERVE(task->fanouts, task->fanout_capacity, task->fanout_count + 1) != 0) {
        return -ENOMEM;
    }
    struct fanout *fanout = &task->fanouts[task->fanout_count++];
    *fanout = (struct fanout){.source = source, .seller = seller, .record = *record};
    fanout->record.sections = SECTION_ORIGIN;
    fanout->record.origin =
        (struct origin){(uint8_t)task->task.sources[source].topic,
                        task->task.sources[source].partition, logged->offset, logged->append};
    return 0;
}

/* Queues the fan-out of a policy record and learns the seller's status. A repeat fans out again:
 * it may be a replay whose first fan-out was cut short. */
static int learn_policy(struct router_task *task, size_t source, const struct log_record *logged,
                        const struct record *record, bool keep_from_existing) {
    int64_t index = seller_of(task, record->seller_id);
    if (index < 0) {
        return -ENOMEM;
    }
    struct seller *seller = &task->sellers[index];
    if (seller->known && stamp_compare(record->stamp, seller->stamp) < 0) {
        return 0;
    }
    seller->known = true;
    seller->dirty = true;
    seller->status = record->status;
    seller->stamp = record->stamp;
    if (keep_from_existing) {
        return 0;
    }
    return fanout_queue(task, source, logged, record, (size_t)index);
}

/* Takes an erasure in. A repeat is carried out again: it may be a replay whose first time was cut
 * short. */
static int learn_erasure(struct partitioned *router, struct router_task *task, size_t source,
                         const struct log_record *logged, struct record *record,
                         struct effect *produce, struct effects *effects) {
    uint64_t id = record->erasure_id;
    record->erasure_part = 0;
    if (record->erasure_scope == ERASURE_LISTING) {
        uint32_t owner = topic_partition(id, router->machine.config->partitions);
        if (owner != task->task.partition) {
            return 0;
        }
        record->sections = SECTION_ORIGIN;
        record->origin = (struct origin){TOPIC_PRIVACY, task->task.sources[source].partition,
                                         logged->offset, logged->append};
        return erasure_ledger_learn(&task->ledger, ERASURE_LISTING, id, record->stamp) < 0
                   ? -ENOMEM
                   : erasure_items(record, id, produce, effects);
    }
    int64_t index = seller_of(task, id);
    if (index < 0 || erasure_ledger_learn(&task->ledger, ERASURE_SELLER, id, record->stamp) < 0) {
        return -ENOMEM;
    }
    const struct seller *seller = &task->sellers[index];
    for (size_t i = 0; i < seller->listing_count; i++) {
        if (erasure_ledger_learn(&task->ledger, ERASURE_LISTING, seller->listings[i],
                                 record->stamp) < 0) {
            return -ENOMEM;
        }
    }
    return fanout_queue(task, source, logged, record, (size_t)index);
}

/* Says in the register that every listing that this task knew was named before. */
static int register_end(struct partitioned *router, struct router_task *task, struct fanout *fanout,
                        struct effects *effects) {
    struct effect *produce = machine_request(&router->machine, effects, EFFECT_PRODUCE, 0);
    if (produce == NULL || produce_reserve(effects, produce, 1) != 0) {
        return -ENOMEM;
    }
    struct record end = fanout->record;
    end.subject_id = end.erasure_id;
    end.erasure_part = task->task.partition + 1;
    size_t room = record_encoded_bound(&end, NULL, 0);
    char *buffer = effect_alloc(effects, produce, room);
    if (buffer == NULL) {
        return -ENOMEM;
    }
    int64_t length = record_encode(&end, NULL, 0, buffer, room);
    assert(length > 0);
    produce->produce.items[produce->produce.count++] =
        (struct produce_item){TOPIC_ERASED, end.erasure_id, {buffer, (size_t)length}};
    fanout->registered = true;
    return task_expect(router, &task->task, produce, PURPOSE_FANOUT, (uint32_t)fanout->source);
}

static int policy_item(struct record *policy, uint64_t listing_id, struct effect *produce,
                       struct effects *effects) {
    policy->subject_id = listing_id;
    size_t room = record_encoded_bound(policy, NULL, 0);
    char *buffer = effect_alloc(effects, produce, room);
    if (buffer == NULL) {
        return -ENOMEM;
    }
    int64_t length = record_encode(policy, NULL, 0, buffer, room);
    assert(length > 0);
    produce->produce.items[produce->produce.count++] =
        (struct produce_item){TOPIC_LISTING_LOG, listing_id, {buffer, (size_t)length}};
    return 0;
}

static int fanout_slice(struct partitioned *router, struct router_task *task, struct fanout *fanout,
                        struct effects *effects) {
    const struct seller *seller = &task->sellers[fanout->seller];
    size_t left = seller->listing_count - fanout->next;
    size_t count = left < FANOUT_SLICE ? left : FANOUT_SLICE;
    bool erasure = fanout->record.type == RECORD_ERASURE;
    struct effect *produce = machine_request(&router->machine, effects, EFFECT_PRODUCE, 0);
    if (produce == NULL ||
        produce_reserve(effects, produce, erasure ? ERASURE_ITEMS * count : count) != 0) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        uint64_t listing_id = seller->listings[fanout->next + i];
        int failed = erasure ? erasure_items(&fanout->record, listing_id, produce, effects)
                             : policy_item(&fanout->record, listing_id, produce, effects);
        if (failed != 0) {
            return failed;
        }
    }
    fanout->next += count;
    machine_count(&router->machine, erasure ? COUNTER_ERASURE_FANOUT : COUNTER_POLICY_FANOUT,
                  count);
    return task_expect(router, &task->task, produce, PURPOSE_FANOUT, (uint32_t)fanout->source);
}

/* Sends the next slice of the fan-out queue; 0 when there is nothing to send or it was sent. */
static int fanout_send(struct partitioned *router, struct router_task *task, vtime now,
                       struct effects *effects) {
    while (task->fanout_first < task->fanout_count) {
        struct fanout *fanout = &task->fanouts[task->fanout_first];
        if (fanout->next < task->sellers[fanout->seller].listing_count) {
            return fanout_slice(router, task, fanout, effects);
        }
        if (fanout->record.type == RECORD_ERASURE && !fanout->registered) {
            return register_end(router, task, fanout, effects);
        }
        task->fanout_first++;
        if (fanout->last_of_batch && output_done(router, task, fanout->source, now, effects) != 0) {
            return -ENOMEM;
        }
    }
    task->fanout_first = task->fanout_count = 0;
    return 0;
}

static bool fanout_idle(const struct router_task *task) {
    return task->fanout_first == task->fanout_count;
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
        return learn_erasure(router, task, source, logged, &record, produce, effects);
    }
    return from->topic == TOPIC_POLICY
               ? learn_policy(task, source, logged, &record,
                              bug_on(router->machine.bugs, BUG_NO_POLICY_FANOUT))
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
            task_rewind(router, &task->task, i, effects) != 0) {
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
    source->waiting = 1; /* this produce, empty or not */
    bool idle = fanout_idle(task);
    size_t queued = task->fanout_count;
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
    if (task->fanout_count > queued) {
        source->waiting++;
        task->fanouts[task->fanout_count - 1].last_of_batch = true;
        return idle ? fanout_send(router, task, event->now, effects) : 0;
    }
    return 0;
}

/* ---- Checkpoints ---- */

/* Entries are numbered as they are first saved, since ids of sellers and of listings may be any 64
 * bits and share the one space of keys. An entry says what it is and whose. */
enum {
    ENTRY_WATERMARK = 1,
    ENTRY_SELLER,
    ENTRY_LISTING,
    ENTRY_REGISTRY,
    ENTRY_QUARANTINE,
    ENTRY_ERASED
};
enum { WATERMARK_KEY = 0 };

static uint64_t entry_key(struct router_task *task, uint64_t *entry) {
    if (*entry == 0) {
        *entry = ++task->entry_last;
    }
    return *entry;
}

static int save_quarantine(struct router_task *task, struct effect *save, struct state_entry *entry,
                           struct effects *effects) {
    size_t room = 1 + 1 + quarantine_size(&task->quarantine);
    char *value = effect_alloc(effects, save, room);
    if (value == NULL) {
        return -ENOMEM;
    }
    char *at = wire_put(value, ENTRY_QUARANTINE, 1);
    at = wire_put(at, task->drain_wanted || task->draining, 1);
    at = quarantine_encode(&task->quarantine, at);
    entry->key = entry_key(task, &task->quarantine_entry);
    entry->value = (struct bytes){value, (size_t)(at - value)};
    return 0;
}

static int save_entries(struct partitioned *router, struct task *head, struct effect *save,
                        struct effects *effects) {
    struct router_task *task = (struct router_task *)head;
    size_t count = 1 + task->ledger.dirty_count;
    count += task->gate.dirty;
    count += has_quarantine(router);
    for (size_t i = 0; i < task->seller_count; i++) {
        count += task->sellers[i].dirty;
    }
    for (size_t i = 0; i < task->listing_count; i++) {
        count += task->listings[i].dirty;
    }
    struct state_entry *entry = effect_alloc(effects, save, count * sizeof *entry);
    if (entry == NULL) {
        return -ENOMEM;
    }
    save->save_state.entries = entry;
    save->save_state.count = count;
    for (size_t i = 0; i < task->seller_count; i++) {
        struct seller *seller = &task->sellers[i];
        if (!seller->dirty) {
            continue;
        }
        char value[1 + 8 + 1 + 24];
        char *at = wire_put(value, ENTRY_SELLER, 1);
        at = wire_put(at, seller->id, 8);
        at = wire_put(at, seller->status, 1);
        at = wire_put(at, (uint64_t)seller->stamp.ts.ns, 8);
        at = wire_put(at, seller->stamp.id.hi, 8);
        wire_put(at, seller->stamp.id.lo, 8);
        entry->key = entry_key(task, &seller->entry);
        entry++->value = effect_copy(effects, save, (struct bytes){value, sizeof value});
        seller->dirty = false;
    }
    for (size_t i = 0; i < task->listing_count; i++) {
        struct routed_listing *listing = &task->listings[i];
        if (!listing->dirty) {
            continue;
        }
        size_t size = 1 + 8 + 8 * (size_t)listing->seller_count;
        char *value = effect_alloc(effects, save, size);
        if (value == NULL) {
            return -ENOMEM;
        }
        char *at = wire_put(wire_put(value, ENTRY_LISTING, 1), listing->id, 8);
        for (size_t k = 0; k < listing->seller_count; k++) {
            at = wire_put(at, listing->sellers[k], 8);
        }
        entry->key = entry_key(task, &listing->entry);
        entry++->value = (struct bytes){value, size};
        listing->dirty = false;
    }
    for (size_t i = 0; task->ledger.dirty_count > 0 && i < task->ledger.count; i++) {
        struct erased *erased = &task->ledger.items[i];
        if (!erased->dirty) {
            continue;
        }
        char value[1 + ERASED_BYTES];
        erased_encode(erased, wire_put(value, ENTRY_ERASED, 1));
        entry->key = entry_key(task, &erased->entry);
        entry++->value = effect_copy(effects, save, (struct bytes){value, sizeof value});
        erasure_ledger_saved(&task->ledger, erased);
    }
    if (task->gate.dirty) {
        size_t size = registry_encode(&task->gate.registry, NULL);
        char *value = effect_alloc(effects, save, 1 + size);
        if (value == NULL) {
            return -ENOMEM;
        }
        registry_encode(&task->gate.registry, wire_put(value, ENTRY_REGISTRY, 1));
        entry->key = entry_key(task, &task->gate_entry);
        entry++->value = (struct bytes){value, 1 + size};
        task->gate.dirty = false;
    }
    if (has_quarantine(router) && save_quarantine(task, save, entry++, effects) != 0) {
        return -ENOMEM;
    }
    char watermark[1 + 8];
    wire_put(wire_put(watermark, ENTRY_WATERMARK, 1), (uint64_t)task->watermark.ns, 8);
    entry->key = WATERMARK_KEY;
    entry->value = effect_copy(effects, save, (struct bytes){watermark, sizeof watermark});
    return 0;
}

static int restore_seller(struct router_task *task, uint64_t entry, struct wire_reader *reader) {
    int64_t index = seller_of(task, wire_get(reader, 8));
    if (index < 0) {
        return -ENOMEM;
    }
    struct seller *seller = &task->sellers[index];
    seller->entry = entry;
    seller->known = true;
    seller->status = (enum policy_status)wire_get(reader, 1);
    seller->stamp.ts.ns = (int64_t)wire_get(reader, 8);
    seller->stamp.id.hi = wire_get(reader, 8);
    seller->stamp.id.lo = wire_get(reader, 8);
    return 0;
}

static int restore_listing(struct router_task *task, uint64_t entry, struct wire_reader *reader) {
    uint64_t id = wire_get(reader, 8);
    while (reader->at != reader->end) {
        if (seller_has(task, wire_get(reader, 8), id) != 0) {
            return -ENOMEM;
        }
    }
    int64_t index = listing_of(task, id);
    if (index < 0) {
        return -ENOMEM;
    }
    task->listings[index].entry = entry;
    task->listings[index].dirty = false;
    return 0;
}

static int restore_entry(struct partitioned *router, struct task *head, uint64_t key,
                         struct bytes value) {
    (void)router;
    struct router_task *task = (struct router_task *)head;
    struct wire_reader reader = wire_reader_of(value);
    int error = 0;
    switch (wire_get(&reader, 1)) {
    case ENTRY_WATERMARK:
        task->watermark.ns = (int64_t)wire_get(&reader, 8);
        break;
    case ENTRY_SELLER:
        error = restore_seller(task, key, &reader);
        break;
    case ENTRY_LISTING:
        error = restore_listing(task, key, &reader);
        break;
    case ENTRY_REGISTRY:
        task->gate_entry = key;
        error = registry_decode(&task->gate.registry,
                                (struct bytes){reader.at, (size_t)(reader.end - reader.at)});
        break;
    case ENTRY_QUARANTINE:
        task->quarantine_entry = key;
        task->drain_wanted = wire_get(&reader, 1) != 0;
        error = quarantine_decode(&task->quarantine, &reader);
        break;
    case ENTRY_ERASED:
        error = erasure_ledger_restore(&task->ledger, key, &reader);
        break;
    default:
        error = -EINVAL;
    }
    error = error == 0 && reader.failed ? -EINVAL : error;
    task->entry_last = key > task->entry_last ? key : task->entry_last;
    return error;
}

/* ---- Steps ---- */

static int task_begin(struct partitioned *router, struct task *head, const struct event *event,
                      struct effects *effects) {
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
        .restore_entry = restore_entry,
        .begin = task_begin,
        .records = records,
        .answered = task_answered,
        .save_entries = save_entries,
        .timer = late_batch,
    };
    return partitioned_new(sizeof(struct partitioned), &ops);
}
