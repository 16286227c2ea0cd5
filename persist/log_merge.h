/* log_merge.h - groups: the log's records in the order of their tickets, rendered, as many as are there.
 *
 * A group is what the append-only file gets in one piece (format/aof_group.h): its line, then whole transactions. It begins with a
 * SELECT, so it means the same at any place of any file. With it go the rings' positions behind its last record: what to release
 * when the group is safe.
 *
 * Process: persister, main thread. Locks: none. Crash: a group is private; the rings still have its records.
 */
#ifndef KVSTASH_PERSIST_LOG_MERGE_H
#define KVSTASH_PERSIST_LOG_MERGE_H

#include "format/aof_group.h"
#include "persist/file_thread.h"
#include "shm/shm_ring.h"

struct log_group {
    struct file_write write;        /* first: the job that writes it */
    struct log_group *next;         /* in whichever queue it is */
    void *owner;                    /* of the job */
    int state;                      /* the owner's */
    struct buf bytes;               /* the line's room, then commands */
    uint64_t first, last;           /* tickets; last < first: no record */
    uint64_t records;
    int64_t since_ns;               /* when its first record was taken from the rings */
    int64_t db;                     /* selected so far */
    bool spilled;                   /* of the records: see shm_ring_release */
    uint64_t cursor[SHM_SLOTS_MAX]; /* the rings' positions behind it */
};

struct log_merge {
    struct shm_ring_reader reader;
    struct buf room;                /* for payloads that lie in pieces */
    uint64_t until;                 /* records from this ticket on are left in the rings; UINT64_MAX: none */
    struct log_group *spare;        /* groups to use again, with their memory */
    unsigned spares;
};

/* Begins with the record of this ticket; drops what is older. */
void log_merge_open(struct log_merge *m, struct shm_region *r, uint64_t expected);
void log_merge_close(struct log_merge *m);

/* An empty group. NULL: no private memory. */
struct log_group *log_merge_group(struct log_merge *m);
/* The group's memory is wanted no more. */
void log_merge_done(struct log_merge *m, struct log_group *g);
/* Appends records until the group has about `limit` bytes, or none is there. WAIT: a record is under way, ask again in a moment;
 * EMPTY: there is none, or none before `until`; RECORD: there are more. Want of private memory is g->bytes' failure; the group
 * then holds whole records up to g->last all the same. */
enum shm_ring_result log_merge_take(struct log_merge *m, struct log_group *g, size_t limit);
/* Appends a line of its own to an empty group: "#TS:". */
void log_merge_stamp(struct log_group *g, int64_t seconds);
/* Fills the group's line in. */
void log_merge_seal(struct log_group *g, const struct aof_head *head, uint64_t durable);
/* Units of a ring that are filled and not taken yet; the most of all rings. */
uint64_t log_merge_waiting(const struct log_merge *m);

#endif
