/*
 * What record.c and record_sections.c share: private to them.
 */
#ifndef MURPHY_PIPELINE_RECORD_PARTS_H
#define MURPHY_PIPELINE_RECORD_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "pipeline/little_endian.h"
#include "pipeline/record.h"

enum {
    SECTIONS_KNOWN = SECTION_ORIGIN | SECTION_POLICY | SECTION_REPAIR | SECTION_FACTS |
                     SECTION_AGAIN | SECTION_WRITER,
};

static inline bool is_moment(int64_t ns) {
    return ns >= 0;
}

static inline bool is_status(uint8_t status) {
    return status == POLICY_ACTIVE || status == POLICY_SUPPRESSED;
}

static inline bool is_tokeniser(unsigned code) {
    return code == TOKENISER_WORD || code == TOKENISER_BIGRAM;
}

static inline char *put_bytes(char *at, struct bytes b) {
    if (b.len > 0) {
        memcpy(at, b.data, b.len);
    }
    return at + b.len;
}

static inline char *put_stamp(char *at, struct stamp s) {
    at = le64_put(at, (uint64_t)s.ts.ns);
    at = le64_put(at, s.id.hi);
    return le64_put(at, s.id.lo);
}

/* Bytes of the sections at the end of a record with a header, which may claim more than there are.
 */
size_t sections_found(struct bytes record, unsigned sections);
/* Reads the sections that out->sections names from just their bytes. 0, or -1 with *error. */
int sections_decode(struct bytes sections, struct record *out, struct record_error *error);
/* Writes record_sections_size(r) bytes; returns the end. */
char *sections_put(char *at, const struct record *r);

#endif
