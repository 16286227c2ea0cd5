/* file_tap.c - preloaded into a server: what it asks of the files of one directory is written down, or made to fail.
 *
 * For the tests of power loss (tests/persist/power_loss), which make from the journal the directories that a power cut could have
 * left, and of faults (tests/persist/file_faults), which let the n-th call of a kind fail.
 *
 * The idea: calls on files below FILE_TAP_DIR go to the kernel as they are, one after the other in all processes (a robust lock
 * in the shared page), and each leaves a record, with its content, in FILE_TAP_JOURNAL: so the journal's order is the order
 * in which things happened. Only fsync and fdatasync run without the lock, between a record of their beginning and one of their
 * end: what was written before the one is sure from the other on. Everything else (sockets, the region) is passed by.
 *
 * FILE_TAP_PAGE names the file of the shared page (struct page below; tests/persist/tap.py knows its layout), by which a test
 * arms a fault, delays fsync, and reads how many calls of each kind there were.
 *
 * Not seen: stdio's own writes, mmap. tests/persist/tap.py compares what the journal tells with the directory itself at the end.
 *
 * Process: every process of the server, any thread. Locks: the page's, never while the caller holds another of ours.
 * Crash: the lock is robust; a record is one write, so the journal ends with a whole one. Fails: a tap that can't do its work
 * aborts the server that asked, since a journal with gaps would prove nothing.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define FDS_MAX 4096
#define JOURNAL_FD 900 /* out of the way of the server's own numbers */
#define MAGIC 0x3150414bu

/* What a record tells, and what a fault can be armed for; the order is known to tests/persist/tap.py. */
enum op { OP_OPEN, OP_WRITE, OP_TRUNC, OP_SYNC, OP_RENAME, OP_UNLINK, OP_MKDIR, OP_LINK, OP_SYNC_END, OP_SYNC_FAILED, OPS };

enum { CREATED = 1, TRUNCATED = 2, DIRECTORY = 4 };            /* record.flags of OP_OPEN */
enum { NO_REAL_SYNC = 1, SHORT_FIRST = 2 };                    /* page.flags */

struct page {
    _Atomic uint32_t ops;      /* one bit for each op that may fail; 0: none */
    uint32_t nth;              /* the first that fails, from 1 */
    uint32_t times;            /* how many fail from then on */
    uint32_t error;            /* errno; 0: the write is only short */
    _Atomic uint32_t seen;     /* calls that matched since the plan was armed */
    _Atomic uint32_t failed;
    _Atomic uint32_t sync_us;  /* an fsync takes up to so much longer */
    _Atomic uint32_t flags;
    _Atomic uint32_t count[16]; /* calls by op, whatever their path */
    char match[160];           /* the path below the directory, a pattern; "": all */
    _Atomic uint32_t ready;    /* 1: the lock is made */
    pthread_mutex_t lock;
};

struct record {
    uint32_t magic, op;
    uint64_t at_ns;            /* CLOCK_MONOTONIC */
    uint64_t file;             /* inode */
    uint64_t offset;           /* of a write; size of a truncation; serial number of a sync */
    uint32_t flags;
    uint32_t bytes[2];         /* what follows: content or path, second path */
    uint32_t pid;
};

static struct page *page;
static char folder[PATH_MAX]; /* with '/' at the end */
static size_t folder_len;
static bool journaling;
static _Atomic uint8_t tapped[FDS_MAX]; /* descriptors on files below the folder */
static _Atomic uint64_t syncs;

static _Noreturn void
give_up(const char *what)
{
    dprintf(2, "file_tap: %s: %s\n", what, strerror(errno));
    abort();
}

/* ---- the page --------------------------------------------------------------------------------------------------------- */

