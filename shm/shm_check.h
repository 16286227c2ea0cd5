/* shm_check.h - walks the whole region: every reference, counter, free list and owner tag.
 *
 * Reachable blocks are marked in private memory and compared with the bitmaps, so a leak and a double use both show.
 * The caller holds all shard locks (or is alone with the region). Cost: O(region). Follows no offset unchecked.
 */
#ifndef KVSTASH_SHM_CHECK_H
#define KVSTASH_SHM_CHECK_H

#include "shm/shm_entry.h"

/* What an entry refers to, one call each. */
enum shm_ref {
    SHM_REF_BLOCK, /* a plain block of the entry's shard */
    SHM_REF_BLOB,  /* what: struct shm_blob_sh, its root not 0 */
    SHM_REF_TREE,  /* what: struct shm_tree_sh of entries of SHM_TYPE_FIELD */
};
typedef void shm_ref_fn(void *arg, enum shm_ref kind, shm_off block, const void *what);

/* Judges an entry (its block has `room` bytes) and reports what it refers to; returns NULL or what is wrong. */
typedef const char *shm_check_entry_fn(
    const struct shm_region *r, const struct shm_entry_sh *e, size_t room, shm_ref_fn *fn, void *arg);

struct shm_check_result {
    uint64_t faults;
    char first[256]; /* the first fault found */
    uint64_t keys, blocks, bytes;
};

/* A bounded look at where all walks of a shard begin: lists of spans with room, roots, reclaim list. Needs the lock. */
bool shm_check_heads(const struct shm_region *r, unsigned shard);

/* True if nothing is wrong. False too if private memory is short (said in `first`). */
bool shm_check_region(struct shm_region *r, shm_check_entry_fn *entry, struct shm_check_result *result);

#endif
