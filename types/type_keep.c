/* type_keep.c - what is kept of an entry before it changes (see type_keep.h).
 *
 * The copy goes to the snapshot, the entry stays where it is and is marked as born now: whoever has found it goes on with
 * the same place. Its bytes change under the shard's odd sequence only, as ever.
 *
 * Process: writers, persister. Locks: the shard's. Crash: class T. Fails: tx->want; want of memory within the limit gives the
 * snapshot up (shm_keep_failed).
 */
#include "types/type_keep.h"

#include "base/apart.h"
#include "types/type_entry.h"
#include "types/type_hash.h"
#include "types/type_string.h"

static bool
is_blob(const struct shm_entry_sh *e)
{
    return shm_entry_type(e) != SHM_TYPE_HASH && shm_entry_encoding(e) == TYPE_STRING_BLOB;
}

static struct shm_blob_sh
blob_of(const struct shm_entry_sh *e)
{
    struct shm_blob_sh b;
    memcpy(&b, shm_entry_value(e), sizeof b);
    return b;
}

bool
type_keep_is_large(const struct shm_entry_sh *e)
{
    if (shm_entry_type(e) == SHM_TYPE_HASH)
        return shm_entry_encoding(e) == TYPE_HASH_TREE;
    return is_blob(e) && blob_of(e).len > SHM_BLOB_LEAF;
}

/* A blob of its own with the same bytes; holes stay holes. */
static bool
blob_copy(struct shm_tx *tx, unsigned shard, char *descriptor)
{
    struct shm_blob_sh from, to = {0, 0};
    memcpy(&from, descriptor, sizeof from);
    to.len = from.len;
    for (size_t at = 0, n; at < from.len; at += n) {
        const char *p = shm_blob_at(tx->region, &from, at, &n);
        if (p && !shm_blob_write(tx, shard, &to, at, p, n))
            return false;
    }
    memcpy(descriptor, &to, sizeof to);
    return true;
}

/* The entry in a block of its own, with a key of its own, its value part byte for byte. NULL: tx->want. */
static struct shm_entry_sh *
copy_shell(struct shm_tx *tx, unsigned shard, const struct shm_entry_sh *e)
{
    size_t n = shm_entry_bytes(e);
    shm_off off = shm_tx_alloc(tx, shard, n);
    if (!off)
        return NULL;
    struct shm_entry_sh *copy = shm_at(tx->region, off);
    memcpy(copy, e, n);
    if (copy->flags & SHM_ENTRY_KEYBLOB && !blob_copy(tx, shard, shm_entry_key(copy)))
        return NULL;
    return copy;
}

/* Makes what a copied value part refers to the copy's own. */
static bool
own_value(struct shm_tx *tx, unsigned shard, const struct shm_entry_sh *e, struct shm_entry_sh *copy)
{
    if (shm_entry_type(e) == SHM_TYPE_HASH)
        return type_hash_copy(tx, shard, e, shm_entry_value(copy));
    return !is_blob(e) || blob_copy(tx, shard, shm_entry_value(copy));
}

/* ---- large values ----------------------------------------------------------------------------------------------- */

static bool
keep_hash(struct shm_tx *tx, struct shm_keep_sh *k, const struct shm_entry_sh *shell)
{
    memcpy(&k->home, shm_entry_value(shell), sizeof k->home);
    struct hash_root_sh *root = shm_at(tx->region, k->home);
    xassert(root->tree.keep == 0);
    k->count = root->tree.count;
    return shm_tx_set64(tx, &root->tree.keep, shm_off_of(tx->region, k));
}

static bool
keep_blob(struct shm_tx *tx, struct shm_keep_sh *k, const struct shm_entry_sh *shell)
{
    k->blob = blob_of(shell);
    k->count = k->overlay.len = k->blob.len;
    k->home = k->blob.root;
    if (!k->home)
        return true; /* nothing but zeros: nothing to share */
    struct shm_index_sh *x = shm_at(tx->region, k->home);
    xassert(x->magic == SHM_INDEX_MAGIC && x->keep == 0);
    return shm_tx_set64(tx, &x->keep, shm_off_of(tx->region, k));
}

bool
type_keep_large(struct shm_tx *tx, unsigned shard, struct shm_keep_sh *parent, struct shm_entry_sh *shell, bool orphan)
{
    bool hash = shm_entry_type(shell) == SHM_TYPE_HASH;
    struct shm_keep_sh *k = shm_keep_add(tx, shard, parent, hash ? SHM_KEEP_HASH : SHM_KEEP_BLOB);
    if (!k)
        return false;
    k->shell = shm_off_of(tx->region, shell); /* a fresh block: no notes */
    k->orphan = orphan;
    return hash ? keep_hash(tx, k, shell) : keep_blob(tx, k, shell);
}

/* ---- before a change -------------------------------------------------------------------------------------------- */

APART bool
type_keep_copy(struct shm_tx *tx, const struct shm_tree *t, struct shm_entry_sh *e)
{
    uint32_t now = (uint32_t)atomic_load_explicit(&tx->region->header->snapshot_epoch, memory_order_relaxed);
    struct shm_entry_sh *copy = copy_shell(tx, t->shard, e);
    bool ok = copy != NULL;
    if (ok && type_keep_is_large(e))
        ok = type_keep_large(tx, t->shard, shm_keep_of(tx->region, t->sh), copy, false);
    else if (ok)
        ok = own_value(tx, t->shard, e, copy) && shm_keep_old(tx, t, copy);
    return (ok && type_entry_set_birth(tx, e, now)) || shm_keep_failed(tx);
}
