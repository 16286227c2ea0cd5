/* file_thread.h - a thread that does for the main thread what may block on the disk.
 *
 * Jobs are done one after the other, in the order in which they were given. A job is a struct of its giver with a struct
 * file_job in it: `work` runs on the thread (write, fsync, rename, unlink), `done` later on the main thread, when that
 * calls file_thread_collect(); an eventfd wakes it. What a job refers to belongs to the thread until `done`. How much waits is
 * counted in bytes, so that the giver can stop when it is enough: the thread itself refuses nothing.
 *
 * Threads never touch the region: only the thread with the life lock may store in it.
 *
 * Process: persister. Locks: one private mutex, held for moments. Crash: what was not done is lost with the process; who
 * takes its files over waits for persister.lock, which is free when its last thread has ended. Fails: `error` of the job.
 */
#ifndef KVSTASH_PERSIST_FILE_THREAD_H
#define KVSTASH_PERSIST_FILE_THREAD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct file_job {
    struct file_job *next;                /* file_thread.c's */
    int (*work)(struct file_job *job);    /* on the thread; 0 or an errno */
    void (*done)(struct file_job *job);   /* on the main thread; may free the job and give new ones */
    int error;                            /* what work returned; for done */
    size_t bytes;                         /* that the job keeps in memory; 0 is right for small ones */
};

struct file_thread;

/* Starts a thread; name is at most 15 bytes. NULL with errno: no memory or no thread. */
struct file_thread *file_thread_start(const char *name);
/* Does what was given, then ends the thread and runs what is left of `done`. */
void file_thread_stop(struct file_thread *t);

void file_thread_add(struct file_thread *t, struct file_job *job);
/* Readable when jobs were finished: for the loop. */
int file_thread_event(const struct file_thread *t);
/* Runs `done` of the finished jobs. */
void file_thread_collect(struct file_thread *t);
/* Of the jobs that were given and whose `done` has not run. */
size_t file_thread_bytes(const struct file_thread *t);
unsigned file_thread_jobs(const struct file_thread *t);

/* ---- a buffer to be written ------------------------------------------------------------------------------------------------ */

struct file_write {
    struct file_job job;   /* done is the giver's; work is set by file_write_prepare */
    int fd;
    const char *data;
    size_t n;
    off_t at;              /* where in the file */
    bool sync;             /* fdatasync behind it */
    size_t written;        /* result: bytes from `at` on that are in the file; n if there was no error or the sync failed */
    bool unsynced;         /* result: all was written, the error is the sync's */
};

/* What a write does, for a job with a `work` of its own. */
int file_write_work(struct file_job *job);
/* Fills the job in: all of data is written at `at` (short writes go on), then synced if asked. */
void file_write_prepare(struct file_write *w, int fd, const char *data, size_t n, off_t at, bool sync);

#endif
