/* shm_crash.c - counting crash points and dying at the armed one (see shm_crash.h).
 *
 * The two counters are the only globals of shm/: they belong to the process as a whole, and the point macro has no
 * handle at hand in recovery code. Process: test builds only.
 */
#include "shm/shm_crash.h"

#ifdef KVSTASH_CRASH_POINTS

#include <signal.h>
#include <unistd.h>

static uint64_t armed_at;
static uint64_t passed;

void
shm_crash_arm(uint64_t n)
{
    armed_at = n;
    passed = 0;
}

uint64_t
shm_crash_passed(void)
{
    return passed;
}

void
shm_crash_point(void)
{
    if (++passed == armed_at)
        kill(getpid(), SIGKILL);
}

#else
typedef int shm_crash_unused; /* ISO C forbids an empty translation unit */
#endif
