/*
 * The generated marketplace (A1): the same bytes from the same seed, rows that are the fold of
 * their records, and operations of the kinds, shares and times that were asked for. Seeds are fixed
 * and bounds on shares are wide, so a test passes always or never.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "pipeline/little_endian.h"
#include "sim/catalogue.h"
#include "sim/poison.h"
#include "tests/sim/fold_ops.h"

static struct workload_options ordinary(uint64_t seed) {
    return (struct workload_options){
        .seed = seed,
        .start = {INT64_C(1700000000) * VTIME_SECOND},
        .duration_ns = 4 * VTIME_HOUR,
        .catalogue_load_ns = 30 * VTIME_MINUTE,
        .listings = 300,
        .events = 6000,
        .sellers = 40,
        .skew_quarters = 4,
        .media_first_percent = 30,
        .media_lead_ns_max = VTIME_MINUTE,
        .media_lag_ns_max = 5 * VTIME_MINUTE,
        .description_words = 40,
    };
}

static struct workload *open_workload(const struct workload_options *options) {
    struct workload_error error = {""};
    struct workload *w = workload_new(options, &error);
    if (w == NULL) {
        fail_msg("%s", error.text);
    }
    return w;
}

static uint64_t digest_all(const struct workload_options *options) {
    struct workload *w = open_workload(options);
    struct workload_op op;
    uint64_t sum = DIGEST_START;
    while (workload_next(w, &op)) {
        sum = digest_op(sum, &op);
    }
    workload_free(w);
    return sum;
}

/* The same seed gives the same bytes, in one process and from every compiler (D3). */
static void a_seed_gives_the_same_operations(void **state) {
    (void)state;
    struct workload_options options = ordinary(1);
    uint64_t sum = digest_all(&options);
    assert_true(sum == digest_all(&options));
    if (sum != UINT64_C(0x7583c31965214a54)) {
        fail_msg("digest is 0x%016" PRIx64, sum);
    }
}

/* Another seed is another day. */
static void another_seed_gives_other_operations(void **state) {
    (void)state;
    uint64_t seen[20];
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct workload_options options = ordinary(seed);
        seen[seed] = digest_all(&options);
        for (uint64_t other = 0; other < seed; other++) {
            assert_true(seen[seed] != seen[other]);
        }
    }
}

static void fold_all(const struct workload_options *options) {
    struct workload *w = open_workload(options);
    struct fold fold;
    fold_init(&fold);
    struct workload_op op;
    while (workload_next(w, &op)) {
        fold_op(&fold, &op);
    }
    workload_free(w);
    fold_release(&fold);
}

/* Options of every shape: few and many of everything, weights at random, crowded and roomy times.
 */
static struct workload_options random_options(struct prng *p) {
    struct workload_options o = ordinary(prng_next(p));
    static const int64_t lengths[] = {VTIME_MILLISECOND, VTIME_SECOND, VTIME_HOUR, 30 * VTIME_DAY};
    o.listings = 1 + prng_below(p, 150);
    o.events = 8 * o.listings + prng_below(p, 2000);
    o.sellers = 1 + prng_below(p, 30);
    o.duration_ns = lengths[prng_below(p, 4)];
    o.catalogue_load_ns = prng_range(p, 0, o.duration_ns);
    o.skew_quarters = (unsigned)prng_below(p, 9);
    o.media_first_percent = (uint32_t)prng_below(p, 101);
    o.media_lead_ns_max = prng_range(p, 0, o.duration_ns);
    o.media_lag_ns_max = prng_range(p, 0, o.duration_ns);
    o.description_words = (uint32_t)(prng_ratio(p, 1, 8) ? 0 : prng_below(p, 120));
    uint32_t *weights[] = {&o.weight_create,     &o.weight_price,     &o.weight_text,
                           &o.weight_attributes, &o.weight_images,    &o.weight_delete,
                           &o.weight_recreate,   &o.weight_policy,    &o.weight_order,
                           &o.weight_poison,     &o.weight_correction};
    bool some = prng_ratio(p, 3, 4);
    for (size_t i = 0; i < sizeof weights / sizeof weights[0]; i++) {
        *weights[i] = some && prng_ratio(p, 2, 3) ? (uint32_t)prng_below(p, 20) : 0;
    }
    return o;
}

/* The row that the application keeps is what its published records fold to, whatever the mix (A3):
 * otherwise the pipeline could be right and still differ from its source. */
