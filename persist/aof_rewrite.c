/* aof_rewrite.c - new bases for the append-only file (see aof.h).
 *
 * A base is a snapshot (snapshot.h). At its cut the file that is written ends: what has a lower ticket still goes there, what
 * comes from the cut's ticket on goes into the next increment. When the snapshot stands, a manifest names it and the increments
 * behind the cut; what was before becomes history and is deleted. If it fails, the increments go on without it.
 *
 * The first base (the log was off, or what was written is lost) is the same, but until it stands no manifest names its increment:
 * region and manifest both say that there is nothing, and whoever takes over begins again.
 */
#include "persist/aof_parts.h"

#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define AGAIN_NS 200000000LL         /* after a failure of a base that is needed */
#define AUTO_AGAIN_NS 60000000000LL  /* of one that growth asked for */

static struct persist_sh *
shared(const struct aof *a)
{
    return a->p->shared;
}

/* ---- how it ends ------------------------------------------------------------------------------------------------------------- */

static void
ended(struct aof *a, bool ok)
{
    struct persist_sh *s = shared(a);
    a->base_runs = a->base_ready = a->base_cut = a->base_switched = false;
    a->merge.until = UINT64_MAX;
    atomic_store(&s->rewrite_took_s, clock_wall_ms() / 1000 - a->base_begun_s);
    atomic_store(&s->rewrite_failed, !ok);
    atomic_store(&s->rewrite_failures, ok ? 0 : atomic_load(&s->rewrite_failures) + 1);
    if (ok)
        atomic_store(&s->rewrites, atomic_load(&s->rewrites) + 1);
    atomic_store(&s->rewrite_runs, 0);
    a->base_again_ns = ok ? 0 : clock_ns() + (a->published && a->phase == AOF_RUNNING ? AUTO_AGAIN_NS : AGAIN_NS);
}

static void
failed(struct aof *a, const char *why)
{
    log_warning("the append-only file has no new base: %s", why);
    ended(a, false);
}

/* ---- the base stands --------------------------------------------------------------------------------------------------------- */

/* The increment is on the disk before a manifest says that it is all there is behind the base. */
static int
work_rebase(struct aof *a)
{
    bool open = a->tail.fd >= 0;
    if (open && fdatasync(a->tail.fd) != 0)
        return aof_dir_fail(&a->dir, "sync", &a->tail);
    int error = aof_dir_rebase(&a->dir, true, a->base_first, open ? &a->tail : NULL);
    aof_measure(a);
    return error;
}

static void
then_rebased(struct aof *a, int error)
{
    if (error) {
        failed(a, a->dir.why);
        return;
    }
    a->published = a->tail.fd >= 0;
    atomic_store(&shared(a)->aof_base_size, 0);
    aof_tell_size(a);
    if (a->published) {
        aof_publish_place(a);
        aof_set_durable(a, a->durable, a->durable_end);
        atomic_store(&shared(a)->aof_state, PERSIST_AOF_ON);
        if (a->phase == AOF_RUNNING)
            aof_recovered(a);
    }
    log_notice("the append-only file was rewritten: %lu bytes", (unsigned long)atomic_load(&shared(a)->aof_base_size));
    ended(a, true);
}

static void
on_done(void *arg, const struct snapshot_result *r)
{
    struct aof *a = arg;
    if (r->ok && !a->base_dropped)
        a->base_ready = true;
    else
        failed(a, r->ok || r->aborted ? "it was given up" : r->why);
}

/* ---- the cut ----------------------------------------------------------------------------------------------------------------- */

/* The old increment is complete, and synced before the next is named. */
static int
work_switch(struct aof *a)
{
    a->unsynced_write = false;
    if (fdatasync(a->tail.fd) != 0) {
        a->unsynced_write = true;
        return aof_dir_fail(&a->dir, "sync", &a->tail);
    }
    return aof_work_increment(a, a->base_ticket);
}

static void
then_switched(struct aof *a, int error)
{
    a->phase = AOF_RUNNING;
    a->merge.until = UINT64_MAX;
    if (error && a->unsynced_write) {
        aof_rewrite_abort(a);
        aof_fail(a, AOF_SYNC_FAILED, error, a->dir.why);
        return;
    }
    aof_set_durable(a, a->tail.last, a->tail.offset);
    if (error) {
        log_warning("%s", a->dir.why);
        aof_rewrite_abort(a);
        return;
    }
    aof_use_tail(a, &a->fresh);
    aof_publish_place(a);
    aof_set_durable(a, a->tail.last, a->tail.offset);
    aof_release_groups(a);
    a->base_first = a->tail.sequence;
    a->base_switched = a->base_runs; /* it may have failed meanwhile */
}

/* A first base: its increment, which no manifest names yet. */
static int
work_after_cut(struct aof *a)
{
    const struct aof_head head = aof_new_head(a, a->base_ticket);
    if (a->tail.fd >= 0 && !a->published)
        aof_dir_drop(&a->dir, &a->tail); /* of a base that failed */
    return aof_dir_increment(&a->dir, &head, &a->fresh);
}

