/* children.h - the master's children: kept in number, reaped, ordered to end.
 *
 * All are born alike: a child looks for a slot without a living owner, finishes what the dead owner left, and becomes
 * what the slot is for (worker, housekeeper, persister). One more than there are slots is kept: it finds nothing, and sleeps on the
 * life locks of all as the standby that takes the next dead one's place. So recovery, succession and start are one path,
 * and the master, who follows no offset in the region, only counts, reaps and forks.
 *
 * Process: master. Locks: none. Crash: children end with the master (PR_SET_PDEATHSIG, end of file on their channel).
 */
#ifndef KVSTASH_MASTER_CHILDREN_H
#define KVSTASH_MASTER_CHILDREN_H

#include "master/watch.h"
#include "process/heritage.h"

#define CHILDREN_MAX (SHM_SLOTS_MAX + 8)

struct child {
    pid_t pid;             /* 0: no child here */
    int orders;            /* the master's end of its channel */
    int64_t killed_ns;     /* when the master killed it; 0: it did not */
};

struct children {
    struct heritage *heritage;
    unsigned wanted;       /* children to keep, without those that were killed and hang on: slots to fill and one standby */
    struct child child[CHILDREN_MAX];
    _Atomic uint32_t *served; /* [CHILDREN_MAX], shared with the children: this one has been UP */
    int64_t not_before_ns; /* no fork before this time */
    int64_t backoff_ns;    /* the next delay, after a death of one that never served */
    int64_t window_ns;     /* beginning of the second in which deaths are counted */
    unsigned deaths;       /* in that second */
    unsigned forks;        /* children started so far */
    struct watch watch;
};

/* False: no memory. */
bool children_init(struct children *c, struct heritage *h);
/* Forks what is missing, as far as the back-off allows. */
void children_keep(struct children *c);
/* Deals with every child that ended. */
void children_reap(struct children *c);
/* Kills a child that made no progress for timeout_ms while it stood in the way of others, and standbys that take nothing
 * over. Several times a second. */
void children_watch(struct children *c, int64_t timeout_ms);
/* Orders all to finish, waits at most timeout_ms, kills who is left. */
void children_end(struct children *c, unsigned timeout_ms);

#endif
