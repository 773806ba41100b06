#include "pipeline/machine.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "pipeline/array.h"
#include "pipeline/document.h"
#include "pipeline/format.h"
#include "pipeline/machine_parts.h"
#include "pipeline/retention.h"
#include "pipeline/wire.h"

static struct machine *machine_make(enum machine_kind kind) {
    switch (kind) {
#define MACHINE_CASE(identifier, name, tenure)                                                     \
    case MACHINE_##identifier:                                                                     \
        return name##_new();
        MACHINES(MACHINE_CASE)
#undef MACHINE_CASE
    case MACHINE_KIND_COUNT:
        break;
    }
    assert(0 && "unknown kind of machine");
    return NULL;
}

struct machine *machine_new(enum machine_kind kind, uint32_t member,
                            const struct pipeline_config *config, const struct bugs *bugs) {
    struct machine *machine = machine_make(kind);
    if (machine == NULL) {
        return NULL;
    }
    machine->kind = kind;
    machine->member = member;
    machine->config_storage = pipeline_config_with_defaults(config);
    machine->config = &machine->config_storage;
    machine->bugs = bugs;
    return machine;
}

void machine_free(struct machine *machine) {
    if (machine != NULL) {
        machine->free(machine);
    }
}

uint8_t machine_format(const struct machine *machine) {
    const struct pipeline_config *config = machine->config;
    bool finalised =
        config->format_level >= config->code_version || bug_on(machine->bugs, BUG_NEW_FORMAT_EARLY);
    return (uint8_t)(finalised ? config->code_version : config->format_level);
}

/* A level once finalised stays so: what is written in it has to be read. */
static void finalise(struct machine *machine, uint32_t level) {
    uint32_t *finalised = &machine->config_storage.format_level;
    *finalised = level > *finalised ? level : *finalised;
}

int pipeline_step(struct machine *machine, const struct event *event, struct effects *effects) {
    if (event->kind == EVENT_COMMAND && event->command.kind == COMMAND_FINALISE) {
        finalise(machine, event->command.level);
        return 0;
    }
    int error = machine->step(machine, event, effects);
    return error != 0 || effects->out_of_memory ? -ENOMEM : 0;
}

const uint64_t *machine_counters(const struct machine *machine) {
    return machine->counters;
}

const uint64_t *machine_gauges(const struct machine *machine) {
    return machine->gauges;
}

const char *machine_gauge_name(enum machine_gauge gauge) {
    static const char *const names[MACHINE_GAUGE_COUNT] = {
#define GAUGE_NAME(identifier, name) name,
        MACHINE_GAUGES(GAUGE_NAME)
#undef GAUGE_NAME
    };
    assert(gauge < MACHINE_GAUGE_COUNT);
    return names[gauge];
}

enum machine_kind machine_kind_of(const struct machine *machine) {
    return machine->kind;
}

const char *machine_kind_name(enum machine_kind kind) {
    static const char *const names[MACHINE_KIND_COUNT] = {
#define MACHINE_NAME(identifier, name, tenure) #name,
        MACHINES(MACHINE_NAME)
#undef MACHINE_NAME
    };
    assert(kind < MACHINE_KIND_COUNT);
    return names[kind];
}

enum machine_tenure machine_tenure(enum machine_kind kind) {
    static const enum machine_tenure tenures[MACHINE_KIND_COUNT] = {
#define MACHINE_TENURE(identifier, name, tenure) MACHINE_##tenure,
        MACHINES(MACHINE_TENURE)
#undef MACHINE_TENURE
    };
    assert(kind < MACHINE_KIND_COUNT);
    return tenures[kind];
}

const char *machine_group(enum machine_kind kind) {
    return machine_tenure(kind) == MACHINE_STATELESS ? NULL : machine_kind_name(kind);
}

const char *event_kind_name(enum event_kind kind) {
    static const char *const names[EVENT_KIND_COUNT] = {
        "start",    "assigned", "state",        "saved",   "records", "outbox",
        "produced", "embedded", "written",      "loaded",  "scanned", "observed",
        "timer",    "command",  "administered", "vectors", "found",   "sales"};
    assert(kind < EVENT_KIND_COUNT);
    return names[kind];
}

