/* The upgrader (A10, C8): every phase, the refusal by every gate, throttling, doubled commands, and
 * a crash after every single answer, with what was asked for carried out or not. The stores are
 * arrays; the builder is whoever reads the repairs that the machine tells. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/topics.h"
#include "tests/support/machine_script.h"

enum { LISTINGS = 40, MODELS = 4, COMMANDS_MAX = 16, OLD = 1, SHADOW = 2 };

struct shop {
    struct script *script;
    struct scan_row gold[LISTINGS];                         /* listing i + 1 */
    struct scan_row rows[MODELS][MODALITY_COUNT][LISTINGS]; /* listing id 0: not there */
    bool exists[MODELS][MODALITY_COUNT];
    uint32_t aliases[MODALITY_COUNT];
    size_t switches;
    const char *commands[COMMANDS_MAX + 1];
    size_t command_count;
    uint32_t generation;
    char phase[24]; /* told last */
    size_t asked;   /* repairs of listings */
    bool no_repair; /* the builder does nothing */
    bool bad_index; /* approximate search finds nothing near */
    bool strange;   /* the old model's neighbours are others */
    bool drifting;  /* vectors written later are others */
    bool fashion;   /* the same under every model: later listings are others */
    char told[1 << 16];
    size_t mark; /* what was told before it was waited for already */
};

static vtime ago(const struct shop *shop, int64_t ns) {
    return vtime_add(shop->script->now, -ns);
}

static void put_row(struct shop *shop, uint32_t model, size_t i, vtime at) {
    for (int m = 0; m < MODALITY_COUNT; m++) {
        struct scan_row *row = &shop->rows[model][m][i];
        bool wanted = shop->gold[i].alive && (shop->gold[i].modalities >> m & 1) != 0;
        *row = shop->gold[i];
        row->listing_id = wanted ? i + 1 : 0;
        row->model_version = model;
        row->changed_at = at;
        row->modalities = 0;
    }
}

static struct shop *shop_new_with(const struct pipeline_config *config, const struct bugs *bugs) {
    struct shop *shop = calloc(1, sizeof *shop);
    assert_non_null(shop);
    struct pipeline_config own = config == NULL ? (struct pipeline_config){0} : *config;
    own.partitions = 1;
    shop->script = script_new(MACHINE_UPGRADER, &own, bugs);
    shop->script->now = text_time(86400);
    for (size_t i = 0; i < LISTINGS; i++) {
        shop->gold[i] = (struct scan_row){.listing_id = i + 1,
                                          .version = doc_version_pack(0, (int64_t)i + 10),
                                          .whole_hash = 1000 + i,
                                          .modalities = i % 4 == 0 ? 5 : 7,
                                          .changed_at = ago(shop, 2 * VTIME_HOUR),
                                          .alive = i % 10 != 9};
        put_row(shop, OLD, i, ago(shop, 2 * VTIME_HOUR));
    }
    for (int m = 0; m < MODALITY_COUNT; m++) {
        shop->exists[OLD][m] = true;
        shop->aliases[m] = OLD;
    }
    return shop;
}

static struct shop *shop_new(void) {
    return shop_new_with(NULL, NULL);
}

static void shop_free(struct shop *shop) {
    script_free(shop->script);
    free(shop);
}

/* A listing changes; the models given (0: none) are written at once. */
static void change(struct shop *shop, size_t i, vtime at, uint32_t a, uint32_t b) {
    shop->gold[i].version++;
    shop->gold[i].whole_hash += 100000;
    shop->gold[i].changed_at = at;
    for (uint32_t model = 1; model < MODELS; model++) {
        if (model == a || model == b) {
            put_row(shop, model, i, at);
        }
    }
}

/* ---- The stores answer ---- */

static void scan(struct shop *shop, struct effect *e) {
    bool gold = e->scan.store == SCAN_GOLD;
    uint32_t model = e->scan.model_version;
    assert_true(gold || shop->exists[model][e->scan.store - SCAN_VECTOR_TEXT]);
    const struct scan_row *rows =
        gold ? shop->gold : shop->rows[model][e->scan.store - SCAN_VECTOR_TEXT];
    e->scan.complete = true;
    for (size_t i = 0; i < LISTINGS; i++) {
        uint64_t id = rows[i].listing_id;
        if (id == 0 || id < e->scan.first || id > e->scan.last) {
            continue;
        }
        if (e->scan.count == e->scan.max) {
            e->scan.complete = false;
            return;
        }
        e->scan.rows[e->scan.count++] = rows[i];
    }
}

