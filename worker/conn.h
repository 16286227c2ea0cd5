/* conn.h - one client's connection: bytes in and bytes out; turn.h runs what lies between.
 *
 * A readable socket is read once and the connection is handed to turn.h, which runs its requests when every readable
 * socket was read; the replies leave with one write, and what the socket does not take waits for it to be writable.
 *
 * Process: worker. Locks: none held between calls. Crash: the connection is lost with its worker; nothing else.
 */
#ifndef KVSTASH_WORKER_CONN_H
#define KVSTASH_WORKER_CONN_H

#include "base/buf.h"
#include "command/session.h"
#include "resp/resp_parse.h"
#include "worker/worker.h"

struct turn_parked;

struct conn {
    struct session session;
    struct worker *worker;
    struct conn *next, *prev;
    ev_io io;
    int events;                 /* what io waits for now */
    bool closing;               /* nothing further is read; closed once its replies are out */
    struct buf in, out;
    struct resp_parser parser;
    struct turn_parked *parked; /* requests parsed and not yet run; NULL: none. turn.c's, like the next three */
    struct conn *next_parked;
    struct conn_list *list;     /* the list it is on: worker->ready, answered; NULL: none */
    struct conn *list_next, *list_prev;
    unsigned turns;             /* batches run since it became ready, with the one to come */
    struct conn *next_monitor;  /* monitors.c's */
    bool monitors;              /* it is in the worker's list of monitors */
    bool held;                  /* its replies wait for the disk; hold.c's, like the next two */
    struct conn *held_next, *held_prev;
    ev_tstamp soft_since;       /* its replies are over the soft limit since then; 0: they are not */
    ev_tstamp opened;           /* loop time of its beginning */
    ev_tstamp active;           /* loop time of its last bytes in or out */
};

/* Takes over an accepted socket (non-blocking, close-on-exec). False if memory is short or the peer gone: it stays the caller's. */
bool conn_open(struct worker *w, int fd, uint32_t session_flags);
void conn_close(struct conn *c);
/* Writes what the socket takes, and waits for what comes next. False: the connection was closed. */
bool conn_flush(struct conn *c);
/* The regular look: gives idle memory back, closes what was idle too long. False if it was closed. */
bool conn_cron(struct conn *c, ev_tstamp now, ev_tstamp timeout);
/* Bytes of private memory that the connection holds. */
size_t conn_bytes(const struct conn *c);

#endif
