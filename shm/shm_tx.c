/* shm_tx.c - begin, enter, note, commit, abort (see shm_tx.h for the contract; shm_alloc.c has the blocks,
 * shm_tx_record.c the record for the log).
 *
 * The order of stores is the protocol, and each fence below keeps the compiler to it: a process that is killed has done
 * all stores of its past and none of its future, so program order is what recovery sees.
 *
 *   1 begin   clear held, ticket, logged, lists; floor = none; room in the ring for any record; state = ACTIVE
 *   2 enter   lock, held bit, sequence odd
 *   3 note    undo record, then its count, then (the caller) the word
 *   4 commit  floor = counter; draw the ticket; write the record; ring head  <- the commit point of logged ones
 *   5         state = COMMITTED  <- the commit point of the others; redo; IDLE
 *   6 leave   all sequences even, then all unlocks
 *
 * Process: every process with a journal. Locks: takes ascending, drops all at the end. Crash: see shm_recover.c.
 * Fails: want of memory or ring space is told in tx->want; broken order of locks is an assert.
 */
#include "shm/shm_tx.h"

#include <stdlib.h>

#include "base/apart.h"
#include "shm/shm_alloc.h"
#include "shm/shm_crash.h"
#include "shm/shm_gate.h"
#include "shm/shm_lock.h"
#include "shm/shm_mail.h"
#include "shm/shm_recover.h"
#include "shm/shm_ring.h"
#include "shm/shm_span.h"
#include "shm/shm_spill.h"
#include "shm/shm_tx_record.h"

#define NOTE_MAX 4096u     /* bytes per undo record */
#define CHAIN_KEPT 1u      /* chained spans kept for the next transaction */

/* The compiler may not move stores across; the processor need not be told (see the file head). */
#define ORDER() atomic_signal_fence(memory_order_seq_cst)

/* ---- open, close ------------------------------------------------------------------------------------ */

bool
shm_tx_open(struct shm_tx *tx, struct shm_region *r, unsigned slot)
{
    xassert(slot < r->nslots);
    memset(tx, 0, sizeof *tx);
    tx->region = r;
    tx->slot = slot;
    tx->journal = shm_region_journal(r, slot);
    tx->generation = atomic_load(&r->slots[slot].generation);
    tx->held_high = SHM_HELD_WORDS;
    tx->patience_us = SHM_LOCK_PATIENT;
    r->progress = &r->slots[slot].progress;
    tx->rover = slot * 7; /* neighbours start their searches apart */
    tx->used_delta = calloc(r->nshards, sizeof *tx->used_delta);
    if (!tx->used_delta)
        return false;
    xassert(atomic_load(&tx->journal->state) == SHM_JOURNAL_IDLE);
    for (unsigned i = 0; i < SHM_UNDO_CHAIN_MAX; i++)
        atomic_store(&tx->journal->undo_chain[i], 0);
    for (unsigned i = 0; i < SHM_REDO_CHAIN_MAX; i++)
        atomic_store(&tx->journal->redo_chain[i], 0);
    return true;
}

void
shm_tx_make_bare(struct shm_tx *tx)
{
    xassert(!tx->active && !tx->reading);
    tx->bare = true;
    tx->gate = SHM_TX_INSIDE;
}

static APART void
chain_trim(struct shm_tx *tx, _Atomic uint64_t *chain, unsigned *have, unsigned keep)
{
    while (*have > keep) {
        unsigned i = --*have;
        uint64_t span = shm_span_of(tx->region, atomic_load(&chain[i]));
        atomic_store(&chain[i], 0);
        shm_span_unclaim(tx->region, span, atomic_load(&tx->region->span_words[span]));
    }
}

void
shm_tx_close(struct shm_tx *tx)
{
    xassert(!tx->active && !tx->reading);
    chain_trim(tx, tx->journal->undo_chain, &tx->undo_spans, 0);
    chain_trim(tx, tx->journal->redo_chain, &tx->redo_spans, 0);
    free(tx->freed);
    free(tx->claims);
    free(tx->emptied);
    free(tx->record);
    free(tx->used_delta);
    shm_mail_forget(tx);
    memset(tx, 0, sizeof *tx);
}

/* ---- begin and enter ---------------------------------------------------------------------------------- */

