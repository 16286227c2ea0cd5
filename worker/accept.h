/* accept.h - new connections: limits and refusals before a client may speak.
 *
 * Process: worker. Locks: none. Fails: a refused client is told why before its socket is closed.
 */
#ifndef KVSTASH_WORKER_ACCEPT_H
#define KVSTASH_WORKER_ACCEPT_H

#include "worker/worker.h"

/* Starts to accept from this slot's listeners. */
void accept_start(struct worker *w);
/* Accepts once what waits at the listeners of all slots, as if it had come to this one's: an owner is stuck or dead. */
void accept_all(struct worker *w);
/* Accepts nothing any more (the sockets stay open: they are the master's). */
void accept_stop(struct worker *w);

#endif
