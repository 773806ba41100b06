/*
 * The fake store of checkpoints (A15): saves are whole or nothing and fenced by generation, loads
 * come in key order, and random histories equal a naive model.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/fake_state_store.h"
#include "sim/prng.h"

#define NOW ((vtime){INT64_C(1700000000000000000)})
#define GROUP "builder"

static int save(struct fake_state_store *s, uint32_t partition, uint32_t generation,
                const char *offsets, const struct state_entry *entries, size_t count) {
    struct state_port port = fake_state_store_port(s);
    return port.ops->save(port.ctx, NOW, GROUP, partition, generation, bytes_of(offsets), entries,
                          count);
}

/* What a load hands out, as text: "offsets|key=value key=value ". */
struct reading {
    char text[512];
    size_t entries_max; /* refuse the entry after this many */
    size_t entries;
};

static int read_entry(void *ctx, uint64_t key, struct bytes value) {
    struct reading *r = ctx;
    if (r->entries == r->entries_max) {
        return -77;
    }
    size_t used = strlen(r->text);
    (void)snprintf(r->text + used, sizeof r->text - used, "%llu=%.*s ", (unsigned long long)key,
                   (int)value.len, value.data);
    r->entries++;
    return 0;
}

static const char *load(struct fake_state_store *s, uint32_t partition, uint32_t generation) {
    static char text[600];
    struct state_port port = fake_state_store_port(s);
    struct reading r = {.entries_max = SIZE_MAX};
    struct bytes offsets = {"?", 1};
    assert_int_equal(
        port.ops->load(port.ctx, NOW, GROUP, partition, generation, &offsets, read_entry, &r), 0);
    (void)snprintf(text, sizeof text, "%.*s|%s", (int)offsets.len,
                   offsets.len == 0 ? "" : offsets.data, r.text);
    return text;
}

static struct state_entry entry(uint64_t key, const char *value) {
    return (struct state_entry){key, bytes_of(value)};
}

/* Offsets and entries come back together; keys in order, whatever the order of saving. */
static void loads_what_was_saved_in_key_order(void **state) {
    (void)state;
    struct fake_state_store *s = fake_state_store_new();
    const struct state_entry entries[] = {entry(UINT64_MAX, "last"), entry(7, "b"), entry(0, "a")};
    assert_string_equal(load(s, 3, 1), "|");
    assert_int_equal(save(s, 3, 1, "at 10", entries, 3), 0);
    assert_string_equal(load(s, 3, 1), "at 10|0=a 7=b 18446744073709551615=last ");
    assert_string_equal(load(s, 4, 1), "|");
    fake_state_store_check(s);
    fake_state_store_free(s);
}

/* A save touches the keys that it names and no others; an empty value takes its key away. */
static void saves_are_incremental(void **state) {
    (void)state;
    struct fake_state_store *s = fake_state_store_new();
    const struct state_entry first[] = {entry(1, "one"), entry(2, "two"), entry(3, "three")};
    const struct state_entry second[] = {entry(2, "a longer second value"), entry(3, ""),
                                         entry(9, "")};
    assert_int_equal(save(s, 0, 1, "a", first, 3), 0);
    assert_int_equal(save(s, 0, 1, "b", second, 3), 0);
    assert_string_equal(load(s, 0, 1), "b|1=one 2=a longer second value ");
    assert_int_equal(save(s, 0, 1, "", NULL, 0), 0);
    assert_string_equal(load(s, 0, 1), "|1=one 2=a longer second value ");
    fake_state_store_check(s);
    fake_state_store_free(s);
}

/* One save may name a key more than once: the last entry holds, also across an empty one. */
static void the_last_entry_of_a_key_holds(void **state) {
    (void)state;
    struct fake_state_store *s = fake_state_store_new();
    const struct state_entry first[] = {entry(1, "x"), entry(1, "yy"), entry(2, "zz"),
                                        entry(2, "")};
    assert_int_equal(save(s, 0, 1, "", first, 4), 0);
    assert_string_equal(load(s, 0, 1), "|1=yy ");
    const struct state_entry second[] = {entry(1, ""), entry(1, "v")};
    assert_int_equal(save(s, 0, 1, "", second, 2), 0);
    assert_string_equal(load(s, 0, 1), "|1=v ");
    fake_state_store_check(s);
    fake_state_store_free(s);
}

/* The store keeps copies: what the caller does with its buffers afterwards does not matter. */
static void values_are_copied(void **state) {
    (void)state;
    struct fake_state_store *s = fake_state_store_new();
    char value[] = "kept";
    const struct state_entry one = {5, {value, 4}};
    assert_int_equal(save(s, 0, 1, "", &one, 1), 0);
    memset(value, 'x', 4);
    assert_string_equal(load(s, 0, 1), "|5=kept ");
    fake_state_store_free(s);
}

