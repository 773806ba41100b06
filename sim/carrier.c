#include "sim/carrier.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/array.h"
#include "pipeline/checkpoint_seal.h"
#include "pipeline/folded.h"
#include "pipeline/format.h"
#include "sim/carrier_notes.h"

/* Rows that one read of a scan asks for. */
enum { SCAN_CHUNK = 1024 };

/* Median, 99th percentile and maximum of a request's way in one direction. Sources: in-zone network
 * round trips of a millisecond or two; for the rest, what an operator of such systems sees daily.
 */
void carrier_latencies_init(struct latency_model latencies[EFFECT_COUNT]) {
    static const struct {
        enum effect_kind kind;
        int64_t p50_us, p99_us, max_us;
    } table[] = {
        {EFFECT_LOAD_STATE, 20000, 200000, 2000000},
        {EFFECT_SAVE_STATE, 3000, 30000, 500000},
        {EFFECT_FETCH, 1000, 10000, 200000},
        {EFFECT_OUTBOX_FETCH, 1000, 10000, 200000},
        {EFFECT_PRODUCE, 1500, 20000, 500000},
        {EFFECT_EMBED, 5000, 40000, 1000000},
        {EFFECT_WRITE_VECTORS, 6000, 60000, 1500000},
        {EFFECT_WRITE_KEYWORDS, 4000, 50000, 1500000},
        {EFFECT_LOAD_WAREHOUSE, 40000, 400000, 4000000},
        {EFFECT_OPEN_CHANNELS, 30000, 300000, 3000000},
        {EFFECT_REFRESH_DASHBOARD, 100000, 900000, 5000000},
        {EFFECT_SCAN, 10000, 100000, 1000000},
        {EFFECT_REPUBLISH, 3000, 30000, 500000},
        {EFFECT_BLOCK_SELLERS, 4000, 50000, 1000000},
        {EFFECT_ERASE, 50000, 500000, 5000000},
        {EFFECT_OBSERVE_FEEDS, 2000, 20000, 200000},
        {EFFECT_VECTOR_ADMIN, 20000, 300000, 3000000},
        {EFFECT_READ_VECTORS, 5000, 50000, 1000000},
        {EFFECT_SEARCH, 5000, 50000, 1000000},
        {EFFECT_READ_SALES, 30000, 300000, 3000000},
        {EFFECT_REPUBLISH_SALES, 3000, 30000, 500000},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        int error = latency_model_init(
            &latencies[table[i].kind], table[i].p50_us * VTIME_MICROSECOND,
            table[i].p99_us * VTIME_MICROSECOND, table[i].max_us * VTIME_MICROSECOND);
        assert(error == 0);
        (void)error;
    }
}

/* The event that answers a request. */
static enum event_kind answer_of(enum effect_kind kind) {
    switch (kind) {
    case EFFECT_LOAD_STATE:
        return EVENT_STATE;
    case EFFECT_SAVE_STATE:
        return EVENT_SAVED;
    case EFFECT_FETCH:
        return EVENT_RECORDS;
    case EFFECT_OUTBOX_FETCH:
        return EVENT_OUTBOX;
    case EFFECT_PRODUCE:
        return EVENT_PRODUCED;
    case EFFECT_EMBED:
        return EVENT_EMBEDDED;
    case EFFECT_WRITE_VECTORS:
    case EFFECT_WRITE_KEYWORDS:
        return EVENT_WRITTEN;
    case EFFECT_LOAD_WAREHOUSE:
    case EFFECT_REFRESH_DASHBOARD:
    case EFFECT_OPEN_CHANNELS:
    case EFFECT_REPUBLISH:
    case EFFECT_REPUBLISH_SALES:
    case EFFECT_ERASE:
    case EFFECT_BLOCK_SELLERS:
        return EVENT_LOADED;
    case EFFECT_SCAN:
        return EVENT_SCANNED;
    case EFFECT_OBSERVE_FEEDS:
        return EVENT_OBSERVED;
    case EFFECT_VECTOR_ADMIN:
        return EVENT_ADMINISTERED;
    case EFFECT_READ_VECTORS:
        return EVENT_VECTORS;
    case EFFECT_SEARCH:
        return EVENT_FOUND;
    case EFFECT_READ_SALES:
        return EVENT_SALES;
    default:
        assert(0 && "not a request");
        return EVENT_START;
    }
}

