/* clock.c - the two clocks in whole numbers (see clock.h).
 *
 * The kernel's own calls, as numbers that can be subtracted. They go through clock_gettime and nothing else, so that a test which
 * wraps that call decides what time it is.
 */
#include "base/clock.h"

#define SECOND_NS 1000000000LL

int64_t
clock_wall_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t
clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * SECOND_NS + t.tv_nsec;
}

struct timespec
clock_after_us(int64_t us)
{
    int64_t ns = clock_ns() + us * 1000;
    return (struct timespec){.tv_sec = ns / SECOND_NS, .tv_nsec = ns % SECOND_NS};
}
