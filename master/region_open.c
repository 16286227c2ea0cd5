/* region_open.c - lock, identity and region (see region_open.h).
 *
 * Process: master, before it forks workers. Locks: flock of the directory. Crash: the identity is written before the region is
 * READY; a region that is not READY holds nothing and is made anew.
 */
#include "master/region_open.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "master/hugetlb.h"
#include "master/limits.h"
#include "shm/shm_recover.h"

#define LOCK_WAIT_MS 5000
#define LOCK_STEP_MS 10

__attribute__((format(printf, 2, 3))) static bool
fail(struct shm_error *e, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vsnprintf(e->text, sizeof e->text, format, ap);
    va_end(ap);
    return false;
}

/* ---- the directory ------------------------------------------------------------------------------------------------- */

bool
region_open_lock(const char *dir, int *lock_fd, struct shm_error *e)
{
    char path[512], pid[32] = "";
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return fail(e, "cannot make the data directory %s: %s; name another with --dir", dir, strerror(errno));
    snprintf(path, sizeof path, "%s/kvstash.lock", dir);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return fail(e, "cannot open %s: %s; name another directory with --dir", path, strerror(errno));
    for (int waited = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; waited += LOCK_STEP_MS) {
        if (errno != EWOULDBLOCK || waited >= LOCK_WAIT_MS) {
            ssize_t n = pread(fd, pid, sizeof pid - 1, 0);
            pid[n > 0 ? strcspn(pid, "\n") : 0] = '\0';
            close(fd);
            return fail(e, "the data directory %s is in use by a running server (process %s); stop it, or name another directory "
                           "with --dir", dir, pid[0] ? pid : "unknown");
        }
        nanosleep(&(struct timespec){.tv_nsec = LOCK_STEP_MS * 1000000}, NULL);
    }
    int n = snprintf(pid, sizeof pid, "%d\n", (int)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, pid, (size_t)n, 0) != n) {
        close(fd);
        return fail(e, "cannot write %s: %s", path, strerror(errno));
    }
    *lock_fd = fd;
    return true;
}

/* Where the directory's region is, or else is to be: in hugetlbfs if its free pages cover the whole region and huge pages
 * are not unwanted, else in /dev/shm. */
static bool
default_path(const struct region_wish *w, char path[256], struct shm_error *e)
{
    char mount[200], huge[256] = "", *real = realpath(w->dir, NULL);
    struct stat st;
    if (!real)
        return fail(e, "cannot resolve the data directory %s: %s", w->dir, strerror(errno));
    unsigned long hash = XXH3_64bits(real, strlen(real));
    free(real);
    snprintf(path, 256, "/dev/shm/kvstash-%u-%016lx", (unsigned)geteuid(), hash);
    if (!hugetlb_mount(mount, sizeof mount))
        return true;
    snprintf(huge, sizeof huge, "%s/kvstash-%u-%016lx", mount, (unsigned)geteuid(), hash);
    uint64_t bytes = w->bytes ? w->bytes : limits_region_bytes("/dev/shm");
    bool fits = w->hugepages != SHM_HUGEPAGES_NEVER && hugetlb_free_bytes() >= bytes + SHM_EXTENT_BYTES;
    if (lstat(huge, &st) == 0 || (fits && lstat(path, &st) != 0))
        strcpy(path, huge);
    return true;
}

/* ---- identity -------------------------------------------------------------------------------------------------------- */

static void
id_text(const uint8_t lineage[16], char text[34])
{
    for (int i = 0; i < 16; i++)
        snprintf(text + 2 * i, 3, "%02x", lineage[i]);
    strcpy(text + 32, "\n");
}

/* Does the directory know this lineage? */
static bool
id_known(const char *dir, const uint8_t lineage[16])
{
    char path[512], want[34], have[34] = "";
    snprintf(path, sizeof path, "%s/kvstash.id", dir);
    id_text(lineage, want);
    FILE *f = fopen(path, "re");
    if (!f)
        return false;
    size_t n = fread(have, 1, 33, f);
    fclose(f);
    return n == 33 && memcmp(have, want, 33) == 0;
}

static bool
id_write(const char *dir, const uint8_t lineage[16], struct shm_error *e)
{
    char path[512], aside[520], text[34];
    snprintf(path, sizeof path, "%s/kvstash.id", dir);
    snprintf(aside, sizeof aside, "%s.new", path);
    id_text(lineage, text);
    int fd = open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool ok = fd >= 0 && write(fd, text, 33) == 33 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    if (ok && rename(aside, path) == 0)
        return true;
    return fail(e, "cannot write %s: %s", path, strerror(errno));
}

