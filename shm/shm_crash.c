/* shm_crash.c - counting crash points and dying at the armed one (see shm_crash.h).
 *
 * These are the only globals of shm/: they belong to the process as a whole, and the point macro has no
 * handle at hand in recovery code. Process: test builds only.
 */
#include "shm/shm_crash.h"

#ifdef KVSTASH_CRASH_POINTS

#include <signal.h>
#include <unistd.h>

static uint64_t armed_at;
static uint64_t passed;
static int armed_signal = SIGKILL;
static void (*last_act)(void);
static uint64_t fails_at;

static void
arm(uint64_t n, int signal)
{
    armed_at = n;
    armed_signal = signal;
    passed = 0;
}

void
shm_crash_arm(uint64_t n)
{
    arm(n, SIGKILL);
}

void
shm_crash_arm_stop(uint64_t n)
{
    arm(n, SIGSTOP);
}

void
shm_crash_set_hook(void (*hook)(void))
{
    last_act = hook;
}

void
shm_crash_fail(uint64_t n)
{
    fails_at = n;
}

bool
shm_crash_fail_pending(void)
{
    return fails_at != 0;
}

bool
shm_crash_fails(void)
{
    return fails_at != 0 && --fails_at == 0;
}

uint64_t
shm_crash_passed(void)
{
    return passed;
}

void
shm_crash_point(void)
{
    if (++passed != armed_at)
        return;
    if (last_act)
        last_act();
    kill(getpid(), armed_signal);
}

#else
typedef int shm_crash_unused; /* ISO C forbids an empty translation unit */
#endif
