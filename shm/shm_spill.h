/* shm_spill.h - bytes too long for their place in a queue: a chain of whole spans, each { u64 next, u64 bytes } and the bytes.
 *
 * A transaction writes the chain into spans that it claims, before its commit point; the commit makes them USED with an owner
 * that is no shard, but says who frees them: SHM_SPILL_OWNER, the reader of the log; SHM_MAIL_OWNER + slot, who reads that
 * slot's mail.
 *
 * Process: every process with a journal writes. Locks: none of its own. Crash: claims are swept with their transaction.
 * Fails: want of memory in tx->want.
 */
#ifndef KVSTASH_SHM_SPILL_H
#define KVSTASH_SHM_SPILL_H

#include "shm/shm_tx.h"

#define SHM_SPILL_OWNER 0xFFFEu
#define SHM_MAIL_OWNER 0xF000u
#define SHM_SPILL_HEADER 16u

_Static_assert(SHM_MAIL_OWNER > SHM_LOCKS_MAX && SHM_MAIL_OWNER + SHM_SLOTS_MAX < SHM_SPILL_OWNER, "owners that are no shards");

/* Is it the owner of a span that holds mail? */
static inline bool
shm_spill_is_mail(uint16_t owner)
{
    return owner >= SHM_MAIL_OWNER && owner < SHM_MAIL_OWNER + SHM_SLOTS_MAX;
}

/* Copies n > 0 bytes into claimed spans; chains them from *first. False: tx->want. */
bool shm_spill_write(struct shm_tx *tx, const char *bytes, size_t n, uint16_t owner, shm_off *first);
/* Gives the claims of a chain back that this transaction has written and that nobody is to read; 0: there is none. */
void shm_spill_drop(struct shm_tx *tx, shm_off first);
/* Copies the n bytes of a chain out. */
void shm_spill_read(const struct shm_region *r, shm_off first, size_t n, char *out);

#endif
