/* type_hash.c - hash values (see type_hash.h for the three encodings).
 *
 * Small hashes are packs in order. The idea of the chain: a pack of up to 512 pairs may be 66 KiB, and neither copying
 * nor noting that much for each change is cheap, so it is cut into blocks of about 1 KiB. A change works on one block; a
 * block that gets too full is cut in two, one that gets empty goes, and neighbours that fit together are joined.
 *
 * Beyond the limits a hash is a tree over field entries, the same as a database's, and a field is set as a key is.
 *
 * Process: workers, housekeeper. Locks: the shard's, needed. Crash: class T, undone. Fails: want of memory is returned; a
 * change that failed leaves the handle unusable, as its transaction is aborted.
 */
#include "types/type_hash.h"

#include "types/type_entry.h"
#include "types/type_pack.h"

#define COUNT_BYTES sizeof(uint32_t)
#define CURSOR_SHIFT 11 /* cursors are positions without these bits, so that they stay below 2^53 */
#define INDEX_BYTES_PER_FIELD 16u /* about what the tree's segments take for each */

_Static_assert(TYPE_HASH_INLINE_MAX + COUNT_BYTES + SHM_KEY_INLINE_MAX + 64 <= SHM_BLOCK_MAX, "an inline pack fits any entry");
_Static_assert(sizeof(struct hash_block_sh) + TYPE_HASH_PAIR_MAX <= SHM_BLOCK_MAX, "any pair fits a chain's block");
_Static_assert(TYPE_HASH_PAIR_MAX >= TYPE_HASH_BLOCK, "see SCRATCH_BYTES");
_Static_assert(TYPE_HASH_INLINE_MAX <= TYPE_HASH_BLOCK, "see SCRATCH_BYTES");

/* The largest pack that an edit composes aside: a block of one large pair, and another. */
#define SCRATCH_BYTES (2 * TYPE_HASH_PAIR_MAX)

/* ---- value parts ------------------------------------------------------------------------------------------------- */

static uint32_t
inline_count(const struct shm_entry_sh *e)
{
    return shm_entry_u32((const uint8_t *)shm_entry_value(e));
}

static uint8_t *
inline_pairs(const struct shm_entry_sh *e)
{
    return (uint8_t *)shm_entry_value(e) + COUNT_BYTES;
}

static size_t
inline_used(const struct shm_entry_sh *e)
{
    return shm_entry_vlen(e) - COUNT_BYTES;
}

static struct hash_chain_sh
chain_of(const struct shm_entry_sh *e)
{
    struct hash_chain_sh c;
    memcpy(&c, shm_entry_value(e), sizeof c);
    return c;
}

static struct hash_block_sh *
block_at(const struct shm_region *r, shm_off off)
{
    return off ? shm_at(r, off) : NULL;
}

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
    switch (shm_entry_encoding(h->entry)) {
    case TYPE_HASH_PACK:
        return inline_count(h->entry);
    case TYPE_HASH_CHAIN:
        return chain_of(h->entry).count;
    default:
        return ((const struct hash_root_sh *)shm_at(h->region, root_off(h->entry)))->tree.count;
    }
}

/* ---- finding and walking packs --------------------------------------------------------------------------------------- */

/* Where a pair stands, or (size 0) where a new one goes: the end of the last pack. */
struct spot {
    struct hash_block_sh *block; /* NULL: in the entry */
    uint8_t *pairs;
    size_t used, at;
    struct type_pair pair; /* size 0: the field is absent */
};

static bool
spot_find(struct spot *s, const char *field, size_t flen)
{
    s->at = type_pack_find(s->pairs, s->used, field, flen, &s->pair);
    if (s->at < s->used)
        return true;
    s->pair.size = 0;
    return false;
}

static void
spot_block(struct spot *s, struct hash_block_sh *b)
{
    s->block = b;
    s->pairs = b->pairs;
    s->used = b->used;
}

