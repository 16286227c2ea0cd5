/* shm_proc.h - process slots: who holds one, how a death is seen, how a slot passes to the next.
 *
 * The owner's main thread holds the slot's robust life lock for as long as it lives, so a death shows in that word
 * within microseconds, long before SIGCHLD. A slot passes on so: the heir takes the life lock, finishes the dead one's
 * journal and sweeps its claims under the journal's recover lock (shm_recover_slot), raises the generation, and owns it.
 *
 * Process: take, up, leave by the owner; the rest by the master and by standbys. Locks: the slot's life and recover locks.
 * Crash: an heir that dies half-way leaves the slot dead as before, for the next heir.
 */
#ifndef KVSTASH_SHM_PROC_H
#define KVSTASH_SHM_PROC_H

#include "shm/shm_region.h"

/* Bits of a slot's `wanted` word: what others ask of its owner, who is woken through the slot's eventfd. */
enum shm_proc_wanted {
    SHM_PROC_WANTED_KILLS = 1 << 0,  /* look at the kill marks of its clients (command/clients.h) */
    SHM_PROC_WANTED_MAIL = 1 << 1,   /* look at the mailbox */
    SHM_PROC_WANTED_DRAIN = 1 << 2,  /* accept from every listener once: the owner of one stands still */
    SHM_PROC_WANTED_DURABLE = 1 << 3, /* look at the replies that wait for the disk (worker/hold.h) */
    SHM_PROC_WANTED_LOG = 1 << 4,    /* look at the log's rings */
    SHM_PROC_WANTED_LOOK = 1 << 5,   /* look at what is asked of it in the control page */
};

/* Takes a slot for this process: waits for nobody; false if its owner lives (or another heir was faster). On success
 * the slot is clean, of the given kind, in state STARTING, with a new generation. */
bool shm_proc_take(struct shm_region *r, unsigned slot, enum shm_proc_kind kind);
/* The owner serves from now on. */
void shm_proc_up(struct shm_region *r, unsigned slot);
/* An orderly end: the slot is VACANT and its life lock free; nobody takes it over. */
void shm_proc_leave(struct shm_region *r, unsigned slot);

/* Does the slot wait for an heir? Its life lock's word says that its holder died, or it is in state DEAD (the master's
 * mark for a slot to be filled) and nobody's. */
bool shm_proc_is_dead(const struct shm_region *r, unsigned slot);
/* Does any process hold a slot's life lock? Then a server runs on the region. */
bool shm_proc_any_lives(const struct shm_region *r);
/* Sleeps until one of the slots' owners dies or changes, at most timeout_ms; returns a dead slot or -1. Slots first ..
 * first + n - 1, n at most SHM_SLOTS_MAX. */
int shm_proc_wait_death(struct shm_region *r, unsigned n, unsigned timeout_ms);

#endif
