/* shm_keep.h - what a running snapshot still needs of one tree or blob, and how writers leave it that.
 *
 * A snapshot is the state at its cut (shm_cut.h). What was born before the cut (birth < the keep's epoch) and lies at or
 * behind the place up to which the walker has come must not be lost: who changes such an entry puts a copy of it, who
 * removes or replaces it the entry itself, on the old versions' list of its tree's keep (the limbo). So every element is
 * a unit of its own, and a change costs what it costs without a snapshot, plus a copy of that element, once.
 *
 *   shard.keeps -> keep of database 0 -> keep of database 1 ...       made at the cut, in order of their numbers
 *                    | limbo: old entries
 *                    ` large -> keep of a large hash -> keep of a large blob ...
 *                                 | limbo: old fields
 *                                 ` large -> keep of a field's large blob
 *
 * A large hash or blob gets its keep at its key's first look-up for writing after the cut, or when the walker meets it.
 * The keep holds a copy of the key's entry (`shell`) and refers to the root, which the living key goes on using; a
 * living key that lets go of the root (DEL, RENAME over it) makes it an orphan, which whoever ends the keep frees.
 *
 * Only the head of each list is worked on and taken off, so new ones are put behind it.
 *
 * Locks: the shard's; all changes inside a transaction, class T. Fails: false with tx->want. Memory that is not to be had
 * within the limit never is the writer's error: the snapshot is given up (shm_cut_abort) and the command runs again.
 */
#ifndef KVSTASH_SHM_KEEP_H
#define KVSTASH_SHM_KEEP_H

#include "shm/shm_table.h"

#define SHM_KEEP_MAGIC 0x4B454550u

enum shm_keep_kind { SHM_KEEP_DB = 1, SHM_KEEP_HASH = 2, SHM_KEEP_BLOB = 3 };

/* T, a block of the shard. */
struct shm_keep_sh {
    uint32_t magic;
    uint8_t kind;       /* enum shm_keep_kind */
    uint8_t walked;     /* DB, HASH: the tree holds nothing more that is needed */
    uint8_t begun;      /* HASH, BLOB: the walker has given out the key */
    uint8_t orphan;     /* HASH, BLOB: no living key has the root; it ends with the keep */
    uint32_t epoch;     /* the snapshot's: what was born before it belongs to the image */
    uint32_t db;        /* the database's number at the cut */
    uint64_t next;      /* in its list */
    uint64_t large;     /* DB, HASH: keeps of large values of this tree */
    uint64_t limbo;     /* DB, HASH: old entries, each with all it refers to: first struct shm_limbo_sh */
    uint64_t saved_to;  /* DB, HASH: positions before it are saved; BLOB: bytes */
    uint64_t count;     /* at the cut: entries; BLOB: bytes */
    uint64_t home;      /* DB, HASH: the struct shm_tree_sh; BLOB: root index of the living blob, 0: not shared */
    uint64_t shell;     /* HASH, BLOB: the entry as it was; of its value it owns nothing */
    struct shm_tree_sh own; /* DB: the tree, once the database was flushed (home points here) */
    struct shm_blob_sh blob;    /* BLOB: the living one as the keep last saw it: root, and a length of the same shape */
    struct shm_blob_sh overlay; /* BLOB: leaves that were replaced since the cut; its other leaves are holes */
};

#define SHM_LIMBO_ENTRIES 30u
struct shm_limbo_sh {
    uint64_t next;
    uint64_t count;
    uint64_t entry[SHM_LIMBO_ENTRIES]; /* offsets */
};

/* The keep of a tree, NULL: no snapshot needs anything of it. */
static inline struct shm_keep_sh *
shm_keep_of(const struct shm_region *r, const struct shm_tree_sh *t)
{
    return __builtin_expect(t->keep != 0, 0) ? shm_at(r, t->keep) : NULL;
}
bool shm_keep_needs_slowly(const struct shm_keep_sh *k, const struct shm_region *r, uint64_t position, const struct shm_entry_sh *e);
/* Does a running snapshot need this entry of the tree as it is? */
static inline bool
shm_keep_needs(const struct shm_tree *t, uint64_t position, const struct shm_entry_sh *e)
{
    return __builtin_expect(t->sh->keep != 0, 0) && shm_keep_needs_slowly(shm_at(t->region, t->sh->keep), t->region, position, e);
}

/* ---- writers ---- */

/* Puts an entry that hangs in no tree, with all that it refers to, on the list of old versions of the tree's keep. */
bool shm_keep_old(struct shm_tx *tx, const struct shm_tree *t, struct shm_entry_sh *e);
/* An entry that has left the tree: kept if it is needed, else freed with all that it refers to. */
bool shm_keep_release(struct shm_tx *tx, const struct shm_tree *t, uint64_t position, struct shm_entry_sh *e);
/* Makes the keep of a large value of the parent's tree; the caller fills in home, count, shell and blob. NULL: tx->want. */
struct shm_keep_sh *shm_keep_add(struct shm_tx *tx, unsigned shard, struct shm_keep_sh *parent, enum shm_keep_kind kind);
/* The database is to be emptied: if a snapshot needs its tree, the keep takes the tree and *taken is true; the root then
 * holds nothing. */
bool shm_keep_flush(struct shm_tx *tx, struct shm_dbroot_sh *root, bool *taken);
/* The contents of a database's root came from another root. */
bool shm_keep_moved(struct shm_tx *tx, struct shm_dbroot_sh *to);
/* What a failed call of these means for the writer: want of memory within the limit gives the snapshot up and lets the
 * command run again. Returns false. */
bool shm_keep_failed(struct shm_tx *tx);

/* ---- who walks or gives up ---- */

/* Where the work on a shard's keeps is: the deepest of the heads, and what it hangs on (NULL: the shard). */
struct shm_keep_work {
    struct shm_keep_sh *keep, *parent; /* keep NULL: nothing left */
};
struct shm_keep_work shm_keep_work(const struct shm_region *r, unsigned shard);
/* Takes one old entry off the list, which is not empty; it is the caller's to free. NULL: tx->want. */
struct shm_entry_sh *shm_keep_take_old(struct shm_tx *tx, struct shm_keep_sh *k);
/* Ends a keep with no old entries and no large values left: takes it off its list and frees it, its shell, its overlay, and what
 * it alone still has. */
bool shm_keep_end(struct shm_tx *tx, unsigned shard, const struct shm_keep_work *w);
/* Frees about `blocks` blocks of what the shard keeps, as for a snapshot that is given up. True if more is left. */
bool shm_keep_drop_step(struct shm_tx *tx, unsigned shard, unsigned blocks);

#endif
