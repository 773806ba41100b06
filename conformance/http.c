#define _POSIX_C_SOURCE 200809L /* strdup */
#include "conformance/http.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/array.h"
#include "pipeline/sha256.h"

#define TIMEOUT_MS 30000L

struct http {
    CURL *curl;
    char *socket;
    char *signed_as;
    char *body; /* of the answer */
    size_t body_len, body_capacity;
};

static size_t take(char *bytes, size_t size, size_t count, void *ctx) {
    struct http *h = ctx;
    size_t length = size * count;
    if (ARRAY_RESERVE(h->body, h->body_capacity, h->body_len + length + 1) != 0) {
        return 0; /* which fails the request */
    }
    memcpy(h->body + h->body_len, bytes, length);
    h->body_len += length;
    h->body[h->body_len] = 0;
    return length;
}

struct http *http_new(const char *socket, const char *signed_as) {
    struct http *h = calloc(1, sizeof *h);
    if (h == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK ||
        (h->curl = curl_easy_init()) == NULL || (h->socket = strdup(socket)) == NULL ||
        (signed_as != NULL && (h->signed_as = strdup(signed_as)) == NULL)) {
        http_free(h);
        return NULL;
    }
    return h;
}

void http_free(struct http *h) {
    if (h == NULL) {
        return;
    }
    curl_easy_cleanup(h->curl);
    free(h->socket);
    free(h->signed_as);
    free(h->body);
    free(h);
}

/* What is signed is the request with a digest of its body, which libcurl leaves to the caller. */
static struct curl_slist *sign(struct http *h, struct bytes body, struct curl_slist *headers) {
    struct sha256 digest = sha256_of(body.data, body.len);
    char text[SHA256_TEXT];
    char line[32 + SHA256_TEXT];
    sha256_text(&digest, text);
    snprintf(line, sizeof line, "x-amz-content-sha256: %s", text);
    curl_easy_setopt(h->curl, CURLOPT_AWS_SIGV4, "aws:amz:us-east-1:s3");
    curl_easy_setopt(h->curl, CURLOPT_USERPWD, h->signed_as);
    return curl_slist_append(headers, line);
}

static void prepare(struct http *h, const struct http_request *request) {
    char url[1024];
    snprintf(url, sizeof url, "http://localhost%s", request->path);
    curl_easy_reset(h->curl);
    curl_easy_setopt(h->curl, CURLOPT_URL, url);
    curl_easy_setopt(h->curl, CURLOPT_UNIX_SOCKET_PATH, h->socket);
    curl_easy_setopt(h->curl, CURLOPT_PROXY, "");
    curl_easy_setopt(h->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(h->curl, CURLOPT_TIMEOUT_MS,
                     request->timeout_ms > 0 ? request->timeout_ms : TIMEOUT_MS);
    curl_easy_setopt(h->curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(h->curl, CURLOPT_WRITEDATA, h);
    if (request->body.len > 0) {
        curl_easy_setopt(h->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
        curl_easy_setopt(h->curl, CURLOPT_POSTFIELDS, request->body.data);
    }
    if (strcmp(request->method, "HEAD") == 0) {
        curl_easy_setopt(h->curl, CURLOPT_NOBODY, 1L);
    } else {
        curl_easy_setopt(h->curl, CURLOPT_CUSTOMREQUEST, request->method);
    }
}

int http_ask(struct http *h, const struct http_request *request) {
    h->body_len = 0;
    prepare(h, request);
    struct curl_slist *headers = NULL;
    for (int i = 0; i < HTTP_HEADERS_MAX && request->headers[i] != NULL; i++) {
        headers = curl_slist_append(headers, request->headers[i]);
    }
    if (h->signed_as != NULL) {
        headers = sign(h, request->body, headers);
    }
    curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, headers);
    CURLcode rc = curl_easy_perform(h->curl);
    curl_slist_free_all(headers);
    long status = 0;
    curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &status);
    if (rc == CURLE_OK) {
        return (int)status;
    }
    return rc == CURLE_COULDNT_CONNECT ? PORT_UNAVAILABLE : PORT_UNKNOWN;
}

struct bytes http_body(const struct http *h) {
    return (struct bytes){h->body_len > 0 ? h->body : "", h->body_len};
}

const char *http_header(const struct http *h, const char *name) {
    struct curl_header *header;
    return curl_easy_header(h->curl, name, 0, CURLH_HEADER, -1, &header) == CURLHE_OK
               ? header->value
               : NULL;
}

int http_port_error(int answer) {
    if (answer < 0) {
        return answer;
    }
    if (answer >= 200 && answer < 300) {
        return 0;
    }
    switch (answer) {
    case 404:
        return PORT_NOT_FOUND;
    case 413:
        return PORT_TOO_LARGE;
    case 429:
        return PORT_THROTTLED;
    case 503:
        return PORT_UNAVAILABLE;
    default: /* nobody knows what was done */
        return PORT_UNKNOWN;
    }
}
