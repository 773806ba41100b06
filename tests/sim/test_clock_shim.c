/*
 * The clock shim, linked in: virtual time for whatever runs inside a simulation, and a guard that
 * names who reads a clock while the core steps. And preloaded: programs of others on a controlled
 * clock, started as processes: date(1), sh(1), and clock_probe beside this program. All of it
 * serves D3: the same seed gives the same run.
 */
#define _GNU_SOURCE 1
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sim/clock_shim.h"
#include "sim/clock_shim_parts.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <spawn.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timeb.h>
#include <sys/wait.h>
#include <threads.h>
#include <unistd.h>

#define SEED UINT64_C(20260302)
/* 2026-03-02T00:00:00Z */
#define START_S INT64_C(1772409600)
#define START                                                                                      \
    (vtime) {                                                                                      \
        START_S *VTIME_SECOND                                                                      \
    }

/* Headers before glibc 2.36 do not have these. */
uint32_t arc4random(void);
void arc4random_buf(void *buffer, size_t bytes);
uint32_t arc4random_uniform(uint32_t bound);
/* glibc marks it deprecated, which is no reason not to cover it. */
extern int ftime_of_libc(struct timeb *out) __asm__("ftime");

static int64_t ns_of(struct timespec t) {
    return t.tv_sec * VTIME_SECOND + t.tv_nsec;
}

static int64_t clock_ns(clockid_t id) {
    struct timespec t;
    assert_int_equal(clock_gettime(id, &t), 0);
    return ns_of(t);
}

/* Past the shim. */
static int64_t kernel_ns(clockid_t id) {
    struct timespec t = {0, 0};
    syscall(SYS_clock_gettime, id, &t);
    return ns_of(t);
}

/* --- Linked in: time -------------------------------------------------------------------------- */

static const clockid_t covered_clocks[] = {
    CLOCK_REALTIME,      CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC, CLOCK_MONOTONIC_COARSE,
    CLOCK_MONOTONIC_RAW, CLOCK_BOOTTIME,        CLOCK_TAI,
};

/* Every way to ask for the time inside a simulation gives the virtual time, to the nanosecond. */
static void test_inside_sees_virtual_time(void **state) {
    (void)state;
    struct timeval tv;
    struct timespec ts;
    struct timeb tb;
    vtime now = {START.ns + 1234567891};
    clock_shim_enter(START, SEED);
    clock_shim_set(now);
    for (size_t i = 0; i < sizeof(covered_clocks) / sizeof(covered_clocks[0]); i++) {
        assert_int_equal(clock_ns(covered_clocks[i]), now.ns);
        assert_int_equal(clock_getres(covered_clocks[i], &ts), 0);
        assert_int_equal(ns_of(ts), 1);
    }
    time_t stored = 0;
    assert_int_equal(time(&stored), START_S + 1);
    assert_int_equal(stored, START_S + 1);
    assert_int_equal(gettimeofday(&tv, NULL), 0);
    assert_int_equal(tv.tv_sec, START_S + 1);
    assert_int_equal(tv.tv_usec, 234567);
    assert_int_equal(timespec_get(&ts, TIME_UTC), TIME_UTC);
    assert_int_equal(ns_of(ts), now.ns);
    assert_int_equal(ftime_of_libc(&tb), 0);
    assert_int_equal(tb.time, START_S + 1);
    assert_int_equal(tb.millitm, 234);
    clock_shim_leave();
}

/* Before and after a simulation the same calls tell the machine's time. */
static void test_outside_sees_real_time(void **state) {
    (void)state;
    clock_shim_enter(START, SEED);
    clock_shim_leave();
    for (size_t i = 0; i < sizeof(covered_clocks) / sizeof(covered_clocks[0]); i++) {
        int64_t before = kernel_ns(covered_clocks[i]);
        int64_t seen = clock_ns(covered_clocks[i]);
        assert_in_range(seen, before, kernel_ns(covered_clocks[i]));
    }
    int64_t before_s = kernel_ns(CLOCK_REALTIME_COARSE) / VTIME_SECOND;
    assert_in_range(time(NULL), before_s, kernel_ns(CLOCK_REALTIME_COARSE) / VTIME_SECOND);
}

/* The host measures wall time from inside, under a guard too; CPU time stays what it is. */
static void test_host_has_real_time_inside(void **state) {
    (void)state;
    clock_shim_enter(START, SEED);
    clock_shim_guard_begin("builder");
    int64_t before = kernel_ns(CLOCK_MONOTONIC);
    int64_t seen = clock_shim_real_monotonic_ns();
    assert_in_range(seen, before, kernel_ns(CLOCK_MONOTONIC));
    clock_shim_guard_end();
    assert_true(clock_ns(CLOCK_PROCESS_CPUTIME_ID) < 3600 * VTIME_SECOND);
    clock_shim_leave();
}

static void *read_real(void *is_outside) {
    *(bool *)is_outside = !clock_shim_inside() && clock_ns(CLOCK_REALTIME) != START.ns;
    return NULL;
}

/* A simulation belongs to its thread: one that reports progress stays on the real clock. */
static void test_other_threads_stay_outside(void **state) {
    (void)state;
    pthread_t thread;
    bool is_outside = false;
    clock_shim_enter(START, SEED);
    clock_shim_guard_begin("builder");
    assert_int_equal(pthread_create(&thread, NULL, read_real, &is_outside), 0);
    pthread_join(thread, NULL);
    clock_shim_guard_end();
    clock_shim_leave();
    assert_true(is_outside);
}

/* A thousand times a second of sleep passes at once, and shows on the virtual clock. */
static void test_sleep_inside_moves_virtual_time(void **state) {
    (void)state;
    int64_t real = kernel_ns(CLOCK_MONOTONIC);
    struct timespec second = {1, 0};
    clock_shim_enter(START, SEED);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(nanosleep(&second, NULL), 0);
    }
    assert_int_equal(sleep(100), 0);
    assert_int_equal(usleep(500000), 0);
    assert_int_equal(thrd_sleep(&second, NULL), 0);
    assert_int_equal(poll(NULL, 0, 500), 0);
    assert_int_equal(clock_nanosleep(CLOCK_MONOTONIC, 0, &second, NULL), 0);
    assert_int_equal(sqlite3_sleep(2000), 2000);
    assert_int_equal(clock_shim_now().ns, START.ns + 1105 * VTIME_SECOND);
    struct timespec until = {START_S + 5000, 0};
    assert_int_equal(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &until, NULL), 0);
    assert_int_equal(time(NULL), START_S + 5000);
    clock_shim_leave();
    assert_true(kernel_ns(CLOCK_MONOTONIC) - real < VTIME_SECOND);
}

