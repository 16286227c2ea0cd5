/* bench_load.c - runs one test against one server (see bench_load.h).
 *
 * What the kernel does not take of a batch at once is copied to its connection and sent when there is room; usually that is
 * nothing, so a connection has no buffers of its own. All replies are read into one buffer and stepped over.
 */
#include "cli/bench_load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xassert.h"

#define READ_BYTES (256u << 10)
#define EVENTS 256
#define STALL_NS 30000000000u     /* no reply for so long: the server is given up */
#define PROGRESS_NS 250000000u
#define SPIN_NS 60000u            /* the schedule is met by spinning when this near: a sleep takes about that long */
#define BATCH_BYTES_MAX ((size_t)1 << 30)
#define SPARE_FILES 64u

struct conn {
    int fd;
    bool wants_write;
    uint32_t waiting;  /* replies still to come; 0: idle */
    uint32_t batch;    /* requests of the batch on its way */
    uint64_t begun_ns; /* when it was sent, or should have been */
    struct bench_reply_scan scan;
    struct buf unsent;
};

struct load {
    const struct bench_options *options;
    struct bench_requests requests;
    struct bench_result *result;
    struct conn *conn;
    unsigned conns;
    unsigned *idle; /* stack of idle connections */
    unsigned idles;
    int epoll;
    char *bytes;    /* READ_BYTES */
    uint64_t begin_ns, end_ns, last_reply_ns, shown_ns;
    uint64_t limit, sent; /* requests */
    double batch_ns; /* open loop: from one batch to the next; 0: closed loop */
    uint64_t batches; /* begun */
    bench_load_progress *progress;
    void *progress_arg;
};

static uint64_t
own_cpu_us(void)
{
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return (uint64_t)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1000000u + (uint64_t)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
}

static bool
fail(struct load *l, const char *what)
{
    snprintf(l->result->error, sizeof l->result->error, "%s", what);
    return false;
}

/* ---- connections -------------------------------------------------------------------------------- */

static bool
raise_file_limit(struct load *l)
{
    struct rlimit r;
    rlim_t need = l->conns + SPARE_FILES;
    getrlimit(RLIMIT_NOFILE, &r);
    if (r.rlim_cur >= need)
        return true;
    r.rlim_cur = need;
    if (r.rlim_max < need)
        r.rlim_max = need;
    if (setrlimit(RLIMIT_NOFILE, &r) == 0)
        return true;
    snprintf(l->result->error, sizeof l->result->error,
             "%u connections need %u open files, more than this process may have; raise the limit (ulimit -n) or use fewer "
             "connections (-c)",
             l->conns, (unsigned)need);
    return false;
}

/* Opens like any client, then keeps only the socket. */
static bool
conn_open(struct load *l, unsigned i, const struct link_address *address)
{
    struct link link;
    struct conn *c = &l->conn[i];
    bool ok = link_open(&link, address);
    if (ok) {
        c->fd = link.fd;
        link.fd = -1;
        fcntl(c->fd, F_SETFL, O_NONBLOCK);
        struct epoll_event e = { .events = EPOLLIN, .data.u32 = i };
        ok = epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &e) == 0 || fail(l, strerror(errno));
        l->idle[l->idles++] = i;
    } else {
        fail(l, link.error);
    }
    link_close(&link);
    return ok;
}

static bool
open_all(struct load *l, const struct link_address *address)
{
    l->conn = calloc(l->conns, sizeof *l->conn);
    l->idle = calloc(l->conns, sizeof *l->idle);
    l->bytes = malloc(READ_BYTES);
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (l->conn == NULL || l->idle == NULL || l->bytes == NULL || l->epoll < 0)
        return fail(l, "Out of memory or files for the connections");
    for (unsigned i = 0; i < l->conns; i++) {
        l->conn[i].fd = -1;
        buf_init(&l->conn[i].unsent);
    }
    if (!raise_file_limit(l))
        return false;
    for (unsigned i = l->conns; i-- > 0;) /* the stack of idle ones then begins with connection 0 */
        if (!conn_open(l, i, address))
            return false;
    return true;
}

static void
close_all(struct load *l)
{
    for (unsigned i = 0; l->conn != NULL && i < l->conns; i++) {
        if (l->conn[i].fd >= 0)
            close(l->conn[i].fd);
        buf_destroy(&l->conn[i].unsent);
    }
    if (l->epoll >= 0)
        close(l->epoll);
    free(l->conn);
    free(l->idle);
    free(l->bytes);
}

