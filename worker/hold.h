/* hold.h - replies that may not leave before what they tell is on the disk (appendfsync always).
 *
 * Each command notes the newest ticket of the shards that it read or wrote (command/persist.h). A connection whose replies are to
 * leave before that ticket is durable is held: it reads and writes nothing, the worker's others go on. The persister wakes the
 * worker whenever more is durable. While the disk fails, replies to writes stay held, reads are served.
 *
 * Process: worker. Locks: none. Crash: held replies are lost with their worker, as if they had been on their way.
 */
#ifndef KVSTASH_WORKER_HOLD_H
#define KVSTASH_WORKER_HOLD_H

#include "worker/conn.h"

/* Must the connection's replies wait? Then it is held from now on. */
bool hold_replies(struct conn *c);
/* Lets those go on whose time has come. Connections may be closed in it. */
void hold_release(struct worker *w);
/* The last thing before the worker waits: has the persister look at the log if it is to, and wake this worker. */
void hold_before_wait(struct worker *w);
/* The connection closes. */
void hold_forget(struct conn *c);

#endif
