/* snapshot.h - writes what was in the region at one moment into an RDB file, while everybody goes on.
 *
 * The cut (shm_cut.h) names the moment: from then on what was there is replaced, not changed, until the walk (type_walk.h) has
 * passed it. The snapshot walks in bounded steps between the loop's other work, renders what it meets (rdb_write.h) into
 * buffers, and has a file thread write them aside (file_aside.h). Readers and writers never wait for it longer than for
 * one step under one shard's lock.
 *
 * One at a time, for whoever asks first: a save (saves.h), or the base of an append-only file. Who finds one running waits
 * for its end and asks again.
 *
 *     struct snapshot_order o = {.purpose = SNAPSHOT_AOF_BASE, .dir = aofdir, .name = "appendonly.aof.2.base.rdb",
 *         .cut = my_cut, .done = my_done, .arg = me};
 *     if (snapshot_begin(s, &o)) ... my_cut(me, ticket) soon, my_done(me, &result) later
 *
 * Process: persister, main thread. Locks: one shard's at a time, within little patience; all shards' for the cut. Crash: a
 * successor calls snapshot_clear, which gives the memory back and removes the temporary file. Fails: told by `done`.
 */
#ifndef KVSTASH_PERSIST_SNAPSHOT_H
#define KVSTASH_PERSIST_SNAPSHOT_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "command/engine.h"
#include "persist/file_aside.h"

enum snapshot_purpose { SNAPSHOT_RDB, SNAPSHOT_AOF_BASE };

struct snapshot_result {
    bool ok;
    bool aborted;      /* by snapshot_abort: nobody's fault */
    int error;         /* errno of the file's failure, 0: none, or another one */
    const char *why;   /* what failed, in words; valid during the call */
    uint64_t ticket;   /* of the cut: every record below it is in the file, none from it on; 0: there was no cut */
    uint64_t keys, bytes;
};

struct snapshot_order {
    enum snapshot_purpose purpose;
    int dir;           /* descriptor of the file's directory; stays the caller's and open until `done` */
    const char *name;  /* of the file in it; copied */
    /* Called at the cut (from snapshot_turn, no lock held), before anything is walked. NULL: none. */
    void (*cut)(void *arg, uint64_t ticket);
    /* Called once, from the loop: the file stands in its place, or not. A new snapshot may be begun in it. */
    void (*done)(void *arg, const struct snapshot_result *r);
    void *arg;
};

struct snapshot;

/* Watches the loop from now on. NULL: no memory or no thread. */
struct snapshot *snapshot_open(struct ev_loop *loop, struct engine *e);
/* At an orderly end: aborts what runs (without calling done). */
void snapshot_close(struct snapshot *s);
/* What a dead predecessor left in the region. Once, before the first begin. */
void snapshot_clear(struct snapshot *s);

/* False: one is running already; nothing happens. */
bool snapshot_begin(struct snapshot *s, const struct snapshot_order *o);
bool snapshot_runs(const struct snapshot *s);
/* Only if one runs. */
enum snapshot_purpose snapshot_purpose(const struct snapshot *s);
/* Ends it without a file; done is called (with aborted set) once the file thread has removed what there was. */
void snapshot_abort(struct snapshot *s);

#endif
