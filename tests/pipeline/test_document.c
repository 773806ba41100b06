/*
 * The canonical document (A3, A4): a fold that does not mind order, repetition or the way by which
 * its events came, and digests that say what a reader sees.
 *
 * Random event sets are compared with an oracle that looks for each answer in the whole set of
 * events, and with the same events folded in other orders and merged from other parts.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "pipeline/document.h"
#include "pipeline/little_endian.h"
#include "pipeline/memory.h"

#define LISTING 7

/* The library's memory_resize gives way to this one: from `allocations_left` on, there is none. */
static long allocations_left = -1;
static long allocations;

void *memory_resize(void *old, size_t size) {
    if (allocations_left == 0) {
        return NULL;
    }
    allocations_left -= allocations_left > 0;
    allocations++;
    return realloc(old, size);
}

/* ---- random events ---- */

struct rng {
    uint64_t s;
};

static uint64_t rng_below(struct rng *g, uint64_t n) {
    g->s ^= g->s << 13;
    g->s ^= g->s >> 7;
    g->s ^= g->s << 17;
    return (g->s * UINT64_C(0x2545F4914F6CDD1D) >> 11) % n;
}

#define EVENTS_MAX 24
#define EVENT_BYTES 2048

struct event {
    struct record record; /* points into bytes */
    char bytes[EVENT_BYTES];
};

struct events {
    struct event list[EVENTS_MAX];
    size_t count;
};

static const char *const attribute_names[] = {"brand", "colour", "colour2", "size"};

static void event_encode(struct event *e, const struct record *r, const struct field *fields,
                         size_t count) {
    struct record_error error;
    int64_t len = record_encode(r, fields, count, e->bytes, sizeof e->bytes);
    assert_true(len > 0);
    if (record_decode((struct bytes){e->bytes, (size_t)len}, &e->record, &error) != 0) {
        fail_msg("%s: %s", error.field, error.reason);
    }
}

static void random_value(struct rng *g, struct field *f, char *ids) {
    static const char *const texts[] = {"", "lamp", "a lamp of some kind", "l\xC3\xA1mpara",
                                        "a text that is rather longer than all of the others"};
    f->type = VALUE_NULL;
    if (rng_below(g, 5) == 0) {
        return;
    }
    if (f->id == FIELD_SELLER || f->id == FIELD_PRICE) {
        f->type = VALUE_INTEGER;
        f->integer = 1 + (int64_t)rng_below(g, 3);
    } else if (f->id == FIELD_IMAGE_IDS) {
        f->type = VALUE_IDS;
        uint64_t first = rng_below(g, 5);
        size_t count = (size_t)rng_below(g, 5);
        for (size_t i = 0; i < count; i++) {
            le64_put(ids + 8 * i, 1 + (first + 3 * i) % 5);
        }
        f->text = (struct bytes){ids, 8 * count};
    } else if (f->id == FIELD_ATTRIBUTE && rng_below(g, 3) == 0) {
        f->type = VALUE_INTEGER;
        f->integer = (int64_t)rng_below(g, 4);
    } else {
        f->type = VALUE_TEXT;
        f->text = bytes_of(texts[rng_below(g, 5)]);
    }
}

static void random_upsert(struct event *e, struct rng *g, const struct record *r) {
    struct field fields[16];
    char ids[64];
    size_t count = 0;
    for (enum field_id id = FIELD_TITLE; id < FIELD_ATTRIBUTE; id++) {
        if (rng_below(g, 2) == 0) {
            fields[count] = (struct field){.id = id};
            random_value(g, &fields[count++], ids);
        }
    }
    for (size_t i = 0; i < 4; i++) {
        if (rng_below(g, 3) == 0) {
            fields[count] =
                (struct field){.id = FIELD_ATTRIBUTE, .name = bytes_of(attribute_names[i])};
            random_value(g, &fields[count++], ids);
        }
    }
    event_encode(e, r, fields, count);
}

/* Few moments, so that many stamps share one; ids are unique and do not follow the moments. */
static struct stamp random_stamp(struct rng *g, uint64_t serial) {
    return (struct stamp){{(int64_t)rng_below(g, 6)},
                          {rng_below(g, 2), serial * UINT64_C(0x9E3779B97F4A7C15)}};
}

/* The news that a router rides along: of a policy event that is not in the listing's log. */
static void random_note(struct record *r, struct rng *g) {
    if (rng_below(g, 4) == 0) {
        uint64_t serial = 1000 + rng_below(g, 8);
        r->sections = SECTION_POLICY;
        r->policy.seller_id = 1 + serial % 3;
        r->policy.status = serial % 2 == 0 ? POLICY_ACTIVE : POLICY_SUPPRESSED;
        r->policy.stamp = (struct stamp){{(int64_t)(serial % 6)}, {0, serial}};
    }
}

static void random_event(struct event *e, struct rng *g, uint64_t serial) {
    struct record r = {
        .type = RECORD_LISTING,
        .op = RECORD_UPSERT,
        .contract_version = RECORD_CONTRACT_VERSION,
        .stamp = random_stamp(g, serial),
        .subject_id = LISTING,
    };
    random_note(&r, g);
    uint64_t kind = rng_below(g, 20);
    if (kind < 9) {
        random_upsert(e, g, &r);
        return;
    }
    if (kind < 11) {
        r.op = RECORD_DELETE;
    } else if (kind < 17) {
        r.type = RECORD_MEDIA;
        r.op = rng_below(g, 4) == 0 ? RECORD_DELETE : RECORD_UPSERT;
        r.image_id = 1 + rng_below(g, 5);
        r.image_descriptor = bytes_of(serial % 2 == 0 ? "red" : "a blue lamp on a table");
    } else {
        r.type = RECORD_POLICY;
        r.seller_id = 1 + rng_below(g, 3);
        r.status = rng_below(g, 2) == 0 ? POLICY_ACTIVE : POLICY_SUPPRESSED;
    }
    event_encode(e, &r, NULL, 0);
}

/* Some events come twice. */
static void random_events(struct events *all, struct rng *g) {
    all->count = 1 + (size_t)rng_below(g, EVENTS_MAX);
    for (size_t i = 0; i < all->count; i++) {
        if (i > 0 && rng_below(g, 6) == 0) {
            const struct event *again = &all->list[rng_below(g, i)];
            struct record_error error;
            uint32_t len = le32_get(again->bytes + 4);
            memcpy(all->list[i].bytes, again->bytes, len);
            record_decode((struct bytes){all->list[i].bytes, len}, &all->list[i].record, &error);
        } else {
            random_event(&all->list[i], g, i + 1);
        }
    }
}

