/* Producers that move to another contract version (B9). */
#include "sim/producers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/contract.h"

static const struct workload_options options = {
    .seed = 1,
    .start = {INT64_C(1772409600) * VTIME_SECOND},
    .duration_ns = 4 * VTIME_HOUR,
    .catalogue_load_ns = 10 * VTIME_MINUTE,
    .listings = 60,
    .events = 900,
    .sellers = 9,
};

static struct workload *workload_of(const struct workload_contract *contracts, size_t count) {
    struct workload_options o = options;
    struct workload_error error;
    o.contracts = contracts;
    o.contract_count = count;
    struct workload *w = workload_new(&o, &error);
    assert_non_null(w);
    return w;
}

static bool names(struct bytes value, enum field_id id, const char *name, struct field *out) {
    struct record record;
    struct record_error error;
    assert_int_equal(record_decode_claimed(value, &record, &error), 0);
    for (struct field_cursor c = record_fields(&record); record_fields_next(&c, out);) {
        if (out->id == id && bytes_equal(out->name, bytes_of(name))) {
            return true;
        }
    }
    return false;
}

/* A share of the listings have moved, always the same; what they say is what they would have said,
 * with the attribute; the row has it too. */
static void attribute_comes_with_the_version(void **state) {
    (void)state;
    static const struct workload_contract moved = {.feed = TOPIC_LISTING,
                                                   .version = 2,
                                                   .from_ns = VTIME_HOUR,
                                                   .share_ppm = 500000,
                                                   .attribute = "eco_score",
                                                   .attribute_max = 7};
    struct workload *plain = workload_of(NULL, 0), *w = workload_of(&moved, 1);
    struct workload_op was, is;
    size_t old = 0, new = 0;
    while (workload_next(plain, &was)) {
        assert_true(workload_next(w, &is));
        assert_true(is.at.ns == was.at.ns && is.key == was.key && is.topic == was.topic);
        assert_true(bytes_equal(was.meaning, was.value));
        struct record record;
        struct record_error error;
        if (is.kind == OP_POISON || record_decode(is.value, &record, &error) != 0) {
            continue;
        }
        bool late_enough = vtime_diff(is.at, options.start) >= VTIME_HOUR;
        bool upsert = record.type == RECORD_LISTING && record.op == RECORD_UPSERT;
        struct field field;
        if (record.contract_version == 1) {
            assert_true(bytes_equal(is.value, was.value));
            old += late_enough && is.topic == TOPIC_LISTING;
            continue;
        }
        assert_true(late_enough && is.topic == TOPIC_LISTING && record.contract_version == 2);
        new ++;
        assert_int_equal(names(is.value, FIELD_ATTRIBUTE, "eco_score", &field), upsert);
        assert_true(!upsert || (field.integer >= 1 && field.integer <= 7));
        bool in_row = false;
        for (size_t i = 0; i < is.listing.attribute_count; i++) {
            in_row |= bytes_equal(is.listing.attributes[i].name, bytes_of("eco_score"));
        }
        assert_int_equal(in_row, upsert);
    }
    assert_true(old > 50 && new > 50);
    workload_free(plain);
    workload_free(w);
}

/* A price as text means the price. */
static void price_as_text(void **state) {
    (void)state;
    static const struct workload_contract moved = {
        .feed = TOPIC_LISTING, .version = 3, .share_ppm = 1000000, .price_as_text = true};
    struct workload *w = workload_of(&moved, 1);
    struct workload_op op;
    size_t prices = 0;
    while (workload_next(w, &op)) {
        struct field said, meant;
        int64_t price = 0;
        if (op.kind == OP_POISON || op.topic != TOPIC_LISTING ||
            !names(op.meaning, FIELD_PRICE, "", &meant) || meant.type != VALUE_INTEGER) {
            continue;
        }
        assert_true(names(op.value, FIELD_PRICE, "", &said));
        assert_int_equal(said.type, VALUE_TEXT);
        assert_true(contract_decimal(said.text, &price));
        assert_true(price == meant.integer);
        prices++;
    }
    assert_true(prices > 50);
    workload_free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attribute_comes_with_the_version),
        cmocka_unit_test(price_as_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
