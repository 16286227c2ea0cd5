/* shm_table.c - the hash-ordered index (shm_table.h draws it).
 *
 * A tree is walked from its root word: offset|1 is a segment, another offset a node. All changes to words that readers
 * may look at go through the transaction; a segment of another size is a fresh block that one noted store (or one per child)
 * puts in the old one's place, and one that splits is noted whole and keeps its lower half.
 *
 * Process: all that change or read keys. Locks: the shard's. Crash: class T. Fails: tx->want.
 * Bound: an insert moves the entries of one segment (at most 378), a removal likewise.
 */
#include "shm/shm_table.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/apart.h"
#include "base/crc.h"
#include "shm/shm_blob.h"
#include "shm/shm_class.h"

/* An insert looks for room in this many buckets from home on, as long as the segment is at most FULL_PERCENT full. With a
 * window of 4 segments were split at 65 %: 20 bytes of index a key instead of 17. */
#define WINDOW 16u
#define FULL_PERCENT 88u
/* Segments of a tree that is made at once are so full when it has what it was made for. */
#define PRESIZE_PERCENT 82u
#define SHRUNK_PERCENT 70u /* the same of a segment that is made smaller */
#define PRESIZE_BITS_MAX 36u
#define PRESIZE_ENTRIES_MAX (1ull << 40)
#define AHEAD_BYTES 256u /* of an entry that are brought into the cache ahead */

static const uint8_t ladder[] = {1, 3, 7, 15, 23, 31, 47, 63};
#define LADDER (sizeof ladder / sizeof ladder[0])

/* ---- positions ----------------------------------------------------------------------------------------- */

/* The part of a key that a cluster hashes: between the first { and the next }, if not empty. Source: Redis Cluster
 * specification, "hash tags". */
static APART uint16_t
cluster_slot(const char *key, size_t klen)
{
    const char *open = memchr(key, '{', klen);
    if (open) {
        const char *close = memchr(open + 1, '}', (size_t)(key + klen - open - 1));
        if (close && close > open + 1)
            return crc16(open + 1, (size_t)(close - open - 1)) & (SHM_KEYSLOTS - 1);
    }
    return crc16(key, klen) & (SHM_KEYSLOTS - 1);
}

uint64_t
shm_table_position(const struct shm_region *r, const char *key, size_t klen, bool cluster)
{
    uint64_t hash = XXH3_64bits_withSeed(key, klen, r->hash_seed);
    if (!cluster)
        return hash;
    return (uint64_t)cluster_slot(key, klen) << (64 - SHM_KEYSLOT_BITS) | hash >> SHM_KEYSLOT_BITS;
}

uint64_t
shm_table_field_position(const struct shm_region *r, const char *field, size_t len)
{
    return XXH3_64bits_withSeed(field, len, ~r->hash_seed);
}

/* The same hash over a key that lies in a blob, piece by piece. */
static uint64_t
blob_hash(const struct shm_region *r, const struct shm_entry_sh *e, uint64_t seed)
{
    struct shm_blob_sh b;
    XXH3_state_t state;
    memcpy(&b, shm_entry_key(e), sizeof b);
    memset(&state, 0, sizeof state);
    XXH3_64bits_reset_withSeed(&state, seed);
    for (size_t at = 0, n; at < b.len; at += n) {
        static const char zeros[SHM_BLOB_LEAF];
        const char *piece = shm_blob_at(r, &b, at, &n);
        XXH3_64bits_update(&state, piece ? piece : zeros, n);
    }
    return XXH3_64bits_digest(&state);
}

uint64_t
shm_table_key_position(const struct shm_region *r, const struct shm_entry_sh *e)
{
    if (e->flags & SHM_ENTRY_KEYBLOB)
        return blob_hash(r, e, r->hash_seed);
    return shm_table_position(r, shm_entry_key(e), shm_entry_klen(e), r->cluster);
}

uint64_t
shm_table_entry_field_position(const struct shm_region *r, const struct shm_entry_sh *e)
{
    if (e->flags & SHM_ENTRY_KEYBLOB)
        return blob_hash(r, e, ~r->hash_seed);
    return shm_table_field_position(r, shm_entry_key(e), shm_entry_klen(e));
}

/* ---- finding the segment -------------------------------------------------------------------------------- */

