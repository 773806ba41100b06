#include "pipeline/folded.h"

#include <assert.h>
#include <errno.h>

void folded_init(struct folded *folded, uint64_t listing_id) {
    document_init(&folded->document, listing_id);
    folded->digest = (struct document_digest){0};
    folded->digested = false;
    folded->visible_version = DOC_VERSION_NONE;
    folded->visible_at = (vtime){0};
    folded->visible_stamp = STAMP_NONE;
}

void folded_release(struct folded *folded) {
    document_release(&folded->document);
}

struct document_digest folded_digest(const struct folded *folded) {
    if (folded->digested) {
        return folded->digest;
    }
    struct document_digest digest;
    document_digest(&folded->document, &digest);
    return digest;
}

void folded_digest_keep(struct folded *folded) {
    if (!folded->digested) {
        document_digest(&folded->document, &folded->digest);
        folded->digested = true;
    }
}

bool folded_retold(const struct record *record, const struct log_record *logged,
                   const struct bugs *bugs) {
    bool repair = (record->sections & SECTION_REPAIR) != 0;
    bool again = repair || (record->sections & SECTION_AGAIN) != 0;
    return (repair && !bug_on(bugs, BUG_REPAIR_NO_VERSION)) || (again && logged->epoch > 0);
}

int folded_fold(struct folded *folded, const struct record *record, const struct log_record *logged,
                const struct bugs *bugs) {
    doc_version position = doc_version_pack(logged->epoch, logged->offset);
    /* The first record is visible even when it is a tombstone: it says that the listing is gone. */
    bool first = folded->visible_version == DOC_VERSION_NONE;
    if (!first) {
        folded_digest_keep(folded);
    }
    int changed = document_fold(&folded->document, record, position, logged->append, bugs);
    /* One that is read a second time, behind what is known, was told already; and what an erasure
     * covers is told by nobody: bronze has none of it. */
    bool covered = record->type != RECORD_ERASURE &&
                   stamp_compare(record->stamp, folded->document.erased) <= 0;
    bool own =
        folded_retold(record, logged, bugs) && position > folded->visible_version && !covered;
    if (changed < 0 || (changed == 0 && !own)) {
        return changed < 0 ? changed : FOLD_NOT_NEWS;
    }
    uint64_t before = folded->digest.whole;
    folded->digested = false;
    folded_digest_keep(folded);
    /* An erasure is one for every store, also where nothing is served any more (A12). */
    own = own || record->type == RECORD_ERASURE;
    if (!first && folded->digest.whole == before && !own && !bug_on(bugs, BUG_NO_DEDUPE)) {
        return FOLD_LEARNED;
    }
    folded->visible_version = position;
    folded->visible_at = logged->append;
    folded->visible_stamp = record->stamp;
    return FOLD_VISIBLE;
}

enum { FIXED_BYTES = 8 + 8 + 24 + 4 };

size_t folded_encoded_size(const struct folded *folded) {
    return FIXED_BYTES + document_encode(&folded->document, NULL, 0);
}

size_t folded_encode(const struct folded *folded, char *buffer) {
    char *at = wire_put(buffer, (uint64_t)folded->visible_version, 8);
    at = wire_put(at, (uint64_t)folded->visible_at.ns, 8);
    at = wire_put(at, (uint64_t)folded->visible_stamp.ts.ns, 8);
    at = wire_put(at, folded->visible_stamp.id.hi, 8);
    at = wire_put(at, folded->visible_stamp.id.lo, 8);
    size_t size = document_encode(&folded->document, NULL, 0);
    at = wire_put(at, size, 4);
    document_encode(&folded->document, at, size);
    return (size_t)(at - buffer) + size;
}

int folded_decode(struct folded *folded, struct wire_reader *reader) {
    return folded_decode_by(folded, reader, DOCUMENT_ORPHAN_AFTER);
}

int folded_decode_by(struct folded *folded, struct wire_reader *reader, int64_t orphan_after_ns) {
    doc_version version = (doc_version)wire_get(reader, 8);
    vtime at = {(int64_t)wire_get(reader, 8)};
    struct stamp stamp;
    stamp.ts.ns = (int64_t)wire_get(reader, 8);
    stamp.id.hi = wire_get(reader, 8);
    stamp.id.lo = wire_get(reader, 8);
    struct bytes document = wire_get_bytes(reader);
    if (reader->failed) {
        return -EINVAL;
    }
    int error = document_decode(&folded->document, document);
    if (error != 0) {
        return error;
    }
    folded->document.orphan_after_ns = orphan_after_ns;
    folded->digested = false;
    folded->visible_version = version;
    folded->visible_at = at;
    folded->visible_stamp = stamp;
    return 0;
}

bool folded_keeps(struct bytes entry, struct stamp stamp) {
    struct wire_reader reader = wire_reader_of(entry);
    for (size_t left = FIXED_BYTES - 4; left > 0; left -= 4) {
        wire_get(&reader, 4);
    }
    struct bytes document = wire_get_bytes(&reader);
    struct stamp erased;
    return reader.failed || document_peek_erased(document, &erased) != 0 ||
           stamp_compare(erased, stamp) < 0;
}

