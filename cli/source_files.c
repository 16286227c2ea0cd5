/* source_files.c - items out of RDB files, append-only files and manifests (see source.h).
 *
 * A source is a row of files, read one after the other: a manifest's base and increments, or one file alone. In each the RDB in front
 * comes first, if there is one, then commands. A place counts bytes over all files.
 *
 * An RDB's checksum is compared before its first key is handed out. A torn tail of the last file ends the source with a warning,
 * as servers take it.
 */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli/check.h"
#include "cli/file_map.h"
#include "cli/source.h"
#include "format/aof_in.h"
#include "format/aof_manifest.h"
#include "format/rdb_in.h"

enum phase { PHASE_OPEN, PHASE_RDB, PHASE_COMMANDS };

struct part {
    char path[PATH_MAX];
    struct file_map map;
    uint64_t before; /* bytes of the files in front */
};

struct files {
    struct source source; /* first */
    struct part *part;    /* owned */
    size_t parts, at;     /* at: which one is read */
    enum phase phase;
    bool trust, gave_up;
    uint64_t db;          /* of the commands, over all files */
    struct rdb_in rdb;
    struct aof_in aof;
};

static enum source_result
fail(struct files *f, uint64_t offset, const char *what)
{
    snprintf(f->source.error, SOURCE_ERROR_MAX, "%.300s: offset %" PRIu64 ": %.400s", f->part[f->at].path, offset, what);
    return SOURCE_FAILED;
}

/* ---- an RDB ----------------------------------------------------------------------------------------------------------------- */

static enum source_result
rdb_failed(struct files *f)
{
    struct buf text;
    buf_init(&text);
    rdb_in_complain(&f->rdb, &text);
    snprintf(f->source.error, SOURCE_ERROR_MAX, "%.300s: %.*s", f->part[f->at].path, (int)buf_pending(&text),
             buf_failed(&text) ? "" : buf_head(&text));
    buf_destroy(&text);
    return SOURCE_FAILED;
}

/* Runs over the RDB once, for its end and its checksum. */
static enum source_result
judge_rdb(struct files *f, const struct file_map *m)
{
    enum rdb_in_item item = rdb_in_open(&f->rdb, m->bytes, m->n) ? RDB_IN_AUX : RDB_IN_WRONG;
    while (item != RDB_IN_END && item != RDB_IN_WRONG)
        item = rdb_in_next(&f->rdb);
    bool fits = item == RDB_IN_END && rdb_in_sum_fits(&f->rdb);
    enum source_result result = SOURCE_ITEM;
    if (!fits && f->trust)
        snprintf(f->source.warning, SOURCE_ERROR_MAX, "%.300s: the RDB is damaged: what could be read of it may be wrong", f->part[f->at].path);
    else if (item == RDB_IN_WRONG)
        result = rdb_failed(f);
    else if (!fits)
        result = fail(f, f->rdb.summed, "the RDB's checksum does not fit: some byte in front of it is wrong. See kvstash-cli check; export --from "
                      "reads it all the same");
    rdb_in_close(&f->rdb);
    return result;
}

static void
give_key(struct files *f, struct item *item)
{
    const struct rdb_in *in = &f->rdb;
    *item = (struct item){ .kind = ITEM_KEY, .db = in->db, .expires_ms = in->expires_ms, .form = in->type };
    item->key = (struct resp_arg){ .data = rdb_string_bytes(&in->key), .len = in->key.len };
    item->value = (struct resp_arg){ .data = (const char *)in->r.bytes + in->from, .len = in->to - in->from };
    item->place = f->part[f->at].before + in->to;
}

static void
give_function(struct files *f, struct item *item)
{
    *item = (struct item){ .kind = ITEM_FUNCTION, .expires_ms = -1 };
    item->value = (struct resp_arg){ .data = rdb_string_bytes(&f->rdb.value), .len = f->rdb.value.len };
    item->place = f->part[f->at].before + f->rdb.r.at;
}

