/*
 * The gnuplot script of a report's plots. Private to plots.c.
 *
 * Names from the run reach gnuplot only as single-quoted strings, in which it expands nothing, with
 * quotes doubled and anything that is not printable removed: a feed called `rm -rf` is a label.
 * Colours are rgb(1, 0, N), which plots.c turns into CSS variables.
 */
#ifndef MURPHY_REPORTS_PLOT_SCRIPT_H
#define MURPHY_REPORTS_PLOT_SCRIPT_H

#include <stdbool.h>
#include <stdio.h>

#include "reports/plots.h"
#include "reports/result.h"

enum plot_colour {
    PLOT_INK = 0,
    PLOT_GRID = 1,
    PLOT_FAULT = 2,
    PLOT_ALERT = 3,
    PLOT_OBJECTIVE = 4,
    PLOT_SERIES = 10, /* + 0 .. PLOT_COLOURS - 1 */
    PLOT_STEP = PLOT_SERIES,
};

/* Writes one plot, with its `set terminal`, named `name`; false, having written nothing, when the
 * result holds no data for it. */
bool plot_script(FILE *script, const struct run_result *r, enum plot plot, enum plot_size size,
                 const char *name);

#endif
