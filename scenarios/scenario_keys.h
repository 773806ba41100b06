/*
 * The one table of what can stand in a scenario: every key with its type, bounds, default and
 * meaning. The reader, the JSON Schema for editors (scenario_schema.h) and the table of the guide
 * (docs/scenarios.md) are made from it.
 *
 * A key's target is an offset into a struct draft; in a list of objects, into the list's element.
 */
#ifndef MURPHY_SCENARIOS_SCENARIO_KEYS_H
#define MURPHY_SCENARIOS_SCENARIO_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scenarios/scenario.h"

/* A scenario while it is being read. */
struct draft {
    struct scenario scenario;
    uint32_t workload_kind; /* enum workload_kind */
};

enum workload_kind { WORKLOAD_GENERATED, WORKLOAD_REPLAY, WORKLOAD_KIND_COUNT };

enum key_type {
    TAKES_IGNORED,     /* a string for other tools */
    TAKES_TEXT,        /* const char * */
    TAKES_FILE,        /* const char *; in a file, relative to the folder of that file */
    TAKES_FLAG,        /* bool */
    TAKES_FLAG_OFF,    /* bool, the reverse of what is written */
    TAKES_COUNT32,     /* uint32_t */
    TAKES_COUNT64,     /* uint64_t */
    TAKES_DURATION,    /* int64_t, nanoseconds */
    TAKES_MOMENT,      /* vtime */
    TAKES_SHARE,       /* struct share: the pair ratio_num, ratio_den */
    TAKES_SHARE_PPM,   /* uint32_t, parts per million */
    TAKES_PERCENT,     /* uint32_t, percent; written as a share */
    TAKES_NAME,        /* an enum, by name */
    TAKES_NAME_STATIC, /* const char *: the name itself, static */
    TAKES_OBJECT,
    TAKES_LIST, /* pointer to the elements; their number at count_offset */
};

/* Sets of names that a value can be one of. */
enum name_set {
    NAMES_WORKLOAD_KINDS,
    NAMES_FAULT_KINDS,
    NAMES_FEEDS,
    NAMES_TOPICS,
    NAMES_SINKS,
    NAMES_WORKERS,
    NAMES_POINTS,
    NAMES_STATES,
    NAMES_CALLS,
    NAMES_ALERTS,
    NAMES_ALERT_STATES,
    NAMES_STORES,
    NAMES_DRIFT_CLASSES,
    NAMES_OBJECTIVES, /* that a scenario can ask to be breached; service levels behind */
    NAMES_ANOMALIES,
    NAMES_OPERATIONS,  /* what operators can ask for */
    NAMES_GROUPED,     /* machines that share their partitions */
    NAMES_STATUSES,    /* of sellers */
    NAMES_COUNTERS,    /* of machines */
    NAMES_LEVELS,      /* service levels of contracts, as "vectors.latency" */
    NAMES_PROFILES,    /* of vector databases */
    NAMES_METRICS,     /* of the dashboard */
    NAMES_LAYERS,      /* of the way to it */
    NAMES_CAUSES,      /* of a wrong number */
    NAMES_CONSISTENCY, /* of their reads; numbered from 1 */
    NAMES_PROTOCOLS,   /* of consumer groups */
    NAMES_RESETS,      /* policies of theirs */
    NAMES_BUGS,
};
/* The i-th name of a set and the number of its enum, or NULL behind the last. Static. */
const char *name_set_item(enum name_set set, size_t i, int *value);

/* When a key may stand, where that depends on the kind of the object around it. */
enum key_use { KEY_OPTIONAL, KEY_REQUIRED, KEY_REFUSED };

struct section;

struct key {
    const char *name;
    enum key_type type;
    bool required;
    bool may_be_off;      /* "off" stands for 0 */
    unsigned use;         /* bits for section->use; 0: for every kind */
    size_t offset;        /* of the target */
    int64_t min, max;     /* of numbers; of durations in nanoseconds; of shares in ppm */
    const char *fallback; /* as JSON; NULL: the target stays zero */
    const char *about;
    enum name_set names;           /* of NAME, NAME_STATIC */
    const struct section *section; /* of OBJECT */
    const struct key *element;     /* of LIST: what it holds; its offset is 0 */
    size_t element_size;           /* of LIST */
    size_t count_offset;           /* of LIST: a size_t */
};

struct section {
    const char *about;
    const struct key *keys;
    size_t key_count;
    /* Where keys depend on a kind, keys[0] is it. For kind `kind` and a key's use bits: */
    enum key_use (*use)(int kind, unsigned bits);
};

/* Where a comment may stand: in every object. A string or a list of strings. */
#define COMMENT_KEY "comment"

extern const struct section scenario_section;

enum { LIST_LENGTH_MAX = 1000 };

#endif
