#include "cli/scenario_run.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/run_contracts.h"
#include "cli/scenario_run_parts.h"
#include "pipeline/array.h"
#include "pipeline/control.h"
#include "scenarios/scenario_draw.h"
#include "sim/clock_shim.h"
#include "sim/prng.h"

/* Between looks at progress, settling and interruption. */
#define SLICE_NS VTIME_MINUTE
/* A nightly batch is over within so long. */
#define BATCH_WITHIN_NS (2 * VTIME_HOUR)
/* A reconciliation with all its passes is over within so long. */
#define RECONCILE_WITHIN_NS (2 * VTIME_HOUR)

/* ---- Hearing ---- */

static void hear_operation(void *ctx, vtime now, const struct workload_op *op) {
    struct scenario_run *run = ctx;
    run->removals += op->kind == OP_LISTING_DELETE || op->kind == OP_ERASURE ||
                     (op->kind == OP_POLICY && op->status == POLICY_SUPPRESSED);
    run->oracle_ear.operation(run->oracle_ear.ctx, now, op);
    if (run->options.listener.operation != NULL) {
        run->options.listener.operation(run->options.listener.ctx, now, op);
    }
}

static void hear_appended(void *ctx, vtime now, enum topic_id topic, uint32_t partition,
                          const struct log_record *record) {
    struct scenario_run *run = ctx;
    run->oracle_ear.appended(run->oracle_ear.ctx, now, topic, partition, record);
    if (run->options.listener.appended != NULL) {
        run->options.listener.appended(run->options.listener.ctx, now, topic, partition, record);
    }
    if (run->hops != NULL) {
        job_log_appended(run->jobs, now, topic, record);
        hop_log_appended(run->hops, topic, partition, record);
    }
}

static void hear_row_changed(void *ctx, vtime now, const struct row_change *change) {
    struct scenario_run *run = ctx;
    run->oracle_ear.row_changed(run->oracle_ear.ctx, now, change);
    if (run->options.listener.row_changed != NULL) {
        run->options.listener.row_changed(run->options.listener.ctx, now, change);
    }
    if (run->hops != NULL) {
        hop_log_row_changed(run->hops, now, change, true);
    }
}

static void hear_seller_changed(void *ctx, vtime now, enum store_id store, uint64_t seller_id,
                                enum policy_status status) {
    struct scenario_run *run = ctx;
    run->oracle_ear.seller_changed(run->oracle_ear.ctx, now, store, seller_id, status);
    if (run->hops != NULL) {
        hop_log_seller_changed(run->hops, now, store, seller_id, status);
    }
}

static void hear_embedded(void *ctx, vtime now, const struct embed_item *items,
                          const struct embed_result *results, size_t count) {
    struct scenario_run *run = ctx;
    run->oracle_ear.embedded(run->oracle_ear.ctx, now, items, results, count);
}

static void hear_alias_switched(void *ctx, vtime now, enum modality modality, uint32_t from,
                                uint32_t to) {
    struct scenario_run *run = ctx;
    run->oracle_ear.alias_switched(run->oracle_ear.ctx, now, modality, from, to);
    if (run->hops != NULL) {
        hop_log_alias_switched(run->hops, now, modality, to);
    }
    if (modality == MODALITY_TEXT) {
        prober_alias_switched(&run->prober, now);
    }
}

static void hear_unseen_row_changed(void *ctx, vtime now, const struct row_change *change) {
    struct scenario_run *run = ctx;
    run->oracle_ear.unseen_row_changed(run->oracle_ear.ctx, now, change);
    if (run->hops != NULL) {
        hop_log_row_changed(run->hops, now, change, false);
    }
}

/* What machines are told, and ask for: of interest to the way of changes; answers of the log to the
 * oracle too. */
static void hear_told(void *ctx, uint32_t actor, const struct event *event) {
    struct scenario_run *run = ctx;
    enum machine_kind kind = simulation_actor_kind(run->simulation, actor);
    oracle_told(run->oracle, kind, event);
    if (run->options.listener.told != NULL) {
        run->options.listener.told(run->options.listener.ctx, kind,
                                   simulation_actor_name(run->simulation, actor), event);
    }
    if (run->hops != NULL) {
        const char *name = simulation_actor_name(run->simulation, actor);
        job_log_told(run->jobs, actor, machine_kind_name(kind), name, event);
        hop_log_told(run->hops, actor, kind, name, event);
    }
}

