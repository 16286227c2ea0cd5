/* cmd.h - one execution of one command: what a command function gets, and how it asks for data and answers.
 *
 * A command function is one row of the table and one function. Exec (command/exec.h) has already checked name, arity,
 * authentication and memory limit, found the keys, and, for commands with keys, holds the locks of their shards: in a
 * transaction for CMD_WRITE rows, for reading otherwise. The function
 *   - looks keys up through command/keyspace.h, changes values through types/,
 *   - writes exactly one reply into c->out,
 *   - just returns when a changing call fails (false, 0 or NULL with c->tx->want set): exec takes the reply back, undoes
 *     the transaction, and answers -OOM or runs the command again when there is memory. So before its first changing
 *     call it must have finished all checks that end in an error reply, or leave nothing changed (also nothing
 *     private) that a second run would trip over.
 *   - counts changes in c->dirty; if c->dirty > 0 at the end and no effect was given, the command itself is logged as it
 *     came. Commands whose replay would depend on time or chance give their effect with cmd_effect().
 *
 * Commands without keys run without locks; those that need data take them: cmd_enter_all() for a transaction over all
 * shards (exec commits it), or shm_tx_enter_read() shard by shard.
 * No blocking, no I/O and no logging while locks are held.
 */
#ifndef KVSTASH_COMMAND_CMD_H
#define KVSTASH_COMMAND_CMD_H

#include "command/command_row.h"
#include "command/engine.h"
#include "command/session.h"
#include "resp/resp_parse.h"
#include "resp/resp_write.h"
#include "shm/shm_table.h"
#include "types/type_string.h"

#define CMD_KEYS_STACK 16

/* A key among the arguments, ready for look-up. */
struct cmd_key {
    uint32_t arg;      /* index in argv */
    uint16_t shard;
    uint64_t position;
};

/* Does the command run without locks, on a private copy of its only key's entry in engine->read_block? exec.c decides;
 * keyspace.h's look-ups answer accordingly. */
enum cmd_copy { CMD_COPY_NONE, CMD_COPY_ABSENT, CMD_COPY_ENTRY };

struct cmd {
    const struct command_row *row;
    int argc;
    unsigned db;          /* session's at the start of the command; here, so that no hole is left to be zeroed */
    const struct resp_arg *argv;
    struct resp_out *out;
    struct session *session;
    struct engine *engine;
    struct shm_tx *tx;
    struct cmd_key *keys; /* in the order of the arguments */
    unsigned nkeys;
    int64_t time_ms;      /* frozen clock, 0 = not read yet: use cmd_now() */
    uint64_t dirty;
    bool effect_given;
    bool failed;          /* an error reply was written (for statistics) */
    enum cmd_copy copy;
    bool again;           /* of a command without keys: it waits for other processes and wants to be run again a little later;
                             what it replied so far is dropped. What it waits for is noted in session->awaits */
};

/* The command's one time: wall clock in ms, read under the locks at first use. */
int64_t cmd_now(struct cmd *c);
/* Is this time over? Never while data are loaded, as in Redis: the sweep will see to it. */
static inline bool
cmd_is_over(struct cmd *c, int64_t when_ms)
{
    return !c->tx->bare && cmd_now(c) >= when_ms;
}
/* Arguments by number. */
static inline const char *
cmd_arg(const struct cmd *c, int i)
{
    return c->argv[i].data;
}
static inline size_t
cmd_arg_len(const struct cmd *c, int i)
{
    return c->argv[i].len;
}
/* Case-insensitive comparison of argument i with a lower-case word. */
bool cmd_arg_is(const struct cmd *c, int i, const char *word);

/* Parse an argument, or write the usual error reply and return false. */
bool cmd_arg_int(struct cmd *c, int i, int64_t *v);               /* ERR value is not an integer or out of range */
bool cmd_arg_int_range(struct cmd *c, int i, int64_t min, int64_t max, int64_t *v, const char *error);
/* A cursor as Redis reads one (strtoul), or the error reply. */
bool cmd_arg_cursor(struct cmd *c, int i, uint64_t *cursor);
bool cmd_arg_long_double(struct cmd *c, int i, long double *v);   /* ERR value is not a valid float */
/* Floats as Redis reads them (strtold, no blanks, no NaN), from bytes and from a value. */
bool cmd_parse_long_double(const char *bytes, size_t n, long double *v);
bool cmd_view_long_double(const struct string_view *view, long double *v);
/* As INCRBYFLOAT writes them: "%.17Lf" without trailing zeros. Returns the length. */
#define CMD_LONG_DOUBLE_MAX 5120
size_t cmd_render_long_double(long double v, char text[CMD_LONG_DOUBLE_MAX]);
/* proto-max-bulk-len, at most SHM_BLOB_MAX. */
size_t cmd_bulk_max(const struct cmd *c);

/* Replies with a value from the region, or with n bytes of it. */
void cmd_out_view(struct cmd *c, const struct string_view *v);
void cmd_out_view_range(struct cmd *c, const struct string_view *v, size_t at, size_t n);

/* Usual error replies. */
void cmd_error(struct cmd *c, const char *format, ...) __attribute__((format(printf, 2, 3))); /* text with its code: "ERR ..." */
void cmd_error_syntax(struct cmd *c);
void cmd_error_wrongtype(struct cmd *c);
void cmd_error_no_such_key(struct cmd *c);
void cmd_error_subcommand(struct cmd *c); /* ERR unknown subcommand or wrong number of arguments for '...'. Try ... HELP. */

/* Waits till no other process acts on what it read before this command's change: call it after the change, and at once
 * when the command is run again (session->awaits is set). True: it is so; false: return, the command comes again. */
bool cmd_await_others(struct cmd *c);

/* A transaction over all shards; false: cannot (tx->want). Exec commits or aborts it after the function. */
bool cmd_enter_all(struct cmd *c);
/* All shards for reading; the caller leaves them (shm_tx_leave_read, cmd_leave_read). */
void cmd_enter_all_read(struct cmd *c);

/* Drops the locks of a reading command early: it will look at nothing of the region any more. */
void cmd_leave_read(struct cmd *c);

/* To be called now and then in long work, or the watchdog takes the process for stuck. */
static inline void
cmd_progress(const struct cmd *c)
{
    atomic_fetch_add_explicit(&c->engine->region->slots[c->engine->slot].progress, 1, memory_order_relaxed);
}

/* Logs this instead of the command as it came; may be called several times (MULTI ... EXEC in the log). */
void cmd_effect(struct cmd *c, int argc, const struct shm_effect_arg *argv);
/* printf-like convenience: "%s" C string, "%b" pointer and size_t, "%l" int64_t; blanks separate arguments. */
void cmd_effectf(struct cmd *c, const char *format, ...);
/* Nothing to log, although dirty. */
void cmd_effect_none(struct cmd *c);

#endif