static bool
ring_has_room(const struct shm_tx *tx)
{
    const struct shm_ring_sh *ring = &tx->region->rings[tx->slot];
    xassert(tx->slot < atomic_load_explicit(&tx->region->header->ring_slots, memory_order_relaxed));
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    return head - atomic_load_explicit(&ring->tail, memory_order_acquire) + SHM_RECORD_UNITS_MAX <= SHM_RING_UNITS;
}

/* What begins empty, of any transaction. */
static void
begin_private(struct shm_tx *tx)
{
    tx->active = true;
    tx->undo_end = 0;
    tx->undo_room = SHM_UNDO_FIXED;
    tx->nfreed = tx->nclaims = tx->nemptied = 0;
    tx->record_len = 0;
    tx->record_effects = 0;
    tx->log_failed = tx->logging = false;
    tx->nredo = tx->spilled = 0;
    tx->noting_claims = false;
    shm_mail_rewind(tx, 0);
}

bool
shm_tx_begin(struct shm_tx *tx)
{
    struct shm_journal_sh *j = tx->journal;
    xassert(!tx->active && !tx->reading);
    tx->want = SHM_WANT_NOTHING;
    if (tx->bare) {
        begin_private(tx);
        return true;
    }
    tx->mode = atomic_load_explicit(&tx->region->header->mode, memory_order_acquire);
    /* the rings have memory only once the log was switched on */
    if ((tx->mode & SHM_MODE_LOG_MASK) != 0 && !ring_has_room(tx)) {
        tx->want = SHM_WANT_RING;
        return false;
    }
    for (unsigned i = 0; i < tx->held_high; i++)
        atomic_store_explicit(&j->held[i], 0, memory_order_relaxed);
    tx->held_high = 0;
    atomic_store_explicit(&j->ticket, 0, memory_order_relaxed);
    atomic_store_explicit(&j->logged, 0, memory_order_relaxed);
    atomic_store_explicit(&j->undo_bytes, 0, memory_order_relaxed);
    atomic_store_explicit(&j->redo_count, 0, memory_order_relaxed);
    atomic_store_explicit(&j->follows, 0, memory_order_relaxed); /* here, not by who made it IDLE, who may die before he could */
    atomic_store_explicit(&j->floor, SHM_FLOOR_NONE, memory_order_relaxed);
    atomic_store_explicit(&j->commit_pos, UINT64_MAX, memory_order_relaxed); /* known when the record is */
    j->transactions++;
    SHM_POINT();
    atomic_store_explicit(&j->state, SHM_JOURNAL_ACTIVE, memory_order_release);
    SHM_POINT();
    begin_private(tx);
    return true;
}

/* Notes that the shard whose lock was just taken cannot be used, if its state is above `most`. */
static void
refuse_shard(struct shm_tx *tx, unsigned id, enum shm_shard_state most)
{
    if (id >= tx->region->nshards || atomic_load_explicit(&tx->region->shards[id].state, memory_order_relaxed) <= most)
        return;
    tx->want = SHM_WANT_SHARD;
    tx->refused = (uint16_t)id;
}

/* The first lock of a shard is held: is the gate open for this transaction? Who closes it passes over all locks afterwards, so
 * one look under one lock is enough. */
static bool
may_pass(const struct shm_tx *tx, unsigned id)
{
    return tx->nlocked > 0 || id >= tx->region->nshards || tx->gate == SHM_TX_INSIDE || shm_gate_is_open(tx->region);
}

/* Takes the lock with the gate open. False: its holder lives on, or the gate is closed, and the patience is at its end. */
static bool
take_lock(struct shm_tx *tx, unsigned id)
{
    for (;;) {
        unsigned trouble = shm_lock_take_within(tx->region, tx->slot, id, tx->patience_us);
        if (trouble == SHM_LOCK_BUSY)
            return false;
        tx->waits += trouble;
        if (__builtin_expect(may_pass(tx, id), 1))
            return true;
        shm_lock_drop(tx->region, id);
        if (tx->gate == SHM_TX_TURNS_BACK || tx->patience_us != SHM_LOCK_PATIENT)
            return false;
        shm_gate_wait(tx->region);
    }
}

