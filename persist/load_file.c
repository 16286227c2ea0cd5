/* load_file.c - a file mapped for reading (see load_file.h).
 *
 * The file must not become shorter meanwhile: reading behind its end is a SIGBUS, of which a loader dies, and its heir tells.
 */
#include "persist/load_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static bool
fail(char *why, size_t room, const char *path, const char *what, const char *remedy)
{
    snprintf(why, room, "%s: %s; %s", path, what, remedy);
    return false;
}

bool
load_file_open(struct load_file *f, const char *path, char *why, size_t room)
{
    struct stat st;
    *f = (struct load_file){.path = path, .bytes = ""};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return fail(why, room, path, strerror(errno), errno == EACCES ? "let the server's user read it, or move it away" : "put it back, or move away what names it");
    bool ok = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    if (!ok) {
        fail(why, room, path, "is no ordinary file", "move it away");
    } else if (st.st_size > 0) {
        void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        ok = map != MAP_FAILED;
        if (ok) {
            f->bytes = map;
            f->n = (size_t)st.st_size;
        } else {
            fail(why, room, path, strerror(errno), "free memory");
        }
    }
    close(fd);
    return ok;
}

void
load_file_all(const struct load_file *f)
{
    if (f->n == 0)
        return;
    madvise((void *)(uintptr_t)f->bytes, f->n, MADV_SEQUENTIAL);
    madvise((void *)(uintptr_t)f->bytes, f->n, MADV_WILLNEED);
}

void
load_file_close(struct load_file *f)
{
    if (f->n)
        munmap((void *)(uintptr_t)f->bytes, f->n);
    f->n = 0;
}
