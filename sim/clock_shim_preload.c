/*
 * The form of the shim that is preloaded: libmurphyclock.so. See clock_shim.h.
 *
 * Both clocks of the program come from one elapsed time, so that monotonic time keeps step with the
 * wall clock:
 *   rate      (real monotonic time since the first program) * rate
 *   frozen    the sum of sleeps
 *   stepped   the sum of reads, one step each, and of sleeps
 * A plain offset reads the real clocks and so follows their corrections; a page gives both clocks.
 *
 * The first program leaves its starting point in MURPHY_CLOCK_BASE for the programs that it starts
 * with the same MURPHY_CLOCK: they go on with its clock and do not begin again.
 */
#define _GNU_SOURCE 1
#include "sim/clock_shim.h"
#include "sim/clock_shim_parts.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXIT_USAGE 64
#define PAGE_LOOK_NS INT64_C(1000000)

static const char *const linked[] __attribute__((used)) = {&shim_calls_linked, &shim_waits_linked};

enum readiness { UNREAD, READING, READY };

static struct {
    struct shim_spec spec;
    const char *text; /* MURPHY_CLOCK */
    int64_t base_realtime_ns;
    int64_t base_monotonic_ns;
    int64_t start_ns; /* what the wall clock showed at the base */
    struct clock_shim_page *page;
    uint64_t seed;
    bool has_time;
    bool has_seed;
} settings;

static _Atomic int readiness;
static _Atomic int64_t elapsed_ns; /* on a frozen or stepped clock */
static _Atomic uint64_t drawn_words;

/* --- Settings --------------------------------------------------------------------------------- */

static _Noreturn void refuse_to_start(const char *why) {
    char sentence[1024];
    int bytes = snprintf(sentence, sizeof(sentence), "libmurphyclock: %s\n", why);
    size_t length = bytes < (int)sizeof(sentence) ? (size_t)bytes : sizeof(sentence) - 1;
    ssize_t written = write(STDERR_FILENO, sentence, length);
    (void)written;
    _exit(EXIT_USAGE);
}

static struct clock_shim_page *page_map(const char *path) {
    char why[640];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        snprintf(why, sizeof(why), "the page %.500s in MURPHY_CLOCK cannot be opened: %s.", path,
                 strerror(errno));
        refuse_to_start(why);
    }
    struct stat st;
    void *mapped = MAP_FAILED;
    if (fstat(fd, &st) == 0 && st.st_size >= (off_t)sizeof(struct clock_shim_page)) {
        mapped = mmap(NULL, sizeof(struct clock_shim_page), PROT_READ, MAP_SHARED, fd, 0);
    }
    close(fd);
    struct clock_shim_page *page = mapped;
    if (mapped == MAP_FAILED ||
        memcmp(page->magic, CLOCK_SHIM_PAGE_MAGIC, sizeof(page->magic)) != 0 ||
        page->layout != CLOCK_SHIM_PAGE_LAYOUT) {
        snprintf(why, sizeof(why),
                 "the page %.500s in MURPHY_CLOCK is not a clock page of layout %u.", path,
                 CLOCK_SHIM_PAGE_LAYOUT);
        refuse_to_start(why);
    }
    return page;
}

/* MURPHY_CLOCK_BASE is "REALTIME_NS MONOTONIC_NS MURPHY_CLOCK"; of another clock it is no base. */
static bool base_inherit(const char *text) {
    const char *base = getenv("MURPHY_CLOCK_BASE");
    int used = 0;
    return base != NULL &&
           sscanf(base, "%" SCNd64 " %" SCNd64 " %n", &settings.base_realtime_ns,
                  &settings.base_monotonic_ns, &used) == 2 &&
           used > 0 && strcmp(base + used, text) == 0;
}

