/*
 * The document builder with its sink writers (A3 to A9): folds the listing log into documents and
 * brings the vector database and the keyword index to what the documents say.
 *
 * Writing is level-triggered. Every listing has a keyword row and, for each model version that is
 * written (a lane, see builder_parts.h), a text, an image and a fused vector; and for each row the
 * builder knows what the store acknowledged last. A row lags while that is not what the document
 * says; lagging rows are written until they do not, so a stalled sink, a lost reply, a crash, a
 * repair and the backfill of another model (A10) are one case, and memory is bounded by listings,
 * not by events.
 *
 * What waits for an embedding stands in a queue of its own, so that deletes and suppressions go on
 * while the embedding service is down (A8).
 *
 *     row:  unknown --write--> acknowledged(version, content) --document moves on--> lagging --+
 *              ^                          ^                                                     |
 *              +---- restart, MISSING     +------------------------ write ---------------------+
 *
 * Invariants:
 *  1. at most one write, or one embedding, is under way for a listing's vector rows of a lane, and
 *     at most one write for its keyword row; so what is acknowledged never goes back; an embedding
 *     whose listing goes is given up, and its answer is not heard;
 *  2. all lagging vector rows of a listing in a lane are sent in one step, with one version (A6);
 *  3. a row that the document does not want is deleted at the document's version even if it may
 *     never have existed, unless its absence is acknowledged and was not disturbed since: a zombie
 *     that wrote it in between is overruled;
 *  4. vectors are made only for content whose hash the store did not acknowledge (A5);
 *  5. a checkpoint holds documents and acknowledged rows: what lags is derived, not stored;
 *  6. a checkpoint says that a row is abandoned only once its dead letter is out (A13);
 *  7. no more than backlog_max listings, and those of one fetch, wait for the served lane or the
 *     keyword index, be it in a queue or in a request under way: then the log is not read on (A14);
 *     a lane that is not served never holds it up, and a listing waits there once;
 *  8. which lanes are open is a function of the control topic up to its offset in the checkpoint;
 *     an announcement that is read again, or comes after a later one, changes nothing;
 *  9. a task reads the control topic to its end before it reads the log: what a former owner of the
 *     partition wrote to a lane, this one does too, although it folds the same change anew.
 */
#include <assert.h>
#include <errno.h>

#include "pipeline/builder_parts.h"
#include "pipeline/control.h"
#include "pipeline/record.h"

/* ---- Tasks ---- */

static int task_init(struct partitioned *builder, struct task *head) {
    const struct pipeline_config *config = builder->machine.config;
    struct builder_task *task = (struct builder_task *)head;
    listings_init(&task->listings, sizeof(struct listing), builder->machine.config,
                  builder->machine.bugs);
    task->announced = STAMP_NONE;
    if (task_sources(head, SOURCE_COUNT) != 0) {
        return -ENOMEM;
    }
    head->sources[SOURCE_LOG].topic = TOPIC_LISTING_LOG;
    head->sources[SOURCE_LOG].partition = head->partition;
    head->sources[SOURCE_CONTROL].topic = TOPIC_CONTROL;
    head->sources[SOURCE_CONTROL].partition = topic_partition(CONTROL_KEY, config->partitions);
    return lanes_begin(config, task);
}

static void task_release(struct task *head) {
    struct builder_task *task = (struct builder_task *)head;
    lanes_close(task);
    listings_release(&task->listings);
    index_queue_release(&task->keywords[0]);
    index_queue_release(&task->keywords[1]);
}

int64_t listing_make(struct builder_task *task, uint64_t id) {
    int64_t at = listings_make(&task->listings, id);
    for (size_t i = 0; i < LANE_COUNT && at >= 0; i++) {
        struct lane *lane = &task->lanes[i];
        if (lane->model_version != 0 && lane_reserve(lane, task->listings.count) != 0) {
            return -ENOMEM;
        }
    }
    return at;
}

int listing_queue(struct partitioned *builder, struct builder_task *task, size_t at) {
    for (size_t i = 0; i < LANE_COUNT; i++) {
        struct lane *lane = &task->lanes[i];
        if (lane->model_version != 0 && lane_queue(builder, task, lane, at) != 0) {
            return -ENOMEM;
        }
    }
    return keywords_queue(builder, task, at);
}

/* ---- Pace ---- */

/* Reads on unless too many listings wait for a sink that readers see, which is backpressure to the
 * log (A14), or the audit of what was read is still on its way. */
