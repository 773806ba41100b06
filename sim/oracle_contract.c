/*
 * Contracts at ingest (B9, A13): which records of other contract versions than the first, and which
 * of the first where it refuses some of what the wire carries, must come in, which must be refused,
 * and whether a dead letter says why.
 *
 * The operators' registrations are heard as they are appended to the control topic; which of them
 * the pipeline must not accept is told by whoever gave the order. A record that its version
 * accepted when its feed took it must be routed, since contracts only ever allow more. One that was
 * not may come in when the registration comes first, and is refused otherwise. What was refused has
 * to come in by a replay in the end, or its letter to be erased with its listing: until then the
 * run has not settled.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "pipeline/array.h"
#include "pipeline/contract.h"
#include "pipeline/control.h"
#include "pipeline/dead_letter.h"
#include "pipeline/schema.h"
#include "sim/oracle_parts.h"

struct contract_rule {
    enum topic_id feed;
    struct schema schema;
};

/* A registration that an operator ordered. */
struct contract_order {
    uint64_t hash; /* of feed and text */
    bool refused;
    bool heard;
};

/* A record of another version, at its place in a feed. */
struct claim {
    uint64_t event;
    struct bytes value; /* owned */
    bool accepted;      /* by what was registered when its feed took it */
    bool routed;
};

/* What became of an event, over all its copies. */
struct claimed_event {
    bool refused, routed;
};

struct contracts {
    struct contract_rule *rules;
    size_t rule_count, rule_capacity;
    struct contract_order *orders;
    size_t order_count, order_capacity;
    struct id_map claim_index; /* by place */
    struct claim *claims;
    size_t claim_count, claim_capacity;
    struct id_map letter_index; /* claims, by the key of the letter about them */
    struct id_map event_index;
    struct claimed_event *events;
    size_t event_count, event_capacity;
    uint64_t unmended;
};

bool contracts_init(struct oracle *o) {
    o->contracts = calloc(1, sizeof *o->contracts);
    if (o->contracts != NULL) {
        id_map_init(&o->contracts->claim_index);
        id_map_init(&o->contracts->letter_index);
        id_map_init(&o->contracts->event_index);
    }
    return o->contracts != NULL;
}

void contracts_release(struct oracle *o) {
    struct contracts *c = o->contracts;
    for (size_t i = 0; i < c->rule_count; i++) {
        schema_release(&c->rules[i].schema);
    }
    for (size_t i = 0; i < c->claim_count; i++) {
        free((char *)c->claims[i].value.data);
    }
    free(c->rules);
    free(c->orders);
    free(c->claims);
    free(c->events);
    id_map_release(&c->claim_index);
    id_map_release(&c->letter_index);
    id_map_release(&c->event_index);
    free(c);
}

uint64_t contracts_unmended(const struct oracle *o) {
    return o->contracts->unmended;
}

/* ---- Registrations ---- */

static uint64_t order_hash(uint64_t feed, struct bytes text) {
    return XXH3_64bits_withSeed(text.data, text.len, feed);
}

void oracle_registration(struct oracle *o, enum topic_id feed, struct bytes text, bool refused) {
    struct contracts *c = o->contracts;
    if (ARRAY_RESERVE(c->orders, c->order_capacity, c->order_count + 1) != 0) {
        o->out_of_memory = true;
        return;
    }
    c->orders[c->order_count++] = (struct contract_order){order_hash(feed, text), refused, false};
}

void oracle_contract(struct oracle *o, enum topic_id feed, struct bytes text) {
    struct contracts *c = o->contracts;
    struct contract_rule rule = {.feed = feed};
    struct schema carried = {0};
    struct sentence why;
    bool read = schema_parse(text, &rule.schema, &why) == 0 &&
                schema_parse(contract_carried(feed), &carried, &why) == 0;
    bool narrows = read && !schema_allows(&rule.schema, &carried, &why);
    schema_release(&carried);
    if (!read || (narrows && ARRAY_RESERVE(c->rules, c->rule_capacity, c->rule_count + 1) != 0)) {
        o->out_of_memory = true;
        narrows = false;
    }
    if (narrows) {
        c->rules[c->rule_count++] = rule;
    } else {
        schema_release(&rule.schema);
    }
}

