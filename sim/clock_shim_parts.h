/*
 * Between the parts of the clock shim; nobody else includes this.
 *
 *   clock_shim_calls.c    the interposed calls that read time, sleep, or draw randomness
 *   clock_shim_waits.c    the interposed calls that wait with a timeout
 *   clock_shim_real.c     the functions of libc behind them, and arithmetic of time
 *   clock_shim_caller.c   from an address in code to a name
 *   clock_shim_page.c     the controller's side of the shared page
 *   clock_shim_spec.c     the format of MURPHY_CLOCK
 *   clock_shim.c          form: linked into the simulator
 *   clock_shim_preload.c  form: libmurphyclock.so
 *
 * The interposed calls ask the form what time it is. Both forms define the functions under "The
 * form"; a program links exactly one of them. All names are hidden, so that a preloaded shim in a
 * Murphy program uses its own.
 */
#ifndef MURPHY_SIM_CLOCK_SHIM_PARTS_H
#define MURPHY_SIM_CLOCK_SHIM_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#pragma GCC visibility push(hidden)

/* --- The form --------------------------------------------------------------------------------- */

/* The clocks that the shim controls, by what they do; SHIM_OTHER is passed through. */
enum shim_clock { SHIM_REALTIME, SHIM_MONOTONIC, SHIM_OTHER };

enum shim_kind { SHIM_TIME, SHIM_RANDOM };

/*
 * Opens every interposed call: true if it is to be answered by the form, false if it goes on to
 * libc. `caller` is the return address of the call.
 */
bool shim_begin(enum shim_kind kind, const char *function, const void *caller);

/* The time as a program reads it; on a stepped clock, reading moves it. Never SHIM_OTHER. */
int64_t shim_read_ns(enum shim_clock clock);

/* The same without moving anything: for the shim's own sums. */
int64_t shim_peek_ns(enum shim_clock clock);

/* Sleeps until the clock shows the deadline. Returns 0, or EINTR if a signal came before. */
int shim_sleep_until(enum shim_clock clock, int64_t deadline_ns);

/* For how much real time to wait before asking shim_expired: 0 is "look once". */
int64_t shim_slice_ns(enum shim_clock clock, int64_t deadline_ns);

/* After such a wait in vain: whether the deadline is reached (a clock that stands is moved there).
 */
bool shim_expired(enum shim_clock clock, int64_t deadline_ns);

/* The next words of the seeded stream. Only after shim_begin(SHIM_RANDOM) said true. */
void shim_draw(uint64_t *words, size_t count);

/* --- libc behind the shim --------------------------------------------------------------------- */

#define SHIM_FUNCTIONS(X)                                                                          \
    X(time)                                                                                        \
    X(gettimeofday)                                                                                \
    X(clock_gettime)                                                                               \
    X(clock_getres)                                                                                \
    X(clock_settime)                                                                               \
    X(settimeofday)                                                                                \
    X(timespec_get)                                                                                \
    X(clock)                                                                                       \
    X(nanosleep)                                                                                   \
    X(clock_nanosleep)                                                                             \
    X(usleep)                                                                                      \
    X(sleep)                                                                                       \
    X(thrd_sleep)                                                                                  \
    X(getrandom)                                                                                   \
    X(getentropy)                                                                                  \
    X(arc4random_buf)                                                                              \
    X(select)                                                                                      \
    X(pselect)                                                                                     \
    X(poll)                                                                                        \
    X(ppoll)                                                                                       \
    X(__poll_chk)                                                                                  \
    X(__ppoll_chk)                                                                                 \
    X(epoll_wait)                                                                                  \
    X(epoll_pwait)                                                                                 \
    X(epoll_pwait2)                                                                                \
    X(sigtimedwait)                                                                                \
    X(sem_timedwait)                                                                               \
    X(sem_clockwait)                                                                               \
    X(pthread_cond_timedwait)                                                                      \
    X(pthread_cond_clockwait)                                                                      \
    X(pthread_mutex_timedlock)                                                                     \
    X(pthread_mutex_clocklock)                                                                     \
    X(pthread_rwlock_timedrdlock)                                                                  \
    X(pthread_rwlock_timedwrlock)                                                                  \
    X(pthread_rwlock_clockrdlock)                                                                  \
    X(pthread_rwlock_clockwrlock)                                                                  \
    X(cnd_timedwait)                                                                               \
    X(mtx_timedlock)

