/*
 * The warehouse loader (B4): raw records into bronze, every visible version of a document into
 * silver (SCD2), the present one into gold, orders into silver, and now and then the dashboard's
 * view brought up to date (A1); and every event that told something of a listing into its audit
 * stream (B8).
 *
 * A fetched batch of a source is one micro-batch; the next is fetched when it is in. A batch that
 * fails is sent again as it is: every row has a key, so a torn or repeated batch does no harm (A9).
 *
 * Invariants:
 *  1. a source's safe offset is below the first record whose batch is not in;
 *  2. a checkpoint is taken only while no batch of the log is under way: a saved document that is
 *     ahead of its rows would find the replayed records no news, and their silver and gold rows
 *     would never be made;
 *  3. the batch behind records that expired unread carries the mark of which they were: nothing of
 *     the source is loaded beyond a loss that the warehouse does not know of (A16). Before it,
 *     what bronze has is read again: the checkpoint may be behind what is loaded. And every listing
 *     that the task knows is asked for once more of OLTP, since nothing tells which of them the
 *     loss was about; until that is done, a checkpoint is behind the loss, and who goes on from it
 *     finds the hole in bronze and asks again;
 *  4. bytes that are no order, and orders that break their contract, have their dead letter before
 *     the order feed is read on (A13); the router and the builder write those of the other topics.
 *
 * The registry of contracts is not in the checkpoint: the control topic keeps every command, and a
 * task reads it from its beginning.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "pipeline/array.h"
#include "pipeline/audit_stream.h"
#include "pipeline/contract_gate.h"
#include "pipeline/document_rows.h"
#include "pipeline/folded.h"
#include "pipeline/listings.h"
#include "pipeline/partitioned.h"
#include "pipeline/record.h"
#include "pipeline/wire.h"

enum {
    PURPOSE_BATCH = TASK_PURPOSE_OWN,
    PURPOSE_LETTERS,
    PURPOSE_DASHBOARD,
    PURPOSE_LOOK,
    PURPOSE_CHANNELS,
    PURPOSE_REPUBLISH
};
enum { TIMER_DASHBOARD = TASK_TIMER_OWN };
enum { SOURCE_LOG, SOURCE_ORDER, SOURCE_AUDIT, SOURCE_CONTROL, SOURCE_COUNT };
enum { CHANNELS = SOURCE_CONTROL }; /* sources that are loaded by a channel of the warehouse */

struct loaded {
    struct listing_head head;
    struct audit_chain chain;
    bool in_batch; /* visibly changed by the batch that is being made */
};

struct loader_task {
    struct task task;
    struct listings listings;
    struct contract_gate gate;
    struct id_map rows; /* of the batch being made, by a hash of their key: index */
    size_t *batch;      /* listings whose gold row the batch being made must bring up to date */
    size_t batch_count, batch_capacity;
    bool dashboard_armed;
    vtime orders_in;       /* when the last of them surely were */
    bool batch_has_orders; /* of the batch of orders under way */
};

static int task_init(struct partitioned *loader, struct task *head) {
    struct loader_task *task = (struct loader_task *)head;
    listings_init(&task->listings, sizeof(struct loaded), loader->machine.config,
                  loader->machine.bugs);
    id_map_init(&task->rows);
    if (task_sources(head, SOURCE_COUNT) != 0) {
        return -ENOMEM;
    }
    head->sources[SOURCE_LOG].topic = TOPIC_LISTING_LOG;
    head->sources[SOURCE_ORDER].topic = TOPIC_ORDER;
    head->sources[SOURCE_AUDIT].topic = TOPIC_AUDIT;
    for (size_t i = 0; i < SOURCE_COUNT; i++) {
        head->sources[i].partition = head->partition;
    }
    return contract_gate_init(&task->gate, loader, head, SOURCE_CONTROL);
}

