#include "tests/support/machine_script.h"

#include <assert.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    TOLD_MAX = 1 << 20,
    WAITING_MAX = 256,
    TIMERS_MAX = 256,
    ENTRIES_MAX = 256,
    RECORDS_MAX = 512
};

struct timer {
    uint64_t id;
    vtime at;
};

/* One checkpoint of one partition. */
struct checkpoint {
    uint32_t partition;
    bool taken;
    struct bytes offsets;
    struct state_entry entries[ENTRIES_MAX];
    size_t count;
};

struct script_private {
    enum machine_kind kind;
    struct effect_pool pool;
    struct effect *waiting[WAITING_MAX];
    size_t waiting_count;
    struct timer timers[TIMERS_MAX];
    size_t timer_count;
    struct checkpoint checkpoints[8];
    size_t checkpoint_count;
    char *told;
    size_t told_length;
};

/* ---- Telling ---- */

__attribute__((format(printf, 2, 3))) static void tell(struct script *s, const char *format, ...) {
    struct script_private *p = s->private;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(p->told + p->told_length, TOLD_MAX - p->told_length, format, arguments);
    va_end(arguments);
    p->told_length += (size_t)length;
    assert_true(p->told_length < TOLD_MAX);
}

static void tell_version(struct script *s, doc_version version) {
    if (doc_version_epoch(version) > 0) {
        tell(s, " v%u/%" PRId64, doc_version_epoch(version), doc_version_offset(version));
    } else {
        tell(s, " v%" PRId64, doc_version_offset(version));
    }
}

static void tell_record(struct script *s, struct bytes value) {
    char text[1024];
    record_to_text(value, text, sizeof text);
    tell(s, "%s", text);
}

static void tell_letter(struct script *s, const struct produce_item *item) {
    struct dead_letter letter;
    if (item->value.len == 0) {
        tell(s, "\n    dead-letter tombstone %" PRIu64, item->key);
        return;
    }
    assert_int_equal(dead_letter_decode(item->value, &letter), 0);
    assert_int_equal(item->key, dead_letter_key(&letter));
    tell(s, "\n    dead-letter %" PRIu64 " ", letter.key);
    tell(s, "letter %s/%u/%" PRId64 " %.*s: %.*s, expected %.*s, found %" PRId64,
         topic_name(letter.topic), letter.partition, letter.offset, (int)letter.field.len,
         letter.field.data, (int)letter.reason.len, letter.reason.data, (int)letter.expected.len,
         letter.expected.data, letter.actual);
}

static void tell_produce(struct script *s, const struct effect *e) {
    for (size_t i = 0; i < e->produce.count; i++) {
        const struct produce_item *item = &e->produce.items[i];
        if (item->topic == TOPIC_DEAD_LETTER) {
            tell_letter(s, item);
        } else {
            tell(s, "\n    %s %" PRIu64 " ", topic_name(item->topic), item->key);
            tell_record(s, item->value);
        }
    }
}

/* The version is told of models that are not the first. */
static void tell_model(struct script *s, uint32_t model_version) {
    if (model_version != 1) {
        tell(s, " v%u", model_version);
    }
}

static void tell_embed(struct script *s, const struct effect *e) {
    tell_model(s, e->embed.model_version);
    for (size_t i = 0; i < e->embed.count; i++) {
        const struct embed_item *item = &e->embed.items[i];
        tell(s, "\n    %" PRIu64, item->listing_id);
        for (int m = 0; m < MODALITY_COUNT; m++) {
            if ((item->modalities >> m & 1) != 0) {
                tell(s, " %s", modality_name((enum modality)m));
            }
        }
        tell(s, " '%.*s'", (int)item->text.title.len, item->text.title.data);
    }
}

static void tell_write(struct script *s, uint64_t id, enum row_write_kind kind,
                       enum version_rule rule, doc_version version) {
    static const char *const kinds[] = {"upsert", "metadata", "delete", "tombstone"};
    static const char *const rules[] = {"", " or equal", " unconditional"};
    tell(s, "\n    %s %" PRIu64, kinds[kind], id);
    tell_version(s, version);
    tell(s, "%s", rules[rule]);
}

static void tell_admin(struct script *s, const struct vector_admin *admin) {
    tell(s, " %s", vector_admin_kind_name(admin->kind));
    switch (admin->kind) {
    case VECTOR_CREATE:
    case VECTOR_DROP:
        tell(s, " %s v%u", modality_name(admin->modality), admin->model_version);
        break;
    case VECTOR_SWITCH:
        tell(s, " from v%u to v%u", admin->from_version, admin->model_version);
        break;
    default:
        break;
    }
}

