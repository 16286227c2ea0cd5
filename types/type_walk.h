/* type_walk.h - gives out the image of a snapshot: every key as it was at the cut, once, in bounded steps.
 *
 *     struct type_walk w;
 *     type_walk_begin(&w, tx, &cut);
 *     for (;;) {
 *         size_t mark = out->len;
 *         switch (type_walk_step(&w, &sink, budget)) {
 *         case TYPE_WALK_MORE: ...; what the step gave out stands
 *         case TYPE_WALK_BUSY: truncate to mark; do something else, try again
 *         case TYPE_WALK_DONE: the image is complete (this call gave out nothing)
 *         case TYPE_WALK_BROKEN: truncate; the snapshot was given up: shm_cut_is_broken; it cannot go on
 *         case TYPE_WALK_FAILED: truncate; the sink said false or a shard was switched off; the caller aborts the cut
 *
 * A step takes one shard's lock within tx->patience_us, gives out entries of about `budget` bytes (a single small value
 * may be more), drops it. Order: by database at the cut, then by shard, then by no order that matters. Large values come in
 * pieces over several steps, nothing else between their begin and end; the last piece of a large string ends its step.
 *
 * The sink's functions run under the shard's lock: they copy or render into private memory and do nothing else. A sink that
 * returns false stops the walk. Views are valid during the call only.
 *
 * Process: persister, its main thread. Crash: the walker's steps are transactions; the successor of a dead one cannot go on
 * with its image and gives it up. Fails: as above.
 */
#ifndef KVSTASH_TYPES_TYPE_WALK_H
#define KVSTASH_TYPES_TYPE_WALK_H

#include "shm/shm_cut.h"
#include "types/type_string.h"

#define TYPE_WALK_BUDGET 16384u /* bytes a step: some 10 us under the lock */

struct type_walk_sink {
    void *arg;
    /* A whole value: a string of at most SHM_BLOB_LEAF bytes or so (type_string_view), a hash that is no tree
     * (type_hash_open, type_hash_each). The key: type_string_view_key. The expiry: shm_entry_expiry. */
    bool (*entry)(void *arg, unsigned db, const struct shm_entry_sh *e);
    /* A large value begins: a string of `count` bytes, whose pieces follow, or a hash of `count` fields, which follow. The
     * key, type and expiry are e's, its value must not be looked at. */
    bool (*begin)(void *arg, unsigned db, const struct shm_entry_sh *e, uint64_t count);
    /* One field of the hash. */
    bool (*field)(void *arg, const struct string_view *field, const struct string_view *value);
    /* A field whose value is large: its `bytes` bytes follow in pieces, up to the next field or the hash's end. */
    bool (*field_begin)(void *arg, const struct string_view *field, uint64_t bytes);
    /* The next bytes of the string, or of the field's value. */
    bool (*piece)(void *arg, const char *bytes, size_t n);
    /* The large value is complete. */
    bool (*end)(void *arg);
};

enum type_walk_result { TYPE_WALK_MORE, TYPE_WALK_DONE, TYPE_WALK_BUSY, TYPE_WALK_BROKEN, TYPE_WALK_FAILED };

struct type_walk {
    struct shm_tx *tx;
    uint64_t epoch;
    unsigned db, shard;  /* where it works */
    uint64_t keys;       /* given out so far, large ones when they are complete */
    uint64_t steps, busy; /* statistics */
    uint64_t fresh;      /* own: keys of the step under way */
};

void type_walk_begin(struct type_walk *w, struct shm_tx *tx, const struct shm_cut *cut);
enum type_walk_result type_walk_step(struct type_walk *w, const struct type_walk_sink *sink, size_t budget);

#endif
