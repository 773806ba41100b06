#include "sim/oracle.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "pipeline/array.h"
#include "pipeline/retention.h"
#include "pipeline/sentence.h"
#include "sim/oracle_parts.h"

/* ---- Life ---- */

static struct oracle_options with_defaults(const struct oracle_options *options) {
    struct oracle_options o = options != NULL ? *options : (struct oracle_options){0};
    o.model_version = o.model_version != 0 ? o.model_version : 1;
    o.future_max_ns = o.future_max_ns != 0 ? o.future_max_ns : 5 * VTIME_MINUTE;
    o.warehouse_kept_ns =
        o.warehouse_kept_ns != 0 ? o.warehouse_kept_ns : WAREHOUSE_KEPT_NS_DEFAULT;
    o.allowed_lateness_ns = o.allowed_lateness_ns != 0 ? o.allowed_lateness_ns : 2 * VTIME_HOUR;
    o.gone_within_ns = o.gone_within_ns != 0 ? o.gone_within_ns : 5 * VTIME_MINUTE;
    o.erasure_within_ns = o.erasure_within_ns != 0 ? o.erasure_within_ns : 72 * VTIME_HOUR;
    o.suppressed_within_ns =
        o.suppressed_within_ns != 0 ? o.suppressed_within_ns : o.gone_within_ns;
    o.switch_in_flight_ns = o.switch_in_flight_ns != 0 ? o.switch_in_flight_ns : 5 * VTIME_MINUTE;
    o.orphan_after_ns = o.orphan_after_ns != 0 ? o.orphan_after_ns : 7 * VTIME_DAY;
    o.vectors_every = o.vectors_every != 0 ? o.vectors_every : 1;
    return o;
}

struct oracle *oracle_new(const struct oracle_options *options) {
    struct oracle *o = calloc(1, sizeof *o);
    if (o == NULL) {
        return NULL;
    }
    o->options = with_defaults(options);
    o->now = o->options.start;
    o->reference = reference_new();
    if (o->reference == NULL || !contracts_init(o)) {
        reference_free(o->reference);
        free(o);
        return NULL;
    }
    reference_orphans_after(o->reference, o->options.orphan_after_ns);
    id_map_init(&o->listing_index);
    id_map_init(&o->seller_index);
    id_map_init(&o->seller_listing);
    id_map_init(&o->fed);
    id_map_init(&o->named);
    id_map_init(&o->late_index);
    id_map_init(&o->poison_index);
    freshness_init(o);
    upgrade_init(o);
    return o;
}

void oracle_free(struct oracle *o) {
    if (o == NULL) {
        return;
    }
    for (size_t i = 0; i < o->listing_count; i++) {
        view_release(&o->listings[i].view);
    }
    freshness_release(o);
    gone_release(o);
    upgrade_release(o);
    reference_free(o->reference);
    contracts_release(o);
    id_map_release(&o->listing_index);
    id_map_release(&o->fed);
    id_map_release(&o->named);
    id_map_release(&o->late_index);
    id_map_release(&o->poison_index);
    erasure_release(o);
    progress_release(o);
    log_history_release(o);
    free(o->late_records);
    free(o->listings);
    free(o->poisons);
    free(o->positions);
    free(o->seen_vectors);
    free(o->differences);
    free(o);
}

bool oracle_out_of_memory(const struct oracle *o) {
    return o->out_of_memory;
}

struct reference *oracle_reference(struct oracle *o) {
    return o->reference;
}

struct oracle_counts oracle_counts(const struct oracle *o) {
    return o->counts;
}

/* ---- Listings ---- */

static void listing_init(const struct oracle *o, struct oracle_listing *l, uint64_t id) {
    memset(l, 0, sizeof *l);
    l->id = id;
    l->history_from = DOC_VERSION_NONE;
    l->torn_from = DOC_VERSION_NONE;
    view_init(&l->view, o->options.orphan_after_ns);
    l->feed.tombstone = l->feed.last_set = l->feed.seller_stamp = l->feed.gone_by = STAMP_NONE;
    for (size_t i = 0; i < ORACLE_FRESH_STORES; i++) {
        l->waiting[i] = (struct sample_list){SAMPLE_NONE, SAMPLE_NONE};
    }
}

