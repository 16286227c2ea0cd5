/* shm_spill.c - chains of spans for long bytes (see shm_spill.h).
 *
 * Written from the last span to the first: each span's word for its successor is known when it is written, and never changes.
 */
#include "shm/shm_spill.h"

#include "shm/shm_alloc.h"
#include "shm/shm_span.h"

#define ROOM (SHM_SPAN_BYTES - SHM_SPILL_HEADER)

bool
shm_spill_write(struct shm_tx *tx, const char *bytes, size_t n, uint16_t owner, shm_off *first)
{
    struct shm_region *r = tx->region;
    uint64_t next = 0;
    for (size_t i = (n + ROOM - 1) / ROOM; i-- > 0;) {
        size_t at = i * ROOM;
        uint64_t word, k = n - at < ROOM ? n - at : ROOM, span = shm_span_claim(r, tx->slot, SHM_CLASS_WHOLE, &tx->rover, &word);
        if (span == UINT64_MAX) {
            tx->want = shm_alloc_want(r);
            return false;
        }
        if (!shm_alloc_claimed(tx, span, word, owner, SHM_CLASS_WHOLE))
            return false;
        char *to = shm_at(r, shm_span_off(r, span));
        memcpy(to, &next, 8);
        memcpy(to + 8, &k, 8);
        memcpy(to + SHM_SPILL_HEADER, bytes + at, k);
        next = shm_span_off(r, span);
    }
    *first = next;
    return true;
}

static void
drop_claim(struct shm_tx *tx, uint64_t span)
{
    size_t i = 0;
    while (i < tx->nclaims && tx->claims[i].span != span)
        i++;
    xassert(i < tx->nclaims);
    uint64_t word = tx->claims[i].word;
    tx->claims[i] = tx->claims[--tx->nclaims]; /* their order is of no meaning once no savepoint follows */
    shm_span_unclaim(tx->region, span, word);
}

void
shm_spill_drop(struct shm_tx *tx, shm_off first)
{
    for (shm_off at = first, next; at; at = next) {
        memcpy(&next, shm_at(tx->region, at), sizeof next);
        drop_claim(tx, shm_span_of(tx->region, at));
    }
}

void
shm_spill_read(const struct shm_region *r, shm_off first, size_t n, char *out)
{
    uint64_t next = first, bytes, at = 0;
    while (next && at < n) {
        const char *piece = shm_at(r, next);
        memcpy(&next, piece, 8);
        memcpy(&bytes, piece + 8, 8);
        xassert(bytes <= ROOM && bytes <= n - at);
        memcpy(out + at, piece + SHM_SPILL_HEADER, bytes);
        at += bytes;
    }
    xassert(at == n);
}
