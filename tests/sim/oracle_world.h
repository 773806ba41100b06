/*
 * For tests of the oracle: a small world of real stores, and a pipeline without faults that the
 * test plays by hand, step by step, so that it can leave a step out or do it wrong.
 */
#ifndef MURPHY_TESTS_SIM_ORACLE_WORLD_H
#define MURPHY_TESTS_SIM_ORACLE_WORLD_H

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/dead_letter.h"
#include "pipeline/fact.h"
#include "pipeline/folded.h"
#include "sim/fake_embedding.h"
#include "sim/oracle_parts.h"
#include "sim/sqlite_host.h"

#define START ((vtime){INT64_C(1700000000000000000) / VTIME_DAY * VTIME_DAY})
enum { LISTINGS = 6, RECORD_ROOM = 4096, TEXT_ROOM = 4096, BOUND_S = 300 };

/* ---- A world ---- */

struct world {
    struct oracle *o;
    struct fake_vector_db *vectors;
    struct fake_keyword *keyword;
    struct fake_warehouse *warehouse;
    struct fake_oltp *oltp;
    struct fake_embedding *embedding;
    struct audit_chain chains[LISTINGS + 1];
    doc_version told[LISTINGS + 1];     /* the last version in the listing's audit stream */
    struct folded folded[LISTINGS + 1]; /* what a faultless pipeline knows; by listing id, from 1 */
    vtime now;
    uint64_t stamps;
    int64_t offsets[TOPIC_COUNT]; /* every topic has one partition */
    bool loads_at_once;           /* each version goes to the warehouse as it is logged */
    struct row_change last_change[STORE_COUNT];
    uint32_t served;  /* model whose collections the aliases point to */
    bool audit_off;   /* nobody says which model made the vectors */
    uint32_t standby; /* model whose collections are written as well; 0: none */
};

static inline void world_heard(void *ctx, vtime now, const struct row_change *change) {
    struct world *w = ctx;
    w->last_change[change->store] = *change;
    oracle_row_changed(w->o, now, change);
}

static inline void world_alias_switched(void *ctx, vtime now, enum modality modality, uint32_t from,
                                        uint32_t to) {
    struct world *w = ctx;
    oracle_alias_switched(w->o, now, modality, from, to);
}

static inline void world_unseen(void *ctx, vtime now, const struct row_change *change) {
    struct world *w = ctx;
    oracle_unseen_row_changed(w->o, now, change);
}

static inline void make_collections(struct world *w, uint32_t model) {
    for (int m = 0; m < MODALITY_COUNT; m++) {
        assert_int_equal(fake_vector_db_create_collection(w->vectors, (enum modality)m, model), 0);
    }
}

/* Leads readers to a model's collections, whatever is in them. */
static inline void switch_to(struct world *w, uint32_t model) {
    struct vector_alias aliases[MODALITY_COUNT];
    for (int m = 0; m < MODALITY_COUNT; m++) {
        aliases[m] = (struct vector_alias){(enum modality)m, model};
    }
    assert_int_equal(fake_vector_db_switch_aliases(w->vectors, w->now, aliases, MODALITY_COUNT), 0);
    w->standby = w->served;
    w->served = model;
}

static inline void order_model(struct world *w, enum control_kind kind, uint32_t model) {
    oracle_ordered(w->o, w->now, kind, model);
}

static inline void drop(struct world *w, uint32_t model) {
    for (int m = 0; m < MODALITY_COUNT; m++) {
        assert_int_equal(
            fake_vector_db_drop_collection(w->vectors, w->now, (enum modality)m, model), 0);
    }
    w->standby = 0;
}

