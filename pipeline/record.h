/*
 * The wire format of every event of the pipeline: one self-describing binary record, parsed once.
 *
 * Little-endian, no padding. A record opens with a fixed header
 *
 *     u8  format (1, 2)     u8  type          u8  op             u8  sections (bit set)
 *     u32 length            u32 checksum: low half of XXH3-64 of everything after this field,
 *                                         plus the first four bytes times 0x9E3779B1
 *     u16 contract version  u16 field count   u64 event id, high and low halves (16 bytes)
 *     i64 event_ts (ns)     u64 subject: listing id, or seller id of a policy event
 *                                                or of a seller's erasure
 *
 * then the type's body, then the sections that the bit set names:
 *
 *     listing  of each field: u8 id, u8 type, u16 bytes of name, u32 bytes of value, name, value
 *     media    u64 image id, u32 bytes of descriptor, descriptor
 *     policy   u64 seller id, u8 status
 *     order    u64 order id, i64 placed (ns; 0: at event_ts), i64 quantity, i64 amount,
 *              u32 bytes of category, category
 *     control  u16 kind, u32 model version, u32 other model version, i64 from (ns), i64 to (ns),
 *              u64 id, u32 bytes of text, text
 *     erasure  u8 scope, u64 id of the listing or seller, u32 part
 *     certificate  u8 scope, u64 id, u32 wave, u32 bytes of looks, u32 listings, looks
 *              (pipeline/erasure.h), u64 id of each listing
 *     audit    i64 version, u32 model version, u8 modalities, u8 made, u64 content hash of each
 *              modality
 *     reference  u8 table, u8 tokeniser, u32 bytes of key, u32 bytes of value, key, value
 *     origin   u8 topic, u32 partition, i64 offset, i64 append time (ns)
 *     note     u64 seller id, u8 status, i64 event_ts (ns), u64 event id, high and low halves
 *     writer   u32 code version, u32 member, u32 generation; in records of format 2
 *     facts    of each: u8 kind, u64 key, u8 code, i64 event_ts (ns), u64 event id, high and low
 *              halves, u8 bytes of value, value; then u16 bytes of this section
 *
 * Formats were measured: JSON by jansson is parsed at 66 K records/s a core, below the
 * marketplace's promotion peak of 120 K/s; a fixed layout costs well under a microsecond.
 *
 * Decoding never copies: a struct record points into the bytes that it was decoded from and lives
 * as long as they do. Encoding writes into a caller's buffer.
 *
 * Limits (A1): description to 20 KB and any other text to 20 KB (RECORD_TEXT_MAX), attribute names
 * to 255 bytes, 1,000 fields, 64 images a listing, a whole record to 1 MiB; text is valid UTF-8
 * without NUL. Fields come in the order of (id, name), none twice. A DELETE has no fields; policy
 * events and orders are never DELETEs; times are not before 1970; a quantity is 1 or more, an
 * amount 0 or more. A record that breaks one is malformed and goes to the dead letters (A13).
 */
#ifndef MURPHY_PIPELINE_RECORD_H
#define MURPHY_PIPELINE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/bytes.h"
#include "pipeline/stamp.h"
#include "pipeline/vtime.h"

#define RECORD_TEXT_MAX 20480
#define RECORD_FIELDS_MAX 1000
#define RECORD_IMAGES_MAX 64
#define RECORD_BYTES_MAX (1 << 20)
#define RECORD_CONTRACT_VERSION 1       /* the built-in one */
#define RECORD_CONTRACT_VERSION_MAX 999 /* that can be registered (pipeline/registry.h) */

enum record_type {
    RECORD_LISTING = 1,     /* change of a listing's own fields, or its deletion */
    RECORD_MEDIA = 2,       /* an image of a listing was delivered (UPSERT) or withdrawn (DELETE) */
    RECORD_POLICY = 3,      /* a seller was suppressed or reinstated */
    RECORD_ORDER = 4,       /* an order was placed, or what it says was corrected */
    RECORD_CONTROL = 5,     /* an operator's command, or what a controller announces */
    RECORD_ERASURE = 6,     /* everything known of a listing, or of a seller's listings, must go */
    RECORD_CERTIFICATE = 7, /* an erasure is done, and where it was looked for */
    RECORD_AUDIT = 8,       /* which model version makes which vectors of a listing's version */
    RECORD_REFERENCE = 9,   /* a row of a reference table was set */
    RECORD_TYPE_END
};
/* As in "listing"; NULL for what is no type. */
const char *record_type_name(enum record_type type);

enum record_op { RECORD_UPSERT = 1, RECORD_DELETE = 2 };

/* Of RECORD_AUDIT (A11): a listing's version as the builder tells it to one model's collections. */
#define AUDIT_MODALITIES 3
struct audit_note {
    int64_t version; /* doc_version of the listing */
    uint32_t model_version;
    uint8_t modalities; /* bits (1 << enum modality): it has a vector there */
    uint8_t made;       /* of those, whose content the version before did not have */
    uint64_t content[AUDIT_MODALITIES]; /* content hashes; 0: no vector */
};

