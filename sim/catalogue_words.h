/*
 * The words that the generated marketplace is made of, in seven languages: what is sold, what it is
 * made of, what it is for, and the sentences that sellers write about it. Private to the catalogue.
 *
 * A list of words is one string with '|' between its items. Templates hold slots: $n noun, $b
 * brand, $x model, $a adjective, $c colour, $m material, $u use, $f feature, $g another feature.
 * Nouns belong to a category; materials, uses and features to its department: so texts of one
 * category resemble each other most, those of one department less, and all others hardly.
 */
#ifndef MURPHY_SIM_CATALOGUE_WORDS_H
#define MURPHY_SIM_CATALOGUE_WORDS_H

#include <stdint.h>

enum language { ENGLISH, GERMAN, FRENCH, SPANISH, ITALIAN, PORTUGUESE, JAPANESE, LANGUAGE_COUNT };

#define DEPARTMENT_COUNT 10
#define CATEGORY_COUNT 40 /* four of each department, in its order */
#define LOCALE_COUNT 10

struct locale_words {
    const char *name; /* BCP 47 */
    enum language language;
    uint32_t weight; /* share among sellers */
};
extern const struct locale_words locale_words[LOCALE_COUNT];

struct language_words {
    const char *titles;     /* templates */
    const char *sentences;  /* templates */
    const char *space;      /* between two sentences, and between two words of a search */
    const char *adjectives; /* eight */
    const char *colours;    /* ten */
    const char *conditions; /* four */
    const char *views;      /* eight: from where a picture was taken */
};
extern const struct language_words language_words[LANGUAGE_COUNT];

struct department_words {
    const char *name;
    const char *brands; /* six */
    const char *sizes;
    uint16_t attributes; /* bit of each attribute that its sellers fill in */
    const char *materials[LANGUAGE_COUNT];
    const char *uses[LANGUAGE_COUNT];
    const char *features[LANGUAGE_COUNT];
};
extern const struct department_words department_words[DEPARTMENT_COUNT];

struct category_words {
    const char *name;
    int32_t price_low, price_high; /* in currency units */
    const char *nouns[LANGUAGE_COUNT];
};
extern const struct category_words category_words[CATEGORY_COUNT];

/* Attributes by name, in the order of their names. */
enum attribute_key {
    KEY_BRAND,
    KEY_COLOUR,
    KEY_CONDITION,
    KEY_COUNTRY,
    KEY_EAN,
    KEY_ENERGY,
    KEY_HEIGHT,
    KEY_STOCK,
    KEY_MATERIAL,
    KEY_MODEL,
    KEY_USE,
    KEY_YEAR,
    KEY_SIZE,
    KEY_STYLE,
    KEY_WARRANTY,
    KEY_WEIGHT,
    ATTRIBUTE_KEY_COUNT
};
extern const char *const attribute_names[ATTRIBUTE_KEY_COUNT];

#endif
