/*
 * What the end found out: differences of rows, counted and told.
 */
#include <inttypes.h>
#include <stdio.h>

#include "pipeline/array.h"
#include "sim/oracle_parts.h"

/* At most `room` bytes of a text that end where a character ends. */
static int excerpt(struct bytes text, size_t room) {
    if (text.len <= room) {
        return (int)text.len;
    }
    while (room > 0 && ((unsigned char)text.data[room] & 0xC0) == 0x80) {
        room--;
    }
    return (int)room;
}

enum { EXCERPT_BYTES = 60 };

static void side_text(char side[192], const char *what, struct bytes text) {
    if (text.data == NULL) {
        snprintf(side, 192, "%s none", what);
        return;
    }
    int shown = excerpt(text, EXCERPT_BYTES);
    snprintf(side, 192, "%s \"%.*s\"%s", what, shown, text.data,
             (size_t)shown < text.len ? "..." : "");
}

void finding_text(struct finding *f, const char *what, struct bytes expected,
                  struct bytes observed) {
    side_text(f->expected, what, expected);
    side_text(f->observed, what, observed);
}

void finding_number(struct finding *f, const char *what, int64_t expected, int64_t observed) {
    snprintf(f->expected, sizeof f->expected, "%s %" PRId64, what, expected);
    snprintf(f->observed, sizeof f->observed, "%s %" PRId64, what, observed);
}

bool finding_text_differs(struct finding *f, const char *what, struct bytes expected,
                          struct bytes observed) {
    if (bytes_equal(expected, observed)) {
        return false;
    }
    finding_text(f, what, expected, observed);
    return true;
}

void finding_words(struct finding *f, const char *expected, const char *observed) {
    snprintf(f->expected, sizeof f->expected, "%s", expected);
    snprintf(f->observed, sizeof f->observed, "%s", observed);
}

void finding_add(struct comparison *c, const struct finding *f) {
    struct oracle *o = c->o;
    o->drift[f->store][f->class]++;
    char model[24] = "";
    if (f->model_version > 0) {
        snprintf(model, sizeof model, " of model %" PRIu32, f->model_version);
    }
    check_violated(o, f->check, c->now,
                   "%s%s: listing %" PRIu64 " is %s: version %" PRId64
                   " with %s, expected version %" PRId64 " with %s",
                   store_name(f->store), model, f->listing_id, drift_class_name(f->class),
                   f->observed_version, f->observed, f->expected_version, f->expected);
    if (o->kept[f->store] >= DIFFERENCES_PER_STORE) {
        return;
    }
    if (ARRAY_RESERVE(o->differences, o->difference_capacity, o->difference_count + 1) != 0) {
        o->out_of_memory = true;
        return;
    }
    o->kept[f->store]++;
    o->differences[o->difference_count++] = *f;
}

enum drift_class content_class(const struct oracle_listing *l, const struct reference_document *d) {
    bool heard = l != NULL && l->view.seen.alive == d->alive &&
                 (l->view.seen.policy == POLICY_SUPPRESSED) == d->suppressed &&
                 stamp_compare(l->view.last, d->last) >= 0;
    return heard ? DRIFT_MISMATCH : DRIFT_STALE;
}
