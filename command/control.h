/* control.h - the page that all processes share besides the keys: identity, parameters, statistics of each slot.
 *
 * At region->shared, zeroed at creation. The master fills the identity before it forks; S: the rest.
 */
#ifndef KVSTASH_COMMAND_CONTROL_H
#define KVSTASH_COMMAND_CONTROL_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "command/config.h"
#include "command/latency.h"
#include "command/loading.h"
#include "command/monitor.h"
#include "command/persist.h"
#include "command/slowlog.h"
#include "command/stats.h"
#include "shm/shm_layout.h"

#define CONTROL_RUN_ID 40
#define CONTROL_VERSION "0.1.0"
#define CONTROL_PATH_MAX 4096
#define CONTROL_END_BITS 8     /* of end_asked that hold flags */
#define CONTROL_ANSWER_BITS 16 /* of rewrite_answered that hold the errno */

/* How the server is to end; the first four are those of shutdown-on-sigterm and -sigint. */
enum control_end {
    CONTROL_END_SAVE = 1 << 0,   /* even without save points */
    CONTROL_END_NOSAVE = 1 << 1, /* even with save points */
    CONTROL_END_NOW = 1 << 2,
    CONTROL_END_FORCE = 1 << 3,  /* even if the save fails */
    CONTROL_END_ABORT = 1 << 4,  /* SHUTDOWN ABORT; never in end_asked */
};

/* One process slot's numbers: relaxed stores of its owner, summed by readers. Gauges are zeroed at a takeover. */
struct control_slot_sh {
    _Alignas(64) _Atomic uint64_t clients; /* gauge; gauges stand before connections, totals from there on */
    _Atomic uint64_t monitors;             /* clients in MONITOR */
    _Atomic uint64_t ops_a_second, in_a_second, out_a_second; /* commands and bytes, over the last 1.6 s */
    _Atomic uint64_t input_max, output_max; /* largest buffers of a client in the last seconds */
    _Atomic uint64_t private_resident;     /* bytes */
    _Atomic uint64_t connections;          /* total */
    _Atomic uint64_t commands;
    _Atomic uint64_t hits, misses, expired;
    _Atomic uint64_t changes;              /* of data, as rdb_changes_since_last_save counts them */
    _Atomic uint64_t refused;              /* connections, beyond maxclients */
    _Atomic uint64_t evicted_clients;      /* closed for their memory */
    _Atomic uint64_t errors;               /* error replies */
    _Atomic uint64_t reads, writes, bytes_in, bytes_out; /* of sockets */
    _Atomic uint64_t output_limits;        /* clients closed for their output buffer */
    _Atomic uint64_t user_us, system_us;   /* processor time */
};

struct control_sh {
    char run_id[CONTROL_RUN_ID + 1];
    int64_t started_ms;
    uint32_t port, workers;
    char config_file[CONTROL_PATH_MAX];        /* absolute; "": none */
    uint32_t descriptors; /* that a process may need beside its clients' */
    uint64_t ns_per_tick; /* base/ticks.h */
    uint64_t private_limit; /* bytes that all clients' buffers may take on this machine */
    _Alignas(64) _Atomic uint64_t next_client; /* C: ids ascend over all workers */
    _Atomic uint64_t end_asked;                /* C: number of SHUTDOWNs asked for, and the last one's flags in the low bits */
    _Atomic uint64_t end_refused;              /* S of the master: number of the last of them that came to nothing */
    _Atomic uint64_t end_aborted;              /* C: number of the last of them that is to come to nothing */
    _Atomic uint64_t rewrite_asked;            /* C: number of CONFIG REWRITEs asked for */
    _Atomic uint64_t rewrite_answered;         /* S of the master: the last of them that is done, and its errno in the low bits */
    _Atomic uint32_t region_file_gone;         /* the region's file has lost its name; S of the master */
    _Atomic int64_t pause_until_ms;            /* C: CLIENT PAUSE, wall clock; 0: none */
    _Atomic uint32_t pause_all;                /* C: not only writes */
    _Atomic uint32_t active_expire_off;        /* C: DEBUG SET-ACTIVE-EXPIRE 0 */
    _Atomic uint64_t memory_peak;              /* C: raised only */
    _Atomic uint64_t master_user_us, master_system_us;
    _Atomic uint64_t stats_generation;         /* C: raised by each reset of commands' statistics */
    struct control_slot_sh slot[SHM_SLOTS_MAX];
    struct control_slot_sh before; /* under CONFIG: the totals at the last CONFIG RESETSTAT, which readers subtract */
    struct persist_sh persist;
    struct loading_sh loading;
    struct config_page_sh config;
    struct latency_sh latency;
    struct slowlog_sh slowlog;
    struct monitor_sh monitor;
    struct stats_sh stats[]; /* one for each worker */
};

/* Bytes of the page with this many workers. */
static inline size_t
control_bytes(unsigned workers)
{
    return sizeof(struct control_sh) + workers * sizeof(struct stats_sh);
}
/* The persister's slot: whom a request to it wakes. */
static inline unsigned
control_persister(const struct control_sh *c)
{
    return c->workers + 1;
}
/* A worker slot's numbers of commands. */
static inline struct stats_sh *
control_stats(const struct control_sh *c, unsigned slot)
{
    return (struct stats_sh *)(uintptr_t)&c->stats[slot];
}

/* A member of control_slot_sh over all slots, by its offset; a total counts from the last CONFIG RESETSTAT on. */
uint64_t control_sum(const struct control_sh *c, size_t member);
#define CONTROL_SUM(control, member) control_sum((control), offsetof(struct control_slot_sh, member))
/* Changes of data since the region was made, whatever CONFIG RESETSTAT did. */
uint64_t control_changes(const struct control_sh *c);
/* A new owner of a slot begins with no clients. */
void control_clear_gauges(struct control_sh *c, unsigned slot);
/* Lets all totals begin at 0 again: nobody can write other processes' counters, so what they are now is kept. Needs CONFIG. */
void control_reset_totals(struct control_sh *c);

#endif
