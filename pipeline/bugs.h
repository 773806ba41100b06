/*
 * Planted bugs: each takes away one protection of the core, or of the archive of embeddings beside
 * it, so that the harness can be seen to notice. They exist in simulation only: the constructor of
 * a machine is handed the set, and a host that serves production hands none. `murphy list bugs`
 * prints this table; `--bug NAME` switches one.
 */
#ifndef MURPHY_PIPELINE_BUGS_H
#define MURPHY_PIPELINE_BUGS_H

#include <stdbool.h>

/* X(identifier, "name", "about", "check that is meant to catch it") */
#define BUGS(X)                                                                                    \
    X(NO_VERSION_CHECK, "no-version-check",                                                        \
      "sink writes are unconditional: a delayed or repeated write may overwrite a newer one",      \
      "version-monotone")                                                                          \
    X(NO_TOMBSTONE, "no-tombstone",                                                                \
      "a DELETE leaves no tombstone in the document: an older UPSERT that arrives later revives "  \
      "it",                                                                                        \
      "gone-in-time")                                                                              \
    X(NO_DEDUPE, "no-dedupe",                                                                      \
      "a repeated event counts as a change: history gets a second row, an order counts twice",     \
      "no-duplicate-row")                                                                          \
    X(OFFSET_BEFORE_STATE, "offset-before-state",                                                  \
      "offsets are checkpointed before the state that they stand for: a crash loses the events "   \
      "between",                                                                                   \
      "convergence")                                                                               \
    X(ALWAYS_REEMBED, "always-reembed",                                                            \
      "the content hash is ignored: every change makes embeddings anew", "embedding-economy")      \
    X(NEVER_REEMBED, "never-reembed",                                                              \
      "an embedding once made is kept whatever its text or images become", "convergence")          \
    X(NO_POLICY_FANOUT, "no-policy-fanout",                                                        \
      "a seller's suppression reaches only listings that change later", "gone-in-time")            \
    X(FUTURE_ACCEPTED, "future-accepted",                                                          \
      "a record whose time lies in the future is taken in: it wins against all that is said "      \
      "later",                                                                                     \
      "dead-letters")                                                                              \
    X(SUPPRESSION_QUEUES, "suppression-queues",                                                    \
      "a suppression waits in line with everything else: readers get the rows until they are "     \
      "gone",                                                                                      \
      "gone-in-time")                                                                              \
    X(ERASURE_FORGETS_LETTERS, "erasure-forgets-letters",                                          \
      "the eraser does not look at dead letters", "erasure")                                       \
    X(ERASURE_FORGETS_OLD_MODELS, "erasure-forgets-old-models",                                    \
      "the eraser looks at the vectors of the configured model version alone", "erasure")          \
    X(ERASURE_FORGETS_STATE, "erasure-forgets-state",                                              \
      "an erasure leaves checkpoints as they are, and the eraser does not look at them",           \
      "erasure")                                                                                   \
    X(ERASURE_FORGETS_LEDGER, "erasure-forgets-ledger",                                            \
      "a replay routes the records of an erased listing once more", "erasure")                     \
    X(LATE_ORDER_WRONG_HOUR, "late-order-wrong-hour",                                              \
      "an order counts in the hour in which it arrived, not in that in which it was placed",       \
      "no-false-alarm")                                                                            \
    X(NO_BACKPRESSURE, "no-backpressure", "the log is read on however much waits for a sink",      \
      "backlog-bounded")                                                                           \
    X(CUTOVER_EARLY, "cutover-early", "the aliases switch although the backfill is not complete",  \
      "alias-switch")                                                                              \
    X(ROLLBACK_LOSES_WRITES, "rollback-loses-writes",                                              \
      "after a cutover the former model's collections are not written any more", "alias-switch")   \
    X(SKIPS_EXPIRED, "skips-expired",                                                              \
      "a reader whose records expired unread goes on behind them and leaves bronze alone",         \
      "convergence")                                                                               \
    X(AUDIT_SKIPS_KEPT, "audit-skips-kept",                                                        \
      "the audit tells of vectors that are made, and of none that serves another version on",      \
      "audit-complete")                                                                            \
    X(SUPPRESSION_EXISTING_ONLY, "suppression-existing-only",                                      \
      "a seller's suppression reaches existing listings only: one that comes later is served",     \
      "gone-in-time")                                                                              \
    X(PARTIAL_NULLS, "partial-nulls", "a partial update nulls the fields that it does not name",   \
      "convergence")                                                                               \
    X(LIVE_WRITES_MISSED, "live-writes-missed",                                                    \
      "a shadow collection gets only what the backfill copies: changes during it are missed",      \
      "standby-complete")                                                                          \
    X(CONTRACT_UNCHECKED, "contract-unchecked",                                                    \
      "records of a contract version that nobody registered are routed as if they were known",     \
      "contract-held")                                                                             \
    X(REPLAY_FORGETS, "replay-forgets",                                                            \
      "a replay of dead letters that a crash cuts short is not gone on with", "settled")           \
    X(TOMBSTONE_EARLY, "tombstone-early",                                                          \
      "a tombstone is forgotten before the allowed lateness is over: an older UPSERT revives the " \
      "listing",                                                                                   \
      "gone-in-time")                                                                              \
    X(DRIFT_SELF, "drift-self", "the drift check compares a window with itself",                   \
      "caught: embedding-drift error on vector-text")                                              \
    X(REFERENCE_NO_FANOUT, "reference-no-fanout",                                                  \
      "a change of the taxonomy or of the locale table reaches only listings that change later",   \
      "remade-exactly")                                                                            \
    X(REFERENCE_TO_ALL, "reference-to-all",                                                        \
      "a change of the taxonomy or of the locale table is fanned out to every listing",            \
      "remade-exactly")                                                                            \
    X(ORPHANS_SHOWN, "orphans-shown",                                                              \
      "an image that nobody named for longer than the limit is shown when it is named after all",  \
      "convergence")                                                                               \
    X(ROW_DELETED_OUTRIGHT, "row-deleted-outright",                                                \
      "a vector row is deleted by its key and no row says so: a store that forgets tombstones "    \
      "takes an older write in",                                                                   \
      "no-drift-found")                                                                            \
    X(TEXT_DELETED_OUTRIGHT, "text-deleted-outright", "the same of a row of the keyword index",    \
      "no-drift-found")                                                                            \
    X(BATCH_TAKEN_WHOLE, "batch-taken-whole",                                                      \
      "a batch of vector rows that was answered counts as done, whatever is said of its items",    \
      "no-drift-found")                                                                            \
    X(THROTTLE_IGNORED, "throttle-ignored",                                                        \
      "a request that was one too many is sent again at once", "caught: retries")                  \
    X(TOO_LARGE_AGAIN, "too-large-again",                                                          \
      "a batch that is too large for its store is sent again as it is", "no-drift-found")          \
    X(RESURRECTED_LEFT, "resurrected-left",                                                        \
      "reconciliation reports rows that came back and repairs all others", "reconciliation-clean") \
    X(ERASURE_BELIEVES_DELETES, "erasure-believes-deletes",                                        \
      "the eraser takes an artifact for gone because it told the store to drop it", "erasure")     \
    X(ERASURE_HASTY, "erasure-hasty",                                                              \
      "the eraser believes the first listing of the object store that names nothing", "erasure")   \
    X(CUTOFF_IGNORED, "cutoff-ignored",                                                            \
      "reconciliation takes changes that are still on their way for drift", "no-drift-found")      \
    X(REPAIR_OVERWRITES, "repair-overwrites",                                                      \
      "a repair writes a row over what is there, which may be two rows of one key", "convergence") \
    X(BATCH_ONLY_LOOKS, "batch-only-looks",                                                        \
      "the nightly batch counts the hours of the dashboard that bronze says differently, and "     \
      "leaves them",                                                                               \
      "dashboard")                                                                                 \
    X(BOOKS_UNREAD, "books-unread",                                                                \
      "orders that never reached bronze are not asked of OLTP again", "dashboard")                 \
    X(MODEL_UNCHECKED, "model-unchecked",                                                          \
      "vectors are written whatever model version the embedding service says made them",           \
      "no-lost-embedding")                                                                         \
    X(DIMENSION_UNCHECKED, "dimension-unchecked",                                                  \
      "vectors are written whatever dimension the embedding service answers with", "dead-letters") \
    X(NUMBERS_UNCHECKED, "numbers-unchecked",                                                      \
      "vectors go to the store as the embedding service made them, numbers or not",                \
      "dead-letters")                                                                              \
    X(EMBED_GIVEN_UP, "embed-given-up",                                                            \
      "an embedding whose request failed, or whose outcome nobody knows, is not asked for again",  \
      "convergence")                                                                               \
    X(REEMBED_FROM_ARCHIVE, "reembed-from-archive",                                                \
      "an operator's re-embed takes the vectors that were kept: those that a wrong model made "    \
      "come again",                                                                                \
      "no-lost-embedding")                                                                         \
    X(AUDIT_EVENT_TWICE, "audit-event-twice",                                                      \
      "a record that tells nothing, a repeat say, is appended to the listing's audit stream all "  \
      "the same",                                                                                  \
      "audit-stream")                                                                              \
    X(AUDIT_EVENT_LOST, "audit-event-lost",                                                        \
      "an event that no reader sees at once, an image before its listing say, is not appended to " \
      "the audit stream",                                                                          \
      "audit-stream")                                                                              \
    X(AUDIT_HEAD_FORGOTTEN, "audit-head-forgotten",                                                \
      "where an audit stream stands is not read from the checkpoint: after a crash it begins "     \
      "anew",                                                                                      \
      "audit-stream")                                                                              \
    X(TRUNCATION_UNSEEN, "truncation-unseen",                                                      \
      "a reader whose log was cut by a leader change goes on at its offset: what stands below it " \
      "by then is never read",                                                                     \
      "log-read")                                                                                  \
    X(RESETS_AT_ONCE, "resets-at-once",                                                            \
      "a reader that is told once that its offset is out of range goes to the end of the log",     \
      "log-read")                                                                                  \
    X(LOSS_UNNOTICED, "loss-unnoticed",                                                            \
      "a producer does not look whether a new leader has what the former one acknowledged",        \
      "log-written")                                                                               \
    X(SEQUENCE_RESTARTS, "sequence-restarts",                                                      \
      "an idempotent producer that starts anew numbers from 1 under its former epoch: what it "    \
      "sends is taken for repeats",                                                                \
      "log-written")                                                                               \
    X(RESUMES_AT_COMMIT, "resumes-at-commit",                                                      \
      "a task reads on from the offset that its group committed, or where there is none from the " \
      "end of the log, whatever its checkpoint says",                                              \
      "log-read")                                                                                  \
    X(FENCING_OFF, "fencing-off",                                                                  \
      "checkpoints name no generation: one of an evicted member overwrites its successor's",       \
      "audit-stream")                                                                              \
    X(MERGE_AS_IT_CAME, "merge-as-it-came",                                                        \
      "all that a batch says of an order goes into one merge, as it came", "dashboard")            \
    X(VIEW_UNCHECKED, "view-unchecked",                                                            \
      "a refresh of the dashboard counts as done, whatever moment the view then tells of",         \
      "no-false-alarm")                                                                            \
    X(STALE_STREAM_SKIPPED, "stale-stream-skipped",                                                \
      "a refresh of the dashboard whose changes are not kept any more counts as done",             \
      "no-false-alarm")                                                                            \
    X(FAILED_LOAD_TAKEN, "failed-load-taken",                                                      \
      "the loader reads on after a micro-batch that the warehouse refused", "history")             \
    X(TORN_LOAD_TAKEN, "torn-load-taken",                                                          \
      "the loader reads on after a micro-batch of which nobody knows how much is in", "history")   \
    X(NEVER_COMPACTS, "never-compacts",                                                            \
      "nobody tells a vector database to drop what deletions left in its index",                   \
      "caught: compactions")                                                                       \
    X(ERASURE_BELIEVES_VECTORS, "erasure-believes-vectors",                                        \
      "the eraser takes vectors for gone because it told the database to drop their rows",         \
      "erasure")                                                                                   \
    X(ERASURE_FORGETS_TIME_TRAVEL, "erasure-forgets-time-travel",                                  \
      "the eraser does not wait for removed rows that the warehouse can still bring back",         \
      "erasure")                                                                                   \
    X(METADATA_KEPT, "metadata-kept",                                                              \
      "a change of what filters read, and of nothing that is embedded, is not written to the "     \
      "rows",                                                                                      \
      "filters-right")                                                                             \
    X(WATCH_ASLEEP, "watch-asleep", "nobody looks how old the newest record of a feed is",         \
      "caught: feed-freshness error on media-ingest")                                              \
    X(SOURCE_UNREAD, "source-unread",                                                              \
      "reconciliation takes gold's word for what the source of truth says",                        \
      "caught: stale in gold")                                                                     \
    X(REFUSALS_UNHEARD, "refusals-unheard", "nobody counts the rows that stores refuse for good",  \
      "caught: load-failures error on dead-letter")                                                \
    X(PRODUCE_TAKEN_WHOLE, "produce-taken-whole",                                                  \
      "a produce request that was answered counts as done, whatever is said of its records",       \
      "convergence")                                                                               \
    X(TOKEN_TRUSTED, "token-trusted",                                                              \
      "the loader reads on from the token that the warehouse's channel tells, whatever its "       \
      "checkpoint says",                                                                           \
      "audit-stream")                                                                              \
    X(BATCH_TAKES_REFUSED, "batch-takes-refused",                                                  \
      "the nightly batch counts orders of bronze that broke their contract when they were loaded", \
      "no-false-alarm")                                                                            \
    X(SWITCH_BELIEVED, "switch-believed",                                                          \
      "a switch of aliases whose outcome is unknown counts as done, and nobody looks where they "  \
      "point",                                                                                     \
      "alias-switch")                                                                              \
    X(METADATA_ALONE, "metadata-alone",                                                            \
      "a change of metadata is written alone, also to a store that takes whole rows only",         \
      "dead-letters")                                                                              \
    X(SEARCHES_UNREAD, "searches-unread",                                                          \
      "reconciliation reads rows by scan alone: what no search finds is taken for found",          \
      "convergence")                                                                               \
    X(VERSIONS_BELIEVED, "versions-believed",                                                      \
      "reconciliation compares versions, and takes what a row of the right version says for "      \
      "right",                                                                                     \
      "convergence")                                                                               \
    X(POLICY_BELIEVED, "policy-believed",                                                          \
      "a reader whom the reset policy of its group moved reads on from there, whatever its "       \
      "checkpoint says",                                                                           \
      "convergence")                                                                               \
    X(STANDBY_UNTENDED, "standby-untended",                                                        \
      "where the vector database takes any write, nobody looks whether the collections that wait " \
      "beside the served ones are still right",                                                    \
      "orders-obeyed")                                                                             \
    X(OUTBOX_GIVEN_UP, "outbox-given-up",                                                          \
      "a relay whose look into the outbox failed does not look again", "convergence")              \
    X(VIEW_UNREAD, "view-unread",                                                                  \
      "the nightly batch does not hold the dashboard's view against what bronze says",             \
      "caught: batch-differs error on warehouse")                                                  \
    X(ERASURE_FORGETS_ARTIFACTS, "erasure-forgets-artifacts",                                      \
      "the eraser leaves artifacts to the lifecycle rule, which drops them in time", "erasure")    \
    X(ARTIFACT_ASSUMED, "artifact-assumed",                                                        \
      "a vector that was archived once is not made again, whether its artifact is still there or " \
      "not",                                                                                       \
      "convergence")                                                                               \
    X(NEW_FORMAT_EARLY, "new-format-early",                                                        \
      "workers of a new version write its format at once, whether or not the upgrade is "          \
      "finalised: those of the old version cannot read it",                                        \
      "convergence")                                                                               \
    X(UNKNOWN_FORMAT_GUESSED, "unknown-format-guessed",                                            \
      "a worker takes checkpoint entries of a format that it does not know for ones that are not " \
      "there, and reads on from the offsets beside them, records as if it knew them",              \
      "convergence")                                                                               \
    X(UNKNOWN_RECORD_SKIPPED, "unknown-record-skipped",                                            \
      "a worker passes over records of the log in a format that it does not know",                 \
      "no-drift-found")                                                                            \
    X(SEAL_UNCHECKED, "seal-unchecked",                                                            \
      "a sealed checkpoint entry is read whether or not its bytes are those that were written",    \
      "no-drift-found")                                                                            \
    X(LOSS_UNMARKED, "loss-unmarked",                                                              \
      "a loader whose records expired unread goes on behind them and marks in the warehouse "      \
      "nowhere which they were",                                                                   \
      "losses-marked")                                                                             \
    X(REPAIR_NO_VERSION, "repair-no-version",                                                      \
      "what reconciliation publishes once more is a version only for those that learn from it: "   \
      "who lost records and who did not never agree again",                                        \
      "reconciliation-clean")                                                                      \
    X(IMAGES_UNSAID, "images-unsaid",                                                              \
      "a builder does not tell the images of a listing again that reconciliation publishes",       \
      "no-drift-found")                                                                            \
    X(LOSS_LEFT, "loss-left",                                                                      \
      "a loader whose log expired unread does not ask OLTP for what it lost, and leaves that to "  \
      "reconciliation, which sees only what readers are shown",                                    \
      "no-drift-found")

enum bug_id {
#define BUG_ENUM(identifier, name, about, check) BUG_##identifier,
    BUGS(BUG_ENUM)
#undef BUG_ENUM
        BUG_COUNT
};

struct bugs {
    bool on[BUG_COUNT];
};

struct bug_about {
    const char *name;
    const char *about;
    const char *check;
};

/* The table, BUG_COUNT rows in the order of the enum. */
const struct bug_about *bug_table(void);

/* True when bugs is not NULL and the bug is on. */
static inline bool bug_on(const struct bugs *bugs, enum bug_id id) {
    return bugs != 0 && bugs->on[id];
}

/* Index of the bug of that name, or -1. */
int bug_find(const char *name);

#endif
