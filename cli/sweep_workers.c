#define _GNU_SOURCE

#include "cli/sweep_workers.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pipeline/array.h"
#include "pipeline/wire.h"

/* Between two ticks. */
#define TICK_MS 200
/* So many workers in a row that died before they were given anything: something is wrong here. */
#define IDLE_DEATHS_MAX 8
#define MESSAGE_MAX ((size_t)64 << 20)

struct worker {
    pid_t pid; /* 0: none */
    int socket;
    int said;    /* file that its stderr goes to */
    int64_t run; /* -1: idle */
    char *buffer;
    size_t length, capacity;
};

struct pool {
    const struct sweep *sweep;
    const struct sweep_host *host;
    struct worker *workers;
    unsigned count;
    unsigned idle_deaths;
    bool exhausted; /* no run is left to hand out */
};

/* ---- The worker's side ---- */

/* False at the end of the stream. */
static bool read_all(int fd, char *at, size_t size) {
    while (size > 0) {
        ssize_t n = read(fd, at, size);
        if (n <= 0 && !(n < 0 && errno == EINTR)) {
            return false;
        }
        if (n > 0) {
            at += n;
            size -= (size_t)n;
        }
    }
    return true;
}

static bool write_all(int fd, const char *at, size_t size) {
    while (size > 0) {
        ssize_t n = send(fd, at, size, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR) {
            return false;
        }
        if (n > 0) {
            at += n;
            size -= (size_t)n;
        }
    }
    return true;
}

_Noreturn static void work(const struct sweep *sweep, int socket) {
    char head[8];
    while (read_all(socket, head, sizeof head)) {
        struct wire_reader reader = wire_reader_of((struct bytes){head, sizeof head});
        /* What was said about the run before is of no interest any more. */
        if (ftruncate(STDERR_FILENO, 0) != 0 || lseek(STDERR_FILENO, 0, SEEK_SET) != 0) {
            _exit(EXIT_FAILURE);
        }
        size_t size;
        char *message = sweep_play(sweep, wire_get(&reader, 8), &size);
        if (message == NULL) {
            fputs("out of memory\n", stderr);
            _exit(EXIT_FAILURE);
        }
        (void)wire_put(head, size, 8);
        if (!write_all(socket, head, sizeof head) || !write_all(socket, message, size)) {
            _exit(EXIT_FAILURE);
        }
        free(message);
    }
    _exit(EXIT_SUCCESS);
}

/* ---- The parent's side ---- */

static void become_worker(const struct pool *pool, const struct worker *self, int socket,
                          pid_t parent) {
    /* Ctrl-C reaches the whole group: the parent decides. */
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(EXIT_FAILURE);
    }
    dup2(self->said, STDERR_FILENO);
    for (unsigned i = 0; i < pool->count; i++) {
        if (pool->workers[i].pid != 0) {
            close(pool->workers[i].socket);
        }
    }
    pool->host->forked(pool->host->ctx);
    work(pool->sweep, socket);
}

static int start(struct pool *pool, struct worker *w) {
    int ends[2];
    pid_t parent = getpid();
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        return -1;
    }
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0) {
        close(ends[0]);
        close(ends[1]);
        return -1;
    }
    if (pid == 0) {
        close(ends[0]);
        become_worker(pool, w, ends[1], parent);
    }
    close(ends[1]);
    w->pid = pid;
    w->socket = ends[0];
    w->run = -1;
    w->length = 0;
    return 0;
}

static void hand_out(struct pool *pool, struct worker *w) {
    char head[8];
    int64_t run = pool->exhausted ? -1 : pool->host->next(pool->host->ctx);
    if (run < 0) {
        pool->exhausted = true;
        return;
    }
    w->run = run;
    (void)wire_put(head, (uint64_t)run, 8);
    /* Should it be dead, its end of the stream says so soon. */
    (void)write_all(w->socket, head, sizeof head);
}

static void reap(struct worker *w, int *status) {
    close(w->socket);
    while (waitpid(w->pid, status, 0) < 0 && errno == EINTR) {
    }
    w->pid = 0;
}

/* The last of what a worker said, in one line. */
static void last_words(const struct worker *w, char *text, size_t size) {
    off_t end = lseek(w->said, 0, SEEK_END);
    off_t from = end > (off_t)size - 1 ? end - ((off_t)size - 1) : 0;
    ssize_t n = end < 0 ? 0 : pread(w->said, text, size - 1, from);
    n = n < 0 ? 0 : n;
    while (n > 0 && text[n - 1] == '\n') {
        n--;
    }
    text[n] = '\0';
    for (char *at = text; *at != '\0'; at++) {
        *at = (unsigned char)*at < ' ' || *at == 0x7f ? ' ' : *at;
    }
}

