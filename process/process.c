/* process.c - first steps, orders and end of a child (see process.h). Process: every child. */
#include "process/process.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/log.h"
#include "process/panic.h"
#include "shm/shm_crash.h"
#include "shm/shm_proc.h"

void
process_begin(const struct heritage *h, const char *name)
{
    /* a terminal's Ctrl-C goes to the whole group; only the master acts on it, and orders its children */
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};
    sigset_t none;
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
        signal(ignored[i], SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    log_to_pipe(h->log_pipe);
    prctl(PR_SET_NAME, name);
    shm_crash_races_asked();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != h->master) /* it died before the line above */
        _exit(1);
}

/* The heir is usually faster than the master, so it is the one that passes a dead owner's last words on. */
static void
tell_last_words(char words[SHM_PANIC_BYTES])
{
    words[SHM_PANIC_BYTES - 1] = '\0';
    for (char *p = words; *p; p++)
        if (*p < ' ')
            *p = ' ';
    if (words[0])
        log_warning("last words of the process before: %s", words);
}

bool
process_take(const struct heritage *h, unsigned slot, enum shm_proc_kind kind)
{
    char words[SHM_PANIC_BYTES];
    memcpy(words, h->region->slots[slot].panic, sizeof words);
    if (!shm_proc_take(h->region, slot, kind))
        return false;
    tell_last_words(words);
    for (unsigned other = 0; other < h->region->nslots; other++) /* its owner may have died before it woke whom it wrote to */
        if (other != slot)
            process_want(h, other, SHM_PROC_WANTED_MAIL);
    panic_install(h->region, slot);
    return true;
}

void
process_up(const struct heritage *h, unsigned slot)
{
    shm_proc_up(h->region, slot);
    atomic_store(h->served, 1);
}

enum process_order
process_orders(const struct heritage *h)
{
    char order;
    ssize_t n = read(h->orders, &order, 1);
    if (n == 0)
        return PROCESS_MASTER_GONE;
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? PROCESS_GO_ON : PROCESS_MASTER_GONE;
    return order == HERITAGE_ORDER_DRAIN ? PROCESS_DRAIN : PROCESS_GO_ON;
}

_Noreturn void
process_end(const struct heritage *h, unsigned slot)
{
    shm_proc_leave(h->region, slot);
    _exit(0);
}

void
process_want(const struct heritage *h, unsigned slot, uint32_t bits)
{
    uint64_t one = 1;
    atomic_fetch_or(&h->region->slots[slot].wanted, bits); /* seq_cst; pairs with the owner's exchange */
    ssize_t n = write(h->wake[slot], &one, sizeof one);
    (void)n; /* full is awake enough */
}