static void shuffle(size_t *order, size_t count, struct rng *g) {
    for (size_t i = 0; i < count; i++) {
        size_t j = (size_t)rng_below(g, i + 1);
        order[i] = order[j];
        order[j] = i;
    }
}

/* ---- comparing documents ---- */

struct encoded {
    char bytes[16384];
    size_t len;
};

/* All that a document knows, without the way by which it came to know. */
static void knowledge(const struct document *d, struct encoded *out) {
    struct document plain = *d;
    plain.version = DOC_VERSION_NONE;
    plain.changed_at = (vtime){0};
    out->len = document_encode(&plain, out->bytes, sizeof out->bytes);
    assert_true(out->len <= sizeof out->bytes);
}

static bool knows_same(const struct document *a, const struct document *b) {
    static struct encoded of_a, of_b;
    knowledge(a, &of_a);
    knowledge(b, &of_b);
    return of_a.len == of_b.len && memcmp(of_a.bytes, of_b.bytes, of_a.len) == 0;
}

static bool digests_equal(const struct document_digest *a, const struct document_digest *b) {
    return a->source == b->source && a->text == b->text && a->image == b->image &&
           a->fused == b->fused && a->whole == b->whole;
}

/* Folds at a position and checks what every fold promises. */
static int fold(struct document *d, const struct record *r, doc_version position) {
    static struct encoded before, after;
    doc_version version = d->version;
    knowledge(d, &before);
    int changed = document_fold(d, r, position, (vtime){position * 10}, NULL);
    knowledge(d, &after);
    document_check(d);
    bool same = before.len == after.len && memcmp(before.bytes, after.bytes, after.len) == 0;
    assert_int_equal(changed, !same);
    assert_int_equal(d->version, changed && position > version ? position : version);
    assert_int_equal(d->changed_at.ns, d->version * 10);
    return changed;
}

static void fold_in_order(struct document *d, const struct events *all, const size_t *order,
                          const struct bugs *bugs) {
    document_init(d, LISTING);
    for (size_t i = 0; i < all->count; i++) {
        const struct record *r = &all->list[order[i]].record;
        if (bugs == NULL) {
            fold(d, r, (doc_version)(i + 1));
        } else {
            document_fold(d, r, (doc_version)(i + 1), (vtime){0}, bugs);
            document_check(d);
        }
    }
}

static void fold_events(struct document *d, const struct events *all) {
    size_t order[EVENTS_MAX];
    for (size_t i = 0; i < all->count; i++) {
        order[i] = i;
    }
    fold_in_order(d, all, order, NULL);
}

/* ---- the oracle ---- */

static struct stamp oracle_tombstone(const struct events *all) {
    struct stamp greatest = STAMP_NONE;
    for (size_t i = 0; i < all->count; i++) {
        const struct record *r = &all->list[i].record;
        if (r->type == RECORD_LISTING && r->op == RECORD_DELETE &&
            stamp_compare(r->stamp, greatest) > 0) {
            greatest = r->stamp;
        }
    }
    return greatest;
}

static bool oracle_alive(const struct events *all) {
    struct stamp tombstone = oracle_tombstone(all);
    for (size_t i = 0; i < all->count; i++) {
        const struct record *r = &all->list[i].record;
        if (r->type == RECORD_LISTING && r->op == RECORD_UPSERT &&
            stamp_compare(r->stamp, tombstone) > 0) {
            return true;
        }
    }
    return false;
}

static bool record_sets(const struct record *r, enum field_id id, struct bytes name,
                        struct field *out) {
    if (r->type != RECORD_LISTING) {
        return false;
    }
    for (struct field_cursor c = record_fields(r); record_fields_next(&c, out);) {
        if (out->id == id && bytes_equal(out->name, name)) {
            return true;
        }
    }
    return false;
}

/* The value that the last event above the tombstone gave; null when there is none. */
static struct field oracle_field(const struct events *all, enum field_id id, struct bytes name) {
    struct stamp greatest = oracle_tombstone(all);
    struct field f;
    struct field found = {.id = id, .type = VALUE_NULL, .name = name};
    for (size_t i = 0; i < all->count; i++) {
        const struct record *r = &all->list[i].record;
        if (record_sets(r, id, name, &f) && stamp_compare(r->stamp, greatest) > 0) {
            greatest = r->stamp;
            found = f;
        }
    }
    return found;
}

/* The event that decides on an image, or NULL. */
static const struct record *oracle_image(const struct events *all, uint64_t image_id) {
    struct stamp greatest = oracle_tombstone(all);
    const struct record *found = NULL;
    for (size_t i = 0; i < all->count; i++) {
        const struct record *r = &all->list[i].record;
        if (r->type == RECORD_MEDIA && r->image_id == image_id &&
            stamp_compare(r->stamp, greatest) > 0) {
            greatest = r->stamp;
            found = r;
        }
    }
    return found;
}

static enum policy_status oracle_policy(const struct events *all) {
    struct field seller = oracle_field(all, FIELD_SELLER, (struct bytes){0});
    struct stamp greatest = STAMP_NONE;
    enum policy_status status = POLICY_ACTIVE;
    for (size_t i = 0; i < all->count && seller.type == VALUE_INTEGER; i++) {
        const struct record *r = &all->list[i].record;
        if (r->type == RECORD_POLICY && r->seller_id == (uint64_t)seller.integer &&
            stamp_compare(r->stamp, greatest) > 0) {
            greatest = r->stamp;
            status = r->status;
        }
        if ((r->sections & SECTION_POLICY) && r->policy.seller_id == (uint64_t)seller.integer &&
            stamp_compare(r->policy.stamp, greatest) > 0) {
            greatest = r->policy.stamp;
            status = r->policy.status;
        }
    }
    return status;
}

static void assert_same_value(const struct field *got, const struct field *want) {
    assert_int_equal(got->type, want->type);
    assert_int_equal(got->integer, want->integer);
    assert_true(bytes_equal(got->text, want->text));
}

static void assert_oracle_attributes(const struct document *d, const struct events *all) {
    size_t shown = 0;
    struct field got;
    for (size_t i = 0; i < 4; i++) {
        struct field want = oracle_field(all, FIELD_ATTRIBUTE, bytes_of(attribute_names[i]));
        if (want.type != VALUE_NULL) {
            assert_true(document_attribute(d, shown++, &got));
            assert_true(bytes_equal(got.name, want.name));
            assert_same_value(&got, &want);
        }
    }
    assert_false(document_attribute(d, shown, &got));
}

