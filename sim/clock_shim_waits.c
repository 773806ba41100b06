/*
 * The interposed calls that wait with a timeout. See clock_shim.h.
 *
 * All of them work alike: the timeout becomes a deadline on a shimmed clock; the real call waits
 * for as much real time as the form says (shim_slice_ns); and if it waited in vain, the form says
 * whether the deadline is reached. A call without a timeout goes on to libc.
 */
#undef _FORTIFY_SOURCE
#define _GNU_SOURCE 1
#include "sim/clock_shim_parts.h"
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/time.h>
#include <threads.h>

const char shim_waits_linked = 1;

/* What a program built with _FORTIFY_SOURCE calls for poll and ppoll. */
int __poll_chk(struct pollfd *fds, nfds_t count, int timeout_ms, size_t fds_bytes);
int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
                const sigset_t *mask, size_t fds_bytes);
/* Headers before glibc 2.35 do not have this one. */
int epoll_pwait2(int epoll, struct epoll_event *events, int count, const struct timespec *timeout,
                 const sigset_t *mask);

#define BEGIN(name) shim_begin(SHIM_TIME, name, __builtin_return_address(0))

static int64_t deadline_after(int64_t duration_ns) {
    return shim_add(shim_peek_ns(SHIM_MONOTONIC), duration_ns);
}

static struct timespec slice_of(int64_t deadline_ns) {
    return shim_timespec_of(shim_slice_ns(SHIM_MONOTONIC, deadline_ns));
}

/* A wait for nothing but time is a sleep. */
static int sleep_instead(int64_t deadline_ns) {
    int status = shim_sleep_until(SHIM_MONOTONIC, deadline_ns);
    if (status != 0) {
        errno = status;
        return -1;
    }
    return 0;
}

/* --- Descriptors ------------------------------------------------------------------------------ */

static int wait_poll(struct pollfd *fds, nfds_t count, int64_t timeout_ns, const sigset_t *mask) {
    int64_t deadline = deadline_after(timeout_ns);
    if (count == 0 && mask == NULL) {
        return sleep_instead(deadline);
    }
    for (;;) {
        struct timespec slice = slice_of(deadline);
        int ready = SHIM_NEXT(ppoll)(fds, count, &slice, mask);
        if (ready != 0 || shim_expired(SHIM_MONOTONIC, deadline)) {
            return ready;
        }
    }
}

int poll(struct pollfd *fds, nfds_t count, int timeout_ms) {
    bool shimmed = BEGIN("poll");
    if (!shimmed || timeout_ms <= 0) {
        return SHIM_NEXT(poll)(fds, count, timeout_ms);
    }
    return wait_poll(fds, count, timeout_ms * INT64_C(1000000), NULL);
}

static bool is_a_wait(const struct timespec *timeout) {
    return timeout != NULL && shim_timespec_is_valid(timeout) && shim_timespec_ns(timeout) > 0;
}

int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask) {
    bool shimmed = BEGIN("ppoll");
    if (!shimmed || !is_a_wait(timeout)) {
        return SHIM_NEXT(ppoll)(fds, count, timeout, mask);
    }
    return wait_poll(fds, count, shim_timespec_ns(timeout), mask);
}

int __poll_chk(struct pollfd *fds, nfds_t count, int timeout_ms, size_t fds_bytes) {
    bool shimmed = BEGIN("poll");
    if (!shimmed || timeout_ms <= 0 || fds_bytes / sizeof(*fds) < count) {
        return SHIM_NEXT(__poll_chk)(fds, count, timeout_ms, fds_bytes);
    }
    return wait_poll(fds, count, timeout_ms * INT64_C(1000000), NULL);
}

int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
                const sigset_t *mask, size_t fds_bytes) {
    bool shimmed = BEGIN("ppoll");
    if (!shimmed || !is_a_wait(timeout) || fds_bytes / sizeof(*fds) < count) {
        return SHIM_NEXT(__ppoll_chk)(fds, count, timeout, mask, fds_bytes);
    }
    return wait_poll(fds, count, shim_timespec_ns(timeout), mask);
}

