#include "sim/marketplace.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/fact.h"
#include "pipeline/little_endian.h"
#include "sim/catalogue.h"
#include "sim/poison.h"
#include "sim/prng.h"
#include "sim/reference_tables.h"

#define LISTING_ID_BASE UINT64_C(4000000000)
#define IMAGE_ID_BASE UINT64_C(7000000000000)
#define ORDER_ID_BASE UINT64_C(5000000000000000)

#define IMAGES_MAX 6
#define STRAY_OPS_MAX 3
#define BIRTH_OPS_MAX (1 + IMAGES_MAX + STRAY_OPS_MAX)
#define OWN_FIELDS 7 /* fields of a listing that are no attributes */

/* `strange` of a listing: from here on, the number of an attribute; behind the last one, none. */
enum { STRANGE = 1 };
#define RECENT_ORDERS 256 /* can be corrected */

enum listing_state { UNBORN, ALIVE, DEAD };

struct listing {
    struct product product;
    int64_t price;               /* -1: null */
    uint32_t seller;             /* id */
    uint32_t place;              /* in m->alive or m->dead */
    uint32_t images[IMAGES_MAX]; /* serial numbers, in display order */
    uint8_t image_count;
    uint8_t state;
    uint8_t category; /* under which it is sold: first that of the product */
    uint8_t spelling; /* of its locale */
    uint8_t strange; /* a schema anomaly struck: STRANGE + the attribute of another type; 0: none */
};

struct placed_order {
    uint32_t listing;
    int64_t placed_ns;
    int64_t quantity;
    int64_t price; /* of one */
    uint32_t kind; /* whose category it goes by; a correction may name another listing's */
};

/* What can be decided at a slot, in the order of the weights. */
enum action {
    ACT_CREATE,
    ACT_PRICE,
    ACT_TEXT,
    ACT_ATTRIBUTES,
    ACT_IMAGES,
    ACT_DELETE,
    ACT_RECREATE,
    ACT_POLICY,
    ACT_ORDER,
    ACT_POISON,
    ACT_CORRECT, /* what a recent order says */
    ACT_ERASE_LISTING,
    ACT_ERASE_SELLER,
    ACT_REFERENCE, /* a row of the tables changes, or what a listing names in them */
    ACT_COUNT,
    ACT_BIRTH = ACT_COUNT, /* the listing event of a creation or recreation */
    ACT_DELIVER,
    ACT_WITHDRAW,
    ACT_ADOPT,      /* a listing names a picture that came by itself */
    ACT_SET_POLICY, /* one of the options' policies; its number is `listing` */
    ACT_ANOMALY,    /* of the options' anomalies; its number is `listing` */
    ACT_SET_ROW     /* a reference row is set for the first time; its number is `listing` */
};

/* An operation that was decided on and waits for its time. */
struct pending {
    int64_t due_ns;
    uint64_t sequence;
    uint32_t listing;
    uint32_t image;
    enum action action;
};

/* Numbers of listings, or sellers, without order; `listings[...].place` knows where. */
struct id_list {
    uint32_t *items;
    uint32_t count;
};

struct marketplace {
    struct workload_options options;
    struct catalogue *catalogue;
    struct reference_tables tables;
    struct prng times, actions, products, images, media, ids, hot, anomalies;
    struct zipf listing_ranks, seller_ranks;

    struct listing *listings;
    uint32_t listing_count, listing_capacity;
    struct id_list alive; /* by popularity: place 0 is the most popular */
    struct id_list dead;
    struct id_list suppressed; /* seller ids */
    struct id_list lost;       /* by mass deletes; places are not kept */
    bool *seller_suppressed;   /* by seller id */
    uint32_t image_serial;
    uint64_t order_serial;
    struct placed_order recent[RECENT_ORDERS]; /* order i at i modulo their number */

    /* Pending operations: a binary heap by (due, sequence), and the one that a slot decided on. */
    struct pending *heap;
    size_t heap_count, heap_capacity;
    uint64_t sequence;
    struct pending ready;
    bool has_ready;

    int64_t end_ns, tick_ns;
    int64_t last_ns;           /* moment of the last operation */
    int64_t slot_ns;           /* when the next decision is made */
    int64_t next_ns;           /* moment of the next operation */
    uint64_t left;             /* operations still to be handed out */
    uint64_t budget;           /* of those, not decided on yet */
    uint64_t ops_per_16_slots; /* operations that 16 decisions lead to, in the mean */
    uint64_t weights[ACT_COUNT];

    /* Room for what an operation points to. */
    char title[CATALOGUE_TITLE_MAX];
    char description[RECORD_TEXT_MAX];
    char attribute_text[CATALOGUE_ATTRIBUTES][CATALOGUE_ATTRIBUTE_MAX];
    char image_ids[8 * IMAGES_MAX];
    char descriptor[CATALOGUE_DESCRIPTOR_MAX];
    char search[CATALOGUE_TITLE_MAX];
    struct field fields[OWN_FIELDS + CATALOGUE_ATTRIBUTES + 1];
    char encoded[POISON_ROOM]; /* a listing with all its texts is shorter */
};

static uint64_t listing_id(const struct marketplace *m, uint32_t listing) {
    /* A gap after some, so that ids that nothing has lie among them. */
    return LISTING_ID_BASE + 2 * (uint64_t)listing + (m->listings[listing].product.identity & 1);
}

static uint64_t image_id(uint32_t image) {
    return IMAGE_ID_BASE + image;
}

/* ---- options ---- */

static const uint32_t default_weights[ACT_COUNT] = {
    [ACT_CREATE] = 30, [ACT_PRICE] = 600, [ACT_TEXT] = 80,     [ACT_ATTRIBUTES] = 80,
    [ACT_IMAGES] = 80, [ACT_DELETE] = 25, [ACT_RECREATE] = 10, [ACT_POLICY] = 3,
    [ACT_ORDER] = 90,  [ACT_POISON] = 2,
};

static void set_weights(struct marketplace *m) {
    const struct workload_options *o = &m->options;
    const uint32_t given[ACT_COUNT] = {
        [ACT_CREATE] = o->weight_create,
        [ACT_PRICE] = o->weight_price,
        [ACT_TEXT] = o->weight_text,
        [ACT_ATTRIBUTES] = o->weight_attributes,
        [ACT_IMAGES] = o->weight_images,
        [ACT_DELETE] = o->weight_delete,
        [ACT_RECREATE] = o->weight_recreate,
        [ACT_POLICY] = o->weight_policy,
        [ACT_ORDER] = o->weight_order,
        [ACT_POISON] = o->weight_poison,
        [ACT_CORRECT] = o->weight_correction,
        [ACT_ERASE_LISTING] = o->weight_erase_listing,
        [ACT_ERASE_SELLER] = o->weight_erase_seller,
        [ACT_REFERENCE] = o->weight_reference,
    };
    uint64_t sum = 0;
    for (size_t i = 0; i < ACT_COUNT; i++) {
        sum += given[i];
    }
    for (size_t i = 0; i < ACT_COUNT; i++) {
        m->weights[i] = sum == 0 ? default_weights[i] : given[i];
    }
}

static uint64_t weight_sum(const struct marketplace *m) {
    uint64_t sum = 0;
    for (size_t i = 0; i < ACT_COUNT; i++) {
        sum += m->weights[i];
    }
    return sum;
}

static int refuse(struct workload_error *error, const char *sentence) {
    snprintf(error->text, sizeof error->text, "%s", sentence);
    return -1;
}

/* Do sellers name categories and locales in ways that the reference tables explain? */
static bool has_tables(const struct workload_options *o) {
    return o->weight_reference > 0;
}

/* Operations of all anomalies. */
static uint64_t anomaly_events(const struct workload_options *o) {
    uint64_t events = 0;
    for (size_t i = 0; i < o->anomaly_count; i++) {
        events += o->anomalies[i].events;
    }
    return events;
}