static void hear_truncated(void *ctx, vtime now, enum topic_id topic, uint32_t partition,
                           const struct log_record *record) {
    struct scenario_run *run = ctx;
    run->oracle_ear.truncated(run->oracle_ear.ctx, now, topic, partition, record);
}

static void hear_repeated(void *ctx, vtime now, const struct produce_item *item, uint32_t partition,
                          int64_t offset) {
    struct scenario_run *run = ctx;
    run->oracle_ear.repeated(run->oracle_ear.ctx, now, item, partition, offset);
}

static void hear_ended(void *ctx, vtime now, uint32_t actor, bool crashed) {
    struct scenario_run *run = ctx;
    job_log_ended(run->jobs, now, actor, crashed);
}

static void hear_asked(void *ctx, vtime now, uint32_t actor, const struct effect *effect) {
    struct scenario_run *run = ctx;
    if (run->options.listener.asked != NULL) {
        run->options.listener.asked(run->options.listener.ctx, now, effect);
    }
    if (run->hops != NULL) {
        job_log_asked(run->jobs, now, actor, simulation_actor_name(run->simulation, actor), effect);
        hop_log_asked(run->hops, now, actor, effect);
    }
}

static void hear_changed(void *ctx, const struct oracle_change *change) {
    struct scenario_run *run = ctx;
    hop_log_changed(run->hops, change);
}

/* The pipeline refuses an order; what is expected of it then, if the scenario lets it. */
static void hear_refusal(struct scenario_run *run, const char *alert) {
    char name[40];
    const char *end = strstr(alert, "-refused");
    if (end == NULL) {
        return;
    }
    snprintf(name, sizeof name, "%.*s", (int)(end - alert), alert);
    enum control_kind control = control_find(name);
    for (size_t i = 0; i < run->scenario->operation_count; i++) {
        const struct operation *operation = &run->scenario->operations[i];
        if (control != CONTROL_NONE && operation->control == control && operation->refusable) {
            oracle_refused(run->oracle, control);
            return;
        }
    }
}

static void hear_alert(void *ctx, vtime now, const char *name, const char *subject,
                       enum alert_state state, struct bytes evidence) {
    struct scenario_run *run = ctx;
    if (run->jobs != NULL) {
        job_log_alert(run->jobs, now, name, subject);
    }
    if (ARRAY_RESERVE(run->alerts, run->alert_capacity, run->alert_count + 1) != 0) {
        run->out_of_memory = true;
        return;
    }
    if (state != ALERT_CLEARED) {
        hear_refusal(run, name);
    }
    const char *sentence = run_result_textf(&run->result, "%.*s", (int)evidence.len, evidence.data);
    run->alerts[run->alert_count++] = (struct alert_seen){now, name, subject, state, sentence};
    /* Once the traffic is over silence is right: what is raised then is not shown. */
    if (state != ALERT_CLEARED && !vtime_before(now, workload_end(run->workload))) {
        return;
    }
    bool told = state == ALERT_INFO;
    if (!told) {
        sentence = run_result_textf(&run->result, "%s: %s", alert_state_name(state), sentence);
    }
    run_result_add_alert(&run->result,
                         &(struct run_alert){.at_ns = now.ns,
                                             .name = name,
                                             .subject = subject,
                                             .raised = state != ALERT_CLEARED && !told,
                                             .told = told,
                                             .evidence = sentence});
}

static const char *version_text(struct run_result *r, doc_version version, const char *none) {
    return version == DOC_VERSION_NONE
               ? none
               : run_result_textf(r, "version %u:%lld", doc_version_epoch(version),
                                  (long long)doc_version_offset(version));
}

static const char *price_text(struct run_result *r, int64_t price) {
    return price < 0 ? "no price"
                     : run_result_textf(r, "price %lld.%02lld", (long long)(price / 10000),
                                        (long long)(price % 10000 / 100));
}

/* What OLTP and the vector database say of a listing, in the first field in which they differ.
 * False when it is none of those that a vector row carries. */
