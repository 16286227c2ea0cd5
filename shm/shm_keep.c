/* shm_keep.c - lists of old versions, keeps of large values, and their end (see shm_keep.h for the idea).
 *
 * Everything here is words and blocks of class T, so that a death leaves the old state or the new one. Who owns what: an
 * entry on a list of old versions has all that it refers to for itself; a shell owns its block and its key's blob; the root
 * that a HASH or BLOB keep shares with a living key is the key's, until that lets go of it and makes it an orphan.
 *
 * Process: writers (keep), persister and housekeeper (take, end, drop). Locks: the shard's. Crash: class T. Fails: tx->want.
 */
#include "shm/shm_keep.h"

#include "base/apart.h"
#include "shm/shm_blob.h"
#include "shm/shm_cut.h"

static struct shm_keep_sh *
keep_at(const struct shm_region *r, shm_off off)
{
    if (!off)
        return NULL;
    struct shm_keep_sh *k = shm_at(r, off);
    xassert(k->magic == SHM_KEEP_MAGIC);
    return k;
}

APART bool
shm_keep_needs_slowly(const struct shm_keep_sh *k, const struct shm_region *r, uint64_t position, const struct shm_entry_sh *e)
{
    return shm_entry_age(e, k->epoch) > 0 && position >= k->saved_to && !k->walked && !shm_cut_is_broken(r, k->epoch);
}

bool
shm_keep_failed(struct shm_tx *tx)
{
    if (tx->want == SHM_WANT_LIMIT) {
        shm_cut_abort_any(tx->region);
        tx->want = SHM_WANT_POOL;
    }
    return false;
}

/* ---- old versions --------------------------------------------------------------------------------------------- */

static bool
list_old(struct shm_tx *tx, unsigned shard, struct shm_keep_sh *k, shm_off entry)
{
    struct shm_limbo_sh *l = k->limbo ? shm_at(tx->region, k->limbo) : NULL;
    if (l && l->count < SHM_LIMBO_ENTRIES) {
        l->entry[l->count] = entry; /* of no value until it is counted */
        return shm_tx_set64(tx, &l->count, l->count + 1);
    }
    shm_off off = shm_tx_alloc(tx, shard, sizeof *l);
    if (!off)
        return false;
    l = shm_at(tx->region, off);
    l->next = k->limbo;
    l->count = 1;
    l->entry[0] = entry;
    return shm_tx_set64(tx, &k->limbo, off);
}

bool
shm_keep_old(struct shm_tx *tx, const struct shm_tree *t, struct shm_entry_sh *e)
{
    return list_old(tx, t->shard, shm_keep_of(tx->region, t->sh), shm_off_of(tx->region, e)) || shm_keep_failed(tx);
}

bool
shm_keep_release(struct shm_tx *tx, const struct shm_tree *t, uint64_t position, struct shm_entry_sh *e)
{
    return shm_keep_needs(t, position, e) ? shm_keep_old(tx, t, e) : shm_entry_free(tx, t->shard, e);
}

struct shm_entry_sh *
shm_keep_take_old(struct shm_tx *tx, struct shm_keep_sh *k)
{
    shm_off block = k->limbo;
    struct shm_limbo_sh *l = shm_at(tx->region, block);
    xassert(l->count >= 1 && l->count <= SHM_LIMBO_ENTRIES);
    shm_off entry = l->entry[l->count - 1];
    if (l->count > 1)
        return shm_tx_set64(tx, &l->count, l->count - 1) ? shm_at(tx->region, entry) : NULL;
    if (!shm_tx_set64(tx, &k->limbo, l->next))
        return NULL;
    shm_tx_free(tx, block);
    return shm_at(tx->region, entry);
}

/* ---- keeps ----------------------------------------------------------------------------------------------------- */

struct shm_keep_sh *
shm_keep_add(struct shm_tx *tx, unsigned shard, struct shm_keep_sh *parent, enum shm_keep_kind kind)
{
    shm_off off = shm_tx_alloc(tx, shard, sizeof(struct shm_keep_sh));
    if (!off)
        return NULL;
    struct shm_keep_sh *k = shm_at(tx->region, off), *head = keep_at(tx->region, parent->large);
    *k = (struct shm_keep_sh){.magic = SHM_KEEP_MAGIC, .kind = (uint8_t)kind, .epoch = parent->epoch, .db = parent->db};
    if (head)
        k->next = head->next;
    return shm_tx_set64(tx, head ? &head->next : &parent->large, off) ? k : NULL;
}