/* False: it is not to be had now (tx->want). */
static bool
remember_lock(struct shm_tx *tx, unsigned id)
{
    xassert(tx->nlocked == 0 || tx->locked[tx->nlocked - 1] < id); /* the rank */
    if (!tx->bare && !take_lock(tx, id)) {
        tx->want = SHM_WANT_LOCK;
        return false;
    }
    tx->locked[tx->nlocked++] = (uint16_t)id;
    tx->locked_bits[id / 64] |= 1ull << (id % 64);
    return true;
}

void
shm_tx_enter(struct shm_tx *tx, const uint16_t *ids, unsigned n)
{
    struct shm_journal_sh *j = tx->journal;
    xassert(tx->active);
    for (unsigned i = 0; i < n; i++) {
        unsigned id = ids[i], word = id / 64;
        if (!remember_lock(tx, id))
            return;
        if (tx->bare)
            continue;
        if (tx->nlocked == 1) /* who switches the log then passes over this lock, and so sees this transaction end */
            tx->logging = shm_ring_logging(tx->region);
        SHM_POINT();
        atomic_store_explicit(&j->held[word], tx->locked_bits[word], memory_order_relaxed);
        if (tx->held_high <= word)
            tx->held_high = word + 1;
        ORDER();
        SHM_POINT();
        _Atomic uint64_t *seq = shm_lock_seq(tx->region, id);
        atomic_store_explicit(seq, atomic_load_explicit(seq, memory_order_relaxed) | 1, memory_order_relaxed);
        atomic_thread_fence(memory_order_release); /* odd before any change; pairs with shm_read's acquire fences */
        SHM_POINT();
        refuse_shard(tx, id, SHM_SHARD_ON);
    }
}

void
shm_tx_enter_all(struct shm_tx *tx)
{
    for (unsigned id = 0; id < tx->region->nshards; id++)
        shm_tx_enter(tx, &(uint16_t){(uint16_t)id}, 1);
}

void
shm_tx_enter_read(struct shm_tx *tx, const uint16_t *ids, unsigned n)
{
    xassert(!tx->active);
    tx->want = SHM_WANT_NOTHING;
    tx->reading = true;
    for (unsigned i = 0; i < n; i++) {
        if (!remember_lock(tx, ids[i]))
            return;
        refuse_shard(tx, ids[i], SHM_SHARD_READONLY);
    }
}

static void
drop_all(struct shm_tx *tx)
{
    for (unsigned i = 0; i < tx->nlocked; i++) {
        unsigned id = tx->locked[i];
        tx->locked_bits[id / 64] &= ~(1ull << (id % 64));
        if (!tx->bare)
            shm_lock_drop(tx->region, id);
        SHM_POINT();
    }
    tx->nlocked = 0;
}

void
shm_tx_leave_read(struct shm_tx *tx)
{
    xassert(tx->reading);
    drop_all(tx);
    tx->reading = false;
}

/* ---- noting and changing ------------------------------------------------------------------------------- */

#ifdef KVSTASH_DEBUG
/* Does p lie in a T structure whose lock is held (or in a span that this transaction claimed)? */
static bool
may_change(const struct shm_tx *tx, const void *p)
{
    const struct shm_region *r = tx->region;
    const struct shm_header_sh *h = r->header;
    shm_off off = shm_off_of(r, p);
    if (off >= h->off_shards && off < h->off_dbroots)
        return shm_tx_holds(tx, (unsigned)((off - h->off_shards) / sizeof(struct shm_shard_sh)));
    if (off >= h->off_dbroots && off < h->off_registries)
        return shm_tx_holds(tx, (unsigned)((off - h->off_dbroots) / sizeof(struct shm_dbroot_sh) / r->databases));
    if (off >= h->off_keyslots && off < h->off_slots)
        return shm_tx_holds(tx, (unsigned)((off - h->off_keyslots) / 4 * r->nshards / SHM_KEYSLOTS));
    if (off >= h->off_shared && off < h->off_extent_hints)
        return tx->nlocked && tx->locked[tx->nlocked - 1] >= r->nshards; /* some registry's */
    if (off < h->off_span_metas || off >= r->bytes)
        return false;
    uint64_t span = off < h->off_extents ? (off - h->off_span_metas) / sizeof(struct shm_span_meta_sh) : shm_span_of(r, off);
    uint64_t word = atomic_load(&r->span_words[span]);
    if (shm_span_word_state(word) == SHM_SPAN_CLAIMED)
        return shm_span_word_owner(word) == tx->slot;
    return shm_span_word_state(word) == SHM_SPAN_USED && shm_tx_holds(tx, shm_span_word_owner(word));
}
#endif

