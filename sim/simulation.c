#include "sim/simulation.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/array.h"
#include "pipeline/xxh3.h"
#include "sim/carrier.h"
#include "sim/carrier_notes.h"
#include "sim/clock_shim.h"
#include "sim/event_queue.h"
#include "sim/fake_embedding.h"
#include "sim/prng.h"
#include "sim/simulation_parts.h"
#include "sim/sqlite_host.h"

/* A rebalance reaches its members so long after the coordinator decided. */
#define ASSIGNMENT_NS (10 * VTIME_MILLISECOND)
/* The application tries a record again so long after its feed refused it. */
#define SEND_AGAIN_NS VTIME_SECOND

/* What actors send travels by flights; flights come from a free list. */
struct flight *flight_new(struct simulation *s, uint32_t actor, enum event_kind event,
                          struct effect *effect) {
    struct flight *flight = s->free_flights;
    if (flight != NULL) {
        s->free_flights = flight->next;
    } else {
        flight = malloc(sizeof *flight);
        if (flight == NULL) {
            s->out_of_memory = true;
            return NULL;
        }
    }
    memset(flight, 0, sizeof *flight);
    flight->actor = actor;
    flight->incarnation = s->actors[actor].incarnation;
    flight->event = event;
    flight->effect = effect;
    return flight;
}

void flight_free(struct simulation *s, struct flight *flight) {
    if (flight->effect != NULL) {
        effect_release(&s->pool, flight->effect);
    }
    flight->next = s->free_flights;
    s->free_flights = flight;
}

/* ---- The queue and the trace ---- */

static int push_tied(struct simulation *s, struct sim_event *event) {
    event->at = vtime_max(event->at, s->now);
    if (event_queue_push(&s->queue, event, NULL) != 0) {
        s->out_of_memory = true;
        return -ENOMEM;
    }
    return 0;
}

static uint16_t tie(struct simulation *s) {
    return s->options.explore_ties ? (uint16_t)prng_next(&s->scheduling) : 0;
}

static int push(struct simulation *s, vtime at, uint32_t actor, uint32_t kind, uint64_t arg,
                void *payload) {
    struct sim_event event = {
        .at = at, .tie = tie(s), .actor = actor, .kind = kind, .arg = arg, .payload = payload};
    return push_tied(s, &event);
}

static void flight_push_tied(struct simulation *s, vtime at, uint16_t tie, uint32_t kind,
                             struct flight *flight) {
    flight->kind = kind;
    struct sim_event event = {
        .at = at, .tie = tie, .actor = flight->actor, .kind = kind, .payload = flight};
    if (push_tied(s, &event) != 0) {
        flight_free(s, flight);
    }
}

void flight_push(struct simulation *s, vtime at, uint32_t kind, struct flight *flight) {
    flight_push_tied(s, at, tie(s), kind, flight);
}

/* Runs now, ahead of what else is due now; several pushed so keep their order. */
static void flight_push_first(struct simulation *s, uint32_t kind, struct flight *flight) {
    flight_push_tied(s, s->now, 0, kind, flight);
}

void simulation_note(struct simulation *s, uint64_t value) {
    s->digest = ((s->digest << 29 | s->digest >> 35) ^ value) * UINT64_C(0x9e3779b97f4a7c15);
}

void simulation_note_bytes(struct simulation *s, struct bytes bytes) {
    simulation_note(s, XXH3_64bits(bytes.data, bytes.len));
}

/* ---- Making and ending ---- */

static uint32_t kind_workers(const struct simulation_options *options, enum machine_kind kind) {
    bool grouped = machine_tenure(kind) == MACHINE_GROUPED;
    uint32_t workers = options->workers[kind];
    assert(workers <= SIMULATION_WORKERS_MAX);
    return grouped && workers > 0 ? workers : 1;
}

static uint32_t kind_workers_max(const struct simulation_options *options, enum machine_kind kind) {
    uint32_t workers = kind_workers(options, kind);
    uint32_t most = machine_tenure(kind) == MACHINE_GROUPED ? options->workers_max[kind] : 0;
    assert(most <= SIMULATION_WORKERS_MAX);
    return most > workers ? most : workers;
}

static int actors_make(struct simulation *s) {
    uint32_t count = 0;
    for (int kind = 0; kind < MACHINE_KIND_COUNT; kind++) {
        count += kind_workers_max(&s->options, (enum machine_kind)kind);
    }
    s->actors = calloc(count, sizeof *s->actors);
    if (s->actors == NULL) {
        return -ENOMEM;
    }
    for (int kind = 0; kind < MACHINE_KIND_COUNT; kind++) {
        uint32_t workers = kind_workers_max(&s->options, (enum machine_kind)kind);
        for (uint32_t member = 0; member < workers; member++) {
            struct actor *actor = &s->actors[s->actor_count++];
            actor->kind = (enum machine_kind)kind;
            actor->member = member;
            actor->code_version = s->config.code_version;
            actor->idle = member >= kind_workers(&s->options, actor->kind);
            actor->deferred_last = &actor->deferred;
            const char *name = machine_kind_name(actor->kind);
            size_t length = strlen(name);
            memcpy(actor->name, name, length);
            if (workers > 1) {
                actor->name[length++] = '-';
                if (member >= 9) {
                    actor->name[length++] = '1';
                }
                actor->name[length++] = (char)('0' + (member + 1) % 10);
            }
        }
    }
    return 0;
}

void simulation_tell_alert(struct simulation *s, const char *name, const char *subject,
                           enum alert_state state, struct bytes evidence) {
    if (s->listener.alert != NULL) {
        s->listener.alert(s->listener.ctx, s->now, name, subject, state);
    }
    if (s->observer.alert != NULL) {
        s->observer.alert(s->observer.ctx, s->now, name, subject, state, evidence);
    }
}

