/* snapshot.c - one snapshot at a time (see snapshot.h).
 *
 *   CUTS ---cut---> WALKS ---image complete, file given its end---> FINISHES ---file thread is done---> IDLE, done()
 *     `------------ abort, failure: the cut is given up, the file removed ------^
 *
 * While it walks, an idle watcher keeps the loop turning: each turn is some steps, between which the loop's other work is done. It
 * rests while the file thread is behind, or a lock was not to be had.
 *
 * Writers may share the core, so it is given up after each step, some 25 us, and others that fill it leave the walk a quarter (base/slice.h).
 *
 * Process: persister, main thread. Locks, crash, fails: see snapshot.h.
 */
#include "persist/snapshot.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/crc.h"
#include "base/log.h"
#include "base/slice.h"
#include "command/control.h"
#include "command/usage.h"
#include "format/rdb_out.h"
#include "persist/rdb_write.h"
#include "shm/shm_lock.h"

#define TURN_NS 250000           /* of steps in one turn of the loop */
#define PATIENCE_US 50           /* for a shard's lock, a step */
#define CUT_TRIES_NS 50000000    /* after so long the cut waits for locks as long as it takes */
#define AGAIN_S 0.001            /* from a lock that was not to be had to the next try */
#define CHUNK_BYTES (256u << 10) /* given to the file thread at once */
#define BEHIND_BYTES (4u << 20)  /* waiting there: enough */
#define TELL_NS 5000000000LL     /* from one line of progress to the next */
#define SLOW_BUDGET 64u          /* bytes a step where tests want it slow */

enum step { IDLE, CUTS, WALKS, FINISHES };

struct snapshot {
    struct ev_loop *loop;
    struct engine *engine;
    struct persist_snapshot_sh *shared;
    struct file_thread *thread;
    ev_idle more;    /* started: steps are to be made */
    ev_timer again;  /* started: a little later */
    ev_io finished;  /* jobs of the file thread */
    /* the one that runs */
    enum step step;
    struct snapshot_order order;
    char name[FILE_ASIDE_NAME_MAX];
    struct shm_cut cut;
    struct type_walk walk;
    struct rdb_write write;
    struct buf out;
    struct file_aside *file;
    bool checksum, aborted, failed;
    char why[FILE_ASIDE_WHY_MAX];
    uint64_t crc, bytes;
    int64_t began_ns, told_ns;
    struct slice_work work;
};

/* ---- watchers ----------------------------------------------------------------------------------------------------------- */

static void
go_on(struct snapshot *s)
{
    ev_timer_stop(s->loop, &s->again);
    ev_idle_start(s->loop, &s->more);
}

static void
rest(struct snapshot *s)
{
    ev_timer_stop(s->loop, &s->again);
    ev_idle_stop(s->loop, &s->more);
}

static void
rest_for(struct snapshot *s, double seconds)
{
    rest(s);
    ev_timer_set(&s->again, seconds, 0.);
    ev_timer_start(s->loop, &s->again);
}

/* ---- the end --------------------------------------------------------------------------------------------------------------- */

static const char *
purpose_name(const struct snapshot *s)
{
    return s->order.purpose == SNAPSHOT_RDB ? "snapshot" : "base of the append-only file";
}

static void
report(struct snapshot *s, const struct snapshot_result *r)
{
    if (r->ok)
        log_notice("%s %s: %lu keys, %lu bytes in %.3f s", purpose_name(s), s->name, (unsigned long)r->keys, (unsigned long)r->bytes,
            (double)(clock_ns() - s->began_ns) / 1e9);
    else if (r->aborted)
        log_notice("%s %s: given up at key %lu", purpose_name(s), s->name, (unsigned long)r->keys);
    else
        log_warning("%s %s failed: %s", purpose_name(s), s->name, r->why);
    s->step = IDLE;
    atomic_store(&s->shared->keys_total, 0);
    atomic_store(&s->shared->keys, 0);
    atomic_store(&s->shared->bytes, 0);
    if (s->order.done)
        s->order.done(s->order.arg, r);
}

