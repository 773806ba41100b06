/*
 * The document builder with its sink writers (A3 to A9): folds the listing log into documents and
 * brings the vector database and the keyword index to what the documents say.
 *
 * Writing is level-triggered. Every listing has four rows (text, image and fused vector, keyword
 * row), and for each the builder knows what the store acknowledged last. A row lags while that is
 * not what the document says; lagging rows are written until they do not, so a stalled sink, a lost
 * reply, a crash and a repair are one case, and memory is bounded by listings, not by events.
 *
 * What waits for an embedding stands in a queue of its own, so that deletes and suppressions go on
 * while the embedding service is down (A8).
 *
 *     row:  unknown --write--> acknowledged(version, content) --document moves on--> lagging --+
 *              ^                          ^                                                     |
 *              +---- restart, MISSING     +------------------------ write ---------------------+
 *
 * Invariants:
 *  1. at most one write, or one embedding, is under way for a listing's vector rows, and at most
 *     one write for its keyword row; so what is acknowledged never goes back;
 *  2. all lagging vector rows of a listing are sent in one step, with one version (A6);
 *  3. a row that the document does not want is deleted at the document's version even if it may
 *     never have existed, unless its absence is acknowledged and was not disturbed since: a zombie
 *     that wrote it in between is overruled;
 *  4. vectors are made only for content whose hash the store did not acknowledge (A5);
 *  5. a checkpoint holds documents and acknowledged rows: what lags is derived, not stored;
 *  6. a checkpoint says that a row is abandoned only once its dead letter is out (A13);
 *  7. no more than backlog_max listings, and those of one fetch, wait for a sink, be it in a queue
 *     or in a request under way: then the log is not read on (A14).
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/array.h"
#include "pipeline/folded.h"
#include "pipeline/listings.h"
#include "pipeline/partitioned.h"
#include "pipeline/record.h"
#include "pipeline/wire.h"

enum {
    PURPOSE_EMBED = TASK_PURPOSE_OWN,
    PURPOSE_VECTORS, /* argument: modality */
    PURPOSE_KEYWORDS,
    PURPOSE_LETTERS, /* dead letters; the source waits for them */
};

enum { SOURCE_LOG, SOURCE_COUNT };

/* Rows of a listing: its vectors in the order of enum modality, then the keyword row. */
enum { ROW_KEYWORD = MODALITY_COUNT, ROW_COUNT };

struct row {
    bool known;            /* the store acknowledged something since the listing was loaded */
    bool repair;           /* write over the same version too */
    uint64_t content;      /* content hash acknowledged; 0: no row */
    doc_version version;   /* version acknowledged */
    doc_version moved;     /* version at which the wanted content changed last */
    uint64_t wanted;       /* content hash that the document asks for; 0: no row */
    doc_version abandoned; /* version that the store refuses for good; dead-lettered */
};

struct listing {
    struct listing_head head;
    struct row rows[ROW_COUNT];
    uint64_t embedding[MODALITY_COUNT]; /* content hashes that are being embedded; 0: not */
    doc_version embedding_version;      /* of the document that they were asked for */
    uint8_t vectors_busy;               /* requests under way for the vector rows */
    bool keyword_busy;
    bool vectors_queued;
    bool embed_queued;
    bool keyword_queued;
};

/* First in, first out: indices of listings whose rows may lag. */
struct queue {
    size_t *items;
    size_t first, count, capacity;
};

struct builder_task {
    struct task task;
    struct listings listings;
    struct queue vectors; /* can be written as they are */
    struct queue embeds;  /* need vectors made first */
    struct queue keywords;
    size_t vectors_under_way, keywords_under_way; /* listings with a request for these rows */
    uint32_t embed_failing, vectors_failing, keywords_failing; /* requests that go in circles */
    bool fetch_paused;
};

/* ---- Queues ---- */

static int queue_push(struct queue *queue, size_t item) {
    if (queue->first > 0 && queue->first + queue->count == queue->capacity) {
        memmove(queue->items, queue->items + queue->first, queue->count * sizeof *queue->items);
        queue->first = 0;
    }
    if (ARRAY_RESERVE(queue->items, queue->capacity, queue->first + queue->count + 1) != 0) {
        return -ENOMEM;
    }
    queue->items[queue->first + queue->count++] = item;
    return 0;
}

static size_t queue_pop(struct queue *queue) {
    assert(queue->count > 0);
    size_t item = queue->items[queue->first++];
    if (--queue->count == 0) {
        queue->first = 0;
    }
    return item;
}

/* ---- Listings ---- */

static int task_init(struct partitioned *builder, struct task *head) {
    (void)builder;
    struct builder_task *task = (struct builder_task *)head;
    listings_init(&task->listings, sizeof(struct listing));
    if (task_sources(head, SOURCE_COUNT) != 0) {
        return -ENOMEM;
    }
    head->sources[SOURCE_LOG].topic = TOPIC_LISTING_LOG;
    head->sources[SOURCE_LOG].partition = head->partition;
    return 0;
}

