#include <assert.h>
#include <errno.h>

#include "pipeline/builder_parts.h"

static enum need keyword_need(const struct partitioned *builder, const struct listing *listing) {
    return row_need(builder, &listing->head.folded, &listing->wants[ROW_KEYWORD],
                    &listing->keyword);
}

int keywords_queue(struct partitioned *builder, struct builder_task *task, size_t at) {
    struct listing *listing = listing_at(task, at);
    if (listing->keyword_busy || keyword_need(builder, listing) == NEED_NOTHING) {
        return 0;
    }
    bool gone = listing_gone(listing);
    if (listing->keyword_queued[gone]) {
        return 0;
    }
    listing->keyword_queued[gone] = true;
    return index_queue_push(&task->keywords[gone], at);
}

size_t keywords_backlog(const struct builder_task *task) {
    return task->keywords[0].count + task->keywords[1].count + task->keywords_under_way;
}

/* ---- Writing ---- */

static struct effect *write_begin(struct partitioned *builder, struct builder_task *task, bool gone,
                                  size_t room, struct effects *effects) {
    struct effect *write = machine_request(&builder->machine, effects, EFFECT_WRITE_KEYWORDS, 0);
    if (task_expect(builder, &task->task, write, PURPOSE_KEYWORDS, gone) != 0) {
        return NULL;
    }
    write->keywords.items = effect_alloc(effects, write, room * sizeof *write->keywords.items);
    write->keywords.statuses =
        effect_alloc(effects, write, room * sizeof *write->keywords.statuses);
    return write->keywords.items == NULL || write->keywords.statuses == NULL ? NULL : write;
}

static int keyword_fill(struct partitioned *builder, const struct listing *listing,
                        struct effect *write, struct effects *effects) {
    const struct row *row = &listing->keyword;
    enum need need = keyword_need(builder, listing);
    const struct folded *folded = &listing->head.folded;
    struct keyword_write *item = &write->keywords.items[write->keywords.count++];
    item->listing_id = folded->document.listing_id;
    item->kind = row_kind(need, builder->machine.config->keyword_tombstone_rows &&
                                    !bug_on(builder->machine.bugs, BUG_TEXT_DELETED_OUTRIGHT));
    item->rule = row_rule(builder, row, item->kind);
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
        item->tokeniser = document_tokeniser(&folded->document);
    }
    return row_meta(listing, &listing->wants[ROW_KEYWORD], row, need, effects, write, &item->meta);
}

static int queue_pump(struct partitioned *builder, struct builder_task *task, bool gone,
                      struct effects *effects) {
    struct index_queue *queue = &task->keywords[gone];
    struct effect *write = NULL;
    size_t room = batch_room(queue->count, task->keyword_items_max);
    while (queue->count > 0) {
        struct listing *listing = listing_at(task, index_queue_pop(queue));
        listing->keyword_queued[gone] = false;
        if (listing->keyword_busy || listing_gone(listing) != gone ||
            keyword_need(builder, listing) == NEED_NOTHING) {
            continue;
        }
        if (write == NULL || write->keywords.count == room) {
            write = write_begin(builder, task, gone, room, effects);
            if (write == NULL) {
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

int keywords_pump(struct partitioned *builder, struct builder_task *task, struct effects *effects) {
    for (int gone = 1; gone >= 0; gone--) {
        if (task->keywords_failing[gone] == 0 &&
            queue_pump(builder, task, gone != 0, effects) != 0) {
            return -ENOMEM;
        }
    }
    return 0;
}

/* ---- Answers ---- */

static struct listing *write_ended(struct builder_task *task, uint64_t id, size_t *at) {
    bool found = listings_find(&task->listings, id, at);
    assert(found);
    (void)found;
    struct listing *listing = listing_at(task, *at);
    assert(listing->keyword_busy);
    listing->keyword_busy = false;
    task->keywords_under_way--;
    return listing;
}

int keywords_answered(struct partitioned *builder, struct builder_task *task,
                      const struct event *event, struct effects *effects, bool *again) {
    const struct effect *write = event->answered;
    size_t count = write->keywords.count;
    struct letters letters = {.source = SOURCE_LOG, .room = count};
    for (size_t i = 0; i < count; i++) {
        const struct keyword_write *item = &write->keywords.items[i];
        if (item_unsettled(write->keywords.statuses[i])) {
            *again = true;
            continue;
        }
        size_t at;
        struct listing *listing = write_ended(task, item->listing_id, &at);
        if (write->keywords.statuses[i] != ITEM_FATAL) {
            row_settle(builder, &listing->keyword, write->keywords.statuses[i], item->kind,
                       item->rule, &item->meta);
        } else if (item->meta.version == listing->head.folded.visible_version &&
                   row_abandon(builder, task, at, &listing->keyword, "keyword row", &letters,
                               effects) != 0) {
            return -ENOMEM;
        }
        if (listings_unsaved(&task->listings, at) != 0 || keywords_queue(builder, task, at) != 0) {
            return -ENOMEM;
        }
    }
    return 0;
}

/* A batch that the index does not take at once goes in halves; a row that is too large by itself is
 * refused for good. */
int keywords_refused(struct partitioned *builder, struct builder_task *task,
                     const struct event *event, struct effects *effects, bool *again) {
    const struct effect *write = event->answered;
    if (event->error != PORT_TOO_LARGE) {
        return 0;
    }
    *again = false;
    if (write->keywords.count == 1) {
        write->keywords.statuses[0] = ITEM_FATAL;
        return keywords_answered(builder, task, event, effects, again);
    }
    items_max_learn(&task->keyword_items_max, write->keywords.count);
    for (size_t i = 0; i < write->keywords.count; i++) {
        size_t at;
        write_ended(task, write->keywords.items[i].listing_id, &at);
        if (keywords_queue(builder, task, at) != 0) {
            return -ENOMEM;
        }
    }
    return 0;
}
