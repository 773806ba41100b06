/*
 * The conformance suite of the keyword port (A4, A7, A8, A9, A12): what the builder, the reconciler
 * and the eraser lean on, held by the fake and by PostgreSQL's full text search; and a long random
 * play in which a subject must find what the fake finds. Scores are each system's own: what they
 * must put first is said test by test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conformance/keywords_subject.h"
#include "conformance/suite.h"
#include "sim/prng.h"

enum { ROWS_MAX = 64, TEXT_MAX = 128, PLAY_LISTINGS = 16 };

SUITE_SUBJECTS(keywords)

/* ---- What the tests say ---- */

static struct keyword_write upsert(uint64_t id, doc_version version, const char *title) {
    return (struct keyword_write){.listing_id = id,
                                  .kind = ROW_UPSERT,
                                  .rule = VERSION_GREATER,
                                  .meta = {.version = version,
                                           .source_hash = id * 31 + version,
                                           .whole_hash = id * 37 + version,
                                           .content_hash = 1000 + id,
                                           .seller_id = 7,
                                           .price = 500,
                                           .category = bytes_of("home"),
                                           .locale = bytes_of("en"),
                                           .policy = POLICY_ACTIVE,
                                           .active = true,
                                           .modalities = 1},
                                  .title = bytes_of(title),
                                  .description = bytes_of(""),
                                  .attributes = bytes_of("")};
}

static struct keyword_write removal(uint64_t id, doc_version version) {
    return (struct keyword_write){.listing_id = id,
                                  .kind = ROW_DELETE,
                                  .rule = VERSION_GREATER,
                                  .meta = {.version = version}};
}

static enum item_status write(struct keywords_subject *s, struct keyword_write w) {
    enum item_status status;
    assert_int_equal(s->port.ops->write(s->port.ctx, at(1), &w, 1, &status), 0);
    return status;
}

static size_t scan(struct keywords_subject *s, enum scan_path path, uint64_t first, uint64_t last,
                   struct scan_row *rows, size_t max) {
    size_t count = 0;
    assert_int_equal(s->port.ops->scan(s->port.ctx, at(2), path, first, last, rows, max, &count),
                     0);
    return count;
}

static size_t search(struct keywords_subject *s, const char *words, size_t k,
                     const struct row_filter *filter, struct search_hit *hits) {
    size_t count = 0;
    assert_int_equal(
        s->port.ops->search(s->port.ctx, at(2), bytes_of(words), k, filter, hits, &count), 0);
    assert_true(count <= k);
    return count;
}

/* The listings that are found, best first: "3 1 ". */
static const char *found_by(struct keywords_subject *s, const char *words,
                            const struct row_filter *filter) {
    static char text[TEXT_MAX];
    struct search_hit hits[16];
    size_t count = search(s, words, 16, filter, hits);
    text[0] = 0;
    for (size_t i = 0; i < count; i++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%d ", (int)hits[i].listing_id);
    }
    return text;
}

static const char *finds(struct keywords_subject *s, const char *words) {
    return found_by(s, words, NULL);
}

/* ---- Writes ---- */

/* A document gives way to a higher version only, or to the same where a repair says so; a deletion
 * is remembered at its version, so nothing older brings the document back, and something newer
 * does. */
