/*
 * The eraser: sees to it that an erasure reaches every place, and certifies it (A12).
 *
 * What removes a listing from where it is served is the erasure's record in the listing log, which
 * the builder and the loader fold like any other. The eraser does what no fold does: it looks at
 * every place (pipeline/erasure.h), removes what lies beside the way of the log (masked vectors and
 * texts, collections that nobody writes any more, dead letters), waits for what only time removes,
 * and writes a certificate when one sweep over all places has found nothing.
 *
 *     asked --> sweep: warehouse, vectors, keyword, source, state, artifacts, dead letters
 *                 |  found something, or not every listing known yet: again after the interval
 *                 +--> nothing: certificate --> certified
 *                                                   |  an operator asks
 *                                                   +--> sweep
 *
 * Dead letters are also judged as they come: a letter about an erased listing goes at once, also
 * when a replay writes it again long after the certificate.
 *
 * Invariants of the task:
 *  1. one sweep is under way at a time, over one request; it survives no crash: the restarted
 * eraser begins it again;
 *  2. a certificate is written before its request counts as certified, so a crash between writes it
 *     again, under the same key and of the same content but for the moments;
 *  3. the offset of a letter is not saved before its tombstone is in.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/control.h"
#include "pipeline/erasure_requests.h"
#include "pipeline/partitioned.h"
#include "pipeline/record.h"
#include "pipeline/sentence.h"

enum {
    PURPOSE_ERASE = TASK_PURPOSE_OWN,
    PURPOSE_LETTERS_READ, /* of a sweep */
    PURPOSE_LETTERS_GONE, /* likewise: their tombstones */
    PURPOSE_CERTIFICATE,
    PURPOSE_TOMBSTONES, /* of letters as they come; argument: the source */
};
enum { TIMER_WAKE = TASK_TIMER_OWN };

/* Listings that one request to a store names. */
enum { SLICE = 512 };

/* What was sent to the embedding service before a checkpoint forgot it may be stored so much later.
 */
#define ARTIFACTS_UNDER_WAY_NS VTIME_MINUTE

/* Whom a sweep asks, in order; the letters come after them. */
static const enum erase_target targets[] = {ERASE_WAREHOUSE, ERASE_VECTORS, ERASE_KEYWORD,
                                            ERASE_SOURCE,    ERASE_STATE,   ERASE_ARTIFACTS};
enum { TARGETS = sizeof targets / sizeof *targets };

struct sweep {
    bool on;
    size_t request;
    size_t target; /* index in targets; TARGETS: the letters */
    size_t next;   /* subject */
    uint32_t partition;
    int64_t offset; /* of letters */
    struct erasure_look looks[ERASURE_PLACE_COUNT];
};

struct eraser_task {
    struct task task;
    struct erasure_requests requests;
    struct sweep sweep;
    vtime wake_at; /* for which the timer is armed */
};

/* ---- Sources: privacy, register and dead letters in all partitions, then the commands ---- */

static uint32_t partitions_of(const struct partitioned *eraser) {
    return eraser->machine.config->partitions;
}

static int task_init(struct partitioned *eraser, struct task *head) {
    static const enum topic_id topics[] = {TOPIC_PRIVACY, TOPIC_ERASED, TOPIC_DEAD_LETTER};
    struct eraser_task *task = (struct eraser_task *)head;
    uint32_t partitions = partitions_of(eraser);
    erasure_requests_init(&task->requests, partitions);
    task->wake_at = VTIME_NEVER;
    if (task_sources(head, 3 * (size_t)partitions + 1) != 0) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < 3 * (size_t)partitions; i++) {
        head->sources[i].topic = topics[i / partitions];
        head->sources[i].partition = (uint32_t)(i % partitions);
    }
    struct source *control = &head->sources[3 * (size_t)partitions];
    control->topic = TOPIC_CONTROL;
    control->partition = topic_partition(CONTROL_KEY, partitions);
    return 0;
}

static void task_release(struct task *head) {
    erasure_requests_release(&((struct eraser_task *)head)->requests);
}

/* ---- Letters ---- */

/* What the letter is about, in a topic that is keyed by listing. */
static bool letter_is_of_a_listing(const struct dead_letter *letter) {
    return letter->topic != TOPIC_POLICY && letter->topic != TOPIC_PRIVACY &&
           letter->topic != TOPIC_CONTROL;
}

