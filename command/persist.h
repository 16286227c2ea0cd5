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

#include "shm/shm_layout.h"

/* Of the append-only file. */
enum persist_aof_state {
    PERSIST_AOF_OFF,
    PERSIST_AOF_STARTING, /* the log is on, and the file waits for its base */
    PERSIST_AOF_ON,
};

/* How the append-only file begins in a region where it has no place yet. */
enum persist_start {
    PERSIST_START_BASE = 0, /* with a base: the region may hold anything */
    PERSIST_START_EMPTY,    /* the region was empty when its log was switched on, before anybody was there: with nothing */
    PERSIST_START_FILES,    /* the region then held what the files of the append-only file hold: with their next increment */
};

/* Where the append-only file ends: whole groups up to `offset` of increment number `increment` hold every record up to `ticket`.
 * Increment 0: there is no file. */
struct persist_place_sh {
    uint64_t increment, offset, ticket;
};

/* Why commands that change something may not run now: bits of refuse_writes. */
enum persist_refuse {
    PERSIST_REFUSE_RDB = 1 << 0,    /* the last save failed: refused, if so configured */
    PERSIST_REFUSE_ENDING = 1 << 1, /* the last save before the server's end is made: they wait */
};

/* Saves: snapshots in the file dbfilename. */
struct persist_save_sh {
    _Alignas(64) _Atomic uint64_t wait_asked; /* C: saves whose end somebody waits for: SAVE, FLUSHALL, the last one before the end */
    _Atomic uint64_t wait_answered;           /* S: the newest of them that is done, times 2, plus 1 if it failed */
    _Atomic uint64_t bgsave_asked;            /* C: BGSAVEs; raised from bgsave_answered by compare-and-swap, so there is one at a time */
    _Atomic uint64_t bgsave_answered;         /* S */
    _Atomic uint64_t drop_asked;              /* C: FLUSHALLs, which end a BGSAVE */
    _Atomic uint64_t drop_taken;              /* S */
    _Atomic uint32_t scheduled;               /* C: 1: BGSAVE SCHEDULE waits for the end of what runs */
    _Atomic uint32_t last_failed;             /* S: how the last save ended */
    _Alignas(64) _Atomic int64_t last_s;      /* S: wall clock of the last good save; at first the server's start */
    _Atomic int64_t last_took_s;              /* S: of the last BGSAVE; -1: there was none */
    _Atomic int64_t since_ms;                 /* S: wall clock of the beginning of the save that runs; 0: none runs */
    _Atomic uint64_t changes;                 /* S: control_changes() at the cut of the last good save */
    _Atomic uint64_t saves;                   /* C: begun since CONFIG RESETSTAT */
};

/* The snapshot that runs, for whatever purpose. */
struct persist_snapshot_sh {
    _Alignas(64) _Atomic uint64_t keys_total; /* S: at the cut; 0: no snapshot runs */
    _Atomic uint64_t keys;                    /* S: of these, written */
    _Atomic uint64_t bytes;                   /* S: rendered */
};

#define PERSIST_TROUBLE_MAX 512u