static bool field_differs(struct scenario_run *run, uint64_t listing_id, const char **expected,
                          const char **observed) {
    struct vector_row_view row;
    struct oltp_listing truth;
    struct run_result *r = &run->result;
    if (!fake_vector_db_find(
            simulation_vector_db(run->simulation), MODALITY_FUSED,
            fake_vector_db_alias_target(simulation_vector_db(run->simulation), MODALITY_FUSED),
            listing_id, &row)) {
        return false;
    }
    int read = fake_oltp_read_listing(simulation_oltp(run->simulation), listing_id, &truth);
    if (read != 1) {
        run->out_of_memory = run->out_of_memory || read < 0;
        return false;
    }
    if (truth.price != row.meta.price) {
        *expected = price_text(r, truth.price);
        *observed = price_text(r, row.meta.price);
        return true;
    }
    struct reference_row path = {.value = truth.category};
    struct stamp stamp;
    int explained = fake_oltp_read_reference(simulation_oltp(run->simulation), FACT_CATEGORY,
                                             truth.category, &path, &stamp);
    run->out_of_memory = run->out_of_memory || explained < 0;
    if (!bytes_equal(path.value, row.meta.category)) {
        *expected = run_result_textf(r, "%.*s", (int)path.value.len, path.value.data);
        *observed = run_result_textf(r, "%.*s", (int)row.meta.category.len, row.meta.category.data);
        return true;
    }
    return false;
}

static void keep_sample(struct scenario_run *run, const struct drift *drift) {
    static const char *const reasons[DRIFT_CLASS_COUNT] = {
        [DRIFT_MISSING] = "OLTP has it alive, the store does not hold it",
        [DRIFT_ORPHAN] = "deleted in OLTP, and the pipeline does not know it",
        [DRIFT_DUPLICATE] = "the store holds it twice",
        [DRIFT_STALE] = "OLTP changed and the store did not follow",
        [DRIFT_MISMATCH] = "same version, other content",
        [DRIFT_RESURRECTED] = "the pipeline deleted it and the store shows it again",
        [DRIFT_WRONG_MODEL] = "made by another model than the collection's",
        [DRIFT_SUPPRESSED_SERVED] = "its seller is suppressed",
        [DRIFT_IN_FLIGHT] = "newer than the cutoff",
    };
    struct run_result *r = &run->result;
    const char *expected = version_text(r, drift->expected_version, "no document");
    const char *observed = version_text(r, drift->observed_version, "no row");
    if (drift->class == DRIFT_ORPHAN || drift->class == DRIFT_RESURRECTED ||
        drift->class == DRIFT_SUPPRESSED_SERVED) {
        expected = "not there";
    } else if (drift->class == DRIFT_STALE && drift->expected_version == drift->observed_version &&
               !field_differs(run, drift->listing_id, &expected, &observed)) {
        /* Gold is as old as the rest: no version in the log has what OLTP says. */
        expected = "text, attributes or images as in OLTP";
        observed = run_result_textf(r, "those of %s", observed);
    }
    run_result_add_sample(
        r, &(struct run_drift_sample){
               .store = scan_store_name(drift->store),
               .listing = run_result_textf(r, "%llu", (unsigned long long)drift->listing_id),
               .drift = (enum run_drift)drift->class,
               .expected = expected,
               .observed = observed,
               .reason = reasons[drift->class],
           });
}

/* What a reconciliation found first is shown row by row, the graver classes before stale rows. */
static void keep_samples(struct scenario_run *run, const struct reconciliation_report *report) {
    for (int stale = 0; stale <= 1; stale++) {
        for (size_t i = 0; i < report->sample_count && !run->out_of_memory; i++) {
            if ((report->samples[i].class == DRIFT_STALE) == (stale == 1)) {
                keep_sample(run, &report->samples[i]);
            }
        }
    }
}

uint64_t pass_drift(const struct reconciliation_report *report) {
    uint64_t total = 0;
    for (int store = 0; store < SCAN_STORE_COUNT; store++) {
        for (int c = 0; c < DRIFT_IN_FLIGHT; c++) {
            total += report->counts[store][c];
        }
    }
    return total;
}

static void hear_reconciled(void *ctx, vtime now, const struct reconciliation_report *report) {
    struct scenario_run *run = ctx;
    if (run->jobs != NULL) {
        struct pipeline_config config = pipeline_config_with_defaults(&run->scenario->pipeline);
        job_log_reconciled(run->jobs, now, vtime_add(report->cutoff, config.reconcile_cutoff_ns),
                           report);
    }
    if (ARRAY_RESERVE(run->passes, run->pass_capacity, run->pass_count + 1) != 0) {
        run->out_of_memory = true;
        return;
    }
    if (report->pass == 0) {
        keep_samples(run, report);
    }
    if (run->out_of_memory) {
        simulation_give_up(run->simulation);
        return;
    }
    struct pass_seen *pass = &run->passes[run->pass_count++];
    *pass = (struct pass_seen){now, *report};
    pass->report.samples = NULL;
    pass->report.sample_count = 0;
    run->reconciling = report->repairs_sent > 0;
}

