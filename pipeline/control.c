#include "pipeline/control.h"

#include <assert.h>
#include <string.h>

const struct control_about *control_about(enum control_kind kind) {
    static const struct control_about table[CONTROL_KIND_END] = {
#define CONTROL_ROW(identifier, name, obeys, parameters, about, precondition, crash, resumes,      \
                    test)                                                                          \
    [CONTROL_##identifier] = {name, obeys, parameters, about, precondition, crash, resumes, test},
        CONTROLS(CONTROL_ROW)
#undef CONTROL_ROW
    };
    assert(kind > CONTROL_NONE && kind < CONTROL_KIND_END);
    return &table[kind];
}

enum control_kind control_find(const char *name) {
    for (enum control_kind kind = CONTROL_NONE + 1; kind < CONTROL_KIND_END; kind++) {
        if (strcmp(control_about(kind)->name, name) == 0) {
            return kind;
        }
    }
    return CONTROL_NONE;
}
