/* shm_blob.c - byte strings over blocks (see shm_blob.h for the layout).
 *
 * The shape follows from the length alone: up to a leaf, a single block; up to 512 leaves, an index of level 1; above, an
 * index of level 2 over such. A missing child anywhere (0) reads as zeros. All leaves but the last are full-size blocks,
 * the last is as large as it must be or larger; bytes of it behind the blob's length are of no value, so growing into
 * them needs no note. The other side of that bargain: who shortens notes the bytes it gives up.
 *
 * A write that covers much of a leaf puts a new leaf in its place, because the undo log is small (5 MiB) and a block is
 * cheap; a small one notes the bytes it changes.
 *
 * A snapshot that still needs a large blob has a keep (shm_keep.h), found from the blob's root. A leaf whose bytes it needs goes to
 * the keep's overlay, a blob of nothing but such leaves, before it is overwritten; where the overlay has a hole, the living leaf still has
 * the bytes. Appending overwrites nothing. A blob that is freed meanwhile becomes the keep's.
 *
 * Process: whoever holds the shard's lock. Locks: the shard's, needed. Crash: class T, undone. Fails: want of memory is
 * returned (tx->want), the caller aborts: what a failed call leaves half done is never kept.
 */
#include "shm/shm_blob.h"

#include "shm/shm_cut.h"

#define FREE_AT_ONCE 160u /* leaves; a blob of more is freed in steps by the housekeeper. Measured: 0.1 us a leaf */

_Static_assert(offsetof(struct shm_index_sh, next_reclaim) == offsetof(struct shm_reclaimable_sh, next_reclaim), "a reclaimable");
_Static_assert(sizeof(struct shm_index_sh) <= SHM_BLOCK_MAX, "an index is one block");

/* ---- shape ------------------------------------------------------------------------------------------------ */

static unsigned
level_of(uint64_t len)
{
    if (len <= SHM_BLOB_LEAF)
        return 0;
    return len <= (uint64_t)SHM_BLOB_LEAF * SHM_BLOB_FANOUT ? 1 : 2;
}

/* Bytes of leaf i that belong to a blob of this length. */
static size_t
leaf_bytes(uint64_t len, size_t i)
{
    uint64_t start = (uint64_t)i * SHM_BLOB_LEAF;
    if (start >= len)
        return 0;
    return len - start < SHM_BLOB_LEAF ? (size_t)(len - start) : SHM_BLOB_LEAF;
}

static struct shm_index_sh *
index_at(const struct shm_region *r, uint64_t off, unsigned level)
{
    struct shm_index_sh *x = shm_at(r, off);
    xassert(x->magic == SHM_INDEX_MAGIC && x->level == level);
    return x;
}

/* The offset of leaf i, 0 for a hole. */
static uint64_t
leaf_find(const struct shm_region *r, const struct shm_blob_sh *b, size_t i)
{
    uint64_t at = b->root;
    unsigned level = level_of(b->len);
    if (at && level == 2)
        at = index_at(r, at, 2)->child[i / SHM_BLOB_FANOUT];
    if (at && level >= 1)
        at = index_at(r, at, 1)->child[i % SHM_BLOB_FANOUT];
    return at;
}

/* ---- changing references ------------------------------------------------------------------------------------ */

/* A place that refers to a leaf or index: the descriptor's root (private to the caller) or a child (class T). */
struct ref {
    uint64_t *at;
    bool noted; /* needs a note before it changes */
};

static bool
ref_set(struct shm_tx *tx, struct ref ref, uint64_t v)
{
    if (ref.noted)
        return shm_tx_set64(tx, ref.at, v);
    *ref.at = v;
    return true;
}

static uint64_t
index_new(struct shm_tx *tx, unsigned shard, unsigned level, uint64_t first_child)
{
    shm_off off = shm_tx_alloc(tx, shard, sizeof(struct shm_index_sh));
    if (!off)
        return 0;
    struct shm_index_sh *x = shm_at(tx->region, off);
    memset(x, 0, sizeof *x);
    x->magic = SHM_INDEX_MAGIC;
    x->level = level;
    x->child[0] = first_child;
    return off;
}