static inline struct world *world_of(struct oracle_options options) {
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    options.start = START;
    w->now = START;
    w->o = oracle_new(&options);
    assert_int_equal(sqlite_host_start(1, START), 0);
    struct store_observer observer = {.row_changed = world_heard, .ctx = w};
    w->vectors = fake_vector_db_new(&(struct fake_vector_db_options){
        .observer = observer,
        .alias_observer = {world_alias_switched, world_unseen, w},
        .profile = {.unconditional = options.vectors_unconditional},
        .journal = true});
    w->keyword =
        fake_keyword_new(&(struct fake_keyword_options){.observer = observer, .journal = true});
    w->warehouse =
        fake_warehouse_new(&(struct fake_warehouse_options){.observer = observer, .journal = true});
    w->oltp = fake_oltp_new(&(struct fake_oltp_options){.journal = false});
    w->embedding = fake_embedding_new(NULL);
    assert_true(w->o != NULL && w->vectors != NULL && w->keyword != NULL && w->warehouse != NULL &&
                w->oltp != NULL && w->embedding != NULL);
    oracle_reads(w->o, w->vectors);
    make_collections(w, 1);
    switch_to(w, 1);
    for (uint64_t id = 1; id <= LISTINGS; id++) {
        folded_init(&w->folded[id], id);
    }
    return w;
}

static inline struct world *world_new(void) {
    return world_of((struct oracle_options){.gone_within_ns = BOUND_S * VTIME_SECOND});
}

static inline void world_free(struct world *w) {
    for (uint64_t id = 1; id <= LISTINGS; id++) {
        folded_release(&w->folded[id]);
    }
    oracle_free(w->o);
    fake_vector_db_free(w->vectors);
    fake_keyword_free(w->keyword);
    fake_warehouse_free(w->warehouse);
    fake_oltp_free(w->oltp);
    fake_embedding_free(w->embedding);
    free(w);
}

static inline void pass(struct world *w, int64_t seconds) {
    w->now = vtime_add(w->now, seconds * VTIME_SECOND);
}

/* ---- Saying ---- */

struct message {
    char bytes[RECORD_ROOM];
    size_t len;
    struct record record; /* without sections; points nowhere */
    enum topic_id topic;
    int64_t offset; /* in its feed */
    vtime append;
};

static inline struct bytes message_bytes(const struct message *m) {
    return (struct bytes){m->bytes, m->len};
}

static inline struct stamp next_stamp(struct world *w) {
    return (struct stamp){w->now, {1, ++w->stamps}};
}

static inline struct message encode(struct record record, const struct field *fields, size_t count,
                                    enum topic_id topic) {
    struct message m = {.record = record, .topic = topic};
    int64_t len = record_encode(&record, fields, count, m.bytes, sizeof m.bytes);
    assert_true(len > 0);
    m.len = (size_t)len;
    return m;
}

/* The application's row after what was said, from the reference. */
static inline void write_oltp(struct world *w, uint64_t id, struct stamp stamp) {
    struct reference_document d;
    assert_int_equal(reference_listing(oracle_reference(w->o), id, &d), 1);
    struct oltp_listing row = {
        .listing_id = id,
        .seller_id = d.seller_id,
        .title = d.title,
        .description = d.description,
        .locale = d.locale,
        .category = d.category,
        .price = d.price,
        .image_ids = d.image_ids,
        .attributes = d.attributes,
        .attribute_count = d.attribute_count,
        .deleted = !d.alive,
        .stamp = stamp,
    };
    assert_int_equal(fake_oltp_write_listing(w->oltp, w->now, &row, NULL), 0);
}

/* The seller says it; no feed knows yet. */
static inline void said(struct world *w, enum workload_op_kind kind, const struct message *m) {
    struct workload_op op = {
        .kind = kind,
        .at = w->now,
        .topic = m->topic,
        .key = m->record.subject_id,
        .value = message_bytes(m),
        .through_oltp = kind != OP_MEDIA && kind != OP_POISON,
        .listing.listing_id = m->record.subject_id,
        .stamp = m->record.stamp,
    };
    oracle_operation(w->o, w->now, &op);
    if (kind == OP_LISTING_CREATE || kind == OP_LISTING_UPDATE || kind == OP_LISTING_DELETE) {
        write_oltp(w, m->record.subject_id, m->record.stamp);
    }
}

