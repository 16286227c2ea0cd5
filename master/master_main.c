/* master_main.c - the program's entry: options, region, sockets, children, signals, end.
 *
 * The master keeps what must outlive any child: the region's file, the listening sockets, the children's number. It
 * serves nobody and follows no offset, so nothing that happens in the data can end it.
 *
 * Process: master. Locks: the data directory's flock. Fails: every refusal to start is one message and status 1.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/ticks.h"
#include "command/control.h"
#include "master/boot.h"
#include "master/children.h"
#include "master/daemon.h"
#include "master/limits.h"
#include "master/listen.h"
#include "master/options.h"
#include "master/region_open.h"
#include "master/serve.h"
#include "master/settings.h"
#include "master/start_load.h"
#include "persist/survey.h"
#include "shm/shm_check.h"
#include "shm/shm_proc.h"
#include "shm/shm_recover.h"
#include "shm/shm_ring.h"
#include "types/type_value.h"

#define SPARE_SLOTS (6 + LOADING_PARTS_MAX) /* housekeeper, persister, replicator, cluster, exporter, a tool; loaders */
#define SHUTDOWN_MAX_S 86400u
#define GIVE_UP_MS 1000
#define POOL_AT_START 4    /* extents committed before anybody serves */

static struct options options;
static struct settings settings; /* in force */
static struct settings asked;    /* as files and options said, to compare with at a reload */
static struct shm_region region;
static bool attached; /* the region was found, not made */
static struct boot_choice choice;
static struct heritage heritage = {.unix_listener = -1};
static struct children children;

