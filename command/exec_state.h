/* exec_state.h - what exec.c and keyspace.c keep between the commands of one process.
 *
 * Part of struct engine, zero at the start. Private memory, one thread.
 */
#ifndef KVSTASH_COMMAND_EXEC_STATE_H
#define KVSTASH_COMMAND_EXEC_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/rand.h"

#include "shm/shm_table.h"

#define EXEC_BATCH_MAX 64 /* requests looked up ahead */

struct cmd_key;
struct command_row;
struct resp_arg;

/* A request looked up ahead (exec_ahead_add). */
struct exec_ahead {
    const struct resp_arg *argv;
    const struct command_row *row; /* NULL: not looked up */
    bool alike;                    /* the request behind it is of the same row, and the row is cheap */
    struct shm_ahead key;          /* of the first key, if the row has one in a fixed place; else position is 0 */
};

struct exec_state {
    struct exec_ahead ahead[EXEC_BATCH_MAX];
    unsigned ahead_next, ahead_count;
    uint32_t patience_us;      /* how long a command waits for a lock before it is run again later; see enter_patiently */
    bool log_always;           /* persist.c's: replies wait for the disk (appendfsync always) */
    bool log_late;             /* writing commands wait: the disk is late (everysec) */
    bool gated;                /* the gate is closed: loading_answer tells what commands get */
    bool saves_fail;           /* writing commands are refused if parameters say so: snapshots fail */
    uint32_t log_errno;        /* writing commands are refused: the append-only file cannot be written */
    uint16_t clock;            /* access clock: seconds, cut to 16 bits */
    uint64_t commands;         /* run and not yet added to the statistics */
    uint64_t hits, misses;     /* keyspace_hits, keyspace_misses not yet added to the statistics */
    uint64_t expired;          /* expired_keys likewise */
    uint64_t changes;          /* rdb_changes_since_last_save likewise */
    struct cmd_key *keys;      /* room for commands with many keys; owned, kept */
    unsigned keys_cap;
    struct rand random;        /* for RANDOMKEY, HRANDFIELD and the like */
    /* account.c's: the running group of calls, and what it reads once a batch */
    uint64_t ticks;            /* tick count when the last group ended; 0: the next command takes it */
    uint64_t ns_per_tick;
    const struct command_row *group_row;
    unsigned group_calls;
    const struct command_row *cheap_asked;
    bool cheap;
    bool alone;                /* every command is a group of one */
    bool histogram, latency;   /* latency-tracking, latency-monitor-threshold */
    uint64_t slow_ns;          /* slowlog-log-slower-than; UINT64_MAX: no slow log */
    uint64_t waits;            /* tx.waits at the last stamp */
    uint64_t errors;           /* error replies not yet added to the statistics */
};

#endif