static void assert_oracle_images(const struct document *d, const struct events *all) {
    struct field ids = oracle_field(all, FIELD_IMAGE_IDS, (struct bytes){0});
    size_t shown = 0;
    uint64_t image_id;
    struct bytes descriptor;
    for (size_t i = 0; ids.type == VALUE_IDS && i < field_id_count(&ids); i++) {
        const struct record *r = oracle_image(all, field_id_at(&ids, i));
        if (r != NULL && r->op == RECORD_UPSERT) {
            assert_true(document_visible_image(d, shown++, &image_id, &descriptor));
            assert_int_equal(image_id, r->image_id);
            assert_true(bytes_equal(descriptor, r->image_descriptor));
        }
    }
    assert_false(document_visible_image(d, shown, &image_id, &descriptor));
    assert_int_equal(document_visible_image_count(d), shown);
}

static void assert_oracle(const struct document *d, const struct events *all) {
    assert_int_equal(document_alive(d), oracle_alive(all));
    assert_int_equal(document_policy(d), oracle_policy(all));
    assert_int_equal(document_served(d), oracle_alive(all) && oracle_policy(all) == POLICY_ACTIVE);
    for (enum field_id id = FIELD_TITLE; id < FIELD_ATTRIBUTE; id++) {
        struct field want = oracle_field(all, id, (struct bytes){0});
        struct field got = document_field(d, id);
        assert_same_value(&got, &want);
    }
    assert_oracle_attributes(d, all);
    assert_oracle_images(d, all);
}

/* ---- properties on random event sets ---- */

#define SETS 1500

/* Any order of arrival ends in the document that the oracle describes, and in equal digests. */
static void order_does_not_matter(void **state) {
    (void)state;
    static struct events all;
    for (uint64_t seed = 1; seed <= SETS; seed++) {
        struct rng g = {seed * 104729};
        struct document first, other;
        struct document_digest of_first, of_other;
        size_t order[EVENTS_MAX];
        random_events(&all, &g);
        fold_events(&first, &all);
        assert_oracle(&first, &all);
        document_digest(&first, &of_first);
        for (int i = 0; i < 4; i++) {
            shuffle(order, all.count, &g);
            fold_in_order(&other, &all, order, NULL);
            document_digest(&other, &of_other);
            if (!knows_same(&first, &other)) {
                fail_msg("seed %llu: another order, another document", (unsigned long long)seed);
            }
            assert_true(digests_equal(&of_first, &of_other));
            document_release(&other);
        }
        document_release(&first);
    }
}

/* A second delivery of any event tells nothing, and does not move the version. */
static void repeats_tell_nothing(void **state) {
    (void)state;
    static struct events all;
    for (uint64_t seed = 1; seed <= SETS; seed++) {
        struct rng g = {seed * 15485863};
        struct document d;
        random_events(&all, &g);
        fold_events(&d, &all);
        doc_version version = d.version;
        for (size_t i = 0; i < all.count; i++) {
            assert_int_equal(fold(&d, &all.list[i].record, 1000 + (doc_version)i), 0);
        }
        assert_int_equal(d.version, version);
        document_release(&d);
    }
}

static void merge(struct document *a, const struct document *b) {
    static struct encoded before, after;
    doc_version version = a->version > b->version ? a->version : b->version;
    bool raised = version > a->version;
    knowledge(a, &before);
    int changed = document_merge(a, b);
    knowledge(a, &after);
    document_check(a);
    bool same = before.len == after.len && memcmp(before.bytes, after.bytes, after.len) == 0;
    assert_int_equal(changed, !same || raised);
    assert_int_equal(a->version, version);
    assert_int_equal(a->changed_at.ns, version * 10);
}

/* The three documents of a random three-way split; their positions differ. */
static void split(struct document parts[3], const struct events *all, struct rng *g) {
    for (int p = 0; p < 3; p++) {
        document_init(&parts[p], LISTING);
    }
    for (size_t i = 0; i < all->count; i++) {
        fold(&parts[rng_below(g, 3)], &all->list[i].record, (doc_version)(i + 1));
    }
}

static void copy(struct document *to, const struct document *from) {
    document_init(to, LISTING);
    merge(to, from);
    assert_true(knows_same(to, from));
}

static void release3(struct document parts[3]) {
    for (int p = 0; p < 3; p++) {
        document_release(&parts[p]);
    }
}

/* merge(a, b) = merge(b, a); merge(merge(a, b), c) = merge(a, merge(b, c)); merge(a, a) = a; and
 * all of them are the fold of all events. */
static void merge_is_a_join(void **state) {
    (void)state;
    static struct events all;
    for (uint64_t seed = 1; seed <= SETS; seed++) {
        struct rng g = {seed * 32452843};
        struct document parts[3], folded, ab, ba, bc;
        random_events(&all, &g);
        split(parts, &all, &g);
        fold_events(&folded, &all);

        copy(&ab, &parts[0]);
        merge(&ab, &parts[1]);
        copy(&ba, &parts[1]);
        merge(&ba, &parts[0]);
        assert_true(knows_same(&ab, &ba));

        merge(&ab, &parts[2]);
        copy(&bc, &parts[1]);
        merge(&bc, &parts[2]);
        merge(&parts[0], &bc);
        assert_true(knows_same(&ab, &parts[0]));
        assert_true(knows_same(&ab, &folded));
        assert_oracle(&ab, &all);

        assert_int_equal(document_merge(&ab, &ab), 0);
        assert_int_equal(document_merge(&ab, &parts[0]), 0);
        assert_true(knows_same(&ab, &folded));
        document_release(&ab);
        document_release(&ba);
        document_release(&bc);
        document_release(&folded);
        release3(parts);
    }
}

/* A checkpointed document comes back with everything, and goes on folding as if never gone. */
static void checkpoint_round_trips(void **state) {
    (void)state;
    static struct events all;
    static struct encoded bytes, again;
    for (uint64_t seed = 1; seed <= SETS; seed++) {
        struct rng g = {seed * 49979687};
        struct document d, back;
        random_events(&all, &g);
        fold_events(&d, &all);
        bytes.len = document_encode(&d, bytes.bytes, sizeof bytes.bytes);
        assert_int_equal(document_encode(&d, NULL, 0), bytes.len);
        assert_int_equal(document_decode(&back, (struct bytes){bytes.bytes, bytes.len}), 0);
        document_check(&back);
        assert_int_equal(back.listing_id, LISTING);
        again.len = document_encode(&back, again.bytes, sizeof again.bytes);
        assert_int_equal(again.len, bytes.len);
        assert_memory_equal(again.bytes, bytes.bytes, bytes.len);

        struct event more;
        random_event(&more, &g, 99);
        fold(&d, &more.record, 100);
        fold(&back, &more.record, 100);
        assert_true(knows_same(&d, &back));
        assert_int_equal(d.version, back.version);
        document_release(&d);
        document_release(&back);
    }
}

