/* control.h - the page that all processes share besides the keys: identity, counters, statistics of each slot.
 *
 * At region->shared, zeroed at creation. The master fills the identity before it forks; S: the rest.
 */
#ifndef KVSTASH_COMMAND_CONTROL_H
#define KVSTASH_COMMAND_CONTROL_H

#include <stdatomic.h>
#include <stdint.h>

#include "shm/shm_layout.h"

#define CONTROL_RUN_ID 40
#define CONTROL_VERSION "0.1.0"

/* One process slot's numbers: relaxed stores of its owner, summed by readers. Gauges are zeroed at a takeover. */
struct control_slot_sh {
    _Alignas(64) _Atomic uint64_t clients; /* gauge */
    _Atomic uint64_t connections;          /* total */
    _Atomic uint64_t commands;
    _Atomic uint64_t hits, misses, expired;
};

struct control_sh {
    char run_id[CONTROL_RUN_ID + 1];
    int64_t started_ms;
    uint32_t port, workers;
    uint32_t max_clients, debug_allowed;
    uint32_t timeout_s; /* close idle clients after; 0: never */
    _Alignas(64) _Atomic uint64_t next_client; /* C: ids ascend over all workers */
    _Atomic uint32_t shutdown;                 /* C: 1 asks the master for an orderly end */
    _Atomic int64_t pause_until_ms;            /* C: CLIENT PAUSE, wall clock; 0: none */
    _Atomic uint32_t pause_all;                /* C: not only writes */
    _Atomic uint32_t active_expire_off;        /* C: DEBUG SET-ACTIVE-EXPIRE 0 */
    struct control_slot_sh slot[SHM_SLOTS_MAX];
};

#endif