static void tell_warehouse(struct script *s, const struct warehouse_batch *batch) {
    for (size_t i = 0; i < batch->bronze_count; i++) {
        const struct bronze_row *row = &batch->bronze[i];
        tell(s, "\n    bronze %s/%u/%" PRId64 " ", topic_name(row->topic), row->partition,
             row->offset);
        tell_record(s, row->value);
    }
    for (size_t i = 0; i < batch->silver_count + batch->gold_count; i++) {
        bool silver = i < batch->silver_count;
        const struct document_row *row =
            silver ? &batch->silver[i] : &batch->gold[i - batch->silver_count];
        tell(s, "\n    %s %" PRIu64, silver ? "silver" : "gold", row->listing_id);
        tell_version(s, row->version);
        tell(s, " %s%s title='%.*s' attributes=%.*s images=%.*s", row->alive ? "alive" : "dead",
             row->policy == POLICY_SUPPRESSED ? " suppressed" : "", (int)row->title.len,
             row->title.data, (int)row->attributes.len, row->attributes.data, (int)row->images.len,
             row->images.data);
    }
    for (size_t i = 0; i < batch->order_count; i++) {
        tell(s, "\n    order %" PRIu64 " of %" PRIu64 " quantity %" PRId64,
             batch->orders[i].order_id, batch->orders[i].listing_id, batch->orders[i].quantity);
    }
    for (size_t i = 0; i < batch->audit_count; i++) {
        const struct audit_row *row = &batch->audits[i];
        tell(s, "\n    audit %" PRIu64, row->listing_id);
        tell_version(s, row->version);
        tell(s, " %s model %" PRIu32 "%s", modality_name(row->modality), row->model_version,
             row->made ? " made" : "");
    }
}

static void tell_range(struct script *s, uint64_t first, uint64_t last) {
    if (last == UINT64_MAX) {
        tell(s, " %" PRIu64 " and on", first);
    } else {
        tell(s, " %" PRIu64 "..%" PRIu64, first, last);
    }
}

static void tell_ids(struct script *s, const struct effect *e) {
    for (size_t i = 0; i < e->listings.count; i++) {
        tell(s, " %" PRIu64, e->listings.listing_ids[i]);
    }
}

static void tell_report(struct script *s, const struct reconciliation_report *report) {
    tell(s, " run %u pass %u compared %" PRIu64 " repairs %" PRIu64, report->run, report->pass,
         report->rows_compared, report->repairs_sent);
    for (int store = 0; store < SCAN_STORE_COUNT; store++) {
        for (int class = 0; class < DRIFT_CLASS_COUNT; class ++) {
            if (report->counts[store][class] > 0) {
                tell(s, "\n    %s %s %" PRIu64, scan_store_name((enum scan_store)store),
                     drift_class_name((enum drift_class) class), report->counts[store][class]);
            }
        }
    }
}

