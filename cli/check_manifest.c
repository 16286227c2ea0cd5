/* check_manifest.c - kvstash-cli check: manifests, and the files that they name (see check.h).
 *
 * A manifest that cannot be read can be made anew where nothing has to be guessed: its lines are right and only its seal is not; or
 * the directory holds one base at most, increments whose numbers follow each other, and nothing else of that name.
 */
#include <dirent.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/check.h"
#include "format/aof_manifest.h"

#define MANIFEST_END ".manifest"

static bool
ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), e = strlen(end);
    return n >= e && strcmp(text + n - e, end) == 0;
}

bool
check_is_manifest(const char *path, const struct file_map *m)
{
    static const char word[] = "file ";
    const char *at = m->bytes, *end = m->bytes + m->n;
    if (ends_with(path, MANIFEST_END))
        return true;
    while (at < end && *at == '#') {
        const char *eol = memchr(at, '\n', (size_t)(end - at));
        at = eol == NULL ? end : eol + 1;
    }
    return (size_t)(end - at) >= sizeof word - 1 && memcmp(at, word, sizeof word - 1) == 0;
}

/* The path of a file beside the manifest. */
static void
beside(const char *manifest, const char *name, char path[PATH_MAX])
{
    const char *slash = strrchr(manifest, '/');
    snprintf(path, PATH_MAX, "%.*s%s", slash == NULL ? 0 : (int)(slash + 1 - manifest), manifest, name);
}

/* ---- the files ------------------------------------------------------------------------------------------------------------ */

static const char *
kind_of(const struct aof_file *f)
{
    return f->type == AOF_FILE_BASE ? "base" : f->type == AOF_FILE_INCREMENT ? "increment" : "history";
}

static void
check_listed(struct check *c, const char *manifest, const struct aof_file *f, bool last)
{
    char path[PATH_MAX];
    beside(manifest, f->name, path);
    if (access(path, F_OK) != 0)
        check_wrong(c, path, "the %s with number %lld is missing; what is in it is lost, unless the file is found", kind_of(f),
                    (long long)f->sequence);
    else
        check_data(c, path, last);
}

/* Base, then increments, as they are loaded. History is not read by anybody. */
static void
check_listed_all(struct check *c, const char *manifest, const struct aof_manifest *m)
{
    const struct aof_file *base = aof_manifest_base(m), *last = aof_manifest_last_increment(m);
    size_t history = 0;
    if (base != NULL)
        check_listed(c, manifest, base, last == NULL);
    for (size_t i = 0; i < m->files; i++) {
        if (m->file[i].type == AOF_FILE_INCREMENT)
            check_listed(c, manifest, &m->file[i], &m->file[i] == last);
        history += m->file[i].type == AOF_FILE_HISTORY;
    }
    if (history > 0)
        check_say(manifest, "%zu files are history: no longer needed, the server deletes them", history);
}

/* ---- making a manifest anew ----------------------------------------------------------------------------------------------- */

/* What the directory holds. */
struct found {
    struct aof_manifest m;
    size_t bases;
    char prefix[AOF_NAME_MAX + 1];
};

static int
by_sequence(const void *a, const void *b)
{
    const struct aof_file *x = a, *y = b;
    return (x->sequence > y->sequence) - (x->sequence < y->sequence);
}

/* Takes the name if it is of one of the prefix's files. */
static bool
find_name(struct found *f, const char *name)
{
    char want[AOF_NAME_MAX + 1];
    size_t n = strlen(f->prefix);
    if (strncmp(name, f->prefix, n) != 0 || name[n] != '.')
        return true;
    long long sequence = strtoll(name + n + 1, NULL, 10);
    if (sequence <= 0)
        return true;
    for (int rdb = 0; rdb < 2; rdb++) {
        if (aof_name_base(want, f->prefix, sequence, rdb) && strcmp(want, name) == 0) {
            f->bases++;
            return aof_manifest_add(&f->m, name, sequence, AOF_FILE_BASE);
        }
    }
    if (aof_name_increment(want, f->prefix, sequence) && strcmp(want, name) == 0)
        return aof_manifest_add(&f->m, name, sequence, AOF_FILE_INCREMENT);
    return true;
}

