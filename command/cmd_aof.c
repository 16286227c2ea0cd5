/* cmd_aof.c - BGREWRITEAOF: asks the persister for a new base of the append-only file.
 *
 * Process: workers. Locks: none; a request is a number of the control page (command/persist.h).
 */
#include "command/cmd.h"
#include "command/cmd_rows.h"
#include "command/control.h"

void
cmd_bgrewriteaof(struct cmd *c)
{
    struct persist_sh *p = &c->engine->control->persist;
    uint64_t taken = atomic_load(&p->rewrite_taken);
    /* who raises the number has asked; others find it raised */
    if (atomic_load(&p->rewrite_runs) || !atomic_compare_exchange_strong(&p->rewrite_asked, &taken, taken + 1)) {
        cmd_error(c, "ERR Background append only file rewriting already in progress");
        return;
    }
    persist_ask(c->engine);
    bool saving = atomic_load(&p->save.bgsave_asked) != atomic_load(&p->save.bgsave_answered);
    resp_out_simple(c->out, saving ? "Background append only file rewriting scheduled" : "Background append only file rewriting started");
}
