/* shm_wipe.c - the keyspace emptied without looking at it (see shm_wipe.h). */
#include "shm/shm_wipe.h"

#include <string.h>

#include "shm/shm_class.h"
#include "shm/shm_cut.h"
#include "shm/shm_span.h"

/* A late reader may still store an access clock in what was the index: such spans wait until all have passed an epoch. */
static void
free_span(struct shm_region *r, uint64_t span, uint64_t word)
{
    bool table = shm_span_word_class(word) >= SHM_CLASS_TABLE && shm_span_word_class(word) < SHM_CLASSES_MAX;
    if (table)
        r->span_metas[span].unused[0] = atomic_load(&r->header->epoch);
    shm_span_swap(r, span, word, shm_span_word(shm_span_word_generation(word) + 1, 0, 0, table ? SHM_SPAN_QUARANTINE : SHM_SPAN_FREE));
}

static void
free_spans(struct shm_region *r)
{
    uint64_t end = atomic_load(&r->header->committed_extents) * SHM_SPANS_PER_EXTENT;
    for (uint64_t s = 0; s < end; s++) {
        uint64_t word = atomic_load_explicit(&r->span_words[s], memory_order_relaxed);
        if (shm_span_word_state(word) == SHM_SPAN_USED && shm_span_word_owner(word) < r->nshards)
            free_span(r, s, word);
    }
}

void
shm_wipe(struct shm_region *r)
{
    shm_cut_abort_any(r); /* what a snapshot still needs goes too */
    for (unsigned i = 0; i < r->nshards; i++) {
        struct shm_shard_sh *s = &r->shards[i];
        s->used_bytes = s->reclaim_head = s->reclaim_tail = s->keeps = 0;
        memset(s->room, 0, sizeof s->room);
        atomic_store(&s->state, SHM_SHARD_ON);
        atomic_store(&s->faults, 0);
    }
    memset(r->dbroots, 0, (size_t)r->nshards * r->databases * sizeof *r->dbroots);
    memset(r->keyslots, 0, SHM_KEYSLOTS * sizeof *r->keyslots);
    free_spans(r);
}
