/*
 * The upgrader (A10): what each phase does, and how its machine lives. The phases and the rules
 * between them are those of pipeline/upgrader_parts.h.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/record.h"
#include "pipeline/upgrader_parts.h"

/* No request of a dead process is on its way for longer. */
#define LATE_NS (10 * VTIME_SECOND)

/* ---- Phases ---- */

static int phase_begin(struct partitioned *upgrader, struct upgrader_task *task, vtime now,
                       struct effects *effects);

static bool holds_commands(const struct upgrader_task *task) {
    return task->plan.served == 0 || upgrader_phase_is_short(task->plan.phase);
}

static int fetch_commands(struct partitioned *upgrader, struct upgrader_task *task,
                          struct effects *effects) {
    if (task->fetching || holds_commands(task)) {
        return 0;
    }
    task->fetching = true;
    return task_fetch(upgrader, &task->task, 0, false, effects);
}

int upgrader_enter(struct partitioned *upgrader, struct upgrader_task *task, enum phase phase,
                   struct effects *effects) {
    task->plan.phase = phase;
    task->entering = true;
    task->tending = false;
    task->due = task->scans_due = 0;
    memset(task->timer_at, 0, sizeof task->timer_at);
    task_forget(upgrader, &task->task);
    upgrader_say_phase(&task->plan, effects);
    return task_save(upgrader, &task->task, effects);
}

int upgrader_obeyed(struct partitioned *upgrader, struct upgrader_task *task,
                    enum control_kind kind, enum phase phase, struct effects *effects) {
    upgrader_clear_refusal(task, kind, effects);
    task->plan.last = kind;
    return upgrader_enter(upgrader, task, phase, effects);
}

static int task_saved(struct partitioned *upgrader, struct task *head, vtime now,
                      struct effects *effects) {
    struct upgrader_task *task = (struct upgrader_task *)head;
    if (!task->entering) {
        return 0;
    }
    task->entering = false;
    upgrader_tell_refusal(task, effects);
    return phase_begin(upgrader, task, now, effects);
}

bool upgrader_fresh(const struct partitioned *upgrader, const struct upgrader_task *task,
                    vtime now) {
    return task->judging_since.ns != 0 &&
           vtime_diff(now, task->judging_since) <= upgrader->machine.config->upgrade_fresh_ns;
}

int upgrader_expect(struct partitioned *upgrader, struct upgrader_task *task, struct effect *effect,
                    uint32_t purpose, uint32_t index) {
    task->due++;
    return task_expect(upgrader, &task->task, effect, purpose, index);
}

void upgrader_arm(struct upgrader_task *task, uint32_t id, int64_t delay_ns, vtime now,
                  struct effects *effects) {
    vtime at = vtime_add(now, delay_ns);
    task->timer_at[id - TASK_TIMER_OWN] = at;
    task_timer(effects, &task->task, id, at);
}

static struct effect *administer(struct partitioned *upgrader, struct effects *effects,
                                 struct vector_admin what) {
    struct effect *admin = machine_request(&upgrader->machine, effects, EFFECT_VECTOR_ADMIN, 0);
    if (admin != NULL) {
        admin->admin.what = what;
    }
    return admin;
}

static int ask_targets(struct partitioned *upgrader, struct upgrader_task *task, uint32_t purpose,
                       struct effects *effects) {
    return upgrader_expect(
        upgrader, task,
        administer(upgrader, effects, (struct vector_admin){.kind = VECTOR_TARGETS}), purpose, 0);
}

/* Creates or drops the collections of a model version, each by a request of its own. */
static int administer_all(struct partitioned *upgrader, struct upgrader_task *task,
                          enum vector_admin_kind kind, uint32_t purpose, struct effects *effects) {
    for (uint32_t m = 0; m < MODALITY_COUNT; m++) {
        struct vector_admin what = {kind, (enum modality)m, task->plan.other, 0};
        if (upgrader_expect(upgrader, task, administer(upgrader, effects, what), purpose, m) != 0) {
            return -ENOMEM;
        }
    }
    return 0;
}

