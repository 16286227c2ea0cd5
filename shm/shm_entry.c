/* shm_entry.c - building an entry and comparing its key (see shm_entry.h for the layout).
 *
 * The header carries 8-bit lengths while key and value parts are under 256 bytes, else 32-bit ones; who builds decides
 * once, and LONG stays with the block even if the value part becomes shorter later.
 *
 * Process: whoever holds the shard's lock; building also on private memory. Locks: none taken. Crash: nothing of its own,
 * a block under construction belongs to its transaction. Fails: sizes are the caller's promise (asserts).
 */
#include "shm/shm_entry.h"

#include "shm/shm_blob.h"

#define SHORT_MAX 255u

static bool
needs_long(size_t klen, size_t vlen)
{
    return klen > SHORT_MAX || vlen > SHORT_MAX;
}

size_t
shm_entry_size_for(size_t klen, size_t vlen, bool expires)
{
    unsigned flags = (needs_long(klen, vlen) ? SHM_ENTRY_LONG : 0) | (expires ? SHM_ENTRY_EXPIRES : 0);
    return shm_entry_head(flags) + klen + vlen;
}

char *
shm_entry_build(struct shm_entry_sh *e, unsigned type, unsigned encoding, unsigned keep_flags, uint32_t birth, const char *key,
    size_t klen, size_t vlen, int64_t expiry_ms)
{
    bool is_long = needs_long(klen, vlen);
    xassert(type < 16 && encoding < 16);
    xassert(!(keep_flags & SHM_ENTRY_KEYBLOB) || klen == sizeof(struct shm_blob_sh));
    e->type_enc = (uint8_t)(type | encoding << 4);
    e->flags = (uint8_t)((keep_flags & ~(unsigned)(SHM_ENTRY_LONG | SHM_ENTRY_EXPIRES)) | (is_long ? SHM_ENTRY_LONG : 0) |
        (expiry_ms >= 0 ? SHM_ENTRY_EXPIRES : 0));
    e->klen = is_long ? 0 : (uint8_t)klen;
    e->vlen = is_long ? 0 : (uint8_t)vlen;
    e->birth = birth;
    uint8_t *rest = e->rest;
    if (is_long) {
        uint32_t lengths[2] = {(uint32_t)klen, (uint32_t)vlen};
        memcpy(rest, lengths, sizeof lengths);
        rest += sizeof lengths;
    }
    if (expiry_ms >= 0)
        memcpy(rest, &expiry_ms, sizeof expiry_ms);
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

bool
shm_entry_key_equal(const struct shm_region *r, const struct shm_entry_sh *e, const char *key, size_t klen)
{
    if (!(e->flags & SHM_ENTRY_KEYBLOB))
        return shm_entry_klen(e) == klen && memcmp(shm_entry_key(e), key, klen) == 0;
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