static void tell_effect_body(struct script *s, const struct effect *e) {
    static const char *const paths[] = {"scan", "by id", "search"};
    switch (e->kind) {
    case EFFECT_LOAD_STATE:
        tell(s, " %s/%u generation %u", e->load_state.group, e->load_state.partition,
             e->load_state.generation);
        break;
    case EFFECT_SAVE_STATE:
        tell(s, " %s/%u generation %u entries %zu", e->save_state.group, e->save_state.partition,
             e->save_state.generation, e->save_state.count);
        break;
    case EFFECT_FETCH:
        tell(s, " %s/%u from %" PRId64 "%s", topic_name(e->fetch.topic), e->fetch.partition,
             e->fetch.offset,
             e->fetch.bronze    ? " in bronze"
             : e->fetch.no_wait ? " at once"
                                : "");
        break;
    case EFFECT_OUTBOX_FETCH:
        tell(s, " after %" PRId64, e->outbox_fetch.sequence);
        break;
    case EFFECT_PRODUCE:
        tell_produce(s, e);
        break;
    case EFFECT_EMBED:
        tell_embed(s, e);
        break;
    case EFFECT_WRITE_VECTORS:
        tell(s, " %s", modality_name(e->vectors.modality));
        tell_model(s, e->vectors.model_version);
        for (size_t i = 0; i < e->vectors.count; i++) {
            const struct vector_write *item = &e->vectors.items[i];
            tell_write(s, item->listing_id, item->kind, item->rule, item->meta.version);
        }
        break;
    case EFFECT_WRITE_KEYWORDS:
        for (size_t i = 0; i < e->keywords.count; i++) {
            const struct keyword_write *item = &e->keywords.items[i];
            tell_write(s, item->listing_id, item->kind, item->rule, item->meta.version);
        }
        break;
    case EFFECT_LOAD_WAREHOUSE:
        tell_warehouse(s, &e->warehouse);
        break;
    case EFFECT_SCAN:
        tell(s, " %s %s", scan_store_name(e->scan.store), paths[e->scan.path]);
        tell_range(s, e->scan.first, e->scan.last);
        tell(s, "%s", e->scan.max > 0 ? " rows" : "");
        break;
    case EFFECT_BLOCK_SELLERS:
        tell(s, " %s", e->block.store == SCAN_KEYWORD ? "keyword" : "vectors");
        for (size_t i = 0; i < e->block.count; i++) {
            const struct seller_block *item = &e->block.items[i];
            tell(s, " %" PRIu64 " %s", item->seller_id,
                 item->status == POLICY_SUPPRESSED ? "suppressed" : "active");
        }
        break;
    case EFFECT_REFRESH_DASHBOARD:
        tell(s, "%s", e->refresh.whole ? " whole" : "");
        break;
    case EFFECT_ERASE:
        tell(s, " %s", erase_target_name(e->erase.target));
        for (size_t i = 0; i < e->erase.count; i++) {
            tell(s, " %" PRIu64, e->erase.subjects[i].listing_id);
        }
        break;
    case EFFECT_REPUBLISH:
        tell_ids(s, e);
        break;
    case EFFECT_REPAIR:
        tell(s, " %s", scan_store_name(e->listings.store));
        if (e->listings.model_version > 0) {
            tell(s, " v%u", e->listings.model_version);
        }
        tell(s, "%s", e->listings.anew ? " anew" : "");
        tell_ids(s, e);
        break;
    case EFFECT_VECTOR_ADMIN:
        tell_admin(s, &e->admin.what);
        break;
    case EFFECT_READ_VECTORS:
        tell(s, " %s v%u", modality_name(e->read.modality), e->read.model_version);
        for (size_t i = 0; i < e->read.count; i++) {
            tell(s, " %" PRIu64, e->read.listing_ids[i]);
        }
        break;
    case EFFECT_SEARCH:
        tell(s, " %s v%u %zu queries k %zu%s", modality_name(e->search.modality),
             e->search.model_version, e->search.count, e->search.k,
             e->search.exact ? " exact" : "");
        break;
    case EFFECT_RESEND:
        tell(s, " #%" PRIu64, e->resend.request);
        break;
    case EFFECT_TIMER:
        tell(s, " in %" PRId64 " ms", vtime_diff(e->timer.at, s->now) / VTIME_MILLISECOND);
        break;
    case EFFECT_COMMIT:
        tell(s, " %s generation %u %s/%u at %" PRId64, e->commit.group, e->commit.generation,
             topic_name(e->commit.topic), e->commit.partition, e->commit.offset);
        break;
    case EFFECT_TRIM_OUTBOX:
        tell(s, " to %" PRId64, e->trim_sequence);
        break;
    case EFFECT_ALERT:
        tell(s, " %s %s %s: %.*s", e->alert.name, e->alert.subject,
             alert_state_name(e->alert.state), (int)e->alert.evidence.len, e->alert.evidence.data);
        break;
    case EFFECT_REPORT:
        tell_report(s, &e->report);
        break;
    default:
        break;
    }
}

static void tell_effect(struct script *s, const struct effect *e) {
    bool quiet = e->kind == EFFECT_FETCH || e->kind == EFFECT_TIMER || e->kind == EFFECT_COMMIT;
    if (s->quiet_fetch && quiet) {
        return;
    }
    if (e->request > 0) {
        tell(s, "#%" PRIu64 " ", e->request);
    }
    tell(s, "%s", effect_kind_name(e->kind));
    tell_effect_body(s, e);
    tell(s, "\n");
}

void script_expect(struct script *s, const char *text) {
    assert_string_equal(s->private->told, text);
    script_skip(s);
}

void script_skip(struct script *s) {
    s->private->told_length = 0;
    s->private->told[0] = '\0';
}

