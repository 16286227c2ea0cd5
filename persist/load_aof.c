/* load_aof.c - commands of append-only files, run again (see load_aof.h).
 *
 * A command is run by the loader that owns the shard of its keys; keys of several owners, or a command over everything, bring the loaders
 * together. MULTI and EXEC do not: the reader hands out only transactions whose end is there, and nobody looks on meanwhile, so
 * each loader runs what is its own of them. SELECT is each loader's own. As in Redis nothing expires while the log is run
 * again, what a command answers is thrown away, and errors are told in the log but end nothing.
 */
#include "persist/load_aof.h"

#include <stdio.h>
#include <strings.h>

#include "base/log.h"
#include "command/cmd.h"
#include "command/control.h"
#include "command/exec.h"
#include "format/aof_in.h"
#include "persist/load_rdb.h"

#define TOLD_EVERY 256u   /* commands between two looks at the others, and at what is to be freed */
#define ERRORS_TOLD 10u   /* that are told one by one */
#define NAME_SHOWN 64

struct replay {
    struct loader *l;
    const struct load_file *f;
    struct aof_in in;
};

/* ---- one command ------------------------------------------------------------------------------------------------------------ */

static enum load_result
refuse(struct replay *r, const char *what)
{
    const struct aof_in *in = &r->in;
    loading_fail(r->l->sh, "%s: byte %lu: '%.*s' %s; " LOADER_REMEDY_CHECK, r->f->path, (unsigned long)in->offset,
        (int)(in->argv[0].len < NAME_SHOWN ? in->argv[0].len : NAME_SHOWN), in->argv[0].data, what);
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
    const char *reply = buf_head(&l->replies);
    size_t n = buf_pending(&l->replies);
    if (n == 0 || reply[0] != '-' || l->errors++ >= ERRORS_TOLD)
        return;
    log_warning("%s: byte %lu: '%.*s' was answered with an error, %.*s%s", r->f->path, (unsigned long)r->in.offset,
        (int)(r->in.argv[0].len < NAME_SHOWN ? r->in.argv[0].len : NAME_SHOWN), r->in.argv[0].data, (int)(n > 202 ? 200 : n - 3), reply + 1,
        l->errors == ERRORS_TOLD ? "; further ones are not told" : "");
}

static enum load_result
run_now(struct replay *r, struct cmd *c)
{
    struct loader *l = r->l;
    struct shm_tx *tx = &l->engine->tx;
    enum exec_result result = exec_replay(c);
    if (tx->want == SHM_WANT_LIMIT || tx->want == SHM_WANT_HEAP || buf_failed(&l->replies)) {
        loading_fail(l->sh, "%s: byte %lu: out of memory; give the region (region-size, /dev/shm, control group) or the machine more", r->f->path,
            (unsigned long)r->in.offset);
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
    if (!loader_meet(r->l, parts, r->in.offset, &mine))
        return LOAD_ANEW;
    if (!mine)
        return LOAD_DONE;
    enum load_result result = run_now(r, c);
    loader_met(r->l, r->in.offset);
    return result;
}

static enum load_result
run_command(struct replay *r)
{
    struct loader *l = r->l;
    const struct aof_in *in = &r->in;
    struct resp_out out = {.buf = &l->replies, .version = 2};
    struct cmd c;
    if (in->multi && (is_word(&in->argv[0], "multi", 5) || is_word(&in->argv[0], "exec", 4)))
        return LOAD_DONE;
    switch (exec_replay_open(&c, l->engine, &l->session, in->argc, in->argv, &out)) {
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
    struct replay r = {.l = l, .f = f};
    enum load_result result = LOAD_DONE;
    enum aof_in_result got = AOF_IN_END;
    size_t from = 0;
    if (aof_in_is_rdb(f->bytes, f->n))
        result = load_rdb(l, f, true, &from);
    if (result != LOAD_DONE)
        return result;
    l->session.db = 0;
    aof_in_open(&r.in, f->bytes, f->n, from, 0);
    while (result == LOAD_DONE && (got = aof_in_next(&r.in)) == AOF_IN_COMMAND) {
        result = run_command(&r);
        if (r.in.commands % TOLD_EVERY)
            continue;
        loader_at(l, r.in.end);
        shm_region_progress(l->engine->region);
        if (!l->checks)
            loader_reclaim(l);
        if (loader_given_up(l))
            result = LOAD_ANEW;
    }
    if (result == LOAD_DONE)
        result = end_of_file(&r, got, last);
    aof_in_close(&r.in);
    return result;
}
