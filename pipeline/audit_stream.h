/*
 * The audit stream of a listing (B8): every event that the pipeline learned something from, in the
 * order in which it did, numbered from 1, each chained to the one before it.
 *
 *     digest(n) = SHA-256(digest(n-1), listing, n, version, event time, event id, type, visible,
 *                         SHA-256(payload))            digest(0) is all zero
 *
 * The payload, the raw record, stays in bronze. The chain holds its hash alone, so that an erasure
 * can take the payload away and the chain still verifies (A12); what stays of an erased event is
 * when it came, its random id and a hash over bytes that hold that id.
 *
 * Whoever changes, removes, inserts or reorders events must make every later digest anew, and then
 * the last one is not the one that was anchored elsewhere; so it is when events are cut off at the
 * end. The chain has no key: what cannot be forged is the anchor.
 *
 * The loader advances the chain with the fold and keeps it in the same checkpoint. So it is a
 * function of the log's prefix, like the document: after a crash, by a zombie or another worker the
 * same events get the same numbers and digests, and the store turns repeats away by their key,
 * (listing, version). A record that tells nothing (a repeat, a late loser) is no event.
 */
#ifndef MURPHY_PIPELINE_AUDIT_STREAM_H
#define MURPHY_PIPELINE_AUDIT_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "pipeline/bytes.h"
#include "pipeline/ports.h"
#include "pipeline/record.h"
#include "pipeline/rows.h"
#include "pipeline/sha256.h"
#include "pipeline/wire.h"

/* Where a listing's stream stands. Zeroed: no event yet. */
struct audit_chain {
    uint64_t sequence;  /* of the last event */
    struct sha256 head; /* its digest */
};

/* Advances the chain by an event, whose sequence and digest are filled in; the payload's hash is
 * there already. */
void audit_chain_add(struct audit_chain *chain, struct audit_event *event);

/* The event that a record of the listing log is, and the chain advanced by it. */
struct audit_event audit_event_of(struct audit_chain *chain, const struct log_record *logged,
                                  const struct record *record, bool visible);

/* Checkpointed form. */
enum { AUDIT_CHAIN_BYTES = 8 + SHA256_BYTES };
char *audit_chain_encode(const struct audit_chain *chain, char *at);
void audit_chain_decode(struct audit_chain *chain, struct wire_reader *reader);

/* One hash over the heads of all streams, for an anchor: of each, in the order of listing ids, the
 * id, the number of events and the digest of the last one. */
struct audit_head {
    uint64_t listing_id;
    struct audit_chain chain;
};
struct sha256 audit_root(const struct audit_head *heads, size_t count);

#endif
