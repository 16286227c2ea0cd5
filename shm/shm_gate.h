/* shm_gate.h - the gate in front of the data: one process shuts all others out, for as long as it saves or loads the whole.
 *
 * The gate is the region's state. It is open while that is READY. Who closes it stores GATED (the data are whole) and then passes
 * once over every shard lock: transactions look at the state under the first lock that they take, so whoever was inside has
 * left, and whoever comes turns back or waits, holding nothing (enum shm_tx_gate). While the data are replaced the state is LOADING,
 * in which nobody attaches the region. Opening is one store, behind all that the load wrote.
 *
 * The pass raises all sequences. Who reads without locks notes a sequence, looks at the gate behind it, and compares the sequence at
 * the end: if the gate was closed since, it differs; if it was closed before, the look has told, or has seen it open again and with
 * it all that was loaded.
 *
 * Process: persister (DEBUG RELOAD, LOADAOF); at a start, when nobody is inside, the master closes and opens it by the state
 * alone.
 * Locks: each shard's, one after the other. Crash: GATED: whoever comes next opens it; LOADING: the data are loaded anew.
 */
#ifndef KVSTASH_SHM_GATE_H
#define KVSTASH_SHM_GATE_H

#include "shm/shm_tx.h"

static inline bool
shm_gate_is_open(const struct shm_region *r)
{
    return !(atomic_load_explicit(&r->header->state, memory_order_acquire) & SHM_REGION_SHUT); /* one test: each read makes it */
}

/* After it, nobody but this transaction handle enters a shard. No lock is held. */
void shm_gate_close(struct shm_tx *tx);
/* From now on the data are worth nothing: they are wiped and loaded. The gate is closed. */
void shm_gate_load(struct shm_region *r);
/* The data are whole, and for everybody. */
void shm_gate_open(struct shm_region *r);

/* One step of waiting for the gate, holding nothing. */
void shm_gate_wait(const struct shm_region *r);

#endif
