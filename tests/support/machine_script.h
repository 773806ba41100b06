/*
 * A scripted host for one machine: the test feeds events by hand and reads effects as lines of
 * text. Requests wait, by number, until the test answers them; statements are only told. What a
 * test expects stands beside what it does:
 *
 *     struct script *s = script_new(MACHINE_RELAY, NULL, NULL);
 *     script_assign(s, 1, 1, (uint32_t[]){0});
 *     script_expect(s, "#1 load-state relay/0 generation 1\n");
 *     script_load(s, 1);
 *     script_expect(s, "#2 outbox-fetch after 0 max 512\n");
 *
 * The host keeps checkpoints that were saved, so a restarted machine finds them again. Time stands
 * at TEXT_EPOCH until the test moves it.
 */
#ifndef MURPHY_TESTS_SUPPORT_MACHINE_SCRIPT_H
#define MURPHY_TESTS_SUPPORT_MACHINE_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/dead_letter.h"
#include "pipeline/effects.h"
#include "pipeline/machine.h"
#include "tests/support/record_text.h"

struct script {
    struct machine *machine;
    struct pipeline_config config;
    struct bugs bugs;
    vtime now;
    vtime resend_at;                     /* moment of the last resend that was asked for */
    size_t saves;                        /* checkpoints that were saved */
    bool quiet_fetch;                    /* fetches, timers and commits are not told */
    struct reconciliation_report report; /* the last one */
    struct drift samples[64];            /* its samples */
    struct batch_report batch;           /* the last one */
    size_t batches;                      /* that were reported */
    struct script_private *private;
};

/* NULL for a config of defaults and for no bugs. Fails the test when memory is out. */
struct script *script_new(enum machine_kind kind, const struct pipeline_config *config,
                          const struct bugs *bugs);
void script_free(struct script *s);
/* The process dies and a new one takes its place: requests under way and timers are gone. */
void script_restart(struct script *s);

/* Compares what was told since the last time with the text, and forgets it. */
void script_expect(struct script *s, const char *text);
/* Forgets what was told. */
void script_skip(struct script *s);
/* What was told since, for a test that looks for a part of it. */
const char *script_told(const struct script *s);

/* The request, to look at or to fill. Fails the test when none such waits. */
struct effect *script_request(struct script *s, uint64_t request);
/* Number of the newest request of a kind that waits, or 0. */
uint64_t script_newest(const struct script *s, enum effect_kind kind);
/* Number of the newest fetch of a topic that waits, or 0. */
uint64_t script_newest_of(const struct script *s, enum topic_id topic);
size_t script_waiting(const struct script *s);
bool script_waits(const struct script *s, uint64_t request);

/* ---- Events ---- */

void script_step(struct script *s, struct event *event);
void script_start(struct script *s);
void script_assign(struct script *s, uint32_t generation, size_t count, const uint32_t *partitions);
/* Answers the request: every item applied, all well. A save goes into the script's store. */
void script_answer(struct script *s, uint64_t request);
/* Answers each item by a letter: a(pplied), c(onflict), m(issing), r(etryable), f(atal),
 * u(nknown). */
void script_answer_items(struct script *s, uint64_t request, const char *statuses);
/* Answers an embed request with results that are each spoiled first. */
void script_spoil(struct script *s, uint64_t request, void (*spoil)(struct embed_result *result));
/* Answers with an error that holds for the whole request. */
void script_fail(struct script *s, uint64_t request, enum port_error error);
/* Answers a load of state with the checkpoint that was saved last, if any. */
void script_load(struct script *s, uint64_t request);
/* Answers a fetch with records of these texts at offsets from `offset` on; NULL ends them. The
 * append time is the present. */
void script_records(struct script *s, uint64_t request, int64_t offset, const char *const *texts);
/* Answers an outbox fetch; each row goes to the feed of its type. */
void script_outbox(struct script *s, uint64_t request, int64_t sequence, const char *const *texts);
void script_command(struct script *s, enum command_kind kind, enum scan_store store, size_t count,
                    const uint64_t *listing_ids);
void script_command_model(struct script *s, enum command_kind kind, enum scan_store store,
                          uint32_t model_version, size_t count, const uint64_t *listing_ids);
/* An entry of the checkpoint that was saved last, to be spoiled. Fails when there is none. */
struct bytes *script_entry(struct script *s, uint32_t partition, uint64_t key);
/* Moves the present to the timer that is due first, and fires it. Fails when none is armed. */
void script_timer(struct script *s);
size_t script_timers(const struct script *s);
/* Fires every timer due within so long, in order; the present is then that much later. */
void script_wait(struct script *s, int64_t duration_ns);

/* Takes a machine of one partition to its first fetch: assigns partition 0 under generation 1 and
 * loads its state. Forgets what was told. */
void script_begin(struct script *s);

/* The texts of records, ended. */
#define TEXTS(...) ((const char *const[]){__VA_ARGS__, NULL})

#endif