static void task_release(struct task *head) {
    struct builder_task *task = (struct builder_task *)head;
    listings_release(&task->listings);
    free(task->vectors.items);
    free(task->embeds.items);
    free(task->keywords.items);
}

static struct listing *listing_at(struct builder_task *task, size_t at) {
    return listings_at(&task->listings, at);
}

static struct listing *listing_find(struct builder_task *task, uint64_t id, size_t *at) {
    return listings_find(&task->listings, id, at) ? listing_at(task, *at) : NULL;
}

/* Brings each row's wanted content up to the document. */
static void rows_want(struct listing *listing) {
    const struct document_digest *digest = &listing->head.folded.digest;
    bool served = document_served(&listing->head.folded.document);
    const uint64_t wanted[ROW_COUNT] = {
        [MODALITY_TEXT] = digest->text,
        [MODALITY_IMAGE] = digest->image,
        [MODALITY_FUSED] = digest->fused,
        [ROW_KEYWORD] = digest->text,
    };
    for (size_t i = 0; i < ROW_COUNT; i++) {
        uint64_t want = served ? wanted[i] : 0;
        if (listing->rows[i].wanted != want) {
            listing->rows[i].wanted = want;
            listing->rows[i].moved = listing->head.folded.visible_version;
        }
    }
}

/* ---- What a row needs ---- */

enum need { NEED_NOTHING, NEED_CONTENT, NEED_METADATA, NEED_DELETE };

static enum need row_need(const struct partitioned *builder, const struct listing *listing,
                          size_t i) {
    const struct row *row = &listing->rows[i];
    doc_version version = listing->head.folded.visible_version;
    if (version == DOC_VERSION_NONE || row->abandoned == version) {
        return NEED_NOTHING;
    }
    bool unsure = !row->known || row->repair;
    if (row->wanted == 0) {
        bool disturbed = unsure || row->moved > row->version;
        return disturbed || row->content != 0 ? NEED_DELETE : NEED_NOTHING;
    }
    /* Content that went away and came back since is not made anew: if somebody wrote what was in
     * between, the metadata write finds that content MISSING. */
    bool lags = row->version < version;
    const struct bugs *bugs = builder->machine.bugs;
    if (bug_on(bugs, BUG_NEVER_REEMBED) && row->known && row->content != 0 && !row->repair) {
        return lags ? NEED_METADATA : NEED_NOTHING;
    }
    if (unsure || row->content != row->wanted || (lags && bug_on(bugs, BUG_ALWAYS_REEMBED))) {
        return NEED_CONTENT;
    }
    return lags ? NEED_METADATA : NEED_NOTHING;
}

static bool vectors_lag(const struct partitioned *builder, const struct listing *listing) {
    for (size_t m = 0; m < MODALITY_COUNT; m++) {
        if (row_need(builder, listing, m) != NEED_NOTHING) {
            return true;
        }
    }
    return false;
}

/* Bits of the modalities that need vectors which are not at hand; `made` holds vectors by modality,
 * or NULL. */
static uint8_t vectors_wanted(const struct partitioned *builder, const struct listing *listing,
                              float *const *made) {
    uint8_t wanted = 0;
    for (size_t m = 0; m < MODALITY_COUNT; m++) {
        bool at_hand =
            made != NULL && made[m] != NULL && listing->embedding[m] == listing->rows[m].wanted;
        if (row_need(builder, listing, m) == NEED_CONTENT && !at_hand) {
            wanted |= (uint8_t)(1u << m);
        }
    }
    return wanted;
}

static int queue_once(struct queue *queue, bool *queued, size_t at) {
    if (*queued) {
        return 0;
    }
    *queued = true;
    return queue_push(queue, at);
}

/* Queues the listing for whichever of its sinks lags and has nothing under way. */
static int listing_queue(struct partitioned *builder, struct builder_task *task, size_t at) {
    struct listing *listing = listing_at(task, (size_t)at);
    int error = 0;
    if (listing->vectors_busy == 0 && vectors_lag(builder, listing)) {
        error = vectors_wanted(builder, listing, NULL) == 0
                    ? queue_once(&task->vectors, &listing->vectors_queued, at)
                    : queue_once(&task->embeds, &listing->embed_queued, at);
    }
    if (error == 0 && !listing->keyword_busy &&
        row_need(builder, listing, ROW_KEYWORD) != NEED_NOTHING) {
        error = queue_once(&task->keywords, &listing->keyword_queued, at);
    }
    return error;
}

