#include <assert.h>
#include <errno.h>

#include "pipeline/builder_parts.h"
#include "pipeline/embed_flaw.h"

static struct listing *listing_of(struct builder_task *task, uint64_t id, size_t *at) {
    bool found = listings_find(&task->listings, id, at);
    assert(found);
    (void)found;
    return listing_at(task, *at);
}

/* ---- Writes ---- */

static void count_write(struct partitioned *builder, enum row_write_kind kind,
                        enum item_status status) {
    if (status == ITEM_APPLIED) {
        machine_count(&builder->machine,
                      kind == ROW_UPSERT     ? COUNTER_VECTORS_WRITTEN
                      : kind == ROW_METADATA ? COUNTER_METADATA_WRITES
                                             : COUNTER_ROW_DELETES,
                      1);
    }
}

/* A vector that the store refuses for good may have been spoiled on its way from the embedding
 * service: it is made a second time before the row is abandoned. */
static int row_refused(struct partitioned *builder, struct builder_task *task, size_t at, size_t m,
                       struct row *row, enum row_write_kind kind, struct letters *letters,
                       struct effects *effects) {
    doc_version version = listing_at(task, at)->head.folded.visible_version;
    if (kind == ROW_UPSERT && row->anew != version) {
        row->anew = version;
        row->known = false;
        return 0;
    }
    return row_abandon(builder, task, at, row, modality_name((enum modality)m), letters, effects);
}

static int vectors_written(struct partitioned *builder, struct builder_task *task,
                           struct lane *lane, const struct event *event, struct effects *effects,
                           bool *again) {
    const struct effect *write = event->answered;
    size_t count = write->vectors.count;
    size_t m = write->vectors.modality;
    struct letters letters = {.source = SOURCE_LOG, .room = count};
    for (size_t i = 0; i < count; i++) {
        const struct vector_write *item = &write->vectors.items[i];
        enum item_status status = bug_on(builder->machine.bugs, BUG_BATCH_TAKEN_WHOLE)
                                      ? ITEM_APPLIED
                                      : write->vectors.statuses[i];
        if (item_unsettled(status)) {
            *again = true;
            continue;
        }
        size_t at;
        const struct listing *listing = listing_of(task, item->listing_id, &at);
        struct lane_rows *rows = &lane->rows[at];
        assert(rows->writes > 0);
        if (--rows->writes == 0) {
            lane_ended(lane, rows);
        }
        if (status != ITEM_FATAL) {
            row_settle(builder, &rows->rows[m], status, item->kind, item->rule, &item->meta);
            count_write(builder, item->kind, status);
        } else if (item->meta.version == listing->head.folded.visible_version &&
                   row_refused(builder, task, at, m, &rows->rows[m], item->kind, &letters,
                               effects) != 0) {
            return -ENOMEM;
        }
        if (listings_unsaved(&task->listings, at) != 0 ||
            lane_queue(builder, task, lane, at) != 0) {
            return -ENOMEM;
        }
    }
    return 0;
}

/* Sends the items [first, last) of a write that was too large as one of their own. */
static int send_part(struct partitioned *builder, struct builder_task *task,
                     const struct lane *lane, uint32_t argument, const struct effect *whole,
                     size_t first, size_t last, struct effects *effects) {
    struct effect *part = vectors_begin(builder, task, lane, argument, last - first, effects);
    if (part == NULL) {
        return -ENOMEM;
    }
    size_t size = modality_dimension(whole->vectors.modality) * sizeof(float);
    for (size_t i = first; i < last; i++) {
        struct vector_write *item = &part->vectors.items[part->vectors.count++];
        *item = whole->vectors.items[i];
        item->meta.category = effect_copy(effects, part, item->meta.category);
        item->meta.locale = effect_copy(effects, part, item->meta.locale);
        if (item->vector != NULL) {
            struct bytes vector = {(const char *)item->vector, size};
            item->vector = (const float *)(const void *)effect_copy(effects, part, vector).data;
        }
    }
    return effects->out_of_memory ? -ENOMEM : 0;
}

