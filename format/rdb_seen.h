/* rdb_seen.h - which strings were seen already: finds what stands twice in a set, hash or sorted set that is read.
 *
 * It keeps a fingerprint of 128 bits of each string (XXH3), not the string: what was decompressed is gone by then. Two
 * strings with the same fingerprint do not come up by chance; should somebody construct them, his value is refused.
 *
 * Process: any. Locks: none. Fails: want of private memory is returned.
 */
#ifndef KVSTASH_FORMAT_RDB_SEEN_H
#define KVSTASH_FORMAT_RDB_SEEN_H

#include <stddef.h>
#include <stdint.h>

struct rdb_mark {
    uint64_t low, high; /* high is 0 in a free place only */
};

/* Zeroed is empty. */
struct rdb_seen {
    struct rdb_mark *marks; /* open addressing, at most half full */
    size_t room, used;      /* room: a power of two, or 0 */
};

enum rdb_seen_result { RDB_SEEN_NEW, RDB_SEEN_BEFORE, RDB_SEEN_NO_MEMORY };

enum rdb_seen_result rdb_seen_add(struct rdb_seen *s, const void *bytes, size_t n);
/* Forgets all; keeps a small table's memory. */
void rdb_seen_clear(struct rdb_seen *s);
void rdb_seen_free(struct rdb_seen *s);

#endif