static enum version_rule row_rule(const struct partitioned *builder, const struct row *row) {
    if (bug_on(builder->machine.bugs, BUG_NO_VERSION_CHECK)) {
        return VERSION_IGNORED;
    }
    return row->repair ? VERSION_GREATER_OR_EQUAL : VERSION_GREATER;
}

/* The metadata to write; a metadata-only write names the content that the store should hold. */
static struct row_meta row_meta(const struct partitioned *builder, const struct listing *listing,
                                size_t i, enum need need) {
    struct row_meta meta = folded_row_meta(&listing->head.folded);
    meta.content_hash = need == NEED_METADATA ? listing->rows[i].content : listing->rows[i].wanted;
    meta.model_version = builder->machine.config->model_version;
    return meta;
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
        .locale = effect_copy(effects, embed, folded_text(folded, FIELD_LOCALE)),
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
                                  struct effects *effects, size_t room) {
    struct effect *embed = machine_request(&builder->machine, effects, EFFECT_EMBED, 0);
    if (task_expect(builder, &task->task, embed, PURPOSE_EMBED, 0) != 0) {
        return NULL;
    }
    embed->embed.model_version = builder->machine.config->model_version;
    embed->embed.items = effect_alloc(effects, embed, room * sizeof *embed->embed.items);
    embed->embed.results = effect_alloc(effects, embed, room * sizeof *embed->embed.results);
    return embed->embed.items == NULL || embed->embed.results == NULL ? NULL : embed;
}

static int embed_add(struct effects *effects, struct effect *embed, struct listing *listing,
                     uint8_t modalities) {
    struct embed_item *item = &embed->embed.items[embed->embed.count];
    struct embed_result *result = &embed->embed.results[embed->embed.count];
    item->listing_id = listing->head.folded.document.listing_id;
    item->modalities = modalities;
    if (embed_input(effects, embed, &listing->head.folded, item) != 0) {
        return -ENOMEM;
    }
    for (size_t m = 0; m < MODALITY_COUNT; m++) {
        listing->embedding[m] = 0;
        if ((modalities >> m & 1) == 0) {
            continue;
        }
        listing->embedding[m] = listing->rows[m].wanted;
        result->vectors[m] =
            effect_alloc_raw(effects, embed, modality_dimension((enum modality)m) * sizeof(float));
        if (result->vectors[m] == NULL) {
            return -ENOMEM;
        }
    }
    embed->embed.count++;
    listing->embedding_version = listing->head.folded.visible_version;
    listing->vectors_busy = 1;
    return 0;
}

/* ---- Writing vectors ---- */

/* Items of one write request: stores limit their batches (Pinecone to 1,000 rows). */
static size_t batch_room(size_t items) {
    enum { WRITE_ITEMS_MAX = 1000 };
    return items < WRITE_ITEMS_MAX ? items : WRITE_ITEMS_MAX;
}

/* The write request of each modality that is being filled; a full one is followed by the next. */
struct vector_batch {
    struct effect *effects[MODALITY_COUNT];
    size_t room;
};

static struct vector_write *vector_item(struct partitioned *builder, struct builder_task *task,
                                        struct effects *effects, struct vector_batch *batch,
                                        size_t m) {
    struct effect *write = batch->effects[m];
    if (write == NULL || write->vectors.count == batch->room) {
        write = machine_request(&builder->machine, effects, EFFECT_WRITE_VECTORS, 0);
        if (task_expect(builder, &task->task, write, PURPOSE_VECTORS, (uint32_t)m) != 0) {
            return NULL;
        }
        write->vectors.modality = (enum modality)m;
        write->vectors.model_version = builder->machine.config->model_version;
        write->vectors.items =
            effect_alloc(effects, write, batch->room * sizeof *write->vectors.items);
        write->vectors.statuses =
            effect_alloc(effects, write, batch->room * sizeof *write->vectors.statuses);
        if (write->vectors.items == NULL || write->vectors.statuses == NULL) {
            return NULL;
        }
        batch->effects[m] = write;
    }
    return &write->vectors.items[write->vectors.count++];
}

static int copy_meta(struct effects *effects, struct effect *effect, struct row_meta *meta) {
    meta->category = effect_copy(effects, effect, meta->category);
    meta->locale = effect_copy(effects, effect, meta->locale);
    return effects->out_of_memory ? -ENOMEM : 0;
}

