/* rdb_write.h - renders what a walk over the region gives out (types/type_walk.h) as an RDB file's records, into a buffer.
 *
 *     rdb_write_begin(&w, &out, region, &cut, compress)   header, AUX fields by the caller (format/rdb_out.h)
 *     sink = rdb_write_sink(&w)
 *     type_walk_step(...): rdb_write_settle(&w) if what the step gave out stands, else rdb_write_undo(&w)
 *
 * Under the shard's lock small values are only copied (hashes in blocks as listpacks); they are rendered, and compressed, by
 * rdb_write_settle, which needs no lock. Of large strings the pieces are copied; rdb_write_settle compresses what has come and
 * writes the string when it is complete. A string that does not get shorter at its beginning, or that is so long that holding it in
 * private memory would be too much (RDB_WRITE_PACKED_MAX), is written as it comes, its length first.
 *
 * Process: persister. Locks: the sink's functions run under the walked shard's. Fails: want of private memory is sticky
 * (rdb_write_failed).
 */
#ifndef KVSTASH_PERSIST_RDB_WRITE_H
#define KVSTASH_PERSIST_RDB_WRITE_H

#include "base/buf.h"
#include "format/rdb_out.h"
#include "types/type_walk.h"

#define RDB_WRITE_PACKED_MAX (16ull << 20) /* bytes of a string */

struct rdb_write_place {
    size_t len;        /* of the output */
    unsigned db;       /* whose keys follow; RDB_WRITE_NO_DB at first */
    uint64_t string;   /* bytes of the large string that is gathered; 0: none is */
    uint64_t gathered; /* of them came */
    size_t pieces;     /* bytes of them that wait to be compressed */
};
#define RDB_WRITE_NO_DB UINT32_MAX

struct rdb_write {
    struct buf *out;
    const struct shm_region *region;
    const struct shm_cut *cut; /* for the databases' counts; stays the caller's */
    enum rdb_compress compress;
    struct rdb_write_place now, settled;
    unsigned copies_db;
    struct buf copies;         /* of this step; rdb_write.c's */
    struct buf pieces, packed; /* of the large string: what came, what is compressed */
    struct buf scratch;
};

void rdb_write_begin(struct rdb_write *w, struct buf *out, const struct shm_region *r, const struct shm_cut *cut, enum rdb_compress compress);
void rdb_write_end(struct rdb_write *w);
struct type_walk_sink rdb_write_sink(struct rdb_write *w);
/* What came since the last settle stands: the rest of it is rendered. */
void rdb_write_settle(struct rdb_write *w);
/* It does not: the output is as it was after the last settle. */
void rdb_write_undo(struct rdb_write *w);
/* Was private memory short? */
static inline bool
rdb_write_failed(const struct rdb_write *w)
{
    return buf_failed(w->out) || buf_failed(&w->copies) || buf_failed(&w->pieces);
}

#endif
