/*
 * The vector database: collections of one vector and its metadata per listing, searched through
 * aliases by exact or approximate cosine similarity. It implements struct vector_port.
 *
 * A collection belongs to a modality and a model version and is named "listing-MODALITY-vN"; the
 * alias "listing-MODALITY" points at one collection of its modality, or at none. Writers name the
 * collection; readers go through the alias.
 *
 * Fidelity
 *
 *   modelled
 *     external versions  a write applies only over a lower (or equal) version; a delete leaves a
 *                        tombstone at its version, so an older write cannot revive a listing (A9)
 *     forgetting         with gc_deletes_ns a tombstone is forgotten after that long, and a stale
 *                        write after that revives the listing, as in OpenSearch
 *     items of a batch   answered one by one, in order; the batch goes on after a failure
 *     partial update     ROW_METADATA changes filters and hashes, and leaves vector and index alone
 *     validation         a vector with NaN or infinity, or whose norm is not near 1, is refused
 *     limits             items and bytes of a batch, requests of a second (vector_profile.h)
 *     visibility         a write is seen at once, after a delay or at the next refresh; reads of
 *                        four levels; versions are judged by what was written, seen or not
 *     whole rows         where a profile says so, a change of metadata alone is refused
 *     dead rows          in a profile whose index is blind they use up the candidates of a search
 *                        until VECTOR_COMPACT (pgvector, VACUUM)
 *     tombstone rows     ROW_TOMBSTONE is a row without a vector, in no scan and no search, that is
 *                        not forgotten
 *     segments           changed vectors go to a growing segment, searched exactly; it is sealed
 *                        into the graph when it has grown; the graph masks rows that changed or
 *                        went, and is compacted when more than half of it is masked (Milvus)
 *     filters            evaluated inside the traversal, so a filter does not eat the results
 *     access paths       the row table, the id table and the segments are three structures, and a
 *                        fault can take a row from any of them
 *     repeated keys      in a profile whose keys repeat an upsert replaces one row of its key and a
 *                        delete takes one, which the next one then takes the place of
 *     duplicate keys     a row that the id table lost is written a second time beside the first
 *     erasure            rows below a position go from every collection, and a compaction takes the
 *                        masked vectors (A12)
 *     aliases            several switch in one action, which readers see at once or not at all
 *   approximated
 *     visibility         readers of a collection are one: what one of them waited for, all see;
 *                        rows lost, planted or changed by a fault are so for readers and writers
 *     sealing            happens at a search that finds the growing segment too large, not in the
 *                        background
 *     dropping           a dropped collection takes its alias along (OpenSearch, Qdrant)
 *   not modelled
 *     shards and replicas, quantisation, graphs on disk, memory limits, named vectors
 *
 * Writes
 *
 *   Of a present row or a tombstone at version v, a write with rule GREATER applies above v, with
 *   GREATER_OR_EQUAL from v on, with IGNORED always; else it is an ITEM_CONFLICT. Then a metadata
 *   write of an absent row or of other content is ITEM_MISSING, and a bad vector ITEM_FATAL, like
 *   any metadata write where the profile takes whole rows only. An
 *   upsert or delete strikes every row of its key that any structure knows (a delete by key); a
 *   metadata write only the one in the id table. An unconditional delete leaves no tombstone: it is
 *   one of a database without versions. A conditional delete of what was never there leaves one.
 *
 * The observer hears of every row that a write changes in a collection that an alias points to, as
 * the write applies. Writes to other collections are told to the alias observer alone: no reader
 * can see them. When an alias switches, every row that readers see may change and no row_change is
 * told; alias_switched is the place to hear of it, called right after the action is in force, once
 * per alias changed (a dropped collection's alias included), and fake_vector_db_row and the scans
 * then say what readers see. Fault hooks tell nobody, since no write came: the caller knows what it
 * planted.
 *
 * Invariants (fake_vector_db_check asserts them; fault hooks break 2 and 3 on purpose):
 *  1. each segment's live entries and their places correspond one to one;
 *  2. each row that is present is in the row table, in the id table and in the segments;
 *  3. each live entry of a segment belongs to a row that is present;
 *  4. what the graph holds unmasked is exactly what is sealed and live.
 *
 * Memory: everything handed in is copied. A write in a steady state allocates nothing: places of
 * vectors are reused, categories and locales are kept once each.
 */
#ifndef MURPHY_SIM_FAKE_VECTOR_DB_H
#define MURPHY_SIM_FAKE_VECTOR_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/ports.h"
#include "pipeline/rows.h"
#include "sim/row_journal.h"
#include "sim/store.h"
#include "sim/vector_profile.h"

