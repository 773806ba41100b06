/*
 * The result of one run: everything that the reports say, and nothing else. The run's host fills it
 * while the run goes and after; the writers (json, text, junit, html) read it and never look
 * anywhere else, so that a report cannot drive a run or change it (D9).
 *
 * Ownership: a run_result owns every array in it and every string that an append copied. Append
 * functions copy what they are given; strings may be NULL, which reads as "". run_result_release
 * frees all of it.
 *
 * Memory: every append returns 0, or -1 when memory ran out. The result then remembers that it is
 * incomplete, its verdict is "error", and the writers refuse it; so a host may append without
 * looking and ask run_result_incomplete() once at the end. A report with a missing failure in it
 * would look like a pass.
 *
 * Moments are nanoseconds since the Unix epoch (the run's virtual time); 0 means "no moment".
 * Durations are nanoseconds.
 */
#ifndef MURPHY_REPORTS_RESULT_H
#define MURPHY_REPORTS_RESULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reports/histogram.h"

enum run_verdict {
    RUN_ERROR = 0, /* Murphy could not judge: an internal error, or nothing was checked */
    RUN_PASS,      /* every check held and every objective was met */
    RUN_FAIL,      /* a correctness check failed, or could not be judged */
    RUN_SLO,       /* only a freshness check or an objective failed, or had no data */
};

struct run_count {
    const char *name;
    uint64_t count;
};

struct run_counts {
    struct run_count *items;
    size_t count, capacity;
};

/* The zero of each status is "no data", so that what was forgotten is never read as a pass. */
enum run_check_status { RUN_CHECK_NO_DATA = 0, RUN_CHECK_PASS, RUN_CHECK_FAIL };

struct run_check {
    const char *name;
    const char *kind; /* safety, convergence, reconciliation, freshness, caught, coverage, ... */
    enum run_check_status status;
    const char *expected;
    const char *observed;
    int64_t at_ns;        /* the moment it was judged or first failed; 0: none */
    const char *evidence; /* may hold several lines */
};

enum run_slo_status { RUN_SLO_NO_DATA = 0, RUN_SLO_MET, RUN_SLO_BREACHED };
enum run_slo_direction { RUN_AT_MOST = 0, RUN_AT_LEAST };

struct run_slo {
    const char *name;
    double objective, observed; /* in `unit`; observed is ignored with no data */
    const char *unit;           /* "s", "ratio" (shown as per cent), "" or any other word */
    enum run_slo_direction direction;
    enum run_slo_status status;
    bool budget_known;       /* an objective like mean recall has no error budget */
    double budget_remaining; /* fraction of the error budget left; negative when overspent */
};

/* What a contract promises at one seam, and whether it held: service levels are objectives of the
 * run, and quality rules checks, too; here they stand by contract (B2). */
enum run_term_status {
    RUN_TERM_HELD,
    RUN_TERM_BROKEN,
    RUN_TERM_WAIVED, /* the scenario says that nobody promises it on such a day */
    RUN_TERM_IDLE,   /* nothing came through the seam that it could be asked of */
};

struct run_contract_term {
    const char *name; /* "freshness", or the rule's */
    const char *wanted, *observed;
    enum run_term_status status;
};

struct run_contract {
    const char *id, *version, *owner;
    const char *about; /* what flows there */
    struct run_contract_term *terms;
    size_t term_count, term_capacity;
};

/* The worst of its terms: broken before waived before held before idle. */
enum run_term_status run_contract_status(const struct run_contract *contract);
const char *run_term_status_name(enum run_term_status status); /* "held", ... */
/* Contracts of which that is the status. */
struct run_result;
size_t run_contracts_with(const struct run_result *r, enum run_term_status status);

/* A setting that this seed drew. */
struct run_drawn {
    const char *key, *value;
};

/* Something that the scenario lets pass and that would otherwise fail it: a service level that it
 * waives, an alert that may be raised. One that no seed ever needs is a check less for nothing. */
struct run_allowance {
    const char *name;
    bool needed;
};

/* What a row in a store can be, compared with the reference model (DESIGN, Reconciliation). */
#define RUN_DRIFT_CLASSES(X)                                                                       \
    X(MISSING, "missing")                                                                          \
    X(ORPHAN, "orphan")                                                                            \
    X(DUPLICATE, "duplicate")                                                                      \
    X(STALE, "stale")                                                                              \
    X(MISMATCH, "mismatch")                                                                        \
    X(RESURRECTED, "resurrected")                                                                  \
    X(WRONG_MODEL, "wrong_model")                                                                  \
    X(SUPPRESSED_SERVED, "suppressed_served")                                                      \
    X(IN_FLIGHT, "in_flight")

enum run_drift {
#define X(id, name) RUN_DRIFT_##id,
    RUN_DRIFT_CLASSES(X)
#undef X
        RUN_DRIFT_COUNT
};

struct run_store_drift {
    const char *store;
    enum run_drift drift;
    uint64_t before, after; /* rows of this class before and after repair */
};

struct run_drift_sample {
    const char *store;
    const char *listing; /* listing id */
    enum run_drift drift;
    const char *expected, *observed;
    const char *reason; /* why it drifted, as far as the reconciler can tell */
};

