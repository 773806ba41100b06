#define _POSIX_C_SOURCE 200809L

#include "cli/demo_flow.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/way_text.h"
#include "pipeline/record.h"

/* The change that is followed comes so long after the start: the catalogue is loaded by then. */
#define FOLLOW_AFTER_NS (2 * VTIME_HOUR)

enum { LABEL_WIDTH = 19, PLACE_WIDTH = 24, CLOCK_WIDTH = 15, LAG_WIDTH = 10 };

static const enum store_id places[FLOW_PLACES] = {STORE_VECTOR_TEXT,  STORE_VECTOR_IMAGE,
                                                  STORE_VECTOR_FUSED, STORE_KEYWORD,
                                                  STORE_SILVER,       STORE_GOLD};

void demo_flow_init(struct demo_flow *f, struct page *page, vtime start, int64_t pause_ns) {
    *f = (struct demo_flow){.page = page, .start = start, .pause_ns = pause_ns};
}

/* ---- Telling ---- */

static void pause_for_the_eye(const struct demo_flow *f) {
    struct timespec pause = {f->pause_ns / VTIME_SECOND, f->pause_ns % VTIME_SECOND};
    fflush(f->page->out);
    if (f->pause_ns > 0) {
        nanosleep(&pause, NULL);
    }
}

/* Without a lag: the first. */
static void tell_line(struct demo_flow *f, const char *label, const char *place, vtime at,
                      const char *lag, const char *total) {
    char clock[WAY_TEXT_MAX];
    way_text_clock(at, f->start, clock);
    page_put(f->page, "  ");
    page_cell(f->page, LABEL_WIDTH, label);
    page_cell(f->page, PLACE_WIDTH, place);
    page_cell_right(f->page, CLOCK_WIDTH, clock);
    if (lag != NULL) {
        page_cell_right(f->page, LAG_WIDTH, lag);
        page_cell_right(f->page, LAG_WIDTH, total);
    }
    page_newline(f->page);
    pause_for_the_eye(f);
}

/* A hop at this moment; it follows the one of `since`. */
static void tell_hop(struct demo_flow *f, const char *label, const char *place, vtime at,
                     vtime since) {
    char lag[WAY_TEXT_MAX], total[WAY_TEXT_MAX];
    way_text_duration(vtime_diff(at, since), lag);
    way_text_duration(vtime_diff(at, f->made), total);
    tell_line(f, label, place, at, lag, total);
}

static const char *place_of(char text[48], enum topic_id topic, uint32_t partition,
                            int64_t offset) {
    snprintf(text, 48, "%s %" PRIu32 ":%" PRId64, topic_name(topic), partition, offset);
    return text;
}

/* ---- Choosing ---- */

/* A change of the text of a listing with images, so that every hop has something to do. */
static bool worth_following(const struct demo_flow *f, vtime now, const struct workload_op *op) {
    struct record record;
    struct record_error error;
    if (op->kind != OP_LISTING_UPDATE || !op->through_oltp || op->listing.image_ids.len == 0 ||
        vtime_diff(now, f->start) < FOLLOW_AFTER_NS ||
        record_decode(op->value, &record, &error) != 0) {
        return false;
    }
    struct field_cursor cursor = record_fields(&record);
    struct field field;
    while (record_fields_next(&cursor, &field)) {
        if (field.id == FIELD_TITLE || field.id == FIELD_DESCRIPTION) {
            return true;
        }
    }
    return false;
}