static int died(struct pool *pool, struct worker *w) {
    int status, stop = 0;
    int64_t run = w->run;
    reap(w, &status);
    if (run >= 0) {
        char words[400], error[600];
        last_words(w, words, sizeof words);
        int n = WIFSIGNALED(status)
                    ? snprintf(error, sizeof error, "its process was ended by signal %d (%s)",
                               WTERMSIG(status), strsignal(WTERMSIG(status)))
                    : snprintf(error, sizeof error, "its process left with status %d",
                               WEXITSTATUS(status));
        snprintf(error + n, sizeof error - (size_t)n, "%s%s", words[0] == '\0' ? "" : ": ", words);
        stop = pool->host->done(pool->host->ctx, (uint64_t)run,
                                &(struct sweep_outcome){.verdict = RUN_ERROR,
                                                        .trace_hash = "",
                                                        .end_state = "",
                                                        .cause = error,
                                                        .error = error,
                                                        .failed_checks = "[]",
                                                        .breached = "[]",
                                                        .coverage = "{}",
                                                        .drawn = "{}",
                                                        .allowed = "{}"});
        pool->idle_deaths = 0;
    } else if (++pool->idle_deaths > IDLE_DEATHS_MAX) {
        fprintf(stderr, "murphy %s: the processes die before they are given anything\n",
                pool->sweep->command);
        return -1;
    }
    if (stop != 0 || pool->exhausted) {
        return stop;
    }
    if (start(pool, w) != 0) {
        fprintf(stderr, "murphy %s: cannot start another process: %s\n", pool->sweep->command,
                strerror(errno));
        return -1;
    }
    hand_out(pool, w);
    return 0;
}

/* What lies in the buffer, if it is whole. */
static int take_message(struct pool *pool, struct worker *w) {
    if (w->length < 8) {
        return 0;
    }
    struct wire_reader reader = wire_reader_of((struct bytes){w->buffer, 8});
    uint64_t size = wire_get(&reader, 8);
    if (w->length - 8 < size && size <= MESSAGE_MAX) {
        return 0;
    }
    struct sweep_outcome outcome;
    if (size > MESSAGE_MAX || w->length - 8 != size || w->run < 0 ||
        !sweep_outcome_read(w->buffer + 8, (size_t)size, &outcome)) {
        /* Something wrote over a worker's memory: it goes as if it had crashed. */
        kill(w->pid, SIGKILL);
        return 0;
    }
    int64_t run = w->run;
    w->run = -1;
    w->length = 0;
    int stop = pool->host->done(pool->host->ctx, (uint64_t)run, &outcome);
    if (stop == 0) {
        hand_out(pool, w);
    }
    return stop;
}

static int hear(struct pool *pool, struct worker *w) {
    if (ARRAY_RESERVE(w->buffer, w->capacity, w->length + 4096) != 0) {
        fprintf(stderr, "murphy %s: out of memory\n", pool->sweep->command);
        return -1;
    }
    ssize_t n = recv(w->socket, w->buffer + w->length, w->capacity - w->length, MSG_DONTWAIT);
    if (n > 0) {
        w->length += (size_t)n;
        return take_message(pool, w);
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return 0;
    }
    return died(pool, w);
}

static int wait_once(struct pool *pool, struct pollfd *polled) {
    for (unsigned i = 0; i < pool->count; i++) {
        polled[i] = (struct pollfd){.fd = pool->workers[i].pid == 0 ? -1 : pool->workers[i].socket,
                                    .events = POLLIN};
    }
    int ready = poll(polled, pool->count, TICK_MS);
    int stop = 0;
    for (unsigned i = 0; ready > 0 && stop == 0 && i < pool->count; i++) {
        if (polled[i].revents != 0) {
            stop = hear(pool, &pool->workers[i]);
        }
    }
    return stop != 0 ? stop : pool->host->tick(pool->host->ctx);
}

static bool busy(const struct pool *pool) {
    for (unsigned i = 0; i < pool->count; i++) {
        if (pool->workers[i].pid != 0 && pool->workers[i].run >= 0) {
            return true;
        }
    }
    return false;
}

/* All workers are forked before anything is handed out. */
static int start_all(struct pool *pool) {
    for (unsigned i = 0; i < pool->count; i++) {
        struct worker *w = &pool->workers[i];
        FILE *said = tmpfile();
        w->said = said == NULL ? -1 : fcntl(fileno(said), F_DUPFD_CLOEXEC, 3);
        if (said != NULL) {
            fclose(said);
        }
        if (w->said < 0 || start(pool, w) != 0) {
            fprintf(stderr, "murphy %s: cannot start process %u of %u: %s\n", pool->sweep->command,
                    i + 1, pool->count, strerror(errno));
            return -1;
        }
    }
    for (unsigned i = 0; i < pool->count; i++) {
        hand_out(pool, &pool->workers[i]);
    }
    return 0;
}

/* Nothing of theirs is worth waiting for. */
static void end_all(struct pool *pool) {
    int status;
    for (unsigned i = 0; i < pool->count; i++) {
        struct worker *w = &pool->workers[i];
        if (w->pid != 0) {
            kill(w->pid, SIGKILL);
            reap(w, &status);
        }
        if (w->said >= 0) {
            close(w->said);
        }
        free(w->buffer);
    }
}

int sweep_workers_play(const struct sweep *sweep, const struct sweep_host *host) {
    struct pool pool = {.sweep = sweep, .host = host, .count = sweep->jobs};
    struct pollfd *polled = calloc(pool.count, sizeof *polled);
    pool.workers = calloc(pool.count, sizeof *pool.workers);
    int stop = -1;
    if (polled == NULL || pool.workers == NULL) {
        fprintf(stderr, "murphy %s: out of memory\n", sweep->command);
    } else {
        for (unsigned i = 0; i < pool.count; i++) {
            pool.workers[i].said = -1;
        }
        stop = start_all(&pool);
        while (stop == 0 && busy(&pool)) {
            stop = wait_once(&pool, polled);
        }
        end_all(&pool);
    }
    free(polled);
    free(pool.workers);
    return stop;
}
