/*
 * Who must be gone (A8): a listing that its seller deleted, or whose seller is suppressed, by what
 * the feeds were told. From the moment at which a feed took the change, it has the bound's time to
 * leave every serving store; and it stays out until it is served again.
 *
 * That is judged by the feeds and not by the listing log, so that a change which the router loses
 * or does not fan out is missed. A record for the late queue is ordered to wait: for it the bound
 * runs from the moment at which the queue hands it on.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "pipeline/array.h"
#include "sim/oracle_parts.h"

void gone_release(struct oracle *o) {
    for (size_t i = 0; i < o->seller_count; i++) {
        free(o->sellers[i].listings);
    }
    free(o->sellers);
    free(o->hidden.items);
    free(o->removed.items);
    id_map_release(&o->seller_index);
    id_map_release(&o->seller_listing);
}

/* ---- Sellers ---- */

/* Index of the seller, made if need be; ID_MAP_NONE when out of memory. */
static uint32_t seller_of(struct oracle *o, uint64_t id) {
    uint32_t at = id_map_get(&o->seller_index, id);
    if (at != ID_MAP_NONE) {
        return at;
    }
    if (ARRAY_RESERVE(o->sellers, o->seller_capacity, o->seller_count + 1) != 0 ||
        id_map_put_index(&o->seller_index, id, (uint32_t)o->seller_count) != 0) {
        o->out_of_memory = true;
        return ID_MAP_NONE;
    }
    o->sellers[o->seller_count] = (struct oracle_seller){
        .id = id, .stamp = STAMP_NONE, .erased = STAMP_NONE, .status = POLICY_ACTIVE};
    return (uint32_t)o->seller_count++;
}

/* Remembers that the listing is, or was, the seller's. */
static void seller_has(struct oracle *o, uint64_t seller_id, uint32_t listing) {
    uint64_t pair[2] = {seller_id, listing};
    uint64_t key = XXH3_64bits(pair, sizeof pair);
    if (id_map_get(&o->seller_listing, key) != ID_MAP_NONE) {
        return;
    }
    uint32_t at = seller_of(o, seller_id);
    if (at == ID_MAP_NONE) {
        return;
    }
    struct oracle_seller *seller = &o->sellers[at];
    if (ARRAY_RESERVE(seller->listings, seller->listing_capacity, seller->listing_count + 1) != 0 ||
        id_map_put_index(&o->seller_listing, key, 1) != 0) {
        o->out_of_memory = true;
        return;
    }
    seller->listings[seller->listing_count++] = listing;
}

/* ---- Listings ---- */

static bool seller_suppressed(const struct oracle *o, uint64_t seller_id) {
    uint32_t seller = id_map_get(&o->seller_index, seller_id);
    return seller != ID_MAP_NONE && o->sellers[seller].status == POLICY_SUPPRESSED;
}

static bool feed_serves(const struct oracle *o, const struct feed_view *feed) {
    if (stamp_is_none(feed->last_set)) {
        return false;
    }
    if (stamp_is_none(feed->seller_stamp)) {
        return true;
    }
    return !seller_suppressed(o, feed->seller);
}

void gone_update(struct oracle *o, uint32_t listing) {
    struct oracle_listing *l = &o->listings[listing];
    bool disagrees = l->feed.known && l->view.known && !l->feed.quarantined &&
                     !l->feed.gone != seen_served(&l->view.seen);
    o->disagreeing += disagrees;
    o->disagreeing -= l->disagrees;
    l->disagrees = disagrees;
    bool lingers = false;
    bool must_go = l->feed.gone && !l->feed.quarantined;
    for (int store = 0; must_go && store < STORE_OLTP; store++) {
        lingers |= store_serves((enum store_id)store) && l->rows[store].present &&
                   store_conditional(o, (enum store_id)store);
    }
    o->lingering += lingers;
    o->lingering -= l->gone_lingers;
    l->gone_lingers = lingers;
}

/* How soon readers no longer get a listing that is gone; gold is no search index, and has no list
 * of blocked sellers. */
static int64_t bound_ns(const struct oracle *o, const struct feed_view *feed, enum store_id store) {
    return feed->by_policy && store != STORE_GOLD ? o->options.suppressed_within_ns
                                                  : o->options.gone_within_ns;
}

