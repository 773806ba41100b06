#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/array.h"
#include "pipeline/memory.h"
#include "pipeline/router_parts.h"

/* ---- Who names what ---- */

void knowledge_init(struct router_task *task) {
    for (size_t kind = 0; kind < FACT_KIND_END; kind++) {
        id_map_init(&task->named_index[kind]);
    }
    id_map_init(&task->listing_index);
}

void knowledge_release(struct router_task *task) {
    for (size_t i = 0; i < task->named_count; i++) {
        free((char *)task->named[i].fact.value.data); /* the task's own copy */
        free(task->named[i].listings);
    }
    for (size_t i = 0; i < task->listing_count; i++) {
        free(task->listings[i].names);
    }
    for (size_t i = 0; i < FANOUT_QUEUES; i++) {
        free(task->fanouts[i].items);
    }
    for (size_t kind = 0; kind < FACT_KIND_END; kind++) {
        id_map_release(&task->named_index[kind]);
    }
    id_map_release(&task->listing_index);
    free(task->named);
    free(task->listings);
}

int64_t named_of(struct router_task *task, enum fact_kind kind, uint64_t key) {
    uint32_t index;
    struct id_map *map = &task->named_index[kind];
    if (id_map_index(map, key, &index)) {
        return index;
    }
    if (ARRAY_RESERVE(task->named, task->named_capacity, task->named_count + 1) != 0 ||
        id_map_put_index(map, key, task->named_count) != 0) {
        return -ENOMEM;
    }
    task->named[task->named_count] =
        (struct named){.fact = {.kind = kind, .key = key, .stamp = STAMP_NONE}};
    return (int64_t)task->named_count++;
}

int64_t listing_of(struct router_task *task, uint64_t id) {
    uint32_t index;
    if (id_map_index(&task->listing_index, id, &index)) {
        return index;
    }
    if (ARRAY_RESERVE(task->listings, task->listing_capacity, task->listing_count + 1) != 0 ||
        id_map_put_index(&task->listing_index, id, task->listing_count) != 0) {
        return -ENOMEM;
    }
    task->listings[task->listing_count] = (struct routed_listing){.id = id};
    return (int64_t)task->listing_count++;
}

int listing_names(struct router_task *task, uint64_t listing_id, enum fact_kind kind,
                  uint64_t key) {
    int64_t named_index = named_of(task, kind, key);
    int64_t listing_index = listing_of(task, listing_id);
    if (named_index < 0 || listing_index < 0) {
        return -ENOMEM;
    }
    struct named *named = &task->named[named_index];
    struct routed_listing *listing = &task->listings[listing_index];
    for (uint32_t i = 0; i < listing->name_count; i++) {
        if (listing->names[i] == (uint64_t)named_index) {
            return 0;
        }
    }
    size_t names = (size_t)listing->name_count + 1;
    if (ARRAY_RESERVE(listing->names, listing->name_capacity, names) != 0 ||
        ARRAY_RESERVE(named->listings, named->listing_capacity, named->listing_count + 1) != 0) {
        return -ENOMEM;
    }
    listing->names[listing->name_count++] = (uint32_t)named_index;
    listing->dirty = true;
    named->listings[named->listing_count++] = listing_id;
    return 0;
}

int named_learn(struct named *named, const struct fact *fact) {
    char *value = NULL;
    if (fact->value.len > 0) {
        value = memory_resize(NULL, fact->value.len);
        if (value == NULL) {
            return -ENOMEM;
        }
        memcpy(value, fact->value.data, fact->value.len);
    }
    free((char *)named->fact.value.data);
    named->fact = *fact;
    named->fact.value = (struct bytes){value, fact->value.len};
    named->known = true;
    return 0;
}

/* ---- Riding along ---- */

