/* cmd_auth.h - who is let in: the user "default" and its password, by AUTH or HELLO.
 *
 * Process: workers. Locks: CONFIG while the password is looked at.
 */
#ifndef KVSTASH_COMMAND_CMD_AUTH_H
#define KVSTASH_COMMAND_CMD_AUTH_H

#include "command/cmd.h"
#include "command/control.h"

/* Must this session log in before anything else? */
static inline bool
cmd_auth_is_missing(const struct engine *e, const struct session *s)
{
    return !(s->flags & SESSION_AUTHENTICATED) && config_yes(e, PARAM_REQUIREPASS);
}

/* Logs the session in as this user (NULL: "default"). False: an error was replied, and the session is as it was. It takes the
 * same time whatever is wrong. */
bool cmd_auth_login(struct cmd *c, const struct resp_arg *user, const struct resp_arg *password);

#endif
