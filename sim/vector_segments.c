#include "sim/vector_segments.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/array.h"
#include "sim/hnsw.h"
#include "sim/id_order.h"
#include "sim/vector_math.h"
#include "sim/vector_rows.h"

enum { PLACES_FIRST = 64, BATCH = 16 };

enum segment { NOWHERE, GROWING, SEALED };

struct segment_entry {
    uint64_t id;
    uint32_t place;  /* of the vector, unless nowhere */
    uint32_t at;     /* GROWING: index in growing */
    uint8_t segment; /* enum segment */
    bool ordered;    /* in the order of ids */
    bool masked;     /* the graph has a masked vector of it */
};

struct vector_segments {
    struct vector_segments_options options;
    struct segment_entry *entries; /* by row */
    size_t entry_count, entry_capacity;
    struct id_order order; /* every row that ever had a vector */

    struct vector_rows vectors; /* by place */
    uint32_t *free_places;      /* room for every place */
    size_t free_count, free_capacity;
    uint32_t places; /* given out so far, free ones included */

    uint32_t *growing; /* rows, in no order that matters */
    size_t growing_count, growing_capacity;
    uint64_t sealed;
    bool held; /* no compaction */
    bool due;  /* one that nobody asked for was held back */
    uint64_t held_back;
    bool sealing;             /* begun, and stopped where memory ran out */
    struct hnsw *graph;       /* by row; NULL until something is sealed */
    uint64_t graph_inserts;   /* ever */
    struct vector_hit *found; /* by the graph, in the search going on */
    size_t found_capacity;
};

/* ---- life ---- */

struct vector_segments *vector_segments_new(const struct vector_segments_options *options) {
    struct vector_segments *s = calloc(1, sizeof(*s));
    if (s == 0) {
        return 0;
    }
    s->options = *options;
    id_order_init(&s->order);
    vector_rows_init(&s->vectors, options->dimension);
    return s;
}

void vector_segments_free(struct vector_segments *s) {
    if (s == 0) {
        return;
    }
    id_order_release(&s->order);
    vector_rows_release(&s->vectors);
    free(s->entries);
    free(s->free_places);
    free(s->growing);
    free(s->found);
    hnsw_free(s->graph);
    free(s);
}

/* ---- entries and places ---- */

static struct segment_entry *entry_of(const struct vector_segments *s, uint32_t row) {
    return row < s->entry_count && s->entries[row].segment != NOWHERE ? &s->entries[row] : 0;
}

static const float *vector_at(const struct vector_segments *s, const struct segment_entry *entry) {
    return vector_rows_at(&s->vectors, entry->place);
}

const float *vector_segments_vector(const struct vector_segments *s, uint32_t row) {
    const struct segment_entry *entry = entry_of(s, row);
    return entry == 0 ? 0 : vector_at(s, entry);
}

/* Room for the entry of a row, for one more place, and for the row in growing and in the order. */
static int reserve(struct vector_segments *s, uint32_t row) {
    if (ARRAY_RESERVE(s->entries, s->entry_capacity, (size_t)row + 1) != 0 ||
        id_order_reserve(&s->order) != 0 ||
        ARRAY_RESERVE(s->growing, s->growing_capacity, s->growing_count + 1) != 0 ||
        ARRAY_RESERVE(s->free_places, s->free_capacity, (size_t)s->places + 1) != 0) {
        return -ENOMEM;
    }
    size_t capacity = s->vectors.capacity;
    if (s->free_count == 0 && s->places == capacity) {
        return vector_rows_reserve(&s->vectors, capacity == 0 ? PLACES_FIRST : 2 * capacity);
    }
    return 0;
}

static void append_growing(struct vector_segments *s, uint32_t row) {
    s->entries[row].segment = GROWING;
    s->entries[row].at = (uint32_t)s->growing_count;
    s->growing[s->growing_count++] = row;
}

static void leave_growing(struct vector_segments *s, uint32_t row) {
    uint32_t at = s->entries[row].at;
    uint32_t moved = s->growing[--s->growing_count];
    s->growing[at] = moved;
    s->entries[moved].at = at;
}

static void mask_nothing(struct vector_segments *s) {
    for (size_t row = 0; row < s->entry_count; row++) {
        s->entries[row].masked = false;
    }
}

