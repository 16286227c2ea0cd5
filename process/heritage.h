/* heritage.h - all that a child inherits from the master over fork; constant from then on.
 *
 * The master fills it before it forks; descriptors are the master's, so they outlive each child.
 */
#ifndef KVSTASH_PROCESS_HERITAGE_H
#define KVSTASH_PROCESS_HERITAGE_H

#include <sys/types.h>

#include "shm/shm_region.h"

#define HERITAGE_ADDRESSES_MAX 16

struct heritage {
    struct shm_region *region;
    unsigned workers;          /* slots 0 .. workers-1 are workers'; the others' follow, see below */
    unsigned loaders;          /* of the load at this start; 0: nothing is loaded */
    unsigned addresses;        /* addresses listened on */
    int *listener;             /* [slot * addresses + address]: one SO_REUSEPORT socket per worker slot */
    int unix_listener;         /* shared by all workers; -1: none */
    int wake[SHM_SLOTS_MAX];   /* eventfd of each slot: written by who wants its owner to look at `wanted` */
    int master_wake;           /* eventfd: written by who wants the master to look at what it is asked for */
    int log_pipe;              /* where a child's log records go */
    int orders;                /* this child's end of its channel to the master: bytes are orders, end of file is
                                  the master's death */
    _Atomic uint32_t *served;  /* this child's word in a page of the master's: set once it serves */
    pid_t master;
};

/* The slots behind the workers', and how many there are to fill. */
static inline unsigned
heritage_housekeeper(const struct heritage *h)
{
    return h->workers;
}
static inline unsigned
heritage_persister(const struct heritage *h)
{
    return h->workers + 1; /* as control_persister() says */
}
/* Loader i's; they are needed at a start only. */
static inline unsigned
heritage_loader(const struct heritage *h, unsigned i)
{
    return h->workers + 2 + i;
}
/* Those that are always filled, and with the loaders'. */
static inline unsigned
heritage_lasting(const struct heritage *h)
{
    return h->workers + 2;
}
static inline unsigned
heritage_slots(const struct heritage *h)
{
    return heritage_lasting(h) + h->loaders;
}

/* Orders of the master: one byte each. */
#define HERITAGE_ORDER_DRAIN 'd'

#endif
