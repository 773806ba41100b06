/* Erasures as the oracle judges them (A12): whatever is left anywhere trips it, and so does a
 * certificate that comes too late, too early, or for nothing. */
#include "pipeline/erasure.h"
#include "sim/fake_kafka.h"
#include "sim/fake_object_store.h"
#include "sim/fake_state_store.h"
#include "tests/sim/oracle_world.h"

/* What a pipeline may forget. */
enum {
    LEAVE_WAREHOUSE = 1,
    LEAVE_VECTORS = 1 << 1,
    LEAVE_KEYWORD = 1 << 2,
    LEAVE_SOURCE = 1 << 3,
    LEAVE_STATE = 1 << 4,
    LEAVE_LETTER = 1 << 5,
    LEAVE_ARTIFACT = 1 << 6,
};

struct place {
    struct world *w;
    struct fake_kafka *kafka;
    struct fake_state_store *state;
    struct fake_object_store *objects;
    struct message erasure;
};

static void save_state(struct place *p, const char *text) {
    struct state_port port = fake_state_store_port(p->state);
    struct state_entry entry = {1, bytes_of(text)};
    assert_int_equal(port.ops->save(port.ctx, p->w->now, "builder", 0, 1, bytes_of("o"), &entry, 1),
                     0);
}

static void append_letter(struct place *p, const struct message *poisoned) {
    struct dead_letter letter = {.topic = TOPIC_LISTING,
                                 .key = 1,
                                 .append = poisoned->append,
                                 .value = message_bytes(poisoned)};
    char buffer[RECORD_ROOM];
    dead_letter_encode(&letter, buffer);
    struct log_port port = fake_kafka_port(p->kafka);
    struct produce_item item = {
        TOPIC_DEAD_LETTER, dead_letter_key(&letter), {buffer, dead_letter_size(&letter)}};
    struct produce_result result;
    assert_int_equal(port.ops->produce(port.ctx, p->w->now, &item, 1, &result), 0);
}

static void store_artifact(struct place *p) {
    static const float vector[TEXT_DIMENSION] = {1};
    const float *const vectors[] = {vector};
    struct artifact_key key = {1, 5, 1, MODALITY_TEXT};
    struct object_port port = fake_object_store_port(p->objects);
    assert_int_equal(port.ops->put(port.ctx, p->w->now, &key, vectors, 1), 0);
}

static void ask(struct place *p) {
    struct world *w = p->w;
    struct record record = {.type = RECORD_ERASURE,
                            .op = RECORD_UPSERT,
                            .contract_version = RECORD_CONTRACT_VERSION,
                            .stamp = next_stamp(w),
                            .subject_id = 1,
                            .erasure_scope = ERASURE_LISTING,
                            .erasure_id = 1};
    p->erasure = encode(record, NULL, 0, TOPIC_PRIVACY);
    struct workload_op op = {.kind = OP_ERASURE,
                             .at = w->now,
                             .topic = TOPIC_PRIVACY,
                             .key = 1,
                             .value = message_bytes(&p->erasure),
                             .through_oltp = true,
                             .stamp = record.stamp,
                             .erasure = ERASURE_LISTING};
    oracle_operation(w->o, w->now, &op);
    fed(w, &p->erasure);
}

/* Listing 1 is there in every store, and then asked to be erased. */
static struct place begun(void) {
    struct place p = {.w = world_new()};
    struct fake_kafka_options kafka = {.compaction_lag_ns = 1};
    kafka.topics[TOPIC_DEAD_LETTER] =
        (struct fake_kafka_topic_options){.partitions = 1, .compacted = true};
    kafka.topics[TOPIC_LISTING_LOG].partitions = 1;
    p.kafka = fake_kafka_new(&kafka);
    p.state = fake_state_store_new();
    p.objects = fake_object_store_new(NULL);
    assert_true(p.kafka != NULL && p.state != NULL && p.objects != NULL);
    erasure_watch(p.w->o, &(struct erasure_stores){p.w->oltp, p.w->warehouse, p.w->vectors,
                                                   p.w->keyword, p.kafka, p.state, p.objects});
    done(p.w, creation(p.w, 1));
    done(p.w, creation(p.w, 2));
    pass(p.w, 60);
    ask(&p);
    pass(p.w, 1);
    return p;
}