static bool
pack_find(const struct type_hash *h, const char *field, size_t flen, struct spot *s)
{
    if (shm_entry_encoding(h->entry) == TYPE_HASH_PACK) {
        s->block = NULL;
        s->pairs = inline_pairs(h->entry);
        s->used = inline_used(h->entry);
        return spot_find(s, field, flen);
    }
    struct hash_block_sh *b = block_at(h->region, chain_of(h->entry).head);
    for (; b; b = block_at(h->region, b->next)) {
        spot_block(s, b);
        if (spot_find(s, field, flen))
            return true;
    }
    return false;
}

/* A walk over all pairs of a pack or chain. */
struct walk {
    const struct shm_region *region;
    const uint8_t *pairs;
    size_t used, at;
    shm_off next;
};

static void
walk_begin(struct walk *w, const struct shm_region *r, const struct shm_entry_sh *e)
{
    bool chain = shm_entry_encoding(e) == TYPE_HASH_CHAIN;
    *w = (struct walk){.region = r, .pairs = chain ? NULL : inline_pairs(e), .used = chain ? 0 : inline_used(e),
        .next = chain ? chain_of(e).head : 0};
}

static bool
walk_next(struct walk *w, struct type_pair *pair)
{
    while (w->at >= w->used) {
        const struct hash_block_sh *b = block_at(w->region, w->next);
        if (!b)
            return false;
        w->pairs = b->pairs;
        w->used = b->used;
        w->at = 0;
        w->next = b->next;
    }
    type_pack_read(w->pairs + w->at, pair);
    w->at += pair->size;
    return true;
}

/* ---- trees --------------------------------------------------------------------------------------------------------------- */

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
    uint32_t birth = (uint32_t)atomic_load_explicit(&tx->region->header->snapshot_epoch, memory_order_relaxed);
    char *value = shm_entry_build(shm_at(tx->region, off), SHM_TYPE_FIELD, plan->encoding, is_blob ? SHM_ENTRY_KEYBLOB : 0, birth,
        is_blob ? (const char *)&blob : field, klen, plan->vlen, -1);
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
field_update(struct shm_tx *tx, const struct shm_tree *t, struct shm_place *place, const char *field, size_t flen,
    const struct string_plan *plan)
{
    struct shm_entry_sh *old = place->entry;
    switch (type_string_set(tx, t->shard, old, plan)) {
    case TYPE_DONE:
        return true;
    case TYPE_FAILED:
        return false;
    case TYPE_REPLACE:
        break;
    }
    shm_off off = field_build(tx, t->shard, field, flen, plan);
    return off && shm_table_replace(tx, place, off) && shm_entry_free(tx, t->shard, old);
}

static enum type_hash_set
tree_set(struct type_hash *h, const char *field, size_t flen, const char *value, size_t vlen)
{
    struct shm_tree t = tree_of(h->region, h->shard, h->entry);
    struct string_plan plan;
    struct shm_place place;
    uint64_t position = shm_table_field_position(h->region, field, flen);
    type_string_plan_raw(&plan, value, vlen, flen);
    if (shm_table_find(&t, position, field, flen, &place))
        return field_update(h->tx, &t, &place, field, flen, &plan) ? TYPE_HASH_UPDATED : TYPE_HASH_FAILED;
    return field_insert(h->tx, &t, position, field, flen, &plan) ? TYPE_HASH_CREATED : TYPE_HASH_FAILED;
}

static int
tree_delete(struct type_hash *h, const char *field, size_t flen)
{
    struct shm_tree t = tree_of(h->region, h->shard, h->entry);
    struct shm_place place;
    uint64_t position = shm_table_field_position(h->region, field, flen);
    if (!shm_table_find(&t, position, field, flen, &place))
        return 0;
    struct shm_entry_sh *old = place.entry;
    return shm_table_remove(h->tx, &t, position, &place) && shm_entry_free(h->tx, h->shard, old) ? 1 : -1;
}

static shm_off
root_new(struct shm_tx *tx, unsigned shard)
{
    shm_off off = shm_tx_alloc(tx, shard, sizeof(struct hash_root_sh));
    if (off)
        memset(shm_at(tx->region, off), 0, sizeof(struct hash_root_sh));
    return off;
}

