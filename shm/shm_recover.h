/* shm_recover.h - finishing what dead processes left.
 *
 * The rule: I hold lock S; a journal other than mine that is not IDLE and has bit S in `held` belongs to a dead
 * process (a live one would hold S). Whoever finds it finishes it under the journal's recover lock: past the commit
 * point the redo items are applied, else the undo records are written back, newest first, their count left alone, so
 * that a death in the middle is repaired by the next. Then IDLE. Source: ARCHITECTURE, "the life of a crash".
 */
#ifndef KVSTASH_SHM_RECOVER_H
#define KVSTASH_SHM_RECOVER_H

#include "shm/shm_region.h"

#define SHM_FOLLOWS_MAX 3u /* deaths on one journal before its shards are switched off instead */
/* Holders of one shard's lock that died of a fault (they left last words) within the window, before the shard is made
 * read-only, then switched off; the others serve. */
#define SHM_FAULTS_READONLY 8u
#define SHM_FAULTS_OFF 16u
#define SHM_FAULTS_WINDOW_MS 60000u

/* Called by shm_lock_take with lock `id` held after EOWNERDEAD: finishes every journal that claims it. */
void shm_recover_lock(struct shm_region *r, unsigned slot, unsigned id);
/* The recoverer: finishes the journal of a dead slot of this generation, sweeps its claims, makes its epoch word
 * quiescent and its private memory zero. Returns false if the slot is of another generation by now. The slot's process
 * must be known to be dead (its life lock was seen free). */
bool shm_recover_slot(struct shm_region *r, unsigned slot, uint32_t generation);
/* Finishes all journals of a region that nobody else uses (attach, checks). Takes no lock: the words of old ones say
 * nothing any more. Shards that were read-only are on again, those that are off stay so. */
void shm_recover_all(struct shm_region *r);

/* Writes undo records back from `from` down to `to` (byte positions of the undo log). Used by abort, too. */
void shm_recover_undo(struct shm_region *r, struct shm_journal_sh *j, uint64_t from, uint64_t to);
/* Applies the journal's redo items. */
void shm_recover_redo(struct shm_region *r, struct shm_journal_sh *j);

/* Where position pos of the undo log lies; pos is within what the log has. */
void *shm_recover_undo_at(const struct shm_region *r, const struct shm_journal_sh *j, uint64_t pos);
struct shm_redo_sh *shm_recover_redo_at(const struct shm_region *r, const struct shm_journal_sh *j, uint64_t i);

/* The header word behind each undo record: what range of the region its bytes came from; 0 offset: filler. */
#define SHM_UNDO_LEN_BITS 16
static inline uint64_t
shm_undo_header(shm_off off, uint64_t len)
{
    return off << SHM_UNDO_LEN_BITS | len;
}

#define SHM_REDO_PER_SPAN (SHM_SPAN_BYTES / sizeof(struct shm_redo_sh))

#endif
