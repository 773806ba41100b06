#include "sim/catalogue.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sim/catalogue_words.h"

static_assert(ATTRIBUTE_KEY_COUNT == CATALOGUE_ATTRIBUTES, "one value for each attribute");
static_assert(CATEGORY_COUNT == CATALOGUE_CATEGORIES && LOCALE_COUNT == CATALOGUE_LOCALES &&
                  DEPARTMENT_COUNT == CATALOGUE_DEPARTMENTS,
              "as many as the header says");

#define LIST_MAX 12
#define PIECES_MAX 12

struct list {
    struct bytes items[LIST_MAX];
    size_t count;
};

/* A template cut at its slots: each piece is text followed by a slot (0 at the end). */
struct template {
    struct bytes text[PIECES_MAX];
    char slot[PIECES_MAX];
    size_t count;
    uint32_t words; /* about so many when filled */
};

struct template_list {
    struct template items[LIST_MAX];
    size_t count;
};

struct language_lists {
    struct template_list titles, sentences;
    struct bytes space;
    struct list adjectives, colours, conditions, views;
};

struct department_lists {
    struct bytes name;
    struct list brands, sizes;
    struct list materials[LANGUAGE_COUNT], uses[LANGUAGE_COUNT], features[LANGUAGE_COUNT];
    uint8_t keys[ATTRIBUTE_KEY_COUNT];
    size_t key_count;
};

struct category_lists {
    struct bytes name;
    struct list nouns[LANGUAGE_COUNT];
};

struct catalogue {
    uint32_t description_words;
    struct language_lists languages[LANGUAGE_COUNT];
    struct department_lists departments[DEPARTMENT_COUNT];
    struct category_lists categories[CATEGORY_COUNT];
    struct bytes locales[LOCALE_COUNT];
    uint64_t locale_weights[LOCALE_COUNT];
};

/* ---- reading the word tables ---- */

static struct list list_of(const char *text) {
    struct list list = {.count = 0};
    while (true) {
        size_t len = strcspn(text, "|");
        assert(list.count < LIST_MAX && len > 0);
        list.items[list.count++] = (struct bytes){text, len};
        if (text[len] == 0) {
            return list;
        }
        text += len + 1;
    }
}

/* Words of a text; a language without spaces has one for every two characters or so. */
static uint32_t count_words(struct bytes text, enum language language) {
    if (language == JAPANESE) {
        return (uint32_t)(text.len / 6);
    }
    uint32_t words = 0;
    for (size_t i = 0; i < text.len; i++) {
        words += text.data[i] == ' ';
    }
    return words;
}

static struct template template_of(struct bytes text, enum language language) {
    struct template t = {.count = 0, .words = language != JAPANESE};
    while (text.len > 0) {
        const char *slot = memchr(text.data, '$', text.len);
        size_t len = slot == NULL ? text.len : (size_t)(slot - text.data);
        assert(t.count < PIECES_MAX);
        t.text[t.count] = (struct bytes){text.data, len};
        t.slot[t.count] = slot == NULL ? 0 : slot[1];
        t.words += count_words(t.text[t.count], language);
        t.words += slot != NULL && strchr("ngfmu", slot[1]) != NULL; /* mostly of two words */
        t.count++;
        size_t taken = slot == NULL ? len : len + 2;
        text = (struct bytes){text.data + taken, text.len - taken};
    }
    return t;
}

static void templates_of(const char *text, enum language language, struct template_list *out) {
    struct list texts = list_of(text);
    out->count = texts.count;
    for (size_t i = 0; i < texts.count; i++) {
        out->items[i] = template_of(texts.items[i], language);
    }
}

static void read_language(enum language language, struct language_lists *out) {
    const struct language_words *words = &language_words[language];
    templates_of(words->titles, language, &out->titles);
    templates_of(words->sentences, language, &out->sentences);
    out->space = bytes_of(words->space);
    out->adjectives = list_of(words->adjectives);
    out->colours = list_of(words->colours);
    out->conditions = list_of(words->conditions);
    out->views = list_of(words->views);
}

static void read_department(const struct department_words *words, struct department_lists *out) {
    out->name = bytes_of(words->name);
    out->brands = list_of(words->brands);
    out->sizes = list_of(words->sizes);
    for (size_t i = 0; i < LANGUAGE_COUNT; i++) {
        out->materials[i] = list_of(words->materials[i]);
        out->uses[i] = list_of(words->uses[i]);
        out->features[i] = list_of(words->features[i]);
    }
    for (uint8_t key = 0; key < ATTRIBUTE_KEY_COUNT; key++) {
        if (words->attributes & 1u << key) {
            out->keys[out->key_count++] = key;
        }
    }
}