/* Nothing of a bare transaction is undone. Looked at here, in front of all that notes: a load changes tens of millions of words. */
static inline bool
needs_no_note(const struct shm_tx *tx, const void *p, size_t n)
{
#ifdef KVSTASH_DEBUG
    xassert(n == 0 || (may_change(tx, p) && may_change(tx, (const char *)p + n - 1)));
#else
    (void)p;
    (void)n;
#endif
    return tx->bare;
}

/* Makes the next piece of the undo log the current one: a filler to the end of this piece, then a chained span. */
static APART bool
undo_next_piece(struct shm_tx *tx)
{
    uint64_t left = tx->undo_room - tx->undo_end;
    unsigned link = (unsigned)((tx->undo_room - SHM_UNDO_FIXED) / SHM_SPAN_BYTES);
    if (link >= SHM_UNDO_CHAIN_MAX) {
        tx->want = SHM_WANT_LIMIT;
        return false;
    }
    if (link >= tx->undo_spans) {
        uint64_t word, span = shm_span_claim(tx->region, tx->slot, SHM_CLASS_WHOLE, &tx->rover, &word);
        if (span == UINT64_MAX) {
            tx->want = shm_alloc_want(tx->region);
            return false;
        }
        atomic_store(&tx->journal->undo_chain[link], shm_span_off(tx->region, span));
        tx->undo_spans = link + 1;
    }
    if (left) {
        uint64_t filler = shm_undo_header(0, left - 8);
        memcpy(shm_recover_undo_at(tx->region, tx->journal, tx->undo_room - 8), &filler, 8);
    }
    tx->undo_end = tx->undo_room;
    tx->undo_room += SHM_SPAN_BYTES;
    return true;
}

bool
shm_tx_is_fresh(const struct shm_tx *tx, const void *p)
{
    const struct shm_region *r = tx->region;
    const struct shm_header_sh *h = r->header;
    shm_off off = shm_off_of(r, p);
    if (tx->nclaims == 0 || tx->noting_claims || off < h->off_span_metas)
        return false;
    uint64_t span = off < h->off_extents ? (off - h->off_span_metas) / sizeof(struct shm_span_meta_sh) : shm_span_of(r, off);
    uint64_t word = atomic_load_explicit(&r->span_words[span], memory_order_relaxed);
    return shm_span_word_state(word) == SHM_SPAN_CLAIMED && shm_span_word_owner(word) == tx->slot;
}

/* One undo record of at most NOTE_MAX bytes. */
static inline bool
note_piece(struct shm_tx *tx, char *p, size_t n)
{
    uint64_t padded = (n + 7) / 8 * 8, header = shm_undo_header(shm_off_of(tx->region, p), n);
    if (shm_tx_is_fresh(tx, p))
        return true;
    if (tx->undo_end + padded + 8 > tx->undo_room && !undo_next_piece(tx))
        return false;
    shm_region_progress(tx->region);
    char *to = shm_recover_undo_at(tx->region, tx->journal, tx->undo_end);
    SHM_POINT();
    memcpy(to, p, n);
    memcpy(to + padded, &header, 8);
    tx->undo_end += padded + 8;
    ORDER();
    SHM_POINT();
    atomic_store_explicit(&tx->journal->undo_bytes, tx->undo_end, memory_order_relaxed);
    ORDER();
    SHM_POINT();
    return true;
}

/* More than one record holds. */
static APART bool
note_pieces(struct shm_tx *tx, char *p, size_t n)
{
    for (; n > NOTE_MAX; n -= NOTE_MAX, p += NOTE_MAX)
        if (!note_piece(tx, p, NOTE_MAX))
            return false;
    return note_piece(tx, p, n);
}

bool
shm_tx_note(struct shm_tx *tx, void *p, size_t n)
{
    xassert(tx->active);
    if (n == 0 || needs_no_note(tx, p, n))
        return true;
    return n > NOTE_MAX ? note_pieces(tx, p, n) : note_piece(tx, p, n);
}