struct fake_vector_db;

/* Index of a modality's collections. A zero member means its default. */
struct vector_index_options {
    bool on;                  /* false: approximate searches are exact; nothing is built */
    uint32_t m;               /* neighbours per node and layer; 16 */
    uint32_t ef_construction; /* 100 */
    uint32_t seal_rows_min;   /* the growing segment is sealed when it has more rows than this and
                                 than a quarter of the sealed ones; 256 */
};

/* Hears of readers being led to another collection; 0 is none. And of what no reader sees: rows
 * that a write changed in a collection that no alias points to. NULL: nobody. */
struct vector_alias_observer {
    void (*alias_switched)(void *ctx, vtime now, enum modality modality, uint32_t from_version,
                           uint32_t to_version);
    void (*unseen_row_changed)(void *ctx, vtime now, const struct row_change *change);
    void *ctx;
};

/* Who lets time pass for it. Without a wake, what is due is shown by the next call. */
struct vector_background {
    void (*wake)(void *ctx, vtime at); /* fake_vector_db_due is to be called then */
    bool (*writer_reads)(void *ctx);   /* the read going on is of the session that writes */
    void *ctx;
};

struct fake_vector_db_options {
    struct store_observer observer;
    struct vector_alias_observer alias_observer;
    struct vector_background background;
    bool journal;  /* keep what every row was at every moment, for the export */
    uint64_t seed; /* of the graphs' levels */
    struct vector_profile profile;
    struct vector_index_options index[MODALITY_COUNT];
};

/* NULL when there is no memory. */
struct fake_vector_db *fake_vector_db_new(const struct fake_vector_db_options *options);
void fake_vector_db_free(struct fake_vector_db *db);

/*
 * Errors: PORT_NOT_FOUND (no such collection; search: the alias points nowhere), PORT_TOO_LARGE
 * (write, read: more than batch_items_max), PORT_NO_MEMORY (with some items of a write done). A
 * query is finite and of unit norm; hits come by score, best first, equal scores by listing id. ef
 * below k counts as k. Scans that hold duplicates are read with room for all rows of a range:
 * paging on by id skips a twin.
 */
struct vector_port fake_vector_db_port(struct fake_vector_db *db);

/* The moment that it asked for has come: shows readers what is due. 0 or PORT_NO_MEMORY. */
int fake_vector_db_due(struct fake_vector_db *db, vtime now);

/* ---- Collections and aliases ---- */

/* 0, also when it is there already; or PORT_NO_MEMORY. Model versions start at 1. */
int fake_vector_db_create_collection(struct fake_vector_db *db, enum modality modality,
                                     uint32_t model_version);
/* With all rows, tombstones and the alias that points to it. 0 or PORT_NOT_FOUND, PORT_NO_MEMORY.
 * One created again under the name starts empty. */
int fake_vector_db_drop_collection(struct fake_vector_db *db, vtime now, enum modality modality,
                                   uint32_t model_version);

/* Where an alias shall point; version 0: nowhere. */
struct vector_alias {
    enum modality modality;
    uint32_t model_version;
};
/* All of them in one action, or PORT_NOT_FOUND and none. */
int fake_vector_db_switch_aliases(struct fake_vector_db *db, vtime now,
                                  const struct vector_alias *aliases, size_t count);
/* Model version of the collection that "listing-MODALITY" points to; 0: none. */
uint32_t fake_vector_db_alias_target(const struct fake_vector_db *db, enum modality modality);

/* ---- Looking inside ---- */

/* Rows of the listing below that version, and masked vectors of it, in all collections. */
uint64_t fake_vector_db_held(const struct fake_vector_db *db, uint64_t listing_id,
                             doc_version version);

/* What a reader of that collection sees of one row now. */
struct row_state fake_vector_db_row(const struct fake_vector_db *db, enum modality modality,
                                    uint32_t model_version, uint64_t listing_id);

/* A present row; everything is the database's, good until the next call that changes it. */
struct vector_row_view {
    struct row_meta meta;
    const float *vector; /* NULL when the segments lost it */
    vtime changed_at;
};
/* By the id table; false when it is not there. */
bool fake_vector_db_find(const struct fake_vector_db *db, enum modality modality,
                         uint32_t model_version, uint64_t listing_id, struct vector_row_view *view);

struct fake_vector_db_counts {
    uint64_t writes[MODALITY_COUNT][ROW_WRITE_KIND_COUNT][ITEM_STATUS_COUNT]; /* items */
    uint64_t batches_refused;             /* of unknown collections, too large, or too many */
    uint64_t searches[MODALITY_COUNT][2]; /* [0] approximate, [1] exact */
};
struct fake_vector_db_counts fake_vector_db_counts(const struct fake_vector_db *db);

