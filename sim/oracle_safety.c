/*
 * What must hold at every moment: versions do not go back, no row is there twice, embeddings are
 * not made for nothing, what is refused deserves it.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <xxhash.h>

#include "pipeline/array.h"
#include "pipeline/dead_letter.h"
#include "sim/oracle_parts.h"

/* ---- Rows ---- */

/* The row as the oracle last saw it written is not what the store says it was: somebody else
 * changed it, as faults do. */
static bool was_tampered(const struct seen_row *row, const struct row_state *before) {
    if (row->present != before->present) {
        return true;
    }
    return row->present &&
           (row->version != before->version || row->whole_hash != before->whole_hash);
}

static void check_monotone(struct oracle *o, vtime now, const struct oracle_listing *l,
                           const struct row_change *change) {
    const struct seen_row *row = &l->rows[change->store];
    const struct row_state *after = &change->after;
    o->checks[CHECK_VERSION_MONOTONE].looked_at++;
    if (after->version == DOC_VERSION_NONE || row->version == DOC_VERSION_NONE ||
        !store_conditional(o, change->store)) {
        return;
    }
    if (after->version < row->version) {
        check_violated(o, CHECK_VERSION_MONOTONE, now,
                       "%s: listing %" PRIu64 " went from version %" PRId64 " back to %" PRId64
                       " by a write of kind %d",
                       store_name(change->store), l->id, row->version, after->version,
                       (int)change->kind);
    } else if (after->version == row->version && after->present && row->whole_hash != 0 &&
               after->whole_hash != row->whole_hash && !is_torn(l, after->version)) {
        check_violated(o, CHECK_VERSION_MONOTONE, now,
                       "%s: listing %" PRIu64 " has two contents at version %" PRId64
                       ": hash %016" PRIx64 ", then %016" PRIx64,
                       store_name(change->store), l->id, row->version, row->whole_hash,
                       after->whole_hash);
    }
}

static void row_learn(struct seen_row *row, const struct row_state *after) {
    if (after->version >= row->version) {
        /* Of a row that is gone no content is known: whoever writes that version may say it. */
        bool same = after->version == row->version;
        row->whole_hash = after->present ? after->whole_hash : same ? row->whole_hash : 0;
        row->version = after->version;
    }
    row->left = row->left || (row->present && !after->present);
    row->present = after->present;
    row->content_hash = after->content_hash;
    row->model_version = after->model_version;
}

static bool is_vector(enum store_id store) {
    return store <= STORE_VECTOR_FUSED;
}

static void check_economy(struct oracle *o, vtime now, const struct oracle_listing *l,
                          const struct row_change *change) {
    o->counts.metadata_writes += change->kind == ROW_METADATA;
    if (change->kind != ROW_UPSERT) {
        return;
    }
    o->counts.full_vector_writes++;
    if (o->options.vectors_whole) {
        return; /* a change of metadata cannot do without; what was made for it is judged */
    }
    o->checks[CHECK_EMBEDDING_ECONOMY].looked_at++;
    const struct row_state *before = &change->before;
    const struct row_state *after = &change->after;
    if (before->present && after->present && before->content_hash == after->content_hash &&
        before->model_version == after->model_version) {
        o->counts.needless_embeddings++;
        check_violated(o, CHECK_EMBEDDING_ECONOMY, now,
                       "%s: listing %" PRIu64 " got its vector anew at version %" PRId64
                       " over version %" PRId64 " of the same content",
                       store_name(change->store), l->id, after->version, before->version);
    }
}

void safety_embedded(struct oracle *o, vtime now, const struct embed_item *item,
                     const struct embed_result *result) {
    if (!o->options.vectors_whole || result->status != ITEM_APPLIED) {
        return;
    }
    uint8_t made = item->modalities & (uint8_t)~result->reused;
    uint32_t listing = oracle_listing_of(o, item->listing_id);
    for (size_t m = 0; m < MODALITY_COUNT; m++) {
        if ((made >> m & 1) == 0 || item->content[m] == 0 || listing == UINT32_MAX) {
            continue;
        }
        const struct seen_row *row = &o->listings[listing].rows[m];
        o->checks[CHECK_EMBEDDING_ECONOMY].looked_at++;
        if (row->present && row->content_hash == item->content[m] &&
            row->model_version == result->model_version) {
            o->counts.needless_embeddings++;
            check_violated(o, CHECK_EMBEDDING_ECONOMY, now,
                           "%s: of listing %" PRIu64 " a vector was made anew, whose content"
                           " version %" PRId64 " has",
                           store_name((enum store_id)m), item->listing_id, row->version);
        }
    }
}

