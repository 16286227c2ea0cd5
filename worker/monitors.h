/* monitors.h - this worker's clients in MONITOR: lines that were shown anywhere go out to them.
 *
 * Process: worker. Locks: none held between calls.
 */
#ifndef KVSTASH_WORKER_MONITORS_H
#define KVSTASH_WORKER_MONITORS_H

#include "worker/conn.h"

/* The connection's session is in MONITOR since its last command. */
void monitors_add(struct conn *c);
/* The connection ends. */
void monitors_forget(struct conn *c);
/* Lines for a connection behind what it was answered so far; it may not be closed in this. */
void monitors_fill(struct conn *c);
/* Sends all of them what is new, until there is nothing more; afterwards the loop may sleep. They may be closed in it. */
void monitors_before_sleep(struct worker *w);
/* The loop has slept. */
void monitors_after_sleep(struct worker *w);

#endif
