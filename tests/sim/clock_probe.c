/*
 * A program like any other, for test_clock_shim to start on a controlled clock. It prints what it
 * sees, one "name value" a line, and asks the kernel directly for real durations.
 *
 *   clock_probe now           every clock
 *   clock_probe reads COUNT   CLOCK_REALTIME so many times
 *   clock_probe wait WAY MS   waits MS milliseconds in the way named; what passed, shimmed and real
 *   clock_probe ways          names all ways to wait
 *   clock_probe signal        is woken from a sleep of 1000 s by a signal
 *   clock_probe wake          waits for a condition that another thread signals
 *   clock_probe random        bytes from every source of randomness
 *   clock_probe threads       four threads read the clock; whether it ever went back
 *   clock_probe set           tries to set the machine's clock
 *   clock_probe early         what the clock showed before any constructor ran, and in main
 *   clock_probe exec          `now` again by a program that this one becomes
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <threads.h>
#include <unistd.h>

#define MS INT64_C(1000000)
#define SECOND INT64_C(1000000000)

static int64_t ns_of(struct timespec t) {
    return t.tv_sec * SECOND + t.tv_nsec;
}

static struct timespec timespec_of(int64_t ns) {
    return (struct timespec){ns / SECOND, ns % SECOND};
}

static int64_t clock_ns(clockid_t id) {
    struct timespec t = {0, 0};
    clock_gettime(id, &t);
    return ns_of(t);
}

static int64_t kernel_ns(void) {
    struct timespec t = {0, 0};
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t);
    return ns_of(t);
}

static void show(const char *name, int64_t value) {
    printf("%s %" PRId64 "\n", name, value);
}

/* --- now, reads ------------------------------------------------------------------------------- */

static int run_now(void) {
    struct timeval tv;
    struct timespec ts;
    gettimeofday(&tv, NULL);
    timespec_get(&ts, TIME_UTC);
    show("time", time(NULL));
    show("gettimeofday", (int64_t)tv.tv_sec * SECOND + tv.tv_usec * 1000);
    show("timespec_get", ns_of(ts));
    show("realtime", clock_ns(CLOCK_REALTIME));
    show("realtime_coarse", clock_ns(CLOCK_REALTIME_COARSE));
    show("monotonic", clock_ns(CLOCK_MONOTONIC));
    show("monotonic_raw", clock_ns(CLOCK_MONOTONIC_RAW));
    show("monotonic_coarse", clock_ns(CLOCK_MONOTONIC_COARSE));
    show("boottime", clock_ns(CLOCK_BOOTTIME));
    show("cpu", clock_ns(CLOCK_PROCESS_CPUTIME_ID));
    show("kernel", kernel_ns());
    clock_getres(CLOCK_REALTIME_COARSE, &ts);
    show("resolution", ns_of(ts));
    return 0;
}

static int run_reads(int count) {
    for (int i = 0; i < count; i++) {
        show("realtime", clock_ns(CLOCK_REALTIME));
    }
    return 0;
}

/* --- wait ------------------------------------------------------------------------------------- */

static sem_t semaphore;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int idle_pipe[2]; /* never written to */

static struct timespec in(clockid_t id, int64_t ns) {
    return timespec_of(clock_ns(id) + ns);
}

static int way_nanosleep(int64_t ns) {
    struct timespec t = timespec_of(ns);
    return nanosleep(&t, NULL);
}

static int way_usleep(int64_t ns) {
    return usleep((useconds_t)(ns / 1000));
}

static int way_sleep(int64_t ns) {
    return (int)sleep((unsigned)(ns / SECOND));
}

static int way_clock_nanosleep(int64_t ns) {
    struct timespec t = timespec_of(ns);
    return clock_nanosleep(CLOCK_REALTIME, 0, &t, NULL);
}

static int way_clock_nanosleep_until(int64_t ns) {
    struct timespec t = in(CLOCK_REALTIME, ns);
    return clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &t, NULL);
}

