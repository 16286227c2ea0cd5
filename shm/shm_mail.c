/* shm_mail.c - mailboxes (see shm_mail.h for the idea, the order and the deaths).
 *
 * In the ring: a header and the bytes, each message padded to 8. Positions count bytes and never wrap; place p % SHM_MAIL_BYTES.
 * The sender writes between head and tail + SHM_MAIL_BYTES, which nobody reads; the receiver reads between tail and head, which
 * nobody writes.
 *
 * In private memory: what was handed over, one message behind the other: struct draft, its copies, bytes. Long bytes are copied
 * into spans before the lock is taken, once for each receiver.
 */
#include "shm/shm_mail.h"

#include <stdlib.h>

#include "base/apart.h"
#include "shm/shm_crash.h"
#include "shm/shm_lock.h"
#include "shm/shm_span.h"
#include "shm/shm_spill.h"

struct letter_sh {
    uint32_t length;
    uint16_t kind, from;
    uint64_t spill;
};

struct draft {
    uint32_t length;
    uint16_t kind, copies;
    uint64_t full;
};

struct copy {
    struct shm_mail_address to;
    shm_off spill;
};

/* A box that the commit puts something in. */
struct receiver {
    unsigned slot;
    uint64_t head, looks; /* where its head is going to be; kinds to look at */
};

struct store {
    shm_off word;
    uint64_t value;
};

struct shm_outbox {
    char *drafts;
    size_t len, cap;
    bool failed; /* no private memory: the commit refuses */
    unsigned nreceivers, nstores; /* of the commit under way */
    struct receiver receiver[SHM_SLOTS_MAX];
    struct store store[2 * SHM_SLOTS_MAX];
};

static size_t
pad8(size_t n)
{
    return (n + 7) / 8 * 8;
}

static size_t
ring_bytes(size_t length)
{
    return sizeof(struct letter_sh) + (length <= SHM_MAIL_INLINE ? pad8(length) : 0);
}

static struct shm_mailbox_sh *
box_of(const struct shm_region *r, unsigned slot)
{
    xassert(slot < r->nslots);
    return &r->mailboxes[slot];
}

/* ---- the ring's bytes --------------------------------------------------------------------------------------------- */

static void
ring_write(struct shm_mailbox_sh *box, uint64_t pos, const void *bytes, size_t n)
{
    size_t from = pos % SHM_MAIL_BYTES, first = n < SHM_MAIL_BYTES - from ? n : SHM_MAIL_BYTES - from;
    SHM_POINT();
    memcpy(box->bytes + from, bytes, first);
    memcpy(box->bytes, (const char *)bytes + first, n - first);
}

static void
ring_read(const struct shm_mailbox_sh *box, uint64_t pos, void *out, size_t n)
{
    size_t from = pos % SHM_MAIL_BYTES, first = n < SHM_MAIL_BYTES - from ? n : SHM_MAIL_BYTES - from;
    memcpy(out, box->bytes + from, first);
    memcpy((char *)out + first, box->bytes, n - first);
}

/* ---- handing over --------------------------------------------------------------------------------------------------- */

/* Room behind the drafts; NULL: the commit will refuse. */
static char *
reserve(struct shm_tx *tx, size_t n)
{
    if (!tx->outbox)
        tx->outbox = calloc(1, sizeof *tx->outbox);
    struct shm_outbox *o = tx->outbox;
    if (!o) {
        tx->want = SHM_WANT_HEAP;
        return NULL;
    }
    if (o->len + n > o->cap) {
        size_t cap = o->len + n > 2 * o->cap ? o->len + n : 2 * o->cap;
        char *more = realloc(o->drafts, cap);
        if (!more) {
            o->failed = true;
            return NULL;
        }
        o->drafts = more;
        o->cap = cap;
    }
    return o->drafts + o->len;
}

void
shm_mail_send(struct shm_tx *tx, const struct shm_mail_address *to, unsigned n, unsigned kind, enum shm_mail_full full,
    const char *bytes, size_t len)
{
    const struct draft d = {.length = (uint32_t)len, .kind = (uint16_t)kind, .copies = (uint16_t)n, .full = full};
    size_t all = sizeof d + n * sizeof(struct copy) + pad8(len);
    xassert(tx->active && kind < SHM_MAIL_KINDS && n <= SHM_SLOTS_MAX && len <= UINT32_MAX);
    xassert(full == SHM_MAIL_PARK || len <= SHM_MAIL_INLINE);
    char *at = reserve(tx, all);
    if (!at)
        return;
    memcpy(at, &d, sizeof d);
    at += sizeof d;
    for (unsigned i = 0; i < n; i++, at += sizeof(struct copy))
        memcpy(at, &(struct copy){.to = to[i]}, sizeof(struct copy));
    memcpy(at, bytes, len);
    tx->outbox->len += all;
}