struct catalogue *catalogue_new(uint32_t description_words) {
    assert(description_words <= CATALOGUE_DESCRIPTION_WORDS_MAX);
    struct catalogue *c = calloc(1, sizeof *c);
    if (c == NULL) {
        return NULL;
    }
    c->description_words = description_words;
    for (size_t i = 0; i < LANGUAGE_COUNT; i++) {
        read_language((enum language)i, &c->languages[i]);
    }
    for (size_t i = 0; i < DEPARTMENT_COUNT; i++) {
        read_department(&department_words[i], &c->departments[i]);
    }
    for (size_t i = 0; i < CATEGORY_COUNT; i++) {
        c->categories[i].name = bytes_of(category_words[i].name);
        for (size_t j = 0; j < LANGUAGE_COUNT; j++) {
            c->categories[i].nouns[j] = list_of(category_words[i].nouns[j]);
        }
    }
    for (size_t i = 0; i < LOCALE_COUNT; i++) {
        c->locales[i] = bytes_of(locale_words[i].name);
        c->locale_weights[i] = locale_words[i].weight;
    }
    return c;
}

void catalogue_free(struct catalogue *c) {
    free(c);
}

/* ---- choices ---- */

/* Choices that a wording makes: SplitMix64 (S. Vigna), cheap to start at any number. */
struct choices {
    uint64_t state;
};