/* What follows the damage is left out. */
static enum source_result
give_up(struct files *f)
{
    rdb_failed(f);
    memcpy(f->source.warning, f->source.error, sizeof f->source.warning);
    f->gave_up = true;
    return SOURCE_END;
}

/* The next item of the RDB; SOURCE_END: commands follow. */
static enum source_result
next_of_rdb(struct files *f, struct item *item)
{
    for (;;) {
        switch (rdb_in_next(&f->rdb)) {
        case RDB_IN_WRONG:
            return f->trust ? give_up(f) : rdb_failed(f);
        case RDB_IN_END:
            return SOURCE_END;
        case RDB_IN_KEY:
            give_key(f, item);
            return SOURCE_ITEM;
        case RDB_IN_FUNCTION:
            give_function(f, item);
            return SOURCE_ITEM;
        default:
            break;
        }
    }
}

/* ---- commands ----------------------------------------------------------------------------------------------------------------- */

static bool
is_select(const struct aof_in *in)
{
    return in->argc == 2 && in->argv[0].len == 6 && strncasecmp(in->argv[0].data, "select", 6) == 0;
}

/* The torn tail of the last file is given up, as a server does. */
static enum source_result
end_commands(struct files *f, enum aof_in_result result)
{
    const struct part *p = &f->part[f->at];
    if (result == AOF_IN_END)
        return SOURCE_END;
    if (result == AOF_IN_NO_MEMORY)
        return fail(f, f->aof.at, "out of memory for the words of a command");
    if (result == AOF_IN_BAD || f->at + 1 < f->parts)
        return fail(f, f->aof.error.offset, f->aof.error.text);
    snprintf(f->source.warning, SOURCE_ERROR_MAX, "%.300s: the tail of %zu bytes from offset %zu on is torn, and was left out", p->path,
             p->map.n - f->aof.whole, f->aof.whole);
    return SOURCE_END;
}

static enum source_result
next_of_commands(struct files *f, struct item *item)
{
    enum aof_in_result result;
    while ((result = aof_in_next(&f->aof)) == AOF_IN_COMMAND) {
        int64_t db;
        if (is_select(&f->aof)) {
            if (!decimal_read(f->aof.argv[1].data, f->aof.argv[1].len, &db) || db < 0)
                return fail(f, f->aof.offset, "SELECT of what is no database");
            f->db = (uint64_t)db;
            continue;
        }
        *item = (struct item){ .kind = ITEM_COMMAND, .db = f->db, .expires_ms = -1, .multi = f->aof.multi };
        item->argc = f->aof.argc;
        item->argv = f->aof.argv;
        item->place = f->part[f->at].before + f->aof.end;
        return SOURCE_ITEM;
    }
    return end_commands(f, result);
}

/* ---- all files ------------------------------------------------------------------------------------------------------------------ */

static void
begin_commands(struct files *f, size_t from)
{
    const struct file_map *m = &f->part[f->at].map;
    aof_in_open(&f->aof, m->bytes, m->n, from, 0);
    f->phase = PHASE_COMMANDS;
}

static enum source_result
begin_part(struct files *f)
{
    const struct file_map *m = &f->part[f->at].map;
    if (!aof_in_is_rdb(m->bytes, m->n)) {
        begin_commands(f, 0);
        return SOURCE_ITEM;
    }
    enum source_result result = judge_rdb(f, m);
    if (result == SOURCE_ITEM) {
        f->phase = PHASE_RDB;
        if (!rdb_in_open(&f->rdb, m->bytes, m->n))
            result = rdb_failed(f);
    }
    return result;
}