bool carrier_reads(enum effect_kind kind) {
    return kind == EFFECT_LOAD_STATE || kind == EFFECT_FETCH || kind == EFFECT_OUTBOX_FETCH ||
           kind == EFFECT_SCAN || kind == EFFECT_OBSERVE_FEEDS || kind == EFFECT_READ_VECTORS ||
           kind == EFFECT_SEARCH || kind == EFFECT_READ_SALES;
}

static int64_t travel_ns(struct simulation *s, const struct effect *effect) {
    int64_t travel = latency_model_draw_ns(&s->latencies[effect->kind], &s->latency);
    if (effect->kind == EFFECT_EMBED) {
        travel += fake_embedding_latency_ns(s->embedding, effect->embed.count) / 2;
    }
    return travel;
}

/* Parks a request until there is something to read. */
static void park(struct flight *flight, struct waiting *waiting) {
    flight->next = waiting->first;
    waiting->first = flight;
}

/* Where a read waits when there is nothing to read for it now; NULL when it need not wait. A broker
 * holds such a request back, so that it costs no event until something comes. */
static struct waiting *waits_at(struct simulation *s, const struct effect *effect) {
    if (effect->kind == EFFECT_OUTBOX_FETCH) {
        return fake_oltp_last_sequence(s->oltp) <= effect->outbox_fetch.sequence
                   ? &s->waiting_outbox
                   : NULL;
    }
    if (effect->kind != EFFECT_FETCH || effect->fetch.no_wait) {
        return NULL;
    }
    struct fake_kafka_partition partition =
        fake_kafka_partition(s->kafka, effect->fetch.topic, effect->fetch.partition);
    bool whole = effect->fetch.after_epoch == 0 ||
                 fake_kafka_epoch_end(s->kafka, effect->fetch.topic, effect->fetch.partition,
                                      effect->fetch.after_epoch - 1) >= effect->fetch.offset;
    return partition.online && whole && partition.end == effect->fetch.offset
               ? &s->waiting[effect->fetch.topic][effect->fetch.partition]
               : NULL;
}

void carrier_send(struct simulation *s, struct flight *flight) {
    const struct effect *effect = flight->effect;
    flight->event = answer_of(effect->kind);
    if (s->observer.asked != NULL) {
        s->observer.asked(s->observer.ctx, s->now, flight->actor, effect);
    }
    struct waiting *waiting = waits_at(s, effect);
    if (waiting != NULL) {
        park(flight, waiting);
        return;
    }
    int64_t travel = travel_ns(s, effect);
    if (carrier_reads(effect->kind)) {
        flight_push(s, vtime_add(s->now, 2 * travel), KIND_DELIVER + (uint32_t)flight->event,
                    flight);
    } else {
        vtime at = capacity_take(&s->capacity, vtime_add(s->now, travel), effect);
        flight_push(s, at, KIND_ARRIVE + (uint32_t)effect->kind, flight);
    }
}

void carrier_wake(struct simulation *s, struct waiting *waiting) {
    struct flight *flight = waiting->first;
    waiting->first = NULL;
    while (flight != NULL) {
        struct flight *next = flight->next;
        flight->next = NULL;
        if (s->actors[flight->actor].incarnation != flight->incarnation) {
            flight_free(s, flight);
        } else {
            int64_t travel = s->options.fetch_linger_ns + travel_ns(s, flight->effect);
            flight_push(s, vtime_add(s->now, travel), KIND_DELIVER + (uint32_t)flight->event,
                        flight);
        }
        flight = next;
    }
}

/* ---- Writes ---- */

