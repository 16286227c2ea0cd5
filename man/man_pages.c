/* man_pages.c - puts the tables that the server reads into the pages of the manual.
 *
 *     man_pages < kvstash.8.in > kvstash.8
 *
 * A line @OPTIONS@ gives way to the options of the command line, @PARAMETERS@ to all parameters by groups, @SYNOPSIS@ to the
 * letters. Everything else is prose, written by hand, in mdoc.
 */
#include <stdio.h>
#include <string.h>

#include "command/param.h"
#include "master/options.h"

/* Plain text that mdoc does not take for anything else; a sentence begins a line. */
static void
put_text(const char *text)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", stdout);
    for (; *text; text++) {
        if (*text == '\\')
            fputs("\\e", stdout);
        else if (*text == '-')
            fputs("\\-", stdout);
        else if (*text == ' ' && text[-1] == '.')
            putchar('\n');
        else
            putchar(*text);
    }
}

/* ---- options ---------------------------------------------------------------------------------------------------------- */

static void
put_option(const struct option_row *r)
{
    fputs(".It ", stdout);
    if (r->letter)
        printf("Fl %c%s%s , ", r->letter, r->argument ? " Ar " : "", r->argument ? r->argument : "");
    printf("Fl -%s%s%s\n", r->name, r->argument ? " Ar " : "", r->argument ? r->argument : "");
    put_text(r->says);
    putchar('\n');
}

static void
put_options(void)
{
    puts(".Bl -tag -width Ds");
    for (const struct option_row *r = option_rows; r->name; r++)
        put_option(r);
    puts(".El");
}

static void
put_synopsis(void)
{
    for (const struct option_row *r = option_rows; r->name; r++)
        if (r->letter)
            printf(".Op Fl %c%s%s\n", r->letter, r->argument ? " Ar " : "", r->argument ? r->argument : "");
}

/* ---- parameters --------------------------------------------------------------------------------------------------------- */

static void
put_parameter(const struct param *p)
{
    char allowed[PARAM_TEXT_MAX];
    param_allowed(p, allowed);
    printf(".It Ic %s\n", p->name);
    put_text(p->says);
    putchar('\n');
    if (p->alias)
        printf("Also called\n.Ic %s .\n", p->alias);
    fputs("Allowed: ", stdout);
    put_text(allowed);
    if (p->kind == PARAM_INT && p->unit[0])
        printf(" (%s)", p->unit);
    puts(".");
    if (p->fallback[0])
        printf("Default:\n.Ql %s .\n", p->fallback);
    else
        puts("Default: empty.");
    if (p->flags & PARAM_PROTECTED)
        puts("Protected: CONFIG SET needs\n.Ic enable-protected-configs .");
    if (p->flags & PARAM_IMMUTABLE)
        puts("Set at the start only.");
    if (p->flags & PARAM_OWN)
        puts("Not known to Redis.");
    if (p->flags & PARAM_IDLE)
        puts("Kept and shown, without effect in this version.");
}

static void
put_parameters(void)
{
    for (int group = 0; group < PARAM_GROUPS; group++) {
        printf(".Ss %s\n.Bl -tag -width Ds\n", param_group_names[group]);
        for (int id = 0; id < PARAM_COUNT; id++)
            if ((int)params[id].group == group && !(params[id].flags & PARAM_HIDDEN))
                put_parameter(&params[id]);
        puts(".El");
    }
}

int
main(void)
{
    char line[1024];
    while (fgets(line, sizeof line, stdin)) {
        if (strcmp(line, "@OPTIONS@\n") == 0)
            put_options();
        else if (strcmp(line, "@SYNOPSIS@\n") == 0)
            put_synopsis();
        else if (strcmp(line, "@PARAMETERS@\n") == 0)
            put_parameters();
        else
            fputs(line, stdout);
    }
    return ferror(stdin) || fflush(stdout) != 0;
}
