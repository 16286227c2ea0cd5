/* shm_alloc.h - blocks of a shard inside a transaction: the inner side of shm_tx_alloc and shm_tx_free.
 *
 * A span lent to (shard, class) is cut into equal blocks; a bitmap in its meta tells which are in use. Bits and counts
 * are class T. A freed block's bit is cleared just before the commit (shm_alloc_settle), so that its content is still
 * there for the undo, and nobody can reuse it in the transaction that freed it.
 */
#ifndef KVSTASH_SHM_ALLOC_H
#define KVSTASH_SHM_ALLOC_H

#include "shm/shm_class.h"
#include "shm/shm_tx.h"

/* Why the pool is empty: SHM_WANT_POOL if the housekeeper may commit more, SHM_WANT_LIMIT if not. */
enum shm_want shm_alloc_want(const struct shm_region *r);
/* Notes a claimed span among the transaction's claims; it becomes `owner`'s at the commit, is given back at an abort.
 * False: no private memory (tx->want); the span was given back. */
bool shm_alloc_claimed(struct shm_tx *tx, uint64_t span, uint64_t word, uint16_t owner, uint8_t class);
/* Housekeeper: gives back the spans that a shard keeps although no block of them is in use, one of each class at most. False: tx->want.
 * The other tells without the lock whether it is worth while. */
bool shm_alloc_give_spare(struct shm_tx *tx, unsigned shard);
bool shm_alloc_has_spare(const struct shm_region *r, unsigned shard);
/* Clears the bits of the freed blocks, lists spans that became empty, adds up used_bytes. False: tx->want. */
bool shm_alloc_settle_blocks(struct shm_tx *tx);
static inline bool
shm_alloc_settle(struct shm_tx *tx)
{
    return (tx->nfreed == 0 && !tx->resized) || shm_alloc_settle_blocks(tx);
}

#endif
