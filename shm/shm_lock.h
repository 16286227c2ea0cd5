/* shm_lock.h - the one place where locks of the region are taken, and where a dead holder is noticed.
 *
 * Lock ids: shards 0 .. nshards-1, then registries; the id is the rank: a process takes ids in ascending order only.
 *
 *   rank                        lock                     protects
 *   0 .. nshards-1              shard                    the shard's T structures
 *   nshards + SHM_REG_CONFIG    registry CONFIG          the shared configuration
 *   nshards + SHM_REG_SLOWLOG   registry SLOWLOG         the slow log
 *   nshards + SHM_REG_LATENCY   registry LATENCY         latency events
 *   nshards + SHM_REG_MONITOR   registry MONITOR         the order of MONITOR's feed
 *   nshards + SHM_REG_CLIENTS   registry CLIENTS         pause, kill rounds
 *   nshards + SHM_REG_MAIL      registry MAIL            the sending side of all mailboxes; the last, taken by the commit
 *   beside these                journal's recover lock   the finishing of a dead process's journal
 *                               slot's life lock         held for life by the slot's owner
 *
 * A recover lock may be taken while any of the others is held (by who found the dead), and nothing else is taken under it.
 */
#ifndef KVSTASH_SHM_LOCK_H
#define KVSTASH_SHM_LOCK_H

#include "shm/shm_tx.h"

enum shm_registry {
    SHM_REG_CONFIG = 0,
    SHM_REG_SLOWLOG,
    SHM_REG_LATENCY,
    SHM_REG_MONITOR,
    SHM_REG_CLIENTS,
    SHM_REG_MAIL = SHM_REGISTRIES - 1, /* whoever holds any of the others can still send */
};

/* The mutex and sequence of a lock id. */
pthread_mutex_t *shm_lock_mutex(const struct shm_region *r, unsigned id);
_Atomic uint64_t *shm_lock_seq(const struct shm_region *r, unsigned id);

/* Takes a lock for slot `slot`, waiting as long as its holder lives; a dead holder's journal is finished first, so the
 * caller finds the lock's data whole and its sequence even. Returns how many times it waited or recovered. */
unsigned shm_lock_take(struct shm_region *r, unsigned slot, unsigned id);
/* The same, but waits at most patience_us for a living holder: SHM_LOCK_BUSY if it still holds the lock then, which was not
 * taken. SHM_LOCK_PATIENT waits as long as it takes. */
#define SHM_LOCK_BUSY UINT32_MAX
#define SHM_LOCK_PATIENT UINT32_MAX
unsigned shm_lock_take_within(struct shm_region *r, unsigned slot, unsigned id, uint32_t patience_us);
void shm_lock_drop(struct shm_region *r, unsigned id);
/* The same for a robust mutex with no data to repair (recover locks). While it waits it raises *progress (NULL: none), so
 * that the watchdog blames the holder and not who waits. */
void shm_lock_take_plain(pthread_mutex_t *m, _Atomic uint64_t *progress);
/* Marks the locks that a dead thread still seems to hold, its life lock included, as ownerless, where the kernel missed
 * them (a damaged robust list, or one too long to walk). Returns how many. */
unsigned shm_lock_sweep_dead(struct shm_region *r, uint32_t tid);

#endif
