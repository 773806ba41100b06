#include "cli/run_contracts.h"

#include <string.h>

#include "cli/murphy.h"
#include "scenarios/json_source.h"

int run_contracts_load(const struct scenario *scenario, struct contract_set *out,
                       struct scenario_error *error) {
    const char *folder = scenario->contracts != NULL ? scenario->contracts : contract_directory();
    if (folder == NULL) {
        *out = (struct contract_set){.memory = NULL};
        return scenario_error_set(error, "there are no contracts beside the program");
    }
    return contract_set_load(folder, out, error);
}

const char *run_contracts_waiver(const struct scenario *scenario, enum seam seam,
                                 enum service_level level) {
    const char *name = service_level_of(seam, level);
    for (size_t i = 0; i < scenario->waived_count; i++) {
        if (strcmp(scenario->waived[i], name) == 0 ||
            strcmp(scenario->waived[i], service_level_name(level)) == 0) {
            return scenario->waived[i];
        }
    }
    return NULL;
}

static const struct seam_contract *contract_of(const struct contract_set *set, enum topic_id feed) {
    for (int seam = 0; seam < SEAM_COUNT; seam++) {
        if (seam_feed((enum seam)seam) == feed) {
            return &set->contracts[seam];
        }
    }
    return NULL;
}

/* Somebody writes to that feed all the time, so that its silence means something. */
static bool is_written(const struct scenario *scenario, enum topic_id feed) {
    const struct workload_options *w = &scenario->workload;
    bool generated = w->file == NULL;
    return feed == TOPIC_LISTING || (generated && feed == TOPIC_MEDIA && w->weight_images > 0) ||
           (generated && feed == TOPIC_ORDER && w->weight_order > 0);
}

bool run_contracts_watched(const struct scenario *scenario, const struct contract_set *set,
                           enum topic_id feed) {
    const struct pipeline_config *config = &scenario->pipeline;
    const struct seam_contract *contract = contract_of(set, feed);
    return contract != NULL && contract->levels_ns[LEVEL_FRESHNESS] > 0 &&
           config->feed_warn_ns[feed] == 0 && config->feed_error_ns[feed] == 0 &&
           run_contracts_waiver(scenario, contract->seam, LEVEL_FRESHNESS) == NULL &&
           is_written(scenario, feed);
}

void run_contracts_configure(const struct scenario *scenario, const struct contract_set *set,
                             struct pipeline_config *config) {
    for (int feed = 0; feed < TOPIC_FEED_COUNT; feed++) {
        const struct seam_contract *contract = contract_of(set, (enum topic_id)feed);
        config->contracts[feed] = bytes_of(contract->schema);
        if (run_contracts_watched(scenario, set, (enum topic_id)feed)) {
            config->feed_warn_ns[feed] = contract->freshness_warn_ns;
            config->feed_error_ns[feed] = contract->levels_ns[LEVEL_FRESHNESS];
        }
    }
}

void run_contracts_tell(const struct contract_set *set, struct oracle *oracle) {
    for (int feed = 0; feed < TOPIC_FEED_COUNT; feed++) {
        oracle_contract(oracle, (enum topic_id)feed,
                        bytes_of(contract_of(set, (enum topic_id)feed)->schema));
    }
}
