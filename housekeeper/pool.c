/* pool.c - memory ahead of the writers (see pool.h). */
#include "housekeeper/pool.h"

#include "shm/shm_span.h"

#define POOL_MIN (64u << 20)
#define POOL_MAX (1024u << 20)
#define STEP_EXTENTS 8u
#define SECOND_NS 1000000000LL

void
pool_init(struct pool *p, struct shm_region *r)
{
    *p = (struct pool){.region = r, .limit = atomic_load(&r->header->committed_limit), .reserve = POOL_MIN / SHM_SPAN_BYTES};
}

/* Once a second: the reserve follows what was used. */
static void
adapt(struct pool *p, uint64_t used, int64_t now_ns)
{
    if (now_ns - p->second_ns < SECOND_NS)
        return;
    uint64_t rate = used > p->used_before ? used - p->used_before : 0;
    uint64_t min = POOL_MIN / SHM_SPAN_BYTES, max = POOL_MAX / SHM_SPAN_BYTES;
    uint64_t wanted = rate < min ? min : rate > max ? max : rate;
    p->reserve = wanted > p->reserve ? wanted : p->reserve - (p->reserve - wanted) / 8;
    p->used_before = used;
    p->second_ns = now_ns;
}

bool
pool_step(struct pool *p, int64_t now_ns)
{
    struct shm_header_sh *h = p->region->header;
    uint64_t committed = atomic_load(&h->committed_extents);
    uint64_t spare = shm_span_count_free(p->region), all = committed * SHM_SPANS_PER_EXTENT;
    adapt(p, all > spare ? all - spare : 0, now_ns);
    if (p->refused_ns && now_ns - p->refused_ns > SECOND_NS) {
        atomic_store(&h->committed_limit, p->limit);
        p->refused_ns = 0;
    }
    uint64_t wanted = atomic_load(&h->commit_wanted);
    bool missed = wanted != p->wanted_before;
    p->wanted_before = wanted;
    if ((spare >= p->reserve && !missed) || committed >= atomic_load(&h->committed_limit))
        return false;
    if (shm_region_commit(p->region, STEP_EXTENTS) == STEP_EXTENTS)
        return true;
    atomic_store(&h->committed_limit, atomic_load(&h->committed_extents));
    p->refused_ns = now_ns;
    return false;
}