/* What is later than the erasure begins a new life. A letter's bytes need not tell their time: of
 * those that do not, what was appended when the erasure was asked for, or by the allowed lateness
 * after it, may be from before it. */
static bool letter_is_covered(const struct partitioned *eraser, const struct dead_letter *letter,
                              struct stamp erased) {
    if (stamp_is_none(erased)) {
        return false;
    }
    struct record record;
    struct record_error error;
    if (record_decode_claimed(letter->value, &record, &error) == 0) {
        return stamp_compare(record.stamp, erased) <= 0;
    }
    return letter->append.ns <= erased.ts.ns + eraser->machine.config->allowed_lateness_ns;
}

/* Adds tombstones for the letters among the records that are to go: those of the request alone, or
 * (NULL) of every erased listing. Makes the produce when it is needed. */
static int letters_judge(struct partitioned *eraser, struct eraser_task *task,
                         const struct erasure_request *request, const struct event *event,
                         struct effect **produce, struct effects *effects) {
    for (size_t i = 0; i < event->records.count; i++) {
        const struct log_record *logged = &event->records.records[i];
        struct dead_letter letter;
        if (logged->value.len == 0 || dead_letter_decode(logged->value, &letter) != 0 ||
            !letter_is_of_a_listing(&letter)) {
            continue;
        }
        struct stamp erased = erasure_requests_stamp(&task->requests, letter.key);
        if (request != NULL) {
            erased = erasure_request_has(request, letter.key) ? request->stamp : STAMP_NONE;
        }
        if (!letter_is_covered(eraser, &letter, erased)) {
            continue;
        }
        if (*produce == NULL) {
            *produce = machine_request(&eraser->machine, effects, EFFECT_PRODUCE, 0);
            if (*produce == NULL) {
                return -ENOMEM;
            }
            (*produce)->produce.items = effect_alloc(
                effects, *produce, event->records.count * sizeof *(*produce)->produce.items);
            (*produce)->produce.results = effect_alloc(
                effects, *produce, event->records.count * sizeof *(*produce)->produce.results);
            if (effects->out_of_memory) {
                return -ENOMEM;
            }
        }
        (*produce)->produce.items[(*produce)->produce.count++] =
            (struct produce_item){TOPIC_DEAD_LETTER, logged->key, {NULL, 0}};
    }
    return 0;
}

static bool forgets_letters(const struct partitioned *eraser) {
    return bug_on(eraser->machine.bugs, BUG_ERASURE_FORGETS_LETTERS);
}

/* ---- Sweeps ---- */

static int sweep_go_on(struct partitioned *eraser, struct eraser_task *task, vtime now,
                       struct effects *effects);

static struct erasure_request *swept(struct eraser_task *task) {
    return &task->requests.items[task->sweep.request];
}

static int ask(struct partitioned *eraser, struct eraser_task *task, enum erase_target target,
               struct effects *effects) {
    const struct erasure_request *request = swept(task);
    size_t left = request->subject_count - task->sweep.next;
    size_t count = left < SLICE ? left : SLICE;
    struct effect *erase = machine_request(&eraser->machine, effects, EFFECT_ERASE, 0);
    if (erase == NULL) {
        return -ENOMEM;
    }
    bool old_models_too = !bug_on(eraser->machine.bugs, BUG_ERASURE_FORGETS_OLD_MODELS);
    erase->erase.target = target;
    erase->erase.model_version = old_models_too ? 0 : eraser->machine.config->model_version;
    erase->erase.subjects = effect_alloc(effects, erase, count * sizeof *erase->erase.subjects);
    erase->erase.count = count;
    erase->erase.artifacts_until = request->artifacts_until;
    if (erase->erase.subjects == NULL) {
        return -ENOMEM;
    }
    memcpy(erase->erase.subjects, request->subjects + task->sweep.next,
           count * sizeof *erase->erase.subjects);
    return task_expect(eraser, &task->task, erase, PURPOSE_ERASE, 0);
}

static int read_letters(struct partitioned *eraser, struct eraser_task *task,
                        struct effects *effects) {
    struct effect *fetch = machine_request(&eraser->machine, effects, EFFECT_FETCH, 0);
    if (fetch != NULL) {
        fetch->fetch.topic = TOPIC_DEAD_LETTER;
        fetch->fetch.partition = task->sweep.partition;
        fetch->fetch.offset = task->sweep.offset;
        fetch->fetch.max = eraser->machine.config->fetch_records_max;
        fetch->fetch.no_wait = true;
    }
    return task_expect(eraser, &task->task, fetch, PURPOSE_LETTERS_READ, 0);
}

