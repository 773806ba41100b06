/*
 * The nightly batch (A17, B4): makes the search documents and the sales by category and hour of a
 * range of time anew, from nothing but bronze, and compares them with what the stream made.
 *
 *     idle -> documents -> orders -> sales -> compare documents -> compare sales -> report -> idle
 *                                                                        \-> repair ---^
 *
 * Documents are folded a partition of the log at a time, page by page, as of the end of the range;
 * those that a record of the range changed are written. Every write has a key, so a run may be
 * repeated, over the same range or after a crash, and leaves the same rows.
 *
 * Sales that differ are mended at once (pipeline/batch_repair.h): where the view is not what bronze
 * says, from bronze; where bronze is not what OLTP says, by OLTP.
 *
 * Invariants:
 *  1. a command is in the checkpoint as the run that it began, or is read again;
 *  2. the checkpoint of a run says which partitions of the log are written; what comes after the
 *     documents is cheap and begins anew;
 *  3. at most one run is under way; the control topic and the schedule wait for it.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/array.h"
#include "pipeline/batch_parts.h"
#include "pipeline/control.h"
#include "pipeline/document_rows.h"
#include "pipeline/listings.h"
#include "pipeline/partitioned.h"
#include "pipeline/retention.h"
#include "pipeline/sentence.h"
#include "pipeline/wire.h"

/* ---- Life ---- */

static int task_init(struct partitioned *batch, struct task *head) {
    struct batch_task *task = (struct batch_task *)head;
    listings_init(&task->listings, sizeof(struct rebuilt), batch->machine.config,
                  batch->machine.bugs);
    batch_sales_init(&task->sales);
    if (task_sources(head, 1) != 0) {
        return -ENOMEM;
    }
    head->sources[0].topic = TOPIC_CONTROL;
    head->sources[0].partition = topic_partition(CONTROL_KEY, batch->machine.config->partitions);
    return 0;
}

static void task_release(struct task *head) {
    struct batch_task *task = (struct batch_task *)head;
    batch_sides_forget(task);
    for (size_t side = 0; side < 2; side++) {
        free(task->documents[side].rows);
    }
    for (size_t side = 0; side < SALES_SOURCES; side++) {
        kept_sales_release(&task->sides[side].said);
    }
    kept_sales_release(&task->remade);
    kept_sales_release(&task->missing);
    listings_release(&task->listings);
    batch_sales_release(&task->sales);
}

static void listings_forget(const struct partitioned *batch, struct batch_task *task) {
    listings_release(&task->listings);
    listings_init(&task->listings, sizeof(struct rebuilt), batch->machine.config,
                  batch->machine.bugs);
    task->written = 0;
}

/* From when on bronze tells everything, as the run began (A16). */
vtime batch_bronze_edge(const struct partitioned *batch, const struct batch_task *task) {
    return warehouse_edge(batch->machine.config->warehouse_kept_ns, task->report.began);
}

/* Of earlier hours bronze has no orders: their sales stay as they were made. A scheduled run looks
 * at the range before its own once more: what was on its way then is not by now. */
vtime batch_first_hour(const struct partitioned *batch, const struct batch_task *task) {
    int64_t interval_ns = batch->machine.config->batch_interval_ns;
    bool scheduled = task->report.from.ns != 0 && task->report.to.ns == task->scheduled.ns &&
                     vtime_diff(task->report.to, task->report.from) == interval_ns;
    vtime from = vtime_add(task->report.from, scheduled ? -interval_ns : 0);
    return vtime_max(sales_hour(from), batch_bronze_edge(batch, task));
}

/* ---- Requests ---- */

/* Orders alone are read twice: to be added up, and to mend what differs. */
static enum topic_id page_topic(const struct batch_task *task) {
    return task->phase == PHASE_DOCUMENTS ? TOPIC_LISTING_LOG : TOPIC_ORDER;
}

