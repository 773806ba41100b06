#include "pipeline/dead_letter.h"

#include <assert.h>

#include <xxhash.h>

#include "pipeline/wire.h"

enum { FIXED_BYTES = 1 + 4 + 8 + 8 + 8 + 2 + 8, TEXTS = 4 };

uint64_t dead_letter_key(const struct dead_letter *letter) {
    char position[1 + 4 + 8 + 8];
    char *at = wire_put(position, letter->topic, 1);
    at = wire_put(at, letter->partition, 4);
    at = wire_put(at, (uint64_t)letter->offset, 8);
    wire_put(at, (uint64_t)letter->append.ns, 8); /* an offset can be given out twice */
    return XXH3_64bits(position, sizeof position);
}

size_t dead_letter_size(const struct dead_letter *letter) {
    return FIXED_BYTES + TEXTS * 4 + letter->reason.len + letter->field.len + letter->expected.len +
           letter->value.len;
}

void dead_letter_encode(const struct dead_letter *letter, char *buffer) {
    char *at = buffer;
    at = wire_put(at, letter->topic, 1);
    at = wire_put(at, letter->partition, 4);
    at = wire_put(at, (uint64_t)letter->offset, 8);
    at = wire_put(at, letter->key, 8);
    at = wire_put(at, (uint64_t)letter->append.ns, 8);
    at = wire_put(at, letter->contract_version, 2);
    at = wire_put(at, (uint64_t)letter->actual, 8);
    at = wire_put_bytes(at, letter->reason);
    at = wire_put_bytes(at, letter->field);
    at = wire_put_bytes(at, letter->expected);
    at = wire_put_bytes(at, letter->value);
    assert((size_t)(at - buffer) == dead_letter_size(letter));
}

int dead_letter_decode(struct bytes input, struct dead_letter *out) {
    struct wire_reader reader = wire_reader_of(input);
    uint64_t topic = wire_get(&reader, 1);
    out->partition = (uint32_t)wire_get(&reader, 4);
    out->offset = (int64_t)wire_get(&reader, 8);
    out->key = wire_get(&reader, 8);
    out->append.ns = (int64_t)wire_get(&reader, 8);
    out->contract_version = (uint16_t)wire_get(&reader, 2);
    out->actual = (int64_t)wire_get(&reader, 8);
    out->reason = wire_get_bytes(&reader);
    out->field = wire_get_bytes(&reader);
    out->expected = wire_get_bytes(&reader);
    out->value = wire_get_bytes(&reader);
    if (reader.failed || reader.at != reader.end || topic >= TOPIC_COUNT) {
        return -1;
    }
    out->topic = (enum topic_id)topic;
    return 0;
}
