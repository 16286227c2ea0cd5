/* out_file.c - a file that takes its place only when it is whole (see out_file.h). */
#include "cli/out_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crc.h"
#include "base/fd.h"

#define PIECE_BYTES (1u << 20)

static bool
fail(struct out_file *o, const char *what)
{
    if (o->error[0] == '\0')
        snprintf(o->error, sizeof o->error, "%.300s: %s: %s", o->path == NULL ? "standard output" : o->path, what, strerror(errno));
    return false;
}

bool
out_file_open(struct out_file *o, const char *path)
{
    *o = (struct out_file){ .fd = STDOUT_FILENO };
    buf_init(&o->buf);
    if (strcmp(path, "-") == 0)
        return true;
    o->fd = -1;
    if ((o->path = strdup(path)) == NULL || asprintf(&o->aside, "%s.new-%d", path, (int)getpid()) < 0) {
        o->aside = NULL;
        errno = ENOMEM;
        return fail(o, "cannot be created");
    }
    o->fd = open(o->aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    return o->fd >= 0 || fail(o, "cannot be created");
}

bool
out_file_write(struct out_file *o, const char *bytes, size_t n)
{
    if (o->error[0] != '\0')
        return false;
    if (o->sum)
        o->crc = crc64(o->crc, bytes, n);
    o->bytes += n;
    return fd_write_all(o->fd, bytes, n) || fail(o, "cannot be written");
}

bool
out_file_flush(struct out_file *o, bool now)
{
    if (buf_failed(&o->buf)) {
        errno = ENOMEM;
        return fail(o, "cannot be written");
    }
    if (o->error[0] != '\0' || (!now && buf_pending(&o->buf) < PIECE_BYTES))
        return o->error[0] == '\0';
    bool ok = out_file_write(o, buf_head(&o->buf), buf_pending(&o->buf));
    buf_clear(&o->buf, 2 * PIECE_BYTES);
    return ok;
}

/* Gives everything back; the file aside is taken away unless it has its name. */
static void
destroy(struct out_file *o, bool named)
{
    if (o->path != NULL && o->fd >= 0)
        close(o->fd);
    if (o->aside != NULL && o->fd >= 0 && !named)
        unlink(o->aside);
    free(o->path);
    free(o->aside);
    buf_destroy(&o->buf);
    o->path = o->aside = NULL;
    o->fd = -1;
}

bool
out_file_commit(struct out_file *o)
{
    bool ok = out_file_flush(o, true);
    if (ok && o->path != NULL)
        ok = (fsync(o->fd) == 0 && rename(o->aside, o->path) == 0 && fd_sync_parent(o->path)) || fail(o, "cannot be put in place");
    destroy(o, ok);
    return ok;
}

void
out_file_abandon(struct out_file *o)
{
    destroy(o, false);
}
