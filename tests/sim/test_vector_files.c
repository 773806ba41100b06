/*
 * Vectors from files (D8, D12): what was written comes back, and every way in which an .fvecs file
 * can be wrong is told with its file, row and byte.
 */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "sim/prng.h"
#include "sim/vector_files.h"

static char path[] = "/tmp/murphy-vectors-XXXXXX";

static int make_file(void **state) {
    (void)state;
    int descriptor = mkstemp(path);
    if (descriptor < 0) {
        return -1;
    }
    return close(descriptor);
}

static int remove_file(void **state) {
    (void)state;
    return unlink(path);
}

/* --- writing --- */

static void put_32(FILE *out, uint32_t value) {
    for (int i = 0; i < 4; i++) {
        fputc((int)(value >> (8 * i) & 0xFF), out);
    }
}

static void put_float(FILE *out, float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_32(out, bits);
}

/* Rows of 1, 2, 3, ... */
static void put_row(FILE *out, uint32_t says, uint32_t elements) {
    put_32(out, says);
    for (uint32_t i = 0; i < elements; i++) {
        put_float(out, (float)(i + 1));
    }
}

static FILE *begin(void) {
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    return out;
}

static void refused(FILE *out, size_t dim_wanted, const char *sentence) {
    struct vector_rows rows;
    struct vector_file_error error;
    size_t count;
    char expected[256];
    assert_int_equal(fclose(out), 0);
    assert_int_equal(fvecs_read(path, dim_wanted, &rows, &count, NULL, NULL, &error), -EINVAL);
    snprintf(expected, sizeof expected, "%s: %s", path, sentence);
    assert_string_equal(error.text, expected);
    assert_null(rows.block);
}

/* Three thousand rows of any finite floats come back bit for bit, zeros behind them. */
static void rows_come_back(void **state) {
    (void)state;
    struct prng p;
    prng_init(&p, 1, "rows");
    FILE *out = begin();
    for (size_t i = 0; i < 3000; i++) {
        put_32(out, 19);
        for (size_t d = 0; d < 19; d++) {
            put_32(out, (uint32_t)prng_next(&p) & UINT32_C(0xBFFFFFFF));
        }
    }
    assert_int_equal(fclose(out), 0);
    struct vector_rows rows;
    struct vector_file_error error;
    size_t count;
    assert_int_equal(fvecs_read(path, 0, &rows, &count, NULL, NULL, &error), 0);
    assert_int_equal(count, 3000);
    assert_int_equal(rows.dim, 19);
    prng_init(&p, 1, "rows");
    for (size_t i = 0; i < 3000; i++) {
        const float *row = vector_rows_at(&rows, i);
        for (size_t d = 0; d < 19; d++) {
            uint32_t bits;
            memcpy(&bits, &row[d], sizeof bits);
            assert_int_equal(bits, (uint32_t)prng_next(&p) & UINT32_C(0xBFFFFFFF));
        }
        for (size_t d = 19; d < rows.stride; d++) {
            assert_true(row[d] == 0);
        }
    }
    vector_rows_release(&rows);
}

/* A file without a row is no set of vectors. */
static void an_empty_file_is_refused(void **state) {
    (void)state;
    refused(begin(), 0, "the file is empty");
}

/* A dimension out of bounds: another format, or another byte order. */
static void an_absurd_dimension_is_refused(void **state) {
    (void)state;
    FILE *out = begin();
    put_row(out, 0, 4);
    refused(out, 0,
            "row 0 at byte 0 says that it has 0 elements, which is not in 1 to 4096: no .fvecs "
            "file, or a damaged one");
    out = begin();
    put_row(out, 4, 4);
    put_row(out, UINT32_MAX, 4);
    refused(out, 0,
            "row 1 at byte 20 says that it has -1 elements, which is not in 1 to 4096: no .fvecs "
            "file, or a damaged one");
    out = begin();
    put_row(out, UINT32_C(0x04000000), 4);
    refused(out, 0,
            "row 0 at byte 0 says that it has 67108864 elements, which is not in 1 to 4096: no "
            ".fvecs file, or a damaged one");
}

