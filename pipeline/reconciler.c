/*
 * The reconciler: compares every store with the source of truth over ranges of listing ids, splits
 * only ranges that differ, names each difference by class, repairs as little as it must, and looks
 * again (DESIGN section 3; the method of data-diff: count and checksum, then recurse).
 *
 *     idle --command or interval--> pass: aliases? [ digest a range
 *                                            -> equal: drop it
 *                                            -> large: split it
 *                                            -> small: read its rows, classify ]
 *     pass --nothing differs--> report, idle
 *     pass --differences--> report, repair, wait until repairs settled --> next pass
 *
 * Truth is OLTP for what the seller said and whether the seller is suppressed; gold, once it agrees
 * with OLTP, says what serving rows must look like. Repairs go where the loss happened: a change
 * that the log never had is published again from OLTP; a row that its store lost or spoiled is
 * written again by the builder. A row of a listing that gold never heard of is published too, as
 * the deletion that it is: the builder has no document that could overrule the row.
 *
 * Of vectors it compares what readers see: every pass begins by asking where the aliases point. One
 * whose collections are dropped under it, since readers were led elsewhere, begins again a little
 * later (A10).
 *
 * A command that comes while a reconciliation runs is dropped: the running one answers it.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/array.h"
#include "pipeline/machine_parts.h"

enum {
    LEAF_ROWS = 256,   /* ranges with no more rows in any store are read row by row */
    LEAF_ROOM = 1024,  /* rows asked of a store for a leaf, repeated ones included */
    SEGMENTS = 16,     /* parts that a larger range that differs is split into */
    SAMPLES_MAX = 64,  /* differences that a report shows one by one */
    REPAIR_PASSES = 2, /* with what rows are still wrong after them is published once more */
    TIMER_INTERVAL = 1,
    TIMER_SETTLED = 2,
    TIMER_AGAIN = 3,
};

/* A store read by one path. */
struct reading {
    enum scan_store store;
    enum scan_path path;
};
static const struct reading readings[] = {
    {SCAN_OLTP, SCAN_BY_SCAN},           {SCAN_GOLD, SCAN_BY_SCAN},
    {SCAN_VECTOR_TEXT, SCAN_BY_SCAN},    {SCAN_VECTOR_TEXT, SCAN_BY_SEARCH},
    {SCAN_VECTOR_TEXT, SCAN_BY_ID},      {SCAN_VECTOR_IMAGE, SCAN_BY_SCAN},
    {SCAN_VECTOR_IMAGE, SCAN_BY_SEARCH}, {SCAN_VECTOR_IMAGE, SCAN_BY_ID},
    {SCAN_VECTOR_FUSED, SCAN_BY_SCAN},   {SCAN_VECTOR_FUSED, SCAN_BY_SEARCH},
    {SCAN_VECTOR_FUSED, SCAN_BY_ID},     {SCAN_KEYWORD, SCAN_BY_SCAN},
    {SCAN_KEYWORD, SCAN_BY_SEARCH},      {SCAN_KEYWORD, SCAN_BY_ID},
};
enum { READINGS = sizeof readings / sizeof *readings };
/* Purposes of requests: below READINGS the reading that a scan is for. */
enum { PURPOSE_REPUBLISH = READINGS, PURPOSE_TARGETS };

struct range {
    uint64_t first, last;
};

struct ids {
    uint64_t *items;
    size_t count, capacity;
};

struct reconciler {
    struct machine machine;
    struct pending_requests pending;
    bool running;
    uint32_t run;
    uint32_t pass;
    vtime cutoff;
    uint32_t models[MODALITY_COUNT]; /* that the aliases point to */
    bool collection_lost;            /* one of them is not there */
    struct range *ranges;            /* a stack of what is still to be compared */
    size_t range_count, range_capacity;
    struct range range; /* under comparison */
    bool leaf;
    struct scan_digest digests[READINGS];
    struct scan_row *rows[READINGS]; /* of a leaf */
    size_t row_counts[READINGS];
    bool complete;
    size_t answers_due;
    struct ids republish;
    struct ids repair[SCAN_STORE_COUNT];
    struct reconciliation_report report;
    struct drift samples[SAMPLES_MAX];
};

/* ---- Asking ---- */

static bool is_vector_store(enum scan_store store) {
    return store >= SCAN_VECTOR_TEXT && store <= SCAN_VECTOR_FUSED;
}

