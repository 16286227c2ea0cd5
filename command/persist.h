/* persist.h - what commands ask of the persister, and what everybody sees of it: words of the control page.
 *
 * A request is a pair of numbers: who asks raises the first (and wakes the persister), the persister sets the second to the
 * number that it has dealt with. So a persister that dies, or comes late, misses nothing. What the persister tells are words that
 * it alone stores (class S); its successor goes on from them, for they outlive it like all of the region.
 */
#ifndef KVSTASH_COMMAND_PERSIST_H
#define KVSTASH_COMMAND_PERSIST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Of the append-only file. */
enum persist_aof_state {
    PERSIST_AOF_OFF,
    PERSIST_AOF_STARTING, /* the log is on, and the file waits for its base */
    PERSIST_AOF_ON,
};

/* Where the append-only file ends: whole groups up to `offset` of increment number `increment` hold every record up to `ticket`. */
struct persist_place_sh {
    uint64_t increment, offset, ticket;
};

struct persist_sh {
    /* ---- the log ---- */
    _Alignas(64) _Atomic uint64_t durable; /* S: every record up to this ticket is on the disk. A stale read is an earlier truth */
    _Atomic int64_t unsynced_since_ns;     /* S: monotonic; the oldest record that is not on the disk came then; 0: all are there */
    _Atomic uint32_t aof_errno;            /* S: why the append-only file cannot be written now; 0: it can */
    _Atomic uint32_t aof_state;            /* S: enum persist_aof_state */
    /* ---- the append-only file ---- */
    _Alignas(64) struct persist_place_sh place[2]; /* S: written in turns; place_now tells which one is whole */
    _Atomic uint64_t place_now;            /* S: raised after place[place_now % 2] was filled */
    _Atomic uint64_t aof_current_size, aof_base_size; /* S: bytes of base and increments now; after the last rewriting */
    _Atomic uint64_t aof_delayed_fsync;    /* S: how often writers were parked because the disk was late */
    _Atomic uint64_t rewrite_asked;        /* C: BGREWRITEAOFs asked for */
    _Atomic uint64_t rewrite_taken;        /* S: of these, begun */
    _Atomic uint64_t crash_asked;          /* C: builds with crash points: die at so many points from now (DEBUG CRASH-POINT) */
    _Atomic uint32_t rewrite_runs;         /* S: a rewriting is under way */
};

#endif
