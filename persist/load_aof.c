/* load_aof.c - commands of append-only files, run again (see load_aof.h).
 *
 * A command is run by the loader that owns the shard of its keys; keys of several owners, or a command over everything, bring the loaders
 * together. MULTI and EXEC do not: the reader hands out only transactions whose end is there, and nobody looks on meanwhile, so
 * each loader runs what is its own of them. SELECT is each loader's own. As in Redis nothing expires while the log is run
 * again, what a command answers is thrown away, and errors are told in the log but end nothing.
 *
 * Commands are read in batches, so that their keys' places are looked up side by side before they are run one by one.
 */
#include "persist/load_aof.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "command/cmd.h"
#include "command/control.h"
#include "command/exec.h"
#include "format/aof_in.h"
#include "persist/load_rdb.h"

#define BATCH_ARGS 256u   /* of all commands of a batch */
#define TOLD_EVERY 8u     /* batches between two looks at the others, and at what is to be freed */
#define ERRORS_TOLD 10u   /* that are told one by one */
#define NAME_SHOWN 64

/* A command that was read; its words are in the image. */
struct waiting {
    struct resp_request request;
    size_t offset, end;
    bool multi; /* see struct aof_in */
};

struct replay {
    struct loader *l;
    const struct load_file *f;
    struct aof_in in;
    struct waiting batch[EXEC_BATCH_MAX];
    struct resp_arg args[BATCH_ARGS];
    unsigned n, nargs, batches;
    const struct waiting *now; /* what is run */
    size_t done;               /* everything before this byte was run */
};

/* ---- one command ------------------------------------------------------------------------------------------------------------ */

static enum load_result
refuse(struct replay *r, const char *what)
{
    const struct resp_arg *name = &r->now->request.argv[0];
    loading_fail(r->l->sh, "%s: byte %lu: '%.*s' %s; " LOADER_REMEDY_CHECK, r->f->path, (unsigned long)r->now->offset,
        (int)(name->len < NAME_SHOWN ? name->len : NAME_SHOWN), name->data, what);
    return LOAD_FAILED;
}

static bool
is_word(const struct resp_arg *a, const char *word, size_t n)
{
    return a->len == n && strncasecmp(a->data, word, n) == 0;
}

/* The loaders that a command concerns: bits. */
static uint32_t
parts_of(const struct loader *l, const struct cmd *c)
{
    uint32_t all = (uint32_t)((1ull << l->parts) - 1), bits = 0;
    if (c->nkeys == 0)
        return c->row->flags & CMD_WRITE ? all : 1u << l->own;
    for (unsigned i = 0; i < c->nkeys; i++)
        bits |= 1u << c->keys[i].shard % l->parts;
    return bits;
}

/* What a command answered: an error is told, and the log goes on, as in Redis. */
static void
look_at_reply(struct replay *r)
{
    struct loader *l = r->l;
    const struct resp_arg *name = &r->now->request.argv[0];
    const char *reply = buf_head(&l->replies);
    size_t n = buf_pending(&l->replies);
    if (n == 0 || reply[0] != '-' || l->errors++ >= ERRORS_TOLD)
        return;
    log_warning("%s: byte %lu: '%.*s' was answered with an error, %.*s%s", r->f->path, (unsigned long)r->now->offset,
        (int)(name->len < NAME_SHOWN ? name->len : NAME_SHOWN), name->data, (int)(n > 202 ? 200 : n - 3), reply + 1,
        l->errors == ERRORS_TOLD ? "; further ones are not told" : "");
}