/* A value that fits where the last one was is written over it: steady state allocates nothing. */
static void values_that_fit_are_written_over(void **state) {
    (void)state;
    struct fake_state_store *s = fake_state_store_new();
    const struct state_entry first = entry(5, "twelve bytes");
    const struct state_entry second = entry(5, "shorter");
    assert_int_equal(save(s, 0, 1, "", &first, 1), 0);
    const char *at = fake_state_store_value(s, GROUP, 0, 5).data;
    assert_int_equal(save(s, 0, 1, "", &second, 1), 0);
    assert_ptr_equal(fake_state_store_value(s, GROUP, 0, 5).data, at);
    assert_true(bytes_equal(fake_state_store_value(s, GROUP, 0, 5), bytes_of("shorter")));
    fake_state_store_free(s);
}

/* After a later generation saved, an earlier one is refused and changes nothing: a zombie's
 * checkpoint is lost, not its successor's (A15). */
static void saves_of_past_generations_are_fenced(void **state) {
    (void)state;
    struct fake_state_store *s = fake_state_store_new();
    const struct state_entry mine = entry(1, "mine");
    const struct state_entry zombie[] = {entry(1, "zombie"), entry(2, "zombie")};
    assert_int_equal(save(s, 0, 2, "two", &mine, 1), 0);
    assert_int_equal(save(s, 0, 1, "one", zombie, 2), PORT_FENCED);
    assert_string_equal(load(s, 0, 2), "two|1=mine ");
    assert_int_equal(save(s, 0, 2, "two again", &mine, 1), 0);
    assert_int_equal(save(s, 1, 1, "other partition", zombie, 2), 0);
    fake_state_store_free(s);
}

/* Loading is enough to fence: nothing may change under the one that read last. A load of an
 * earlier generation reads, and does not lower the fence. */
static void loads_fence_past_generations(void **state) {
    (void)state;
    struct fake_state_store *s = fake_state_store_new();
    const struct state_entry one = entry(1, "v");
    assert_int_equal(save(s, 0, 1, "a", &one, 1), 0);
    assert_string_equal(load(s, 0, 5), "a|1=v ");
    assert_int_equal(save(s, 0, 4, "b", &one, 1), PORT_FENCED);
    assert_string_equal(load(s, 0, 3), "a|1=v ");
    assert_int_equal(save(s, 0, 4, "b", &one, 1), PORT_FENCED);
    assert_int_equal(save(s, 0, 5, "b", &one, 1), 0);
    struct fake_state_info info;
    assert_true(fake_state_store_find(s, GROUP, 0, &info));
    assert_int_equal(info.fenced, 2);
    assert_int_equal(info.generation, 5);
    fake_state_store_free(s);
}

/* A reader that gives up stops the load, and its reason comes back. */
static void a_load_stops_when_its_reader_does(void **state) {
    (void)state;
    struct fake_state_store *s = fake_state_store_new();
    const struct state_entry entries[] = {entry(1, "a"), entry(2, "b"), entry(3, "c")};
    assert_int_equal(save(s, 0, 1, "", entries, 3), 0);
    struct state_port port = fake_state_store_port(s);
    struct reading r = {.entries_max = 2};
    struct bytes offsets;
    assert_int_equal(port.ops->load(port.ctx, NOW, GROUP, 0, 1, &offsets, read_entry, &r), -77);
    assert_string_equal(r.text, "1=a 2=b ");
    assert_int_equal(save(s, 0, 1, "", entries, 3), 0);
    fake_state_store_free(s);
}

/* Checkpoints are listed by group and partition, with what they hold and what was done to them. */
static void checkpoints_are_listed_in_order(void **state) {
    (void)state;
    struct fake_state_store *s = fake_state_store_new();
    const struct state_entry entries[] = {entry(1, "abc"), entry(2, "de")};
    struct state_port port = fake_state_store_port(s);
    assert_int_equal(save(s, 9, 1, "xyz", entries, 2), 0);
    assert_int_equal(save(s, 9, 1, "xyz", entries, 1), 0);
    assert_int_equal(save(s, 2, 1, "", NULL, 0), 0);
    assert_int_equal(port.ops->save(port.ctx, NOW, "archive", 4, 1, (struct bytes){0}, entries, 1),
                     0);
    assert_int_equal(fake_state_store_count(s), 3);
    assert_string_equal(fake_state_store_info(s, 0).group, "archive");
    assert_int_equal(fake_state_store_info(s, 1).partition, 2);
    struct fake_state_info nine = fake_state_store_info(s, 2);
    assert_string_equal(nine.group, GROUP);
    assert_int_equal(nine.partition, 9);
    assert_int_equal(nine.saves, 2);
    assert_int_equal(nine.entries, 2);
    assert_int_equal(nine.bytes, 5);
    assert_true(bytes_equal(nine.offsets, bytes_of("xyz")));
    assert_false(fake_state_store_find(s, "archive", 9, &nine));
    assert_int_equal(fake_state_store_value(s, "archive", 9, 1).len, 0);
    assert_int_equal(fake_state_store_value(s, GROUP, 9, 3).len, 0);
    fake_state_store_check(s);
    fake_state_store_free(s);
}