/* Whom an erasure is about (A12). */
enum erasure_scope { ERASURE_LISTING = 1, ERASURE_SELLER = 2 };

enum policy_status { POLICY_ACTIVE = 1, POLICY_SUPPRESSED = 2 };

/* What is told of something that listings name, and holds for all that name it. */
enum fact_kind {
    FACT_SELLER = 1, /* a seller's status */
    FACT_CATEGORY,   /* taxonomy: the path at which a category stands */
    FACT_LOCALE,     /* locale table: what a spelling of a locale stands for */
    FACT_KIND_END
};

/* How texts of a locale are cut into words (A4). */
enum tokeniser {
    TOKENISER_WORD = 1, /* at spaces and punctuation */
    TOKENISER_BIGRAM    /* Chinese, Japanese and Korean letters into overlapping pairs as well */
};

#define FACT_VALUE_MAX 255 /* bytes of a path or a tag, and of the key of a reference row */

/* A listing's fields. Attributes are fields too, told apart by their name. The order is the
 * canonical order of fields in a document. */
enum field_id {
    FIELD_TITLE = 1,
    FIELD_DESCRIPTION,
    FIELD_LOCALE,
    FIELD_CATEGORY,
    FIELD_SELLER,    /* VALUE_INTEGER: seller id, as a 64-bit pattern */
    FIELD_PRICE,     /* VALUE_INTEGER: 1/10,000 of the currency unit; 0 or more */
    FIELD_IMAGE_IDS, /* VALUE_IDS, in display order, no id twice */
    FIELD_ATTRIBUTE, /* named; any of NULL, TEXT, INTEGER, NUMBER */
};

enum value_type {
    VALUE_NULL = 1, /* set to nothing: not the same as absent (a partial update leaves absent) */
    VALUE_TEXT,
    VALUE_INTEGER,
    VALUE_NUMBER, /* a JSON number that is no 64-bit integer, kept as its text (RFC 8259) */
    VALUE_IDS,    /* list of 64-bit ids, 8 bytes each, little-endian, in `text` */
};

struct field {
    enum field_id id;
    enum value_type type;
    struct bytes name; /* of an attribute; empty for all others */
    int64_t integer;   /* VALUE_INTEGER */
    struct bytes text; /* VALUE_TEXT, VALUE_NUMBER; VALUE_IDS: the packed ids */
};

/* Position of a record in some topic: where it was first appended. */
struct origin {
    uint8_t topic; /* enum topic_id of pipeline/topics.h */
    uint32_t partition;
    int64_t offset;
    vtime append; /* broker's time: t_log */
};

/* The seller's present status, riding along with a listing record in the listing log. */
struct policy_note {
    uint64_t seller_id;
    enum policy_status status;
    struct stamp stamp;
};

/* Which process of the router wrote a record to the log: what a zombie wrote, or one code version,
 * can be told from the rest. */
struct record_writer {
    uint32_t code_version;
    uint32_t member;
    uint32_t generation;
};

/* Of RECORD_CONTROL; which members count depends on the kind (pipeline/control.h), the others are
 * 0. */
struct control {
    uint16_t kind; /* enum control_kind; one that a reader does not know is none of its business */
    uint32_t model_version;
    uint32_t model_other;
    vtime from, to; /* [from, to) */
    uint64_t id;
    struct bytes text;
};

/* When the order of a RECORD_ORDER was placed. */
static inline vtime order_placed(vtime placed, struct stamp stamp) {
    return placed.ns != 0 ? placed : stamp.ts;
}

/* A fact, of whichever kind. */
struct fact {
    enum fact_kind kind;
    uint64_t key; /* seller id, or fact_key of the category or the spelling (pipeline/fact.h) */
    uint8_t code; /* enum policy_status of a seller, enum tokeniser of a locale; else 0 */
    struct stamp stamp;
    struct bytes value; /* path of a category, BCP 47 tag of a locale; else empty */
};

/* Facts that ride along with a listing record: of its category and of its locale. */
#define RECORD_FACTS_MAX 2

/* Of RECORD_REFERENCE. */
struct reference_row {
    enum fact_kind table;     /* FACT_CATEGORY or FACT_LOCALE */
    enum tokeniser tokeniser; /* of a locale; of a category 0 */
    struct bytes key;         /* the category, or the locale, as listings name it */
    struct bytes value;       /* its path in the taxonomy, or its BCP 47 tag */
};

enum record_section {
    SECTION_ORIGIN = 1, /* the router says which feed position this record came from */
    SECTION_POLICY = 2, /* the router tells the seller's present status */
    SECTION_REPAIR = 4, /* without bytes: published again by reconciliation, so its age is no
                           reason to hold it back */
    SECTION_FACTS = 8,  /* the router tells what the reference tables say */
    SECTION_AGAIN =
        16, /* without bytes: routed once more, since a leader change may have lost it */
    SECTION_WRITER = 32, /* which process wrote it to the log; makes it a record of format 2 */
};