/* Where a segment hangs: the word that points to it first, and how many neighbouring words repeat it. */
struct spot {
    struct shm_segment_sh *segment; /* NULL: the tree is empty */
    uint64_t *word;
    unsigned repeats;
    unsigned level; /* bits in front of the last of these words' choice, plus what the choice takes: full depth here */
};

static uint64_t
prefix_of(uint64_t position, unsigned depth)
{
    return depth ? position >> (64 - depth) << (64 - depth) : 0;
}

static struct shm_segment_sh *
segment_at(const struct shm_region *r, uint64_t word)
{
    struct shm_segment_sh *s = shm_at(r, shm_table_off(word));
    xassert(s->magic == SHM_SEGMENT_MAGIC);
    return s;
}

/* Which child of a node takes a position; `level` bits of it are behind. */
static unsigned
child_of(uint64_t position, unsigned level)
{
    xassert_debug(level + SHM_NODE_BITS <= 64);
    return (unsigned)(position << level >> (64 - SHM_NODE_BITS));
}

/* The word of the segment of a position; 0: the tree is empty. */
static uint64_t
find_word(const struct shm_tree *t, uint64_t position)
{
    uint64_t word = t->sh->root;
    for (unsigned level = t->skip_bits; word && !shm_table_is_segment(word); level += SHM_NODE_BITS) {
        const struct shm_node_sh *node = shm_at(t->region, word);
        xassert_debug(node->magic == SHM_NODE_MAGIC && node->level == level);
        word = atomic_load_explicit(&node->child[child_of(position, level)], memory_order_relaxed);
    }
    return word;
}

static struct spot
find_spot(const struct shm_tree *t, uint64_t position)
{
    struct spot at = {.word = &t->sh->root, .repeats = 1, .level = t->skip_bits};
    uint64_t word = t->sh->root;
    if (word == 0)
        return at;
    for (; !shm_table_is_segment(word); word = *at.word) {
        struct shm_node_sh *node = shm_at(t->region, word);
        xassert_debug(node->magic == SHM_NODE_MAGIC && node->level == at.level); /* only there: a cache miss saved */
        at.word = (uint64_t *)(void *)&node->child[child_of(position, at.level)];
        at.level += SHM_NODE_BITS;
    }
    at.segment = segment_at(t->region, word);
    at.repeats = 1u << (at.level - at.segment->depth);
    if (at.repeats > 1) { /* go back to the first child that shares this segment */
        at.word -= child_of(position, at.level - SHM_NODE_BITS) & (at.repeats - 1);
    }
    return at;
}

static unsigned
home_of(const struct shm_segment_sh *s, uint64_t position)
{
    return shm_table_home(position, s->depth, s->buckets);
}

/* ---- filling fresh segments -------------------------------------------------------------------------------- */

static size_t
segment_bytes(unsigned buckets)
{
    return sizeof(struct shm_segment_sh) + buckets * sizeof(struct shm_bucket_sh);
}

static void
segment_init(struct shm_segment_sh *s, unsigned buckets, unsigned depth, uint64_t prefix)
{
    memset(s, 0, segment_bytes(buckets));
    s->magic = SHM_SEGMENT_MAGIC;
    s->depth = (uint8_t)depth;
    s->buckets = (uint8_t)buckets;
    s->prefix = prefix;
    s->min_expiry = SHM_NEVER;
}

static struct shm_segment_sh *
segment_new(struct shm_tx *tx, const struct shm_tree *t, unsigned buckets, unsigned depth, uint64_t prefix)
{
    shm_off off = shm_tx_alloc_table(tx, t->shard, segment_bytes(buckets));
    if (!off)
        return NULL;
    struct shm_segment_sh *s = shm_at(t->region, off);
    segment_init(s, buckets, depth, prefix);
    return s;
}

/* Puts a slot into a fresh segment, as near to home as there is room; the segment has room somewhere. */
static void
segment_fill(struct shm_segment_sh *s, uint64_t position, uint64_t slot, uint16_t clock)
{
    unsigned home = home_of(s, position);
    for (unsigned d = 0; d < s->buckets; d++) {
        struct shm_bucket_sh *b = &s->bucket[shm_table_behind_home(home, d, s->buckets)];
        for (unsigned i = 0; i < SHM_BUCKET_SLOTS; i++) {
            if (b->slot[i])
                continue;
            b->slot[i] = slot;
            b->clock[i] = clock;
            if (s->bucket[home].reach < d)
                s->bucket[home].reach = (uint8_t)d;
            s->count++;
            return;
        }
    }
    never_reached("a fresh segment has room for what it was sized for");
}

