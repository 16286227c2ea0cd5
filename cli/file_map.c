/* file_map.c - a file as memory, read-only; small files written so that they are whole (see file_map.h). */
#include "cli/file_map.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

static bool
fail(char *error, const char *what, const char *path)
{
    snprintf(error, FILE_MAP_ERROR_MAX, "%.300s: %s: %s", path, what, strerror(errno));
    return false;
}

bool
file_map_open(struct file_map *m, const char *path, char *error)
{
    struct stat st;
    *m = (struct file_map){ .bytes = "" };
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        fail(error, "cannot be opened", path);
    } else if (!S_ISREG(st.st_mode)) {
        snprintf(error, FILE_MAP_ERROR_MAX, "%.300s: is no regular file", path);
    } else {
        void *at = st.st_size > 0 ? mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
        close(fd);
        if (at == MAP_FAILED)
            return fail(error, "cannot be mapped", path);
        if (at != NULL) {
            madvise(at, (size_t)st.st_size, MADV_SEQUENTIAL);
            m->bytes = at;
        }
        m->n = (size_t)st.st_size;
        m->mtime_ns = st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec;
        m->device = st.st_dev;
        m->inode = st.st_ino;
        return true;
    }
    if (fd >= 0)
        close(fd);
    return false;
}

void
file_map_close(struct file_map *m)
{
    if (m->n > 0)
        munmap((void *)m->bytes, m->n);
    *m = (struct file_map){ .bytes = "" };
}

/* ---- writing ---------------------------------------------------------------------------------------------------------- */

/* Writes and closes; takes the file away again if that fails. */
static bool
fill(int fd, const char *path, const char *bytes, size_t n, char *error)
{
    bool ok = fd_write_all(fd, bytes, n) && fsync(fd) == 0;
    if (!ok)
        fail(error, "cannot be written", path);
    if (close(fd) != 0 && ok)
        ok = fail(error, "cannot be written", path);
    if (!ok)
        unlink(path);
    return ok;
}

bool
file_create(const char *path, const char *bytes, size_t n, char *error)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0)
        return fail(error, "cannot be created", path);
    return fill(fd, path, bytes, n, error) && (fd_sync_parent(path) || fail(error, "its directory cannot be synced", path));
}

/* The file that is written aside gets the mode of the one that it will replace. */
static bool
same_mode(int fd, const char *path)
{
    struct stat st;
    return stat(path, &st) != 0 || fchmod(fd, st.st_mode & 07777) == 0;
}

bool
file_replace(const char *path, const char *bytes, size_t n, char *error)
{
    char aside[PATH_MAX];
    snprintf(aside, sizeof aside, "%s.new-%d", path, (int)getpid());
    int fd = open(aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0)
        return fail(error, "cannot be created", aside);
    if (!same_mode(fd, path)) {
        fail(error, "cannot get the mode of the file that it is to replace", aside);
        close(fd);
        unlink(aside);
        return false;
    }
    if (!fill(fd, aside, bytes, n, error))
        return false;
    if (rename(aside, path) != 0) {
        fail(error, "cannot be replaced", path);
        unlink(aside);
        return false;
    }
    return fd_sync_parent(path) || fail(error, "its directory cannot be synced", path);
}
