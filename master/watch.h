/* watch.h - finds children that make no progress while they stand in the way of others.
 *
 * In the way is: a journal not IDLE, a lock held, a slot taken over but not served, an epoch word that keeps memory back
 * while there is none, the housekeeper while somebody waits for memory, and the persister while the log holds records. Nobody else is judged, and nobody when the
 * master itself was late.
 *
 * Process: master. Locks: none; reads lock words and slots. Crash: nothing is left.
 */
#ifndef KVSTASH_MASTER_WATCH_H
#define KVSTASH_MASTER_WATCH_H

#include "process/heritage.h"

struct watch_slot {
    uint64_t progress;     /* what was seen at since_ns */
    uint32_t state, owner;
    uint64_t commit_wanted;
    int64_t since_ns;
};

struct watch {
    const struct heritage *heritage;
    unsigned slots;
    int64_t looked_ns;     /* the last look */
    int64_t orphan_ns;     /* since when some slot waits for an heir; 0: none does */
    struct watch_slot slot[SHM_SLOTS_MAX];
    uint8_t shard_state[SHM_SHARDS_MAX]; /* as logged last */
};

void watch_init(struct watch *w, const struct heritage *h, unsigned slots);
/* A child to be killed, which made no progress for timeout_ms; 0: none. Call it several times a second. */
pid_t watch_look(struct watch *w, int64_t timeout_ms);
/* True if a slot has been waiting for an heir for so long that the standbys cannot be well. */
bool watch_orphan(struct watch *w, int64_t timeout_ms);
/* Lets the workers that are well accept for those whose loop stands still. */
void watch_queues(const struct watch *w);
/* Does a process own (or take over) a slot? */
bool watch_owns_slot(const struct watch *w, pid_t pid);
/* Logs shards that recoveries have made read-only or switched off since the last call. */
void watch_shards(struct watch *w);

#endif
