/*
 * Labels keep their number and their text however many come after them, and equal texts share one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "sim/label_set.h"

enum { LABELS = 1000 };

static struct bytes name_of(char *buffer, size_t size, unsigned i) {
    int length = snprintf(buffer, size, "category/%u", i * i);
    return (struct bytes){buffer, (size_t)length};
}

/* Numbers go up in the order of arrival; finding and reading back agree with them at any size. */
static void labels_keep_number_and_text(void **state) {
    (void)state;
    struct label_set set;
    char name[40];
    uint32_t label = 0;
    label_set_init(&set);
    assert_int_equal(label_set_find(&set, bytes_of("category/1")), LABEL_NONE);
    for (unsigned i = 1; i <= LABELS; i++) {
        assert_int_equal(label_set_intern(&set, name_of(name, sizeof(name), i), &label), 0);
        assert_int_equal(label, i);
        unsigned earlier = 1 + i / 3 * 7 % i;
        struct bytes text = name_of(name, sizeof(name), earlier);
        assert_int_equal(label_set_intern(&set, text, &label), 0);
        assert_int_equal(label, earlier);
    }
    for (unsigned i = 1; i <= LABELS; i++) {
        struct bytes text = name_of(name, sizeof(name), i);
        assert_int_equal(label_set_find(&set, text), i);
        assert_true(bytes_equal(label_set_text(&set, i), text));
        assert_ptr_not_equal(label_set_text(&set, i).data, name);
    }
    assert_int_equal(label_set_find(&set, bytes_of("category/2")), LABEL_NONE);
    label_set_release(&set);
}

/* The empty text is number 0 from the start and has no bytes. */
static void the_empty_text_is_a_label(void **state) {
    (void)state;
    struct label_set set;
    uint32_t label = 9;
    label_set_init(&set);
    assert_int_equal(label_set_intern(&set, (struct bytes){0, 0}, &label), 0);
    assert_int_equal(label, LABEL_EMPTY);
    assert_int_equal(label_set_find(&set, bytes_of("")), LABEL_EMPTY);
    assert_null(label_set_text(&set, LABEL_EMPTY).data);
    label_set_release(&set);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_keep_number_and_text),
        cmocka_unit_test(the_empty_text_is_a_label),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
