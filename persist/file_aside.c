/* file_aside.c - a file written aside (see file_aside.h).
 *
 * Blocks go past the system's cache to the disk (O_DIRECT), where the file system takes them so. Through the cache each byte is copied in
 * the kernel and given to the disk by another call: this thread's processor time was twice as long (106 ms instead of 51 for 3 M keys),
 * and others' files lost their place in the cache to bytes that nobody reads soon.
 *
 * The thread's side (struct file_aside's first part) is touched by jobs alone, in their order; the main thread only fills jobs.
 * Buffers travel with their jobs; those that are written are filled again, because memory that the system has just given is slow.
 *
 * Writers may share the core, and no kernel that is built as most are interrupts a system call for them. So the thread asks for little at
 * a time, and gives the core up in between (base/slice.h). Measured with SETs on the same core (perf's events of the scheduler and of
 * system calls): of 1000 times that a worker woke it waited longer than 0.1 ms for such threads 23 times
 * when 256 KiB were written at once and nothing was given up, most of them behind several such writes, and about once now.
 *
 * Process: persister. Crash, fails: see file_aside.h.
 */
#include "persist/file_aside.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/slice.h"
#include "base/xassert.h"

#define BLOCK_BYTES (128u << 10)  /* written at once past the cache; 256 take a little less altogether, and hold others up longer */
#define BLOCK_ALIGN 4096u         /* of its memory and place in the file: no disk wants more */
#define PIECE_BYTES (64u << 10)   /* written at once through the cache: 20 us */
#define BEGIN_BYTES (256u << 10)  /* given to the disk at once: 45 us; half of it takes 30, and the disk's answers cost more than that saves */
#define SYNC_EVERY (4u << 20)
#define FORGET_BYTES (128u << 10) /* 15 us */
#define TEMP_PREFIX "temp-"
#define TEMP_SUFFIX ".rdb"

struct aside_job {
    struct file_job job; /* first */
    struct file_aside *file;
    struct buf bytes;    /* of an append */
};

struct file_aside {
    struct file_thread *thread;
    struct aside_job last;  /* has its memory from the start: the end needs none */
    struct file_job *spare; /* appends that are done, with their buffers; the main thread's */
    int dir;
    char name[FILE_ASIDE_NAME_MAX], temp[FILE_ASIDE_NAME_MAX];
    bool incremental;
    /* the thread's */
    int fd;
    bool direct;     /* blocks go past the cache */
    char *block;     /* memory for one; NULL: there was none */
    size_t filled;   /* bytes of the block that are to be written */
    uint64_t bytes, begun, synced; /* written; of these, given to the disk, and on it */
    struct slice_work work;
    int error;
    char why[FILE_ASIDE_WHY_MAX];
    _Atomic bool failed;
    /* the end */
    _Atomic bool keep; /* looked at last right before the rename */
    bool kept;         /* the thread's */
    bool short_of_memory;
    file_aside_finished_fn *finished;
    void *arg;
};

/* ---- on the thread ---------------------------------------------------------------------------------------------------- */

static int
fail(struct file_aside *f, const char *what, const char *name)
{
    f->error = errno;
    snprintf(f->why, sizeof f->why, "cannot %s %s: %s", what, name, strerror(f->error));
    atomic_store_explicit(&f->failed, true, memory_order_relaxed);
    return f->error;
}

