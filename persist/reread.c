/* reread.c - the data written and read back behind the gate (see reread.h).
 *
 * The idea: a few steps, of which each turn of the persister's loop takes what can be taken now. The save or the end of the log that is
 * waited for is the persister's own work in the same loop; only the check and the load are one call each, while the gate keeps
 * everybody out. The steps are private and need not outlive the process: what is asked stands in reload_asked, and how far it came in
 * the region's state (gate closed: the data are whole; LOADING: they are not), so a successor knows from these two where to begin.
 */
#include "persist/reread.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "persist/aof.h"
#include "persist/loader.h"
#include "persist/persister.h"
#include "shm/shm_epoch.h"
#include "shm/shm_gate.h"
#include "shm/shm_wipe.h"

#define ATTEMPTS_MAX 3u
#define WRITTEN_NS (10 * 1000000000LL) /* that the log's end may take to reach its file */

enum step { IDLE, SAVES, SAVED, WRITING, LOST };

struct reread {
    struct persister *p;
    struct loading_sh *sh;
    struct loader loader;
    enum step step;
    uint64_t asked;    /* what is under way */
    int64_t since_ns;
    uint64_t save;     /* SAVES: number of the save that is waited for */
    bool save_failed;
};

struct reread *
reread_open(struct persister *p)
{
    struct reread *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->p = p;
    r->sh = &p->engine.control->loading;
    loader_init(&r->loader, &p->engine, 0, 1);
    return r;
}

void
reread_close(struct reread *r)
{
    loader_release(&r->loader);
    free(r);
}

static bool
wants(const struct reread *r, unsigned option)
{
    return (r->asked & option) != 0;
}

static const char *
name(const struct reread *r)
{
    return wants(r, LOADING_RELOAD_LOG) ? "LOADAOF" : "RELOAD";
}

/* ---- answers ----------------------------------------------------------------------------------------------------------------- */

static void
answer(struct reread *r, enum loading_reloaded result)
{
    r->p->engine.tx.gate = SHM_TX_TURNS_BACK;
    r->step = IDLE;
    atomic_store(&r->sh->reload_answered, r->asked >> LOADING_RELOAD_SHIFT << LOADING_RELOAD_SHIFT | result);
}

/* Nothing was changed. */
static void
refuse(struct reread *r, const char *why)
{
    log_warning("DEBUG %s: %s; nothing was changed", name(r), why);
    atomic_store(&r->sh->phase, LOADING_IDLE);
    shm_gate_open(r->p->engine.region);
    answer(r, LOADING_RELOAD_FAILED);
}

/* The data are gone, and the file does not replace them. The master ends the server. */
static void
lose(struct reread *r)
{
    log_warning("DEBUG %s failed when the data in memory had been given up already: the server ends; the next start loads its files", name(r));
    r->step = LOST;
}

/* ---- the load ---------------------------------------------------------------------------------------------------------------- */

/* The file that is to be read. False: it is not there. */
static bool
name_source(struct reread *r)
{
    struct loading_sh *sh = r->sh;
    struct persister *p = r->p;
    char dir[PARAM_TEXT_MAX], name[PARAM_TEXT_MAX];
    struct stat st;
    int n;
    config_read_text(&p->engine, PARAM_DIR, dir);
    config_read_text(&p->engine, PARAM_DBFILENAME, name);
    if (wants(r, LOADING_RELOAD_LOG))
        n = snprintf(sh->path, sizeof sh->path, "%s/%s/%s.manifest", dir, p->append_dir, p->append_name);
    else
        n = snprintf(sh->path, sizeof sh->path, "%s/%s", dir, name);
    atomic_store(&sh->source, wants(r, LOADING_RELOAD_LOG) ? LOADING_AOF : LOADING_RDB);
    if (n >= (int)sizeof sh->path || stat(sh->path, &st) != 0 || !S_ISREG(st.st_mode))
        return false;
    atomic_store(&sh->total_bytes, (uint64_t)st.st_size);
    return true;
}

static enum load_result
go_through(struct reread *r, bool checks)
{
    r->loader.checks = checks;
    r->loader.keeps = wants(r, LOADING_RELOAD_NOFLUSH);
    r->loader.replace = wants(r, LOADING_RELOAD_MERGE);
    r->loader.attempt = atomic_load(&r->sh->attempt);
    atomic_store(&r->sh->part[0].at, 0);
    return loader_run(&r->loader);
}

