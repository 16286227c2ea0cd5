/* rdb_pack.h - Redis's compact forms of small collections: listpack (read and written), ziplist and zipmap (read).
 *
 * Each is one string of bytes that holds strings and integers one after the other. Sources: Redis's documents on the RDB
 * file format and the listpack specification (github.com/antirez/listpack); what they leave open was seen with
 * redis-server 7.0.15's DUMP.
 *
 * Reading trusts nothing: each length is compared with what is left before it is used. Process: any. Locks: none.
 */
#ifndef KVSTASH_FORMAT_RDB_PACK_H
#define KVSTASH_FORMAT_RDB_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "format/rdb_string.h"

enum rdb_pack_form { RDB_LISTPACK, RDB_ZIPLIST, RDB_ZIPMAP };

/* A walk over a pack; the bytes stay the caller's. */
struct rdb_pack {
    const uint8_t *bytes;
    size_t n, at;
    enum rdb_pack_form form;
    size_t last;    /* ZIPLIST: bytes of the entry before */
    bool is_value;  /* ZIPMAP: the next one is a value */
    uint64_t said;  /* strings that the header promises, UINT64_MAX: it does not say */
    uint64_t seen;
};

/* False: not such a pack. */
bool rdb_pack_open(struct rdb_pack *p, enum rdb_pack_form form, const uint8_t *bytes, size_t n);
/* The next string: 1, 0 at a correct end, -1 damaged. */
int rdb_pack_next(struct rdb_pack *p, struct rdb_string *s);

/* A little-endian signed integer of 1 to 8 bytes. */
int64_t rdb_pack_little(const uint8_t *p, size_t bytes);

/* Writing a listpack: begin, add each string, end. `at` is what begin returned; nothing else is written in between. */
size_t rdb_listpack_begin(struct buf *out);
void rdb_listpack_add(struct buf *out, const char *bytes, size_t n);
void rdb_listpack_end(struct buf *out, size_t at, uint64_t strings);

#endif
