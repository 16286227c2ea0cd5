/* hold.c - held connections, in the order in which they were held (see hold.h). */
#include "worker/hold.h"

#include "command/persist.h"
#include "shm/shm_ring.h"
#include "worker/turn.h"

static struct persist_sh *
persist_of(const struct worker *w)
{
    return &w->engine.control->persist;
}

/* May the replies leave? Nothing is waited for when the file is off; nor by reads while it cannot be written: they are served. */
static bool
may_leave(const struct conn *c)
{
    const struct persist_sh *p = persist_of(c->worker);
    /* acquire: what is durable is written; pairs with aof_set_durable */
    return atomic_load_explicit(&p->durable, memory_order_acquire) >= c->session.durable ||
        atomic_load_explicit(&p->aof_state, memory_order_relaxed) != PERSIST_AOF_ON ||
        (!c->session.wrote && atomic_load_explicit(&p->aof_errno, memory_order_relaxed) != 0);
}

static void
let_go(struct conn *c)
{
    c->session.durable = 0;
    c->session.wrote = false;
}

bool
hold_replies(struct conn *c)
{
    struct conn_list *l = &c->worker->held;
    if (c->held)
        return true;
    if (may_leave(c)) {
        let_go(c);
        return false;
    }
    c->held = true;
    c->held_next = NULL;
    c->held_prev = l->last;
    if (l->last)
        l->last->held_next = c;
    else
        l->first = c;
    l->last = c;
    return true;
}

void
hold_forget(struct conn *c)
{
    struct conn_list *l = &c->worker->held;
    if (!c->held)
        return;
    if (c->held_prev)
        c->held_prev->held_next = c->held_next;
    else
        l->first = c->held_next;
    if (c->held_next)
        c->held_next->held_prev = c->held_prev;
    else
        l->last = c->held_prev;
    c->held = false;
}

void
hold_release(struct worker *w)
{
    for (struct conn *c = w->held.first, *next; c; c = next) {
        next = c->held_next;
        if (!may_leave(c))
            continue;
        hold_forget(c);
        let_go(c);
        if (conn_flush(c) && !c->parked && !c->closing && buf_pending(&c->in) > 0)
            turn_ready(c);
    }
}

/* Asks to be woken when more is durable than now. */
static void
ask_for_more(struct worker *w)
{
    struct persist_sh *p = persist_of(w);
    uint64_t seen = atomic_load(&p->durable);
    atomic_store(&p->wanted[w->engine.slot], seen + 1); /* seq_cst; pairs with the persister's look behind its store of durable */
    if (atomic_load(&p->durable) != seen)
        ev_idle_start(w->loop, &w->more); /* it came in between: no sleep */
}

void
hold_before_wait(struct worker *w)
{
    const struct shm_region *r = w->engine.region;
    _Atomic uint64_t *wanted = &persist_of(w)->wanted[w->engine.slot];
    if (w->held.first)
        ask_for_more(w);
    else if (atomic_load_explicit(wanted, memory_order_relaxed) != 0)
        atomic_store(wanted, 0);
    if (shm_ring_logging(r) && (w->held.first || shm_ring_filled(&r->rings[w->engine.slot]) >= SHM_RING_WAKE))
        persist_wake(&w->engine);
}
