/* memory.h - private memory of clients: at the limit the largest are closed, so that the kernel never chooses.
 *
 * The limit is maxmemory-clients, and whatever that says, the server's share of the machine for private memory. What all
 * workers' clients hold together counts; one worker, the first that serves, looks at all of them and marks the largest
 * to be closed, as CLIENT KILL does. A client with CLIENT NO-EVICT is spared maxmemory-clients, not the machine's share.
 *
 * Process: worker. Locks: none.
 */
#ifndef KVSTASH_WORKER_MEMORY_H
#define KVSTASH_WORKER_MEMORY_H

#include "worker/worker.h"

/* A look, from the worker's regular work. */
void memory_look(struct worker *w);
/* May one client's buffers be so large? Judged when they grow, between the looks. */
bool memory_is_too_much(const struct worker *w, uint64_t bytes, uint32_t session_flags);

#endif