static int check_options(const struct workload_options *o, struct workload_error *error) {
    if (o->listings < 1 || o->listings > WORKLOAD_LISTINGS_MAX) {
        return refuse(error, "workload.listings must be from 1 to 134217728");
    }
    if (o->sellers < 1 || o->sellers > WORKLOAD_SELLERS_MAX) {
        return refuse(error, "workload.sellers must be from 1 to 1073741824");
    }
    if (o->events < 1 || o->events > WORKLOAD_EVENTS_MAX) {
        return refuse(error, "workload.events must be from 1 to 1099511627776");
    }
    if (o->start.ns < 0 || o->duration_ns <= 0 || o->start.ns > INT64_MAX - o->duration_ns) {
        return refuse(error, "workload.duration must be above 0 and start and end between 1970 "
                             "and 2262");
    }
    if (o->catalogue_load_ns < 0 || o->catalogue_load_ns > o->duration_ns) {
        return refuse(error, "workload.catalogue_load must be from 0 to the duration");
    }
    if ((uint64_t)o->duration_ns / 2 < o->events + anomaly_events(o) + 1) {
        return refuse(error, "workload.duration is too short for so many events: it takes two "
                             "nanoseconds for each");
    }
    if (o->skew_quarters > ZIPF_QUARTERS_MAX) {
        return refuse(error, "workload.skew must be from 0 to 2");
    }
    if (o->media_first_percent > 100) {
        return refuse(error, "workload.media_first_percent must be from 0 to 100");
    }
    if (o->media_missing_percent > 100 || o->media_stray_percent > 100) {
        return refuse(error,
                      "workload.media_missing and media_stray must be from 0 to 100 percent");
    }
    if (o->media_stray_lag_ns_max < 0) {
        return refuse(error, "workload.media_stray_lag must be 0 or more");
    }
    if (o->media_lead_ns_max < 0 || o->media_lag_ns_max < 0) {
        return refuse(error, "workload.media_lead_max and media_lag_max must be 0 or more");
    }
    if (!pace_peaks_valid(o->peaks, o->peak_count)) {
        return refuse(error, "workload.peaks must follow each other in time, with a factor from 1 "
                             "to 1000");
    }
    for (size_t i = 0; i < o->policy_count; i++) {
        const struct workload_policy *policy = &o->policies[i];
        if (policy->seller_id < 1 || policy->seller_id > o->sellers || policy->at_ns < 0 ||
            policy->at_ns >= o->duration_ns) {
            return refuse(error, "workload.policies must name sellers that there are and moments "
                                 "within the duration");
        }
    }
    for (size_t i = 0; i < o->anomaly_count; i++) {
        const struct workload_anomaly *anomaly = &o->anomalies[i];
        if (anomaly->from_ns < o->catalogue_load_ns || anomaly->until_ns <= anomaly->from_ns ||
            anomaly->until_ns > o->duration_ns) {
            return refuse(error, "workload.anomalies must each begin after the catalogue load and "
                                 "end later, within the duration");
        }
    }
    if (o->hot_seller_ppm > 1000000) {
        return refuse(error, "workload.hot_seller must be from 0 to 1");
    }
    if (o->description_words > CATALOGUE_DESCRIPTION_WORDS_MAX) {
        return refuse(error, "workload.description_words must be from 0 to 3000");
    }
    if (o->clock_skew_ns < 0 ||
        (o->clock_skew_ns > 0 &&
         (o->anomaly_count > 0 || o->weight_erase_listing > 0 || o->weight_erase_seller > 0))) {
        return refuse(error,
                      "workload.clock_skew must be 0 or more, and goes with no anomalies and "
                      "no erasures");
    }
    return 0;
}

/* How many images a listing starts with: 2.6 in the mean. */
static uint8_t draw_image_count(struct prng *p) {
    static const uint8_t counts[16] = {0, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 6};
    return counts[prng_below(p, 16)];
}

static int check_events(const struct marketplace *m, struct workload_error *error) {
    struct prng images = m->images; /* a copy: the draws that the load will make */
    uint64_t pictures = 0;
    for (uint64_t i = 0; i < m->options.listings; i++) {
        pictures += draw_image_count(&images);
    }
    uint64_t needed = m->options.listings + pictures + m->options.policy_count;
    if (m->options.events >= needed) {
        return 0;
    }
    snprintf(error->text, sizeof error->text,
             "workload.events is %" PRIu64 ", but to create the catalogue alone takes %" PRIu64
             ": %" PRIu64 " listings and their %" PRIu64 " images",
             m->options.events, needed, m->options.listings, pictures);
    return -1;
}

/* ---- memory ---- */

/* Listings there can be: those of the load, and what the weights create from then on, amply. When
 * they are used up, prices change instead. */
static uint32_t capacity_for(const struct marketplace *m) {
    const struct workload_options *o = &m->options;
    uint64_t rest = o->events - o->listings;
    uint64_t births = m->weights[ACT_CREATE] + m->weights[ACT_RECREATE];
    uint64_t expected =
        rest / weight_sum(m) * births + rest % weight_sum(m) * births / weight_sum(m);
    uint64_t room = expected + expected / 4 + 64;
    room = room < rest ? room : rest;
    uint64_t capacity = o->listings + room;
    return (uint32_t)(capacity < 2 * (uint64_t)WORKLOAD_LISTINGS_MAX ? capacity
                                                                     : 2 * WORKLOAD_LISTINGS_MAX);
}

static bool take_memory(struct marketplace *m) {
    size_t capacity = m->listing_capacity = capacity_for(m);
    size_t sellers = (size_t)m->options.sellers + 1;
    size_t lost = 0;
    for (size_t i = 0; i < m->options.anomaly_count; i++) {
        bool deletes = m->options.anomalies[i].kind == ANOMALY_MASS_DELETE;
        lost += deletes ? m->options.anomalies[i].events : 0;
    }
    m->heap_capacity = capacity * (BIRTH_OPS_MAX + 1) + 4096 + m->options.policy_count +
                       (size_t)anomaly_events(&m->options) + REFERENCE_ROWS;
    m->lost.items = malloc((lost + 1) * sizeof *m->lost.items);
    m->catalogue = catalogue_new(m->options.description_words);
    m->listings = calloc(capacity, sizeof *m->listings);
    m->alive.items = malloc(capacity * sizeof *m->alive.items);
    m->dead.items = malloc(capacity * sizeof *m->dead.items);
    m->suppressed.items = malloc(sellers * sizeof *m->suppressed.items);
    m->seller_suppressed = calloc(sellers, sizeof *m->seller_suppressed);
    m->heap = malloc(m->heap_capacity * sizeof *m->heap);
    return m->catalogue != NULL && m->listings != NULL && m->alive.items != NULL &&
           m->dead.items != NULL && m->suppressed.items != NULL && m->lost.items != NULL &&
           m->seller_suppressed != NULL && m->heap != NULL &&
           zipf_init(&m->listing_ranks, m->options.listings, m->options.skew_quarters) == 0 &&
           zipf_init(&m->seller_ranks, m->options.sellers, 4) == 0;
}

void marketplace_free(struct marketplace *m) {
    if (m == NULL) {
        return;
    }
    catalogue_free(m->catalogue);
    zipf_release(&m->listing_ranks);
    zipf_release(&m->seller_ranks);
    free(m->listings);
    free(m->alive.items);
    free(m->dead.items);
    free(m->suppressed.items);
    free(m->lost.items);
    free(m->seller_suppressed);
    free(m->heap);
    free(m);
}

/* ---- pending operations ---- */

static bool pending_before(const struct pending *a, const struct pending *b) {
    return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->sequence < b->sequence;
}