void safety_row(struct oracle *o, vtime now, struct oracle_listing *l,
                const struct row_change *change) {
    struct seen_row *row = &l->rows[change->store];
    o->checks[CHECK_NO_DUPLICATE_ROW].looked_at++;
    if (change->duplicate) {
        check_violated(o, CHECK_NO_DUPLICATE_ROW, now,
                       "%s: a second row of listing %" PRIu64 " at version %" PRId64,
                       store_name(change->store), l->id, change->after.version);
    }
    if (change->store == STORE_SILVER) {
        return; /* keeps every version, in whatever order they arrive */
    }
    if (is_vector(change->store)) {
        check_economy(o, now, l, change);
    }
    if (change->duplicate) {
        return; /* the first row is as it was */
    }
    o->counts.tampered_rows += was_tampered(row, &change->before);
    check_monotone(o, now, l, change);
    row_learn(row, &change->after);
}

static void waiting_learn(struct waiting_row *row, const struct row_change *change) {
    if (row->model_version != change->collection || change->after.version >= row->version) {
        *row =
            (struct waiting_row){change->collection, change->after.version, change->after.present};
    }
}

/* Nobody saw the row, so the store's word for what was there before must do. */
void safety_unseen_row(struct oracle *o, vtime now, struct oracle_listing *l,
                       const struct row_change *change) {
    const struct row_state *before = &change->before;
    const struct row_state *after = &change->after;
    o->checks[CHECK_NO_DUPLICATE_ROW].looked_at++;
    o->checks[CHECK_VERSION_MONOTONE].looked_at++;
    check_economy(o, now, l, change);
    waiting_learn(&l->waiting_rows[change->store], change);
    if (change->duplicate) {
        check_violated(o, CHECK_NO_DUPLICATE_ROW, now,
                       "%s behind the alias: a second row of listing %" PRIu64
                       " at version %" PRId64,
                       store_name(change->store), l->id, after->version);
    } else if (before->version != DOC_VERSION_NONE && after->version != DOC_VERSION_NONE &&
               after->version < before->version && store_conditional(o, change->store)) {
        check_violated(o, CHECK_VERSION_MONOTONE, now,
                       "%s behind the alias: listing %" PRIu64 " went from version %" PRId64
                       " back to %" PRId64,
                       store_name(change->store), l->id, before->version, after->version);
    }
}

/* ---- Dead letters ---- */

uint64_t poison_key(struct bytes value) {
    return XXH3_64bits(value.data, value.len);
}

void safety_poison(struct oracle *o, vtime now, struct bytes value) {
    o->counts.poison++;
    o->checks[CHECK_DEAD_LETTERS].looked_at++;
    uint64_t key = poison_key(value);
    uint32_t at = id_map_get(&o->poison_index, key);
    if (at != ID_MAP_NONE) {
        return; /* the same bytes again: one letter at least is asked for */
    }
    if (ARRAY_RESERVE(o->poisons, o->poison_capacity, o->poison_count + 1) != 0 ||
        id_map_put_index(&o->poison_index, key, (uint32_t)o->poison_count) != 0) {
        o->out_of_memory = true;
        return;
    }
    o->poisons[o->poison_count++] = (struct poison){key, now, 0};
    o->poison_unanswered++;
}

void safety_dead_letter(struct oracle *o, vtime now, const struct log_record *logged) {
    struct dead_letter letter;
    struct bytes value = logged->value;
    if (value.len == 0) {
        contracts_letter_gone(o, logged->key);
        return;
    }
    o->counts.dead_letters++;
    o->checks[CHECK_DEAD_LETTERS].looked_at++;
    if (dead_letter_decode(value, &letter) != 0) {
        check_violated(o, CHECK_DEAD_LETTERS, now, "a dead letter that cannot be read");
        return;
    }
    pulse_beat_after(&o->pulses[PULSE_LETTERS], now, vtime_diff(now, letter.append));
    if (letter.topic == TOPIC_LISTING || letter.topic == TOPIC_MEDIA) {
        progress_routed(o, letter.topic, letter.partition, letter.offset);
    }
    uint32_t at = id_map_get(&o->poison_index, poison_key(letter.value));
    if (at != ID_MAP_NONE) {
        o->poison_unanswered -= o->poisons[at].letters == 0;
        o->poisons[at].letters++;
        return;
    }
    if (contracts_letter(o, now, &letter)) {
        return;
    }
    struct record record;
    struct record_error error;
    bool refused_row = letter.value.len == 0;
    if (refused_row && letter.topic == TOPIC_LISTING_LOG && o->options.refusals) {
        return;
    }
    if (refused_row || record_decode(letter.value, &record, &error) == 0) {
        check_violated(o, CHECK_DEAD_LETTERS, now,
                       "a valid record of %s, partition %" PRIu32 ", offset %" PRId64
                       " was refused: %.*s (%.*s)",
                       topic_name(letter.topic), letter.partition, letter.offset,
                       (int)letter.reason.len, letter.reason.data, (int)letter.field.len,
                       letter.field.data);
    }
}

