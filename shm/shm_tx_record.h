/* shm_tx_record.h - what the commit needs of a transaction's record; shm_tx.c's alone. */
#ifndef KVSTASH_SHM_TX_RECORD_H
#define KVSTASH_SHM_TX_RECORD_H

#include "shm/shm_tx.h"

/* Copies a record that is longer than SHM_RECORD_INLINE into claimed spans; chains them from *first. False: tx->want. */
bool shm_tx_record_spill(struct shm_tx *tx, uint64_t *first);
/* Fills a slot of the ring that nobody reads yet. spilled: what shm_tx_record_spill gave, 0 for a short record. */
void shm_tx_record_write(struct shm_tx *tx, struct shm_record_sh *rec, uint64_t ticket, uint64_t spilled);

#endif