static void hear_operation(void *ctx, vtime now, const struct workload_op *op) {
    struct demo_flow *f = ctx;
    if (f->chosen || !worth_following(f, now, op)) {
        return;
    }
    f->chosen = true;
    f->listing_id = op->listing.listing_id;
    f->stamp = op->stamp;
    f->made = op->stamp.ts;
    f->committed = now;
    f->wanted = (1u << FLOW_PLACES) - 1;
    char text[320];
    snprintf(text, sizeof text,
             "A seller changes the text of listing %" PRIu64 ". Each hop is told when the "
             "simulation comes to it; all times are virtual.",
             f->listing_id);
    page_put(f->page, "  ");
    page_wrap(f->page, 2, text);
    page_newline(f->page);
    page_colour(f->page, PAGE_DIM);
    page_put(f->page, "  ");
    page_cell(f->page, LABEL_WIDTH, "hop");
    page_cell(f->page, PLACE_WIDTH, "where");
    page_cell_right(f->page, CLOCK_WIDTH, "at");
    page_cell_right(f->page, LAG_WIDTH, "lag");
    page_cell_right(f->page, LAG_WIDTH, "in all");
    page_newline(f->page);
    page_colour(f->page, PAGE_PLAIN);
    tell_line(f, "seller's change", "by the producer's clock", f->made, NULL, NULL);
    tell_hop(f, "OLTP commit", "listing and outbox row", now, f->made);
}

/* ---- Hops ---- */

static bool is_ours(const struct demo_flow *f, struct bytes value) {
    struct record record;
    struct record_error error;
    return record_decode_claimed(value, &record, &error) == 0 &&
           record.subject_id == f->listing_id && stamp_compare(record.stamp, f->stamp) == 0;
}

static void hear_appended(void *ctx, vtime now, enum topic_id topic, uint32_t partition,
                          const struct log_record *record) {
    struct demo_flow *f = ctx;
    char place[48];
    if (!f->chosen || f->done.ns != 0 || record->key != f->listing_id ||
        !is_ours(f, record->value)) {
        return;
    }
    if (topic == TOPIC_LISTING && f->fed.ns == 0) {
        f->fed = now;
        f->feed_partition = partition;
        f->feed_offset = record->offset;
        tell_hop(f, "feed", place_of(place, topic, partition, record->offset), now,
                 f->relayed.ns == 0 ? f->committed : f->relayed);
    }
    if (topic == TOPIC_LISTING_LOG && f->logged.ns == 0) {
        f->logged = now;
        f->log_partition = partition;
        f->log_offset = record->offset;
        f->version = doc_version_pack(record->epoch, record->offset);
        tell_hop(f, "listing log", place_of(place, topic, partition, record->offset), now,
                 f->routed);
    }
}

static bool outbox_holds(const struct demo_flow *f, const struct event *event) {
    for (size_t i = 0; i < event->outbox.count; i++) {
        if (event->outbox.rows[i].key == f->listing_id && is_ours(f, event->outbox.rows[i].value)) {
            return true;
        }
    }
    return false;
}

static bool records_hold(const struct event *event, enum topic_id topic, uint32_t partition,
                         int64_t offset) {
    const struct effect *fetch = event->answered;
    size_t count = event->records.count;
    return event->error == PORT_OK && count > 0 && fetch->fetch.topic == topic &&
           fetch->fetch.partition == partition && event->records.records[0].offset <= offset &&
           event->records.records[count - 1].offset >= offset;
}

static void tell_read(struct demo_flow *f, vtime *at, const char *label, const char *name,
                      vtime now, vtime since) {
    if (at->ns == 0) {
        *at = now;
        tell_hop(f, label, name, now, since);
    }
}

static bool asks_for(const struct demo_flow *f, const struct effect *embed) {
    for (size_t i = 0; i < embed->embed.count; i++) {
        if (embed->embed.items[i].listing_id == f->listing_id) {
            return true;
        }
    }
    return false;
}

