#include "sim/hop_log.h"

#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "pipeline/array.h"
#include "pipeline/id_map.h"

/* A request for vectors that is not answered yet. */
struct open_call {
    uint32_t actor;
    uint64_t request;
    size_t first; /* its embeddings */
};

#define LIST(type)                                                                                 \
    struct {                                                                                       \
        type *items;                                                                               \
        size_t count, capacity;                                                                    \
    }

struct hop_log {
    bool out_of_memory;
    uint32_t served[MODALITY_COUNT]; /* model that the alias leads to */
    LIST(struct hop_record) records;
    LIST(struct hop_read) reads;
    LIST(struct hop_embedding) embeddings;
    LIST(struct hop_gone) gone;
    LIST(struct hop_refusal) refusals;
    LIST(struct hop_alias) aliases;
    LIST(struct hop_gate) gates;
    LIST(struct oracle_change) changes;
    LIST(struct open_call) open;
    struct id_map refused; /* refusals by what was refused and why */
};

struct hop_log *hop_log_new(vtime start, uint32_t model_version) {
    struct hop_log *h = calloc(1, sizeof *h);
    if (h != NULL) {
        id_map_init(&h->refused);
    }
    for (int m = 0; h != NULL && m < MODALITY_COUNT; m++) {
        hop_log_alias_switched(h, start, (enum modality)m, model_version);
    }
    if (h != NULL && h->out_of_memory) {
        hop_log_free(h);
        return NULL;
    }
    return h;
}

void hop_log_free(struct hop_log *h) {
    if (h == NULL) {
        return;
    }
    free(h->records.items);
    free(h->reads.items);
    free(h->embeddings.items);
    free(h->gone.items);
    free(h->refusals.items);
    free(h->aliases.items);
    free(h->gates.items);
    free(h->changes.items);
    free(h->open.items);
    id_map_release(&h->refused);
    free(h);
}

bool hop_log_out_of_memory(const struct hop_log *h) {
    return h->out_of_memory;
}

/* Adds one to a list, in a function that may return; the value is spelled behind the list. */
#define ADD(h, list, ...)                                                                          \
    do {                                                                                           \
        if (ARRAY_RESERVE((h)->list.items, (h)->list.capacity, (h)->list.count + 1) != 0) {        \
            (h)->out_of_memory = true;                                                             \
        } else {                                                                                   \
            (h)->list.items[(h)->list.count++] = __VA_ARGS__;                                      \
        }                                                                                          \
    } while (0)

/* ---- Records ---- */

/* The topics that changes of listings go through. */
static bool is_on_the_way(enum topic_id topic) {
    return topic < TOPIC_FEED_COUNT || topic == TOPIC_LISTING_LOG || topic == TOPIC_LATE ||
           topic == TOPIC_QUARANTINE || topic == TOPIC_CERTIFICATE;
}

void hop_log_appended(struct hop_log *h, enum topic_id topic, uint32_t partition,
                      const struct log_record *record) {
    if (!is_on_the_way(topic)) {
        return;
    }
    struct hop_record hop = {.topic = topic,
                             .partition = partition,
                             .epoch = record->epoch,
                             .offset = record->offset,
                             .append = record->append,
                             .subject_id = record->key};
    struct record decoded;
    struct record_error error;
    if (record_decode_claimed(record->value, &decoded, &error) == 0) {
        hop.type = (uint8_t)decoded.type;
        hop.op = (uint8_t)decoded.op;
        hop.repair = (decoded.sections & SECTION_REPAIR) != 0;
        hop.routed = (decoded.sections & SECTION_ORIGIN) != 0;
        hop.stamp = decoded.stamp;
        hop.subject_id = decoded.subject_id;
        hop.image_id = decoded.type == RECORD_MEDIA ? decoded.image_id : 0;
        hop.origin = hop.routed ? decoded.origin : hop.origin;
    }
    ADD(h, records, hop);
}

/* ---- What machines are told ---- */

