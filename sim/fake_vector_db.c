#include "sim/fake_vector_db.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/array.h"
#include "sim/fake_vector_db_parts.h"
#include "sim/vector_math.h"

enum {
    BATCH_ITEMS_MAX_DEFAULT = 4096,
    M_DEFAULT = 16,
    EF_CONSTRUCTION_DEFAULT = 100,
    SEAL_ROWS_MIN_DEFAULT = 256,
};

/* ---- life ---- */

static void set_default(uint32_t *option, uint32_t value) {
    if (*option == 0) {
        *option = value;
    }
}

struct fake_vector_db *fake_vector_db_new(const struct fake_vector_db_options *options) {
    struct fake_vector_db *db = calloc(1, sizeof(*db));
    if (db == 0) {
        return 0;
    }
    db->options = *options;
    if (db->options.profile.batch_items_max == 0) {
        db->options.profile.batch_items_max = BATCH_ITEMS_MAX_DEFAULT;
    }
    for (size_t m = 0; m < MODALITY_COUNT; m++) {
        struct vector_index_options *index = &db->options.index[m];
        set_default(&index->m, M_DEFAULT);
        set_default(&index->ef_construction, EF_CONSTRUCTION_DEFAULT);
        set_default(&index->seal_rows_min, SEAL_ROWS_MIN_DEFAULT);
    }
    label_set_init(&db->labels);
    db->wake = VTIME_NEVER;
    return db;
}

void fake_vector_db_free(struct fake_vector_db *db) {
    if (db == 0) {
        return;
    }
    seller_blocks_release(&db->blocks);
    for (size_t i = 0; i < db->entry_count; i++) {
        vector_collection_free(db->entries[i].collection);
        vector_unseen_release(&db->entries[i].unseen);
    }
    label_set_release(&db->labels);
    free(db->entries);
    free(db);
}

/* ---- collections and aliases ---- */

static struct collection_entry *find_entry(const struct fake_vector_db *db, enum modality modality,
                                           uint32_t model_version) {
    assert(modality < MODALITY_COUNT);
    for (size_t i = 0; i < db->entry_count; i++) {
        struct collection_entry *entry = &db->entries[i];
        if (entry->modality == modality && entry->model_version == model_version &&
            !entry->dropped) {
            return entry;
        }
    }
    return 0;
}

static struct vector_collection *find_collection(const struct fake_vector_db *db,
                                                 enum modality modality, uint32_t model_version) {
    const struct collection_entry *entry = find_entry(db, modality, model_version);
    return entry == 0 ? 0 : entry->collection;
}

int fake_vector_db_create_collection(struct fake_vector_db *db, enum modality modality,
                                     uint32_t model_version) {
    assert(model_version > 0);
    if (find_entry(db, modality, model_version) != 0) {
        return 0;
    }
    const struct vector_index_options *index = &db->options.index[modality];
    const struct vector_collection_options options = {
        .modality = modality,
        .labels = &db->labels,
        .gc_deletes_ns = db->options.profile.gc_deletes_ns,
        .unconditional = db->options.profile.unconditional,
        .whole_rows = db->options.profile.whole_rows,
        .keys_repeat = db->options.profile.keys_repeat,
        .journal = db->options.journal,
        .segments =
            {
                .index_on = index->on,
                .m = index->m,
                .ef_construction = index->ef_construction,
                .seal_rows_min = index->seal_rows_min,
                .seed = db->options.seed,
                .blind = db->options.profile.index_blind,
                .manual = db->options.profile.compacts_on_order,
            },
    };
    if (ARRAY_RESERVE(db->entries, db->entry_capacity, db->entry_count + 1) != 0) {
        return PORT_NO_MEMORY;
    }
    struct vector_collection *collection = vector_collection_new(&options);
    if (collection == 0) {
        return PORT_NO_MEMORY;
    }
    struct collection_entry *entry = &db->entries[db->entry_count++];
    *entry = (struct collection_entry){
        .modality = modality, .model_version = model_version, .collection = collection};
    vector_unseen_init(&entry->unseen, modality_dimension(modality));
    return 0;
}

