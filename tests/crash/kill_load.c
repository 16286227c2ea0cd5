/* kill_load.c - workers are killed under load, and the whole history is checked.
 *
 *     kill_load PORT DEATHS [CONNECTIONS [SEED [PAUSE_US]]]
 *
 * Connections send batches of writes and reads and check every reply byte for byte against an exact model; one whose
 * worker dies connects again and finds which prefix of its batch was done. Meanwhile workers are ended one by one, in
 * turn by SIGKILL, SIGSEGV, SIGABRT, and, where the server is a build with crash points, at a random store of the write
 * path (DEBUG CRASH-POINT). With PAUSE_US a connection waits so long between batches, so that the machine is not full and
 * waits tell about the server. Counted: disconnects of connections whose worker was not killed (must be none), the longest
 * wait of others after each death, beside the longest wait of as long a time without a death, and how long until a new worker serves.
 *
 * Ends with a summary line and status 0, or says what was wrong and ends with 1. All bounds are in the arguments.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/crash/kill_model.h"

#define BATCH_MAX 16
#define CONNS_MAX 64
#define WORKERS_MAX 64
#define WINDOW_NS 50000000LL /* after a death: in it the others' waits are counted */
#define SERVE_LIMIT_NS 5000000000LL

enum conn_state { IDENTIFY, RESOLVE, LOAD, PAUSE };

struct conn {
    int fd;
    enum conn_state state;
    unsigned worker;                /* its worker */
    uint64_t opened;                /* deaths so far when it was opened */
    unsigned dying;                 /* IDENTIFY: whose owner was to die when the question left; WORKERS_MAX: nobody's */
    struct model model;             /* before the batch in flight */
    struct model_op op[BATCH_MAX];
    unsigned ops;                   /* in the batch in flight */
    size_t op_end[BATCH_MAX];       /* where each op's reply ends in `expected`; SIZE_MAX while unknown */
    struct buf request, expected, in;
    size_t sent;
    unsigned answered;              /* whole replies received */
    size_t checked;                 /* bytes of `in` compared so far */
    int64_t sent_ns;
    int64_t due_ns;                 /* PAUSE: when the next batch begins */
    uint64_t shared_acked[MODEL_SHARED], shared_unknown[MODEL_SHARED];
};

struct death {
    int64_t at_ns;
    unsigned slot;
    int64_t longest_ns;             /* wait of others */
};

struct run {
    unsigned port, connections;
    int64_t pause_ns;
    uint64_t random;
    int epoll;
    struct conn conn[CONNS_MAX];
    uint64_t died;                  /* deaths so far */
    uint64_t slot_died[WORKERS_MAX]; /* number of the slot's last death */
    unsigned dying;                 /* slot whose owner is to die, until another serves; WORKERS_MAX: none */
    struct death now;               /* the last death; at_ns 0: window closed */
    int64_t calm_from_ns, calm_longest_ns;
    int64_t *waits, *calms, *serves;
    unsigned nwaits, ncalms, nserves;
    uint64_t operations, batches, reconnects;
};

static _Noreturn void
fail(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vfprintf(stderr, format, ap);
    va_end(ap);
    fprintf(stderr, "\n");
    exit(1);
}

static uint64_t
random_below(struct run *r, uint64_t n)
{
    r->random ^= r->random << 13;
    r->random ^= r->random >> 7;
    r->random ^= r->random << 17;
    return r->random % n;
}

/* ---- sockets -------------------------------------------------------------------------------------------------------------- */

static int
dial(unsigned port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a) != 0)
        fail("cannot connect to port %u: %s", port, strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    return fd;
}

static void
watch(struct run *r, struct conn *c, bool writing)
{
    struct epoll_event e = {.events = EPOLLIN | (writing ? EPOLLOUT : 0), .data.ptr = c};
    epoll_ctl(r->epoll, EPOLL_CTL_MOD, c->fd, &e);
}