/* ---- chains ---------------------------------------------------------------------------------------------------------------- */

/* New blocks, linked among themselves. */
struct run {
    struct hash_block_sh *first, *last;
    uint32_t blocks;
};

/* Room for a block that holds so much now and may grow. */
static size_t
block_room(size_t used)
{
    return used >= TYPE_HASH_BLOCK * 2 / 3 ? (used > TYPE_HASH_BLOCK ? used : TYPE_HASH_BLOCK) : used + used / 2;
}

static bool
run_add(struct type_hash *h, struct run *run, const uint8_t *pairs, size_t used, uint32_t count)
{
    shm_off off = shm_tx_alloc(h->tx, h->shard, sizeof(struct hash_block_sh) + block_room(used));
    if (!off)
        return false;
    struct hash_block_sh *b = shm_at(h->region, off);
    *b = (struct hash_block_sh){.prev = run->last ? shm_off_of(h->region, run->last) : 0, .count = count, .used = (uint32_t)used};
    memcpy(b->pairs, pairs, used);
    if (run->last)
        run->last->next = off;
    else
        run->first = b;
    run->last = b;
    run->blocks++;
    return true;
}

/* Cuts pairs into blocks of about equal size, none over TYPE_HASH_BLOCK unless for a single pair. */
static bool
run_build(struct type_hash *h, struct run *run, const uint8_t *pairs, size_t used)
{
    size_t pieces = (used + TYPE_HASH_BLOCK - 1) / TYPE_HASH_BLOCK, aim = (used + pieces - 1) / pieces;
    size_t from = 0, at = 0;
    uint32_t count = 0;
    while (at < used) {
        struct type_pair pair;
        type_pack_read(pairs + at, &pair);
        size_t with = at - from + pair.size;
        if (count && (at - from >= aim || with > TYPE_HASH_BLOCK)) {
            if (!run_add(h, run, pairs + from, at - from, count))
                return false;
            from = at;
            count = 0;
        }
        at += pair.size;
        count++;
    }
    return run_add(h, run, pairs + from, at - from, count);
}

static bool
chain_link(struct type_hash *h, struct hash_chain_sh *c, struct hash_block_sh *prev, struct hash_block_sh *next, const struct run *run)
{
    shm_off first = shm_off_of(h->region, run->first), last = shm_off_of(h->region, run->last);
    run->first->prev = prev ? shm_off_of(h->region, prev) : 0;
    run->last->next = next ? shm_off_of(h->region, next) : 0;
    if ((prev && !shm_tx_set64(h->tx, &prev->next, first)) || (next && !shm_tx_set64(h->tx, &next->prev, last)))
        return false;
    c->head = prev ? c->head : first;
    c->tail = next ? c->tail : last;
    c->blocks += run->blocks;
    return true;
}

static bool
chain_unlink(struct type_hash *h, struct hash_chain_sh *c, struct hash_block_sh *b)
{
    struct hash_block_sh *prev = block_at(h->region, b->prev), *next = block_at(h->region, b->next);
    if ((prev && !shm_tx_set64(h->tx, &prev->next, b->next)) || (next && !shm_tx_set64(h->tx, &next->prev, b->prev)))
        return false;
    c->head = prev ? c->head : b->next;
    c->tail = next ? c->tail : b->prev;
    c->blocks--;
    shm_tx_free(h->tx, shm_off_of(h->region, b));
    return true;
}

static size_t
block_cap(const struct type_hash *h, const struct hash_block_sh *b)
{
    return shm_block_size(h->region, shm_off_of(h->region, b)) - sizeof *b;
}

/* Notes a block's counts and its pairs from `at` on. */
static bool
block_note(struct type_hash *h, struct hash_block_sh *b, size_t at)
{
    return shm_tx_note(h->tx, &b->count, 2 * sizeof b->count) && (at >= b->used || shm_tx_note(h->tx, b->pairs + at, b->used - at));
}

