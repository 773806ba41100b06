#include "pipeline/batch_parts.h"

#include <errno.h>

#include "pipeline/sentence.h"

uint64_t batch_drift(const uint64_t counts[DRIFT_CLASS_COUNT]) {
    uint64_t sum = 0;
    for (int c = 0; c < DRIFT_IN_FLIGHT; c++) {
        sum += counts[c];
    }
    return sum;
}

struct batch_scope batch_scope_of(const struct partitioned *batch, const struct batch_task *task) {
    vtime cutoff = vtime_add(task->report.began, -batch->machine.config->reconcile_cutoff_ns);
    return (struct batch_scope){.from = task->report.from,
                                .settled = vtime_before(task->report.to, cutoff) ? task->report.to
                                                                                 : cutoff,
                                .kept_from = batch_bronze_edge(batch, task)};
}

void batch_sides_forget(struct batch_task *task) {
    for (size_t side = 0; side < SALES_SOURCES; side++) {
        kept_sales_forget(&task->sides[side].said);
        task->sides[side].there = false;
    }
}

int batch_read_sales(struct partitioned *batch, struct batch_task *task, enum sales_source source,
                     struct effects *effects) {
    struct effect *request = machine_request(&batch->machine, effects, EFFECT_READ_SALES, 0);
    if (request != NULL) {
        request->sales.rebuilt = source == SALES_MADE;
        request->sales.oltp = source == SALES_OLTP;
        request->sales.from = batch_first_hour(batch, task);
        request->sales.to = task->report.to;
        request->sales.skip = task->sides[source].said.count;
        request->sales.max = batch->machine.config->batch_page_rows;
    }
    return task_expect(batch, &task->task, request, PURPOSE_SALES, source);
}

/* What lies between OLTP and bronze lost orders: said once in a run, since it is mended. */
void batch_tell_missing(struct batch_task *task, struct effects *effects) {
    uint64_t buckets = batch_drift(task->report.source_counts);
    if (buckets == 0) {
        return;
    }
    struct sentence sentence = sentence_begin();
    sentence_add_number(&sentence, buckets);
    sentence_add(&sentence, " buckets of sales are not in bronze as OLTP has them, up to ");
    sentence_add_time(&sentence, task->report.to);
    sentence_add(&sentence, "; OLTP was asked to tell their orders again");
    effects_alert(effects, "orders-missing", "orders", ALERT_WARN, sentence_bytes(&sentence));
}

/* ---- Repair ---- */

/* The last of it: gold's sums of what differed, after silver's orders. */
int batch_mend_sums(struct partitioned *batch, struct batch_task *task, struct effects *effects) {
    struct effect *load = batch_load_begin(batch, task, PURPOSE_REFRESH, effects);
    struct sales_row *rows = load == NULL ? NULL : kept_sales_copy(&task->remade, effects, load);
    if (rows == NULL) {
        return -ENOMEM;
    }
    load->warehouse.repair = true;
    load->warehouse.remade = rows;
    load->warehouse.remade_count = task->remade.count;
    task->report.remade = task->remade.count;
    return 0;
}

/* The partition's orders of what differs are written over silver's. */
int batch_mend_orders(struct partitioned *batch, struct batch_task *task, vtime now,
                      struct effects *effects) {
    struct effect *load = batch_load_begin(batch, task, PURPOSE_REPAIR, effects);
    (void)now;
    int failed =
        load == NULL ? -ENOMEM : batch_repair_orders(&task->sales, &task->remade, effects, load);
    batch_sales_forget(&task->sales);
    return failed;
}

static int republish(struct partitioned *batch, struct batch_task *task, struct effects *effects) {
    struct effect *request = machine_request(&batch->machine, effects, EFFECT_REPUBLISH_SALES, 0);
    if (task_expect(batch, &task->task, request, PURPOSE_REPAIR, 1) != 0) {
        return -ENOMEM;
    }
    request->republish_sales.rows = kept_sales_copy(&task->missing, effects, request);
    request->republish_sales.count = task->missing.count;
    task->report.republished = task->missing.count;
    return request->republish_sales.rows == NULL ? -ENOMEM : 0;
}