/* An appended record: consumers that wait for it are woken, monitors count it, the oracle hears. */
static void appended(void *ctx, vtime now, enum topic_id topic, uint32_t partition,
                     const struct log_record *record) {
    struct simulation *s = ctx;
    struct feed_observation *feed = &s->feeds[topic];
    feed->records++;
    feed->last_append = record->append;
    if (record->value.len > 2) {
        feed->upserts += record->value.data[2] == RECORD_UPSERT;
        feed->deletes += record->value.data[2] == RECORD_DELETE;
    }
    carrier_wake(s, &s->waiting[topic][partition]);
    if (s->listener.appended != NULL) {
        s->listener.appended(s->listener.ctx, now, topic, record);
    }
    if (s->observer.appended != NULL) {
        s->observer.appended(s->observer.ctx, now, topic, partition, record);
    }
}

static void truncated(void *ctx, vtime now, enum topic_id topic, uint32_t partition,
                      const struct log_record *record) {
    struct simulation *s = ctx;
    if (s->observer.truncated != NULL) {
        s->observer.truncated(s->observer.ctx, now, topic, partition, record);
    }
}

static void repeated(void *ctx, vtime now, const struct produce_item *item, uint32_t partition,
                     int64_t offset) {
    struct simulation *s = ctx;
    if (s->observer.repeated != NULL) {
        s->observer.repeated(s->observer.ctx, now, item, partition, offset);
    }
}

/* Consumers hear of another leader at once, since their connection to the former one breaks. */
static void led(void *ctx, vtime now, enum topic_id topic, uint32_t partition) {
    struct simulation *s = ctx;
    (void)now;
    carrier_wake(s, &s->waiting[topic][partition]);
}

static void row_changed(void *ctx, vtime now, const struct row_change *change) {
    struct simulation *s = ctx;
    if (s->observer.row_changed != NULL) {
        s->observer.row_changed(s->observer.ctx, now, change);
    }
}

static void alias_switched(void *ctx, vtime now, enum modality modality, uint32_t from,
                           uint32_t to) {
    struct simulation *s = ctx;
    if (s->observer.alias_switched != NULL) {
        s->observer.alias_switched(s->observer.ctx, now, modality, from, to);
    }
}

static void unseen_row_changed(void *ctx, vtime now, const struct row_change *change) {
    struct simulation *s = ctx;
    if (s->observer.unseen_row_changed != NULL) {
        s->observer.unseen_row_changed(s->observer.ctx, now, change);
    }
}

static void seller_changed(void *ctx, vtime now, enum store_id store, uint64_t seller_id,
                           enum policy_status status) {
    struct simulation *s = ctx;
    if (s->observer.seller_changed != NULL) {
        s->observer.seller_changed(s->observer.ctx, now, store, seller_id, status);
    }
}

static void vectors_due(void *ctx, vtime now, uint64_t arg) {
    struct simulation *s = ctx;
    (void)arg;
    if (fake_vector_db_due(s->vector_db, now) != 0) {
        s->out_of_memory = true;
    }
}

static void vectors_wake(void *ctx, vtime at) {
    struct simulation *s = ctx;
    if (simulation_schedule(s, at, "vectors seen", 0, vectors_due, s, 0) != 0) {
        s->out_of_memory = true;
    }
}

/* Machines are one session of the vector database, and whoever else searches is another. */
static bool vectors_written_by_reader(void *ctx) {
    return simulation_caller(ctx) != SIMULATION_ACTOR_NONE;
}

static int fakes_make(struct simulation *s) {
    const struct simulation_options *o = &s->options;
    struct store_observer observer = {row_changed, seller_changed, s};
    struct fake_kafka_options kafka = {.session_timeout_ns = o->session_timeout_ns,
                                       .poll_timeout_ns = o->poll_timeout_ns,
                                       .protocol = o->rebalance};
    for (int topic = 0; topic < TOPIC_COUNT; topic++) {
        kafka.topics[topic].partitions = s->config.partitions;
        kafka.topics[topic].retention_ns = s->config.topics_kept_ns;
    }
    kafka.topics[TOPIC_DEAD_LETTER].compacted = true;
    kafka.topics[TOPIC_CONTROL].retention_ns = -1; /* orders stay in force */
    s->kafka = fake_kafka_new(&kafka);
    s->oltp = fake_oltp_new(&(struct fake_oltp_options){.journal = o->journal});
    oltp_books_init(&s->books, s->oltp);
    s->state_store = fake_state_store_new();
    s->keyword = fake_keyword_new(&(struct fake_keyword_options){
        .journal = o->journal, .observer = observer, .gc_deletes_ns = o->keyword_gc_deletes_ns});
    s->warehouse = fake_warehouse_new(&(struct fake_warehouse_options){
        .journal = o->journal,
        .kept_ns = s->config.warehouse_kept_ns,
        .observer = observer,
        .time_travel_ns = o->time_travel_ns,
        .fail_safe_ns = o->fail_safe_ns,
        .view_lag_min_ns = VTIME_MINUTE,
        .stream_kept_ns = 14 * VTIME_DAY,
        .merge = o->merge_picks ? WAREHOUSE_MERGE_PICKS : WAREHOUSE_MERGE_REFUSES});
    s->embedding = fake_embedding_new(NULL);
    s->object_store = fake_object_store_new(
        &(struct fake_object_store_options){.retention_ns = o->artifacts_kept_ns});
    struct fake_vector_db_options vectors = {
        .journal = o->journal,
        .observer = observer,
        .alias_observer = {alias_switched, unseen_row_changed, s},
        .profile = o->vectors,
        .background = {vectors_wake, vectors_written_by_reader, s},
        .seed = o->seed};
    /* Small, since it is built inside the run: a few thousand rows reach recall 0.99 with it. */
    vectors.index[MODALITY_TEXT] = (struct vector_index_options){
        .on = o->index_text,
        .m = 12,
        .ef_construction = 48,
        .seal_rows_min = o->seal_rows_min != 0 ? o->seal_rows_min : 1536};
    s->vector_db = fake_vector_db_new(&vectors);
    if (s->kafka == NULL || s->oltp == NULL || s->state_store == NULL || s->keyword == NULL ||
        s->warehouse == NULL || s->embedding == NULL || s->object_store == NULL ||
        s->vector_db == NULL) {
        return -ENOMEM;
    }
    for (int m = 0; m < MODALITY_COUNT; m++) {
        int error = fake_vector_db_create_collection(s->vector_db, (enum modality)m,
                                                     s->config.model_version);
        if (error != 0) {
            return -ENOMEM;
        }
        struct vector_alias alias = {(enum modality)m, s->config.model_version};
        error = fake_vector_db_switch_aliases(s->vector_db, s->now, &alias, 1);
        if (error != 0) {
            return -ENOMEM;
        }
    }
    fake_kafka_observe(s->kafka, (struct fake_kafka_observer){.appended = appended,
                                                              .truncated = truncated,
                                                              .repeated = repeated,
                                                              .led = led,
                                                              .ctx = s});
    s->ports = (struct simulation_ports){
        .log = fake_kafka_port(s->kafka),
        .oltp = fake_oltp_port(s->oltp),
        .books = oltp_books_port(&s->books),
        .embedding = embedding_archive_port(&s->archive),
        .vectors = fake_vector_db_port(s->vector_db),
        .keywords = fake_keyword_port(s->keyword),
        .warehouse = fake_warehouse_port(s->warehouse),
        .state = fake_state_store_port(s->state_store),
        .objects = fake_object_store_port(s->object_store),
        .model = fake_embedding_port(s->embedding),
    };
    s->archive = (struct embedding_archive){
        .inner = &s->ports.model, .objects = &s->ports.objects, .bugs = &s->options.bugs};
    id_map_init(&s->archive.once);
    return 0;
}

