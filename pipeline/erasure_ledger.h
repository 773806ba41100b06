/*
 * What a router's task remembers of erasures: of each erased listing and seller its id and the
 * stamp of the greatest erasure, and nothing else (A12).
 *
 * The raw topics keep what they hold until their retention ends. The ledger is why no replay of
 * them, no late queue and no retry brings it back: a record at or below its subject's stamp is not
 * routed any more. It stays as long as the checkpoint does, which is longer than anything that
 * could replay. Private to the router.
 */
#ifndef MURPHY_PIPELINE_ERASURE_LEDGER_H
#define MURPHY_PIPELINE_ERASURE_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/id_map.h"
#include "pipeline/record.h"
#include "pipeline/wire.h"

struct erased {
    enum erasure_scope scope;
    uint64_t id;
    struct stamp stamp;
    uint64_t entry; /* its key in the checkpoint; 0: none yet */
    bool dirty;
};

struct erasure_ledger {
    struct id_map listings, sellers;
    struct erased *items; /* in the order in which they were learnt */
    size_t count, capacity;
    size_t dirty_count;
};

void erasure_ledger_init(struct erasure_ledger *ledger);
void erasure_ledger_release(struct erasure_ledger *ledger);

/* The stamp up to which it is erased; STAMP_NONE when it is not. */
struct stamp erasure_ledger_stamp(const struct erasure_ledger *ledger, enum erasure_scope scope,
                                  uint64_t id);
/* 1 when that is news, 0 when as great a stamp is known, or -ENOMEM. */
int erasure_ledger_learn(struct erasure_ledger *ledger, enum erasure_scope scope, uint64_t id,
                         struct stamp stamp);

/* The item's entry went into a checkpoint. */
void erasure_ledger_saved(struct erasure_ledger *ledger, struct erased *item);

/* Checkpointed form of an item, of ERASED_BYTES; reading one makes it known under that entry. */
#define ERASED_BYTES (1 + 8 + 24)
void erased_encode(const struct erased *erased, char *buffer);
int erasure_ledger_restore(struct erasure_ledger *ledger, uint64_t entry,
                           struct wire_reader *reader);

#endif
