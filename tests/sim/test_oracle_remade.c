/* Whom a change of the reference tables touches (A4): the oracle's check of it, told right and
 * wrong. */
#include "tests/sim/oracle_world.h"

/* Two listings of one category, and one of another. */
static struct world *shop(void) {
    struct world *w = world_new();
    for (uint64_t id = 1; id <= 3; id++) {
        done(w, creation(w, id));
        done(w, classification(w, id, id < 3 ? "kettles" : "lamps"));
    }
    return w;
}

static struct message moved(struct world *w, const char *category, const char *path) {
    struct message m = taxonomy(w, category, path);
    said(w, OP_REFERENCE, &m);
    pass(w, 1);
    fed(w, &m);
    return m;
}

/* Those that name the category are re-made, and nobody else: that is right. */
static void just_those_that_name_it(void **state) {
    (void)state;
    struct world *w = shop();
    struct message m = moved(w, "kettles", "Kitchen > Kettles");
    fan_out(w, &m, 1, 2);
    finish(w);
    assert_only(w, "");
    assert_status(w, "remade-exactly", ORACLE_PASS);
    world_free(w);
}

/* A listing that left the category may be told: the router cannot know that it stays away. */
static void those_that_named_it_once(void **state) {
    (void)state;
    struct world *w = shop();
    done(w, classification(w, 2, "lamps"));
    struct message m = moved(w, "kettles", "Kitchen > Kettles");
    fan_out(w, &m, 1, 2);
    finish(w);
    assert_only(w, "");
    world_free(w);
}

/* A listing that never named it is told: needless, though no store says anything wrong. */
static void a_needless_one_is_noticed(void **state) {
    (void)state;
    struct world *w = shop();
    struct message m = moved(w, "kettles", "Kitchen > Kettles");
    fan_out(w, &m, 1, 3);
    finish(w);
    assert_only(w, "remade-exactly");
    world_free(w);
}

/* One of those that name it is forgotten. */
static void a_forgotten_one_is_noticed(void **state) {
    (void)state;
    struct world *w = shop();
    struct message m = moved(w, "kettles", "Kitchen > Kettles");
    fan_out(w, &m, 1, 1);
    finish(w);
    assert_only(w, "remade-exactly convergence");
    world_free(w);
}

/* Of two paths the one with the greater stamp counts, whichever comes last. */
static void the_last_word_counts(void **state) {
    (void)state;
    struct world *w = shop();
    struct message older = taxonomy(w, "lamps", "Home > Lamps");
    struct message newer = moved(w, "lamps", "Garden > Lamps");
    fan_out(w, &newer, 3, 3);
    said(w, OP_REFERENCE, &older);
    fed(w, &older);
    fan_out(w, &older, 3, 3);
    finish(w);
    assert_only(w, "");
    world_free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(just_those_that_name_it),   cmocka_unit_test(those_that_named_it_once),
        cmocka_unit_test(a_needless_one_is_noticed), cmocka_unit_test(a_forgotten_one_is_noticed),
        cmocka_unit_test(the_last_word_counts),
    };
    return cmocka_run_group_tests_name("oracle_remade", tests, NULL, NULL);
}
