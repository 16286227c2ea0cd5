/* region_open.h - the data directory's lock and identity, and the region that belongs to it: found again or made new.
 *
 * The lock file (flock, inherited by all children) keeps every second server out of the directory. kvstash.id holds the
 * lineage of the directory's data, from its first start on and for good, and which region was used last: a region of another lineage, of
 * another boot, or one that was left behind is never guessed at. A region left by a server that was killed is attached, recovered (in a
 * process of its own, because the master follows no offset) and served on.
 *
 *     region_open_lock -> region_open_look -> (boot.h decides) -> region_open_attach
 *                                                              or region_open_create -> ... loaded ... -> region_open_identify
 */
#ifndef KVSTASH_MASTER_REGION_OPEN_H
#define KVSTASH_MASTER_REGION_OPEN_H

#include "shm/shm_region.h"

struct region_wish {
    const char *dir;        /* data directory: made if it is missing */
    const char *path;       /* the region's file; NULL: /dev/shm/kvstash-<uid>-<hash of the directory> */
    uint64_t bytes;         /* of a new region; 0: what the machine allows */
    unsigned shards, databases;
    unsigned workers;       /* of a new region */
    bool workers_given;     /* a region of another number is refused; else its number stands */
    unsigned other_slots;   /* beside the workers': every region of this version has the same number */
    enum shm_hugepages hugepages;
};

enum region_found_state {
    REGION_FOUND_NONE,
    REGION_FOUND_VALID,   /* may be attached; the handle is mapped */
    REGION_FOUND_USELESS, /* there is one that cannot be: why */
};

struct region_found {
    enum region_found_state state;
    char path[256];      /* of the region's file, whether there or to be made */
    uint8_t lineage[16]; /* VALID */
    uint64_t ticket;     /* VALID: of its last logged change; 0: none */
    unsigned workers;    /* VALID: that it was made with */
    char why[SHM_ERROR_BYTES];
};

/* Takes the directory's lock; *lock_fd stays open for life. Waits a little for a predecessor that is still dying. */
bool region_open_lock(const char *dir, int *lock_fd, struct shm_error *e);
/* The file that the wish means: its path, or the one that belongs to the data directory. */
bool region_open_path(const struct region_wish *w, char path[256], struct shm_error *e);

/* What is there. A file that holds nothing (its creation, or the load into it, was cut off) is removed. Needs the lock. */
bool region_open_look(struct shm_region *r, const struct region_wish *w, struct region_found *found, struct shm_error *e);
/* Recovers the region that was found. */
bool region_open_attach(struct shm_region *r, struct shm_error *e);
/* Makes a new one in the place of what is there, which is removed. State CREATING. */
bool region_open_create(struct shm_region *r, const struct region_wish *w, const struct region_found *found, struct shm_error *e);
/* The region holds the directory's data from now on: before it is READY. */
bool region_open_identify(const struct shm_region *r, const char *dir, struct shm_error *e);

#endif
