/*
 * PostgreSQL through libpq, as far as conformance subjects need it: a connection with a schema of
 * its own, statements with parameters, results in binary. Integers are int8, texts and blobs bytea,
 * since a text of PostgreSQL cannot hold every byte.
 *
 * A statement that fails is the programmer's error and ends the program with what the server said;
 * a connection that breaks is not, and is told.
 */
#ifndef MURPHY_CONFORMANCE_POSTGRES_H
#define MURPHY_CONFORMANCE_POSTGRES_H

#include <stdbool.h>
#include <stdint.h>

#include "pipeline/bytes.h"
#include "sim/cell.h"

/* As in libpq-fe.h, which is not where every compiler looks. */
typedef struct pg_conn PGconn;
typedef struct pg_result PGresult;

/* Connects to the server that the environment names (PGHOST, PGPORT, PGUSER, ...), and makes an
 * empty schema in which all that follows happens. NULL when it cannot; then it has said why. A
 * program has one connection, since PGlite is a server for one client; it lasts until the end. */
PGconn *postgres_open(const char *schema);

/* Statements without parameters and result, several parted by semicolons. */
void postgres_run(PGconn *db, const char *sql);
/* One statement, parameters $1, $2, ... Freed by PQclear. */
PGresult *postgres_ask(PGconn *db, const char *sql, const struct cell *cells, int count);
/* The same, without a look at the result: how many rows it touched. */
int64_t postgres_do(PGconn *db, const char *sql, const struct cell *cells, int count);

/* The same, where parameter number `typed` (0 is the first) is a vector in pgvector's own format.
 */
PGresult *postgres_ask_as(PGconn *db, const char *sql, const struct cell *cells, int count,
                          int typed);
int64_t postgres_do_as(PGconn *db, const char *sql, const struct cell *cells, int count, int typed);

/* Columns of a result; a NULL is 0, or bytes whose data is NULL. Bytes are good until PQclear. */
int64_t postgres_integer(const PGresult *result, int row, int column);
double postgres_real(const PGresult *result, int row, int column);
struct bytes postgres_bytes(const PGresult *result, int row, int column);

/* Ids are unsigned, and int8 is not: ids in the order of integers. */
static inline int64_t postgres_key(uint64_t id) {
    return (int64_t)(id ^ (UINT64_C(1) << 63));
}
static inline uint64_t postgres_id(int64_t key) {
    return (uint64_t)key ^ (UINT64_C(1) << 63);
}

#endif
