/*
 * One product update live (B3): while a run is played, picks a change of a text and tells of each
 * hop when the simulation comes to it, with its virtual time and the lag since the hop before. What
 * is told is heard from the simulation as it happens; nothing is looked up afterwards.
 */
#ifndef MURPHY_CLI_DEMO_FLOW_H
#define MURPHY_CLI_DEMO_FLOW_H

#include "cli/scenario_run.h"
#include "pipeline/stamp.h"
#include "pipeline/vtime.h"
#include "reports/page.h"

/* The places where the update is to be seen in the end. */
enum { FLOW_PLACES = 6 };

struct demo_flow {
    struct page *page;
    int64_t pause_ns; /* of the display, behind each hop; 0: none */
    vtime start;      /* of the run */

    bool chosen;
    uint64_t listing_id;
    struct stamp stamp;
    vtime made, committed, relayed, fed, routed, logged, folded, asked, embedded, loaded;
    enum topic_id feed;
    uint32_t feed_partition, log_partition;
    int64_t feed_offset, log_offset;
    doc_version version;
    unsigned wanted, seen; /* bits of places */
    vtime done;            /* everywhere; 0: not yet */
};

/* Listens to the run once it is given to scenario_run_options. */
void demo_flow_init(struct demo_flow *f, struct page *page, vtime start, int64_t pause_ns);
struct scenario_run_listener demo_flow_listener(struct demo_flow *f);

/* One closing sentence. */
void demo_flow_tell(struct demo_flow *f);

#endif
