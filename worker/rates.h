/* rates.h - commands and bytes a second, averaged over the last samples, for INFO. Process: worker. Locks: none. */
#ifndef KVSTASH_WORKER_RATES_H
#define KVSTASH_WORKER_RATES_H

#include <stdint.h>

#include "command/control.h"

#define RATES_SAMPLES 16
#define RATES_KINDS 3 /* commands, bytes in, bytes out */

/* Zeroed at the start. */
struct rates {
    uint64_t last[RATES_KINDS]; /* totals at the last sample */
    uint64_t sample[RATES_KINDS][RATES_SAMPLES];
    int64_t last_ns;
    unsigned next;
};

/* A sample, from the worker's regular work; publishes the averages in its slot. */
void rates_take(struct rates *r, struct control_slot_sh *s, int64_t now_ns);

#endif
