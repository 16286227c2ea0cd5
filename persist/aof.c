/* aof.c - how the append-only file begins, goes on after a death, fails and ends (see aof.h).
 *
 * One state machine. What waits for the disk is a task on the file thread, one at a time; its end, on the main thread, brings the
 * next phase. The parameter appendonly is followed: it says what is to be, and each turn does the next step towards it.
 *
 * The log's switch and the file's beginning: first the log is on (a pass over all locks), then a snapshot's cut; the increment holds
 * what comes from the cut's ticket on. A region that the master has just made, or filled from the files, has its log on before
 * anybody is there, and needs no base.
 */
#include "persist/aof_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "shm/shm_crash.h"

#define SECOND_NS 1000000000LL

static void task_done(struct file_job *job);
static void be_running(struct aof *a);

/* ---- what the modules share ---------------------------------------------------------------------------------------------- */

static int
task_work(struct file_job *job)
{
    struct aof_task *t = (struct aof_task *)job;
    return t->work(t->aof);
}

static void
start_task(struct aof_task *t)
{
    t->job = (struct file_job){.work = task_work, .done = task_done};
    file_thread_add(t->aof->writer, &t->job);
}

static int
work_settle(struct aof *a)
{
    return aof_dir_settle(&a->dir);
}

/* What the task was to do stands in a manifest that a power failure could take back: it has not ended before that is settled.
 * False: nobody cares any more. */
static bool
put_off(struct aof_task *t, int error)
{
    struct aof *a = t->aof;
    bool of_increment = a->phase == AOF_PREPARING || a->phase == AOF_SWITCHING || a->phase == AOF_RENEWING;
    if (a->closing && !a->p->draining) {
        if (of_increment)
            aof_dir_drop(&a->dir, &a->fresh);
        return false;
    }
    if (of_increment)
        aof_fail(a, a->phase, error, a->dir.why);
    else if (t->work != work_settle) /* of a base: what is written meanwhile is named by both manifests */
        log_warning("%s; it is tried again", a->dir.why);
    a->retry_ns = clock_ns() + AOF_RETRY_NS;
    t->work = work_settle;
    t->waits = true;
    return true;
}

static void
task_done(struct file_job *job)
{
    struct aof_task *t = (struct aof_task *)job;
    struct aof *a = t->aof;
    if (job->error && a->dir.unsure && put_off(t, job->error))
        return;
    t->runs = false;
    if (t->work == work_settle && !job->error && a->phase == AOF_SWITCHING)
        aof_recovered(a);
    t->then(a, job->error);
}

static void
look_at_task(struct aof *a)
{
    if (!a->task.waits || clock_ns() < a->retry_ns)
        return;
    a->task.waits = false;
    start_task(&a->task);
}

void
aof_begin_task(struct aof *a, enum aof_phase phase, int (*work)(struct aof *a), void (*then)(struct aof *a, int error))
{
    xassert(!a->task.runs);
    a->phase = phase;
    a->dir.unsure = false;
    a->task = (struct aof_task){.aof = a, .work = work, .then = then, .runs = true};
    start_task(&a->task);
}

void
aof_publish_place(struct aof *a)
{
    struct persist_sh *s = a->p->shared;
    uint64_t n = atomic_load(&s->place_now) + 1;
    s->place[n % 2] = (struct persist_place_sh){.increment = (uint64_t)a->tail.sequence, .offset = a->tail.offset, .ticket = a->tail.last};
    SHM_POINT();
    atomic_store_explicit(&s->place_now, n, memory_order_release);
    SHM_POINT();
}

void
aof_publish_nothing(struct aof *a)
{
    struct aof_tail kept = a->tail;
    atomic_store(&a->p->shared->start, PERSIST_START_BASE);
    a->tail = (struct aof_tail){.fd = -1};
    aof_publish_place(a);
    a->tail = kept;
}

void
aof_fail(struct aof *a, enum aof_phase phase, int error, const char *why)
{
    struct persist_sh *s = a->p->shared;
    if (atomic_load(&s->aof_errno) != (uint32_t)error)
        log_warning("the append-only file cannot be written, so writing commands are refused until it can: %s", why);
    atomic_store(&s->aof_errno, (uint32_t)error);
    aof_wake_workers(a, UINT64_MAX); /* reads wait no longer */
    a->phase = phase;
    a->retry_ns = clock_ns() + AOF_RETRY_NS;
}

