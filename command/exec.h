/* exec.h - runs one request of one session: checks, locks, the command's function, commit.
 *
 * Everything between the parsed request and the reply is decided here: the row, its arity, authentication, the
 * memory limit; which keys, which shards; the transaction; what is logged; statistics, slow log, MONITOR.
 *
 * Process: workers (and tests). Locks: holds none before and after. Crash: what a command changed is its transaction's.
 */
#ifndef KVSTASH_COMMAND_EXEC_H
#define KVSTASH_COMMAND_EXEC_H

#include <stdbool.h>

#include "command/engine.h"
#include "command/session.h"
#include "resp/resp_parse.h"
#include "resp/resp_write.h"

enum exec_result {
    EXEC_DONE,  /* one reply was written (or none: CLIENT REPLY OFF) */
    EXEC_AGAIN, /* nothing happened, no reply: memory must be committed or the log read first; run it again later */
    EXEC_CLOSE, /* the connection must be closed; what is in the buffer before out's failure may be sent first */
};

/* Runs a request. argv points into the caller's input and stays valid during the call. */
enum exec_result exec_run(struct engine *e, struct session *s, int argc, const struct resp_arg *argv, struct resp_out *out);

/* To be called with each batch of parsed requests before the first is run: looks up rows and positions and prefetches
 * what the look-ups will read. It decides nothing: a request may be run without, after, or never. What it noted is
 * used by exec_run for a request with the same argv, in the batch's order, and forgotten at the next call: so a caller
 * who runs a request that belongs to no batch first calls it with n = 0. */
void exec_prefetch(struct engine *e, const struct session *s, const struct resp_request *reqs, int n);

#endif
