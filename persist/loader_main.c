/* loader_main.c - a loader's process: joins the load, does its part, waits for the others (see loader_main.h).
 *
 * A load is made in attempts. All loaders join an attempt, one of them wipes the keyspace, all load. A loader that dies leaves a
 * half-made keyspace, in which nothing can be found again; its heir, who sees that it had joined, raises the attempt's number, and
 * all others, who look at that number now and then, come back and join anew. After some attempts the load has failed. A loader
 * that has finished stays until all have, because an attempt may still fail.
 *
 * Process: loader, as many as there are parts. Locks: none (the gate is closed, see loader.h). Crash: as told. Fails: the
 * load's error, which the master reads; without private memory a new process ends, and is started again later.
 */
#include "persist/loader_main.h"

#include <time.h>
#include <unistd.h>

#include "persist/loader.h"
#include "process/process.h"
#include "shm/shm_wipe.h"

#define ATTEMPTS_MAX 3u
#define STEP_NS 200000

struct part {
    const struct heritage *heritage;
    struct engine engine;
    struct loader loader;
};

static bool
is_stopped(void *arg)
{
    const struct part *p = arg;
    return process_orders(p->heritage) != PROCESS_GO_ON;
}

static struct loading_part_sh *
own_words(struct part *p)
{
    return &p->loader.sh->part[p->loader.own];
}

/* A step of waiting; false: there is nothing more to wait for in this attempt. */
static bool
wait_step(struct part *p)
{
    if (is_stopped(p))
        process_end(p->heritage, p->engine.slot);
    if (loader_given_up(&p->loader))
        return false;
    shm_region_progress(p->engine.region);
    nanosleep(&(struct timespec){.tv_nsec = STEP_NS}, NULL);
    return true;
}

/* The predecessor was at work: what it left is of no use. */
static void
inherit(struct part *p)
{
    struct loading_sh *sh = p->loader.sh;
    uint64_t joined = atomic_load(&own_words(p)->joined), now = joined;
    if (joined != 0 && atomic_load(&own_words(p)->finished) != joined)
        atomic_compare_exchange_strong(&sh->attempt, &now, joined + 1); /* another heir may have been faster */
}

/* All are in this attempt, and the keyspace is empty. False: the attempt is over. */
static bool
join(struct part *p)
{
    struct loader *l = &p->loader;
    atomic_store(&own_words(p)->at, 0);
    atomic_store(&own_words(p)->joined, l->attempt);
    for (unsigned i = 0; i < l->parts; i++)
        while (atomic_load(&l->sh->part[i].joined) != l->attempt)
            if (!wait_step(p))
                return false;
    if (l->own == 0) {
        shm_wipe(p->engine.region);
        atomic_store(&l->sh->wiped, l->attempt);
    }
    while (atomic_load(&l->sh->wiped) != l->attempt)
        if (!wait_step(p))
            return false;
    return true;
}

/* The first part ends last: it has something to do for all. */
static bool
finish(struct part *p)
{
    struct loader *l = &p->loader;
    for (unsigned i = 1; i < l->parts && l->own == 0; i++)
        while (atomic_load(&l->sh->part[i].finished) != l->attempt)
            if (!wait_step(p))
                return false;
    if (l->own == 0)
        loader_cut_torn(l);
    atomic_store(&own_words(p)->finished, l->attempt);
    return true;
}

static void
attempt(struct part *p)
{
    struct loader *l = &p->loader;
    l->attempt = atomic_load(&l->sh->attempt);
    if (l->attempt > ATTEMPTS_MAX)
        loading_fail(l->sh, "%s: the processes that loaded it died %u times (the log has their last words); if the disk is sound, "
                            LOADER_REMEDY_CHECK, l->sh->path, ATTEMPTS_MAX);
    bool done = atomic_load(&own_words(p)->finished) == l->attempt; /* by the predecessor */
    if (!done && (!join(p) || loader_run(l) != LOAD_DONE || !finish(p)))
        return;
    while (wait_step(p))
        ;
}

bool
loader_main(const struct heritage *h, unsigned slot)
{
    static struct part p; /* the process's only one; too large for the stack */
    if (!process_take(h, slot, SHM_PROC_LOADER))
        return false;
    p.heritage = h;
    if (!engine_open(&p.engine, h->region, slot))
        _exit(1);
    shm_tx_make_bare(&p.engine.tx);
    loader_init(&p.loader, &p.engine, slot - heritage_loader(h, 0), h->loaders);
    p.loader.stopped = is_stopped;
    p.loader.arg = &p;
    inherit(&p);
    process_up(h, slot);
    while (atomic_load(&p.loader.sh->phase) == LOADING_RUNS)
        attempt(&p);
    loader_release(&p.loader);
    engine_close(&p.engine);
    process_end(h, slot);
}