void
aof_recovered(struct aof *a)
{
    if (atomic_exchange(&a->p->shared->aof_errno, 0) != 0)
        log_notice("the append-only file can be written again; writing commands are served");
}

struct aof_head
aof_new_head(const struct aof *a, uint64_t first_ticket)
{
    struct aof_head head = {.first_ticket = first_ticket};
    memcpy(head.lineage, a->p->engine.region->header->lineage, sizeof head.lineage);
    return head;
}

void
aof_measure(struct aof *a)
{
    a->size = aof_dir_size(&a->dir);
}

void
aof_tell_size(struct aof *a)
{
    struct persist_sh *s = a->p->shared;
    a->others = a->size > a->tail.offset ? a->size - a->tail.offset : 0;
    atomic_store(&s->aof_current_size, a->others + a->tail.offset);
    if (atomic_load(&s->aof_base_size) == 0)
        atomic_store(&s->aof_base_size, a->others + a->tail.offset);
}

void
aof_use_tail(struct aof *a, const struct aof_tail *tail)
{
    if (a->tail.fd >= 0 && a->tail.fd != tail->fd)
        close(a->tail.fd); /* synced, or given up */
    a->tail = *tail;
    a->end = tail->offset;
    atomic_store(&a->broken, false);
}

void
aof_forget_groups(struct aof *a)
{
    xassert(a->flying == 0);
    while (a->first) {
        struct log_group *g = a->first;
        a->first = g->next;
        log_merge_done(&a->merge, g);
    }
    a->last = NULL;
    a->held_bytes = 0;
    a->let_go = 0;
    a->let_go_since_ns = 0;
}

/* ---- the beginning ------------------------------------------------------------------------------------------------------------ */

static void
set_state(struct aof *a, enum persist_aof_state state)
{
    atomic_store(&a->p->shared->aof_state, state);
    if (state != PERSIST_AOF_ON)
        aof_wake_workers(a, UINT64_MAX);
}

static int
open_dir(struct aof *a)
{
    a->dir.keep_history = config_yes(&a->p->engine, PARAM_AOF_DISABLE_AUTO_GC);
    if (a->dir.fd >= 0)
        return 0;
    int error = aof_dir_open(&a->dir, a->p->dir, a->p->append_dir, a->p->append_name);
    if (error == 0)
        file_aside_sweep(a->dir.fd);
    return error;
}

int
aof_work_increment(struct aof *a, uint64_t first_ticket)
{
    const struct aof_head head = aof_new_head(a, first_ticket);
    int error = aof_dir_increment(&a->dir, &head, &a->fresh);
    if (error == 0 && (error = aof_dir_publish(&a->dir, &a->fresh)) != 0 && !a->dir.unsure)
        aof_dir_drop(&a->dir, &a->fresh);
    aof_measure(a);
    return error;
}

/* A predecessor may have died when it had named the first increment and told nobody. Other files are not ours to go on with. */
static int
work_take_over(struct aof *a)
{
    const struct aof_head head = aof_new_head(a, a->p->shared->start_ticket);
    int error = aof_dir_is_empty(&a->dir) ? aof_dir_resume(&a->dir, &a->place, &a->fresh) : ENODATA;
    if (error && error != ENODATA)
        return error;
    if (error == 0 && a->fresh.head.first_ticket == head.first_ticket && memcmp(a->fresh.head.lineage, head.lineage, sizeof head.lineage) == 0)
        return 0;
    if (error == 0)
        aof_dir_drop(&a->dir, &a->fresh); /* closes it: the manifest names it */
    snprintf(a->dir.why, sizeof a->dir.why, "the directory %.255s has files of an append-only file that was not loaded; load it, or "
             "move it away", a->p->append_dir);
    return EEXIST;
}

/* With nothing, or behind what was loaded: an increment that the manifest names. */
static int
work_first(struct aof *a)
{
    int error = open_dir(a);
    if (error)
        return error;
    if (a->dir.manifest.files > 0 && atomic_load(&a->p->shared->start) == PERSIST_START_EMPTY)
        return work_take_over(a);
    return aof_work_increment(a, a->p->shared->start_ticket);
}

static int
work_resume(struct aof *a)
{
    int error = open_dir(a);
    if (error == 0)
        error = aof_dir_resume(&a->dir, &a->place, &a->fresh);
    aof_measure(a);
    return error;
}

