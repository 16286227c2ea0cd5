/* region_open.c - lock, identity and region (see region_open.h).
 *
 * Process: master, before it forks workers. Locks: flock of the directory. Crash: the identity is written before the region is
 * READY; a region that never was holds nothing and is made anew.
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

#include "base/fd.h"
#include "command/control.h"
#include "master/hugetlb.h"
#include "master/limits.h"
#include "shm/shm_recover.h"

#define LOCK_WAIT_MS 5000
#define LOCK_STEP_MS 10
#define ID_LINEAGE 33 /* bytes of kvstash.id's first line: the lineage */
#define ID_PATH_MAX 512
#define ID_REGION 17  /* of its second line: which region was used last */

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

static void
id_path(const char *dir, char path[ID_PATH_MAX])
{
    snprintf(path, ID_PATH_MAX, "%s/kvstash.id", dir);
}

/* Who cannot read kvstash.id must not take it for absent: the data would get another lineage. */
static bool
id_is_within_reach(const char *dir, struct shm_error *e)
{
    char path[ID_PATH_MAX];
    id_path(dir, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno != ENOENT)
        return fail(e, "cannot open %s, which tells whose data the directory holds: %s; let the server's user read it", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return true;
}

bool
region_open_lock(const char *dir, int *lock_fd, struct shm_error *e)
{
    char path[512], pid[32] = "";
    struct stat st;
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return fail(e, "cannot make the data directory %s: %s; name another with --dir", dir, strerror(errno));
    snprintf(path, sizeof path, "%s/kvstash.lock", dir);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return fail(e, "cannot open %s: %s; name another directory with --dir", path, strerror(errno));
    if (fstat(fd, &st) == 0 && st.st_uid != geteuid()) {
        close(fd);
        return fail(e, "the data directory %s is of another user (%u owns its lock file); start the server as that user, or give the directory with "
                       "all its files to user %u", dir, (unsigned)st.st_uid, (unsigned)geteuid());
    }
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
        fail(e, "cannot write %s: %s; give the data directory room, or name another with --dir", path, strerror(errno));
        close(fd);
        return false;
    }
    if (!id_is_within_reach(dir, e)) {
        close(fd);
        return false;
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

/* Reads kvstash.id: the lineage's line, then the region's. Returns how many lines there are; -1: no such file, or none that we wrote. */
static int
id_read(const char *dir, char lineage[34], char region[18])
{
    char path[ID_PATH_MAX];
    id_path(dir, path);
    FILE *f = fopen(path, "re");
    if (!f)
        return -1;
    size_t n = fread(lineage, 1, ID_LINEAGE, f), k = fread(region, 1, ID_REGION, f);
    fclose(f);
    lineage[n] = region[k] = '\0';
    return n != ID_LINEAGE || strspn(lineage, "0123456789abcdef") != ID_LINEAGE - 1 ? -1 : k == ID_REGION ? 2 : 1;
}

/* The lineage of the directory's data; false: it has none yet. */
static bool
id_lineage(const char *dir, uint8_t lineage[16])
{
    char text[34], region[18];
    if (id_read(dir, text, region) < 0)
        return false;
    for (unsigned i = 0; i < 16; i++)
        sscanf(text + 2 * i, "%2hhx", &lineage[i]);
    return true;
}

/* What the directory says of a region. */
enum id_says { ID_KNOWN, ID_LEFT_BEHIND, ID_STRANGE };
static enum id_says
id_compare(const char *dir, const struct shm_header_sh *h)
{
    char lineage[34], region[18], want[34], seed[18];
    int lines = id_read(dir, lineage, region);
    id_text(h->lineage, want);
    snprintf(seed, sizeof seed, "%016lx\n", (unsigned long)h->hash_seed);
    if (lines < 0 || memcmp(lineage, want, ID_LINEAGE) != 0)
        return ID_STRANGE;
    return lines == 2 && memcmp(region, seed, ID_REGION) != 0 ? ID_LEFT_BEHIND : ID_KNOWN;
}

bool
region_open_identify(const struct shm_region *r, const char *dir, struct shm_error *e)
{
    char path[ID_PATH_MAX], aside[ID_PATH_MAX + 8], text[64];
    id_path(dir, path);
    snprintf(aside, sizeof aside, "%s.new", path);
    id_text(r->header->lineage, text);
    snprintf(text + ID_LINEAGE, sizeof text - ID_LINEAGE, "%016lx\n", (unsigned long)r->header->hash_seed); /* random: names the region */
    int fd = open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool ok = fd >= 0 && fd_write_all(fd, text, ID_LINEAGE + ID_REGION) && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    if (ok && rename(aside, path) == 0)
        return true;
    return fail(e, "cannot write %s: %s; give the directory room, and to the server's user", path, strerror(errno));
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

bool
region_open_attach(struct shm_region *r, struct shm_error *e)
{
    for (int tries = 0; !recover(r); tries++)
        if (tries >= (int)SHM_FOLLOWS_MAX)
            return fail(e, "the region %s is damaged: recovery died on it; examine it with --check-region, or remove it to start from the files",
                r->path);
    shm_region_reset_locks(r);
    return true;
}

/* The number of workers that the region was made with; 0: its slots and control page are not as this version makes them. */
static unsigned
workers_of(const struct shm_region *r, const struct region_wish *w)
{
    unsigned n = r->nslots > w->other_slots ? r->nslots - w->other_slots : 0;
    return n <= params[PARAM_WORKERS].max && r->header->shared_bytes == control_bytes(n) ? n : 0;
}

/* Maps what is there, if it may be served: e tells why not. */
static bool
find(struct shm_region *r, const struct region_wish *w, const char *path, struct shm_error *e)
{
    char boot_id[40];
    if (!shm_region_attach(r, path, e))
        return false;
    shm_region_boot_id(boot_id);
    enum id_says says = id_compare(w->dir, r->header);
    if (memcmp(boot_id, r->header->boot_id, sizeof boot_id) != 0)
        return fail(e, "the region %s was made before this machine's last start; remove it to begin with the data directory", path);
    if (says == ID_STRANGE)
        return fail(e, "the region %s does not belong to the data directory %s; name the right --dir, or remove the region to begin anew",
            path, w->dir);
    if (says == ID_LEFT_BEHIND)
        return fail(e, "the region %s was left behind: the data directory %s has gone on in another region since; name that one with --region, or "
                       "remove this one to start from the files", path, w->dir);
    unsigned has = workers_of(r, w);
    if (has == 0)
        return fail(e, "the region %s was made by another version of this program; start that one and let it save, or remove the file to start "
                       "from what the data directory %s holds", path, w->dir);
    if (w->workers_given && has != w->workers)
        return fail(e, "the region %s was made with %u workers, but workers is %u now; start with --workers %u, or remove the file to start "
                       "from what the data directory %s holds (a server with %u workers can save there first)",
            path, has, w->workers, has, w->dir, has);
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

bool
region_open_create(struct shm_region *r, const struct region_wish *w, const struct region_found *found, struct shm_error *e)
{
    char dir[256];
    uint8_t lineage[16];
    bool known = id_lineage(w->dir, lineage);
    if (found->state == REGION_FOUND_VALID)
        shm_region_close(r, true);
    else if (found->state == REGION_FOUND_USELESS && unlink(found->path) != 0)
        return fail(e, "cannot remove %s: %s; remove it, or name another with --region", found->path, strerror(errno));
    snprintf(dir, sizeof dir, "%s", found->path);
    char *slash = strrchr(dir, '/');
    if (slash)
        *slash = '\0';
    uint64_t limit = limits_region_bytes(slash ? dir : ".");
    struct shm_region_options o = {.path = found->path, .bytes = w->bytes ? w->bytes : limit, .shards = w->shards, .databases = w->databases,
        .slots = w->workers + w->other_slots, .shared_bytes = control_bytes(w->workers), .hugepages = w->hugepages, .lineage = known ? lineage : NULL};
    if (!shm_region_create(r, &o, e))
        return false;
    uint64_t extents = limit / SHM_EXTENT_BYTES;
    if (extents < atomic_load(&r->header->committed_limit))
        atomic_store(&r->header->committed_limit, extents);
    if (!huge_pages_missing(r, w, e))
        return true;
    shm_region_close(r, true);
    return false;
}

/* A file whose creation was cut off, or whose data were being loaded, holds nothing that the files lack. */
static bool
holds_nothing(const char *path)
{
    struct shm_header_sh h = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return false;
    ssize_t n = pread(fd, &h, sizeof h, 0);
    close(fd);
    uint32_t state = atomic_load(&h.state);
    return n >= 0 && (n < (ssize_t)sizeof h || h.magic == 0 || (h.magic == SHM_MAGIC && h.core_version == SHM_CORE_VERSION &&
        (state == SHM_REGION_CREATING || state == SHM_REGION_LOADING)));
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
region_open_look(struct shm_region *r, const struct region_wish *w, struct region_found *found, struct shm_error *e)
{
    struct shm_error why;
    struct stat st;
    *found = (struct region_found){.state = REGION_FOUND_NONE};
    if (!region_open_path(w, found->path, e))
        return false;
    if (lstat(found->path, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() && holds_nothing(found->path))
        unlink(found->path);
    if (lstat(found->path, &st) != 0)
        return true;
    if (find(r, w, found->path, &why)) {
        found->state = REGION_FOUND_VALID;
        memcpy(found->lineage, r->header->lineage, sizeof found->lineage);
        found->ticket = atomic_load(&r->header->ticket) - 1;
        found->workers = workers_of(r, w);
        return true;
    }
    if (r->base)
        shm_region_close(r, false);
    found->state = REGION_FOUND_USELESS;
    snprintf(found->why, sizeof found->why, "%s", why.text);
    return true;
}
