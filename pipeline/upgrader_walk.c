/*
 * Walks of the upgrader over gold and a model's collections, page by page: one that fills what
 * lacks, and one that judges the gates.
 */
#include "pipeline/upgrader_parts.h"

#include <assert.h>
#include <errno.h>

/* Looks at a page that differs before its differences count. */
enum { LOOKS_MAX = 3 };
/* Times that repairs of a page are asked for in vain before the walk leaves it to the gates. */
enum { REPAIRS_MAX = 10 };
/* Judgements in a row that may take too long. */
enum { JUDGINGS_MAX = 20 };

/* ---- Walking ---- */

void upgrader_arm_tending(const struct partitioned *upgrader, struct upgrader_task *task, vtime now,
                          struct effects *effects) {
    int64_t tend_ns = upgrader->machine.config->upgrade_tend_ns;
    if (tend_ns > 0 && !bug_on(upgrader->machine.bugs, BUG_STANDBY_UNTENDED)) {
        upgrader_arm(task, TIMER_TEND, tend_ns, now, effects);
    }
}

static bool repairs_on_walk(const struct upgrader_task *task) {
    return task->plan.phase == BACKFILLING || task->tending;
}

static int scan(struct partitioned *upgrader, struct upgrader_task *task, enum page_reading reading,
                struct effects *effects) {
    uint32_t rows = upgrader->machine.config->upgrade_page_rows;
    struct effect *scan = machine_request(&upgrader->machine, effects, EFFECT_SCAN, 0);
    if (upgrader_expect(upgrader, task, scan, PURPOSE_SCAN, reading) != 0) {
        return -ENOMEM;
    }
    task->scans_due++;
    int modality = reading == PAGE_SERVED ? MODALITY_TEXT : (int)reading - PAGE_COLLECTIONS;
    scan->scan.store =
        reading == PAGE_GOLD ? SCAN_GOLD : (enum scan_store)(SCAN_VECTOR_TEXT + modality);
    scan->scan.model_version = reading == PAGE_GOLD     ? 0
                               : reading == PAGE_SERVED ? task->plan.served
                                                        : task->plan.other;
    scan->scan.first = task->page.first;
    scan->scan.last = task->page.last;
    scan->scan.page = true;
    /* Beyond gold's rows a collection may hold some that should not be there. */
    scan->scan.max = reading == PAGE_GOLD ? rows : 2 * rows;
    scan->scan.rows = effect_alloc(effects, scan, scan->scan.max * sizeof *scan->scan.rows);
    return scan->scan.rows == NULL ? -ENOMEM : 0;
}

/* Looks at the page that begins at this listing. */
int upgrader_look(struct partitioned *upgrader, struct upgrader_task *task, uint64_t first,
                  struct effects *effects) {
    upgrade_page_begin(&task->page, first);
    return scan(upgrader, task, PAGE_GOLD, effects);
}

static void page_fresh(struct upgrader_task *task) {
    task->looks = 0;
    task->repairs = 0;
    task->asked_last = 0;
    task->held_since = (vtime){0};
}

int upgrader_walk_begin(struct partitioned *upgrader, struct upgrader_task *task, uint64_t first,
                        struct effects *effects) {
    upgrade_gates_begin(&task->gates);
    page_fresh(task);
    return upgrader_look(upgrader, task, first, effects);
}

static void look_later(struct upgrader_task *task, int64_t pause_ns, vtime now,
                       struct effects *effects) {
    upgrader_arm(task, TIMER_LOOK, pause_ns, now, effects);
}

static int walk_end(struct partitioned *upgrader, struct upgrader_task *task, vtime now,
                    struct effects *effects);

/* The page is settled: on to the next one. */
static int page_done(struct partitioned *upgrader, struct upgrader_task *task, vtime now,
                     struct effects *effects) {
    upgrade_gates_count(&task->gates, &task->verdict.counts);
    uint64_t next = task->page.last + 1;
    if (next == 0) {
        return walk_end(upgrader, task, now, effects);
    }
    page_fresh(task);
    if (!repairs_on_walk(task)) {
        return upgrader_look(upgrader, task, next, effects);
    }
    task->page.first = next;
    if (!task->tending) {
        task->plan.cursor = next;
        task_changed(upgrader, &task->task, now, effects);
    }
    look_later(task, upgrader->machine.config->backfill_pause_ns, now, effects);
    return 0;
}