/* What the operator who ordered it expects, orders of one text in their order. */
static bool expected_refused(struct contracts *c, uint64_t hash) {
    for (size_t i = 0; i < c->order_count; i++) {
        if (c->orders[i].hash == hash && !c->orders[i].heard) {
            c->orders[i].heard = true;
            return c->orders[i].refused;
        }
    }
    return false;
}

static struct contract_rule *rule_of(struct contracts *c, enum topic_id feed, uint16_t version) {
    for (size_t i = 0; i < c->rule_count; i++) {
        if (c->rules[i].feed == feed && c->rules[i].schema.version == version) {
            return &c->rules[i];
        }
    }
    return NULL;
}

void contracts_control(struct oracle *o, const struct log_record *logged) {
    struct contracts *c = o->contracts;
    struct record record;
    struct record_error error;
    struct sentence why;
    struct contract_rule rule;
    if (record_decode(logged->value, &record, &error) != 0 ||
        record.control.kind != CONTROL_REGISTER ||
        expected_refused(c, order_hash(record.control.id, record.control.text)) ||
        schema_parse(record.control.text, &rule.schema, &why) != 0) {
        return;
    }
    rule.feed = (enum topic_id)record.control.id;
    struct contract_rule *former = rule_of(c, rule.feed, rule.schema.version);
    if (former == NULL && ARRAY_RESERVE(c->rules, c->rule_capacity, c->rule_count + 1) != 0) {
        o->out_of_memory = true;
        schema_release(&rule.schema);
        return;
    }
    if (former != NULL) {
        schema_release(&former->schema);
        *former = rule;
    } else {
        c->rules[c->rule_count++] = rule;
    }
}

/* ---- What a contract says of a record ---- */

struct breach {
    char field[300];
    int64_t actual;
    const char *expects; /* a word that the letter's "expected" must have; NULL: any */
};

/* Every value that a record states, by the name that schemas have for it. */
struct value {
    char name[300];
    enum value_type type;
    int64_t number; /* of an INTEGER */
    struct bytes text;
};

enum { VALUES_OWN = 4 };

static size_t own_values(const struct record *r, struct value values[VALUES_OWN]) {
    const struct {
        const char *name;
        int64_t number;
    } numbers[RECORD_TYPE_END][3] = {
        [RECORD_MEDIA] = {{"image_id", (int64_t)r->image_id}},
        [RECORD_POLICY] = {{"seller_id", (int64_t)r->seller_id}, {"status", r->status}},
        [RECORD_ORDER] = {{"order_id", (int64_t)r->order_id},
                          {"quantity", r->quantity},
                          {"amount", r->amount}},
    };
    size_t count = 0;
    for (size_t i = 0; i < 3 && numbers[r->type][i].name != NULL; i++) {
        values[count] = (struct value){.type = VALUE_INTEGER, .number = numbers[r->type][i].number};
        snprintf(values[count++].name, sizeof values->name, "%s", numbers[r->type][i].name);
    }
    if (r->type == RECORD_MEDIA || r->type == RECORD_ORDER) {
        bool media = r->type == RECORD_MEDIA;
        values[count] = (struct value){.type = VALUE_TEXT,
                                       .text = media ? r->image_descriptor : r->order_category};
        snprintf(values[count++].name, sizeof values->name, "%s",
                 media ? "image_descriptor" : "category");
    }
    return count;
}

