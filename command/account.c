/* account.c - the ends of groups (see account.h).
 *
 * What runs at every command is inline in the header; here is what runs once a group: the stamp, the statistics, and the rare
 * slow log entry or latency event. After writing one of these the next command gets a stamp of its own, so that the time
 * they take is nobody's. Not its job: to keep the numbers (stats.c, slowlog.c, latency.c).
 */
#include "command/account.h"

#include "command/latency.h"
#include "command/slowlog.h"
#include "command/stats.h"

#define ALONE_BELOW_US 1000 /* a slow log that looks for less has every command timed alone */

static void
read_parameters(struct engine *e)
{
    struct exec_state *x = &e->exec;
    int64_t slower_us = config_number(e, PARAM_SLOWLOG_LOG_SLOWER_THAN);
    x->slow_ns = slower_us < 0 ? UINT64_MAX : slower_us > INT64_MAX / 1000 ? UINT64_MAX : (uint64_t)slower_us * 1000;
    x->alone = slower_us >= 0 && slower_us < ALONE_BELOW_US;
    x->histogram = config_yes(e, PARAM_LATENCY_TRACKING);
    x->latency = config_yes(e, PARAM_LATENCY_MONITOR_THRESHOLD);
    stats_refresh(e);
}

void
account_batch(struct engine *e)
{
    struct exec_state *x = &e->exec;
    x->ticks = 0;
    x->group_calls = 0;
    x->waits = e->tx.waits;
    x->ns_per_tick = e->control->ns_per_tick;
    read_parameters(e);
}

/* Ends the group: its time goes into the statistics and is returned, in ns. */
static uint64_t
close_group(struct engine *e)
{
    struct exec_state *x = &e->exec;
    uint64_t now = ticks_now(x->ns_per_tick), ns = ticks_to_ns(x->ns_per_tick, now - x->ticks);
    stats_calls(e, stats_id(x->group_row), x->group_calls, ns, x->histogram);
    x->ticks = now;
    x->group_calls = 0;
    x->waits = e->tx.waits;
    return ns;
}

void
account_close_late(struct engine *e)
{
    close_group(e);
}

void
account_rest(struct engine *e)
{
    if (e->exec.group_calls)
        close_group(e);
    e->exec.ticks = 0;
}

void
account_close(struct engine *e, const struct cmd *c)
{
    struct exec_state *x = &e->exec;
    if (c->row->flags & CMD_ADMIN) /* it may have changed them */
        read_parameters(e);
    uint64_t ns = close_group(e);
    if (__builtin_expect(ns >= x->slow_ns, 0) && !(c->row->flags & CMD_SKIP_SLOWLOG)) {
        slowlog_add(e, c->session, c->row, c->argc, c->argv, ns);
        x->ticks = 0;
    }
    if (__builtin_expect(x->latency, 0)) {
        latency_add(e, c->row->flags & CMD_FAST ? "fast-command" : "command", ns);
        x->ticks = 0;
    }
}

void
account_failed(struct engine *e, const struct command_row *row, const struct resp_out *out, size_t mark)
{
    const struct buf *b = out->buf;
    stats_error(e, b->data + mark + 1, b->len - mark - 1);
    e->exec.errors++;
    if (row)
        stats_failed(e, stats_id(row));
}

void
account_refused(struct engine *e, const struct command_row *row, const struct resp_out *out, size_t mark)
{
    if (out->buf->len <= mark)
        return;
    account_failed(e, NULL, out, mark);
    if (row)
        stats_rejected(e, stats_id(row));
}
