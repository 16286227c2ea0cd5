/* children.c - fork, reap, watch, end (see children.h).
 *
 * A child that was UP and died is replaced at once, up to a few deaths a second for each slot; one that never got there is
 * replaced after a delay that doubles. So an accident costs nobody time, and a fault at the start does not burn the machine.
 * A dead child's lock words are swept while it is still a zombie: until then no other thread can get its id. One that is killed
 * may hang in the kernel for seconds: that is logged once when it is killed and once when it is gone, and another is forked for it.
 */
#include "master/children.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "command/control.h"
#include "housekeeper/housekeeper_main.h"
#include "persist/loader_main.h"
#include "persist/persister_main.h"
#include "process/process.h"
#include "shm/shm_lock.h"
#include "shm/shm_proc.h"
#include "worker/worker_main.h"

#define MS 1000000LL
#define BACKOFF_MIN_NS (100 * MS)
#define BACKOFF_MAX_NS (5000 * MS)
#define DEATHS_A_SECOND 5      /* of each slot, answered at once */
#define STANDBY_SLEEP_MS 500
#define ORPHAN_MS 1000         /* a slot without an heir for so long: the standbys are stopped or stuck */

/* ---- the child's life --------------------------------------------------------------------------------------------------- */

/* Becomes what the slot is for; returns if somebody else was faster. */
static void
fill_slot(const struct heritage *h, unsigned slot)
{
    if (slot < h->workers)
        worker_main(h, slot);
    else if (slot == heritage_housekeeper(h))
        housekeeper_main(h, slot);
    else if (slot == heritage_persister(h))
        persister_main(h, slot);
    else
        loader_main(h, slot);
}

static _Noreturn void
child_main(const struct heritage *h)
{
    process_begin(h, "kvstash");
    for (;;) {
        int slot = shm_proc_wait_death(h->region, heritage_slots(h), STANDBY_SLEEP_MS);
        if (slot >= 0)
            fill_slot(h, (unsigned)slot);
        if (process_orders(h) != PROCESS_GO_ON)
            _exit(0);
    }
}

/* ---- fork ------------------------------------------------------------------------------------------------------------------ */

bool
children_init(struct children *c, struct heritage *h)
{
    memset(c, 0, sizeof *c);
    c->heritage = h;
    c->wanted = heritage_slots(h) + 1;
    c->backoff_ns = BACKOFF_MIN_NS;
    watch_init(&c->watch, h, heritage_slots(h));
    c->served = mmap(NULL, CHILDREN_MAX * sizeof *c->served, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return c->served != MAP_FAILED;
}

static unsigned
count(const struct children *c)
{
    unsigned n = 0;
    for (unsigned i = 0; i < CHILDREN_MAX; i++)
        n += c->child[i].pid != 0;
    return n;
}

/* Those that were killed may hang on for a while: others are to be there meanwhile. */
static unsigned
count_well(const struct children *c)
{
    unsigned n = 0;
    for (unsigned i = 0; i < CHILDREN_MAX; i++)
        n += c->child[i].pid != 0 && c->child[i].killed_ns == 0;
    return n;
}

/* False: the system has no process or descriptor for it now. */
static bool
spawn(struct children *c, unsigned place)
{
    int channel[2];
    if (pipe2(channel, O_CLOEXEC) != 0)
        return false;
    fcntl(channel[0], F_SETFL, O_NONBLOCK);
    atomic_store(&c->served[place], 0);
    c->forks++;
    pid_t pid = fork();
    if (pid == 0) {
        for (unsigned i = 0; i < CHILDREN_MAX; i++)
            if (c->child[i].pid)
                close(c->child[i].orders);
        close(channel[1]);
        c->heritage->orders = channel[0];
        c->heritage->served = &c->served[place];
        child_main(c->heritage);
    }
    close(channel[0]);
    if (pid < 0) {
        close(channel[1]);
        return false;
    }
    c->child[place] = (struct child){.pid = pid, .orders = channel[1]};
    return true;
}

void
children_keep(struct children *c)
{
    unsigned have = count_well(c);
    if (have >= c->wanted || clock_ns() < c->not_before_ns)
        return;
    for (unsigned i = 0; i < CHILDREN_MAX && have < c->wanted; i++) {
        if (c->child[i].pid)
            continue;
        if (!spawn(c, i)) {
            log_warning("cannot start a process: %s; trying again", strerror(errno));
            c->not_before_ns = clock_ns() + BACKOFF_MAX_NS;
            return;
        }
        have++;
    }
}

/* ---- reap ------------------------------------------------------------------------------------------------------------------- */

/* When may the next fork be, after a death? */
static void
back_off(struct children *c, bool served)
{
    int64_t now = clock_ns();
    if (now - c->window_ns > 1000 * MS) {
        c->window_ns = now;
        c->deaths = 0;
    }
    c->deaths++;
    if (served) {
        c->backoff_ns = BACKOFF_MIN_NS;
        if (c->deaths > DEATHS_A_SECOND * c->wanted)
            c->not_before_ns = c->window_ns + 1000 * MS;
        return;
    }
    c->not_before_ns = now + c->backoff_ns;
    c->backoff_ns = c->backoff_ns * 2 < BACKOFF_MAX_NS ? c->backoff_ns * 2 : BACKOFF_MAX_NS;
}

/* The slot whose last owner's id this is; -1: none (a standby's death, or an heir was faster). */
static int
slot_of(const struct children *c, pid_t pid)
{
    for (unsigned s = 0; s < heritage_slots(c->heritage); s++)
        if (atomic_load(&c->heritage->region->slots[s].pid) == (uint32_t)pid)
            return (int)s;
    return -1;
}

/* killed_ns: when the master killed it, 0: it did not. */
static void
log_death(const struct children *c, const siginfo_t *info, int64_t killed_ns)
{
    int slot = slot_of(c, info->si_pid); /* -1: its heir was faster; that one tells the last words */
    struct log_record r;
    const char *how = info->si_code == CLD_EXITED ? "ended with status" : "was killed by signal";
    log_begin(&r, LOG_LEVEL_WARNING, "process %d %s %d", (int)info->si_pid, how, info->si_status);
    if (slot >= 0)
        log_put(&r, "slot", "%d", slot);
    if (killed_ns != 0)
        log_put(&r, "ms_since_killed", "%ld", (long)((clock_ns() - killed_ns) / MS));
    log_end(&r);
}

void
children_reap(struct children *c)
{
    siginfo_t info = {0};
    while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0) {
        /* before its thread id can be somebody else's */
        shm_lock_sweep_dead(c->heritage->region, (uint32_t)info.si_pid);
        for (unsigned i = 0; i < CHILDREN_MAX; i++) {
            if (c->child[i].pid != info.si_pid)
                continue;
            if (info.si_code != CLD_EXITED || info.si_status != 0)
                log_death(c, &info, c->child[i].killed_ns);
            back_off(c, atomic_load(&c->served[i]) != 0);
            close(c->child[i].orders);
            c->child[i].pid = 0;
        }
        waitpid(info.si_pid, NULL, 0);
        info.si_pid = 0;
    }
}

