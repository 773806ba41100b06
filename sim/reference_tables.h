/*
 * The reference tables of the generated marketplace (A4): where a category that sellers name stands
 * in the taxonomy, and what a spelling of a locale stands for. The application has them as small
 * tables beside its listings; each row that is set goes out as an event.
 *
 * A category is named by the last part of its path. A row that changes moves it to the next
 * department, or into a section of its department. Each locale is spelled in three ways; a row that
 * changes swaps the full tag for the language alone, or, of a language without spaces, the
 * tokeniser.
 */
#ifndef MURPHY_SIM_REFERENCE_TABLES_H
#define MURPHY_SIM_REFERENCE_TABLES_H

#include <stddef.h>
#include <stdint.h>

#include "pipeline/record.h"
#include "sim/catalogue.h"
#include "sim/prng.h"

#define LOCALE_SPELLINGS 3
#define REFERENCE_ROWS (CATALOGUE_CATEGORIES + LOCALE_SPELLINGS * CATALOGUE_LOCALES)

struct reference_table_row {
    uint32_t changes; /* made so far */
    char key[32];
    char value[128];
    struct reference_row row; /* points to the two */
};

/* Caller-owned; must not move once initialised. */
struct reference_tables {
    const struct catalogue *catalogue;
    struct reference_table_row rows[REFERENCE_ROWS]; /* categories, then spellings by locale */
};

void reference_tables_init(struct reference_tables *t, const struct catalogue *c);

/* Draws a row and changes it; returns its index. */
size_t reference_tables_change(struct reference_tables *t, struct prng *p);

static inline const struct reference_row *
reference_tables_category(const struct reference_tables *t, size_t category) {
    return &t->rows[category].row;
}
static inline const struct reference_row *reference_tables_locale(const struct reference_tables *t,
                                                                  size_t locale, size_t spelling) {
    return &t->rows[CATALOGUE_CATEGORIES + LOCALE_SPELLINGS * locale + spelling].row;
}

#endif
