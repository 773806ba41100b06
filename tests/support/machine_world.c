#include "tests/support/machine_world.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/array.h"
#include "pipeline/dead_letter.h"
#include "pipeline/folded.h"
#include "pipeline/format.h"
#include "tests/support/record_text.h"

enum { ROWS = MODALITY_COUNT + 1, KEYWORD = MODALITY_COUNT, ACTORS = 2 };
enum { MODELS = 2 }; /* versions 1 and 2 */

/* ---- What the world is made of ---- */

struct logged {
    struct log_record *items;
    size_t count, capacity;
};

struct planned {
    bool outbox;
    enum topic_id topic;
    struct bytes value;
};

struct checkpoint {
    uint32_t generation; /* below it saves are fenced */
    bool taken;
    struct bytes offsets;
    struct state_entry *entries;
    size_t count, capacity;
};

struct stored_row {
    bool exists;
    doc_version version; /* of the row or of its tombstone */
    uint64_t content, whole;
    float vector;
};

struct silver {
    uint64_t listing_id;
    doc_version version;
    uint64_t whole;
    bool alive;
};

struct bronze {
    enum topic_id topic;
    int64_t offset;
};

/* A request on its way. */
struct flight {
    struct effect *effect;
    bool done; /* its write was carried out, or failed: the answer is on its way */
    int error;
};

struct armed {
    uint64_t id;
    vtime at;
};

/* A process. */
struct actor {
    struct machine *machine;
    struct flight *flights;
    size_t flight_count, flight_capacity;
    struct armed *timers;
    size_t timer_count, timer_capacity;
};

struct world {
    enum machine_kind kind;
    struct world_options options;
    struct pipeline_config config;
    struct effect_pool pool;
    uint64_t random;
    vtime now;
    bool calm;
    uint32_t generation;
    struct actor actors[ACTORS]; /* the owner, and a zombie */
    struct flight *orphans;      /* writes of the dead that have not arrived */
    size_t orphan_count, orphan_capacity;
    struct planned *plan;
    size_t plan_next, plan_count, plan_capacity;
    struct logged log[TOPIC_COUNT];
    struct outbox_row *outbox;
    size_t outbox_count, outbox_capacity;
    int64_t trimmed;
    bool trimmed_too_early;
    struct checkpoint checkpoint;
    struct stored_row vectors[MODELS + 1][MODALITY_COUNT][WORLD_LISTINGS]; /* by model version */
    struct stored_row keywords[WORLD_LISTINGS];
    bool collections[MODELS + 1]; /* that exist */
    uint32_t models[MODELS];      /* announced last: the served one, and the other or 0 */
    struct stamp announced;
    bool reopened;              /* a collection was dropped and made again */
    bool named[WORLD_LISTINGS]; /* the backfill asked for it */
    struct silver *silver;
    size_t silver_count, silver_capacity;
    struct silver gold[WORLD_LISTINGS];
    struct bronze *bronze;
    size_t bronze_count, bronze_capacity;
    uint64_t *orders;
    size_t order_count, order_capacity;
    size_t crashes;
    uint64_t counters[MACHINE_COUNTER_COUNT];
    char wrong[512];
};

#define GROW(items, count, capacity)                                                               \
    assert_int_equal(ARRAY_RESERVE(items, capacity, (count) + 1), 0)

uint64_t world_random(struct world *w, uint64_t n) {
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return (w->random * UINT64_C(0x2545F4914F6CDD1D) >> 33) % n;
}

static bool chance(struct world *w, unsigned percent) {
    return !w->calm && world_random(w, 100) < percent;
}

static struct bytes bytes_copy(struct bytes bytes) {
    char *copy = malloc(bytes.len + 1);
    assert_non_null(copy);
    if (bytes.len > 0) {
        memcpy(copy, bytes.data, bytes.len);
    }
    return (struct bytes){copy, bytes.len};
}

static void bytes_free(struct bytes bytes) {
    free((char *)bytes.data);
}

static void append(struct world *w, enum topic_id topic, uint64_t key, struct bytes value) {
    struct logged *log = &w->log[topic];
    GROW(log->items, log->count, log->capacity);
    log->items[log->count] = (struct log_record){
        .offset = (int64_t)log->count, .append = w->now, .key = key, .value = bytes_copy(value)};
    log->count++;
}

/* ---- Life and death ---- */

static void effects_take_all(struct world *w, struct actor *actor, struct effects *effects,
                             struct flight *answered);

static void step(struct world *w, struct actor *actor, struct event *event,
                 struct flight *answered) {
    struct effects effects;
    effects_init(&effects, &w->pool);
    event->now = w->now;
    assert_int_equal(pipeline_step(actor->machine, event, &effects), 0);
    effects_take_all(w, actor, &effects, answered);
}

/* Which code the next process runs, and what is finalised as it starts. */
static void draw_version(struct world *w) {
    if (!w->options.versions) {
        return;
    }
    bool finalised = w->config.format_level >= FORMAT_NEWEST;
    w->config.format_level =
        finalised || world_random(w, 6) == 0 ? FORMAT_NEWEST : (uint32_t)FORMAT_BARE;
    w->config.code_version = w->calm ? FORMAT_NEWEST : 1 + (uint32_t)world_random(w, FORMAT_NEWEST);
}

static void birth(struct world *w) {
    struct actor *actor = &w->actors[0];
    draw_version(w);
    *actor = (struct actor){.machine =
                                machine_new(w->kind, w->generation, &w->config, &w->options.bugs)};
    assert_non_null(actor->machine);
    w->generation++;
    static const uint32_t only[] = {0};
    step(w, actor, &(struct event){.kind = EVENT_START}, NULL);
    step(w, actor, &(struct event){.kind = EVENT_ASSIGNED, .assigned = {w->generation, only, 1}},
         NULL);
}

static bool is_write(enum effect_kind kind) {
    return kind == EFFECT_SAVE_STATE || kind == EFFECT_PRODUCE || kind == EFFECT_WRITE_VECTORS ||
           kind == EFFECT_WRITE_KEYWORDS || kind == EFFECT_LOAD_WAREHOUSE;
}

/* What was sent and has not arrived may still arrive. */
static void death(struct world *w, struct actor *actor) {
    if (actor->machine == NULL) {
        return;
    }
    for (int i = 0; i < MACHINE_COUNTER_COUNT; i++) {
        w->counters[i] += machine_counters(actor->machine)[i];
    }
    machine_free(actor->machine);
    for (size_t i = 0; i < actor->flight_count; i++) {
        struct flight flight = actor->flights[i];
        if (!flight.done && is_write(flight.effect->kind) && world_random(w, 2) == 0) {
            GROW(w->orphans, w->orphan_count, w->orphan_capacity);
            w->orphans[w->orphan_count++] = flight;
        } else {
            effect_release(&w->pool, flight.effect);
        }
    }
    free(actor->flights);
    free(actor->timers);
    *actor = (struct actor){.machine = NULL};
}

