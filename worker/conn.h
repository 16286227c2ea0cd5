/* conn.h - one client's connection: bytes in, commands run, bytes out.
 *
 * A readable socket is read once, every complete request in the buffer is run in batches, and the replies leave with
 * one write; what the socket does not take waits for it to be writable. A command that cannot run for want of
 * committed memory parks the connection: nothing further is read or parsed till it ran, so its order holds.
 *
 * Process: worker. Locks: none held between calls. Crash: the connection is lost with its worker; nothing else.
 */
#ifndef KVSTASH_WORKER_CONN_H
#define KVSTASH_WORKER_CONN_H

#include "base/buf.h"
#include "command/session.h"
#include "resp/resp_parse.h"
#include "worker/worker.h"

#define CONN_BATCH 16

struct conn_parked;

struct conn {
    struct session session;
    struct worker *worker;
    struct conn *next, *prev;
    ev_io io;
    int events;                 /* what io waits for now */
    bool closing;               /* nothing further is read; closed once its replies are out */
    struct buf in, out;
    struct resp_parser parser;
    struct conn_parked *parked; /* requests parsed and not yet run; NULL: none */
    struct conn *next_parked;
    ev_tstamp opened;           /* loop time of its beginning */
    ev_tstamp active;           /* loop time of its last bytes in or out */
};

/* Takes over an accepted socket (non-blocking, close-on-exec). False, and closed, if memory is short or the peer gone. */
bool conn_open(struct worker *w, int fd, uint32_t session_flags);
void conn_close(struct conn *c);
/* Tries again what is parked. Returns false if the connection was closed. */
bool conn_retry(struct conn *c);
/* The regular look: gives idle memory back, closes what was idle too long. False if it was closed. */
bool conn_cron(struct conn *c, ev_tstamp now, ev_tstamp timeout);
/* Bytes of private memory that the connection holds. */
size_t conn_bytes(const struct conn *c);

#endif
