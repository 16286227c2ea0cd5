/* type_value.h - what can be said and done about any value, whatever its type: a row per type.
 *
 * For TYPE-independent commands (DEL, COPY, RENAME, OBJECT, MEMORY), for freeing, and for the region's check.
 *
 * Locks: the shard's. Changing calls run inside a transaction and return false with tx->want set.
 */
#ifndef KVSTASH_TYPES_TYPE_VALUE_H
#define KVSTASH_TYPES_TYPE_VALUE_H

#include "shm/shm_check.h"
#include "types/type_hash.h"
#include "types/type_string.h"

/* Registers type_value_free with shm_reclaim. Once, before any process forks. */
void type_value_init(void);
/* Frees what the entry's value refers to (a shm_entry_free_fn). */
bool type_value_free(struct shm_tx *tx, unsigned shard, struct shm_entry_sh *e);
/* Does reading the value follow offsets (so that a private copy of the entry is not enough)? */
bool type_value_needs_lock(const struct shm_entry_sh *e);
/* string, hash: as TYPE says. */
const char *type_value_name(const struct shm_entry_sh *e);
/* As OBJECT ENCODING says. */
const char *type_value_encoding_name(const struct shm_entry_sh *e);
/* Bytes of region memory of key and value with the entry's block; collections by about `samples` elements, 0 = all. */
size_t type_value_memory(const struct shm_region *r, const struct shm_entry_sh *e, size_t samples);

/* A copy of a whole value for another key, also of another shard (whose lock is held too): build an entry with
 * plan.encoding and plan.vlen, then write. Copies everything under the locks. */
struct type_value_plan {
    const struct shm_region *region;
    const struct shm_entry_sh *from;
    unsigned type, encoding;
    size_t vlen;
    struct string_plan string;
};
/* klen: of the new key. */
void type_value_plan_copy(struct type_value_plan *p, const struct shm_region *r, const struct shm_entry_sh *e, size_t klen);
bool type_value_plan_write(struct shm_tx *tx, unsigned shard, const struct type_value_plan *p, char *value);

/* The region's check of one entry (a shm_check_entry_fn). Checks header, lengths and the value's own structure (blocks of packs included), and calls fn for all that the entry
 * refers to, its key's blob too. Returns NULL or what is wrong (a string constant). Follows no offset that it has not
 * checked to lie in the region's extents; `room` is the size of the entry's block. */
const char *type_value_check(const struct shm_region *r, const struct shm_entry_sh *e, size_t room, shm_ref_fn *fn, void *arg);

#endif
