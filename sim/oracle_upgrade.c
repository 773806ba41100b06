/*
 * Model upgrades (A10): what operators ordered, and what readers see when an alias leads them to
 * another collection.
 *
 * The orders say what is to be in the end; that each switch was ordered, that each order was
 * carried out, and that what it leaves behind goes, is judged by them alone. What readers see is
 * judged by the rows: of every listing those that the alias shows are held against those that it
 * showed before the switch.
 *
 *     what readers saw        version v of the listing, there or gone
 *     what is owed to them    its last change up to v that is older than the in-flight bound
 *     what they see instead   must say that change, or a later one
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "pipeline/array.h"
#include "sim/oracle_parts.h"

void upgrade_init(struct oracle *o) {
    orders_init(o);
    for (int m = 0; m < MODALITY_COUNT; m++) {
        o->served[m] = o->options.model_version;
    }
}

void upgrade_release(struct oracle *o) {
    orders_release(o);
}

void oracle_reads(struct oracle *o, struct fake_vector_db *vectors) {
    o->vectors = vectors;
}

/* ---- What readers see ---- */

/* The last change of a listing that a collection must have when readers are led to it. */
struct owed {
    doc_version version; /* NONE: all changes that readers saw are too young */
    bool wanted;         /* it asks for the row */
};

/* By listing. NULL when out of memory. */
static struct owed *owed_make(struct oracle *o, vtime now, enum modality modality) {
    struct owed *owed = calloc(o->listing_count + 1, sizeof *owed);
    if (owed == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < o->position_count; i++) {
        const struct position *position = &o->positions[i];
        uint32_t listing = id_map_get(&o->listing_index, position->listing_id);
        if (vtime_diff(now, position->at) > o->options.switch_in_flight_ns &&
            position->version <= o->listings[listing].rows[modality].version &&
            position->version > owed[listing].version) {
            owed[listing] =
                (struct owed){position->version, (position->wanted >> modality & 1) != 0};
        }
    }
    return owed;
}

/* The row was what is owed, before a late write: a store that takes any loses it again, and now
 * that readers see it a reconciliation mends that. */
static bool was_right(const struct waiting_row *row, uint32_t model_version,
                      const struct owed *owed) {
    bool said = row->version >= owed->version || (!row->present && !owed->wanted);
    return row->model_version == model_version && said;
}

static void judge_row(struct oracle *o, vtime now, const struct oracle_listing *l,
                      enum modality modality, uint32_t to, const struct owed *owed,
                      const struct row_state *after) {
    const struct seen_row *before = &l->rows[modality];
    const char *store = store_name((enum store_id)modality);
    if (owed->version == DOC_VERSION_NONE || (!before->present && !after->present)) {
        return;
    }
    o->checks[CHECK_ALIAS_SWITCH].looked_at++;
    if (!store_conditional(o, (enum store_id)modality) &&
        was_right(&l->waiting_rows[modality], to, owed)) {
        return;
    }
    bool older = after->version < owed->version;
    bool same = after->version == owed->version;
    if (before->present && !after->present) {
        if (owed->wanted && (older || same)) {
            check_violated(o, CHECK_ALIAS_SWITCH, now,
                           "%s: listing %" PRIu64 ", seen at version %" PRId64
                           ", is not in the collection of model %" PRIu32,
                           store, l->id, before->version, to);
        }
    } else if (older || (same && !owed->wanted)) {
        check_violated(o, CHECK_ALIAS_SWITCH, now,
                       "%s: listing %" PRIu64 " %s version %" PRId64 " and is at version %" PRId64
                       " in the collection of model %" PRIu32,
                       store, l->id, before->present ? "was seen at" : "was gone by",
                       before->version, after->version, to);
    }
}

