/* aof_dir.h - the directory of the append-only file: its manifest and its increments, on the disk.
 *
 * Everything here waits for the disk, so it runs on the file thread (aof.c's tasks), one call at a time; between two calls nobody
 * else touches the struct. Each function returns 0 or an errno, and then says in `why` what failed; what it had begun is
 * removed as far as the disk lets it. A manifest that is in its place, but whose directory could not be synced, stays there, and so does
 * all that it names: `unsure` tells (aof_dir_settle).
 *
 * The order that a power failure must find: a file is whole and synced before the manifest names it; the manifest is written aside,
 * synced, renamed, and the directory synced; what a manifest has ceased to name is deleted only then.
 *
 * Process: persister, file thread. Locks: none. Crash: a file that no manifest names is overwritten when its number comes again.
 */
#ifndef KVSTASH_PERSIST_AOF_DIR_H
#define KVSTASH_PERSIST_AOF_DIR_H

#include "command/persist.h"
#include "format/aof_group.h"
#include "format/aof_manifest.h"

#define AOF_DIR_WHY_MAX 1024

struct aof_dir {
    int fd;                       /* of the directory; -1: not open */
    char prefix[AOF_NAME_MAX + 1]; /* appendfilename */
    struct aof_manifest manifest; /* as it is on the disk */
    bool keep_history;            /* aof-disable-auto-gc */
    bool unsure;                  /* the last call failed so late that its manifest stands; after a power failure, maybe not */
    char why[AOF_DIR_WHY_MAX];
};

/* The increment that is appended to. */
struct aof_tail {
    int fd;
    int64_t sequence;
    struct aof_head head;
    uint64_t offset; /* where the next group goes */
    uint64_t last;   /* ticket of the last record in it, or of the one before its first */
};

/* Opens (and makes) the directory below the data directory, and reads its manifest if there is one. */
int aof_dir_open(struct aof_dir *d, int data_dir, const char *name, const char *prefix);
void aof_dir_close(struct aof_dir *d);

/* Goes on with the last increment: finds the last whole group from `place` on, cuts off what is behind it, syncs. ENODATA: what
 * place promises is not there. */
int aof_dir_resume(struct aof_dir *d, const struct persist_place_sh *place, struct aof_tail *tail);
/* Makes the next increment: its head line, synced. No manifest names it yet. */
int aof_dir_increment(struct aof_dir *d, const struct aof_head *head, struct aof_tail *tail);
/* Says in `why` that something cannot be done ("write", "sync") with the increment, from errno, which it returns. */
int aof_dir_fail(struct aof_dir *d, const char *what, const struct aof_tail *tail);
/* Removes an increment, unless the manifest names it. */
void aof_dir_drop(struct aof_dir *d, struct aof_tail *tail);
/* Names the increment in the manifest, behind the others. */
int aof_dir_publish(struct aof_dir *d, const struct aof_tail *tail);
/* After `unsure`: puts the same manifest into its place once more, and syncs the directory. */
int aof_dir_settle(struct aof_dir *d);
/* Does the manifest name nothing but an increment without any group? */
bool aof_dir_is_empty(const struct aof_dir *d);
/* The name of the next base. */
bool aof_dir_base_name(const struct aof_dir *d, char name[AOF_NAME_MAX + 1]);
/* That base and the increments from number `first` on (tail is one of them, named or not; NULL: none is written) become the whole
 * file; what else the manifest names becomes history, and is deleted. */
int aof_dir_rebase(struct aof_dir *d, bool base, int64_t first, const struct aof_tail *tail);
/* Bytes of the base and of the increments. */
uint64_t aof_dir_size(const struct aof_dir *d);

#endif
