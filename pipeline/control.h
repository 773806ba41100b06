/*
 * What travels on the control topic: operators' commands, and what controllers announce to the
 * other machines.
 *
 * A command is a record of a topic, so that it outlives whoever was to obey it: a machine reads the
 * topic as one of its sources, with its offset in its checkpoint, and a crash between reading and
 * doing reads the command again. So every command must bear being read twice, and a machine that
 * reads one which it has carried out already, or that is none of its business, does nothing.
 *
 * The table says for each what an operator must know; docs/operators.md is made from it.
 */
#ifndef MURPHY_PIPELINE_CONTROL_H
#define MURPHY_PIPELINE_CONTROL_H

#include "pipeline/record.h"

/* What a kind is given. */
enum control_parameter {
    CONTROL_MODEL = 1,          /* model_version: required */
    CONTROL_RANGE = 1 << 1,     /* [from, to): may be left out */
    CONTROL_FEED = 1 << 2,      /* id: enum topic_id of a feed */
    CONTROL_TEXT = 1 << 3,      /* text: required */
    CONTROL_ANNOUNCED = 1 << 4, /* said by a machine: no command of an operator's */
    CONTROL_WORKERS = 1 << 5,   /* a kind of machine and a number: for whoever runs the processes,
                                   who is not told by the control topic */
    CONTROL_VERSION = 1 << 6,   /* of the code, or of what it writes; for the same */
    CONTROL_ROLL = 1 << 7,      /* a kind of machine, all if left out, and how long each process is
                                   away; for the same */
};

/*
 * X(identifier, "name", "who obeys", parameters, "about", "precondition", "what a crash in the
 *   middle leaves", "how it goes on", "test")
 * Numbers go over the wire: rows are appended, never moved.
 */