static void
on_file_end(void *arg, const struct file_aside_end *end)
{
    struct snapshot *s = arg;
    struct snapshot_result r = {.ok = end->kept, .aborted = s->aborted && !end->kept, .error = end->error,
        .why = s->failed ? s->why : end->why, .ticket = s->cut.ticket, .keys = s->walk.keys, .bytes = end->bytes};
    s->file = NULL;
    report(s, &r);
}

/* Leaves the walk; keep: with a complete image. */
static void
finish(struct snapshot *s, bool keep)
{
    rest(s);
    slice_set(SLICE_USUAL);
    rdb_write_end(&s->write);
    buf_destroy(&s->out);
    s->step = FINISHES;
    file_aside_finish(s->file, keep, on_file_end, s);
}

/* Gives up what was begun. */
static void
drop(struct snapshot *s)
{
    if (s->step == WALKS) {
        shm_cut_abort(s->engine->region, s->cut.epoch);
        finish(s, false);
        return;
    }
    rest(s);
    report(s, &(struct snapshot_result){.aborted = s->aborted, .why = s->why});
}

__attribute__((format(printf, 2, 3))) static void
fail(struct snapshot *s, const char *format, ...)
{
    __builtin_va_list ap;
    __builtin_va_start(ap, format);
    vsnprintf(s->why, sizeof s->why, format, ap);
    __builtin_va_end(ap);
    s->failed = true;
    drop(s);
}

/* ---- the cut --------------------------------------------------------------------------------------------------------------- */

static void
put_header(struct snapshot *s)
{
    const struct shm_header_sh *h = s->engine->region->header;
    struct usage_memory m;
    char lineage[2 * sizeof h->lineage + 1];
    for (size_t i = 0; i < sizeof h->lineage; i++)
        snprintf(lineage + 2 * i, 3, "%02x", h->lineage[i]);
    usage_memory(s->engine, &m);
    rdb_out_header(&s->out);
    rdb_out_aux(&s->out, "redis-ver", "7.0.15");
    rdb_out_aux_int(&s->out, "redis-bits", 64);
    rdb_out_aux_int(&s->out, "ctime", clock_wall_ms() / 1000);
    rdb_out_aux_int(&s->out, "used-mem", (int64_t)m.used);
    rdb_out_aux_int(&s->out, "aof-base", s->order.purpose == SNAPSHOT_AOF_BASE);
    rdb_out_aux(&s->out, "kvstash-lineage", lineage);
    rdb_out_aux_int(&s->out, "kvstash-ticket", (int64_t)s->cut.ticket - 1); /* the last one that is in the file */
}

static void
begin_walk(struct snapshot *s)
{
    uint64_t total = 0;
    enum param_id incremental =
        s->order.purpose == SNAPSHOT_AOF_BASE ? PARAM_AOF_REWRITE_INCREMENTAL_FSYNC : PARAM_RDB_SAVE_INCREMENTAL_FSYNC;
    for (unsigned db = 0; db < s->engine->region->databases; db++)
        total += s->cut.db[db].keys;
    atomic_store(&s->shared->keys_total, total);
    s->file = file_aside_begin(s->thread, s->order.dir, s->name, config_yes(s->engine, incremental));
    if (!s->file) {
        shm_cut_abort(s->engine->region, s->cut.epoch);
        fail(s, "no private memory");
        return;
    }
    s->step = WALKS;
    s->work = (struct slice_work){0};
    slice_set(SLICE_LONG);
    put_header(s);
    rdb_write_begin(&s->write, &s->out, s->engine->region, &s->cut,
        config_yes(s->engine, PARAM_RDBCOMPRESSION) ? RDB_COMPRESS_FAST : RDB_PLAIN);
    type_walk_begin(&s->walk, &s->engine->tx, &s->cut);
    if (s->order.cut)
        s->order.cut(s->order.arg, s->cut.ticket);
}

