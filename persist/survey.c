/* survey.c - heads and ends of the files in a data directory (see survey.h).
 *
 * The idea: lineage and ticket stand at the front of an RDB file and of an increment, and the newest ticket of a log in its last whole
 * group. Groups carry checks of their own and can be found from anywhere, so the end is looked at in pieces that grow until one has a
 * group in it. Of a log's files each is looked at in order, and a later one's word counts. What a load would find wrong elsewhere is
 * the load's to tell.
 */
#include "persist/survey.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "format/aof_in.h"
#include "format/aof_manifest.h"
#include "format/rdb_in.h"
#include "persist/load_file.h"
#include "persist/loader.h"

#define TAIL_BYTES (1u << 20) /* of an increment, looked at first for its last group; then eight times as much, and so on */

__attribute__((format(printf, 2, 3))) static bool
cannot(struct survey_file *f, const char *format, ...)
{
    va_list ap;
    if (f->why[0])
        return false; /* the first thing counts */
    va_start(ap, format);
    vsnprintf(f->why, sizeof f->why, format, ap);
    va_end(ap);
    return false;
}

static void
saw(struct survey_file *f, const uint8_t lineage[16], uint64_t ticket)
{
    if (f->ours && memcmp(f->lineage, lineage, 16) == 0) {
        f->ticket = ticket > f->ticket ? ticket : f->ticket;
        return;
    }
    f->ours = true; /* what stands later in a log counts */
    memcpy(f->lineage, lineage, 16);
    f->ticket = ticket;
}

/* ---- RDB ----------------------------------------------------------------------------------------------------------------------- */

static bool
aux_is(const struct rdb_in *in, const char *name)
{
    return in->key.len == strlen(name) && memcmp(rdb_string_bytes(&in->key), name, in->key.len) == 0;
}

static void
look_at_rdb(struct survey_file *f, const struct load_file *file)
{
    struct rdb_in in;
    uint8_t lineage[16];
    uint64_t ticket = 0;
    bool has_lineage = false;
    enum rdb_in_item item = rdb_in_open(&in, file->bytes, file->n) ? RDB_IN_AUX : RDB_IN_WRONG;
    while (item != RDB_IN_WRONG && (item = rdb_in_next(&in)) == RDB_IN_AUX) {
        if (aux_is(&in, "kvstash-ticket"))
            ticket = loader_read_number(rdb_string_bytes(&in.value), in.value.len);
        else if (aux_is(&in, "kvstash-lineage") && in.value.len == 32)
            has_lineage = loader_read_lineage(rdb_string_bytes(&in.value), lineage);
    }
    rdb_in_close(&in);
    if (has_lineage)
        saw(f, lineage, ticket);
}

static bool
is_there(struct survey_file *f, mode_t *mode)
{
    struct stat st;
    if (stat(f->path, &st) == 0) {
        *mode = st.st_mode;
        f->there = true;
        f->bytes = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
        return true;
    }
    if (errno != ENOENT && errno != ENOTDIR)
        cannot(f, "%s: %s; let the server's user reach it", f->path, strerror(errno));
    return false;
}

static void
survey_rdb(struct survey_file *f)
{
    struct load_file file;
    mode_t mode;
    if (!is_there(f, &mode))
        return;
    if (S_ISDIR(mode)) {
        cannot(f, "%s is a directory, and dbfilename names it for the snapshot; move it away, or say another dbfilename", f->path);
    } else if (load_file_open(&file, f->path, f->why, sizeof f->why)) {
        look_at_rdb(f, &file);
        load_file_close(&file);
    }
}

/* ---- logs ------------------------------------------------------------------------------------------------------------------------ */

/* The last group that says a ticket, looked for from the end. */
static void
look_at_groups(struct survey_file *f, const struct load_file *file, const struct aof_head *head)
{
    struct aof_group group, last = {.last = head->first_ticket - 1};
    size_t tail = TAIL_BYTES;
    for (bool found = false; !found; tail *= 8) {
        size_t from = file->n > tail ? file->n - tail : 0;
        for (size_t at = from; at < file->n; at++) {
            at += aof_group_find(file->bytes + at, file->n - at, head, &group);
            if (at >= file->n)
                break;
            last = group;
            found = true;
        }
        found |= from == 0;
    }
    saw(f, head->lineage, last.last);
}

static void
look_at_aof(struct survey_file *f, const struct load_file *file)
{
    struct aof_line line;
    if (aof_in_is_rdb(file->bytes, file->n)) {
        look_at_rdb(f, file);
        return;
    }
    aof_line_read(&line, file->bytes, file->n, NULL);
    if (line.kind == AOF_LINE_HEAD)
        look_at_groups(f, file, &line.head);
}

static void
look_at_part(struct survey_file *f, const char *name)
{
    struct load_file file;
    char path[LOADING_PATH_MAX];
    const char *slash = strrchr(f->path, '/');
    if ((size_t)snprintf(path, sizeof path, "%.*s%s", slash ? (int)(slash - f->path) + 1 : 0, f->path, name) >= sizeof path) {
        cannot(f, "%s: its path is too long", name);
    } else if (load_file_open(&file, path, f->why, sizeof f->why)) {
        f->bytes += file.n;
        look_at_aof(f, &file);
        load_file_close(&file);
    }
}