static void hear_sample(void *ctx, const struct oracle_sample *sample) {
    struct scenario_run *run = ctx;
    if (ARRAY_RESERVE(run->samples, run->sample_capacity, run->sample_count + 1) != 0) {
        run->out_of_memory = true;
        return;
    }
    run->samples[run->sample_count++] = *sample;
}

static void hear_batch_made(void *ctx, vtime now, const struct batch_report *report) {
    struct scenario_run *run = ctx;
    run->oracle_ear.batch_made(run->oracle_ear.ctx, now, report);
    if (run->jobs != NULL) {
        job_log_batch_made(run->jobs, now, report);
    }
    run->batch = *report;
    run->batching = run->batching && report->from.ns != 0;
}

static void reconcile_due(void *ctx, vtime now, uint64_t arg) {
    struct scenario_run *run = ctx;
    (void)now;
    (void)arg;
    run->reconciling = true;
    simulation_command(run->simulation,
                       simulation_actor_find(run->simulation, MACHINE_RECONCILER, 0),
                       COMMAND_RECONCILE);
}

/* A process that is replaced is away for so long, unless the scenario says otherwise. */
#define DEPLOY_DOWN_NS (10 * VTIME_SECOND)

static void deploy(struct scenario_run *run, const struct operation *operation) {
    bool grouped = machine_tenure(operation->worker) == MACHINE_GROUPED;
    simulation_deploy(run->simulation,
                      &(struct deployment){
                          .version = operation->version,
                          .everyone = !grouped,
                          .kind = operation->worker,
                          .down_ns = operation->down_ns == 0 ? DEPLOY_DOWN_NS : operation->down_ns,
                          .forced = operation->forced,
                      });
}

/* On record with the alerts, which is where the pipeline's answer stands. */
static void operation_tell(struct scenario_run *run, vtime now, const struct operation *o) {
    const struct control_about *about = control_about(o->control);
    char what[200] = "";
    size_t at = 0;
    if (o->control == CONTROL_SCALE) {
        at += (size_t)snprintf(what, sizeof what, "%s: %" PRIu32 " workers",
                               machine_kind_name(o->worker), o->workers);
    } else if (o->control == CONTROL_DEPLOY || o->control == CONTROL_FINALISE) {
        bool some = o->control == CONTROL_DEPLOY && machine_tenure(o->worker) == MACHINE_GROUPED;
        at += (size_t)snprintf(what, sizeof what, "version %" PRIu32 "%s%s%s", o->version,
                               some ? ", " : "", some ? machine_kind_name(o->worker) : "",
                               o->forced ? ", by force" : "");
    } else if (o->model_version != 0) {
        at += (size_t)snprintf(what, sizeof what, "model %" PRIu32, o->model_version);
    }
    if (o->text != NULL) {
        snprintf(what + at, sizeof what - at, "%s%.150s", at > 0 ? ", " : "", o->text);
    }
    run_result_add_alert(&run->result, &(struct run_alert){.at_ns = now.ns,
                                                           .name = "operator",
                                                           .subject = about->name,
                                                           .evidence = what,
                                                           .told = true});
}

/* An operator acts. */
static void operation_due(void *ctx, vtime now, uint64_t index) {
    struct scenario_run *run = ctx;
    const struct operation *operation = &run->scenario->operations[index];
    operation_tell(run, now, operation);
    if (operation->control == CONTROL_SCALE) {
        simulation_scale(run->simulation, operation->worker, operation->workers);
        return;
    }
    if (operation->control == CONTROL_DEPLOY) {
        deploy(run, operation);
        return;
    }
    if (operation->control == CONTROL_FINALISE) {
        simulation_finalise(run->simulation, operation->version, operation->forced);
        return;
    }
    struct control control = {
        .kind = (uint16_t)operation->control,
        .model_version = operation->model_version,
        .id = operation->feed,
        .text = bytes_of(operation->text == NULL ? "" : operation->text),
    };
    if (operation->from_ns > 0 || operation->to_ns > 0) {
        control.from = vtime_add(run->start, operation->from_ns);
    }
    if (operation->to_ns > 0) {
        control.to = vtime_add(run->start, operation->to_ns);
    }
    if (operation->control == CONTROL_REGISTER) {
        oracle_registration(run->oracle, operation->feed, control.text, operation->refused);
    }
    simulation_order(run->simulation, &control);
    if (!operation->refused) {
        oracle_ordered(run->oracle, now, operation->control, operation->model_version);
    }
}