/* What differs in the view is made from bronze anew, if anything does. */
static int remake(struct partitioned *batch, struct batch_task *task, vtime now,
                  struct effects *effects) {
    if (task->remade.count == 0 || bug_on(batch->machine.bugs, BUG_BATCH_ONLY_LOOKS)) {
        return batch_finish(batch, task, now, effects);
    }
    task->partition = 0;
    task->offset = 0;
    batch_sales_forget(&task->sales);
    return batch_read_page(batch, task, effects);
}

int batch_mend_begin(struct partitioned *batch, struct task *head, vtime now,
                     struct effects *effects) {
    struct batch_task *task = (struct batch_task *)head;
    if (!task->mends) {
        return 0;
    }
    task->mends = false;
    if (task->missing.count == 0 || bug_on(batch->machine.bugs, BUG_BOOKS_UNREAD)) {
        return remake(batch, task, now, effects);
    }
    return republish(batch, task, effects);
}

/* What is found is said, and stands in the checkpoint, before anything of it is mended: whoever
 * takes over from a batch that dies in it may find nothing any more. */
static int repair(struct partitioned *batch, struct batch_task *task, vtime now,
                  struct effects *effects) {
    task->phase = PHASE_REPAIR;
    if (task->missing.count + task->remade.count == 0) {
        return batch_finish(batch, task, now, effects);
    }
    batch_alert(task, effects);
    task->mends = true;
    return task_save(batch, &task->task, effects);
}

/* Holds one side against another; what differs and is no more on its way is kept. */
static int compare_sides(const struct batch_scope *scope, const struct kept_sales *said,
                         const struct kept_sales *right, uint64_t counts[DRIFT_CLASS_COUNT],
                         struct kept_sales *differing) {
    size_t s = 0, r = 0;
    while (s < said->count || r < right->count) {
        int order = s == said->count    ? 1
                    : r == right->count ? -1
                                        : batch_sales_order_of(&said->rows[s], &right->rows[r]);
        const struct sales_row *a = order <= 0 ? &said->rows[s] : NULL;
        const struct sales_row *b = order >= 0 ? &right->rows[r] : NULL;
        uint64_t before = batch_drift(counts);
        batch_compare_sales(scope, a, b, counts);
        if (batch_drift(counts) > before && kept_sales_add(differing, b != NULL ? b : a) != 0) {
            return -ENOMEM;
        }
        s += order <= 0;
        r += order >= 0;
    }
    return 0;
}

int batch_sales_read(struct partitioned *batch, struct batch_task *task, const struct event *event,
                     enum sales_source source, struct effects *effects) {
    struct sales_side *side = &task->sides[source];
    for (size_t i = 0; i < event->sales.count; i++) {
        if (kept_sales_add(&side->said, &event->sales.rows[i]) != 0) {
            return -ENOMEM;
        }
    }
    if (event->sales.count == batch->machine.config->batch_page_rows) {
        return batch_read_sales(batch, task, source, effects);
    }
    side->there = true;
    for (int i = 0; i < SALES_SOURCES; i++) {
        if (!task->sides[i].there) {
            return 0;
        }
    }
    struct batch_scope scope = batch_scope_of(batch, task);
    const struct kept_sales *made = &task->sides[SALES_MADE].said;
    bool unread = bug_on(batch->machine.bugs, BUG_VIEW_UNREAD);
    const struct kept_sales *view = unread ? made : &task->sides[SALES_VIEW].said;
    if (compare_sides(&scope, view, made, task->report.sales_counts, &task->remade) != 0 ||
        compare_sides(&scope, made, &task->sides[SALES_OLTP].said, task->report.source_counts,
                      &task->missing) != 0) {
        return -ENOMEM;
    }
    batch_sides_forget(task);
    return repair(batch, task, event->now, effects);
}

/* A step of the repair is done; `republished`: it was OLTP's. */
int batch_mended(struct partitioned *batch, struct batch_task *task, bool republished, vtime now,
                 struct effects *effects) {
    return republished ? remake(batch, task, now, effects)
                       : batch_partition_done(batch, task, now, effects);
}

int batch_mend_refresh(struct partitioned *batch, struct batch_task *task,
                       struct effects *effects) {
    struct effect *request = machine_request(&batch->machine, effects, EFFECT_REFRESH_DASHBOARD, 0);
    if (request != NULL) {
        request->refresh.whole = true;
    }
    return task_expect(batch, &task->task, request, PURPOSE_REFRESH, 1);
}
