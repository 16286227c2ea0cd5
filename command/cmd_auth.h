/* cmd_auth.h - logging a connection in, by AUTH or HELLO.
 *
 * Locks: none.
 */
#ifndef KVSTASH_COMMAND_CMD_AUTH_H
#define KVSTASH_COMMAND_CMD_AUTH_H

#include "command/cmd.h"

/* Logs the session in as this user. False: an error was replied, and the session is as it was. */
bool cmd_auth_login(struct cmd *c, const struct resp_arg *user, const struct resp_arg *password);

#endif
