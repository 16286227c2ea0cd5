/* shm_ring.h - the commit log's rings: one per process slot, written at commit, read in ticket order.
 *
 * The writing side is part of shm_tx_commit. A record's payload is the transaction's effects, each a command:
 *
 *     u32 database, u32 argc, then argc times: u32 length, bytes
 *
 * in the ring behind the record's head up to SHM_RECORD_INLINE bytes, else in a chain of spill spans (shm_spill.h), which the
 * reader frees.
 *
 * Reading (the persister; one reader): the reader's cursors are private and run ahead of the rings' tails. shm_ring_next() gives
 * the record of the next ticket, skipping holes by the rule of ARCHITECTURE "order of tickets"; shm_ring_pass() goes on behind
 * it. The region still has the record, so a reader that dies loses nothing: its successor begins at the tails. Only when what was
 * read is safe, shm_ring_release() gives the room back to the writers.
 *
 * Process: one reader; workers and the housekeeper write. Locks: none to read; the switch passes over all shard locks.
 */
#ifndef KVSTASH_SHM_RING_H
#define KVSTASH_SHM_RING_H

#include "base/buf.h"
#include "shm/shm_region.h"

#define SHM_MODE_LOG_SHIFT 16
#define SHM_MODE_LOG_MASK (0xFFull << SHM_MODE_LOG_SHIFT)

static inline bool
shm_ring_logging(const struct shm_region *r)
{
    return (atomic_load_explicit(&r->header->mode, memory_order_acquire) & SHM_MODE_LOG_MASK) != 0;
}
/* The record at a position, and the units of one with so many bytes of payload: a longer one lies in spill spans. */
static inline struct shm_record_sh *
shm_ring_record(const struct shm_ring_sh *ring, uint64_t at)
{
    return (struct shm_record_sh *)(uintptr_t)ring->unit[at % SHM_RING_UNITS];
}
static inline uint64_t
shm_ring_units(size_t bytes)
{
    return 1 + (bytes <= SHM_RECORD_INLINE ? (bytes + SHM_RING_UNIT - 1) / SHM_RING_UNIT : 0);
}
#define SHM_RING_WAKE (SHM_RING_UNITS / 4) /* so many filled: the reader is to be woken, if it sleeps */
/* Units between tail and head: what the reader has not released yet. */
static inline uint64_t
shm_ring_filled(const struct shm_ring_sh *ring)
{
    return atomic_load_explicit(&ring->head, memory_order_relaxed) - atomic_load_explicit(&ring->tail, memory_order_relaxed);
}

/* Commits memory for the rings of the first slots, those of processes that change the data. False: there is none. */
bool shm_ring_commit(struct shm_region *r, unsigned slots, struct shm_error *e);
/* Switches the log on for every later commit (with memory for all rings, if none has been committed), then takes and drops every shard lock once: who was
 * inside has left, whoever comes sees the mode. `slot` is the caller's. False: no memory for the rings. */
bool shm_ring_switch(struct shm_region *r, unsigned slot, bool on, struct shm_error *e);
/* The log on, for so many slots, by who knows that nobody else is there. */
bool shm_ring_switch_alone(struct shm_region *r, unsigned slots, struct shm_error *e);

struct shm_ring_reader {
    struct shm_region *region;
    uint64_t expected;              /* the ticket that is looked for next */
    unsigned slots;                 /* whose rings are read */
    unsigned at;                    /* ring of the record that shm_ring_next gave last */
    bool spilled;                   /* a record with spill spans was passed; the caller may clear it */
    uint64_t cursor[SHM_SLOTS_MAX]; /* position of the first record not passed, by slot */
    uint64_t head[SHM_SLOTS_MAX];   /* end of what is there, as seen last */
};

/* Begins at the tails, with the record of ticket `expected`; records of lower tickets are dropped (they must be in the rings
 * already, so not under way). What a dead reader was freeing is freed. */
void shm_ring_open(struct shm_ring_reader *q, struct shm_region *r, uint64_t expected);

enum shm_ring_result {
    SHM_RING_RECORD, /* *record is the next in order */
    SHM_RING_HOLE,   /* the ticket belongs to nobody: expected was raised */
    SHM_RING_WAIT,   /* somebody may still publish it */
    SHM_RING_EMPTY,  /* no ticket above the last one was drawn */
};
enum shm_ring_result shm_ring_next(struct shm_ring_reader *q, const struct shm_record_sh **record);
/* The payload of the record that shm_ring_next gave: record->length bytes, where they lie or copied into `room`. NULL: no
 * private memory for that. */
const char *shm_ring_payload(const struct shm_ring_reader *q, const struct shm_record_sh *record, struct buf *room);
/* Behind that record. */
void shm_ring_pass(struct shm_ring_reader *q);
/* Gives the writers what lies before these positions, by slot: earlier values of `cursor`. `spilled`: there are spill spans
 * among them. False: a spill span is not published yet (its commit is still applying redo items): call again. */
bool shm_ring_release(struct shm_ring_reader *q, const uint64_t to[SHM_SLOTS_MAX], bool spilled);

#endif
