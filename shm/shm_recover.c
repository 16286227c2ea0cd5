/* shm_recover.c - undo, redo, and who finishes whose journal (see shm_recover.h for the rule).
 *
 * Process: any that takes a lock after a death; the recoverer that the master forks; a process's own abort.
 * Locks: shm_recover_lock is called with the lock in question held and takes recover locks one by one.
 * Crash: undo and redo are repeatable from the start; the journal stays as it is until IDLE.
 * Fails: a journal that makes no sense (three deaths on it) is not followed: its shards are switched off. A shard whose
 * heads (lists of spans, roots) make no sense after a recovery, or whose holders die of faults again and again, likewise.
 */
#include "shm/shm_recover.h"

#include <linux/futex.h>
#include <string.h>

#include "base/clock.h"
#include "shm/shm_check.h"
#include "shm/shm_crash.h"
#include "shm/shm_lock.h"
#include "shm/shm_mail.h"
#include "shm/shm_span.h"

/* ---- where records lie ----------------------------------------------------------------------------- */

void *
shm_recover_undo_at(const struct shm_region *r, const struct shm_journal_sh *j, uint64_t pos)
{
    if (pos < SHM_UNDO_FIXED)
        return (uint8_t *)(uintptr_t)j->undo + pos;
    uint64_t link = (pos - SHM_UNDO_FIXED) / SHM_SPAN_BYTES;
    xassert(link < SHM_UNDO_CHAIN_MAX);
    return (char *)shm_at(r, atomic_load(&j->undo_chain[link])) + (pos - SHM_UNDO_FIXED) % SHM_SPAN_BYTES;
}

struct shm_redo_sh *
shm_recover_redo_at(const struct shm_region *r, const struct shm_journal_sh *j, uint64_t i)
{
    if (i < SHM_REDO_FIXED)
        return (struct shm_redo_sh *)(uintptr_t)&j->redo[i];
    uint64_t link = (i - SHM_REDO_FIXED) / SHM_REDO_PER_SPAN;
    xassert(link < SHM_REDO_CHAIN_MAX);
    return (struct shm_redo_sh *)shm_at(r, atomic_load(&j->redo_chain[link])) + (i - SHM_REDO_FIXED) % SHM_REDO_PER_SPAN;
}

/* ---- undo and redo --------------------------------------------------------------------------------- */

void
shm_recover_undo(struct shm_region *r, struct shm_journal_sh *j, uint64_t from, uint64_t to)
{
    for (uint64_t pos = from; pos > to;) {
        uint64_t header, len, room;
        memcpy(&header, shm_recover_undo_at(r, j, pos - 8), 8);
        len = header & ((1u << SHM_UNDO_LEN_BITS) - 1);
        room = (len + 7) / 8 * 8 + 8;
        xassert(room <= pos);
        shm_off off = header >> SHM_UNDO_LEN_BITS;
        if (off) {
            xassert(off + len <= r->bytes);
            SHM_POINT();
            memcpy(shm_at(r, off), shm_recover_undo_at(r, j, pos - room), len);
            SHM_POINT();
        }
        pos -= room;
    }
}

static void
redo_store(struct shm_region *r, shm_off word, uint64_t value)
{
    xassert(word % 8 == 0);
    SHM_POINT();
    atomic_store_explicit((_Atomic uint64_t *)shm_at(r, word), value, memory_order_release);
    SHM_POINT();
}

void
shm_recover_redo(struct shm_region *r, struct shm_journal_sh *j)
{
    uint64_t n = atomic_load(&j->redo_count);
    for (uint64_t i = 0; i < n; i++) {
        const struct shm_redo_sh *item = shm_recover_redo_at(r, j, i);
        if (item->span & SHM_REDO_STORE)
            redo_store(r, item->span & ~SHM_REDO_STORE, item->to);
        else
            shm_span_swap(r, item->span, item->from, item->to); /* false: done already, by us or by one who died */
    }
}

/* ---- finishing a dead one's journal ----------------------------------------------------------------- */

static bool
committed(const struct shm_region *r, unsigned slot, const struct shm_journal_sh *j)
{
    if (atomic_load_explicit(&j->state, memory_order_acquire) == SHM_JOURNAL_COMMITTED)
        return true;
    return atomic_load(&j->logged) && atomic_load(&r->rings[slot].head) == atomic_load(&j->commit_pos);
}

/* What the dead one's commit stores per shard after its commit point. */
static void
settle_tickets(struct shm_region *r, const struct shm_journal_sh *j)
{
    uint64_t ticket = atomic_load(&j->ticket);
    for (unsigned id = 0; ticket && id < r->nshards; id++) {
        bool held = atomic_load(&j->held[id / 64]) >> (id % 64) & 1;
        if (held && atomic_load(&r->shards[id].last_ticket) < ticket)
            atomic_store(&r->shards[id].last_ticket, ticket);
    }
}

/* ---- quarantine ------------------------------------------------------------------------------------------ */

static void
switch_to(struct shm_region *r, unsigned shard, enum shm_shard_state state)
{
    if (atomic_load(&r->shards[shard].state) < state)
        atomic_store(&r->shards[shard].state, state);
}