/* The child of an index as a place; makes the index if there is a hole. */
static bool
ref_descend(struct shm_tx *tx, unsigned shard, struct ref *ref, unsigned level, size_t child)
{
    if (!*ref->at) {
        uint64_t off = index_new(tx, shard, level, 0);
        if (!off || !ref_set(tx, *ref, off))
            return false;
    }
    *ref = (struct ref){.at = &index_at(tx->region, *ref->at, level)->child[child], .noted = true};
    return true;
}

/* The place of leaf i in a blob whose root is of this level. */
static bool
ref_of_leaf(struct shm_tx *tx, unsigned shard, struct shm_blob_sh *b, unsigned level, size_t i, struct ref *ref)
{
    *ref = (struct ref){.at = &b->root, .noted = false};
    if (level == 2 && !ref_descend(tx, shard, ref, 2, i / SHM_BLOB_FANOUT))
        return false;
    return level == 0 || ref_descend(tx, shard, ref, 1, i % SHM_BLOB_FANOUT);
}

/* ---- one leaf ------------------------------------------------------------------------------------------------- */

/* A change of one leaf: it has `valid` bytes, will have `need`, and gets `n` bytes at `from`; what is new and not
 * written reads as zeros. */
struct leaf_change {
    size_t valid, need, from, n;
    const char *bytes;
};

static size_t
min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Fills what the change makes valid in a leaf; its old bytes are there already. */
static void
leaf_fill(char *leaf, const struct leaf_change *c)
{
    size_t end = c->from + c->n;
    if (c->n) {
        if (c->from > c->valid)
            memset(leaf + c->valid, 0, c->from - c->valid);
        memcpy(leaf + c->from, c->bytes, c->n);
    }
    size_t zero = c->n && end > c->valid ? end : c->valid;
    if (c->need > zero)
        memset(leaf + zero, 0, c->need - zero);
}

/* Puts a new block in the leaf's place. Growing ones get room for as much again, as appends come in rows. */
static bool
leaf_replace(struct shm_tx *tx, unsigned shard, struct ref ref, const struct leaf_change *c)
{
    uint64_t old = *ref.at;
    bool grows = old && c->need > c->valid;
    shm_off off = shm_tx_alloc(tx, shard, grows ? min_size(2 * c->need, SHM_BLOB_LEAF) : c->need);
    if (!off)
        return false;
    char *leaf = shm_at(tx->region, off);
    if (old)
        memcpy(leaf, shm_at(tx->region, old), c->valid);
    else if (c->n < c->valid)
        memset(leaf, 0, c->valid);
    leaf_fill(leaf, c);
    if (old)
        shm_tx_free(tx, old);
    return ref_set(tx, ref, off);
}

static bool
leaf_apply(struct shm_tx *tx, unsigned shard, struct ref ref, const struct leaf_change *c)
{
    uint64_t old = *ref.at;
    if (!old && !c->n)
        return true; /* a hole stays one */
    size_t overwritten = c->n && c->from < c->valid ? min_size(c->from + c->n, c->valid) - c->from : 0;
    if (!old || shm_block_size(tx->region, old) < c->need || overwritten * 2 >= SHM_BLOB_LEAF)
        return leaf_replace(tx, shard, ref, c);
    char *leaf = shm_at(tx->region, old);
    if (overwritten && !shm_tx_note(tx, leaf + c->from, overwritten))
        return false;
    leaf_fill(leaf, c);
    return true;
}

/* ---- what a snapshot needs ---------------------------------------------------------------------------------------- */

/* The keep of a blob, NULL: none. */
static struct shm_keep_sh *
keep_of(const struct shm_region *r, const struct shm_blob_sh *b)
{
    uint64_t keep = b->root && level_of(b->len) ? index_at(r, b->root, level_of(b->len))->keep : 0;
    return keep ? shm_at(r, keep) : NULL;
}

