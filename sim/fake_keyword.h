/*
 * The keyword index: BM25 search over titles, descriptions and attributes, on SQLite's FTS5. It
 * implements struct keyword_port.
 *
 * Fidelity
 *
 *   modelled
 *     external versions  a write applies only over a lower (or equal) version; a delete leaves a
 *                        tombstone at its version, so an older write cannot revive a listing (A9)
 *     forgetting         with gc_deletes_ns a tombstone is forgotten after that long, and at a
 *                        restart, since it is held in memory only; a stale write after that revives
 *                        the listing, as in Elasticsearch and OpenSearch
 *     tombstone rows     ROW_TOMBSTONE is a document without text, which is kept like any other
 *     partial update     ROW_METADATA changes filters and leaves the text alone
 *     access paths       scan by the metadata, by point lookups, and by search through the inverted
 *                        index; a fault can hide a row from any one of them
 *     segments           a changed text gets a new place in the index and the old one is masked, as
 *                        in Lucene; document frequencies and mean lengths count masked texts until
 *                        they are merged away (more of them than of the others)
 *     erasure            tokens of a deleted text stay in the index until a merge: forced by
 *                        fake_keyword_merge, and by the port's erase when it finds any (A12)
 *   approximated
 *     ranking            the sum over fields of weight x BM25 of the field (Lucene's most_fields);
 *                        terms are joined by OR; equal scores go by listing id
 *     analysis           FTS5's unicode61 without diacritics; where the locale asks for it, letters
 *                        of languages without spaces in overlapping pairs (A4); no stemming. A
 *                        query is cut in both ways, as one over fields of both analysers would be
 *     refresh            a write is searchable at once; the text enters FTS5 at the next search,
 *                        which no reader can tell and which spares texts that are overwritten first
 *   not modelled
 *     shards and replicas and their different scores, refresh intervals, circuit breakers
 *
 * Invariants (fake_keyword_check asserts them):
 *  1. every row is found by its id, and no id has two rows;
 *  2. a row that is present has no unknown version; an absent one holds no text;
 *  3. of the places in the index exactly one per indexed field and row is live.
 *
 * Memory: everything handed in is copied.
 */
#ifndef MURPHY_SIM_FAKE_KEYWORD_H
#define MURPHY_SIM_FAKE_KEYWORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/ports.h"
#include "sim/row_journal.h"
#include "sim/store.h"

struct fake_keyword;

struct fake_keyword_options {
    struct store_observer observer;
    bool journal;          /* keep what every row was at every moment, for the export */
    int64_t gc_deletes_ns; /* age at which a tombstone is forgotten; 0: never, nor by a restart */
};

/* NULL when there is no memory. */
struct fake_keyword *fake_keyword_new(const struct fake_keyword_options *options);
void fake_keyword_free(struct fake_keyword *k);

/* Errors: PORT_NO_MEMORY, with some items of a write done. */
struct keyword_port fake_keyword_port(struct fake_keyword *k);

/* Texts of the listing below that version: its row, and what the index still has masked. */
uint64_t fake_keyword_held(const struct fake_keyword *k, uint64_t listing_id, doc_version version);

/* Terms of a user's query beyond this many are ignored. */
#define KEYWORD_TERMS_MAX 64

/* What a reader sees of one row now. */
struct row_state fake_keyword_row(const struct fake_keyword *k, uint64_t listing_id);

/* Fault: the row cannot be seen by this path (search goes by SCAN_BY_SEARCH); readers of the other
 * paths are not affected. The row may come later. 0 or PORT_NO_MEMORY. */
int fake_keyword_hide(struct fake_keyword *k, uint64_t listing_id, enum scan_path path,
                      bool hidden);

/* The process ends and starts again: what it held in memory only is lost. How many tombstones that
 * were. */
size_t fake_keyword_restart(struct fake_keyword *k);

/* Drops masked texts from the index, so that statistics count what is there. */
int fake_keyword_merge(struct fake_keyword *k);

struct fake_keyword_counts {
    uint64_t rows;    /* present */
    uint64_t indexed; /* texts put into FTS5, ever */
    uint64_t masked;  /* texts in FTS5 that are out of date */
    uint64_t merges;
};
struct fake_keyword_counts fake_keyword_counts(const struct fake_keyword *k);

void fake_keyword_check(const struct fake_keyword *k);

/* For the export. Cells: listing_id, version, source_hash, whole_hash, content_hash, category,
 * locale, seller_id, price, policy, active, title, description, attributes. */
const struct row_journal *fake_keyword_journal(const struct fake_keyword *k);

#endif
