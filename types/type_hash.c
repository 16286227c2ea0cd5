/* type_hash.c - hash values: which of the three encodings a hash has, and when it passes from one to the next.
 *
 * Small hashes are packs in order, in the entry or in a chain of blocks (type_hash_pack.c); beyond the limits a hash is a tree
 * of field entries (type_hash_tree.c), and never goes back. Here each call finds the encoding and hands over.
 *
 * Process: workers, housekeeper. Locks: the shard's, needed. Crash: class T, undone. Fails: want of memory is returned; a
 * change that failed leaves the handle unusable, as its transaction is aborted.
 */
#include "types/type_hash.h"

#include "types/type_hash_parts.h"

static bool
is_tree(const struct shm_entry_sh *e)
{
    return shm_entry_encoding(e) == TYPE_HASH_TREE;
}

void
type_hash_open(struct type_hash *h, struct shm_region *r, unsigned shard, struct shm_entry_sh *e)
{
    *h = (struct type_hash){.region = r, .shard = shard, .entry = e};
}

bool
type_hash_needs_lock(const struct shm_entry_sh *e)
{
    return shm_entry_encoding(e) != TYPE_HASH_PACK;
}

uint64_t
type_hash_length(const struct type_hash *h)
{
    if (!h->entry)
        return 0;
    return is_tree(h->entry) ? type_hash_tree_length(h->region, h->entry) : type_hash_pack_length(h->entry);
}

/* ---- get, set, delete ------------------------------------------------------------------------------------------------------ */

bool
type_hash_get(const struct type_hash *h, const char *field, size_t flen, struct string_view *value)
{
    struct type_hash_spot s;
    if (!h->entry)
        return false;
    if (is_tree(h->entry))
        return type_hash_tree_get(h, field, flen, value);
    if (!type_hash_pack_find(h, field, flen, &s))
        return false;
    type_string_view_bytes(value, s.pair.value, s.pair.vlen);
    return true;
}

/* Does the hash have to be a tree to take this pair? */
static bool
needs_tree(const struct type_hash *h, const struct type_pair *pair, bool created)
{
    return pair->flen > h->limits.value || pair->vlen > h->limits.value || pair->size > TYPE_HASH_PAIR_MAX ||
        type_hash_length(h) + created > h->limits.entries;
}

enum type_hash_set
type_hash_set(struct type_hash *h, const char *field, size_t flen, const char *value, size_t vlen)
{
    struct type_pair pair = {.field = field, .value = value, .flen = flen, .vlen = vlen, .size = type_pack_size(flen, vlen)};
    struct type_hash_spot s = {0};
    h->expect -= flen + vlen < h->expect ? flen + vlen : h->expect;
    if (h->entry && is_tree(h->entry))
        return type_hash_tree_set(h, field, flen, value, vlen);
    bool found = h->entry && type_hash_pack_find(h, field, flen, &s);
    if (needs_tree(h, &pair, !found))
        return type_hash_tree_begin(h) ? type_hash_tree_set(h, field, flen, value, vlen) : TYPE_HASH_FAILED;
    if (!type_hash_pack_put(h, &s, &pair))
        return TYPE_HASH_FAILED;
    return found ? TYPE_HASH_UPDATED : TYPE_HASH_CREATED;
}

int
type_hash_delete(struct type_hash *h, const char *field, size_t flen)
{
    struct type_hash_spot s;
    if (!h->entry)
        return 0;
    if (is_tree(h->entry))
        return type_hash_tree_delete(h, field, flen);
    if (!type_hash_pack_find(h, field, flen, &s))
        return 0;
    return type_hash_pack_remove(h, &s) ? 1 : -1;
}

/* ---- walks ----------------------------------------------------------------------------------------------------------------- */

static bool
pack_each(const struct type_hash *h, type_hash_fn *fn, void *arg)
{
    struct type_hash_walk w;
    struct type_pair pair;
    type_hash_walk_begin(&w, h->region, h->entry);
    while (type_hash_walk_next(&w, &pair)) {
        struct string_view field, value;
        type_string_view_bytes(&field, pair.field, pair.flen);
        type_string_view_bytes(&value, pair.value, pair.vlen);
        if (!fn(arg, &field, &value))
            return false;
    }
    return true;
}

bool
type_hash_each(const struct type_hash *h, type_hash_fn *fn, void *arg)
{
    if (!h->entry)
        return true;
    return is_tree(h->entry) ? type_hash_tree_each(h, fn, arg) : pack_each(h, fn, arg);
}

struct whole_scan {
    type_hash_fn *fn;
    void *arg;
};

/* A pack is scanned as a whole, whatever fn answers. */
static bool
whole_visit(void *arg, const struct string_view *field, const struct string_view *value)
{
    struct whole_scan *v = arg;
    v->fn(v->arg, field, value);
    return true;
}

uint64_t
type_hash_scan(const struct type_hash *h, uint64_t cursor, type_hash_fn *fn, void *arg)
{
    struct whole_scan all = {.fn = fn, .arg = arg};
    if (h->entry && is_tree(h->entry))
        return type_hash_tree_scan(h, cursor, fn, arg);
    type_hash_each(h, whole_visit, &all);
    return 0;
}

void
type_hash_random(const struct type_hash *h, const uint64_t random[2], struct string_view *field, struct string_view *value)
{
    xassert(type_hash_length(h) > 0);
    if (is_tree(h->entry)) {
        type_hash_tree_random(h, random, field, value);
        return;
    }
    struct type_hash_walk w;
    struct type_pair pair;
    uint64_t skip = random[0] % type_hash_length(h);
    type_hash_walk_begin(&w, h->region, h->entry);
    do
        xassert(type_hash_walk_next(&w, &pair));
    while (skip-- > 0);
    type_string_view_bytes(field, pair.field, pair.flen);
    type_string_view_bytes(value, pair.value, pair.vlen);
}

/* ---- what all types have --------------------------------------------------------------------------------------------------- */

bool
type_hash_free(struct shm_tx *tx, unsigned shard, const struct shm_entry_sh *e)
{
    if (is_tree(e))
        return type_hash_tree_free(tx, shard, e);
    type_hash_pack_free(tx, e);
    return true;
}

size_t
type_hash_memory(const struct shm_region *r, const struct shm_entry_sh *e, size_t samples)
{
    return is_tree(e) ? type_hash_tree_memory(r, e, samples) : type_hash_pack_memory(r, e);
}

const char *
type_hash_encoding_name(const struct shm_entry_sh *e)
{
    return is_tree(e) ? "hashtable" : "listpack";
}

bool
type_hash_copy(struct shm_tx *tx, unsigned shard, const struct shm_entry_sh *e, char *value)
{
    return is_tree(e) ? type_hash_tree_copy(tx, shard, e, value) : type_hash_pack_copy(tx, shard, e, value);
}