static void task_release(struct task *head) {
    struct loader_task *task = (struct loader_task *)head;
    contract_gate_release(&task->gate);
    listings_release(&task->listings);
    id_map_release(&task->rows);
    free(task->batch);
}

static struct loaded *listing_at(struct loader_task *task, size_t at) {
    return listings_at(&task->listings, at);
}

/* ---- Making a batch ---- */

/* A batch under construction; its arrays live in the effect and have room for every record. */
struct batch {
    struct effect *load;
    struct bronze_row *bronze;
    struct document_row *silver;
    struct order_row *orders;
    struct erasure_row *erasures;
    struct audit_event *events;
};

static int batch_begin(struct partitioned *loader, size_t room, struct batch *batch,
                       struct effects *effects) {
    batch->load = machine_request(&loader->machine, effects, EFFECT_LOAD_WAREHOUSE, 0);
    if (batch->load == NULL) {
        return -ENOMEM;
    }
    batch->bronze = effect_alloc(effects, batch->load, room * sizeof *batch->bronze);
    batch->silver = effect_alloc(effects, batch->load, room * sizeof *batch->silver);
    batch->orders = effect_alloc(effects, batch->load, room * sizeof *batch->orders);
    batch->erasures = effect_alloc(effects, batch->load, room * sizeof *batch->erasures);
    batch->events = effect_alloc(effects, batch->load, room * sizeof *batch->events);
    struct warehouse_batch *rows = &batch->load->warehouse;
    rows->events = batch->events;
    rows->bronze = batch->bronze;
    rows->silver = batch->silver;
    rows->orders = batch->orders;
    rows->erasures = batch->erasures;
    rows->dedupe = !bug_on(loader->machine.bugs, BUG_NO_DEDUPE);
    return effects->out_of_memory ? -ENOMEM : 0;
}

/* The record says what an erasure that came before it covers: it is kept nowhere (A12). */
static bool is_erased(const struct folded *folded, const struct record *record) {
    bool content = record->type == RECORD_LISTING || record->type == RECORD_MEDIA;
    return content && stamp_compare(record->stamp, folded->document.erased) <= 0;
}

static int fold(struct partitioned *loader, struct loader_task *task, struct batch *batch,
                const struct log_record *logged, const struct record *record,
                struct effects *effects) {
    int64_t at = listings_make(&task->listings, record->subject_id);
    if (at < 0) {
        return -ENOMEM;
    }
    struct loaded *listing = listing_at(task, (size_t)at);
    int outcome = folded_fold(&listing->head.folded, record, logged, loader->machine.bugs);
    if (outcome < 0) {
        return outcome;
    }
    int64_t dropped = listings_age(&task->listings, record, logged->append);
    if (dropped < 0) {
        return -ENOMEM;
    }
    machine_count(&loader->machine, COUNTER_ORPHANS_DROPPED, (uint64_t)dropped);
    machine_count(&loader->machine, outcome == FOLD_NOT_NEWS ? COUNTER_NOT_NEWS : COUNTER_FOLDED,
                  1);
    if (is_erased(&listing->head.folded, record)) {
        batch->load->warehouse.bronze_count--; /* as raw bytes too */
    }
    const struct bugs *bugs = loader->machine.bugs;
    bool news = outcome != FOLD_NOT_NEWS;
    if (news ? outcome == FOLD_VISIBLE || !bug_on(bugs, BUG_AUDIT_EVENT_LOST)
             : bug_on(bugs, BUG_AUDIT_EVENT_TWICE)) {
        batch->events[batch->load->warehouse.event_count++] =
            audit_event_of(&listing->chain, logged, record, outcome == FOLD_VISIBLE);
    }
    if (!news) {
        return 0;
    }
    if (outcome == FOLD_VISIBLE && record->type == RECORD_ERASURE) {
        batch->erasures[batch->load->warehouse.erasure_count++] =
            (struct erasure_row){record->subject_id, listing->head.folded.document.erased,
                                 listing->head.folded.visible_version};
    }
    if (outcome == FOLD_VISIBLE) {
        if (document_row_of(effects, batch->load, &listing->head.folded,
                            &batch->silver[batch->load->warehouse.silver_count++]) != 0) {
            return -ENOMEM;
        }
        if (!listing->in_batch) {
            if (ARRAY_RESERVE(task->batch, task->batch_capacity, task->batch_count + 1) != 0) {
                return -ENOMEM;
            }
            listing->in_batch = true;
            task->batch[task->batch_count++] = (size_t)at;
        }
    }
    if (record->type == RECORD_ERASURE && bug_on(loader->machine.bugs, BUG_ERASURE_FORGETS_STATE)) {
        return 0;
    }
    return listings_unsaved(&task->listings, (size_t)at);
}

