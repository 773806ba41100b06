/*
 * One sentence of evidence, put together without stdio: the core prints nothing, but what it tells
 * an operator should read well.
 */
#ifndef MURPHY_PIPELINE_SENTENCE_H
#define MURPHY_PIPELINE_SENTENCE_H

#include <stddef.h>
#include <stdint.h>

#include "pipeline/bytes.h"
#include "pipeline/vtime.h"

/* Text beyond the room is cut. */
struct sentence {
    char text[240];
    size_t length;
};

struct sentence sentence_begin(void);
void sentence_add(struct sentence *sentence, const char *text);
void sentence_add_bytes(struct sentence *sentence, struct bytes text);
void sentence_add_number(struct sentence *sentence, uint64_t number);
void sentence_add_integer(struct sentence *sentence, int64_t number);
/* As in 2026-03-02T01:31:01Z. */
void sentence_add_time(struct sentence *sentence, vtime time);
/* As in 2h05m or 40s; seconds are dropped from an hour on. */
void sentence_add_duration(struct sentence *sentence, int64_t duration_ns);

static inline struct bytes sentence_bytes(const struct sentence *sentence) {
    return (struct bytes){sentence->text, sentence->length};
}

#endif