const char *script_told(const struct script *s) {
    return s->private->told;
}

/* ---- Life ---- */

struct script *script_new(enum machine_kind kind, const struct pipeline_config *config,
                          const struct bugs *bugs) {
    struct script *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->private = calloc(1, sizeof *s->private);
    assert_non_null(s->private);
    s->private->told = calloc(1, TOLD_MAX);
    assert_non_null(s->private->told);
    s->private->kind = kind;
    effect_pool_init(&s->private->pool);
    s->config = config == NULL ? (struct pipeline_config){.partitions = 1} : *config;
    s->bugs = bugs == NULL ? (struct bugs){{false}} : *bugs;
    s->now = TEXT_EPOCH;
    s->machine = machine_new(kind, 0, &s->config, &s->bugs);
    assert_non_null(s->machine);
    return s;
}

static void forget_under_way(struct script *s) {
    struct script_private *p = s->private;
    for (size_t i = 0; i < p->waiting_count; i++) {
        effect_release(&p->pool, p->waiting[i]);
    }
    p->waiting_count = 0;
    p->timer_count = 0;
}

void script_restart(struct script *s) {
    forget_under_way(s);
    machine_free(s->machine);
    s->machine = machine_new(s->private->kind, 0, &s->config, &s->bugs);
    assert_non_null(s->machine);
}

static void bytes_free(struct bytes bytes) {
    free((char *)bytes.data);
}

void script_free(struct script *s) {
    struct script_private *p = s->private;
    forget_under_way(s);
    machine_free(s->machine);
    effect_pool_release(&p->pool);
    for (size_t i = 0; i < p->checkpoint_count; i++) {
        bytes_free(p->checkpoints[i].offsets);
        for (size_t k = 0; k < p->checkpoints[i].count; k++) {
            bytes_free(p->checkpoints[i].entries[k].value);
        }
    }
    free(p->told);
    free(p);
    free(s);
}

/* ---- Requests ---- */

/* Its place among those that wait; their number when it is not there. */
static size_t request_find(const struct script *s, uint64_t request) {
    const struct script_private *p = s->private;
    size_t i = 0;
    while (i < p->waiting_count && p->waiting[i]->request != request) {
        i++;
    }
    return i;
}

static size_t request_at(const struct script *s, uint64_t request) {
    if (!script_waits(s, request)) {
        fail_msg("request #%" PRIu64 " does not wait", request);
    }
    return request_find(s, request);
}

bool script_waits(const struct script *s, uint64_t request) {
    return request_find(s, request) < s->private->waiting_count;
}

struct effect *script_request(struct script *s, uint64_t request) {
    return s->private->waiting[request_at(s, request)];
}

uint64_t script_newest(const struct script *s, enum effect_kind kind) {
    uint64_t newest = 0;
    for (size_t i = 0; i < s->private->waiting_count; i++) {
        const struct effect *e = s->private->waiting[i];
        newest = e->kind == kind && e->request > newest ? e->request : newest;
    }
    return newest;
}

uint64_t script_newest_of(const struct script *s, enum topic_id topic) {
    uint64_t newest = 0;
    for (size_t i = 0; i < s->private->waiting_count; i++) {
        const struct effect *e = s->private->waiting[i];
        bool wanted = e->kind == EFFECT_FETCH && e->fetch.topic == topic;
        newest = wanted && e->request > newest ? e->request : newest;
    }
    return newest;
}

size_t script_waiting(const struct script *s) {
    return s->private->waiting_count;
}

/* ---- Steps ---- */

static void take_effect(struct script *s, struct effect *effect, uint64_t answered, bool *resent) {
    struct script_private *p = s->private;
    tell_effect(s, effect);
    if (effect->request > 0) {
        assert_true(p->waiting_count < WAITING_MAX);
        p->waiting[p->waiting_count++] = effect;
        return;
    }
    if (effect->kind == EFFECT_RESEND) {
        assert_int_equal(effect->resend.request, answered);
        s->resend_at = effect->resend.at;
        *resent = true;
        if (effect->resend.narrowed) {
            effect_narrow(p->waiting[request_at(s, answered)]);
        }
    }
    if (effect->kind == EFFECT_BATCH_REPORT) {
        s->batch = effect->batch;
        s->batches++;
    }
    if (effect->kind == EFFECT_REPORT) {
        assert_true(effect->report.sample_count <= sizeof s->samples / sizeof *s->samples);
        s->report = effect->report;
        for (size_t i = 0; i < s->report.sample_count; i++) {
            s->samples[i] = effect->report.samples[i];
        }
        s->report.samples = s->samples;
    }
    if (effect->kind == EFFECT_TIMER) {
        assert_true(p->timer_count < TIMERS_MAX);
        p->timers[p->timer_count++] = (struct timer){effect->timer.id, effect->timer.at};
    }
    effect_release(&p->pool, effect);
}