static void rows_are_the_fold_of_their_records(void **state) {
    (void)state;
    struct workload_options options = ordinary(7);
    options.events = 20000;
    fold_all(&options);
    struct prng p;
    prng_init(&p, 8, "test");
    for (int i = 0; i < 60; i++) {
        options = random_options(&p);
        fold_all(&options);
    }
}

static int by_value(const void *a, const void *b) {
    const struct event_id *x = a;
    const struct event_id *y = b;
    return event_id_compare(*x, *y);
}

/* Operations are counted, come in order of time within the run, and are told by peek; event ids are
 * UUIDs of version 4, none twice. */
static void times_rise_and_ids_are_unique(void **state) {
    (void)state;
    struct prng p;
    prng_init(&p, 9, "test");
    for (int run = 0; run < 40; run++) {
        struct workload_options options = run == 0 ? ordinary(3) : random_options(&p);
        struct workload *w = open_workload(&options);
        struct event_id *ids = calloc(options.events, sizeof *ids);
        assert_non_null(ids);
        struct workload_op op;
        uint64_t count = 0, stamped = 0;
        vtime last = {options.start.ns - 1};
        vtime peeked = workload_peek(w);
        while (workload_next(w, &op)) {
            assert_true(op.at.ns == peeked.ns && op.at.ns > last.ns);
            assert_true(op.at.ns < options.start.ns + options.duration_ns);
            count++;
            if (op.kind != OP_POISON) {
                assert_true((op.stamp.id.hi >> 12 & 15) == 4 && op.stamp.id.lo >> 62 == 2);
                ids[stamped++] = op.stamp.id;
            }
            last = op.at;
            peeked = workload_peek(w);
        }
        assert_true(peeked.ns == VTIME_NEVER.ns);
        assert_false(workload_next(w, &op));
        assert_true(count == options.events && workload_total(w) == count);
        assert_true(workload_end(w).ns == options.start.ns + options.duration_ns);
        qsort(ids, stamped, sizeof *ids, by_value);
        for (uint64_t i = 1; i < stamped; i++) {
            assert_true(event_id_compare(ids[i - 1], ids[i]) < 0);
        }
        free(ids);
        workload_free(w);
    }
}

/* The catalogue is there when its load is over, whole, and the operations fill the rest evenly. */
static void the_load_ends_and_the_day_is_filled(void **state) {
    (void)state;
    struct workload_options options = ordinary(4);
    options.events = 20000;
    struct workload *w = open_workload(&options);
    struct workload_op op;
    uint64_t created = 0;
    uint64_t halves[2] = {0, 0};
    int64_t load_end = options.start.ns + options.catalogue_load_ns;
    int64_t half = (options.duration_ns - options.catalogue_load_ns) / 2;
    int64_t last = 0;
    while (workload_next(w, &op)) {
        if (op.at.ns < load_end) {
            created += op.kind == OP_LISTING_CREATE;
            assert_true(op.kind == OP_LISTING_CREATE || op.kind == OP_MEDIA);
        } else {
            halves[op.at.ns >= load_end + half]++;
        }
        last = op.at.ns;
    }
    assert_true(created == options.listings);
    assert_in_range(halves[0] * 100 / (halves[0] + halves[1]), 46, 54);
    assert_true(options.start.ns + options.duration_ns - last < options.duration_ns / 500);
    workload_free(w);
}

/* What happened, told from the records alone. */
enum happening {
    HAPPENED_CREATE,
    HAPPENED_PRICE,
    HAPPENED_TEXT,
    HAPPENED_ATTRIBUTES,
    HAPPENED_IMAGES,
    HAPPENED_DELETE,
    HAPPENED_POLICY,
    HAPPENED_ORDER,
    HAPPENED_POISON,
    HAPPENED_MEDIA,
    HAPPENED_COUNT
};

static enum happening classify(const struct workload_op *op) {
    static const enum happening by_kind[OP_KIND_COUNT] = {
        [OP_LISTING_CREATE] = HAPPENED_CREATE, [OP_LISTING_DELETE] = HAPPENED_DELETE,
        [OP_MEDIA] = HAPPENED_MEDIA,           [OP_POLICY] = HAPPENED_POLICY,
        [OP_ORDER] = HAPPENED_ORDER,           [OP_POISON] = HAPPENED_POISON,
    };
    if (op->kind != OP_LISTING_UPDATE) {
        return by_kind[op->kind];
    }
    struct record r;
    struct record_error error;
    struct field f;
    assert_int_equal(record_decode(op->value, &r, &error), 0);
    struct field_cursor cursor = record_fields(&r);
    assert_true(record_fields_next(&cursor, &f)); /* an update names something */
    switch (f.id) {
    case FIELD_TITLE:
    case FIELD_DESCRIPTION:
        return HAPPENED_TEXT;
    case FIELD_PRICE:
        assert_int_equal(r.field_count, 1);
        return HAPPENED_PRICE;
    case FIELD_IMAGE_IDS:
        assert_int_equal(r.field_count, 1);
        return HAPPENED_IMAGES;
    default:
        assert_int_equal(f.id, FIELD_ATTRIBUTE);
        return HAPPENED_ATTRIBUTES;
    }
}

