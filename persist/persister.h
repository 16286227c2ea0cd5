/* persister.h - what the persister's modules share. One thread (file threads see none of it); no locks. */
#ifndef KVSTASH_PERSIST_PERSISTER_H
#define KVSTASH_PERSIST_PERSISTER_H

#include <ev.h>
#include <stdbool.h>

#include "command/control.h"
#include "command/engine.h"
#include "persist/saves.h"
#include "process/heritage.h"

struct aof;
struct reread;

struct persister {
    const struct heritage *heritage;
    struct ev_loop *loop;
    struct engine engine;
    struct persist_sh *shared;  /* the control page's part */
    int dir;                    /* the data directory, open */
    int lock;                   /* persister.lock: held as long as a thread of this process lives */
    char append_dir[PARAM_TEXT_MAX], append_name[PARAM_TEXT_MAX]; /* appenddirname, appendfilename */
    struct aof *aof;
    struct reread *reread;
    struct snapshot *snapshot;
    struct saves saves;
    bool draining;              /* the master has ordered the end */
    ev_io orders, wake, aof_written, aof_synced;
    ev_timer again, drain;      /* a turn in a millisecond; looks at the server's end */
    ev_timer cron;
    ev_prepare before_wait;
    ev_check after_wait;
};

#endif
