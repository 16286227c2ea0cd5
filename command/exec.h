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
    EXEC_AGAIN, /* nothing happened, no reply: memory must be committed, the log read, or a lock be free first; run it again later */
    EXEC_CLOSE, /* the connection must be closed; what is in the buffer before out's failure may be sent first */
};

/* Runs a request. argv points into the caller's input and stays valid during the call. */
enum exec_result exec_run(struct engine *e, struct session *s, int argc, const struct resp_arg *argv, struct resp_out *out);

/* ---- commands of an append-only file, run again (behind the gate, by a loader) ---- */

struct cmd;
enum exec_replay { EXEC_REPLAY_READY, EXEC_REPLAY_UNKNOWN, EXEC_REPLAY_ARITY, EXEC_REPLAY_NO_MEMORY };
/* Finds the row and the keys, so that the caller sees which shards the command concerns; nothing is run. c->keys is valid until the
 * next request of this engine. */
enum exec_replay exec_replay_open(struct cmd *c, struct engine *e, struct session *s, int argc, const struct resp_arg *argv,
    struct resp_out *out);
/* Runs it: no permissions, limits, pauses; no statistics, slow log or MONITOR. DONE: it has replied, maybe with an error. */
enum exec_result exec_replay(struct cmd *c);

/* Looking requests up ahead: rows, positions, and what the look-ups will read brought into the cache. It decides nothing:
 * a request may be run without, after, or never. exec_run and exec_replay_open use what was noted for a request with
 * the same argv if requests are run in the order in which they were added; exec_ahead_begin forgets all. At most EXEC_BATCH_MAX requests
 * are noted, further ones ignored. */
void exec_ahead_begin(struct engine *e);
void exec_ahead_forget(struct engine *e); /* no more than that: for who replays, of whom there are no statistics */
void exec_ahead_add(struct engine *e, const struct session *s, const struct resp_request *reqs, int n);
/* Once, after all were added. */
void exec_ahead_prefetch(struct engine *e);

#endif