/* When, from the start of the run. */
static int64_t operation_at(const struct scenario_run *run, size_t i) {
    const struct operation *operation = &run->scenario->operations[i];
    char name[60];
    struct prng stream;
    snprintf(name, sizeof name, "operation %zu", i);
    prng_init(&stream, run->options.seed, name);
    return operation->at_ns +
           (operation->within_ns > 0 ? prng_range(&stream, 0, operation->within_ns) : 0);
}

/* ---- Making ---- */

struct scenario_run *scenario_run_new(const struct scenario *scenario,
                                      const struct scenario_run_options *options) {
    struct scenario_run *run = calloc(1, sizeof *run);
    if (run == NULL) {
        return NULL;
    }
    run->drawn = *scenario;
    scenario_draw(&run->drawn, options->seed);
    run->scenario = &run->drawn;
    run->options = *options;
    run->settled_at = VTIME_NEVER;
    run_result_init(&run->result);
    return run;
}

void scenario_run_free(struct scenario_run *run) {
    if (run == NULL) {
        return;
    }
    injector_free(run->injector);
    simulation_free(run->simulation);
    oracle_free(run->oracle);
    job_log_free(run->jobs);
    hop_log_free(run->hops);
    workload_free(run->workload);
    free(run->faults);
    free(run->alerts);
    free(run->passes);
    free(run->samples);
    run_result_release(&run->result);
    free(run);
}

static enum scenario_run_status fail(struct scenario_run *run, enum scenario_run_status status,
                                     const char *text) {
    snprintf(run->error, sizeof run->error, "%s", text);
    return status;
}

static enum scenario_run_status out_of_memory(struct scenario_run *run) {
    return fail(run, SCENARIO_RUN_ERROR, "out of memory: the run is worth nothing");
}

/* A scenario says 0 where nothing ends, the simulation something negative. */
static int64_t kept(int64_t ns) {
    return ns == 0 ? -1 : ns;
}

/* Aliases that move one at a time may point to different models until the upgrader has looked. */
#define ALIASES_APART_NS (10 * VTIME_MINUTE)

#define UNLESS_GIVEN(given, otherwise) ((given) != 0 ? (given) : (otherwise))

/* The profile that the scenario names, with what it says otherwise. */
static struct vector_profile vectors_of(const struct scenario *scenario) {
    struct vector_profile p = vector_profile_of((enum vector_profile_id)scenario->vectors.profile);
    p.gc_deletes_ns = UNLESS_GIVEN(scenario->vectors.gc_deletes_ns, p.gc_deletes_ns);
    p.visible_after_ns = UNLESS_GIVEN(scenario->vectors.visible_after_ns, p.visible_after_ns);
    if (scenario->vectors.consistency != 0) {
        p.consistency = (enum vector_consistency)(scenario->vectors.consistency - 1);
    }
    p.batch_items_max = UNLESS_GIVEN(scenario->vectors.batch_items_max, p.batch_items_max);
    p.batch_bytes_max = UNLESS_GIVEN(scenario->vectors.batch_bytes_max, p.batch_bytes_max);
    p.requests_per_second_max =
        UNLESS_GIVEN(scenario->vectors.requests_per_second_max, p.requests_per_second_max);
    return p;
}

/* Topics of which losses are expected, as bits. */
static unsigned losses_of(const struct scenario *scenario) {
    unsigned topics = 0;
    for (size_t i = 0; i < scenario->lost_count; i++) {
        for (unsigned t = 0; t < TOPIC_COUNT; t++) {
            if (strcmp(topic_name((enum topic_id)t), scenario->lost[i]) == 0) {
                topics |= 1u << t;
            }
        }
    }
    return topics;
}

/* Whether topics may elect leaders that lack records is a setting of theirs, and where the seed
 * draws it, one that drew no has none of these. */
static void leaders_stay_clean(struct scenario_run *run) {
    const struct scenario *scenario = run->scenario;
    bool never = scenario->draw.unclean_leaders_count > 0 && !scenario->pipeline.verify_outputs;
    for (size_t i = 0; never && i < scenario->fault_count; i++) {
        run->faults[i].off |= run->faults[i].kind == FAULT_UNCLEAN_LEADER;
    }
}