/* Tells the machines that write vectors which models there are from here on. */
static int announce(struct partitioned *upgrader, struct upgrader_task *task, uint32_t served,
                    uint32_t other, vtime now, struct effects *effects) {
    uint64_t number = ++task->plan.announced;
    struct record record = {
        .type = RECORD_CONTROL,
        .op = RECORD_UPSERT,
        .contract_version = RECORD_CONTRACT_VERSION,
        .stamp = {now, {CONTROL_MODELS, number}},
        .control = {.kind = CONTROL_MODELS,
                    .model_version = served,
                    .model_other = other,
                    .id = number},
    };
    struct effect *produce = machine_request(&upgrader->machine, effects, EFFECT_PRODUCE, 0);
    size_t room = record_encoded_bound(&record, NULL, 0);
    char *buffer = produce == NULL ? NULL : effect_alloc(effects, produce, room);
    if (buffer == NULL) {
        return -ENOMEM;
    }
    produce->produce.items = effect_alloc(effects, produce, sizeof *produce->produce.items);
    produce->produce.results = effect_alloc(effects, produce, sizeof *produce->produce.results);
    if (produce->produce.items == NULL || produce->produce.results == NULL) {
        return -ENOMEM;
    }
    int64_t length = record_encode(&record, NULL, 0, buffer, room);
    assert(length > 0);
    produce->produce.items[0] =
        (struct produce_item){TOPIC_CONTROL, CONTROL_KEY, {buffer, (size_t)length}};
    produce->produce.count = 1;
    task_changed(upgrader, &task->task, now, effects);
    return upgrader_expect(upgrader, task, produce, PURPOSE_ANNOUNCE, 0);
}

/* ---- What a phase does ---- */

/* A switch is sent on a fresh judgement, once. Without one, as after a crash, first whatever was on
 * its way must arrive. */
static int switch_begin(struct partitioned *upgrader, struct upgrader_task *task, vtime now,
                        struct effects *effects) {
    struct vector_admin turn = {.kind = VECTOR_SWITCH,
                                .from_version = task->plan.served,
                                .model_version = task->plan.other};
    bool early = bug_on(upgrader->machine.bugs, BUG_CUTOVER_EARLY) ||
                 bug_on(upgrader->machine.bugs, BUG_ROLLBACK_LOSES_WRITES);
    if (!early && !upgrader_fresh(upgrader, task, now)) {
        upgrader_arm(task, TIMER_LATE, LATE_NS, now, effects);
        return 0;
    }
    task->judging_since = (vtime){0};
    return upgrader_expect(upgrader, task, administer(upgrader, effects, turn), PURPOSE_SWITCH, 0);
}

static int phase_begin(struct partitioned *upgrader, struct upgrader_task *task, vtime now,
                       struct effects *effects) {
    struct plan *plan = &task->plan;
    if (fetch_commands(upgrader, task, effects) != 0) {
        return -ENOMEM;
    }
    switch (plan->phase) {
    case IDLE:
        return plan->served == 0 ? ask_targets(upgrader, task, PURPOSE_TARGETS, effects) : 0;
    case JUDGING:
    case JUDGING_BACK:
        task->judging_since = now;
        return ask_targets(upgrader, task, PURPOSE_TARGETS, effects);
    case BACKFILLING:
    case VALIDATING:
        return ask_targets(upgrader, task, PURPOSE_TARGETS, effects);
    case PREPARING:
        return administer_all(upgrader, task, VECTOR_CREATE, PURPOSE_CREATE, effects);
    case READY:
    case SERVING:
        upgrader_arm(task, TIMER_GUARD, upgrader->machine.config->upgrade_guard_ns, now, effects);
        upgrader_arm_tending(upgrader, task, now, effects);
        return 0;
    case SWITCHING:
    case SWITCHING_BACK:
        return switch_begin(upgrader, task, now, effects);
    case RETIRING:
        return announce(upgrader, task, plan->served, 0, now, effects);
    case PHASE_COUNT:
        break;
    }
    assert(0 && "no phase");
    return 0;
}

/* The collections that a walk would go through are not all there. */
static int rows_gone(struct partitioned *upgrader, struct upgrader_task *task,
                     struct effects *effects) {
    static const char why[] = "the collections of the other model are not all there";
    if (task->plan.phase == JUDGING_BACK) {
        upgrader_refuse_for(upgrader, task, CONTROL_ROLLBACK, LACKING_ROWS, why, effects);
        return upgrader_enter(upgrader, task, SERVING, effects);
    }
    if (task->plan.phase == JUDGING) {
        upgrader_refuse_for(upgrader, task, CONTROL_CUTOVER, LACKING_ROWS, why, effects);
    }
    task->plan.cursor = 0;
    return upgrader_enter(upgrader, task, PREPARING, effects);
}

