/* sink_rdb.c - export into an RDB, and into a log of Redis 7 (see sink.h).
 *
 * Values are copied as their source had them. Version 10 is written, Redis 7.0's: forms that it does not know are refused.
 *
 * A log is a directory with a base (all keys) and, if the source has commands, an increment behind it. It is made under another name
 * and gets its own when it is whole.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/out_file.h"
#include "cli/sink.h"
#include "format/aof_manifest.h"
#include "format/rdb_form.h"
#include "format/rdb_out.h"

#define LARGE_BYTES 65536u
#define PREFIX "appendonly.aof"

/* ---- an RDB ----------------------------------------------------------------------------------------------------------------------- */

struct rdb {
    struct sink sink; /* first */
    struct out_file out;
    int64_t db;       /* -1: none yet */
};

static void
put_db(struct buf *out, struct rdb *r, uint64_t db)
{
    if (r->db == (int64_t)db)
        return;
    r->db = (int64_t)db;
    rdb_out_byte(out, RDB_OP_SELECTDB);
    rdb_out_length(out, db);
}

static void
put_key(struct rdb *r, const struct item *item)
{
    struct buf *out = &r->out.buf;
    put_db(out, r, item->db);
    if (item->expires_ms >= 0)
        rdb_out_expiry(out, item->expires_ms);
    rdb_out_byte(out, item->form);
    rdb_out_string(out, item->key.data, item->key.len, false);
    if (item->value.len < LARGE_BYTES)
        buf_append(out, item->value.data, item->value.len);
    else if (out_file_flush(&r->out, true))
        out_file_write(&r->out, item->value.data, item->value.len);
}

/* Redis 7.0 knows the forms up to this one. */
static bool
form_is_written(unsigned form)
{
    return form <= RDB_FORM_STREAM_LISTPACKS_2;
}

static enum sink_result
rdb_put(struct sink *s, const struct item *item)
{
    struct rdb *r = (struct rdb *)s;
    if (item->kind == ITEM_COMMAND) {
        snprintf(s->error, SINK_ERROR_MAX, "a command of a log has no place in an RDB: let a server load the log, and export from there");
        return SINK_REFUSED;
    }
    if (item->kind == ITEM_KEY && !form_is_written(item->form)) {
        snprintf(s->error, SINK_ERROR_MAX, "its encoding (%u) is newer than RDB version 10, which is written: use json or resp", item->form);
        return SINK_REFUSED;
    }
    if (item->kind == ITEM_KEY) {
        put_key(r, item);
    } else {
        rdb_out_byte(&r->out.buf, RDB_OP_FUNCTION2);
        rdb_out_string(&r->out.buf, item->value.data, item->value.len, true);
    }
    if (out_file_flush(&r->out, false))
        return SINK_TAKEN;
    snprintf(s->error, SINK_ERROR_MAX, "%s", r->out.error);
    return SINK_FAILED;
}

static bool
rdb_finish(struct sink *s)
{
    struct rdb *r = (struct rdb *)s;
    rdb_out_end(&r->out.buf);
    bool ok = out_file_flush(&r->out, true);
    rdb_out_sum(&r->out.buf, r->out.crc);
    ok = out_file_commit(&r->out) && ok;
    if (!ok)
        snprintf(s->error, SINK_ERROR_MAX, "%s", r->out.error);
    free(r);
    return ok;
}

static void
rdb_abandon(struct sink *s)
{
    struct rdb *r = (struct rdb *)s;
    out_file_abandon(&r->out);
    free(r);
}

struct sink *
sink_rdb_open(const char *path, bool aof_base, char *error)
{
    struct rdb *r = calloc(1, sizeof *r);
    if (r == NULL) {
        snprintf(error, SINK_ERROR_MAX, "out of memory");
        return NULL;
    }
    r->sink = (struct sink){ .put = rdb_put, .finish = rdb_finish, .abandon = rdb_abandon, .error = error };
    r->db = -1;
    if (!out_file_open(&r->out, path)) {
        snprintf(error, SINK_ERROR_MAX, "%s", r->out.error);
        rdb_abandon(&r->sink);
        return NULL;
    }
    r->out.sum = true;
    rdb_out_header(&r->out.buf);
    rdb_out_aux(&r->out.buf, "redis-ver", "7.0.15");
    rdb_out_aux_int(&r->out.buf, "redis-bits", 64);
    rdb_out_aux_int(&r->out.buf, "ctime", (int64_t)time(NULL));
    rdb_out_aux_int(&r->out.buf, "aof-base", aof_base);
    return &r->sink;
}

