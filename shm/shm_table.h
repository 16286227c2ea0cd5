/* shm_table.h - the hash-ordered index: keys of a (shard, database), fields of a large hash, members of later types.
 *
 * Every entry has a 64-bit position; the index keeps entries in the order of positions (leading bits first), so that
 * SCAN's cursor and a snapshot's place are prefixes of it and growth moves nothing past them.
 *
 *   root -> node of 64 children -> ... -> segment: header line + up to 63 buckets of one cache line
 *   bucket: six slots of (16-bit tag, 48-bit offset), six 16-bit access clocks, displacement
 *
 * A node takes 6 bits of the position. A segment covers the positions with its prefix, 1 to 64 neighbouring children of
 * a node; its bucket is the rest of the position scaled to the bucket count, so the count need not be a power of two.
 * A full segment first grows (a ladder of sizes), then splits in two of the largest size: at most ~380 entries are
 * moved by any command.
 *
 * Locks: changes need the shard's lock and a transaction. Lookups need the lock, or the sequence checks of shm_read.h.
 */
#ifndef KVSTASH_SHM_TABLE_H
#define KVSTASH_SHM_TABLE_H

#include <emmintrin.h>

#include "shm/shm_entry.h"
#include "shm/shm_reclaim.h"
#include "shm/shm_tx.h"

#define SHM_BUCKET_SLOTS 6u
#define SHM_SEGMENT_BUCKETS_MAX 63u
#define SHM_NODE_CHILDREN 64u
#define SHM_NODE_BITS 6u
#define SHM_NEVER INT64_MAX

struct shm_bucket_sh {
    _Atomic uint64_t slot[SHM_BUCKET_SLOTS];  /* T: tag << 48 | offset; 0 = empty */
    _Atomic uint16_t clock[SHM_BUCKET_SLOTS]; /* S: access clock, written by any reader, relaxed */
    uint8_t reach;                            /* T: entries at home here lie at most this many buckets on */
    uint8_t unused[3];
};
_Static_assert(sizeof(struct shm_bucket_sh) == 64, "one cache line");

struct shm_segment_sh {
    uint32_t magic;      /* SHM_SEGMENT_MAGIC */
    uint8_t depth;       /* leading position bits (counted from bit 63) that all entries share */
    uint8_t buckets;     /* 1 .. 63 */
    uint16_t count;      /* T: entries */
    uint64_t prefix;     /* those bits, left-aligned */
    uint64_t next_reclaim; /* T: used once the tree is detached */
    int64_t min_expiry;  /* T: no entry here expires before this time in ms; SHM_NEVER = none expires */
    uint64_t unused[4];  /* stays free: a late reader may store clocks here */
    struct shm_bucket_sh bucket[];
};
_Static_assert(sizeof(struct shm_segment_sh) == 64, "one cache line");

/* In one block, or in neighbouring ones of a smaller class (shm_tx_alloc_run). Never in memory of the index's classes: a late reader
 * may store clocks there. */
struct shm_node_sh {
    uint32_t magic;        /* SHM_NODE_MAGIC */
    uint32_t level;        /* position bits in front of this node's 6 */
    uint64_t unused;
    uint64_t next_reclaim; /* T: used once the tree is detached */
    _Atomic uint64_t child[SHM_NODE_CHILDREN]; /* T: words as below; never 0 */
};

/* The word by which a root or a child refers to what hangs there:
 *
 *   node      offset
 *   segment   depth : 8 | buckets : 8 | offset : 47 | 1
 *
 * Depth and bucket count stand in the word as well as in the segment, so that a lookup goes from the node straight to
 * the bucket: the segment's header would be one more cache miss (and page walk) for each. */
static inline bool
shm_table_is_segment(uint64_t word)
{
    return word & 1;
}
static inline shm_off
shm_table_off(uint64_t word)
{
    return word & ((1ull << 48) - 2);
}
static inline uint64_t
shm_table_segment_word(shm_off off, unsigned buckets, unsigned depth)
{
    return (uint64_t)depth << 56 | (uint64_t)buckets << 48 | off | 1;
}
static inline unsigned
shm_table_word_buckets(uint64_t word)
{
    return word >> 48 & 0xFF;
}
static inline unsigned
shm_table_word_depth(uint64_t word)
{
    return (unsigned)(word >> 56);
}
/* The bucket at which a position is at home in a segment. */
static inline unsigned
shm_table_home(uint64_t position, unsigned depth, unsigned buckets)
{
    uint64_t rest = depth < 64 ? position << depth : 0;
    return (unsigned)((rest >> 32) * buckets >> 32);
}

