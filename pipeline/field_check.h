/*
 * What a listing's field may hold (A1, A13): the one place that says so, for records as they come
 * from producers and for documents as they come back from a checkpoint.
 */
#ifndef MURPHY_PIPELINE_FIELD_CHECK_H
#define MURPHY_PIPELINE_FIELD_CHECK_H

#include "pipeline/record.h"

/* "title", "description", ... "attribute"; `id` must be one of the enum. */
const char *field_id_name(enum field_id id);

/* The canonical order of fields: by id, then by name. Negative, zero or positive. */
static inline int field_order(enum field_id a_id, struct bytes a_name, enum field_id b_id,
                              struct bytes b_name) {
    return a_id != b_id ? (a_id < b_id ? -1 : 1) : bytes_compare(a_name, b_name);
}

/* Both return 0, or -1 with *error filled. */

/* Id, type, name and value, each by itself and together. */
int field_check(const struct field *f, struct record_error *error);
/* The same for a field that may hold a value of any type. */
int field_check_claimed(const struct field *f, struct record_error *error);

/* Valid UTF-8 without NUL of at most `max` bytes; `limit` says that maximum in words. */
int text_check(struct bytes text, const char *field, size_t max, const char *limit,
               struct record_error *error);

/* Fills *error and returns -1. */
int record_reject(struct record_error *error, const char *reason, const char *field,
                  const char *expected, int64_t actual);

#endif
