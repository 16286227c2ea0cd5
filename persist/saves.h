/* saves.h - when to save, and what became of it: SAVE, BGSAVE, save points, FLUSHALL, the last save before the end.
 *
 * What is asked for and what is told are words of the control page (command/persist.h, struct persist_save_sh). A save is a
 * snapshot (snapshot.h) in the file dbfilename. Whoever waits for a save waits for one that was begun after he asked. As in
 * Redis, a save that failed is not tried again by save points for some seconds, and a save does not begin while an
 * append-only file is rewritten.
 *
 * Process: persister, main thread. Locks: CONFIG for moments. Crash: what is asked for and not answered is seen by the
 * successor, who begins anew. Fails: a failed save is told in the words and the log.
 */
#ifndef KVSTASH_PERSIST_SAVES_H
#define KVSTASH_PERSIST_SAVES_H

#include "persist/snapshot.h"
#include "process/heritage.h"

#define SAVES_POINTS_MAX 32u

struct saves {
    const struct heritage *heritage;
    struct engine *engine;
    struct persist_save_sh *shared;
    struct snapshot *snapshot;
    int dir;                      /* the data directory; the caller's */
    /* save points, as of that generation of the parameters */
    uint64_t generation;
    unsigned points;
    struct {
        int64_t seconds;
        uint64_t changes;
    } point[SAVES_POINTS_MAX];
    int64_t tried_s;              /* wall clock of the last save's beginning, for the delay after a failure */
    /* the save that runs: what it answers, and what it covers */
    bool runs;
    uint64_t wait, bgsave;        /* numbers asked for when it began */
    uint64_t changes;
};

void saves_open(struct saves *s, const struct heritage *h, struct engine *e, struct snapshot *snapshot, int dir);
/* Is there something to begin or to end? When the process was woken, and a few times a second. */
void saves_look(struct saves *s);

#endif
