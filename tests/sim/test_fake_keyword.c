/*
 * The keyword index: versions and tombstones (A9), metadata apart from text (A7), search that no
 * input can break, and access paths that may disagree. A naive map and a naive BM25 say what is
 * right.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/fake_keyword.h"
#include "sim/fts_bm25.h"
#include "sim/prng.h"

static int changes;
static struct row_change last_change;

static void hear(void *ctx, vtime now, const struct row_change *change) {
    (void)ctx;
    (void)now;
    changes++;
    last_change = *change;
}

static struct fake_keyword *open_keyword(void) {
    changes = 0;
    struct fake_keyword *k = fake_keyword_new(
        &(struct fake_keyword_options){.observer = {.row_changed = hear}, .journal = true});
    assert_non_null(k);
    return k;
}

static struct keyword_write upsert(uint64_t id, doc_version version, const char *title) {
    return (struct keyword_write){.listing_id = id,
                                  .kind = ROW_UPSERT,
                                  .rule = VERSION_GREATER,
                                  .meta = {.version = version,
                                           .content_hash = 5,
                                           .source_hash = (uint64_t)version,
                                           .category = bytes_of("home"),
                                           .locale = bytes_of("en"),
                                           .seller_id = 7,
                                           .policy = POLICY_ACTIVE,
                                           .active = true},
                                  .title = bytes_of(title),
                                  .description = bytes_of("a thing to buy"),
                                  .attributes = bytes_of("colour red")};
}

static enum item_status write_one(struct fake_keyword *k, struct keyword_write w) {
    struct keyword_port port = fake_keyword_port(k);
    enum item_status status = ITEM_UNKNOWN;
    assert_int_equal(port.ops->write(port.ctx, (vtime){w.meta.version}, &w, 1, &status), 0);
    fake_keyword_check(k);
    return status;
}

static enum item_status erase(struct fake_keyword *k, uint64_t id, doc_version version,
                              enum version_rule rule) {
    struct keyword_write w = upsert(id, version, "");
    w.kind = ROW_DELETE;
    w.rule = rule;
    return write_one(k, w);
}

/* Ids found, best first, as text. */
static const char *found(struct fake_keyword *k, const char *words, size_t limit,
                         const struct row_filter *filter) {
    static char text[1024];
    struct keyword_port port = fake_keyword_port(k);
    struct search_hit hits[64];
    size_t count = 0;
    assert_int_equal(
        port.ops->search(port.ctx, (vtime){0}, bytes_of(words), limit, filter, hits, &count), 0);
    assert_true(count <= limit);
    text[0] = 0;
    for (size_t i = 0; i < count; i++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof(text) - used, "%s%d", i == 0 ? "" : " ",
                 (int)hits[i].listing_id);
    }
    return text;
}

static size_t scan(struct fake_keyword *k, enum scan_path path, uint64_t first, uint64_t last,
                   struct scan_row *rows, size_t max) {
    struct keyword_port port = fake_keyword_port(k);
    size_t count = 0;
    assert_int_equal(port.ops->scan(port.ctx, (vtime){0}, path, first, last, rows, max, &count), 0);
    return count;
}

/* `external` refuses the same version and below, `external_gte` only below. */
static void versions_rule(void **state) {
    (void)state;
    struct fake_keyword *k = open_keyword();
    assert_int_equal(write_one(k, upsert(1, 10, "lamp")), ITEM_APPLIED);
    assert_int_equal(write_one(k, upsert(1, 10, "chair")), ITEM_CONFLICT);
    assert_int_equal(write_one(k, upsert(1, 9, "chair")), ITEM_CONFLICT);
    assert_string_equal(found(k, "chair", 9, 0), "");
    struct keyword_write repair = upsert(1, 10, "table");
    repair.rule = VERSION_GREATER_OR_EQUAL;
    assert_int_equal(write_one(k, repair), ITEM_APPLIED);
    repair.meta.version = 9;
    assert_int_equal(write_one(k, repair), ITEM_CONFLICT);
    assert_string_equal(found(k, "table", 9, 0), "1");
    repair.rule = VERSION_IGNORED;
    assert_int_equal(write_one(k, repair), ITEM_APPLIED);
    assert_int_equal(fake_keyword_row(k, 1).version, 9);
    assert_int_equal(changes, 3);
    fake_keyword_free(k);
}

