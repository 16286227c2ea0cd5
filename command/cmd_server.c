/* cmd_server.c - commands about the server: TIME, SHUTDOWN, CONFIG GET.
 *
 * Process: workers. Locks: none.
 */
#include <stdlib.h>
#include <sys/time.h>

#include "command/cmd.h"
#include "command/cmd_rows.h"
#include "command/control.h"

void
cmd_time(struct cmd *c)
{
    struct timeval t;
    gettimeofday(&t, NULL);
    resp_out_array(c->out, 2);
    resp_out_bulkf(c->out, "%ld", (long)t.tv_sec);
    resp_out_bulkf(c->out, "%ld", (long)t.tv_usec);
}

/* ---- the end ------------------------------------------------------------------------------------------------------ */

/* SHUTDOWN's words. False: an error was replied. */
static bool
shutdown_words(struct cmd *c, bool *abort)
{
    bool save = false, nosave = false, other = false;
    *abort = false;
    for (int i = 1; i < c->argc; i++) {
        if (cmd_arg_is(c, i, "nosave"))
            nosave = true;
        else if (cmd_arg_is(c, i, "save"))
            save = true;
        else if (cmd_arg_is(c, i, "now") || cmd_arg_is(c, i, "force"))
            other = true;
        else if (cmd_arg_is(c, i, "abort"))
            *abort = true;
        else
            save = nosave = true; /* as wrong as both */
    }
    if ((save && nosave) || (*abort && (save || nosave || other))) {
        cmd_error_syntax(c);
        return false;
    }
    return true;
}

void
cmd_shutdown(struct cmd *c)
{
    bool abort;
    if (!shutdown_words(c, &abort))
        return;
    if (abort) { /* a shutdown waits for nobody, so none can be in progress */
        cmd_error(c, "ERR No shutdown in progress.");
        return;
    }
    atomic_store(&c->engine->control->shutdown, 1);
    c->session->flags |= SESSION_CLOSE_AFTER_REPLY; /* without a reply, as in Redis: the connection ends with the server */
}
