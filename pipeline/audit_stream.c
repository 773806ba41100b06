#include "pipeline/audit_stream.h"

#include <string.h>

/* Fields of an event as they are hashed: fixed places, little-endian. */
enum { LINK_BYTES = SHA256_BYTES + 8 * 6 + 2 + SHA256_BYTES };

static char *put_hash(char *at, const struct sha256 *hash) {
    memcpy(at, hash->bytes, SHA256_BYTES);
    return at + SHA256_BYTES;
}

void audit_chain_add(struct audit_chain *chain, struct audit_event *event) {
    char link[LINK_BYTES];
    char *at = put_hash(link, &chain->head);
    event->sequence = ++chain->sequence;
    at = wire_put(at, event->listing_id, 8);
    at = wire_put(at, event->sequence, 8);
    at = wire_put(at, (uint64_t)event->version, 8);
    at = wire_put(at, (uint64_t)event->stamp.ts.ns, 8);
    at = wire_put(at, event->stamp.id.hi, 8);
    at = wire_put(at, event->stamp.id.lo, 8);
    at = wire_put(at, (uint64_t)event->type, 1);
    at = wire_put(at, event->visible, 1);
    put_hash(at, &event->payload);
    chain->head = event->digest = sha256_of(link, sizeof link);
}

struct audit_event audit_event_of(struct audit_chain *chain, const struct log_record *logged,
                                  const struct record *record, bool visible) {
    struct audit_event event = {
        .listing_id = record->subject_id,
        .version = doc_version_pack(logged->epoch, logged->offset),
        .stamp = record->stamp,
        .type = record->type,
        .visible = visible,
        .payload = sha256_of(logged->value.data, logged->value.len),
    };
    audit_chain_add(chain, &event);
    return event;
}

bool audit_later(const struct audit_event *a, const struct audit_event *b) {
    if (a->version != b->version) {
        return a->version > b->version;
    }
    if (a->sequence != b->sequence) {
        return a->sequence > b->sequence;
    }
    return memcmp(a->digest.bytes, b->digest.bytes, SHA256_BYTES) > 0;
}

static bool same_digest(const struct audit_event *a, const struct audit_event *b) {
    return memcmp(a->digest.bytes, b->digest.bytes, SHA256_BYTES) == 0;
}

static bool follows(const struct audit_event *event, const struct audit_event *before) {
    struct audit_chain chain = {0};
    if (before != NULL) {
        chain = (struct audit_chain){before->sequence, before->digest};
    }
    struct audit_event again = *event;
    audit_chain_add(&chain, &again);
    return again.sequence == event->sequence && same_digest(&again, event);
}

/* The event that event i follows from, `count` for the beginning; false when there is none. */
static bool find_parent(const struct audit_event *events, size_t count, size_t i, size_t *parent) {
    *parent = count;
    if (events[i].sequence == 1) {
        return follows(&events[i], NULL);
    }
    for (size_t j = i; j > 0 && events[j - 1].sequence + 1 >= events[i].sequence; j--) {
        if (events[j - 1].sequence + 1 == events[i].sequence &&
            follows(&events[i], &events[j - 1])) {
            *parent = j - 1;
            return true;
        }
    }
    return false;
}

size_t audit_line(const struct audit_event *events, size_t count, enum audit_place *places,
                  size_t *parents) {
    bool changed = false; /* of leaders */
    size_t end = 0;
    for (size_t i = 0; i < count; i++) {
        bool twice = i > 0 && same_digest(&events[i], &events[i - 1]);
        if (twice || !find_parent(events, count, i, &parents[i])) {
            return i;
        }
        places[i] = AUDIT_BESIDE;
        changed = changed || doc_version_epoch(events[i].version) > 0;
        end = audit_later(&events[i], &events[end]) ? i : end;
    }
    for (size_t i = end; count > 0; i = parents[i]) {
        places[i] = AUDIT_ON_LINE;
        if (parents[i] == count) {
            break;
        }
    }
    for (size_t i = 0; i < count && !changed; i++) {
        if (places[i] == AUDIT_BESIDE) {
            return i;
        }
    }
    return count;
}

char *audit_chain_encode(const struct audit_chain *chain, char *at) {
    return put_hash(wire_put(at, chain->sequence, 8), &chain->head);
}

void audit_chain_decode(struct audit_chain *chain, struct wire_reader *reader) {
    chain->sequence = wire_get(reader, 8);
    for (size_t i = 0; i < SHA256_BYTES; i++) {
        chain->head.bytes[i] = (unsigned char)wire_get(reader, 1);
    }
}

struct sha256 audit_root(const struct audit_head *heads, size_t count) {
    struct sha256 root = {{0}};
    for (size_t i = 0; i < count; i++) {
        char link[SHA256_BYTES + 8 + AUDIT_CHAIN_BYTES];
        char *at = put_hash(link, &root);
        at = wire_put(at, heads[i].listing_id, 8);
        audit_chain_encode(&heads[i].chain, at);
        root = sha256_of(link, sizeof link);
    }
    return root;
}