/* Bytes that are no document are refused; bytes that happen to be another one give a sound one. */
static void damaged_checkpoint_is_refused(void **state) {
    (void)state;
    static struct events all;
    static struct encoded bytes, again;
    int refused = 0;
    for (uint64_t seed = 1; seed <= SETS; seed++) {
        struct rng g = {seed * 67867967};
        struct document d, back;
        random_events(&all, &g);
        fold_events(&d, &all);
        bytes.len = document_encode(&d, bytes.bytes, sizeof bytes.bytes);
        document_release(&d);

        /* An exact heap block, so that a sanitizer sees one read too many. */
        size_t cut = (size_t)rng_below(&g, bytes.len);
        char *exact = malloc(cut > 0 ? cut : 1);
        assert_non_null(exact);
        memcpy(exact, bytes.bytes, cut);
        assert_int_equal(document_decode(&back, (struct bytes){exact, cut}), -EINVAL);
        free(exact);

        bytes.bytes[bytes.len] = 0;
        assert_int_equal(document_decode(&back, (struct bytes){bytes.bytes, bytes.len + 1}),
                         -EINVAL);

        for (int i = 0; i < 20; i++) {
            size_t at = (size_t)rng_below(&g, bytes.len);
            char kept = bytes.bytes[at];
            bytes.bytes[at] = (char)rng_below(&g, 256);
            int status = document_decode(&back, (struct bytes){bytes.bytes, bytes.len});
            if (status == 0) {
                document_check(&back);
                again.len = document_encode(&back, again.bytes, sizeof again.bytes);
                assert_int_equal(again.len, bytes.len);
                assert_memory_equal(again.bytes, bytes.bytes, bytes.len);
                document_release(&back);
            } else {
                assert_int_equal(status, -EINVAL);
                refused++;
            }
            bytes.bytes[at] = kept;
        }
    }
    assert_true(refused > SETS);
}

/* The OLTP row, folded as one UPSERT into an empty document, has the same source digest. */
static void source_is_the_row(void **state) {
    (void)state;
    static struct events all;
    static struct event row;
    int dead = 0;
    for (uint64_t seed = 1; seed <= SETS; seed++) {
        struct rng g = {seed * 86028121};
        struct document d, of_row;
        struct document_digest want, got;
        struct field fields[16];
        size_t count = 0;
        random_events(&all, &g);
        fold_events(&d, &all);
        document_init(&of_row, LISTING);
        if (oracle_alive(&all)) {
            for (enum field_id id = FIELD_TITLE; id < FIELD_ATTRIBUTE; id++) {
                fields[count++] = oracle_field(&all, id, (struct bytes){0});
            }
            for (size_t i = 0; i < 4; i++) {
                struct bytes name = bytes_of(attribute_names[i]);
                struct field f = oracle_field(&all, FIELD_ATTRIBUTE, name);
                if (f.type != VALUE_NULL || rng_below(&g, 2) == 0) {
                    fields[count++] = f;
                }
            }
            struct record r = {.type = RECORD_LISTING,
                               .op = RECORD_UPSERT,
                               .contract_version = RECORD_CONTRACT_VERSION,
                               .stamp = {{1000}, {1, 1}},
                               .subject_id = LISTING};
            event_encode(&row, &r, fields, count);
            fold(&of_row, &row.record, 1);
        } else {
            dead++;
        }
        document_digest(&d, &want);
        document_digest(&of_row, &got);
        assert_int_equal(got.source, want.source);
        assert_int_equal(got.text, want.text);
        document_release(&d);
        document_release(&of_row);
    }
    assert_true(dead > 50);
}

/* Whichever allocation fails, fold, merge and decode leave the document as it was and succeed
 * later. */
static void lack_of_memory_changes_nothing(void **state) {
    (void)state;
    static struct events all;
    static struct encoded bytes, before, after;
    int failures = 0;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct rng g = {seed * 122949823};
        struct document parts[3], d;
        random_events(&all, &g);
        document_init(&d, LISTING);
        for (size_t i = 0; i < all.count; i++) {
            for (long left = 0;; left++) {
                knowledge(&d, &before);
                allocations_left = left;
                int status =
                    document_fold(&d, &all.list[i].record, (doc_version)(i + 1), (vtime){0}, NULL);
                allocations_left = -1;
                document_check(&d);
                if (status != -ENOMEM) {
                    break;
                }
                knowledge(&d, &after);
                assert_int_equal(after.len, before.len);
                assert_memory_equal(after.bytes, before.bytes, after.len);
                failures++;
            }
        }
        split(parts, &all, &g);
        for (int p = 1; p < 3; p++) {
            for (long left = 0;; left++) {
                knowledge(&parts[0], &before);
                allocations_left = left;
                int status = document_merge(&parts[0], &parts[p]);
                allocations_left = -1;
                document_check(&parts[0]);
                if (status != -ENOMEM) {
                    break;
                }
                knowledge(&parts[0], &after);
                assert_int_equal(after.len, before.len);
                assert_memory_equal(after.bytes, before.bytes, after.len);
                failures++;
            }
        }
        assert_true(knows_same(&parts[0], &d));
        bytes.len = document_encode(&d, bytes.bytes, sizeof bytes.bytes);
        document_release(&d);
        for (long left = 0;; left++) {
            allocations_left = left;
            int status = document_decode(&d, (struct bytes){bytes.bytes, bytes.len});
            allocations_left = -1;
            if (status == 0) {
                break;
            }
            assert_int_equal(status, -ENOMEM);
            failures++;
        }
        assert_true(knows_same(&parts[0], &d));
        document_release(&d);
        release3(parts);
    }
    assert_true(failures > 3000);
}

/* ---- the planted bugs are bugs ---- */

/* Without tombstones some order of arrival revives what was deleted: the property of
 * order_does_not_matter breaks. */
static void no_tombstone_breaks_convergence(void **state) {
    (void)state;
    static struct events all;
    struct bugs bugs = {0};
    bugs.on[BUG_NO_TOMBSTONE] = true;
    int differing = 0;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct rng g = {seed * 104729};
        struct document first, other;
        size_t order[EVENTS_MAX];
        random_events(&all, &g);
        shuffle(order, all.count, &g);
        fold_in_order(&first, &all, order, &bugs);
        shuffle(order, all.count, &g);
        fold_in_order(&other, &all, order, &bugs);
        assert_true(stamp_is_none(first.tombstone));
        differing +=
            document_alive(&first) != document_alive(&other) || !knows_same(&first, &other);
        document_release(&first);
        document_release(&other);
    }
    assert_true(differing > 20);
}

