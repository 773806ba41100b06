#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/murphy.h"
#include "cli/tune.h"

extern char **environ;

/* --- running gnuplot --- */

/*
 * Runs gnuplot on a script from one descriptor with its output to another. Its exit status, or -1
 * with errno when it could not be started.
 */
static int run_gnuplot(int script, int output, char *const *arguments) {
    posix_spawn_file_actions_t actions;
    if (posix_spawn_file_actions_init(&actions) != 0) {
        errno = ENOMEM;
        return -1;
    }
    posix_spawn_file_actions_adddup2(&actions, script, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    pid_t pid;
    int rc = posix_spawnp(&pid, "gnuplot", &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (rc != 0) {
        errno = rc;
        return -1;
    }
    int status;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            return -1;
        }
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static int no_gnuplot(void) {
    fprintf(stderr,
            "murphy tune: gnuplot, which draws the plot, cannot be started: %s; install it "
            "(Debian: gnuplot-nox) or leave --out away\n",
            strerror(errno));
    return EXIT_INTERNAL;
}

static int cannot_write(const char *path) {
    fprintf(stderr, "murphy tune: %s cannot be written: %s\n", path, strerror(errno));
    return EXIT_USAGE;
}

static bool temporary_name(const char *path, char out[PATH_MAX]) {
    int length = snprintf(out, PATH_MAX, "%s.XXXXXX", path);
    if (length < 0 || length >= PATH_MAX) {
        errno = ENAMETOOLONG;
        return false;
    }
    return true;
}

int tune_svg_begin(const char *path) {
    char temporary[PATH_MAX];
    struct stat there;
    if (stat(path, &there) == 0 && S_ISDIR(there.st_mode)) {
        errno = EISDIR;
        return cannot_write(path);
    }
    int file = temporary_name(path, temporary) ? mkstemp(temporary) : -1;
    if (file < 0) {
        return cannot_write(path);
    }
    unlink(temporary);
    char *arguments[] = {(char[]){"gnuplot"}, (char[]){"--version"}, NULL};
    int status = run_gnuplot(STDIN_FILENO, file, arguments);
    close(file);
    if (status == 127) {
        errno = ENOENT;
    }
    return status == 0 ? EXIT_HELD : no_gnuplot();
}

/* --- the script --- */

/* Recall as its distance from 1, on a logarithmic axis that runs the other way: each nine has the
 * same room. */
static double missing(double recall) {
    return fmax(1 - recall, 1e-4);
}

/* What the axes show. */
struct extent {
    double missing_most;
    double latency_least, latency_most;
};

static struct extent extent_of(const struct tune_result *r) {
    struct extent e = {missing(r->request->objective), INFINITY, 0};
    for (size_t i = 0; i < r->point_count; i++) {
        const struct tune_point *p = &r->points[i];
        e.missing_most = fmax(e.missing_most, missing(p->recall));
        e.latency_least = fmin(e.latency_least, p->latency_p50_us);
        e.latency_most = fmax(e.latency_most, p->latency_p50_us);
    }
    return e;
}

static void write_points(const struct tune_result *r, FILE *script) {
    size_t efs = r->request->ef.count;
    fputs("$points << END\n", script);
    for (size_t i = 0; i < r->point_count; i++) {
        const struct tune_point *p = &r->points[i];
        if (i > 0 && i % efs == 0) {
            fputs("\n\n", script);
        }
        fprintf(script, "%.6g %.6g %" PRIu32 "\n", missing(p->recall), p->latency_p50_us, p->ef);
    }
    fputs("END\n", script);
}

static void write_curves(const struct tune_result *r, FILE *script) {
    size_t efs = r->request->ef.count;
    fputs("plot ", script);
    for (size_t g = 0; g < r->point_count / efs; g++) {
        const struct tune_point *p = &r->points[g * efs];
        fprintf(script,
                "$points index %zu using 1:2 with linespoints pointtype 7 pointsize 0.5 "
                "linetype %zu title 'M %" PRIu32 ", efConstruction %" PRIu32 "', ",
                g, g + 1, p->m, p->ef_construction);
    }
    if (r->chosen != NULL) {
        fprintf(script,
                "'-' using 1:2:3 with labels offset 0,-1.2 point pointtype 6 pointsize 1.6 "
                "linecolor rgb 'black' notitle\n%.6g %.6g \"ef %" PRIu32 "\"\ne\n",
                missing(r->chosen->recall), r->chosen->latency_p50_us, r->chosen->ef);
    } else {
        fputs("NaN notitle\n", script);
    }
}

static void write_script(const struct tune_result *r, FILE *script) {
    struct extent e = extent_of(r);
    fprintf(script,
            "set terminal svg size 820,520 dynamic background rgb 'white' font 'sans-serif,13'\n"
            "set encoding utf8\n"
            "set title 'Recall against latency: %zu vectors of %zu, %s'\n"
            "set xlabel 'recall\\@%" PRIu32 "'\n"
            "set ylabel 'median latency of a search, us'\n"
            "set logscale x\nset logscale y\nset grid\n"
            "set key outside bottom center horizontal\n"
            "set yrange [%.6g:%.6g]\n"
            "set xrange [%.6g:0.9e-4]\n"
            "set xtics ('0.5' 0.5, '0.8' 0.2, '0.9' 0.1, '0.95' 0.05, '0.99' 0.01, "
            "'0.999' 0.001, '1' 0.0001)\n",
            r->base_count, r->base.dim, vector_metric_name(r->request->metric), r->request->k,
            0.6 * e.latency_least, 1.5 * e.latency_most, 1.2 * e.missing_most);
    fprintf(script,
            "set arrow from first %.6g, graph 0 to first %.6g, graph 1 nohead dashtype 2 "
            "linecolor rgb 'gray40'\n",
            missing(r->request->objective), missing(r->request->objective));
    write_points(r, script);
    write_curves(r, script);
}

/* --- the file --- */

static int draw(const struct tune_result *r, int file) {
    FILE *script = tmpfile();
    if (script == NULL) {
        fprintf(stderr, "murphy tune: no temporary file: %s\n", strerror(errno));
        return EXIT_INTERNAL;
    }
    write_script(r, script);
    int status = EXIT_INTERNAL;
    if (fflush(script) != 0 || lseek(fileno(script), 0, SEEK_SET) != 0) {
        fprintf(stderr, "murphy tune: a temporary file cannot be written: %s\n", strerror(errno));
    } else {
        char *arguments[] = {(char[]){"gnuplot"}, (char[]){"-"}, NULL};
        int code = run_gnuplot(fileno(script), file, arguments);
        if (code < 0) {
            status = no_gnuplot();
        } else if (code > 0) {
            fprintf(stderr, "murphy tune: gnuplot failed with status %d\n", code);
        } else {
            status = EXIT_HELD;
        }
    }
    fclose(script);
    return status;
}

/* mkstemp makes files that only their owner may read; a result is an ordinary file. */
static bool give_ordinary_mode(int file) {
    mode_t mask = umask(0);
    umask(mask);
    return fchmod(file, 0666 & ~mask) == 0;
}

int tune_svg_write(const struct tune_result *result, const char *path) {
    char temporary[PATH_MAX];
    int file = temporary_name(path, temporary) ? mkstemp(temporary) : -1;
    if (file < 0) {
        return cannot_write(path);
    }
    int status = draw(result, file);
    if (status == EXIT_HELD && !give_ordinary_mode(file)) {
        status = cannot_write(path);
    }
    if (close(file) != 0 && status == EXIT_HELD) {
        status = cannot_write(path);
    }
    if (status == EXIT_HELD && rename(temporary, path) != 0) {
        status = cannot_write(path);
    }
    if (status != EXIT_HELD) {
        unlink(temporary);
    }
    return status;
}
