/*
 * Replay of a file of changes (A1): what each line becomes, field by field; what is wrong with a
 * bad file, in one sentence that says where (D12); and a real catalogue, when it is at hand.
 */
#define _POSIX_C_SOURCE 200809L

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "sim/line_reader.h"
#include "sim/prng.h"
#include "sim/replay.h"
#include "sim/replay_line.h"
#include "tests/sim/fold_ops.h"

#define START_NS (INT64_C(1770743535) * VTIME_SECOND) /* 2026-02-10T17:12:15Z */

static struct workload *open_file(const char *path, int64_t spread_ns) {
    struct workload_options options = {.seed = 1, .file = path, .spread_ns = spread_ns};
    struct workload_error error = {""};
    struct workload *w = workload_new(&options, &error);
    if (w == NULL) {
        fail_msg("%s", error.text);
    }
    return w;
}

/* ---- readable traces ---- */

struct trace {
    char text[1 << 16];
    size_t len;
    uint64_t images[32]; /* by the order in which they were first seen, from 1 */
    size_t image_count;
};

__attribute__((format(printf, 2, 3))) static void trace_add(struct trace *t, const char *format,
                                                            ...) {
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(t->text + t->len, sizeof t->text - t->len, format, arguments);
    va_end(arguments);
    assert_in_range(len, 0, sizeof t->text - t->len - 1);
    t->len += (size_t)len;
}

static size_t image_number(struct trace *t, uint64_t image_id) {
    for (size_t i = 0; i < t->image_count; i++) {
        if (t->images[i] == image_id) {
            return i + 1;
        }
    }
    assert_true(t->image_count < 32);
    t->images[t->image_count++] = image_id;
    return t->image_count;
}

static void trace_value(struct trace *t, const struct field *f) {
    switch (f->type) {
    case VALUE_NULL:
        trace_add(t, "null");
        break;
    case VALUE_TEXT:
        trace_add(t, "\"%.*s\"", (int)f->text.len, f->text.data);
        break;
    case VALUE_INTEGER:
        trace_add(t, "%" PRId64, f->integer);
        break;
    case VALUE_NUMBER:
        trace_add(t, "%.*s", (int)f->text.len, f->text.data);
        break;
    case VALUE_IDS:
        trace_add(t, "[");
        for (size_t i = 0; i < field_id_count(f); i++) {
            trace_add(t, "#%zu", image_number(t, field_id_at(f, i)));
        }
        trace_add(t, "]");
        break;
    }
}

static void trace_record(struct trace *t, const struct workload_op *op) {
    static const char *const names[] = {"",         "title",  "description", "locale",
                                        "category", "seller", "price",       "image_ids"};
    struct record r;
    struct record_error error;
    assert_int_equal(record_decode(op->value, &r, &error), 0);
    if (r.type == RECORD_MEDIA) {
        trace_add(t, " #%zu", image_number(t, r.image_id));
        if (r.op == RECORD_DELETE) {
            trace_add(t, " withdrawn");
        } else {
            trace_add(t, " \"%.*s\"", (int)r.image_descriptor.len, r.image_descriptor.data);
        }
        return;
    }
    struct field_cursor cursor = record_fields(&r);
    struct field f;
    while (record_fields_next(&cursor, &f)) {
        if (f.id == FIELD_ATTRIBUTE) {
            trace_add(t, " %.*s:", (int)f.name.len, f.name.data);
        } else {
            trace_add(t, " %s=", names[f.id]);
        }
        trace_value(t, &f);
    }
}

static void trace_all(struct workload *w, struct trace *t) {
    struct workload_op op;
    while (workload_next(w, &op)) {
        int64_t ns = op.at.ns - START_NS;
        trace_add(t, "%" PRId64 ".%09" PRId64 " %s ", ns / VTIME_SECOND, ns % VTIME_SECOND,
                  workload_op_name(op.kind));
        if (op.key & REPLAY_ID_BIT) {
            trace_add(t, "hash");
        } else {
            trace_add(t, "%" PRIu64, op.key);
        }
        trace_record(t, &op);
        trace_add(t, "\n");
    }
}