static void
push(struct run *r, struct conn *c)
{
    while (c->sent < c->request.len) {
        ssize_t n = send(c->fd, c->request.data + c->sent, c->request.len - c->sent, MSG_NOSIGNAL);
        if (n < 0)
            break; /* full, or lost: reading will tell */
        c->sent += (size_t)n;
    }
    watch(r, c, c->sent < c->request.len);
}

static void
ask(struct run *r, struct conn *c, enum conn_state state)
{
    c->state = state;
    c->sent = 0;
    c->checked = 0;
    buf_clear(&c->in, SIZE_MAX);
    c->sent_ns = clock_ns();
    push(r, c);
}

static void
ask_who_serves(struct run *r, struct conn *c)
{
    c->dying = r->dying;
    buf_clear(&c->request, SIZE_MAX);
    buf_append_str(&c->request, "*2\r\n$6\r\nCLIENT\r\n$4\r\nINFO\r\n");
    ask(r, c, IDENTIFY);
}

static void
open_conn(struct run *r, struct conn *c)
{
    c->fd = dial(r->port);
    c->opened = r->died;
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(r->epoll, EPOLL_CTL_ADD, c->fd, &e);
    ask_who_serves(r, c);
}

/* ---- batches ----------------------------------------------------------------------------------------------------------------- */

static void
start_batch(struct run *r, struct conn *c)
{
    struct model m = c->model;
    c->ops = 1 + (unsigned)random_below(r, BATCH_MAX);
    c->answered = 0;
    buf_clear(&c->request, SIZE_MAX);
    buf_clear(&c->expected, SIZE_MAX);
    for (unsigned i = 0; i < c->ops; i++) {
        c->op[i] = model_choose(random_below(r, UINT64_MAX));
        model_request(&m, c->op[i], &c->request);
        model_apply(&m, c->op[i], &c->expected);
        c->op_end[i] = c->expected.len;
    }
    ask(r, c, LOAD);
}

static void
ask_for_dump(struct run *r, struct conn *c)
{
    buf_clear(&c->request, SIZE_MAX);
    model_dump_request(&c->model, &c->request);
    ask(r, c, RESOLVE);
}

/* The first `n` ops of the batch are what happened. */
static void
adopt(struct conn *c, unsigned n)
{
    struct buf ignored;
    buf_init(&ignored);
    for (unsigned i = 0; i < n; i++)
        model_apply(&c->model, c->op[i], &ignored);
    buf_destroy(&ignored);
    c->ops = c->answered = 0;
}

/* ---- checking replies -------------------------------------------------------------------------------------------------------- */

static void
note_wait(struct run *r, const struct conn *c, int64_t now)
{
    int64_t waited = now - c->sent_ns;
    if (r->now.at_ns && now - r->now.at_ns < WINDOW_NS && c->worker != r->now.slot) {
        if (waited > r->now.longest_ns)
            r->now.longest_ns = waited;
    } else if (r->calm_from_ns && c->sent_ns > r->calm_from_ns && now - r->calm_from_ns < WINDOW_NS && waited > r->calm_longest_ns) {
        r->calm_longest_ns = waited;
    }
}

/* An integer reply at the front of what was not looked at yet; false: incomplete. */
static bool
take_integer(struct conn *c)
{
    char *at = c->in.data + c->checked, *end = memchr(at, '\n', c->in.len - c->checked);
    if (!end)
        return false;
    if (*at != ':')
        fail("client %u: shared counter: reply %.60s", c->model.client, at);
    c->checked = (size_t)(end + 1 - c->in.data);
    return true;
}

/* Compares what arrived with what must come. Returns true when the batch is answered. */
static bool
check_batch(struct conn *c)
{
    while (c->answered < c->ops) {
        unsigned i = c->answered;
        size_t from = i ? c->op_end[i - 1] : 0, need = c->op_end[i] - from, have = c->in.len - c->checked;
        if (have == 0)
            return false;
        if (model_is_shared(c->op[i])) {
            if (!take_integer(c))
                return false;
            c->shared_acked[c->op[i].which % MODEL_SHARED]++;
        } else {
            size_t n = have < need ? have : need;
            if (memcmp(c->in.data + c->checked, c->expected.data + from, n) != 0)
                fail("client %u: op %u of the batch, %s: got %.80s, expected %.80s", c->model.client, i, model_name(c->op[i]),
                    c->in.data + c->checked, c->expected.data + from);
            if (have < need)
                return false;
            c->checked += need;
        }
        c->answered++;
    }
    if (c->checked != c->in.len)
        fail("client %u: %zu bytes more than expected", c->model.client, c->in.len - c->checked);
    return true;
}