/* Looks whether the checkpoints of those who keep documents still hold what was erased. */
static int look_at_state(struct simulation *s, struct effect *effect) {
    static const enum machine_kind keepers[] = {MACHINE_BUILDER, MACHINE_LOADER};
    const struct state_port *state = &s->ports.state;
    struct erasure_look *look = &effect->erase.looks[ERASED_IN_STATE];
    for (size_t i = 0; i < effect->erase.count; i++) {
        const struct erasure_subject *subject = &effect->erase.subjects[i];
        uint32_t partition = topic_partition(subject->listing_id, s->config.partitions);
        for (size_t k = 0; k < sizeof keepers / sizeof *keepers; k++) {
            struct bytes value;
            int error = state->ops->peek(state->ctx, s->now, machine_group(keepers[k]), partition,
                                         subject->listing_id, &value);
            if (error != PORT_OK) {
                return error;
            }
            look->examined++;
            struct bytes entry;
            bool kept = value.len == 0 ||
                        checkpoint_open(value, subject->listing_id, FORMAT_NEWEST, &entry) != 0;
            look->found += kept || folded_keeps(entry, subject->stamp);
        }
    }
    look->at = s->now;
    return PORT_OK;
}

static int erase_artifacts(struct simulation *s, struct effect *effect) {
    const struct object_port *objects = &s->ports.objects;
    struct erasure_look *look = &effect->erase.looks[ERASED_IN_ARTIFACTS];
    vtime until = effect->erase.artifacts_until;
    int error = PORT_OK;
    for (size_t i = 0; i < effect->erase.count && error == PORT_OK; i++) {
        const uint64_t *listing_id = &effect->erase.subjects[i].listing_id;
        uint64_t count = 0;
        error = objects->ops->count(objects->ctx, s->now, listing_id, 1, until, &count);
        look->found += count;
        if (error == PORT_OK && count > 0) {
            error = objects->ops->erase(objects->ctx, s->now, listing_id, 1, until);
        }
    }
    look->examined = (uint32_t)effect->erase.count;
    look->at = s->now;
    return error;
}

static int erase(struct simulation *s, struct effect *effect) {
    struct simulation_ports *p = &s->ports;
    struct erasure_subject *subjects = effect->erase.subjects;
    size_t count = effect->erase.count;
    struct erasure_look *looks = effect->erase.looks;
    memset(looks, 0, sizeof effect->erase.looks);
    switch (effect->erase.target) {
    case ERASE_SOURCE:
        return p->oltp.ops->erase(p->oltp.ctx, s->now, subjects, count, looks);
    case ERASE_WAREHOUSE:
        return p->warehouse.ops->erase(p->warehouse.ctx, s->now, subjects, count, looks);
    case ERASE_VECTORS:
        return p->vectors.ops->erase(p->vectors.ctx, s->now, effect->erase.model_version, subjects,
                                     count, looks);
    case ERASE_KEYWORD:
        return p->keywords.ops->erase(p->keywords.ctx, s->now, subjects, count, looks);
    case ERASE_STATE:
        return look_at_state(s, effect);
    case ERASE_ARTIFACTS:
        return erase_artifacts(s, effect);
    case ERASE_ARTIFACTS_OF_STRETCH:
        return p->objects.ops->purge(p->objects.ctx, s->now, effect->erase.artifacts_from,
                                     effect->erase.artifacts_until);
    case ERASE_TARGET_COUNT:
        break;
    }
    assert(0 && "nobody who could erase");
    return PORT_NOT_FOUND;
}

