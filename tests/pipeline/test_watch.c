/* The watch over the feeds (B10, D1): freshness by thresholds, no data as a state of its own, and
 * the volume of deletes against what is usual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/machine_script.h"

/* A watch over the listing feed alone: a look each minute, warn after 5, error after 10. */
static struct pipeline_config config_of_watch(void) {
    struct pipeline_config config = {.partitions = 1, .watch_interval_ns = VTIME_MINUTE};
    config.feed_warn_ns[TOPIC_LISTING] = 5 * VTIME_MINUTE;
    config.feed_error_ns[TOPIC_LISTING] = 10 * VTIME_MINUTE;
    return config;
}

static struct script *begun(const struct pipeline_config *config) {
    struct script *s = script_new(MACHINE_WATCH, config, NULL);
    s->quiet_fetch = true;
    script_start(s);
    return s;
}

/* The next look, at feeds that stand like that. */
static void look(struct script *s, struct feed_observation seen) {
    script_skip(s);
    script_timer(s);
    uint64_t request = script_newest(s, EFFECT_OBSERVE_FEEDS);
    struct event event = {.kind = EVENT_OBSERVED,
                          .request = request,
                          .answered = script_request(s, request),
                          .observed = {&seen, 1}};
    script_skip(s);
    script_step(s, &event);
}

/* The listing feed had so many records, the last of them now. */
static struct feed_observation fresh(const struct script *s, uint64_t records, uint64_t deletes) {
    return (struct feed_observation){.topic = TOPIC_LISTING,
                                     .records = records,
                                     .upserts = records - deletes,
                                     .deletes = deletes,
                                     .last_append = vtime_add(s->now, VTIME_MINUTE)};
}

/* It looks at a steady pace. */
static void test_looks_once_an_interval(void **state) {
    (void)state;
    struct pipeline_config config = config_of_watch();
    struct script *s = script_new(MACHINE_WATCH, &config, NULL);
    script_start(s);
    script_expect(s, "timer in 60000 ms\n");
    script_timer(s);
    script_expect(s, "timer in 60000 ms\n#1 observe-feeds\n");
    script_fail(s, 1, PORT_UNAVAILABLE);
    script_expect(s, "");
    script_timer(s);
    script_expect(s, "timer in 60000 ms\n#2 observe-feeds\n");
    script_free(s);
}

/* A feed grows old by its newest record: warn, error, cleared, each told once. */
static void test_freshness(void **state) {
    (void)state;
    struct pipeline_config config = config_of_watch();
    struct script *s = begun(&config);
    struct feed_observation seen = fresh(s, 3, 0);
    for (int minute = 0; minute < 5; minute++) {
        look(s, seen);
        script_expect(s, "");
    }
    look(s, seen);
    script_expect(s, "alert feed-freshness listing-changes warn: newest record at "
                     "2026-03-02T00:01:00Z, 5m00s ago; warn after 5m00s; error after 10m00s\n");
    for (int minute = 6; minute < 10; minute++) {
        look(s, seen);
        script_expect(s, "");
    }
    look(s, seen);
    script_expect(s, "alert feed-freshness listing-changes error: newest record at "
                     "2026-03-02T00:01:00Z, 10m00s ago; warn after 5m00s; error after 10m00s\n");
    look(s, seen);
    script_expect(s, "");
    look(s, fresh(s, 4, 0));
    script_expect(s, "alert feed-freshness listing-changes cleared: newest record at "
                     "2026-03-02T00:13:00Z, 0s ago; warn after 5m00s; error after 10m00s\n");
    script_free(s);
}

/* A feed that never carried anything is not fresh: no data is told as such. */
static void test_no_data(void **state) {
    (void)state;
    struct pipeline_config config = config_of_watch();
    struct script *s = begun(&config);
    struct feed_observation nothing = {.topic = TOPIC_LISTING};
    look(s, nothing);
    script_expect(s, "alert feed-freshness listing-changes no_data: the feed never carried a "
                     "record\n");
    look(s, nothing);
    script_expect(s, "");
    look(s, fresh(s, 1, 0));
    assert_non_null(strstr(script_told(s), "listing-changes cleared"));
    script_free(s);
}

