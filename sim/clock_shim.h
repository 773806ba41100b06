/*
 * The clock shim: time, sleep and randomness of libc under Murphy's control (libfaketime's idea).
 *
 * The shim defines the functions of the table below itself, so that the dynamic linker finds them
 * before those of libc. It comes in two forms made of the same calls:
 *
 *   linked in    Every Murphy program links sim/clock_shim*.o. Outside a simulation each call goes
 *                on to libc. Inside (clock_shim_enter .. clock_shim_leave) third-party code, such
 * as SQLite, sees the simulator's virtual time; and while the core is stepping
 *                (clock_shim_guard_begin .. _end) any of these calls is a failure that names the
 *                function and its caller.
 *   preloaded    build/libmurphyclock.so puts any dynamically linked program on the clock that
 *                MURPHY_CLOCK describes; docs/clock-shim.md has the formats and examples:
 *                  MURPHY_CLOCK='@2026-03-02T00:00:00Z x10' LD_PRELOAD=build/libmurphyclock.so date
 *
 * Fidelity
 *
 *   covered            time, gettimeofday, clock_gettime (REALTIME, TAI and MONOTONIC, RAW,
 * BOOTTIME, with their COARSE and ALARM kinds), clock_getres (1 ns), timespec_get, ftime covered:
 * sleep     nanosleep, clock_nanosleep, usleep, sleep, thrd_sleep covered: waits     select,
 * pselect, poll, ppoll, epoll_wait, epoll_pwait, epoll_pwait2, sigtimedwait, sem_timedwait,
 * sem_clockwait, pthread_cond_timedwait, pthread_cond_clockwait, pthread_mutex_timedlock,
 * pthread_mutex_clocklock, pthread_rwlock_timedrdlock, _timedwrlock, _clockrdlock, _clockwrlock,
 *                      cnd_timedwait, mtx_timedlock
 *   covered: random    getrandom, getentropy, arc4random, arc4random_buf, arc4random_uniform
 *   refused (EPERM)    clock_settime, settimeofday: a program on a false clock must not set the
 *                      machine's
 *   passed through     CPU time (CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID, a thread's or
 *                      process's clock, clock()); alarm, setitimer, timer_settime, timerfd_settime:
 *                      they run on the real clock, and an absolute deadline of the false clock
 *                      misleads them; rand, random and drand48 (pure: the program seeds them)
 *   not covered        calls that libc makes to itself (the resolver's timeouts, syslog's stamp);
 *                      syscall(SYS_...), the vDSO called by hand (Go), static and setuid programs;
 *                      times that the kernel writes (stat, utimensat with UTIME_NOW, SO_TIMESTAMP,
 *                      /proc, getrusage, times); SO_RCVTIMEO and SO_SNDTIMEO; /dev/urandom and
 *                      AT_RANDOM; adjtime, adjtimex
 *
 * What a sleep does: with a rate it takes its duration divided by the rate in real time; in a
 * simulation, on a frozen or a stepped clock it moves the clock on by its duration and returns at
 * once; on a shared page it lasts until the page says so. A wait for something that may come from
 * outside (descriptors, a semaphore, a condition) really waits, so that an answer which takes real
 * time is not mistaken for a timeout, and moves a frozen or stepped clock on when it times out; in
 * a simulation nothing can come, so it looks once.
 *
 * Needs glibc 2.30 or later and a 64-bit time_t. Works beside ASan and UBSan, whose interceptors
 * come after ours. The caller is named from the symbol table of the file that holds it (.symtab,
 * which has static functions too; dladdr alone does not see those), looked up only when something
 * is wrong. A call in tail position is the caller's caller by then: the machine keeps no other
 * record. `make check` finds those by name.
 */
#ifndef MURPHY_SIM_CLOCK_SHIM_H
#define MURPHY_SIM_CLOCK_SHIM_H

#include "pipeline/vtime.h"
#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * One for each thread: a thread that reports progress stays on the real clock while another
 * simulates. Only the inline functions below and the shim touch it.
 */