static int carry_out(struct simulation *s, struct effect *effect) {
    struct simulation_ports *p = &s->ports;
    switch (effect->kind) {
    case EFFECT_PRODUCE:
        return effect->produce.count == 0
                   ? PORT_OK
                   : p->log.ops->produce_as(p->log.ctx, s->now, &effect->produce.mark,
                                            effect->produce.items, effect->produce.count,
                                            effect->produce.results);
    case EFFECT_EMBED:
        return p->embedding.ops->embed(p->embedding.ctx, s->now, effect->embed.model_version,
                                       effect->embed.items, effect->embed.count,
                                       effect->embed.results);
    case EFFECT_WRITE_VECTORS:
        return p->vectors.ops->write(p->vectors.ctx, s->now, effect->vectors.modality,
                                     effect->vectors.model_version, effect->vectors.items,
                                     effect->vectors.count, effect->vectors.statuses);
    case EFFECT_WRITE_KEYWORDS:
        return p->keywords.ops->write(p->keywords.ctx, s->now, effect->keywords.items,
                                      effect->keywords.count, effect->keywords.statuses);
    case EFFECT_LOAD_WAREHOUSE:
        return p->warehouse.ops->load(p->warehouse.ctx, s->now, &effect->warehouse);
    case EFFECT_OPEN_CHANNELS:
        return p->warehouse.ops->open_channels(p->warehouse.ctx, s->now, effect->channels.items,
                                               effect->channels.count);
    case EFFECT_REFRESH_DASHBOARD:
        return p->warehouse.ops->refresh_dashboard(p->warehouse.ctx, s->now, effect->refresh.whole,
                                                   &effect->refresh.as_of);
    case EFFECT_SAVE_STATE:
        return p->state.ops->save(p->state.ctx, s->now, effect->save_state.group,
                                  effect->save_state.partition, effect->save_state.generation,
                                  effect->save_state.offsets, effect->save_state.entries,
                                  effect->save_state.count);
    case EFFECT_BLOCK_SELLERS:
        return effect->block.store == SCAN_KEYWORD
                   ? p->keywords.ops->block(p->keywords.ctx, s->now, effect->block.items,
                                            effect->block.count)
                   : p->vectors.ops->block(p->vectors.ctx, s->now, effect->block.items,
                                           effect->block.count);
    case EFFECT_ERASE:
        return erase(s, effect);
    case EFFECT_REPUBLISH:
        return p->oltp.ops->republish(p->oltp.ctx, s->now, effect->listings.listing_ids,
                                      effect->listings.count);
    case EFFECT_REPUBLISH_SALES:
        return p->books.ops->republish(p->books.ctx, s->now, effect->republish_sales.rows,
                                       effect->republish_sales.count);
    case EFFECT_VECTOR_ADMIN:
        return p->vectors.ops->admin(p->vectors.ctx, s->now, &effect->admin.what,
                                     &effect->admin.status, &effect->admin.targets);
    default:
        assert(0 && "not a write");
        return PORT_UNAVAILABLE;
    }
}

/* A run that some port had no memory for is worth nothing. */
static void note_error(struct simulation *s, int error) {
    if (error == PORT_NO_MEMORY) {
        s->out_of_memory = true;
    }
}

void carrier_arrive(struct simulation *s, struct flight *flight) {
    struct effect *effect = flight->effect;
    carrier_note_request(s, effect);
    s->caller = flight->actor;
    s->caller_incarnation = flight->incarnation;
    s->reply_held_ns = 0;
    flight->error = carry_out(s, effect);
    s->caller = SIMULATION_ACTOR_NONE;
    note_error(s, flight->error);
    if (effect->kind == EFFECT_SAVE_STATE && flight->error == PORT_OK) {
        deployment_saved(s, flight->actor, effect->save_state.partition);
    }
    carrier_note_outcome(s, effect, flight->error);
    if (effect->kind == EFFECT_EMBED && flight->error == PORT_OK && s->observer.embedded != NULL) {
        s->observer.embedded(s->observer.ctx, s->now, effect->embed.items, effect->embed.results,
                             effect->embed.count);
    }
    if (effect->kind == EFFECT_REPUBLISH || effect->kind == EFFECT_REPUBLISH_SALES) {
        carrier_wake(s, &s->waiting_outbox);
    }
    int64_t back_ns = travel_ns(s, effect) + s->reply_held_ns;
    flight_push(s, vtime_add(s->now, back_ns), KIND_DELIVER + (uint32_t)flight->event, flight);
}