/* A tombstone keeps an older write out, also of a listing that was never there; an unconditional
 * delete keeps nothing out. */
static void tombstones_hold(void **state) {
    (void)state;
    struct fake_keyword *k = open_keyword();
    write_one(k, upsert(1, 10, "lamp"));
    assert_int_equal(erase(k, 1, 12, VERSION_GREATER), ITEM_APPLIED);
    assert_true(last_change.before.present && !last_change.after.present);
    assert_int_equal(last_change.after.version, 12);
    assert_int_equal(last_change.kind, ROW_DELETE);
    assert_string_equal(found(k, "lamp", 9, 0), "");
    assert_int_equal(write_one(k, upsert(1, 11, "lamp")), ITEM_CONFLICT);
    assert_int_equal(erase(k, 2, 20, VERSION_GREATER), ITEM_APPLIED);
    assert_int_equal(write_one(k, upsert(2, 19, "lamp")), ITEM_CONFLICT);
    assert_int_equal(write_one(k, upsert(1, 13, "lamp")), ITEM_APPLIED);
    assert_string_equal(found(k, "lamp", 9, 0), "1");
    assert_int_equal(erase(k, 1, 14, VERSION_IGNORED), ITEM_APPLIED);
    assert_int_equal(fake_keyword_row(k, 1).version, DOC_VERSION_NONE);
    assert_int_equal(write_one(k, upsert(1, 1, "lamp")), ITEM_APPLIED);
    fake_keyword_free(k);
}

/* Metadata alone needs a row with the same content; it changes filters and not a word of text. */
static void metadata_leaves_text_alone(void **state) {
    (void)state;
    struct fake_keyword *k = open_keyword();
    struct keyword_write meta = upsert(1, 11, "not looked at");
    meta.kind = ROW_METADATA;
    assert_int_equal(write_one(k, meta), ITEM_MISSING);
    write_one(k, upsert(1, 10, "lamp"));
    assert_string_equal(found(k, "lamp", 9, 0), "1");
    uint64_t indexed = fake_keyword_counts(k).indexed;
    meta.meta.content_hash = 6;
    assert_int_equal(write_one(k, meta), ITEM_MISSING);
    meta.meta.content_hash = 5;
    meta.meta.category = bytes_of("garden");
    assert_int_equal(write_one(k, meta), ITEM_APPLIED);
    assert_int_equal(write_one(k, meta), ITEM_CONFLICT);
    struct row_filter home = {.category = bytes_of("home")};
    struct row_filter garden = {.category = bytes_of("garden")};
    assert_string_equal(found(k, "lamp", 9, &home), "");
    assert_string_equal(found(k, "lamp", 9, &garden), "1");
    assert_string_equal(found(k, "looked", 9, 0), "");
    assert_int_equal(fake_keyword_counts(k).indexed, indexed);
    erase(k, 1, 12, VERSION_GREATER);
    meta.meta.version = 13;
    assert_int_equal(write_one(k, meta), ITEM_MISSING);
    fake_keyword_free(k);
}

/* Every filter takes away what does not pass, and k counts what is left. */
static void filters_hold(void **state) {
    (void)state;
    struct fake_keyword *k = open_keyword();
    for (int i = 1; i <= 6; i++) {
        struct keyword_write w = upsert((uint64_t)i, 1, "lamp");
        w.meta.locale = bytes_of(i == 2 ? "de" : "en");
        w.meta.seller_id = i == 3 ? 9 : 7;
        w.meta.policy = i == 4 ? POLICY_SUPPRESSED : POLICY_ACTIVE;
        w.meta.active = i != 5;
        write_one(k, w);
    }
    assert_string_equal(found(k, "lamp", 9, 0), "1 2 3 4 5 6");
    assert_string_equal(found(k, "lamp", 9, &(struct row_filter){.locale = bytes_of("de")}), "2");
    assert_string_equal(found(k, "lamp", 9, &(struct row_filter){.seller_id = 9}), "3");
    assert_string_equal(found(k, "lamp", 9, &(struct row_filter){.servable_only = true}),
                        "1 2 3 6");
    assert_string_equal(found(k, "lamp", 2, &(struct row_filter){.servable_only = true}), "1 2");
    assert_string_equal(found(k, "lamp", 0, 0), "");
    struct scan_row rows[6]; /* reconciliation sees what nobody may be served */
    assert_int_equal(scan(k, SCAN_BY_ID, 0, UINT64_MAX, rows, 6), 6);
    for (int i = 0; i < 6; i++) {
        assert_true(rows[i].alive);
        assert_int_equal(rows[i].suppressed, i == 3 || i == 4);
    }
    fake_keyword_free(k);
}