/* A row is there, and the store does not keep its seller from readers. */
static bool readers_get(const struct oracle *o, const struct oracle_listing *l,
                        enum store_id store) {
    uint32_t seller = id_map_get(&o->seller_index, l->feed.seller);
    bool blocked = seller != ID_MAP_NONE && (o->sellers[seller].blocked >> store & 1) != 0;
    return l->rows[store].present && !blocked;
}

static void deadline_push(struct oracle *o, struct deadlines *queue, struct deadline deadline) {
    if (queue->first > 1024 && queue->first > queue->count / 2) {
        queue->count -= queue->first;
        memmove(queue->items, queue->items + queue->first, queue->count * sizeof *queue->items);
        queue->first = 0;
    }
    if (ARRAY_RESERVE(queue->items, queue->capacity, queue->count + 1) != 0) {
        o->out_of_memory = true;
        return;
    }
    queue->items[queue->count++] = deadline;
}

/* A living listing that is gone is so because of its seller. */
static void deadline_set(struct oracle *o, uint32_t listing, vtime since) {
    struct feed_view *feed = &o->listings[listing].feed;
    feed->gone_since = since;
    feed->by_policy = !stamp_is_none(feed->last_set);
    if (feed->by_policy) {
        vtime at = vtime_add(since, o->options.suppressed_within_ns);
        deadline_push(o, &o->hidden, (struct deadline){at, listing, since});
    }
    vtime at = vtime_add(since, o->options.gone_within_ns);
    deadline_push(o, &o->removed, (struct deadline){at, listing, since});
}

/* Compares with what the feeds say now. */
static void listing_judge(struct oracle *o, uint32_t listing, vtime append, struct stamp by) {
    struct feed_view *feed = &o->listings[listing].feed;
    bool gone = !feed_serves(o, feed);
    bool news = !feed->known || gone != feed->gone;
    feed->known = true;
    feed->gone = gone;
    feed->quarantined = feed->quarantined && gone && !news;
    /* Gone because of its seller, then deleted, then the seller is let in: it is the deletion's
     * turn.
     */
    bool other_reason = gone && !news && feed->by_policy && stamp_is_none(feed->last_set) &&
                        !seller_suppressed(o, feed->seller);
    if ((news && gone) || other_reason) {
        feed->gone_by = by;
        feed->postponed = false;
        o->checks[CHECK_GONE_IN_TIME].looked_at++;
        deadline_set(o, listing, append);
    }
    gone_update(o, listing);
}

static void listing_bury(struct feed_view *feed, struct stamp stamp) {
    if (stamp_compare(stamp, feed->tombstone) <= 0) {
        return;
    }
    feed->tombstone = stamp;
    if (stamp_compare(feed->last_set, stamp) <= 0) {
        feed->last_set = STAMP_NONE;
    }
    if (stamp_compare(feed->seller_stamp, stamp) <= 0) {
        feed->seller_stamp = STAMP_NONE;
    }
}

static void listing_fold(struct feed_view *feed, const struct record *record) {
    if (record->op == RECORD_DELETE) {
        listing_bury(feed, record->stamp);
        return;
    }
    if (stamp_compare(record->stamp, feed->tombstone) <= 0) {
        return;
    }
    if (stamp_compare(record->stamp, feed->last_set) > 0) {
        feed->last_set = record->stamp;
    }
    struct field field;
    for (struct field_cursor c = record_fields(record); record_fields_next(&c, &field);) {
        if (field.id == FIELD_SELLER && stamp_compare(record->stamp, feed->seller_stamp) > 0) {
            feed->seller_stamp = record->stamp;
            feed->seller = field.type == VALUE_INTEGER ? (uint64_t)field.integer : 0;
        }
    }
}

/* Whose the record says that the listing is; what its seller had erased goes, also of a listing
 * that comes only then. */
static void sellers_learn(struct oracle *o, uint32_t listing, const struct record *record) {
    struct field field;
    for (struct field_cursor c = record_fields(record); record_fields_next(&c, &field);) {
        if (field.id != FIELD_SELLER || field.type != VALUE_INTEGER) {
            continue;
        }
        seller_has(o, (uint64_t)field.integer, listing);
        uint32_t seller = seller_of(o, (uint64_t)field.integer);
        if (seller != ID_MAP_NONE) {
            listing_bury(&o->listings[listing].feed, o->sellers[seller].erased);
        }
    }
}