static void count_after_load(const struct workload_options *options, uint64_t *counts) {
    struct workload *w = open_workload(options);
    struct workload_op op;
    memset(counts, 0, HAPPENED_COUNT * sizeof *counts);
    while (workload_next(w, &op)) {
        if (op.at.ns >= options->start.ns + options->catalogue_load_ns) {
            counts[classify(&op)]++;
        }
    }
    workload_free(w);
}

/* Count i is weight i of `sum` of all that sellers and buyers did, within six deviations. */
static void assert_shares(const uint64_t *counts, const uint64_t *weights) {
    uint64_t sum = 0, total = 0;
    for (size_t i = 0; i < HAPPENED_MEDIA; i++) {
        sum += weights[i];
        total += counts[i];
    }
    for (size_t i = 0; i < HAPPENED_MEDIA; i++) {
        uint64_t expected = total * weights[i] / sum;
        uint64_t deviation = 1;
        while (deviation * deviation < expected) {
            deviation++;
        }
        uint64_t slack = 6 * deviation + 3;
        slack = weights[i] == 0 ? 0 : slack;
        assert_in_range(counts[i], expected > slack ? expected - slack : 0, expected + slack);
    }
}

/* Each kind of action takes its share: of the stated default mix, and of one's own. */
static void weights_are_respected(void **state) {
    (void)state;
    uint64_t counts[HAPPENED_COUNT];
    struct workload_options options = ordinary(5);
    options.events = 60000;
    count_after_load(&options, counts);
    const uint64_t ordinary_mix[] = {40, 600, 80, 80, 80, 25, 3, 90, 2};
    assert_shares(counts, ordinary_mix);
    assert_true(counts[HAPPENED_MEDIA] > counts[HAPPENED_CREATE]);

    options.weight_price = 3;
    options.weight_order = 1;
    count_after_load(&options, counts);
    const uint64_t own_mix[] = {0, 3, 0, 0, 0, 0, 0, 1, 0};
    assert_shares(counts, own_mix);
}

/* Images of a listing come before it, by no more than the lead, or after it, by no more than the
 * lag, as was asked for (A6). */
static void media_comes_first_or_after_as_asked(void **state) {
    (void)state;
    for (uint32_t percent = 0; percent <= 100; percent += 50) {
        struct workload_options options = ordinary(6);
        options.media_first_percent = percent;
        options.weight_create = 1;
        struct workload *w = open_workload(&options);
        struct workload_op op;
        struct fold early; /* media of listings that are not there yet */
        fold_init(&early);
        uint64_t first = 0, after = 0;
        while (workload_next(w, &op)) {
            assert_true(op.kind == OP_MEDIA || op.kind == OP_LISTING_CREATE);
            struct document *d = fold_document(&early, op.key);
            if (op.kind == OP_LISTING_CREATE) {
                if (d->image_count > 0) {
                    first++;
                    /* of rounding: a microsecond for each operation in between */
                    assert_true(op.at.ns - d->changed_at.ns <=
                                options.media_lead_ns_max + VTIME_MILLISECOND);
                }
            } else if (document_alive(d) && d->image_count == 0) {
                after++;
                assert_true(op.at.ns - d->changed_at.ns <=
                            options.media_lag_ns_max + VTIME_MILLISECOND);
            }
            bool keep = d->image_count == 0; /* changed_at: of the first event of each */
            if (op.kind == OP_LISTING_CREATE || keep) {
                fold_op(&early, &op);
            }
        }
        uint64_t share = first * 100 / (first + after);
        assert_in_range(share, percent == 50 ? 40 : percent, percent == 50 ? 60 : percent);
        fold_release(&early);
        workload_free(w);
    }
}

/* When all is said, living listings show the images that they name: media follows every creation,
 * recreation and change of images, and a tombstone's images are sent in again. */
