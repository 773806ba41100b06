/*
 * What the listing feed looks like, window by window (B10): how often each field is null, which
 * attributes there are and of which type, which contract versions, whose clocks are ahead; and how
 * many rows the stores refused for good. Each is held against what is usual, learnt from windows in
 * which nothing was wrong.
 *
 * Five monitors, each with a state of its own:
 *
 *   null-explosion     a field is null in far more of the partial updates that name it than usual
 *   schema-drift       attributes or contract versions that nobody knew, attributes of other types
 *   future-timestamps  events that are dated ahead of their append
 *   field-absence      whole documents lack a field that they used to have, or have it null
 *   load-failures      rows that stores refuse for good, against the changes of the window
 *
 * A monitor is struck as soon as the open window says so, and goes on being so until a whole window
 * passes in which it does not. Only whole numbers: shares are compared by cross multiplication.
 */
#ifndef MURPHY_PIPELINE_QUALITY_FEED_H
#define MURPHY_PIPELINE_QUALITY_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/record.h"
#include "pipeline/sentence.h"
#include "pipeline/wire.h"

#define QUALITY_MONITORS(X)                                                                        \
    X(NULLS, "null-explosion")                                                                     \
    X(SCHEMA, "schema-drift")                                                                      \
    X(FUTURE, "future-timestamps")                                                                 \
    X(ABSENCE, "field-absence")                                                                    \
    X(LOADS, "load-failures")
enum quality_monitor {
#define QUALITY_ENUM(identifier, name) QUALITY_##identifier,
    QUALITY_MONITORS(QUALITY_ENUM)
#undef QUALITY_ENUM
        QUALITY_MONITOR_COUNT
};
const char *quality_monitor_name(enum quality_monitor monitor);

enum {
    QUALITY_FIELDS = FIELD_ATTRIBUTE + 1, /* by enum field_id; attributes are one */
    QUALITY_NAMES_MAX = 512,              /* attributes beyond are not told apart */
    QUALITY_VERSIONS_MAX = 32,
};

struct quality_share {
    uint64_t named; /* records that named the field; of attributes, fields */
    uint64_t nulls;
};

/* Counts of a stretch of time. */
struct quality_counts {
    uint64_t upserts;
    struct quality_share fields[QUALITY_FIELDS]; /* of partial updates */
    uint64_t wholes;                             /* upserts that name most of the fields */
    uint64_t empty[QUALITY_FIELDS]; /* of those, how many lack the field or have it null */
    uint64_t unknown_names, other_types, unknown_versions;
    uint64_t future;
    uint64_t refused_rows;
};

/* An attribute: its name's hash, the types that it was seen with. */
struct quality_name {
    uint64_t hash;
    uint8_t types; /* bits 1 << enum value_type */
    bool fresh;    /* came in the open window */
};

/* Caller-owned, without resources; zeroed is empty. */
struct quality_feed {
    struct quality_counts window, usual; /* usual: of all windows that taught, older ones less */
    uint64_t windows;                    /* that taught */
    uint64_t relearn;                    /* windows in which names and versions teach at once */
    bool struck[QUALITY_MONITOR_COUNT];  /* in the open window */
    bool raised[QUALITY_MONITOR_COUNT];
    struct quality_name names[QUALITY_NAMES_MAX];
    uint16_t versions[QUALITY_VERSIONS_MAX];
    size_t name_count, version_count;
    char example[48]; /* the unknown name or the attribute of another type seen last */
    uint64_t future_listing;
    int64_t future_ns_max; /* how far the one furthest ahead was, in the open window */
};

/* Takes in a record of the feed. `registered`: its contract version is; then what it brings is no
 * drift, and its first record opens some windows in which attributes teach at once. */
void quality_feed_record(struct quality_feed *feed, const struct record *record, vtime append,
                         int64_t future_max_ns, bool registered);
/* Stores refused that many rows for good. */
void quality_feed_refused(struct quality_feed *feed, uint64_t rows);

/* Looks at the open window; true, with a sentence of evidence, when the monitor is struck and was
 * not raised before; it is then. */
bool quality_feed_strikes(struct quality_feed *feed, enum quality_monitor monitor,
                          struct sentence *evidence);
/* The window is over: what was calm in it teaches. Bits of the monitors that are to be cleared. */
unsigned quality_feed_close(struct quality_feed *feed);

/* For checkpoints. */
#define QUALITY_FEED_BYTES_MAX 16384
char *quality_feed_encode(const struct quality_feed *feed, char *at);
void quality_feed_decode(struct quality_feed *feed, struct wire_reader *reader);

#endif
