/* aof_manifest.h - the manifest of an append-only log: which files it consists of, and in which order.
 *
 *     #KVM 5f0c...                                         XXH3-64 of all bytes behind this line
 *     file appendonly.aof.3.base.rdb seq 3 type b          the state that the log starts from
 *     file appendonly.aof.2.incr.aof seq 2 type h          history: no longer needed, to be deleted
 *     file appendonly.aof.7.incr.aof seq 7 type i          increments, loaded in this order
 *
 * A line is words and their values in any order; words that are not known are passed over; a line that begins with '#' is a
 * comment. The seal in the first line is ours: to Redis it is a comment, which it drops when it writes the manifest anew. A seal that
 * does not fit is an error, a manifest without one is as good as Redis's. Sources: Redis 7.0's files, and what redis-server
 * 7.0.15 and redis-check-aof accept and refuse.
 *
 * Not its job: files themselves. Process: any. Locks: none. Fails: what is wrong is returned with line and offset.
 */
#ifndef KVSTASH_FORMAT_AOF_MANIFEST_H
#define KVSTASH_FORMAT_AOF_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "format/aof_error.h"

#define AOF_NAME_MAX 255u           /* bytes of a file's name */
#define AOF_MANIFEST_LINE_MAX 1023u /* bytes of a line, without its end */

enum aof_file_type { AOF_FILE_BASE = 'b', AOF_FILE_HISTORY = 'h', AOF_FILE_INCREMENT = 'i' };

struct aof_file {
    char name[AOF_NAME_MAX + 1]; /* in the manifest's own directory: never a path */
    int64_t sequence;
    enum aof_file_type type;
};

/* At most one base; the sequences of the increments rise. Files stand in the order of their lines. */
struct aof_manifest {
    struct aof_file *file; /* owned */
    size_t files, cap;
    bool sealed; /* the seal was there, and right */
};

enum aof_manifest_result { AOF_MANIFEST_OK, AOF_MANIFEST_BAD, AOF_MANIFEST_NO_MEMORY };

/* An empty one; allocates nothing. */
void aof_manifest_init(struct aof_manifest *m);
void aof_manifest_destroy(struct aof_manifest *m);
/* Reads a manifest into m, which is empty or gets overwritten. After anything but OK m is empty. */
enum aof_manifest_result aof_manifest_parse(struct aof_manifest *m, const char *bytes, size_t n, struct aof_error *error);
/* Appends the text of the manifest: its seal, then base, history, increments. `to` must be empty: the seal is over all of it. A failed allocation is the buffer's sticky flag. */
void aof_manifest_format(const struct aof_manifest *m, struct buf *to);

/* Puts a file behind the others. False: memory is short. The name is no path and at most AOF_NAME_MAX bytes. */
bool aof_manifest_add(struct aof_manifest *m, const char *name, int64_t sequence, enum aof_file_type type);
/* Takes the file at the index out; the others keep their order. */
void aof_manifest_remove(struct aof_manifest *m, size_t index);
/* The base, or the last increment; NULL if there is none. Valid until m is changed. */
const struct aof_file *aof_manifest_base(const struct aof_manifest *m);
const struct aof_file *aof_manifest_last_increment(const struct aof_manifest *m);
/* The sequence of the last file of this type; 0 if there is none. */
int64_t aof_manifest_sequence(const struct aof_manifest *m, enum aof_file_type type);

/* Names as Redis makes them from appendfilename: PREFIX.SEQ.base.rdb (or .base.aof), PREFIX.SEQ.incr.aof, PREFIX.manifest.
 * False: longer than AOF_NAME_MAX. */
bool aof_name_base(char name[AOF_NAME_MAX + 1], const char *prefix, int64_t sequence, bool rdb);
bool aof_name_increment(char name[AOF_NAME_MAX + 1], const char *prefix, int64_t sequence);
bool aof_name_manifest(char name[AOF_NAME_MAX + 1], const char *prefix);
/* May this be a file's name in a manifest: not empty, no path, short enough to fit into a line with its escapes? */
bool aof_name_ok(const char *name);

#endif
