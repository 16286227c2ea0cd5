/* shm_entry.h - one key (or field) with its value: a single block.
 *
 *   | type:4 enc:4 | flags | klen | vlen | birth:32 | [klen:32 vlen:32] | [expiry:64] | key | value |
 *
 * Short entries (key and value under 256 bytes) have 8 bytes of header. LONG adds 32-bit lengths, EXPIRES the
 * absolute time in ms. A key longer than SHM_KEY_INLINE_MAX stands as a struct shm_blob_sh in the key's place (KEYBLOB),
 * a value that does not fit the block likewise (by its encoding; types/ knows). Key and value are not aligned.
 *
 * Class T: changed under the shard's lock and noted; what a running snapshot needs is kept for it before it
 * changes (shm_keep.h).
 */
#ifndef KVSTASH_SHM_ENTRY_H
#define KVSTASH_SHM_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "shm/shm_region.h"

/* Types as RDB and TYPE know them; encodings are the types' own (types/). */
enum shm_type {
    SHM_TYPE_STRING = 0,
    SHM_TYPE_LIST = 1,
    SHM_TYPE_SET = 2,
    SHM_TYPE_ZSET = 3,
    SHM_TYPE_HASH = 4,
    SHM_TYPE_MODULE = 5,
    SHM_TYPE_STREAM = 6,
    SHM_TYPE_FIELD = 7, /* field of a hash: the value is a string */
};

enum {
    SHM_ENTRY_EXPIRES = 1,
    SHM_ENTRY_LONG = 2,
    SHM_ENTRY_KEYBLOB = 4,
    SHM_ENTRY_WATCHED = 8,   /* some client may WATCH it: look it up before changing */
    SHM_ENTRY_TRACKED = 16,  /* some client may cache it */
    SHM_ENTRY_WAITED = 32,   /* some client may block on it */
    SHM_ENTRY_MEMBER_TTL = 64, /* later: members with an expiry of their own */
};

#define SHM_KEY_INLINE_MAX 2048u

struct shm_entry_sh {
    uint8_t type_enc; /* type | encoding << 4 */
    uint8_t flags;
    uint8_t klen, vlen; /* when not LONG */
    uint32_t birth;   /* snapshot epoch at birth */
    uint8_t rest[];
};
_Static_assert(sizeof(struct shm_entry_sh) == 8, "header of an entry");

/* A byte string in blocks of its own (shm_blob.h). */
struct shm_blob_sh {
    uint64_t len;
    uint64_t root; /* 0 for nothing but zeros; else offset of a block or of an index, by len */
};

static inline unsigned
shm_entry_type(const struct shm_entry_sh *e)
{
    return e->type_enc & 15;
}
static inline unsigned
shm_entry_encoding(const struct shm_entry_sh *e)
{
    return e->type_enc >> 4;
}
static inline uint32_t
shm_entry_u32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}
/* Bytes of the key in the block (16 for a KEYBLOB). */
static inline size_t
shm_entry_klen(const struct shm_entry_sh *e)
{
    return e->flags & SHM_ENTRY_LONG ? shm_entry_u32(e->rest) : e->klen;
}
/* Bytes of the value in the block. */
static inline size_t
shm_entry_vlen(const struct shm_entry_sh *e)
{
    return e->flags & SHM_ENTRY_LONG ? shm_entry_u32(e->rest + 4) : e->vlen;
}
static inline size_t
shm_entry_head(unsigned flags)
{
    return sizeof(struct shm_entry_sh) + (flags & SHM_ENTRY_LONG ? 8 : 0) + (flags & SHM_ENTRY_EXPIRES ? 8 : 0);
}
static inline char *
shm_entry_key(const struct shm_entry_sh *e)
{
    return (char *)(uintptr_t)e + shm_entry_head(e->flags);
}
static inline char *
shm_entry_value(const struct shm_entry_sh *e)
{
    return shm_entry_key(e) + shm_entry_klen(e);
}
/* Bytes of the block in use. */
static inline size_t
shm_entry_bytes(const struct shm_entry_sh *e)
{
    return shm_entry_head(e->flags) + shm_entry_klen(e) + shm_entry_vlen(e);
}
/* Expiry in ms since 1970, or -1. */
static inline int64_t
shm_entry_expiry(const struct shm_entry_sh *e)
{
    int64_t v = -1;
    if (e->flags & SHM_ENTRY_EXPIRES)
        memcpy(&v, e->rest + (e->flags & SHM_ENTRY_LONG ? 8 : 0), sizeof v);
    return v;
}

/* Bytes a block needs for an entry with key and value parts of these sizes. */
size_t shm_entry_size_for(size_t klen, size_t vlen, bool expires);
/* Writes header, key (klen bytes or a blob's 16) and expiry (-1 none) into a fresh block; returns where the value goes.
 * keep_flags: WATCHED.. bits to carry over, KEYBLOB. */
char *shm_entry_build(struct shm_entry_sh *e, unsigned type, unsigned encoding, unsigned keep_flags, uint32_t birth, const char *key,
    size_t klen, size_t vlen, int64_t expiry_ms);
/* Compares the key; a KEYBLOB is compared through its chunks. */
bool shm_entry_key_equal(const struct shm_region *r, const struct shm_entry_sh *e, const char *key, size_t klen);
/* Length of the real key. */
size_t shm_entry_key_length(const struct shm_entry_sh *e);

#endif