bool
shm_tx_set64(struct shm_tx *tx, uint64_t *p, uint64_t v)
{
    if (!needs_no_note(tx, p, sizeof *p) && !note_piece(tx, (char *)p, sizeof *p))
        return false;
    *(volatile uint64_t *)p = v;
    SHM_POINT();
    return true;
}

bool
shm_tx_set32(struct shm_tx *tx, uint32_t *p, uint32_t v)
{
    if (!needs_no_note(tx, p, sizeof *p) && !note_piece(tx, (char *)p, sizeof *p))
        return false;
    *(volatile uint32_t *)p = v;
    SHM_POINT();
    return true;
}

bool
shm_tx_set16(struct shm_tx *tx, uint16_t *p, uint16_t v)
{
    if (!needs_no_note(tx, p, sizeof *p) && !note_piece(tx, (char *)p, sizeof *p))
        return false;
    *(volatile uint16_t *)p = v;
    SHM_POINT();
    return true;
}

bool
shm_tx_write(struct shm_tx *tx, void *p, const void *bytes, size_t n)
{
    if (!shm_tx_note(tx, p, n))
        return false;
    memcpy(p, bytes, n);
    SHM_POINT();
    return true;
}

/* ---- savepoints and abort -------------------------------------------------------------------------------- */

static void
release_claims(struct shm_tx *tx, size_t keep)
{
    while (tx->nclaims > keep) {
        const struct shm_claim *c = &tx->claims[--tx->nclaims];
        shm_span_unclaim(tx->region, c->span, c->word);
    }
}

void
shm_tx_savepoint(struct shm_tx *tx, struct shm_savepoint *sp)
{
    xassert(tx->active);
    tx->noting_claims |= tx->nclaims > 0;
    *sp = (struct shm_savepoint){.undo_end = tx->undo_end, .undo_room = tx->undo_room, .nfreed = tx->nfreed,
        .nclaims = tx->nclaims, .record_len = tx->record_len, .outbox_len = shm_mail_mark(tx), .record_effects = tx->record_effects};
    for (unsigned i = 0; i < tx->nlocked; i++)
        if (tx->locked[i] < tx->region->nshards)
            sp->used_delta[i] = tx->used_delta[tx->locked[i]];
}

void
shm_tx_rollback_to(struct shm_tx *tx, const struct shm_savepoint *sp)
{
    xassert(tx->active && tx->undo_end >= sp->undo_end);
    if (tx->bare) {
        tx->broken = true;
        return;
    }
    shm_recover_undo(tx->region, tx->journal, tx->undo_end, sp->undo_end);
    tx->undo_end = sp->undo_end;
    tx->undo_room = sp->undo_room;
    ORDER();
    atomic_store_explicit(&tx->journal->undo_bytes, tx->undo_end, memory_order_relaxed);
    ORDER();
    release_claims(tx, sp->nclaims);
    tx->nfreed = sp->nfreed;
    tx->record_len = sp->record_len;
    tx->record_effects = sp->record_effects;
    shm_mail_rewind(tx, sp->outbox_len);
    tx->want = SHM_WANT_NOTHING;
    for (unsigned i = 0; i < tx->nlocked; i++)
        if (tx->locked[i] < tx->region->nshards)
            tx->used_delta[tx->locked[i]] = sp->used_delta[i];
}

static void
forget_deltas(struct shm_tx *tx)
{
    for (unsigned i = 0; i < tx->nlocked && tx->resized; i++)
        if (tx->locked[i] < tx->region->nshards)
            tx->used_delta[tx->locked[i]] = 0;
    tx->resized = false;
}

/* Steps after IDLE: what recovery no longer looks at. */
static inline void
retire(struct shm_tx *tx)
{
    for (unsigned i = 0; i < tx->nlocked; i++) {
        _Atomic uint64_t *seq = shm_lock_seq(tx->region, tx->locked[i]);
        atomic_store_explicit(seq, (atomic_load_explicit(seq, memory_order_relaxed) | 1) + 1, memory_order_release);
        SHM_POINT();
    }
    forget_deltas(tx);
    drop_all(tx);
    tx->active = false;
    if (tx->undo_spans > CHAIN_KEPT)
        chain_trim(tx, tx->journal->undo_chain, &tx->undo_spans, CHAIN_KEPT);
    if (tx->redo_spans > CHAIN_KEPT)
        chain_trim(tx, tx->journal->redo_chain, &tx->redo_spans, CHAIN_KEPT);
}