static void administer(struct shop *shop, struct effect *e) {
    const struct vector_admin *what = &e->admin.what;
    uint32_t model = what->model_version;
    e->admin.status = ITEM_APPLIED;
    switch (what->kind) {
    case VECTOR_CREATE:
        shop->exists[model][what->modality] = true;
        break;
    case VECTOR_DROP:
        assert_int_not_equal(shop->aliases[what->modality], model);
        shop->exists[model][what->modality] = false;
        memset(shop->rows[model][what->modality], 0, sizeof shop->rows[model][what->modality]);
        break;
    case VECTOR_SWITCH:
        for (int m = 0; m < MODALITY_COUNT; m++) {
            assert_true(shop->exists[model][m]);
            shop->switches += m == 0 && shop->aliases[m] != model;
            shop->aliases[m] = model;
        }
        break;
    default:
        memcpy(e->admin.targets.aliases, shop->aliases, sizeof shop->aliases);
        for (uint32_t v = 1; v < MODELS; v++) {
            uint8_t bits = 0;
            for (int m = 0; m < MODALITY_COUNT; m++) {
                bits |= (uint8_t)(shop->exists[v][m] << m);
            }
            if (bits != 0) {
                e->admin.targets.models[e->admin.targets.model_count++] =
                    (struct vector_model){v, bits};
            }
        }
    }
}

/* In [-0.5, 0.5): the finalizer of splitmix64. */
static float noise_of(uint64_t n) {
    n = (n + 1) * UINT64_C(0x9e3779b97f4a7c15);
    n = (n ^ n >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    n = (n ^ n >> 27) * UINT64_C(0x94d049bb133111eb);
    return (float)((n ^ n >> 31) >> 40) / (float)(1 << 24) - 0.5F;
}

/* Vectors of two clouds, if they drift; otherwise of one. */
static void read_vectors(const struct shop *shop, struct effect *e) {
    size_t dimension = modality_dimension(e->read.modality);
    for (size_t i = 0; i < e->read.count; i++) {
        size_t at = (size_t)e->read.listing_ids[i] - 1;
        const struct scan_row *row = &shop->rows[e->read.model_version][e->read.modality][at];
        e->read.found[i] = row->listing_id != 0;
        bool drifts = shop->fashion || (shop->drifting && e->read.model_version == SHADOW);
        bool other = drifts && at >= LISTINGS / 2;
        for (size_t k = 0; k < dimension; k++) {
            float noise = noise_of(at * dimension + k);
            e->read.vectors[i * dimension + k] = noise + (other ? 2.0F : 0.0F);
        }
    }
}

/* Neighbours of the i-th query are the listings that come next to one that is told from the query's
 * place in the request; every search finds the same unless told otherwise. */
static void search(const struct shop *shop, struct effect *e) {
    bool far =
        (shop->bad_index && !e->search.exact) || (shop->strange && e->search.model_version == OLD);
    for (size_t i = 0; i < e->search.count; i++) {
        for (size_t h = 0; h < e->search.k; h++) {
            e->search.hits[i * e->search.k + h] = (struct search_hit){
                .listing_id = (far ? 1000 : 100) + i + h,
                .score = (far ? 0.4F : 0.9F) - 0.01F * (float)h,
            };
        }
        e->search.hit_counts[i] = e->search.k;
    }
}

/* The builder reads "repair vector-text v2 1 2 3": it writes all vectors of each listing. */
static void repairs(struct shop *shop) {
    const char *line = script_told(shop->script);
    while ((line = strstr(line, "repair vector-")) != NULL) {
        line = strchr(line, 'v');
        unsigned model = 0;
        line = strstr(line, " v") + 2;
        char *at;
        model = (unsigned)strtoul(line, &at, 10);
        while (*at == ' ') {
            unsigned long id = strtoul(at, &at, 10);
            shop->asked++;
            if (!shop->no_repair) {
                put_row(shop, model, id - 1, shop->script->now);
            }
        }
        line = at;
    }
}

static bool starts_with(const char *line, const char *text) {
    return strncmp(line, text, strlen(text)) == 0;
}

/* Takes over what was told: alerts, repairs, announcements, and what goes. */
static void listen(struct shop *shop) {
    repairs(shop);
    size_t length = strlen(shop->told);
    const char *line = script_told(shop->script);
    while (*line != '\0') {
        const char *end = strchr(line, '\n');
        size_t size = (size_t)(end - line) + 1;
        const char *drop = strstr(line, "vector-admin drop");
        if (starts_with(line, "alert") || starts_with(line, "repair") ||
            starts_with(line, "    control") || (drop != NULL && drop < end)) {
            assert_true(length + size < sizeof shop->told);
            memcpy(shop->told + length, line, size);
            length += size;
        }
        if (starts_with(line, "alert upgrade ")) {
            sscanf(line, "alert upgrade %23s", shop->phase);
        }
        line = end + 1;
    }
    script_skip(shop->script);
}

static void carry_out(struct shop *shop, struct effect *e) {
    switch (e->kind) {
    case EFFECT_SCAN:
        scan(shop, e);
        break;
    case EFFECT_VECTOR_ADMIN:
        administer(shop, e);
        break;
    case EFFECT_READ_VECTORS:
        read_vectors(shop, e);
        break;
    case EFFECT_SEARCH:
        search(shop, e);
        break;
    default:
        break;
    }
}

/* ---- The host ---- */

static void begin(struct shop *shop) {
    script_start(shop->script);
    script_assign(shop->script, ++shop->generation, 1, (const uint32_t[]){0});
    script_load(shop->script, script_newest(shop->script, EFFECT_LOAD_STATE));
    listen(shop);
}

static void crash(struct shop *shop) {
    script_restart(shop->script);
    begin(shop);
}

/* A request that can be answered, or 0. */
static uint64_t answerable(const struct shop *shop) {
    static const enum effect_kind kinds[] = {EFFECT_SAVE_STATE, EFFECT_VECTOR_ADMIN, EFFECT_PRODUCE,
                                             EFFECT_SCAN,       EFFECT_READ_VECTORS, EFFECT_SEARCH};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        uint64_t request = script_newest(shop->script, kinds[i]);
        if (request != 0) {
            return request;
        }
    }
    return 0;
}

