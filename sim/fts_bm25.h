/*
 * BM25 for FTS5, the same bits everywhere.
 *
 * FTS5's own bm25() takes a logarithm from libm, and libraries differ in its last bit, which may
 * turn two hits around; so ranking has its own, from the four operations alone (D3). The formula is
 * that of S. Robertson and H. Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond"
 * (2009), with k1 = 1.2, b = 0.75 and the inverse document frequency ln(1 + (N - n + 0.5) /
 * (n + 0.5)), which never turns negative: what Lucene computes.
 */
#ifndef MURPHY_SIM_FTS_BM25_H
#define MURPHY_SIM_FTS_BM25_H

#include <sqlite3.h>

/*
 * Adds the auxiliary function murphy_bm25(TABLE) to a connection: the score of the present row's
 * first column for the query's phrases; greater is better, 0 for a match in other columns only.
 * Returns SQLITE_OK, or a SQLite error.
 */
int fts_bm25_register(sqlite3 *db);

/* ln(x) of a normal positive number, to 2 units in the last place. */
double fts_bm25_ln(double x);

#endif
