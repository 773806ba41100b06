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
 * (listing, version, digest). A record that tells nothing (a repeat, a late loser) is no event.
 *
 * Only a log that loses records changes its prefix: when an unclean leader takes over, a loader
 * that had read what is lost and one that starts before it go on differently. Both leave their
 * events; the stream is then the line that leads to the latest version, and what is beside it
 * belongs to a history that the log took back.
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

/* Where an event stands. */
enum audit_place {
    AUDIT_ON_LINE, /* it leads to the latest version */
    AUDIT_BESIDE   /* it led to an end that the log took back */
};
/*
 * Places a listing's events, which come in the order of sequence and version. The index of the
 * first one that follows from none, or is there twice, or is beside the line although no leader
 * ever changed: `count` when there is none. Places up to that index are not to be used otherwise.
 * `parents` has room for `count` as well.
 */
size_t audit_line(const struct audit_event *events, size_t count, enum audit_place *places,
                  size_t *parents);
/* Whether a is the later end of a listing's stream. */
bool audit_later(const struct audit_event *a, const struct audit_event *b);

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