/* The model version that a store's rows are made by; elsewhere 0. */
static uint32_t store_model(const struct reconciler *self, enum scan_store store) {
    return is_vector_store(store) ? self->models[store - SCAN_VECTOR_TEXT] : 0;
}

static int ask(struct reconciler *self, size_t i, uint32_t max, struct effects *effects) {
    struct effect *scan = machine_request(&self->machine, effects, EFFECT_SCAN, 0);
    if (scan == NULL || pending_add(&self->pending, scan->request, 0, (uint32_t)i) != 0) {
        return -ENOMEM;
    }
    scan->scan.store = readings[i].store;
    bool unread = bug_on(self->machine.bugs, BUG_SEARCHES_UNREAD);
    scan->scan.path = unread ? SCAN_BY_SCAN : readings[i].path;
    scan->scan.model_version = store_model(self, readings[i].store);
    scan->scan.first = self->range.first;
    scan->scan.last = self->range.last;
    scan->scan.max = max;
    if (max > 0) {
        scan->scan.rows = effect_alloc(effects, scan, max * sizeof *scan->scan.rows);
        if (scan->scan.rows == NULL) {
            return -ENOMEM;
        }
    }
    self->answers_due++;
    return 0;
}

static int ask_all(struct reconciler *self, struct effects *effects) {
    self->report.ranges_compared++;
    self->complete = true;
    for (size_t i = 0; i < READINGS; i++) {
        /* Point lookups need ids: only a leaf has few enough of them. */
        if (!self->leaf && readings[i].path == SCAN_BY_ID) {
            continue;
        }
        if (ask(self, i, self->leaf ? LEAF_ROOM : 0, effects) != 0) {
            return -ENOMEM;
        }
    }
    return 0;
}

static int push_range(struct reconciler *self, uint64_t first, uint64_t last) {
    if (ARRAY_RESERVE(self->ranges, self->range_capacity, self->range_count + 1) != 0) {
        return -ENOMEM;
    }
    self->ranges[self->range_count++] = (struct range){first, last};
    return 0;
}

/* ---- Comparing digests ---- */

static enum scan_view store_view(enum scan_store store) {
    return store == SCAN_VECTOR_IMAGE   ? VIEW_IMAGE
           : store == SCAN_VECTOR_FUSED ? VIEW_FUSED
                                        : VIEW_TEXT;
}

/* A row of another model is otherwise like any other: the digest tells which models there are. */
static bool model_right(const struct reconciler *self, enum scan_store store,
                        const struct scan_digest *digest) {
    uint32_t model = store_model(self, store);
    return !is_vector_store(store) || digest->rows_total == 0 ||
           (digest->model_least == model && digest->model_greatest == model);
}

static bool digests_agree(const struct reconciler *self) {
    const struct scan_digest *oltp = &self->digests[0];
    const struct scan_digest *gold = &self->digests[1];
    for (int view = VIEW_ALIVE; view <= VIEW_SERVED; view++) {
        if (oltp->rows[view] != gold->rows[view] ||
            oltp->source_sum[view] != gold->source_sum[view]) {
            return false;
        }
    }
    for (size_t i = 2; i < READINGS; i++) {
        enum scan_view view = store_view(readings[i].store);
        const struct scan_digest *sink = &self->digests[i];
        if (readings[i].path == SCAN_BY_ID) {
            continue;
        }
        if (sink->rows[view] != gold->rows[view] ||
            sink->whole_sum[view] != gold->whole_sum[view] ||
            !model_right(self, readings[i].store, sink)) {
            return false;
        }
    }
    return true;
}

/* The ids that any store has in the range; false when there is none. */
static bool ids_present(const struct reconciler *self, struct range *out, uint64_t *rows_max) {
    bool any = false;
    *rows_max = 0;
    for (size_t i = 0; i < READINGS; i++) {
        const struct scan_digest *digest = &self->digests[i];
        if (digest->rows_total == 0) {
            continue;
        }
        if (!any || digest->id_first < out->first) {
            out->first = digest->id_first;
        }
        if (!any || digest->id_last > out->last) {
            out->last = digest->id_last;
        }
        if (digest->rows_total > *rows_max) {
            *rows_max = digest->rows_total;
        }
        any = true;
    }
    return any;
}

