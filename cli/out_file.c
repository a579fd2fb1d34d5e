/* SPDX-License-Identifier: Apache-2.0 */
/* See out_file.h. */
#include "out_file.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int out_file_open(out_file *file, const char *path) {
    struct stat status;
    bool is_direct = stat(path, &status) == 0 && !S_ISREG(status.st_mode);

    file->part[0] = '\0';
    file->stream = NULL;
    if (snprintf(file->path, sizeof file->path, "%s", path) >= (int)sizeof file->path ||
        (!is_direct && snprintf(file->part, sizeof file->part, "%s.part", path) >= (int)sizeof file->part)) {
        return fail("the path %.60s... is too long", path);
    }
    file->stream = fopen(is_direct ? file->path : file->part, "wb");
    return file->stream ? 0 : fail("%s cannot be written: %s", path, strerror(errno));
}

int out_file_close(out_file *file, bool is_good) {
    int error = 0;

    if (!file->stream) return 0;
    errno = 0;
    if (fflush(file->stream) != 0 || ferror(file->stream)) error = errno ? errno : EIO;
    if (is_good && !error && file->part[0] && fsync(fileno(file->stream)) != 0) error = errno;
    if (fclose(file->stream) != 0 && !error) error = errno;
    file->stream = NULL;
    if (is_good && !error && file->part[0] && rename(file->part, file->path) != 0) error = errno;
    if (file->part[0] && (!is_good || error)) unlink(file->part);
    return is_good && error ? fail("%s cannot be written whole: %s", file->path, strerror(error)) : 0;
}
