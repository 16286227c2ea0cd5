/* pool.c - how large the reserve is, and keeping it so (see pool.h). Fails: refused memory lowers the region's limit. */
#include "housekeeper/pool.h"

#include "shm/shm_gate.h"
#include "shm/shm_span.h"

#define POOL_MIN (32u << 20)
#define POOL_MAX (256u << 20)
#define SPANS(bytes) ((uint64_t)(bytes) / SHM_SPAN_BYTES)
#define STEP_EXTENTS 4u
#define SECOND_NS 1000000000LL
#define SURPLUS_NS (3 * SECOND_NS)

void
pool_init(struct pool *p, struct shm_region *r, unsigned slot)
{
    *p = (struct pool){.region = r, .slot = slot, .limit = atomic_load(&r->header->committed_limit), .reserve = SPANS(POOL_MIN)};
}

/* Once a second: the reserve follows what was used, upwards at once, downwards slowly. Files that are loaded need none: loaders wait for
 * memory, and what is committed beyond the data would only be given back. */
static void
adapt(struct pool *p, uint64_t used, int64_t now_ns)
{
    if (now_ns - p->second_ns < SECOND_NS)
        return;
    uint64_t quarter = used > p->used_before && shm_gate_is_open(p->region) ? (used - p->used_before) / 4 : 0;
    uint64_t wanted = quarter < SPANS(POOL_MIN) ? SPANS(POOL_MIN) : quarter > SPANS(POOL_MAX) ? SPANS(POOL_MAX) : quarter;
    p->reserve = wanted > p->reserve ? wanted : p->reserve - (p->reserve - wanted + 1) / 2;
    p->used_before = used;
    p->second_ns = now_ns;
}

/* Commits what `lacking` spans need, a few extents at a time. */
static bool
commit(struct pool *p, uint64_t lacking, int64_t now_ns)
{
    struct shm_header_sh *h = p->region->header;
    uint64_t extents = (lacking + SHM_SPANS_PER_EXTENT - 1) / SHM_SPANS_PER_EXTENT;
    unsigned step = extents < STEP_EXTENTS ? (unsigned)extents : STEP_EXTENTS;
    if (atomic_load(&h->committed_extents) >= atomic_load(&h->committed_limit))
        return false;
    if (shm_region_commit(p->region, step) == step)
        return true;
    atomic_store(&h->committed_limit, atomic_load(&h->committed_extents));
    p->refused_ns = now_ns;
    return false;
}

/* Gives back a piece of what has been too much for a while. */
static void
give_back(struct pool *p, uint64_t spare, int64_t now_ns)
{
    uint64_t extents = spare > p->reserve ? (spare - p->reserve) / SHM_SPANS_PER_EXTENT : 0;
    if (extents == 0) {
        p->surplus_ns = 0;
        return;
    }
    if (p->surplus_ns == 0)
        p->surplus_ns = now_ns;
    if (now_ns - p->surplus_ns < SURPLUS_NS)
        return;
    unsigned n = extents < SHM_RETURN_EXTENTS_MAX ? (unsigned)extents : SHM_RETURN_EXTENTS_MAX;
    if (shm_return_begin(p->region, p->slot, &p->giving, n) == 0)
        p->surplus_ns = now_ns; /* the last extent is in use: look again later */
}

bool
pool_step(struct pool *p, int64_t now_ns, bool reclaiming)
{
    struct shm_header_sh *h = p->region->header;
    if (!shm_return_finish(p->region, p->slot, &p->giving))
        return false;
    uint64_t spare = shm_span_count_free(p->region), all = atomic_load(&h->committed_extents) * SHM_SPANS_PER_EXTENT;
    adapt(p, all > spare ? all - spare : 0, now_ns);
    if (p->refused_ns && now_ns - p->refused_ns > SECOND_NS) {
        atomic_store(&h->committed_limit, p->limit);
        p->refused_ns = 0;
    }
    uint64_t wanted = atomic_load(&h->commit_wanted);
    bool missed = wanted != p->wanted_before;
    p->wanted_before = wanted;
    uint64_t enough = reclaiming && !missed ? SPANS(POOL_MIN) / 2 : p->reserve;
    if (spare < enough)
        return commit(p, enough - spare, now_ns);
    give_back(p, spare, now_ns);
    return false;
}