struct simulation *simulation_new(const struct simulation_options *options,
                                  struct workload *workload) {
    struct simulation *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return NULL;
    }
    s->options = *options;
    s->config = pipeline_config_with_defaults(&options->pipeline);
    s->format_level = s->config.format_level;
    s->saved_by = calloc((size_t)MACHINE_KIND_COUNT * s->config.partitions, sizeof *s->saved_by);
    s->out_of_memory = s->saved_by == NULL;
    s->workload = workload;
    s->now = options->start;
    s->caller = SIMULATION_ACTOR_NONE;
    if (s->options.fetch_linger_ns == 0) {
        s->options.fetch_linger_ns = 100 * VTIME_MILLISECOND;
    }
    if (s->options.group_commit_ns == 0) {
        s->options.group_commit_ns = 20 * VTIME_MILLISECOND;
    }
    for (int topic = 0; topic < TOPIC_COUNT; topic++) {
        s->feeds[topic].topic = (enum topic_id)topic;
        s->waiting[topic] = calloc(s->config.partitions, sizeof *s->waiting[topic]);
        s->out_of_memory = s->out_of_memory || s->waiting[topic] == NULL;
    }
    for (int kind = 0; kind < MACHINE_KIND_COUNT; kind++) {
        s->deployments[kind].version = s->config.code_version;
    }
    effect_pool_init(&s->pool);
    event_queue_init(&s->queue);
    prng_init(&s->latency, options->seed, "latency");
    prng_init(&s->scheduling, options->seed, "scheduling");
    carrier_latencies_init(s->latencies);
    s->capacity.rates = options->capacity;
    if (sqlite_host_start(options->seed, s->now) != 0 || s->out_of_memory ||
        trace_init(&s->trace, NULL) != 0 || actors_make(s) != 0 || fakes_make(s) != 0 ||
        event_queue_reserve(&s->queue, 4096) != 0) {
        simulation_free(s);
        return NULL;
    }
    for (uint32_t i = 0; i < s->actor_count; i++) {
        simulation_restart(s, i);
    }
    if (workload != NULL && workload_peek(workload).ns != VTIME_NEVER.ns) {
        push(s, workload_peek(workload), simulation_application(s), KIND_APPLICATION, 0, NULL);
    }
    if (s->out_of_memory) {
        simulation_free(s);
        return NULL;
    }
    return s;
}

static void waiters_free(struct simulation *s, struct waiting *waiting) {
    while (waiting->first != NULL) {
        struct flight *flight = waiting->first;
        waiting->first = flight->next;
        flight_free(s, flight);
    }
}

/* Gives back what a pending event carries. */
static void payload_free(struct simulation *s, const struct sim_event *event) {
    if (event->payload == NULL) {
        return;
    }
    if (event->kind < KIND_APPLICATION || event->kind == KIND_RESEND) {
        flight_free(s, event->payload);
    } else {
        free(event->payload);
    }
}

void simulation_free(struct simulation *s) {
    if (s == NULL) {
        return;
    }
    embedding_archive_release(&s->archive);
    struct sim_event event;
    while (event_queue_pop(&s->queue, &event)) {
        payload_free(s, &event);
    }
    for (int topic = 0; topic < TOPIC_COUNT; topic++) {
        for (uint32_t p = 0; s->waiting[topic] != NULL && p < s->config.partitions; p++) {
            waiters_free(s, &s->waiting[topic][p]);
        }
        free(s->waiting[topic]);
    }
    waiters_free(s, &s->waiting_outbox);
    for (uint32_t i = 0; i < s->actor_count; i++) {
        machine_free(s->actors[i].machine);
        while (s->actors[i].deferred != NULL) {
            struct flight *flight = s->actors[i].deferred;
            s->actors[i].deferred = flight->next;
            flight_free(s, flight);
        }
    }
    while (s->free_flights != NULL) {
        struct flight *flight = s->free_flights;
        s->free_flights = flight->next;
        free(flight);
    }
    free(s->actors);
    free(s->records);
    free(s->outbox_rows);
    free(s->entries);
    free(s->scan_rows);
    free(s->sales_rows);
    event_queue_release(&s->queue);
    effect_pool_release(&s->pool);
    trace_release(&s->trace);
    fake_vector_db_free(s->vector_db);
    fake_embedding_free(s->embedding);
    fake_object_store_free(s->object_store);
    fake_warehouse_free(s->warehouse);
    fake_keyword_free(s->keyword);
    fake_state_store_free(s->state_store);
    free(s->saved_by);
    oltp_books_release(&s->books);
    fake_oltp_free(s->oltp);
    fake_kafka_free(s->kafka);
    free(s);
}

