#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/array.h"
#include "pipeline/builder_parts.h"

/* ---- Life ---- */

struct lane *lane_served(struct builder_task *task) {
    for (size_t i = 0; i < LANE_COUNT; i++) {
        if (task->lanes[i].model_version != 0 && task->lanes[i].served) {
            return &task->lanes[i];
        }
    }
    assert(0 && "one lane is served at any time");
    return NULL;
}

struct lane *lane_of_model(struct builder_task *task, uint32_t model_version) {
    for (size_t i = 0; i < LANE_COUNT && model_version != 0; i++) {
        if (task->lanes[i].model_version == model_version) {
            return &task->lanes[i];
        }
    }
    return NULL;
}

struct lane *lane_of_serial(struct builder_task *task, uint32_t serial) {
    for (size_t i = 0; i < LANE_COUNT; i++) {
        if (task->lanes[i].model_version != 0 && task->lanes[i].serial == serial) {
            return &task->lanes[i];
        }
    }
    return NULL;
}

int lane_reserve(struct lane *lane, size_t count) {
    if (count <= lane->count) {
        return 0;
    }
    if (ARRAY_RESERVE(lane->rows, lane->capacity, count) != 0) {
        return -ENOMEM;
    }
    memset(lane->rows + lane->count, 0, (count - lane->count) * sizeof *lane->rows);
    lane->count = count;
    return 0;
}

int lane_open(struct builder_task *task, uint32_t model_version, doc_version opened,
              struct lane **lane) {
    size_t place = 0;
    while (task->lanes[place].model_version != 0) {
        place++;
        assert(place < LANE_COUNT);
    }
    *lane = &task->lanes[place];
    **lane = (struct lane){
        .model_version = model_version,
        .opened = opened,
        .serial = ++task->lane_serial_last,
    };
    return lane_reserve(*lane, task->listings.count);
}

void lane_close(struct lane *lane) {
    free(lane->rows);
    for (size_t class = 0; class < LANE_CLASS_COUNT; class ++) {
        index_queue_release(&lane->queues[class]);
    }
    *lane = (struct lane){.model_version = 0};
}

void lanes_close(struct builder_task *task) {
    for (size_t i = 0; i < LANE_COUNT; i++) {
        lane_close(&task->lanes[i]);
    }
}

int lanes_begin(const struct pipeline_config *config, struct builder_task *task) {
    struct lane *lane;
    if (lane_open(task, config->model_version, DOC_VERSION_NONE, &lane) != 0) {
        return -ENOMEM;
    }
    lane->served = lane->everyone = true;
    return 0;
}

size_t lane_backlog(const struct lane *lane) {
    size_t backlog = lane->under_way;
    for (size_t class = 0; class < LANE_CLASS_COUNT; class ++) {
        backlog += lane->queues[class].count;
    }
    return backlog;
}

/* ---- What waits ---- */

static bool rows_busy(const struct lane_rows *rows) {
    return rows->embed_request != 0 || rows->writes > 0;
}

static void lane_started(struct lane *lane, struct lane_rows *rows) {
    lane->under_way++;
    rows->backfill_under_way = rows->backfill;
    lane->backfill_under_way += rows->backfill;
}

void lane_ended(struct lane *lane, struct lane_rows *rows) {
    assert(lane->under_way > 0 && lane->backfill_under_way >= rows->backfill_under_way);
    lane->under_way--;
    lane->backfill_under_way -= rows->backfill_under_way;
    rows->backfill_under_way = false;
}

static enum need vector_need(const struct partitioned *builder, const struct listing *listing,
                             const struct lane_rows *rows, size_t m) {
    enum need need = row_need(builder, &listing->head.folded, &listing->wants[m], &rows->rows[m]);
    bool whole = builder->machine.config->vector_whole_rows &&
                 !bug_on(builder->machine.bugs, BUG_METADATA_ALONE);
    return need == NEED_METADATA && whole ? NEED_CONTENT : need;
}

uint8_t vectors_wanted(const struct partitioned *builder, const struct listing *listing,
                       const struct lane_rows *rows, float *const *made) {
    uint8_t wanted = 0;
    for (size_t m = 0; m < MODALITY_COUNT; m++) {
        bool at_hand =
            made != NULL && made[m] != NULL && rows->embedding[m] == listing->wants[m].content;
        if (vector_need(builder, listing, rows, m) == NEED_CONTENT && !at_hand) {
            wanted |= (uint8_t)(1u << m);
        }
    }
    return wanted;
}

static bool takes_part(const struct partitioned *builder, const struct lane *lane,
                       const struct lane_rows *rows) {
    if (!lane->served && bug_on(builder->machine.bugs, BUG_LIVE_WRITES_MISSED)) {
        return rows->backfill;
    }
    return lane->everyone || rows->joined;
}

