/* cmd_command.c - COMMAND: the command table as clients see it.
 *
 * The shapes (which values are maps, sets, simple strings; the order of members) are those of Redis 7.0.15.
 *
 * Process: workers. Locks: none; the table is constant.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/glob.h"
#include "command/cmd.h"
#include "command/cmd_rows.h"
#include "command/command_keys.h"
#include "command/command_table.h"

/* ---- names of bits, lowest first ------------------------------------------------------------------------------------ */

static const char *const flag_names[] = {"write", "readonly", "denyoom", "admin", "pubsub", "noscript", "blocking",
    "loading", "stale", "skip_monitor", "skip_slowlog", "asking", "fast", "no_auth", "no_mandatory_keys",
    "no_async_loading", "no_multi", "movablekeys", "allow_busy"};
static const char *const acl_names[] = {"@keyspace", "@read", "@write", "@set", "@sortedset", "@list", "@hash", "@string",
    "@bitmap", "@hyperloglog", "@geo", "@stream", "@pubsub", "@admin", "@fast", "@slow", "@blocking", "@dangerous",
    "@connection", "@transaction", "@scripting"};
static const char *const key_flag_names[] = {"RO", "RW", "OW", "RM", "access", "update", "insert", "delete", "not_key",
    "incomplete", "variable_flags"};
static const char *const arg_flag_names[] = {"optional", "multiple", "multiple_token"};
static const char *const doc_flag_names[] = {"deprecated", "syscmd"};
static const char *const arg_type_names[] = {
    [ARG_STRING] = "string",
    [ARG_INTEGER] = "integer",
    [ARG_DOUBLE] = "double",
    [ARG_KEY] = "key",
    [ARG_PATTERN] = "pattern",
    [ARG_UNIX_TIME] = "unix-time",
    [ARG_PURE_TOKEN] = "pure-token",
    [ARG_ONEOF] = "oneof",
    [ARG_BLOCK] = "block",
};

#define NAMES(names) (names), sizeof(names) / sizeof((names)[0])

static void
out_bits(struct resp_out *out, uint32_t bits, const char *const *names, size_t n)
{
    bits &= (uint32_t)((1ull << n) - 1);
    resp_out_set(out, (size_t)__builtin_popcount(bits));
    for (; bits; bits &= bits - 1)
        resp_out_simple(out, names[__builtin_ctz(bits)]);
}

static void
out_pair_str(struct resp_out *out, const char *name, const char *value)
{
    resp_out_bulk_str(out, name);
    resp_out_bulk_str(out, value);
}

static void
out_pair_int(struct resp_out *out, const char *name, int64_t value)
{
    resp_out_bulk_str(out, name);
    resp_out_int(out, value);
}

/* ---- COMMAND INFO ----------------------------------------------------------------------------------------------------- */

/* "type" and "spec" around what follows, which is a map of n. */
static void
out_spec_head(struct resp_out *out, const char *part, const char *type, size_t n)
{
    resp_out_bulk_str(out, part);
    resp_out_map(out, 2);
    out_pair_str(out, "type", type);
    resp_out_bulk_str(out, "spec");
    resp_out_map(out, n);
}

static void
out_begin_search(struct resp_out *out, const struct command_key_spec *spec)
{
    if (spec->begin == KEY_BEGIN_INDEX) {
        out_spec_head(out, "begin_search", "index", 1);
        out_pair_int(out, "index", spec->index);
    } else if (spec->begin == KEY_BEGIN_KEYWORD) {
        out_spec_head(out, "begin_search", "keyword", 2);
        out_pair_str(out, "keyword", spec->keyword);
        out_pair_int(out, "startfrom", spec->index);
    } else {
        out_spec_head(out, "begin_search", "unknown", 0);
    }
}