/* Waits look once: what is ready is found, what is not has timed out. */
static void test_wait_inside_looks_once(void **state) {
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    struct pollfd fd = {.fd = ends[0], .events = POLLIN};
    clock_shim_enter(START, SEED);
    assert_int_equal(poll(&fd, 1, 60000), 0);
    assert_int_equal(time(NULL), START_S + 60);
    assert_int_equal(write(ends[1], "x", 1), 1);
    assert_int_equal(poll(&fd, 1, 60000), 1);
    assert_int_equal(time(NULL), START_S + 60);
    sem_t semaphore;
    assert_int_equal(sem_init(&semaphore, 0, 1), 0);
    struct timespec until = {START_S + 90, 0};
    assert_int_equal(sem_timedwait(&semaphore, &until), 0);
    assert_int_equal(sem_timedwait(&semaphore, &until), -1);
    assert_int_equal(errno, ETIMEDOUT);
    assert_int_equal(time(NULL), START_S + 90);
    clock_shim_leave();
    sem_destroy(&semaphore);
    close(ends[0]);
    close(ends[1]);
}

/* Crooked arguments get the errors that libc gives. */
static void test_bad_arguments_are_refused_as_by_libc(void **state) {
    (void)state;
    struct timespec crooked = {0, VTIME_SECOND};
    struct timespec negative = {-1, 0};
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    assert_int_equal(pthread_mutex_lock(&mutex), 0);
    clock_shim_enter(START, SEED);
    assert_int_equal(nanosleep(&crooked, NULL), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(nanosleep(&negative, NULL), -1);
    assert_int_equal(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &crooked, NULL), EINVAL);
    assert_int_equal(pthread_mutex_timedlock(&mutex, &crooked), EINVAL);
    assert_int_equal(ppoll(NULL, 0, &crooked, NULL), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(clock_settime(CLOCK_REALTIME, &negative), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(clock_shim_now().ns, START.ns);
    clock_shim_leave();
    pthread_mutex_unlock(&mutex);
}

static void sqlite_text(sqlite3 *db, const char *sql, char *out, size_t out_bytes) {
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    snprintf(out, out_bytes, "%s", (const char *)sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
}

/* A shared library, here SQLite, calls our functions too: the program's come before libc's. */
static void test_sqlite_sees_virtual_time(void **state) {
    (void)state;
    char text[64];
    sqlite3 *db;
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    clock_shim_enter(START, SEED);
    clock_shim_set(vtime_add(START, 90 * VTIME_MINUTE));
    sqlite_text(db, "SELECT strftime('%s','now')", text, sizeof(text));
    assert_string_equal(text, "1772415000");
    sqlite_text(db, "SELECT datetime('now')", text, sizeof(text));
    assert_string_equal(text, "2026-03-02 01:30:00");
    clock_shim_leave();
    sqlite_text(db, "SELECT strftime('%s','now')", text, sizeof(text));
    assert_true(labs(strtol(text, NULL, 10) - time(NULL)) <= 2);
    sqlite3_close(db);
}

/* --- Linked in: randomness -------------------------------------------------------------------- */

struct drawn {
    unsigned char random[1000];
    unsigned char entropy[256];
    unsigned char buffer[7];
    uint32_t word;
    uint32_t below;
};

static void draw(struct drawn *drawn, uint64_t seed) {
    memset(drawn, 0, sizeof(*drawn));
    clock_shim_enter(START, seed);
    assert_int_equal(getrandom(drawn->random, sizeof(drawn->random), 0), sizeof(drawn->random));
    assert_int_equal(getentropy(drawn->entropy, sizeof(drawn->entropy)), 0);
    arc4random_buf(drawn->buffer, sizeof(drawn->buffer));
    drawn->word = arc4random();
    drawn->below = arc4random_uniform(1000000000);
    clock_shim_leave();
}

/* The same seed draws the same bytes in every simulation, another seed others. */
static void test_randomness_follows_the_seed(void **state) {
    (void)state;
    struct drawn first;
    struct drawn again;
    struct drawn other;
    draw(&first, SEED);
    draw(&again, SEED);
    draw(&other, SEED + 1);
    assert_memory_equal(&first, &again, sizeof(first));
    assert_memory_not_equal(first.random, other.random, 16);
    assert_memory_not_equal(first.random, first.entropy, 16);
    assert_int_not_equal(first.word, other.word);
    assert_true(first.below < 1000000000);
}

/* Every remainder of arc4random_uniform comes up about as often: 6 cells of 1000 within 5 sigma. */
static void test_uniform_is_uniform(void **state) {
    (void)state;
    int cells[6] = {0};
    clock_shim_enter(START, SEED);
    for (int i = 0; i < 6000; i++) {
        uint32_t value = arc4random_uniform(6);
        assert_true(value < 6);
        cells[value]++;
    }
    assert_int_equal(arc4random_uniform(0), 0);
    assert_int_equal(arc4random_uniform(1), 0);
    clock_shim_leave();
    for (int i = 0; i < 6; i++) {
        assert_in_range(cells[i], 1000 - 145, 1000 + 145);
    }
}

/* Outside a simulation randomness is the machine's: two draws differ. */
static void test_randomness_outside_is_real(void **state) {
    (void)state;
    unsigned char a[32] = {0};
    unsigned char b[32] = {0};
    assert_int_equal(getrandom(a, sizeof(a), 0), sizeof(a));
    assert_int_equal(getrandom(b, sizeof(b), 0), sizeof(b));
    assert_memory_not_equal(a, b, sizeof(a));
    arc4random_buf(b, sizeof(b));
    assert_memory_not_equal(a, b, sizeof(a));
}

/* --- Linked in: the guard --------------------------------------------------------------------- */

/* What the hook was told last, and how often. */
struct caught {
    int count;
    char function[64];
    char caller[64];
    char guard[64];
    char sentence[1024];
};

static void catch_offence(const struct clock_shim_offence *offence, void *ctx) {
    struct caught *caught = ctx;
    caught->count++;
    snprintf(caught->function, sizeof(caught->function), "%s", offence->function);
    snprintf(caught->caller, sizeof(caught->caller), "%s", offence->caller);
    snprintf(caught->guard, sizeof(caught->guard), "%s", offence->guard);
    snprintf(caught->sentence, sizeof(caught->sentence), "%s", offence->sentence);
}

/*
 * A core with a fault for each covered function. Each is static, which dladdr could not name, not
 * inlined, and does something after its call, so that the call is not in tail position.
 */
static volatile int64_t sink;

#define CORE(function, call)                                                                       \
    static __attribute__((noinline)) void core_##function(void) {                                  \
        sink = (int64_t)(call);                                                                    \
        sink++;                                                                                    \
    }
#define CORE_VOID(function, call)                                                                  \
    static __attribute__((noinline)) void core_##function(void) {                                  \
        call;                                                                                      \
        sink++;                                                                                    \
    }

static struct timespec soon;
static struct timespec moment;
static struct timeval tv_soon;
static struct timeb moment_b;
static unsigned char bytes[8];
static struct pollfd no_fd = {.fd = -1};
static struct epoll_event no_event;
static sigset_t no_signals;
static sem_t semaphore;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static cnd_t cnd;
static mtx_t mtx;

#define CORE_FUNCTIONS(X)                                                                          \
    X(time, time(NULL))                                                                            \
    X(gettimeofday, gettimeofday(&tv_soon, NULL))                                                  \
    X(clock_gettime, clock_gettime(CLOCK_MONOTONIC, &moment))                                      \
    X(clock_getres, clock_getres(CLOCK_MONOTONIC, &moment))                                        \
    X(clock_settime, clock_settime(CLOCK_MONOTONIC, &moment))                                      \
    X(settimeofday, settimeofday(NULL, NULL))                                                      \
    X(timespec_get, timespec_get(&moment, TIME_UTC))                                               \
    X(ftime, ftime_of_libc(&moment_b))                                                             \
    X(clock, clock())                                                                              \
    X(nanosleep, nanosleep(&soon, NULL))                                                           \
    X(clock_nanosleep, clock_nanosleep(CLOCK_REALTIME, 0, &soon, NULL))                            \
    X(usleep, usleep(1))                                                                           \
    X(sleep, sleep(1))                                                                             \
    X(thrd_sleep, thrd_sleep(&soon, NULL))                                                         \
    X(getrandom, getrandom(bytes, sizeof(bytes), 0))                                               \
    X(getentropy, getentropy(bytes, sizeof(bytes)))                                                \
    X(arc4random, arc4random())                                                                    \
    X(arc4random_uniform, arc4random_uniform(6))                                                   \
    X(select, select(0, NULL, NULL, NULL, &tv_soon))                                               \
    X(pselect, pselect(0, NULL, NULL, NULL, &soon, NULL))                                          \
    X(poll, poll(&no_fd, 1, 0))                                                                    \
    X(ppoll, ppoll(&no_fd, 1, &soon, NULL))                                                        \
    X(epoll_wait, epoll_wait(-1, &no_event, 1, 0))                                                 \
    X(epoll_pwait, epoll_pwait(-1, &no_event, 1, 0, NULL))                                         \
    X(sigtimedwait, sigtimedwait(&no_signals, NULL, &soon))                                        \
    X(sem_timedwait, sem_timedwait(&semaphore, &soon))                                             \
    X(sem_clockwait, sem_clockwait(&semaphore, CLOCK_MONOTONIC, &soon))                            \
    X(pthread_cond_timedwait, pthread_cond_timedwait(&condition, &mutex, &soon))                   \
    X(pthread_cond_clockwait, pthread_cond_clockwait(&condition, &mutex, CLOCK_MONOTONIC, &soon))  \
    X(pthread_mutex_timedlock, pthread_mutex_timedlock(&mutex, &soon))                             \
    X(pthread_mutex_clocklock, pthread_mutex_clocklock(&mutex, CLOCK_MONOTONIC, &soon))            \
    X(pthread_rwlock_timedrdlock, pthread_rwlock_timedrdlock(&rwlock, &soon))                      \
    X(pthread_rwlock_timedwrlock, pthread_rwlock_timedwrlock(&rwlock, &soon))                      \
    X(pthread_rwlock_clockrdlock, pthread_rwlock_clockrdlock(&rwlock, CLOCK_MONOTONIC, &soon))     \
    X(pthread_rwlock_clockwrlock, pthread_rwlock_clockwrlock(&rwlock, CLOCK_MONOTONIC, &soon))     \
    X(cnd_timedwait, cnd_timedwait(&cnd, &mtx, &soon))                                             \
    X(mtx_timedlock, mtx_timedlock(&mtx, &soon))

CORE_FUNCTIONS(CORE)
CORE_VOID(arc4random_buf, arc4random_buf(bytes, sizeof(bytes)))

static const struct {
    const char *function;
    const char *caller;
    void (*step)(void);
} core_faults[] = {
#define X(function, call) {#function, "core_" #function, core_##function},
    CORE_FUNCTIONS(X)
#undef X
        {"arc4random_buf", "core_arc4random_buf", core_arc4random_buf},
};

#define CORE_FAULTS (sizeof(core_faults) / sizeof(core_faults[0]))

/* Makes every wait of the core end at once: what it waits for is there or taken. */
static void prepare_core(void) {
    assert_int_equal(sem_init(&semaphore, 0, 0), 0);
    assert_int_equal(cnd_init(&cnd), thrd_success);
    assert_int_equal(mtx_init(&mtx, mtx_timed), thrd_success);
    soon = (struct timespec){START_S + 1, 0};
    tv_soon = (struct timeval){1, 0};
}

/* Taken and left around each step: half of the waits want it held, the others do not care. */
static void step_with_locks(void (*step)(void)) {
    pthread_mutex_trylock(&mutex);
    mtx_trylock(&mtx);
    step();
    pthread_mutex_unlock(&mutex);
    mtx_unlock(&mtx);
    pthread_rwlock_unlock(&rwlock);
}

/* Whatever covered function the core calls, the hook hears which, who called, and what stepped. */
static void test_guard_names_function_and_caller(void **state) {
    (void)state;
    struct caught caught = {0};
    prepare_core();
    clock_shim_set_hook(catch_offence, &caught);
    for (size_t i = 0; i < CORE_FAULTS; i++) {
        caught.count = 0;
        clock_shim_enter(START, SEED);
        clock_shim_guard_begin("builder");
        step_with_locks(core_faults[i].step);
        clock_shim_guard_end();
        clock_shim_leave();
        assert_int_equal(caught.count, 1);
        assert_string_equal(caught.function, core_faults[i].function);
        assert_string_equal(caught.caller, core_faults[i].caller);
        assert_string_equal(caught.guard, "builder");
        assert_non_null(strstr(caught.sentence, core_faults[i].function));
        assert_non_null(strstr(caught.sentence, "test_clock_shim+0x"));
    }
    clock_shim_set_hook(NULL, NULL);
}

/* Between steps, and outside a simulation, the same calls are nobody's offence. */
static void test_no_guard_no_offence(void **state) {
    (void)state;
    struct caught caught = {0};
    clock_shim_set_hook(catch_offence, &caught);
    clock_shim_guard_begin("builder");
    core_time();
    clock_shim_guard_end();
    clock_shim_enter(START, SEED);
    clock_shim_guard_begin("builder");
    clock_shim_guard_end();
    core_time();
    core_getrandom();
    clock_shim_leave();
    assert_int_equal(caught.count, 0);
    clock_shim_set_hook(NULL, NULL);
}

/* A library called by the core is caught as well, and the sentence says which file it is. */
static void test_guard_names_a_library(void **state) {
    (void)state;
    struct caught caught = {0};
    char text[64];
    sqlite3 *db;
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    clock_shim_set_hook(catch_offence, &caught);
    clock_shim_enter(START, SEED);
    clock_shim_guard_begin("builder");
    sqlite_text(db, "SELECT strftime('%s','now')", text, sizeof(text));
    clock_shim_guard_end();
    clock_shim_leave();
    clock_shim_set_hook(NULL, NULL);
    sqlite3_close(db);
    assert_true(caught.count > 0);
    assert_non_null(strstr(caught.sentence, "libsqlite3"));
    assert_string_equal(text, "1772409600");
}

/* Reads what a child writes to `fd` until its end. */
static void read_all(int fd, char *out, size_t out_bytes) {
    size_t length = 0;
    ssize_t got;
    while ((got = read(fd, out + length, out_bytes - 1 - length)) > 0) {
        length += (size_t)got;
    }
    out[length] = '\0';
    close(fd);
}

/* Without a hook the process ends, after one sentence on stderr. */
static void test_offence_aborts(void **state) {
    (void)state;
    int ends[2];
    char message[2048];
    int status;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        clock_shim_enter(START, SEED);
        clock_shim_guard_begin("builder");
        core_clock_gettime();
        _exit(0);
    }
    close(ends[1]);
    read_all(ends[0], message, sizeof(message));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_memory_equal(message, "murphy: clock_gettime() was called by core_clock_gettime (", 58);
    assert_non_null(strstr(message, "while the core was stepping \"builder\""));
    assert_ptr_equal(strchr(message, '\n'), message + strlen(message) - 1);
}

