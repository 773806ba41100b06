/*
 * Facts: what is told of something that listings name, and so touches each document that names it
 * (A4, A8). A seller has a status; a category a path in the taxonomy; a spelling of a locale the
 * tag and the tokeniser that it stands for. Of two that tell of the same thing the greater stamp
 * counts, as everywhere.
 *
 * Categories and spellings are texts; a fact knows them by a 64-bit hash. Tables have some ten
 * thousand rows, of which two share a hash once in 10^11 tables.
 */
#ifndef MURPHY_PIPELINE_FACT_H
#define MURPHY_PIPELINE_FACT_H

#include <stdbool.h>
#include <stdint.h>

#include "pipeline/record.h"

/* What a fact of that kind knows the text by. */
uint64_t fact_key(enum fact_kind kind, struct bytes text);

/* The key of a row in its own topic: rows of one key keep their order. */
uint64_t reference_key(const struct reference_row *row);

/* What a record of a feed tells; false when it tells no fact. The value points into the record. */
bool fact_of_record(const struct record *record, struct fact *out);

/* What a field of a listing names: kind and key; false when it names nothing. */
bool fact_named(const struct field *field, enum fact_kind *kind, uint64_t *key);

/* A kind, a code of that kind, a value that it may have and the stamp of an event. */
bool fact_sound(const struct fact *fact);

/* The seller's status that rides along with a listing record, as a fact. */
struct fact fact_of_note(const struct policy_note *note);

#endif