/* Sends every lagging vector row of the listing; `made` holds vectors by modality, or NULL. */
static int vectors_write(struct partitioned *builder, struct builder_task *task,
                         struct listing *listing, float *const *made, struct vector_batch *batch,
                         struct effects *effects) {
    for (size_t m = 0; m < MODALITY_COUNT; m++) {
        enum need need = row_need(builder, listing, m);
        if (need == NEED_NOTHING) {
            continue;
        }
        struct vector_write *item = vector_item(builder, task, effects, batch, m);
        if (item == NULL) {
            return -ENOMEM;
        }
        struct effect *write = batch->effects[m];
        item->listing_id = listing->head.folded.document.listing_id;
        item->rule = row_rule(builder, &listing->rows[m]);
        item->meta = row_meta(builder, listing, m, need);
        if (copy_meta(effects, write, &item->meta) != 0) {
            return -ENOMEM;
        }
        item->kind = need == NEED_DELETE     ? ROW_DELETE
                     : need == NEED_METADATA ? ROW_METADATA
                                             : ROW_UPSERT;
        if (need == NEED_CONTENT) {
            size_t size = modality_dimension((enum modality)m) * sizeof(float);
            assert(made != NULL && made[m] != NULL);
            item->vector = (const float *)(const void *)effect_copy(
                               effects, write, (struct bytes){(const char *)made[m], size})
                               .data;
            if (item->vector == NULL) {
                return -ENOMEM;
            }
        } else if (need == NEED_METADATA) {
            machine_count(&builder->machine, COUNTER_EMBEDDINGS_AVOIDED, 1);
        }
        listing->vectors_busy++;
    }
    task->vectors_under_way += listing->vectors_busy > 0;
    return 0;
}

/* Sends what the queue of vectors holds; what turns out to need an embedding is queued for it. */
static int pump_writes(struct partitioned *builder, struct builder_task *task,
                       struct vector_batch *batch, struct effects *effects) {
    while (task->vectors.count > 0) {
        size_t at = queue_pop(&task->vectors);
        struct listing *listing = listing_at(task, (size_t)at);
        listing->vectors_queued = false;
        if (listing->vectors_busy > 0) {
            continue;
        }
        int error = vectors_wanted(builder, listing, NULL) == 0
                        ? vectors_write(builder, task, listing, NULL, batch, effects)
                        : queue_once(&task->embeds, &listing->embed_queued, at);
        if (error != 0) {
            return -ENOMEM;
        }
    }
    return 0;
}

/* Sends what the queue of embeds holds; what does not need an embedding any more is written. */
static int pump_embeds(struct partitioned *builder, struct builder_task *task,
                       struct vector_batch *batch, struct effects *effects) {
    struct effect *embed = NULL;
    uint32_t embed_max = builder->machine.config->embed_batch_max;
    while (task->embeds.count > 0) {
        struct listing *listing = listing_at(task, queue_pop(&task->embeds));
        listing->embed_queued = false;
        if (listing->vectors_busy > 0) {
            continue;
        }
        uint8_t wanted = vectors_wanted(builder, listing, NULL);
        if (wanted == 0) {
            if (vectors_write(builder, task, listing, NULL, batch, effects) != 0) {
                return -ENOMEM;
            }
            continue;
        }
        if (embed == NULL || embed->embed.count == embed_max) {
            embed = embed_begin(builder, task, effects, embed_max);
        }
        if (embed == NULL || embed_add(effects, embed, listing, wanted) != 0) {
            return -ENOMEM;
        }
        task->vectors_under_way++;
    }
    return 0;
}

static int pump_vectors(struct partitioned *builder, struct builder_task *task,
                        struct effects *effects) {
    if (task->vectors_failing > 0) {
        return 0;
    }
    struct vector_batch batch = {.room = batch_room(task->vectors.count + task->embeds.count)};
    if (pump_writes(builder, task, &batch, effects) != 0) {
        return -ENOMEM;
    }
    return task->embed_failing > 0 ? 0 : pump_embeds(builder, task, &batch, effects);
}

/* ---- Writing keyword rows ---- */

static int keyword_fill(struct partitioned *builder, struct listing *listing, struct effect *write,
                        struct effects *effects) {
    struct row *row = &listing->rows[ROW_KEYWORD];
    enum need need = row_need(builder, listing, ROW_KEYWORD);
    const struct folded *folded = &listing->head.folded;
    struct keyword_write *item = &write->keywords.items[write->keywords.count++];
    item->listing_id = folded->document.listing_id;
    item->rule = row_rule(builder, row);
    item->kind = need == NEED_DELETE     ? ROW_DELETE
                 : need == NEED_METADATA ? ROW_METADATA
                                         : ROW_UPSERT;
    item->meta = row_meta(builder, listing, ROW_KEYWORD, need);
    item->meta.model_version = 0;
    if (need == NEED_CONTENT) {
        size_t length = folded_attributes_text(folded, NULL, 0);
        char *attributes = effect_alloc(effects, write, length + 1);
        if (attributes == NULL) {
            return -ENOMEM;
        }
        folded_attributes_text(folded, attributes, length);
        item->title = effect_copy(effects, write, folded_text(folded, FIELD_TITLE));
        item->description = effect_copy(effects, write, folded_text(folded, FIELD_DESCRIPTION));
        item->attributes = (struct bytes){attributes, length};
    }
    return copy_meta(effects, write, &item->meta);
}