static void erasure_feed(struct oracle *o, vtime append, const struct record *record) {
    if (record->erasure_scope == ERASURE_LISTING) {
        uint32_t listing = oracle_listing_of(o, record->erasure_id);
        if (listing != UINT32_MAX) {
            listing_bury(&o->listings[listing].feed, record->stamp);
            listing_judge(o, listing, append, record->stamp);
        }
        return;
    }
    uint32_t at = seller_of(o, record->erasure_id);
    if (at == ID_MAP_NONE || stamp_compare(record->stamp, o->sellers[at].erased) <= 0) {
        return;
    }
    o->sellers[at].erased = record->stamp;
    for (size_t i = 0; i < o->sellers[at].listing_count; i++) {
        uint32_t listing = o->sellers[at].listings[i];
        listing_bury(&o->listings[listing].feed, record->stamp);
        listing_judge(o, listing, append, record->stamp);
    }
}

static void policy_feed(struct oracle *o, vtime append, const struct record *record) {
    uint32_t at = seller_of(o, record->seller_id);
    if (at == ID_MAP_NONE || stamp_compare(record->stamp, o->sellers[at].stamp) <= 0) {
        return;
    }
    struct oracle_seller *seller = &o->sellers[at];
    bool changed = seller->status != record->status;
    seller->stamp = record->stamp;
    seller->status = record->status;
    for (size_t i = 0; changed && i < seller->listing_count; i++) {
        listing_judge(o, seller->listings[i], append, record->stamp);
    }
}

void gone_feed(struct oracle *o, vtime now, vtime append, const struct record *record) {
    (void)now;
    if (record->type == RECORD_POLICY) {
        policy_feed(o, append, record);
        return;
    }
    if (record->type == RECORD_ERASURE) {
        erasure_feed(o, append, record);
        return;
    }
    if (record->type != RECORD_LISTING) {
        return;
    }
    uint32_t listing = oracle_listing_of(o, record->subject_id);
    if (listing == UINT32_MAX) {
        return;
    }
    listing_fold(&o->listings[listing].feed, record);
    sellers_learn(o, listing, record);
    listing_judge(o, listing, append, record->stamp);
}

void gone_postpone(struct oracle *o, uint32_t listing, const struct record *record) {
    struct feed_view *feed = &o->listings[listing].feed;
    if (feed->gone && stamp_compare(feed->gone_by, record->stamp) == 0) {
        feed->postponed = true;
        feed->gone_since = VTIME_NEVER;
    }
}

void gone_quarantine(struct oracle *o, uint32_t listing, const struct record *record) {
    struct oracle_listing *l = &o->listings[listing];
    struct feed_view *feed = &l->feed;
    /* A copy that comes after what it says was done, or is overtaken, changes nothing. */
    bool done = stamp_compare(l->view.tombstone, record->stamp) >= 0;
    if (done || !feed->gone || stamp_compare(feed->tombstone, record->stamp) != 0) {
        return;
    }
    feed->gone_by = record->stamp;
    feed->gone_since = VTIME_NEVER;
    feed->by_policy = false;
    feed->postponed = feed->quarantined = true;
    gone_update(o, listing);
}

void gone_drained(struct oracle *o, vtime now, uint32_t listing, const struct record *record) {
    struct feed_view *feed = &o->listings[listing].feed;
    if (feed->gone && feed->postponed && stamp_compare(feed->gone_by, record->stamp) == 0) {
        feed->postponed = feed->quarantined = false;
        deadline_set(o, listing, now);
    }
}

/* ---- Judgement ---- */

bool gone_overdue(const struct oracle *o, const struct oracle_listing *listing, enum store_id store,
                  vtime now) {
    const struct feed_view *feed = &listing->feed;
    return feed->gone && store_conditional(o, store) &&
           vtime_diff(now, feed->gone_since) > bound_ns(o, feed, store);
}