/* Hands over the commands that the machine waits for; false when there are none. */
static bool commanded(struct shop *shop) {
    uint64_t fetch = script_newest(shop->script, EFFECT_FETCH);
    if (fetch == 0) {
        return false;
    }
    int64_t offset = script_request(shop->script, fetch)->fetch.offset;
    if ((size_t)offset >= shop->command_count) {
        return false;
    }
    script_records(shop->script, fetch, offset, shop->commands + offset);
    listen(shop);
    return true;
}

/* One answer; false when nothing waits for one. */
static bool answer_one(struct shop *shop) {
    uint64_t request = answerable(shop);
    if (request == 0) {
        return commanded(shop);
    }
    carry_out(shop, script_request(shop->script, request));
    script_answer(shop->script, request);
    listen(shop);
    return true;
}

static void work(struct shop *shop) {
    while (answer_one(shop)) {
    }
}

static void command(struct shop *shop, const char *text) {
    assert_true(shop->command_count < COMMANDS_MAX);
    shop->commands[shop->command_count++] = text;
    work(shop);
}

/* Works and lets time pass until the phase is told again. */
static void until(struct shop *shop, const char *phase) {
    char wanted[64];
    snprintf(wanted, sizeof wanted, "alert upgrade %s ", phase);
    for (int i = 0; i < 2000; i++) {
        work(shop);
        const char *found = strstr(shop->told + shop->mark, wanted);
        if (found != NULL) {
            shop->mark = (size_t)(found - shop->told) + 1;
            return;
        }
        script_timer(shop->script);
        listen(shop);
    }
    fail_msg("never came to %s:\n%s", phase, shop->told);
}

static bool was_told(const struct shop *shop, const char *text) {
    return strstr(shop->told, text) != NULL;
}

static void assert_told(const struct shop *shop, const char *text) {
    if (!was_told(shop, text)) {
        fail_msg("nowhere '%s' in:\n%s", text, shop->told);
    }
}

static size_t times_told(const struct shop *shop, const char *text) {
    size_t times = 0;
    for (const char *at = shop->told; (at = strstr(at, text)) != NULL; at++) {
        times++;
    }
    return times;
}

static void assert_served(const struct shop *shop, uint32_t model) {
    for (int m = 0; m < MODALITY_COUNT; m++) {
        assert_int_equal(shop->aliases[m], model);
    }
}

/* The collections of the model hold what gold says and nothing else. */
static void assert_complete(const struct shop *shop, uint32_t model) {
    for (size_t i = 0; i < LISTINGS; i++) {
        for (int m = 0; m < MODALITY_COUNT; m++) {
            const struct scan_row *row = &shop->rows[model][m][i];
            bool wanted = shop->gold[i].alive && (shop->gold[i].modalities >> m & 1) != 0;
            assert_int_equal(row->listing_id, wanted ? i + 1 : 0);
            assert_true(!wanted || row->version == shop->gold[i].version);
        }
    }
}

static struct shop *ready_shop(void) {
    struct shop *shop = shop_new();
    begin(shop);
    command(shop, "control upgrade @70 model=2");
    until(shop, "ready");
    return shop;
}

/* ---- Phases ---- */

/* The whole way: collections, announcement, backfill, gates, cutover, rollback, cutover,
 * retirement; each phase is told once. */
static void the_whole_way(void **state) {
    (void)state;
    struct shop *shop = ready_shop();
    assert_served(shop, OLD);
    assert_complete(shop, SHADOW);
    assert_int_equal(shop->asked, 36);
    assert_told(shop, "control models @86400.1 model=1 other=2 id=1");
    command(shop, "control cutover @71");
    until(shop, "serving");
    assert_served(shop, SHADOW);
    assert_told(shop, "model=2 other=1 id=2");
    change(shop, 3, shop->script->now, OLD, SHADOW);
    command(shop, "control rollback @72");
    until(shop, "ready");
    assert_served(shop, OLD);
    assert_complete(shop, OLD);
    assert_told(shop, "model=1 other=2 id=3");
    command(shop, "control cutover @73");
    until(shop, "serving");
    command(shop, "control retire @74");
    until(shop, "idle");
    assert_served(shop, SHADOW);
    assert_complete(shop, SHADOW);
    assert_told(shop, "model=2 id=5");
    for (int m = 0; m < MODALITY_COUNT; m++) {
        assert_false(shop->exists[OLD][m]);
    }
    assert_int_equal(shop->switches, 3);
    assert_int_equal(times_told(shop, "alert upgrade backfilling"), 1);
    assert_false(was_told(shop, "refused"));
    shop_free(shop);
}