static void
try_cut(struct snapshot *s)
{
    switch (shm_cut_begin(&s->engine->tx, clock_ns() - s->began_ns > CUT_TRIES_NS, &s->cut)) {
    case SHM_CUT_DONE:
        begin_walk(s);
        return;
    case SHM_CUT_BUSY:
        rest_for(s, AGAIN_S);
        return;
    case SHM_CUT_FAILED:
        fail(s, "%s", s->engine->tx.want == SHM_WANT_SHARD ? "a shard is switched off" : "no memory for the snapshot");
    }
}

/* ---- the walk -------------------------------------------------------------------------------------------------------------- */

/* Gives what was rendered to the file thread. */
static void
send(struct snapshot *s)
{
    if (s->checksum && !buf_failed(&s->out))
        s->crc = crc64(s->crc, buf_head(&s->out), buf_pending(&s->out));
    s->bytes += buf_pending(&s->out);
    file_aside_append(s->file, &s->out);
    buf_reserve(&s->out, CHUNK_BYTES + CHUNK_BYTES / 4);
    rdb_write_settle(&s->write);
}

static void
complete(struct snapshot *s)
{
    rdb_out_end(&s->out);
    s->crc = s->checksum ? crc64(s->crc, buf_head(&s->out), buf_pending(&s->out)) : 0;
    rdb_out_sum(&s->out, s->crc);
    file_aside_append(s->file, &s->out);
    finish(s, true);
}

static void
tell_progress(struct snapshot *s)
{
    uint64_t total = atomic_load(&s->shared->keys_total);
    int64_t now = clock_ns();
    atomic_store_explicit(&s->shared->keys, s->walk.keys, memory_order_relaxed);
    atomic_store_explicit(&s->shared->bytes, s->bytes + buf_pending(&s->out), memory_order_relaxed);
    if (now - s->told_ns < TELL_NS)
        return;
    s->told_ns = now;
    log_notice("%s %s: %lu of %lu keys, %lu bytes", purpose_name(s), s->name, (unsigned long)s->walk.keys, (unsigned long)total,
        (unsigned long)s->bytes);
}

/* One step; true: another one may follow at once. */
static bool
walk_step(struct snapshot *s, size_t budget)
{
    struct type_walk_sink sink = rdb_write_sink(&s->write);
    uint32_t patience = s->engine->tx.patience_us;
    s->engine->tx.patience_us = PATIENCE_US;
    enum type_walk_result got = type_walk_step(&s->walk, &sink, budget);
    s->engine->tx.patience_us = patience;
    if (got == TYPE_WALK_MORE)
        rdb_write_settle(&s->write);
    else
        rdb_write_undo(&s->write);
    switch (got) {
    case TYPE_WALK_MORE:
        if (buf_pending(&s->out) >= CHUNK_BYTES || buf_failed(&s->out))
            send(s);
        return true;
    case TYPE_WALK_DONE:
        complete(s);
        return false;
    case TYPE_WALK_BUSY:
        rest_for(s, AGAIN_S);
        return false;
    case TYPE_WALK_BROKEN:
        fail(s, "there is no memory for the old versions of what changes meanwhile, or the data were loaded anew");
        return false;
    case TYPE_WALK_FAILED:
        fail(s, "%s", rdb_write_failed(&s->write) ? "no private memory" : "a shard is switched off");
        return false;
    }
    never_reached("all results are above");
}

/* rdb-key-save-delay: each key takes so long. */
static void
walk_slowly(struct snapshot *s, int64_t delay_us)
{
    uint64_t before = s->walk.keys;
    if (walk_step(s, SLOW_BUDGET) && s->walk.keys > before)
        rest_for(s, (double)(s->walk.keys - before) * (double)delay_us / 1e6);
}