/* The dump must be the model's after some prefix of the batch that holds all answered ops. Tells how long; -1: incomplete. */
static int
resolve(const struct conn *c)
{
    struct model m = c->model;
    struct buf want;
    bool partial = false;
    int found = -2;
    buf_init(&want);
    for (unsigned n = 0; n <= c->ops && found < 0; n++) {
        if (n > 0)
            model_apply(&m, c->op[n - 1], &want);
        buf_clear(&want, SIZE_MAX);
        if (n < c->answered)
            continue;
        model_dump_reply(&m, &want);
        if (c->in.len == want.len && memcmp(c->in.data, want.data, want.len) == 0)
            found = (int)n;
        else if (c->in.len < want.len && memcmp(c->in.data, want.data, c->in.len) == 0)
            partial = true;
    }
    buf_destroy(&want);
    return found >= 0 ? found : partial ? -1 : -2;
}

/* ---- connections die ----------------------------------------------------------------------------------------------------------- */

static void
lost(struct run *r, struct conn *c)
{
    if (c->state != IDENTIFY && r->slot_died[c->worker] <= c->opened)
        fail("client %u: disconnected from worker %u, which was not killed: connected after %lu deaths of %lu, the worker's last is number %lu",
            c->model.client, c->worker, (unsigned long)c->opened, (unsigned long)r->died, (unsigned long)r->slot_died[c->worker]);
    if (c->state == LOAD) {
        for (unsigned i = c->answered; i < c->ops; i++)
            if (model_is_shared(c->op[i]))
                c->shared_unknown[c->op[i].which % MODEL_SHARED]++;
    }
    r->reconnects++;
    close(c->fd);
    open_conn(r, c);
}

/* A slot's number does not tell the owner that is to die from its heir, and the heir may serve before the kernel has closed the dead
 * one's sockets: it lets go of the locks first. What is answered to a question that left afterwards is the heir's. */
static void
identified(struct run *r, struct conn *c)
{
    const char *w = strstr(c->in.data, "worker=");
    c->worker = w ? (unsigned)atoi(w + 7) : WORKERS_MAX;
    if (c->worker >= WORKERS_MAX)
        fail("CLIENT INFO tells no worker: %.200s", c->in.data);
    if (c->worker == c->dying)
        ask_who_serves(r, c);
    else
        ask_for_dump(r, c);
}

/* After a batch. */
static void
rest(struct run *r, struct conn *c)
{
    if (r->pause_ns == 0) {
        start_batch(r, c);
        return;
    }
    c->state = PAUSE;
    c->due_ns = clock_ns() + r->pause_ns;
}

static void
start_due(struct run *r)
{
    int64_t now = clock_ns();
    for (unsigned i = 0; i < r->connections; i++)
        if (r->conn[i].state == PAUSE && r->conn[i].due_ns <= now)
            start_batch(r, &r->conn[i]);
}

static void
on_bytes(struct run *r, struct conn *c)
{
    int n;
    switch (c->state) {
    case IDENTIFY:
        buf_append(&c->in, "", 1);
        c->in.len--;
        if (c->in.len > 2 && memcmp(c->in.data + c->in.len - 3, "\n\r\n", 3) == 0)
            identified(r, c);
        return;
    case RESOLVE:
        n = resolve(c);
        if (n == -2)
            fail("client %u: after a reconnect the state is none of those that its last %u requests (%u answered) allow", c->model.client, c->ops,
                c->answered);
        if (n >= 0) {
            adopt(c, (unsigned)n);
            start_batch(r, c);
        }
        return;
    case LOAD:
        if (!check_batch(c))
            return;
        note_wait(r, c, clock_ns());
        r->operations += c->ops;
        r->batches++;
        adopt(c, c->ops);
        rest(r, c);
        break;
    case PAUSE:
        fail("client %u: bytes without a request", c->model.client);
    }
}

