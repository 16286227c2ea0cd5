/* exec.c - from a parsed request to its reply (contract in exec.h).
 *
 * A command with keys runs in one of three ways: on a private copy of its key's entry without any lock (CMD_COPY_OK
 * rows), under the locks of its shards for reading, or in a transaction. A transaction's reply stays in the buffer
 * only if it committed.
 *
 * Process: workers. Locks: takes and drops the shards' locks. Crash: what was changed is the transaction's.
 */
#include "command/exec.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/apart.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "command/account.h"
#include "command/cmd.h"
#include "command/cmd_auth.h"
#include "command/cmd_rows.h"
#include "command/command_keys.h"
#include "command/command_table.h"
#include "command/control.h"
#include "shm/shm_cut.h"
#include "shm/shm_lock.h"
#include "shm/shm_read.h"
#include "types/type_value.h"

#define UNKNOWN_ARGS_MAX 128

static const char oom_text[] = "OOM command not allowed when used memory > 'maxmemory'.";

/* ---- refusals ----------------------------------------------------------------------------------------------- */

/* As much of an argument as a C string shows of it. */
static int
shown(const struct resp_arg *a, size_t max)
{
    return (int)strnlen(a->data, a->len < max ? a->len : max);
}

static void
unknown_command(struct resp_out *out, int argc, const struct resp_arg *argv)
{
    char args[UNKNOWN_ARGS_MAX + 8];
    size_t n = 0;
    for (int i = 1; i < argc && n < UNKNOWN_ARGS_MAX; i++)
        n += (size_t)snprintf(args + n, sizeof args - n, "'%.*s' ", shown(&argv[i], UNKNOWN_ARGS_MAX - n), argv[i].data);
    resp_out_errorf(out, "ERR unknown command '%.*s', with args beginning with: %.*s", shown(&argv[0], UNKNOWN_ARGS_MAX),
        argv[0].data, (int)n, args);
}

static void
unknown_subcommand(struct resp_out *out, const struct resp_arg *argv)
{
    char container[UNKNOWN_ARGS_MAX];
    int n = shown(&argv[0], sizeof container);
    for (int i = 0; i < n; i++)
        container[i] = (char)toupper((unsigned char)argv[0].data[i]);
    resp_out_errorf(out, "ERR unknown subcommand '%.*s'. Try %.*s HELP.", shown(&argv[1], UNKNOWN_ARGS_MAX), argv[1].data, n,
        container);
}

/* Does a browser speak, made to by some page? It must get no further than its first line. */
static bool
is_http(const struct resp_arg *a)
{
    return (a->len == 4 && strncasecmp(a->data, "post", 4) == 0) || (a->len == 5 && strncasecmp(a->data, "host:", 5) == 0);
}

/* The row of a request: a command's, or a subcommand's. NULL: an error was replied, or the connection will be closed. */
static const struct command_row *
row_of(const struct command_row *row, int argc, const struct resp_arg *argv, struct session *s, struct resp_out *out)
{
    if (!row && is_http(&argv[0])) {
        s->flags |= SESSION_CLOSE_AFTER_REPLY;
    } else if (!row) {
        unknown_command(out, argc, argv);
    } else if (row->subs && argc > 1) {
        row = command_find_sub(row, argv[1].data, argv[1].len);
        if (!row)
            unknown_subcommand(out, argv);
    }
    return row;
}

/* Is the memory in use above maxmemory? Summed only when there is a limit. What a snapshot keeps does not count: the snapshot
 * ends, and it will be free. */
static bool
over_limit(const struct engine *e)
{
    uint64_t limit = (uint64_t)config_number(e, PARAM_MAXMEMORY);
    return limit != 0 && shm_region_used(e->region) > limit && !shm_cut_make_room(e->region);
}

/* Are changes refused because snapshots fail, and is this one? PING is too, so that who watches the server with it is told. */
static bool
snapshots_fail(const struct engine *e, const struct command_row *row)
{
    return __builtin_expect(e->exec.saves_fail, 0) && ((row->flags & CMD_WRITE) || row->run == cmd_ping) &&
        config_yes(e, PARAM_STOP_WRITES_ON_BGSAVE_ERROR) && config_number(e, PARAM_SAVE) > 0;
}

static const char misconf_text[] = "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands "
    "that may modify the data set are disabled, because this instance is configured to report errors during writes if RDB snapshotting "
    "fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error.";

