/*
 * The one table of faults: what can be done to the pipeline's world on purpose, what each models,
 * and which checks ought to notice if a protection were missing.
 *
 * A fault wraps a port or acts on an actor at a named point. It strikes only between its `from`
 * and `until`, with a probability or at a pace of its own, decided by a random stream of its own,
 * so that adding one fault to a scenario leaves the decisions of the others as they were.
 */
#ifndef MURPHY_FAULTS_FAULTS_H
#define MURPHY_FAULTS_FAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/machine.h"
#include "pipeline/topics.h"
#include "pipeline/vtime.h"

enum fault_sink {
    SINK_VECTORS,
    SINK_KEYWORDS,
    SINK_WAREHOUSE,
    SINK_EMBEDDING,
    SINK_STATE, /* the checkpoint store */
    SINK_LOG,   /* produce requests */
    SINK_OBJECTS,
    SINK_COUNT
};
const char *fault_sink_name(enum fault_sink sink);
int fault_sink_find(const char *name);

/* Where a fault strikes. A kind that takes `sink` strikes the one that is given of those that its
 * row names. */
enum fault_place {
    PLACE_VECTORS = 1 << SINK_VECTORS,
    PLACE_KEYWORDS = 1 << SINK_KEYWORDS,
    PLACE_WAREHOUSE = 1 << SINK_WAREHOUSE,
    PLACE_EMBEDDING = 1 << SINK_EMBEDDING,
    PLACE_STATE = 1 << SINK_STATE,
    PLACE_LOG = 1 << SINK_LOG,
    PLACE_OBJECTS = 1 << SINK_OBJECTS,
    PLACE_SINKS = (1 << SINK_COUNT) - 1,
    PLACE_FEED = 1 << SINK_COUNT,       /* between a producer and its topic */
    PLACE_OLTP = 1 << (SINK_COUNT + 1), /* the transaction of a change, and its outbox */
    PLACE_WORKER = 1 << (SINK_COUNT + 2),
    PLACE_BROKER = 1 << (SINK_COUNT + 3), /* a partition's leader, a group's coordinator */
};

/* Names of places, with `between` between two of them. */
#define FAULT_PLACES_TEXT 200
void fault_places_text(unsigned places, const char *between, char text[FAULT_PLACES_TEXT]);

/* What a fault can be given. Times count from the start of the run. */
enum fault_parameter {
    FAULT_FEED = 1,            /* one of the feeds */
    FAULT_SINK = 1 << 1,       /* one of enum fault_sink */
    FAULT_WORKER = 1 << 2,     /* one of the machines */
    FAULT_RATIO = 1 << 3,      /* probability for each thing that it could strike */
    FAULT_EVERY = 1 << 4,      /* mean time between strikes */
    FAULT_DELAY = 1 << 5,      /* longest delay */
    FAULT_DOWN = 1 << 6,       /* how long what was struck stays down */
    FAULT_POINT = 1 << 7,      /* enum fault_point */
    FAULT_CALL = 1 << 8,       /* requests of one name alone */
    FAULT_OCCURRENCE = 1 << 9, /* the how-manyeth alone; goes with FAULT_RATIO */
    FAULT_TOPIC = 1 << 10,     /* any topic; in fault.feed */
};

/* The key of the i-th parameter, and its bit; NULL behind the last. */
const char *fault_parameter_name(size_t i, unsigned *bit);

/* What becomes of a pipeline with all its protections. */
enum fault_survival {
    SURVIVES,        /* every promise holds, objectives of time apart */
    SURVIVES_WITHIN, /* while the bounds of the row are kept */
    SURVIVES_NOT,    /* it is noticed, and an operator mends it */
};
const char *fault_survival_name(enum fault_survival survival);

/*
 * X(identifier, "name", places, required parameters, optional parameters,
 *   survival, "within which bounds; or what is left",
 *   "why a swarm of all faults does without it": empty where it takes part,
 *   "what it does",
 *   "what it models [source]",
 *   "checks that notice when the protection is missing": of `murphy list checks`, or an alert,
 *   "bugs that take the protection away": of `murphy list bugs`)
 */