static inline void append(struct world *w, enum topic_id topic, struct bytes value) {
    struct log_record logged = {
        .offset = w->offsets[topic]++, .append = w->now, .key = 0, .value = value};
    oracle_appended(w->o, w->now, topic, 0, &logged);
}

/* The feed takes it. */
static inline void fed(struct world *w, struct message *m) {
    m->offset = w->offsets[m->topic];
    m->append = w->now;
    append(w, m->topic, message_bytes(m));
}

/* The record as the router sends it on to a listing. */
static inline struct message routed_form(const struct message *m, uint64_t listing_id) {
    struct message out = *m;
    struct record record;
    struct record_error error;
    assert_int_equal(record_decode(message_bytes(m), &record, &error), 0);
    record.subject_id = listing_id;
    record.sections = SECTION_ORIGIN;
    record.origin = (struct origin){(uint8_t)m->topic, 0, m->offset, m->append};
    int64_t len = record_reframe(message_bytes(m), &record, out.bytes, sizeof out.bytes);
    assert_true(len > 0);
    out.len = (size_t)len;
    return out;
}

static inline void deliver_warehouse(struct world *w, uint64_t id);

/* The router puts it into the listing's log; the faultless pipeline folds it. */
static inline void logged(struct world *w, const struct message *m, uint64_t listing_id) {
    struct message routed = routed_form(m, listing_id);
    struct log_record entry = {
        .offset = w->offsets[TOPIC_LISTING_LOG], .append = w->now, .value = message_bytes(&routed)};
    struct record record;
    struct record_error error;
    assert_int_equal(record_decode(message_bytes(&routed), &record, &error), 0);
    assert_true(folded_fold(&w->folded[listing_id], &record, &entry, NULL) >= 0);
    append(w, TOPIC_LISTING_LOG, message_bytes(&routed));
    if (w->loads_at_once) {
        deliver_warehouse(w, listing_id);
    }
}

static inline struct message listing_message(struct world *w, uint64_t id, enum record_op op,
                                             const struct field *fields, size_t count) {
    struct record record = {.type = RECORD_LISTING,
                            .op = op,
                            .contract_version = RECORD_CONTRACT_VERSION,
                            .stamp = next_stamp(w),
                            .subject_id = id};
    return encode(record, fields, count, TOPIC_LISTING);
}

static inline struct field text_field(enum field_id id, const char *text) {
    return (struct field){.id = id, .type = VALUE_TEXT, .text = bytes_of(text)};
}
static inline struct field integer_field(enum field_id id, int64_t value) {
    return (struct field){.id = id, .type = VALUE_INTEGER, .integer = value};
}

/* A whole listing of seller 1 with one image that is named and not delivered yet. */
static inline struct message creation(struct world *w, uint64_t id) {
    static const char image[8] = {5};
    struct field fields[] = {
        text_field(FIELD_TITLE, "red kettle"),
        text_field(FIELD_DESCRIPTION, "boils water \"quickly\"\n"),
        text_field(FIELD_LOCALE, "de-DE"),
        text_field(FIELD_CATEGORY, "kitchen"),
        integer_field(FIELD_SELLER, 1),
        integer_field(FIELD_PRICE, 129900),
        {.id = FIELD_IMAGE_IDS, .type = VALUE_IDS, .text = {image, 8}},
        {.id = FIELD_ATTRIBUTE,
         .type = VALUE_TEXT,
         .name = bytes_of("colour"),
         .text = bytes_of("red\ttin")},
        {.id = FIELD_ATTRIBUTE, .type = VALUE_INTEGER, .name = bytes_of("litres"), .integer = 2},
    };
    return listing_message(w, id, RECORD_UPSERT, fields, sizeof fields / sizeof *fields);
}

static inline struct message price_change(struct world *w, uint64_t id, int64_t price) {
    struct field field = integer_field(FIELD_PRICE, price);
    return listing_message(w, id, RECORD_UPSERT, &field, 1);
}