static enum source_result
step(struct files *f, struct item *item, bool *given)
{
    enum source_result result;
    switch (f->phase) {
    case PHASE_OPEN:
        return begin_part(f);
    case PHASE_RDB:
        result = next_of_rdb(f, item);
        *given = result == SOURCE_ITEM;
        if (result == SOURCE_END && !f->gave_up) {
            size_t end = f->rdb.r.at;
            rdb_in_close(&f->rdb);
            begin_commands(f, end);
            return SOURCE_ITEM;
        }
        return result;
    case PHASE_COMMANDS:
        result = next_of_commands(f, item);
        *given = result == SOURCE_ITEM;
        if (result != SOURCE_END)
            return result;
        aof_in_close(&f->aof);
        f->phase = PHASE_OPEN;
        f->at++;
        return SOURCE_ITEM;
    }
    return SOURCE_FAILED;
}

static enum source_result
files_next(struct source *s, struct item *item)
{
    struct files *f = (struct files *)s;
    bool given = false;
    enum source_result result = SOURCE_ITEM;
    while (result == SOURCE_ITEM && !given) {
        if (f->at == f->parts || f->gave_up)
            return SOURCE_END;
        result = step(f, item, &given);
    }
    return result;
}

static void
files_close(struct source *s)
{
    struct files *f = (struct files *)s;
    if (f->phase == PHASE_RDB)
        rdb_in_close(&f->rdb);
    if (f->phase == PHASE_COMMANDS)
        aof_in_close(&f->aof);
    for (size_t i = 0; i < f->parts; i++)
        file_map_close(&f->part[i].map);
    free(f->part);
    free(f);
}

/* ---- opening ---------------------------------------------------------------------------------------------------------------------- */

static bool
add_part(struct files *f, const char *path, char *error)
{
    struct part *part = realloc(f->part, (f->parts + 1) * sizeof *part);
    if (part == NULL) {
        snprintf(error, SOURCE_ERROR_MAX, "out of memory");
        return false;
    }
    f->part = part;
    part += f->parts;
    snprintf(part->path, sizeof part->path, "%s", path);
    if (!file_map_open(&part->map, path, error))
        return false;
    f->parts++;
    part->before = f->source.total;
    f->source.total += part->map.n;
    f->source.fingerprint = f->source.fingerprint * 31 + source_fingerprint(&part->map);
    return true;
}

static bool
add_listed(struct files *f, const char *manifest, const char *name, char *error)
{
    char path[PATH_MAX];
    const char *slash = strrchr(manifest, '/');
    snprintf(path, sizeof path, "%.*s%s", slash == NULL ? 0 : (int)(slash + 1 - manifest), manifest, name);
    return add_part(f, path, error);
}

static bool
add_manifest(struct files *f, const char *path, const struct file_map *map, char *error)
{
    struct aof_manifest m;
    struct aof_error e = { .text = "out of memory" };
    aof_manifest_init(&m);
    if (aof_manifest_parse(&m, map->bytes, map->n, &e) != AOF_MANIFEST_OK) {
        snprintf(error, SOURCE_ERROR_MAX, "%.300s: line %u: %s; see kvstash-cli check", path, e.line, e.text);
        return false;
    }
    const struct aof_file *base = aof_manifest_base(&m);
    bool ok = base == NULL || add_listed(f, path, base->name, error);
    for (size_t i = 0; ok && i < m.files; i++)
        if (m.file[i].type == AOF_FILE_INCREMENT)
            ok = add_listed(f, path, m.file[i].name, error);
    aof_manifest_destroy(&m);
    return ok;
}

struct source *
source_files_open(const char *path, bool trust, char *error)
{
    struct file_map map;
    struct files *f = calloc(1, sizeof *f);
    if (f == NULL) {
        snprintf(error, SOURCE_ERROR_MAX, "out of memory");
        return NULL;
    }
    f->source = (struct source){ .next = files_next, .close = files_close, .unit = PROGRESS_BYTES };
    f->trust = trust;
    bool ok = file_map_open(&map, path, error);
    if (ok) {
        ok = check_is_manifest(path, &map) ? add_manifest(f, path, &map, error) : add_part(f, path, error);
        file_map_close(&map);
    }
    if (ok)
        return &f->source;
    files_close(&f->source);
    return NULL;
}