static int pump_keywords(struct partitioned *builder, struct builder_task *task,
                         struct effects *effects) {
    if (task->keywords_failing > 0 || task->keywords.count == 0) {
        return 0;
    }
    struct effect *write = NULL;
    size_t room = batch_room(task->keywords.count);
    while (task->keywords.count > 0) {
        struct listing *listing = listing_at(task, queue_pop(&task->keywords));
        listing->keyword_queued = false;
        if (listing->keyword_busy || row_need(builder, listing, ROW_KEYWORD) == NEED_NOTHING) {
            continue;
        }
        if (write == NULL || write->keywords.count == room) {
            write = machine_request(&builder->machine, effects, EFFECT_WRITE_KEYWORDS, 0);
            if (task_expect(builder, &task->task, write, PURPOSE_KEYWORDS, 0) != 0) {
                return -ENOMEM;
            }
            write->keywords.items =
                effect_alloc(effects, write, room * sizeof *write->keywords.items);
            write->keywords.statuses =
                effect_alloc(effects, write, room * sizeof *write->keywords.statuses);
            if (write->keywords.items == NULL || write->keywords.statuses == NULL) {
                return -ENOMEM;
            }
        }
        listing->keyword_busy = true;
        task->keywords_under_way++;
        if (keyword_fill(builder, listing, write, effects) != 0) {
            return -ENOMEM;
        }
    }
    return 0;
}

/* ---- Pace ---- */

/* Reads on unless too many listings wait for a sink: backpressure to the log (A14). */
static int fetch_or_pause(struct partitioned *builder, struct builder_task *task,
                          struct effects *effects) {
    uint32_t backlog_max = builder->machine.config->backlog_max;
    size_t vectors = task->vectors.count + task->embeds.count + task->vectors_under_way;
    size_t keywords = task->keywords.count + task->keywords_under_way;
    task->fetch_paused = vectors >= backlog_max || keywords >= backlog_max;
    return task->fetch_paused ? 0 : task_fetch(builder, &task->task, SOURCE_LOG, false, effects);
}

static int pump(struct partitioned *builder, struct builder_task *task, struct effects *effects) {
    if (pump_vectors(builder, task, effects) != 0 || pump_keywords(builder, task, effects) != 0) {
        return -ENOMEM;
    }
    return task->fetch_paused ? fetch_or_pause(builder, task, effects) : 0;
}

/* ---- Records ---- */