static inline struct message title_change(struct world *w, uint64_t id, const char *title) {
    struct field field = text_field(FIELD_TITLE, title);
    return listing_message(w, id, RECORD_UPSERT, &field, 1);
}

static inline struct message deletion(struct world *w, uint64_t id) {
    return listing_message(w, id, RECORD_DELETE, NULL, 0);
}

static inline struct message image(struct world *w, uint64_t id, enum record_op op) {
    struct record record = {.type = RECORD_MEDIA,
                            .op = op,
                            .contract_version = RECORD_CONTRACT_VERSION,
                            .stamp = next_stamp(w),
                            .subject_id = id,
                            .image_id = 5};
    if (op == RECORD_UPSERT) {
        /* Delivered once more, it is not always the same picture. */
        record.image_descriptor =
            bytes_of(w->stamps % 3 == 0 ? "kettle blue matt" : "kettle red shiny");
    }
    return encode(record, NULL, 0, TOPIC_MEDIA);
}

static inline struct message policy(struct world *w, enum policy_status status) {
    struct record record = {.type = RECORD_POLICY,
                            .op = RECORD_UPSERT,
                            .contract_version = RECORD_CONTRACT_VERSION,
                            .stamp = next_stamp(w),
                            .subject_id = 1,
                            .seller_id = 1,
                            .status = status};
    return encode(record, NULL, 0, TOPIC_POLICY);
}

static inline struct message order(struct world *w, uint64_t id, int64_t quantity) {
    struct record record = {.type = RECORD_ORDER,
                            .op = RECORD_UPSERT,
                            .contract_version = RECORD_CONTRACT_VERSION,
                            .stamp = next_stamp(w),
                            .subject_id = 1,
                            .order_id = id,
                            .quantity = quantity,
                            .amount = quantity * 129900,
                            .order_category = bytes_of("kitchen")};
    return encode(record, NULL, 0, TOPIC_ORDER);
}

/* The seller puts the listing into a category. */
static inline struct message classification(struct world *w, uint64_t id, const char *category) {
    struct field field = {.id = FIELD_CATEGORY, .type = VALUE_TEXT, .text = bytes_of(category)};
    return listing_message(w, id, RECORD_UPSERT, &field, 1);
}

/* The taxonomy says where the category stands. */
static inline struct message taxonomy(struct world *w, const char *category, const char *path) {
    struct record record = {
        .type = RECORD_REFERENCE,
        .op = RECORD_UPSERT,
        .contract_version = RECORD_CONTRACT_VERSION,
        .stamp = next_stamp(w),
        .reference = {.table = FACT_CATEGORY, .key = bytes_of(category), .value = bytes_of(path)}};
    record.subject_id = reference_key(&record.reference);
    return encode(record, NULL, 0, TOPIC_REFERENCE);
}

static inline enum workload_op_kind kind_of(const struct message *m) {
    switch (m->topic) {
    case TOPIC_MEDIA:
        return OP_MEDIA;
    case TOPIC_POLICY:
        return OP_POLICY;
    case TOPIC_REFERENCE:
        return OP_REFERENCE;
    case TOPIC_ORDER:
        return OP_ORDER;
    default:
        return m->record.op == RECORD_DELETE ? OP_LISTING_DELETE : OP_LISTING_UPDATE;
    }
}

/* Said, fed and logged a second apart. */
static inline void tell(struct world *w, struct message m) {
    said(w, kind_of(&m), &m);
    pass(w, 1);
    fed(w, &m);
    pass(w, 1);
    logged(w, &m, m.record.subject_id);
}

/* ---- What a faultless pipeline writes ---- */

struct made {
    float text[TEXT_DIMENSION];
    float image[IMAGE_DIMENSION];
    float fused[FUSED_DIMENSION];
};

