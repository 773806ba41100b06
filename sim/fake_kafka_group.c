#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sim/fake_kafka_parts.h"

static struct kafka_group *group_find(const struct fake_kafka *k, const char *name) {
    for (size_t i = 0; i < k->group_count; i++) {
        if (strcmp(k->groups[i].name, name) == 0) {
            return &k->groups[i];
        }
    }
    return NULL;
}

/* Index of the first member whose id is at or above the given one. */
static size_t member_place(const struct kafka_group *g, uint32_t id) {
    size_t i = 0;
    while (i < g->member_count && g->members[i].id < id) {
        i++;
    }
    return i;
}

static struct kafka_member *member_find(const struct kafka_group *g, uint32_t id) {
    size_t i = member_place(g, id);
    return i < g->member_count && g->members[i].id == id ? &g->members[i] : NULL;
}

/* ---- Assignment ---- */

/* How many of the n partitions the member at `place` of the m gets in an even deal. */
static uint32_t even_share(uint32_t n, size_t m, size_t place) {
    return n / (uint32_t)m + (place < n % (uint32_t)m ? 1 : 0);
}

static void assign_range(struct kafka_group *g) {
    uint32_t p = 0;
    for (size_t i = 0; i < g->member_count; i++) {
        for (uint32_t left = even_share(g->partition_count, g->member_count, i); left > 0; left--) {
            g->owners[p++] = g->members[i].id;
        }
    }
}

static uint32_t owned_count(const struct kafka_group *g, uint32_t id) {
    uint32_t n = 0;
    for (uint32_t p = 0; p < g->partition_count; p++) {
        n += g->owners[p] == id;
    }
    return n;
}

/* Takes away what a member owns above `quota`, its highest partitions first. */
static void trim_owned(struct kafka_group *g, uint32_t id, uint32_t quota) {
    uint32_t surplus = owned_count(g, id);
    surplus = surplus > quota ? surplus - quota : 0;
    for (uint32_t p = g->partition_count; p > 0 && surplus > 0; p--) {
        if (g->owners[p - 1] == id) {
            g->owners[p - 1] = FAKE_KAFKA_NOBODY;
            surplus--;
        }
    }
}

/* Gives a member free partitions, the lowest first, until it has `quota`. */
static void fill_owned(struct kafka_group *g, uint32_t id, uint32_t quota) {
    uint32_t have = owned_count(g, id);
    for (uint32_t p = 0; p < g->partition_count && have < quota; p++) {
        if (g->owners[p] == FAKE_KAFKA_NOBODY) {
            g->owners[p] = id;
            have++;
        }
    }
}

/*
 * Even shares are `low` or low + 1. Whoever already owns more than low keeps one more while there
 * are larger shares to give; those left over go to the lowest member numbers. So a partition moves
 * only when its owner is gone or has more than its share.
 */
static void assign_sticky(struct kafka_group *g) {
    uint32_t low = g->partition_count / (uint32_t)g->member_count;
    uint32_t larger = g->partition_count % (uint32_t)g->member_count;
    for (uint32_t p = 0; p < g->partition_count; p++) {
        if (g->owners[p] != FAKE_KAFKA_NOBODY && member_find(g, g->owners[p]) == NULL) {
            g->owners[p] = FAKE_KAFKA_NOBODY;
        }
    }
    for (size_t i = 0; i < g->member_count; i++) {
        uint32_t id = g->members[i].id;
        bool keeps_more = larger > 0 && owned_count(g, id) > low;
        larger -= keeps_more;
        trim_owned(g, id, low + keeps_more);
    }
    for (size_t i = 0; i < g->member_count; i++) {
        uint32_t id = g->members[i].id;
        bool gets_more = larger > 0 && owned_count(g, id) <= low;
        larger -= gets_more;
        fill_owned(g, id, low + gets_more);
    }
}

const char *fake_kafka_protocol_name(enum fake_kafka_protocol protocol) {
    static const char *const names[FAKE_KAFKA_PROTOCOL_COUNT] = {"instant", "eager", "cooperative"};
    assert(protocol < FAKE_KAFKA_PROTOCOL_COUNT);
    return names[protocol];
}

static void nobody_owns(struct kafka_group *g) {
    for (uint32_t p = 0; p < g->partition_count; p++) {
        g->owners[p] = FAKE_KAFKA_NOBODY;
    }
}

