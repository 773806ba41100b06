/*
 * The embedding port over HTTP, with the requests of OpenAI's /v1/embeddings, for text vectors. The
 * service is on the socket that MURPHY_CONFORMANCE_EMBEDDINGS names.
 *
 * Such a service refuses a request as a whole for one input that it cannot take. The port answers
 * item by item, so what cannot be served is sorted out before it is sent.
 */
#include <assert.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conformance/embedding_subject.h"
#include "conformance/http.h"
#include "pipeline/array.h"

#define DIMENSION 512

struct subject {
    struct http *http;
    char *text; /* of the item at hand */
    size_t capacity;
};

static bool can_serve(const struct embed_item *item) {
    return item->modalities == 1U << MODALITY_TEXT &&
           item->text.title.len + item->text.description.len + item->text.attributes.len > 0;
}

/* The texts, a line each. NULL when they are not UTF-8. */
static json_t *input_of(struct subject *s, const struct embed_item *item) {
    const struct bytes parts[] = {item->text.title, item->text.description, item->text.attributes};
    size_t used = 0;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        int rc = ARRAY_RESERVE(s->text, s->capacity, used + parts[i].len + 1);
        assert(rc == 0);
        (void)rc;
        if (parts[i].len > 0) {
            memcpy(s->text + used, parts[i].data, parts[i].len);
            used += parts[i].len;
            s->text[used++] = '\n';
        }
    }
    return json_stringn(s->text, used);
}

/* The inputs of what can be served; the others are answered here. */
static json_t *inputs_of(struct subject *s, uint32_t model_version, const struct embed_item *items,
                         size_t count, struct embed_result *results) {
    json_t *inputs = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *input = can_serve(&items[i]) ? input_of(s, &items[i]) : NULL;
        results[i].model_version = model_version;
        results[i].status = input != NULL ? ITEM_APPLIED : ITEM_FATAL;
        if (input != NULL) {
            json_array_append_new(inputs, input);
        }
    }
    return inputs;
}

/* Of a longer answer the buffer holds the beginning, behind a shorter one zeros. */
static void take_vector(const json_t *vector, struct embed_result *result) {
    float *out = result->vectors[MODALITY_TEXT];
    size_t length = json_array_size(vector);
    memset(out, 0, TEXT_DIMENSION * sizeof *out);
    for (size_t i = 0; i < length && i < TEXT_DIMENSION; i++) {
        out[i] = (float)json_number_value(json_array_get(vector, i));
    }
    result->dimensions[MODALITY_TEXT] = (uint32_t)length;
}

/* The answers' own numbers count, whatever their order. */
static void take_answer(const json_t *data, size_t count, struct embed_result *results) {
    size_t sent = 0;
    for (size_t i = 0; i < count; i++) {
        if (results[i].status != ITEM_APPLIED) {
            continue;
        }
        const json_t *vector = NULL;
        for (size_t a = 0; a < json_array_size(data) && vector == NULL; a++) {
            const json_t *entry = json_array_get(data, a);
            bool it = (size_t)json_integer_value(json_object_get(entry, "index")) == sent;
            vector = it ? json_object_get(entry, "embedding") : NULL;
        }
        results[i].status = vector != NULL ? ITEM_APPLIED : ITEM_RETRYABLE;
        take_vector(vector, &results[i]);
        sent++;
    }
}

static int ask(struct subject *s, uint32_t model_version, json_t *inputs, json_t **answer) {
    char model[32];
    snprintf(model, sizeof model, "listing-text-v%u", model_version);
    json_t *asked = json_pack("{s:s, s:O}", "model", model, "input", inputs);
    char *body = json_dumps(asked, JSON_COMPACT);
    json_decref(asked);
    struct http_request request = {.method = "POST",
                                   .path = "/v1/embeddings",
                                   .body = bytes_of(body),
                                   .headers = {"content-type: application/json", "expect:"}};
    int rc = http_port_error(http_ask(s->http, &request));
    free(body);
    struct bytes told = http_body(s->http);
    *answer = rc == 0 ? json_loadb(told.data, told.len, 0, NULL) : NULL;
    return rc == 0 && *answer == NULL ? PORT_UNKNOWN : rc;
}

static int port_embed(void *ctx, vtime now, uint32_t model_version, const struct embed_item *items,
                      size_t count, struct embed_result *results) {
    struct subject *s = ctx;
    (void)now;
    json_t *inputs = inputs_of(s, model_version, items, count, results);
    json_t *answer = NULL;
    int rc = 0;
    if (json_array_size(inputs) > 0) {
        rc = ask(s, model_version, inputs, &answer);
        if (rc == 0) {
            take_answer(json_object_get(answer, "data"), count, results);
        }
    }
    json_decref(answer);
    json_decref(inputs);
    return rc;
}

static const struct embedding_port_ops port_ops = {.embed = port_embed};

static void release(void *ctx) {
    struct subject *s = ctx;
    http_free(s->http);
    free(s->text);
    free(s);
}

bool embedding_subject_http(struct embedding_subject *out) {
    const char *socket = getenv("MURPHY_CONFORMANCE_EMBEDDINGS");
    struct subject *s = calloc(1, sizeof *s);
    if (socket == NULL || s == NULL || (s->http = http_new(socket, NULL)) == NULL) {
        fprintf(stderr, "MURPHY_CONFORMANCE_EMBEDDINGS names no socket, or memory is out\n");
        free(s);
        return false;
    }
    *out = (struct embedding_subject){
        .port = {&port_ops, s}, .dimensions = {DIMENSION}, .free = release, .ctx = s};
    return true;
}