static inline void make_vectors_by(struct world *w, uint32_t model, const struct folded *f,
                                   uint8_t modalities, struct made *made) {
    char attributes[TEXT_ROOM];
    size_t length = folded_attributes_text(f, attributes, sizeof attributes);
    struct image_input images[4];
    size_t count = 0;
    while (count < 4 && document_visible_image(&f->document, count, &images[count].image_id,
                                               &images[count].descriptor)) {
        count++;
    }
    struct embed_item item = {
        .listing_id = f->document.listing_id,
        .modalities = modalities,
        .text = {folded_text(f, FIELD_TITLE),
                 folded_text(f, FIELD_DESCRIPTION),
                 {attributes, length},
                 document_locale(&f->document),
                 document_tokeniser(&f->document)},
        .images = images,
        .image_count = count,
    };
    struct embed_result result = {0};
    float *const places[MODALITY_COUNT] = {made->text, made->image, made->fused};
    for (int m = 0; m < MODALITY_COUNT; m++) {
        result.vectors[m] = modalities >> m & 1 ? places[m] : NULL;
    }
    struct embedding_port port = fake_embedding_port(w->embedding);
    assert_int_equal(port.ops->embed(port.ctx, w->now, model, &item, 1, &result), 0);
    assert_int_equal(result.status, ITEM_APPLIED);
    oracle_embedded(w->o, w->now, &item, &result, 1);
}

static inline void make_vectors(struct world *w, const struct folded *f, uint8_t modalities,
                                struct made *made) {
    make_vectors_by(w, 1, f, modalities, made);
}

static inline uint64_t content_of(const struct folded *f, int m) {
    const uint64_t hashes[MODALITY_COUNT] = {f->digest.text, f->digest.image, f->digest.fused};
    return document_served(&f->document) ? hashes[m] : 0;
}

/* A write of one vector row as the document is now. The vector comes from `made`. */
static inline struct vector_write vector_write_of(const struct folded *f, int m,
                                                  const struct made *made) {
    const float *const vectors[MODALITY_COUNT] = {made->text, made->image, made->fused};
    struct vector_write write = {.listing_id = f->document.listing_id,
                                 .kind = ROW_UPSERT,
                                 .rule = VERSION_GREATER,
                                 .meta = folded_row_meta(f),
                                 .vector = vectors[m]};
    write.meta.content_hash = content_of(f, m);
    write.meta.model_version = 1;
    return write;
}

static inline void write_vector_to(struct world *w, uint32_t model, int m,
                                   const struct vector_write *write) {
    struct vector_port port = fake_vector_db_port(w->vectors);
    enum item_status status;
    assert_int_equal(port.ops->write(port.ctx, w->now, (enum modality)m, model, write, 1, &status),
                     0);
    assert_true(status == ITEM_APPLIED || status == ITEM_CONFLICT);
    if (write->kind != ROW_DELETE && !w->audit_off) {
        struct audit_row audit = {write->listing_id,        write->meta.version,
                                  (enum modality)m,         write->meta.model_version,
                                  write->meta.content_hash, write->kind == ROW_UPSERT};
        struct warehouse_port warehouse = fake_warehouse_port(w->warehouse);
        struct warehouse_batch batch = {.audits = &audit, .audit_count = 1, .dedupe = true};
        assert_int_equal(warehouse.ops->load(warehouse.ctx, w->now, &batch), 0);
    }
}

static inline void write_vector(struct world *w, int m, const struct vector_write *write) {
    write_vector_to(w, 1, m, write);
}

/* One row of one model's collection as the document asks for it. */
static inline void deliver_row(struct world *w, uint32_t model, uint64_t id, int m) {
    const struct folded *f = &w->folded[id];
    struct row_state row = fake_vector_db_row(w->vectors, (enum modality)m, model, id);
    struct made made;
    uint64_t content = content_of(f, m);
    if (content != 0) {
        make_vectors_by(w, model, f, (uint8_t)(1u << m), &made);
    }
    struct vector_write write = vector_write_of(f, m, &made);
    write.meta.model_version = model;
    if (content == 0) {
        write.kind = ROW_DELETE;
    } else if (row.present && row.content_hash == content) {
        write.kind = ROW_METADATA;
    }
    if (row.version < write.meta.version) {
        write_vector_to(w, model, m, &write);
    }
}

