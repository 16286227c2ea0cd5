/* persister_main.c - the persister's loop: its watchers, its regular work, its end (see persister_main.h).
 *
 * The main thread never waits for a file or, longer than a moment, for a lock; what blocks is given to file threads. A thread of a
 * dead persister may still be inside a write when its life lock is free, so the successor first takes persister.lock, which the
 * system drops when the last thread has ended.
 *
 * Process: persister, one. Locks: persister.lock in the data directory. Crash: its successor goes on from the words in the
 * region (command/persist.h). Fails: without memory, or files that it can open, a new process ends, and is started again later; a server
 * that has not begun yet ends after some seconds of that (master/serve.c).
 */
#include "persist/persister_main.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "command/usage.h"
#include "persist/aof.h"
#include "persist/persister.h"
#include "persist/reread.h"
#include "process/process.h"
#include "shm/shm_crash.h"
#include "shm/shm_epoch.h"
#include "shm/shm_proc.h"

#define CRON_S 0.1
#define DRAIN_S 0.002             /* from one look at who else is there to the next, at the end */
#define USAGE_CRONS 5            /* crons from one look at processor time and memory to the next */
#define SOON_S 0.001              /* to the next turn, if something is under way */
#define LOCK_FILE "persister.lock"
#define LOCK_TRY_NS 1000000
#define LOCK_TOLD_NS 1000000000LL

/* ---- the data directory --------------------------------------------------------------------------------------------------- */

/* Another process will try; while the server starts the master waits for that only for a while. */
static _Noreturn void
give_up(struct persister *p, const char *what, const char *path)
{
    snprintf(p->shared->trouble, sizeof p->shared->trouble, "the persister cannot %s %s: %s", what, path, strerror(errno));
    log_warning("%s", p->shared->trouble);
    if (atomic_load(&p->shared->trouble_since_ns) == 0)
        atomic_store(&p->shared->trouble_since_ns, clock_ns());
    _exit(1);
}