static char *read_file(const char *path) {
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char *text = calloc(1, 1 << 16);
    assert_non_null(text);
    assert_in_range(fread(text, 1, (1 << 16) - 1, file), 1, (1 << 16) - 2);
    fclose(file);
    return text;
}

/* Every line becomes the operations that the trace beside it shows, with every field kept. */
static void lines_become_operations(void **state) {
    (void)state;
    struct workload *w = open_file("tests/data/changes.jsonl", VTIME_HOUR);
    struct trace *t = calloc(1, sizeof *t);
    assert_non_null(t);
    trace_all(w, t);
    char *expected = read_file("tests/data/changes.trace");
    assert_string_equal(t->text, expected);
    free(expected);
    free(t);
    workload_free(w);
}

/* The row beside each operation is the fold of the records so far. */
static void rows_are_the_fold_of_their_records(void **state) {
    (void)state;
    struct workload *w = open_file("tests/data/changes.jsonl", VTIME_HOUR);
    struct fold fold;
    fold_init(&fold);
    struct workload_op op;
    uint64_t count = 0;
    while (workload_next(w, &op)) {
        fold_op(&fold, &op);
        assert_int_equal(op.through_oltp, op.kind != OP_MEDIA);
        count++;
    }
    assert_true(count == workload_total(w));
    assert_true(workload_end(w).ns == op.at.ns);
    fold_release(&fold);
    workload_free(w);
}

/* ---- files made by the tests ---- */

static char *temporary(const char *name) {
    const char *folder = getenv("TMPDIR");
    static char path[512];
    snprintf(path, sizeof path, "%s/murphy-replay-%ld-%s", folder == NULL ? "/tmp" : folder,
             (long)getpid(), name);
    return path;
}

static const char *write_file(const char *name, const void *data, size_t len) {
    const char *path = temporary(name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_true(fwrite(data, 1, len, file) == len);
    assert_int_equal(fclose(file), 0);
    return path;
}

static const char *write_gzip(const char *name, const void *data, size_t len) {
    const char *path = temporary(name);
    gzFile file = gzopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(gzwrite(file, data, (unsigned)len), (int)len);
    assert_int_equal(gzclose(file), Z_OK);
    return path;
}

static uint64_t digest_file(const char *path, int64_t spread_ns) {
    struct workload *w = open_file(path, spread_ns);
    struct workload_op op;
    uint64_t sum = DIGEST_START;
    while (workload_next(w, &op)) {
        sum = digest_op(sum, &op);
    }
    workload_free(w);
    return sum;
}

/* The same from gzip, without a last newline, with CR LF, and from every compiler (D3). */
static void the_form_of_the_file_does_not_matter(void **state) {
    (void)state;
    uint64_t plain = digest_file("tests/data/changes.jsonl", VTIME_HOUR);
    if (plain != UINT64_C(0x42493fa298886830)) {
        fail_msg("digest is 0x%016" PRIx64, plain);
    }
    char *text = read_file("tests/data/changes.jsonl");
    size_t len = strlen(text);
    const char *path = write_gzip("form", text, len);
    assert_true(digest_file(path, VTIME_HOUR) == plain);
    path = write_file("form", text, len - 1);
    assert_true(digest_file(path, VTIME_HOUR) == plain);
    char *crlf = calloc(2, len);
    assert_non_null(crlf);
    size_t out = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\n') {
            crlf[out++] = '\r';
        }
        crlf[out++] = text[i];
    }
    path = write_file("form", crlf, out);
    assert_true(digest_file(path, VTIME_HOUR) == plain);
    remove(path);
    free(crlf);
    free(text);
}

/* The moment of every operation of a file of deletes, from its start, in nanoseconds. */
static void assert_moments(const char *text, int64_t spread_ns, const int64_t *expected,
                           size_t count) {
    const char *path = write_file("moments", text, strlen(text));
    struct workload *w = open_file(path, spread_ns);
    struct workload_op op;
    assert_true(workload_total(w) == count);
    for (size_t i = 0; i < count; i++) {
        assert_true(workload_peek(w).ns == expected[i]);
        assert_true(workload_next(w, &op));
        assert_true(op.at.ns == expected[i] && op.stamp.ts.ns == expected[i]);
    }
    assert_true(workload_peek(w).ns == VTIME_NEVER.ns);
    assert_false(workload_next(w, &op));
    workload_free(w);
    remove(path);
}