static void leave_segment(struct vector_segments *s, uint32_t row) {
    if (s->entries[row].segment == GROWING) {
        leave_growing(s, row);
    } else {
        bool masked = hnsw_remove(s->graph, row);
        assert(masked);
        s->entries[row].masked = masked;
        s->sealed--;
        if (hnsw_dead_count(s->graph) == 0) {
            mask_nothing(s); /* with its last live row a graph drops the others */
        }
    }
}

/* The row is sealed and has this vector already. */
static bool sealed_with(const struct vector_segments *s, const struct segment_entry *entry,
                        const float *vector) {
    return entry->segment == SEALED &&
           memcmp(vector_at(s, entry), vector, s->options.dimension * sizeof(*vector)) == 0;
}

int vector_segments_put(struct vector_segments *s, uint32_t row, uint64_t id, const float *vector) {
    if (reserve(s, row) != 0) {
        return -ENOMEM;
    }
    while (s->entry_count <= row) {
        s->entries[s->entry_count++] = (struct segment_entry){.segment = NOWHERE};
    }
    struct segment_entry *entry = &s->entries[row];
    assert(!entry->ordered || entry->id == id);
    if (!entry->ordered) {
        entry->ordered = true;
        entry->id = id;
        id_order_add(&s->order, id, row);
    }
    if (entry->segment == NOWHERE) {
        entry->place = s->free_count > 0 ? s->free_places[--s->free_count] : s->places++;
        append_growing(s, row);
    } else if (sealed_with(s, entry, vector)) {
        return 0;
    } else if (entry->segment == SEALED) {
        leave_segment(s, row);
        append_growing(s, row);
    }
    memcpy(vector_rows_at(&s->vectors, entry->place), vector,
           s->options.dimension * sizeof(*vector));
    return 0;
}

void vector_segments_remove(struct vector_segments *s, uint32_t row) {
    struct segment_entry *entry = entry_of(s, row);
    if (entry != 0) {
        leave_segment(s, row);
        entry->segment = NOWHERE;
        s->free_places[s->free_count++] = entry->place;
    }
}

/* ---- the best k ---- */

/* True when a is the better hit. */
static bool better(const struct segment_hit *a, const struct segment_hit *b) {
    if (a->score > b->score || a->score < b->score) {
        return a->score > b->score;
    }
    return a->id != b->id ? a->id < b->id : a->row < b->row;
}

/* A heap with the worst on top. */
struct best {
    struct segment_hit *hits;
    size_t count, room;
};

static void sift_down(struct segment_hit *hits, size_t count, size_t at) {
    struct segment_hit moved = hits[at];
    for (size_t child = 2 * at + 1; child < count; child = 2 * at + 1) {
        if (child + 1 < count && better(&hits[child], &hits[child + 1])) {
            child++;
        }
        if (!better(&moved, &hits[child])) {
            break;
        }
        hits[at] = hits[child];
        at = child;
    }
    hits[at] = moved;
}

