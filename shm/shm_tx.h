/* shm_tx.h - transactions: how anything of class T in the region is changed.
 *
 * A transaction notes the old content of what it changes in its slot's journal, so that whoever finds its
 * process dead puts the old state back, or, past the commit point, finishes the new one:
 *
 *     shm_tx_begin(tx)                      no lock held; journal ACTIVE
 *     shm_tx_enter(tx, ids, n)              locks in ascending order; sequences odd
 *       shm_tx_set64 / shm_tx_note + store  old content first, then its count, then the change
 *       shm_tx_alloc / shm_tx_free          blocks; a freed one is not reused before the commit
 *     shm_tx_commit(tx)                     commit point, redo items, IDLE, sequences even, unlock all
 *   or shm_tx_abort(tx)                     everything as it was
 *
 * Between enter and commit: no blocking call, no I/O, no logging. Work that cannot go on for want of memory
 * is aborted: shm_tx_alloc returns 0 and tx->want says why (SHM_WANT_POOL: wait with nothing held for the
 * housekeeper and run again; SHM_WANT_LIMIT: -OOM).
 *
 * Reading commands that must see one state of several words take the locks without a journal:
 *     shm_tx_enter_read(tx, ids, n) ... shm_tx_leave_read(tx)
 *
 * One struct shm_tx a process, used by one thread. Source of the protocol: ARCHITECTURE, "the life of a crash";
 * tests/model holds its Promela model, whose names are this file's.
 */
#ifndef KVSTASH_SHM_TX_H
#define KVSTASH_SHM_TX_H

#include <string.h>

#include "shm/shm_region.h"

enum shm_want { SHM_WANT_NOTHING = 0, SHM_WANT_POOL, SHM_WANT_LIMIT, SHM_WANT_RING, SHM_WANT_HEAP, SHM_WANT_SHARD, SHM_WANT_MODE, SHM_WANT_LOCK, SHM_WANT_MAIL };

/* What a transaction does at the region's closed gate (shm_gate.h): waits, holding nothing; turns back with SHM_WANT_LOCK, as
 * those with little patience do; or is of the process that closed it. */
enum shm_tx_gate { SHM_TX_WAITS = 0, SHM_TX_TURNS_BACK, SHM_TX_INSIDE };

struct shm_claim {
    uint64_t span;
    uint64_t word;      /* its span word now: CLAIMED by this slot */
    uint16_t owner;     /* shard that gets it at the commit */
    uint8_t class;
};

struct shm_tx {
    struct shm_region *region;
    struct shm_journal_sh *journal;
    unsigned slot;
    uint32_t generation;   /* of the slot, when taken */
    bool active;           /* between begin and commit or abort */
    bool reading;          /* between enter_read and leave_read */
    bool bare;             /* of a loader: see shm_tx_make_bare */
    bool broken;           /* bare, and something was to be taken back, which cannot be: the load must end */
    enum shm_tx_gate gate;
    enum shm_want want;    /* why the last alloc or enter failed */
    uint32_t patience_us;  /* how long enter waits for a lock's living holder; SHM_LOCK_PATIENT: as long as it takes */
    uint16_t refused;      /* SHM_WANT_SHARD: the shard that is not ON */
    bool logging;          /* latched when the first lock was taken */
    uint64_t mode;         /* the mode word, as at the begin */
    unsigned nlocked;
    uint16_t locked[SHM_LOCKS_MAX]; /* lock ids, ascending */
    uint64_t locked_bits[SHM_HELD_WORDS];
    unsigned held_high;    /* words of journal->held that may be non-zero */
    uint64_t undo_end;     /* private copy of journal->undo_bytes */
    uint64_t undo_room;    /* end of the piece of the undo log that undo_end lies in */
    unsigned undo_spans, redo_spans;
    uint64_t rover;        /* extent at which the next search for a span begins */
    int64_t *used_delta;   /* change of used_bytes, by shard; applied at the commit */
    bool resized;          /* a used_delta may be other than 0 */
    /* blocks freed by this transaction: their bits are cleared just before the commit */
    shm_off *freed;
    size_t nfreed, freed_cap;
    bool noting_claims;    /* a savepoint lies behind some of them: they are noted like any other span */
    /* spans claimed by this transaction, published at the commit */
    struct shm_claim *claims;
    size_t nclaims, claims_cap;
    uint64_t *emptied;     /* spans that the commit gives back */
    size_t nemptied, emptied_cap;
    uint64_t nredo;        /* items in the redo list that the commit prepares */
    /* effects for the log, as the persister and followers will see them (shm_ring.h) */
    char *record;
    size_t record_len, record_cap;
    uint32_t record_effects;
    uint16_t record_database;
    bool log_failed;       /* no private memory for the record: the commit refuses */
    uint64_t spilled;      /* the chain that holds a record too long for the ring; 0: it goes into the ring */
    struct shm_outbox *outbox; /* messages that the commit sends (shm_mail.h); NULL: never sent any */
    uint64_t last_ticket;  /* of the last committed transaction; 0 = not logged */
    /* statistics of this process since its start */
    uint64_t commits, aborts, recoveries, waits;
};

struct shm_savepoint {
    uint64_t undo_end, undo_room;
    size_t nfreed, nclaims, record_len, outbox_len;
    uint32_t record_effects;
    int64_t used_delta[SHM_SHARDS_MAX]; /* by place in tx->locked */
};