static void media_catches_up(void **state) {
    (void)state;
    struct workload_options options = ordinary(11);
    options.events = 30000;
    options.weight_images = 10;
    options.weight_delete = options.weight_recreate = 5;
    struct workload *w = open_workload(&options);
    struct fold fold;
    fold_init(&fold);
    struct workload_op op;
    while (workload_next(w, &op)) {
        fold_op(&fold, &op);
    }
    uint64_t named = 0, shown = 0;
    for (size_t i = 0; i < fold.count; i++) {
        if (document_alive(&fold.documents[i])) {
            struct field ids = document_field(&fold.documents[i], FIELD_IMAGE_IDS);
            assert_int_equal(ids.type, VALUE_IDS);
            named += field_id_count(&ids);
            shown += document_visible_image_count(&fold.documents[i]);
        }
    }
    assert_true(named > 300);
    assert_true(shown <= named && named - shown < 10); /* the last operations have no followers */
    fold_release(&fold);
    workload_free(w);
}

/* Deleted listings come back with every field named and nothing null but what a listing may lack.
 */
static void recreated_listings_are_whole(void **state) {
    (void)state;
    struct workload_options options = ordinary(12);
    options.weight_attributes = 4;
    options.weight_delete = options.weight_recreate = 5;
    struct workload *w = open_workload(&options);
    struct fold fold;
    fold_init(&fold);
    struct workload_op op;
    uint64_t recreated = 0;
    while (workload_next(w, &op)) {
        if (op.kind == OP_LISTING_CREATE) {
            struct document *d = fold_document(&fold, op.key);
            assert_false(document_alive(d));
            recreated += !stamp_is_none(d->tombstone);
            struct record r;
            struct record_error error;
            assert_int_equal(record_decode(op.value, &r, &error), 0);
            assert_int_equal(r.field_count, 7 + op.listing.attribute_count);
            for (size_t i = 0; i < op.listing.attribute_count; i++) {
                assert_int_not_equal(op.listing.attributes[i].type, VALUE_NULL);
            }
        } else if (op.kind == OP_LISTING_DELETE) {
            assert_true(op.listing.deleted);
        }
        fold_op(&fold, &op);
    }
    assert_true(recreated > 500);
    fold_release(&fold);
    workload_free(w);
}

/* Anomalies (B10) come in their time and number, beside the ordinary operations, whose moments and
 * kinds stay as they were up to the first anomaly; rows and records of the whole still agree. */
static void anomalies_come_beside(void **state) {
    (void)state;
    struct workload_options calm = ordinary(21);
    int64_t step = 30 * VTIME_MINUTE;
    static struct workload_anomaly anomalies[ANOMALY_KIND_COUNT];
    int64_t first = 2 * step;
    for (int kind = 0; kind < ANOMALY_KIND_COUNT; kind++) {
        anomalies[kind] = (struct workload_anomaly){(enum anomaly_kind)kind, first + kind * step,
                                                    first + (kind + 1) * step, 50};
    }
    assert_true(anomalies[ANOMALY_KIND_COUNT - 1].until_ns <= calm.duration_ns);
    struct workload_options struck = calm;
    struck.anomalies = anomalies;
    struck.anomaly_count = ANOMALY_KIND_COUNT;
    struct workload *a = open_workload(&calm), *b = open_workload(&struck);
    struct workload_op left, right;
    uint64_t count = 0, deletes = 0, creates = 0, future = 0;
    struct fold fold;
    fold_init(&fold);
    while (workload_next(b, &right)) {
        int64_t since = right.at.ns - calm.start.ns;
        if (since < first) {
            assert_true(workload_next(a, &left));
            assert_true(left.at.ns == right.at.ns && left.kind == right.kind);
            assert_int_equal(left.value.len, right.value.len);
            assert_memory_equal(left.value.data, right.value.data, left.value.len);
        }
        int64_t steps = (since - first) / step;
        deletes += right.kind == OP_LISTING_DELETE && steps == ANOMALY_MASS_DELETE;
        creates += right.kind == OP_LISTING_CREATE && steps == ANOMALY_MASS_RESTORE;
        future += right.kind == OP_POISON && steps == ANOMALY_FUTURE;
        if (right.kind == OP_POISON) {
            struct record r;
            struct record_error error;
            bool valid = record_decode(right.value, &r, &error) == 0;
            assert_true(!valid || r.stamp.ts.ns > right.at.ns + VTIME_DAY);
        } else {
            fold_op(&fold, &right);
        }
        count++;
    }
    assert_true(count == calm.events + ANOMALY_KIND_COUNT * 50 && workload_total(b) == count);
    assert_true(deletes >= 50 && creates >= 40 && future >= 50);
    fold_release(&fold);
    workload_free(a);
    workload_free(b);
}

