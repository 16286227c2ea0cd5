/* clock_gap.c - the machine's own noise: the longest time that a thread which only reads the clock does not run.
 *
 * clock_gap SECONDS prints the longest gap between two readings and the gaps above 100 us, in microseconds. No server can
 * promise an answer in less than what this shows. Process: on its own, pinned by the caller.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define LONG_NS 100000u

static uint64_t
now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

int
main(int argc, char **argv)
{
    double seconds = argc == 2 ? strtod(argv[1], NULL) : 0;
    if (!(seconds > 0 && seconds <= 3600)) {
        fprintf(stderr, "usage: clock_gap SECONDS (up to 3600)\n");
        return 2;
    }
    uint64_t last = now_ns(), end = last + (uint64_t)(seconds * 1e9), longest = 0, many = 0;
    while (last < end) {
        uint64_t now = now_ns(), gap = now - last;
        longest = gap > longest ? gap : longest;
        many += gap > LONG_NS;
        last = now;
    }
    printf("longest_us=%.1f gaps_over_100_us=%llu\n", (double)longest / 1e3, (unsigned long long)many);
    return 0;
}