static int vectors_too_large(struct partitioned *builder, struct builder_task *task,
                             struct lane *lane, uint32_t argument, const struct event *event,
                             struct effects *effects, bool *again) {
    const struct effect *write = event->answered;
    size_t count = write->vectors.count;
    if (count == 1) {
        write->vectors.statuses[0] = ITEM_FATAL;
        return vectors_written(builder, task, lane, event, effects, again);
    }
    machine_count(&builder->machine, COUNTER_BATCHES_SPLIT, 1);
    items_max_learn(&lane->write_items_max, count);
    if (send_part(builder, task, lane, argument, write, 0, count / 2, effects) != 0) {
        return -ENOMEM;
    }
    return send_part(builder, task, lane, argument, write, count / 2, count, effects);
}

/* ---- Embeddings ---- */

static const char *flaw_evidence(enum embed_flaw flaw) {
    switch (flaw) {
    case EMBED_OTHER_MODEL:
        return "the embedding service answers with vectors of another model version than the one "
               "that was asked for: they are not written";
    case EMBED_WRONG_DIMENSION:
        return "the embedding service answers with vectors of another dimension than the "
               "collections have: they are not written";
    case EMBED_NO_NUMBERS:
        return "the embedding service answers with vectors that hold what is no number: they are "
               "not written";
    default:
        return "the embedding service answers with sound vectors of the model version that was "
               "asked for";
    }
}

/* Tells of a flaw when it is seen first, and of the first answer without one. */
static void alert_flaw(struct lane *lane, enum embed_flaw flaw, struct effects *effects) {
    if (lane->flawed == (flaw != EMBED_SOUND)) {
        return;
    }
    lane->flawed = flaw != EMBED_SOUND;
    effects_alert(effects, "embedding-model", "embedding",
                  lane->flawed ? ALERT_ERROR : ALERT_CLEARED, bytes_of(flaw_evidence(flaw)));
}

/* True when each item was made, by the model that was asked for, or refused. */
static bool embed_settled(const struct partitioned *builder, struct lane *lane,
                          const struct effect *embed, struct effects *effects) {
    enum embed_flaw flaw = EMBED_SOUND;
    for (size_t i = 0; i < embed->embed.count; i++) {
        const struct embed_result *result = &embed->embed.results[i];
        if (result->status != ITEM_APPLIED && result->status != ITEM_FATAL) {
            return false;
        }
        if (result->status == ITEM_APPLIED && flaw == EMBED_SOUND) {
            flaw = embed_flaw_of(embed->embed.model_version, result, builder->machine.bugs);
        }
    }
    alert_flaw(lane, flaw, effects);
    return flaw == EMBED_SOUND;
}

/* The listing's vectors are made, or (NULL) never will be: what still fits is written; what the
 * document outgrew is asked for anew. */
static int listing_embedded(struct partitioned *builder, struct builder_task *task,
                            struct lane *lane, size_t at, uint8_t modalities, float *const *made,
                            struct vector_batch *batch, struct letters *letters,
                            struct effects *effects) {
    const struct listing *listing = listing_at(task, at);
    struct lane_rows *rows = &lane->rows[at];
    rows->embed_request = 0;
    lane_ended(lane, rows);
    bool present = rows->embedding_version == listing->head.folded.visible_version;
    for (size_t m = 0; m < MODALITY_COUNT && made == NULL && present; m++) {
        if ((modalities >> m & 1) != 0 &&
            row_abandon(builder, task, at, &rows->rows[m], modality_name((enum modality)m), letters,
                        effects) != 0) {
            return -ENOMEM;
        }
    }
    if (vectors_wanted(builder, listing, rows, made) == 0 &&
        vectors_write(builder, task, lane, at, made, batch, effects) != 0) {
        return -ENOMEM;
    }
    return lane_queue(builder, task, lane, at);
}

static int embedded(struct partitioned *builder, struct builder_task *task, struct lane *lane,
                    const struct event *event, struct effects *effects) {
    const struct effect *embed = event->answered;
    size_t count = embed->embed.count;
    struct vector_batch batch = {.room = batch_room(count, lane->write_items_max)};
    struct letters letters = {.source = SOURCE_LOG, .room = count * MODALITY_COUNT};
    lane->embeds_under_way--;
    for (size_t i = 0; i < count; i++) {
        const struct embed_item *item = &embed->embed.items[i];
        const struct embed_result *result = &embed->embed.results[i];
        bool made = result->status == ITEM_APPLIED;
        for (size_t m = 0; m < MODALITY_COUNT && made; m++) {
            bool kept = (result->reused >> m & 1) != 0;
            machine_count(&builder->machine,
                          kept ? COUNTER_EMBEDDINGS_REUSED : COUNTER_EMBEDDINGS_MADE,
                          item->modalities >> m & 1);
        }
        size_t at;
        listing_of(task, item->listing_id, &at);
        if (lane->rows[at].embed_request == event->request &&
            listing_embedded(builder, task, lane, at, item->modalities,
                             made ? result->vectors : NULL, &batch, &letters, effects) != 0) {
            return -ENOMEM;
        }
    }
    return 0;
}