static void take_over(struct world *w) {
    w->crashes++;
    death(w, &w->actors[1]);
    if (world_random(w, 2) == 0) {
        w->actors[1] = w->actors[0];
    } else {
        death(w, &w->actors[0]);
    }
    birth(w);
}

struct world *world_new(enum machine_kind kind, const struct world_options *options) {
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->kind = kind;
    w->options = *options;
    w->config = (struct pipeline_config){
        .partitions = 1, .fetch_records_max = 4, .embed_batch_max = 3, .backlog_max = 6};
    if (options->quarantine) {
        w->config.volume_window_ns = 50 * VTIME_MILLISECOND;
        w->config.volume_factor = 1;
        w->config.quarantine_deletes_min = 1;
    }
    w->random = options->seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    w->now = text_time(4 * 3600);
    w->models[0] = 1;
    w->collections[1] = true;
    w->announced = STAMP_NONE;
    effect_pool_init(&w->pool);
    birth(w);
    return w;
}

void world_free(struct world *w) {
    w->calm = true;
    for (int i = 0; i < ACTORS; i++) {
        death(w, &w->actors[i]);
    }
    for (size_t i = 0; i < w->orphan_count; i++) {
        effect_release(&w->pool, w->orphans[i].effect);
    }
    for (size_t i = 0; i < w->plan_count; i++) {
        bytes_free(w->plan[i].value);
    }
    for (int topic = 0; topic < TOPIC_COUNT; topic++) {
        for (size_t i = 0; i < w->log[topic].count; i++) {
            bytes_free(w->log[topic].items[i].value);
        }
        free(w->log[topic].items);
    }
    for (size_t i = 0; i < w->checkpoint.count; i++) {
        bytes_free(w->checkpoint.entries[i].value);
    }
    bytes_free(w->checkpoint.offsets);
    free(w->checkpoint.entries);
    free(w->orphans);
    free(w->plan);
    free(w->outbox);
    free(w->silver);
    free(w->bronze);
    free(w->orders);
    effect_pool_release(&w->pool);
    free(w);
}

/* ---- Effects ---- */

static void effects_take_all(struct world *w, struct actor *actor, struct effects *effects,
                             struct flight *answered) {
    bool again = false;
    struct effect *effect;
    while ((effect = effects_take(effects)) != NULL) {
        if (effect->request > 0) {
            GROW(actor->flights, actor->flight_count, actor->flight_capacity);
            actor->flights[actor->flight_count++] = (struct flight){.effect = effect};
            continue;
        }
        if (effect->kind == EFFECT_RESEND) {
            assert_non_null(answered);
            again = true;
            if (effect->resend.narrowed) {
                effect_narrow(answered->effect);
            }
        } else if (effect->kind == EFFECT_TIMER) {
            GROW(actor->timers, actor->timer_count, actor->timer_capacity);
            actor->timers[actor->timer_count++] =
                (struct armed){effect->timer.id, effect->timer.at};
        } else if (effect->kind == EFFECT_TRIM_OUTBOX && effect->trim_sequence > w->trimmed) {
            w->trimmed = effect->trim_sequence;
        }
        effect_release(&w->pool, effect);
    }
    if (answered == NULL) {
        return;
    }
    if (again) {
        GROW(actor->flights, actor->flight_count, actor->flight_capacity);
        actor->flights[actor->flight_count++] = (struct flight){.effect = answered->effect};
    } else {
        effect_release(&w->pool, answered->effect);
    }
}

/* ---- Writes: each item is done, or not, and said to be done, or not ---- */

/* What becomes of one item: whether it is carried out, and what is said if not all went well. */
struct fate {
    bool carried_out;
    bool said;
    enum item_status status; /* when not said as it is */
};

static struct fate item_fate(struct world *w, bool trouble) {
    if (!trouble || !chance(w, 40)) {
        return (struct fate){true, true, ITEM_APPLIED};
    }
    bool unknown = world_random(w, 2) == 0;
    return (struct fate){.carried_out = unknown && world_random(w, 2) == 0,
                         .status = unknown ? ITEM_UNKNOWN : ITEM_RETRYABLE};
}

static enum item_status row_write(struct stored_row *row, enum row_write_kind kind,
                                  enum version_rule rule, const struct row_meta *meta,
                                  float vector) {
    if ((rule == VERSION_GREATER && meta->version <= row->version) ||
        (rule == VERSION_GREATER_OR_EQUAL && meta->version < row->version)) {
        return ITEM_CONFLICT;
    }
    if (kind == ROW_METADATA && (!row->exists || row->content != meta->content_hash)) {
        return ITEM_MISSING;
    }
    row->version = meta->version;
    row->exists = kind == ROW_UPSERT || kind == ROW_METADATA;
    row->whole = meta->whole_hash;
    if (kind == ROW_UPSERT) {
        row->content = meta->content_hash;
        row->vector = vector;
    }
    return ITEM_APPLIED;
}

static int write_vectors(struct world *w, struct effect *e, bool trouble) {
    uint32_t model = e->vectors.model_version;
    assert_true(model >= 1 && model <= MODELS);
    if (!w->collections[model]) {
        return PORT_NOT_FOUND;
    }
    for (size_t i = 0; i < e->vectors.count; i++) {
        const struct vector_write *item = &e->vectors.items[i];
        struct fate fate = item_fate(w, trouble);
        enum item_status status = fate.status;
        if (fate.carried_out) {
            float vector = item->kind == ROW_UPSERT ? item->vector[0] : 0.0f;
            assert_int_equal(item->kind == ROW_DELETE ? model : item->meta.model_version, model);
            status = row_write(&w->vectors[model][e->vectors.modality][item->listing_id],
                               item->kind, item->rule, &item->meta, vector);
        }
        e->vectors.statuses[i] = fate.said ? status : fate.status;
    }
    return PORT_OK;
}

static void write_keywords(struct world *w, struct effect *e, bool trouble) {
    for (size_t i = 0; i < e->keywords.count; i++) {
        const struct keyword_write *item = &e->keywords.items[i];
        struct fate fate = item_fate(w, trouble);
        enum item_status status = fate.status;
        if (fate.carried_out) {
            status = row_write(&w->keywords[item->listing_id], item->kind, item->rule, &item->meta,
                               0.0f);
        }
        e->keywords.statuses[i] = fate.said ? status : fate.status;
    }
}

