#define _POSIX_C_SOURCE 200809L

#include "sim/line_reader.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#include "pipeline/array.h"

#define READ_BYTES 65536u

int line_reader_open(struct line_reader *r, const char *path, size_t line_max) {
    *r = (struct line_reader){.line_max = line_max};
    struct stat about;
    if (stat(path, &about) != 0) {
        return errno;
    }
    if (S_ISDIR(about.st_mode)) {
        return EISDIR;
    }
    errno = 0;
    r->file = gzopen(path, "rb");
    if (r->file == NULL) {
        return errno != 0 ? errno : ENOMEM;
    }
    return 0;
}

void line_reader_close(struct line_reader *r) {
    if (r->file != NULL) {
        gzclose(r->file);
    }
    free(r->buffer);
    *r = (struct line_reader){.file = NULL};
}

/* zlib's own words, or those of the system where the file could not be read. */
static enum line_status damaged(struct line_reader *r) {
    int code;
    const char *words = gzerror(r->file, &code);
    if (code == Z_ERRNO) {
        words = strerror(errno);
    } else if (code == Z_BUF_ERROR) {
        words = "the gzip data are cut off";
    } else if (code == Z_DATA_ERROR) {
        words = "the gzip data are corrupt";
    }
    r->damage = words;
    return LINE_DAMAGED;
}

/* Reads on behind what is buffered. LINE_READ when there is more, even if it is nothing yet. */
static enum line_status fill(struct line_reader *r) {
    if (r->at > 0) {
        memmove(r->buffer, r->buffer + r->at, r->used - r->at);
        r->used -= r->at;
        r->at = 0;
    }
    if (ARRAY_RESERVE(r->buffer, r->capacity, r->used + READ_BYTES) != 0) {
        return LINE_NO_MEMORY;
    }
    int got = gzread(r->file, r->buffer + r->used, READ_BYTES);
    if (got < 0) {
        return damaged(r);
    }
    r->used += (size_t)got;
    if (got < (int)READ_BYTES) {
        int code;
        gzerror(r->file, &code);
        if (code != Z_OK && code != Z_STREAM_END) {
            return damaged(r);
        }
        r->at_end = true;
    }
    return LINE_READ;
}

enum line_status line_reader_next(struct line_reader *r, struct bytes *line) {
    size_t looked = 0;
    while (true) {
        const char *start = r->buffer == NULL ? NULL : r->buffer + r->at;
        size_t there = r->used - r->at;
        const char *newline = there > looked ? memchr(start + looked, '\n', there - looked) : NULL;
        size_t len = newline != NULL ? (size_t)(newline - start) : there;
        if (len > r->line_max) {
            r->line++;
            return LINE_TOO_LONG;
        }
        if (newline != NULL || (r->at_end && there > 0)) {
            *line = (struct bytes){start, len};
            r->at += len + (newline != NULL);
            r->line++;
            return LINE_READ;
        }
        if (r->at_end) {
            return LINE_END;
        }
        looked = there;
        enum line_status status = fill(r);
        if (status != LINE_READ) {
            r->line++;
            return status;
        }
    }
}