/* Puts the spot's block, changed as told, as one or more new blocks in its place. */
static bool
chain_rebuild(struct type_hash *h, struct hash_chain_sh *c, const struct spot *s, const struct type_pair *pair)
{
    uint8_t scratch[SCRATCH_BYTES];
    struct run run = {0};
    struct hash_block_sh *prev = block_at(h->region, s->block->prev), *next = block_at(h->region, s->block->next);
    size_t used = type_pack_compose(scratch, s->pairs, s->used, s->at, s->pair.size, pair);
    return run_build(h, &run, scratch, used) && chain_unlink(h, c, s->block) && chain_link(h, c, prev, next, &run);
}

static bool
chain_append_block(struct type_hash *h, struct hash_chain_sh *c, const struct type_pair *pair)
{
    uint8_t scratch[TYPE_HASH_PAIR_MAX];
    struct run run = {0};
    size_t used = type_pack_write(scratch, pair);
    return run_build(h, &run, scratch, used) && chain_link(h, c, block_at(h->region, c->tail), NULL, &run);
}

/* Sets a pair at the spot. */
static bool
chain_put(struct type_hash *h, struct hash_chain_sh *c, const struct spot *s, const struct type_pair *pair)
{
    struct hash_block_sh *b = s->block;
    bool created = s->pair.size == 0;
    size_t used = s->used - s->pair.size + pair->size;
    if (used <= block_cap(h, b)) {
        if (!block_note(h, b, s->at))
            return false;
        b->used = (uint32_t)type_pack_edit(b->pairs, b->used, s->at, s->pair.size, pair);
        b->count += created;
        return true;
    }
    if (created && used > TYPE_HASH_BLOCK)
        return chain_append_block(h, c, pair);
    return chain_rebuild(h, c, s, pair);
}

/* Joins a block with the one behind it if that fits. */
static bool
chain_join(struct type_hash *h, struct hash_chain_sh *c, struct hash_block_sh *b)
{
    struct hash_block_sh *next = block_at(h->region, b->next);
    if (!next || b->used + next->used > block_cap(h, b))
        return true;
    if (!block_note(h, b, b->used))
        return false;
    memcpy(b->pairs + b->used, next->pairs, next->used);
    b->used += next->used;
    b->count += next->count;
    return chain_unlink(h, c, next);
}

static bool
chain_remove(struct type_hash *h, struct hash_chain_sh *c, const struct spot *s)
{
    struct hash_block_sh *b = s->block, *prev = block_at(h->region, b->prev);
    if (b->count == 1)
        return chain_unlink(h, c, b);
    if (!block_note(h, b, s->at))
        return false;
    b->used = (uint32_t)type_pack_edit(b->pairs, b->used, s->at, s->pair.size, NULL);
    b->count--;
    return chain_join(h, c, b) && (!prev || chain_join(h, c, prev));
}

static bool
chain_store(struct type_hash *h, const struct hash_chain_sh *c)
{
    return shm_tx_write(h->tx, shm_entry_value(h->entry), c, sizeof *c);
}

static void
chain_free(struct shm_tx *tx, const struct hash_chain_sh *c)
{
    const struct hash_block_sh *b;
    for (shm_off off = c->head; off; off = b->next) {
        b = block_at(tx->region, off);
        shm_tx_free(tx, off);
    }
}

/* ---- growing from one encoding to the next ----------------------------------------------------------------------------------- */

/* A new entry with room for a value part; NULL: tx->want. */
static struct shm_entry_sh *
entry_new(struct type_hash *h, unsigned encoding, size_t vlen)
{
    h->entry = h->replace(h->arg, encoding, vlen);
    return h->entry;
}

