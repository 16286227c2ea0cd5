/* loading.h - a load of the whole data: what is loaded, how far it is, what went wrong. Words of the control page.
 *
 * At a start the master describes the load and has loader processes started (persist/loader_main.h); DEBUG RELOAD and LOADAOF are
 * checked and loaded by the persister. While a load runs the region's gate is closed (shm/shm_gate.h). Commands are answered -LOADING, as Redis
 * does, except by rows that carry CMD_LOADING; a load that has just begun, other than at a start, is waited for instead, because
 * it mostly ends within milliseconds.
 */
#ifndef KVSTASH_COMMAND_LOADING_H
#define KVSTASH_COMMAND_LOADING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct engine;

#define LOADING_PARTS_MAX 8u
#define LOADING_PATH_MAX 4096u
#define LOADING_ERROR_MAX 5120u
#define LOADING_QUIET_MS 100 /* so long a load behind the gate is waited for */

enum loading_source {
    LOADING_NOTHING,
    LOADING_RDB,     /* path: an RDB file */
    LOADING_AOF,     /* path: the manifest of an append-only log */
    LOADING_AOF_OLD, /* path: an append-only file by itself */
};

enum loading_phase {
    LOADING_IDLE,
    LOADING_CHECKS,  /* DEBUG RELOAD, LOADAOF: the files are gone through, the data are whole and stay as they are */
    LOADING_RUNS,
    LOADING_DONE,    /* all data are there; loaders end */
    LOADING_REFUSED, /* what was only checked is of no use; error tells why */
    LOADING_FAILED,  /* error tells why; the data are not whole, the master ends the server */
};

/* One loader's. S of the loader, and of its heir. */
struct loading_part_sh {
    _Alignas(64) _Atomic uint64_t joined; /* number of the attempt that it takes part in; 0: none yet */
    _Atomic uint64_t finished;            /* number of the attempt that it has finished */
    _Atomic uint64_t at;                  /* bytes of all files, one behind the other, before which it has done everything */
    _Atomic uint64_t keys, expired;       /* of RDB files: loaded; left out because their time had passed */
    _Atomic uint64_t commands;            /* of append-only files */
};

/* What DEBUG RELOAD and LOADAOF ask of the persister: a number above these bits. One at a time; it is answered with the number and a
 * result. */
#define LOADING_RELOAD_SHIFT 8
enum loading_reload {
    LOADING_RELOAD_LOG = 1,     /* read the log, not the snapshot */
    LOADING_RELOAD_NOSAVE = 2,
    LOADING_RELOAD_NOFLUSH = 4, /* what is there stays */
    LOADING_RELOAD_MERGE = 8,   /* and gives way to what is read */
};
enum loading_reloaded { LOADING_RELOADED, LOADING_RELOAD_FAILED, LOADING_SAVE_FAILED };

struct loading_sh {
    _Atomic uint32_t phase;       /* enum loading_phase; C: see who changes it above */
    _Atomic uint32_t parts;       /* loaders at work, each with the shards whose number modulo this is its own */
    _Atomic uint32_t source;      /* enum loading_source */
    _Atomic uint32_t quiet;       /* 1: not at a start; waited for LOADING_QUIET_MS */
    _Atomic int64_t started_ms;   /* wall clock */
    _Atomic int64_t started_ns;   /* monotonic */
    _Atomic uint64_t total_bytes; /* of all files */
    _Atomic uint64_t used_memory; /* as the RDB file says it was when it was written */
    _Atomic uint64_t attempt;     /* C: raised by the heir of a loader that died: all begin anew */
    _Atomic uint64_t wiped;       /* number of the attempt for which the keyspace was emptied */
    _Atomic uint64_t ticket;      /* the newest ticket that the files tell; 0: none. Raised only */
    _Atomic uint64_t keys, expired; /* of the last load of an RDB file */
    _Atomic uint64_t reload_asked;    /* C: raised by a worker, if the one before is answered */
    _Atomic uint64_t reload_answered; /* S of the persister */
    _Atomic uint32_t error_taken; /* C: attempt + 1, once somebody writes the error of that attempt; 0: nobody does */
    char path[LOADING_PATH_MAX];  /* filled before RUNS */
    char error[LOADING_ERROR_MAX]; /* filled before FAILED */
    struct loading_part_sh part[LOADING_PARTS_MAX];
};

/* Are the data in memory those of a load that did not come to its end? Then they must not be saved. */
static inline bool
loading_is_partial(const struct loading_sh *l)
{
    uint32_t phase = atomic_load(&l->phase);
    return phase == LOADING_RUNS || phase == LOADING_FAILED;
}

/* What a command that is not for such times gets. */
enum loading_answer { LOADING_GO_ON, LOADING_WAIT, LOADING_REFUSE };
enum loading_answer loading_answer(const struct engine *e);

/* How far a load is, for INFO and the log. */
struct loading_progress {
    uint64_t total, loaded; /* bytes */
    double percent;
    int64_t eta_s;          /* from the pace so far; 1 while there is none, as in Redis */
    double passed_s;
};
struct loading_progress loading_progress(const struct loading_sh *l);

/* Notes the first error of a load's attempt, or of a check before it: later ones are dropped. */
__attribute__((format(printf, 2, 3))) void loading_fail(struct loading_sh *l, const char *format, ...);

#endif
