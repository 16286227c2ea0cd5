/* shm_cut.h - the cut: the moment whose state a snapshot is.
 *
 *     shm_cut_begin        all shard locks at once: the image is the state now; every database gets its keep (shm_keep.h)
 *     type_walk_step ...   (types/type_walk.h) gives the image out, a bounded piece under one shard's lock at a time
 *     shm_cut_abort        gives it up at any time; also what the successor of a dead walker does first
 *
 * One snapshot at a time. Births are stamped with the header's snapshot_epoch under the shard's lock; the cut raises it
 * under all of them, so "born before the epoch" is "was there at the cut". A snapshot that was given up is told by
 * header->cut_broken: writers keep nothing for it any more, and the housekeeper frees in steps what was kept.
 *
 * Process: persister. Crash: a death inside the cut leaves no cut; a dead walker leaves keeps, for which writers go on
 * keeping until somebody gives the snapshot up.
 */
#ifndef KVSTASH_SHM_CUT_H
#define KVSTASH_SHM_CUT_H

#include "shm/shm_keep.h"

struct shm_cut {
    uint64_t epoch;
    uint64_t ticket;  /* the image holds the effects of all tickets before this one, and of none from it on */
    struct shm_cut_db {
        uint64_t keys, expires;
    } db[SHM_DATABASES_MAX];
};

enum shm_cut_result {
    SHM_CUT_DONE,
    SHM_CUT_BUSY,   /* a lock was not to be had in 100 us, or leavings of the last snapshot are not freed yet: try again */
    SHM_CUT_FAILED, /* tx->want: a shard is switched off, no memory */
};

/* Tries to make a cut; holds nothing if it did not. `patient`: waits for each lock as long as it takes (who tried for 50 ms does
 * that). Memory that is on its way (SHM_WANT_POOL) is BUSY too. The order with the log: switch it on first, then cut. */
enum shm_cut_result shm_cut_begin(struct shm_tx *tx, bool patient, struct shm_cut *cut);
/* Gives up the snapshot of this epoch, or, with shm_cut_abort_any, whichever there is. Needs no lock; may be repeated. */
void shm_cut_abort(struct shm_region *r, uint64_t epoch);
void shm_cut_abort_any(struct shm_region *r);
/* Was this snapshot given up (by abort, or by a writer for want of memory)? */
bool shm_cut_is_broken(const struct shm_region *r, uint64_t epoch);
/* Frees a piece of what a given-up snapshot left in a shard, in a transaction of its own. True if more is left. Housekeeper. */
bool shm_cut_clean_step(struct shm_tx *tx, uint16_t shard, unsigned blocks);
/* A command has come to a limit of memory: does a snapshot keep memory that it would get? Then the snapshot is given up, if it is not
 * yet, and the command may run again, or pass: true. Needs no lock; the process is within an epoch. */
bool shm_cut_make_room(struct shm_region *r);
/* Does any shard keep anything? Without locks: a running snapshot's end is for its walker to know. */
bool shm_cut_has_leavings(const struct shm_region *r);
/* Enters one shard, also a read-only one, within tx->patience_us. False: tx->want. */
bool shm_cut_enter(struct shm_tx *tx, unsigned shard);

#endif