void script_step(struct script *s, struct event *event) {
    struct script_private *p = s->private;
    event->now = s->now;
    struct effects effects;
    effects_init(&effects, &p->pool);
    assert_int_equal(pipeline_step(s->machine, event, &effects), 0);
    bool resent = false;
    struct effect *effect;
    while ((effect = effects_take(&effects)) != NULL) {
        take_effect(s, effect, event->request, &resent);
    }
    if (event->request != 0 && !resent) {
        size_t at = request_at(s, event->request);
        effect_release(&p->pool, p->waiting[at]);
        memmove(&p->waiting[at], &p->waiting[at + 1],
                (--p->waiting_count - at) * sizeof(struct effect *));
    }
}

void script_start(struct script *s) {
    script_step(s, &(struct event){.kind = EVENT_START});
}

void script_assign(struct script *s, uint32_t generation, size_t count,
                   const uint32_t *partitions) {
    script_step(
        s, &(struct event){.kind = EVENT_ASSIGNED, .assigned = {generation, partitions, count}});
}

/* ---- Answers ---- */

static enum event_kind answer_kind(enum effect_kind kind) {
    switch (kind) {
    case EFFECT_LOAD_STATE:
        return EVENT_STATE;
    case EFFECT_SAVE_STATE:
        return EVENT_SAVED;
    case EFFECT_FETCH:
        return EVENT_RECORDS;
    case EFFECT_OUTBOX_FETCH:
        return EVENT_OUTBOX;
    case EFFECT_PRODUCE:
        return EVENT_PRODUCED;
    case EFFECT_EMBED:
        return EVENT_EMBEDDED;
    case EFFECT_WRITE_VECTORS:
    case EFFECT_WRITE_KEYWORDS:
        return EVENT_WRITTEN;
    case EFFECT_SCAN:
        return EVENT_SCANNED;
    case EFFECT_OBSERVE_FEEDS:
        return EVENT_OBSERVED;
    case EFFECT_VECTOR_ADMIN:
        return EVENT_ADMINISTERED;
    case EFFECT_READ_VECTORS:
        return EVENT_VECTORS;
    case EFFECT_SEARCH:
        return EVENT_FOUND;
    case EFFECT_READ_SALES:
        return EVENT_SALES;
    default:
        return EVENT_LOADED;
    }
}

static struct event answer_to(const struct effect *effect) {
    return (struct event){
        .kind = answer_kind(effect->kind), .request = effect->request, .answered = effect};
}

static struct bytes bytes_copy(struct bytes bytes) {
    char *copy = malloc(bytes.len + 1);
    assert_non_null(copy);
    if (bytes.len > 0) {
        memcpy(copy, bytes.data, bytes.len);
    }
    return (struct bytes){copy, bytes.len};
}

static struct checkpoint *checkpoint_of(struct script *s, uint32_t partition) {
    struct script_private *p = s->private;
    for (size_t i = 0; i < p->checkpoint_count; i++) {
        if (p->checkpoints[i].partition == partition) {
            return &p->checkpoints[i];
        }
    }
    assert_true(p->checkpoint_count < sizeof p->checkpoints / sizeof *p->checkpoints);
    struct checkpoint *checkpoint = &p->checkpoints[p->checkpoint_count++];
    checkpoint->partition = partition;
    return checkpoint;
}

static void entry_keep(struct checkpoint *checkpoint, const struct state_entry *entry) {
    for (size_t i = 0; i < checkpoint->count; i++) {
        if (checkpoint->entries[i].key == entry->key) {
            bytes_free(checkpoint->entries[i].value);
            checkpoint->entries[i].value = bytes_copy(entry->value);
            return;
        }
    }
    assert_true(checkpoint->count < ENTRIES_MAX);
    checkpoint->entries[checkpoint->count++] =
        (struct state_entry){entry->key, bytes_copy(entry->value)};
}

static int entry_order(const void *a, const void *b) {
    const struct state_entry *x = a, *y = b;
    return x->key < y->key ? -1 : x->key > y->key;
}