/* Case, accents and punctuation do not matter; any term of the query is enough; a title counts for
 * more than a description; nothing that a user types is a syntax error. */
static void users_words_are_taken_safely(void **state) {
    (void)state;
    struct fake_keyword *k = open_keyword();
    write_one(k, upsert(1, 1, "Caf\xc3\xa9-table, oak"));
    struct keyword_write w = upsert(2, 1, "chair");
    w.description = bytes_of("goes with a table of oak");
    write_one(k, w);
    assert_string_equal(found(k, "TABLE", 9, 0), "1 2");
    assert_string_equal(found(k, "cafe", 9, 0), "1");
    assert_string_equal(found(k, "nothing chair", 9, 0), "2");
    assert_string_equal(found(k, "marker m", 9, 0), "");
    static const char *const hostile[] = {
        "",         "\"",           "\"\"\"",    "a\"b",   "(",       ") OR (",
        "title:",   "text : x",     "NEAR(a b)", "a AND",  "NOT",     "-a",
        "^a",       "a*",           "{text}",    "AND OR", "a + b",   "'; DROP TABLE x",
        "\xff\xfe", "\xe2\x80\x94", "\xcc\x81",  "\\",     "a\nb\tc", "\x01\x02",
        ":::",      "****",         "a.b.c",     "OR",
    };
    for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
        found(k, hostile[i], 9, 0);
    }
    assert_string_equal(found(k, "\"oak\" AND (chair", 9, 0), "2 1");
    struct keyword_port port = fake_keyword_port(k);
    struct prng prng;
    prng_init(&prng, 1, "queries");
    for (int i = 0; i < 5000; i++) {
        char words[400];
        size_t length = (size_t)prng_below(&prng, sizeof(words));
        for (size_t c = 0; c < length; c++) {
            static const char alphabet[] = "ab\"'()*:^-+{}  \xc3\xa9\xf0\xff\0ORNT";
            words[c] = alphabet[prng_below(&prng, sizeof(alphabet))];
        }
        struct search_hit hits[4];
        size_t count = 0;
        assert_int_equal(port.ops->search(port.ctx, (vtime){0}, (struct bytes){words, length}, 4, 0,
                                          hits, &count),
                         0);
    }
    fake_keyword_free(k);
}

/* A query is cut as documents are, in every script, and a word that stands beside letters without
 * spaces is a term too; what the query says once counts once. */
static void queries_are_cut_as_documents_are(void **state) {
    (void)state;
    struct fake_keyword *k = open_keyword();
    write_one(k, upsert(1, 1, "lamp"));
    write_one(k, upsert(2, 1, "lamp chair"));
    assert_string_equal(found(k, "x\xe2\x80\x94lamp", 9, 0), "1 2");
    assert_string_equal(found(k, "chair\xe3\x80\x80lamp", 9, 0), "2 1");
    assert_string_equal(found(k, "lamp\xe9\x9b\xa8", 9, 0), "1 2");
    struct keyword_port port = fake_keyword_port(k);
    struct search_hit plain, marked;
    size_t count;
    const struct bytes queries[] = {bytes_of("lamp"), bytes_of("\xc2\xablamp\xc2\xbb")};
    port.ops->search(port.ctx, (vtime){0}, queries[0], 1, 0, &plain, &count);
    port.ops->search(port.ctx, (vtime){0}, queries[1], 1, 0, &marked, &count);
    assert_true(plain.score == marked.score);
    fake_keyword_free(k);
}