__attribute__((constructor)) static void
attach(void)
{
    const char *page_path = getenv("FILE_TAP_PAGE"), *dir = getenv("FILE_TAP_DIR"), *journal = getenv("FILE_TAP_JOURNAL");
    if (!page_path || !dir || !realpath(dir, folder))
        return;
    folder_len = strlen(folder);
    folder[folder_len++] = '/';
    int fd = (int)syscall(SYS_openat, AT_FDCWD, page_path, O_RDWR | O_CLOEXEC, 0);
    void *p = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        give_up(page_path);
    close(fd);
    page = p;
    if (atomic_exchange(&page->ready, 1) == 0) { /* a server that comes after one that was killed finds it made */
        pthread_mutexattr_t a;
        pthread_mutexattr_init(&a);
        pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
        pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
        pthread_mutex_init(&page->lock, &a);
    }
    if (!journal)
        return;
    fd = (int)syscall(SYS_openat, AT_FDCWD, journal, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || fcntl(fd, F_DUPFD_CLOEXEC, JOURNAL_FD) != JOURNAL_FD)
        give_up(journal);
    close(fd);
    journaling = true;
}

static void
take(void)
{
    if (pthread_mutex_lock(&page->lock) == EOWNERDEAD)
        pthread_mutex_consistent(&page->lock);
}

static void
drop(void)
{
    pthread_mutex_unlock(&page->lock);
}

static uint64_t
inode_of(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 ? (uint64_t)st.st_ino : 0;
}

/* With the lock held. */
static void
note(enum op op, uint64_t file, uint64_t offset, uint32_t flags, const void *first, size_t nfirst, const char *second)
{
    int saved = errno;
    if (op < OP_SYNC_END)
        atomic_fetch_add(&page->count[op], 1);
    if (journaling) {
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        size_t nsecond = second ? strlen(second) : 0;
        struct record r = {.magic = MAGIC, .op = op, .at_ns = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec, .file = file,
            .offset = offset, .flags = flags, .bytes = {(uint32_t)nfirst, (uint32_t)nsecond}, .pid = (uint32_t)getpid()};
        struct iovec v[3] = {{&r, sizeof r}, {(void *)(uintptr_t)first, nfirst}, {(void *)(uintptr_t)second, nsecond}};
        if (syscall(SYS_writev, JOURNAL_FD, v, 3) != (ssize_t)(sizeof r + nfirst + nsecond))
            give_up("the journal");
    }
    errno = saved;
}

/* ---- faults ------------------------------------------------------------------------------------------------------------ */

/* Does this call fail? Then errno is set; 0 in *error: a write that is only short. */
static bool
fails(enum op op, const char *path, uint32_t *error)
{
    uint32_t ops = atomic_load(&page->ops);
    if (!(ops >> op & 1) || (page->match[0] && fnmatch(page->match, path, 0) != 0))
        return false;
    uint32_t n = atomic_fetch_add(&page->seen, 1) + 1;
    if (n < page->nth || n - page->nth >= page->times)
        return false;
    atomic_fetch_add(&page->failed, 1);
    *error = n == page->nth && (atomic_load(&page->flags) & SHORT_FIRST) ? 0 : page->error;
    errno = (int)*error;
    return true;
}

/* The path below the folder of an open file, "" if it is none. */
static const char *
path_of(int fd, char *room)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, room, PATH_MAX - 1);
    room[n > 0 ? n : 0] = '\0';
    return n > 0 && strncmp(room, folder, folder_len) == 0 ? room + folder_len : "";
}

/* The path below the folder of a name at a directory; NULL: elsewhere. The folder itself is "". */
static const char *
below(int at, const char *name, char *room)
{
    char dir[PATH_MAX];
    if (!page || !name)
        return NULL;
    if (name[0] == '/') {
        snprintf(room, PATH_MAX, "%s", name);
    } else {
        if (at == AT_FDCWD ? !getcwd(dir, sizeof dir) : (path_of(at, dir), !dir[0]))
            return NULL;
        if (snprintf(room, PATH_MAX, "%s/%s", dir, strncmp(name, "./", 2) == 0 ? name + 2 : name) >= PATH_MAX)
            return NULL;
    }
    size_t n = strlen(room);
    while (n > 1 && (room[n - 1] == '/' || (n > 2 && strcmp(room + n - 2, "/.") == 0)))
        room[n -= room[n - 1] == '/' ? 1 : 2] = '\0';
    if (n + 1 == folder_len && strncmp(room, folder, n) == 0)
        return "";
    return strncmp(room, folder, folder_len) == 0 ? room + folder_len : NULL;
}