static void
walk_turn(struct snapshot *s)
{
    int64_t until = clock_ns() + TURN_NS, delay_us = config_number(s->engine, PARAM_RDB_KEY_SAVE_DELAY);
    if (delay_us > 0)
        walk_slowly(s, delay_us);
    else
        while (file_thread_bytes(s->thread) < BEHIND_BYTES && walk_step(s, TYPE_WALK_BUDGET) && slice_yield(&s->work) < until)
            ;
    if (s->step != WALKS)
        return;
    tell_progress(s);
    if (file_aside_failed(s->file)) /* `why` is the file's */
        drop(s);
    else if (file_thread_bytes(s->thread) >= BEHIND_BYTES)
        rest(s); /* until a job is done */
}

/* ---- the loop's calls ------------------------------------------------------------------------------------------------------- */

static void
on_more(struct ev_loop *loop, ev_idle *w, int events)
{
    struct snapshot *s = w->data;
    (void)loop;
    (void)events;
    if (s->step == CUTS)
        try_cut(s);
    else if (s->step == WALKS)
        walk_turn(s);
}

static void
on_again(struct ev_loop *loop, ev_timer *w, int events)
{
    struct snapshot *s = w->data;
    (void)loop;
    (void)events;
    go_on(s);
}

static void
on_finished(struct ev_loop *loop, ev_io *w, int events)
{
    struct snapshot *s = w->data;
    (void)loop;
    (void)events;
    file_thread_collect(s->thread);
    if (s->step == WALKS && !ev_is_active(&s->again) && file_thread_bytes(s->thread) < BEHIND_BYTES)
        go_on(s);
}

struct snapshot *
snapshot_open(struct ev_loop *loop, struct engine *e)
{
    struct snapshot *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->loop = loop;
    s->engine = e;
    s->shared = &e->control->persist.snapshot;
    s->thread = file_thread_start("kv-snapshot");
    if (!s->thread) {
        free(s);
        return NULL;
    }
    ev_idle_init(&s->more, on_more);
    ev_set_priority(&s->more, EV_MAXPRI); /* above everything else: its turn comes although the loop always has events */
    ev_timer_init(&s->again, on_again, AGAIN_S, 0.);
    ev_io_init(&s->finished, on_finished, file_thread_event(s->thread), EV_READ);
    s->more.data = s->again.data = s->finished.data = s;
    ev_io_start(loop, &s->finished);
    return s;
}

void
snapshot_close(struct snapshot *s)
{
    s->order.done = NULL;
    if (snapshot_runs(s))
        snapshot_abort(s);
    file_thread_stop(s->thread);
    ev_io_stop(s->loop, &s->finished);
    free(s);
}

void
snapshot_clear(struct snapshot *s)
{
    shm_cut_abort_any(s->engine->region);
    atomic_store(&s->shared->keys_total, 0);
    atomic_store(&s->shared->keys, 0);
    atomic_store(&s->shared->bytes, 0);
}

bool
snapshot_begin(struct snapshot *s, const struct snapshot_order *o)
{
    if (s->step != IDLE)
        return false;
    xassert(strlen(o->name) < sizeof s->name);
    s->order = *o;
    snprintf(s->name, sizeof s->name, "%s", o->name);
    s->step = CUTS;
    s->aborted = s->failed = false;
    s->why[0] = '\0';
    s->crc = s->bytes = 0;
    s->checksum = config_yes(s->engine, PARAM_RDBCHECKSUM);
    s->cut.ticket = s->walk.keys = 0;
    s->began_ns = s->told_ns = clock_ns();
    buf_init(&s->out);
    go_on(s);
    return true;
}

bool
snapshot_runs(const struct snapshot *s)
{
    return s->step != IDLE;
}

enum snapshot_purpose
snapshot_purpose(const struct snapshot *s)
{
    return s->order.purpose;
}

void
snapshot_abort(struct snapshot *s)
{
    if (s->step == IDLE || s->failed)
        return;
    s->aborted = true;
    if (s->step == FINISHES)
        file_aside_cancel(s->file);
    else
        drop(s);
}