static enum lane_class class_of(const struct partitioned *builder, const struct listing *listing,
                                const struct lane *lane, const struct lane_rows *rows) {
    if (!takes_part(builder, lane, rows)) {
        return LANE_NOTHING;
    }
    bool lags = false;
    for (size_t m = 0; m < MODALITY_COUNT && !lags; m++) {
        lags = vector_need(builder, listing, rows, m) != NEED_NOTHING;
    }
    return !lags                                               ? LANE_NOTHING
           : rows->backfill                                    ? LANE_BACKFILL
           : listing_gone(listing)                             ? LANE_GONE
           : vectors_wanted(builder, listing, rows, NULL) == 0 ? LANE_WRITES
                                                               : LANE_EMBEDS;
}

int lane_queue(struct partitioned *builder, struct builder_task *task, struct lane *lane,
               size_t at) {
    const struct listing *listing = listing_at(task, at);
    struct lane_rows *rows = &lane->rows[at];
    enum lane_class class = class_of(builder, listing, lane, rows);
    if (class == LANE_GONE && rows->embed_request != 0) {
        /* What goes does not wait for vectors that nobody will see. */
        rows->embed_request = 0;
        lane_ended(lane, rows);
    }
    if (rows_busy(rows)) {
        return 0;
    }
    if (class == LANE_NOTHING) {
        rows->backfill = false;
        return 0;
    }
    if ((rows->queued >> class & 1) != 0) {
        return 0;
    }
    rows->queued |= (uint8_t)(1u << class);
    return index_queue_push(&lane->queues[class], at);
}

/* Takes the next listing of a class that still belongs there; false when there is none. */
static bool lane_take(const struct partitioned *builder, struct builder_task *task,
                      struct lane *lane, enum lane_class class, size_t *at) {
    while (lane->queues[class].count > 0) {
        *at = index_queue_pop(&lane->queues[class]);
        struct lane_rows *rows = &lane->rows[*at];
        rows->queued &= (uint8_t) ~(1u << class);
        if (!rows_busy(rows) && class_of(builder, listing_at(task, *at), lane, rows) == class) {
            return true;
        }
    }
    return false;
}

/* ---- Embedding ---- */

/* Copies what the embeddings depend on into the effect. 0 or -ENOMEM. */
static int embed_input(struct effects *effects, struct effect *embed, const struct folded *folded,
                       struct embed_item *item) {
    size_t length = folded_attributes_text(folded, NULL, 0);
    char *attributes = effect_alloc(effects, embed, length + 1);
    size_t images = document_visible_image_count(&folded->document);
    struct image_input *inputs = effect_alloc(effects, embed, (images + 1) * sizeof *inputs);
    if (attributes == NULL || inputs == NULL) {
        return -ENOMEM;
    }
    folded_attributes_text(folded, attributes, length);
    item->text = (struct text_input){
        .title = effect_copy(effects, embed, folded_text(folded, FIELD_TITLE)),
        .description = effect_copy(effects, embed, folded_text(folded, FIELD_DESCRIPTION)),
        .attributes = {attributes, length},
        .locale = effect_copy(effects, embed, document_locale(&folded->document)),
        .tokeniser = document_tokeniser(&folded->document),
    };
    for (size_t i = 0; i < images; i++) {
        struct bytes descriptor;
        document_visible_image(&folded->document, i, &inputs[i].image_id, &descriptor);
        inputs[i].descriptor = effect_copy(effects, embed, descriptor);
    }
    item->images = inputs;
    item->image_count = images;
    return 0;
}

/* Starts an embed request with room for `room` items. */
static struct effect *embed_begin(struct partitioned *builder, struct builder_task *task,
                                  struct lane *lane, struct effects *effects, size_t room) {
    struct effect *embed = machine_request(&builder->machine, effects, EFFECT_EMBED, 0);
    if (task_expect(builder, &task->task, embed, PURPOSE_EMBED, lane_argument(lane, false, 0)) !=
        0) {
        return NULL;
    }
    lane->embeds_under_way++;
    embed->embed.model_version = lane->model_version;
    /* Room for many, of which few are used: each is set when it is. */
    embed->embed.items = effect_alloc_raw(effects, embed, room * sizeof *embed->embed.items);
    embed->embed.results = effect_alloc_raw(effects, embed, room * sizeof *embed->embed.results);
    return embed->embed.items == NULL || embed->embed.results == NULL ? NULL : embed;
}

