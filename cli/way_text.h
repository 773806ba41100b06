/*
 * The way of an update for people: 80 columns, readable at three in the morning.
 */
#ifndef MURPHY_CLI_WAY_TEXT_H
#define MURPHY_CLI_WAY_TEXT_H

#include "cli/run_stores.h"
#include "cli/way.h"
#include "reports/page.h"

/* Which run, and as of when. */
void way_text_run(struct page *p, const struct run_stores *stores, vtime at);

/* What it came to, and every hop. */
void way_text(struct page *p, const struct way *way, vtime start, vtime at);

/* What it came to, in one sentence. */
void way_text_sentence(const struct way *way, vtime at, char *out, size_t size);

/* One hop as a line of the table, with its notes under it. */
void way_text_hop(struct page *p, const struct way *way, int hop, vtime start, vtime at);
void way_text_head(struct page *p);

/* One line of the list of updates; lag until it was visible, or so far. */
void way_text_update(struct page *p, const struct update *update, vtime start, enum way_end end,
                     int64_t lag_ns, bool chosen);

enum { WAY_TEXT_MAX = 24 };
/* "T+02:17:55.914" */
void way_text_clock(vtime at, vtime start, char out[WAY_TEXT_MAX]);
/* "1.842 s", "16.3 ms", "12m03s": in eight columns. */
void way_text_duration(int64_t duration_ns, char out[WAY_TEXT_MAX]);

#endif
