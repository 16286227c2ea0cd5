/* load_key.h - one key of an RDB image is put into the keyspace. See loader.h.
 *
 * Process: loaders, the persister. Locks: none; inside a bare transaction that has entered the key's shard.
 */
#ifndef KVSTASH_PERSIST_LOAD_KEY_H
#define KVSTASH_PERSIST_LOAD_KEY_H

#include "command/cmd.h"
#include "format/rdb_value.h"
#include "shm/shm_table.h"

struct load_key {
    struct rdb_string name; /* bytes in the image, or digits */
    char *owned;            /* or here */
    uint64_t position;
    unsigned shard, db, form;
    int64_t expires_ms, idle_s;
    size_t from, to;        /* of the value */
};

enum load_key_result {
    LOAD_KEY_DONE,
    LOAD_KEY_EMPTY,   /* a value without elements: passed over, as Redis does */
    LOAD_KEY_THERE,   /* the key is there already */
    LOAD_KEY_DAMAGED, /* *wrong and *wrong_at tell; the keyspace is of no use any more */
    LOAD_KEY_FOREIGN, /* a type that this version does not have */
    LOAD_KEY_MEMORY,  /* of the region, or private */
};

struct load_keys {
    struct cmd cmd;          /* in whose name the keyspace is changed */
    struct rdb_value value;
    const uint8_t *image;
    size_t n;
    bool replace;            /* a key that is there gives way */
    bool absent;             /* a check looks whether the key is there */
    const char *wrong;
    size_t wrong_at;
};

void load_keys_init(struct load_keys *k, struct engine *e, struct session *s, const void *image, size_t n);
void load_keys_free(struct load_keys *k);
/* Is a value of this form (one that rdb_form knows) not for load_key? */
bool load_key_is_foreign(unsigned form);
enum load_key_result load_key(struct load_keys *k, const struct load_key *key);
/* What load_key would say, but that there is enough memory. Outside any transaction; of the key's `owned` nothing is used. */
enum load_key_result load_key_check(struct load_keys *k, const struct load_key *key);

#endif