static bool sweep_found_nothing(const struct sweep *sweep) {
    for (size_t i = 0; i < ERASURE_PLACE_COUNT; i++) {
        if (sweep->looks[i].found > 0) {
            return false;
        }
    }
    return true;
}

/* A listing that says that no artifact is left may be from before the last one was stored: it is
 * believed when it is so much younger. */
static bool artifacts_settled(const struct partitioned *eraser, struct eraser_task *task) {
    int64_t settle_ns = eraser->machine.config->artifacts_settle_ns;
    vtime until = swept(task)->artifacts_until;
    bool hasty = bug_on(eraser->machine.bugs, BUG_ERASURE_HASTY);
    return settle_ns < 0 || hasty || swept(task)->subject_count == 0 ||
           (until.ns != VTIME_NEVER.ns &&
            vtime_diff(task->sweep.looks[ERASED_IN_ARTIFACTS].at, until) >= settle_ns);
}

static int certify(struct partitioned *eraser, struct eraser_task *task, struct effects *effects) {
    const struct erasure_request *request = swept(task);
    char looks[ERASURE_LOOKS_BYTES];
    erasure_looks_encode(task->sweep.looks, looks);
    struct record record = {
        .type = RECORD_CERTIFICATE,
        .op = RECORD_UPSERT,
        .contract_version = RECORD_CONTRACT_VERSION,
        .stamp = request->stamp,
        .subject_id = request->id,
        .erasure_scope = request->scope,
        .erasure_id = request->id,
        .certificate_wave = request->wave,
        .certificate_looks = {looks, sizeof looks},
    };
    struct effect *produce = machine_request(&eraser->machine, effects, EFFECT_PRODUCE, 0);
    if (produce == NULL) {
        return -ENOMEM;
    }
    char *ids = effect_alloc(effects, produce, 8 * request->subject_count);
    if (ids == NULL && request->subject_count > 0) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < request->subject_count; i++) {
        wire_put(ids + 8 * i, request->subjects[i].listing_id, 8);
    }
    record.certificate_ids = (struct bytes){ids, 8 * request->subject_count};
    size_t room = record_encoded_bound(&record, NULL, 0);
    char *buffer = effect_alloc(effects, produce, room);
    produce->produce.items = effect_alloc(effects, produce, sizeof *produce->produce.items);
    produce->produce.results = effect_alloc(effects, produce, sizeof *produce->produce.results);
    if (effects->out_of_memory) {
        return -ENOMEM;
    }
    int64_t length = record_encode(&record, NULL, 0, buffer, room);
    assert(length > 0);
    produce->produce.items[produce->produce.count++] =
        (struct produce_item){TOPIC_CERTIFICATE, request->id, {buffer, (size_t)length}};
    return task_expect(eraser, &task->task, produce, PURPOSE_CERTIFICATE, 0);
}

/* ---- Overdue erasures ---- */

static enum alert_state overdue(const struct partitioned *eraser,
                                const struct erasure_request *request, vtime now) {
    int64_t age_ns = vtime_diff(now, request->asked);
    return request->certified                                   ? ALERT_CLEARED
           : age_ns >= eraser->machine.config->erasure_error_ns ? ALERT_ERROR
           : age_ns >= eraser->machine.config->erasure_warn_ns  ? ALERT_WARN
                                                                : ALERT_CLEARED;
}

static void alert_overdue(struct partitioned *eraser, struct erasure_request *request, vtime now,
                          struct effects *effects) {
    enum alert_state state = overdue(eraser, request, now);
    if (state == request->alert) {
        return;
    }
    request->alert = state;
    struct effect *alert = effects_add(effects, EFFECT_ALERT, 0, 0);
    if (alert == NULL) {
        return;
    }
    struct sentence evidence = sentence_begin();
    sentence_add(&evidence, "the erasure of ");
    sentence_add(&evidence, request->scope == ERASURE_SELLER ? "seller " : "listing ");
    sentence_add_number(&evidence, request->id);
    sentence_add(&evidence, ", asked for at ");
    sentence_add_time(&evidence, request->asked);
    sentence_add(&evidence, state == ALERT_CLEARED ? ", is certified" : ", is not certified yet");
    alert->alert.name = "erasure-overdue";
    alert->alert.subject = topic_name(TOPIC_PRIVACY);
    alert->alert.state = state;
    alert->alert.evidence = effect_copy(effects, alert, sentence_bytes(&evidence));
}