static void versions_guard_documents_and_deletions(void **state) {
    struct keywords_subject *s = *state;
    struct keyword_write again = upsert(1, 5, "again");
    again.rule = VERSION_GREATER_OR_EQUAL;
    assert_int_equal(write(s, upsert(1, 5, "five")), ITEM_APPLIED);
    assert_int_equal(write(s, upsert(1, 4, "four")), ITEM_CONFLICT);
    assert_int_equal(write(s, upsert(1, 5, "other")), ITEM_CONFLICT);
    assert_string_equal(finds(s, "four other"), "");
    assert_string_equal(finds(s, "five"), "1 ");
    assert_int_equal(write(s, again), ITEM_APPLIED);
    assert_string_equal(finds(s, "again"), "1 ");
    assert_int_equal(write(s, removal(1, 5)), ITEM_CONFLICT);
    assert_int_equal(write(s, removal(1, 8)), ITEM_APPLIED);
    assert_int_equal(write(s, upsert(1, 7, "zombie")), ITEM_CONFLICT);
    assert_int_equal(write(s, upsert(1, 8, "zombie")), ITEM_CONFLICT);
    assert_string_equal(finds(s, "zombie again"), "");
    assert_int_equal(write(s, removal(2, 3)), ITEM_APPLIED);
    assert_int_equal(write(s, upsert(2, 3, "early")), ITEM_CONFLICT);
    assert_int_equal(write(s, upsert(1, 9, "back")), ITEM_APPLIED);
    assert_string_equal(finds(s, "back"), "1 ");
}

/* A deletion that is a document is in no search and no scan, and guards as any other. */
static void tombstones_may_be_documents(void **state) {
    struct keywords_subject *s = *state;
    struct keyword_write gone = removal(1, 6);
    struct scan_row row;
    gone.kind = ROW_TOMBSTONE;
    assert_int_equal(write(s, upsert(1, 5, "lamp")), ITEM_APPLIED);
    assert_int_equal(write(s, gone), ITEM_APPLIED);
    assert_string_equal(finds(s, "lamp"), "");
    for (enum scan_path path = 0; path < SCAN_PATH_COUNT; path++) {
        assert_int_equal(scan(s, path, 0, UINT64_MAX, &row, 1), 0);
    }
    assert_int_equal(write(s, upsert(1, 5, "lamp")), ITEM_CONFLICT);
    assert_int_equal(write(s, upsert(1, 7, "lamp")), ITEM_APPLIED);
    assert_string_equal(finds(s, "lamp"), "1 ");
}

/* Items are answered one by one and in order, also where several are of one listing. */
static void items_are_answered_one_by_one(void **state) {
    struct keywords_subject *s = *state;
    struct keyword_write items[] = {upsert(1, 2, "lamp"),  upsert(1, 1, "stale"),
                                    upsert(1, 3, "torch"), removal(2, 1),
                                    upsert(2, 1, "stale"), upsert(3, 1, "chair")};
    static const enum item_status expected[] = {ITEM_APPLIED, ITEM_CONFLICT, ITEM_APPLIED,
                                                ITEM_APPLIED, ITEM_CONFLICT, ITEM_APPLIED};
    enum item_status statuses[6];
    assert_int_equal(s->port.ops->write(s->port.ctx, at(1), items, 6, statuses), 0);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(statuses[i], expected[i]);
    }
    assert_string_equal(finds(s, "lamp stale"), "");
    assert_string_equal(finds(s, "torch"), "1 ");
    assert_string_equal(finds(s, "chair"), "3 ");
}

/* Metadata alone leaves the text as it is, changes what filters see, and is refused where the text
 * is of other content, or none is there. */
static void metadata_goes_alone(void **state) {
    struct keywords_subject *s = *state;
    struct keyword_write meta = upsert(1, 2, "");
    meta.kind = ROW_METADATA;
    assert_int_equal(write(s, meta), ITEM_MISSING);
    assert_int_equal(write(s, upsert(1, 1, "lamp")), ITEM_APPLIED);
    meta.meta.category = bytes_of("garden");
    assert_int_equal(write(s, meta), ITEM_APPLIED);
    assert_string_equal(found_by(s, "lamp", &(struct row_filter){.category = bytes_of("home")}),
                        "");
    assert_string_equal(found_by(s, "lamp", &(struct row_filter){.category = bytes_of("garden")}),
                        "1 ");
    meta.meta.version = 3;
    meta.meta.content_hash++;
    assert_int_equal(write(s, meta), ITEM_MISSING);
    assert_int_equal(write(s, removal(1, 3)), ITEM_APPLIED);
    meta.meta = upsert(1, 4, "").meta;
    assert_int_equal(write(s, meta), ITEM_MISSING);
}

