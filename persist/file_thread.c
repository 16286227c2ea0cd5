/* file_thread.c - a queue of jobs in, a list of finished ones out (see file_thread.h).
 *
 * Two intrusive lists under one mutex. The eventfd is written at each finished job, so the main thread's loop sleeps like any.
 */
#include "persist/file_thread.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/xassert.h"

struct job_list {
    struct file_job *first, **end;
};

struct file_thread {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t given;
    struct job_list queue, finished;
    bool ending;
    int event;
    /* the main thread's alone */
    size_t bytes;
    unsigned jobs;
};

static void
list_clear(struct job_list *l)
{
    l->first = NULL;
    l->end = &l->first;
}

static void
list_add(struct job_list *l, struct file_job *job)
{
    job->next = NULL;
    *l->end = job;
    l->end = &job->next;
}

static struct file_job *
list_take(struct job_list *l)
{
    struct file_job *job = l->first;
    if (!job)
        return NULL;
    l->first = job->next;
    if (!l->first)
        l->end = &l->first;
    return job;
}

/* ---- the thread --------------------------------------------------------------------------------------------------------- */

/* The next job; NULL: the end. */
static struct file_job *
wait_job(struct file_thread *t)
{
    pthread_mutex_lock(&t->lock);
    while (!t->queue.first && !t->ending)
        pthread_cond_wait(&t->given, &t->lock);
    struct file_job *job = list_take(&t->queue);
    pthread_mutex_unlock(&t->lock);
    return job;
}

static void *
run(void *arg)
{
    struct file_thread *t = arg;
    for (struct file_job *job; (job = wait_job(t));) {
        uint64_t one = 1;
        job->error = job->work(job);
        pthread_mutex_lock(&t->lock);
        list_add(&t->finished, job);
        pthread_mutex_unlock(&t->lock);
        ssize_t n = write(t->event, &one, sizeof one);
        (void)n; /* full is awake enough */
    }
    return NULL;
}

/* ---- the main thread's side ------------------------------------------------------------------------------------------------ */

/* Signals are the main thread's. */
static int
create(struct file_thread *t, const char *name)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&t->thread, NULL, run, t);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error == 0)
        pthread_setname_np(t->thread, name);
    return error;
}

struct file_thread *
file_thread_start(const char *name)
{
    struct file_thread *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    list_clear(&t->queue);
    list_clear(&t->finished);
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->given, NULL);
    t->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int error = t->event < 0 ? errno : create(t, name);
    if (error == 0)
        return t;
    if (t->event >= 0)
        close(t->event);
    free(t);
    errno = error;
    return NULL;
}

void
file_thread_stop(struct file_thread *t)
{
    while (t->jobs > 0) { /* a job that is done may give another */
        struct timespec moment = {.tv_nsec = 100000};
        file_thread_collect(t);
        if (t->jobs > 0)
            nanosleep(&moment, NULL);
    }
    pthread_mutex_lock(&t->lock);
    t->ending = true;
    pthread_cond_signal(&t->given);
    pthread_mutex_unlock(&t->lock);
    pthread_join(t->thread, NULL);
    close(t->event);
    pthread_cond_destroy(&t->given);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

void
file_thread_add(struct file_thread *t, struct file_job *job)
{
    t->bytes += job->bytes;
    t->jobs++;
    pthread_mutex_lock(&t->lock);
    list_add(&t->queue, job);
    pthread_cond_signal(&t->given);
    pthread_mutex_unlock(&t->lock);
}

int
file_thread_event(const struct file_thread *t)
{
    return t->event;
}

void
file_thread_collect(struct file_thread *t)
{
    struct file_job *job;
    uint64_t count;
    ssize_t n = read(t->event, &count, sizeof count);
    (void)n; /* the list tells what there is */
    for (;;) {
        pthread_mutex_lock(&t->lock);
        job = list_take(&t->finished);
        pthread_mutex_unlock(&t->lock);
        if (!job)
            return;
        xassert(t->jobs > 0 && t->bytes >= job->bytes);
        t->jobs--;
        t->bytes -= job->bytes;
        job->done(job);
    }
}

size_t
file_thread_bytes(const struct file_thread *t)
{
    return t->bytes;
}

unsigned
file_thread_jobs(const struct file_thread *t)
{
    return t->jobs;
}

/* ---- a buffer to be written ------------------------------------------------------------------------------------------------ */

int
file_write_work(struct file_job *job)
{
    struct file_write *w = (struct file_write *)job;
    while (w->written < w->n) {
        ssize_t n = pwrite(w->fd, w->data + w->written, w->n - w->written, w->at + (off_t)w->written);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno : EIO;
        w->written += (size_t)n;
    }
    if (w->sync && fdatasync(w->fd) != 0) {
        w->unsynced = true;
        return errno;
    }
    return 0;
}

void
file_write_prepare(struct file_write *w, int fd, const char *data, size_t n, off_t at, bool sync)
{
    w->job.work = file_write_work;
    w->job.bytes = n;
    w->fd = fd;
    w->data = data;
    w->n = n;
    w->at = at;
    w->sync = sync;
    w->written = 0;
    w->unsynced = false;
}
