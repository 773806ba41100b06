/*
 * The marketplace that makes the traffic: a generated catalogue, or a replay of a file of real
 * changes (A1).
 *
 * A workload is a stream of operations in order of time. Each operation is one thing that the
 * application or a feed's producer does: it changes a row of the OLTP store and publishes a record
 * through the outbox, or it sends a record straight to a feed (media ingest has a service of its
 * own). The workload holds the application's present state of every listing, so an operation
 * carries the whole row after the change beside the record, which may name only what changed.
 *
 * Two workloads of equal options and seed give the same operations, byte for byte.
 */
#ifndef MURPHY_SIM_WORKLOAD_H
#define MURPHY_SIM_WORKLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/bytes.h"
#include "pipeline/record.h"
#include "pipeline/rows.h"
#include "pipeline/topics.h"
#include "pipeline/vtime.h"
#include "sim/fake_oltp.h"
#include "sim/pace.h"

enum workload_op_kind {
    OP_LISTING_CREATE,
    OP_LISTING_UPDATE,
    OP_LISTING_DELETE,
    OP_MEDIA,  /* delivered or withdrawn; not through OLTP */
    OP_POLICY, /* seller suppressed or reinstated */
    OP_ORDER,
    OP_POISON,    /* bytes that the pipeline must refuse, sent straight to a feed */
    OP_ERASURE,   /* a person asks for a listing, or all of a seller's, to be erased */
    OP_REFERENCE, /* a row of the taxonomy or of the locale table is set */
    OP_KIND_COUNT
};
const char *workload_op_name(enum workload_op_kind kind);

/* One operation. Everything that it points to is the workload's, good until the next call. */
struct workload_op {
    enum workload_op_kind kind;
    vtime at;
    enum topic_id topic; /* feed that the record goes to */
    uint64_t key;
    struct bytes value;          /* encoded record */
    struct bytes meaning;        /* the same in the built-in contract's form; often it is `value` */
    bool through_oltp;           /* false (MEDIA, POISON): sent straight to the feed */
    struct oltp_listing listing; /* CREATE, UPDATE, DELETE: the row after the change */
    uint64_t seller_id;          /* POLICY */
    enum policy_status status;   /* POLICY */
    struct stamp stamp;          /* of the record; POISON: STAMP_NONE */
    struct order_row order;      /* ORDER */
    enum erasure_scope erasure;  /* ERASURE: of `key` */
    struct reference_row reference; /* REFERENCE */
};

/* Some producers of a feed move to another version of its contract (sim/producers.h). */
struct workload_contract {
    enum topic_id feed;
    uint32_t version;
    int64_t from_ns;       /* from the start of the run */
    uint32_t share_ppm;    /* of the feed's keys, whose producers move */
    const char *attribute; /* that listing records then name; NULL: none */
    uint32_t attribute_max;
    bool price_as_text;
};

/* A seller's status is set at a moment of the scenario's choice. */
struct workload_policy {
    int64_t at_ns; /* from the start of the run */
    uint64_t seller_id;
    enum policy_status status;
};

/*
 * Something at the source that should be noticed (B10): so many operations of a kind, evenly over
 * [from, until), beside the ordinary ones. They draw from a stream of their own.
 */
enum anomaly_kind {
    ANOMALY_NULLS,        /* updates that set price, description and attributes to null */
    ANOMALY_SCHEMA,       /* updates with an attribute that nobody knows and one of another type */
    ANOMALY_MASS_DELETE,  /* deletions of listings that live, whichever they are */
    ANOMALY_MASS_RESTORE, /* listings that a mass delete took come back, as long as there are any */
    ANOMALY_FUTURE,       /* updates whose time lies days and more ahead, sent past OLTP */
    ANOMALY_VOLUME,       /* changes of price */
    ANOMALY_KIND_COUNT
};
const char *anomaly_kind_name(enum anomaly_kind kind);

struct workload_anomaly {
    enum anomaly_kind kind;
    int64_t from_ns, until_ns; /* from the start of the run */
    uint32_t events;
};

/*
 * What a workload is like.
 *
 * Generated: the catalogue is created evenly over the load; after it, sellers act at exponential
 * gaps whose mean is what is left of the time over what is left of the operations, so that the
 * arrivals are a Poisson process to the eye and `events` operations fill the duration. Operations
 * have moments of their own, whole microseconds from the start where these suffice, and the moment
 * is the event_ts. Weights are shares among what sellers, buyers and moderators do after the load;
 * the media events that follow from it (A6) count towards `events` too. All weights 0 means
 *
 *     create 30, price 600, text 80, attributes 80, images 80, delete 25, recreate 10, policy 3,
 *     order 90, poison 2, correction 0
 *
 * which is the mix of a marketplace on an ordinary day: prices and orders, and little else.
 * Where an action has no object (a recreation before any deletion, the last living listing's
 * deletion, the last seller's suppression) another one takes its place: never more than a few.
 *
 * Replayed: listing ids, times and values are those of the file (sim/replay.h says which become
 * what); start, duration and everything under "Generated" are not looked at.
 */
