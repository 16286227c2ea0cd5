/* shm_return.h - giving committed extents back to the file system.
 *
 * Extents are committed from the front, so they are given back from the end: the last ones, when all their spans are free.
 * In two steps, because a reader without locks may still look where it once found something:
 *
 *   begin   claims every span of the extents, lowers committed_extents, raises the epoch
 *   finish  when every other process has passed that epoch: spans UNCOMMITTED, the file's pages punched out
 *
 * Process: housekeeper, the only one that commits. Locks: none. Crash: before committed_extents is lowered the claims are
 * swept like any; behind it the extents lie beyond the committed ones, and shm_region_commit makes their spans free again.
 */
#ifndef KVSTASH_SHM_RETURN_H
#define KVSTASH_SHM_RETURN_H

#include "shm/shm_region.h"

#define SHM_RETURN_EXTENTS_MAX 16u

struct shm_return {
    uint64_t first;  /* the lowest extent that is on its way */
    unsigned n;      /* how many; 0: none */
    uint64_t epoch;  /* all others must have passed it */
};

/* Takes up to n extents (at most SHM_RETURN_EXTENTS_MAX) from the end. Nothing may be on its way. Returns how many. */
unsigned shm_return_begin(struct shm_region *r, unsigned slot, struct shm_return *t, unsigned n);
/* True when nothing is on its way any more; false: somebody may still be looking, call again later. Nothing may be
 * committed in between. */
bool shm_return_finish(struct shm_region *r, unsigned slot, struct shm_return *t);

#endif
