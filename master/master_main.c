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

#include "base/ticks.h"
#include "command/control.h"
#include "master/children.h"
#include "master/listen.h"
#include "master/master_log.h"
#include "master/options.h"
#include "master/region_open.h"
#include "master/settings.h"
#include "shm/shm_check.h"
#include "shm/shm_recover.h"
#include "types/type_value.h"

#define SPARE_SLOTS 6      /* housekeeper, persister, replicator, cluster, exporter, a tool */
#define TICK_MS 50
#define DESCRIPTORS_MAX 65536 /* taken where they are allowed, so that maxclients can be raised */
#define DESCRIPTORS_FEW 32
#define POOL_AT_START 4    /* extents committed before anybody serves */

static struct options options;
static struct settings settings;
static struct shm_region region;
static bool attached; /* the region was found, not made */
static struct heritage heritage = {.unix_listener = -1};
static struct children children;

static _Noreturn void
refuse(const char *why)
{
    fprintf(stderr, "kvstash: %s\n", why);
    exit(1);
}

/* The same when there is a region already: one that was found stays for the next start, one just made holds nothing. */
static _Noreturn void
abandon(const char *why)
{
    shm_region_close(&region, !attached);
    refuse(why);
}

/* ---- set-up -------------------------------------------------------------------------------------------------------------- */

/* What a process needs beside its clients: listeners and wake-ups of all slots, channels, files. */
static uint32_t
own_descriptors(void)
{
    uint32_t addresses = 2;
    for (const char *p = settings_text(&settings, PARAM_BIND); *p; p++)
        addresses += *p == ' ';
    return DESCRIPTORS_FEW + SPARE_SLOTS + heritage.workers * (addresses + 2);
}

