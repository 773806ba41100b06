/*
 * A scripted builder of partition 0: what its tests do again and again (tests/support/
 * machine_script.h). It reads the control topic to its end before it reads the log.
 */
#ifndef MURPHY_TESTS_SUPPORT_BUILDER_SCRIPT_H
#define MURPHY_TESTS_SUPPORT_BUILDER_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/support/machine_script.h"

/* A builder that has restored nothing and fetches. */
struct script *builder_begun(const struct pipeline_config *config, const struct bugs *bugs);
/* The same, with the audit of embeddings, which otherwise is off. */
struct script *builder_begun_auditing(const struct pipeline_config *config,
                                      const struct bugs *bugs);

/* The fetch of a topic that waits, or 0. */
uint64_t builder_fetch(struct script *s, enum topic_id topic);
/* Hands records to the fetch of the log, or of the control topic, from the offset that it asks for.
 */
void builder_log(struct script *s, const char *const *texts);
void builder_announce(struct script *s, const char *const *texts);

/* The oldest request of a kind for a model version that waits, or 0; and how many wait. */
uint64_t builder_request(struct script *s, enum effect_kind kind, uint32_t model);
size_t builder_requests(struct script *s, enum effect_kind kind, uint32_t model);

/* Answers everything but fetches, and what that brings, until nothing is under way; or what is
 * under way for the vectors of one model. */
void builder_settle(struct script *s);
void builder_settle_model(struct script *s, uint32_t model);

/* Takes a checkpoint. */
void builder_checkpoint(struct script *s);
/* The builder dies; the next one loads the checkpoint under that generation, and (restart) finds
 * nothing further in the control topic. Forgets what was told before. */
void builder_reload(struct script *s, uint32_t generation);
void builder_restart(struct script *s, uint32_t generation);

/* True when the text is part of what was told since the last time that it was forgotten. */
bool script_said(const struct script *s, const char *text);

#endif