static struct value listing_value(const struct field *field) {
    static const char *const names[] = {
        [FIELD_TITLE] = "title",         [FIELD_DESCRIPTION] = "description",
        [FIELD_LOCALE] = "locale",       [FIELD_CATEGORY] = "category",
        [FIELD_SELLER] = "seller",       [FIELD_PRICE] = "price",
        [FIELD_IMAGE_IDS] = "image_ids",
    };
    struct value value = {.type = field->type, .number = field->integer, .text = field->text};
    if (field->id == FIELD_ATTRIBUTE) {
        snprintf(value.name, sizeof value.name, "attribute.%.*s", (int)field->name.len,
                 field->name.data);
    } else {
        snprintf(value.name, sizeof value.name, "%s", names[field->id]);
    }
    return value;
}

static const struct schema_field *statement_of(const struct schema *schema, const char *name) {
    bool attribute = strncmp(name, "attribute.", 10) == 0;
    return schema_find(schema, attribute, bytes_of(attribute ? name + 10 : name));
}

/* The number that a decimal text stands for, in 1/10,000, by the plainest means. */
static bool decimal_of(struct bytes text, int64_t *out) {
    char copy[32];
    if (text.len == 0 || text.len >= sizeof copy - 5) {
        return false;
    }
    const char *point = memchr(text.data, '.', text.len);
    size_t places = point == NULL ? 0 : (size_t)(text.data + text.len - point) - 1;
    if (places > 4 || point == text.data || (point != NULL && places == 0)) {
        return false;
    }
    size_t length = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data + i != point) {
            copy[length++] = text.data[i];
        }
    }
    for (; places < 4; places++) {
        copy[length++] = '0';
    }
    copy[length] = '\0';
    char *end;
    *out = strtoll(copy, &end, 10);
    return *end == '\0' && (copy[0] == '-' || (copy[0] >= '0' && copy[0] <= '9'));
}

static bool breaks(const struct schema *schema, const struct value *value, struct breach *out) {
    static const unsigned bits[] = {
        [VALUE_NULL] = SCHEMA_NULL,
        [VALUE_TEXT] = SCHEMA_TEXT,
        [VALUE_INTEGER] = SCHEMA_INTEGER | SCHEMA_NUMBER,
        [VALUE_NUMBER] = SCHEMA_NUMBER,
        [VALUE_IDS] = SCHEMA_IDS,
    };
    const struct schema_field *wanted = statement_of(schema, value->name);
    int64_t size = value->type == VALUE_INTEGER ? value->number
                   : value->type == VALUE_IDS   ? (int64_t)value->text.len / 8
                                                : (int64_t)value->text.len;
    snprintf(out->field, sizeof out->field, "%s", value->name);
    out->actual = value->type;
    out->expects = wanted == NULL ? "no such field" : NULL;
    if (wanted == NULL) {
        return true;
    }
    bool typed = (wanted->types & bits[value->type]) != 0;
    if (!typed && value->type == VALUE_TEXT && (wanted->types & SCHEMA_DECIMAL) != 0) {
        typed = decimal_of(value->text, &size);
    }
    if (!typed) {
        return true;
    }
    out->actual = size;
    return value->type != VALUE_NULL &&
           ((wanted->has_min && size < wanted->min) || (wanted->has_max && size > wanted->max));
}