static void
on_ready(struct run *r, struct conn *c, uint32_t events)
{
    if (events & EPOLLOUT)
        push(r, c);
    if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        return;
    if (!buf_reserve(&c->in, 65536))
        fail("no memory");
    ssize_t n = read(c->fd, c->in.data + c->in.len, c->in.cap - c->in.len - 1);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        lost(r, c);
        return;
    }
    c->in.len += (size_t)n;
    on_bytes(r, c);
}

/* Serves the load until a time. */
static void
load_until(struct run *r, int64_t until)
{
    struct epoll_event ev[64];
    for (int64_t now = clock_ns(); now < until; now = clock_ns()) {
        int n = epoll_wait(r->epoll, ev, 64, r->pause_ns ? 1 : (int)((until - now) / 1000000) + 1);
        for (int i = 0; i < n; i++)
            on_ready(r, ev[i].data.ptr, ev[i].events);
        if (r->pause_ns)
            start_due(r);
    }
}

/* ---- the killer ----------------------------------------------------------------------------------------------------------------- */

/* One request and its reply (the first 64 KiB at most) on a connection of its own; false: it was lost. */
static bool
ask_once(int fd, const char *request, char *reply, size_t room, const char *until)
{
    size_t len = 0;
    if (send(fd, request, strlen(request), MSG_NOSIGNAL) < 0)
        return false;
    do {
        ssize_t n = read(fd, reply + len, room - len - 1);
        if (n <= 0)
            return false;
        len += (size_t)n;
        reply[len] = '\0';
    } while (!strstr(reply, until) && len < room - 1);
    return true;
}

/* Process id of a worker and whether it serves; asks until an answer comes. */
static int
worker_pid(struct run *r, int *control, unsigned slot, bool *up)
{
    static char text[65536];
    char name[32];
    snprintf(name, sizeof name, "worker%u:pid=", slot);
    while (!ask_once(*control, "*2\r\n$4\r\nINFO\r\n$9\r\nprocesses\r\n", text, sizeof text, "housekeeper:pid")) {
        close(*control);
        *control = dial(r->port);
    }
    char *at = strstr(text, name);
    if (!at)
        return 0;
    char *end = strchr(at, '\r');
    *end = '\0';
    *up = strstr(at, "state=up") != NULL;
    return atoi(at + strlen(name));
}

/* Arms the n-th crash point from now in a worker (0: none): needs a connection that it serves. False: the server has no
 * crash points. */
static bool
arm(struct run *r, unsigned slot, uint64_t n)
{
    char reply[2048], request[128];
    for (int tries = 0; tries < 200; tries++) {
        int fd = dial(r->port);
        bool there = ask_once(fd, "*2\r\n$6\r\nCLIENT\r\n$4\r\nINFO\r\n", reply, sizeof reply, "\n\r\n");
        const char *w = there ? strstr(reply, "worker=") : NULL;
        if (w && (unsigned)atoi(w + 7) == slot) {
            char number[24];
            snprintf(number, sizeof number, "%lu", (unsigned long)n);
            snprintf(request, sizeof request, "*3\r\n$5\r\nDEBUG\r\n$11\r\nCRASH-POINT\r\n$%zu\r\n%s\r\n", strlen(number), number);
            if (n > 0)
                r->slot_died[slot] = ++r->died;
            bool ok = ask_once(fd, request, reply, sizeof reply, "\r\n") && reply[0] == '+';
            close(fd);
            return ok;
        }
        close(fd);
    }
    return false;
}

