/* shm_span.h - the pool of spans (class O): 32 KiB pieces of extents, lent to (shard, class) or to a process slot.
 *
 * A span word changes by compare-and-swap from the exact word that was seen; its generation rises at each change. A
 * claim carries the process slot; a dead slot's claims are swept after its journal is finished. Claims become USED by
 * redo items of the transaction that attaches them. Finding a free span uses hints that may be wrong and are repaired.
 */
#ifndef KVSTASH_SHM_SPAN_H
#define KVSTASH_SHM_SPAN_H

#include "shm/shm_region.h"

/* Claims a free span for a slot, to be cut into blocks of a class (SHM_CLASS_WHOLE: not cut); *word gets its word.
 * UINT64_MAX if none is free (commit_wanted is raised). */
uint64_t shm_span_claim(struct shm_region *r, unsigned slot, unsigned class, uint64_t *rover, uint64_t *word);
/* Gives a claimed span back. */
void shm_span_unclaim(struct shm_region *r, uint64_t span, uint64_t word);
/* One compare-and-swap, as redo items need it; true if it changed the word. Keeps the hints. */
bool shm_span_swap(struct shm_region *r, uint64_t span, uint64_t from, uint64_t to);
/* Frees all that a dead slot (or any: SHM_SPAN_SWEEP_ALL) had claimed. O(spans). Returns how many. */
#define SHM_SPAN_SWEEP_ALL UINT32_MAX
uint64_t shm_span_sweep(struct shm_region *r, unsigned slot);
/* Housekeeper: about how many spans are free, by the hints; kept in header->free_spans for those who show it. */
uint64_t shm_span_count_free(struct shm_region *r);
/* Housekeeper: looks at up to n spans from *cursor on: frees those in quarantine older than epoch, repairs hints. */
void shm_span_audit(struct shm_region *r, uint64_t *cursor, uint64_t n, uint64_t passed_epoch);

#endif