/* A wiped checkpoint is as if it had never been, its fence included; its neighbours stay and the
 * count of saves goes on. */
static void wiping_loses_one_checkpoint(void **state) {
    (void)state;
    struct fake_state_store *s = fake_state_store_new();
    const struct state_entry one = entry(1, "v");
    assert_int_equal(save(s, 0, 5, "a", &one, 1), 0);
    assert_int_equal(save(s, 1, 5, "b", &one, 1), 0);
    assert_true(fake_state_store_wipe(s, GROUP, 0));
    assert_false(fake_state_store_wipe(s, GROUP, 0));
    assert_false(fake_state_store_wipe(s, GROUP, 2));
    assert_string_equal(load(s, 0, 1), "|");
    assert_string_equal(load(s, 1, 5), "b|1=v ");
    assert_int_equal(save(s, 0, 1, "c", &one, 1), 0);
    assert_string_equal(load(s, 0, 1), "c|1=v ");
    assert_int_equal(fake_state_store_info(s, 0).saves, 2);
    fake_state_store_check(s);
    fake_state_store_free(s);
}

/* Rot flips one bit of one entry, which one a number says, and it stays so until the next save. */
static void rot_flips_one_bit(void **state) {
    (void)state;
    struct fake_state_store *s = fake_state_store_new();
    const struct state_entry two[] = {entry(1, "a"), entry(2, "a")};
    assert_false(fake_state_store_rot(s, GROUP, 0, 0));
    assert_int_equal(save(s, 0, 5, "o", two, 2), 0);
    assert_false(fake_state_store_rot(s, GROUP, 1, 0));
    assert_true(fake_state_store_rot(s, GROUP, 0, 1 + 2 * 1));
    assert_string_equal(load(s, 0, 5), "o|1=a 2=c ");
    assert_true(fake_state_store_rot(s, GROUP, 0, 0));
    assert_string_equal(load(s, 0, 5), "o|1=` 2=c ");
    assert_int_equal(save(s, 0, 5, "o", two, 1), 0);
    assert_string_equal(load(s, 0, 5), "o|1=a 2=c ");
    fake_state_store_check(s);
    fake_state_store_free(s);
}

/* ---- Against a naive model ---- */

#define KEYS 60
#define PARTITIONS 2
#define VALUE_MAX 100

/* Every key that a test uses, with the length and first byte of its value; 0 long: no value. The
 * keys are neighbours, and far apart with equal low or high halves, which a hash could confuse. */
struct model_value {
    uint64_t key;
    size_t len;
    char fill;
};
struct model {
    struct model_value values[KEYS];
    uint32_t generation;
    uint32_t offsets;
    bool saved;
};

static uint64_t key_of(size_t i) {
    switch (i % 3) {
    case 0:
        return i;
    case 1:
        return (uint64_t)i << 32;
    default:
        return UINT64_MAX - i * UINT64_C(0x100000001);
    }
}

static struct model_value *model_find(struct model *m, uint64_t key) {
    for (size_t i = 0; i < KEYS; i++) {
        if (m->values[i].key == key) {
            return &m->values[i];
        }
    }
    fail();
    return NULL;
}

struct comparison {
    struct model *m;
    bool begun;
    uint64_t last;
    size_t seen;
};

static int compare_entry(void *ctx, uint64_t key, struct bytes value) {
    struct comparison *c = ctx;
    const struct model_value *expected = model_find(c->m, key);
    assert_true(!c->begun || c->last < key);
    c->begun = true;
    c->last = key;
    c->seen++;
    assert_int_equal(value.len, expected->len);
    for (size_t i = 0; i < value.len; i++) {
        assert_int_equal(value.data[i], (char)(expected->fill + (char)(i % 7)));
    }
    return 0;
}

