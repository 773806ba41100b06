#include "faults/injector_parts.h"

/* Copies the items that were carried out; the others' statuses are RETRYABLE. */
static void repeat_vectors(struct injector *in, vtime at, enum modality modality,
                           uint32_t model_version, const struct vector_write *items,
                           const enum item_status *statuses, size_t count) {
    struct effects effects;
    struct repeat *repeat = repeat_new(in, &effects);
    if (repeat == NULL) {
        in->out_of_memory = true;
        return;
    }
    repeat->modality = modality;
    repeat->model_version = model_version;
    repeat->vectors = effect_alloc(&effects, repeat->memory, count * sizeof *items);
    size_t size = modality_dimension(modality) * sizeof(float);
    for (size_t i = 0; repeat->vectors != NULL && i < count; i++) {
        if (statuses[i] == ITEM_RETRYABLE) {
            continue;
        }
        struct vector_write *item = &repeat->vectors[repeat->count++];
        *item = items[i];
        repeat_copy_meta(&effects, repeat->memory, &item->meta);
        if (item->vector != NULL) {
            item->vector =
                (const float *)(const void *)effect_copy(
                    &effects, repeat->memory, (struct bytes){(const char *)item->vector, size})
                    .data;
        }
    }
    repeat_schedule(in, repeat, &effects, at);
}

/* How much later than usual readers see what this request writes. */
static int64_t late_by(struct injector *in, vtime now) {
    int64_t delay_ns = 0;
    for (size_t i = 0; i < in->count; i++) {
        struct armed *armed = &in->armed[i];
        if (armed->fault.kind == FAULT_LATE_VISIBILITY && injector_draws(in, armed, now)) {
            int64_t drawn_ns = prng_range(&armed->stream, 1, armed->fault.delay_ns);
            injector_note(in, armed, PASS_VECTORS, now, vtime_add(now, drawn_ns));
            delay_ns = drawn_ns > delay_ns ? drawn_ns : delay_ns;
        }
    }
    return delay_ns;
}

/* A fault holds the database's compaction back now; `noted`: and did. */
static bool compaction_is_held(struct injector *in, vtime now, bool noted) {
    bool held = false;
    for (size_t i = 0; i < in->count; i++) {
        struct armed *armed = &in->armed[i];
        if (armed->fault.kind == FAULT_SLOW_COMPACTION && injector_in_window(in, armed, now)) {
            held = true;
            if (noted) {
                injector_note(in, armed, PASS_VECTORS, now, now);
            }
        }
    }
    return held;
}

/* Lets the database compact, or not, in what comes next. What it has held back so far. */
static uint64_t tend_compaction(struct injector *in, vtime now) {
    struct fake_vector_db *db = simulation_vector_db(in->simulation);
    fake_vector_db_hold_compaction(db, compaction_is_held(in, now, false));
    return fake_vector_db_held_back(db);
}

static void compaction_tended(struct injector *in, vtime now, uint64_t before) {
    if (fake_vector_db_held_back(simulation_vector_db(in->simulation)) > before) {
        compaction_is_held(in, now, true);
    }
}

void injector_vectors_heal(struct injector *in, vtime now) {
    fake_vector_db_hold_compaction(simulation_vector_db(in->simulation), false);
    if (fake_vector_db_show(simulation_vector_db(in->simulation), now) != 0) {
        in->out_of_memory = true;
    }
}

/* Some of the rows that this request replaces stay, where keys are none: elsewhere the write itself
 * takes them along. */
static int duplicate(struct injector *in, vtime now, enum modality modality, uint32_t model_version,
                     const struct vector_write *items, size_t count) {
    struct fake_vector_db *db = simulation_vector_db(in->simulation);
    for (size_t i = 0; i < in->count; i++) {
        struct armed *armed = &in->armed[i];
        for (size_t k = 0; armed->fault.kind == FAULT_UPSERT_DUPLICATES && k < count; k++) {
            if (items[k].kind != ROW_UPSERT || !injector_draws(in, armed, now) ||
                !fake_vector_db_profile(db)->keys_repeat) {
                continue;
            }
            int error =
                fake_vector_db_duplicate_row(db, now, modality, model_version, items[k].listing_id);
            if (error == PORT_NO_MEMORY) {
                return error;
            }
            if (error == PORT_OK) {
                injector_note(in, armed, PASS_VECTORS, now, now);
            }
        }
    }
    return PORT_OK;
}