const char *machine_counter_name(enum machine_counter counter) {
    static const char *const names[MACHINE_COUNTER_COUNT] = {
#define COUNTER_NAME(identifier, name) name,
        MACHINE_COUNTERS(COUNTER_NAME)
#undef COUNTER_NAME
    };
    assert(counter < MACHINE_COUNTER_COUNT);
    return names[counter];
}

struct pipeline_config pipeline_config_with_defaults(const struct pipeline_config *config) {
    struct pipeline_config c = *config;
#define DEFAULT(member, value)                                                                     \
    if (c.member == 0) {                                                                           \
        c.member = value;                                                                          \
    }
    DEFAULT(partitions, 8)
    DEFAULT(code_version, FORMAT_NEWEST)
    DEFAULT(format_level, FORMAT_BARE)
    DEFAULT(model_version, 1)
    DEFAULT(allowed_lateness_ns, 2 * VTIME_HOUR)
    DEFAULT(late_batch_interval_ns, VTIME_HOUR)
    DEFAULT(orphan_after_ns, DOCUMENT_ORPHAN_AFTER)
    DEFAULT(orphan_kept_ns, 14 * VTIME_DAY)
    DEFAULT(future_max_ns, 5 * VTIME_MINUTE)
    DEFAULT(checkpoint_interval_ns, 30 * VTIME_SECOND)
    DEFAULT(fetch_records_max, 512)
    DEFAULT(embed_batch_max, 128)
    DEFAULT(embed_requests_max, 8)
    DEFAULT(backfill_in_flight_max, 64)
    DEFAULT(backlog_max, 4096)
    DEFAULT(retry_base_ns, 200 * VTIME_MILLISECOND)
    DEFAULT(retry_max_ns, 30 * VTIME_SECOND)
    DEFAULT(dashboard_interval_ns, 60 * VTIME_SECOND)
    DEFAULT(watch_interval_ns, 30 * VTIME_SECOND)
    DEFAULT(erasure_sweep_ns, VTIME_HOUR)
    DEFAULT(artifacts_settle_ns, 30 * VTIME_MINUTE)
    DEFAULT(erasure_warn_ns, 48 * VTIME_HOUR)
    DEFAULT(erasure_error_ns, 60 * VTIME_HOUR)
    DEFAULT(quality_window_ns, 10 * VTIME_MINUTE)
    DEFAULT(quality_drift_ns, VTIME_HOUR)
    DEFAULT(volume_window_ns, VTIME_HOUR)
    DEFAULT(volume_deletes_min, 100)
    DEFAULT(volume_factor, 10)
    DEFAULT(reconcile_cutoff_ns, 5 * VTIME_MINUTE)
    DEFAULT(reconcile_settle_ns, 2 * VTIME_MINUTE)
    DEFAULT(reconcile_passes_max, 5)
    DEFAULT(batch_page_rows, 4096)
    DEFAULT(outbox_kept_ns, 10 * VTIME_MINUTE)
    DEFAULT(topics_kept_ns, TOPICS_KEPT_NS_DEFAULT)
    DEFAULT(warehouse_kept_ns, WAREHOUSE_KEPT_NS_DEFAULT)
    DEFAULT(upgrade_page_rows, 128)
    DEFAULT(upgrade_settle_ns, 20 * VTIME_SECOND)
    DEFAULT(upgrade_cutoff_ns, 2 * VTIME_MINUTE)
    DEFAULT(upgrade_fresh_ns, 2 * VTIME_MINUTE)
    DEFAULT(upgrade_retry_ns, 5 * VTIME_MINUTE)
    DEFAULT(upgrade_guard_ns, 60 * VTIME_SECOND)
    DEFAULT(upgrade_drain_ns, 60 * VTIME_SECOND)
    DEFAULT(upgrade_search_ef, 100)
    DEFAULT(upgrade_recall_permille, 900)
    DEFAULT(upgrade_overlap_permille, 100)
    DEFAULT(backfill_batch, 32)
    DEFAULT(backfill_pause_ns, VTIME_SECOND)
    DEFAULT(backfill_resend_ns, 60 * VTIME_SECOND)
    DEFAULT(backfill_lag_ns, 30 * VTIME_SECOND)
    DEFAULT(backfill_hold_max_ns, 10 * VTIME_MINUTE)
#undef DEFAULT
    return c;
}