static void
out_find_keys(struct resp_out *out, const struct command_key_spec *spec)
{
    if (spec->find == KEY_FIND_RANGE) {
        out_spec_head(out, "find_keys", "range", 3);
        out_pair_int(out, "lastkey", spec->last);
        out_pair_int(out, "keystep", spec->step);
        out_pair_int(out, "limit", spec->limit);
    } else if (spec->find == KEY_FIND_KEYNUM) {
        out_spec_head(out, "find_keys", "keynum", 3);
        out_pair_int(out, "keynumidx", spec->keynum_at);
        out_pair_int(out, "firstkey", spec->first);
        out_pair_int(out, "keystep", spec->step);
    } else {
        out_spec_head(out, "find_keys", "unknown", 0);
    }
}

static void
out_key_specs(struct resp_out *out, const struct command_key_spec *specs)
{
    size_t n = 0;
    while (specs && specs[n].flags)
        n++;
    resp_out_set(out, n);
    for (size_t i = 0; i < n; i++) {
        resp_out_map(out, specs[i].notes ? 4 : 3);
        if (specs[i].notes)
            out_pair_str(out, "notes", specs[i].notes);
        resp_out_bulk_str(out, "flags");
        out_bits(out, specs[i].flags, NAMES(key_flag_names));
        out_begin_search(out, &specs[i]);
        out_find_keys(out, &specs[i]);
    }
}

static void
out_tips(struct resp_out *out, const char *const *tips)
{
    size_t n = 0;
    while (tips && tips[n])
        n++;
    resp_out_set(out, n);
    for (size_t i = 0; i < n; i++)
        resp_out_bulk_str(out, tips[i]);
}

static size_t
subs_of(const struct command_row *row)
{
    size_t n = 0;
    for (const struct command_row *sub = row->subs; sub && sub->name; sub++)
        n += sub->run != NULL;
    return n;
}

static void
out_info(struct resp_out *out, const struct command_row *row)
{
    resp_out_array(out, 10);
    resp_out_bulk_str(out, row->name);
    resp_out_int(out, row->arity);
    out_bits(out, row->flags, NAMES(flag_names));
    resp_out_int(out, row->first);
    resp_out_int(out, row->last);
    resp_out_int(out, row->step);
    out_bits(out, command_acl(row), NAMES(acl_names));
    out_tips(out, row->tips);
    out_key_specs(out, row->keys);
    if (!row->subs) {
        resp_out_set(out, 0);
        return;
    }
    resp_out_array(out, subs_of(row));
    for (const struct command_row *sub = row->subs; sub->name; sub++)
        if (sub->run)
            out_info(out, sub);
}

void
cmd_command(struct cmd *c)
{
    resp_out_array(c->out, command_count());
    for (size_t i = 0; i < command_count(); i++)
        out_info(c->out, command_at(i));
}

void
cmd_command_info(struct cmd *c)
{
    if (c->argc == 2) {
        cmd_command(c);
        return;
    }
    resp_out_array(c->out, (size_t)c->argc - 2);
    for (int i = 2; i < c->argc; i++) {
        const struct command_row *row = command_find_full(cmd_arg(c, i), cmd_arg_len(c, i));
        if (row)
            out_info(c->out, row);
        else
            resp_out_null(c->out);
    }
}

void
cmd_command_count(struct cmd *c)
{
    resp_out_int(c->out, (int64_t)command_count());
}

/* ---- COMMAND DOCS ----------------------------------------------------------------------------------------------------- */

static void
out_args(struct resp_out *out, const struct command_arg *args)
{
    size_t n = 0;
    while (args[n].name)
        n++;
    resp_out_array(out, n);
    for (const struct command_arg *a = args; a->name; a++) {
        size_t members = 2 + (a->type == ARG_KEY) + (a->token != NULL) + (a->summary != NULL) + (a->since != NULL) +
            (a->deprecated_since != NULL) + (a->flags != 0) + (a->args != NULL);
        resp_out_map(out, members);
        out_pair_str(out, "name", a->name);
        out_pair_str(out, "type", arg_type_names[a->type]);
        if (a->type == ARG_KEY)
            out_pair_int(out, "key_spec_index", a->key_spec);
        if (a->token)
            out_pair_str(out, "token", a->token);
        if (a->summary)
            out_pair_str(out, "summary", a->summary);
        if (a->since)
            out_pair_str(out, "since", a->since);
        if (a->deprecated_since)
            out_pair_str(out, "deprecated_since", a->deprecated_since);
        if (a->flags) {
            resp_out_bulk_str(out, "flags");
            out_bits(out, a->flags, NAMES(arg_flag_names));
        }
        if (a->args) {
            resp_out_bulk_str(out, "arguments");
            out_args(out, a->args);
        }
    }
}