/* One hop on the way of an update (B3). */
enum run_hop_state { RUN_HOP_DONE, RUN_HOP_WAITING, RUN_HOP_STOPPED };
struct run_hop {
    const char *name, *place;
    const char *note; /* what else is to be said; "" */
    enum run_hop_state state;
    int64_t from_ns; /* of the hop that it follows */
    int64_t at_ns;   /* waiting: as long as the run knows */
};

/* One update of a listing through every hop, picked since it says something of the run (D9). */
struct run_way {
    const char *listing;
    const char *what;    /* e.g. "price changed" */
    const char *picked;  /* why it is shown, e.g. "slowest to be seen in keyword" */
    const char *came_to; /* one sentence */
    const char *command; /* that shows it, and the listing's other updates */
    struct run_hop *hops;
    size_t hop_count;
};

struct run_reconciliation {
    bool present; /* false: reconciliation never ran, so all below is no data */
    int64_t cutoff_ns;
    uint64_t compared; /* rows looked at, all stores; 0: not counted */
    uint64_t before[RUN_DRIFT_COUNT], after[RUN_DRIFT_COUNT];
    uint64_t repaired;
    struct run_store_drift *stores;
    size_t store_count, store_capacity;
    struct run_drift_sample *samples;
    size_t sample_count, sample_capacity;
};

/* A stretch of virtual time in which a fault was at work. */
struct run_band {
    const char *kind, *subject;
    int64_t from_ns, to_ns; /* to = from: a moment */
};

enum run_series_kind {
    RUN_SERIES_FEED_LAG,  /* per feed, in seconds */
    RUN_SERIES_STORE_LAG, /* visibility lag per store, in seconds */
    RUN_SERIES_RECALL,    /* recall@10 of the probes, 0 to 1 */
};

struct run_point {
    int64_t at_ns;
    double value; /* NaN: no data at this moment */
};

/* A series keeps at most this many points; the worst value of each stretch survives. */
#define RUN_SERIES_POINTS 512

struct run_series {
    enum run_series_kind kind;
    const char *name;
    int64_t start_ns, width_ns; /* the stretch that one point stands for */
    struct run_point *points;   /* room for RUN_SERIES_POINTS, in order of time */
    size_t count;
};

struct run_alert {
    int64_t at_ns;
    const char *name, *subject;
    bool raised; /* false: cleared */
    const char *evidence;
    bool told; /* neither: a machine tells of a step; it lasts until the next one of that name */
};
/* "raised", "cleared" or "told". */
const char *run_alert_word(const struct run_alert *alert);

/* The lag of one store: visibility lag (append to visible: the objective) and, beside it, event lag
 * (producer's time to visible). */
struct run_freshness {
    const char *store;
    int64_t objective_ns;   /* 0: none */
    int objective_permille; /* 0 reads as 950 */
    struct histogram visibility, event;
    uint64_t
        pending; /* accepted changes that never became visible: in no quantile, so shown apart */
};

struct run_curve_point {
    int m, ef_construction, ef;
    double recall; /* recall@10, 0 to 1 */
    double latency_us;
    bool chosen; /* the operating point */
};

struct run_recall {
    uint64_t probes; /* searches compared with exact search; 0: no data */
    double mean, min;
    double objective;         /* 0: none */
    uint64_t asked, answered; /* all queries: availability */
    struct histogram latency; /* virtual; unit one microsecond */
    struct run_curve_point *curve;
    size_t curve_count, curve_capacity;
};

struct run_costs {
    uint64_t embeddings_made, embeddings_reused, embeddings_avoided;
    uint64_t vectors_written, metadata_writes, stale_rejected;
};

/* How often a kind of fault struck while the pipeline was in a state. */
struct run_cell {
    const char *fault, *state;
    uint64_t strikes;
};

/* The audit streams of listings, for an anchor: whoever keeps the root finds every later change. */
struct run_audit {
    uint64_t listings, events;
    const char *root; /* 64 hexadecimal digits; NULL: there were no streams */
};

struct run_result {
    const char *murphy; /* version */
    const char *scenario, *about;
    uint64_t seed;
    const char *bug; /* planted bug, "" for none */
    enum run_verdict verdict;
    const char *error; /* what went wrong when the verdict is error, else "" */
    const char *trace_hash;
    const char *end_state; /* digest of what every store says in the end, whoever did the work */
    struct run_counts end_states; /* of each store, as the number's bits */
    int64_t start_ns, virtual_ns; /* the run spans [start, start + virtual] */
    int64_t wall_ns;              /* the only figure that differs between two runs of one seed */
    const char *reproduce;        /* command line */