/* ---- Scans ---- */

/* Rows come in the order of ids as unsigned numbers, ends included, no more than wanted, with what
 * was written of them; one that nobody may be served is told as such, and deleted ones do not
 * come, on no path. */
static void scans_tell_what_was_written(void **state) {
    struct keywords_subject *s = *state;
    const uint64_t ids[] = {UINT64_MAX, 3, UINT64_C(1) << 63, 1, 2};
    for (int i = 0; i < 5; i++) {
        assert_int_equal(write(s, upsert(ids[i], 1, "lamp")), ITEM_APPLIED);
    }
    struct keyword_write hidden = upsert(3, 2, "lamp");
    hidden.meta.policy = POLICY_SUPPRESSED;
    assert_int_equal(write(s, hidden), ITEM_APPLIED);
    struct keyword_write inactive = upsert(UINT64_C(1) << 63, 2, "lamp");
    inactive.meta.active = false;
    assert_int_equal(write(s, inactive), ITEM_APPLIED);
    assert_int_equal(write(s, removal(2, 2)), ITEM_APPLIED);
    for (enum scan_path path = 0; path < SCAN_PATH_COUNT; path++) {
        struct scan_row rows[8];
        assert_int_equal(scan(s, path, 2, UINT64_MAX, rows, 8), 3);
        assert_int_equal(rows[0].listing_id, 3);
        assert_int_equal(rows[0].version, 2);
        assert_true(rows[0].alive);
        assert_true(rows[0].suppressed);
        assert_true(rows[1].listing_id == UINT64_C(1) << 63);
        assert_true(rows[1].alive);
        assert_true(rows[1].suppressed);
        assert_true(rows[2].listing_id == UINT64_MAX);
        assert_false(rows[2].suppressed);
        assert_true(rows[2].source_hash == upsert(UINT64_MAX, 1, "").meta.source_hash);
        assert_true(rows[2].whole_hash == upsert(UINT64_MAX, 1, "").meta.whole_hash);
        assert_true(rows[2].content_hash == upsert(UINT64_MAX, 1, "").meta.content_hash);
        assert_int_equal(rows[2].changed_at.ns, at(1).ns);
        assert_int_equal(scan(s, path, 0, UINT64_MAX, rows, 2), 2);
    }
}

/* ---- Searches ---- */

/* A document is found by any of its words, in whichever field: whole words, whatever their case and
 * diacritics, cut at punctuation. */
static void words_are_found(void **state) {
    struct keywords_subject *s = *state;
    struct keyword_write item = upsert(1, 1, "Reading-lamp, 40W (caf\xc3\xa9)");
    item.description = bytes_of("bright; on/off_switch");
    item.attributes = bytes_of("colour=\xc3\x89"
                               "cru hue:Gr\xc3\xbcn");
    assert_int_equal(write(s, item), ITEM_APPLIED);
    static const char *const found[] = {
        "lamp", "LAMP", "reading", "40w",        "cafe",     "BRIGHT",      "switch",         "off",
        "ecru", "grun", "colour",  "lamp-shade", "x, lamp!", "CAF\xc3\x89", "nothing of lamp"};
    static const char *const parted[] = {"x\xe2\x80\x94lamp", "x\xe3\x80\x80lamp",
                                         "\xc2\xablamp\xc2\xbb"};
    static const char *const missed[] = {"lam", "lamps", "40", "w", "", " ,;", "onoff", "caf"};
    for (size_t i = 0; i < sizeof found / sizeof *found; i++) {
        assert_string_equal(finds(s, found[i]), "1 ");
    }
    for (size_t i = 0; i < sizeof parted / sizeof *parted; i++) {
        assert_string_equal(finds(s, parted[i]), "1 "); /* dash, ideographic space, guillemets */
    }
    for (size_t i = 0; i < sizeof missed / sizeof *missed; i++) {
        assert_string_equal(finds(s, missed[i]), "");
    }
}

