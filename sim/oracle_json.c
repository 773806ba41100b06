/*
 * JSON columns of the warehouse, compared by meaning with what the reference says: the text is
 * walked once and never built.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sim/oracle_parts.h"

static bool take(struct bytes *in, char wanted) {
    if (in->len == 0 || *in->data != wanted) {
        return false;
    }
    in->data++;
    in->len--;
    return true;
}

static bool take_bytes(struct bytes *in, struct bytes wanted) {
    if (in->len < wanted.len || memcmp(in->data, wanted.data, wanted.len) != 0) {
        return false;
    }
    in->data += wanted.len;
    in->len -= wanted.len;
    return true;
}

static bool take_hex4(struct bytes *in, uint32_t *code) {
    *code = 0;
    for (int i = 0; i < 4; i++) {
        if (in->len == 0) {
            return false;
        }
        static const char digits[] = "0123456789abcdef";
        char c = *in->data >= 'A' && *in->data <= 'F' ? (char)(*in->data + 32) : *in->data;
        const char *digit = memchr(digits, c, 16);
        if (digit == NULL) {
            return false;
        }
        *code = *code << 4 | (uint32_t)(digit - digits);
        in->data++;
        in->len--;
    }
    return true;
}

static size_t utf8_put(uint32_t code, char out[4]) {
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xC0 | code >> 6);
        out[1] = (char)(0x80 | (code & 63));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xE0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 63));
        out[2] = (char)(0x80 | (code & 63));
        return 3;
    }
    out[0] = (char)(0xF0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 63));
    out[2] = (char)(0x80 | (code >> 6 & 63));
    out[3] = (char)(0x80 | (code & 63));
    return 4;
}

/* What follows a backslash, as bytes. 0: it is no escape. */
static size_t take_escape(struct bytes *in, char out[4]) {
    static const char names[] = "\"\\/bfnrt";
    static const char values[] = "\"\\/\b\f\n\r\t";
    uint32_t code;
    uint32_t low;
    if (take(in, 'u')) {
        if (!take_hex4(in, &code)) {
            return 0;
        }
        if (code >= 0xD800 && code < 0xDC00) {
            if (!take(in, '\\') || !take(in, 'u') || !take_hex4(in, &low)) {
                return 0;
            }
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        }
        return utf8_put(code, out);
    }
    const char *name = in->len == 0 ? NULL : memchr(names, *in->data, sizeof names - 1);
    if (name == NULL) {
        return 0;
    }
    out[0] = values[name - names];
    in->data++;
    in->len--;
    return 1;
}

static bool take_string(struct bytes *in, struct bytes wanted) {
    if (!take(in, '"')) {
        return false;
    }
    while (in->len > 0 && *in->data != '"') {
        char piece[4];
        size_t len = 1;
        if (take(in, '\\')) {
            len = take_escape(in, piece);
        } else {
            piece[0] = *in->data++;
            in->len--;
        }
        if (len == 0 || !take_bytes(&wanted, (struct bytes){piece, len})) {
            return false;
        }
    }
    return wanted.len == 0 && take(in, '"');
}

static bool take_value(struct bytes *in, const struct field *wanted) {
    char digits[24];
    switch (wanted->type) {
    case VALUE_TEXT:
        return take_string(in, wanted->text);
    case VALUE_INTEGER:
        snprintf(digits, sizeof digits, "%" PRId64, wanted->integer);
        return take_bytes(in, bytes_of(digits));
    case VALUE_NUMBER:
        return take_bytes(in, wanted->text);
    default:
        return false;
    }
}

bool json_is_attributes(struct bytes json, const struct reference_document *d) {
    if (!take(&json, '{')) {
        return false;
    }
    for (size_t i = 0; i < d->attribute_count; i++) {
        if ((i > 0 && !take(&json, ',')) || !take_string(&json, d->attributes[i].name) ||
            !take(&json, ':') || !take_value(&json, &d->attributes[i])) {
            return false;
        }
    }
    return take(&json, '}') && json.len == 0;
}

bool json_is_images(struct bytes json, const struct reference_document *d) {
    if (!take(&json, '[')) {
        return false;
    }
    for (size_t i = 0; i < d->image_count; i++) {
        char digits[24];
        snprintf(digits, sizeof digits, "%" PRIu64, d->images[i].image_id);
        if ((i > 0 && !take(&json, ',')) || !take_string(&json, bytes_of(digits))) {
            return false;
        }
    }
    return take(&json, ']') && json.len == 0;
}