/* Is the request refused before it runs? Then its error was replied. */
static bool
refused(const struct engine *e, const struct session *s, const struct command_row *row, int argc, struct resp_out *out)
{
    if (row->arity > 0 ? argc != row->arity : argc < -row->arity)
        resp_out_errorf(out, "ERR wrong number of arguments for '%s' command", row->name);
    else if (!(row->flags & CMD_NO_AUTH) && cmd_auth_is_missing(e, s))
        resp_out_error(out, "NOAUTH Authentication required.");
    else if ((row->flags & CMD_DENYOOM) && over_limit(e))
        resp_out_error(out, oom_text);
    else if (snapshots_fail(e, row))
        resp_out_error(out, misconf_text);
    else if (e->exec.log_errno && ((row->flags & CMD_WRITE) || row->run == cmd_ping))
        resp_out_errorf(out, "MISCONF Errors writing to the AOF file: %s", strerror((int)e->exec.log_errno));
    else if (e->exec.gated && !(row->flags & CMD_LOADING) && loading_answer(e) == LOADING_REFUSE)
        resp_out_error(out, "LOADING Redis is loading the dataset in memory");
    else if ((s->flags & SESSION_MONITOR) && (row->flags & (CMD_WRITE | CMD_READONLY)))
        resp_out_error(out, "ERR Replica can't interact with the keyspace");
    else
        return false;
    return true;
}

/* ---- keys ------------------------------------------------------------------------------------------------------ */

/* Room for n keys; false: no private memory. */
static bool
reserve_keys(struct exec_state *x, unsigned n)
{
    if (n <= x->keys_cap)
        return true;
    struct cmd_key *more = realloc(x->keys, n * sizeof *more);
    if (!more)
        return false;
    x->keys = more;
    x->keys_cap = n;
    return true;
}

/* Key number n is argument arg; its position, 0 if not yet known. */
static void
set_key(struct cmd *c, unsigned n, int arg, uint64_t position)
{
    struct cmd_key *k = &c->engine->exec.keys[n];
    k->arg = (uint32_t)arg;
    k->position =
        position ? position : shm_table_position(c->engine->region, c->argv[arg].data, c->argv[arg].len, c->engine->cluster);
    k->shard = (uint16_t)shm_region_shard(c->engine->region, k->position);
}

/* Keys that only the specifications can find. */
static bool
find_movable_keys(struct cmd *c)
{
    struct command_key found[CMD_KEYS_STACK], *all = found;
    int n = command_keys_find(c->row, c->argc, c->argv, found, CMD_KEYS_STACK);
    if (!reserve_keys(&c->engine->exec, (unsigned)n))
        return false;
    if (n > CMD_KEYS_STACK) {
        all = malloc((size_t)n * sizeof *all);
        if (!all)
            return false;
        command_keys_find(c->row, c->argc, c->argv, all, n);
    }
    for (int i = 0; i < n; i++)
        set_key(c, (unsigned)i, all[i].arg, 0);
    c->keys = c->engine->exec.keys;
    c->nkeys = (unsigned)n;
    if (all != found)
        free(all);
    return true;
}

/* Fills c->keys from the row's positions. `ahead`: the first key's position if it is known, else 0. False: no private
 * memory. */
static bool
find_keys(struct cmd *c, uint64_t ahead)
{
    const struct command_row *row = c->row;
    if (row->flags & CMD_MOVABLE_KEYS)
        return find_movable_keys(c);
    if (row->first == 1 && row->last == 1 && ahead && reserve_keys(&c->engine->exec, 1)) { /* nearly all requests */
        set_key(c, 0, 1, ahead);
        c->keys = c->engine->exec.keys;
        c->nkeys = 1;
        return true;
    }
    int last = row->last < 0 ? c->argc + row->last : row->last;
    unsigned n = 0;
    if (last >= c->argc)
        last = c->argc - 1;
    if (row->first == 0 || last < row->first)
        return true;
    if (!reserve_keys(&c->engine->exec, (unsigned)(last - row->first) / (unsigned)row->step + 1))
        return false;
    for (int i = row->first; i <= last; i += row->step)
        set_key(c, n++, i, i == row->first ? ahead : 0);
    c->keys = c->engine->exec.keys;
    c->nkeys = n;
    return true;
}