/* The live writes of this page are behind, and not for so long yet that waiting has no end. */
static bool walk_holds(struct partitioned *upgrader, struct upgrader_task *task, vtime now) {
    const struct pipeline_config *config = upgrader->machine.config;
    vtime since = vtime_add(now, -config->backfill_lag_ns);
    if (upgrade_page_live_lag(&task->page, since) == 0) {
        task->held_since = (vtime){0};
        return false;
    }
    if (task->held_since.ns == 0) {
        task->held_since = now;
        machine_count(&upgrader->machine, COUNTER_BACKFILL_HOLDS, 1);
    }
    return vtime_diff(now, task->held_since) < config->backfill_hold_max_ns;
}

/* One listing a request: the builder writes all vectors that it knows to be lacking at once. */
static int ask_repairs(struct partitioned *upgrader, struct upgrader_task *task, vtime now,
                       struct effects *effects) {
    size_t most = upgrader->machine.config->backfill_batch;
    size_t batch = task->verdict.count < most ? task->verdict.count : most;
    for (int m = 0; m < MODALITY_COUNT; m++) {
        struct effect *repair = NULL;
        for (size_t i = 0; i < batch; i++) {
            const struct page_difference *difference = &task->verdict.differences[i];
            bool first = (difference->modalities & ((1u << m) - 1)) == 0;
            if (!first || (difference->modalities >> m & 1) == 0) {
                continue;
            }
            if (repair == NULL) {
                repair = effects_add(effects, EFFECT_REPAIR, 0, 0);
                uint64_t *ids =
                    repair == NULL ? NULL : effect_alloc(effects, repair, batch * sizeof *ids);
                if (ids == NULL) {
                    return -ENOMEM;
                }
                repair->listings.listing_ids = ids;
                repair->listings.store = (enum scan_store)(SCAN_VECTOR_TEXT + m);
                repair->listings.model_version = task->plan.other;
            }
            repair->listings.listing_ids[repair->listings.count++] = difference->listing_id;
        }
    }
    machine_count(&upgrader->machine, COUNTER_BACKFILL_REPAIRS, batch);
    task->asked_last = task->verdict.differences[batch - 1].listing_id;
    task->asked_at = now;
    task->repairs++;
    return 0;
}

/* Backfilling: what lacks is asked for, a batch at a time, until nothing lacks. */
static int page_repair(struct partitioned *upgrader, struct upgrader_task *task, vtime now,
                       struct effects *effects) {
    const struct pipeline_config *config = upgrader->machine.config;
    if (task->verdict.count == 0) {
        return page_done(upgrader, task, now, effects);
    }
    bool answered = task->verdict.differences[0].listing_id > task->asked_last;
    bool lost = vtime_diff(now, task->asked_at) >= config->backfill_resend_ns;
    if (walk_holds(upgrader, task, now)) {
        look_later(task, config->upgrade_settle_ns, now, effects);
        return 0;
    }
    if (answered || lost) {
        task->repairs = answered ? 0 : task->repairs;
        if (task->repairs >= REPAIRS_MAX) {
            return page_done(upgrader, task, now, effects);
        }
        if (ask_repairs(upgrader, task, now, effects) != 0) {
            return -ENOMEM;
        }
    }
    look_later(task, config->backfill_pause_ns, now, effects);
    return 0;
}

static void sample(void *ctx, enum modality modality, const struct scan_row *row) {
    upgrade_gates_sample(ctx, modality, row);
}

