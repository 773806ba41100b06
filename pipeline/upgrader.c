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
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/array.h"
#include "pipeline/control.h"
#include "pipeline/partitioned.h"
#include "pipeline/record.h"
#include "pipeline/sentence.h"
#include "pipeline/upgrade_gates.h"
#include "pipeline/upgrade_page.h"
#include "pipeline/wire.h"

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

static const char *phase_name(enum phase phase) {
    static const char *const names[PHASE_COUNT] = {
        "idle",      "preparing", "backfilling",  "validating",     "ready",    "judging",
        "switching", "serving",   "judging-back", "switching-back", "retiring",
    };
    return names[phase];
}

/* Phases that end by themselves and soon: commands wait for their end. */
static bool phase_is_short(enum phase phase) {
    return phase != IDLE && phase != BACKFILLING && phase != VALIDATING && phase != READY &&
           phase != SERVING;
}

/* Purposes. A phase that ends forgets its requests, so an answer is always to the present one. */
enum {
    PURPOSE_TARGETS = TASK_PURPOSE_OWN,
    PURPOSE_CREATE, /* index: modality */
    PURPOSE_ANNOUNCE,
    PURPOSE_SWITCH,
    PURPOSE_DROP,     /* index: modality */
    PURPOSE_SCAN,     /* index: enum page_reading */
    PURPOSE_READ,     /* index: 0 shadow, 1 old */
    PURPOSE_SEARCH,   /* index: enum gate_search */
    PURPOSE_GUARD,    /* where do the aliases point? */
    PURPOSE_LEAD_BACK /* to where they should */
};
enum {
    TIMER_LOOK = TASK_TIMER_OWN, /* at the page again, or at the next one */
    TIMER_DRAINED,               /* nobody writes the retired collections any more */
    TIMER_GUARD,                 /* look where the aliases point */
    TIMER_VALIDATE,              /* judge again */
    TIMER_END
};

/* Looks at a page that differs before its differences count. */
enum { LOOKS_MAX = 3 };
/* Times that repairs of a page are asked for in vain before the walk leaves it to the gates. */
enum { REPAIRS_MAX = 10 };

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
    LACKING_COUNT
};

static const char *lacking_name(enum lacking lacking) {
    static const char *const names[LACKING_COUNT - LACKING_NOTHING] = {
        "nothing", "validation", "upgrade", "cutover", "rest", "rows"};
    return lacking < LACKING_NOTHING ? upgrade_gate_name((enum upgrade_gate)lacking)
                                     : names[lacking - LACKING_NOTHING];
}

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
    bool entering; /* the phase is not in a checkpoint yet */
    bool fetching;
    size_t due;                                 /* answers that the phase waits for */
    vtime timer_at[TIMER_END - TASK_TIMER_OWN]; /* of the phase; 0: not armed */
    /* The walk. */
    struct upgrade_page page;
    struct page_verdict verdict;
    unsigned looks;      /* at this page */
    unsigned repairs;    /* asked for on this page */
    uint64_t asked_last; /* the batch of repairs under way ends with this listing; 0: none */
    vtime asked_at;
    vtime held_since; /* the walk holds still on this page; 0: it does not */
    struct upgrade_gates gates;
    enum modality judged; /* under way */
};

/* ---- Telling ---- */

static void say(struct effects *effects, const char *name, const char *subject,
                enum alert_state state, const struct sentence *evidence) {
    struct effect *alert = effects_add(effects, EFFECT_ALERT, 0, 0);
    if (alert != NULL) {
        alert->alert.name = name;
        alert->alert.subject = subject;
        alert->alert.state = state;
        alert->alert.evidence = effect_copy(effects, alert, sentence_bytes(evidence));
    }
}

static void add_model(struct sentence *sentence, const char *text, uint32_t model_version) {
    sentence_add(sentence, text);
    sentence_add_number(sentence, model_version);
}

/* One sentence about a phase that begins. */
static void say_phase(const struct plan *plan, struct effects *effects) {
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
    say(effects, "upgrade", phase_name(plan->phase), ALERT_INFO, &sentence);
}

static const char *refusal_name(enum control_kind kind) {
    static const char *const names[COMMAND_COUNT] = {"upgrade-refused", "cutover-refused",
                                                     "rollback-refused", "retire-refused",
                                                     "abandon-refused"};
    assert(kind >= CONTROL_UPGRADE && kind <= CONTROL_ABANDON);
    return names[kind - CONTROL_UPGRADE];
}