static void was_read(struct hop_log *h, const char *name, const struct event *event) {
    const struct effect *fetch = event->answered;
    size_t count = event->records.count;
    if (event->error != PORT_OK || count == 0 || !is_on_the_way(fetch->fetch.topic)) {
        return;
    }
    ADD(h, reads,
        (struct hop_read){.machine = name,
                          .topic = fetch->fetch.topic,
                          .partition = fetch->fetch.partition,
                          .first = event->records.records[0].offset,
                          .next = event->records.records[count - 1].offset + 1,
                          .bronze = fetch->fetch.bronze,
                          .at = event->now});
}

static void outbox_was_read(struct hop_log *h, const char *name, const struct event *event) {
    size_t count = event->outbox.count;
    if (event->error != PORT_OK || count == 0) {
        return;
    }
    ADD(h, reads,
        (struct hop_read){.machine = name,
                          .topic = HOP_LOG_OUTBOX,
                          .first = event->outbox.rows[0].sequence,
                          .next = event->outbox.rows[count - 1].sequence + 1,
                          .at = event->now});
}

static struct open_call *open_find(struct hop_log *h, uint32_t actor, uint64_t request) {
    for (size_t i = 0; i < h->open.count; i++) {
        if (h->open.items[i].actor == actor && h->open.items[i].request == request) {
            return &h->open.items[i];
        }
    }
    return NULL;
}

static void was_embedded(struct hop_log *h, uint32_t actor, const struct event *event) {
    const struct effect *embed = event->answered;
    struct open_call *open = open_find(h, actor, event->request);
    if (open == NULL) {
        return;
    }
    for (size_t i = 0; i < embed->embed.count; i++) {
        const struct embed_result *result = &embed->embed.results[i];
        struct hop_embedding *hop = &h->embeddings.items[open->first + i];
        hop->returned = event->now;
        hop->reused = event->error == PORT_OK && result->reused == embed->embed.items[i].modalities;
        hop->status = event->error == PORT_OK ? item_status_name(result->status)
                                              : port_error_name(event->error);
    }
    *open = h->open.items[--h->open.count];
}

/* What became of an item, where it was not done; else NULL. */
static const char *refusal(int error, enum item_status status) {
    return error != PORT_OK ? port_error_name(error)
           : status == ITEM_RETRYABLE || status == ITEM_UNKNOWN || status == ITEM_FATAL
               ? item_status_name(status)
               : NULL;
}

static void was_refused(struct hop_log *h, vtime now, struct hop_refusal refusal) {
    uint64_t parts[] = {(uint64_t)refusal.store, refusal.model_version, refusal.listing_id,
                        (uint64_t)refusal.version,
                        XXH3_64bits(refusal.reason, strlen(refusal.reason))};
    uint64_t key = XXH3_64bits(parts, sizeof parts);
    uint32_t at = id_map_get(&h->refused, key);
    if (at == ID_MAP_NONE) {
        refusal.first = now;
        at = (uint32_t)h->refusals.count;
        ADD(h, refusals, refusal);
        if (h->out_of_memory || id_map_put_index(&h->refused, key, at) != 0) {
            h->out_of_memory = true;
            return;
        }
    }
    h->refusals.items[at].times++;
    h->refusals.items[at].last = now;
}

static void vectors_were_written(struct hop_log *h, const struct event *event) {
    const struct effect *write = event->answered;
    for (size_t i = 0; i < write->vectors.count; i++) {
        const char *reason = refusal(event->error, write->vectors.statuses[i]);
        const struct vector_write *item = &write->vectors.items[i];
        if (reason != NULL) {
            was_refused(h, event->now,
                        (struct hop_refusal){.store = (enum store_id)write->vectors.modality,
                                             .model_version = write->vectors.model_version,
                                             .listing_id = item->listing_id,
                                             .version = item->meta.version,
                                             .reason = reason});
        }
    }
}

static void keywords_were_written(struct hop_log *h, const struct event *event) {
    const struct effect *write = event->answered;
    for (size_t i = 0; i < write->keywords.count; i++) {
        const char *reason = refusal(event->error, write->keywords.statuses[i]);
        const struct keyword_write *item = &write->keywords.items[i];
        if (reason != NULL) {
            was_refused(h, event->now,
                        (struct hop_refusal){.store = STORE_KEYWORD,
                                             .listing_id = item->listing_id,
                                             .version = item->meta.version,
                                             .reason = reason});
        }
    }
}