/* Does the change of leaf i overwrite bytes that the snapshot has not saved yet? */
static bool
keep_needs_leaf(const struct shm_region *r, const struct shm_keep_sh *k, size_t i, const struct leaf_change *c)
{
    uint64_t start = (uint64_t)i * SHM_BLOB_LEAF;
    return c->n && start >= k->saved_to && start + c->from < k->count && !shm_cut_is_broken(r, k->epoch) &&
        leaf_find(r, &k->overlay, i) == 0;
}

/* Puts a leaf into the overlay. */
static bool
keep_put_leaf(struct shm_tx *tx, unsigned shard, struct shm_keep_sh *k, size_t i, uint64_t leaf)
{
    struct shm_blob_sh overlay = k->overlay;
    struct ref ref;
    return ref_of_leaf(tx, shard, &overlay, level_of(overlay.len), i, &ref) && ref_set(tx, ref, leaf) &&
        (overlay.root == k->overlay.root || shm_tx_set64(tx, &k->overlay.root, overlay.root));
}

/* Keeps leaf i, and puts a copy in its place for the change to come. */
static bool
keep_leaf(struct shm_tx *tx, unsigned shard, struct shm_keep_sh *k, size_t i, struct ref ref, const struct leaf_change *c)
{
    uint64_t old = *ref.at;
    size_t size = old ? shm_block_size(tx->region, old) : leaf_bytes(k->count, i);
    shm_off off = shm_tx_alloc(tx, shard, size);
    if (!off)
        return false;
    if (!old) { /* a hole stays one until the change fills it; what it was has to be said */
        memset(shm_at(tx->region, off), 0, size);
        return keep_put_leaf(tx, shard, k, i, off);
    }
    memcpy(shm_at(tx->region, off), shm_at(tx->region, old), c->valid);
    return keep_put_leaf(tx, shard, k, i, old) && ref_set(tx, ref, off);
}

/* The blob's root becomes the child of a new one. */
static bool
keep_new_root(struct shm_tx *tx, struct shm_keep_sh *k, uint64_t root, uint64_t len)
{
    struct shm_index_sh *old = shm_at(tx->region, k->home), *new = shm_at(tx->region, root);
    const struct shm_blob_sh blob = {.len = len, .root = root};
    new->keep = old->keep; /* a fresh block */
    return shm_tx_set64(tx, &old->keep, 0) && shm_tx_set64(tx, &k->home, root) && shm_tx_write(tx, &k->blob, &blob, sizeof blob);
}

/* ---- growing ---------------------------------------------------------------------------------------------------- */

/* Raises the root to the level of a new length. */
static bool
raise_level(struct shm_tx *tx, unsigned shard, struct shm_blob_sh *b, uint64_t len)
{
    unsigned level = level_of(b->len), want = level_of(len);
    struct shm_keep_sh *k = keep_of(tx->region, b);
    if (level < want && level == 0 && b->root) {
        struct leaf_change full = {.valid = b->len, .need = SHM_BLOB_LEAF};
        if (!leaf_apply(tx, shard, (struct ref){.at = &b->root}, &full))
            return false;
    }
    while (level < want && b->root) {
        uint64_t off = index_new(tx, shard, ++level, b->root);
        if (!off || (k && !keep_new_root(tx, k, off, len)))
            return false;
        b->root = off;
    }
    return true;
}

/* Makes the last leaf of the old length as long as the new length has it. */
static bool
extend_last(struct shm_tx *tx, unsigned shard, struct shm_blob_sh *b, uint64_t len)
{
    if (!b->root || !b->len || b->len % SHM_BLOB_LEAF == 0)
        return true;
    size_t i = (b->len - 1) / SHM_BLOB_LEAF;
    struct leaf_change c = {.valid = leaf_bytes(b->len, i), .need = leaf_bytes(len, i)};
    struct ref ref;
    return ref_of_leaf(tx, shard, b, level_of(len), i, &ref) && leaf_apply(tx, shard, ref, &c);
}

