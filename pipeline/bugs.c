#include "pipeline/bugs.h"

#include <string.h>

static const struct bug_about table[BUG_COUNT] = {
#define BUG_ROW(identifier, name, about, check) {name, about, check},
    BUGS(BUG_ROW)
#undef BUG_ROW
};

const struct bug_about *bug_table(void) {
    return table;
}

int bug_find(const char *name) {
    for (int i = 0; i < BUG_COUNT; i++) {
        if (strcmp(table[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}