static int split(struct reconciler *self, struct range range) {
    uint64_t width = (range.last - range.first) / SEGMENTS + 1;
    /* The stack is last in, first out: pushing from the end keeps ids ascending. */
    for (int i = SEGMENTS - 1; i >= 0; i--) {
        uint64_t first = range.first + width * (uint64_t)i;
        if (first < range.first || first > range.last) {
            continue;
        }
        uint64_t last = range.last - first < width ? range.last : first + width - 1;
        if (push_range(self, first, last) != 0) {
            return -ENOMEM;
        }
    }
    return 0;
}

/* ---- Classifying a leaf ---- */

/* What the stores say of one listing. */
struct view {
    uint64_t listing_id;
    const struct scan_row *oltp; /* NULL: absent */
    const struct scan_row *gold;
    const struct scan_row *row[SCAN_STORE_COUNT]; /* by any path */
    bool duplicate[SCAN_STORE_COUNT];
    bool divided[SCAN_STORE_COUNT]; /* paths disagree about it */
};

static int drift_found(struct reconciler *self, const struct view *view, enum scan_store store,
                       enum drift_class class) {
    struct reconciliation_report *report = &self->report;
    report->counts[store][class]++;
    if (class != DRIFT_IN_FLIGHT && report->sample_count < SAMPLES_MAX) {
        const struct scan_row *row = view->row[store];
        self->samples[report->sample_count++] = (struct drift){
            .store = store,
            .class = class,
            .listing_id = view->listing_id,
            .expected_version = view->gold == NULL ? DOC_VERSION_NONE : view->gold->version,
            .observed_version = row == NULL ? DOC_VERSION_NONE : row->version,
        };
    }
    return 0;
}

static int ids_add(struct ids *ids, uint64_t id) {
    if (ids->count > 0 && ids->items[ids->count - 1] == id) {
        return 0;
    }
    if (ARRAY_RESERVE(ids->items, ids->capacity, ids->count + 1) != 0) {
        return -ENOMEM;
    }
    ids->items[ids->count++] = id;
    return 0;
}

static bool should_be_served(const struct view *view) {
    return view->oltp != NULL && view->oltp->alive && !view->oltp->suppressed;
}

/* True when gold says what OLTP says: then what a serving row lacks is the serving store's loss. */
static bool gold_right(const struct view *view) {
    bool alive = view->oltp != NULL && view->oltp->alive;
    bool gold_alive = view->gold != NULL && view->gold->alive;
    if (alive != gold_alive) {
        return false;
    }
    return !alive || (view->gold->source_hash == view->oltp->source_hash &&
                      view->gold->suppressed == view->oltp->suppressed);
}

/* The class of gold's difference from OLTP, or DRIFT_CLASS_COUNT when it is right. */
static enum drift_class classify_gold(const struct view *view) {
    if (gold_right(view)) {
        return DRIFT_CLASS_COUNT;
    }
    if (view->oltp == NULL || !view->oltp->alive) {
        return DRIFT_ORPHAN;
    }
    return view->gold == NULL ? DRIFT_MISSING : DRIFT_STALE;
}

static enum drift_class classify_sink(const struct reconciler *self, const struct view *view,
                                      enum scan_store store) {
    const struct scan_row *row = view->row[store];
    bool wanted = should_be_served(view);
    if (wanted && gold_right(view)) {
        wanted = (view->gold->modalities >> (store_view(store) - VIEW_TEXT) & 1) != 0;
    } else if (wanted) {
        wanted = row != NULL; /* which modalities it should have is not known yet */
    }
    if (row == NULL) {
        return wanted ? DRIFT_MISSING : DRIFT_CLASS_COUNT;
    }
    if (!wanted) {
        if (view->oltp != NULL && view->oltp->alive && view->oltp->suppressed) {
            return DRIFT_SUPPRESSED_SERVED;
        }
        return view->gold != NULL && !view->gold->alive ? DRIFT_RESURRECTED : DRIFT_ORPHAN;
    }
    if (view->duplicate[store]) {
        return DRIFT_DUPLICATE;
    }
    if (is_vector_store(store) && row->model_version != store_model(self, store)) {
        return DRIFT_WRONG_MODEL;
    }
    if (view->divided[store]) {
        return DRIFT_MISMATCH;
    }
    if (!gold_right(view)) {
        return row->source_hash == view->oltp->source_hash ? DRIFT_CLASS_COUNT : DRIFT_STALE;
    }
    if (row->version != view->gold->version) {
        return DRIFT_STALE;
    }
    if (bug_on(self->machine.bugs, BUG_VERSIONS_BELIEVED)) {
        return DRIFT_CLASS_COUNT;
    }
    bool same = row->whole_hash == view->gold->whole_hash && !row->suppressed;
    return same ? DRIFT_CLASS_COUNT : DRIFT_MISMATCH;
}

