/* keyspace.h - keys of a database inside a command: look-up with expiry, add, replace, delete.
 *
 * All need the locks that exec took for the key (or all locks). Changing calls need the transaction and return false
 * with tx->want set when memory is short; the command then returns at once (see cmd.h).
 * An expired key does not exist for anybody: readers skip it, writers delete it in their transaction (effect DEL).
 */
#ifndef KVSTASH_COMMAND_KEYSPACE_H
#define KVSTASH_COMMAND_KEYSPACE_H

#include "command/cmd.h"

/* A key found (or not): valid until the next changing call on its shard. */
struct key_ref {
    struct shm_tree tree;
    struct shm_place place;    /* entry == NULL: absent */
    uint64_t position;
    const char *name;
    size_t name_len;
    unsigned db;
    uint16_t shard;
};

/* Looks key number k of the command up in its database. True if it is there (and not expired). Counts hits and misses;
 * touches the access clock. */
bool keyspace_read(struct cmd *c, unsigned k, struct key_ref *ref);
/* The same without touching the clock or counters (OBJECT, TTL, TYPE ...). */
bool keyspace_peek(struct cmd *c, unsigned k, struct key_ref *ref);
/* For writing: an expired key is deleted first. Check tx->want when false if that matters (exec does at the end). */
bool keyspace_write(struct cmd *c, unsigned k, struct key_ref *ref);
/* The same for any key by name (its shard must be held): other database, RESTORE's target, SCAN's results. */
bool keyspace_find(struct cmd *c, unsigned db, const char *key, size_t klen, bool for_write, struct key_ref *ref);
/* A key whose position is known, whether expired or not: for loaders. */
bool keyspace_find_at(struct cmd *c, unsigned db, uint64_t position, const char *key, size_t klen, struct key_ref *ref);

/* Replaces or adds the key's entry. The caller built `entry` (an unattached block of this shard, its key the same,
 * by keyspace_build); the old entry, if any, is freed with all it refers to. Keeps counts, expiry sums, key slots.
 * False: tx->want. */
bool keyspace_put(struct cmd *c, struct key_ref *ref, shm_off entry);
/* The same for a present key, but what the old entry's value refers to now belongs to the new one: only the old block
 * (and its long key's blob) is freed. */
bool keyspace_move_value(struct cmd *c, struct key_ref *ref, shm_off entry);
/* A new entry block for ref's key with room for vlen value bytes; returns 0 or its offset, *value where to write them.
 * Expiry in ms or -1. A long key's blob is built too. The flags of the present entry are carried over. */
shm_off keyspace_build(struct cmd *c, const struct key_ref *ref, unsigned type, unsigned encoding, size_t vlen, int64_t expiry_ms,
    char **value);
/* Deletes the key. */
bool keyspace_delete(struct cmd *c, struct key_ref *ref);
/* Takes the key away, but not what its value refers to, which the caller has given to another key (RENAME). */
bool keyspace_delete_shell(struct cmd *c, struct key_ref *ref);
/* Effect DEL of a key, in addition to what the command itself logs (an expired key, say). */
void keyspace_log_delete(struct cmd *c, unsigned db, const char *key, size_t klen);
/* Sets (or with -1 removes) the expiry of a present key; the entry's block may change (ref is updated). */
bool keyspace_set_expiry(struct cmd *c, struct key_ref *ref, int64_t when_ms);

/* Are the keys of this database counted by key slot? Only a cluster asks for that, and it has database 0 alone. */
static inline bool
keyspace_counts_slots(const struct cmd *c, unsigned db)
{
    return c->engine->cluster && db == 0;
}
static inline bool
keyspace_found(const struct key_ref *ref)
{
    return ref->place.entry != NULL;
}
/* Writes -WRONGTYPE and returns false if the key is there with another type. */
bool keyspace_type_ok(struct cmd *c, const struct key_ref *ref, unsigned type);

#endif