struct workload_options {
    uint64_t seed;
    vtime start;
    int64_t duration_ns; /* operations fall into [start, start + duration); the catalogue is created
                            in the first catalogue_load_ns of it */
    int64_t catalogue_load_ns;

    /* Generated (file is NULL) */
    uint64_t listings; /* created by the catalogue load */
    uint64_t events;   /* all operations, catalogue load with its media included */
    uint64_t sellers;  /* ids from 1; the lower the id, the more listings: the first is hot (A14) */
    uint32_t weight_create, weight_price, weight_text, weight_attributes, weight_images,
        weight_delete, weight_recreate, weight_policy, weight_order, weight_poison,
        weight_correction, weight_erase_listing, weight_erase_seller;
    /* Above 0: sellers name categories by their last word and spell locales in several ways, the
     * reference tables say what that means (their first rows come beside `events`, during the
     * catalogue load), and so often a row changes, or a seller corrects what a listing names. */
    uint32_t weight_reference;
    unsigned skew_quarters;       /* popularity of listings: exponent of Zipf's law, in quarters */
    uint32_t media_first_percent; /* of new listings, whose images arrive before them */
    int64_t media_lead_ns_max;    /* by up to so long */
    int64_t media_lag_ns_max;     /* the others' images come up to so long after */
    uint32_t media_missing_percent; /* of the images that listings name: they never come */
    uint32_t media_stray_percent;   /* of births and of added images: one that nobody named comes */
    int64_t media_stray_lag_ns_max; /* half of the strays are named after all, up to so long after;
                                       half of these are then delivered once more */
    uint32_t description_words;     /* mean, at most 3,000; 0: no descriptions */
    /* Every second listing is kept on a device whose clock is wrong by up to so long, either way;
     * goes with no erasures and no anomalies, which the platform's clock stamps. */
    int64_t clock_skew_ns;
    uint32_t hot_seller_ppm; /* of the listings, in parts per million: seller 1 has them */
    const struct workload_peak *peaks; /* of what follows the load; the total stays `events` */
    size_t peak_count;
    const struct workload_policy *policies; /* beside those of the mix; part of `events` */
    size_t policy_count;
    const struct workload_anomaly *anomalies; /* beside `events` */
    size_t anomaly_count;

    /* Of both kinds */
    const struct workload_contract *contracts;
    size_t contract_count;

    /* Replay */
    const char *file;  /* JSONL, plain or gzip; NULL: generated */
    int64_t spread_ns; /* events of one timestamp are spread evenly over so long from it, in the
                          order of the file; never past the next timestamp */
};

/* Limits of a generated workload, beside those of its parts. */
#define WORKLOAD_LISTINGS_MAX (1u << 27)
#define WORKLOAD_SELLERS_MAX (1u << 30)
#define WORKLOAD_EVENTS_MAX (UINT64_C(1) << 40)

/* A sentence about what is wrong: of a file FILE:LINE:COLUMN (as far as known) in front, of an
 * option its name. Valid UTF-8. */
struct workload_error {
    char text[512];
};

struct workload;

/*
 * NULL and *error filled when the file is unreadable or a line is no event, when options contradict
 * each other, or when there is no memory (D12). The whole file is read and checked before the first
 * operation is handed out, and all memory is taken here: the functions below cannot fail. Memory
 * grows with the listings, created ones included, of a generated workload, and with the file of a
 * replayed one. The options are copied; the peaks, policies, anomalies and contracts that they
 * point to must outlive the workload.
 */
struct workload *workload_new(const struct workload_options *options, struct workload_error *error);
void workload_free(struct workload *w);

/* False when there are no more operations. */
bool workload_next(struct workload *w, struct workload_op *op);
/* Moment of the next operation, VTIME_NEVER at the end. */
vtime workload_peek(const struct workload *w);
/* Operations that it will hand out in all. */
uint64_t workload_total(const struct workload *w);
/* When the last operation falls; start + duration for a generated one. */
vtime workload_end(const struct workload *w);

/* A search that a buyer might type: words of some living listing, its category at times. */
struct workload_query {
    struct bytes text;
    struct bytes category; /* empty: no filter */
    uint64_t listing_id;   /* whose words they are */
};
/* Draws the i-th query of the run; false while there is no listing. Good until the next call. */
bool workload_query(struct workload *w, uint64_t i, struct workload_query *query);

#endif
