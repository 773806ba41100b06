#undef _FORTIFY_SOURCE
#define _GNU_SOURCE 1
#include "sim/clock_shim_parts.h"
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

_Static_assert(sizeof(time_t) == 8, "the shim answers with a 64-bit time_t");

static const char *const function_names[SHIM_FUNCTION_COUNT] = {
#define X(name) #name,
    SHIM_FUNCTIONS(X)
#undef X
};

static _Atomic(void *) functions[SHIM_FUNCTION_COUNT];

/* In a preload library the default model would allocate, and so call back into the shim. */
static _Thread_local bool resolving __attribute__((tls_model("initial-exec")));

void *shim_next(enum shim_function function) {
    void *found = atomic_load_explicit(&functions[function], memory_order_acquire);
    if (found != NULL) {
        return found;
    }
    int saved_errno = errno;
    bool nested = resolving;
    resolving = true;
    found = dlsym(RTLD_NEXT, function_names[function]);
    resolving = nested;
    errno = saved_errno;
    atomic_store_explicit(&functions[function], found, memory_order_release);
    return found;
}

int shim_real_clock_gettime(clockid_t id, struct timespec *out) {
    if (resolving) {
        return (int)syscall(SYS_clock_gettime, id, out);
    }
    return SHIM_NEXT(clock_gettime)(id, out);
}

ssize_t shim_real_getrandom(void *buffer, size_t bytes, unsigned flags) {
    return syscall(SYS_getrandom, buffer, bytes, flags);
}

int64_t shim_real_ns(clockid_t id) {
    struct timespec now = {0, 0};
    shim_real_clock_gettime(id, &now);
    return shim_timespec_ns(&now);
}

enum shim_clock shim_clock_of(clockid_t id) {
    switch (id) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_REALTIME_ALARM:
    case CLOCK_TAI:
        return SHIM_REALTIME;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
    case CLOCK_BOOTTIME_ALARM:
        return SHIM_MONOTONIC;
    default:
        return SHIM_OTHER;
    }
}

int64_t shim_narrow(shim_wide value) {
    if (value > INT64_MAX) {
        return INT64_MAX;
    }
    return value < INT64_MIN ? INT64_MIN : (int64_t)value;
}

int64_t shim_add(int64_t a, int64_t b) {
    return shim_narrow((shim_wide)a + b);
}

bool shim_timespec_is_valid(const struct timespec *t) {
    return t->tv_nsec >= 0 && t->tv_nsec < SHIM_SECOND_NS;
}

int64_t shim_timespec_ns(const struct timespec *t) {
    return shim_narrow((shim_wide)t->tv_sec * SHIM_SECOND_NS + t->tv_nsec);
}

struct timespec shim_timespec_of(int64_t ns) {
    struct timespec t = {ns / SHIM_SECOND_NS, ns % SHIM_SECOND_NS};
    if (t.tv_nsec < 0) {
        t.tv_sec--;
        t.tv_nsec += SHIM_SECOND_NS;
    }
    return t;
}

/* Unsigned overflow is the algorithm. */
uint64_t shim_random_word(uint64_t seed, uint64_t index) {
    uint64_t z = seed + (index + 1) * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}