static int build(struct scenario_run *run) {
    const struct scenario *scenario = run->scenario;
    struct simulation_options options = {
        .seed = run->options.seed,
        .start = run->start,
        .pipeline = scenario->pipeline,
        .explore_ties = scenario->explore_ties,
        .session_timeout_ns = scenario->session_timeout_ns,
        .poll_timeout_ns = scenario->poll_timeout_ns,
        .rebalance = scenario->rebalance,
        .capacity = scenario->capacity,
        .journal = run->options.keep_history || scenario->lineage_count > 0,
        .index_text = scenario->probe_every_ns > 0,
        .seal_rows_min = scenario->probe_seal_rows,
        .time_travel_ns = scenario->time_travel_ns,
        .fail_safe_ns = scenario->fail_safe_ns,
        .merge_picks = scenario->merge_picks,
        .artifacts_kept_ns = kept(scenario->retention.artifacts_ns),
    };
    options.vectors = vectors_of(scenario);
    vector_profile_configure(&options.vectors, &options.pipeline);
    options.keyword_gc_deletes_ns = scenario->keyword_gc_deletes_ns;
    options.pipeline.keyword_tombstone_rows = scenario->keyword_gc_deletes_ns != 0;
    run_contracts_configure(scenario, run->options.contracts, &options.pipeline);
    options.pipeline.topics_kept_ns = kept(scenario->retention.topics_ns);
    options.pipeline.warehouse_kept_ns = kept(scenario->retention.warehouse_ns);
    memcpy(options.workers, scenario->workers, sizeof options.workers);
    memcpy(options.offset_reset, scenario->offset_reset, sizeof options.offset_reset);
    for (size_t i = 0; i < scenario->operation_count; i++) {
        const struct operation *operation = &scenario->operations[i];
        uint32_t *most = &options.workers_max[operation->worker];
        if (operation->control == CONTROL_SCALE && operation->workers > *most) {
            *most = operation->workers;
        }
    }
    if (run->options.bug != NULL) {
        int bug = bug_find(run->options.bug);
        assert(bug >= 0);
        options.bugs.on[bug] = true;
    }
    bool refusals = false;
    for (size_t i = 0; i < scenario->fault_count; i++) {
        refusals |= scenario->faults[i].kind == FAULT_ITEM_REFUSALS;
    }
    bool history = run->options.keep_history;
    if (history) {
        run->hops = hop_log_new(run->start, scenario->pipeline.model_version == 0
                                                ? 1
                                                : scenario->pipeline.model_version);
        run->jobs = job_log_new();
        if (run->hops == NULL || run->jobs == NULL) {
            return -ENOMEM;
        }
    }
    run->oracle = oracle_new(&(struct oracle_options){
        .refusals = refusals,
        .leaders_unclean = scenario->pipeline.verify_outputs,
        .vectors_unconditional = options.vectors.unconditional,
        .vectors_whole = options.vectors.unconditional || options.vectors.whole_rows,
        .aliases_apart_ns = options.vectors.aliases_apart ? ALIASES_APART_NS : 0,
        .start = options.start,
        .traffic_end = workload_end(run->workload),
        .model_version = scenario->pipeline.model_version,
        .allowed_lateness_ns = scenario->pipeline.allowed_lateness_ns,
        .future_max_ns = scenario->pipeline.future_max_ns,
        .orphan_after_ns = scenario->pipeline.orphan_after_ns,
        .gone_within_ns = scenario->objectives.gone_within_ns,
        .erasure_within_ns = scenario->objectives.erasure_within_ns,
        .warehouse_kept_ns = kept(scenario->retention.warehouse_ns),
        .suppressed_within_ns = scenario->objectives.suppressed_within_ns,
        .needless_embeddings_max_ppm = scenario->objectives.needless_embeddings_ppm,
        .losses_expected = losses_of(scenario),
        .vectors_every = 1,
        .sampled = history ? hear_sample : NULL,
        .changed = history ? hear_changed : NULL,
        .ctx = run,
    });
    run->simulation = run->oracle == NULL ? NULL : simulation_new(&options, run->workload);
    if (run->simulation == NULL) {
        return -ENOMEM;
    }
    run_contracts_tell(run->options.contracts, run->oracle);
    fake_warehouse_quiet_after(simulation_warehouse(run->simulation), workload_end(run->workload));
    oracle_reads(run->oracle, simulation_vector_db(run->simulation));
    oracle_watch(run->oracle, run->simulation);
    run->oracle_ear = oracle_observer(run->oracle);
    simulation_observe(
        run->simulation,
        &(struct simulation_observer){
            .ctx = run,
            .operation = hear_operation,
            .appended = hear_appended,
            .row_changed = hear_row_changed,
            .seller_changed = hear_seller_changed,
            .alert = hear_alert,
            .reconciled = hear_reconciled,
            .batch_made = hear_batch_made,
            .embedded = hear_embedded,
            .alias_switched = hear_alias_switched,
            .unseen_row_changed = hear_unseen_row_changed,
            .told = hear_told,
            .truncated = hear_truncated,
            .repeated = hear_repeated,
            .asked = history || run->options.listener.asked != NULL ? hear_asked : NULL,
            .ended = history ? hear_ended : NULL});
    for (size_t i = 0; i < scenario->operation_count; i++) {
        vtime at = vtime_add(options.start, operation_at(run, i));
        if (simulation_schedule(run->simulation, at, "operation", i, operation_due, run, i) != 0) {
            return -ENOMEM;
        }
    }
    run->faults = calloc(scenario->fault_count + 1, sizeof *run->faults);
    if (run->faults == NULL) {
        return -ENOMEM;
    }
    if (scenario->fault_count > 0) {
        memcpy(run->faults, scenario->faults, scenario->fault_count * sizeof *run->faults);
    }
    if (scenario->swarm) {
        faults_swarm(run->faults, scenario->fault_count, run->options.seed, scenario->focus_ppm);
        leaders_stay_clean(run);
    }
    run->injector = injector_new(run->simulation, run->faults, scenario->fault_count);
    run->prober = (struct prober){.simulation = run->simulation,
                                  .workload = run->workload,
                                  .oracle = run->oracle,
                                  .result = &run->result,
                                  .scenario = scenario};
    if (run->injector == NULL || prober_start(&run->prober) != 0) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < scenario->reconcile_at_count; i++) {
        vtime at = vtime_add(options.start, scenario->reconcile_at_ns[i]);
        if (simulation_schedule(run->simulation, at, "reconcile", i, reconcile_due, run, 0) != 0) {
            return -ENOMEM;
        }
    }
    return 0;
}