/* Without dedupe a repeat counts as a change and moves the version, of every type of record, while
 * the document still converges. */
static void no_dedupe_counts_repeats(void **state) {
    (void)state;
    static struct events all;
    struct bugs bugs = {0};
    bugs.on[BUG_NO_DEDUPE] = true;
    int counted[RECORD_ORDER] = {0};
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct rng g = {seed * 15485863};
        struct document d, clean;
        size_t order[EVENTS_MAX];
        random_events(&all, &g);
        shuffle(order, all.count, &g);
        fold_in_order(&d, &all, order, &bugs);
        fold_events(&clean, &all);
        assert_true(knows_same(&d, &clean));
        for (size_t i = 0; i < all.count; i++) {
            const struct record *r = &all.list[i].record;
            doc_version position = 1000 + (doc_version)i;
            if (document_fold(&d, r, position, (vtime){0}, &bugs) == 1) {
                assert_int_equal(d.version, position);
                counted[r->type]++;
            }
        }
        document_release(&d);
        document_release(&clean);
    }
    assert_true(counted[RECORD_LISTING] > 20);
    assert_true(counted[RECORD_MEDIA] > 20);
    assert_true(counted[RECORD_POLICY] > 20);
}

/* ---- small stories ---- */

/* A document and the position of the next record. */
struct story {
    struct document d;
    doc_version position;
};

static void story_begin(struct story *s) {
    document_init(&s->d, LISTING);
    s->position = 1;
}

static int tell(struct story *s, struct record r, int64_t ts, const struct field *fields,
                size_t count) {
    static struct event e;
    r.contract_version = RECORD_CONTRACT_VERSION;
    r.subject_id = LISTING;
    r.stamp = (struct stamp){{ts}, {0, (uint64_t)ts}};
    event_encode(&e, &r, fields, count);
    return fold(&s->d, &e.record, s->position++);
}

static int set(struct story *s, int64_t ts, struct field f) {
    return tell(s, (struct record){.type = RECORD_LISTING, .op = RECORD_UPSERT}, ts, &f, 1);
}

static int set_text(struct story *s, int64_t ts, enum field_id id, const char *text) {
    return set(s, ts, (struct field){.id = id, .type = VALUE_TEXT, .text = bytes_of(text)});
}

static int set_integer(struct story *s, int64_t ts, enum field_id id, int64_t n) {
    return set(s, ts, (struct field){.id = id, .type = VALUE_INTEGER, .integer = n});
}

static int set_images(struct story *s, int64_t ts, uint64_t a, uint64_t b) {
    char ids[16];
    le64_put(le64_put(ids, a), b);
    return set(s, ts, (struct field){.id = FIELD_IMAGE_IDS, .type = VALUE_IDS, .text = {ids, 16}});
}

static int set_attribute(struct story *s, int64_t ts, const char *name, const char *text) {
    return set(s, ts,
               (struct field){.id = FIELD_ATTRIBUTE,
                              .type = text != NULL ? VALUE_TEXT : VALUE_NULL,
                              .name = bytes_of(name),
                              .text = bytes_of(text != NULL ? text : "")});
}

static int set_null(struct story *s, int64_t ts, enum field_id id) {
    return set(s, ts, (struct field){.id = id, .type = VALUE_NULL});
}

static int delete_listing(struct story *s, int64_t ts) {
    return tell(s, (struct record){.type = RECORD_LISTING, .op = RECORD_DELETE}, ts, NULL, 0);
}

static int image(struct story *s, int64_t ts, uint64_t id, enum record_op op, const char *what) {
    struct record r = {
        .type = RECORD_MEDIA, .op = op, .image_id = id, .image_descriptor = bytes_of(what)};
    return tell(s, r, ts, NULL, 0);
}

static int policy(struct story *s, int64_t ts, uint64_t seller, enum policy_status status) {
    struct record r = {
        .type = RECORD_POLICY, .op = RECORD_UPSERT, .seller_id = seller, .status = status};
    return tell(s, r, ts, NULL, 0);
}

static void assert_text(const struct story *s, enum field_id id, const char *want) {
    struct field f = document_field(&s->d, id);
    if (want == NULL) {
        assert_int_equal(f.type, VALUE_NULL);
    } else {
        assert_int_equal(f.type, VALUE_TEXT);
        assert_true(bytes_equal(f.text, bytes_of(want)));
    }
}

/* The visible images as text: "2:red 1:blue ". */
static void assert_images(const struct story *s, const char *want) {
    char got[256] = "";
    size_t len = 0;
    uint64_t id;
    struct bytes what;
    for (size_t i = 0; document_visible_image(&s->d, i, &id, &what); i++) {
        len += (size_t)snprintf(got + len, sizeof got - len, "%llu:%.*s ", (unsigned long long)id,
                                (int)what.len, what.data);
    }
    assert_string_equal(got, want);
}

/* A partial update leaves what it does not name; null is a value that wins over older ones. */
static void absent_is_not_null(void **state) {
    (void)state;
    struct story s;
    story_begin(&s);
    assert_int_equal(set_text(&s, 10, FIELD_TITLE, "lamp"), 1);
    assert_int_equal(set_integer(&s, 20, FIELD_PRICE, 5), 1);
    assert_text(&s, FIELD_TITLE, "lamp");
    assert_int_equal(set_null(&s, 30, FIELD_TITLE), 1);
    assert_int_equal(set_text(&s, 25, FIELD_TITLE, "late"), 0);
    assert_text(&s, FIELD_TITLE, NULL);
    assert_int_equal(document_field(&s.d, FIELD_PRICE).integer, 5);
    document_release(&s.d);
}

/* A late DELETE takes what is at or below it and leaves the rest (A3, A8). */
static void late_delete_takes_what_is_older(void **state) {
    (void)state;
    struct story s;
    story_begin(&s);
    set_text(&s, 10, FIELD_TITLE, "old");
    set_text(&s, 30, FIELD_DESCRIPTION, "later");
    image(&s, 11, 1, RECORD_UPSERT, "old");
    image(&s, 31, 2, RECORD_UPSERT, "later");
    assert_int_equal(delete_listing(&s, 20), 1);
    assert_true(document_alive(&s.d));
    assert_text(&s, FIELD_TITLE, NULL);
    assert_text(&s, FIELD_DESCRIPTION, "later");
    set_images(&s, 40, 1, 2);
    assert_images(&s, "2:later ");
    document_release(&s.d);
}

