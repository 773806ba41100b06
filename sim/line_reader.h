/*
 * Lines of a text file, plain or gzip: what it is shows in its first bytes, not in its name.
 */
#ifndef MURPHY_SIM_LINE_READER_H
#define MURPHY_SIM_LINE_READER_H

#include <stdbool.h>
#include <stddef.h>

#include "pipeline/bytes.h"

enum line_status {
    LINE_READ,      /* there is a line */
    LINE_END,       /* the file is over, and whole */
    LINE_TOO_LONG,  /* longer than the reader takes */
    LINE_DAMAGED,   /* cannot be read, or is gzip that is cut off or corrupt */
    LINE_NO_MEMORY, /* no memory for a line so long */
};

struct line_reader {
    void *file; /* gzFile */
    char *buffer;
    size_t capacity, used, at;
    size_t line_max;
    size_t line; /* number of the last line read, from 1 */
    bool at_end;
    const char *damage; /* after LINE_DAMAGED: what is wrong, a clause; static or the reader's */
};

/* 0, or an errno that says why the file cannot be opened (EISDIR for a directory). */
int line_reader_open(struct line_reader *r, const char *path, size_t line_max);
void line_reader_close(struct line_reader *r);

/* The next line without its newline, good until the next call. The last one may lack a newline. */
enum line_status line_reader_next(struct line_reader *r, struct bytes *line);

#endif
