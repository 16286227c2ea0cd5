/* aof_render.h - from a record of the log to the commands that an append-only file holds.
 *
 * A record is what one transaction did: one command, or several between MULTI and EXEC; a SELECT stands where the database
 * changes. Form: Redis's protocol, arrays of bulk strings, as redis-server 7.0.15 writes its own.
 *
 * Process: persister. Locks: none. Fails: want of private memory is the buffer's; a payload that makes no sense is an assert.
 */
#ifndef KVSTASH_PERSIST_AOF_RENDER_H
#define KVSTASH_PERSIST_AOF_RENDER_H

#include <stdint.h>

#include "base/buf.h"

#define AOF_RENDER_NO_DB (-1)

/* Appends the commands of a payload (shm_ring.h has its form). *db is the database that is selected so far. */
void aof_render(struct buf *out, const char *payload, size_t n, unsigned effects, int64_t *db);

#endif
