/* monitors.c - the worker's side of MONITOR (see monitors.h). The feed itself: command/monitor.h. */
#include "worker/monitors.h"

#define ROUNDS_MAX 4 /* looks before a sleep; who feeds faster than this finds the worker awake again soon */

void
monitors_add(struct conn *c)
{
    if (c->monitors)
        return;
    c->monitors = true;
    c->next_monitor = c->worker->monitors;
    c->worker->monitors = c;
}

void
monitors_forget(struct conn *c)
{
    struct conn **at = &c->worker->monitors;
    if (!c->monitors)
        return;
    while (*at != c)
        at = &(*at)->next_monitor;
    *at = c->next_monitor;
    c->monitors = false;
}

void
monitors_fill(struct conn *c)
{
    struct engine *e = &c->worker->engine;
    if (!(c->session.flags & SESSION_MONITOR) || !monitor_is_behind(e, &c->session))
        return;
    size_t mark = c->out.len;
    if (!monitor_take(e, &c->session, &c->out))
        c->session.flags |= SESSION_CLOSE_NOW;
    if (c->session.flags & SESSION_REPLY_OFF)
        buf_truncate(&c->out, mark);
}

/* True if a line went out. */
static bool
send_all(struct worker *w)
{
    bool any = false;
    for (struct conn *c = w->monitors, *next; c; c = next) {
        next = c->next_monitor;
        if (!(c->session.flags & SESSION_MONITOR)) {
            monitors_forget(c); /* RESET */
            continue;
        }
        if (!monitor_is_behind(&w->engine, &c->session))
            continue;
        any = true;
        monitors_fill(c);
        if (buf_failed(&c->out) || (c->session.flags & SESSION_CLOSE_NOW))
            conn_close(c);
        else
            conn_flush(c);
    }
    return any;
}

/* Store, fence, look; who feeds does the same (command/monitor.c). */
void
monitors_before_sleep(struct worker *w)
{
    _Atomic uint32_t *sleeping = &w->engine.region->slots[w->engine.slot].sleeping;
    if (!w->monitors)
        return;
    atomic_store(sleeping, 1);
    for (int round = 0; send_all(w) && round < ROUNDS_MAX; round++)
        ;
}

void
monitors_after_sleep(struct worker *w)
{
    if (w->monitors)
        atomic_store_explicit(&w->engine.region->slots[w->engine.slot].sleeping, 0, memory_order_relaxed);
}
