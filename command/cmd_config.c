/* cmd_config.c - CONFIG: parameters shown and changed (values: command/config.h).
 *
 * "+OK" of CONFIG SET means everywhere: after the change the command waits until every other process that serves has
 * passed a point where it acts on nothing read before (its epoch word), and only then answers. It waits by being run
 * again, so nobody stands still meanwhile.
 *
 * Process: workers. Locks: CONFIG. Crash: a change is published whole or not at all.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>

#include "base/glob.h"
#include "base/log.h"
#include "command/cmd.h"
#include "command/cmd_rows.h"
#include "command/config.h"
#include "command/control.h"

#define NAMES (PARAM_COUNT * 2)
#define PATTERN_MAX 256

/* ---- GET ------------------------------------------------------------------------------------------------------------- */

/* What is shown: for each parameter its name and its alias; -1 no, else the argument that asked for it. */
struct shown {
    int by[NAMES];
    unsigned count;
};

/* The i-th name of all: even its own, odd its alias. NULL: none. */
static const char *
name_at(unsigned i)
{
    return i % 2 ? params[i / 2].alias : params[i / 2].name;
}

static void
show(struct shown *s, unsigned name, int arg)
{
    if (s->by[name] >= 0)
        return;
    s->by[name] = arg;
    s->count++;
}

/* A pattern with its letters in lower case, as all names are. False: longer than any name. */
static bool
lower(const struct resp_arg *a, char text[PATTERN_MAX])
{
    if (a->len >= PATTERN_MAX)
        return false;
    for (size_t i = 0; i < a->len; i++)
        text[i] = (char)(a->data[i] >= 'A' && a->data[i] <= 'Z' ? a->data[i] | 32 : a->data[i]);
    text[a->len] = '\0';
    return true;
}

static void
show_matching(struct shown *s, const struct resp_arg *a, int arg)
{
    char pattern[PATTERN_MAX];
    if (!lower(a, pattern))
        return;
    bool exact = !strpbrk(pattern, "[*?");
    for (unsigned i = 0; i < NAMES; i++) {
        const char *name = name_at(i);
        if (name && (exact ? strcmp(name, pattern) == 0
                           : !(params[i / 2].flags & PARAM_HIDDEN) && glob_match(pattern, a->len, name, strlen(name))))
            show(s, i, exact ? arg : 0);
    }
}

static void
reply_shown(struct cmd *c, const struct shown *s)
{
    const struct config_sh *live = &c->engine->control->config.live;
    struct param_value v = {0};
    char text[PARAM_TEXT_MAX];
    resp_out_map(c->out, s->count);
    for (unsigned i = 0; i < NAMES; i++) {
        if (s->by[i] < 0)
            continue;
        /* a name without a pattern is shown as it was written */
        if (s->by[i] > 0)
            resp_out_bulk(c->out, cmd_arg(c, s->by[i]), cmd_arg_len(c, s->by[i]));
        else
            resp_out_bulk_str(c->out, name_at(i));
        config_get(live, (int)(i / 2), &v);
        param_format(&params[i / 2], &v, text);
        resp_out_bulk_str(c->out, text);
    }
}

void
cmd_config_get(struct cmd *c)
{
    struct shown s = {.count = 0};
    for (unsigned i = 0; i < NAMES; i++)
        s.by[i] = -1;
    for (int arg = 2; arg < c->argc; arg++)
        show_matching(&s, &c->argv[arg], arg);
    config_enter(c->engine);
    reply_shown(c, &s);
    config_leave(c->engine);
}

/* ---- SET ------------------------------------------------------------------------------------------------------------- */

static bool
set_failed(struct cmd *c, const char *name, size_t len, const char *why)
{
    cmd_error(c, "ERR CONFIG SET failed (possibly related to argument '%.*s') - %s", (int)len, name, why);
    return false;
}

static bool
allows_protected(const struct cmd *c)
{
    int64_t who = config_number(c->engine, PARAM_ENABLE_PROTECTED_CONFIGS); /* no, yes, local */
    return who == 1 || (who == 2 && (c->session->flags & SESSION_LOCAL));
}

/* Is the name of argument `arg` given before? */
static bool
is_repeated(const struct cmd *c, int arg)
{
    for (int i = 2; i < arg; i += 2)
        if (cmd_arg_len(c, i) == cmd_arg_len(c, arg) && strncasecmp(cmd_arg(c, i), cmd_arg(c, arg), cmd_arg_len(c, i)) == 0)
            return true;
    return false;
}