static void heap_push(struct marketplace *m, struct pending p) {
    assert(m->heap_count < m->heap_capacity);
    size_t i = m->heap_count++;
    p.sequence = m->sequence++;
    while (i > 0 && pending_before(&p, &m->heap[(i - 1) / 2])) {
        m->heap[i] = m->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    m->heap[i] = p;
}

static struct pending heap_pop(struct marketplace *m) {
    assert(m->heap_count > 0);
    struct pending top = m->heap[0];
    struct pending last = m->heap[--m->heap_count];
    size_t i = 0;
    for (size_t child = 1; child < m->heap_count; child = 2 * i + 1) {
        child += child + 1 < m->heap_count && pending_before(&m->heap[child + 1], &m->heap[child]);
        if (!pending_before(&m->heap[child], &last)) {
            break;
        }
        m->heap[i] = m->heap[child];
        i = child;
    }
    m->heap[i] = last;
    return top;
}

/* Between now and `lag` later, but within the run. */
static int64_t media_moment(struct marketplace *m, int64_t now_ns) {
    int64_t room = m->end_ns - now_ns;
    int64_t lag = m->options.media_lag_ns_max;
    return now_ns + prng_range(&m->media, 0, lag < room ? lag : room);
}

static void push_pending(struct marketplace *m, enum action action, uint32_t listing,
                         uint32_t image, int64_t due_ns) {
    assert(m->budget > 0);
    m->budget--;
    heap_push(m, (struct pending){
                     .due_ns = due_ns, .listing = listing, .image = image, .action = action});
}

/* ---- lists of listings ---- */

static void put_at(struct marketplace *m, struct id_list *list, uint32_t place, uint32_t listing) {
    list->items[place] = listing;
    m->listings[listing].place = place;
}

static void take_out(struct marketplace *m, struct id_list *list, uint32_t listing) {
    uint32_t last = list->items[--list->count];
    put_at(m, list, m->listings[listing].place, last);
}

/* At a random rank, whose holder moves to the end: every order is equally likely (R. Durstenfeld's
 * shuffle, one step a listing). */
static void put_alive(struct marketplace *m, uint32_t listing) {
    uint32_t place = (uint32_t)prng_below(&m->products, (uint64_t)m->alive.count + 1);
    uint32_t end = m->alive.count++;
    if (place != end) {
        put_at(m, &m->alive, end, m->alive.items[place]);
    }
    put_at(m, &m->alive, place, listing);
}

static void put_dead(struct marketplace *m, uint32_t listing) {
    put_at(m, &m->dead, m->dead.count++, listing);
}

/*
 * A living listing by popularity. Ranks are those of a catalogue as large as the load; where fewer
 * live, the draw is made again, where more live, those beyond share what is their part evenly.
 */
static uint32_t pick_popular(const struct marketplace *m, struct prng *p) {
    uint64_t n = m->options.listings;
    uint64_t count = m->alive.count;
    assert(count > 0);
    if (count > n && prng_below(p, count) >= n) {
        return m->alive.items[n + prng_below(p, count - n)];
    }
    uint64_t rank = zipf_pick(&m->listing_ranks, p);
    for (int i = 0; i < 8 && rank >= count; i++) {
        rank = zipf_pick(&m->listing_ranks, p);
    }
    return m->alive.items[rank % count];
}

/* ---- deciding ---- */

/* The images that a listing names come, but for some. */
static void push_delivery(struct marketplace *m, uint32_t listing, uint32_t image, int64_t due_ns) {
    uint32_t missing = m->options.media_missing_percent;
    if (missing == 0 || !prng_ratio(&m->media, missing, 100)) {
        push_pending(m, ACT_DELIVER, listing, image, due_ns);
    }
}

/* Now and then a picture comes that no listing named; some of these are named after all, and some
 * of those sent in again. */
static void plan_stray(struct marketplace *m, uint32_t listing, int64_t now_ns) {
    uint32_t strays = m->options.media_stray_percent;
    if (strays == 0 || m->budget < STRAY_OPS_MAX || !prng_ratio(&m->media, strays, 100)) {
        return;
    }
    uint32_t image = m->image_serial++;
    int64_t due_ns = media_moment(m, now_ns);
    push_pending(m, ACT_DELIVER, listing, image, due_ns);
    if (prng_ratio(&m->media, 1, 2)) {
        return;
    }
    int64_t room = m->end_ns - due_ns;
    int64_t lag = m->options.media_stray_lag_ns_max;
    int64_t named_ns = due_ns + prng_range(&m->media, 0, lag < room ? lag : room);
    push_pending(m, ACT_ADOPT, listing, image, named_ns);
    if (prng_ratio(&m->media, 1, 2)) {
        room = m->end_ns - due_ns;
        push_pending(m, ACT_DELIVER, listing, image,
                     due_ns + prng_range(&m->media, 0, 2 * lag < room ? 2 * lag : room));
    }
}

/* A listing comes (back) to life: its event and those of its pictures, some of which are early. */
static void plan_birth(struct marketplace *m, uint32_t listing, int64_t now_ns, int64_t limit_ns) {
    struct listing *l = &m->listings[listing];
    m->budget--;
    if (l->image_count > m->budget) { /* the last operations of the run */
        l->image_count = (uint8_t)m->budget;
    }
    int64_t birth_ns = now_ns;
    bool media_first = prng_ratio(&m->media, m->options.media_first_percent, 100);
    if (media_first && l->image_count > 0) {
        int64_t room = limit_ns > now_ns ? limit_ns - now_ns : 0;
        int64_t lead = m->options.media_lead_ns_max;
        birth_ns += prng_range(&m->media, 0, lead < room ? lead : room);
    }
    for (uint8_t i = 0; i < l->image_count; i++) {
        int64_t due =
            media_first ? prng_range(&m->media, now_ns, birth_ns) : media_moment(m, birth_ns) + 1;
        push_delivery(m, listing, l->images[i], due);
    }
    plan_stray(m, listing, now_ns);
    heap_push(m, (struct pending){.due_ns = birth_ns, .listing = listing, .action = ACT_BIRTH});
}

static void draw_images(struct marketplace *m, struct listing *l) {
    l->image_count = draw_image_count(&m->images);
    for (uint8_t i = 0; i < l->image_count; i++) {
        l->images[i] = m->image_serial++;
    }
}

static void plan_creation(struct marketplace *m, int64_t now_ns, int64_t limit_ns) {
    assert(m->listing_count < m->listing_capacity);
    uint32_t listing = m->listing_count++;
    struct listing *l = &m->listings[listing];
    l->seller = (uint32_t)(1 + zipf_pick(&m->seller_ranks, &m->products));
    if (m->options.hot_seller_ppm > 0 && prng_ratio(&m->hot, m->options.hot_seller_ppm, 1000000)) {
        l->seller = 1;
    }
    uint8_t locale = catalogue_draw_locale(m->catalogue, &m->products);
    catalogue_draw_product(m->catalogue, &m->products, locale, &l->product);
    l->price = catalogue_draw_price(m->catalogue, &m->products, &l->product);
    l->category = l->product.category;
    l->spelling = (uint8_t)(l->product.identity % LOCALE_SPELLINGS);
    draw_images(m, l);
    plan_birth(m, listing, now_ns, limit_ns);
}

/* The same thing is sold again: other words, another price; its pictures are sent in again. */
static void plan_recreation(struct marketplace *m, int64_t now_ns) {
    uint32_t listing = m->dead.items[prng_below(&m->actions, m->dead.count)];
    struct listing *l = &m->listings[listing];
    take_out(m, &m->dead, listing);
    l->state = UNBORN;
    l->product.title = catalogue_draw_wording(&m->products, l->product.title);
    if (l->product.description != 0) {
        l->product.description = catalogue_draw_wording(&m->products, l->product.description);
    }
    for (size_t key = 0; key < CATALOGUE_ATTRIBUTES; key++) {
        if (l->product.attributes[key] == ATTRIBUTE_NULL) {
            l->product.attributes[key] = ATTRIBUTE_ABSENT;
        }
    }
    l->price = catalogue_draw_price(m->catalogue, &m->products, &l->product);
    plan_birth(m, listing, now_ns, m->end_ns);
}

/* Never so many that buyers would find the shop shut. */
static uint32_t suppressed_max(const struct marketplace *m) {
    uint64_t sellers = m->options.sellers;
    return (uint32_t)(sellers / 8 > 0 ? sellers / 8 : sellers - 1 > 0 ? 1 : 0);
}

static bool takes_listings(enum action action) {
    return action == ACT_DELETE || action == ACT_ERASE_LISTING || action == ACT_ERASE_SELLER;
}

/* What can be done now in place of what cannot. After the load, some listing always lives. */
static enum action possible_action(const struct marketplace *m, enum action wanted) {
    assert(m->alive.count > 0);
    bool room = m->listing_count < m->listing_capacity;
    if (wanted == ACT_RECREATE && m->dead.count == 0) {
        wanted = ACT_CREATE;
    }
    if ((wanted == ACT_CREATE && !room) || (takes_listings(wanted) && m->alive.count < 2) ||
        (wanted == ACT_POLICY && suppressed_max(m) == 0)) {
        wanted = ACT_PRICE;
    }
    return wanted;
}

static void decide(struct marketplace *m) {
    if (m->listing_count < m->options.listings) {
        int64_t load_end = m->options.start.ns + m->options.catalogue_load_ns;
        plan_creation(m, m->slot_ns, load_end);
        return;
    }
    enum action action = (enum action)prng_weighted(&m->actions, m->weights, ACT_COUNT);
    action = possible_action(m, action);
    if (action == ACT_CREATE) {
        plan_creation(m, m->slot_ns, m->end_ns);
    } else if (action == ACT_RECREATE) {
        plan_recreation(m, m->slot_ns);
    } else {
        m->budget--;
        m->ready = (struct pending){.due_ns = m->slot_ns, .action = action};
        m->has_ready = true;
    }
}

static void draw_slot(struct marketplace *m) {
    const struct workload_options *o = &m->options;
    int64_t load_end = o->start.ns + o->catalogue_load_ns;
    if (m->listing_count < o->listings) {
        int64_t n = (int64_t)o->listings;
        int64_t i = m->listing_count;
        m->slot_ns = o->start.ns + o->catalogue_load_ns / n * i + o->catalogue_load_ns % n * i / n;
        return;
    }
    int64_t from = m->slot_ns < load_end ? load_end : m->slot_ns;
    uint64_t slots_left = m->budget * 16 / m->ops_per_16_slots + 1;
    int64_t begin = from - o->start.ns;
    int64_t left = pace_between(o->peaks, o->peak_count, begin, m->end_ns - o->start.ns);
    int64_t gap = prng_exponential_ns(&m->times, left / (int64_t)slots_left);
    m->slot_ns =
        gap < left ? o->start.ns + pace_after(o->peaks, o->peak_count, begin, gap) : m->end_ns;
}

/* Makes every decision that falls before the next operation, and says when that one is. */
static void settle(struct marketplace *m) {
    while (!m->has_ready && m->budget > 0) {
        if (m->heap_count > 0 && m->heap[0].due_ns <= m->slot_ns) {
            break;
        }
        /* A birth and the media of the operation before it must fit; else the heap empties first.
         */
        if (m->heap_count + BIRTH_OPS_MAX + IMAGES_MAX > m->heap_capacity) {
            break;
        }
        decide(m);
        draw_slot(m);
    }
    if (m->left == 0) {
        m->next_ns = VTIME_NEVER.ns;
        return;
    }
    assert(m->has_ready || m->heap_count > 0);
    int64_t due = m->has_ready ? m->ready.due_ns : m->heap[0].due_ns;
    due -= (due - m->options.start.ns) % m->tick_ns;
    int64_t latest = m->end_ns - m->tick_ns * (int64_t)m->left; /* the others must fit too */
    due = due < latest ? due : latest;
    m->next_ns = due > m->last_ns ? due : m->last_ns + m->tick_ns;
}

/* ---- the row of a listing, and records of it ---- */

static struct field text_field(enum field_id id, struct bytes text) {
    return (struct field){.id = id, .type = VALUE_TEXT, .text = text};
}

static struct field null_field(enum field_id id) {
    return (struct field){.id = id, .type = VALUE_NULL};
}

static struct field integer_field(enum field_id id, int64_t value) {
    return (struct field){.id = id, .type = VALUE_INTEGER, .integer = value};
}

/* What a schema anomaly makes of an attribute: the other type. */
static struct field estranged(struct field field) {
    if (field.type == VALUE_INTEGER) {
        field.type = VALUE_TEXT;
        field.text = bytes_of("unknown");
    } else if (field.type != VALUE_NULL) {
        field.type = VALUE_INTEGER;
        field.integer = -1;
    }
    return field;
}

/* As the seller names them. */
static struct bytes locale_named(const struct marketplace *m, const struct listing *l) {
    return has_tables(&m->options)
               ? reference_tables_locale(&m->tables, l->product.locale, l->spelling)->key
               : catalogue_locale(m->catalogue, &l->product);
}

static struct bytes category_named(const struct marketplace *m, const struct listing *l) {
    return has_tables(&m->options) ? reference_tables_category(&m->tables, l->category)->key
                                   : catalogue_category(m->catalogue, &l->product);
}

/* Every column as a field: the seven own ones, then the attributes. Returns their count. */
static size_t fill_fields(struct marketplace *m, const struct listing *l) {
    const struct catalogue *c = m->catalogue;
    const struct product *product = &l->product;
    struct field *f = m->fields;
    *f++ = text_field(FIELD_TITLE, (struct bytes){m->title, catalogue_title(c, product, m->title)});
    if (product->description == 0) {
        *f++ = null_field(FIELD_DESCRIPTION);
    } else {
        size_t len = catalogue_description(c, product, m->description);
        *f++ = text_field(FIELD_DESCRIPTION, (struct bytes){m->description, len});
    }
    *f++ = text_field(FIELD_LOCALE, locale_named(m, l));
    *f++ = text_field(FIELD_CATEGORY, category_named(m, l));
    *f++ = integer_field(FIELD_SELLER, l->seller);
    *f++ = l->price < 0 ? null_field(FIELD_PRICE) : integer_field(FIELD_PRICE, l->price);
    for (uint8_t i = 0; i < l->image_count; i++) {
        le64_put(m->image_ids + 8 * i, image_id(l->images[i]));
    }
    *f++ = (struct field){
        .id = FIELD_IMAGE_IDS, .type = VALUE_IDS, .text = {m->image_ids, 8u * l->image_count}};
    for (size_t key = 0; key < CATALOGUE_ATTRIBUTES; key++) {
        if (product->attributes[key] != ATTRIBUTE_ABSENT) {
            *f = catalogue_attribute(c, product, key, m->attribute_text[key]);
            *f = l->strange == STRANGE + key ? estranged(*f) : *f;
            f++;
        }
    }
    if (l->strange != 0) { /* by name it comes behind the others */
        *f = (struct field){.id = FIELD_ATTRIBUTE, .type = VALUE_TEXT};
        f->name = bytes_of("zz_batch");
        f++->text = bytes_of("import of an unknown tool");
    }
    return (size_t)(f - m->fields);
}

static void fill_row(struct marketplace *m, uint32_t listing, size_t field_count,
                     struct workload_op *op) {
    const struct listing *l = &m->listings[listing];
    const struct field *f = m->fields;
    op->listing = (struct oltp_listing){
        .listing_id = listing_id(m, listing),
        .seller_id = l->seller,
        .title = f[0].text,
        .description = f[1].text, /* of a null field: no data */
        .locale = f[2].text,
        .category = f[3].text,
        .price = l->price,
        .image_ids = f[6].text,
        .attributes = f + OWN_FIELDS,
        .attribute_count = field_count - OWN_FIELDS,
        .deleted = l->state != ALIVE,
        .stamp = op->stamp,
    };
}

static struct stamp draw_stamp(struct marketplace *m, struct prng *p) {
    uint64_t hi = prng_next(p);
    uint64_t lo = prng_next(p);
    /* Version 4 and the variant of RFC 9562. */
    hi = (hi & ~UINT64_C(0xf000)) | 0x4000;
    lo = (lo & (UINT64_MAX >> 2)) | UINT64_C(1) << 63;
    return (struct stamp){{m->next_ns}, {hi, lo}};
}

static struct record record_of(enum record_type type, enum record_op record_op,
                               const struct workload_op *op) {
    return (struct record){
        .type = type,
        .op = record_op,
        .contract_version = RECORD_CONTRACT_VERSION,
        .stamp = op->stamp,
        .subject_id = op->key,
    };
}

static void encode(struct marketplace *m, const struct record *r, const struct field *fields,
                   size_t count, struct workload_op *op) {
    int64_t len = record_encode(r, fields, count, m->encoded, sizeof m->encoded);
    assert(len > 0);
    op->value = (struct bytes){m->encoded, (size_t)len};
}

/* Parts of a listing that a partial update names: a bit for each own field by its id, and for each
 * attribute. */
struct changes {
    unsigned own;
    uint32_t attributes;
};
#define NAMES(id) (1u << (id))

static bool is_named(const struct listing *l, struct changes changes, size_t i, size_t *key) {
    if (i < OWN_FIELDS) {
        return (changes.own & NAMES(FIELD_TITLE + i)) != 0;
    }
    while (*key < CATALOGUE_ATTRIBUTES && l->product.attributes[*key] == ATTRIBUTE_ABSENT) {
        ++*key;
    }
    if (*key == CATALOGUE_ATTRIBUTES) { /* the one that nobody knows */
        return (changes.own & NAMES(FIELD_ATTRIBUTE)) != 0;
    }
    return (changes.attributes & 1u << (*key)++) != 0;
}

/* The operation of an UPSERT that names what changed, and the whole row beside it. */
static void publish_upsert(struct marketplace *m, enum workload_op_kind kind, uint32_t listing,
                           struct changes changes, struct workload_op *op) {
    const struct listing *l = &m->listings[listing];
    op->kind = kind;
    op->topic = TOPIC_LISTING;
    op->key = listing_id(m, listing);
    op->through_oltp = true;
    size_t count = fill_fields(m, l);
    fill_row(m, listing, count, op);
    struct field named[OWN_FIELDS + CATALOGUE_ATTRIBUTES + 1];
    size_t named_count = 0;
    size_t key = 0;
    for (size_t i = 0; i < count; i++) {
        if (is_named(l, changes, i, &key)) {
            named[named_count++] = m->fields[i];
        }
    }
    struct record r = record_of(RECORD_LISTING, RECORD_UPSERT, op);
    encode(m, &r, named, named_count, op);
}

/* ---- carrying out ---- */

static void do_birth(struct marketplace *m, uint32_t listing, struct workload_op *op) {
    m->listings[listing].state = ALIVE;
    put_alive(m, listing);
    publish_upsert(m, OP_LISTING_CREATE, listing, (struct changes){~0u, ~0u}, op);
}

/* Down or up by up to a tenth, mostly; now and then only on request. */
static void do_price(struct marketplace *m, uint32_t listing, struct workload_op *op) {
    struct listing *l = &m->listings[listing];
    int64_t before = l->price;
    if (before < 0 || prng_ratio(&m->actions, 1, 16)) {
        l->price = catalogue_draw_price(m->catalogue, &m->actions, &l->product);
    } else if (prng_ratio(&m->actions, 1, 256)) {
        l->price = -1;
    } else {
        l->price = before / 1000 * prng_range(&m->actions, 900, 1100) / 100 * 100;
    }
    if (l->price == before) {
        l->price += 100;
    }
    publish_upsert(m, OP_LISTING_UPDATE, listing, (struct changes){NAMES(FIELD_PRICE), 0}, op);
}

static void do_text(struct marketplace *m, uint32_t listing, struct workload_op *op) {
    struct product *product = &m->listings[listing].product;
    uint64_t which = prng_below(&m->actions, 16);
    bool described = m->options.description_words > 0;
    struct changes changes = {0, 0};
    if (which < 8 || !described) {
        product->title = catalogue_draw_wording(&m->actions, product->title);
        changes.own |= NAMES(FIELD_TITLE);
    }
    if (which > 4 && described) {
        uint32_t before = product->description;
        bool drop = which == 15 && before != 0;
        product->description = drop ? 0 : catalogue_draw_wording(&m->actions, before);
        changes.own |= NAMES(FIELD_DESCRIPTION);
    }
    publish_upsert(m, OP_LISTING_UPDATE, listing, changes, op);
}

static void do_attributes(struct marketplace *m, uint32_t listing, struct workload_op *op) {
    struct product *product = &m->listings[listing].product;
    uint64_t count = prng_range(&m->actions, 1, 3);
    struct changes changes = {0, 0};
    for (uint64_t i = 0; i < count; i++) {
        size_t key = catalogue_draw_attribute(m->catalogue, &m->actions, product);
        uint8_t value = catalogue_draw_value(&m->actions);
        bool set = product->attributes[key] >= ATTRIBUTE_FIRST_CHOICE;
        bool full = !set && catalogue_attributes_set(product) == CATALOGUE_ATTRIBUTES_SET_MAX;
        bool drop = prng_ratio(&m->actions, 1, set ? 4 : 64);
        product->attributes[key] = drop || full ? ATTRIBUTE_NULL : value;
        changes.attributes |= 1u << key;
    }
    publish_upsert(m, OP_LISTING_UPDATE, listing, changes, op);
}

static void add_image(struct marketplace *m, uint32_t listing, uint8_t place) {
    struct listing *l = &m->listings[listing];
    assert(l->image_count < IMAGES_MAX && place <= l->image_count);
    memmove(l->images + place + 1, l->images + place,
            (size_t)(l->image_count - place) * sizeof l->images[0]);
    l->images[place] = m->image_serial++;
    l->image_count++;
    if (m->budget > 0) {
        push_delivery(m, listing, l->images[place], media_moment(m, m->next_ns) + 1);
        plan_stray(m, listing, m->next_ns);
    }
}

static void remove_image(struct marketplace *m, uint32_t listing, uint8_t place) {
    struct listing *l = &m->listings[listing];
    assert(place < l->image_count);
    if (m->budget > 0) {
        push_pending(m, ACT_WITHDRAW, listing, l->images[place], media_moment(m, m->next_ns) + 1);
    }
    l->image_count--;
    memmove(l->images + place, l->images + place + 1,
            (size_t)(l->image_count - place) * sizeof l->images[0]);
}

static void do_images(struct marketplace *m, uint32_t listing, struct workload_op *op) {
    struct listing *l = &m->listings[listing];
    uint64_t which = prng_below(&m->actions, 8);
    uint8_t place = (uint8_t)prng_below(&m->actions, (uint64_t)l->image_count + 1);
    bool add = l->image_count == 0 || (which < 4 && l->image_count < IMAGES_MAX);
    if (add) {
        add_image(m, listing, place);
    } else if (which < 6 || l->image_count == 1) {
        remove_image(m, listing, place % l->image_count);
        if (which == 5) { /* another picture in its place */
            add_image(m, listing, place < l->image_count ? place : l->image_count);
        }
    } else { /* another one comes first */
        uint8_t other = (uint8_t)(1 + place % (l->image_count - 1));
        uint32_t first = l->images[0];
        l->images[0] = l->images[other];
        l->images[other] = first;
    }
    publish_upsert(m, OP_LISTING_UPDATE, listing, (struct changes){NAMES(FIELD_IMAGE_IDS), 0}, op);
}

static void kill(struct marketplace *m, uint32_t listing) {
    take_out(m, &m->alive, listing);
    put_dead(m, listing);
    m->listings[listing].state = DEAD;
}

/* Named last; a listing that is gone, or has no place left, changes nothing by it but its price. */
static void do_adopt(struct marketplace *m, uint32_t listing, uint32_t image,
                     struct workload_op *op) {
    struct listing *l = &m->listings[listing];
    if (l->state != ALIVE) {
        do_price(m, pick_popular(m, &m->actions), op);
        return;
    }
    if (l->image_count < IMAGES_MAX) {
        l->images[l->image_count++] = image;
    }
    publish_upsert(m, OP_LISTING_UPDATE, listing, (struct changes){NAMES(FIELD_IMAGE_IDS), 0}, op);
}

static void do_delete(struct marketplace *m, uint32_t listing, struct workload_op *op) {
    struct listing *l = &m->listings[listing];
    kill(m, listing);
    op->kind = OP_LISTING_DELETE;
    op->topic = TOPIC_LISTING;
    op->key = listing_id(m, listing);
    op->through_oltp = true;
    fill_row(m, listing, fill_fields(m, l), op);
    struct record r = record_of(RECORD_LISTING, RECORD_DELETE, op);
    encode(m, &r, NULL, 0, op);
}

static void publish_erasure(struct marketplace *m, enum erasure_scope scope, uint64_t id,
                            struct workload_op *op) {
    op->kind = OP_ERASURE;
    op->topic = TOPIC_PRIVACY;
    op->key = id;
    op->through_oltp = true;
    op->erasure = scope;
    struct record r = record_of(RECORD_ERASURE, RECORD_UPSERT, op);
    r.erasure_scope = scope;
    r.erasure_id = id;
    encode(m, &r, NULL, 0, op);
}

/* One that lives, or now and then one that was deleted before. */
static void do_erase_listing(struct marketplace *m, struct workload_op *op) {
    bool dead = m->dead.count > 0 && prng_ratio(&m->actions, 1, 4);
    const struct id_list *list = dead ? &m->dead : &m->alive;
    uint32_t listing = list->items[prng_below(&m->actions, list->count)];
    if (!dead) {
        kill(m, listing);
    }
    publish_erasure(m, ERASURE_LISTING, listing_id(m, listing), op);
}

static uint32_t living_of(const struct marketplace *m, uint32_t seller) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < m->alive.count; i++) {
        count += m->listings[m->alive.items[i]].seller == seller;
    }
    return count;
}

