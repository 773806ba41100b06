/* The one place where the oracle meets the simulator: whose stores it is to compare. */
#include "sim/oracle_parts.h"

void oracle_finish(struct oracle *o, struct simulation *s) {
    if (fake_warehouse_expire(simulation_warehouse(s), simulation_now(s)) != 0) {
        o->out_of_memory = true;
        return;
    }
    log_history_judge(o, simulation_now(s));
    oracle_finish_stores(
        o, simulation_now(s),
        &(struct oracle_stores){
            .vectors = simulation_vector_db(s),
            .keyword = simulation_keyword(s),
            .warehouse = simulation_warehouse(s),
            .oltp = simulation_oltp(s),
            .partitions = fake_kafka_partitions(simulation_kafka(s), TOPIC_LISTING_LOG),
        });
}
