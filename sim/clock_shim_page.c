/* The controller's side of the shared page. See clock_shim.h. */
#define _GNU_SOURCE 1
#include "sim/clock_shim.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

_Static_assert(sizeof(struct clock_shim_page) == 32, "the layout is a contract");
_Static_assert(offsetof(struct clock_shim_page, changes) == 12, "the layout is a contract");
_Static_assert(offsetof(struct clock_shim_page, realtime_ns) == 16, "the layout is a contract");
_Static_assert(offsetof(struct clock_shim_page, monotonic_ns) == 24, "the layout is a contract");

struct clock_shim_page *clock_shim_page_new(const char *path, vtime start) {
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) {
        return NULL;
    }
    void *mapped = MAP_FAILED;
    if (ftruncate(fd, sizeof(struct clock_shim_page)) == 0) {
        mapped =
            mmap(NULL, sizeof(struct clock_shim_page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    }
    int saved_errno = errno;
    close(fd);
    errno = saved_errno;
    if (mapped == MAP_FAILED) {
        return NULL;
    }
    struct clock_shim_page *page = mapped;
    page->layout = CLOCK_SHIM_PAGE_LAYOUT;
    clock_shim_page_set(page, start);
    memcpy(page->magic, CLOCK_SHIM_PAGE_MAGIC, sizeof(page->magic));
    return page;
}

void clock_shim_page_set(struct clock_shim_page *page, vtime now) {
    atomic_store(&page->realtime_ns, now.ns);
    if (now.ns > atomic_load(&page->monotonic_ns)) {
        atomic_store(&page->monotonic_ns, now.ns);
    }
    atomic_fetch_add(&page->changes, 1);
    syscall(SYS_futex, &page->changes, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

void clock_shim_page_free(struct clock_shim_page *page) {
    if (page != NULL) {
        munmap(page, sizeof(*page));
    }
}