static void
one_death(struct run *r, int *control, unsigned workers, bool crash_points, unsigned number)
{
    static const int signals[] = {SIGKILL, SIGSEGV, SIGABRT};
    unsigned slot = (unsigned)random_below(r, workers);
    bool up = false;
    int pid = worker_pid(r, control, slot, &up);
    /* as long a time without a death, to tell the machine's own noise */
    r->calm_from_ns = clock_ns();
    r->calm_longest_ns = 0;
    load_until(r, r->calm_from_ns + WINDOW_NS);
    r->calms[r->ncalms++] = r->calm_longest_ns;
    r->calm_from_ns = 0;
    r->dying = slot;
    bool armed = crash_points && number % 2 == 1 && arm(r, slot, 1 + random_below(r, 4000));
    int64_t at = clock_ns();
    if (!armed) {
        r->slot_died[slot] = ++r->died;
        kill(pid, signals[random_below(r, 3)]);
        r->now = (struct death){.at_ns = at, .slot = slot};
    }
    for (;;) { /* under load until another process serves the slot */
        load_until(r, clock_ns() + 2000000);
        bool serves = false;
        int now_pid = worker_pid(r, control, slot, &serves);
        if (now_pid != pid && serves)
            break;
        if (armed && clock_ns() - at > SERVE_LIMIT_NS / 2) { /* it had nothing to store: end it all the same */
            kill(pid, SIGKILL);
            armed = false;
        }
        if (clock_ns() - at > SERVE_LIMIT_NS)
            fail("worker %u: nobody serves its slot %lld ms after a death", slot, SERVE_LIMIT_NS / 1000000);
    }
    r->dying = WORKERS_MAX;
    if (!armed && r->now.at_ns)
        r->serves[r->nserves++] = clock_ns() - at;
    if (r->now.at_ns) {
        load_until(r, r->now.at_ns + WINDOW_NS);
        r->waits[r->nwaits++] = r->now.longest_ns;
        r->now.at_ns = 0;
    }
}

/* ---- the end ---------------------------------------------------------------------------------------------------------------------- */

static int
ascending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static double
quantile_ms(int64_t *v, unsigned n, double q)
{
    if (n == 0)
        return 0;
    qsort(v, n, sizeof *v, ascending);
    return (double)v[(unsigned)(q * (n - 1))] / 1e6;
}

/* The sum of all acknowledged increments is there, and at most those beyond it whose fate is unknown. */
static unsigned
check_shared(const struct run *r, int control)
{
    unsigned keys = 0;
    for (unsigned k = 0; k < MODEL_SHARED; k++) {
        char request[64], reply[256];
        uint64_t acked = 0, unknown = 0;
        for (unsigned i = 0; i < r->connections; i++) {
            acked += r->conn[i].shared_acked[k];
            unknown += r->conn[i].shared_unknown[k];
        }
        snprintf(request, sizeof request, "*2\r\n$3\r\nGET\r\n$7\r\nshared%u\r\n", k);
        if (!ask_once(control, request, reply, sizeof reply, "\r\n"))
            fail("lost while reading shared%u", k);
        if (reply[0] == '$' && reply[1] != '-' && strchr(strchr(reply, '\n') + 1, '\n') == NULL)
            ask_once(control, "", reply + strlen(reply), sizeof reply - strlen(reply), "\r\n");
        uint64_t value = reply[1] == '-' ? 0 : strtoull(strchr(reply, '\n') + 1, NULL, 10);
        if (value < acked || value > acked + unknown)
            fail("shared%u is %lu: %lu increments were acknowledged, %lu are of unknown fate", k, (unsigned long)value, (unsigned long)acked,
                (unsigned long)unknown);
        keys += value != 0;
    }
    return keys;
}

