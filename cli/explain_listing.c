/*
 * What became of one update of a listing (B3): its way, hop by hop, as text or as JSON.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/explain.h"
#include "cli/moment.h"
#include "cli/murphy.h"
#include "cli/way.h"
#include "cli/way_text.h"
#include "reports/page.h"

/* So many of the listing's updates are listed: all, or the slowest and the last ones. */
enum { LISTED_MAX = 12, LISTED_SLOWEST = 4 };

/* What is remembered of each update for the list. */
struct listed {
    enum way_end end;
    int64_t lag_ns; /* until it was visible, or so far */
    bool shown;
};

struct explained {
    struct explain *e;
    struct ways *ways;
    int chosen;
    struct way way; /* of the chosen one */
    struct listed *list;
};

/* ---- Choosing ---- */

/* The update that --update names; without it the last one that is no order, or the last one. */
static int choose(struct explained *x) {
    int count = ways_count(x->ways);
    const char *wanted = x->e->update;
    if (wanted == NULL) {
        for (int i = count - 1; i >= 0; i--) {
            if (strcmp(ways_update(x->ways, i)->type, "order") != 0) {
                return i;
            }
        }
        return count - 1;
    }
    uint64_t number;
    if (parse_seed(wanted, &number)) {
        return number >= 1 && number <= (uint64_t)count ? (int)number - 1 : -1;
    }
    for (int i = 0; i < count; i++) {
        const char *event = ways_update(x->ways, i)->event;
        if (event != NULL && strcmp(event, wanted) == 0) {
            return i;
        }
    }
    return -1;
}

/* ---- Following all ---- */

static int64_t lag_of(const struct explained *x, const struct way *way) {
    return way->count == 0           ? 0
           : way->end == WAY_VISIBLE ? vtime_diff(way->done_at, way->hops[0].at)
                                     : vtime_diff(x->e->at, way->hops[0].at);
}

typedef int (*each_way)(void *ctx, struct explained *x, int i, const struct way *way);

/* Follows every update; the chosen one's way stays. */
static int follow_all(struct explained *x, each_way each, void *ctx) {
    for (int i = 0; i < ways_count(x->ways); i++) {
        struct way way;
        int status = ways_follow(x->ways, i, &way);
        if (status == 0) {
            x->list[i] = (struct listed){.end = way.end, .lag_ns = lag_of(x, &way)};
            status = each == NULL ? 0 : each(ctx, x, i, &way);
        }
        if (i == x->chosen && status == 0) {
            x->way = way;
        } else {
            way_release(&way);
        }
        if (status != 0) {
            return status;
        }
    }
    return 0;
}

/* ---- Text ---- */

static void mark_listed(struct explained *x) {
    int count = ways_count(x->ways);
    x->list[x->chosen].shown = true;
    for (int i = 0; i < count; i++) {
        x->list[i].shown |= count <= LISTED_MAX || i >= count - (LISTED_MAX - LISTED_SLOWEST);
    }
    for (int n = 0; n < LISTED_SLOWEST && count > LISTED_MAX; n++) {
        int slowest = -1;
        for (int i = 0; i < count; i++) {
            bool counts = !x->list[i].shown && x->list[i].end == WAY_VISIBLE;
            if (counts && (slowest < 0 || x->list[i].lag_ns > x->list[slowest].lag_ns)) {
                slowest = i;
            }
        }
        if (slowest >= 0) {
            x->list[slowest].shown = true;
        }
    }
}

static void print_list(struct explained *x, struct page *p) {
    int count = ways_count(x->ways);
    mark_listed(x);
    page_newline(p);
    page_colour(p, PAGE_BOLD);
    page_wrap(p, 0,
              count <= LISTED_MAX ? "Updates of this listing (--update N follows another)"
                                  : "Updates of this listing: the slowest and the last ones "
                                    "(--update N follows any)");
    page_colour(p, PAGE_PLAIN);
    for (int i = 0; i < count; i++) {
        if (x->list[i].shown) {
            way_text_update(p, ways_update(x->ways, i), x->e->stores.start, x->list[i].end,
                            x->list[i].lag_ns, i == x->chosen);
        }
    }
}