/* The three sets of a select, kept since each real call overwrites its own. */
struct select_sets {
    fd_set *given[3];
    fd_set kept[3];
    size_t bytes;
};

static void sets_keep(struct select_sets *sets) {
    for (int i = 0; i < 3; i++) {
        if (sets->given[i] != NULL) {
            memcpy(&sets->kept[i], sets->given[i], sets->bytes);
        }
    }
}

static void sets_restore(const struct select_sets *sets) {
    for (int i = 0; i < 3; i++) {
        if (sets->given[i] != NULL) {
            memcpy(sets->given[i], &sets->kept[i], sets->bytes);
        }
    }
}

static int wait_select(int count, fd_set *in, fd_set *out, fd_set *urgent, int64_t deadline,
                       const sigset_t *mask) {
    struct select_sets sets = {.given = {in, out, urgent}};
    sets.bytes = ((size_t)count + NFDBITS - 1) / NFDBITS * sizeof(fd_mask);
    sets_keep(&sets);
    for (;;) {
        struct timespec slice = slice_of(deadline);
        int ready = SHIM_NEXT(pselect)(count, in, out, urgent, &slice, mask);
        if (ready != 0 || shim_expired(SHIM_MONOTONIC, deadline)) {
            return ready;
        }
        sets_restore(&sets);
    }
}

/* Sets that are longer than an fd_set cannot be kept; such a select waits for real. */
static bool select_is_ours(int count) {
    return count >= 0 && count <= FD_SETSIZE;
}

int select(int count, fd_set *in, fd_set *out, fd_set *urgent, struct timeval *timeout) {
    bool shimmed = BEGIN("select");
    if (!shimmed || !select_is_ours(count) || timeout == NULL || timeout->tv_sec < 0 ||
        timeout->tv_usec < 0 || (timeout->tv_sec == 0 && timeout->tv_usec == 0)) {
        return SHIM_NEXT(select)(count, in, out, urgent, timeout);
    }
    int64_t timeout_ns = shim_narrow((shim_wide)timeout->tv_sec * SHIM_SECOND_NS +
                                     (shim_wide)timeout->tv_usec * 1000);
    int64_t deadline = deadline_after(timeout_ns);
    int ready =
        count == 0 ? sleep_instead(deadline) : wait_select(count, in, out, urgent, deadline, NULL);
    int64_t left_ns = deadline - shim_peek_ns(SHIM_MONOTONIC);
    struct timespec left = shim_timespec_of(left_ns > 0 ? left_ns : 0);
    *timeout = (struct timeval){left.tv_sec, left.tv_nsec / 1000};
    return ready;
}

int pselect(int count, fd_set *in, fd_set *out, fd_set *urgent, const struct timespec *timeout,
            const sigset_t *mask) {
    bool shimmed = BEGIN("pselect");
    if (!shimmed || !select_is_ours(count) || !is_a_wait(timeout)) {
        return SHIM_NEXT(pselect)(count, in, out, urgent, timeout, mask);
    }
    int64_t deadline = deadline_after(shim_timespec_ns(timeout));
    if (count == 0 && mask == NULL) {
        return sleep_instead(deadline);
    }
    return wait_select(count, in, out, urgent, deadline, mask);
}

/* In whole milliseconds, rounded up: epoll_pwait2 is younger than the kernels we meet. */
static int slice_ms(int64_t deadline_ns) {
    int64_t slice_ns = shim_slice_ns(SHIM_MONOTONIC, deadline_ns);
    int64_t ms = slice_ns / 1000000 + (slice_ns % 1000000 != 0);
    return ms < INT_MAX ? (int)ms : INT_MAX;
}

