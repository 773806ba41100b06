/*
 * A labelled set: products, queries, and how well which product answers which query (B7). It comes
 * from the generator or from files.
 *
 * The generated set. Products are drawn from the catalogue's generator in all of its locales. A
 * query names a kind of thing and up to two of brand, colour and material, in the words of its
 * locale, and looks among the listings of that locale alone. Judged is what the things are, by the
 * numbers that they were made from, and not what their texts say:
 *
 *   3  this very thing, with everything that was asked for
 *   2  this very thing, but not all that was asked for
 *   1  another thing of the same category: for other headphones, earbuds
 *
 * Texts tell less than that: a title holds three or four of the facts, many products have few
 * attributes or no description, and no query holds the name of a category, which two sellers of
 * three write down. So word overlap misses what a judge knows, and how things of one category
 * belong together must be learned from the products.
 */
#ifndef MURPHY_SIM_RELEVANCE_SET_H
#define MURPHY_SIM_RELEVANCE_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/bytes.h"
#include "sim/arena.h"
#include "sim/label_set.h"

struct relevance_product {
    struct bytes title, description, attributes, locale;
    bool unspaced; /* texts of a language without spaces between words */
};

struct relevance_query {
    struct bytes text;
    struct bytes locale; /* only its listings are looked at; empty: all are */
    bool useful;         /* has a rating above 0 */
};

#define RELEVANCE_STRANGER UINT32_MAX

struct relevance_judgment {
    uint32_t query;
    uint32_t product; /* or RELEVANCE_STRANGER: none that is there */
    uint8_t rating;
};

struct relevance_set {
    struct arena arena;
    struct relevance_product *products;
    size_t product_count, product_capacity;
    struct relevance_query *queries;
    size_t query_count, query_capacity;
    struct relevance_judgment *judgments; /* those of a query together, queries in order */
    size_t judgment_count, judgment_capacity;
    size_t strangers; /* judgments of products that are not there */
};

void relevance_set_init(struct relevance_set *set);
void relevance_set_release(struct relevance_set *set);

/* Each takes copies of texts. 0 or -ENOMEM. */
int relevance_set_product(struct relevance_set *set, const struct relevance_product *product);
int relevance_set_query(struct relevance_set *set, struct bytes text, struct bytes locale);
int relevance_set_judge(struct relevance_set *set, struct relevance_judgment judgment);
/* Brings judgments into order; call it when all are there. */
void relevance_set_settle(struct relevance_set *set);

/* ---- the generated set ---- */

#define RELEVANCE_PRODUCTS 4000
#define RELEVANCE_QUERIES 600
/* 0 or -ENOMEM. */
int relevance_set_generate(struct relevance_set *set, uint64_t seed);

/* ---- files ---- */

/* What is wrong, with file, line and column. */
struct relevance_error {
    char text[512];
};

/*
 * Both files may be gzip. Products: a JSON object a line with `id` (text or whole number) and
 * `title` or `name`; `description` and `short_description` are the description; every other text,
 * but addresses of the web, is an attribute. `locale`, a text, is kept as such.
 *
 * Judgments: CSV with a line of names among which are query, docid and rating; a rating is a whole
 * number from 0 to 9; no pair of query and product is rated twice.
 *
 * 0, or -1 with error filled.
 */
int relevance_set_read(struct relevance_set *set, const char *products, const char *judgments,
                       struct relevance_error *error);

#endif
