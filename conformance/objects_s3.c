/*
 * The object port over the protocol of Amazon S3: an object for each key, the listing first, so
 * that all objects of a listing share a prefix; listed in pages, dropped one by one.
 *
 * When an object was stored is kept with it as metadata, in the caller's time: the server's own
 * Last-Modified is of its own clock and counts whole seconds. So each object that a listing names
 * costs a HEAD. The bucket "artifacts" is on the server that MURPHY_CONFORMANCE_S3 names, a socket;
 * the key is S3RVER, and so is the secret.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conformance/http.h"
#include "conformance/objects_subject.h"
#include "pipeline/little_endian.h"

#define BUCKET "/artifacts"
#define STORED "x-amz-meta-stored-ns"
/* Small, so that a listing of a few objects takes several pages. */
#define PAGE_KEYS 5
enum { NAME_MAX_BYTES = 64, PATH_MAX_BYTES = 256 };

struct subject {
    struct http *http;
};

static void object_path(const struct artifact_key *key, char path[PATH_MAX_BYTES]) {
    snprintf(path, PATH_MAX_BYTES, BUCKET "/%016" PRIx64 "/%s/%u/%016" PRIx64, key->listing_id,
             modality_name(key->modality), key->model_version, key->content_hash);
}

static int ask(struct subject *s, const char *method, const char *path) {
    return http_ask(s->http, &(struct http_request){.method = method, .path = path});
}

/* ---- Objects ---- */

static int put_one(struct subject *s, vtime now, const struct artifact_key *key,
                   const float *vector) {
    char body[FUSED_DIMENSION * 4];
    char *at = body;
    for (size_t i = 0; i < modality_dimension(key->modality); i++) {
        uint32_t bits;
        memcpy(&bits, &vector[i], sizeof bits);
        at = le32_put(at, bits);
    }
    char path[PATH_MAX_BYTES];
    char stored[64];
    object_path(key, path);
    snprintf(stored, sizeof stored, STORED ": %" PRId64, now.ns);
    struct http_request request = {
        .method = "PUT",
        .path = path,
        .body = {body, (size_t)(at - body)},
        .headers = {"content-type: application/octet-stream", stored, "expect:"},
    };
    return http_port_error(http_ask(s->http, &request));
}

static int port_put(void *ctx, vtime now, const struct artifact_key *keys,
                    const float *const *vectors, size_t count) {
    for (size_t i = 0; i < count; i++) {
        int rc = put_one(ctx, now, &keys[i], vectors[i]);
        if (rc != 0) {
            return i == 0 ? rc : PORT_UNKNOWN; /* some are in */
        }
    }
    return 0;
}

static int port_get(void *ctx, vtime now, const struct artifact_key *keys, size_t count,
                    float *const *vectors, bool *found) {
    struct subject *s = ctx;
    (void)now;
    for (size_t i = 0; i < count; i++) {
        char path[PATH_MAX_BYTES];
        object_path(&keys[i], path);
        int rc = http_port_error(ask(s, "GET", path));
        if (rc != 0 && rc != PORT_NOT_FOUND) {
            return rc;
        }
        struct bytes body = http_body(s->http);
        size_t floats = modality_dimension(keys[i].modality);
        found[i] = rc == 0 && body.len == floats * 4;
        for (size_t f = 0; found[i] && f < floats; f++) {
            uint32_t bits = le32_get(body.data + 4 * f);
            memcpy(&vectors[i][f], &bits, sizeof bits);
        }
    }
    return 0;
}

/* ---- Listings ---- */

struct page {
    char names[PAGE_KEYS][NAME_MAX_BYTES];
    size_t count;
    bool last;
};

/* The names that begin with the prefix, behind the one given ("" for the first page). Names are of
 * digits, letters and slashes, which XML does not escape. */
static int list(struct subject *s, const char *prefix, const char *behind, struct page *page) {
    char path[PATH_MAX_BYTES];
    size_t used = (size_t)snprintf(path, sizeof path, BUCKET "?marker=");
    for (const char *c = behind; *c != 0; c++) {
        used += (size_t)snprintf(path + used, sizeof path - used, *c == '/' ? "%%2F" : "%c", *c);
    }
    snprintf(path + used, sizeof path - used, "&max-keys=%d&prefix=%s", PAGE_KEYS, prefix);
    *page = (struct page){.last = true};
    int rc = http_port_error(ask(s, "GET", path));
    if (rc != 0) {
        return rc;
    }
    const char *body = http_body(s->http).data;
    page->last = strstr(body, "<IsTruncated>true") == NULL;
    for (const char *at = strstr(body, "<Key>"); at != NULL; at = strstr(at, "<Key>")) {
        at += strlen("<Key>");
        size_t length = strcspn(at, "<");
        assert(page->count < PAGE_KEYS && length < NAME_MAX_BYTES);
        memcpy(page->names[page->count], at, length);
        page->names[page->count++][length] = 0;
    }
    assert(page->last || page->count > 0);
    return 0;
}