static int wait_epoll(int epoll, struct epoll_event *events, int count, int64_t timeout_ns,
                      const sigset_t *mask) {
    int64_t deadline = deadline_after(timeout_ns);
    for (;;) {
        int ready = SHIM_NEXT(epoll_pwait)(epoll, events, count, slice_ms(deadline), mask);
        if (ready != 0 || shim_expired(SHIM_MONOTONIC, deadline)) {
            return ready;
        }
    }
}

int epoll_wait(int epoll, struct epoll_event *events, int count, int timeout_ms) {
    bool shimmed = BEGIN("epoll_wait");
    if (!shimmed || timeout_ms <= 0) {
        return SHIM_NEXT(epoll_wait)(epoll, events, count, timeout_ms);
    }
    return wait_epoll(epoll, events, count, timeout_ms * INT64_C(1000000), NULL);
}

int epoll_pwait(int epoll, struct epoll_event *events, int count, int timeout_ms,
                const sigset_t *mask) {
    bool shimmed = BEGIN("epoll_pwait");
    if (!shimmed || timeout_ms <= 0) {
        return SHIM_NEXT(epoll_pwait)(epoll, events, count, timeout_ms, mask);
    }
    return wait_epoll(epoll, events, count, timeout_ms * INT64_C(1000000), mask);
}

int epoll_pwait2(int epoll, struct epoll_event *events, int count, const struct timespec *timeout,
                 const sigset_t *mask) {
    bool shimmed = BEGIN("epoll_pwait2");
    if (shimmed && is_a_wait(timeout)) {
        return wait_epoll(epoll, events, count, shim_timespec_ns(timeout), mask);
    }
    if (shim_next(SHIM_FUNCTION_epoll_pwait2) == NULL) {
        errno = ENOSYS;
        return -1;
    }
    return SHIM_NEXT(epoll_pwait2)(epoll, events, count, timeout, mask);
}

int sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *timeout) {
    bool shimmed = BEGIN("sigtimedwait");
    if (!shimmed || !is_a_wait(timeout)) {
        return SHIM_NEXT(sigtimedwait)(set, info, timeout);
    }
    int64_t deadline = deadline_after(shim_timespec_ns(timeout));
    for (;;) {
        struct timespec slice = slice_of(deadline);
        int number = SHIM_NEXT(sigtimedwait)(set, info, &slice);
        if (number > 0 || errno != EAGAIN) {
            return number;
        }
        if (shim_expired(SHIM_MONOTONIC, deadline)) {
            errno = EAGAIN;
            return -1;
        }
    }
}

/* --- Threads ---------------------------------------------------------------------------------- */

/* Where the next slice ends on the real monotonic clock. */
static struct timespec slice_end(enum shim_clock clock, int64_t deadline_ns) {
    int64_t slice_ns = shim_slice_ns(clock, deadline_ns);
    return shim_timespec_of(shim_add(shim_real_ns(CLOCK_MONOTONIC), slice_ns));
}

/* libc takes no other clock for a deadline, and says EINVAL about a crooked one. */
static bool deadline_is_ours(clockid_t id, const struct timespec *when) {
    return (id == CLOCK_REALTIME || id == CLOCK_MONOTONIC) && shim_timespec_is_valid(when);
}

static int wait_semaphore(sem_t *semaphore, clockid_t id, const struct timespec *when) {
    enum shim_clock clock = shim_clock_of(id);
    int64_t deadline = shim_timespec_ns(when);
    for (;;) {
        struct timespec end = slice_end(clock, deadline);
        if (SHIM_NEXT(sem_clockwait)(semaphore, CLOCK_MONOTONIC, &end) == 0) {
            return 0;
        }
        if (errno != ETIMEDOUT) {
            return -1;
        }
        if (shim_expired(clock, deadline)) {
            errno = ETIMEDOUT;
            return -1;
        }
    }
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict when) {
    bool shimmed = BEGIN("sem_timedwait");
    if (!shimmed || !deadline_is_ours(CLOCK_REALTIME, when)) {
        return SHIM_NEXT(sem_timedwait)(semaphore, when);
    }
    return wait_semaphore(semaphore, CLOCK_REALTIME, when);
}

