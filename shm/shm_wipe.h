/* shm_wipe.h - empties the whole keyspace at once, whatever state it is in: before a load, and after one that died half-way.
 *
 * No structure is followed: every span that a shard uses goes back to the pool, and every word that a shard keeps becomes what it is in
 * a fresh region. So a keyspace that a loader left half-made needs no repair, and a large one is gone in the time that its span
 * words take (32 KiB each).
 *
 * Process: who loads. Locks: none; the gate is closed and no loader is at work (shm_gate.h). Crash: done again from the front.
 */
#ifndef KVSTASH_SHM_WIPE_H
#define KVSTASH_SHM_WIPE_H

#include "shm/shm_region.h"

void shm_wipe(struct shm_region *r);

#endif
