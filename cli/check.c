/* check.c - kvstash-cli check (see check.h): the tool, and files of data. Manifests are in check_manifest.c. */
#include "cli/check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/check_rdb.h"
#include "cli/plain.h"
#include "cli/progress.h"

#define MANIFEST_END ".manifest"

/* ---- what is told ------------------------------------------------------------------------------------------------------- */

void
check_say(const char *path, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    plain_printf(stdout, "%s: ", path);
    plain_vprintf(stdout, format, ap);
    putchar('\n');
    va_end(ap);
}

void
check_wrong(struct check *c, const char *path, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    plain_printf(stdout, "%s: ", path);
    plain_vprintf(stdout, format, ap);
    putchar('\n');
    va_end(ap);
    if (c->status < CHECK_WRONG)
        c->status = CHECK_WRONG;
}

void
check_unreadable(struct check *c, const char *error)
{
    fflush(stdout);
    plain_printf(stderr, "kvstash-cli: %s\n", error);
    c->status = CHECK_UNREADABLE;
}

bool
check_may(const struct check *c, const char *path, const char *format, ...)
{
    char answer[16] = "";
    va_list ap;
    if (!c->o->fix)
        return false;
    va_start(ap, format);
    plain_printf(stdout, "%s: ", path);
    plain_vprintf(stdout, format, ap);
    va_end(ap);
    if (c->o->yes) {
        puts(" (--yes)");
        return true;
    }
    fputs("? [y/N] ", stdout);
    fflush(stdout);
    if (fgets(answer, sizeof answer, stdin) == NULL)
        putchar('\n');
    return answer[0] == 'y' || answer[0] == 'Y';
}

/* ---- cutting ------------------------------------------------------------------------------------------------------------ */

static bool
cut(const char *path, size_t to, char *error)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool ok = fd >= 0 && ftruncate(fd, (off_t)to) == 0 && fsync(fd) == 0;
    if (!ok)
        snprintf(error, FILE_MAP_ERROR_MAX, "%.300s: cannot be cut: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return ok;
}

/* Cuts the file at `whole`; what is cut off goes into a file of its own first. True: done. */
static bool
fix_tail(struct check *c, const char *path, const struct file_map *m, size_t whole)
{
    char kept[PATH_MAX], error[FILE_MAP_ERROR_MAX];
    snprintf(kept, sizeof kept, "%.*s.cut-at-%zu", PATH_MAX - 32, path, whole);
    if (!check_may(c, path, "cut %zu bytes from offset %zu on, and keep them in %s", m->n - whole, whole, kept))
        return false;
    if (!file_create(kept, m->bytes + whole, m->n - whole, error) || !cut(path, whole, error)) {
        check_unreadable(c, error);
        return false;
    }
    check_say(path, "cut at offset %zu: whole now", whole);
    return true;
}

/* ---- append-only files ---------------------------------------------------------------------------------------------------- */

static void
on_progress(void *arg, size_t at)
{
    progress_at(arg, at, NULL);
}

/* Does the file go on where the one before it in the log ended? */
static void
check_order(struct check *c, const char *path, const struct aof_check *a)
{
    if (!a->annotated)
        return;
    if (c->have_head && memcmp(c->head.lineage, a->head.lineage, sizeof a->head.lineage) != 0)
        check_wrong(c, path, "belongs to another data set (lineage) than the files before it");
    if (c->have_head && a->head.first_ticket <= c->last_ticket)
        check_wrong(c, path, "begins with ticket %llu, but the files before it reach %llu", (unsigned long long)a->head.first_ticket,
                    (unsigned long long)c->last_ticket);
    c->head = a->head;
    c->have_head = true;
    if (a->last_ticket > c->last_ticket)
        c->last_ticket = a->last_ticket;
}

static void
say_aof(const char *path, const struct aof_check *a, size_t n)
{
    char size[24];
    progress_bytes(size, (double)n);
    if (a->annotated)
        check_say(path, "append-only file with checksums, %s: %llu commands (%llu in MULTI), %llu groups, tickets %llu to %llu", size,
                  (unsigned long long)a->commands, (unsigned long long)a->transactions, (unsigned long long)a->groups,
                  (unsigned long long)a->first_ticket, (unsigned long long)a->last_ticket);
    else
        check_say(path, "append-only file, %s: %llu commands (%llu transactions)", size, (unsigned long long)a->commands,
                  (unsigned long long)a->transactions);
    if (a->annotated && a->ungrouped > 0)
        check_say(path, "%llu commands at the end are in no group: another server appended them, no checksum covers them",
                  (unsigned long long)a->ungrouped);
}