/* No kind of poison decodes, all kinds turn up on the feeds they belong to, and none goes through
 * the OLTP store (A13). */
static void poison_never_decodes(void **state) {
    (void)state;
    static char buffer[POISON_ROOM];
    struct stamp stamp = {{VTIME_DAY}, {1, 2}};
    for (int kind = 0; kind < POISON_KIND_COUNT; kind++) {
        struct poison poison;
        struct record r;
        struct record_error error;
        poison_make((enum poison_kind)kind, 5, 6, stamp, buffer, sizeof buffer, &poison);
        assert_true(poison.value.len > 0);
        assert_int_equal(record_decode(poison.value, &r, &error), -1);
        assert_true(poison.key == (poison.topic == TOPIC_POLICY ? 6 : 5));
        assert_non_null(poison_kind_name((enum poison_kind)kind));
    }
    struct workload_options options = ordinary(13);
    options.weight_poison = 1;
    struct workload *w = open_workload(&options);
    struct workload_op op;
    uint64_t topics[TOPIC_COUNT] = {0};
    while (workload_next(w, &op)) {
        if (op.kind == OP_POISON) {
            struct record r;
            struct record_error error;
            assert_int_equal(record_decode(op.value, &r, &error), -1);
            assert_false(op.through_oltp);
            assert_true(stamp_is_none(op.stamp));
            topics[op.topic]++;
        }
    }
    for (int topic = 0; topic < TOPIC_COUNT; topic++) {
        assert_int_equal(topics[topic] > 0, topic <= TOPIC_ORDER);
    }
    workload_free(w);
}

/* Sellers are suppressed and reinstated in turn, never all of them (A8). */
static void some_sellers_always_sell(void **state) {
    (void)state;
    for (uint64_t sellers = 2; sellers < 40; sellers += 9) {
        struct workload_options options = ordinary(14);
        options.sellers = sellers;
        options.weight_policy = options.weight_order = 1;
        struct workload *w = open_workload(&options);
        struct workload_op op;
        bool suppressed[64] = {false};
        uint64_t now = 0, most = 0, back = 0;
        while (workload_next(w, &op)) {
            if (op.kind != OP_POLICY) {
                continue;
            }
            assert_in_range(op.seller_id, 1, sellers);
            bool suppress = op.status == POLICY_SUPPRESSED;
            assert_true(suppressed[op.seller_id] != suppress);
            suppressed[op.seller_id] = suppress;
            now += suppress ? 1 : UINT64_MAX;
            back += !suppress;
            most = now > most ? now : most;
        }
        assert_true(most > 0 && most < sellers && back > 100);
        workload_free(w);
    }
}

/* Orders are of listings that live, at their price, each once. */
static void orders_are_of_living_listings(void **state) {
    (void)state;
    struct workload_options options = ordinary(15);
    options.weight_price = options.weight_order = 5;
    options.weight_delete = options.weight_recreate = 1;
    struct workload *w = open_workload(&options);
    struct fold fold;
    fold_init(&fold);
    struct workload_op op;
    uint64_t last_id = 0, count = 0;
    while (workload_next(w, &op)) {
        fold_op(&fold, &op);
        if (op.kind != OP_ORDER) {
            continue;
        }
        struct document *d = fold_document(&fold, op.key);
        struct field price = document_field(d, FIELD_PRICE);
        struct field category = document_field(d, FIELD_CATEGORY);
        assert_true(document_alive(d));
        assert_true(op.order.listing_id == op.key && op.order.order_id > last_id);
        assert_true(price.type == VALUE_NULL ||
                    op.order.amount == price.integer * op.order.quantity);
        assert_in_range(op.order.quantity, 1, 3);
        assert_true(bytes_equal(op.order.category, category.text));
        last_id = op.order.order_id;
        count++;
    }
    assert_true(count > 1000);
    fold_release(&fold);
    workload_free(w);
}

/* A correction names an order that was placed, under a greater stamp, says something else of it,
 * and leaves the moment at which it was placed. */
