/* shm_crash.c - counting crash points and dying at the armed one (see shm_crash.h).
 *
 * These are the only globals of shm/: they belong to the process as a whole, and the point macro has no
 * handle at hand in recovery code. Process: test builds only.
 */
#include "shm/shm_crash.h"

#ifdef KVSTASH_CRASH_POINTS

#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define RACE_PAUSE_NS 100000

static uint64_t armed_at;
static uint64_t passed;
static int armed_signal = SIGKILL;
static void (*last_act)(void);
static _Atomic uint64_t *arm_asked;
static uint64_t fails_at;
static unsigned race_one_in;
static uint64_t race_random;

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
shm_crash_watch(_Atomic uint64_t *asked)
{
    arm_asked = asked;
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
shm_crash_races(unsigned one_in)
{
    race_one_in = one_in;
    race_random = (uint64_t)getpid() * 0x9E3779B97F4A7C15ull | 1;
}

void
shm_crash_races_asked(void)
{
    const char *text = getenv("KVSTASH_RACES");
    shm_crash_races(text ? (unsigned)atoi(text) : 0);
}

void
shm_crash_race(void)
{
    if (race_one_in == 0)
        return;
    race_random ^= race_random << 13;
    race_random ^= race_random >> 7;
    race_random ^= race_random << 17;
    if (race_random % race_one_in == 0)
        nanosleep(&(struct timespec){.tv_nsec = (long)(race_random >> 32) % RACE_PAUSE_NS}, NULL);
}

void
shm_crash_point(void)
{
    shm_crash_race();
    if (arm_asked && atomic_load_explicit(arm_asked, memory_order_relaxed))
        arm(atomic_exchange(arm_asked, 0), SIGKILL);
    if (++passed != armed_at)
        return;
    if (last_act)
        last_act();
    kill(getpid(), armed_signal);
}

#else
typedef int shm_crash_unused; /* ISO C forbids an empty translation unit */
#endif