/* Binds a handle to a slot that this process owns. False if private memory is short. */
bool shm_tx_open(struct shm_tx *tx, struct shm_region *r, unsigned slot);
void shm_tx_close(struct shm_tx *tx);
/* From now on this handle's transactions take no locks, note nothing and cannot be undone, at a third of the cost: for those who
 * fill a region whose gate is closed (state LOADING), where a death in the middle makes the whole worthless (shm_wipe.h).
 * Shards are shared out between loaders by agreement. An allocation waits for the pool; what fails all the same (tx->want), or
 * would have to be aborted, ends the load. Everything else, counts and bytes in use, is kept as always. */
void shm_tx_make_bare(struct shm_tx *tx);

/* False: the log ring is full (tx->want = SHM_WANT_RING); nothing is begun, park and try again. */
bool shm_tx_begin(struct shm_tx *tx);
/* Takes locks, ids ascending and above all that are held already. Shard ids are 0 .. nshards-1, registry i
 * is shm_registry_id(). Finishes the journals of dead holders on the way. A shard that is not ON sets tx->want to
 * SHM_WANT_SHARD and tx->refused: nothing of it may be looked at, the caller aborts. With tx->patience_us set, a lock that
 * is not to be had in that time sets SHM_WANT_LOCK: the caller aborts (or leaves) as well, and tries again later. */
void shm_tx_enter(struct shm_tx *tx, const uint16_t *ids, unsigned n);
void shm_tx_enter_all(struct shm_tx *tx); /* every shard */
/* The commit, with everything that must happen if and only if it commits. False (and aborted) only if
 * tx->want says why: private or pool memory for the log record or for mail was short, or a mailbox full (SHM_WANT_MAIL:
 * wait with nothing held for its reader and run again). */
bool shm_tx_commit(struct shm_tx *tx);
void shm_tx_abort(struct shm_tx *tx);
/* A part of a transaction that may fail alone (a command inside EXEC). */
void shm_tx_savepoint(struct shm_tx *tx, struct shm_savepoint *sp);
void shm_tx_rollback_to(struct shm_tx *tx, const struct shm_savepoint *sp);

/* Likewise, but only a shard that is OFF is refused. */
void shm_tx_enter_read(struct shm_tx *tx, const uint16_t *ids, unsigned n);
void shm_tx_leave_read(struct shm_tx *tx);

static inline uint16_t
shm_registry_id(const struct shm_region *r, unsigned registry)
{
    return (uint16_t)(r->nshards + registry);
}
static inline bool
shm_tx_holds(const struct shm_tx *tx, unsigned id)
{
    return tx->locked_bits[id / 64] >> (id % 64) & 1;
}

/* ---- changing T words. The lock of what is changed is held. ---- */

/* Notes the old content of n bytes at p (any alignment, any length). False only if the undo log cannot grow: abort. */
bool shm_tx_note(struct shm_tx *tx, void *p, size_t n);
/* Note, then store. */
bool shm_tx_set64(struct shm_tx *tx, uint64_t *p, uint64_t v);
bool shm_tx_set32(struct shm_tx *tx, uint32_t *p, uint32_t v);
bool shm_tx_set16(struct shm_tx *tx, uint16_t *p, uint16_t v);
bool shm_tx_write(struct shm_tx *tx, void *p, const void *bytes, size_t n);

/* Does p lie in a span that this transaction has claimed (or in its meta)? An abort gives the span back whole, and so does
 * the sweep after a death: nothing in it needs a note, and the note functions leave it out by themselves. */
bool shm_tx_is_fresh(const struct shm_tx *tx, const void *p);

/* ---- blocks ---- */

/* A block of at least n bytes (1 .. SHM_BLOCK_MAX) of the shard, 8-byte aligned (64 from 64-byte multiples), content
 * undefined; needs no note until the transaction ends. 0: see tx->want. `table` asks for type-stable memory that
 * readers without locks may scribble access clocks into (segments only). */
shm_off shm_tx_alloc(struct shm_tx *tx, unsigned shard, size_t n);
shm_off shm_tx_alloc_table(struct shm_tx *tx, unsigned shard, size_t n);
/* The same for what a shard has one of, in neighbouring blocks of another class's span rather than in a span of its own; 8-byte
 * aligned, freed by shm_tx_free_run with the same n. */
shm_off shm_tx_alloc_run(struct shm_tx *tx, unsigned shard, size_t n);
void shm_tx_free_run(struct shm_tx *tx, shm_off run, size_t n);
/* Frees at the commit. The block's content stays untouched until then. */
void shm_tx_free(struct shm_tx *tx, shm_off block);
/* Usable bytes of a block (its class's size), and the size a request of n would get. */
size_t shm_block_size(const struct shm_region *r, shm_off block);
size_t shm_class_size_for(size_t n);

/* ---- the log ---- */

/* Adds one effect (a command as it is to be replayed: argc arguments) to the transaction's record; does nothing while
 * nobody reads the log. */
struct shm_effect_arg {
    const char *data;
    size_t len;
};
void shm_tx_effect(struct shm_tx *tx, unsigned db, int argc, const struct shm_effect_arg *argv);
bool shm_tx_logging(const struct shm_tx *tx);

#endif
