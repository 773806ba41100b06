/*
 * Dead letters: what the pipeline refused, why, and the bytes themselves, so that an operator can
 * read the reason and replay the record after a fix (A13).
 *
 * A letter has a key of its own, made of the refused record's position: a record that is refused
 * again has the same letter, and a tombstone of that key (a record without a value) takes it away
 * when its topic is compacted, as erasure does (A12).
 */
#ifndef MURPHY_PIPELINE_DEAD_LETTER_H
#define MURPHY_PIPELINE_DEAD_LETTER_H

#include <stddef.h>
#include <stdint.h>

#include "pipeline/bytes.h"
#include "pipeline/record.h"
#include "pipeline/topics.h"
#include "pipeline/vtime.h"

struct dead_letter {
    enum topic_id topic; /* where the record stood */
    uint32_t partition;
    int64_t offset;
    uint64_t
        key; /* of the record in its topic: a listing's id, of policy and privacy a subject's */
    vtime append;
    uint16_t contract_version; /* of the contract that it was held against */
    struct bytes reason;       /* e.g. "text is not valid UTF-8" */
    struct bytes field;        /* violating field, "record" for the frame */
    struct bytes expected;
    int64_t actual;
    struct bytes value; /* the refused bytes */
};

/* Key of the letter in its own topic. */
uint64_t dead_letter_key(const struct dead_letter *letter);

size_t dead_letter_size(const struct dead_letter *letter);
/* Writes dead_letter_size() bytes. */
void dead_letter_encode(const struct dead_letter *letter, char *buffer);
/* 0, or -1 for bytes that are no dead letter; pointers into input. */
int dead_letter_decode(struct bytes input, struct dead_letter *out);

#endif