/* A process that stood still hears each of its timers late: it goes on all the same. */
static void late_timers(void **state) {
    (void)state;
    struct shop *shop = shop_new();
    begin(shop);
    command(shop, "control upgrade @70 model=2");
    for (int i = 0; i < 200 && !was_told(shop, "alert upgrade ready "); i++) {
        shop->script->now = vtime_add(shop->script->now, 10 * VTIME_MINUTE);
        script_timer(shop->script);
        listen(shop);
        work(shop);
    }
    assert_told(shop, "alert upgrade ready ");
    assert_complete(shop, SHADOW);
    shop_free(shop);
}

/* An upgrade that is given up leaves what there was. */
static void abandoned(void **state) {
    (void)state;
    struct shop *shop = ready_shop();
    command(shop, "control abandon @71");
    until(shop, "idle");
    assert_served(shop, OLD);
    assert_complete(shop, OLD);
    assert_false(shop->exists[SHADOW][MODALITY_TEXT]);
    command(shop, "control upgrade @72 model=3");
    until(shop, "ready");
    assert_complete(shop, 3);
    shop_free(shop);
}

/* The builders are told before the first repair is asked for, and before the collections of a
 * retired model go. */
static void announced_before_used(void **state) {
    (void)state;
    struct shop *shop = ready_shop();
    assert_true(strstr(shop->told, "model=1 other=2") < strstr(shop->told, "repair vector"));
    command(shop, "control cutover @71");
    until(shop, "serving");
    command(shop, "control retire @72");
    until(shop, "idle");
    assert_true(strstr(shop->told, "model=2 id=3") < strstr(shop->told, "vector-admin drop"));
    assert_true(vtime_diff(shop->script->now, text_time(86400)) >= 60 * VTIME_SECOND);
    shop_free(shop);
}

/* ---- Commands out of place (C8) ---- */

/* Doubled commands do what one does. */
static void doubled_commands(void **state) {
    (void)state;
    struct shop *shop = ready_shop();
    command(shop, "control upgrade @71 model=2");
    command(shop, "control upgrade @72 model=1");
    command(shop, "control cutover @73");
    command(shop, "control cutover @74");
    until(shop, "serving");
    command(shop, "control upgrade @75 model=2");
    command(shop, "control rollback @76");
    command(shop, "control rollback @77");
    until(shop, "ready");
    command(shop, "control cutover @78");
    until(shop, "serving");
    command(shop, "control retire @79");
    command(shop, "control retire @80");
    until(shop, "idle");
    work(shop);
    assert_int_equal(shop->switches, 3);
    assert_int_equal(times_told(shop, "alert upgrade backfilling"), 1);
    assert_false(was_told(shop, "refused"));
    shop_free(shop);
}

/* Commands that come together are obeyed in their order: each waits for the one before it. */
static void commands_in_order(void **state) {
    (void)state;
    struct shop *shop = ready_shop();
    shop->commands[shop->command_count++] = "control cutover @71";
    shop->commands[shop->command_count++] = "control rollback @72";
    shop->commands[shop->command_count++] = "control abandon @73";
    until(shop, "idle");
    assert_served(shop, OLD);
    assert_int_equal(shop->switches, 2);
    assert_false(shop->exists[SHADOW][MODALITY_TEXT]);
    assert_false(was_told(shop, "refused"));
    shop_free(shop);
}

/* Where there is nothing to cut over, to roll back, to retire or to abandon, that is said; and that
 * one upgrade must end before another begins. */
static void commands_without_cause(void **state) {
    (void)state;
    struct shop *shop = shop_new();
    begin(shop);
    command(shop, "control cutover @71");
    assert_told(shop, "alert cutover-refused upgrade warn");
    command(shop, "control rollback @72");
    assert_told(shop, "alert rollback-refused cutover warn");
    command(shop, "control retire @73");
    assert_told(shop, "alert retire-refused cutover warn");
    command(shop, "control abandon @74");
    assert_told(shop, "alert abandon-refused upgrade warn");
    command(shop, "control upgrade @75 model=2");
    until(shop, "ready");
    command(shop, "control upgrade @76 model=3");
    assert_told(shop, "alert upgrade-refused rest warn");
    assert_false(shop->exists[3][MODALITY_TEXT]);
    command(shop, "control cutover @77");
    until(shop, "serving");
    assert_told(shop, "alert cutover-refused upgrade cleared");
    command(shop, "control abandon @78");
    assert_int_equal(times_told(shop, "alert abandon-refused upgrade warn"), 2);
    assert_int_equal(machine_counters(shop->script->machine)[COUNTER_UPGRADE_REFUSALS], 6);
    shop_free(shop);
}

