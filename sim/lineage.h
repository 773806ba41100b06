/*
 * The way back from a number of the dashboard to the rows of OLTP (B6): what each layer said of
 * every order at every moment, and a walk that names the first layer, from the source, where the
 * number goes wrong.
 *
 *     OLTP row -> relay (outbox) -> topic -> bronze -> silver -> gold -> view
 *
 * Up to silver layers know orders, behind it sums by category and hour. An order is wrong in a
 * layer when the layer says something that OLTP did not say at any moment of the last `sla_ns`: so
 * what is merely on its way is not wrong. It is followed back from silver for as long as the layer
 * before is wrong too; where that ends the order went wrong. A sum is wrong when it is none that
 * the layer before it made at any moment of the last `sla_ns`. Only what moves the number that was
 * asked for counts.
 *
 * It judges facts that others gather: of a running simulation (sim/lineage_simulation.h), or of a
 * finished run's file. It knows neither the pipeline's state nor the faults.
 *
 * Errors: -ENOMEM; the lineage can then only be released.
 */
#ifndef MURPHY_SIM_LINEAGE_H
#define MURPHY_SIM_LINEAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/bytes.h"
#include "pipeline/id_map.h"
#include "pipeline/stamp.h"
#include "pipeline/vtime.h"

enum lineage_layer {
    LINEAGE_OLTP,
    LINEAGE_RELAY,
    LINEAGE_TOPIC,
    LINEAGE_BRONZE,
    LINEAGE_SILVER,
    LINEAGE_GOLD,
    LINEAGE_VIEW,
    LINEAGE_LAYER_COUNT
};
#define LINEAGE_ORDER_LAYERS LINEAGE_GOLD /* those before it know orders */
/* "oltp", "relay", ... */
const char *lineage_layer_name(enum lineage_layer layer);
/* The layer of that name; LINEAGE_OLTP, which is never wrong, for "none"; -1 for any other. */
int lineage_layer_find(const char *name);

/* What a layer says of an order for from <= t < to. */
struct lineage_row {
    uint64_t order_id;
    uint32_t copy; /* tells second rows of one order apart, else 0 */
    uint64_t listing_id;
    struct stamp stamp;
    uint32_t category; /* lineage_category */
    vtime hour;
    int64_t quantity, amount;
    vtime from, to;
    uint32_t partition, epoch; /* of a record in the topic or in bronze */
    int64_t offset;
};

/* What a layer shows of a category's hour for from <= t < to. */
struct lineage_sum {
    uint32_t category;
    vtime hour;
    int64_t orders, quantity, amount;
    vtime from, to;
};

struct lineage_rows {
    struct lineage_row *items;
    size_t count, capacity;
};
struct lineage_sums {
    struct lineage_sum *items;
    size_t count, capacity;
};

struct lineage {
    struct lineage_rows rows[LINEAGE_ORDER_LAYERS];
    struct lineage_rows outbox;                    /* what the relay's rows were made of */
    struct lineage_sums sums[LINEAGE_LAYER_COUNT]; /* silver's are added up from its rows */
    char **categories;
    size_t *category_lens;
    size_t category_count, category_capacity, category_len_capacity;
    struct id_map category_by_hash;
    bool closed;
};

void lineage_init(struct lineage *l);
void lineage_release(struct lineage *l);

/* The number of a category, or -ENOMEM. */
int64_t lineage_category(struct lineage *l, struct bytes category);
struct bytes lineage_category_name(const struct lineage *l, uint32_t category);

/*
 * A layer says a row. Of LINEAGE_OLTP: what the row was when. Of LINEAGE_RELAY: a row of the
 * outbox, for as long as it waits there. Of the topic and of bronze: a record, from its append or
 * its load on; of several of one order the greatest stamp counts. Of silver: what its row was when.
 */
int lineage_say(struct lineage *l, enum lineage_layer layer, const struct lineage_row *row);
/* Of LINEAGE_GOLD and LINEAGE_VIEW. */
int lineage_show(struct lineage *l, enum lineage_layer layer, const struct lineage_sum *sum);

/* ---- Asking ---- */

enum lineage_measure { LINEAGE_ORDERS, LINEAGE_QUANTITY, LINEAGE_AMOUNT, LINEAGE_MEASURE_COUNT };
/* "sales_orders", "sales_quantity", "sales_amount" */
const char *lineage_measure_name(enum lineage_measure measure);
int lineage_measure_find(const char *name, size_t length); /* -1: there is none */

struct lineage_question {
    enum lineage_measure measure;
    bool of_category, of_hour; /* false: of all */
    uint32_t category;
    vtime hour;
    vtime at;
    int64_t sla_ns;
    bool each; /* what moves an order from one hour or category to another counts too */
};
/* Where no contract says how old a number may be that is merely on its way. */
#define LINEAGE_SLA_NS (5 * VTIME_MINUTE)

enum lineage_flaw {
    LINEAGE_MISSING, /* the layer has not heard of it */
    LINEAGE_STALE,   /* it says what was true before */
    LINEAGE_ALTERED, /* it says what never was */
    LINEAGE_SURPLUS, /* OLTP knows no such order */
    LINEAGE_TWICE,   /* one order counts more than once */
    LINEAGE_FLAW_COUNT
};
const char *lineage_flaw_name(enum lineage_flaw flaw);

/* An order, or a category's hour, that is wrong. */
struct lineage_finding {
    enum lineage_layer layer;
    enum lineage_flaw flaw;
    bool is_order;
    struct lineage_row oltp, said;      /* of an order; order_id 0: there is none */
    struct lineage_row carried;         /* its record, where it got as far as the topic */
    struct lineage_sum upstream, shown; /* of a category's hour */
    int64_t effect;                     /* on the number */
    vtime since;                        /* the layer owes it since */
    vtime until;                        /* it made good then; VTIME_NEVER: not in this run */
};

enum lineage_verdict {
    LINEAGE_RIGHT,
    LINEAGE_IN_FLIGHT, /* not yet what OLTP says, and within the SLA */
    LINEAGE_WRONG,
    LINEAGE_NO_DATA /* no layer has an order of it */
};
const char *lineage_verdict_name(enum lineage_verdict verdict);

enum lineage_cause {
    LINEAGE_NO_CAUSE,
    LINEAGE_STALLED,  /* rows came later, or may yet */
    LINEAGE_LOST,     /* rows never came, or only as OLTP told them once more */
    LINEAGE_CORRUPTED /* rows say what never was */
};
const char *lineage_cause_name(enum lineage_cause cause);

struct lineage_answer {
    enum lineage_verdict verdict;
    enum lineage_layer layer; /* LINEAGE_OLTP: none is wrong */
    enum lineage_cause cause;
    int64_t expected, shown;             /* as OLTP says and as the view shows */
    int64_t values[LINEAGE_LAYER_COUNT]; /* as made from each layer */
    uint64_t wrong[LINEAGE_LAYER_COUNT]; /* findings */
    uint64_t in_flight;                  /* orders on their way */
    vtime since, until;                  /* of the layer; meaningless while none is wrong */
    struct lineage_finding *findings;    /* by layer */
    size_t finding_count, finding_capacity;
};

/* One sentence: verdict, layer, numbers. */
#define LINEAGE_SENTENCE 320
void lineage_sentence(const struct lineage_answer *answer, char text[LINEAGE_SENTENCE]);

/* After this nothing more can be said. Release the answer in either case. */
int lineage_walk(struct lineage *l, const struct lineage_question *question,
                 struct lineage_answer *answer);
void lineage_answer_release(struct lineage_answer *answer);

#endif