static void save_keep(struct script *s, const struct effect *save) {
    struct checkpoint *checkpoint = checkpoint_of(s, save->save_state.partition);
    bytes_free(checkpoint->offsets);
    checkpoint->offsets = bytes_copy(save->save_state.offsets);
    for (size_t i = 0; i < save->save_state.count; i++) {
        entry_keep(checkpoint, &save->save_state.entries[i]);
    }
    qsort(checkpoint->entries, checkpoint->count, sizeof *checkpoint->entries, entry_order);
    s->saves++;
}

/* Sets the status of item i. */
static void item_set(struct effect *e, size_t i, enum item_status status) {
    switch (e->kind) {
    case EFFECT_PRODUCE:
        e->produce.results[i].status = status;
        break;
    case EFFECT_EMBED:
        e->embed.results[i].status = status;
        e->embed.results[i].model_version = e->embed.model_version;
        for (int m = 0; m < MODALITY_COUNT && status == ITEM_APPLIED; m++) {
            if ((e->embed.items[i].modalities >> m & 1) != 0) {
                size_t dimension = modality_dimension((enum modality)m);
                memset(e->embed.results[i].vectors[m], 0, dimension * sizeof(float));
                e->embed.results[i].dimensions[m] = (uint32_t)dimension;
                e->embed.results[i].vectors[m][0] = (float)e->embed.items[i].listing_id;
            }
        }
        break;
    case EFFECT_WRITE_VECTORS:
        e->vectors.statuses[i] = status;
        break;
    case EFFECT_WRITE_KEYWORDS:
        e->keywords.statuses[i] = status;
        break;
    default:
        fail_msg("%s has no items", effect_kind_name(e->kind));
    }
}

static size_t item_count(const struct effect *e) {
    switch (e->kind) {
    case EFFECT_PRODUCE:
        return e->produce.count;
    case EFFECT_EMBED:
        return e->embed.count;
    case EFFECT_WRITE_VECTORS:
        return e->vectors.count;
    case EFFECT_WRITE_KEYWORDS:
        return e->keywords.count;
    default:
        return 0;
    }
}

void script_answer(struct script *s, uint64_t request) {
    struct effect *effect = script_request(s, request);
    for (size_t i = 0; i < item_count(effect); i++) {
        item_set(effect, i, ITEM_APPLIED);
    }
    if (effect->kind == EFFECT_SAVE_STATE) {
        save_keep(s, effect);
    }
    for (size_t i = 0; effect->kind == EFFECT_OPEN_CHANNELS && i < effect->channels.count; i++) {
        effect->channels.items[i].token = CHANNEL_NO_TOKEN;
    }
    if (effect->kind == EFFECT_REFRESH_DASHBOARD) {
        effect->refresh.as_of = s->now;
    }
    struct event event = answer_to(effect);
    script_step(s, &event);
}

void script_answer_items(struct script *s, uint64_t request, const char *statuses) {
    static const char letters[] = "acmrfu";
    struct effect *effect = script_request(s, request);
    assert_int_equal(strlen(statuses), item_count(effect));
    for (size_t i = 0; statuses[i] != '\0'; i++) {
        const char *letter = strchr(letters, statuses[i]);
        assert_non_null(letter);
        item_set(effect, i, (enum item_status)(letter - letters));
    }
    struct event event = answer_to(effect);
    script_step(s, &event);
}

void script_spoil(struct script *s, uint64_t request, void (*spoil)(struct embed_result *result)) {
    struct effect *effect = script_request(s, request);
    for (size_t i = 0; i < item_count(effect); i++) {
        item_set(effect, i, ITEM_APPLIED);
        spoil(&effect->embed.results[i]);
    }
    struct event event = answer_to(effect);
    script_step(s, &event);
}

void script_fail(struct script *s, uint64_t request, enum port_error error) {
    struct event event = answer_to(script_request(s, request));
    event.error = error;
    script_step(s, &event);
}

void script_load(struct script *s, uint64_t request) {
    const struct effect *effect = script_request(s, request);
    const struct checkpoint *checkpoint = checkpoint_of(s, effect->load_state.partition);
    struct event event = answer_to(effect);
    event.state.offsets = checkpoint->offsets;
    event.state.entries = checkpoint->entries;
    event.state.count = checkpoint->count;
    script_step(s, &event);
}