/* The shards of the keys, ascending, each once. */
static unsigned
shards_of(const struct cmd *c, uint16_t ids[SHM_SHARDS_MAX])
{
    uint64_t bits[SHM_SHARDS_MAX / 64] = {0};
    unsigned n = 0;
    for (unsigned i = 0; i < c->nkeys; i++)
        bits[c->keys[i].shard / 64] |= 1ull << (c->keys[i].shard % 64);
    for (unsigned w = 0; w < SHM_SHARDS_MAX / 64; w++)
        for (uint64_t left = bits[w]; left; left &= left - 1)
            ids[n++] = (uint16_t)(w * 64 + (unsigned)__builtin_ctzll(left));
    return n;
}

/* A shard in which processes died again and again: nothing of it is touched, the others serve. */
static void
refuse_shard(struct cmd *c, unsigned shard)
{
    bool off = atomic_load(&c->engine->region->shards[shard].state) == SHM_SHARD_OFF;
    cmd_error(c, "ERR shard %u is %s: processes died in it again and again. The other shards serve; this one %s.", shard,
        off ? "switched off" : "read-only", off ? "is lost until the data is loaded anew" : "takes writes again after a restart");
}

/* ---- the three ways ------------------------------------------------------------------------------------------- */

/* Copies the key's entry out without a lock; false: take the lock. */
static bool
copy_out(struct cmd *c)
{
    struct engine *e = c->engine;
    const struct resp_arg *key = &c->argv[c->keys[0].arg];
    struct shm_tree t = shm_tree_of_db(e->region, c->keys[0].shard, c->db);
    bool touch = !(c->row->flags & CMD_NO_TOUCH) && !(c->session->flags & SESSION_NO_TOUCH);
    enum shm_read_result got = shm_read_entry(&t, c->keys[0].position, key->data, key->len, e->read_block, sizeof e->read_block,
        touch ? e->exec.clock : SHM_READ_NO_TOUCH);
    if (got == SHM_READ_RETRY)
        return false;
    const struct shm_entry_sh *entry = (const struct shm_entry_sh *)(const void *)e->read_block;
    c->copy = CMD_COPY_ABSENT;
    if (got == SHM_READ_ABSENT)
        return true;
    if (type_value_needs_lock(entry)) {
        c->copy = CMD_COPY_NONE;
        return false;
    }
    if (!(entry->flags & SHM_ENTRY_EXPIRES) || cmd_now(c) <= shm_entry_expiry(entry))
        c->copy = CMD_COPY_ENTRY;
    return true;
}

/* How long a command waits for a lock: the worker's other clients wait with it. After that it is run again later. */
static void
enter_shards(struct cmd *c, const uint16_t *ids, unsigned n)
{
    c->tx->patience_us = c->engine->exec.patience_us;
    if (c->tx->active)
        shm_tx_enter(c->tx, ids, n);
    else
        shm_tx_enter_read(c->tx, ids, n);
    c->tx->patience_us = SHM_LOCK_PATIENT;
    if (c->tx->want == SHM_WANT_LOCK)
        c->engine->exec.patience_us = 0; /* once a turn is enough */
}

/* Apart, because its array would cost every command with one key a guarded stack. */
static APART void
enter_many(struct cmd *c)
{
    uint16_t ids[SHM_SHARDS_MAX];
    enter_shards(c, ids, shards_of(c, ids));
}

static void
enter_patiently(struct cmd *c)
{
    if (c->nkeys == 1)
        enter_shards(c, &c->keys[0].shard, 1);
    else
        enter_many(c);
}

static enum exec_result
run_reading(struct cmd *c)
{
    if ((c->row->flags & CMD_COPY_OK) && copy_out(c)) {
        c->row->run(c);
        return EXEC_DONE;
    }
    enter_patiently(c);
    bool again = c->tx->want == SHM_WANT_LOCK;
    if (c->tx->want == SHM_WANT_SHARD)
        refuse_shard(c, c->tx->refused);
    else if (!again)
        c->row->run(c);
    cmd_leave_read(c);
    return again ? EXEC_AGAIN : EXEC_DONE;
}

/* What becomes of a command whose transaction did not commit: its connection is closed, or it is run again later, or refused. */
static APART enum exec_result
uncommitted(struct cmd *c, size_t mark)
{
    struct shm_tx *tx = c->tx;
    if (buf_failed(c->out->buf))
        return EXEC_CLOSE;
    buf_truncate(c->out->buf, mark);
    if (tx->want == SHM_WANT_POOL || tx->want == SHM_WANT_RING || tx->want == SHM_WANT_MODE || tx->want == SHM_WANT_LOCK ||
        tx->want == SHM_WANT_MAIL)
        return EXEC_AGAIN;
    if (tx->want == SHM_WANT_SHARD) {
        refuse_shard(c, tx->refused);
        return EXEC_DONE;
    }
    if (tx->want == SHM_WANT_LIMIT && shm_cut_make_room(tx->region))
        return EXEC_AGAIN;
    cmd_error(c, "%s", oom_text);
    return EXEC_DONE;
}

