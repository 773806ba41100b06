#include "scenarios/scenario_keys.h"

#include <assert.h>
#include <string.h>

#include "faults/injector.h"
#include "pipeline/bugs.h"
#include "pipeline/format.h"
#include "pipeline/vtime.h"
#include "scenarios/contract_set.h"
#include "scenarios/quantity.h"
#include "sim/hnsw.h"
#include "sim/prng.h"
#include "sim/simulation.h"

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

#define AT(member) .offset = offsetof(struct draft, scenario.member)
#define FAULT_AT(member) .offset = offsetof(struct fault, member)
#define ALERT_AT(member) .offset = offsetof(struct expected_alert, member)
#define OPERATION_AT(member) .offset = offsetof(struct operation, member)
#define CONTRACT_AT(member) .offset = offsetof(struct workload_contract, member)
#define ANOMALY_AT(member) .offset = offsetof(struct workload_anomaly, member)
#define PEAK_AT(member) .offset = offsetof(struct workload_peak, member)
#define POLICY_AT(member) .offset = offsetof(struct workload_policy, member)
#define COUNT_AT(member) .offset = offsetof(struct expected_count, member)
#define LINEAGE_AT(member) .offset = offsetof(struct expected_lineage, member)
#define DRIFT_AT(member) .offset = offsetof(struct expected_drift, member)

#define COUNT32(low, high) .type = TAKES_COUNT32, .min = (low), .max = (high)
#define COUNT64(low, high) .type = TAKES_COUNT64, .min = (low), .max = (high)
#define DURATION(low, high) .type = TAKES_DURATION, .min = (low), .max = (high)

/* No run is longer. */
#define LONGEST (3660 * VTIME_DAY)

static_assert(offsetof(struct fault, ratio_den) - offsetof(struct fault, ratio_num) ==
                      offsetof(struct share, den) - offsetof(struct share, num) &&
                  sizeof(struct share) == 2 * sizeof(uint32_t),
              "a share is written over ratio_num and ratio_den at once");

/* ---- Names ---- */

static const char *const workload_kinds[] = {"generated", "replay"};
static const enum topic_id feeds[] = {TOPIC_LISTING, TOPIC_MEDIA,     TOPIC_POLICY,
                                      TOPIC_ORDER,   TOPIC_REFERENCE, TOPIC_PRIVACY};
static const char *const alerts[] = {
    "feed-freshness",  "feed-volume",       "offset-out-of-range",
    "upgrade-refused", "cutover-refused",   "rollback-refused",
    "retire-refused",  "abandon-refused",   "alias-moved",
    "mass-delete",     "embedding-model",   "checkpoint-corrupt",
    "schema-refused",  "erasure-overdue",   "null-explosion",
    "schema-drift",    "future-timestamps", "field-absence",
    "load-failures",   "embedding-drift",   "batch-beyond-retention",
    "batch-differs",   "orders-missing",    "retention-risk",
    "format-unknown",  "deploy-refused",    "finalise-refused"};
static const enum alert_state alert_states[] = {ALERT_WARN, ALERT_ERROR, ALERT_NO_DATA};
static const enum machine_kind grouped[] = {MACHINE_ROUTER, MACHINE_BUILDER, MACHINE_LOADER};
static const char *const statuses[] = {"active", "suppressed"};
static_assert(POLICY_SUPPRESSED == POLICY_ACTIVE + 1, "each status has a name");
static const char *const objectives[] = {"freshness_p95", "recall", "search_p95", "availability",
                                         "erasure_within"};
static_assert(COUNT_OF(workload_kinds) == WORKLOAD_KIND_COUNT, "each kind has a name");

/* The i-th kind of control record that an operator can give; CONTROL_KIND_END behind the last. */
static enum control_kind operation_kind(size_t i) {
    for (enum control_kind kind = CONTROL_NONE + 1; kind < CONTROL_KIND_END; kind++) {
        bool announced = (control_about(kind)->parameters & CONTROL_ANNOUNCED) != 0;
        if (!announced && i-- == 0) {
            return kind;
        }
    }
    return CONTROL_KIND_END;
}

static size_t operation_count(void) {
    size_t count = 0;
    while (operation_kind(count) != CONTROL_KIND_END) {
        count++;
    }
    return count;
}

/* Index of the i-th point that is a call to a store; how many there are, for a large i. */
static size_t call_at(size_t i) {
    const char *about;
    size_t calls = 0;
    for (size_t point = 0; injector_point_about(point, &about) != NULL; point++) {
        if (injector_point_place(point) != 0 && calls++ == i) {
            return point;
        }
    }
    return calls;
}

static const char *level_name(size_t i) {
    return service_level_of((enum seam)(i / LEVEL_COUNT), (enum service_level)(i % LEVEL_COUNT));
}

/* How many names there are, and the i-th with its number. */
static size_t name_set_size(enum name_set set) {
    switch (set) {
    case NAMES_WORKLOAD_KINDS:
        return COUNT_OF(workload_kinds);
    case NAMES_FAULT_KINDS:
        return FAULT_KIND_COUNT;
    case NAMES_FEEDS:
        return COUNT_OF(feeds);
    case NAMES_TOPICS:
        return TOPIC_COUNT;
    case NAMES_SINKS:
        return SINK_COUNT;
    case NAMES_WORKERS:
        return MACHINE_KIND_COUNT;
    case NAMES_STATES:
        return PIPELINE_STATE_COUNT;
    case NAMES_CALLS:
        return call_at(SIZE_MAX);
    case NAMES_POINTS:
        return POINT_COUNT;
    case NAMES_ALERTS:
        return COUNT_OF(alerts);
    case NAMES_ALERT_STATES:
        return COUNT_OF(alert_states);
    case NAMES_STORES:
        return SCAN_STORE_COUNT - SCAN_GOLD; /* OLTP is what the others are compared with */
    case NAMES_DRIFT_CLASSES:
        return DRIFT_IN_FLIGHT; /* which is no drift */
    case NAMES_OBJECTIVES:
        return COUNT_OF(objectives) + SEAM_COUNT * LEVEL_COUNT;
    case NAMES_ANOMALIES:
        return ANOMALY_KIND_COUNT;
    case NAMES_OPERATIONS:
        return operation_count();
    case NAMES_GROUPED:
        return COUNT_OF(grouped);
    case NAMES_STATUSES:
        return COUNT_OF(statuses);
    case NAMES_COUNTERS:
        return MACHINE_COUNTER_COUNT;
    case NAMES_LEVELS:
        return LEVEL_COUNT + SEAM_COUNT * LEVEL_COUNT;
    case NAMES_PROFILES:
        return VECTOR_PROFILE_COUNT;
    case NAMES_METRICS:
        return LINEAGE_MEASURE_COUNT;
    case NAMES_LAYERS:
        return LINEAGE_LAYER_COUNT;
    case NAMES_CAUSES:
        return LINEAGE_CORRUPTED - LINEAGE_NO_CAUSE;
    case NAMES_CONSISTENCY:
        return CONSISTENCY_COUNT;
    case NAMES_PROTOCOLS:
        return FAKE_KAFKA_PROTOCOL_COUNT;
    case NAMES_RESETS:
        return OFFSET_RESETS;
    case NAMES_BUGS:
        return BUG_COUNT;
    }
    return 0;
}

const char *name_set_item(enum name_set set, size_t i, int *value) {
    if (i >= name_set_size(set)) {
        return NULL;
    }
    const char *about;
    *value = (int)i;
    switch (set) {
    case NAMES_WORKLOAD_KINDS:
        return workload_kinds[i];
    case NAMES_FAULT_KINDS:
        return fault_table()[i].name;
    case NAMES_FEEDS:
        *value = (int)feeds[i];
        return topic_name(feeds[i]);
    case NAMES_TOPICS:
        return topic_name((enum topic_id)i);
    case NAMES_SINKS:
        return fault_sink_name((enum fault_sink)i);
    case NAMES_WORKERS:
        return machine_kind_name((enum machine_kind)i);
    case NAMES_POINTS:
        return fault_point_name((enum fault_point)i);
    case NAMES_STATES:
        *value = (int)i + 1;
        return pipeline_state_table()[i].name;
    case NAMES_CALLS:
        *value = (int)call_at(i) + 1;
        return injector_point_about(call_at(i), &about);
    case NAMES_ALERTS:
        return alerts[i];
    case NAMES_ALERT_STATES:
        *value = (int)alert_states[i];
        return alert_state_name(alert_states[i]);
    case NAMES_STORES:
        *value = (int)(SCAN_GOLD + i);
        return scan_store_name((enum scan_store)(SCAN_GOLD + i));
    case NAMES_DRIFT_CLASSES:
        return drift_class_name((enum drift_class)i);
    case NAMES_OBJECTIVES:
        return i < COUNT_OF(objectives) ? objectives[i] : level_name(i - COUNT_OF(objectives));
    case NAMES_ANOMALIES:
        return anomaly_kind_name((enum anomaly_kind)i);
    case NAMES_OPERATIONS:
        *value = (int)operation_kind(i);
        return control_about((enum control_kind) * value)->name;
    case NAMES_GROUPED:
        *value = (int)grouped[i];
        return machine_kind_name(grouped[i]);
    case NAMES_STATUSES:
        *value = (int)(POLICY_ACTIVE + i);
        return statuses[i];
    case NAMES_COUNTERS:
        return machine_counter_name((enum machine_counter)i);
    case NAMES_LEVELS:
        return i < LEVEL_COUNT ? service_level_name((enum service_level)i)
                               : level_name(i - LEVEL_COUNT);
    case NAMES_PROTOCOLS:
        return fake_kafka_protocol_name((enum fake_kafka_protocol)i);
    case NAMES_RESETS:
        return offset_reset_name((enum offset_reset)i);
    case NAMES_BUGS:
        return bug_table()[i].name;
    case NAMES_PROFILES:
        return vector_profile_name((enum vector_profile_id)i);
    case NAMES_METRICS:
        return lineage_measure_name((enum lineage_measure)i);
    case NAMES_LAYERS:
        return i == LINEAGE_OLTP ? "none" : lineage_layer_name((enum lineage_layer)i);
    case NAMES_CAUSES:
        *value = (int)(LINEAGE_NO_CAUSE + 1 + i);
        return lineage_cause_name((enum lineage_cause) * value);
    case NAMES_CONSISTENCY:
        *value = (int)i + 1;
        return vector_consistency_name((enum vector_consistency)i);
    }
    return NULL;
}

