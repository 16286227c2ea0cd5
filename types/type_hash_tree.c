/* type_hash_tree.c - large hashes: a tree over field entries, the same as a database's, and a field is set as a key is.
 *
 * The hash's entry holds the offset of a root block; a field's entry has the field as its key and a string as its value, so
 * strings' own code writes, reads and copies it. A tree is freed by handing it to its shard's reclaim list.
 *
 * Process: workers, housekeeper. Locks: the shard's, needed. Crash: class T, undone. Fails: want of memory is returned; a
 * change that failed leaves the handle unusable, as its transaction is aborted.
 */
#include "shm/shm_keep.h"
#include "types/type_hash_parts.h"

#define CURSOR_SHIFT 11 /* cursors are positions without these bits, so that they stay below 2^53 */
#define INDEX_BYTES_PER_FIELD 16u /* about what the tree's segments take for each */

static shm_off
root_off(const struct shm_entry_sh *e)
{
    shm_off off;
    memcpy(&off, shm_entry_value(e), sizeof off);
    return off;
}

static struct shm_tree
tree_of(struct shm_region *r, unsigned shard, const struct shm_entry_sh *e)
{
    struct hash_root_sh *root = shm_at(r, root_off(e));
    return shm_tree_of_fields(r, shard, &root->tree);
}

uint64_t
type_hash_tree_length(const struct shm_region *r, const struct shm_entry_sh *e)
{
    return ((const struct hash_root_sh *)shm_at(r, root_off(e)))->tree.count;
}

/* ---- fields ---------------------------------------------------------------------------------------------------------------- */

static uint32_t
birth_now(const struct shm_tx *tx)
{
    return (uint32_t)atomic_load_explicit(&tx->region->header->snapshot_epoch, memory_order_relaxed);
}

/* A new field entry, not attached. */
static shm_off
field_build(struct shm_tx *tx, unsigned shard, const char *field, size_t flen, const struct string_plan *plan)
{
    struct shm_blob_sh blob;
    bool is_blob = flen > SHM_KEY_INLINE_MAX;
    size_t klen = type_string_key_part(flen);
    if (is_blob && !shm_blob_create(tx, shard, &blob, field, flen))
        return 0;
    shm_off off = shm_tx_alloc(tx, shard, shm_entry_size_for(klen, plan->vlen, false));
    if (!off)
        return 0;
    char *value = shm_entry_build(shm_at(tx->region, off), SHM_TYPE_FIELD, plan->encoding, is_blob ? SHM_ENTRY_KEYBLOB : 0,
        birth_now(tx),        is_blob ? (const char *)&blob : field, klen, plan->vlen, -1);
    return type_string_plan_write(tx, shard, plan, value) ? off : 0;
}

static bool
field_insert(struct shm_tx *tx, const struct shm_tree *t, uint64_t position, const char *field, size_t flen,
    const struct string_plan *plan)
{
    struct shm_place place;
    shm_off off = field_build(tx, t->shard, field, flen, plan);
    return off && shm_table_insert(tx, t, position, off, &place);
}

static bool
field_update(struct shm_tx *tx, const struct shm_tree *t, uint64_t position, struct shm_place *place, const char *field, size_t flen,
    const struct string_plan *plan)
{
    struct shm_entry_sh *old = place->entry;
    switch (shm_keep_needs(t, position, old) ? TYPE_REPLACE : type_string_set(tx, t->shard, old, plan)) {
    case TYPE_DONE:
        return true;
    case TYPE_FAILED:
        return false;
    case TYPE_REPLACE:
        break;
    }
    shm_off off = field_build(tx, t->shard, field, flen, plan);
    return off && shm_table_replace(tx, place, off) && shm_keep_release(tx, t, position, old);
}

bool
type_hash_tree_get(const struct type_hash *h, const char *field, size_t flen, struct string_view *value)
{
    struct shm_tree t = tree_of(h->region, h->shard, h->entry);
    struct shm_place place;
    if (!shm_table_find(&t, shm_table_field_position(h->region, field, flen), field, flen, &place))
        return false;
    type_string_view(value, h->region, place.entry);
    return true;
}