/* Nothing of a bare transaction is undone: who aborts one gives the load up. */
static void
end_bare(struct shm_tx *tx)
{
    forget_deltas(tx);
    drop_all(tx);
    tx->active = false;
}

static void
set_state(struct shm_tx *tx, enum shm_journal_state state)
{
    SHM_POINT();
    atomic_store_explicit(&tx->journal->state, state, memory_order_release);
    ORDER();
    SHM_POINT();
}

void
shm_tx_abort(struct shm_tx *tx)
{
    enum shm_want want = tx->want;
    xassert(tx->active);
    if (tx->bare) {
        end_bare(tx);
        return;
    }
    shm_recover_undo(tx->region, tx->journal, tx->undo_end, 0);
    ORDER();
    set_state(tx, SHM_JOURNAL_IDLE);
    release_claims(tx, 0);
    retire(tx);
    tx->aborts++;
    tx->want = want;
}

/* ---- commit ------------------------------------------------------------------------------------------------ */

/* Adds a redo item; its memory is taken here, before the commit point. */
static APART bool
redo_add(struct shm_tx *tx, uint64_t span, uint64_t from, uint64_t to)
{
    if (tx->nredo >= SHM_REDO_FIXED) {
        unsigned link = (unsigned)((tx->nredo - SHM_REDO_FIXED) / SHM_REDO_PER_SPAN);
        if (link >= SHM_REDO_CHAIN_MAX) {
            tx->want = SHM_WANT_LIMIT;
            return false;
        }
        if (link >= tx->redo_spans) {
            uint64_t word, more = shm_span_claim(tx->region, tx->slot, SHM_CLASS_WHOLE, &tx->rover, &word);
            if (more == UINT64_MAX) {
                tx->want = shm_alloc_want(tx->region);
                return false;
            }
            atomic_store(&tx->journal->redo_chain[link], shm_span_off(tx->region, more));
            tx->redo_spans = link + 1;
        }
    }
    *shm_recover_redo_at(tx->region, tx->journal, tx->nredo++) = (struct shm_redo_sh){.span = span, .from = from, .to = to};
    return true;
}

/* Mail arrives; behind the claims: who sees it finds all of it. */
static APART bool
redo_add_mail(struct shm_tx *tx)
{
    shm_off word;
    uint64_t value;
    for (unsigned i = 0; shm_mail_store(tx, i, &word, &value); i++)
        if (!redo_add(tx, SHM_REDO_STORE | word, 0, value))
            return false;
    return true;
}

/* Lists what must happen if and only if the transaction commits: claims become the shard's, emptied spans free, mail arrives. */
static bool
redo_prepare(struct shm_tx *tx)
{
    for (size_t i = 0; i < tx->nclaims; i++) {
        const struct shm_claim *c = &tx->claims[i];
        uint64_t to = shm_span_word(shm_span_word_generation(c->word) + 1, c->owner, c->class, SHM_SPAN_USED);
        if (!redo_add(tx, c->span, c->word, to))
            return false;
    }
    for (size_t i = 0; i < tx->nemptied; i++) {
        uint64_t word = atomic_load_explicit(&tx->region->span_words[tx->emptied[i]], memory_order_relaxed);
        bool table = shm_span_word_class(word) >= SHM_CLASS_TABLE;
        uint64_t to = shm_span_word(shm_span_word_generation(word) + 1, 0, 0, table ? SHM_SPAN_QUARANTINE : SHM_SPAN_FREE);
        if (!redo_add(tx, tx->emptied[i], word, to))
            return false;
    }
    if (tx->outbox && !redo_add_mail(tx))
        return false;
    atomic_store_explicit(&tx->journal->redo_count, tx->nredo, memory_order_release);
    return true;
}

