/* serve.c - the master's loop (see serve.h).
 *
 * One poll on signals, wake-ups and the pipe of log records, with a tick of 50 ms for what nobody announces: stuck children, the
 * region's file. Each round looks at everything, because a look costs less than to know what has changed. What is asked for
 * stands in words of the control page (SHUTDOWN, CONFIG REWRITE) and in no message, so a master that is late misses nothing.
 */
#include "master/serve.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "command/control.h"
#include "command/usage.h"
#include "master/daemon.h"
#include "master/oom.h"
#include "master/reload.h"
#include "master/rewrite.h"

#define TICK_MS 50
#define QUICK_MS 1            /* until all are up */
#define PATIENCE_NS 5000000000LL /* with persisters that end before they serve, at the start */
#define LOOK_NS 1000000000LL  /* how often the region's file is looked at */

static struct control_sh *
control_of(const struct serve *s)
{
    return s->heritage->region->shared;
}

bool
serve_open(struct serve *s, int log_pipe)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGCHLD);
    s->log_pipe = log_pipe;
    s->signals = sigprocmask(SIG_BLOCK, &set, NULL) == 0 ? signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC) : -1;
    return s->signals >= 0;
}

/* ---- what is looked at -------------------------------------------------------------------------------------------------- */

static void
become_ready(struct serve *s)
{
    const struct shm_region *r = s->heritage->region;
    for (unsigned slot = 0; !s->ready && slot < heritage_lasting(s->heritage); slot++)
        if (atomic_load(&r->slots[slot].state) != SHM_PROC_UP)
            return;
    if (s->ready || s->load.runs)
        return;
    s->ready = true;
    log_notice("Ready to accept connections on port %u: %u workers", control_of(s)->port, s->heritage->workers);
    daemon_report(NULL);
}

/* A server that cannot write its files says so and ends, if it has not begun yet; later on it goes on, and tries again. */
static const char *
hopeless_start(const struct serve *s)
{
    const struct persist_sh *p = &control_of(s)->persist;
    int64_t since = atomic_load(&p->trouble_since_ns);
    return !s->ready && since != 0 && clock_ns() - since > PATIENCE_NS ? p->trouble : NULL;
}

/* Somebody may delete the file's name (at an ordinary user's logout the system does); the memory lives on, but nobody could
 * find it again after a crash of everything. */
static void
look_at_file(struct serve *s)
{
    struct stat st;
    int64_t now = clock_ns();
    if (s->file_gone || now - s->looked_ns < LOOK_NS)
        return;
    s->looked_ns = now;
    if (fstat(s->heritage->region->fd, &st) != 0 || st.st_nlink > 0)
        return;
    s->file_gone = true;
    atomic_store(&control_of(s)->region_file_gone, 1);
    log_warning("the region's file %s was deleted by somebody: the server goes on, but if it is killed, its data are lost; save them and "
                "restart it (for a user with logins, RemoveIPC=no in logind.conf keeps such files)", s->heritage->region->path);
}

/* Parameters or children have changed: what depends on both. */
static void
act_on_changes(struct serve *s)
{
    struct control_sh *control = control_of(s);
    uint64_t generation = atomic_load(&control->config.generation);
    if (generation == s->generation && s->children->forks == s->forks)
        return;
    s->generation = generation;
    s->forks = s->children->forks;
    oom_adjust(&control->config.live, s->children);
}

static void
answer_requests(struct serve *s)
{
    struct control_sh *control = control_of(s);
    uint64_t asked = atomic_load(&control->rewrite_asked), answered = atomic_load(&control->rewrite_answered);
    if (asked == answered >> CONTROL_ANSWER_BITS)
        return;
    int error = rewrite_file(s->options, &control->config);
    if (error == 0)
        log_notice("CONFIG REWRITE: the configuration file was written");
    else
        log_warning("CONFIG REWRITE failed: %s", strerror(error));
    atomic_store(&control->rewrite_answered, asked << CONTROL_ANSWER_BITS | (unsigned)error);
}

/* A second SIGINT does not wait for the save that the first began. */
static void
ask_end(struct serve *s, int sig)
{
    struct control_sh *control = control_of(s);
    bool insists = sig == SIGINT && s->ending.step != ENDING_NOT;
    uint64_t flags = (uint64_t)config_value(&control->config.live, sig == SIGINT ? PARAM_SHUTDOWN_ON_SIGINT : PARAM_SHUTDOWN_ON_SIGTERM);
    log_notice("received %s", sig == SIGTERM ? "SIGTERM" : insists ? "SIGINT again: the save is given up" : "SIGINT");
    ending_ask(control, flags);
    if (insists) {
        atomic_fetch_and(&control->end_asked, ~(uint64_t)CONTROL_END_SAVE);
        atomic_fetch_or(&control->end_asked, CONTROL_END_NOSAVE);
    }
    s->end_signal = sig;
}

static void
take_signals(struct serve *s)
{
    struct signalfd_siginfo info;
    while (read(s->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
            ask_end(s, (int)info.ssi_signo);
        if (info.ssi_signo == SIGHUP) {
            log_reopen();
            s->reload_waits = true;
        }
    }
}

const char *
serve_run(struct serve *s)
{
    struct pollfd wait_for[] = {{.fd = s->signals, .events = POLLIN}, {.fd = s->heritage->master_wake, .events = POLLIN},
        {.fd = s->log_pipe, .events = POLLIN}};
    for (;;) {
        uint64_t count;
        children_keep(s->children);
        poll(wait_for, sizeof wait_for / sizeof wait_for[0], s->ready && s->ending.step != ENDING_HOLDS ? TICK_MS : QUICK_MS);
        ssize_t n = read(s->heritage->master_wake, &count, sizeof count);
        (void)n; /* the words tell what is asked for */
        log_take(s->log_pipe);
        take_signals(s);
        children_reap(s->children);
        children_watch(s->children, config_value(&control_of(s)->config.live, PARAM_WORKER_TIMEOUT));
        usage_publish_master(control_of(s));
        s->failed = start_load_watch(&s->load);
        if (s->failed)
            return "the data cannot be loaded: finishing";
        s->failed = hopeless_start(s);
        if (s->failed)
            return "the server cannot start: finishing";
        become_ready(s);
        look_at_file(s);
        if (s->reload_waits)
            s->reload_waits = !reload(s->asked, s->options, control_of(s));
        act_on_changes(s);
        answer_requests(s);
        if (ending_look(&s->ending, s->heritage, control_of(s)))
            return s->end_signal == SIGTERM ? "SIGTERM: finishing" : s->end_signal == SIGINT ? "SIGINT: finishing" : "SHUTDOWN: finishing";
    }
}
