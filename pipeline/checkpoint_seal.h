/*
 * What makes the bytes of a checkpoint tell of themselves: which format they are in, and whether
 * they are the bytes that were written under that key (A15, C6).
 *
 *     mark (8 bytes)    no bare entry begins so: as a little-endian number it is below 0, which is
 *                       no version and no time, and its first byte is no kind of a router's entry
 *     format (u8)
 *     checksum (u64)    XXH3-64 of what the machine laid out, seeded by the key and the format
 *     what the machine laid out
 *
 * Mark, format and checksum are the same in every format, so a reader of an older version tells a
 * format that it does not know from bytes that were damaged. A mark that is all but whole is taken
 * for a damaged one.
 */
#ifndef MURPHY_PIPELINE_CHECKPOINT_SEAL_H
#define MURPHY_PIPELINE_CHECKPOINT_SEAL_H

#include <stddef.h>
#include <stdint.h>

#include "pipeline/bytes.h"

enum { CHECKPOINT_SEAL_BYTES = 17 };

/* In place of an entry's key, for the offsets of a checkpoint. */
#define CHECKPOINT_OFFSETS_KEY UINT64_MAX

/* Writes the seal of a body into the bytes in front of it. */
void checkpoint_seal(char *seal, uint8_t format, uint64_t key, struct bytes body);

/*
 * What was laid out, in *body: behind the seal, or all of it where there is none. 0; -EINVAL when
 * these are not the bytes that were written under the key; -ENOTSUP when the format is beyond
 * format_max: then *body is what stands behind the seal, whatever it means.
 */
int checkpoint_open(struct bytes stored, uint64_t key, uint8_t format_max, struct bytes *body);

#endif