static void
finish(struct run *r, int control)
{
    char reply[1024];
    uint64_t keys = 0;
    /* let every connection end its batch: afterwards the models are exact */
    for (unsigned i = 0; i < r->connections; i++) {
        struct conn *c = &r->conn[i];
        uint64_t before = r->batches;
        while (c->state < LOAD || r->batches == before)
            load_until(r, clock_ns() + 1000000);
    }
    for (unsigned i = 0; i < r->connections; i++) {
        struct conn *c = &r->conn[i];
        fcntl(c->fd, F_SETFL, 0);
        while (c->state == LOAD && !check_batch(c)) { /* the rest of the batch in flight, blocking */
            push(r, c);
            buf_reserve(&c->in, 65536);
            ssize_t n = read(c->fd, c->in.data + c->in.len, c->in.cap - c->in.len - 1);
            if (n <= 0)
                fail("client %u: lost at the end", c->model.client);
            c->in.len += (size_t)n;
        }
        adopt(c, c->ops);
        keys += model_keys(&c->model);
    }
    keys += check_shared(r, control);
    if (!ask_once(control, "*1\r\n$6\r\nDBSIZE\r\n", reply, sizeof reply, "\r\n") || strtoull(reply + 1, NULL, 10) != keys)
        fail("DBSIZE says %.40s, the models have %lu keys", reply, (unsigned long)keys);
    if (!ask_once(control, "*2\r\n$5\r\nDEBUG\r\n$12\r\nCHECK-REGION\r\n", reply, sizeof reply, "\r\n") || reply[0] != '+')
        fail("region check: %.300s", reply);
}

int
main(int argc, char **argv)
{
    static struct run r;
    unsigned deaths = argc > 2 ? (unsigned)atoi(argv[2]) : 0, workers = 0;
    bool up;
    if (argc < 3 || deaths == 0)
        fail("usage: kill_load PORT DEATHS [CONNECTIONS [SEED [PAUSE_US]]]");
    r.port = (unsigned)atoi(argv[1]);
    r.dying = WORKERS_MAX;
    r.connections = argc > 3 ? (unsigned)atoi(argv[3]) : 16;
    r.pause_ns = argc > 5 ? strtoll(argv[5], NULL, 10) * 1000 : 0;
    r.random = argc > 4 ? strtoull(argv[4], NULL, 10) : 88172645463325252ull;
    if (r.connections < 1 || r.connections > CONNS_MAX)
        fail("connections: 1 to %d", CONNS_MAX);
    r.epoll = epoll_create1(EPOLL_CLOEXEC);
    r.waits = calloc(deaths, sizeof *r.waits);
    r.calms = calloc(deaths, sizeof *r.calms);
    r.serves = calloc(deaths, sizeof *r.serves);
    int control = dial(r.port);
    while (workers < WORKERS_MAX && worker_pid(&r, &control, workers, &up))
        workers++;
    char reply[64];
    if (!ask_once(control, "*1\r\n$8\r\nFLUSHALL\r\n", reply, sizeof reply, "\r\n") || reply[0] != '+')
        fail("FLUSHALL was refused: %s", reply);
    bool crash_points = arm(&r, 0, 0);
    for (unsigned i = 0; i < r.connections; i++) {
        r.conn[i].model.client = i;
        r.conn[i].model.seq = 1;
        open_conn(&r, &r.conn[i]);
    }
    for (unsigned d = 0; d < deaths; d++) {
        one_death(&r, &control, workers, crash_points, d);
        if (d % 100 == 99)
            fprintf(stderr, "%u deaths, %lu operations\n", d + 1, (unsigned long)r.operations);
    }
    close(control);
    control = dial(r.port);
    finish(&r, control);
    printf("deaths=%u workers=%u crash_points=%s operations=%lu reconnects=%lu lost=0 half_done=0 foreign_disconnects=0 "
           "longest_wait_p50_ms=%.2f longest_wait_p90_ms=%.2f without_death_p50_ms=%.2f without_death_p90_ms=%.2f "
           "new_worker_p50_ms=%.1f new_worker_p90_ms=%.1f\n",
        deaths, workers, crash_points ? "yes" : "no", (unsigned long)r.operations, (unsigned long)r.reconnects,
        quantile_ms(r.waits, r.nwaits, 0.5), quantile_ms(r.waits, r.nwaits, 0.9), quantile_ms(r.calms, r.ncalms, 0.5),
        quantile_ms(r.calms, r.ncalms, 0.9), quantile_ms(r.serves, r.nserves, 0.5), quantile_ms(r.serves, r.nserves, 0.9));
    return 0;
}
