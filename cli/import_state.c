/* import_state.c - how far an import has come, in a file (see import_state.h). */
#include "cli/import_state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FORM                                                                                                                  \
    "kvstash-cli import, state 1\nsource %016" PRIx64 "\ndone %020" PRIu64 "\nsent %020" PRIu64 "\nkeys %020" PRIu64             \
    "\nrejected %020" PRIu64 "\n"
#define READ_FORM                                                                                                             \
    "kvstash-cli import, state 1\nsource %16" SCNx64 "\ndone %20" SCNu64 "\nsent %20" SCNu64 "\nkeys %20" SCNu64                 \
    "\nrejected %20" SCNu64
#define TEXT_MAX 256u

bool
import_state_write(const struct import_state *s)
{
    char text[TEXT_MAX];
    int n = snprintf(text, sizeof text, FORM, s->fingerprint, s->done, s->sent, s->keys, s->rejected);
    return pwrite(s->fd, text, (size_t)n, 0) == n;
}

/* What an earlier run left. */
static bool
read_state(struct import_state *s, uint64_t fingerprint, char *error)
{
    char text[TEXT_MAX] = "";
    ssize_t n = pread(s->fd, text, sizeof text - 1, 0);
    if (n <= 0 || sscanf(text, READ_FORM, &s->fingerprint, &s->done, &s->sent, &s->keys, &s->rejected) != 5)
        snprintf(error, FILE_MAP_ERROR_MAX, "%.300s: is no state of an import", s->path);
    else if (s->fingerprint != fingerprint)
        snprintf(error, FILE_MAP_ERROR_MAX, "%.300s: belongs to another file, or the file was changed since: begin anew without --resume", s->path);
    else
        return true;
    return false;
}

bool
import_state_open(struct import_state *s, const char *path, uint64_t fingerprint, bool resume, char *error)
{
    *s = (struct import_state){ .fd = open(path, O_RDWR | O_CLOEXEC | (resume ? 0 : O_CREAT | O_TRUNC), 0666), .path = strdup(path) };
    bool ok = s->fd >= 0 && s->path != NULL;
    if (!ok && resume && errno == ENOENT)
        snprintf(error, FILE_MAP_ERROR_MAX, "%.300s: is not there: no import to go on with", path);
    else if (!ok)
        snprintf(error, FILE_MAP_ERROR_MAX, "%.300s: the state of the import cannot be kept: %s", path, strerror(errno));
    else if (resume)
        ok = read_state(s, fingerprint, error);
    s->fingerprint = fingerprint;
    if (ok && !import_state_write(s)) {
        snprintf(error, FILE_MAP_ERROR_MAX, "%.300s: the state of the import cannot be kept: %s", path, strerror(errno));
        ok = false;
    }
    if (!ok)
        import_state_close(s, false);
    return ok;
}

void
import_state_close(struct import_state *s, bool finished)
{
    if (s->fd >= 0)
        close(s->fd);
    if (finished && s->path != NULL)
        unlink(s->path);
    free(s->path);
    *s = (struct import_state){ .fd = -1 };
}
