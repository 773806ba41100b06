#include "sim/relevance_set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/record.h"
#include "sim/catalogue.h"
#include "sim/prng.h"

#define DESCRIPTION_WORDS 40

/* What is being made, and room for a text. */
struct making {
    struct relevance_set *set;
    struct catalogue *catalogue;
    struct product *products;
    char *title, *description, *attributes;
    size_t attributes_length;
};

static void put(struct making *m, struct bytes text) {
    memcpy(m->attributes + m->attributes_length, text.data, text.len);
    m->attributes_length += text.len;
    m->attributes[m->attributes_length++] = ' ';
}

/* Values as a search document holds them, and the category where the seller wrote it down. */
static struct bytes attributes_of(struct making *m, const struct product *product) {
    char room[CATALOGUE_ATTRIBUTE_MAX];
    m->attributes_length = 0;
    for (size_t key = 0; key < CATALOGUE_ATTRIBUTES; key++) {
        if (product->attributes[key] >= ATTRIBUTE_FIRST_CHOICE) {
            struct field f = catalogue_attribute(m->catalogue, product, key, room);
            if (f.type == VALUE_TEXT) {
                put(m, f.text);
            }
        }
    }
    if (product->title % 3 != 0) {
        put(m, catalogue_category_name(m->catalogue, product->category));
    }
    return (struct bytes){m->attributes, m->attributes_length};
}

static int make_product(struct making *m, struct prng *p, struct product *product) {
    const struct catalogue *c = m->catalogue;
    catalogue_draw_product(c, p, catalogue_draw_locale(c, p), product);
    size_t described =
        product->description == 0 ? 0 : catalogue_description(c, product, m->description);
    struct relevance_product made = {
        .title = {m->title, catalogue_title(c, product, m->title)},
        .description = {m->description, described},
        .attributes = attributes_of(m, product),
        .locale = catalogue_locale(c, product),
        .unspaced = catalogue_locale_unspaced(c, product->locale),
    };
    return relevance_set_product(m->set, &made);
}

/* Traits that a query asks for beside the kind of thing, as bits. */
static bool has_all(const struct catalogue *c, const struct product *product,
                    const struct product *wanted, unsigned traits) {
    for (int trait = 0; trait < CATALOGUE_TRAITS; trait++) {
        if ((traits >> trait & 1) != 0 &&
            !bytes_equal(catalogue_trait(c, product, (enum catalogue_trait)trait),
                         catalogue_trait(c, wanted, (enum catalogue_trait)trait))) {
            return false;
        }
    }
    return true;
}

static uint8_t rate(const struct catalogue *c, const struct product *product,
                    const struct product *wanted, unsigned traits) {
    if (product->locale != wanted->locale || product->category != wanted->category) {
        return 0;
    }
    if (!has_all(c, product, wanted, 1u << TRAIT_NOUN)) {
        return 1;
    }
    return has_all(c, product, wanted, traits) ? 3 : 2;
}

static struct bytes query_text(struct making *m, const struct product *wanted, unsigned traits) {
    m->attributes_length = 0;
    for (int trait = 0; trait < CATALOGUE_TRAITS; trait++) {
        if ((traits >> trait & 1) != 0) {
            put(m, catalogue_trait(m->catalogue, wanted, (enum catalogue_trait)trait));
        }
    }
    return (struct bytes){m->attributes, m->attributes_length - 1};
}

/* A thing that is there is asked for, by some of what it is. */
static int make_query(struct making *m, struct prng *p) {
    static const unsigned asked[] = {
        0,
        1u << TRAIT_COLOUR,
        1u << TRAIT_BRAND,
        1u << TRAIT_MATERIAL,
        1u << TRAIT_COLOUR | 1u << TRAIT_MATERIAL,
        1u << TRAIT_BRAND | 1u << TRAIT_COLOUR,
    };
    const struct product *wanted = &m->products[prng_below(p, RELEVANCE_PRODUCTS)];
    unsigned traits = asked[prng_below(p, sizeof asked / sizeof asked[0])] | 1u << TRAIT_NOUN;
    uint32_t query = (uint32_t)m->set->query_count;
    if (relevance_set_query(m->set, query_text(m, wanted, traits),
                            catalogue_locale(m->catalogue, wanted)) != 0) {
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < RELEVANCE_PRODUCTS; i++) {
        uint8_t rating = rate(m->catalogue, &m->products[i], wanted, traits);
        if (rating > 0 &&
            relevance_set_judge(m->set, (struct relevance_judgment){query, i, rating}) != 0) {
            return -ENOMEM;
        }
    }
    return 0;
}

static int make_all(struct making *m, uint64_t seed) {
    struct prng p;
    prng_init(&p, seed, "relevance-products");
    for (size_t i = 0; i < RELEVANCE_PRODUCTS; i++) {
        if (make_product(m, &p, &m->products[i]) != 0) {
            return -ENOMEM;
        }
    }
    prng_init(&p, seed, "relevance-queries");
    for (size_t i = 0; i < RELEVANCE_QUERIES; i++) {
        if (make_query(m, &p) != 0) {
            return -ENOMEM;
        }
    }
    relevance_set_settle(m->set);
    return 0;
}

int relevance_set_generate(struct relevance_set *set, uint64_t seed) {
    struct making m = {
        .set = set,
        .catalogue = catalogue_new(DESCRIPTION_WORDS),
        .products = malloc(RELEVANCE_PRODUCTS * sizeof *m.products),
        .title = malloc(CATALOGUE_TITLE_MAX),
        .description = malloc(RECORD_TEXT_MAX),
        .attributes = malloc((CATALOGUE_ATTRIBUTES + 1) * (CATALOGUE_ATTRIBUTE_MAX + 1) +
                             CATALOGUE_TITLE_MAX),
    };
    bool room = m.catalogue != NULL && m.products != NULL && m.title != NULL &&
                m.description != NULL && m.attributes != NULL;
    int rc = room ? make_all(&m, seed) : -ENOMEM;
    catalogue_free(m.catalogue);
    free(m.products);
    free(m.title);
    free(m.description);
    free(m.attributes);
    return rc;
}