static int embed_add(struct effects *effects, struct effect *embed, const struct listing *listing,
                     struct lane_rows *rows, uint8_t modalities) {
    struct embed_item *item = &embed->embed.items[embed->embed.count];
    struct embed_result *result = &embed->embed.results[embed->embed.count];
    *item = (struct embed_item){0};
    *result = (struct embed_result){0};
    item->listing_id = listing->head.folded.document.listing_id;
    item->modalities = modalities;
    if (embed_input(effects, embed, &listing->head.folded, item) != 0) {
        return -ENOMEM;
    }
    for (size_t m = 0; m < MODALITY_COUNT; m++) {
        rows->embedding[m] = 0;
        if ((modalities >> m & 1) == 0) {
            continue;
        }
        rows->embedding[m] = listing->wants[m].content;
        /* A vector that the store refused is not asked of an archive again. */
        bool refused = rows->rows[m].anew == listing->head.folded.visible_version;
        item->content[m] = listing->wants[m].content;
        item->anew = item->anew || refused || rows->rows[m].remake;
        result->vectors[m] =
            effect_alloc_raw(effects, embed, modality_dimension((enum modality)m) * sizeof(float));
        if (result->vectors[m] == NULL) {
            return -ENOMEM;
        }
    }
    embed->embed.count++;
    rows->embedding_version = listing->head.folded.visible_version;
    rows->embed_request = embed->request;
    return 0;
}

/* ---- Writing ---- */

struct effect *vectors_begin(struct partitioned *builder, struct builder_task *task,
                             const struct lane *lane, uint32_t argument, size_t room,
                             struct effects *effects) {
    struct effect *write = machine_request(&builder->machine, effects, EFFECT_WRITE_VECTORS, 0);
    if (task_expect(builder, &task->task, write, PURPOSE_VECTORS, argument) != 0) {
        return NULL;
    }
    write->vectors.modality = (enum modality)argument_modality(argument);
    write->vectors.model_version = lane->model_version;
    write->vectors.items = effect_alloc(effects, write, room * sizeof *write->vectors.items);
    write->vectors.statuses = effect_alloc(effects, write, room * sizeof *write->vectors.statuses);
    return write->vectors.items == NULL || write->vectors.statuses == NULL ? NULL : write;
}

static struct vector_write *vector_item(struct partitioned *builder, struct builder_task *task,
                                        const struct lane *lane, struct vector_batch *batch,
                                        size_t m, struct effects *effects) {
    struct effect *write = batch->effects[m];
    if (write == NULL || write->vectors.count == batch->room) {
        write = vectors_begin(builder, task, lane, lane_argument(lane, batch->gone, m), batch->room,
                              effects);
        if (write == NULL) {
            return NULL;
        }
        batch->effects[m] = write;
    }
    return &write->vectors.items[write->vectors.count++];
}

static int vector_fill(struct partitioned *builder, const struct lane *lane,
                       const struct listing *listing, const struct row *row, size_t m,
                       enum need need, const float *made, struct effect *write,
                       struct vector_write *item, struct effects *effects) {
    item->listing_id = listing->head.folded.document.listing_id;
    item->kind = row_kind(need, builder->machine.config->vector_tombstone_rows &&
                                    !bug_on(builder->machine.bugs, BUG_ROW_DELETED_OUTRIGHT));
    item->rule = row_rule(builder, row, item->kind);
    if (row_meta(listing, &listing->wants[m], row, need, effects, write, &item->meta) != 0) {
        return -ENOMEM;
    }
    item->meta.model_version = lane->model_version;
    if (need == NEED_METADATA) {
        machine_count(&builder->machine, COUNTER_EMBEDDINGS_AVOIDED, 1);
    }
    if (need != NEED_CONTENT) {
        return 0;
    }
    assert(made != NULL);
    size_t size = modality_dimension((enum modality)m) * sizeof(float);
    struct bytes copy = effect_copy(effects, write, (struct bytes){(const char *)made, size});
    item->vector = (const float *)(const void *)copy.data;
    return item->vector == NULL ? -ENOMEM : 0;
}

int vectors_write(struct partitioned *builder, struct builder_task *task, struct lane *lane,
                  size_t at, float *const *made, struct vector_batch *batch,
                  struct effects *effects) {
    const struct listing *listing = listing_at(task, at);
    struct lane_rows *rows = &lane->rows[at];
    assert(!rows_busy(rows));
    for (size_t m = 0; m < MODALITY_COUNT; m++) {
        enum need need = vector_need(builder, listing, rows, m);
        if (need == NEED_NOTHING) {
            continue;
        }
        struct vector_write *item = vector_item(builder, task, lane, batch, m, effects);
        if (item == NULL ||
            vector_fill(builder, lane, listing, &rows->rows[m], m, need,
                        made == NULL ? NULL : made[m], batch->effects[m], item, effects) != 0) {
            return -ENOMEM;
        }
        rows->writes++;
    }
    if (rows->writes > 0) {
        lane_started(lane, rows);
    }
    return 0;
}