/* The smallest segment that so many entries fill to at most so many percent. */
static unsigned
ladder_for(uint64_t entries, unsigned percent)
{
    for (unsigned i = 0; i < LADDER; i++)
        if (entries * 100 <= ladder[i] * SHM_BUCKET_SLOTS * percent)
            return ladder[i];
    return SHM_SEGMENT_BUCKETS_MAX;
}

/* What a slot of a segment that is rebuilt holds. */
struct moved {
    uint64_t position, slot;
    int64_t expiry;
    uint16_t clock;
};
#define MOVED_MAX (SHM_SEGMENT_BUCKETS_MAX * SHM_BUCKET_SLOTS)

/* Gathers all entries of a segment; returns how many. The position of each is computed from its key, so every entry is
 * read: they are prefetched first, all at once. */
static unsigned
segment_gather(const struct shm_tree *t, const struct shm_segment_sh *s, struct moved moved[MOVED_MAX])
{
    unsigned n = 0;
    for (unsigned b = 0; b < s->buckets; b++) {
        for (unsigned i = 0; i < SHM_BUCKET_SLOTS; i++) {
            uint64_t slot = s->bucket[b].slot[i];
            if (!slot)
                continue;
            __builtin_prefetch(shm_at(t->region, slot << 16 >> 16));
            moved[n++] = (struct moved){.slot = slot, .clock = s->bucket[b].clock[i]};
        }
    }
    for (unsigned i = 0; i < n; i++) {
        const struct shm_entry_sh *e = shm_at(t->region, moved[i].slot << 16 >> 16);
        moved[i].position = t->position_of(t->region, e);
        moved[i].expiry = shm_entry_expiry(e);
    }
    return n;
}

/* Fills a fresh segment with those whose bit behind `depth` bits is `bit`; all of them if bit is 2. */
static void
segment_fill_all(struct shm_segment_sh *s, const struct moved *moved, unsigned n, unsigned depth, unsigned bit)
{
    for (unsigned i = 0; i < n; i++) {
        if (bit != 2 && (moved[i].position << depth >> 63) != bit)
            continue;
        segment_fill(s, moved[i].position, moved[i].slot, moved[i].clock);
        if (moved[i].expiry >= 0 && moved[i].expiry < s->min_expiry)
            s->min_expiry = moved[i].expiry;
    }
}

/* Stores `word` into n neighbouring child words. */
static bool
set_children(struct shm_tx *tx, uint64_t *first, unsigned n, uint64_t word)
{
    if (!shm_tx_note(tx, first, n * sizeof *first))
        return false;
    for (unsigned i = 0; i < n; i++)
        *(volatile uint64_t *)&first[i] = word;
    return true;
}

static uint64_t
segment_word(const struct shm_tree *t, const struct shm_segment_sh *s)
{
    return shm_table_segment_word(shm_off_of(t->region, s), s->buckets, s->depth);
}

/* ---- growing and shrinking ------------------------------------------------------------------------------------ */

static bool
resize_segment(struct shm_tx *tx, const struct shm_tree *t, const struct spot *at, unsigned buckets)
{
    struct shm_segment_sh *old = at->segment;
    struct moved moved[MOVED_MAX];
    struct shm_segment_sh *s = segment_new(tx, t, buckets, old->depth, old->prefix);
    if (!s)
        return false;
    segment_fill_all(s, moved, segment_gather(t, old, moved), 0, 2);
    if (!set_children(tx, at->word, at->repeats, segment_word(t, s)))
        return false;
    shm_tx_free(tx, shm_off_of(t->region, old));
    return true;
}

/* A node whose children are to be set. The one below the root of a keyspace is the only one in a shard of up to some 20,000 keys, so
 * it lies among the entries: spans of their own would be 2 MB with 64 shards. Further nodes don't, because nodes outlive the entries
 * beside them, and would hold their spans. NULL: tx->want. */
static struct shm_node_sh *
node_new(struct shm_tx *tx, const struct shm_tree *t, unsigned level)
{
    bool first = level == t->skip_bits && t->position_of == shm_table_key_position;
    shm_off off = first ? shm_tx_alloc_run(tx, t->shard, sizeof(struct shm_node_sh)) : shm_tx_alloc(tx, t->shard, sizeof(struct shm_node_sh));
    if (!off)
        return NULL;
    struct shm_node_sh *node = shm_at(t->region, off);
    memset(node, 0, sizeof *node);
    node->magic = SHM_NODE_MAGIC;
    node->level = level;
    return node;
}