int sem_clockwait(sem_t *restrict semaphore, clockid_t id, const struct timespec *restrict when) {
    bool shimmed = BEGIN("sem_clockwait");
    if (!shimmed || !deadline_is_ours(id, when)) {
        return SHIM_NEXT(sem_clockwait)(semaphore, id, when);
    }
    return wait_semaphore(semaphore, id, when);
}

/*
 * One slice. Where the slice ends before the deadline this returns 0, a spurious wake-up, as POSIX
 * allows: going back to wait here would lose a signal sent between two slices.
 */
static int wait_condition(pthread_cond_t *condition, pthread_mutex_t *mutex, clockid_t id,
                          const struct timespec *when) {
    enum shim_clock clock = shim_clock_of(id);
    int64_t deadline = shim_timespec_ns(when);
    struct timespec end = slice_end(clock, deadline);
    int status = SHIM_NEXT(pthread_cond_clockwait)(condition, mutex, CLOCK_MONOTONIC, &end);
    if (status == ETIMEDOUT && !shim_expired(clock, deadline)) {
        return 0;
    }
    return status;
}

/* pthread_condattr_setclock leaves its choice in the condition; glibc has no call that tells it. */
static clockid_t condition_clock(const pthread_cond_t *condition) {
    return (condition->__data.__wrefs & 2u) != 0 ? CLOCK_MONOTONIC : CLOCK_REALTIME;
}

int pthread_cond_timedwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict when) {
    bool shimmed = BEGIN("pthread_cond_timedwait");
    if (!shimmed || !deadline_is_ours(CLOCK_REALTIME, when)) {
        return SHIM_NEXT(pthread_cond_timedwait)(condition, mutex, when);
    }
    return wait_condition(condition, mutex, condition_clock(condition), when);
}

int pthread_cond_clockwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex,
                           clockid_t id, const struct timespec *restrict when) {
    bool shimmed = BEGIN("pthread_cond_clockwait");
    if (!shimmed || !deadline_is_ours(id, when)) {
        return SHIM_NEXT(pthread_cond_clockwait)(condition, mutex, id, when);
    }
    return wait_condition(condition, mutex, id, when);
}

static int wait_mutex(pthread_mutex_t *mutex, clockid_t id, const struct timespec *when) {
    enum shim_clock clock = shim_clock_of(id);
    int64_t deadline = shim_timespec_ns(when);
    int status;
    do {
        struct timespec end = slice_end(clock, deadline);
        status = SHIM_NEXT(pthread_mutex_clocklock)(mutex, CLOCK_MONOTONIC, &end);
    } while (status == ETIMEDOUT && !shim_expired(clock, deadline));
    return status;
}

int pthread_mutex_timedlock(pthread_mutex_t *restrict mutex, const struct timespec *restrict when) {
    bool shimmed = BEGIN("pthread_mutex_timedlock");
    if (!shimmed || !deadline_is_ours(CLOCK_REALTIME, when)) {
        return SHIM_NEXT(pthread_mutex_timedlock)(mutex, when);
    }
    return wait_mutex(mutex, CLOCK_REALTIME, when);
}

int pthread_mutex_clocklock(pthread_mutex_t *restrict mutex, clockid_t id,
                            const struct timespec *restrict when) {
    bool shimmed = BEGIN("pthread_mutex_clocklock");
    if (!shimmed || !deadline_is_ours(id, when)) {
        return SHIM_NEXT(pthread_mutex_clocklock)(mutex, id, when);
    }
    return wait_mutex(mutex, id, when);
}

typedef int rwlock_clocklock(pthread_rwlock_t *, clockid_t, const struct timespec *);