static void
out_history(struct resp_out *out, const struct command_history *history)
{
    size_t n = 0;
    while (history[n].since)
        n++;
    resp_out_bulk_str(out, "history");
    resp_out_set(out, n);
    for (size_t i = 0; i < n; i++) {
        resp_out_array(out, 2);
        resp_out_bulk_str(out, history[i].since);
        resp_out_bulk_str(out, history[i].change);
    }
}

static void out_doc(struct resp_out *out, const struct command_row *row);

static void
out_sub_docs(struct resp_out *out, const struct command_row *row)
{
    resp_out_bulk_str(out, "subcommands");
    resp_out_map(out, subs_of(row));
    for (const struct command_row *sub = row->subs; sub->name; sub++)
        if (sub->run)
            out_doc(out, sub);
}

/* The name and the map of what is to be said about it. */
static void
out_doc(struct resp_out *out, const struct command_row *row)
{
    size_t members = 3 + (row->complexity != NULL) + (row->doc_flags != 0) + (row->deprecated_since != NULL) +
        (row->replaced_by != NULL) + (row->history != NULL) + (row->args != NULL) + (row->subs != NULL);
    resp_out_bulk_str(out, row->name);
    resp_out_map(out, members);
    out_pair_str(out, "summary", row->summary);
    out_pair_str(out, "since", row->since);
    out_pair_str(out, "group", row->group);
    if (row->complexity)
        out_pair_str(out, "complexity", row->complexity);
    if (row->doc_flags) {
        resp_out_bulk_str(out, "doc_flags");
        out_bits(out, row->doc_flags, NAMES(doc_flag_names));
    }
    if (row->deprecated_since)
        out_pair_str(out, "deprecated_since", row->deprecated_since);
    if (row->replaced_by)
        out_pair_str(out, "replaced_by", row->replaced_by);
    if (row->history)
        out_history(out, row->history);
    if (row->args) {
        resp_out_bulk_str(out, "arguments");
        out_args(out, row->args);
    }
    if (row->subs)
        out_sub_docs(out, row);
}

void
cmd_command_docs(struct cmd *c)
{
    size_t n = 0;
    if (c->argc == 2) {
        resp_out_map(c->out, command_count());
        for (size_t i = 0; i < command_count(); i++)
            out_doc(c->out, command_at(i));
        return;
    }
    struct resp_deferred place = resp_out_deferred_begin(c->out);
    for (int i = 2; i < c->argc; i++) {
        const struct command_row *row = command_find_full(cmd_arg(c, i), cmd_arg_len(c, i));
        if (!row)
            continue;
        out_doc(c->out, row);
        n++;
    }
    resp_out_deferred_map(c->out, place, n);
}

/* ---- COMMAND LIST ----------------------------------------------------------------------------------------------------- */

struct list_filter {
    uint32_t acl;        /* any of these categories; 0: whatever */
    struct buf pattern;  /* in lower case */
    bool everything, by_pattern;
};

static bool
list_wants(const struct list_filter *f, const struct command_row *row)
{
    if (f->everything)
        return true;
    if (f->by_pattern) {
        size_t len = buf_pending(&f->pattern);
        return glob_match(len ? buf_head(&f->pattern) : "", len, row->name, strlen(row->name));
    }
    return (command_acl(row) & f->acl) != 0;
}

