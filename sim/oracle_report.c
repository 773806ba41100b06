/*
 * The table of checks, and what a run says to each.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "sim/oracle_parts.h"

/* What a check expects, and the unit of what it looked at. */
struct check_words {
    const char *expected;
    const char *looked_at;
    bool at_end; /* judged by oracle_finish */
};

static const struct oracle_check_about table[CHECK_COUNT] = {
    [CHECK_VERSION_MONOTONE] = {"version-monotone", "A9", "safety",
                                "the version of a row never goes back, and one version has one "
                                "content"},
    [CHECK_NO_DUPLICATE_ROW] = {"no-duplicate-row", "A9", "safety",
                                "no store holds a row twice, and history holds no version that "
                                "says what the one before it said"},
    [CHECK_GONE_IN_TIME] = {"gone-in-time", "A8", "safety",
                            "a deleted or suppressed listing leaves every serving store within "
                            "the bound and stays out"},
    [CHECK_SERVED_GONE] = {"served-gone", "A8", "safety",
                           "no search finds a listing that must be gone"},
    [CHECK_EMBEDDING_ECONOMY] = {"embedding-economy", "A5", "safety",
                                 "a vector is made anew only when what it depends on changed"},
    [CHECK_ALIAS_SWITCH] = {"alias-switch", "A10", "safety",
                            "when an alias switches, no listing vanishes, grows older or comes "
                            "back from deletion for its readers, and it always leads somewhere"},
    [CHECK_ONE_MODEL] = {"one-model", "A10", "safety",
                         "what a vector search finds was made by the model that embedded the "
                         "query"},
    [CHECK_ORDERS_OBEYED] = {"orders-obeyed", "A10", "safety",
                             "readers are led where operators ordered, and nowhere else"},
    [CHECK_REMADE_EXACTLY] = {"remade-exactly", "A4", "safety",
                              "a change of a reference table re-makes the listings that it "
                              "touches, and no others"},
    [CHECK_DEAD_LETTERS] = {"dead-letters", "A13", "safety",
                            "each poison record ends in a dead letter, and no valid record does; "
                            "a letter about a contract says version, field, expected and actual"},
    [CHECK_CONTRACT] = {"contract-held", "B9", "safety",
                        "nothing is routed whose contract version is not registered, or that "
                        "breaks it"},
    [CHECK_ALL_VISIBLE] = {"all-visible", "A3", "convergence",
                           "each accepted change became visible in every store"},
    [CHECK_CONVERGENCE] = {"convergence", "D2", "convergence",
                           "every store holds exactly what the reference model says"},
    [CHECK_STANDBY_COMPLETE] = {"standby-complete", "A10", "convergence",
                                "the collections that are written beside the served ones hold "
                                "exactly what the reference model says"},
    [CHECK_RETIRED] = {"retired", "A10", "convergence",
                       "no collections are left of a model that is retired, abandoned or was "
                       "never asked for"},
    [CHECK_ROWS_AGREE] = {"rows-agree", "A6", "convergence",
                          "text, image and fused row of a listing have one version"},
    [CHECK_NO_LOST_EMBEDDING] = {"no-lost-embedding", "A5", "convergence",
                                 "each vector is, to the bit, that of the listing's present text "
                                 "and images"},
    [CHECK_HISTORY] = {"history", "B4", "convergence",
                       "silver holds each version once, and their intervals tile"},
    [CHECK_DASHBOARD] = {"dashboard", "A9", "convergence",
                         "sales by category and hour are those of the orders placed"},
    [CHECK_SOURCE] = {"source", "A2", "convergence",
                      "the rows of the OLTP store say what the sellers said"},
    [CHECK_ERASURE] = {"erasure", "A12", "safety",
                       "what was to be erased is gone from every store within the bound, certified "
                       "no earlier than it is true, and never comes back"},
    [CHECK_AUDIT_COMPLETE] = {"audit-complete", "A11", "convergence",
                              "for each version of a listing that readers saw as a vector, one row "
                              "says which model made it, of what content"},
    [CHECK_AUDIT_STREAM] = {"audit-stream", "B8", "convergence",
                            "each listing's audit stream is without gap, verifies event by event, "
                            "and replayed it is the listing"},
    [CHECK_BATCH_EQUALS_STREAM] = {"batch-equals-stream", "A17", "convergence",
                                   "gold and the dashboard are what a rebuild from bronze makes"},
    [CHECK_RETENTION] = {"retention", "A16", "convergence",
                         "the warehouse holds nothing that it need not tell of any more"},
    [CHECK_LOG_WRITTEN] = {"log-written", "C2", "safety",
                           "what the log acknowledged is in it, or is said again when it goes with "
                           "a leader (lost-write)"},
    [CHECK_LOG_READ] = {"log-read", "C2", "safety",
                        "each group reads each record that is kept, in order, as it was written "
                        "(unseen, poll-skip, nonmonotonic-poll, inconsistent-offsets)"},
    [CHECK_FILTERS_RIGHT] = {"filters-right", "A7", "safety",
                             "what a search with a filter finds is what the filter lets through"},
    [CHECK_LOSSES_MARKED] =
        {"losses-marked", "A16", "safety",
         "what expired before it was loaded is marked in the warehouse with its "
         "topic, partition and offsets, and nothing else is"},
};

