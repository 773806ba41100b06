#include "cli/way_text.h"

#include <stdio.h>
#include <string.h>

#include "cli/moment.h"

/* Each with the gap before or behind it. */
enum { HOP_WIDTH = 19, PLACE_WIDTH = 25, CLOCK_WIDTH = 15, LAG_WIDTH = 10, NOTE_COLUMN = 6 };

void way_text_clock(vtime at, vtime start, char out[WAY_TEXT_MAX]) {
    int64_t ns = vtime_diff(at, start);
    const char *sign = ns < 0 ? "-" : "+";
    int64_t ms = (ns < 0 ? -ns : ns) / VTIME_MILLISECOND;
    snprintf(out, WAY_TEXT_MAX, "T%s%02lld:%02lld:%02lld.%03lld", sign, (long long)(ms / 3600000),
             (long long)(ms / 60000 % 60), (long long)(ms / 1000 % 60), (long long)(ms % 1000));
}

void way_text_duration(int64_t duration_ns, char out[WAY_TEXT_MAX]) {
    const char *sign = duration_ns < 0 ? "-" : "";
    int64_t ns = duration_ns < 0 ? -duration_ns : duration_ns;
    if (ns >= VTIME_HOUR) {
        snprintf(out, WAY_TEXT_MAX, "%s%lldh%02lldm", sign, (long long)(ns / VTIME_HOUR),
                 (long long)(ns / VTIME_MINUTE % 60));
    } else if (ns >= VTIME_MINUTE) {
        snprintf(out, WAY_TEXT_MAX, "%s%lldm%02llds", sign, (long long)(ns / VTIME_MINUTE),
                 (long long)(ns / VTIME_SECOND % 60));
    } else if (ns >= VTIME_SECOND) {
        snprintf(out, WAY_TEXT_MAX, "%s%lld.%02lld s", sign, (long long)(ns / VTIME_SECOND),
                 (long long)(ns / (10 * VTIME_MILLISECOND) % 100));
    } else if (ns >= VTIME_MILLISECOND) {
        snprintf(out, WAY_TEXT_MAX, "%s%lld ms", sign, (long long)(ns / VTIME_MILLISECOND));
    } else if (ns == 0) {
        snprintf(out, WAY_TEXT_MAX, "0");
    } else {
        snprintf(out, WAY_TEXT_MAX, "%s%lld us", sign, (long long)(ns / VTIME_MICROSECOND));
    }
}

void way_text_run(struct page *p, const struct run_stores *stores, vtime at) {
    char start[MOMENT_TEXT_MAX], clock[WAY_TEXT_MAX], text[400];
    moment_format(stores->start, start);
    way_text_clock(at, stores->start, clock);
    snprintf(text, sizeof text, "Run %s as of %s%s. Times are virtual; T+ counts from %s.",
             stores->run, clock, at.ns == stores->end.ns ? ", its end" : "", start);
    page_colour(p, PAGE_DIM);
    page_wrap(p, 0, text);
    page_colour(p, PAGE_PLAIN);
}

/* ---- What it came to ---- */

/* Labels of the hops that it waits at. */
static void list_waits(const struct way *way, char *text, size_t size) {
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < way->count && used < size; i++) {
        if (way->hops[i].status == HOP_WAITING) {
            used += (size_t)snprintf(text + used, size - used, "%s%s", used == 0 ? "" : ", ",
                                     hop_kind_label(way->hops[i].kind));
        }
    }
}

static const struct hop *last_stop(const struct way *way) {
    for (int i = way->count - 1; i >= 0; i--) {
        if (way->hops[i].status == HOP_STOPPED) {
            return &way->hops[i];
        }
    }
    return NULL;
}

/* What it came to: a word, its colour, and the rest of the sentence. */
struct conclusion {
    const char *word;
    enum page_colour colour;
    char text[640];
};

static struct conclusion conclude(const struct way *way, vtime at) {
    struct conclusion c = {.word = "WAITS", .colour = PAGE_WARN};
    char lag[WAY_TEXT_MAX], waits[160];
    list_waits(way, waits, sizeof waits);
    const struct hop *stop = last_stop(way);
    int log = way_find(way, HOP_LOG);
    way_text_duration(way->count == 0 ? 0 : vtime_diff(at, way->hops[0].at), lag);
    switch (way->end) {
    case WAY_VISIBLE:
        c.word = strcmp(way->update.type, "erasure") == 0 ? "ERASED" : "VISIBLE";
        c.colour = PAGE_GOOD;
        way_text_duration(vtime_diff(way->done_at, way->hops[0].at), lag);
        char since[WAY_TEXT_MAX];
        way_text_duration(vtime_diff(way->done_at, way->feed_at), since);
        snprintf(c.text, sizeof c.text, "%s after it was made, %s after its feed took it", lag,
                 since);
        break;
    case WAY_UNDER_WAY:
        snprintf(c.text, sizeof c.text, "at: %s; %s since it was made", waits, lag);
        break;
    case WAY_HELD:
        c.word = "HELD";
        snprintf(c.text, sizeof c.text, "in the %s, %s since it was made",
                 way_find(way, HOP_QUARANTINE) != HOP_NONE ? "quarantine" : "late queue", lag);
        break;
    case WAY_NO_CHANGE:
        c.word = "NO CHANGE";
        c.colour = PAGE_PLAIN;
        snprintf(c.text, sizeof c.text, "%s",
                 log == HOP_NONE || way->hops[log].note == NULL ? "to what readers see"
                                                                : way->hops[log].note);
        break;
    case WAY_REFUSED:
        c.word = "DEAD LETTER";
        c.colour = PAGE_BAD;
        snprintf(c.text, sizeof c.text, "%s",
                 stop == NULL || stop->note == NULL ? "refused" : stop->note);
        break;
    case WAY_DROPPED:
        c.word = "DROPPED";
        c.colour = PAGE_BAD;
        snprintf(c.text, sizeof c.text, "%s",
                 stop == NULL || stop->note == NULL ? "by the router" : stop->note);
        break;
    }
    return c;
}

