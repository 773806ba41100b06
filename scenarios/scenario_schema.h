/*
 * What is made from the table of keys for people: the JSON Schema that editors check and complete
 * scenarios by, and the tables of the guide. Both files are in the repository; a test compares them
 * with what is made here.
 */
#ifndef MURPHY_SCENARIOS_SCENARIO_SCHEMA_H
#define MURPHY_SCENARIOS_SCENARIO_SCHEMA_H

/* The text of scenarios/scenario.schema.json (JSON Schema draft-07, which editors know best).
 * Allocated; NULL when out of memory. */
char *scenario_schema_text(void);

/* The tables of docs/scenarios.md: one of each object, one of the faults, in Markdown. Allocated;
 * NULL when out of memory. */
char *scenario_guide_text(void);

/* The table of docs/operators.md: every command of an operator's, in Markdown. Allocated; NULL when
 * out of memory. */
char *operator_guide_text(void);

#endif
