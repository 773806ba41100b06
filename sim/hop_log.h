/*
 * The way of every change through a run: which record was appended where, who read it when, which
 * vectors were asked for and came back, which rows went, which writes were refused (B3). It listens
 * as the oracle does, keeps only what the stores' own histories do not tell, and judges nothing:
 * stores_export_hops writes it to tables, from which `murphy explain` follows one update.
 *
 * Costs nothing where nobody asked for it: a run without --out has none. Otherwise a few dozen
 * bytes for each record, read, embedding and refusal; no text and no vector is kept, so nothing of
 * an erased listing but its id (A12).
 *
 * Once memory runs out nothing further is kept, and hop_log_out_of_memory says so.
 */
#ifndef MURPHY_SIM_HOP_LOG_H
#define MURPHY_SIM_HOP_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/machine.h"
#include "pipeline/ports.h"
#include "pipeline/record.h"
#include "pipeline/topics.h"
#include "sim/oracle.h"
#include "sim/store.h"

/* A record was appended. Bytes that are no record have type 0, their key as the subject, and
 * nothing else of what follows. */
struct hop_record {
    enum topic_id topic;
    uint32_t partition;
    uint32_t epoch;
    int64_t offset;
    vtime append;
    uint8_t type; /* enum record_type */
    uint8_t op;   /* enum record_op */
    bool repair;  /* published again by reconciliation */
    bool routed;  /* came from a feed: origin says from where */
    struct stamp stamp;
    uint64_t subject_id;
    uint64_t image_id; /* RECORD_MEDIA; else 0 */
    struct origin origin;
};

/* A machine on the way (relay, router, builder, loader) was handed records [first, next) of a
 * partition, or rows of the outbox. */
#define HOP_LOG_OUTBOX TOPIC_COUNT
struct hop_read {
    const char *machine; /* as in "builder-1"; the simulation's */
    uint32_t topic;      /* enum topic_id, or HOP_LOG_OUTBOX */
    uint32_t partition;
    int64_t first, next;
    bool bronze; /* from the warehouse, which keeps what the topic lost */
    vtime at;
};

/* Vectors of a listing were asked for, and what came back. */
struct hop_embedding {
    uint64_t listing_id;
    uint64_t content[MODALITY_COUNT]; /* hashes; of the wanted modalities */
    uint32_t model_version;
    uint8_t modalities; /* bits: wanted */
    bool reused;        /* all kept since they were made before, of the same content */
    const char *status; /* static; NULL: no answer came */
    vtime asked;
    vtime returned; /* VTIME_NEVER: no answer came */
};

/* A row that readers could see is gone, or a tombstone took a version. */
struct hop_gone {
    enum store_id store;
    uint32_t model_version; /* of vector rows; 0: of others, or nobody knows */
    uint64_t listing_id;
    doc_version version; /* DOC_VERSION_NONE: nobody knows */
    vtime at;
};

/* A write of a row was not done, and the writer heard so; as often as it was tried. */
struct hop_refusal {
    enum store_id store;
    uint32_t model_version;
    uint64_t listing_id;
    doc_version version;
    const char *reason; /* static */
    uint32_t times;
    vtime first, last;
};

/* Readers of a modality's vectors are led to this model's collection; 0: to none. */
struct hop_alias {
    enum modality modality;
    uint32_t model_version;
    vtime at;
};

/* Readers of a store get a seller's rows no more, or again. */
struct hop_gate {
    enum store_id store;
    uint64_t seller_id;
    enum policy_status status;
    vtime at;
};

struct hop_log;

/* `model_version`: to which the aliases lead at the start. NULL when out of memory. */
struct hop_log *hop_log_new(vtime start, uint32_t model_version);
void hop_log_free(struct hop_log *h); /* NULL is fine */
bool hop_log_out_of_memory(const struct hop_log *h);

/* ---- Hearing: hand them on from a struct simulation_observer, and from the oracle ---- */

void hop_log_appended(struct hop_log *h, enum topic_id topic, uint32_t partition,
                      const struct log_record *record);
/* `name` is the actor's and outlives the log. */
void hop_log_told(struct hop_log *h, uint32_t actor, enum machine_kind kind, const char *name,
                  const struct event *event);
void hop_log_asked(struct hop_log *h, vtime now, uint32_t actor, const struct effect *effect);
/* `served`: an alias leads readers there. */
void hop_log_row_changed(struct hop_log *h, vtime now, const struct row_change *change,
                         bool served);
void hop_log_alias_switched(struct hop_log *h, vtime now, enum modality modality, uint32_t to);
void hop_log_seller_changed(struct hop_log *h, vtime now, enum store_id store, uint64_t seller_id,
                            enum policy_status status);
void hop_log_changed(struct hop_log *h, const struct oracle_change *change);

/* ---- What was heard, in the order of hearing ---- */

const struct hop_record *hop_log_records(const struct hop_log *h, size_t *count);
const struct hop_read *hop_log_reads(const struct hop_log *h, size_t *count);
const struct hop_embedding *hop_log_embeddings(const struct hop_log *h, size_t *count);
const struct hop_gone *hop_log_gone(const struct hop_log *h, size_t *count);
const struct hop_refusal *hop_log_refusals(const struct hop_log *h, size_t *count);
const struct hop_alias *hop_log_aliases(const struct hop_log *h, size_t *count);
const struct hop_gate *hop_log_gates(const struct hop_log *h, size_t *count);
const struct oracle_change *hop_log_changes(const struct hop_log *h, size_t *count);

#endif