static void
say_saved(const char *path, const struct aof_check *a, size_t n)
{
    check_say(path, "whole up to offset %zu: %llu commands can be saved%s%s; %zu bytes behind them", a->whole,
              (unsigned long long)a->commands, a->commands > 0 ? ", the last: " : "", a->last, n - a->whole);
}

static void
judge_aof(struct check *c, const char *path, const struct file_map *m, const struct aof_check *a, bool last)
{
    enum check_status before = c->status;
    bool torn = a->result == AOF_IN_TORN && last;
    check_wrong(c, path, "offset %llu: %s", (unsigned long long)a->error.offset, a->error.text);
    say_saved(path, a, m->n);
    if (torn)
        check_say(path, a->annotated ? "a torn tail: nothing behind it says that it was ever durable, as after a power cut"
                                     : "a torn tail: the writer stopped before all of it was written");
    else if (a->result == AOF_IN_TORN)
        check_say(path, "the file ends too early and is not the last of its log: what follows it does not fit without what is missing");
    else
        check_say(path, "this is damage, no torn tail: it was whole once");
    if (!torn && c->o->fix && !c->o->lose_rest)
        check_say(path, "not touched: only --lose-rest cuts here, and gives up all that follows");
    if ((torn || c->o->lose_rest) && fix_tail(c, path, m, a->whole))
        c->status = before;
}

/* Commands from the offset on. */
static void
check_aof(struct check *c, const char *path, const struct file_map *m, size_t from, bool last)
{
    struct aof_check a;
    struct progress p;
    progress_begin(&p, path, PROGRESS_BYTES, from, m->n, c->o->quiet);
    aof_check_run(&a, m->bytes, m->n, from, on_progress, &p);
    progress_end(&p);
    if (a.result == AOF_IN_NO_MEMORY) {
        check_unreadable(c, "out of memory for the words of a command");
        return;
    }
    say_aof(path, &a, m->n);
    check_order(c, path, &a);
    if (a.result != AOF_IN_END)
        judge_aof(c, path, m, &a, last);
}

/* ---- the tool ------------------------------------------------------------------------------------------------------------- */

static void
check_mapped(struct check *c, const char *path, const struct file_map *m, bool last)
{
    size_t from = 0;
    if (aof_in_is_rdb(m->bytes, m->n) && !check_rdb(c, path, m, &from))
        return;
    if (from < m->n || from == 0)
        check_aof(c, path, m, from, last);
}

void
check_data(struct check *c, const char *path, bool last)
{
    struct file_map m;
    char error[FILE_MAP_ERROR_MAX];
    if (!file_map_open(&m, path, error)) {
        check_unreadable(c, error);
        return;
    }
    check_mapped(c, path, &m, last);
    file_map_close(&m);
}

/* The manifest in a directory, if it has one and no other. */
static bool
find_manifest(const char *directory, char path[PATH_MAX])
{
    unsigned found = 0;
    DIR *dir = opendir(directory);
    if (dir == NULL)
        return false;
    for (const struct dirent *d; (d = readdir(dir)) != NULL;) {
        size_t n = strlen(d->d_name), end = sizeof MANIFEST_END - 1;
        if (n > end && strcmp(d->d_name + n - end, MANIFEST_END) == 0 && ++found == 1)
            snprintf(path, PATH_MAX, "%.*s/%s", PATH_MAX - NAME_MAX - 2, directory, d->d_name);
    }
    closedir(dir);
    return found == 1;
}

/* A file; or a directory, which stands for its manifest. */
static enum check_status
check_file(const struct tool_options *o, const char *path)
{
    struct check c = { .o = o };
    char manifest[PATH_MAX];
    if (find_manifest(path, manifest))
        path = manifest;
    struct file_map m;
    char error[FILE_MAP_ERROR_MAX];
    if (!file_map_open(&m, path, error)) {
        check_unreadable(&c, error);
        return c.status;
    }
    if (check_is_manifest(path, &m))
        check_manifest(&c, path, &m);
    else
        check_mapped(&c, path, &m, true);
    file_map_close(&m);
    if (c.status == CHECK_WHOLE)
        check_say(path, "whole");
    return c.status;
}

int
check_main(const struct tool_options *o, int count, char **paths)
{
    enum check_status worst = CHECK_WHOLE;
    for (int i = 0; i < count; i++) {
        enum check_status status = check_file(o, paths[i]);
        worst = status > worst ? status : worst;
    }
    return (int)worst;
}
