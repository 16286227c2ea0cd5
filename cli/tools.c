/* tools.c - the tools of kvstash-cli (see tools.h).
 *
 * Process: kvstash-cli. Each tool has its flags (tool_options.h) and one function.
 */
#include "cli/tools.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/check.h"
#include "cli/export.h"
#include "cli/import.h"
#include "cli/tool_options.h"

enum { EXIT_USAGE = 2 };

static const struct tool {
    const char *name;
    const struct flag_table *flags;
    int operands_max;
    int (*run)(const struct tool_options *o, int count, char **operands); /* returns the exit status */
} tools[] = {
    { "check", &check_flags, 1000, check_main },
    { "export", &export_flags, 1, export_main },
    { "import", &import_flags, 1, import_main },
};

static int
run(const struct tool *t, const struct cli_options *at, int count, char **words)
{
    struct tool_options o = { .at = *at };
    o.at.database = 0;
    o.at.resp3 = o.at.json = false; /* the tools read version 2 of the protocol */
    char error[FLAG_ERROR_MAX];
    int first = flag_parse(t->flags, &o, count, words, error);
    if (first >= 0 && !o.at.help && (count == first || count - first > t->operands_max)) {
        snprintf(error, sizeof error, "%s; see --help", count == first ? "which file?" : "too many files");
        first = -1;
    }
    if (first < 0) {
        fprintf(stderr, "%s: %s\n", t->flags->program, error);
        return EXIT_USAGE;
    }
    if (o.at.help) {
        flag_print_help(t->flags, stdout);
        return EXIT_SUCCESS;
    }
    int status = t->run(&o, count - first, words + first);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        perror("kvstash-cli: standard output");
        return EXIT_FAILURE;
    }
    return status;
}

bool
tools_run(const struct cli_options *at, int count, char **operands, int *status)
{
    for (size_t i = 0; count > 0 && i < sizeof tools / sizeof tools[0]; i++) {
        if (strcmp(operands[0], tools[i].name) == 0) {
            *status = run(&tools[i], at, count, operands);
            return true;
        }
    }
    return false;
}