static bool
is_tapped(int fd)
{
    return page && fd >= 0 && fd < FDS_MAX && atomic_load_explicit(&tapped[fd], memory_order_relaxed);
}

/* ---- open, close ---------------------------------------------------------------------------------------------------------- */

static int
open_at(int at, const char *name, int flags, mode_t mode)
{
    char room[PATH_MAX];
    const char *path = below(at, name, room);
    uint32_t error;
    struct stat st;
    if (!path)
        return (int)syscall(SYS_openat, at, name, flags, mode);
    take();
    int fd = -1;
    if (!fails(OP_OPEN, path, &error)) {
        bool was = fstatat(at, name, &st, 0) == 0;
        off_t size = was ? st.st_size : 0;
        fd = (int)syscall(SYS_openat, at, name, flags, mode);
        if (fd >= FDS_MAX)
            give_up("too many descriptors");
        if (fd >= 0 && fstat(fd, &st) == 0) {
            atomic_store(&tapped[fd], 1);
            uint32_t what = (was ? 0 : CREATED) | ((flags & O_TRUNC) && size ? TRUNCATED : 0) | (S_ISDIR(st.st_mode) ? DIRECTORY : 0);
            note(OP_OPEN, (uint64_t)st.st_ino, 0, what, path, strlen(path), NULL);
        }
    }
    int saved = errno;
    drop();
    errno = saved;
    return fd;
}

static mode_t
mode_of(int flags, va_list ap)
{
    return flags & (O_CREAT | __O_TMPFILE) ? va_arg(ap, mode_t) : 0;
}

#define OPEN(name)                                                                                                               \
    int name(const char *path, int flags, ...)                                                                                   \
    {                                                                                                                            \
        va_list ap;                                                                                                              \
        va_start(ap, flags);                                                                                                     \
        mode_t mode = mode_of(flags, ap);                                                                                        \
        va_end(ap);                                                                                                              \
        return open_at(AT_FDCWD, path, flags, mode);                                                                             \
    }
#define OPENAT(name)                                                                                                             \
    int name(int at, const char *path, int flags, ...)                                                                           \
    {                                                                                                                            \
        va_list ap;                                                                                                              \
        va_start(ap, flags);                                                                                                     \
        mode_t mode = mode_of(flags, ap);                                                                                        \
        va_end(ap);                                                                                                              \
        return open_at(at, path, flags, mode);                                                                                   \
    }
OPEN(open)
OPEN(open64)
OPEN(__open_2)
OPEN(__open64_2)
OPENAT(openat)
OPENAT(openat64)
OPENAT(__openat_2)
OPENAT(__openat64_2)