static const struct check_words words[CHECK_COUNT] = {
    [CHECK_VERSION_MONOTONE] = {"no version goes back", "writes", false},
    [CHECK_NO_DUPLICATE_ROW] = {"no row twice", "writes", false},
    [CHECK_GONE_IN_TIME] = {"gone within", "removals", false},
    [CHECK_SERVED_GONE] = {"no hit on a listing that is gone", "hits", false},
    [CHECK_EMBEDDING_ECONOMY] = {"needless vectors at most", "vectors", false},
    [CHECK_ALIAS_SWITCH] = {"the same or newer after the switch", "rows seen", false},
    [CHECK_ONE_MODEL] = {"query and hit of one model", "hits", false},
    [CHECK_ORDERS_OBEYED] = {"each switch ordered, each order carried out", "switches and orders",
                             false},
    [CHECK_REMADE_EXACTLY] = {"each listing that names it, and no other", "listings told", false},
    [CHECK_DEAD_LETTERS] = {"a dead letter for each poison and for nothing else",
                            "poison records and dead letters", false},
    [CHECK_CONTRACT] = {"only what a registered contract accepts is routed",
                        "records of later versions", false},
    [CHECK_ALL_VISIBLE] = {"nothing still waits to be visible", "changes", true},
    [CHECK_CONVERGENCE] = {"no difference to the reference", "rows", true},
    [CHECK_STANDBY_COMPLETE] = {"no difference to the reference", "rows", true},
    [CHECK_RETIRED] = {"no collection left", "collections dropped or to be dropped", true},
    [CHECK_ROWS_AGREE] = {"one version a listing", "pairs of rows", true},
    [CHECK_NO_LOST_EMBEDDING] = {"every vector as recomputed", "vectors", true},
    [CHECK_HISTORY] = {"each version once, without gap or overlap", "versions", true},
    [CHECK_DASHBOARD] = {"no difference to the orders", "buckets", true},
    [CHECK_SOURCE] = {"no difference to the operations", "rows", true},
    [CHECK_ERASURE] = {"nothing kept, nothing back, each certificate true",
                       "looks and certificates", false},
    [CHECK_AUDIT_COMPLETE] = {"one row for each vector seen", "vectors", true},
    [CHECK_AUDIT_STREAM] = {"each event once, in its place", "events", true},
    [CHECK_BATCH_EQUALS_STREAM] = {"no difference to the rebuild", "documents and buckets", true},
    [CHECK_RETENTION] = {"nothing that came of age", "rows", true},
    [CHECK_LOG_WRITTEN] = {"no acknowledged record is lost", "acknowledgements", false},
    [CHECK_LOG_READ] = {"no record is missed", "records read", false},
    [CHECK_FILTERS_RIGHT] = {"no hit that the filter excludes", "hits", false},
    [CHECK_LOSSES_MARKED] = {"a mark for each loss and for nothing else",
                             "records lost unread and marks", false},
};

