/*
 * The upgrader (A10): leads the vector collections from one embedding model to another, by
 * operators' commands, with readers served all the time.
 *
 *                         +----------- abandon ------------+-----------------+
 *                         |                                |                 |
 *   IDLE --upgrade--> PREPARING --> BACKFILLING --> VALIDATING --gates hold--> READY
 *    ^                                   ^     rows lack |  ^                  |
 *    |                                   +---------------+  |               cutover
 *    |                                                      +- a gate fails -- |
 *    |                                                      |   (refused)      v
 *    |                                                      +--------------- JUDGING
 *    |                                                      |                  | gates hold
 *    |                                                      |                  v
 *    |                             SWITCHING_BACK ----------+              SWITCHING
 *    |                                   ^                                     |
 *    |                                   | old rows complete                   v
 *    |                              JUDGING_BACK <--------rollback--------- SERVING
 *    |                                   +------------ refused ------------>   |
 *    |                                                                         |
 *    +-------------------------------- RETIRING <-----------retire, abandon----+
 *
 *   phase           the aliases  written         what is done in it
 *   IDLE            served       served          nothing
 *   PREPARING       served       served          shadow collections are created; the builders are
 *                                                told to write both (CONTROL_MODELS)
 *   BACKFILLING     served       served, other   walks gold in ranges of listing ids; what a shadow
 *                                                collection lacks there, the builders are asked to
 *                                                write; goes on when the range agrees
 *   VALIDATING      served       served, other   walks again, asking for nothing; judges the gates
 *   READY           served       served, other   waits for the operator
 *   JUDGING         served       served, other   judges the gates anew
 *   SWITCHING       either       served, other   the aliases go to `other` in one action; then the
 *                                                two change their names
 *   SERVING         served       served, other   waits; `other` is the former model's
 *   JUDGING_BACK    served       served, other   are the former model's collections complete?
 *   SWITCHING_BACK  either       served, other   as SWITCHING
 *   RETIRING        served       served          the builders are told; after a while the
 *                                                collections of `other` are dropped
 *
 * Every phase is an intent that stands in the checkpoint, with the offset of the command that made
 * it, before anything of it is done; and everything done in it may be done again. So after a crash
 * a new process reads the phase and begins it anew (BACKFILLING at its cursor), and whatever the
 * dead one did or had on its way is what this one does too.
 *
 * A judgement ages: rows fall behind while a store that is down holds it up, or the switch. One
 * that took longer than upgrade_fresh_ns is made again, and a switch is sent only on a fresh one,
 * once: if it fails, or its process dies, the next thing is to see whether it took place, and if it
 * did not, to judge again.
 *
 * A command that comes while a short phase runs (all but IDLE, BACKFILLING, VALIDATING, READY and
 * SERVING) waits until it is over: commands are obeyed in order. One whose precondition does not
 * hold is refused with an alert that names what is lacking; one that asks for what is already so
 * is a repeat and does nothing (C8).
 *
 * Throttling: repairs are asked for at most backfill_batch listings at a time, and no more
 * until those agree (or backfill_resend_ns passed); there is a pause after every look; and while
 * readers lack rows of the range that gold has had for longer than backfill_lag_ns, the live writes
 * are behind and the backfill holds still. It looks at the range that it stands on: listings are
 * spread over the builders by a hash, so a builder or a store that is behind shows in any range
 * with fresh changes, and one that is not fresh has nothing to wait for.
 *
 * Where a live write is missed between the beginning of the walk and the dual writes, the walk
 * finds the listing behind: a range agrees only by what its rows are, not by what was sent. And
 * the validation excepts no difference older than the end of the walk, however young: from then on
 * the dual writes are proven.
 *
 * While two models are written it looks now and then where the aliases point, and leads them back
 * if a request of a dead process arrived late.
 *
 * READY and SERVING wait with two models written, and of these nobody reads `other`. Where the
 * store takes any write, a late retry may spoil rows there that no reconciliation looks at, and a
 * cutover or a rollback would be refused for them: so `other` is walked over again every
 * upgrade_tend_ns, and what differs is asked for as in BACKFILLING. Such a walk is no phase: it is
 * in no checkpoint, and a command ends it.
 * Private to the upgrader.
 */