static void best_offer(struct best *best, struct segment_hit hit) {
    if (best->count == best->room) {
        if (better(&hit, &best->hits[0])) {
            best->hits[0] = hit;
            sift_down(best->hits, best->count, 0);
        }
        return;
    }
    size_t at = best->count++;
    while (at > 0 && better(&best->hits[(at - 1) / 2], &hit)) {
        best->hits[at] = best->hits[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    best->hits[at] = hit;
}

/* Best first. */
static void best_sort(struct best *best) {
    for (size_t left = best->count; left > 1; left--) {
        struct segment_hit worst = best->hits[0];
        best->hits[0] = best->hits[left - 1];
        best->hits[left - 1] = worst;
        sift_down(best->hits, left - 1, 0);
    }
}

/* ---- search ---- */

/* Rows whose scores are computed together. */
struct batch {
    const float *vectors[BATCH];
    uint32_t rows[BATCH];
    size_t count;
};

struct search {
    const struct vector_segments *s;
    const float *query;
    struct segment_filter filter;
    struct batch batch;
    struct best best;
};

/* 1 - distance loses nothing, so exact search and graph agree on scores and on their order. */
static void offer_distance(struct search *search, uint32_t row, float distance) {
    best_offer(&search->best, (struct segment_hit){search->s->entries[row].id, row, 1 - distance});
}

static void flush_batch(struct search *search) {
    float distances[BATCH];
    struct batch *batch = &search->batch;
    vector_distances(vector_math_kernels(), VECTOR_COSINE, search->query, batch->vectors,
                     batch->count, search->s->options.dimension, distances);
    for (size_t i = 0; i < batch->count; i++) {
        offer_distance(search, batch->rows[i], distances[i]);
    }
    batch->count = 0;
}

static bool accepted(const struct segment_filter *filter, uint32_t row) {
    return filter->accept == 0 || filter->accept(filter->ctx, row);
}

static void consider(struct search *search, uint32_t row) {
    if (!accepted(&search->filter, row)) {
        return;
    }
    struct batch *batch = &search->batch;
    batch->vectors[batch->count] = vector_at(search->s, &search->s->entries[row]);
    batch->rows[batch->count++] = row;
    if (batch->count == BATCH) {
        flush_batch(search);
    }
}

static void search_all(struct search *search) {
    const struct vector_segments *s = search->s;
    for (uint32_t row = 0; row < s->entry_count; row++) {
        if (s->entries[row].segment != NOWHERE) {
            consider(search, row);
        }
    }
    flush_batch(search);
}

static void search_growing(struct search *search) {
    for (size_t i = 0; i < search->s->growing_count; i++) {
        consider(search, search->s->growing[i]);
    }
    flush_batch(search);
}

/* ---- the graph ---- */

static int make_graph(struct vector_segments *s) {
    const struct hnsw_options options = {
        .metric = VECTOR_COSINE,
        .dim = (uint32_t)s->options.dimension,
        .m = s->options.m,
        .ef_construction = s->options.ef_construction,
        .dead_percent_max = 100, /* compacted here, and by searches only */
        .seed = s->options.seed,
        .rows_expected = s->growing_count,
    };
    int rc = hnsw_new(&options, &s->graph);
    assert(rc == 0 || rc == -ENOMEM);
    return rc;
}

static int seal(struct vector_segments *s) {
    s->sealing = true;
    if (s->graph == 0 && make_graph(s) != 0) {
        return -ENOMEM;
    }
    while (s->growing_count > 0) {
        uint32_t row = s->growing[s->growing_count - 1];
        int rc = hnsw_put(s->graph, row, vector_at(s, &s->entries[row]));
        assert(rc == 0 || rc == -ENOMEM);
        if (rc != 0) {
            return rc;
        }
        s->growing_count--;
        s->entries[row].segment = SEALED;
        s->sealed++;
        s->graph_inserts++;
    }
    s->sealing = false;
    return 0;
}

static void compact_graph(struct vector_segments *s) {
    hnsw_compact(s->graph);
    s->due = false;
    mask_nothing(s);
}

bool vector_segments_masks(const struct vector_segments *s, uint32_t row) {
    return row < s->entry_count && s->entries[row].masked;
}

void vector_segments_hold(struct vector_segments *s, bool held) {
    s->held = held;
}

void vector_segments_compact(struct vector_segments *s) {
    bool masked = s->graph != 0 && hnsw_dead_count(s->graph) > 0;
    if (s->held) {
        s->held_back += masked;
        return;
    }
    if (masked) {
        compact_graph(s);
    }
    for (size_t i = 0; i < s->free_count; i++) {
        memset(vector_rows_at(&s->vectors, s->free_places[i]), 0,
               s->options.dimension * sizeof(float));
    }
}

/* Seals the growing segment when it is large, and compacts the graph when much of it is masked. */
static int tend_graph(struct vector_segments *s) {
    size_t growing_max = s->sealed / 4;
    if (growing_max < s->options.seal_rows_min) {
        growing_max = s->options.seal_rows_min;
    }
    if ((s->sealing || s->growing_count > growing_max) && seal(s) != 0) {
        return -ENOMEM;
    }
    bool due = s->graph != 0 && !s->options.manual &&
               hnsw_dead_count(s->graph) > hnsw_live_count(s->graph);
    if (due && !s->held) {
        compact_graph(s);
    } else if (due && !s->due) {
        s->due = true;
        s->held_back++;
    }
    return 0;
}

static bool graph_accept(void *ctx, uint32_t row) {
    return accepted(ctx, row);
}

static int search_graph(struct vector_segments *s, struct search *search, size_t k, uint32_t ef) {
    if (s->sealed == 0) {
        return 0;
    }
    if (ARRAY_RESERVE(s->found, s->found_capacity, k) != 0) {
        return -ENOMEM;
    }
    vector_accept *accept = search->filter.accept == 0 ? 0 : graph_accept;
    ef = ef < HNSW_EF_MAX ? ef : HNSW_EF_MAX;
    int64_t found =
        s->options.blind
            ? hnsw_search_blind(s->graph, search->query, k, ef, accept, &search->filter, s->found)
            : hnsw_search(s->graph, search->query, k, ef, accept, &search->filter, s->found);
    if (found < 0) {
        assert(found == -ENOMEM);
        return -ENOMEM;
    }
    /* The graph keeps vectors normalised once more: scores are those of the vectors as written. */
    search->filter.accept = 0;
    for (int64_t i = 0; i < found; i++) {
        consider(search, s->found[i].id);
    }
    flush_batch(search);
    return 0;
}

/* The filter accepts fewer than one row in a hundred. */
static bool filter_is_sparse(const struct vector_segments *s, const struct segment_filter *filter) {
    uint64_t rows = s->growing_count + s->sealed;
    uint64_t accepts = 0;
    for (uint32_t row = 0; row < s->entry_count && accepts * 100 < rows; row++) {
        accepts += s->entries[row].segment != NOWHERE && accepted(filter, row);
    }
    return accepts * 100 < rows;
}

int vector_segments_search(struct vector_segments *s, const float *query, size_t k, uint32_t ef,
                           bool exact, struct segment_filter filter, struct segment_hit *hits,
                           size_t *count) {
    struct search search = {.s = s, .query = query, .filter = filter, .best = {hits, 0, k}};
    if (exact || !s->options.index_on || k > HNSW_EF_MAX) {
        search_all(&search);
    } else if (!s->options.blind && filter.accept != 0 && filter_is_sparse(s, &filter)) {
        search_all(&search);
    } else {
        if (tend_graph(s) != 0) {
            return -ENOMEM;
        }
        search_growing(&search);
        if (search_graph(s, &search, k, ef) != 0) {
            return -ENOMEM;
        }
    }
    best_sort(&search.best);
    *count = search.best.count;
    return 0;
}

/* ---- walks ---- */

int vector_segments_walk(struct vector_segments *s, uint64_t first, size_t *cursor) {
    if (id_order_sort(&s->order) != 0) {
        return -ENOMEM;
    }
    *cursor = id_order_seek(&s->order, first);
    return 0;
}

uint32_t vector_segments_next(const struct vector_segments *s, size_t *cursor, uint64_t last) {
    while (*cursor < s->order.count && s->order.items[*cursor].id <= last) {
        uint32_t row = s->order.items[(*cursor)++].row;
        if (entry_of(s, row) != 0) {
            return row;
        }
    }
    return SEGMENT_ROW_NONE;
}

struct vector_segments_counts vector_segments_counts(const struct vector_segments *s) {
    struct vector_segments_counts counts = {
        .growing = s->growing_count,
        .sealed = s->sealed,
        .graph_inserts = s->graph_inserts,
        .held_back = s->held_back,
    };
    if (s->graph != 0) {
        counts.masked = hnsw_dead_count(s->graph);
        counts.graph_compactions = hnsw_compactions(s->graph);
    }
    return counts;
}

static void check_place(const struct vector_segments *s, bool *taken, uint32_t place) {
    assert(place < s->places && !taken[place]);
    taken[place] = true;
    (void)s;
}

void vector_segments_check(const struct vector_segments *s) {
    uint64_t growing = 0;
    uint64_t sealed = 0;
    bool *taken = calloc((size_t)s->places + 1, sizeof(*taken));
    assert(taken != 0);
    for (uint32_t row = 0; row < s->entry_count; row++) {
        const struct segment_entry *entry = &s->entries[row];
        bool in_graph = s->graph != 0 && hnsw_contains(s->graph, row);
        assert(in_graph == (entry->segment == SEALED));
        (void)in_graph;
        growing += entry->segment == GROWING;
        sealed += entry->segment == SEALED;
        assert(entry->segment != GROWING || s->growing[entry->at] == row);
        if (entry->segment != NOWHERE) {
            assert(entry->ordered);
            check_place(s, taken, entry->place);
        }
    }
    for (size_t i = 0; i < s->free_count; i++) {
        check_place(s, taken, s->free_places[i]);
    }
    assert(growing == s->growing_count && sealed == s->sealed);
    assert(growing + sealed + s->free_count == s->places);
    assert(s->graph == 0 || hnsw_live_count(s->graph) == s->sealed);
    free(taken);
}
