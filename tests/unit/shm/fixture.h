/* fixture.h - a small real region for tests, and keys in it without the command layer.
 *
 * Two process slots: 0 is the test's own, 1 is for children that die. The file is unlinked at once.
 */
#ifndef KVSTASH_TESTS_FIXTURE_H
#define KVSTASH_TESTS_FIXTURE_H

#include "shm/shm_check.h"
#include "shm/shm_table.h"
#include "shm/shm_tx.h"

struct fixture {
    struct shm_region region;
    struct shm_tx tx; /* slot 0 */
};

void fixture_open(struct fixture *f, unsigned extents);
void fixture_close(struct fixture *f);

/* Inside a transaction that holds the key's shard. value == NULL: delete. False: tx->want. */
bool fixture_put(struct shm_tx *tx, const char *key, const char *value, size_t n);
/* Sets a field of a hash key (field value NULL: removes it). */
bool fixture_hset(struct shm_tx *tx, const char *key, const char *field, const char *value, size_t n);
/* The shard of a key. */
uint16_t fixture_shard(const struct shm_region *r, const char *key);
/* Detaches everything and frees it. */
void fixture_clear(struct fixture *f);
/* Sum over all keys and values, the same for the same content whatever its layout. Needs no lock if alone. */
uint64_t fixture_digest(struct shm_region *r);
/* The region check; asserts that it finds nothing. */
void fixture_check(struct fixture *f);

#endif