/* Is there one way only to make a manifest of them? */
static bool
is_plain(const struct found *f)
{
    int64_t before = 0;
    if (f->bases > 1 || f->m.files == 0)
        return false;
    for (size_t i = 0; i < f->m.files; i++) {
        if (f->m.file[i].type != AOF_FILE_INCREMENT)
            continue;
        if (before != 0 && f->m.file[i].sequence != before + 1)
            return false;
        before = f->m.file[i].sequence;
    }
    return true;
}

static bool
find_files(struct found *f, const char *manifest)
{
    char copy[PATH_MAX];
    const char *name = strrchr(manifest, '/') == NULL ? manifest : strrchr(manifest, '/') + 1;
    bool ok = true;
    if (!ends_with(name, MANIFEST_END) || strlen(name) > AOF_NAME_MAX)
        return false;
    snprintf(f->prefix, sizeof f->prefix, "%.*s", (int)(strlen(name) - strlen(MANIFEST_END)), name);
    snprintf(copy, sizeof copy, "%s", manifest);
    DIR *dir = opendir(dirname(copy));
    if (dir == NULL)
        return false;
    for (const struct dirent *d; ok && (d = readdir(dir)) != NULL;)
        ok = find_name(f, d->d_name);
    closedir(dir);
    if (f->m.files > 0)
        qsort(f->m.file, f->m.files, sizeof *f->m.file, by_sequence);
    return ok && is_plain(f);
}

/* The manifest from its own lines without the seal, or from the directory; tells from which. */
static bool
rescue(struct aof_manifest *m, const char *path, const struct file_map *map)
{
    struct found f = { 0 };
    struct aof_error e;
    const char *eol = map->n > 0 && *map->bytes == '#' ? memchr(map->bytes, '\n', map->n) : NULL;
    size_t skip = eol == NULL ? 0 : (size_t)(eol + 1 - map->bytes);
    if (skip > 0 && aof_manifest_parse(m, map->bytes + skip, map->n - skip, &e) == AOF_MANIFEST_OK) {
        check_say(path, "its lines can be read without the checksum: look whether they are as they should be");
    } else if (find_files(&f, path)) {
        *m = f.m;
        check_say(path, "the files of its directory fit together without it");
    } else {
        aof_manifest_destroy(&f.m);
        check_say(path, "it cannot be made anew: the directory holds no files of its name, several bases, or increments with gaps");
        return false;
    }
    for (size_t i = 0; i < m->files; i++)
        check_say(path, "  %s %s", kind_of(&m->file[i]), m->file[i].name);
    return true;
}

/* Writes the manifest; the old one stays beside it. */
static void
rewrite(struct check *c, const char *path, const struct aof_manifest *m, const struct file_map *old)
{
    char kept[PATH_MAX], error[FILE_MAP_ERROR_MAX];
    struct buf text;
    snprintf(kept, sizeof kept, "%.*s.was-%lld", PATH_MAX - 32, path, (long long)getpid());
    if (!check_may(c, path, "write it anew like this, and keep the old one in %s", kept))
        return;
    buf_init(&text);
    aof_manifest_format(m, &text);
    bool ok = !buf_failed(&text) && file_create(kept, old->bytes, old->n, error) &&
              file_replace(path, buf_head(&text), buf_pending(&text), error);
    if (buf_failed(&text))
        snprintf(error, sizeof error, "%.300s: out of memory", path);
    buf_destroy(&text);
    if (!ok) {
        check_unreadable(c, error);
        return;
    }
    check_say(path, "written anew");
    c->status = CHECK_WHOLE;
}

void
check_manifest(struct check *c, const char *path, const struct file_map *map)
{
    struct aof_manifest m;
    struct aof_error e;
    aof_manifest_init(&m);
    enum aof_manifest_result result = aof_manifest_parse(&m, map->bytes, map->n, &e);
    if (result == AOF_MANIFEST_NO_MEMORY) {
        check_unreadable(c, "out of memory for the manifest");
        return;
    }
    bool ok = result == AOF_MANIFEST_OK;
    if (ok) {
        check_say(path, "manifest of %zu files%s", m.files, m.sealed ? ", its checksum is right" : "");
    } else {
        check_wrong(c, path, "line %u, offset %llu: %s", e.line, (unsigned long long)e.offset, e.text);
        ok = rescue(&m, path, map);
        if (ok)
            rewrite(c, path, &m, map);
    }
    if (ok)
        check_listed_all(c, path, &m);
    aof_manifest_destroy(&m);
}
