/* help.c - HELP of every container, and the syntax line of every command, from the table.
 *
 * A syntax line has <value>, WORD, [what may be left out], (one|of|these) and "..." for what may be repeated. The layout of
 * HELP (a head line, then a syntax line and an indented sentence for each subcommand) is Redis's.
 *
 * Process: workers, and the tool that writes the manual. Locks: none. Recursion is as deep as the table's arguments.
 */
#include "command/help.h"

#include <ctype.h>
#include <string.h>

#include "command/cmd.h"
#include "command/cmd_rows.h"
#include "command/command_table.h"

#define LINE_KEEP 1024 /* bytes of private memory kept from line to line */

/* ---- syntax --------------------------------------------------------------------------------------------------------- */

static void put_arg(struct buf *out, const struct command_arg *a);

static void
put_upper(struct buf *out, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char ch = (char)toupper((unsigned char)text[i]);
        buf_append(out, &ch, 1);
    }
}

/* One of several: in brackets of its own, unless those of an optional argument stand around it. */
static void
put_oneof(struct buf *out, const struct command_arg *a)
{
    bool bare = (a->flags & ARG_OPTIONAL) && !(a->flags & ARG_MULTIPLE) && !a->token;
    buf_append_str(out, bare ? "" : "(");
    for (const struct command_arg *choice = a->args; choice->name; choice++) {
        struct command_arg must = *choice; /* left out is what none of the others is */
        must.flags &= ~(unsigned)ARG_OPTIONAL;
        buf_append_str(out, choice == a->args ? "" : "|");
        put_arg(out, &must);
    }
    buf_append_str(out, bare ? "" : ")");
}

static void
put_value(struct buf *out, const struct command_arg *a)
{
    if (a->type == ARG_ONEOF) {
        put_oneof(out, a);
    } else if (a->type == ARG_BLOCK) {
        for (const struct command_arg *part = a->args; part->name; part++) {
            buf_append_str(out, part == a->args ? "" : " ");
            put_arg(out, part);
        }
    } else if (a->type != ARG_PURE_TOKEN) {
        buf_printf(out, "<%s>", a->name);
    }
}

static void
put_token(struct buf *out, const struct command_arg *a)
{
    if (a->token)
        buf_printf(out, "%s%s", a->token, a->type == ARG_PURE_TOKEN ? "" : " ");
}

/* The second time and all further ones. */
static void
put_repetition(struct buf *out, const struct command_arg *a)
{
    if ((a->flags & ARG_OPTIONAL) && !a->token) {
        buf_append_str(out, " ...");
    } else if (a->type == ARG_ONEOF) {
        buf_append_str(out, " [...]"); /* too long to be said twice */
    } else {
        buf_append_str(out, " [");
        if (a->flags & ARG_MULTIPLE_TOKEN)
            put_token(out, a);
        put_value(out, a);
        buf_append_str(out, " ...]");
    }
}

static void
put_arg(struct buf *out, const struct command_arg *a)
{
    buf_append_str(out, a->flags & ARG_OPTIONAL ? "[" : "");
    put_token(out, a);
    put_value(out, a);
    if (a->flags & ARG_MULTIPLE)
        put_repetition(out, a);
    buf_append_str(out, a->flags & ARG_OPTIONAL ? "]" : "");
}

void
help_sub_syntax(struct buf *out, const struct command_row *row)
{
    const char *name = command_short_name(row);
    put_upper(out, name, strlen(name));
    for (const struct command_arg *a = row->args; a && a->name; a++) {
        buf_append_str(out, " ");
        put_arg(out, a);
    }
    if (!row->args && !row->subs && row->arity < 0)
        buf_append_str(out, " ..."); /* another command's line, say */
}

void
help_syntax(struct buf *out, const struct command_row *row)
{
    const char *bar = strchr(row->name, '|');
    if (bar) {
        put_upper(out, row->name, (size_t)(bar - row->name));
        buf_append_str(out, " ");
    }
    help_sub_syntax(out, row);
}

/* ---- HELP ------------------------------------------------------------------------------------------------------------- */

static bool
is_help(const struct command_row *sub)
{
    return strcmp(command_short_name(sub), "help") == 0;
}

static void
reply_line(struct cmd *c, struct buf *line)
{
    buf_append(line, "", 1);
    if (buf_failed(line))
        c->out->buf->failed = true; /* as if the reply itself had found no memory */
    else
        resp_out_simple(c->out, buf_head(line));
    buf_clear(line, LINE_KEEP);
}

static void
reply_entry(struct cmd *c, struct buf *line, const struct command_row *row)
{
    if (strchr(row->name, '|'))
        help_sub_syntax(line, row);
    else
        buf_append_str(line, "(no subcommand)");
    reply_line(c, line);
    buf_printf(line, "    %s", row->summary);
    reply_line(c, line);
}

/* HELP of whatever container the row belongs to. */
void
cmd_help(struct cmd *c)
{
    const char *bar = strchr(c->row->name, '|');
    const struct command_row *container = command_find(c->row->name, (size_t)(bar - c->row->name));
    size_t entries = container->run != NULL;
    struct buf line;
    for (const struct command_row *sub = container->subs; sub->name; sub++)
        entries += sub->run != NULL;
    buf_init(&line);
    resp_out_array(c->out, 1 + 2 * entries);
    help_sub_syntax(&line, container);
    buf_append_str(&line, " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    reply_line(c, &line);
    if (container->run)
        reply_entry(c, &line, container);
    for (const struct command_row *sub = container->subs; sub->name; sub++)
        if (sub->run && !is_help(sub))
            reply_entry(c, &line, sub);
    reply_entry(c, &line, c->row);
    buf_destroy(&line);
}
