#define _POSIX_C_SOURCE 200809L

#include "reports/plots.h"

#include <errno.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "reports/plot_script.h"

extern char **environ;

/* A growing text; `failed` once memory ran out. */
struct text {
    char *bytes;
    size_t size, capacity;
    bool failed;
};

static void text_add(struct text *t, const char *bytes, size_t size) {
    if (t->failed)
        return;
    if (t->capacity - t->size <= size) {
        size_t wanted = (t->size + size + 1) * 2;
        char *moved = realloc(t->bytes, wanted);
        if (!moved) {
            t->failed = true;
            return;
        }
        t->bytes = moved;
        t->capacity = wanted;
    }
    memcpy(t->bytes + t->size, bytes, size);
    t->size += size;
    t->bytes[t->size] = '\0';
}

static void text_puts(struct text *t, const char *s) {
    text_add(t, s, strlen(s));
}

/* --- the process -------------------------------------------------------------------------------
 */

/* The environment with the C locale: gnuplot then writes every number with a point. The strings are
 * the process's own. */
static char **plain_environment(void) {
    static char locale[] = "LC_ALL=C";
    size_t count = 0, kept = 0;
    while (environ && environ[count])
        count++;
    char **copy = malloc((count + 2) * sizeof *copy);
    if (!copy)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        if (strncmp(environ[i], "LC_", 3) != 0 && strncmp(environ[i], "LANG", 4) != 0 &&
            strncmp(environ[i], "LD_PRELOAD=", 11) != 0)
            copy[kept++] = environ[i];
    }
    copy[kept++] = locale;
    copy[kept] = NULL;
    return copy;
}

static int spawn_gnuplot(const char *program, int in, int out, int err, pid_t *pid) {
    char name[] = "gnuplot", no_init_files[] = "-d";
    char *argv[] = {name, no_init_files, NULL};
    char **env = plain_environment();
    posix_spawn_file_actions_t actions;
    if (!env)
        return ENOMEM;
    int status = posix_spawn_file_actions_init(&actions);
    if (status == 0) {
        status = posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
        if (status == 0)
            status = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
        if (status == 0)
            status = posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
        if (status == 0)
            status = posix_spawnp(pid, program, &actions, NULL, argv, env);
        posix_spawn_file_actions_destroy(&actions);
    }
    free(env);
    return status;
}

static void wait_for(pid_t pid) {
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
}

/*
 * Script and answer travel in unlinked temporary files, not pipes: gnuplot reads and writes at the
 * same time, and two pipes could block each other.
 */
static int run_gnuplot(const char *program, FILE *script, FILE *answer, FILE *complaint) {
    pid_t pid;
    if (fflush(script) != 0)
        return errno;
    rewind(script);
    int status = spawn_gnuplot(program, fileno(script), fileno(answer), fileno(complaint), &pid);
    if (status == 0)
        wait_for(pid);
    return status;
}

static void read_all(FILE *file, struct text *t) {
    char block[16384];
    rewind(file);
    for (size_t n; (n = fread(block, 1, sizeof block, file)) > 0;)
        text_add(t, block, n);
}

/* --- from gnuplot's document to a part of ours -------------------------------------------------
 */

