/* shm_return.c - giving extents back (see shm_return.h for the steps and why they are two). */
#include "shm/shm_return.h"

#include <fcntl.h>

#include "shm/shm_crash.h"
#include "shm/shm_epoch.h"
#include "shm/shm_span.h"

/* Claims all spans of an extent. False, and none is claimed, if one is not free. */
static bool
claim_extent(struct shm_region *r, unsigned slot, uint64_t extent)
{
    uint64_t first = extent * SHM_SPANS_PER_EXTENT, words[SHM_SPANS_PER_EXTENT];
    for (unsigned i = 0; i < SHM_SPANS_PER_EXTENT; i++) {
        uint64_t seen = atomic_load(&r->span_words[first + i]);
        words[i] = shm_span_word(shm_span_word_generation(seen) + 1, (uint16_t)slot, SHM_CLASS_WHOLE, SHM_SPAN_CLAIMED);
        if (shm_span_word_state(seen) == SHM_SPAN_FREE && shm_span_swap(r, first + i, seen, words[i]))
            continue;
        while (i-- > 0)
            shm_span_unclaim(r, first + i, words[i]);
        return false;
    }
    return true;
}

unsigned
shm_return_begin(struct shm_region *r, unsigned slot, struct shm_return *t, unsigned n)
{
    xassert(t->n == 0 && n <= SHM_RETURN_EXTENTS_MAX);
    uint64_t committed = atomic_load(&r->header->committed_extents);
    while (t->n < n && t->n < committed && claim_extent(r, slot, committed - t->n - 1))
        t->n++;
    if (t->n == 0)
        return 0;
    t->first = committed - t->n;
    SHM_POINT();
    atomic_store(&r->header->committed_extents, t->first); /* from now on nobody begins to look there */
    SHM_POINT();
    t->epoch = shm_epoch_raise(r);
    return t->n;
}

bool
shm_return_finish(struct shm_region *r, unsigned slot, struct shm_return *t)
{
    if (t->n == 0)
        return true;
    if (!shm_epoch_passed(r, t->epoch, slot))
        return false;
    uint64_t from = t->first * SHM_SPANS_PER_EXTENT, to = (t->first + t->n) * SHM_SPANS_PER_EXTENT;
    for (uint64_t s = from; s < to; s++) {
        uint64_t word = atomic_load(&r->span_words[s]);
        xassert(shm_span_word_state(word) == SHM_SPAN_CLAIMED && shm_span_word_owner(word) == slot);
        atomic_store(&r->span_words[s], shm_span_word(shm_span_word_generation(word) + 1, 0, 0, SHM_SPAN_UNCOMMITTED));
        SHM_POINT();
    }
    /* refused: the pages stay, and are found there when the extents are committed again */
    fallocate(r->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)(r->header->off_extents + t->first * SHM_EXTENT_BYTES),
        (off_t)t->n * SHM_EXTENT_BYTES);
    t->n = 0;
    return true;
}
