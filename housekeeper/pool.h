/* pool.h - keeps a reserve of committed memory ahead of the writers, and gives back what is far more than that.
 *
 * Committing an extent costs 0.3 to 6 ms, so it is done here and not by who needs it. The reserve is what a quarter of
 * the last second used, between POOL_MIN and POOL_MAX; while there is something on the reclaim lists, half of POOL_MIN is
 * enough, because freeing costs less than committing. Whole extents that have been beyond the reserve for some seconds go back to
 * the file system, from the end (shm_return.h): at rest less than one is beyond it, unless the last one is in use.
 *
 * When the file system has no more, the limit of the region is set to what is committed: writers then get -OOM instead
 * of waiting for memory that will not come; the limit is tried again each second.
 *
 * Process: housekeeper. Locks: none. Crash: see shm_region_commit and shm_return.h.
 */
#ifndef KVSTASH_HOUSEKEEPER_POOL_H
#define KVSTASH_HOUSEKEEPER_POOL_H

#include "shm/shm_region.h"
#include "shm/shm_return.h"

struct pool {
    struct shm_region *region;
    unsigned slot;
    uint64_t limit;            /* extents that the machine's limit allows; the region's own may be lowered below it */
    uint64_t reserve;          /* spans to keep free */
    uint64_t wanted_before;    /* commit_wanted at the last step: somebody who found nothing counts more than counts do */
    uint64_t used_before;      /* spans in use at the beginning of this second */
    int64_t second_ns;         /* when it began */
    int64_t refused_ns;        /* when memory was refused last; 0: it was not */
    int64_t surplus_ns;        /* since when there is more than enough; 0: there is not */
    struct shm_return giving;  /* extents on their way back */
};

void pool_init(struct pool *p, struct shm_region *r, unsigned slot);
/* Commits or gives back at most a few extents. `reclaiming`: memory will be freed without committing any. Returns true if
 * the reserve is not full yet (call again soon). */
bool pool_step(struct pool *p, int64_t now_ns, bool reclaiming);

#endif