/* ---- Pumping ---- */

static struct vector_batch batch_of(const struct lane *lane, size_t items, bool gone) {
    return (struct vector_batch){.room = batch_room(items, lane->write_items_max), .gone = gone};
}

static int pump_writes(struct partitioned *builder, struct builder_task *task, struct lane *lane,
                       enum lane_class class, struct effects *effects) {
    struct vector_batch batch = batch_of(lane, lane->queues[class].count, class == LANE_GONE);
    size_t at;
    while (lane_take(builder, task, lane, class, &at)) {
        if (vectors_write(builder, task, lane, at, NULL, &batch, effects) != 0) {
            return -ENOMEM;
        }
    }
    return 0;
}

/* How many more listings of a class may be sent. */
static size_t room_left(const struct partitioned *builder, const struct lane *lane,
                        enum lane_class class) {
    size_t most = builder->machine.config->backfill_in_flight_max;
    return class != LANE_BACKFILL            ? SIZE_MAX
           : lane->backfill_under_way < most ? most - lane->backfill_under_way
                                             : 0;
}

/* Requests that a class may have under way: backfill leaves half of them to what is alive. */
static uint32_t requests_max(const struct partitioned *builder, enum lane_class class) {
    uint32_t most = builder->machine.config->embed_requests_max;
    return class == LANE_BACKFILL && most > 1 ? most / 2 : most;
}

/* Sends listings that need vectors, as many as the bounds allow; of those that the backfill asked
 * for some need none. */
static int pump_embeds(struct partitioned *builder, struct builder_task *task, struct lane *lane,
                       enum lane_class class, struct effects *effects) {
    uint32_t embed_max = builder->machine.config->embed_batch_max;
    if (lane->embed_items_max > 0 && lane->embed_items_max < embed_max) {
        embed_max = lane->embed_items_max;
    }
    struct vector_batch batch = batch_of(lane, lane->queues[class].count, false);
    struct effect *embed = NULL;
    size_t at;
    while (room_left(builder, lane, class) > 0) {
        bool full = embed == NULL || embed->embed.count == embed_max;
        if ((full && lane->embeds_under_way >= requests_max(builder, class)) ||
            !lane_take(builder, task, lane, class, &at)) {
            break;
        }
        const struct listing *listing = listing_at(task, at);
        struct lane_rows *rows = &lane->rows[at];
        uint8_t wanted = vectors_wanted(builder, listing, rows, NULL);
        if (wanted == 0) {
            if (vectors_write(builder, task, lane, at, NULL, &batch, effects) != 0) {
                return -ENOMEM;
            }
            continue;
        }
        if (full) {
            embed = embed_begin(builder, task, lane, effects, embed_max);
        }
        if (embed == NULL || embed_add(effects, embed, listing, rows, wanted) != 0) {
            return -ENOMEM;
        }
        lane_started(lane, rows);
    }
    return 0;
}

/* True while the served lane waits for the embedding service, which is slow, not down. */
static bool under_pressure(struct builder_task *task) {
    const struct lane *served = lane_served(task);
    return served->queues[LANE_EMBEDS].count > 0 && served->embed_failing == 0 &&
           served->writes_failing == 0;
}

/* While two models are written, one may be retired between a crash and what is read again after it:
 * then nobody would tell of the vectors that the dead process wrote for it (A11). So they are not
 * written before the audit has them. */
static bool dies_untold(const struct builder_task *task) {
    unsigned lanes = 0;
    for (int i = 0; i < LANE_COUNT; i++) {
        lanes += task->lanes[i].model_version != 0;
    }
    return lanes > 1 && task->audits_under_way > 0;
}

int lane_pump(struct partitioned *builder, struct builder_task *task, struct lane *lane,
              struct effects *effects) {
    if (lane->gone_failing == 0 && pump_writes(builder, task, lane, LANE_GONE, effects) != 0) {
        return -ENOMEM;
    }
    if (lane->writes_failing > 0) {
        return 0;
    }
    if (!dies_untold(task) && pump_writes(builder, task, lane, LANE_WRITES, effects) != 0) {
        return -ENOMEM;
    }
    if (lane->embed_failing > 0) {
        return 0;
    }
    if (pump_embeds(builder, task, lane, LANE_EMBEDS, effects) != 0) {
        return -ENOMEM;
    }
    /* The request for a backfill does not survive a crash, so its rows are not written before the
     * audit tells of them: nobody would tell of them later. */
    return under_pressure(task) || task->audits_under_way > 0
               ? 0
               : pump_embeds(builder, task, lane, LANE_BACKFILL, effects);
}