enum type_hash_set
type_hash_tree_set(struct type_hash *h, const char *field, size_t flen, const char *value, size_t vlen)
{
    struct shm_tree t = tree_of(h->region, h->shard, h->entry);
    struct string_plan plan;
    struct shm_place place;
    uint64_t position = shm_table_field_position(h->region, field, flen);
    type_string_plan_raw(&plan, value, vlen, flen);
    if (shm_table_find(&t, position, field, flen, &place))
        return field_update(h->tx, &t, position, &place, field, flen, &plan) ? TYPE_HASH_UPDATED : TYPE_HASH_FAILED;
    return field_insert(h->tx, &t, position, field, flen, &plan) ? TYPE_HASH_CREATED : TYPE_HASH_FAILED;
}

int
type_hash_tree_delete(struct type_hash *h, const char *field, size_t flen)
{
    struct shm_tree t = tree_of(h->region, h->shard, h->entry);
    struct shm_place place;
    uint64_t position = shm_table_field_position(h->region, field, flen);
    if (!shm_table_find(&t, position, field, flen, &place))
        return 0;
    struct shm_entry_sh *old = place.entry;
    return shm_table_remove(h->tx, &t, position, &place) && shm_keep_release(h->tx, &t, position, old) ? 1 : -1;
}

/* ---- from a pack to a tree ------------------------------------------------------------------------------------------------- */

static shm_off
root_new(struct shm_tx *tx, unsigned shard)
{
    shm_off off = shm_tx_alloc(tx, shard, sizeof(struct hash_root_sh));
    if (off)
        memset(shm_at(tx->region, off), 0, sizeof(struct hash_root_sh));
    return off;
}

static bool
tree_take_pairs(struct type_hash *h, const struct shm_tree *t, const struct shm_entry_sh *from)
{
    struct type_hash_walk w;
    struct type_pair pair;
    type_hash_walk_begin(&w, h->region, from);
    while (type_hash_walk_next(&w, &pair)) {
        struct string_plan plan;
        type_string_plan_raw(&plan, pair.value, pair.vlen, pair.flen);
        if (!field_insert(h->tx, t, shm_table_field_position(h->region, pair.field, pair.flen), pair.field, pair.flen, &plan))
            return false;
    }
    return true;
}

bool
type_hash_tree_begin(struct type_hash *h)
{
    const struct shm_entry_sh *old = h->entry;
    shm_off off = root_new(h->tx, h->shard);
    if (!off || !type_hash_entry_new(h, TYPE_HASH_TREE, sizeof off))
        return false;
    memcpy(shm_entry_value(h->entry), &off, sizeof off); /* a fresh block */
    struct shm_tree t = tree_of(h->region, h->shard, h->entry);
    if (old && !tree_take_pairs(h, &t, old))
        return false;
    if (old)
        type_hash_pack_free(h->tx, old);
    return true;
}

/* ---- walks ----------------------------------------------------------------------------------------------------------------- */

struct tree_walk {
    const struct shm_region *region;
    type_hash_fn *fn;
    void *arg;
    bool stopped;
};

static void
tree_visit(void *arg, uint64_t position, struct shm_place *place)
{
    struct tree_walk *w = arg;
    struct string_view field, value;
    (void)position;
    if (w->stopped)
        return;
    type_string_view_key(&field, w->region, place->entry);
    type_string_view(&value, w->region, place->entry);
    w->stopped = !w->fn(w->arg, &field, &value);
}

bool
type_hash_tree_each(const struct type_hash *h, type_hash_fn *fn, void *arg)
{
    struct shm_tree t = tree_of(h->region, h->shard, h->entry);
    struct tree_walk w = {.region = h->region, .fn = fn, .arg = arg};
    uint64_t cursor = 0;
    while (!w.stopped && shm_table_scan(&t, &cursor, tree_visit, &w))
        ;
    return !w.stopped;
}

struct scan_visit {
    type_hash_fn *fn;
    void *arg;
};

static bool
scan_visit(void *arg, const struct string_view *field, const struct string_view *value)
{
    struct scan_visit *v = arg;
    v->fn(v->arg, field, value);
    return true;
}

uint64_t
type_hash_tree_scan(const struct type_hash *h, uint64_t cursor, type_hash_fn *fn, void *arg)
{
    struct scan_visit all = {.fn = fn, .arg = arg};
    struct shm_tree t = tree_of(h->region, h->shard, h->entry);
    struct tree_walk w = {.region = h->region, .fn = scan_visit, .arg = &all};
    uint64_t position = cursor << CURSOR_SHIFT;
    bool more;
    do
        more = shm_table_scan(&t, &position, tree_visit, &w);
    while (more && position >> CURSOR_SHIFT <= cursor); /* the cursor must move */
    return more ? position >> CURSOR_SHIFT : 0;
}