/* ---- Gates ---- */

/* A cutover while the backfill is under way is refused, and names how far it has come. */
static void too_early(void **state) {
    (void)state;
    struct shop *shop = shop_new_with(&(struct pipeline_config){.upgrade_page_rows = 8}, NULL);
    begin(shop);
    command(shop, "control upgrade @70 model=2");
    until(shop, "backfilling");
    script_timer(shop->script);
    work(shop);
    command(shop, "control cutover @71");
    assert_told(shop, "alert cutover-refused coverage warn: the backfill has come to listing");
    assert_served(shop, OLD);
    until(shop, "ready");
    assert_complete(shop, SHADOW);
    assert_int_equal(shop->switches, 0);
    shop_free(shop);
}

/* Rows that went missing, or fell behind, since all gates held: they are judged anew, the cutover
 * is refused by the gate's name, and the backfill fills in what lacks. */
static void rows_are_judged_anew(void **state) {
    (void)state;
    struct shop *shop = ready_shop();
    shop->rows[SHADOW][MODALITY_FUSED][4].listing_id = 0;
    command(shop, "control cutover @71");
    until(shop, "ready");
    assert_told(shop, "alert cutover-refused coverage warn: 1 of 98 rows that gold serves are");
    change(shop, 6, ago(shop, VTIME_HOUR), OLD, 0);
    command(shop, "control cutover @72");
    until(shop, "ready");
    assert_told(shop, "alert cutover-refused versions warn: 3 of 98 rows are not in gold's");
    shop->rows[SHADOW][MODALITY_TEXT][9] = shop->rows[SHADOW][MODALITY_TEXT][8];
    shop->rows[SHADOW][MODALITY_TEXT][9].listing_id = 10;
    command(shop, "control cutover @73");
    until(shop, "ready");
    assert_int_equal(times_told(shop, "alert cutover-refused versions warn"), 2);
    assert_served(shop, OLD);
    command(shop, "control cutover @74");
    until(shop, "serving");
    assert_complete(shop, SHADOW);
    assert_told(shop, "alert cutover-refused versions cleared");
    shop_free(shop);
}

/* What changed a moment ago may be in flight; what changed before the last walk of the backfill may
 * not, however young it is: nobody has shown yet that both models were written then. */
static void young_changes(void **state) {
    (void)state;
    struct shop *shop = ready_shop();
    vtime walked = shop->script->now;
    script_wait(shop->script, 60 * VTIME_SECOND);
    work(shop);
    change(shop, 3, ago(shop, VTIME_SECOND), OLD, 0);
    command(shop, "control cutover @71");
    until(shop, "serving");
    assert_false(was_told(shop, "refused"));
    put_row(shop, SHADOW, 3, shop->script->now);
    command(shop, "control rollback @72");
    until(shop, "ready");
    walked = shop->script->now;
    change(shop, 5, vtime_add(walked, -VTIME_SECOND), OLD, 0);
    command(shop, "control cutover @73");
    until(shop, "ready");
    assert_told(shop, "alert cutover-refused versions warn");
    shop_free(shop);
}

/* Recall, overlap and drift keep the upgrade from getting ready; a fault of the index after that
 * keeps the cutover back. */
static void the_other_gates(void **state) {
    (void)state;
    const struct {
        size_t flag;
        const char *gate, *why;
    } gates[] = {
        {offsetof(struct shop, bad_index), "recall", "recall@10 of text is 0 in 1000"},
        {offsetof(struct shop, strange), "overlap", "overlap@10 with the old model of text is 0"},
        {offsetof(struct shop, drifting), "drift", "the vectors of text written first and last"},
    };
    for (size_t i = 0; i < sizeof gates / sizeof *gates; i++) {
        struct shop *shop = shop_new_with(
            &(struct pipeline_config){.upgrade_page_rows = 20, .backfill_batch = 4}, NULL);
        bool *flag = (bool *)((char *)shop + gates[i].flag);
        *flag = true;
        begin(shop);
        command(shop, "control upgrade @70 model=2");
        until(shop, gates[i].gate);
        assert_told(shop, gates[i].why);
        command(shop, "control cutover @71");
        assert_told(shop, "alert cutover-refused validation warn");
        *flag = false;
        until(shop, "ready");
        *flag = true;
        command(shop, "control cutover @72");
        until(shop, gates[i].gate);
        char refused[64];
        snprintf(refused, sizeof refused, "alert cutover-refused %s warn", gates[i].gate);
        assert_told(shop, refused);
        assert_served(shop, OLD);
        shop_free(shop);
    }
}