/* A seller who has some listing and not all of them; when one has them all, one with none. */
static void do_erase_seller(struct marketplace *m, struct workload_op *op) {
    uint32_t listing = m->alive.items[prng_below(&m->actions, m->alive.count)];
    uint32_t seller = m->listings[listing].seller;
    if (living_of(m, seller) == m->alive.count) {
        seller = (uint32_t)(seller % m->options.sellers + 1);
    }
    if (living_of(m, seller) < m->alive.count) {
        for (uint32_t i = m->alive.count; i > 0; i--) {
            uint32_t one = m->alive.items[i - 1];
            if (m->listings[one].seller == seller) {
                kill(m, one);
            }
        }
    }
    publish_erasure(m, ERASURE_SELLER, seller, op);
}

static void do_media(struct marketplace *m, const struct pending *p, struct workload_op *op) {
    bool deliver = p->action == ACT_DELIVER;
    op->kind = OP_MEDIA;
    op->topic = TOPIC_MEDIA;
    op->key = listing_id(m, p->listing);
    struct record r = record_of(RECORD_MEDIA, deliver ? RECORD_UPSERT : RECORD_DELETE, op);
    r.image_id = image_id(p->image);
    if (deliver) {
        const struct product *product = &m->listings[p->listing].product;
        size_t len = catalogue_descriptor(m->catalogue, product, r.image_id, m->descriptor);
        r.image_descriptor = (struct bytes){m->descriptor, len};
    }
    encode(m, &r, NULL, 0, op);
}

