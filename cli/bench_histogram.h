/* bench_histogram.h - latencies, counted by size.
 *
 * Log-linear: 128 buckets for each doubling, so that a quantile is at most 1/128 too small at any size; constant memory and a
 * few instructions a value. The largest value is kept exactly. Process: kvstash-benchmark; one thread. Fails: never.
 * The idea is HdrHistogram's (Gil Tene).
 */
#ifndef KVSTASH_CLI_BENCH_HISTOGRAM_H
#define KVSTASH_CLI_BENCH_HISTOGRAM_H

#include <stdint.h>

#define BENCH_HISTOGRAM_LINEAR 256u /* values below stand for themselves */
#define BENCH_HISTOGRAM_HALF (BENCH_HISTOGRAM_LINEAR / 2)
#define BENCH_HISTOGRAM_BUCKETS (BENCH_HISTOGRAM_LINEAR + BENCH_HISTOGRAM_HALF * 56) /* all 64-bit values */

struct bench_histogram {
    uint64_t bucket[BENCH_HISTOGRAM_BUCKETS];
    uint64_t count, max;
};

void bench_histogram_reset(struct bench_histogram *h);
/* Counts value `times` times. */
void bench_histogram_add(struct bench_histogram *h, uint64_t value, uint64_t times);
/* The value that the share q (0 to 1) of all counted ones does not exceed; 0 if there are none. */
uint64_t bench_histogram_quantile(const struct bench_histogram *h, double q);
/* How many lie from `from` up to, not including, `to`; exact where both are powers of two. */
uint64_t bench_histogram_between(const struct bench_histogram *h, uint64_t from, uint64_t to);

#endif