void gone_row(struct oracle *o, vtime now, uint32_t listing, enum store_id store) {
    const struct oracle_listing *l = &o->listings[listing];
    if (store_serves(store) && readers_get(o, l, store) && gone_overdue(o, l, store, now)) {
        check_violated(o, CHECK_GONE_IN_TIME, now,
                       "listing %" PRIu64 " appeared in %s at version %" PRId64 ", gone since %s",
                       l->id, store_name(store), l->rows[store].version,
                       moment_text(l->feed.gone_since).text);
    }
    gone_update(o, listing);
}

void oracle_seller_changed(struct oracle *o, vtime now, enum store_id store, uint64_t seller_id,
                           enum policy_status status) {
    (void)now;
    uint32_t at = seller_of(o, seller_id);
    if (at == ID_MAP_NONE) {
        return;
    }
    unsigned bit = 1u << store;
    o->sellers[at].blocked =
        status == POLICY_SUPPRESSED ? o->sellers[at].blocked | bit : o->sellers[at].blocked & ~bit;
}

/* A listing must be gone by now: for readers, or (removed) its rows too. */
static void deadline_judge(struct oracle *o, const struct deadline *deadline, bool removed) {
    const struct oracle_listing *l = &o->listings[deadline->listing];
    if (!l->feed.gone || l->feed.gone_since.ns != deadline->gone_since.ns) {
        return;
    }
    for (int i = 0; i < STORE_OLTP; i++) {
        enum store_id store = (enum store_id)i;
        bool there =
            removed ? l->rows[store].present : store != STORE_GOLD && readers_get(o, l, store);
        if (store_serves(store) && store_conditional(o, store) && there) {
            check_violated(o, CHECK_GONE_IN_TIME, deadline->at,
                           "listing %" PRIu64 " still %s %s at version %" PRId64 ", gone since %s",
                           l->id, removed ? "in" : "served by", store_name(store),
                           l->rows[store].version, moment_text(deadline->gone_since).text);
        }
    }
}

static void deadlines_judge(struct oracle *o, struct deadlines *queue, vtime now, bool removed) {
    while (queue->first < queue->count && vtime_before(queue->items[queue->first].at, now)) {
        deadline_judge(o, &queue->items[queue->first++], removed);
    }
}

void gone_tick(struct oracle *o, vtime now) {
    deadlines_judge(o, &o->hidden, now, false);
    deadlines_judge(o, &o->removed, now, true);
}

void oracle_filtered(struct oracle *o, vtime now, enum store_id store,
                     const struct row_filter *filter, const struct search_hit *hits, size_t count) {
    o->checks[CHECK_FILTERS_RIGHT].looked_at += count;
    for (size_t i = 0; i < count; i++) {
        const struct oracle_listing *l = oracle_listing_find(o, hits[i].listing_id);
        /* What changed lately may be on its way to the store. */
        bool told = l != NULL && l->view.seen.alive && store_conditional(o, store) &&
                    vtime_diff(now, l->visible_at) > o->options.gone_within_ns;
        if (told && !view_passes(&l->view, filter)) {
            check_violated(o, CHECK_FILTERS_RIGHT, now,
                           "a search of %s found listing %" PRIu64 " at version %" PRId64
                           ", which its filter does not let through since %s",
                           store_name(store), l->id, hits[i].version,
                           moment_text(l->visible_at).text);
        }
    }
}

void oracle_hits(struct oracle *o, vtime now, enum store_id store, uint32_t model_version,
                 const struct search_hit *hits, size_t count) {
    o->counts.hits += count;
    o->checks[CHECK_SERVED_GONE].looked_at += count;
    for (size_t i = 0; i < count; i++) {
        const struct oracle_listing *l = oracle_listing_find(o, hits[i].listing_id);
        if (l != NULL && gone_overdue(o, l, store, now)) {
            check_violated(
                o, CHECK_SERVED_GONE, now,
                "a search of %s found listing %" PRIu64 " at version %" PRId64 ", gone since %s",
                store_name(store), l->id, hits[i].version, moment_text(l->feed.gone_since).text);
        }
        if (store <= STORE_VECTOR_FUSED) {
            upgrade_hit(o, now, store, model_version, hits[i].listing_id);
        }
    }
}