const struct oracle_check_about *oracle_check_table(size_t *count) {
    *count = CHECK_COUNT;
    return table;
}

/* Needless vectors have an allowance; everything else has none. */
static uint64_t allowed(const struct oracle *o, enum check_id id) {
    if (id != CHECK_EMBEDDING_ECONOMY) {
        return 0;
    }
    /* Parts per million of what was looked at, without overflow below 2^44 writes. */
    return o->checks[id].looked_at * o->options.needless_embeddings_max_ppm / 1000000;
}

static enum oracle_status status_of(const struct oracle *o, enum check_id id) {
    const struct check_state *check = &o->checks[id];
    if (check->violations > allowed(o, id)) {
        return ORACLE_FAIL;
    }
    bool judged = check->looked_at > 0 && (o->finished || !words[id].at_end);
    return judged ? ORACLE_PASS : ORACLE_NO_DATA;
}

static void expectation(struct oracle *o, enum check_id id) {
    struct check_state *check = &o->checks[id];
    size_t size = sizeof check->expected;
    if (id == CHECK_GONE_IN_TIME) {
        snprintf(check->expected, size,
                 "gone within %" PRId64 " s, suppressed within %" PRId64 " s",
                 o->options.gone_within_ns / VTIME_SECOND,
                 o->options.suppressed_within_ns / VTIME_SECOND);
    } else if (id == CHECK_EMBEDDING_ECONOMY) {
        snprintf(check->expected, size, "at most %" PRIu64 " needless vectors in a million",
                 o->options.needless_embeddings_max_ppm);
    } else {
        snprintf(check->expected, size, "%s", words[id].expected);
    }
    snprintf(check->observed, sizeof check->observed, "%" PRIu64 " violations in %" PRIu64 " %s",
             check->violations, check->looked_at, words[id].looked_at);
}

const struct oracle_check *oracle_checks(struct oracle *o, size_t *count) {
    if (o->out_of_memory) {
        *count = 0;
        return NULL;
    }
    for (int i = 0; i < CHECK_COUNT; i++) {
        struct check_state *check = &o->checks[i];
        enum oracle_status status = status_of(o, (enum check_id)i);
        expectation(o, (enum check_id)i);
        o->results[i] = (struct oracle_check){
            .name = table[i].name,
            .id = table[i].requirement,
            .kind = table[i].kind,
            .status = status,
            .expected = check->expected,
            .observed = check->observed,
            .at = status == ORACLE_FAIL ? check->first_at : o->now,
            .evidence = check->evidence,
        };
    }
    *count = CHECK_COUNT;
    return o->results;
}

/* ---- Differences ---- */

uint64_t oracle_drift(const struct oracle *o, enum store_id store, enum drift_class class) {
    assert(store < STORE_COUNT && class < DRIFT_CLASS_COUNT);
    return o->drift[store][class];
}

uint64_t oracle_drift_total(const struct oracle *o) {
    uint64_t total = 0;
    for (int store = 0; store < STORE_COUNT; store++) {
        for (int class = 0; class < DRIFT_CLASS_COUNT; class ++) {
            total += o->drift[store][class];
        }
    }
    return total;
}

uint64_t oracle_compared(const struct oracle *o, enum store_id store) {
    assert(store < STORE_COUNT);
    return o->compared[store];
}

size_t oracle_difference_count(const struct oracle *o) {
    return o->difference_count;
}

struct oracle_difference oracle_difference(const struct oracle *o, size_t i) {
    assert(i < o->difference_count);
    const struct finding *f = &o->differences[i];
    return (struct oracle_difference){
        .store = f->store,
        .class = f->class,
        .listing_id = f->listing_id,
        .expected_version = f->expected_version,
        .observed_version = f->observed_version,
        .expected = f->expected,
        .observed = f->observed,
    };
}