/* Every collection there ever was, in the order of creation. */
size_t fake_vector_db_collection_count(const struct fake_vector_db *db);
struct vector_collection_info {
    char name[32];
    enum modality modality;
    uint32_t model_version;
    bool dropped;
    bool aliased;
    uint64_t rows;          /* present, duplicates included */
    uint64_t tombstones;    /* remembered */
    uint64_t growing;       /* live vectors outside the graph */
    uint64_t sealed;        /* live vectors in the graph */
    uint64_t masked;        /* nodes of the graph that no search returns */
    uint64_t graph_inserts; /* ever, rebuilds included */
    uint64_t graph_compactions;
    uint64_t lsn;      /* of the last write: they count from 1 (Pinecone) */
    uint64_t lsn_seen; /* readers see it and all before it */
    /*
     * For the export; key: listing id, copy 1 and on for duplicates. Cells: listing_id, kind
     * (enum row_write_kind of the last write), version, source_hash, whole_hash, content_hash,
     * model_version, category, locale, seller_id, price (NULL: none), policy, active, modalities.
     * A metadata write keeps content_hash and leaves the vector; ROW_UPSERT says that a vector came
     * in. Empty unless options.journal.
     */
    const struct row_journal *journal;
};
struct vector_collection_info fake_vector_db_collection(const struct fake_vector_db *db, size_t i);

void fake_vector_db_check(const struct fake_vector_db *db);

/* ---- Fault hooks: the store itself goes wrong; the journal knows, the observer does not ---- */

/* A row as given behind the pipeline's back, whatever versions say: an upsert (kind and rule are
 * not read) of any vector. 0, PORT_NOT_FOUND, PORT_NO_MEMORY. */
int fake_vector_db_put_row(struct fake_vector_db *db, vtime now, enum modality modality,
                           uint32_t model_version, const struct vector_write *row);

/* The row is lost from the structures named by bits (1u << enum scan_path), without a tombstone;
 * from all three it is gone. PORT_NOT_FOUND when there is no such row in the id table. A later
 * upsert puts it back; one lost from the id table alone then has a second row beside it, until the
 * next upsert or delete of the key. */
int fake_vector_db_lose_row(struct fake_vector_db *db, vtime now, enum modality modality,
                            uint32_t model_version, uint64_t listing_id, unsigned paths);

enum vector_corruption {
    VECTOR_CORRUPT_HASHES, /* source, whole and content hash differ from what was written */
    VECTOR_CORRUPT_MODEL,  /* the row says that another model made it */
    VECTOR_CORRUPT_POLICY, /* the row says the opposite about its seller */
    VECTOR_CORRUPT_VECTOR, /* the vector points the other way; metadata are as they were */
    VECTOR_CORRUPTION_COUNT
};
/* PORT_NOT_FOUND when the row or, for VECTOR_CORRUPT_VECTOR, its vector is not there. */
int fake_vector_db_corrupt_row(struct fake_vector_db *db, vtime now, enum modality modality,
                               uint32_t model_version, uint64_t listing_id,
                               enum vector_corruption what);

/* A second row of the same key and content. Upserts and deletes of the key remove it; metadata
 * writes leave it as it is. */
int fake_vector_db_duplicate_row(struct fake_vector_db *db, vtime now, enum modality modality,
                                 uint32_t model_version, uint64_t listing_id);

/* Forgets the tombstones of all collections. How many there were. */
size_t fake_vector_db_forget(struct fake_vector_db *db);
/* From now on writes are seen so much later than the profile says. */
void fake_vector_db_delay(struct fake_vector_db *db, int64_t delay_ns);
/* From now on nothing is compacted, whoever asks; or (false) it may be. */
void fake_vector_db_hold_compaction(struct fake_vector_db *db, bool held);
/* Compactions that would have dropped something and were held back. */
uint64_t fake_vector_db_held_back(const struct fake_vector_db *db);
/* Readers see whatever was written. 0 or PORT_NO_MEMORY. */
int fake_vector_db_show(struct fake_vector_db *db, vtime now);
/* The process ends and starts again: what was written is seen, and what the profile holds in memory
 * only is lost: `*forgotten` tombstones. 0 or PORT_NO_MEMORY. */
int fake_vector_db_restart(struct fake_vector_db *db, vtime now, size_t *forgotten);
const struct vector_profile *fake_vector_db_profile(const struct fake_vector_db *db);

#endif