static void ride(const struct partitioned *router, const struct named *named,
                 struct record *record) {
    const struct fact *fact = &named->fact;
    if (fact->kind != FACT_SELLER) {
        assert(record->fact_count < RECORD_FACTS_MAX);
        record->sections |= SECTION_FACTS;
        record->facts[record->fact_count++] = *fact;
    } else if (!bug_on(router->machine.bugs, BUG_SUPPRESSION_EXISTING_ONLY)) {
        record->sections |= SECTION_POLICY;
        record->policy =
            (struct policy_note){fact->key, (enum policy_status)fact->code, fact->stamp};
    }
}

int facts_ride(const struct partitioned *router, struct router_task *task, struct record *record) {
    struct field_cursor cursor = record_fields(record);
    struct field field;
    record->sections &= ~(unsigned)SECTION_FACTS;
    record->fact_count = 0;
    while (record_fields_next(&cursor, &field)) {
        enum fact_kind kind;
        uint64_t key;
        if (!fact_named(&field, &kind, &key)) {
            continue;
        }
        if (listing_names(task, record->subject_id, kind, key) != 0) {
            return -ENOMEM;
        }
        const struct named *named = &task->named[named_of(task, kind, key)];
        if (named->known) {
            ride(router, named, record);
        }
    }
    return 0;
}

/* ---- Fanning out ---- */

/* Listings that one produce carries. */
enum { FANOUT_SLICE = 512 };

static struct fanout_queue *queue_of(struct router_task *task, const struct record *record) {
    return &task->fanouts[record->type == RECORD_REFERENCE ? FANOUT_TABLES : FANOUT_GONE];
}

static void keep_texts(struct fanout *fanout, const struct reference_row *row) {
    fanout->key_length = (uint8_t)row->key.len;
    fanout->value_length = (uint8_t)row->value.len;
    memcpy(fanout->text, row->key.data, row->key.len);
    memcpy(fanout->text + row->key.len, row->value.data, row->value.len);
}

int fanout_add(struct router_task *task, size_t source, const struct log_record *logged,
               const struct record *record, size_t named) {
    struct fanout_queue *queue = queue_of(task, record);
    if (ARRAY_RESERVE(queue->items, queue->capacity, queue->count + 1) != 0) {
        return -ENOMEM;
    }
    struct fanout *fanout = &queue->items[queue->count++];
    *fanout = (struct fanout){.source = source, .named = named, .record = *record};
    fanout->record.sections = SECTION_ORIGIN | (record->sections & SECTION_AGAIN);
    fanout->record.origin =
        (struct origin){(uint8_t)task->task.sources[source].topic,
                        task->task.sources[source].partition, logged->offset, logged->append};
    if (record->type == RECORD_REFERENCE) {
        keep_texts(fanout, &record->reference);
    }
    return 0;
}

static bool fans_out(const struct partitioned *router, const struct record *record) {
    enum bug_id off =
        record->type == RECORD_POLICY ? BUG_NO_POLICY_FANOUT : BUG_REFERENCE_NO_FANOUT;
    return !bug_on(router->machine.bugs, off);
}

/* A repeat fans out again: it may be a replay whose first fan-out was cut short. */
int facts_learn(const struct partitioned *router, struct router_task *task, size_t source,
                const struct log_record *logged, const struct record *record) {
    struct fact fact;
    bool told = fact_of_record(record, &fact);
    assert(told);
    int64_t index = told ? named_of(task, fact.kind, fact.key) : -ENOMEM;
    if (index < 0) {
        return -ENOMEM;
    }
    struct named *named = &task->named[index];
    if (named->known && stamp_compare(fact.stamp, named->fact.stamp) < 0) {
        return 0;
    }
    if (named_learn(named, &fact) != 0) {
        return -ENOMEM;
    }
    named->dirty = true;
    return fans_out(router, record) ? fanout_add(task, source, logged, record, (size_t)index) : 0;
}

/* The listings that a fan-out goes to. */
static size_t reached(const struct partitioned *router, const struct router_task *task,
                      const struct fanout *fanout) {
    bool all = fanout->record.type == RECORD_REFERENCE &&
               bug_on(router->machine.bugs, BUG_REFERENCE_TO_ALL);
    return all ? task->listing_count : task->named[fanout->named].listing_count;
}

