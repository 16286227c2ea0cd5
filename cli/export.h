/* export.h - kvstash-cli export: keys of a server, or of a file, into a file of another kind.
 *
 * Any server of the Redis protocol that knows SCAN and DUMP will do. Process: kvstash-cli. Ends with 0; 1 if something could not be
 * exported (told on standard error, at the end with numbers); 2 if the command line is wrong.
 */
#ifndef KVSTASH_CLI_EXPORT_H
#define KVSTASH_CLI_EXPORT_H

#include "cli/tool_options.h"

int export_main(const struct tool_options *o, int count, char **paths);

#endif