#define CONTROLS(X)                                                                                \
    X(MODELS, "models", "builder", CONTROL_MODEL | CONTROL_ANNOUNCED,                              \
      "the model version that is served, and another one (0: none) whose collections are written " \
      "as well",                                                                                   \
      "its number is not below that of the one that was obeyed last",                              \
      "some partitions write the collections that are named, others do not yet",                   \
      "a builder reads the announcements to their end before it reads the log, and so writes a "   \
      "change that it folds anew to all collections that its forerunner wrote it to",              \
      "tests/pipeline/test_builder_lanes.c:test_restart_at_every_step")                            \
    X(UPGRADE, "upgrade", "upgrader", CONTROL_MODEL,                                               \
      "begins an upgrade to that model version: shadow collections, dual writes, backfill, "       \
      "validation",                                                                                \
      "no other upgrade is under way; asked again for the same model it is a repeat",              \
      "shadow collections that are not all there or hold part of the rows; readers see nothing "   \
      "of it",                                                                                     \
      "the phase and how far the backfill came stand in the checkpoint: collections are created "  \
      "again, the walk goes on",                                                                   \
      "tests/pipeline/test_upgrader.c:crash_at_any_step")                                          \
    X(CUTOVER, "cutover", "upgrader", 0,                                                           \
      "leads readers to the collections of the model that the upgrade prepared",                   \
      "every gate of the validation holds; otherwise it is refused with an alert that names "      \
      "the gate",                                                                                  \
      "aliases that point all to the one model or all to the other",                               \
      "before the gates held it judges them anew; after that it switches again, which changes "    \
      "nothing where it was done",                                                                 \
      "tests/pipeline/test_upgrader.c:crash_at_any_step")                                          \
    X(ROLLBACK, "rollback", "upgrader", 0,                                                         \
      "leads readers back to the former model's collections, which were written all along",        \
      "after a cutover, until the former model is retired",                                        \
      "aliases that point all to the one model or all to the other", "as a cutover",               \
      "tests/pipeline/test_upgrader.c:rollback_is_judged")                                         \
    X(RETIRE, "retire", "upgrader", 0,                                                             \
      "ends the writing of the model that is not served and drops its collections",                \
      "after a cutover", "collections of the former model that nobody reads or writes",            \
      "the builders are told again, and what is left is dropped",                                  \
      "tests/pipeline/test_upgrader.c:the_whole_way")                                              \
    X(ABANDON, "abandon", "upgrader", 0,                                                           \
      "gives an upgrade up before its cutover and drops the shadow collections",                   \
      "an upgrade is under way and not cut over",                                                  \
      "shadow collections that nobody reads or writes",                                            \
      "the builders are told again, and what is left is dropped",                                  \
      "tests/pipeline/test_upgrader.c:abandoned")                                                  \
    X(REPLAY_LETTERS, "replay-letters", "steward", CONTROL_RANGE,                                  \
      "sends the records of dead letters to their feeds once more, those written in [from, "       \
      "to)",                                                                                       \
      "the reason why they were refused is mended; what is refused again is a dead letter "        \
      "again, later than the command and no part of it",                                           \
      "some of the records are back in their feeds, some twice",                                   \
      "the steward's checkpoint names the command and how far each partition of letters is read; " \
      "it sends again what came after, and a repeat is no news to anybody",                        \
      "tests/pipeline/test_steward.c:test_crash_while_replaying")                                  \
    X(RELEASE, "release", "router", CONTROL_RANGE,                                                 \
      "lets deletes go on that the quarantine holds, in their order; without a range all that "    \
      "are "                                                                                       \
      "dated before the command",                                                                  \
      "none: of deletes that are not held yet it is true as well",                                 \
      "some partitions have heard it; in others deletes are still held",                           \
      "each partition keeps its place among the commands and in its quarantine in its "            \
      "checkpoint, "                                                                               \
      "and reads on from there",                                                                   \
      "tests/pipeline/test_quarantine.c:test_release")                                             \
    X(DISCARD, "discard", "router", CONTROL_RANGE,                                                 \
      "drops deletes of [from, to) that the quarantine holds, those that come late or twice "      \
      "included, and lets the others go on; without a range all that are dated before the "        \
      "command",                                                                                   \
      "none: of deletes that are not held yet it is true as well",                                 \
      "some partitions have heard it; in others deletes are still held",                           \
      "as with release; what was dropped and is true all the same is found by the next "           \
      "reconciliation, which sends it past the quarantine",                                        \
      "tests/pipeline/test_quarantine.c:test_discard")                                             \
    X(REGISTER, "register", "router", CONTROL_FEED | CONTROL_TEXT,                                 \
      "registers a version of a feed's contract",                                                  \
      "it is compatible with the registered ones by the feed's mode, or amends a version so that " \
      "it allows more; otherwise it is refused with an alert that names the field",                \
      "some tasks of the router know it, others not yet: what these would refuse they leave "      \
      "until "                                                                                     \
      "they have read the control topic to its end",                                               \
      "each task folds the topic from its checkpoint on; the same text once more is a repeat",     \
      "tests/pipeline/test_router.c:test_registered_meanwhile")                                    \
    X(BATCH, "batch", "batch", CONTROL_RANGE,                                                      \
      "makes the search documents and the sales of [from, to) anew from bronze and compares "      \
      "them with the stream's; without a range all that is kept",                                  \
      "none: what came before bronze begins is left as it is, with an alert that says so",         \
      "some of the documents are made, of others the last run's stand; sales are replaced at "     \
      "once",                                                                                      \
      "the run is in the checkpoint with the partitions that are done; it goes on with the next "  \
      "one, and sales and comparison begin anew: every row has a key",                             \
      "tests/pipeline/test_batch.c:test_crash_at_any_request")                                     \
    X(SWEEP, "sweep", "eraser", CONTROL_RANGE,                                                     \
      "looks again whether what was to be erased in requests of [from, to) is gone, and "          \
      "erases what is not",                                                                        \
      "none: what is gone still needs no second certificate", "the sweep is lost",                 \
      "the checkpoint says which requests are to be swept: that begins at once; a command that "   \
      "it does not have is read again",                                                            \
      "tests/pipeline/test_eraser.c:test_sweep_on_command")                                        \
    X(REPLAY_FEED, "replay-feed", "router", CONTROL_FEED,                                          \
      "reads a feed once more from the oldest record that its topic keeps",                        \
      "none: what is read again and was known is no news to anybody",                              \
      "some tasks of the router have begun again, others have not heard of it yet",                \
      "a task that had saved neither command nor offsets reads the command again; otherwise it "   \
      "goes on from the offset that it saved",                                                     \
      "tests/pipeline/test_router.c:test_replay_feed")                                             \
    X(SCALE, "scale", "orchestrator", CONTROL_WORKERS,                                             \
      "runs so many processes of a machine from then on", "a machine that shares its partitions",  \
      "partitions are dealt out among those that are there",                                       \
      "by the group's next generation: each partition goes on from its checkpoint",                \
      "tests/sim/test_simulation.c:test_scale")                                                    \
    X(REEMBED, "re-embed", "quality", CONTROL_RANGE,                                               \
      "makes every vector of the served model anew that was written in [from, to), after the "     \
      "embedding service answered wrongly",                                                        \
      "the service answers rightly again", "some vectors are made anew, others not yet",           \
      "the walk is in the checkpoint; it is done again until no row of the range is left",         \
      "tests/pipeline/test_quality.c:test_reembed")                                                \
    X(DEPLOY, "deploy", "orchestrator", CONTROL_VERSION | CONTROL_ROLL,                            \
      "replaces the processes of a machine, or of all, one after another by ones of that version " \
      "of the code: the next goes when the one before it is back",                                 \
      "the version reads what is finalised; otherwise it is refused with an alert, unless it is "  \
      "forced",                                                                                    \
      "processes of both versions share the partitions",                                           \
      "a process that dies comes back in the version that it had, or was to get; the roll goes "   \
      "on",                                                                                        \
      "tests/sim/test_deployment.c:test_rolls")                                                    \
    X(FINALISE, "finalise", "orchestrator", CONTROL_VERSION,                                       \
      "lets all processes write the formats of that version, which older ones cannot read",        \
      "every process runs that version or is about to, and none is about to be rolled back; "      \
      "otherwise it is refused with an alert that names one, unless it is forced",                 \
      "some processes write the formats, others not yet: all of them read both",                   \
      "a process learns the level as it starts, and from then on by a command",                    \
      "tests/sim/test_deployment.c:test_finalise")

enum control_kind {
    CONTROL_NONE,
#define CONTROL_ENUM(identifier, name, obeys, parameters, about, precondition, crash, resumes,     \
                     test)                                                                         \
    CONTROL_##identifier,
    CONTROLS(CONTROL_ENUM)
#undef CONTROL_ENUM
        CONTROL_KIND_END
};

struct control_about {
    const char *name;
    const char *obeys; /* machines that obey, by name */
    unsigned parameters;
    const char *about;
    const char *precondition;
    const char *crash;   /* what a crash in the middle leaves */
    const char *resumes; /* how it goes on */
    const char *test;    /* FILE:FUNCTION that shows it */
};
/* The row of a kind in 1 .. CONTROL_KIND_END - 1. */
const struct control_about *control_about(enum control_kind kind);
/* The kind of that name, or CONTROL_NONE. */
enum control_kind control_find(const char *name);

#endif