/* ---- What is next ---- */

static vtime earlier(vtime a, vtime b) {
    return vtime_before(b, a) ? b : a;
}

/* A sweep of the request has its turn as soon as no other is under way. */
static bool is_due(const struct eraser_task *task, const struct erasure_request *request,
                   vtime now) {
    return request->due.ns <= now.ns && erasure_request_complete(&task->requests, request);
}

/* When something will be to do for the request that nothing else leads to: a sweep later on, or its
 * next alert. */
static vtime wake_for(const struct partitioned *eraser, const struct eraser_task *task,
                      const struct erasure_request *request, vtime now) {
    bool later = request->due.ns > now.ns && erasure_request_complete(&task->requests, request);
    vtime at = later ? request->due : VTIME_NEVER;
    if (request->certified || request->alert == ALERT_ERROR) {
        return at;
    }
    const struct pipeline_config *config = eraser->machine.config;
    int64_t limit_ns =
        request->alert == ALERT_WARN ? config->erasure_error_ns : config->erasure_warn_ns;
    return earlier(at, vtime_add(request->asked, limit_ns));
}

/* Begins the sweep that is due first, if one is and none is under way; arms the timer for what
 * comes later. */
static int look_ahead(struct partitioned *eraser, struct eraser_task *task, vtime now,
                      struct effects *effects) {
    vtime wake_at = VTIME_NEVER;
    size_t first = SIZE_MAX;
    for (size_t i = 0; i < task->requests.count; i++) {
        struct erasure_request *request = &task->requests.items[i];
        alert_overdue(eraser, request, now, effects);
        if (is_due(task, request, now) &&
            (first == SIZE_MAX || vtime_before(request->due, task->requests.items[first].due))) {
            first = i;
        }
        wake_at = earlier(wake_at, wake_for(eraser, task, request, now));
    }
    if (vtime_before(wake_at, task->wake_at)) {
        task->wake_at = wake_at;
        task_timer(effects, &task->task, TIMER_WAKE, wake_at);
    }
    if (task->sweep.on || first == SIZE_MAX) {
        return 0;
    }
    struct erasure_request *request = &task->requests.items[first];
    request->due = VTIME_NEVER;
    request->dirty = request->dirty || !request->closed;
    request->closed = true;
    task_changed(eraser, &task->task, now, effects);
    task->sweep = (struct sweep){.on = true, .request = first};
    for (size_t i = 0; i < ERASURE_PLACE_COUNT; i++) {
        task->sweep.looks[i].at = now;
    }
    machine_count(&eraser->machine, COUNTER_ERASURE_SWEEPS, 1);
    return sweep_go_on(eraser, task, now, effects);
}

/* The sweep is over; `nothing` was found in it. */
static int sweep_end(struct partitioned *eraser, struct eraser_task *task, bool nothing, vtime now,
                     struct effects *effects) {
    struct erasure_request *request = swept(task);
    if (request->artifacts_until.ns == VTIME_NEVER.ns &&
        task->sweep.looks[ERASED_IN_STATE].found == 0) {
        request->artifacts_until = vtime_add(now, ARTIFACTS_UNDER_WAY_NS);
        request->dirty = true;
        task_changed(eraser, &task->task, now, effects);
    }
    task->sweep.on = false;
    if (request->wanted || nothing != request->certified) {
        bool news = nothing && !request->certified;
        request->certified = nothing;
        request->wanted = false;
        request->dirty = true;
        machine_count(&eraser->machine, COUNTER_ERASURES_CERTIFIED, news);
        task_changed(eraser, &task->task, now, effects);
    }
    if (!nothing) {
        request->due =
            earlier(request->due, vtime_add(now, eraser->machine.config->erasure_sweep_ns));
    }
    return look_ahead(eraser, task, now, effects);
}

static bool forgets(const struct partitioned *eraser, enum erase_target target) {
    return (target == ERASE_STATE && bug_on(eraser->machine.bugs, BUG_ERASURE_FORGETS_STATE)) ||
           (target == ERASE_ARTIFACTS &&
            bug_on(eraser->machine.bugs, BUG_ERASURE_FORGETS_ARTIFACTS));
}

