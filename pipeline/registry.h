/*
 * The schema registry (B9): for each feed the versions of its contract, and the mode by which a
 * further one must be compatible with those before it.
 *
 * It is a pure state, folded from the register records of the control topic, so every machine that
 * reads the topic holds the same registry at the same offset of it. Version 1 of each feed is what
 * the configuration says, or what the wire carries (pipeline/contract.h), and the mode is backward
 * unless version 1 says another, as in Confluent's registry. A registration that does not hold
 * changes nothing.
 *
 *  - A further version must have a greater number than those before, say nothing that the feed's
 *    records or documents cannot carry, and be compatible by the mode in force (the one that the
 *    same text sets, if it does).
 *  - A version that is there may be amended: by a schema that allows all that the former one did,
 *    so that no record that was accepted is refused when it is replayed.
 *  - The same text once more is a repeat.
 *
 * A record is accepted as long as the version that it names is registered, so late records of an
 * old one are: versions are never taken back.
 */
#ifndef MURPHY_PIPELINE_REGISTRY_H
#define MURPHY_PIPELINE_REGISTRY_H

#include "pipeline/schema.h"
#include "pipeline/topics.h"

struct subject {
    enum schema_mode mode;
    struct schema *versions; /* ascending; the first is version 1 */
    size_t count, capacity;
    bool refused;  /* the last registration was, so an alert about it stands */
    bool narrowed; /* version 1 refuses some of what the wire carries */
};

struct registry {
    struct subject subjects[TOPIC_FEED_COUNT];
    struct schema widest[TOPIC_FEED_COUNT];
    const struct bytes *first; /* as given to registry_init */
};

/* With version 1 of each feed: `first` holds a text for each, empty where the feed takes what the
 * wire carries, and outlives the registry; NULL: none says anything. 0, or -ENOMEM; release in
 * either case. Each is narrower than contract_widest. */
int registry_init(struct registry *registry, const struct bytes *first);
void registry_release(struct registry *registry);

enum registry_outcome {
    REGISTRY_REPEATED, /* nothing that was not there */
    REGISTRY_REGISTERED,
    REGISTRY_AMENDED,
    REGISTRY_MODE_SET,
    REGISTRY_REFUSED, /* *why is the reason, one sentence */
};
/* Folds one registration. An outcome, or -ENOMEM with the registry as it was. */
int registry_fold(struct registry *registry, enum topic_id feed, struct bytes text,
                  struct sentence *why);

/* NULL when the version is not registered. */
const struct schema *registry_find(const struct registry *registry, enum topic_id feed,
                                   uint16_t version);
/* Adds the versions of a feed, as in "1, 2 or 5". */
void registry_versions(const struct registry *registry, enum topic_id feed, struct sentence *out);

/* Checkpointed form. Returns its length; writes it unless buffer is NULL. */
size_t registry_encode(const struct registry *registry, char *buffer);
/* Replaces what is there by what registry_encode wrote. 0, -EINVAL when the bytes are corrupt
 * (version 1 alone is there then), or -ENOMEM. */
int registry_decode(struct registry *registry, struct bytes input);

#endif
