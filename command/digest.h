/* digest.h - the digest of a data set or of one value, by Redis's own algorithm (debug.c of Redis 7.0), so that both can
 * be compared.
 *
 * A key's digest mixes its name, type and value; a present expiry is mixed in, not its time. Keys, and fields of a
 * hash, are combined by XOR, so their order is of no matter; each database's number is mixed in before its keys.
 *
 * Process: workers. Locks: the caller holds those of what is read. Fails: false if private memory is short.
 */
#ifndef KVSTASH_COMMAND_DIGEST_H
#define KVSTASH_COMMAND_DIGEST_H

#include <openssl/types.h>

#include "command/cmd.h"

#define DIGEST_BYTES 20 /* SHA-1 */

struct digest {
    EVP_MD *sha1;
    EVP_MD_CTX *context;
};

bool digest_open(struct digest *d);
void digest_close(struct digest *d);

/* All databases, with every shard locked. A key whose time is over counts as absent, swept or not. */
void digest_dataset(struct digest *d, struct cmd *c, unsigned char sum[DIGEST_BYTES]);
/* One value, without its key. */
void digest_value(struct digest *d, const struct shm_region *r, unsigned shard, struct shm_entry_sh *e,
    unsigned char sum[DIGEST_BYTES]);

#endif
