/* Contracts as the oracle judges them (B9, A13): what may be routed, what must be refused and how,
 * and that what was refused comes back. */
#include "tests/sim/oracle_world.h"

#define CONTRACT_2 "version 2; title: text, null, max 8; price: integer, null; seller: integer"

/* A letter about a record of another contract version; its key. */
static uint64_t letter_says(struct world *w, const struct message *m, uint16_t version,
                            const char *field, const char *expected, int64_t actual) {
    struct dead_letter letter = {.topic = m->topic,
                                 .offset = m->offset,
                                 .contract_version = version,
                                 .reason = bytes_of("because"),
                                 .field = bytes_of(field),
                                 .expected = bytes_of(expected),
                                 .actual = actual,
                                 .value = message_bytes(m)};
    char buffer[2 * RECORD_ROOM];
    assert_true(dead_letter_size(&letter) <= sizeof buffer);
    dead_letter_encode(&letter, buffer);
    append(w, TOPIC_DEAD_LETTER, (struct bytes){buffer, dead_letter_size(&letter)});
    return dead_letter_key(&letter);
}

/* A title of listing 1 as a producer of version 2 says it; its feed has it. */
static struct message claimed(struct world *w, const char *title) {
    struct message m = title_change(w, 1, title);
    m = versioned(&m, 2);
    said(w, OP_LISTING_UPDATE, &m);
    fed(w, &m);
    return m;
}

static struct world *begun(void) {
    struct world *w = world_new();
    done(w, creation(w, 1));
    return w;
}

/* Nobody registered it: it must be refused, and the letter must say so. */
static void unregistered(void **state) {
    (void)state;
    struct world *w = begun();
    struct message m = claimed(w, "kettle");
    letter_says(w, &m, 2, "contract_version", "1", 2);
    assert_status(w, "dead-letters", ORACLE_PASS);
    assert_false(oracle_settled(w->o));
    assert_non_null(strstr(oracle_waits_for(w->o), "refused and not replayed"));
    logged(w, &m, 1);
    assert_status(w, "contract-held", ORACLE_FAIL);
    world_free(w);
}

/* Version 1 of a feed's contract may refuse what the wire carries: then records of it are claims
 * too, and otherwise nobody looks (B2). */
static void first_version(void **state) {
    (void)state;
    for (int narrowed = 0; narrowed <= 1; narrowed++) {
        struct world *w = begun();
        oracle_contract(w->o, TOPIC_LISTING,
                        bytes_of(narrowed ? "version 1; title: text, null, max 8"
                                          : "version 1; title: text, null; description: text, "
                                            "null; locale: text, null; category: text, null; "
                                            "seller: integer, null; price: integer, null, min 0; "
                                            "image_ids: ids, null; attribute.*: text, integer, "
                                            "number, null"));
        struct message m = title_change(w, 1, "a long kettle");
        said(w, OP_LISTING_UPDATE, &m);
        fed(w, &m);
        letter_says(w, &m, 1, "title", "text of at most 8 bytes or null", 13);
        assert_status(w, "dead-letters", narrowed ? ORACLE_PASS : ORACLE_FAIL);
        assert_int_equal(oracle_counts(w->o).claims, narrowed);
        world_free(w);
    }
}

/* What was refused counts once a copy of it came through. */
static void replayed(void **state) {
    (void)state;
    struct world *w = begun();
    struct message m = claimed(w, "kettle");
    letter_says(w, &m, 2, "contract_version", "1", 2);
    registers(w, CONTRACT_2, false);
    fed(w, &m);
    logged(w, &m, 1);
    deliver(w, 1);
    assert_status(w, "contract-held", ORACLE_PASS);
    assert_status(w, "dead-letters", ORACLE_PASS);
    assert_true(oracle_settled(w->o));
    world_free(w);
}

/* A letter that was erased with its listing is nothing to replay any more; a tombstone of another
 * key takes nothing away. */
static void erased_letter(void **state) {
    (void)state;
    struct world *w = begun();
    struct message m = claimed(w, "kettle");
    uint64_t key = letter_says(w, &m, 2, "contract_version", "1", 2);
    struct log_record tombstone = {.offset = 9, .append = w->now, .key = key + 1};
    oracle_appended(w->o, w->now, TOPIC_DEAD_LETTER, 0, &tombstone);
    assert_non_null(strstr(oracle_waits_for(w->o), "refused and not replayed"));
    tombstone.key = key;
    oracle_appended(w->o, w->now, TOPIC_DEAD_LETTER, 0, &tombstone);
    assert_null(strstr(oracle_waits_for(w->o), "refused and not replayed"));
    world_free(w);
}

/* What was registered before the record came, and is kept to, must not be refused. */
static void refused_although_registered(void **state) {
    (void)state;
    struct world *w = begun();
    registers(w, CONTRACT_2, false);
    struct message m = claimed(w, "kettle");
    letter_says(w, &m, 2, "contract_version", "1", 2);
    assert_status(w, "dead-letters", ORACLE_FAIL);
    world_free(w);
}

/* A registration that the pipeline must refuse registers nothing. */
static void registration_refused(void **state) {
    (void)state;
    struct world *w = begun();
    registers(w, CONTRACT_2, true);
    struct message m = claimed(w, "kettle");
    logged(w, &m, 1);
    assert_status(w, "contract-held", ORACLE_FAIL);
    world_free(w);
}

/* A letter says which field breaks the contract, and what was found; an amendment that allows it
 * makes the next copy right. */
static void content(void **state) {
    (void)state;
    static const struct {
        uint16_t version;
        const char *field;
        int64_t actual;
        enum oracle_status status;
    } letters[] = {
        {2, "title", 13, ORACLE_PASS},
        {2, "price", 13, ORACLE_FAIL},
        {2, "title", 12, ORACLE_FAIL},
        {1, "title", 13, ORACLE_FAIL},
    };
    for (size_t i = 0; i < sizeof letters / sizeof *letters; i++) {
        struct world *w = begun();
        registers(w, CONTRACT_2, false);
        struct message m = claimed(w, "a long kettle");
        letter_says(w, &m, letters[i].version, letters[i].field, "text of at most 8 bytes or null",
                    letters[i].actual);
        assert_status(w, "dead-letters", letters[i].status);
        registers(w, "version 2; title: text, null; price: integer, null; seller: integer", false);
        fed(w, &m);
        logged(w, &m, 1);
        assert_status(w, "contract-held", ORACLE_PASS);
        world_free(w);
    }
}

/* Required of a record that names the seller, and of no other. */
static void required(void **state) {
    (void)state;
    struct world *w = begun();
    registers(w, "version 2; title: text; seller: integer; price: integer, required", false);
    struct message partial = claimed(w, "kettle");
    logged(w, &partial, 1);
    assert_status(w, "contract-held", ORACLE_PASS);
    struct field fields[] = {text_field(FIELD_TITLE, "pan"), integer_field(FIELD_SELLER, 7)};
    struct message whole = listing_message(w, 1, RECORD_UPSERT, fields, 2);
    whole = versioned(&whole, 2);
    said(w, OP_LISTING_UPDATE, &whole);
    fed(w, &whole);
    letter_says(w, &whole, 2, "price", "integer", 0);
    assert_status(w, "dead-letters", ORACLE_PASS);
    world_free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unregistered),
        cmocka_unit_test(first_version),
        cmocka_unit_test(replayed),
        cmocka_unit_test(erased_letter),
        cmocka_unit_test(refused_although_registered),
        cmocka_unit_test(registration_refused),
        cmocka_unit_test(content),
        cmocka_unit_test(required),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
