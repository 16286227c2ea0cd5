/* type_hash.h - hash values: a pack of pairs in order while small, a tree of field entries when large.
 *
 *   encoding  value part of the entry                          OBJECT ENCODING
 *   PACK      u32 count, then the pairs one after the other    listpack
 *   CHAIN     struct hash_chain_sh: pack blocks in order       listpack
 *   TREE      u64 offset of a struct hash_root_sh block        hashtable
 *
 * A pair is field and value, each a length (one byte, or 255 and a u32) and bytes. Pairs stand in Redis's order:
 * an update keeps the place, a removal closes up, a new one goes to the end. A pack of more than TYPE_HASH_INLINE_MAX
 * bytes becomes a chain of blocks, so that a change copies little. Beyond the limits (512 pairs; field or value over 64
 * bytes) it becomes a tree, and never goes back. A tree's fields are entries of their own (SHM_TYPE_FIELD: key = field,
 * value = string), in order of hash.
 *
 * A key's entry moves when its value part has to grow. The hash does that itself through `replace`, which the caller
 * provides (command: keyspace_build and keyspace_move_value, or keyspace_put for a new key), and keeps `entry` current.
 *
 * Locks: the shard's; reading a PACK works on a private copy of the entry as well (tx NULL). Changing calls run inside
 * a transaction. Fails: tx->want; the caller aborts.
 */
#ifndef KVSTASH_TYPES_TYPE_HASH_H
#define KVSTASH_TYPES_TYPE_HASH_H

#include "shm/shm_table.h"
#include "types/type_string.h"

enum type_hash_encoding { TYPE_HASH_PACK = 1, TYPE_HASH_CHAIN = 2, TYPE_HASH_TREE = 3 };

#define TYPE_HASH_INLINE_MAX 1024u /* bytes of pairs in an entry; more become a chain */
#define TYPE_HASH_BLOCK 1024u      /* bytes of pairs in a chain's block, unless one pair needs more */
#define TYPE_HASH_PAIR_MAX 8000u   /* a pair of more makes a tree, whatever the limits say */

/* Value part of a CHAIN; not aligned. T. */
struct hash_chain_sh {
    uint32_t count;      /* pairs in all blocks */
    uint32_t blocks;
    uint64_t head, tail; /* offsets of struct hash_block_sh */
};
struct hash_block_sh {
    uint64_t next, prev; /* T: offsets, 0 at the ends */
    uint32_t count;      /* T: pairs */
    uint32_t used;       /* T: bytes of pairs */
    uint8_t pairs[];     /* T up to used, of no value behind */
};
/* A block of its own because tree roots are aligned and an entry's value part is not. */
struct hash_root_sh {
    struct shm_tree_sh tree; /* T */
};

/* hash-max-listpack-entries and -value. */
struct type_hash_limits {
    size_t entries, value;
};

/* A handle on one hash, made on the stack. */
struct type_hash {
    struct shm_region *region;
    struct shm_tx *tx;          /* NULL: for reading */
    unsigned shard;
    struct shm_entry_sh *entry; /* NULL: no key yet. Kept current */
    struct type_hash_limits limits;
    size_t expect;              /* hint: bytes of fields and values that will be added next */
    /* Builds an entry for the key (expiry as it was) with this encoding and room for vlen bytes of value, attaches it in
     * the place of `entry` if that is not NULL (whose references go over to the new one) or adds it, and returns it with
     * its value part undefined. The old block stays readable until the commit. NULL: tx->want. */
    struct shm_entry_sh *(*replace)(void *arg, unsigned encoding, size_t vlen);
    void *arg;
};

enum type_hash_set { TYPE_HASH_FAILED = -1, TYPE_HASH_UPDATED = 0, TYPE_HASH_CREATED = 1 };

/* For reading. Further members stay to the caller (tx, limits, replace for changing). */
void type_hash_open(struct type_hash *h, struct shm_region *r, unsigned shard, struct shm_entry_sh *e);
/* Does reading follow offsets (so that a private copy of the entry is not enough)? */
bool type_hash_needs_lock(const struct shm_entry_sh *e);
uint64_t type_hash_length(const struct type_hash *h);
/* The value of a field; false if absent. */
bool type_hash_get(const struct type_hash *h, const char *field, size_t flen, struct string_view *value);
/* Sets a field, converting to a tree when a limit is passed. */
enum type_hash_set type_hash_set(struct type_hash *h, const char *field, size_t flen, const char *value, size_t vlen);
/* Removes a field: 1, 0 if it was absent, -1 failed. An empty hash is the caller's to delete. */
int type_hash_delete(struct type_hash *h, const char *field, size_t flen);

/* Walks. fn must not change the hash; it returns false to stop. */
typedef bool type_hash_fn(void *arg, const struct string_view *field, const struct string_view *value);
/* All pairs, in the order that HGETALL shows. False if fn stopped it. */
bool type_hash_each(const struct type_hash *h, type_hash_fn *fn, void *arg);
/* HSCAN: some pairs from the cursor on (a pack: all at once); returns the next cursor, 0 when done. Cursors are below
 * 2^53. fn's answer is not looked at. */
uint64_t type_hash_scan(const struct type_hash *h, uint64_t cursor, type_hash_fn *fn, void *arg);
/* A random pair of a hash that is not empty. `random`: 128 bits of randomness. */
void type_hash_random(const struct type_hash *h, const uint64_t random[2], struct string_view *field, struct string_view *value);

/* ---- what all types have (called through type_value.h) ---- */

bool type_hash_free(struct shm_tx *tx, unsigned shard, const struct shm_entry_sh *e);
/* Bytes outside the entry's block; of a tree estimated from about `samples` fields (0: all). */
size_t type_hash_memory(const struct shm_region *r, const struct shm_entry_sh *e, size_t samples);
/* listpack or hashtable. */
const char *type_hash_encoding_name(const struct shm_entry_sh *e);
/* Fills the value part (as long as the original's) of a fresh entry of `shard` with a copy of all of e's value. */
bool type_hash_copy(struct shm_tx *tx, unsigned shard, const struct shm_entry_sh *e, char *value);

#endif
