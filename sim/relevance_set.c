#include "sim/relevance_set.h"

#include <errno.h>
#include <stdlib.h>

#include "pipeline/array.h"

void relevance_set_init(struct relevance_set *set) {
    *set = (struct relevance_set){0};
    arena_init(&set->arena);
}

void relevance_set_release(struct relevance_set *set) {
    arena_release(&set->arena);
    free(set->products);
    free(set->queries);
    free(set->judgments);
    relevance_set_init(set);
}

int relevance_set_product(struct relevance_set *set, const struct relevance_product *product) {
    struct relevance_product copy = *product;
    if (ARRAY_RESERVE(set->products, set->product_capacity, set->product_count + 1) != 0 ||
        arena_copy(&set->arena, product->title, &copy.title) != 0 ||
        arena_copy(&set->arena, product->description, &copy.description) != 0 ||
        arena_copy(&set->arena, product->attributes, &copy.attributes) != 0 ||
        arena_copy(&set->arena, product->locale, &copy.locale) != 0) {
        return -ENOMEM;
    }
    set->products[set->product_count++] = copy;
    return 0;
}

int relevance_set_query(struct relevance_set *set, struct bytes text, struct bytes locale) {
    struct relevance_query query = {.useful = false};
    if (ARRAY_RESERVE(set->queries, set->query_capacity, set->query_count + 1) != 0 ||
        arena_copy(&set->arena, text, &query.text) != 0 ||
        arena_copy(&set->arena, locale, &query.locale) != 0) {
        return -ENOMEM;
    }
    set->queries[set->query_count++] = query;
    return 0;
}

int relevance_set_judge(struct relevance_set *set, struct relevance_judgment judgment) {
    if (ARRAY_RESERVE(set->judgments, set->judgment_capacity, set->judgment_count + 1) != 0) {
        return -ENOMEM;
    }
    set->judgments[set->judgment_count++] = judgment;
    set->strangers += judgment.product == RELEVANCE_STRANGER;
    if (judgment.rating > 0) {
        set->queries[judgment.query].useful = true;
    }
    return 0;
}

static int in_order(const void *left, const void *right) {
    const struct relevance_judgment *a = left;
    const struct relevance_judgment *b = right;
    if (a->query != b->query) {
        return a->query < b->query ? -1 : 1;
    }
    if (a->product != b->product) {
        return a->product < b->product ? -1 : 1;
    }
    return (int)a->rating - (int)b->rating; /* strangers */
}

void relevance_set_settle(struct relevance_set *set) {
    if (set->judgment_count > 0) {
        qsort(set->judgments, set->judgment_count, sizeof *set->judgments, in_order);
    }
}
