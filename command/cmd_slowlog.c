/* cmd_slowlog.c - SLOWLOG: the commands that took longer than slowlog-log-slower-than, of all workers.
 *
 * Process: workers. Locks: the slow log's, inside command/slowlog.c.
 */
#include <stdlib.h>

#include "command/cmd_rows.h"
#include "command/cmd.h"
#include "command/slowlog.h"

#define COUNT_DEFAULT 10

void
cmd_slowlog_len(struct cmd *c)
{
    resp_out_int(c->out, (int64_t)slowlog_length(c->engine));
}

void
cmd_slowlog_reset(struct cmd *c)
{
    slowlog_reset(c->engine);
    resp_out_ok(c->out);
}

static const char *
reply_text(struct cmd *c, const char *at, uint32_t len)
{
    resp_out_bulk(c->out, at, len);
    return at + len;
}

static void
reply_entry(struct cmd *c, const char *at)
{
    struct slowlog_entry e;
    memcpy(&e, at, sizeof e);
    const char *peer = at + sizeof e, *name = peer + e.peer_len, *arg = name + e.name_len;
    resp_out_array(c->out, 6);
    resp_out_int(c->out, (int64_t)e.id);
    resp_out_int(c->out, e.time_s);
    resp_out_int(c->out, e.duration_us);
    resp_out_array(c->out, e.argc);
    for (uint32_t i = 0; i < e.argc; i++) {
        uint32_t len;
        memcpy(&len, arg, sizeof len);
        arg = reply_text(c, arg + sizeof len, len);
    }
    reply_text(c, peer, e.peer_len);
    reply_text(c, name, e.name_len);
}

/* The newest first, so the places of all come first. */
static void
reply_newest(struct cmd *c, const char *all, size_t n, size_t want)
{
    const char **at = malloc(n * sizeof *at + 1);
    if (!at) {
        cmd_error(c, "ERR no private memory for the entries");
        return;
    }
    for (size_t i = 0; i < n; i++) {
        struct slowlog_entry e;
        at[i] = all;
        memcpy(&e, all, sizeof e);
        all += e.bytes;
    }
    resp_out_array(c->out, want < n ? want : n);
    for (size_t i = n; i > 0 && n - i < want; i--)
        reply_entry(c, at[i - 1]);
    free(at);
}

void
cmd_slowlog_get(struct cmd *c)
{
    int64_t want = COUNT_DEFAULT;
    size_t n = 0;
    if (c->argc > 3) {
        cmd_error(c, "ERR unknown subcommand or wrong number of arguments for '%.*s'. Try SLOWLOG HELP.", (int)cmd_arg_len(c, 1),
            cmd_arg(c, 1));
        return;
    }
    if (c->argc == 3 && !cmd_arg_int_range(c, 2, -1, INT64_MAX, &want, "ERR count should be greater than or equal to -1"))
        return;
    char *all = slowlog_copy(c->engine, &n);
    if (all)
        reply_newest(c, all, n, want < 0 ? n : (size_t)want);
    else
        cmd_error(c, "ERR no private memory for the entries");
    free(all);
}
