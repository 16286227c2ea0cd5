/* rig.h - a small region with engines on it, for tests that die in the middle of commands.
 *
 * Commands are given as lines of words and run through exec_run, without sockets. The wall clock stands still (the
 * programs are linked with clock_gettime wrapped), so that a command does the same each time. Process slots:
 *
 *   RIG_OWN       the test's own: builds states, recovers, checks
 *   RIG_VICTIM    the process that dies
 *   RIG_SECOND    another that dies, while it recovers the first or beside it
 *   RIG_BYSTANDER reads and writes meanwhile
 *
 * A word of a line may stand for more: @bytes:x:5000 (5000 times x), @pairs:f:0:600 (f0 v0 f1 v1 ...), @names:f:0:600
 * (f0 f1 ...), @dump:k (the DUMP of k at that moment), @empty. A line that begins with '!' is no command but a step:
 * !clock MS (the clock moves on), !db N, !expire (the sweep, once around), !reclaim (one step over each shard),
 * !reclaim-all, !commit N (extents), !enter-all (an empty transaction over all shards).
 */
#ifndef KVSTASH_TESTS_RIG_H
#define KVSTASH_TESTS_RIG_H

#include <sys/types.h>

#include "base/buf.h"
#include "command/engine.h"
#include "command/exec.h"
#include "command/session.h"
#include "shm/shm_ring.h"

enum rig_slot { RIG_OWN, RIG_VICTIM, RIG_SECOND, RIG_BYSTANDER, RIG_SLOTS };

/* What a process was about when it died. */
enum rig_moment { RIG_IDLE, RIG_ACTIVE, RIG_TICKET, RIG_PUBLISHED, RIG_COMMITTED, RIG_REDO, RIG_RECOVERY, RIG_MOMENTS };

/* Shared with the children. */
struct rig_page {
    _Atomic uint32_t moment;   /* enum rig_moment in which the last child died */
    _Atomic uint64_t passed;   /* crash points that the last child passed */
    _Atomic int64_t clock_ms;
    _Atomic uint64_t phase;    /* odd while the bystander's probes must answer as allowed */
    _Atomic uint32_t stop;
    _Atomic uint64_t reads, writes;
    char fault[1024];          /* the bystander's; empty: none */
};

struct rig_line {
    const char *text;
    int argc, cap;
    struct resp_arg *argv;
    struct buf bytes;
};

struct rig {
    struct shm_region region;
    struct engine engine;      /* RIG_OWN's, and a child's own after the fork */
    struct session session;
    struct rig_page *page;
    uint64_t deaths[RIG_MOMENTS];
    struct shm_ring_reader log; /* the log's reader; expected 0: the log is off */
    uint64_t records[RIG_SLOTS], holes;
};

/* Makes the region with so many extents, and no more to be had. */
void rig_open(struct rig *k, unsigned extents);
void rig_close(struct rig *k);
void rig_log_on(struct rig *k);
/* Says what is wrong and ends the program with 1. */
_Noreturn void rig_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Makes words of a line; needs rig_line_free. */
void rig_line_parse(struct rig *k, struct rig_line *l, const char *text);
void rig_line_free(struct rig_line *l);
/* Runs it with this process's engine; the reply is appended. False: EXEC_AGAIN or EXEC_CLOSE. */
bool rig_line_run(struct rig *k, const struct rig_line *l, struct buf *reply);
/* Both at once, for lines separated by ';'. Fails on an error reply unless `reply` is given. */
void rig_do(struct rig *k, const char *lines, struct buf *reply);

/* Begins a child's life on another slot, after fork. */
void rig_child(struct rig *k, enum rig_slot slot);
/* Runs the line in a child on a slot, which dies (or stops) at its n-th crash point (0: nowhere). */
pid_t rig_start(struct rig *k, enum rig_slot slot, bool stops, uint64_t n, const struct rig_line *l);
/* Waits for its end: true if it died. */
bool rig_end(struct rig *k, pid_t pid, uint64_t n, const struct rig_line *l);
/* Both: true if it died at the n-th point. */
bool rig_die_at(struct rig *k, enum rig_slot slot, uint64_t n, const struct rig_line *l);
/* Counts where the last child died. */
void rig_note_death(struct rig *k);
const char *rig_moment_name(enum rig_moment m);
/* Finishes what the dead of RIG_VICTIM and RIG_SECOND left, as the next takers of their locks and slots would. */
void rig_recover(struct rig *k);
/* Empties the region and sets clock and database back. */
void rig_clear(struct rig *k);
/* Sum over all keys, values, databases and expiries but those of the bystander, whatever their layout. */
uint64_t rig_digest(struct rig *k);
/* Region check, digest under the same locks. Fails if anything is wrong. */
uint64_t rig_check(struct rig *k, const char *what);
/* Reads the log to its end; counts records by slot, and holes. */
void rig_drain_log(struct rig *k);

#endif
