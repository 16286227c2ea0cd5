/* flags_page.c - makes a manual page: copies standard input to standard output and puts the flags of a program, as its table
 * says them, in the place of the line @FLAGS@; in the place of @FLAGS check@ those of its tool called so.
 *
 * Run by make, as: flags_page kvstash-cli < man/kvstash-cli.1.in. Fails: exit status 1 with a message.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bench_options.h"
#include "cli/cli_options.h"
#include "cli/tool_options.h"

static const struct flag_table *const tables[] = { &bench_flags, &cli_flags, &check_flags, &export_flags, &import_flags };

static const struct flag_table *
table_of(const char *program)
{
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        if (strcmp(tables[i]->program, program) == 0)
            return tables[i];
    return NULL;
}

/* The table that a line asks for; NULL: it asks for none. */
static const struct flag_table *
table_named_by(const char *line, const char *program, const struct flag_table *own)
{
    char tool[32], name[64];
    if (strcmp(line, "@FLAGS@\n") == 0)
        return own;
    if (sscanf(line, "@FLAGS %31[a-z]@", tool) != 1)
        return NULL;
    snprintf(name, sizeof name, "%.31s %s", program, tool);
    return table_of(name);
}

int
main(int argc, char **argv)
{
    const struct flag_table *table = argc == 2 ? table_of(argv[1]) : NULL;
    char *line = NULL;
    size_t cap = 0;
    if (table == NULL) {
        fprintf(stderr, "usage: flags_page PROGRAM < PAGE.in > PAGE\n");
        return EXIT_FAILURE;
    }
    while (getline(&line, &cap, stdin) >= 0) {
        const struct flag_table *named = table_named_by(line, argv[1], table);
        if (named != NULL)
            flag_print_mdoc(named, stdout);
        else
            fputs(line, stdout);
    }
    free(line);
    if (ferror(stdin) || fflush(stdout) != 0) {
        perror("flags_page");
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
