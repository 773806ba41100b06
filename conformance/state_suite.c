/*
 * The conformance suite of the state port (A15): what every machine leans on when it restarts, held
 * by the fake and by a PostgreSQL; and a long random play in which a subject must answer as the
 * fake does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conformance/state_subject.h"
#include "conformance/suite.h"
#include "sim/prng.h"

#define GROUP "builder"
enum { SAID_MAX = 2048 };

SUITE_SUBJECTS(state)

static int save(struct state_subject *s, uint32_t partition, uint32_t generation,
                const char *offsets, const struct state_entry *entries, size_t count) {
    return s->port.ops->save(s->port.ctx, (vtime){1}, GROUP, partition, generation,
                             bytes_of(offsets), entries, count);
}

/* "offsets|key:value key:value " as one text. */
struct said {
    char text[SAID_MAX];
    size_t stop_after; /* entries; 0: never */
    size_t entries;
};

static int say(void *ctx, uint64_t key, struct bytes value) {
    struct said *said = ctx;
    size_t used = strlen(said->text);
    snprintf(said->text + used, sizeof said->text - used, "%llu:%.*s ", (unsigned long long)key,
             (int)value.len, value.data);
    return ++said->entries == said->stop_after ? 42 : 0;
}

static const char *load(struct state_subject *s, uint32_t partition, uint32_t generation) {
    static struct said said;
    static char text[SAID_MAX + 256];
    said = (struct said){.text = ""};
    struct bytes offsets;
    assert_int_equal(s->port.ops->load(s->port.ctx, (vtime){1}, GROUP, partition, generation,
                                       &offsets, say, &said),
                     0);
    snprintf(text, sizeof text, "%.*s|%s", (int)offsets.len, offsets.data, said.text);
    return text;
}

/* Offsets are replaced, of the entries only those that are named; an empty value takes its key
 * away; entries come in the order of keys as unsigned numbers. */
static void saves_replace_what_they_name(void **state) {
    struct state_subject *s = *state;
    struct state_entry first[] = {
        {UINT64_MAX, bytes_of("z")}, {7, bytes_of("seven")}, {1, bytes_of("one")}};
    struct state_entry second[] = {{7, bytes_of("")}, {2, bytes_of("a")}, {2, bytes_of("two")}};
    assert_string_equal(load(s, 0, 1), "|");
    assert_int_equal(save(s, 0, 1, "o1", first, 3), 0);
    assert_string_equal(load(s, 0, 1), "o1|1:one 7:seven 18446744073709551615:z ");
    assert_int_equal(save(s, 0, 1, "o2", second, 3), 0);
    assert_string_equal(load(s, 0, 1), "o2|1:one 2:two 18446744073709551615:z ");
    assert_string_equal(load(s, 1, 1), "|");
}

/* Whoever saves or loads under a later generation keeps earlier owners out, and nothing of what
 * they bring is taken; a load is never refused. */
static void later_generations_fence(void **state) {
    struct state_subject *s = *state;
    struct state_entry entry = {1, bytes_of("mine")};
    struct state_entry stale = {1, bytes_of("stale")};
    assert_int_equal(save(s, 0, 3, "o3", &entry, 1), 0);
    assert_int_equal(save(s, 0, 2, "o2", &stale, 1), PORT_FENCED);
    assert_string_equal(load(s, 0, 2), "o3|1:mine ");
    assert_int_equal(save(s, 0, 3, "o4", NULL, 0), 0);
    assert_string_equal(load(s, 0, 5), "o4|1:mine ");
    assert_int_equal(save(s, 0, 4, "o5", &stale, 1), PORT_FENCED);
    assert_int_equal(save(s, 0, 5, "o6", NULL, 0), 0);
    assert_string_equal(load(s, 0, 1), "o6|1:mine ");
    assert_int_equal(save(s, 1, 1, "p1", NULL, 0), 0);
    (void)load(s, 2, 9); /* also where nothing was ever saved */
    assert_int_equal(save(s, 2, 8, "q8", NULL, 0), PORT_FENCED);
}

/* A single entry can be looked at without fencing anybody. */
static void peeks_fence_nobody(void **state) {
    struct state_subject *s = *state;
    struct state_entry entry = {6, {"\0\xff", 2}};
    struct bytes value;
    assert_int_equal(save(s, 0, 1, "o", &entry, 1), 0);
    assert_int_equal(s->port.ops->peek(s->port.ctx, (vtime){1}, GROUP, 0, 6, &value), 0);
    assert_true(bytes_equal(value, entry.value));
    assert_int_equal(s->port.ops->peek(s->port.ctx, (vtime){1}, GROUP, 0, 7, &value), 0);
    assert_int_equal(value.len, 0);
    assert_int_equal(s->port.ops->peek(s->port.ctx, (vtime){1}, "nobody", 0, 6, &value), 0);
    assert_int_equal(value.len, 0);
    assert_int_equal(save(s, 0, 1, "o", &entry, 1), 0);
}

/* Who reads entries may stop, and what it says is what the load answers. */
static void loads_stop_when_told(void **state) {
    struct state_subject *s = *state;
    struct state_entry entries[] = {{1, bytes_of("a")}, {2, bytes_of("b")}, {3, bytes_of("c")}};
    struct said said = {.stop_after = 2};
    struct bytes offsets;
    assert_int_equal(save(s, 0, 1, "o", entries, 3), 0);
    assert_int_equal(s->port.ops->load(s->port.ctx, (vtime){1}, GROUP, 0, 1, &offsets, say, &said),
                     42);
    assert_string_equal(said.text, "1:a 2:b ");
}

/* Whatever owners save and load in whatever order, a subject answers as the fake does. */
static void random_plays_agree_with_the_fake(void **state) {
    struct state_subject *s = *state;
    struct state_subject fake;
    assert_true(state_subject_fake(&fake));
    static const char *const values[] = {"", "a", "bb", "ccc"};
    struct prng p;
    prng_init(&p, 17, "state conformance");
    for (int step = 0; step < 500; step++) {
        uint32_t partition = (uint32_t)prng_below(&p, 3);
        uint32_t generation = (uint32_t)(1 + step / 40 + prng_range(&p, -1, 1));
        if (prng_ratio(&p, 1, 4)) {
            char expected[SAID_MAX + 256];
            strcpy(expected, load(&fake, partition, generation));
            assert_string_equal(load(s, partition, generation), expected);
            continue;
        }
        struct state_entry entries[4];
        size_t count = prng_below(&p, 5);
        for (size_t i = 0; i < count; i++) {
            entries[i] =
                (struct state_entry){prng_below(&p, 12), bytes_of(values[prng_below(&p, 4)])};
        }
        const char *offsets = values[prng_below(&p, 4)];
        assert_int_equal(save(s, partition, generation, offsets, entries, count),
                         save(&fake, partition, generation, offsets, entries, count));
    }
    fake.free(fake.ctx);
}

int state_suite_run(const char *name, bool (*make)(struct state_subject *out)) {
    const struct CMUnitTest tests[] = {
        TEST(saves_replace_what_they_name),
        TEST(later_generations_fence),
        TEST(peeks_fence_nobody),
        TEST(loads_stop_when_told),
        TEST(random_plays_agree_with_the_fake),
    };
    make_subject = make;
    return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}