void safety_finish(struct oracle *o, vtime now) {
    for (size_t i = 0; i < o->poison_count; i++) {
        if (o->poisons[i].letters == 0) {
            check_violated(o, CHECK_DEAD_LETTERS, now, "the poison of %s has no dead letter",
                           moment_text(o->poisons[i].at).text);
        }
    }
    for (size_t i = 0; i < ORACLE_FRESH_STORES; i++) {
        const struct fresh_store *fresh = &o->fresh[i];
        o->checks[CHECK_ALL_VISIBLE].looked_at +=
            fresh->pending + fresh->late + fresh->visibility.count;
        for (uint32_t at = fresh->waiting.first; at != SAMPLE_NONE; at = o->samples[at].after) {
            const struct sample *sample = &o->samples[at];
            check_violated(o, CHECK_ALL_VISIBLE, now,
                           "%s: listing %" PRIu64 " never showed version %" PRId64
                           ", accepted at %s",
                           store_name(oracle_fresh_store(i)), o->listings[sample->listing].id,
                           sample->position, moment_text(sample->log).text);
        }
    }
}

/* ---- How far the feeds are routed ---- */

/* The partition's progress, made if need be; NULL when out of memory. */
static struct feed_progress *progress_of(struct oracle *o, enum topic_id topic,
                                         uint32_t partition) {
    while (o->progress_count[topic] <= partition) {
        if (ARRAY_RESERVE(o->progress[topic], o->progress_capacity[topic], (size_t)partition + 1) !=
            0) {
            o->out_of_memory = true;
            return NULL;
        }
        o->progress[topic][o->progress_count[topic]++] =
            (struct feed_progress){.appended = -1, .routed = -1};
    }
    return &o->progress[topic][partition];
}

void progress_appended(struct oracle *o, enum topic_id topic, uint32_t partition, int64_t offset,
                       const struct record *record) {
    struct feed_progress *progress = progress_of(o, topic, partition);
    if (progress == NULL || offset <= progress->appended) {
        return;
    }
    progress->appended = offset;
    if (topic != TOPIC_LISTING && topic != TOPIC_MEDIA) {
        return;
    }
    if (ARRAY_RESERVE(progress->waiting, progress->waiting_capacity, progress->waiting_count + 1) !=
        0) {
        o->out_of_memory = true;
        return;
    }
    struct on_the_way *waiting = &progress->waiting[progress->waiting_count++];
    *waiting = (struct on_the_way){.offset = offset, .stamp = {{INT64_MAX}, {0, 0}}};
    if (record != NULL) {
        waiting->listing_id = record->subject_id;
        waiting->stamp = record->stamp;
    }
}

void progress_routed(struct oracle *o, enum topic_id topic, uint32_t partition, int64_t offset) {
    struct feed_progress *progress = progress_of(o, topic, partition);
    if (progress == NULL || offset <= progress->routed) {
        return;
    }
    progress->routed = offset;
    while (progress->waiting_first < progress->waiting_count &&
           progress->waiting[progress->waiting_first].offset <= offset) {
        progress->waiting_first++;
    }
    if (progress->waiting_first == progress->waiting_count) {
        progress->waiting_first = progress->waiting_count = 0;
    }
}

void progress_truncated(struct oracle *o, enum topic_id topic, uint32_t partition, int64_t offset) {
    struct feed_progress *progress = progress_of(o, topic, partition);
    if (progress == NULL) {
        return;
    }
    progress->appended = progress->appended < offset ? progress->appended : offset - 1;
    progress->routed = progress->routed < offset ? progress->routed : offset - 1;
    while (progress->waiting_count > progress->waiting_first &&
           progress->waiting[progress->waiting_count - 1].offset >= offset) {
        progress->waiting_count--;
    }
}

void progress_release(struct oracle *o) {
    for (size_t topic = 0; topic < FEED_COUNT; topic++) {
        for (size_t p = 0; p < o->progress_count[topic]; p++) {
            free(o->progress[topic][p].waiting);
        }
        free(o->progress[topic]);
    }
}

static bool all_erased(const struct oracle *o, const struct feed_progress *progress) {
    for (size_t i = progress->waiting_first; i < progress->waiting_count; i++) {
        const struct on_the_way *waiting = &progress->waiting[i];
        struct stamp erased = reference_erased(o->reference, waiting->listing_id);
        if (stamp_compare(waiting->stamp, erased) > 0) {
            return false;
        }
    }
    return true;
}

bool progress_done(const struct oracle *o, enum topic_id *topic, uint32_t *partition) {
    static const enum topic_id routed[] = {TOPIC_LISTING, TOPIC_MEDIA};
    for (size_t i = 0; i < sizeof routed / sizeof *routed; i++) {
        for (size_t p = 0; p < o->progress_count[routed[i]]; p++) {
            const struct feed_progress *progress = &o->progress[routed[i]][p];
            if (progress->routed < progress->appended && !all_erased(o, progress)) {
                *topic = routed[i];
                *partition = (uint32_t)p;
                return false;
            }
        }
    }
    return true;
}
