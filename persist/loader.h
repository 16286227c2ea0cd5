/* loader.h - what the modules of a load share: one loader's part in it.
 *
 * Several loaders go through the same files from end to end, each on its own, and each does what concerns its own shards (shard modulo
 * parts == own). What concerns shards of several is done by one of them while the others concerned wait for it (loader_meet): a
 * place in the files is a point in time, the same for all.
 *
 * Process: loaders; the persister, as the only part. Locks: none; the region's gate is closed and the engine's transactions are
 * bare (shm_tx_make_bare). Fails: an error is noted once for all parts (loading_fail), with file, place and remedy.
 */
#ifndef KVSTASH_PERSIST_LOADER_H
#define KVSTASH_PERSIST_LOADER_H

#include "base/buf.h"
#include "command/control.h"
#include "command/engine.h"
#include "command/session.h"

#define LOADER_REMEDY_MEMORY "give the region (region-size, /dev/shm, control group) or the machine more"
#define LOADER_REMEDY_CHECK "look at it with kvstash-cli check, move it away, or name another with --restore-from"

struct loader {
    struct engine *engine;
    struct loading_sh *sh;
    unsigned own, parts;
    uint64_t attempt;
    /* Is there a reason to stop (an order, the master's end)? Asked now and then; NULL: never. */
    bool (*stopped)(void *arg);
    void *arg;
    bool checks;            /* only looks whether it could be loaded, and changes nothing */
    bool keeps;             /* what is in memory stays: a check finds the keys that are there */
    bool replace;           /* keys of an RDB file that are there already give way (DEBUG RELOAD MERGE); else they are damage */
    struct session session; /* on whose behalf commands run */
    struct buf replies;     /* thrown away, but for errors */
    uint64_t base;          /* bytes of the files before the current one */
    uint64_t keys, expired, commands, errors; /* done by this part */
    bool torn;              /* the last file's tail is not whole, and was left out from torn_at on */
    uint64_t torn_at;
    char torn_path[LOADING_PATH_MAX];
};

enum load_result {
    LOAD_DONE,
    LOAD_FAILED, /* the error is noted */
    LOAD_ANEW,   /* a part died, all begin again; or the loader was told to stop */
};

void loader_init(struct loader *l, struct engine *e, unsigned own, unsigned parts);
void loader_release(struct loader *l);

/* Loads what sh->path and sh->source say. With l->checks it reads and checks all of it instead: what is damaged, missing or not known
 * to this version fails now. Not found so are a key that stands twice in a file and want of memory. The engine's transactions
 * are not bare then. */
enum load_result loader_run(struct loader *l);
/* Once all parts are done, by one of them: cuts the torn tail off its file, so that what is appended stands behind whole things. */
void loader_cut_torn(struct loader *l);

/* Does this part's shard hold the position? */
static inline bool
loader_owns(const struct loader *l, unsigned shard)
{
    return l->parts == 1 || shard % l->parts == l->own;
}
/* All before this offset of the current file is done; may be late. */
static inline void
loader_at(struct loader *l, uint64_t offset)
{
    atomic_store_explicit(&l->sh->part[l->own].at, l->base + offset, memory_order_release);
}
/* Must the load be given up? Cheap. */
static inline bool
loader_given_up(const struct loader *l)
{
    return atomic_load_explicit(&l->sh->attempt, memory_order_relaxed) != l->attempt ||
           atomic_load_explicit(&l->sh->phase, memory_order_relaxed) > LOADING_RUNS;
}

/* Waits till part `other` has done all before `place` (of all files together). False: given up. */
bool loader_await(struct loader *l, unsigned other, uint64_t place);
/* Called by each of the parts (bits) concerned when they come to something at this offset that concerns shards of several. `mine`
 * tells the one that does it, after all others have come; it then calls loader_met. The others come back when it has. False:
 * given up. */
bool loader_meet(struct loader *l, uint32_t parts, uint64_t offset, bool *mine);
void loader_met(struct loader *l, uint64_t offset);

/* Frees a bounded number of blocks of what was unlinked in this part's shards; the housekeeper stands outside the gate. */
void loader_reclaim(struct loader *l);
/* 32 hexadecimal digits. */
bool loader_read_lineage(const char text[32], uint8_t lineage[16]);
/* The decimal number at the front of n bytes; 0: there is none. */
uint64_t loader_read_number(const char *text, size_t n);
/* A file told a ticket of this lineage. */
void loader_saw_ticket(struct loader *l, const uint8_t lineage[16], uint64_t ticket);

#endif