/* The three ways to look a row up agree, until a fault hides a row from one of them. */
static void paths_can_disagree(void **state) {
    (void)state;
    struct fake_keyword *k = open_keyword();
    struct scan_row rows[8];
    const uint64_t ids[] = {3, UINT64_MAX, 1, 2};
    for (int i = 0; i < 4; i++) {
        write_one(k, upsert(ids[i], 5 + i, "lamp"));
    }
    erase(k, 2, 20, VERSION_GREATER);
    for (int path = 0; path < SCAN_PATH_COUNT; path++) {
        assert_int_equal(scan(k, (enum scan_path)path, 0, UINT64_MAX, rows, 8), 3);
        assert_true(rows[0].listing_id == 1 && rows[1].listing_id == 3 &&
                    rows[2].listing_id == UINT64_MAX);
        assert_int_equal(rows[1].version, 5);
        assert_int_equal(rows[1].changed_at.ns, 5);
        assert_int_equal(scan(k, (enum scan_path)path, 2, 3, rows, 8), 1);
        assert_int_equal(scan(k, (enum scan_path)path, 0, UINT64_MAX, rows, 2), 2);
    }
    for (int path = 0; path < SCAN_PATH_COUNT; path++) {
        assert_int_equal(fake_keyword_hide(k, 1, (enum scan_path)path, true), 0);
        for (int other = 0; other < SCAN_PATH_COUNT; other++) {
            assert_int_equal(scan(k, (enum scan_path)other, 1, 1, rows, 8), other != path);
        }
        assert_string_equal(found(k, "lamp", 9, &(struct row_filter){.seller_id = 7}),
                            path == SCAN_BY_SEARCH ? "3 -1" : "1 3 -1");
        assert_int_equal(fake_keyword_hide(k, 1, (enum scan_path)path, false), 0);
    }
    fake_keyword_free(k);
}

/* The logarithm is that of libm to a few units in the last place, far and near to 1. */
static void logarithm_is_right(void **state) {
    (void)state;
    struct prng prng;
    prng_init(&prng, 2, "ln");
    for (int i = 0; i < 100000; i++) {
        double x = 1 + (double)prng_next(&prng) / 1e12;
        double expected = log(x);
        assert_true(fabs(fts_bm25_ln(x) - expected) <= 4e-16 * fabs(expected) + 1e-300);
    }
    assert_true(fts_bm25_ln(1) == 0);
    assert_true(fabs(fts_bm25_ln(0.001) - log(0.001)) < 1e-14);
}

/* ---- against a naive model ---- */

#define ROWS 40
#define WORDS 12

struct naive_row {
    bool known, present;
    doc_version version;
    uint64_t content;
    bool servable;
    unsigned words[3][WORDS]; /* how often each word stands in each field */
    unsigned length[3];
};

static void random_text(struct prng *prng, char *out, unsigned words[WORDS], unsigned *length,
                        unsigned max) {
    *length = (unsigned)prng_below(prng, max + 1);
    memset(words, 0, WORDS * sizeof(words[0]));
    *out = 0;
    for (unsigned i = 0; i < *length; i++) {
        unsigned w = (unsigned)prng_below(prng, 1 + prng_below(prng, WORDS));
        words[w]++;
        sprintf(out + strlen(out), "%sword%c", i == 0 ? "" : " ", 'a' + (int)w);
    }
}

static double naive_score(const struct naive_row rows[ROWS], int at, const bool asked[WORDS]) {
    static const double weights[3] = {4, 1, 1.5};
    double score = 0;
    for (int f = 0; f < 3; f++) {
        double documents = 0, tokens = 0;
        for (int i = 0; i < ROWS; i++) {
            bool held = rows[i].present && (f == 0 || rows[i].length[f] > 0);
            documents += held;
            tokens += held ? rows[i].length[f] : 0;
        }
        for (int w = 0; w < WORDS; w++) {
            double holding = 0;
            for (int i = 0; i < ROWS; i++) {
                holding += rows[i].present && rows[i].words[f][w] > 0;
            }
            double tf = rows[at].words[f][w];
            if (asked[w] && tf > 0) {
                double norm = 1.2 * (0.25 + 0.75 * rows[at].length[f] / (tokens / documents));
                score += weights[f] * log(1 + (documents - holding + 0.5) / (holding + 0.5)) * tf *
                         2.2 / (tf + norm);
            }
        }
    }
    return score;
}