static void produce(struct world *w, struct effect *e, bool trouble) {
    for (size_t i = 0; i < e->produce.count; i++) {
        const struct produce_item *item = &e->produce.items[i];
        struct fate fate = item_fate(w, trouble);
        if (fate.carried_out) {
            append(w, item->topic, item->key, item->value);
        }
        e->produce.results[i].status = fate.said ? ITEM_APPLIED : fate.status;
    }
}

static int entry_order(const void *a, const void *b) {
    const struct state_entry *x = a, *y = b;
    return x->key < y->key ? -1 : x->key > y->key;
}

static int save_state(struct world *w, const struct effect *e) {
    struct checkpoint *checkpoint = &w->checkpoint;
    if (e->save_state.generation < checkpoint->generation) {
        return PORT_FENCED;
    }
    checkpoint->generation = e->save_state.generation;
    checkpoint->taken = true;
    bytes_free(checkpoint->offsets);
    checkpoint->offsets = bytes_copy(e->save_state.offsets);
    for (size_t i = 0; i < e->save_state.count; i++) {
        const struct state_entry *entry = &e->save_state.entries[i];
        size_t at = 0;
        while (at < checkpoint->count && checkpoint->entries[at].key != entry->key) {
            at++;
        }
        if (at == checkpoint->count) {
            GROW(checkpoint->entries, checkpoint->count, checkpoint->capacity);
            checkpoint->entries[checkpoint->count++] = (struct state_entry){entry->key, {NULL, 0}};
        }
        bytes_free(checkpoint->entries[at].value);
        checkpoint->entries[at].value = bytes_copy(entry->value);
    }
    if (checkpoint->count > 0) {
        qsort(checkpoint->entries, checkpoint->count, sizeof *checkpoint->entries, entry_order);
    }
    return PORT_OK;
}

/* ---- The warehouse ---- */

static void load_bronze(struct world *w, const struct bronze_row *row, bool dedupe) {
    for (size_t i = 0; dedupe && i < w->bronze_count; i++) {
        if (w->bronze[i].topic == row->topic && w->bronze[i].offset == row->offset) {
            return;
        }
    }
    GROW(w->bronze, w->bronze_count, w->bronze_capacity);
    w->bronze[w->bronze_count++] = (struct bronze){row->topic, row->offset};
}

static struct silver silver_of(const struct document_row *row) {
    return (struct silver){row->listing_id, row->version, row->whole_hash, row->alive};
}

static void load_silver(struct world *w, const struct document_row *row, bool dedupe) {
    for (size_t i = 0; dedupe && i < w->silver_count; i++) {
        if (w->silver[i].listing_id == row->listing_id && w->silver[i].version == row->version) {
            return;
        }
    }
    GROW(w->silver, w->silver_count, w->silver_capacity);
    w->silver[w->silver_count++] = silver_of(row);
}

static void load_gold(struct world *w, const struct document_row *row) {
    if (row->version > w->gold[row->listing_id].version) {
        w->gold[row->listing_id] = silver_of(row);
    }
}

static void load_order(struct world *w, uint64_t order_id, bool dedupe) {
    for (size_t i = 0; dedupe && i < w->order_count; i++) {
        if (w->orders[i] == order_id) {
            return;
        }
    }
    GROW(w->orders, w->order_count, w->order_capacity);
    w->orders[w->order_count++] = order_id;
}

/* A torn batch goes in up to some row of some of its parts. */
static void load_warehouse(struct world *w, const struct warehouse_batch *batch, bool torn) {
    for (size_t i = 0; i < batch->bronze_count && !(torn && chance(w, 30)); i++) {
        load_bronze(w, &batch->bronze[i], batch->dedupe);
    }
    for (size_t i = 0; i < batch->silver_count && !(torn && chance(w, 30)); i++) {
        load_silver(w, &batch->silver[i], batch->dedupe);
    }
    for (size_t i = 0; i < batch->gold_count && !(torn && chance(w, 30)); i++) {
        load_gold(w, &batch->gold[i]);
    }
    for (size_t i = 0; i < batch->order_count && !(torn && chance(w, 30)); i++) {
        load_order(w, batch->orders[i].order_id, batch->dedupe);
    }
}

/* ---- Embedding ---- */

static uint64_t hash_bytes(uint64_t hash, struct bytes bytes) {
    for (size_t i = 0; i < bytes.len; i++) {
        hash = (hash ^ (unsigned char)bytes.data[i]) * UINT64_C(0x100000001b3);
    }
    return hash * UINT64_C(0x100000001b3) + bytes.len;
}

static uint64_t hash_text(const struct text_input *text) {
    if (text->title.len + text->description.len + text->attributes.len == 0) {
        return 0; /* a locale alone says nothing */
    }
    uint64_t hash = hash_bytes(UINT64_C(0xcbf29ce484222325), text->title);
    hash = hash_bytes(hash, text->description);
    hash = hash_bytes(hash, text->attributes);
    return hash_bytes(hash + text->tokeniser, text->locale);
}

/* Content that can never be embedded, where the options ask for some. */
static bool embeddable(const struct world *w, const struct text_input *text) {
    return !w->options.embed_fatal || hash_text(text) % 5 != 0;
}

static float vector_of(const struct embed_item *item, int m, uint32_t model) {
    uint64_t hash = m == MODALITY_IMAGE ? 1 : hash_text(&item->text);
    hash += model * UINT64_C(0x9e3779b97f4a7c15);
    for (size_t i = 0; i < item->image_count && m != MODALITY_TEXT; i++) {
        hash = hash_bytes(hash + item->images[i].image_id, item->images[i].descriptor);
    }
    return (float)(hash & 0xffffff);
}

static void embed(struct world *w, struct effect *e, bool trouble) {
    /* A service in the middle of a deployment answers with what another model made. */
    bool mislabelled = trouble && world_random(w, 3) == 0;
    uint32_t model = mislabelled ? 3 : e->embed.model_version;
    for (size_t i = 0; i < e->embed.count; i++) {
        const struct embed_item *item = &e->embed.items[i];
        struct fate fate = item_fate(w, trouble);
        e->embed.results[i].status = fate.said ? ITEM_APPLIED : fate.status;
        e->embed.results[i].model_version = model;
        if (!embeddable(w, &item->text)) {
            e->embed.results[i].status = ITEM_FATAL;
        }
        for (int m = 0; m < MODALITY_COUNT; m++) {
            if ((item->modalities >> m & 1) != 0) {
                size_t dimension = modality_dimension((enum modality)m);
                memset(e->embed.results[i].vectors[m], 0, dimension * sizeof(float));
                e->embed.results[i].dimensions[m] = (uint32_t)dimension;
                e->embed.results[i].vectors[m][0] = vector_of(item, m, model);
            }
        }
    }
}

/* ---- Carrying out ---- */

