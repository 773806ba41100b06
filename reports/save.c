#define _POSIX_C_SOURCE 200809L

#include "reports/save.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int report_fail(struct report_error *error, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
    return -1;
}

int report_refuse_incomplete(const struct run_result *r, struct report_error *error) {
    if (!run_result_incomplete(r))
        return 0;
    return report_fail(error, "The result is incomplete, because memory ran out while it was "
                              "collected; no report is written from it.");
}

int report_finish(FILE *out, struct report_error *error) {
    errno = 0;
    if (fflush(out) == 0 && !ferror(out))
        return 0;
    return report_fail(error, "The report could not be written: %s.",
                       errno ? strerror(errno) : "an earlier write failed");
}

/* mkstemp makes files private; a report gets the permissions that a plain open would have given. */
static void open_permissions(int fd) {
    mode_t mask = umask(0);
    umask(mask);
    (void)fchmod(fd, 0666 & ~mask);
}

static int write_and_rename(report_writer *writer, const struct run_result *r, const void *options,
                            char *temporary, const char *path, struct report_error *error) {
    int fd = mkstemp(temporary);
    if (fd < 0)
        return report_fail(error, "%s cannot be written: %s.", path, strerror(errno));
    open_permissions(fd);
    FILE *out = fdopen(fd, "w");
    if (!out) {
        report_fail(error, "%s cannot be written: %s.", path, strerror(errno));
        close(fd);
        unlink(temporary);
        return -1;
    }
    struct report_error cause;
    int status = writer(r, options, out, &cause);
    if (fclose(out) != 0 && status == 0)
        status = report_fail(&cause, "The report could not be written: %s.", strerror(errno));
    if (status == 0 && rename(temporary, path) != 0)
        status = report_fail(&cause, "The report could not be renamed: %s.", strerror(errno));
    if (status != 0) {
        unlink(temporary);
        report_fail(error, "%s: %.300s", path, cause.text);
    }
    return status;
}

int report_save(report_writer *writer, const struct run_result *r, const void *options,
                const char *path, struct report_error *error) {
    static const char suffix[] = ".XXXXXX";
    size_t length = strlen(path);
    char *temporary = malloc(length + sizeof suffix);
    if (!temporary)
        return report_fail(error, "%s cannot be written: memory ran out.", path);
    memcpy(temporary, path, length);
    memcpy(temporary + length, suffix, sizeof suffix);
    int status = write_and_rename(writer, r, options, temporary, path, error);
    free(temporary);
    return status;
}