/* ---- Steps ---- */

/* Carries out what a step asked for. `answered` is the flight that the step answered, or NULL. */
static void effects_send(struct simulation *s, uint32_t index, struct effects *effects,
                         struct flight *answered) {
    bool kept = false;
    struct effect *effect;
    while ((effect = effects_take(effects)) != NULL) {
        if (effect->kind == EFFECT_RESEND) {
            assert(answered != NULL && answered->effect != NULL &&
                   answered->effect->request == effect->resend.request);
            kept = true;
            if (effect->resend.narrowed) {
                effect_narrow(answered->effect);
            }
            /* The retry is the process's own: it is not sent if the process is gone by then. */
            flight_push(s, effect->resend.at, KIND_RESEND, answered);
            effect_release(&s->pool, effect);
            continue;
        }
        if (effect->request == 0) {
            carrier_state(s, index, effect);
            effect_release(&s->pool, effect);
            continue;
        }
        struct flight *flight = flight_new(s, index, EVENT_START, effect);
        if (flight == NULL) {
            effect_release(&s->pool, effect);
            continue;
        }
        carrier_send(s, flight);
    }
    if (answered != NULL && !kept) {
        flight_free(s, answered);
    }
}

static void effects_drop(struct simulation *s, struct effects *effects) {
    struct effect *effect;
    while ((effect = effects_take(effects)) != NULL) {
        effect_release(&s->pool, effect);
    }
}

/* A worker takes its time over the records that it is told, a slow one over everything. */
static void work(const struct simulation *s, struct actor *actor, const struct event *event) {
    uint32_t rate = s->options.capacity.worker;
    uint64_t records = event->kind == EVENT_RECORDS  ? event->records.count
                       : event->kind == EVENT_OUTBOX ? event->outbox.count
                                                     : 0;
    int64_t work_ns = rate > 0 ? (int64_t)(records * VTIME_SECOND / rate) : 0;
    work_ns += actor->slow_ns;
    if (work_ns > 0) {
        actor->busy_until = vtime_add(s->now, work_ns);
    }
}

void simulation_step(struct simulation *s, uint32_t index, const struct event *event,
                     struct flight *answered) {
    struct actor *actor = &s->actors[index];
    struct effects effects;
    effects_init(&effects, &s->pool);
    if (s->observer.told != NULL) {
        s->observer.told(s->observer.ctx, index, event);
    }
    clock_shim_guard_begin(actor->name);
    int error = pipeline_step(actor->machine, event, &effects);
    clock_shim_guard_end();
    work(s, actor, event);
    if (error == 0) {
        effects_send(s, index, &effects, answered);
        return;
    }
    /* Half a step is none: nothing of it is sent. */
    s->out_of_memory = true;
    effects_drop(s, &effects);
    if (answered != NULL) {
        flight_free(s, answered);
    }
}

/* The actor that the flight belongs to can go on with it; otherwise it is kept or dropped. */
static bool actor_goes_on(struct simulation *s, struct flight *flight) {
    struct actor *actor = &s->actors[flight->actor];
    if (actor->machine == NULL || actor->incarnation != flight->incarnation) {
        flight_free(s, flight);
        return false;
    }
    if (actor->paused) {
        flight->next = NULL;
        *actor->deferred_last = flight;
        actor->deferred_last = &flight->next;
        return false;
    }
    if (vtime_before(s->now, actor->busy_until)) {
        flight_push(s, actor->busy_until, flight->kind, flight);
        return false;
    }
    return true;
}

/* ---- Consumer groups ---- */

static unsigned group_topics(enum machine_kind kind) {
    switch (kind) {
    case MACHINE_ROUTER:
        return 1u << TOPIC_LISTING | 1u << TOPIC_MEDIA | 1u << TOPIC_LATE | 1u << TOPIC_QUARANTINE;
    case MACHINE_BUILDER:
        return 1u << TOPIC_LISTING_LOG;
    case MACHINE_LOADER:
        return 1u << TOPIC_LISTING_LOG | 1u << TOPIC_ORDER;
    default:
        return 0;
    }
}

/* Appended when: the first record that the group has to read in a partition; VTIME_NEVER when there
 * is none, or the group does not read it. */
static vtime group_unread(const struct simulation *s, enum machine_kind kind, enum topic_id topic,
                          uint32_t partition) {
    struct fake_kafka_partition log = fake_kafka_partition(s->kafka, topic, partition);
    int64_t next = fake_kafka_group_committed(s->kafka, machine_group(kind), topic, partition);
    if (next == FAKE_KAFKA_NO_OFFSET && (group_topics(kind) >> topic & 1) == 0) {
        return VTIME_NEVER;
    }
    for (next = next > log.start ? next : log.start; next < log.end; next++) {
        const struct log_record *record = fake_kafka_record(s->kafka, topic, partition, next);
        if (record != NULL) {
            return record->append;
        }
    }
    return VTIME_NEVER;
}

static bool holds_old_records(const struct simulation *s, enum topic_id topic, uint32_t partition) {
    struct fake_kafka_partition log = fake_kafka_partition(s->kafka, topic, partition);
    const struct log_record *oldest = fake_kafka_record(s->kafka, topic, partition, log.start);
    return oldest != NULL && vtime_diff(s->now, oldest->append) > s->config.topics_kept_ns / 2;
}