void script_records(struct script *s, uint64_t request, int64_t offset, const char *const *texts) {
    struct log_record records[RECORDS_MAX];
    size_t count = 0;
    for (; texts[count] != NULL; count++) {
        assert_true(count < RECORDS_MAX);
        struct bytes value = record_from_text(texts[count]);
        records[count] = (struct log_record){
            .offset = offset + (int64_t)count,
            .append = s->now,
            .key = record_subject(value),
            .value = value,
        };
    }
    struct event event = answer_to(script_request(s, request));
    event.records.records = records;
    event.records.count = count;
    script_step(s, &event);
    for (size_t i = 0; i < count; i++) {
        bytes_free(records[i].value);
    }
}

static enum topic_id feed_of(struct bytes value) {
    struct record record;
    struct record_error error;
    if (record_decode(value, &record, &error) != 0) {
        return TOPIC_LISTING;
    }
    static const enum topic_id feeds[] = {
        [RECORD_LISTING] = TOPIC_LISTING, [RECORD_MEDIA] = TOPIC_MEDIA,
        [RECORD_POLICY] = TOPIC_POLICY,   [RECORD_ORDER] = TOPIC_ORDER,
        [RECORD_ERASURE] = TOPIC_PRIVACY, [RECORD_REFERENCE] = TOPIC_REFERENCE,
    };
    return feeds[record.type];
}

void script_outbox(struct script *s, uint64_t request, int64_t sequence, const char *const *texts) {
    struct outbox_row rows[RECORDS_MAX];
    size_t count = 0;
    for (; texts[count] != NULL; count++) {
        assert_true(count < RECORDS_MAX);
        struct bytes value = record_from_text(texts[count]);
        rows[count] = (struct outbox_row){sequence + (int64_t)count, feed_of(value),
                                          record_subject(value), value};
    }
    struct event event = answer_to(script_request(s, request));
    event.outbox.rows = rows;
    event.outbox.count = count;
    script_step(s, &event);
    for (size_t i = 0; i < count; i++) {
        bytes_free(rows[i].value);
    }
}

void script_command(struct script *s, enum command_kind kind, enum scan_store store, size_t count,
                    const uint64_t *listing_ids) {
    script_command_model(s, kind, store, 0, count, listing_ids);
}

void script_command_model(struct script *s, enum command_kind kind, enum scan_store store,
                          uint32_t model_version, size_t count, const uint64_t *listing_ids) {
    script_step(s, &(struct event){.kind = EVENT_COMMAND,
                                   .command = {.kind = kind,
                                               .store = store,
                                               .model_version = model_version,
                                               .listing_ids = listing_ids,
                                               .count = count}});
}

struct bytes *script_entry(struct script *s, uint32_t partition, uint64_t key) {
    struct checkpoint *checkpoint = checkpoint_of(s, partition);
    for (size_t i = 0; i < checkpoint->count; i++) {
        if (checkpoint->entries[i].key == key) {
            return &checkpoint->entries[i].value;
        }
    }
    fail_msg("the checkpoint has no entry %" PRIu64, key);
    return NULL;
}

/* ---- Timers ---- */

static size_t timer_first(const struct script *s) {
    const struct script_private *p = s->private;
    size_t first = 0;
    for (size_t i = 1; i < p->timer_count; i++) {
        if (p->timers[i].at.ns < p->timers[first].at.ns) {
            first = i;
        }
    }
    return first;
}

void script_timer(struct script *s) {
    struct script_private *p = s->private;
    assert_true(p->timer_count > 0);
    size_t first = timer_first(s);
    struct timer timer = p->timers[first];
    memmove(&p->timers[first], &p->timers[first + 1],
            (--p->timer_count - first) * sizeof *p->timers);
    s->now = vtime_max(s->now, timer.at);
    script_step(s, &(struct event){.kind = EVENT_TIMER, .timer = timer.id});
}

size_t script_timers(const struct script *s) {
    return s->private->timer_count;
}

void script_wait(struct script *s, int64_t duration_ns) {
    vtime until = vtime_add(s->now, duration_ns);
    while (s->private->timer_count > 0 && s->private->timers[timer_first(s)].at.ns <= until.ns) {
        script_timer(s);
    }
    s->now = until;
}

void script_begin(struct script *s) {
    script_start(s);
    script_assign(s, 1, 1, (const uint32_t[]){0});
    script_load(s, script_newest(s, EFFECT_LOAD_STATE));
    script_skip(s);
}