/* Differences to rows that gold changed after this moment may be in flight. */
static vtime walk_cutoff(const struct partitioned *upgrader, const struct upgrader_task *task,
                         vtime now) {
    vtime cutoff = vtime_add(now, -upgrader->machine.config->upgrade_cutoff_ns);
    switch (task->plan.phase) {
    case BACKFILLING:
        return VTIME_NEVER;
    case JUDGING_BACK:
    case READY:
    case SERVING:
        return cutoff;
    default:
        return vtime_max(cutoff, task->plan.walked);
    }
}

/* All stores answered for the page. */
static int page_read(struct partitioned *upgrader, struct upgrader_task *task, vtime now,
                     struct effects *effects) {
    vtime cutoff = walk_cutoff(upgrader, task, now);
    if (upgrade_page_compare(&task->page, task->plan.other, cutoff, &task->verdict, sample,
                             &task->gates) != 0) {
        return -ENOMEM;
    }
    if (repairs_on_walk(task)) {
        return page_repair(upgrader, task, now, effects);
    }
    if (task->verdict.count > 0 && ++task->looks < LOOKS_MAX) {
        look_later(task, upgrader->machine.config->upgrade_settle_ns, now, effects);
        return 0;
    }
    return page_done(upgrader, task, now, effects);
}

int upgrader_scanned(struct partitioned *upgrader, struct upgrader_task *task,
                     enum page_reading reading, const struct event *event,
                     struct effects *effects) {
    if (upgrade_page_keep(&task->page, reading, event->answered) != 0) {
        return -ENOMEM;
    }
    assert(task->scans_due > 0);
    if (--task->scans_due > 0) {
        return 0;
    }
    if (reading != PAGE_GOLD) {
        return page_read(upgrader, task, event->now, effects);
    }
    size_t readings = repairs_on_walk(task) ? PAGE_READINGS : PAGE_SERVED;
    for (size_t i = PAGE_COLLECTIONS; i < readings; i++) {
        if (scan(upgrader, task, (enum page_reading)i, effects) != 0) {
            return -ENOMEM;
        }
    }
    return 0;
}

/* ---- Gates ---- */

/* The stores were too slow for a judgement that means something: once more, but not for ever. */
static int judge_again(struct partitioned *upgrader, struct upgrader_task *task,
                       enum control_kind kind, enum phase refused, struct effects *effects) {
    if (++task->judgings < JUDGINGS_MAX) {
        return upgrader_enter(upgrader, task, task->plan.phase, effects);
    }
    upgrader_refuse_for(upgrader, task, kind, LACKING_TIME,
                        "the stores are too slow for the gates to be judged in time", effects);
    return upgrader_enter(upgrader, task, refused, effects);
}

/* What the gates say is what the phase was for. */
static int gates_judged(struct partitioned *upgrader, struct upgrader_task *task, vtime now,
                        struct effects *effects) {
    struct sentence why;
    enum upgrade_gate gate = upgrade_gates_judge(&task->gates, upgrader->machine.config, &why);
    bool holds = gate == GATE_COUNT;
    machine_count(&upgrader->machine, COUNTER_GATES_JUDGED, 1);
    bool fresh = upgrader_fresh(upgrader, task, now);
    switch (task->plan.phase) {
    case JUDGING:
        if (!fresh) {
            return judge_again(upgrader, task, CONTROL_CUTOVER, VALIDATING, effects);
        }
        if (!holds) {
            upgrader_refuse(upgrader, task, CONTROL_CUTOVER, (enum lacking)gate, &why, effects);
            return upgrader_enter(upgrader, task, VALIDATING, effects);
        }
        return upgrader_obeyed(upgrader, task, CONTROL_CUTOVER, SWITCHING, effects);
    case JUDGING_BACK:
        if (!fresh) {
            return judge_again(upgrader, task, CONTROL_ROLLBACK, SERVING, effects);
        }
        if (!holds) {
            upgrader_refuse(upgrader, task, CONTROL_ROLLBACK, (enum lacking)gate, &why, effects);
            return upgrader_enter(upgrader, task, SERVING, effects);
        }
        return upgrader_obeyed(upgrader, task, CONTROL_ROLLBACK, SWITCHING_BACK, effects);
    default:
        assert(task->plan.phase == VALIDATING);
        if (holds) {
            return upgrader_enter(upgrader, task, READY, effects);
        }
        upgrader_say(effects, "upgrade", upgrade_gate_name(gate), ALERT_INFO, &why);
        if (gate == GATE_COVERAGE || gate == GATE_VERSIONS) {
            return upgrader_enter(upgrader, task, BACKFILLING, effects);
        }
        upgrader_arm(task, TIMER_VALIDATE, upgrader->machine.config->upgrade_retry_ns, now,
                     effects);
        return 0;
    }
}