static void
open_directory(struct persister *p)
{
    char path[PARAM_TEXT_MAX];
    config_read_text(&p->engine, PARAM_DIR, path);
    config_read_text(&p->engine, PARAM_APPENDDIRNAME, p->append_dir);
    config_read_text(&p->engine, PARAM_APPENDFILENAME, p->append_name);
    p->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (p->dir < 0)
        give_up(p, "open the data directory", path);
    p->lock = openat(p->dir, LOCK_FILE, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (p->lock < 0)
        give_up(p, "open in the data directory the file", LOCK_FILE);
}

/* Waits for the end of the predecessor's threads. */
static void
take_files_over(struct persister *p)
{
    int64_t since = clock_ns();
    bool told = false;
    while (flock(p->lock, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            give_up(p, "lock", LOCK_FILE);
        if (process_orders(p->heritage) != PROCESS_GO_ON)
            _exit(0);
        if (!told && clock_ns() - since > LOCK_TOLD_NS) {
            told = true;
            log_notice("the persister waits for its predecessor's last write to end");
        }
        shm_region_progress(p->engine.region);
        nanosleep(&(struct timespec){.tv_nsec = LOCK_TRY_NS}, NULL);
    }
}

/* ---- the loop --------------------------------------------------------------------------------------------------------------- */

static void
on_before_wait(struct ev_loop *loop, ev_prepare *w, int events)
{
    struct persister *p = ev_userdata(loop);
    (void)w;
    (void)events;
    bool rereading = reread_turn(p->reread);
    if (aof_turn(p->aof) || rereading) {
        ev_timer_set(&p->again, SOON_S, 0.);
        ev_timer_start(loop, &p->again);
    }
    engine_publish(&p->engine);
    shm_epoch_leave(p->engine.region, p->engine.slot);
}

static void
on_after_wait(struct ev_loop *loop, ev_check *w, int events)
{
    struct persister *p = ev_userdata(loop);
    (void)w;
    (void)events;
    shm_epoch_enter(p->engine.region, p->engine.slot);
    aof_awake(p->aof);
    shm_region_progress(p->engine.region);
}

static void
on_cron(struct ev_loop *loop, ev_timer *t, int events)
{
    struct persister *p = ev_userdata(loop);
    static unsigned crons;
    (void)t;
    (void)events;
    atomic_store_explicit(&p->engine.region->slots[p->engine.slot].heartbeat_ns, (uint64_t)clock_ns(), memory_order_relaxed);
    if (crons++ % USAGE_CRONS == 0)
        usage_publish(&p->engine);
    saves_look(&p->saves);
}

/* Its being started is what wakes the loop. */
static void
on_again(struct ev_loop *loop, ev_timer *t, int events)
{
    (void)loop;
    (void)t;
    (void)events;
}

/* ---- the end ---------------------------------------------------------------------------------------------------------------- */

/* Has everybody who changes the data ended? */
static bool
is_alone(const struct persister *p)
{
    const struct shm_region *r = p->engine.region;
    for (unsigned slot = 0; slot < heritage_slots(p->heritage); slot++)
        if (slot != p->engine.slot && atomic_load(&r->slots[slot].state) != SHM_PROC_VACANT && !shm_proc_is_dead(r, slot))
            return false;
    return true;
}

/* The order to end came to all at once; the persister is the last to follow it. */
static void
on_draining(struct ev_loop *loop, ev_timer *t, int events)
{
    struct persister *p = ev_userdata(loop);
    (void)t;
    (void)events;
    if (is_alone(p) && aof_finish(p->aof))
        ev_break(loop, EVBREAK_ALL);
}

static void
on_orders(struct ev_loop *loop, ev_io *io, int events)
{
    struct persister *p = ev_userdata(loop);
    (void)events;
    switch (process_orders(p->heritage)) {
    case PROCESS_GO_ON:
        return;
    case PROCESS_MASTER_GONE:
        _exit(1);
    case PROCESS_DRAIN:
        p->draining = true;
        ev_io_stop(loop, io);
        ev_timer_start(loop, &p->drain);
    }
}

/* Something is asked for; what it is stands in the region. */
static void
on_wake(struct ev_loop *loop, ev_io *io, int events)
{
    struct persister *p = ev_userdata(loop);
    uint64_t count;
    (void)events;
    ssize_t n = read(io->fd, &count, sizeof count);
    (void)n;
    atomic_store(&p->engine.region->slots[p->engine.slot].wanted, 0);
    saves_look(&p->saves);
}

static void
start_watchers(struct persister *p)
{
    ev_set_userdata(p->loop, p);
    ev_prepare_init(&p->before_wait, on_before_wait);
    ev_check_init(&p->after_wait, on_after_wait);
    ev_timer_init(&p->cron, on_cron, CRON_S, CRON_S);
    ev_timer_init(&p->again, on_again, SOON_S, 0.);
    ev_timer_init(&p->drain, on_draining, 0., DRAIN_S);
    ev_io_init(&p->orders, on_orders, p->heritage->orders, EV_READ);
    ev_io_init(&p->wake, on_wake, p->heritage->wake[p->engine.slot], EV_READ);
    ev_prepare_start(p->loop, &p->before_wait);
    ev_check_start(p->loop, &p->after_wait);
    ev_timer_start(p->loop, &p->cron);
    ev_io_start(p->loop, &p->orders);
    ev_io_start(p->loop, &p->wake);
}

/* What a predecessor was about is given up; what it was asked for is begun again. */
static void
start_snapshots(struct persister *p)
{
    file_aside_sweep(p->dir);
    p->snapshot = snapshot_open(p->loop, &p->engine);
    if (!p->snapshot)
        give_up(p, "start", "its thread for snapshots");
    snapshot_clear(p->snapshot);
    saves_open(&p->saves, p->heritage, &p->engine, p->snapshot, p->dir);
}

bool
persister_main(const struct heritage *h, unsigned slot)
{
    static struct persister p; /* the process's only one; too large for the stack */
    if (!process_take(h, slot, SHM_PROC_PERSISTER))
        return false;
    p.heritage = h;
    p.loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
    p.shared = &((struct control_sh *)h->region->shared)->persist;
    if (!p.loop || !engine_open(&p.engine, h->region, slot))
        give_up(&p, "make", "its event loop");
    shm_crash_watch(&p.shared->crash_asked);
    config_settle(&p.engine);
    open_directory(&p);
    take_files_over(&p);
    start_snapshots(&p);
    start_watchers(&p);
    p.engine.tx.gate = SHM_TX_TURNS_BACK;
    p.aof = aof_open(&p);
    p.reread = reread_open(&p);
    if (!p.aof || !p.reread)
        give_up(&p, "start", "its threads");
    atomic_store(&p.shared->trouble_since_ns, 0);
    process_up(h, slot);
    ev_run(p.loop, 0);
    reread_close(p.reread);
    aof_close(p.aof);
    snapshot_close(p.snapshot);
    engine_close(&p.engine);
    process_end(h, slot);
}