static void corrections_leave_the_hour(void **state) {
    (void)state;
    struct workload_options options = ordinary(17);
    options.weight_price = options.weight_order = options.weight_correction = 5;
    struct workload *w = open_workload(&options);
    struct workload_op op;
    struct id_map placed;
    id_map_init(&placed);
    vtime moments[8192];
    uint32_t count = 0;
    uint64_t corrections = 0;
    while (workload_next(w, &op)) {
        struct record record;
        struct record_error error;
        if (op.kind != OP_ORDER) {
            continue;
        }
        assert_int_equal(record_decode(op.value, &record, &error), 0);
        assert_int_equal(order_placed(record.placed, record.stamp).ns, op.order.placed.ns);
        uint32_t at = id_map_get(&placed, op.order.order_id);
        if (at == ID_MAP_NONE) {
            assert_in_range(count, 0, 8191);
            assert_int_equal(op.order.placed.ns, op.at.ns);
            moments[count] = op.at;
            assert_int_equal(id_map_put_index(&placed, op.order.order_id, count++), 0);
            continue;
        }
        assert_int_equal(op.order.placed.ns, moments[at].ns);
        assert_true(vtime_before(op.order.placed, op.order.stamp.ts));
        assert_true(op.order.quantity > 0 && op.order.amount >= 0);
        corrections++;
    }
    assert_true(corrections > 1000);
    id_map_release(&placed);
    workload_free(w);
}

/* Some sellers have far more listings than others, and some listings change far more often (A14).
 */
static void sellers_and_listings_are_skewed(void **state) {
    (void)state;
    struct workload_options options = ordinary(16);
    options.listings = 2000;
    options.events = 20000;
    options.sellers = 100;
    options.weight_price = 1;
    struct workload *w = open_workload(&options);
    struct workload_op op;
    uint64_t of_seller[101] = {0};
    struct fold updates;
    fold_init(&updates);
    uint64_t most = 0, total = 0;
    while (workload_next(w, &op)) {
        if (op.kind == OP_LISTING_CREATE) {
            of_seller[op.listing.seller_id]++;
        } else if (op.kind == OP_LISTING_UPDATE) {
            uint64_t count = ++fold_document(&updates, op.key)->image_capacity; /* a counter */
            most = count > most ? count : most;
            total++;
        }
    }
    for (size_t i = 0; i < updates.count; i++) {
        updates.documents[i].image_capacity = 0;
    }
    for (size_t seller = 2; seller <= 100; seller++) {
        assert_true(of_seller[1] > of_seller[seller]);
    }
    assert_true(of_seller[1] > 10 * 2000 / 100);
    assert_true(most > 50 * total / 2000);
    fold_release(&updates);
    workload_free(w);
}

static uint64_t count_words(struct bytes text) {
    uint64_t words = 1;
    for (size_t i = 0; i < text.len; i++) {
        words += text.data[i] == ' ';
    }
    return words;
}

/* Every locale and category is sold in; descriptions are as long as was asked for; attributes are
 * few and of all types; images are up to six. */
static void listings_are_of_all_kinds(void **state) {
    (void)state;
    struct workload_options options = ordinary(17);
    options.listings = 2000;
    options.events = 12000;
    options.description_words = 80;
    struct workload *w = open_workload(&options);
    struct workload_op op;
    struct id_map locales, categories;
    id_map_init(&locales);
    id_map_init(&categories);
    uint64_t words = 0, described = 0, types = 0, images_most = 0, attributes_most = 0;
    for (uint64_t i = 0; i < options.listings;) {
        assert_true(workload_next(w, &op));
        if (op.kind != OP_LISTING_CREATE) {
            continue;
        }
        i++;
        uint64_t locale = digest_bytes(DIGEST_START, op.listing.locale.data, op.listing.locale.len);
        uint64_t category =
            digest_bytes(DIGEST_START, op.listing.category.data, op.listing.category.len);
        id_map_put_index(&locales, locale, 1);
        id_map_put_index(&categories, category, 1);
        if (op.listing.description.len > 0 && op.listing.locale.data[0] != 'j') {
            words += count_words(op.listing.description);
            described++;
        }
        for (size_t a = 0; a < op.listing.attribute_count; a++) {
            types |= 1u << op.listing.attributes[a].type;
        }
        uint64_t images = op.listing.image_ids.len / 8;
        images_most = images > images_most ? images : images_most;
        attributes_most = op.listing.attribute_count > attributes_most ? op.listing.attribute_count
                                                                       : attributes_most;
        assert_true(op.listing.price > 0);
    }
    assert_int_equal(id_map_count(&locales), 10);
    assert_int_equal(id_map_count(&categories), 40);
    assert_in_range(words / described, 70, 95);
    assert_int_equal(types, 1u << VALUE_TEXT | 1u << VALUE_INTEGER | 1u << VALUE_NUMBER);
    assert_int_equal(images_most, 6);
    assert_in_range(attributes_most, 7, CATALOGUE_ATTRIBUTES_SET_MAX);
    id_map_release(&locales);
    id_map_release(&categories);
    workload_free(w);
}