static int read_sample(struct partitioned *upgrader, struct upgrader_task *task,
                       enum gate_side side, struct effects *effects) {
    struct effect *read = machine_request(&upgrader->machine, effects, EFFECT_READ_VECTORS, 0);
    if (upgrader_expect(upgrader, task, read, PURPOSE_READ, side) != 0) {
        return -ENOMEM;
    }
    read->read.model_version = side == GATE_SHADOW ? task->plan.other : task->plan.served;
    return upgrade_gates_read(&task->gates, task->judged, effects, read);
}

/* Reads and searches by modality, from the one that is next; then judges. */
static int judge_on(struct partitioned *upgrader, struct upgrader_task *task, int next, vtime now,
                    struct effects *effects) {
    while (next < MODALITY_COUNT && task->gates.sample_counts[next] == 0) {
        next++;
    }
    if (next == MODALITY_COUNT) {
        return gates_judged(upgrader, task, now, effects);
    }
    task->judged = (enum modality)next;
    return read_sample(upgrader, task, GATE_SHADOW, effects) == 0 &&
                   read_sample(upgrader, task, GATE_OLD, effects) == 0
               ? 0
               : -ENOMEM;
}

static int search(struct partitioned *upgrader, struct upgrader_task *task, enum gate_search which,
                  const struct effect *read, struct effects *effects) {
    struct effect *search = machine_request(&upgrader->machine, effects, EFFECT_SEARCH, 0);
    if (upgrader_expect(upgrader, task, search, PURPOSE_SEARCH, which) != 0) {
        return -ENOMEM;
    }
    search->search.ef = upgrader->machine.config->upgrade_search_ef;
    return upgrade_gates_search(&task->gates, which, read, effects, search);
}

int upgrader_vectors_read(struct partitioned *upgrader, struct upgrader_task *task,
                          enum gate_side side, const struct effect *read, struct effects *effects) {
    if (upgrade_gates_drift(&task->gates, task->judged, side, read) != 0) {
        return -ENOMEM;
    }
    if (side == GATE_OLD) {
        return search(upgrader, task, SEARCH_OLD_EXACT, read, effects);
    }
    if (search(upgrader, task, SEARCH_SHADOW, read, effects) != 0) {
        return -ENOMEM;
    }
    return search(upgrader, task, SEARCH_SHADOW_EXACT, read, effects);
}

int upgrader_searched(struct partitioned *upgrader, struct upgrader_task *task,
                      enum gate_search which, const struct event *event, struct effects *effects) {
    upgrade_gates_found(&task->gates, which, event->answered);
    if (task->due > 0) {
        return 0;
    }
    upgrade_gates_compare(&task->gates, task->judged);
    return judge_on(upgrader, task, (int)task->judged + 1, event->now, effects);
}

static int walk_end(struct partitioned *upgrader, struct upgrader_task *task, vtime now,
                    struct effects *effects) {
    if (task->tending) {
        task->tending = false;
        upgrader_arm_tending(upgrader, task, now, effects);
        return 0;
    }
    if (task->plan.phase == BACKFILLING) {
        task->plan.walked = now;
        task->plan.cursor = 0;
        return upgrader_enter(upgrader, task, VALIDATING, effects);
    }
    const struct page_counts *counts = &task->gates.counts;
    bool complete = counts->missing + counts->behind + counts->extra == 0;
    if (!complete || task->plan.phase == JUDGING_BACK) {
        return gates_judged(upgrader, task, now, effects);
    }
    return judge_on(upgrader, task, 0, now, effects);
}
