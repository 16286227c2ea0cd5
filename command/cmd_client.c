/* cmd_client.c - CLIENT: the connection itself, and all connections of all workers.
 *
 * Process: workers. Locks: none; other workers' clients are read and marked through command/clients.h.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/decimal.h"
#include "command/clients.h"
#include "command/cmd.h"
#include "command/cmd_client.h"
#include "command/cmd_rows.h"
#include "command/control.h"

void
cmd_client_id(struct cmd *c)
{
    resp_out_int(c->out, (int64_t)c->session->id);
}

/* ---- names --------------------------------------------------------------------------------------------------------------- */

void
cmd_client_getname(struct cmd *c)
{
    if (c->session->name)
        resp_out_bulk_str(c->out, c->session->name);
    else
        resp_out_null(c->out);
}

bool
cmd_client_set_name(struct cmd *c, const struct resp_arg *name)
{
    for (size_t i = 0; i < name->len; i++) {
        if (name->data[i] < '!' || name->data[i] > '~') {
            cmd_error(c, "ERR Client names cannot contain spaces, newlines or special characters.");
            return false;
        }
    }
    char *copy = name->len ? strndup(name->data, name->len) : NULL;
    if (name->len && !copy) {
        cmd_error(c, "ERR no private memory for the name");
        return false;
    }
    free(c->session->name);
    c->session->name = copy;
    clients_update(c->engine, c->session);
    return true;
}

void
cmd_client_setname(struct cmd *c)
{
    if (cmd_client_set_name(c, &c->argv[2]))
        resp_out_ok(c->out);
}

/* ---- LIST, INFO ------------------------------------------------------------------------------------------------------------- */

struct filter {
    uint64_t id;                 /* 0: any */
    const struct resp_arg *addr, *laddr, *user;
    bool skip_me, nobody;        /* nobody: a type that no client has */
};

static bool
same(const struct resp_arg *a, const char *text)
{
    return !a || (strlen(text) == a->len && memcmp(a->data, text, a->len) == 0);
}

static bool
matches(const struct cmd *c, const struct filter *f, const struct client_view *v)
{
    if (f->nobody || (f->id && f->id != v->copy.id) || (f->skip_me && v->copy.id == c->session->id))
        return false;
    return same(f->addr, v->copy.peer) && same(f->laddr, v->copy.local) && same(f->user, v->copy.user);
}

/* A client type's name: normal clients are all there are. False: an error was replied. */
static bool
parse_type(struct cmd *c, int i, bool *nobody)
{
    if (cmd_arg_is(c, i, "normal"))
        *nobody = false;
    else if (cmd_arg_is(c, i, "master") || cmd_arg_is(c, i, "replica") || cmd_arg_is(c, i, "slave") || cmd_arg_is(c, i, "pubsub"))
        *nobody = true;
    else {
        cmd_error(c, "ERR Unknown client type '%.*s'", (int)cmd_arg_len(c, i), cmd_arg(c, i));
        return false;
    }
    return true;
}

static bool
is_listed(const struct cmd *c, uint64_t id)
{
    for (int i = 3; i < c->argc; i++) {
        int64_t want;
        if (decimal_read(cmd_arg(c, i), cmd_arg_len(c, i), &want) && (uint64_t)want == id)
            return true;
    }
    return false;
}

static void
reply_lines(struct cmd *c, bool by_ids, bool nobody, bool only_me)
{
    struct buf text;
    size_t n = 0;
    clients_update(c->engine, c->session);
    struct client_view *all = clients_all(c->engine, &n);
    int64_t now = clock_wall_ms();
    buf_init(&text);
    for (size_t i = 0; all && i < n && !nobody; i++) {
        if ((by_ids && !is_listed(c, all[i].copy.id)) || (only_me && all[i].copy.id != c->session->id))
            continue;
        clients_line(&text, &all[i], now);
        buf_append_str(&text, "\n");
    }
    if (!all || buf_failed(&text))
        cmd_error(c, "ERR no private memory for the list of clients");
    else
        resp_out_verbatim(c->out, "txt", buf_pending(&text) ? buf_head(&text) : "", buf_pending(&text));
    buf_destroy(&text);
    free(all);
}