static inline void deliver_vector(struct world *w, uint64_t id, int m) {
    deliver_row(w, w->served, id, m);
}

/* To one model's collections alone. */
static inline void deliver_model(struct world *w, uint32_t model, uint64_t id) {
    for (int m = 0; m < MODALITY_COUNT; m++) {
        deliver_row(w, model, id, m);
    }
}

static inline void deliver_vectors(struct world *w, uint64_t id) {
    deliver_model(w, w->served, id);
    if (w->standby != 0) {
        deliver_model(w, w->standby, id);
    }
}

static inline void deliver_keyword(struct world *w, uint64_t id) {
    const struct folded *f = &w->folded[id];
    char attributes[TEXT_ROOM];
    struct keyword_write write = {
        .listing_id = id,
        .kind = content_of(f, MODALITY_TEXT) != 0 ? ROW_UPSERT : ROW_DELETE,
        .rule = VERSION_GREATER,
        .meta = folded_row_meta(f),
        .title = folded_text(f, FIELD_TITLE),
        .description = folded_text(f, FIELD_DESCRIPTION),
        .attributes = {attributes, folded_attributes_text(f, attributes, sizeof attributes)},
    };
    write.meta.content_hash = f->digest.text;
    struct keyword_port port = fake_keyword_port(w->keyword);
    enum item_status status;
    assert_int_equal(port.ops->write(port.ctx, w->now, &write, 1, &status), 0);
}

struct row_texts {
    char attributes[TEXT_ROOM];
    char images[TEXT_ROOM];
};

static inline struct document_row row_of(const struct folded *f, struct row_texts *texts) {
    return (struct document_row){
        .listing_id = f->document.listing_id,
        .version = f->visible_version,
        .changed_at = f->visible_at,
        .stamp = f->visible_stamp,
        .source_hash = f->digest.source,
        .whole_hash = f->digest.whole,
        .alive = document_alive(&f->document),
        .policy = document_policy(&f->document),
        .seller_id = folded_seller(f),
        .price = folded_price(f),
        .title = folded_text(f, FIELD_TITLE),
        .description = folded_text(f, FIELD_DESCRIPTION),
        .locale = folded_text(f, FIELD_LOCALE),
        .category = folded_text(f, FIELD_CATEGORY),
        .attributes = {texts->attributes,
                       folded_attributes_json(f, texts->attributes, sizeof texts->attributes)},
        .images = {texts->images, folded_images_json(f, texts->images, sizeof texts->images)},
        .category_path = document_category(&f->document),
        .locale_tag = document_locale(&f->document),
        .tokeniser = document_tokeniser(&f->document),
    };
}

/* The version is an event of the listing's audit stream, once. */
static inline void tell_stream(struct world *w, const struct document_row *silver) {
    uint64_t id = silver->listing_id;
    if (silver->version <= w->told[id]) {
        return;
    }
    w->told[id] = silver->version;
    struct audit_event event = {.listing_id = id, .version = silver->version, .visible = true};
    audit_chain_add(&w->chains[id], &event);
    struct warehouse_batch batch = {.events = &event, .event_count = 1, .dedupe = true};
    struct warehouse_port port = fake_warehouse_port(w->warehouse);
    assert_int_equal(port.ops->load(port.ctx, w->now, &batch), 0);
}

static inline void load(struct world *w, const struct document_row *silver,
                        const struct document_row *gold, bool dedupe) {
    struct warehouse_batch batch = {.silver = silver,
                                    .silver_count = silver != NULL,
                                    .gold = gold,
                                    .gold_count = gold != NULL,
                                    .dedupe = dedupe};
    struct warehouse_port port = fake_warehouse_port(w->warehouse);
    assert_int_equal(port.ops->load(port.ctx, w->now, &batch), 0);
    if (silver != NULL) {
        tell_stream(w, silver);
    }
}