/* ---- sending ------------------------------------------------------------------------------------ */

static void
watch_writes(struct load *l, unsigned i, bool on)
{
    struct conn *c = &l->conn[i];
    if (c->wants_write == on)
        return;
    c->wants_write = on;
    struct epoll_event e = { .events = EPOLLIN | (on ? EPOLLOUT : 0u), .data.u32 = i };
    epoll_ctl(l->epoll, EPOLL_CTL_MOD, c->fd, &e);
}

/* How many of n bytes the socket took; -1 with an error. */
static ssize_t
push(struct load *l, const struct conn *c, const char *bytes, size_t n)
{
    ssize_t sent = send(c->fd, bytes, n, MSG_NOSIGNAL);
    if (sent >= 0 || errno == EAGAIN || errno == EINTR)
        return sent >= 0 ? sent : 0;
    fail(l, strerror(errno));
    return -1;
}

/* Begins a batch on an idle connection. */
static bool
begin(struct load *l, unsigned i, uint64_t when_ns)
{
    struct conn *c = &l->conn[i];
    uint64_t left = l->limit - l->sent;
    uint32_t n = (uint32_t)l->options->pipeline;
    if (n > left)
        n = (uint32_t)left;
    size_t bytes = bench_requests_batch(&l->requests, n);
    if (bytes == 0)
        return fail(l, "Out of memory for the requests");
    c->waiting = c->batch = n;
    c->begun_ns = when_ns;
    l->sent += n;
    ssize_t sent = push(l, c, l->requests.batch.data, bytes);
    if (sent < 0)
        return false;
    if ((size_t)sent < bytes) {
        buf_append(&c->unsent, l->requests.batch.data + sent, bytes - (size_t)sent);
        if (buf_failed(&c->unsent))
            return fail(l, "Out of memory for the requests");
        watch_writes(l, i, true);
    }
    return true;
}

static bool
on_writable(struct load *l, unsigned i)
{
    struct conn *c = &l->conn[i];
    ssize_t sent = push(l, c, buf_head(&c->unsent), buf_pending(&c->unsent));
    if (sent < 0)
        return false;
    buf_consume(&c->unsent, (size_t)sent);
    if (buf_pending(&c->unsent) == 0)
        watch_writes(l, i, false);
    return true;
}

/* Open loop: begins what is due, as far as connections are free. What is still due at the end is left out. */
static bool
begin_due(struct load *l, uint64_t now)
{
    while (l->idles > 0 && l->sent < l->limit) {
        uint64_t due = l->begin_ns + (uint64_t)((double)l->batches * l->batch_ns);
        if (due > now || now >= l->end_ns)
            return true;
        l->batches++;
        if (!begin(l, l->idle[--l->idles], due))
            return false;
    }
    return true;
}

/* ---- replies ------------------------------------------------------------------------------------ */

/* The batch's last reply is there: another one, or idle. */
static bool
batch_ended(struct load *l, unsigned i)
{
    struct conn *c = &l->conn[i];
    uint64_t now = (uint64_t)clock_ns();
    bench_histogram_add(&l->result->latency, now > c->begun_ns ? now - c->begun_ns : 0, c->batch);
    l->last_reply_ns = now;
    if (l->batch_ns == 0 && now < l->end_ns && l->sent < l->limit)
        return begin(l, i, now);
    l->idle[l->idles++] = i;
    return true;
}

static bool
on_readable(struct load *l, unsigned i)
{
    struct conn *c = &l->conn[i];
    struct bench_reply_count *count = &l->result->count;
    ssize_t n = recv(c->fd, l->bytes, READ_BYTES, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (n <= 0)
        return fail(l, n == 0 ? "The server closed a connection" : strerror(errno));
    uint64_t before = count->replies;
    if (!bench_reply_scan(&c->scan, &l->requests.shape[0].hint, l->bytes, (size_t)n, count))
        return fail(l, "The server sent bytes that are no reply");
    if (count->replies - before > c->waiting)
        return fail(l, "The server sent more replies than it got requests");
    if (count->replies == before)
        return true;
    c->waiting -= (uint32_t)(count->replies - before);
    return c->waiting > 0 || batch_ended(l, i);
}

static bool
on_event(struct load *l, const struct epoll_event *e)
{
    if ((e->events & EPOLLOUT) != 0 && !on_writable(l, e->data.u32))
        return false;
    return (e->events & ~(uint32_t)EPOLLOUT) == 0 || on_readable(l, e->data.u32);
}

/* ---- the loop ----------------------------------------------------------------------------------- */

/* How long to sleep: till the next batch is due, less what a sleep takes longer; or till something should be said. */
static struct timespec
patience(const struct load *l, uint64_t now)
{
    uint64_t ns = PROGRESS_NS;
    if (l->batch_ns > 0 && l->idles > 0) {
        uint64_t due = l->begin_ns + (uint64_t)((double)l->batches * l->batch_ns);
        uint64_t left = due > now + SPIN_NS ? due - now - SPIN_NS : 0;
        if (left < ns)
            ns = left;
    }
    return (struct timespec){ .tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u) };
}

