#include "sim/end_state.h"

#include <errno.h>
#include <stdlib.h>

#include <xxhash.h>

#include "pipeline/array.h"
#include "pipeline/dead_letter.h"
#include "pipeline/id_map.h"

struct reading {
    struct simulation *s;
    struct end_state *out;
    struct scan_row *rows;
    size_t count, capacity;
};

const char *end_state_part_name(enum end_state_part part) {
    static const char *const names[END_STATE_PARTS] = {
        "oltp", "gold", "silver", "vectors", "keywords", "sales", "dead_letters"};
    return names[part];
}

/* One more thing that a part says. */
static void say(struct end_state *out, enum end_state_part part, const uint64_t *words,
                size_t count) {
    XXH128_hash_t hash = XXH3_128bits_withSeed(words, count * sizeof *words, (uint64_t)part);
    out->parts[part] += hash.low64;
    out->whole.lo += hash.low64;
    out->whole.hi += hash.high64;
}

static uint64_t text_hash(struct bytes text) {
    return XXH3_64bits(text.data, text.len);
}

/* ---- Rows that a scan shows ---- */

enum place { PLACE_OLTP, PLACE_GOLD, PLACE_KEYWORDS, PLACE_VECTORS };

static int scan(struct reading *r, enum place place, const struct vector_collection_info *c) {
    vtime now = simulation_now(r->s);
    if (place == PLACE_OLTP) {
        struct oltp_port port = fake_oltp_port(simulation_oltp(r->s));
        return port.ops->scan(port.ctx, now, 0, UINT64_MAX, r->rows, r->capacity, &r->count);
    }
    if (place == PLACE_GOLD) {
        struct warehouse_port port = fake_warehouse_port(simulation_warehouse(r->s));
        return port.ops->scan(port.ctx, now, 0, UINT64_MAX, r->rows, r->capacity, &r->count);
    }
    if (place == PLACE_KEYWORDS) {
        struct keyword_port port = fake_keyword_port(simulation_keyword(r->s));
        return port.ops->scan(port.ctx, now, SCAN_BY_ID, 0, UINT64_MAX, r->rows, r->capacity,
                              &r->count);
    }
    struct vector_port port = fake_vector_db_port(simulation_vector_db(r->s));
    return port.ops->scan(port.ctx, now, c->modality, c->model_version, SCAN_BY_ID, 0, UINT64_MAX,
                          r->rows, r->capacity, &r->count);
}

/* All rows of a place, read again with more room until they fit. */
static int read_rows(struct reading *r, enum end_state_part part, enum place place,
                     const struct vector_collection_info *c) {
    size_t wanted = 8192; /* a second reading of the source costs as much as all the rest */
    do {
        if (ARRAY_RESERVE(r->rows, r->capacity, wanted) != 0) {
            return -ENOMEM;
        }
        wanted = 2 * r->capacity;
        r->count = 0;
        if (scan(r, place, c) != PORT_OK) {
            return -ENOMEM; /* a fake has no other trouble */
        }
    } while (r->count == r->capacity);
    for (size_t i = 0; i < r->count; i++) {
        const struct scan_row *row = &r->rows[i];
        uint64_t words[] = {
            row->listing_id,
            row->source_hash,
            row->whole_hash,
            row->content_hash,
            row->model_version,
            row->modalities,
            row->alive,
            row->suppressed,
            c == NULL ? 0 : (uint64_t)c->modality << 32 | c->model_version,
        };
        say(r->out, part, words, sizeof words / sizeof *words);
    }
    return 0;
}

static int read_vectors(struct reading *r) {
    struct fake_vector_db *db = simulation_vector_db(r->s);
    for (size_t i = 0; i < fake_vector_db_collection_count(db); i++) {
        struct vector_collection_info c = fake_vector_db_collection(db, i);
        if (!c.dropped && read_rows(r, END_STATE_VECTORS, PLACE_VECTORS, &c) != 0) {
            return -ENOMEM;
        }
    }
    for (int m = 0; m < MODALITY_COUNT; m++) {
        uint64_t words[] = {(uint64_t)m, fake_vector_db_alias_target(db, (enum modality)m)};
        say(r->out, END_STATE_VECTORS, words, 2);
    }
    return 0;
}

/* ---- The warehouse ---- */

static int silver_row(void *ctx, const struct silver_row *row) {
    uint64_t words[] = {row->document.listing_id, row->document.source_hash,
                        row->document.whole_hash, row->document.alive, row->document.policy};
    say(ctx, END_STATE_SILVER, words, sizeof words / sizeof *words);
    return 0;
}

static void read_sales(struct reading *r) {
    struct sales_row row;
    for (size_t i = 0; fake_warehouse_sales(simulation_warehouse(r->s), i, &row); i++) {
        uint64_t words[] = {text_hash(row.category), (uint64_t)row.hour.ns, (uint64_t)row.orders,
                            (uint64_t)row.quantity, (uint64_t)row.amount};
        if (row.orders != 0 || row.quantity != 0 || row.amount != 0) {
            say(r->out, END_STATE_SALES, words, sizeof words / sizeof *words);
        }
    }
}

/* ---- Dead letters ---- */

/* A record of a version that is registered on the way may have been refused before that: who heard
 * of it when is no part of what the stores say in the end. */
static bool waits_for_its_contract(const struct dead_letter *letter) {
    return letter->contract_version != RECORD_CONTRACT_VERSION;
}

/* A record refused twice, as after a crash, counts once. */
static int read_letter(struct reading *r, struct id_map *seen, const struct log_record *record) {
    struct dead_letter letter;
    if (record == NULL || dead_letter_decode(record->value, &letter) != 0 ||
        waits_for_its_contract(&letter)) {
        return 0;
    }
    uint64_t words[] = {letter.topic, text_hash(letter.value)};
    uint64_t key = XXH3_64bits(words, sizeof words);
    if (id_map_get(seen, key) != ID_MAP_NONE) {
        return 0;
    }
    say(r->out, END_STATE_LETTERS, words, 2);
    return id_map_put_index(seen, key, 1) != 0 ? -ENOMEM : 0;
}

static int read_letters(struct reading *r) {
    struct fake_kafka *kafka = simulation_kafka(r->s);
    struct id_map seen;
    id_map_init(&seen);
    int failed = 0;
    for (uint32_t p = 0; p < fake_kafka_partitions(kafka, TOPIC_DEAD_LETTER); p++) {
        struct fake_kafka_partition partition = fake_kafka_partition(kafka, TOPIC_DEAD_LETTER, p);
        for (int64_t at = partition.start; at < partition.end && failed == 0; at++) {
            failed = read_letter(r, &seen, fake_kafka_record(kafka, TOPIC_DEAD_LETTER, p, at));
        }
    }
    id_map_release(&seen);
    return failed;
}

int end_state_read(struct simulation *s, struct end_state *out) {
    *out = (struct end_state){0};
    struct reading r = {.s = s, .out = out};
    int failed = read_rows(&r, END_STATE_OLTP, PLACE_OLTP, NULL) != 0 ||
                 read_rows(&r, END_STATE_GOLD, PLACE_GOLD, NULL) != 0 ||
                 read_rows(&r, END_STATE_KEYWORDS, PLACE_KEYWORDS, NULL) != 0 ||
                 read_vectors(&r) != 0 ||
                 fake_warehouse_each_current(simulation_warehouse(s), silver_row, out) != 0 ||
                 read_letters(&r) != 0;
    read_sales(&r);
    free(r.rows);
    return failed ? -ENOMEM : 0;
}
