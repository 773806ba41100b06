/*
 * What is made for people from the table of faults.
 */
#ifndef MURPHY_SCENARIOS_FAULT_GUIDE_H
#define MURPHY_SCENARIOS_FAULT_GUIDE_H

#include <stdio.h>

#include "scenarios/scenario.h"

/* The table of docs/faults.md: every kind of fault, in Markdown, with those of the scenarios that
 * show what protects from it. Allocated; NULL when out of memory. */
char *fault_guide_text(const struct scenario_list *list);

/* The tables of states, and of cells that are impossible. */
char *state_guide_text(void);
char *impossible_guide_text(void);

/* The keys of these parameters, with commas between. */
void fault_guide_parameters(FILE *out, unsigned bits);

#endif
