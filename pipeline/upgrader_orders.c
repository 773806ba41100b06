/*
 * The commands that the upgrader obeys (C8): each is carried out, refused for what it lacks, or a
 * repeat of what is done already.
 */
#include "pipeline/upgrader_parts.h"

static int obey_upgrade(struct partitioned *upgrader, struct upgrader_task *task, uint32_t model,
                        struct effects *effects) {
    struct plan *plan = &task->plan;
    if (model == plan->served || (model == plan->other && plan->phase != SERVING)) {
        return 0;
    }
    if (plan->phase != IDLE) {
        upgrader_refuse_for(upgrader, task, CONTROL_UPGRADE, LACKING_REST,
                            "another upgrade is under way", effects);
        return 0;
    }
    plan->other = model;
    plan->cursor = 0;
    return upgrader_obeyed(upgrader, task, CONTROL_UPGRADE, PREPARING, effects);
}

static int obey_cutover(struct partitioned *upgrader, struct upgrader_task *task,
                        struct effects *effects) {
    struct plan *plan = &task->plan;
    bool prepared = plan->phase == BACKFILLING || plan->phase == VALIDATING || plan->phase == READY;
    if (prepared && bug_on(upgrader->machine.bugs, BUG_CUTOVER_EARLY)) {
        return upgrader_obeyed(upgrader, task, CONTROL_CUTOVER, SWITCHING, effects);
    }
    if (plan->phase == READY) {
        task->judgings = 0;
        return upgrader_enter(upgrader, task, JUDGING, effects);
    }
    if (plan->phase == BACKFILLING) {
        struct sentence why = sentence_begin();
        sentence_add(&why, "the backfill has come to listing ");
        sentence_add_number(&why, plan->cursor);
        upgrader_refuse(upgrader, task, CONTROL_CUTOVER, (enum lacking)GATE_COVERAGE, &why,
                        effects);
    } else if (plan->phase == VALIDATING) {
        upgrader_refuse_for(upgrader, task, CONTROL_CUTOVER, LACKING_VALIDATION,
                            "the gates do not all hold yet", effects);
    } else {
        upgrader_refuse_for(upgrader, task, CONTROL_CUTOVER, LACKING_UPGRADE,
                            "no upgrade was prepared", effects);
    }
    return 0;
}

static int obey_rollback(struct partitioned *upgrader, struct upgrader_task *task,
                         struct effects *effects) {
    if (task->plan.phase != SERVING) {
        upgrader_refuse_for(upgrader, task, CONTROL_ROLLBACK, LACKING_CUTOVER,
                            "there was no cutover, or the former model is retired", effects);
        return 0;
    }
    if (bug_on(upgrader->machine.bugs, BUG_ROLLBACK_LOSES_WRITES)) {
        return upgrader_obeyed(upgrader, task, CONTROL_ROLLBACK, SWITCHING_BACK, effects);
    }
    task->judgings = 0;
    return upgrader_enter(upgrader, task, JUDGING_BACK, effects);
}

static int obey_retire(struct partitioned *upgrader, struct upgrader_task *task,
                       struct effects *effects) {
    if (task->plan.phase != SERVING) {
        upgrader_refuse_for(upgrader, task, CONTROL_RETIRE, LACKING_CUTOVER,
                            "there was no cutover, or it was rolled back", effects);
        return 0;
    }
    return upgrader_obeyed(upgrader, task, CONTROL_RETIRE, RETIRING, effects);
}

static int obey_abandon(struct partitioned *upgrader, struct upgrader_task *task,
                        struct effects *effects) {
    if (task->plan.phase == IDLE || task->plan.phase == SERVING) {
        upgrader_refuse_for(upgrader, task, CONTROL_ABANDON, LACKING_UPGRADE,
                            "no upgrade is under way that was not cut over", effects);
        return 0;
    }
    return upgrader_obeyed(upgrader, task, CONTROL_ABANDON, RETIRING, effects);
}

int upgrader_obey(struct partitioned *upgrader, struct upgrader_task *task,
                  const struct control *control, struct effects *effects) {
    bool repeated = control->kind == task->plan.last;
    switch (control->kind) {
    case CONTROL_UPGRADE:
        return obey_upgrade(upgrader, task, control->model_version, effects);
    case CONTROL_CUTOVER:
        return repeated ? 0 : obey_cutover(upgrader, task, effects);
    case CONTROL_ROLLBACK:
        return repeated ? 0 : obey_rollback(upgrader, task, effects);
    case CONTROL_RETIRE:
        return repeated ? 0 : obey_retire(upgrader, task, effects);
    case CONTROL_ABANDON:
        return repeated ? 0 : obey_abandon(upgrader, task, effects);
    default:
        return 0;
    }
}