#ifndef MURPHY_PIPELINE_UPGRADER_PARTS_H
#define MURPHY_PIPELINE_UPGRADER_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/control.h"
#include "pipeline/partitioned.h"
#include "pipeline/sentence.h"
#include "pipeline/upgrade_gates.h"
#include "pipeline/upgrade_page.h"

enum phase {
    IDLE,
    PREPARING,
    BACKFILLING,
    VALIDATING,
    READY,
    JUDGING,
    SWITCHING,
    SERVING,
    JUDGING_BACK,
    SWITCHING_BACK,
    RETIRING,
    PHASE_COUNT
};

/* Purposes. A phase that ends forgets its requests, so an answer is always to the present one. */
enum {
    PURPOSE_TARGETS = TASK_PURPOSE_OWN,
    PURPOSE_CREATE, /* index: modality */
    PURPOSE_ANNOUNCE,
    PURPOSE_SWITCH,
    PURPOSE_DROP,      /* index: modality */
    PURPOSE_SCAN,      /* index: enum page_reading */
    PURPOSE_READ,      /* index: 0 shadow, 1 old */
    PURPOSE_SEARCH,    /* index: enum gate_search */
    PURPOSE_GUARD,     /* where do the aliases point? */
    PURPOSE_LEAD_BACK, /* to where they should */
    PURPOSE_SETTLE     /* did the switch take place? */
};
enum {
    TIMER_LOOK = TASK_TIMER_OWN, /* at the page again, or at the next one */
    TIMER_DRAINED,               /* nobody writes the retired collections any more */
    TIMER_GUARD,                 /* look where the aliases point */
    TIMER_VALIDATE,              /* judge again */
    TIMER_LATE,                  /* whatever a dead process had under way has arrived */
    TIMER_TEND,                  /* walk over the collections that nobody reads */
    TIMER_END
};

/* The commands, in the order of enum control_kind. */
enum { COMMAND_COUNT = CONTROL_ABANDON - CONTROL_UPGRADE + 1 };

/* What a refused command lacks: one of the gates, or what stands here. */
enum lacking {
    LACKING_NOTHING = GATE_COUNT,
    LACKING_VALIDATION, /* has not come to an end */
    LACKING_UPGRADE,    /* there is none that could be cut over or abandoned */
    LACKING_CUTOVER,    /* there was none */
    LACKING_REST,       /* another upgrade is under way */
    LACKING_ROWS,       /* the former collections are gone */
    LACKING_TIME,       /* no judgement came to its end while it was fresh */
    LACKING_COUNT
};

/* What a checkpoint holds. */
struct plan {
    enum phase phase;
    uint32_t served;                /* model version that readers see; 0: not known yet */
    uint32_t other;                 /* the other one that is written; 0: none */
    enum control_kind last;         /* command that was obeyed last */
    uint64_t cursor;                /* BACKFILLING: listings below agree */
    uint64_t announced;             /* announcements so far: each carries its number */
    vtime walked;                   /* when the walk of the backfill came to its end last */
    uint8_t refused[COMMAND_COUNT]; /* enum lacking: the open alert of a refusal */
};

struct upgrader_task {
    struct task task;
    struct plan plan;
    bool entering;            /* the phase is not in a checkpoint yet */
    enum control_kind untold; /* nor is that such a command is refused; CONTROL_NONE: none */
    struct sentence untold_why;
    bool fetching;
    bool tending;                               /* a walk mends what waits beside the served */
    size_t due;                                 /* answers that the phase waits for */
    size_t scans_due;                           /* of those, rows of the page */
    vtime timer_at[TIMER_END - TASK_TIMER_OWN]; /* of the phase; 0: not armed */
    /* The walk. */
    struct upgrade_page page;
    struct page_verdict verdict;
    unsigned looks;      /* at this page */
    unsigned repairs;    /* asked for on this page */
    uint64_t asked_last; /* the batch of repairs under way ends with this listing; 0: none */
    vtime asked_at;
    vtime held_since;    /* the walk holds still on this page; 0: it does not */
    vtime judging_since; /* the walk whose judgement the next switch stands on; 0: none */
    unsigned judgings;   /* that took too long, one after the other */
    struct upgrade_gates gates;
    enum modality judged; /* under way */
};