static int carry_out(struct world *w, struct effect *e) {
    bool trouble = chance(w, w->options.fault_percent);
    if (trouble && world_random(w, 3) == 0) {
        return PORT_UNAVAILABLE;
    }
    bool reply_lost = trouble && world_random(w, 3) == 0;
    int error = PORT_OK;
    switch (e->kind) {
    case EFFECT_PRODUCE:
        produce(w, e, trouble);
        break;
    case EFFECT_EMBED:
        embed(w, e, trouble);
        break;
    case EFFECT_WRITE_VECTORS:
        error = write_vectors(w, e, trouble);
        break;
    case EFFECT_WRITE_KEYWORDS:
        write_keywords(w, e, trouble);
        break;
    case EFFECT_LOAD_WAREHOUSE:
        load_warehouse(w, &e->warehouse, trouble);
        reply_lost = trouble;
        break;
    case EFFECT_SAVE_STATE:
        error = save_state(w, e);
        break;
    default:
        break;
    }
    return error == PORT_OK && reply_lost ? PORT_UNKNOWN : error;
}

/* False when a fetch waits for records. */
static bool read_log(struct world *w, const struct effect *e, struct event *event) {
    const struct logged *log = &w->log[e->fetch.topic];
    size_t from = (size_t)e->fetch.offset;
    assert_true(from <= log->count);
    size_t count = log->count - from;
    count = count < e->fetch.max ? count : e->fetch.max;
    if (count > 1 && !w->calm) {
        count = 1 + world_random(w, count);
    }
    event->records.records = log->items + from;
    event->records.count = count;
    return count > 0 || e->fetch.no_wait;
}

static bool read_outbox(struct world *w, const struct effect *e, struct event *event) {
    size_t from = (size_t)e->outbox_fetch.sequence;
    assert_true(from <= w->outbox_count);
    size_t count = w->outbox_count - from;
    event->outbox.rows = w->outbox + from;
    event->outbox.count = count < e->outbox_fetch.max ? count : e->outbox_fetch.max;
    return count > 0;
}

static void read_state(struct world *w, const struct effect *e, struct event *event) {
    struct checkpoint *checkpoint = &w->checkpoint;
    if (e->load_state.generation > checkpoint->generation) {
        checkpoint->generation = e->load_state.generation;
    }
    event->state.offsets = checkpoint->taken ? checkpoint->offsets : (struct bytes){NULL, 0};
    event->state.entries = checkpoint->entries;
    event->state.count = checkpoint->count;
}

/* Somebody may have set tokens to anything. */
static void tokens_tell(struct world *w, struct effect *open) {
    for (size_t i = 0; i < open->channels.count; i++) {
        open->channels.items[i].token =
            world_random(w, 3) == 0 ? CHANNEL_NO_TOKEN : (int64_t)world_random(w, 100);
    }
}

/* Answers flight i of the actor. False when it waits on. */
static bool deliver(struct world *w, struct actor *actor, size_t i) {
    struct flight flight = actor->flights[i];
    struct event event = {
        .request = flight.effect->request, .error = flight.error, .answered = flight.effect};
    switch (flight.effect->kind) {
    case EFFECT_FETCH:
        event.kind = EVENT_RECORDS;
        if (!read_log(w, flight.effect, &event)) {
            return false;
        }
        break;
    case EFFECT_OUTBOX_FETCH:
        event.kind = EVENT_OUTBOX;
        if (!read_outbox(w, flight.effect, &event)) {
            return false;
        }
        break;
    case EFFECT_LOAD_STATE:
        event.kind = EVENT_STATE;
        read_state(w, flight.effect, &event);
        break;
    case EFFECT_PRODUCE:
        event.kind = EVENT_PRODUCED;
        break;
    case EFFECT_EMBED:
        event.kind = EVENT_EMBEDDED;
        break;
    case EFFECT_SAVE_STATE:
        event.kind = EVENT_SAVED;
        break;
    case EFFECT_REFRESH_DASHBOARD:
        flight.effect->refresh.as_of = VTIME_NEVER;
        event.kind = EVENT_LOADED;
        break;
    case EFFECT_OPEN_CHANNELS:
        tokens_tell(w, flight.effect);
        event.kind = EVENT_LOADED;
        break;
    case EFFECT_LOAD_WAREHOUSE:
        event.kind = EVENT_LOADED;
        break;
    default:
        event.kind = EVENT_WRITTEN;
        break;
    }
    if (event.error == PORT_OK && !is_write(flight.effect->kind) &&
        chance(w, w->options.fault_percent)) {
        event.error = PORT_UNAVAILABLE;
    }
    actor->flights[i] = actor->flights[--actor->flight_count];
    step(w, actor, &event, &flight);
    return true;
}

/* One thing happens to flight i. False when it waits. */
static bool advance(struct world *w, struct actor *actor, size_t i) {
    struct flight *flight = &actor->flights[i];
    bool takes_effect = is_write(flight->effect->kind) || flight->effect->kind == EFFECT_EMBED;
    if (takes_effect && !flight->done) {
        flight->error = carry_out(w, flight->effect);
        flight->done = true;
        return true;
    }
    return deliver(w, actor, i);
}

static void fire_timer(struct world *w, struct actor *actor) {
    size_t first = 0;
    for (size_t i = 1; i < actor->timer_count; i++) {
        if (vtime_before(actor->timers[i].at, actor->timers[first].at)) {
            first = i;
        }
    }
    struct armed timer = actor->timers[first];
    actor->timers[first] = actor->timers[--actor->timer_count];
    w->now = vtime_max(w->now, timer.at);
    step(w, actor, &(struct event){.kind = EVENT_TIMER, .timer = timer.id}, NULL);
}

static void orphan_arrives(struct world *w) {
    size_t i = world_random(w, w->orphan_count);
    struct flight orphan = w->orphans[i];
    w->orphans[i] = w->orphans[--w->orphan_count];
    carry_out(w, orphan.effect);
    effect_release(&w->pool, orphan.effect);
}

/* ---- The plan ---- */

static enum topic_id feed_of(struct bytes value) {
    struct record record;
    struct record_error error;
    if (record_decode(value, &record, &error) != 0) {
        return TOPIC_LISTING;
    }
    static const enum topic_id feeds[] = {
        [RECORD_LISTING] = TOPIC_LISTING, [RECORD_MEDIA] = TOPIC_MEDIA,
        [RECORD_POLICY] = TOPIC_POLICY,   [RECORD_ORDER] = TOPIC_ORDER,
        [RECORD_ERASURE] = TOPIC_PRIVACY, [RECORD_REFERENCE] = TOPIC_REFERENCE,
    };
    return feeds[record.type];
}

static void plan(struct world *w, struct planned planned) {
    GROW(w->plan, w->plan_count, w->plan_capacity);
    w->plan[w->plan_count++] = planned;
}