static inline uint64_t choices_next(struct choices *c) {
    uint64_t z = c->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static inline size_t choices_below(struct choices *c, size_t n) {
    return (size_t)(((choices_next(c) >> 32) * n) >> 32);
}

static const struct department_lists *department_of(const struct catalogue *c,
                                                    const struct product *product) {
    return &c->departments[product->category / (CATEGORY_COUNT / DEPARTMENT_COUNT)];
}

static enum language language_of(const struct product *product) {
    return locale_words[product->locale].language;
}

/* Bits of the identity that each of its parts is taken from. */
enum identity_part { OF_NOUN = 0, OF_BRAND = 8, OF_COLOUR = 16, OF_MATERIAL = 24, OF_MODEL = 32 };

static size_t identity_index(const struct product *product, enum identity_part part, size_t n) {
    return (size_t)(((product->identity >> part & 0xff) * n) >> 8);
}

static struct bytes identity_item(const struct product *product, enum identity_part part,
                                  const struct list *list) {
    return list->items[identity_index(product, part, list->count)];
}

uint8_t catalogue_draw_locale(const struct catalogue *c, struct prng *p) {
    return (uint8_t)prng_weighted(p, c->locale_weights, LOCALE_COUNT);
}

uint32_t catalogue_draw_wording(struct prng *p, uint32_t before) {
    uint32_t drawn = 1 + (uint32_t)prng_below(p, UINT32_MAX - 1);
    return drawn == before ? drawn % UINT32_MAX + 1 : drawn;
}

uint8_t catalogue_draw_value(struct prng *p) {
    return (uint8_t)(ATTRIBUTE_FIRST_CHOICE + prng_below(p, 256 - ATTRIBUTE_FIRST_CHOICE));
}

size_t catalogue_draw_attribute(const struct catalogue *c, struct prng *p,
                                const struct product *product) {
    const struct department_lists *department = department_of(c, product);
    return department->keys[prng_below(p, department->key_count)];
}

/* Text choices say what the texts say; the choice that gives item i of n items. */
static uint8_t choice_of(size_t item) {
    return (uint8_t)(ATTRIBUTE_FIRST_CHOICE + item);
}

/* A listing starts with attributes that agree with its texts. */
static uint8_t first_value(const struct catalogue *c, struct prng *p, const struct product *product,
                           size_t key) {
    uint8_t value = catalogue_draw_value(p);
    enum language language = language_of(product);
    const struct department_lists *department = department_of(c, product);
    switch (key) {
    case KEY_COLOUR:
        return choice_of(identity_index(product, OF_COLOUR, c->languages[language].colours.count));
    case KEY_MATERIAL:
        return choice_of(
            identity_index(product, OF_MATERIAL, department->materials[language].count));
    case KEY_BRAND:
        return choice_of(identity_index(product, OF_BRAND, department->brands.count));
    default:
        return value;
    }
}

size_t catalogue_attributes_set(const struct product *product) {
    size_t count = 0;
    for (size_t key = 0; key < CATALOGUE_ATTRIBUTES; key++) {
        count += product->attributes[key] >= ATTRIBUTE_FIRST_CHOICE;
    }
    return count;
}

void catalogue_draw_product(const struct catalogue *c, struct prng *p, uint8_t locale,
                            struct product *out) {
    *out = (struct product){
        .identity = prng_next(p),
        .title = catalogue_draw_wording(p, 0),
        .category = (uint8_t)prng_below(p, CATEGORY_COUNT),
        .locale = locale,
    };
    bool described = prng_ratio(p, 15, 16) && c->description_words > 0;
    out->description = described ? catalogue_draw_wording(p, 0) : 0;
    uint64_t wanted = prng_below(p, CATALOGUE_ATTRIBUTES_SET_MAX + 1);
    for (uint64_t i = 0; i < wanted; i++) { /* one that is drawn twice counts once */
        size_t key = catalogue_draw_attribute(c, p, out);
        out->attributes[key] = first_value(c, p, out, key);
    }
}

int64_t catalogue_draw_price(const struct catalogue *c, struct prng *p,
                             const struct product *product) {
    (void)c;
    static const int64_t endings[] = {0, 4900, 9500, 9900};
    const struct category_words *words = &category_words[product->category];
    /* The lower of two draws: cheap things are more common. */
    int64_t a = prng_range(p, words->price_low, words->price_high);
    int64_t b = prng_range(p, words->price_low, words->price_high);
    return (a < b ? a : b) * 10000 + endings[prng_below(p, 4)];
}

/* ---- texts ---- */

struct bytes catalogue_locale(const struct catalogue *c, const struct product *product) {
    return c->locales[product->locale];
}

struct bytes catalogue_category(const struct catalogue *c, const struct product *product) {
    return c->categories[product->category].name;
}

struct bytes catalogue_category_path(const struct catalogue *c, size_t category) {
    return c->categories[category].name;
}

struct bytes catalogue_category_name(const struct catalogue *c, size_t category) {
    struct bytes path = c->categories[category].name;
    size_t from = path.len;
    while (from > 0 && path.data[from - 1] != '>') {
        from--;
    }
    from += from > 0; /* the space behind it */
    return (struct bytes){path.data + from, path.len - from};
}

struct bytes catalogue_department(const struct catalogue *c, size_t department) {
    return c->departments[department].name;
}

struct bytes catalogue_locale_tag(const struct catalogue *c, size_t locale) {
    return c->locales[locale];
}

bool catalogue_locale_unspaced(const struct catalogue *c, size_t locale) {
    (void)c;
    return locale_words[locale].language == JAPANESE;
}

static inline char *put(char *at, struct bytes text) {
    memcpy(at, text.data, text.len);
    return at + text.len;
}

static char *put_digits(char *at, uint64_t value, size_t digits) {
    for (size_t i = digits; i > 0; i--) {
        at[i - 1] = (char)('0' + value % 10);
        value /= 10;
    }
    return at + digits;
}

static char *put_integer(char *at, uint64_t value) {
    size_t digits = 1;
    for (uint64_t rest = value / 10; rest > 0; rest /= 10) {
        digits++;
    }
    return put_digits(at, value, digits);
}

/* Two letters and three digits. */
static char *put_model(char *at, uint64_t seed) {
    *at++ = (char)('A' + seed % 26);
    *at++ = (char)('A' + seed / 26 % 26);
    *at++ = '-';
    return put_digits(at, seed / 676 % 1000, 3);
}

struct filling {
    const struct catalogue *c;
    const struct product *product;
    const struct language_lists *language;
    const struct department_lists *department;
    enum language language_index;
};

static struct filling filling_of(const struct catalogue *c, const struct product *product) {
    enum language language = language_of(product);
    return (struct filling){c, product, &c->languages[language], department_of(c, product),
                            language};
}

static struct bytes chosen(struct choices *choices, const struct list *list) {
    return list->items[choices_below(choices, list->count)];
}

static struct bytes noun_of(const struct filling *f) {
    const struct category_lists *category = &f->c->categories[f->product->category];
    return identity_item(f->product, OF_NOUN, &category->nouns[f->language_index]);
}

static struct bytes brand_of(const struct filling *f) {
    return identity_item(f->product, OF_BRAND, &f->department->brands);
}

static struct bytes colour_of(const struct filling *f) {
    return identity_item(f->product, OF_COLOUR, &f->language->colours);
}

static struct bytes material_of(const struct filling *f) {
    return identity_item(f->product, OF_MATERIAL, &f->department->materials[f->language_index]);
}

static char *put_slot(const struct filling *f, struct choices *choices, char slot, char *at) {
    enum language language = f->language_index;
    switch (slot) {
    case 'n':
        return put(at, noun_of(f));
    case 'b':
        return put(at, brand_of(f));
    case 'c':
        return put(at, colour_of(f));
    case 'm':
        return put(at, material_of(f));
    case 'x':
        return put_model(at, f->product->identity >> OF_MODEL);
    case 'a':
        return put(at, chosen(choices, &f->language->adjectives));
    case 'u':
        return put(at, chosen(choices, &f->department->uses[language]));
    case 'f':
    case 'g':
        return put(at, chosen(choices, &f->department->features[language]));
    default:
        assert(slot == 0);
        return at;
    }
}

static char *put_template(const struct filling *f, struct choices *choices,
                          const struct template *t, char *at) {
    for (size_t i = 0; i < t->count; i++) {
        at = put(at, t->text[i]);
        at = put_slot(f, choices, t->slot[i], at);
    }
    return at;
}

size_t catalogue_title(const struct catalogue *c, const struct product *product, char *out) {
    struct filling f = filling_of(c, product);
    struct choices choices = {product->title};
    const struct template_list *titles = &f.language->titles;
    const struct template *t = &titles->items[choices_below(&choices, titles->count)];
    size_t len = (size_t)(put_template(&f, &choices, t, out) - out);
    assert(len <= CATALOGUE_TITLE_MAX);
    return len;
}

#define SENTENCE_MAX 512 /* no filled sentence is longer */

size_t catalogue_description(const struct catalogue *c, const struct product *product, char *out) {
    assert(product->description != 0);
    struct filling f = filling_of(c, product);
    struct choices choices = {product->description};
    const struct template_list *sentences = &f.language->sentences;
    size_t mean = c->description_words;
    size_t wanted = mean - mean / 2 + choices_below(&choices, mean | 1);
    char *at = out;
    size_t last = sentences->count;
    for (size_t words = 0; words < wanted && at - out <= RECORD_TEXT_MAX - 2 * SENTENCE_MAX;) {
        size_t i = choices_below(&choices, sentences->count);
        i = i == last ? (i + 1) % sentences->count : i; /* never one twice in a row */
        if (at > out) {
            at = put(at, f.language->space);
        }
        char *before = at;
        at = put_template(&f, &choices, &sentences->items[i], at);
        assert(at - before <= SENTENCE_MAX);
        words += sentences->items[i].words;
        last = i;
    }
    return (size_t)(at - out);
}

size_t catalogue_descriptor(const struct catalogue *c, const struct product *product,
                            uint64_t image, char *out) {
    struct filling f = filling_of(c, product);
    struct choices choices = {image};
    const struct bytes space = {" ", 1};
    const struct bytes words[] = {f.department->name, noun_of(&f),
                                  brand_of(&f),       colour_of(&f),
                                  material_of(&f),    chosen(&choices, &f.language->views)};
    char *at = out;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        at = i > 0 ? put(at, space) : at;
        at = put(at, words[i]);
    }
    assert(at - out <= CATALOGUE_DESCRIPTOR_MAX);
    return (size_t)(at - out);
}