static void hear_told(void *ctx, enum machine_kind kind, const char *name,
                      const struct event *event) {
    struct demo_flow *f = ctx;
    if (!f->chosen || f->done.ns != 0) {
        return;
    }
    if (kind == MACHINE_RELAY && event->kind == EVENT_OUTBOX && outbox_holds(f, event)) {
        tell_read(f, &f->relayed, "relay reads", name, event->now, f->committed);
    }
    if (kind == MACHINE_BUILDER && event->kind == EVENT_EMBEDDED && f->asked.ns != 0 &&
        f->embedded.ns == 0 && event->error == PORT_OK && asks_for(f, event->answered)) {
        f->embedded = event->now;
        tell_hop(f, " vectors back", "made by the model", event->now, f->asked);
    }
    if (event->kind != EVENT_RECORDS) {
        return;
    }
    if (kind == MACHINE_ROUTER && f->fed.ns != 0 &&
        records_hold(event, TOPIC_LISTING, f->feed_partition, f->feed_offset)) {
        tell_read(f, &f->routed, "router reads", name, event->now, f->fed);
    }
    bool logged = f->logged.ns != 0 &&
                  records_hold(event, TOPIC_LISTING_LOG, f->log_partition, f->log_offset);
    if (kind == MACHINE_BUILDER && logged) {
        tell_read(f, &f->folded, "builder folds", name, event->now, f->logged);
    }
    if (kind == MACHINE_LOADER && logged) {
        tell_read(f, &f->loaded, "loader reads", name, event->now, f->logged);
    }
}

static void hear_asked(void *ctx, vtime now, const struct effect *effect) {
    struct demo_flow *f = ctx;
    if (f->chosen && f->done.ns == 0 && f->folded.ns != 0 && f->asked.ns == 0 &&
        effect->kind == EFFECT_EMBED && asks_for(f, effect)) {
        f->asked = now;
        tell_hop(f, " vectors asked", "embedding service", now, f->folded);
    }
}

static void hear_row_changed(void *ctx, vtime now, const struct row_change *change) {
    static const char *const labels[FLOW_PLACES] = {"  text vector",   "  image vector",
                                                    "  fused vector",  " keyword row",
                                                    " bronze, silver", " gold"};
    struct demo_flow *f = ctx;
    if (f->logged.ns == 0 || f->done.ns != 0 || change->listing_id != f->listing_id ||
        change->after.version < f->version) {
        return;
    }
    for (int i = 0; i < FLOW_PLACES; i++) {
        if (places[i] != change->store || (f->seen >> i & 1) != 0) {
            continue;
        }
        f->seen |= 1u << i;
        bool made = change->kind == ROW_UPSERT && places[i] <= STORE_VECTOR_FUSED;
        vtime since = places[i] >= STORE_SILVER     ? f->loaded
                      : made && f->embedded.ns != 0 ? f->embedded
                                                    : f->folded;
        tell_hop(f, labels[i],
                 places[i] >= STORE_SILVER            ? "the warehouse has it"
                 : made || places[i] == STORE_KEYWORD ? "readers see it"
                                                      : "is what it was",
                 now, since);
    }
    if ((f->seen & f->wanted) == f->wanted) {
        f->done = now;
    }
}

struct scenario_run_listener demo_flow_listener(struct demo_flow *f) {
    return (struct scenario_run_listener){.ctx = f,
                                          .operation = hear_operation,
                                          .appended = hear_appended,
                                          .row_changed = hear_row_changed,
                                          .told = hear_told,
                                          .asked = hear_asked};
}

void demo_flow_tell(struct demo_flow *f) {
    char text[320], lag[WAY_TEXT_MAX], since[WAY_TEXT_MAX];
    if (f->done.ns == 0) {
        page_put(f->page, "  ");
        page_wrap(f->page, 2,
                  f->chosen ? "It did not come everywhere in this run."
                            : "No change of a text came by in this run.");
        return;
    }
    way_text_duration(vtime_diff(f->done, f->made), lag);
    way_text_duration(vtime_diff(f->done, f->fed), since);
    snprintf(text, sizeof text,
             "Everywhere %s after the seller made it, %s after its feed took it. The dashboard "
             "shows sales, so orders alone go on from gold to it.",
             lag, since);
    page_newline(f->page);
    page_put(f->page, "  ");
    page_wrap(f->page, 2, text);
}