int
aof_work_open(struct aof *a)
{
    return open_dir(a);
}

static void
then_opened(struct aof *a, int error)
{
    if (error)
        aof_fail(a, AOF_OFF, error, a->dir.why);
    else
        a->phase = AOF_NEEDS_BASE;
}

/* The increment in `fresh` is the end of the file. */
static void
then_first(struct aof *a, int error)
{
    if (error == ENODATA) { /* what was written is gone: all of it anew */
        log_warning("%s; a new one is written", a->dir.why);
        aof_publish_nothing(a);
        aof_begin_task(a, AOF_PREPARING, aof_work_open, then_opened);
        return;
    }
    if (error) {
        aof_dir_close(&a->dir);
        aof_fail(a, AOF_OFF, error, a->dir.why);
        return;
    }
    aof_use_tail(a, &a->fresh);
    a->published = true;
    log_merge_open(&a->merge, a->p->engine.region, a->tail.last + 1);
    aof_publish_place(a);
    aof_set_durable(a, a->tail.last, a->tail.offset);
    aof_tell_size(a);
    be_running(a);
}

static void
be_running(struct aof *a)
{
    a->phase = AOF_RUNNING;
    set_state(a, a->published ? PERSIST_AOF_ON : PERSIST_AOF_STARTING);
    aof_recovered(a);
}

/* appendonly is yes, and the file has no phase yet. */
static void
begin(struct aof *a)
{
    struct persist_sh *s = a->p->shared;
    struct shm_region *r = a->p->engine.region;
    struct shm_error e;
    if (clock_ns() < a->retry_ns || a->task.runs)
        return;
    if (a->base_runs) { /* a base alone: as in Redis, one with an increment takes its place */
        aof_rewrite_abort(a);
        return;
    }
    a->closing = false;
    a->place = persist_place(s);
    if (shm_ring_logging(r) && a->place.increment > 0) {
        aof_begin_task(a, AOF_PREPARING, work_resume, then_first);
        return;
    }
    if (shm_ring_logging(r) && atomic_load(&s->start) != PERSIST_START_BASE) {
        aof_begin_task(a, AOF_PREPARING, work_first, then_first);
        return;
    }
    if (!shm_ring_logging(r) && (!shm_ring_commit(r, heritage_lasting(a->p->heritage), &e) || !shm_ring_switch(r, a->p->engine.slot, true, &e))) {
        aof_fail(a, AOF_OFF, ENOMEM, e.text);
        return;
    }
    set_state(a, PERSIST_AOF_STARTING);
    aof_begin_task(a, AOF_PREPARING, aof_work_open, then_opened);
}

/* ---- what failed, again --------------------------------------------------------------------------------------------------------- */

static int
work_cut_off(struct aof *a)
{
    return ftruncate(a->tail.fd, (off_t)a->tail.offset) == 0 ? 0 : aof_dir_fail(&a->dir, "cut", &a->tail);
}

static void
then_cut_off(struct aof *a, int error)
{
    if (error) {
        aof_fail(a, AOF_WRITE_FAILED, error, a->dir.why);
        return;
    }
    atomic_store(&a->broken, false);
    a->phase = AOF_RUNNING;
    aof_write_again(a, &a->tail);
}

static int
work_fresh(struct aof *a)
{
    const struct aof_head head = aof_new_head(a, a->first ? a->first->first : a->durable + 1);
    return aof_dir_increment(&a->dir, &head, &a->fresh);
}

static void
then_fresh(struct aof *a, int error)
{
    if (error) {
        aof_fail(a, AOF_SYNC_FAILED, error, a->dir.why);
        return;
    }
    atomic_store(&a->broken, false);
    a->phase = AOF_RENEWING;
    a->end = a->fresh.offset;
    aof_write_again(a, &a->fresh);
}

/* The old file ends with what is durable, and the manifest goes on with the new one. */
static int
work_renewed(struct aof *a)
{
    if (ftruncate(a->tail.fd, (off_t)a->durable_end) != 0 || fsync(a->tail.fd) != 0)
        return aof_dir_fail(&a->dir, "cut", &a->tail);
    return aof_dir_publish(&a->dir, &a->fresh);
}