/* FILTERBY's two words. False: an error was replied. No modules can be loaded, so none has commands. */
static bool
list_filter(struct cmd *c, struct list_filter *f)
{
    size_t len = cmd_arg_len(c, 4);
    if (cmd_arg_is(c, 3, "aclcat")) {
        for (size_t i = 0; i < sizeof acl_names / sizeof acl_names[0]; i++)
            if (strlen(acl_names[i]) == len + 1 && strncasecmp(acl_names[i] + 1, cmd_arg(c, 4), len) == 0)
                f->acl = 1u << i;
    } else if (cmd_arg_is(c, 3, "pattern")) {
        f->by_pattern = true;
        buf_append(&f->pattern, cmd_arg(c, 4), len);
        for (size_t i = 0; !buf_failed(&f->pattern) && i < len; i++)
            f->pattern.data[i] = (char)tolower((unsigned char)f->pattern.data[i]);
        if (buf_failed(&f->pattern)) {
            cmd_error(c, "ERR no private memory for the pattern");
            return false;
        }
    } else if (!cmd_arg_is(c, 3, "module")) {
        cmd_error_syntax(c);
        return false;
    }
    return true;
}

void
cmd_command_list(struct cmd *c)
{
    struct list_filter f = {.everything = c->argc == 2};
    size_t n = 0;
    buf_init(&f.pattern);
    if (!f.everything && (c->argc != 5 || !cmd_arg_is(c, 2, "filterby"))) {
        cmd_error_syntax(c);
        return;
    }
    if (f.everything || list_filter(c, &f)) {
        struct resp_deferred place = resp_out_deferred_begin(c->out);
        for (size_t i = 0; i < command_count(); i++) {
            const struct command_row *row = command_at(i);
            if (list_wants(&f, row) && ++n)
                resp_out_bulk_str(c->out, row->name);
            for (const struct command_row *sub = row->subs; sub && sub->name; sub++)
                if (sub->run && list_wants(&f, sub) && ++n)
                    resp_out_bulk_str(c->out, sub->name);
        }
        resp_out_deferred_array(c->out, place, n);
    }
    buf_destroy(&f.pattern);
}

/* ---- COMMAND GETKEYS -------------------------------------------------------------------------------------------------- */

/* The row of the command line from argument 2 on. NULL: an error was replied. */
static const struct command_row *
line_row(struct cmd *c)
{
    int argc = c->argc - 2;
    const struct command_row *row = command_find(cmd_arg(c, 2), cmd_arg_len(c, 2));
    if (row && row->subs && argc > 1)
        row = command_find_sub(row, cmd_arg(c, 3), cmd_arg_len(c, 3));
    if (!row)
        cmd_error(c, "ERR Invalid command specified");
    else if (!row->keys)
        cmd_error(c, "ERR The command has no key arguments");
    else if (row->arity > 0 ? argc != row->arity : argc < -row->arity)
        cmd_error(c, "ERR Invalid number of arguments specified for command");
    else
        return row;
    return NULL;
}

static void
out_keys(struct cmd *c, const struct command_key *keys, int n, bool with_flags)
{
    resp_out_array(c->out, (size_t)n);
    for (int i = 0; i < n; i++) {
        if (with_flags)
            resp_out_array(c->out, 2);
        resp_out_bulk(c->out, cmd_arg(c, keys[i].arg + 2), cmd_arg_len(c, keys[i].arg + 2));
        if (with_flags)
            out_bits(c->out, keys[i].flags, NAMES(key_flag_names));
    }
}

static void
getkeys(struct cmd *c, bool with_flags)
{
    const struct command_row *row = line_row(c);
    if (!row)
        return;
    int n = command_keys_find(row, c->argc - 2, c->argv + 2, NULL, 0);
    if (n == 0 && (row->flags & CMD_NO_MANDATORY_KEYS)) {
        resp_out_array(c->out, 0);
        return;
    }
    if (n == 0) {
        cmd_error(c, "ERR Invalid arguments specified for command");
        return;
    }
    struct command_key *keys = malloc((size_t)n * sizeof *keys);
    if (!keys) {
        cmd_error(c, "ERR no private memory for the keys");
        return;
    }
    command_keys_find(row, c->argc - 2, c->argv + 2, keys, n);
    out_keys(c, keys, n, with_flags);
    free(keys);
}

void
cmd_command_getkeys(struct cmd *c)
{
    getkeys(c, false);
}

void
cmd_command_getkeysandflags(struct cmd *c)
{
    getkeys(c, true);
}