static inline void deliver_warehouse(struct world *w, uint64_t id) {
    struct row_texts texts;
    struct document_row row = row_of(&w->folded[id], &texts);
    load(w, &row, &row, true);
}

static inline void deliver(struct world *w, uint64_t id) {
    deliver_vectors(w, id);
    deliver_keyword(w, id);
    deliver_warehouse(w, id);
}

/* Told, and delivered a second later. */
static inline void done(struct world *w, struct message m) {
    uint64_t id = m.record.subject_id;
    tell(w, m);
    pass(w, 1);
    deliver(w, id);
}

static inline void place_order(struct world *w, uint64_t id, int64_t quantity, bool refresh) {
    struct message m = order(w, id, quantity);
    said(w, OP_ORDER, &m);
    fed(w, &m);
    struct order_row row = {.order_id = id,
                            .listing_id = 1,
                            .stamp = m.record.stamp,
                            .quantity = quantity,
                            .amount = m.record.amount,
                            .category = m.record.order_category};
    assert_int_equal(fake_oltp_write_order(w->oltp, w->now, &row, NULL), 0);
    struct warehouse_batch batch = {.orders = &row, .order_count = 1, .dedupe = true};
    struct warehouse_port port = fake_warehouse_port(w->warehouse);
    assert_int_equal(port.ops->load(port.ctx, w->now, &batch), 0);
    if (refresh) {
        assert_int_equal(port.ops->refresh_dashboard(port.ctx, w->now, false, &(vtime){0}), 0);
    }
}

static inline void poison(struct world *w, struct message *m) {
    *m = (struct message){.bytes = "no record", .len = 9, .topic = TOPIC_LISTING};
    said(w, OP_POISON, m);
    fed(w, m);
}

static inline void dead_letter(struct world *w, const struct message *m) {
    struct dead_letter letter = {.topic = m->topic,
                                 .offset = m->offset,
                                 .reason = bytes_of("because"),
                                 .field = bytes_of("record"),
                                 .expected = bytes_of("better"),
                                 .value = message_bytes(m)};
    char buffer[2 * RECORD_ROOM];
    assert_true(dead_letter_size(&letter) <= sizeof buffer);
    dead_letter_encode(&letter, buffer);
    append(w, TOPIC_DEAD_LETTER, (struct bytes){buffer, dead_letter_size(&letter)});
}

/* The message as a producer of another contract version writes it. */
static inline struct message versioned(const struct message *m, uint16_t version) {
    struct record record;
    struct record_error error;
    struct field fields[16];
    size_t count = 0;
    assert_int_equal(record_decode(message_bytes(m), &record, &error), 0);
    for (struct field_cursor c = record_fields(&record); count < 16;) {
        if (!record_fields_next(&c, &fields[count])) {
            break;
        }
        count++;
    }
    record.contract_version = version;
    struct message out = encode(record, fields, count, m->topic);
    out.record = m->record;
    return out;
}

/* An operator registers a contract of the listing feed. */
static inline void registers(struct world *w, const char *text, bool refused) {
    struct record record = {
        .type = RECORD_CONTROL,
        .op = RECORD_UPSERT,
        .contract_version = RECORD_CONTRACT_VERSION,
        .stamp = next_stamp(w),
        .control = {.kind = CONTROL_REGISTER, .id = TOPIC_LISTING, .text = bytes_of(text)}};
    struct message m = encode(record, NULL, 0, TOPIC_CONTROL);
    oracle_registration(w->o, TOPIC_LISTING, bytes_of(text), refused);
    append(w, TOPIC_CONTROL, message_bytes(&m));
}

/* A policy event reaches the log of the given listings. */
static inline void fan_out(struct world *w, const struct message *m, uint64_t first,
                           uint64_t last) {
    for (uint64_t id = first; id <= last; id++) {
        logged(w, m, id);
        pass(w, 1);
        deliver(w, id);
    }
}