void world_feed(struct world *w, enum topic_id topic, const char *text) {
    plan(w, (struct planned){false, topic, record_from_text(text)});
}

void world_outbox(struct world *w, const char *text) {
    struct bytes value = record_from_text(text);
    plan(w, (struct planned){true, feed_of(value), value});
}

/* ---- Upgrades ---- */

static const char *each_fold(struct world *w, struct folded *folded,
                             const char *(*each)(struct world *w, const struct folded *folded,
                                                 enum fold_outcome outcome));
static const char *vectors_wrong(struct world *w, const struct folded *folded, uint32_t model);

static bool written(const struct world *w, uint32_t model) {
    return w->models[0] == model || w->models[1] == model;
}

/* What the controller announces becomes so: collections that nobody is to write any more go at
 * once, others are made later. One that was replaced says again what it said before. */
static void announce(struct world *w, struct bytes value) {
    struct record record;
    struct record_error error;
    if (record_decode(value, &record, &error) != 0 || record.type != RECORD_CONTROL ||
        stamp_compare(record.stamp, w->announced) < 0) {
        return;
    }
    w->announced = record.stamp;
    w->models[0] = record.control.model_version;
    w->models[1] = record.control.model_other;
    for (uint32_t model = 1; model <= MODELS; model++) {
        if (!written(w, model)) {
            w->reopened = w->reopened || w->collections[model];
            w->collections[model] = false;
            memset(w->vectors[model], 0, sizeof w->vectors[model]);
        }
    }
}

static void make_collections(struct world *w) {
    for (uint32_t model = 1; model <= MODELS; model++) {
        w->collections[model] = w->collections[model] || written(w, model);
    }
}

static void repair(struct world *w, struct actor *actor, const uint64_t *ids, size_t count) {
    enum scan_store store = (enum scan_store)(SCAN_VECTOR_TEXT + world_random(w, MODALITY_COUNT));
    struct event event = {.kind = EVENT_COMMAND,
                          .command = {.kind = COMMAND_REPAIR,
                                      .store = store,
                                      .model_version = w->models[1],
                                      .listing_ids = ids,
                                      .count = count}};
    if (actor->machine != NULL) {
        step(w, actor, &event, NULL);
    }
}

/* The backfill asks for some listings, for each once; not every process hears of it. */
static void backfill_some(struct world *w) {
    uint64_t ids[3];
    size_t count = 0;
    for (size_t i = 0; i < 3; i++) {
        uint64_t id = 1 + world_random(w, WORLD_LISTINGS - 1);
        if (!w->named[id]) {
            w->named[id] = true;
            ids[count++] = id;
        }
    }
    repair(w, &w->actors[world_random(w, ACTORS)], ids, count);
}

/* A lane that was closed may have left rows in collections that were made anew since: only then the
 * backfill asks for rows that are there, too. */
static bool backfill_lacks(struct world *w, const struct folded *folded) {
    uint64_t id = folded->document.listing_id;
    if (w->reopened) {
        return vectors_wrong(w, folded, w->models[1]) != NULL;
    }
    bool lacks = true;
    for (int m = 0; m < MODALITY_COUNT; m++) {
        lacks = lacks && !w->vectors[w->models[1]][m][id].exists;
    }
    return lacks && document_served(&folded->document);
}

/* What a controller does before it calls a shadow complete. */
static void backfill_rest(struct world *w) {
    struct folded folded[WORLD_LISTINGS];
    for (size_t id = 0; id < WORLD_LISTINGS; id++) {
        folded_init(&folded[id], id);
    }
    each_fold(w, folded, NULL);
    for (uint64_t id = 1; id < WORLD_LISTINGS && w->models[1] != 0; id++) {
        if (backfill_lacks(w, &folded[id])) {
            repair(w, &w->actors[0], &id, 1);
        }
    }
    for (size_t id = 0; id < WORLD_LISTINGS; id++) {
        folded_release(&folded[id]);
    }
}

/* Announcements of one upgrade or several, in their order, told by "served/other". */
static const char *const upgrades[][5] = {
    {"1/2", "2/1"},
    {"1/2", "2/1", "1/2"},
    {"1/2", "2/1", "2/0"},
    {"1/2", "1/0", "1/2"},
    {"1/2", "2/1", "2/0", "2/1", "1/2"},
};

static void plan_announcement(struct world *w, const char *models, size_t number) {
    char text[64];
    snprintf(text, sizeof text, "control models @%zu model=%c other=%c", number, models[0],
             models[2]);
    world_feed(w, TOPIC_CONTROL, text);
}

/* The announcements that come ahead of the i-th event of a story, some of them twice, some after
 * those that replaced them. */
static void story_upgrade(struct world *w, size_t i, size_t events) {
    const char *const *story = upgrades[w->options.seed % (sizeof upgrades / sizeof *upgrades)];
    size_t count = 0;
    while (count < 5 && story[count] != NULL) {
        count++;
    }
    for (size_t k = 0; k < count; k++) {
        if (i != (k + 1) * events / (count + 2)) {
            continue;
        }
        plan_announcement(w, story[k], k + 1);
        for (size_t again = k + 1; again > 0; again--) {
            if (world_random(w, 3) == 0) {
                plan_announcement(w, story[again - 1], again);
            }
        }
    }
}

static void feed_next(struct world *w) {
    const struct planned *next = &w->plan[w->plan_next++];
    uint64_t key = record_subject(next->value);
    if (next->outbox) {
        GROW(w->outbox, w->outbox_count, w->outbox_capacity);
        w->outbox[w->outbox_count] =
            (struct outbox_row){(int64_t)w->outbox_count + 1, next->topic, key, next->value};
        w->outbox_count++;
    } else {
        append(w, next->topic, key, next->value);
        announce(w, next->value);
    }
}

/* ---- Stories ---- */

/* A moment near the present one of the story, at times long ago; ties are broken by the id. */
static void story_stamp(struct world *w, size_t i, char *text, size_t room) {
    uint64_t back = world_random(w, 4) == 0 ? world_random(w, 60) : 0;
    if (world_random(w, 12) == 0) {
        back = 3 * 3600;
    }
    snprintf(text, room, "@%" PRIu64 ".%zu", 4 * 3600 + i - (back < i + 4 * 3600 ? back : 0),
             i + 1);
}

static const char *const locales[] = {"ja_JP", "de"};
static const char *const categories[] = {"lamps", "desks"};

