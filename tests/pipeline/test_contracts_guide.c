/*
 * The parts of docs/contracts.md that follow from the code (B9): they say what the code says. With
 * MURPHY_WRITE=1 in the environment they are written anew.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/contract.h"
#include "pipeline/registry.h"

#define GUIDE "docs/contracts.md"
enum { GUIDE_BYTES = 1 << 16 };

struct text {
    char bytes[GUIDE_BYTES];
    size_t length;
};

static void put(struct text *out, const char *data, size_t length) {
    assert_true(out->length + length < sizeof out->bytes);
    memcpy(out->bytes + out->length, data, length);
    out->length += length;
    out->bytes[out->length] = '\0';
}

static void say(struct text *out, const char *words) {
    put(out, words, strlen(words));
}

static void put_builtin(struct text *out) {
    for (int feed = 0; feed < TOPIC_FEED_COUNT; feed++) {
        say(out, feed == 0 ? "" : "\n");
        say(out, "    # ");
        say(out, topic_name((enum topic_id)feed));
        say(out, "\n");
        struct bytes text = contract_carried((enum topic_id)feed);
        for (const char *line = text.data, *end; line < text.data + text.len; line = end + 1) {
            end = strchr(line, '\n');
            say(out, "    ");
            put(out, line, (size_t)(end - line) + 1);
        }
    }
}

static void put_modes(struct text *out) {
    say(out, "| mode | a further version |\n|---|---|\n");
    for (int mode = SCHEMA_MODE_UNSAID + 1; mode < SCHEMA_MODE_COUNT; mode++) {
        const struct schema_mode_about *about = schema_mode_about((enum schema_mode)mode);
        say(out, "| `");
        say(out, about->name);
        say(out, "` | ");
        say(out, about->about);
        say(out, " |\n");
    }
}

/* Copies the guide up to the end of the mark's line, writes the part, and leaves *at at its end. */
static void part(struct text *out, const char **at, const char *mark,
                 void (*write)(struct text *out)) {
    const char *begin = strstr(*at, mark);
    assert_non_null(begin);
    const char *body = strchr(begin, '\n') + 1;
    put(out, *at, (size_t)(body - *at));
    say(out, "\n");
    write(out);
    say(out, "\n");
    *at = strstr(body, "<!-- end -->");
    assert_non_null(*at);
}

static void guide_is_up_to_date(void **state) {
    (void)state;
    static char guide[GUIDE_BYTES];
    static struct text wanted;
    FILE *file = fopen(GUIDE, "rb");
    assert_non_null(file);
    size_t length = fread(guide, 1, sizeof guide - 1, file);
    fclose(file);
    guide[length] = '\0';
    const char *at = guide;
    part(&wanted, &at, "<!-- built-in:", put_builtin);
    part(&wanted, &at, "<!-- modes:", put_modes);
    say(&wanted, at);
    if (getenv("MURPHY_WRITE") != NULL) {
        file = fopen(GUIDE, "wb");
        assert_non_null(file);
        assert_int_equal(fwrite(wanted.bytes, 1, wanted.length, file), wanted.length);
        assert_int_equal(fclose(file), 0);
    } else {
        assert_string_equal(guide, wanted.bytes);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(guide_is_up_to_date),
    };
    return cmocka_run_group_tests_name("contracts guide", tests, NULL, NULL);
}
