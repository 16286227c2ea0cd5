/* ending.c - the way to the orderly end (see ending.h).
 *
 * One step after the other, each taken up again at every turn of the master's loop; none waits. Until the data are saved everything
 * can still be called off, and then writers go on as if nothing had been asked.
 */
#include "master/ending.h"

#include "base/log.h"
#include "process/process.h"
#include "shm/shm_epoch.h"
#include "shm/shm_proc.h"

void
ending_ask(struct control_sh *c, uint64_t flags)
{
    uint64_t was = atomic_load(&c->end_asked);
    while (was >> CONTROL_END_BITS <= atomic_load(&c->end_refused) &&
        !atomic_compare_exchange_weak(&c->end_asked, &was, ((was >> CONTROL_END_BITS) + 1) << CONTROL_END_BITS | flags))
        ;
}

/* Nothing came of it: whoever waits is told, and writers go on. */
static bool
refuse(struct ending *e, struct control_sh *c, const char *why)
{
    log_warning("%s: the server goes on", why);
    atomic_fetch_and(&c->persist.refuse_writes, ~(uint32_t)PERSIST_REFUSE_ENDING);
    atomic_store(&c->end_refused, e->number);
    e->step = ENDING_NOT;
    return false;
}

/* True: there is nothing to save. */
static bool
begin(struct ending *e, const struct heritage *h, struct control_sh *c, uint64_t flags)
{
    bool points = config_value(&c->config.live, PARAM_SAVE) > 0; /* the text is not empty */
    if (loading_is_partial(&c->loading)) /* half of the data must not take the file's place */
        return true;
    if (!(flags & CONTROL_END_SAVE) && ((flags & CONTROL_END_NOSAVE) || !points))
        return true;
    log_notice("saving before the end; writers are held back");
    atomic_fetch_or(&c->persist.refuse_writes, PERSIST_REFUSE_ENDING); /* and then: the raise; pairs with exec's look at it */
    e->epoch = shm_epoch_raise(h->region);
    e->step = ENDING_HOLDS;
    return false;
}

static void
ask_save(struct ending *e, const struct heritage *h, struct control_sh *c)
{
    e->save = atomic_fetch_add(&c->persist.save.wait_asked, 1) + 1;
    e->step = ENDING_SAVES;
    process_want(h, heritage_persister(h), SHM_PROC_WANTED_LOOK);
}

/* Has the save come to an end? Then whether it failed. */
static bool
is_saved(const struct ending *e, const struct control_sh *c, bool *failed)
{
    uint64_t answered = atomic_load(&c->persist.save.wait_answered);
    *failed = answered & 1;
    return answered >> 1 >= e->save;
}

bool
ending_look(struct ending *e, const struct heritage *h, struct control_sh *c)
{
    uint64_t asked = atomic_load(&c->end_asked), flags = asked & ((1u << CONTROL_END_BITS) - 1);
    bool failed;
    if (asked >> CONTROL_END_BITS <= atomic_load(&c->end_refused))
        return false;
    e->number = asked >> CONTROL_END_BITS;
    if (atomic_load(&c->end_aborted) >= e->number)
        return refuse(e, c, "the shutdown was given up on request");
    if (e->step == ENDING_NOT && begin(e, h, c, flags))
        return true;
    if (e->step != ENDING_NOT && (flags & CONTROL_END_NOSAVE))
        return true; /* a second SHUTDOWN does not want to wait */
    if (e->step == ENDING_HOLDS && shm_epoch_passed(h->region, e->epoch, h->region->nslots))
        ask_save(e, h, c);
    if (e->step != ENDING_SAVES || !is_saved(e, c, &failed))
        return false;
    if (!failed || (flags & CONTROL_END_FORCE))
        return true;
    return refuse(e, c, "the data could not be saved before the end");
}
