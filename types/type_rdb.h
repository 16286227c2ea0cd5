/* type_rdb.h - values as RDB writes them: the payload of DUMP and RESTORE.
 *
 *   payload:  type byte | value | u16 RDB version | u64 crc64 of all before
 *
 * Values are written as redis-server 7.0.15 writes them (RDB 10), and read in every form up to that version by
 * format/rdb_value.h. Source: the RDB file format (format/rdb.h), and redis-server 7.0.15's DUMP.
 *
 * Reading trusts nothing and keeps memory bounded: a compressed string may not promise more than LZF can hold, and no
 * string is longer than SHM_BLOB_MAX. Process: any. Locks: saving needs the shard's; the rest none.
 */
#ifndef KVSTASH_TYPES_TYPE_RDB_H
#define KVSTASH_TYPES_TYPE_RDB_H

#include "base/buf.h"
#include "format/rdb_out.h"
#include "format/rdb_value.h"
#include "types/type_hash.h"

#define TYPE_RDB_VERSION 10u
#define TYPE_RDB_FOOTER 10u /* bytes of version and checksum */

/* ---- writing: type and value, then the footer. Memory failure is the buffer's sticky flag. ---- */

/* compress: try to make long strings shorter (rdbcompression). */
void type_rdb_save_string(struct buf *out, const char *bytes, size_t n, enum rdb_compress compress);
/* Under the shard's lock. */
void type_rdb_save_hash(struct buf *out, const struct type_hash *h, enum rdb_compress compress);
/* In parts, as a file has them around a key: the type byte's value; a string; a hash that is no tree, with a buffer that may hold
 * anything and is used on the way. */
unsigned type_rdb_form(const struct shm_entry_sh *e);
void type_rdb_save_view(struct buf *out, const struct string_view *v, enum rdb_compress compress);
void type_rdb_save_pack(struct buf *out, const struct type_hash *h, enum rdb_compress compress, struct buf *scratch);
/* The listpack itself of such a hash, in place of what the buffer held. */
void type_rdb_pack(const struct type_hash *h, struct buf *pack);
/* Version and checksum of everything from the buffer's first byte. */
void type_rdb_save_footer(struct buf *out);

/* ---- reading ---- */

/* Are version and checksum right? */
bool type_rdb_verify(const char *payload, size_t n);

enum type_rdb_result {
    TYPE_RDB_OK,
    TYPE_RDB_BAD,
    TYPE_RDB_NO_MEMORY,
    TYPE_RDB_UNKNOWN, /* sound, but of a type that has no commands yet: type_name */
    TYPE_RDB_STOPPED, /* by the callback */
};

/* A value to be read. The payload stays the caller's and in place. */
struct type_rdb {
    unsigned type;            /* SHM_TYPE_STRING or SHM_TYPE_HASH */
    const char *type_name;    /* as TYPE answers */
    bool packed;              /* a hash that stays a listpack whatever its values' lengths, as in Redis */
    uint64_t count;           /* HASH: pairs, at least 1; as the value says, if it was not checked deeply */
    struct rdb_string string; /* STRING: the value */
    /* own */
    unsigned form;            /* the type byte */
    struct rdb_read r;        /* behind it */
    struct rdb_value value;
};

/* Reads the type byte and checks the value behind it; deep: to the bottom, and that no field stands twice
 * (sanitize-dump-payload). After OK the value may be read; type_rdb_close in any case. */
enum type_rdb_result type_rdb_open(struct type_rdb *d, const char *bytes, size_t n, bool deep);
/* HASH: calls fn with each pair; fn returns false to stop. */
typedef bool type_rdb_fn(void *arg, const struct rdb_string *field, const struct rdb_string *value);
enum type_rdb_result type_rdb_each(struct type_rdb *d, type_rdb_fn *fn, void *arg);
void type_rdb_close(struct type_rdb *d);

#endif