/* Setting the time costs next to nothing; the bound leaves room for sanitizers and -O0. */
static void test_set_is_cheap(void **state) {
    (void)state;
    const int count = 1000000;
    int64_t best_ns = INT64_MAX;
    clock_shim_enter(START, SEED);
    for (int round = 0; round < 5; round++) {
        int64_t begin = clock_shim_real_monotonic_ns();
        for (int i = 0; i < count; i++) {
            clock_shim_set(vtime_add(START, i));
            __asm__ volatile("" ::: "memory");
        }
        int64_t took_ns = clock_shim_real_monotonic_ns() - begin;
        best_ns = took_ns < best_ns ? took_ns : best_ns;
    }
    clock_shim_leave();
    print_message("clock_shim_set: %.2f ns\n", (double)best_ns / count);
    assert_true(best_ns < 50 * (int64_t)count);
}

/* --- The format of MURPHY_CLOCK --------------------------------------------------------------- */

static int parse(struct shim_spec *spec, const char *text) {
    char why[512] = "";
    int status = shim_spec_parse(spec, text, why, sizeof(why));
    assert_int_equal(status == 0, why[0] == '\0');
    return status;
}

/* Any second from 1970 to 2261, written as a date in any zone or as a number, is read back. */
static void test_moments_are_read_back(void **state) {
    (void)state;
    for (uint64_t i = 0; i < 20000; i++) {
        time_t s = (time_t)(shim_random_word(SEED, 2 * i) % UINT64_C(9214560000)) + 86400;
        int64_t ms = (int64_t)(shim_random_word(SEED, 2 * i + 1) % 1000);
        int zone_minutes = (int)(s % 57) * 30 - 14 * 60;
        struct tm tm;
        time_t local = s + zone_minutes * 60;
        char text[64];
        char day[40];
        struct shim_spec spec;
        gmtime_r(&local, &tm);
        strftime(day, sizeof(day), "@%Y-%m-%dT%H:%M:%S", &tm);
        snprintf(text, sizeof(text), "%s.%03d%c%02d:%02d", day, (int)ms,
                 zone_minutes < 0 ? '-' : '+', abs(zone_minutes) / 60, abs(zone_minutes) % 60);
        assert_int_equal(parse(&spec, text), 0);
        assert_true(spec.absolute);
        assert_int_equal(spec.start_ns, s * VTIME_SECOND + ms * VTIME_MILLISECOND);
        snprintf(text, sizeof(text), "@%lld.%03d", (long long)s, (int)ms);
        assert_int_equal(parse(&spec, text), 0);
        assert_int_equal(spec.start_ns, s * VTIME_SECOND + ms * VTIME_MILLISECOND);
    }
}