/* Adds a dead letter to the produce, which is made when the first one comes. */
static int letter_add(struct partitioned *builder, struct builder_task *task,
                      struct effect **letters, size_t room, uint64_t key,
                      const struct dead_letter *letter, struct effects *effects) {
    if (*letters == NULL) {
        struct effect *produce = machine_request(&builder->machine, effects, EFFECT_PRODUCE, 0);
        if (task_expect(builder, &task->task, produce, PURPOSE_LETTERS, 0) != 0) {
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
        task->task.sources[SOURCE_LOG].waiting++;
    }
    struct effect *produce = *letters;
    machine_count(&builder->machine, COUNTER_DEAD_LETTERED, 1);
    return dead_letter_item(effects, produce, &produce->produce.items[produce->produce.count++],
                            key, letter);
}

/* Folds one record. 0, or -ENOMEM. */
static int fold(struct partitioned *builder, struct builder_task *task,
                const struct log_record *logged, const struct record *record) {
    int64_t at = listings_make(&task->listings, record->subject_id);
    if (at < 0) {
        return -ENOMEM;
    }
    struct listing *listing = listing_at(task, (size_t)at);
    int outcome = folded_fold(&listing->head.folded, record, logged, builder->machine.bugs);
    if (outcome < 0) {
        return outcome;
    }
    machine_count(&builder->machine, outcome == FOLD_NOT_NEWS ? COUNTER_NOT_NEWS : COUNTER_FOLDED,
                  1);
    if (outcome == FOLD_NOT_NEWS) {
        return 0;
    }
    if (outcome == FOLD_VISIBLE) {
        rows_want(listing);
        if (listing_queue(builder, task, (size_t)at) != 0) {
            return -ENOMEM;
        }
    }
    return listings_unsaved(&task->listings, (size_t)at);
}

static int records(struct partitioned *builder, struct task *head, size_t index,
                   const struct event *event, struct effects *effects) {
    struct builder_task *task = (struct builder_task *)head;
    struct source *source = &head->sources[index];
    struct effect *letters = NULL;
    size_t count = event->records.count;
    assert(count > 0);
    source->next = event->records.records[count - 1].offset + 1;
    machine_count(&builder->machine, COUNTER_RECORDS_READ, count);
    for (size_t i = 0; i < count; i++) {
        const struct log_record *logged = &event->records.records[i];
        struct record record;
        struct record_error error;
        int failed;
        if (record_of_topic(source->topic, logged->value, &record, &error) == 0) {
            failed = fold(builder, task, logged, &record);
        } else {
            struct dead_letter letter = dead_letter_of(source, logged, &error);
            failed = letter_add(builder, task, &letters, count, logged->key, &letter, effects);
        }
        if (failed != 0) {
            return -ENOMEM;
        }
    }
    if (source->waiting == 0) {
        source->safe = source->next;
    }
    task_changed(builder, head, event->now, effects);
    if (pump_vectors(builder, task, effects) != 0 || pump_keywords(builder, task, effects) != 0) {
        return -ENOMEM;
    }
    return fetch_or_pause(builder, task, effects);
}

/* ---- Answers ---- */

/* The document's present version of the row is refused for good: it is set aside until the document
 * moves on. What was refused of a version that the document left behind needs no letter: the next
 * version is sent anyway. */
static int row_abandon(struct partitioned *builder, struct builder_task *task, size_t at, size_t i,
                       struct effect **letters, size_t room, struct effects *effects) {
    struct listing *listing = listing_at(task, (size_t)at);
    listing->rows[i].abandoned = listing->head.folded.visible_version;
    if (listings_unsaved(&task->listings, at) != 0) {
        return -ENOMEM;
    }
    struct dead_letter letter = {
        .topic = TOPIC_LISTING_LOG,
        .partition = task->task.partition,
        .offset = doc_version_offset(listing->head.folded.visible_version),
        .append = listing->head.folded.visible_at,
        .contract_version = RECORD_CONTRACT_VERSION,
        .reason = bytes_of("the store refuses the row for good"),
        .field = bytes_of(i == ROW_KEYWORD ? "keyword row" : modality_name((enum modality)i)),
        .expected = bytes_of("a row that the store accepts"),
        .actual = ITEM_FATAL,
    };
    return letter_add(builder, task, letters, room, listing->head.folded.document.listing_id,
                      &letter, effects);
}

/* Takes in what the store said of one row. */
static void row_settle(struct partitioned *builder, struct row *row, enum item_status status,
                       enum row_write_kind kind, enum version_rule rule,
                       const struct row_meta *meta) {
    if (status == ITEM_MISSING) {
        row->known = false;
        return;
    }
    assert(status == ITEM_APPLIED || status == ITEM_CONFLICT);
    /* After a conflict the store holds this version or a newer one: ours need not be sent. A write
     * that set out before the repair was asked for does not do the repair. */
    row->known = true;
    row->repair = row->repair && rule == VERSION_GREATER;
    row->version = meta->version;
    row->content = kind == ROW_DELETE ? 0 : meta->content_hash;
    if (status == ITEM_CONFLICT) {
        machine_count(&builder->machine, COUNTER_STALE_REJECTED, 1);
    }
}

static bool statuses_settled(const enum item_status *statuses, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (statuses[i] == ITEM_RETRYABLE || statuses[i] == ITEM_UNKNOWN) {
            return false;
        }
    }
    return true;
}

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

static int vectors_written(struct partitioned *builder, struct builder_task *task, size_t m,
                           const struct event *event, struct effects *effects, bool *again) {
    const struct effect *write = event->answered;
    size_t count = write->vectors.count;
    if (!statuses_settled(write->vectors.statuses, count)) {
        *again = true;
        return 0;
    }
    struct effect *letters = NULL;
    for (size_t i = 0; i < count; i++) {
        const struct vector_write *item = &write->vectors.items[i];
        enum item_status status = write->vectors.statuses[i];
        size_t at;
        struct listing *listing = listing_find(task, item->listing_id, &at);
        assert(listing != NULL && listing->vectors_busy > 0);
        listing->vectors_busy--;
        task->vectors_under_way -= listing->vectors_busy == 0;
        if (status != ITEM_FATAL) {
            row_settle(builder, &listing->rows[m], status, item->kind, item->rule, &item->meta);
            count_write(builder, item->kind, status);
        } else if (item->meta.version == listing->head.folded.visible_version &&
                   row_abandon(builder, task, at, m, &letters, count, effects) != 0) {
            return -ENOMEM;
        }
        if (listings_unsaved(&task->listings, at) != 0 || listing_queue(builder, task, at) != 0) {
            return -ENOMEM;
        }
    }
    return 0;
}

