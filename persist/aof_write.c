/* aof_write.c - groups on their way from the rings to the disk (see aof.h).
 *
 * Groups stand in one list, oldest first, until they are on the disk: FLYING (given to the writer thread), WRITTEN (the place in the
 * region says so), RELEASED (the rings have their room back). Always: one flies at a time, written and synced in one job, while the
 * next gathers. Otherwise several fly, and once a second the syncer thread syncs, while writing goes on.
 *
 * The rings are looked at when one is a quarter full, or at least ten times a second: so single commands wake nobody.
 */
#include "persist/aof_parts.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "process/process.h"
#include "shm/shm_crash.h"
#include "shm/shm_proc.h"

#define GROUP_BYTES (256u << 10)
#define FLYING_MAX 16u
#define LOOK_NS 90000000LL           /* a little less than the loop's own interval */
#define SYNC_NS 900000000LL          /* from the begin of one sync to the next: with a look at the rings a second */
#define LATE_NS 2000000000LL         /* writers are parked then (they look themselves) */
#define HELD_MAX (64u << 20)         /* bytes kept until they are synced */

static void on_written(struct file_job *job);

static void
store(_Atomic uint64_t *word, uint64_t v)
{
    atomic_store_explicit(word, v, memory_order_relaxed);
}

/* ---- the list -------------------------------------------------------------------------------------------------------------- */

static void
append(struct aof *a, struct log_group *g)
{
    if (a->last)
        a->last->next = g;
    else
        a->first = g;
    a->last = g;
    a->held_bytes += buf_pending(&g->bytes);
}

static void
drop_first(struct aof *a)
{
    struct log_group *g = a->first;
    a->first = g->next;
    if (!a->first)
        a->last = NULL;
    a->held_bytes -= buf_pending(&g->bytes);
    log_merge_done(&a->merge, g);
}

/* What nobody needs any more: synced and released; or too much to keep, or never to be synced. */
static void
trim(struct aof *a)
{
    bool never = aof_policy(a) == AOF_FSYNC_NO;
    while (a->first && a->first->state == AOF_GROUP_RELEASED) {
        struct log_group *g = a->first;
        bool synced = g->last <= a->durable;
        if (!synced && !never && a->held_bytes <= HELD_MAX)
            break;
        if (!synced) {
            a->let_go = g->last;
            if (a->let_go_since_ns == 0)
                a->let_go_since_ns = g->since_ns;
        }
        drop_first(a);
    }
}

/* Tells since when records wait for the disk. */
static void
tell_unsynced(struct aof *a)
{
    int64_t since = a->let_go > a->durable ? a->let_go_since_ns : a->first && a->first->last > a->durable ? a->first->since_ns : 0;
    struct persist_sh *s = a->p->shared;
    if (aof_policy(a) != AOF_FSYNC_EVERYSEC)
        since = 0;
    atomic_store_explicit(&s->unsynced_since_ns, since, memory_order_relaxed);
    bool late = since != 0 && clock_ns() - since > LATE_NS;
    if (late && !a->late) {
        atomic_fetch_add(&s->aof_delayed_fsync, 1);
        log_notice("the disk is late: the oldest record of the append-only file is not synced for more than 2 s, and writing commands wait");
    }
    a->late = late;
    store(&s->aof_buffered, a->held_bytes);
}

void
aof_release_groups(struct aof *a)
{
    for (struct log_group *g = a->first; g; g = g->next) {
        if (g->state == AOF_GROUP_RELEASED)
            continue;
        if (g->state != AOF_GROUP_WRITTEN || !shm_ring_release(&a->merge.reader, g->cursor, g->spilled))
            break;
        g->state = AOF_GROUP_RELEASED;
    }
    trim(a);
    tell_unsynced(a);
}

void
aof_wake_workers(struct aof *a, uint64_t durable)
{
    for (unsigned i = 0; i < a->p->heritage->workers; i++) {
        uint64_t wanted = atomic_load(&a->p->shared->wanted[i]);
        if (wanted != 0 && wanted <= durable)
            process_want(a->p->heritage, i, SHM_PROC_WANTED_DURABLE);
    }
}

/* Lets replies go that wait for tickets up to this one. What no manifest names is lost with the machine. */
static void
tell_durable(struct aof *a, uint64_t ticket)
{
    struct persist_sh *s = a->p->shared;
    if (!a->published || ticket <= atomic_load(&s->durable))
        return;
    SHM_POINT();
    atomic_store(&s->durable, ticket); /* seq_cst; pairs with the look of who has stored `wanted` */
    SHM_POINT();
    aof_wake_workers(a, ticket);
}

