/* expire.h - the active sweep of expired keys.
 *
 * Process: housekeeper. Locks: one shard at a time, in short transactions. Crash: each step is a transaction.
 */
#ifndef KVSTASH_COMMAND_EXPIRE_H
#define KVSTASH_COMMAND_EXPIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "command/engine.h"

/* Where the sweep stands; zeroed at the start. */
struct expire_sweep {
    unsigned shard, db;
    uint64_t cursor;        /* position of the next segment */
    uint64_t passes;        /* times the sweep came round */
    uint64_t expired;       /* keys deleted since the start */
};

/* One bounded step: looks at a number of segments, from where the last step stood, and deletes the expired keys of
 * those whose earliest expiry has come, with effect DEL. Returns how many keys were deleted. Call it often; when
 * sweep->passes moved without a deletion, there is nothing to do for a while (100 ms). */
uint64_t keyspace_expire_step(struct engine *e, struct expire_sweep *sweep);

#endif