/* What the catalogue itself does over time is no drift of the model. */
static void fashion_is_no_drift(void **state) {
    (void)state;
    struct shop *shop = shop_new();
    shop->fashion = true;
    begin(shop);
    command(shop, "control upgrade @70 model=2");
    until(shop, "ready");
    assert_false(was_told(shop, "alert upgrade drift"));
    shop_free(shop);
}

/* A rollback asks whether the former collections are complete, or there at all. */
static void rollback_is_judged(void **state) {
    (void)state;
    struct shop *shop = ready_shop();
    command(shop, "control cutover @71");
    until(shop, "serving");
    change(shop, 2, ago(shop, VTIME_HOUR), SHADOW, 0);
    command(shop, "control rollback @72");
    until(shop, "serving");
    assert_told(shop, "alert rollback-refused versions warn: 3 of 98");
    put_row(shop, OLD, 2, shop->script->now);
    shop->exists[OLD][MODALITY_IMAGE] = false;
    command(shop, "control rollback @73");
    until(shop, "serving");
    assert_told(shop, "alert rollback-refused rows warn");
    assert_served(shop, SHADOW);
    shop_free(shop);
}

/* Where the store takes any write, rows that a late retry spoils beside the served ones are mended
 * while nobody orders anything: before the cutover, and after it in the former model's. */
static void waiting_rows_are_tended(void **state) {
    (void)state;
    struct pipeline_config config = {.upgrade_tend_ns = 10 * VTIME_MINUTE};
    struct shop *shop = shop_new_with(&config, NULL);
    begin(shop);
    command(shop, "control upgrade @70 model=2");
    until(shop, "ready");
    for (uint32_t waits = SHADOW; waits >= OLD; waits--) {
        shop->rows[waits][MODALITY_TEXT][2].version--; /* stale */
        shop->rows[waits][MODALITY_FUSED][9] = shop->rows[waits][MODALITY_FUSED][8];
        shop->rows[waits][MODALITY_FUSED][9].listing_id = 10; /* resurrected */
        shop->rows[waits][MODALITY_IMAGE][5].listing_id = 0;  /* missing */
        for (int i = 0; i < 40; i++) {
            work(shop);
            script_timer(shop->script);
            listen(shop);
        }
        assert_complete(shop, waits);
        command(shop, waits == SHADOW ? "control cutover @71" : "control rollback @72");
        until(shop, waits == SHADOW ? "serving" : "ready");
    }
    assert_false(was_told(shop, "refused"));
    shop_free(shop);
}

/* Their collections vanish under such a walk: it ends, and the phase goes on. */
static void tending_outlives_collections(void **state) {
    (void)state;
    struct pipeline_config config = {.upgrade_tend_ns = VTIME_MINUTE};
    struct shop *shop = shop_new_with(&config, NULL);
    begin(shop);
    command(shop, "control upgrade @70 model=2");
    until(shop, "ready");
    uint64_t scan = 0;
    for (int i = 0; i < 40 && scan == 0; i++) {
        script_timer(shop->script);
        listen(shop);
        scan = script_newest(shop->script, EFFECT_SCAN);
        if (scan == 0) {
            work(shop);
        }
    }
    assert_true(scan != 0);
    script_fail(shop->script, scan, PORT_NOT_FOUND);
    listen(shop);
    until(shop, "ready");
    assert_false(was_told(shop, "refused"));
    shop_free(shop);
}

/* ---- Throttling ---- */

/* No more listings are asked for than the batch allows, until those are there or a while passed. */
static void batches(void **state) {
    (void)state;
    struct shop *shop = shop_new_with(
        &(struct pipeline_config){.backfill_batch = 5, .backfill_resend_ns = 30 * VTIME_SECOND},
        NULL);
    shop->no_repair = true;
    begin(shop);
    command(shop, "control upgrade @70 model=2");
    for (int i = 0; i < 20; i++) {
        script_timer(shop->script);
        work(shop);
    }
    assert_int_equal(shop->asked, 5);
    script_wait(shop->script, 15 * VTIME_SECOND);
    work(shop);
    for (int i = 0; i < 5; i++) {
        script_timer(shop->script);
        work(shop);
    }
    assert_int_equal(shop->asked, 10);
    shop->no_repair = false;
    until(shop, "ready");
    assert_complete(shop, SHADOW);
    shop_free(shop);
}

/* While readers lack what gold has had for a while, the backfill asks for nothing; but no page is
 * held for ever. */
