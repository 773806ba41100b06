#include "sim/order_records.h"

#include "pipeline/machine_parts.h"

int order_records_each(const struct fake_kafka *k,
                       int (*each)(void *ctx, uint32_t partition, const struct log_record *logged,
                                   const struct record *record),
                       void *ctx) {
    int answer = 0;
    for (uint32_t p = 0; p < fake_kafka_partitions(k, TOPIC_ORDER); p++) {
        struct fake_kafka_partition partition = fake_kafka_partition(k, TOPIC_ORDER, p);
        for (int64_t at = partition.start; at < partition.end && answer == 0; at++) {
            const struct log_record *logged = fake_kafka_record(k, TOPIC_ORDER, p, at);
            struct record record;
            struct record_error error;
            if (logged != NULL &&
                record_of_topic(TOPIC_ORDER, logged->value, &record, &error) == 0) {
                answer = each(ctx, p, logged, &record);
            }
        }
    }
    return answer;
}