int batch_read_page(struct partitioned *batch, struct batch_task *task, struct effects *effects) {
    struct effect *fetch = machine_request(&batch->machine, effects, EFFECT_FETCH, 0);
    if (fetch != NULL) {
        fetch->fetch.topic = page_topic(task);
        fetch->fetch.partition = task->partition;
        fetch->fetch.offset = task->offset;
        fetch->fetch.max = batch->machine.config->batch_page_rows;
        fetch->fetch.bronze = fetch->fetch.no_wait = true;
    }
    return task_expect(batch, &task->task, fetch, PURPOSE_PAGE, 0);
}

struct effect *batch_load_begin(struct partitioned *batch, struct batch_task *task,
                                uint32_t purpose, struct effects *effects) {
    struct effect *load = machine_request(&batch->machine, effects, EFFECT_LOAD_WAREHOUSE, 0);
    if (task_expect(batch, &task->task, load, purpose, 0) != 0) {
        return NULL;
    }
    load->warehouse.dedupe = true;
    return load;
}

static int scan(struct partitioned *batch, struct batch_task *task, bool rebuilt,
                struct effects *effects) {
    uint32_t max = batch->machine.config->batch_page_rows;
    struct effect *request = machine_request(&batch->machine, effects, EFFECT_SCAN, 0);
    if (task_expect(batch, &task->task, request, PURPOSE_SCAN, rebuilt) != 0) {
        return -ENOMEM;
    }
    task->documents[rebuilt].there = false;
    request->scan.store = SCAN_GOLD;
    request->scan.rebuilt = rebuilt;
    request->scan.first = task->cursor;
    request->scan.last = UINT64_MAX;
    request->scan.page = true;
    request->scan.max = max;
    request->scan.rows = effect_alloc(effects, request, max * sizeof *request->scan.rows);
    return request->scan.rows == NULL ? -ENOMEM : 0;
}

/* ---- Documents ---- */

static int fold(struct batch_task *task, const struct partitioned *batch,
                const struct log_record *logged, const struct record *record) {
    int64_t at = listings_make(&task->listings, record->subject_id);
    if (at < 0) {
        return -ENOMEM;
    }
    struct rebuilt *listing = listings_at(&task->listings, (size_t)at);
    int outcome = folded_fold(&listing->head.folded, record, logged, batch->machine.bugs);
    if (outcome < 0) {
        return outcome;
    }
    listing->in_range = listing->in_range || (outcome == FOLD_VISIBLE &&
                                              !vtime_before(logged->append, task->report.from));
    return 0;
}

/* Writes the next documents of the partition; 1 when there are no more, or -ENOMEM. */
static int write_documents(struct partitioned *batch, struct batch_task *task,
                           struct effects *effects) {
    struct document_row *rows = NULL;
    struct effect *load = NULL;
    size_t count = 0;
    for (; task->written < task->listings.count && count < WRITE_ROWS; task->written++) {
        const struct rebuilt *listing = listings_at(&task->listings, task->written);
        if (!listing->in_range) {
            continue;
        }
        if (load == NULL) {
            load = batch_load_begin(batch, task, PURPOSE_WRITE, effects);
            rows = load == NULL ? NULL : effect_alloc(effects, load, WRITE_ROWS * sizeof *rows);
        }
        if (rows == NULL ||
            document_row_of(effects, load, &listing->head.folded, &rows[count++]) != 0) {
            return -ENOMEM;
        }
    }
    if (load == NULL) {
        return 1;
    }
    load->warehouse.rebuilt = rows;
    load->warehouse.rebuilt_count = count;
    task->report.documents += count;
    return 0;
}

static int write_sales(struct partitioned *batch, struct batch_task *task,
                       struct effects *effects) {
    size_t count = task->sales.bucket_count;
    struct effect *load = batch_load_begin(batch, task, PURPOSE_WRITE, effects);
    struct sales_row *rows =
        load == NULL ? NULL : effect_alloc(effects, load, (count + 1) * sizeof *rows);
    if (rows == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        rows[i] = batch_sales_row(&task->sales, i);
        rows[i].category = effect_copy(effects, load, rows[i].category);
    }
    load->warehouse.rebuilt_sales_given = true;
    load->warehouse.rebuilt_from = batch_first_hour(batch, task);
    load->warehouse.rebuilt_to = task->report.to;
    load->warehouse.rebuilt_sales = rows;
    load->warehouse.rebuilt_sales_count = count;
    task->report.buckets = count;
    return effects->out_of_memory ? -ENOMEM : 0;
}

