/* rdb_out.h - writes the pieces of RDB files and payloads (format/rdb.h) into a buffer.
 *
 * Want of memory is the buffer's sticky failure. What a file's checksum covers is what was appended: whoever sends the
 * bytes on keeps the sum.
 *
 * Process: any. Locks: none.
 */
#ifndef KVSTASH_FORMAT_RDB_OUT_H
#define KVSTASH_FORMAT_RDB_OUT_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "format/rdb.h"

/* How strings are made shorter. */
enum rdb_compress {
    RDB_PLAIN = 0,       /* not at all */
    RDB_COMPRESS = 1,    /* to the very bytes that Redis makes (DUMP) */
    RDB_COMPRESS_FAST,   /* to what Redis reads as well */
};

void rdb_out_byte(struct buf *out, unsigned byte);
/* A length or count, also in front of a string's bytes that come in pieces. */
void rdb_out_length(struct buf *out, uint64_t n);
/* A whole string: as a number where it is a small one, compressed if asked for and shorter so (n below 4 GiB). */
void rdb_out_string(struct buf *out, const char *bytes, size_t n, enum rdb_compress compress);
/* A long string compressed piece by piece: LZF's stream has no frame, so what was compressed apart may stand one behind the other
 * (a reference reaches back into its own piece only). Appends to `packed`; with `gain`, false if that would save nothing: then nothing is
 * appended. Without it pieces that do not get shorter grow by a 32nd. */
bool rdb_out_compress_piece(struct buf *packed, const char *bytes, size_t n, bool gain);
/* The string of n bytes that `packed` holds, complete. */
void rdb_out_compressed(struct buf *out, const struct buf *packed, uint64_t n);

/* ---- a file's frame ---- */

void rdb_out_header(struct buf *out);
void rdb_out_aux(struct buf *out, const char *name, const char *value);
void rdb_out_aux_int(struct buf *out, const char *name, int64_t value);
/* From here on keys are this database's. The counts are hints for who loads. */
void rdb_out_database(struct buf *out, unsigned db, uint64_t keys, uint64_t expires);
/* In front of a key's type: its expiry in ms since 1970. */
void rdb_out_expiry(struct buf *out, int64_t when_ms);
/* The end mark; behind it comes the sum of everything, or 0 for none. */
void rdb_out_end(struct buf *out);
void rdb_out_sum(struct buf *out, uint64_t crc);

#endif