/* A row of a reference table; in the listing log, as that listing is told. */
static void story_reference(struct world *w, const char *stamp, uint64_t listing, bool in_log,
                            char *text, size_t room) {
    char of[32] = "";
    uint64_t which = world_random(w, 2);
    if (in_log) {
        snprintf(of, sizeof of, "of %" PRIu64 " ", listing);
    }
    if (world_random(w, 2) == 0) {
        snprintf(text, room, "reference category %s %s%s Home>%s", categories[which], of, stamp,
                 stamp);
    } else {
        snprintf(text, room, "reference locale %s %s%s %s-x %s", locales[which], of, stamp,
                 locales[which], world_random(w, 2) == 0 ? "word" : "bigram");
    }
}

static void story_listing(struct world *w, const char *stamp, char *text, size_t room) {
    uint64_t id = 1 + world_random(w, WORLD_LISTINGS - 1);
    static const char *const titles[] = {"Lamp", "Desk", "Chair", "null"};
    if (world_random(w, 6) == 0) {
        snprintf(text, room, "listing %" PRIu64 " %s delete", id, stamp);
        return;
    }
    int length = snprintf(text, room, "listing %" PRIu64 " %s", id, stamp);
    if (world_random(w, 2) == 0) {
        length +=
            snprintf(text + length, room - (size_t)length, " title=%s", titles[world_random(w, 4)]);
    }
    if (world_random(w, 2) == 0) {
        length +=
            snprintf(text + length, room - (size_t)length, " price=%" PRIu64, world_random(w, 9));
    }
    if (world_random(w, 4) == 0) {
        length += snprintf(text + length, room - (size_t)length, " locale=%s",
                           locales[world_random(w, 2)]);
    }
    if (world_random(w, 4) == 0) {
        length += snprintf(text + length, room - (size_t)length, " category=%s",
                           categories[world_random(w, 2)]);
    }
    if (world_random(w, 2) == 0) {
        length += snprintf(text + length, room - (size_t)length, " seller=%" PRIu64,
                           1 + world_random(w, WORLD_SELLERS));
    }
    if (world_random(w, 3) == 0) {
        snprintf(text + length, room - (size_t)length, " images=%" PRIu64 ",%d",
                 1 + world_random(w, 2), 3);
    }
}

static void story_event(struct world *w, size_t i, bool in_log, char *text, size_t room) {
    char stamp[40];
    story_stamp(w, i, stamp, sizeof stamp);
    uint64_t listing = 1 + world_random(w, WORLD_LISTINGS - 1);
    switch (world_random(w, 11)) {
    case 10:
        story_reference(w, stamp, listing, in_log, text, room);
        break;
    case 0: {
        const char *status = world_random(w, 2) == 0 ? "suppressed" : "active";
        uint64_t seller = 1 + world_random(w, WORLD_SELLERS);
        if (in_log) {
            snprintf(text, room, "policy %" PRIu64 " of %" PRIu64 " %s %s", seller, listing, stamp,
                     status);
        } else {
            snprintf(text, room, "policy %" PRIu64 " %s %s", seller, stamp, status);
        }
        break;
    }
    case 1:
    case 2:
        snprintf(text, room, "media %" PRIu64 " %s image=%" PRIu64 " %s", listing, stamp,
                 1 + world_random(w, 3), world_random(w, 4) == 0 ? "withdrawn" : stamp);
        break;
    case 3:
        if (world_random(w, 2) == 0) {
            snprintf(text, room, "!poison %zu", i);
            break;
        }
        story_listing(w, stamp, text, room);
        break;
    default:
        story_listing(w, stamp, text, room);
    }
}

void world_story(struct world *w, size_t events) {
    bool in_log = w->kind == MACHINE_BUILDER || w->kind == MACHINE_LOADER;
    char text[256], again[256] = "";
    for (size_t i = 0; i < events; i++) {
        if (w->options.upgrade) {
            story_upgrade(w, i, events);
        }
        if (w->options.quarantine && i == events / 2) {
            world_feed(w, TOPIC_CONTROL, "control release @9000 to=100000000");
        }
        if (w->kind == MACHINE_LOADER && world_random(w, 5) == 0) {
            snprintf(text, sizeof text, "order %" PRIu64 " of %" PRIu64 " @%zu",
                     1 + world_random(w, events), 1 + world_random(w, WORLD_LISTINGS - 1), i);
            world_feed(w, TOPIC_ORDER, text);
            continue;
        }
        if (again[0] == '\0' || world_random(w, 8) != 0) {
            story_event(w, i, in_log, text, sizeof text);
            memcpy(again, text, sizeof again);
        }
        if (w->kind == MACHINE_RELAY) {
            world_outbox(w, again);
            continue;
        }
        struct bytes value = record_from_text(again);
        plan(w, (struct planned){false, in_log ? TOPIC_LISTING_LOG : feed_of(value), value});
    }
}

size_t world_records(const struct world *w, enum topic_id topic) {
    return w->log[topic].count;
}

/* ---- Running ---- */

static void happen(struct world *w) {
    w->now = vtime_add(w->now, (int64_t)world_random(w, 50) * VTIME_MILLISECOND);
    if (chance(w, w->options.crash_percent)) {
        take_over(w);
        return;
    }
    if (w->orphan_count > 0 && world_random(w, 10) == 0) {
        orphan_arrives(w);
        return;
    }
    struct actor *actor = &w->actors[w->actors[1].machine != NULL && world_random(w, 3) == 0];
    if (actor->timer_count > 0 && world_random(w, 12) == 0) {
        fire_timer(w, actor);
        return;
    }
    if (w->plan_next < w->plan_count && world_random(w, 3) == 0) {
        feed_next(w);
    }
    if (w->options.upgrade && world_random(w, 12) == 0) {
        make_collections(w);
        if (w->models[1] != 0) {
            backfill_some(w);
        }
    }
    if (actor->flight_count > 0) {
        advance(w, actor, world_random(w, actor->flight_count));
    }
}

void world_run(struct world *w, size_t steps) {
    while (w->plan_next < w->plan_count) {
        happen(w);
    }
    for (size_t i = 0; i < steps; i++) {
        happen(w);
    }
}

static void work_off(struct world *w) {
    struct actor *actor = &w->actors[0];
    bool progress = true;
    while (progress) {
        progress = false;
        for (size_t i = 0; i < actor->flight_count; i++) {
            progress = advance(w, actor, i) || progress;
        }
    }
}

/* Work, with timers in between: what timers bring is worked off too. */
static void settle(struct world *w) {
    work_off(w);
    for (int i = 0; i < 8 && w->actors[0].timer_count > 0; i++) {
        fire_timer(w, &w->actors[0]);
        work_off(w);
    }
}

void world_settle(struct world *w) {
    w->calm = true;
    death(w, &w->actors[1]);
    if (w->options.versions) {
        death(w, &w->actors[0]);
        birth(w);
    }
    make_collections(w);
    settle(w);
    backfill_rest(w);
    settle(w);
    while (w->orphan_count > 0) {
        orphan_arrives(w);
    }
    if (w->reopened) {
        backfill_rest(w);
    }
    settle(w);
}

