/* rand.c - random numbers (see rand.h). The seed comes from the kernel, or from the clock where that refuses. */
#include "base/rand.h"

#include <sys/random.h>
#include <time.h>
#include <unistd.h>

static void
seed(struct rand *r)
{
    struct timespec t;
    if (getrandom(r->s, sizeof r->s, GRND_NONBLOCK) == (ssize_t)sizeof r->s && (r->s[0] | r->s[1]) != 0)
        return;
    clock_gettime(CLOCK_MONOTONIC, &t);
    r->s[0] = (uint64_t)t.tv_nsec << 32 | (uint64_t)getpid();
    r->s[1] = ~(uint64_t)t.tv_sec;
}

static uint64_t
rotate(uint64_t v, int by)
{
    return v << by | v >> (64 - by);
}

uint64_t
rand_next(struct rand *r)
{
    if ((r->s[0] | r->s[1]) == 0)
        seed(r);
    uint64_t a = r->s[0], b = r->s[1] ^ a, out = rotate(a + r->s[1], 17) + a;
    r->s[0] = rotate(a, 49) ^ b ^ b << 21;
    r->s[1] = rotate(b, 28);
    return out;
}

uint64_t
rand_below(struct rand *r, uint64_t n)
{
    return (uint64_t)((unsigned __int128)rand_next(r) * n >> 64);
}