/* ---- Texts ---- */

/* Appends to a buffer that may be too small, counting what it would need. */
struct text {
    char *buffer;
    size_t capacity;
    size_t length;
};

static void text_add(struct text *text, struct bytes bytes) {
    if (bytes.len > 0 && text->length + bytes.len <= text->capacity) {
        memcpy(text->buffer + text->length, bytes.data, bytes.len);
    }
    text->length += bytes.len;
}

static void text_add_string(struct text *text, const char *string) {
    text_add(text, bytes_of(string));
}

static void text_add_unsigned(struct text *text, uint64_t value) {
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    text_add(text, (struct bytes){digits + at, sizeof digits - at});
}

static void text_add_integer(struct text *text, int64_t value) {
    if (value < 0) {
        text_add_string(text, "-");
        text_add_unsigned(text, 0 - (uint64_t)value);
    } else {
        text_add_unsigned(text, (uint64_t)value);
    }
}

static void text_add_json_string(struct text *text, struct bytes value) {
    text_add_string(text, "\"");
    size_t from = 0;
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.data[i];
        if (c >= 0x20 && c != '"' && c != '\\') {
            continue;
        }
        text_add(text, (struct bytes){value.data + from, i - from});
        from = i + 1;
        static const char hex[] = "0123456789abcdef";
        char escaped[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
        if (c == '"' || c == '\\') {
            escaped[1] = (char)c;
        }
        text_add(text, (struct bytes){escaped, c < 0x20 ? 6 : 2});
    }
    text_add(text, (struct bytes){value.data == NULL ? NULL : value.data + from, value.len - from});
    text_add_string(text, "\"");
}

static void text_add_value(struct text *text, const struct field *value, bool json) {
    switch (value->type) {
    case VALUE_INTEGER:
        text_add_integer(text, value->integer);
        break;
    case VALUE_TEXT:
        if (json) {
            text_add_json_string(text, value->text);
            break;
        }
        text_add(text, value->text);
        break;
    case VALUE_NUMBER:
        text_add(text, value->text);
        break;
    case VALUE_NULL:
    case VALUE_IDS:
        break;
    }
}

size_t folded_attributes_text(const struct folded *folded, char *buffer, size_t capacity) {
    struct text text = {buffer, capacity, 0};
    struct field attribute;
    for (size_t i = 0; document_attribute(&folded->document, i, &attribute); i++) {
        text_add(&text, attribute.name);
        text_add_string(&text, " ");
        text_add_value(&text, &attribute, false);
        text_add_string(&text, "\n");
    }
    return text.length;
}

size_t folded_attributes_json(const struct folded *folded, char *buffer, size_t capacity) {
    struct text text = {buffer, capacity, 0};
    text_add_string(&text, "{");
    struct field attribute;
    for (size_t i = 0; document_attribute(&folded->document, i, &attribute); i++) {
        text_add_string(&text, i == 0 ? "" : ",");
        text_add_json_string(&text, attribute.name);
        text_add_string(&text, ":");
        text_add_value(&text, &attribute, true);
    }
    text_add_string(&text, "}");
    return text.length;
}

size_t folded_images_json(const struct folded *folded, char *buffer, size_t capacity) {
    struct text text = {buffer, capacity, 0};
    text_add_string(&text, "[");
    uint64_t image_id;
    struct bytes descriptor;
    for (size_t i = 0; document_visible_image(&folded->document, i, &image_id, &descriptor); i++) {
        text_add_string(&text, i == 0 ? "\"" : ",\"");
        text_add_unsigned(&text, image_id);
        text_add_string(&text, "\"");
    }
    text_add_string(&text, "]");
    return text.length;
}

/* ---- Rows ---- */

struct bytes folded_text(const struct folded *folded, enum field_id id) {
    struct field field = document_field(&folded->document, id);
    return field.type == VALUE_TEXT ? field.text : (struct bytes){NULL, 0};
}

int64_t folded_price(const struct folded *folded) {
    struct field price = document_field(&folded->document, FIELD_PRICE);
    return price.type == VALUE_INTEGER ? price.integer : -1;
}

uint64_t folded_seller(const struct folded *folded) {
    struct field seller = document_field(&folded->document, FIELD_SELLER);
    return seller.type == VALUE_INTEGER ? (uint64_t)seller.integer : 0;
}

struct row_meta folded_row_meta(const struct folded *folded) {
    struct document_digest digest = folded_digest(folded);
    struct row_meta meta = {
        .version = folded->visible_version,
        .source_hash = digest.source,
        .whole_hash = digest.whole,
        .seller_id = folded_seller(folded),
        .price = folded_price(folded),
        .category = document_category(&folded->document),
        .locale = document_locale(&folded->document),
        .policy = document_policy(&folded->document),
        .active = document_alive(&folded->document),
    };
    meta.modalities =
        (uint8_t)((digest.text != 0) << MODALITY_TEXT | (digest.image != 0) << MODALITY_IMAGE |
                  (digest.fused != 0) << MODALITY_FUSED);
    return meta;
}
