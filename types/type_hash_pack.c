/* type_hash_pack.c - hashes as packs of pairs in order: in the entry (PACK), or in a chain of blocks (CHAIN).
 *
 * The idea of the chain: a pack of up to 512 pairs may be 66 KiB, and neither copying nor noting that much for each change
 * is cheap, so it is cut into blocks of about 1 KiB. A change works on one block; a block that gets too full is cut in two,
 * one that gets empty goes, and neighbours that fit together are joined.
 *
 * Process: workers, housekeeper. Locks: the shard's, needed. Crash: class T, undone. Fails: want of memory is returned; a
 * change that failed leaves the handle unusable, as its transaction is aborted.
 */
#include "types/type_entry.h"
#include "types/type_hash_parts.h"

#define COUNT_BYTES sizeof(uint32_t)

_Static_assert(TYPE_HASH_INLINE_MAX + COUNT_BYTES + SHM_KEY_INLINE_MAX + 64 <= SHM_BLOCK_MAX, "an inline pack fits any entry");
_Static_assert(sizeof(struct hash_block_sh) + TYPE_HASH_PAIR_MAX <= SHM_BLOCK_MAX, "any pair fits a chain's block");
_Static_assert(TYPE_HASH_PAIR_MAX >= TYPE_HASH_BLOCK, "see SCRATCH_BYTES");
_Static_assert(TYPE_HASH_INLINE_MAX <= TYPE_HASH_BLOCK, "see SCRATCH_BYTES");

/* The largest pack that an edit composes aside: a block of one large pair, and another. */
#define SCRATCH_BYTES (2 * TYPE_HASH_PAIR_MAX)

/* ---- value parts ----------------------------------------------------------------------------------------------------------- */

static uint32_t
inline_count(const struct shm_entry_sh *e)
{
    uint32_t count;
    memcpy(&count, shm_entry_value(e), sizeof count);
    return count;
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

uint64_t
type_hash_pack_length(const struct shm_entry_sh *e)
{
    return shm_entry_encoding(e) == TYPE_HASH_PACK ? inline_count(e) : chain_of(e).count;
}

/* ---- finding and walking --------------------------------------------------------------------------------------------------- */

static bool
spot_find(struct type_hash_spot *s, const char *field, size_t flen)
{
    s->at = type_pack_find(s->pairs, s->used, field, flen, &s->pair);
    if (s->at < s->used)
        return true;
    s->pair.size = 0;
    return false;
}

static void
spot_block(struct type_hash_spot *s, struct hash_block_sh *b)
{
    s->block = b;
    s->pairs = b->pairs;
    s->used = b->used;
}

bool
type_hash_pack_find(const struct type_hash *h, const char *field, size_t flen, struct type_hash_spot *s)
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

void
type_hash_walk_begin(struct type_hash_walk *w, const struct shm_region *r, const struct shm_entry_sh *e)
{
    bool chain = shm_entry_encoding(e) == TYPE_HASH_CHAIN;
    *w = (struct type_hash_walk){.region = r, .pairs = chain ? NULL : inline_pairs(e), .used = chain ? 0 : inline_used(e),
        .next = chain ? chain_of(e).head : 0};
}

bool
type_hash_walk_next(struct type_hash_walk *w, struct type_pair *pair)
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
chain_link(struct type_hash *h, struct hash_chain_sh *c, struct hash_block_sh *prev, struct hash_block_sh *next,
    const struct run *run)
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
    return shm_tx_note(h->tx, &b->count, 2 * sizeof b->count) &&
        (at >= b->used || shm_tx_note(h->tx, b->pairs + at, b->used - at));
}

/* Puts the spot's block, changed as told, as one or more new blocks in its place. */
static bool
chain_rebuild(struct type_hash *h, struct hash_chain_sh *c, const struct type_hash_spot *s, const struct type_pair *pair)
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
chain_put(struct type_hash *h, struct hash_chain_sh *c, const struct type_hash_spot *s, const struct type_pair *pair)
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
chain_remove(struct type_hash *h, struct hash_chain_sh *c, const struct type_hash_spot *s)
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

/* ---- packs in the entry ---------------------------------------------------------------------------------------------------- */

/* A new entry of encoding PACK, in which the pairs are changed as told; `old` may be NULL. */
static bool
inline_rebuild(struct type_hash *h, const struct shm_entry_sh *old, const struct type_hash_spot *s, const struct type_pair *pair,
    uint32_t count)
{
    size_t used = s->used - s->pair.size + (pair ? pair->size : 0), room = used + h->expect;
    room = room > TYPE_HASH_INLINE_MAX ? TYPE_HASH_INLINE_MAX : room;
    const uint8_t *pairs = old ? inline_pairs(old) : (const uint8_t *)"";
    struct shm_entry_sh *e = type_hash_entry_new(h, TYPE_HASH_PACK, COUNT_BYTES + (room > used ? room : used));
    if (!e)
        return false;
    memcpy(shm_entry_value(e), &count, COUNT_BYTES);
    type_pack_compose(inline_pairs(e), pairs, s->used, s->at, s->pair.size, pair);
    return type_entry_set_shape(h->tx, e, TYPE_HASH_PACK, COUNT_BYTES + used);
}

