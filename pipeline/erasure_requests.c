#include "pipeline/erasure_requests.h"

#include <errno.h>
#include <stdlib.h>

#include <xxhash.h>

#include "pipeline/array.h"

enum { NAME_BYTES = 1 + 8 + 24, FIXED_BYTES = NAME_BYTES + 8 + 8 + 4 + 1 + 4 };

void erasure_requests_init(struct erasure_requests *requests, uint32_t partitions) {
    *requests = (struct erasure_requests){.partitions = partitions};
    id_map_init(&requests->index);
    id_map_init(&requests->erased);
}

void erasure_requests_release(struct erasure_requests *requests) {
    for (size_t i = 0; i < requests->count; i++) {
        free(requests->items[i].subjects);
        free(requests->items[i].parts);
        id_map_release(&requests->items[i].index);
    }
    free(requests->items);
    id_map_release(&requests->index);
    id_map_release(&requests->erased);
}

static char *name_put(char *at, enum erasure_scope scope, uint64_t id, struct stamp stamp) {
    at = wire_put(at, scope, 1);
    at = wire_put(at, id, 8);
    at = wire_put(at, (uint64_t)stamp.ts.ns, 8);
    at = wire_put(at, stamp.id.hi, 8);
    return wire_put(at, stamp.id.lo, 8);
}

static uint64_t name_key(enum erasure_scope scope, uint64_t id, struct stamp stamp) {
    char name[NAME_BYTES];
    name_put(name, scope, id, stamp);
    return XXH3_64bits(name, sizeof name);
}

/* One more wave at the end of the items; NULL when out of memory. */
static struct erasure_request *wave_make(struct erasure_requests *requests,
                                         const struct erasure_request *like) {
    bool *parts = calloc(requests->partitions, sizeof *parts);
    if (parts == NULL ||
        ARRAY_RESERVE(requests->items, requests->capacity, requests->count + 1) != 0) {
        free(parts);
        return NULL;
    }
    struct erasure_request *request = &requests->items[requests->count++];
    *request = (struct erasure_request){.scope = like->scope,
                                        .id = like->id,
                                        .stamp = like->stamp,
                                        .asked = like->asked,
                                        .wave = like->wave,
                                        .next = SIZE_MAX,
                                        .dirty = true,
                                        .due = VTIME_NEVER,
                                        .artifacts_until = VTIME_NEVER,
                                        .alert = ALERT_CLEARED,
                                        .parts = parts};
    id_map_init(&request->index);
    return request;
}

struct erasure_request *erasure_request_of(struct erasure_requests *requests,
                                           enum erasure_scope scope, uint64_t id,
                                           struct stamp stamp, vtime asked) {
    uint64_t key = name_key(scope, id, stamp);
    uint32_t at;
    if (id_map_index(&requests->index, key, &at)) {
        return &requests->items[at];
    }
    const struct erasure_request like = {.scope = scope, .id = id, .stamp = stamp, .asked = asked};
    return id_map_put_index(&requests->index, key, requests->count) != 0
               ? NULL
               : wave_make(requests, &like);
}

static size_t wave_last(const struct erasure_requests *requests, size_t at) {
    while (requests->items[at].next != SIZE_MAX) {
        at = requests->items[at].next;
    }
    return at;
}

/* The wave behind that one. SIZE_MAX when out of memory. */
static size_t wave_append(struct erasure_requests *requests, size_t last, vtime asked) {
    struct erasure_request like = requests->items[last];
    like.wave++;
    like.asked = asked;
    if (wave_make(requests, &like) == NULL) {
        return SIZE_MAX;
    }
    requests->items[last].next = requests->count - 1;
    return requests->count - 1;
}

/* The listing is erased at least up to the request's stamp. 0 or -ENOMEM. */
static int note_erased(struct erasure_requests *requests, const struct erasure_request *request,
                       uint64_t listing_id) {
    struct stamp known = erasure_requests_stamp(requests, listing_id);
    return stamp_compare(request->stamp, known) <= 0
               ? 0
               : id_map_put_index(&requests->erased, listing_id,
                                  (size_t)(request - requests->items));
}

static int wave_add(struct erasure_requests *requests, size_t wave, uint64_t listing_id) {
    struct erasure_request *request = &requests->items[wave];
    if (ARRAY_RESERVE(request->subjects, request->subject_capacity, request->subject_count + 1) !=
            0 ||
        note_erased(requests, request, listing_id) != 0 ||
        id_map_put_index(&request->index, listing_id, request->subject_count) != 0) {
        return -ENOMEM;
    }
    request->subjects[request->subject_count++] =
        (struct erasure_subject){listing_id, request->stamp, DOC_VERSION_NONE};
    request->dirty = true;
    return 0;
}