static void
fill_control(void)
{
    struct control_sh *c = region.shared;
    uint8_t id[CONTROL_RUN_ID / 2];
    struct timespec t;
    if (getrandom(id, sizeof id, 0) != sizeof id)
        abandon("no randomness from the kernel");
    for (size_t i = 0; i < sizeof id; i++)
        snprintf(c->run_id + 2 * i, 3, "%02x", id[i]);
    clock_gettime(CLOCK_REALTIME, &t);
    c->started_ms = (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
    c->port = (uint32_t)settings_number(&settings, PARAM_PORT);
    c->workers = heritage.workers;
    c->descriptors = own_descriptors();
    c->ns_per_tick = ticks_measure();
    /* a region that is found again takes its parameters from the files and options of this start */
    config_copy(&c->config.live, &settings.values);
    atomic_store(&c->config.next_whole, 0);
    atomic_store(&c->config.reload_whole, 0);
    atomic_store(&c->shutdown, 0);
    atomic_store(&region.header->master_pid, (uint64_t)getpid());
}

/* Descriptors for the clients and our own; the hard limit may allow fewer clients. The soft limit becomes what is allowed
 * at all, so that CONFIG SET maxclients has room. */
static void
raise_descriptors(void)
{
    struct rlimit l;
    rlim_t clients = (rlim_t)settings_number(&settings, PARAM_MAXCLIENTS);
    if (getrlimit(RLIMIT_NOFILE, &l) != 0)
        return;
    l.rlim_cur = l.rlim_max < DESCRIPTORS_MAX ? l.rlim_max : DESCRIPTORS_MAX;
    if (l.rlim_cur < clients + own_descriptors())
        l.rlim_cur = l.rlim_max < clients + own_descriptors() ? l.rlim_max : clients + own_descriptors();
    if (setrlimit(RLIMIT_NOFILE, &l) != 0 && getrlimit(RLIMIT_NOFILE, &l) != 0)
        return;
    if (l.rlim_cur >= clients + own_descriptors())
        return;
    clients = l.rlim_cur > own_descriptors() ? l.rlim_cur - own_descriptors() : 1;
    log_warning("only %lu descriptors are allowed: maxclients is %lu; raise the limit (ulimit -n) for more", (unsigned long)l.rlim_cur,
        (unsigned long)clients);
    settings_set_number(&settings, PARAM_MAXCLIENTS, (int64_t)clients);
}

/* What an old region was made with stands, whatever is asked for now. */
static void
keep_geometry(enum param_id id, uint32_t has)
{
    if (settings_number(&settings, id) == has)
        return;
    if (settings.source[id] != SETTINGS_DEFAULT)
        log_warning("%s is %ld, but the region was made with %u, which stands", params[id].name, (long)settings_number(&settings, id), has);
    settings_set_number(&settings, id, has);
}

static void
open_region(int *lock_fd)
{
    struct shm_error e;
    const char *path = settings_text(&settings, PARAM_REGION);
    struct region_wish w = {.dir = settings_text(&settings, PARAM_DIR), .path = path[0] ? path : NULL,
        .bytes = (uint64_t)settings_number(&settings, PARAM_REGION_SIZE), .shards = (unsigned)settings_number(&settings, PARAM_SHARDS),
        .databases = (unsigned)settings_number(&settings, PARAM_DATABASES), .slots = heritage.workers + SPARE_SLOTS,
        .shared_bytes = control_bytes(heritage.workers),
        .hugepages = (enum shm_hugepages)settings_number(&settings, PARAM_HUGEPAGES)};
    if (!region_open_lock(w.dir, lock_fd, &e) || !region_open(&region, &w, &attached, &e))
        refuse(e.text);
    /* every slot of ours waits for an owner; the rest is nobody's */
    for (unsigned s = 0; s < region.nslots; s++)
        atomic_store(&region.slots[s].state, s <= heritage.workers ? SHM_PROC_DEAD : SHM_PROC_VACANT);
    if (!attached && shm_region_commit(&region, POOL_AT_START) != POOL_AT_START)
        abandon("not enough memory for the smallest region; free memory, or give /dev/shm or the control group more");
    atomic_store(&region.header->state, SHM_REGION_READY);
    log_notice("region %s: %lu MB %s", region.path, (unsigned long)(region.bytes >> 20), attached ? "found and recovered" : "made");
    if (attached) {
        keep_geometry(PARAM_SHARDS, region.nshards);
        keep_geometry(PARAM_DATABASES, region.databases);
    }
}

static void
open_sockets(void)
{
    struct shm_error e;
    const char *unix_path = settings_text(&settings, PARAM_UNIXSOCKET);
    int backlog = (int)settings_number(&settings, PARAM_TCP_BACKLOG);
    unsigned port = (unsigned)settings_number(&settings, PARAM_PORT);
    heritage.region = &region;
    heritage.master = getpid();
    if (!listen_open(&heritage, port ? settings_text(&settings, PARAM_BIND) : "", port, backlog, &e) ||
        (unix_path[0] && !listen_open_unix(&heritage, unix_path, (unsigned)settings_number(&settings, PARAM_UNIXSOCKETPERM), backlog, &e)))
        abandon(e.text);
    for (unsigned s = 0; s < region.nslots; s++) {
        heritage.wake[s] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (heritage.wake[s] < 0)
            abandon("out of descriptors: raise the limit (ulimit -n)");
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
serve(const sigset_t *set)
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
        children_watch(&children, config_value(&control->config.live, PARAM_WORKER_TIMEOUT));
        if (atomic_load(&control->shutdown)) {
            log_notice("SHUTDOWN: finishing");
            return;
        }
        if (!ready && all_up()) {
            ready = true;
            log_notice("Ready to accept connections on port %u: %u workers", control->port, control->workers);
        }
    }
}

static int
check_region_file(void)
{
    struct shm_error e;
    struct shm_check_result result;
    const char *path = settings_text(&settings, PARAM_REGION);
    if (!path[0])
        refuse("--check-region needs --region FILE");
    if (!shm_region_attach(&region, path, &e))
        refuse(e.text);
    shm_recover_all(&region);
    bool ok = shm_check_region(&region, type_value_check, &result);
    printf("%s: %lu keys, %lu blocks, %lu bytes, %lu faults%s%s\n", path, (unsigned long)result.keys, (unsigned long)result.blocks,
        (unsigned long)result.bytes, (unsigned long)result.faults, ok ? "" : "; the first: ", ok ? "" : result.first);
    return ok ? 0 : 1;
}

/* The settings, with what depends on this machine filled in. */
static void
read_settings(int argc, char **argv)
{
    char error[SETTINGS_ERROR_MAX];
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (!options_parse(&options, argc, argv, error) || !settings_load(&settings, &options, error) || !settings_check(&settings, error))
        refuse(error);
    if (settings_number(&settings, PARAM_WORKERS) == 0)
        settings_set_number(&settings, PARAM_WORKERS, cores < 1 ? 1 : cores > params[PARAM_WORKERS].max ? params[PARAM_WORKERS].max : cores);
    heritage.workers = (unsigned)settings_number(&settings, PARAM_WORKERS);
}

int
main(int argc, char **argv)
{
    int lock_fd;
    sigset_t set;
    read_settings(argc, argv);
    type_value_init();
    if (options.given[OPTION_HELP]) {
        options_help();
        return 0;
    }
    if (options.given[OPTION_VERSION]) {
        puts("kv-stash " CONTROL_VERSION);
        return 0;
    }
    if (options.given[OPTION_CHECK_REGION])
        return check_region_file();
    log_notice("kv-stash " CONTROL_VERSION " starts, PID: %d", (int)getpid());
    raise_descriptors();
    open_region(&lock_fd);
    open_sockets();
    fill_control();
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    if (!children_init(&children, &heritage))
        abandon("no memory for the table of children");
    serve(&set);
    sigdelset(&set, SIGCHLD);
    sigdelset(&set, SIGHUP);
    signal(SIGTERM, SIG_DFL); /* a second signal ends at once */
    signal(SIGINT, SIG_DFL);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    children_end(&children, (unsigned)settings_number(&settings, PARAM_SHUTDOWN_TIMEOUT) * 1000);
    shm_region_close(&region, settings_number(&settings, PARAM_REGION_KEEP) == 0);
    if (settings_text(&settings, PARAM_UNIXSOCKET)[0])
        unlink(settings_text(&settings, PARAM_UNIXSOCKET));
    log_notice("bye");
    return 0;
}