/* The next step of the sweep. */
static int sweep_go_on(struct partitioned *eraser, struct eraser_task *task, vtime now,
                       struct effects *effects) {
    struct sweep *sweep = &task->sweep;
    while (sweep->target < TARGETS) {
        enum erase_target target = targets[sweep->target];
        if (sweep->next < swept(task)->subject_count && !forgets(eraser, target)) {
            return ask(eraser, task, target, effects);
        }
        sweep->target++;
        sweep->next = 0;
        sweep->offset = FETCH_OLDEST;
    }
    sweep->looks[ERASED_IN_DEAD_LETTERS].examined = sweep->partition;
    if (sweep->partition < partitions_of(eraser) && !forgets_letters(eraser)) {
        return read_letters(eraser, task, effects);
    }
    bool nothing = sweep_found_nothing(sweep) && artifacts_settled(eraser, task);
    bool certifies = nothing && !swept(task)->certified;
    return certifies ? certify(eraser, task, effects)
                     : sweep_end(eraser, task, nothing, now, effects);
}

/* ---- Answers ---- */

/* Artifacts that were told to go count as gone. */
static bool deletes_believed(const struct partitioned *eraser,
                             const struct erasure_request *request) {
    return bug_on(eraser->machine.bugs, BUG_ERASURE_BELIEVES_DELETES) &&
           request->artifacts_until.ns != VTIME_NEVER.ns;
}

static int erase_answered(struct partitioned *eraser, struct eraser_task *task,
                          const struct event *event, struct effects *effects) {
    const struct effect *erase = event->answered;
    struct erasure_request *request = swept(task);
    for (size_t i = 0; i < ERASURE_PLACE_COUNT; i++) {
        const struct erasure_look *look = &erase->erase.looks[i];
        if (look->examined > 0) {
            task->sweep.looks[i].examined += look->examined;
            task->sweep.looks[i].found += look->found;
            task->sweep.looks[i].at = look->at;
        }
    }
    if (bug_on(eraser->machine.bugs, BUG_ERASURE_FORGETS_TIME_TRAVEL)) {
        task->sweep.looks[ERASED_IN_TIME_TRAVEL].found = 0;
        task->sweep.looks[ERASED_IN_FAIL_SAFE].found = 0;
    }
    if (erase->erase.target == ERASE_ARTIFACTS && deletes_believed(eraser, request)) {
        task->sweep.looks[ERASED_IN_ARTIFACTS].found = 0;
    }
    if (bug_on(eraser->machine.bugs, BUG_ERASURE_BELIEVES_VECTORS)) {
        task->sweep.looks[ERASED_IN_VECTORS].found = 0;
    }
    if (erase->erase.target == ERASE_WAREHOUSE) {
        memcpy(request->subjects + task->sweep.next, erase->erase.subjects,
               erase->erase.count * sizeof *request->subjects);
    }
    task->sweep.next += erase->erase.count;
    return sweep_go_on(eraser, task, event->now, effects);
}

/* Letters of a sweep: those that are to go are counted, and go. */
static int letters_answered(struct partitioned *eraser, struct eraser_task *task,
                            const struct event *event, struct effects *effects) {
    struct sweep *sweep = &task->sweep;
    struct effect *produce = NULL;
    sweep->looks[ERASED_IN_DEAD_LETTERS].at = event->now;
    if (event->records.count == 0) {
        sweep->partition++;
        sweep->offset = FETCH_OLDEST;
        return sweep_go_on(eraser, task, event->now, effects);
    }
    sweep->offset = event->records.records[event->records.count - 1].offset + 1;
    if (letters_judge(eraser, task, swept(task), event, &produce, effects) != 0) {
        return -ENOMEM;
    }
    if (produce == NULL) {
        return sweep_go_on(eraser, task, event->now, effects);
    }
    sweep->looks[ERASED_IN_DEAD_LETTERS].found += produce->produce.count;
    return task_expect(eraser, &task->task, produce, PURPOSE_LETTERS_GONE, 0);
}

/* Everything read of the source is dealt with. */
static int source_done(struct partitioned *eraser, struct eraser_task *task, size_t index,
                       vtime now, struct effects *effects) {
    struct source *source = &task->task.sources[index];
    source->safe = source->next;
    task_changed(eraser, &task->task, now, effects);
    return task_fetch(eraser, &task->task, index, false, effects);
}

