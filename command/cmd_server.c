/* cmd_server.c - commands about the server: TIME, LOLWUT.
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

/* ---- LOLWUT ------------------------------------------------------------------------------------------------------- */

/* VERSION n and the numbers that Redis's drawing of that version takes: they are checked, and change nothing here. */
static bool
lolwut_args_ok(struct cmd *c)
{
    int64_t version, number;
    if (c->argc < 3 || !cmd_arg_is(c, 1, "version"))
        return true;
    if (!cmd_arg_int(c, 2, &version))
        return false;
    int numbers = version == 5 ? 3 : version == 6 ? 2 : 0;
    for (int i = 3; i < c->argc && i < 3 + numbers; i++)
        if (!cmd_arg_int(c, i, &number))
            return false;
    return true;
}

/* Shelves with jars, as full as the time is late. */
void
cmd_lolwut(struct cmd *c)
{
    static const char levels[] = " .:oO#";
    struct buf text;
    uint64_t seed = (uint64_t)cmd_now(c) / 1000;
    if (!lolwut_args_ok(c))
        return;
    buf_init(&text);
    for (int shelf = 0; shelf < 3; shelf++) {
        for (int row = 0; row < 3; row++) {
            for (int jar = 0; jar < 8; jar++) {
                unsigned full = (unsigned)(seed >> (jar + 3 * shelf)) % (sizeof levels - 1);
                buf_printf(&text, row == 0 ? "  .-. " : row == 1 ? " |%c%c%c| " : " `---'", levels[full], levels[full], levels[full]);
            }
            buf_append_str(&text, "\n");
        }
        buf_append_str(&text, "================================================\n");
    }
    buf_append_str(&text, "kv-stash " CONTROL_VERSION ", Redis ver. 7.0.15\n");
    if (buf_failed(&text))
        cmd_error(c, "ERR no private memory for the drawing");
    else
        resp_out_verbatim(c->out, "txt", buf_head(&text), buf_pending(&text));
    buf_destroy(&text);
}
