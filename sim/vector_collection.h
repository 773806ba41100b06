/*
 * One collection of the vector database: rows with external versions and tombstones, in three
 * structures that a fault can make disagree (see sim/fake_vector_db.h for the rules of writes).
 *
 *     row table     every row, walked in id order               SCAN_BY_SCAN
 *     id table      the row, or the tombstone, of an id         SCAN_BY_ID, and every write
 *     segments      the vectors, growing and in the graph       SCAN_BY_SEARCH, and searches
 *
 * A row that the id table does not lead to (a duplicate, or one that the table lost) is a spare.
 * Private to the vector database.
 */
#ifndef MURPHY_SIM_VECTOR_COLLECTION_H
#define MURPHY_SIM_VECTOR_COLLECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/ports.h"
#include "pipeline/rows.h"
#include "sim/label_set.h"
#include "sim/row_journal.h"
#include "sim/seller_blocks.h"
#include "sim/store.h"
#include "sim/vector_segments.h"

struct vector_collection_options {
    enum modality modality;
    uint32_t model_version;
    struct label_set *labels; /* outlives the collection */
    int64_t gc_deletes_ns;    /* 0: never */
    bool unconditional;       /* every write applies */
    bool whole_rows;          /* metadata alone cannot be written */
    bool keys_repeat;         /* a write finds one row of its key, if there are more */
    bool journal;
    struct vector_segments_options segments;
};

struct vector_collection;

/* NULL when there is no memory. */
struct vector_collection *vector_collection_new(const struct vector_collection_options *options);
void vector_collection_free(struct vector_collection *c);

/* What a write is held against: what the last one made of the row. */
struct vector_live {
    bool known; /* the version counts; else no write is remembered */
    bool present;
    bool lasting; /* the tombstone is a row */
    doc_version version;
    uint64_t content_hash;
    vtime written;
};
struct vector_live vector_collection_live(const struct vector_collection *c, uint64_t listing_id);
/* What is so once the write is in. */
struct vector_live vector_live_after(vtime now, const struct vector_write *w);

/* What becomes of a write over that row. */
enum item_status vector_collection_judge(const struct vector_collection *c,
                                         const struct vector_live *live, vtime now,
                                         const struct vector_write *w);
/* Carries out a write that was judged ITEM_APPLIED. *before and
 * *after hold what a reader sees. 0 or PORT_NO_MEMORY, then with the row as it was or without its
 * history. */
int vector_collection_apply(struct vector_collection *c, vtime now, const struct vector_write *w,
                            struct row_state *before, struct row_state *after);

/* A row as a scan tells of it. */
struct scan_row vector_scan_row(uint64_t listing_id, const struct row_meta *meta, vtime written);
int vector_collection_scan(struct vector_collection *c, vtime now, enum scan_path path,
                           uint64_t first, uint64_t last, struct scan_row *out, size_t max,
                           size_t *count);
int vector_collection_search(struct vector_collection *c, const float *query, size_t k, uint32_t ef,
                             bool exact, const struct row_filter *filter,
                             const struct seller_blocks *blocks, struct search_hit *hits,
                             size_t *count);

/* By the id table. A tombstone's version is that of the last call's moment. */
struct row_state vector_collection_row(const struct vector_collection *c, uint64_t listing_id);
/* NULL when the row is not there; else its metadata. */
const struct row_meta *vector_collection_find(const struct vector_collection *c,
                                              uint64_t listing_id, const float **vector,
                                              vtime *changed_at);

/* The listing's row below that version, and its masked vector: how many are there. */
uint64_t vector_collection_held(const struct vector_collection *c, uint64_t listing_id,
                                doc_version version);
/* Nothing of removed rows goes, whoever asks, until it is released. */
void vector_collection_hold(struct vector_collection *c, bool held);
/* Nothing of removed rows is kept. */
void vector_collection_compact(struct vector_collection *c);

/* Faults, as fake_vector_db.h says. 0, PORT_NOT_FOUND or PORT_NO_MEMORY. */
int vector_collection_plant(struct vector_collection *c, vtime now, const struct vector_write *row);
int vector_collection_lose(struct vector_collection *c, vtime now, uint64_t listing_id,
                           unsigned paths);
int vector_collection_duplicate(struct vector_collection *c, vtime now, uint64_t listing_id);
/* The row with the metadata given and, unless NULL, the vector given; texts are as they were. */
int vector_collection_tamper(struct vector_collection *c, vtime now, uint64_t listing_id,
                             const struct row_meta *meta, const float *vector);
/* How many tombstones it had. */
size_t vector_collection_forget(struct vector_collection *c);

/* Everything goes: the journal ends every row and stays. 0 or PORT_NO_MEMORY. */
int vector_collection_empty(struct vector_collection *c, vtime now);

uint64_t vector_collection_rows(const struct vector_collection *c);
uint64_t vector_collection_tombstones(const struct vector_collection *c);
struct vector_segments_counts vector_collection_segments(const struct vector_collection *c);
const struct row_journal *vector_collection_journal(const struct vector_collection *c);
void vector_collection_check(const struct vector_collection *c);

#endif
