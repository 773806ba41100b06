/*
 * The reference model: what every store should say in the end, by the simplest means there is.
 *
 * It is fed with what sellers said (the operations of the workload, also those whose record got
 * lost on the way), keeps every event of a listing, and when asked sorts them by stamp and folds
 * them once, from the first to the last:
 *
 *     UPSERT   the listing lives; each field that it names has its value, null included
 *     DELETE   the listing and everything known of it, images too, is gone
 *     MEDIA    the image is there (delivered) or not (withdrawn)
 *     POLICY   the seller has this status; of all listings, whatever becomes of them
 *     REFERENCE  the table says so of all listings that name the row's key; joined when asked
 *     ERASURE  nothing was ever said, up to here, of the listing, or of any listing that ever named
 *              the seller
 *
 * Sorted by stamp "the greater pair wins" is just "the later one overwrites". At equal stamps a
 * DELETE comes last, so that nothing at its stamp survives it, and of two events that set the same
 * thing the first to arrive stays. It is independent of the pipeline's merge on purpose (D2): of
 * the core it shares the wire format alone.
 *
 * Cost: adding decodes and copies a record; nothing is sorted or folded until asked for. Memory:
 * every event's fields are kept, some 100 bytes and the record's own size each.
 */
#ifndef MURPHY_SIM_REFERENCE_H
#define MURPHY_SIM_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/bytes.h"
#include "pipeline/record.h"
#include "pipeline/stamp.h"
#include "pipeline/vtime.h"

struct reference;

struct reference *reference_new(void); /* NULL when out of memory */
void reference_free(struct reference *r);

/* An image that no event named until so long after its delivery is an orphan and never shown,
 * whoever names it later (A6); 7 days. What an erased listing was told to show is not known any
 * more, so it has no orphans. */
void reference_orphans_after(struct reference *r, int64_t after_ns);

/*
 * Takes the record in (copied): listing, media, policy (of its seller_id), order, erasure or
 * reference row, with the policy note that a listing record may carry. Returns 1, 0 when the bytes
 * are no record (nothing was taken), or -ENOMEM with the model as it was.
 */
int reference_add(struct reference *r, struct bytes record);

struct reference_image {
    uint64_t image_id;
    struct bytes descriptor;
};

/* What a listing is. A text that is null or absent has data NULL; an empty one has not. */
struct reference_document {
    uint64_t listing_id;
    bool alive;      /* an UPSERT came after the last DELETE; without it nothing below is set but
                        policy */
    bool suppressed; /* its seller is; a listing that is not alive has no seller */
    bool has_seller;
    uint64_t seller_id; /* 0 without a seller */
    int64_t price;      /* unit of FIELD_PRICE; -1: none */
    struct bytes title, description, locale, category;
    struct bytes image_ids;         /* packed as in a VALUE_IDS field, display order */
    const struct field *attributes; /* without nulls, in name order */
    size_t attribute_count;
    const struct reference_image *images; /* visible ones, display order */
    size_t image_count;
    /* What the reference tables make of category and locale; where they say nothing, these are what
     * the seller says, and texts are cut into words. */
    struct bytes category_path, locale_tag;
    enum tokeniser tokeniser;
    struct stamp last; /* greatest stamp of its own events, policy apart; or STAMP_NONE */
};

/*
 * Folds a listing. Returns 1, 0 when no event ever named it (*out is then a listing that is not
 * alive), or -ENOMEM. What *out points to is good until the next call with r.
 */
int reference_listing(struct reference *r, uint64_t listing_id, struct reference_document *out);

/* The greatest erasure that covers the listing; STAMP_NONE: none. */
struct stamp reference_erased(struct reference *r, uint64_t listing_id);

/* True when some event of the listing, whenever it was, named the seller. */
bool reference_names_seller(const struct reference *r, uint64_t listing_id, uint64_t seller_id);
/* True when a reference table has a row of that name: what stands there is nobody's own. */
bool reference_tables_name(const struct reference *r, struct bytes text);
/* Calls said() with every text that an event of the listing gave, images' descriptors included. */
void reference_each_text(const struct reference *r, uint64_t listing_id,
                         void (*said)(void *ctx, struct stamp stamp, struct bytes text), void *ctx);

/* Ids of every listing that a listing or media record ever named, in order. 0 or -ENOMEM. Good
 * until the next reference_add. */
int reference_ids(struct reference *r, const uint64_t **ids, size_t *count);

static inline bool reference_served(const struct reference_document *d) {
    return d->alive && !d->suppressed;
}
/* Has something to make a text embedding or a keyword row of: title, description or attributes. */
bool reference_has_text(const struct reference_document *d);

/*
 * The text of the attributes as models and indexes get it: "name value\n" for each in name order.
 * Returns the length; writes only when capacity suffices.
 */
size_t reference_attributes_text(const struct reference_document *d, char *buffer, size_t capacity);

/* ---- Orders ---- */

struct reference_order {
    uint64_t order_id;
    uint64_t listing_id;
    struct stamp stamp; /* of two events of one id the greater stamp counts */
    vtime placed;
    int64_t quantity;
    int64_t amount;
    struct bytes category;
};
/* By order id. 0 or -ENOMEM. Good until the next reference_add. */
int reference_orders(struct reference *r, const struct reference_order **orders, size_t *count);

struct reference_sales {
    struct bytes category;
    vtime hour; /* its start; in which the order was placed */
    int64_t orders, quantity, amount;
};
/* By category, then hour. 0 or -ENOMEM. Good until the next call with r. */
int reference_sales(struct reference *r, const struct reference_sales **sales, size_t *count);

#endif
