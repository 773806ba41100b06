/*
 * What happens to brokers and to groups by themselves: leaders change and lose records, retention
 * overtakes readers, members come and go, commits get lost.
 */
#include "faults/injector_parts.h"

#include <stdlib.h>
#include <string.h>

#include "pipeline/array.h"

/* How long a partition has no leader, unless the fault says. */
#define ELECTION_NS (5 * VTIME_SECOND)
/* So long after it went, requests come in that were sent to a leader. */
#define UNDER_WAY_NS (2 * VTIME_SECOND)

/* ---- Leaders ---- */

/* A partition of a topic; one draw. */
static uint32_t some_partition(struct injector *in, struct armed *armed) {
    uint32_t count = fake_kafka_partitions(simulation_kafka(in->simulation), armed->fault.feed);
    return (uint32_t)prng_below(&armed->stream, count);
}

/* The first record that a follower which is so far behind does not have. */
static int64_t follower_end(const struct fake_kafka *k, enum topic_id topic, uint32_t partition,
                            vtime behind) {
    struct fake_kafka_partition log = fake_kafka_partition(k, topic, partition);
    int64_t end = log.end;
    while (end > log.start) {
        const struct log_record *record = fake_kafka_record(k, topic, partition, end - 1);
        if (record != NULL && !vtime_before(behind, record->append)) {
            break;
        }
        end--;
    }
    return end;
}

static void elected(void *ctx, vtime now, uint64_t arg) {
    struct injector *in = ctx;
    struct fake_kafka *k = simulation_kafka(in->simulation);
    enum topic_id topic = (enum topic_id)(arg >> 32);
    uint32_t partition = (uint32_t)arg;
    struct fake_kafka_partition log = fake_kafka_partition(k, topic, partition);
    if (log.online) {
        return; /* the run healed meanwhile */
    }
    fake_kafka_set_online(k, topic, partition, true);
    if (fake_kafka_truncate(k, now, topic, partition, log.end) != PORT_OK) {
        in->out_of_memory = true;
    }
}

/* The leader goes; when another is elected, the partition is there again. What a lagging follower
 * does not have is gone from then on. */
static void leader_goes(struct injector *in, struct armed *armed, uint32_t partition, vtime now) {
    struct fake_kafka *k = simulation_kafka(in->simulation);
    enum topic_id topic = armed->fault.feed;
    bool unclean = armed->fault.kind == FAULT_UNCLEAN_LEADER;
    int64_t lag_ns = unclean ? prng_range(&armed->stream, 1, armed->fault.delay_ns) : 0;
    struct fake_kafka_partition log = fake_kafka_partition(k, topic, partition);
    if (!log.online) {
        return;
    }
    int64_t end = unclean ? follower_end(k, topic, partition, vtime_add(now, -lag_ns)) : log.end;
    if (unclean && end == log.end) {
        return; /* it has everything */
    }
    vtime until = vtime_add(now, injector_down_ns(armed, ELECTION_NS));
    injector_note(in, armed, PASS_BROKER, now, until);
    if (unclean && fake_kafka_truncate(k, now, topic, partition, end) != PORT_OK) {
        in->out_of_memory = true;
    }
    armed->cut = partition;
    armed->cut_until = unclean ? now : vtime_add(now, UNDER_WAY_NS);
    fake_kafka_set_online(k, topic, partition, false);
    if (simulation_schedule(in->simulation, until, "leader-elected", partition, elected, in,
                            (uint64_t)topic << 32 | partition) != 0) {
        in->out_of_memory = true;
    }
}

void injector_produce_begins(struct injector *in, vtime now) {
    for (size_t i = 0; i < in->count; i++) {
        struct armed *armed = &in->armed[i];
        if (armed->fault.kind == FAULT_LEADER_CHANGE && vtime_before(now, armed->cut_until)) {
            armed->cut_written = prng_ratio(&armed->stream, 1, 2);
        }
    }
}