/* Ends the transaction that a command left open: committed, run again later, or refused. */
static enum exec_result
end_transaction(struct cmd *c, size_t mark)
{
    struct shm_tx *tx = c->tx;
    bool ok = tx->want == SHM_WANT_NOTHING && !buf_failed(c->out->buf);
    if (ok && c->dirty > 0 && !c->effect_given && shm_tx_logging(tx))
        shm_tx_effect(tx, c->db, c->argc, (const struct shm_effect_arg *)(const void *)c->argv);
    if (!tx->active)
        ok = false;
    else if (ok)
        ok = shm_tx_commit(tx);
    else
        shm_tx_abort(tx);
    if (!ok)
        return uncommitted(c, mark);
    c->engine->exec.changes += c->dirty;
    return EXEC_DONE;
}
_Static_assert(sizeof(struct shm_effect_arg) == sizeof(struct resp_arg), "an argument list is an effect's");

static enum exec_result
run_writing(struct cmd *c)
{
    size_t mark = c->out->buf->len;
    if (!shm_tx_begin(c->tx))
        return EXEC_AGAIN;
    enter_patiently(c);
    if (c->tx->want == SHM_WANT_NOTHING)
        c->row->run(c);
    return end_transaction(c, mark);
}

static enum exec_result
run_free(struct cmd *c)
{
    size_t mark = c->out->buf->len;
    c->tx->want = SHM_WANT_NOTHING;
    c->row->run(c);
    if (c->tx->active || c->tx->want != SHM_WANT_NOTHING)
        return end_transaction(c, mark);
    if (c->again)
        buf_truncate(c->out->buf, mark);
    return c->again ? EXEC_AGAIN : EXEC_DONE;
}

/* Does CLIENT PAUSE hold this command back, or the gate, or the server's end? */
static bool
is_held_back(const struct engine *e, const struct command_row *row)
{
    if (e->exec.gated && !(row->flags & CMD_LOADING) && loading_answer(e) != LOADING_GO_ON)
        return true;
    if (e->exec.log_late && (row->flags & CMD_WRITE))
        return true;
    if ((row->flags & CMD_WRITE) &&
        (atomic_load_explicit(&e->control->persist.refuse_writes, memory_order_relaxed) & PERSIST_REFUSE_ENDING))
        return true;
    int64_t until = atomic_load_explicit(&e->control->pause_until_ms, memory_order_relaxed);
    if (__builtin_expect(until == 0, 1))
        return false;
    return clock_wall_ms() < until && (atomic_load(&e->control->pause_all) || (row->flags & CMD_WRITE));
}

/* ---- looking ahead ------------------------------------------------------------------------------------------------ */

void
exec_ahead_forget(struct engine *e)
{
    e->exec.ahead_next = e->exec.ahead_count = 0;
}

void
exec_ahead_begin(struct engine *e)
{
    exec_ahead_forget(e);
    persist_look(e);
    account_batch(e);
}

/* Most requests of a batch are for the command of the one before. */
static const struct command_row *
row_ahead(const struct exec_state *x, const struct exec_ahead *a, const struct resp_arg *name)
{
    if (a > x->ahead && a[-1].argv->len == name->len && bytes_equal(a[-1].argv->data, name->data, name->len))
        return a[-1].row;
    return command_find(name->data, name->len);
}

void
exec_ahead_add(struct engine *e, const struct session *s, const struct resp_request *reqs, int n)
{
    struct exec_state *x = &e->exec;
    for (int i = 0; i < n && x->ahead_count < EXEC_BATCH_MAX; i++) {
        const struct resp_request *req = &reqs[i];
        struct exec_ahead *a = &x->ahead[x->ahead_count++];
        *a = (struct exec_ahead){.argv = req->argv, .row = row_ahead(x, a, req->argv)};
        if (a > x->ahead && a->row == a[-1].row)
            a[-1].alike = account_is_cheap(x, a->row);
        if (!a->row || a->row->first != 1 || req->argc < 2)
            continue;
        uint64_t position = shm_table_position(e->region, req->argv[1].data, req->argv[1].len, e->cluster);
        struct shm_tree t = shm_tree_of_db(e->region, shm_region_shard(e->region, position), s->db);
        a->key.inserts = e->tx.bare; /* what is loaded is mostly new */
        shm_table_ahead(&t, position, &a->key);
    }
}

