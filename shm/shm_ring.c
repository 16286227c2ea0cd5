/* shm_ring.c - switching the log on, reading it in the order of tickets, giving its room back (see shm_ring.h; writing is
 * shm_tx_commit).
 *
 * A spill span is freed in three stores: a note of it in the ring (its number, its exact word, the next of its chain), the record's
 * chain without it, the compare-and-swap of its word. Whoever takes over after a death repeats the last two from the note: the
 * word's generation makes a repeated swap fail. So nothing leaks, and nothing is freed twice.
 *
 * Process: the persister (or a test) reads. Locks: none to read; the switch passes over all shard locks once.
 * Crash: a reader's death leaves tails and note where they were: its successor reads the records again.
 * Fails: a record that makes no sense is an assert: what writes it is this program.
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
shm_ring_commit(struct shm_region *r, unsigned slots, struct shm_error *e)
{
    struct shm_header_sh *h = r->header;
    uint64_t bytes = (uint64_t)slots * sizeof(struct shm_ring_sh);
    xassert(slots <= r->nslots);
    if (slots <= atomic_load(&h->ring_slots))
        return true;
    if (fallocate(r->fd, 0, (off_t)h->off_rings, (off_t)bytes) != 0) {
        snprintf(e->text, sizeof e->text, "cannot get %lu bytes for the log rings in %s: %s", (unsigned long)bytes, r->path,
            strerror(errno));
        return false;
    }
    atomic_store(&h->ring_slots, slots);
    return true;
}

bool
shm_ring_switch_alone(struct shm_region *r, unsigned slots, struct shm_error *e)
{
    if (!shm_ring_commit(r, slots, e))
        return false;
    atomic_fetch_or(&r->header->mode, 1ull << SHM_MODE_LOG_SHIFT);
    return true;
}

bool
shm_ring_switch(struct shm_region *r, unsigned slot, bool on, struct shm_error *e)
{
    unsigned have = atomic_load(&r->header->ring_slots);
    if (on && !shm_ring_switch_alone(r, have ? have : r->nslots, e))
        return false;
    if (!on)
        atomic_fetch_and(&r->header->mode, ~SHM_MODE_LOG_MASK);
    SHM_POINT();
    for (unsigned id = 0; id < r->nshards; id++) { /* whoever was inside has left, whoever comes sees the mode */
        shm_lock_take(r, slot, id);
        shm_lock_drop(r, id);
    }
    return true;
}

/* ---- giving room back -------------------------------------------------------------------------------------------------------- */

/* The last two stores of freeing the span that is noted in the ring, and the note's end. */
static void
free_noted(struct shm_region *r, struct shm_ring_sh *ring)
{
    uint64_t span = atomic_load(&ring->freeing) - 1, word = ring->freeing_word;
    struct shm_record_sh *front = shm_ring_record(ring, atomic_load(&ring->tail));
    if (front->spill == shm_span_off(r, span))
        front->spill = ring->freeing_next;
    SHM_POINT();
    shm_span_swap(r, span, word, shm_span_word(shm_span_word_generation(word) + 1, 0, 0, SHM_SPAN_FREE));
    atomic_store_explicit(&ring->freeing, 0, memory_order_release);
    SHM_POINT();
}

/* Frees the chain of the ring's front record; false: a span is not published yet. */
static bool
free_spill(struct shm_region *r, struct shm_ring_sh *ring)
{
    const struct shm_record_sh *front = shm_ring_record(ring, atomic_load(&ring->tail));
    while (front->spill) {
        uint64_t span = shm_span_of(r, front->spill), word = atomic_load(&r->span_words[span]);
        if (shm_span_word_state(word) != SHM_SPAN_USED)
            return false;
        xassert(shm_span_word_owner(word) == SHM_SPILL_OWNER);
        ring->freeing_word = word;
        memcpy(&ring->freeing_next, shm_at(r, front->spill), 8);
        SHM_POINT();
        atomic_store_explicit(&ring->freeing, span + 1, memory_order_release);
        SHM_POINT();
        free_noted(r, ring);
    }
    return true;
}

static void
move_tail(struct shm_ring_sh *ring, uint64_t to)
{
    SHM_POINT();
    atomic_store_explicit(&ring->tail, to, memory_order_release);
    SHM_POINT();
}

/* Record by record, up to a position. False: a span is not published yet. */
static bool
release_records(struct shm_region *r, struct shm_ring_sh *ring, uint64_t to)
{
    for (uint64_t tail; (tail = atomic_load_explicit(&ring->tail, memory_order_relaxed)) != to;) {
        if (!free_spill(r, ring))
            return false;
        move_tail(ring, tail + shm_ring_units(shm_ring_record(ring, tail)->length));
    }
    return true;
}