/* ---- a log ------------------------------------------------------------------------------------------------------------------------ */

struct log {
    struct sink sink; /* first */
    char path[PATH_MAX], aside[PATH_MAX];
    struct sink *base, *increment; /* increment: NULL until a command comes */
};

static void
name_file(char path[PATH_MAX], const struct log *l, const char *rest)
{
    snprintf(path, PATH_MAX, "%.*s/" PREFIX "%s", PATH_MAX - 64, l->aside, rest);
}

static enum sink_result
log_put(struct sink *s, const struct item *item)
{
    struct log *l = (struct log *)s;
    char path[PATH_MAX];
    if (item->kind != ITEM_COMMAND && l->increment == NULL)
        return l->base->put(l->base, item);
    if (l->increment == NULL) {
        name_file(path, l, ".1.incr.aof");
        l->increment = sink_resp_open(path, s->error);
    }
    return l->increment == NULL ? SINK_FAILED : l->increment->put(l->increment, item);
}

static bool
write_manifest(const struct log *l, bool increment, char *error)
{
    struct aof_manifest m;
    struct buf text;
    char path[PATH_MAX];
    aof_manifest_init(&m);
    buf_init(&text);
    bool ok = aof_manifest_add(&m, PREFIX ".1.base.rdb", 1, AOF_FILE_BASE) &&
              (!increment || aof_manifest_add(&m, PREFIX ".1.incr.aof", 1, AOF_FILE_INCREMENT));
    aof_manifest_format(&m, &text);
    ok = ok && !buf_failed(&text);
    if (!ok)
        snprintf(error, SINK_ERROR_MAX, "out of memory for the manifest");
    name_file(path, l, ".manifest");
    ok = ok && file_create(path, buf_head(&text), buf_pending(&text), error);
    buf_destroy(&text);
    aof_manifest_destroy(&m);
    return ok;
}

/* Takes what was made away again. */
static void
remove_files(const struct log *l)
{
    static const char *const rest[] = { ".1.base.rdb", ".1.incr.aof", ".manifest" };
    char path[PATH_MAX];
    for (size_t i = 0; i < sizeof rest / sizeof rest[0]; i++) {
        name_file(path, l, rest[i]);
        unlink(path);
    }
    rmdir(l->aside);
}

static void
log_abandon(struct sink *s)
{
    struct log *l = (struct log *)s;
    if (l->base != NULL)
        l->base->abandon(l->base);
    if (l->increment != NULL)
        l->increment->abandon(l->increment);
    remove_files(l);
    free(l);
}

static bool
log_finish(struct sink *s)
{
    struct log *l = (struct log *)s;
    bool increment = l->increment != NULL;
    bool ok = l->base->finish(l->base);
    l->base = NULL;
    if (increment)
        ok = l->increment->finish(l->increment) && ok;
    l->increment = NULL;
    ok = ok && write_manifest(l, increment, s->error);
    if (ok && (rename(l->aside, l->path) != 0 || !fd_sync_parent(l->path))) {
        snprintf(s->error, SINK_ERROR_MAX, "%.300s: cannot be put in place: %s", l->path, strerror(errno));
        ok = false;
    }
    if (!ok) {
        log_abandon(s);
        return false;
    }
    free(l);
    return true;
}

struct sink *
sink_aof_open(const char *path, char *error)
{
    char base[PATH_MAX];
    struct log *l = calloc(1, sizeof *l);
    if (l == NULL) {
        snprintf(error, SINK_ERROR_MAX, "out of memory");
        return NULL;
    }
    l->sink = (struct sink){ .put = log_put, .finish = log_finish, .abandon = log_abandon, .error = error };
    snprintf(l->path, sizeof l->path, "%s", path);
    snprintf(l->aside, sizeof l->aside, "%.*s.new-%d", PATH_MAX - 32, path, (int)getpid());
    if (access(path, F_OK) == 0 || mkdir(l->aside, 0777) != 0) {
        snprintf(error, SINK_ERROR_MAX, "%.300s: %s", path, access(path, F_OK) == 0 ? "is there already: a log is written into a new directory"
                                                                                    : strerror(errno));
        free(l);
        return NULL;
    }
    name_file(base, l, ".1.base.rdb");
    l->base = sink_rdb_open(base, true, error);
    if (l->base != NULL)
        return &l->sink;
    log_abandon(&l->sink);
    return NULL;
}