/* What users type is words and never syntax. */
static void queries_have_no_syntax(void **state) {
    struct keywords_subject *s = *state;
    assert_int_equal(write(s, upsert(1, 1, "lamp")), ITEM_APPLIED);
    assert_int_equal(write(s, upsert(2, 1, "and not near")), ITEM_APPLIED);
    static const char *const queries[] = {
        "!lamp",        "-lamp",  "lamp:*",     "\"lamp",     "lamp)", "(lamp | ", "lamp <-> x",
        "'lamp' & zzz", "lamp\\", "title:lamp", "{lamp} : y", "^lamp", "lamp*",    "la*, lamp"};
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        assert_string_equal(finds(s, queries[i]), "1 ");
    }
    assert_string_equal(finds(s, "x AND y"), "2 ");
    assert_string_equal(finds(s, "NOT x"), "2 ");
    assert_string_equal(finds(s, "NEAR(x y)"), "2 ");
}

/* A changed text is found by its present words alone. */
static void former_words_find_nothing(void **state) {
    struct keywords_subject *s = *state;
    struct keyword_write item = upsert(1, 1, "lamp");
    item.description = bytes_of("brass");
    assert_int_equal(write(s, item), ITEM_APPLIED);
    assert_string_equal(finds(s, "lamp"), "1 ");
    item = upsert(1, 2, "torch");
    assert_int_equal(write(s, item), ITEM_APPLIED);
    assert_string_equal(finds(s, "lamp brass"), "");
    assert_string_equal(finds(s, "torch"), "1 ");
    assert_int_equal(write(s, removal(1, 3)), ITEM_APPLIED);
    assert_string_equal(finds(s, "torch"), "");
}

/* More of the words asked for, and a title rather than a description, come first; equals by id; no
 * more than wanted, best first, with their versions. */
static void better_matches_come_first(void **state) {
    struct keywords_subject *s = *state;
    struct keyword_write told = upsert(1, 1, "table");
    told.description = bytes_of("lamp");
    assert_int_equal(write(s, told), ITEM_APPLIED);
    assert_int_equal(write(s, upsert(2, 1, "lamp")), ITEM_APPLIED);
    assert_int_equal(write(s, upsert(4, 1, "brass lamp")), ITEM_APPLIED);
    assert_int_equal(write(s, upsert(3, 2, "brass lamp")), ITEM_APPLIED);
    assert_string_equal(finds(s, "brass lamp"), "3 4 2 1 ");
    struct search_hit hits[3];
    assert_int_equal(search(s, "brass lamp", 3, NULL, hits), 3);
    assert_int_equal(hits[0].listing_id, 3);
    assert_int_equal(hits[0].version, 2);
    assert_true(hits[0].score == hits[1].score);
    assert_true(hits[1].score > hits[2].score);
    assert_true(hits[2].score > 0);
    assert_int_equal(search(s, "brass lamp", 0, NULL, hits), 0);
}

/* Where the locale asks for it, a word is found within a run of letters without spaces, and what
 * stands among them of other letters is found as it is; elsewhere a run is one word. */