#define FAULTS(X)                                                                                  \
    X(DUPLICATE_RECORDS, "duplicate-records", PLACE_FEED, FAULT_FEED | FAULT_RATIO, FAULT_DELAY,   \
      SURVIVES, "", "", "a record is appended to its feed a second time, up to `delay` later",     \
      "a producer's retry after a lost acknowledgement; at-least-once delivery [jepsen: "          \
      "duplicate]",                                                                                \
      "no-duplicate-row convergence dashboard", "no-dedupe")                                       \
    X(LATE_RECORDS, "late-records", PLACE_FEED, FAULT_FEED | FAULT_RATIO | FAULT_DELAY, 0,         \
      SURVIVES_WITHIN,                                                                             \
      "up to the allowed lateness at once; what is later, with the next batch "                    \
      "of the late queue",                                                                         \
      "", "a record reaches its feed up to `delay` after its event, behind younger ones",          \
      "an offline seller app, a mirror that falls behind [promise A3]",                            \
      "convergence gone-in-time", "no-tombstone tombstone-early")                                  \
    X(STALLED_FEED, "stalled-feed", PLACE_FEED, FAULT_FEED, FAULT_DOWN, SURVIVES_WITHIN,           \
      "shorter than the topic's retention", "",                                                    \
      "nothing reaches the feed; what was sent comes when the stall ends",                         \
      "a stuck mirror or connector [promise D1]", "caught:feed-freshness", "watch-asleep")         \
    X(SINK_CRASH, "sink-crash", PLACE_SINKS, FAULT_SINK | FAULT_POINT | FAULT_RATIO,               \
      FAULT_DOWN | FAULT_CALL, SURVIVES, "", "",                                                   \
      "a store dies before a write, after it with the reply lost, or with half a batch in",        \
      "process crash, node loss, connection reset: a write is done, not done, or nobody knows "    \
      "[jepsen: outcome unknown]",                                                                 \
      "convergence version-monotone", "no-version-check offset-before-state")                      \
    X(SINK_OUTAGE, "sink-outage", PLACE_SINKS, FAULT_SINK, FAULT_DOWN, SURVIVES_WITHIN,            \
      "shorter than the retention of the topic that is read", "", "a store refuses every request", \
      "cluster red, network partition [opensearch status red]", "convergence backlog-bounded",     \
      "failed-load-taken no-backpressure")                                                         \
    X(SINK_THROTTLE, "sink-throttle", PLACE_SINKS, FAULT_SINK | FAULT_RATIO, FAULT_CALL, SURVIVES, \
      "", "", "a store answers that there are too many requests",                                  \
      "rate limits: 429 above 100 requests/s and namespace [pinecone limits]",                     \
      "caught:retries convergence", "throttle-ignored")                                            \
    X(ITEM_FAILURES, "item-failures", PLACE_VECTORS | PLACE_KEYWORDS, FAULT_SINK | FAULT_RATIO, 0, \
      SURVIVES, "", "", "single items of a batch fail for now; the rest of the batch goes on",     \
      "bulk requests: items are answered one by one, `errors: true` [opensearch bulk API]",        \
      "convergence no-drift-found", "batch-taken-whole")                                           \
    X(STALE_WRITE, "stale-write", PLACE_VECTORS | PLACE_KEYWORDS,                                  \
      FAULT_SINK | FAULT_RATIO | FAULT_DELAY, 0, SURVIVES_WITHIN,                                  \
      "where the store writes conditionally; elsewhere until the next reconciliation", "",         \
      "a write that was carried out is carried out once more up to `delay` later",                 \
      "a client's retry that overtakes nothing and arrives last [elasticsearch#21095]",            \
      "version-monotone convergence no-drift-found",                                               \
      "no-version-check row-deleted-outright text-deleted-outright resurrected-left")              \
    X(WORKER_CRASH, "worker-crash", PLACE_WORKER, FAULT_WORKER | FAULT_EVERY, FAULT_DOWN,          \
      SURVIVES, "", "", "a worker dies and another takes its place `down` later",                  \
      "OOM kill, node loss, deploy [promise C6]", "convergence no-duplicate-row",                  \
      "offset-before-state replay-forgets")                                                        \
    X(WORKER_CRASH_AT_WRITE, "worker-crash-at-write", PLACE_SINKS, FAULT_SINK | FAULT_RATIO,       \
      FAULT_DOWN | FAULT_CALL, SURVIVES, "", "",                                                   \
      "a worker dies at the moment at which a write of its arrives at a store",                    \
      "a crash between the effect and its checkpoint [promise C6]",                                \
      "convergence no-duplicate-row", "offset-before-state")                                       \
    X(WORKER_PAUSE, "worker-pause", PLACE_WORKER, FAULT_WORKER | FAULT_EVERY | FAULT_DOWN, 0,      \
      SURVIVES, "", "",                                                                            \
      "a worker stands still for `down`, loses its partitions, and goes on as a zombie",           \
      "GC pause, VM migration, SIGSTOP: the evicted member keeps consuming and writing "           \
      "[librdkafka changelog]",                                                                    \
      "version-monotone convergence", "no-version-check")                                          \
    X(DUAL_WRITE, "dual-write", PLACE_OLTP, FAULT_RATIO, 0, SURVIVES_WITHIN,                       \
      "until the next reconciliation, which finds and repairs it; but an erasure of a seller "     \
      "before that misses what the log was never told is the seller's",                            \
      "the outbox is the protection, and this takes it away: no erasure of a seller is whole",     \
      "a change of a listing or a seller is committed to OLTP and never reaches the log",          \
      "an application that writes to its database and to the log one after the other, without an " \
      "outbox, and dies in between [promise A2]",                                                  \
      "convergence caught:stale", "source-unread")                                                 \
    X(ITEM_REFUSALS, "item-refusals", PLACE_VECTORS | PLACE_KEYWORDS, FAULT_SINK | FAULT_RATIO, 0, \
      SURVIVES_WITHIN,                                                                             \
      "until the next reconciliation after the index was mended; in a collection that is written " \
      "beside the served one, until its validation",                                               \
      "a row that is refused in a collection that readers are not led to stays out until its "     \
      "validation: reconciliation compares what they see",                                         \
      "single items of a batch are refused for good; the rest of the batch goes on",               \
      "a mapping or a limit of an index that was changed by hand [opensearch bulk API]",           \
      "caught:load-failures reconciliation-clean", "refusals-unheard")                             \
    X(MODEL_DRIFT, "model-drift", PLACE_EMBEDDING, FAULT_RATIO, 0, SURVIVES_NOT,                   \
      "the vectors are wrong until an operator has them made anew",                                \
      "vectors stay wrong until an operator asks for a re-embed",                                  \
      "an embedding is answered with vectors of another kind: well formed, of length 1, "          \
      "elsewhere",                                                                                 \
      "a silent change of the model, or of its tokenizer, behind the service's gateway "           \
      "[Evidently: drift measures]",                                                               \
      "caught:embedding-drift", "drift-self")                                                      \
    X(SINK_RESTART, "sink-restart", PLACE_VECTORS | PLACE_KEYWORDS, FAULT_SINK | FAULT_EVERY,      \
      FAULT_DOWN, SURVIVES, "", "",                                                                \
      "a store is restarted: it answers nobody for `down`, and what it held in memory only is "    \
      "lost",                                                                                      \
      "a rolling restart, a node that is replaced: tombstones live in memory only, and a write "   \
      "that comes late finds none [elasticsearch#101178]",                                         \
      "no-drift-found version-monotone gone-in-time",                                              \
      "row-deleted-outright text-deleted-outright")                                                \
    X(LOST_DELETES, "lost-deletes", PLACE_OBJECTS, FAULT_RATIO, 0, SURVIVES, "", "",               \
      "the object store says that a listing's objects are gone, and they are not",                 \
      "deletes that a store confirms and loses: deleted rows are back after a recovery "           \
      "[milvus#37782]",                                                                            \
      "erasure", "erasure-believes-deletes")                                                       \
    X(LATE_DELETES, "late-deletes", PLACE_OBJECTS, FAULT_RATIO | FAULT_DELAY, 0, SURVIVES, "", "", \
      "objects go up to `delay` after the store said that they are gone",                          \
      "asynchronous bulk deletes; deletes that replicate behind reads [promise A12]", "erasure",   \
      "erasure-believes-deletes")                                                                  \
    X(SLOW_LISTING, "slow-listing", PLACE_OBJECTS, FAULT_DELAY, 0, SURVIVES_WITHIN,                \
      "while a listing is less than half an hour behind", "",                                      \
      "the object store's listings, by which objects are counted and dropped, are `delay` behind", \
      "eventually consistent listings after a write [Amazon S3 before 2020]", "erasure",           \
      "erasure-hasty")                                                                             \
    X(EARLY_LIFECYCLE, "early-lifecycle", PLACE_OBJECTS, FAULT_DELAY, 0, SURVIVES, "", "",         \
      "objects vanish `delay` before their time",                                                  \
      "a lifecycle rule whose prefix covers too much "                                             \
      "[promise A16]",                                                                             \
      "convergence", "artifact-assumed")                                                           \
    X(LATE_LIFECYCLE, "late-lifecycle", PLACE_OBJECTS, FAULT_DELAY, 0, SURVIVES, "", "",           \
      "objects stay `delay` after their time",                                                     \
      "a lifecycle sweep that was switched off, or that lags for weeks [promise A16]", "erasure",  \
      "erasure-forgets-artifacts")                                                                 \
    X(LATE_VISIBILITY, "late-visibility", PLACE_VECTORS, FAULT_RATIO | FAULT_DELAY, 0,             \
      SURVIVES_WITHIN, "shorter than what reconciliation leaves to changes under way", "",         \
      "what a write request wrote is seen by searches and scans up to `delay` later",              \
      "a refresh or a time tick that lags under load [opensearch refresh_interval, milvus "        \
      "consistency, pinecone eventual consistency]",                                               \
      "no-drift-found embedding-economy", "cutoff-ignored")                                        \
    X(UPSERT_DUPLICATES, "upsert-duplicates", PLACE_VECTORS, FAULT_RATIO, 0, SURVIVES_WITHIN,      \
      "until the next reconciliation, which finds and repairs it",                                 \
      "a key has two rows until a reconciliation",                                                 \
      "an upsert leaves the row that it replaces beside the new one",                              \
      "no primary key that is one: insert does not dedupe, upsert left duplicates, query and "     \
      "search disagree [milvus#38947, milvus#16993, milvus#36199]",                                \
      "reconciliation-clean convergence", "repair-overwrites")                                     \
    X(OUTBOX_STALL, "outbox-stall", PLACE_OLTP, 0, 0, SURVIVES_WITHIN,                             \
      "while the database has room for the outbox", "nothing reaches a feed for its whole window", \
      "the relay cannot read the outbox: what is committed waits there",                           \
      "a connector that stands still, a replication slot that nobody reads [promise A2]",          \
      "caught:feed-freshness lineage convergence", "outbox-given-up")                              \
    X(ACKED_LOST, "acked-lost", PLACE_FEED, FAULT_FEED | FAULT_RATIO, 0, SURVIVES_WITHIN,          \
      "orders until the next nightly batch, listings until the next reconciliation",               \
      "what is lost stays so until a batch or a reconciliation holds it against OLTP",             \
      "a record is acknowledged to its producer and never appended",                               \
      "an acknowledgement of a leader that dies before it replicates: lost-write [jepsen "         \
      "tests/kafka]",                                                                              \
      "dashboard convergence lineage", "books-unread")                                             \
    X(LOAD_LOSS, "load-loss", PLACE_WAREHOUSE, FAULT_RATIO, 0, SURVIVES_WITHIN,                    \
      "until the next nightly batch", "orders are missing until the next nightly batch",           \
      "the orders of a micro-batch are answered as loaded, and none of them is in bronze or "      \
      "silver",                                                                                    \
      "an operator overwrites a channel's offset token, and the loader resumes behind rows that "  \
      "never went in [promise C4]",                                                                \
      "dashboard lineage", "books-unread")                                                         \
    X(MERGE_CORRUPT, "merge-corrupt", PLACE_WAREHOUSE, FAULT_RATIO, 0, SURVIVES_WITHIN,            \
      "until the next nightly batch", "sales are wrong until the next nightly batch",              \
      "an order goes into silver with a hundred times its amount; bronze has it right",            \
      "a merge whose code takes cents for units [promise B4]",                                     \
      "batch-equals-stream dashboard lineage", "batch-only-looks")                                 \
    X(GOLD_SKIP, "gold-skip", PLACE_WAREHOUSE, FAULT_RATIO, 0, SURVIVES_WITHIN,                    \
      "until the next nightly batch", "sales are wrong until the next nightly batch",              \
      "a load changes silver's orders, and gold's sums do not follow",                             \
      "an incremental aggregate that misses changes: a change stream gone stale [promise C4]",     \
      "batch-equals-stream dashboard lineage", "batch-only-looks")                                 \
    X(STALE_VIEW, "stale-view", PLACE_WAREHOUSE, FAULT_RATIO, 0, SURVIVES_WITHIN,                  \
      "until a refresh or the next nightly batch",                                                 \
      "the dashboard is stale until a refresh goes through",                                       \
      "a refresh of the dashboard answers that it is done, and did nothing",                       \
      "a target lag that is best effort [promise C4]",                                             \
      "caught:batch-differs batch-equals-stream dashboard lineage", "view-unread")                 \
    X(EMBED_TIMEOUTS, "embed-timeouts", PLACE_EMBEDDING, FAULT_RATIO | FAULT_DELAY, 0, SURVIVES,   \
      "", "",                                                                                      \
      "a request for embeddings is answered by a timeout after `delay`, carried out or not",       \
      "a GPU pool that queues behind its gateway's timeout [promise C5]",                          \
      "no-lost-embedding convergence", "embed-given-up")                                           \
    X(WRONG_DIMENSION, "wrong-dimension", PLACE_EMBEDDING, FAULT_RATIO, 0, SURVIVES, "", "",       \
      "a request for embeddings is answered with vectors of half the dimension",                   \
      "a partial migration that mixed models lost 2.3 M paragraphs to a dimension mismatch "       \
      "[FIELD: upgrades]",                                                                         \
      "dead-letters settled", "dimension-unchecked")                                               \
    X(NAN_VECTORS, "nan-vectors", PLACE_EMBEDDING, FAULT_RATIO, 0, SURVIVES, "", "",               \
      "a vector is answered with components that are no numbers",                                  \
      "half precision that overflows, a division by a norm of zero [promise C5]",                  \
      "dead-letters settled", "numbers-unchecked")                                                 \
    X(OTHER_MODEL, "other-model", PLACE_EMBEDDING, FAULT_RATIO, 0, SURVIVES, "", "",               \
      "a request for embeddings is answered by another model version, and the answer says so",     \
      "a rolling deployment of a model behind one address: a partial migration mixed models "      \
      "[FIELD: upgrades]",                                                                         \
      "no-lost-embedding", "model-unchecked")                                                      \
    X(SILENT_MODEL, "silent-model", PLACE_EMBEDDING, FAULT_RATIO, 0, SURVIVES_NOT,                 \
      "the vectors are of another model until an operator has them made anew",                     \
      "vectors stay wrong until an operator asks for a re-embed",                                  \
      "a request for embeddings is answered by another model version under the name of the one "   \
      "that was asked for",                                                                        \
      "a provider that swaps the model behind an alias such as `latest` [promise C5]",             \
      "caught:embedding-drift", "drift-self")                                                      \
    X(LEADER_CHANGE, "leader-change", PLACE_BROKER, FAULT_TOPIC | FAULT_EVERY, FAULT_DOWN,         \
      SURVIVES, "", "",                                                                            \
      "a partition has no leader for `down`; then another one takes over, with everything",        \
      "a broker that restarts or is lost; requests fail or their outcome is unknown meanwhile "    \
      "[Kafka: leader election]",                                                                  \
      "log-written log-read convergence", "produce-taken-whole")                                   \
    X(UNCLEAN_LEADER, "unclean-leader", PLACE_BROKER, FAULT_TOPIC | FAULT_EVERY | FAULT_DELAY,     \
      FAULT_DOWN, SURVIVES_WITHIN,                                                                 \
      "for the listing log and what the outbox publishes, where outputs are verified "             \
      "(unclean_leaders); records of media are lost for good",                                     \
      "records of media have no second source; of a listing that is erased meanwhile, gold and a " \
      "rebuild may name different versions of the same nothing",                                   \
      "another leader takes over that lacks what was appended within a lag of up to `delay`: "     \
      "acknowledged records are gone, and their offsets are given out once more",                  \
      "unclean.leader.election.enable=true and a follower that was behind [KIP-101, KIP-320]",     \
      "log-written log-read convergence", "truncation-unseen loss-unnoticed")                      \
    X(EARLY_RETENTION, "early-retention", PLACE_BROKER, FAULT_TOPIC | FAULT_EVERY, 0,              \
      SURVIVES_WITHIN,                                                                             \
      "for the listing log, which is read on from bronze; what feeds lose unread comes back with " \
      "the next reconciliation as far as OLTP knows it",                                           \
      "records that nobody had read are lost",                                                     \
      "a partition forgets all that it holds, read or not",                                        \
      "retention.bytes or retention.ms too small, DeleteRecords by mistake: a retention race "     \
      "jumps the consumer to the end [librdkafka changelog]",                                      \
      "convergence caught:offset-out-of-range", "skips-expired policy-believed")                   \
    X(FALSE_OUT_OF_RANGE, "false-out-of-range", PLACE_BROKER, FAULT_TOPIC | FAULT_RATIO, 0,        \
      SURVIVES, "", "", "a reader is told that its offset is out of range, which it is not",       \
      "a transient error that triggers an offset reset [librdkafka changelog]",                    \
      "log-read convergence", "resets-at-once policy-believed")                                    \
    X(PRODUCERS_FORGOTTEN, "producers-forgotten", PLACE_BROKER, FAULT_TOPIC | FAULT_EVERY, 0,      \
      SURVIVES, "", "",                                                                            \
      "a partition forgets what it knows of idempotent producers: a retry is appended again",      \
      "producer.id.expiration.ms, lost idempotence state [librdkafka changelog]",                  \
      "no-duplicate-row convergence", "no-dedupe")                                                 \
    X(LOST_COMMITS, "lost-commits", PLACE_BROKER, FAULT_WORKER | FAULT_RATIO, 0, SURVIVES, "", "", \
      "a committed offset is acknowledged and not kept",                                           \
      "a coordinator that fails over without its last writes; auto-commit commits the offsets of " \
      "the poll before last [jepsen: kafka]",                                                      \
      "log-read convergence", "resumes-at-commit")                                                 \
    X(STALE_COMMITS, "stale-commits", PLACE_BROKER, FAULT_WORKER | FAULT_RATIO | FAULT_DELAY, 0,   \
      SURVIVES, "", "", "an offset is committed once more up to `delay` later",                    \
      "a stale stored offset committed after a reassignment rewinds the group "                    \
      "[librdkafka changelog]",                                                                    \
      "log-read convergence", "resumes-at-commit")                                                 \
    X(COMMITS_FORGOTTEN, "commits-forgotten", PLACE_BROKER, FAULT_WORKER | FAULT_EVERY, 0,         \
      SURVIVES, "", "", "all committed offsets of a group are gone",                               \
      "offsets.retention.minutes over, a lost offsets topic: the reset policy decides where the "  \
      "group goes on [Kafka: auto.offset.reset]",                                                  \
      "log-read convergence", "resumes-at-commit")                                                 \
    X(WORKER_STUCK, "worker-stuck", PLACE_WORKER, FAULT_WORKER | FAULT_EVERY | FAULT_DOWN, 0,      \
      SURVIVES, "", "",                                                                            \
      "a worker is stuck in its work for `down`: its heartbeats go on, and it leaves its group "   \
      "when it has not polled for too long",                                                       \
      "a slow member is evicted after max.poll.interval.ms and goes on as a zombie "               \
      "[KIP-62]",                                                                                  \
      "version-monotone convergence", "no-version-check")                                          \
    X(MEMBER_FLAPS, "member-flaps", PLACE_WORKER, FAULT_WORKER | FAULT_EVERY, 0, SURVIVES, "", "", \
      "a member leaves its group and joins it again at once",                                      \
      "a rebalance storm: rolling deploys, a readiness probe that flaps [KIP-345]",                \
      "log-read no-duplicate-row convergence", "offset-before-state")                              \
    X(SLOW_VIEW, "slow-view", PLACE_WAREHOUSE, FAULT_RATIO | FAULT_DELAY, 0, SURVIVES, "", "",     \
      "a refresh makes the dashboard's view as of up to `delay` ago, and tells so",                \
      "a target lag is an aim, measured to the roots, and a busy warehouse misses it [FIELD: "     \
      "warehouse]",                                                                                \
      "no-false-alarm dashboard", "view-unchecked")                                                \
    X(STALE_STREAM, "stale-stream", PLACE_WAREHOUSE, FAULT_RATIO, 0, SURVIVES, "", "",             \
      "the changes that a refresh of the view would go by are not kept any more",                  \
      "a change stream goes stale past its retention, or when its table is replaced [FIELD: "      \
      "warehouse]",                                                                                \
      "no-false-alarm dashboard", "stale-stream-skipped")                                          \
    X(TORN_LOAD, "torn-load", PLACE_WAREHOUSE, FAULT_RATIO, 0, SURVIVES, "", "",                   \
      "of each table a part of a micro-batch is in, and the reply is lost",                        \
      "a load of several statements without a transaction around them, cut off in between "        \
      "[promise C4]",                                                                              \
      "convergence audit-complete", "torn-load-taken")                                             \
    X(SLOW_COMPACTION, "slow-compaction", PLACE_VECTORS, 0, 0, SURVIVES_WITHIN,                    \
      "shorter than the time that an erasure has", "",                                             \
      "the vector database compacts nothing: what was deleted stays in its index",                 \
      "compaction that lags, or a long transaction that holds vacuum back [milvus#37389, "         \
      "pgvector#244]",                                                                             \
      "erasure", "erasure-believes-vectors")                                                       \
    X(LONGER_TIME_TRAVEL, "longer-time-travel", PLACE_WAREHOUSE, FAULT_DELAY, 0, SURVIVES_WITHIN,  \
      "while time travel and fail-safe together are shorter than the time that an erasure has",    \
      "", "removed rows of the warehouse can be brought back for `delay` longer than was agreed",  \
      "a retention that an operator lengthens for a while: 1 day by default, to 90 [FIELD: "       \
      "warehouse]",                                                                                \
      "erasure", "erasure-forgets-time-travel")                                                    \
    X(TOKEN_OVERWRITTEN, "token-overwritten", PLACE_WAREHOUSE, FAULT_RATIO, 0, SURVIVES, "", "",   \
      "an operator sets the offset token of a warehouse channel, up to 100 records behind or "     \
      "ahead of what is in",                                                                       \
      "channels of streaming ingestion: whoever opens one can overwrite its token [FIELD: "        \
      "warehouse]",                                                                                \
      "audit-stream history", "token-trusted")                                                     \
    X(DISK_FULL, "disk-full", PLACE_VECTORS | PLACE_KEYWORDS | PLACE_WAREHOUSE | PLACE_STATE,      \
      FAULT_SINK, FAULT_DOWN, SURVIVES_WITHIN,                                                     \
      "shorter than the retention of the topic that is read", "",                                  \
      "a store refuses every write and goes on answering reads",                                   \
      "a disk that is full: indexes turn read-only at the flood stage, a database refuses to "     \
      "extend a file [Elasticsearch: disk.watermark.flood_stage]",                                 \
      "convergence backlog-bounded", "failed-load-taken")                                          \
    X(SLOW_WORKER, "slow-worker", PLACE_WORKER,                                                    \
      FAULT_WORKER | FAULT_EVERY | FAULT_DELAY | FAULT_DOWN, 0, SURVIVES, "", "",                  \
      "for `down`, a worker takes up to `delay` longer over everything that it is told; its "      \
      "heartbeats go on",                                                                          \
      "a noisy neighbour, a throttled CPU, a failing disk: slow, not dead [promise C6]",           \
      "convergence no-duplicate-row", "no-version-check")                                          \
    X(ROLLING_RESTART, "rolling-restart", PLACE_WORKER, FAULT_WORKER | FAULT_EVERY, FAULT_DOWN,    \
      SURVIVES, "", "",                                                                            \
      "all workers of a machine are replaced one after another: each leaves its group in good "    \
      "order and is back `down` later",                                                            \
      "a deploy in the middle of the day: a rebalance for each worker that goes and comes "        \
      "[promise C6]",                                                                              \
      "convergence no-duplicate-row", "offset-before-state")                                       \
    X(ROWS_LOST, "rows-lost", PLACE_VECTORS, FAULT_RATIO | FAULT_DELAY, 0, SURVIVES_WITHIN,        \
      "until the next reconciliation, which finds and repairs it",                                 \
      "a row is not found until a reconciliation",                                                 \
      "up to `delay` after it was written, a row is lost to searches, to scans, or to everybody",  \
      "query and search disagree, rows are gone after a crash [milvus#36199, weaviate#3868]",      \
      "reconciliation-clean convergence", "searches-unread")                                       \
    X(ROWS_SPOILED, "rows-spoiled", PLACE_VECTORS, FAULT_RATIO | FAULT_DELAY, 0, SURVIVES_WITHIN,  \
      "until the next reconciliation, which finds and repairs it",                                 \
      "a row is wrong until a reconciliation",                                                     \
      "up to `delay` after it was written, a row's hashes, model version or policy status are "    \
      "others",                                                                                    \
      "a vector that was made again under its old name has old values [qdrant#9317]",              \
      "reconciliation-clean convergence", "versions-believed")                                     \
    X(ROWS_RETURN, "rows-return", PLACE_VECTORS, FAULT_RATIO | FAULT_DELAY, 0, SURVIVES_WITHIN,    \
      "until the next reconciliation, which finds and repairs it",                                 \
      "a row that came back is there until a reconciliation",                                      \
      "up to `delay` after it was written, a row that was deleted since is there once more",       \
      "deleted rows are back after a recovery [milvus#37782, elasticsearch#25827, "                \
      "weaviate#4227]",                                                                            \
      "reconciliation-clean convergence", "resurrected-left")                                      \
    X(ROTTEN_STATE, "rotten-state", PLACE_STATE, FAULT_RATIO, 0, SURVIVES_WITHIN,                  \
      "in checkpoints that are sealed: a bare entry with a wrong bit may still be read",           \
      "checkpoints are bare until an upgrade is finalised",                                        \
      "when a checkpoint is read, one bit of an entry is another than was written, and stays so",  \
      "silent corruption: checksum mismatches of disks in production [Bairavasundaram, FAST "      \
      "2008]",                                                                                     \
      "convergence", "seal-unchecked")