#define GONE(ts) "{\"op\":\"delete\",\"ts\":\"" ts "\",\"id\":\"1\"}\n"

/* Events of one timestamp are spread evenly, never past the next timestamp. */
static void times_are_spread_by_the_rule(void **state) {
    (void)state;
    const char *text = GONE("1970-01-01T00:00:00Z") GONE("1970-01-01T00:00:00Z")
        GONE("1970-01-01T00:00:00Z") GONE("1970-01-01T00:00:03Z") GONE("1970-01-01T00:00:03.000Z");
    const int64_t s = VTIME_SECOND;
    assert_moments(text, 2 * s, (int64_t[]){0, 666666666, 1333333333, 3 * s, 4 * s}, 5);
    assert_moments(text, 60 * s, (int64_t[]){0, s, 2 * s, 3 * s, 33 * s}, 5);
    assert_moments(text, 0, (int64_t[]){0, 1, 2, 3 * s, 3 * s + 1}, 5);
    assert_moments(GONE("2261-12-31T23:59:59.999999999Z"), INT64_MAX,
                   (int64_t[]){INT64_C(9214646399999999999)}, 1);
    assert_moments(GONE("2000-02-29T12:34:56.789Z"), 1, (int64_t[]){INT64_C(951827696789000000)},
                   1);
}

/* ---- what is wrong with a file ---- */

static void assert_refused(const char *path, int64_t spread_ns, const char *where,
                           const char *what) {
    struct workload_options options = {.seed = 1, .file = path, .spread_ns = spread_ns};
    struct workload_error error = {""};
    struct workload *w = workload_new(&options, &error);
    if (w != NULL) {
        fail_msg("accepted, but expected: %s", what);
    }
    char prefix[600];
    snprintf(prefix, sizeof prefix, "%s:%s ", path, where);
    if (strncmp(error.text, prefix, strlen(prefix)) != 0 || strstr(error.text, what) == NULL) {
        fail_msg("said: %s\nexpected: %s... %s", error.text, prefix, what);
    }
    assert_null(strchr(error.text, '\n'));
}

#define TS "\"ts\":\"2026-02-10T17:12:15Z\""
#define GOOD GONE("2026-02-10T17:12:15Z")
#define DOC(fields) "{\"op\":\"create\"," TS ",\"id\":\"1\",\"doc\":{" fields "}}"
#define LONG_TEXT 20481

