#include "sim/fts_words.h"

#include <assert.h>
#include <limits.h>

fts5_api *fts_words_api(sqlite3 *db) {
    fts5_api *api = NULL;
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(db, "SELECT fts5(?1)", -1, &statement, NULL) != SQLITE_OK) {
        return NULL;
    }
    sqlite3_bind_pointer(statement, 1, (void *)&api, "fts5_api_ptr", NULL);
    sqlite3_step(statement);
    return sqlite3_finalize(statement) == SQLITE_OK ? api : NULL;
}

int fts_words_open(struct fts_words *words, sqlite3 *db) {
    const char *options[] = {"remove_diacritics", "2"};
    fts5_api *api = fts_words_api(db);
    void *context = NULL;
    if (api == NULL) {
        return SQLITE_ERROR;
    }
    int rc = api->xFindTokenizer(api, "unicode61", &context, &words->tokeniser);
    return rc != SQLITE_OK ? rc : words->tokeniser.xCreate(context, options, 2, &words->instance);
}

void fts_words_close(struct fts_words *words) {
    if (words->instance != NULL) {
        words->tokeniser.xDelete(words->instance);
    }
    *words = (struct fts_words){0};
}

struct visit {
    void (*word)(void *ctx, size_t begin, size_t end);
    void *ctx;
};

static int tell(void *ctx, int flags, const char *token, int length, int begin, int end) {
    const struct visit *visit = ctx;
    (void)flags;
    (void)token;
    (void)length;
    visit->word(visit->ctx, (size_t)begin, (size_t)end);
    return SQLITE_OK;
}

int fts_words_each(const struct fts_words *words, struct bytes text,
                   void (*word)(void *ctx, size_t begin, size_t end), void *ctx) {
    struct visit visit = {word, ctx};
    assert(text.len <= INT_MAX);
    return text.len == 0 ? SQLITE_OK
                         : words->tokeniser.xTokenize(words->instance, &visit, FTS5_TOKENIZE_QUERY,
                                                      text.data, (int)text.len, tell);
}