void
cmd_client_list(struct cmd *c)
{
    bool nobody = false, by_ids = false;
    if (c->argc == 4 && cmd_arg_is(c, 2, "type")) {
        if (!parse_type(c, 3, &nobody))
            return;
    } else if (c->argc > 3 && cmd_arg_is(c, 2, "id")) {
        int64_t id;
        for (int i = 3; i < c->argc; i++) {
            if (!decimal_read(cmd_arg(c, i), cmd_arg_len(c, i), &id)) {
                cmd_error(c, "ERR Invalid client ID");
                return;
            }
        }
        by_ids = true;
    } else if (c->argc != 2) {
        cmd_error_syntax(c);
        return;
    }
    reply_lines(c, by_ids, nobody, false);
}

void
cmd_client_info(struct cmd *c)
{
    reply_lines(c, false, false, true);
}

/* ---- KILL --------------------------------------------------------------------------------------------------------------------- */

/* The words of the new form. False: an error was replied. */
static bool
kill_options(struct cmd *c, struct filter *f)
{
    for (int i = 2; i < c->argc; i += 2) {
        int64_t id;
        if (i + 1 >= c->argc) {
            cmd_error_syntax(c);
            return false;
        }
        if (cmd_arg_is(c, i, "id")) {
            if (!cmd_arg_int_range(c, i + 1, 1, INT64_MAX, &id, "ERR client-id should be greater than 0"))
                return false;
            f->id = (uint64_t)id;
        } else if (cmd_arg_is(c, i, "type")) {
            if (!parse_type(c, i + 1, &f->nobody))
                return false;
        } else if (cmd_arg_is(c, i, "addr")) {
            f->addr = &c->argv[i + 1];
        } else if (cmd_arg_is(c, i, "laddr")) {
            f->laddr = &c->argv[i + 1];
        } else if (cmd_arg_is(c, i, "user")) {
            if (cmd_arg_len(c, i + 1) != 7 || memcmp(cmd_arg(c, i + 1), "default", 7) != 0) {
                cmd_error(c, "ERR No such user '%.*s'", (int)cmd_arg_len(c, i + 1), cmd_arg(c, i + 1));
                return false;
            }
            f->user = &c->argv[i + 1];
        } else if (cmd_arg_is(c, i, "skipme") && cmd_arg_is(c, i + 1, "yes")) {
            f->skip_me = true;
        } else if (cmd_arg_is(c, i, "skipme") && cmd_arg_is(c, i + 1, "no")) {
            f->skip_me = false;
        } else {
            cmd_error_syntax(c);
            return false;
        }
    }
    return true;
}

static int64_t
kill_matching(struct cmd *c, const struct filter *f)
{
    size_t n = 0;
    int64_t killed = 0;
    struct client_view *all = clients_all(c->engine, &n);
    for (size_t i = 0; all && i < n; i++) {
        if (!matches(c, f, &all[i]))
            continue;
        if (all[i].copy.id == c->session->id) {
            c->session->flags |= SESSION_CLOSE_AFTER_REPLY;
            killed++;
        } else {
            killed += clients_kill(c->engine, &all[i]);
        }
    }
    free(all);
    return killed;
}

/* Answers when nobody runs a command of a killed client any more; a batch looks at the kill marks before each command. */
static void
reply_killed(struct cmd *c)
{
    if (c->session->awaits_reply > 0 && !cmd_await_others(c))
        return;
    if (c->argc > 3)
        resp_out_int(c->out, c->session->awaits_reply);
    else if (c->session->awaits_reply > 0)
        resp_out_ok(c->out);
    else
        cmd_error(c, "ERR No such client");
}

void
cmd_client_kill(struct cmd *c)
{
    struct filter f = {.skip_me = true};
    if (!c->session->awaits) {
        if (c->argc == 3)
            f = (struct filter){.addr = &c->argv[2]};
        else if (!kill_options(c, &f))
            return;
        c->session->awaits_reply = kill_matching(c, &f);
    }
    reply_killed(c);
}

/* ---- the rest --------------------------------------------------------------------------------------------------------------------- */

