/* saves.c - when to save (see saves.h).
 *
 * The idea: there is no queue of requests, only numbers. Who wants a save raises what is asked for; a look compares that with what was
 * answered, and begins one snapshot, which answers everything that had been asked for when it began. So any number of requests cost one
 * save, and who asks while one runs gets the next. Save points and BGSAVE SCHEDULE have no number of their own: when their time has
 * come, the process asks for a BGSAVE itself.
 *
 * Nothing here waits: the look is taken at every wake-up, and once more when a snapshot has ended. How the image comes about is
 * snapshot.c's job, waiting for the answer the commands' (command/cmd_save.c).
 */
#include "persist/saves.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "command/control.h"

#define RETRY_S 5 /* after a failure, before a save that nobody asked for; as in Redis */

/* ---- answers --------------------------------------------------------------------------------------------------------------- */

static void
wake_master(const struct saves *s)
{
    uint64_t one = 1;
    ssize_t n = write(s->heritage->master_wake, &one, sizeof one);
    (void)n; /* full is awake enough */
}

static void
note_success(struct saves *s, int64_t now_s)
{
    atomic_store(&s->shared->changes, s->changes);
    atomic_store(&s->shared->last_s, now_s);
    atomic_store(&s->shared->last_failed, 0);
    atomic_fetch_and(&s->engine->control->persist.refuse_writes, ~(uint32_t)PERSIST_REFUSE_RDB);
}

static void
note_failure(struct saves *s)
{
    atomic_store(&s->shared->last_failed, 1);
    atomic_fetch_or(&s->engine->control->persist.refuse_writes, PERSIST_REFUSE_RDB);
}

static void
on_done(void *arg, const struct snapshot_result *r)
{
    struct saves *s = arg;
    int64_t now_ms = clock_wall_ms();
    bool background = s->bgsave != atomic_load(&s->shared->bgsave_answered);
    s->runs = false;
    if (r->ok)
        note_success(s, now_ms / 1000);
    else if (!r->aborted)
        note_failure(s);
    if (background)
        atomic_store(&s->shared->last_took_s, (now_ms - atomic_load(&s->shared->since_ms)) / 1000);
    atomic_store(&s->shared->since_ms, 0);
    atomic_store(&s->shared->bgsave_answered, s->bgsave);
    if (!r->aborted) /* who waits gets another one */
        atomic_store(&s->shared->wait_answered, s->wait << 1 | !r->ok);
    wake_master(s);
    saves_look(s);
}

/* ---- beginning --------------------------------------------------------------------------------------------------------------- */

static void
begin(struct saves *s)
{
    char name[PARAM_TEXT_MAX];
    struct snapshot_order o = {.purpose = SNAPSHOT_RDB, .dir = s->dir, .name = name, .done = on_done, .arg = s};
    config_read_text(s->engine, PARAM_DBFILENAME, name);
    s->wait = atomic_load(&s->shared->wait_asked);
    s->bgsave = atomic_load(&s->shared->bgsave_asked);
    s->changes = control_changes(s->engine->control);
    s->tried_s = clock_wall_ms() / 1000;
    s->runs = snapshot_begin(s->snapshot, &o);
    if (!s->runs)
        return;
    atomic_store(&s->shared->since_ms, clock_wall_ms());
    atomic_fetch_add(&s->shared->saves, 1);
}

/* A save that nobody waits for: INFO shows it as a BGSAVE. */
static void
begin_background(struct saves *s)
{
    uint64_t answered = atomic_load(&s->shared->bgsave_answered);
    atomic_compare_exchange_strong(&s->shared->bgsave_asked, &answered, answered + 1); /* or somebody was faster: the same */
    begin(s);
}

/* After a failure a save that nobody waits for comes later. */
static bool
may_try(const struct saves *s)
{
    return !atomic_load(&s->shared->last_failed) || clock_wall_ms() / 1000 - s->tried_s > RETRY_S;
}

/* ---- save points --------------------------------------------------------------------------------------------------------------- */

static void
read_points(struct saves *s)
{
    char text[PARAM_TEXT_MAX], *p = text, *end;
    uint64_t generation = atomic_load(&s->engine->control->config.generation);
    if (generation == s->generation)
        return;
    s->generation = generation;
    config_read_text(s->engine, PARAM_SAVE, text);
    for (s->points = 0; s->points < SAVES_POINTS_MAX; s->points++) {
        s->point[s->points].seconds = strtoll(p, &end, 10);
        if (end == p)
            return;
        s->point[s->points].changes = strtoull(end, &p, 10);
    }
}

static bool
is_due(struct saves *s)
{
    uint64_t changes = control_changes(s->engine->control) - atomic_load(&s->shared->changes);
    int64_t passed_s = clock_wall_ms() / 1000 - atomic_load(&s->shared->last_s);
    read_points(s);
    for (unsigned i = 0; i < s->points; i++) {
        if (changes < s->point[i].changes || passed_s <= s->point[i].seconds || !may_try(s))
            continue;
        log_notice("%lu changes in %ld seconds: saving", (unsigned long)s->point[i].changes, (long)s->point[i].seconds);
        return true;
    }
    return false;
}

/* ---- the look ---------------------------------------------------------------------------------------------------------------- */

static void
take_drops(struct saves *s)
{
    uint64_t asked = atomic_load(&s->shared->drop_asked);
    if (asked == atomic_load(&s->shared->drop_taken))
        return;
    atomic_store(&s->shared->drop_taken, asked);
    if (s->runs)
        snapshot_abort(s->snapshot);
}

void
saves_look(struct saves *s)
{
    const struct persist_sh *p = &s->engine->control->persist;
    bool rewrites = atomic_load(&p->rewrite_runs) || atomic_load(&p->rewrite_asked) != atomic_load(&p->rewrite_taken);
    take_drops(s);
    if (snapshot_runs(s->snapshot) || loading_is_partial(&s->engine->control->loading))
        return;
    if (atomic_load(&s->shared->wait_asked) != atomic_load(&s->shared->wait_answered) >> 1 ||
        atomic_load(&s->shared->bgsave_asked) != atomic_load(&s->shared->bgsave_answered)) {
        begin(s);
    } else if (!rewrites && atomic_load(&s->shared->scheduled) && may_try(s)) {
        atomic_store(&s->shared->scheduled, 0);
        begin_background(s);
    } else if (!rewrites && is_due(s)) {
        begin_background(s);
    }
}

void
saves_open(struct saves *s, const struct heritage *h, struct engine *e, struct snapshot *snapshot, int dir)
{
    *s = (struct saves){.heritage = h, .engine = e, .shared = &e->control->persist.save, .snapshot = snapshot, .dir = dir,
        .generation = UINT64_MAX, .tried_s = clock_wall_ms() / 1000};
    atomic_store(&s->shared->since_ms, 0);
}
