/* worker_main.c - a worker's loop: its watchers, its regular work, its end (see worker_main.h).
 *
 * Everything a client sends is run here, in one thread: a turn of the loop reads every readable socket, then runs what
 * came (turn.h), then waits. Between two waits the process is inside a region epoch, so that what it reads without locks
 * stays readable; while it waits it holds nothing back.
 *
 * Process: worker. Locks: none held between callbacks. Crash: see conn.h; the slot's next owner goes on with the
 * listeners. Fails: without memory for its loop or engine a new process ends, and the master starts it again later.
 */
#include "worker/worker_main.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "command/clients.h"
#include "command/usage.h"
#include "process/process.h"
#include "shm/shm_epoch.h"
#include "shm/shm_proc.h"
#include "worker/accept.h"
#include "worker/conn.h"
#include "worker/hold.h"
#include "worker/memory.h"
#include "worker/monitors.h"
#include "worker/turn.h"

#define CRON_S 0.1
#define CRON_CONNS 1000        /* connections looked at in one cron, at least a tenth of all */
#define USAGE_CRONS 5          /* crons from one look at processor time and memory to the next */
#define DRAIN_S 3.0            /* what a drain waits for slow readers */
#define CLOCK_GRAIN_S 1        /* of the access clock */

/* ---- the turn of the loop -------------------------------------------------------------------------------------- */

static void
on_before_wait(struct ev_loop *loop, ev_prepare *p, int events)
{
    struct worker *w = ev_userdata(loop);
    (void)p;
    (void)events;
    hold_release(w);
    turn_run(w);
    monitors_before_sleep(w);
    engine_publish(&w->engine);
    hold_before_wait(w);
    shm_epoch_leave(w->engine.region, w->engine.slot);
}

static void
on_after_wait(struct ev_loop *loop, ev_check *c, int events)
{
    struct worker *w = ev_userdata(loop);
    struct shm_slot_sh *slot = &w->engine.region->slots[w->engine.slot];
    (void)c;
    (void)events;
    shm_epoch_enter(w->engine.region, w->engine.slot);
    monitors_after_sleep(w);
    w->engine.exec.clock = (uint16_t)((int64_t)ev_now(loop) / CLOCK_GRAIN_S);
    atomic_fetch_add_explicit(&slot->progress, 1, memory_order_relaxed);
}

/* ---- regular work ------------------------------------------------------------------------------------------------ */

static void
sweep_conns(struct worker *w)
{
    ev_tstamp now = ev_now(w->loop), timeout = (ev_tstamp)config_number(&w->engine, PARAM_TIMEOUT);
    struct control_slot_sh *own = &w->engine.control->slot[w->engine.slot];
    uint64_t all = atomic_load(&own->clients);
    uint64_t left = all / 10 > CRON_CONNS ? all / 10 : CRON_CONNS;
    if (!w->sweep) {
        atomic_store_explicit(&w->engine.region->header->private_bytes[w->engine.slot], w->private_bytes, memory_order_relaxed);
        atomic_store_explicit(&own->input_max, w->input_max, memory_order_relaxed);
        atomic_store_explicit(&own->output_max, w->output_max, memory_order_relaxed);
        w->private_bytes = w->input_max = w->output_max = 0;
        w->sweep = w->conns;
    }
    while (w->sweep && left-- > 0) {
        struct conn *c = w->sweep;
        w->sweep = c->next;
        if (!conn_cron(c, now, timeout))
            continue;
        w->private_bytes += conn_bytes(c);
        w->input_max = c->in.cap > w->input_max ? c->in.cap : w->input_max;
        w->output_max = c->out.cap > w->output_max ? c->out.cap : w->output_max;
    }
}

static void
on_cron(struct ev_loop *loop, ev_timer *t, int events)
{
    struct worker *w = ev_userdata(loop);
    int64_t now_ns = clock_ns();
    (void)t;
    (void)events;
    atomic_store_explicit(&w->engine.region->slots[w->engine.slot].heartbeat_ns, (uint64_t)now_ns, memory_order_relaxed);
    rates_take(&w->rates, &w->engine.control->slot[w->engine.slot], now_ns);
    if (w->crons++ % USAGE_CRONS == 0)
        usage_publish(&w->engine);
    sweep_conns(w);
    memory_look(w);
}

