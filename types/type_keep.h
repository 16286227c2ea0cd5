/* type_keep.h - keeping for a running snapshot what an entry is before it changes, whatever its type (shm/shm_keep.h).
 *
 * Small values are copied whole, a packed hash's blocks too; a large hash or string gets a keep, and keeps from then on each field
 * or leaf that changes. A long key is copied: who names one has spent as much on reading it.
 *
 * Locks: the shard's, in a transaction. Fails: false with tx->want.
 */
#ifndef KVSTASH_TYPES_TYPE_KEEP_H
#define KVSTASH_TYPES_TYPE_KEEP_H

#include "shm/shm_keep.h"

/* Leaves a running snapshot what it needs of the entry; afterwards the entry may be changed in place. */
bool type_keep_copy(struct shm_tx *tx, const struct shm_tree *t, struct shm_entry_sh *e);
static inline bool
type_keep_before_change(struct shm_tx *tx, const struct shm_tree *t, uint64_t position, struct shm_entry_sh *e)
{
    return !shm_keep_needs(t, position, e) || type_keep_copy(tx, t, e);
}
/* Is the value given out in pieces: a hash that is a tree, a string of many leaves? */
bool type_keep_is_large(const struct shm_entry_sh *e);
/* Makes the keep of a large value of the parent's tree, with this shell; an orphan's root belongs to the shell's entry alone. */
bool type_keep_large(struct shm_tx *tx, unsigned shard, struct shm_keep_sh *parent, struct shm_entry_sh *shell, bool orphan);

#endif