/* The share of a's words that b has too, in parts per thousand. */
static uint64_t overlap(struct bytes a, struct bytes b) {
    uint64_t shared = 0, all = 0;
    for (size_t at = 0; at < a.len;) {
        const char *end = memchr(a.data + at, ' ', a.len - at);
        size_t len = end == NULL ? a.len - at : (size_t)(end - a.data) - at;
        bool found = false;
        for (size_t i = 0; i + len <= b.len && !found; i++) {
            found = memcmp(b.data + i, a.data + at, len) == 0;
        }
        shared += found;
        all++;
        at += len + 1;
    }
    return shared * 1000 / all;
}

/* Titles of one category and language are more like each other than like those of others, so
 * embeddings cluster and a search has something to find. */
static void titles_of_a_category_are_alike(void **state) {
    (void)state;
    struct catalogue *c = catalogue_new(50);
    assert_non_null(c);
    struct prng p;
    prng_init(&p, 1, "test");
    uint64_t same = 0, other = 0, same_count = 0, other_count = 0;
    char a[CATALOGUE_TITLE_MAX], b[CATALOGUE_TITLE_MAX];
    for (int i = 0; i < 60000; i++) {
        struct product x, y;
        catalogue_draw_product(c, &p, 0, &x);
        catalogue_draw_product(c, &p, 0, &y);
        uint64_t common = overlap((struct bytes){a, catalogue_title(c, &x, a)},
                                  (struct bytes){b, catalogue_title(c, &y, b)});
        if (x.category == y.category) {
            same += common;
            same_count++;
        } else {
            other += common;
            other_count++;
        }
    }
    assert_true(same / same_count > 3 * (other / other_count) / 2);
    catalogue_free(c);
}

/* Every wording of every product is text that the contract accepts: valid UTF-8 within its bounds.
 */
static void texts_keep_to_the_contract(void **state) {
    (void)state;
    static char text[RECORD_TEXT_MAX];
    static const uint32_t lengths[] = {1, 60, CATALOGUE_DESCRIPTION_WORDS_MAX};
    struct prng p;
    prng_init(&p, 2, "test");
    for (size_t l = 0; l < 3; l++) {
        struct catalogue *c = catalogue_new(lengths[l]);
        assert_non_null(c);
        size_t longest = 0;
        for (int i = 0; i < 2000; i++) {
            struct product product;
            catalogue_draw_product(c, &p, (uint8_t)(i % 10), &product);
            product.description = catalogue_draw_wording(&p, 0);
            size_t len = catalogue_description(c, &product, text);
            assert_in_range(len, 1, RECORD_TEXT_MAX);
            longest = len > longest ? len : longest;
            for (size_t key = 0; key < CATALOGUE_ATTRIBUTES; key++) {
                product.attributes[key] = catalogue_draw_value(&p);
                char value[CATALOGUE_ATTRIBUTE_MAX];
                struct field f = catalogue_attribute(c, &product, key, value);
                assert_in_range(f.text.len, 0, CATALOGUE_ATTRIBUTE_MAX);
            }
            assert_in_range(catalogue_title(c, &product, text), 8, CATALOGUE_TITLE_MAX);
            assert_in_range(catalogue_descriptor(c, &product, (uint64_t)i, text), 20,
                            CATALOGUE_DESCRIPTOR_MAX);
        }
        assert_true(l < 2 || longest > 18000); /* 20 KB descriptions (C7) */
        catalogue_free(c);
    }
    struct workload_options options = ordinary(18);
    options.description_words = CATALOGUE_DESCRIPTION_WORDS_MAX;
    options.events = 2000;
    fold_all(&options); /* decodes every record */
}

/* Buyers' searches are drawn aside: asking for them changes nothing, and the same question has the
 * same answer while the catalogue stands still. They are about listings that live. */