/* A deleted listing stays deleted whatever older arrives; a later UPSERT starts an empty life. */
static void tombstone_holds(void **state) {
    (void)state;
    struct story s;
    story_begin(&s);
    set_text(&s, 10, FIELD_TITLE, "lamp");
    delete_listing(&s, 20);
    assert_int_equal(set_text(&s, 15, FIELD_TITLE, "ghost"), 0);
    assert_int_equal(set_text(&s, 20, FIELD_TITLE, "same stamp"), 0);
    assert_int_equal(image(&s, 16, 1, RECORD_UPSERT, "ghost"), 0);
    assert_int_equal(image(&s, 20, 1, RECORD_UPSERT, "same stamp"), 0);
    assert_false(document_alive(&s.d));
    assert_false(document_served(&s.d));
    assert_text(&s, FIELD_TITLE, NULL);
    assert_int_equal(delete_listing(&s, 25), 1);
    assert_int_equal(delete_listing(&s, 22), 0);
    assert_int_equal(set_integer(&s, 30, FIELD_PRICE, 1), 1);
    assert_true(document_served(&s.d));
    assert_text(&s, FIELD_TITLE, NULL);
    document_release(&s.d);
}

/* Of a DELETE and an UPSERT with one stamp the DELETE wins, in either order. */
static void delete_wins_at_its_own_stamp(void **state) {
    (void)state;
    struct story s;
    story_begin(&s);
    set_text(&s, 20, FIELD_TITLE, "lamp");
    image(&s, 20, 1, RECORD_UPSERT, "red");
    assert_int_equal(delete_listing(&s, 20), 1);
    assert_false(document_alive(&s.d));
    set_images(&s, 21, 1, 2);
    assert_images(&s, "");
    document_release(&s.d);
}

/* A change that comes from an older position is taken, and the version stays. */
static void version_never_goes_back(void **state) {
    (void)state;
    struct story s;
    story_begin(&s);
    s.position = 50;
    set_text(&s, 10, FIELD_TITLE, "lamp");
    s.position = 40;
    assert_int_equal(set_text(&s, 20, FIELD_TITLE, "light"), 1);
    assert_int_equal(s.d.version, 50);
    assert_text(&s, FIELD_TITLE, "light");
    document_release(&s.d);
}

/* An UPSERT that names no field still makes a listing live. */
static void empty_upsert_lives(void **state) {
    (void)state;
    struct story s;
    story_begin(&s);
    struct record r = {.type = RECORD_LISTING, .op = RECORD_UPSERT};
    assert_int_equal(tell(&s, r, 10, NULL, 0), 1);
    assert_true(document_alive(&s.d));
    assert_int_equal(tell(&s, r, 9, NULL, 0), 0);
    document_release(&s.d);
}

/* Media may come first; image_ids decides what is shown and in which order (A6). */
static void images_follow_image_ids(void **state) {
    (void)state;
    struct story s;
    story_begin(&s);
    image(&s, 10, 1, RECORD_UPSERT, "red");
    image(&s, 11, 2, RECORD_UPSERT, "blue");
    assert_images(&s, "");
    set_images(&s, 5, 2, 1);
    assert_images(&s, "2:blue 1:red ");
    image(&s, 12, 2, RECORD_DELETE, "");
    assert_images(&s, "1:red ");
    assert_int_equal(image(&s, 11, 2, RECORD_UPSERT, "blue"), 0);
    image(&s, 13, 2, RECORD_UPSERT, "green and larger");
    assert_images(&s, "2:green and larger 1:red ");
    set_null(&s, 14, FIELD_IMAGE_IDS);
    assert_images(&s, "");
    document_release(&s.d);
}

/* Policy belongs to the seller whom the document names at present, and survives deletion (A8). */
static void policy_follows_the_seller(void **state) {
    (void)state;
    struct story s;
    story_begin(&s);
    policy(&s, 50, 2, POLICY_SUPPRESSED);
    set_integer(&s, 10, FIELD_SELLER, 1);
    assert_true(document_served(&s.d));
    set_integer(&s, 20, FIELD_SELLER, 2);
    assert_int_equal(document_policy(&s.d), POLICY_SUPPRESSED);
    assert_true(document_alive(&s.d));
    assert_false(document_served(&s.d));
    assert_int_equal(policy(&s, 40, 2, POLICY_ACTIVE), 0);
    delete_listing(&s, 60);
    set_integer(&s, 70, FIELD_SELLER, 2);
    assert_false(document_served(&s.d));
    policy(&s, 80, 2, POLICY_ACTIVE);
    assert_true(document_served(&s.d));
    document_release(&s.d);
}

/* The router's note is folded like a policy event of its own stamp. */
static void note_is_folded(void **state) {
    (void)state;
    struct story s;
    story_begin(&s);
    struct field seller = {.id = FIELD_SELLER, .type = VALUE_INTEGER, .integer = 3};
    struct record r = {.type = RECORD_LISTING,
                       .op = RECORD_UPSERT,
                       .sections = SECTION_POLICY,
                       .policy = {3, POLICY_SUPPRESSED, {{40}, {0, 40}}}};
    assert_int_equal(tell(&s, r, 10, &seller, 1), 1);
    assert_false(document_served(&s.d));
    assert_int_equal(policy(&s, 30, 3, POLICY_ACTIVE), 0);
    assert_int_equal(policy(&s, 50, 3, POLICY_ACTIVE), 1);
    assert_true(document_served(&s.d));
    /* The note alone is news, on a record that tells nothing else. */
    r.policy = (struct policy_note){3, POLICY_SUPPRESSED, {{60}, {0, 60}}};
    assert_int_equal(tell(&s, r, 10, &seller, 1), 1);
    assert_false(document_served(&s.d));
    document_release(&s.d);
}

/* Knowledge that no reader sees is a change (1), but leaves digest.whole. */
static void unseen_knowledge_is_a_change(void **state) {
    (void)state;
    struct story s;
    struct document_digest before, after;
    story_begin(&s);
    set_text(&s, 10, FIELD_TITLE, "lamp");
    set_integer(&s, 11, FIELD_SELLER, 1);
    document_digest(&s.d, &before);
    assert_int_equal(image(&s, 20, 9, RECORD_UPSERT, "not named"), 1);
    assert_int_equal(policy(&s, 21, 2, POLICY_SUPPRESSED), 1);
    assert_int_equal(set_text(&s, 22, FIELD_TITLE, "lamp"), 1);
    assert_int_equal(set_null(&s, 23, FIELD_CATEGORY), 1);
    assert_int_equal(delete_listing(&s, 5), 1);
    document_digest(&s.d, &after);
    assert_true(digests_equal(&before, &after));
    document_release(&s.d);
}

