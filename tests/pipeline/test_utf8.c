/* utf8_valid_prefix against a slow reading of the definition: decode, then judge the code point. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pipeline/utf8.h"

/* Length of the one well-formed character at the start of s, or 0. */
static size_t slow_length(const unsigned char *s, size_t len) {
    static const uint32_t least[] = {0, 1, 0x80, 0x800, 0x10000};
    size_t n = s[0] < 0x80             ? 1
               : (s[0] & 0xE0) == 0xC0 ? 2
               : (s[0] & 0xF0) == 0xE0 ? 3
               : (s[0] & 0xF8) == 0xF0 ? 4
                                       : 0;
    if (n == 0 || n > len) {
        return 0;
    }
    uint32_t point = n == 1 ? s[0] : s[0] & (0x7Fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xC0) != 0x80) {
            return 0;
        }
        point = point << 6 | (s[i] & 0x3Fu);
    }
    bool surrogate = point >= 0xD800 && point <= 0xDFFF;
    return point >= least[n] && point <= 0x10FFFF && !surrogate ? n : 0;
}

static size_t slow_prefix(const unsigned char *s, size_t len) {
    size_t i = 0;
    while (i < len) {
        size_t n = slow_length(s + i, len - i);
        if (n == 0) {
            return i;
        }
        i += n;
    }
    return len;
}

static void compare(const unsigned char *s, size_t len) {
    size_t fast = utf8_valid_prefix((struct bytes){(const char *)s, len});
    if (fast != slow_prefix(s, len)) {
        fail_msg("prefix %zu, not %zu, of %02x %02x %02x %02x (%zu bytes)", fast,
                 slow_prefix(s, len), s[0], len > 1 ? s[1] : 0, len > 2 ? s[2] : 0,
                 len > 3 ? s[3] : 0, len);
    }
}

/* Every sequence of one, two or three bytes whose lead announces that length or less. */
static void agrees_on_all_short_sequences(void **state) {
    (void)state;
    for (unsigned a = 0; a < 256; a++) {
        unsigned char s[3] = {(unsigned char)a};
        compare(s, 1);
        for (unsigned b = 0; b < 256; b++) {
            s[1] = (unsigned char)b;
            compare(s, 2);
            for (unsigned c = 0; a >= 0xE0 && c < 256; c++) {
                s[2] = (unsigned char)c;
                compare(s, 3);
            }
        }
    }
}

/* Four bytes: every lead and second byte, and the borders of the others. */
static void agrees_on_four_byte_sequences(void **state) {
    (void)state;
    static const unsigned char borders[] = {0x00, 0x7F, 0x80, 0xBF, 0xC0, 0xFF};
    for (unsigned n = 0; n < 16u * 256 * 6 * 6; n++) {
        unsigned char s[4] = {(unsigned char)(0xF0 + n % 16), (unsigned char)(n / 16),
                              borders[n / 16 / 256 % 6], borders[n / 16 / 256 / 6]};
        compare(s, 4);
    }
}

/* A character or an error at every place of a longer text, where words are checked at a time. */
static void agrees_at_every_place(void **state) {
    (void)state;
    static const char *const parts[] = {"\xC3\xA9",     "\xE2\x82\xAC", "\xF0\x9F\x98\x80",
                                        "\xC0\x80",     "\xED\xA0\x80", "\xF4\x90\x80\x80",
                                        "\xE2\x82",     "\x80",         "\xFF",
                                        "\xC3\xA9\xC3", "\x7F"};
    for (size_t part = 0; part <= sizeof parts / sizeof *parts; part++) {
        for (size_t at = 0; at < 80; at++) {
            for (size_t behind = 0; behind < 40; behind += 13) {
                /* The part after the last is a single NUL. */
                struct bytes b = part < sizeof parts / sizeof *parts ? bytes_of(parts[part])
                                                                     : (struct bytes){"", 1};
                unsigned char text[128];
                memset(text, 'a', sizeof text);
                memcpy(text + at, b.data, b.len);
                compare(text, at + b.len + behind);
                /* The text ends within the part, whose rest stands behind the end. */
                for (size_t cut = 1; cut < b.len; cut++) {
                    compare(text, at + cut);
                }
            }
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_on_all_short_sequences),
        cmocka_unit_test(agrees_on_four_byte_sequences),
        cmocka_unit_test(agrees_at_every_place),
    };
    return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