static int fetch_or_pause(struct partitioned *builder, struct builder_task *task,
                          struct effects *effects) {
    uint32_t backlog_max = builder->machine.config->backlog_max;
    size_t vectors = lane_backlog(lane_served(task));
    size_t keywords = keywords_backlog(task);
    size_t backlog = vectors > keywords ? vectors : keywords;
    machine_gauge(&builder->machine, GAUGE_BACKLOG, backlog);
    bool full = backlog >= backlog_max && !bug_on(builder->machine.bugs, BUG_NO_BACKPRESSURE);
    task->fetch_paused = full || task->audits_under_way > 0;
    return task->fetch_paused ? 0 : task_fetch(builder, &task->task, SOURCE_LOG, false, effects);
}

/* Sends what waits: what readers see first. */
static int pump_all(struct partitioned *builder, struct builder_task *task,
                    struct effects *effects) {
    if (lane_pump(builder, task, lane_served(task), effects) != 0 ||
        keywords_pump(builder, task, effects) != 0) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < LANE_COUNT; i++) {
        struct lane *lane = &task->lanes[i];
        if (lane->model_version != 0 && !lane->served &&
            lane_pump(builder, task, lane, effects) != 0) {
            return -ENOMEM;
        }
    }
    return 0;
}

static int pump(struct partitioned *builder, struct builder_task *task, struct effects *effects) {
    if (pump_all(builder, task, effects) != 0) {
        return -ENOMEM;
    }
    return task->fetch_paused ? fetch_or_pause(builder, task, effects) : 0;
}

/* ---- Announcements ---- */

/* Readers see the lane from now on: every listing has joined. */
static int lane_serve(struct partitioned *builder, struct builder_task *task, struct lane *lane,
                      struct effects *effects) {
    struct audits audits = {.room = task->listings.count};
    bool everyone = lane->everyone;
    lane->served = lane->everyone = true;
    for (size_t at = 0; at < task->listings.count; at++) {
        const struct listing *listing = listing_at(task, at);
        if (!everyone && !lane->rows[at].joined &&
            audit_add(builder, task, &audits, lane, listing, audit_modalities(listing), effects) !=
                0) {
            return -ENOMEM;
        }
        lane->rows[at].backfill = false;
        if (lane_queue(builder, task, lane, at) != 0) {
            return -ENOMEM;
        }
    }
    return 0;
}

/* A listing that is gone joins a shadow at once, as a deletion: the collections may bear the name
 * of some that were dropped, and a write that was meant for those must not find an empty place. */
static int lane_shadow(struct partitioned *builder, struct builder_task *task, struct lane *lane) {
    for (size_t at = 0; at < task->listings.count; at++) {
        if (!listing_gone(listing_at(task, at))) {
            continue;
        }
        lane->rows[at].joined = true;
        if (lane_queue(builder, task, lane, at) != 0) {
            return -ENOMEM;
        }
    }
    return 0;
}

/* Opens and closes lanes so that these models, and no others, are written. */
static int models_obey(struct partitioned *builder, struct builder_task *task,
                       const struct control *control, doc_version position,
                       struct effects *effects) {
    const uint32_t models[LANE_COUNT] = {control->model_version, control->model_other};
    for (size_t i = 0; i < LANE_COUNT; i++) {
        struct lane *lane = &task->lanes[i];
        if (lane->model_version != models[0] && lane->model_version != models[1]) {
            lane_close(lane);
        }
        lane->served = false;
    }
    for (size_t i = 0; i < LANE_COUNT; i++) {
        struct lane *lane;
        if (models[i] != 0 && lane_of_model(task, models[i]) == NULL &&
            (lane_open(task, models[i], position, &lane) != 0 ||
             lane_shadow(builder, task, lane) != 0)) {
            return -ENOMEM;
        }
    }
    task->lanes_unsaved = true;
    return lane_serve(builder, task, lane_of_model(task, models[0]), effects);
}

/* Announcements are numbered in the upgrader's checkpoint. One with a lower number than the last
 * comes from an upgrader that does not know yet that another took its place, whatever its clock
 * says. */
static bool overtaken(const struct builder_task *task, const struct record *record) {
    uint64_t last = task->announced.id.lo;
    return record->control.id != last ? record->control.id < last
                                      : vtime_before(record->stamp.ts, task->announced.ts);
}

static int announced(struct partitioned *builder, struct builder_task *task,
                     const struct log_record *logged, const struct record *record,
                     struct effects *effects) {
    if (record->control.kind != CONTROL_MODELS || record->control.model_version == 0 ||
        overtaken(task, record)) {
        return 0;
    }
    task->announced = (struct stamp){record->stamp.ts, {CONTROL_MODELS, record->control.id}};
    return models_obey(builder, task, &record->control,
                       doc_version_pack(logged->epoch, logged->offset), effects);
}

