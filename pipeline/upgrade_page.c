#include "pipeline/upgrade_page.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/array.h"

void upgrade_page_release(struct upgrade_page *page) {
    for (size_t i = 0; i < PAGE_READINGS; i++) {
        free(page->read[i].rows);
    }
}

void upgrade_page_begin(struct upgrade_page *page, uint64_t first) {
    page->first = first;
    page->last = UINT64_MAX;
    for (size_t i = 0; i < PAGE_READINGS; i++) {
        page->read[i].count = 0;
    }
}

int upgrade_page_keep(struct upgrade_page *page, enum page_reading reading,
                      const struct effect *scan) {
    struct page_rows *rows = &page->read[reading];
    if (ARRAY_RESERVE(rows->rows, rows->capacity, scan->scan.count + 1) != 0) {
        return -ENOMEM;
    }
    if (scan->scan.count > 0) {
        memcpy(rows->rows, scan->scan.rows, scan->scan.count * sizeof *rows->rows);
    }
    rows->count = scan->scan.count;
    if (!scan->scan.complete && rows->count > 0) {
        /* Gold has a row per listing; in a collection the last listing may have further rows. */
        uint64_t end = rows->rows[rows->count - 1].listing_id;
        if (reading != PAGE_GOLD && end > page->first) {
            end--;
        }
        page->last = end < page->last ? end : page->last;
    }
    return 0;
}

/* A cursor over rows in the order of listing ids. */
struct rows_cursor {
    const struct page_rows *rows;
    size_t at;
};

/* The next listing id within the page, or UINT64_MAX with false. */
static bool cursor_id(const struct rows_cursor *cursor, uint64_t last, uint64_t *id) {
    bool more =
        cursor->at < cursor->rows->count && cursor->rows->rows[cursor->at].listing_id <= last;
    *id = more ? cursor->rows->rows[cursor->at].listing_id : UINT64_MAX;
    return more;
}

/* The first row of the listing, or NULL; moves behind all of them. */
static const struct scan_row *cursor_take(struct rows_cursor *cursor, uint64_t id, size_t *count) {
    const struct scan_row *first = NULL;
    *count = 0;
    while (cursor->at < cursor->rows->count && cursor->rows->rows[cursor->at].listing_id == id) {
        first = first == NULL ? &cursor->rows->rows[cursor->at] : first;
        cursor->at++;
        (*count)++;
    }
    return first;
}

static bool gold_wants(const struct scan_row *gold, enum modality m) {
    return gold != NULL && gold->alive && !gold->suppressed && (gold->modalities >> m & 1) != 0;
}

enum finding { FINDING_GOOD, FINDING_MISSING, FINDING_BEHIND, FINDING_EXTRA, FINDING_NOTHING };

static enum finding finding_of(const struct scan_row *gold, const struct scan_row *row,
                               size_t copies, enum modality m, uint32_t model_version) {
    bool wanted = gold_wants(gold, m);
    if (row == NULL) {
        return wanted ? FINDING_MISSING : FINDING_NOTHING;
    }
    bool sound = copies == 1 && row->model_version == model_version;
    if (gold != NULL && row->version > gold->version && sound) {
        return FINDING_NOTHING; /* gold has yet to hear of it */
    }
    if (!wanted) {
        return FINDING_EXTRA;
    }
    bool same = row->version == gold->version && row->whole_hash == gold->whole_hash;
    return sound && same && !row->suppressed ? FINDING_GOOD : FINDING_BEHIND;
}

static int differs(struct page_verdict *verdict, uint64_t id, enum modality m) {
    bool known = verdict->count > 0 && verdict->differences[verdict->count - 1].listing_id == id;
    if (!known) {
        if (ARRAY_RESERVE(verdict->differences, verdict->capacity, verdict->count + 1) != 0) {
            return -ENOMEM;
        }
        verdict->differences[verdict->count++] = (struct page_difference){id, 0};
    }
    verdict->differences[verdict->count - 1].modalities |= (uint8_t)(1u << m);
    return 0;
}

/* Counts a finding; true when the row differs and is not young. */
static bool finding_counts(struct page_counts *counts, enum finding finding, bool young) {
    bool good = finding == FINDING_GOOD || finding == FINDING_NOTHING;
    if (!good && young) {
        counts->young++;
        return false;
    }
    counts->missing += finding == FINDING_MISSING;
    counts->behind += finding == FINDING_BEHIND;
    counts->extra += finding == FINDING_EXTRA;
    return !good;
}

static bool is_young(const struct scan_row *gold, const struct scan_row *row, vtime cutoff) {
    return gold != NULL ? vtime_before(cutoff, gold->changed_at)
                        : row != NULL && vtime_before(cutoff, row->changed_at);
}

int upgrade_page_compare(const struct upgrade_page *page, uint32_t model_version, vtime cutoff,
                         struct page_verdict *verdict,
                         void (*good)(void *ctx, enum modality modality,
                                      const struct scan_row *row),
                         void *ctx) {
    verdict->counts = (struct page_counts){0};
    verdict->count = 0;
    struct rows_cursor cursors[PAGE_COLLECTIONS + MODALITY_COUNT];
    for (size_t i = 0; i < PAGE_COLLECTIONS + MODALITY_COUNT; i++) {
        cursors[i] = (struct rows_cursor){&page->read[i], 0};
    }
    for (;;) {
        uint64_t id = UINT64_MAX;
        bool any = false;
        for (size_t i = 0; i < PAGE_COLLECTIONS + MODALITY_COUNT; i++) {
            uint64_t next;
            any = cursor_id(&cursors[i], page->last, &next) || any;
            id = next < id ? next : id;
        }
        if (!any) {
            return 0;
        }
        size_t copies;
        const struct scan_row *gold = cursor_take(&cursors[PAGE_GOLD], id, &copies);
        for (int m = 0; m < MODALITY_COUNT; m++) {
            const struct scan_row *row = cursor_take(&cursors[PAGE_COLLECTIONS + m], id, &copies);
            enum finding finding = finding_of(gold, row, copies, (enum modality)m, model_version);
            verdict->counts.wanted += gold_wants(gold, (enum modality)m);
            if (finding == FINDING_GOOD && good != NULL) {
                good(ctx, (enum modality)m, row);
            }
            if (finding_counts(&verdict->counts, finding, is_young(gold, row, cutoff)) &&
                differs(verdict, id, (enum modality)m) != 0) {
                return -ENOMEM;
            }
        }
    }
}

uint64_t upgrade_page_live_lag(const struct upgrade_page *page, vtime since) {
    struct rows_cursor served = {&page->read[PAGE_SERVED], 0};
    uint64_t lag = 0;
    for (size_t i = 0; i < page->read[PAGE_GOLD].count; i++) {
        const struct scan_row *gold = &page->read[PAGE_GOLD].rows[i];
        uint64_t id;
        while (cursor_id(&served, page->last, &id) && id < gold->listing_id) {
            served.at++;
        }
        size_t copies;
        const struct scan_row *row = cursor_take(&served, gold->listing_id, &copies);
        bool due = gold->listing_id <= page->last && !vtime_before(since, gold->changed_at);
        bool wanted = gold_wants(gold, MODALITY_TEXT);
        bool behind = wanted ? row == NULL || row->version < gold->version
                             : row != NULL && row->version <= gold->version;
        lag += due && behind;
    }
    return lag;
}