static bool
too_long(struct shm_tx *tx, uint64_t len)
{
    if (len <= SHM_BLOB_MAX)
        return false;
    tx->want = SHM_WANT_LIMIT;
    return true;
}

bool
shm_blob_write(struct shm_tx *tx, unsigned shard, struct shm_blob_sh *b, size_t at, const char *bytes, size_t n)
{
    if (n == 0)
        return true;
    if (n > SHM_BLOB_MAX || at > SHM_BLOB_MAX || too_long(tx, at + n)) {
        tx->want = SHM_WANT_LIMIT;
        return false;
    }
    uint64_t len = at + n > b->len ? at + n : b->len;
    size_t first = at / SHM_BLOB_LEAF, last = (at + n - 1) / SHM_BLOB_LEAF;
    unsigned level = level_of(len);
    struct shm_keep_sh *k = keep_of(tx->region, b);
    if (!raise_level(tx, shard, b, len))
        return false;
    if (len > b->len && b->len && (b->len - 1) / SHM_BLOB_LEAF < first && !extend_last(tx, shard, b, len))
        return false;
    for (size_t i = first; i <= last; i++) {
        size_t from = i == first ? at % SHM_BLOB_LEAF : 0, end = i == last ? (at + n - 1) % SHM_BLOB_LEAF + 1 : SHM_BLOB_LEAF;
        struct leaf_change c = {.valid = leaf_bytes(b->len, i), .need = leaf_bytes(len, i), .from = from, .n = end - from,
            .bytes = bytes + (i * SHM_BLOB_LEAF + from - at)};
        struct ref ref;
        if (!ref_of_leaf(tx, shard, b, level, i, &ref))
            return false;
        if (k && keep_needs_leaf(tx->region, k, i, &c) && !keep_leaf(tx, shard, k, i, ref, &c))
            return shm_keep_failed(tx);
        if (!leaf_apply(tx, shard, ref, &c))
            return false;
    }
    b->len = len;
    return true;
}

bool
shm_blob_create(struct shm_tx *tx, unsigned shard, struct shm_blob_sh *b, const char *bytes, size_t n)
{
    struct shm_blob_sh new = {0, 0};
    if (too_long(tx, n))
        return false;
    new.len = n; /* all holes: each leaf is made at its final size */
    if (!shm_blob_write(tx, shard, &new, 0, bytes, n))
        return false;
    *b = new;
    return true;
}

/* ---- shrinking and freeing ---------------------------------------------------------------------------------------- */

static bool
index_is_small(const struct shm_region *r, uint64_t off)
{
    const struct shm_index_sh *x = shm_at(r, off);
    if (x->level != 1)
        return false;
    for (unsigned i = FREE_AT_ONCE; i < SHM_BLOB_FANOUT; i++)
        if (x->child[i])
            return false;
    return true;
}

/* Frees an index and all below it: at once if few leaves, else in steps. */
static bool
index_free(struct shm_tx *tx, unsigned shard, uint64_t off)
{
    if (!index_is_small(tx->region, off))
        return shm_reclaim_push(tx, shard, off);
    const struct shm_index_sh *x = index_at(tx->region, off, 1);
    for (unsigned i = 0; i < FREE_AT_ONCE; i++)
        if (x->child[i])
            shm_tx_free(tx, x->child[i]);
    shm_tx_free(tx, off);
    return true;
}

static bool
thing_free(struct shm_tx *tx, unsigned shard, uint64_t off, unsigned level)
{
    if (level)
        return index_free(tx, shard, off);
    shm_tx_free(tx, off);
    return true;
}

/* Frees the children of an index from `from` on. */
static bool
cut_children(struct shm_tx *tx, unsigned shard, struct shm_index_sh *x, size_t from)
{
    for (size_t i = from; i < SHM_BLOB_FANOUT; i++) {
        uint64_t child = x->child[i];
        if (child && !(shm_tx_set64(tx, &x->child[i], 0) && thing_free(tx, shard, child, x->level - 1)))
            return false;
    }
    return true;
}

