/* clients.c - the records of clients (see clients.h).
 *
 * Spans of records form a list that hangs on the slot; a new span is whole before it is put at the head. A reader copies a
 * record between two looks at its sequence, and then looks whether the span is still the slot's. A record whose owner lost the
 * processor in the middle of a change is waited for: a client that is left out would not be killed by CLIENT KILL. Lists are
 * walked with a bound, since the slot's owner may die and another begin a new one.
 */
#include "command/clients.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"
#include "command/control.h"
#include "shm/shm_proc.h"
#include "shm/shm_span.h"

#define SPINS 100       /* a change takes some nanoseconds */
#define WAIT_NS 100000  /* behind them, for an owner that does not run */
#define WAITS_MAX 2000  /* 200 ms: one that was stopped is not waited for any longer */
#define CHAIN_MAX 4096 /* spans of one slot that a reader follows */

/* ---- the worker's side ------------------------------------------------------------------------------------------------ */

static struct client_sh *
find_free(struct engine *e)
{
    uint64_t off = atomic_load(&e->region->slots[e->slot].own_spans);
    for (; off; off = atomic_load(&((struct clients_span_sh *)shm_at(e->region, off))->own.next)) {
        struct clients_span_sh *span = shm_at(e->region, off);
        for (size_t i = 0; i < CLIENTS_PER_SPAN; i++)
            if (atomic_load_explicit(&span->client[i].id, memory_order_relaxed) == 0)
                return &span->client[i];
    }
    return NULL;
}

/* One more span of records at the head of the slot's list. */
static bool
grow(struct engine *e)
{
    uint64_t word, rover = e->slot, number = shm_span_claim(e->region, e->slot, SHM_CLASS_WHOLE, &rover, &word);
    if (number == UINT64_MAX)
        return false;
    shm_off off = shm_span_off(e->region, number);
    struct clients_span_sh *span = shm_at(e->region, off);
    memset(span, 0, SHM_SPAN_BYTES);
    span->own.magic = CLIENTS_MAGIC;
    span->own.slot = e->slot;
    atomic_store(&span->own.next, atomic_load(&e->region->slots[e->slot].own_spans));
    atomic_store(&e->region->slots[e->slot].own_spans, off);
    return true;
}

static void
begin_change(struct client_sh *r)
{
    atomic_store_explicit(&r->seq, atomic_load_explicit(&r->seq, memory_order_relaxed) + 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release); /* odd before the change; pairs with copy_record's acquire */
}

static void
end_change(struct client_sh *r)
{
    atomic_store_explicit(&r->seq, atomic_load_explicit(&r->seq, memory_order_relaxed) + 1, memory_order_release);
}

static void
put_text(char *to, size_t room, const char *from)
{
    size_t n = from ? strnlen(from, room - 1) : 0;
    if (n > 0)
        memcpy(to, from, n);
    memset(to + n, 0, room - n);
}

bool
clients_have_room(struct engine *e)
{
    return find_free(e) || grow(e);
}

bool
clients_add(struct engine *e, struct session *s)
{
    struct client_sh *r = clients_have_room(e) ? find_free(e) : NULL;
    if (!r)
        return false;
    s->record = r;
    s->created_ms = s->last_ms = clock_wall_ms();
    atomic_store(&r->kill, 0);
    begin_change(r);
    atomic_store_explicit(&r->id, s->id, memory_order_relaxed);
    r->created_ms = s->created_ms;
    r->fd = (uint32_t)s->fd;
    put_text(r->peer, sizeof r->peer, s->peer);
    put_text(r->local, sizeof r->local, s->local);
    r->in_bytes = r->in_free = r->out_bytes = r->memory = 0;
    end_change(r);
    clients_update(e, s);
    return true;
}

void
clients_remove(struct engine *e, struct session *s)
{
    if (s->flags & SESSION_MONITOR)
        monitor_stop(e, s);
    begin_change(s->record);
    atomic_store_explicit(&s->record->id, 0, memory_order_relaxed);
    end_change(s->record);
}

void
clients_update(struct engine *e, struct session *s)
{
    struct client_sh *r = s->record;
    (void)e;
    begin_change(r);
    r->active_ms = s->last_ms;
    r->db = s->db;
    r->flags = s->flags;
    r->resp = (uint32_t)s->resp;
    r->in_bytes = s->in_bytes;
    r->in_free = s->in_free;
    r->out_bytes = s->out_bytes;
    r->memory = s->memory;
    put_text(r->command, sizeof r->command, s->last_command ? s->last_command : "NULL");
    put_text(r->user, sizeof r->user, s->user ? s->user : "default");
    put_text(r->name, sizeof r->name, s->name);
    end_change(r);
}

/* ---- everybody's side --------------------------------------------------------------------------------------------------- */

static bool
try_copy(const struct client_sh *r, struct client_sh *copy)
{
    uint64_t before = atomic_load_explicit(&r->seq, memory_order_acquire);
    if (before & 1)
        return false;
    memcpy(copy, (const void *)r, sizeof *copy);
    atomic_thread_fence(memory_order_acquire);
    return atomic_load_explicit(&r->seq, memory_order_relaxed) == before;
}