static int targets_known(struct partitioned *upgrader, struct upgrader_task *task,
                         const struct event *event, struct effects *effects) {
    const struct vector_targets *targets = &event->answered->admin.targets;
    struct plan *plan = &task->plan;
    if (plan->phase == IDLE) {
        uint32_t served = vector_targets_served(targets);
        plan->served = served == 0 ? upgrader->machine.config->model_version : served;
        task_changed(upgrader, &task->task, event->now, effects);
        return fetch_commands(upgrader, task, effects);
    }
    if (vector_targets_modalities(targets, plan->other) != (1u << MODALITY_COUNT) - 1) {
        return rows_gone(upgrader, task, effects);
    }
    return upgrader_walk_begin(upgrader, task, plan->phase == BACKFILLING ? plan->cursor : 0,
                               effects);
}

/* The aliases of a model that is not served any more, or not yet, were moved by a request that came
 * late: they go back. */
static int guard(struct partitioned *upgrader, struct upgrader_task *task,
                 const struct event *event, struct effects *effects) {
    const struct plan *plan = &task->plan;
    upgrader_arm(task, TIMER_GUARD, upgrader->machine.config->upgrade_guard_ns, event->now,
                 effects);
    if (vector_targets_served(&event->answered->admin.targets) == plan->served ||
        bug_on(upgrader->machine.bugs, BUG_SWITCH_BELIEVED)) {
        return 0;
    }
    struct sentence sentence = sentence_begin();
    sentence_add(&sentence, "the aliases do not point to model ");
    sentence_add_number(&sentence, plan->served);
    sentence_add(&sentence, " any more: they are led back");
    upgrader_say(effects, "alias-moved", "upgrader", ALERT_WARN, &sentence);
    struct vector_admin back = {
        .kind = VECTOR_SWITCH, .from_version = plan->other, .model_version = plan->served};
    return upgrader_expect(upgrader, task, administer(upgrader, effects, back), PURPOSE_LEAD_BACK,
                           0);
}

static int retire_rows(struct partitioned *upgrader, struct upgrader_task *task,
                       struct effects *effects) {
    return administer_all(upgrader, task, VECTOR_DROP, PURPOSE_DROP, effects);
}

/* The aliases point to the other model: the builders are told. */
static int turned(struct partitioned *upgrader, struct upgrader_task *task, vtime now,
                  struct effects *effects) {
    const struct plan *plan = &task->plan;
    machine_count(&upgrader->machine, COUNTER_ALIAS_SWITCHES, 1);
    bool forgets =
        plan->phase == SWITCHING && bug_on(upgrader->machine.bugs, BUG_ROLLBACK_LOSES_WRITES);
    return announce(upgrader, task, plan->other, forgets ? 0 : plan->served, now, effects);
}

static int switched(struct partitioned *upgrader, struct upgrader_task *task,
                    const struct event *event, struct effects *effects) {
    const struct plan *plan = &task->plan;
    enum item_status status = event->answered->admin.status;
    bool back = plan->phase == SWITCHING_BACK;
    if (plan->phase == RETIRING && status != ITEM_MISSING) {
        return retire_rows(upgrader, task, effects);
    }
    if (status != ITEM_APPLIED) {
        enum control_kind kind = plan->phase == RETIRING ? CONTROL_RETIRE
                                 : back                  ? CONTROL_ROLLBACK
                                                         : CONTROL_CUTOVER;
        upgrader_refuse_for(
            upgrader, task, kind, LACKING_ROWS,
            "the aliases point to neither model, or the other one has no collections", effects);
        bool before_cutover = plan->phase == SWITCHING || plan->last == CONTROL_ABANDON;
        return upgrader_enter(upgrader, task, before_cutover ? VALIDATING : SERVING, effects);
    }
    return turned(upgrader, task, event->now, effects);
}