/* Readers see the row so from now on. */
static void row_show(struct oracle *o, vtime now, uint32_t listing, enum modality modality,
                     uint32_t from, const struct row_state *state) {
    struct oracle_listing *l = &o->listings[listing];
    l->waiting_rows[modality] =
        (struct waiting_row){from, l->rows[modality].version, l->rows[modality].whole_hash != 0};
    l->rows[modality] = (struct seen_row){
        .version = state->version,
        .whole_hash = state->present ? state->whole_hash : 0,
        .content_hash = state->content_hash,
        .model_version = state->model_version,
        .present = state->present,
        .left = !state->present && state->version != DOC_VERSION_NONE,
    };
    freshness_row(o, now, listing, (enum store_id)modality, state);
    gone_row(o, now, listing, (enum store_id)modality);
}

void upgrade_switched(struct oracle *o, vtime now, enum modality modality, uint32_t from,
                      uint32_t to) {
    assert(o->vectors != NULL);
    o->counts.switches++;
    if (from != 0) {
        orders_switched(o, now, modality, from, to);
    }
    struct owed *owed = owed_make(o, now, modality);
    if (owed == NULL) {
        o->out_of_memory = true;
        return;
    }
    o->served[modality] = to;
    for (uint32_t i = 0; i < o->listing_count; i++) {
        struct row_state after =
            to == 0 ? (struct row_state){.version = DOC_VERSION_NONE}
                    : fake_vector_db_row(o->vectors, modality, to, o->listings[i].id);
        judge_row(o, now, &o->listings[i], modality, to, &owed[i], &after);
        row_show(o, now, i, modality, from, &after);
    }
    free(owed);
    bool apart = o->aliases_apart;
    o->aliases_apart = o->served[MODALITY_TEXT] != o->served[MODALITY_IMAGE] ||
                       o->served[MODALITY_TEXT] != o->served[MODALITY_FUSED];
    o->apart_since = apart ? o->apart_since : now;
}

void upgrade_tick(struct oracle *o, vtime now) {
    if (o->aliases_apart && vtime_diff(now, o->apart_since) > o->options.aliases_apart_ns) {
        o->aliases_apart = false;
        check_violated(o, CHECK_ALIAS_SWITCH, o->apart_since,
                       "text is served by model %" PRIu32 ", image by %" PRIu32
                       " and fused by %" PRIu32 ": they did not switch together",
                       o->served[MODALITY_TEXT], o->served[MODALITY_IMAGE],
                       o->served[MODALITY_FUSED]);
    }
}

void upgrade_hit(struct oracle *o, vtime now, enum store_id store, uint32_t model_version,
                 uint64_t listing_id) {
    struct vector_row_view view;
    if (o->vectors == NULL || !fake_vector_db_find(o->vectors, (enum modality)store,
                                                   o->served[store], listing_id, &view)) {
        return;
    }
    o->checks[CHECK_ONE_MODEL].looked_at++;
    if (view.meta.model_version != model_version) {
        check_violated(o, CHECK_ONE_MODEL, now,
                       "a search of %s by a query of model %" PRIu32 " found listing %" PRIu64
                       ", made by model %" PRIu32,
                       store_name(store), model_version, listing_id, view.meta.model_version);
    }
}

void oracle_search_failed(struct oracle *o, vtime now, enum store_id store, int error) {
    if (store <= STORE_VECTOR_FUSED && error == PORT_NOT_FOUND) {
        check_violated(o, CHECK_ALIAS_SWITCH, now,
                       "a search of %s found no collection: the alias points to model %" PRIu32,
                       store_name(store), o->served[store]);
    }
}

/* ---- The end ---- */

static bool collection_asked_for(const struct oracle *o,
                                 const struct vector_collection_info *collection) {
    return collection->model_version == o->served[collection->modality] ||
           collection->model_version == o->orders.served ||
           collection->model_version == o->orders.standby;
}