vtime simulation_oldest_unread(const struct simulation *s) {
    vtime oldest = VTIME_NEVER;
    for (int kind = 0; kind < MACHINE_KIND_COUNT; kind++) {
        unsigned topics = group_topics((enum machine_kind)kind) & ~(1u << TOPIC_LATE);
        for (int topic = 0; topics >> topic != 0; topic++) {
            for (uint32_t p = 0; (topics >> topic & 1) != 0 && p < s->config.partitions; p++) {
                vtime unread = group_unread(s, (enum machine_kind)kind, (enum topic_id)topic, p);
                oldest = vtime_before(unread, oldest) ? unread : oldest;
            }
        }
    }
    return oldest;
}

void simulation_find_laggards(struct simulation *s) {
    fake_kafka_expire(s->kafka, s->now);
    for (int topic = 0; topic < TOPIC_COUNT; topic++) {
        struct feed_observation *feed = &s->feeds[topic];
        feed->laggard = NULL;
        feed->unread = vtime_add(s->now, -s->config.topics_kept_ns / 2);
        if (topic == TOPIC_CONTROL || s->config.topics_kept_ns < 0) {
            continue; /* kept for ever */
        }
        for (uint32_t p = 0; p < s->config.partitions; p++) {
            if (!holds_old_records(s, (enum topic_id)topic, p)) {
                continue; /* no group can be that far behind */
            }
            for (int kind = 0; kind < MACHINE_KIND_COUNT; kind++) {
                vtime unread =
                    machine_group((enum machine_kind)kind) == NULL
                        ? VTIME_NEVER
                        : group_unread(s, (enum machine_kind)kind, (enum topic_id)topic, p);
                if (vtime_before(unread, feed->unread)) {
                    feed->unread = unread;
                    feed->laggard = machine_group((enum machine_kind)kind);
                }
            }
        }
    }
}

static void assignment_send(struct simulation *s, uint32_t index,
                            const struct fake_kafka_change *change) {
    struct effects effects;
    effects_init(&effects, &s->pool);
    struct effect *carrier = effects_add(&effects, EFFECT_COUNT, 0, 0);
    struct bytes partitions = {(const char *)change->partitions,
                               change->count * sizeof *change->partitions};
    if (carrier != NULL) {
        partitions = effect_copy(&effects, carrier, partitions);
    }
    struct flight *flight =
        effects.out_of_memory ? NULL : flight_new(s, index, EVENT_ASSIGNED, carrier);
    if (flight == NULL) {
        s->out_of_memory = true;
        effects_drop(s, &effects);
        return;
    }
    flight->partitions = (const uint32_t *)(const void *)partitions.data;
    flight->partition_count = change->count;
    flight->generation = change->generation;
    flight->rejoin = change->rejoin;
    flight_push(s, vtime_add(s->now, ASSIGNMENT_NS), KIND_DELIVER + EVENT_ASSIGNED, flight);
}

/* Tells members what the coordinator decided. */
static void group_changes(struct simulation *s) {
    struct fake_kafka_change change;
    while (fake_kafka_group_next_change(s->kafka, &change)) {
        for (uint32_t i = 0; i < s->actor_count; i++) {
            struct actor *actor = &s->actors[i];
            const char *group = machine_group(actor->kind);
            if (group == NULL || strcmp(group, change.group) != 0 ||
                actor->member != change.member || actor->machine == NULL) {
                continue;
            }
            assignment_send(s, i, &change);
        }
    }
}

static void group_verdicts(struct simulation *s) {
    vtime next = fake_kafka_group_check(s->kafka, s->now);
    group_changes(s);
    if (next.ns != VTIME_NEVER.ns) {
        push(s, next, simulation_harness(s), KIND_GROUP, 0, NULL);
    }
}

/* The group hears no heartbeats any more, or sees no polls. */
static void group_verdict_due(struct simulation *s, const struct actor *actor, bool stuck) {
    if (group_topics(actor->kind) == 0) {
        return;
    }
    const char *group = machine_group(actor->kind);
    vtime deadline = stuck ? fake_kafka_group_stall(s->kafka, s->now, group, actor->member)
                           : fake_kafka_group_silence(s->kafka, s->now, group, actor->member);
    if (deadline.ns != VTIME_NEVER.ns) {
        push(s, deadline, simulation_harness(s), KIND_GROUP, 0, NULL);
    }
}

static void group_join(struct simulation *s, uint32_t index) {
    struct actor *actor = &s->actors[index];
    unsigned topics = group_topics(actor->kind);
    if (topics != 0) {
        if (fake_kafka_group_join(s->kafka, s->now, machine_group(actor->kind), actor->member,
                                  topics) != 0) {
            s->out_of_memory = true;
        }
        group_changes(s);
        return;
    }
    if (machine_tenure(actor->kind) != MACHINE_LEASED) {
        return;
    }
    struct flight *flight = flight_new(s, index, EVENT_ASSIGNED, NULL);
    if (flight == NULL) {
        return;
    }
    static const uint32_t only[] = {0};
    flight->partitions = only;
    flight->partition_count = 1;
    flight->generation = ++actor->lease;
    flight_push(s, vtime_add(s->now, ASSIGNMENT_NS), KIND_DELIVER + EVENT_ASSIGNED, flight);
}

/* ---- Actors ---- */