/* Where in the batch the row of that key stands; its next place when it has none, where it must be
 * put then. The warehouse merges a batch at once: several rows for one of its rows are an error,
 * and several for none are inserted, each of them. -ENOMEM when out of memory. */
static int64_t row_place(const struct partitioned *loader, struct loader_task *task, uint64_t key,
                         size_t *count) {
    uint32_t at;
    if (!bug_on(loader->machine.bugs, BUG_MERGE_AS_IT_CAME) &&
        id_map_index(&task->rows, key, &at)) {
        return at;
    }
    return id_map_put_index(&task->rows, key, *count) != 0 ? -ENOMEM : (int64_t)(*count)++;
}

static void rows_forget(struct loader_task *task) {
    if (id_map_count(&task->rows) > 0) {
        id_map_release(&task->rows);
        id_map_init(&task->rows);
    }
}

/* Of what a batch says of an order the greatest stamp goes into it. */
static int order_row(const struct partitioned *loader, struct loader_task *task,
                     struct batch *batch, const struct log_record *logged,
                     const struct record *record, struct effects *effects) {
    bool arrival = bug_on(loader->machine.bugs, BUG_LATE_ORDER_WRONG_HOUR);
    size_t *count = &batch->load->warehouse.order_count;
    size_t before = *count;
    int64_t at = row_place(loader, task, record->order_id, count);
    if (at < 0) {
        return -ENOMEM;
    }
    if ((size_t)at < before && stamp_compare(record->stamp, batch->orders[at].stamp) <= 0) {
        return 0;
    }
    batch->orders[at] = (struct order_row){
        .order_id = record->order_id,
        .listing_id = record->subject_id,
        .stamp = record->stamp,
        .placed = arrival ? logged->append : order_placed(record->placed, record->stamp),
        .quantity = record->quantity,
        .amount = record->amount,
        .category = effect_copy(effects, batch->load, record->order_category),
    };
    return 0;
}

/* What is no order, or breaks its contract: bronze has it, and an operator hears why. 0 or -ENOMEM.
 */
static int refuse_order(struct partitioned *loader, struct task *task,
                        const struct log_record *logged, const struct dead_letter *letter,
                        struct effect **letters, size_t room, struct effects *effects) {
    if (*letters == NULL) {
        struct effect *produce = machine_request(&loader->machine, effects, EFFECT_PRODUCE, 0);
        if (task_expect(loader, task, produce, PURPOSE_LETTERS, SOURCE_ORDER) != 0) {
            return -ENOMEM;
        }
        produce->produce.items =
            effect_alloc(effects, produce, room * sizeof *produce->produce.items);
        produce->produce.results =
            effect_alloc(effects, produce, room * sizeof *produce->produce.results);
        if (produce->produce.items == NULL || produce->produce.results == NULL) {
            return -ENOMEM;
        }
        *letters = produce;
        task->sources[SOURCE_ORDER].waiting++;
    }
    struct effect *produce = *letters;
    machine_count(&loader->machine, COUNTER_DEAD_LETTERED, 1);
    return dead_letter_item(effects, produce, &produce->produce.items[produce->produce.count++],
                            logged->key, letter);
}