bool
shm_keep_flush(struct shm_tx *tx, struct shm_dbroot_sh *root, bool *taken)
{
    struct shm_keep_sh *k = shm_keep_of(tx->region, &root->tree);
    *taken = k != NULL;
    return !k || (shm_tx_write(tx, &k->own, &root->tree, sizeof k->own) && shm_tx_set64(tx, &k->home, shm_off_of(tx->region, &k->own)) &&
        shm_tx_set64(tx, &root->tree.root, 0) && shm_tx_set64(tx, &root->tree.count, 0) && shm_tx_set64(tx, &root->tree.keep, 0));
}

bool
shm_keep_moved(struct shm_tx *tx, struct shm_dbroot_sh *to)
{
    struct shm_keep_sh *k = shm_keep_of(tx->region, &to->tree);
    return !k || shm_tx_set64(tx, &k->home, shm_off_of(tx->region, &to->tree));
}

struct shm_keep_work
shm_keep_work(const struct shm_region *r, unsigned shard)
{
    struct shm_keep_work w = {.keep = keep_at(r, r->shards[shard].keeps)};
    while (w.keep && w.keep->large) {
        w.parent = w.keep;
        w.keep = keep_at(r, w.keep->large);
    }
    return w;
}

/* ---- the end of a keep ------------------------------------------------------------------------------------------- */

/* An entry's block and its key's blob, but nothing that its value refers to. */
static bool
free_shell(struct shm_tx *tx, unsigned shard, struct shm_entry_sh *e)
{
    if (e->flags & SHM_ENTRY_KEYBLOB) {
        struct shm_blob_sh key;
        memcpy(&key, shm_entry_key(e), sizeof key);
        if (!shm_blob_free(tx, shard, &key))
            return false;
    }
    shm_tx_free(tx, shm_off_of(tx->region, e));
    return true;
}

/* The tree goes on without the keep, or ends with it. */
static bool
end_tree(struct shm_tx *tx, unsigned shard, struct shm_keep_sh *k)
{
    struct shm_tree_sh *t = shm_at(tx->region, k->home);
    bool flushed = t == &k->own;
    if (!shm_tx_set64(tx, &t->keep, 0))
        return false;
    if (!flushed && !k->orphan)
        return true;
    if (t->root && !shm_reclaim_push(tx, shard, shm_table_off(t->root)))
        return false;
    if (!flushed)
        shm_tx_free(tx, k->home); /* a hash's root: the tree is the block's first part */
    return true;
}

static bool
end_blob(struct shm_tx *tx, unsigned shard, struct shm_keep_sh *k)
{
    struct shm_blob_sh overlay = k->overlay, blob = k->blob;
    if (k->home && !shm_tx_set64(tx, &((struct shm_index_sh *)shm_at(tx->region, k->home))->keep, 0))
        return false;
    return shm_blob_free(tx, shard, &overlay) && (!k->orphan || shm_blob_free(tx, shard, &blob));
}

bool
shm_keep_end(struct shm_tx *tx, unsigned shard, const struct shm_keep_work *w)
{
    struct shm_keep_sh *k = w->keep;
    uint64_t *head = w->parent ? &w->parent->large : &tx->region->shards[shard].keeps;
    xassert(k->limbo == 0 && k->large == 0 && *head == shm_off_of(tx->region, k));
    if (!shm_tx_set64(tx, head, k->next) || !(k->kind == SHM_KEEP_BLOB ? end_blob : end_tree)(tx, shard, k))
        return false;
    if (k->shell && !free_shell(tx, shard, shm_at(tx->region, k->shell)))
        return false;
    shm_tx_free(tx, shm_off_of(tx->region, k));
    return true;
}

bool
shm_keep_drop_step(struct shm_tx *tx, unsigned shard, unsigned blocks)
{
    struct shm_keep_work w = shm_keep_work(tx->region, shard);
    for (; w.keep && blocks > 0; blocks--) {
        if (w.keep->limbo) {
            struct shm_entry_sh *e = shm_keep_take_old(tx, w.keep);
            if (!e || !shm_entry_free(tx, shard, e))
                return true;
        } else {
            if (!shm_keep_end(tx, shard, &w))
                return true;
            w = shm_keep_work(tx->region, shard);
        }
    }
    return w.keep != NULL;
}
