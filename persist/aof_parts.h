/* aof_parts.h - what the append-only file's modules share: aof.c (phases), aof_write.c (groups on their way), aof_rewrite.c
 * (new bases). Nobody else includes it. */
#ifndef KVSTASH_PERSIST_AOF_PARTS_H
#define KVSTASH_PERSIST_AOF_PARTS_H

#include <stdatomic.h>

#include "persist/aof.h"
#include "persist/aof_dir.h"
#include "persist/log_merge.h"
#include "persist/persister.h"
#include "persist/snapshot.h"

enum aof_phase {
    AOF_OFF,         /* the log is off */
    AOF_PREPARING,   /* a task makes the increment ready */
    AOF_NEEDS_BASE,  /* the log is on, nobody reads it: the next is a snapshot's cut */
    AOF_RUNNING,     /* groups are written */
    AOF_SWITCHING,   /* a task begins the next increment; groups wait */
    AOF_WRITE_FAILED,
    AOF_SYNC_FAILED, /* the file is given up */
    AOF_RENEWING,    /* what is held is written into another */
    AOF_CLOSING,     /* a task syncs and closes */
};

enum aof_group_state { AOF_GROUP_FLYING, AOF_GROUP_FAILED, AOF_GROUP_WRITTEN, AOF_GROUP_RELEASED };

/* Something for the file thread that is not a group: one at a time. */
struct aof_task {
    struct file_job job;                       /* first */
    struct aof *aof;
    int (*work)(struct aof *a);                /* on the thread; 0 or an errno with a->dir.why */
    void (*then)(struct aof *a, int error);
    bool runs;                                 /* until `then` is called */
    bool waits;                                /* for the directory to be synced (aof.c) */
};

struct aof {
    struct persister *p;
    struct file_thread *writer, *syncer;
    struct log_merge merge;
    enum aof_phase phase;
    struct aof_task task;
    struct aof_dir dir;             /* the task's while one runs */
    struct aof_tail tail;           /* offset and last: what is written */
    struct aof_tail fresh;          /* of a task: the increment to be */
    struct persist_place_sh place;  /* of a task: where a predecessor was */
    bool published;                 /* the manifest names the tail */
    int64_t retry_ns;               /* when what failed is tried again */
    uint64_t size;                  /* a task's: bytes of the published files */
    uint64_t others;                /* bytes of the published files but the tail */
    int64_t stamped_s;              /* second of the last #TS: line */
    bool closing;                   /* the log is off: what is left is written, then no more */
    bool finished;                  /* at the server's end: it was */
    /* groups that are not on the disk, oldest first */
    struct log_group *first, *last;
    unsigned flying;                /* write jobs */
    size_t held_bytes;
    uint64_t end;                   /* where the next group is written */
    int failed;                     /* errno of the first write that failed, while others fly */
    bool unsynced_write;            /* it was the sync */
    atomic_bool broken;             /* writes that are queued do nothing */
    int64_t looked_ns;              /* last look at the rings */
    /* syncs */
    struct file_job sync_job;
    int sync_fd;
    uint64_t marked;                /* durable ticket that the last mark told */
    bool syncing;
    int64_t synced_ns;              /* begin of the last */
    uint64_t sync_ticket, sync_end; /* what it covers */
    uint64_t durable, durable_end;  /* ticket, and offset in the tail's file */
    uint64_t let_go;                /* last ticket of groups that were freed before they were synced */
    int64_t let_go_since_ns;        /* when the oldest of them came; 0: none */
    bool late;                      /* writers are parked for the disk */
    /* a rewriting */
    bool base_runs;                 /* from the begin of its snapshot until it is named, or has failed */
    bool base_cut, base_switched;   /* its cut was made; groups go to the increment behind it */
    bool base_dropped;              /* it is not wanted any more */
    bool base_ready;                /* its file stands, and waits to be named */
    uint64_t base_ticket;           /* of the cut */
    uint64_t base_asked;            /* which of those asked for it is */
    int64_t base_first;             /* the first increment behind it */
    int64_t base_again_ns;          /* not before */
    int64_t base_begun_s;           /* wall clock */
};

#define AOF_RETRY_NS 200000000LL

enum aof_fsync { AOF_FSYNC_EVERYSEC = 0, AOF_FSYNC_ALWAYS = 1, AOF_FSYNC_NO = 2 }; /* as appendfsync's words stand in its row */
static inline enum aof_fsync
aof_policy(const struct aof *a)
{
    return (enum aof_fsync)config_number(&a->p->engine, PARAM_APPENDFSYNC);
}

/* ---- aof.c ---- */
int aof_work_open(struct aof *a);
/* On the thread: an increment with this first ticket, named, is in a->fresh. */
int aof_work_increment(struct aof *a, uint64_t first_ticket);
/* There is no file that goes on: who takes over begins with a base. */
void aof_publish_nothing(struct aof *a);
void aof_begin_task(struct aof *a, enum aof_phase phase, int (*work)(struct aof *a), void (*then)(struct aof *a, int error));
/* The place in the region is where the tail ends. */
void aof_publish_place(struct aof *a);
/* The file cannot be written: tells, and says when to try again. */
void aof_fail(struct aof *a, enum aof_phase phase, int error, const char *why);
/* It can. */
void aof_recovered(struct aof *a);
/* Groups go to this increment from now on. */
void aof_use_tail(struct aof *a, const struct aof_tail *tail);
/* A head for an increment that begins with this ticket. */
struct aof_head aof_new_head(const struct aof *a, uint64_t first_ticket);
/* On the thread: looks how large the published files are; then, on the main thread: tells it. */
void aof_measure(struct aof *a);
void aof_tell_size(struct aof *a);
/* Nothing that is held is needed any more. */
void aof_forget_groups(struct aof *a);

/* ---- aof_write.c ---- */
/* Is there something to be taken from the rings, and may it be? */
bool aof_wants_groups(const struct aof *a);
/* True: a record is under way. */
bool aof_take_groups(struct aof *a);
/* The same groups again, into the tail (or `fresh`). */
void aof_write_again(struct aof *a, struct aof_tail *tail);
void aof_release_groups(struct aof *a);
void aof_look_at_syncs(struct aof *a);
/* Has the workers look whose held replies wait for a ticket up to this one. */
void aof_wake_workers(struct aof *a, uint64_t durable);
/* Everything up to here is on the disk; `end`: where that is in the tail's file. */
void aof_set_durable(struct aof *a, uint64_t ticket, uint64_t end);

/* ---- aof_rewrite.c ---- */
/* A rewriting that a predecessor had begun is over. */
void aof_rewrite_open(struct aof *a);
/* Begins, goes on with, or ends a rewriting, as far as that is possible now. */
void aof_rewrite_turn(struct aof *a);
void aof_rewrite_abort(struct aof *a);
/* no-appendfsync-on-rewrite, and a snapshot runs. */
bool aof_sync_is_put_off(const struct aof *a);

#endif