static bool in_flight(const struct reconciler *self, const struct view *view) {
    if (bug_on(self->machine.bugs, BUG_CUTOFF_IGNORED)) {
        return false;
    }
    return (view->oltp != NULL && vtime_before(self->cutoff, view->oltp->changed_at)) ||
           (view->gold != NULL && vtime_before(self->cutoff, view->gold->changed_at));
}

static int classify(struct reconciler *self, const struct view *view) {
    self->report.rows_compared++;
    bool young = in_flight(self, view);
    bool right = gold_right(view);
    for (int s = SCAN_GOLD; s < SCAN_STORE_COUNT; s++) {
        enum scan_store store = (enum scan_store)s;
        enum drift_class class =
            store == SCAN_GOLD ? classify_gold(view) : classify_sink(self, view, store);
        if (class == DRIFT_CLASS_COUNT) {
            continue;
        }
        /* Two rows of one key are no change on its way, however young the listing is. */
        if (young && class != DRIFT_DUPLICATE) {
            drift_found(self, view, store, DRIFT_IN_FLIGHT);
            continue;
        }
        drift_found(self, view, store, class);
        if (class == DRIFT_RESURRECTED && bug_on(self->machine.bugs, BUG_RESURRECTED_LEFT)) {
            continue;
        }
        bool helps = right && view->gold != NULL && self->pass < REPAIR_PASSES;
        struct ids *repair = helps ? &self->repair[store] : &self->republish;
        if (ids_add(repair, view->listing_id) != 0) {
            return -ENOMEM;
        }
    }
    return 0;
}

/* The rows of the listing in a reading from its cursor on; moves the cursor behind them. */
static const struct scan_row *rows_of(const struct reconciler *self, size_t i, size_t *cursor,
                                      uint64_t id, size_t *count) {
    const struct scan_row *first = NULL;
    *count = 0;
    while (*cursor < self->row_counts[i] && self->rows[i][*cursor].listing_id == id) {
        first = first == NULL ? &self->rows[i][*cursor] : first;
        (*cursor)++;
        (*count)++;
    }
    return first;
}

static void view_add(struct view *view, enum scan_store store, const struct scan_row *row,
                     size_t count, bool first_path) {
    const struct scan_row *known = view->row[store];
    if (!first_path && (known == NULL) != (row == NULL)) {
        view->divided[store] = true;
    } else if (known != NULL && row != NULL &&
               (known->version != row->version || known->whole_hash != row->whole_hash)) {
        view->divided[store] = true;
    }
    view->duplicate[store] = view->duplicate[store] || count > 1;
    if (known == NULL) {
        view->row[store] = row;
    }
}

static int classify_leaf(struct reconciler *self) {
    size_t cursors[READINGS] = {0};
    for (;;) {
        struct view view = {.listing_id = UINT64_MAX};
        bool any = false;
        for (size_t i = 0; i < READINGS; i++) {
            if (cursors[i] < self->row_counts[i]) {
                uint64_t id = self->rows[i][cursors[i]].listing_id;
                view.listing_id = !any || id < view.listing_id ? id : view.listing_id;
                any = true;
            }
        }
        if (!any) {
            return 0;
        }
        for (size_t i = 0; i < READINGS; i++) {
            size_t count;
            const struct scan_row *row = rows_of(self, i, &cursors[i], view.listing_id, &count);
            enum scan_store store = readings[i].store;
            view_add(&view, store, row, count, readings[i].path == SCAN_BY_SCAN);
        }
        bool unread = bug_on(self->machine.bugs, BUG_SOURCE_UNREAD);
        view.oltp = view.row[unread ? SCAN_GOLD : SCAN_OLTP];
        view.gold = view.row[SCAN_GOLD];
        if (classify(self, &view) != 0) {
            return -ENOMEM;
        }
    }
}

/* ---- Passes ---- */

static uint64_t drift_total(const struct reconciliation_report *report) {
    uint64_t total = 0;
    for (int s = 0; s < SCAN_STORE_COUNT; s++) {
        for (int c = 0; c < DRIFT_IN_FLIGHT; c++) {
            total += report->counts[s][c];
        }
    }
    return total;
}

static int next_range(struct reconciler *self, struct effects *effects);