static void conclusion(struct page *p, const struct way *way, vtime at) {
    struct conclusion c = conclude(way, at);
    page_newline(p);
    page_colour(p, c.colour);
    page_put(p, c.word);
    page_put(p, " ");
    page_colour(p, PAGE_PLAIN);
    page_wrap(p, (int)strlen(c.word) + 1, c.text);
}

void way_text_sentence(const struct way *way, vtime at, char *out, size_t size) {
    struct conclusion c = conclude(way, at);
    snprintf(out, size, "%s %s.", c.word, c.text);
}

/* ---- Hops ---- */

void way_text_head(struct page *p) {
    page_colour(p, PAGE_DIM);
    page_put(p, " ");
    page_cell(p, HOP_WIDTH, "hop");
    page_cell(p, PLACE_WIDTH, "where");
    page_cell_right(p, CLOCK_WIDTH, "at");
    page_cell_right(p, LAG_WIDTH, "lag");
    page_cell_right(p, LAG_WIDTH, "in all");
    page_newline(p);
    page_colour(p, PAGE_PLAIN);
}

/* How far behind the start of its branch a hop is. */
static int depth_of(const struct way *way, int hop) {
    int depth = 0;
    for (int i = hop; i != HOP_NONE && way->hops[i].kind != HOP_BUILDER; i = way->hops[i].parent) {
        bool branch = way->hops[i].kind >= HOP_ASKED && way->hops[i].kind <= HOP_KEYWORD;
        depth += branch;
    }
    return depth;
}

static void section(struct page *p, const struct way *way, int i) {
    enum hop_kind kind = way->hops[i].kind;
    bool first = i > 0 && way->hops[i - 1].kind < HOP_BUILDER;
    const char *title = kind == HOP_BUILDER ? "where readers search"
                        : kind == HOP_LOADER && (!first || way_find(way, HOP_LOG) != HOP_NONE)
                            ? "in the warehouse"
                            : NULL;
    if (title != NULL) {
        page_colour(p, PAGE_DIM);
        page_put(p, " ");
        page_put(p, title);
        page_newline(p);
        page_colour(p, PAGE_PLAIN);
    }
}

void way_text_hop(struct page *p, const struct way *way, int i, vtime start, vtime at) {
    const struct hop *hop = &way->hops[i];
    char label[64], clock[WAY_TEXT_MAX], lag[WAY_TEXT_MAX + 1], total[WAY_TEXT_MAX];
    bool waits = hop->status == HOP_WAITING;
    bool order = hop->kind == HOP_EVENT && strcmp(way->update.type, "order") == 0;
    snprintf(label, sizeof label, "%*s%s", depth_of(way, i), "",
             order ? "buyer's order" : hop_kind_label(hop->kind));
    way_text_clock(hop->at, start, clock);
    way_text_duration(waits ? vtime_diff(at, hop->at) : way_lag_ns(way, i), lag);
    way_text_duration(way_total_ns(way, i), total);
    section(p, way, i);
    page_colour(p, waits ? PAGE_WARN : hop->status == HOP_STOPPED ? PAGE_BAD : PAGE_PLAIN);
    page_put(p, " ");
    page_cell(p, HOP_WIDTH, label);
    page_cell(p, PLACE_WIDTH, waits ? "WAITS, since" : hop->place == NULL ? "" : hop->place);
    page_cell_right(p, CLOCK_WIDTH, clock);
    if (hop->parent != HOP_NONE) {
        page_cell_right(p, LAG_WIDTH, lag);
        page_cell_right(p, LAG_WIDTH, waits ? "..." : total);
    }
    page_newline(p);
    page_colour(p, PAGE_PLAIN);
    if (hop->note != NULL) {
        page_colour(p, PAGE_DIM);
        page_tab(p, NOTE_COLUMN);
        page_wrap(p, NOTE_COLUMN, hop->note);
        page_colour(p, PAGE_PLAIN);
    }
}

void way_text(struct page *p, const struct way *way, vtime start, vtime at) {
    conclusion(p, way, at);
    page_newline(p);
    way_text_head(p);
    for (int i = 0; i < way->count; i++) {
        way_text_hop(p, way, i, start, at);
    }
}

/* ---- The list ---- */

static const char *end_word(enum way_end end) {
    switch (end) {
    case WAY_VISIBLE:
        return "visible in";
    case WAY_UNDER_WAY:
        return "WAITS for";
    case WAY_NO_CHANGE:
        return "no change";
    case WAY_REFUSED:
        return "DEAD LETTER";
    case WAY_HELD:
        return "HELD for";
    case WAY_DROPPED:
        return "dropped";
    }
    return "";
}

void way_text_update(struct page *p, const struct update *update, vtime start, enum way_end end,
                     int64_t lag_ns, bool chosen) {
    char number[16], clock[WAY_TEXT_MAX], lag[WAY_TEXT_MAX];
    snprintf(number, sizeof number, "%s%d", chosen ? ">" : "", update->number);
    way_text_clock(update->first_at, start, clock);
    way_text_duration(lag_ns, lag);
    bool timed = end == WAY_VISIBLE || end == WAY_UNDER_WAY || end == WAY_HELD;
    page_cell_right(p, 5, number);
    page_put(p, " ");
    page_cell(p, CLOCK_WIDTH + 1, clock);
    page_cell(p, 36, update->what);
    page_cell(p, 12, end_word(end));
    if (timed) {
        page_cell_right(p, LAG_WIDTH, lag);
    }
    page_newline(p);
}
