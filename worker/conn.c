/* conn.c - one client's connection (see conn.h).
 *
 * One watcher a connection: for bytes, unless requests of it are parked, and for room, while replies are left. A client that
 * does not read its replies is closed by the output limits. Buffers grow with what is asked for and are given back after some
 * idle seconds. A connection that is to be closed first gets its replies (closing), and is taken off every list before it is
 * freed.
 */
#include "worker/conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "command/clients.h"
#include "worker/hold.h"
#include "worker/memory.h"
#include "worker/monitors.h"
#include "worker/turn.h"

#define READ_BYTES 32768u              /* room for one read */
#define READ_AHEAD_MAX (4u << 20)      /* room made at once for a large request whose length is known */
#define IDLE_TRIM_S 2.0                /* after which an empty buffer's memory is given back */

static void on_event(struct ev_loop *loop, ev_io *io, int events);

/* The worker's shared numbers. */
static struct control_slot_sh *
slot_of(const struct conn *c)
{
    return &c->worker->engine.control->slot[c->worker->engine.slot];
}

static void
count(_Atomic uint64_t *total, uint64_t n)
{
    atomic_store_explicit(total, atomic_load_explicit(total, memory_order_relaxed) + n, memory_order_relaxed);
}

/* ---- life ----------------------------------------------------------------------------------------------------- */

static void
wait_for(struct conn *c, int events)
{
    if (events == c->events)
        return;
    ev_io_stop(c->worker->loop, &c->io);
    c->events = events;
    if (events == 0)
        return;
    ev_io_set(&c->io, c->session.fd, events);
    ev_io_start(c->worker->loop, &c->io);
}

/* An address as CLIENT LIST shows it. */
static void
address_text(const struct sockaddr_storage *a, char text[64])
{
    char host[INET6_ADDRSTRLEN] = "?";
    if (a->ss_family == AF_INET) {
        const struct sockaddr_in *four = (const void *)a;
        inet_ntop(AF_INET, &four->sin_addr, host, sizeof host);
        snprintf(text, 64, "%s:%u", host, ntohs(four->sin_port));
    } else {
        const struct sockaddr_in6 *six = (const void *)a;
        inet_ntop(AF_INET6, &six->sin6_addr, host, sizeof host);
        snprintf(text, 64, "[%s]:%u", host, ntohs(six->sin6_port));
    }
}

/* Both ends of the connection in text. False: the peer has gone already. */
static bool
name_ends(struct session *s)
{
    struct sockaddr_storage a = {0};
    socklen_t len = sizeof a;
    if (getsockname(s->fd, (struct sockaddr *)&a, &len) != 0)
        return false;
    if (s->flags & SESSION_UNIX) {
        snprintf(s->local, sizeof s->local, "%.60s:0", ((const struct sockaddr_un *)(const void *)&a)->sun_path);
        memcpy(s->peer, s->local, sizeof s->peer);
        return true;
    }
    address_text(&a, s->local);
    len = sizeof a;
    if (getpeername(s->fd, (struct sockaddr *)&a, &len) != 0)
        return false;
    address_text(&a, s->peer);
    return true;
}

bool
conn_open(struct worker *w, int fd, uint32_t session_flags)
{
    struct conn *c = calloc(1, sizeof *c);
    if (!c)
        return false;
    c->worker = w;
    c->session.fd = fd;
    c->session.resp = 2;
    c->session.flags = session_flags;
    c->session.client = c;
    c->session.id = atomic_fetch_add(&w->engine.control->next_client, 1) + 1;
    if (!name_ends(&c->session) || !clients_add(&w->engine, &c->session)) {
        free(c);
        return false;
    }
    c->active = c->opened = ev_now(w->loop);
    buf_init(&c->in);
    buf_init(&c->out);
    resp_parser_init(&c->parser);
    c->next = w->conns;
    if (c->next)
        c->next->prev = c;
    w->conns = c;
    ev_io_init(&c->io, on_event, fd, 0);
    wait_for(c, EV_READ);
    return true;
}

void
conn_close(struct conn *c)
{
    struct worker *w = c->worker;
    struct control_slot_sh *s = &w->engine.control->slot[w->engine.slot];
    wait_for(c, 0);
    clients_remove(&w->engine, &c->session);
    close(c->session.fd);
    turn_forget(c);
    hold_forget(c);
    monitors_forget(c);
    if (w->sweep == c)
        w->sweep = c->next;
    if (c->prev)
        c->prev->next = c->next;
    else
        w->conns = c->next;
    if (c->next)
        c->next->prev = c->prev;
    atomic_store(&s->clients, atomic_load(&s->clients) - 1);
    buf_destroy(&c->in);
    buf_destroy(&c->out);
    resp_parser_destroy(&c->parser);
    free(c->session.name);
    free(c->session.user);
    free(c);
}