static uint32_t suppress(struct marketplace *m) {
    uint32_t seller = (uint32_t)(1 + prng_below(&m->actions, m->options.sellers));
    while (m->seller_suppressed[seller]) { /* fewer than all are */
        seller = (uint32_t)(seller % m->options.sellers + 1);
    }
    m->seller_suppressed[seller] = true;
    m->suppressed.items[m->suppressed.count++] = seller;
    return seller;
}

static uint32_t reinstate(struct marketplace *m) {
    uint32_t place = (uint32_t)prng_below(&m->actions, m->suppressed.count);
    uint32_t seller = m->suppressed.items[place];
    m->suppressed.items[place] = m->suppressed.items[--m->suppressed.count];
    m->seller_suppressed[seller] = false;
    return seller;
}

static void publish_policy(struct marketplace *m, uint64_t seller, enum policy_status status,
                           struct workload_op *op) {
    op->kind = OP_POLICY;
    op->topic = TOPIC_POLICY;
    op->seller_id = op->key = seller;
    op->status = status;
    op->through_oltp = true;
    struct record r = record_of(RECORD_POLICY, RECORD_UPSERT, op);
    r.seller_id = op->seller_id;
    r.status = op->status;
    encode(m, &r, NULL, 0, op);
}

static void do_policy(struct marketplace *m, struct workload_op *op) {
    uint32_t count = m->suppressed.count;
    bool back = prng_ratio(&m->actions, 1, 2);
    back = count > 0 && (back || count >= suppressed_max(m));
    uint64_t seller = back ? reinstate(m) : suppress(m);
    publish_policy(m, seller, back ? POLICY_ACTIVE : POLICY_SUPPRESSED, op);
}