static void assign(const struct fake_kafka *k, struct kafka_group *g) {
    if (g->member_count == 0) {
        nobody_owns(g);
    } else if (k->assignor == FAKE_KAFKA_STICKY) {
        assign_sticky(g);
    } else {
        assign_range(g);
    }
}

/* The next generation: everybody is told. */
static void generation_begin(struct kafka_group *g) {
    assert(g->generation < UINT32_MAX);
    g->generation++;
    for (size_t i = 0; i < g->member_count; i++) {
        g->members[i].change_pending = true;
    }
}

/* Everybody has joined again: the partitions are dealt. */
static void group_complete(const struct fake_kafka *k, struct kafka_group *g) {
    for (size_t i = 0; i < g->member_count && g->preparing; i++) {
        if (g->members[i].waited_for) {
            return;
        }
    }
    if (!g->preparing) {
        return;
    }
    g->preparing = false;
    if (k->protocol == FAKE_KAFKA_COOPERATIVE) {
        memcpy(g->owners, g->targets, g->partition_count * sizeof *g->owners);
        memcpy(g->holders, g->targets, g->partition_count * sizeof *g->owners);
    } else {
        assign(k, g);
    }
    generation_begin(g);
}

/* Everybody who had joined before gives up everything. */
static void revoke_all(struct kafka_group *g, uint32_t joining) {
    nobody_owns(g);
    for (size_t i = 0; i < g->member_count; i++) {
        g->members[i].waited_for = g->members[i].id != joining;
        g->preparing = g->preparing || g->members[i].waited_for;
    }
}

/* Those who have to give something up to another member do so. What somebody was told to give up
 * and has not yet, since the membership changed again meanwhile, nobody gets before it has. */
static void revoke_moving(const struct fake_kafka *k, struct kafka_group *g, uint32_t joining) {
    assign(k, g);
    memcpy(g->targets, g->owners, g->partition_count * sizeof *g->owners);
    for (size_t i = 0; i < g->member_count; i++) {
        g->members[i].waited_for = false;
    }
    for (uint32_t p = 0; p < g->partition_count; p++) {
        bool held = g->holders[p] != FAKE_KAFKA_NOBODY && g->holders[p] != joining;
        struct kafka_member *holder = held ? member_find(g, g->holders[p]) : NULL;
        if (holder != NULL && holder->id != g->targets[p]) {
            g->owners[p] = FAKE_KAFKA_NOBODY;
            holder->waited_for = true;
            g->preparing = true;
        } else {
            g->holders[p] = g->owners[p];
        }
    }
}

/* The membership changed, since that member joined, or (NOBODY) somebody left: the next generation.
 */
static void group_rebalance(const struct fake_kafka *k, struct kafka_group *g, uint32_t joining) {
    g->preparing = false;
    if (g->member_count == 0 || k->protocol == FAKE_KAFKA_INSTANT) {
        assign(k, g);
    } else if (k->protocol == FAKE_KAFKA_EAGER) {
        revoke_all(g, joining);
    } else {
        revoke_moving(k, g, joining);
    }
    generation_begin(g);
    if (k->protocol == FAKE_KAFKA_EAGER && !g->preparing) {
        assign(k, g);
    }
}

/* ---- Membership ---- */

static void member_remove(struct kafka_group *g, size_t place) {
    g->member_count--;
    memmove(g->members + place, g->members + place + 1,
            (g->member_count - place) * sizeof *g->members);
}

static bool member_insert(struct kafka_group *g, uint32_t id) {
    if (g->member_count == g->member_capacity) {
        size_t capacity = g->member_capacity == 0 ? 4 : 2 * g->member_capacity;
        struct kafka_member *grown = realloc(g->members, capacity * sizeof *grown);
        if (grown == NULL) {
            return false;
        }
        g->members = grown;
        g->member_capacity = capacity;
    }
    size_t place = member_place(g, id);
    memmove(g->members + place + 1, g->members + place,
            (g->member_count - place) * sizeof *g->members);
    g->members[place] = (struct kafka_member){.id = id, .deadline = VTIME_NEVER};
    g->member_count++;
    return true;
}

/* One rebalance for each member evicted, in order of deadline and then of number: a coordinator
 * sees them one after the other. */
