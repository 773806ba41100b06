/*
 * What the upgrader remembers, what it tells of it, and how it stands in a checkpoint.
 */
#include "pipeline/upgrader_parts.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "pipeline/wire.h"

static const char *phase_name(enum phase phase) {
    static const char *const names[PHASE_COUNT] = {
        "idle",      "preparing", "backfilling",  "validating",     "ready",    "judging",
        "switching", "serving",   "judging-back", "switching-back", "retiring",
    };
    return names[phase];
}

bool upgrader_phase_is_short(enum phase phase) {
    return phase != IDLE && phase != BACKFILLING && phase != VALIDATING && phase != READY &&
           phase != SERVING;
}

static const char *lacking_name(enum lacking lacking) {
    static const char *const names[LACKING_COUNT - LACKING_NOTHING] = {
        "nothing", "validation", "upgrade", "cutover", "rest", "rows", "time"};
    return lacking < LACKING_NOTHING ? upgrade_gate_name((enum upgrade_gate)lacking)
                                     : names[lacking - LACKING_NOTHING];
}

/* ---- Telling ---- */

void upgrader_say(struct effects *effects, const char *name, const char *subject,
                  enum alert_state state, const struct sentence *evidence) {
    effects_alert(effects, name, subject, state, sentence_bytes(evidence));
}

static void add_model(struct sentence *sentence, const char *text, uint32_t model_version) {
    sentence_add(sentence, text);
    sentence_add_number(sentence, model_version);
}

void upgrader_say_phase(const struct plan *plan, struct effects *effects) {
    static const char *const about[PHASE_COUNT] = {
        [IDLE] = "nothing is under way",
        [PREPARING] = "the shadow collections are created and both models announced",
        [BACKFILLING] = "the shadow collections are filled",
        [VALIDATING] = "the gates are judged",
        [READY] = "every gate holds: the cutover may be ordered",
        [JUDGING] = "a cutover was ordered: the gates are judged anew",
        [SWITCHING] = "the aliases go to the other model",
        [SERVING] = "readers are served by the model that the upgrade prepared",
        [JUDGING_BACK] = "a rollback was ordered: the former collections are looked at",
        [SWITCHING_BACK] = "the aliases go back to the former model",
        [RETIRING] = "the other model is written no more, and its collections are dropped",
    };
    struct sentence sentence = sentence_begin();
    add_model(&sentence, "model ", plan->served);
    sentence_add(&sentence, " is served");
    if (plan->other != 0) {
        add_model(&sentence, ", model ", plan->other);
        sentence_add(&sentence, " is the other one");
    }
    sentence_add(&sentence, "; ");
    sentence_add(&sentence, about[plan->phase]);
    upgrader_say(effects, "upgrade", phase_name(plan->phase), ALERT_INFO, &sentence);
}

static const char *refusal_name(enum control_kind kind) {
    static const char *const names[COMMAND_COUNT] = {"upgrade-refused", "cutover-refused",
                                                     "rollback-refused", "retire-refused",
                                                     "abandon-refused"};
    assert(kind >= CONTROL_UPGRADE && kind <= CONTROL_ABANDON);
    return names[kind - CONTROL_UPGRADE];
}

void upgrader_clear_refusal(struct upgrader_task *task, enum control_kind kind,
                            struct effects *effects) {
    uint8_t *refused = &task->plan.refused[kind - CONTROL_UPGRADE];
    if (*refused != LACKING_NOTHING) {
        struct sentence sentence = sentence_begin();
        sentence_add(&sentence, "the command was given again");
        upgrader_say(effects, refusal_name(kind), lacking_name((enum lacking) * refused),
                     ALERT_CLEARED, &sentence);
        *refused = LACKING_NOTHING;
    }
}

void upgrader_refuse(struct partitioned *upgrader, struct upgrader_task *task,
                     enum control_kind kind, enum lacking lacking, const struct sentence *why,
                     struct effects *effects) {
    upgrader_clear_refusal(task, kind, effects);
    task->plan.refused[kind - CONTROL_UPGRADE] = (uint8_t)lacking;
    if (task->plan.last == kind) {
        task->plan.last = CONTROL_NONE; /* given again it is no repeat */
    }
    machine_count(&upgrader->machine, COUNTER_UPGRADE_REFUSALS, 1);
    task->untold = kind;
    task->untold_why = *why;
    if (task->plan.phase != JUDGING && task->plan.phase != JUDGING_BACK) {
        upgrader_tell_refusal(task, effects);
    }
}

void upgrader_tell_refusal(struct upgrader_task *task, struct effects *effects) {
    if (task->untold == CONTROL_NONE) {
        return;
    }
    uint8_t lacking = task->plan.refused[task->untold - CONTROL_UPGRADE];
    upgrader_say(effects, refusal_name(task->untold), lacking_name((enum lacking)lacking),
                 ALERT_WARN, &task->untold_why);
    task->untold = CONTROL_NONE;
}

void upgrader_refuse_for(struct partitioned *upgrader, struct upgrader_task *task,
                         enum control_kind kind, enum lacking lacking, const char *why,
                         struct effects *effects) {
    struct sentence sentence = sentence_begin();
    sentence_add(&sentence, why);
    upgrader_refuse(upgrader, task, kind, lacking, &sentence, effects);
}

/* ---- Checkpoint ---- */

void upgrader_plan_encode(const struct plan *plan, char bytes[PLAN_BYTES]) {
    char *at = wire_put(bytes, plan->phase, 1);
    at = wire_put(at, plan->served, 4);
    at = wire_put(at, plan->other, 4);
    at = wire_put(at, plan->last, 2);
    at = wire_put(at, plan->cursor, 8);
    at = wire_put(at, plan->announced, 8);
    at = wire_put(at, (uint64_t)plan->walked.ns, 8);
    memcpy(at, plan->refused, COMMAND_COUNT);
}

int upgrader_plan_decode(struct plan *plan, struct bytes bytes) {
    if (bytes.len != PLAN_BYTES) {
        return -EINVAL;
    }
    struct wire_reader reader = wire_reader_of(bytes);
    struct plan read = {.phase = (enum phase)wire_get(&reader, 1)};
    read.served = (uint32_t)wire_get(&reader, 4);
    read.other = (uint32_t)wire_get(&reader, 4);
    read.last = (enum control_kind)wire_get(&reader, 2);
    read.cursor = wire_get(&reader, 8);
    read.announced = wire_get(&reader, 8);
    read.walked.ns = (int64_t)wire_get(&reader, 8);
    memcpy(read.refused, reader.at, COMMAND_COUNT);
    bool sound = read.phase < PHASE_COUNT && (read.phase == IDLE || read.served != 0);
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        sound = sound && read.refused[i] < LACKING_COUNT;
    }
    if (!sound) {
        return -EINVAL;
    }
    *plan = read;
    return 0;
}