/* The latest silver row of each listing of the batch is its gold row too. */
static int gold_rows(struct loader_task *task, struct batch *batch, struct effects *effects) {
    struct warehouse_batch *rows = &batch->load->warehouse;
    struct document_row *gold =
        effect_alloc(effects, batch->load, task->batch_count * sizeof *gold);
    if (gold == NULL) {
        return -ENOMEM;
    }
    rows->gold = gold;
    for (size_t i = rows->silver_count; i > 0; i--) {
        size_t at;
        bool found = listings_find(&task->listings, rows->silver[i - 1].listing_id, &at);
        assert(found);
        if (found && listing_at(task, at)->in_batch) {
            listing_at(task, at)->in_batch = false;
            gold[rows->gold_count++] = rows->silver[i - 1];
        }
    }
    assert(rows->gold_count == task->batch_count);
    task->batch_count = 0;
    return 0;
}

/* What the source lost unread right before the records at hand; before its next offset moves. */
static void mark_gap(const struct partitioned *loader, struct effect *load,
                     const struct source *source, vtime now) {
    if (source->lost_upto == 0 || bug_on(loader->machine.bugs, BUG_LOSS_UNMARKED)) {
        return;
    }
    load->warehouse.gap_given = true;
    load->warehouse.gap = (struct gap_row){
        .topic = source->topic,
        .partition = source->partition,
        .from = source->next,
        .to = source->lost_upto,
        .noticed = now,
    };
}

/* What was lost of listings comes back from OLTP. */
static int restore(struct partitioned *loader, struct loader_task *task, struct effects *effects) {
    size_t count = task->listings.count;
    if (count == 0) {
        return 0;
    }
    struct effect *request = machine_request(&loader->machine, effects, EFFECT_REPUBLISH, 0);
    if (task_expect(loader, &task->task, request, PURPOSE_REPUBLISH, SOURCE_LOG) != 0) {
        return -ENOMEM;
    }
    uint64_t *ids = effect_alloc(effects, request, count * sizeof *ids);
    if (ids == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        ids[i] = listing_at(task, i)->head.folded.document.listing_id;
    }
    request->listings.listing_ids = ids;
    request->listings.count = count;
    request->listings.store = SCAN_OLTP;
    task->task.sources[SOURCE_LOG].waiting++;
    return 0;
}

static void channel_name(struct effect *load, const struct source *source) {
    load->warehouse.channelled = true;
    load->warehouse.channel_topic = source->topic;
    load->warehouse.channel_partition = source->partition;
    load->warehouse.token = source->next;
}

/* ---- The audit of embeddings ---- */

static uint64_t audit_key(const struct audit_row *row) {
    const uint64_t words[] = {row->listing_id, (uint64_t)row->version,
                              (uint64_t)row->modality << 32 | row->model_version};
    return XXH3_64bits(words, sizeof words);
}

/* The builder may say a thing twice: what it said first of a key goes into the batch. */
static int audit_rows(const struct partitioned *loader, struct loader_task *task,
                      const struct record *record, struct audit_row *rows, size_t *count) {
    for (size_t m = 0; m < MODALITY_COUNT; m++) {
        if ((record->audit.modalities >> m & 1) == 0) {
            continue;
        }
        struct audit_row row = {
            .listing_id = record->subject_id,
            .version = record->audit.version,
            .modality = (enum modality)m,
            .model_version = record->audit.model_version,
            .content_hash = record->audit.content[m],
            .made = (record->audit.made >> m & 1) != 0,
        };
        size_t before = *count;
        int64_t at = row_place(loader, task, audit_key(&row), count);
        if (at < 0) {
            return -ENOMEM;
        }
        if ((size_t)at == before) {
            rows[at] = row;
        }
    }
    return 0;
}

/* What the builder said of vectors becomes rows (A11); bronze has no part in it, since the pipeline
 * itself is the source. */