static bool
turn(struct load *l)
{
    struct epoll_event events[EVENTS];
    uint64_t now = (uint64_t)clock_ns();
    struct timespec timeout = patience(l, now);
    int n = epoll_pwait2(l->epoll, events, EVENTS, &timeout, NULL);
    for (int i = 0; i < n; i++)
        if (!on_event(l, &events[i]))
            return false;
    now = (uint64_t)clock_ns();
    if (l->idles < l->conns && now - l->last_reply_ns > STALL_NS && now - l->begin_ns > STALL_NS)
        return fail(l, "No reply for 30 seconds");
    if (l->progress != NULL && now - l->shown_ns >= PROGRESS_NS) {
        l->shown_ns = now;
        l->progress(l->progress_arg, l->result->count.replies, (double)(now - l->begin_ns) / 1e9);
    }
    return l->batch_ns == 0 || begin_due(l, now);
}

static bool
is_over(const struct load *l)
{
    bool all_sent = l->sent >= l->limit || (uint64_t)clock_ns() >= l->end_ns;
    return all_sent && l->idles == l->conns;
}

static bool
run(struct load *l)
{
    l->begin_ns = l->shown_ns = l->last_reply_ns = (uint64_t)clock_ns();
    l->end_ns = l->limit != UINT64_MAX ? UINT64_MAX : l->begin_ns + (uint64_t)(l->options->seconds * 1e9);
    unsigned idles = l->batch_ns == 0 ? l->idles : 0;
    for (unsigned k = 0; k < idles && l->sent < l->limit; k++)
        if (!begin(l, l->idle[--l->idles], (uint64_t)clock_ns()))
            return false;
    while (!is_over(l))
        if (!turn(l))
            return false;
    l->result->seconds = (double)(l->last_reply_ns - l->begin_ns) / 1e9;
    return true;
}

/* The run between two readings of the clocks of processors. */
static bool
run_measured(struct load *l, pid_t server)
{
    struct bench_cpu before, after;
    bool has_cpu = server > 0 && bench_cpu_read(&before, server);
    uint64_t own = own_cpu_us();
    bool ok = run(l);
    l->result->generator_us = own_cpu_us() - own;
    if (has_cpu && bench_cpu_read(&after, server)) {
        l->result->has_cpu = true;
        l->result->cpu = bench_cpu_between(&before, &after);
    }
    return ok;
}

static bool
prepare(struct load *l, const char *test, size_t test_len)
{
    const struct bench_options *o = l->options;
    if (!bench_requests_create(&l->requests, test, test_len, o))
        return fail(l, "Out of memory for the requests");
    if (bench_requests_longest(&l->requests) * (size_t)o->pipeline > BATCH_BYTES_MAX)
        return fail(l, "A batch of requests would exceed 1 GiB: use a smaller --pipeline or --data");
    l->limit = l->requests.sequential ? l->requests.keys : o->requests > 0 ? (uint64_t)o->requests : UINT64_MAX;
    l->batch_ns = o->rate > 0 ? 1e9 * (double)o->pipeline / o->rate : 0;
    return true;
}

bool
bench_load_run(const struct link_address *address, const char *test, size_t test_len, const struct bench_options *o,
               pid_t server, bench_load_progress *progress, void *arg, struct bench_result *result)
{
    struct load l = { .options = o,
                      .result = result,
                      .conns = (unsigned)o->connections,
                      .epoll = -1,
                      .progress = progress,
                      .progress_arg = arg };
    memset(result, 0, sizeof *result);
    bool ok = prepare(&l, test, test_len) && open_all(&l, address) && run_measured(&l, server);
    close_all(&l);
    bench_requests_destroy(&l.requests);
    return ok;
}
