/*
 * The erasures that the eraser was asked for: whom each is about, which listings that turned out to
 * be, and whether it is certified (A12). Ids and stamps only: nothing of what is erased.
 *
 * A request is known by its scope, id and stamp. One about a listing has that listing; one about a
 * seller has the listings that routers registered for it, and is complete when the router of every
 * partition said that it named all that it knew.
 *
 * A listing that comes to light only after the first sweep, because it names the seller only then,
 * must not hold the certificate of the others up, and neither may one that comes after it. So a
 * request has waves: the first sweep of a wave closes it, what comes then belongs to the next one,
 * and each wave has a certificate of its own. Private to the eraser.
 */
#ifndef MURPHY_PIPELINE_ERASURE_REQUESTS_H
#define MURPHY_PIPELINE_ERASURE_REQUESTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/effects.h"
#include "pipeline/erasure.h"
#include "pipeline/id_map.h"
#include "pipeline/record.h"
#include "pipeline/wire.h"

/* Listings of a wave: their ids fit into one record. */
#define ERASURE_WAVE_MAX 65536

struct erasure_request {
    enum erasure_scope scope;
    uint64_t id;
    struct stamp stamp;
    vtime asked; /* when the feed took it */
    uint32_t wave;
    size_t next; /* the next wave's index, or SIZE_MAX */
    bool closed; /* takes no more listings */
    bool certified;
    bool wanted; /* an operator wants it swept again */
    bool dirty;  /* the last checkpoint does not have it as it is */
    vtime due;   /* of its next sweep; VTIME_NEVER: none */
    enum alert_state alert;
    vtime
        artifacts_until; /* artifacts that were stored by then must go: what comes since is of a
                            new life; VTIME_NEVER while a checkpoint holds what they are made of */
    struct erasure_subject *subjects; /* its listings */
    size_t subject_count, subject_capacity;
    struct id_map index; /* of the listings */
    bool *parts;         /* by partition: its router named all that it knew */
    uint32_t parts_done;
};

struct erasure_requests {
    uint32_t partitions;
    struct erasure_request *items;
    size_t count, capacity;
    struct id_map index;  /* by a hash of scope, id and stamp */
    struct id_map erased; /* of a listing: the request with the greatest stamp */
};

void erasure_requests_init(struct erasure_requests *requests, uint32_t partitions);
void erasure_requests_release(struct erasure_requests *requests);

/* The first wave of the request, made if need be (due VTIME_NEVER, asked as given); NULL when out
 * of memory. Good until the next one is made. */
struct erasure_request *erasure_request_of(struct erasure_requests *requests,
                                           enum erasure_scope scope, uint64_t id,
                                           struct stamp stamp, vtime asked);
/* Index of the wave that takes the listing in (asked for now, when it is made for it), SIZE_MAX
 * when some wave of the request has it, in *wave. The request may move. 0 or -ENOMEM. */
int erasure_request_add(struct erasure_requests *requests, const struct erasure_request *request,
                        uint64_t listing_id, vtime now, size_t *wave);
/* The router of that partition named all that it knew. */
void erasure_request_part(struct erasure_request *request, uint32_t partition);
/* All listings are known that were there when it was asked for; of a later wave that is so. */
bool erasure_request_complete(const struct erasure_requests *requests,
                              const struct erasure_request *request);
bool erasure_request_has(const struct erasure_request *request, uint64_t listing_id);
/* The greatest stamp up to which the listing is erased, or STAMP_NONE. */
struct stamp erasure_requests_stamp(const struct erasure_requests *requests, uint64_t listing_id);

/* Checkpointed form; decoding makes the request known. 0, -EINVAL or -ENOMEM. */
size_t erasure_request_size(const struct erasure_requests *requests,
                            const struct erasure_request *request);
void erasure_request_encode(const struct erasure_requests *requests,
                            const struct erasure_request *request, char *buffer);
int erasure_request_decode(struct erasure_requests *requests, struct wire_reader *reader);

#endif