/* A whole copy of a record of a slot's worker; false if it is free, or the worker died or stands still in the middle of a change. */
static bool
copy_record(const struct engine *e, unsigned slot, const struct client_sh *r, struct client_sh *copy)
{
    bool ok = false;
    for (int i = 0; !ok && i < SPINS; i++)
        ok = try_copy(r, copy);
    for (int i = 0; !ok && i < WAITS_MAX && !shm_proc_is_dead(e->region, slot); i++) {
        nanosleep(&(struct timespec){.tv_nsec = WAIT_NS}, NULL);
        ok = try_copy(r, copy);
    }
    return ok && atomic_load_explicit(&copy->id, memory_order_relaxed) != 0;
}

struct views {
    struct client_view *view;
    size_t n, cap;
};

static bool
add_view(struct views *v, const struct client_sh *copy, struct client_sh *record, unsigned worker)
{
    if (v->n == v->cap) {
        size_t cap = v->cap ? v->cap * 2 : 64;
        struct client_view *more = realloc(v->view, cap * sizeof *more);
        if (!more)
            return false;
        v->view = more;
        v->cap = cap;
    }
    v->view[v->n++] = (struct client_view){.copy = *copy, .record = record, .worker = worker};
    return true;
}

/* The records of one span, as long as it stays the slot's. False: no private memory. */
static bool
add_span(struct engine *e, struct views *v, unsigned slot, shm_off off, uint64_t *next)
{
    uint64_t number = shm_span_of(e->region, off), word = atomic_load(&e->region->span_words[number]);
    struct clients_span_sh *span = shm_at(e->region, off);
    size_t mark = v->n;
    *next = 0;
    if (shm_span_word_state(word) != SHM_SPAN_CLAIMED || shm_span_word_owner(word) != slot || span->own.magic != CLIENTS_MAGIC)
        return true;
    *next = atomic_load(&span->own.next);
    for (size_t i = 0; i < CLIENTS_PER_SPAN; i++) {
        struct client_sh copy;
        if (copy_record(e, slot, &span->client[i], &copy) && !add_view(v, &copy, &span->client[i], slot))
            return false;
    }
    atomic_thread_fence(memory_order_acquire);
    if (atomic_load(&e->region->span_words[number]) != word) { /* its worker died meanwhile */
        v->n = mark;
        *next = 0;
    }
    return true;
}

static bool
is_span_offset(const struct shm_region *r, shm_off off)
{
    uint64_t first = r->header->off_extents;
    return off >= first && (off - first) % SHM_SPAN_BYTES == 0 &&
           (off - first) / SHM_EXTENT_BYTES < atomic_load(&r->header->committed_extents);
}

static int
by_id(const void *a, const void *b)
{
    uint64_t x = ((const struct client_view *)a)->copy.id, y = ((const struct client_view *)b)->copy.id;
    return x < y ? -1 : x > y;
}

struct client_view *
clients_all(struct engine *e, size_t *n)
{
    struct views v = {0};
    if (!(v.view = malloc(sizeof *v.view)))
        return NULL;
    v.cap = 1;
    for (unsigned slot = 0; slot < e->control->workers; slot++) {
        uint64_t off = atomic_load(&e->region->slots[slot].own_spans);
        for (unsigned i = 0; off && i < CHAIN_MAX && is_span_offset(e->region, off); i++) {
            if (!add_span(e, &v, slot, off, &off)) {
                free(v.view);
                return NULL;
            }
        }
    }
    qsort(v.view, v.n, sizeof *v.view, by_id);
    *n = v.n;
    return v.view;
}

bool
clients_kill(struct engine *e, const struct client_view *v)
{
    if (atomic_load(&v->record->id) != v->copy.id)
        return false;
    atomic_store(&v->record->kill, v->copy.id); /* another client's record by now? then the id differs, and nothing happens */
    if (e->hooks.wake)
        e->hooks.wake(e->hooks.arg, v->worker, SHM_PROC_WANTED_KILLS);
    return true;
}

void
clients_line(struct buf *out, const struct client_view *v, int64_t now_ms)
{
    const struct client_sh *c = &v->copy;
    char flags[8], *f = flags;
    if (c->flags & SESSION_MONITOR)
        *f++ = 'O';
    if (c->flags & SESSION_CLOSE_AFTER_REPLY)
        *f++ = 'c';
    if (c->flags & SESSION_READONLY)
        *f++ = 'r';
    if (c->flags & SESSION_UNIX)
        *f++ = 'U';
    if (c->flags & SESSION_NO_EVICT)
        *f++ = 'e';
    if (f == flags)
        *f++ = 'N';
    *f = '\0';
    buf_printf(out,
        "id=%lu addr=%s laddr=%s fd=%u name=%s age=%ld idle=%ld flags=%s db=%u sub=0 psub=0 ssub=0 multi=-1 qbuf=%lu "
        "qbuf-free=%lu argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=%lu oll=0 omem=0 tot-mem=%lu events=r cmd=%s user=%s redir=-1 "
        "resp=%u worker=%u",
        (unsigned long)c->id, c->peer, c->local, c->fd, c->name, (long)((now_ms - c->created_ms) / 1000),
        (long)((now_ms - c->active_ms) / 1000), flags, c->db, (unsigned long)c->in_bytes, (unsigned long)c->in_free,
        (unsigned long)c->out_bytes, (unsigned long)c->memory, c->command, c->user, c->resp, v->worker);
}