void
cmd_client_reply(struct cmd *c)
{
    uint32_t *flags = &c->session->flags;
    if (cmd_arg_is(c, 2, "on")) {
        *flags &= ~(uint32_t)(SESSION_REPLY_OFF | SESSION_REPLY_SKIP | SESSION_REPLY_SKIP_NEXT);
        resp_out_ok(c->out);
    } else if (cmd_arg_is(c, 2, "off")) {
        *flags |= SESSION_REPLY_OFF;
    } else if (cmd_arg_is(c, 2, "skip")) {
        if (!(*flags & SESSION_REPLY_OFF))
            *flags |= SESSION_REPLY_SKIP_NEXT;
    } else {
        cmd_error_syntax(c);
    }
}

void
cmd_client_no_evict(struct cmd *c)
{
    if (cmd_arg_is(c, 2, "on"))
        c->session->flags |= SESSION_NO_EVICT;
    else if (cmd_arg_is(c, 2, "off"))
        c->session->flags &= ~(uint32_t)SESSION_NO_EVICT;
    else {
        cmd_error_syntax(c);
        return;
    }
    resp_out_ok(c->out);
}

void
cmd_client_pause(struct cmd *c)
{
    int64_t ms;
    bool all = true;
    if (c->session->awaits) {
        if (cmd_await_others(c))
            resp_out_ok(c->out);
        return;
    }
    if (c->argc > 4) {
        cmd_error_subcommand(c);
        return;
    }
    if (c->argc == 4) {
        if (cmd_arg_is(c, 3, "write"))
            all = false;
        else if (!cmd_arg_is(c, 3, "all")) {
            cmd_error(c, "ERR CLIENT PAUSE mode must be WRITE or ALL");
            return;
        }
    }
    if (!decimal_read(cmd_arg(c, 2), cmd_arg_len(c, 2), &ms)) {
        cmd_error(c, "ERR timeout is not an integer or out of range");
        return;
    }
    if (ms < 0) {
        cmd_error(c, "ERR timeout is negative");
        return;
    }
    int64_t until;
    if (__builtin_add_overflow(clock_wall_ms(), ms, &until)) /* in Redis the sum wraps: the end has passed */
        until = 0;
    atomic_store(&c->engine->control->pause_all, all);
    atomic_store(&c->engine->control->pause_until_ms, until);
    if (cmd_await_others(c))
        resp_out_ok(c->out);
}

void
cmd_client_unpause(struct cmd *c)
{
    atomic_store(&c->engine->control->pause_until_ms, 0);
    resp_out_ok(c->out);
}

/* No command blocks yet, so no client can be found blocked. */
void
cmd_client_unblock(struct cmd *c)
{
    int64_t id;
    if (c->argc > 4)
        cmd_error_subcommand(c);
    else if (c->argc == 4 && !cmd_arg_is(c, 3, "timeout") && !cmd_arg_is(c, 3, "error"))
        cmd_error(c, "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
    else if (cmd_arg_int(c, 2, &id))
        resp_out_int(c->out, 0);
}

/* ---- tracking: off for everybody ------------------------------------------------------------------------------------- */

void
cmd_client_getredir(struct cmd *c)
{
    resp_out_int(c->out, -1);
}

void
cmd_client_trackinginfo(struct cmd *c)
{
    resp_out_map(c->out, 3);
    resp_out_bulk_str(c->out, "flags");
    resp_out_set(c->out, 1);
    resp_out_bulk_str(c->out, "off");
    resp_out_bulk_str(c->out, "redirect");
    resp_out_int(c->out, -1);
    resp_out_bulk_str(c->out, "prefixes");
    resp_out_array(c->out, 0);
}

void
cmd_client_caching(struct cmd *c)
{
    cmd_error(c, "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled");
}

void
cmd_client_tracking(struct cmd *c)
{
    if (c->argc == 3 && cmd_arg_is(c, 2, "off"))
        resp_out_ok(c->out);
    else if (cmd_arg_is(c, 2, "on"))
        cmd_error(c, "ERR CLIENT TRACKING is not available in this version");
    else
        cmd_error_syntax(c);
}