/* Rows of one file agree in their dimension, and with what the caller wants. */
static void a_wrong_dimension_is_refused(void **state) {
    (void)state;
    FILE *out = begin();
    put_row(out, 4, 4);
    put_row(out, 4, 4);
    put_row(out, 5, 5);
    refused(out, 0, "row 2 at byte 40 says that it has 5 elements, but the rows before it have 4");
    out = begin();
    put_row(out, 4, 4);
    refused(out, 128, "its rows have 4 elements, 128 are wanted");
}

/* A file cut off anywhere but between rows is refused. */
static void a_cut_file_is_refused(void **state) {
    (void)state;
    FILE *out = begin();
    put_row(out, 4, 4);
    put_row(out, 4, 3);
    refused(out, 0, "row 1 at byte 20 is cut off: 16 of its 20 bytes are there");
    out = begin();
    put_row(out, 4, 4);
    fputc(4, out);
    fputc(0, out);
    refused(out, 0, "2 bytes are left over behind row 1, at byte 20");
    out = begin();
    put_row(out, 4, 0);
    refused(out, 0, "row 0 at byte 0 is cut off: 4 of its 20 bytes are there");
}

/* A number that is none, wherever it stands. */
static void a_nan_or_an_infinity_is_refused(void **state) {
    (void)state;
    FILE *out = begin();
    put_row(out, 2, 2);
    put_32(out, 2);
    put_float(out, 1);
    put_float(out, NAN);
    refused(out, 0, "row 1, element 1 at byte 20 is not a number (NaN)");
    out = begin();
    put_32(out, 2);
    put_float(out, -INFINITY);
    put_float(out, 1);
    refused(out, 0, "row 0, element 0 at byte 4 is infinite");
}

/* A file that is not there, and one that is a folder. */
static void what_cannot_be_read_is_refused(void **state) {
    (void)state;
    struct vector_rows rows;
    struct vector_file_error error;
    size_t count;
    assert_int_equal(fvecs_read("/nowhere/base.fvecs", 0, &rows, &count, NULL, NULL, &error),
                     -ENOENT);
    assert_string_equal(error.text,
                        "/nowhere/base.fvecs: cannot be opened: No such file or directory");
    assert_int_equal(fvecs_read("/tmp", 0, &rows, &count, NULL, NULL, &error), -EISDIR);
    assert_string_equal(error.text, "/tmp: cannot be read: Is a directory");
}

static bool stop_after(void *ctx, size_t rows_read) {
    return rows_read < *(const size_t *)ctx;
}

/* Reading stops when it is told to, and holds nothing then. */
static void reading_can_be_stopped(void **state) {
    (void)state;
    FILE *out = begin();
    for (size_t i = 0; i < 2000; i++) {
        put_row(out, 2, 2);
    }
    assert_int_equal(fclose(out), 0);
    struct vector_rows rows;
    struct vector_file_error error;
    size_t count;
    size_t limit = 1000;
    assert_int_equal(fvecs_read(path, 0, &rows, &count, stop_after, &limit, &error), -EINTR);
    assert_null(rows.block);
    limit = SIZE_MAX;
    assert_int_equal(fvecs_read(path, 0, &rows, &count, stop_after, &limit, &error), 0);
    assert_int_equal(count, 2000);
    vector_rows_release(&rows);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_come_back),
        cmocka_unit_test(an_empty_file_is_refused),
        cmocka_unit_test(an_absurd_dimension_is_refused),
        cmocka_unit_test(a_wrong_dimension_is_refused),
        cmocka_unit_test(a_cut_file_is_refused),
        cmocka_unit_test(a_nan_or_an_infinity_is_refused),
        cmocka_unit_test(what_cannot_be_read_is_refused),
        cmocka_unit_test(reading_can_be_stopped),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