static void
then_renewed(struct aof *a, int error)
{
    if (error) {
        aof_dir_drop(&a->dir, &a->fresh);
        aof_fail(a, AOF_SYNC_FAILED, error, a->dir.why);
        return;
    }
    aof_use_tail(a, &a->fresh);
    aof_publish_place(a);
    aof_release_groups(a);
    aof_set_durable(a, a->tail.last, a->tail.offset);
    log_notice("the append-only file goes on with its increment %ld", (long)a->tail.sequence);
    be_running(a);
}

/* The file that cannot be synced is given up: its groups go into another, or, if they are not held any more, a new base. */
static void
renew(struct aof *a)
{
    if (a->let_go > a->durable || !a->published) {
        aof_rewrite_abort(a);
        aof_forget_groups(a);
        aof_publish_nothing(a);
        a->phase = AOF_NEEDS_BASE;
        return;
    }
    aof_begin_task(a, AOF_SYNC_FAILED, work_fresh, then_fresh);
}

static void
try_again(struct aof *a)
{
    if (clock_ns() < a->retry_ns || a->task.runs || a->flying > 0 || a->syncing)
        return;
    if (a->phase == AOF_WRITE_FAILED)
        aof_begin_task(a, AOF_WRITE_FAILED, work_cut_off, then_cut_off);
    else
        renew(a);
}

/* ---- the end -------------------------------------------------------------------------------------------------------------------- */

/* Says at the end of the file that all of it is on the disk, so that no damage to its last group can be taken for a torn write. */
static int
mark_end(struct aof *a)
{
    char line[AOF_GROUP_LINE];
    uint64_t last = a->tail.last;
    if (last < a->tail.head.first_ticket || a->marked >= last)
        return 0;
    aof_group_render(line, &a->tail.head, &(struct aof_group){.first = last + 1, .last = last, .durable = last, .hash = aof_group_hash(NULL, 0)});
    ssize_t n = pwrite(a->tail.fd, line, sizeof line, (off_t)a->tail.offset);
    if (n == (ssize_t)sizeof line)
        return fdatasync(a->tail.fd) != 0 ? aof_dir_fail(&a->dir, "sync at its end", &a->tail) : 0;
    int error = n < 0 ? errno : ENOSPC;
    if (n > 0 && ftruncate(a->tail.fd, (off_t)a->tail.offset) != 0)
        error = errno; /* a part of the line stays: it will be cut off as a torn write */
    errno = error;
    return aof_dir_fail(&a->dir, "mark the end of", &a->tail);
}

static int
work_close(struct aof *a)
{
    int error = 0;
    if (a->tail.fd >= 0)
        error = fdatasync(a->tail.fd) != 0 ? aof_dir_fail(&a->dir, "sync at its end", &a->tail) : mark_end(a);
    if (a->tail.fd >= 0)
        close(a->tail.fd);
    a->tail = (struct aof_tail){.fd = -1};
    aof_dir_close(&a->dir);
    return error;
}

static void
then_closed(struct aof *a, int error)
{
    struct persist_sh *s = a->p->shared;
    a->closing = false;
    if (error)
        log_warning("%s", a->dir.why);
    aof_forget_groups(a);
    if (a->p->draining) { /* the file is whole, or the master is told that it is not; the place stays what it is */
        atomic_store(&s->aof_errno, (uint32_t)error);
        a->finished = true;
        a->phase = AOF_OFF;
        return;
    }
    aof_publish_nothing(a);
    a->published = false;
    a->base_again_ns = 0;
    atomic_store(&s->aof_errno, 0);
    atomic_store(&s->unsynced_since_ns, 0);
    set_state(a, PERSIST_AOF_OFF);
    /* what nobody will read any more */
    shm_ring_open(&a->merge.reader, a->p->engine.region, atomic_load(&a->p->engine.region->header->ticket));
    a->phase = AOF_OFF;
    log_notice("the append-only file is off");
}

/* Everything that was logged is written. */
static bool
is_drained(const struct aof *a)
{
    if (a->phase == AOF_WRITE_FAILED || a->phase == AOF_SYNC_FAILED || a->phase == AOF_RENEWING)
        return !a->p->draining; /* at the server's end it is tried again until its time is up */
    return a->phase != AOF_RUNNING ||
        (a->flying == 0 && a->merge.reader.expected >= atomic_load(&a->p->engine.region->header->ticket));
}

bool
aof_is_written(const struct aof *a)
{
    return a->phase == AOF_OFF || (a->phase == AOF_RUNNING && is_drained(a));
}