/* One more holder of this shard's lock, which the caller has or knows to be dead, died of a fault. */
static void
note_fault(struct shm_region *r, unsigned shard)
{
    struct shm_shard_sh *s = &r->shards[shard];
    uint64_t now_ms = (uint64_t)clock_ns() / 1000000;
    if (now_ms - atomic_load(&s->faults_ms) > SHM_FAULTS_WINDOW_MS) {
        atomic_store(&s->faults_ms, now_ms);
        atomic_store(&s->faults, 0);
    }
    uint32_t faults = atomic_fetch_add(&s->faults, 1) + 1;
    if (faults >= SHM_FAULTS_READONLY)
        switch_to(r, shard, faults >= SHM_FAULTS_OFF ? SHM_SHARD_OFF : SHM_SHARD_READONLY);
}

/* Calls fn for each shard whose lock the journal's owner held. */
static void
each_held(struct shm_region *r, const struct shm_journal_sh *j, void (*fn)(struct shm_region *r, unsigned shard))
{
    for (unsigned id = 0; id < r->nshards; id++)
        if (atomic_load(&j->held[id / 64]) >> (id % 64) & 1)
            fn(r, id);
}

static void
switch_off(struct shm_region *r, unsigned shard)
{
    switch_to(r, shard, SHM_SHARD_OFF);
}

/* Did a process whose slot has no heir yet leave last words (a fatal signal, a broken assertion)? A death from outside
 * (SIGKILL) says nothing about the data. */
static bool
some_died_of_fault(const struct shm_region *r)
{
    for (unsigned slot = 0; slot < r->nslots; slot++)
        if (((uint32_t)r->slots[slot].life.__data.__lock & FUTEX_OWNER_DIED) && r->slots[slot].panic[0])
            return true;
    return false;
}

/* ---- one journal ----------------------------------------------------------------------------------------- */

/* Needs the journal's recover lock. */
static void
finish(struct shm_region *r, unsigned slot, struct shm_journal_sh *j)
{
    if (r->slots[slot].panic[0])
        each_held(r, j, note_fault);
    if (atomic_fetch_add(&j->follows, 1) >= SHM_FOLLOWS_MAX) {
        each_held(r, j, switch_off);
    } else if (committed(r, slot, j)) {
        settle_tickets(r, j);
        shm_recover_redo(r, j);
    } else {
        shm_recover_undo(r, j, atomic_load(&j->undo_bytes), 0);
    }
    SHM_POINT();
    atomic_store_explicit(&j->state, SHM_JOURNAL_IDLE, memory_order_release);
    SHM_POINT();
}

static bool
claims(const struct shm_journal_sh *j, unsigned id)
{
    if (atomic_load_explicit(&j->state, memory_order_acquire) == SHM_JOURNAL_IDLE)
        return false;
    return atomic_load_explicit(&j->held[id / 64], memory_order_acquire) >> (id % 64) & 1;
}

/* Finishes the journals that claim the lock; true if there was one. */
static bool
finish_claims(struct shm_region *r, unsigned slot, unsigned id)
{
    bool any = false;
    for (unsigned other = 0; other < r->nslots; other++) {
        struct shm_journal_sh *j = shm_region_journal(r, other);
        if (other == slot || !claims(j, id))
            continue;
        any = true;
        SHM_POINT();
        shm_lock_take_plain(&j->recover, &r->slots[slot].progress);
        SHM_POINT();
        if (claims(j, id)) /* somebody may have finished it while this one waited */
            finish(r, other, j);
        pthread_mutex_unlock(&j->recover);
        SHM_POINT();
    }
    return any;
}

void
shm_recover_lock(struct shm_region *r, unsigned slot, unsigned id)
{
    bool any = finish_claims(r, slot, id);
    if (id >= r->nshards)
        return;
    if (!any && some_died_of_fault(r)) /* while reading: no journal tells */
        note_fault(r, id);
    if (!shm_check_heads(r, id))
        switch_off(r, id);
}

/* The journal of a dead process, under its recover lock. */
static void
finish_slot(struct shm_region *r, unsigned slot)
{
    struct shm_journal_sh *j = shm_region_journal(r, slot);
    if (atomic_load_explicit(&j->state, memory_order_acquire) != SHM_JOURNAL_IDLE)
        finish(r, slot, j);
}

/* Words of its own that others look at. */
static void
quiet_slot(struct shm_region *r, unsigned slot)
{
    atomic_store(&r->slots[slot].epoch, SHM_EPOCH_QUIESCENT);
    atomic_store(&r->header->private_bytes[slot], 0);
}

bool
shm_recover_slot(struct shm_region *r, unsigned slot, uint32_t generation)
{
    struct shm_journal_sh *j = shm_region_journal(r, slot);
    shm_lock_take_plain(&j->recover, NULL);
    bool same = atomic_load(&r->slots[slot].generation) == generation;
    if (same) {
        finish_slot(r, slot);
        shm_span_sweep(r, slot); /* only now: the undo log may lie in claimed spans */
        quiet_slot(r, slot);
    }
    pthread_mutex_unlock(&j->recover);
    return same;
}

void
shm_recover_all(struct shm_region *r)
{
    for (unsigned slot = 0; slot < r->nslots; slot++) {
        finish_slot(r, slot);
        quiet_slot(r, slot);
    }
    shm_span_sweep(r, SHM_SPAN_SWEEP_ALL); /* once: it looks at every span */
    shm_mail_reset(r);
    for (unsigned shard = 0; shard < r->nshards; shard++) {
        struct shm_shard_sh *s = &r->shards[shard];
        atomic_store(&s->faults, 0);
        if (!shm_check_heads(r, shard))
            switch_off(r, shard);
        else if (atomic_load(&s->state) == SHM_SHARD_READONLY)
            atomic_store(&s->state, SHM_SHARD_ON); /* another try; what is OFF stays so, its structure is unknown */
    }
}
