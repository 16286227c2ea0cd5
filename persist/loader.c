/* loader.c - the order of a load: which files, one after the other, and how the parts wait for each other (see loader.h).
 *
 * Waiting is short, or long because another part has more to do: it spins a little, then sleeps in steps.
 */
#include "persist/loader.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "format/aof_manifest.h"
#include "persist/load_aof.h"
#include "persist/load_file.h"
#include "persist/load_rdb.h"
#include "shm/shm_reclaim.h"

#define SPINS 2000u
#define STEP_NS 20000
#define RECLAIM_BLOCKS 512u

void
loader_init(struct loader *l, struct engine *e, unsigned own, unsigned parts)
{
    xassert(parts >= 1 && parts <= LOADING_PARTS_MAX && own < parts);
    *l = (struct loader){.engine = e, .sh = &e->control->loading, .own = own, .parts = parts};
    l->session = (struct session){.resp = 2, .flags = SESSION_AUTHENTICATED | SESSION_NO_TOUCH, .fd = -1};
    buf_init(&l->replies);
    e->exec.clock = (uint16_t)(clock_wall_ms() / 1000);
}

void
loader_release(struct loader *l)
{
    buf_destroy(&l->replies);
    free(l->session.name);
    l->session.name = NULL;
}

/* ---- parts wait for each other ---------------------------------------------------------------------------------------- */

bool
loader_await(struct loader *l, unsigned other, uint64_t place)
{
    const struct loading_part_sh *p = &l->sh->part[other];
    for (unsigned tries = 0; atomic_load_explicit(&p->at, memory_order_acquire) < place; tries++) {
        if (loader_given_up(l) || (tries % SPINS == 0 && l->stopped && l->stopped(l->arg)))
            return false;
        shm_region_progress(l->engine->region);
        if (tries < SPINS)
            __builtin_ia32_pause();
        else
            nanosleep(&(struct timespec){.tv_nsec = STEP_NS}, NULL);
    }
    return true;
}

bool
loader_meet(struct loader *l, uint32_t parts, uint64_t offset, bool *mine)
{
    unsigned first = (unsigned)__builtin_ctz(parts);
    *mine = first == l->own;
    loader_at(l, offset);
    if (!*mine)
        return loader_await(l, first, l->base + offset + 1);
    for (uint32_t left = parts & (parts - 1); left; left &= left - 1)
        if (!loader_await(l, (unsigned)__builtin_ctz(left), l->base + offset))
            return false;
    return true;
}

void
loader_met(struct loader *l, uint64_t offset)
{
    loader_at(l, offset + 1);
}

/* ---- small things ------------------------------------------------------------------------------------------------------- */

void
loader_reclaim(struct loader *l)
{
    struct shm_tx *tx = &l->engine->tx;
    for (unsigned i = l->own; i < l->engine->region->nshards; i += l->parts) {
        uint16_t id = (uint16_t)i;
        if (l->engine->region->shards[i].reclaim_head == 0)
            continue;
        shm_tx_begin(tx);
        shm_tx_enter(tx, &id, 1);
        shm_reclaim_step(tx, i, RECLAIM_BLOCKS);
        shm_tx_commit(tx);
    }
}

bool
loader_read_lineage(const char text[32], uint8_t lineage[16])
{
    static const char digits[] = "0123456789abcdef";
    for (unsigned i = 0; i < 16; i++) {
        const char *high = memchr(digits, text[2 * i], 16), *low = memchr(digits, text[2 * i + 1], 16);
        if (!high || !low)
            return false;
        lineage[i] = (uint8_t)((high - digits) << 4 | (low - digits));
    }
    return true;
}

uint64_t
loader_read_number(const char *text, size_t n)
{
    char digits[24] = "";
    memcpy(digits, text, n < sizeof digits - 1 ? n : sizeof digits - 1);
    return strtoull(digits, NULL, 10);
}

void
loader_saw_ticket(struct loader *l, const uint8_t lineage[16], uint64_t ticket)
{
    uint64_t seen = atomic_load(&l->sh->ticket);
    if (memcmp(lineage, l->engine->region->header->lineage, 16) != 0)
        return;
    while (ticket > seen && !atomic_compare_exchange_weak(&l->sh->ticket, &seen, ticket))
        ;
}

void
loader_cut_torn(struct loader *l)
{
    if (!l->torn)
        return;
    log_warning("%s: its end is not whole, as after a crash of the machine: loaded up to byte %lu, and cut there", l->torn_path,
        (unsigned long)l->torn_at);
    if (truncate(l->torn_path, (off_t)l->torn_at) != 0)
        log_warning("%s: cannot be cut at byte %lu: %s", l->torn_path, (unsigned long)l->torn_at, strerror(errno));
}