/* Name of a collection that is left of a model that nobody asked for any more; false: none. */
static bool collection_left(const struct oracle *o, size_t *at,
                            struct vector_collection_info *collection) {
    size_t count = fake_vector_db_collection_count(o->vectors);
    for (; *at < count; ++*at) {
        *collection = fake_vector_db_collection(o->vectors, *at);
        if (!collection->dropped && !collection_asked_for(o, collection)) {
            return true;
        }
    }
    return false;
}

/* Where an alias did not go though it was ordered to, the model that it should point to. */
uint32_t upgrade_standby(const struct oracle *o, enum modality modality) {
    uint32_t seen = o->served[modality];
    return o->orders.served != seen    ? o->orders.served
           : o->orders.standby != seen ? o->orders.standby
                                       : 0;
}

/* The standby collection says of a listing what the log does. What readers see is no measure: in a
 * store that takes any write it may be wrong until a reconciliation. */
static bool standby_follows(const struct oracle *o, const struct oracle_listing *l,
                            enum modality m) {
    uint32_t model = upgrade_standby(o, m);
    if (model == 0) {
        return true;
    }
    struct row_state standby = fake_vector_db_row(o->vectors, m, model, l->id);
    bool wanted = (seen_vectors(&l->view.seen) >> m & 1) != 0;
    return standby.present == wanted && (!wanted || standby.version == l->visible);
}

static uint64_t standby_behind(const struct oracle *o, uint64_t *first) {
    uint64_t behind = 0;
    for (size_t i = o->orders.standby != 0 ? 0 : o->listing_count; i < o->listing_count; i++) {
        bool follows = true;
        for (int m = 0; m < MODALITY_COUNT; m++) {
            follows = follows && standby_follows(o, &o->listings[i], (enum modality)m);
        }
        *first = behind == 0 && !follows ? o->listings[i].id : *first;
        behind += !follows;
    }
    return behind;
}

bool upgrade_settled(const struct oracle *o, char *text, size_t size) {
    const struct orders *orders = &o->orders;
    for (int m = 0; m < MODALITY_COUNT; m++) {
        if (orders->moved[m] < orders->move_count) {
            snprintf(text, size, "the alias of %s points to model %" PRIu32 " and not to %" PRIu32,
                     store_name((enum store_id)m), o->served[m],
                     orders->moves[orders->moved[m]].to);
            return false;
        }
    }
    if (o->vectors == NULL) {
        return true;
    }
    size_t at = 0;
    struct vector_collection_info collection;
    if (collection_left(o, &at, &collection)) {
        snprintf(text, size, "the collection %s is still there", collection.name);
        return false;
    }
    uint64_t first = 0;
    uint64_t behind = standby_behind(o, &first);
    if (behind > 0) {
        snprintf(text, size,
                 "the collections of model %" PRIu32 " differ from what the log says in %" PRIu64
                 " listings; the first is %" PRIu64,
                 orders->standby, behind, first);
    }
    return behind == 0;
}

void upgrade_finish(struct oracle *o, vtime now, const struct fake_vector_db *vectors) {
    const struct orders *orders = &o->orders;
    upgrade_tick(o, vtime_add(now, 1));
    for (int m = 0; m < MODALITY_COUNT; m++) {
        for (size_t i = orders->moved[m]; i < orders->move_count; i++) {
            check_violated(o, CHECK_ORDERS_OBEYED, now,
                           "%s: the order of %s to lead readers to model %" PRIu32
                           " was never carried out",
                           store_name((enum store_id)m), moment_text(orders->moves[i].at).text,
                           orders->moves[i].to);
        }
    }
    for (size_t i = 0; i < fake_vector_db_collection_count(vectors); i++) {
        struct vector_collection_info collection = fake_vector_db_collection(vectors, i);
        if (collection.dropped) {
            o->checks[CHECK_RETIRED].looked_at++;
        } else if (!collection_asked_for(o, &collection)) {
            o->checks[CHECK_RETIRED].looked_at++;
            check_violated(o, CHECK_RETIRED, now,
                           "the collection %s is still there with %" PRIu64 " rows",
                           collection.name, collection.rows);
        }
    }
}
