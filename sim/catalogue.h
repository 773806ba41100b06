/*
 * The generated marketplace's things and their words: what a listing offers is a handful of small
 * numbers, and its texts are made from them whenever somebody wants to read them (A1).
 *
 * 40 categories in 10 departments, 10 locales in 7 languages. A product's identity (category,
 * locale, noun, brand, model, colour, material) stays for as long as its listing exists; title and
 * description are wordings of it, each chosen by a number of its own, so that a seller can rewrite
 * one and leave the other. The same numbers give the same text, on every machine.
 */
#ifndef MURPHY_SIM_CATALOGUE_H
#define MURPHY_SIM_CATALOGUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/bytes.h"
#include "pipeline/record.h"
#include "sim/prng.h"

#define CATALOGUE_ATTRIBUTES 16
#define CATALOGUE_ATTRIBUTES_SET_MAX 10 /* that a listing holds at a time */
/* Longest texts that are made, in bytes. */
#define CATALOGUE_TITLE_MAX 512
#define CATALOGUE_ATTRIBUTE_MAX 128
#define CATALOGUE_DESCRIPTOR_MAX 512
#define CATALOGUE_DESCRIPTION_WORDS_MAX 3000 /* mean that can be asked for */

/* Value of an attribute: one of these, or a choice among the values that it can take. */
#define ATTRIBUTE_ABSENT 0
#define ATTRIBUTE_NULL 1
#define ATTRIBUTE_FIRST_CHOICE 2

struct product {
    uint64_t identity;
    uint32_t title;       /* wording */
    uint32_t description; /* wording; 0: there is none */
    uint8_t category;
    uint8_t locale;
    uint8_t attributes[CATALOGUE_ATTRIBUTES];
};

struct catalogue;

/* NULL when there is no memory. description_words: mean length of a description; 0: none. */
struct catalogue *catalogue_new(uint32_t description_words);
void catalogue_free(struct catalogue *c);

/* A locale as sellers are spread over them. */
uint8_t catalogue_draw_locale(const struct catalogue *c, struct prng *p);
/* Something to sell from that locale. */
void catalogue_draw_product(const struct catalogue *c, struct prng *p, uint8_t locale,
                            struct product *out);
/* Another wording; never the one before, never 0. */
uint32_t catalogue_draw_wording(struct prng *p, uint32_t before);
/* An attribute that this product's sellers fill in, and a value for it. */
size_t catalogue_draw_attribute(const struct catalogue *c, struct prng *p,
                                const struct product *product);
uint8_t catalogue_draw_value(struct prng *p);
/* Attributes that hold a value. */
size_t catalogue_attributes_set(const struct product *product);
/* What such a thing costs, in 1/10,000 of the currency unit; ends in .00, .49, .95 or .99. */
int64_t catalogue_draw_price(const struct catalogue *c, struct prng *p,
                             const struct product *product);

/* Static text. */
struct bytes catalogue_locale(const struct catalogue *c, const struct product *product);
struct bytes catalogue_category(const struct catalogue *c, const struct product *product);

/* The words of reference tables (A4). A category as sellers name it is the last part of its path.
 */
#define CATALOGUE_CATEGORIES 40
#define CATALOGUE_LOCALES 10
#define CATALOGUE_DEPARTMENTS 10
struct bytes catalogue_category_path(const struct catalogue *c, size_t category);
struct bytes catalogue_category_name(const struct catalogue *c, size_t category);
struct bytes catalogue_department(const struct catalogue *c, size_t department);
struct bytes catalogue_locale_tag(const struct catalogue *c, size_t locale);
/* Texts of the locale have no spaces between their words. */
bool catalogue_locale_unspaced(const struct catalogue *c, size_t locale);

/* Each writes a text and returns its length; `out` must hold the text's maximum. */
size_t catalogue_title(const struct catalogue *c, const struct product *product, char *out);
/* At most RECORD_TEXT_MAX bytes; the product must have a description. */
size_t catalogue_description(const struct catalogue *c, const struct product *product, char *out);
/* What is to see in picture `image` of the product. */
size_t catalogue_descriptor(const struct catalogue *c, const struct product *product,
                            uint64_t image, char *out);
/* What a buyer who looks for this product might type; draws from p. Fits CATALOGUE_TITLE_MAX. */
size_t catalogue_search(const struct catalogue *c, const struct product *product, struct prng *p,
                        char *out);
/* What a product is, whatever its texts say of it; in the words of its locale. Static text. */
enum catalogue_trait { TRAIT_COLOUR, TRAIT_BRAND, TRAIT_NOUN, TRAIT_MATERIAL, CATALOGUE_TRAITS };
struct bytes catalogue_trait(const struct catalogue *c, const struct product *product,
                             enum catalogue_trait trait);
/*
 * The field of attribute `key` (not ABSENT); its text, of at most CATALOGUE_ATTRIBUTE_MAX bytes, is
 * static or written to out.
 */
struct field catalogue_attribute(const struct catalogue *c, const struct product *product,
                                 size_t key, char *out);

#endif
