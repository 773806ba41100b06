/* The control topic (A10, A17): every command has a name of its own and says what it is for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/control.h"

/* A name finds its kind, and no other name finds one. */
static void names_are_found(void **state) {
    (void)state;
    for (enum control_kind kind = CONTROL_NONE + 1; kind < CONTROL_KIND_END; kind++) {
        const struct control_about *about = control_about(kind);
        assert_int_equal(control_find(about->name), kind);
        assert_true(strlen(about->about) > 0 && strlen(about->obeys) > 0);
    }
    assert_int_equal(control_find("nothing"), CONTROL_NONE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_found),
    };
    return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}
