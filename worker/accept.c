/* accept.c - new connections (see accept.h).
 *
 * Each worker accepts from its slot's own sockets, a bounded number a turn, and from the others' too when the master asks for
 * it, because one of their owners stands still. While the pool has no memory for a client's record the queue keeps the clients; when the
 * region is full they are refused. The checks go from the cheap to the dear: protected
 * mode, then the limit of clients, which is a sum over all workers' counts; then the connection is conn.c's.
 */
#include "worker/accept.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "command/clients.h"
#include "shm/shm_alloc.h"
#include "worker/conn.h"

#define KEEPALIVE_PROBES 3
#define KEEPALIVE_MAX_S 32767 /* the kernel takes no more */
#define ACCEPT_PAUSE_S 0.1  /* after a failure that is not the client's */
#define ACCEPT_TOLD_S 60.   /* from one message about it to the next */
#define POOL_PAUSE_S 0.001  /* the housekeeper is adding memory */
#define ACCEPTS_A_TURN 64 /* so that a flood of connections does not starve those that are open */

static const char protected_text[] =
    "-DENIED This server is in protected mode: it has no password, so it serves clients on its own machine only. To connect from "
    "elsewhere, set a password (requirepass, on the server's machine with CONFIG SET or in the configuration file), or switch "
    "protected-mode off there if nobody else can reach the server's port.\r\n";

static bool
is_loopback(const struct sockaddr_storage *a)
{
    if (a->ss_family == AF_INET)
        return (ntohl(((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr) >> 24) == 127;
    if (a->ss_family == AF_INET6) {
        const struct in6_addr *six = &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr;
        return IN6_IS_ADDR_LOOPBACK(six) || (IN6_IS_ADDR_V4MAPPED(six) && six->s6_addr[12] == 127);
    }
    return a->ss_family == AF_UNIX;
}

/* The error is sent as far as the socket takes it; the client is not worth more. */
static void
refuse(int fd, const char *error)
{
    ssize_t n = send(fd, error, strlen(error), MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)n;
    close(fd);
}

static void
listen_on(struct worker *w)
{
    for (unsigned i = 0; i < w->heritage->addresses; i++)
        ev_io_start(w->loop, &w->listener[i]);
    if (w->heritage->unix_listener >= 0)
        ev_io_start(w->loop, &w->unix_listener);
}

/* Counts the client in; false if the server is full. Each worker counts its own, so two that accept the last place at
 * the same time both refuse: the limit is never exceeded. */
static bool
take_place(struct worker *w)
{
    struct control_sh *control = w->engine.control;
    _Atomic uint64_t *own = &control->slot[w->engine.slot].clients;
    uint64_t all = 0;
    atomic_store(own, atomic_load(own) + 1);
    for (unsigned i = 0; i < w->heritage->workers; i++)
        all += atomic_load(&control->slot[i].clients);
    if (all <= (uint64_t)config_value(&control->config.live, PARAM_MAXCLIENTS))
        return true;
    atomic_store(own, atomic_load(own) - 1);
    return false;
}

/* Is the client from another machine, and nothing stands between it and the data? */
static bool
is_unprotected(const struct worker *w, uint32_t flags)
{
    return !(flags & SESSION_LOCAL) && config_yes(&w->engine, PARAM_PROTECTED_MODE) && !config_yes(&w->engine, PARAM_REQUIREPASS);
}

/* Small replies leave at once; a silent peer is probed after tcp-keepalive, three times in as long again. */
static void
prepare_tcp(const struct worker *w, int fd)
{
    int64_t idle = config_number(&w->engine, PARAM_TCP_KEEPALIVE);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    if (idle == 0)
        return;
    int after = idle < KEEPALIVE_MAX_S ? (int)idle : KEEPALIVE_MAX_S, between = after / KEEPALIVE_PROBES;
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &(int){1}, sizeof(int));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &after, sizeof after);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, between > 0 ? &between : &(int){1}, sizeof between);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &(int){KEEPALIVE_PROBES}, sizeof(int));
}

