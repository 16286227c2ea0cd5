/* cmd_auth.c - logging a connection in (contract in cmd_auth.h).
 *
 * There is one user, "default", who needs no password: any will do, as in Redis.
 *
 * Process: workers. Locks: none.
 */
#include "command/cmd_auth.h"

#include <string.h>

bool
cmd_auth_login(struct cmd *c, const struct resp_arg *user, const struct resp_arg *password)
{
    (void)password;
    if (user->len != strlen("default") || memcmp(user->data, "default", user->len) != 0) {
        cmd_error(c, "WRONGPASS invalid username-password pair or user is disabled.");
        return false;
    }
    c->session->flags |= SESSION_AUTHENTICATED;
    return true;
}
