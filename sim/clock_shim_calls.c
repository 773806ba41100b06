/* The interposed calls that read time, sleep, or draw randomness. See clock_shim.h. */
#undef _FORTIFY_SOURCE
#define _GNU_SOURCE 1
#include "sim/clock_shim_parts.h"
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sys/time.h>
#include <sys/timeb.h>
#include <threads.h>
#include <unistd.h>

const char shim_calls_linked = 1;

/* Headers before glibc 2.36 do not have these. */
uint32_t arc4random(void);
void arc4random_buf(void *buffer, size_t bytes);
uint32_t arc4random_uniform(uint32_t bound);

#define BEGIN(kind, name) shim_begin(kind, name, __builtin_return_address(0))

/* --- Reading ---------------------------------------------------------------------------------- */

time_t time(time_t *out) {
    time_t now;
    if (BEGIN(SHIM_TIME, "time")) {
        now = shim_timespec_of(shim_read_ns(SHIM_REALTIME)).tv_sec;
    } else {
        /* What libc does: the coarse clock, which may lag behind the fine one. */
        struct timespec t = {0, 0};
        shim_real_clock_gettime(CLOCK_REALTIME_COARSE, &t);
        now = t.tv_sec;
    }
    if (out != NULL) {
        *out = now;
    }
    return now;
}

int gettimeofday(struct timeval *restrict tv, void *restrict zone) {
    if (!BEGIN(SHIM_TIME, "gettimeofday")) {
        return SHIM_NEXT(gettimeofday)(tv, zone);
    }
    struct timespec now = shim_timespec_of(shim_read_ns(SHIM_REALTIME));
    tv->tv_sec = now.tv_sec;
    tv->tv_usec = now.tv_nsec / 1000;
    if (zone != NULL) {
        memset(zone, 0, sizeof(struct timezone));
    }
    return 0;
}

int clock_gettime(clockid_t id, struct timespec *out) {
    bool shimmed = BEGIN(SHIM_TIME, "clock_gettime");
    enum shim_clock clock = shim_clock_of(id);
    if (!shimmed || clock == SHIM_OTHER) {
        return shim_real_clock_gettime(id, out);
    }
    *out = shim_timespec_of(shim_read_ns(clock));
    return 0;
}

int clock_getres(clockid_t id, struct timespec *out) {
    bool shimmed = BEGIN(SHIM_TIME, "clock_getres");
    if (!shimmed || shim_clock_of(id) == SHIM_OTHER) {
        return SHIM_NEXT(clock_getres)(id, out);
    }
    if (out != NULL) {
        *out = (struct timespec){0, 1};
    }
    return 0;
}

int timespec_get(struct timespec *out, int base) {
    bool shimmed = BEGIN(SHIM_TIME, "timespec_get");
    if (!shimmed || base != TIME_UTC) {
        return SHIM_NEXT(timespec_get)(out, base);
    }
    *out = shim_timespec_of(shim_read_ns(SHIM_REALTIME));
    return base;
}

/* libc's own is only there for old binaries, so it is not asked. */
int ftime(struct timeb *out) {
    bool shimmed = BEGIN(SHIM_TIME, "ftime");
    int64_t ns = shimmed ? shim_read_ns(SHIM_REALTIME) : shim_real_ns(CLOCK_REALTIME);
    struct timespec now = shim_timespec_of(ns);
    *out = (struct timeb){.time = now.tv_sec, .millitm = (unsigned short)(now.tv_nsec / 1000000)};
    return 0;
}

/* CPU time is nobody's clock, but no more a matter of the core than the others. */
clock_t clock(void) {
    (void)BEGIN(SHIM_TIME, "clock");
    return SHIM_NEXT(clock)();
}

int clock_settime(clockid_t id, const struct timespec *value) {
    if (!BEGIN(SHIM_TIME, "clock_settime")) {
        return SHIM_NEXT(clock_settime)(id, value);
    }
    errno = EPERM;
    return -1;
}

int settimeofday(const struct timeval *tv, const struct timezone *zone) {
    if (!BEGIN(SHIM_TIME, "settimeofday")) {
        return SHIM_NEXT(settimeofday)(tv, zone);
    }
    errno = EPERM;
    return -1;
}

/* --- Sleeping --------------------------------------------------------------------------------- */

static int64_t sleep_deadline(int64_t duration_ns) {
    return shim_add(shim_peek_ns(SHIM_MONOTONIC), duration_ns);
}

static int64_t left_ns(int64_t deadline_ns) {
    int64_t left = deadline_ns - shim_peek_ns(SHIM_MONOTONIC);
    return left > 0 ? left : 0;
}

/* Returns 0 or an errno. */
static int sleep_for(const struct timespec *duration, struct timespec *left) {
    if (!shim_timespec_is_valid(duration) || duration->tv_sec < 0) {
        return EINVAL;
    }
    int64_t deadline = sleep_deadline(shim_timespec_ns(duration));
    int status = shim_sleep_until(SHIM_MONOTONIC, deadline);
    if (status == EINTR && left != NULL) {
        *left = shim_timespec_of(left_ns(deadline));
    }
    return status;
}

