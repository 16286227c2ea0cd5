/* cmd_connection.c - commands about the connection itself: PING, ECHO, SELECT, QUIT, MONITOR, RESET, HELLO.
 *
 * Process: workers. Locks: none.
 */
#include <stdlib.h>

#include "base/decimal.h"
#include "command/clients.h"
#include "command/cmd.h"
#include "command/cmd_auth.h"
#include "command/cmd_client.h"
#include "command/cmd_rows.h"

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
    if (!cmd_arg_int(c, 1, &db))
        return;
    if (db < INT32_MIN || db > INT32_MAX) {
        cmd_error(c, "ERR value is out of range, value must between %d and %d", INT32_MIN, INT32_MAX);
        return;
    }
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

/* A second one says nothing, as in Redis. */
void
cmd_monitor(struct cmd *c)
{
    if (c->session->flags & SESSION_MONITOR)
        return;
    monitor_start(c->engine, c->session);
    clients_update(c->engine, c->session);
    resp_out_ok(c->out);
}

/* The connection is as it was when it began. */
void
cmd_reset(struct cmd *c)
{
    struct session *s = c->session;
    s->db = 0;
    s->resp = c->out->version = 2;
    if (s->flags & SESSION_MONITOR)
        monitor_stop(c->engine, s);
    s->flags &= ~(uint32_t)(SESSION_READONLY | SESSION_REPLY_OFF | SESSION_REPLY_SKIP_NEXT);
    if (config_yes(c->engine, PARAM_REQUIREPASS))
        s->flags &= ~(uint32_t)SESSION_AUTHENTICATED;
    free(s->name);
    s->name = NULL;
    free(s->user);
    s->user = NULL;
    clients_update(c->engine, s);
    resp_out_simple(c->out, "RESET");
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

/* The protocol that HELLO asks for. False: an error was replied. */
static bool
hello_version(struct cmd *c, int64_t *version)
{
    if (!decimal_read(cmd_arg(c, 1), cmd_arg_len(c, 1), version)) {
        cmd_error(c, "ERR Protocol version is not an integer or out of range");
        return false;
    }
    if (*version < 2 || *version > 3) {
        cmd_error(c, "NOPROTO unsupported protocol version");
        return false;
    }
    return true;
}

/* Each option acts at once, also before one that is wrong, as in Redis. False: an error was replied. */
static bool
hello_options(struct cmd *c)
{
    for (int i = 2; i < c->argc; i++) {
        int more = c->argc - 1 - i;
        if (cmd_arg_is(c, i, "auth") && more >= 2) {
            if (!cmd_auth_login(c, &c->argv[i + 1], &c->argv[i + 2]))
                return false;
            i += 2;
        } else if (cmd_arg_is(c, i, "setname") && more >= 1) {
            if (!cmd_client_set_name(c, &c->argv[i + 1]))
                return false;
            i++;
        } else {
            cmd_error(c, "ERR Syntax error in HELLO option '%.*s'", (int)cmd_arg_len(c, i), cmd_arg(c, i));
            return false;
        }
    }
    return true;
}

void
cmd_hello(struct cmd *c)
{
    int64_t version = c->session->resp;
    if (c->argc > 1 && !(hello_version(c, &version) && hello_options(c)))
        return;
    if (cmd_auth_is_missing(c->engine, c->session)) {
        cmd_error(c, "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> "
                     "option can be used to authenticate the client and select the RESP protocol version at the same time");
        return;
    }
    c->session->resp = c->out->version = (int)version;
    clients_update(c->engine, c->session);
    hello_reply(c);
}
