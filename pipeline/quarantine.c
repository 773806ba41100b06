#include "pipeline/quarantine.h"

#include <errno.h>
#include <stdlib.h>

#include "pipeline/array.h"

void quarantine_release(struct quarantine *q) {
    free(q->discards);
    *q = (struct quarantine){0};
}

/* Windows without any record are skipped, as the watch does it. */
static void window_reach(struct quarantine_count *count, int64_t window) {
    if (count->open && window <= count->window) {
        return;
    }
    if (count->open && !count->struck) {
        usual_learn(&count->usual, count->deletes);
    }
    count->open = true;
    count->window = window;
    count->deletes = 0;
    count->struck = count->holding;
}

static bool is_too_many(const struct quarantine_count *count,
                        const struct pipeline_config *config) {
    return usual_is_known(&count->usual) && count->deletes >= config->quarantine_deletes_min &&
           count->deletes > usual_mean(&count->usual) * config->volume_factor;
}

bool quarantine_is_discarded(const struct quarantine *q, const struct record *record) {
    for (size_t i = 0; i < q->discard_count; i++) {
        if (!vtime_before(record->stamp.ts, q->discards[i].from) &&
            vtime_before(record->stamp.ts, q->discards[i].to)) {
            return true;
        }
    }
    return false;
}

enum quarantine_verdict quarantine_judge(struct quarantine *q, const struct pipeline_config *config,
                                         const struct record *record, vtime append, bool *began) {
    struct quarantine_count *count = &q->seen;
    *began = false;
    window_reach(count, append.ns / config->volume_window_ns);
    if (record->op != RECORD_DELETE) {
        return QUARANTINE_PASS;
    }
    bool repair = (record->sections & SECTION_REPAIR) != 0;
    if (!repair && vtime_before(record->stamp.ts, q->decided)) {
        return quarantine_is_discarded(q, record) ? QUARANTINE_DROP : QUARANTINE_PASS;
    }
    count->deletes += !repair;
    if (!count->holding && !repair && is_too_many(count, config)) {
        *began = count->holding = count->struck = true;
    }
    return count->holding ? QUARANTINE_HOLD : QUARANTINE_PASS;
}

void quarantine_dealt(struct quarantine *q) {
    q->dealt = q->seen;
}

static void count_decided(struct quarantine_count *count) {
    count->holding = false;
    count->struck = true; /* half a window would teach too little */
    count->deletes = 0;
}

int quarantine_decide(struct quarantine *q, bool discard, vtime from, vtime to) {
    bool known = false;
    for (size_t i = 0; i < q->discard_count; i++) {
        known |= q->discards[i].from.ns == from.ns && q->discards[i].to.ns == to.ns;
    }
    if (discard && !known) {
        if (ARRAY_RESERVE(q->discards, q->discard_capacity, q->discard_count + 1) != 0) {
            return -ENOMEM;
        }
        q->discards[q->discard_count++] = (struct quarantine_discard){from, to};
    }
    q->decided = vtime_max(q->decided, to);
    count_decided(&q->seen);
    count_decided(&q->dealt);
    return 0;
}

/* ---- Checkpoints ---- */

enum { COUNT_BYTES = 1 + 8 + 8, DISCARD_BYTES = 16 };

size_t quarantine_size(const struct quarantine *q) {
    return COUNT_BYTES + USUAL_BYTES_MAX + 8 + 4 + q->discard_count * DISCARD_BYTES;
}

char *quarantine_encode(const struct quarantine *q, char *at) {
    const struct quarantine_count *count = &q->dealt;
    at = wire_put(at, (uint64_t)(count->open | count->holding << 1 | count->struck << 2), 1);
    at = wire_put(at, (uint64_t)count->window, 8);
    at = wire_put(at, count->deletes, 8);
    at = usual_put(at, &count->usual);
    at = wire_put(at, (uint64_t)q->decided.ns, 8);
    at = wire_put(at, q->discard_count, 4);
    for (size_t i = 0; i < q->discard_count; i++) {
        at = wire_put(at, (uint64_t)q->discards[i].from.ns, 8);
        at = wire_put(at, (uint64_t)q->discards[i].to.ns, 8);
    }
    return at;
}

int quarantine_decode(struct quarantine *q, struct wire_reader *reader) {
    struct quarantine_count *count = &q->dealt;
    uint64_t flags = wire_get(reader, 1);
    count->open = (flags & 1) != 0;
    count->holding = (flags & 2) != 0;
    count->struck = (flags & 4) != 0;
    count->window = (int64_t)wire_get(reader, 8);
    count->deletes = wire_get(reader, 8);
    count->usual = usual_get(reader);
    q->decided.ns = (int64_t)wire_get(reader, 8);
    size_t discards = (size_t)wire_get(reader, 4);
    for (size_t i = 0; i < discards && !reader->failed; i++) {
        vtime from = {(int64_t)wire_get(reader, 8)};
        vtime to = {(int64_t)wire_get(reader, 8)};
        if (ARRAY_RESERVE(q->discards, q->discard_capacity, q->discard_count + 1) != 0) {
            return -ENOMEM;
        }
        q->discards[q->discard_count++] = (struct quarantine_discard){from, to};
    }
    q->seen = q->dealt;
    return 0;
}