/* Which digests an edit moves: s source, t text, i image, f fused, w whole. */
static void assert_moves(struct story *s, struct document_digest *last, const char *want) {
    struct document_digest now;
    char got[8];
    char *at = got;
    document_digest(&s->d, &now);
    if (now.source != last->source) {
        *at++ = 's';
    }
    if (now.text != last->text) {
        *at++ = 't';
    }
    if (now.image != last->image) {
        *at++ = 'i';
    }
    if (now.fused != last->fused) {
        *at++ = 'f';
    }
    if (now.whole != last->whole) {
        *at++ = 'w';
    }
    *at = 0;
    assert_string_equal(got, want);
    *last = now;
}

/* Each digest depends on what it says and on nothing else (A5). */
static void digests_depend_on_their_parts(void **state) {
    (void)state;
    struct story s;
    struct document_digest last;
    story_begin(&s);
    document_digest(&s.d, &last);
    assert_int_equal(last.text | last.image | last.fused, 0);
    int64_t ts = 1;
    set_integer(&s, ts++, FIELD_PRICE, 5);
    assert_moves(&s, &last, "sw");
    assert_int_equal(last.text | last.image | last.fused, 0);
    set_text(&s, ts++, FIELD_LOCALE, "es-ES");
    assert_moves(&s, &last, "sw");
    assert_int_equal(last.text, 0);
    set_text(&s, ts++, FIELD_TITLE, "lamp");
    assert_moves(&s, &last, "stfw");
    set_text(&s, ts++, FIELD_LOCALE, "pt-PT");
    assert_moves(&s, &last, "stfw");
    set_text(&s, ts++, FIELD_DESCRIPTION, "lamp");
    assert_moves(&s, &last, "stfw");
    set_attribute(&s, ts++, "a", "lamp");
    assert_moves(&s, &last, "stfw");
    set_attribute(&s, ts++, "al", "amp");
    assert_moves(&s, &last, "stfw");
    set_attribute(&s, ts++, "al", NULL);
    assert_moves(&s, &last, "stfw");
    set_attribute(&s, ts++, "never", NULL);
    assert_moves(&s, &last, "");
    set_text(&s, ts++, FIELD_CATEGORY, "home");
    assert_moves(&s, &last, "sw");
    set_integer(&s, ts++, FIELD_SELLER, 4);
    assert_moves(&s, &last, "sw");
    set_images(&s, ts++, 1, 2);
    assert_moves(&s, &last, "sw");
    image(&s, ts++, 2, RECORD_UPSERT, "red");
    assert_moves(&s, &last, "ifw");
    image(&s, ts++, 2, RECORD_UPSERT, "blue");
    assert_moves(&s, &last, "ifw");
    image(&s, ts++, 1, RECORD_UPSERT, "red");
    assert_moves(&s, &last, "ifw");
    set_images(&s, ts++, 2, 1);
    assert_moves(&s, &last, "sifw");
    policy(&s, ts++, 4, POLICY_SUPPRESSED);
    assert_moves(&s, &last, "w");
    policy(&s, ts++, 4, POLICY_ACTIVE);
    assert_moves(&s, &last, "w");
    image(&s, ts++, 2, RECORD_DELETE, "");
    image(&s, ts++, 1, RECORD_DELETE, "");
    assert_moves(&s, &last, "ifw");
    assert_int_equal(last.image, 0);
    set_text(&s, ts++, FIELD_TITLE, "");
    assert_moves(&s, &last, "stfw");
    set_null(&s, ts++, FIELD_TITLE);
    assert_moves(&s, &last, "sw");
    delete_listing(&s, ts++);
    assert_moves(&s, &last, "stfw");
    assert_int_equal(last.text | last.fused, 0);
    document_release(&s.d);
}

static struct document_digest digest_of_field(struct field f) {
    struct story s;
    struct document_digest digest;
    story_begin(&s);
    set(&s, 1, f);
    document_digest(&s.d, &digest);
    document_release(&s.d);
    return digest;
}

/* One document for each of several values that are nearly alike: no two digests are. */
static void near_values_differ(void **state) {
    (void)state;
    const struct field near[] = {
        {.id = FIELD_TITLE, .type = VALUE_TEXT, .text = bytes_of("5")},
        {.id = FIELD_DESCRIPTION, .type = VALUE_TEXT, .text = bytes_of("5")},
        {.id = FIELD_ATTRIBUTE, .name = bytes_of("a"), .type = VALUE_TEXT, .text = bytes_of("5")},
        {.id = FIELD_ATTRIBUTE, .name = bytes_of("b"), .type = VALUE_TEXT, .text = bytes_of("5")},
        {.id = FIELD_ATTRIBUTE, .name = bytes_of("a"), .type = VALUE_NUMBER, .text = bytes_of("5")},
        {.id = FIELD_ATTRIBUTE, .name = bytes_of("a"), .type = VALUE_INTEGER, .integer = 5},
        {.id = FIELD_ATTRIBUTE, .name = bytes_of("a"), .type = VALUE_INTEGER, .integer = 6},
        {.id = FIELD_ATTRIBUTE, .name = bytes_of("a"), .type = VALUE_TEXT, .text = bytes_of("bc")},
        {.id = FIELD_ATTRIBUTE, .name = bytes_of("ab"), .type = VALUE_TEXT, .text = bytes_of("c")},
        {.id = FIELD_ATTRIBUTE, .name = bytes_of("abc"), .type = VALUE_TEXT, .text = bytes_of("")},
    };
    for (size_t i = 0; i < sizeof near / sizeof *near; i++) {
        for (size_t j = 0; j < i; j++) {
            struct document_digest a = digest_of_field(near[i]);
            struct document_digest b = digest_of_field(near[j]);
            assert_true(a.source != b.source && a.text != b.text && a.fused != b.fused &&
                        a.whole != b.whole);
        }
    }
}

/* The same picture under another id is another image, and two are not one that says both. */
static void images_differ_by_id(void **state) {
    (void)state;
    struct story s;
    struct document_digest last;
    story_begin(&s);
    set_images(&s, 1, 1, 2);
    image(&s, 2, 1, RECORD_UPSERT, "red");
    document_digest(&s.d, &last);
    image(&s, 3, 2, RECORD_UPSERT, "red");
    image(&s, 4, 1, RECORD_DELETE, "");
    assert_moves(&s, &last, "ifw");
    document_release(&s.d);
}