struct clock_shim_state {
    int64_t now_ns;
    const char *guard; /* what is stepping, or NULL */
    uint64_t seed;
    uint64_t drawn_words;
    bool inside;
};

extern _Thread_local struct clock_shim_state clock_shim_state;

/*
 * From here to clock_shim_leave this thread is in a simulation that begins at `start`. All of
 * CLOCK_REALTIME and CLOCK_MONOTONIC read the virtual time; getrandom and its kin draw from `seed`.
 * Simulations do not nest.
 */
void clock_shim_enter(vtime start, uint64_t seed);
void clock_shim_leave(void);

static inline bool clock_shim_inside(void) {
    return clock_shim_state.inside;
}

/* Sets the virtual time of this thread's simulation: one store, meant for every event. */
static inline void clock_shim_set(vtime now) {
    clock_shim_state.now_ns = now.ns;
}

/* What third-party code would read now. A sleep since the last clock_shim_set has moved it. */
static inline vtime clock_shim_now(void) {
    return (vtime){clock_shim_state.now_ns};
}

/*
 * Around each step of the core. `what` names the machine in the message and must live until
 * clock_shim_guard_end. Guards do not nest. Has an effect only inside a simulation.
 */
static inline void clock_shim_guard_begin(const char *what) {
    assert(what != NULL && clock_shim_state.guard == NULL);
    clock_shim_state.guard = what;
}

static inline void clock_shim_guard_end(void) {
    assert(clock_shim_state.guard != NULL);
    clock_shim_state.guard = NULL;
}

/* A covered call made while the core was stepping. The texts live until the hook returns. */
struct clock_shim_offence {
    const char *function; /* "clock_gettime" */
    const char *caller;   /* "document_fold", or "?" where the file has no symbols */
    const char *guard;    /* what clock_shim_guard_begin was given */
    const char *sentence; /* all of it, for a person, with file and address for addr2line */
};

typedef void clock_shim_hook(const struct clock_shim_offence *offence, void *ctx);

/*
 * What becomes of an offence in this process: NULL (the default) prints its sentence and aborts. If
 * a hook returns, the call it was told about answers with virtual time. For tests.
 */
void clock_shim_set_hook(clock_shim_hook *hook, void *ctx);

/* Real monotonic time for measuring wall time; inside and outside, and even under a guard. */
int64_t clock_shim_real_monotonic_ns(void);

/*
 * The shared page: a file of this layout, mapped by every program started with
 * MURPHY_CLOCK='page=FILE', in which one controller writes the time. All fields are little-endian
 * on the machines we run on (native order), naturally aligned, and each is read and written as one
 * atomic word, so there is no lock: no reader needs two of them together.
 */
struct clock_shim_page {
    char magic[8];                /* offset 0: CLOCK_SHIM_PAGE_MAGIC, without a NUL */
    uint32_t layout;              /* 8: CLOCK_SHIM_PAGE_LAYOUT */
    _Atomic uint32_t changes;     /* 12: counts writes; sleepers wait on it as a futex, but look at
                                     the time every millisecond anyway: a controller that cannot
                                     wake a futex may leave it alone */
    _Atomic int64_t realtime_ns;  /* 16: nanoseconds since the Unix epoch; may jump, also back */
    _Atomic int64_t monotonic_ns; /* 24: must never go back; 0: the same as realtime_ns */
};

#define CLOCK_SHIM_PAGE_MAGIC "MURPHYCK"
#define CLOCK_SHIM_PAGE_LAYOUT 1u

/*
 * Makes the file, showing `start` on both clocks, and maps it. Returns NULL with errno set. The
 * caller removes the file.
 */
struct clock_shim_page *clock_shim_page_new(const char *path, vtime start);

/* Moves the wall clock to `now`, the monotonic clock too unless that would be back; wakes sleepers.
 */
void clock_shim_page_set(struct clock_shim_page *page, vtime now);

/* Unmaps; NULL is fine. */
void clock_shim_page_free(struct clock_shim_page *page);

#endif