static void
close_file(struct aof *a)
{
    if (a->task.runs || a->flying > 0 || a->syncing || a->base_runs || !is_drained(a))
        return;
    aof_begin_task(a, AOF_CLOSING, work_close, then_closed);
}

/* appendonly is no. */
static void
switch_off(struct aof *a)
{
    struct shm_error e;
    set_state(a, PERSIST_AOF_OFF);
    if (!shm_ring_switch(a->p->engine.region, a->p->engine.slot, false, &e))
        return;
    aof_rewrite_abort(a);
    a->closing = true;
}

bool
aof_finish(struct aof *a)
{
    if (a->phase == AOF_OFF && !a->finished && shm_ring_logging(a->p->engine.region)) {
        begin(a); /* the server ends before its file has begun */
        return false;
    }
    if (a->phase == AOF_OFF)
        return true;
    if (a->phase != AOF_CLOSING && !a->closing) {
        aof_rewrite_abort(a);
        a->closing = true;
    }
    return false;
}

/* ---- the turn -------------------------------------------------------------------------------------------------------------------- */

static void
follow_parameter(struct aof *a)
{
    bool wanted = config_yes(&a->p->engine, PARAM_APPENDONLY), logging = shm_ring_logging(a->p->engine.region);
    if (a->p->draining || a->closing || atomic_load(&a->p->engine.region->header->state) != SHM_REGION_READY)
        return; /* at a load: how the file begins is known behind it */
    if (wanted && a->phase == AOF_OFF)
        begin(a);
    else if (!wanted && (logging || a->phase != AOF_OFF) && !a->task.runs)
        switch_off(a);
}

/* The phases' own steps; true: again in a millisecond. */
static bool
step(struct aof *a)
{
    bool soon = false;
    if (a->phase == AOF_RUNNING && aof_wants_groups(a))
        soon = aof_take_groups(a);
    if (a->phase == AOF_WRITE_FAILED || a->phase == AOF_SYNC_FAILED)
        try_again(a);
    if (a->phase == AOF_RENEWING && a->flying == 0 && !a->task.runs)
        aof_begin_task(a, AOF_RENEWING, work_renewed, then_renewed);
    if (a->phase == AOF_RUNNING)
        aof_look_at_syncs(a);
    if (a->closing)
        close_file(a);
    return soon;
}

bool
aof_turn(struct aof *a)
{
    struct shm_slot_sh *own = &a->p->engine.region->slots[a->p->engine.slot];
    file_thread_collect(a->writer);
    file_thread_collect(a->syncer);
    look_at_task(a);
    follow_parameter(a);
    aof_rewrite_turn(a);
    if (a->phase == AOF_OFF)
        return false;
    aof_release_groups(a);
    bool soon = step(a);
    if (soon || a->phase != AOF_RUNNING || a->flying > 0)
        return soon;
    atomic_store(&own->sleeping, 1); /* seq_cst; pairs with the look of who has published a record */
    if (!aof_wants_groups(a))
        return false;
    atomic_store(&own->sleeping, 0);
    return step(a);
}

void
aof_awake(struct aof *a)
{
    atomic_store_explicit(&a->p->engine.region->slots[a->p->engine.slot].sleeping, 0, memory_order_relaxed);
}

static void
on_finished_jobs(struct ev_loop *loop, ev_io *io, int events)
{
    (void)loop; /* the turn before the next wait takes them */
    (void)io;
    (void)events;
}

static void
watch_thread(struct aof *a, struct file_thread *t, ev_io *io)
{
    ev_io_init(io, on_finished_jobs, file_thread_event(t), EV_READ);
    ev_io_start(a->p->loop, io);
}

struct aof *
aof_open(struct persister *p)
{
    struct aof *a = calloc(1, sizeof *a);
    if (!a)
        return NULL;
    a->p = p;
    a->dir.fd = a->tail.fd = a->fresh.fd = -1;
    a->durable = atomic_load(&p->shared->durable);
    a->writer = file_thread_start("aof-write");
    a->syncer = file_thread_start("aof-sync");
    if (!a->writer || !a->syncer)
        return NULL; /* the process ends of it */
    aof_rewrite_open(a);
    watch_thread(a, a->writer, &p->aof_written);
    watch_thread(a, a->syncer, &p->aof_synced);
    return a;
}

void
aof_close(struct aof *a)
{
    file_thread_stop(a->writer);
    file_thread_stop(a->syncer);
    log_merge_close(&a->merge);
    free(a);
}
