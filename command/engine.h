/* engine.h - what commands of one process share: region, transaction, configuration, shared control page.
 *
 * Made once a process after fork (worker, housekeeper, tests). No locks: one thread.
 */
#ifndef KVSTASH_COMMAND_ENGINE_H
#define KVSTASH_COMMAND_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "command/exec_state.h"
#include "shm/shm_tx.h"

struct control_sh; /* command/control.h: the shared page of configuration, clients, statistics */
struct session;

/* What the process around the commands does for them; members may be NULL where a process cannot. */
struct engine_hooks {
    void *arg;
    /* Wakes the master to look at what it is asked for in the control page. */
    void (*wake_master)(void *arg);
    /* Wakes the process of another slot to look at what is wanted: bits of enum shm_proc_wanted. */
    void (*wake)(void *arg, unsigned slot, uint32_t wanted);
};

struct engine {
    struct shm_region *region;
    struct shm_tx tx;
    unsigned slot;
    struct control_sh *control;
    struct engine_hooks hooks;
    uint64_t user_us, system_us; /* processor time that usage_publish has told */
    bool cluster;               /* key slots from CRC16 and hash tags */
    struct exec_state exec;     /* command/exec.c's and keyspace.c's own; zero at the start */
    uint64_t read_block[1024];  /* room for one lock-free copy (8 KiB, aligned) */
};

/* Binds an engine to a slot that this process has taken. False if private memory is short. */
bool engine_open(struct engine *e, struct shm_region *r, unsigned slot);
void engine_close(struct engine *e);
/* Adds what exec and keyspace counted since the last call to the slot's shared numbers. Once a loop turn. */
void engine_publish(struct engine *e);

#endif