/* The bucket d behind the home. A division is what a lookup mostly does without. */
static inline unsigned
shm_table_behind_home(unsigned home, unsigned d, unsigned buckets)
{
    unsigned i = home + d;
    return __builtin_expect(i < buckets, 1) ? i : i % buckets;
}

/* The slots of a bucket that may hold an entry of this position, as a set of bits (shm_table_match_slot names the lowest).
 * Two slots a comparison, without a branch: which one matches cannot be predicted. Each slot is read whole, as by a relaxed
 * load (the processor reads aligned halves of a vector in one piece), and read again by who follows it. */
static inline unsigned
shm_table_match(const struct shm_bucket_sh *b, uint64_t position)
{
    const __m128i *pair = (const __m128i *)(const void *)b->slot;
    const __m128i tag = _mm_set1_epi16((short)position);
    __m128i front = _mm_packs_epi16(_mm_cmpeq_epi16(_mm_load_si128(pair), tag), _mm_cmpeq_epi16(_mm_load_si128(pair + 1), tag));
    __m128i back = _mm_packs_epi16(_mm_cmpeq_epi16(_mm_load_si128(pair + 2), tag), _mm_setzero_si128());
    /* of a slot's four pieces of 16 bits the last is the tag */
    unsigned match = ((unsigned)_mm_movemask_epi8(front) | (unsigned)_mm_movemask_epi8(back) << 16) & 0x888888;
    if (__builtin_expect((position & 0xFFFF) == 0, 0)) /* as the tag of an empty slot */
        for (unsigned i = 0; i < SHM_BUCKET_SLOTS; i++)
            if (atomic_load_explicit(&b->slot[i], memory_order_relaxed) == 0)
                match &= ~(8u << 4 * i);
    return match;
}
static inline unsigned
shm_table_match_slot(unsigned match)
{
    return (unsigned)__builtin_ctz(match) / 4;
}
_Static_assert(SHM_BUCKET_SLOTS == 6, "shm_table_match compares three pairs");

/* Where an entry stands in its tree; valid while the lock is held and the tree unchanged. */
struct shm_place {
    struct shm_segment_sh *segment;
    _Atomic uint64_t *slot;
    _Atomic uint16_t *clock;
    struct shm_entry_sh *entry;
};

/* The position of a key of the keyspace: key slot in the leading 14 bits. `cluster` takes it from CRC16 and hash tags. */
uint64_t shm_table_position(const struct shm_region *r, const char *key, size_t klen, bool cluster);
/* The position of a field or member. */
uint64_t shm_table_field_position(const struct shm_region *r, const char *field, size_t len);

/* Recomputes the position of an entry from its key (needed when segments are rebuilt). */
typedef uint64_t shm_position_fn(const struct shm_region *r, const struct shm_entry_sh *e);
uint64_t shm_table_key_position(const struct shm_region *r, const struct shm_entry_sh *e);
uint64_t shm_table_entry_field_position(const struct shm_region *r, const struct shm_entry_sh *e);

/* A handle on one tree, made on the stack. */
struct shm_tree {
    struct shm_region *region;
    struct shm_tree_sh *sh;
    shm_position_fn *position_of;
    unsigned shard;     /* whose blocks its nodes are */
    unsigned skip_bits; /* leading bits that select the shard: keyspaces shard_bits, collections 0 */
};
static inline struct shm_tree
shm_tree_of_db(struct shm_region *r, unsigned shard, unsigned db)
{
    return (struct shm_tree){.region = r, .sh = &shm_region_dbroot(r, shard, db)->tree, .position_of = shm_table_key_position,
        .shard = shard, .skip_bits = r->shard_bits};
}
static inline struct shm_tree
shm_tree_of_fields(struct shm_region *r, unsigned shard, struct shm_tree_sh *sh)
{
    return (struct shm_tree){.region = r, .sh = sh, .position_of = shm_table_entry_field_position, .shard = shard};
}