/* Every kind of bad line: one sentence with file, line and, where it is known, column. */
static void bad_lines_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *text, *where, *what;
    } cases[] = {
        {"", "", "the file is empty"},
        {"\n", "1:", "the line is empty"},
        {GOOD "\n" GOOD, "2:", "the line is empty"},
        {GOOD " \t\r\n", "2:", "the line is empty"},
        {GOOD "{\"op\":\"delete\"", "2:14:", "no JSON: '}' expected near end of file"},
        {GOOD "{\"op\" \"delete\"}", "2:7:", "no JSON: ':' expected near '\"delete\"'"},
        {"{\"price\":NaN}", "1:10:", "no JSON: invalid token near 'NaN'"},
        {DOC("\"price\":NaN"), "1:68:", "no JSON: invalid token near 'NaN'"},
        {DOC("\"price\":-Infinity"), "1:68:", "no JSON: invalid token near '-'"},
        {DOC("\"price\":1e999"), "1:68:", "no JSON: real number overflow"},
        {DOC("\"stock\":123456789012345678901234567890"), "1:97:", "no JSON: too big integer"},
        {DOC("\"name\":\"caf\xe9\""), "1:67:", "no JSON: unable to decode byte 0xe9"},
        {DOC("\"name\":\"\\ud800\""), "1:67:", "no JSON: invalid Unicode"},
        {DOC("\"name\":\"a\\u0000b\""), "1:67:", "no JSON: \\u0000 is not allowed"},
        {DOC("\"name\":\"a\",\"name\":\"b\""), "1:71:", "no JSON: duplicate object key"},
        {"{} {}", "1:4:", "no JSON: end of file expected"},
        {"[]", "1:", "the line is a list, not an object"},
        {"null", "1:", "the line is null, not an object"},
        {"\"x\"", "1:", "the line is a text, not an object"},
        {"{}", "1:", "the event has no op"},
        {"{\"opp\":\"delete\"}", "1:", "\"opp\" is no part of an event"},
        {"{\"op\":1}", "1:", "op is a number, not a text"},
        {"{\"op\":\"upsert\"}", "1:", "op is \"upsert\", not create"},
        {"{\"op\":\"delete\"}", "1:", "the event has no ts"},
        {"{\"op\":\"delete\",\"ts\":1770743535}", "1:", "ts is a number, not a text"},
        {GONE("2026-02-10 17:12:15Z"), "1:", "ts is \"2026-02-10 17:12:15Z\", not a time"},
        {GONE("2026-02-10T17:12:15"), "1:", "not a time"},
        {GONE("2026-02-10T17:12:15+00:00"), "1:", "not a time"},
        {GONE("2026-02-30T17:12:15Z"), "1:", "not a time"},
        {GONE("2025-02-29T17:12:15Z"), "1:", "not a time"},
        {GONE("2026-13-01T17:12:15Z"), "1:", "not a time"},
        {GONE("2026-02-10T24:00:00Z"), "1:", "not a time"},
        {GONE("2026-02-10T17:12:60Z"), "1:", "not a time"},
        {GONE("2026-02-10T17:12:15.Z"), "1:", "not a time"},
        {GONE("2026-02-10T17:12:15.1234567890Z"), "1:", "not a time"},
        {GONE("1969-12-31T23:59:59Z"), "1:", "not a time from 1970 to 2261"},
        {GONE("2262-01-01T00:00:00Z"), "1:", "not a time from 1970 to 2261"},
        {GONE("2026-02-10T17:12:15Zx"), "1:", "not a time"},
        {GONE(""), "1:", "ts is \"\", not a time"},
        {"{\"op\":\"delete\"," TS "}", "1:", "the event has no id"},
        {"{\"op\":\"delete\"," TS ",\"id\":10005}", "1:", "id is a number, not a text"},
        {"{\"op\":\"delete\"," TS ",\"id\":\"\"}", "1:", "id has 0 bytes"},
        {"{\"op\":\"create\"," TS ",\"id\":\"1\"}", "1:", "the event has no doc"},
        {"{\"op\":\"create\"," TS ",\"id\":\"1\",\"doc\":null}", "1:", "the event has no doc"},
        {"{\"op\":\"create\"," TS ",\"id\":\"1\",\"doc\":[]}", "1:", "doc is a list, not an"},
        {DOC("\"id\":\"2\""), "1:", "doc.id is not the id of the event, \"1\""},
        {DOC("\"id\":1"), "1:", "doc.id is not the id of the event"},
        {DOC("\"name\":5"), "1:", "doc.name is a number, not a text"},
        {DOC("\"top_category\":[]"), "1:", "doc.top_category is a list, not a text"},
        {DOC("\"locale\":false"), "1:", "doc.locale is a boolean, not a text"},
        {DOC("\"thumbnail\":{}"), "1:", "doc.thumbnail is an object, not a text"},
        {DOC("\"price\":\"2.45\""), "1:", "doc.price is a text, not a number"},
        {DOC("\"price\":-0.01"), "1:", "doc.price is negative"},
        {DOC("\"price\":-5"), "1:", "doc.price is negative"},
        {DOC("\"price\":2.45001"), "1:", "doc.price has more than four decimals"},
        {DOC("\"price\":900000000001"), "1:", "doc.price is above 900000000000"},
        {DOC("\"seller_id\":0"), "1:", "doc.seller_id is not a whole number from 1"},
        {DOC("\"seller_id\":\"x\""), "1:", "doc.seller_id is not a whole number from 1"},
        {DOC("\"\":1"), "1:", "attribute has no name"},
        {"{\"op\":\"update\"," TS ",\"id\":\"1\",\"changed\":\"price\",\"doc\":{}}",
         "1:", "changed is a text, not a list of names"},
        {"{\"op\":\"update\"," TS ",\"id\":\"1\",\"changed\":[1],\"doc\":{}}",
         "1:", "changed[0] is a number, not a name"},
        {"{\"op\":\"update\"," TS ",\"id\":\"1\",\"changed\":[\"id\"],\"doc\":{}}",
         "1:", "changed names id"},
        {"{\"op\":\"update\"," TS ",\"id\":\"1\",\"changed\":[\"a\",\"b\",\"a\"],\"doc\":{}}",
         "1:", "changed names \"a\" twice"},
        {"{\"op\":\"create\"," TS ",\"id\":\"x\",\"doc\":{\"source_id\":\"y\"}}",
         "1:", "doc.source_id stands where the id \"x\""},
        {GOOD GONE("2026-02-10T17:12:14.999Z"), "2:", "ts is before that of the line above"},
        {GONE("1970-01-01T00:00:00Z") GONE("1970-01-01T00:00:00Z")
             GONE("1970-01-01T00:00:00.000000001Z"),
         "3:", "there are 2 events, media included, at one time, and 1 nanoseconds"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *path = write_file("bad", cases[i].text, strlen(cases[i].text));
        assert_refused(path, VTIME_SECOND, cases[i].where, cases[i].what);
        remove(path);
    }
}