static void live_writes_first(void **state) {
    (void)state;
    struct shop *shop = shop_new();
    begin(shop);
    change(shop, 11, ago(shop, 5 * VTIME_MINUTE), 0, 0);
    command(shop, "control upgrade @70 model=2");
    for (int i = 0; i < 10; i++) {
        script_timer(shop->script);
        work(shop);
    }
    assert_int_equal(shop->asked, 0);
    put_row(shop, OLD, 11, shop->script->now);
    until(shop, "ready");
    assert_int_equal(machine_counters(shop->script->machine)[COUNTER_BACKFILL_HOLDS], 1);
    shop_free(shop);

    shop = shop_new();
    begin(shop);
    change(shop, 11, ago(shop, 5 * VTIME_MINUTE), 0, 0);
    vtime begun = shop->script->now;
    command(shop, "control upgrade @70 model=2");
    until(shop, "validating");
    assert_true(vtime_diff(shop->script->now, begun) >= 10 * VTIME_MINUTE);
    shop_free(shop);
}

/* What the builder cannot write is left to the gates after a while: the walk comes to its end. */
static void hopeless_rows(void **state) {
    (void)state;
    struct shop *shop = shop_new();
    shop->no_repair = true;
    begin(shop);
    command(shop, "control upgrade @70 model=2");
    until(shop, "coverage");
    assert_told(shop, "98 of 98 rows that gold serves are missing");
    shop->no_repair = false;
    until(shop, "ready");
    assert_complete(shop, SHADOW);
    shop_free(shop);
}

/* ---- Late requests, crashes, bugs ---- */

/* Answers until the aliases are about to be switched; returns the request. */
static uint64_t to_the_switch(struct shop *shop) {
    for (int i = 0; i < 2000; i++) {
        uint64_t request = script_newest(shop->script, EFFECT_VECTOR_ADMIN);
        if (request != 0 &&
            script_request(shop->script, request)->admin.what.kind == VECTOR_SWITCH) {
            return request;
        }
        assert_true(answer_one(shop));
    }
    fail();
    return 0;
}

/* A switch whose outcome is unknown is not sent once more: whether it took place is looked up, and
 * if it did not, the gates are judged anew, since rows may have fallen behind. */
static void unknown_switch(void **state) {
    (void)state;
    for (int took_place = 0; took_place < 2; took_place++) {
        struct shop *shop = ready_shop();
        shop->commands[shop->command_count++] = "control cutover @71";
        uint64_t request = to_the_switch(shop);
        if (took_place != 0) {
            carry_out(shop, script_request(shop->script, request));
        } else {
            change(shop, 6, ago(shop, VTIME_HOUR), OLD, 0);
        }
        script_fail(shop->script, request, PORT_UNKNOWN);
        listen(shop);
        if (took_place == 0) {
            until(shop, "ready");
            assert_told(shop, "alert cutover-refused versions warn");
            assert_int_equal(shop->switches, 0);
            command(shop, "control cutover @72");
        }
        until(shop, "serving");
        assert_int_equal(shop->switches, 1);
        assert_complete(shop, SHADOW);
        shop_free(shop);
    }
}

/* A judgement that a slow store held up says nothing any more: it is made again, and in the end the
 * command is refused. */
static void judgement_ages(void **state) {
    (void)state;
    for (int slow = 1; slow <= 20; slow += 19) {
        struct shop *shop = ready_shop();
        shop->commands[shop->command_count++] = "control cutover @71";
        for (int i = 0; i < slow; i++) {
            while (script_newest(shop->script, EFFECT_SEARCH) == 0) {
                assert_true(answer_one(shop));
            }
            script_wait(shop->script, 121 * VTIME_SECOND);
            listen(shop);
            while (script_newest(shop->script, EFFECT_SEARCH) != 0) {
                assert_true(answer_one(shop));
            }
            while (i + 1 < slow && script_newest(shop->script, EFFECT_SAVE_STATE) == 0) {
                assert_true(answer_one(shop));
            }
        }
        until(shop, slow == 20 ? "ready" : "serving");
        assert_int_equal(times_told(shop, "alert upgrade judging"), slow == 20 ? 20 : 2);
        assert_int_equal(times_told(shop, "alert cutover-refused time warn"), slow == 20);
        shop_free(shop);
    }
}

/* A switch that a dead process had under way arrives after the rollback: the aliases are led back,
 * with an alert. */
static void aliases_are_guarded(void **state) {
    (void)state;
    struct shop *shop = ready_shop();
    for (int m = 0; m < MODALITY_COUNT; m++) {
        shop->aliases[m] = SHADOW;
    }
    for (int i = 0; i < 5; i++) {
        script_timer(shop->script);
        work(shop);
    }
    assert_served(shop, OLD);
    assert_int_equal(times_told(shop, "alert alias-moved upgrader warn"), 1);
    shop_free(shop);
}

/* Gives each command once the machine has come to rest in the phase that it is meant for, and
 * crashes after `crash_at` answers: with the next request carried out and its answer lost, or not
 * sent at all. Returns the number of answers. */
