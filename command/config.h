/* config.h - the values of all parameters, shared by all processes of a server.
 *
 * They lie in the control page. A number is one atomic word, read directly by whoever needs it (config_number: one relaxed
 * load); a text is read under the lock CONFIG, but whether it is empty can be seen without (its number is its length). A
 * change is built aside in `next`, published with one store (`next_whole`), and then copied to where it is read; who
 * takes the lock after a death in the middle finishes the copy. So a change of several parameters is done or not done.
 *
 * The master fills a private struct config_sh from defaults, file, environment and command line before there is a region.
 *
 * Process: all read; workers and the housekeeper change. Locks: registry CONFIG. Crash: see above.
 */
#ifndef KVSTASH_COMMAND_CONFIG_H
#define KVSTASH_COMMAND_CONFIG_H

#include <stdatomic.h>

#include "command/param.h"

#define CONFIG_IDLE_TEXT "the parameter %s is kept and shown, but has no effect in this version"
#define CONFIG_NUMBERS (PARAM_COUNT + PARAM_OUTPUT_CLASSES * 3)

/* One value of everything. */
struct config_sh {
    _Alignas(64) _Atomic int64_t number[CONFIG_NUMBERS]; /* by enum param_id; behind them the output limits */
    char text[PARAM_TEXTS][PARAM_TEXT_MAX];
};

/* The part of the control page; zero at creation. */
struct config_page_sh {
    struct config_sh live;              /* C: written under the lock, numbers read by all; a stale read is one that came earlier */
    struct config_sh next;              /* under the lock */
    _Atomic uint32_t next_whole;        /* 1: next is to become live */
    _Atomic uint64_t generation;        /* raised by each change */
    _Atomic uint8_t told[PARAM_COUNT];  /* C: 1: the log has said that this parameter has no effect */
    struct config_sh reload;            /* Q: what the master read anew; the housekeeper makes the marked ones live */
    uint8_t reload_marked[PARAM_COUNT];
    _Atomic uint32_t reload_whole;      /* 1: written by the master, 0: taken by the housekeeper */
};

/* ---- one set of values, private or under the lock --------------------------------------------------------------------- */

void config_defaults(struct config_sh *c);
void config_get(const struct config_sh *c, int id, struct param_value *v);
void config_put(struct config_sh *c, int id, const struct param_value *v);
void config_copy(struct config_sh *to, const struct config_sh *from);

/* ---- reading ------------------------------------------------------------------------------------------------------------ */

/* Any process, any time. */
static inline int64_t
config_value(const struct config_sh *c, enum param_id id)
{
    return atomic_load_explicit(&c->number[id], memory_order_relaxed);
}

struct config_output_limit {
    uint64_t hard, soft; /* bytes; 0: none */
    int64_t soft_s;
};

/* class: 0 normal, 1 replica, 2 pubsub. */
static inline struct config_output_limit
config_output_limit(const struct config_sh *c, unsigned class)
{
    const _Atomic int64_t *n = &c->number[PARAM_COUNT + class * 3];
    return (struct config_output_limit){.hard = (uint64_t)atomic_load_explicit(&n[0], memory_order_relaxed),
        .soft = (uint64_t)atomic_load_explicit(&n[1], memory_order_relaxed), .soft_s = atomic_load_explicit(&n[2], memory_order_relaxed)};
}

/* ---- the shared values ---------------------------------------------------------------------------------------------------- */

struct engine;

/* Shorthands for a process with an engine: `config_number(e, PARAM_TIMEOUT)`. */
#define config_number(engine, id) config_value(&(engine)->control->config.live, (id))
#define config_yes(engine, id) (config_value(&(engine)->control->config.live, (id)) != 0)

/* The lock CONFIG, with a change that a dead process left finished. */
void config_enter(struct engine *e);
void config_leave(struct engine *e);
/* Finishes a change that a dead process left; each process at its start. */
void config_settle(struct engine *e);
/* A text, copied out under the lock, which is taken here. */
void config_read_text(struct engine *e, int id, char text[PARAM_TEXT_MAX]);
/* Between enter and leave: begin, put into next, publish (or never mind). */
struct config_sh *config_begin(struct engine *e);
void config_publish(struct engine *e);
/* Is it to be said in the log that this parameter has no effect? Once, and only if its value is not the default. */
bool config_tell_idle(struct config_page_sh *page, int id);
/* Makes what the master read anew live; true if there was something. The housekeeper. */
bool config_take_reload(struct engine *e);

#endif
