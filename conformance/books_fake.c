/* The fake's books as a subject. */
#include <stdio.h>
#include <stdlib.h>

#include "conformance/books_subject.h"
#include "sim/oltp_books.h"

struct subject {
    struct oltp_subject oltp;
    struct oltp_books books;
};

static void release(void *ctx) {
    struct subject *s = ctx;
    oltp_books_release(&s->books);
    s->oltp.free(s->oltp.ctx);
    free(s);
}

bool books_subject_fake(struct books_subject *out) {
    struct subject *s = calloc(1, sizeof *s);
    if (s == NULL || !oltp_subject_fake(&s->oltp)) {
        fprintf(stderr, "out of memory\n");
        free(s);
        return false;
    }
    oltp_books_init(&s->books, s->oltp.ctx);
    *out = (struct books_subject){oltp_books_port(&s->books), s->oltp, release, s};
    return true;
}