/* Either threshold may stand alone, and a feed without any is not watched. */
static void test_thresholds_alone(void **state) {
    (void)state;
    for (int which = 0; which < 3; which++) {
        struct pipeline_config config = {.partitions = 1, .watch_interval_ns = VTIME_MINUTE};
        config.feed_warn_ns[TOPIC_LISTING] = which == 1 ? 5 * VTIME_MINUTE : 0;
        config.feed_error_ns[TOPIC_LISTING] = which == 2 ? 5 * VTIME_MINUTE : 0;
        struct script *s = begun(&config);
        struct feed_observation seen = fresh(s, 3, 0);
        look(s, seen);
        script_expect(s, "");
        for (int minute = 1; minute < 6; minute++) {
            look(s, seen);
        }
        static const char *const expected[] = {
            "",
            "alert feed-freshness listing-changes warn: newest record at 2026-03-02T00:01:00Z, "
            "5m00s ago; warn after 5m00s\n",
            "alert feed-freshness listing-changes error: newest record at 2026-03-02T00:01:00Z, "
            "5m00s ago; error after 5m00s\n",
        };
        script_expect(s, expected[which]);
        script_free(s);
    }
}

/* A watch of volume: windows of ten minutes, at least 100 deletes, ten times the usual. */
static struct script *volume_watch(void) {
    struct pipeline_config config = {.partitions = 1,
                                     .watch_interval_ns = VTIME_MINUTE,
                                     .volume_window_ns = 10 * VTIME_MINUTE,
                                     .volume_deletes_min = 100,
                                     .volume_factor = 10};
    return begun(&config);
}

/* A window with a record each look, and so many deletes at once; counts go on from *seen. */
static void window(struct script *s, struct feed_observation *seen, uint64_t deletes) {
    for (int minute = 0; minute < 10; minute++) {
        *seen = fresh(s, seen->records + 1 + (minute == 3 ? deletes : 0),
                      seen->deletes + (minute == 3 ? deletes : 0));
        look(s, *seen);
        if (script_told(s)[0] != '\0') {
            return;
        }
    }
}

/* Ten times the usual deletes, and at least 100, are an accident; its evidence says when. */
static void test_volume_alarm(void **state) {
    (void)state;
    struct script *s = volume_watch();
    struct feed_observation seen = {.topic = TOPIC_LISTING};
    window(s, &seen, 20);
    window(s, &seen, 22);
    window(s, &seen, 210); /* ten times 21, and no more */
    script_expect(s, "");
    window(s, &seen, 841); /* usual is now 84 */
    script_expect(s, "alert feed-volume listing-changes error: 841 deletes in the window that "
                     "began at 2026-03-02T00:31:00Z; usual is 84\n");
    script_free(s);
}

/* Fewer deletes than the least are never an anomaly, and two windows must have been seen. */
static void test_volume_needs_enough(void **state) {
    (void)state;
    struct script *s = volume_watch();
    struct feed_observation seen = {.topic = TOPIC_LISTING};
    window(s, &seen, 0);
    window(s, &seen, 5000); /* nothing is usual yet */
    script_expect(s, "");
    script_free(s);
    s = volume_watch();
    seen = (struct feed_observation){.topic = TOPIC_LISTING};
    window(s, &seen, 0);
    window(s, &seen, 0);
    window(s, &seen, 99);
    script_expect(s, "");
    window(s, &seen, 0);
    window(s, &seen, 331);
    assert_non_null(strstr(script_told(s), "331 deletes"));
    script_free(s);
}

/* The alarm is told once, is cleared with its window, and teaches nothing: the next accident of the
 * same size is one again. */
static void test_an_accident_does_not_teach(void **state) {
    (void)state;
    struct script *s = volume_watch();
    struct feed_observation seen = {.topic = TOPIC_LISTING};
    window(s, &seen, 10);
    window(s, &seen, 10);
    for (int accident = 0; accident < 3; accident++) {
        window(s, &seen, 5000);
        assert_non_null(strstr(script_told(s), "5000 deletes"));
        assert_non_null(strstr(script_told(s), "usual is 10\n"));
        for (int minute = 4; minute < 10; minute++) {
            seen = fresh(s, seen.records + 1, seen.deletes);
            look(s, seen);
            script_expect(s, "");
        }
        seen = fresh(s, seen.records + 1, seen.deletes);
        look(s, seen);
        assert_non_null(strstr(script_told(s), "feed-volume listing-changes cleared"));
        for (int minute = 0; minute < 9; minute++) {
            seen = fresh(s, seen.records + 1, seen.deletes + (minute == 5 ? 10 : 0));
            look(s, seen);
        }
        script_expect(s, "");
    }
    script_free(s);
}

