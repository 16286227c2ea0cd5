/* cmd_save.c - commands about saves and the end: SAVE, BGSAVE, LASTSAVE, SHUTDOWN.
 *
 * Workers open no files: the persister saves, the master ends the server. What is asked of them are numbers in the control page
 * (command/persist.h, command/control.h); who waits is run again until the answer has come, while its worker serves others.
 *
 * Process: workers. Locks: none.
 */
#include "command/cmd_save.h"

#include "command/cmd_rows.h"
#include "command/control.h"
#include "shm/shm_proc.h"

static struct persist_save_sh *
saves_of(const struct cmd *c)
{
    return &c->engine->control->persist.save;
}

static void
wake_persister(const struct cmd *c)
{
    if (c->engine->hooks.wake)
        c->engine->hooks.wake(c->engine->hooks.arg, control_persister(c->engine->control), SHM_PROC_WANTED_LOOK);
}

/* ---- waiting for a save ------------------------------------------------------------------------------------------------- */

bool
cmd_save_wait(struct cmd *c, bool *failed)
{
    struct persist_save_sh *s = saves_of(c);
    if (!c->session->awaits) {
        c->session->awaits = atomic_fetch_add(&s->wait_asked, 1) + 1;
        wake_persister(c);
    }
    uint64_t answered = atomic_load(&s->wait_answered);
    c->again = answered >> 1 < c->session->awaits;
    if (c->again)
        return false;
    c->session->awaits = 0;
    *failed = answered & 1;
    return true;
}

void
cmd_save_drop(struct cmd *c)
{
    atomic_fetch_add(&saves_of(c)->drop_asked, 1);
    wake_persister(c);
}

/* ---- SAVE, BGSAVE, LASTSAVE ------------------------------------------------------------------------------------------------ */

void
cmd_save(struct cmd *c)
{
    struct persist_save_sh *s = saves_of(c);
    bool failed;
    if (!c->session->awaits && atomic_load(&s->bgsave_asked) != atomic_load(&s->bgsave_answered)) {
        cmd_error(c, "ERR Background save already in progress");
        return;
    }
    if (!cmd_save_wait(c, &failed))
        return;
    if (failed)
        cmd_error(c, "ERR");
    else
        resp_out_ok(c->out);
}

/* Does an append-only file's rewriting run, or is it about to? */
static bool
rewrite_runs(const struct persist_sh *p)
{
    return atomic_load(&p->rewrite_runs) || atomic_load(&p->rewrite_asked) != atomic_load(&p->rewrite_taken);
}

void
cmd_bgsave(struct cmd *c)
{
    struct persist_save_sh *s = saves_of(c);
    bool schedule = c->argc == 2 && cmd_arg_is(c, 1, "schedule");
    uint64_t answered = atomic_load(&s->bgsave_answered);
    if (c->argc > 1 && !schedule) {
        cmd_error_syntax(c);
    } else if (atomic_load(&s->bgsave_asked) != answered) {
        cmd_error(c, "ERR Background save already in progress");
    } else if (rewrite_runs(&c->engine->control->persist)) {
        if (schedule)
            atomic_store(&s->scheduled, 1);
        if (schedule)
            resp_out_simple(c->out, "Background saving scheduled");
        else
            cmd_error(c, "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to schedule a "
                "BGSAVE whenever possible.");
    } else if (!atomic_compare_exchange_strong(&s->bgsave_asked, &answered, answered + 1)) {
        cmd_error(c, "ERR Background save already in progress");
    } else {
        wake_persister(c);
        resp_out_simple(c->out, "Background saving started");
    }
}

void
cmd_lastsave(struct cmd *c)
{
    resp_out_int(c->out, atomic_load(&saves_of(c)->last_s));
}

/* ---- SHUTDOWN -------------------------------------------------------------------------------------------------------------- */

/* SHUTDOWN's words. False: an error was replied. */
static bool
shutdown_words(struct cmd *c, uint64_t *flags)
{
    static const struct {
        const char *word;
        unsigned flag;
    } words[] = {{"save", CONTROL_END_SAVE}, {"nosave", CONTROL_END_NOSAVE}, {"now", CONTROL_END_NOW}, {"force", CONTROL_END_FORCE},
        {"abort", CONTROL_END_ABORT}};
    *flags = 0;
    bool ok = true;
    for (int i = 1; i < c->argc; i++) {
        size_t w = 0, n = sizeof words / sizeof words[0];
        while (w < n && !cmd_arg_is(c, i, words[w].word))
            w++;
        ok = ok && w < n;
        *flags |= w < n ? words[w].flag : 0;
    }
    ok = ok && (*flags & (CONTROL_END_SAVE | CONTROL_END_NOSAVE)) != (CONTROL_END_SAVE | CONTROL_END_NOSAVE);
    ok = ok && (!(*flags & CONTROL_END_ABORT) || *flags == CONTROL_END_ABORT);
    if (!ok)
        cmd_error_syntax(c);
    return ok;
}

/* The number of the end that is asked for by this: the one in progress, if there is one, which then need not save any more if
 * this says so. */
static uint64_t
ask_end(struct control_sh *control, uint64_t flags)
{
    uint64_t was = atomic_load(&control->end_asked), now;
    do {
        bool runs = was >> CONTROL_END_BITS > atomic_load(&control->end_refused);
        now = !runs ? ((was >> CONTROL_END_BITS) + 1) << CONTROL_END_BITS | flags
            : flags & CONTROL_END_NOSAVE ? (was & ~(uint64_t)CONTROL_END_SAVE) | CONTROL_END_NOSAVE : was;
    } while (!atomic_compare_exchange_weak(&control->end_asked, &was, now));
    return now >> CONTROL_END_BITS;
}

/* The number of the end in progress; 0: there is none. */
static uint64_t
end_in_progress(const struct control_sh *control)
{
    uint64_t asked = atomic_load(&control->end_asked) >> CONTROL_END_BITS;
    return asked > atomic_load(&control->end_refused) ? asked : 0;
}

static void
begin_waiting(struct cmd *c, uint64_t flags)
{
    struct control_sh *control = c->engine->control;
    if (flags & CONTROL_END_ABORT) {
        c->session->awaits = end_in_progress(control);
        atomic_store(&control->end_aborted, c->session->awaits);
    } else {
        c->session->awaits = ask_end(control, flags);
    }
    c->session->awaits_reply = (int64_t)(flags & CONTROL_END_ABORT);
    if (c->engine->hooks.wake_master)
        c->engine->hooks.wake_master(c->engine->hooks.arg);
}

/* Waits for the end, in which its connection ends too, or for the news that there is none. */
void
cmd_shutdown(struct cmd *c)
{
    struct control_sh *control = c->engine->control;
    uint64_t flags;
    if (!c->session->awaits) {
        if (!shutdown_words(c, &flags))
            return;
        if ((flags & CONTROL_END_ABORT) && !end_in_progress(control)) {
            cmd_error(c, "ERR No shutdown in progress.");
            return;
        }
        begin_waiting(c, flags);
    }
    c->again = atomic_load(&control->end_refused) < c->session->awaits;
    if (c->again)
        return;
    c->session->awaits = 0;
    if (c->session->awaits_reply)
        resp_out_ok(c->out);
    else
        cmd_error(c, "ERR Errors trying to SHUTDOWN. Check logs.");
}