/* Which objects are meant, and what becomes of them. */
struct walk {
    vtime from, to; /* stored in [from, to) */
    bool drop;
    uint64_t met;
};

static int meet(struct subject *s, struct walk *walk, const char *name) {
    char path[PATH_MAX_BYTES];
    snprintf(path, sizeof path, BUCKET "/%s", name);
    int rc = http_port_error(ask(s, "HEAD", path));
    const char *stored = rc == 0 ? http_header(s->http, STORED) : NULL;
    if (stored == NULL) {
        return rc == PORT_NOT_FOUND ? 0 : rc; /* it went between the listing and this */
    }
    int64_t ns = strtoll(stored, NULL, 10);
    if (ns < walk->from.ns || ns >= walk->to.ns) {
        return 0;
    }
    walk->met++;
    return walk->drop ? http_port_error(ask(s, "DELETE", path)) : 0;
}

static int walk_on(struct subject *s, const char *prefix, struct walk *walk) {
    struct page page = {.last = false};
    char behind[NAME_MAX_BYTES] = "";
    int rc = 0;
    while (!page.last && rc == 0) {
        rc = list(s, prefix, behind, &page);
        for (size_t i = 0; i < page.count && rc == 0; i++) {
            memcpy(behind, page.names[i], sizeof behind);
            rc = meet(s, walk, page.names[i]);
        }
    }
    return rc;
}

static int walk_listings(struct subject *s, const uint64_t *listing_ids, size_t count,
                         struct walk *walk) {
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++) {
        char prefix[NAME_MAX_BYTES];
        snprintf(prefix, sizeof prefix, "%016" PRIx64 "%%2F", listing_ids[i]);
        rc = walk_on(s, prefix, walk);
    }
    return rc;
}

static struct walk up_to(vtime until, bool drop) {
    return (struct walk){.from = {INT64_MIN},
                         .to = {until.ns == INT64_MAX ? INT64_MAX : until.ns + 1},
                         .drop = drop};
}

static int port_erase(void *ctx, vtime now, const uint64_t *listing_ids, size_t count,
                      vtime until) {
    (void)now;
    struct walk walk = up_to(until, true);
    return walk_listings(ctx, listing_ids, count, &walk);
}

static int port_purge(void *ctx, vtime now, vtime from, vtime to) {
    (void)now;
    struct walk walk = {.from = from, .to = to, .drop = true};
    return walk_on(ctx, "", &walk);
}

static int port_count(void *ctx, vtime now, const uint64_t *listing_ids, size_t count, vtime until,
                      uint64_t *objects) {
    (void)now;
    struct walk walk = up_to(until, false);
    int rc = walk_listings(ctx, listing_ids, count, &walk);
    *objects = walk.met;
    return rc;
}

static const struct object_port_ops port_ops = {
    .put = port_put,
    .get = port_get,
    .erase = port_erase,
    .purge = port_purge,
    .count = port_count,
};

static void release(void *ctx) {
    struct subject *s = ctx;
    http_free(s->http);
    free(s);
}

bool objects_subject_s3(struct objects_subject *out) {
    const char *socket = getenv("MURPHY_CONFORMANCE_S3");
    struct subject *s = calloc(1, sizeof *s);
    if (socket == NULL || s == NULL || (s->http = http_new(socket, "S3RVER:S3RVER")) == NULL) {
        fprintf(stderr, "MURPHY_CONFORMANCE_S3 names no socket, or memory is out\n");
        free(s);
        return false;
    }
    int rc = port_purge(s, (vtime){0}, (vtime){INT64_MIN}, VTIME_NEVER);
    if (rc != 0) {
        fprintf(stderr, "S3 on %s: %s\n", socket, port_error_name(rc));
        release(s);
        return false;
    }
    *out = (struct objects_subject){{&port_ops, s}, release, s};
    return true;
}