int nanosleep(const struct timespec *duration, struct timespec *left) {
    if (!BEGIN(SHIM_TIME, "nanosleep")) {
        return SHIM_NEXT(nanosleep)(duration, left);
    }
    int status = sleep_for(duration, left);
    if (status != 0) {
        errno = status;
        return -1;
    }
    return 0;
}

int clock_nanosleep(clockid_t id, int flags, const struct timespec *when, struct timespec *left) {
    bool shimmed = BEGIN(SHIM_TIME, "clock_nanosleep");
    enum shim_clock clock = shim_clock_of(id);
    if (!shimmed || clock == SHIM_OTHER) {
        return SHIM_NEXT(clock_nanosleep)(id, flags, when, left);
    }
    if ((flags & TIMER_ABSTIME) == 0) {
        return sleep_for(when, left);
    }
    if (!shim_timespec_is_valid(when)) {
        return EINVAL;
    }
    return shim_sleep_until(clock, shim_timespec_ns(when));
}

int usleep(useconds_t duration_us) {
    if (!BEGIN(SHIM_TIME, "usleep")) {
        return SHIM_NEXT(usleep)(duration_us);
    }
    int status = shim_sleep_until(SHIM_MONOTONIC, sleep_deadline((int64_t)duration_us * 1000));
    if (status != 0) {
        errno = status;
        return -1;
    }
    return 0;
}

unsigned sleep(unsigned duration_s) {
    if (!BEGIN(SHIM_TIME, "sleep")) {
        return SHIM_NEXT(sleep)(duration_s);
    }
    int64_t deadline = sleep_deadline(duration_s * SHIM_SECOND_NS);
    if (shim_sleep_until(SHIM_MONOTONIC, deadline) == 0) {
        return 0;
    }
    return (unsigned)((left_ns(deadline) + SHIM_SECOND_NS - 1) / SHIM_SECOND_NS);
}

int thrd_sleep(const struct timespec *duration, struct timespec *left) {
    if (!BEGIN(SHIM_TIME, "thrd_sleep")) {
        return SHIM_NEXT(thrd_sleep)(duration, left);
    }
    int status = sleep_for(duration, left);
    if (status == 0) {
        return 0;
    }
    return status == EINTR ? -1 : -2;
}

/* --- Randomness ------------------------------------------------------------------------------- */

/* Whole words are drawn; what a call leaves of its last word is dropped. */
static void draw_bytes(void *buffer, size_t bytes) {
    unsigned char *out = buffer;
    while (bytes > 0) {
        uint64_t words[32];
        size_t part = bytes < sizeof(words) ? bytes : sizeof(words);
        shim_draw(words, (part + 7) / 8);
        memcpy(out, words, part);
        out += part;
        bytes -= part;
    }
}

/* At most 256 bytes at once are never cut short by a signal. */
static void real_bytes(void *buffer, size_t bytes) {
    unsigned char *out = buffer;
    while (bytes > 0) {
        ssize_t got = shim_real_getrandom(out, bytes < 256 ? bytes : 256, 0);
        if (got > 0) {
            out += got;
            bytes -= (size_t)got;
        }
    }
}

ssize_t getrandom(void *buffer, size_t bytes, unsigned flags) {
    if (!BEGIN(SHIM_RANDOM, "getrandom")) {
        return SHIM_NEXT(getrandom)(buffer, bytes, flags);
    }
    if ((flags & ~(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE)) != 0) {
        errno = EINVAL;
        return -1;
    }
    draw_bytes(buffer, bytes);
    return (ssize_t)bytes;
}

int getentropy(void *buffer, size_t bytes) {
    if (!BEGIN(SHIM_RANDOM, "getentropy")) {
        return SHIM_NEXT(getentropy)(buffer, bytes);
    }
    if (bytes > 256) {
        errno = EIO;
        return -1;
    }
    draw_bytes(buffer, bytes);
    return 0;
}

/* `shimmed` comes from the caller, whose return address it is. */
static void arc4random_fill(bool shimmed, void *buffer, size_t bytes) {
    if (shimmed) {
        draw_bytes(buffer, bytes);
    } else if (shim_next(SHIM_FUNCTION_arc4random_buf) != NULL) {
        SHIM_NEXT(arc4random_buf)(buffer, bytes);
    } else {
        real_bytes(buffer, bytes);
    }
}

uint32_t arc4random(void) {
    uint32_t value = 0;
    arc4random_fill(BEGIN(SHIM_RANDOM, "arc4random"), &value, sizeof(value));
    return value;
}

void arc4random_buf(void *buffer, size_t bytes) {
    arc4random_fill(BEGIN(SHIM_RANDOM, "arc4random_buf"), buffer, bytes);
}

/* Draws below 2^32 mod bound are rejected, which leaves every remainder equally likely. */
uint32_t arc4random_uniform(uint32_t bound) {
    bool shimmed = BEGIN(SHIM_RANDOM, "arc4random_uniform");
    if (bound < 2) {
        return 0;
    }
    uint32_t value;
    do {
        arc4random_fill(shimmed, &value, sizeof(value));
    } while (value < (UINT32_MAX - bound + 1) % bound);
    return value % bound;
}
