/*
 * The words of a text as FTS5's tokeniser unicode61 cuts them, without diacritics: whatever is
 * neither letter nor digit parts them, in every script. A query that is cut by it has the terms
 * that documents have.
 */
#ifndef MURPHY_SIM_FTS_WORDS_H
#define MURPHY_SIM_FTS_WORDS_H

#include <sqlite3.h>
#include <stddef.h>

#include "pipeline/bytes.h"

struct fts_words {
    fts5_tokenizer tokeniser;
    Fts5Tokenizer *instance;
};

/* The interface of FTS5 in a connection; NULL where it has none. */
fts5_api *fts_words_api(sqlite3 *db);

/* A zeroed struct may be closed. SQLITE_OK, or an error of SQLite. */
int fts_words_open(struct fts_words *words, sqlite3 *db);
void fts_words_close(struct fts_words *words);

/* Calls word() with where each word begins and ends, in order. SQLITE_OK, or SQLITE_NOMEM. */
int fts_words_each(const struct fts_words *words, struct bytes text,
                   void (*word)(void *ctx, size_t begin, size_t end), void *ctx);

#endif