size_t
shm_mail_mark(const struct shm_tx *tx)
{
    return tx->outbox ? tx->outbox->len : 0;
}

void
shm_mail_rewind(struct shm_tx *tx, size_t mark)
{
    if (!tx->outbox)
        return;
    tx->outbox->len = mark;
    tx->outbox->nreceivers = tx->outbox->nstores = 0;
    tx->outbox->failed = false;
}

void
shm_mail_forget(struct shm_tx *tx)
{
    if (tx->outbox)
        free(tx->outbox->drafts);
    free(tx->outbox);
    tx->outbox = NULL;
}

/* ---- the commit ------------------------------------------------------------------------------------------------------- */

/* Calls fn for each copy of each message, until one fails. */
static bool
each_copy(struct shm_tx *tx, bool (*fn)(struct shm_tx *tx, const struct draft *d, struct copy *c, const char *bytes))
{
    const struct shm_outbox *o = tx->outbox;
    for (size_t at = 0; at < o->len;) {
        const struct draft *d = (const struct draft *)(const void *)(o->drafts + at);
        struct copy *copies = (struct copy *)(void *)(o->drafts + at + sizeof *d);
        const char *bytes = (const char *)(copies + d->copies);
        for (unsigned i = 0; i < d->copies; i++)
            if (!fn(tx, d, &copies[i], bytes))
                return false;
        at = (size_t)(bytes - o->drafts) + pad8(d->length);
    }
    return true;
}

static bool
is_there(const struct shm_region *r, const struct shm_mail_address *to)
{
    return to->generation != 0 && atomic_load(&box_of(r, to->slot)->reader) == to->generation;
}

/* Before the lock: it may take long. */
static bool
spill_copy(struct shm_tx *tx, const struct draft *d, struct copy *c, const char *bytes)
{
    c->spill = 0;
    if (d->length <= SHM_MAIL_INLINE || !is_there(tx->region, &c->to))
        return true;
    return shm_spill_write(tx, bytes, d->length, (uint16_t)(SHM_MAIL_OWNER + c->to.slot), &c->spill);
}

static struct receiver *
receiver_of(struct shm_tx *tx, unsigned slot)
{
    struct shm_outbox *o = tx->outbox;
    for (unsigned i = 0; i < o->nreceivers; i++)
        if (o->receiver[i].slot == slot)
            return &o->receiver[i];
    struct receiver *it = &o->receiver[o->nreceivers++];
    *it = (struct receiver){.slot = slot, .head = atomic_load_explicit(&box_of(tx->region, slot)->head, memory_order_relaxed)};
    return it;
}

/* Under the lock. False: tx->want. */
static bool
put_copy(struct shm_tx *tx, const struct draft *d, struct copy *c, const char *bytes)
{
    struct shm_mailbox_sh *box = box_of(tx->region, c->to.slot);
    const struct letter_sh letter = {.length = d->length, .kind = d->kind, .from = (uint16_t)tx->slot, .spill = c->spill};
    if (!is_there(tx->region, &c->to)) {
        shm_spill_drop(tx, c->spill);
        return true;
    }
    struct receiver *it = receiver_of(tx, c->to.slot);
    uint64_t end = it->head + ring_bytes(d->length);
    /* pairs with the release store of the tail: what the reader copied is copied */
    if (end - atomic_load_explicit(&box->tail, memory_order_acquire) > SHM_MAIL_BYTES) {
        if (d->full == SHM_MAIL_PARK)
            tx->want = SHM_WANT_MAIL;
        it->looks |= 1ull << d->kind;
        return d->full == SHM_MAIL_LOOK;
    }
    ring_write(box, it->head, &letter, sizeof letter);
    if (!letter.spill)
        ring_write(box, it->head + sizeof letter, bytes, d->length);
    it->head = end;
    return true;
}

/* What makes a receiver see what was put into its box. */
static void
plan_stores(struct shm_tx *tx)
{
    struct shm_outbox *o = tx->outbox;
    for (unsigned i = 0; i < o->nreceivers; i++) {
        const struct receiver *it = &o->receiver[i];
        struct shm_mailbox_sh *box = box_of(tx->region, it->slot);
        o->store[o->nstores++] = (struct store){shm_off_of(tx->region, &box->head), it->head};
        /* the reader may clear bits meanwhile: then it looks once more than it need */
        if (it->looks)
            o->store[o->nstores++] = (struct store){shm_off_of(tx->region, &box->look), atomic_load(&box->look) | it->looks};
    }
}

APART bool
shm_mail_put(struct shm_tx *tx)
{
    struct shm_outbox *o = tx->outbox;
    if (o->len == 0 && !o->failed)
        return true;
    if (o->failed) {
        tx->want = SHM_WANT_HEAP;
        return false;
    }
    if (!each_copy(tx, spill_copy))
        return false;
    shm_tx_enter(tx, &(uint16_t){shm_registry_id(tx->region, SHM_REG_MAIL)}, 1);
    if (tx->want != SHM_WANT_NOTHING || !each_copy(tx, put_copy))
        return false;
    plan_stores(tx);
    return true;
}