void
exec_ahead_prefetch(struct engine *e)
{
    struct exec_state *x = &e->exec;
    if (x->ahead_count < 2)
        return; /* nothing to do while it comes */
    for (bool more = true; more;) { /* ends: each step goes one level down */
        more = false;
        for (unsigned i = 0; i < x->ahead_count; i++)
            more |= shm_table_ahead_step(e->region, &x->ahead[i].key);
    }
}

/* What was noted of the request; NULL: nothing. */
static const struct exec_ahead *
noted_ahead(struct exec_state *x, const struct resp_arg *argv)
{
    while (x->ahead_next < x->ahead_count) {
        const struct exec_ahead *a = &x->ahead[x->ahead_next++];
        if (__builtin_expect(a->argv == argv, 1)) /* else of a connection that closed before it was run */
            return a;
    }
    return NULL;
}

/* ---- a request ------------------------------------------------------------------------------------------------------ */

static enum exec_result
run_found(struct cmd *c)
{
    if (c->nkeys == 0)
        return run_free(c);
    if (c->row->flags & CMD_WRITE)
        return run_writing(c);
    return run_reading(c);
}

static enum exec_result
run(struct cmd *c, const struct exec_ahead *ahead)
{
    if (find_keys(c, ahead ? ahead->key.position : 0))
        return run_found(c);
    resp_out_error(c->out, oom_text);
    return EXEC_DONE;
}

/* ---- replaying ------------------------------------------------------------------------------------------------------ */

enum exec_replay
exec_replay_open(struct cmd *c, struct engine *e, struct session *s, int argc, const struct resp_arg *argv, struct resp_out *out)
{
    const struct exec_ahead *ahead = noted_ahead(&e->exec, argv);
    const struct command_row *row = ahead ? ahead->row : command_find(argv[0].data, argv[0].len);
    if (row && row->subs && argc > 1)
        row = command_find_sub(row, argv[1].data, argv[1].len);
    if (!row)
        return EXEC_REPLAY_UNKNOWN;
    if (row->arity > 0 ? argc != row->arity : argc < -row->arity)
        return EXEC_REPLAY_ARITY;
    *c = (struct cmd){.row = row, .argc = argc, .argv = argv, .out = out, .session = s, .engine = e, .tx = &e->tx, .db = s->db};
    return find_keys(c, ahead ? ahead->key.position : 0) ? EXEC_REPLAY_READY : EXEC_REPLAY_NO_MEMORY;
}

enum exec_result
exec_replay(struct cmd *c)
{
    return run_found(c);
}

enum exec_result
exec_run(struct engine *e, struct session *s, int argc, const struct resp_arg *argv, struct resp_out *out)
{
    struct exec_state *x = &e->exec;
    const struct exec_ahead *ahead = noted_ahead(x, argv);
    const struct command_row *row = ahead ? ahead->row : command_find(argv[0].data, argv[0].len);
    size_t mark = out->buf->len;
    row = row_of(row, argc, argv, s, out);
    s->last_command = row ? row->name : NULL;
    if (!row || refused(e, s, row, argc, out)) {
        account_refused(e, row, out, mark);
        return buf_failed(out->buf) ? EXEC_CLOSE : EXEC_DONE;
    }
    if (is_held_back(e, row) && !s->awaits) /* who waits for its own pause to be seen goes on */
        return EXEC_AGAIN;
    struct cmd c = {.row = row, .argc = argc, .argv = argv, .out = out, .session = s, .engine = e, .tx = &e->tx, .db = s->db};
    account_begin(e, row);
    enum exec_result result = run(&c, ahead);
    if (buf_failed(out->buf))
        return EXEC_CLOSE;
    if (result == EXEC_AGAIN) {
        account_rest(e); /* the wait is not the command's time */
        return result;
    }
    x->commands++;
    if (__builtin_expect(x->log_always, 0)) {
        uint64_t ticket = persist_ticket(&c);
        s->durable = ticket > s->durable ? ticket : s->durable;
        s->wrote |= (row->flags & CMD_WRITE) != 0;
    }
    account_end(e, &c, mark, ahead && ahead->alike);
    if (__builtin_expect(atomic_load_explicit(&e->control->monitor.watching, memory_order_relaxed) != 0, 0))
        monitor_show(e, &c);
    return result;
}
