/*
 * HTTP through libcurl, as far as conformance subjects need it: one connection, kept open, to a
 * server on a socket in a folder, where nobody else can reach it; one request at a time.
 */
#ifndef MURPHY_CONFORMANCE_HTTP_H
#define MURPHY_CONFORMANCE_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "pipeline/bytes.h"
#include "pipeline/ports.h"

struct http;

/* signed_as: "KEY:SECRET" of AWS Signature Version 4 (service s3), or NULL. NULL without memory. */
struct http *http_new(const char *socket, const char *signed_as);
void http_free(struct http *h);

enum { HTTP_HEADERS_MAX = 4 };
struct http_request {
    const char *method;                    /* GET, HEAD, PUT, POST, DELETE */
    const char *path;                      /* with its query, encoded */
    struct bytes body;                     /* of PUT and POST */
    const char *headers[HTTP_HEADERS_MAX]; /* "name: value"; the first NULL ends them */
    long timeout_ms;                       /* 0: 30 s */
};

/* The status, from 200; or PORT_UNAVAILABLE when nobody took the request, PORT_UNKNOWN when it was
 * sent and the answer did not come. */
int http_ask(struct http *h, const struct http_request *request);

/* Of the last answer; good until the next request; behind the body stands a zero byte. A header
 * that is not there is NULL. */
struct bytes http_body(const struct http *h);
const char *http_header(const struct http *h, const char *name);

/* What a port says of such an answer: 0 for 200 to 299. */
int http_port_error(int answer);

#endif