static void searches_do_not_disturb(void **state) {
    (void)state;
    struct workload_options options = ordinary(19);
    struct workload *w = open_workload(&options);
    struct fold fold;
    fold_init(&fold);
    struct workload_op op;
    struct workload_query query;
    assert_false(workload_query(w, 0, &query)); /* nothing is sold yet */
    uint64_t sum = DIGEST_START, filtered = 0, asked = 0;
    while (workload_next(w, &op)) {
        sum = digest_op(sum, &op);
        fold_op(&fold, &op);
        if (!workload_query(w, asked, &query)) {
            continue;
        }
        char text[CATALOGUE_TITLE_MAX];
        size_t len = query.text.len;
        uint64_t listing_id = query.listing_id;
        assert_in_range(len, 1, sizeof text);
        memcpy(text, query.text.data, len);
        struct document *d = fold_document(&fold, listing_id);
        assert_true(document_alive(d));
        if (query.category.len > 0) {
            filtered++;
            assert_true(bytes_equal(query.category, document_field(d, FIELD_CATEGORY).text));
        }
        assert_true(workload_query(w, asked, &query));
        assert_true(query.listing_id == listing_id && query.text.len == len &&
                    memcmp(text, query.text.data, len) == 0);
        asked++;
    }
    assert_true(sum == digest_all(&options));
    assert_in_range(filtered * 100 / asked, 20, 30);
    fold_release(&fold);
    workload_free(w);
}

/* The smallest workloads there can be. */
static void small_workloads_work(void **state) {
    (void)state;
    struct workload_options options = ordinary(20);
    options.listings = 1;
    options.sellers = 1;
    for (uint64_t events = 7; events < 40; events++) {
        options.events = events;
        fold_all(&options);
        options.duration_ns = 2 * (int64_t)events + 4;
        options.catalogue_load_ns = 0;
        fold_all(&options);
        options = ordinary(20 + events);
        options.listings = options.sellers = 1;
    }
    /* Deletions that cannot be, with nothing else to do. */
    options.weight_delete = 1;
    options.events = 100;
    fold_all(&options);
}

/* Options that contradict each other get one sentence that says which (D12). */
static void bad_options_are_refused(void **state) {
    (void)state;
    struct workload_options good = ordinary(1);
    struct workload_options bad[12];
    for (size_t i = 0; i < 12; i++) {
        bad[i] = good;
    }
    bad[0].listings = 0;
    bad[1].sellers = 0;
    bad[2].events = 0;
    bad[3].duration_ns = 0;
    bad[4].catalogue_load_ns = good.duration_ns + 1;
    bad[5].duration_ns = 2 * (int64_t)good.events, bad[5].catalogue_load_ns = 0;
    bad[6].skew_quarters = 9;
    bad[7].media_first_percent = 101;
    bad[8].media_lag_ns_max = -1;
    bad[9].description_words = 3001;
    bad[10].events = good.listings + 1;
    bad[11].start.ns = INT64_MAX - 1;
    static const char *const expected[12] = {
        "workload.listings must",
        "workload.sellers must",
        "workload.events must",
        "workload.duration must",
        "workload.catalogue_load",
        "workload.duration is too short",
        "workload.skew",
        "media_first_percent",
        "media_lag_max",
        "workload.description_words",
        "workload.events is 301, but to create the catalogue alone",
        "workload.duration must",
    };
    for (size_t i = 0; i < 12; i++) {
        struct workload_error error = {""};
        assert_null(workload_new(&bad[i], &error));
        assert_non_null(strstr(error.text, expected[i]));
    }
}

/* Names for people. */
static void operations_have_names(void **state) {
    (void)state;
    for (int kind = 0; kind < OP_KIND_COUNT; kind++) {
        assert_true(strlen(workload_op_name((enum workload_op_kind)kind)) > 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_seed_gives_the_same_operations),
        cmocka_unit_test(another_seed_gives_other_operations),
        cmocka_unit_test(rows_are_the_fold_of_their_records),
        cmocka_unit_test(times_rise_and_ids_are_unique),
        cmocka_unit_test(the_load_ends_and_the_day_is_filled),
        cmocka_unit_test(weights_are_respected),
        cmocka_unit_test(media_comes_first_or_after_as_asked),
        cmocka_unit_test(media_catches_up),
        cmocka_unit_test(recreated_listings_are_whole),
        cmocka_unit_test(anomalies_come_beside),
        cmocka_unit_test(poison_never_decodes),
        cmocka_unit_test(some_sellers_always_sell),
        cmocka_unit_test(orders_are_of_living_listings),
        cmocka_unit_test(corrections_leave_the_hour),
        cmocka_unit_test(sellers_and_listings_are_skewed),
        cmocka_unit_test(listings_are_of_all_kinds),
        cmocka_unit_test(titles_of_a_category_are_alike),
        cmocka_unit_test(texts_keep_to_the_contract),
        cmocka_unit_test(searches_do_not_disturb),
        cmocka_unit_test(small_workloads_work),
        cmocka_unit_test(bad_options_are_refused),
        cmocka_unit_test(operations_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