static void words_without_spaces_are_found(void **state) {
    struct keywords_subject *s = *state;
    struct keyword_write item = upsert(1, 1,
                                       "SONY \xe9\x98\xb2\xe6\xb0\xb4\xe3\x82\xab\xe3\x83\xa1"
                                       "\xe3\x83\xa9"); /* waterproof camera */
    item.tokeniser = TOKENISER_BIGRAM;
    assert_int_equal(write(s, item), ITEM_APPLIED);
    item = upsert(2, 1, "\xe9\x98\xb2\xe6\xb0\xb4\xe3\x82\xab\xe3\x83\xa1\xe3\x83\xa9");
    assert_int_equal(write(s, item), ITEM_APPLIED);
    assert_string_equal(finds(s, "\xe3\x82\xab\xe3\x83\xa1\xe3\x83\xa9"), "1 "); /* camera */
    assert_string_equal(finds(s, "\xe9\x98\xb2\xe6\xb0\xb4"), "1 ");             /* waterproof */
    assert_string_equal(finds(s, "sony"), "1 ");
    assert_string_equal(finds(s, "\xe9\x9b\xa8"), ""); /* rain */
    assert_string_equal(finds(s, "sony\xe9\x9b\xa8"), "1 ");
    struct search_hit hits[4];
    assert_int_equal(
        search(s, "\xe9\x98\xb2\xe6\xb0\xb4\xe3\x82\xab\xe3\x83\xa1\xe3\x83\xa9", 4, NULL, hits),
        2);
}

/* Filters on category, locale, seller and what may be served, alone and together; a filter takes
 * none of the places of what passes it. */
static void filters_mean_what_they_say(void **state) {
    struct keywords_subject *s = *state;
    struct keyword_write items[] = {upsert(1, 1, "lamp"), upsert(2, 1, "lamp"),
                                    upsert(3, 1, "lamp"), upsert(4, 1, "lamp")};
    items[0].meta.locale = bytes_of("de");
    items[1].meta.seller_id = 8;
    items[2].meta.policy = POLICY_SUPPRESSED;
    items[3].meta.active = false;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(write(s, items[i]), ITEM_APPLIED);
    }
    const struct {
        struct row_filter filter;
        const char *passing;
    } cases[] = {{{.servable_only = true}, "1 2 "},
                 {{.locale = bytes_of("en")}, "2 3 4 "},
                 {{.locale = bytes_of("de"), .category = bytes_of("home")}, "1 "},
                 {{.seller_id = 8}, "2 "},
                 {{.seller_id = 7, .locale = bytes_of("en"), .servable_only = true}, ""},
                 {{.category = bytes_of("nowhere")}, ""},
                 {{.seller_id = 0}, "1 2 3 4 "}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_string_equal(found_by(s, "lamp", &cases[i].filter), cases[i].passing);
    }
    struct search_hit hit;
    assert_int_equal(search(s, "lamp", 1, &(struct row_filter){.seller_id = 8}, &hit), 1);
    assert_int_equal(hit.listing_id, 2);
}

static void block(struct keywords_subject *s, enum policy_status status, int64_t second) {
    struct seller_block item = {7, status, stamp_of(second)};
    assert_int_equal(s->port.ops->block(s->port.ctx, at(second), &item, 1), 0);
}

/* A blocked seller's documents are kept from searches for what may be served, at once and whatever
 * they say; the later word counts. */
static void blocks_go_ahead_of_documents(void **state) {
    struct keywords_subject *s = *state;
    struct row_filter servable = {.servable_only = true};
    assert_int_equal(write(s, upsert(1, 1, "lamp")), ITEM_APPLIED);
    block(s, POLICY_SUPPRESSED, 10);
    assert_string_equal(found_by(s, "lamp", &servable), "");
    assert_string_equal(finds(s, "lamp"), "1 ");
    block(s, POLICY_ACTIVE, 9);
    assert_string_equal(found_by(s, "lamp", &servable), "");
    block(s, POLICY_ACTIVE, 11);
    assert_string_equal(found_by(s, "lamp", &servable), "1 ");
    block(s, POLICY_SUPPRESSED, 10);
    assert_string_equal(found_by(s, "lamp", &servable), "1 ");
}

/* ---- Erasure ---- */

static uint64_t erase(struct keywords_subject *s, uint64_t id, doc_version version) {
    struct erasure_look looks[ERASURE_PLACE_COUNT] = {{0}};
    struct erasure_subject subject = {.listing_id = id, .version = version};
    assert_int_equal(s->port.ops->erase(s->port.ctx, at(3), &subject, 1, looks), 0);
    assert_int_equal(looks[ERASED_IN_KEYWORD].examined, 1);
    return looks[ERASED_IN_KEYWORD].found;
}

