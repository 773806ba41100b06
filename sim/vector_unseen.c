#include "sim/vector_unseen.h"

#include <stdlib.h>
#include <string.h>

#include "pipeline/array.h"
#include "pipeline/ports.h"

struct unseen_write {
    vtime visible;
    struct vector_live live;
    struct vector_write write; /* its texts and its vector stand behind it */
};

void vector_unseen_init(struct vector_unseen *u, size_t dimension) {
    *u = (struct vector_unseen){.dimension = dimension};
    id_map_init(&u->last);
}

void vector_unseen_release(struct vector_unseen *u) {
    for (size_t i = u->first; i < u->count; i++) {
        free(u->items[i]);
    }
    free(u->items);
    id_map_release(&u->last);
    vector_unseen_init(u, u->dimension);
}

/* Copies bytes to *at and moves it behind them. */
static struct bytes place(char **at, const void *data, size_t length) {
    struct bytes copy = {*at, length};
    if (length > 0) {
        memcpy(*at, data, length);
    }
    *at += length;
    return copy;
}

static struct unseen_write *copy_of(const struct vector_unseen *u, const struct vector_write *w) {
    size_t vector = w->kind == ROW_UPSERT ? u->dimension * sizeof(float) : 0;
    const struct row_meta *meta = &w->meta;
    struct unseen_write *item =
        malloc(sizeof *item + vector + meta->category.len + meta->locale.len);
    if (item == 0) {
        return 0;
    }
    char *at = (char *)(item + 1);
    item->write = *w;
    item->write.vector = (const float *)(const void *)place(&at, w->vector, vector).data;
    item->write.meta.category = place(&at, meta->category.data, meta->category.len);
    item->write.meta.locale = place(&at, meta->locale.data, meta->locale.len);
    return item;
}

/* Moves what is left to the front once that is worth it. */
static void close_up(struct vector_unseen *u) {
    if (u->first < 64 || u->first < u->count / 2) {
        return;
    }
    u->count -= u->first;
    memmove(u->items, u->items + u->first, u->count * sizeof(struct unseen_write *));
    u->dropped += (uint32_t)u->first;
    u->first = 0;
}

/* Index of the last write of the listing; count when none is left. */
static size_t last_of(const struct vector_unseen *u, uint64_t listing_id) {
    uint32_t number = 0;
    return id_map_index(&u->last, listing_id, &number) ? number - u->dropped : u->count;
}

int vector_unseen_add(struct vector_unseen *u, vtime visible, const struct vector_write *w,
                      struct vector_live live) {
    if (ARRAY_RESERVE(u->items, u->capacity, u->count + 1) != 0) {
        return PORT_NO_MEMORY;
    }
    struct unseen_write *item = copy_of(u, w);
    if (item == 0 ||
        id_map_put_index(&u->last, w->listing_id, (uint32_t)(u->dropped + u->count)) < 0) {
        free(item);
        return PORT_NO_MEMORY;
    }
    if (u->first < u->count) {
        visible = vtime_max(visible, u->items[u->count - 1]->visible);
    }
    item->visible = visible;
    item->live = live;
    u->items[u->count++] = item;
    return 0;
}

const struct vector_live *vector_unseen_live(const struct vector_unseen *u, uint64_t listing_id) {
    size_t at = last_of(u, listing_id);
    return at < u->count ? &u->items[at]->live : 0;
}

vtime vector_unseen_due(const struct vector_unseen *u) {
    return u->first < u->count ? u->items[u->first]->visible : VTIME_NEVER;
}

const struct vector_write *vector_unseen_first(const struct vector_unseen *u) {
    return u->first < u->count ? &u->items[u->first]->write : 0;
}

void vector_unseen_drop_first(struct vector_unseen *u) {
    struct unseen_write *item = u->items[u->first];
    if (last_of(u, item->write.listing_id) == u->first) {
        id_map_remove(&u->last, item->write.listing_id);
    }
    free(item);
    u->first++;
    close_up(u);
}

void vector_unseen_each(const struct vector_unseen *u, uint64_t first, uint64_t last,
                        void (*each)(void *ctx, const struct vector_write *w,
                                     const struct vector_live *live),
                        void *ctx) {
    for (size_t i = u->first; i < u->count; i++) {
        const struct unseen_write *item = u->items[i];
        uint64_t id = item->write.listing_id;
        if (id >= first && id <= last && last_of(u, id) == i) {
            each(ctx, &item->write, &item->live);
        }
    }
}