void
aof_set_durable(struct aof *a, uint64_t ticket, uint64_t end)
{
    if (ticket > a->durable)
        a->durable = ticket;
    a->durable_end = end;
    if (a->let_go <= a->durable)
        a->let_go_since_ns = 0;
    tell_durable(a, a->durable);
}

/* ---- writing ------------------------------------------------------------------------------------------------------------------ */

/* On the thread: behind a write that failed nothing is written. */
static int
write_group(struct file_job *job)
{
    struct log_group *g = (struct log_group *)job;
    struct aof *a = g->owner;
    return atomic_load(&a->broken) ? ECANCELED : file_write_work(job);
}

/* ... and nobody writes before the main thread has heard of it. */
static int
write_group_or_break(struct file_job *job)
{
    struct aof *a = ((struct log_group *)job)->owner;
    int error = write_group(job);
    if (error)
        atomic_store(&a->broken, true);
    return error;
}

static void
fly(struct aof *a, struct log_group *g, int fd)
{
    bool sync = aof_policy(a) == AOF_FSYNC_ALWAYS && !aof_sync_is_put_off(a);
    file_write_prepare(&g->write, fd, buf_head(&g->bytes), buf_pending(&g->bytes), (off_t)a->end, sync || a->phase == AOF_RENEWING);
    g->write.job.work = write_group_or_break;
    g->write.job.done = on_written;
    g->owner = a;
    g->state = AOF_GROUP_FLYING;
    a->end += buf_pending(&g->bytes);
    a->flying++;
    file_thread_add(a->writer, &g->write.job);
}

static void
note_failure(struct aof *a, struct log_group *g)
{
    g->state = AOF_GROUP_FAILED;
    if (g->write.job.error == ECANCELED)
        return;
    a->failed = g->write.job.error;
    a->unsynced_write = g->write.unsynced;
}

/* The last of the flying ones is back, and one has failed. */
static void
deal_with_failure(struct aof *a)
{
    int error = a->failed;
    const struct aof_tail *tail = a->phase == AOF_RENEWING ? &a->fresh : &a->tail;
    char name[AOF_NAME_MAX + 1] = "", why[AOF_NAME_MAX + 128]; /* dir.why may be a task's */
    aof_name_increment(name, a->p->append_name, tail->sequence);
    snprintf(why, sizeof why, "cannot %s %s: %s", a->unsynced_write ? "sync" : "write", name, strerror(error));
    a->failed = 0;
    if (a->phase == AOF_RENEWING) {
        aof_dir_drop(&a->dir, &a->fresh);
        aof_fail(a, AOF_SYNC_FAILED, error, why);
    } else {
        aof_fail(a, a->unsynced_write ? AOF_SYNC_FAILED : AOF_WRITE_FAILED, error, why);
    }
}

/* One more group is whole in the file that is appended to. */
static void
note_success(struct aof *a, struct log_group *g)
{
    struct aof_tail *tail = a->phase == AOF_RENEWING ? &a->fresh : &a->tail;
    g->state = AOF_GROUP_WRITTEN;
    tail->offset = (uint64_t)g->write.at + g->write.n;
    tail->last = g->last;
    if (tail == &a->fresh)
        return;
    if (a->published)
        aof_publish_place(a);
    store(&a->p->shared->aof_records, atomic_load(&a->p->shared->aof_records) + g->records);
    store(&a->p->shared->aof_current_size, a->others + tail->offset);
    if (a->published)
        aof_recovered(a);
    if (g->write.sync)
        aof_set_durable(a, g->last, tail->offset);
    else if (aof_policy(a) == AOF_FSYNC_ALWAYS && aof_sync_is_put_off(a))
        tell_durable(a, g->last); /* as in Redis, nobody waits for the disk then */
}

static void
on_written(struct file_job *job)
{
    struct log_group *g = (struct log_group *)job;
    struct aof *a = g->owner;
    a->flying--;
    if (job->error)
        note_failure(a, g);
    else
        note_success(a, g);
    if (a->flying == 0 && a->failed)
        deal_with_failure(a);
    aof_release_groups(a);
}

void
aof_write_again(struct aof *a, struct aof_tail *tail)
{
    a->end = tail->offset;
    for (struct log_group *g = a->first; g; g = g->next) {
        if (tail == &a->tail && g->state != AOF_GROUP_FAILED)
            continue;
        fly(a, g, tail->fd); /* to release it again does nothing */
    }
}

