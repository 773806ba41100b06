#include "sim/fts_bm25.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "sim/fts_words.h"

#define K1 1.2
#define B 0.75

/* What a query's scores share; made at its first row. */
struct query_weights {
    double mean_length;
    int phrases;
    double idf[];
};

double fts_bm25_ln(double x) {
    uint64_t bits = 0;
    memcpy(&bits, &x, sizeof(bits));
    int exponent = (int)(bits >> 52) - 1023;
    assert(exponent > -1023 && exponent < 1024); /* neither negative, denormal nor infinite */
    bits = (bits & ((UINT64_C(1) << 52) - 1)) | (UINT64_C(1023) << 52);
    double mantissa = 0;
    memcpy(&mantissa, &bits, sizeof(mantissa));
    if (mantissa > 1.4142135623730951) {
        mantissa *= 0.5;
        exponent++;
    }
    /* ln m = 2 atanh((m - 1) / (m + 1)): with |s| <= 0.172 eleven terms reach a double's end */
    double s = (mantissa - 1) / (mantissa + 1);
    double square = s * s;
    double sum = 0;
    for (int term = 21; term >= 1; term -= 2) {
        sum = sum * square + 1.0 / term;
    }
    return exponent * 0.69314718055994531 + 2 * s * sum;
}

static int count_row(const Fts5ExtensionApi *api, Fts5Context *row, void *ctx) {
    (void)api;
    (void)row;
    int64_t *count = ctx;
    ++*count;
    return SQLITE_OK;
}

static int make_weights(const Fts5ExtensionApi *api, Fts5Context *row, struct query_weights **out) {
    int phrases = api->xPhraseCount(row);
    sqlite3_int64 rows = 0;
    sqlite3_int64 tokens = 0;
    int rc = api->xRowCount(row, &rows);
    if (rc == SQLITE_OK) {
        rc = api->xColumnTotalSize(row, 0, &tokens);
    }
    struct query_weights *w =
        sqlite3_malloc64(sizeof(*w) + (sqlite3_uint64)phrases * sizeof(w->idf[0]));
    if (rc != SQLITE_OK || w == 0) {
        sqlite3_free(w);
        return rc != SQLITE_OK ? rc : SQLITE_NOMEM;
    }
    w->phrases = phrases;
    w->mean_length = tokens > 0 ? (double)tokens / (double)rows : 1;
    for (int i = 0; i < phrases; i++) {
        int64_t holding = 0;
        rc = api->xQueryPhrase(row, i, &holding, count_row);
        if (rc != SQLITE_OK) {
            sqlite3_free(w);
            return rc;
        }
        w->idf[i] = fts_bm25_ln(1 + ((double)(rows - holding) + 0.5) / ((double)holding + 0.5));
    }
    *out = w;
    /* FTS5 owns it from here, also when it fails to take it. */
    return api->xSetAuxdata(row, w, sqlite3_free);
}

/* A term's weight grows with its frequency, and less each time. */
static double saturation(int frequency, double norm) {
    return frequency * (K1 + 1) / (frequency + norm);
}

static int score_row(const Fts5ExtensionApi *api, Fts5Context *row, double *score) {
    struct query_weights *w = api->xGetAuxdata(row, 0);
    int rc = w == 0 ? make_weights(api, row, &w) : SQLITE_OK;
    int length = 0;
    if (rc == SQLITE_OK) {
        rc = api->xColumnSize(row, 0, &length);
    }
    if (rc != SQLITE_OK) {
        return rc;
    }
    double norm = K1 * (1 - B + B * length / w->mean_length);
    *score = 0;
    for (int phrase = 0; phrase < w->phrases; phrase++) {
        Fts5PhraseIter iter;
        int column = 0;
        int offset = 0;
        int frequency = 0;
        rc = api->xPhraseFirst(row, phrase, &iter, &column, &offset);
        if (rc != SQLITE_OK) {
            return rc;
        }
        for (; column >= 0; api->xPhraseNext(row, &iter, &column, &offset)) {
            frequency += column == 0;
        }
        *score += w->idf[phrase] * saturation(frequency, norm);
    }
    return SQLITE_OK;
}

static void bm25(const Fts5ExtensionApi *api, Fts5Context *row, sqlite3_context *result, int count,
                 sqlite3_value **values) {
    (void)count;
    (void)values;
    double score = 0;
    int rc = score_row(api, row, &score);
    if (rc == SQLITE_OK) {
        sqlite3_result_double(result, score);
    } else {
        sqlite3_result_error_code(result, rc);
    }
}

int fts_bm25_register(sqlite3 *db) {
    fts5_api *api = fts_words_api(db);
    return api == 0 ? SQLITE_ERROR : api->xCreateFunction(api, "murphy_bm25", 0, bm25, 0);
}