static void
then_after_cut(struct aof *a, int error)
{
    if (error) {
        aof_rewrite_abort(a);
        aof_fail(a, AOF_NEEDS_BASE, error, a->dir.why);
        return;
    }
    a->published = false;
    aof_forget_groups(a);
    aof_use_tail(a, &a->fresh);
    log_merge_open(&a->merge, a->p->engine.region, a->base_ticket);
    a->durable = a->tail.last;
    a->durable_end = a->tail.offset;
    a->base_first = a->tail.sequence;
    a->base_switched = a->base_runs;
    a->phase = AOF_RUNNING;
}

static void
on_cut(void *arg, uint64_t ticket)
{
    struct aof *a = arg;
    a->base_ticket = ticket;
    a->base_cut = true;
    if (a->phase == AOF_NEEDS_BASE)
        aof_begin_task(a, AOF_PREPARING, work_after_cut, then_after_cut);
    else if (a->phase != AOF_OFF)
        a->merge.until = ticket;
    else
        a->base_switched = true; /* a base alone: the log is off */
}

/* ---- the beginning ----------------------------------------------------------------------------------------------------------- */

static void
begin(struct aof *a)
{
    char name[AOF_NAME_MAX + 1];
    struct snapshot_order order = {.purpose = SNAPSHOT_AOF_BASE, .dir = a->dir.fd, .name = name, .cut = on_cut, .done = on_done, .arg = a};
    if (!aof_dir_base_name(&a->dir, name) || !snapshot_begin(a->p->snapshot, &order))
        return; /* another snapshot runs: later */
    a->base_runs = true;
    a->base_dropped = false;
    a->base_first = INT64_MAX;
    a->base_begun_s = clock_wall_ms() / 1000;
    atomic_store(&shared(a)->rewrite_begun_s, a->base_begun_s);
    atomic_store(&shared(a)->rewrite_runs, 1);
    atomic_store(&shared(a)->rewrite_taken, a->base_asked);
    log_notice("the append-only file gets a new base");
}

/* Has the file grown enough? */
static bool
has_grown(const struct aof *a)
{
    const struct engine *e = &a->p->engine;
    uint64_t now = atomic_load(&shared(a)->aof_current_size), base = atomic_load(&shared(a)->aof_base_size);
    uint64_t percent = (uint64_t)config_number(e, PARAM_AUTO_AOF_REWRITE_PERCENTAGE);
    if (percent == 0 || now <= (uint64_t)config_number(e, PARAM_AUTO_AOF_REWRITE_MIN_SIZE) || clock_ns() < a->base_again_ns)
        return false;
    return now >= base && (now - base) / (base / 100 + 1) >= percent;
}

static void
then_opened_for_base(struct aof *a, int error)
{
    if (error)
        failed(a, a->dir.why);
}

/* Is a base wanted, and can it begin? */
static bool
is_wanted(struct aof *a)
{
    a->base_asked = atomic_load(&shared(a)->rewrite_asked);
    bool asked = a->base_asked != atomic_load(&shared(a)->rewrite_taken);
    if (a->phase == AOF_NEEDS_BASE)
        return clock_ns() >= a->base_again_ns && a->flying == 0 && !a->syncing;
    if (a->phase == AOF_RUNNING)
        return a->published && (asked || has_grown(a));
    return a->phase == AOF_OFF && asked;
}

void
aof_rewrite_open(struct aof *a)
{
    struct persist_sh *s = shared(a);
    if (atomic_exchange(&s->rewrite_runs, 0) == 0)
        return;
    atomic_store(&s->rewrite_failed, 1);
    atomic_store(&s->rewrite_failures, atomic_load(&s->rewrite_failures) + 1);
}

bool
aof_sync_is_put_off(const struct aof *a)
{
    return config_yes(&a->p->engine, PARAM_NO_APPENDFSYNC_ON_REWRITE) && snapshot_runs(a->p->snapshot);
}

void
aof_rewrite_turn(struct aof *a)
{
    if (a->task.runs || a->closing || a->p->draining)
        return;
    if (!a->base_runs) {
        if (a->phase == AOF_RUNNING && !a->published)
            a->phase = AOF_NEEDS_BASE; /* the one that was to name the increment has failed: from a new cut on */
        if (!is_wanted(a))
            return;
        if (a->dir.fd < 0)
            aof_begin_task(a, a->phase, aof_work_open, then_opened_for_base);
        else
            begin(a);
        return;
    }
    bool complete = a->base_cut && !a->base_switched && a->phase == AOF_RUNNING && a->merge.reader.expected >= a->merge.until;
    if (complete && a->flying == 0 && !a->syncing && !a->failed)
        aof_begin_task(a, AOF_SWITCHING, work_switch, then_switched);
    else if (a->base_ready && a->base_switched && !a->syncing && (a->phase == AOF_RUNNING || a->phase == AOF_OFF))
        aof_begin_task(a, a->phase, work_rebase, then_rebased);
}

void
aof_rewrite_abort(struct aof *a)
{
    a->merge.until = UINT64_MAX;
    if (a->base_ready) {
        failed(a, "it was given up"); /* a file that no manifest names; the next one takes its place */
    } else if (a->base_runs) { /* it may have been too late for that */
        a->base_dropped = true;
        snapshot_abort(a->p->snapshot);
    }
}
