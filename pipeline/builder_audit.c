#include <assert.h>
#include <errno.h>

#include "pipeline/builder_parts.h"
#include "pipeline/record.h"

static_assert(AUDIT_MODALITIES == MODALITY_COUNT, "a record tells of every modality");

uint8_t audit_modalities(const struct listing *listing) {
    uint8_t bits = 0;
    for (size_t m = 0; m < MODALITY_COUNT; m++) {
        bits |= (uint8_t)((listing->wants[m].content != 0) << m);
    }
    return bits;
}

static int audit_begin(struct partitioned *builder, struct builder_task *task,
                       struct audits *audits, struct effects *effects) {
    struct effect *produce = machine_request(&builder->machine, effects, EFFECT_PRODUCE, 0);
    if (task_expect(builder, &task->task, produce, PURPOSE_AUDIT, 0) != 0) {
        return -ENOMEM;
    }
    produce->produce.items =
        effect_alloc(effects, produce, audits->room * sizeof *produce->produce.items);
    produce->produce.results =
        effect_alloc(effects, produce, audits->room * sizeof *produce->produce.results);
    audits->produce = produce;
    task->audits_under_way++;
    return effects->out_of_memory ? -ENOMEM : 0;
}

int audit_add(struct partitioned *builder, struct builder_task *task, struct audits *audits,
              const struct lane *lane, const struct listing *listing, uint8_t made,
              struct effects *effects) {
    const struct folded *folded = &listing->head.folded;
    uint8_t modalities = audit_modalities(listing);
    if (bug_on(builder->machine.bugs, BUG_AUDIT_SKIPS_KEPT)) {
        modalities &= made;
    }
    if (modalities == 0 || builder->machine.config->audit_off) {
        return 0;
    }
    if (audits->produce == NULL && audit_begin(builder, task, audits, effects) != 0) {
        return -ENOMEM;
    }
    struct record record = {
        .type = RECORD_AUDIT,
        .op = RECORD_UPSERT,
        .contract_version = RECORD_CONTRACT_VERSION,
        .stamp = folded->visible_stamp,
        .subject_id = folded->document.listing_id,
        .audit = {.version = folded->visible_version,
                  .model_version = lane->model_version,
                  .modalities = modalities,
                  .made = made & modalities},
    };
    for (size_t m = 0; m < MODALITY_COUNT; m++) {
        record.audit.content[m] = listing->wants[m].content;
    }
    struct effect *produce = audits->produce;
    size_t size = record_encoded_bound(&record, NULL, 0);
    char *bytes = effect_alloc_raw(effects, produce, size);
    if (bytes == NULL) {
        return -ENOMEM;
    }
    int64_t length = record_encode(&record, NULL, 0, bytes, size);
    assert(length > 0 && produce->produce.count < audits->room);
    produce->produce.items[produce->produce.count++] =
        (struct produce_item){TOPIC_AUDIT, record.subject_id, {bytes, (size_t)length}};
    return 0;
}