size_t catalogue_search(const struct catalogue *c, const struct product *product, struct prng *p,
                        char *out) {
    /* Sets of slots, as buyers combine them. */
    static const char *const forms[] = {"n",  "cn",  "bn", "nm", "nu",
                                        "bx", "bnc", "an", "nf", "cnm"};
    struct filling f = filling_of(c, product);
    struct choices choices = {prng_next(p)};
    const char *form = forms[prng_below(p, sizeof forms / sizeof forms[0])];
    char *at = out;
    for (size_t i = 0; form[i] != 0; i++) {
        if (i > 0) {
            *at++ = ' ';
        }
        at = put_slot(&f, &choices, form[i], at);
    }
    assert(at - out <= CATALOGUE_TITLE_MAX);
    return (size_t)(at - out);
}

struct bytes catalogue_trait(const struct catalogue *c, const struct product *product,
                             enum catalogue_trait trait) {
    struct filling f = filling_of(c, product);
    switch (trait) {
    case TRAIT_COLOUR:
        return colour_of(&f);
    case TRAIT_BRAND:
        return brand_of(&f);
    case TRAIT_NOUN:
        return noun_of(&f);
    default:
        assert(trait == TRAIT_MATERIAL);
        return material_of(&f);
    }
}

/* ---- attributes ---- */

