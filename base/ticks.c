/* ticks.c - the rate of the time stamp counter (see ticks.h).
 *
 * The rate is measured once against the monotonic clock, for a millisecond: good enough to tell how long things take, not to
 * tell what time it is. Where the processor does not promise one rate, 0 says so.
 */
#include "base/ticks.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#define MEASURE_NS 1000000u

#if defined(__x86_64__)
/* Does the counter run at one rate whatever the processor's frequency is? (AMD64 manual, CPUID 8000_0007: bit 8 of EDX) */
static bool
is_constant(void)
{
    unsigned a, b, c, d;
    return __get_cpuid(0x80000007u, &a, &b, &c, &d) && (d >> 8 & 1);
}
#endif

uint64_t
ticks_measure(void)
{
#if defined(__x86_64__)
    if (!is_constant())
        return 0;
    uint64_t from_ns = ticks_now(0), from = __rdtsc(), ns;
    while ((ns = ticks_now(0) - from_ns) < MEASURE_NS)
        ;
    return (uint64_t)(((unsigned __int128)ns << 32) / (__rdtsc() - from));
#else
    return 0;
#endif
}