static int
open_work(struct file_job *job)
{
    struct file_aside *f = ((struct aside_job *)job)->file;
    slice_set(SLICE_LONG); /* of the thread, for good: nobody waits for its files but the next snapshot */
    f->fd = openat(f->dir, f->temp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (f->fd < 0)
        return fail(f, "make the file", f->temp);
    f->block = f->incremental ? aligned_alloc(BLOCK_ALIGN, BLOCK_BYTES) : NULL;
    f->direct = f->block && fcntl(f->fd, F_SETFL, O_DIRECT) == 0;
    return 0;
}

/* Has the disk begin with what was written since the last time. Else the sync gives it all of 4 MiB at once, in the kernel, and who
 * shares the core waits 0.4 ms. What fails here fails the sync. */
static void
begin_sync(struct file_aside *f)
{
    (void)sync_file_range(f->fd, (off_t)f->begun, (off_t)(f->bytes - f->begun), SYNC_FILE_RANGE_WRITE);
    f->begun = f->bytes;
    slice_yield(&f->work);
}

static int
sync_all(struct file_aside *f)
{
    f->begun = f->synced = f->bytes;
    return fdatasync(f->fd) != 0 ? fail(f, "sync the file", f->temp) : 0;
}

/* From now on through the cache. */
static void
end_direct(struct file_aside *f)
{
    f->direct = false;
    if (fcntl(f->fd, F_SETFL, 0) != 0)
        fail(f, "change the way of writing of the file", f->temp);
}

/* Writes some of the bytes, and tells how many: 0 also if something failed. */
static size_t
write_some(struct file_aside *f, const char *bytes, size_t n)
{
    ssize_t did = write(f->fd, bytes, n);
    if (did < 0 && errno == EINVAL && f->direct)
        end_direct(f); /* a file system that tells it only now */
    else if (did == 0 || (did < 0 && errno != EINTR)) {
        errno = did < 0 ? errno : EIO;
        fail(f, "write the file", f->temp);
    }
    slice_yield(&f->work);
    f->bytes += did > 0 ? (size_t)did : 0;
    return did > 0 ? (size_t)did : 0;
}

/* Writes what is in the block. Only a whole one can go past the cache: not the file's end, nor what a short write left. */
static void
write_block(struct file_aside *f)
{
    size_t at = 0;
    while (!f->error && at < f->filled) {
        size_t left = f->filled - at;
        if (f->direct && left < BLOCK_BYTES)
            end_direct(f);
        else
            at += write_some(f, f->block + at, f->direct || left < PIECE_BYTES ? left : PIECE_BYTES);
    }
    f->filled = 0;
}

static void
add_to_block(struct file_aside *f, struct buf *bytes)
{
    size_t left = buf_pending(bytes), room = BLOCK_BYTES - f->filled, n = left < room ? left : room;
    n = n < PIECE_BYTES ? n : PIECE_BYTES;
    memcpy(f->block + f->filled, buf_head(bytes), n);
    buf_consume(bytes, n);
    f->filled += n;
    if (f->filled == BLOCK_BYTES)
        write_block(f);
}

static void
write_piece(struct file_aside *f, struct buf *bytes)
{
    size_t left = buf_pending(bytes);
    buf_consume(bytes, write_some(f, buf_head(bytes), left < PIECE_BYTES ? left : PIECE_BYTES));
    if (!f->error && f->incremental && f->bytes - f->begun >= BEGIN_BYTES)
        begin_sync(f);
}

static int
append_work(struct file_job *job)
{
    struct aside_job *j = (struct aside_job *)job;
    struct file_aside *f = j->file;
    while (!f->error && buf_pending(&j->bytes) > 0) {
        if (f->direct)
            add_to_block(f, &j->bytes);
        else
            write_piece(f, &j->bytes);
    }
    return !f->error && f->incremental && !f->direct && f->bytes - f->synced >= SYNC_EVERY ? sync_all(f) : f->error;
}

/* Lets go of a file that another took the place of: first what the system has cached of it, in pieces. Else the last close frees all
 * of it at once, in the kernel, and who shares the core waits for milliseconds. Not the file's bytes: others may read it still. */
static void
forget(struct file_aside *f, int fd)
{
    struct stat st;
    if (fd < 0)
        return;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 0)
        for (off_t at = 0; at < st.st_size; at += FORGET_BYTES) {
            posix_fadvise(fd, at, FORGET_BYTES, POSIX_FADV_DONTNEED);
            slice_yield(&f->work);
        }
    close(fd);
}

