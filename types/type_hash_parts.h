/* type_hash_parts.h - what type_hash.c and the files of its encodings share; nobody else includes it.
 *
 * type_hash_pack.c has the packs (PACK and CHAIN), type_hash_tree.c the trees. Each function works on a hash of its own
 * encodings and leaves the choice between them to type_hash.c. Locks, failures: as in type_hash.h.
 */
#ifndef KVSTASH_TYPES_TYPE_HASH_PARTS_H
#define KVSTASH_TYPES_TYPE_HASH_PARTS_H

#include "types/type_hash.h"
#include "types/type_pack.h"

/* A new entry with room for a value part; NULL: tx->want. */
static inline struct shm_entry_sh *
type_hash_entry_new(struct type_hash *h, unsigned encoding, size_t vlen)
{
    h->entry = h->replace(h->arg, encoding, vlen);
    return h->entry;
}

/* ---- packs and chains: type_hash_pack.c ----------------------------------------------------------------------------------- */

/* Where a pair stands, or (size 0) where a new one goes: the end of the last pack. Zeroed for a hash without an entry. */
struct type_hash_spot {
    struct hash_block_sh *block; /* NULL: in the entry */
    uint8_t *pairs;
    size_t used, at;
    struct type_pair pair; /* size 0: the field is absent */
};

/* A walk over all pairs in order. */
struct type_hash_walk {
    const struct shm_region *region;
    const uint8_t *pairs;
    size_t used, at;
    shm_off next;
};

uint64_t type_hash_pack_length(const struct shm_entry_sh *e);
bool type_hash_pack_find(const struct type_hash *h, const char *field, size_t flen, struct type_hash_spot *s);
/* Sets a pair at the spot; a PACK may become a CHAIN. The entry may be missing. */
bool type_hash_pack_put(struct type_hash *h, const struct type_hash_spot *s, const struct type_pair *pair);
/* Removes the pair at the spot. */
bool type_hash_pack_remove(struct type_hash *h, const struct type_hash_spot *s);
void type_hash_walk_begin(struct type_hash_walk *w, const struct shm_region *r, const struct shm_entry_sh *e);
bool type_hash_walk_next(struct type_hash_walk *w, struct type_pair *pair);
/* Frees the blocks outside the entry. */
void type_hash_pack_free(struct shm_tx *tx, const struct shm_entry_sh *e);
size_t type_hash_pack_memory(const struct shm_region *r, const struct shm_entry_sh *e);
bool type_hash_pack_copy(struct shm_tx *tx, unsigned shard, const struct shm_entry_sh *e, char *value);

/* ---- trees: type_hash_tree.c ---------------------------------------------------------------------------------------------- */

uint64_t type_hash_tree_length(const struct shm_region *r, const struct shm_entry_sh *e);
bool type_hash_tree_get(const struct type_hash *h, const char *field, size_t flen, struct string_view *value);
enum type_hash_set type_hash_tree_set(struct type_hash *h, const char *field, size_t flen, const char *value, size_t vlen);
int type_hash_tree_delete(struct type_hash *h, const char *field, size_t flen);
/* Makes a pack, a chain or a missing entry a tree. The old entry and its blocks stay readable until the commit. */
bool type_hash_tree_begin(struct type_hash *h);
bool type_hash_tree_each(const struct type_hash *h, type_hash_fn *fn, void *arg);
uint64_t type_hash_tree_scan(const struct type_hash *h, uint64_t cursor, type_hash_fn *fn, void *arg);
void type_hash_tree_random(const struct type_hash *h, const uint64_t random[2], struct string_view *field,
    struct string_view *value);
bool type_hash_tree_free(struct shm_tx *tx, unsigned shard, const struct shm_entry_sh *e);
size_t type_hash_tree_memory(const struct shm_region *r, const struct shm_entry_sh *e, size_t samples);
bool type_hash_tree_copy(struct shm_tx *tx, unsigned shard, const struct shm_entry_sh *e, char *value);

#endif