    struct run_drawn *drawn;
    size_t drawn_count, drawn_capacity;
    struct run_allowance *allowances;
    size_t allowance_count, allowance_capacity;
    struct run_audit audit;
    struct run_counts events, faults, reached;
    struct run_counts states; /* of the pipeline, and how often some fault struck in each */
    struct run_cell *cells;   /* none twice, and none without a strike */
    size_t cell_count, cell_capacity;
    struct run_check *checks;
    size_t check_count, check_capacity;
    struct run_slo *slos;
    size_t slo_count, slo_capacity;
    struct run_contract *contracts;
    size_t contract_count, contract_capacity;
    struct run_reconciliation reconciliation;
    struct run_band *bands;
    size_t band_count, band_capacity;
    struct run_way *ways;
    size_t way_count, way_capacity;
    struct run_series *series;
    size_t series_count, series_capacity;
    struct run_alert *alerts;
    size_t alert_count, alert_capacity;
    struct run_freshness *freshness;
    size_t freshness_count, freshness_capacity;
    struct run_recall recall;
    struct run_costs costs;

    /* Private. */
    struct run_text_block *texts;
    bool incomplete;
    long allocations_left; /* negative: no limit; tests set it to make the allocator fail */
};

void run_result_init(struct run_result *r);
void run_result_release(struct run_result *r);

/* True once an append ran out of memory. */
bool run_result_incomplete(const struct run_result *r);

/* A copy of `text` that lives as long as the result; "" for NULL and when memory ran out. */
const char *run_result_text(struct run_result *r, const char *text);
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
const char *
run_result_textf(struct run_result *r, const char *format, ...);

/* Add `count` to the named counter, which is made at its first mention (with 0 too: a declared
 * point that was never reached must show). Order of first mention is kept. */
int run_result_count_event(struct run_result *r, const char *name, uint64_t count);
int run_result_count_fault(struct run_result *r, const char *kind, uint64_t injected);
int run_result_count_reached(struct run_result *r, const char *point, uint64_t count);
/* Strikes of a kind in a state; 0 only declares the state. */
int run_result_count_cell(struct run_result *r, const char *fault, const char *state,
                          uint64_t strikes);
/* One store's digest. */
int run_result_add_end_state(struct run_result *r, const char *store, uint64_t digest);

int run_result_add_drawn(struct run_result *r, const struct run_drawn *drawn);
/* Something that the scenario lets pass, and whether it was needed; said more than once, it was if
 * it ever was. */
int run_result_allow(struct run_result *r, const char *name, bool needed);
int run_result_add_check(struct run_result *r, const struct run_check *check);
int run_result_add_slo(struct run_result *r, const struct run_slo *slo);
/* The contract's terms are added to the last one, each by itself. */
int run_result_add_contract(struct run_result *r, const struct run_contract *contract);
int run_result_add_term(struct run_result *r, const struct run_contract_term *term);
int run_result_add_band(struct run_result *r, const struct run_band *band);
/* Copies the hops too. */
int run_result_add_way(struct run_result *r, const struct run_way *way);
int run_result_add_alert(struct run_result *r, const struct run_alert *alert);
int run_result_add_curve_point(struct run_result *r, const struct run_curve_point *point);

/* Drift of one class in one store. Adds to the reconciliation's totals per class as well and marks
 * the reconciliation as present. */
int run_result_add_store_drift(struct run_result *r, const struct run_store_drift *drift);
int run_result_add_sample(struct run_result *r, const struct run_drift_sample *sample);

/* The index of the series (the freshness row) of that name, made at its first mention; -1 when
 * memory ran out. */
int run_result_series(struct run_result *r, enum run_series_kind kind, const char *name);
int run_result_freshness(struct run_result *r, const char *store, int64_t objective_ns);

/*
 * Add a point to series `index` (-1 is allowed and does nothing). Values that are not finite mean
 * "no data here" and break the line. When RUN_SERIES_POINTS are not enough, the stretch per point
 * doubles and the worse of two neighbours survives (the greater lag, the lower recall), with its
 * moment: a spike is never averaged
 * away. Points may come out of order.
 */
void run_series_append(struct run_result *r, int index, int64_t at_ns, double value);

/* Totals over all classes but in_flight, which is not drift. */
uint64_t run_drift_total(const uint64_t counts[RUN_DRIFT_COUNT]);

/* How many checks (objectives) have that status. */
size_t run_checks_with(const struct run_result *r, enum run_check_status status);
size_t run_slos_with(const struct run_result *r, enum run_slo_status status);

/* The quantile that the objective speaks of: 950 unless set. */
int run_freshness_permille(const struct run_freshness *f);

/* Met or breached by the objective's quantile of visibility lag; no data with no samples or no
 * objective. */
enum run_slo_status run_freshness_status(const struct run_freshness *f);

/*
 * The verdict that checks and objectives add up to:
 *   error  when the result is incomplete, `error` is set, or nothing at all was checked;
 *   fail   when a check of another kind than freshness failed or had no data;
 *   slo    when a freshness check or an objective failed or had no data;
 *   pass   otherwise.
 */
enum run_verdict run_result_judge(const struct run_result *r);

/* Exit status of the command line: pass 0, fail 1, slo 2, error 70. */
int run_verdict_exit_status(enum run_verdict verdict);

/* The words of run.json: "pass", "no_data", "breached", "missing", ... */
const char *run_verdict_name(enum run_verdict verdict);
const char *run_check_status_name(enum run_check_status status);
const char *run_slo_status_name(enum run_slo_status status);
const char *run_drift_name(enum run_drift drift);

#endif
