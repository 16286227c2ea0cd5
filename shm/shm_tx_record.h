/* shm_tx_record.h - what the commit needs of a transaction's record; shm_tx.c's alone. */
#ifndef KVSTASH_SHM_TX_RECORD_H
#define KVSTASH_SHM_TX_RECORD_H

#include "shm/shm_tx.h"

/* Writes the record at a position of the ring that nobody reads yet; tx->spilled names the chain that holds one longer than
 * SHM_RECORD_INLINE. */
void shm_tx_record_write(struct shm_tx *tx, struct shm_ring_sh *ring, uint64_t at, uint64_t ticket);

#endif