static size_t way_with_crash(size_t crash_at, bool carried_out) {
    static const struct {
        const char *phase, *command;
    } way[] = {
        {"", "control upgrade @70 model=2"}, {"ready", "control cutover @71"},
        {"serving", "control rollback @72"}, {"ready", "control cutover @73"},
        {"serving", "control retire @74"},   {"idle", NULL},
    };
    struct shop *shop = shop_new_with(&(struct pipeline_config){.upgrade_page_rows = 16}, NULL);
    begin(shop);
    size_t answers = 0, step = 0;
    for (int i = 0; i < 3000; i++) {
        if (answers == crash_at) {
            uint64_t request = answerable(shop);
            if (request != 0 && carried_out) {
                carry_out(shop, script_request(shop->script, request));
            }
            crash(shop);
        }
        answers++;
        if (answer_one(shop)) {
            continue;
        }
        if (strcmp(shop->phase, way[step].phase) == 0) {
            if (way[step].command == NULL) {
                break;
            }
            shop->commands[shop->command_count++] = way[step++].command;
            shop->phase[0] = '\0';
        } else {
            script_timer(shop->script);
            listen(shop);
        }
    }
    if (way[step].command != NULL || was_told(shop, "refused")) {
        fail_msg("crash after %zu answers, step %zu:\n%s", crash_at, step, shop->told);
    }
    assert_served(shop, SHADOW);
    assert_complete(shop, SHADOW);
    assert_false(shop->exists[OLD][MODALITY_TEXT]);
    shop_free(shop);
    return answers;
}

/* A10: a crash at any step; the end is the same. */
static void crash_at_any_step(void **state) {
    (void)state;
    size_t answers = way_with_crash(SIZE_MAX, false);
    assert_true(answers > 100);
    for (size_t at = 0; at < answers; at++) {
        way_with_crash(at, false);
        way_with_crash(at, true);
    }
}

/* A cutover that was told to be refused stays refused, though the upgrader dies at any step and its
 * successor finds the gap filled: nobody tells what a crash may make untrue. */
static void a_refusal_outlives_a_crash(void **state) {
    (void)state;
    size_t refused = 0, obeyed = 0;
    for (size_t at = 0; at < 120; at++) {
        struct shop *shop = ready_shop();
        struct scan_row *row = &shop->rows[SHADOW][MODALITY_FUSED][4];
        uint64_t listing_id = row->listing_id;
        row->listing_id = 0;
        shop->commands[shop->command_count++] = "control cutover @71";
        for (size_t i = 0; i < at; i++) {
            if (!answer_one(shop)) {
                script_timer(shop->script);
                listen(shop);
            }
        }
        bool told = was_told(shop, "alert cutover-refused coverage warn");
        row->listing_id = listing_id;
        crash(shop);
        for (int i = 0; i < 60; i++) {
            work(shop);
            script_timer(shop->script);
            listen(shop);
        }
        if (told && shop->switches > 0) {
            fail_msg("refused and obeyed, crash after %zu answers:\n%s", at, shop->told);
        }
        refused += told;
        obeyed += shop->switches > 0;
        shop_free(shop);
    }
    assert_true(refused > 0 && obeyed > 0);
}

/* Without the protections the aliases go where nothing is, and the former model is written off. */
static void without_protection(void **state) {
    (void)state;
    struct bugs bugs = {.on = {[BUG_CUTOVER_EARLY] = true, [BUG_ROLLBACK_LOSES_WRITES] = true}};
    struct shop *shop = shop_new_with(&(struct pipeline_config){.upgrade_page_rows = 8}, &bugs);
    begin(shop);
    command(shop, "control upgrade @70 model=2");
    command(shop, "control cutover @71");
    until(shop, "serving");
    assert_served(shop, SHADOW);
    assert_told(shop, "model=2 id=2");
    change(shop, 3, ago(shop, VTIME_HOUR), SHADOW, 0);
    command(shop, "control rollback @72");
    until(shop, "validating");
    assert_served(shop, OLD);
    shop_free(shop);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_whole_way),
        cmocka_unit_test(late_timers),
        cmocka_unit_test(abandoned),
        cmocka_unit_test(announced_before_used),
        cmocka_unit_test(doubled_commands),
        cmocka_unit_test(commands_in_order),
        cmocka_unit_test(commands_without_cause),
        cmocka_unit_test(too_early),
        cmocka_unit_test(rows_are_judged_anew),
        cmocka_unit_test(young_changes),
        cmocka_unit_test(the_other_gates),
        cmocka_unit_test(fashion_is_no_drift),
        cmocka_unit_test(rollback_is_judged),
        cmocka_unit_test(waiting_rows_are_tended),
        cmocka_unit_test(tending_outlives_collections),
        cmocka_unit_test(batches),
        cmocka_unit_test(live_writes_first),
        cmocka_unit_test(hopeless_rows),
        cmocka_unit_test(unknown_switch),
        cmocka_unit_test(judgement_ages),
        cmocka_unit_test(aliases_are_guarded),
        cmocka_unit_test(crash_at_any_step),
        cmocka_unit_test(a_refusal_outlives_a_crash),
        cmocka_unit_test(without_protection),
    };
    return cmocka_run_group_tests_name("upgrader", tests, NULL, NULL);
}