/* ---- The plan, and what is told of it ---- */

/* Phases that end by themselves and soon: commands wait for their end. */
bool upgrader_phase_is_short(enum phase phase);
enum { PLAN_BYTES = 1 + 4 + 4 + 2 + 8 + 8 + 8 + COMMAND_COUNT };
void upgrader_plan_encode(const struct plan *plan, char bytes[PLAN_BYTES]);
/* 0, or -EINVAL: it is corrupt, and *plan is as it was. */
int upgrader_plan_decode(struct plan *plan, struct bytes bytes);

void upgrader_say(struct effects *effects, const char *name, const char *subject,
                  enum alert_state state, const struct sentence *evidence);
/* One sentence about a phase that begins. */
void upgrader_say_phase(const struct plan *plan, struct effects *effects);
/* A command is refused for what it lacks: an alert that stands until the command is obeyed, or
 * refused for another reason. Of one that was under judgement it is told with the phase that comes
 * next, once both are in a checkpoint: whoever took over before would judge it anew. */
void upgrader_refuse(struct partitioned *upgrader, struct upgrader_task *task,
                     enum control_kind kind, enum lacking lacking, const struct sentence *why,
                     struct effects *effects);
/* Tells of the refusal that waits for its checkpoint, if there is one. */
void upgrader_tell_refusal(struct upgrader_task *task, struct effects *effects);
void upgrader_refuse_for(struct partitioned *upgrader, struct upgrader_task *task,
                         enum control_kind kind, enum lacking lacking, const char *why,
                         struct effects *effects);
void upgrader_clear_refusal(struct upgrader_task *task, enum control_kind kind,
                            struct effects *effects);

/* ---- Phases: 0 or -ENOMEM ---- */

/* Makes the phase the intent; it begins when that is in a checkpoint. What the former phase still
 * waits for is none of its business. */
int upgrader_enter(struct partitioned *upgrader, struct upgrader_task *task, enum phase phase,
                   struct effects *effects);
/* The same, because that command is obeyed. */
int upgrader_obeyed(struct partitioned *upgrader, struct upgrader_task *task,
                    enum control_kind kind, enum phase phase, struct effects *effects);
/* The judgement that a switch would stand on is not too old. */
bool upgrader_fresh(const struct partitioned *upgrader, const struct upgrader_task *task,
                    vtime now);
/* Registers a request of the phase. */
int upgrader_expect(struct partitioned *upgrader, struct upgrader_task *task, struct effect *effect,
                    uint32_t purpose, uint32_t index);
/* A timer that the end of the phase takes back. */
void upgrader_arm(struct upgrader_task *task, uint32_t id, int64_t delay_ns, vtime now,
                  struct effects *effects);

/* ---- Walks and gates: 0 or -ENOMEM ---- */

/* Walks over gold and the collections of `other`, from that listing on, to the end of the phase. */
int upgrader_walk_begin(struct partitioned *upgrader, struct upgrader_task *task, uint64_t first,
                        struct effects *effects);
/* Looks at the page that begins at this listing: the next one, or the same again. */
int upgrader_look(struct partitioned *upgrader, struct upgrader_task *task, uint64_t first,
                  struct effects *effects);
/* The next walk over what waits beside the served collections, where one is asked for. */
void upgrader_arm_tending(const struct partitioned *upgrader, struct upgrader_task *task, vtime now,
                          struct effects *effects);
int upgrader_scanned(struct partitioned *upgrader, struct upgrader_task *task,
                     enum page_reading reading, const struct event *event, struct effects *effects);
int upgrader_vectors_read(struct partitioned *upgrader, struct upgrader_task *task,
                          enum gate_side side, const struct effect *read, struct effects *effects);
int upgrader_searched(struct partitioned *upgrader, struct upgrader_task *task,
                      enum gate_search which, const struct event *event, struct effects *effects);

/* ---- Commands ---- */

/* Carries out a command, refuses it, or does nothing where it is a repeat. 0 or -ENOMEM. */
int upgrader_obey(struct partitioned *upgrader, struct upgrader_task *task,
                  const struct control *control, struct effects *effects);

#endif
