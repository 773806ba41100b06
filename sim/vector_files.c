#include "sim/vector_files.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sim/vector_math.h"

struct reader {
    const char *path;
    FILE *file;
    struct vector_file_error *error;
    struct vector_rows *rows;
    size_t dim_wanted;
    size_t count;
    uint64_t offset; /* of the row being read */
    unsigned char bytes[4 * VECTOR_FILE_DIM_MAX];
};

__attribute__((format(printf, 3, 4))) static int fail(struct reader *r, int code,
                                                      const char *format, ...) {
    int used = snprintf(r->error->text, sizeof r->error->text, "%s: ", r->path);
    if (used < 0 || (size_t)used >= sizeof r->error->text) {
        return code;
    }
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(r->error->text + used, sizeof r->error->text - (size_t)used, format, arguments);
    va_end(arguments);
    return code;
}

static uint32_t little_endian(const unsigned char *bytes) {
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

/* Reads so many bytes; fewer at the end of the file. Negative errno when the system fails. */
static int read_bytes(struct reader *r, size_t wanted, size_t *got) {
    errno = 0;
    *got = fread(r->bytes, 1, wanted, r->file);
    if (*got < wanted && ferror(r->file)) {
        int code = errno != 0 ? errno : EIO;
        return fail(r, -code, "cannot be read: %s", strerror(code));
    }
    return 0;
}

static int check_dimension(struct reader *r, int64_t dim) {
    if (dim < 1 || dim > VECTOR_FILE_DIM_MAX) {
        return fail(r, -EINVAL,
                    "row %zu at byte %" PRIu64 " says that it has %" PRId64
                    " elements, which is not in 1 to %d: no .fvecs file, or a damaged one",
                    r->count, r->offset, dim, VECTOR_FILE_DIM_MAX);
    }
    if (r->count > 0 && (size_t)dim != r->rows->dim) {
        return fail(r, -EINVAL,
                    "row %zu at byte %" PRIu64 " says that it has %" PRId64
                    " elements, but the rows before it have %zu",
                    r->count, r->offset, dim, r->rows->dim);
    }
    if (r->dim_wanted != 0 && (size_t)dim != r->dim_wanted) {
        return fail(r, -EINVAL, "its rows have %" PRId64 " elements, %zu are wanted", dim,
                    r->dim_wanted);
    }
    return 0;
}

static int check_elements(struct reader *r, const float *row) {
    if (vector_is_finite(row, r->rows->dim)) {
        return 0;
    }
    size_t i = 0;
    while (isfinite(row[i])) {
        i++;
    }
    return fail(r, -EINVAL, "row %zu, element %zu at byte %" PRIu64 " is %s", r->count, i,
                r->offset + 4 + 4 * i, isnan(row[i]) ? "not a number (NaN)" : "infinite");
}

static int no_memory(struct reader *r) {
    return fail(r, -ENOMEM, "no memory for more than %zu rows", r->count);
}

static int make_room(struct reader *r) {
    if (r->count < r->rows->capacity) {
        return 0;
    }
    size_t capacity = r->rows->capacity == 0 ? 1024 : 2 * r->rows->capacity;
    return vector_rows_reserve(r->rows, capacity) == 0 ? 0 : no_memory(r);
}

static int take_row(struct reader *r, size_t got, size_t size) {
    if (got < size) {
        return fail(r, -EINVAL,
                    "row %zu at byte %" PRIu64 " is cut off: %zu of its %zu bytes are there",
                    r->count, r->offset, got + 4, size + 4);
    }
    int rc = make_room(r);
    if (rc != 0) {
        return rc;
    }
    float *row = vector_rows_at(r->rows, r->count);
    for (size_t i = 0; i < r->rows->dim; i++) {
        uint32_t bits = little_endian(r->bytes + 4 * i);
        memcpy(&row[i], &bits, sizeof bits);
    }
    return check_elements(r, row);
}

/* 1: there is a row and it was read; 0: the end of the file. */
static int read_row(struct reader *r) {
    size_t got;
    int rc = read_bytes(r, 4, &got);
    if (rc != 0 || got == 0) {
        return rc;
    }
    if (got < 4) {
        return fail(r, -EINVAL, "%zu bytes are left over behind row %zu, at byte %" PRIu64, got,
                    r->count, r->offset);
    }
    uint32_t dim = little_endian(r->bytes);
    rc = check_dimension(r, dim <= INT32_MAX ? dim : dim - (INT64_C(1) << 32));
    if (rc != 0) {
        return rc;
    }
    if (r->count == 0) {
        vector_rows_init(r->rows, dim);
    }
    size_t size = 4 * (size_t)dim;
    rc = read_bytes(r, size, &got);
    rc = rc != 0 ? rc : take_row(r, got, size);
    if (rc != 0) {
        return rc;
    }
    r->count++;
    r->offset += 4 + size;
    return 1;
}

#define ROWS_BETWEEN_QUESTIONS 256

static int read_all(struct reader *r, vector_file_goes_on *goes_on, void *ctx) {
    for (;;) {
        if (goes_on != NULL && r->count % ROWS_BETWEEN_QUESTIONS == 0 && !goes_on(ctx, r->count)) {
            return fail(r, -EINTR, "stopped after %zu rows", r->count);
        }
        int rc = read_row(r);
        if (rc < 0) {
            return rc;
        }
        if (rc == 0) {
            return r->count > 0 ? 0 : fail(r, -EINVAL, "the file is empty");
        }
    }
}

int fvecs_read(const char *path, size_t dim_wanted, struct vector_rows *rows, size_t *count,
               vector_file_goes_on *goes_on, void *ctx, struct vector_file_error *error) {
    struct reader r = {.path = path, .error = error, .rows = rows, .dim_wanted = dim_wanted};
    vector_rows_init(rows, 0);
    r.file = fopen(path, "rb");
    if (r.file == NULL) {
        int code = errno;
        return fail(&r, -code, "cannot be opened: %s", strerror(code));
    }
    int rc = read_all(&r, goes_on, ctx);
    fclose(r.file);
    if (rc != 0) {
        vector_rows_release(rows);
        return rc;
    }
    *count = r.count;
    return 0;
}
