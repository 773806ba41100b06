#include "pipeline/checkpoint_seal.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <xxhash.h>

#include "pipeline/little_endian.h"

/* Text, so that it is found in a dump. */
static const unsigned char mark[8] = {0xc3, 'S', 'E', 'A', 'L', 'E', 'D', 0xff};

enum { AT_FORMAT = sizeof mark, AT_CHECKSUM = AT_FORMAT + 1 };

/* So many bytes of a mark may be wrong and it is still taken for one. */
enum { MARK_WRONG_MAX = 2 };

static uint64_t checksum_of(uint8_t format, uint64_t key, struct bytes body) {
    uint64_t seed = (key ^ (uint64_t)format << 56) * UINT64_C(0x9e3779b97f4a7c15);
    return XXH3_64bits_withSeed(body.data, body.len, seed);
}

void checkpoint_seal(char *seal, uint8_t format, uint64_t key, struct bytes body) {
    memcpy(seal, mark, sizeof mark);
    le8_put(seal + AT_FORMAT, format);
    le64_put(seal + AT_CHECKSUM, checksum_of(format, key, body));
}

static size_t mark_wrong(struct bytes stored) {
    size_t wrong = 0;
    for (size_t i = 0; i < sizeof mark; i++) {
        wrong += i >= stored.len || (unsigned char)stored.data[i] != mark[i];
    }
    return wrong;
}

int checkpoint_open(struct bytes stored, uint64_t key, uint8_t format_max, struct bytes *body) {
    size_t wrong = mark_wrong(stored);
    if (wrong > MARK_WRONG_MAX) {
        *body = stored;
        return 0;
    }
    if (wrong > 0 || stored.len < CHECKPOINT_SEAL_BYTES) {
        return -EINVAL;
    }
    *body = (struct bytes){stored.data + CHECKPOINT_SEAL_BYTES, stored.len - CHECKPOINT_SEAL_BYTES};
    uint8_t format = le8_get(stored.data + AT_FORMAT);
    if (le64_get(stored.data + AT_CHECKSUM) != checksum_of(format, key, *body)) {
        return -EINVAL;
    }
    return format > format_max ? -ENOTSUP : 0;
}
