/* shm_ring.h - the commit log's rings: one per process slot, written at commit, read in ticket order.
 *
 * The writing side is part of shm_tx_commit. A record's payload is the transaction's effects, each a command:
 *
 *     u32 database, u32 argc, then argc times: u32 length, bytes
 *
 * inline up to SHM_RECORD_INLINE bytes, else in a chain of spill spans (shm_spill.h), which the reader frees after taking
 * the record.
 *
 * Reading (the persister's part; here so that the order of tickets can be tested): shm_ring_next() returns the
 * record of the next ticket, skipping holes by the rule of ARCHITECTURE "order of tickets". One reader.
 */
#ifndef KVSTASH_SHM_RING_H
#define KVSTASH_SHM_RING_H

#include "shm/shm_region.h"

#define SHM_MODE_LOG_SHIFT 16
#define SHM_MODE_LOG_MASK (0xFFull << SHM_MODE_LOG_SHIFT)

static inline bool
shm_ring_logging(const struct shm_region *r)
{
    return (atomic_load_explicit(&r->header->mode, memory_order_acquire) & SHM_MODE_LOG_MASK) != 0;
}

/* Commits the rings' memory and switches the log on for every later commit; the caller then takes and drops every
 * shard lock once (shm_ring_switch does), so that what commits afterwards is logged. `slot` is the caller's. */
bool shm_ring_switch(struct shm_region *r, unsigned slot, bool on, struct shm_error *e);

enum shm_ring_result {
    SHM_RING_RECORD, /* *record and *ring are the next in order */
    SHM_RING_HOLE,   /* the ticket belongs to nobody: *expected was raised */
    SHM_RING_WAIT,   /* somebody may still publish it */
    SHM_RING_EMPTY,  /* no ticket above the last one was drawn */
};
/* Looks for ticket *expected. After SHM_RING_RECORD the caller copies what it wants and calls shm_ring_take. */
enum shm_ring_result shm_ring_next(struct shm_region *r, uint64_t *expected, unsigned *ring, const struct shm_record_sh **record);
/* Copies the payload (record->length bytes) out. */
void shm_ring_payload(const struct shm_region *r, const struct shm_record_sh *record, char *out);
/* Done with the ring's front record: frees its spill spans, moves the tail, raises *expected. False: a spill span is not
 * published yet (its commit is still applying redo items): call again. */
bool shm_ring_take(struct shm_region *r, unsigned ring, uint64_t *expected);

#endif