/* ---- Reads ---- */

/* As the actor's client does it. Where an offset was asked for that the group committed, the
 * request gets it: whoever waits for more asks for that very offset again. */
static int fetch_from_log(struct simulation *s, struct effect *effect, uint32_t actor,
                          struct event *event) {
    enum machine_kind kind = s->actors[actor].kind;
    struct log_poll poll = {
        .group = machine_group(kind),
        .policy = effect->fetch.may_move ? s->options.offset_reset[kind] : OFFSET_RESET_NONE,
        .topic = effect->fetch.topic,
        .partition = effect->fetch.partition,
        .offset = effect->fetch.offset,
        .after_epoch = effect->fetch.after_epoch,
        .max = effect->fetch.max,
    };
    struct log_polled polled;
    int error = log_consumer_poll(&s->ports.log, s->now, &poll, s->records, &polled);
    event->records.count = polled.count;
    event->records.moved = polled.moved;
    event->records.position = polled.position;
    event->records.start = polled.start;
    event->records.end = polled.end;
    event->records.bounded = polled.bounded;
    if (effect->fetch.offset == FETCH_COMMITTED && error == PORT_OK && !polled.moved) {
        effect->fetch.offset = polled.position;
    }
    return error;
}

static int fetch(struct simulation *s, struct effect *effect, uint32_t actor, struct event *event) {
    const struct warehouse_port *warehouse = &s->ports.warehouse;
    return effect->fetch.bronze
               ? warehouse->ops->read_log(warehouse->ctx, s->now, effect->fetch.topic,
                                          effect->fetch.partition, effect->fetch.offset, s->records,
                                          effect->fetch.max, &event->records.count)
               : fetch_from_log(s, effect, actor, event);
}

/* False when the request waits on. */
static bool read_log(struct simulation *s, struct flight *flight, struct event *event) {
    struct effect *effect = flight->effect;
    if (ARRAY_RESERVE(s->records, s->record_capacity, effect->fetch.max) != 0) {
        event->error = PORT_NO_MEMORY;
        return true;
    }
    event->error = fetch(s, effect, flight->actor, event);
    bool nothing = event->error == PORT_OK && event->records.count == 0 && !event->records.moved;
    if (nothing && !effect->fetch.no_wait) {
        park(flight, &s->waiting[effect->fetch.topic][effect->fetch.partition]);
        return false;
    }
    event->records.records = s->records;
    return true;
}

static bool read_outbox(struct simulation *s, struct flight *flight, struct event *event) {
    const struct effect *effect = flight->effect;
    if (ARRAY_RESERVE(s->outbox_rows, s->outbox_capacity, effect->outbox_fetch.max) != 0) {
        event->error = PORT_NO_MEMORY;
        return true;
    }
    size_t count = 0;
    event->error =
        s->ports.oltp.ops->outbox_read(s->ports.oltp.ctx, s->now, effect->outbox_fetch.sequence,
                                       s->outbox_rows, effect->outbox_fetch.max, &count);
    if (event->error == PORT_OK && count == 0) {
        park(flight, &s->waiting_outbox);
        return false;
    }
    event->outbox.rows = s->outbox_rows;
    event->outbox.count = count;
    return true;
}

static int state_entry(void *ctx, uint64_t key, struct bytes value) {
    struct simulation *s = ctx;
    if (ARRAY_RESERVE(s->entries, s->entry_capacity, s->entry_count + 1) != 0) {
        return PORT_NO_MEMORY;
    }
    s->entries[s->entry_count++] = (struct state_entry){key, value};
    return 0;
}

static void read_state(struct simulation *s, uint32_t actor, const struct effect *effect,
                       struct event *event) {
    s->entry_count = 0;
    event->error = s->ports.state.ops->load(
        s->ports.state.ctx, s->now, effect->load_state.group, effect->load_state.partition,
        effect->load_state.generation, &event->state.offsets, state_entry, s);
    event->state.entries = s->entries;
    event->state.count = s->entry_count;
    if (event->error == PORT_OK) {
        deployment_loaded(s, actor, effect->load_state.partition);
    }
}