static void play_load(struct fake_state_store *s, struct model *m, uint32_t partition,
                      uint32_t generation) {
    struct state_port port = fake_state_store_port(s);
    struct comparison c = {.m = m};
    struct bytes offsets;
    size_t held = 0;
    for (size_t i = 0; i < KEYS; i++) {
        held += m->values[i].len > 0;
    }
    assert_int_equal(
        port.ops->load(port.ctx, NOW, GROUP, partition, generation, &offsets, compare_entry, &c),
        0);
    assert_int_equal(c.seen, held);
    assert_int_equal(offsets.len, m->saved ? sizeof m->offsets : 0);
    assert_true(!m->saved || memcmp(offsets.data, &m->offsets, sizeof m->offsets) == 0);
    m->generation = m->generation < generation ? generation : m->generation;
}

static void play_save(struct fake_state_store *s, struct model *m, struct prng *p,
                      uint32_t partition, uint32_t generation) {
    struct state_port port = fake_state_store_port(s);
    struct state_entry entries[20];
    struct model_value chosen[20];
    char buffers[20][VALUE_MAX];
    size_t count = prng_below(p, 21);
    uint32_t offsets = (uint32_t)prng_next(p);
    for (size_t i = 0; i < count; i++) {
        size_t len = prng_ratio(p, 1, 3) ? 0 : prng_below(p, VALUE_MAX + 1);
        chosen[i] =
            (struct model_value){key_of(prng_below(p, KEYS)), len, (char)prng_range(p, 'a', 'p')};
        for (size_t j = 0; j < len; j++) {
            buffers[i][j] = (char)(chosen[i].fill + (char)(j % 7));
        }
        entries[i] = (struct state_entry){chosen[i].key, {buffers[i], len}};
    }
    bool fenced = generation < m->generation;
    assert_int_equal(port.ops->save(port.ctx, NOW, GROUP, partition, generation,
                                    (struct bytes){(const char *)&offsets, sizeof offsets}, entries,
                                    count),
                     fenced ? PORT_FENCED : 0);
    for (size_t i = 0; i < count && !fenced; i++) {
        *model_find(m, chosen[i].key) = chosen[i];
    }
    if (!fenced) {
        m->generation = generation;
        m->offsets = offsets;
        m->saved = true;
    }
}

static void model_reset(struct model *m) {
    *m = (struct model){0};
    for (size_t i = 0; i < KEYS; i++) {
        m->values[i].key = key_of(i);
    }
}

static void play(uint64_t seed) {
    struct model models[PARTITIONS];
    struct prng p;
    prng_init(&p, seed, "test.fake_state_store");
    struct fake_state_store *s = fake_state_store_new();
    for (size_t i = 0; i < PARTITIONS; i++) {
        model_reset(&models[i]);
    }
    uint32_t newest = 1;
    static const uint64_t weights[] = {60, 30, 1};
    for (int step = 0; step < 200; step++) {
        uint32_t partition = (uint32_t)prng_below(&p, PARTITIONS);
        newest += prng_ratio(&p, 1, 10);
        uint32_t generation = newest - (uint32_t)prng_below(&p, newest < 3 ? newest : 3);
        switch (prng_weighted(&p, weights, 3)) {
        case 0:
            play_save(s, &models[partition], &p, partition, generation);
            break;
        case 1:
            play_load(s, &models[partition], partition, generation);
            break;
        default:
            (void)fake_state_store_wipe(s, GROUP, partition);
            model_reset(&models[partition]);
        }
        fake_state_store_check(s);
    }
    for (uint32_t i = 0; i < PARTITIONS; i++) {
        play_load(s, &models[i], i, newest);
    }
    fake_state_store_free(s);
}

/* Whatever is saved, loaded, fenced and wiped, in any order, the store holds what a list would. */
static void store_equals_a_plain_list(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 500; seed++) {
        play(seed);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loads_what_was_saved_in_key_order),
        cmocka_unit_test(saves_are_incremental),
        cmocka_unit_test(the_last_entry_of_a_key_holds),
        cmocka_unit_test(values_are_copied),
        cmocka_unit_test(values_that_fit_are_written_over),
        cmocka_unit_test(saves_of_past_generations_are_fenced),
        cmocka_unit_test(loads_fence_past_generations),
        cmocka_unit_test(a_load_stops_when_its_reader_does),
        cmocka_unit_test(checkpoints_are_listed_in_order),
        cmocka_unit_test(wiping_loses_one_checkpoint),
        cmocka_unit_test(rot_flips_one_bit),
        cmocka_unit_test(store_equals_a_plain_list),
    };
    return cmocka_run_group_tests_name("fake_state_store", tests, NULL, NULL);
}
