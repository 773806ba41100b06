/* Images that nobody names in time (A6): never shown, and their bytes leave the state. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/document_parts.h"
#include "pipeline/listings.h"
#include "tests/support/record_text.h"

enum { HOUR = 3600, DAY = 24 * HOUR };

/* A document of listing 7, to which an image that nobody names for an hour is an orphan. */
static struct document document_of(const char *const *texts) {
    struct document d;
    document_init(&d, 7);
    d.orphan_after_ns = VTIME_HOUR;
    for (size_t i = 0; texts[i] != NULL; i++) {
        struct bytes value = record_from_text(texts[i]);
        struct record record;
        struct record_error error;
        assert_int_equal(record_decode(value, &record, &error), 0);
        assert_true(document_fold(&d, &record, doc_version_pack(0, (int64_t)i), (vtime){0}, NULL) >=
                    0);
        document_check(&d);
        free((char *)(uintptr_t)value.data);
    }
    return d;
}

#define SHOWS(count, ...)                                                                          \
    do {                                                                                           \
        struct document d = document_of((const char *const[]){__VA_ARGS__, NULL});                 \
        assert_int_equal(document_visible_image_count(&d), count);                                 \
        document_release(&d);                                                                      \
    } while (0)

/* Named up to the very end of its time it is shown, later it is not, in whatever order they come.
 */
static void named_in_time(void **state) {
    (void)state;
    SHOWS(1, "media 7 @100 image=1 front", "listing 7 @3700.1 images=1");
    SHOWS(0, "media 7 @100 image=1 front", "listing 7 @3701 images=1");
    SHOWS(1, "listing 7 @3700.1 images=1", "media 7 @100 image=1 front");
    SHOWS(0, "listing 7 @3701 images=1", "media 7 @100 image=1 front");
    SHOWS(1, "listing 7 @50 images=1", "media 7 @90000 image=1 front");
}

/* Once named in time it may be left out and named again, and no event need have the last word to
 * count: one that is older than what holds, or of a life that is over, named it too. */
static void any_naming_counts(void **state) {
    (void)state;
    SHOWS(1, "media 7 @100 image=1 front", "listing 7 @200 images=1", "listing 7 @9000 images=2",
          "listing 7 @99000 images=1");
    SHOWS(1, "media 7 @100 image=1 front", "listing 7 @99000 images=1", "listing 7 @200 images=1");
    SHOWS(1, "listing 7 @10 images=1", "listing 7 @20 delete", "media 7 @100 image=1 front",
          "listing 7 @99000 images=1");
}

/* A later delivery counts anew. */
static void delivered_again(void **state) {
    (void)state;
    SHOWS(1, "media 7 @100 image=1 front", "listing 7 @9000 images=1",
          "media 7 @8000 image=1 front");
    SHOWS(0, "media 7 @100 image=1 front", "media 7 @200 image=1 front",
          "listing 7 @9000 images=1");
}

/* What an erasure covers named nothing; what comes after it is no orphan. */
static void erased(void **state) {
    (void)state;
    SHOWS(1, "listing 7 @10 images=1", "erasure listing 7 @20", "media 7 @100 image=1 front",
          "listing 7 @99000 images=1");
    struct document d = document_of((const char *const[]){
        "listing 7 @10 images=1,2", "listing 7 @30 images=3", "erasure listing 7 @20", NULL});
    assert_int_equal(d.naming_count, 0);
    document_release(&d);
}

/* Bytes go when nothing can name the image in time any more, not before, and not those of an image
 * that was named. What is shown stays the same, and a new delivery brings bytes along. */
static void bytes_are_dropped(void **state) {
    (void)state;
    struct document d = document_of((const char *const[]){
        "media 7 @100 image=1 front", "media 7 @100.2 image=2 back", "media 7 @5000 image=3 side",
        "media 7 @100.4 image=4 withdrawn", "listing 7 @200 images=2", NULL});
    struct document_digest before, after;
    document_digest(&d, &before);
    assert_int_equal(document_drop_orphans(&d, text_time(100 + HOUR)), 0);
    assert_int_equal(document_drop_orphans(&d, text_time(101 + HOUR)), 1);
    assert_int_equal(document_drop_orphans(&d, text_time(101 + HOUR)), 0);
    document_check(&d);
    document_digest(&d, &after);
    assert_true(before.whole == after.whole);
    assert_int_equal(document_image_find(&d, 1)->len, 0);
    assert_int_equal(document_image_find(&d, 2)->len, strlen("back"));
    assert_int_equal(document_image_find(&d, 3)->len, strlen("side"));

    struct document more = document_of(
        (const char *const[]){"media 7 @9000 image=1 front", "listing 7 @9100 images=1,2", NULL});
    assert_int_equal(document_merge(&d, &more), 1);
    document_check(&d);
    assert_int_equal(document_visible_image_count(&d), 2);
    document_release(&more);
    document_release(&d);
}

/* A dropped image is written down as such. */
static void dropped_is_kept(void **state) {
    (void)state;
    struct document d = document_of((const char *const[]){"media 7 @100 image=1 front", NULL});
    assert_int_equal(document_drop_orphans(&d, text_time(2 * HOUR)), 1);
    char buffer[512];
    size_t size = document_encode(&d, buffer, sizeof buffer);
    struct document copy;
    assert_int_equal(document_decode(&copy, (struct bytes){buffer, size}), 0);
    document_check(&copy);
    assert_true(document_image_find(&copy, 1)->dropped);
    document_release(&copy);
    document_release(&d);
}

/* The listings of a task age by the time of their records, day by day; what lost bytes belongs into
 * the next checkpoint. */
static void listings_age_by_records(void **state) {
    (void)state;
    struct pipeline_config given = {.partitions = 1};
    struct pipeline_config config = pipeline_config_with_defaults(&given);
    struct listings listings;
    listings_init(&listings, sizeof(struct listing_head), &config, NULL);
    int64_t at = listings_make(&listings, 7);
    assert_int_equal(at, 0);
    struct listing_head *head = listings_at(&listings, 0);
    struct document orphan = document_of((const char *const[]){"media 7 @100 image=1 front", NULL});
    assert_int_equal(document_merge(&head->folded.document, &orphan), 1);
    struct record record = {.type = RECORD_LISTING};
    int dropped_on = 0;
    for (int day = 1; day < 40; day++) {
        record.stamp.ts = text_time((int64_t)day * DAY + 1);
        int64_t dropped = listings_age(&listings, &record, text_time((int64_t)day * DAY + 5));
        assert_true(dropped >= 0);
        dropped_on = dropped > 0 ? day : dropped_on;
        assert_int_equal(listings.unsaved_count, dropped_on > 0);
    }
    assert_int_equal(dropped_on, 22); /* seven days to be named, fourteen to hear of it */
    /* A device whose clock is ahead makes nothing older. */
    record.stamp.ts = text_time(1000 * (int64_t)DAY);
    assert_int_equal(listings_age(&listings, &record, text_time(39 * (int64_t)DAY)), 0);
    assert_true(vtime_before(listings.watermark, text_time(40 * (int64_t)DAY)));
    document_release(&orphan);
    listings_release(&listings);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(named_in_time),           cmocka_unit_test(any_naming_counts),
        cmocka_unit_test(delivered_again),         cmocka_unit_test(erased),
        cmocka_unit_test(bytes_are_dropped),       cmocka_unit_test(dropped_is_kept),
        cmocka_unit_test(listings_age_by_records),
    };
    return cmocka_run_group_tests_name("orphans", tests, NULL, NULL);
}