enum fault_kind {
#define FAULT_ENUM(identifier, ...) FAULT_##identifier,
    FAULTS(FAULT_ENUM)
#undef FAULT_ENUM
        FAULT_KIND_COUNT
};

struct fault_about {
    const char *name;
    unsigned places;   /* bits of enum fault_place */
    unsigned required; /* bits of enum fault_parameter; from and until are always allowed */
    unsigned optional;
    enum fault_survival survival;
    const char *bounds;
    const char *no_swarm; /* empty: a swarm of all faults has it */
    const char *about;
    const char *models;
    const char *checks; /* names with a blank between */
    const char *bugs;   /* likewise */
};
/* FAULT_KIND_COUNT rows. */
const struct fault_about *fault_table(void);
/* Index of a name, or -1. */
int fault_find(const char *name);
/* Does the bug of that name take the kind's protection away? */
bool fault_has_bug(enum fault_kind kind, const char *bug);

/* Where in a write a crash strikes. */
enum fault_point {
    POINT_BEFORE, /* nothing was done */
    POINT_AFTER,  /* all was done, the reply is lost */
    POINT_HALF,   /* the first half was done, the reply is lost */
    POINT_COUNT
};
const char *fault_point_name(enum fault_point point);
int fault_point_find(const char *name);

struct fault {
    enum fault_kind kind;
    enum topic_id feed;
    enum fault_sink sink;
    enum machine_kind worker;
    enum fault_point point;
    uint32_t ratio_num, ratio_den;
    int64_t every_ns;
    int64_t delay_ns;
    int64_t down_ns;
    int64_t from_ns;
    int64_t until_ns;    /* 0: until healing */
    uint32_t when;       /* only while that state holds: 1 + enum pipeline_state; 0: in any */
    uint32_t call;       /* only requests of that name: 1 + index of a point; 0: of any */
    uint32_t occurrence; /* of what it would strike the how-manyeth, and no other; 0: all */
    bool always;         /* a swarm never switches it off */
    bool off;            /* switched off for this seed */
};

/*
 * The name of a fault's random stream: what it does to whom, and the how-manyeth of that it is, so
 * that other faults before or behind it in the scenario change nothing. `use` tells streams of one
 * fault apart.
 */
#define FAULT_STREAM_TEXT 160
void fault_stream_name(const struct fault *faults, size_t i, const char *use,
                       char text[FAULT_STREAM_TEXT]);

/*
 * Swarm: each seed draws what share of the kinds it has, from a quarter to three quarters, and does
 * without the others altogether; of a kind's faults it has three quarters. Of those it draws how
 * hard they strike: ratio, delay and down between an eighth and what the scenario states, which is
 * the most; `every` up to eight times that. Faults that are all on, all the time, hide what only
 * the absence of one shows (Groce et al., Swarm Testing, 2012). Kinds and faults have streams of
 * their own, so that a fault more in the scenario changes nothing of the others. What is `always`
 * on stays as it is stated. `focus_ppm` of the faults wait for a state of the pipeline, which the
 * seed draws, and strike four times as often in it.
 */
void faults_swarm(struct fault *faults, size_t count, uint64_t seed, uint32_t focus_ppm);

#endif