/* ---- watch ------------------------------------------------------------------------------------------------------------------- */

/* True: for the first time. One that hangs in the kernel ends only when that lets it go, and is not spoken of until then. */
static bool
kill_child(struct child *child)
{
    bool first = child->killed_ns == 0;
    if (first)
        child->killed_ns = clock_ns();
    kill(child->pid, SIGKILL);
    return first;
}

static void
kill_standbys(struct children *c)
{
    for (unsigned i = 0; i < CHILDREN_MAX; i++) {
        pid_t pid = c->child[i].pid;
        if (!pid || watch_owns_slot(&c->watch, pid))
            continue;
        if (kill_child(&c->child[i]))
            log_warning("process %d does not take over a slot that has no owner: killed", (int)pid);
    }
}

void
children_watch(struct children *c, int64_t timeout_ms)
{
    pid_t stuck = watch_look(&c->watch, timeout_ms);
    for (unsigned i = 0; i < CHILDREN_MAX && stuck; i++)
        if (c->child[i].pid == stuck && kill_child(&c->child[i]))
            log_warning("process %d holds up others and made no progress for %ld ms: killed", (int)stuck, (long)timeout_ms);
    if (watch_orphan(&c->watch, ORPHAN_MS) && count_well(c) >= c->wanted)
        kill_standbys(c);
    watch_queues(&c->watch);
    watch_shards(&c->watch);
}

/* ---- the end ------------------------------------------------------------------------------------------------------------------- */

static void
order_drain(struct children *c)
{
    const char order = HERITAGE_ORDER_DRAIN;
    for (unsigned i = 0; i < CHILDREN_MAX; i++) {
        if (!c->child[i].pid)
            continue;
        if (slot_of(c, c->child[i].pid) < 0) {
            kill(c->child[i].pid, SIGKILL); /* a standby has nothing to finish */
            continue;
        }
        ssize_t n = write(c->child[i].orders, &order, 1);
        (void)n;
    }
}

void
children_end(struct children *c, unsigned timeout_ms)
{
    int64_t until = clock_ns() + timeout_ms * MS;
    order_drain(c);
    while (count(c) > 0 && clock_ns() < until) {
        siginfo_t info = {0};
        while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG) == 0 && info.si_pid != 0) {
            for (unsigned i = 0; i < CHILDREN_MAX; i++)
                if (c->child[i].pid == info.si_pid)
                    c->child[i].pid = 0;
            info.si_pid = 0;
        }
        nanosleep(&(struct timespec){.tv_nsec = MS}, NULL);
    }
    for (unsigned i = 0; i < CHILDREN_MAX; i++) {
        if (!c->child[i].pid)
            continue;
        log_warning("process %d did not end in time: killed", (int)c->child[i].pid);
        kill(c->child[i].pid, SIGKILL);
        waitpid(c->child[i].pid, NULL, 0);
        c->child[i].pid = 0;
    }
}