/* Takes away what lies behind the new length, which is less than the old one and not 0. */
static bool
shrink(struct shm_tx *tx, unsigned shard, struct shm_blob_sh *b, uint64_t len)
{
    unsigned level = level_of(b->len);
    xassert(!keep_of(tx->region, b)); /* what has been attached to a key only grows */
    for (; level > level_of(len) && b->root; level--) { /* the first child becomes the root */
        struct shm_index_sh *x = index_at(tx->region, b->root, level);
        uint64_t child = x->child[0], old = b->root;
        if (!shm_tx_set64(tx, &x->child[0], 0) || !index_free(tx, shard, old))
            return false;
        b->root = child;
    }
    size_t last = (len - 1) / SHM_BLOB_LEAF;
    uint64_t at = b->root;
    for (; level > 0 && at; level--) {
        struct shm_index_sh *x = index_at(tx->region, at, level);
        size_t i = level == 2 ? last / SHM_BLOB_FANOUT : last % SHM_BLOB_FANOUT;
        if (!cut_children(tx, shard, x, i + 1))
            return false;
        at = x->child[i];
    }
    if (!at)
        return true;
    /* what the last leaf gives up may be grown into again in this transaction: see the file head */
    size_t keep = leaf_bytes(len, last), had = leaf_bytes(b->len, last);
    return had == keep || shm_tx_note(tx, (char *)shm_at(tx->region, at) + keep, had - keep);
}

bool
shm_blob_resize(struct shm_tx *tx, unsigned shard, struct shm_blob_sh *b, size_t len)
{
    if (too_long(tx, len))
        return false;
    if (len == 0) {
        if (!shm_blob_free(tx, shard, b))
            return false;
        b->root = 0;
    } else if (len < b->len) {
        if (!shrink(tx, shard, b, len))
            return false;
    } else if (!raise_level(tx, shard, b, len) || !extend_last(tx, shard, b, len)) {
        return false;
    }
    b->len = len;
    return true;
}

bool
shm_blob_free(struct shm_tx *tx, unsigned shard, const struct shm_blob_sh *b)
{
    static const uint8_t orphan = 1;
    struct shm_keep_sh *k = keep_of(tx->region, b);
    if (k)
        return shm_tx_write(tx, &k->orphan, &orphan, sizeof orphan);
    return !b->root || thing_free(tx, shard, b->root, level_of(b->len));
}

/* ---- reading ----------------------------------------------------------------------------------------------------------- */

const char *
shm_blob_at(const struct shm_region *r, const struct shm_blob_sh *b, size_t at, size_t *n)
{
    xassert(at < b->len);
    size_t i = at / SHM_BLOB_LEAF, in = at % SHM_BLOB_LEAF;
    uint64_t leaf = leaf_find(r, b, i);
    *n = leaf_bytes(b->len, i) - in;
    return leaf ? (const char *)shm_at(r, leaf) + in : NULL;
}

void
shm_blob_read(const struct shm_region *r, const struct shm_blob_sh *b, size_t at, char *out, size_t n)
{
    while (n > 0) {
        size_t k;
        const char *p = shm_blob_at(r, b, at, &k);
        k = min_size(k, n);
        if (p)
            memcpy(out, p, k);
        else
            memset(out, 0, k);
        at += k;
        out += k;
        n -= k;
    }
}

static size_t
thing_memory(const struct shm_region *r, uint64_t off, unsigned level)
{
    size_t sum = shm_block_size(r, off);
    if (level) {
        const struct shm_index_sh *x = index_at(r, off, level);
        for (unsigned i = 0; i < SHM_BLOB_FANOUT; i++)
            if (x->child[i])
                sum += thing_memory(r, x->child[i], level - 1); /* at most two deep */
    }
    return sum;
}

size_t
shm_blob_memory(const struct shm_region *r, const struct shm_blob_sh *b)
{
    return b->root ? thing_memory(r, b->root, level_of(b->len)) : 0;
}