enum shim_function {
#define X(name) SHIM_FUNCTION_##name,
    SHIM_FUNCTIONS(X)
#undef X
        SHIM_FUNCTION_COUNT
};

/*
 * The next definition of the function after ours, or NULL if there is none. Resolved at the first
 * use, since calls come in before any constructor of ours has run.
 */
void *shim_next(enum shim_function function);

/* The same with the type of the function; a union, since ISO C has no cast from data to code. */
#define SHIM_NEXT(name)                                                                            \
    (((union {                                                                                     \
         void *object;                                                                             \
         __typeof__(name) *function;                                                               \
     }){.object = shim_next(SHIM_FUNCTION_##name)})                                                \
         .function)

/*
 * clock_gettime and getrandom of the machine. They do without libc while its addresses are being
 * looked up: an allocator that reads the clock is called by dlsym.
 */
int shim_real_clock_gettime(clockid_t id, struct timespec *out);
ssize_t shim_real_getrandom(void *buffer, size_t bytes, unsigned flags);
int64_t shim_real_ns(clockid_t id);

/* --- Arithmetic of time ----------------------------------------------------------------------- */

#define SHIM_SECOND_NS INT64_C(1000000000)

__extension__ typedef __int128 shim_wide;

enum shim_clock shim_clock_of(clockid_t id);
int64_t shim_narrow(shim_wide value); /* the nearest int64_t */
int64_t shim_add(int64_t a, int64_t b);
bool shim_timespec_is_valid(const struct timespec *t);
int64_t shim_timespec_ns(const struct timespec *t); /* saturates */
struct timespec shim_timespec_of(int64_t ns);

/* Word `index` of the stream of a seed (SplitMix64: Steele, Lea and Flood, OOPSLA 2014). */
uint64_t shim_random_word(uint64_t seed, uint64_t index);

/* --- Names of callers ------------------------------------------------------------------------- */

/*
 * Finds the function that holds `address`, which is a return address. `name` becomes "?" if the
 * file has no symbols, `place` "FILE+0xOFFSET", as addr2line takes it.
 */
void shim_caller_name(const void *address, char *name, size_t name_bytes, char *place,
                      size_t place_bytes);

/* --- MURPHY_CLOCK ----------------------------------------------------------------------------- */

enum shim_pace { SHIM_PACE_RATE, SHIM_PACE_FROZEN, SHIM_PACE_STEPPED, SHIM_PACE_PAGE };

struct shim_spec {
    enum shim_pace pace;
    bool absolute;     /* start_ns counts; else offset_ns, from the real clock */
    int64_t start_ns;  /* since the Unix epoch */
    int64_t offset_ns; /* may be negative */
    int64_t rate_numerator;
    int64_t rate_denominator;
    int64_t step_ns;
    const char *page; /* points into the text that was parsed */
};

/* Returns 0, or -1 with one sentence in `why`. The format stands in docs/clock-shim.md. */
int shim_spec_parse(struct shim_spec *spec, const char *text, char *why, size_t why_bytes);

/* Decimal or 0x hexadecimal, all 64 bits. Returns 0, or -1 with one sentence in `why`. */
int shim_seed_parse(uint64_t *seed, const char *text, char *why, size_t why_bytes);

/* --- Linking ---------------------------------------------------------------------------------- */

/* A form refers to these, so that an archive gives up the interposed calls along with it. */
extern const char shim_calls_linked;
extern const char shim_waits_linked;

#pragma GCC visibility pop

#endif