/* An erasure takes what is below its version and finds nothing a second time; what it took does not
 * come back with a write of before, also where there was nothing to take, and what came after
 * stays. */
static void erasures_leave_nothing(void **state) {
    struct keywords_subject *s = *state;
    assert_int_equal(write(s, upsert(1, 5, "lamp")), ITEM_APPLIED);
    assert_int_equal(write(s, upsert(2, 5, "lamp")), ITEM_APPLIED);
    assert_int_equal(erase(s, 1, 8), 1);
    assert_int_equal(erase(s, 1, 8), 0);
    assert_int_equal(erase(s, 2, 5), 0);
    assert_int_equal(erase(s, 3, 5), 0);
    assert_string_equal(finds(s, "lamp"), "2 ");
    assert_int_equal(write(s, upsert(1, 7, "lamp")), ITEM_CONFLICT);
    assert_int_equal(write(s, upsert(3, 4, "lamp")), ITEM_CONFLICT);
    assert_int_equal(write(s, upsert(1, 9, "lamp")), ITEM_APPLIED);
    assert_int_equal(erase(s, 1, 8), 0);
    assert_string_equal(finds(s, "lamp"), "1 2 ");
}

/* ---- A random play beside the fake ---- */

static const char *const vocabulary[] = {
    "lamp",
    "LAMP",
    "red-lamp",
    "caf\xc3\xa9",
    "Cafe",
    "40W",
    "x_y",
    "don't",
    "a/b",
    "\303\274ber",
    "1.5",
    "-3",
    "and",
    "\xd0\x9b\xd0\xb0\xd0\xbc\xd0\xbf\xd0\xb0",
    "chair",
    "(chair);",
    "\xe3\x82\xab\xe3\x83\xa1\xe3\x83\xa9",
    "\xe9\x98\xb2\xe6\xb0\xb4\xe3\x82\xab\xe3\x83\xa1\xe3\x83\xa9",
};
enum { VOCABULARY = sizeof vocabulary / sizeof vocabulary[0] };

/* Up to three words. */
static struct bytes play_text(struct prng *p, char text[TEXT_MAX]) {
    text[0] = 0;
    for (uint64_t n = prng_below(p, 4); n > 0; n--) {
        size_t used = strlen(text);
        snprintf(text + used, TEXT_MAX - used, "%s ", vocabulary[prng_below(p, VOCABULARY)]);
    }
    return bytes_of(text);
}

static void play_write(struct keywords_subject *const both[2], struct prng *p) {
    char texts[3][TEXT_MAX];
    struct keyword_write item = upsert(1 + prng_below(p, PLAY_LISTINGS), 1 + prng_below(p, 40), "");
    item.kind =
        prng_ratio(p, 1, 2) ? ROW_UPSERT : (enum row_write_kind)prng_below(p, ROW_WRITE_KIND_COUNT);
    item.rule = prng_ratio(p, 1, 10) ? VERSION_IGNORED : (enum version_rule)prng_below(p, 2);
    item.meta.content_hash = prng_below(p, 2);
    item.meta.seller_id = 7 + prng_below(p, 2);
    item.meta.active = prng_ratio(p, 3, 4);
    item.meta.policy = prng_ratio(p, 3, 4) ? POLICY_ACTIVE : POLICY_SUPPRESSED;
    item.meta.category = bytes_of(prng_ratio(p, 1, 2) ? "garden" : "home");
    item.title = play_text(p, texts[0]);
    item.description = play_text(p, texts[1]);
    item.attributes = play_text(p, texts[2]);
    item.tokeniser = prng_ratio(p, 1, 3) ? TOKENISER_BIGRAM : TOKENISER_WORD;
    assert_int_equal(write(both[0], item), write(both[1], item));
}