static int audit_records(struct partitioned *loader, struct task *head, const struct event *event,
                         struct effects *effects) {
    struct loader_task *task = (struct loader_task *)head;
    struct source *source = &head->sources[SOURCE_AUDIT];
    size_t count = event->records.count;
    struct effect *load = machine_request(&loader->machine, effects, EFFECT_LOAD_WAREHOUSE, 0);
    struct audit_row *rows =
        load == NULL ? NULL : effect_alloc(effects, load, count * MODALITY_COUNT * sizeof *rows);
    if (rows == NULL) {
        return -ENOMEM;
    }
    load->warehouse.audits = rows;
    load->warehouse.dedupe = !bug_on(loader->machine.bugs, BUG_NO_DEDUPE);
    for (size_t i = 0; i < count; i++) {
        struct record record;
        struct record_error error;
        if (record_of_topic(TOPIC_AUDIT, event->records.records[i].value, &record, &error) == 0 &&
            audit_rows(loader, task, &record, rows, &load->warehouse.audit_count) != 0) {
            return -ENOMEM;
        }
    }
    rows_forget(task);
    mark_gap(loader, load, source, event->now);
    source->next = event->records.records[count - 1].offset + 1;
    channel_name(load, source);
    source->waiting++;
    machine_count(&loader->machine, COUNTER_RECORDS_READ, count);
    task_changed(loader, head, event->now, effects);
    return task_expect(loader, head, load, PURPOSE_BATCH, SOURCE_AUDIT);
}

/* ---- Records ---- */

/* The raw record; `record` is NULL for bytes that are none. */
static void bronze_row(struct batch *batch, const struct source *source,
                       const struct log_record *logged, const struct record *record,
                       struct effects *effects) {
    struct bronze_row *bronze = &batch->bronze[batch->load->warehouse.bronze_count++];
    *bronze = (struct bronze_row){
        .topic = source->topic,
        .partition = source->partition,
        .epoch = logged->epoch,
        .offset = logged->offset,
        .append = logged->append,
        .value = effect_copy(effects, batch->load, logged->value),
    };
    if (record != NULL) {
        bronze->type = record->type;
        bronze->stamp = record->stamp;
        bronze->subject_id = record->subject_id;
    }
}

static int take_logged(struct partitioned *loader, struct loader_task *task, struct batch *batch,
                       const struct log_record *logged, struct effects *effects) {
    const struct source *source = &task->task.sources[SOURCE_LOG];
    struct record record;
    struct record_error error;
    bool refused = record_of_topic(source->topic, logged->value, &record, &error) != 0;
    bronze_row(batch, source, logged, refused ? NULL : &record, effects);
    return refused ? 0 : fold(loader, task, batch, logged, &record, effects);
}

/* LEFT when the order has to wait for a look at the control topic. */
enum { LEFT = 1 };
static int take_order(struct partitioned *loader, struct loader_task *task, struct batch *batch,
                      const struct log_record *logged, struct effect **letters, size_t room,
                      struct effects *effects) {
    const struct source *source = &task->task.sources[SOURCE_ORDER];
    struct record record;
    struct record_error error;
    struct contract_violation violation;
    if (record_of_topic(source->topic, logged->value, &record, &error) != 0) {
        struct dead_letter letter = dead_letter_of(source, logged, &error);
        bronze_row(batch, source, logged, NULL, effects);
        return refuse_order(loader, &task->task, logged, &letter, letters, room, effects);
    }
    enum contract_verdict verdict = contract_gate_judge(&task->gate, &loader->machine, &task->task,
                                                        SOURCE_ORDER, logged, &record, &violation);
    if (verdict == CONTRACT_UNKNOWN) {
        return LEFT;
    }
    bool kept = verdict == CONTRACT_KEPT;
    bronze_row(batch, source, logged, kept ? &record : NULL, effects);
    if (!kept) {
        struct dead_letter letter = contract_letter(source, logged, &record, &violation);
        return refuse_order(loader, &task->task, logged, &letter, letters, room, effects);
    }
    return order_row(loader, task, batch, logged, &record, effects);
}

