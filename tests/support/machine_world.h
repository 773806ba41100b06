/*
 * A small hostile world for one kind of machine, for property tests: a log, an outbox, a store of
 * checkpoints and sinks, each as simple as can be (arrays, looked through from end to end), and a
 * seeded host that does everything in a random order. Between any two events the process may die;
 * its answers are lost, and what it had sent arrives late or never. A new process takes over under
 * the next generation, while the former one may live on as a zombie. Requests fail as a whole or
 * item by item, before or after they took effect.
 *
 * A test scripts what the feeds carry, runs the world, lets it settle without further faults, and
 * asks what is wrong. Late writes of the dead are carried out last: they must do no harm.
 *
 * In a story with upgrades the world plays their controller too: it announces which models are
 * served and written, makes and drops collections, and asks for the backfill of every listing, in
 * any order and at any moment; in the end, only of listings that a shadow does not have.
 *
 * One partition; ids of listings are below WORLD_LISTINGS.
 */
#ifndef MURPHY_TESTS_SUPPORT_MACHINE_WORLD_H
#define MURPHY_TESTS_SUPPORT_MACHINE_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/machine.h"

enum { WORLD_LISTINGS = 16, WORLD_SELLERS = 4 };

struct world;

/* How much of what; shares are percent of events. */
struct world_options {
    uint64_t seed;
    struct bugs bugs;
    unsigned crash_percent; /* the process dies, or is taken for dead */
    unsigned fault_percent; /* of requests */
    bool embed_fatal;       /* some content can never be embedded */
    bool upgrade;           /* a story of builders has upgrades of the embedding model in it */
    bool versions;          /* processes of two versions of the code take turns; at some moment the
                               later one's formats are finalised, and old ones still turn up */
    bool quarantine;        /* routers hold deletes back until all are released in the middle */
};

struct world *world_new(enum machine_kind kind, const struct world_options *options);
void world_free(struct world *w);

/* A number below n from the world's own stream. */
uint64_t world_random(struct world *w, uint64_t n);

/* What will be appended to a topic, or committed to the outbox, in this order, as the run goes. */
void world_feed(struct world *w, enum topic_id topic, const char *text);
void world_outbox(struct world *w, const char *text);
/* A random story of listings, media, policy and orders, poison among them: for the topics that the
 * kind of machine reads. */
void world_story(struct world *w, size_t events);

/* Runs until everything was fed and `steps` more events happened. */
void world_run(struct world *w, size_t steps);
/* No more faults: the last process works off what there is; then late writes arrive, and their
 * consequences are worked off as well. */
void world_settle(struct world *w);

/* Records of a topic. */
size_t world_records(const struct world *w, enum topic_id topic);

/* What is wrong, in words, or NULL when all is right. Good until the next call. */
const char *world_wrong(struct world *w);

/* How often the process died, or was taken for dead. */
size_t world_crashes(const struct world *w);
uint64_t world_counter(const struct world *w, enum machine_counter counter);

#endif