/* Hangs the two halves in a new node below the word that held the segment. */
static bool
split_below(struct shm_tx *tx, const struct shm_tree *t, const struct spot *at, uint64_t low, uint64_t high)
{
    struct shm_node_sh *node = node_new(tx, t, at->level);
    if (!node)
        return false;
    for (unsigned i = 0; i < SHM_NODE_CHILDREN; i++)
        node->child[i] = i < SHM_NODE_CHILDREN / 2 ? low : high;
    return set_children(tx, at->word, 1, shm_off_of(t->region, node));
}

/* Splits a segment of the largest size in two such. The lower half stays where the segment was: so a shard of 8, 16, 32 .. of them
 * has full spans only, where there was always one more that one half had been put in.
 *
 * Halves that grew once more on the ladder would waste less of themselves, but all segments of a shard grow at about the same time:
 * spans of three sizes stood half empty (measured with 4 M keys: 8 bytes a key). */
static bool
split_segment(struct shm_tx *tx, const struct shm_tree *t, const struct spot *at)
{
    struct shm_segment_sh *low = at->segment;
    struct moved moved[MOVED_MAX];
    unsigned depth = low->depth + 1u, n = segment_gather(t, low, moved);
    uint64_t prefix = low->prefix;
    xassert(depth <= 64 && low->buckets == SHM_SEGMENT_BUCKETS_MAX);
    struct shm_segment_sh *high = segment_new(tx, t, SHM_SEGMENT_BUCKETS_MAX, depth, prefix | 1ull << (64 - depth));
    if (!high || !shm_tx_note(tx, low, segment_bytes(SHM_SEGMENT_BUCKETS_MAX)))
        return false;
    segment_init(low, SHM_SEGMENT_BUCKETS_MAX, depth, prefix);
    segment_fill_all(low, moved, n, depth - 1, 0);
    segment_fill_all(high, moved, n, depth - 1, 1);
    uint64_t wl = segment_word(t, low), wh = segment_word(t, high);
    return at->repeats == 1 ? split_below(tx, t, at, wl, wh)
                            : set_children(tx, at->word, at->repeats / 2, wl) &&
            set_children(tx, at->word + at->repeats / 2, at->repeats / 2, wh);
}

/* Makes room where an insert found none. */
static bool
grow_segment(struct shm_tx *tx, const struct shm_tree *t, const struct spot *at)
{
    for (unsigned i = 0; i < LADDER; i++)
        if (ladder[i] > at->segment->buckets)
            return resize_segment(tx, t, at, ladder[i]);
    return split_segment(tx, t, at);
}

static bool
first_segment(struct shm_tx *tx, const struct shm_tree *t, uint64_t position)
{
    struct shm_segment_sh *s = segment_new(tx, t, ladder[0], t->skip_bits, prefix_of(position, t->skip_bits));
    return s && shm_tx_set64(tx, &t->sh->root, segment_word(t, s));
}

/* ---- a tree made at once ------------------------------------------------------------------------------------------ */

/* What every segment of a tree made at once has. */
struct form {
    unsigned depth, buckets;
};

/* Positions spread evenly, so segments of one size do for all but a few, which grow as ever. */
static struct form
form_for(const struct shm_tree *t, uint64_t entries)
{
    struct form form = {.depth = t->skip_bits};
    uint64_t each = entries;
    for (; each * 100 > SHM_SEGMENT_BUCKETS_MAX * SHM_BUCKET_SLOTS * PRESIZE_PERCENT && form.depth < t->skip_bits + PRESIZE_BITS_MAX; each /= 2)
        form.depth++;
    form.buckets = ladder_for(each, PRESIZE_PERCENT);
    return form;
}