/* What the mix knows of suppressed sellers stays right. */
static void do_set_policy(struct marketplace *m, const struct workload_policy *policy,
                          struct workload_op *op) {
    uint32_t seller = (uint32_t)policy->seller_id;
    bool suppressed = policy->status == POLICY_SUPPRESSED;
    if (suppressed && !m->seller_suppressed[seller]) {
        m->suppressed.items[m->suppressed.count++] = seller;
    }
    for (uint32_t i = 0; !suppressed && i < m->suppressed.count; i++) {
        if (m->suppressed.items[i] == seller) {
            m->suppressed.items[i] = m->suppressed.items[--m->suppressed.count];
        }
    }
    m->seller_suppressed[seller] = suppressed;
    publish_policy(m, seller, policy->status, op);
}

/* ---- reference tables ---- */

static void publish_row(struct marketplace *m, size_t row, struct workload_op *op) {
    op->kind = OP_REFERENCE;
    op->topic = TOPIC_REFERENCE;
    op->through_oltp = true;
    op->reference = m->tables.rows[row].row;
    op->key = reference_key(&op->reference);
    struct record r = record_of(RECORD_REFERENCE, RECORD_UPSERT, op);
    r.reference = op->reference;
    encode(m, &r, NULL, 0, op);
}

/* Mostly a row changes; now and then a seller puts a listing into another category, or spells its
 * locale in another way. */
static void do_reference(struct marketplace *m, struct workload_op *op) {
    if (prng_ratio(&m->actions, 3, 4)) {
        publish_row(m, reference_tables_change(&m->tables, &m->actions), op);
        return;
    }
    uint32_t listing = pick_popular(m, &m->actions);
    struct listing *l = &m->listings[listing];
    bool category = prng_ratio(&m->actions, 1, 2);
    if (category) {
        l->category = (uint8_t)prng_below(&m->actions, CATALOGUE_CATEGORIES);
    } else {
        l->spelling = (uint8_t)((l->spelling + 1) % LOCALE_SPELLINGS);
    }
    struct changes changes = {category ? NAMES(FIELD_CATEGORY) : NAMES(FIELD_LOCALE), 0};
    publish_upsert(m, OP_LISTING_UPDATE, listing, changes, op);
}