/* Contracts; the router tells of those that are refused. After a restart they are read again. */
static int control_records(struct partitioned *loader, struct loader_task *task,
                           const struct event *event, struct effects *effects) {
    int failed = contract_gate_fold(&task->gate, loader, &task->task, false, event, effects);
    task->task.sources[SOURCE_CONTROL].safe = 0;
    return failed;
}

static int records(struct partitioned *loader, struct task *head, size_t index,
                   const struct event *event, struct effects *effects) {
    struct loader_task *task = (struct loader_task *)head;
    struct source *source = &head->sources[index];
    size_t count = event->records.count;
    assert(count > 0);
    if (index == SOURCE_AUDIT) {
        return audit_records(loader, head, event, effects);
    }
    if (index == SOURCE_CONTROL) {
        return control_records(loader, task, event, effects) != 0
                   ? -ENOMEM
                   : task_fetch(loader, head, SOURCE_CONTROL, false, effects);
    }
    struct batch batch;
    struct effect *letters = NULL;
    if (batch_begin(loader, count, &batch, effects) != 0) {
        return -ENOMEM;
    }
    mark_gap(loader, batch.load, source, event->now);
    /* A process before this one may have marked the hole, and died before it was made good. */
    bool lost = index == SOURCE_LOG && (source->lost_upto > 0 || source->holed);
    int taken = 0;
    for (size_t i = 0; i < count && taken == 0; i++) {
        const struct log_record *logged = &event->records.records[i];
        taken = index == SOURCE_ORDER
                    ? take_order(loader, task, &batch, logged, &letters, count, effects)
                    : take_logged(loader, task, &batch, logged, effects);
        source->next = logged->offset + (taken != LEFT);
        machine_count(&loader->machine, COUNTER_RECORDS_READ, taken != LEFT);
    }
    if (taken < 0) {
        return -ENOMEM;
    }
    if (taken == LEFT) {
        contract_gate_wait(&task->gate, index, event);
    }
    if (gold_rows(task, &batch, effects) != 0 ||
        (lost && !bug_on(loader->machine.bugs, BUG_LOSS_LEFT) &&
         restore(loader, task, effects) != 0)) {
        return -ENOMEM;
    }
    rows_forget(task);
    channel_name(batch.load, source);
    source->waiting++; /* this batch */
    if (index == SOURCE_ORDER) {
        task->batch_has_orders = batch.load->warehouse.order_count > 0;
    }
    task_changed(loader, head, event->now, effects);
    return task_expect(loader, head, batch.load, PURPOSE_BATCH, (uint32_t)index);
}

/* ---- Answers ---- */

static void dashboard_arm(const struct partitioned *loader, struct loader_task *task, vtime now,
                          struct effects *effects) {
    if (!task->dashboard_armed) {
        task->dashboard_armed = true;
        task_timer(effects, &task->task, TIMER_DASHBOARD,
                   vtime_add(now, loader->machine.config->dashboard_interval_ns));
    }
}

static int refresh(struct partitioned *loader, struct loader_task *task, bool whole,
                   struct effects *effects) {
    struct effect *request =
        machine_request(&loader->machine, effects, EFFECT_REFRESH_DASHBOARD, 0);
    if (task_expect(loader, &task->task, request, PURPOSE_DASHBOARD, 0) != 0) {
        return -ENOMEM;
    }
    request->refresh.whole = whole;
    return 0;
}

/* The view was made anew; as of a moment at which the last orders were not in yet, it is once more.
 */
static void refreshed(const struct partitioned *loader, struct loader_task *task,
                      const struct event *event, struct effects *effects) {
    bool behind = vtime_before(event->answered->refresh.as_of, task->orders_in);
    if (behind && !bug_on(loader->machine.bugs, BUG_VIEW_UNCHECKED)) {
        dashboard_arm(loader, task, event->now, effects);
    }
}