static enum load_result
run_now(struct replay *r, struct cmd *c)
{
    struct loader *l = r->l;
    struct shm_tx *tx = &l->engine->tx;
    enum exec_result result = exec_replay(c);
    if (tx->want == SHM_WANT_LIMIT || tx->want == SHM_WANT_HEAP || buf_failed(&l->replies)) {
        loading_fail(l->sh, "%s: byte %lu: out of memory; " LOADER_REMEDY_MEMORY, r->f->path, (unsigned long)r->now->offset);
        return LOAD_FAILED;
    }
    if (tx->broken)
        return refuse(r, "holds a damaged value");
    if (result != EXEC_DONE)
        return refuse(r, "cannot be run while a log is loaded");
    look_at_reply(r);
    buf_truncate(&l->replies, l->replies.len - buf_pending(&l->replies));
    l->commands++;
    return LOAD_DONE;
}

/* Runs a command that concerns other loaders too, once for all. */
static enum load_result
run_together(struct replay *r, struct cmd *c, uint32_t parts)
{
    bool mine;
    if (!loader_meet(r->l, parts, r->now->offset, &mine))
        return LOAD_ANEW;
    if (!mine)
        return LOAD_DONE;
    enum load_result result = run_now(r, c);
    loader_met(r->l, r->now->offset);
    return result;
}

static enum load_result
run_command(struct replay *r)
{
    struct loader *l = r->l;
    const struct resp_request *q = &r->now->request;
    struct resp_out out = {.buf = &l->replies, .version = 2};
    struct cmd c;
    if (r->now->multi && (is_word(&q->argv[0], "multi", 5) || is_word(&q->argv[0], "exec", 4)))
        return LOAD_DONE;
    switch (exec_replay_open(&c, l->engine, &l->session, q->argc, q->argv, &out)) {
    case EXEC_REPLAY_UNKNOWN:
        return refuse(r, "is a command that this version does not have");
    case EXEC_REPLAY_ARITY:
        return refuse(r, "has a wrong number of arguments");
    case EXEC_REPLAY_NO_MEMORY:
        return refuse(r, "needs more private memory than there is");
    case EXEC_REPLAY_READY:
        break;
    }
    if (l->checks)
        return LOAD_DONE;
    uint32_t parts = parts_of(l, &c);
    if (!(parts & 1u << l->own))
        return LOAD_DONE;
    return parts == 1u << l->own ? run_now(r, &c) : run_together(r, &c, parts);
}

/* ---- batches ----------------------------------------------------------------------------------------------------------------- */

static enum load_result
run(struct replay *r, const struct waiting *w)
{
    r->now = w;
    enum load_result result = run_command(r);
    r->done = w->end;
    return result;
}

/* Between batches: now and then tells the others how far it is, frees what is to be freed, and sees whether they gave up. */
static enum load_result
look_around(struct replay *r)
{
    if (++r->batches % TOLD_EVERY)
        return LOAD_DONE;
    loader_at(r->l, r->done);
    shm_region_progress(r->l->engine->region);
    if (!r->l->checks)
        loader_reclaim(r->l);
    return loader_given_up(r->l) ? LOAD_ANEW : LOAD_DONE;
}

static enum load_result
run_batch(struct replay *r)
{
    struct loader *l = r->l;
    enum load_result result = LOAD_DONE;
    exec_ahead_forget(l->engine);
    for (unsigned i = 0; i < r->n; i++)
        exec_ahead_add(l->engine, &l->session, &r->batch[i].request, 1);
    exec_ahead_prefetch(l->engine);
    for (unsigned i = 0; i < r->n && result == LOAD_DONE; i++)
        result = run(r, &r->batch[i]);
    r->n = r->nargs = 0;
    return result == LOAD_DONE ? look_around(r) : result;
}

static struct waiting
command_of(const struct aof_in *in, struct resp_arg *argv)
{
    return (struct waiting){.request = {.argc = in->argc, .argv = argv}, .offset = in->offset, .end = in->end, .multi = in->multi};
}

/* One with more words than a batch has room for is run by itself, from the reader's words. */
static enum load_result
run_alone(struct replay *r)
{
    struct waiting one = command_of(&r->in, r->in.args);
    enum load_result result = run(r, &one);
    return result == LOAD_DONE ? look_around(r) : result;
}