bool
shm_ring_release(struct shm_ring_reader *q, const uint64_t to[SHM_SLOTS_MAX], bool spilled)
{
    for (unsigned i = 0; i < q->slots; i++) {
        struct shm_ring_sh *ring = &q->region->rings[i];
        if ((int64_t)(to[i] - atomic_load_explicit(&ring->tail, memory_order_relaxed)) <= 0)
            continue; /* released already */
        if (!spilled)
            move_tail(ring, to[i]);
        else if (!release_records(q->region, ring, to[i]))
            return false;
    }
    return true;
}

/* ---- reading ------------------------------------------------------------------------------------------------------------------ */

/* Drops what is older than `expected` from the ring's front. A span of it that is not published yet belongs to a process that has
 * passed its commit point: it or its heir publishes it in a moment. */
static void
drop_older(struct shm_region *r, struct shm_ring_sh *ring, uint64_t expected)
{
    uint64_t to = atomic_load(&ring->tail), head = atomic_load_explicit(&ring->head, memory_order_acquire);
    while (to != head && shm_ring_record(ring, to)->ticket < expected)
        to += shm_ring_units(shm_ring_record(ring, to)->length);
    while (!release_records(r, ring, to))
        shm_region_progress(r);
}

void
shm_ring_open(struct shm_ring_reader *q, struct shm_region *r, uint64_t expected)
{
    *q = (struct shm_ring_reader){.region = r, .expected = expected, .slots = atomic_load(&r->header->ring_slots)};
    for (unsigned i = 0; i < q->slots; i++) {
        struct shm_ring_sh *ring = &r->rings[i];
        if (atomic_load(&ring->freeing))
            free_noted(r, ring);
        drop_older(r, ring, expected);
        q->cursor[i] = q->head[i] = atomic_load(&ring->tail);
    }
}

/* Is the record of the expected ticket the first of this ring? */
static bool
is_front(struct shm_ring_reader *q, unsigned i, const struct shm_record_sh **record)
{
    const struct shm_ring_sh *ring = &q->region->rings[i];
    if (q->head[i] == q->cursor[i]) {
        q->head[i] = atomic_load_explicit(&ring->head, memory_order_acquire);
        if (q->head[i] == q->cursor[i])
            return false;
    }
    *record = shm_ring_record(ring, q->cursor[i]);
    return (*record)->ticket == q->expected;
}

static bool
find_front(struct shm_ring_reader *q, const struct shm_record_sh **record)
{
    if (is_front(q, q->at, record)) /* records of one process often follow each other */
        return true;
    for (unsigned i = 0; i < q->slots; i++) {
        if (!is_front(q, i, record))
            continue;
        q->at = i;
        return true;
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
shm_ring_next(struct shm_ring_reader *q, const struct shm_record_sh **record)
{
    const struct shm_region *r = q->region;
    if (find_front(q, record))
        return SHM_RING_RECORD;
    SHM_RACE_POINT();
    if (atomic_load(&r->header->ticket) <= q->expected)
        return SHM_RING_EMPTY;
    SHM_RACE_POINT(); /* between counter and slots */
    if (may_come(r, q->expected))
        return SHM_RING_WAIT;
    SHM_RACE_POINT(); /* between slots and heads */
    if (find_front(q, record)) /* published between the first look and the slots' */
        return SHM_RING_RECORD;
    q->expected++;
    return SHM_RING_HOLE;
}

void
shm_ring_pass(struct shm_ring_reader *q)
{
    const struct shm_record_sh *record = shm_ring_record(&q->region->rings[q->at], q->cursor[q->at]);
    xassert(record->ticket == q->expected);
    q->spilled |= record->spill != 0;
    q->cursor[q->at] += shm_ring_units(record->length);
    q->expected++;
}

const char *
shm_ring_payload(const struct shm_ring_reader *q, const struct shm_record_sh *record, struct buf *room)
{
    const struct shm_ring_sh *ring = &q->region->rings[q->at];
    size_t first = (q->cursor[q->at] + 1) % SHM_RING_UNITS, straight = (SHM_RING_UNITS - first) * SHM_RING_UNIT;
    if (!record->spill && record->length <= straight)
        return ring->unit[first];
    buf_clear(room, SIZE_MAX);
    if (!buf_reserve(room, record->length))
        return NULL;
    if (record->spill) {
        shm_spill_read(q->region, record->spill, record->length, room->data);
    } else {
        memcpy(room->data, ring->unit[first], straight);
        memcpy(room->data + straight, ring->unit[0], record->length - straight);
    }
    return room->data;
}