static void end(struct place *p) {
    fake_kafka_free(p->kafka);
    fake_state_store_free(p->state);
    fake_object_store_free(p->objects);
    world_free(p->w);
}

/* The pipeline erases it, but for what it forgets. */
static void erase(struct place *p, unsigned forgets) {
    struct world *w = p->w;
    struct message poisoned;
    if (forgets & LEAVE_LETTER) {
        w->now.ns -= 30 * VTIME_SECOND;
        poison(w, &poisoned);
        w->now.ns += 30 * VTIME_SECOND;
        append_letter(p, &poisoned);
    }
    if (forgets & LEAVE_ARTIFACT) {
        store_artifact(p);
        pass(w, 1);
    }
    logged(w, &p->erasure, 1);
    pass(w, 1);
    const struct folded *f = &w->folded[1];
    if (!(forgets & LEAVE_VECTORS)) {
        deliver_vectors(w, 1);
    }
    struct erasure_subject subject = {1, f->document.erased, f->visible_version};
    struct erasure_look looks[ERASURE_PLACE_COUNT] = {{0}};
    if (!(forgets & LEAVE_KEYWORD)) {
        deliver_keyword(w, 1);
        struct keyword_port port = fake_keyword_port(w->keyword);
        assert_int_equal(port.ops->erase(port.ctx, w->now, &subject, 1, looks), 0);
    }
    if (!(forgets & LEAVE_WAREHOUSE)) {
        struct erasure_row row = {1, f->document.erased, f->visible_version};
        struct warehouse_batch batch = {.erasures = &row, .erasure_count = 1, .dedupe = true};
        struct warehouse_port port = fake_warehouse_port(w->warehouse);
        assert_int_equal(port.ops->load(port.ctx, w->now, &batch), 0);
        deliver_warehouse(w, 1);
    }
    if (!(forgets & LEAVE_SOURCE)) {
        assert_int_equal(
            fake_oltp_erase(w->oltp, w->now, ERASURE_LISTING, 1, f->document.erased, NULL), 0);
    }
    if (forgets & LEAVE_STATE) {
        save_state(p, "... red kettle ...");
    }
}

static void certify(struct place *p, size_t places, uint64_t found, struct stamp of) {
    struct erasure_look looks[ERASURE_PLACE_COUNT];
    for (size_t i = 0; i < ERASURE_PLACE_COUNT; i++) {
        looks[i] = (struct erasure_look){1, 0, p->w->now};
    }
    looks[ERASED_IN_GOLD].found = found;
    char bytes[ERASURE_LOOKS_BYTES];
    erasure_looks_encode(looks, bytes);
    static const char ids[8] = {1};
    struct record record = {.type = RECORD_CERTIFICATE,
                            .op = RECORD_UPSERT,
                            .contract_version = RECORD_CONTRACT_VERSION,
                            .stamp = of,
                            .subject_id = 1,
                            .erasure_scope = ERASURE_LISTING,
                            .erasure_id = 1,
                            .certificate_looks = {bytes, places * ERASURE_LOOK_BYTES},
                            .certificate_ids = {ids, sizeof ids}};
    struct message m = encode(record, NULL, 0, TOPIC_CERTIFICATE);
    append(p->w, TOPIC_CERTIFICATE, message_bytes(&m));
}

static void certify_well(struct place *p) {
    certify(p, ERASURE_PLACE_COUNT, 0, p->erasure.record.stamp);
}

/* All is gone, the time travel is over, and the certificate says so: nothing to find fault with. */
static void erased_and_certified(void **state) {
    (void)state;
    struct place p = begun();
    erase(&p, 0);
    assert_false(oracle_settled(p.w->o));
    assert_non_null(strstr(oracle_waits_for(p.w->o), "erasures have no certificate"));
    pass(p.w, 24 * 3600);
    certify_well(&p);
    assert_true(oracle_settled(p.w->o));
    finish(p.w);
    assert_status(p.w, "erasure", ORACLE_PASS);
    assert_status(p.w, "history", ORACLE_PASS);
    assert_status(p.w, "convergence", ORACLE_PASS);
    assert_int_equal(oracle_erasures(p.w->o).certified, 1);
    end(&p);
}