/* A new entry of encoding PACK, in which the pairs are changed as told; `old` may be NULL. */
static bool
inline_rebuild(struct type_hash *h, const struct shm_entry_sh *old, const struct spot *s, const struct type_pair *pair, uint32_t count)
{
    size_t used = s->used - s->pair.size + (pair ? pair->size : 0), room = used + h->expect;
    room = room > TYPE_HASH_INLINE_MAX ? TYPE_HASH_INLINE_MAX : room;
    const uint8_t *pairs = old ? inline_pairs(old) : (const uint8_t *)"";
    struct shm_entry_sh *e = entry_new(h, TYPE_HASH_PACK, COUNT_BYTES + (room > used ? room : used));
    if (!e)
        return false;
    memcpy(shm_entry_value(e), &count, COUNT_BYTES);
    type_pack_compose(inline_pairs(e), pairs, s->used, s->at, s->pair.size, pair);
    return type_entry_set_shape(h->tx, e, TYPE_HASH_PACK, COUNT_BYTES + used);
}

static bool
inline_to_chain(struct type_hash *h, const struct spot *s, const struct type_pair *pair, uint32_t count)
{
    uint8_t scratch[SCRATCH_BYTES];
    struct run run = {0};
    struct hash_chain_sh c = {.count = count};
    size_t used = type_pack_compose(scratch, s->pairs, s->used, s->at, s->pair.size, pair);
    if (!run_build(h, &run, scratch, used) || !chain_link(h, &c, NULL, NULL, &run) || !entry_new(h, TYPE_HASH_CHAIN, sizeof c))
        return false;
    memcpy(shm_entry_value(h->entry), &c, sizeof c); /* a fresh block */
    return true;
}

/* Changes an inline pack: where it lies, in a larger entry, or as a chain. */
static bool
inline_put(struct type_hash *h, const struct spot *s, const struct type_pair *pair, uint32_t count)
{
    struct shm_entry_sh *e = h->entry;
    size_t used = s->used - s->pair.size + (pair ? pair->size : 0);
    if (used > TYPE_HASH_INLINE_MAX)
        return inline_to_chain(h, s, pair, count);
    if (!e || !shm_entry_mutable(h->region, e) || !type_entry_fits(h->region, e, COUNT_BYTES + used))
        return inline_rebuild(h, e, s, pair, count);
    if ((s->at < s->used && !shm_tx_note(h->tx, s->pairs + s->at, s->used - s->at)) ||
        !shm_tx_note(h->tx, shm_entry_value(e), COUNT_BYTES) ||
        !type_entry_set_shape(h->tx, e, TYPE_HASH_PACK, COUNT_BYTES + used))
        return false;
    memcpy(shm_entry_value(e), &count, COUNT_BYTES);
    type_pack_edit(s->pairs, s->used, s->at, s->pair.size, pair);
    return true;
}

static bool
tree_take_pairs(struct type_hash *h, const struct shm_tree *t, const struct shm_entry_sh *from)
{
    struct walk w;
    struct type_pair pair;
    walk_begin(&w, h->region, from);
    while (walk_next(&w, &pair)) {
        struct string_plan plan;
        type_string_plan_raw(&plan, pair.value, pair.vlen, pair.flen);
        if (!field_insert(h->tx, t, shm_table_field_position(h->region, pair.field, pair.flen), pair.field, pair.flen, &plan))
            return false;
    }
    return true;
}

/* Makes the hash a tree. The old entry and its blocks stay readable until the commit. */
static bool
to_tree(struct type_hash *h)
{
    const struct shm_entry_sh *old = h->entry;
    shm_off off = root_new(h->tx, h->shard);
    if (!off || !entry_new(h, TYPE_HASH_TREE, sizeof off))
        return false;
    memcpy(shm_entry_value(h->entry), &off, sizeof off); /* a fresh block */
    struct shm_tree t = tree_of(h->region, h->shard, h->entry);
    if (old && !tree_take_pairs(h, &t, old))
        return false;
    if (old && shm_entry_encoding(old) == TYPE_HASH_CHAIN) {
        struct hash_chain_sh c = chain_of(old);
        chain_free(h->tx, &c);
    }
    return true;
}

/* ---- get, set, delete ------------------------------------------------------------------------------------------------------------ */