/* All dead listings look alike, whatever they were. */
static void dead_listings_look_alike(void **state) {
    (void)state;
    struct story s, t;
    struct document_digest of_s, of_t;
    story_begin(&s);
    story_begin(&t);
    set_text(&s, 1, FIELD_TITLE, "lamp");
    set_integer(&s, 2, FIELD_SELLER, 4);
    policy(&s, 3, 4, POLICY_SUPPRESSED);
    delete_listing(&s, 4);
    image(&s, 5, 1, RECORD_UPSERT, "red");
    delete_listing(&t, 90);
    document_digest(&s.d, &of_s);
    document_digest(&t.d, &of_t);
    assert_true(digests_equal(&of_s, &of_t));
    document_release(&s.d);
    document_release(&t.d);
}

/* Digests hold past the first block, and every byte of a long text counts. */
static void long_text_counts_to_the_end(void **state) {
    (void)state;
    static char text[RECORD_TEXT_MAX];
    static char bytes[RECORD_TEXT_MAX + 256];
    struct document_digest last = {0};
    struct document d;
    document_init(&d, LISTING);
    memset(text, 'x', sizeof text);
    for (size_t i = 0; i < sizeof text; i += 509) {
        text[i] = 'y';
        struct field f = {.id = FIELD_TITLE, .type = VALUE_TEXT, .text = {text, sizeof text}};
        struct record r = {.type = RECORD_LISTING,
                           .op = RECORD_UPSERT,
                           .contract_version = RECORD_CONTRACT_VERSION,
                           .stamp = {{(int64_t)i}, {0, 0}},
                           .subject_id = LISTING};
        struct record_error error;
        struct document_digest now;
        int64_t len = record_encode(&r, &f, 1, bytes, sizeof bytes);
        assert_int_equal(record_decode((struct bytes){bytes, (size_t)len}, &r, &error), 0);
        assert_int_equal(document_fold(&d, &r, 1 + (doc_version)i, (vtime){0}, NULL), 1);
        document_digest(&d, &now);
        assert_true(now.source != last.source && now.text != last.text);
        last = now;
    }
    document_release(&d);
}

/* A value that fits where the old one was costs no allocation. */
static void fitting_value_allocates_nothing(void **state) {
    (void)state;
    struct story s;
    story_begin(&s);
    set_text(&s, 1, FIELD_TITLE, "a lamp of some length");
    set_attribute(&s, 2, "colour", "vermilion");
    set_integer(&s, 3, FIELD_PRICE, 5);
    image(&s, 4, 1, RECORD_UPSERT, "red");
    policy(&s, 5, 1, POLICY_ACTIVE);
    long before = allocations;
    set_integer(&s, 11, FIELD_PRICE, 6);
    set_text(&s, 12, FIELD_TITLE, "lamp");
    set_null(&s, 13, FIELD_TITLE);
    set_text(&s, 14, FIELD_TITLE, "a lamp of some other");
    set_attribute(&s, 15, "colour", "red");
    image(&s, 16, 1, RECORD_DELETE, "");
    image(&s, 17, 1, RECORD_UPSERT, "tan");
    policy(&s, 18, 1, POLICY_SUPPRESSED);
    assert_int_equal(allocations, before);
    document_release(&s.d);
}

/* Attributes pile up over many records, past every limit of one record, and stay in order. */
static void attributes_pile_up(void **state) {
    (void)state;
    static char names[3000][8];
    static char bytes[65536];
    static struct field fields[600];
    struct document d;
    document_init(&d, LISTING);
    for (unsigned part = 0; part < 5; part++) {
        for (unsigned i = 0; i < 600; i++) {
            char *name = names[part * 600 + i];
            snprintf(name, 8, "%05u", i * 5 + part);
            fields[i] =
                (struct field){.id = FIELD_ATTRIBUTE, .type = VALUE_NULL, .name = bytes_of(name)};
            fields[i].type = VALUE_INTEGER;
            fields[i].integer = i * 5 + part;
        }
        struct record r = {.type = RECORD_LISTING,
                           .op = RECORD_UPSERT,
                           .contract_version = RECORD_CONTRACT_VERSION,
                           .stamp = {{part}, {0, 0}},
                           .subject_id = LISTING};
        struct record_error error;
        int64_t len = record_encode(&r, fields, 600, bytes, sizeof bytes);
        assert_int_equal(record_decode((struct bytes){bytes, (size_t)len}, &r, &error), 0);
        assert_int_equal(document_fold(&d, &r, 1 + part, (vtime){0}, NULL), 1);
        document_check(&d);
    }
    struct field f;
    for (size_t i = 0; i < 3000; i++) {
        assert_true(document_attribute(&d, i, &f));
        assert_int_equal(f.integer, i);
    }
    assert_false(document_attribute(&d, 3000, &f));
    document_release(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_does_not_matter),
        cmocka_unit_test(repeats_tell_nothing),
        cmocka_unit_test(merge_is_a_join),
        cmocka_unit_test(checkpoint_round_trips),
        cmocka_unit_test(damaged_checkpoint_is_refused),
        cmocka_unit_test(source_is_the_row),
        cmocka_unit_test(lack_of_memory_changes_nothing),
        cmocka_unit_test(no_tombstone_breaks_convergence),
        cmocka_unit_test(no_dedupe_counts_repeats),
        cmocka_unit_test(absent_is_not_null),
        cmocka_unit_test(late_delete_takes_what_is_older),
        cmocka_unit_test(tombstone_holds),
        cmocka_unit_test(delete_wins_at_its_own_stamp),
        cmocka_unit_test(version_never_goes_back),
        cmocka_unit_test(empty_upsert_lives),
        cmocka_unit_test(images_follow_image_ids),
        cmocka_unit_test(policy_follows_the_seller),
        cmocka_unit_test(note_is_folded),
        cmocka_unit_test(unseen_knowledge_is_a_change),
        cmocka_unit_test(digests_depend_on_their_parts),
        cmocka_unit_test(near_values_differ),
        cmocka_unit_test(images_differ_by_id),
        cmocka_unit_test(dead_listings_look_alike),
        cmocka_unit_test(long_text_counts_to_the_end),
        cmocka_unit_test(fitting_value_allocates_nothing),
        cmocka_unit_test(attributes_pile_up),
    };
    return cmocka_run_group_tests_name("document", tests, NULL, NULL);
}
