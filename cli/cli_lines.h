/* cli_lines.h - commands from standard input, one a line.
 *
 * From a pipe or file, all lines that one read brings are sent together; on a terminal, each has a prompt. A number in front of
 * a command repeats it; quit and exit end, help and clear are the program's own. Process: kvstash-cli.
 */
#ifndef KVSTASH_CLI_CLI_LINES_H
#define KVSTASH_CLI_CLI_LINES_H

#include "cli/cli_talk.h"

/* Each returns the exit status. */
int cli_lines_from_pipe(struct cli_talk *t);
int cli_lines_from_terminal(struct cli_talk *t);

#endif
