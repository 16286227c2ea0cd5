/* bench_histogram.c - latencies, counted by size (see bench_histogram.h).
 *
 * A bucket's number is the value's exponent and its eight leading bits, found by counting zeros; so adding is one increment, and
 * a quantile is a walk over the counts. A bucket stands for its smallest value.
 */
#include "cli/bench_histogram.h"

#include <string.h>

#include "base/xassert.h"

/* A value of e bits more than the linear part's is cut to its 8 leading bits; each e has HALF buckets. */
static unsigned
bucket_of(uint64_t value)
{
    if (value < BENCH_HISTOGRAM_LINEAR)
        return (unsigned)value;
    unsigned e = 56u - (unsigned)__builtin_clzll(value);
    return e * BENCH_HISTOGRAM_HALF + (unsigned)(value >> e);
}

/* The smallest value of a bucket. */
static uint64_t
value_of(unsigned bucket)
{
    if (bucket < BENCH_HISTOGRAM_LINEAR)
        return bucket;
    unsigned e = bucket / BENCH_HISTOGRAM_HALF - 1;
    return (uint64_t)(bucket - e * BENCH_HISTOGRAM_HALF) << e;
}

void
bench_histogram_reset(struct bench_histogram *h)
{
    memset(h, 0, sizeof *h);
}

void
bench_histogram_add(struct bench_histogram *h, uint64_t value, uint64_t times)
{
    h->bucket[bucket_of(value)] += times;
    h->count += times;
    if (value > h->max)
        h->max = value;
}

uint64_t
bench_histogram_quantile(const struct bench_histogram *h, double q)
{
    xassert(q >= 0 && q <= 1);
    uint64_t rank = (uint64_t)((double)h->count * q), seen = 0;
    for (unsigned i = 0; i < BENCH_HISTOGRAM_BUCKETS; i++) {
        seen += h->bucket[i];
        if (seen > rank)
            return value_of(i);
    }
    return h->max;
}

uint64_t
bench_histogram_between(const struct bench_histogram *h, uint64_t from, uint64_t to)
{
    uint64_t n = 0;
    for (unsigned i = bucket_of(from); i < bucket_of(to); i++)
        n += h->bucket[i];
    return n;
}
