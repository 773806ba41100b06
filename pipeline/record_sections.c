/*
 * The sections at the end of a record: what the router adds to what a producer wrote.
 */
#include <assert.h>

#include "pipeline/fact.h"
#include "pipeline/field_check.h"
#include "pipeline/record_parts.h"
#include "pipeline/topics.h"

enum { ORIGIN_BYTES = 21, NOTE_BYTES = 33, WRITER_BYTES = 12, FACT_BYTES = 35 };
static_assert(ORIGIN_BYTES + NOTE_BYTES + WRITER_BYTES +
                      RECORD_FACTS_MAX * (FACT_BYTES + FACT_VALUE_MAX) + 2 <=
                  RECORD_SECTIONS_MAX,
              "sections outgrew their bound");

static size_t fixed_size(unsigned sections) {
    return (sections & SECTION_ORIGIN ? ORIGIN_BYTES : 0) +
           (sections & SECTION_POLICY ? NOTE_BYTES : 0) +
           (sections & SECTION_WRITER ? WRITER_BYTES : 0);
}

/* Bytes of the sections at the end of a record. What says its own length stands last, so that it is
 * found from the end. A section that is not all there is taken for as long as it says. */
size_t sections_found(struct bytes record, unsigned sections) {
    size_t facts = 0;
    if (sections & SECTION_FACTS) {
        facts = le16_get(record.data + record.len - 2);
        facts = facts < 2 ? 2 : facts;
    }
    return fixed_size(sections) + facts;
}

size_t record_sections_size(const struct record *r) {
    size_t size = 0;
    if (r->sections & SECTION_FACTS) {
        size += 2;
        for (size_t i = 0; i < r->fact_count; i++) {
            size += FACT_BYTES + r->facts[i].value.len;
        }
    }
    return size + fixed_size(r->sections);
}

/* ---- decoding ---- */

static int decode_origin(const char *at, struct origin *out, struct record_error *error) {
    *out = (struct origin){
        .topic = le8_get(at),
        .partition = le32_get(at + 1),
        .offset = (int64_t)le64_get(at + 5),
        .append = {(int64_t)le64_get(at + 13)},
    };
    if (out->topic >= TOPIC_COUNT) {
        return record_reject(error, "unknown topic", "origin", "a topic of the pipeline",
                             out->topic);
    }
    if (out->offset < 0 || !is_moment(out->append.ns)) {
        return record_reject(error, "position is negative", "origin", "0 or more",
                             out->offset < 0 ? out->offset : out->append.ns);
    }
    return 0;
}

static int decode_note(const char *at, struct policy_note *out, struct record_error *error) {
    uint8_t status = le8_get(at + 8);
    *out = (struct policy_note){
        .seller_id = le64_get(at),
        .status = (enum policy_status)status,
        .stamp = {{(int64_t)le64_get(at + 9)}, {le64_get(at + 17), le64_get(at + 25)}},
    };
    if (!is_status(status)) {
        return record_reject(error, "unknown policy status", "policy", "1 or 2", status);
    }
    if (!is_moment(out->stamp.ts.ns)) {
        return record_reject(error, "time is before 1970", "policy", "0 or more", out->stamp.ts.ns);
    }
    return 0;
}

static int decode_fact(const char *at, struct fact *out, struct record_error *error) {
    *out = (struct fact){
        .kind = (enum fact_kind)le8_get(at),
        .key = le64_get(at + 1),
        .code = le8_get(at + 9),
        .stamp = {{(int64_t)le64_get(at + 10)}, {le64_get(at + 18), le64_get(at + 26)}},
        .value = {at + FACT_BYTES, le8_get(at + FACT_BYTES - 1)},
    };
    if (!fact_sound(out)) {
        return record_reject(error, "what rides along is no fact", "facts",
                             "a kind, a code and a value of that kind, a time", out->kind);
    }
    return text_check(out->value, "facts", FACT_VALUE_MAX, "at most 255 bytes", error);
}

static int reject_facts(struct bytes facts, struct record_error *error) {
    return record_reject(error, "facts are more or fewer bytes than they say", "facts",
                         "one or two, and the bytes that they take", (int64_t)facts.len);
}

static int decode_facts(struct bytes facts, struct record *out, struct record_error *error) {
    const char *end = facts.data + facts.len - 2;
    const char *at = facts.data;
    if (facts.len < 2 || le16_get(end) != facts.len) {
        return reject_facts(facts, error);
    }
    while (at != end) {
        size_t left = (size_t)(end - at);
        if (out->fact_count == RECORD_FACTS_MAX || left < FACT_BYTES ||
            left < FACT_BYTES + (size_t)le8_get(at + FACT_BYTES - 1)) {
            return reject_facts(facts, error);
        }
        struct fact *fact = &out->facts[out->fact_count++];
        if (decode_fact(at, fact, error) != 0) {
            return -1;
        }
        at += FACT_BYTES + fact->value.len;
    }
    return out->fact_count > 0 ? 0 : reject_facts(facts, error);
}

int sections_decode(struct bytes sections, struct record *out, struct record_error *error) {
    const char *at = sections.data;
    if (out->sections & SECTION_ORIGIN) {
        if (decode_origin(at, &out->origin, error) != 0) {
            return -1;
        }
        at += ORIGIN_BYTES;
    }
    if (out->sections & SECTION_POLICY) {
        if (decode_note(at, &out->policy, error) != 0) {
            return -1;
        }
        at += NOTE_BYTES;
    }
    if (out->sections & SECTION_WRITER) {
        out->writer = (struct record_writer){le32_get(at), le32_get(at + 4), le32_get(at + 8)};
        at += WRITER_BYTES;
    }
    struct bytes facts = {at, (size_t)(sections.data + sections.len - at)};
    return out->sections & SECTION_FACTS ? decode_facts(facts, out, error) : 0;
}

/* ---- encoding ---- */

static char *put_facts(char *at, const struct record *r) {
    const char *begin = at;
    for (size_t i = 0; i < r->fact_count; i++) {
        const struct fact *fact = &r->facts[i];
        assert(fact->value.len <= FACT_VALUE_MAX);
        at = le8_put(at, (uint8_t)fact->kind);
        at = le64_put(at, fact->key);
        at = le8_put(at, fact->code);
        at = put_stamp(at, fact->stamp);
        at = le8_put(at, (uint8_t)fact->value.len);
        at = put_bytes(at, fact->value);
    }
    return le16_put(at, (uint16_t)(at + 2 - begin));
}

char *sections_put(char *at, const struct record *r) {
    if (r->sections & SECTION_ORIGIN) {
        at = le8_put(at, r->origin.topic);
        at = le32_put(at, r->origin.partition);
        at = le64_put(at, (uint64_t)r->origin.offset);
        at = le64_put(at, (uint64_t)r->origin.append.ns);
    }
    if (r->sections & SECTION_POLICY) {
        at = le64_put(at, r->policy.seller_id);
        at = le8_put(at, (uint8_t)r->policy.status);
        at = put_stamp(at, r->policy.stamp);
    }
    if (r->sections & SECTION_WRITER) {
        at = le32_put(at, r->writer.code_version);
        at = le32_put(at, r->writer.member);
        at = le32_put(at, r->writer.generation);
    }
    return r->sections & SECTION_FACTS ? put_facts(at, r) : at;
}