/* ---- The end of a run ---- */

void batch_alert(struct batch_task *task, struct effects *effects) {
    uint64_t documents = batch_drift(task->report.document_counts);
    uint64_t buckets = batch_drift(task->report.sales_counts);
    bool differs = documents + buckets > 0;
    if (differs == task->alarmed) {
        return;
    }
    task->alarmed = differs;
    struct sentence sentence = sentence_begin();
    sentence_add_number(&sentence, documents);
    sentence_add(&sentence, " documents and ");
    sentence_add_number(&sentence, buckets);
    sentence_add(&sentence, " buckets of sales are not what bronze says, up to ");
    sentence_add_time(&sentence, task->report.to);
    effects_alert(effects, "batch-differs", "warehouse", differs ? ALERT_ERROR : ALERT_CLEARED,
                  sentence_bytes(&sentence));
}

static int go_on(struct partitioned *batch, struct batch_task *task, vtime now,
                 struct effects *effects);

int batch_finish(struct partitioned *batch, struct batch_task *task, vtime now,
                 struct effects *effects) {
    batch_alert(task, effects);
    batch_tell_missing(task, effects);
    struct effect *report = effects_add(effects, EFFECT_BATCH_REPORT, 0, 0);
    if (report == NULL) {
        return -ENOMEM;
    }
    report->batch = task->report;
    task->phase = PHASE_IDLE;
    return go_on(batch, task, now, effects);
}

/* ---- Beginning ---- */

/* A range that began before bronze does is not made anew as a whole: said, not counted (A16). */
static void tell_beyond(struct partitioned *batch, struct batch_task *task,
                        struct effects *effects) {
    vtime edge = batch_bronze_edge(batch, task);
    bool beyond = task->report.from.ns != 0 && vtime_before(task->report.from, edge);
    if (beyond == task->beyond) {
        return;
    }
    task->beyond = beyond;
    struct sentence sentence = sentence_begin();
    if (beyond) {
        sentence_add(&sentence, "bronze tells everything from ");
        sentence_add_time(&sentence, edge);
        sentence_add(&sentence, " on: sales of earlier hours and listings that were gone by then "
                                "are not made anew");
    } else {
        sentence_add(&sentence, "bronze tells everything of the range");
    }
    effects_alert(effects, "batch-beyond-retention", "warehouse",
                  beyond ? ALERT_WARN : ALERT_CLEARED, sentence_bytes(&sentence));
}

static void run_begin(struct partitioned *batch, struct batch_task *task, vtime from, vtime to,
                      vtime now, struct effects *effects) {
    bool whole = to.ns == 0 || vtime_before(now, to);
    task->report = (struct batch_report){
        .run = task->report.run + 1, .from = from, .to = whole ? now : to, .began = now};
    task->phase = PHASE_DOCUMENTS;
    task->partition = 0;
    task->offset = 0;
    tell_beyond(batch, task, effects);
}

/* What begins anew after a crash. */
static void run_resume(const struct partitioned *batch, struct batch_task *task) {
    listings_forget(batch, task);
    batch_sales_release(&task->sales);
    batch_sales_init(&task->sales);
    task->offset = 0;
    if (task->phase > PHASE_DOCUMENTS) {
        task->phase = PHASE_ORDERS;
        task->partition = 0;
    }
    memset(task->report.document_counts, 0, sizeof task->report.document_counts);
    memset(task->report.sales_counts, 0, sizeof task->report.sales_counts);
    memset(task->report.source_counts, 0, sizeof task->report.source_counts);
    task->report.remade = task->report.republished = 0;
    task->mends = false;
    kept_sales_forget(&task->remade);
    kept_sales_forget(&task->missing);
    batch_sides_forget(task);
    task->cursor = 0;
}