static bool
inline_to_chain(struct type_hash *h, const struct type_hash_spot *s, const struct type_pair *pair, uint32_t count)
{
    uint8_t scratch[SCRATCH_BYTES];
    struct run run = {0};
    struct hash_chain_sh c = {.count = count};
    size_t used = type_pack_compose(scratch, s->pairs, s->used, s->at, s->pair.size, pair);
    if (!run_build(h, &run, scratch, used) || !chain_link(h, &c, NULL, NULL, &run) ||
        !type_hash_entry_new(h, TYPE_HASH_CHAIN, sizeof c))
        return false;
    memcpy(shm_entry_value(h->entry), &c, sizeof c); /* a fresh block */
    return true;
}

/* Changes an inline pack: where it lies, in a larger entry, or as a chain. */
static bool
inline_put(struct type_hash *h, const struct type_hash_spot *s, const struct type_pair *pair, uint32_t count)
{
    struct shm_entry_sh *e = h->entry;
    size_t used = s->used - s->pair.size + (pair ? pair->size : 0);
    if (used > TYPE_HASH_INLINE_MAX)
        return inline_to_chain(h, s, pair, count);
    if (!e || !type_entry_fits(h->region, e, COUNT_BYTES + used))
        return inline_rebuild(h, e, s, pair, count);
    if ((s->at < s->used && !shm_tx_note(h->tx, s->pairs + s->at, s->used - s->at)) ||
        !shm_tx_note(h->tx, shm_entry_value(e), COUNT_BYTES) ||
        !type_entry_set_shape(h->tx, e, TYPE_HASH_PACK, COUNT_BYTES + used))
        return false;
    memcpy(shm_entry_value(e), &count, COUNT_BYTES);
    type_pack_edit(s->pairs, s->used, s->at, s->pair.size, pair);
    return true;
}

/* ---- put, remove ----------------------------------------------------------------------------------------------------------- */

bool
type_hash_pack_put(struct type_hash *h, const struct type_hash_spot *s, const struct type_pair *pair)
{
    uint32_t count = (h->entry ? (uint32_t)type_hash_pack_length(h->entry) : 0) + (s->pair.size == 0);
    if (!h->entry || shm_entry_encoding(h->entry) == TYPE_HASH_PACK)
        return inline_put(h, s, pair, count);
    struct hash_chain_sh c = chain_of(h->entry);
    c.count = count;
    return chain_put(h, &c, s, pair) && chain_store(h, &c);
}

bool
type_hash_pack_remove(struct type_hash *h, const struct type_hash_spot *s)
{
    if (shm_entry_encoding(h->entry) == TYPE_HASH_PACK)
        return inline_put(h, s, NULL, inline_count(h->entry) - 1);
    struct hash_chain_sh c = chain_of(h->entry);
    c.count--;
    return chain_remove(h, &c, s) && chain_store(h, &c);
}

/* ---- what all encodings have ----------------------------------------------------------------------------------------------- */

void
type_hash_pack_free(struct shm_tx *tx, const struct shm_entry_sh *e)
{
    const struct hash_block_sh *b;
    if (shm_entry_encoding(e) != TYPE_HASH_CHAIN)
        return;
    for (shm_off off = chain_of(e).head; off; off = b->next) {
        b = block_at(tx->region, off);
        shm_tx_free(tx, off);
    }
}

size_t
type_hash_pack_memory(const struct shm_region *r, const struct shm_entry_sh *e)
{
    size_t sum = 0;
    if (shm_entry_encoding(e) != TYPE_HASH_CHAIN)
        return 0;
    for (shm_off off = chain_of(e).head; off; off = block_at(r, off)->next)
        sum += shm_block_size(r, off);
    return sum;
}

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

bool
type_hash_pack_copy(struct shm_tx *tx, unsigned shard, const struct shm_entry_sh *e, char *value)
{
    struct type_hash h = {.region = tx->region, .tx = tx, .shard = shard};
    if (shm_entry_encoding(e) == TYPE_HASH_PACK) {
        memcpy(value, shm_entry_value(e), shm_entry_vlen(e));
        return true;
    }
    struct hash_chain_sh c = chain_of(e);
    return chain_copy(&h, &c, value);
}