/* ---- the files of a log --------------------------------------------------------------------------------------------------- */

/* Directory of the manifest and a name in it. False: too long. */
static bool
beside(const char *manifest, const char *name, char path[LOADING_PATH_MAX])
{
    const char *slash = strrchr(manifest, '/');
    int dir = slash ? (int)(slash - manifest) + 1 : 0;
    return (size_t)snprintf(path, LOADING_PATH_MAX, "%.*s%s", dir, manifest, name) < LOADING_PATH_MAX;
}

/* The files to load, in their order. Returns how many. */
static size_t
files_in_order(const struct aof_manifest *m, const struct aof_file **file)
{
    size_t n = 0;
    if (aof_manifest_base(m))
        file[n++] = aof_manifest_base(m);
    for (size_t i = 0; i < m->files; i++)
        if (m->file[i].type == AOF_FILE_INCREMENT)
            file[n++] = &m->file[i];
    return n;
}

static bool
read_manifest(struct loader *l, struct aof_manifest *m)
{
    struct load_file f;
    struct aof_error error;
    char why[LOADING_PATH_MAX + 256];
    aof_manifest_init(m);
    if (!load_file_open(&f, l->sh->path, why, sizeof why)) {
        loading_fail(l->sh, "%s", why);
        return false;
    }
    enum aof_manifest_result got = aof_manifest_parse(m, f.bytes, f.n, &error);
    load_file_close(&f);
    if (got == AOF_MANIFEST_BAD)
        loading_fail(l->sh, "%s: line %u: %s; correct the manifest, or move the directory away", l->sh->path, error.line, error.text);
    else if (got == AOF_MANIFEST_NO_MEMORY)
        loading_fail(l->sh, "%s: no memory to read it; free memory", l->sh->path);
    return got == AOF_MANIFEST_OK;
}

static enum load_result
load_one(struct loader *l, const char *path, bool last)
{
    struct load_file f;
    char why[LOADING_PATH_MAX + 256];
    if (!load_file_open(&f, path, why, sizeof why)) {
        loading_fail(l->sh, "%s", why);
        return LOAD_FAILED;
    }
    load_file_all(&f);
    enum load_result result = load_aof(l, &f, last);
    l->base += f.n;
    loader_at(l, 0);
    load_file_close(&f);
    return result;
}

static enum load_result
load_log(struct loader *l)
{
    struct aof_manifest m;
    char path[LOADING_PATH_MAX];
    enum load_result result = LOAD_FAILED;
    if (!read_manifest(l, &m))
        return LOAD_FAILED;
    const struct aof_file **file = calloc(m.files + 1, sizeof *file);
    size_t n = file ? files_in_order(&m, file) : 0;
    if (!file)
        loading_fail(l->sh, "no private memory for the list of files in %s; free memory", l->sh->path);
    else
        result = LOAD_DONE;
    for (size_t i = 0; i < n && result == LOAD_DONE; i++) {
        if (beside(l->sh->path, file[i]->name, path)) {
            result = load_one(l, path, i + 1 == n);
            continue;
        }
        loading_fail(l->sh, "%s: the path of %s is too long; move the directory", l->sh->path, file[i]->name);
        result = LOAD_FAILED;
    }
    free(file);
    aof_manifest_destroy(&m);
    return result;
}

static enum load_result
load_snapshot(struct loader *l)
{
    struct load_file f;
    char why[LOADING_PATH_MAX + 256];
    size_t end;
    if (!load_file_open(&f, l->sh->path, why, sizeof why)) {
        loading_fail(l->sh, "%s", why);
        return LOAD_FAILED;
    }
    load_file_all(&f);
    enum load_result result = load_rdb(l, &f, false, &end);
    load_file_close(&f);
    return result;
}

enum load_result
loader_run(struct loader *l)
{
    enum load_result result = LOAD_DONE;
    l->base = 0;
    l->torn = false;
    l->keys = l->expired = l->commands = l->errors = 0;
    l->session.db = 0;
    l->engine->tx.broken = false;
    switch (atomic_load(&l->sh->source)) {
    case LOADING_RDB:
        result = load_snapshot(l);
        break;
    case LOADING_AOF:
        result = load_log(l);
        break;
    case LOADING_AOF_OLD:
        result = load_one(l, l->sh->path, true);
        break;
    default:
        break;
    }
    atomic_store(&l->sh->part[l->own].keys, l->keys);
    atomic_store(&l->sh->part[l->own].expired, l->expired);
    atomic_store(&l->sh->part[l->own].commands, l->commands);
    return result;
}