/* Each form gives what the guide says. */
static void test_forms_are_read(void **state) {
    (void)state;
    struct shim_spec spec;
    assert_int_equal(parse(&spec, "@2026-03-02"), 0);
    assert_int_equal(spec.start_ns, START.ns);
    assert_int_equal(spec.pace, SHIM_PACE_RATE);
    assert_int_equal(spec.rate_numerator, spec.rate_denominator);
    assert_int_equal(parse(&spec, "  @2026-03-02T00:00Z   x2.5 "), 0);
    assert_int_equal(spec.rate_numerator * 2, spec.rate_denominator * 5);
    assert_int_equal(parse(&spec, "x1/3"), 0);
    assert_int_equal(spec.rate_numerator * 3, spec.rate_denominator);
    assert_false(spec.absolute);
    assert_int_equal(parse(&spec, "+1h30m"), 0);
    assert_int_equal(spec.offset_ns, 90 * VTIME_MINUTE);
    assert_int_equal(parse(&spec, "-1.5d frozen"), 0);
    assert_int_equal(spec.offset_ns, -36 * VTIME_HOUR);
    assert_int_equal(spec.pace, SHIM_PACE_FROZEN);
    assert_int_equal(parse(&spec, "+90"), 0);
    assert_int_equal(spec.offset_ns, 90 * VTIME_SECOND);
    assert_int_equal(parse(&spec, "step=1ms2us3ns"), 0);
    assert_int_equal(spec.pace, SHIM_PACE_STEPPED);
    assert_int_equal(spec.step_ns, 1002003);
    assert_int_equal(parse(&spec, "@2026"), 0);
    assert_int_equal(spec.start_ns, 2026 * VTIME_SECOND);
    assert_int_equal(parse(&spec, "page=/a b"), 0);
    assert_string_equal(spec.page, "/a b");
}