/* Evenly over the catalogue load: some come before what names them and some after. They are no part
 * of the budget. */
static void plan_rows(struct marketplace *m) {
    for (uint32_t i = 0; i < REFERENCE_ROWS; i++) {
        int64_t due_ns = m->options.start.ns + m->options.catalogue_load_ns / REFERENCE_ROWS * i;
        heap_push(m, (struct pending){.due_ns = due_ns, .listing = i, .action = ACT_SET_ROW});
    }
    m->left += REFERENCE_ROWS;
}

/* The event of an order that was placed just now, or the correction of an earlier one. */
static void publish_order(struct marketplace *m, uint64_t serial, struct workload_op *op) {
    const struct placed_order *order = &m->recent[serial % RECENT_ORDERS];
    op->kind = OP_ORDER;
    op->topic = TOPIC_ORDER;
    op->key = listing_id(m, order->listing);
    op->through_oltp = true;
    struct record r = record_of(RECORD_ORDER, RECORD_UPSERT, op);
    r.order_id = ORDER_ID_BASE + serial;
    r.placed = (vtime){order->placed_ns == m->next_ns ? 0 : order->placed_ns};
    r.quantity = order->quantity;
    r.amount = order->price * r.quantity;
    r.order_category = catalogue_category(m->catalogue, &m->listings[order->kind].product);
    op->order = (struct order_row){.order_id = r.order_id,
                                   .listing_id = op->key,
                                   .stamp = op->stamp,
                                   .placed = {order->placed_ns},
                                   .quantity = r.quantity,
                                   .amount = r.amount,
                                   .category = r.order_category};
    encode(m, &r, NULL, 0, op);
}

static int64_t draw_quantity(struct prng *p) {
    static const int64_t quantities[8] = {1, 1, 1, 1, 1, 2, 2, 3};
    return quantities[prng_below(p, 8)];
}

static void do_order(struct marketplace *m, uint32_t listing, struct workload_op *op) {
    const struct listing *l = &m->listings[listing];
    int64_t price = l->price;
    if (price < 0) { /* on request: they agreed on one */
        price = catalogue_draw_price(m->catalogue, &m->actions, &l->product);
    }
    m->recent[m->order_serial % RECENT_ORDERS] =
        (struct placed_order){.listing = listing,
                              .placed_ns = m->next_ns,
                              .quantity = draw_quantity(&m->actions),
                              .price = price,
                              .kind = listing};
    publish_order(m, m->order_serial++, op);
}

/* Another quantity, another price, or a category that was wrong. The hour stays. */
static void do_correction(struct marketplace *m, struct workload_op *op) {
    if (m->order_serial == 0) { /* nothing to correct yet: somebody buys first */
        do_order(m, pick_popular(m, &m->actions), op);
        return;
    }
    uint64_t recent = m->order_serial < RECENT_ORDERS ? m->order_serial : RECENT_ORDERS;
    uint64_t serial = m->order_serial - 1 - prng_below(&m->actions, recent);
    struct placed_order *order = &m->recent[serial % RECENT_ORDERS];
    switch (prng_below(&m->actions, 3)) {
    case 0:
        order->quantity = draw_quantity(&m->actions) + order->quantity % 2;
        break;
    case 1:
        order->price = order->price / 1000 * prng_range(&m->actions, 500, 950) / 100 * 100;
        break;
    default:
        order->kind = pick_popular(m, &m->actions);
    }
    publish_order(m, serial, op);
}

static void do_poison(struct marketplace *m, uint32_t listing, struct workload_op *op) {
    struct poison poison;
    const struct listing *l = &m->listings[listing];
    poison_draw(&m->actions, listing_id(m, listing), l->seller, op->stamp, m->encoded,
                sizeof m->encoded, &poison);
    op->kind = OP_POISON;
    op->topic = poison.topic;
    op->key = poison.key;
    op->value = poison.value;
    op->stamp = STAMP_NONE;
}

/* ---- anomalies ---- */

static void do_nulls(struct marketplace *m, uint32_t listing, struct workload_op *op) {
    struct listing *l = &m->listings[listing];
    struct changes changes = {NAMES(FIELD_PRICE) | NAMES(FIELD_DESCRIPTION), 0};
    l->price = -1;
    l->product.description = 0;
    for (size_t key = 0; key < CATALOGUE_ATTRIBUTES; key++) {
        if (l->product.attributes[key] != ATTRIBUTE_ABSENT) {
            l->product.attributes[key] = ATTRIBUTE_NULL;
            changes.attributes |= 1u << key;
        }
    }
    publish_upsert(m, OP_LISTING_UPDATE, listing, changes, op);
}

static void do_schema(struct marketplace *m, uint32_t listing, struct workload_op *op) {
    struct listing *l = &m->listings[listing];
    size_t key = 0;
    while (key < CATALOGUE_ATTRIBUTES && l->product.attributes[key] < ATTRIBUTE_FIRST_CHOICE) {
        key++;
    }
    l->strange = (uint8_t)(STRANGE + key);
    publish_upsert(m, OP_LISTING_UPDATE, listing, (struct changes){NAMES(FIELD_ATTRIBUTE), ~0u},
                   op);
}

static void do_new_price(struct marketplace *m, uint32_t listing, struct workload_op *op) {
    struct listing *l = &m->listings[listing];
    l->price = catalogue_draw_price(m->catalogue, &m->anomalies, &l->product);
    publish_upsert(m, OP_LISTING_UPDATE, listing, (struct changes){NAMES(FIELD_PRICE), 0}, op);
}

static void do_mass_delete(struct marketplace *m, uint32_t listing, struct workload_op *op) {
    if (m->alive.count < 2) {
        do_new_price(m, listing, op);
        return;
    }
    m->lost.items[m->lost.count++] = listing;
    do_delete(m, listing, op);
}

/* As it was, but for its pictures: those went with it. */
static void do_mass_restore(struct marketplace *m, uint32_t listing, struct workload_op *op) {
    while (m->lost.count > 0) {
        uint32_t lost = m->lost.items[--m->lost.count];
        if (m->listings[lost].state == DEAD) { /* its seller did not put it back meanwhile */
            take_out(m, &m->dead, lost);
            m->listings[lost].image_count = 0;
            do_birth(m, lost, op);
            return;
        }
    }
    do_new_price(m, listing, op);
}

/* A device with a wrong clock sends what must be refused: it would win against everything that is
 * said later. */
static void do_future(struct marketplace *m, uint32_t listing, struct workload_op *op) {
    int64_t ahead_ns = prng_range(&m->anomalies, 2 * VTIME_DAY, 365 * VTIME_DAY);
    op->kind = OP_POISON;
    op->topic = TOPIC_LISTING;
    op->key = listing_id(m, listing);
    struct record r = record_of(RECORD_LISTING, RECORD_UPSERT, op);
    r.stamp.ts = vtime_add(r.stamp.ts, ahead_ns);
    struct field price = integer_field(FIELD_PRICE, 10000);
    encode(m, &r, &price, 1, op);
    op->stamp = STAMP_NONE;
}

static void do_anomaly(struct marketplace *m, enum anomaly_kind kind, struct workload_op *op) {
    uint32_t listing = m->alive.items[prng_below(&m->anomalies, m->alive.count)];
    switch (kind) {
    case ANOMALY_NULLS:
        do_nulls(m, listing, op);
        break;
    case ANOMALY_SCHEMA:
        do_schema(m, listing, op);
        break;
    case ANOMALY_MASS_DELETE:
        do_mass_delete(m, listing, op);
        break;
    case ANOMALY_MASS_RESTORE:
        do_mass_restore(m, listing, op);
        break;
    case ANOMALY_FUTURE:
        do_future(m, listing, op);
        break;
    default:
        assert(kind == ANOMALY_VOLUME);
        do_new_price(m, listing, op);
    }
}

