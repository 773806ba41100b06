#include "faults/pipeline_states.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "faults/faults.h"
#include "pipeline/array.h"
#include "pipeline/record.h"

static_assert(PIPELINE_STATE_COUNT <= 32, "states are bits of 32");

static const struct pipeline_state_about table[PIPELINE_STATE_COUNT] = {
#define STATE_ROW(identifier, name, about) {name, about},
    PIPELINE_STATES(STATE_ROW)
#undef STATE_ROW
};

const struct pipeline_state_about *pipeline_state_table(void) {
    return table;
}

int pipeline_state_find(const char *name) {
    for (int i = 0; i < PIPELINE_STATE_COUNT; i++) {
        if (strcmp(table[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

const char *pipeline_state_impossible(int kind, int state) {
    static const struct {
        int kind, state;
        const char *reason;
    } cells[] = {
#define CELL(kind, state, reason) {FAULT_##kind, STATE_##state, reason},
        IMPOSSIBLE_CELLS(CELL)
#undef CELL
            {-1, -1, NULL},
    };
    for (size_t i = 0; cells[i].reason != NULL; i++) {
        if (cells[i].kind == kind && cells[i].state == state) {
            return cells[i].reason;
        }
    }
    return NULL;
}

void state_watch_release(struct state_watch *w) {
    free(w->erasures);
}

void state_watch_sign(struct state_watch *w, vtime now, enum pipeline_state state) {
    w->seen[state] = now;
}

static void turn(struct state_watch *w, vtime now, enum pipeline_state state, bool on) {
    if (on || w->on[state]) {
        w->seen[state] = now;
    }
    w->on[state] = on;
}

/* ---- Erasures ---- */

/* The request and its certificate say the same scope, id and stamp. */
static uint64_t erasure_hash(const struct record *record) {
    uint64_t parts[] = {(uint64_t)record->erasure_scope, record->erasure_id,
                        (uint64_t)record->stamp.ts.ns};
    return XXH3_64bits(parts, sizeof parts);
}

static void erasure_asked(struct state_watch *w, uint64_t hash) {
    if (ARRAY_RESERVE(w->erasures, w->erasure_capacity, w->erasure_count + 1) != 0) {
        w->out_of_memory = true;
        return;
    }
    w->erasures[w->erasure_count++] = hash;
}

/* A request that was sent twice is certified once. */
static void erasure_certified(struct state_watch *w, uint64_t hash) {
    size_t kept = 0;
    for (size_t i = 0; i < w->erasure_count; i++) {
        if (w->erasures[i] != hash) {
            w->erasures[kept++] = w->erasures[i];
        }
    }
    w->erasure_count = kept;
}

void state_watch_appended(struct state_watch *w, vtime now, enum topic_id topic,
                          const struct log_record *logged) {
    struct record record;
    struct record_error error;
    if ((topic != TOPIC_PRIVACY && topic != TOPIC_CERTIFICATE) ||
        record_decode(logged->value, &record, &error) != 0) {
        return;
    }
    if (record.type == RECORD_ERASURE) {
        erasure_asked(w, erasure_hash(&record));
    } else if (record.type == RECORD_CERTIFICATE) {
        erasure_certified(w, erasure_hash(&record));
    }
    turn(w, now, STATE_ERASING, w->erasure_count > 0);
}

/* ---- Alerts and reports ---- */

static bool is_one_of(const char *name, const char *const *names, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

#define IS_ONE_OF(name, ...)                                                                       \
    is_one_of(name, (const char *const[]){__VA_ARGS__},                                            \
              sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

/* The upgrader tells each phase that it enters. */
static void upgrade_phase(struct state_watch *w, vtime now, const char *phase) {
    turn(w, now, STATE_BACKFILLING, IS_ONE_OF(phase, "preparing", "backfilling"));
    turn(w, now, STATE_SWITCHING,
         IS_ONE_OF(phase, "judging", "switching", "judging-back", "switching-back"));
    turn(w, now, STATE_RETIRING, strcmp(phase, "retiring") == 0);
    turn(w, now, STATE_DUAL_WRITING, !IS_ONE_OF(phase, "idle", "preparing", "retiring"));
    if (strcmp(phase, "switching-back") == 0) {
        turn(w, now, STATE_ROLLED_BACK, true);
    } else if (IS_ONE_OF(phase, "serving", "retiring", "idle")) {
        turn(w, now, STATE_ROLLED_BACK, false);
    }
}

void state_watch_alert(struct state_watch *w, vtime now, const char *name, const char *subject,
                       enum alert_state state) {
    if (strcmp(name, "upgrade") == 0) {
        upgrade_phase(w, now, subject);
    } else if (strcmp(name, "mass-delete") == 0) {
        turn(w, now, STATE_QUARANTINED, state != ALERT_CLEARED);
    }
}

void state_watch_reconciled(struct state_watch *w, vtime now,
                            const struct reconciliation_report *report) {
    turn(w, now, STATE_REPAIRING, report->repairs_sent > 0);
}

/* ---- Now ---- */

static bool is_behind(const struct state_watch *w, vtime now) {
    vtime unread = simulation_oldest_unread(w->simulation);
    return unread.ns != VTIME_NEVER.ns && vtime_diff(now, unread) > PIPELINE_STATE_BEHIND_NS;
}

uint32_t state_watch_now(struct state_watch *w, vtime now, uint32_t also) {
    uint32_t states = also;
    for (int state = 0; state < PIPELINE_STATE_COUNT; state++) {
        bool tail =
            w->seen[state].ns != 0 && vtime_diff(now, w->seen[state]) <= PIPELINE_STATE_TAIL_NS;
        states |= w->on[state] || tail ? UINT32_C(1) << state : 0;
    }
    if (is_behind(w, now)) {
        states |= UINT32_C(1) << STATE_CATCHING_UP;
    }
    return states == 0 ? UINT32_C(1) << STATE_STEADY : states;
}
