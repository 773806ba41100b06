#define _XOPEN_SOURCE 700

#include "cli/run_files.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/run_ways.h"
#include "reports/html.h"
#include "reports/json.h"
#include "reports/junit.h"

static int fail(char *error, size_t size, const char *text) {
    snprintf(error, size, "%s", text);
    return -1;
}

static int folder_make(const char *directory, char *error, size_t size) {
    if (mkdir(directory, 0777) != 0 && errno != EEXIST) {
        snprintf(error, size, "cannot make the folder %s: %s", directory, strerror(errno));
        return -1;
    }
    return 0;
}

int run_files_folder(const char *directory) {
    char error[640];
    if (folder_make(directory, error, sizeof error) != 0) {
        fprintf(stderr, "murphy: %s\n", error);
        return -1;
    }
    return 0;
}

/* The folder that DIRECTORY would be made in. */
static void parent_of(const char *directory, char *parent, size_t size) {
    snprintf(parent, size, "%s", directory);
    size_t length = strlen(parent);
    while (length > 1 && parent[length - 1] == '/') {
        parent[--length] = '\0';
    }
    char *slash = strrchr(parent, '/');
    if (slash == NULL) {
        snprintf(parent, size, ".");
    } else {
        slash[slash == parent ? 1 : 0] = '\0';
    }
}

bool run_files_refused(const char *directory) {
    struct stat about;
    char parent[PATH_MAX];
    parent_of(directory, parent, sizeof parent);
    const char *why = NULL;
    if (directory[0] == '\0') {
        why = "it has no name";
    } else if (stat(directory, &about) == 0) {
        why = !S_ISDIR(about.st_mode)               ? "it is no folder"
              : access(directory, W_OK | X_OK) != 0 ? strerror(errno)
                                                    : NULL;
    } else if (access(parent, W_OK | X_OK) != 0) {
        why = strerror(errno);
    }
    if (why != NULL) {
        fprintf(stderr, "murphy: nothing can be written to the folder '%s': %s\n", directory, why);
    }
    return why != NULL;
}

int run_files_save(struct scenario_run *run, const char *directory, char *error, size_t size) {
    const struct run_result *result = scenario_run_result(run);
    struct report_error report;
    char path[PATH_MAX];
    if (strlen(directory) + sizeof "/openlineage.jsonl" > sizeof path) {
        return fail(error, size, "the name of the output folder is too long");
    }
    if (folder_make(directory, error, size) != 0) {
        return -1;
    }
    /* run.json comes last: where it is, the rest is whole and of the same run. */
    char summary[PATH_MAX];
    snprintf(summary, sizeof summary, "%s/run.json", directory);
    if (unlink(summary) != 0 && errno != ENOENT) {
        snprintf(error, size, "cannot replace %s: %s", summary, strerror(errno));
        return -1;
    }
    if (scenario_run_export(run, directory, error, size) != 0) {
        return -1;
    }
    if (scenario_run_openlineage(run, directory, error, size) != 0) {
        return -1;
    }
    if (run_ways_add(scenario_run_result(run), directory) != 0) {
        return fail(error, size, "the stores that were just written cannot be read");
    }
    snprintf(path, sizeof path, "%s/junit.xml", directory);
    if (run_junit_save(result, NULL, path, &report) != 0) {
        return fail(error, size, report.text);
    }
    snprintf(path, sizeof path, "%s/report.html", directory);
    if (run_html_save(result, NULL, path, &report) != 0) {
        return fail(error, size, report.text);
    }
    if (run_json_save(result, NULL, summary, &report) != 0) {
        return fail(error, size, report.text);
    }
    return 0;
}
