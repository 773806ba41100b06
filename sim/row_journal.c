/* For madvise. */
#define _DEFAULT_SOURCE

#include "sim/row_journal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Chunks double from the first to the last size. The last are asked for in large pages: what a put
 * costs is mostly the first touch of its memory, and that per page. */
#define CHUNK_BYTES_MIN ((size_t)64 << 10)
#define CHUNK_BYTES_MAX ((size_t)8 << 20)
#define LARGE_PAGE ((size_t)2 << 20)

struct journal_chunk {
    struct journal_chunk *previous;
    size_t used;
    size_t capacity; /* of data */
    char data[];
};

/* An entry is this header, then per cell: type, then 8 bytes of integer or of length and text. */
struct entry_head {
    uint64_t key;
    int64_t at_ns;
    uint64_t sequence;
    uint32_t copy;
    uint32_t count; /* ENTRY_GONE: the row is gone */
    uint64_t bytes; /* of the whole entry */
};
#define ENTRY_GONE UINT32_MAX
#define CELL_HEAD 9

void row_journal_init(struct row_journal *j, bool on) {
    *j = (struct row_journal){.on = on};
}

static void free_until(struct row_journal *j, const struct journal_chunk *end) {
    while (j->last != end) {
        struct journal_chunk *chunk = j->last;
        j->last = chunk->previous;
        free(chunk);
    }
}

void row_journal_release(struct row_journal *j) {
    free_until(j, 0);
    row_journal_init(j, false);
}

static struct journal_chunk *new_chunk(struct journal_chunk *previous, size_t needed) {
    size_t size = previous == 0 ? CHUNK_BYTES_MIN : 2 * (sizeof(*previous) + previous->capacity);
    size = size > CHUNK_BYTES_MAX ? CHUNK_BYTES_MAX : size;
    while (size < sizeof(*previous) + needed) {
        size *= 2;
    }
    struct journal_chunk *chunk =
        size < LARGE_PAGE ? malloc(size) : aligned_alloc(LARGE_PAGE, size);
    if (chunk == 0) {
        return 0;
    }
    if (size >= LARGE_PAGE) {
        madvise(chunk, size, MADV_HUGEPAGE); /* a wish; without it the memory is the same */
    }
    chunk->previous = previous;
    chunk->used = 0;
    chunk->capacity = size - sizeof(*chunk);
    return chunk;
}

static char *reserve(struct row_journal *j, size_t bytes) {
    struct journal_chunk *chunk = j->last;
    if (chunk == 0 || chunk->capacity - chunk->used < bytes) {
        chunk = new_chunk(chunk, bytes);
        if (chunk == 0) {
            return 0;
        }
        j->last = chunk;
    }
    char *place = chunk->data + chunk->used;
    chunk->used += bytes;
    return place;
}

static size_t cell_bytes(const struct cell *cell) {
    return CELL_HEAD + (cell->type >= CELL_TEXT ? cell->text.len : 0);
}

static char *cell_store(char *at, const struct cell *cell) {
    int64_t number = cell->type >= CELL_TEXT ? (int64_t)cell->text.len : cell->integer;
    *at = (char)cell->type;
    memcpy(at + 1, &number, sizeof(number));
    at += CELL_HEAD;
    if (cell->type >= CELL_TEXT && cell->text.len > 0) {
        memcpy(at, cell->text.data, cell->text.len);
        at += cell->text.len;
    }
    return at;
}

static const char *cell_load(const char *at, struct cell *cell) {
    int64_t number = 0;
    memcpy(&number, at + 1, sizeof(number));
    *cell = (struct cell){(enum cell_type)(unsigned char)*at, number, {0, 0}};
    at += CELL_HEAD;
    if (cell->type >= CELL_TEXT) {
        cell->integer = 0;
        cell->text = (struct bytes){at, (size_t)number};
        at += number;
    }
    return at;
}