static void group_evict(const struct fake_kafka *k, struct kafka_group *g, vtime now) {
    for (;;) {
        size_t first = g->member_count;
        for (size_t i = 0; i < g->member_count; i++) {
            vtime deadline = g->members[i].deadline;
            bool due = !vtime_before(now, deadline);
            if (due &&
                (first == g->member_count || vtime_before(deadline, g->members[first].deadline))) {
                first = i;
            }
        }
        if (first == g->member_count) {
            return;
        }
        member_remove(g, first);
        group_rebalance(k, g, FAKE_KAFKA_NOBODY);
    }
}

/* The group with the verdicts due by now carried out, or NULL. */
static struct kafka_group *group_at(struct fake_kafka *k, vtime now, const char *name) {
    struct kafka_group *g = group_find(k, name);
    if (g != NULL) {
        group_evict(k, g, now);
    }
    return g;
}

/* ---- Life of a group ---- */

static void group_release(struct kafka_group *g) {
    free(g->name);
    free(g->members);
    free(g->owners);
    free(g->targets);
    free(g->holders);
    free(g->assigned);
    for (size_t i = 0; i < TOPIC_COUNT; i++) {
        free(g->committed[i]);
    }
}

static uint32_t copartitioned_count(const struct fake_kafka *k, unsigned topics) {
    assert(topics != 0 && topics < (1u << TOPIC_COUNT));
    uint32_t n = 0;
    for (unsigned i = 0; i < TOPIC_COUNT; i++) {
        if ((topics & (1u << i)) != 0) {
            assert(n == 0 || n == k->topics[i].partition_count);
            n = k->topics[i].partition_count;
        }
    }
    return n;
}

/* Room for offsets of every topic: a group may commit for a topic that it does not subscribe to. */
static bool group_init(const struct fake_kafka *k, struct kafka_group *g, const char *name) {
    *g = (struct kafka_group){0};
    size_t len = strlen(name) + 1;
    g->name = malloc(len);
    bool done = g->name != NULL;
    if (done) {
        memcpy(g->name, name, len);
    }
    for (size_t i = 0; i < TOPIC_COUNT && done; i++) {
        uint32_t n = k->topics[i].partition_count;
        g->committed[i] = malloc(n * sizeof *g->committed[i]);
        done = g->committed[i] != NULL;
        for (uint32_t p = 0; p < n && done; p++) {
            g->committed[i][p] = FAKE_KAFKA_NO_OFFSET;
        }
    }
    if (!done) {
        group_release(g);
    }
    return done;
}

static struct kafka_group *group_create(struct fake_kafka *k, const char *name) {
    if (k->group_count == k->group_capacity) {
        size_t capacity = k->group_capacity == 0 ? 4 : 2 * k->group_capacity;
        struct kafka_group *grown = realloc(k->groups, capacity * sizeof *grown);
        if (grown == NULL) {
            return NULL;
        }
        k->groups = grown;
        k->group_capacity = capacity;
    }
    if (!group_init(k, &k->groups[k->group_count], name)) {
        return NULL;
    }
    return &k->groups[k->group_count++];
}

/* What an empty group reads is settled by whoever joins it first. */
static bool group_subscribe(const struct fake_kafka *k, struct kafka_group *g, unsigned topics) {
    if (g->member_count > 0) {
        assert(g->topics == topics);
        return true;
    }
    uint32_t n = copartitioned_count(k, topics);
    if (n != g->partition_count) {
        g->partition_count = 0;
        uint32_t **const each[] = {&g->owners, &g->targets, &g->holders, &g->assigned};
        for (size_t i = 0; i < sizeof each / sizeof *each; i++) {
            uint32_t *grown = realloc(*each[i], n * sizeof *grown);
            if (grown == NULL) {
                return false;
            }
            *each[i] = grown;
        }
        g->partition_count = n;
        for (uint32_t p = 0; p < n; p++) {
            g->owners[p] = g->holders[p] = FAKE_KAFKA_NOBODY;
        }
    }
    g->topics = topics;
    return true;
}

void fake_kafka_groups_release(struct fake_kafka *k) {
    for (size_t i = 0; i < k->group_count; i++) {
        group_release(&k->groups[i]);
    }
    free(k->groups);
}

/* ---- What members and the host say ---- */