/* The next scheduled range, if its end has come. */
static bool schedule_due(struct partitioned *batch, struct batch_task *task, vtime now,
                         struct effects *effects) {
    int64_t interval_ns = batch->machine.config->batch_interval_ns;
    if (interval_ns == 0 || task->scheduled.ns == 0 ||
        vtime_diff(now, task->scheduled) < interval_ns) {
        return false;
    }
    vtime from = task->scheduled;
    task->scheduled = vtime_add(from, interval_ns);
    run_begin(batch, task, from, task->scheduled, now, effects);
    return true;
}

/* Goes on with the run under way, or begins the next, or waits for one. */
static int go_on(struct partitioned *batch, struct batch_task *task, vtime now,
                 struct effects *effects) {
    task_changed(batch, &task->task, now, effects);
    if (task->phase == PHASE_IDLE && !schedule_due(batch, task, now, effects)) {
        if (task->fetching) {
            return 0;
        }
        task->fetching = true;
        return task_fetch(batch, &task->task, 0, false, effects);
    }
    run_resume(batch, task);
    return batch_read_page(batch, task, effects);
}

/* ---- Answers ---- */

static int compare_documents(struct partitioned *batch, struct batch_task *task,
                             struct effects *effects) {
    task->phase = PHASE_COMPARE_DOCUMENTS;
    return scan(batch, task, false, effects) != 0 ? -ENOMEM : scan(batch, task, true, effects);
}

/* A partition is dealt with: the next one, or the next phase. */
int batch_partition_done(struct partitioned *batch, struct batch_task *task, vtime now,
                         struct effects *effects) {
    task->partition++;
    task->offset = 0;
    task_changed(batch, &task->task, now, effects);
    if (task->partition < batch->machine.config->partitions) {
        return batch_read_page(batch, task, effects);
    }
    task->partition = 0;
    if (task->phase == PHASE_DOCUMENTS) {
        task->phase = PHASE_ORDERS;
        return batch_read_page(batch, task, effects);
    }
    if (task->phase == PHASE_REPAIR) {
        return batch_mend_sums(batch, task, effects);
    }
    task->phase = PHASE_SALES;
    return write_sales(batch, task, effects);
}

static int documents_go_on(struct partitioned *batch, struct batch_task *task, vtime now,
                           struct effects *effects) {
    int done = write_documents(batch, task, effects);
    if (done != 1) {
        return done;
    }
    listings_forget(batch, task);
    return batch_partition_done(batch, task, now, effects);
}

static int page_read(struct partitioned *batch, struct batch_task *task, const struct event *event,
                     struct effects *effects) {
    enum topic_id topic = page_topic(task);
    size_t count = event->records.count;
    for (size_t i = 0; i < count; i++) {
        const struct log_record *logged = &event->records.records[i];
        struct record record;
        struct record_error error;
        task->offset = logged->offset + 1;
        if (topic == TOPIC_ORDER && logged->refused &&
            !bug_on(batch->machine.bugs, BUG_BATCH_TAKES_REFUSED)) {
            continue; /* it counts once its letter was sent again */
        }
        if (record_of_topic(topic, logged->value, &record, &error) != 0 ||
            (topic == TOPIC_LISTING_LOG && !vtime_before(logged->append, task->report.to))) {
            continue;
        }
        int failed = topic == TOPIC_ORDER ? batch_sales_order(&task->sales, &record, logged->append)
                                          : fold(task, batch, logged, &record);
        if (failed != 0) {
            return -ENOMEM;
        }
    }
    task->report.records += task->phase == PHASE_REPAIR ? 0 : count;
    if (count == batch->machine.config->batch_page_rows) {
        return batch_read_page(batch, task, effects);
    }
    if (topic == TOPIC_LISTING_LOG) {
        return documents_go_on(batch, task, event->now, effects);
    }
    if (task->phase == PHASE_REPAIR) {
        return batch_mend_orders(batch, task, event->now, effects);
    }
    return batch_sales_close(&task->sales, batch_first_hour(batch, task), task->report.to) != 0
               ? -ENOMEM
               : batch_partition_done(batch, task, event->now, effects);
}

