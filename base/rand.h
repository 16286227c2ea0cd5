/* rand.h - random numbers for choosing and sampling (never for secrets): fast, private to one process.
 *
 * xoroshiro128++ by David Blackman and Sebastiano Vigna (public domain description at prng.di.unimi.it).
 */
#ifndef KVSTASH_BASE_RAND_H
#define KVSTASH_BASE_RAND_H

#include <stdint.h>

/* A state of all zeros seeds itself at first use. */
struct rand {
    uint64_t s[2];
};

uint64_t rand_next(struct rand *r);
/* 0 .. n - 1, evenly to within n in 2^64; n >= 1. */
uint64_t rand_below(struct rand *r, uint64_t n);

#endif
