/*
 * The orchestrator: replaces processes by ones of another version of the code while the others
 * work, and decides when what the new version writes may be written (pipeline/format.h; C6).
 *
 * It knows of every process which version it runs and which it is to run; a broker's controller
 * knows the same from registrations, and refuses to finalise what a registered broker cannot read.
 */
#include <assert.h>

#include "pipeline/sentence.h"
#include "sim/simulation_parts.h"

static void refuse(struct simulation *s, const char *alert, const struct sentence *evidence) {
    simulation_note_bytes(s, sentence_bytes(evidence));
    simulation_tell_alert(s, alert, "orchestrator", ALERT_ERROR, sentence_bytes(evidence));
}

/* ---- Deploying ---- */

static void back_due(void *ctx, vtime now, uint64_t actor) {
    (void)now;
    simulation_restart(ctx, (uint32_t)actor);
}

static bool replaces(const struct simulation *s, uint32_t number, const struct actor *actor) {
    return s->deployments[actor->kind].number == number &&
           s->deployments[actor->kind].version != actor->code_version;
}

/* The next process of the deployment is replaced. */
static void roll_due(void *ctx, vtime now, uint64_t number) {
    struct simulation *s = ctx;
    uint32_t index = 0;
    while (index < s->actor_count && !replaces(s, (uint32_t)number, &s->actors[index])) {
        index++;
    }
    if (index == s->actor_count) {
        return;
    }
    struct actor *actor = &s->actors[index];
    int64_t down_ns = s->deployments[actor->kind].down_ns;
    simulation_note(s, index);
    simulation_drain(s, index);
    actor->code_version = s->deployments[actor->kind].version;
    simulation_schedule(s, vtime_add(now, down_ns), "worker deployed", index, back_due, s, index);
    simulation_schedule(s, vtime_add(now, 2 * down_ns), "deploy", number, roll_due, s, number);
}

void simulation_deploy(struct simulation *s, const struct deployment *deployment) {
    assert(deployment->down_ns > 0 && deployment->version > 0);
    simulation_note(s, deployment->version);
    if (deployment->version < s->format_level && !deployment->forced) {
        struct sentence evidence = sentence_begin();
        sentence_add(&evidence, "code version ");
        sentence_add_number(&evidence, deployment->version);
        sentence_add(&evidence, " cannot read format ");
        sentence_add_number(&evidence, s->format_level);
        sentence_add(&evidence, ", which is finalised");
        refuse(s, "deploy-refused", &evidence);
        return;
    }
    uint32_t number = ++s->deployment_last;
    for (int kind = 0; kind < MACHINE_KIND_COUNT; kind++) {
        if (deployment->everyone || kind == (int)deployment->kind) {
            s->deployments[kind].number = number;
            s->deployments[kind].version = deployment->version;
            s->deployments[kind].down_ns = deployment->down_ns;
        }
    }
    roll_due(s, s->now, number);
}

/* ---- Finalising ---- */

/* A process that runs older code, or is to; NULL: none. */
static const struct actor *older(const struct simulation *s, uint32_t level) {
    for (uint32_t i = 0; i < s->actor_count; i++) {
        const struct actor *actor = &s->actors[i];
        if (actor->code_version < level || s->deployments[actor->kind].version < level) {
            return actor;
        }
    }
    return NULL;
}

void simulation_finalise(struct simulation *s, uint32_t level, bool forced) {
    const struct actor *holds_up = older(s, level);
    simulation_note(s, level);
    if (holds_up != NULL && !forced) {
        struct sentence evidence = sentence_begin();
        sentence_add(&evidence, holds_up->name);
        sentence_add(&evidence, " runs or is to run code that cannot read format ");
        sentence_add_number(&evidence, level);
        refuse(s, "finalise-refused", &evidence);
        return;
    }
    s->format_level = level > s->format_level ? level : s->format_level;
    for (uint32_t i = 0; i < s->actor_count; i++) {
        struct flight *flight =
            s->actors[i].machine == NULL ? NULL : flight_new(s, i, EVENT_COMMAND, NULL);
        if (flight != NULL) {
            flight->command = COMMAND_FINALISE;
            flight->generation = s->format_level;
            flight_push(s, s->now, KIND_DELIVER + EVENT_COMMAND, flight);
        }
    }
}

uint32_t simulation_code_version(const struct simulation *s, uint32_t actor) {
    assert(actor < s->actor_count);
    return s->actors[actor].code_version;
}

uint32_t simulation_format_level(const struct simulation *s) {
    return s->format_level;
}

/* ---- Checkpoints that change hands ---- */

static uint32_t *saved_by(struct simulation *s, uint32_t actor, uint32_t partition) {
    assert(partition < s->config.partitions);
    return &s->saved_by[(size_t)s->actors[actor].kind * s->config.partitions + partition];
}

void deployment_saved(struct simulation *s, uint32_t actor, uint32_t partition) {
    *saved_by(s, actor, partition) = s->actors[actor].code_version;
}

void deployment_loaded(struct simulation *s, uint32_t actor, uint32_t partition) {
    uint32_t by = *saved_by(s, actor, partition), version = s->actors[actor].code_version;
    s->counters[COUNTER_HANDED_TO_NEWER] += by != 0 && by < version;
    s->counters[COUNTER_HANDED_TO_OLDER] += by > version;
}
