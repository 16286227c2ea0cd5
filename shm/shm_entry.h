/* shm_entry.h - one key (or field) with its value: a single block.
 *
 *   | type:4 enc:4 flags:8 klen:11 vlen:13 birth:24 | [expiry:64] | key | value |
 *
 * The header is one word whatever the lengths: 32 entries with a value of 1000 bytes and a key of 16 fill a span. EXPIRES adds the
 * absolute time in ms. A key longer than SHM_KEY_INLINE_MAX stands as a struct shm_blob_sh in the key's place (KEYBLOB),
 * a value that does not fit the block likewise (by its encoding; types/ knows). Key and value are not aligned.
 *
 * The birth is the snapshot epoch's lower 24 bits, so it is compared by distance: right while no entry is 2^23 snapshots old. Each
 * snapshot's walk meets every entry, and gives those that are half as old a new birth (type_walk.c).
 *
 * Class T: changed under the shard's lock and noted; what a running snapshot needs is kept for it before it
 * changes (shm_keep.h).
 */
#ifndef KVSTASH_SHM_ENTRY_H
#define KVSTASH_SHM_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/bytes.h"
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
    SHM_ENTRY_KEYBLOB = 4,
    SHM_ENTRY_WATCHED = 8,   /* some client may WATCH it: look it up before changing */
    SHM_ENTRY_TRACKED = 16,  /* some client may cache it */
    SHM_ENTRY_WAITED = 32,   /* some client may block on it */
    SHM_ENTRY_MEMBER_TTL = 64, /* later: members with an expiry of their own */
};

#define SHM_KEY_INLINE_MAX 2047u
#define SHM_BIRTH_BITS 24u

struct shm_entry_sh {
    uint64_t type : 4, encoding : 4, flags : 8;
    uint64_t klen : 11, vlen : 13;   /* bytes in the block */
    uint64_t birth : SHM_BIRTH_BITS; /* of the snapshot epoch */
    uint8_t rest[];
};
_Static_assert(sizeof(struct shm_entry_sh) == 8, "header of an entry");
_Static_assert(SHM_KEY_INLINE_MAX < 1 << 11 && SHM_BLOCK_MAX - sizeof(struct shm_entry_sh) < 1 << 13, "lengths have room");

/* A byte string in blocks of its own (shm_blob.h). */
struct shm_blob_sh {
    uint64_t len;
    uint64_t root; /* 0 for nothing but zeros; else offset of a block or of an index, by len */
};

static inline unsigned
shm_entry_type(const struct shm_entry_sh *e)
{
    return e->type;
}
static inline unsigned
shm_entry_encoding(const struct shm_entry_sh *e)
{
    return e->encoding;
}
/* Bytes of the key in the block (16 for a KEYBLOB). */
static inline size_t
shm_entry_klen(const struct shm_entry_sh *e)
{
    return e->klen;
}
/* Bytes of the value in the block. */
static inline size_t
shm_entry_vlen(const struct shm_entry_sh *e)
{
    return e->vlen;
}
static inline size_t
shm_entry_head(unsigned flags)
{
    return sizeof(struct shm_entry_sh) + (flags & SHM_ENTRY_EXPIRES ? 8 : 0);
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
        memcpy(&v, e->rest, sizeof v);
    return v;
}
/* How many snapshots before this one it was born: 0 or less, if after its cut. */
static inline int32_t
shm_entry_age(const struct shm_entry_sh *e, uint32_t epoch)
{
    return (int32_t)((epoch - (uint32_t)e->birth) << (32 - SHM_BIRTH_BITS)) >> (32 - SHM_BIRTH_BITS);
}

/* Bytes a block needs for an entry with key and value parts of these sizes. */
size_t shm_entry_size_for(size_t klen, size_t vlen, bool expires);
/* Writes header, key (klen bytes or a blob's 16) and expiry (-1 none) into a fresh block; returns where the value goes.
 * keep_flags: WATCHED.. bits to carry over, KEYBLOB. */
char *shm_entry_build(struct shm_entry_sh *e, unsigned type, unsigned encoding, unsigned keep_flags, uint32_t birth, const char *key,
    size_t klen, size_t vlen, int64_t expiry_ms);
/* Compares a KEYBLOB's key through its chunks. */
bool shm_entry_key_blob_equal(const struct shm_region *r, const struct shm_entry_sh *e, const char *key, size_t klen);
/* Compares the key, whatever it is. */
static inline bool
shm_entry_key_equal(const struct shm_region *r, const struct shm_entry_sh *e, const char *key, size_t klen)
{
    if (e->flags & SHM_ENTRY_KEYBLOB)
        return shm_entry_key_blob_equal(r, e, key, klen);
    return shm_entry_klen(e) == klen && bytes_equal(shm_entry_key(e), key, klen);
}
/* Length of the real key. */
size_t shm_entry_key_length(const struct shm_entry_sh *e);

#endif
