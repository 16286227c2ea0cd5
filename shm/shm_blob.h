/* shm_blob.h - byte strings of any length up to 512 MiB in blocks: large values, long keys, large fields.
 *
 * A blob is {len, root}. Up to 8 KiB: root is one block. Above: root is an index of 512 offsets, over leaves of 8 KiB
 * (4 MiB a level-1 index) or over further indexes; offset 0 is a hole that reads as zeros. The last leaf is a block
 * of fitting size. Writing a range touches the leaves of that range only.
 *
 * Locks: the shard's; changes inside a transaction. Crash: class T, undone with it.
 */
#ifndef KVSTASH_SHM_BLOB_H
#define KVSTASH_SHM_BLOB_H

#include "shm/shm_entry.h"
#include "shm/shm_reclaim.h"
#include "shm/shm_tx.h"

#define SHM_BLOB_LEAF 8192u
#define SHM_BLOB_FANOUT 512u

struct shm_index_sh {
    uint32_t magic;        /* SHM_INDEX_MAGIC */
    uint32_t level;        /* 1: children are leaves, 2: indexes of level 1 */
    uint64_t keep;         /* T: of a root: the snapshot's struct shm_keep_sh, 0: none */
    uint64_t next_reclaim; /* T: used once the blob is detached */
    uint64_t child[SHM_BLOB_FANOUT]; /* T: 0 = hole */
};
#define SHM_BLOB_MAX (512ull << 20)

/* Builds a blob from bytes into *b (private or a noted T place of the caller's). False: tx->want. */
bool shm_blob_create(struct shm_tx *tx, unsigned shard, struct shm_blob_sh *b, const char *bytes, size_t n);
/* Overwrites [at, at + n), growing (zero-filled) as needed. b is a private copy of the descriptor that the caller
 * stores back; old leaves shared with it are changed in place under note, or replaced. False: tx->want. */
bool shm_blob_write(struct shm_tx *tx, unsigned shard, struct shm_blob_sh *b, size_t at, const char *bytes, size_t n);
/* Sets the length; growth reads as zeros. */
bool shm_blob_resize(struct shm_tx *tx, unsigned shard, struct shm_blob_sh *b, size_t len);
/* Pushes the blob's memory on the shard's reclaim list, or frees it at once if small. */
bool shm_blob_free(struct shm_tx *tx, unsigned shard, const struct shm_blob_sh *b);
/* The contiguous bytes at position `at`: pointer and how many; NULL for a hole (zeros). Needs the lock. */
const char *shm_blob_at(const struct shm_region *r, const struct shm_blob_sh *b, size_t at, size_t *n);
/* Copies [at, at + n) out. */
void shm_blob_read(const struct shm_region *r, const struct shm_blob_sh *b, size_t at, char *out, size_t n);
/* Bytes of region memory in use. */
size_t shm_blob_memory(const struct shm_region *r, const struct shm_blob_sh *b);

#endif