int
creat(const char *path, mode_t mode)
{
    return open_at(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

int
close(int fd)
{
    if (is_tapped(fd))
        atomic_store(&tapped[fd], 0);
    return (int)syscall(SYS_close, fd);
}

/* The library closes a directory's descriptor without calling close(). */
int
closedir(DIR *d)
{
    static int (*next)(DIR *d);
    int fd = dirfd(d);
    if (!next)
        next = (int (*)(DIR *))dlsym(RTLD_NEXT, "closedir");
    if (is_tapped(fd))
        atomic_store(&tapped[fd], 0);
    return next(d);
}

/* ---- content ------------------------------------------------------------------------------------------------------------------ */

/* at < 0: where the descriptor stands. */
static ssize_t
write_at(int fd, const void *data, size_t n, off_t at)
{
    char room[PATH_MAX];
    uint32_t error;
    ssize_t done = -1;
    take();
    if (fails(OP_WRITE, path_of(fd, room), &error)) {
        if (error == 0)
            n = n > 1 ? n / 2 : n;
        else
            goto out;
    }
    done = at < 0 ? (ssize_t)syscall(SYS_write, fd, data, n) : (ssize_t)syscall(SYS_pwrite64, fd, data, n, at);
    if (done > 0)
        note(OP_WRITE, inode_of(fd), (uint64_t)(at < 0 ? lseek(fd, 0, SEEK_CUR) - done : at), 0, data, (size_t)done, NULL);
out:;
    int saved = errno;
    drop();
    errno = saved;
    return done;
}

static ssize_t
write_pieces(int fd, const struct iovec *v, int n, off_t at)
{
    size_t len = 0;
    for (int i = 0; i < n; i++)
        len += v[i].iov_len;
    char *all = malloc(len + 1);
    if (!all)
        give_up("memory");
    len = 0;
    for (int i = 0; i < n; len += v[i++].iov_len)
        memcpy(all + len, v[i].iov_base, v[i].iov_len);
    ssize_t done = write_at(fd, all, len, at);
    free(all);
    return done;
}

ssize_t
write(int fd, const void *data, size_t n)
{
    return is_tapped(fd) ? write_at(fd, data, n, -1) : (ssize_t)syscall(SYS_write, fd, data, n);
}

ssize_t
writev(int fd, const struct iovec *v, int n)
{
    return is_tapped(fd) ? write_pieces(fd, v, n, -1) : (ssize_t)syscall(SYS_writev, fd, v, n);
}

ssize_t
pwrite(int fd, const void *data, size_t n, off_t at)
{
    return is_tapped(fd) ? write_at(fd, data, n, at) : (ssize_t)syscall(SYS_pwrite64, fd, data, n, at);
}

ssize_t
pwrite64(int fd, const void *data, size_t n, off_t at)
{
    return pwrite(fd, data, n, at);
}

ssize_t
pwritev(int fd, const struct iovec *v, int n, off_t at)
{
    return is_tapped(fd) ? write_pieces(fd, v, n, at) : (ssize_t)syscall(SYS_pwritev, fd, v, n, at, 0);
}

int
ftruncate(int fd, off_t size)
{
    char room[PATH_MAX];
    uint32_t error;
    if (!is_tapped(fd))
        return (int)syscall(SYS_ftruncate, fd, size);
    take();
    int rc = fails(OP_TRUNC, path_of(fd, room), &error) ? -1 : (int)syscall(SYS_ftruncate, fd, size);
    if (rc == 0)
        note(OP_TRUNC, inode_of(fd), (uint64_t)size, 0, NULL, 0, NULL);
    int saved = errno;
    drop();
    errno = saved;
    return rc;
}

int
ftruncate64(int fd, off_t size)
{
    return ftruncate(fd, size);
}

int
truncate(const char *name, off_t size)
{
    int fd = open_at(AT_FDCWD, name, O_WRONLY | O_CLOEXEC, 0);
    int rc = fd < 0 ? -1 : ftruncate(fd, size);
    int saved = errno;
    if (fd >= 0)
        close(fd);
    errno = saved;
    return rc;
}

/* ---- sync ------------------------------------------------------------------------------------------------------------------------ */

static void
dawdle(void)
{
    static _Thread_local uint64_t state;
    uint32_t most = atomic_load(&page->sync_us);
    if (most == 0)
        return;
    state = (state ? state : (uint64_t)getpid() * 2654435761u) * 6364136223846793005u + 1442695040888963407u;
    uint64_t us = (state >> 33) % most;
    nanosleep(&(struct timespec){.tv_sec = (time_t)(us / 1000000), .tv_nsec = (long)(us % 1000000) * 1000}, NULL);
}

static int
sync_file(int fd, long call)
{
    char room[PATH_MAX];
    uint32_t error;
    uint64_t serial = ((uint64_t)getpid() << 32) + atomic_fetch_add(&syncs, 1), file = inode_of(fd);
    take();
    bool failing = fails(OP_SYNC, path_of(fd, room), &error);
    note(OP_SYNC, file, serial, 0, NULL, 0, NULL);
    drop();
    dawdle();
    int rc = failing ? -1 : atomic_load(&page->flags) & NO_REAL_SYNC ? 0 : (int)syscall(call, fd);
    int saved = failing ? (int)error : errno;
    take();
    note(rc == 0 ? OP_SYNC_END : OP_SYNC_FAILED, file, serial, 0, NULL, 0, NULL);
    drop();
    errno = saved;
    return rc;
}

int
fsync(int fd)
{
    return is_tapped(fd) ? sync_file(fd, SYS_fsync) : (int)syscall(SYS_fsync, fd);
}

int
fdatasync(int fd)
{
    return is_tapped(fd) ? sync_file(fd, SYS_fdatasync) : (int)syscall(SYS_fdatasync, fd);
}

/* ---- names ------------------------------------------------------------------------------------------------------------------------- */

/* A call on one or two names: the second is the new one. */
static int
name_call(enum op op, int at, const char *name, int to_at, const char *to, unsigned flags)
{
    char room[PATH_MAX], to_room[PATH_MAX];
    const char *path = below(at, name, room), *to_path = to ? below(to_at, to, to_room) : NULL;
    struct stat st = {0};
    uint32_t error;
    int rc = -1;
    if (page)
        take();
    bool seen = path || to_path;
    if (seen)
        fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW);
    if (seen && fails(op, to_path ? to_path : path, &error))
        goto out;
    switch (op) {
    case OP_RENAME: rc = (int)syscall(SYS_renameat2, at, name, to_at, to, flags); break;
    case OP_LINK: rc = (int)syscall(SYS_linkat, at, name, to_at, to, flags); break;
    case OP_MKDIR: rc = (int)syscall(SYS_mkdirat, at, name, (mode_t)flags); break;
    default: rc = (int)syscall(SYS_unlinkat, at, name, flags); break;
    }
    if (rc == 0 && op == OP_MKDIR)
        fstatat(at, name, &st, 0);
    if (rc == 0 && seen)
        note(op, (uint64_t)st.st_ino, 0, flags, path ? path : "", path ? strlen(path) : 0, to_path);
out:;
    int saved = errno;
    if (page)
        drop();
    errno = saved;
    return rc;
}

int
rename(const char *from, const char *to)
{
    return name_call(OP_RENAME, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int
renameat(int at, const char *from, int to_at, const char *to)
{
    return name_call(OP_RENAME, at, from, to_at, to, 0);
}

int
renameat2(int at, const char *from, int to_at, const char *to, unsigned flags)
{
    return name_call(OP_RENAME, at, from, to_at, to, flags);
}

int
link(const char *from, const char *to)
{
    return name_call(OP_LINK, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int
linkat(int at, const char *from, int to_at, const char *to, int flags)
{
    return name_call(OP_LINK, at, from, to_at, to, (unsigned)flags);
}

int
unlink(const char *name)
{
    return name_call(OP_UNLINK, AT_FDCWD, name, 0, NULL, 0);
}

int
unlinkat(int at, const char *name, int flags)
{
    return name_call(OP_UNLINK, at, name, 0, NULL, (unsigned)flags);
}

int
rmdir(const char *name)
{
    return name_call(OP_UNLINK, AT_FDCWD, name, 0, NULL, AT_REMOVEDIR);
}

int
mkdir(const char *name, mode_t mode)
{
    return name_call(OP_MKDIR, AT_FDCWD, name, 0, NULL, mode);
}

int
mkdirat(int at, const char *name, mode_t mode)
{
    return name_call(OP_MKDIR, at, name, 0, NULL, mode);
}
