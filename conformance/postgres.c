#include "conformance/postgres.h"

#include <assert.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PARAMETERS_MAX = 40, OID_INT8 = 20, OID_BYTEA = 17 };

static void quiet(void *ctx, const char *message) {
    (void)ctx;
    (void)message; /* notices of dropped schemas */
}

static PGconn *connection;

static void disconnect(void) {
    PQfinish(connection);
}

static PGconn *connect_once(void) {
    if (connection == NULL) {
        connection = PQconnectdb("");
        PQsetNoticeProcessor(connection, quiet, NULL);
        (void)atexit(disconnect);
    }
    return connection;
}

PGconn *postgres_open(const char *schema) {
    PGconn *db = connect_once();
    if (PQstatus(db) != CONNECTION_OK) {
        fprintf(stderr, "PostgreSQL: %s", PQerrorMessage(db));
        return NULL;
    }
    if (PQtransactionStatus(db) != PQTRANS_IDLE) {
        postgres_run(db, "ROLLBACK");
    }
    char sql[256];
    snprintf(sql, sizeof sql,
             "DROP SCHEMA IF EXISTS %s CASCADE; CREATE SCHEMA %s; SET search_path TO %s, public",
             schema, schema, schema);
    postgres_run(db, sql);
    return db;
}

static void must(PGconn *db, const PGresult *result, const char *sql) {
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        fprintf(stderr, "PostgreSQL: %s: %s", sql, PQerrorMessage(db));
        abort();
    }
}

void postgres_run(PGconn *db, const char *sql) {
    PGresult *result = PQexec(db, sql);
    must(db, result, sql);
    PQclear(result);
}

PGresult *postgres_ask_as(PGconn *db, const char *sql, const struct cell *cells, int count,
                          int typed) {
    Oid types[PARAMETERS_MAX];
    const char *values[PARAMETERS_MAX];
    int lengths[PARAMETERS_MAX];
    int formats[PARAMETERS_MAX];
    unsigned char integers[PARAMETERS_MAX][8];
    assert(count <= PARAMETERS_MAX);
    for (int i = 0; i < count; i++) {
        formats[i] = 1;
        types[i] = cells[i].type == CELL_TEXT || cells[i].type == CELL_BLOB ? OID_BYTEA : OID_INT8;
        if (i == typed) {
            types[i] = 0; /* as below; and an extension's type has no number of its own */
        }
        if (cells[i].type == CELL_NULL) {
            types[i] = 0; /* the server knows it of the column */
            values[i] = NULL;
            lengths[i] = 0;
        } else if (cells[i].type == CELL_INTEGER) {
            for (int b = 0; b < 8; b++) {
                integers[i][b] = (unsigned char)((uint64_t)cells[i].integer >> (56 - 8 * b));
            }
            values[i] = (const char *)integers[i];
            lengths[i] = 8;
        } else {
            values[i] = cells[i].text.len > 0 ? cells[i].text.data : "";
            lengths[i] = (int)cells[i].text.len;
        }
    }
    PGresult *result = PQexecParams(db, sql, count, types, values, lengths, formats, 1);
    must(db, result, sql);
    return result;
}

PGresult *postgres_ask(PGconn *db, const char *sql, const struct cell *cells, int count) {
    return postgres_ask_as(db, sql, cells, count, -1);
}

int64_t postgres_do(PGconn *db, const char *sql, const struct cell *cells, int count) {
    return postgres_do_as(db, sql, cells, count, -1);
}

int64_t postgres_do_as(PGconn *db, const char *sql, const struct cell *cells, int count,
                       int typed) {
    PGresult *result = postgres_ask_as(db, sql, cells, count, typed);
    int64_t touched = strtoll(PQcmdTuples(result), NULL, 10);
    PQclear(result);
    return touched;
}

int64_t postgres_integer(const PGresult *result, int row, int column) {
    if (PQgetisnull(result, row, column)) {
        return 0;
    }
    const unsigned char *at = (const unsigned char *)PQgetvalue(result, row, column);
    int length = PQgetlength(result, row, column);
    uint64_t value = length > 0 && length < 8 && (at[0] & 0x80) != 0 ? UINT64_MAX : 0;
    for (int i = 0; i < length; i++) {
        value = value << 8 | at[i];
    }
    return (int64_t)value;
}

double postgres_real(const PGresult *result, int row, int column) {
    int64_t bits = postgres_integer(result, row, column);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

struct bytes postgres_bytes(const PGresult *result, int row, int column) {
    if (PQgetisnull(result, row, column)) {
        return (struct bytes){NULL, 0};
    }
    return (struct bytes){PQgetvalue(result, row, column),
                          (size_t)PQgetlength(result, row, column)};
}
