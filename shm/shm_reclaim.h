/* shm_reclaim.h - freeing big things in steps: detached trees, blobs and whole databases.
 *
 * A command that unlinks something big pushes it on its shard's reclaim list (class T: undone if the command is); the
 * housekeeper frees a bounded number of blocks per transaction. used_bytes falls as the blocks are freed. The link
 * is kept inside the thing (segments, nodes and blob indexes have a word for it), so unlinking never needs memory.
 */
#ifndef KVSTASH_SHM_RECLAIM_H
#define KVSTASH_SHM_RECLAIM_H

#include "shm/shm_entry.h"
#include "shm/shm_tx.h"

/* Every block that can be a reclaim item begins so; the magic tells what it is. */
struct shm_reclaimable_sh {
    uint32_t magic; /* SHM_SEGMENT_MAGIC, SHM_NODE_MAGIC, SHM_INDEX_MAGIC */
    uint32_t info;
    uint64_t unused;
    uint64_t next_reclaim; /* T */
};
#define SHM_SEGMENT_MAGIC 0x53474D31u
#define SHM_NODE_MAGIC 0x4E4F4431u
#define SHM_INDEX_MAGIC 0x49445831u

/* Hands a segment, node or blob index over. False: tx->want. */
bool shm_reclaim_push(struct shm_tx *tx, unsigned shard, shm_off thing);
/* Frees about `blocks` blocks of the shard's list in the running transaction (shard entered). True if more is left. */
bool shm_reclaim_step(struct shm_tx *tx, unsigned shard, unsigned blocks);

/* How entries free what their value refers to (never the entry's own block); set once before any process forks. */
typedef bool shm_entry_free_fn(struct shm_tx *tx, unsigned shard, struct shm_entry_sh *e);
void shm_reclaim_set_entry_free(shm_entry_free_fn *fn);
/* Frees an entry: what it refers to, its key's blob, and its block. False: tx->want. */
bool shm_entry_free(struct shm_tx *tx, unsigned shard, struct shm_entry_sh *e);

#endif
