/* shm_epoch.h - when memory that readers without locks may still look at can be used for something else.
 *
 * One word per process slot: the region epoch it saw when it began its current batch, or SHM_EPOCH_QUIESCENT while it
 * reads nothing. The housekeeper raises the region's epoch and gives back what was retired at epoch e once every live
 * slot's word is above e. A dead slot's word is set quiescent by its recovery. The store and the later reads need a
 * full fence between them (store-load), once per batch.
 */
#ifndef KVSTASH_SHM_EPOCH_H
#define KVSTASH_SHM_EPOCH_H

#include "shm/shm_region.h"

void shm_epoch_enter(struct shm_region *r, unsigned slot);
void shm_epoch_leave(struct shm_region *r, unsigned slot);
/* Raises the epoch; returns the oldest epoch that a live slot may still be in (all below it have passed). */
uint64_t shm_epoch_advance(struct shm_region *r);

/* For who has changed something that others read without locks: raise, then ask until it has passed. */
/* Raises the epoch and returns it. */
uint64_t shm_epoch_raise(struct shm_region *r);
/* Is every slot's owner but `self` quiescent, or in a batch that began at `epoch` or later? */
bool shm_epoch_passed(const struct shm_region *r, uint64_t epoch, unsigned self);

#endif