static struct bytes item_of(const struct list *list, uint8_t value) {
    return list->items[(size_t)(value - ATTRIBUTE_FIRST_CHOICE) % list->count];
}

/* Thirteen digits, the last one the check digit of GS1. */
static size_t write_ean(uint64_t seed, char *out) {
    put_digits(out, 400000000000 + seed % 500000000000, 12);
    int sum = 0;
    for (int i = 0; i < 12; i++) {
        sum += (out[i] - '0') * (i % 2 == 0 ? 1 : 3);
    }
    out[12] = (char)('0' + (10 - sum % 10) % 10);
    return 13;
}

/* A decimal of `digits` places that does not end in a zero, so that it is no integer. */
static size_t write_decimal(uint64_t whole, uint64_t fraction, size_t digits, char *out) {
    char *at = put_integer(out, whole);
    *at++ = '.';
    return (size_t)(put_digits(at, fraction, digits) - out);
}

static void attribute_text(const struct filling *f, size_t key, uint8_t value, char *out,
                           struct field *field) {
    static const char *const countries[] = {"DE", "FR", "IT", "ES", "PT", "JP", "US", "GB", "CN"};
    static const char *const energy[] = {"A", "B", "C", "D", "E", "F", "G"};
    size_t choice = (size_t)(value - ATTRIBUTE_FIRST_CHOICE);
    enum language language = f->language_index;
    field->type = VALUE_TEXT;
    switch (key) {
    case KEY_BRAND:
        field->text = item_of(&f->department->brands, value);
        break;
    case KEY_COLOUR:
        field->text = item_of(&f->language->colours, value);
        break;
    case KEY_CONDITION:
        field->text = item_of(&f->language->conditions, value);
        break;
    case KEY_MATERIAL:
        field->text = item_of(&f->department->materials[language], value);
        break;
    case KEY_USE:
        field->text = item_of(&f->department->uses[language], value);
        break;
    case KEY_SIZE:
        field->text = item_of(&f->department->sizes, value);
        break;
    case KEY_STYLE:
        field->text = item_of(&f->language->adjectives, value);
        break;
    case KEY_COUNTRY:
        field->text = bytes_of(countries[choice % (sizeof countries / sizeof countries[0])]);
        break;
    case KEY_ENERGY:
        field->text = bytes_of(energy[choice % (sizeof energy / sizeof energy[0])]);
        break;
    case KEY_EAN:
        field->text = (struct bytes){out, write_ean((f->product->identity >> 16) + choice, out)};
        break;
    default:
        assert(key == KEY_MODEL);
        char *end = put_model(out, (f->product->identity >> OF_MODEL) + choice);
        field->text = (struct bytes){out, (size_t)(end - out)};
    }
}

struct field catalogue_attribute(const struct catalogue *c, const struct product *product,
                                 size_t key, char *out) {
    uint8_t value = product->attributes[key];
    assert(value != ATTRIBUTE_ABSENT);
    struct field field = {.id = FIELD_ATTRIBUTE, .type = VALUE_NULL};
    field.name = bytes_of(attribute_names[key]);
    if (value == ATTRIBUTE_NULL) {
        return field;
    }
    uint64_t choice = value - ATTRIBUTE_FIRST_CHOICE;
    field.type = VALUE_INTEGER;
    switch (key) {
    case KEY_STOCK:
        field.integer = (int64_t)choice;
        return field;
    case KEY_YEAR:
        field.integer = (int64_t)(2002 + choice % 24);
        return field;
    case KEY_WARRANTY:
        field.integer = (int64_t)(12 * (1 + choice % 5));
        return field;
    case KEY_HEIGHT:
        field.type = VALUE_NUMBER;
        field.text = (struct bytes){out, write_decimal(3 + choice, 1 + choice % 9, 1, out)};
        return field;
    case KEY_WEIGHT:
        field.type = VALUE_NUMBER;
        field.text = (struct bytes){out, write_decimal(choice / 10, 5 + choice % 95, 2, out)};
        if (out[field.text.len - 1] == '0') {
            out[field.text.len - 1] = '5';
        }
        return field;
    default:
        break;
    }
    struct filling f = filling_of(c, product);
    attribute_text(&f, key, value, out, &field);
    return field;
}