static void point_alias(struct fake_vector_db *db, vtime now, enum modality modality,
                        uint32_t model_version, uint32_t from) {
    const struct vector_alias_observer *observer = &db->options.alias_observer;
    if (observer->alias_switched != 0 && from != model_version) {
        observer->alias_switched(observer->ctx, now, modality, from, model_version);
    }
}

int fake_vector_db_switch_aliases(struct fake_vector_db *db, vtime now,
                                  const struct vector_alias *aliases, size_t count) {
    uint32_t before[MODALITY_COUNT];
    memcpy(before, db->alias, sizeof(before));
    for (size_t i = 0; i < count; i++) {
        if (aliases[i].model_version != 0 &&
            find_entry(db, aliases[i].modality, aliases[i].model_version) == 0) {
            return PORT_NOT_FOUND;
        }
    }
    for (size_t i = 0; i < count; i++) {
        assert(aliases[i].modality < MODALITY_COUNT);
        db->alias[aliases[i].modality] = aliases[i].model_version;
    }
    for (size_t m = 0; m < MODALITY_COUNT; m++) {
        point_alias(db, now, (enum modality)m, db->alias[m], before[m]);
    }
    return 0;
}

int fake_vector_db_drop_collection(struct fake_vector_db *db, vtime now, enum modality modality,
                                   uint32_t model_version) {
    struct collection_entry *entry = find_entry(db, modality, model_version);
    if (entry == 0) {
        return PORT_NOT_FOUND;
    }
    if (vector_collection_empty(entry->collection, now) != 0) {
        return PORT_NO_MEMORY;
    }
    entry->dropped = true;
    vector_unseen_release(&entry->unseen);
    const struct vector_alias nowhere = {modality, 0};
    return db->alias[modality] == model_version
               ? fake_vector_db_switch_aliases(db, now, &nowhere, 1)
               : 0;
}

uint32_t fake_vector_db_alias_target(const struct fake_vector_db *db, enum modality modality) {
    assert(modality < MODALITY_COUNT);
    return db->alias[modality];
}

/* ---- the port ---- */

/* What a request weighs: vectors, and metadata in a form of some length. */
static size_t batch_bytes(enum modality modality, const struct vector_write *items, size_t count) {
    enum { META_BYTES = 160 };
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        const struct row_meta *meta = &items[i].meta;
        bytes += items[i].kind == ROW_UPSERT ? modality_dimension(modality) * sizeof(float) : 0;
        bytes +=
            items[i].kind == ROW_DELETE ? 0 : META_BYTES + meta->category.len + meta->locale.len;
    }
    return bytes;
}

/* More requests to the collection in this second than the profile allows. */
static bool throttles(const struct vector_profile *profile, struct collection_entry *entry,
                      vtime now) {
    int64_t second = now.ns / VTIME_SECOND;
    entry->requests = entry->second == second ? entry->requests : 0;
    entry->second = second;
    return profile->requests_per_second_max != 0 &&
           ++entry->requests > profile->requests_per_second_max;
}

/* 0, or why nothing of the request is done. */
static int request_refused(const struct fake_vector_db *db, struct collection_entry *entry,
                           vtime now, const struct vector_write *items, size_t count) {
    const struct vector_profile *profile = &db->options.profile;
    if (entry == 0) {
        return PORT_NOT_FOUND;
    }
    bool heavy = profile->batch_bytes_max != 0 &&
                 batch_bytes(entry->modality, items, count) > profile->batch_bytes_max;
    if (heavy || count > profile->batch_items_max) {
        return PORT_TOO_LARGE;
    }
    return throttles(profile, entry, now) ? PORT_THROTTLED : 0;
}