/* What it finds may differ, since of what is masked a subject may have nothing left. */
static void play_erase(struct keywords_subject *const both[2], struct prng *p) {
    uint64_t id = 1 + prng_below(p, PLAY_LISTINGS);
    doc_version version = 1 + prng_below(p, 40);
    for (int i = 0; i < 2; i++) {
        (void)erase(both[i], id, version);
        assert_int_equal(erase(both[i], id, version), 0);
    }
}

static int by_id(const void *left, const void *right) {
    const struct search_hit *a = left;
    const struct search_hit *b = right;
    return (a->listing_id > b->listing_id) - (a->listing_id < b->listing_id);
}

static void assert_same(struct keywords_subject *const both[2], struct prng *p) {
    struct scan_row rows[2][ROWS_MAX];
    struct search_hit hits[2][ROWS_MAX];
    size_t counts[2];
    char words[TEXT_MAX];
    enum scan_path path = (enum scan_path)prng_below(p, SCAN_PATH_COUNT);
    struct row_filter filter = {.category = bytes_of(prng_ratio(p, 1, 2) ? "" : "garden"),
                                .servable_only = prng_ratio(p, 1, 2)};
    (void)play_text(p, words);
    for (int i = 0; i < 2; i++) {
        counts[i] = scan(both[i], path, 0, UINT64_MAX, rows[i], ROWS_MAX);
    }
    assert_int_equal(counts[0], counts[1]);
    for (size_t i = 0; i < counts[0]; i++) {
        assert_memory_equal(&rows[0][i], &rows[1][i], sizeof rows[0][i]);
    }
    for (int i = 0; i < 2; i++) {
        counts[i] = search(both[i], words, ROWS_MAX, &filter, hits[i]);
        for (size_t h = 1; h < counts[i]; h++) {
            assert_true(hits[i][h].score <= hits[i][h - 1].score);
        }
        qsort(hits[i], counts[i], sizeof hits[i][0], by_id);
    }
    assert_int_equal(counts[0], counts[1]);
    for (size_t i = 0; i < counts[0]; i++) {
        assert_int_equal(hits[0][i].listing_id, hits[1][i].listing_id);
        assert_int_equal(hits[0][i].version, hits[1][i].version);
    }
}

/* Whatever writers, the gate and the eraser do, a subject finds what the fake finds. */
static void random_plays_agree_with_the_fake(void **state) {
    struct keywords_subject fake;
    assert_true(keywords_subject_fake(&fake));
    struct keywords_subject *const both[] = {*state, &fake};
    struct prng p;
    prng_init(&p, 29, "keywords conformance");
    for (int step = 0; step < 900; step++) {
        if (prng_ratio(&p, 1, 20)) {
            play_erase(both, &p);
        } else if (prng_ratio(&p, 1, 20)) {
            enum policy_status status = prng_ratio(&p, 1, 2) ? POLICY_ACTIVE : POLICY_SUPPRESSED;
            int64_t second = (int64_t)prng_below(&p, 100);
            block(both[0], status, second);
            block(both[1], status, second);
        } else {
            play_write(both, &p);
        }
        if (step % 5 == 4) {
            assert_same(both, &p);
        }
    }
    fake.free(fake.ctx);
}

int keywords_suite_run(const char *name, bool (*make)(struct keywords_subject *out)) {
    const struct CMUnitTest tests[] = {
        TEST(versions_guard_documents_and_deletions),
        TEST(tombstones_may_be_documents),
        TEST(items_are_answered_one_by_one),
        TEST(metadata_goes_alone),
        TEST(scans_tell_what_was_written),
        TEST(words_are_found),
        TEST(queries_have_no_syntax),
        TEST(former_words_find_nothing),
        TEST(better_matches_come_first),
        TEST(words_without_spaces_are_found),
        TEST(filters_mean_what_they_say),
        TEST(blocks_go_ahead_of_documents),
        TEST(erasures_leave_nothing),
        TEST(random_plays_agree_with_the_fake),
    };
    make_subject = make;
    return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}