/* ---- Judging ---- */

__attribute__((format(printf, 2, 3))) static const char *wrong(struct world *w, const char *format,
                                                               ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(w->wrong, sizeof w->wrong, format, arguments);
    va_end(arguments);
    return w->wrong;
}

/* The refused records of a topic have a dead letter each. */
static const char *letters_wrong(struct world *w, enum topic_id topic) {
    for (size_t i = 0; i < w->log[topic].count; i++) {
        if (record_subject(w->log[topic].items[i].value) != 0) {
            continue;
        }
        bool found = false;
        for (size_t k = 0; k < w->log[TOPIC_DEAD_LETTER].count && !found; k++) {
            struct dead_letter letter;
            assert_int_equal(dead_letter_decode(w->log[TOPIC_DEAD_LETTER].items[k].value, &letter),
                             0);
            found = letter.topic == topic && letter.offset == (int64_t)i;
        }
        if (!found) {
            return wrong(w, "%s/%zu has no dead letter", topic_name(topic), i);
        }
    }
    return NULL;
}

/* Calls each() for every record that folds, in order, with the listing's document after it. */
static const char *each_fold(struct world *w, struct folded *folded,
                             const char *(*each)(struct world *w, const struct folded *folded,
                                                 enum fold_outcome outcome)) {
    for (size_t i = 0; i < w->log[TOPIC_LISTING_LOG].count; i++) {
        const struct log_record *logged = &w->log[TOPIC_LISTING_LOG].items[i];
        struct record record;
        struct record_error error;
        if (record_decode(logged->value, &record, &error) != 0) {
            continue;
        }
        int outcome = folded_fold(&folded[record.subject_id], &record, logged, NULL);
        assert_true(outcome >= 0);
        const char *found =
            each == NULL ? NULL : each(w, &folded[record.subject_id], (enum fold_outcome)outcome);
        if (found != NULL) {
            return found;
        }
    }
    return NULL;
}

/* The vector that the world makes of the document's content. */
static float vector_wanted(const struct folded *folded, int m, uint32_t model,
                           struct text_input *text) {
    static char attributes[4096];
    size_t length = folded_attributes_text(folded, attributes, sizeof attributes);
    struct image_input images[8];
    struct embed_item item = {.text = {folded_text(folded, FIELD_TITLE),
                                       folded_text(folded, FIELD_DESCRIPTION),
                                       {attributes, length},
                                       document_locale(&folded->document),
                                       document_tokeniser(&folded->document)},
                              .images = images};
    for (size_t i = 0;
         document_visible_image(&folded->document, i, &images[i].image_id, &images[i].descriptor);
         i++) {
        item.image_count++;
    }
    *text = item.text;
    return vector_of(&item, m, model);
}

/* `model`: of a vector; 0 for the keyword row. */
static const char *row_wrong(struct world *w, const struct folded *folded, int i, uint32_t model) {
    uint64_t id = folded->document.listing_id;
    const struct stored_row *row = i == KEYWORD ? &w->keywords[id] : &w->vectors[model][i][id];
    struct document_digest digest = folded_digest(folded);
    const uint64_t content[ROWS] = {digest.text, digest.image, digest.fused, digest.text};
    bool wanted = document_served(&folded->document) && content[i] != 0;
    struct text_input text;
    float vector = vector_wanted(folded, i, model, &text);
    if (wanted && i != KEYWORD && !embeddable(w, &text)) {
        return NULL; /* it may hold what could be embedded before, or nothing */
    }
    if (row->exists != wanted) {
        return wrong(w, "row %d of listing %" PRIu64 " and model %u is %s", i, id, model,
                     row->exists ? "there" : "missing");
    }
    if (!wanted) {
        return NULL;
    }
    if (row->version != folded->visible_version) {
        return wrong(
            w, "row %d of listing %" PRIu64 " and model %u is of version %" PRId64 ", not %" PRId64,
            i, id, model, row->version, folded->visible_version);
    }
    if (row->content != content[i] || row->whole != digest.whole) {
        return wrong(w, "row %d of listing %" PRIu64 " has other content", i, id);
    }
    if (i != KEYWORD && row->vector != vector) {
        return wrong(w, "row %d of listing %" PRIu64 " has a vector of other content", i, id);
    }
    return NULL;
}

/* The log tells of every version that had a row which model it was for (A11). */
static const char *audit_wrong(struct world *w, const struct folded *folded,
                               enum fold_outcome outcome) {
    if (outcome != FOLD_VISIBLE || !document_served(&folded->document)) {
        return NULL;
    }
    struct document_digest digest = folded_digest(folded);
    const uint64_t content[MODALITY_COUNT] = {digest.text, digest.image, digest.fused};
    bool found = content[MODALITY_FUSED] == 0;
    for (size_t i = 0; i < w->log[TOPIC_AUDIT].count && !found; i++) {
        struct record record;
        struct record_error error;
        assert_int_equal(record_decode(w->log[TOPIC_AUDIT].items[i].value, &record, &error), 0);
        found = record.subject_id == folded->document.listing_id &&
                record.audit.version == folded->visible_version &&
                (record.audit.model_version == 1 || w->options.upgrade) &&
                memcmp(record.audit.content, content, sizeof content) == 0;
    }
    return found ? NULL
                 : wrong(w, "nobody says what made version %" PRId64 " of listing %" PRIu64,
                         folded->visible_version, folded->document.listing_id);
}

static const char *vectors_wrong(struct world *w, const struct folded *folded, uint32_t model) {
    const char *found = NULL;
    for (int m = 0; m < MODALITY_COUNT && model != 0 && found == NULL; m++) {
        found = row_wrong(w, folded, m, model);
    }
    return found;
}

static const char *builder_wrong(struct world *w, struct folded *folded) {
    const char *found = each_fold(w, folded, audit_wrong);
    for (size_t id = 1; id < WORLD_LISTINGS && found == NULL; id++) {
        found = row_wrong(w, &folded[id], KEYWORD, 0);
        for (size_t i = 0; i < MODELS && found == NULL; i++) {
            found = vectors_wrong(w, &folded[id], w->models[i]);
        }
    }
    return found != NULL ? found : letters_wrong(w, TOPIC_LISTING_LOG);
}

static const char *silver_wrong(struct world *w, const struct folded *folded,
                                enum fold_outcome outcome) {
    if (outcome != FOLD_VISIBLE) {
        return NULL;
    }
    size_t found = 0;
    for (size_t i = 0; i < w->silver_count; i++) {
        found += w->silver[i].listing_id == folded->document.listing_id &&
                 w->silver[i].version == folded->visible_version &&
                 w->silver[i].whole == folded_digest(folded).whole;
    }
    return found == 1
               ? NULL
               : wrong(w, "version %" PRId64 " of listing %" PRIu64 " is in silver %zu times",
                       folded->visible_version, folded->document.listing_id, found);
}

