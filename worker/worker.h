/* worker.h - what a worker's modules share: loop, engine, its connections. One thread; no locks. */
#ifndef KVSTASH_WORKER_WORKER_H
#define KVSTASH_WORKER_WORKER_H

#include <ev.h>
#include <stdbool.h>

#include "command/control.h"
#include "command/engine.h"
#include "process/heritage.h"
#include "worker/rates.h"

struct conn;

struct conn_list {
    struct conn *first, *last;
};

struct worker {
    const struct heritage *heritage;
    struct ev_loop *loop;
    struct engine engine;
    struct conn *conns;        /* all connections, newest first */
    struct conn *monitors;     /* those that show commands (monitors.h) */
    struct conn *parked;       /* those whose next command waits for memory, newest first */
    struct conn_list ready;    /* those with input to run, in the order of its arrival (turn.h) */
    struct conn_list answered; /* those whose replies are to leave at the end of this turn */
    struct conn_list held;     /* those whose replies wait for the disk (hold.h) */
    struct conn *sweep;        /* next connection that the cron looks at; NULL: begin again */
    ev_tstamp accept_told;     /* last message about a failed accept; 0: none */
    struct rates rates;
    unsigned crons;            /* regular looks so far */
    uint64_t input_max, output_max; /* largest buffers that the sweep has seen in this round */
    uint64_t private_bytes;    /* buffers of the connections the sweep has passed in this round */
    bool draining;
    ev_io listener[HERITAGE_ADDRESSES_MAX], unix_listener, orders, wake;
    ev_timer cron, retry, accept_again;
    ev_idle more;              /* runs while input is left over: the loop must not sleep */
    ev_prepare before_wait;
    ev_check after_wait;
};

#endif