static uint64_t reached_at(const struct partitioned *router, const struct router_task *task,
                           const struct fanout *fanout, size_t at) {
    const struct named *named = &task->named[fanout->named];
    bool all = reached(router, task, fanout) != named->listing_count;
    return all ? task->listings[at].id : named->listings[at];
}

static enum machine_counter counter_of(const struct record *record) {
    return record->type == RECORD_ERASURE     ? COUNTER_ERASURE_FANOUT
           : record->type == RECORD_REFERENCE ? COUNTER_REFERENCE_FANOUT
                                              : COUNTER_POLICY_FANOUT;
}

static int slice_send(struct partitioned *router, struct router_task *task, struct fanout *fanout,
                      struct effects *effects) {
    struct record *record = &fanout->record;
    size_t left = reached(router, task, fanout) - fanout->next;
    size_t count = left < FANOUT_SLICE ? left : FANOUT_SLICE;
    bool erasure = record->type == RECORD_ERASURE;
    struct effect *produce = machine_request(&router->machine, effects, EFFECT_PRODUCE, 0);
    if (produce == NULL ||
        produce_reserve(effects, produce, erasure ? ERASURE_ITEMS * count : count) != 0) {
        return -ENOMEM;
    }
    if (!erasure) {
        router_sign(router, record);
    }
    record->reference.key = (struct bytes){fanout->text, fanout->key_length};
    record->reference.value =
        (struct bytes){fanout->text + fanout->key_length, fanout->value_length};
    for (size_t i = 0; i < count; i++) {
        record->subject_id = reached_at(router, task, fanout, fanout->next + i);
        int failed = erasure ? erasure_items(record, record->subject_id, produce, effects)
                             : produce_record(record, TOPIC_LISTING_LOG, record->subject_id,
                                              produce, effects, NULL);
        if (failed != 0) {
            return failed;
        }
    }
    producer_mark(router, task, PRODUCER_FANOUT, produce, produce->produce.count);
    fanout->next += count;
    machine_count(&router->machine, counter_of(record), count);
    return task_expect(router, &task->task, produce, PURPOSE_FANOUT, (uint32_t)fanout->source);
}

/* True in *sent when a request went out. */
static int queue_send(struct partitioned *router, struct router_task *task,
                      struct fanout_queue *queue, bool *sent, vtime now, struct effects *effects) {
    *sent = true;
    while (queue->first < queue->count) {
        struct fanout *fanout = &queue->items[queue->first];
        if (fanout->next < reached(router, task, fanout)) {
            return slice_send(router, task, fanout, effects);
        }
        if (fanout->record.type == RECORD_ERASURE && !fanout->registered) {
            return erasure_end(router, task, fanout, effects);
        }
        queue->first++;
        if (fanout->last_of_batch && output_done(router, task, fanout->source, now, effects) != 0) {
            return -ENOMEM;
        }
    }
    queue->first = queue->count = 0;
    *sent = false;
    return 0;
}

int fanout_send(struct partitioned *router, struct router_task *task, vtime now,
                struct effects *effects) {
    task->fanout_under_way = false;
    for (size_t i = 0; i < FANOUT_QUEUES && !task->fanout_under_way; i++) {
        if (queue_send(router, task, &task->fanouts[i], &task->fanout_under_way, now, effects) !=
            0) {
            return -ENOMEM;
        }
    }
    return 0;
}

int fanouts_begin(struct partitioned *router, struct router_task *task, size_t source, vtime now,
                  struct effects *effects) {
    for (size_t i = 0; i < FANOUT_QUEUES; i++) {
        struct fanout_queue *queue = &task->fanouts[i];
        struct fanout *last = queue->count > queue->first ? &queue->items[queue->count - 1] : NULL;
        if (last != NULL && last->source == source && !last->last_of_batch) {
            last->last_of_batch = true;
            task->task.sources[source].waiting++;
        }
    }
    return task->fanout_under_way ? 0 : fanout_send(router, task, now, effects);
}