bool
shm_mail_store(const struct shm_tx *tx, unsigned i, shm_off *word, uint64_t *value)
{
    const struct shm_outbox *o = tx->outbox;
    if (!o || i >= o->nstores)
        return false;
    *word = o->store[i].word;
    *value = o->store[i].value;
    return true;
}

APART void
shm_mail_wake(struct shm_tx *tx)
{
    const struct shm_outbox *o = tx->outbox;
    struct shm_region *r = tx->region;
    if (o->nreceivers == 0)
        return;
    SHM_RACE_POINT(); /* between the message and the look at the sleeper */
    atomic_thread_fence(memory_order_seq_cst); /* pairs with shm_mail_sleep's */
    for (unsigned i = 0; i < o->nreceivers && r->wake; i++)
        if (atomic_load(&r->slots[o->receiver[i].slot].sleeping))
            r->wake(r->wake_arg, o->receiver[i].slot);
}

/* ---- receiving ---------------------------------------------------------------------------------------------------------- */

static void
set_reader(struct shm_region *r, unsigned slot, uint32_t generation)
{
    unsigned id = shm_registry_id(r, SHM_REG_MAIL);
    shm_lock_take(r, slot, id);
    atomic_store(&box_of(r, slot)->reader, generation);
    SHM_POINT();
    shm_lock_drop(r, id);
}

void
shm_mail_open(struct shm_region *r, unsigned slot)
{
    const struct shm_mailbox_sh *box = box_of(r, slot);
    xassert(atomic_load(&box->reader) == 0 && atomic_load(&box->head) == atomic_load(&box->tail));
    set_reader(r, slot, atomic_load(&r->slots[slot].generation));
}

struct shm_mail_address
shm_mail_address(const struct shm_region *r, unsigned slot)
{
    return (struct shm_mail_address){.slot = (uint16_t)slot, .generation = atomic_load(&box_of(r, slot)->reader)};
}

bool
shm_mail_next(const struct shm_region *r, unsigned slot, struct shm_letter *letter)
{
    const struct shm_mailbox_sh *box = box_of(r, slot);
    struct letter_sh head;
    uint64_t tail = atomic_load_explicit(&box->tail, memory_order_relaxed);
    /* pairs with the release store of the redo item: what lies before the head is whole */
    uint64_t n = atomic_load_explicit(&box->head, memory_order_acquire) - tail;
    if (n == 0)
        return false;
    xassert(n >= sizeof head && n <= SHM_MAIL_BYTES);
    ring_read(box, tail, &head, sizeof head);
    xassert(ring_bytes(head.length) <= n);
    *letter = (struct shm_letter){.length = head.length, .kind = head.kind, .from = head.from, .spill = head.spill};
    return true;
}

void
shm_mail_read(const struct shm_region *r, unsigned slot, const struct shm_letter *letter, char *out)
{
    const struct shm_mailbox_sh *box = box_of(r, slot);
    if (letter->spill)
        shm_spill_read(r, letter->spill, letter->length, out);
    else
        ring_read(box, atomic_load_explicit(&box->tail, memory_order_relaxed) + sizeof(struct letter_sh), out, letter->length);
}

/* Frees one of the slot's spans with mail. */
static void
free_span(struct shm_region *r, unsigned slot, uint64_t span)
{
    uint64_t word = atomic_load(&r->span_words[span]);
    xassert(shm_span_word_state(word) == SHM_SPAN_USED && shm_span_word_owner(word) == SHM_MAIL_OWNER + slot);
    shm_span_swap(r, span, word, shm_span_word(shm_span_word_generation(word) + 1, 0, 0, SHM_SPAN_FREE));
}

void
shm_mail_take(struct shm_region *r, unsigned slot, const struct shm_letter *letter)
{
    struct shm_mailbox_sh *box = box_of(r, slot);
    uint64_t next, tail = atomic_load_explicit(&box->tail, memory_order_relaxed);
    for (shm_off at = letter->spill; at; at = next) {
        memcpy(&next, shm_at(r, at), sizeof next);
        free_span(r, slot, shm_span_of(r, at));
    }
    SHM_POINT();
    /* last: whoever closes the box of a dead reader looks for spans only if something is left in it */
    atomic_store_explicit(&box->tail, tail + ring_bytes(letter->length), memory_order_release);
    SHM_POINT();
}

uint64_t
shm_mail_looks(struct shm_region *r, unsigned slot)
{
    return atomic_exchange(&box_of(r, slot)->look, 0);
}

