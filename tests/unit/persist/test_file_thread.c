/* test_file_thread.c - jobs are done in order, their results come back, errors keep what was written. */
#include "persist/file_thread.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <signal.h>
#include <unistd.h>

#define JOBS 100

struct numbered {
    struct file_job job;
    int number;
    int *seen, *finished;
};

static int
note_number(struct file_job *job)
{
    struct numbered *n = (struct numbered *)job;
    n->seen[n->number] = n->number ? n->seen[n->number - 1] + 1 : 1;
    return n->number % 10 == 9 ? EIO : 0;
}

static void
count_done(struct file_job *job)
{
    struct numbered *n = (struct numbered *)job;
    cr_assert_eq(job->error, n->number % 10 == 9 ? EIO : 0);
    cr_assert_eq(*n->finished, n->number);
    ++*n->finished;
}

Test(file_thread, jobs_are_done_in_order)
{
    static struct numbered jobs[JOBS];
    static int seen[JOBS], finished;
    struct file_thread *t = file_thread_start("test");
    cr_assert(t);
    for (int i = 0; i < JOBS; i++) {
        jobs[i] = (struct numbered){.job = {.work = note_number, .done = count_done, .bytes = 10}, .number = i, .seen = seen,
            .finished = &finished};
        file_thread_add(t, &jobs[i].job);
    }
    cr_assert(file_thread_jobs(t) == JOBS && file_thread_bytes(t) == 10 * JOBS);
    while (finished < JOBS) {
        struct pollfd p = {.fd = file_thread_event(t), .events = POLLIN};
        cr_assert_eq(poll(&p, 1, 5000), 1);
        file_thread_collect(t);
    }
    cr_assert(file_thread_jobs(t) == 0 && file_thread_bytes(t) == 0);
    cr_assert_eq(seen[JOBS - 1], JOBS);
    file_thread_stop(t);
}

static void
nothing(struct file_job *job)
{
    (void)job;
}

Test(file_thread, buffers_are_written_whole)
{
    char path[] = "/tmp/kvstash-file-thread-XXXXXX", back[8] = "";
    int fd = mkstemp(path);
    struct file_thread *t = file_thread_start("test");
    struct file_write a = {.job.done = nothing}, b = {.job.done = nothing};
    file_write_prepare(&a, fd, "abc", 3, 0, false);
    file_write_prepare(&b, fd, "defg", 4, 3, true);
    file_thread_add(t, &a.job);
    file_thread_add(t, &b.job);
    file_thread_stop(t);
    cr_assert(a.written == 3 && b.written == 4 && a.job.error == 0 && b.job.error == 0);
    cr_assert_eq(pread(fd, back, sizeof back, 0), 7);
    cr_assert_str_eq(back, "abcdefg");
    unlink(path);
    close(fd);
}

/* A file that may not grow beyond a limit: the part that fitted is told. */
Test(file_thread, a_short_write_is_told)
{
    char path[] = "/tmp/kvstash-file-thread-XXXXXX", bytes[100] = "";
    int fd = mkstemp(path);
    struct rlimit limit = {.rlim_cur = 60, .rlim_max = RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    struct file_thread *t = file_thread_start("test");
    struct file_write w = {.job.done = nothing};
    file_write_prepare(&w, fd, bytes, sizeof bytes, 0, true);
    file_thread_add(t, &w.job);
    file_thread_stop(t);
    cr_assert_eq(w.job.error, EFBIG);
    cr_assert(w.written == 60 && !w.unsynced);
    unlink(path);
    close(fd);
}

Test(file_thread, a_failed_sync_is_told_apart)
{
    int pipes[2];
    cr_assert_eq(pipe(pipes), 0);
    close(pipes[0]);
    struct file_thread *t = file_thread_start("test");
    struct file_write w = {.job.done = nothing};
    file_write_prepare(&w, pipes[1], "", 0, 0, true); /* nothing to write, and no pipe can be synced */
    file_thread_add(t, &w.job);
    file_thread_stop(t);
    cr_assert_eq(w.job.error, EINVAL);
    cr_assert(w.unsynced);
    close(pipes[1]);
}