bool injector_cut_off(struct injector *in, vtime now, const struct producer_mark *mark,
                      const struct produce_item *item, struct produce_result *result, int *error) {
    struct fake_kafka *k = simulation_kafka(in->simulation);
    const struct log_port *log = &in->inner.log;
    uint32_t partition = topic_partition(item->key, fake_kafka_partitions(k, item->topic));
    for (size_t i = 0; i < in->count; i++) {
        const struct armed *armed = &in->armed[i];
        if (armed->fault.kind != FAULT_LEADER_CHANGE || armed->fault.feed != item->topic ||
            armed->cut != partition || !vtime_before(now, armed->cut_until) ||
            fake_kafka_partition(k, item->topic, partition).online) {
            continue;
        }
        if (armed->cut_written) {
            fake_kafka_set_online(k, item->topic, partition, true);
            *error = log->ops->produce_as(log->ctx, now, mark, item, 1, result);
            fake_kafka_set_online(k, item->topic, partition, false);
        }
        *result = (struct produce_result){
            .status = ITEM_UNKNOWN, .partition = partition, .offset = FAKE_KAFKA_NO_OFFSET};
        return true;
    }
    return false;
}

static void retention_strikes(struct injector *in, struct armed *armed, uint32_t partition,
                              vtime now) {
    struct fake_kafka *k = simulation_kafka(in->simulation);
    struct fake_kafka_partition log = fake_kafka_partition(k, armed->fault.feed, partition);
    if (log.start == log.end) {
        return;
    }
    injector_note(in, armed, PASS_BROKER, now, now);
    fake_kafka_delete_records(k, armed->fault.feed, partition, log.end);
}

/* The broker's memory goes; it counts where there was something in it. */
static void memory_goes(struct injector *in, struct armed *armed, uint32_t partition, vtime now) {
    struct fake_kafka *k = simulation_kafka(in->simulation);
    size_t forgotten = armed->fault.kind == FAULT_PRODUCERS_FORGOTTEN
                           ? fake_kafka_forget_producers(k, armed->fault.feed, partition)
                           : fake_kafka_group_forget(k, machine_group(armed->fault.worker));
    if (forgotten > 0) {
        injector_note(in, armed, PASS_BROKER, now, now);
    }
}

static void befall(struct injector *in, struct armed *armed, uint32_t partition, vtime now) {
    switch (armed->fault.kind) {
    case FAULT_LEADER_CHANGE:
    case FAULT_UNCLEAN_LEADER:
        leader_goes(in, armed, partition, now);
        break;
    case FAULT_EARLY_RETENTION:
        retention_strikes(in, armed, partition, now);
        break;
    default:
        memory_goes(in, armed, partition, now);
        break;
    }
}

static void broker_misfortune(void *ctx, vtime now, uint64_t index) {
    struct injector *in = ctx;
    struct armed *armed = &in->armed[index];
    if (injector_is_over(in, armed, now)) {
        return;
    }
    in->passed[PASS_BROKER]++;
    uint32_t partition =
        armed->fault.kind == FAULT_COMMITS_FORGOTTEN ? 0 : some_partition(in, armed);
    if (injector_in_window(in, armed, now)) {
        befall(in, armed, partition, now);
    }
    injector_broker_arm(in, armed, now);
}

bool injector_strikes_brokers(enum fault_kind kind) {
    return kind == FAULT_LEADER_CHANGE || kind == FAULT_UNCLEAN_LEADER ||
           kind == FAULT_EARLY_RETENTION || kind == FAULT_PRODUCERS_FORGOTTEN ||
           kind == FAULT_COMMITS_FORGOTTEN;
}

void injector_broker_arm(struct injector *in, struct armed *armed, vtime now) {
    vtime at = vtime_add(now, prng_exponential_ns(&armed->stream, armed->fault.every_ns));
    uint64_t index = (uint64_t)(armed - in->armed);
    if (simulation_schedule(in->simulation, at, "broker-fault", index, broker_misfortune, in,
                            index) != 0) {
        in->out_of_memory = true;
    }
}

void injector_brokers_heal(struct injector *in, vtime now) {
    struct fake_kafka *k = simulation_kafka(in->simulation);
    for (int topic = 0; topic < TOPIC_COUNT; topic++) {
        for (uint32_t p = 0; p < fake_kafka_partitions(k, (enum topic_id)topic); p++) {
            if (!fake_kafka_partition(k, (enum topic_id)topic, p).online) {
                elected(in, now, (uint64_t)topic << 32 | p);
            }
        }
    }
}