static int append(struct row_journal *j, vtime now, struct row_key key, const struct cell *cells,
                  size_t count, uint32_t stored_count) {
    struct entry_head head = {key.key, now.ns, j->count, key.copy, stored_count, sizeof(head)};
    for (size_t i = 0; i < count; i++) {
        head.bytes += cell_bytes(&cells[i]);
    }
    char *at = reserve(j, head.bytes);
    if (at == 0) {
        return -ENOMEM;
    }
    memcpy(at, &head, sizeof(head));
    at += sizeof(head);
    for (size_t i = 0; i < count; i++) {
        at = cell_store(at, &cells[i]);
    }
    j->count++;
    return 0;
}

int row_journal_put(struct row_journal *j, vtime now, struct row_key key, const struct cell *cells,
                    size_t count) {
    assert(count <= ROW_JOURNAL_CELLS_MAX);
    return j->on ? append(j, now, key, cells, count, (uint32_t)count) : 0;
}

int row_journal_gone(struct row_journal *j, vtime now, struct row_key key) {
    return j->on ? append(j, now, key, 0, 0, ENTRY_GONE) : 0;
}

struct journal_mark row_journal_mark(const struct row_journal *j) {
    return (struct journal_mark){j->last, j->last == 0 ? 0 : j->last->used, j->count};
}

void row_journal_rewind(struct row_journal *j, struct journal_mark mark) {
    free_until(j, mark.chunk);
    if (j->last != 0) {
        j->last->used = mark.used;
    }
    j->count = mark.count;
}

struct entry_place {
    struct entry_head head;
    const char *at; /* the entry's cells */
};

static int place_compare(const void *left, const void *right) {
    const struct entry_head *a = &((const struct entry_place *)left)->head;
    const struct entry_head *b = &((const struct entry_place *)right)->head;
    if (a->key != b->key) {
        return a->key < b->key ? -1 : 1;
    }
    if (a->copy != b->copy) {
        return a->copy < b->copy ? -1 : 1;
    }
    return a->sequence < b->sequence ? -1 : 1;
}

/* All entries, by key, copy and sequence. */
static struct entry_place *sorted_places(const struct row_journal *j) {
    struct entry_place *places = malloc(j->count * sizeof(*places));
    if (places == 0) {
        return 0;
    }
    size_t count = 0;
    for (const struct journal_chunk *chunk = j->last; chunk != 0; chunk = chunk->previous) {
        for (size_t used = 0; used < chunk->used; count++) {
            assert(count < j->count);
            const char *at = chunk->data + used;
            memcpy(&places[count].head, at, sizeof(places[count].head));
            places[count].at = at + sizeof(struct entry_head);
            used += places[count].head.bytes;
        }
    }
    assert(count == j->count);
    qsort(places, count, sizeof(*places), place_compare);
    return places;
}

static vtime end_of(const struct entry_place *place, const struct entry_place *end) {
    const struct entry_place *next = place + 1;
    bool same =
        next != end && next->head.key == place->head.key && next->head.copy == place->head.copy;
    return same ? (vtime){next->head.at_ns} : VTIME_NEVER;
}

int row_journal_each(const struct row_journal *j,
                     int (*each)(void *ctx, const struct row_version *version), void *ctx) {
    if (j->count == 0) {
        return 0;
    }
    struct entry_place *places = sorted_places(j);
    if (places == 0) {
        return -ENOMEM;
    }
    int rc = 0;
    const struct entry_place *end = places + j->count;
    for (const struct entry_place *place = places; place != end && rc == 0; place++) {
        if (place->head.count == ENTRY_GONE) {
            continue;
        }
        struct cell cells[ROW_JOURNAL_CELLS_MAX];
        const char *at = place->at;
        for (uint32_t i = 0; i < place->head.count; i++) {
            at = cell_load(at, &cells[i]);
        }
        struct row_version version = {{place->head.key, place->head.copy},
                                      {place->head.at_ns},
                                      end_of(place, end),
                                      cells,
                                      place->head.count};
        rc = each(ctx, &version);
    }
    free(places);
    return rc;
}