/* ---- Workload ---- */

#define ONLY_GENERATED .use = 1u << WORKLOAD_GENERATED
#define ONLY_REPLAY .use = 1u << WORKLOAD_REPLAY

static enum key_use workload_use(int kind, unsigned bits) {
    return bits == 0 || (bits >> kind & 1) != 0 ? KEY_OPTIONAL : KEY_REFUSED;
}

#define WEIGHT(key, member, share, what)                                                           \
    {                                                                                              \
        .name = key, AT(workload.weight_##member), COUNT32(0, 1000000), .fallback = share,         \
        .about = what,                                                                             \
    }
static const struct key mix_keys[] = {
    WEIGHT("create", create, "30", "a seller lists something more"),
    WEIGHT("price", price, "600", "a price changes, which needs no embedding"),
    WEIGHT("text", text, "80", "a title or description is rewritten"),
    WEIGHT("attributes", attributes, "80", "attributes change"),
    WEIGHT("images", images, "80", "images are added, replaced or withdrawn"),
    WEIGHT("delete", delete, "25", "a listing is deleted"),
    WEIGHT("recreate", recreate, "10", "a deleted listing comes back"),
    WEIGHT("policy", policy, "3", "a seller is suppressed or reinstated, with all its listings"),
    WEIGHT("order", order, "90", "somebody buys"),
    WEIGHT("correction", correction, "0",
           "what a recent order says is corrected: its quantity, amount or category"),
    WEIGHT("poison", poison, "2", "bytes that are no record reach a feed"),
    WEIGHT("erase_listing", erase_listing, "0", "somebody asks for a listing to be erased"),
    WEIGHT("erase_seller", erase_seller, "0", "a seller asks for all of its listings to be erased"),
    WEIGHT("reference", reference, "0",
           "a row of the taxonomy or of the locale table changes; above 0 sellers name categories "
           "and locales in ways that those tables explain"),
};
static const struct section mix_section = {
    .about = "weights of the operations that follow the catalogue load; what is not named keeps "
             "its default",
    .keys = mix_keys,
    .key_count = COUNT_OF(mix_keys),
};

static const struct key peak_keys[] = {
    {
        .name = "from",
        .required = true,
        DURATION(0, LONGEST),
        PEAK_AT(from_ns),
        .about = "when it begins, counted from the start",
    },
    {
        .name = "until",
        .required = true,
        DURATION(VTIME_SECOND, LONGEST),
        PEAK_AT(until_ns),
        .about = "when it ends",
    },
    {
        .name = "factor",
        .required = true,
        COUNT32(1, PACE_FACTOR_MAX),
        PEAK_AT(factor),
        .about = "so many times the operations of the same time outside of peaks",
    },
};
static const struct section peak_section = {
    .about = "a stretch of time in which more happens",
    .keys = peak_keys,
    .key_count = COUNT_OF(peak_keys),
};
static const struct key peak_element = {.type = TAKES_OBJECT, .section = &peak_section};

static const struct key contract_keys[] = {
    {
        .name = "feed",
        .required = true,
        .type = TAKES_NAME,
        .names = NAMES_FEEDS,
        CONTRACT_AT(feed),
        .about = "the feed whose producers move",
    },
    {
        .name = "version",
        .required = true,
        COUNT32(1, RECORD_CONTRACT_VERSION_MAX),
        CONTRACT_AT(version),
        .about = "the version that their records name from then on",
    },
    {
        .name = "from",
        .required = true,
        DURATION(0, LONGEST),
        CONTRACT_AT(from_ns),
        .about = "when they move, counted from the start",
    },
    {
        .name = "share",
        .type = TAKES_SHARE_PPM,
        .min = 1,
        .max = 1000000,
        CONTRACT_AT(share_ppm),
        .fallback = "1",
        .about = "the share of listings, or sellers, whose producers move",
    },
    {
        .name = "attribute",
        .type = TAKES_TEXT,
        CONTRACT_AT(attribute),
        .about = "an attribute that each of their listing records then names, an integer",
    },
    {
        .name = "attribute_max",
        COUNT32(1, 1000000),
        CONTRACT_AT(attribute_max),
        .fallback = "10",
        .about = "its greatest value; the least is 1",
    },
    {
        .name = "price_as_text",
        .type = TAKES_FLAG,
        CONTRACT_AT(price_as_text),
        .fallback = "false",
        .about = "they write prices as decimal text",
    },
};
static const struct section contract_section = {
    .about = "producers that move to another version of their feed's contract",
    .keys = contract_keys,
    .key_count = COUNT_OF(contract_keys),
};
static const struct key contract_element = {.type = TAKES_OBJECT, .section = &contract_section};

static const struct key anomaly_keys[] = {
    {
        .name = "kind",
        .required = true,
        .type = TAKES_NAME,
        .names = NAMES_ANOMALIES,
        ANOMALY_AT(kind),
        .about = "what is wrong at the source",
    },
    {
        .name = "from",
        .required = true,
        DURATION(0, LONGEST),
        ANOMALY_AT(from_ns),
        .about = "when it begins, counted from the start; after the catalogue load",
    },
    {
        .name = "until",
        .required = true,
        DURATION(VTIME_MILLISECOND, LONGEST),
        ANOMALY_AT(until_ns),
        .about = "when it ends",
    },
    {
        .name = "events",
        .required = true,
        COUNT32(1, 10000000),
        ANOMALY_AT(events),
        .about = "operations that it takes, evenly over its time and beside the ordinary ones",
    },
};
static const struct section anomaly_section = {
    .about = "something at the source that should be noticed",
    .keys = anomaly_keys,
    .key_count = COUNT_OF(anomaly_keys),
};
static const struct key anomaly_element = {.type = TAKES_OBJECT, .section = &anomaly_section};

static const struct key policy_keys[] = {
    {
        .name = "at",
        .required = true,
        DURATION(0, LONGEST),
        POLICY_AT(at_ns),
        .about = "when, counted from the start",
    },
    {
        .name = "seller",
        .required = true,
        COUNT64(1, 10000000),
        POLICY_AT(seller_id),
        .about = "whose status it is; 1 is the one with the most listings",
    },
    {
        .name = "status",
        .required = true,
        .type = TAKES_NAME,
        .names = NAMES_STATUSES,
        POLICY_AT(status),
        .about = "what it becomes",
    },
};
static const struct section policy_section = {
    .about = "a seller's status is set",
    .keys = policy_keys,
    .key_count = COUNT_OF(policy_keys),
};
static const struct key policy_element = {.type = TAKES_OBJECT, .section = &policy_section};

static const struct key workload_keys[] = {
    {
        .name = "kind",
        .type = TAKES_NAME,
        .names = NAMES_WORKLOAD_KINDS,
        .offset = offsetof(struct draft, workload_kind),
        .fallback = "\"generated\"",
        .about = "a generated catalogue, or a replay of a file of real changes",
    },
    {
        .name = "start",
        ONLY_GENERATED,
        .type = TAKES_MOMENT,
        AT(workload.start),
        .fallback = "\"2026-03-02T08:00:00Z\"",
        .about = "when the run begins, in virtual time; a replay begins with its first event",
    },
    {
        .name = "duration",
        ONLY_GENERATED,
        DURATION(VTIME_MINUTE, LONGEST),
        AT(workload.duration_ns),
        .fallback = "\"4h\"",
        .about = "how long there is traffic; then faults end, and the pipeline must converge",
    },
    {
        .name = "listings",
        ONLY_GENERATED,
        COUNT64(1, 10000000),
        AT(workload.listings),
        .fallback = "1000",
        .about = "listings that the catalogue load creates",
    },
    {
        .name = "events",
        ONLY_GENERATED,
        COUNT64(1, 100000000),
        AT(workload.events),
        .fallback = "5000",
        .about = "all operations, catalogue load with its images included",
    },
    {
        .name = "sellers",
        ONLY_GENERATED,
        COUNT64(1, 10000000),
        AT(workload.sellers),
        .fallback = "100",
        .about = "sellers, who own the listings between them",
    },
    {
        .name = "catalogue_load",
        ONLY_GENERATED,
        DURATION(VTIME_SECOND, LONGEST),
        AT(workload.catalogue_load_ns),
        .fallback = "\"10m\"",
        .about = "the catalogue is created within so long from the start",
    },
    {
        .name = "mix",
        ONLY_GENERATED,
        .type = TAKES_OBJECT,
        .section = &mix_section,
        .about = "which operations follow, by weight",
    },
    {
        .name = "skew_quarters",
        ONLY_GENERATED,
        COUNT32(0, ZIPF_QUARTERS_MAX),
        AT(workload.skew_quarters),
        .fallback = "3",
        .about = "how unevenly listings are chosen: the exponent of Zipf's law in quarters; 0 is "
                 "evenly, 4 the classic law",
    },
    {
        .name = "media_first",
        ONLY_GENERATED,
        .type = TAKES_PERCENT,
        .min = 0,
        .max = 1000000,
        AT(workload.media_first_percent),
        .fallback = "\"20%\"",
        .about = "share of new listings whose images arrive before them, in whole percent",
    },
    {
        .name = "media_lead",
        ONLY_GENERATED,
        DURATION(0, VTIME_DAY),
        AT(workload.media_lead_ns_max),
        .fallback = "\"5m\"",
        .about = "those images are early by up to so long",
    },
    {
        .name = "media_lag",
        ONLY_GENERATED,
        DURATION(0, VTIME_DAY),
        AT(workload.media_lag_ns_max),
        .fallback = "\"5m\"",
        .about = "the images of the others follow within so long",
    },
    {
        .name = "media_missing",
        ONLY_GENERATED,
        .type = TAKES_PERCENT,
        .min = 0,
        .max = 1000000,
        AT(workload.media_missing_percent),
        .fallback = "\"0%\"",
        .about = "share of the images that listings name and that never come, in whole percent",
    },
    {
        .name = "media_stray",
        ONLY_GENERATED,
        .type = TAKES_PERCENT,
        .min = 0,
        .max = 1000000,
        AT(workload.media_stray_percent),
        .fallback = "\"0%\"",
        .about = "so often an image comes that its listing does not name, in whole percent of the "
                 "births and of the images added",
    },
    {
        .name = "media_stray_lag",
        ONLY_GENERATED,
        DURATION(0, LONGEST),
        AT(workload.media_stray_lag_ns_max),
        .fallback = "\"1d\"",
        .about = "half of those are named after all, up to so long after; some come again then",
    },
    {
        .name = "description_words",
        ONLY_GENERATED,
        COUNT32(0, 3000),
        AT(workload.description_words),
        .fallback = "60",
        .about = "mean length of a description",
    },
    {
        .name = "clock_skew",
        ONLY_GENERATED,
        DURATION(0, VTIME_HOUR),
        AT(workload.clock_skew_ns),
        .fallback = "\"0s\"",
        .about = "every second listing is kept on a device whose clock is wrong by up to so long; "
                 "goes with no anomalies and no erasures",
    },
    {
        .name = "hot_seller",
        ONLY_GENERATED,
        .type = TAKES_SHARE_PPM,
        .min = 0,
        .max = 1000000,
        AT(workload.hot_seller_ppm),
        .fallback = "0",
        .about = "share of the listings that seller 1 has besides those that it would have",
    },
    {
        .name = "peaks",
        ONLY_GENERATED,
        .type = TAKES_LIST,
        .element = &peak_element,
        .element_size = sizeof(struct workload_peak),
        AT(workload.peaks),
        .count_offset = offsetof(struct draft, scenario.workload.peak_count),
        .about = "promotion peaks: the operations after the load gather there, their number stays",
    },
    {
        .name = "policies",
        ONLY_GENERATED,
        .type = TAKES_LIST,
        .element = &policy_element,
        .element_size = sizeof(struct workload_policy),
        AT(workload.policies),
        .count_offset = offsetof(struct draft, scenario.workload.policy_count),
        .about = "statuses of sellers that are set at given moments, beside those of the mix",
    },
    {
        .name = "anomalies",
        ONLY_GENERATED,
        .type = TAKES_LIST,
        .element = &anomaly_element,
        .element_size = sizeof(struct workload_anomaly),
        AT(workload.anomalies),
        .count_offset = offsetof(struct draft, scenario.workload.anomaly_count),
        .about = "what goes wrong at the source, beside the ordinary operations",
    },
    {
        .name = "contracts",
        .type = TAKES_LIST,
        .element = &contract_element,
        .element_size = sizeof(struct workload_contract),
        AT(workload.contracts),
        .count_offset = offsetof(struct draft, scenario.workload.contract_count),
        .about = "producers that move to other versions of their feeds' contracts",
    },
    {
        .name = "file",
        ONLY_REPLAY,
        .type = TAKES_FILE,
        AT(workload.file),
        .about = "the changes, JSON lines, plain or gzip; relative to the scenario's folder, or "
                 "with --set to the present one",
    },
    {
        .name = "spread",
        ONLY_REPLAY,
        DURATION(0, LONGEST),
        AT(workload.spread_ns),
        .fallback = "\"1h\"",
        .about = "events of one timestamp are spread evenly over so long from it, in the order of "
                 "the file, and never past the next timestamp",
    },
};
static const struct section workload_section = {
    .about = "the traffic",
    .keys = workload_keys,
    .key_count = COUNT_OF(workload_keys),
    .use = workload_use,
};

/* ---- Pipeline ---- */

#define WORKERS(key, machine, what)                                                                \
    {                                                                                              \
        .name = key, AT(workers[machine]), COUNT32(1, SIMULATION_WORKERS_MAX), .fallback = "1",    \
        .about = what,                                                                             \
    }
static const struct key worker_keys[] = {
    WORKERS("router", MACHINE_ROUTER, "routers"),
    WORKERS("builder", MACHINE_BUILDER, "document builders"),
    WORKERS("loader", MACHINE_LOADER, "warehouse loaders"),
};
static const struct section worker_section = {
    .about = "processes of each machine that shares its partitions; the others are one each",
    .keys = worker_keys,
    .key_count = COUNT_OF(worker_keys),
};

#define RESET(key, machine, what)                                                                  \
    {                                                                                              \
        .name = key, .type = TAKES_NAME, .names = NAMES_RESETS, AT(offset_reset[machine]),         \
        .fallback = "\"none\"", .about = "of " what,                                               \
    }
static const struct key reset_keys[] = {
    RESET("router", MACHINE_ROUTER, "routers"),
    RESET("builder", MACHINE_BUILDER, "document builders"),
    RESET("loader", MACHINE_LOADER, "warehouse loaders"),
};
static const struct section reset_section = {
    .about = "what the consumers of a group do by themselves when the log has not what they are to "
             "read, or the group committed nothing (auto.offset.reset)",
    .keys = reset_keys,
    .key_count = COUNT_OF(reset_keys),
};

/* A feed's two thresholds; the feed's key adds its place in the arrays. */
static const struct key threshold_keys[] = {
    {
        .name = "warn",
        .required = true,
        DURATION(VTIME_SECOND, LONGEST),
        AT(pipeline.feed_warn_ns),
        .about = "the newest record is older than that: a warning",
    },
    {
        .name = "error",
        .required = true,
        DURATION(VTIME_SECOND, LONGEST),
        AT(pipeline.feed_error_ns),
        .about = "the newest record is older than that: an error",
    },
};
static const struct section threshold_section = {
    .about = "how stale a feed may be",
    .keys = threshold_keys,
    .key_count = COUNT_OF(threshold_keys),
};

#define FEED(key, topic)                                                                           \
    {                                                                                              \
        .name = key, .type = TAKES_OBJECT, .section = &threshold_section,                          \
        .offset = (topic) * sizeof(int64_t), .about = "how stale this feed may be",                \
    }
static const struct key feed_keys[] = {
    FEED("listing-changes", TOPIC_LISTING),  FEED("media-ingest", TOPIC_MEDIA),
    FEED("seller-policy", TOPIC_POLICY),     FEED("orders", TOPIC_ORDER),
    FEED("reference-data", TOPIC_REFERENCE),
};
static const struct section feed_section = {
    .about = "freshness thresholds by feed; a feed that is not named is not watched",
    .keys = feed_keys,
    .key_count = COUNT_OF(feed_keys),
};

static const struct key volume_keys[] = {
    {
        .name = "window",
        DURATION(VTIME_MINUTE, LONGEST),
        AT(pipeline.volume_window_ns),
        .fallback = "\"1h\"",
        .about = "deletes and upserts are counted in windows of so long",
    },
    {
        .name = "deletes_min",
        COUNT64(1, 1000000000),
        AT(pipeline.volume_deletes_min),
        .fallback = "100",
        .about = "fewer deletes in a window are never an anomaly",
    },
    {
        .name = "upserts_min",
        COUNT64(0, 1000000000),
        AT(pipeline.volume_upserts_min),
        .fallback = "0",
        .about = "fewer upserts in a window are never an anomaly; 0: they are not watched",
    },
    {
        .name = "factor",
        COUNT32(1, 1000000),
        AT(pipeline.volume_factor),
        .fallback = "10",
        .about = "so many times the usual of a window are one",
    },
    {
        .name = "quarantine_min",
        COUNT64(0, 1000000000),
        AT(pipeline.quarantine_deletes_min),
        .fallback = "0",
        .about =
            "so many deletes of a window and a partition are held back for an operator if they "
            "are also so many times the usual; 0: never",
    },
};
static const struct section volume_section = {
    .about = "the volume check: a feed that deletes or writes far more than usual",
    .keys = volume_keys,
    .key_count = COUNT_OF(volume_keys),
};

#define RATE(key, member, what)                                                                    \
    { .name = key, AT(capacity.member), COUNT32(0, 1000000000), .fallback = "0", .about = what, }
static const struct key capacity_keys[] = {
    RATE("worker", worker, "records that one worker process takes in a second"),
    RATE("embedding", embedding, "listings that the embedding service embeds a second"),
    RATE("vectors", vectors, "rows that the vector database writes a second"),
    RATE("keywords", keywords, "rows that the keyword index writes a second"),
    RATE("warehouse", warehouse, "rows that the warehouse loads a second"),
};
static const struct section capacity_section = {
    .about = "what services and workers can do; 0: as much as they are given",
    .keys = capacity_keys,
    .key_count = COUNT_OF(capacity_keys),
};

#define UPGRADE_TIME(key, member, otherwise, what)                                                 \
    {                                                                                              \
        .name = key, DURATION(VTIME_MILLISECOND, LONGEST), AT(pipeline.member),                    \
        .fallback = otherwise, .about = what,                                                      \
    }
static const struct key upgrade_keys[] = {
    {
        .name = "page",
        COUNT32(1, 100000),
        AT(pipeline.upgrade_page_rows),
        .fallback = "128",
        .about = "listings that backfill and validation look at together",
    },
    {
        .name = "batch",
        COUNT32(1, 100000),
        AT(pipeline.backfill_batch),
        .fallback = "32",
        .about = "listings that the backfill asks for and has not seen yet",
    },
    UPGRADE_TIME("pause", backfill_pause_ns, "\"1s\"", "between two looks of the backfill"),
    UPGRADE_TIME("resend", backfill_resend_ns, "\"60s\"",
                 "until what the backfill asked for in vain is asked for once more"),
    UPGRADE_TIME("lag", backfill_lag_ns, "\"30s\"",
                 "live writes behind by more hold the backfill still"),
    UPGRADE_TIME("hold", backfill_hold_max_ns, "\"10m\"",
                 "the longest that a page is held for that"),
    UPGRADE_TIME("settle", upgrade_settle_ns, "\"20s\"",
                 "between two looks of the validation at a page that differs"),
    UPGRADE_TIME("cutoff", upgrade_cutoff_ns, "\"2m\"",
                 "changes younger than this may be in flight when the gates are judged"),
    UPGRADE_TIME("fresh", upgrade_fresh_ns, "\"2m\"",
                 "a judgement of the gates that took longer is made again"),
    UPGRADE_TIME("retry", upgrade_retry_ns, "\"5m\"", "until gates that failed are judged again"),
    UPGRADE_TIME("guard", upgrade_guard_ns, "\"60s\"",
                 "between two looks where the aliases point while two models are written"),
    {
        .name = "tend",
        DURATION(VTIME_SECOND, LONGEST),
        AT(pipeline.upgrade_tend_ns),
        .about = "between two walks that mend the collections which wait beside the served ones; "
                 "without it 10m where the vector database takes any write, and none elsewhere",
    },
    UPGRADE_TIME("drain", upgrade_drain_ns, "\"60s\"",
                 "from the end of a retired model's writes to that of its collections"),
    {
        .name = "recall",
        COUNT32(1, 1000),
        AT(pipeline.upgrade_recall_permille),
        .fallback = "900",
        .about = "recall@10 that the gate asks for, in thousandths",
    },
    {
        .name = "overlap",
        COUNT32(1, 1000),
        AT(pipeline.upgrade_overlap_permille),
        .fallback = "100",
        .about = "overlap@10 with the old model that the gate asks for, in thousandths",
    },
    {
        .name = "ef",
        COUNT32(1, 100000),
        AT(pipeline.upgrade_search_ef),
        .fallback = "100",
        .about = "candidates of the searches that recall is measured with",
    },
};

static const struct section upgrade_section = {
    .about = "how one embedding model takes the place of another",
    .keys = upgrade_keys,
    .key_count = COUNT_OF(upgrade_keys),
};

static const struct key quality_keys[] = {
    {
        .name = "on",
        .type = TAKES_FLAG_OFF,
        AT(pipeline.quality_off),
        .fallback = "true",
        .about = "false: nobody looks",
    },
    {
        .name = "window",
        DURATION(VTIME_MINUTE, LONGEST),
        AT(pipeline.quality_window_ns),
        .fallback = "\"10m\"",
        .about = "the listing feed is held against what is usual in windows of so long",
    },
    {
        .name = "drift",
        DURATION(VTIME_MINUTE, LONGEST),
        AT(pipeline.quality_drift_ns),
        .fallback = "\"1h\"",
        .about = "how often vectors that were written lately are held against a reference",
    },
};
static const struct section quality_section = {
    .about = "the quality monitor: nulls, schema, clocks, refused rows, drift of embeddings",
    .keys = quality_keys,
    .key_count = COUNT_OF(quality_keys),
};

static const struct key pipeline_keys[] = {
    {
        .name = "partitions",
        COUNT32(1, 256),
        AT(pipeline.partitions),
        .fallback = "8",
        .about = "partitions of every topic",
    },
    {
        .name = "workers",
        .type = TAKES_OBJECT,
        .section = &worker_section,
        .about = "how many processes share the partitions",
    },
    {
        .name = "model_version",
        COUNT32(1, 1000000),
        AT(pipeline.model_version),
        .fallback = "1",
        .about = "of the embedding models",
    },
    {
        .name = "allowed_lateness",
        DURATION(VTIME_SECOND, LONGEST),
        AT(pipeline.allowed_lateness_ns),
        .fallback = "\"2h\"",
        .about = "records that are later go to the late queue",
    },
    {
        .name = "orphan_after",
        DURATION(VTIME_SECOND, LONGEST),
        AT(pipeline.orphan_after_ns),
        .fallback = "\"7d\"",
        .about = "an image that nobody names for so long after its delivery is never shown",
    },
    {
        .name = "future_max",
        DURATION(VTIME_SECOND, LONGEST),
        AT(pipeline.future_max_ns),
        .fallback = "\"5m\"",
        .about = "records whose time is further ahead of their append are refused",
    },
    {
        .name = "vector_compact",
        DURATION(VTIME_SECOND, LONGEST),
        AT(pipeline.vector_compact_ns),
        .about = "how often the vector database is told to drop what deletions left in its index; "
                 "without it 5m where its profile needs that, and never elsewhere",
    },
    {
        .name = "late_batch",
        DURATION(VTIME_SECOND, LONGEST),
        AT(pipeline.late_batch_interval_ns),
        .fallback = "\"1h\"",
        .about = "how often the late queue is drained",
    },
    {
        .name = "erasure_sweep",
        DURATION(VTIME_SECOND, LONGEST),
        AT(pipeline.erasure_sweep_ns),
        .fallback = "\"1h\"",
        .about = "how often the places of an erasure are looked at until nothing is found",
    },
    {
        .name = "erasure_warn",
        DURATION(VTIME_MINUTE, LONGEST),
        AT(pipeline.erasure_warn_ns),
        .fallback = "\"48h\"",
        .about = "an erasure without a certificate is warned of so long after it was asked for",
    },
    {
        .name = "erasure_error",
        DURATION(VTIME_MINUTE, LONGEST),
        AT(pipeline.erasure_error_ns),
        .fallback = "\"60h\"",
        .about = "and is an error",
    },
    {
        .name = "time_travel",
        DURATION(VTIME_MINUTE, LONGEST),
        AT(time_travel_ns),
        .fallback = "\"24h\"",
        .about = "removed rows of the warehouse can be brought back so long",
    },
    {
        .name = "fail_safe",
        DURATION(VTIME_MINUTE, LONGEST),
        AT(fail_safe_ns),
        .about = "and by its operator so long after that; without it not at all",
    },
    {
        .name = "code_version",
        COUNT32(FORMAT_BARE, FORMAT_NEWEST),
        AT(pipeline.code_version),
        .fallback = "2",
        .about = "version of the code that processes run at first: what they read and, once an "
                 "operator has finalised it, write",
    },
    {
        .name = "checkpoint",
        DURATION(100 * VTIME_MILLISECOND, VTIME_DAY),
        AT(pipeline.checkpoint_interval_ns),
        .fallback = "\"30s\"",
        .about = "how often state and offsets are saved, together",
    },
    {
        .name = "session_timeout",
        DURATION(VTIME_SECOND, VTIME_DAY),
        AT(session_timeout_ns),
        .fallback = "\"45s\"",
        .about = "a worker that stands still for so long loses its partitions",
    },
    {
        .name = "poll_timeout",
        DURATION(VTIME_SECOND, VTIME_DAY),
        AT(poll_timeout_ns),
        .fallback = "\"5m\"",
        .about = "a worker that is stuck in its work for so long leaves its group",
    },
    {
        .name = "rebalance",
        .type = TAKES_NAME,
        .names = NAMES_PROTOCOLS,
        AT(rebalance),
        .fallback = "\"cooperative\"",
        .about =
            "how workers come to their partitions when their number changes: all at once; after "
            "everybody gave up everything; or by giving up what moves",
    },
    {
        .name = "offset_reset",
        .type = TAKES_OBJECT,
        .section = &reset_section,
        .about = "where the client of a consumer goes by itself when its position is out of range: "
                 "nowhere, to the oldest record, to the end",
    },
    {
        .name = "unclean_leaders",
        .type = TAKES_FLAG,
        AT(pipeline.verify_outputs),
        .fallback = "false",
        .about =
            "topics may elect leaders that lack records: relay and router look whether what was "
            "acknowledged is still there, and say it again",
    },
    {
        .name = "outbox_kept",
        DURATION(VTIME_SECOND, LONGEST),
        AT(pipeline.outbox_kept_ns),
        .fallback = "\"10m\"",
        .about =
            "with unclean_leaders: rows stay in the outbox for so long after they were published",
    },
    {
        .name = "idempotent_producers",
        .type = TAKES_FLAG,
        AT(pipeline.idempotent),
        .fallback = "false",
        .about = "relay and router number their records: a retry is not appended again",
    },
    {
        .name = "fetch_records",
        COUNT32(1, 100000),
        AT(pipeline.fetch_records_max),
        .fallback = "512",
        .about = "records of one fetch, at most",
    },
    {
        .name = "embed_batch",
        COUNT32(1, 10000),
        AT(pipeline.embed_batch_max),
        .fallback = "128",
        .about = "listings of one embedding request, at most",
    },
    {
        .name = "embed_requests",
        COUNT32(1, 10000),
        AT(pipeline.embed_requests_max),
        .fallback = "8",
        .about = "embedding requests under way for a partition and a model version, at most",
    },
    {
        .name = "backfill_in_flight",
        COUNT32(1, 10000000),
        AT(pipeline.backfill_in_flight_max),
        .fallback = "64",
        .about = "listings under way that the backfill of a partition asked for, at most",
    },
    {
        .name = "backlog",
        COUNT32(1, 10000000),
        AT(pipeline.backlog_max),
        .fallback = "4096",
        .about = "listings that may wait for a sink before fetching stops",
    },
    {
        .name = "retry_base",
        DURATION(VTIME_MILLISECOND, VTIME_DAY),
        AT(pipeline.retry_base_ns),
        .fallback = "\"200ms\"",
        .about = "wait before the first retry; each further attempt doubles it",
    },
    {
        .name = "retry_max",
        DURATION(VTIME_MILLISECOND, VTIME_DAY),
        AT(pipeline.retry_max_ns),
        .fallback = "\"30s\"",
        .about = "the longest wait before a retry",
    },
    {
        .name = "batch_every",
        .may_be_off = true,
        DURATION(VTIME_MINUTE, LONGEST),
        AT(pipeline.batch_interval_ns),
        .fallback = "\"off\"",
        .about = "the batch makes search documents and sales anew so often, of the time since; "
                 "24h is nightly",
    },
    {
        .name = "batch_page_rows",
        COUNT32(1, 1000000),
        AT(pipeline.batch_page_rows),
        .fallback = "4096",
        .about = "rows that the batch reads at once",
    },
    {
        .name = "dashboard",
        DURATION(VTIME_SECOND, VTIME_DAY),
        AT(pipeline.dashboard_interval_ns),
        .fallback = "\"1m\"",
        .about = "how often the dashboard's view is refreshed",
    },
    {
        .name = "watch",
        DURATION(VTIME_SECOND, VTIME_DAY),
        AT(pipeline.watch_interval_ns),
        .fallback = "\"30s\"",
        .about = "how often the feeds are looked at",
    },
    {
        .name = "feeds",
        .type = TAKES_OBJECT,
        .section = &feed_section,
        .about = "freshness thresholds by feed",
    },
    {
        .name = "volume",
        .type = TAKES_OBJECT,
        .section = &volume_section,
        .about = "when the volume of a feed is an anomaly",
    },
    {
        .name = "quality",
        .type = TAKES_OBJECT,
        .section = &quality_section,
        .about = "what the quality monitor looks at",
    },
    {
        .name = "upgrade",
        .type = TAKES_OBJECT,
        .section = &upgrade_section,
        .about = "how one embedding model takes the place of another",
    },
};
static const struct section pipeline_section = {
    .about = "how the pipeline is configured",
    .keys = pipeline_keys,
    .key_count = COUNT_OF(pipeline_keys),
};

/* ---- Retention ---- */

static const struct key retention_keys[] = {
    {
        .name = "topics",
        .may_be_off = true,
        DURATION(VTIME_HOUR, LONGEST),
        AT(retention.topics_ns),
        .fallback = "\"14d\"",
        .about = "records stay in their topics so long; the control topic keeps all of them",
    },
    {
        .name = "artifacts",
        .may_be_off = true,
        DURATION(VTIME_MINUTE, LONGEST),
        AT(retention.artifacts_ns),
        .fallback = "\"90d\"",
        .about = "the object store keeps what the embedding service made so long, and then until "
                 "midnight "
                 "UTC",
    },
    {
        .name = "warehouse",
        .may_be_off = true,
        DURATION(VTIME_DAY, LONGEST),
        AT(retention.warehouse_ns),
        .fallback = "\"730d\"",
        .about = "the warehouse can tell of every moment that is not older",
    },
};
static const struct section retention_section = {
    .about = "how long data is kept; \"off\" is for ever (docs/retention.md)",
    .keys = retention_keys,
    .key_count = COUNT_OF(retention_keys),
};

/* ---- Stores ---- */

static const struct key vector_keys[] = {
    {
        .name = "profile",
        .type = TAKES_NAME,
        .names = NAMES_PROFILES,
        AT(vectors.profile),
        .fallback = "\"plain\"",
        .about = "which vector database it behaves like: docs/vector.md says how",
    },
    {
        .name = "gc_deletes",
        DURATION(VTIME_MILLISECOND, LONGEST),
        AT(vectors.gc_deletes_ns),
        .about = "age at which it forgets a tombstone; without it the profile's",
    },
    {
        .name = "consistency",
        .type = TAKES_NAME,
        .names = NAMES_CONSISTENCY,
        AT(vectors.consistency),
        .about = "what a read is promised to see; without it the profile's",
    },
    {
        .name = "visible_after",
        DURATION(VTIME_MILLISECOND, LONGEST),
        AT(vectors.visible_after_ns),
        .about = "a write is seen so much later, or at the next of such intervals; without it the "
                 "profile's",
    },
    {
        .name = "batch_items",
        COUNT32(1, 1000000),
        AT(vectors.batch_items_max),
        .about = "rows of one request; without it the profile's",
    },
    {
        .name = "batch_bytes",
        COUNT32(1000, 1000000000),
        AT(vectors.batch_bytes_max),
        .about = "bytes of one request; without it the profile's",
    },
    {
        .name = "requests_per_second",
        COUNT32(1, 1000000),
        AT(vectors.requests_per_second_max),
        .about = "write requests to a collection, beyond which it answers 429; without it the "
                 "profile's",
    },
};
static const struct section vector_section = {
    .about = "the vector database",
    .keys = vector_keys,
    .key_count = COUNT_OF(vector_keys),
};

static const struct key keyword_keys[] = {
    {
        .name = "gc_deletes",
        .may_be_off = true,
        DURATION(VTIME_MILLISECOND, LONGEST),
        AT(keyword_gc_deletes_ns),
        .fallback = "\"off\"",
        .about = "age at which it forgets a tombstone, as a restart then does; \"off\": never",
    },
};
static const struct section keyword_section = {
    .about = "the keyword index",
    .keys = keyword_keys,
    .key_count = COUNT_OF(keyword_keys),
};

static const struct key warehouse_keys[] = {
    {
        .name = "merge_picks",
        .type = TAKES_FLAG,
        AT(merge_picks),
        .fallback = "false",
        .about = "of several rows of a batch for one row any may stay, where by default that is an "
                 "error",
    },
};
static const struct section warehouse_section = {
    .about = "the warehouse",
    .keys = warehouse_keys,
    .key_count = COUNT_OF(warehouse_keys),
};

/* ---- Drawn settings ---- */

static const struct key profile_element = {.type = TAKES_NAME, .names = NAMES_PROFILES};
static const struct key gc_deletes_element = {
    .may_be_off = true,
    DURATION(VTIME_MILLISECOND, LONGEST),
};
static const struct key protocol_element = {.type = TAKES_NAME, .names = NAMES_PROTOCOLS};
static const struct key flag_element = {.type = TAKES_FLAG};

#define DRAWN(key, list, what, says)                                                               \
    {                                                                                              \
        .name = key, .type = TAKES_LIST, .element = &what,                                         \
        .element_size = sizeof *((struct draft *)NULL)->scenario.draw.list, AT(draw.list),         \
        .count_offset = offsetof(struct draft, scenario.draw.list##_count), .about = says,         \
    }
static const struct key draw_keys[] = {
    DRAWN("vector_profile", profiles, profile_element, "of vectors.profile"),
    DRAWN("keyword_gc_deletes", keyword_gc_deletes, gc_deletes_element, "of keywords.gc_deletes"),
    DRAWN("rebalance", rebalances, protocol_element, "of pipeline.rebalance"),
    DRAWN("idempotent_producers", idempotent, flag_element, "of pipeline.idempotent_producers"),
    DRAWN("unclean_leaders", unclean_leaders, flag_element,
          "of pipeline.unclean_leaders; a seed without them has no faults of the kind "
          "unclean-leader"),
    DRAWN("explore_ties", explore_ties, flag_element, "of explore_ties"),
};
static const struct section draw_section = {
    .about = "settings of which each seed draws one; an empty list leaves what is stated",
    .keys = draw_keys,
    .key_count = COUNT_OF(draw_keys),
};

/* ---- Faults ---- */

static enum key_use fault_use(int kind, unsigned bits) {
    const struct fault_about *about = &fault_table()[kind];
    if (bits == FAULT_OCCURRENCE) {
        return (about->required & FAULT_RATIO) != 0 ? KEY_OPTIONAL : KEY_REFUSED;
    }
    return bits == 0 || (about->optional & bits) != 0 ? KEY_OPTIONAL
           : (about->required & bits) != 0            ? KEY_REQUIRED
                                                      : KEY_REFUSED;
}

static const struct key fault_keys[] = {
    {
        .name = "kind",
        .required = true,
        .type = TAKES_NAME,
        .names = NAMES_FAULT_KINDS,
        FAULT_AT(kind),
        .about = "what goes wrong",
    },
    {
        .name = "feed",
        .use = FAULT_FEED,
        .type = TAKES_NAME,
        .names = NAMES_FEEDS,
        FAULT_AT(feed),
        .about = "the feed that it strikes",
    },
    {
        .name = "topic",
        .use = FAULT_TOPIC,
        .type = TAKES_NAME,
        .names = NAMES_TOPICS,
        FAULT_AT(feed),
        .about = "the topic of which it strikes a partition",
    },
    {
        .name = "sink",
        .use = FAULT_SINK,
        .type = TAKES_NAME,
        .names = NAMES_SINKS,
        FAULT_AT(sink),
        .about = "the store or service that it strikes",
    },
    {
        .name = "worker",
        .use = FAULT_WORKER,
        .type = TAKES_NAME,
        .names = NAMES_WORKERS,
        FAULT_AT(worker),
        .about = "the machine that it strikes; one of its processes at a time",
    },
    {
        .name = "point",
        .use = FAULT_POINT,
        .type = TAKES_NAME,
        .names = NAMES_POINTS,
        FAULT_AT(point),
        .about = "before the write, after it with the reply lost, or with half of the batch in",
    },
    {
        .name = "ratio",
        .use = FAULT_RATIO,
        .type = TAKES_SHARE,
        .min = 1,
        .max = 1000000,
        FAULT_AT(ratio_num),
        .about = "share of what it could strike that it does strike",
    },
    {
        .name = "call",
        .use = FAULT_CALL,
        .type = TAKES_NAME,
        .names = NAMES_CALLS,
        FAULT_AT(call),
        .about = "only requests of that name, of those of its store (murphy list points)",
    },
    {
        .name = "occurrence",
        .use = FAULT_OCCURRENCE,
        COUNT32(1, 1000000000),
        FAULT_AT(occurrence),
        .about = "of what the ratio strikes only the how-manyeth; with ratio 1 that of all",
    },
    {
        .name = "every",
        .use = FAULT_EVERY,
        DURATION(VTIME_SECOND, LONGEST),
        FAULT_AT(every_ns),
        .about = "mean time between two strikes",
    },
    {
        .name = "delay",
        .use = FAULT_DELAY,
        DURATION(VTIME_MILLISECOND, LONGEST),
        FAULT_AT(delay_ns),
        .about = "the longest delay; a duplicate without it follows at once",
    },
    {
        .name = "down",
        .use = FAULT_DOWN,
        DURATION(VTIME_MILLISECOND, LONGEST),
        FAULT_AT(down_ns),
        .about =
            "how long what was struck stays down; without it 20s for a store, 5s for a worker, "
            "and from \"from\" to \"until\" for what has no ratio; with it that begins at a "
            "drawn moment of these",
    },
    {
        .name = "from",
        DURATION(0, LONGEST),
        FAULT_AT(from_ns),
        .fallback = "\"0s\"",
        .about = "it strikes from then on, counted from the start",
    },
    {
        .name = "until",
        DURATION(VTIME_MILLISECOND, LONGEST),
        FAULT_AT(until_ns),
        .about = "and no longer from then on; without it until the traffic ends",
    },
    {
        .name = "when",
        .type = TAKES_NAME,
        .names = NAMES_STATES,
        FAULT_AT(when),
        .about = "only while the pipeline is in that state (docs/faults.md)",
    },
    {
        .name = "always",
        .type = TAKES_FLAG,
        FAULT_AT(always),
        .fallback = "false",
        .about = "a swarm never does without it, and leaves it as it is stated",
    },
};
static const struct section fault_section = {
    .about = "one fault; which keys it takes depends on its kind",
    .keys = fault_keys,
    .key_count = COUNT_OF(fault_keys),
    .use = fault_use,
};
static const struct key fault_element = {.type = TAKES_OBJECT, .section = &fault_section};

/* ---- Operations ---- */

/* Beside bits of enum control_parameter: a key that may be left out. */
enum { OPERATION_FORCED = 1 << 30 };

static enum key_use operation_use(int kind, unsigned bits) {
    unsigned takes = control_about((enum control_kind)kind)->parameters & bits;
    bool optional = (takes & (CONTROL_RANGE | CONTROL_ROLL)) != 0 || (bits & OPERATION_FORCED) != 0;
    return bits == 0    ? KEY_OPTIONAL
           : takes == 0 ? KEY_REFUSED
           : optional   ? KEY_OPTIONAL
                        : KEY_REQUIRED;
}

static const struct key operation_keys[] = {
    {
        .name = "do",
        .required = true,
        .type = TAKES_NAME,
        .names = NAMES_OPERATIONS,
        OPERATION_AT(control),
        .about = "what the operator asks for: docs/operators.md says what each does",
    },
    {
        .name = "at",
        .required = true,
        DURATION(0, LONGEST),
        OPERATION_AT(at_ns),
        .about = "when, counted from the start",
    },
    {
        .name = "within",
        DURATION(VTIME_MILLISECOND, LONGEST),
        OPERATION_AT(within_ns),
        .about = "up to so long after that, drawn by the seed",
    },
    {
        .name = "refused",
        .type = TAKES_FLAG,
        OPERATION_AT(refused),
        .fallback = "false",
        .about = "the pipeline must not obey: the checks expect what they would without it",
    },
    {
        .name = "refusable",
        .type = TAKES_FLAG,
        OPERATION_AT(refusable),
        .fallback = "false",
        .about = "the pipeline may refuse it by an alert that says why: the checks then expect "
                 "what they would without it",
    },
    {
        .name = "model",
        .use = CONTROL_MODEL,
        COUNT32(1, 1000000),
        OPERATION_AT(model_version),
        .about = "the model version that it is about",
    },
    {
        .name = "feed",
        .use = CONTROL_FEED,
        .type = TAKES_NAME,
        .names = NAMES_FEEDS,
        OPERATION_AT(feed),
        .about = "the feed that it is about",
    },
    {
        .name = "from",
        .use = CONTROL_RANGE,
        DURATION(0, LONGEST),
        OPERATION_AT(from_ns),
        .fallback = "\"0s\"",
        .about = "what happened from then on, counted from the start",
    },
    {
        .name = "to",
        .use = CONTROL_RANGE,
        DURATION(VTIME_MILLISECOND, LONGEST),
        OPERATION_AT(to_ns),
        .about = "and before then; without it everything",
    },
    {
        .name = "worker",
        .use = CONTROL_WORKERS | CONTROL_ROLL,
        .type = TAKES_NAME,
        .names = NAMES_GROUPED,
        OPERATION_AT(worker),
        .about = "the machine that it is about; a deployment without it is one of all machines",
    },
    {
        .name = "workers",
        .use = CONTROL_WORKERS,
        COUNT32(0, SIMULATION_WORKERS_MAX),
        OPERATION_AT(workers),
        .about = "how many processes of it there are from then on",
    },
    {
        .name = "version",
        .use = CONTROL_VERSION,
        COUNT32(FORMAT_BARE, FORMAT_NEWEST),
        OPERATION_AT(version),
        .about = "the version of the code, or of what it may write",
    },
    {
        .name = "down",
        .use = CONTROL_ROLL,
        DURATION(VTIME_SECOND, VTIME_HOUR),
        OPERATION_AT(down_ns),
        .fallback = "\"10s\"",
        .about = "how long a process that is replaced is away",
    },
    {
        .name = "forced",
        .use = CONTROL_VERSION | OPERATION_FORCED,
        .type = TAKES_FLAG,
        OPERATION_AT(forced),
        .fallback = "false",
        .about = "by force, where it would be refused: around the orchestrator",
    },
    {
        .name = "text",
        .use = CONTROL_TEXT,
        .type = TAKES_TEXT,
        OPERATION_AT(text),
        .about = "what it says",
    },
};
static const struct section operation_section = {
    .about = "something that an operator asks for; which keys it takes depends on what it is",
    .keys = operation_keys,
    .key_count = COUNT_OF(operation_keys),
    .use = operation_use,
};
static const struct key operation_element = {.type = TAKES_OBJECT, .section = &operation_section};

/* ---- Probes, reconciliation ---- */

static const struct key probe_keys[] = {
    {
        .name = "every",
        .may_be_off = true,
        DURATION(VTIME_SECOND, LONGEST),
        AT(probe_every_ns),
        .fallback = "\"off\"",
        .about = "a round of searches every so often",
    },
    {
        .name = "queries",
        COUNT32(1, 10000),
        AT(probe_queries),
        .fallback = "4",
        .about = "searches of a round, each of the vectors and of the keywords",
    },
    {
        .name = "seal_rows",
        COUNT32(16, 1000000),
        AT(probe_seal_rows),
        .fallback = "1536",
        .about = "text vectors that are searched exactly before the index takes them in",
    },
    {
        .name = "ef",
        COUNT32(10, HNSW_EF_MAX),
        AT(probe_ef),
        .fallback = "64",
        .about = "candidates that the approximate search keeps",
    },
    {
        .name = "filters",
        .type = TAKES_FLAG,
        AT(probe_filters),
        .fallback = "false",
        .about = "search by seller and by locale too, not by category alone",
    },
};
static const struct section probe_section = {
    .about = "searches that buyers might make, for recall, latency and availability",
    .keys = probe_keys,
    .key_count = COUNT_OF(probe_keys),
};

static const struct key reconcile_moment = {DURATION(VTIME_SECOND, LONGEST)};

static const struct key reconcile_keys[] = {
    {
        .name = "at_end",
        .type = TAKES_FLAG,
        AT(reconcile_at_end),
        .fallback = "true",
        .about = "once all is quiet",
    },
    {
        .name = "at",
        .type = TAKES_LIST,
        .element = &reconcile_moment,
        .element_size = sizeof(int64_t),
        AT(reconcile_at_ns),
        .count_offset = offsetof(struct draft, scenario.reconcile_at_count),
        .about = "and so long after the start, each",
    },
    {
        .name = "every",
        .may_be_off = true,
        DURATION(VTIME_MINUTE, LONGEST),
        AT(pipeline.reconcile_interval_ns),
        .fallback = "\"off\"",
        .about = "and every so often",
    },
    {
        .name = "cutoff",
        DURATION(VTIME_SECOND, LONGEST),
        AT(pipeline.reconcile_cutoff_ns),
        .fallback = "\"5m\"",
        .about = "changes younger than this are in flight, and no drift",
    },
    {
        .name = "settle",
        DURATION(VTIME_SECOND, VTIME_DAY),
        AT(pipeline.reconcile_settle_ns),
        .fallback = "\"2m\"",
        .about = "from a repair to the next pass",
    },
    {
        .name = "passes",
        COUNT32(1, 100),
        AT(pipeline.reconcile_passes_max),
        .fallback = "5",
        .about = "passes of one reconciliation, at most",
    },
    {
        .name = "repair",
        .type = TAKES_FLAG_OFF,
        AT(pipeline.reconcile_repair_off),
        .fallback = "true",
        .about = "repair what differs; false only shows it",
    },
};
static const struct section reconcile_section = {
    .about = "when the reconciler compares all stores and repairs them",
    .keys = reconcile_keys,
    .key_count = COUNT_OF(reconcile_keys),
};

/* ---- Objectives, expectations ---- */

static const struct key objective_keys[] = {
    {
        .name = "freshness_p95",
        .may_be_off = true,
        DURATION(VTIME_MILLISECOND, LONGEST),
        AT(objectives.freshness_p95_ns),
        .fallback = "\"5m\"",
        .about = "95 % of changes are visible in each serving store so long after their append",
    },
    {
        .name = "gone_within",
        DURATION(VTIME_SECOND, LONGEST),
        AT(objectives.gone_within_ns),
        .fallback = "\"5m\"",
        .about = "what is deleted or suppressed has left every serving store so long after the "
                 "feed took the change",
    },
    {
        .name = "suppressed_within",
        DURATION(VTIME_SECOND, LONGEST),
        AT(objectives.suppressed_within_ns),
        .about = "of that, what is suppressed; without it within gone_within",
    },
    {
        .name = "erasure_within",
        DURATION(VTIME_MINUTE, LONGEST),
        AT(objectives.erasure_within_ns),
        .fallback = "\"72h\"",
        .about = "what is to be erased is certified to be gone from every store so long after it "
                 "was asked for",
    },
    {
        .name = "recall",
        .may_be_off = true,
        .type = TAKES_SHARE_PPM,
        .min = 1,
        .max = 1000000,
        AT(objectives.recall_ppm),
        .fallback = "\"off\"",
        .about = "mean recall@10 of the probes against exact search",
    },
    {
        .name = "search_p95",
        .may_be_off = true,
        DURATION(VTIME_MILLISECOND, VTIME_HOUR),
        AT(objectives.search_p95_ns),
        .fallback = "\"off\"",
        .about = "95 % of the probes are answered within so long",
    },
    {
        .name = "availability",
        .may_be_off = true,
        .type = TAKES_SHARE_PPM,
        .min = 1,
        .max = 1000000,
        AT(objectives.availability_ppm),
        .fallback = "\"99.9%\"",
        .about = "share of the probes that are answered at all",
    },
    {
        .name = "convergence",
        DURATION(VTIME_MINUTE, LONGEST),
        AT(objectives.convergence_ns),
        .fallback = "\"2h30m\"",
        .about = "so long after the faults end every store is right",
    },
    {
        .name = "needless_embeddings",
        .type = TAKES_SHARE_PPM,
        .min = 0,
        .max = 1000000,
        AT(objectives.needless_embeddings_ppm),
        .fallback = "0",
        .about = "share of the embeddings that may be made although their content did not change; "
                 "a crash between work and checkpoint makes some",
    },
};
static const struct section objective_section = {
    .about = "what must hold beside correctness",
    .keys = objective_keys,
    .key_count = COUNT_OF(objective_keys),
};

static const struct key alert_keys[] = {
    {
        .name = "name",
        .required = true,
        .type = TAKES_NAME_STATIC,
        .names = NAMES_ALERTS,
        ALERT_AT(name),
        .about = "which alert",
    },
    {
        .name = "topic",
        .type = TAKES_NAME_STATIC,
        .names = NAMES_TOPICS,
        ALERT_AT(topic),
        .about = "the topic that it is about; this or `subject`",
    },
    {
        .name = "subject",
        .type = TAKES_TEXT,
        ALERT_AT(subject),
        .about = "what it is about where that is no topic, as the gate that refused a cutover",
    },
    {
        .name = "state",
        .type = TAKES_NAME,
        .names = NAMES_ALERT_STATES,
        ALERT_AT(state),
        .fallback = "\"error\"",
        .about = "the state that it must reach",
    },
    {
        .name = "after",
        DURATION(0, LONGEST),
        ALERT_AT(after_ns),
        .fallback = "\"0s\"",
        .about = "it is raised no earlier, counted from the start",
    },
    {
        .name = "before",
        DURATION(VTIME_SECOND, LONGEST),
        ALERT_AT(before_ns),
        .about = "and no later; without it at any time",
    },
    {
        .name = "again",
        DURATION(VTIME_SECOND, LONGEST),
        ALERT_AT(again_ns),
        .about =
            "when it was raised in time, it may be raised again until then, as what comes late "
            "or a monitor that crashed has it; without it not after `before`",
    },
    {
        .name = "cleared",
        .type = TAKES_FLAG,
        ALERT_AT(cleared),
        .fallback = "false",
        .about = "it must be cleared again before the end",
    },
    {
        .name = "evidence",
        .type = TAKES_TEXT,
        ALERT_AT(evidence),
        .about = "a text that must stand in the alert's sentence",
    },
};
static const struct section alert_section = {
    .about = "an alert that the pipeline's own monitors must raise",
    .keys = alert_keys,
    .key_count = COUNT_OF(alert_keys),
};
static const struct key alert_element = {.type = TAKES_OBJECT, .section = &alert_section};

static const struct key drift_keys[] = {
    {
        .name = "store",
        .required = true,
        .type = TAKES_NAME,
        .names = NAMES_STORES,
        DRIFT_AT(store),
        .about = "the store that differs",
    },
    {
        .name = "class",
        .required = true,
        .type = TAKES_NAME,
        .names = NAMES_DRIFT_CLASSES,
        DRIFT_AT(drift),
        .about = "the class of the difference",
    },
    {
        .name = "min",
        COUNT64(1, 1000000000),
        DRIFT_AT(min),
        .fallback = "1",
        .about = "at least so many rows",
    },
};
static const struct section drift_section = {
    .about = "drift that reconciliation must find, and repair",
    .keys = drift_keys,
    .key_count = COUNT_OF(drift_keys),
};
static const struct key drift_element = {.type = TAKES_OBJECT, .section = &drift_section};

static const struct key count_keys[] = {
    {
        .name = "name",
        .required = true,
        .type = TAKES_NAME_STATIC,
        .names = NAMES_COUNTERS,
        COUNT_AT(name),
        .about = "what is counted",
    },
    {
        .name = "min",
        COUNT64(0, 1000000000),
        COUNT_AT(min),
        .fallback = "0",
        .about = "at least so often",
    },
    {
        .name = "max",
        COUNT64(0, 1000000000),
        COUNT_AT(max),
        .fallback = "1000000000",
        .about = "and at most so often",
    },
};
static const struct section count_section = {
    .about = "how often something must have happened in the pipeline",
    .keys = count_keys,
    .key_count = COUNT_OF(count_keys),
};
static const struct key count_element = {.type = TAKES_OBJECT, .section = &count_section};

static const struct key lineage_keys[] = {
    {
        .name = "metric",
        .required = true,
        .type = TAKES_NAME,
        .names = NAMES_METRICS,
        LINEAGE_AT(metric),
        .about = "the number of the dashboard, over all categories and hours",
    },
    {
        .name = "at",
        .required = true,
        DURATION(0, LONGEST),
        LINEAGE_AT(at_ns),
        .about = "the moment, from the start",
    },
    {
        .name = "layer",
        .required = true,
        .type = TAKES_NAME,
        .names = NAMES_LAYERS,
        LINEAGE_AT(layer),
        .about = "the first layer, from the source, where the number goes wrong then",
    },
    {
        .name = "cause",
        .type = TAKES_NAME,
        .names = NAMES_CAUSES,
        LINEAGE_AT(cause),
        .about = "what the layer did to it; without it, anything",
    },
};
static const struct section lineage_section = {
    .about = "where a number of the dashboard goes wrong",
    .keys = lineage_keys,
    .key_count = COUNT_OF(lineage_keys),
};
static const struct key lineage_element = {.type = TAKES_OBJECT, .section = &lineage_section};

static const struct key may_raise_element = {.type = TAKES_NAME_STATIC, .names = NAMES_ALERTS};
static const struct key breached_element = {.type = TAKES_NAME_STATIC, .names = NAMES_OBJECTIVES};

static const struct key lost_element = {.type = TAKES_NAME_STATIC, .names = NAMES_TOPICS};

static const struct key expect_keys[] = {
    {
        .name = "alerts",
        .type = TAKES_LIST,
        .element = &alert_element,
        .element_size = sizeof(struct expected_alert),
        AT(alerts),
        .count_offset = offsetof(struct draft, scenario.alert_count),
        .about = "alerts that must be raised; any other error is a false alarm",
    },
    {
        .name = "may_raise",
        .type = TAKES_LIST,
        .element = &may_raise_element,
        .element_size = sizeof(const char *),
        AT(may_raise),
        .count_offset = offsetof(struct draft, scenario.may_raise_count),
        .about = "alerts that may be raised and need not be, whoever they are about",
    },
    {
        .name = "any_drift",
        .type = TAKES_FLAG,
        AT(any_drift),
        .fallback = "false",
        .about = "reconciliation may find drift, of whatever class; it must repair it",
    },
    {
        .name = "drift",
        .type = TAKES_LIST,
        .element = &drift_element,
        .element_size = sizeof(struct expected_drift),
        AT(drifts),
        .count_offset = offsetof(struct draft, scenario.drift_count),
        .about = "drift that must be found and repaired; none: there must be none",
    },
    {
        .name = "counts",
        .type = TAKES_LIST,
        .element = &count_element,
        .element_size = sizeof(struct expected_count),
        AT(counts),
        .count_offset = offsetof(struct draft, scenario.count_count),
        .about = "how often things must have happened",
    },
    {
        .name = "lineage",
        .type = TAKES_LIST,
        .element = &lineage_element,
        .element_size = sizeof(struct expected_lineage),
        AT(lineages),
        .count_offset = offsetof(struct draft, scenario.lineage_count),
        .about = "layers that the walk back from a wrong number must name",
    },
    {
        .name = "breached",
        .type = TAKES_LIST,
        .element = &breached_element,
        .element_size = sizeof(const char *),
        AT(breached),
        .count_offset = offsetof(struct draft, scenario.breached_count),
        .about = "objectives that must be breached",
    },
    {
        .name = "lost",
        .type = TAKES_LIST,
        .element = &lost_element,
        .element_size = sizeof(const char *),
        AT(lost),
        .count_offset = offsetof(struct draft, scenario.lost_count),
        .about = "topics that must lose acknowledged records; of others it is a violation",
    },
};
static const struct section expect_section = {
    .about = "what must be caught: the scenario fails when it is not",
    .keys = expect_keys,
    .key_count = COUNT_OF(expect_keys),
};

/* ---- Contracts ---- */

static const struct key waived_element = {.type = TAKES_NAME_STATIC, .names = NAMES_LEVELS};

static const struct key contracts_keys[] = {
    {
        .name = "folder",
        .type = TAKES_FILE,
        AT(contracts),
        .about = "where the contracts of the seams are; without it those of the project",
    },
    {
        .name = "waived",
        .type = TAKES_LIST,
        .element = &waived_element,
        .element_size = sizeof(const char *),
        AT(waived),
        .count_offset = offsetof(struct draft, scenario.waived_count),
        .about = "service levels that nobody promises on such a day, as vectors.latency, or "
                 "latency of every seam",
    },
};
static const struct section contracts_section = {
    .about = "the contracts of the seams, which are kept to in every run",
    .keys = contracts_keys,
    .key_count = COUNT_OF(contracts_keys),
};

/* ---- The whole ---- */

static const struct key catches_element = {.type = TAKES_NAME_STATIC, .names = NAMES_BUGS};

static const struct key scenario_keys[] = {
    {
        .name = "$schema",
        .type = TAKES_IGNORED,
        .about = "for editors: \"./scenario.schema.json\"",
    },
    {
        .name = "name",
        .type = TAKES_TEXT,
        AT(name),
        .about = "the scenario's name; without it, that of the file",
    },
    {
        .name = "about",
        .required = true,
        .type = TAKES_TEXT,
        AT(about),
        .about = "one or two sentences: what it shows",
    },
    {
        .name = "catches",
        .type = TAKES_LIST,
        .element = &catches_element,
        .element_size = sizeof(const char *),
        AT(catches),
        .count_offset = offsetof(struct draft, scenario.catch_count),
        .about = "planted bugs that it must catch, each by the check of the bug's row; murphy "
                 "bugs plays it with each of them",
    },
    {
        .name = "workload",
        .type = TAKES_OBJECT,
        .section = &workload_section,
        .about = "the traffic",
    },
    {
        .name = "pipeline",
        .type = TAKES_OBJECT,
        .section = &pipeline_section,
        .about = "how the pipeline is configured",
    },
    {
        .name = "retention",
        .type = TAKES_OBJECT,
        .section = &retention_section,
        .about = "how long data is kept",
    },
    {
        .name = "capacity",
        .type = TAKES_OBJECT,
        .section = &capacity_section,
        .about = "what services and workers can do in a second",
    },
    {
        .name = "vectors",
        .type = TAKES_OBJECT,
        .section = &vector_section,
        .about = "the vector database",
    },
    {
        .name = "keywords",
        .type = TAKES_OBJECT,
        .section = &keyword_section,
        .about = "the keyword index",
    },
    {
        .name = "warehouse",
        .type = TAKES_OBJECT,
        .section = &warehouse_section,
        .about = "the warehouse",
    },
    {
        .name = "draw",
        .type = TAKES_OBJECT,
        .section = &draw_section,
        .about = "settings that differ from seed to seed",
    },
    {
        .name = "faults",
        .type = TAKES_LIST,
        .element = &fault_element,
        .element_size = sizeof(struct fault),
        AT(faults),
        .count_offset = offsetof(struct draft, scenario.fault_count),
        .about = "what goes wrong; a fault that never strikes fails its scenario",
    },
    {
        .name = "swarm",
        .type = TAKES_FLAG,
        AT(swarm),
        .fallback = "false",
        .about =
            "each seed does without some kinds of faults and draws how hard the others strike; "
            "what is stated is the most",
    },
    {
        .name = "focus",
        .type = TAKES_SHARE_PPM,
        AT(focus_ppm),
        .fallback = "0",
        .about = "share of a swarm's faults that strike only in one state of the pipeline, which "
                 "the seed draws, and four times as often there",
    },
    {
        .name = "operations",
        .type = TAKES_LIST,
        .element = &operation_element,
        .element_size = sizeof(struct operation),
        AT(operations),
        .count_offset = offsetof(struct draft, scenario.operation_count),
        .about = "what operators do, and when",
    },
    {
        .name = "probes",
        .type = TAKES_OBJECT,
        .section = &probe_section,
        .about = "searches while it runs",
    },
    {
        .name = "reconcile",
        .type = TAKES_OBJECT,
        .section = &reconcile_section,
        .about = "when the stores are compared and repaired",
    },
    {
        .name = "objectives",
        .type = TAKES_OBJECT,
        .section = &objective_section,
        .about = "what must hold beside correctness",
    },
    {
        .name = "contracts",
        .type = TAKES_OBJECT,
        .section = &contracts_section,
        .about = "the contracts of the seams",
    },
    {
        .name = "expect",
        .type = TAKES_OBJECT,
        .section = &expect_section,
        .about = "what must be caught",
    },
    {
        .name = "explore_ties",
        .type = TAKES_FLAG,
        AT(explore_ties),
        .fallback = "false",
        .about = "try other orders of what happens at one moment, by the seed",
    },
};
const struct section scenario_section = {
    .about = "a scenario of Murphy: what traffic, what goes wrong, what must hold and what must "
             "be caught",
    .keys = scenario_keys,
    .key_count = COUNT_OF(scenario_keys),
};