struct record {
    enum record_type type;
    enum record_op op;
    uint16_t contract_version;
    struct stamp stamp;  /* event_ts and event_id */
    uint64_t subject_id; /* listing id; in their own feeds, seller id of RECORD_POLICY and
                            erasure_id of RECORD_ERASURE */

    /* RECORD_LISTING: fields as they stand in the bytes, read by record_fields_next */
    uint16_t field_count;
    struct bytes field_bytes;

    /* RECORD_MEDIA */
    uint64_t image_id;
    struct bytes image_descriptor; /* what is in the picture; what its embedding is made of */

    /* RECORD_POLICY: in the listing log subject_id is the listing and seller_id the seller */
    uint64_t seller_id;
    enum policy_status status;

    /* RECORD_ORDER: subject_id is the listing */
    uint64_t order_id;
    vtime placed; /* of a correction: when the order was placed; 0: at the event's own time */
    int64_t quantity;
    int64_t amount; /* in the unit of FIELD_PRICE */
    struct bytes order_category;

    struct control control;  /* RECORD_CONTROL */
    struct audit_note audit; /* RECORD_AUDIT */

    /* RECORD_REFERENCE: subject_id is reference_key in the feed, the listing in the listing log */
    struct reference_row reference;

    /* RECORD_ERASURE: subject_id is erasure_id in the feed, and the listing in the listing log and
     * in the register. RECORD_CERTIFICATE: subject_id is erasure_id, the stamp that of the request.
     */
    enum erasure_scope erasure_scope;
    uint64_t erasure_id;
    uint32_t erasure_part;     /* of the register: 0, or 1 + the router's partition in which every
                                  listing that it knew was named before this record; elsewhere 0 */
    uint32_t certificate_wave; /* certificates of the request before it: of other listings */
    struct bytes certificate_looks;
    struct bytes certificate_ids; /* of listings, 8 bytes each, little-endian */

    unsigned sections; /* bits of enum record_section */
    struct origin origin;
    struct policy_note policy;
    struct record_writer writer;
    size_t fact_count;
    struct fact facts[RECORD_FACTS_MAX];
};

/* Why bytes are no record: what a dead letter says (A13). All strings are static. */
struct record_error {
    const char *reason;   /* one clear clause, e.g. "text is not valid UTF-8" */
    const char *field;    /* violating field, e.g. "title"; "record" for the frame itself */
    const char *expected; /* e.g. "at most 20480 bytes" */
    int64_t actual;       /* a number that says what was found instead: a length, a byte, a type */
};

/*
 * Decodes and validates a whole record, every field included, so that later reading cannot fail.
 * Returns 0, or -1 with *error filled; *out is then unspecified.
 */
int record_decode(struct bytes input, struct record *out, struct record_error *error);

/*
 * The same for a record as its producer wrote it: where it names another contract version than the
 * built-in one, a field may hold a value of any type, since what it may hold is for the registered
 * contract to say (pipeline/contract.h).
 */
int record_decode_claimed(struct bytes input, struct record *out, struct record_error *error);

/* The format of a record whose bytes are those that were written, known or not; 0 for what is no
 * record. The frame, which says so, is the same in every format. */
uint8_t record_format(struct bytes input);

/* Walks the fields of a decoded RECORD_LISTING in their stored order. */
struct field_cursor {
    const char *at;
    uint16_t left;
};
struct field_cursor record_fields(const struct record *r);
/* True and *out filled, or false at the end. Only for records that record_decode accepted. */
bool record_fields_next(struct field_cursor *cursor, struct field *out);

/* The i-th id of a VALUE_IDS field; i < field_id_count(f). */
size_t field_id_count(const struct field *f);
uint64_t field_id_at(const struct field *f, size_t i);

/*
 * Encodes r with the given fields (RECORD_LISTING; r->field_bytes and r->field_count are ignored;
 * an IDS field carries its packed ids in `text`), in canonical order. Returns the length written,
 * or -1 when it does not fit in capacity. What it writes decodes to the same record provided the
 * limits hold (the encoder asserts nothing about values: a poison record can be made on purpose).
 */
int64_t record_encode(const struct record *r, const struct field *fields, size_t field_count,
                      char *buffer, size_t capacity);

/* What record_encode writes for the same arguments. */
size_t record_encoded_bound(const struct record *r, const struct field *fields, size_t field_count);

/* Bytes of the sections that r has. */
size_t record_sections_size(const struct record *r);

/*
 * Copies the encoded record `input` into buffer with the sections (and, for RECORD_POLICY and
 * RECORD_REFERENCE fanned out to a listing, the subject) of r in place of its own; body bytes are
 * kept as they are. r must have been decoded from input and then edited. Returns the length, or -1
 * when it does not fit; input.len + record_sections_size(r) always suffices, and that is at most
 * RECORD_SECTIONS_MAX more.
 */
#define RECORD_SECTIONS_MAX 716
int64_t record_reframe(struct bytes input, const struct record *r, char *buffer, size_t capacity);

#endif