int fake_kafka_group_join(struct fake_kafka *k, vtime now, const char *group, uint32_t member,
                          unsigned topics) {
    assert(member != FAKE_KAFKA_NOBODY);
    struct kafka_group *g = group_at(k, now, group);
    if (g == NULL) {
        g = group_create(k, group);
    }
    if (g == NULL || !group_subscribe(k, g, topics)) {
        return PORT_NO_MEMORY;
    }
    struct kafka_member *m = member_find(g, member);
    if (m != NULL) {
        m->deadline = VTIME_NEVER;
    } else if (!member_insert(g, member)) {
        return PORT_NO_MEMORY;
    }
    group_rebalance(k, g, member);
    return 0;
}

void fake_kafka_group_leave(struct fake_kafka *k, vtime now, const char *group, uint32_t member) {
    struct kafka_group *g = group_at(k, now, group);
    if (g == NULL || member_find(g, member) == NULL) {
        return;
    }
    member_remove(g, member_place(g, member));
    group_rebalance(k, g, FAKE_KAFKA_NOBODY);
}

static vtime verdict_after(struct fake_kafka *k, vtime now, const char *group, uint32_t member,
                           int64_t timeout_ns) {
    struct kafka_group *g = group_at(k, now, group);
    struct kafka_member *m = g == NULL ? NULL : member_find(g, member);
    if (m == NULL) {
        return VTIME_NEVER;
    }
    if (m->deadline.ns == VTIME_NEVER.ns) {
        m->deadline = vtime_add(now, timeout_ns);
    }
    return m->deadline;
}

vtime fake_kafka_group_silence(struct fake_kafka *k, vtime now, const char *group,
                               uint32_t member) {
    return verdict_after(k, now, group, member, k->session_timeout_ns);
}

vtime fake_kafka_group_stall(struct fake_kafka *k, vtime now, const char *group, uint32_t member) {
    return verdict_after(k, now, group, member, k->poll_timeout_ns);
}

void fake_kafka_group_rejoin(struct fake_kafka *k, vtime now, const char *group, uint32_t member) {
    struct kafka_group *g = group_at(k, now, group);
    struct kafka_member *m = g == NULL ? NULL : member_find(g, member);
    if (m != NULL) {
        m->waited_for = false;
        for (uint32_t p = 0; p < g->partition_count; p++) {
            bool given_up = g->holders[p] == member && g->owners[p] != member;
            g->holders[p] = given_up ? FAKE_KAFKA_NOBODY : g->holders[p];
        }
        group_complete(k, g);
    }
}

size_t fake_kafka_group_forget(struct fake_kafka *k, const char *group) {
    struct kafka_group *g = group_find(k, group);
    size_t forgotten = 0;
    for (size_t i = 0; g != NULL && i < TOPIC_COUNT; i++) {
        for (uint32_t p = 0; p < k->topics[i].partition_count; p++) {
            forgotten += g->committed[i][p] != FAKE_KAFKA_NO_OFFSET;
            g->committed[i][p] = FAKE_KAFKA_NO_OFFSET;
        }
    }
    return forgotten;
}

int fake_kafka_group_speak(struct fake_kafka *k, vtime now, const char *group, uint32_t member) {
    struct kafka_group *g = group_at(k, now, group);
    struct kafka_member *m = g == NULL ? NULL : member_find(g, member);
    if (m == NULL) {
        return PORT_FENCED;
    }
    m->deadline = VTIME_NEVER;
    return 0;
}

vtime fake_kafka_group_check(struct fake_kafka *k, vtime now) {
    vtime next = VTIME_NEVER;
    for (size_t i = 0; i < k->group_count; i++) {
        struct kafka_group *g = &k->groups[i];
        group_evict(k, g, now);
        for (size_t j = 0; j < g->member_count; j++) {
            if (vtime_before(g->members[j].deadline, next)) {
                next = g->members[j].deadline;
            }
        }
    }
    return next;
}

static void change_fill(const struct kafka_group *g, uint32_t member,
                        struct fake_kafka_change *out) {
    *out = (struct fake_kafka_change){.group = g->name,
                                      .member = member,
                                      .generation = g->generation,
                                      .partitions = g->assigned,
                                      .rejoin = g->preparing && member_find(g, member)->waited_for};
    for (uint32_t p = 0; p < g->partition_count; p++) {
        if (g->owners[p] == member) {
            g->assigned[out->count++] = p;
        }
    }
}