static int pass_begin(struct reconciler *self, vtime now, struct effects *effects) {
    memset(&self->report, 0, sizeof self->report);
    self->report.run = self->run;
    self->report.pass = self->pass;
    self->cutoff = vtime_add(now, -self->machine.config->reconcile_cutoff_ns);
    self->report.cutoff = self->cutoff;
    self->republish.count = 0;
    for (int s = 0; s < SCAN_STORE_COUNT; s++) {
        self->repair[s].count = 0;
    }
    self->range_count = 0;
    self->collection_lost = false;
    struct effect *targets = machine_request(&self->machine, effects, EFFECT_VECTOR_ADMIN, 0);
    if (targets == NULL || push_range(self, 0, UINT64_MAX) != 0 ||
        pending_add(&self->pending, targets->request, 0, PURPOSE_TARGETS) != 0) {
        return -ENOMEM;
    }
    targets->admin.what.kind = VECTOR_TARGETS;
    return 0;
}

static int send_ids(struct reconciler *self, enum effect_kind kind, enum scan_store store,
                    const struct ids *ids, struct effects *effects) {
    if (ids->count == 0) {
        return 0;
    }
    struct effect *effect = kind == EFFECT_REPUBLISH
                                ? machine_request(&self->machine, effects, kind, 0)
                                : effects_add(effects, kind, 0, 0);
    if (effect == NULL) {
        return -ENOMEM;
    }
    size_t size = ids->count * sizeof *ids->items;
    effect->listings.listing_ids = effect_alloc(effects, effect, size);
    if (effect->listings.listing_ids == NULL) {
        return -ENOMEM;
    }
    memcpy(effect->listings.listing_ids, ids->items, size);
    effect->listings.count = ids->count;
    effect->listings.store = store;
    effect->listings.model_version = store_model(self, store);
    self->report.repairs_sent += ids->count;
    return kind == EFFECT_REPUBLISH
               ? pending_add(&self->pending, effect->request, 0, PURPOSE_REPUBLISH)
               : 0;
}

static int report(struct reconciler *self, struct effects *effects) {
    struct effect *report = effects_add(effects, EFFECT_REPORT, 0, 0);
    if (report == NULL) {
        return -ENOMEM;
    }
    report->report = self->report;
    size_t size = self->report.sample_count * sizeof *self->samples;
    report->report.samples = (const struct drift *)(const void *)effect_copy(
                                 effects, report, (struct bytes){(char *)self->samples, size})
                                 .data;
    return effects->out_of_memory ? -ENOMEM : 0;
}

static int pass_end(struct reconciler *self, vtime now, struct effects *effects) {
    bool differs = drift_total(&self->report) > 0;
    bool last = self->pass + 1 >= self->machine.config->reconcile_passes_max;
    bool repairs = differs && !last && !self->machine.config->reconcile_repair_off;
    if (repairs) {
        if (send_ids(self, EFFECT_REPUBLISH, SCAN_OLTP, &self->republish, effects) != 0) {
            return -ENOMEM;
        }
        for (int s = SCAN_VECTOR_TEXT; s < SCAN_STORE_COUNT; s++) {
            if (send_ids(self, EFFECT_REPAIR, (enum scan_store)s, &self->repair[s], effects) != 0) {
                return -ENOMEM;
            }
        }
        machine_timer(effects, TIMER_SETTLED,
                      vtime_add(now, self->machine.config->reconcile_settle_ns));
    }
    self->running = repairs;
    return report(self, effects);
}

static int next_range(struct reconciler *self, struct effects *effects) {
    assert(self->range_count > 0);
    self->range = self->ranges[--self->range_count];
    self->leaf = false;
    memset(self->digests, 0, sizeof self->digests);
    return ask_all(self, effects);
}

/* Every store answered for the range. */
static int range_compared(struct reconciler *self, vtime now, struct effects *effects) {
    struct range present = self->range;
    uint64_t rows_max;
    if (self->collection_lost) {
        machine_timer(effects, TIMER_AGAIN,
                      vtime_add(now, self->machine.config->reconcile_settle_ns));
        return 0;
    }
    if (self->leaf) {
        /* One id with more rows than asked for is as divided as a range can be. */
        bool whole = self->complete || self->range.first == self->range.last;
        int failed = whole ? classify_leaf(self) : split(self, self->range);
        if (failed != 0) {
            return -ENOMEM;
        }
    } else if (!digests_agree(self) && ids_present(self, &present, &rows_max)) {
        if (rows_max <= LEAF_ROWS || present.first == present.last) {
            self->range = present;
            self->leaf = true;
            return ask_all(self, effects);
        }
        if (split(self, present) != 0) {
            return -ENOMEM;
        }
    }
    return self->range_count > 0 ? next_range(self, effects) : pass_end(self, now, effects);
}