bool
type_hash_get(const struct type_hash *h, const char *field, size_t flen, struct string_view *value)
{
    struct spot s;
    struct shm_place place;
    if (!h->entry)
        return false;
    if (shm_entry_encoding(h->entry) != TYPE_HASH_TREE) {
        if (!pack_find(h, field, flen, &s))
            return false;
        type_string_view_bytes(value, s.pair.value, s.pair.vlen);
        return true;
    }
    struct shm_tree t = tree_of(h->region, h->shard, h->entry);
    if (!shm_table_find(&t, shm_table_field_position(h->region, field, flen), field, flen, &place))
        return false;
    type_string_view(value, h->region, place.entry);
    return true;
}

/* Does the hash have to be a tree to take this pair? */
static bool
needs_tree(const struct type_hash *h, const struct type_pair *pair, bool created)
{
    return pair->flen > h->limits.value || pair->vlen > h->limits.value || pair->size > TYPE_HASH_PAIR_MAX ||
        type_hash_length(h) + created > h->limits.entries;
}

static bool
pack_put(struct type_hash *h, const struct spot *s, const struct type_pair *pair)
{
    uint32_t count = (uint32_t)type_hash_length(h) + (s->pair.size == 0);
    if (!h->entry || shm_entry_encoding(h->entry) == TYPE_HASH_PACK)
        return inline_put(h, s, pair, count);
    struct hash_chain_sh c = chain_of(h->entry);
    c.count = count;
    return chain_put(h, &c, s, pair) && chain_store(h, &c);
}

enum type_hash_set
type_hash_set(struct type_hash *h, const char *field, size_t flen, const char *value, size_t vlen)
{
    struct type_pair pair = {.field = field, .value = value, .flen = flen, .vlen = vlen, .size = type_pack_size(flen, vlen)};
    struct spot s = {0};
    h->expect -= flen + vlen < h->expect ? flen + vlen : h->expect;
    if (h->entry && shm_entry_encoding(h->entry) == TYPE_HASH_TREE)
        return tree_set(h, field, flen, value, vlen);
    bool found = h->entry && pack_find(h, field, flen, &s);
    if (needs_tree(h, &pair, !found))
        return to_tree(h) ? tree_set(h, field, flen, value, vlen) : TYPE_HASH_FAILED;
    if (!pack_put(h, &s, &pair))
        return TYPE_HASH_FAILED;
    return found ? TYPE_HASH_UPDATED : TYPE_HASH_CREATED;
}

int
type_hash_delete(struct type_hash *h, const char *field, size_t flen)
{
    struct spot s;
    if (!h->entry)
        return 0;
    if (shm_entry_encoding(h->entry) == TYPE_HASH_TREE)
        return tree_delete(h, field, flen);
    if (!pack_find(h, field, flen, &s))
        return 0;
    if (shm_entry_encoding(h->entry) == TYPE_HASH_PACK)
        return inline_put(h, &s, NULL, inline_count(h->entry) - 1) ? 1 : -1;
    struct hash_chain_sh c = chain_of(h->entry);
    c.count--;
    return chain_remove(h, &c, &s) && chain_store(h, &c) ? 1 : -1;
}

/* ---- walks -------------------------------------------------------------------------------------------------------------------------- */

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