static enum point write_call(const struct vector_write *items, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (items[i].kind != ROW_DELETE) {
            return PASS_VECTORS_UPSERT;
        }
    }
    return PASS_VECTORS_DELETE;
}

/* What the database is given of a request. */
static int pass_on(struct injector *in, vtime now, enum modality modality, uint32_t model_version,
                   const struct vector_write *items, size_t count, enum item_status *statuses) {
    const struct vector_port *vectors = &in->inner.vectors;
    int error = duplicate(in, now, modality, model_version, items, count);
    return error != PORT_OK ? error
                            : vectors->ops->write(vectors->ctx, now, modality, model_version, items,
                                                  count, statuses);
}

/* Item by item: runs of items that are carried out, and between them one that fails. */
static int write_items(struct injector *in, vtime now, enum modality modality,
                       uint32_t model_version, const struct vector_write *items, size_t count,
                       enum item_status *statuses) {
    for (size_t i = 0; i < count;) {
        size_t run = i;
        enum item_status fate = ITEM_APPLIED;
        while (run < count && (fate = injector_item_fate(in, SINK_VECTORS, items[run].kind, now)) ==
                                  ITEM_APPLIED) {
            run++;
        }
        int error =
            run == i ? PORT_OK
                     : pass_on(in, now, modality, model_version, items + i, run - i, statuses + i);
        if (error != PORT_OK) {
            return error;
        }
        if (run < count) {
            statuses[run++] = fate;
        }
        i = run;
    }
    return PORT_OK;
}

/* As a whole or not at all: an item that fails takes the others back. */
static int write_transaction(struct injector *in, vtime now, enum modality modality,
                             uint32_t model_version, const struct vector_write *items, size_t count,
                             enum item_status *statuses) {
    bool whole = true;
    for (size_t i = 0; i < count; i++) {
        enum item_status fate = injector_item_fate(in, SINK_VECTORS, items[i].kind, now);
        statuses[i] = fate == ITEM_APPLIED ? ITEM_RETRYABLE : fate;
        whole = whole && fate == ITEM_APPLIED;
    }
    return whole ? pass_on(in, now, modality, model_version, items, count, statuses) : PORT_OK;
}

static int vectors_write(void *ctx, vtime now, enum modality modality, uint32_t model_version,
                         const struct vector_write *items, size_t count,
                         enum item_status *statuses) {
    struct injector *in = ctx;
    enum verdict verdict = injector_judge_call(in, SINK_VECTORS, write_call(items, count), now);
    if (verdict_refused(verdict)) {
        injector_repeat_draw(in, SINK_VECTORS, now, 0);
        return verdict_refusal(verdict);
    }
    struct fake_vector_db *db = simulation_vector_db(in->simulation);
    bool transactional = fake_vector_db_profile(db)->transactional;
    size_t done = transactional && verdict == HALF_DONE ? 0 : verdict_share(verdict, count);
    fake_vector_db_delay(db, late_by(in, now));
    int error = (transactional ? write_transaction : write_items)(in, now, modality, model_version,
                                                                  items, done, statuses);
    fake_vector_db_delay(db, 0);
    if (error != PORT_OK) {
        return error;
    }
    injector_rows_written(in, now, modality, model_version, items, statuses, done);
    vtime again = injector_repeat_draw(in, SINK_VECTORS, now, repeat_carried_out(statuses, done));
    if (again.ns != VTIME_NEVER.ns) {
        repeat_vectors(in, again, modality, model_version, items, statuses, done);
    }
    return verdict_outcome(verdict, PORT_OK);
}

static int vectors_scan(void *ctx, vtime now, enum modality modality, uint32_t model_version,
                        enum scan_path path, uint64_t first, uint64_t last, struct scan_row *out,
                        size_t max, size_t *count) {
    struct injector *in = ctx;
    const struct vector_port *vectors = &in->inner.vectors;
    if (injector_unreachable(in, SINK_VECTORS, now)) {
        return PORT_UNAVAILABLE;
    }
    return vectors->ops->scan(vectors->ctx, now, modality, model_version, path, first, last, out,
                              max, count);
}