static int print(struct explained *x) {
    struct page page = {.out = stdout, .colour = colour_wanted(STDOUT_FILENO)};
    int status = follow_all(x, NULL, NULL);
    if (status != 0) {
        return status;
    }
    char line[200];
    snprintf(line, sizeof line, "Listing %s, update %d of %d: ", x->e->listing,
             x->way.update.number, ways_count(x->ways));
    page_colour(&page, PAGE_BOLD);
    page_put(&page, line);
    page_wrap(&page, 2, x->way.update.what);
    page_colour(&page, PAGE_PLAIN);
    way_text_run(&page, &x->e->stores, x->e->at);
    way_text(&page, &x->way, x->e->stores.start, x->e->at);
    print_list(x, &page);
    return EXIT_HELD;
}

/* ---- JSON ---- */

struct json_list {
    json_t *updates;
    json_t *update; /* the chosen one */
};

static json_t *moment_json(vtime at) {
    char text[MOMENT_TEXT_MAX];
    if (at.ns == INT64_MIN || at.ns == VTIME_NEVER.ns) {
        return json_null();
    }
    moment_format(at, text);
    return json_string(text);
}

static json_t *text_json(const char *text) {
    return text == NULL || text[0] == '\0' ? json_null() : json_string(text);
}

static json_t *number_json(int64_t number) {
    return number < 0 ? json_null() : json_integer(number);
}

static json_t *hop_json(const struct way *way, int i, vtime at) {
    const struct hop *hop = &way->hops[i];
    bool waits = hop->status == HOP_WAITING;
    json_t *object = json_object();
    int rc = json_object_set_new(object, "hop", json_string(hop_kind_name(hop->kind)));
    rc |= json_object_set_new(object, "status", json_string(hop_status_name(hop->status)));
    rc |= json_object_set_new(object, "after", number_json(hop->parent));
    rc |= json_object_set_new(object, waits ? "since" : "at", moment_json(hop->at));
    rc |= json_object_set_new(object, waits ? "since_ns" : "at_ns", json_integer(hop->at.ns));
    rc |= json_object_set_new(object, waits ? "waited_ns" : "lag_ns",
                              json_integer(waits ? vtime_diff(at, hop->at) : way_lag_ns(way, i)));
    if (!waits) {
        rc |= json_object_set_new(object, "total_ns", json_integer(way_total_ns(way, i)));
    }
    rc |= json_object_set_new(object, "place", text_json(hop->place));
    rc |= json_object_set_new(object, "topic", text_json(hop->topic));
    rc |= json_object_set_new(object, "partition", number_json(hop->partition));
    rc |= json_object_set_new(object, "offset", number_json(hop->offset));
    rc |= json_object_set_new(object, "epoch", number_json(hop->epoch));
    rc |= json_object_set_new(object, "version", number_json(hop->version));
    rc |= json_object_set_new(object, "why", text_json(hop->note));
    if (rc != 0) {
        json_decref(object);
        return NULL;
    }
    return object;
}

