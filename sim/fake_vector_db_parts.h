/*
 * The inside of the vector database, shared by the files that it is made of:
 *
 *     fake_vector_db.c     collections, aliases, the port, what is asked from outside
 *     vector_visibility.c  when readers see what was written
 *     vector_collection.c  rows by id, by scan and by search
 *     vector_segments.c    vectors, growing and in a graph
 *
 * Private to them.
 */
#ifndef MURPHY_SIM_FAKE_VECTOR_DB_PARTS_H
#define MURPHY_SIM_FAKE_VECTOR_DB_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/fake_vector_db.h"
#include "sim/label_set.h"
#include "sim/seller_blocks.h"
#include "sim/vector_collection.h"
#include "sim/vector_unseen.h"

struct collection_entry {
    enum modality modality;
    uint32_t model_version;
    bool dropped;
    struct vector_collection *collection;
    struct vector_unseen unseen;
    uint64_t lsn, lsn_seen; /* writes that were taken; of them, those that readers see */
    int64_t second;         /* in which it was written to last, and how often */
    uint32_t requests;
};

struct fake_vector_db {
    struct fake_vector_db_options options;
    struct label_set labels;
    struct collection_entry *entries; /* in the order of creation; few */
    size_t entry_count, entry_capacity;
    uint32_t alias[MODALITY_COUNT]; /* model version, 0: none */
    struct fake_vector_db_counts counts;
    struct seller_blocks blocks;
    int64_t delay_ns; /* until writes are seen, beside the profile's */
    vtime wake;       /* asked for; VTIME_NEVER: nothing is */
};

/* ---- vector_visibility.c ---- */

/* One write: judged now, and seen by readers now or later. 0 or PORT_NO_MEMORY. */
int collection_write(struct fake_vector_db *db, struct collection_entry *entry, vtime now,
                     const struct vector_write *w, enum item_status *status);
/* Shows readers what is due; or (all) whatever was written. 0 or PORT_NO_MEMORY. */
int collection_show(struct fake_vector_db *db, struct collection_entry *entry, vtime now, bool all);
/* Before a read: what this reader must see is shown. 0 or PORT_NO_MEMORY. */
int collection_read(struct fake_vector_db *db, struct collection_entry *entry, vtime now);
/* Makes the rows of a read by id what a database with a realtime get says. */
void collection_read_unseen(const struct fake_vector_db *db, const struct collection_entry *entry,
                            uint64_t first, uint64_t last, struct scan_row *out, size_t max,
                            size_t *count);

#endif