/* Bounds of the contract: texts of 20 KB, names of 255 bytes, 1,000 fields, a line of 16 MiB. */
static void oversized_lines_are_refused(void **state) {
    (void)state;
    size_t room = (size_t)REPLAY_LINE_MAX + 1;
    char *text = malloc(room);
    assert_non_null(text);
    int head = snprintf(text, room, "{\"op\":\"create\"," TS ",\"id\":\"1\",\"doc\":{\"name\":\"");
    memset(text + head, 'a', LONG_TEXT);
    strcpy(text + head + LONG_TEXT, "\"}}");
    const char *path = write_file("big", text, strlen(text));
    assert_refused(path, 0, "1:", "doc.name: text is too long");

    head = snprintf(text, room, "{\"op\":\"create\"," TS ",\"id\":\"1\",\"doc\":{\"");
    memset(text + head, 'k', 256);
    strcpy(text + head + 256, "\":1}}");
    path = write_file("big", text, strlen(text));
    assert_refused(path, 0, "1:", "text is too long (attribute name is 256");

    size_t len = (size_t)snprintf(text, room, "{\"op\":\"create\"," TS ",\"id\":\"1\",\"doc\":{");
    for (int i = 0; i < 994; i++) {
        len += (size_t)snprintf(text + len, room - len, "%s\"k%d\":%d", i > 0 ? "," : "", i, i);
    }
    strcpy(text + len, "}}");
    path = write_file("big", text, strlen(text));
    assert_refused(path, 0, "1:", "the listing has 1001 fields, more than 1000");

    memset(text, ' ', room);
    path = write_file("big", text, room);
    assert_refused(path, 0, "1:", "the line is longer than 16777216 bytes");
    remove(path);
    free(text);
}

