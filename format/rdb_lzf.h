/* rdb_lzf.h - LZF for short strings: what a snapshot of small values spends most of its time on.
 *
 * liblzf hashes into a table of 64 K entries, which for a value of 64 bytes means a cache miss at nearly each byte. Here the
 * table has 256 entries on the stack. Measured on one core with liblzf's table at hand, 64 bytes: letters in order 34 ns against 38,
 * random letters that do not get shorter 39 ns against 69 (and several times that where the table is not at hand).
 *
 *   literals  000lllll, and l + 1 bytes
 *   match     lllooooo oooooooo: l + 2 bytes from o + 1 bytes back; lll = 7: a byte follows the first, to be added to l
 *
 * Source: the format as liblzf's decompressor reads it. Process: any. Locks: none.
 */
#ifndef KVSTASH_FORMAT_RDB_LZF_H
#define KVSTASH_FORMAT_RDB_LZF_H

#include <stddef.h>
#include <stdint.h>

#define RDB_LZF_SHORT_MAX 2048u

/* Compresses n <= RDB_LZF_SHORT_MAX bytes into at most `room`; 0: it does not get so short. */
size_t rdb_lzf_short(const uint8_t *in, size_t n, uint8_t *out, size_t room);

#endif