static int keywords_written(struct partitioned *builder, struct builder_task *task,
                            const struct event *event, struct effects *effects, bool *again) {
    const struct effect *write = event->answered;
    size_t count = write->keywords.count;
    if (!statuses_settled(write->keywords.statuses, count)) {
        *again = true;
        return 0;
    }
    struct effect *letters = NULL;
    for (size_t i = 0; i < count; i++) {
        const struct keyword_write *item = &write->keywords.items[i];
        size_t at;
        struct listing *listing = listing_find(task, item->listing_id, &at);
        assert(listing != NULL && listing->keyword_busy);
        listing->keyword_busy = false;
        task->keywords_under_way--;
        if (write->keywords.statuses[i] != ITEM_FATAL) {
            row_settle(builder, &listing->rows[ROW_KEYWORD], write->keywords.statuses[i],
                       item->kind, item->rule, &item->meta);
        } else if (item->meta.version == listing->head.folded.visible_version &&
                   row_abandon(builder, task, at, ROW_KEYWORD, &letters, count, effects) != 0) {
            return -ENOMEM;
        }
        if (listings_unsaved(&task->listings, at) != 0 || listing_queue(builder, task, at) != 0) {
            return -ENOMEM;
        }
    }
    return 0;
}

/* Embeddings came: what still fits is written; what the document outgrew is asked for anew. */
static int embedded(struct partitioned *builder, struct builder_task *task,
                    const struct event *event, struct effects *effects, bool *again) {
    const struct effect *embed = event->answered;
    size_t count = embed->embed.count;
    for (size_t i = 0; i < count; i++) {
        enum item_status status = embed->embed.results[i].status;
        if (status != ITEM_APPLIED && status != ITEM_FATAL) {
            *again = true;
            return 0;
        }
    }
    struct vector_batch batch = {.room = batch_room(count)};
    struct effect *letters = NULL;
    for (size_t i = 0; i < count; i++) {
        const struct embed_item *item = &embed->embed.items[i];
        const struct embed_result *result = &embed->embed.results[i];
        size_t at;
        struct listing *listing = listing_find(task, item->listing_id, &at);
        assert(listing != NULL && listing->vectors_busy == 1);
        listing->vectors_busy = 0;
        task->vectors_under_way--;
        for (size_t m = 0; m < MODALITY_COUNT; m++) {
            if ((item->modalities >> m & 1) == 0) {
                continue;
            }
            if (result->status == ITEM_APPLIED) {
                machine_count(&builder->machine, COUNTER_EMBEDDINGS_MADE, 1);
            } else if (listing->embedding_version == listing->head.folded.visible_version &&
                       row_abandon(builder, task, at, m, &letters, count * MODALITY_COUNT,
                                   effects) != 0) {
                return -ENOMEM;
            }
        }
        float *const *made = result->status == ITEM_APPLIED ? result->vectors : NULL;
        if (vectors_wanted(builder, listing, made) != 0) {
            if (listing_queue(builder, task, at) != 0) {
                return -ENOMEM;
            }
        } else if (vectors_write(builder, task, listing, made, &batch, effects) != 0) {
            return -ENOMEM;
        }
    }
    return 0;
}

/* Dead letters are out: the source may be checkpointed beyond them. */
static void letters_out(struct builder_task *task) {
    struct source *source = &task->task.sources[SOURCE_LOG];
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
        error = embedded(builder, task, event, effects, again);
        break;
    case PURPOSE_VECTORS:
        error = vectors_written(builder, task, argument, event, effects, again);
        break;
    case PURPOSE_KEYWORDS:
        error = keywords_written(builder, task, event, effects, again);
        break;
    default:
        letters_out(task);
        break;
    }
    if (error == 0 && !*again) {
        task_changed(builder, head, event->now, effects);
    }
    return error;
}

/* While a request to a sink goes in circles nothing further is sent there: an open circuit. */
static void task_failing(struct task *head, uint32_t purpose, uint32_t failures) {
    struct builder_task *task = (struct builder_task *)head;
    uint32_t *failing = purpose == PURPOSE_EMBED      ? &task->embed_failing
                        : purpose == PURPOSE_VECTORS  ? &task->vectors_failing
                        : purpose == PURPOSE_KEYWORDS ? &task->keywords_failing
                                                      : NULL;
    if (failing != NULL && failures == 1) {
        (*failing)++;
    } else if (failing != NULL && failures == 0) {
        assert(*failing > 0);
        (*failing)--;
    }
}

/* ---- Checkpoints ---- */

enum { ROW_ENCODED_BYTES = 1 + 8 + 8 + 8 + 8 };

/* While dead letters are under way no row is said to be abandoned: a crash would lose the letter.
 */
static size_t entry_encode(const struct listing *listing, bool letters_out, char *buffer) {
    char *at = buffer + folded_encode(&listing->head.folded, buffer);
    for (size_t i = 0; i < ROW_COUNT; i++) {
        const struct row *row = &listing->rows[i];
        at = wire_put(at, (uint64_t)(row->known | row->repair << 1), 1);
        at = wire_put(at, row->content, 8);
        at = wire_put(at, (uint64_t)row->version, 8);
        at = wire_put(at, (uint64_t)row->moved, 8);
        at = wire_put(at, (uint64_t)(letters_out ? row->abandoned : DOC_VERSION_NONE), 8);
    }
    return (size_t)(at - buffer);
}