/* The lower of what the checkpoint and the warehouse say is in counts: what is there twice is told
 * apart by its key, what is missing by nothing. So a token that somebody set too high skips no
 * record, and one that was set too low costs a second reading. */
static int channels_opened(struct partitioned *loader, struct loader_task *task,
                           const struct event *event, struct effects *effects) {
    bool trusts = bug_on(loader->machine.bugs, BUG_TOKEN_TRUSTED);
    for (size_t i = 0; i < CHANNELS; i++) {
        struct source *source = &task->task.sources[i];
        int64_t token = event->answered->channels.items[i].token;
        bool told = token != CHANNEL_NO_TOKEN && source->next >= 0;
        if (told && (token < source->next || trusts)) {
            machine_count(&loader->machine, COUNTER_CHANNELS_REWOUND, 1);
            source->next = source->safe = token;
            source->after_epoch = 0;
        }
        if (task_fetch(loader, &task->task, i, false, effects) != 0) {
            return -ENOMEM;
        }
    }
    return 0;
}

/* An output of a source's fetched records is in: after the last one it is read on. */
static int output_in(struct partitioned *loader, struct loader_task *task, size_t index,
                     const struct event *event, struct effects *effects) {
    struct source *source = &task->task.sources[index];
    assert(source->waiting > 0);
    if (--source->waiting > 0) {
        return 0;
    }
    source->safe = source->next;
    task_changed(loader, &task->task, event->now, effects);
    if (index == SOURCE_ORDER && task->batch_has_orders) {
        task->orders_in = event->now;
        dashboard_arm(loader, task, event->now, effects);
    }
    if (index == SOURCE_LOG && task_savable(loader, &task->task, effects) != 0) {
        return -ENOMEM;
    }
    return contract_gate_waits(&task->gate, index)
               ? contract_gate_look(&task->gate, loader, &task->task, index, PURPOSE_LOOK, effects)
               : task_fetch(loader, &task->task, index, false, effects);
}

/* The changes that the refresh would go by are not kept any more: it is made of all orders. */
static int task_refused(struct partitioned *loader, struct task *head, uint32_t purpose,
                        uint32_t argument, const struct event *event, struct effects *effects,
                        bool *again) {
    enum bug_id taken = event->error == PORT_UNKNOWN ? BUG_TORN_LOAD_TAKEN : BUG_FAILED_LOAD_TAKEN;
    if (purpose == PURPOSE_BATCH && bug_on(loader->machine.bugs, taken)) {
        *again = false;
        return output_in(loader, (struct loader_task *)head, argument, event, effects);
    }
    if (purpose != PURPOSE_DASHBOARD || event->error != PORT_OUT_OF_RANGE) {
        return 0;
    }
    *again = false;
    if (bug_on(loader->machine.bugs, BUG_STALE_STREAM_SKIPPED)) {
        return 0;
    }
    return refresh(loader, (struct loader_task *)head, true, effects);
}

/* The control topic was read up for the sake of a source. */
static int look_done(struct partitioned *loader, struct loader_task *task, uint32_t index,
                     const struct event *event, struct effects *effects) {
    if (control_records(loader, task, event, effects) != 0) {
        return -ENOMEM;
    }
    int looked =
        contract_gate_looked(&task->gate, loader, &task->task, index, PURPOSE_LOOK, event, effects);
    return looked <= 0 ? looked : task_fetch(loader, &task->task, index, false, effects);
}

static int task_answered(struct partitioned *loader, struct task *head, uint32_t purpose,
                         uint32_t argument, const struct event *event, struct effects *effects,
                         bool *again) {
    (void)again;
    struct loader_task *task = (struct loader_task *)head;
    if (purpose == PURPOSE_DASHBOARD) {
        refreshed(loader, task, event, effects);
        return 0;
    }
    if (purpose == PURPOSE_CHANNELS) {
        return channels_opened(loader, task, event, effects);
    }
    return purpose == PURPOSE_LOOK ? look_done(loader, task, argument, event, effects)
                                   : output_in(loader, task, argument, event, effects);
}