static bool starts(const char *s, const char *prefix) {
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* "rgb(1, 0, N)" becomes "var(--pN)"; other colours stay. Returns where to go on. */
static const char *put_colour(struct text *t, const char *s) {
    int red, green, blue, length = 0;
    char variable[32];
    if (sscanf(s, "rgb( %d , %d , %d )%n", &red, &green, &blue, &length) == 3 && length > 0 &&
        red == 1 && green == 0) {
        snprintf(variable, sizeof variable, "var(--p%d)", blue);
        text_puts(t, variable);
        return s + length;
    }
    text_add(t, s, 3);
    return s + 3;
}

struct rule {
    const char *from, *to; /* %: the prefix that makes ids unique */
};

static const struct rule rules[] = {
    {" color=\"black\"", ""},
    {" color=\"white\"", ""},
    {" font-family=\"Arial\"", ""},
    {" fill=\"black\"", " fill=\"var(--p0)\""},
    {"xlink:href='#gp", "href='#%gp"},
    {" id='gp", " id='%gp"},
    {" id='textbox'", " id='%textbox'"},
    {" id='greybox'", " id='%greybox'"},
    {" stroke-linecap=\"butt\"", ""},
    {" stroke-linejoin=\"miter\"", " stroke-linejoin=\"round\""},
};

static void put_with_prefix(struct text *t, const char *to, const char *prefix) {
    for (; *to; to++) {
        if (*to == '%')
            text_puts(t, prefix);
        else
            text_add(t, to, 1);
    }
}

static void put_line(struct text *t, const char *line, const char *end, const char *prefix) {
    while (line < end) {
        /* Every rule and every colour starts with one of these; coordinates, the bulk, do not. */
        size_t plain = strcspn(line, " xr");
        if (plain > (size_t)(end - line))
            plain = (size_t)(end - line);
        text_add(t, line, plain);
        line += plain;
        if (line == end)
            return;
        size_t i = 0, count = sizeof rules / sizeof *rules;
        while (i < count && !starts(line, rules[i].from))
            i++;
        if (i < count) {
            put_with_prefix(t, rules[i].to, prefix);
            line += strlen(rules[i].from);
        } else if (starts(line, "rgb(")) {
            line = put_colour(t, line);
        } else {
            text_add(t, line++, 1);
        }
    }
}

/* gnuplot brackets each curve in a group with an id and a <title>, which browsers show as a tooltip
 * ("w0_plot_1a"); the bracket becomes a plain group. */
static const char *skip_curve_title(struct text *t, const char *line, const char *end) {
    const char *title = strstr(line, "<title>");
    if (!starts(line, "\t<g id=\"") || !title || title > end)
        return NULL;
    text_puts(t, "<g>\n");
    return end;
}

static bool is_empty_group(const char *line, const char *end) {
    return starts(line, "<g fill=") && end[-1] == '>' && starts(end, "\n</g>\n") &&
           !memchr(line + 1, '<', (size_t)(end - line - 1));
}

/* The body of a document, between its <desc> and the end, line by line. */
static void put_body(struct text *t, const char *body, const char *end, const char *prefix) {
    while (body < end) {
        const char *line_end = memchr(body, '\n', (size_t)(end - body));
        if (!line_end)
            line_end = end;
        if (line_end > body && is_empty_group(body, line_end)) {
            body = line_end + strlen("\n</g>\n");
            continue;
        }
        if (starts(body, "<g id=\"gnuplot_canvas\">")) {
            text_puts(t, "<g>\n");
        } else if (!skip_curve_title(t, body, line_end) && line_end > body) {
            put_line(t, body, line_end, prefix);
            text_puts(t, "\n");
        }
        body = line_end + 1;
    }
}

static const char *const plot_titles[PLOT_COUNT] = {
    [PLOT_TIMELINE] = "Lag per feed and store, recall, faults and alerts over virtual time",
    [PLOT_FRESHNESS] = "Distribution of visibility lag per store against the objective",
    [PLOT_CURVE] = "Recall against query latency",
};

/* One document, from its <?xml to its </svg>. NULL when it is not what gnuplot 5 and 6 write, or
 * when memory ran out. */
static char *fit_for_page(const char *document, const char *end, enum plot plot,
                          const char *prefix) {
    struct text t = {NULL, 0, 0, false};
    const char *box = strstr(document, "viewBox=\""), *body = strstr(document, "</desc>");
    if (!box || !body || box > end || body > end)
        return NULL;
    text_puts(&t, "<svg role=\"img\" aria-labelledby=\"");
    text_puts(&t, prefix);
    text_puts(&t, "t\" ");
    text_add(&t, box, strcspn(box + 9, "\"") + 10);
    text_puts(&t, "><title id=\"");
    text_puts(&t, prefix);
    text_puts(&t, "t\">");
    text_puts(&t, plot_titles[plot]);
    text_puts(&t, "</title>");
    put_body(&t, body + strlen("</desc>"), end, prefix);
    if (t.failed) {
        free(t.bytes);
        return NULL;
    }
    return t.bytes;
}

/* --- all of it ---------------------------------------------------------------------------------
 */

static void plot_name(char name[32], int plot, int size) {
    snprintf(name, 32, "m%dx%d", plot, size);
}

static void take_document(struct plots *p, const char *document, const char *end) {
    for (int plot = 0; plot < PLOT_COUNT; plot++) {
        for (int size = 0; size < PLOT_SIZES; size++) {
            char name[32], title[64];
            plot_name(name, plot, size);
            snprintf(title, sizeof title, "<title>%s</title>", name);
            const char *found = strstr(document, title);
            if (found && found < end && !p->svg[plot][size])
                p->svg[plot][size] = fit_for_page(document, end, (enum plot)plot, name);
        }
    }
}

static void take_documents(struct plots *p, const char *answer) {
    static const char closing[] = "</svg>";
    for (const char *document = answer; document && *document;) {
        const char *end = strstr(document, closing);
        if (!end)
            return;
        end += sizeof closing - 1;
        take_document(p, document, end);
        document = end;
    }
}

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
static void
problem(struct plots *p, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(p->problem, sizeof p->problem, format, args);
    va_end(args);
}

static void draw(struct plots *p, const char *program, FILE *script, FILE *answer, FILE *complaint,
                 bool wanted[PLOT_COUNT][PLOT_SIZES]) {
    int status = run_gnuplot(program, script, answer, complaint);
    if (status == ENOENT) {
        problem(p, "No plots: %.100s is not installed (on Debian: apt-get install gnuplot-nox).",
                program);
        return;
    }
    if (status != 0) {
        problem(p, "No plots: %.100s could not be started: %.100s.", program, strerror(status));
        return;
    }
    struct text text = {NULL, 0, 0, false};
    read_all(answer, &text);
    if (text.bytes && !text.failed)
        take_documents(p, text.bytes);
    free(text.bytes);
    bool missing = false;
    for (int i = 0; i < PLOT_COUNT * PLOT_SIZES; i++)
        missing = missing || (wanted[i / PLOT_SIZES][i % PLOT_SIZES] &&
                              !p->svg[i / PLOT_SIZES][i % PLOT_SIZES]);
    if (!missing)
        return;
    char line[160] = "it gave no reason";
    rewind(complaint);
    while (fgets(line, sizeof line, complaint) && line[strspn(line, " \t\r\n^")] == '\0')
        continue;
    line[strcspn(line, "\n")] = '\0';
    problem(p, "Some plots are missing: %.60s failed: %.150s", program, line);
}

void plots_draw(struct plots *p, const struct run_result *r, const char *gnuplot) {
    memset(p, 0, sizeof *p);
    FILE *script = tmpfile(), *answer = tmpfile(), *complaint = tmpfile();
    if (script && answer && complaint) {
        bool wanted[PLOT_COUNT][PLOT_SIZES];
        bool any = false;
        for (int plot = 0; plot < PLOT_COUNT; plot++) {
            for (int size = 0; size < PLOT_SIZES; size++) {
                char name[32];
                plot_name(name, plot, size);
                wanted[plot][size] =
                    plot_script(script, r, (enum plot)plot, (enum plot_size)size, name);
                any = any || wanted[plot][size];
            }
        }
        if (any)
            draw(p, gnuplot ? gnuplot : "gnuplot", script, answer, complaint, wanted);
    } else {
        problem(p, "No plots: a temporary file could not be made: %.100s.", strerror(errno));
    }
    FILE *const files[] = {script, answer, complaint};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (files[i])
            fclose(files[i]);
    }
}

void plots_release(struct plots *p) {
    for (int plot = 0; plot < PLOT_COUNT; plot++) {
        for (int size = 0; size < PLOT_SIZES; size++)
            free(p->svg[plot][size]);
    }
    memset(p, 0, sizeof *p);
}