static bool
pack_each(const struct type_hash *h, type_hash_fn *fn, void *arg)
{
    struct walk w;
    struct type_pair pair;
    walk_begin(&w, h->region, h->entry);
    while (walk_next(&w, &pair)) {
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
    struct tree_walk w = {.region = h->region, .fn = fn, .arg = arg};
    uint64_t cursor = 0;
    if (!h->entry)
        return true;
    if (shm_entry_encoding(h->entry) != TYPE_HASH_TREE)
        return pack_each(h, fn, arg);
    struct shm_tree t = tree_of(h->region, h->shard, h->entry);
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
type_hash_scan(const struct type_hash *h, uint64_t cursor, type_hash_fn *fn, void *arg)
{
    struct scan_visit all = {.fn = fn, .arg = arg};
    if (!h->entry || shm_entry_encoding(h->entry) != TYPE_HASH_TREE) {
        type_hash_each(h, scan_visit, &all);
        return 0;
    }
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
type_hash_random(const struct type_hash *h, const uint64_t random[2], struct string_view *field, struct string_view *value)
{
    xassert(type_hash_length(h) > 0);
    if (shm_entry_encoding(h->entry) == TYPE_HASH_TREE) {
        struct shm_tree t = tree_of(h->region, h->shard, h->entry);
        struct shm_place place;
        xassert(shm_table_random(&t, random, &place));
        type_string_view_key(field, h->region, place.entry);
        type_string_view(value, h->region, place.entry);
        return;
    }
    struct walk w;
    struct type_pair pair;
    uint64_t skip = random[0] % type_hash_length(h);
    walk_begin(&w, h->region, h->entry);
    do
        xassert(walk_next(&w, &pair));
    while (skip-- > 0);
    type_string_view_bytes(field, pair.field, pair.flen);
    type_string_view_bytes(value, pair.value, pair.vlen);
}

/* ---- what all types have ---------------------------------------------------------------------------------------------------------------- */

static bool
tree_free(struct shm_tx *tx, unsigned shard, shm_off off)
{
    const struct hash_root_sh *root = shm_at(tx->region, off);
    if (root->tree.root && !shm_reclaim_push(tx, shard, shm_table_off(root->tree.root)))
        return false;
    shm_tx_free(tx, off);
    return true;
}

bool
type_hash_free(struct shm_tx *tx, unsigned shard, const struct shm_entry_sh *e)
{
    struct hash_chain_sh c;
    switch (shm_entry_encoding(e)) {
    case TYPE_HASH_TREE:
        return tree_free(tx, shard, root_off(e));
    case TYPE_HASH_CHAIN:
        c = chain_of(e);
        chain_free(tx, &c);
        return true;
    default:
        return true;
    }
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

static size_t
tree_memory(const struct shm_region *r, const struct shm_entry_sh *e, size_t samples)
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

size_t
type_hash_memory(const struct shm_region *r, const struct shm_entry_sh *e, size_t samples)
{
    size_t sum = 0;
    if (shm_entry_encoding(e) == TYPE_HASH_PACK)
        return 0;
    if (shm_entry_encoding(e) == TYPE_HASH_TREE)
        return tree_memory(r, e, samples);
    for (shm_off off = chain_of(e).head; off; off = block_at(r, off)->next)
        sum += shm_block_size(r, off);
    return sum;
}

const char *
type_hash_encoding_name(const struct shm_entry_sh *e)
{
    return shm_entry_encoding(e) == TYPE_HASH_TREE ? "hashtable" : "listpack";
}

/* ---- copies --------------------------------------------------------------------------------------------------------------------------------- */

static bool
chain_copy(struct type_hash *h, const struct hash_chain_sh *from, char *value)
{
    struct hash_chain_sh c = {.count = from->count};
    struct run run = {0};
    const struct hash_block_sh *b;
    for (shm_off off = from->head; off; off = b->next) {
        b = block_at(h->region, off);
        if (!run_add(h, &run, b->pairs, b->used, b->count))
            return false;
    }
    if (!chain_link(h, &c, NULL, NULL, &run))
        return false;
    memcpy(value, &c, sizeof c);
    return true;
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
    char *value = shm_entry_build(shm_at(tx->region, off), SHM_TYPE_FIELD, plan.encoding, SHM_ENTRY_KEYBLOB, e->birth,
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

static bool
tree_copy(struct shm_tx *tx, unsigned shard, const struct shm_entry_sh *e, char *value)
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

bool
type_hash_copy(struct shm_tx *tx, unsigned shard, const struct shm_entry_sh *e, char *value)
{
    struct type_hash h = {.region = tx->region, .tx = tx, .shard = shard};
    struct hash_chain_sh c;
    switch (shm_entry_encoding(e)) {
    case TYPE_HASH_TREE:
        return tree_copy(tx, shard, e, value);
    case TYPE_HASH_CHAIN:
        c = chain_of(e);
        return chain_copy(&h, &c, value);
    default:
        memcpy(value, shm_entry_value(e), shm_entry_vlen(e));
        return true;
    }
}