static int way_thrd_sleep(int64_t ns) {
    struct timespec t = timespec_of(ns);
    return thrd_sleep(&t, NULL);
}

static int way_poll(int64_t ns) {
    struct pollfd fd = {.fd = idle_pipe[0], .events = POLLIN};
    return poll(&fd, 1, (int)(ns / MS));
}

static int way_poll_nothing(int64_t ns) {
    return poll(NULL, 0, (int)(ns / MS));
}

static int way_ppoll(int64_t ns) {
    struct pollfd fd = {.fd = idle_pipe[0], .events = POLLIN};
    struct timespec t = timespec_of(ns);
    return ppoll(&fd, 1, &t, NULL);
}

/* Linux leaves what remains of the timeout. */
static int way_select(int64_t ns) {
    fd_set set;
    FD_ZERO(&set);
    FD_SET(idle_pipe[0], &set);
    struct timeval tv = {ns / SECOND, ns % SECOND / 1000};
    int ready = select(idle_pipe[0] + 1, &set, NULL, NULL, &tv);
    return ready != 0 || FD_ISSET(idle_pipe[0], &set) || tv.tv_sec != 0 || tv.tv_usec != 0;
}

static int way_select_nothing(int64_t ns) {
    struct timeval tv = {ns / SECOND, ns % SECOND / 1000};
    return select(0, NULL, NULL, NULL, &tv);
}

static int way_pselect(int64_t ns) {
    fd_set set;
    FD_ZERO(&set);
    FD_SET(idle_pipe[0], &set);
    struct timespec t = timespec_of(ns);
    return pselect(idle_pipe[0] + 1, &set, NULL, NULL, &t, NULL);
}

static int wait_epoll(int64_t ns, bool with_mask) {
    int epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN};
    epoll_ctl(epoll, EPOLL_CTL_ADD, idle_pipe[0], &event);
    int ready = with_mask ? epoll_pwait(epoll, &event, 1, (int)(ns / MS), NULL)
                          : epoll_wait(epoll, &event, 1, (int)(ns / MS));
    close(epoll);
    return ready;
}

static int way_epoll_wait(int64_t ns) {
    return wait_epoll(ns, false);
}

static int way_epoll_pwait(int64_t ns) {
    return wait_epoll(ns, true);
}

/* What programs built with _FORTIFY_SOURCE call for poll and ppoll. */
int __poll_chk(struct pollfd *fds, nfds_t count, int timeout_ms, size_t fds_bytes);
int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
                const sigset_t *mask, size_t fds_bytes);
/* Headers before glibc 2.35 do not have this one. */
int epoll_pwait2(int epoll, struct epoll_event *events, int count, const struct timespec *timeout,
                 const sigset_t *mask) __attribute__((weak));

static int way_poll_chk(int64_t ns) {
    struct pollfd fd = {.fd = idle_pipe[0], .events = POLLIN};
    return __poll_chk(&fd, 1, (int)(ns / MS), sizeof(fd));
}

static int way_ppoll_chk(int64_t ns) {
    struct pollfd fd = {.fd = idle_pipe[0], .events = POLLIN};
    struct timespec t = timespec_of(ns);
    return __ppoll_chk(&fd, 1, &t, NULL, sizeof(fd));
}

static int way_epoll_pwait2(int64_t ns) {
    int epoll = epoll_create1(0);
    struct epoll_event event;
    struct timespec t = timespec_of(ns);
    int ready = epoll_pwait2 != NULL ? epoll_pwait2(epoll, &event, 1, &t, NULL) : -1;
    close(epoll);
    return ready;
}

static int way_sigtimedwait(int64_t ns) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, NULL);
    struct timespec t = timespec_of(ns);
    return sigtimedwait(&set, NULL, &t) != -1 || errno != EAGAIN;
}