static int task_timer_due(struct partitioned *loader, struct task *head, uint32_t id, vtime now,
                          struct effects *effects) {
    assert(id == TIMER_DASHBOARD);
    (void)now;
    struct loader_task *task = (struct loader_task *)head;
    task->dashboard_armed = false;
    return refresh(loader, task, false, effects);
}

/* ---- Checkpoints ---- */

static bool may_save(const struct task *head) {
    return head->sources[SOURCE_LOG].waiting == 0;
}

static size_t entry_room(const void *item) {
    return AUDIT_CHAIN_BYTES + folded_encoded_size(&((const struct loaded *)item)->head.folded);
}

static size_t entry_write(const void *item, char *buffer, bool *again, const void *ctx) {
    (void)again;
    (void)ctx;
    const struct loaded *listing = item;
    char *at = buffer + folded_encode(&listing->head.folded, buffer);
    return (size_t)(audit_chain_encode(&listing->chain, at) - buffer);
}

static int save_entries(struct partitioned *loader, struct task *head, struct effect *save,
                        struct effects *effects) {
    struct loader_task *task = (struct loader_task *)head;
    static const struct listing_codec codec = {entry_room, entry_write, NULL};
    return listings_save(&task->listings, save, effects, &codec,
                         bug_on(loader->machine.bugs, BUG_OFFSET_BEFORE_STATE));
}

static int restore_entry(struct partitioned *loader, struct task *head, uint64_t key,
                         struct bytes value) {
    struct loader_task *task = (struct loader_task *)head;
    int64_t at = listings_make(&task->listings, key);
    if (at < 0) {
        return -ENOMEM;
    }
    if (value.len < AUDIT_CHAIN_BYTES) {
        return -EINVAL;
    }
    size_t folded = value.len - AUDIT_CHAIN_BYTES;
    struct wire_reader chain =
        wire_reader_of((struct bytes){value.data + folded, value.len - folded});
    struct wire_reader reader = wire_reader_of((struct bytes){value.data, folded});
    int error = listings_decode(&task->listings, (size_t)at, &reader);
    if (error == 0 && !bug_on(loader->machine.bugs, BUG_AUDIT_HEAD_FORGOTTEN)) {
        audit_chain_decode(&listing_at(task, (size_t)at)->chain, &chain);
    }
    return error;
}

static int task_begin(struct partitioned *loader, struct task *head, const struct event *event,
                      struct effects *effects) {
    /* A refresh that a crash swallowed is caught up with. */
    struct loader_task *task = (struct loader_task *)head;
    task->orders_in = event->now;
    dashboard_arm(loader, task, event->now, effects);
    struct effect *open = machine_request(&loader->machine, effects, EFFECT_OPEN_CHANNELS, 0);
    if (task_expect(loader, head, open, PURPOSE_CHANNELS, 0) != 0) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < CHANNELS; i++) {
        open->channels.items[i].topic = head->sources[i].topic;
        open->channels.items[i].partition = head->sources[i].partition;
    }
    open->channels.count = CHANNELS;
    return task_fetch(loader, head, SOURCE_CONTROL, false, effects);
}

struct machine *loader_new(void) {
    static const struct task_ops ops = {
        .task_size = sizeof(struct loader_task),
        .reads_bronze = true,
        .init = task_init,
        .release = task_release,
        .restore_entry = restore_entry,
        .begin = task_begin,
        .records = records,
        .answered = task_answered,
        .refused = task_refused,
        .may_save = may_save,
        .save_entries = save_entries,
        .timer = task_timer_due,
    };
    return partitioned_new(sizeof(struct partitioned), &ops);
}
