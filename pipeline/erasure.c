#include "pipeline/erasure.h"

#include <assert.h>

#include "pipeline/wire.h"

static const struct {
    const char *name, *about;
} table[ERASURE_PLACE_COUNT] = {
#define ERASURE_PLACE_ROW(identifier, name, about) {name, about},
    ERASURE_PLACES(ERASURE_PLACE_ROW)
#undef ERASURE_PLACE_ROW
};

const char *erasure_place_name(enum erasure_place place) {
    assert(place < ERASURE_PLACE_COUNT);
    return table[place].name;
}

const char *erasure_place_about(enum erasure_place place) {
    assert(place < ERASURE_PLACE_COUNT);
    return table[place].about;
}

void erasure_looks_encode(const struct erasure_look looks[ERASURE_PLACE_COUNT],
                          char buffer[ERASURE_LOOKS_BYTES]) {
    char *at = buffer;
    for (size_t i = 0; i < ERASURE_PLACE_COUNT; i++) {
        at = wire_put(at, looks[i].examined, 4);
        at = wire_put(at, looks[i].found, 8);
        at = wire_put(at, (uint64_t)looks[i].at.ns, 8);
    }
}

size_t erasure_looks_decode(struct bytes bytes, struct erasure_look looks[ERASURE_PLACE_COUNT]) {
    struct wire_reader reader = wire_reader_of(bytes);
    size_t count = bytes.len / ERASURE_LOOK_BYTES;
    count = count < ERASURE_PLACE_COUNT ? count : ERASURE_PLACE_COUNT;
    for (size_t i = 0; i < count; i++) {
        looks[i].examined = (uint32_t)wire_get(&reader, 4);
        looks[i].found = wire_get(&reader, 8);
        looks[i].at.ns = (int64_t)wire_get(&reader, 8);
    }
    return count;
}