/* The word of a subtree behind `level` bits of positions; 0: tx->want. Deep as the number of entries is long. */
static uint64_t
make_subtree(struct shm_tx *tx, const struct shm_tree *t, struct form form, unsigned level, uint64_t prefix)
{
    if (form.depth <= level) {
        struct shm_segment_sh *s = segment_new(tx, t, form.buckets, form.depth, prefix);
        return s ? segment_word(t, s) : 0;
    }
    struct shm_node_sh *node = node_new(tx, t, level);
    if (!node)
        return 0;
    unsigned below = level + SHM_NODE_BITS, repeats = form.depth < below ? 1u << (below - form.depth) : 1;
    for (unsigned i = 0; i < SHM_NODE_CHILDREN; i += repeats) {
        uint64_t word = make_subtree(tx, t, form, form.depth < below ? form.depth : below, prefix | (uint64_t)i << (64 - below));
        if (!word)
            return 0;
        for (unsigned k = 0; k < repeats; k++)
            node->child[i + k] = word;
    }
    return shm_off_of(t->region, node);
}

bool
shm_table_presize(struct shm_tx *tx, const struct shm_tree *t, uint64_t entries)
{
    uint64_t first = (uint64_t)t->shard << 1 << (63 - t->skip_bits);
    xassert(t->sh->root == 0 && t->skip_bits + PRESIZE_BITS_MAX + SHM_NODE_BITS <= 64);
    uint64_t word = make_subtree(tx, t, form_for(t, entries < PRESIZE_ENTRIES_MAX ? entries : PRESIZE_ENTRIES_MAX), t->skip_bits, first);
    return word && shm_tx_set64(tx, &t->sh->root, word);
}

/* ---- the operations -------------------------------------------------------------------------------------------- */

static void
set_place(const struct shm_tree *t, struct shm_place *p, struct shm_segment_sh *s, struct shm_bucket_sh *b, unsigned i)
{
    *p = (struct shm_place){.segment = s, .slot = &b->slot[i], .clock = &b->clock[i],
        .entry = shm_at(t->region, b->slot[i] << 16 >> 16)};
}

bool
shm_table_find(const struct shm_tree *t, uint64_t position, const char *key, size_t klen, struct shm_place *p)
{
    uint64_t word = find_word(t, position);
    if (!word) {
        memset(p, 0, sizeof *p);
        return false;
    }
    struct shm_segment_sh *s = shm_at(t->region, shm_table_off(word)); /* its header is not looked at: a cache miss saved */
    unsigned buckets = shm_table_word_buckets(word), home = shm_table_home(position, shm_table_word_depth(word), buckets);
    unsigned reach = s->bucket[home].reach;
    for (unsigned d = 0; d <= reach; d++) {
        struct shm_bucket_sh *b = &s->bucket[shm_table_behind_home(home, d, buckets)];
        for (unsigned match = shm_table_match(b, position); match; match &= match - 1) {
            set_place(t, p, s, b, shm_table_match_slot(match));
            if (shm_entry_key_equal(t->region, p->entry, key, klen))
                return true;
        }
    }
    memset(p, 0, sizeof *p);
    return false;
}

/* The empty slots of a bucket, as a set of bits: bit 2 i for slot i. Without a branch: which is the first cannot be predicted. */
static unsigned
empty_slots(const struct shm_bucket_sh *b)
{
    const __m128i *pair = (const __m128i *)(const void *)b->slot, none = _mm_setzero_si128();
    unsigned halves = 0; /* that are zero */
    for (unsigned i = 0; i < SHM_BUCKET_SLOTS / 2; i++)
        halves |= (unsigned)_mm_movemask_ps(_mm_castsi128_ps(_mm_cmpeq_epi32(_mm_load_si128(pair + i), none))) << 4 * i;
    return halves & halves >> 1 & 0x555;
}

/* Tries to put the entry within the window behind its home. 1: done, 0: no room, -1: tx->want. */
static int
insert_near(struct shm_tx *tx, const struct shm_tree *t, struct shm_segment_sh *s, uint64_t position, shm_off entry,
    struct shm_place *p)
{
    unsigned home = home_of(s, position), window = s->buckets < WINDOW ? s->buckets : WINDOW;
    if (s->buckets >= WINDOW && s->count * 100u > s->buckets * SHM_BUCKET_SLOTS * FULL_PERCENT)
        return 0;
    for (unsigned d = 0; d < window; d++) {
        struct shm_bucket_sh *b = &s->bucket[shm_table_behind_home(home, d, s->buckets)];
        unsigned empty = empty_slots(b);
        if (!empty)
            continue;
        unsigned i = (unsigned)__builtin_ctz(empty) / 2;
        uint8_t reach = (uint8_t)d;
        if (s->bucket[home].reach < reach && !shm_tx_write(tx, &s->bucket[home].reach, &reach, 1))
            return -1;
        atomic_store_explicit(&b->clock[i], 0, memory_order_relaxed);
        if (!shm_tx_set64(tx, (uint64_t *)(void *)&b->slot[i], (position & 0xFFFF) << 48 | entry) ||
            !shm_tx_set16(tx, &s->count, (uint16_t)(s->count + 1)))
            return -1;
        set_place(t, p, s, b, i);
        return 1;
    }
    return 0;
}