static void compare_search(struct fake_keyword *k, const struct naive_row rows[ROWS],
                           struct prng *prng, bool scores) {
    bool asked[WORDS] = {false};
    char query[128] = "";
    for (int i = 0; i < 3; i++) {
        unsigned w = (unsigned)prng_below(prng, WORDS);
        if (!asked[w]) {
            sprintf(query + strlen(query), " word%c", 'a' + (int)w);
        }
        asked[w] = true;
    }
    struct row_filter filter = {.servable_only = prng_ratio(prng, 1, 2)};
    struct keyword_port port = fake_keyword_port(k);
    struct search_hit hits[ROWS];
    size_t count = 0;
    assert_int_equal(
        port.ops->search(port.ctx, (vtime){0}, bytes_of(query), ROWS, &filter, hits, &count), 0);
    size_t expected = 0;
    for (int i = 0; i < ROWS; i++) {
        expected += rows[i].present && (!filter.servable_only || rows[i].servable) &&
                    naive_score(rows, i, asked) > 0;
    }
    assert_int_equal(count, expected);
    for (size_t i = 0; i < count; i++) {
        int at = (int)hits[i].listing_id - 1;
        double score = naive_score(rows, at, asked);
        assert_true(rows[at].present && score > 0);
        assert_int_equal(hits[i].version, rows[at].version);
        assert_true(i == 0 || hits[i - 1].score >= hits[i].score);
        assert_true(!scores || fabs(hits[i].score - score) < 1e-5 * score);
    }
}

static void compare_rows(struct fake_keyword *k, const struct naive_row rows[ROWS]) {
    for (int path = 0; path < SCAN_PATH_COUNT; path++) {
        struct scan_row scanned[ROWS + 1];
        size_t count = scan(k, (enum scan_path)path, 0, UINT64_MAX, scanned, ROWS + 1);
        size_t at = 0;
        for (int i = 0; i < ROWS; i++) {
            if (rows[i].present) {
                assert_true(at < count && scanned[at].listing_id == (uint64_t)i + 1);
                assert_int_equal(scanned[at].version, rows[i].version);
                assert_int_equal(scanned[at].content_hash, rows[i].content);
                at++;
            }
        }
        assert_int_equal(at, count);
    }
}

/* Random writes of every kind and rule leave what a naive map holds, searches find what naive
 * matching finds, and after a merge the scores are those of a naive BM25. */
static void index_equals_a_naive_map(void **state) {
    (void)state;
    struct prng prng;
    prng_init(&prng, 5, "keyword");
    uint64_t merges = 0;
    for (int round = 0; round < 12; round++) {
        struct fake_keyword *k = open_keyword();
        static struct naive_row rows[ROWS];
        memset(rows, 0, sizeof(rows));
        for (int step = 0; step < 3000; step++) {
            int i = (int)prng_below(&prng, ROWS);
            struct naive_row *row = &rows[i];
            char text[3][400];
            struct naive_row next = *row;
            for (int f = 0; f < 3; f++) {
                random_text(&prng, text[f], next.words[f], &next.length[f], f == 1 ? 30 : 6);
            }
            struct keyword_write w =
                upsert((uint64_t)i + 1, step / 2 + (int64_t)prng_below(&prng, 200), text[0]);
            w.description = bytes_of(text[1]);
            w.attributes = bytes_of(text[2]);
            w.kind = (enum row_write_kind)prng_below(&prng, 3);
            w.rule = prng_ratio(&prng, 1, 30) ? VERSION_IGNORED
                                              : (enum version_rule)prng_below(&prng, 2);
            w.meta.content_hash =
                w.kind == ROW_METADATA && prng_ratio(&prng, 2, 3) ? row->content : prng_next(&prng);
            w.meta.active = prng_ratio(&prng, 2, 3);
            enum item_status expected = ITEM_APPLIED;
            if (row->known && w.rule != VERSION_IGNORED &&
                (w.rule == VERSION_GREATER ? w.meta.version <= row->version
                                           : w.meta.version < row->version)) {
                expected = ITEM_CONFLICT;
            } else if (w.kind == ROW_METADATA &&
                       (!row->present || row->content != w.meta.content_hash)) {
                expected = ITEM_MISSING;
            }
            int before = changes;
            assert_int_equal(write_one(k, w), expected);
            assert_int_equal(changes - before, expected == ITEM_APPLIED);
            if (expected == ITEM_APPLIED) {
                if (w.kind == ROW_METADATA) {
                    next = *row;
                }
                next.known = w.kind != ROW_DELETE || w.rule != VERSION_IGNORED;
                next.present = w.kind != ROW_DELETE;
                next.version = w.meta.version;
                next.content = w.meta.content_hash;
                next.servable = w.meta.active;
                *row = next;
            }
            if (prng_ratio(&prng, 1, 10)) {
                compare_search(k, rows, &prng, false);
            }
        }
        compare_rows(k, rows);
        merges += fake_keyword_counts(k).merges;
        assert_int_equal(fake_keyword_merge(k), 0);
        assert_int_equal(fake_keyword_counts(k).masked, 0);
        fake_keyword_check(k);
        compare_rows(k, rows);
        for (int i = 0; i < 30; i++) {
            compare_search(k, rows, &prng, true);
        }
        fake_keyword_free(k);
    }
    assert_true(merges > 0);
}