/* ---- Records ---- */

/* A visible change goes to every lane: a listing that changed has joined (dual write). `changed`:
 * modalities whose content did; a lane that the listing joins makes all of them. */
static int lanes_join(struct partitioned *builder, struct builder_task *task, size_t at,
                      uint8_t changed, struct audits *audits, struct effects *effects) {
    const struct listing *listing = listing_at(task, at);
    for (size_t i = 0; i < LANE_COUNT; i++) {
        struct lane *lane = &task->lanes[i];
        bool missed = !lane->served && bug_on(builder->machine.bugs, BUG_LIVE_WRITES_MISSED);
        if (lane->model_version == 0 || missed) {
            continue;
        }
        bool joins = !lane->everyone && !lane->rows[at].joined;
        uint8_t made = joins ? audit_modalities(listing) : changed;
        if (audit_add(builder, task, audits, lane, listing, made, effects) != 0) {
            return -ENOMEM;
        }
        lane->rows[at].joined = true;
        lane->rows[at].backfill = false;
    }
    return 0;
}

/* Brings the rows that the listing should have up to its document. The modalities whose content is
 * another one now, as bits. */
static uint8_t listing_changed(struct listing *listing) {
    uint64_t before[MODALITY_COUNT];
    uint8_t changed = 0;
    for (size_t m = 0; m < MODALITY_COUNT; m++) {
        before[m] = listing->wants[m].content;
    }
    wants_update(listing);
    for (size_t m = 0; m < MODALITY_COUNT; m++) {
        changed |= (uint8_t)((listing->wants[m].content != before[m]) << m);
    }
    return changed;
}

/* Folds one record. 0, or -ENOMEM. */
static int fold(struct partitioned *builder, struct builder_task *task,
                const struct log_record *logged, const struct record *record, struct audits *audits,
                struct effects *effects) {
    int64_t at = listing_make(task, record->subject_id);
    if (at < 0) {
        return -ENOMEM;
    }
    struct listing *listing = listing_at(task, (size_t)at);
    int outcome = folded_fold(&listing->head.folded, record, logged, builder->machine.bugs);
    if (outcome < 0) {
        return outcome;
    }
    int64_t dropped = listings_age(&task->listings, record, logged->append);
    if (dropped < 0) {
        return -ENOMEM;
    }
    machine_count(&builder->machine, COUNTER_ORPHANS_DROPPED, (uint64_t)dropped);
    machine_count(&builder->machine, outcome == FOLD_NOT_NEWS ? COUNTER_NOT_NEWS : COUNTER_FOLDED,
                  1);
    if (outcome == FOLD_NOT_NEWS) {
        return 0;
    }
    if (outcome == FOLD_VISIBLE) {
        uint8_t changed = listing_changed(listing);
        if (lanes_join(builder, task, (size_t)at, changed, audits, effects) != 0 ||
            listing_queue(builder, task, (size_t)at) != 0 ||
            restate(builder, task, listing, record, effects) != 0) {
            return -ENOMEM;
        }
    }
    if (record->type == RECORD_ERASURE &&
        bug_on(builder->machine.bugs, BUG_ERASURE_FORGETS_STATE)) {
        return 0;
    }
    return listings_unsaved(&task->listings, (size_t)at);
}

/* What a source carries is folded, obeyed, or refused. Of an order that is no record each task
 * hears; the one whose partition it stands in writes the dead letter. */
static int record_in(struct partitioned *builder, struct builder_task *task, size_t index,
                     const struct log_record *logged, struct letters *letters,
                     struct audits *audits, struct effects *effects) {
    const struct source *source = &task->task.sources[index];
    struct record record;
    struct record_error error;
    if (record_of_topic(source->topic, logged->value, &record, &error) == 0) {
        return index == SOURCE_LOG ? fold(builder, task, logged, &record, audits, effects)
                                   : announced(builder, task, logged, &record, effects);
    }
    if (source->partition != task->task.partition) {
        return 0;
    }
    struct dead_letter letter = dead_letter_of(source, logged, &error);
    return letter_add(builder, task, letters, logged->key, &letter, effects);
}

/* The end of the control topic is reached: the lanes are what they should be, and the log may be
 * read. */
static int announcements_read(struct partitioned *builder, struct builder_task *task,
                              struct effects *effects) {
    assert(!task->reading);
    task->reading = true;
    return task_fetch(builder, &task->task, SOURCE_CONTROL, false, effects) != 0
               ? -ENOMEM
               : fetch_or_pause(builder, task, effects);
}

