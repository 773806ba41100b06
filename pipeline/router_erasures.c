#include <assert.h>
#include <errno.h>

#include "pipeline/router_parts.h"

int erasure_items(struct record *erasure, uint64_t listing_id, struct effect *produce,
                  struct effects *effects) {
    struct bytes value;
    erasure->subject_id = listing_id;
    if (produce_record(erasure, TOPIC_LISTING_LOG, listing_id, produce, effects, &value) != 0) {
        return -ENOMEM;
    }
    struct produce_item *items = produce->produce.items;
    if (erasure->erasure_scope == ERASURE_SELLER) {
        items[produce->produce.count++] =
            (struct produce_item){TOPIC_ERASED, erasure->erasure_id, value};
    }
    return 0;
}

/* The listing names a seller whose listings were erased: it goes with them, and is registered, also
 * when an erasure of its own had taken it before. */
static int erase_with_seller(struct router_task *task, uint64_t seller_id, uint64_t listing_id,
                             bool again, struct effect *produce, struct effects *effects) {
    struct record erasure = {
        .type = RECORD_ERASURE,
        .op = RECORD_UPSERT,
        .contract_version = RECORD_CONTRACT_VERSION,
        .stamp = erasure_ledger_stamp(&task->ledger, ERASURE_SELLER, seller_id),
        .sections = again ? SECTION_AGAIN : 0,
        .erasure_scope = ERASURE_SELLER,
        .erasure_id = seller_id,
    };
    if (stamp_is_none(erasure.stamp)) {
        return 0;
    }
    int64_t listing = listing_of(task, listing_id);
    int learnt = erasure_ledger_learn(&task->ledger, ERASURE_LISTING, listing_id, erasure.stamp);
    if (listing < 0 || learnt < 0) {
        return -ENOMEM;
    }
    uint32_t names = task->listings[listing].name_count;
    if (listing_names(task, listing_id, FACT_SELLER, seller_id) != 0) {
        return -ENOMEM;
    }
    bool named_before = task->listings[listing].name_count == names;
    return named_before && learnt == 0 && !again
               ? 0
               : erasure_items(&erasure, listing_id, produce, effects);
}

bool is_erased(const struct partitioned *router, const struct router_task *task,
               const struct record *record) {
    struct stamp erased = erasure_ledger_stamp(&task->ledger, ERASURE_LISTING, record->subject_id);
    return stamp_compare(record->stamp, erased) <= 0 &&
           !bug_on(router->machine.bugs, BUG_ERASURE_FORGETS_LEDGER);
}

int meet_erasures(struct router_task *task, const struct record *record, struct effect *produce,
                  struct effects *effects) {
    struct field_cursor cursor = record_fields(record);
    struct field field;
    while (task->ledger.count > 0 && record_fields_next(&cursor, &field)) {
        if (field.id == FIELD_SELLER && field.type == VALUE_INTEGER &&
            erase_with_seller(task, (uint64_t)field.integer, record->subject_id,
                              (record->sections & SECTION_AGAIN) != 0, produce, effects) != 0) {
            return -ENOMEM;
        }
    }
    return 0;
}

/* A repeat is carried out again: it may be a replay whose first time was cut
 * short. */
int erasure_learn(struct partitioned *router, struct router_task *task, size_t source,
                  const struct log_record *logged, struct record *record, struct effect *produce,
                  struct effects *effects) {
    uint64_t id = record->erasure_id;
    record->erasure_part = 0;
    if (record->erasure_scope == ERASURE_LISTING) {
        uint32_t owner = topic_partition(id, router->machine.config->partitions);
        if (owner != task->task.partition) {
            return 0;
        }
        record->sections = SECTION_ORIGIN | (record->sections & SECTION_AGAIN);
        record->origin = (struct origin){TOPIC_PRIVACY, task->task.sources[source].partition,
                                         logged->offset, logged->append};
        return erasure_ledger_learn(&task->ledger, ERASURE_LISTING, id, record->stamp) < 0
                   ? -ENOMEM
                   : erasure_items(record, id, produce, effects);
    }
    int64_t index = named_of(task, FACT_SELLER, id);
    if (index < 0 || erasure_ledger_learn(&task->ledger, ERASURE_SELLER, id, record->stamp) < 0) {
        return -ENOMEM;
    }
    const struct named *seller = &task->named[index];
    for (size_t i = 0; i < seller->listing_count; i++) {
        if (erasure_ledger_learn(&task->ledger, ERASURE_LISTING, seller->listings[i],
                                 record->stamp) < 0) {
            return -ENOMEM;
        }
    }
    return fanout_add(task, source, logged, record, (size_t)index);
}

int erasure_end(struct partitioned *router, struct router_task *task, struct fanout *fanout,
                struct effects *effects) {
    struct effect *produce = machine_request(&router->machine, effects, EFFECT_PRODUCE, 0);
    if (produce == NULL || produce_reserve(effects, produce, 1) != 0) {
        return -ENOMEM;
    }
    struct record end = fanout->record;
    end.subject_id = end.erasure_id;
    end.erasure_part = task->task.partition + 1;
    if (produce_record(&end, TOPIC_ERASED, end.erasure_id, produce, effects, NULL) != 0) {
        return -ENOMEM;
    }
    producer_mark(router, task, PRODUCER_FANOUT, produce, 1);
    fanout->registered = true;
    return task_expect(router, &task->task, produce, PURPOSE_FANOUT, (uint32_t)fanout->source);
}
