#include "sim/carrier_notes.h"

#include <string.h>

#include "sim/carrier.h"

static void note_numbers(struct simulation *s, const uint64_t *numbers, size_t count) {
    for (size_t i = 0; i < count; i++) {
        simulation_note(s, numbers[i]);
    }
}
#define NOTE(s, ...)                                                                               \
    note_numbers(s, (const uint64_t[]){__VA_ARGS__},                                               \
                 sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

/* Negative numbers of the core are small; two's complement makes them large ones. */
static uint64_t number(int64_t value) {
    return (uint64_t)value;
}

static void note_stamp(struct simulation *s, struct stamp stamp) {
    NOTE(s, number(stamp.ts.ns), stamp.id.hi, stamp.id.lo);
}

static void note_meta(struct simulation *s, const struct row_meta *meta) {
    NOTE(s, meta->version, meta->source_hash, meta->whole_hash, meta->content_hash,
         meta->model_version, meta->seller_id, number(meta->price), meta->policy, meta->active,
         meta->modalities);
    simulation_note_bytes(s, meta->category);
    simulation_note_bytes(s, meta->locale);
}

static void note_produce(struct simulation *s, const struct effect *effect) {
    const struct producer_mark *mark = &effect->produce.mark;
    if (mark->producer != 0) {
        NOTE(s, mark->producer, mark->epoch, mark->sequence);
    }
    for (size_t i = 0; i < effect->produce.count; i++) {
        const struct produce_item *item = &effect->produce.items[i];
        NOTE(s, item->topic, item->key);
        simulation_note_bytes(s, item->value);
    }
}

static void note_embed(struct simulation *s, const struct effect *effect) {
    NOTE(s, effect->embed.model_version, effect->embed.count);
    for (size_t i = 0; i < effect->embed.count; i++) {
        const struct embed_item *item = &effect->embed.items[i];
        NOTE(s, item->listing_id, item->modalities, item->image_count, item->anew);
        simulation_note_bytes(s, item->text.title);
        simulation_note_bytes(s, item->text.description);
        simulation_note_bytes(s, item->text.attributes);
        simulation_note_bytes(s, item->text.locale);
        simulation_note(s, item->text.tokeniser);
        for (size_t k = 0; k < item->image_count; k++) {
            simulation_note(s, item->images[k].image_id);
            simulation_note_bytes(s, item->images[k].descriptor);
        }
    }
}

static void note_vectors(struct simulation *s, const struct effect *effect) {
    NOTE(s, effect->vectors.modality, effect->vectors.model_version, effect->vectors.count);
    size_t size = modality_dimension(effect->vectors.modality) * sizeof(float);
    for (size_t i = 0; i < effect->vectors.count; i++) {
        const struct vector_write *item = &effect->vectors.items[i];
        NOTE(s, item->listing_id, item->kind, item->rule);
        note_meta(s, &item->meta);
        if (item->kind == ROW_UPSERT) {
            simulation_note_bytes(s, (struct bytes){(const char *)item->vector, size});
        }
    }
}

static void note_keywords(struct simulation *s, const struct effect *effect) {
    simulation_note(s, effect->keywords.count);
    for (size_t i = 0; i < effect->keywords.count; i++) {
        const struct keyword_write *item = &effect->keywords.items[i];
        NOTE(s, item->listing_id, item->kind, item->rule);
        note_meta(s, &item->meta);
        simulation_note_bytes(s, item->title);
        simulation_note_bytes(s, item->description);
        simulation_note_bytes(s, item->attributes);
        simulation_note(s, item->tokeniser);
    }
}

static void note_documents(struct simulation *s, const struct document_row *rows, size_t count) {
    simulation_note(s, count);
    for (size_t i = 0; i < count; i++) {
        const struct document_row *row = &rows[i];
        NOTE(s, row->listing_id, row->version, number(row->changed_at.ns), row->source_hash,
             row->whole_hash, row->alive, row->policy, row->seller_id, number(row->price));
        note_stamp(s, row->stamp);
        simulation_note_bytes(s, row->title);
        simulation_note_bytes(s, row->description);
        simulation_note_bytes(s, row->locale);
        simulation_note_bytes(s, row->category);
        simulation_note_bytes(s, row->attributes);
        simulation_note_bytes(s, row->images);
        simulation_note_bytes(s, row->category_path);
        simulation_note_bytes(s, row->locale_tag);
        simulation_note(s, row->tokeniser);
    }
}

static void note_sales(struct simulation *s, const struct sales_row *rows, size_t count) {
    simulation_note(s, count);
    for (size_t i = 0; i < count; i++) {
        simulation_note_bytes(s, rows[i].category);
        NOTE(s, number(rows[i].hour.ns), number(rows[i].orders), number(rows[i].quantity),
             number(rows[i].amount), number(rows[i].changed_at.ns));
    }
}

static void note_warehouse(struct simulation *s, const struct warehouse_batch *batch) {
    if (batch->gap_given) {
        NOTE(s, batch->gap.topic, batch->gap.partition, number(batch->gap.from),
             number(batch->gap.to));
    }
    NOTE(s, batch->dedupe, batch->bronze_count);
    for (size_t i = 0; i < batch->bronze_count; i++) {
        const struct bronze_row *row = &batch->bronze[i];
        NOTE(s, row->topic, row->partition, row->epoch, number(row->offset), number(row->append.ns),
             row->type, row->subject_id);
        note_stamp(s, row->stamp);
        simulation_note_bytes(s, row->value);
    }
    note_documents(s, batch->silver, batch->silver_count);
    note_documents(s, batch->gold, batch->gold_count);
    simulation_note(s, batch->erasure_count);
    for (size_t i = 0; i < batch->erasure_count; i++) {
        NOTE(s, batch->erasures[i].listing_id, number(batch->erasures[i].version));
        note_stamp(s, batch->erasures[i].stamp);
    }
    simulation_note(s, batch->order_count);
    for (size_t i = 0; i < batch->order_count; i++) {
        const struct order_row *row = &batch->orders[i];
        NOTE(s, row->order_id, row->listing_id, number(row->placed.ns), number(row->quantity),
             number(row->amount));
        note_stamp(s, row->stamp);
        simulation_note_bytes(s, row->category);
    }
    NOTE(s, batch->repair, batch->remade_count);
    for (size_t i = 0; i < batch->remade_count; i++) {
        simulation_note(s, number(batch->remade[i].hour.ns));
        simulation_note_bytes(s, batch->remade[i].category);
    }
    simulation_note(s, batch->audit_count);
    for (size_t i = 0; i < batch->audit_count; i++) {
        const struct audit_row *row = &batch->audits[i];
        NOTE(s, row->listing_id, number(row->version), row->modality, row->model_version,
             row->content_hash, row->made);
    }
    simulation_note(s, batch->event_count);
    for (size_t i = 0; i < batch->event_count; i++) { /* the digest stands for the columns */
        const struct audit_event *row = &batch->events[i];
        NOTE(s, row->listing_id, number(row->version), row->sequence);
        simulation_note_bytes(
            s, (struct bytes){(const char *)row->digest.bytes, sizeof row->digest.bytes});
    }
    note_documents(s, batch->rebuilt, batch->rebuilt_count);
    NOTE(s, batch->rebuilt_sales_given, number(batch->rebuilt_from.ns),
         number(batch->rebuilt_to.ns));
    note_sales(s, batch->rebuilt_sales, batch->rebuilt_sales_count);
}

static void note_entries(struct simulation *s, struct bytes offsets,
                         const struct state_entry *entries, size_t count) {
    simulation_note_bytes(s, offsets);
    simulation_note(s, count);
    for (size_t i = 0; i < count; i++) {
        simulation_note(s, entries[i].key);
        simulation_note_bytes(s, entries[i].value);
    }
}

static void note_listings(struct simulation *s, const struct effect *effect) {
    NOTE(s, effect->listings.store, effect->listings.model_version, effect->listings.count);
    note_numbers(s, effect->listings.listing_ids, effect->listings.count);
}

static void note_search(struct simulation *s, const struct effect *effect) {
    size_t floats = effect->search.count * modality_dimension(effect->search.modality);
    NOTE(s, effect->search.modality, effect->search.model_version, effect->search.count,
         effect->search.k, effect->search.ef, effect->search.exact);
    simulation_note_bytes(
        s, (struct bytes){(const char *)effect->search.queries, floats * sizeof(float)});
}

void carrier_note_request(struct simulation *s, const struct effect *effect) {
    switch (effect->kind) {
    case EFFECT_PRODUCE:
        note_produce(s, effect);
        break;
    case EFFECT_EMBED:
        note_embed(s, effect);
        break;
    case EFFECT_WRITE_VECTORS:
        note_vectors(s, effect);
        break;
    case EFFECT_WRITE_KEYWORDS:
        note_keywords(s, effect);
        break;
    case EFFECT_LOAD_WAREHOUSE:
        note_warehouse(s, &effect->warehouse);
        break;
    case EFFECT_LOAD_STATE:
        NOTE(s, effect->load_state.partition, effect->load_state.generation);
        break;
    case EFFECT_SAVE_STATE:
        NOTE(s, effect->save_state.partition, effect->save_state.generation);
        note_entries(s, effect->save_state.offsets, effect->save_state.entries,
                     effect->save_state.count);
        break;
    case EFFECT_FETCH:
        NOTE(s, effect->fetch.topic, effect->fetch.partition, number(effect->fetch.offset),
             effect->fetch.max, effect->fetch.no_wait, effect->fetch.bronze);
        break;
    case EFFECT_OUTBOX_FETCH:
        NOTE(s, number(effect->outbox_fetch.sequence), effect->outbox_fetch.max);
        break;
    case EFFECT_SCAN:
        NOTE(s, effect->scan.store, effect->scan.path, effect->scan.model_version,
             effect->scan.first, effect->scan.last, effect->scan.max, effect->scan.page);
        break;
    case EFFECT_REPUBLISH:
        note_listings(s, effect);
        break;
    case EFFECT_BLOCK_SELLERS:
        simulation_note(s, effect->block.store);
        for (size_t i = 0; i < effect->block.count; i++) {
            const struct seller_block *item = &effect->block.items[i];
            NOTE(s, item->seller_id, item->status, number(item->stamp.ts.ns), item->stamp.id.hi,
                 item->stamp.id.lo);
        }
        break;
    case EFFECT_ERASE:
        NOTE(s, effect->erase.target, effect->erase.model_version, effect->erase.count,
             number(effect->erase.artifacts_from.ns), number(effect->erase.artifacts_until.ns));
        for (size_t i = 0; i < effect->erase.count; i++) {
            const struct erasure_subject *subject = &effect->erase.subjects[i];
            NOTE(s, subject->listing_id, number(subject->version));
            note_stamp(s, subject->stamp);
        }
        break;
    case EFFECT_VECTOR_ADMIN:
        NOTE(s, effect->admin.what.kind, effect->admin.what.modality,
             effect->admin.what.model_version, effect->admin.what.from_version);
        break;
    case EFFECT_READ_VECTORS:
        NOTE(s, effect->read.modality, effect->read.model_version, effect->read.count);
        note_numbers(s, effect->read.listing_ids, effect->read.count);
        break;
    case EFFECT_SEARCH:
        note_search(s, effect);
        break;
    case EFFECT_REPUBLISH_SALES:
        for (size_t i = 0; i < effect->republish_sales.count; i++) {
            simulation_note(s, number(effect->republish_sales.rows[i].hour.ns));
            simulation_note_bytes(s, effect->republish_sales.rows[i].category);
        }
        break;
    case EFFECT_OPEN_CHANNELS:
        for (size_t i = 0; i < effect->channels.count; i++) {
            const struct warehouse_channel *channel = &effect->channels.items[i];
            NOTE(s, channel->topic, channel->partition);
        }
        break;
    case EFFECT_READ_SALES:
        NOTE(s, effect->sales.rebuilt, effect->sales.oltp, number(effect->sales.from.ns),
             number(effect->sales.to.ns), effect->sales.skip, effect->sales.max);
        break;
    default:
        break;
    }
}

void carrier_note_flight(struct simulation *s, const struct flight *flight) {
    NOTE(s, flight->incarnation, number(flight->error), flight->timer, flight->command,
         flight->generation, flight->partition_count);
    for (size_t i = 0; i < flight->partition_count; i++) {
        simulation_note(s, flight->partitions[i]);
    }
    if (flight->event == EVENT_COMMAND && flight->effect != NULL) {
        note_listings(s, flight->effect);
    } else if (flight->event != EVENT_ASSIGNED && flight->effect != NULL) {
        simulation_note(s, flight->effect->request);
    }
}

static void note_administered(struct simulation *s, const struct effect *effect) {
    simulation_note(s, effect->admin.status);
    const struct vector_targets *targets = &effect->admin.targets;
    if (effect->admin.what.kind != VECTOR_TARGETS) {
        return;
    }
    for (size_t m = 0; m < MODALITY_COUNT; m++) {
        simulation_note(s, targets->aliases[m]);
    }
    for (size_t i = 0; i < targets->model_count; i++) {
        NOTE(s, targets->models[i].model_version, targets->models[i].modalities);
    }
}

void carrier_note_outcome(struct simulation *s, const struct effect *effect, int error) {
    simulation_note(s, number(error));
    if (error != PORT_OK) {
        return;
    }
    switch (effect->kind) {
    case EFFECT_PRODUCE:
        for (size_t i = 0; i < effect->produce.count; i++) {
            const struct produce_result *result = &effect->produce.results[i];
            NOTE(s, result->status, result->partition, number(result->offset));
        }
        break;
    case EFFECT_EMBED:
        for (size_t i = 0; i < effect->embed.count; i++) {
            NOTE(s, effect->embed.results[i].status, effect->embed.results[i].model_version);
        }
        break;
    case EFFECT_WRITE_VECTORS:
        for (size_t i = 0; i < effect->vectors.count; i++) {
            simulation_note(s, effect->vectors.statuses[i]);
        }
        break;
    case EFFECT_WRITE_KEYWORDS:
        for (size_t i = 0; i < effect->keywords.count; i++) {
            simulation_note(s, effect->keywords.statuses[i]);
        }
        break;
    case EFFECT_VECTOR_ADMIN:
        note_administered(s, effect);
        break;
    case EFFECT_OPEN_CHANNELS:
        for (size_t i = 0; i < effect->channels.count; i++) {
            simulation_note(s, number(effect->channels.items[i].token));
        }
        break;
    case EFFECT_REFRESH_DASHBOARD:
        simulation_note(s, number(effect->refresh.as_of.ns));
        break;
    default:
        break;
    }
}

static void note_feeds(struct simulation *s, const struct event *event) {
    for (size_t i = 0; i < event->observed.count; i++) {
        const struct feed_observation *feed = &event->observed.feeds[i];
        NOTE(s, feed->records, feed->upserts, feed->deletes, number(feed->last_append.ns),
             number(feed->laggard == NULL ? 0 : feed->unread.ns));
    }
}

static void note_scan(struct simulation *s, const struct effect *effect) {
    const struct scan_digest *digest = &effect->scan.digest;
    note_numbers(s, digest->rows, VIEW_COUNT);
    note_numbers(s, digest->source_sum, VIEW_COUNT);
    note_numbers(s, digest->whole_sum, VIEW_COUNT);
    NOTE(s, digest->rows_total, digest->id_first, digest->id_last, digest->model_least,
         digest->model_greatest, effect->scan.complete, effect->scan.count);
    for (size_t i = 0; i < effect->scan.count; i++) {
        const struct scan_row *row = &effect->scan.rows[i];
        NOTE(s, row->listing_id, row->version, row->source_hash, row->whole_hash, row->content_hash,
             row->model_version, row->modalities, number(row->changed_at.ns), row->alive,
             row->suppressed);
    }
}

static void note_vectors_read(struct simulation *s, const struct effect *effect) {
    size_t dimension = modality_dimension(effect->read.modality);
    for (size_t i = 0; i < effect->read.count; i++) {
        simulation_note(s, effect->read.found[i]);
        if (effect->read.found[i]) {
            const float *vector = effect->read.vectors + i * dimension;
            simulation_note_bytes(s,
                                  (struct bytes){(const char *)vector, dimension * sizeof(float)});
        }
    }
}

static void note_found(struct simulation *s, const struct effect *effect) {
    for (size_t i = 0; i < effect->search.count; i++) {
        simulation_note(s, effect->search.hit_counts[i]);
        for (size_t h = 0; h < effect->search.hit_counts[i]; h++) {
            const struct search_hit *hit = &effect->search.hits[i * effect->search.k + h];
            uint32_t score;
            memcpy(&score, &hit->score, sizeof score);
            NOTE(s, hit->listing_id, score, hit->version);
        }
    }
}

void carrier_note_answer(struct simulation *s, const struct event *event) {
    if (carrier_reads(event->answered->kind)) {
        carrier_note_request(s, event->answered);
    }
    simulation_note(s, number(event->error));
    if (event->error == PORT_TRUNCATED) {
        simulation_note(s, number(event->records.end));
    }
    if (event->error != PORT_OK) {
        return;
    }
    switch (event->kind) {
    case EVENT_RECORDS:
        if (event->records.moved) {
            simulation_note(s, number(event->records.position));
        }
        for (size_t i = 0; i < event->records.count; i++) {
            const struct log_record *record = &event->records.records[i];
            NOTE(s, number(record->offset), record->epoch, number(record->append.ns), record->key);
            simulation_note_bytes(s, record->value);
        }
        break;
    case EVENT_OUTBOX:
        for (size_t i = 0; i < event->outbox.count; i++) {
            const struct outbox_row *row = &event->outbox.rows[i];
            NOTE(s, number(row->sequence), row->topic, row->key);
            simulation_note_bytes(s, row->value);
        }
        break;
    case EVENT_STATE:
        note_entries(s, event->state.offsets, event->state.entries, event->state.count);
        break;
    case EVENT_SCANNED:
        note_scan(s, event->answered);
        break;
    case EVENT_OBSERVED:
        note_feeds(s, event);
        break;
    case EVENT_VECTORS:
        note_vectors_read(s, event->answered);
        break;
    case EVENT_FOUND:
        note_found(s, event->answered);
        break;
    case EVENT_SALES:
        note_sales(s, event->sales.rows, event->sales.count);
        break;
    default:
        break;
    }
}

static void note_text(struct simulation *s, const char *text) {
    simulation_note_bytes(s, bytes_of(text));
}

void carrier_note_statement(struct simulation *s, const struct effect *effect) {
    simulation_note(s, effect->kind);
    switch (effect->kind) {
    case EFFECT_TIMER:
        NOTE(s, effect->timer.id, number(effect->timer.at.ns));
        break;
    case EFFECT_COMMIT:
        NOTE(s, effect->commit.generation, effect->commit.topic, effect->commit.partition,
             number(effect->commit.offset));
        break;
    case EFFECT_TRIM_OUTBOX:
        simulation_note(s, number(effect->trim_sequence));
        break;
    case EFFECT_REPAIR:
        note_listings(s, effect);
        break;
    case EFFECT_ALERT:
        note_text(s, effect->alert.name);
        note_text(s, effect->alert.subject);
        simulation_note(s, effect->alert.state);
        simulation_note_bytes(s, effect->alert.evidence);
        break;
    case EFFECT_BATCH_REPORT:
        NOTE(s, effect->batch.run, number(effect->batch.from.ns), number(effect->batch.to.ns),
             effect->batch.records, effect->batch.documents, effect->batch.buckets);
        note_numbers(s, effect->batch.document_counts, DRIFT_CLASS_COUNT);
        note_numbers(s, effect->batch.sales_counts, DRIFT_CLASS_COUNT);
        note_numbers(s, effect->batch.source_counts, DRIFT_CLASS_COUNT);
        NOTE(s, effect->batch.remade, effect->batch.republished);
        break;
    case EFFECT_REPORT:
        NOTE(s, effect->report.run, effect->report.pass, number(effect->report.cutoff.ns),
             effect->report.rows_compared, effect->report.ranges_compared,
             effect->report.repairs_sent, effect->report.sample_count);
        for (int store = 0; store < SCAN_STORE_COUNT; store++) {
            note_numbers(s, effect->report.counts[store], DRIFT_CLASS_COUNT);
        }
        break;
    default:
        break;
    }
}