/* Puts the command that was just read in the batch, which is run before it grows too large. */
static enum load_result
add(struct replay *r)
{
    unsigned argc = (unsigned)r->in.argc;
    bool full = r->n == EXEC_BATCH_MAX || argc > BATCH_ARGS - r->nargs;
    enum load_result result = full ? run_batch(r) : LOAD_DONE;
    if (result != LOAD_DONE)
        return result;
    if (argc > BATCH_ARGS)
        return run_alone(r);
    struct resp_arg *argv = &r->args[r->nargs];
    memcpy(argv, r->in.argv, argc * sizeof *argv);
    r->batch[r->n++] = command_of(&r->in, argv);
    r->nargs += argc;
    return LOAD_DONE;
}

/* ---- a file ------------------------------------------------------------------------------------------------------------------ */

/* The tail is not whole. A check is of a log that is written meanwhile, whose end has to be whole: nobody will cut it. */
static enum load_result
end_torn(struct replay *r, bool last)
{
    struct loader *l = r->l;
    const struct aof_in *in = &r->in;
    if (l->checks) {
        loading_fail(l->sh, "%s: byte %lu: %s; " LOADER_REMEDY_CHECK, r->f->path, (unsigned long)in->whole, in->error.text);
        return LOAD_FAILED;
    }
    if (!last) {
        loading_fail(l->sh, "%s: byte %lu: %s, but other files of the log follow it; " LOADER_REMEDY_CHECK, r->f->path, (unsigned long)in->whole,
            in->error.text);
        return LOAD_FAILED;
    }
    if (!config_yes(l->engine, PARAM_AOF_LOAD_TRUNCATED)) {
        loading_fail(l->sh, "%s: byte %lu: %s, and aof-load-truncated is no; make the file shorter with kvstash-cli check --fix, or say "
                            "aof-load-truncated yes", r->f->path, (unsigned long)in->whole, in->error.text);
        return LOAD_FAILED;
    }
    l->torn = true;
    l->torn_at = in->whole;
    snprintf(l->torn_path, sizeof l->torn_path, "%s", r->f->path);
    return LOAD_DONE;
}

static enum load_result
end_of_file(struct replay *r, enum aof_in_result how, bool last)
{
    struct loader *l = r->l;
    const struct aof_in *in = &r->in;
    if (in->annotated && in->groups)
        loader_saw_ticket(l, in->head.lineage, in->group.last);
    switch (how) {
    case AOF_IN_END:
        return LOAD_DONE;
    case AOF_IN_TORN:
        return end_torn(r, last);
    case AOF_IN_NO_MEMORY:
        loading_fail(l->sh, "%s: no memory to read a command at byte %lu; free memory", r->f->path, (unsigned long)in->at);
        return LOAD_FAILED;
    default:
        loading_fail(l->sh, "%s: byte %lu: %s; " LOADER_REMEDY_CHECK, r->f->path, (unsigned long)in->error.offset, in->error.text);
        return LOAD_FAILED;
    }
}

enum load_result
load_aof(struct loader *l, const struct load_file *f, bool last)
{
    static struct replay r; /* the process's only one; too large for the stack */
    enum load_result result = LOAD_DONE;
    enum aof_in_result got = AOF_IN_END;
    size_t from = 0;
    r = (struct replay){.l = l, .f = f};
    if (aof_in_is_rdb(f->bytes, f->n))
        result = load_rdb(l, f, true, &from);
    if (result != LOAD_DONE)
        return result;
    l->session.db = 0;
    aof_in_open(&r.in, f->bytes, f->n, from, 0);
    while (result == LOAD_DONE && (got = aof_in_next(&r.in)) == AOF_IN_COMMAND)
        result = add(&r);
    if (result == LOAD_DONE)
        result = run_batch(&r);
    if (result == LOAD_DONE)
        result = end_of_file(&r, got, last);
    aof_in_close(&r.in);
    return result;
}
