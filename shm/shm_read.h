/* shm_read.h - reads without a lock: copy an entry out while checking that its shard did not change.
 *
 * The reader notes the shard's sequence (even), follows an offset only after seeing the sequence unchanged, copies
 * with bounds, and looks at the sequence again; nothing is parsed or trusted before that. After a few failures it
 * gives up and the caller takes the lock. A reader never writes to the entry, only the bucket's access clock.
 *
 * Process: workers. Locks: none. Crash: nothing is left. The caller is inside an epoch (shm_epoch.h), so that no
 * memory it can still reach is given back.
 */
#ifndef KVSTASH_SHM_READ_H
#define KVSTASH_SHM_READ_H

#include "shm/shm_table.h"

enum shm_read_result {
    SHM_READ_ABSENT,   /* no such key at the time of the read */
    SHM_READ_COPIED,   /* out holds a private, consistent copy of the whole block */
    SHM_READ_RETRY,    /* busy, or larger than the room: take the lock */
};

/* Copies the entry block of a key of (shard, db) into out (room bytes, 8-byte aligned). The expiry is not judged.
 * clock_now becomes the key's access clock; SHM_READ_NO_TOUCH leaves it. */
#define SHM_READ_NO_TOUCH (-1)
enum shm_read_result shm_read_entry(const struct shm_tree *t, uint64_t position, const char *key, size_t klen, void *out,
    size_t room, int clock_now);

#endif