static const char *bronze_wrong(struct world *w, enum topic_id topic) {
    for (size_t offset = 0; offset < w->log[topic].count; offset++) {
        size_t found = 0;
        for (size_t i = 0; i < w->bronze_count; i++) {
            found += w->bronze[i].topic == topic && w->bronze[i].offset == (int64_t)offset;
        }
        if (found != 1) {
            return wrong(w, "%s/%zu is in bronze %zu times", topic_name(topic), offset, found);
        }
    }
    return NULL;
}

static const char *orders_wrong(struct world *w) {
    for (size_t offset = 0; offset < w->log[TOPIC_ORDER].count; offset++) {
        struct record record;
        struct record_error error;
        assert_int_equal(record_decode(w->log[TOPIC_ORDER].items[offset].value, &record, &error),
                         0);
        size_t found = 0;
        for (size_t i = 0; i < w->order_count; i++) {
            found += w->orders[i] == record.order_id;
        }
        if (found != 1) {
            return wrong(w, "order %" PRIu64 " is there %zu times", record.order_id, found);
        }
    }
    return NULL;
}

static const char *loader_wrong(struct world *w, struct folded *folded) {
    const char *found = each_fold(w, folded, silver_wrong);
    for (size_t id = 1; id < WORLD_LISTINGS && found == NULL; id++) {
        if (w->gold[id].version != folded[id].visible_version ||
            (folded[id].visible_version != DOC_VERSION_NONE &&
             w->gold[id].whole != folded_digest(&folded[id]).whole)) {
            found = wrong(w, "gold of listing %zu is wrong", id);
        }
    }
    found = found == NULL ? bronze_wrong(w, TOPIC_LISTING_LOG) : found;
    found = found == NULL ? bronze_wrong(w, TOPIC_ORDER) : found;
    return found == NULL ? orders_wrong(w) : found;
}

static bool log_has(const struct world *w, const struct record *wanted) {
    for (size_t i = 0; i < w->log[TOPIC_LISTING_LOG].count; i++) {
        struct record record;
        struct record_error error;
        if (record_decode(w->log[TOPIC_LISTING_LOG].items[i].value, &record, &error) == 0 &&
            record.subject_id == wanted->subject_id && record.type == wanted->type &&
            stamp_compare(record.stamp, wanted->stamp) == 0) {
            return true;
        }
    }
    return false;
}

/* What the feeds say of every listing, folded without a router. */
static const char *fold_feeds(struct world *w, struct folded *folded) {
    static const enum topic_id feeds[] = {TOPIC_LISTING, TOPIC_MEDIA, TOPIC_POLICY,
                                          TOPIC_REFERENCE};
    int64_t position = 0;
    for (size_t f = 0; f < sizeof feeds / sizeof *feeds; f++) {
        const struct logged *log = &w->log[feeds[f]];
        for (size_t i = 0; i < log->count; i++) {
            struct record record;
            struct record_error error;
            if (record_decode(log->items[i].value, &record, &error) != 0) {
                continue;
            }
            bool fact = record.type == RECORD_POLICY || record.type == RECORD_REFERENCE;
            if (!fact && !log_has(w, &record)) {
                return wrong(w, "%s/%zu is not in the log", topic_name(feeds[f]), i);
            }
            uint64_t first = fact ? 1 : record.subject_id;
            uint64_t last = fact ? WORLD_LISTINGS - 1 : record.subject_id;
            for (uint64_t id = first; id <= last; id++) {
                struct log_record logged = {.offset = position++, .value = log->items[i].value};
                record.subject_id = id;
                assert_true(folded_fold(&folded[id], &record, &logged, NULL) >= 0);
            }
        }
    }
    return NULL;
}

static const char *router_wrong(struct world *w, struct folded *folded) {
    const char *found = each_fold(w, folded, NULL);
    struct folded direct[WORLD_LISTINGS];
    for (size_t id = 0; id < WORLD_LISTINGS; id++) {
        folded_init(&direct[id], id);
    }
    found = found == NULL ? fold_feeds(w, direct) : found;
    for (size_t id = 1; id < WORLD_LISTINGS && found == NULL; id++) {
        if (folded_digest(&direct[id]).whole != folded_digest(&folded[id]).whole ||
            document_served(&direct[id].document) != document_served(&folded[id].document)) {
            found = wrong(w, "listing %zu is not in the log what it is in the feeds", id);
        }
    }
    for (size_t id = 0; id < WORLD_LISTINGS; id++) {
        folded_release(&direct[id]);
    }
    return found != NULL ? found : letters_wrong(w, TOPIC_LISTING);
}

static const char *relay_wrong(struct world *w) {
    for (size_t i = 0; i < w->outbox_count; i++) {
        const struct logged *log = &w->log[w->outbox[i].topic];
        bool found = false;
        for (size_t k = 0; k < log->count && !found; k++) {
            found = bytes_equal(log->items[k].value, w->outbox[i].value);
        }
        if (!found) {
            return wrong(w, "outbox row %zu was not published", i + 1);
        }
    }
    return w->trimmed == (int64_t)w->outbox_count
               ? NULL
               : wrong(w, "the outbox is trimmed to %" PRId64 " of %zu", w->trimmed,
                       w->outbox_count);
}

const char *world_wrong(struct world *w) {
    struct folded folded[WORLD_LISTINGS];
    for (size_t id = 0; id < WORLD_LISTINGS; id++) {
        folded_init(&folded[id], id);
    }
    const char *found = NULL;
    switch (w->kind) {
    case MACHINE_RELAY:
        found = relay_wrong(w);
        break;
    case MACHINE_ROUTER:
        found = router_wrong(w, folded);
        break;
    case MACHINE_BUILDER:
        found = builder_wrong(w, folded);
        break;
    case MACHINE_LOADER:
        found = loader_wrong(w, folded);
        break;
    default:
        fail_msg("no world for %s", machine_kind_name(w->kind));
    }
    for (size_t id = 0; id < WORLD_LISTINGS; id++) {
        folded_release(&folded[id]);
    }
    return found;
}

size_t world_crashes(const struct world *w) {
    return w->crashes;
}

uint64_t world_counter(const struct world *w, enum machine_counter counter) {
    uint64_t sum = w->counters[counter];
    for (int i = 0; i < ACTORS; i++) {
        sum += w->actors[i].machine == NULL ? 0 : machine_counters(w->actors[i].machine)[counter];
    }
    return sum;
}