static inline void probe(struct world *w, uint64_t id) {
    struct search_hit hit = {.listing_id = id, .score = 1, .version = 1};
    oracle_hits(w->o, w->now, STORE_VECTOR_FUSED, w->served, &hit, 1);
}

static inline void finish(struct world *w) {
    oracle_finish_stores(w->o, w->now,
                         &(struct oracle_stores){w->vectors, w->keyword, w->warehouse, w->oltp, 1});
    assert_false(oracle_out_of_memory(w->o));
}

/* A nightly batch that makes what the stream made, in versions so much later. */
static inline void rebuild_later(struct world *w, doc_version later) {
    struct warehouse_port port = fake_warehouse_port(w->warehouse);
    struct scan_row rows[LISTINGS + 1];
    struct sales_row sales[16];
    size_t count = 0, buckets = 0;
    assert_int_equal(port.ops->scan(port.ctx, w->now, 0, UINT64_MAX, rows, LISTINGS + 1, &count),
                     0);
    assert_int_equal(port.ops->read_sales(port.ctx, w->now, false, (vtime){0}, VTIME_NEVER, 0,
                                          sales, 16, &buckets),
                     0);
    struct document_row made[LISTINGS + 1];
    for (size_t i = 0; i < count; i++) {
        made[i] = (struct document_row){
            .listing_id = rows[i].listing_id,
            .version = rows[i].version + later,
            .source_hash = rows[i].source_hash,
            .whole_hash = rows[i].whole_hash,
            .alive = rows[i].alive,
            .policy = rows[i].suppressed ? POLICY_SUPPRESSED : POLICY_ACTIVE,
        };
    }
    struct warehouse_batch batch = {.rebuilt = made,
                                    .rebuilt_count = count,
                                    .rebuilt_sales_given = true,
                                    .rebuilt_to = VTIME_NEVER,
                                    .rebuilt_sales = sales,
                                    .rebuilt_sales_count = buckets,
                                    .dedupe = true};
    assert_int_equal(port.ops->load(port.ctx, w->now, &batch), 0);
    oracle_batch_made(w->o, w->now, &(struct batch_report){.run = 1, .to = w->now});
}

/* One that makes just that. */
static inline void rebuild(struct world *w) {
    rebuild_later(w, 0);
}

/* ---- Asking ---- */

static inline struct oracle_check check(struct world *w, const char *name) {
    size_t count;
    const struct oracle_check *checks = oracle_checks(w->o, &count);
    assert_non_null(checks);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(checks[i].name, name) == 0) {
            return checks[i];
        }
    }
    fail_msg("no check is called %s", name);
    return (struct oracle_check){0};
}

static inline void assert_status(struct world *w, const char *name, enum oracle_status status) {
    struct oracle_check c = check(w, name);
    if (c.status != status) {
        fail_msg("%s: status %d, %s, %s", name, c.status, c.observed, c.evidence);
    }
    assert_int_equal(c.evidence[0] != '\0', status == ORACLE_FAIL);
}

/* No check failed but the named ones ("" for none), and those did. */
static inline void assert_only(struct world *w, const char *names) {
    size_t count;
    const struct oracle_check *checks = oracle_checks(w->o, &count);
    for (size_t i = 0; i < count; i++) {
        bool named = strstr(names, checks[i].name) != NULL;
        if (named != (checks[i].status == ORACLE_FAIL)) {
            fail_msg("%s: status %d, %s, %s", checks[i].name, checks[i].status, checks[i].observed,
                     checks[i].evidence);
        }
    }
}

static inline void assert_drift(struct world *w, enum store_id store, enum drift_class class,
                                uint64_t count) {
    if (oracle_drift(w->o, store, class) != count) {
        fail_msg("%s of %s: %d, %s", drift_class_name(class), store_name(store),
                 (int)oracle_drift(w->o, store, class), check(w, "convergence").evidence);
    }
}

#endif
