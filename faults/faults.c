#include "faults/faults.h"

#include <assert.h>
#include <string.h>

static const struct fault_about table[FAULT_KIND_COUNT] = {
#define FAULT_ROW(identifier, name, required, optional, about, models, checks)                     \
    {name, required, optional, about, models, checks},
    FAULTS(FAULT_ROW)
#undef FAULT_ROW
};

const struct fault_about *fault_table(void) {
    return table;
}

int fault_find(const char *name) {
    for (int i = 0; i < FAULT_KIND_COUNT; i++) {
        if (strcmp(table[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

static int find(const char *const *names, int count, const char *name) {
    for (int i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            return i;
        }
    }
    return -1;
}

static const char *const sink_names[SINK_COUNT] = {"vectors",   "keywords", "warehouse",
                                                   "embedding", "state",    "log"};
static const char *const point_names[POINT_COUNT] = {"before", "after", "half"};

const char *fault_sink_name(enum fault_sink sink) {
    assert(sink < SINK_COUNT);
    return sink_names[sink];
}

int fault_sink_find(const char *name) {
    return find(sink_names, SINK_COUNT, name);
}

const char *fault_point_name(enum fault_point point) {
    assert(point < POINT_COUNT);
    return point_names[point];
}

int fault_point_find(const char *name) {
    return find(point_names, POINT_COUNT, name);
}
