/* cmd_auth.c - AUTH, and the log-in that HELLO shares (contract in cmd_auth.h).
 *
 * There is one user, "default". Without a password any will do, as in Redis.
 */
#include "command/cmd_auth.h"

#include <string.h>

#include "command/cmd_rows.h"

/* All bytes of the place are looked at, so that the time tells nothing of what was right. */
static bool
is_password(struct engine *e, const struct resp_arg *given)
{
    char has[PARAM_TEXT_MAX], got[PARAM_TEXT_MAX] = "";
    unsigned char differs = 0;
    config_read_text(e, PARAM_REQUIREPASS, has);
    size_t len = strlen(has);
    memset(has + len, 0, sizeof has - len);
    memcpy(got, given->data, given->len < sizeof got ? given->len : sizeof got);
    for (size_t i = 0; i < sizeof has; i++)
        differs |= (unsigned char)(has[i] ^ got[i]);
    return differs == 0 && given->len == len;
}

bool
cmd_auth_login(struct cmd *c, const struct resp_arg *user, const struct resp_arg *password)
{
    bool known = !user || (user->len == strlen("default") && memcmp(user->data, "default", user->len) == 0);
    bool open = !config_yes(c->engine, PARAM_REQUIREPASS);
    if (!(is_password(c->engine, password) | open) || !known) {
        cmd_error(c, "WRONGPASS invalid username-password pair or user is disabled.");
        return false;
    }
    c->session->flags |= SESSION_AUTHENTICATED;
    return true;
}

void
cmd_auth(struct cmd *c)
{
    if (c->argc > 3) {
        cmd_error_syntax(c);
        return;
    }
    if (c->argc == 2 && !config_yes(c->engine, PARAM_REQUIREPASS)) {
        cmd_error(c, "ERR AUTH <password> called without any password configured for the default user. Are you sure your "
                     "configuration is correct?");
        return;
    }
    if (cmd_auth_login(c, c->argc == 3 ? &c->argv[1] : NULL, &c->argv[c->argc - 1]))
        resp_out_ok(c->out);
}