uint32_t oracle_listing_of(struct oracle *o, uint64_t id) {
    uint32_t at = id_map_get(&o->listing_index, id);
    if (at != ID_MAP_NONE) {
        return at;
    }
    if (ARRAY_RESERVE(o->listings, o->listing_capacity, o->listing_count + 1) != 0 ||
        id_map_put_index(&o->listing_index, id, (uint32_t)o->listing_count) != 0) {
        o->out_of_memory = true;
        return UINT32_MAX;
    }
    listing_init(o, &o->listings[o->listing_count], id);
    return (uint32_t)o->listing_count++;
}

struct oracle_listing *oracle_listing_find(struct oracle *o, uint64_t id) {
    uint32_t at = id_map_get(&o->listing_index, id);
    return at != ID_MAP_NONE ? &o->listings[at] : NULL;
}

/* ---- Violations ---- */

struct moment_text moment_text(vtime at) {
    struct moment_text out;
    struct sentence sentence = sentence_begin();
    sentence_add_time(&sentence, at);
    size_t length = sentence.length < sizeof out.text ? sentence.length : sizeof out.text - 1;
    memcpy(out.text, sentence.text, length);
    out.text[length] = '\0';
    return out;
}

enum { EVIDENCE_LINES = 5 };

void check_violated(struct oracle *o, enum check_id id, vtime at, const char *format, ...) {
    struct check_state *check = &o->checks[id];
    if (check->violations++ == 0) {
        check->first_at = at;
    }
    size_t room = sizeof check->evidence - check->evidence_length;
    if (check->violations > EVIDENCE_LINES) {
        return;
    }
    char line[EVIDENCE_BYTES / EVIDENCE_LINES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    int length = snprintf(check->evidence + check->evidence_length, room, "%s%s %s",
                          check->evidence_length > 0 ? "\n" : "", moment_text(at).text, line);
    check->evidence_length += (size_t)length < room ? (size_t)length : room - 1;
}

/* ---- Hearing ---- */

void oracle_tick(struct oracle *o, vtime now) {
    if (vtime_before(o->now, now)) {
        o->now = now;
    }
    upgrade_tick(o, now);
    gone_tick(o, now);
    erasure_tick(o, now);
    freshness_tick(o, now);
}

void oracle_operation(struct oracle *o, vtime now, const struct workload_op *op) {
    oracle_tick(o, now);
    o->counts.operations++;
    if (op->kind == OP_POISON) {
        safety_poison(o, now, op->value);
        return;
    }
    if (reference_add(o->reference, op->meaning.len > 0 ? op->meaning : op->value) < 0) {
        o->out_of_memory = true;
    }
    if (op->kind == OP_ERASURE) {
        erasure_asked(o, now, op);
    }
    if (op->through_oltp && (op->kind == OP_LISTING_CREATE || op->kind == OP_LISTING_UPDATE ||
                             op->kind == OP_LISTING_DELETE)) {
        uint32_t listing = oracle_listing_of(o, op->listing.listing_id);
        if (listing != UINT32_MAX) {
            o->listings[listing].in_oltp = true;
        }
    }
}

static uint64_t event_key(enum topic_id topic, const struct record *record) {
    uint64_t parts[4] = {topic, (uint64_t)record->stamp.ts.ns, record->stamp.id.hi,
                         record->stamp.id.lo};
    return XXH3_64bits(parts, sizeof parts);
}

static void feed_appended(struct oracle *o, vtime now, enum topic_id topic, uint32_t partition,
                          const struct log_record *logged) {
    struct record record;
    struct record_error error;
    bool valid = record_decode_claimed(logged->value, &record, &error) == 0;
    if (topic == TOPIC_LISTING) {
        remade_feed(o, logged->value);
    }
    o->counts.feed_records++;
    progress_appended(o, topic, partition, logged->offset, valid ? &record : NULL);
    freshness_feed(o, topic, logged->append, valid ? &record : NULL);
    bool future = valid && vtime_diff(record.stamp.ts, logged->append) > o->options.future_max_ns;
    if (!valid || future) {
        return; /* nobody is to hear of it */
    }
    uint64_t key = event_key(topic, &record);
    bool copy = id_map_get(&o->fed, key) != ID_MAP_NONE;
    o->counts.feed_duplicates += copy;
    if (!copy) {
        lag_histogram_count(&o->pulses[PULSE_FEED + topic].lag,
                            vtime_diff(logged->append, record.stamp.ts));
    }
    if (id_map_put_index(&o->fed, key, 1) != 0) {
        o->out_of_memory = true;
    }
    if (contracts_feed(o, topic, partition, logged, &record, key)) {
        gone_feed(o, now, logged->append, &record);
    }
}

/* Where a feed position is that did not go straight to the listing log. */
enum detour { DETOUR_OVER, DETOUR_LATE, DETOUR_QUARANTINE };

/* A feed position that went through the late queue or the quarantine. */
static uint64_t origin_key(const struct origin *origin) {
    uint64_t parts[3] = {origin->topic, origin->partition, (uint64_t)origin->offset};
    return XXH3_64bits(parts, sizeof parts);
}

static void note_routed(struct oracle *o, vtime now, const struct record *record) {
    if (contracts_routed(o, now, record)) {
        gone_feed(o, now, now, record);
    }
    if (record->sections & SECTION_ORIGIN && record->origin.topic < FEED_COUNT) {
        progress_routed(o, (enum topic_id)record->origin.topic, record->origin.partition,
                        record->origin.offset);
    }
}

/* Older than the allowed lateness when its feed took it. */
static bool is_late(const struct oracle *o, const struct record *record) {
    return record->sections & SECTION_ORIGIN &&
           vtime_diff(record->origin.append, record->stamp.ts) > o->options.allowed_lateness_ns;
}

static void late_appended(struct oracle *o, vtime now, const struct log_record *logged) {
    struct record record;
    struct record_error error;
    o->counts.late_records++;
    if (record_decode(logged->value, &record, &error) != 0) {
        return;
    }
    note_routed(o, now, &record);
    erasure_log(o, now, TOPIC_LATE, &record);
    uint64_t key = origin_key(&record.origin);
    bool waits = id_map_get(&o->late_index, key) == DETOUR_LATE;
    uint32_t listing = oracle_listing_of(o, record.subject_id);
    if (id_map_put_index(&o->late_index, key, DETOUR_LATE) != 0 || listing == UINT32_MAX ||
        ARRAY_RESERVE(o->late_records, o->late_record_capacity, o->late_record_count + 1) != 0) {
        o->out_of_memory = true;
        return;
    }
    if (!waits) {
        o->late_records[o->late_record_count++] =
            (struct late_record){key, record.subject_id, record.stamp};
    }
    if (is_late(o, &record)) {
        gone_postpone(o, listing, &record);
    }
}

/* What is held back for an operator may stay there: nothing waits for it (B10). */
static void quarantine_appended(struct oracle *o, vtime now, const struct log_record *logged) {
    struct record record;
    struct record_error error;
    if (record_decode(logged->value, &record, &error) != 0) {
        return;
    }
    note_routed(o, now, &record);
    uint64_t key = origin_key(&record.origin);
    uint32_t listing = oracle_listing_of(o, record.subject_id);
    if (id_map_put_index(&o->late_index, key, DETOUR_QUARANTINE) != 0 || listing == UINT32_MAX) {
        o->out_of_memory = true;
        return;
    }
    gone_quarantine(o, listing, &record);
}

/* How the record came to the log; DETOUR_OVER: straight. */
static enum detour detour_taken(struct oracle *o, const struct record *record, bool *again) {
    uint64_t key = origin_key(&record->origin);
    uint32_t state =
        record->sections & SECTION_ORIGIN ? id_map_get(&o->late_index, key) : ID_MAP_NONE;
    *again = state == DETOUR_OVER;
    if (state == ID_MAP_NONE || state == DETOUR_OVER) {
        return DETOUR_OVER;
    }
    for (size_t i = 0; i < o->late_record_count; i++) {
        if (o->late_records[i].key == key) {
            o->late_records[i] = o->late_records[--o->late_record_count];
            break;
        }
    }
    id_map_put_index(&o->late_index, key, DETOUR_OVER); /* is there: needs no memory */
    return (enum detour)state;
}

static void position_keep(struct oracle *o, const struct oracle_listing *l, bool seen) {
    if (ARRAY_RESERVE(o->positions, o->position_capacity, o->position_count + 1) != 0) {
        o->out_of_memory = true;
        return;
    }
    o->positions[o->position_count++] =
        (struct position){l->id, l->visible, l->visible_at, seen_vectors(&l->view.seen)};
    if (o->options.changed != NULL) {
        o->options.changed(o->options.ctx,
                           &(struct oracle_change){l->id, l->visible, l->visible_at,
                                                   seen_vectors(&l->view.seen), seen});
    }
}

static void log_appended(struct oracle *o, vtime now, uint32_t partition,
                         const struct log_record *logged) {
    struct record record;
    struct record_error error;
    o->counts.log_records++;
    if (record_decode(logged->value, &record, &error) != 0 || record.type == RECORD_ORDER ||
        record.type == RECORD_CONTROL) {
        return;
    }
    log_subject_note(o, TOPIC_LISTING_LOG, partition, record.subject_id, DOC_VERSION_NONE);
    remade_log(o, now, &record);
    bool again;
    enum detour detour = detour_taken(o, &record, &again);
    bool by_late_queue = detour == DETOUR_LATE || again;
    if (by_late_queue || (record.sections & SECTION_ORIGIN) == 0) {
        pulse_beat(&o->pulses[PULSE_LOG], now);
    } else {
        pulse_beat_after(&o->pulses[PULSE_LOG], now, vtime_diff(now, record.origin.append));
    }
    note_routed(o, now, &record);
    erasure_log(o, now, TOPIC_LISTING_LOG, &record);
    uint32_t listing = oracle_listing_of(o, record.subject_id);
    if (listing == UINT32_MAX) {
        return;
    }
    struct oracle_listing *l = &o->listings[listing];
    struct seen before = l->view.seen;
    bool first = !l->view.known;
    int changed = view_fold(&l->view, &record);
    if (changed < 0) {
        o->out_of_memory = true;
        return;
    }
    doc_version position = doc_version_pack(logged->epoch, logged->offset);
    bool covered =
        record.type != RECORD_ERASURE && stamp_compare(record.stamp, l->view.erased) <= 0;
    bool retold = !covered && ((record.sections & SECTION_REPAIR) != 0 ||
                               ((record.sections & SECTION_AGAIN) != 0 && logged->epoch > 0));
    bool news = changed == 1;
    changed = changed == 1 || retold;
    if (retold) {
        torn_told(l, position);
    }
    if (changed == 1 && record.type == RECORD_ERASURE) {
        l->history_from = position;
        erasure_told(o, logged->append, record.subject_id, record.stamp);
    }
    if (changed == 1 || first) {
        l->visible = position;
        l->visible_at = logged->append;
        position_keep(o, l, changed == 1);
    }
    o->counts.visible_changes += (uint64_t)(changed == 1);
    if (news) { /* nobody waits for what he sees already */
        vtime taken = record.sections & SECTION_ORIGIN ? record.origin.append : logged->append;
        freshness_change(o, now, listing, &before, position, taken, record.stamp.ts,
                         detour == DETOUR_QUARANTINE || (by_late_queue && is_late(o, &record)));
    }
    if (by_late_queue || l->feed.quarantined) {
        gone_drained(o, now, listing, &record);
    }
    gone_update(o, listing);
}

static void audit_appended(struct oracle *o, uint32_t partition, const struct log_record *logged) {
    struct record record;
    struct record_error error;
    if (record_decode(logged->value, &record, &error) == 0 && record.type == RECORD_AUDIT) {
        log_subject_note(o, TOPIC_AUDIT, partition, record.subject_id, record.audit.version);
    }
}

void oracle_truncated(struct oracle *o, vtime now, enum topic_id topic, uint32_t partition,
                      const struct log_record *logged) {
    struct record record;
    struct record_error error;
    oracle_tick(o, now);
    log_truncated_note(o, now, topic, partition, logged);
    if (topic < TOPIC_FEED_COUNT) {
        progress_truncated(o, topic, partition, logged->offset);
    } else if (topic == TOPIC_LISTING_LOG && record_decode(logged->value, &record, &error) == 0) {
        uint32_t listing = oracle_listing_of(o, record.subject_id);
        if (listing != UINT32_MAX) {
            torn_lost(&o->listings[listing], doc_version_pack(logged->epoch, logged->offset));
        }
    }
}

void oracle_repeated(struct oracle *o, vtime now, const struct produce_item *item,
                     uint32_t partition, int64_t offset) {
    oracle_tick(o, now);
    log_repeated_note(o, now, item, partition, offset);
}

void oracle_appended(struct oracle *o, vtime now, enum topic_id topic, uint32_t partition,
                     const struct log_record *logged) {
    oracle_tick(o, now);
    log_appended_note(o, topic, partition, logged);
    switch (topic) {
    case TOPIC_LISTING:
    case TOPIC_MEDIA:
    case TOPIC_POLICY:
    case TOPIC_ORDER:
    case TOPIC_PRIVACY:
    case TOPIC_REFERENCE:
        feed_appended(o, now, topic, partition, logged);
        break;
    case TOPIC_LISTING_LOG:
        log_appended(o, now, partition, logged);
        break;
    case TOPIC_LATE:
        late_appended(o, now, logged);
        break;
    case TOPIC_CONTROL:
        contracts_control(o, logged);
        break;
    case TOPIC_QUARANTINE:
        quarantine_appended(o, now, logged);
        break;
    case TOPIC_CERTIFICATE:
        erasure_certified(o, now, logged->value);
        break;
    case TOPIC_AUDIT:
        audit_appended(o, partition, logged);
        break;
    case TOPIC_DEAD_LETTER:
        safety_dead_letter(o, now, logged);
        break;
    default:
        break;
    }
}

void oracle_batch_made(struct oracle *o, vtime now, const struct batch_report *report) {
    oracle_tick(o, now);
    o->batch_runs += report->from.ns == 0;
}

void oracle_row_changed(struct oracle *o, vtime now, const struct row_change *change) {
    oracle_tick(o, now);
    o->counts.row_changes[change->store]++;
    if (change->store == STORE_OLTP) {
        return;
    }
    uint32_t listing = oracle_listing_of(o, change->listing_id);
    if (listing == UINT32_MAX) {
        return;
    }
    audit_heard(o, now, change);
    safety_row(o, now, &o->listings[listing], change);
    if (change->store == STORE_SILVER || change->duplicate) {
        return;
    }
    freshness_row(o, now, listing, change->store, &change->after);
    gone_row(o, now, listing, change->store);
}

void oracle_embedded(struct oracle *o, vtime now, const struct embed_item *items,
                     const struct embed_result *results, size_t count) {
    oracle_tick(o, now);
    for (size_t i = 0; i < count; i++) {
        safety_embedded(o, now, &items[i], &results[i]);
    }
}

void oracle_unseen_row_changed(struct oracle *o, vtime now, const struct row_change *change) {
    oracle_tick(o, now);
    audit_heard(o, now, change);
    uint32_t listing = oracle_listing_of(o, change->listing_id);
    if (listing != UINT32_MAX) {
        safety_unseen_row(o, now, &o->listings[listing], change);
    }
}

void oracle_alias_switched(struct oracle *o, vtime now, enum modality modality, uint32_t from,
                           uint32_t to) {
    oracle_tick(o, now);
    upgrade_switched(o, now, modality, from, to);
}

void oracle_ordered(struct oracle *o, vtime now, enum control_kind kind, uint32_t model_version) {
    oracle_tick(o, now);
    orders_given(o, now, kind, model_version);
}

static void hear_operation(void *ctx, vtime now, const struct workload_op *op) {
    oracle_operation(ctx, now, op);
}
static void hear_appended(void *ctx, vtime now, enum topic_id topic, uint32_t partition,
                          const struct log_record *record) {
    oracle_appended(ctx, now, topic, partition, record);
}
static void hear_batch_made(void *ctx, vtime now, const struct batch_report *report) {
    oracle_batch_made(ctx, now, report);
}
static void hear_row_changed(void *ctx, vtime now, const struct row_change *change) {
    oracle_row_changed(ctx, now, change);
}
static void hear_embedded(void *ctx, vtime now, const struct embed_item *items,
                          const struct embed_result *results, size_t count) {
    oracle_embedded(ctx, now, items, results, count);
}
static void hear_alias_switched(void *ctx, vtime now, enum modality modality, uint32_t from,
                                uint32_t to) {
    oracle_alias_switched(ctx, now, modality, from, to);
}
static void hear_unseen_row_changed(void *ctx, vtime now, const struct row_change *change) {
    oracle_unseen_row_changed(ctx, now, change);
}

static void hear_truncated(void *ctx, vtime now, enum topic_id topic, uint32_t partition,
                           const struct log_record *record) {
    oracle_truncated(ctx, now, topic, partition, record);
}
static void hear_repeated(void *ctx, vtime now, const struct produce_item *item, uint32_t partition,
                          int64_t offset) {
    oracle_repeated(ctx, now, item, partition, offset);
}

static void hear_seller_changed(void *ctx, vtime now, enum store_id store, uint64_t seller_id,
                                enum policy_status status) {
    oracle_seller_changed(ctx, now, store, seller_id, status);
}

struct simulation_observer oracle_observer(struct oracle *o) {
    return (struct simulation_observer){
        .ctx = o,
        .operation = hear_operation,
        .appended = hear_appended,
        .truncated = hear_truncated,
        .repeated = hear_repeated,
        .row_changed = hear_row_changed,
        .batch_made = hear_batch_made,
        .seller_changed = hear_seller_changed,
        .embedded = hear_embedded,
        .alias_switched = hear_alias_switched,
        .unseen_row_changed = hear_unseen_row_changed,
    };
}

/* ---- At rest ---- */

/* Records of the late queue; those that an erasure covers need not leave it. */
static uint64_t late_waiting(const struct oracle *o) {
    uint64_t count = 0;
    for (size_t i = 0; i < o->late_record_count; i++) {
        const struct late_record *late = &o->late_records[i];
        struct stamp erased = reference_erased(o->reference, late->listing_id);
        count += stamp_compare(late->stamp, erased) > 0;
    }
    return count;
}

bool oracle_settled(struct oracle *o) {
    enum topic_id topic;
    uint32_t partition;
    return freshness_pending(o) == 0 && late_waiting(o) == 0 && o->disagreeing == 0 &&
           o->lingering == 0 && o->poison_unanswered == 0 && contracts_unmended(o) == 0 &&
           progress_done(o, &topic, &partition) && upgrade_settled(o, NULL, 0) &&
           erasure_waiting(o) == 0;
}

const char *oracle_waits_for(struct oracle *o) {
    enum topic_id topic;
    uint32_t partition;
    char *text = o->waits_for;
    size_t size = sizeof o->waits_for;
    if (!progress_done(o, &topic, &partition)) {
        snprintf(text, size,
                 "%s, partition %" PRIu32 ", is routed to offset %" PRId64 " of %" PRId64,
                 topic_name(topic), partition, o->progress[topic][partition].routed,
                 o->progress[topic][partition].appended);
    } else if (late_waiting(o) > 0) {
        snprintf(text, size, "%" PRIu64 " records wait in the late queue", late_waiting(o));
    } else if (o->disagreeing > 0) {
        snprintf(text, size,
                 "of %" PRIu64 " listings the log does not yet say what the feeds say: a policy "
                 "did not reach them",
                 o->disagreeing);
    } else if (freshness_pending(o) > 0) {
        size_t i = 0;
        while (o->fresh[i].pending == 0) {
            i++;
        }
        const struct sample *oldest = &o->samples[o->fresh[i].waiting.first];
        snprintf(text, size,
                 "%" PRIu64 " changes are not visible in %s; the oldest is version %" PRId64
                 " of listing %" PRIu64,
                 o->fresh[i].pending, store_name(oracle_fresh_store(i)), oldest->position,
                 o->listings[oldest->listing].id);
    } else if (o->lingering > 0) {
        snprintf(text, size, "%" PRIu64 " listings that must be gone are still served",
                 o->lingering);
    } else if (contracts_unmended(o) > 0) {
        snprintf(text, size, "%" PRIu64 " records were refused and not replayed since",
                 contracts_unmended(o));
    } else if (o->poison_unanswered > 0) {
        snprintf(text, size, "%" PRIu64 " poison records have no dead letter",
                 o->poison_unanswered);
    } else if (erasure_waiting(o) > 0) {
        snprintf(text, size, "%" PRIu64 " erasures have no certificate of all their listings",
                 erasure_waiting(o));
    } else if (upgrade_settled(o, text, size)) {
        snprintf(text, size, "nothing");
    }
    return text;
}
