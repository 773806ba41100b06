#include "faults/faults.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const struct fault_about table[FAULT_KIND_COUNT] = {
#define FAULT_ROW(identifier, ...) {__VA_ARGS__},
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

bool fault_has_bug(enum fault_kind kind, const char *bug) {
    size_t wanted = strlen(bug);
    for (const char *at = table[kind].bugs; *at != '\0';) {
        size_t length = strcspn(at, " ");
        if (length == wanted && memcmp(at, bug, length) == 0) {
            return true;
        }
        at += length + strspn(at + length, " ");
    }
    return false;
}

static int find(const char *const *names, int count, const char *name) {
    for (int i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            return i;
        }
    }
    return -1;
}

static const char *const sink_names[SINK_COUNT] = {"vectors", "keywords", "warehouse", "embedding",
                                                   "state",   "log",      "objects"};
static const char *const survival_names[] = {"always", "within bounds", "never"};
static const char *const point_names[POINT_COUNT] = {"before", "after", "half"};

const char *fault_sink_name(enum fault_sink sink) {
    assert(sink < SINK_COUNT);
    return sink_names[sink];
}

void fault_places_text(unsigned places, const char *between, char text[FAULT_PLACES_TEXT]) {
    static const char *const others[] = {"feed", "oltp", "worker", "broker"};
    size_t length = 0;
    text[0] = '\0';
    for (unsigned i = 0; places >> i != 0; i++) {
        if ((places >> i & 1) != 0 && length < FAULT_PLACES_TEXT) {
            int added = snprintf(text + length, FAULT_PLACES_TEXT - length, "%s%s",
                                 length == 0 ? "" : between,
                                 i < SINK_COUNT ? sink_names[i] : others[i - SINK_COUNT]);
            length += (size_t)added;
        }
    }
}

const char *fault_parameter_name(size_t i, unsigned *bit) {
    static const struct {
        unsigned bit;
        const char *name;
    } parameters[] = {
        {FAULT_FEED, "feed"},     {FAULT_SINK, "sink"},
        {FAULT_WORKER, "worker"}, {FAULT_POINT, "point"},
        {FAULT_RATIO, "ratio"},   {FAULT_EVERY, "every"},
        {FAULT_CALL, "call"},     {FAULT_OCCURRENCE, "occurrence"},
        {FAULT_DELAY, "delay"},   {FAULT_DOWN, "down"},
        {FAULT_TOPIC, "topic"},
    };
    if (i >= sizeof parameters / sizeof *parameters) {
        return NULL;
    }
    *bit = parameters[i].bit;
    return parameters[i].name;
}

int fault_sink_find(const char *name) {
    return find(sink_names, SINK_COUNT, name);
}

const char *fault_survival_name(enum fault_survival survival) {
    assert(survival <= SURVIVES_NOT);
    return survival_names[survival];
}

const char *fault_point_name(enum fault_point point) {
    assert(point < POINT_COUNT);
    return point_names[point];
}

int fault_point_find(const char *name) {
    return find(point_names, POINT_COUNT, name);
}

void fault_stream_name(const struct fault *faults, size_t i, const char *use,
                       char text[FAULT_STREAM_TEXT]) {
    const struct fault *fault = &faults[i];
    unsigned same = 0;
    for (size_t k = 0; k < i; k++) {
        same += faults[k].kind == fault->kind && faults[k].feed == fault->feed &&
                faults[k].sink == fault->sink && faults[k].worker == fault->worker &&
                faults[k].point == fault->point;
    }
    snprintf(text, FAULT_STREAM_TEXT, "%s %s feed %u sink %u worker %u point %u number %u", use,
             fault_table()[fault->kind].name, (unsigned)fault->feed, (unsigned)fault->sink,
             (unsigned)fault->worker, (unsigned)fault->point, same);
}