bool
shm_table_insert(struct shm_tx *tx, const struct shm_tree *t, uint64_t position, shm_off entry, struct shm_place *p)
{
    if (t->sh->root == 0 && !first_segment(tx, t, position))
        return false;
    for (;;) { /* each turn doubles the resolution at this position: at most 64 + LADDER turns */
        struct spot at = find_spot(t, position);
        int done = insert_near(tx, t, at.segment, position, entry, p);
        if (done < 0 || (done == 0 && !grow_segment(tx, t, &at)))
            return false;
        if (done > 0)
            break;
    }
    return shm_tx_set64(tx, &t->sh->count, t->sh->count + 1) && shm_table_note_expiry(tx, p, shm_entry_expiry(p->entry));
}

bool
shm_table_replace(struct shm_tx *tx, struct shm_place *p, shm_off entry)
{
    uint64_t slot = atomic_load_explicit(p->slot, memory_order_relaxed);
    if (!shm_tx_set64(tx, (uint64_t *)(void *)p->slot, (slot & 0xFFFFull << 48) | entry))
        return false;
    p->entry = shm_at(tx->region, entry);
    return shm_table_note_expiry(tx, p, shm_entry_expiry(p->entry));
}

/* An emptied tree goes to the reclaim list whole; a segment that is mostly empty is built smaller. */
static bool
shrink(struct shm_tx *tx, const struct shm_tree *t, uint64_t position)
{
    if (t->sh->count == 0) {
        shm_off root = shm_table_off(t->sh->root);
        return shm_tx_set64(tx, &t->sh->root, 0) && shm_reclaim_push(tx, t->shard, root);
    }
    struct spot at = find_spot(t, position);
    if (at.segment->buckets == 1 || at.segment->count * 4u > at.segment->buckets * SHM_BUCKET_SLOTS)
        return true;
    unsigned buckets = ladder_for(at.segment->count, SHRUNK_PERCENT);
    return buckets >= at.segment->buckets || resize_segment(tx, t, &at, buckets);
}

bool
shm_table_remove(struct shm_tx *tx, const struct shm_tree *t, uint64_t position, struct shm_place *p)
{
    xassert(p->segment->count > 0 && t->sh->count > 0);
    if (!shm_tx_set64(tx, (uint64_t *)(void *)p->slot, 0) || !shm_tx_set16(tx, &p->segment->count, (uint16_t)(p->segment->count - 1)) ||
        !shm_tx_set64(tx, &t->sh->count, t->sh->count - 1))
        return false;
    memset(p, 0, sizeof *p);
    return shrink(tx, t, position);
}

bool
shm_table_note_expiry(struct shm_tx *tx, struct shm_place *p, int64_t when_ms)
{
    if (when_ms < 0 || p->segment->min_expiry <= when_ms)
        return true;
    return shm_tx_write(tx, &p->segment->min_expiry, &when_ms, sizeof when_ms);
}

/* A shard that is switched off is empty to walks; nothing in it may be followed. */
static bool
is_off(const struct shm_tree *t)
{
    return atomic_load_explicit(&t->region->shards[t->shard].state, memory_order_relaxed) == SHM_SHARD_OFF;
}

/* ---- walking ------------------------------------------------------------------------------------------------------ */

/* The first position behind a segment or, for an empty tree, behind the tree. */
static uint64_t
end_of(uint64_t prefix, unsigned depth)
{
    return depth ? prefix + (1ull << (64 - depth)) : 0;
}

static bool
in_tree(const struct shm_tree *t, uint64_t from, uint64_t cursor)
{
    return cursor != 0 && prefix_of(cursor, t->skip_bits) == prefix_of(from, t->skip_bits);
}

struct shm_segment_sh *
shm_table_segment(const struct shm_tree *t, uint64_t position)
{
    return is_off(t) ? NULL : find_spot(t, position).segment;
}

