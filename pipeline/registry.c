#include "pipeline/registry.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "pipeline/array.h"
#include "pipeline/contract.h"
#include "pipeline/wire.h"

static int subject_put(struct subject *subject, size_t at, struct schema *schema) {
    if (at < subject->count) {
        schema_release(&subject->versions[at]);
    } else if (ARRAY_RESERVE(subject->versions, subject->capacity, subject->count + 1) != 0) {
        return -ENOMEM;
    } else {
        subject->count++;
    }
    subject->versions[at] = *schema;
    *schema = (struct schema){0};
    return 0;
}

static void subject_release(struct subject *subject) {
    for (size_t i = 0; i < subject->count; i++) {
        schema_release(&subject->versions[i]);
    }
    free(subject->versions);
    *subject = (struct subject){0};
}

/* Adds a schema behind the others. 0, -EINVAL when it is none, or -ENOMEM. */
static int subject_read(struct subject *subject, struct bytes text) {
    struct sentence error;
    struct schema schema;
    int failed = schema_parse(text, &schema, &error);
    if (failed == 0) {
        failed = subject_put(subject, subject->count, &schema);
        schema_release(&schema);
    }
    return failed;
}

/* Is there a record that decodes and that version 1 refuses? Only then records of it are looked at
 * once more. 0 or -ENOMEM. */
static int subject_measure(struct subject *subject, enum topic_id feed) {
    struct schema carried;
    struct sentence why;
    int failed = schema_parse(contract_carried(feed), &carried, &why);
    assert(failed != -EINVAL);
    if (failed == 0) {
        subject->narrowed = !schema_allows(&subject->versions[0], &carried, &why);
        schema_release(&carried);
    }
    return failed;
}

int registry_init(struct registry *registry, const struct bytes *first) {
    *registry = (struct registry){.first = first};
    for (int feed = 0; feed < TOPIC_FEED_COUNT; feed++) {
        struct subject *subject = &registry->subjects[feed];
        bool said = first != NULL && first[feed].len > 0;
        int failed =
            subject_read(subject, said ? first[feed] : contract_carried((enum topic_id)feed));
        assert(failed != -EINVAL);
        if (failed != 0 || contract_widest((enum topic_id)feed, &registry->widest[feed]) != 0 ||
            (said && subject_measure(subject, (enum topic_id)feed) != 0)) {
            return -ENOMEM;
        }
        enum schema_mode mode = subject->versions[0].mode;
        subject->mode = mode == SCHEMA_MODE_UNSAID ? SCHEMA_MODE_BACKWARD : mode;
    }
    return 0;
}

void registry_release(struct registry *registry) {
    for (int feed = 0; feed < TOPIC_FEED_COUNT; feed++) {
        subject_release(&registry->subjects[feed]);
        schema_release(&registry->widest[feed]);
    }
}

const struct schema *registry_find(const struct registry *registry, enum topic_id feed,
                                   uint16_t version) {
    const struct subject *subject = &registry->subjects[feed];
    for (size_t i = 0; i < subject->count; i++) {
        if (subject->versions[i].version == version) {
            return &subject->versions[i];
        }
    }
    return NULL;
}

void registry_versions(const struct registry *registry, enum topic_id feed, struct sentence *out) {
    const struct subject *subject = &registry->subjects[feed];
    for (size_t i = 0; i < subject->count; i++) {
        sentence_add(out, i == 0 ? "" : i + 1 == subject->count ? " or " : ", ");
        sentence_add_number(out, subject->versions[i].version);
    }
}

/* ---- Registering ---- */

/* Where a version stands or would stand; -1 when it would come before a later one. */
static int64_t place_of(const struct subject *subject, uint16_t version) {
    size_t at = 0;
    while (at < subject->count && subject->versions[at].version < version) {
        at++;
    }
    bool there = at < subject->count && subject->versions[at].version == version;
    return there || at == subject->count ? (int64_t)at : -1;
}

/* The candidate for place `at` against those before it and those behind. */
static bool fits_in(const struct subject *subject, size_t at, enum schema_mode mode,
                    const struct schema *candidate, struct sentence *why) {
    bool all = schema_mode_about(mode)->transitive;
    for (size_t i = 0; i < subject->count; i++) {
        bool neighbour = i + 1 == at || i == at + 1;
        if (i == at || (!all && !neighbour)) {
            continue;
        }
        const struct schema *other = &subject->versions[i];
        if (!(i < at ? schema_compatible(mode, other, candidate, why)
                     : schema_compatible(mode, candidate, other, why))) {
            return false;
        }
    }
    return true;
}

static bool same_schema(const struct schema *a, const struct schema *b) {
    struct sentence why;
    bool same = a->count == b->count && schema_allows(a, b, &why) && schema_allows(b, a, &why);
    for (size_t i = 0; same && i < a->count; i++) {
        same = a->fields[i].has_default == b->fields[i].has_default &&
               bytes_equal(a->fields[i].fallback, b->fields[i].fallback);
    }
    return same;
}