/* It is known whether the switch took place. */
static int settled(struct partitioned *upgrader, struct upgrader_task *task,
                   const struct event *event, struct effects *effects) {
    const struct plan *plan = &task->plan;
    if (vector_targets_served(&event->answered->admin.targets) == plan->other ||
        bug_on(upgrader->machine.bugs, BUG_SWITCH_BELIEVED)) {
        return turned(upgrader, task, event->now, effects);
    }
    if (plan->phase == SWITCHING && bug_on(upgrader->machine.bugs, BUG_CUTOVER_EARLY)) {
        return upgrader_enter(upgrader, task, SWITCHING, effects);
    }
    return upgrader_enter(upgrader, task, plan->phase == SWITCHING ? JUDGING : JUDGING_BACK,
                          effects);
}

static int announced(struct partitioned *upgrader, struct upgrader_task *task, vtime now,
                     struct effects *effects) {
    struct plan *plan = &task->plan;
    if (plan->phase == RETIRING) {
        upgrader_arm(task, TIMER_DRAINED, upgrader->machine.config->upgrade_drain_ns, now, effects);
        return 0;
    }
    if (plan->phase == PREPARING) {
        return upgrader_enter(upgrader, task, BACKFILLING, effects);
    }
    uint32_t former = plan->served;
    plan->served = plan->other;
    plan->other = former;
    plan->walked = now;
    return upgrader_enter(upgrader, task, plan->phase == SWITCHING ? SERVING : VALIDATING, effects);
}

static int answered(struct partitioned *upgrader, struct task *head, uint32_t purpose,
                    uint32_t argument, const struct event *event, struct effects *effects,
                    bool *again) {
    struct upgrader_task *task = (struct upgrader_task *)head;
    (void)again;
    assert(task->due > 0);
    task->due--;
    switch (purpose) {
    case PURPOSE_TARGETS:
        return targets_known(upgrader, task, event, effects);
    case PURPOSE_CREATE:
        return task->due > 0 ? 0
                             : announce(upgrader, task, task->plan.served, task->plan.other,
                                        event->now, effects);
    case PURPOSE_ANNOUNCE:
        return announced(upgrader, task, event->now, effects);
    case PURPOSE_SWITCH:
        return switched(upgrader, task, event, effects);
    case PURPOSE_DROP:
        if (task->due > 0) {
            return 0;
        }
        task->plan.other = 0;
        task->plan.walked = (vtime){0};
        return upgrader_enter(upgrader, task, IDLE, effects);
    case PURPOSE_SCAN:
        return upgrader_scanned(upgrader, task, (enum page_reading)argument, event, effects);
    case PURPOSE_READ:
        return upgrader_vectors_read(upgrader, task, (enum gate_side)argument, event->answered,
                                     effects);
    case PURPOSE_SEARCH:
        return upgrader_searched(upgrader, task, (enum gate_search)argument, event, effects);
    case PURPOSE_SETTLE:
        return settled(upgrader, task, event, effects);
    case PURPOSE_GUARD:
        return guard(upgrader, task, event, effects);
    default:
        assert(purpose == PURPOSE_LEAD_BACK);
        return 0;
    }
}

/* A switch that failed is not sent again as it is, and rows that are gone are not asked for for
 * ever. */
static int refused(struct partitioned *upgrader, struct task *head, uint32_t purpose,
                   uint32_t argument, const struct event *event, struct effects *effects,
                   bool *again) {
    struct upgrader_task *task = (struct upgrader_task *)head;
    (void)argument;
    bool reads = purpose == PURPOSE_SCAN || purpose == PURPOSE_READ || purpose == PURPOSE_SEARCH;
    bool turns = purpose == PURPOSE_SWITCH && task->plan.phase != RETIRING;
    *again = !turns && !(reads && event->error == PORT_NOT_FOUND);
    if (*again) {
        return 0;
    }
    task->due--;
    if (task->tending) {
        return upgrader_enter(upgrader, task, task->plan.phase, effects);
    }
    return turns ? ask_targets(upgrader, task, PURPOSE_SETTLE, effects)
                 : rows_gone(upgrader, task, effects);
}