void machine_timer(struct effects *effects, uint64_t id, vtime at) {
    struct effect *timer = effects_add(effects, EFFECT_TIMER, 0, 0);
    if (timer != NULL) {
        timer->timer.id = id;
        timer->timer.at = at;
    }
}

void machine_resend(struct machine *machine, struct effects *effects, const struct event *event,
                    uint32_t failures) {
    int64_t delay_ns = machine->config->retry_base_ns;
    for (uint32_t i = 1; i < failures && delay_ns < machine->config->retry_max_ns; i++) {
        delay_ns *= 2;
    }
    if (delay_ns > machine->config->retry_max_ns) {
        delay_ns = machine->config->retry_max_ns;
    }
    if (event->error == PORT_THROTTLED && bug_on(machine->bugs, BUG_THROTTLE_IGNORED)) {
        delay_ns = VTIME_MILLISECOND;
    }
    char who[24];
    char *at = wire_put(who, machine->kind, 4);
    at = wire_put(at, machine->member, 4);
    at = wire_put(at, event->request, 8);
    wire_put(at, failures, 8);
    uint64_t jitter = XXH3_64bits(who, sizeof who) % (uint64_t)(delay_ns / 2 + 1);
    machine_count(machine, COUNTER_RETRIES, 1);
    struct effect *resend = effects_add(effects, EFFECT_RESEND, 0, 0);
    if (resend != NULL) {
        resend->resend.request = event->request;
        resend->resend.at = vtime_add(event->now, delay_ns / 2 + (int64_t)jitter);
        resend->resend.narrowed = event->kind == EVENT_WRITTEN && event->error == PORT_OK;
    }
}

bool produce_incomplete(const struct effect *produce) {
    for (size_t i = 0; i < produce->produce.count; i++) {
        if (produce->produce.results[i].status != ITEM_APPLIED) {
            return true;
        }
    }
    return false;
}

bool produce_fenced(const struct effect *produce) {
    for (size_t i = 0; i < produce->produce.count; i++) {
        if (produce->produce.results[i].status == ITEM_FATAL) {
            return true;
        }
    }
    return false;
}

void pending_release(struct pending_requests *pending) {
    free(pending->items);
    *pending = (struct pending_requests){NULL, 0, 0};
}

int pending_add(struct pending_requests *pending, uint64_t request, uint32_t partition,
                uint32_t purpose) {
    if (ARRAY_RESERVE(pending->items, pending->capacity, pending->count + 1) != 0) {
        return -ENOMEM;
    }
    pending->items[pending->count++] = (struct pending_request){request, partition, purpose, 0};
    return 0;
}

struct pending_request *pending_find(struct pending_requests *pending, uint64_t request) {
    for (size_t i = 0; i < pending->count; i++) {
        if (pending->items[i].request == request) {
            return &pending->items[i];
        }
    }
    return NULL;
}

void pending_remove(struct pending_requests *pending, uint64_t request) {
    struct pending_request *found = pending_find(pending, request);
    if (found != NULL) {
        *found = pending->items[--pending->count];
    }
}

void pending_drop_partition(struct pending_requests *pending, uint32_t partition) {
    size_t kept = 0;
    for (size_t i = 0; i < pending->count; i++) {
        if (pending->items[i].partition != partition) {
            pending->items[kept++] = pending->items[i];
        }
    }
    pending->count = kept;
}

void source_read(struct source *source, const struct log_record *records, size_t count) {
    for (size_t i = count; i > 0; i--) {
        if (records[i - 1].offset < source->next) {
            source->after_epoch = records[i - 1].epoch + 1;
            return;
        }
    }
}

/* Offsets below 0 are no positions and stand for themselves. */
static int64_t position_pack(int64_t offset, uint32_t after_epoch) {
    int64_t epoch = after_epoch == 0 ? 0 : (int64_t)after_epoch - 1;
    return offset < 0 ? offset : epoch << DOC_VERSION_OFFSET_BITS | offset;
}

size_t sources_encode(const struct source *sources, size_t count, bool use_next, char *buffer) {
    char *at = buffer;
    for (size_t i = 0; i < count; i++) {
        at = wire_put(at, sources[i].topic, 1);
        at = wire_put(at, sources[i].partition, 4);
        int64_t offset = sources[i].rewind ? sources[i].rewind_to
                         : use_next        ? sources[i].next
                                           : sources[i].safe;
        at = wire_put(at, (uint64_t)position_pack(offset, sources[i].after_epoch), 8);
    }
    return (size_t)(at - buffer);
}