static void
survey_log(struct survey_file *f)
{
    struct load_file file;
    struct aof_manifest m;
    struct aof_error error;
    mode_t mode;
    if (!is_there(f, &mode) || !load_file_open(&file, f->path, f->why, sizeof f->why))
        return;
    aof_manifest_init(&m);
    f->bytes = 0;
    if (aof_manifest_parse(&m, file.bytes, file.n, &error) != AOF_MANIFEST_OK)
        cannot(f, "%s: line %u: %s; correct the manifest (kvstash-cli check), or move the directory away", f->path, error.line, error.text);
    for (size_t i = 0; i < m.files && !f->why[0]; i++)
        if (m.file[i].type != AOF_FILE_HISTORY)
            look_at_part(f, m.file[i].name);
    aof_manifest_destroy(&m);
    load_file_close(&file);
}

static void
survey_log_old(struct survey_file *f)
{
    struct load_file file;
    mode_t mode;
    if (!is_there(f, &mode))
        return;
    if (!S_ISREG(mode)) {
        f->there = false; /* appendfilename is only the beginning of names */
    } else if (load_file_open(&file, f->path, f->why, sizeof f->why)) {
        look_at_aof(f, &file);
        load_file_close(&file);
    }
}

/* ---- the directory ----------------------------------------------------------------------------------------------------------------- */

/* Names the files. False: a path is too long. */
static bool
name_files(struct survey *s, const struct survey_names *n)
{
    int a = snprintf(s->rdb.path, sizeof s->rdb.path, "%s/%s", n->dir, n->dbfilename);
    int b = snprintf(s->log.path, sizeof s->log.path, "%s/%s/%s.manifest", n->dir, n->appenddirname, n->appendfilename);
    int c = snprintf(s->log_old.path, sizeof s->log_old.path, "%s/%s", n->dir, n->appendfilename);
    return a < (int)LOADING_PATH_MAX && b < (int)LOADING_PATH_MAX && c < (int)LOADING_PATH_MAX;
}

void
survey_take(struct survey *s, const struct survey_names *names)
{
    struct stat st;
    char dir[LOADING_PATH_MAX];
    memset(s, 0, sizeof *s);
    if (!name_files(s, names)) {
        cannot(&s->rdb, "the path of the data directory %.64s... is too long", names->dir);
        return;
    }
    snprintf(dir, sizeof dir, "%s/%s", names->dir, names->appenddirname);
    if (stat(dir, &st) == 0 && !S_ISDIR(st.st_mode))
        cannot(&s->log, "%s is no directory, and appenddirname names it for the append-only files; move it away, or say another "
                        "appenddirname", dir);
    survey_rdb(&s->rdb);
    if (!s->log.why[0])
        survey_log(&s->log);
    survey_log_old(&s->log_old);
}

static bool
ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), k = strlen(end);
    return n >= k && strcmp(text + n - k, end) == 0;
}

enum loading_source
survey_named(struct survey_file *f, const char *path, const char *appendfilename)
{
    struct load_file file;
    struct stat st;
    memset(f, 0, sizeof *f);
    bool dir = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
    int n = dir ? snprintf(f->path, sizeof f->path, "%s/%s.manifest", path, appendfilename) : snprintf(f->path, sizeof f->path, "%s", path);
    if (n >= (int)sizeof f->path)
        cannot(f, "%.64s...: the path is too long", path);
    if (f->why[0] || !load_file_open(&file, f->path, f->why, sizeof f->why))
        return LOADING_NOTHING;
    f->there = true;
    bool rdb = rdb_in_is_rdb(file.bytes, file.n);
    if (rdb && !ends_with(path, ".aof"))
        look_at_rdb(f, &file);
    f->bytes = file.n;
    load_file_close(&file);
    if (ends_with(f->path, ".manifest")) {
        survey_log(f);
        return f->why[0] ? LOADING_NOTHING : LOADING_AOF;
    }
    return rdb && !ends_with(path, ".aof") ? LOADING_RDB : LOADING_AOF_OLD;
}

/* ---- the old form becomes the new one ------------------------------------------------------------------------------------------------ */

/* Writes the manifest aside and puts it in its place. */
static bool
write_manifest(const char *path, const char *base)
{
    struct aof_manifest m;
    struct buf text;
    char aside[LOADING_PATH_MAX + 8];
    aof_manifest_init(&m);
    buf_init(&text);
    snprintf(aside, sizeof aside, "%s.new", path);
    bool ok = aof_manifest_add(&m, base, 1, AOF_FILE_BASE);
    aof_manifest_format(&m, &text);
    int fd = ok && !buf_failed(&text) ? open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644) : -1;
    ok = fd >= 0 && fd_write_all(fd, buf_head(&text), buf_pending(&text)) && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    ok = ok && rename(aside, path) == 0;
    aof_manifest_destroy(&m);
    buf_destroy(&text);
    return ok;
}

bool
survey_upgrade(struct survey *s, const struct survey_names *names, char why[SURVEY_WHY_MAX])
{
    char dir[LOADING_PATH_MAX + 8], to[2 * LOADING_PATH_MAX];
    snprintf(dir, sizeof dir, "%s/%s", names->dir, names->appenddirname);
    snprintf(to, sizeof to, "%s/%s", dir, names->appendfilename);
    errno = 0;
    bool ok = mkdir(dir, 0755) == 0 || errno == EEXIST;
    ok = ok && write_manifest(s->log.path, names->appendfilename) && fd_sync_directory(dir);
    ok = ok && rename(s->log_old.path, to) == 0 && fd_sync_directory(dir) && fd_sync_directory(names->dir);
    if (!ok)
        snprintf(why, SURVEY_WHY_MAX, "%s cannot become the base of a log in %s: %s; give the directory room and its owner", s->log_old.path, dir,
            strerror(errno));
    s->log.there |= ok;
    return ok;
}