static int task_timer_due(struct partitioned *upgrader, struct task *head, uint32_t id, vtime now,
                          struct effects *effects) {
    struct upgrader_task *task = (struct upgrader_task *)head;
    vtime *at = &task->timer_at[id - TASK_TIMER_OWN];
    /* One of a phase that is over comes before its time. One that comes after it counts: a process
     * that stood still hears late. */
    if (at->ns == 0 || vtime_before(now, *at)) {
        return 0;
    }
    *at = (vtime){0};
    struct vector_admin stay = {.kind = VECTOR_SWITCH,
                                .from_version = task->plan.other,
                                .model_version = task->plan.served};
    switch (id) {
    case TIMER_LOOK:
        return upgrader_look(upgrader, task, task->page.first, effects);
    case TIMER_DRAINED:
        /* Not one alias points to what is dropped next. */
        return upgrader_expect(upgrader, task, administer(upgrader, effects, stay), PURPOSE_SWITCH,
                               0);
    case TIMER_LATE:
        return ask_targets(upgrader, task, PURPOSE_SETTLE, effects);
    case TIMER_GUARD:
        return ask_targets(upgrader, task, PURPOSE_GUARD, effects);
    case TIMER_TEND:
        task->tending = true;
        return upgrader_walk_begin(upgrader, task, 0, effects);
    default:
        assert(id == TIMER_VALIDATE);
        return phase_begin(upgrader, task, now, effects);
    }
}

/* ---- Life ---- */

/* Commands are read one by one, until one has to be waited for: the rest is fetched again. */
static int records(struct partitioned *upgrader, struct task *head, size_t index,
                   const struct event *event, struct effects *effects) {
    struct upgrader_task *task = (struct upgrader_task *)head;
    struct source *source = &head->sources[index];
    task->fetching = false;
    for (size_t i = 0; i < event->records.count && !holds_commands(task); i++) {
        const struct log_record *logged = &event->records.records[i];
        struct record record;
        struct record_error error;
        source->next = source->safe = logged->offset + 1;
        task_changed(upgrader, head, event->now, effects);
        machine_count(&upgrader->machine, COUNTER_RECORDS_READ, 1);
        if (record_of_topic(source->topic, logged->value, &record, &error) != 0) {
            continue;
        }
        if (record.control.kind == CONTROL_MODELS && record.control.id > task->plan.announced) {
            task->plan.announced = record.control.id; /* builders obey no lower number any more */
        }
        if (upgrader_obey(upgrader, task, &record.control, effects) != 0) {
            return -ENOMEM;
        }
    }
    return fetch_commands(upgrader, task, effects);
}

static int task_init(struct partitioned *upgrader, struct task *head) {
    struct upgrader_task *task = (struct upgrader_task *)head;
    if (task_sources(head, 1) != 0) {
        return -ENOMEM;
    }
    head->sources[0].topic = TOPIC_CONTROL;
    head->sources[0].partition = topic_partition(CONTROL_KEY, upgrader->machine.config->partitions);
    memset(task->plan.refused, LACKING_NOTHING, sizeof task->plan.refused);
    return 0;
}

static void task_release(struct task *head) {
    struct upgrader_task *task = (struct upgrader_task *)head;
    upgrade_page_release(&task->page);
    free(task->verdict.differences);
}

static int task_begin(struct partitioned *upgrader, struct task *head, const struct event *event,
                      struct effects *effects) {
    return phase_begin(upgrader, (struct upgrader_task *)head, event->now, effects);
}

static int save_entries(struct partitioned *upgrader, struct task *head, struct effect *save,
                        struct effects *effects) {
    (void)upgrader;
    struct state_entry *entry = effect_alloc(effects, save, sizeof *entry);
    char *bytes = effect_alloc(effects, save, PLAN_BYTES);
    if (entry == NULL || bytes == NULL) {
        return -ENOMEM;
    }
    upgrader_plan_encode(&((struct upgrader_task *)head)->plan, bytes);
    *entry = (struct state_entry){0, {bytes, PLAN_BYTES}};
    save->save_state.entries = entry;
    save->save_state.count = 1;
    return 0;
}

static int restore_entry(struct partitioned *upgrader, struct task *head, uint64_t key,
                         struct bytes value) {
    (void)upgrader;
    return key != 0 ? -EINVAL : upgrader_plan_decode(&((struct upgrader_task *)head)->plan, value);
}

struct machine *upgrader_new(void) {
    static const struct task_ops ops = {
        .task_size = sizeof(struct upgrader_task),
        .init = task_init,
        .release = task_release,
        .restore_entry = restore_entry,
        .begin = task_begin,
        .records = records,
        .answered = answered,
        .refused = refused,
        .save_entries = save_entries,
        .saved = task_saved,
        .timer = task_timer_due,
    };
    return partitioned_new(sizeof(struct partitioned), &ops);
}