int sources_decode(struct source *sources, size_t count, struct bytes offsets) {
    struct wire_reader reader = wire_reader_of(offsets);
    while (reader.at != reader.end) {
        uint64_t topic = wire_get(&reader, 1);
        uint64_t partition = wire_get(&reader, 4);
        int64_t position = (int64_t)wire_get(&reader, 8);
        if (reader.failed || position < FETCH_OLDEST) {
            return -EINVAL;
        }
        int64_t offset = position & ((INT64_C(1) << DOC_VERSION_OFFSET_BITS) - 1);
        uint32_t after_epoch = offset > 0 ? doc_version_epoch(position) + 1 : 0;
        offset = position < 0 ? position : offset;
        for (size_t i = 0; i < count; i++) {
            if (sources[i].topic == topic && sources[i].partition == partition) {
                sources[i].next = sources[i].safe = offset;
                sources[i].after_epoch = position < 0 ? 0 : after_epoch;
            }
        }
    }
    return 0;
}

int record_of_topic(enum topic_id topic, struct bytes input, struct record *out,
                    struct record_error *error) {
    static const struct {
        unsigned types;
        const char *expected;
    } carries[TOPIC_COUNT] = {
        [TOPIC_LISTING] = {1u << RECORD_LISTING, "a listing record"},
        [TOPIC_MEDIA] = {1u << RECORD_MEDIA, "a media record"},
        [TOPIC_POLICY] = {1u << RECORD_POLICY, "a policy record"},
        [TOPIC_ORDER] = {1u << RECORD_ORDER, "an order"},
        [TOPIC_PRIVACY] = {1u << RECORD_ERASURE, "an erasure"},
        [TOPIC_REFERENCE] = {1u << RECORD_REFERENCE, "a row of a reference table"},
        [TOPIC_LISTING_LOG] = {1u << RECORD_LISTING | 1u << RECORD_MEDIA | 1u << RECORD_POLICY |
                                   1u << RECORD_ERASURE | 1u << RECORD_REFERENCE,
                               "a listing, media, policy or reference record or an erasure"},
        [TOPIC_LATE] = {1u << RECORD_LISTING, "a listing record"},
        [TOPIC_CONTROL] = {1u << RECORD_CONTROL, "a control record"},
        [TOPIC_AUDIT] = {1u << RECORD_AUDIT, "an audit record"},
        [TOPIC_ERASED] = {1u << RECORD_ERASURE, "an erasure"},
        [TOPIC_CERTIFICATE] = {1u << RECORD_CERTIFICATE, "a certificate"},
        [TOPIC_QUARANTINE] = {1u << RECORD_LISTING, "a listing record"},
    };
    assert(carries[topic].types != 0);
    bool claimed = topic < TOPIC_FEED_COUNT; /* as its producer wrote it */
    if ((claimed ? record_decode_claimed(input, out, error) : record_decode(input, out, error)) !=
        0) {
        return -1;
    }
    if ((carries[topic].types >> out->type & 1) == 0) {
        *error = (struct record_error){"this topic does not carry records of this type", "type",
                                       carries[topic].expected, out->type};
        return -1;
    }
    return 0;
}

struct dead_letter dead_letter_of(const struct source *source, const struct log_record *logged,
                                  const struct record_error *error) {
    return (struct dead_letter){
        .topic = source->topic,
        .partition = source->partition,
        .offset = logged->offset,
        .append = logged->append,
        .contract_version = RECORD_CONTRACT_VERSION,
        .reason = bytes_of(error->reason),
        .field = bytes_of(error->field),
        .expected = bytes_of(error->expected),
        .actual = error->actual,
        .value = logged->value,
    };
}

int dead_letter_item(struct effects *effects, struct effect *produce, struct produce_item *item,
                     uint64_t key, const struct dead_letter *letter) {
    struct dead_letter keyed = *letter;
    keyed.key = key;
    size_t size = dead_letter_size(&keyed);
    char *buffer = effect_alloc(effects, produce, size);
    if (buffer == NULL) {
        return -ENOMEM;
    }
    dead_letter_encode(&keyed, buffer);
    *item = (struct produce_item){TOPIC_DEAD_LETTER, dead_letter_key(&keyed), {buffer, size}};
    return 0;
}