static int way_sem_timedwait(int64_t ns) {
    struct timespec t = in(CLOCK_REALTIME, ns);
    return sem_timedwait(&semaphore, &t) != -1 || errno != ETIMEDOUT;
}

static int way_sem_clockwait(int64_t ns) {
    struct timespec t = in(CLOCK_MONOTONIC, ns);
    return sem_clockwait(&semaphore, CLOCK_MONOTONIC, &t) != -1 || errno != ETIMEDOUT;
}

/* Waits as programs do: until the deadline, whatever wakes it before. */
static int wait_condition(pthread_cond_t *c, clockid_t id, bool by_clockwait, int64_t ns) {
    struct timespec t = in(id, ns);
    int status = 0;
    pthread_mutex_lock(&mutex);
    while (status == 0) {
        status = by_clockwait ? pthread_cond_clockwait(c, &mutex, id, &t)
                              : pthread_cond_timedwait(c, &mutex, &t);
    }
    pthread_mutex_unlock(&mutex);
    return status != ETIMEDOUT;
}

static int way_cond_timedwait(int64_t ns) {
    return wait_condition(&condition, CLOCK_REALTIME, false, ns);
}

static int way_cond_timedwait_monotonic(int64_t ns) {
    pthread_condattr_t attributes;
    pthread_cond_t monotonic;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&monotonic, &attributes);
    return wait_condition(&monotonic, CLOCK_MONOTONIC, false, ns);
}

static int way_cond_clockwait(int64_t ns) {
    return wait_condition(&condition, CLOCK_MONOTONIC, true, ns);
}

static int way_cnd_timedwait(int64_t ns) {
    static cnd_t cnd;
    static mtx_t mtx;
    struct timespec t = in(CLOCK_REALTIME, ns);
    int status = thrd_success;
    cnd_init(&cnd);
    mtx_init(&mtx, mtx_timed);
    mtx_lock(&mtx);
    while (status == thrd_success) {
        status = cnd_timedwait(&cnd, &mtx, &t);
    }
    return status != thrd_timedout;
}

static int way_mtx_timedlock(int64_t ns) {
    static mtx_t mtx;
    struct timespec t = in(CLOCK_REALTIME, ns);
    mtx_init(&mtx, mtx_timed);
    mtx_lock(&mtx);
    return mtx_timedlock(&mtx, &t) != thrd_timedout;
}

static int way_mutex_timedlock(int64_t ns) {
    struct timespec t = in(CLOCK_REALTIME, ns);
    return pthread_mutex_timedlock(&held, &t) != ETIMEDOUT;
}

static int way_mutex_clocklock(int64_t ns) {
    struct timespec t = in(CLOCK_MONOTONIC, ns);
    return pthread_mutex_clocklock(&held, CLOCK_MONOTONIC, &t) != ETIMEDOUT;
}

/* A lock's own writer would get EDEADLK, so another thread has taken it. */
static int way_rwlock_timedrdlock(int64_t ns) {
    struct timespec t = in(CLOCK_REALTIME, ns);
    return pthread_rwlock_timedrdlock(&rwlock, &t) != ETIMEDOUT;
}

static int way_rwlock_timedwrlock(int64_t ns) {
    struct timespec t = in(CLOCK_REALTIME, ns);
    return pthread_rwlock_timedwrlock(&rwlock, &t) != ETIMEDOUT;
}

static int way_rwlock_clockrdlock(int64_t ns) {
    struct timespec t = in(CLOCK_MONOTONIC, ns);
    return pthread_rwlock_clockrdlock(&rwlock, CLOCK_MONOTONIC, &t) != ETIMEDOUT;
}

static int way_rwlock_clockwrlock(int64_t ns) {
    struct timespec t = in(CLOCK_MONOTONIC, ns);
    return pthread_rwlock_clockwrlock(&rwlock, CLOCK_MONOTONIC, &t) != ETIMEDOUT;
}