/* The request is given up: what still waits for it is asked for anew. */
static int embed_again(struct partitioned *builder, struct builder_task *task, struct lane *lane,
                       const struct event *event) {
    const struct effect *embed = event->answered;
    lane->embeds_under_way--;
    for (size_t i = 0; i < embed->embed.count; i++) {
        size_t at;
        listing_of(task, embed->embed.items[i].listing_id, &at);
        struct lane_rows *rows = &lane->rows[at];
        if (rows->embed_request != event->request) {
            continue;
        }
        rows->embed_request = 0;
        lane_ended(lane, rows);
        if (lane_queue(builder, task, lane, at) != 0) {
            return -ENOMEM;
        }
    }
    return 0;
}

/* The service does not take so much at once: what it holds is asked for again in smaller parts. One
 * listing that is too large by itself is refused for good. */
static int embed_too_large(struct partitioned *builder, struct builder_task *task,
                           struct lane *lane, const struct event *event, struct effects *effects) {
    const struct effect *embed = event->answered;
    size_t count = embed->embed.count;
    if (count == 1) {
        embed->embed.results[0].status = ITEM_FATAL;
        return embedded(builder, task, lane, event, effects);
    }
    items_max_learn(&lane->embed_items_max, count);
    return embed_again(builder, task, lane, event);
}

/* A request that failed is sent again as it is, unless a listing of it does not wait for it any
 * more: the content of one that is gone must not reach the service, and its archive, hours later
 * (A12). */
static int embed_failed(struct partitioned *builder, struct builder_task *task, struct lane *lane,
                        const struct event *event, bool *again) {
    const struct effect *embed = event->answered;
    if (event->error != PORT_OK && bug_on(builder->machine.bugs, BUG_EMBED_GIVEN_UP)) {
        lane->embeds_under_way--;
        *again = false;
        return 0;
    }
    *again = true;
    for (size_t i = 0; i < embed->embed.count && *again; i++) {
        size_t at;
        listing_of(task, embed->embed.items[i].listing_id, &at);
        *again = lane->rows[at].embed_request == event->request;
    }
    return *again ? 0 : embed_again(builder, task, lane, event);
}

/* ---- Either ---- */

int lane_answered(struct partitioned *builder, struct builder_task *task, uint32_t purpose,
                  uint32_t argument, const struct event *event, struct effects *effects,
                  bool *again) {
    struct lane *lane = lane_of_serial(task, argument_serial(argument));
    if (lane == NULL) {
        return 0; /* it was closed */
    }
    if (purpose == PURPOSE_VECTORS) {
        return vectors_written(builder, task, lane, event, effects, again);
    }
    if (!embed_settled(builder, lane, event->answered, effects)) {
        return embed_failed(builder, task, lane, event, again);
    }
    return embedded(builder, task, lane, event, effects);
}

int lane_refused(struct partitioned *builder, struct builder_task *task, uint32_t purpose,
                 uint32_t argument, const struct event *event, struct effects *effects,
                 bool *again) {
    struct lane *lane = lane_of_serial(task, argument_serial(argument));
    if (lane == NULL) {
        *again = false; /* such as PORT_NOT_FOUND of a collection that is dropped by now */
        return 0;
    }
    if (event->error != PORT_TOO_LARGE || bug_on(builder->machine.bugs, BUG_TOO_LARGE_AGAIN)) {
        return purpose == PURPOSE_VECTORS ? 0 : embed_failed(builder, task, lane, event, again);
    }
    *again = false;
    return purpose == PURPOSE_VECTORS
               ? vectors_too_large(builder, task, lane, argument, event, effects, again)
               : embed_too_large(builder, task, lane, event, effects);
}