static int vectors_search(void *ctx, vtime now, enum modality modality, uint32_t model_version,
                          const float *query, size_t k, uint32_t ef, bool exact,
                          const struct row_filter *filter, struct search_hit *hits, size_t *count) {
    struct injector *in = ctx;
    const struct vector_port *vectors = &in->inner.vectors;
    if (injector_unreachable(in, SINK_VECTORS, now)) {
        return PORT_UNAVAILABLE;
    }
    uint64_t before = tend_compaction(in, now);
    int error = vectors->ops->search(vectors->ctx, now, modality, model_version, query, k, ef,
                                     exact, filter, hits, count);
    compaction_tended(in, now, before);
    return error;
}

static int vectors_read(void *ctx, vtime now, enum modality modality, uint32_t model_version,
                        const uint64_t *listing_ids, size_t count, float *out, bool *found) {
    struct injector *in = ctx;
    const struct vector_port *vectors = &in->inner.vectors;
    if (injector_unreachable(in, SINK_VECTORS, now)) {
        return PORT_UNAVAILABLE;
    }
    return vectors->ops->read(vectors->ctx, now, modality, model_version, listing_ids, count, out,
                              found);
}

/* What a store that dies half way makes of an action: nothing, unless it takes several. */
static int admin_by_half(struct injector *in, vtime now, const struct vector_admin *admin) {
    struct fake_vector_db *db = simulation_vector_db(in->simulation);
    bool torn = admin->kind == VECTOR_SWITCH && fake_vector_db_profile(db)->aliases_apart &&
                fake_vector_db_alias_target(db, MODALITY_TEXT) == admin->from_version;
    const struct vector_alias first = {MODALITY_TEXT, admin->model_version};
    int error = torn ? fake_vector_db_switch_aliases(db, now, &first, 1) : PORT_OK;
    return error == PORT_NO_MEMORY ? error : PORT_OK;
}

static int vectors_admin(void *ctx, vtime now, const struct vector_admin *admin,
                         enum item_status *status, struct vector_targets *targets) {
    struct injector *in = ctx;
    const struct vector_port *vectors = &in->inner.vectors;
    if (admin->kind == VECTOR_TARGETS) {
        return injector_unreachable(in, SINK_VECTORS, now)
                   ? PORT_UNAVAILABLE
                   : vectors->ops->admin(vectors->ctx, now, admin, status, targets);
    }
    enum verdict verdict = injector_judge_call(in, SINK_VECTORS, PASS_VECTORS_ADMIN, now);
    if (verdict_refused(verdict)) {
        return verdict_refusal(verdict);
    }
    uint64_t before = tend_compaction(in, now);
    int error = verdict_share(verdict, 1) == 0
                    ? admin_by_half(in, now, admin)
                    : vectors->ops->admin(vectors->ctx, now, admin, status, targets);
    compaction_tended(in, now, before);
    return verdict_outcome(verdict, error);
}

static int vectors_block(void *ctx, vtime now, const struct seller_block *items, size_t count) {
    struct injector *in = ctx;
    const struct vector_port *vectors = &in->inner.vectors;
    enum verdict verdict = injector_judge_call(in, SINK_VECTORS, PASS_VECTORS_BLOCK, now);
    if (verdict_refused(verdict)) {
        return verdict_refusal(verdict);
    }
    return verdict_outcome(
        verdict, vectors->ops->block(vectors->ctx, now, items, verdict_share(verdict, count)));
}

static int vectors_erase(void *ctx, vtime now, uint32_t model_version,
                         const struct erasure_subject *subjects, size_t count,
                         struct erasure_look *looks) {
    struct injector *in = ctx;
    const struct vector_port *vectors = &in->inner.vectors;
    enum verdict verdict = injector_judge_call(in, SINK_VECTORS, PASS_VECTORS_ERASE, now);
    if (verdict_refused(verdict)) {
        return verdict_refusal(verdict);
    }
    uint64_t before = tend_compaction(in, now);
    int error = vectors->ops->erase(vectors->ctx, now, model_version, subjects,
                                    verdict_share(verdict, count), looks);
    compaction_tended(in, now, before);
    return verdict_outcome(verdict, error);
}

void injector_wrap_vectors(struct injector *in) {
    static const struct vector_port_ops vectors = {vectors_write, vectors_scan,  vectors_search,
                                                   vectors_read,  vectors_admin, vectors_block,
                                                   vectors_erase};
    simulation_ports(in->simulation)->vectors = (struct vector_port){&vectors, in};
}