/* ---- Playing ---- */

static void progress(struct scenario_run *run, const char *phase) {
    if (run->options.progress != NULL) {
        run->options.progress(run->options.progress_ctx,
                              vtime_diff(simulation_now(run->simulation), run->start),
                              vtime_diff(workload_end(run->workload), run->start), phase);
    }
}

/* Runs on to `until` unless `done` holds before. */
static enum simulation_status run_until(struct scenario_run *run, vtime until, const char *phase,
                                        bool (*done)(struct scenario_run *run)) {
    enum simulation_status status = SIMULATION_RUNNING;
    while (status == SIMULATION_RUNNING && !run->interrupted &&
           vtime_before(simulation_now(run->simulation), until) && (done == NULL || !done(run))) {
        vtime next = vtime_add(simulation_now(run->simulation), SLICE_NS);
        status = simulation_run(run->simulation, vtime_before(next, until) ? next : until);
        progress(run, phase);
    }
    return run->out_of_memory ? SIMULATION_NO_MEMORY : status;
}

static bool settled(struct scenario_run *run) {
    oracle_tick(run->oracle, simulation_now(run->simulation));
    return simulation_workload_done(run->simulation) && oracle_settled(run->oracle);
}

static bool batch_over(struct scenario_run *run) {
    return !run->batching;
}

static bool reconciled(struct scenario_run *run) {
    return !run->reconciling;
}

/* The first moment at which the late queue has been drained once more. */
static vtime late_batch_done(const struct scenario_run *run) {
    struct pipeline_config config = pipeline_config_with_defaults(&run->scenario->pipeline);
    int64_t interval_ns = config.late_batch_interval_ns;
    vtime next = {(simulation_now(run->simulation).ns / interval_ns + 1) * interval_ns};
    return vtime_add(next, VTIME_MINUTE);
}

static void heal_due(void *ctx, vtime now, uint64_t arg) {
    struct scenario_run *run = ctx;
    (void)now;
    (void)arg;
    injector_heal(run->injector);
}

/* Everything is made anew from bronze once, for the comparison with the stream (A17). */
static enum simulation_status batch_whole(struct scenario_run *run) {
    vtime now = simulation_now(run->simulation);
    run->batching = true;
    simulation_order(run->simulation, &(struct control){.kind = CONTROL_BATCH});
    return run_until(run, vtime_add(now, BATCH_WITHIN_NS), "batch", batch_over);
}

/* What it mended takes the ordinary way to the dashboard; then it is made anew once more. */
static enum simulation_status batch_until_right(struct scenario_run *run) {
    struct pipeline_config config = pipeline_config_with_defaults(&run->scenario->pipeline);
    enum simulation_status status = batch_whole(run);
    if (status == SIMULATION_RUNNING && !run->interrupted &&
        run->batch.remade + run->batch.republished > 0) {
        vtime quiet = vtime_add(simulation_now(run->simulation),
                                config.reconcile_cutoff_ns + 2 * config.dashboard_interval_ns);
        status = run_until(run, quiet, "settling", NULL);
        status = status == SIMULATION_RUNNING ? batch_whole(run) : status;
    }
    return status;
}

