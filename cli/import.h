/* import.h - kvstash-cli import: what a file holds (source.h), into a server that runs.
 *
 * Keys go by RESTORE, with their expiries as absolute times, or by commands (--commands); a log's commands go as they are. Requests are
 * sent ahead of their replies, in a bounded number. What the server refuses is written into a file of rejects, one JSON line each.
 *
 * Process: kvstash-cli. Ends with 0; 1 if something was rejected or the import ended too early (--resume goes on); 2 if the command
 * line is wrong.
 */
#ifndef KVSTASH_CLI_IMPORT_H
#define KVSTASH_CLI_IMPORT_H

#include "cli/tool_options.h"

int import_main(const struct tool_options *o, int count, char **paths);

#endif
