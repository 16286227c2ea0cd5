/* type_rdb.h - values as RDB writes them: the payload of DUMP and RESTORE.
 *
 *   payload:  type byte | value | u16 RDB version | u64 crc64 of all before
 *   value:    STRING 0: a string                          HASH 4: count, then field and value strings
 *             HASH_LISTPACK 16, HASH_ZIPLIST 13, HASH_ZIPMAP 9: a string that holds such a pack (format/rdb_pack.h)
 *   string:   length and bytes | a number of 1, 2 or 4 bytes | LZF: compressed length, length, bytes
 *
 * Written as redis-server 7.0.15 writes it (RDB 10); read are these types in every form up to that version. Sources: the
 * RDB file format's descriptions, and redis-server 7.0.15's DUMP.
 *
 * Reading trusts nothing and keeps memory bounded: a compressed string may not promise more than LZF can hold, and no
 * string is longer than SHM_BLOB_MAX. Process: any. Locks: saving needs the shard's; the rest none.
 */
#ifndef KVSTASH_TYPES_TYPE_RDB_H
#define KVSTASH_TYPES_TYPE_RDB_H

#include "format/rdb_pack.h"
#include "types/type_hash.h"

#define TYPE_RDB_VERSION 10u
#define TYPE_RDB_FOOTER 10u /* bytes of version and checksum */

/* ---- writing: type and value, then the footer. Memory failure is the buffer's sticky flag. ---- */

/* compress: try to make long strings shorter (rdbcompression). */
void type_rdb_save_string(struct buf *out, const char *bytes, size_t n, bool compress);
/* Under the shard's lock. */
void type_rdb_save_hash(struct buf *out, const struct type_hash *h, bool compress);
/* Version and checksum of everything from the buffer's first byte. */
void type_rdb_save_footer(struct buf *out);

/* ---- reading ---- */

/* Are version and checksum right? */
bool type_rdb_verify(const char *payload, size_t n);

enum type_rdb_result { TYPE_RDB_OK, TYPE_RDB_BAD, TYPE_RDB_NO_MEMORY };

/* A value to be read. The payload stays the caller's and in place. */
struct type_rdb {
    unsigned type;            /* SHM_TYPE_STRING or SHM_TYPE_HASH */
    bool packed;              /* a hash that stays a listpack whatever its values' lengths, as in Redis */
    uint64_t count;           /* HASH: pairs, at least 1 */
    struct rdb_string string; /* STRING: the value */
    /* own */
    const uint8_t *bytes;
    size_t n, at, first;
    unsigned form;            /* the type byte */
    struct rdb_pack pack;
    char *owned[2];           /* what was decompressed: the string or pack, or field and value */
    size_t room[2];
};

/* Reads the type byte and checks the whole value behind it (not whether fields repeat). After OK the value may be read;
 * type_rdb_close in any case. */
enum type_rdb_result type_rdb_open(struct type_rdb *d, const char *bytes, size_t n);
/* HASH: calls fn with each pair; fn returns false to stop. False: stopped, or no private memory. */
typedef bool type_rdb_fn(void *arg, const struct rdb_string *field, const struct rdb_string *value);
bool type_rdb_each(struct type_rdb *d, type_rdb_fn *fn, void *arg);
void type_rdb_close(struct type_rdb *d);

#endif