static enum simulation_status phases(struct scenario_run *run) {
    enum simulation_status status = run_until(run, workload_end(run->workload), "traffic", NULL);
    if (status != SIMULATION_RUNNING || run->interrupted) {
        return status;
    }
    run->healed_at = simulation_now(run->simulation);
    if (simulation_schedule(run->simulation, run->healed_at, "heal", 0, heal_due, run, 0) != 0) {
        return SIMULATION_NO_MEMORY;
    }
    vtime limit = vtime_add(run->healed_at, run->scenario->objectives.convergence_ns);
    /* Requests that were under way when the world healed are to land before looking. */
    status = run_until(run, vtime_add(run->healed_at, VTIME_MINUTE), "healing", NULL);
    if (status == SIMULATION_RUNNING && simulation_counter(run->simulation, COUNTER_LATE) > 0) {
        status = run_until(run, late_batch_done(run), "late queue", NULL);
    }
    if (status == SIMULATION_RUNNING) {
        status = run_until(run, limit, "settling", settled);
    }
    if (status != SIMULATION_RUNNING || run->interrupted) {
        return status;
    }
    if (settled(run)) {
        run->settled_at = simulation_now(run->simulation);
    }
    /* Dashboards, checkpoints and the reconciler's cutoff lag behind the last change. */
    struct pipeline_config config = pipeline_config_with_defaults(&run->scenario->pipeline);
    vtime quiet = vtime_add(simulation_now(run->simulation),
                            config.reconcile_cutoff_ns + 2 * config.dashboard_interval_ns);
    status = run_until(run, quiet, "settling", NULL);
    if (status == SIMULATION_RUNNING && run->scenario->reconcile_at_end && !run->interrupted) {
        reconcile_due(run, simulation_now(run->simulation), 0);
        limit = vtime_add(simulation_now(run->simulation), RECONCILE_WITHIN_NS);
        status = run_until(run, limit, "reconciling", reconciled);
        if (status == SIMULATION_RUNNING) {
            status = run_until(run, vtime_add(simulation_now(run->simulation), VTIME_MINUTE),
                               "reconciling", NULL);
        }
    }
    return status == SIMULATION_RUNNING && !run->interrupted ? batch_until_right(run) : status;
}

enum scenario_run_status scenario_run_play(struct scenario_run *run) {
    int64_t began_ns = clock_shim_real_monotonic_ns();
    struct workload_options workload = run->scenario->workload;
    struct workload_error error;
    workload.seed = run->options.seed;
    run->workload = workload_new(&workload, &error);
    if (run->workload == NULL) {
        return fail(run, SCENARIO_RUN_BAD_INPUT, error.text);
    }
    run->start = workload.file == NULL ? workload.start : workload_peek(run->workload);
    if (build(run) != 0) {
        return out_of_memory(run);
    }
    enum simulation_status status = phases(run);
    if (run->interrupted || status == SIMULATION_STOPPED) {
        return SCENARIO_RUN_INTERRUPTED;
    }
    if (status == SIMULATION_NO_MEMORY || oracle_out_of_memory(run->oracle) ||
        injector_out_of_memory(run->injector)) {
        return out_of_memory(run);
    }
    oracle_finish(run->oracle, run->simulation);
    prober_finish(&run->prober);
    if (run->jobs != NULL) {
        job_log_close(run->jobs, simulation_now(run->simulation));
    }
    run->result.wall_ns = clock_shim_real_monotonic_ns() - began_ns;
    scenario_run_judge(run);
    if (run->out_of_memory || oracle_out_of_memory(run->oracle) ||
        (run->hops != NULL &&
         (hop_log_out_of_memory(run->hops) || job_log_out_of_memory(run->jobs))) ||
        run_result_incomplete(&run->result)) {
        return out_of_memory(run);
    }
    return SCENARIO_RUN_DONE;
}

void scenario_run_interrupt(struct scenario_run *run) {
    run->interrupted = 1;
    if (run->simulation != NULL) {
        simulation_stop(run->simulation);
    }
}

const char *scenario_run_error(const struct scenario_run *run) {
    return run->error;
}

struct run_result *scenario_run_result(struct scenario_run *run) {
    return &run->result;
}