/* May these parameters be set at all? */
static bool
check_names(struct cmd *c)
{
    for (int i = 2; i < c->argc; i += 2) {
        const char *name = cmd_arg(c, i);
        size_t len = cmd_arg_len(c, i);
        int id = param_find(name, len);
        if (id < 0) {
            cmd_error(c, "ERR Unknown option or number of arguments for CONFIG SET - '%.*s'", (int)len, name);
            return false;
        }
        if ((params[id].flags & PARAM_PROTECTED) && !allows_protected(c))
            return set_failed(c, name, len, "can't set protected config");
        if (params[id].flags & PARAM_IMMUTABLE)
            return set_failed(c, name, len, "can't set immutable config");
        if (is_repeated(c, i))
            return set_failed(c, name, len, "duplicate parameter");
    }
    return true;
}

/* Has every process descriptors for so many clients? All have the master's limit. */
static bool
fits_descriptors(const struct engine *e, int64_t clients, char error[PARAM_ERROR_MAX])
{
    struct rlimit l;
    if (getrlimit(RLIMIT_NOFILE, &l) != 0 || (uint64_t)clients + e->control->descriptors <= l.rlim_cur)
        return true;
    snprintf(error, PARAM_ERROR_MAX, "The operating system is not able to handle the specified number of clients, try with %ld",
        (long)(l.rlim_cur > e->control->descriptors ? l.rlim_cur - e->control->descriptors : 0));
    return false;
}

/* Puts all values aside. Needs the lock. */
static bool
put_values(struct cmd *c, struct config_sh *next)
{
    for (int i = 2; i < c->argc; i += 2) {
        int id = param_find(cmd_arg(c, i), cmd_arg_len(c, i));
        const struct param *p = &params[id];
        struct param_value v;
        char error[PARAM_ERROR_MAX];
        config_get(next, id, &v);
        if (!param_parse_text(p, cmd_arg(c, i + 1), cmd_arg_len(c, i + 1), &v, error) ||
            (id == PARAM_MAXCLIENTS && !fits_descriptors(c->engine, v.number, error))) {
            const char *name = cmd_arg_is(c, i, p->name) ? p->name : p->alias;
            return set_failed(c, name, strlen(name), error);
        }
        config_put(next, id, &v);
    }
    return true;
}

/* Names in the log, once, what was set and has no effect. Not under the lock: logging is a system call. */
static void
tell_idle(struct cmd *c)
{
    for (int i = 2; i < c->argc; i += 2) {
        int id = param_find(cmd_arg(c, i), cmd_arg_len(c, i));
        if (config_tell_idle(&c->engine->control->config, id))
            log_notice(CONFIG_IDLE_TEXT, params[id].name);
    }
}

/* Comes again until no other process acts on what it read before `epoch`. */
static void
await_others(struct cmd *c)
{
    if (cmd_await_others(c))
        resp_out_ok(c->out);
}

void
cmd_config_set(struct cmd *c)
{
    if (c->session->awaits) {
        await_others(c);
        return;
    }
    if (c->argc % 2) {
        cmd_error_syntax(c);
        return;
    }
    if (!check_names(c))
        return;
    config_enter(c->engine);
    bool ok = put_values(c, config_begin(c->engine));
    if (ok)
        config_publish(c->engine);
    config_leave(c->engine);
    if (!ok)
        return;
    tell_idle(c);
    persist_ask(c->engine);
    await_others(c);
}

/* ---- RESETSTAT ---------------------------------------------------------------------------------------------------------- */

void
cmd_config_resetstat(struct cmd *c)
{
    config_enter(c->engine);
    control_reset_totals(c->engine->control);
    stats_reset(c->engine);
    atomic_store(&c->engine->control->persist.save.saves, 0);
    config_leave(c->engine);
    resp_out_ok(c->out);
}

/* ---- REWRITE ------------------------------------------------------------------------------------------------------------- */

/* A worker may open no file: the master writes, and the command comes again until it is done. */
void
cmd_config_rewrite(struct cmd *c)
{
    struct control_sh *control = c->engine->control;
    if (!control->config_file[0]) {
        cmd_error(c, "ERR The server is running without a config file");
        return;
    }
    if (c->session->awaits == 0) {
        c->session->awaits = atomic_fetch_add(&control->rewrite_asked, 1) + 1;
        c->engine->hooks.wake_master(c->engine->hooks.arg);
    }
    uint64_t answered = atomic_load(&control->rewrite_answered);
    c->again = answered >> CONTROL_ANSWER_BITS < c->session->awaits;
    if (c->again)
        return;
    c->session->awaits = 0;
    int error = (int)(answered & ((1u << CONTROL_ANSWER_BITS) - 1));
    if (error)
        cmd_error(c, "ERR Rewriting config file: %s", strerror(error));
    else
        resp_out_ok(c->out);
}
