/* shm_reclaim.c - taking detached trees and blobs apart, a bounded number of blocks a step (see shm_reclaim.h).
 *
 * The list is a stack threaded through the things themselves. A node puts its children on the stack and is freed; a
 * segment or an index of leaves is emptied from its end, a few blocks a step, and freed when it is empty.
 *
 * Process: who unlinks (push), housekeeper (step). Locks: the shard's. Crash: class T.
 */
#include "shm/shm_reclaim.h"

#include "shm/shm_blob.h"
#include "shm/shm_table.h"

static shm_entry_free_fn *value_free;

void
shm_reclaim_set_entry_free(shm_entry_free_fn *fn)
{
    value_free = fn;
}

bool
shm_reclaim_push(struct shm_tx *tx, unsigned shard, shm_off thing)
{
    struct shm_shard_sh *s = &tx->region->shards[shard];
    struct shm_reclaimable_sh *t = shm_at(tx->region, thing);
    xassert(t->magic == SHM_SEGMENT_MAGIC || t->magic == SHM_NODE_MAGIC || t->magic == SHM_INDEX_MAGIC);
    return shm_tx_set64(tx, &t->next_reclaim, s->reclaim_head) && shm_tx_set64(tx, &s->reclaim_head, thing);
}

bool
shm_entry_free(struct shm_tx *tx, unsigned shard, struct shm_entry_sh *e)
{
    if (e->flags & SHM_ENTRY_KEYBLOB) {
        struct shm_blob_sh key;
        memcpy(&key, shm_entry_key(e), sizeof key);
        if (!shm_blob_free(tx, shard, &key))
            return false;
    }
    if (value_free && !value_free(tx, shard, e))
        return false;
    shm_tx_free(tx, shm_off_of(tx->region, e));
    return true;
}

/* Each takes the thing that was just popped; what is not done yet is pushed again. */

static bool
step_node(struct shm_tx *tx, unsigned shard, struct shm_node_sh *node, unsigned *blocks)
{
    uint64_t last = 0;
    for (unsigned i = 0; i < SHM_NODE_CHILDREN; i++) {
        uint64_t word = node->child[i];
        if (word == last)
            continue;
        last = word;
        if (!shm_reclaim_push(tx, shard, shm_table_off(word)))
            return false;
    }
    shm_tx_free_run(tx, shm_off_of(tx->region, node), sizeof *node);
    *blocks -= *blocks ? 1 : 0;
    return true;
}

static bool
step_segment(struct shm_tx *tx, unsigned shard, struct shm_segment_sh *s, unsigned *blocks)
{
    for (unsigned b = 0; b < s->buckets; b++) {
        for (unsigned i = 0; i < SHM_BUCKET_SLOTS; i++) {
            uint64_t slot = s->bucket[b].slot[i];
            if (!slot)
                continue;
            if (*blocks == 0)
                return shm_reclaim_push(tx, shard, shm_off_of(tx->region, s));
            --*blocks;
            if (!shm_entry_free(tx, shard, shm_at(tx->region, slot << 16 >> 16)) ||
                !shm_tx_set64(tx, (uint64_t *)(void *)&s->bucket[b].slot[i], 0))
                return false;
        }
    }
    shm_tx_free(tx, shm_off_of(tx->region, s));
    return true;
}

static bool
step_index(struct shm_tx *tx, unsigned shard, struct shm_index_sh *x, unsigned *blocks)
{
    for (unsigned i = 0; i < SHM_BLOB_FANOUT; i++) {
        if (!x->child[i])
            continue;
        if (*blocks == 0)
            return shm_reclaim_push(tx, shard, shm_off_of(tx->region, x));
        --*blocks;
        if (x->level > 1) {
            if (!shm_reclaim_push(tx, shard, x->child[i]))
                return false;
        } else {
            shm_tx_free(tx, x->child[i]);
        }
        if (!shm_tx_set64(tx, &x->child[i], 0))
            return false;
    }
    shm_tx_free(tx, shm_off_of(tx->region, x));
    return true;
}

bool
shm_reclaim_step(struct shm_tx *tx, unsigned shard, unsigned blocks)
{
    struct shm_shard_sh *s = &tx->region->shards[shard];
    while (s->reclaim_head && blocks > 0 && tx->want == SHM_WANT_NOTHING) {
        struct shm_reclaimable_sh *t = shm_at(tx->region, s->reclaim_head);
        if (!shm_tx_set64(tx, &s->reclaim_head, t->next_reclaim))
            return true;
        bool ok = t->magic == SHM_NODE_MAGIC ? step_node(tx, shard, (void *)t, &blocks)
            : t->magic == SHM_SEGMENT_MAGIC  ? step_segment(tx, shard, (void *)t, &blocks)
                                             : step_index(tx, shard, (void *)t, &blocks);
        if (!ok)
            return true;
    }
    return s->reclaim_head != 0;
}
