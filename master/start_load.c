/* start_load.c - the load of files at a start (see start_load.h).
 *
 * The master only starts loaders and looks at their words in the region: they read the files, and one that dies has a successor
 * that goes on from what the words say is done.
 */
#include "master/start_load.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "command/control.h"
#include "shm/shm_gate.h"

#define TELL_NS 1000000000LL
#define SMALL_BYTES (1u << 20) /* files that are not worth a second process */
#define MEGA 1048576.0

static struct loading_sh *
words_of(const struct start_load *s)
{
    return &((struct control_sh *)s->heritage->region->shared)->loading;
}

/* Each loader reads the whole file, so more of them than cores that this server may use would only cost. */
unsigned
start_load_parts(const struct boot_choice *c)
{
    cpu_set_t allowed;
    int cores = sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? CPU_COUNT(&allowed) : 1;
    if (c->bytes < SMALL_BYTES || cores < 2)
        return 1;
    return cores < (int)LOADING_PARTS_MAX ? (unsigned)cores : LOADING_PARTS_MAX;
}

void
start_load_begin(struct start_load *s, const struct boot_choice *c)
{
    struct loading_sh *l = words_of(s);
    memset(l, 0, sizeof *l);
    snprintf(l->path, sizeof l->path, "%s", c->path);
    atomic_store(&l->source, c->source);
    atomic_store(&l->parts, s->heritage->loaders);
    atomic_store(&l->total_bytes, c->bytes);
    atomic_store(&l->started_ms, clock_wall_ms());
    atomic_store(&l->started_ns, clock_ns());
    atomic_store(&l->attempt, 1);
    atomic_store(&l->phase, LOADING_RUNS);
    s->told_ns = clock_ns();
    s->runs = true;
}

/* The sum of a member over all parts. */
static unsigned long
sum(const struct loading_sh *l, size_t member)
{
    unsigned long n = 0;
    for (unsigned i = 0; i < atomic_load(&l->parts); i++)
        n += atomic_load((const _Atomic uint64_t *)(const void *)((const char *)&l->part[i] + member));
    return n;
}
#define SUM(l, member) sum(l, offsetof(struct loading_part_sh, member))

static bool
all_finished(const struct loading_sh *l)
{
    for (unsigned i = 0; i < atomic_load(&l->parts); i++)
        if (atomic_load(&l->part[i].finished) != atomic_load(&l->attempt))
            return false;
    return true;
}

static void
tell_progress(struct start_load *s)
{
    struct loading_progress p = loading_progress(words_of(s));
    if (clock_ns() - s->told_ns < TELL_NS)
        return;
    s->told_ns = clock_ns();
    log_notice("loading: %.0f of %.0f MB (%.0f %%), about %ld s to go", (double)p.loaded / MEGA, (double)p.total / MEGA, p.percent, (long)p.eta_s);
}

/* Was the directory's own append-only file loaded, and is it to be written? Then it goes on behind what it holds; otherwise
 * it begins anew with a base. */
static bool
goes_on(const struct start_load *s)
{
    const struct control_sh *c = s->heritage->region->shared;
    const struct config_sh *live = &c->config.live;
    const struct loading_sh *l = words_of(s);
    char own[LOADING_PATH_MAX];
    if (!config_value(live, PARAM_APPENDONLY) || atomic_load(&l->source) != LOADING_AOF)
        return false;
    int n = snprintf(own, sizeof own, "%s/%s/%s.manifest", s->dir, live->text[PARAM_TEXT_APPENDDIRNAME], live->text[PARAM_TEXT_APPENDFILENAME]);
    return n < (int)sizeof own && strcmp(own, l->path) == 0;
}

static const char *
end(struct start_load *s)
{
    static struct shm_error e;
    struct loading_sh *l = words_of(s);
    struct shm_header_sh *h = s->heritage->region->header;
    uint64_t ticket = atomic_load(&l->ticket);
    s->runs = false;
    if (ticket >= atomic_load(&h->ticket))
        atomic_store(&h->ticket, ticket + 1);
    if (!region_open_identify(s->heritage->region, s->dir, &e))
        return e.text;
    if (goes_on(s) && !persist_start_log(s->heritage->region, heritage_lasting(s->heritage), PERSIST_START_FILES, &e))
        return e.text;
    atomic_store(&l->keys, SUM(l, keys));
    atomic_store(&l->expired, SUM(l, expired));
    s->children->wanted = heritage_lasting(s->heritage) + 1;
    struct control_sh *control = s->heritage->region->shared;
    atomic_store(&control->persist.save.changes, control_changes(control)); /* what was loaded is saved already */
    atomic_store(&l->phase, LOADING_DONE);
    shm_gate_open(s->heritage->region);
    log_notice("%s loaded in %.3f seconds by %u processes: %lu keys of snapshots, %lu commands; %lu keys had expired", l->path,
        loading_progress(l).passed_s, atomic_load(&l->parts), SUM(l, keys), SUM(l, commands), SUM(l, expired));
    return NULL;
}

const char *
start_load_watch(struct start_load *s)
{
    struct loading_sh *l = words_of(s);
    if (atomic_load(&l->phase) == LOADING_FAILED)
        return l->error;
    if (!s->runs)
        return NULL;
    if (all_finished(l))
        return end(s);
    tell_progress(s);
    return NULL;
}