/* Rows up to and including that listing. */
static size_t rows_to(const struct scanned_side *side, uint64_t last) {
    size_t count = 0;
    while (count < side->count && side->rows[count].listing_id <= last) {
        count++;
    }
    return count;
}

static int scanned(struct partitioned *batch, struct batch_task *task, const struct effect *answer,
                   struct effects *effects) {
    struct scanned_side *side = &task->documents[answer->scan.rebuilt];
    side->count = answer->scan.count;
    if (ARRAY_RESERVE(side->rows, side->capacity, side->count) != 0) {
        return -ENOMEM;
    }
    if (side->count > 0) {
        memcpy(side->rows, answer->scan.rows, side->count * sizeof *side->rows);
    }
    side->complete = answer->scan.complete;
    side->there = true;
    if (!task->documents[0].there || !task->documents[1].there) {
        return 0;
    }
    uint64_t last = UINT64_MAX;
    for (size_t i = 0; i < 2; i++) {
        const struct scanned_side *one = &task->documents[i];
        if (!one->complete && one->rows[one->count - 1].listing_id < last) {
            last = one->rows[one->count - 1].listing_id;
        }
    }
    struct batch_scope scope = batch_scope_of(batch, task);
    batch_compare_documents(&scope, task->documents[0].rows, rows_to(&task->documents[0], last),
                            task->documents[1].rows, rows_to(&task->documents[1], last),
                            task->report.document_counts);
    if (last != UINT64_MAX) {
        task->cursor = last + 1;
        return compare_documents(batch, task, effects);
    }
    task->phase = PHASE_COMPARE_SALES;
    for (int source = 0; source < SALES_SOURCES; source++) {
        if (batch_read_sales(batch, task, (enum sales_source)source, effects) != 0) {
            return -ENOMEM;
        }
    }
    return 0;
}

static int task_answered(struct partitioned *batch, struct task *head, uint32_t purpose,
                         uint32_t argument, const struct event *event, struct effects *effects,
                         bool *again) {
    struct batch_task *task = (struct batch_task *)head;
    (void)again;
    switch (purpose) {
    case PURPOSE_PAGE:
        return page_read(batch, task, event, effects);
    case PURPOSE_WRITE:
        return task->phase == PHASE_DOCUMENTS ? documents_go_on(batch, task, event->now, effects)
                                              : compare_documents(batch, task, effects);
    case PURPOSE_SCAN:
        return scanned(batch, task, event->answered, effects);
    case PURPOSE_REPAIR:
        return batch_mended(batch, task, argument == 1, event->now, effects);
    case PURPOSE_REFRESH:
        return argument == 1 ? batch_finish(batch, task, event->now, effects)
                             : batch_mend_refresh(batch, task, effects);
    default:
        assert(purpose == PURPOSE_SALES);
        return batch_sales_read(batch, task, event, (enum sales_source)argument, effects);
    }
}

/* ---- Commands and the schedule ---- */

static int records(struct partitioned *batch, struct task *head, size_t index,
                   const struct event *event, struct effects *effects) {
    struct batch_task *task = (struct batch_task *)head;
    struct source *source = &head->sources[index];
    task->fetching = false;
    if (task->phase != PHASE_IDLE) {
        return 0; /* read again when the run is over */
    }
    for (size_t i = 0; i < event->records.count && task->phase == PHASE_IDLE; i++) {
        const struct log_record *logged = &event->records.records[i];
        struct record record;
        struct record_error error;
        source->next = logged->offset + 1;
        if (record_of_topic(TOPIC_CONTROL, logged->value, &record, &error) == 0 &&
            record.control.kind == CONTROL_BATCH) {
            run_begin(batch, task, record.control.from, record.control.to, event->now, effects);
        }
    }
    source->safe = source->next;
    return go_on(batch, task, event->now, effects);
}