void hop_log_told(struct hop_log *h, uint32_t actor, enum machine_kind kind, const char *name,
                  const struct event *event) {
    bool on_the_way = kind == MACHINE_RELAY || kind == MACHINE_ROUTER || kind == MACHINE_BUILDER ||
                      kind == MACHINE_LOADER;
    if (!on_the_way) {
        return;
    }
    switch (event->kind) {
    case EVENT_RECORDS:
        was_read(h, name, event);
        break;
    case EVENT_OUTBOX:
        outbox_was_read(h, name, event);
        break;
    case EVENT_EMBEDDED:
        was_embedded(h, actor, event);
        break;
    case EVENT_WRITTEN:
        if (event->answered->kind == EFFECT_WRITE_VECTORS) {
            vectors_were_written(h, event);
        } else {
            keywords_were_written(h, event);
        }
        break;
    default:
        break;
    }
}

/* ---- What machines ask for ---- */

/* A request that is sent once more is a further call; one of a process that is gone stays without
 * an answer. */
void hop_log_asked(struct hop_log *h, vtime now, uint32_t actor, const struct effect *effect) {
    if (effect->kind != EFFECT_EMBED) {
        return;
    }
    struct open_call call = {actor, effect->request, h->embeddings.count};
    for (size_t i = 0; i < effect->embed.count; i++) {
        const struct embed_item *item = &effect->embed.items[i];
        struct hop_embedding hop = {.listing_id = item->listing_id,
                                    .model_version = effect->embed.model_version,
                                    .modalities = item->modalities,
                                    .asked = now,
                                    .returned = VTIME_NEVER};
        memcpy(hop.content, item->content, sizeof hop.content);
        ADD(h, embeddings, hop);
    }
    if (h->out_of_memory) {
        return;
    }
    struct open_call *open = open_find(h, actor, effect->request);
    if (open != NULL) {
        *open = call;
    } else {
        ADD(h, open, call);
    }
}

/* ---- Stores and readers ---- */

void hop_log_row_changed(struct hop_log *h, vtime now, const struct row_change *change,
                         bool served) {
    bool serving = change->store <= STORE_KEYWORD;
    if (!serving || change->after.present) {
        return;
    }
    bool vectors = change->store < STORE_KEYWORD;
    uint32_t model = vectors && served ? h->served[change->store] : change->before.model_version;
    ADD(h, gone,
        (struct hop_gone){.store = change->store,
                          .model_version = vectors ? model : 0,
                          .listing_id = change->listing_id,
                          .version = change->after.version,
                          .at = now});
}

void hop_log_alias_switched(struct hop_log *h, vtime now, enum modality modality, uint32_t to) {
    h->served[modality] = to;
    ADD(h, aliases, (struct hop_alias){modality, to, now});
}

void hop_log_seller_changed(struct hop_log *h, vtime now, enum store_id store, uint64_t seller_id,
                            enum policy_status status) {
    ADD(h, gates, (struct hop_gate){store, seller_id, status, now});
}

void hop_log_changed(struct hop_log *h, const struct oracle_change *change) {
    ADD(h, changes, *change);
}

/* ---- What was heard ---- */

#define ACCESSOR(name, type, list)                                                                 \
    const type *name(const struct hop_log *h, size_t *count) {                                     \
        *count = h->list.count;                                                                    \
        return h->list.items;                                                                      \
    }
ACCESSOR(hop_log_records, struct hop_record, records)
ACCESSOR(hop_log_reads, struct hop_read, reads)
ACCESSOR(hop_log_embeddings, struct hop_embedding, embeddings)
ACCESSOR(hop_log_gone, struct hop_gone, gone)
ACCESSOR(hop_log_refusals, struct hop_refusal, refusals)
ACCESSOR(hop_log_aliases, struct hop_alias, aliases)
ACCESSOR(hop_log_gates, struct hop_gate, gates)
ACCESSOR(hop_log_changes, struct oracle_change, changes)