static const char *const bad_specs[] = {
    "",
    " ",
    "bogus",
    "@",
    "@x",
    "@2026-13-01",
    "@2026-02-29",
    "@2026-3-2",
    "@2026-03-02T",
    "@2026-03-02T00:00:00",
    "@2026-03-02T24:00:00Z",
    "@2026-03-02T00:60:00Z",
    "@2026-03-02T00:00:60Z",
    "@2026-03-02T00:00:00+15:00",
    "@2026-03-02T00:00:00ZZ",
    "@1969-12-31",
    "@2262-01-01",
    "@99999999999",
    "@1970-01-01T00:00:00+01:00",
    "@1.0000000001",
    "+",
    "-",
    "+1w",
    "+1h30",
    "+h",
    "+-1s",
    "+300000000d",
    "+99999999999999999999",
    "x",
    "x0",
    "x-1",
    "x0.0",
    "x1e3",
    "x1/0",
    "x1/",
    "x1000001",
    "x0.0000001",
    "xfrozen",
    "frozen x2",
    "frozen frozen",
    "x2 x2",
    "@0 +1s",
    "+1s -1s",
    "step=",
    "step=0",
    "step=-1s",
    "step=1s frozen",
    "page=",
    "@0 page=/x",
    "frozenx",
    "Frozen",
};

/* What makes no sense is refused with a sentence, never half understood. */
static void test_bad_specs_are_refused(void **state) {
    (void)state;
    struct shim_spec spec;
    for (size_t i = 0; i < sizeof(bad_specs) / sizeof(bad_specs[0]); i++) {
        if (parse(&spec, bad_specs[i]) == 0) {
            fail_msg("\"%s\" was taken", bad_specs[i]);
        }
    }
}

/* Random texts of the alphabet of the format never break the reader or leave it without a word. */
static void test_random_specs_are_safe(void **state) {
    (void)state;
    static const char alphabet[] = "@+-x/=.:0123456789TZ smhdnupagefroztk";
    for (uint64_t i = 0; i < 100000; i++) {
        char text[25];
        size_t length = shim_random_word(SEED, i) % 24;
        for (size_t j = 0; j < length; j++) {
            text[j] = alphabet[shim_random_word(i, j) % (sizeof(alphabet) - 1)];
        }
        text[length] = '\0';
        struct shim_spec spec;
        if (parse(&spec, text) == 0) {
            assert_true(spec.start_ns >= 0 && spec.rate_numerator > 0 && spec.rate_denominator > 0);
        }
    }
}

/* Seeds are all of 64 bits, and nothing else. */
static void test_seeds_are_read(void **state) {
    (void)state;
    char why[512];
    uint64_t seed;
    assert_int_equal(shim_seed_parse(&seed, "18446744073709551615", why, sizeof(why)), 0);
    assert_true(seed == UINT64_MAX);
    assert_int_equal(shim_seed_parse(&seed, "0xC0ffee", why, sizeof(why)), 0);
    assert_true(seed == 0xc0ffee);
    assert_int_equal(shim_seed_parse(&seed, "18446744073709551616", why, sizeof(why)), -1);
    assert_int_equal(shim_seed_parse(&seed, "0x10000000000000000", why, sizeof(why)), -1);
    assert_int_equal(shim_seed_parse(&seed, "", why, sizeof(why)), -1);
    assert_int_equal(shim_seed_parse(&seed, "0x", why, sizeof(why)), -1);
    assert_int_equal(shim_seed_parse(&seed, "-1", why, sizeof(why)), -1);
    assert_int_equal(shim_seed_parse(&seed, "7 ", why, sizeof(why)), -1);
}

/* --- Preloaded -------------------------------------------------------------------------------- */

static char probe[4096];
static char preload[4096 + 16];

/* Both are found from where this program is: BUILD/tests/sim. */
static int find_programs(void **state) {
    (void)state;
    ssize_t length = readlink("/proc/self/exe", probe, sizeof(probe) - 32);
    assert_true(length > 0);
    probe[length] = '\0';
    strcpy(strrchr(probe, '/'), "/clock_probe");
    char *folder = strstr(probe, "/tests/sim/clock_probe");
    assert_non_null(folder);
    snprintf(preload, sizeof(preload), "%.*s/libmurphyclock.so", (int)(folder - probe), probe);
    assert_int_equal(access(probe, X_OK), 0);
    assert_int_equal(access(preload, R_OK), 0);
    return 0;
}

struct ran {
    int exit_status;
    char out[65536];
    char err[4096];
};

/* Runs a program on the clock and seed given (NULL: not set), with nothing else in its environment
 * but PATH and TZ. */
