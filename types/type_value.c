/* type_value.c - the row of each type, and the check of an entry (see type_value.h).
 *
 * Process: all that touch values. Locks: the shard's. Crash: nothing of its own.
 */
#include "types/type_value.h"

#include "shm/shm_class.h"
#include "types/type_pack.h"

void
type_value_init(void)
{
    shm_reclaim_set_entry_free(type_value_free);
}

static bool
is_string(const struct shm_entry_sh *e)
{
    return shm_entry_type(e) == SHM_TYPE_STRING || shm_entry_type(e) == SHM_TYPE_FIELD;
}

bool
type_value_free(struct shm_tx *tx, unsigned shard, struct shm_entry_sh *e)
{
    return is_string(e) ? type_string_free(tx, shard, e) : type_hash_free(tx, shard, e);
}

bool
type_value_needs_lock(const struct shm_entry_sh *e)
{
    return is_string(e) ? type_string_needs_lock(e) : type_hash_needs_lock(e);
}

const char *
type_value_name(const struct shm_entry_sh *e)
{
    return is_string(e) ? "string" : "hash";
}

const char *
type_value_encoding_name(const struct shm_entry_sh *e)
{
    return is_string(e) ? type_string_encoding_name(e) : type_hash_encoding_name(e);
}

size_t
type_value_memory(const struct shm_region *r, const struct shm_entry_sh *e, size_t samples)
{
    size_t own = shm_block_size(r, shm_off_of(r, e));
    return own + (is_string(e) ? type_string_memory(r, e) : type_hash_memory(r, e, samples));
}

void
type_value_plan_copy(struct type_value_plan *p, const struct shm_region *r, const struct shm_entry_sh *e, size_t klen)
{
    *p = (struct type_value_plan){.region = r, .from = e, .type = shm_entry_type(e)};
    if (is_string(e)) {
        type_string_plan_copy(&p->string, r, e, klen);
        p->encoding = p->string.encoding;
        p->vlen = p->string.vlen;
        return;
    }
    p->encoding = shm_entry_encoding(e);
    p->vlen = shm_entry_vlen(e);
}

bool
type_value_plan_write(struct shm_tx *tx, unsigned shard, const struct type_value_plan *p, char *value)
{
    if (p->type == SHM_TYPE_HASH)
        return type_hash_copy(tx, shard, p->from, value);
    return type_string_plan_write(tx, shard, &p->string, value);
}

/* ---- check ------------------------------------------------------------------------------------------------- */

static const char *
check_blob(const char *at, size_t len, shm_ref_fn *fn, void *arg)
{
    struct shm_blob_sh b;
    if (len != sizeof b)
        return "a blob's descriptor has a wrong length";
    memcpy(&b, at, sizeof b);
    if (b.len > SHM_BLOB_MAX)
        return "a blob is longer than any may be";
    if (b.root)
        fn(arg, SHM_REF_BLOB, b.root, &b);
    return NULL;
}

static const char *
check_chain(const struct shm_region *r, const struct shm_entry_sh *e, shm_ref_fn *fn, void *arg)
{
    struct hash_chain_sh chain;
    uint64_t pairs = 0, blocks = 0;
    if (shm_entry_vlen(e) != sizeof chain)
        return "a chain's descriptor has a wrong length";
    memcpy(&chain, shm_entry_value(e), sizeof chain);
    for (shm_off at = chain.head; at && blocks <= chain.blocks; blocks++) {
        if (at < r->header->off_extents || at + sizeof(struct hash_block_sh) > r->bytes)
            return "a chain leads outside";
        fn(arg, SHM_REF_BLOCK, at, NULL);
        const struct hash_block_sh *b = shm_at(r, at);
        pairs += b->count;
        at = b->next;
    }
    return pairs == chain.count && blocks == chain.blocks ? NULL : "a chain's counts are wrong";
}

static const char *
check_hash(const struct shm_region *r, const struct shm_entry_sh *e, shm_ref_fn *fn, void *arg)
{
    uint64_t root;
    switch (shm_entry_encoding(e)) {
    case TYPE_HASH_PACK:
        return NULL;
    case TYPE_HASH_CHAIN:
        return check_chain(r, e, fn, arg);
    case TYPE_HASH_TREE:
        if (shm_entry_vlen(e) != sizeof root)
            return "a tree's reference has a wrong length";
        memcpy(&root, shm_entry_value(e), sizeof root);
        if (root < r->header->off_extents || root + sizeof(struct hash_root_sh) > r->bytes)
            return "a tree's root lies outside";
        fn(arg, SHM_REF_BLOCK, root, NULL);
        fn(arg, SHM_REF_TREE, 0, shm_at(r, root));
        return NULL;
    default:
        return "a hash of unknown encoding";
    }
}

const char *
type_value_check(const struct shm_region *r, const struct shm_entry_sh *e, size_t room, shm_ref_fn *fn, void *arg)
{
    const char *wrong = NULL;
    if (shm_entry_bytes(e) > room)
        return "it is longer than its block";
    if (e->flags & SHM_ENTRY_KEYBLOB)
        wrong = check_blob(shm_entry_key(e), shm_entry_klen(e), fn, arg);
    if (wrong)
        return wrong;
    if (shm_entry_type(e) == SHM_TYPE_HASH)
        return check_hash(r, e, fn, arg);
    if (!is_string(e))
        return "a type without commands";
    if (shm_entry_encoding(e) == TYPE_STRING_BLOB)
        return check_blob(shm_entry_value(e), shm_entry_vlen(e), fn, arg);
    return shm_entry_encoding(e) == TYPE_STRING_INT && shm_entry_vlen(e) != 8 ? "an integer that is not 8 bytes" : NULL;
}
