/* rdb_in.h - reads an RDB image in memory, record by record: which keys it holds, and where their values lie.
 *
 *     struct rdb_in in;
 *     enum rdb_in_item item = RDB_IN_WRONG;
 *     if (rdb_in_open(&in, bytes, n))
 *         while ((item = rdb_in_next(&in)) != RDB_IN_END && item != RDB_IN_WRONG)
 *             if (item == RDB_IN_KEY)
 *                 ... in.db, in.key, in.expires_ms, in.type, the value's bytes [in.from, in.to) of the image
 *     if (item == RDB_IN_WRONG)
 *         ... rdb_in_complain
 *     rdb_in_close(&in);
 *
 * A value is stepped over, not read: for most types that takes some nanoseconds whatever its size, so several processes
 * can run over the same file and each read (rdb_value.h) only the values that it takes. The image may be longer than the
 * RDB in it (an AOF that begins with one): at the end in.r.at is where the rest begins. Versions 1 to 12 (format/rdb.h).
 *
 * Every length is checked before it is used. The checksum is not looked at unless asked for (rdb_in_sum).
 * Process: any. Locks: none. Fails: what is wrong with the image stands in in.r.wrong; so does want of private memory
 * (rdb_no_memory).
 */
#ifndef KVSTASH_FORMAT_RDB_IN_H
#define KVSTASH_FORMAT_RDB_IN_H

#include "base/buf.h"
#include "format/rdb_form.h"

enum rdb_in_item {
    RDB_IN_WRONG, /* see rdb_in_complain; nothing more can be read */
    RDB_IN_END,   /* the end mark, and the checksum if the version has one */
    RDB_IN_KEY,
    RDB_IN_AUX,        /* key: the name; value */
    RDB_IN_DATABASE,   /* db: the keys that follow are of this one */
    RDB_IN_SIZES,      /* keys, expires: hints for the current database */
    RDB_IN_FUNCTION,   /* value: a library's code */
    RDB_IN_FUNCTION_OLD, /* [from, to): a library as 7.0's release candidates saved it; Redis refuses it */
    RDB_IN_MODULE_AUX, /* module, [from, to): data of a module besides keys */
    RDB_IN_SLOT,       /* slot, keys, expires: hints for a cluster's slot */
};

struct rdb_in {
    struct rdb_read r; /* r.bytes, r.n: the image; r.wrong, r.wrong_at: what is wrong and where */
    unsigned version;
    uint64_t db;
    uint64_t keys, expires, slot;
    struct rdb_string key, value; /* valid until the next call */

    /* KEY */
    int64_t expires_ms; /* -1: never */
    int64_t idle_s;     /* -1: not told */
    int64_t freq;       /* -1: not told */
    unsigned type;      /* enum rdb_form */
    size_t from, to;    /* the value, behind its type and key */
    uint64_t module;    /* id of the module whose the value is, 0: none (rdb_form_module_name) */

    /* END */
    size_t summed; /* the checksum covers this many bytes from the beginning */
    uint64_t sum;  /* as it stands in the image; 0: none */

    /* own */
    struct rdb_scratch scratch[2];
    bool has_key; /* the key is known, for a message */
    bool fresh;   /* nothing has been said yet of the next key */
};

/* Looks at the head. False: not an RDB image, or of a version that is not known; close it all the same. */
bool rdb_in_open(struct rdb_in *in, const void *image, size_t n);
enum rdb_in_item rdb_in_next(struct rdb_in *in);
void rdb_in_close(struct rdb_in *in);

/* Does an image of this size begin as RDB does? */
bool rdb_in_is_rdb(const void *image, size_t n);

/* After END: does the checksum fit? True also if there is none. Reads the whole image. */
bool rdb_in_sum_fits(const struct rdb_in *in);

/* Appends what is wrong, with its place and the key if one was being read:
 *   byte 1234: a string is longer than the data (key "abc" in database 0, type quicklist-v2) */
void rdb_in_complain(const struct rdb_in *in, struct buf *text);
/* Appends the current key with its quotation marks; what is not printable as \xHH, at most 64 bytes of it. */
void rdb_in_print_key(const struct rdb_in *in, struct buf *text);

#endif
