/* shm_gate.c - closing and opening the gate (see shm_gate.h).
 *
 * The state is stored first and then every shard's lock is taken and dropped once. Who enters a shard looks at the state under its
 * lock: before the pass it was in time and is out when the lock has been had, after it it sees the gate closed.
 */
#include "shm/shm_gate.h"

#include <time.h>

#include "base/apart.h"
#include "shm/shm_lock.h"

#define WAIT_NS 100000

/* Whoever was in a shard has left it, and its sequence is another. */
static void
pass(struct shm_region *r, unsigned slot)
{
    for (unsigned id = 0; id < r->nshards; id++) {
        shm_lock_take(r, slot, id);
        _Atomic uint64_t *seq = shm_lock_seq(r, id);
        atomic_store_explicit(seq, atomic_load_explicit(seq, memory_order_relaxed) + 2, memory_order_release);
        shm_lock_drop(r, id);
    }
}

void
shm_gate_close(struct shm_tx *tx)
{
    xassert(!tx->active && !tx->reading);
    atomic_store(&tx->region->header->state, SHM_REGION_GATED); /* before the locks; pairs with the look under them */
    pass(tx->region, tx->slot);
    tx->gate = SHM_TX_INSIDE;
}

void
shm_gate_load(struct shm_region *r)
{
    xassert(!shm_gate_is_open(r));
    atomic_store(&r->header->state, SHM_REGION_LOADING);
}

void
shm_gate_open(struct shm_region *r)
{
    atomic_store(&r->header->state, SHM_REGION_READY);
}

APART void
shm_gate_wait(const struct shm_region *r)
{
    nanosleep(&(struct timespec){.tv_nsec = WAIT_NS}, NULL);
    shm_region_progress(r);
}