/* A refusal stands as an alert until the command is obeyed, or refused for another reason. */
static void clear_refusal(struct upgrader_task *task, enum control_kind kind,
                          struct effects *effects) {
    uint8_t *refused = &task->plan.refused[kind - CONTROL_UPGRADE];
    if (*refused != LACKING_NOTHING) {
        struct sentence sentence = sentence_begin();
        sentence_add(&sentence, "the command was given again");
        say(effects, refusal_name(kind), lacking_name((enum lacking) * refused), ALERT_CLEARED,
            &sentence);
        *refused = LACKING_NOTHING;
    }
}

static void refuse(struct partitioned *upgrader, struct upgrader_task *task, enum control_kind kind,
                   enum lacking lacking, const struct sentence *why, struct effects *effects) {
    clear_refusal(task, kind, effects);
    task->plan.refused[kind - CONTROL_UPGRADE] = (uint8_t)lacking;
    machine_count(&upgrader->machine, COUNTER_UPGRADE_REFUSALS, 1);
    say(effects, refusal_name(kind), lacking_name(lacking), ALERT_WARN, why);
}

static void refuse_for(struct partitioned *upgrader, struct upgrader_task *task,
                       enum control_kind kind, enum lacking lacking, const char *why,
                       struct effects *effects) {
    struct sentence sentence = sentence_begin();
    sentence_add(&sentence, why);
    refuse(upgrader, task, kind, lacking, &sentence, effects);
}

/* ---- Phases ---- */

static int phase_begin(struct partitioned *upgrader, struct upgrader_task *task, vtime now,
                       struct effects *effects);

static bool holds_commands(const struct upgrader_task *task) {
    return task->plan.served == 0 || phase_is_short(task->plan.phase);
}

static int fetch_commands(struct partitioned *upgrader, struct upgrader_task *task,
                          struct effects *effects) {
    if (task->fetching || holds_commands(task)) {
        return 0;
    }
    task->fetching = true;
    return task_fetch(upgrader, &task->task, 0, false, effects);
}

/* Makes the phase the intent; it begins when that is in a checkpoint. What the former phase still
 * waits for is none of its business. */
static int phase_enter(struct partitioned *upgrader, struct upgrader_task *task, enum phase phase,
                       struct effects *effects) {
    task->plan.phase = phase;
    task->entering = true;
    task->due = 0;
    memset(task->timer_at, 0, sizeof task->timer_at);
    task_forget(upgrader, &task->task);
    say_phase(&task->plan, effects);
    return task_save(upgrader, &task->task, effects);
}

static int command_obeyed(struct partitioned *upgrader, struct upgrader_task *task,
                          enum control_kind kind, enum phase phase, struct effects *effects) {
    clear_refusal(task, kind, effects);
    task->plan.last = kind;
    return phase_enter(upgrader, task, phase, effects);
}

static int task_saved(struct partitioned *upgrader, struct task *head, vtime now,
                      struct effects *effects) {
    struct upgrader_task *task = (struct upgrader_task *)head;
    if (!task->entering) {
        return 0;
    }
    task->entering = false;
    return phase_begin(upgrader, task, now, effects);
}

static int expect(struct partitioned *upgrader, struct upgrader_task *task, struct effect *effect,
                  uint32_t purpose, uint32_t index) {
    task->due++;
    return task_expect(upgrader, &task->task, effect, purpose, index);
}

/* A timer that the end of the phase takes back. */
static void arm(struct upgrader_task *task, uint32_t id, int64_t delay_ns, vtime now,
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
    return expect(upgrader, task,
                  administer(upgrader, effects, (struct vector_admin){.kind = VECTOR_TARGETS}),
                  purpose, 0);
}