/* ---- out ------------------------------------------------------------------------------------------------------ */

/* client-output-buffer-limit: at the hard limit at once, over the soft one after its time. Counts a client that is to be
 * closed for it. */
static bool
is_over_limit(struct conn *c)
{
    struct config_output_limit limit = config_output_limit(&c->worker->engine.control->config.live, 0);
    uint64_t bytes = buf_pending(&c->out);
    ev_tstamp now = ev_now(c->worker->loop);
    bool soft = limit.soft && bytes > limit.soft;
    if (!soft)
        c->soft_since = 0;
    else if (c->soft_since == 0)
        c->soft_since = now;
    if ((limit.hard && bytes > limit.hard) || (soft && now - c->soft_since > (ev_tstamp)limit.soft_s)) {
        count(&slot_of(c)->output_limits, 1);
        return true;
    }
    if (!memory_is_too_much(c->worker, c->out.cap, c->session.flags))
        return false;
    count(&slot_of(c)->evicted_clients, 1);
    return true;
}

bool
conn_flush(struct conn *c)
{
    if (c->session.durable != 0 && hold_replies(c)) {
        wait_for(c, 0);
        return true;
    }
    while (buf_pending(&c->out) > 0) {
        ssize_t n = send(c->session.fd, buf_head(&c->out), buf_pending(&c->out), MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN) {
            conn_close(c);
            return false;
        }
        if (n < 0)
            break;
        buf_consume(&c->out, (size_t)n);
        c->active = ev_now(c->worker->loop);
        count(&slot_of(c)->writes, 1);
        count(&slot_of(c)->bytes_out, (uint64_t)n);
    }
    bool pending = buf_pending(&c->out) > 0;
    if ((c->closing && !pending) || (pending && is_over_limit(c))) {
        conn_close(c);
        return false;
    }
    wait_for(c, (c->closing || c->parked ? 0 : EV_READ) | (pending ? EV_WRITE : 0));
    return true;
}

/* ---- in ------------------------------------------------------------------------------------------------------- */

/* Is the unfinished request larger than a client may have it? */
static bool
is_too_long(const struct conn *c)
{
    return buf_pending(&c->in) > (uint64_t)config_number(&c->worker->engine, PARAM_CLIENT_QUERY_BUFFER_LIMIT) ||
        memory_is_too_much(c->worker, c->in.cap, c->session.flags);
}

/* Reads once. False: the connection was closed. */
static bool
fill(struct conn *c)
{
    size_t room = READ_BYTES;
    if (c->parser.wanted > room)
        room = c->parser.wanted < READ_AHEAD_MAX ? c->parser.wanted : READ_AHEAD_MAX;
    if (!buf_reserve(&c->in, room)) {
        conn_close(c);
        return false;
    }
    ssize_t n = read(c->session.fd, c->in.data + c->in.len, c->in.cap - c->in.len);
    if (n > 0) {
        c->in.len += (size_t)n;
        c->active = ev_now(c->worker->loop);
        count(&slot_of(c)->reads, 1);
        count(&slot_of(c)->bytes_in, (uint64_t)n);
        if (!is_too_long(c))
            return true;
        conn_close(c);
        return false;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    conn_close(c);
    return false;
}

static void
on_event(struct ev_loop *loop, ev_io *io, int events)
{
    struct conn *c = (struct conn *)((char *)io - offsetof(struct conn, io));
    (void)loop;
    if ((events & EV_WRITE) && !conn_flush(c))
        return;
    if ((events & EV_READ) && !c->closing && !c->parked && fill(c))
        turn_ready(c);
}

/* ---- regular look --------------------------------------------------------------------------------------------- */

size_t
conn_bytes(const struct conn *c)
{
    return sizeof *c + c->in.cap + c->out.cap + c->parser.args_cap * sizeof(struct resp_arg);
}

bool
conn_cron(struct conn *c, ev_tstamp now, ev_tstamp timeout)
{
    struct session *s = &c->session;
    bool idle = timeout > 0 && now - c->active > timeout && !c->parked && !c->held && !(s->flags & SESSION_MONITOR);
    if (clients_killed(s) || idle || (buf_pending(&c->out) > 0 && is_over_limit(c))) {
        conn_close(c);
        return false;
    }
    if (now - c->active > IDLE_TRIM_S && buf_pending(&c->in) == 0 && buf_pending(&c->out) == 0 && !c->parked) {
        buf_clear(&c->in, 0);
        buf_clear(&c->out, 0);
        resp_parser_trim(&c->parser);
    }
    s->last_ms = s->created_ms + (int64_t)((c->active - c->opened) * 1000);
    s->in_bytes = buf_pending(&c->in);
    s->in_free = c->in.cap - c->in.len;
    s->out_bytes = buf_pending(&c->out);
    s->memory = conn_bytes(c);
    clients_update(&c->worker->engine, s);
    return true;
}