/* What is left of the sentence says by which mode it failed. */
static int refused(struct sentence *why, enum schema_mode mode) {
    sentence_add(why, " (mode ");
    sentence_add(why, schema_mode_about(mode)->name);
    sentence_add(why, ")");
    return REGISTRY_REFUSED;
}

static int fold_schema(struct registry *registry, enum topic_id feed, enum schema_mode mode,
                       struct schema *schema, struct sentence *why) {
    struct subject *subject = &registry->subjects[feed];
    int64_t at = place_of(subject, schema->version);
    bool amends = at >= 0 && (size_t)at < subject->count;
    if (at < 0) {
        *why = sentence_begin();
        sentence_add(why, "a version that comes after ");
        sentence_add_number(why, schema->version);
        sentence_add(why, " is registered already");
        return REGISTRY_REFUSED;
    }
    if (amends && same_schema(&subject->versions[at], schema)) {
        return REGISTRY_REPEATED;
    }
    if (!schema_allows(&registry->widest[feed], schema, why)) {
        sentence_add(why, ": more than a record of the feed can carry");
        return REGISTRY_REFUSED;
    }
    if (amends && !schema_allows(schema, &subject->versions[at], why)) {
        sentence_add(why, ": an amendment refuses what was accepted");
        return REGISTRY_REFUSED;
    }
    if (!fits_in(subject, (size_t)at, mode, schema, why)) {
        return refused(why, mode);
    }
    return subject_put(subject, (size_t)at, schema) != 0
               ? -ENOMEM
               : (amends ? REGISTRY_AMENDED : REGISTRY_REGISTERED);
}

int registry_fold(struct registry *registry, enum topic_id feed, struct bytes text,
                  struct sentence *why) {
    assert(feed < TOPIC_FEED_COUNT);
    struct subject *subject = &registry->subjects[feed];
    struct schema schema;
    int outcome = schema_parse(text, &schema, why);
    if (outcome == -ENOMEM) {
        return -ENOMEM;
    }
    if (outcome == -EINVAL) {
        subject->refused = true;
        return REGISTRY_REFUSED;
    }
    enum schema_mode mode = schema.mode == SCHEMA_MODE_UNSAID ? subject->mode : schema.mode;
    outcome =
        schema.version == 0 ? REGISTRY_REPEATED : fold_schema(registry, feed, mode, &schema, why);
    schema_release(&schema);
    if (outcome < 0) {
        return outcome;
    }
    subject->refused = outcome == REGISTRY_REFUSED;
    if (outcome != REGISTRY_REFUSED && mode != subject->mode) {
        subject->mode = mode;
        outcome = outcome == REGISTRY_REPEATED ? REGISTRY_MODE_SET : outcome;
    }
    return outcome;
}

/* ---- Checkpoints ---- */

/* Feed by feed: mode, whether an alert stands, how many versions, and the text of each. */
static size_t subject_encode(const struct subject *subject, char *buffer) {
    size_t length = 1 + 1 + 4;
    if (buffer != NULL) {
        char *at = wire_put(buffer, subject->mode, 1);
        wire_put(wire_put(at, subject->refused, 1), subject->count, 4);
    }
    for (size_t i = 0; i < subject->count; i++) {
        size_t size = schema_text(&subject->versions[i], NULL, 0);
        if (buffer != NULL) {
            schema_text(&subject->versions[i], wire_put(buffer + length, size, 4), size);
        }
        length += 4 + size;
    }
    return length;
}

size_t registry_encode(const struct registry *registry, char *buffer) {
    size_t length = 0;
    for (int feed = 0; feed < TOPIC_FEED_COUNT; feed++) {
        char *at = buffer == NULL ? NULL : buffer + length;
        length += subject_encode(&registry->subjects[feed], at);
    }
    return length;
}

static int subject_decode(struct subject *subject, struct wire_reader *reader) {
    subject->mode = (enum schema_mode)wire_get(reader, 1);
    subject->refused = wire_get(reader, 1) != 0;
    uint64_t left = wire_get(reader, 4);
    int error = subject->mode < SCHEMA_MODE_COUNT && left > 0 ? 0 : -EINVAL;
    for (; left > 0 && error == 0; left--) {
        struct bytes text = wire_get_bytes(reader);
        error = reader->failed ? -EINVAL : subject_read(subject, text);
    }
    return error;
}

int registry_decode(struct registry *registry, struct bytes input) {
    struct wire_reader reader = wire_reader_of(input);
    int error = 0;
    for (int feed = 0; feed < TOPIC_FEED_COUNT && error == 0; feed++) {
        subject_release(&registry->subjects[feed]);
        error = subject_decode(&registry->subjects[feed], &reader);
        if (error == 0) {
            error = subject_measure(&registry->subjects[feed], (enum topic_id)feed);
        }
    }
    if (error == 0 && reader.at != reader.end) {
        error = -EINVAL;
    }
    if (error == -EINVAL) {
        registry_release(registry);
        return registry_init(registry, registry->first) != 0 ? -ENOMEM : -EINVAL;
    }
    return error;
}
