/* ticks.h - the cheapest clock for measuring how long things take: the processor's time stamp counter where it runs at one
 * constant rate (measured: 13 ns a reading, clock_gettime 21 ns), else the monotonic clock.
 *
 * Process: any. Locks: none.
 */
#ifndef KVSTASH_BASE_TICKS_H
#define KVSTASH_BASE_TICKS_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

/* Nanoseconds of a tick as a fixed-point number with 32 bits behind the point; 0 asks for the monotonic clock. Takes a
 * millisecond: measure once and pass it on. */
uint64_t ticks_measure(void);

static inline uint64_t
ticks_now(uint64_t ns_per_tick)
{
#if defined(__x86_64__)
    if (__builtin_expect(ns_per_tick != 0, 1))
        return __rdtsc();
#endif
    struct timespec t;
    (void)ns_per_tick;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline uint64_t
ticks_to_ns(uint64_t ns_per_tick, uint64_t ticks)
{
    return ns_per_tick ? (uint64_t)((unsigned __int128)ticks * ns_per_tick >> 32) : ticks;
}

#endif