static void time_configure(const char *text) {
    char why[512];
    if (shim_spec_parse(&settings.spec, text, why, sizeof(why)) != 0) {
        refuse_to_start(why);
    }
    if (!base_inherit(text)) {
        settings.base_realtime_ns = shim_real_ns(CLOCK_REALTIME);
        settings.base_monotonic_ns = shim_real_ns(CLOCK_MONOTONIC);
    }
    if (settings.spec.pace == SHIM_PACE_PAGE) {
        settings.page = page_map(settings.spec.page);
    }
    settings.start_ns = settings.spec.absolute
                            ? settings.spec.start_ns
                            : shim_add(settings.base_realtime_ns, settings.spec.offset_ns);
    if (settings.start_ns < 0) {
        refuse_to_start("the offset in MURPHY_CLOCK leads to before 1970.");
    }
    settings.text = text;
    settings.has_time = true;
}

static void configure(void) {
    const char *text = getenv("MURPHY_CLOCK");
    if (text != NULL) {
        time_configure(text);
    }
    const char *seed = getenv("MURPHY_CLOCK_SEED");
    char why[512];
    if (seed != NULL && shim_seed_parse(&settings.seed, seed, why, sizeof(why)) != 0) {
        refuse_to_start(why);
    }
    settings.has_seed = seed != NULL;
}

/*
 * Whether the settings hold. The first call makes them, whoever calls: other libraries read the
 * time in constructors that run before ours. Calls made on the way are passed through.
 */
static bool is_ready(void) {
    int state = atomic_load_explicit(&readiness, memory_order_acquire);
    if (state == READY) {
        return true;
    }
    int unread = UNREAD;
    if (environ == NULL) {
        return false;
    }
    if (!atomic_compare_exchange_strong(&readiness, &unread, READING)) {
        return unread == READY;
    }
    int saved_errno = errno;
    configure();
    errno = saved_errno;
    atomic_store_explicit(&readiness, READY, memory_order_release);
    return true;
}

__attribute__((constructor)) static void start(void) {
    if (!is_ready() || !settings.has_time) {
        return;
    }
    size_t bytes = strlen(settings.text) + 64;
    char *base = malloc(bytes);
    if (base != NULL) {
        snprintf(base, bytes, "%" PRId64 " %" PRId64 " %s", settings.base_realtime_ns,
                 settings.base_monotonic_ns, settings.text);
        setenv("MURPHY_CLOCK_BASE", base, 1);
        free(base);
    }
}

/* --- The clock -------------------------------------------------------------------------------- */

bool shim_begin(enum shim_kind kind, const char *function, const void *caller) {
    (void)function;
    (void)caller;
    if (!is_ready()) {
        return false;
    }
    return kind == SHIM_RANDOM ? settings.has_seed : settings.has_time;
}

/* A plain offset. */
static bool follows_real_clocks(void) {
    const struct shim_spec *spec = &settings.spec;
    return spec->pace == SHIM_PACE_RATE && !spec->absolute &&
           spec->rate_numerator == spec->rate_denominator;
}

static int64_t page_ns(enum shim_clock clock) {
    int64_t monotonic = clock == SHIM_MONOTONIC ? atomic_load(&settings.page->monotonic_ns) : 0;
    return monotonic != 0 ? monotonic : atomic_load(&settings.page->realtime_ns);
}

static int64_t rate_elapsed_ns(void) {
    const struct shim_spec *spec = &settings.spec;
    int64_t real = shim_real_ns(CLOCK_MONOTONIC) - settings.base_monotonic_ns;
    return shim_narrow((shim_wide)real * spec->rate_numerator / spec->rate_denominator);
}

/* What the clock shows when nothing has elapsed. */
static int64_t origin_ns(enum shim_clock clock) {
    return clock == SHIM_REALTIME ? settings.start_ns : settings.base_monotonic_ns;
}

int64_t shim_peek_ns(enum shim_clock clock) {
    switch (settings.spec.pace) {
    case SHIM_PACE_PAGE:
        return page_ns(clock);
    case SHIM_PACE_FROZEN:
    case SHIM_PACE_STEPPED:
        return shim_add(origin_ns(clock), atomic_load(&elapsed_ns));
    case SHIM_PACE_RATE:
        break;
    }
    if (!follows_real_clocks()) {
        return shim_add(origin_ns(clock), rate_elapsed_ns());
    }
    return clock == SHIM_REALTIME ? shim_add(shim_real_ns(CLOCK_REALTIME), settings.spec.offset_ns)
                                  : shim_real_ns(CLOCK_MONOTONIC);
}