static int task_answered(struct partitioned *eraser, struct task *head, uint32_t purpose,
                         uint32_t argument, const struct event *event, struct effects *effects,
                         bool *again) {
    (void)again;
    struct eraser_task *task = (struct eraser_task *)head;
    switch (purpose) {
    case PURPOSE_ERASE:
        return erase_answered(eraser, task, event, effects);
    case PURPOSE_LETTERS_READ:
        return letters_answered(eraser, task, event, effects);
    case PURPOSE_LETTERS_GONE:
        return sweep_go_on(eraser, task, event->now, effects);
    case PURPOSE_CERTIFICATE:
        return sweep_end(eraser, task, true, event->now, effects);
    default:
        assert(purpose == PURPOSE_TOMBSTONES);
        return source_done(eraser, task, argument, event->now, effects);
    }
}

/* The letters' topic forgot where the sweep was: it reads on from what is kept. */
static int task_refused(struct partitioned *eraser, struct task *head, uint32_t purpose,
                        uint32_t argument, const struct event *event, struct effects *effects,
                        bool *again) {
    (void)argument;
    struct eraser_task *task = (struct eraser_task *)head;
    if (purpose != PURPOSE_LETTERS_READ || event->error != PORT_OUT_OF_RANGE) {
        return 0;
    }
    *again = false;
    task->sweep.offset = FETCH_OLDEST;
    return read_letters(eraser, task, effects);
}

/* ---- Records ---- */

static void sweep_soon(struct erasure_request *request, vtime now) {
    request->due = earlier(request->due, now);
}

/* A listing is swept at once, of a seller as soon as its request is complete. */
static int take_listing(struct eraser_task *task, const struct erasure_request *request,
                        uint64_t listing_id, vtime now) {
    size_t wave;
    if (erasure_request_add(&task->requests, request, listing_id, now, &wave) != 0) {
        return -ENOMEM;
    }
    if (wave != SIZE_MAX) {
        sweep_soon(&task->requests.items[wave], now);
    }
    return 0;
}

static int take_privacy(struct eraser_task *task, const struct record *record,
                        const struct log_record *logged, vtime now) {
    struct erasure_request *request = erasure_request_of(
        &task->requests, record->erasure_scope, record->erasure_id, record->stamp, logged->append);
    if (request == NULL) {
        return -ENOMEM;
    }
    if (record->erasure_scope == ERASURE_SELLER) {
        return 0; /* routers say whom that is about */
    }
    return take_listing(task, request, record->erasure_id, now);
}

static int take_registered(struct partitioned *eraser, struct eraser_task *task,
                           const struct record *record, const struct log_record *logged,
                           vtime now) {
    vtime asked = record->sections & SECTION_ORIGIN ? record->origin.append : logged->append;
    struct erasure_request *request = erasure_request_of(&task->requests, record->erasure_scope,
                                                         record->erasure_id, record->stamp, asked);
    if (request == NULL) {
        return -ENOMEM;
    }
    if (record->erasure_part > partitions_of(eraser)) {
        return 0; /* by a router of another number of partitions: nothing to count by */
    }
    if (record->erasure_part == 0) {
        return take_listing(task, request, record->subject_id, now);
    }
    erasure_request_part(request, record->erasure_part - 1);
    if (!request->certified && erasure_request_complete(&task->requests, request)) {
        sweep_soon(request, now);
    }
    return 0;
}

/* An operator wants requests of a range looked at again. */
static void take_command(struct eraser_task *task, const struct record *record, vtime now) {
    const struct control *control = &record->control;
    for (size_t i = 0; control->kind == CONTROL_SWEEP && i < task->requests.count; i++) {
        struct erasure_request *request = &task->requests.items[i];
        bool meant = control->to.ns == 0 ||
                     (request->asked.ns >= control->from.ns && request->asked.ns < control->to.ns);
        if (meant) {
            request->wanted = request->dirty = true;
            sweep_soon(request, now);
        }
    }
}

static int take(struct partitioned *eraser, struct eraser_task *task, enum topic_id topic,
                const struct log_record *logged, vtime now) {
    struct record record;
    struct record_error error;
    if (record_of_topic(topic, logged->value, &record, &error) != 0) {
        return 0; /* the router has written its dead letter */
    }
    switch (topic) {
    case TOPIC_PRIVACY:
        return take_privacy(task, &record, logged, now);
    case TOPIC_ERASED:
        return take_registered(eraser, task, &record, logged, now);
    default:
        take_command(task, &record, now);
        return 0;
    }
}