bool
shm_mail_sleep(struct shm_region *r, unsigned slot)
{
    const struct shm_mailbox_sh *box = box_of(r, slot);
    atomic_store(&r->slots[slot].sleeping, 1);
    atomic_thread_fence(memory_order_seq_cst); /* pairs with shm_mail_wake's */
    SHM_RACE_POINT();
    if (atomic_load(&box->head) == atomic_load(&box->tail) && atomic_load(&box->look) == 0)
        return true;
    shm_mail_woken(r, slot);
    return false;
}

void
shm_mail_woken(struct shm_region *r, unsigned slot)
{
    atomic_store_explicit(&r->slots[slot].sleeping, 0, memory_order_relaxed);
}

/* ---- the end of a reader -------------------------------------------------------------------------------------------------- */

/* Frees the spans with mail of one slot (or of all). O(spans). */
static void
sweep(struct shm_region *r, unsigned slot, bool all)
{
    uint64_t end = atomic_load(&r->header->committed_extents) * SHM_SPANS_PER_EXTENT;
    for (uint64_t span = 0; span < end; span++) {
        uint64_t word = atomic_load_explicit(&r->span_words[span], memory_order_relaxed);
        unsigned owner = shm_span_word_owner(word);
        if (shm_span_word_state(word) == SHM_SPAN_USED && (all ? shm_spill_is_mail((uint16_t)owner) : owner == SHM_MAIL_OWNER + slot))
            free_span(r, owner - SHM_MAIL_OWNER, span);
    }
}

/* Nothing comes any more: the lock was passed over, or nobody is there. */
static void
empty(struct shm_region *r, unsigned slot, bool all)
{
    struct shm_mailbox_sh *box = box_of(r, slot);
    if (atomic_load(&box->head) != atomic_load(&box->tail))
        sweep(r, slot, all);
    atomic_store(&box->look, 0);
    SHM_POINT();
    atomic_store(&box->tail, atomic_load(&box->head)); /* last: who dies before it leaves a box to be emptied */
    SHM_POINT();
}

void
shm_mail_close(struct shm_region *r, unsigned slot)
{
    set_reader(r, slot, 0);
    empty(r, slot, false);
}

void
shm_mail_reset(struct shm_region *r)
{
    for (unsigned slot = 0; slot < r->nslots; slot++) {
        atomic_store(&box_of(r, slot)->reader, 0);
        empty(r, slot, true);
    }
}

/* ---- the check -------------------------------------------------------------------------------------------------------------- */

/* Walks the messages of a box; a reader or sender at work can make it see anything, so nothing is followed unchecked. Calls
 * fn for each; it says whether to go on. False: the walk came to something that is no message. */
static bool
walk(const struct shm_region *r, unsigned slot, bool (*fn)(const struct shm_region *r, const struct letter_sh *l, void *arg), void *arg)
{
    const struct shm_mailbox_sh *box = box_of(r, slot);
    uint64_t tail = atomic_load(&box->tail), left = atomic_load(&box->head) - tail;
    while (left > 0 && left <= SHM_MAIL_BYTES) {
        struct letter_sh l;
        ring_read(box, tail, &l, sizeof l);
        uint64_t n = ring_bytes(l.length);
        if (n > left || (l.spill != 0) != (l.length > SHM_MAIL_INLINE))
            return false;
        if (!fn(r, &l, arg))
            return true;
        tail += n;
        left -= n;
    }
    return left == 0;
}

struct holds {
    uint64_t span;
    bool found;
};

static bool
chain_has(const struct shm_region *r, const struct letter_sh *l, void *arg)
{
    struct holds *h = arg;
    uint64_t spans = atomic_load(&r->header->committed_extents) * SHM_SPANS_PER_EXTENT, next;
    shm_off at = l->spill;
    for (uint64_t i = 0; at && i <= l->length / (SHM_SPAN_BYTES - SHM_SPILL_HEADER) && !h->found; i++, at = next) {
        if (at < r->header->off_extents || shm_span_of(r, at) >= spans || shm_span_off(r, shm_span_of(r, at)) != at)
            return true; /* taken meanwhile; or damaged, and then the span has nobody who holds it */
        h->found = shm_span_of(r, at) == h->span;
        memcpy(&next, shm_at(r, at), sizeof next);
    }
    return !h->found;
}

static bool
any(const struct shm_region *r, const struct letter_sh *l, void *arg)
{
    (void)r;
    (void)l;
    (void)arg;
    return true;
}

const char *
shm_mail_check(const struct shm_region *r, unsigned slot)
{
    return walk(r, slot, any, NULL) ? NULL : "its head and tail do not enclose whole messages";
}

bool
shm_mail_holds(const struct shm_region *r, unsigned slot, uint64_t span)
{
    struct holds h = {.span = span};
    walk(r, slot, chain_has, &h);
    return h.found;
}