/* Files that cannot be read, or not to their end. */
static void unreadable_files_are_refused(void **state) {
    (void)state;
    assert_refused("tests/data", 0, "", "Is a directory");
    assert_refused("tests/data/no-such-file.jsonl", 0, "", "No such file or directory");
    assert_refused("tests/data/changes.jsonl/x", 0, "", "Not a directory");

    char *text = read_file("tests/data/changes.jsonl");
    const char *path = write_gzip("gz", text, strlen(text));
    free(text);
    char *packed = read_file(path);
    struct stat about;
    assert_int_equal(stat(path, &about), 0);
    size_t len = (size_t)about.st_size;
    for (size_t cut = 3; cut < len; cut += 7) { /* never half a result, wherever it is cut */
        struct workload_options options = {.file = write_file("gz", packed, cut)};
        struct workload_error error = {""};
        assert_null(workload_new(&options, &error));
        assert_non_null(strstr(error.text, "the gzip data are cut off"));
    }
    packed[len / 2] = (char)(packed[len / 2] ^ 0x10);
    struct workload_options options = {.file = write_file("gz", packed, len)};
    struct workload_error error = {""};
    assert_null(workload_new(&options, &error));
    remove(options.file);
    free(packed);

    options = (struct workload_options){.file = "tests/data/changes.jsonl", .spread_ns = -1};
    assert_null(workload_new(&options, &error));
    assert_string_equal(error.text, "workload.spread must be 0 or more");
}

/* Whatever the bytes are, the answer is a workload or one sentence of valid UTF-8. */
static void damaged_files_never_crash(void **state) {
    (void)state;
    char *good = read_file("tests/data/changes.jsonl");
    size_t len = strlen(good);
    char *bad = malloc(len);
    assert_non_null(bad);
    struct prng p;
    prng_init(&p, 1, "test");
    uint64_t refused = 0;
    for (int i = 0; i < 1500; i++) {
        memcpy(bad, good, len);
        for (uint64_t j = 0; j <= prng_below(&p, 3); j++) {
            bad[prng_below(&p, len)] = (char)prng_below(&p, 256);
        }
        struct workload_options options = {.seed = 1, .file = write_file("fuzz", bad, len)};
        struct workload_error error = {""};
        struct workload *w = workload_new(&options, &error);
        if (w == NULL) {
            refused++;
            assert_true(strlen(error.text) > strlen(options.file));
            continue;
        }
        struct fold fold;
        fold_init(&fold);
        struct workload_op op;
        while (workload_next(w, &op)) {
            fold_op(&fold, &op);
        }
        fold_release(&fold);
        workload_free(w);
    }
    assert_in_range(refused, 700, 1499);
    remove(temporary("fuzz"));
    free(bad);
    free(good);
}

/* A decimal price becomes its ten-thousandths exactly, whatever the double next to it is. */
static void prices_are_exact(void **state) {
    (void)state;
    static char text[200000];
    struct prng p;
    prng_init(&p, 5, "test");
    int64_t expected[1000];
    size_t len = 0;
    for (int i = 0; i < 1000; i++) {
        int64_t digits = prng_range(&p, 1, 15);
        int64_t bound = 1;
        while (digits-- > 0) {
            bound *= 10;
        }
        expected[i] = prng_range(&p, 0, bound);
        len += (size_t)snprintf(text + len, sizeof text - len,
                                "{\"op\":\"create\"," TS
                                ",\"id\":\"%d\",\"doc\":{\"price\":%" PRId64 ".%04" PRId64 "}}\n",
                                i, expected[i] / 10000, expected[i] % 10000);
    }
    const char *path = write_file("prices", text, len);
    struct workload *w = open_file(path, 0);
    struct workload_op op;
    for (int i = 0; i < 1000; i++) {
        assert_true(workload_next(w, &op));
        assert_true(op.listing.price == expected[i]);
    }
    workload_free(w);
    remove(path);
}

/* Lines of every length come out whole, whatever the size of the reads between them. */
static void lines_come_out_whole(void **state) {
    (void)state;
    struct prng p;
    prng_init(&p, 6, "test");
    for (int run = 0; run < 40; run++) {
        static char text[600000];
        size_t lengths[40];
        size_t len = 0;
        for (size_t i = 0; i < 40; i++) {
            lengths[i] = prng_below(&p, i % 10 == 0 ? 140000 : 50);
            memset(text + len, 'a' + (int)(i % 26), lengths[i]);
            len += lengths[i];
            text[len++] = '\n';
        }
        const char *path =
            run % 2 == 0 ? write_file("lines", text, len) : write_gzip("lines", text, len);
        struct line_reader r;
        struct bytes line;
        assert_int_equal(line_reader_open(&r, path, 1 << 20), 0);
        for (size_t i = 0; i < 40; i++) {
            assert_int_equal(line_reader_next(&r, &line), LINE_READ);
            assert_int_equal(line.len, lengths[i]);
            assert_int_equal(r.line, i + 1);
            for (size_t at = 0; at < line.len; at++) {
                assert_int_equal(line.data[at], 'a' + (int)(i % 26));
            }
        }
        assert_int_equal(line_reader_next(&r, &line), LINE_END);
        assert_int_equal(line_reader_next(&r, &line), LINE_END);
        line_reader_close(&r);
        remove(path);
    }
}

