/*
 * What a loader that lost records cannot get from OLTP: images (A16). A listing that reconciliation
 * publishes once more is one whose stores disagree. Its row follows from OLTP; of its images the
 * builder's document may be the last that knows, so the builder tells them to the log once more, as
 * they were told: whoever knows them learns nothing, whoever lost them learns all.
 */
#include <assert.h>
#include <errno.h>

#include "pipeline/builder_parts.h"
#include "pipeline/record.h"
#include "pipeline/wire.h"

static int add(struct effect *produce, const struct record *record, const struct field *fields,
               size_t field_count, struct effects *effects) {
    size_t size = record_encoded_bound(record, fields, field_count);
    char *bytes = effect_alloc_raw(effects, produce, size);
    if (bytes == NULL) {
        return -ENOMEM;
    }
    int64_t length = record_encode(record, fields, field_count, bytes, size);
    assert(length > 0);
    produce->produce.items[produce->produce.count++] =
        (struct produce_item){TOPIC_LISTING_LOG, record->subject_id, {bytes, (size_t)length}};
    return 0;
}

/* That some event named the image at that moment: it decides whether the image is an orphan (A6).
 * What the event said besides stands in the row that was published before. */
static int add_naming(struct effect *produce, uint64_t listing_id, const struct image_told *image,
                      struct effects *effects) {
    char id[8];
    le64_put(id, image->image_id);
    struct record record = {
        .type = RECORD_LISTING,
        .op = RECORD_UPSERT,
        .contract_version = RECORD_CONTRACT_VERSION,
        .stamp = image->named,
        .subject_id = listing_id,
    };
    struct field field = {.id = FIELD_IMAGE_IDS, .type = VALUE_IDS, .text = {id, sizeof id}};
    return add(produce, &record, &field, 1, effects);
}

static int add_image(struct effect *produce, uint64_t listing_id, const struct image_told *image,
                     bool last, struct effects *effects) {
    struct record record = {
        .type = RECORD_MEDIA,
        .op = image->delivered ? RECORD_UPSERT : RECORD_DELETE,
        .contract_version = RECORD_CONTRACT_VERSION,
        .stamp = image->stamp,
        .subject_id = listing_id,
        .image_id = image->image_id,
        .image_descriptor = image->descriptor,
        .sections = last ? SECTION_REPAIR : 0, /* from here on all readers agree */
    };
    return add(produce, &record, NULL, 0, effects);
}

int restate(struct partitioned *builder, struct builder_task *task, const struct listing *listing,
            const struct record *record, struct effects *effects) {
    const struct document *document = &listing->head.folded.document;
    struct image_told image;
    bool published = record->type == RECORD_LISTING && (record->sections & SECTION_REPAIR) != 0;
    if (!published || !document_image_told(document, 0, &image) ||
        bug_on(builder->machine.bugs, BUG_IMAGES_UNSAID)) {
        return 0;
    }
    size_t room = 2 * (size_t)document->image_count;
    struct effect *produce = machine_request(&builder->machine, effects, EFFECT_PRODUCE, 0);
    if (task_expect(builder, &task->task, produce, PURPOSE_AUDIT, 0) != 0) {
        return -ENOMEM;
    }
    produce->produce.items = effect_alloc(effects, produce, room * sizeof *produce->produce.items);
    produce->produce.results =
        effect_alloc(effects, produce, room * sizeof *produce->produce.results);
    if (effects->out_of_memory) {
        return -ENOMEM;
    }
    task->audits_under_way++;
    uint64_t id = document->listing_id;
    for (size_t i = 0; document_image_told(document, i, &image); i++) {
        if (stamp_compare(image.named, STAMP_NONE) != 0 &&
            add_naming(produce, id, &image, effects) != 0) {
            return -ENOMEM;
        }
    }
    for (size_t i = 0; document_image_told(document, i, &image); i++) {
        struct image_told next;
        bool last = !document_image_told(document, i + 1, &next);
        if (add_image(produce, id, &image, last, effects) != 0) {
            return -ENOMEM;
        }
    }
    assert(produce->produce.count <= room);
    return 0;
}