int erasure_request_add(struct erasure_requests *requests, const struct erasure_request *request,
                        uint64_t listing_id, vtime now, size_t *wave) {
    *wave = SIZE_MAX;
    size_t at = (size_t)(request - requests->items);
    for (size_t i = at; i != SIZE_MAX; i = requests->items[i].next) {
        if (erasure_request_has(&requests->items[i], listing_id)) {
            return 0;
        }
    }
    at = wave_last(requests, at);
    if (requests->items[at].closed || requests->items[at].subject_count == ERASURE_WAVE_MAX) {
        at = wave_append(requests, at, now);
    }
    if (at == SIZE_MAX || wave_add(requests, at, listing_id) != 0) {
        return -ENOMEM;
    }
    *wave = at;
    return 0;
}

void erasure_request_part(struct erasure_request *request, uint32_t partition) {
    request->dirty = request->dirty || !request->parts[partition];
    request->parts_done += !request->parts[partition];
    request->parts[partition] = true;
}

bool erasure_request_complete(const struct erasure_requests *requests,
                              const struct erasure_request *request) {
    return request->scope == ERASURE_LISTING || request->wave > 0 ||
           request->parts_done == requests->partitions;
}

bool erasure_request_has(const struct erasure_request *request, uint64_t listing_id) {
    return id_map_get(&request->index, listing_id) != ID_MAP_NONE;
}

struct stamp erasure_requests_stamp(const struct erasure_requests *requests, uint64_t listing_id) {
    uint32_t at = id_map_get(&requests->erased, listing_id);
    return at == ID_MAP_NONE ? STAMP_NONE : requests->items[at].stamp;
}

/* ---- Checkpointed form ---- */

size_t erasure_request_size(const struct erasure_requests *requests,
                            const struct erasure_request *request) {
    return FIXED_BYTES + requests->partitions + 8 * request->subject_count;
}

void erasure_request_encode(const struct erasure_requests *requests,
                            const struct erasure_request *request, char *buffer) {
    char *at = name_put(buffer, request->scope, request->id, request->stamp);
    at = wire_put(at, (uint64_t)request->asked.ns, 8);
    at = wire_put(at, (uint64_t)request->artifacts_until.ns, 8);
    at = wire_put(at, request->wave, 4);
    at = wire_put(at, (uint64_t)(request->certified | request->closed << 1 | request->wanted << 2),
                  1);
    at = wire_put(at, request->subject_count, 4);
    for (uint32_t i = 0; i < requests->partitions; i++) {
        at = wire_put(at, request->parts[i], 1);
    }
    for (size_t i = 0; i < request->subject_count; i++) {
        at = wire_put(at, request->subjects[i].listing_id, 8);
    }
}

int erasure_request_decode(struct erasure_requests *requests, struct wire_reader *reader) {
    enum erasure_scope scope = (enum erasure_scope)wire_get(reader, 1);
    uint64_t id = wire_get(reader, 8);
    struct stamp stamp;
    stamp.ts.ns = (int64_t)wire_get(reader, 8);
    stamp.id.hi = wire_get(reader, 8);
    stamp.id.lo = wire_get(reader, 8);
    vtime asked = {(int64_t)wire_get(reader, 8)};
    vtime artifacts_until = {(int64_t)wire_get(reader, 8)};
    uint64_t wave = wire_get(reader, 4);
    uint64_t flags = wire_get(reader, 1);
    uint64_t subjects = wire_get(reader, 4);
    if (reader->failed || (scope != ERASURE_LISTING && scope != ERASURE_SELLER)) {
        return -EINVAL;
    }
    const struct erasure_request *first = erasure_request_of(requests, scope, id, stamp, asked);
    if (first == NULL) {
        return -ENOMEM;
    }
    size_t at = wave_last(requests, (size_t)(first - requests->items));
    at = wave > requests->items[at].wave ? wave_append(requests, at, asked) : at;
    if (at == SIZE_MAX) {
        return -ENOMEM;
    }
    struct erasure_request *request = &requests->items[at];
    for (uint32_t i = 0; i < requests->partitions; i++) {
        if (wire_get(reader, 1) != 0) {
            erasure_request_part(request, i);
        }
    }
    for (uint64_t i = 0; i < subjects && !reader->failed; i++) {
        uint64_t listing_id = wire_get(reader, 8);
        if (!reader->failed && wave_add(requests, at, listing_id) != 0) {
            return -ENOMEM;
        }
    }
    request->certified = (flags & 1) != 0 && !reader->failed;
    request->closed = (flags & 2) != 0 && !reader->failed;
    request->wanted = (flags & 4) != 0;
    request->artifacts_until = reader->failed ? VTIME_NEVER : artifacts_until;
    request->dirty = reader->failed;
    return reader->failed ? -EINVAL : 0;
}
