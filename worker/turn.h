/* turn.h - runs the requests of the connections that have input, once a turn of the loop.
 *
 * First every readable socket is read, then the requests of all of them are run in batches: a batch takes requests from
 * as many connections as it needs to be full, looks them up ahead (command/exec.h), and runs them. So the memory that one
 * request needs comes into the cache while others are parsed, whether one client sends a hundred requests or a hundred
 * clients send one each. A connection runs a bounded number of batches a turn; what is left over is next turn's.
 *
 * A command that cannot run for want of committed memory, or because another process stays long in its shard, parks its
 * connection: nothing further of it is read or parsed till that ran, so its order holds, and the worker's other clients
 * are served meanwhile.
 *
 * Process: worker. Locks: none held between calls. Crash: unanswered requests are lost with their worker.
 */
#ifndef KVSTASH_WORKER_TURN_H
#define KVSTASH_WORKER_TURN_H

#include "worker/conn.h"

#define TURN_BATCH 64           /* requests looked up ahead together */
#define TURN_CONN_BATCHES_MAX 4 /* batches that one connection runs before others have their turn */
#define TURN_BATCHES_MAX 32     /* batches run before sockets are looked at again */

/* Makes the watchers. */
void turn_start(struct worker *w);
/* The connection has input: it is run at the end of this turn. */
void turn_ready(struct conn *c);
/* Runs what all ready connections have sent. They may be closed in it. */
void turn_run(struct worker *w);
/* The connection closes: whatever is kept of it here is dropped. */
void turn_forget(struct conn *c);

#endif