/* ---- a real catalogue ---- */

static const char *real_catalogue(char *path, size_t size) {
    const char *folder = getenv("MURPHY_DATA");
    snprintf(path, size, "%s/mercadona/events.jsonl.gz",
             folder == NULL ? "../shared/data" : folder);
    return access(path, R_OK) == 0 ? path : NULL;
}

/* All 34,261 changes of a grocer's half year, every row the fold of its records. Set MURPHY_DATA to
 * the folder that holds mercadona/events.jsonl.gz when that is not ../shared/data. */
static void a_real_catalogue_replays(void **state) {
    (void)state;
    char path[512];
    if (real_catalogue(path, sizeof path) == NULL) {
        print_message("skipped: there is no %s\n", path);
        skip();
    }
    struct workload *w = open_file(path, 6 * VTIME_HOUR);
    struct fold fold;
    fold_init(&fold);
    struct workload_op op;
    struct workload_query query;
    uint64_t kinds[OP_KIND_COUNT] = {0}, thumbnails = 0, prices = 0, asked = 0, total = 0;
    vtime last = {0};
    while (workload_next(w, &op)) {
        fold_op(&fold, &op);
        assert_true(op.at.ns > last.ns);
        last = op.at;
        kinds[op.kind]++;
        if (op.kind == OP_LISTING_UPDATE) {
            struct record r;
            struct record_error error;
            struct field f;
            record_decode(op.value, &r, &error);
            struct field_cursor cursor = record_fields(&r);
            while (record_fields_next(&cursor, &f)) {
                prices += f.id == FIELD_PRICE;
                thumbnails += f.id == FIELD_IMAGE_IDS;
            }
        }
        if (++total % 97 == 0 && workload_query(w, total, &query)) {
            assert_true(document_alive(fold_document(&fold, query.listing_id)));
            assert_true(query.text.len > 0);
            asked++;
        }
    }
    assert_int_equal(kinds[OP_LISTING_CREATE], 16417);
    assert_int_equal(kinds[OP_LISTING_DELETE], 12075);
    assert_int_equal(kinds[OP_LISTING_UPDATE], 4210 + 1559);
    assert_int_equal(prices, 4210 + 66 + 22 + 1);
    assert_int_equal(thumbnails, 969 + 66 + 27 + 1 + 1);
    assert_true(kinds[OP_MEDIA] >= 16417 && asked > 400);
    uint64_t alive = 0;
    for (size_t i = 0; i < fold.count; i++) {
        alive += document_alive(&fold.documents[i]);
        if (document_alive(&fold.documents[i])) {
            assert_int_equal(document_visible_image_count(&fold.documents[i]), 1);
        }
    }
    assert_int_equal(alive, 16417 - 12075);
    assert_true(workload_end(w).ns == last.ns);
    fold_release(&fold);
    workload_free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_become_operations),
        cmocka_unit_test(rows_are_the_fold_of_their_records),
        cmocka_unit_test(the_form_of_the_file_does_not_matter),
        cmocka_unit_test(times_are_spread_by_the_rule),
        cmocka_unit_test(bad_lines_are_refused),
        cmocka_unit_test(oversized_lines_are_refused),
        cmocka_unit_test(unreadable_files_are_refused),
        cmocka_unit_test(damaged_files_never_crash),
        cmocka_unit_test(prices_are_exact),
        cmocka_unit_test(lines_come_out_whole),
        cmocka_unit_test(a_real_catalogue_replays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