static bool states(const struct record *r, const struct schema_field *wanted) {
    char name[300];
    snprintf(name, sizeof name, "%s%.*s", wanted->attribute ? "attribute." : "",
             (int)wanted->name.len, wanted->name.data);
    struct value own[VALUES_OWN];
    for (size_t i = own_values(r, own); i > 0; i--) {
        if (strcmp(own[i - 1].name, name) == 0) {
            return true;
        }
    }
    struct field field;
    for (struct field_cursor c = record_fields(r); record_fields_next(&c, &field);) {
        if (strcmp(listing_value(&field).name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* A listing record is whole when it names the seller; so is any other record. */
static bool lacks(const struct schema *schema, const struct record *r, struct breach *out) {
    struct schema_field seller = {.name = bytes_of("seller")};
    if (r->op == RECORD_DELETE || (r->type == RECORD_LISTING && !states(r, &seller))) {
        return false;
    }
    for (size_t i = 0; i < schema->count; i++) {
        const struct schema_field *wanted = &schema->fields[i];
        if (wanted->required && !states(r, wanted)) {
            snprintf(out->field, sizeof out->field, "%s%.*s", wanted->attribute ? "attribute." : "",
                     (int)wanted->name.len, wanted->name.data);
            out->actual = 0;
            out->expects = NULL;
            return true;
        }
    }
    return false;
}

/* Does what is registered refuse the record, and where? */
static bool refuses(struct contracts *c, enum topic_id feed, const struct record *r,
                    struct breach *out) {
    const struct contract_rule *rule = rule_of(c, feed, r->contract_version);
    if (rule == NULL) {
        snprintf(out->field, sizeof out->field, "contract_version");
        out->actual = r->contract_version;
        out->expects = "1"; /* which is always known */
        return true;
    }
    struct value own[VALUES_OWN];
    size_t count = own_values(r, own);
    for (size_t i = 0; i < count; i++) {
        if (breaks(&rule->schema, &own[i], out)) {
            return true;
        }
    }
    struct field field;
    for (struct field_cursor cursor = record_fields(r); record_fields_next(&cursor, &field);) {
        struct value value = listing_value(&field);
        if (breaks(&rule->schema, &value, out)) {
            return true;
        }
    }
    return lacks(&rule->schema, r, out);
}

/* ---- Claims ---- */

static uint64_t place_key(enum topic_id topic, uint32_t partition, int64_t offset) {
    uint64_t parts[3] = {topic, partition, (uint64_t)offset};
    return XXH3_64bits(parts, sizeof parts);
}

static struct claim *claim_at(struct contracts *c, enum topic_id topic, uint32_t partition,
                              int64_t offset) {
    uint32_t at = id_map_get(&c->claim_index, place_key(topic, partition, offset));
    return at == ID_MAP_NONE ? NULL : &c->claims[at];
}

bool contracts_feed(struct oracle *o, enum topic_id topic, uint32_t partition,
                    const struct log_record *logged, const struct record *record, uint64_t event) {
    struct contracts *c = o->contracts;
    if (record->contract_version == RECORD_CONTRACT_VERSION &&
        rule_of(c, topic, RECORD_CONTRACT_VERSION) == NULL) {
        return true;
    }
    o->counts.claims++;
    struct breach breach;
    struct claim claim = {.event = event, .accepted = !refuses(c, topic, record, &breach)};
    char *copy = malloc(logged->value.len);
    if (copy == NULL || ARRAY_RESERVE(c->claims, c->claim_capacity, c->claim_count + 1) != 0 ||
        id_map_put_index(&c->claim_index, place_key(topic, partition, logged->offset),
                         c->claim_count) != 0) {
        free(copy);
        o->out_of_memory = true;
        return true;
    }
    memcpy(copy, logged->value.data, logged->value.len);
    claim.value = (struct bytes){copy, logged->value.len};
    c->claims[c->claim_count++] = claim;
    return claim.accepted;
}

static struct claimed_event *event_of(struct oracle *o, uint64_t event) {
    struct contracts *c = o->contracts;
    uint32_t at = id_map_get(&c->event_index, event);
    if (at != ID_MAP_NONE) {
        return &c->events[at];
    }
    if (ARRAY_RESERVE(c->events, c->event_capacity, c->event_count + 1) != 0 ||
        id_map_put_index(&c->event_index, event, c->event_count) != 0) {
        o->out_of_memory = true;
        return NULL;
    }
    c->events[c->event_count] = (struct claimed_event){false, false};
    return &c->events[c->event_count++];
}

static void event_becomes(struct oracle *o, uint64_t event, bool refused) {
    struct claimed_event *e = event_of(o, event);
    if (e == NULL) {
        return;
    }
    bool unmended = e->refused && !e->routed;
    e->refused |= refused;
    e->routed |= !refused;
    o->contracts->unmended += (e->refused && !e->routed) - unmended;
}

bool contracts_routed(struct oracle *o, vtime now, const struct record *record) {
    struct contracts *c = o->contracts;
    const struct origin *origin = &record->origin;
    struct claim *claim =
        (record->sections & SECTION_ORIGIN) == 0
            ? NULL
            : claim_at(c, (enum topic_id)origin->topic, origin->partition, origin->offset);
    if (claim == NULL || claim->routed) {
        return false;
    }
    struct record said;
    struct record_error error;
    struct breach breach;
    o->checks[CHECK_CONTRACT].looked_at++;
    if (record_decode_claimed(claim->value, &said, &error) == 0 &&
        refuses(c, (enum topic_id)origin->topic, &said, &breach)) {
        check_violated(o, CHECK_CONTRACT, now,
                       "%s, partition %" PRIu32 ", offset %" PRId64
                       ": a record of version %u was routed, which breaks its contract in %s",
                       topic_name((enum topic_id)origin->topic), origin->partition, origin->offset,
                       said.contract_version, breach.field);
    }
    claim->routed = true;
    event_becomes(o, claim->event, false);
    return !claim->accepted;
}

/* ---- Dead letters ---- */

static bool contains(struct bytes text, const char *word) {
    size_t length = strlen(word);
    for (size_t i = 0; i + length <= text.len; i++) {
        if (memcmp(text.data + i, word, length) == 0) {
            return true;
        }
    }
    return false;
}

static void letter_violated(struct oracle *o, vtime now, const struct dead_letter *letter,
                            const char *what, const char *expected) {
    check_violated(o, CHECK_DEAD_LETTERS, now,
                   "the letter of %s, partition %" PRIu32 ", offset %" PRId64
                   " %s %s; it says %.*s: %.*s, expected %.*s, found %" PRId64,
                   topic_name(letter->topic), letter->partition, letter->offset, what, expected,
                   (int)letter->field.len, letter->field.data, (int)letter->reason.len,
                   letter->reason.data, (int)letter->expected.len, letter->expected.data,
                   letter->actual);
}

bool contracts_letter(struct oracle *o, vtime now, const struct dead_letter *letter) {
    struct contracts *c = o->contracts;
    struct record record;
    struct record_error error;
    struct claim *claim = claim_at(c, letter->topic, letter->partition, letter->offset);
    if (claim == NULL || record_decode_claimed(letter->value, &record, &error) != 0) {
        return false;
    }
    struct breach breach;
    if (claim->accepted) {
        letter_violated(o, now, letter, "refuses what was", "registered and kept to");
    } else if (refuses(c, letter->topic, &record, &breach)) {
        if (!bytes_equal(letter->field, bytes_of(breach.field))) {
            letter_violated(o, now, letter, "should name", breach.field);
        } else if (letter->actual != breach.actual ||
                   letter->contract_version != record.contract_version ||
                   letter->expected.len == 0 || letter->reason.len == 0 ||
                   (breach.expects != NULL && !contains(letter->expected, breach.expects))) {
            letter_violated(o, now, letter, "is wrong about", breach.field);
        }
    } /* else it was mended while the letter was on its way */
    if (letter->topic == TOPIC_LISTING || letter->topic == TOPIC_MEDIA) {
        event_becomes(o, claim->event, true);
        if (id_map_put_index(&c->letter_index, dead_letter_key(letter),
                             (size_t)(claim - c->claims)) != 0) {
            o->out_of_memory = true;
        }
    }
    return true;
}

void contracts_letter_gone(struct oracle *o, uint64_t key) {
    uint32_t at = id_map_get(&o->contracts->letter_index, key);
    if (at != ID_MAP_NONE) {
        event_becomes(o, o->contracts->claims[at].event, false);
    }
}
