#include <assert.h>
#include <errno.h>

#include "pipeline/builder_parts.h"
#include "pipeline/record.h"

void wants_update(struct listing *listing) {
    folded_digest_keep(&listing->head.folded);
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
        if (listing->wants[i].content != want) {
            listing->wants[i] = (struct want){want, listing->head.folded.visible_version};
        }
    }
}

enum need row_need(const struct partitioned *builder, const struct folded *folded,
                   const struct want *want, const struct row *row) {
    doc_version version = folded->visible_version;
    if (version == DOC_VERSION_NONE || row->abandoned == version) {
        return NEED_NOTHING;
    }
    if (row->strikes > 0) {
        return NEED_DELETE;
    }
    bool unsure = !row->known || row->repair;
    if (want->content == 0) {
        bool disturbed = unsure || want->moved > row->version;
        return disturbed || row->content != 0 ? NEED_DELETE : NEED_NOTHING;
    }
    /* Content that went away and came back since is not made anew: if somebody wrote what was in
     * between, the metadata write finds that content MISSING. */
    bool lags = row->version < version;
    const struct bugs *bugs = builder->machine.bugs;
    if (bug_on(bugs, BUG_METADATA_KEPT) && !unsure && row->content == want->content) {
        return NEED_NOTHING;
    }
    if (bug_on(bugs, BUG_NEVER_REEMBED) && row->known && row->content != 0 && !row->repair) {
        return lags ? NEED_METADATA : NEED_NOTHING;
    }
    if (unsure || row->content != want->content || (lags && bug_on(bugs, BUG_ALWAYS_REEMBED))) {
        return NEED_CONTENT;
    }
    return lags ? NEED_METADATA : NEED_NOTHING;
}

enum version_rule row_rule(const struct partitioned *builder, const struct row *row,
                           enum row_write_kind kind) {
    if (bug_on(builder->machine.bugs, BUG_NO_VERSION_CHECK)) {
        return VERSION_IGNORED;
    }
    /* A tombstone that the store left of its own accord, as an erasure does, must become a row. */
    return row->repair || kind == ROW_TOMBSTONE ? VERSION_GREATER_OR_EQUAL : VERSION_GREATER;
}

enum row_write_kind row_kind(enum need need, bool tombstone_rows) {
    enum row_write_kind removal = tombstone_rows ? ROW_TOMBSTONE : ROW_DELETE;
    return need == NEED_DELETE ? removal : need == NEED_METADATA ? ROW_METADATA : ROW_UPSERT;
}

int row_meta(const struct listing *listing, const struct want *want, const struct row *row,
             enum need need, struct effects *effects, struct effect *write, struct row_meta *meta) {
    *meta = folded_row_meta(&listing->head.folded);
    meta->content_hash = need == NEED_METADATA ? row->content : want->content;
    meta->category = effect_copy(effects, write, meta->category);
    meta->locale = effect_copy(effects, write, meta->locale);
    return effects->out_of_memory ? -ENOMEM : 0;
}

void row_settle(struct partitioned *builder, struct row *row, enum item_status status,
                enum row_write_kind kind, enum version_rule rule, const struct row_meta *meta) {
    if (status == ITEM_MISSING) {
        row->known = false;
        return;
    }
    assert(status == ITEM_APPLIED || status == ITEM_CONFLICT);
    if (row->strikes > 0 && kind == ROW_DELETE && rule != VERSION_GREATER) {
        row->strikes--;
        return;
    }
    /* After a conflict the store holds this version or a newer one: ours need not be sent. A write
     * that set out before the repair was asked for does not do the repair. */
    row->known = true;
    row->repair = row->repair && rule == VERSION_GREATER;
    row->remake = row->remake && row->repair;
    row->version = meta->version;
    row->content = kind == ROW_DELETE || kind == ROW_TOMBSTONE ? 0 : meta->content_hash;
    if (status == ITEM_CONFLICT) {
        machine_count(&builder->machine, COUNTER_STALE_REJECTED, 1);
    }
}

void row_repair(struct row *row) {
    row->known = false;
    row->repair = true;
    row->abandoned = DOC_VERSION_NONE;
    row->anew = DOC_VERSION_NONE;
}

int letter_add(struct partitioned *builder, struct builder_task *task, struct letters *letters,
               uint64_t key, const struct dead_letter *letter, struct effects *effects) {
    if (letters->produce == NULL) {
        struct effect *produce = machine_request(&builder->machine, effects, EFFECT_PRODUCE, 0);
        if (task_expect(builder, &task->task, produce, PURPOSE_LETTERS,
                        (uint32_t)letters->source) != 0) {
            return -ENOMEM;
        }
        produce->produce.items =
            effect_alloc(effects, produce, letters->room * sizeof *produce->produce.items);
        produce->produce.results =
            effect_alloc(effects, produce, letters->room * sizeof *produce->produce.results);
        if (produce->produce.items == NULL || produce->produce.results == NULL) {
            return -ENOMEM;
        }
        letters->produce = produce;
        task->task.sources[letters->source].waiting++;
    }
    struct effect *produce = letters->produce;
    assert(produce->produce.count < letters->room);
    machine_count(&builder->machine, COUNTER_DEAD_LETTERED, 1);
    return dead_letter_item(effects, produce, &produce->produce.items[produce->produce.count++],
                            key, letter);
}

int row_abandon(struct partitioned *builder, struct builder_task *task, size_t at, struct row *row,
                const char *name, struct letters *letters, struct effects *effects) {
    const struct folded *folded = &listing_at(task, at)->head.folded;
    row->abandoned = folded->visible_version;
    if (listings_unsaved(&task->listings, at) != 0) {
        return -ENOMEM;
    }
    struct dead_letter letter = {
        .topic = TOPIC_LISTING_LOG,
        .partition = task->task.partition,
        .offset = doc_version_offset(folded->visible_version),
        .append = folded->visible_at,
        .contract_version = RECORD_CONTRACT_VERSION,
        .reason = bytes_of("the store refuses the row for good"),
        .field = bytes_of(name),
        .expected = bytes_of("a row that the store accepts"),
        .actual = ITEM_FATAL,
    };
    return letter_add(builder, task, letters, folded->document.listing_id, &letter, effects);
}