static const struct {
    const char *name;
    int (*wait)(int64_t ns);
} ways[] = {
#define WAY(name)                                                                                  \
    { #name, way_##name }
    WAY(nanosleep),
    WAY(usleep),
    WAY(sleep),
    WAY(clock_nanosleep),
    WAY(clock_nanosleep_until),
    WAY(thrd_sleep),
    WAY(poll_nothing),
    WAY(select_nothing),
    WAY(poll),
    WAY(ppoll),
    WAY(select),
    WAY(pselect),
    WAY(epoll_wait),
    WAY(epoll_pwait),
    WAY(epoll_pwait2),
    WAY(poll_chk),
    WAY(ppoll_chk),
    WAY(sigtimedwait),
    WAY(sem_timedwait),
    WAY(sem_clockwait),
    WAY(cond_timedwait),
    WAY(cond_timedwait_monotonic),
    WAY(cond_clockwait),
    WAY(cnd_timedwait),
    WAY(mtx_timedlock),
    WAY(mutex_timedlock),
    WAY(mutex_clocklock),
    WAY(rwlock_timedrdlock),
    WAY(rwlock_timedwrlock),
    WAY(rwlock_clockrdlock),
    WAY(rwlock_clockwrlock),
#undef WAY
};

#define WAYS (sizeof(ways) / sizeof(ways[0]))

static void *take_rwlock(void *unused) {
    pthread_rwlock_wrlock(&rwlock);
    return unused;
}

static int run_wait(const char *name, int64_t ms) {
    pthread_t holder;
    pthread_create(&holder, NULL, take_rwlock, NULL);
    pthread_join(holder, NULL);
    pthread_mutex_lock(&held);
    sem_init(&semaphore, 0, 0);
    if (pipe(idle_pipe) != 0) {
        return 1;
    }
    for (size_t i = 0; i < WAYS; i++) {
        if (strcmp(name, ways[i].name) == 0) {
            int64_t realtime = clock_ns(CLOCK_REALTIME);
            int64_t monotonic = clock_ns(CLOCK_MONOTONIC);
            int64_t kernel = kernel_ns();
            show("status", ways[i].wait(ms * MS));
            show("kernel", kernel_ns() - kernel);
            show("realtime", clock_ns(CLOCK_REALTIME) - realtime);
            show("monotonic", clock_ns(CLOCK_MONOTONIC) - monotonic);
            return 0;
        }
    }
    return 1;
}

static int run_ways(void) {
    for (size_t i = 0; i < WAYS; i++) {
        puts(ways[i].name);
    }
    return 0;
}

/* --- signal, wake ----------------------------------------------------------------------------- */

static void on_alarm(int number) {
    (void)number;
}

static int run_signal(void) {
    struct sigaction action = {.sa_handler = on_alarm};
    sigaction(SIGALRM, &action, NULL);
    /* Again and again, in case the first comes before the sleep. */
    struct itimerval soon = {.it_value = {0, 10000}, .it_interval = {0, 10000}};
    setitimer(ITIMER_REAL, &soon, NULL);
    struct timespec t = {1000, 0};
    struct timespec left = {0, 0};
    show("status", nanosleep(&t, &left) == -1 && errno == EINTR);
    show("left", ns_of(left));
    return 0;
}

static bool is_set;

static void *set_soon(void *unused) {
    struct timespec t = {0, 5 * MS};
    syscall(SYS_nanosleep, &t, NULL);
    pthread_mutex_lock(&mutex);
    is_set = true;
    pthread_mutex_unlock(&mutex);
    pthread_cond_signal(&condition);
    return unused;
}

static int run_wake(void) {
    pthread_t setter;
    struct timespec t = in(CLOCK_REALTIME, 10000 * SECOND);
    int status = 0;
    pthread_create(&setter, NULL, set_soon, NULL);
    pthread_mutex_lock(&mutex);
    while (!is_set && status == 0) {
        status = pthread_cond_timedwait(&condition, &mutex, &t);
    }
    pthread_mutex_unlock(&mutex);
    pthread_join(setter, NULL);
    show("status", status);
    return 0;
}

/* --- random, threads, set, early, exec -------------------------------------------------------- */

/* libc has these since glibc 2.36; older ones leave them NULL. */
uint32_t arc4random(void) __attribute__((weak));
uint32_t arc4random_uniform(uint32_t bound) __attribute__((weak));
void arc4random_buf(void *buffer, size_t bytes) __attribute__((weak));

static void show_bytes(const char *name, const unsigned char *bytes, size_t count) {
    printf("%s ", name);
    for (size_t i = 0; i < count; i++) {
        printf("%02x", bytes[i]);
    }
    puts("");
}

static int run_random(void) {
    unsigned char bytes[300];
    show("got", getrandom(bytes, sizeof(bytes), 0));
    show_bytes("getrandom", bytes, sizeof(bytes));
    show("entropy", getentropy(bytes, 16));
    show_bytes("getentropy", bytes, 16);
    show("too_much", getentropy(bytes, 257) == -1 && errno == EIO);
    if (arc4random != NULL && arc4random_uniform != NULL && arc4random_buf != NULL) {
        show("arc4random", arc4random());
        show("arc4random_uniform", arc4random_uniform(6));
        arc4random_buf(bytes, 24);
        show_bytes("arc4random_buf", bytes, 24);
    }
    return 0;
}

static void *read_often(void *unused) {
    int64_t last = 0;
    for (int i = 0; i < 100000; i++) {
        int64_t now = clock_ns(CLOCK_MONOTONIC);
        if (now < last) {
            return &is_set;
        }
        last = now;
    }
    return unused;
}

static int run_threads(void) {
    pthread_t readers[4];
    int went_back = 0;
    for (int i = 0; i < 4; i++) {
        pthread_create(&readers[i], NULL, read_often, NULL);
    }
    for (int i = 0; i < 4; i++) {
        void *result = NULL;
        pthread_join(readers[i], &result);
        went_back += result != NULL;
    }
    show("went_back", went_back);
    show("realtime", clock_ns(CLOCK_REALTIME));
    return 0;
}

/* With a moment that no kernel takes, in case this is ever run without the shim by root. */
static int run_set(void) {
    struct timespec ts = {-1, 2 * SECOND};
    struct timeval tv = {-1, 2000000};
    show("clock_settime", clock_settime(CLOCK_REALTIME, &ts) == -1 && errno == EPERM);
    show("settimeofday", settimeofday(&tv, NULL) == -1 && errno == EPERM);
    return 0;
}

static int64_t early_ns;

static void read_early(void) {
    early_ns = clock_ns(CLOCK_REALTIME);
}

/* Runs before the constructors of every library. */
__attribute__((section(".preinit_array"), used)) static void (*const preinit)(void) = read_early;

static int run_early(void) {
    show("early", early_ns);
    show("main", clock_ns(CLOCK_REALTIME));
    return 0;
}

static int run_exec(void) {
    execl("/proc/self/exe", "clock_probe", "now", (char *)NULL);
    return 1;
}

int main(int argc, char **argv) {
    const char *verb = argc > 1 ? argv[1] : "";
    if (strcmp(verb, "reads") == 0 && argc == 3) {
        return run_reads(atoi(argv[2]));
    }
    if (strcmp(verb, "wait") == 0 && argc == 4) {
        return run_wait(argv[2], atoi(argv[3]));
    }
    static const struct {
        const char *verb;
        int (*run)(void);
    } verbs[] = {
        {"now", run_now},     {"ways", run_ways},     {"signal", run_signal},
        {"wake", run_wake},   {"random", run_random}, {"set", run_set},
        {"early", run_early}, {"exec", run_exec},     {"threads", run_threads},
    };
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (strcmp(verb, verbs[i].verb) == 0) {
            return verbs[i].run();
        }
    }
    return 64;
}
