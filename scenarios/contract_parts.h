/*
 * The inside of reading a contract, shared by the files that read its parts.
 */
#ifndef MURPHY_SCENARIOS_CONTRACT_PARTS_H
#define MURPHY_SCENARIOS_CONTRACT_PARTS_H

#include "scenarios/contract_set.h"
#include "scenarios/marked_yaml.h"
#include "sim/store_tables.h"

struct contract_reading {
    const char *file;
    struct scenario_memory *memory;
    struct store_tables *tables; /* without rows: what rules can ask */
    struct scenario_error *error;
    struct seam_contract *out;
    size_t rule_capacity;
};

/* A formatted text in the reading's memory; NULL with the error set. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
const char *
contract_textf(struct contract_reading *r, const char *format, ...);

/* The value of a custom property in a list of them, or NULL. */
const struct marked *contract_custom(const struct marked *holder, const char *property);

/* Of a feed: makes out->schema of its schema object. 0 or -1. */
int contract_schema_read(struct contract_reading *r, const struct marked *root);

/* Makes out->rules. 0 or -1. */
int contract_rules_read(struct contract_reading *r, const struct marked *root);

#endif
