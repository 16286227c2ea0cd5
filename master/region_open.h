/* region_open.h - the data directory's lock and identity, and the region that belongs to it: found again or made new.
 *
 * The lock file (flock, inherited by all children) keeps every second server out of the directory. kvstash.id holds the
 * lineage of the region that belongs to it: a region of another lineage or of another boot is refused, never guessed
 * at. A region left by a server that was killed is attached, recovered (in a process of its own, because the master
 * follows no offset) and served on.
 */
#ifndef KVSTASH_MASTER_REGION_OPEN_H
#define KVSTASH_MASTER_REGION_OPEN_H

#include "shm/shm_region.h"

struct region_wish {
    const char *dir;        /* data directory: made if it is missing */
    const char *path;       /* the region's file; NULL: /dev/shm/kvstash-<uid>-<hash of the directory> */
    uint64_t bytes;         /* of a new region; 0: what the machine allows */
    unsigned shards, databases, slots;
    uint64_t shared_bytes;
    enum shm_hugepages hugepages;
};

/* Takes the directory's lock; *lock_fd stays open for life. Waits a little for a predecessor that is still dying. */
bool region_open_lock(const char *dir, int *lock_fd, struct shm_error *e);
/* The file that the wish means: its path, or the one that belongs to the data directory. */
bool region_open_path(const struct region_wish *w, char path[256], struct shm_error *e);
/* Needs the lock. *attached tells whether an old region was found. */
bool region_open(struct shm_region *r, const struct region_wish *w, bool *attached, struct shm_error *e);

#endif
