/*
 * The places from which an erasure must remove what is known of a listing, and the certificate that
 * says so (A12). The eraser looks at each of them until it finds nothing, and names each in the
 * certificate; whoever adds a store that holds anything of a listing adds a row here.
 */
#ifndef MURPHY_PIPELINE_ERASURE_H
#define MURPHY_PIPELINE_ERASURE_H

#include <stddef.h>
#include <stdint.h>

#include "pipeline/bytes.h"
#include "pipeline/stamp.h"
#include "pipeline/vtime.h"

/* X(identifier, "name", "what is looked at, and what removes it"). Numbers go over the wire: rows
 * are appended, never moved. */
#define ERASURE_PLACES(X)                                                                          \
    X(SOURCE, "source", "rows of the OLTP store; emptied by the application, again by the eraser") \
    X(BRONZE, "bronze",                                                                            \
      "raw listing and media records of the warehouse at or below the erasure; the loader "        \
      "removes "                                                                                   \
      "them when it comes to the erasure in the listing log")                                      \
    X(SILVER, "silver", "versions older than the erasure's position in the log; likewise")         \
    X(GOLD, "gold", "a present document older than that position; likewise")                       \
    X(TIME_TRAVEL, "time-travel",                                                                  \
      "removed rows that the warehouse can still bring back; waited for")                          \
    X(FAIL_SAFE, "fail-safe", "removed rows that its operator can still bring back; waited for")   \
    X(VECTORS, "vectors",                                                                          \
      "rows and masked vectors in the collections of every model version; removed and compacted "  \
      "by the eraser")                                                                             \
    X(KEYWORD, "keyword", "rows and masked texts; removed and merged away by the eraser")          \
    X(DEAD_LETTERS, "dead-letters",                                                                \
      "refused records of the listing; the eraser writes a tombstone for each, and compaction "    \
      "takes both")                                                                                \
    X(STATE, "state",                                                                              \
      "documents in checkpoints of the builder and the loader; folding the erasure empties them, " \
      "the next checkpoint takes that over")                                                       \
    X(ARTIFACTS, "artifacts",                                                                      \
      "archived embeddings; the eraser drops them once no checkpoint holds what they were made "   \
      "of")

enum erasure_place {
#define ERASURE_PLACE_ENUM(identifier, name, about) ERASED_IN_##identifier,
    ERASURE_PLACES(ERASURE_PLACE_ENUM)
#undef ERASURE_PLACE_ENUM
        ERASURE_PLACE_COUNT
};
const char *erasure_place_name(enum erasure_place place);
const char *erasure_place_about(enum erasure_place place);

/* A listing that a store is asked about. */
struct erasure_subject {
    uint64_t listing_id;
    struct stamp stamp; /* nothing that was said at or below it may be kept */
    doc_version
        version; /* nothing below that position of the listing log may be kept: the warehouse
                    tells it, to whom the loader did; DOC_VERSION_NONE as long as it did not */
};

/* What a look at a place found. */
struct erasure_look {
    uint32_t
        examined;   /* parts of the place: collections, partitions, listings, as the place has it */
    uint64_t found; /* what is still there of the subject */
    vtime at;
};

/* The body of a certificate: a look for each place, in the order of the table. */
#define ERASURE_LOOK_BYTES 20
#define ERASURE_LOOKS_BYTES (ERASURE_PLACE_COUNT * ERASURE_LOOK_BYTES)
void erasure_looks_encode(const struct erasure_look looks[ERASURE_PLACE_COUNT],
                          char buffer[ERASURE_LOOKS_BYTES]);
/* Fills as many looks as the bytes hold, a certificate of an older table may hold fewer; returns
 * how many. */
size_t erasure_looks_decode(struct bytes bytes, struct erasure_look looks[ERASURE_PLACE_COUNT]);

#endif