static int records(struct partitioned *eraser, struct task *head, size_t index,
                   const struct event *event, struct effects *effects) {
    struct eraser_task *task = (struct eraser_task *)head;
    struct source *source = &head->sources[index];
    source->next = event->records.records[event->records.count - 1].offset + 1;
    machine_count(&eraser->machine, COUNTER_RECORDS_READ, event->records.count);
    if (source->topic == TOPIC_DEAD_LETTER) {
        struct effect *tombstones = NULL;
        if (!forgets_letters(eraser) &&
            letters_judge(eraser, task, NULL, event, &tombstones, effects) != 0) {
            return -ENOMEM;
        }
        return tombstones == NULL
                   ? source_done(eraser, task, index, event->now, effects)
                   : task_expect(eraser, head, tombstones, PURPOSE_TOMBSTONES, (uint32_t)index);
    }
    for (size_t i = 0; i < event->records.count; i++) {
        if (take(eraser, task, source->topic, &event->records.records[i], event->now) != 0) {
            return -ENOMEM;
        }
    }
    if (source_done(eraser, task, index, event->now, effects) != 0) {
        return -ENOMEM;
    }
    return look_ahead(eraser, task, event->now, effects);
}

/* ---- Life of the task ---- */

static int save_entries(struct partitioned *eraser, struct task *head, struct effect *save,
                        struct effects *effects) {
    (void)eraser;
    struct eraser_task *task = (struct eraser_task *)head;
    size_t count = 0;
    for (size_t i = 0; i < task->requests.count; i++) {
        count += task->requests.items[i].dirty;
    }
    struct state_entry *entry = effect_alloc(effects, save, count * sizeof *entry);
    if (entry == NULL && count > 0) {
        return -ENOMEM;
    }
    save->save_state.entries = entry;
    save->save_state.count = count;
    for (size_t i = 0; i < task->requests.count; i++) {
        struct erasure_request *request = &task->requests.items[i];
        if (!request->dirty) {
            continue;
        }
        size_t size = erasure_request_size(&task->requests, request);
        char *value = effect_alloc(effects, save, size);
        if (value == NULL) {
            return -ENOMEM;
        }
        erasure_request_encode(&task->requests, request, value);
        *entry++ = (struct state_entry){i, {value, size}};
        request->dirty = false;
    }
    return 0;
}

static int restore_entry(struct partitioned *eraser, struct task *head, uint64_t key,
                         struct bytes value) {
    (void)eraser;
    struct eraser_task *task = (struct eraser_task *)head;
    struct wire_reader reader = wire_reader_of(value);
    if (key != task->requests.count) {
        return -EINVAL; /* an entry before it is missing */
    }
    return erasure_request_decode(&task->requests, &reader);
}

static int task_begin(struct partitioned *eraser, struct task *head, const struct event *event,
                      struct effects *effects) {
    struct eraser_task *task = (struct eraser_task *)head;
    for (size_t i = 0; i < head->source_count; i++) {
        if (task_fetch(eraser, head, i, false, effects) != 0) {
            return -ENOMEM;
        }
    }
    for (size_t i = 0; i < task->requests.count; i++) {
        struct erasure_request *request = &task->requests.items[i];
        if (!request->certified || request->wanted) {
            request->due = event->now;
        }
    }
    return look_ahead(eraser, task, event->now, effects);
}

static int task_timer_due(struct partitioned *eraser, struct task *head, uint32_t id, vtime now,
                          struct effects *effects) {
    assert(id == TIMER_WAKE);
    struct eraser_task *task = (struct eraser_task *)head;
    if (task->wake_at.ns <= now.ns) {
        task->wake_at = VTIME_NEVER;
    }
    return look_ahead(eraser, task, now, effects);
}

struct machine *eraser_new(void) {
    static const struct task_ops ops = {
        .task_size = sizeof(struct eraser_task),
        .init = task_init,
        .release = task_release,
        .restore_entry = restore_entry,
        .begin = task_begin,
        .records = records,
        .answered = task_answered,
        .refused = task_refused,
        .save_entries = save_entries,
        .timer = task_timer_due,
    };
    return partitioned_new(sizeof(struct partitioned), &ops);
}