static int wait_rwlock(rwlock_clocklock *lock_real, pthread_rwlock_t *lock, clockid_t id,
                       const struct timespec *when) {
    enum shim_clock clock = shim_clock_of(id);
    int64_t deadline = shim_timespec_ns(when);
    int status;
    do {
        struct timespec end = slice_end(clock, deadline);
        status = lock_real(lock, CLOCK_MONOTONIC, &end);
    } while (status == ETIMEDOUT && !shim_expired(clock, deadline));
    return status;
}

int pthread_rwlock_timedrdlock(pthread_rwlock_t *restrict lock,
                               const struct timespec *restrict when) {
    bool shimmed = BEGIN("pthread_rwlock_timedrdlock");
    if (!shimmed || !deadline_is_ours(CLOCK_REALTIME, when)) {
        return SHIM_NEXT(pthread_rwlock_timedrdlock)(lock, when);
    }
    return wait_rwlock(SHIM_NEXT(pthread_rwlock_clockrdlock), lock, CLOCK_REALTIME, when);
}

int pthread_rwlock_timedwrlock(pthread_rwlock_t *restrict lock,
                               const struct timespec *restrict when) {
    bool shimmed = BEGIN("pthread_rwlock_timedwrlock");
    if (!shimmed || !deadline_is_ours(CLOCK_REALTIME, when)) {
        return SHIM_NEXT(pthread_rwlock_timedwrlock)(lock, when);
    }
    return wait_rwlock(SHIM_NEXT(pthread_rwlock_clockwrlock), lock, CLOCK_REALTIME, when);
}

int pthread_rwlock_clockrdlock(pthread_rwlock_t *restrict lock, clockid_t id,
                               const struct timespec *restrict when) {
    bool shimmed = BEGIN("pthread_rwlock_clockrdlock");
    if (!shimmed || !deadline_is_ours(id, when)) {
        return SHIM_NEXT(pthread_rwlock_clockrdlock)(lock, id, when);
    }
    return wait_rwlock(SHIM_NEXT(pthread_rwlock_clockrdlock), lock, id, when);
}

int pthread_rwlock_clockwrlock(pthread_rwlock_t *restrict lock, clockid_t id,
                               const struct timespec *restrict when) {
    bool shimmed = BEGIN("pthread_rwlock_clockwrlock");
    if (!shimmed || !deadline_is_ours(id, when)) {
        return SHIM_NEXT(pthread_rwlock_clockwrlock)(lock, id, when);
    }
    return wait_rwlock(SHIM_NEXT(pthread_rwlock_clockwrlock), lock, id, when);
}

static int thrd_status(int status) {
    if (status == 0) {
        return thrd_success;
    }
    return status == ETIMEDOUT ? thrd_timedout : thrd_error;
}

/* In glibc the C11 types are the POSIX ones under other names. */
_Static_assert(sizeof(cnd_t) == sizeof(pthread_cond_t), "cnd_t is a pthread_cond_t");
_Static_assert(sizeof(mtx_t) == sizeof(pthread_mutex_t), "mtx_t is a pthread_mutex_t");

int cnd_timedwait(cnd_t *restrict condition, mtx_t *restrict mutex,
                  const struct timespec *restrict when) {
    bool shimmed = BEGIN("cnd_timedwait");
    if (!shimmed || !deadline_is_ours(CLOCK_REALTIME, when)) {
        return SHIM_NEXT(cnd_timedwait)(condition, mutex, when);
    }
    return thrd_status(wait_condition((pthread_cond_t *)condition, (pthread_mutex_t *)mutex,
                                      CLOCK_REALTIME, when));
}

int mtx_timedlock(mtx_t *restrict mutex, const struct timespec *restrict when) {
    bool shimmed = BEGIN("mtx_timedlock");
    if (!shimmed || !deadline_is_ours(CLOCK_REALTIME, when)) {
        return SHIM_NEXT(mtx_timedlock)(mutex, when);
    }
    return thrd_status(wait_mutex((pthread_mutex_t *)mutex, CLOCK_REALTIME, when));
}
