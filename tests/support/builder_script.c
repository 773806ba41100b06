#include "tests/support/builder_script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const uint32_t only[] = {0};

struct script *builder_begun(const struct pipeline_config *config, const struct bugs *bugs) {
    struct pipeline_config quiet = {.partitions = 1};
    quiet = config == NULL ? quiet : *config;
    quiet.audit_off = true;
    return builder_begun_auditing(&quiet, bugs);
}

struct script *builder_begun_auditing(const struct pipeline_config *config,
                                      const struct bugs *bugs) {
    struct script *s = script_new(MACHINE_BUILDER, config, bugs);
    script_begin(s);
    s->quiet_fetch = true;
    script_records(s, script_newest(s, EFFECT_FETCH), 0, TEXTS(NULL));
    return s;
}

/* True when the effect is of that kind and, for a request of vectors, of that model. */
static bool is_of(const struct effect *e, enum effect_kind kind, uint32_t model) {
    return e->kind == kind && (kind == EFFECT_EMBED           ? e->embed.model_version == model
                               : kind == EFFECT_WRITE_VECTORS ? e->vectors.model_version == model
                                                              : true);
}

uint64_t builder_fetch(struct script *s, enum topic_id topic) {
    for (uint64_t i = script_newest(s, EFFECT_FETCH); i > 0; i--) {
        if (script_waits(s, i) && script_request(s, i)->kind == EFFECT_FETCH &&
            script_request(s, i)->fetch.topic == topic) {
            return i;
        }
    }
    return 0;
}

static void hand(struct script *s, enum topic_id topic, const char *const *texts) {
    uint64_t fetch = builder_fetch(s, topic);
    script_records(s, fetch, script_request(s, fetch)->fetch.offset, texts);
}

void builder_log(struct script *s, const char *const *texts) {
    hand(s, TOPIC_LISTING_LOG, texts);
}

void builder_announce(struct script *s, const char *const *texts) {
    hand(s, TOPIC_CONTROL, texts);
}

uint64_t builder_request(struct script *s, enum effect_kind kind, uint32_t model) {
    for (uint64_t i = 1; i <= script_newest(s, kind); i++) {
        if (script_waits(s, i) && is_of(script_request(s, i), kind, model)) {
            return i;
        }
    }
    return 0;
}

size_t builder_requests(struct script *s, enum effect_kind kind, uint32_t model) {
    size_t count = 0;
    for (uint64_t i = 1; i <= script_newest(s, kind); i++) {
        count += script_waits(s, i) && is_of(script_request(s, i), kind, model);
    }
    return count;
}

void builder_settle(struct script *s) {
    static const enum effect_kind kinds[] = {EFFECT_EMBED, EFFECT_WRITE_VECTORS,
                                             EFFECT_WRITE_KEYWORDS, EFFECT_PRODUCE,
                                             EFFECT_SAVE_STATE};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds;) {
        uint64_t request = script_newest(s, kinds[i]);
        if (request == 0) {
            i++;
            continue;
        }
        script_answer(s, request);
        i = 0;
    }
}

void builder_settle_model(struct script *s, uint32_t model) {
    uint64_t request;
    while ((request = builder_request(s, EFFECT_EMBED, model)) != 0 ||
           (request = builder_request(s, EFFECT_WRITE_VECTORS, model)) != 0) {
        script_answer(s, request);
    }
}

void builder_checkpoint(struct script *s) {
    while (script_newest(s, EFFECT_SAVE_STATE) == 0) {
        script_timer(s);
    }
    script_answer(s, script_newest(s, EFFECT_SAVE_STATE));
}

void builder_restart(struct script *s, uint32_t generation) {
    builder_reload(s, generation);
    script_records(s, script_newest(s, EFFECT_FETCH), 0, TEXTS(NULL));
}

void builder_reload(struct script *s, uint32_t generation) {
    script_restart(s);
    script_assign(s, generation, 1, only);
    script_skip(s);
    script_load(s, 1);
}

bool script_said(const struct script *s, const char *text) {
    return strstr(script_told(s), text) != NULL;
}