/* A feed that comes in snapshots is compared snapshot with snapshot: silence in between counts for
 * nothing, and what comes after a long silence is a window of its own. */
static void test_volume_of_snapshots(void **state) {
    (void)state;
    struct script *s = volume_watch();
    struct feed_observation seen = {.topic = TOPIC_LISTING};
    for (int snapshot = 0; snapshot < 5; snapshot++) {
        bool accident = snapshot == 4;
        seen = fresh(s, seen.records + 500, seen.deletes + (accident ? 3938 : 30));
        if (accident) {
            seen.records += 3938;
        }
        look(s, seen);
        if (accident) {
            break;
        }
        script_expect(s, "");
        for (int minute = 0; minute < 60; minute++) {
            look(s, seen);
            script_expect(s, "");
        }
    }
    script_expect(s, "alert feed-volume listing-changes error: 3938 deletes in the window that "
                     "began at 2026-03-02T04:05:00Z; usual is 30\n");
    script_free(s);
}

/* Upserts are watched in the same way where a scenario asks for it, and by themselves. */
static void test_volume_of_upserts(void **state) {
    (void)state;
    struct pipeline_config config = config_of_watch();
    config.feed_warn_ns[TOPIC_LISTING] = config.feed_error_ns[TOPIC_LISTING] = 0;
    config.volume_window_ns = 10 * VTIME_MINUTE;
    config.volume_upserts_min = 50;
    config.volume_factor = 3;
    struct script *s = begun(&config);
    uint64_t upserts = 0;
    static const uint64_t windows[] = {20, 20, 60, 400};
    for (size_t i = 0; i < 4; i++) {
        upserts += windows[i];
        look(s, (struct feed_observation){.topic = TOPIC_LISTING,
                                          .records = upserts,
                                          .upserts = upserts,
                                          .last_append = s->now});
        if (i == 3) {
            script_expect(s, "alert feed-volume listing-changes error: 400 upserts in the window "
                             "that began at 2026-03-02T00:30:00Z; usual is 33\n");
        }
        for (int minute = 0; minute < 9; minute++) {
            look(s, (struct feed_observation){.topic = TOPIC_LISTING,
                                              .records = upserts,
                                              .upserts = upserts,
                                              .last_append = s->now});
        }
        script_expect(s, "");
    }
    script_free(s);
}

/* A group that leaves records unread until half of their time is over is named while there is time
 * to act, once; when it has caught up, the alert goes (A16). */
static void test_retention_risk(void **state) {
    (void)state;
    struct pipeline_config config = config_of_watch();
    config.topics_kept_ns = 10 * VTIME_DAY;
    struct script *s = begun(&config);
    struct feed_observation seen = {.topic = TOPIC_LISTING_LOG, .records = 5};
    look(s, seen);
    script_expect(s, "");
    seen.laggard = "loader";
    seen.unread = vtime_add(s->now, -5 * VTIME_DAY);
    look(s, seen);
    script_expect(s, "alert retention-risk listing-log warn: loader has not read what came at "
                     "2026-02-25T00:01:00Z, 120h01m ago; the topic keeps it for 240h00m\n");
    look(s, seen);
    script_expect(s, "");
    seen.laggard = NULL;
    look(s, seen);
    script_expect(s, "alert retention-risk listing-log cleared: nothing unread is past half its "
                     "time\n");
    script_free(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_volume_of_upserts),
        cmocka_unit_test(test_looks_once_an_interval),
        cmocka_unit_test(test_freshness),
        cmocka_unit_test(test_no_data),
        cmocka_unit_test(test_thresholds_alone),
        cmocka_unit_test(test_volume_alarm),
        cmocka_unit_test(test_volume_needs_enough),
        cmocka_unit_test(test_an_accident_does_not_teach),
        cmocka_unit_test(test_volume_of_snapshots),
        cmocka_unit_test(test_retention_risk),
    };
    return cmocka_run_group_tests_name("watch", tests, NULL, NULL);
}