/* Creates or drops the collections of a model version, each by a request of its own. */
static int administer_all(struct partitioned *upgrader, struct upgrader_task *task,
                          enum vector_admin_kind kind, uint32_t purpose, struct effects *effects) {
    for (uint32_t m = 0; m < MODALITY_COUNT; m++) {
        struct vector_admin what = {kind, (enum modality)m, task->plan.other, 0};
        if (expect(upgrader, task, administer(upgrader, effects, what), purpose, m) != 0) {
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
    return expect(upgrader, task, produce, PURPOSE_ANNOUNCE, 0);
}

/* ---- Walking ---- */

static bool repairs_on_walk(const struct upgrader_task *task) {
    return task->plan.phase == BACKFILLING;
}

static int scan(struct partitioned *upgrader, struct upgrader_task *task, enum page_reading reading,
                struct effects *effects) {
    uint32_t rows = upgrader->machine.config->upgrade_page_rows;
    struct effect *scan = machine_request(&upgrader->machine, effects, EFFECT_SCAN, 0);
    if (expect(upgrader, task, scan, PURPOSE_SCAN, reading) != 0) {
        return -ENOMEM;
    }
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
static int look(struct partitioned *upgrader, struct upgrader_task *task, uint64_t first,
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

static int walk_begin(struct partitioned *upgrader, struct upgrader_task *task, uint64_t first,
                      struct effects *effects) {
    upgrade_gates_begin(&task->gates);
    page_fresh(task);
    return look(upgrader, task, first, effects);
}

static void look_later(struct upgrader_task *task, int64_t pause_ns, vtime now,
                       struct effects *effects) {
    arm(task, TIMER_LOOK, pause_ns, now, effects);
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
        return look(upgrader, task, next, effects);
    }
    task->plan.cursor = next;
    task->page.first = next;
    task_changed(upgrader, &task->task, now, effects);
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

static int scanned(struct partitioned *upgrader, struct upgrader_task *task,
                   enum page_reading reading, const struct event *event, struct effects *effects) {
    if (upgrade_page_keep(&task->page, reading, event->answered) != 0) {
        return -ENOMEM;
    }
    if (task->due > 0) {
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

/* What the gates say is what the phase was for. */
static int gates_judged(struct partitioned *upgrader, struct upgrader_task *task, vtime now,
                        struct effects *effects) {
    struct sentence why;
    enum upgrade_gate gate = upgrade_gates_judge(&task->gates, upgrader->machine.config, &why);
    bool holds = gate == GATE_COUNT;
    machine_count(&upgrader->machine, COUNTER_GATES_JUDGED, 1);
    switch (task->plan.phase) {
    case JUDGING:
        if (!holds) {
            refuse(upgrader, task, CONTROL_CUTOVER, (enum lacking)gate, &why, effects);
            return phase_enter(upgrader, task, VALIDATING, effects);
        }
        return command_obeyed(upgrader, task, CONTROL_CUTOVER, SWITCHING, effects);
    case JUDGING_BACK:
        if (!holds) {
            refuse(upgrader, task, CONTROL_ROLLBACK, (enum lacking)gate, &why, effects);
            return phase_enter(upgrader, task, SERVING, effects);
        }
        return command_obeyed(upgrader, task, CONTROL_ROLLBACK, SWITCHING_BACK, effects);
    default:
        assert(task->plan.phase == VALIDATING);
        if (holds) {
            return phase_enter(upgrader, task, READY, effects);
        }
        say(effects, "upgrade", upgrade_gate_name(gate), ALERT_INFO, &why);
        if (gate == GATE_COVERAGE || gate == GATE_VERSIONS) {
            return phase_enter(upgrader, task, BACKFILLING, effects);
        }
        arm(task, TIMER_VALIDATE, upgrader->machine.config->upgrade_retry_ns, now, effects);
        return 0;
    }
}

static int read_sample(struct partitioned *upgrader, struct upgrader_task *task, uint32_t index,
                       struct effects *effects) {
    struct effect *read = machine_request(&upgrader->machine, effects, EFFECT_READ_VECTORS, 0);
    if (expect(upgrader, task, read, PURPOSE_READ, index) != 0) {
        return -ENOMEM;
    }
    read->read.model_version = index == 0 ? task->plan.other : task->plan.served;
    return upgrade_gates_read(&task->gates, task->judged, index == 0 ? GATE_SAMPLE : GATE_QUERIES,
                              effects, read);
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
    return read_sample(upgrader, task, 0, effects) == 0 &&
                   read_sample(upgrader, task, 1, effects) == 0
               ? 0
               : -ENOMEM;
}

static int search(struct partitioned *upgrader, struct upgrader_task *task, enum gate_search which,
                  const struct effect *read, struct effects *effects) {
    struct effect *search = machine_request(&upgrader->machine, effects, EFFECT_SEARCH, 0);
    if (expect(upgrader, task, search, PURPOSE_SEARCH, which) != 0) {
        return -ENOMEM;
    }
    search->search.ef = upgrader->machine.config->upgrade_search_ef;
    return upgrade_gates_search(&task->gates, which, read, effects, search);
}

static int vectors_read(struct partitioned *upgrader, struct upgrader_task *task, uint32_t index,
                        const struct effect *read, struct effects *effects) {
    if (index != 0) {
        return search(upgrader, task, SEARCH_OLD_EXACT, read, effects);
    }
    if (upgrade_gates_drift(&task->gates, task->judged, read) != 0 ||
        search(upgrader, task, SEARCH_SHADOW, read, effects) != 0) {
        return -ENOMEM;
    }
    return search(upgrader, task, SEARCH_SHADOW_EXACT, read, effects);
}

static int searched(struct partitioned *upgrader, struct upgrader_task *task,
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
    if (task->plan.phase == BACKFILLING) {
        task->plan.walked = now;
        task->plan.cursor = 0;
        return phase_enter(upgrader, task, VALIDATING, effects);
    }
    const struct page_counts *counts = &task->gates.counts;
    bool complete = counts->missing + counts->behind + counts->extra == 0;
    if (!complete || task->plan.phase == JUDGING_BACK) {
        return gates_judged(upgrader, task, now, effects);
    }
    return judge_on(upgrader, task, 0, now, effects);
}

/* ---- What a phase does ---- */

static int phase_begin(struct partitioned *upgrader, struct upgrader_task *task, vtime now,
                       struct effects *effects) {
    struct plan *plan = &task->plan;
    struct vector_admin turn = {
        .kind = VECTOR_SWITCH, .from_version = plan->served, .model_version = plan->other};
    if (fetch_commands(upgrader, task, effects) != 0) {
        return -ENOMEM;
    }
    switch (plan->phase) {
    case IDLE:
        return plan->served == 0 ? ask_targets(upgrader, task, PURPOSE_TARGETS, effects) : 0;
    case BACKFILLING:
    case VALIDATING:
    case JUDGING:
    case JUDGING_BACK:
        return ask_targets(upgrader, task, PURPOSE_TARGETS, effects);
    case PREPARING:
        return administer_all(upgrader, task, VECTOR_CREATE, PURPOSE_CREATE, effects);
    case READY:
    case SERVING:
        arm(task, TIMER_GUARD, upgrader->machine.config->upgrade_guard_ns, now, effects);
        return 0;
    case SWITCHING:
    case SWITCHING_BACK:
        return expect(upgrader, task, administer(upgrader, effects, turn), PURPOSE_SWITCH, 0);
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
        refuse_for(upgrader, task, CONTROL_ROLLBACK, LACKING_ROWS, why, effects);
        return phase_enter(upgrader, task, SERVING, effects);
    }
    if (task->plan.phase == JUDGING) {
        refuse_for(upgrader, task, CONTROL_CUTOVER, LACKING_ROWS, why, effects);
    }
    task->plan.cursor = 0;
    return phase_enter(upgrader, task, PREPARING, effects);
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
    return walk_begin(upgrader, task, plan->phase == BACKFILLING ? plan->cursor : 0, effects);
}

/* The aliases of a model that is not served any more, or not yet, were moved by a request that came
 * late: they go back. */
static int guard(struct partitioned *upgrader, struct upgrader_task *task,
                 const struct event *event, struct effects *effects) {
    const struct plan *plan = &task->plan;
    arm(task, TIMER_GUARD, upgrader->machine.config->upgrade_guard_ns, event->now, effects);
    if (vector_targets_served(&event->answered->admin.targets) == plan->served) {
        return 0;
    }
    struct sentence sentence = sentence_begin();
    add_model(&sentence, "the aliases do not point to model ", plan->served);
    sentence_add(&sentence, " any more: they are led back");
    say(effects, "alias-moved", "upgrader", ALERT_WARN, &sentence);
    struct vector_admin back = {
        .kind = VECTOR_SWITCH, .from_version = plan->other, .model_version = plan->served};
    return expect(upgrader, task, administer(upgrader, effects, back), PURPOSE_LEAD_BACK, 0);
}

static int retire_rows(struct partitioned *upgrader, struct upgrader_task *task,
                       struct effects *effects) {
    return administer_all(upgrader, task, VECTOR_DROP, PURPOSE_DROP, effects);
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
        refuse_for(upgrader, task, kind, LACKING_ROWS,
                   "the aliases point to neither model, or the other one has no collections",
                   effects);
        task->plan.last = CONTROL_NONE;
        return phase_enter(upgrader, task, plan->phase == SWITCHING ? VALIDATING : SERVING,
                           effects);
    }
    machine_count(&upgrader->machine, COUNTER_ALIAS_SWITCHES, 1);
    bool forgets = !back && bug_on(upgrader->machine.bugs, BUG_ROLLBACK_LOSES_WRITES);
    return announce(upgrader, task, plan->other, forgets ? 0 : plan->served, event->now, effects);
}

static int announced(struct partitioned *upgrader, struct upgrader_task *task, vtime now,
                     struct effects *effects) {
    struct plan *plan = &task->plan;
    if (plan->phase == RETIRING) {
        arm(task, TIMER_DRAINED, upgrader->machine.config->upgrade_drain_ns, now, effects);
        return 0;
    }
    if (plan->phase == PREPARING) {
        return phase_enter(upgrader, task, BACKFILLING, effects);
    }
    uint32_t former = plan->served;
    plan->served = plan->other;
    plan->other = former;
    plan->walked = now;
    return phase_enter(upgrader, task, plan->phase == SWITCHING ? SERVING : VALIDATING, effects);
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
        return phase_enter(upgrader, task, IDLE, effects);
    case PURPOSE_SCAN:
        return scanned(upgrader, task, (enum page_reading)argument, event, effects);
    case PURPOSE_READ:
        return vectors_read(upgrader, task, argument, event->answered, effects);
    case PURPOSE_SEARCH:
        return searched(upgrader, task, (enum gate_search)argument, event, effects);
    case PURPOSE_GUARD:
        return guard(upgrader, task, event, effects);
    default:
        assert(purpose == PURPOSE_LEAD_BACK);
        return 0;
    }
}

static int task_timer_due(struct partitioned *upgrader, struct task *head, uint32_t id, vtime now,
                          struct effects *effects) {
    struct upgrader_task *task = (struct upgrader_task *)head;
    vtime *at = &task->timer_at[id - TASK_TIMER_OWN];
    if (at->ns != now.ns) {
        return 0; /* of a phase that is over */
    }
    *at = (vtime){0};
    struct vector_admin stay = {.kind = VECTOR_SWITCH,
                                .from_version = task->plan.other,
                                .model_version = task->plan.served};
    switch (id) {
    case TIMER_LOOK:
        return look(upgrader, task, task->page.first, effects);
    case TIMER_DRAINED:
        /* Not one alias points to what is dropped next. */
        return expect(upgrader, task, administer(upgrader, effects, stay), PURPOSE_SWITCH, 0);
    case TIMER_GUARD:
        return ask_targets(upgrader, task, PURPOSE_GUARD, effects);
    default:
        assert(id == TIMER_VALIDATE);
        return phase_begin(upgrader, task, now, effects);
    }
}

/* ---- Commands ---- */

static int obey_upgrade(struct partitioned *upgrader, struct upgrader_task *task, uint32_t model,
                        struct effects *effects) {
    struct plan *plan = &task->plan;
    if (model == plan->served || (model == plan->other && plan->phase != SERVING)) {
        return 0;
    }
    if (plan->phase != IDLE) {
        refuse_for(upgrader, task, CONTROL_UPGRADE, LACKING_REST, "another upgrade is under way",
                   effects);
        return 0;
    }
    plan->other = model;
    plan->cursor = 0;
    return command_obeyed(upgrader, task, CONTROL_UPGRADE, PREPARING, effects);
}

static int obey_cutover(struct partitioned *upgrader, struct upgrader_task *task,
                        struct effects *effects) {
    struct plan *plan = &task->plan;
    bool prepared = plan->phase == BACKFILLING || plan->phase == VALIDATING || plan->phase == READY;
    if (prepared && bug_on(upgrader->machine.bugs, BUG_CUTOVER_EARLY)) {
        return command_obeyed(upgrader, task, CONTROL_CUTOVER, SWITCHING, effects);
    }
    if (plan->phase == READY) {
        return phase_enter(upgrader, task, JUDGING, effects);
    }
    if (plan->phase == BACKFILLING) {
        struct sentence why = sentence_begin();
        sentence_add(&why, "the backfill has come to listing ");
        sentence_add_number(&why, plan->cursor);
        refuse(upgrader, task, CONTROL_CUTOVER, (enum lacking)GATE_COVERAGE, &why, effects);
    } else if (plan->phase == VALIDATING) {
        refuse_for(upgrader, task, CONTROL_CUTOVER, LACKING_VALIDATION,
                   "the gates do not all hold yet", effects);
    } else {
        refuse_for(upgrader, task, CONTROL_CUTOVER, LACKING_UPGRADE, "no upgrade was prepared",
                   effects);
    }
    return 0;
}

static int obey_rollback(struct partitioned *upgrader, struct upgrader_task *task,
                         struct effects *effects) {
    if (task->plan.phase != SERVING) {
        refuse_for(upgrader, task, CONTROL_ROLLBACK, LACKING_CUTOVER,
                   "there was no cutover, or the former model is retired", effects);
        return 0;
    }
    if (bug_on(upgrader->machine.bugs, BUG_ROLLBACK_LOSES_WRITES)) {
        return command_obeyed(upgrader, task, CONTROL_ROLLBACK, SWITCHING_BACK, effects);
    }
    return phase_enter(upgrader, task, JUDGING_BACK, effects);
}

static int obey_retire(struct partitioned *upgrader, struct upgrader_task *task,
                       struct effects *effects) {
    if (task->plan.phase != SERVING) {
        refuse_for(upgrader, task, CONTROL_RETIRE, LACKING_CUTOVER,
                   "there was no cutover, or it was rolled back", effects);
        return 0;
    }
    return command_obeyed(upgrader, task, CONTROL_RETIRE, RETIRING, effects);
}

static int obey_abandon(struct partitioned *upgrader, struct upgrader_task *task,
                        struct effects *effects) {
    if (task->plan.phase == IDLE || task->plan.phase == SERVING) {
        refuse_for(upgrader, task, CONTROL_ABANDON, LACKING_UPGRADE,
                   "no upgrade is under way that was not cut over", effects);
        return 0;
    }
    return command_obeyed(upgrader, task, CONTROL_ABANDON, RETIRING, effects);
}

static int obey(struct partitioned *upgrader, struct upgrader_task *task,
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
        if (record_of_topic(source->topic, logged->value, &record, &error) == 0 &&
            obey(upgrader, task, &record.control, effects) != 0) {
            return -ENOMEM;
        }
    }
    return fetch_commands(upgrader, task, effects);
}

/* ---- Life ---- */

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

enum { PLAN_BYTES = 1 + 4 + 4 + 2 + 8 + 8 + 8 + COMMAND_COUNT };

static int save_entries(struct partitioned *upgrader, struct task *head, struct effect *save,
                        struct effects *effects) {
    (void)upgrader;
    const struct plan *plan = &((struct upgrader_task *)head)->plan;
    struct state_entry *entry = effect_alloc(effects, save, sizeof *entry);
    char *bytes = effect_alloc(effects, save, PLAN_BYTES);
    if (entry == NULL || bytes == NULL) {
        return -ENOMEM;
    }
    char *at = wire_put(bytes, plan->phase, 1);
    at = wire_put(at, plan->served, 4);
    at = wire_put(at, plan->other, 4);
    at = wire_put(at, plan->last, 2);
    at = wire_put(at, plan->cursor, 8);
    at = wire_put(at, plan->announced, 8);
    at = wire_put(at, (uint64_t)plan->walked.ns, 8);
    memcpy(at, plan->refused, COMMAND_COUNT);
    *entry = (struct state_entry){0, {bytes, PLAN_BYTES}};
    save->save_state.entries = entry;
    save->save_state.count = 1;
    return 0;
}

static int restore_entry(struct partitioned *upgrader, struct task *head, uint64_t key,
                         struct bytes value) {
    (void)upgrader;
    struct plan *plan = &((struct upgrader_task *)head)->plan;
    struct wire_reader reader = wire_reader_of(value);
    assert(key == 0 && value.len == PLAN_BYTES);
    (void)key;
    plan->phase = (enum phase)wire_get(&reader, 1);
    plan->served = (uint32_t)wire_get(&reader, 4);
    plan->other = (uint32_t)wire_get(&reader, 4);
    plan->last = (enum control_kind)wire_get(&reader, 2);
    plan->cursor = wire_get(&reader, 8);
    plan->announced = wire_get(&reader, 8);
    plan->walked.ns = (int64_t)wire_get(&reader, 8);
    memcpy(plan->refused, reader.at, COMMAND_COUNT);
    return 0;
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
        .save_entries = save_entries,
        .saved = task_saved,
        .timer = task_timer_due,
    };
    return partitioned_new(sizeof(struct partitioned), &ops);
}