static void actor_end(struct simulation *s, uint32_t index, bool crashed) {
    struct actor *actor = &s->actors[index];
    if (actor->machine == NULL) {
        return;
    }
    if (s->observer.ended != NULL) {
        s->observer.ended(s->observer.ctx, s->now, index, crashed);
    }
    simulation_note(s, index);
    const uint64_t *counters = machine_counters(actor->machine);
    for (int i = 0; i < MACHINE_COUNTER_COUNT; i++) {
        s->counters[i] += counters[i];
    }
    const uint64_t *gauges = machine_gauges(actor->machine);
    for (int i = 0; i < MACHINE_GAUGE_COUNT; i++) {
        s->gauges[i] = gauges[i] > s->gauges[i] ? gauges[i] : s->gauges[i];
    }
    machine_free(actor->machine);
    actor->machine = NULL;
    actor->incarnation++;
    actor->paused = false;
    actor->busy_until = s->now;
    while (actor->deferred != NULL) {
        struct flight *flight = actor->deferred;
        actor->deferred = flight->next;
        flight_free(s, flight);
    }
    actor->deferred_last = &actor->deferred;
    group_verdict_due(s, actor, false);
}

void simulation_crash(struct simulation *s, uint32_t index) {
    actor_end(s, index, true);
}

/* Ends in good order: the group deals its partitions out at once. */
static void actor_leave(struct simulation *s, uint32_t index) {
    struct actor *actor = &s->actors[index];
    actor_end(s, index, false);
    if (group_topics(actor->kind) != 0) {
        fake_kafka_group_leave(s->kafka, s->now, machine_group(actor->kind), actor->member);
        group_changes(s);
    }
}

void simulation_drain(struct simulation *s, uint32_t index) {
    if (s->actors[index].machine != NULL) {
        actor_leave(s, index);
    }
}

void simulation_slow(struct simulation *s, uint32_t index, int64_t longer_ns) {
    assert(longer_ns >= 0);
    if (s->actors[index].slow_ns != longer_ns) {
        simulation_note(s, (uint64_t)longer_ns);
        s->actors[index].slow_ns = longer_ns;
    }
}

void simulation_scale(struct simulation *s, enum machine_kind kind, uint32_t workers) {
    assert(machine_tenure(kind) == MACHINE_GROUPED);
    assert(workers <= kind_workers_max(&s->options, kind));
    simulation_note(s, workers);
    for (uint32_t i = 0; i < s->actor_count; i++) {
        struct actor *actor = &s->actors[i];
        if (actor->kind != kind) {
            continue;
        }
        actor->idle = actor->member >= workers;
        if (!actor->idle) {
            simulation_restart(s, i);
        } else if (actor->machine != NULL) {
            actor_leave(s, i);
        }
    }
}

void simulation_restart(struct simulation *s, uint32_t index) {
    struct actor *actor = &s->actors[index];
    if (actor->machine != NULL || actor->idle) {
        return;
    }
    struct pipeline_config config = s->config;
    config.code_version = actor->code_version;
    config.format_level = s->format_level;
    actor->machine = machine_new(actor->kind, actor->member, &config, &s->options.bugs);
    struct flight *start = actor->machine == NULL ? NULL : flight_new(s, index, EVENT_START, NULL);
    if (start == NULL) {
        s->out_of_memory = true;
        return;
    }
    flight_push_first(s, KIND_DELIVER + EVENT_START, start);
    group_join(s, index);
}

static void stop(struct simulation *s, uint32_t index, bool stuck) {
    struct actor *actor = &s->actors[index];
    if (actor->machine == NULL || actor->paused) {
        return;
    }
    simulation_note(s, index);
    actor->paused = true;
    group_verdict_due(s, actor, stuck);
}

void simulation_pause(struct simulation *s, uint32_t index) {
    stop(s, index, false);
}

void simulation_stick(struct simulation *s, uint32_t index) {
    stop(s, index, true);
}

void simulation_flap(struct simulation *s, uint32_t index) {
    struct actor *actor = &s->actors[index];
    if (actor->machine == NULL || actor->paused || group_topics(actor->kind) == 0) {
        return;
    }
    simulation_note(s, index);
    fake_kafka_group_leave(s->kafka, s->now, machine_group(actor->kind), actor->member);
    group_join(s, index);
}

void simulation_rejoin(struct simulation *s, uint32_t index) {
    struct actor *actor = &s->actors[index];
    fake_kafka_group_rejoin(s->kafka, s->now, machine_group(actor->kind), actor->member);
    group_changes(s);
}

void simulation_resume(struct simulation *s, uint32_t index) {
    struct actor *actor = &s->actors[index];
    if (actor->machine == NULL || !actor->paused) {
        return;
    }
    actor->paused = false;
    /* What waited is worked off first, in order, before the group is heard: a zombie's moment. */
    while (actor->deferred != NULL) {
        struct flight *flight = actor->deferred;
        actor->deferred = flight->next;
        flight_push_first(s, flight->kind, flight);
    }
    actor->deferred_last = &actor->deferred;
    if (group_topics(actor->kind) == 0) {
        return;
    }
    if (fake_kafka_group_speak(s->kafka, s->now, machine_group(actor->kind), actor->member) != 0) {
        group_join(s, index);
    } else {
        group_changes(s);
    }
}

void simulation_command(struct simulation *s, uint32_t index, enum command_kind kind) {
    struct flight *flight = flight_new(s, index, EVENT_COMMAND, NULL);
    if (flight != NULL) {
        flight->command = kind;
        flight_push(s, s->now, KIND_DELIVER + EVENT_COMMAND, flight);
    }
}

/* ---- The application ---- */

/* A record that its feed did not take; sent again until it does. */
struct unsent {
    enum topic_id topic;
    uint64_t key;
    size_t length;
    char value[];
};

static void send_direct(struct simulation *s, enum topic_id topic, uint64_t key,
                        struct bytes value) {
    struct produce_item item = {topic, key, value};
    struct produce_result result = {.status = ITEM_RETRYABLE};
    int error = s->ports.log.ops->produce(s->ports.log.ctx, s->now, &item, 1, &result);
    simulation_note(s, (uint64_t)(int64_t)error);
    if (error == PORT_OK && result.status == ITEM_APPLIED) {
        return;
    }
    if (error == PORT_NO_MEMORY) {
        s->out_of_memory = true;
        return;
    }
    struct unsent *unsent = malloc(sizeof *unsent + value.len);
    if (unsent == NULL) {
        s->out_of_memory = true;
        return;
    }
    unsent->topic = topic;
    unsent->key = key;
    unsent->length = value.len;
    memcpy(unsent->value, value.data, value.len);
    if (push(s, vtime_add(s->now, SEND_AGAIN_NS), simulation_application(s), KIND_SEND_AGAIN, 0,
             unsent) != 0) {
        free(unsent);
    }
}

