/* aof_dir.c - manifest and increments on the disk (see aof_dir.h).
 *
 * The idea: d->manifest is always what another process would find on the disk. A change is made in a copy, the copy becomes the file
 * by a rename, and only then takes the old one's place in memory; so what fails before the rename has nothing to undo but the files that
 * it made. Files are never changed into others: a new base or increment has a number above all that the manifest names, history
 * included, and what is given up becomes history first and is deleted when no manifest needs it.
 *
 * Where the last increment ends is not written down anywhere. The region's word (struct persist_place_sh) says how far it was known to
 * be whole; from there whole groups are followed, and what is behind them is cut off.
 *
 * When there is a new increment or base is aof.c's and aof_rewrite.c's decision; groups are appended by aof_write.c.
 */
#include "persist/aof_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"

#define MANIFEST_MAX (16u << 20)
#define TEMP_PREFIX "temp-" /* as Redis names a manifest that is being written */
#define FILE_MODE 0644

static int
fail(struct aof_dir *d, const char *what, const char *name)
{
    int error = errno;
    snprintf(d->why, sizeof d->why, "cannot %s %s: %s", what, name, strerror(error));
    return error;
}

/* ---- the manifest ---------------------------------------------------------------------------------------------------------- */

static int
write_manifest_file(struct aof_dir *d, const struct buf *text, const char *name)
{
    char temp[AOF_NAME_MAX + sizeof TEMP_PREFIX];
    snprintf(temp, sizeof temp, TEMP_PREFIX "%s", name);
    int fd = openat(d->fd, temp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
    if (fd < 0)
        return fail(d, "make the file", temp);
    int error = 0;
    if (!fd_write_all(fd, buf_head(text), buf_pending(text)) || fsync(fd) != 0)
        error = fail(d, "write the file", temp);
    close(fd);
    if (error == 0 && renameat(d->fd, temp, d->fd, name) != 0)
        error = fail(d, "put the manifest in its place", name);
    if (error)
        unlinkat(d->fd, temp, 0);
    d->unsure = error == 0 && fsync(d->fd) != 0;
    return d->unsure ? fail(d, "sync the directory of", name) : error;
}

/* Makes m the manifest, on the disk and in d; m is emptied. In d stands always what another process would find. */
static int
replace_manifest(struct aof_dir *d, struct aof_manifest *m)
{
    char name[AOF_NAME_MAX + 1];
    struct buf text;
    buf_init(&text);
    aof_manifest_format(m, &text);
    d->unsure = false;
    errno = ENOMEM;
    int error = buf_failed(&text) || !aof_name_manifest(name, d->prefix) ? fail(d, "make the text of", "the manifest")
                                                                         : write_manifest_file(d, &text, name);
    buf_destroy(&text);
    if (error && !d->unsure) {
        aof_manifest_destroy(m);
        return error;
    }
    aof_manifest_destroy(&d->manifest);
    d->manifest = *m;
    aof_manifest_init(m);
    return error;
}

/* A copy to be changed; files that `keep` refuses become history. False: no memory. */
static bool
copy_manifest(const struct aof_manifest *from, struct aof_manifest *to, bool (*keep)(const struct aof_file *f, int64_t first), int64_t first)
{
    aof_manifest_init(to);
    for (size_t i = 0; i < from->files; i++) {
        const struct aof_file *f = &from->file[i];
        if (!aof_manifest_add(to, f->name, f->sequence, !keep || keep(f, first) ? f->type : AOF_FILE_HISTORY)) {
            aof_manifest_destroy(to);
            return false;
        }
    }
    return true;
}

static int
no_memory(struct aof_dir *d)
{
    errno = ENOMEM;
    return fail(d, "change", "the manifest");
}

static int
read_manifest(struct aof_dir *d)
{
    char name[AOF_NAME_MAX + 1];
    struct stat st;
    struct buf text;
    struct aof_error e;
    errno = ENAMETOOLONG;
    if (!aof_name_manifest(name, d->prefix))
        return fail(d, "name the manifest of", d->prefix);
    int fd = openat(d->fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : fail(d, "open the manifest", name);
    buf_init(&text);
    ssize_t n = -1;
    if (fstat(fd, &st) == 0 && st.st_size <= MANIFEST_MAX && buf_reserve(&text, (size_t)st.st_size + 1))
        n = read(fd, text.data, (size_t)st.st_size);
    int error = n < 0 ? fail(d, "read the manifest", name) : 0;
    close(fd);
    if (error == 0 && aof_manifest_parse(&d->manifest, text.data, (size_t)n, &e) != AOF_MANIFEST_OK) {
        snprintf(d->why, sizeof d->why, "the manifest %s is damaged: %s (line %u)", name, e.text, e.line);
        error = EBADMSG;
    }
    buf_destroy(&text);
    return error;
}

int
aof_dir_open(struct aof_dir *d, int data_dir, const char *name, const char *prefix)
{
    snprintf(d->prefix, sizeof d->prefix, "%s", prefix);
    aof_manifest_init(&d->manifest);
    d->fd = -1;
    if (mkdirat(data_dir, name, 0755) != 0 && errno != EEXIST)
        return fail(d, "make the directory", name);
    d->fd = openat(data_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (d->fd < 0)
        return fail(d, "open the directory", name);
    if (fsync(data_dir) != 0)
        return fail(d, "sync the data directory with", name);
    return read_manifest(d);
}

void
aof_dir_close(struct aof_dir *d)
{
    if (d->fd >= 0)
        close(d->fd);
    d->fd = -1;
    aof_manifest_destroy(&d->manifest);
}

/* The number behind those of all files of this type, and of history, which had numbers of both types. */
static int64_t
next_sequence(const struct aof_dir *d, enum aof_file_type type)
{
    int64_t most = 0;
    for (size_t i = 0; i < d->manifest.files; i++) {
        const struct aof_file *f = &d->manifest.file[i];
        if ((f->type == type || f->type == AOF_FILE_HISTORY) && f->sequence > most)
            most = f->sequence;
    }
    return most + 1;
}

/* ---- increments --------------------------------------------------------------------------------------------------------------- */

/* Follows whole groups from `from` on; the end of the last one, and its last ticket. */
static uint64_t
follow_groups(const char *bytes, size_t n, uint64_t from, const struct aof_head *head, uint64_t *last)
{
    uint64_t at = from;
    struct aof_line line;
    for (;;) {
        aof_line_read(&line, bytes + at, n - at, head);
        const struct aof_group *g = &line.group;
        if (line.kind != AOF_LINE_GROUP || g->first <= *last || g->bytes > n - at - line.bytes)
            return at;
        const char *commands = bytes + at + line.bytes;
        if (aof_group_hash(&(struct iovec){(char *)(uintptr_t)commands, g->bytes}, 1) != g->hash)
            return at;
        at += line.bytes + g->bytes;
        *last = g->last;
    }
}

/* Finds the tail's end in its file's image. ENODATA: the file is not what place says. */
static int
find_end(const char *bytes, size_t n, const struct persist_place_sh *place, struct aof_tail *tail)
{
    struct aof_line line;
    aof_line_read(&line, bytes, n, NULL);
    if (line.kind != AOF_LINE_HEAD)
        return ENODATA;
    tail->head = line.head;
    uint64_t from = line.bytes;
    tail->last = tail->head.first_ticket - 1;
    if ((uint64_t)tail->sequence == place->increment) {
        if (place->offset > n)
            return ENODATA;
        from = place->offset;
        tail->last = place->ticket;
    }
    tail->offset = follow_groups(bytes, n, from, &tail->head, &tail->last);
    return 0;
}

static int
resume_file(struct aof_dir *d, const char *name, const struct persist_place_sh *place, struct aof_tail *tail)
{
    struct stat st;
    if (fstat(tail->fd, &st) != 0)
        return fail(d, "look at", name);
    if (st.st_size == 0)
        return ENODATA;
    void *bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, tail->fd, 0);
    if (bytes == MAP_FAILED)
        return fail(d, "map", name);
    int error = find_end(bytes, (size_t)st.st_size, place, tail);
    munmap(bytes, (size_t)st.st_size);
    if (error)
        return error;
    if ((uint64_t)st.st_size > tail->offset) {
        log_notice("%s: %lu bytes behind the last whole group are cut off", name, (unsigned long)((uint64_t)st.st_size - tail->offset));
        if (ftruncate(tail->fd, (off_t)tail->offset) != 0)
            return fail(d, "cut", name);
    }
    return fdatasync(tail->fd) != 0 ? fail(d, "sync", name) : 0;
}

int
aof_dir_resume(struct aof_dir *d, const struct persist_place_sh *place, struct aof_tail *tail)
{
    const struct aof_file *f = aof_manifest_last_increment(&d->manifest);
    snprintf(d->why, sizeof d->why, "the append-only file does not hold what was written to it");
    if (!f || (uint64_t)f->sequence < place->increment)
        return ENODATA;
    *tail = (struct aof_tail){.sequence = f->sequence, .fd = openat(d->fd, f->name, O_RDWR | O_NOFOLLOW | O_CLOEXEC)};
    if (tail->fd < 0)
        return errno == ENOENT ? ENODATA : fail(d, "open", f->name);
    int error = resume_file(d, f->name, place, tail);
    if (error == 0 && fsync(d->fd) != 0) /* a predecessor may have named it, and not come to that */
        error = fail(d, "sync the directory of", f->name);
    if (error) {
        close(tail->fd);
        tail->fd = -1;
    }
    return error;
}

int
aof_dir_increment(struct aof_dir *d, const struct aof_head *head, struct aof_tail *tail)
{
    char name[AOF_NAME_MAX + 1], line[AOF_HEAD_LINE];
    *tail = (struct aof_tail){.fd = -1, .sequence = next_sequence(d, AOF_FILE_INCREMENT), .head = *head, .offset = AOF_HEAD_LINE,
        .last = head->first_ticket - 1};
    errno = ENAMETOOLONG;
    if (!aof_name_increment(name, d->prefix, tail->sequence))
        return fail(d, "name the next part of", d->prefix);
    tail->fd = openat(d->fd, name, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
    if (tail->fd < 0)
        return fail(d, "make", name);
    aof_head_render(line, head);
    if (fd_write_all(tail->fd, line, sizeof line) && fsync(tail->fd) == 0 && fsync(d->fd) == 0) /* its name too: a manifest follows */
        return 0;
    int error = fail(d, "write", name);
    aof_dir_drop(d, tail);
    return error;
}

int
aof_dir_fail(struct aof_dir *d, const char *what, const struct aof_tail *tail)
{
    char name[AOF_NAME_MAX + 1];
    int error = errno;
    bool named = aof_name_increment(name, d->prefix, tail->sequence);
    errno = error;
    return fail(d, what, named ? name : d->prefix);
}

void
aof_dir_drop(struct aof_dir *d, struct aof_tail *tail)
{
    char name[AOF_NAME_MAX + 1];
    if (tail->fd >= 0)
        close(tail->fd);
    tail->fd = -1;
    const struct aof_file *last = aof_manifest_last_increment(&d->manifest);
    bool named = last && last->sequence == tail->sequence;
    if (!named && aof_name_increment(name, d->prefix, tail->sequence))
        unlinkat(d->fd, name, 0);
}

/* Adds the increment to a manifest that does not name it. */
static bool
add_increment(const struct aof_dir *d, struct aof_manifest *m, const struct aof_tail *tail)
{
    char name[AOF_NAME_MAX + 1];
    const struct aof_file *last = aof_manifest_last_increment(m);
    if (last && last->sequence == tail->sequence)
        return true;
    return aof_name_increment(name, d->prefix, tail->sequence) && aof_manifest_add(m, name, tail->sequence, AOF_FILE_INCREMENT);
}

int
aof_dir_publish(struct aof_dir *d, const struct aof_tail *tail)
{
    struct aof_manifest m;
    if (!copy_manifest(&d->manifest, &m, NULL, 0))
        return no_memory(d);
    if (add_increment(d, &m, tail))
        return replace_manifest(d, &m);
    aof_manifest_destroy(&m);
    return no_memory(d);
}

/* ---- a new base ----------------------------------------------------------------------------------------------------------------- */

bool
aof_dir_base_name(const struct aof_dir *d, char name[AOF_NAME_MAX + 1])
{
    return aof_name_base(name, d->prefix, next_sequence(d, AOF_FILE_BASE), true);
}

static bool
is_kept(const struct aof_file *f, int64_t first)
{
    return f->type == AOF_FILE_INCREMENT && f->sequence >= first;
}

static bool
delete_file(struct aof_dir *d, const char *name)
{
    if (unlinkat(d->fd, name, 0) == 0 || errno == ENOENT)
        return true;
    log_warning("cannot delete %s, which is not needed any more: %s; it is tried again after the next rewriting", name, strerror(errno));
    return false;
}

/* Deletes history, then takes it out of the manifest; what cannot be done now is tried again at the next time. */
static void
delete_history(struct aof_dir *d)
{
    struct aof_manifest m;
    if (d->keep_history || !copy_manifest(&d->manifest, &m, NULL, 0))
        return;
    size_t before = m.files;
    for (size_t i = m.files; i-- > 0;)
        if (m.file[i].type == AOF_FILE_HISTORY && delete_file(d, m.file[i].name))
            aof_manifest_remove(&m, i);
    if (m.files == before)
        aof_manifest_destroy(&m);
    else if (replace_manifest(d, &m) != 0)
        log_warning("files that were deleted stay in the manifest until the next rewriting: %s", d->why);
    d->unsure = false; /* both manifests load the same */
}

int
aof_dir_rebase(struct aof_dir *d, bool base, int64_t first, const struct aof_tail *tail)
{
    char name[AOF_NAME_MAX + 1];
    struct aof_manifest m;
    if (!copy_manifest(&d->manifest, &m, is_kept, first))
        return no_memory(d);
    bool ok = !base || (aof_dir_base_name(d, name) && aof_manifest_add(&m, name, next_sequence(d, AOF_FILE_BASE), AOF_FILE_BASE));
    if (!ok || (tail && !add_increment(d, &m, tail))) {
        aof_manifest_destroy(&m);
        return no_memory(d);
    }
    int error = replace_manifest(d, &m);
    if (error == 0)
        delete_history(d);
    return error;
}

int
aof_dir_settle(struct aof_dir *d)
{
    struct aof_manifest m;
    if (!copy_manifest(&d->manifest, &m, NULL, 0)) {
        d->unsure = true;
        return no_memory(d);
    }
    int error = replace_manifest(d, &m);
    d->unsure = error != 0;
    if (error == 0)
        delete_history(d);
    return error;
}

bool
aof_dir_is_empty(const struct aof_dir *d)
{
    struct stat st;
    const struct aof_file *f = aof_manifest_last_increment(&d->manifest);
    return f && d->manifest.files == 1 && fstatat(d->fd, f->name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_size == AOF_HEAD_LINE;
}

uint64_t
aof_dir_size(const struct aof_dir *d)
{
    uint64_t sum = 0;
    struct stat st;
    for (size_t i = 0; i < d->manifest.files; i++)
        if (d->manifest.file[i].type != AOF_FILE_HISTORY && fstatat(d->fd, d->manifest.file[i].name, &st, AT_SYMLINK_NOFOLLOW) == 0)
            sum += (uint64_t)st.st_size;
    return sum;
}