/* Evenly over the time of each. They are no part of the budget. */
static void plan_anomalies(struct marketplace *m) {
    for (size_t i = 0; i < m->options.anomaly_count; i++) {
        const struct workload_anomaly *anomaly = &m->options.anomalies[i];
        int64_t length_ns = anomaly->until_ns - anomaly->from_ns;
        for (int64_t k = 0; k < anomaly->events; k++) {
            int64_t since_ns =
                length_ns / anomaly->events * k + length_ns % anomaly->events * k / anomaly->events;
            heap_push(m,
                      (struct pending){.due_ns = m->options.start.ns + anomaly->from_ns + since_ns,
                                       .listing = (uint32_t)i,
                                       .action = ACT_ANOMALY});
        }
        m->left += anomaly->events;
    }
}

/* Whoever keeps the listing has a clock of his own: what he says of it is stamped by that. Returns
 * the listing. */
static uint32_t by_clock(struct marketplace *m, uint32_t listing, struct workload_op *op) {
    int64_t skew_ns = m->options.clock_skew_ns;
    if (skew_ns != 0 && listing % 2 == 1) {
        struct prng clock;
        prng_init(&clock, m->options.seed ^ listing, "workload.clock");
        op->stamp.ts = vtime_add(op->stamp.ts, prng_range(&clock, -skew_ns, skew_ns));
    }
    return listing;
}

static void carry_out(struct marketplace *m, const struct pending *p, struct workload_op *op) {
    switch (p->action) {
    case ACT_BIRTH:
        do_birth(m, by_clock(m, p->listing, op), op);
        break;
    case ACT_DELIVER:
    case ACT_WITHDRAW:
        (void)by_clock(m, p->listing, op);
        do_media(m, p, op);
        break;
    case ACT_ADOPT:
        do_adopt(m, by_clock(m, p->listing, op), p->image, op);
        break;
    case ACT_DELETE:
        do_delete(m, by_clock(m, m->alive.items[prng_below(&m->actions, m->alive.count)], op), op);
        break;
    case ACT_ANOMALY:
        do_anomaly(m, m->options.anomalies[p->listing].kind, op);
        break;
    case ACT_ERASE_LISTING:
        do_erase_listing(m, op);
        break;
    case ACT_ERASE_SELLER:
        do_erase_seller(m, op);
        break;
    case ACT_REFERENCE:
        do_reference(m, op);
        break;
    case ACT_SET_ROW:
        publish_row(m, p->listing, op);
        break;
    case ACT_POLICY:
        do_policy(m, op);
        break;
    case ACT_SET_POLICY:
        do_set_policy(m, &m->options.policies[p->listing], op);
        break;
    case ACT_PRICE:
        do_price(m, by_clock(m, pick_popular(m, &m->actions), op), op);
        break;
    case ACT_TEXT:
        do_text(m, by_clock(m, pick_popular(m, &m->actions), op), op);
        break;
    case ACT_ATTRIBUTES:
        do_attributes(m, by_clock(m, pick_popular(m, &m->actions), op), op);
        break;
    case ACT_IMAGES:
        do_images(m, by_clock(m, pick_popular(m, &m->actions), op), op);
        break;
    case ACT_CORRECT:
        do_correction(m, op);
        break;
    case ACT_ORDER:
        do_order(m, pick_popular(m, &m->actions), op);
        break;
    default:
        assert(p->action == ACT_POISON);
        do_poison(m, pick_popular(m, &m->actions), op);
    }
}

/* ---- the stream ---- */

struct marketplace *marketplace_new(const struct workload_options *options,
                                    struct workload_error *error) {
    if (check_options(options, error) != 0) {
        return NULL;
    }
    struct marketplace *m = calloc(1, sizeof *m);
    if (m == NULL) {
        refuse(error, "there is not enough memory for the workload");
        return NULL;
    }
    m->options = *options;
    set_weights(m);
    prng_init(&m->times, options->seed, "workload.times");
    prng_init(&m->actions, options->seed, "workload.actions");
    prng_init(&m->products, options->seed, "workload.products");
    prng_init(&m->images, options->seed, "workload.images");
    prng_init(&m->media, options->seed, "workload.media");
    prng_init(&m->ids, options->seed, "workload.ids");
    prng_init(&m->hot, options->seed, "workload.hot");
    prng_init(&m->anomalies, options->seed, "workload.anomalies");
    if (check_events(m, error) != 0) {
        marketplace_free(m);
        return NULL;
    }
    if (!take_memory(m)) {
        refuse(error, "there is not enough memory for so many listings and sellers");
        marketplace_free(m);
        return NULL;
    }
    reference_tables_init(&m->tables, m->catalogue);
    /* A creation brings 2.6 images, a change of images 1 media event. */
    uint64_t births = m->weights[ACT_CREATE] + m->weights[ACT_RECREATE];
    m->ops_per_16_slots = 16 + (births * 42 + m->weights[ACT_IMAGES] * 14) / weight_sum(m);
    m->end_ns = options->start.ns + options->duration_ns;
    bool coarse = (uint64_t)options->duration_ns / (2 * VTIME_MICROSECOND) > options->events;
    m->tick_ns = coarse ? VTIME_MICROSECOND : 1;
    m->last_ns = options->start.ns - m->tick_ns;
    m->left = m->budget = options->events;
    for (size_t i = 0; i < options->policy_count; i++) {
        push_pending(m, ACT_SET_POLICY, (uint32_t)i, 0,
                     options->start.ns + options->policies[i].at_ns);
    }
    plan_anomalies(m);
    if (has_tables(options)) {
        plan_rows(m);
    }
    draw_slot(m);
    settle(m);
    return m;
}

bool marketplace_next(struct marketplace *m, struct workload_op *op) {
    if (m->left == 0) {
        return false;
    }
    struct pending p = m->has_ready ? m->ready : heap_pop(m);
    m->has_ready = false;
    struct prng *ids = p.action == ACT_ANOMALY ? &m->anomalies : &m->ids;
    *op = (struct workload_op){.at = {m->next_ns}, .stamp = draw_stamp(m, ids)};
    carry_out(m, &p, op);
    m->left--;
    m->last_ns = m->next_ns;
    settle(m);
    return true;
}

vtime marketplace_peek(const struct marketplace *m) {
    return (vtime){m->next_ns};
}

uint64_t marketplace_total(const struct marketplace *m) {
    return m->options.events + anomaly_events(&m->options) +
           (has_tables(&m->options) ? REFERENCE_ROWS : 0);
}

vtime marketplace_end(const struct marketplace *m) {
    return (vtime){m->end_ns};
}

bool marketplace_query(struct marketplace *m, uint64_t i, struct workload_query *query) {
    if (m->alive.count == 0) {
        return false;
    }
    struct prng p;
    prng_init(&p, m->options.seed ^ (i * UINT64_C(0x9e3779b97f4a7c15)), "workload.query");
    uint32_t listing = pick_popular(m, &p);
    const struct product *product = &m->listings[listing].product;
    size_t len = catalogue_search(m->catalogue, product, &p, m->search);
    *query =
        (struct workload_query){.text = {m->search, len}, .listing_id = listing_id(m, listing)};
    if (prng_ratio(&p, 1, 4)) {
        const struct listing *l = &m->listings[listing];
        query->category = has_tables(&m->options)
                              ? reference_tables_category(&m->tables, l->category)->value
                              : catalogue_category(m->catalogue, product);
    }
    return true;
}
