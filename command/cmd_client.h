/* cmd_client.h - naming a connection, by CLIENT SETNAME or HELLO.
 *
 * Locks: none.
 */
#ifndef KVSTASH_COMMAND_CMD_CLIENT_H
#define KVSTASH_COMMAND_CMD_CLIENT_H

#include "command/cmd.h"

/* Names the session; an empty name takes its name away. False: the name cannot be, and an error was replied. */
bool cmd_client_set_name(struct cmd *c, const struct resp_arg *name);

#endif
