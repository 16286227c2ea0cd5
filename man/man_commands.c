/* man_commands.c - writes kvstash-commands(7) from the command table to standard output.
 *
 * Run by make. Whatever the table says of a command is in the page, so that it can't be out of date; a command without a
 * function is not in it. Each sentence begins a line, as mdoc wants it.
 *
 * Fails: exit status 1 if the output can't be written.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command/command_table.h"
#include "command/help.h"

#define PAGE_DATE "November 25, 2026" /* of the last change of the table; a fixed one, so that builds are equal */

static const char head[] =
    ".\\\" Made from the command table by man_commands; changes belong into command/rows_*.c.\n"
    ".Dd " PAGE_DATE "\n"
    ".Dt KVSTASH-COMMANDS 7\n"
    ".Os\n"
    ".Sh NAME\n"
    ".Nm kvstash-commands\n"
    ".Nd the commands that kvstash serves\n"
    ".Sh DESCRIPTION\n"
    "The commands of\n"
    ".Xr kvstash 8 ,\n"
    "in groups.\n"
    "Their replies and errors are those of Redis 7.0.15, so its documentation holds in every detail that is not told here.\n"
    ".Pp\n"
    "In the lines that show how a command is called,\n"
    ".Li <value>\n"
    "stands for what the client gives,\n"
    ".Li WORD\n"
    "for itself in any case,\n"
    ".Li [this]\n"
    "may be left out,\n"
    ".Li one|other\n"
    "are alternatives, and what stands before\n"
    ".Li ...\n"
    "may be given again.\n"
    "The version is that of Redis in which a command, or a change of it, came.\n"
    "The same is told by the commands COMMAND DOCS and, for one container, by its subcommand HELP.\n";

static const char tail[] =
    ".Sh SEE ALSO\n"
    ".Xr kvstash-cli 1 ,\n"
    ".Xr kvstash.conf 5 ,\n"
    ".Xr kvstash 8\n";

/* The tag: a quoted argument, so that no word of it is taken for a macro. */
static void
put_tag(const struct command_row *row)
{
    struct buf syntax;
    buf_init(&syntax);
    help_syntax(&syntax, row);
    buf_append(&syntax, "", 1);
    if (buf_failed(&syntax))
        exit(1);
    printf(".It Ic \"%s\"\n", buf_head(&syntax));
    buf_destroy(&syntax);
}

static void
put_command(const struct command_row *row)
{
    put_tag(row);
    printf("%s\n", row->summary);
    if (row->complexity)
        printf("Cost: %s.\n", row->complexity);
    printf("Since %s.\n", row->since);
    for (const struct command_history *h = row->history; h && h->since; h++)
        printf("New in %s: %s.\n", h->since, h->change);
    if (row->deprecated_since)
        printf("Deprecated since %s; use %s.\n", row->deprecated_since, row->replaced_by);
}

static void
put_group(const struct command_row *rows)
{
    printf(".Sh ");
    for (const char *p = rows->group; *p; p++)
        putchar(*p >= 'a' && *p <= 'z' ? *p - 'a' + 'A' : *p);
    printf(" COMMANDS\n.Bl -tag -width Ds\n");
    for (const struct command_row *row = rows; row->name; row++) {
        if (row->run)
            put_command(row);
        for (const struct command_row *sub = row->subs; sub && sub->name; sub++)
            if (sub->run)
                put_command(sub);
    }
    printf(".El\n");
}

int
main(void)
{
    fputs(head, stdout);
    for (const struct command_row *const *group = command_groups; *group; group++)
        put_group(*group);
    fputs(tail, stdout);
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
