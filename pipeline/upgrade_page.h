/*
 * One range of listings in a walk over gold and a model's collections (A10): which rows the
 * collections should hold there, and which of them are missing, behind, or too many.
 *
 * The rows of a range were read one store after the other, gold first, while changes go on. A
 * difference is therefore only a suspicion: what is on its way agrees when it is looked at again,
 * and a collection that is ahead of gold is not behind. What still differs counts, unless gold
 * changed after the cutoff.
 *
 * Gold is what the pipeline says about itself; whether it says what the seller said is the
 * reconciler's business.
 */
#ifndef MURPHY_PIPELINE_UPGRADE_PAGE_H
#define MURPHY_PIPELINE_UPGRADE_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/effects.h"

/* What is read of a range: gold, the collections in the order of modality, and what readers see of
 * the text rows. */
enum page_reading { PAGE_GOLD, PAGE_COLLECTIONS, PAGE_SERVED = PAGE_COLLECTIONS + MODALITY_COUNT };
enum { PAGE_READINGS = PAGE_SERVED + 1 };

struct page_rows {
    struct scan_row *rows;
    size_t count, capacity;
};

struct upgrade_page {
    uint64_t first, last; /* listing ids; last is settled once all is read */
    struct page_rows read[PAGE_READINGS];
};
void upgrade_page_release(struct upgrade_page *page);
/* The range begins there, and nothing is read of it. */
void upgrade_page_begin(struct upgrade_page *page, uint64_t first);
/* Keeps the rows of an answered scan. A scan that was cut short ends the page before its last
 * listing. 0 or -ENOMEM. */
int upgrade_page_keep(struct upgrade_page *page, enum page_reading reading,
                      const struct effect *scan);

/* A listing that differs, and where. */
struct page_difference {
    uint64_t listing_id;
    uint8_t modalities; /* bits */
};

struct page_counts {
    uint64_t wanted;  /* rows that gold says should be there */
    uint64_t missing; /* of those, not there */
    uint64_t behind; /* there in an older version, with other content, twice, or of another model */
    uint64_t extra;  /* there although gold does not serve it */
    uint64_t young;  /* differ, but changed after the cutoff: not counted above */
};

struct page_verdict {
    struct page_counts counts;
    struct page_difference *differences; /* by listing id; young ones left out */
    size_t count, capacity;
};

/*
 * Compares a page of the collections of a model version. `good` (or NULL) hears of each row that is
 * just what gold says. 0 or -ENOMEM.
 */
int upgrade_page_compare(const struct upgrade_page *page, uint32_t model_version, vtime cutoff,
                         struct page_verdict *verdict,
                         void (*good)(void *ctx, enum modality modality,
                                      const struct scan_row *row),
                         void *ctx);

/* Rows that readers should see and do not, or see older, although gold changed before `since`: how
 * far live writes are behind. */
uint64_t upgrade_page_live_lag(const struct upgrade_page *page, vtime since);

#endif
