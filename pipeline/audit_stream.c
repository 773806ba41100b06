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
