#include "pipeline/fact.h"

#include <xxhash.h>

uint64_t fact_key(enum fact_kind kind, struct bytes text) {
    return XXH3_64bits_withSeed(text.data, text.len, kind);
}

uint64_t reference_key(const struct reference_row *row) {
    return fact_key(row->table, row->key);
}

bool fact_of_record(const struct record *record, struct fact *out) {
    if (record->type == RECORD_POLICY) {
        *out =
            fact_of_note(&(struct policy_note){record->seller_id, record->status, record->stamp});
        return true;
    }
    *out = (struct fact){
        .kind = record->reference.table,
        .key = reference_key(&record->reference),
        .code = (uint8_t)record->reference.tokeniser,
        .stamp = record->stamp,
        .value = record->reference.value,
    };
    return record->type == RECORD_REFERENCE;
}

bool fact_named(const struct field *field, enum fact_kind *kind, uint64_t *key) {
    if (field->id == FIELD_SELLER && field->type == VALUE_INTEGER) {
        *kind = FACT_SELLER;
        *key = (uint64_t)field->integer;
        return true;
    }
    if (field->type != VALUE_TEXT || (field->id != FIELD_CATEGORY && field->id != FIELD_LOCALE)) {
        return false;
    }
    *kind = field->id == FIELD_CATEGORY ? FACT_CATEGORY : FACT_LOCALE;
    *key = fact_key(*kind, field->text);
    return true;
}

struct fact fact_of_note(const struct policy_note *note) {
    return (struct fact){
        .kind = FACT_SELLER,
        .key = note->seller_id,
        .code = (uint8_t)note->status,
        .stamp = note->stamp,
    };
}

static bool code_sound(enum fact_kind kind, uint8_t code) {
    switch (kind) {
    case FACT_SELLER:
        return code == POLICY_ACTIVE || code == POLICY_SUPPRESSED;
    case FACT_CATEGORY:
        return code == 0;
    case FACT_LOCALE:
        return code == TOKENISER_WORD || code == TOKENISER_BIGRAM;
    case FACT_KIND_END:
        break;
    }
    return false;
}

bool fact_sound(const struct fact *fact) {
    return code_sound(fact->kind, fact->code) && fact->stamp.ts.ns >= 0 &&
           fact->value.len <= FACT_VALUE_MAX &&
           (fact->value.len > 0) == (fact->kind != FACT_SELLER);
}