bool
shm_table_behind(const struct shm_tree *t, const struct shm_segment_sh *s, unsigned home, uint64_t *position)
{
    /* the smallest rest that scales to the next bucket */
    uint64_t rest = home + 1u < s->buckets ? ((((uint64_t)home + 1) << 32) + s->buckets - 1) / s->buckets << 32 : 0;
    *position = rest ? s->prefix | (s->depth < 64 ? rest >> s->depth : 0) : end_of(s->prefix, s->depth);
    return in_tree(t, s->prefix, *position);
}

bool
shm_table_scan(const struct shm_tree *t, uint64_t *cursor, shm_scan_fn *fn, void *arg)
{
    uint64_t from = *cursor;
    shm_region_progress(t->region);
    struct shm_segment_sh *s = shm_table_segment(t, from);
    if (!s) {
        *cursor = end_of(prefix_of(from, t->skip_bits), t->skip_bits);
        return false;
    }
    unsigned home = home_of(s, from), reach = s->bucket[home].reach;
    for (unsigned d = 0; d <= reach; d++) {
        struct shm_bucket_sh *b = &s->bucket[shm_table_behind_home(home, d, s->buckets)];
        for (unsigned i = 0; i < SHM_BUCKET_SLOTS; i++) {
            struct shm_place p;
            if (!b->slot[i])
                continue;
            set_place(t, &p, s, b, i);
            uint64_t position = t->position_of(t->region, p.entry);
            if (position >= from && home_of(s, position) == home)
                fn(arg, position, &p);
        }
    }
    return shm_table_behind(t, s, home, cursor);
}

bool
shm_table_walk(const struct shm_tree *t, uint64_t *cursor, shm_segment_fn *fn, void *arg)
{
    uint64_t from = *cursor;
    shm_region_progress(t->region);
    struct shm_segment_sh *s = shm_table_segment(t, from);
    if (!s) {
        *cursor = end_of(prefix_of(from, t->skip_bits), t->skip_bits);
        return false;
    }
    fn(arg, s);
    *cursor = end_of(s->prefix, s->depth);
    return in_tree(t, from, *cursor);
}

bool
shm_table_random(const struct shm_tree *t, const uint64_t random[2], struct shm_place *p)
{
    shm_region_progress(t->region);
    uint64_t first = (uint64_t)t->shard << 1 << (63 - t->skip_bits);
    uint64_t position = t->skip_bits ? first | random[0] >> t->skip_bits : random[0];
    if (t->sh->count == 0 || is_off(t))
        return false;
    struct shm_segment_sh *s = find_spot(t, position).segment;
    while (s->count == 0) { /* ends: the tree has an entry, and the walk wraps to its front */
        uint64_t next = end_of(s->prefix, s->depth);
        position = in_tree(t, position, next) ? next : prefix_of(position, t->skip_bits);
        s = find_spot(t, position).segment;
    }
    unsigned nth = (unsigned)(random[1] % s->count);
    for (unsigned b = 0; b < s->buckets; b++)
        for (unsigned i = 0; i < SHM_BUCKET_SLOTS; i++)
            if (s->bucket[b].slot[i] && nth-- == 0) {
                set_place(t, p, s, &s->bucket[b], i);
                return true;
            }
    never_reached("a segment's count is the number of its slots in use");
}

/* ---- prefetching, without any lock: what is followed is checked against the committed region --------------------- */

/* A word may be of memory that is something else by now, and lead anywhere. */
static const void *
peek(const struct shm_region *r, uint64_t off, size_t bytes)
{
    uint64_t end = r->header->off_extents + atomic_load_explicit(&r->header->committed_extents, memory_order_relaxed) * SHM_EXTENT_BYTES;
    return off % 8 == 0 && off >= r->header->off_extents && off < end && bytes <= end - off ? r->base + off : NULL;
}

/* Sets what the next step reads, behind a word that is at `level`. */
static void
ahead_follow(const struct shm_region *r, struct shm_ahead *a, uint64_t word, unsigned level)
{
    a->next = NULL;
    if (word == 0)
        return;
    if (shm_table_is_segment(word)) {
        unsigned buckets = shm_table_word_buckets(word);
        const struct shm_segment_sh *s = peek(r, shm_table_off(word), segment_bytes(buckets));
        if (!s || buckets == 0)
            return;
        if (a->inserts)
            __builtin_prefetch(s, 1);
        unsigned home = shm_table_home(a->position, shm_table_word_depth(word), buckets);
        a->next = &s->bucket[home];
        a->level = SHM_AHEAD_HOME;
        a->behind = (uint8_t)(buckets - 1 - home);
    } else {
        const struct shm_node_sh *node = peek(r, word, sizeof *node);
        if (!node || level + SHM_NODE_BITS > 64)
            return;
        a->next = &node->child[child_of(a->position, level)];
        a->level = (uint8_t)(level + SHM_NODE_BITS);
    }
    __builtin_prefetch(a->next);
}