struct seen {
    char text[400];
};

static int note(void *ctx, const struct row_version *v) {
    char *text = ((struct seen *)ctx)->text;
    snprintf(text + strlen(text), 400 - strlen(text), "%d [%d,%d) %.*s;", (int)v->cells[1].integer,
             (int)v->from.ns, v->to.ns == INT64_MAX ? -1 : (int)v->to.ns,
             (int)v->cells[11].text.len, v->cells[11].text.data);
    return 0;
}

/* The journal holds each state from its write to the next, and none for a conflict. */
static void history_is_kept(void **state) {
    (void)state;
    struct fake_keyword *k = open_keyword();
    write_one(k, upsert(1, 10, "lamp"));
    write_one(k, upsert(1, 9, "old"));
    struct keyword_write meta = upsert(1, 11, "");
    meta.kind = ROW_METADATA;
    write_one(k, meta);
    erase(k, 1, 12, VERSION_GREATER);
    write_one(k, upsert(1, 13, "chair"));
    struct seen seen = {""};
    assert_int_equal(row_journal_each(fake_keyword_journal(k), note, &seen), 0);
    assert_string_equal(seen.text, "10 [10,11) lamp;11 [11,12) lamp;13 [13,-1) chair;");
    fake_keyword_free(k);
}

/* What the index masks of an erased listing is found until it is merged away; what was written from
 * the erasure's position on stays (A12). */
static void erasure_merges_masked_texts_away(void **state) {
    (void)state;
    struct fake_keyword *k = open_keyword();
    struct keyword_port port = fake_keyword_port(k);
    write_one(k, upsert(1, 10, "lamp"));
    write_one(k, upsert(2, 11, "desk"));
    assert_string_equal(found(k, "lamp", 9, 0), "1"); /* the index has it */
    erase(k, 1, 20, VERSION_GREATER);
    assert_string_equal(found(k, "lamp", 9, 0), "");
    assert_true(fake_keyword_held(k, 1, 20) > 0);
    struct erasure_subject subjects[] = {{1, STAMP_NONE, 20}, {2, STAMP_NONE, 5}};
    struct erasure_look looks[ERASURE_PLACE_COUNT] = {{0}};
    assert_int_equal(port.ops->erase(port.ctx, (vtime){30}, subjects, 2, looks), 0);
    assert_true(looks[ERASED_IN_KEYWORD].found > 0);
    assert_int_equal(looks[ERASED_IN_KEYWORD].at.ns, 30);
    assert_int_equal(fake_keyword_held(k, 1, 20), 0);
    assert_string_equal(found(k, "desk", 9, 0), "2");
    write_one(k, upsert(1, 31, "chair"));
    found(k, "chair", 9, 0);
    write_one(k, upsert(1, 32, "table"));
    found(k, "chair", 9, 0);
    assert_int_equal(fake_keyword_held(k, 1, 20), 0); /* its new life's */
    assert_true(fake_keyword_held(k, 1, 32) > 0);
    struct erasure_look again[ERASURE_PLACE_COUNT] = {{0}};
    assert_int_equal(port.ops->erase(port.ctx, (vtime){40}, subjects, 2, again), 0);
    assert_int_equal(again[ERASED_IN_KEYWORD].found, 0);
    fake_keyword_check(k);
    fake_keyword_free(k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_rule),
        cmocka_unit_test(tombstones_hold),
        cmocka_unit_test(metadata_leaves_text_alone),
        cmocka_unit_test(filters_hold),
        cmocka_unit_test(users_words_are_taken_safely),
        cmocka_unit_test(queries_are_cut_as_documents_are),
        cmocka_unit_test(paths_can_disagree),
        cmocka_unit_test(logarithm_is_right),
        cmocka_unit_test(index_equals_a_naive_map),
        cmocka_unit_test(history_is_kept),
        cmocka_unit_test(erasure_merges_masked_texts_away),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