/* ---- taking from the rings -------------------------------------------------------------------------------------------------------- */

static bool
rings_have(const struct aof *a)
{
    const struct log_merge *m = &a->merge;
    return m->reader.expected < m->until && atomic_load(&a->p->engine.region->header->ticket) > m->reader.expected;
}

bool
aof_wants_groups(const struct aof *a)
{
    if (a->phase != AOF_RUNNING || a->failed)
        return false;
    if (aof_policy(a) == AOF_FSYNC_ALWAYS)
        return a->flying == 0 && rings_have(a);
    if (a->flying >= FLYING_MAX)
        return false;
    bool due = a->closing || a->merge.until != UINT64_MAX || clock_ns() - a->looked_ns >= LOOK_NS;
    return due ? rings_have(a) : log_merge_waiting(&a->merge) >= SHM_RING_WAKE;
}

static void
stamp(struct aof *a, struct log_group *g)
{
    int64_t now_s = clock_wall_ms() / 1000;
    if (!config_yes(&a->p->engine, PARAM_AOF_TIMESTAMP_ENABLED) || now_s == a->stamped_s)
        return;
    log_merge_stamp(g, now_s);
    a->stamped_s = now_s;
}

static void
give_group(struct aof *a, struct log_group *g)
{
    log_merge_seal(g, &a->tail.head, a->durable);
    append(a, g);
    fly(a, g, a->tail.fd);
}

bool
aof_take_groups(struct aof *a)
{
    unsigned most = aof_policy(a) == AOF_FSYNC_ALWAYS ? 1 : FLYING_MAX;
    enum shm_ring_result got = SHM_RING_RECORD;
    a->looked_ns = clock_ns();
    while (got == SHM_RING_RECORD && a->flying < most) {
        struct log_group *g = log_merge_group(&a->merge);
        if (!g)
            return true; /* private memory is short: the rings keep it */
        stamp(a, g);
        got = log_merge_take(&a->merge, g, GROUP_BYTES);
        if (g->records == 0) {
            log_merge_done(&a->merge, g);
            return got != SHM_RING_EMPTY;
        }
        give_group(a, g);
    }
    return got == SHM_RING_WAIT;
}

/* ---- syncing ---------------------------------------------------------------------------------------------------------------------- */

static int
sync_work(struct file_job *job)
{
    const struct aof *a = (const struct aof *)((const char *)job - offsetof(struct aof, sync_job));
    return fdatasync(a->sync_fd) == 0 ? 0 : errno;
}

static void
on_synced(struct file_job *job)
{
    struct aof *a = (struct aof *)((char *)job - offsetof(struct aof, sync_job));
    a->syncing = false;
    if (job->error) {
        atomic_store(&a->broken, true);
        a->failed = job->error;
        a->unsynced_write = true;
        if (a->flying == 0) /* else when they are back */
            deal_with_failure(a);
        return;
    }
    aof_set_durable(a, a->sync_ticket, a->sync_end);
    aof_release_groups(a);
}

static void
begin_sync(struct aof *a, int64_t now)
{
    a->sync_job = (struct file_job){.work = sync_work, .done = on_synced};
    a->sync_fd = a->tail.fd;
    a->sync_ticket = a->tail.last;
    a->sync_end = a->tail.offset;
    a->syncing = true;
    a->synced_ns = now;
    file_thread_add(a->syncer, &a->sync_job);
}

/* Says in the file what is durable, so that its end cannot be taken for a torn one. */
static void
write_mark(struct aof *a)
{
    struct log_group *g = log_merge_group(&a->merge);
    if (!g)
        return;
    a->marked = a->durable;
    give_group(a, g);
}

void
aof_look_at_syncs(struct aof *a)
{
    enum aof_fsync policy = aof_policy(a);
    int64_t now = clock_ns();
    if (a->syncing || a->failed || policy == AOF_FSYNC_NO || aof_sync_is_put_off(a))
        return;
    bool unsynced = a->tail.last > a->durable;
    if (policy == AOF_FSYNC_ALWAYS ? unsynced && a->flying == 0 : unsynced && now - a->synced_ns >= SYNC_NS)
        begin_sync(a, now);
    else if (policy == AOF_FSYNC_EVERYSEC && !a->first && !unsynced && a->marked != a->durable && now - a->synced_ns >= SYNC_NS)
        write_mark(a);
}