static _Noreturn void
refuse(const char *why)
{
    fprintf(stderr, "kvstash: %s\n", why);
    daemon_report(why);
    daemon_pid_file_remove();
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

static void
fill_control(void)
{
    struct control_sh *c = region.shared;
    uint8_t id[CONTROL_RUN_ID / 2];
    if (getrandom(id, sizeof id, 0) != sizeof id)
        abandon("no randomness from the kernel");
    for (size_t i = 0; i < sizeof id; i++)
        snprintf(c->run_id + 2 * i, 3, "%02x", id[i]);
    c->started_ms = clock_wall_ms();
    c->port = (uint32_t)settings_number(&settings, PARAM_PORT);
    c->workers = heritage.workers;
    c->descriptors = limits_own_descriptors(&settings);
    c->ns_per_tick = ticks_measure();
    c->private_limit = limits_private_bytes();
    /* a region that is found again takes its parameters from the files and options of this start */
    config_copy(&c->config.live, &settings.values);
    atomic_store(&c->config.next_whole, 0);
    atomic_store(&c->config.reload_whole, 0);
    atomic_store(&c->end_asked, 0);
    atomic_store(&c->end_refused, 0);
    atomic_store(&c->end_aborted, 0);
    persist_save_reset(&c->persist, c->started_ms / 1000);
    const char *file = options.file ? options.file : options.redis_conf;
    char *absolute = file ? realpath(file, NULL) : NULL;
    snprintf(c->config_file, sizeof c->config_file, "%s", absolute ? absolute : "");
    free(absolute);
    atomic_store(&c->rewrite_asked, 0);
    atomic_store(&c->rewrite_answered, 0);
    atomic_store(&c->region_file_gone, 0);
    atomic_store(&c->loading.phase, LOADING_IDLE);
    for (int p = 0; p < PARAM_COUNT; p++) {
        atomic_store(&c->config.told[p], 0);
        if (config_tell_idle(&c->config, p))
            log_notice(CONFIG_IDLE_TEXT, params[p].name);
    }
    atomic_store(&region.header->master_pid, (uint64_t)getpid());
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

/* The same for workers, whose number is that of the cores if nobody gave one: then they may be others than when the region was made. */
static void
keep_workers(unsigned has)
{
    if (has != heritage.workers)
        log_notice("this machine would get %u workers, but the region was made with %u, which stands", heritage.workers, has);
    keep_geometry(PARAM_WORKERS, has);
    heritage.workers = has;
}

static struct region_wish
wish(void)
{
    const char *path = settings_text(&settings, PARAM_REGION);
    return (struct region_wish){.dir = settings_text(&settings, PARAM_DIR), .path = path[0] ? path : NULL,
        .bytes = (uint64_t)settings_number(&settings, PARAM_REGION_SIZE), .shards = (unsigned)settings_number(&settings, PARAM_SHARDS),
        .databases = (unsigned)settings_number(&settings, PARAM_DATABASES), .workers = heritage.workers,
        .workers_given = settings.source[PARAM_WORKERS] != SETTINGS_DEFAULT, .other_slots = SPARE_SLOTS,
        .hugepages = (enum shm_hugepages)settings_number(&settings, PARAM_HUGEPAGES)};
}

/* The absolute path of the data directory becomes the parameter's value. */
static void
settle_directory(const char *dir)
{
    char *absolute = realpath(dir, NULL);
    if (absolute && strlen(absolute) < PARAM_TEXT_MAX)
        settings_set_text(&settings, PARAM_DIR, absolute);
    free(absolute);
}

/* Looks at what is there, and decides from what to start. */
static void
decide(const struct region_wish *w, struct region_found *found)
{
    static struct survey files;
    static struct survey_file named;
    struct shm_error e;
    const struct survey_names names = {.dir = settings_text(&settings, PARAM_DIR), .dbfilename = settings_text(&settings, PARAM_DBFILENAME),
        .appenddirname = settings_text(&settings, PARAM_APPENDDIRNAME), .appendfilename = settings_text(&settings, PARAM_APPENDFILENAME)};
    if (!region_open_look(&region, w, found, &e))
        refuse(e.text);
    survey_take(&files, &names);
    struct boot_facts facts = {.region = *found, .appendonly = settings_number(&settings, PARAM_APPENDONLY) != 0, .files = &files};
    if (options.restore_from) {
        facts.named = &named;
        facts.forced = survey_named(&named, options.restore_from, names.appendfilename);
    }
    boot_decide(&choice, &facts);
    if (choice.what == BOOT_REFUSE) {
        if (found->state == REGION_FOUND_VALID)
            shm_region_close(&region, false);
        refuse(choice.text);
    }
    if (choice.upgrade && !survey_upgrade(&files, &names, choice.text))
        refuse(choice.text);
}

/* A new region, in the state that the choice asks for. */
static void
make_region(const struct region_wish *w, const struct region_found *found)
{
    struct shm_error e;
    if (!region_open_create(&region, w, found, &e))
        refuse(e.text);
    if (shm_region_commit(&region, POOL_AT_START) != POOL_AT_START)
        abandon("not enough memory for the smallest region; free memory, or give /dev/shm or the control group more");
    if (choice.what == BOOT_LOAD) {
        heritage.loaders = start_load_parts(&choice);
        atomic_store(&region.header->state, SHM_REGION_LOADING);
        return;
    }
    if (!region_open_identify(&region, w->dir, &e))
        abandon(e.text);
    if (settings_number(&settings, PARAM_APPENDONLY) && !persist_start_log(&region, heritage_lasting(&heritage), PERSIST_START_EMPTY, &e))
        abandon(e.text);
    atomic_store(&region.header->state, SHM_REGION_READY);
}

static void
take_region(const struct region_found *found)
{
    struct shm_error e;
    if (!region_open_attach(&region, &e))
        refuse(e.text);
    attached = true;
    keep_workers(found->workers);
    atomic_store(&region.header->state, SHM_REGION_READY); /* or GATED: who had closed the gate is dead */
    keep_geometry(PARAM_SHARDS, region.nshards);
    keep_geometry(PARAM_DATABASES, region.databases);
}

static void
open_region(int *lock_fd)
{
    struct shm_error e;
    struct region_found found;
    struct region_wish w = wish();
    if (!region_open_lock(w.dir, lock_fd, &e))
        refuse(e.text);
    settle_directory(w.dir);
    w = wish();
    decide(&w, &found);
    log_notice("%s", choice.text);
    if (choice.warning[0])
        log_warning("%s", choice.warning);
    if (choice.what == BOOT_ATTACH)
        take_region(&found);
    else
        make_region(&w, &found);
    /* every slot of ours waits for an owner; the rest is nobody's */
    for (unsigned s = 0; s < region.nslots; s++)
        atomic_store(&region.slots[s].state, s < heritage_slots(&heritage) ? SHM_PROC_DEAD : SHM_PROC_VACANT);
    log_notice("region %s: %lu MB %s", region.path, (unsigned long)(region.bytes >> 20), attached ? "found and recovered" : "made");
    if ((uint64_t)settings_number(&settings, PARAM_MAXMEMORY) > region.bytes)
        log_warning("maxmemory is %lu, but the region has %lu bytes, which are the limit", (unsigned long)settings_number(&settings, PARAM_MAXMEMORY),
            (unsigned long)region.bytes);
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

/* ---- the program ----------------------------------------------------------------------------------------------------------- */

/* A journal of a living process would be taken for a dead one's, so a region that is served is left alone. */
static int
check_region_file(void)
{
    struct shm_error e;
    struct shm_check_result result;
    struct region_wish w = wish();
    char path[256];
    if (!region_open_path(&w, path, &e) || !shm_region_attach(&region, path, &e))
        refuse(e.text);
    if (shm_proc_any_lives(&region)) {
        snprintf(e.text, sizeof e.text, "a server runs on the region %s: stop it, or let it check itself with DEBUG CHECK-REGION", path);
        refuse(e.text);
    }
    shm_recover_all(&region);
    bool ok = shm_check_region(&region, type_value_check, &result);
    printf("%s: %lu keys, %lu blocks, %lu bytes, %lu faults%s%s\n", path, (unsigned long)result.keys, (unsigned long)result.blocks,
        (unsigned long)result.bytes, (unsigned long)result.faults, ok ? "" : "; the first: ", ok ? "" : result.first);
    return ok ? 0 : 1;
}

/* The settings, with what depends on this machine filled in. */
static void
read_settings(void)
{
    char error[SETTINGS_ERROR_MAX];
    if (!settings_load(&settings, &options, error) || !settings_check(&settings, error))
        refuse(error);
    asked = settings;
    heritage.workers = (unsigned)settings_number(&settings, PARAM_WORKERS);
}

static void
open_log(void)
{
    char why[4200];
    const char *path = settings_text(&settings, PARAM_LOGFILE);
    if (!log_open_file(path)) {
        snprintf(why, sizeof why, "cannot open the log file %s: %s; correct logfile", path, strerror(errno));
        refuse(why);
    }
    if (settings_number(&settings, PARAM_SYSLOG_ENABLED))
        log_open_syslog(settings_text(&settings, PARAM_SYSLOG_IDENT), (unsigned)settings_number(&settings, PARAM_SYSLOG_FACILITY));
    log_follow_level(&settings.values.number[PARAM_LOGLEVEL]);
}

/* A daemon has a pid file always, others where one is named. */
static void
write_pid_file(void)
{
    char path[4200];
    const char *named = settings_text(&settings, PARAM_PIDFILE);
    if (!named[0] && !settings_number(&settings, PARAM_DAEMONIZE))
        return;
    if (named[0])
        snprintf(path, sizeof path, "%s", named);
    else
        snprintf(path, sizeof path, "%s/kvstash.pid", settings_text(&settings, PARAM_DIR));
    if (!daemon_pid_file_write(path))
        log_warning("cannot write the pid file %s: %s", path, strerror(errno));
}

/* What children inherit besides region and listeners; the log's reading end is returned. */
static int
open_channels(void)
{
    int channel[2];
    heritage.master_wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (heritage.master_wake < 0 || pipe2(channel, O_CLOEXEC | O_NONBLOCK) != 0)
        refuse("out of descriptors: raise the limit (ulimit -n)");
    heritage.log_pipe = channel[1];
    return channel[0];
}

static void
start(struct serve *s)
{
    int lock_fd;
    if (settings_number(&settings, PARAM_DAEMONIZE) && !daemon_begin())
        refuse("cannot go to the background: no process or pipe for it");
    open_log();
    log_notice("kv-stash " CONTROL_VERSION " starts, PID: %d", (int)getpid());
    size_t at = 0;
    for (const char *v = settings_stranger(&at); v; v = settings_stranger(&at))
        log_warning("the environment variable %.*s belongs to no parameter", (int)strcspn(v, "="), v);
    int log_pipe = open_channels();
    open_region(&lock_fd);
    limits_fit_clients(&settings, limits_own_descriptors(&settings)); /* a region that was found tells how many workers there are */
    open_sockets();
    fill_control();
    write_pid_file();
    log_follow_level(&((struct control_sh *)region.shared)->config.live.number[PARAM_LOGLEVEL]);
    if (!serve_open(s, log_pipe))
        abandon("cannot set the signals up: no descriptor for them");
    if (!children_init(&children, &heritage))
        abandon("no memory for the table of children");
    s->load = (struct start_load){.heritage = &heritage, .children = &children, .dir = settings_text(&settings, PARAM_DIR)};
    if (choice.what == BOOT_LOAD)
        start_load_begin(&s->load, &choice);
}

/* Did the persister write the log to its end, and close it? With the log off there is nothing to write. */
static bool
log_is_written(void)
{
    const struct persist_sh *p = &((const struct control_sh *)region.shared)->persist;
    const struct shm_slot_sh *slot = &region.slots[heritage_persister(&heritage)];
    if (atomic_load(&p->aof_state) == PERSIST_AOF_OFF)
        return true;
    return atomic_load(&slot->state) == SHM_PROC_VACANT && atomic_load(&p->aof_state) == PERSIST_AOF_ON && atomic_load(&p->aof_errno) == 0;
}

/* The orderly end; a second SIGINT or SIGTERM ends at once. Returns the exit status. What the append-only file lacks is only in the region,
 * which then stays, as after a crash. */
static int
finish(const struct serve *s)
{
    const struct control_sh *control = region.shared;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    bool keep = config_value(&control->config.live, PARAM_REGION_KEEP) != 0;
    int64_t timeout_s = config_value(&control->config.live, PARAM_SHUTDOWN_TIMEOUT);
    children_end(&children, timeout_s < SHUTDOWN_MAX_S ? (unsigned)timeout_s * 1000 : SHUTDOWN_MAX_S * 1000);
    log_take(s->log_pipe);
    bool whole = log_is_written();
    if (!whole)
        log_warning("the append-only file does not hold all that was answered: the region %s stays, and the next start goes on with it", region.path);
    log_follow_level(NULL); /* the word goes with the region */
    shm_region_close(&region, whole && !keep);
    if (settings_text(&settings, PARAM_UNIXSOCKET)[0])
        unlink(settings_text(&settings, PARAM_UNIXSOCKET));
    daemon_pid_file_remove();
    log_notice("bye");
    return whole ? 0 : 1;
}

/* The start failed, or a load: then what there is of data is worth nothing. A region that is whole stays for the next start: clients
 * may have been answered. */
static _Noreturn void
give_up(const struct serve *s)
{
    char why[LOADING_ERROR_MAX];
    bool whole = atomic_load(&region.header->state) != SHM_REGION_LOADING;
    snprintf(why, sizeof why, "%s", s->failed);
    children_end(&children, GIVE_UP_MS);
    log_take(s->log_pipe);
    log_warning("%s", why);
    log_follow_level(NULL);
    shm_region_close(&region, !whole);
    refuse(why);
}

int
main(int argc, char **argv)
{
    char error[SETTINGS_ERROR_MAX];
    signal(SIGPIPE, SIG_IGN);
    if (!options_parse(&options, argc, argv, error))
        refuse(error);
    if (options.given[OPTION_HELP]) {
        options_help();
        return 0;
    }
    if (options.given[OPTION_VERSION]) {
        puts("kv-stash " CONTROL_VERSION);
        return 0;
    }
    read_settings();
    if (options.given[OPTION_TEST_CONFIG]) {
        puts("the configuration is good");
        return 0;
    }
    type_value_init();
    if (options.given[OPTION_CHECK_REGION])
        return check_region_file();
    struct serve s = {.heritage = &heritage, .children = &children, .options = &options, .asked = &asked};
    start(&s);
    log_notice("%s", serve_run(&s));
    if (s.failed)
        give_up(&s);
    return finish(&s);
}
