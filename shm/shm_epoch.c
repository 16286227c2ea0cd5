/* shm_epoch.c - epochs of readers without locks (see shm_epoch.h).
 *
 * Process: readers enter and leave, the housekeeper advances. Locks: none. Crash: a dead reader's word holds memory
 * back until its slot's recovery makes it quiescent; never wrong, only late.
 */
#include "shm/shm_epoch.h"

void
shm_epoch_enter(struct shm_region *r, unsigned slot)
{
    uint64_t now = atomic_load_explicit(&r->header->epoch, memory_order_acquire);
    /* seq_cst: the store must be seen before any of the reads that follow; pairs with shm_epoch_advance */
    atomic_store_explicit(&r->slots[slot].epoch, now, memory_order_seq_cst);
}

void
shm_epoch_leave(struct shm_region *r, unsigned slot)
{
    atomic_store_explicit(&r->slots[slot].epoch, SHM_EPOCH_QUIESCENT, memory_order_release);
}

uint64_t
shm_epoch_raise(struct shm_region *r)
{
    return atomic_fetch_add(&r->header->epoch, 1) + 1;
}

bool
shm_epoch_passed(const struct shm_region *r, uint64_t epoch, unsigned self)
{
    for (unsigned i = 0; i < r->nslots; i++)
        if (i != self && atomic_load(&r->slots[i].epoch) < epoch)
            return false;
    return true;
}

uint64_t
shm_epoch_advance(struct shm_region *r)
{
    uint64_t oldest = shm_epoch_raise(r);
    for (unsigned i = 0; i < r->nslots; i++) {
        uint64_t e = atomic_load(&r->slots[i].epoch);
        if (e < oldest)
            oldest = e;
    }
    return oldest;
}