static int scan_chunk(struct simulation *s, const struct effect *effect, uint64_t first,
                      size_t *count) {
    struct simulation_ports *p = &s->ports;
    uint64_t last = effect->scan.last;
    switch (effect->scan.store) {
    case SCAN_OLTP:
        return p->oltp.ops->scan(p->oltp.ctx, s->now, first, last, s->scan_rows, SCAN_CHUNK, count);
    case SCAN_GOLD:
        if (effect->scan.rebuilt) {
            return p->warehouse.ops->scan_rebuilt(p->warehouse.ctx, s->now, first, last,
                                                  s->scan_rows, SCAN_CHUNK, count);
        }
        return p->warehouse.ops->scan(p->warehouse.ctx, s->now, first, last, s->scan_rows,
                                      SCAN_CHUNK, count);
    case SCAN_KEYWORD:
        return p->keywords.ops->scan(p->keywords.ctx, s->now, effect->scan.path, first, last,
                                     s->scan_rows, SCAN_CHUNK, count);
    default:
        return p->vectors.ops->scan(p->vectors.ctx, s->now,
                                    (enum modality)(effect->scan.store - SCAN_VECTOR_TEXT),
                                    effect->scan.model_version, effect->scan.path, first, last,
                                    s->scan_rows, SCAN_CHUNK, count);
    }
}

static bool page_full(const struct effect *effect) {
    return effect->scan.page && effect->scan.count == effect->scan.max;
}

/* Takes over the rows of a chunk: all into the digest, the first ones as rows. */
static void scan_take(struct simulation *s, struct effect *effect, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (page_full(effect)) {
            effect->scan.complete = false;
            return;
        }
        scan_digest_add(&effect->scan.digest, effect->scan.store, &s->scan_rows[i]);
        if (effect->scan.count < effect->scan.max) {
            effect->scan.rows[effect->scan.count++] = s->scan_rows[i];
        } else {
            effect->scan.complete = false;
        }
    }
}

/* Rows of a full chunk without its last listing, whose further rows may not have fit; all rows when
 * they are of one listing alone. */
static size_t whole_listings(const struct scan_row *rows, size_t count) {
    size_t whole = count;
    while (whole > 0 && rows[whole - 1].listing_id == rows[count - 1].listing_id) {
        whole--;
    }
    return whole > 0 ? whole : count;
}

static void read_scan(struct simulation *s, struct effect *effect, struct event *event) {
    if (s->scan_rows == NULL) {
        s->scan_rows = malloc(SCAN_CHUNK * sizeof *s->scan_rows);
        if (s->scan_rows == NULL) {
            event->error = PORT_NO_MEMORY;
            return;
        }
    }
    memset(&effect->scan.digest, 0, sizeof effect->scan.digest);
    effect->scan.count = 0;
    effect->scan.complete = true;
    uint64_t first = effect->scan.first;
    size_t count;
    do {
        count = 0;
        event->error = scan_chunk(s, effect, first, &count);
        if (event->error != PORT_OK) {
            return;
        }
        size_t whole = count < SCAN_CHUNK ? count : whole_listings(s->scan_rows, count);
        scan_take(s, effect, whole);
        first = whole == 0 ? first : s->scan_rows[whole - 1].listing_id + 1;
        if (page_full(effect)) {
            effect->scan.complete = effect->scan.complete && count < SCAN_CHUNK;
            return;
        }
    } while (count == SCAN_CHUNK && first != 0);
}

static int read_vectors(struct simulation *s, struct effect *effect) {
    const struct vector_port *vectors = &s->ports.vectors;
    return vectors->ops->read(vectors->ctx, s->now, effect->read.modality,
                              effect->read.model_version, effect->read.listing_ids,
                              effect->read.count, effect->read.vectors, effect->read.found);
}