/* Finds a key; false if absent. */
bool shm_table_find(const struct shm_tree *t, uint64_t position, const char *key, size_t klen, struct shm_place *p);
/* Adds an entry whose key is absent; grows the tree in bounded steps. False: tx->want. */
bool shm_table_insert(struct shm_tx *tx, const struct shm_tree *t, uint64_t position, shm_off entry, struct shm_place *p);
/* Gives an empty tree the form that it would have with so many entries, so that it need not grow on the way there. More may come,
 * or fewer; none at all leave it larger than it need be. For who fills it behind a closed gate: its time grows with the number.
 * False: tx->want. */
bool shm_table_presize(struct shm_tx *tx, const struct shm_tree *t, uint64_t entries);
/* Puts another block in an entry's place (same key). The old block is not freed. */
bool shm_table_replace(struct shm_tx *tx, struct shm_place *p, shm_off entry);
/* Takes the entry out; shrinks the tree in bounded steps. The block is not freed. False: undo log full. */
bool shm_table_remove(struct shm_tx *tx, const struct shm_tree *t, uint64_t position, struct shm_place *p);
/* Lowers the segment's earliest expiry. */
bool shm_table_note_expiry(struct shm_tx *tx, struct shm_place *p, int64_t when_ms);

/* Calls fn for every entry at positions >= *cursor of the bucket group at the cursor, then moves *cursor to the next
 * group's first position. Returns false when the tree's last group is done (*cursor is then the first position behind
 * the tree, 0 if that wraps). fn must not change the tree. Needs the lock. */
typedef void shm_scan_fn(void *arg, uint64_t position, struct shm_place *p);
bool shm_table_scan(const struct shm_tree *t, uint64_t *cursor, shm_scan_fn *fn, void *arg);
/* The same by whole segments, for the expiry sweep and long walks. fn is called once with each segment. */
typedef void shm_segment_fn(void *arg, struct shm_segment_sh *s);
bool shm_table_walk(const struct shm_tree *t, uint64_t *cursor, shm_segment_fn *fn, void *arg);
/* For walks of another kind: the segment of a position, NULL if the tree is empty. */
struct shm_segment_sh *shm_table_segment(const struct shm_tree *t, uint64_t position);
/* The first position of the homes behind `home` in the segment (of what is behind the segment after its last); false: that
 * is behind the tree, and *position the first one there. */
bool shm_table_behind(const struct shm_tree *t, const struct shm_segment_sh *s, unsigned home, uint64_t *position);
/* A random entry; false if the tree is empty. `random` is 128 bits of randomness. */
bool shm_table_random(const struct shm_tree *t, const uint64_t random[2], struct shm_place *p);

/* Looking up ahead, for many keys at once and without any lock: each step reads what the step before has brought into
 * the cache, and prefetches what the next one reads, down to the entry. It decides nothing, and what it follows is checked
 * against the committed region. */
struct shm_ahead {
    uint64_t position;
    const void *next; /* a word of a node, or a bucket; NULL: done */
    uint8_t level;    /* position bits in front of the word's choice; SHM_AHEAD_HOME, SHM_AHEAD_BEHIND: next is a bucket */
    uint8_t behind;   /* buckets behind next that may be looked at: at the home all of the segment, then what its reach leaves */
    bool inserts;     /* set before the first step: the segment's header and the buckets behind the home are brought too */
};
#define SHM_AHEAD_HOME 255u
#define SHM_AHEAD_BEHIND 254u
/* The first step. */
void shm_table_ahead(const struct shm_tree *t, uint64_t position, struct shm_ahead *a);
/* A further one; false when there is nothing more to do. */
bool shm_table_ahead_step(const struct shm_region *r, struct shm_ahead *a);

/* The same in three steps for who holds the shards and has many keys of each to insert, so that the tops of their trees are in the
 * cache: the word in the node below the root; then the home bucket (returned; NULL: the tree is empty) and its segment's header; then
 * the buckets behind it that have its entries or will have them. */
void shm_table_fetch_node(const struct shm_tree *t, uint64_t position);
const struct shm_bucket_sh *shm_table_fetch_home(const struct shm_tree *t, uint64_t position);
void shm_table_fetch_behind(const struct shm_bucket_sh *home);

#endif