bool fake_kafka_group_next_change(struct fake_kafka *k, struct fake_kafka_change *out) {
    for (size_t i = 0; i < k->group_count; i++) {
        struct kafka_group *g = &k->groups[i];
        for (size_t j = 0; j < g->member_count; j++) {
            struct kafka_member *m = &g->members[j];
            if (m->change_pending && m->deadline.ns == VTIME_NEVER.ns) {
                m->change_pending = false;
                change_fill(g, m->id, out);
                return true;
            }
        }
    }
    return false;
}

int fake_kafka_commit(void *ctx, vtime now, const char *group, uint32_t member, uint32_t generation,
                      enum topic_id topic, uint32_t partition, int64_t offset) {
    struct fake_kafka *k = ctx;
    struct kafka_group *g = group_at(k, now, group);
    struct kafka_member *m = g == NULL ? NULL : member_find(g, member);
    if (m == NULL || generation != g->generation) {
        return PORT_FENCED;
    }
    if ((unsigned)topic >= TOPIC_COUNT || partition >= k->topics[topic].partition_count) {
        return PORT_NOT_FOUND;
    }
    assert(offset >= 0);
    /* The coordinator takes a commit for a sign of life, as it does a heartbeat. */
    if (m->deadline.ns != VTIME_NEVER.ns) {
        m->deadline = vtime_add(now, k->session_timeout_ns);
    }
    g->committed[topic][partition] = offset;
    return 0;
}

int fake_kafka_committed(void *ctx, vtime now, const char *group, enum topic_id topic,
                         uint32_t partition, int64_t *offset) {
    struct fake_kafka *k = ctx;
    const struct kafka_group *g = group_at(k, now, group);
    bool there = (unsigned)topic < TOPIC_COUNT && partition < k->topics[topic].partition_count;
    if (g == NULL || !there || g->committed[topic][partition] == FAKE_KAFKA_NO_OFFSET) {
        return PORT_NOT_FOUND;
    }
    *offset = g->committed[topic][partition];
    return 0;
}

/* ---- What can be seen ---- */

uint32_t fake_kafka_group_generation(const struct fake_kafka *k, const char *group) {
    const struct kafka_group *g = group_find(k, group);
    return g == NULL ? 0 : g->generation;
}

size_t fake_kafka_group_members(const struct fake_kafka *k, const char *group) {
    const struct kafka_group *g = group_find(k, group);
    return g == NULL ? 0 : g->member_count;
}

uint32_t fake_kafka_group_owner(const struct fake_kafka *k, const char *group, uint32_t partition) {
    const struct kafka_group *g = group_find(k, group);
    return g == NULL || partition >= g->partition_count ? FAKE_KAFKA_NOBODY : g->owners[partition];
}

int64_t fake_kafka_group_committed(const struct fake_kafka *k, const char *group,
                                   enum topic_id topic, uint32_t partition) {
    assert((unsigned)topic < TOPIC_COUNT && partition < k->topics[topic].partition_count);
    const struct kafka_group *g = group_find(k, group);
    return g == NULL ? FAKE_KAFKA_NO_OFFSET : g->committed[topic][partition];
}

int64_t fake_kafka_group_lag(const struct fake_kafka *k, const char *group, enum topic_id topic,
                             uint32_t partition) {
    int64_t committed = fake_kafka_group_committed(k, group, topic, partition);
    const struct kafka_partition *p = &k->topics[topic].partitions[partition];
    int64_t from = committed == FAKE_KAFKA_NO_OFFSET ? p->start : committed;
    return p->end > from ? p->end - from : 0;
}

/* ---- Invariants ---- */

static void group_check(const struct kafka_group *g) {
    for (size_t i = 1; i < g->member_count; i++) {
        assert(g->members[i - 1].id < g->members[i].id);
    }
    for (uint32_t p = 0; p < g->partition_count; p++) {
        bool owned = g->owners[p] != FAKE_KAFKA_NOBODY;
        assert(g->preparing || owned == (g->member_count > 0));
        assert(!owned || member_find(g, g->owners[p]) != NULL);
    }
    for (size_t i = 0; i < g->member_count && !g->preparing; i++) {
        uint32_t low = g->partition_count / (uint32_t)g->member_count;
        uint32_t have = owned_count(g, g->members[i].id);
        assert(have == low || have == low + 1);
    }
}

void fake_kafka_groups_check(const struct fake_kafka *k) {
    for (size_t i = 0; i < k->group_count; i++) {
        group_check(&k->groups[i]);
    }
}