/* When each store showed it. */
static json_t *visible_json(const struct way *way) {
    static const enum hop_kind stores[] = {HOP_TEXT,   HOP_IMAGE, HOP_FUSED,    HOP_KEYWORD,
                                           HOP_SILVER, HOP_GOLD,  HOP_DASHBOARD};
    json_t *object = json_object();
    for (size_t i = 0; i < sizeof stores / sizeof *stores; i++) {
        int hop = way_find(way, stores[i]);
        if (hop != HOP_NONE && way->hops[hop].status == HOP_DONE &&
            json_object_set_new(object, hop_kind_name(stores[i]),
                                json_integer(way->hops[hop].at.ns)) != 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

static json_t *update_json(const struct way *way, int64_t lag_ns) {
    const struct update *u = &way->update;
    json_t *object = json_object();
    int rc = json_object_set_new(object, "number", json_integer(u->number));
    rc |= json_object_set_new(object, "event_id", text_json(u->event));
    rc |= json_object_set_new(object, "type", json_string(u->type));
    rc |= json_object_set_new(object, "what", text_json(u->what));
    rc |= json_object_set_new(object, "event_at", moment_json(u->event_at));
    rc |= json_object_set_new(object, "end", json_string(way_end_name(way->end)));
    rc |= json_object_set_new(object, "feed_at", moment_json(way->feed_at));
    rc |= json_object_set_new(object, "feed_at_ns",
                              way->feed_at.ns == VTIME_NEVER.ns ? json_null()
                                                                : json_integer(way->feed_at.ns));
    rc |= json_object_set_new(object, "version", number_json(way->version > 0 ? way->version : -1));
    rc |= json_object_set_new(object, way->end == WAY_VISIBLE ? "lag_ns" : "so_far_ns",
                              json_integer(lag_ns));
    rc |= json_object_set_new(object, "visible_at_ns", visible_json(way));
    if (rc != 0) {
        json_decref(object);
        return NULL;
    }
    return object;
}

static json_t *hops_json(const struct way *way, vtime at) {
    json_t *array = json_array();
    for (int i = 0; i < way->count; i++) {
        if (json_array_append_new(array, hop_json(way, i, at)) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static int add_update(void *ctx, struct explained *x, int i, const struct way *way) {
    struct json_list *list = ctx;
    json_t *update = update_json(way, x->list[i].lag_ns);
    int rc = json_array_append(list->updates, update);
    if (rc == 0 && i == x->chosen) {
        list->update = json_copy(update);
        rc = json_object_set_new(list->update, "hops", hops_json(way, x->e->at));
    }
    json_decref(update);
    return rc == 0 ? 0 : run_stores_complain(&x->e->stores, EXIT_INTERNAL, "no memory");
}

static int print_json(struct explained *x) {
    struct json_list list = {.updates = json_array()};
    int status = follow_all(x, add_update, &list);
    json_t *root = json_object();
    int rc = json_object_set_new(root, "murphy", json_string(MURPHY_VERSION));
    rc |= json_object_set_new(root, "run", json_string(x->e->stores.run));
    rc |= json_object_set_new(root, "listing", json_string(x->e->listing));
    rc |= json_object_set_new(root, "at", moment_json(x->e->at));
    rc |= json_object_set_new(root, "at_ns", json_integer(x->e->at.ns));
    rc |= json_object_set_new(root, "update", list.update == NULL ? json_null() : list.update);
    rc |= json_object_set_new(root, "updates", list.updates);
    if (status == 0 && (rc != 0 || json_dumpf(root, stdout, JSON_INDENT(2)) != 0)) {
        status = run_stores_complain(&x->e->stores, EXIT_INTERNAL, "no memory");
    }
    if (status == 0) {
        putchar('\n');
    }
    json_decref(root);
    return status;
}

/* ---- The command ---- */

static int explain(struct explained *x) {
    x->chosen = choose(x);
    if (x->chosen < 0) {
        return run_stores_complain(&x->e->stores, EXIT_USAGE,
                                   "listing %s has no update '%s'; it has %d", x->e->listing,
                                   x->e->update, ways_count(x->ways));
    }
    x->list = calloc((size_t)ways_count(x->ways), sizeof *x->list);
    if (x->list == NULL) {
        return run_stores_complain(&x->e->stores, EXIT_INTERNAL, "no memory");
    }
    return x->e->json ? print_json(x) : print(x);
}

int explain_listing(struct explain *e) {
    struct explained x = {.e = e};
    uint64_t listing_id = 0;
    parse_seed(e->listing, &listing_id);
    int status = ways_open(&e->stores, listing_id, e->at, &x.ways);
    if (status == 0) {
        status = explain(&x);
    }
    way_release(&x.way);
    free(x.list);
    ways_close(x.ways);
    return status;
}
