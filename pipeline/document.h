/*
 * The canonical document of one listing: a fold over its records (A3, A4).
 *
 * Every field holds the stamp of the event that set it; the greater stamp wins. A DELETE is a
 * tombstone at its own stamp: nothing at or below it survives it, fields and images alike, and a
 * later UPSERT starts a life that holds only what was set after it. Images are a set with the same
 * rule per image id; a document shows the images that its image_ids name, that media ingest
 * delivered after the tombstone and did not withdraw. A fact (pipeline/fact.h) belongs to what the
 * listing names, has the same rule for each and survives the tombstone: a seller's status, a
 * category's path, the tag and tokeniser of a locale. What it touches:
 *
 *     status      whether the listing is served
 *     path        metadata: the category that readers filter by
 *     tag         metadata, and the text: models and indexes are told the locale
 *     tokeniser   the text: it is cut into other words, so its embedding is made anew
 *
 * What no fact tells of is shown as the listing names it, and its text is cut into words at spaces.
 * An erasure (A12) is a DELETE that is remembered as such: whatever stands at or below it is to be
 * kept nowhere.
 *
 * An image that comes although no life of its listing names it is an orphan (A6): if no event names
 * it until orphan_after_ns after its delivery, by the events' own times, it is never shown, whoever
 * names it later. A later delivery counts anew. So a document remembers of each image id when it
 * was first named, in whichever life. An erasure takes that along, since it is said of the erased;
 * what comes after it is then no orphan.
 *
 * Invariants (document_check asserts them):
 *  1. fields are sorted by (id, name), none twice; every field's stamp is above the tombstone;
 *  2. images are sorted by id, none twice; every image's stamp is above the tombstone;
 *  3. facts are sorted by (kind, key), none twice;
 *     and so are namings by image id; an erased document has none;
 *  4. version is the position of the last record that changed anything, or DOC_VERSION_NONE.
 *
 *  5. last_set is above the tombstone and no field's stamp is above it, or it is STAMP_NONE and
 *     there are no fields.
 *
 * Because each part is a maximum over stamps, folding is commutative, associative and idempotent
 * in all but version and changed_at, which say by what way the document came to know:
 * tests/pipeline/test_document.c says so on random event sets. That rests on a stamp naming one
 * event: of two records with the same stamp that disagree on a field, the first one folded stays.
 *
 * Memory: a document owns copies of all text; document_fold may allocate. A value that fits in the
 * room of the one before needs no allocation, and all that document_decode reads shares one.
 */
#ifndef MURPHY_PIPELINE_DOCUMENT_H
#define MURPHY_PIPELINE_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/bugs.h"
#include "pipeline/bytes.h"
#include "pipeline/record.h"
#include "pipeline/stamp.h"

struct document_field; /* private: pipeline/document_parts.h */
struct document_image;
struct document_fact;
struct document_naming;

struct document {
    uint64_t listing_id;
    doc_version version;
    vtime changed_at;       /* append time of the log record at `version` */
    struct stamp tombstone; /* STAMP_NONE when never deleted */
    struct stamp erased;    /* of the greatest erasure, or STAMP_NONE; never above the tombstone */
    struct stamp last_set;  /* greatest stamp of a listing event folded in this life, or NONE */
    struct document_field *fields;
    struct document_image *images;
    struct document_fact *facts;
    struct document_naming *namings;
    char *block; /* where parts and their data stand that were decoded at once, or NULL */
    int64_t orphan_after_ns; /* no part of the document: the rule that it is read by */
    uint32_t field_count, field_capacity;
    uint32_t image_count, image_capacity;
    uint32_t fact_count, fact_capacity;
    uint32_t naming_count, naming_capacity;
    uint32_t in_block; /* a bit for each of the four arrays that the block holds */
};

/* What is delivered is an orphan when nobody names it for so long. */
#define DOCUMENT_ORPHAN_AFTER (7 * VTIME_DAY)

void document_init(struct document *d, uint64_t listing_id);
/* Frees what d owns; d is then as after document_init. */
void document_release(struct document *d);

/*
 * Folds one decoded record of this listing (LISTING, MEDIA, POLICY, REFERENCE or ERASURE as the
 * listing log carries them; facts that ride along are folded too) at the given position.
 * Returns 1 when the document changed, 0 when the record told nothing that was not known, or
 * -ENOMEM with the document as it was. bugs may be NULL.
 * A change need not be one that a reader sees: an image that image_ids does not name, or a value
 * set again by a later event, is knowledge too. document_digest.whole tells them apart.
 * version never goes back: it is the greatest position that changed anything.
 */
