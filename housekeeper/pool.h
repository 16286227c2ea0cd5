/* pool.h - keeps a reserve of committed memory ahead of the writers.
 *
 * Committing an extent costs 0.3 to 6 ms, so it is done here and not by who needs it. The reserve is what was used in
 * the last second, between POOL_MIN and POOL_MAX. When the file system has no more, the limit of the region is set to
 * what is committed: writers then get -OOM instead of waiting for memory that will not come; the limit is tried again
 * each second.
 *
 * Process: housekeeper. Locks: none. Crash: see shm_region_commit.
 */
#ifndef KVSTASH_HOUSEKEEPER_POOL_H
#define KVSTASH_HOUSEKEEPER_POOL_H

#include "shm/shm_region.h"

struct pool {
    struct shm_region *region;
    uint64_t limit;            /* extents that the machine's limit allows; the region's own may be lowered below it */
    uint64_t reserve;          /* spans to keep free */
    uint64_t wanted_before;    /* commit_wanted at the last step: somebody who found nothing counts more than hints */
    uint64_t used_before;      /* spans in use at the beginning of this second */
    int64_t second_ns;         /* when it began */
    int64_t refused_ns;        /* when memory was refused last; 0: it was not */
};

void pool_init(struct pool *p, struct shm_region *r);
/* Commits at most a few extents. Returns true if the reserve is not full yet (call again soon). */
bool pool_step(struct pool *p, int64_t now_ns);

#endif