/* ---- Commits ---- */

/* A commit that comes once more. */
struct late_commit {
    struct injector *injector;
    struct armed *armed;
    const char *group;
    uint32_t member, generation, partition;
    enum topic_id topic;
    int64_t offset;
    size_t place; /* among those that are on their way */
};

/* The group's committed offset is another one. */
static bool is_news(const struct injector *in, const char *group, enum topic_id topic,
                    uint32_t partition, int64_t offset) {
    return fake_kafka_group_committed(simulation_kafka(in->simulation), group, topic, partition) !=
           offset;
}

static void late_commit_forget(struct late_commit *commit) {
    struct injector *in = commit->injector;
    struct late_commit *last = in->late_commits[--in->late_commit_count];
    last->place = commit->place;
    in->late_commits[commit->place] = last;
    free(commit);
}

/* By whoever is the member by then: the client kept the offset and commits it after it got the
 * partition, or another one, once more. */
static void late_commit_due(void *ctx, vtime now, uint64_t arg) {
    struct late_commit *commit = ctx;
    struct injector *in = commit->injector;
    (void)arg;
    struct fake_kafka *k = simulation_kafka(in->simulation);
    const struct log_port *log = &in->inner.log;
    bool moves = is_news(in, commit->group, commit->topic, commit->partition, commit->offset);
    int error = log->ops->commit(log->ctx, now, commit->group, commit->member,
                                 fake_kafka_group_generation(k, commit->group), commit->topic,
                                 commit->partition, commit->offset);
    if (error == PORT_OK && moves) {
        injector_note(in, commit->armed, PASS_COMMIT, now, now);
    }
    late_commit_forget(commit);
}

static void commit_again(struct injector *in, vtime at, const struct late_commit *what) {
    struct late_commit *commit = malloc(sizeof *commit);
    if (commit == NULL ||
        ARRAY_RESERVE(in->late_commits, in->late_commit_capacity, in->late_commit_count + 1) != 0) {
        free(commit);
        in->out_of_memory = true;
        return;
    }
    *commit = *what;
    commit->place = in->late_commit_count;
    in->late_commits[in->late_commit_count++] = commit;
    if (simulation_schedule(in->simulation, at, "stale-commit", (uint64_t)commit->offset,
                            late_commit_due, commit, 0) != 0) {
        late_commit_forget(commit);
        in->out_of_memory = true;
    }
}

int injector_commit(struct injector *in, vtime now, const char *group, uint32_t member,
                    uint32_t generation, enum topic_id topic, uint32_t partition, int64_t offset) {
    const struct log_port *log = &in->inner.log;
    bool lost = false;
    in->passed[PASS_COMMIT]++;
    for (size_t i = 0; i < in->count; i++) {
        struct armed *armed = &in->armed[i];
        enum fault_kind kind = armed->fault.kind;
        bool commits = kind == FAULT_LOST_COMMITS || kind == FAULT_STALE_COMMITS;
        if (!commits || strcmp(machine_group(armed->fault.worker), group) != 0 ||
            !injector_draws(in, armed, now)) {
            continue;
        }
        if (kind == FAULT_LOST_COMMITS) {
            lost = true;
            if (is_news(in, group, topic, partition, offset)) {
                injector_note(in, armed, PASS_COMMIT, now, now);
            }
        } else {
            vtime at = vtime_add(now, prng_range(&armed->stream, 1, armed->fault.delay_ns));
            commit_again(in, at,
                         &(struct late_commit){.injector = in,
                                               .armed = armed,
                                               .group = group,
                                               .member = member,
                                               .generation = generation,
                                               .partition = partition,
                                               .topic = topic,
                                               .offset = offset});
        }
    }
    return lost ? PORT_OK
                : log->ops->commit(log->ctx, now, group, member, generation, topic, partition,
                                   offset);
}

void injector_brokers_release(struct injector *in) {
    while (in->late_commit_count > 0) {
        late_commit_forget(in->late_commits[0]);
    }
    free(in->late_commits);
}
