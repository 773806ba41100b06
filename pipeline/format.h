/*
 * Formats of what one worker writes and another reads, and who may write which (C6).
 *
 * While a new version of the code is rolled out, workers of both versions share a group, and
 * partitions move between them in both directions. So a format is brought in by two steps, as a
 * broker's metadata.version or a stream application's upgrade.from are: first every worker comes to
 * run code that reads it, while all still write the former one; then an operator finalises it, and
 * from then on it is written. Until that moment each worker can be rolled back to the old code.
 *
 *   code version   what the code of a worker reads: every format up to that number
 *   format level   the format that an operator has finalised: the greatest that may be written
 *
 *   format   checkpoint entries and offsets       records of the listing log
 *   1        as the machine lays them out         as a producer's record, with what the router adds
 *   2        sealed (pipeline/checkpoint_seal.h)  the same, with who wrote it (SECTION_WRITER)
 *
 * All formats keep what tells them apart: the head of a seal, and the frame of a record. A worker
 * that meets one beyond its code leaves the partition alone and says so by an alert: what it cannot
 * read is not empty, not corrupt and no dead letter, and the next worker that can goes on from it.
 */
#ifndef MURPHY_PIPELINE_FORMAT_H
#define MURPHY_PIPELINE_FORMAT_H

enum {
    FORMAT_BARE = 1,
    FORMAT_SEALED = 2,
    FORMAT_NEWEST = FORMAT_SEALED,
};

#endif