static void
welcome(struct worker *w, int fd, const struct sockaddr_storage *peer)
{
    struct control_slot_sh *own = &w->engine.control->slot[w->engine.slot];
    uint32_t flags = is_loopback(peer) ? SESSION_LOCAL : 0;
    if (is_unprotected(w, flags)) {
        refuse(fd, protected_text);
        return;
    }
    if (!config_yes(&w->engine, PARAM_REQUIREPASS))
        flags |= SESSION_AUTHENTICATED;
    if (!take_place(w)) {
        atomic_store(&own->refused, atomic_load(&own->refused) + 1);
        refuse(fd, "-ERR max number of clients reached\r\n");
        return;
    }
    if (peer->ss_family == AF_UNIX)
        flags |= SESSION_UNIX;
    else
        prepare_tcp(w, fd);
    atomic_store(&own->connections, atomic_load(&own->connections) + 1);
    if (!conn_open(w, fd, flags)) {
        atomic_store(&own->clients, atomic_load(&own->clients) - 1);
        refuse(fd, "-OOM no memory for another client\r\n");
    }
}

/* The queue keeps the clients meanwhile. Without a pause the loop would spin on it. */
static void
hold_off(struct worker *w, ev_tstamp seconds)
{
    accept_stop(w);
    ev_timer_set(&w->accept_again, seconds, 0.);
    ev_timer_start(w->loop, &w->accept_again);
}

/* Out of descriptors or memory. */
static void
tell_why(struct worker *w, int error)
{
    if (w->accept_told == 0 || ev_now(w->loop) - w->accept_told > ACCEPT_TOLD_S) {
        w->accept_told = ev_now(w->loop);
        log_warning("new connections wait: %s; raise the limit (ulimit -n) or lower maxclients", strerror(error));
    }
}

static void
on_accept_again(struct ev_loop *loop, ev_timer *t, int events)
{
    struct worker *w = ev_userdata(loop);
    (void)t;
    (void)events;
    if (!w->draining)
        listen_on(w);
}

/* Takes up to `most` connections off a listener. */
static void
accept_from(struct worker *w, int listener, int most)
{
    for (int i = 0; i < most; i++) {
        struct sockaddr_storage peer = {0};
        socklen_t len = sizeof peer;
        if (!clients_have_room(&w->engine) && shm_alloc_want(w->engine.region) == SHM_WANT_POOL) {
            hold_off(w, POOL_PAUSE_S);
            return;
        }
        int fd = accept4(listener, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
                tell_why(w, errno);
                hold_off(w, ACCEPT_PAUSE_S);
            }
            return; /* nobody left, or taken by another */
        }
        if (len == sizeof(sa_family_t))
            peer.ss_family = AF_UNIX; /* an unnamed peer */
        welcome(w, fd, &peer);
    }
}

static void
on_accept(struct ev_loop *loop, ev_io *io, int events)
{
    struct worker *w = ev_userdata(loop);
    (void)events;
    /* all workers wait at the one unix socket: who takes a single connection leaves the next one to others */
    accept_from(w, io->fd, io == &w->unix_listener ? 1 : ACCEPTS_A_TURN);
}

void
accept_all(struct worker *w)
{
    const struct heritage *h = w->heritage;
    for (unsigned i = 0; i < h->workers * h->addresses && !w->draining && !ev_is_active(&w->accept_again); i++)
        accept_from(w, h->listener[i], ACCEPTS_A_TURN);
}

void
accept_start(struct worker *w)
{
    const struct heritage *h = w->heritage;
    for (unsigned i = 0; i < h->addresses; i++)
        ev_io_init(&w->listener[i], on_accept, h->listener[w->engine.slot * h->addresses + i], EV_READ);
    ev_io_init(&w->unix_listener, on_accept, h->unix_listener, EV_READ);
    ev_timer_init(&w->accept_again, on_accept_again, ACCEPT_PAUSE_S, 0.);
    clients_have_room(&w->engine); /* some find place also when the data have taken all memory */
    listen_on(w);
}

void
accept_stop(struct worker *w)
{
    for (unsigned i = 0; i < w->heritage->addresses; i++)
        ev_io_stop(w->loop, &w->listener[i]);
    if (w->heritage->unix_listener >= 0)
        ev_io_stop(w->loop, &w->unix_listener);
}