int64_t shim_read_ns(enum shim_clock clock) {
    if (settings.spec.pace == SHIM_PACE_STEPPED) {
        return shim_add(origin_ns(clock), atomic_fetch_add(&elapsed_ns, settings.spec.step_ns));
    }
    return shim_peek_ns(clock);
}

/* --- Waiting ---------------------------------------------------------------------------------- */

static bool stands(void) {
    return settings.spec.pace == SHIM_PACE_FROZEN || settings.spec.pace == SHIM_PACE_STEPPED;
}

/* Threads that sleep at the same time overlap: the clock goes to the later deadline. */
static void move_to(enum shim_clock clock, int64_t deadline_ns) {
    int64_t target = shim_narrow((shim_wide)deadline_ns - origin_ns(clock));
    int64_t seen = atomic_load(&elapsed_ns);
    while (seen < target && !atomic_compare_exchange_weak(&elapsed_ns, &seen, target)) {
    }
}

/* Until the controller writes, but no longer than a moment. */
static int page_await_change(uint32_t seen) {
    struct timespec look = shim_timespec_of(PAGE_LOOK_NS);
    pthread_testcancel();
    long status = syscall(SYS_futex, &settings.page->changes, FUTEX_WAIT, seen, &look, NULL, 0);
    return status != 0 && errno == EINTR ? EINTR : 0;
}

static int page_sleep_until(enum shim_clock clock, int64_t deadline_ns) {
    int status = 0;
    int saved_errno = errno;
    while (status == 0) {
        uint32_t seen = atomic_load(&settings.page->changes);
        if (page_ns(clock) >= deadline_ns) {
            break;
        }
        status = page_await_change(seen);
    }
    errno = saved_errno;
    return status;
}

static int rate_sleep_until(enum shim_clock clock, int64_t deadline_ns) {
    for (;;) {
        struct timespec slice = shim_timespec_of(shim_slice_ns(clock, deadline_ns));
        if (slice.tv_sec == 0 && slice.tv_nsec == 0) {
            return 0;
        }
        int status = SHIM_NEXT(clock_nanosleep)(CLOCK_MONOTONIC, 0, &slice, NULL);
        if (status != 0) {
            return status;
        }
    }
}

int shim_sleep_until(enum shim_clock clock, int64_t deadline_ns) {
    if (stands()) {
        move_to(clock, deadline_ns);
        return 0;
    }
    return settings.spec.pace == SHIM_PACE_PAGE ? page_sleep_until(clock, deadline_ns)
                                                : rate_sleep_until(clock, deadline_ns);
}

int64_t shim_slice_ns(enum shim_clock clock, int64_t deadline_ns) {
    const struct shim_spec *spec = &settings.spec;
    int64_t left = shim_narrow((shim_wide)deadline_ns - shim_peek_ns(clock));
    if (left <= 0) {
        return 0;
    }
    if (spec->pace == SHIM_PACE_PAGE) {
        return PAGE_LOOK_NS;
    }
    /* Rounded up: the clock shows the deadline when the slice is over. */
    return shim_narrow(((shim_wide)left * spec->rate_denominator + spec->rate_numerator - 1) /
                       spec->rate_numerator);
}

bool shim_expired(enum shim_clock clock, int64_t deadline_ns) {
    if (stands()) {
        move_to(clock, deadline_ns);
    }
    return shim_peek_ns(clock) >= deadline_ns;
}

void shim_draw(uint64_t *words, size_t count) {
    uint64_t first = atomic_fetch_add(&drawn_words, count);
    for (size_t i = 0; i < count; i++) {
        words[i] = shim_random_word(settings.seed, first + i);
    }
}
