/*
 * For tests of workloads: folds the records of operations into documents, one for each listing, and
 * holds each against the row that came with the operation.
 */
#ifndef MURPHY_TESTS_SIM_FOLD_OPS_H
#define MURPHY_TESTS_SIM_FOLD_OPS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "pipeline/array.h"
#include "pipeline/document.h"
#include "pipeline/id_map.h"
#include "sim/workload.h"

struct fold {
    struct id_map places;
    struct document *documents;
    size_t count, capacity;
    int64_t position;
};

static inline void fold_init(struct fold *f) {
    *f = (struct fold){.position = 0};
    id_map_init(&f->places);
}

static inline void fold_release(struct fold *f) {
    for (size_t i = 0; i < f->count; i++) {
        document_release(&f->documents[i]);
    }
    free(f->documents);
    id_map_release(&f->places);
}

static inline struct document *fold_document(struct fold *f, uint64_t listing_id) {
    uint32_t place = 0;
    if (!id_map_index(&f->places, listing_id, &place)) {
        place = (uint32_t)f->count;
        assert_int_equal(ARRAY_RESERVE(f->documents, f->capacity, f->count + 1), 0);
        assert_true(id_map_put_index(&f->places, listing_id, place) >= 0);
        document_init(&f->documents[f->count++], listing_id);
    }
    return &f->documents[place];
}

static inline struct field fold_text(enum field_id id, struct bytes text) {
    return (struct field){
        .id = id, .type = text.data == NULL ? VALUE_NULL : VALUE_TEXT, .text = text};
}

/* What a document says that was told this row and nothing else. */
static inline uint64_t row_source(const struct oltp_listing *row) {
    struct record r = {.type = RECORD_LISTING,
                       .op = row->deleted ? RECORD_DELETE : RECORD_UPSERT,
                       .contract_version = RECORD_CONTRACT_VERSION,
                       .stamp = row->stamp,
                       .subject_id = row->listing_id};
    size_t count = row->deleted ? 0 : 7 + row->attribute_count;
    struct field *fields = calloc(count + 1, sizeof *fields);
    assert_non_null(fields);
    if (!row->deleted) {
        fields[0] = fold_text(FIELD_TITLE, row->title);
        fields[1] = fold_text(FIELD_DESCRIPTION, row->description);
        fields[2] = fold_text(FIELD_LOCALE, row->locale);
        fields[3] = fold_text(FIELD_CATEGORY, row->category);
        fields[4] = (struct field){
            .id = FIELD_SELLER, .type = VALUE_INTEGER, .integer = (int64_t)row->seller_id};
        fields[5] = (struct field){.id = FIELD_PRICE,
                                   .type = row->price < 0 ? VALUE_NULL : VALUE_INTEGER,
                                   .integer = row->price < 0 ? 0 : row->price};
        fields[6] = fold_text(FIELD_IMAGE_IDS, row->image_ids);
        fields[6].type = fields[6].type == VALUE_TEXT ? VALUE_IDS : VALUE_NULL;
        for (size_t i = 0; i < row->attribute_count; i++) {
            fields[7 + i] = row->attributes[i];
        }
    }
    size_t bound = record_encoded_bound(&r, fields, count);
    char *encoded = malloc(bound);
    assert_non_null(encoded);
    assert_true(record_encode(&r, fields, count, encoded, bound) == (int64_t)bound);
    struct record decoded;
    struct record_error error;
    assert_int_equal(record_decode((struct bytes){encoded, bound}, &decoded, &error), 0);
    struct document d;
    struct document_digest digest;
    document_init(&d, row->listing_id);
    assert_int_equal(document_fold(&d, &decoded, doc_version_pack(0, 0), row->stamp.ts, NULL), 1);
    document_digest(&d, &digest);
    document_release(&d);
    free(encoded);
    free(fields);
    return digest.source;
}

/* Folds an operation's record and, where there is a row, compares. Poison and orders pass by. */
static inline void fold_op(struct fold *f, const struct workload_op *op) {
    struct record r;
    struct record_error error;
    if (op->kind == OP_POISON) {
        assert_int_equal(record_decode(op->value, &r, &error), -1);
        return;
    }
    assert_int_equal(record_decode(op->value, &r, &error), 0);
    assert_int_equal(stamp_compare(r.stamp, op->stamp), 0);
    assert_true(r.stamp.ts.ns == op->at.ns);
    assert_true(r.subject_id == op->key);
    if (r.type != RECORD_LISTING && r.type != RECORD_MEDIA) {
        return;
    }
    struct document *d = fold_document(f, op->key);
    int rc = document_fold(d, &r, doc_version_pack(0, f->position++), op->at, NULL);
    assert_in_range(rc, 0, 1);
    if (r.type == RECORD_LISTING) {
        struct document_digest digest;
        document_digest(d, &digest);
        assert_true(op->listing.listing_id == op->key);
        assert_int_equal(stamp_compare(op->listing.stamp, op->stamp), 0);
        assert_true(digest.source == row_source(&op->listing));
    }
}

/* XXH3 is not needed here: FNV-1a over everything that an operation says. */
static inline uint64_t digest_bytes(uint64_t sum, const void *data, size_t len) {
    const unsigned char *bytes = data;
    for (size_t i = 0; i < len; i++) {
        sum = (sum ^ bytes[i]) * UINT64_C(0x100000001b3);
    }
    return sum;
}

static inline uint64_t digest_number(uint64_t sum, uint64_t number) {
    for (int i = 0; i < 8; i++) {
        unsigned char byte = (unsigned char)(number >> (8 * i));
        sum = digest_bytes(sum, &byte, 1);
    }
    return sum;
}

#define DIGEST_START UINT64_C(0xcbf29ce484222325)

static inline uint64_t digest_op(uint64_t sum, const struct workload_op *op) {
    sum = digest_number(sum, (uint64_t)op->kind);
    sum = digest_number(sum, (uint64_t)op->at.ns);
    sum = digest_number(sum, (uint64_t)op->topic);
    sum = digest_number(sum, op->key);
    sum = digest_bytes(sum, op->value.data, op->value.len);
    sum = digest_number(sum, op->through_oltp);
    sum = digest_number(sum, op->seller_id);
    sum = digest_number(sum, op->order.order_id);
    sum = digest_number(sum, (uint64_t)op->listing.price);
    sum = digest_bytes(sum, op->listing.title.data, op->listing.title.len);
    sum = digest_bytes(sum, op->listing.description.data, op->listing.description.len);
    return digest_bytes(sum, op->listing.image_ids.data, op->listing.image_ids.len);
}

#endif
