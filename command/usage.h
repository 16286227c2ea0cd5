/* usage.h - what the server takes of the machine: memory by its use, processor time; summed over all processes.
 *
 * Each process publishes its own part (class S) a few times a second; whoever is asked sums.
 *
 * Process: all with an engine; the master its processor time alone. Locks: none.
 */
#ifndef KVSTASH_COMMAND_USAGE_H
#define KVSTASH_COMMAND_USAGE_H

#include <stdint.h>

#include "command/engine.h"

/* Bytes. */
struct usage_memory {
    uint64_t used;     /* as maxmemory counts: what follows but the last three */
    uint64_t startup;  /* fixed parts of the region: locks, journals, statistics */
    uint64_t blocks;   /* keys, values and indexes */
    uint64_t clients;  /* buffers of connections */
    uint64_t peak;     /* largest value of used that was seen */
    uint64_t committed; /* of the region's file */
    uint64_t resident; /* committed, and private memory of all processes */
};
void usage_memory(const struct engine *e, struct usage_memory *m);

/* This process's part; from its regular work, a few times a second. */
void usage_publish(struct engine *e);

struct control_sh;
/* The same for the master, which has no slot. */
void usage_publish_master(struct control_sh *c);

struct usage_cpu {
    uint64_t user_us, system_us; /* since the region was made, of all processes that live or lived */
};
void usage_cpu(const struct engine *e, struct usage_cpu *u);

#endif
