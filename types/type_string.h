/* type_string.h - string values: how they lie in an entry, how they are read, written and changed.
 *
 *   encoding  value part of the entry          OBJECT ENCODING
 *   INT       8 bytes, little-endian int64     int
 *   EMBSTR    the bytes, at most 44            embstr
 *   RAW       the bytes                        raw
 *   BLOB      struct shm_blob_sh               raw
 *
 * A value is inline while the whole entry, with an expiry, fits a block (SHM_BLOCK_MAX), else a blob. Which encoding a value gets follows
 * Redis 7.0: SET makes int, embstr or raw by its content; what changes bytes (APPEND, SETRANGE, SETBIT) makes raw, and
 * raw stays.
 *
 * Writing goes through a plan: plan first (no memory needed, nothing changed), then either change the present entry in
 * place, or build an entry with plan.encoding and plan.vlen and let the plan fill its value part:
 *
 *     type_string_plan_set(&plan, bytes, n, klen);
 *     switch (present ? type_string_set(tx, shard, entry, &plan) : TYPE_REPLACE) {
 *     case TYPE_REPLACE: off = keyspace_build(c, &ref, SHM_TYPE_STRING, plan.encoding, plan.vlen, expiry, &value);
 *                        off && type_string_plan_write(tx, shard, &plan, value) && keyspace_put(c, &ref, off); break;
 *
 * Locks: the shard's, for everything but views of inline values on a private copy of an entry (shm_read.h). Changing
 * calls run inside a transaction. Fails: false or TYPE_FAILED with tx->want set; the caller aborts.
 */
#ifndef KVSTASH_TYPES_TYPE_STRING_H
#define KVSTASH_TYPES_TYPE_STRING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/decimal.h"
#include "shm/shm_blob.h"
#include "shm/shm_entry.h"
#include "shm/shm_tx.h"

enum type_string_encoding { TYPE_STRING_INT = 1, TYPE_STRING_EMBSTR = 2, TYPE_STRING_RAW = 3, TYPE_STRING_BLOB = 4 };

#define TYPE_STRING_EMBSTR_MAX 44u
#define TYPE_STRING_INT_CHARS 20u /* longest string that is tried as an integer */
#define TYPE_STRING_DIGITS DECIMAL_DIGITS

/* What became of a change in place. */
enum type_change {
    TYPE_DONE,
    TYPE_REPLACE, /* nothing was changed: build a new entry and put it in this one's place */
    TYPE_FAILED,  /* tx->want */
};

/* ---- reading ---- */

/* A string, wherever it lies. Valid while the lock is held and nothing in the shard changes (inline values of a private
 * copy: as long as the copy). May be copied. */
struct string_view {
    size_t len;
    const char *bytes;               /* contiguous bytes, or NULL: see number and blob */
    const struct shm_region *region; /* not NULL: the bytes are in `blob` */
    struct shm_blob_sh blob;
    char digits[TYPE_STRING_DIGITS]; /* if neither of both: an integer, rendered */
};

/* The value of a string or field entry. */
void type_string_view(struct string_view *v, const struct shm_region *r, const struct shm_entry_sh *e);
/* The key of any entry (name of a key or field). */
void type_string_view_key(struct string_view *v, const struct shm_region *r, const struct shm_entry_sh *e);
void type_string_view_bytes(struct string_view *v, const char *bytes, size_t n);
/* Does reading the value follow offsets (so that a private copy of the entry is not enough)? */
bool type_string_needs_lock(const struct shm_entry_sh *e);
/* The contiguous bytes at position at < len: pointer and how many. Never NULL (holes of a blob are zeros). */
const char *type_string_piece(const struct string_view *v, size_t at, size_t *n);
/* Copies [at, at + n) out; at + n <= len. */
void type_string_copy(const struct string_view *v, size_t at, char *out, size_t n);
/* True if the string is an integer exactly as Redis writes one; *number gets it. */
bool type_string_view_int(const struct string_view *v, int64_t *number);
/* Decimal digits of a number; returns their count (no NUL). */
size_t type_string_render_int(int64_t number, char digits[TYPE_STRING_DIGITS]);

/* ---- writing ---- */

/* A value to be: `base` (often empty) overlaid with n bytes at `at`, or a number. The bytes stay the caller's. */
struct string_plan {
    uint8_t encoding; /* enum type_string_encoding */
    size_t vlen;      /* bytes of the value part */
    size_t len;       /* bytes of the string */
    int64_t number;   /* INT */
    struct string_view base;
    size_t at, n;
    const char *bytes;
};

/* klen is the length of the key, which decides with the value's what fits a block; room for an expiry is always kept,
 * so that EXPIRE and PERSIST copy the value part as it is. */
/* As SET stores bytes: int, embstr or raw. */
void type_string_plan_set(struct string_plan *p, const char *bytes, size_t n, size_t klen);
/* As raw whatever it looks like (results of BITOP, SETRANGE on a missing key: splice does that, fields). */
void type_string_plan_raw(struct string_plan *p, const char *bytes, size_t n, size_t klen);
/* A number as INCR and DECR store it. */
void type_string_plan_int(struct string_plan *p, int64_t number);
/* The bytes of `old` (may be empty) with n bytes put at `at`; a gap is zeros. Raw. APPEND: at = old->len. */
void type_string_plan_splice(struct string_plan *p, const struct string_view *old, size_t at, const char *bytes, size_t n, size_t klen);
/* The same value with the same encoding, for another key (COPY, RENAME, GETEX's new expiry). */
void type_string_plan_copy(struct string_plan *p, const struct shm_region *r, const struct shm_entry_sh *e, size_t klen);
/* What a key of this length takes in its entry. */
static inline size_t
type_string_key_part(size_t klen)
{
    return klen <= SHM_KEY_INLINE_MAX ? klen : sizeof(struct shm_blob_sh);
}
/* Fills the value part (plan.vlen bytes) of a fresh entry of this shard. */
bool type_string_plan_write(struct shm_tx *tx, unsigned shard, const struct string_plan *p, char *value);

/* ---- changing a present entry; key and expiry stay ---- */

/* Puts the planned value in the place of the entry's. REPLACE: does not fit the block, or the entry's or the plan's
 * value is a blob. The plan must not have the entry itself as its base. */
enum type_change type_string_set(struct shm_tx *tx, unsigned shard, struct shm_entry_sh *e, const struct string_plan *p);
/* Overwrites and extends: n >= 1 bytes at `at`, a gap becomes zeros; touches only what changes. REPLACE: plan_splice with
 * the same arguments. Makes raw. */
enum type_change type_string_write(struct shm_tx *tx, unsigned shard, struct shm_entry_sh *e, size_t at, const char *bytes, size_t n);

/* ---- what all types have ---- */

/* Frees what the value refers to. */
bool type_string_free(struct shm_tx *tx, unsigned shard, const struct shm_entry_sh *e);
/* Bytes outside the entry's block. */
size_t type_string_memory(const struct shm_region *r, const struct shm_entry_sh *e);
/* int, embstr or raw. */
const char *type_string_encoding_name(const struct shm_entry_sh *e);

#endif
