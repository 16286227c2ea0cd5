/* fd.c - whole writes, and directories that are on the disk (see fd.h).
 *
 * The idea: write(2) may be interrupted, and may write less than was asked for; who wants a file whole goes on until it is. That a file is
 * whole is one thing, that its name is there after a power failure another, which is its directory's.
 */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

bool
fd_write_all(int fd, const void *bytes, size_t n)
{
    const char *at = bytes;
    while (n > 0) {
        ssize_t did = write(fd, at, n);
        if (did < 0 && errno == EINTR)
            continue;
        if (did <= 0) {
            errno = did < 0 ? errno : EIO;
            return false;
        }
        at += did;
        n -= (size_t)did;
    }
    return true;
}

bool
fd_sync_directory(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    int error = fsync(fd) == 0 ? 0 : errno;
    close(fd);
    errno = error;
    return error == 0;
}

bool
fd_sync_parent(const char *path)
{
    char copy[PATH_MAX];
    if (snprintf(copy, sizeof copy, "%s", path) >= (int)sizeof copy) {
        errno = ENAMETOOLONG;
        return false;
    }
    return fd_sync_directory(dirname(copy));
}
