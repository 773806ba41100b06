/* SHA-256 gives what FIPS 180-4 says (B8). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/sha256.h"

static void assert_hash(const void *data, size_t size, const char *expected) {
    char text[SHA256_TEXT];
    struct sha256 hash = sha256_of(data, size);
    sha256_text(&hash, text);
    assert_string_equal(text, expected);
}

/* The examples of the standard, and the empty message. */
static void examples_of_the_standard(void **state) {
    (void)state;
    static char million[1000000];
    memset(million, 'a', sizeof million);
    assert_hash("", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_hash("abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    static const char two_blocks[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    assert_hash(two_blocks, sizeof two_blocks - 1,
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    assert_hash(million, sizeof million,
                "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

/* A hash as text reads back, and nothing else does. */
static void text_reads_back(void **state) {
    (void)state;
    char text[SHA256_TEXT];
    struct sha256 hash = sha256_of("x", 1), back;
    sha256_text(&hash, text);
    assert_int_equal(sha256_parse(text, 64, &back), 0);
    assert_memory_equal(back.bytes, hash.bytes, SHA256_BYTES);
    assert_int_equal(sha256_parse(text, 63, &back), -1);
    assert_int_equal(sha256_parse(NULL, 64, &back), -1);
    text[63] = 'g';
    assert_int_equal(sha256_parse(text, 64, &back), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(examples_of_the_standard),
        cmocka_unit_test(text_reads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
