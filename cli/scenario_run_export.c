/*
 * The stores of a run that was played, and the way of its changes, as one SQLite file.
 */
#include <stdio.h>

#include "cli/murphy.h"
#include "cli/scenario_run_parts.h"
#include "pipeline/dead_letter.h"
#include "sim/order_records.h"
#include "sim/stores_export.h"

static int export_dead_letters(struct scenario_run *run, struct stores_export *export) {
    struct fake_kafka *kafka = simulation_kafka(run->simulation);
    for (uint32_t p = 0; p < fake_kafka_partitions(kafka, TOPIC_DEAD_LETTER); p++) {
        struct fake_kafka_partition partition = fake_kafka_partition(kafka, TOPIC_DEAD_LETTER, p);
        for (int64_t offset = partition.start; offset < partition.end; offset++) {
            const struct log_record *record =
                fake_kafka_record(kafka, TOPIC_DEAD_LETTER, p, offset);
            struct dead_letter letter;
            if (record == NULL || dead_letter_decode(record->value, &letter) != 0) {
                continue;
            }
            if (stores_export_dead_letter(export, record->append, &letter) != 0) {
                return -1;
            }
        }
    }
    return 0;
}

static int export_order(void *ctx, uint32_t partition, const struct log_record *logged,
                        const struct record *record) {
    return stores_export_order(ctx, partition, logged, record);
}

static int export_samples(struct scenario_run *run, struct stores_export *export) {
    for (size_t i = 0; i < run->sample_count; i++) {
        const struct oracle_sample *sample = &run->samples[i];
        struct export_freshness row = {.store = store_name(sample->store),
                                       .listing_id = sample->listing_id,
                                       .version = sample->version,
                                       .event = sample->event,
                                       .log = sample->log,
                                       .visible = sample->visible};
        if (stores_export_freshness(export, &row) != 0) {
            return -1;
        }
    }
    return 0;
}

static int export_checks(struct scenario_run *run, struct stores_export *export) {
    for (size_t i = 0; i < run->result.check_count; i++) {
        const struct run_check *check = &run->result.checks[i];
        struct export_check row = {
            check->name,     check->kind,     run_check_status_name(check->status),
            check->expected, check->observed, check->evidence,
            {check->at_ns}};
        if (stores_export_check(export, &row) != 0) {
            return -1;
        }
    }
    return 0;
}

static int export_bands(struct scenario_run *run, struct stores_export *export) {
    for (size_t i = 0; i < run->result.band_count; i++) {
        const struct run_band *band = &run->result.bands[i];
        if (stores_export_band(export, band->kind, band->subject, (vtime){band->from_ns},
                               (vtime){band->to_ns}) != 0) {
            return -1;
        }
    }
    return 0;
}

int scenario_run_export(struct scenario_run *run, const char *directory, char *error,
                        size_t error_size) {
    struct export_run info = {
        .murphy = MURPHY_VERSION,
        .scenario = run->scenario->name,
        .seed = run->options.seed,
        .trace_hash = run->result.trace_hash,
        .start = run->start,
        .end = simulation_now(run->simulation),
        .orphan_after_ns = run->scenario->pipeline.orphan_after_ns,
        .orphan_kept_ns = run->scenario->pipeline.orphan_kept_ns,
        .dashboard_sla_ns = scenario_run_dashboard_sla_ns(run),
    };
    struct stores_export *export = stores_export_new(directory, &info);
    if (export == NULL) {
        snprintf(error, error_size, "out of memory while writing the stores to %s", directory);
        return -1;
    }
    int failed = stores_export_oltp(export, simulation_oltp(run->simulation)) != 0 ||
                 stores_export_keyword(export, simulation_keyword(run->simulation)) != 0 ||
                 stores_export_warehouse(export, simulation_warehouse(run->simulation)) != 0 ||
                 stores_export_streams(
                     export, fake_warehouse_events(simulation_warehouse(run->simulation))) != 0 ||
                 stores_export_vector_db(export, simulation_vector_db(run->simulation)) != 0 ||
                 stores_export_objects(export, simulation_object_store(run->simulation)) != 0 ||
                 order_records_each(simulation_kafka(run->simulation), export_order, export) != 0 ||
                 export_dead_letters(run, export) != 0 || export_samples(run, export) != 0 ||
                 export_checks(run, export) != 0 || export_bands(run, export) != 0 ||
                 stores_export_hops(export, run->hops) != 0 || stores_export_finish(export) != 0;
    if (failed) {
        snprintf(error, error_size, "%s", stores_export_error(export));
    }
    stores_export_free(export);
    return failed ? -1 : 0;
}