static bool any_abandoned(const struct listing *listing) {
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (listing->rows[i].abandoned != DOC_VERSION_NONE) {
            return true;
        }
    }
    return false;
}

static size_t entry_room(const void *item) {
    const struct listing *listing = item;
    return folded_encoded_size(&listing->head.folded) + ROW_COUNT * ROW_ENCODED_BYTES;
}

static size_t entry_write(const void *item, char *buffer, bool *again, const void *letters_out) {
    const struct listing *listing = item;
    bool out = *(const bool *)letters_out;
    *again = !out && any_abandoned(listing);
    return entry_encode(listing, out, buffer);
}

static int save_entries(struct partitioned *builder, struct task *head, struct effect *save,
                        struct effects *effects) {
    struct builder_task *task = (struct builder_task *)head;
    bool letters_out = head->sources[SOURCE_LOG].waiting == 0;
    struct listing_codec codec = {entry_room, entry_write, &letters_out};
    return listings_save(&task->listings, save, effects, &codec,
                         bug_on(builder->machine.bugs, BUG_OFFSET_BEFORE_STATE));
}

static int restore_entry(struct partitioned *builder, struct task *head, uint64_t key,
                         struct bytes value) {
    struct builder_task *task = (struct builder_task *)head;
    int64_t at = listings_make(&task->listings, key);
    if (at < 0) {
        return -ENOMEM;
    }
    struct listing *listing = listing_at(task, (size_t)at);
    struct wire_reader reader = wire_reader_of(value);
    int error = folded_decode(&listing->head.folded, &reader);
    if (error != 0) {
        return error;
    }
    rows_want(listing);
    for (size_t i = 0; i < ROW_COUNT; i++) {
        struct row *row = &listing->rows[i];
        uint64_t flags = wire_get(&reader, 1);
        row->known = (flags & 1) != 0;
        row->repair = (flags & 2) != 0;
        row->content = wire_get(&reader, 8);
        row->version = (doc_version)wire_get(&reader, 8);
        row->moved = (doc_version)wire_get(&reader, 8);
        row->abandoned = (doc_version)wire_get(&reader, 8);
    }
    assert(!reader.failed);
    return listing_queue(builder, task, (size_t)at);
}

static int task_begin(struct partitioned *builder, struct task *head, const struct event *event,
                      struct effects *effects) {
    (void)event;
    struct builder_task *task = (struct builder_task *)head;
    if (pump(builder, task, effects) != 0) {
        return -ENOMEM;
    }
    return fetch_or_pause(builder, task, effects);
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

/* Repair: the named rows are written anew, whatever the store acknowledged before. */
static int repair(struct partitioned *builder, const struct event *event, struct effects *effects) {
    int row = row_of_store(event->command.store);
    if (row < 0) {
        return 0;
    }
    for (size_t i = 0; i < event->command.count; i++) {
        uint64_t id = event->command.listing_ids[i];
        struct builder_task *task = (struct builder_task *)task_find(
            builder, topic_partition(id, builder->machine.config->partitions));
        size_t at;
        struct listing *listing = task == NULL ? NULL : listing_find(task, id, &at);
        if (listing == NULL || !task->task.ready) {
            continue;
        }
        listing->rows[row].known = false;
        listing->rows[row].repair = true;
        listing->rows[row].abandoned = DOC_VERSION_NONE;
        if (listings_unsaved(&task->listings, at) != 0 || listing_queue(builder, task, at) != 0) {
            return -ENOMEM;
        }
        task_changed(builder, &task->task, event->now, effects);
    }
    for (size_t i = 0; i < builder->task_count; i++) {
        struct builder_task *task = (struct builder_task *)builder->tasks[i];
        if (task->task.ready && pump(builder, task, effects) != 0) {
            return -ENOMEM;
        }
    }
    return 0;
}

static int other(struct partitioned *builder, const struct event *event, struct effects *effects) {
    if (event->kind == EVENT_COMMAND && event->command.kind == COMMAND_REPAIR) {
        return repair(builder, event, effects);
    }
    return 0;
}

static int settled(struct partitioned *builder, struct task *head, struct effects *effects) {
    return pump(builder, (struct builder_task *)head, effects);
}

struct machine *builder_new(void) {
    static const struct task_ops ops = {
        .task_size = sizeof(struct builder_task),
        .init = task_init,
        .release = task_release,
        .restore_entry = restore_entry,
        .begin = task_begin,
        .records = records,
        .answered = task_answered,
        .failing = task_failing,
        .settled = settled,
        .save_entries = save_entries,
        .other = other,
    };
    return partitioned_new(sizeof(struct partitioned), &ops);
}