void
type_hash_tree_random(const struct type_hash *h, const uint64_t random[2], struct string_view *field, struct string_view *value)
{
    struct shm_tree t = tree_of(h->region, h->shard, h->entry);
    struct shm_place place;
    xassert(shm_table_random(&t, random, &place));
    type_string_view_key(field, h->region, place.entry);
    type_string_view(value, h->region, place.entry);
}

/* ---- what all encodings have ----------------------------------------------------------------------------------------------- */

bool
type_hash_tree_free(struct shm_tx *tx, unsigned shard, const struct shm_entry_sh *e)
{
    static const uint8_t orphan = 1;
    const struct hash_root_sh *root = shm_at(tx->region, root_off(e));
    struct shm_keep_sh *keep = shm_keep_of(tx->region, &root->tree);
    if (keep)
        return shm_tx_write(tx, &keep->orphan, &orphan, sizeof orphan);
    if (root->tree.root && !shm_reclaim_push(tx, shard, shm_table_off(root->tree.root)))
        return false;
    shm_tx_free(tx, root_off(e));
    return true;
}

struct memory_sum {
    const struct shm_region *region;
    uint64_t fields, bytes;
};

static void
memory_visit(void *arg, uint64_t position, struct shm_place *place)
{
    struct memory_sum *m = arg;
    (void)position;
    m->fields++;
    m->bytes += shm_block_size(m->region, shm_off_of(m->region, place->entry)) + type_string_memory(m->region, place->entry);
}

size_t
type_hash_tree_memory(const struct shm_region *r, const struct shm_entry_sh *e, size_t samples)
{
    /* the handle is not const because changes go through it; a scan changes nothing */
    struct shm_tree t = tree_of((struct shm_region *)(uintptr_t)r, 0, e);
    struct memory_sum m = {.region = r};
    uint64_t cursor = 0;
    while (shm_table_scan(&t, &cursor, memory_visit, &m) && (samples == 0 || m.fields < samples))
        ;
    uint64_t fields = m.fields ? t.sh->count * m.bytes / m.fields : 0;
    return shm_block_size(r, root_off(e)) + fields + t.sh->count * INDEX_BYTES_PER_FIELD;
}

struct tree_copy {
    struct shm_tx *tx;
    struct shm_tree to;
    bool failed;
};

/* A field entry of its own with the same name and value. */
static shm_off
field_copy(struct shm_tx *tx, unsigned shard, const struct shm_entry_sh *e)
{
    struct string_plan plan;
    struct string_view name;
    struct shm_blob_sh blob;
    type_string_view_key(&name, tx->region, e);
    type_string_plan_copy(&plan, tx->region, e, name.len);
    if (!name.region)
        return field_build(tx, shard, name.bytes, name.len, &plan);
    struct string_plan whole;
    type_string_plan_splice(&whole, &name, name.len, "", 0, 0);
    whole.encoding = TYPE_STRING_BLOB;
    if (!type_string_plan_write(tx, shard, &whole, (char *)&blob))
        return 0;
    shm_off off = shm_tx_alloc(tx, shard, shm_entry_size_for(sizeof blob, plan.vlen, false));
    if (!off)
        return 0;
    char *value = shm_entry_build(shm_at(tx->region, off), SHM_TYPE_FIELD, plan.encoding, SHM_ENTRY_KEYBLOB, birth_now(tx),
        (const char *)&blob, sizeof blob, plan.vlen, -1);
    return type_string_plan_write(tx, shard, &plan, value) ? off : 0;
}

static void
tree_copy_visit(void *arg, uint64_t position, struct shm_place *place)
{
    struct tree_copy *c = arg;
    struct shm_place new;
    if (c->failed)
        return;
    shm_off off = field_copy(c->tx, c->to.shard, place->entry);
    c->failed = !off || !shm_table_insert(c->tx, &c->to, position, off, &new);
}

bool
type_hash_tree_copy(struct shm_tx *tx, unsigned shard, const struct shm_entry_sh *e, char *value)
{
    shm_off off = root_new(tx, shard);
    uint64_t cursor = 0;
    if (!off)
        return false;
    struct hash_root_sh *root = shm_at(tx->region, off);
    struct tree_copy c = {.tx = tx, .to = shm_tree_of_fields(tx->region, shard, &root->tree)};
    struct shm_tree from = tree_of(tx->region, shard, e);
    while (!c.failed && shm_table_scan(&from, &cursor, tree_copy_visit, &c))
        ;
    memcpy(value, &off, sizeof off);
    return !c.failed;
}