/* ---- attach ------------------------------------------------------------------------------------------------------------ */

/* Finishes what the dead left, in a process of its own. False: it died on it. */
static bool
recover(struct shm_region *r)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        shm_recover_all(r);
        _exit(0);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool
attach(struct shm_region *r, const struct region_wish *w, const char *path, struct shm_error *e)
{
    char boot_id[40];
    if (!shm_region_attach(r, path, e))
        return false;
    shm_region_boot_id(boot_id);
    if (memcmp(boot_id, r->header->boot_id, sizeof boot_id) != 0)
        return fail(e, "the region %s was made before this machine's last start; remove it to begin with the data directory", path);
    if (!id_known(w->dir, r->header->lineage))
        return fail(e, "the region %s does not belong to the data directory %s; name the right --dir, or remove the region to begin anew",
            path, w->dir);
    if (r->header->shared_bytes != w->shared_bytes)
        return fail(e, "the region %s was made by another version of this program; start that one, or remove the file", path);
    if (r->nslots < w->slots)
        return fail(e, "the region %s has room for %u processes, %u are asked for; start with fewer --workers", path, r->nslots, w->slots);
    for (int tries = 0; !recover(r); tries++)
        if (tries >= (int)SHM_FOLLOWS_MAX)
            return fail(e, "the region %s is damaged: recovery died on it; examine it with --check-region, or remove it", path);
    shm_region_reset_locks(r);
    return true;
}

/* With `hugepages always`: has the region none? The first extent shows it. */
static bool
huge_pages_missing(struct shm_region *r, const struct region_wish *w, struct shm_error *e)
{
    if (w->hugepages != SHM_HUGEPAGES_ALWAYS)
        return false;
    if (shm_region_commit(r, 1) == 1 && r->header->page_kind != SHM_PAGES_4K)
        return false;
    fail(e, "hugepages is 'always', but %s gets no huge pages; reserve them (vm.nr_hugepages for the whole region-size, and a "
            "mounted hugetlbfs), or say hugepages auto", r->path);
    return true;
}

static bool
create(struct shm_region *r, const struct region_wish *w, const char *path, struct shm_error *e)
{
    char dir[256];
    snprintf(dir, sizeof dir, "%s", path);
    char *slash = strrchr(dir, '/');
    if (slash)
        *slash = '\0';
    uint64_t limit = limits_region_bytes(slash ? dir : ".");
    struct shm_region_options o = {.path = path, .bytes = w->bytes ? w->bytes : limit, .shards = w->shards, .databases = w->databases,
        .slots = w->slots, .shared_bytes = w->shared_bytes, .hugepages = w->hugepages};
    if (!shm_region_create(r, &o, e))
        return false;
    uint64_t extents = limit / SHM_EXTENT_BYTES;
    if (extents < atomic_load(&r->header->committed_limit))
        atomic_store(&r->header->committed_limit, extents);
    if (huge_pages_missing(r, w, e) || !id_write(w->dir, r->header->lineage, e)) {
        shm_region_close(r, true);
        return false;
    }
    return true;
}

/* A file whose creation was cut off, or that was never served from, holds nothing. */
static bool
holds_nothing(const char *path)
{
    struct shm_header_sh h = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return false;
    ssize_t n = pread(fd, &h, sizeof h, 0);
    close(fd);
    return n >= 0 && (n < (ssize_t)sizeof h || h.magic == 0 || (h.magic == SHM_MAGIC && atomic_load(&h.state) != SHM_REGION_READY));
}

bool
region_open_path(const struct region_wish *w, char path[256], struct shm_error *e)
{
    if (!w->path)
        return default_path(w, path, e);
    if (strlen(w->path) >= 256)
        return fail(e, "the path of the region, %.64s.., is longer than 255 bytes; choose another --region", w->path);
    strcpy(path, w->path);
    return true;
}

bool
region_open(struct shm_region *r, const struct region_wish *w, bool *attached, struct shm_error *e)
{
    char path[256];
    struct stat st;
    if (!region_open_path(w, path, e))
        return false;
    *attached = false;
    if (lstat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() && holds_nothing(path))
        unlink(path);
    if (lstat(path, &st) != 0)
        return create(r, w, path, e);
    *attached = true;
    return attach(r, w, path, e);
}
