/* shm_span.c - the pool of spans (see shm_span.h for the states and who changes them).
 *
 * Truth is the array of span words alone. The per-extent hints say about how many of an extent's spans are free, so
 * that a search skips full extents; a death between a swap and its hint leaves a hint wrong by one, the audit repairs.
 *
 * Process: all that change the region. Locks: none. Crash: a claim is swept; a half-kept hint is repaired.
 */
#include "shm/shm_span.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shm/shm_crash.h"

/* Keeps the hints after a span word went from one state to another. */
static void
keep_hints(struct shm_region *r, uint64_t span, bool was_free, bool is_free)
{
    uint64_t extent = span / SHM_SPANS_PER_EXTENT;
    if (was_free == is_free)
        return;
    atomic_fetch_add_explicit(&r->extent_hints[extent], is_free ? 1 : (uint32_t)-1, memory_order_relaxed);
}

bool
shm_span_swap(struct shm_region *r, uint64_t span, uint64_t from, uint64_t to)
{
    xassert(span < r->header->spans);
    SHM_POINT();
    if (!atomic_compare_exchange_strong(&r->span_words[span], &from, to))
        return false;
    SHM_POINT();
    keep_hints(r, span, shm_span_word_state(from) == SHM_SPAN_FREE, shm_span_word_state(to) == SHM_SPAN_FREE);
    return true;
}

static uint64_t
claim_in_extent(struct shm_region *r, unsigned slot, unsigned class, uint64_t extent, uint64_t *word)
{
    uint64_t first = extent * SHM_SPANS_PER_EXTENT;
    for (uint64_t s = first; s < first + SHM_SPANS_PER_EXTENT; s++) {
        uint64_t seen = atomic_load_explicit(&r->span_words[s], memory_order_relaxed);
        if (shm_span_word_state(seen) != SHM_SPAN_FREE)
            continue;
        *word = shm_span_word(shm_span_word_generation(seen) + 1, (uint16_t)slot, (uint8_t)class, SHM_SPAN_CLAIMED);
        if (shm_span_swap(r, s, seen, *word))
            return s;
    }
    return UINT64_MAX;
}

uint64_t
shm_span_claim(struct shm_region *r, unsigned slot, unsigned class, uint64_t *rover, uint64_t *word)
{
    uint64_t extents = atomic_load(&r->header->committed_extents);
    /* where the last search ended, then from the front: so the last extents are those that fall empty and can be given back */
    for (uint64_t i = SHM_FAILS() ? extents + 1 : 0; i <= extents; i++) {
        uint64_t extent = i > 0 ? i - 1 : *rover;
        if (extent >= extents || atomic_load_explicit(&r->extent_hints[extent], memory_order_relaxed) == 0)
            continue;
        uint64_t s = claim_in_extent(r, slot, class, extent, word);
        if (s != UINT64_MAX) {
            *rover = extent;
            return s;
        }
    }
    atomic_fetch_add(&r->header->commit_wanted, 1);
    syscall(SYS_futex, &r->header->commit_wanted, FUTEX_WAKE, 1, NULL, NULL, 0); /* the housekeeper; rare */
    return UINT64_MAX;
}

void
shm_span_unclaim(struct shm_region *r, uint64_t span, uint64_t word)
{
    uint64_t free_word = shm_span_word(shm_span_word_generation(word) + 1, 0, 0, SHM_SPAN_FREE);
    bool swapped = shm_span_swap(r, span, word, free_word);
    xassert(swapped);
}

uint64_t
shm_span_sweep(struct shm_region *r, unsigned slot)
{
    uint64_t end = atomic_load(&r->header->committed_extents) * SHM_SPANS_PER_EXTENT;
    uint64_t swept = 0;
    for (uint64_t s = 0; s < end; s++) {
        uint64_t word = atomic_load_explicit(&r->span_words[s], memory_order_relaxed);
        if (shm_span_word_state(word) != SHM_SPAN_CLAIMED || (slot != SHM_SPAN_SWEEP_ALL && shm_span_word_owner(word) != slot))
            continue;
        swept += shm_span_swap(r, s, word, shm_span_word(shm_span_word_generation(word) + 1, 0, 0, SHM_SPAN_FREE));
    }
    return swept;
}

/* Frees a span of the quarantine once no reader can be inside it; the epoch it was retired at stands in its meta. */
static void
audit_quarantined(struct shm_region *r, uint64_t span, uint64_t word, uint64_t passed_epoch)
{
    if (r->span_metas[span].unused[0] < passed_epoch)
        shm_span_swap(r, span, word, shm_span_word(shm_span_word_generation(word) + 1, 0, 0, SHM_SPAN_FREE));
}

uint64_t
shm_span_count_free(struct shm_region *r)
{
    uint64_t extents = atomic_load(&r->header->committed_extents), sum = 0;
    for (uint64_t i = 0; i < extents; i++)
        sum += atomic_load_explicit(&r->extent_hints[i], memory_order_relaxed);
    atomic_store_explicit(&r->header->free_spans, sum, memory_order_relaxed);
    return sum;
}

void
shm_span_audit(struct shm_region *r, uint64_t *cursor, uint64_t n, uint64_t passed_epoch)
{
    uint64_t extents = atomic_load(&r->header->committed_extents);
    uint64_t steps = n / SHM_SPANS_PER_EXTENT + 1;
    for (uint64_t i = 0; i < steps && extents; i++, (*cursor)++) {
        uint64_t extent = *cursor % extents, first = extent * SHM_SPANS_PER_EXTENT;
        uint32_t before = atomic_load(&r->extent_hints[extent]), count = 0;
        for (uint64_t s = first; s < first + SHM_SPANS_PER_EXTENT; s++) {
            uint64_t word = atomic_load(&r->span_words[s]);
            if (shm_span_word_state(word) == SHM_SPAN_QUARANTINE)
                audit_quarantined(r, s, word, passed_epoch);
            count += shm_span_word_state(atomic_load(&r->span_words[s])) == SHM_SPAN_FREE;
        }
        /* only if nobody changed it meanwhile: else the next round looks again */
        if (before != count)
            atomic_compare_exchange_strong(&r->extent_hints[extent], &before, count);
    }
}
