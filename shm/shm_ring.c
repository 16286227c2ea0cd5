/* shm_ring.c - switching the log on, and reading it in the order of tickets (see shm_ring.h; writing is shm_tx_commit).
 *
 * Process: the persister (or a test) reads. Locks: none to read; the switch passes over all shard locks once.
 * Crash: a reader's death leaves the tail where it was: its successor reads the records again.
 */
#include "shm/shm_ring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "shm/shm_crash.h"
#include "shm/shm_lock.h"
#include "shm/shm_span.h"
#include "shm/shm_spill.h"

bool
shm_ring_switch(struct shm_region *r, unsigned slot, bool on, struct shm_error *e)
{
    const struct shm_header_sh *h = r->header;
    uint64_t bytes = (uint64_t)h->slots * sizeof(struct shm_ring_sh);
    if (on && fallocate(r->fd, 0, (off_t)h->off_rings, (off_t)bytes) != 0) {
        snprintf(e->text, sizeof e->text, "cannot get %lu bytes for the log rings in %s: %s", (unsigned long)bytes, r->path,
            strerror(errno));
        return false;
    }
    if (on)
        atomic_fetch_or(&r->header->mode, 1ull << SHM_MODE_LOG_SHIFT);
    else
        atomic_fetch_and(&r->header->mode, ~SHM_MODE_LOG_MASK);
    for (unsigned id = 0; id < r->nshards; id++) { /* whoever was inside has left, whoever comes sees the mode */
        shm_lock_take(r, slot, id);
        shm_lock_drop(r, id);
    }
    return true;
}

/* Looks for the ticket at the front of a ring. */
static bool
find_front(struct shm_region *r, uint64_t ticket, unsigned *ring, const struct shm_record_sh **record)
{
    for (unsigned i = 0; i < r->nslots; i++) {
        struct shm_ring_sh *q = &r->rings[i];
        uint64_t tail = atomic_load_explicit(&q->tail, memory_order_relaxed);
        if (atomic_load_explicit(&q->head, memory_order_acquire) == tail)
            continue;
        const struct shm_record_sh *front = &q->record[tail % SHM_RING_SLOTS];
        if (front->ticket == ticket) {
            *ring = i;
            *record = front;
            return true;
        }
    }
    return false;
}

/* May a transaction in flight still publish this ticket? */
static bool
may_come(const struct shm_region *r, uint64_t ticket)
{
    for (unsigned i = 0; i < r->nslots; i++) {
        const struct shm_journal_sh *j = shm_region_journal(r, i);
        if (atomic_load(&j->state) != SHM_JOURNAL_ACTIVE || atomic_load(&j->floor) > ticket)
            continue;
        uint64_t drawn = atomic_load(&j->ticket);
        if (drawn == 0 || drawn == ticket)
            return true;
    }
    return false;
}

enum shm_ring_result
shm_ring_next(struct shm_region *r, uint64_t *expected, unsigned *ring, const struct shm_record_sh **record)
{
    if (find_front(r, *expected, ring, record))
        return SHM_RING_RECORD;
    SHM_RACE_POINT();
    if (atomic_load(&r->header->ticket) <= *expected)
        return SHM_RING_EMPTY;
    SHM_RACE_POINT(); /* between counter and slots */
    if (may_come(r, *expected))
        return SHM_RING_WAIT;
    SHM_RACE_POINT(); /* between slots and heads */
    if (find_front(r, *expected, ring, record)) /* published between the first look and the slots' */
        return SHM_RING_RECORD;
    ++*expected;
    return SHM_RING_HOLE;
}

void
shm_ring_payload(const struct shm_region *r, const struct shm_record_sh *record, char *out)
{
    if (!record->spill) {
        memcpy(out, record->payload, record->length);
        return;
    }
    shm_spill_read(r, record->spill, record->length, out);
}

bool
shm_ring_take(struct shm_region *r, unsigned ring, uint64_t *expected)
{
    struct shm_ring_sh *q = &r->rings[ring];
    uint64_t tail = atomic_load_explicit(&q->tail, memory_order_relaxed);
    struct shm_record_sh *front = &q->record[tail % SHM_RING_SLOTS];
    while (front->spill) {
        uint64_t span = shm_span_of(r, front->spill), next, word = atomic_load(&r->span_words[span]);
        if (shm_span_word_state(word) != SHM_SPAN_USED)
            return false;
        memcpy(&next, shm_at(r, front->spill), 8);
        front->spill = next;
        shm_span_swap(r, span, word, shm_span_word(shm_span_word_generation(word) + 1, 0, 0, SHM_SPAN_FREE));
    }
    atomic_store_explicit(&q->tail, tail + 1, memory_order_release);
    ++*expected;
    return true;
}
