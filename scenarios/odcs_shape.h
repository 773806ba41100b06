/*
 * What can stand in a contract: the keys of the Open Data Contract Standard 3.1, with their types,
 * as the standard's own JSON Schema has them, so that a file which passes here passes there. Keys
 * that the standard does not know are refused, since a misspelt term is a term that nobody keeps;
 * what is one's own goes into customProperties. Of servers only what all have in common is checked.
 */
#ifndef MURPHY_SCENARIOS_ODCS_SHAPE_H
#define MURPHY_SCENARIOS_ODCS_SHAPE_H

#include "scenarios/marked_yaml.h"

#define ODCS_VERSION "v3.1.0"

/* 0, or -1 with *error filled: file, line, column, path, sentence. */
int odcs_shape_check(const char *file, const struct marked *root, struct scenario_error *error);

/* The operators of quality rules, as in "mustBeLessThan". NULL behind the last. */
const char *odcs_operator(size_t i);

#endif
