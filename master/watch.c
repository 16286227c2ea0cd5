/* watch.c - who is stuck and in the way (see watch.h).
 *
 * The idea: a child's loop raises the progress word of its slot, so a word that stands still for too long means a child that is
 * stopped or runs in circles. That alone harms nobody; it is killed only if it also holds what others need, and one child a look,
 * since the death of one may free the others. If the master itself looked late, all counting begins anew: what stopped it may
 * have stopped them. To kill is children.c's job.
 */
#include "master/watch.h"

#include <linux/futex.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "process/process.h"
#include "shm/shm_lock.h"
#include "shm/shm_proc.h"
#include "shm/shm_ring.h"

#define MS 1000000LL
#define LATE_NS (1000 * MS)    /* between two looks: the master was stopped or starved, and so may others have been */
#define STILL_NS (400 * MS)    /* without a turn of its loop, whose timer is a quarter of that: new clients are not left to it */
#define EPOCHS_BEHIND 20u      /* an epoch word that is older holds memory back */

/* The thread that holds a robust lock, 0: none. Of a child only the main thread takes locks, and its id is the process's. */
static uint32_t
holder(const pthread_mutex_t *m)
{
    return (uint32_t)m->__data.__lock & FUTEX_TID_MASK;
}

void
watch_init(struct watch *w, const struct heritage *h, unsigned slots)
{
    memset(w, 0, sizeof *w);
    w->heritage = h;
    w->slots = slots;
    w->looked_ns = clock_ns();
    for (unsigned i = 0; i < h->region->nshards; i++)
        w->shard_state[i] = (uint8_t)atomic_load(&h->region->shards[i].state);
}

static bool
holds_lock(const struct shm_region *r, uint32_t tid)
{
    for (unsigned id = 0; id < r->nshards + SHM_REGISTRIES; id++)
        if (holder(shm_lock_mutex(r, id)) == tid)
            return true;
    for (unsigned i = 0; i < r->nslots; i++)
        if (holder(&shm_region_journal(r, i)->recover) == tid)
            return true;
    return false;
}

static bool
memory_is_short(const struct shm_region *r)
{
    const struct shm_header_sh *h = r->header;
    return atomic_load(&h->free_spans) == 0 && atomic_load(&h->committed_extents) >= atomic_load(&h->committed_limit);
}

/* Are there records that the persister has not dealt with? Their writers will wait for it. */
static bool
log_waits(const struct shm_region *r)
{
    if (!shm_ring_logging(r))
        return false;
    for (unsigned i = 0; i < atomic_load(&r->header->ring_slots); i++)
        if (shm_ring_filled(&r->rings[i]) > 0)
            return true;
    return false;
}

static bool
in_the_way(const struct watch *w, unsigned slot)
{
    const struct shm_region *r = w->heritage->region;
    const struct shm_slot_sh *s = &r->slots[slot];
    uint64_t epoch = atomic_load(&s->epoch);
    if (atomic_load(&shm_region_journal(r, slot)->state) != SHM_JOURNAL_IDLE || atomic_load(&s->state) != SHM_PROC_UP)
        return true;
    if (atomic_load(&s->kind) == SHM_PROC_HOUSEKEEPER && atomic_load(&r->header->commit_wanted) != w->slot[slot].commit_wanted)
        return true;
    if (atomic_load(&s->kind) == SHM_PROC_PERSISTER && log_waits(r))
        return true;
    if (epoch != SHM_EPOCH_QUIESCENT && atomic_load(&r->header->epoch) - epoch > EPOCHS_BEHIND && memory_is_short(r))
        return true;
    return holds_lock(r, holder(&s->life));
}

/* Begins to count anew if the slot has changed. */
static bool
has_moved(struct watch *w, unsigned slot, int64_t now)
{
    const struct shm_region *r = w->heritage->region;
    const struct shm_slot_sh *s = &r->slots[slot];
    struct watch_slot *seen = &w->slot[slot];
    struct watch_slot is = {.progress = atomic_load(&s->progress), .state = atomic_load(&s->state), .owner = holder(&s->life),
        .commit_wanted = seen->commit_wanted, .since_ns = seen->since_ns};
    if (is.owner != 0 && memcmp(&is, seen, sizeof is) == 0)
        return false;
    is.commit_wanted = atomic_load(&r->header->commit_wanted);
    is.since_ns = now;
    *seen = is;
    return true;
}

pid_t
watch_look(struct watch *w, int64_t timeout_ms)
{
    int64_t now = clock_ns();
    bool late = now - w->looked_ns > LATE_NS;
    w->looked_ns = now;
    for (unsigned s = 0; s < w->slots; s++) {
        if (late)
            w->slot[s].owner = 0; /* judge nobody: as if it had just moved */
        if (has_moved(w, s, now) || now - w->slot[s].since_ns < timeout_ms * MS || !in_the_way(w, s))
            continue;
        w->slot[s].since_ns = now; /* and one at a time */
        return (pid_t)w->slot[s].owner;
    }
    return 0;
}

bool
watch_orphan(struct watch *w, int64_t timeout_ms)
{
    bool any = false;
    for (unsigned s = 0; s < w->slots && !any; s++)
        any = shm_proc_is_dead(w->heritage->region, s);
    int64_t now = clock_ns();
    if (!any || w->orphan_ns == 0)
        w->orphan_ns = any ? now : 0;
    if (w->orphan_ns == 0 || now - w->orphan_ns < timeout_ms * MS)
        return false;
    w->orphan_ns = now;
    return true;
}

/* A worker that runs something long, is stopped, or is dead without an heir yet, accepts nobody. */
static bool
stands_still(const struct watch *w, unsigned slot, int64_t now)
{
    return now - (int64_t)atomic_load_explicit(&w->heritage->region->slots[slot].heartbeat_ns, memory_order_relaxed) > STILL_NS;
}

void
watch_queues(const struct watch *w)
{
    int64_t now = clock_ns();
    bool any = false;
    for (unsigned s = 0; s < w->heritage->workers && !any; s++)
        any = stands_still(w, s, now);
    for (unsigned s = 0; s < w->heritage->workers && any; s++)
        if (!stands_still(w, s, now))
            process_want(w->heritage, s, SHM_PROC_WANTED_DRAIN);
}

bool
watch_owns_slot(const struct watch *w, pid_t pid)
{
    for (unsigned s = 0; s < w->slots; s++)
        if (holder(&w->heritage->region->slots[s].life) == (uint32_t)pid)
            return true;
    return false;
}

void
watch_shards(struct watch *w)
{
    const struct shm_region *r = w->heritage->region;
    for (unsigned i = 0; i < r->nshards; i++) {
        uint32_t state = atomic_load(&r->shards[i].state);
        if (state == w->shard_state[i])
            continue;
        w->shard_state[i] = (uint8_t)state;
        log_warning("shard %u is %s: processes died in it again and again; the other shards serve. Look at the last words of the dead "
                    "above, and at DEBUG CHECK-REGION", i, state == SHM_SHARD_OFF ? "switched off" : "read-only");
    }
}
