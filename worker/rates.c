/* rates.c - commands and bytes a second (see rates.h).
 *
 * A sample is what the slot's totals grew by since the last one, over the time that passed; the rate is the mean of the last
 * RATES_SAMPLES, so it settles within that many looks and needs no memory beyond a ring.
 */
#include "worker/rates.h"

#define SECOND_NS 1000000000

static uint64_t
average(const uint64_t sample[RATES_SAMPLES])
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < RATES_SAMPLES; i++)
        sum += sample[i];
    return sum / RATES_SAMPLES;
}

void
rates_take(struct rates *r, struct control_slot_sh *s, int64_t now_ns)
{
    _Atomic uint64_t *const total[RATES_KINDS] = {&s->commands, &s->bytes_in, &s->bytes_out};
    _Atomic uint64_t *const rate[RATES_KINDS] = {&s->ops_a_second, &s->in_a_second, &s->out_a_second};
    int64_t passed = now_ns - r->last_ns;
    if (passed <= 0)
        return;
    for (unsigned k = 0; k < RATES_KINDS; k++) {
        uint64_t now = atomic_load_explicit(total[k], memory_order_relaxed);
        if (r->last_ns) /* else there is nothing to compare with */
            r->sample[k][r->next] = (uint64_t)((double)(now - r->last[k]) * SECOND_NS / (double)passed);
        r->last[k] = now;
        atomic_store_explicit(rate[k], average(r->sample[k]), memory_order_relaxed);
    }
    r->next = (r->next + 1) % RATES_SAMPLES;
    r->last_ns = now_ns;
}