static void run_program(struct ran *ran, const char *clock_spec, const char *seed,
                        const char *const argv[]) {
    char settings[3][sizeof(preload) + 64];
    char path[] = "PATH=/usr/bin:/bin";
    char zone[] = "TZ=UTC";
    char *envp[6] = {path, zone, settings[0]};
    int used = 3;
    snprintf(settings[0], sizeof(settings[0]), "LD_PRELOAD=%s", preload);
    if (clock_spec != NULL) {
        snprintf(settings[1], sizeof(settings[1]), "MURPHY_CLOCK=%s", clock_spec);
        envp[used++] = settings[1];
    }
    if (seed != NULL) {
        snprintf(settings[2], sizeof(settings[2]), "MURPHY_CLOCK_SEED=%s", seed);
        envp[used++] = settings[2];
    }
    int out[2];
    int err[2];
    pid_t child;
    int status;
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(pipe2(err, O_CLOEXEC), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, err[1], STDERR_FILENO);
    assert_int_equal(
        posix_spawnp(&child, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, envp), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(out[1]);
    close(err[1]);
    read_all(out[0], ran->out, sizeof(ran->out));
    read_all(err[0], ran->err, sizeof(ran->err));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    ran->exit_status = WEXITSTATUS(status);
}

/* Runs `clock_probe VERB A B`, which must succeed in silence. */
static void run_probe(struct ran *ran, const char *clock_spec, const char *verb, const char *a,
                      const char *b) {
    const char *argv[] = {probe, verb, a, b, NULL};
    run_program(ran, clock_spec, NULL, argv);
    assert_string_equal(ran->err, "");
    assert_int_equal(ran->exit_status, 0);
}

/* The number on the line of the output that begins with `name`. */
static int64_t number(const struct ran *ran, const char *name) {
    size_t length = strlen(name);
    for (const char *line = ran->out; *line != '\0'; line = strchr(line, '\n') + 1) {
        if (strncmp(line, name, length) == 0 && line[length] == ' ') {
            return strtoll(line + length, NULL, 10);
        }
    }
    print_error("no %s in: %s\n", name, ran->out);
    fail();
    return 0;
}

/* How long a process may take to start and print, in real time, on a busy machine. */
#define PATIENCE_NS (20 * VTIME_SECOND)

/* date(1) tells the day it was given. */
static void test_date_on_an_absolute_clock(void **state) {
    (void)state;
    struct ran ran;
    const char *argv[] = {"date", "+%F %H:%M", NULL};
    run_program(&ran, "@2026-03-02T12:34:00Z x0.001", NULL, argv);
    assert_string_equal(ran.out, "2026-03-02 12:34\n");
    assert_int_equal(ran.exit_status, 0);
    run_program(&ran, "@2026-03-02T00:00:00+02:00 frozen", NULL, argv);
    assert_string_equal(ran.out, "2026-03-01 22:00\n");
}

/* All wall clocks of a program agree; those that count from the boot go on from where they were. */
static void test_absolute_covers_every_clock(void **state) {
    (void)state;
    static const char *const wall[] = {"gettimeofday", "timespec_get", "realtime",
                                       "realtime_coarse"};
    static const char *const boot[] = {"monotonic", "monotonic_raw", "monotonic_coarse",
                                       "boottime"};
    struct ran ran;
    int64_t before = kernel_ns(CLOCK_MONOTONIC);
    run_probe(&ran, "@2026-03-02", "now", NULL, NULL);
    for (size_t i = 0; i < 4; i++) {
        assert_in_range(number(&ran, wall[i]), START.ns, START.ns + PATIENCE_NS);
        assert_in_range(number(&ran, boot[i]), before, before + PATIENCE_NS);
    }
    assert_in_range(number(&ran, "time"), START_S, START_S + 20);
    assert_in_range(number(&ran, "cpu"), 0, PATIENCE_NS);
    assert_int_equal(number(&ran, "resolution"), 1);
}

/* An offset is added to the real wall clock and leaves monotonic time alone. */
static void test_offset_is_added(void **state) {
    (void)state;
    struct ran ran;
    int64_t before = kernel_ns(CLOCK_REALTIME);
    run_probe(&ran, "+1d12h", "now", NULL, NULL);
    assert_in_range(number(&ran, "realtime"), before + 36 * VTIME_HOUR,
                    before + 36 * VTIME_HOUR + PATIENCE_NS);
    assert_in_range(number(&ran, "monotonic"), number(&ran, "kernel") - PATIENCE_NS,
                    number(&ran, "kernel"));
    run_probe(&ran, "-1h", "now", NULL, NULL);
    assert_in_range(number(&ran, "realtime"), before - VTIME_HOUR,
                    before - VTIME_HOUR + PATIENCE_NS);
}

static bool is_pure_sleep(const char *way) {
    static const char *const sleeps[] = {
        "nanosleep",  "usleep",       "sleep",          "clock_nanosleep", "clock_nanosleep_until",
        "thrd_sleep", "poll_nothing", "select_nothing",
    };
    for (size_t i = 0; i < sizeof(sleeps) / sizeof(sleeps[0]); i++) {
        if (strcmp(way, sleeps[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* Runs `check` with the name of each way to wait; they come from the probe. */
static void for_each_way(void (*check)(const char *way)) {
    struct ran ran;
    int count = 0;
    char *rest = NULL;
    run_probe(&ran, "frozen", "ways", NULL, NULL);
    for (char *way = strtok_r(ran.out, "\n", &rest); way != NULL;
         way = strtok_r(NULL, "\n", &rest)) {
        check(way);
        count++;
    }
    assert_true(count > 25);
}

static void check_rate(const char *way) {
    struct ran ran;
    run_probe(&ran, "@2026-03-02 x1000", "wait", way, "4000");
    int64_t kernel = number(&ran, "kernel");
    int64_t realtime = number(&ran, "realtime");
    assert_int_equal(number(&ran, "status"), 0);
    assert_in_range(kernel, 4 * VTIME_MILLISECOND, VTIME_SECOND);
    assert_true(realtime >= 4 * VTIME_SECOND && realtime >= kernel * 999);
    assert_true(number(&ran, "monotonic") >= 4 * VTIME_SECOND);
}

/* A thousand times as fast, every wait of 4 s is over after 4 ms, and by its clock took 4 s. */
static void test_rate_scales_every_wait(void **state) {
    (void)state;
    for_each_way(check_rate);
}

/* At half the rate 10 ms take 20. */
static void test_slow_rate(void **state) {
    (void)state;
    struct ran ran;
    run_probe(&ran, "x1/2", "wait", "nanosleep", "10");
    assert_in_range(number(&ran, "kernel"), 20 * VTIME_MILLISECOND, VTIME_SECOND);
    assert_in_range(number(&ran, "realtime"), 10 * VTIME_MILLISECOND, VTIME_SECOND);
}

static void check_frozen(const char *way) {
    struct ran ran;
    bool at_once = is_pure_sleep(way);
    run_probe(&ran, "@2026-03-02 frozen", "wait", way, at_once ? "1000000" : "2");
    int64_t waited = at_once ? 1000 * VTIME_SECOND : 2 * VTIME_MILLISECOND;
    assert_int_equal(number(&ran, "status"), 0);
    assert_int_equal(number(&ran, "realtime"), waited);
    assert_int_equal(number(&ran, "monotonic"), waited);
    if (at_once) {
        assert_true(number(&ran, "kernel") < PATIENCE_NS);
    } else {
        assert_true(number(&ran, "kernel") >= 2 * VTIME_MILLISECOND);
    }
}

/* A frozen clock moves by exactly what the program sleeps or waits; sleeps are over at once. */
static void test_frozen_moves_by_waits_only(void **state) {
    (void)state;
    struct ran ran;
    run_probe(&ran, "@2026-03-02 frozen", "reads", "3", NULL);
    assert_string_equal(ran.out, "realtime 1772409600000000000\nrealtime 1772409600000000000\n"
                                 "realtime 1772409600000000000\n");
    for_each_way(check_frozen);
}

/* Each read of a stepped clock shows one step more. */
static void test_stepped_moves_by_reads(void **state) {
    (void)state;
    struct ran ran;
    run_probe(&ran, "@2026-03-02 step=250ms", "reads", "4", NULL);
    assert_string_equal(ran.out, "realtime 1772409600000000000\nrealtime 1772409600250000000\n"
                                 "realtime 1772409600500000000\nrealtime 1772409600750000000\n");
    run_probe(&ran, "step=1ms", "wait", "sleep", "1000000");
    assert_int_equal(number(&ran, "monotonic"), 1000 * VTIME_SECOND + 2 * VTIME_MILLISECOND);
    assert_true(number(&ran, "kernel") < PATIENCE_NS);
}

/* Four threads on a stepped clock: none sees it go back, and no read is lost or counted twice. */
static void test_threads_share_the_clock(void **state) {
    (void)state;
    struct ran ran;
    run_probe(&ran, "@2026-03-02 step=1ns", "threads", NULL, NULL);
    assert_int_equal(number(&ran, "went_back"), 0);
    assert_int_equal(number(&ran, "realtime"), START.ns + 400000);
    run_probe(&ran, "@2026-03-02 x1000", "threads", NULL, NULL);
    assert_int_equal(number(&ran, "went_back"), 0);
}

/* A program and what it starts or becomes share one clock, which does not begin again. */
static void test_children_go_on_with_the_clock(void **state) {
    (void)state;
    struct ran ran;
    const char *argv[] = {"sh", "-c", "date +%s%N; sleep 20; date +%s%N", NULL};
    run_program(&ran, "@2026-03-02 x1000", NULL, argv);
    char *second = strchr(ran.out, '\n');
    assert_non_null(second);
    assert_true(strtoll(second, NULL, 10) - strtoll(ran.out, NULL, 10) >= 20 * VTIME_SECOND);
    run_probe(&ran, "@2026-03-02 x1000000", "exec", NULL, NULL);
    assert_true(number(&ran, "realtime") > START.ns + 50 * VTIME_SECOND);
}

/* Another clock given inside begins afresh; the clock of the parent is no part of it. */
static void test_another_clock_begins_afresh(void **state) {
    (void)state;
    struct ran ran;
    const char *argv[] = {"sh", "-c", "MURPHY_CLOCK='@2030-01-01 frozen' date +%F.%N", NULL};
    run_program(&ran, "@2026-03-02 x1000", NULL, argv);
    assert_string_equal(ran.out, "2030-01-01.000000000\n");
}

/* A signal ends a sleep, and what is left is told in the time of the clock. */
static void test_signal_ends_a_sleep(void **state) {
    (void)state;
    struct ran ran;
    run_probe(&ran, "x100", "signal", NULL, NULL);
    assert_int_equal(number(&ran, "status"), 1);
    assert_in_range(number(&ran, "left"), 1, 1000 * VTIME_SECOND - 1);
}

/* A call before libc has an environment passes through and spoils nothing after it. */
static void test_early_reads_are_harmless(void **state) {
    (void)state;
    struct ran ran;
    int64_t before = kernel_ns(CLOCK_REALTIME);
    run_probe(&ran, "@2026-03-02 frozen", "early", NULL, NULL);
    assert_in_range(number(&ran, "early"), before, before + PATIENCE_NS);
    assert_int_equal(number(&ran, "main"), START.ns);
}

/* On a false clock nobody sets the machine's. */
static void test_setting_the_clock_is_refused(void **state) {
    (void)state;
    struct ran ran;
    run_probe(&ran, "+1s", "set", NULL, NULL);
    assert_int_equal(number(&ran, "clock_settime"), 1);
    assert_int_equal(number(&ran, "settimeofday"), 1);
}

/* With a seed every source of randomness repeats; without one it does not. */
static void test_preloaded_randomness(void **state) {
    (void)state;
    const char *argv[] = {probe, "random", NULL};
    struct ran first;
    struct ran again;
    run_program(&first, NULL, "7", argv);
    run_program(&again, NULL, "0x7", argv);
    assert_string_equal(first.out, again.out);
    assert_int_equal(number(&first, "got"), 300);
    assert_int_equal(number(&first, "entropy"), 0);
    assert_int_equal(number(&first, "too_much"), 1);
    run_program(&again, NULL, "8", argv);
    assert_string_not_equal(first.out, again.out);
    run_program(&first, "frozen", NULL, argv);
    run_program(&again, "frozen", NULL, argv);
    assert_string_not_equal(first.out, again.out);
}

/* Without settings the library changes nothing. */
static void test_no_settings_no_change(void **state) {
    (void)state;
    struct ran ran;
    int64_t before = kernel_ns(CLOCK_REALTIME);
    run_probe(&ran, NULL, "now", NULL, NULL);
    assert_in_range(number(&ran, "realtime"), before, before + PATIENCE_NS);
    assert_true(number(&ran, "resolution") >= 1);
}

/* A bad value ends the program before it starts: one sentence, status 64. */
static void test_bad_values_exit_64(void **state) {
    (void)state;
    static const struct {
        const char *clock;
        const char *seed;
        const char *says;
    } cases[] = {
        {"bogus", NULL, "\"bogus\" in MURPHY_CLOCK: @START, +OFFSET"},
        {"", NULL, "nothing is said"},
        {"@2026-02-30", NULL, "\"@2026-02-30\" in MURPHY_CLOCK: a start from 1970"},
        {"@2026-03-02 x0", NULL, "\"x0\" in MURPHY_CLOCK: a rate from"},
        {"frozen step=1s", NULL, "only one of a rate, frozen and step="},
        {"-100000d", NULL, "before 1970"},
        {"page=/nonexistent", NULL, "/nonexistent in MURPHY_CLOCK cannot be opened"},
        {"page=/etc/passwd", NULL, "is not a clock page"},
        {"page=/dev/null", NULL, "is not a clock page"},
        {NULL, "seven", "\"seven\" in MURPHY_CLOCK_SEED: a number"},
    };
    const char *argv[] = {"date", NULL};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ran ran;
        run_program(&ran, cases[i].clock, cases[i].seed, argv);
        assert_int_equal(ran.exit_status, 64);
        assert_string_equal(ran.out, "");
        assert_memory_equal(ran.err, "libmurphyclock: ", 16);
        assert_non_null(strstr(ran.err, cases[i].says));
        assert_ptr_equal(strchr(ran.err, '\n'), ran.err + strlen(ran.err) - 1);
    }
}

/* --- The shared page -------------------------------------------------------------------------- */

struct page_file {
    char path[64];
    char clock[80];
    struct clock_shim_page *page;
};

static void page_file_init(struct page_file *file, vtime start) {
    snprintf(file->path, sizeof(file->path), "/tmp/murphy-clock-%ld", (long)getpid());
    snprintf(file->clock, sizeof(file->clock), "page=%s", file->path);
    file->page = clock_shim_page_new(file->path, start);
    assert_non_null(file->page);
}

static void page_file_release(struct page_file *file) {
    clock_shim_page_free(file->page);
    unlink(file->path);
}

/* The program shows what the controller wrote: the wall clock may go back, monotonic time not. */
static void test_page_gives_the_time(void **state) {
    (void)state;
    struct page_file file;
    struct ran ran;
    page_file_init(&file, START);
    run_probe(&ran, file.clock, "now", NULL, NULL);
    assert_int_equal(number(&ran, "realtime"), START.ns);
    assert_int_equal(number(&ran, "monotonic"), START.ns);
    clock_shim_page_set(file.page, vtime_add(START, -VTIME_HOUR));
    run_probe(&ran, file.clock, "now", NULL, NULL);
    assert_int_equal(number(&ran, "realtime"), START.ns - VTIME_HOUR);
    assert_int_equal(number(&ran, "monotonic"), START.ns);
    page_file_release(&file);
}

struct driver {
    struct clock_shim_page *page;
    _Atomic bool stop;
};

/* Moves the page on by 100 ms of its time every 50 us of real time, without a wake on every other.
 */
static void *drive_page(void *ctx) {
    struct driver *driver = ctx;
    struct timespec pause = {0, 50000};
    for (int64_t i = 1; !atomic_load(&driver->stop); i++) {
        if (i % 2 == 0) {
            clock_shim_page_set(driver->page, vtime_add(START, i * 100 * VTIME_MILLISECOND));
        } else {
            atomic_store(&driver->page->realtime_ns, START.ns + i * 100 * VTIME_MILLISECOND);
            atomic_store(&driver->page->monotonic_ns, START.ns + i * 100 * VTIME_MILLISECOND);
        }
        nanosleep(&pause, NULL);
    }
    return NULL;
}

static struct page_file driven;

static void check_page(const char *way) {
    struct ran ran;
    run_probe(&ran, driven.clock, "wait", way, "5000");
    assert_int_equal(number(&ran, "status"), 0);
    assert_true(number(&ran, "realtime") >= 5 * VTIME_SECOND);
    assert_true(number(&ran, "kernel") < PATIENCE_NS);
}

/* Every wait of 5 s ends when the controller has moved its clock by 5 s, and not before. */
static void test_page_drives_every_wait(void **state) {
    (void)state;
    pthread_t thread;
    page_file_init(&driven, START);
    struct driver driver = {.page = driven.page};
    assert_int_equal(pthread_create(&thread, NULL, drive_page, &driver), 0);
    for_each_way(check_page);
    atomic_store(&driver.stop, true);
    pthread_join(thread, NULL);
    page_file_release(&driven);
}

/* A signal between threads reaches a waiter whose page stands still; so does one between programs.
 */
static void test_page_wakes_are_not_lost(void **state) {
    (void)state;
    struct page_file file;
    struct ran ran;
    page_file_init(&file, START);
    for (int i = 0; i < 5; i++) {
        run_probe(&ran, file.clock, "wake", NULL, NULL);
        assert_int_equal(number(&ran, "status"), 0);
    }
    run_probe(&ran, file.clock, "signal", NULL, NULL);
    assert_int_equal(number(&ran, "left"), 1000 * VTIME_SECOND);
    page_file_release(&file);
}

/* A page in a folder that is not there is an error of the system, told by errno. */
static void test_page_errors(void **state) {
    (void)state;
    assert_null(clock_shim_page_new("/nonexistent/page", START));
    assert_int_equal(errno, ENOENT);
    clock_shim_page_free(NULL);
}

int main(void) {
    const struct CMUnitTest linked[] = {
        cmocka_unit_test(test_inside_sees_virtual_time),
        cmocka_unit_test(test_outside_sees_real_time),
        cmocka_unit_test(test_host_has_real_time_inside),
        cmocka_unit_test(test_other_threads_stay_outside),
        cmocka_unit_test(test_sleep_inside_moves_virtual_time),
        cmocka_unit_test(test_wait_inside_looks_once),
        cmocka_unit_test(test_bad_arguments_are_refused_as_by_libc),
        cmocka_unit_test(test_sqlite_sees_virtual_time),
        cmocka_unit_test(test_randomness_follows_the_seed),
        cmocka_unit_test(test_uniform_is_uniform),
        cmocka_unit_test(test_randomness_outside_is_real),
        cmocka_unit_test(test_guard_names_function_and_caller),
        cmocka_unit_test(test_no_guard_no_offence),
        cmocka_unit_test(test_guard_names_a_library),
        cmocka_unit_test(test_offence_aborts),
        cmocka_unit_test(test_set_is_cheap),
    };
    const struct CMUnitTest format[] = {
        cmocka_unit_test(test_moments_are_read_back), cmocka_unit_test(test_forms_are_read),
        cmocka_unit_test(test_bad_specs_are_refused), cmocka_unit_test(test_random_specs_are_safe),
        cmocka_unit_test(test_seeds_are_read),
    };
    const struct CMUnitTest preloaded[] = {
        cmocka_unit_test(test_date_on_an_absolute_clock),
        cmocka_unit_test(test_absolute_covers_every_clock),
        cmocka_unit_test(test_offset_is_added),
        cmocka_unit_test(test_rate_scales_every_wait),
        cmocka_unit_test(test_slow_rate),
        cmocka_unit_test(test_frozen_moves_by_waits_only),
        cmocka_unit_test(test_stepped_moves_by_reads),
        cmocka_unit_test(test_threads_share_the_clock),
        cmocka_unit_test(test_children_go_on_with_the_clock),
        cmocka_unit_test(test_another_clock_begins_afresh),
        cmocka_unit_test(test_signal_ends_a_sleep),
        cmocka_unit_test(test_early_reads_are_harmless),
        cmocka_unit_test(test_setting_the_clock_is_refused),
        cmocka_unit_test(test_preloaded_randomness),
        cmocka_unit_test(test_no_settings_no_change),
        cmocka_unit_test(test_bad_values_exit_64),
        cmocka_unit_test(test_page_gives_the_time),
        cmocka_unit_test(test_page_drives_every_wait),
        cmocka_unit_test(test_page_wakes_are_not_lost),
        cmocka_unit_test(test_page_errors),
    };
    int failed = cmocka_run_group_tests_name("clock shim linked in", linked, NULL, NULL);
    failed += cmocka_run_group_tests_name("clock shim format", format, NULL, NULL);
    failed += cmocka_run_group_tests_name("clock shim preloaded", preloaded, find_programs, NULL);
    return failed != 0;
}
