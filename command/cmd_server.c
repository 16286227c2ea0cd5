/* cmd_server.c - commands about the connection and the server: PING, ECHO, SELECT, HELLO, QUIT, RESET, TIME, SHUTDOWN.
 *
 * Process: workers. Locks: none.
 */
#include <stdlib.h>
#include <sys/time.h>

#include "command/clients.h"
#include "command/cmd.h"
#include "command/cmd_rows.h"
#include "command/control.h"

void
cmd_ping(struct cmd *c)
{
    if (c->argc > 2)
        cmd_error(c, "ERR wrong number of arguments for 'ping' command");
    else if (c->argc == 2)
        resp_out_bulk(c->out, cmd_arg(c, 1), cmd_arg_len(c, 1));
    else
        resp_out_simple(c->out, "PONG");
}

void
cmd_echo(struct cmd *c)
{
    resp_out_bulk(c->out, cmd_arg(c, 1), cmd_arg_len(c, 1));
}

void
cmd_select(struct cmd *c)
{
    int64_t db;
    if (!cmd_arg_int_range(c, 1, INT32_MIN, INT32_MAX, &db, NULL))
        return;
    if (db < 0 || db >= c->engine->region->databases) {
        cmd_error(c, "ERR DB index is out of range");
        return;
    }
    c->session->db = (unsigned)db;
    resp_out_ok(c->out);
}

void
cmd_quit(struct cmd *c)
{
    c->session->flags |= SESSION_CLOSE_AFTER_REPLY;
    resp_out_ok(c->out);
}

/* The connection is as it was when it began. */
void
cmd_reset(struct cmd *c)
{
    struct session *s = c->session;
    s->db = 0;
    s->resp = c->out->version = 2;
    s->flags &= ~(uint32_t)(SESSION_MONITOR | SESSION_READONLY | SESSION_REPLY_OFF | SESSION_REPLY_SKIP_NEXT);
    free(s->name);
    s->name = NULL;
    free(s->user);
    s->user = NULL;
    clients_update(c->engine, s);
    resp_out_simple(c->out, "RESET");
}

void
cmd_time(struct cmd *c)
{
    struct timeval t;
    gettimeofday(&t, NULL);
    resp_out_array(c->out, 2);
    resp_out_bulkf(c->out, "%ld", (long)t.tv_sec);
    resp_out_bulkf(c->out, "%ld", (long)t.tv_usec);
}

/* ---- HELLO ------------------------------------------------------------------------------------------------------ */

static void
hello_reply(struct cmd *c)
{
    resp_out_map(c->out, 7);
    resp_out_bulk_str(c->out, "server");
    resp_out_bulk_str(c->out, "redis");
    resp_out_bulk_str(c->out, "version");
    resp_out_bulk_str(c->out, "7.0.15");
    resp_out_bulk_str(c->out, "proto");
    resp_out_int(c->out, c->session->resp);
    resp_out_bulk_str(c->out, "id");
    resp_out_int(c->out, (int64_t)c->session->id);
    resp_out_bulk_str(c->out, "mode");
    resp_out_bulk_str(c->out, "standalone");
    resp_out_bulk_str(c->out, "role");
    resp_out_bulk_str(c->out, "master");
    resp_out_bulk_str(c->out, "modules");
    resp_out_array(c->out, 0);
}

void
cmd_hello(struct cmd *c)
{
    int64_t version = c->session->resp;
    if (c->argc > 1 && (!cmd_arg_int_range(c, 1, INT64_MIN, INT64_MAX, &version,
                            "ERR Protocol version is not an integer or out of range")))
        return;
    if (version < 2 || version > 3) {
        cmd_error(c, "NOPROTO unsupported protocol version");
        return;
    }
    c->session->resp = (int)version;
    c->out->version = (int)version;
    hello_reply(c);
}

/* ---- the end ------------------------------------------------------------------------------------------------------ */

/* SHUTDOWN's words. False: an error was replied. */
static bool
shutdown_words(struct cmd *c, bool *abort)
{
    bool save = false, nosave = false, other = false;
    *abort = false;
    for (int i = 1; i < c->argc; i++) {
        if (cmd_arg_is(c, i, "nosave"))
            nosave = true;
        else if (cmd_arg_is(c, i, "save"))
            save = true;
        else if (cmd_arg_is(c, i, "now") || cmd_arg_is(c, i, "force"))
            other = true;
        else if (cmd_arg_is(c, i, "abort"))
            *abort = true;
        else
            save = nosave = true; /* as wrong as both */
    }
    if ((save && nosave) || (*abort && (save || nosave || other))) {
        cmd_error_syntax(c);
        return false;
    }
    return true;
}

void
cmd_shutdown(struct cmd *c)
{
    bool abort;
    if (!shutdown_words(c, &abort))
        return;
    if (abort) { /* a shutdown waits for nobody, so none can be in progress */
        cmd_error(c, "ERR No shutdown in progress.");
        return;
    }
    atomic_store(&c->engine->control->shutdown, 1);
    c->session->flags |= SESSION_CLOSE_AFTER_REPLY; /* without a reply, as in Redis: the connection ends with the server */
}
