/*
 * The rows of a statement on stdout, in one of three forms.
 *
 *   table   for people: aligned columns, moments as dates and durations with units (in columns
 *           whose name ends in _ns), long texts cut, what a terminal could take for a command shown
 *           by number
 *   JSON    an array of objects, everything as it is; blobs in hexadecimal, broken UTF-8 as U+FFFD;
 *           of two columns of one name the second is NAME_2
 *   CSV     RFC 4180 with a line of names; NULL is empty
 *
 * Nothing is written before the last row was read, so a statement that fails or is interrupted
 * leaves no half of a result.
 */
#ifndef MURPHY_CLI_QUERY_ROWS_H
#define MURPHY_CLI_QUERY_ROWS_H

#include <sqlite3.h>
#include <stdio.h>

enum query_form { QUERY_TABLE, QUERY_JSON, QUERY_CSV };

/* Steps the statement to its end and writes its rows. SQLITE_DONE, the SQLite error that ended it
 * (SQLITE_INTERRUPT, ...), SQLITE_NOMEM, or SQLITE_IOERR when `out` refused. */
int query_rows_write(sqlite3_stmt *statement, enum query_form form, FILE *out);

#endif
