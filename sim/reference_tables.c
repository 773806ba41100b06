#include "sim/reference_tables.h"

#include <assert.h>
#include <string.h>

static struct bytes joined(char *out, size_t room, const struct bytes *parts, size_t count) {
    size_t length = 0;
    for (size_t i = 0; i < count; i++) {
        assert(length + parts[i].len <= room);
        memcpy(out + length, parts[i].data, parts[i].len);
        length += parts[i].len;
    }
    return (struct bytes){out, length};
}

/* Where the category stands after so many moves. */
static void place_category(struct reference_tables *t, size_t category) {
    const struct catalogue *c = t->catalogue;
    struct reference_table_row *row = &t->rows[category];
    size_t per_department = CATALOGUE_CATEGORIES / CATALOGUE_DEPARTMENTS;
    size_t moves = (row->changes + 1) / 2;
    size_t department = (category / per_department + moves) % CATALOGUE_DEPARTMENTS;
    bool section = row->changes % 2 == 1;
    const struct bytes parts[] = {
        catalogue_department(c, department),
        bytes_of(section ? " > Popular > " : " > "),
        row->row.key,
    };
    row->row.value = joined(row->value, sizeof row->value, parts, 3);
}

static void place_locale(struct reference_tables *t, size_t locale, size_t spelling) {
    struct reference_table_row *row =
        &t->rows[CATALOGUE_CATEGORIES + LOCALE_SPELLINGS * locale + spelling];
    struct bytes tag = catalogue_locale_tag(t->catalogue, locale);
    bool unspaced = catalogue_locale_unspaced(t->catalogue, locale);
    bool odd = row->changes % 2 == 1;
    row->row.tokeniser = unspaced && !odd ? TOKENISER_BIGRAM : TOKENISER_WORD;
    row->row.value = unspaced || !odd ? tag : (struct bytes){tag.data, 2};
}

/* "ja-JP", "ja_JP" and "JA-JP" */
static struct bytes spelled(char *out, size_t room, struct bytes tag, size_t spelling) {
    struct bytes text = joined(out, room, &tag, 1);
    if (spelling == 1) {
        out[2] = '_';
    } else if (spelling == 2) {
        for (size_t i = 0; i < 2; i++) {
            out[i] = (char)(out[i] - 'a' + 'A');
        }
    }
    return text;
}

void reference_tables_init(struct reference_tables *t, const struct catalogue *c) {
    *t = (struct reference_tables){.catalogue = c};
    for (size_t i = 0; i < CATALOGUE_CATEGORIES; i++) {
        struct bytes name = catalogue_category_name(c, i);
        t->rows[i].row = (struct reference_row){.table = FACT_CATEGORY};
        t->rows[i].row.key = joined(t->rows[i].key, sizeof t->rows[i].key, &name, 1);
        place_category(t, i);
    }
    for (size_t i = 0; i < LOCALE_SPELLINGS * CATALOGUE_LOCALES; i++) {
        struct reference_table_row *row = &t->rows[CATALOGUE_CATEGORIES + i];
        size_t locale = i / LOCALE_SPELLINGS;
        size_t spelling = i % LOCALE_SPELLINGS;
        row->row = (struct reference_row){.table = FACT_LOCALE};
        row->row.key =
            spelled(row->key, sizeof row->key, catalogue_locale_tag(c, locale), spelling);
        place_locale(t, locale, spelling);
    }
}

/* Half of the changes are about the taxonomy; of the others half are about languages without
 * spaces.
 */
static size_t draw_row(const struct reference_tables *t, struct prng *p) {
    uint64_t which = prng_below(p, 4);
    if (which < 2) {
        return (size_t)prng_below(p, CATALOGUE_CATEGORIES);
    }
    size_t locale = (size_t)prng_below(p, CATALOGUE_LOCALES);
    while (which == 3 && !catalogue_locale_unspaced(t->catalogue, locale)) {
        locale = (locale + 1) % CATALOGUE_LOCALES;
    }
    return CATALOGUE_CATEGORIES + LOCALE_SPELLINGS * locale +
           (size_t)prng_below(p, LOCALE_SPELLINGS);
}

size_t reference_tables_change(struct reference_tables *t, struct prng *p) {
    size_t at = draw_row(t, p);
    t->rows[at].changes++;
    if (at < CATALOGUE_CATEGORIES) {
        place_category(t, at);
    } else {
        size_t spelling = at - CATALOGUE_CATEGORIES;
        place_locale(t, spelling / LOCALE_SPELLINGS, spelling % LOCALE_SPELLINGS);
    }
    return at;
}
