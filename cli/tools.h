/* tools.h - the tools of kvstash-cli, by the word that calls them: check, export, import. */
#ifndef KVSTASH_CLI_TOOLS_H
#define KVSTASH_CLI_TOOLS_H

#include "cli/cli_options.h"

/* Runs the tool that the first operand names, if it names one: *status is then the program's exit status. False: it names none. */
bool tools_run(const struct cli_options *at, int count, char **operands, int *status);

#endif