static int read_search(struct simulation *s, struct effect *effect) {
    const struct vector_port *vectors = &s->ports.vectors;
    size_t dimension = modality_dimension(effect->search.modality);
    for (size_t i = 0; i < effect->search.count; i++) {
        int error = vectors->ops->search(
            vectors->ctx, s->now, effect->search.modality, effect->search.model_version,
            effect->search.queries + i * dimension, effect->search.k, effect->search.ef,
            effect->search.exact, NULL, effect->search.hits + i * effect->search.k,
            &effect->search.hit_counts[i]);
        if (error != PORT_OK) {
            return error;
        }
    }
    return PORT_OK;
}

static int read_sales(struct simulation *s, const struct effect *effect, struct event *event) {
    const struct warehouse_port *warehouse = &s->ports.warehouse;
    if (ARRAY_RESERVE(s->sales_rows, s->sales_capacity, effect->sales.max) != 0) {
        return PORT_NO_MEMORY;
    }
    event->sales.rows = s->sales_rows;
    if (effect->sales.oltp) {
        const struct books_port *books = &s->ports.books;
        return books->ops->read_sales(books->ctx, s->now, effect->sales.from, effect->sales.to,
                                      effect->sales.skip, s->sales_rows, effect->sales.max,
                                      &event->sales.count);
    }
    return warehouse->ops->read_sales(warehouse->ctx, s->now, effect->sales.rebuilt,
                                      effect->sales.from, effect->sales.to, effect->sales.skip,
                                      s->sales_rows, effect->sales.max, &event->sales.count);
}

/* ---- Deliveries ---- */

void carrier_deliver(struct simulation *s, struct flight *flight) {
    struct event event = {
        .kind = flight->event, .now = s->now, .error = flight->error, .answered = flight->effect};
    struct effect *effect = flight->effect;
    s->caller = flight->actor;
    s->caller_incarnation = flight->incarnation;
    switch (flight->event) {
    case EVENT_START:
        break;
    case EVENT_TIMER:
        event.timer = flight->timer;
        break;
    case EVENT_COMMAND:
        event.command.kind = flight->command;
        event.command.level = flight->command == COMMAND_FINALISE ? flight->generation : 0;
        if (effect != NULL) {
            event.command.store = effect->listings.store;
            event.command.model_version = effect->listings.model_version;
            event.command.listing_ids = effect->listings.listing_ids;
            event.command.count = effect->listings.count;
        }
        event.answered = NULL;
        break;
    case EVENT_ASSIGNED:
        event.assigned.generation = flight->generation;
        event.assigned.partitions = flight->partitions;
        event.assigned.count = flight->partition_count;
        event.answered = NULL;
        break;
    case EVENT_RECORDS:
        if (!read_log(s, flight, &event)) {
            s->caller = SIMULATION_ACTOR_NONE;
            return;
        }
        break;
    case EVENT_OUTBOX:
        if (!read_outbox(s, flight, &event)) {
            s->caller = SIMULATION_ACTOR_NONE;
            return;
        }
        break;
    case EVENT_STATE:
        read_state(s, flight->actor, effect, &event);
        break;
    case EVENT_SCANNED:
        read_scan(s, effect, &event);
        break;
    case EVENT_OBSERVED:
        simulation_find_laggards(s);
        event.observed.feeds = s->feeds;
        event.observed.count = TOPIC_COUNT;
        break;
    case EVENT_VECTORS:
        event.error = read_vectors(s, effect);
        break;
    case EVENT_FOUND:
        event.error = read_search(s, effect);
        break;
    case EVENT_SALES:
        event.error = read_sales(s, effect, &event);
        break;
    default:
        break;
    }
    s->caller = SIMULATION_ACTOR_NONE;
    note_error(s, event.error);
    if (s->out_of_memory) {
        flight_free(s, flight);
        return;
    }
    uint32_t actor = flight->actor;
    bool rejoin = flight->rejoin;
    if (event.answered != NULL) {
        event.request = effect->request;
        carrier_note_answer(s, &event);
    }
    simulation_step(s, actor, &event, flight);
    if (rejoin) {
        simulation_rejoin(s, actor);
    }
}