/* Draws the ticket and publishes the record: one store of the ring's head. */
static APART void
publish(struct shm_tx *tx)
{
    struct shm_journal_sh *j = tx->journal;
    struct shm_ring_sh *ring = &tx->region->rings[tx->slot];
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    uint64_t end = head + shm_ring_units(tx->record_len);
    atomic_store_explicit(&j->commit_pos, end, memory_order_relaxed);
    atomic_store_explicit(&j->logged, 1, memory_order_release);
    ORDER();
    SHM_POINT();
    /* seq_cst: the floor is seen before the draw; pairs with the reads of shm_ring_next */
    atomic_store(&j->floor, atomic_load(&tx->region->header->ticket));
    SHM_POINT();
    uint64_t ticket = atomic_fetch_add(&tx->region->header->ticket, 1);
    SHM_POINT();
    atomic_store(&j->ticket, ticket);
    SHM_POINT();
    shm_tx_record_write(tx, ring, head, ticket);
    SHM_POINT();
    atomic_store_explicit(&ring->head, end, memory_order_release); /* the commit point */
    ORDER();
    SHM_POINT();
    tx->last_ticket = ticket;
    for (unsigned i = 0; i < tx->nlocked; i++)
        if (tx->locked[i] < tx->region->nshards)
            atomic_store_explicit(&tx->region->shards[tx->locked[i]].last_ticket, ticket, memory_order_release);
}

/* Everything that can still fail, before the commit point. */
static bool
prepare(struct shm_tx *tx, bool log)
{
    if (tx->want != SHM_WANT_NOTHING)
        return false;
    if ((atomic_load_explicit(&tx->region->header->mode, memory_order_acquire) ^ tx->mode) & ~SHM_MODE_LOG_MASK) {
        tx->want = SHM_WANT_MODE; /* the fence: nothing commits under a role or token that has passed */
        return false;
    }
    if (log && tx->log_failed) {
        tx->want = SHM_WANT_HEAP;
        return false;
    }
    if (log && !ring_has_room(tx)) { /* the log was switched on after the begin */
        tx->want = SHM_WANT_RING;
        return false;
    }
    if (!shm_alloc_settle(tx))
        return false;
    if (log && tx->record_len > SHM_RECORD_INLINE && !shm_spill_write(tx, tx->record, tx->record_len, SHM_SPILL_OWNER, &tx->spilled)) {
        const struct shm_ring_sh *ring = &tx->region->rings[tx->slot];
        if (tx->want == SHM_WANT_LIMIT && shm_ring_filled(ring) > 0)
            tx->want = SHM_WANT_RING; /* what earlier records took comes back when they are read */
        return false;
    }
    return (!tx->outbox || shm_mail_put(tx)) && redo_prepare(tx);
}

/* Claimed spans become the shards', emptied ones free, in place: nobody looks on. */
static APART bool
commit_bare(struct shm_tx *tx)
{
    bool ok = tx->want == SHM_WANT_NOTHING && shm_alloc_settle(tx);
    for (size_t i = 0; i < tx->nclaims && ok; i++) {
        const struct shm_claim *c = &tx->claims[i];
        ok = shm_span_swap(tx->region, c->span, c->word,
            shm_span_word(shm_span_word_generation(c->word) + 1, c->owner, c->class, SHM_SPAN_USED));
    }
    for (size_t i = 0; i < tx->nemptied && ok; i++) {
        uint64_t word = atomic_load_explicit(&tx->region->span_words[tx->emptied[i]], memory_order_relaxed);
        ok = shm_span_swap(tx->region, tx->emptied[i], word, shm_span_word(shm_span_word_generation(word) + 1, 0, 0, SHM_SPAN_FREE));
    }
    end_bare(tx);
    tx->commits += ok;
    return ok;
}

bool
shm_tx_commit(struct shm_tx *tx)
{
    xassert(tx->active);
    if (tx->bare)
        return commit_bare(tx);
    bool log = tx->record_effects > 0;
    if (!prepare(tx, log)) {
        shm_tx_abort(tx);
        return false;
    }
    tx->last_ticket = 0;
    if (log)
        publish(tx);
    set_state(tx, SHM_JOURNAL_COMMITTED);
    shm_recover_redo(tx->region, tx->journal);
    set_state(tx, SHM_JOURNAL_IDLE);
    tx->nclaims = 0;
    retire(tx);
    if (tx->outbox)
        shm_mail_wake(tx);
    tx->commits++;
    return true;
}