static int rows_keep(struct reconciler *self, size_t i, const struct effect *scan) {
    if (self->rows[i] == NULL) {
        self->rows[i] = malloc(LEAF_ROOM * sizeof *self->rows[i]);
        if (self->rows[i] == NULL) {
            return -ENOMEM;
        }
    }
    assert(scan->scan.count <= LEAF_ROOM);
    if (scan->scan.count > 0) {
        memcpy(self->rows[i], scan->scan.rows, scan->scan.count * sizeof *self->rows[i]);
    }
    self->row_counts[i] = scan->scan.count;
    self->complete = self->complete && scan->scan.complete;
    return 0;
}

static int scanned(struct reconciler *self, size_t i, const struct event *event,
                   struct effects *effects) {
    if (event->error == PORT_NOT_FOUND) {
        self->collection_lost = true;
    } else if (self->leaf) {
        if (rows_keep(self, i, event->answered) != 0) {
            return -ENOMEM;
        }
    } else {
        self->digests[i] = event->answered->scan.digest;
    }
    assert(self->answers_due > 0);
    return --self->answers_due > 0 ? 0 : range_compared(self, event->now, effects);
}

/* ---- Steps ---- */

static int begin(struct reconciler *self, vtime now, struct effects *effects) {
    if (self->running) {
        return 0;
    }
    self->running = true;
    self->run++;
    self->pass = 0;
    return pass_begin(self, now, effects);
}

static void arm_interval(struct reconciler *self, vtime now, struct effects *effects) {
    int64_t interval_ns = self->machine.config->reconcile_interval_ns;
    if (interval_ns > 0) {
        machine_timer(effects, TIMER_INTERVAL, vtime_add(now, interval_ns));
    }
}

static int timer(struct reconciler *self, const struct event *event, struct effects *effects) {
    if (event->timer == TIMER_INTERVAL) {
        arm_interval(self, event->now, effects);
        return begin(self, event->now, effects);
    }
    self->pass += event->timer == TIMER_SETTLED;
    return pass_begin(self, event->now, effects);
}

static int answered(struct reconciler *self, const struct event *event, struct effects *effects) {
    struct pending_request *pending = pending_find(&self->pending, event->request);
    if (pending == NULL) {
        return 0;
    }
    size_t purpose = pending->purpose;
    bool dropped = event->error == PORT_NOT_FOUND && purpose < READINGS &&
                   is_vector_store(readings[purpose].store);
    if (event->error != PORT_OK && !dropped) {
        machine_resend(&self->machine, effects, event, ++pending->failures);
        return 0;
    }
    pending_remove(&self->pending, event->request);
    if (purpose == PURPOSE_TARGETS) {
        memcpy(self->models, event->answered->admin.targets.aliases, sizeof self->models);
        return next_range(self, effects);
    }
    return purpose < READINGS ? scanned(self, purpose, event, effects) : 0;
}

static int reconciler_step(struct machine *machine, const struct event *event,
                           struct effects *effects) {
    struct reconciler *self = (struct reconciler *)machine;
    switch (event->kind) {
    case EVENT_START:
        arm_interval(self, event->now, effects);
        return 0;
    case EVENT_COMMAND:
        return event->command.kind == COMMAND_RECONCILE ? begin(self, event->now, effects) : 0;
    case EVENT_TIMER:
        return timer(self, event, effects);
    case EVENT_SCANNED:
    case EVENT_ADMINISTERED:
    case EVENT_LOADED:
        return answered(self, event, effects);
    default:
        return 0;
    }
}

static void reconciler_free(struct machine *machine) {
    struct reconciler *self = (struct reconciler *)machine;
    pending_release(&self->pending);
    free(self->ranges);
    free(self->republish.items);
    for (int s = 0; s < SCAN_STORE_COUNT; s++) {
        free(self->repair[s].items);
    }
    for (size_t i = 0; i < READINGS; i++) {
        free(self->rows[i]);
    }
    free(self);
}

struct machine *reconciler_new(void) {
    struct reconciler *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return NULL;
    }
    self->machine.step = reconciler_step;
    self->machine.free = reconciler_free;
    return &self->machine;
}