static int port_write(void *ctx, vtime now, enum modality modality, uint32_t model_version,
                      const struct vector_write *items, size_t count, enum item_status *statuses) {
    struct fake_vector_db *db = ctx;
    struct collection_entry *entry = find_entry(db, modality, model_version);
    int refused = request_refused(db, entry, now, items, count);
    if (refused != 0) {
        db->counts.batches_refused++;
        return refused;
    }
    for (size_t i = 0; i < count; i++) {
        int rc = collection_write(db, entry, now, &items[i], &statuses[i]);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

static int port_scan(void *ctx, vtime now, enum modality modality, uint32_t model_version,
                     enum scan_path path, uint64_t first, uint64_t last, struct scan_row *out,
                     size_t max, size_t *count) {
    struct fake_vector_db *db = ctx;
    struct collection_entry *entry = find_entry(db, modality, model_version);
    *count = 0;
    if (entry == 0) {
        return PORT_NOT_FOUND;
    }
    if (collection_read(db, entry, now) != 0 ||
        vector_collection_scan(entry->collection, now, path, first, last, out, max, count) != 0) {
        return PORT_NO_MEMORY;
    }
    if (path == SCAN_BY_ID) {
        collection_read_unseen(db, entry, first, last, out, max, count);
    }
    return 0;
}

static int port_search(void *ctx, vtime now, enum modality modality, uint32_t model_version,
                       const float *query, size_t k, uint32_t ef, bool exact,
                       const struct row_filter *filter, struct search_hit *hits, size_t *count) {
    struct fake_vector_db *db = ctx;
    *count = 0;
    struct collection_entry *entry =
        find_entry(db, modality, model_version == 0 ? db->alias[modality] : model_version);
    if (entry == 0) {
        return PORT_NOT_FOUND;
    }
    assert(vector_is_finite(query, modality_dimension(modality)));
    db->counts.searches[modality][exact ? 1 : 0]++;
    if (collection_read(db, entry, now) != 0) {
        return PORT_NO_MEMORY;
    }
    return vector_collection_search(entry->collection, query, k, ef, exact, filter, &db->blocks,
                                    hits, count);
}

static int port_read(void *ctx, vtime now, enum modality modality, uint32_t model_version,
                     const uint64_t *listing_ids, size_t count, float *vectors, bool *found) {
    struct fake_vector_db *db = ctx;
    struct collection_entry *entry = find_entry(db, modality, model_version);
    if (entry == 0 || count > db->options.profile.batch_items_max) {
        return entry == 0 ? PORT_NOT_FOUND : PORT_TOO_LARGE;
    }
    if (collection_read(db, entry, now) != 0) {
        return PORT_NO_MEMORY;
    }
    size_t dimension = modality_dimension(modality);
    for (size_t i = 0; i < count; i++) {
        struct vector_row_view view;
        found[i] = fake_vector_db_find(db, modality, model_version, listing_ids[i], &view) &&
                   view.vector != 0;
        if (found[i]) {
            memcpy(vectors + i * dimension, view.vector, dimension * sizeof(float));
        }
    }
    return 0;
}

static enum item_status switch_all(struct fake_vector_db *db, vtime now, uint32_t from,
                                   uint32_t to) {
    struct vector_alias aliases[MODALITY_COUNT];
    for (size_t m = 0; m < MODALITY_COUNT; m++) {
        if (db->alias[m] != from && db->alias[m] != to) {
            return ITEM_CONFLICT;
        }
        aliases[m] = (struct vector_alias){(enum modality)m, to};
    }
    return fake_vector_db_switch_aliases(db, now, aliases, MODALITY_COUNT) == 0 ? ITEM_APPLIED
                                                                                : ITEM_MISSING;
}

/* Adds a collection to the list, which stays in the order of model versions. */
static void add_model(struct vector_targets *targets, enum modality modality,
                      uint32_t model_version) {
    size_t at = 0;
    while (at < targets->model_count && targets->models[at].model_version < model_version) {
        at++;
    }
    if (at == VECTOR_MODELS_MAX) {
        return;
    }
    struct vector_model *model = &targets->models[at];
    if (at == targets->model_count || model->model_version != model_version) {
        size_t moved = targets->model_count - at;
        moved -= targets->model_count == VECTOR_MODELS_MAX ? 1 : 0;
        memmove(model + 1, model, moved * sizeof(*model));
        *model = (struct vector_model){model_version, 0};
        targets->model_count = at + 1 + moved;
    }
    model->modalities |= (uint8_t)(1u << modality);
}

static void tell_targets(const struct fake_vector_db *db, struct vector_targets *targets) {
    memset(targets, 0, sizeof(*targets));
    memcpy(targets->aliases, db->alias, sizeof(db->alias));
    for (size_t i = 0; i < db->entry_count; i++) {
        const struct collection_entry *entry = &db->entries[i];
        if (!entry->dropped) {
            add_model(targets, entry->modality, entry->model_version);
        }
    }
}

static int port_admin(void *ctx, vtime now, const struct vector_admin *admin,
                      enum item_status *status, struct vector_targets *targets) {
    struct fake_vector_db *db = ctx;
    int rc = 0;
    *status = ITEM_APPLIED;
    switch (admin->kind) {
    case VECTOR_CREATE:
        rc = fake_vector_db_create_collection(db, admin->modality, admin->model_version);
        break;
    case VECTOR_DROP:
        rc = fake_vector_db_drop_collection(db, now, admin->modality, admin->model_version);
        if (rc == PORT_NOT_FOUND) {
            *status = ITEM_MISSING;
            rc = 0;
        }
        break;
    case VECTOR_SWITCH:
        *status = switch_all(db, now, admin->from_version, admin->model_version);
        break;
    case VECTOR_TARGETS:
        tell_targets(db, targets);
        break;
    case VECTOR_COMPACT:
        for (size_t i = 0; i < db->entry_count; i++) {
            if (!db->entries[i].dropped) {
                vector_collection_compact(db->entries[i].collection);
            }
        }
        break;
    case VECTOR_ADMIN_KIND_COUNT:
        assert(0 && "no kind of administration");
    }
    return rc;
}

static int port_block(void *ctx, vtime now, const struct seller_block *items, size_t count) {
    struct fake_vector_db *db = ctx;
    return seller_blocks_set(&db->blocks, now, items, count, &db->options.observer,
                             STORE_VECTOR_TEXT, STORE_VECTOR_FUSED);
}

/* Removes what the collection holds of the subjects. 0 or PORT_NO_MEMORY. */
static int erase_from(struct fake_vector_db *db, vtime now, struct collection_entry *entry,
                      const struct erasure_subject *subjects, size_t count,
                      struct erasure_look *look) {
    const struct vector_profile *profile = &db->options.profile;
    bool forgets = profile->gc_deletes_ns != 0 && !profile->unconditional;
    enum row_write_kind kind = forgets ? ROW_TOMBSTONE : ROW_DELETE;
    uint64_t masked = 0;
    look->examined++;
    if (collection_show(db, entry, now, true) != 0) {
        return PORT_NO_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        uint64_t listing_id = subjects[i].listing_id;
        doc_version version = subjects[i].version;
        uint64_t held = vector_collection_held(entry->collection, listing_id, version);
        look->found += held;
        if (held == 0) {
            continue;
        }
        struct vector_write removal = {.listing_id = listing_id,
                                       .kind = kind,
                                       .rule = VERSION_GREATER,
                                       .meta = {.version = version}};
        /* By a filter over the version, whatever writes are conditional on: a row of a later life
         * stays, though its place may still mask what is to go. */
        struct row_state row = vector_collection_row(entry->collection, listing_id);
        enum item_status status;
        bool newer = row.present && row.version >= version;
        if (!newer && (collection_write(db, entry, now, &removal, &status) != 0 ||
                       collection_show(db, entry, now, true) != 0)) {
            return PORT_NO_MEMORY;
        }
        masked += vector_collection_held(entry->collection, listing_id, version);
    }
    if (masked > 0) {
        vector_collection_compact(entry->collection);
    }
    return 0;
}

static int port_erase(void *ctx, vtime now, uint32_t model_version,
                      const struct erasure_subject *subjects, size_t count,
                      struct erasure_look *looks) {
    struct fake_vector_db *db = ctx;
    struct erasure_look *look = &looks[ERASED_IN_VECTORS];
    look->at = now;
    for (size_t i = 0; i < db->entry_count; i++) {
        struct collection_entry *entry = &db->entries[i];
        bool asked = model_version == 0 || entry->model_version == model_version;
        if (asked && !entry->dropped && erase_from(db, now, entry, subjects, count, look) != 0) {
            return PORT_NO_MEMORY;
        }
    }
    return 0;
}

uint64_t fake_vector_db_held(const struct fake_vector_db *db, uint64_t listing_id,
                             doc_version version) {
    uint64_t held = 0;
    for (size_t i = 0; i < db->entry_count; i++) {
        if (!db->entries[i].dropped) {
            held += vector_collection_held(db->entries[i].collection, listing_id, version);
        }
    }
    return held;
}

struct vector_port fake_vector_db_port(struct fake_vector_db *db) {
    static const struct vector_port_ops ops = {.write = port_write,
                                               .scan = port_scan,
                                               .search = port_search,
                                               .read = port_read,
                                               .admin = port_admin,
                                               .block = port_block,
                                               .erase = port_erase};
    return (struct vector_port){&ops, db};
}

/* ---- looking inside ---- */

struct row_state fake_vector_db_row(const struct fake_vector_db *db, enum modality modality,
                                    uint32_t model_version, uint64_t listing_id) {
    const struct vector_collection *collection = find_collection(db, modality, model_version);
    return collection == 0 ? (struct row_state){.version = DOC_VERSION_NONE}
                           : vector_collection_row(collection, listing_id);
}

bool fake_vector_db_find(const struct fake_vector_db *db, enum modality modality,
                         uint32_t model_version, uint64_t listing_id,
                         struct vector_row_view *view) {
    const struct vector_collection *collection = find_collection(db, modality, model_version);
    const struct row_meta *meta =
        collection == 0
            ? 0
            : vector_collection_find(collection, listing_id, &view->vector, &view->changed_at);
    if (meta != 0) {
        view->meta = *meta;
    }
    return meta != 0;
}

struct fake_vector_db_counts fake_vector_db_counts(const struct fake_vector_db *db) {
    return db->counts;
}

size_t fake_vector_db_collection_count(const struct fake_vector_db *db) {
    return db->entry_count;
}

struct vector_collection_info fake_vector_db_collection(const struct fake_vector_db *db, size_t i) {
    assert(i < db->entry_count);
    const struct collection_entry *entry = &db->entries[i];
    struct vector_segments_counts segments = vector_collection_segments(entry->collection);
    struct vector_collection_info info = {
        .modality = entry->modality,
        .model_version = entry->model_version,
        .dropped = entry->dropped,
        .aliased = !entry->dropped && db->alias[entry->modality] == entry->model_version,
        .rows = vector_collection_rows(entry->collection),
        .tombstones = vector_collection_tombstones(entry->collection),
        .growing = segments.growing,
        .sealed = segments.sealed,
        .masked = segments.masked,
        .graph_inserts = segments.graph_inserts,
        .graph_compactions = segments.graph_compactions,
        .lsn = entry->lsn,
        .lsn_seen = entry->lsn_seen,
        .journal = vector_collection_journal(entry->collection),
    };
    (void)snprintf(info.name, sizeof(info.name), "listing-%s-v%lu", modality_name(entry->modality),
                   (unsigned long)entry->model_version);
    return info;
}

void fake_vector_db_check(const struct fake_vector_db *db) {
    for (size_t m = 0; m < MODALITY_COUNT; m++) {
        assert(db->alias[m] == 0 || find_entry(db, (enum modality)m, db->alias[m]) != 0);
    }
    for (size_t i = 0; i < db->entry_count; i++) {
        vector_collection_check(db->entries[i].collection);
    }
}

/* ---- faults ---- */

int fake_vector_db_put_row(struct fake_vector_db *db, vtime now, enum modality modality,
                           uint32_t model_version, const struct vector_write *row) {
    struct vector_collection *collection = find_collection(db, modality, model_version);
    return collection == 0 ? PORT_NOT_FOUND : vector_collection_plant(collection, now, row);
}

int fake_vector_db_lose_row(struct fake_vector_db *db, vtime now, enum modality modality,
                            uint32_t model_version, uint64_t listing_id, unsigned paths) {
    struct vector_collection *collection = find_collection(db, modality, model_version);
    return collection == 0 ? PORT_NOT_FOUND
                           : vector_collection_lose(collection, now, listing_id, paths);
}

int fake_vector_db_duplicate_row(struct fake_vector_db *db, vtime now, enum modality modality,
                                 uint32_t model_version, uint64_t listing_id) {
    struct vector_collection *collection = find_collection(db, modality, model_version);
    return collection == 0 ? PORT_NOT_FOUND
                           : vector_collection_duplicate(collection, now, listing_id);
}

static void corrupt_meta(struct row_meta *meta, enum vector_corruption what) {
    switch (what) {
    case VECTOR_CORRUPT_HASHES:
        meta->source_hash = ~meta->source_hash;
        meta->whole_hash = ~meta->whole_hash;
        meta->content_hash = ~meta->content_hash;
        break;
    case VECTOR_CORRUPT_MODEL:
        meta->model_version++;
        break;
    case VECTOR_CORRUPT_POLICY:
        meta->policy = meta->policy == POLICY_ACTIVE ? POLICY_SUPPRESSED : POLICY_ACTIVE;
        break;
    case VECTOR_CORRUPT_VECTOR:
    case VECTOR_CORRUPTION_COUNT:
        break;
    }
}

int fake_vector_db_corrupt_row(struct fake_vector_db *db, vtime now, enum modality modality,
                               uint32_t model_version, uint64_t listing_id,
                               enum vector_corruption what) {
    assert(what < VECTOR_CORRUPTION_COUNT);
    struct vector_row_view view;
    bool vector_wanted = what == VECTOR_CORRUPT_VECTOR;
    if (!fake_vector_db_find(db, modality, model_version, listing_id, &view) ||
        (vector_wanted && view.vector == 0)) {
        return PORT_NOT_FOUND;
    }
    float opposite[FUSED_DIMENSION];
    for (size_t i = 0; vector_wanted && i < modality_dimension(modality); i++) {
        opposite[i] = -view.vector[i];
    }
    corrupt_meta(&view.meta, what);
    return vector_collection_tamper(find_collection(db, modality, model_version), now, listing_id,
                                    &view.meta, vector_wanted ? opposite : 0);
}

size_t fake_vector_db_forget(struct fake_vector_db *db) {
    size_t forgotten = 0;
    for (size_t i = 0; i < db->entry_count; i++) {
        forgotten += vector_collection_forget(db->entries[i].collection);
    }
    return forgotten;
}

void fake_vector_db_hold_compaction(struct fake_vector_db *db, bool held) {
    for (size_t i = 0; i < db->entry_count; i++) {
        if (!db->entries[i].dropped) {
            vector_collection_hold(db->entries[i].collection, held);
        }
    }
}

uint64_t fake_vector_db_held_back(const struct fake_vector_db *db) {
    uint64_t held_back = 0;
    for (size_t i = 0; i < db->entry_count; i++) {
        held_back += vector_collection_segments(db->entries[i].collection).held_back;
    }
    return held_back;
}

int fake_vector_db_restart(struct fake_vector_db *db, vtime now, size_t *forgotten) {
    *forgotten = 0;
    if (fake_vector_db_show(db, now) != 0) {
        return PORT_NO_MEMORY;
    }
    if (db->options.profile.tombstones_in_memory) {
        *forgotten = fake_vector_db_forget(db);
    }
    return 0;
}

const struct vector_profile *fake_vector_db_profile(const struct fake_vector_db *db) {
    return &db->options.profile;
}
