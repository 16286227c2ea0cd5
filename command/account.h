/* account.h - what a command cost, from exec: statistics, slow log, latency events, MONITOR.
 *
 * A batch of requests (exec_ahead_begin) reads the parameters once. Between two stamps of the clock stands a group of
 * calls of one cheap command, which share the time equally; everything else is a group of one (see stats.h). Time that
 * passes outside commands is in no group: who does something else between them ends the part (account_rest).
 *
 * Process: workers. Locks: the slow log's, the latency table's or MONITOR's, where there is something to write; the caller
 * holds none.
 */
#ifndef KVSTASH_COMMAND_ACCOUNT_H
#define KVSTASH_COMMAND_ACCOUNT_H

#include "base/ticks.h"
#include "command/cmd.h"
#include "command/control.h"

#define ACCOUNT_LARGE 4096u /* bytes of an argument or a reply from which on a command is timed alone */

/* A new batch: the parameters are read anew. */
void account_batch(struct engine *e);

/* What follows is no command: the next one begins its own time. */
void account_rest(struct engine *e);

/* A command that was not run: `row` is NULL if there is none. Its error stands in out from mark on. */
void account_refused(struct engine *e, const struct command_row *row, const struct resp_out *out, size_t mark);

/* Closes the group that ends with this call. */
void account_close(struct engine *e, const struct cmd *c);
/* The same of a group whose last call's arguments are gone. */
void account_close_late(struct engine *e);
/* Counts the error that stands in out from mark on. */
void account_failed(struct engine *e, const struct command_row *row, const struct resp_out *out, size_t mark);

/* Is one run of the command like another, and short? Most requests are of the row that was asked for before. */
static inline bool
account_is_cheap(struct exec_state *x, const struct command_row *row)
{
    if (__builtin_expect(row != x->cheap_asked, 0)) {
        x->cheap_asked = row;
        x->cheap = row && stats_is_cheap(row);
    }
    return x->cheap;
}

static inline void
account_begin(struct engine *e, const struct command_row *row)
{
    struct exec_state *x = &e->exec;
    if (x->group_calls && __builtin_expect(x->group_row != row, 0))
        account_close_late(e);
    if (x->ticks == 0)
        x->ticks = ticks_now(x->ns_per_tick);
}

/* The command has run; `alike`: the next request is of the same row. */
static inline void
account_end(struct engine *e, const struct cmd *c, size_t mark, bool alike)
{
    struct exec_state *x = &e->exec;
    const struct buf *b = c->out->buf;
    x->group_row = c->row;
    x->group_calls++;
    if (b->len > mark && __builtin_expect(b->data[mark] == '-', 0))
        account_failed(e, c->row, c->out, mark);
    if (!alike || x->alone || e->tx.waits != x->waits || c->argv[c->argc - 1].len > ACCOUNT_LARGE || b->len > mark + ACCOUNT_LARGE)
        account_close(e, c);
}

#endif