struct persist_sh {
    _Alignas(64) _Atomic uint32_t refuse_writes; /* C: enum persist_refuse */
    struct persist_save_sh save;
    struct persist_snapshot_sh snapshot;
    /* ---- the log ---- */
    _Alignas(64) _Atomic uint64_t durable; /* S: every record up to this ticket is on the disk. A stale read is an earlier truth */
    _Atomic int64_t unsynced_since_ns;     /* S: monotonic; the oldest record that is not on the disk came then; 0: all are there, or
                                              nobody asks for it */
    _Atomic uint32_t aof_errno;            /* S: why the append-only file cannot be written now; 0: it can */
    _Atomic uint32_t aof_state;            /* S: enum persist_aof_state */
    _Atomic uint64_t crash_asked;          /* C: builds with crash points: die at so many points from now (DEBUG CRASH-POINT) */
    /* Ticket that replies of a worker wait for to become durable; 0: none. S of the worker: stored, then durable is looked at
     * again; the persister stores durable, then looks here */
    _Alignas(64) _Atomic uint64_t wanted[SHM_SLOTS_MAX];
    /* ---- the append-only file ---- */
    _Alignas(64) struct persist_place_sh place[2]; /* S: written in turns; place_now tells which one is whole */
    _Atomic uint64_t place_now;            /* S: raised after place[place_now % 2] was filled */
    _Atomic uint32_t start;                /* enum persist_start: by the master, before anybody is there, with the log on */
    uint64_t start_ticket;                 /* likewise: the next ticket then */
    _Atomic uint64_t aof_current_size, aof_base_size; /* S: bytes of base and increments now; after the last rewriting */
    _Atomic uint64_t aof_buffered;         /* S: bytes that the persister keeps: not written, or not synced */
    _Atomic uint64_t aof_delayed_fsync;    /* S: how often writers were parked because the disk was late */
    _Atomic uint64_t aof_records;          /* S: written since the region exists */
    /* ---- rewritings ---- */
    _Atomic uint64_t rewrite_asked;        /* C: BGREWRITEAOFs asked for */
    _Atomic uint64_t rewrite_taken;        /* S: of these, begun */
    _Atomic uint32_t rewrite_runs;         /* S: one is under way */
    _Atomic uint32_t rewrite_failed;       /* S: the last one failed */
    _Atomic uint64_t rewrites, rewrite_failures; /* S: done; failed in a row */
    _Atomic int64_t rewrite_begun_s, rewrite_took_s; /* S: wall clock of the one that runs; of the last one, -1: none */
    /* ---- persisters that end before they serve ---- */
    _Atomic int64_t trouble_since_ns;      /* S: monotonic; when the first of them did; 0: the last one served, or none was there yet */
    char trouble[PERSIST_TROUBLE_MAX];     /* S: why the last of them did; a text whenever it is read */
};

/* The place that is whole. Exact for the persister; others may read one that is being overwritten, which is good enough to show. */
static inline struct persist_place_sh
persist_place(const struct persist_sh *p)
{
    return p->place[atomic_load_explicit(&p->place_now, memory_order_acquire) % 2];
}

struct cmd;
struct engine;
struct shm_error;
struct shm_region;

/* The log on for so many slots, and how the append-only file begins; by who made or filled the region, before anybody else is
 * there. */
bool persist_start_log(struct shm_region *r, unsigned slots, enum persist_start kind, struct shm_error *e);
/* What commands have to mind, looked up once a batch: e->exec.log_always, log_late, log_errno, gated, saves_fail. Who comes to
 * a gate that was closed after this look waits there, or is turned back, by the transaction. */
void persist_look(struct engine *e);
/* The ticket that must be durable before anybody may see the command's reply; 0: none. */
uint64_t persist_ticket(const struct cmd *c);
/* Wakes the persister, if it sleeps and a record is what it waits for. */
void persist_wake(struct engine *e);
/* Wakes it to look at what is asked of it, or at parameters that changed. */
void persist_ask(struct engine *e);

/* A server starts: nobody waits for an answer, no save runs, nothing has gone wrong. The count of changes stays. */
static inline void
persist_save_reset(struct persist_sh *p, int64_t now_s)
{
    struct persist_save_sh *s = &p->save;
    atomic_store(&p->refuse_writes, 0);
    atomic_store(&s->wait_answered, atomic_load(&s->wait_asked) << 1);
    atomic_store(&s->bgsave_answered, atomic_load(&s->bgsave_asked));
    atomic_store(&s->drop_taken, atomic_load(&s->drop_asked));
    atomic_store(&s->scheduled, 0);
    atomic_store(&s->last_failed, 0);
    atomic_store(&s->last_s, now_s);
    atomic_store(&s->last_took_s, -1);
    atomic_store(&s->since_ms, 0);
    atomic_store(&s->saves, 0);
    atomic_store(&p->snapshot.keys_total, 0);
    atomic_store(&p->trouble_since_ns, 0);
}

#endif
