/* master_main.c - the program's entry: options, region, sockets, children, signals, end.
 *
 * The master keeps what must outlive any child: the region's file, the listening sockets, the children's number. It
 * serves nobody and follows no offset, so nothing that happens in the data can end it.
 *
 * Process: master. Locks: the data directory's flock. Fails: every refusal to start is one message and status 1.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "command/control.h"
#include "master/children.h"
#include "master/listen.h"
#include "master/master_log.h"
#include "master/options.h"
#include "master/region_open.h"
#include "shm/shm_check.h"
#include "shm/shm_recover.h"
#include "types/type_value.h"

#define BACKLOG 511
#define SPARE_SLOTS 6      /* housekeeper, persister, replicator, cluster, exporter, a tool */
#define TICK_MS 50
#define DRAIN_MS 10000
#define POOL_AT_START 4    /* extents committed before anybody serves */

static struct shm_region region;
static struct heritage heritage = {.unix_listener = -1};
static struct children children;

static _Noreturn void
refuse(const char *why)
{
    fprintf(stderr, "kvstash: %s\n", why);
    exit(1);
}

/* ---- set-up -------------------------------------------------------------------------------------------------------------- */

static void
fill_control(const struct options *o)
{
    struct control_sh *c = region.shared;
    uint8_t id[CONTROL_RUN_ID / 2];
    struct timespec t;
    if (getrandom(id, sizeof id, 0) != sizeof id)
        refuse("no randomness from the kernel");
    for (size_t i = 0; i < sizeof id; i++)
        snprintf(c->run_id + 2 * i, 3, "%02x", id[i]);
    clock_gettime(CLOCK_REALTIME, &t);
    c->started_ms = (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
    c->port = o->port;
    c->workers = o->workers;
    c->max_clients = o->max_clients;
    atomic_store(&c->shutdown, 0);
    atomic_store(&region.header->maxmemory, o->maxmemory);
    atomic_store(&region.header->master_pid, (uint64_t)getpid());
}

/* Descriptors for the clients and our own; the hard limit may allow fewer clients. */
static void
raise_descriptors(struct options *o)
{
    struct rlimit l;
    rlim_t want = (rlim_t)o->max_clients + SHM_SLOTS_MAX * 2 + 64;
    if (getrlimit(RLIMIT_NOFILE, &l) != 0 || l.rlim_cur >= want)
        return;
    l.rlim_cur = l.rlim_max < want ? l.rlim_max : want;
    setrlimit(RLIMIT_NOFILE, &l);
    if (l.rlim_cur >= want)
        return;
    o->max_clients = (unsigned)(l.rlim_cur > want - o->max_clients ? l.rlim_cur - (want - o->max_clients) : 1);
    log_warning("only %lu descriptors are allowed: maxclients is %u; raise the limit (ulimit -n) for more",
        (unsigned long)l.rlim_cur, o->max_clients);
}

static void
open_region(const struct options *o, int *lock_fd)
{
    struct shm_error e;
    struct region_wish w = {.dir = o->dir, .path = o->region, .bytes = o->region_bytes, .shards = o->shards,
        .databases = o->databases, .slots = o->workers + SPARE_SLOTS, .shared_bytes = sizeof(struct control_sh),
        .hugepages = SHM_HUGEPAGES_AUTO};
    bool attached;
    if (!region_open_lock(o->dir, lock_fd, &e) || !region_open(&region, &w, &attached, &e))
        refuse(e.text);
    /* every slot of ours waits for an owner; the rest is nobody's */
    for (unsigned s = 0; s < region.nslots; s++)
        atomic_store(&region.slots[s].state, s <= o->workers ? SHM_PROC_DEAD : SHM_PROC_VACANT);
    if (!attached && shm_region_commit(&region, POOL_AT_START) != POOL_AT_START)
        refuse("not enough memory for the smallest region; free memory, or give /dev/shm or the control group more");
    atomic_store(&region.header->state, SHM_REGION_READY);
    log_notice("region %s: %lu MB %s", region.path, (unsigned long)(region.bytes >> 20), attached ? "found and recovered" : "made");
}

static void
open_sockets(const struct options *o)
{
    struct shm_error e;
    heritage.region = &region;
    heritage.workers = o->workers;
    heritage.master = getpid();
    if (!listen_open(&heritage, o->bind, o->port, BACKLOG, &e) ||
        (o->unix_path && !listen_open_unix(&heritage, o->unix_path, 0, BACKLOG, &e))) {
        shm_region_close(&region, true);
        refuse(e.text);
    }
    for (unsigned s = 0; s < region.nslots; s++) {
        heritage.wake[s] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (heritage.wake[s] < 0) {
            shm_region_close(&region, true);
            refuse("out of descriptors: raise the limit (ulimit -n)");
        }
    }
}

/* ---- serving --------------------------------------------------------------------------------------------------------------- */

static bool
all_up(void)
{
    for (unsigned s = 0; s <= heritage.workers; s++)
        if (atomic_load(&region.slots[s].state) != SHM_PROC_UP)
            return false;
    return true;
}

/* Until a signal or SHUTDOWN asks for the end. */
static void
serve(const sigset_t *set, const struct options *o)
{
    const struct control_sh *control = region.shared;
    struct timespec tick = {.tv_nsec = TICK_MS * 1000000L}, quick = {.tv_nsec = 1000000L};
    bool ready = false;
    for (;;) {
        children_keep(&children);
        int sig = sigtimedwait(set, NULL, ready ? &tick : &quick);
        if (sig == SIGTERM || sig == SIGINT) {
            log_notice("%s: finishing", sig == SIGTERM ? "SIGTERM" : "SIGINT");
            return;
        }
        children_reap(&children);
        children_watch(&children);
        if (atomic_load(&control->shutdown)) {
            log_notice("SHUTDOWN: finishing");
            return;
        }
        if (!ready && all_up()) {
            ready = true;
            log_notice("Ready to accept connections on port %u: %u workers", o->port, o->workers);
        }
    }
}

static int
check_region_file(const struct options *o)
{
    struct shm_error e;
    struct shm_check_result result;
    if (!o->region)
        refuse("--check-region needs --region FILE");
    if (!shm_region_attach(&region, o->region, &e))
        refuse(e.text);
    shm_recover_all(&region);
    bool ok = shm_check_region(&region, type_value_check, &result);
    printf("%s: %lu keys, %lu blocks, %lu bytes, %lu faults%s%s\n", o->region, (unsigned long)result.keys,
        (unsigned long)result.blocks, (unsigned long)result.bytes, (unsigned long)result.faults, ok ? "" : "; the first: ",
        ok ? "" : result.first);
    return ok ? 0 : 1;
}

int
main(int argc, char **argv)
{
    struct options o;
    char error[256];
    int lock_fd;
    sigset_t set;
    if (!options_parse(&o, argc, argv, error))
        refuse(error);
    type_value_init();
    if (o.check_region)
        return check_region_file(&o);
    log_notice("kv-stash " CONTROL_VERSION " starts, PID: %d", (int)getpid());
    raise_descriptors(&o);
    open_region(&o, &lock_fd);
    open_sockets(&o);
    fill_control(&o);
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    if (!children_init(&children, &heritage))
        refuse("no memory for the table of children");
    serve(&set, &o);
    sigdelset(&set, SIGCHLD);
    sigdelset(&set, SIGHUP);
    signal(SIGTERM, SIG_DFL); /* a second signal ends at once */
    signal(SIGINT, SIG_DFL);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    children_end(&children, DRAIN_MS);
    shm_region_close(&region, true);
    if (o.unix_path)
        unlink(o.unix_path);
    log_notice("bye");
    return 0;
}