static void
run(struct reread *r)
{
    struct shm_region *region = r->p->engine.region;
    struct shm_tx *tx = &r->p->engine.tx;
    if (!wants(r, LOADING_RELOAD_NOFLUSH))
        shm_wipe(region);
    shm_tx_make_bare(tx);
    shm_epoch_leave(region, r->p->engine.slot); /* what was wiped is free when nobody is inside */
    enum load_result result = go_through(r, false);
    shm_epoch_enter(region, r->p->engine.slot);
    tx->bare = false;
    if (result != LOAD_DONE) {
        lose(r);
        return;
    }
    atomic_store(&r->sh->keys, r->loader.keys);
    atomic_store(&r->sh->expired, r->loader.expired);
    atomic_store(&r->sh->phase, LOADING_IDLE);
    shm_gate_open(region);
    answer(r, LOADING_RELOADED);
}

/* Can the file be loaded? False: it was answered. */
static bool
is_good(struct reread *r)
{
    struct loading_sh *sh = r->sh;
    atomic_store(&sh->parts, 1);
    atomic_store(&sh->error_taken, 0);
    atomic_store(&sh->phase, LOADING_CHECKS);
    if (!name_source(r))
        loading_fail(sh, "%s cannot be read", sh->path);
    else if (atomic_fetch_add(&sh->attempt, 1) >= ATTEMPTS_MAX)
        loading_fail(sh, "%s: the processes that checked it died", sh->path);
    else if (go_through(r, true) == LOAD_DONE)
        return true;
    refuse(r, sh->error);
    return false;
}

static void
begin_load(struct reread *r)
{
    struct loading_sh *sh = r->sh;
    if (!is_good(r))
        return;
    atomic_store(&sh->quiet, 1);
    atomic_store(&sh->attempt, 1);
    atomic_store(&sh->started_ms, clock_wall_ms());
    atomic_store(&sh->started_ns, clock_ns());
    atomic_store(&sh->phase, LOADING_RUNS);
    shm_gate_load(r->p->engine.region);
    run(r);
}

/* The predecessor died in the load. */
static void
load_again(struct reread *r)
{
    uint64_t attempt = atomic_fetch_add(&r->sh->attempt, 1) + 1;
    if (attempt > ATTEMPTS_MAX || wants(r, LOADING_RELOAD_NOFLUSH))
        loading_fail(r->sh, "%s: the process that loaded it for DEBUG RELOAD died; the data in memory are lost: start again from the files", r->sh->path);
    else
        run(r);
}

/* ---- before it ----------------------------------------------------------------------------------------------------------------- */

/* Asks as SAVE does. */
static void
begin_save(struct reread *r)
{
    r->save = atomic_fetch_add(&r->p->shared->save.wait_asked, 1) + 1;
    r->step = SAVES;
    saves_look(&r->p->saves);
}

static void
wait_for_save(struct reread *r)
{
    uint64_t answered = atomic_load(&r->p->shared->save.wait_answered);
    if (answered >> 1 < r->save)
        return;
    r->save_failed = answered & 1;
    r->step = SAVED;
}

static void
begin(struct reread *r)
{
    struct shm_region *region = r->p->engine.region;
    uint32_t state = atomic_load(&region->header->state);
    r->asked = atomic_load(&r->sh->reload_asked);
    if (state == SHM_REGION_LOADING) {
        if (atomic_load(&r->sh->quiet) && atomic_load(&r->sh->phase) == LOADING_RUNS)
            load_again(r);
        return;
    }
    if (state == SHM_REGION_READY) {
        atomic_store(&r->sh->attempt, 0);
        shm_gate_close(&r->p->engine.tx);
    }
    r->p->engine.tx.gate = SHM_TX_INSIDE;
    r->since_ns = clock_ns();
    if (wants(r, LOADING_RELOAD_LOG))
        r->step = WRITING;
    else if (wants(r, LOADING_RELOAD_NOSAVE))
        r->step = SAVED;
    else
        begin_save(r);
}

static void
wait_for_log(struct reread *r)
{
    if (aof_is_written(r->p->aof)) {
        begin_load(r);
    } else if (clock_ns() - r->since_ns > WRITTEN_NS) {
        refuse(r, "the log cannot be written to its end");
    }
}

static void
after_save(struct reread *r)
{
    if (!r->save_failed) {
        begin_load(r);
        return;
    }
    r->save_failed = false;
    shm_gate_open(r->p->engine.region);
    answer(r, LOADING_SAVE_FAILED);
}

bool
reread_turn(struct reread *r)
{
    uint64_t asked = atomic_load(&r->sh->reload_asked), answered = atomic_load(&r->sh->reload_answered);
    if (asked >> LOADING_RELOAD_SHIFT == answered >> LOADING_RELOAD_SHIFT)
        return false;
    if (r->step == IDLE)
        begin(r);
    if (r->step == WRITING)
        wait_for_log(r);
    if (r->step == SAVES)
        wait_for_save(r);
    if (r->step == SAVED)
        after_save(r);
    return r->step == IDLE || r->step == SAVES || r->step == WRITING;
}
