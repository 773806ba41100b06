/*
 * One line of a file of changes, read and checked: private to the replay. sim/replay.h says what
 * lines there are.
 */
#ifndef MURPHY_SIM_REPLAY_LINE_H
#define MURPHY_SIM_REPLAY_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/record.h"
#include "pipeline/vtime.h"
#include "sim/arena.h"

enum replay_op { REPLAY_CREATE, REPLAY_UPDATE, REPLAY_PRICE_CHANGE, REPLAY_DELETE };

#define REPLAY_ID_BIT (UINT64_C(1) << 61) /* set in ids that are hashes */

struct replay_line {
    void *json; /* json_t: owns what the line points to */
    enum replay_op op;
    vtime at;
    struct bytes id; /* as in the file */
    uint64_t listing_id;
    const void *doc;     /* json_t, or NULL */
    const void *changed; /* json_t, or NULL */
};

/* What is wrong with a line: a sentence without file and line. */
struct replay_complaint {
    int column; /* 0: not known */
    char text[320];
};

/* Fixes the seed of jansson's hash tables, so that no run asks the system for randomness. */
void replay_line_setup(void);

/* 0, or -1 with *complaint filled and nothing owned. */
int replay_line_parse(struct bytes text, struct replay_line *out,
                      struct replay_complaint *complaint);
void replay_line_release(struct replay_line *line);

/* Fields of a record; texts are in the arena. */
struct replay_fields {
    struct field *items;
    size_t count, capacity;
    bool image_named; /* the picture is among what was named: */
    bool has_image;
    uint64_t image_id;
};

/*
 * The fields that the line's event names, in canonical order, into *out (whose room is used
 * again). `whole`: every own field, and every attribute of doc. 0, or -1 with *complaint filled.
 */
int replay_line_fields(const struct replay_line *line, bool whole, struct arena *arena,
                       struct replay_fields *out, struct replay_complaint *complaint);

/* Puts fields into canonical order. */
void replay_fields_sort(struct replay_fields *fields);
/* Adds one; 0 or -ENOMEM. */
int replay_fields_add(struct replay_fields *fields, struct field f);

#endif
