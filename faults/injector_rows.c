/*
 * Rows of a vector database that go wrong in the store itself, some time after they were written:
 * nobody writes them, so neither the pipeline nor its audience hears of it.
 */
#include "faults/injector_parts.h"

#include <stdlib.h>
#include <string.h>

struct decay {
    struct decay *next, **previous;
    struct injector *injector;
    struct armed *armed; /* NULL once the run has healed: nothing comes of it */
    enum modality modality;
    uint32_t model_version;
    unsigned how;              /* paths to be lost from, or an enum vector_corruption */
    struct vector_write write; /* as it was carried out; what it points to stands behind it */
};

static bool is_decay(enum fault_kind kind) {
    return kind == FAULT_ROWS_LOST || kind == FAULT_ROWS_SPOILED || kind == FAULT_ROWS_RETURN;
}

/* How a row goes wrong. Lookups by id know every row: reconciliation asks them of ranges alone in
 * which something else differs. */
static unsigned draw_how(struct armed *armed) {
    static const unsigned paths[] = {1U << SCAN_BY_SCAN, 1U << SCAN_BY_SEARCH,
                                     (1U << SCAN_PATH_COUNT) - 1};
    static const unsigned corruptions[] = {VECTOR_CORRUPT_HASHES, VECTOR_CORRUPT_MODEL,
                                           VECTOR_CORRUPT_POLICY};
    uint64_t i = prng_below(&armed->stream, 3);
    return armed->fault.kind == FAULT_ROWS_SPOILED ? corruptions[i] : paths[i];
}

static char *keep(char *at, struct bytes *text) {
    if (text->len > 0) {
        memcpy(at, text->data, text->len);
    }
    text->data = at;
    return at + text->len;
}

/* The write with what it points to, which is its caller's. */
static struct decay *decay_of(const struct vector_write *write, enum modality modality) {
    size_t vector_size = modality_dimension(modality) * sizeof(float);
    struct decay *decay =
        malloc(sizeof *decay + vector_size + write->meta.category.len + write->meta.locale.len);
    if (decay == NULL) {
        return NULL;
    }
    decay->write = *write;
    decay->modality = modality;
    char *at = (char *)(decay + 1);
    decay->write.vector = memcpy(at, write->vector, vector_size);
    at = keep(at + vector_size, &decay->write.meta.category);
    keep(at, &decay->write.meta.locale);
    return decay;
}

static void decay_free(struct decay *decay) {
    *decay->previous = decay->next;
    if (decay->next != NULL) {
        decay->next->previous = decay->previous;
    }
    free(decay);
}

/* PORT_OK when a row did go wrong. */
static int decay_strike(const struct decay *decay, vtime now) {
    struct fake_vector_db *db = simulation_vector_db(decay->injector->simulation);
    uint64_t listing_id = decay->write.listing_id;
    struct vector_row_view view;
    switch (decay->armed->fault.kind) {
    case FAULT_ROWS_LOST:
        return fake_vector_db_lose_row(db, now, decay->modality, decay->model_version, listing_id,
                                       decay->how);
    case FAULT_ROWS_SPOILED:
        return fake_vector_db_corrupt_row(db, now, decay->modality, decay->model_version,
                                          listing_id, (enum vector_corruption)decay->how);
    default:
        return fake_vector_db_find(db, decay->modality, decay->model_version, listing_id, &view)
                   ? PORT_NOT_FOUND
                   : fake_vector_db_put_row(db, now, decay->modality, decay->model_version,
                                            &decay->write);
    }
}

static void decay_due(void *ctx, vtime now, uint64_t arg) {
    struct decay *decay = ctx;
    struct injector *in = decay->injector;
    (void)arg;
    if (decay->armed != NULL) {
        int error = decay_strike(decay, now);
        if (error == PORT_OK) {
            injector_note(in, decay->armed, PASS_VECTORS, now, now);
        }
        in->out_of_memory = in->out_of_memory || error == PORT_NO_MEMORY;
    }
    decay_free(decay);
}

static void decay_begin(struct injector *in, struct armed *armed, vtime now, enum modality modality,
                        uint32_t model_version, const struct vector_write *write) {
    unsigned how = draw_how(armed);
    vtime at = vtime_add(now, prng_range(&armed->stream, 1, armed->fault.delay_ns));
    struct decay *decay = decay_of(write, modality);
    if (decay == NULL) {
        in->out_of_memory = true;
        return;
    }
    decay->injector = in;
    decay->armed = armed;
    decay->model_version = model_version;
    decay->how = how;
    decay->next = in->decays;
    decay->previous = &in->decays;
    if (in->decays != NULL) {
        in->decays->previous = &decay->next;
    }
    in->decays = decay;
    if (simulation_schedule(in->simulation, at, "row-decay", write->listing_id, decay_due, decay,
                            0) != 0) {
        in->out_of_memory = true;
        decay_free(decay);
    }
}

void injector_rows_written(struct injector *in, vtime now, enum modality modality,
                           uint32_t model_version, const struct vector_write *items,
                           const enum item_status *statuses, size_t count) {
    for (size_t i = 0; i < in->count; i++) {
        struct armed *armed = &in->armed[i];
        for (size_t k = 0; is_decay(armed->fault.kind) && k < count; k++) {
            if (items[k].kind == ROW_UPSERT && statuses[k] == ITEM_APPLIED &&
                injector_draws(in, armed, now)) {
                decay_begin(in, armed, now, modality, model_version, &items[k]);
            }
        }
    }
}

void injector_rows_heal(struct injector *in) {
    for (struct decay *decay = in->decays; decay != NULL; decay = decay->next) {
        decay->armed = NULL;
    }
}

void injector_rows_release(struct injector *in) {
    while (in->decays != NULL) {
        decay_free(in->decays);
    }
}