void simulation_order(struct simulation *s, const struct control *control) {
    struct record record = {
        .type = RECORD_CONTROL,
        .op = RECORD_UPSERT,
        .contract_version = RECORD_CONTRACT_VERSION,
        .stamp = {s->now, {CONTROL_KEY, ++s->orders}},
        .control = *control,
    };
    size_t room = record_encoded_bound(&record, NULL, 0);
    char *buffer = malloc(room);
    if (buffer == NULL) {
        s->out_of_memory = true;
        return;
    }
    int64_t length = record_encode(&record, NULL, 0, buffer, room);
    assert(length > 0);
    send_direct(s, TOPIC_CONTROL, CONTROL_KEY, (struct bytes){buffer, (size_t)length});
    free(buffer);
}

static int operation_commit(struct simulation *s, const struct workload_op *op) {
    struct outbox_item item = {op->topic, op->key, op->value};
    bool publish =
        s->outbox_gate.publish == NULL || s->outbox_gate.publish(s->outbox_gate.ctx, s->now, op);
    const struct outbox_item *outbox = publish ? &item : NULL;
    simulation_note(s, publish);
    switch (op->kind) {
    case OP_LISTING_CREATE:
    case OP_LISTING_UPDATE:
    case OP_LISTING_DELETE:
        return fake_oltp_write_listing(s->oltp, s->now, &op->listing, outbox);
    case OP_POLICY:
        return fake_oltp_write_seller(s->oltp, s->now, op->seller_id, op->status, op->stamp,
                                      outbox);
    case OP_ORDER:
        return fake_oltp_write_order(s->oltp, s->now, &op->order, outbox);
    case OP_ERASURE:
        return fake_oltp_erase(s->oltp, s->now, op->erasure, op->key, op->stamp, outbox);
    case OP_REFERENCE:
        return fake_oltp_write_reference(s->oltp, s->now, &op->reference, op->stamp, outbox);
    default:
        return fake_oltp_publish(s->oltp, s->now, &item);
    }
}

static void note_operation(struct simulation *s, const struct workload_op *op) {
    simulation_note(s, op->kind);
    simulation_note(s, (uint64_t)op->at.ns);
    simulation_note(s, op->topic);
    simulation_note(s, op->key);
    simulation_note_bytes(s, op->value);
}

/* Carries out every operation that is due, those of the OLTP store in one transaction. */
static void application_tick(struct simulation *s) {
    bool open = false;
    struct workload_op op;
    while (workload_peek(s->workload).ns <= s->now.ns && workload_next(s->workload, &op)) {
        note_operation(s, &op);
        if (op.through_oltp) {
            if (!open && fake_oltp_begin(s->oltp) != 0) {
                s->out_of_memory = true;
                return;
            }
            open = true;
            if (operation_commit(s, &op) != 0) {
                s->out_of_memory = true;
                return;
            }
        } else {
            send_direct(s, op.topic, op.key, op.value);
        }
        if (s->observer.operation != NULL) {
            s->observer.operation(s->observer.ctx, s->now, &op);
        }
    }
    if (open) {
        if (fake_oltp_commit(s->oltp) != 0) {
            s->out_of_memory = true;
        }
        carrier_wake(s, &s->waiting_outbox);
    }
    vtime next = workload_peek(s->workload);
    if (next.ns != VTIME_NEVER.ns) {
        push(s, vtime_add(next, s->options.group_commit_ns), simulation_application(s),
             KIND_APPLICATION, 0, NULL);
    }
}

/* ---- Scheduling by the harness ---- */

struct scheduled {
    const char *name;
    void (*run)(void *ctx, vtime now, uint64_t arg);
    void *ctx;
    uint64_t digest;
};

int simulation_schedule(struct simulation *s, vtime at, const char *name, uint64_t digest,
                        void (*run)(void *ctx, vtime now, uint64_t arg), void *ctx, uint64_t arg) {
    struct scheduled *scheduled = malloc(sizeof *scheduled);
    if (scheduled == NULL) {
        s->out_of_memory = true;
        return -ENOMEM;
    }
    *scheduled = (struct scheduled){name, run, ctx, digest};
    if (push(s, at, simulation_harness(s), KIND_SCHEDULED, arg, scheduled) != 0) {
        free(scheduled);
        return -ENOMEM;
    }
    return 0;
}

/* ---- Running ---- */

static void run_scheduled(struct simulation *s, struct scheduled *scheduled, uint64_t arg) {
    simulation_note_bytes(s, (struct bytes){scheduled->name, strlen(scheduled->name)});
    simulation_note(s, scheduled->digest);
    simulation_note(s, arg);
    scheduled->run(scheduled->ctx, s->now, arg);
    free(scheduled);
}

static void send_again(struct simulation *s, struct unsent *unsent) {
    simulation_note(s, unsent->key);
    send_direct(s, unsent->topic, unsent->key, (struct bytes){unsent->value, unsent->length});
    free(unsent);
}

static void run_flight(struct simulation *s, struct flight *flight) {
    carrier_note_flight(s, flight);
    if (flight->kind >= KIND_ARRIVE && flight->kind < KIND_APPLICATION) {
        carrier_arrive(s, flight); /* whatever became of the sender */
    } else if (actor_goes_on(s, flight)) {
        if (flight->kind == KIND_RESEND) {
            carrier_send(s, flight);
        } else {
            carrier_deliver(s, flight);
        }
    }
}

