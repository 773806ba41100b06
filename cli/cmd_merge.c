/*
 * murphy merge: the shards of a sweep as one.
 */
#define _XOPEN_SOURCE 700

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/murphy.h"
#include "cli/run_files.h"
#include "cli/sweep_store.h"
#include "cli/sweep_summary.h"

static void help(void) {
    puts("usage: murphy merge DIR... [--out DIR] [--json] [--any-build]\n\n"
         "Joins the folders that murphy sweep --out wrote, on one machine or many, and\n"
         "says what they come to together, as the sweep would have.\n\n"
         "  --out DIR  leave the joined results in DIR/sweep.db, for murphy merge or SQL,\n"
         "             and a page of them in DIR/report.html\n"
         "  --json     print the summary as one document\n"
         "  --any-build  also join what different builds of one version found\n\n"
         "Exit status: that of the sweep; 65 when the folders contradict each other (one\n"
         "seed, two hashes), are of different versions or builds, or lack runs that were\n"
         "asked for.");
}

/* Where all that is joined goes, and which folder brought each run first. */
struct merging {
    const char **folders;
    size_t count;
    const char *out;
    bool json;
    bool any_build;
    struct sweep_store joined;
};

/* Without a folder in memory. A file appears under its name only when it is whole. */
static int open_joined(struct merging *m, char *temporary, size_t size) {
    if (m->out == NULL) {
        return sweep_store_memory(&m->joined);
    }
    snprintf(temporary, size, "%s/" SWEEP_FILE ".merge", m->out);
    if (run_files_folder(m->out) != 0) {
        snprintf(m->joined.error, sizeof m->joined.error, "the results have no place");
        return EXIT_USAGE;
    }
    unlink(temporary);
    return sweep_store_file(&m->joined, temporary);
}

static int join(struct merging *m) {
    int status = EXIT_HELD;
    for (size_t i = 0; status == EXIT_HELD && i < m->count; i++) {
        /* Opened once by itself: what a killed sweep left in its log is folded in. */
        struct sweep_store shard;
        status = sweep_store_read(&shard, m->folders[i]);
        if (status != EXIT_HELD) {
            snprintf(m->joined.error, sizeof m->joined.error, "%s", shard.error);
        }
        sweep_store_close(&shard);
        if (status == EXIT_HELD) {
            status = sweep_store_join(&m->joined, m->folders[i], m->any_build);
        }
    }
    return status;
}

static int close_joined(struct merging *m, const char *temporary) {
    char path[PATH_MAX];
    int status = sweep_store_finish(&m->joined);
    if (status == EXIT_HELD && m->out != NULL) {
        snprintf(path, sizeof path, "%s/" SWEEP_FILE, m->out);
        if (rename(temporary, path) != 0) {
            snprintf(m->joined.error, sizeof m->joined.error, "cannot write %.600s", path);
            status = EXIT_INTERNAL;
        }
    }
    return status;
}

static int summary(struct merging *m) {
    int64_t missing = sweep_summary_missing(&m->joined);
    if (missing < 0) {
        return EXIT_INTERNAL;
    }
    struct sweep_closing closing = {.json = m->json, .missing = missing};
    if (m->out != NULL) {
        snprintf(closing.page, sizeof closing.page, "%s/report.html", m->out);
    }
    int status = sweep_summary_write(&m->joined, &closing, stdout);
    if (missing > 0 && m->joined.error[0] == '\0') {
        fprintf(stderr, "murphy merge: %" PRId64 " runs that were asked for are missing\n",
                missing);
        /* What was not run is no pass; what failed has failed. */
        status = status == EXIT_HELD || status == EXIT_SLO_FAILED ? EXIT_INPUT : status;
    }
    return status;
}

static int merge(struct merging *m) {
    char temporary[PATH_MAX] = "";
    int status = open_joined(m, temporary, sizeof temporary);
    if (status == EXIT_HELD) {
        status = join(m);
    }
    if (status == EXIT_HELD) {
        status = summary(m);
        if (m->joined.error[0] == '\0' && close_joined(m, temporary) != EXIT_HELD) {
            status = EXIT_INTERNAL;
        }
    }
    if (m->joined.error[0] != '\0') {
        fprintf(stderr, "murphy merge: %s\n", m->joined.error);
    }
    sweep_store_close(&m->joined);
    if (temporary[0] != '\0') {
        unlink(temporary);
    }
    return status;
}

static int parse(int argc, char **argv, struct merging *m) {
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            m->json = true;
        } else if (strcmp(argv[i], "--any-build") == 0) {
            m->any_build = true;
        } else if (argv[i][0] != '-') {
            m->folders[m->count++] = argv[i];
        } else if (strcmp(argv[i], "--out") != 0) {
            return usage_error("merge", "unknown option", argv[i]);
        } else if (i + 1 == argc) {
            return usage_error("merge", "a value is missing after", argv[i]);
        } else {
            m->out = argv[++i];
        }
    }
    return m->count == 0 ? usage_error("merge", "say which folders", NULL) : EXIT_HELD;
}

/* What lies there already may be somebody's only copy. */
static int refuse_out(const char *out) {
    char path[PATH_MAX];
    struct stat about;
    if (run_files_refused(out)) {
        return EXIT_USAGE;
    }
    if (snprintf(path, sizeof path, "%s/" SWEEP_FILE ".merge", out) >= (int)sizeof path) {
        return usage_error("merge", "the name of the folder is too long:", out);
    }
    snprintf(path, sizeof path, "%s/" SWEEP_FILE, out);
    return stat(path, &about) == 0 ? usage_error("merge", "results are there already:", path)
                                   : EXIT_HELD;
}

int cmd_merge(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            help();
            return EXIT_HELD;
        }
    }
    struct merging m = {.folders = calloc((size_t)argc + 1, sizeof *m.folders)};
    if (m.folders == NULL) {
        fputs("murphy merge: out of memory\n", stderr);
        return EXIT_INTERNAL;
    }
    int status = parse(argc, argv, &m);
    if (status == EXIT_HELD && m.out != NULL) {
        status = refuse_out(m.out);
    }
    if (status == EXIT_HELD) {
        status = merge(&m);
    }
    free(m.folders);
    return status;
}