static void
put_in_place(struct file_aside *f)
{
    int old = openat(f->dir, f->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (old < 0 && errno != ENOENT)
        log_notice("%s cannot be opened to be let go of in pieces, which may hold others up for milliseconds: %s", f->name, strerror(errno));
    if (renameat(f->dir, f->temp, f->dir, f->name) != 0)
        fail(f, "put into its place the file", f->name);
    else if (fsync(f->dir) != 0)
        fail(f, "sync the directory of the file", f->name);
    else
        f->kept = true;
    forget(f, old);
}

/* The file is written: whole on the disk, and then in its place if it is wanted still. */
static void
complete(struct file_aside *f)
{
    write_block(f);
    if (f->error)
        close(f->fd);
    else if (fsync(f->fd) != 0)
        fail(f, "sync the file", f->temp);
    else if (close(f->fd) != 0)
        fail(f, "close the file", f->temp);
    else if (atomic_load(&f->keep))
        put_in_place(f);
}

static int
finish_work(struct file_job *job)
{
    struct file_aside *f = ((struct aside_job *)job)->file;
    if (f->fd >= 0 && atomic_load(&f->keep) && !f->error)
        complete(f);
    else if (f->fd >= 0)
        close(f->fd);
    if (!f->kept)
        unlinkat(f->dir, f->temp, 0); /* is not there any more if the rename was done */
    free(f->block);
    return f->error;
}

/* ---- on the main thread ------------------------------------------------------------------------------------------------- */

static void
free_job(struct file_job *job)
{
    struct aside_job *j = (struct aside_job *)job;
    buf_destroy(&j->bytes);
    free(j);
}

static void
append_done(struct file_job *job)
{
    struct aside_job *j = (struct aside_job *)job;
    buf_clear(&j->bytes, SIZE_MAX);
    job->next = j->file->spare;
    j->file->spare = job;
}

static struct aside_job *
take_spare(struct file_aside *f)
{
    struct file_job *job = f->spare;
    if (job)
        f->spare = job->next;
    return (struct aside_job *)job;
}

static void
finish_done(struct file_job *job)
{
    struct file_aside *f = ((struct aside_job *)job)->file;
    struct file_aside_end end = {.kept = f->kept, .error = f->error, .why = f->why, .bytes = f->bytes};
    if (!f->error && f->short_of_memory)
        end = (struct file_aside_end){.error = ENOMEM, .why = "there is no private memory for what is to be written", .bytes = f->bytes};
    f->finished(f->arg, &end);
    while (f->spare)
        free_job((struct file_job *)take_spare(f));
    free(f);
}

static void
fill_job(struct aside_job *j, struct file_aside *f, int (*work)(struct file_job *), void (*done)(struct file_job *))
{
    j->job.work = work;
    j->job.done = done;
    j->file = f;
}

struct file_aside *
file_aside_begin(struct file_thread *t, int dir, const char *name, bool incremental)
{
    struct file_aside *f = calloc(1, sizeof *f);
    struct aside_job *j = calloc(1, sizeof *j);
    if (!f || !j) {
        free(f);
        free(j);
        return NULL;
    }
    xassert(strlen(name) < sizeof f->name);
    f->thread = t;
    f->dir = dir;
    f->fd = -1;
    f->incremental = incremental;
    snprintf(f->name, sizeof f->name, "%s", name);
    snprintf(f->temp, sizeof f->temp, TEMP_PREFIX "%d" TEMP_SUFFIX, (int)getpid());
    fill_job(&f->last, f, finish_work, finish_done);
    fill_job(j, f, open_work, free_job);
    file_thread_add(t, &j->job);
    return f;
}

bool
file_aside_append(struct file_aside *f, struct buf *bytes)
{
    struct aside_job *j = buf_failed(bytes) ? NULL : take_spare(f);
    if (!j && !buf_failed(bytes))
        j = calloc(1, sizeof *j);
    if (!j) {
        f->short_of_memory = true;
        return false;
    }
    struct buf written = j->bytes;
    fill_job(j, f, append_work, append_done);
    j->bytes = *bytes;
    j->job.bytes = bytes->cap;
    *bytes = written;
    file_thread_add(f->thread, &j->job);
    return true;
}

bool
file_aside_failed(const struct file_aside *f)
{
    return f->short_of_memory || atomic_load_explicit(&f->failed, memory_order_relaxed);
}

void
file_aside_finish(struct file_aside *f, bool keep, file_aside_finished_fn *finished, void *arg)
{
    atomic_store(&f->keep, keep && !f->short_of_memory);
    f->finished = finished;
    f->arg = arg;
    file_thread_add(f->thread, &f->last.job);
}

void
file_aside_cancel(struct file_aside *f)
{
    atomic_store(&f->keep, false);
}

/* ---- what the dead left -------------------------------------------------------------------------------------------------- */

static bool
is_temp(const char *name)
{
    size_t prefix = strlen(TEMP_PREFIX), digits = strspn(name + (strncmp(name, TEMP_PREFIX, prefix) == 0 ? prefix : 0), "0123456789");
    return strncmp(name, TEMP_PREFIX, prefix) == 0 && digits > 0 && strcmp(name + prefix + digits, TEMP_SUFFIX) == 0;
}

void
file_aside_sweep(int dir)
{
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *e;
    if (!d) {
        log_warning("cannot look for unfinished .rdb files that a dead process may have left: %s", strerror(errno));
        if (fd >= 0)
            close(fd);
        return;
    }
    while ((e = readdir(d)))
        if (is_temp(e->d_name) && unlinkat(dir, e->d_name, 0) == 0)
            log_notice("the unfinished file %s of a process that died was removed", e->d_name);
    closedir(d);
}