static int records(struct partitioned *builder, struct task *head, size_t index,
                   const struct event *event, struct effects *effects) {
    struct builder_task *task = (struct builder_task *)head;
    struct source *source = &head->sources[index];
    size_t count = event->records.count;
    struct letters letters = {.source = index, .room = count};
    struct audits audits = {.room = count * LANE_COUNT};
    if (count == 0) {
        return announcements_read(builder, task, effects);
    }
    source->next = event->records.records[count - 1].offset + 1;
    machine_count(&builder->machine, COUNTER_RECORDS_READ, count);
    for (size_t i = 0; i < count; i++) {
        if (record_in(builder, task, index, &event->records.records[i], &letters, &audits,
                      effects) != 0) {
            return -ENOMEM;
        }
    }
    if (source->waiting == 0) {
        source->safe = source->next;
    }
    task_changed(builder, head, event->now, effects);
    if (index == SOURCE_CONTROL) {
        return pump(builder, task, effects) != 0
                   ? -ENOMEM
                   : task_fetch(builder, head, SOURCE_CONTROL, !task->reading, effects);
    }
    return pump_all(builder, task, effects) != 0 ? -ENOMEM : fetch_or_pause(builder, task, effects);
}

/* ---- Answers ---- */

/* Dead letters are out: the source may be checkpointed beyond them. */
static void letters_out(struct source *source) {
    assert(source->waiting > 0);
    if (--source->waiting == 0) {
        source->safe = source->next;
    }
}

static int task_answered(struct partitioned *builder, struct task *head, uint32_t purpose,
                         uint32_t argument, const struct event *event, struct effects *effects,
                         bool *again) {
    struct builder_task *task = (struct builder_task *)head;
    int error = 0;
    switch (purpose) {
    case PURPOSE_EMBED:
    case PURPOSE_VECTORS:
        error = lane_answered(builder, task, purpose, argument, event, effects, again);
        break;
    case PURPOSE_KEYWORDS:
        error = keywords_answered(builder, task, event, effects, again);
        break;
    case PURPOSE_AUDIT:
        assert(task->audits_under_way > 0);
        task->audits_under_way--;
        error = task_savable(builder, head, effects);
        break;
    default:
        letters_out(&head->sources[argument]);
        break;
    }
    if (error == 0 && !*again) {
        task_changed(builder, head, event->now, effects);
    }
    return error;
}

static int task_refused(struct partitioned *builder, struct task *head, uint32_t purpose,
                        uint32_t argument, const struct event *event, struct effects *effects,
                        bool *again) {
    struct builder_task *task = (struct builder_task *)head;
    switch (purpose) {
    case PURPOSE_EMBED:
    case PURPOSE_VECTORS:
        return lane_refused(builder, task, purpose, argument, event, effects, again);
    case PURPOSE_KEYWORDS:
        return keywords_refused(builder, task, event, effects, again);
    default:
        return 0;
    }
}

/* Where failures of such requests are counted, or NULL. */
static uint32_t *failing_of(struct builder_task *task, uint32_t purpose, uint32_t argument) {
    if (purpose == PURPOSE_KEYWORDS) {
        return &task->keywords_failing[argument];
    }
    bool lanes = purpose == PURPOSE_EMBED || purpose == PURPOSE_VECTORS;
    struct lane *lane = lanes ? lane_of_serial(task, argument_serial(argument)) : NULL;
    return lane == NULL               ? NULL
           : purpose == PURPOSE_EMBED ? &lane->embed_failing
           : argument_gone(argument)  ? &lane->gone_failing
                                      : &lane->writes_failing;
}

/* While a request to a sink goes in circles nothing further is sent there: an open circuit. */
static void task_failing(struct task *head, uint32_t purpose, uint32_t argument,
                         uint32_t failures) {
    uint32_t *failing = failing_of((struct builder_task *)head, purpose, argument);
    if (failing != NULL && failures == 1) {
        (*failing)++;
    } else if (failing != NULL && failures == 0) {
        assert(*failing > 0);
        (*failing)--;
    }
}

/* A checkpoint behind which the log is not read again must not hide a version that the audit does
 * not know (A11). */
static bool may_save(const struct task *head) {
    return ((const struct builder_task *)head)->audits_under_way == 0;
}

static int task_begin(struct partitioned *builder, struct task *head, const struct event *event,
                      struct effects *effects) {
    (void)event;
    return pump_all(builder, (struct builder_task *)head, effects) != 0
               ? -ENOMEM
               : task_fetch(builder, head, SOURCE_CONTROL, true, effects);
}