void
shm_table_ahead(const struct shm_tree *t, uint64_t position, struct shm_ahead *a)
{
    a->position = position;
    ahead_follow(t->region, a, *(volatile uint64_t *)&t->sh->root, t->skip_bits);
}

/* All lines of a block, as far as they are few: a block of 88 bytes lies on two or on three. */
static void
prefetch_block(const struct shm_region *r, shm_off off)
{
    if (off < r->header->off_extents || off >= r->bytes)
        return;
    unsigned class = shm_span_word_class(atomic_load_explicit(&r->span_words[shm_span_of(r, off)], memory_order_relaxed));
    shm_off end = off + (class < SHM_CLASS_TABLE ? shm_class_size(class) : 0);
    if (end > off + AHEAD_BYTES)
        end = off + AHEAD_BYTES;
    for (shm_off line = off & ~(shm_off)63; line < end; line += 64)
        __builtin_prefetch(r->base + line);
}

/* Goes on from the home to the buckets behind it, until one has an entry that may be the key's. */
static bool
ahead_bucket(const struct shm_region *r, struct shm_ahead *a)
{
    const struct shm_bucket_sh *b = a->next;
    unsigned match = shm_table_match(b, a->position);
    if (a->level == SHM_AHEAD_HOME) {
        if (a->inserts)
            shm_table_fetch_behind(b);
        a->level = SHM_AHEAD_BEHIND;
        a->behind = a->behind < b->reach ? a->behind : b->reach;
    }
    for (unsigned left = match; left; left &= left - 1)
        prefetch_block(r, atomic_load_explicit(&b->slot[shm_table_match_slot(left)], memory_order_relaxed) << 16 >> 16);
    a->next = match || a->behind == 0 ? NULL : b + 1;
    if (a->next) {
        a->behind--;
        __builtin_prefetch(a->next);
    }
    return a->next != NULL;
}

bool
shm_table_ahead_step(const struct shm_region *r, struct shm_ahead *a)
{
    if (!a->next)
        return false;
    if (a->level == SHM_AHEAD_HOME || a->level == SHM_AHEAD_BEHIND)
        return ahead_bucket(r, a);
    ahead_follow(r, a, atomic_load_explicit((const _Atomic uint64_t *)a->next, memory_order_relaxed), a->level);
    return a->next != NULL;
}

/* ---- prefetching, with the lock --------------------------------------------------------------------------------------- */

void
shm_table_fetch_node(const struct shm_tree *t, uint64_t position)
{
    uint64_t word = t->sh->root;
    if (word == 0 || shm_table_is_segment(word))
        return;
    const struct shm_node_sh *node = shm_at(t->region, word);
    word = atomic_load_explicit(&node->child[child_of(position, t->skip_bits)], memory_order_relaxed);
    if (shm_table_is_segment(word))
        return;
    node = shm_at(t->region, word);
    __builtin_prefetch(&node->child[child_of(position, t->skip_bits + SHM_NODE_BITS)]);
}

const struct shm_bucket_sh *
shm_table_fetch_home(const struct shm_tree *t, uint64_t position)
{
    uint64_t word = find_word(t, position);
    if (!word)
        return NULL;
    const struct shm_segment_sh *s = shm_at(t->region, shm_table_off(word));
    const struct shm_bucket_sh *home = &s->bucket[shm_table_home(position, shm_table_word_depth(word), shm_table_word_buckets(word))];
    __builtin_prefetch(s, 1);
    __builtin_prefetch(home, 1);
    return home;
}

void
shm_table_fetch_behind(const struct shm_bucket_sh *home)
{
    unsigned last = home->reach + (empty_slots(home) ? 0 : 1); /* a full one may get an entry there */
    for (unsigned d = 1; d <= last; d++) /* behind the segment's end, where they are not, they do no harm */
        __builtin_prefetch(home + d);
}
