/*
 * What a partition of the fake Kafka knows of idempotent producers.
 */
#include "pipeline/array.h"
#include "sim/fake_kafka_parts.h"

static struct kafka_producer *producer_find(const struct kafka_partition *p, uint64_t producer) {
    for (size_t i = 0; i < p->producer_count; i++) {
        if (p->producers[i].producer == producer) {
            return &p->producers[i];
        }
    }
    return NULL;
}

/* Of a repeat: where the record is that it repeats, or NO_OFFSET. Looks no further back than a
 * broker's memory of a few batches reaches. */
static int64_t repeated_offset(const struct kafka_partition *p, const struct producer_mark *mark) {
    size_t left = FAKE_KAFKA_REPEAT_RECORDS;
    for (size_t at = p->segment_count; at > 0; at--) {
        const struct kafka_segment *s = &p->segments[at - 1];
        for (size_t i = s->count; i > 0 && left > 0; i--, left--) {
            const struct producer_mark *kept = &s->records[i - 1].mark;
            if (kept->producer == mark->producer && kept->epoch == mark->epoch &&
                kept->sequence == mark->sequence) {
                return s->records[i - 1].offset;
            }
        }
    }
    return FAKE_KAFKA_NO_OFFSET;
}

bool fake_kafka_producer_admits(const struct kafka_partition *p, const struct producer_mark *mark,
                                struct produce_result *result) {
    const struct kafka_producer *known =
        mark->producer == 0 ? NULL : producer_find(p, mark->producer);
    if (known == NULL || mark->epoch > known->epoch) {
        return true;
    }
    if (mark->epoch < known->epoch) {
        result->status = ITEM_FATAL;
        return false;
    }
    if (mark->sequence > known->sequence) {
        return true;
    }
    result->status = ITEM_APPLIED;
    result->epoch = p->epoch;
    result->offset = repeated_offset(p, mark);
    return false;
}

int fake_kafka_producer_learn(struct kafka_partition *p, const struct log_record *r) {
    if (r->mark.producer == 0) {
        return 0;
    }
    struct kafka_producer *known = producer_find(p, r->mark.producer);
    if (known == NULL) {
        if (ARRAY_RESERVE(p->producers, p->producer_capacity, p->producer_count + 1) != 0) {
            return PORT_NO_MEMORY;
        }
        known = &p->producers[p->producer_count++];
    }
    *known = (struct kafka_producer){r->mark.producer, r->mark.epoch, r->mark.sequence, r->offset};
    return 0;
}

void fake_kafka_producers_rewind(struct kafka_partition *p) {
    size_t kept = 0;
    for (size_t i = 0; i < p->producer_count; i++) {
        struct kafka_producer known = p->producers[i];
        bool found = known.offset < p->end;
        for (size_t at = p->segment_count; at > 0 && !found; at--) {
            const struct kafka_segment *s = &p->segments[at - 1];
            for (size_t k = s->count; k > 0 && !found; k--) {
                const struct log_record *r = &s->records[k - 1];
                found = r->mark.producer == known.producer;
                if (found) {
                    known = (struct kafka_producer){r->mark.producer, r->mark.epoch,
                                                    r->mark.sequence, r->offset};
                }
            }
        }
        if (found) {
            p->producers[kept++] = known;
        }
    }
    p->producer_count = kept;
}
