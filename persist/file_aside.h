/* file_aside.h - a file that is written aside and takes its place whole: write, sync, rename, sync of the directory.
 *
 * A reader of the directory sees the old file or the new one, also after a power failure. The work is done on a file thread;
 * the functions here only queue it. After the first failure everything later is skipped, the temporary file is removed, and
 * file_aside_finish tells what failed.
 *
 * Process: persister, main thread. Locks: none. Crash: the temporary file stays; file_aside_sweep removes it. Fails: told by
 * `finished`.
 */
#ifndef KVSTASH_PERSIST_FILE_ASIDE_H
#define KVSTASH_PERSIST_FILE_ASIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "persist/file_thread.h"

#define FILE_ASIDE_NAME_MAX 256
#define FILE_ASIDE_WHY_MAX 512

struct file_aside;

/* How it ended. The memory is the file's own, valid during the call. */
struct file_aside_end {
    bool kept;       /* the file stands in its place */
    int error;       /* 0: nothing failed */
    const char *why; /* what failed, in words; "" if nothing did */
    uint64_t bytes;  /* that were written */
};
typedef void file_aside_finished_fn(void *arg, const struct file_aside_end *end);

/* Begins a file in the directory (the descriptor stays the caller's and open until the end). incremental: past the system's
 * cache, or with a sync every 4 MiB, so that the last sync finds little left. NULL: no private memory. */
struct file_aside *file_aside_begin(struct file_thread *t, int dir, const char *name, bool incremental);
/* Appends the buffer's bytes, which become the file's; the buffer is empty then, with the memory of an earlier one if there is any.
 * False: no private memory, which will be told by `finished` too. */
bool file_aside_append(struct file_aside *f, struct buf *bytes);
/* Has something failed? Then going on is of no use. Known a little late. */
bool file_aside_failed(const struct file_aside *f);
/* The end: keep puts the file in its place, otherwise it is removed. `finished` is called from file_thread_collect, once, and
 * the file is gone behind it. */
void file_aside_finish(struct file_aside *f, bool keep, file_aside_finished_fn *finished, void *arg);

/* After file_aside_finish: the file is not wanted any more, if it is not in its place already. */
void file_aside_cancel(struct file_aside *f);

/* Removes temporary files that a dead process left in the directory. Blocks; at a process's start. */
void file_aside_sweep(int dir);

#endif