/* ---- Statements ---- */

/* Every builder hears of a repair; the owner of each listing carries it out. */
static void send_repair(struct simulation *s, const struct effect *repair) {
    for (uint32_t i = 0; i < s->actor_count; i++) {
        if (s->actors[i].kind != MACHINE_BUILDER || s->actors[i].machine == NULL) {
            continue;
        }
        struct effects effects;
        effects_init(&effects, &s->pool);
        size_t size = repair->listings.count * sizeof(uint64_t);
        struct effect *copy = effects_add(&effects, EFFECT_REPAIR, 0, size);
        uint64_t *ids = copy == NULL ? NULL : effect_alloc(&effects, copy, size);
        struct flight *flight = ids == NULL ? NULL : flight_new(s, i, EVENT_COMMAND, copy);
        if (flight == NULL) {
            s->out_of_memory = true;
            if (copy != NULL) {
                effect_release(&s->pool, copy);
            }
            return;
        }
        memcpy(ids, repair->listings.listing_ids, size);
        copy->listings.listing_ids = ids;
        copy->listings.count = repair->listings.count;
        copy->listings.store = repair->listings.store;
        copy->listings.model_version = repair->listings.model_version;
        flight->command = repair->listings.anew ? COMMAND_REMAKE : COMMAND_REPAIR;
        int64_t travel = latency_model_draw_ns(&s->latencies[EFFECT_PRODUCE], &s->latency);
        flight_push(s, vtime_add(s->now, travel), KIND_DELIVER + EVENT_COMMAND, flight);
    }
}

static void arm_timer(struct simulation *s, uint32_t actor, const struct effect *effect) {
    struct flight *flight = flight_new(s, actor, EVENT_TIMER, NULL);
    if (flight != NULL) {
        flight->timer = effect->timer.id;
        flight_push(s, effect->timer.at, KIND_DELIVER + EVENT_TIMER, flight);
    }
}

void carrier_state(struct simulation *s, uint32_t actor, struct effect *effect) {
    carrier_note_statement(s, effect);
    s->caller = actor;
    s->caller_incarnation = s->actors[actor].incarnation;
    switch (effect->kind) {
    case EFFECT_TIMER:
        arm_timer(s, actor, effect);
        break;
    case EFFECT_COMMIT:
        /* A fenced commit is no news to the machine: its next checkpoint is fenced too. */
        s->ports.log.ops->commit(s->ports.log.ctx, s->now, effect->commit.group,
                                 s->actors[actor].member, effect->commit.generation,
                                 effect->commit.topic, effect->commit.partition,
                                 effect->commit.offset);
        break;
    case EFFECT_TRIM_OUTBOX:
        note_error(
            s, s->ports.oltp.ops->outbox_trim(s->ports.oltp.ctx, s->now, effect->trim_sequence));
        break;
    case EFFECT_REPAIR:
        send_repair(s, effect);
        break;
    case EFFECT_ALERT:
        simulation_tell_alert(s, effect->alert.name, effect->alert.subject, effect->alert.state,
                              effect->alert.evidence);
        break;
    case EFFECT_REPORT:
        if (s->listener.reconciled != NULL) {
            s->listener.reconciled(s->listener.ctx, s->now, &effect->report);
        }
        if (s->observer.reconciled != NULL) {
            s->observer.reconciled(s->observer.ctx, s->now, &effect->report);
        }
        break;
    case EFFECT_BATCH_REPORT:
        if (s->observer.batch_made != NULL) {
            s->observer.batch_made(s->observer.ctx, s->now, &effect->batch);
        }
        break;
    default:
        assert(0 && "not a statement");
    }
    s->caller = SIMULATION_ACTOR_NONE;
}
