/*
 * A document together with what readers of it are told: its hashes, and the position of the last
 * record that changed anything a reader could see.
 *
 * Rows in stores carry that position as their version. It is as good as the document's own: it too
 * is a function of the log's prefix alone, so two writers of version v write the same bytes; and a
 * repeat or a late loser, which changes nothing visible, causes no write. Where content goes from A
 * to B and back to A between two writes, the version moves although the content did not: a delayed
 * write of B by somebody else is then still refused.
 */
#ifndef MURPHY_PIPELINE_FOLDED_H
#define MURPHY_PIPELINE_FOLDED_H

#include <stddef.h>
#include <stdint.h>

#include "pipeline/bugs.h"
#include "pipeline/bytes.h"
#include "pipeline/document.h"
#include "pipeline/ports.h"
#include "pipeline/rows.h"
#include "pipeline/wire.h"

struct folded {
    struct document document;
    struct document_digest digest; /* private: made when asked for, see folded_digest */
    bool digested;                 /* it is that of the document as it is */
    doc_version visible_version;   /* NONE until something was visible */
    vtime visible_at;              /* append time of that record */
    struct stamp visible_stamp;    /* its event's stamp */
};

void folded_init(struct folded *folded, uint64_t listing_id);
void folded_release(struct folded *folded);

/* The document's hashes. Of a document that was read from a checkpoint they are made anew each
 * time until a fold or folded_digest_keep keeps them: most are asked for none before the next
 * restart. */
struct document_digest folded_digest(const struct folded *folded);
void folded_digest_keep(struct folded *folded);

enum fold_outcome {
    FOLD_NOT_NEWS, /* nothing that was not known */
    FOLD_LEARNED,  /* knowledge that no reader sees yet */
    FOLD_VISIBLE   /* readers must be told: visible_version moved */
};
/*
 * True of a record that is a version of its own, also where it tells nothing: one that
 * reconciliation had published once more, and one that is routed again in a log that ever changed
 * leaders. Whoever folded records that went with a leader shows versions that nobody else has, and
 * whoever lost records that expired unread lacks some; from this one on all agree again (C2, A16).
 */
bool folded_retold(const struct record *record, const struct log_record *logged,
                   const struct bugs *bugs);
/* Folds a record of the listing log. A fold_outcome, or -ENOMEM with nothing changed. What is read
 * a second time is not news, however far behind the document a reader begins again. */
int folded_fold(struct folded *folded, const struct record *record, const struct log_record *logged,
                const struct bugs *bugs);

/* Checkpointed form. The size is an upper bound; encode returns the length written. */
size_t folded_encoded_size(const struct folded *folded);
size_t folded_encode(const struct folded *folded, char *buffer);
/* Reads what encode wrote; 0, -EINVAL or -ENOMEM. */
int folded_decode(struct folded *folded, struct wire_reader *reader);
/* The same for a document that is read by that rule (document.h). */
int folded_decode_by(struct folded *folded, struct wire_reader *reader, int64_t orphan_after_ns);

/* True when a checkpoint's entry that begins with a folded document may still hold something that
 * was said at or below the stamp, for which the listing was erased (A12). */
bool folded_keeps(struct bytes entry, struct stamp stamp);

/*
 * The document's attributes as one text: names and values, one attribute a line, or (json) as a
 * JSON object. Returns the length; writes only when capacity suffices.
 */
size_t folded_attributes_text(const struct folded *folded, char *buffer, size_t capacity);
size_t folded_attributes_json(const struct folded *folded, char *buffer, size_t capacity);
/* Visible image ids as a JSON array of strings, since JSON numbers do not hold 64 bits. */
size_t folded_images_json(const struct folded *folded, char *buffer, size_t capacity);

/* Metadata of a row of this document; content_hash and model_version are the caller's to fill.
 * Category and locale point into the document. */
struct row_meta folded_row_meta(const struct folded *folded);

/* Price in the unit of FIELD_PRICE, or -1. */
int64_t folded_price(const struct folded *folded);
uint64_t folded_seller(const struct folded *folded);
/* A text field, or empty. */
struct bytes folded_text(const struct folded *folded, enum field_id id);

#endif
