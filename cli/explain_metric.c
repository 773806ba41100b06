#include "cli/explain.h"
#include "cli/murphy.h"

int explain_metric(struct explain *e) {
    return run_stores_complain(&e->stores, EXIT_USAGE, "there is no metric '%s'", e->metric);
}