static int settled(struct partitioned *builder, struct task *head, struct effects *effects) {
    return pump(builder, (struct builder_task *)head, effects);
}

/* ---- Commands ---- */

static int row_of_store(enum scan_store store) {
    switch (store) {
    case SCAN_VECTOR_TEXT:
        return MODALITY_TEXT;
    case SCAN_VECTOR_IMAGE:
        return MODALITY_IMAGE;
    case SCAN_VECTOR_FUSED:
        return MODALITY_FUSED;
    case SCAN_KEYWORD:
        return ROW_KEYWORD;
    default:
        return -1;
    }
}

/* A listing that has not joined a shadow joins it with all its rows; until they are written a
 * repair asks for nothing that is not done anyway. */
static int lane_repair(struct partitioned *builder, struct builder_task *task, struct lane *lane,
                       size_t at, size_t modality, bool anew, struct effects *effects) {
    struct lane_rows *rows = &lane->rows[at];
    if (!lane->everyone && !rows->joined) {
        const struct listing *listing = listing_at(task, at);
        rows->joined = rows->backfill = true;
        return audit_add(builder, task, &task->repairs, lane, listing, audit_modalities(listing),
                         effects);
    }
    if (!rows->backfill) {
        row_repair(&rows->rows[modality]);
        bool strikes = builder->machine.config->vector_repair_deletes &&
                       !bug_on(builder->machine.bugs, BUG_REPAIR_OVERWRITES);
        rows->rows[modality].strikes = strikes ? REPAIR_STRIKES : 0;
    }
    rows->rows[modality].remake = rows->rows[modality].remake || anew;
    if (anew && rows->embed_request != 0) {
        /* What is under way may be what was kept. */
        rows->embed_request = 0;
        lane_ended(lane, rows);
    }
    return 0;
}

static int listing_repair(struct partitioned *builder, const struct event *event, uint64_t id,
                          size_t row, struct effects *effects) {
    uint32_t model = event->command.model_version;
    struct builder_task *task = (struct builder_task *)task_find(
        builder, topic_partition(id, builder->machine.config->partitions));
    size_t at;
    if (task == NULL || !task->task.ready || !listings_find(&task->listings, id, &at)) {
        return 0;
    }
    struct lane *lane = model == 0 ? lane_served(task) : lane_of_model(task, model);
    if (row == ROW_KEYWORD) {
        row_repair(&listing_at(task, at)->keyword);
    } else if (lane != NULL && lane_repair(builder, task, lane, at, row,
                                           event->command.kind == COMMAND_REMAKE, effects) != 0) {
        return -ENOMEM;
    }
    if (listings_unsaved(&task->listings, at) != 0 || listing_queue(builder, task, at) != 0) {
        return -ENOMEM;
    }
    task_changed(builder, &task->task, event->now, effects);
    return 0;
}

/* Repair: the named rows are written anew, whatever the store acknowledged before. */
static int repair(struct partitioned *builder, const struct event *event, struct effects *effects) {
    int row = row_of_store(event->command.store);
    for (size_t i = 0; i < builder->task_count; i++) {
        ((struct builder_task *)builder->tasks[i])->repairs =
            (struct audits){.room = event->command.count};
    }
    for (size_t i = 0; row >= 0 && i < event->command.count; i++) {
        if (listing_repair(builder, event, event->command.listing_ids[i], (size_t)row, effects) !=
            0) {
            return -ENOMEM;
        }
    }
    for (size_t i = 0; row >= 0 && i < builder->task_count; i++) {
        struct builder_task *task = (struct builder_task *)builder->tasks[i];
        if (task->task.ready && pump(builder, task, effects) != 0) {
            return -ENOMEM;
        }
    }
    return 0;
}

static int other(struct partitioned *builder, const struct event *event, struct effects *effects) {
    bool repairs = event->kind == EVENT_COMMAND &&
                   (event->command.kind == COMMAND_REPAIR || event->command.kind == COMMAND_REMAKE);
    return repairs ? repair(builder, event, effects) : 0;
}

struct machine *builder_new(void) {
    static const struct task_ops ops = {
        .reads_bronze = true,
        .task_size = sizeof(struct builder_task),
        .init = task_init,
        .release = task_release,
        .restore_entry = builder_restore_entry,
        .begin = task_begin,
        .records = records,
        .answered = task_answered,
        .refused = task_refused,
        .failing = task_failing,
        .settled = settled,
        .may_save = may_save,
        .save_entries = builder_save_entries,
        .other = other,
    };
    return partitioned_new(sizeof(struct partitioned), &ops);
}
