/*
 * Vectors from files: .fvecs, the format of the TEXMEX sets such as SIFT and GIST (H. Jégou et al.,
 * "Product quantization for nearest neighbor search", IEEE TPAMI 33(1), 2011): each row is its
 * dimension as a 32-bit integer and then so many 32-bit floats, all little-endian, with nothing
 * before, between or behind the rows.
 *
 * The format has no header and no checksum, so everything that can be checked is (D12): every row
 * has the dimension of the first, no row is cut off, every element is a finite number, and there is
 * at least one row.
 */
#ifndef MURPHY_SIM_VECTOR_FILES_H
#define MURPHY_SIM_VECTOR_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/vector_rows.h"

/* That of the index: a greater one is rather a file of another format. */
#define VECTOR_FILE_DIM_MAX 4096

/* A sentence that names the file, and the row (the first is 0) and byte where there is one. */
struct vector_file_error {
    char text[512];
};

/* Asked now and then while reading; false stops it. */
typedef bool vector_file_goes_on(void *ctx, size_t rows_read);

/*
 * Reads all rows of the file into `rows`, which it initialises: *count of rows->dim elements each.
 * dim_wanted is the dimension they must have, 0 any. goes_on may be NULL. Returns 0, and the caller
 * releases the rows; or, with nothing held and *error filled, -EINVAL for a file that is not as
 * above, -EINTR when stopped, -ENOMEM, or the negative errno of opening or reading it.
 */
int fvecs_read(const char *path, size_t dim_wanted, struct vector_rows *rows, size_t *count,
               vector_file_goes_on *goes_on, void *ctx, struct vector_file_error *error);

#endif
