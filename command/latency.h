/* latency.h - delays that were worth keeping, by event: what LATENCY tells. One table for all processes, in the control page.
 *
 * An event is a name ("command", "expire-cycle" ...) with its last LATENCY_SAMPLES samples, one for each second at most:
 * a second's largest. Nothing is kept while latency-monitor-threshold is 0.
 *
 * Process: all with an engine. Locks: registry LATENCY, taken here; the caller may hold nothing. Crash: a sample is one
 * store; the place of the next is moved after it.
 */
#ifndef KVSTASH_COMMAND_LATENCY_H
#define KVSTASH_COMMAND_LATENCY_H

#include <stdatomic.h>
#include <stdint.h>

#define LATENCY_EVENTS 32u
#define LATENCY_SAMPLES 160u /* as in Redis */
#define LATENCY_NAME_MAX 32u

struct latency_sample {
    uint32_t time_s, ms; /* time_s 0: none */
};

struct latency_event_sh {
    char name[LATENCY_NAME_MAX]; /* empty: free */
    uint32_t next;               /* place of the next sample */
    uint32_t max_ms;             /* since the reset */
    struct latency_sample sample[LATENCY_SAMPLES];
};

/* Under the lock. */
struct latency_sh {
    struct latency_event_sh event[LATENCY_EVENTS];
};

struct engine;
/* Keeps a delay, if the threshold says so. */
void latency_add(struct engine *e, const char *event, uint64_t ns);
/* A copy of the table. */
void latency_copy(struct engine *e, struct latency_sh *copy);
/* Forgets one event, or with NULL all; returns how many were there. */
unsigned latency_reset(struct engine *e, const char *event);

#endif
