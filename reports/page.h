/*
 * Plain text laid out in 80 columns: wrapped prose and table cells, measured in terminal columns,
 * with everything that could act on a terminal shown by number instead (\x1B, \u202E).
 */
#ifndef MURPHY_REPORTS_PAGE_H
#define MURPHY_REPORTS_PAGE_H

#include <stdbool.h>
#include <stdio.h>

#define PAGE_COLUMNS 80

enum page_colour { PAGE_PLAIN, PAGE_BOLD, PAGE_GOOD, PAGE_BAD, PAGE_WARN, PAGE_DIM };

struct page {
    FILE *out;
    bool colour; /* ANSI colours */
    bool ascii;  /* other characters by number */
    int column;
};

/* Everything until the next page_colour is in this colour. */
void page_colour(struct page *p, enum page_colour colour);

/* As it is, on one line, whatever its length. */
void page_put(struct page *p, const char *text);

void page_newline(struct page *p);

/* Spaces up to a column; one at least when the line is already there and not at its start. */
void page_tab(struct page *p, int column);

/* Prose from the present column on: wrapped at spaces, words longer than a line are broken, lines
 * continue at `indent`. Line feeds are kept. Ends with a newline. */
void page_wrap(struct page *p, int indent, const char *text);

/* One table cell of that width, cut with an ellipsis when too long. */
void page_cell(struct page *p, int width, const char *text);
void page_cell_right(struct page *p, int width, const char *text);

/* A shell command: broken with a backslash at spaces outside quotes, and never elsewhere, so that
 * it can be copied; a single word longer than a line stays whole. */
void page_command(struct page *p, int indent, const char *command);

#endif