static void execute(struct simulation *s, const struct sim_event *event) {
    switch (event->kind) {
    case KIND_APPLICATION:
        application_tick(s);
        break;
    case KIND_GROUP:
        group_verdicts(s);
        break;
    case KIND_SEND_AGAIN:
        send_again(s, event->payload);
        break;
    case KIND_SCHEDULED:
        run_scheduled(s, event->payload, event->arg);
        break;
    default:
        run_flight(s, event->payload);
    }
}

enum simulation_status simulation_run(struct simulation *s, vtime until) {
    struct sim_event event;
    clock_shim_enter(s->now, s->options.seed);
    while (!s->stopped && !s->out_of_memory && event_queue_peek(&s->queue, &event) &&
           event.at.ns <= until.ns) {
        event_queue_pop(&s->queue, &event);
        s->now = event.at;
        clock_shim_set(s->now);
        sqlite_host_set_time(s->now);
        s->events++;
        s->digest = 1;
        execute(s, &event);
        trace_add(&s->trace,
                  &(struct trace_event){
                      event.sequence, s->now, event.actor, event.kind, {.lo = s->digest}});
    }
    clock_shim_leave();
    if (s->out_of_memory) {
        return SIMULATION_NO_MEMORY;
    }
    if (s->stopped) {
        return SIMULATION_STOPPED;
    }
    s->now = vtime_max(s->now, until);
    return SIMULATION_RUNNING;
}

/* ---- Looking ---- */

void simulation_stop(struct simulation *s) {
    s->stopped = 1;
}

void simulation_give_up(struct simulation *s) {
    s->out_of_memory = true;
}

vtime simulation_now(const struct simulation *s) {
    return s->now;
}

uint64_t simulation_events(const struct simulation *s) {
    return s->events;
}

struct trace *simulation_trace(struct simulation *s) {
    return &s->trace;
}

uint64_t simulation_seed(const struct simulation *s) {
    return s->options.seed;
}

bool simulation_workload_done(const struct simulation *s) {
    return s->workload == NULL || workload_peek(s->workload).ns == VTIME_NEVER.ns;
}

struct simulation_ports *simulation_ports(struct simulation *s) {
    return &s->ports;
}

struct outbox_gate *simulation_outbox_gate(struct simulation *s) {
    return &s->outbox_gate;
}

void simulation_observe(struct simulation *s, const struct simulation_observer *observer) {
    s->observer = *observer;
}

void simulation_listen(struct simulation *s, const struct simulation_listener *listener) {
    s->listener = *listener;
}

struct fake_kafka *simulation_kafka(struct simulation *s) {
    return s->kafka;
}

struct fake_oltp *simulation_oltp(struct simulation *s) {
    return s->oltp;
}

struct fake_vector_db *simulation_vector_db(struct simulation *s) {
    return s->vector_db;
}

struct fake_keyword *simulation_keyword(struct simulation *s) {
    return s->keyword;
}

struct fake_warehouse *simulation_warehouse(struct simulation *s) {
    return s->warehouse;
}

struct fake_object_store *simulation_object_store(struct simulation *s) {
    return s->object_store;
}

struct fake_state_store *simulation_state_store(struct simulation *s) {
    return s->state_store;
}

size_t simulation_actor_count(const struct simulation *s) {
    return s->actor_count;
}

const char *simulation_actor_name(const struct simulation *s, uint32_t actor) {
    if (actor < s->actor_count) {
        return s->actors[actor].name;
    }
    return actor == simulation_application(s) ? "application" : "harness";
}

enum machine_kind simulation_actor_kind(const struct simulation *s, uint32_t actor) {
    assert(actor < s->actor_count);
    return s->actors[actor].kind;
}

uint32_t simulation_actor_find(const struct simulation *s, enum machine_kind kind, uint32_t i) {
    for (uint32_t actor = 0; actor < s->actor_count; actor++) {
        if (s->actors[actor].kind == kind && s->actors[actor].member == i) {
            return actor;
        }
    }
    return SIMULATION_ACTOR_NONE;
}

uint32_t simulation_caller(const struct simulation *s) {
    return s->caller;
}

void simulation_hold_reply(struct simulation *s, int64_t held_ns) {
    s->reply_held_ns += held_ns;
}

bool simulation_caller_up(const struct simulation *s) {
    return s->caller != SIMULATION_ACTOR_NONE && s->actors[s->caller].machine != NULL &&
           s->actors[s->caller].incarnation == s->caller_incarnation;
}

bool simulation_actor_up(const struct simulation *s, uint32_t actor) {
    return s->actors[actor].machine != NULL;
}

uint64_t simulation_counter(const struct simulation *s, enum machine_counter counter) {
    uint64_t sum = s->counters[counter];
    for (uint32_t i = 0; i < s->actor_count; i++) {
        if (s->actors[i].machine != NULL) {
            sum += machine_counters(s->actors[i].machine)[counter];
        }
    }
    return sum;
}

uint64_t simulation_gauge(const struct simulation *s, enum machine_gauge gauge) {
    uint64_t most = s->gauges[gauge];
    for (uint32_t i = 0; i < s->actor_count; i++) {
        const struct machine *machine = s->actors[i].machine;
        if (machine != NULL && machine_gauges(machine)[gauge] > most) {
            most = machine_gauges(machine)[gauge];
        }
    }
    return most;
}

const char *simulation_kind_name(uint32_t kind) {
    if (kind < KIND_ARRIVE) {
        return event_kind_name((enum event_kind)(kind - KIND_DELIVER));
    }
    if (kind < KIND_APPLICATION) {
        return effect_kind_name((enum effect_kind)(kind - KIND_ARRIVE));
    }
    static const char *const names[] = {"application", "group-verdict", "send-again", "scheduled",
                                        "resend"};
    assert(kind - KIND_APPLICATION < sizeof names / sizeof *names);
    return names[kind - KIND_APPLICATION];
}