int document_fold(struct document *d, const struct record *r, doc_version position, vtime append,
                  const struct bugs *bugs);

/*
 * merge(a, b) into a, of the same listing: everything that either knows, and the greater version
 * with its changed_at. Same return values as document_fold; a greater version alone is a change.
 */
int document_merge(struct document *a, const struct document *b);

/*
 * Drops the bytes of orphans that were to be named before `horizon`: nothing that names them in
 * time can come any more. Returns how many. Not a change: what the document shows is the same, and
 * folding goes on as if the bytes were there, save that an orphan whose bytes are gone stays one
 * even if an event of so long ago comes after all, until its delivery is told once more.
 */
uint32_t document_drop_orphans(struct document *d, vtime horizon);

/* True while the listing lives: an UPSERT survives the tombstone. Says nothing about policy. */
bool document_alive(const struct document *d);
/* Present status of the listing's seller; active when nothing was said. */
enum policy_status document_policy(const struct document *d);
/* Alive and not suppressed: has rows in the serving stores. */
bool document_served(const struct document *d);
/* The category and the locale as readers are shown them; empty when the listing names none. */
struct bytes document_category(const struct document *d);
struct bytes document_locale(const struct document *d);
enum tokeniser document_tokeniser(const struct document *d);

/* The value of a field, or a field of type VALUE_NULL when absent or null. Points into d. */
struct field document_field(const struct document *d, enum field_id id); /* not FIELD_ATTRIBUTE */
/* Attributes in name order; null ones are skipped. i counts from 0; false at the end. */
bool document_attribute(const struct document *d, size_t i, struct field *out);
/* Images that the document shows, in the order of image_ids. false at the end. */
bool document_visible_image(const struct document *d, size_t i, uint64_t *image_id,
                            struct bytes *descriptor);
size_t document_visible_image_count(const struct document *d);

/* What the document knows of an image, shown or not. */
struct image_told {
    uint64_t image_id;
    struct stamp stamp;      /* of the delivery or withdrawal */
    struct stamp named;      /* of the event that named it first, in whichever life, or NONE */
    struct bytes descriptor; /* empty when it was withdrawn; points into the document */
    bool delivered;
};
/* The i-th image that was delivered or withdrawn and of which the bytes are not dropped, in the
 * order of ids. false at the end. */
bool document_image_told(const struct document *d, size_t i, struct image_told *out);

/*
 * What the canonical document says, in hashes (XXH3-64 of a stable serialisation). No stamp,
 * version, tombstone or listing id goes in.
 */
struct document_digest {
    uint64_t source; /* the listing's own fields and whether it lives; null and absent are one. The
                        OLTP row, folded as one UPSERT into an empty document, gives the same; all
                        dead listings share one value */
    uint64_t text;   /* what the text embedding depends on: title, description, attributes,
                        tokeniser, and locale as it is shown; null and empty text are one; 0
                        when there is neither title, description nor attribute */
    uint64_t image;  /* what the image embedding depends on: visible images; 0 when none */
    uint64_t fused;  /* text and image together; 0 when neither */
    uint64_t whole;  /* everything a reader could see: policy, images and what the reference
                        tables make of it included */
};
void document_digest(const struct document *d, struct document_digest *out);

/*
 * Checkpointed form: a stable byte string (equal documents give equal bytes).
 * document_encode returns the length needed; it writes only when capacity suffices.
 * document_decode takes d as storage that owns nothing; it returns 0, or -EINVAL for bytes that are
 * no document or -ENOMEM, both with d owning nothing. Structure and values are checked, so a
 * decoded document keeps the invariants; a changed byte that makes another valid document is for
 * the checkpoint's own checksum to find.
 */
size_t document_encode(const struct document *d, char *buffer, size_t capacity);
int document_decode(struct document *d, struct bytes input);

/* Up to what stamp the document of an encoded form was erased, in *erased: STAMP_NONE when never.
 * 0, or -EINVAL for bytes that are no document. */
int document_peek_erased(struct bytes input, struct stamp *erased);

/* Asserts the invariants. */
void document_check(const struct document *d);

#endif
