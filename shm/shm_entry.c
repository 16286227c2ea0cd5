/* shm_entry.c - building an entry and comparing its key (see shm_entry.h for the layout).
 *
 * Process: whoever holds the shard's lock; building also on private memory. Locks: none taken. Crash: nothing of its own,
 * a block under construction belongs to its transaction. Fails: sizes are the caller's promise (asserts).
 */
#include "shm/shm_entry.h"

#include "base/apart.h"
#include "shm/shm_blob.h"

size_t
shm_entry_size_for(size_t klen, size_t vlen, bool expires)
{
    return shm_entry_head(expires ? SHM_ENTRY_EXPIRES : 0) + klen + vlen;
}

char *
shm_entry_build(struct shm_entry_sh *e, unsigned type, unsigned encoding, unsigned keep_flags, uint32_t birth, const char *key,
    size_t klen, size_t vlen, int64_t expiry_ms)
{
    xassert(type < 16 && encoding < 16 && klen <= SHM_KEY_INLINE_MAX && vlen <= SHM_BLOCK_MAX - sizeof *e);
    xassert(!(keep_flags & SHM_ENTRY_KEYBLOB) || klen == sizeof(struct shm_blob_sh));
    keep_flags &= ~(unsigned)SHM_ENTRY_EXPIRES;
    *e = (struct shm_entry_sh){.type = type & 15, .encoding = encoding & 15, .klen = klen & 0x7FF, .vlen = vlen & 0x1FFF,
        .flags = (uint8_t)(keep_flags | (expiry_ms >= 0 ? SHM_ENTRY_EXPIRES : 0)), .birth = birth & ((1u << SHM_BIRTH_BITS) - 1)};
    if (expiry_ms >= 0)
        memcpy(e->rest, &expiry_ms, sizeof expiry_ms);
    memcpy(shm_entry_key(e), key, klen);
    return shm_entry_value(e);
}

static struct shm_blob_sh
key_blob(const struct shm_entry_sh *e)
{
    struct shm_blob_sh b;
    xassert(shm_entry_klen(e) == sizeof b);
    memcpy(&b, shm_entry_key(e), sizeof b);
    return b;
}

/* Compares a piece with bytes, where a NULL piece is a hole of zeros. */
static bool
piece_equal(const char *piece, const char *bytes, size_t n)
{
    if (piece)
        return memcmp(piece, bytes, n) == 0;
    for (size_t i = 0; i < n; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

APART bool
shm_entry_key_blob_equal(const struct shm_region *r, const struct shm_entry_sh *e, const char *key, size_t klen)
{
    struct shm_blob_sh b = key_blob(e);
    if (b.len != klen)
        return false;
    for (size_t at = 0, n; at < klen; at += n) {
        const char *piece = shm_blob_at(r, &b, at, &n);
        if (!piece_equal(piece, key + at, n))
            return false;
    }
    return true;
}

size_t
shm_entry_key_length(const struct shm_entry_sh *e)
{
    return e->flags & SHM_ENTRY_KEYBLOB ? (size_t)key_blob(e).len : shm_entry_klen(e);
}