/* ---- orders ----------------------------------------------------------------------------------------------------- */

static bool
replies_pending(const struct worker *w)
{
    for (const struct conn *c = w->conns; c; c = c->next)
        if (buf_pending(&c->out) > 0) /* what is parked was not acknowledged: it is not done any more */
            return true;
    return false;
}

static void
on_orders(struct ev_loop *loop, ev_io *io, int events)
{
    struct worker *w = ev_userdata(loop);
    (void)events;
    switch (process_orders(w->heritage)) {
    case PROCESS_GO_ON:
        return;
    case PROCESS_MASTER_GONE:
        _exit(1);
    case PROCESS_DRAIN:
        w->draining = true;
        accept_stop(w);
        ev_io_stop(loop, io);
        ev_break(loop, EVBREAK_ALL);
    }
}

static void
close_killed(struct worker *w)
{
    for (struct conn *c = w->conns, *next; c; c = next) {
        next = c->next;
        if (clients_killed(&c->session))
            conn_close(c);
    }
}

/* Asked by a command to have another worker look at something. */
static void
wake_other(void *arg, unsigned slot, uint32_t wanted)
{
    struct worker *w = arg;
    process_want(w->heritage, slot, wanted);
}

static void
wake_master(void *arg)
{
    const struct worker *w = arg;
    uint64_t one = 1;
    ssize_t n = write(w->heritage->master_wake, &one, sizeof one);
    (void)n; /* full is awake enough */
}

static void
on_wake(struct ev_loop *loop, ev_io *io, int events)
{
    struct worker *w = ev_userdata(loop);
    uint64_t count;
    (void)events;
    ssize_t n = read(io->fd, &count, sizeof count);
    (void)n;
    uint32_t wanted = atomic_exchange(&w->engine.region->slots[w->engine.slot].wanted, 0);
    if (wanted & SHM_PROC_WANTED_KILLS)
        close_killed(w);
    if (wanted & SHM_PROC_WANTED_DRAIN)
        accept_all(w);
}

/* Lets replies that were made leave, for a bounded time. */
static void
drain(struct worker *w)
{
    ev_tstamp until = ev_time() + DRAIN_S;
    while (replies_pending(w) && ev_time() < until)
        ev_run(w->loop, EVRUN_ONCE);
    while (w->conns)
        conn_close(w->conns);
}

/* ---- start ------------------------------------------------------------------------------------------------------- */

static void
start_watchers(struct worker *w)
{
    ev_set_userdata(w->loop, w);
    ev_prepare_init(&w->before_wait, on_before_wait);
    ev_check_init(&w->after_wait, on_after_wait);
    ev_timer_init(&w->cron, on_cron, CRON_S, CRON_S);
    ev_io_init(&w->orders, on_orders, w->heritage->orders, EV_READ);
    ev_io_init(&w->wake, on_wake, w->heritage->wake[w->engine.slot], EV_READ);
    ev_prepare_start(w->loop, &w->before_wait);
    ev_check_start(w->loop, &w->after_wait);
    ev_timer_start(w->loop, &w->cron);
    ev_io_start(w->loop, &w->orders);
    ev_io_start(w->loop, &w->wake);
    turn_start(w);
    accept_start(w);
}

bool
worker_main(const struct heritage *h, unsigned slot)
{
    static struct worker w; /* the process's only one; too large for the stack */
    if (!process_take(h, slot, SHM_PROC_WORKER))
        return false;
    w.heritage = h;
    w.loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
    if (!w.loop || !engine_open(&w.engine, h->region, slot))
        _exit(1);
    control_clear_gauges(w.engine.control, slot);
    monitor_inherit(&w.engine);
    w.engine.hooks = (struct engine_hooks){.arg = &w, .wake = wake_other, .wake_master = wake_master};
    config_settle(&w.engine);
    start_watchers(&w);
    process_up(h, slot);
    ev_run(w.loop, 0);
    drain(&w);
    engine_close(&w.engine);
    process_end(h, slot);
}