static void schedule(struct partitioned *batch, struct batch_task *task, vtime now,
                     struct effects *effects) {
    int64_t interval_ns = batch->machine.config->batch_interval_ns;
    if (interval_ns == 0) {
        return;
    }
    vtime last = {now.ns - now.ns % interval_ns};
    if (task->scheduled.ns == 0) {
        task->scheduled = last;
    }
    task_timer(effects, &task->task, TIMER_SCHEDULE, vtime_add(last, interval_ns));
}

static int task_timer_due(struct partitioned *batch, struct task *head, uint32_t id, vtime now,
                          struct effects *effects) {
    struct batch_task *task = (struct batch_task *)head;
    assert(id == TIMER_SCHEDULE);
    (void)id;
    schedule(batch, task, now, effects);
    return task->phase == PHASE_IDLE ? go_on(batch, task, now, effects) : 0;
}

static int task_begin(struct partitioned *batch, struct task *head, const struct event *event,
                      struct effects *effects) {
    struct batch_task *task = (struct batch_task *)head;
    schedule(batch, task, event->now, effects);
    return go_on(batch, task, event->now, effects);
}

/* ---- Checkpoints ---- */

enum { STATE_BYTES = 1 + 4 + 4 + 5 * 8 + 2 + 8 };

static int save_entries(struct partitioned *batch, struct task *head, struct effect *save,
                        struct effects *effects) {
    (void)batch;
    const struct batch_task *task = (const struct batch_task *)head;
    struct state_entry *entry = effect_alloc(effects, save, sizeof *entry);
    char *bytes = effect_alloc(effects, save, STATE_BYTES);
    if (entry == NULL || bytes == NULL) {
        return -ENOMEM;
    }
    char *at = wire_put(bytes, (uint64_t)task->phase, 1);
    at = wire_put(at, task->report.run, 4);
    at = wire_put(at, task->partition, 4);
    at = wire_put(at, (uint64_t)task->report.from.ns, 8);
    at = wire_put(at, (uint64_t)task->report.to.ns, 8);
    at = wire_put(at, (uint64_t)task->report.began.ns, 8);
    at = wire_put(at, task->report.documents, 8);
    at = wire_put(at, task->report.records, 8);
    at = wire_put(at, task->alarmed, 1);
    at = wire_put(at, task->beyond, 1);
    at = wire_put(at, (uint64_t)task->scheduled.ns, 8);
    assert(at == bytes + STATE_BYTES);
    *entry = (struct state_entry){0, {bytes, STATE_BYTES}};
    save->save_state.entries = entry;
    save->save_state.count = 1;
    return 0;
}

static int restore_entry(struct partitioned *batch, struct task *head, uint64_t key,
                         struct bytes value) {
    struct batch_task *task = (struct batch_task *)head;
    struct wire_reader reader = wire_reader_of(value);
    enum phase phase = (enum phase)wire_get(&reader, 1);
    uint32_t run = (uint32_t)wire_get(&reader, 4);
    uint32_t partition = (uint32_t)wire_get(&reader, 4);
    if (key != 0 || value.len != STATE_BYTES || phase > PHASE_REPAIR ||
        partition > batch->machine.config->partitions) {
        return -EINVAL;
    }
    task->phase = phase;
    task->report.run = run;
    task->partition = partition;
    task->report.from.ns = (int64_t)wire_get(&reader, 8);
    task->report.to.ns = (int64_t)wire_get(&reader, 8);
    task->report.began.ns = (int64_t)wire_get(&reader, 8);
    task->report.documents = wire_get(&reader, 8);
    task->report.records = wire_get(&reader, 8);
    task->alarmed = wire_get(&reader, 1) != 0;
    task->beyond = wire_get(&reader, 1) != 0;
    task->scheduled.ns = (int64_t)wire_get(&reader, 8);
    return 0;
}

struct machine *batch_new(void) {
    static const struct task_ops ops = {
        .task_size = sizeof(struct batch_task),
        .init = task_init,
        .release = task_release,
        .restore_entry = restore_entry,
        .begin = task_begin,
        .records = records,
        .answered = task_answered,
        .save_entries = save_entries,
        .saved = batch_mend_begin,
        .timer = task_timer_due,
    };
    return partitioned_new(sizeof(struct partitioned), &ops);
}
