/*
 * An object store for embedding artifacts: each vector that was ever made, by what it was made of.
 * It implements struct object_port.
 *
 * Fidelity
 *
 *   modelled
 *     keys               listing first, so that all objects of a listing share a prefix (A12)
 *     overwrites         the last put of a key holds, and its lifecycle begins anew
 *     lifecycle          objects go `retention` after they were stored, at the next midnight UTC:
 *                        rules count whole days and are carried out once a day (Amazon S3)
 *     read after write   strong, as in Amazon S3 since 2020
 *     no conditions      neither versions nor conditional writes: content is part of the key, so
 *                        two writers of a key write the same vector
 *   approximated
 *     requests           take effect at once; latency belongs to who asks
 *     expiry             an object that is due is gone at midnight sharp; the real sweep takes
 *                        hours
 *   when a fault wants it
 *     slow listings      what is counted and erased by prefix is what a listing of some time ago
 *                        names (stores other than Amazon S3; its own before 2020)
 *     lifecycle          a rule that comes early or late
 *     deletes            that are lost, or late (in the fault's wrapper)
 *   not modelled
 *     multipart uploads, versioned buckets, storage classes, listing in pages
 *
 * Invariants (fake_object_store_check asserts them):
 *  1. objects stand in the order in which they were stored; none twice;
 *  2. each object that is kept is found by its key and under its listing.
 *
 * Memory: vectors are packed into blocks of a mebibyte, which are given back when nothing in
 * them is kept any more.
 */
#ifndef MURPHY_SIM_FAKE_OBJECT_STORE_H
#define MURPHY_SIM_FAKE_OBJECT_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/ports.h"

#define FAKE_OBJECT_STORE_RETENTION_NS (90 * VTIME_DAY)

struct fake_object_store;

struct fake_object_store_options {
    int64_t retention_ns; /* 0: FAKE_OBJECT_STORE_RETENTION_NS; negative: for ever */
};

/* options may be NULL. NULL when there is no memory. */
struct fake_object_store *fake_object_store_new(const struct fake_object_store_options *options);
void fake_object_store_free(struct fake_object_store *o);

/* Errors: PORT_NO_MEMORY, with part of a put in. */
struct object_port fake_object_store_port(struct fake_object_store *o);

/* Why an object is not kept any more. */
enum object_end { OBJECT_KEPT, OBJECT_EXPIRED, OBJECT_ERASED, OBJECT_OVERWRITTEN };

struct object_info {
    struct artifact_key key;
    vtime stored;
    vtime expires; /* VTIME_NEVER: never */
    enum object_end end;
    vtime ended; /* unless it is kept */
};
/* Every object that was ever stored, in order; i < count. Carries out what is due by `now` first.
 */
size_t fake_object_store_count(struct fake_object_store *o, vtime now);
struct object_info fake_object_store_object(const struct fake_object_store *o, size_t i);

/* Surprises, which faults set. Listings, by which objects are counted and erased, are so far
 * behind: what was stored since is missing, what was dropped since is there. */
void fake_object_store_list_late(struct fake_object_store *o, int64_t lag_ns);
/* From now on the lifecycle drops objects so much later (negative: earlier) than is stated. */
void fake_object_store_shift_lifecycle(struct fake_object_store *o, vtime now, int64_t shift_ns);

struct fake_object_store_counts {
    uint64_t puts, gets, found, kept, bytes; /* objects; kept and bytes as of now */
    uint64_t mislisted;   /* listings were held against them and said otherwise than is so */
    uint64_t early, late; /* gone before their time; found after it */
};
struct fake_object_store_counts fake_object_store_counts(const struct fake_object_store *o);

/* Something of the listing is kept that was stored by then. */
bool fake_object_store_holds(const struct fake_object_store *o, uint64_t listing_id, vtime until);

void fake_object_store_check(const struct fake_object_store *o);

#endif