static void trips(unsigned forgets, const char *where) {
    struct place p = begun();
    erase(&p, forgets);
    pass(p.w, 24 * 3600);
    certify_well(&p);
    struct oracle_check c = check(p.w, "erasure");
    if (c.status != ORACLE_FAIL || strstr(c.evidence, where) == NULL) {
        fail_msg("%s: %s", where, c.evidence);
    }
    end(&p);
}

/* What is left in any one place makes the certificate untrue. */
static void what_is_left_is_found(void **state) {
    (void)state;
    trips(LEAVE_WAREHOUSE, "silver");
    trips(LEAVE_WAREHOUSE, "gold");
    trips(LEAVE_VECTORS, "vector collections");
    trips(LEAVE_KEYWORD, "keyword index");
    trips(LEAVE_SOURCE, "oltp");
    trips(LEAVE_STATE, "builder");
    trips(LEAVE_LETTER, "dead letters");
    trips(LEAVE_ARTIFACT, "artifacts");
}

/* A certificate that comes while removed rows can be brought back is early. */
static void early_certificate(void **state) {
    (void)state;
    struct place p = begun();
    erase(&p, 0);
    pass(p.w, 23 * 3600);
    certify_well(&p);
    assert_non_null(strstr(check(p.w, "erasure").evidence, "time travel"));
    end(&p);
}

/* One that names not every place, or one where something was found, is none; so is one that nobody
 * asked for. */
static void bad_certificates(void **state) {
    (void)state;
    static const struct {
        size_t places;
        uint64_t found;
        int64_t later_ns;
    } bad[] = {
        {ERASURE_PLACE_COUNT - 1, 0, 0}, {ERASURE_PLACE_COUNT, 1, 0}, {ERASURE_PLACE_COUNT, 0, 1}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct place p = begun();
        erase(&p, 0);
        pass(p.w, 24 * 3600);
        struct stamp of = p.erasure.record.stamp;
        of.ts.ns += bad[i].later_ns;
        certify(&p, bad[i].places, bad[i].found, of);
        assert_status(p.w, "erasure", ORACLE_FAIL);
        end(&p);
    }
}

/* Three days are all the time there is. */
static void late_certificate(void **state) {
    (void)state;
    struct place p = begun();
    erase(&p, 0);
    pass(p.w, 72 * 3600 - 60);
    tell(p.w, price_change(p.w, 2, 5));
    assert_status(p.w, "erasure", ORACLE_NO_DATA);
    pass(p.w, 120);
    tell(p.w, price_change(p.w, 2, 6));
    assert_non_null(strstr(check(p.w, "erasure").evidence, "has no certificate"));
    end(&p);
}

/* Nothing comes back: neither into the log, where what is newer may go, nor into a store. */
static void nothing_comes_back(void **state) {
    (void)state;
    struct place p = begun();
    struct message old = title_change(p.w, 1, "old title");
    old.record.stamp = (struct stamp){vtime_add(p.w->now, -10 * VTIME_SECOND), {1, 999}};
    struct field field = text_field(FIELD_TITLE, "old title");
    old = encode(old.record, &field, 1, TOPIC_LISTING);
    erase(&p, 0);
    pass(p.w, 24 * 3600);
    certify_well(&p);
    tell(p.w, title_change(p.w, 1, "new title"));
    assert_status(p.w, "erasure", ORACLE_PASS);
    logged(p.w, &old, 1);
    assert_non_null(strstr(check(p.w, "erasure").evidence, "came back into listing-log"));
    end(&p);

    p = begun();
    erase(&p, 0);
    pass(p.w, 24 * 3600);
    certify_well(&p);
    save_state(&p, "... red kettle ...");
    finish(p.w);
    assert_non_null(strstr(check(p.w, "erasure").evidence, "at the end"));
    end(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(erased_and_certified), cmocka_unit_test(what_is_left_is_found),
        cmocka_unit_test(early_certificate),    cmocka_unit_test(bad_certificates),
        cmocka_unit_test(late_certificate),     cmocka_unit_test(nothing_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
