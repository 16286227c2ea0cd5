/* shm_region.c - creating, opening and growing the file that all processes map.
 *
 * The idea: one sparse file at one address; the geometry is computed once at creation, stands in the header, and is
 * checked by everybody who opens the file. Memory is committed extent by extent, before anybody may touch it.
 *
 * Not its job: who may attach when (master), what lies in the extents (shm_span, shm_tx).
 * Process: master creates; housekeeper commits; all map. Locks: none.
 * Crash: a death in create leaves a file in state CREATING, which nobody attaches; in commit, an extent that has memory
 * but whose spans are still UNCOMMITTED: committed again by the next.
 * Fails: returned with a message.
 */
#include "shm/shm_region.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "base/crc.h"
#include "shm/shm_crash.h"
#include "shm/shm_ring.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#define META_BYTES_PER_EXTENT (SHM_SPANS_PER_EXTENT * sizeof(struct shm_span_meta_sh))
_Static_assert(SHM_SPANS_PER_EXTENT * sizeof(struct shm_span_meta_sh) % 4096 == 0, "metas commit by pages");

__attribute__((format(printf, 2, 3))) static bool
fail(struct shm_error *e, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vsnprintf(e->text, sizeof e->text, format, ap);
    va_end(ap);
    return false;
}

static uint64_t
align_up(uint64_t v, uint64_t to)
{
    return (v + to - 1) / to * to;
}

/* ---- geometry ------------------------------------------------------------------------------------- */

static uint64_t
place(uint64_t *end, uint64_t bytes, uint64_t alignment)
{
    uint64_t off = align_up(*end, alignment);
    *end = off + bytes;
    return off;
}

/* Lays the parts out behind the header. False if not even one extent fits. */
static bool
geometry(struct shm_header_sh *h, uint64_t shared_bytes)
{
    uint64_t end = sizeof *h;
    uint64_t room = h->bytes / SHM_EXTENT_BYTES; /* upper bound of extents */
    h->shared_bytes = shared_bytes;
    h->off_shards = place(&end, h->shards * sizeof(struct shm_shard_sh), 4096);
    h->off_dbroots = place(&end, (uint64_t)h->shards * h->databases * sizeof(struct shm_dbroot_sh), 64);
    h->off_registries = place(&end, SHM_REGISTRIES * sizeof(struct shm_registry_sh), 64);
    h->off_keyslots = place(&end, SHM_KEYSLOTS * sizeof(uint32_t), 64);
    h->off_slots = place(&end, h->slots * sizeof(struct shm_slot_sh), 4096);
    h->off_journals = place(&end, (uint64_t)h->slots * SHM_JOURNAL_BYTES, 4096);
    h->off_mailboxes = place(&end, h->slots * sizeof(struct shm_mailbox_sh), 4096);
    h->off_shared = place(&end, shared_bytes, 4096);
    h->off_extent_hints = place(&end, room * sizeof(uint32_t), 4096);
    h->off_span_words = place(&end, room * SHM_SPANS_PER_EXTENT * sizeof(uint64_t), 4096);
    /* from here on committed only when used */
    h->off_rings = place(&end, h->slots * sizeof(struct shm_ring_sh), 4096);
    h->off_span_metas = place(&end, room * META_BYTES_PER_EXTENT, 4096);
    h->off_extents = place(&end, 0, SHM_EXTENT_BYTES);
    if (h->off_extents + SHM_EXTENT_BYTES > h->bytes)
        return false;
    h->extents = (h->bytes - h->off_extents) / SHM_EXTENT_BYTES;
    h->spans = h->extents * SHM_SPANS_PER_EXTENT;
    return true;
}

static uint64_t
geometry_crc(const struct shm_header_sh *h)
{
    const char *from = (const char *)&h->shards;
    return crc64(0, from, (size_t)((const char *)&h->hash_seed - from));
}

static void
bind_handle(struct shm_region *r)
{
    struct shm_header_sh *h = r->header = (struct shm_header_sh *)(void *)r->base;
    r->shards = (struct shm_shard_sh *)(void *)(r->base + h->off_shards);
    r->dbroots = (struct shm_dbroot_sh *)(void *)(r->base + h->off_dbroots);
    r->registries = (struct shm_registry_sh *)(void *)(r->base + h->off_registries);
    r->keyslots = (uint32_t *)(void *)(r->base + h->off_keyslots);
    r->slots = (struct shm_slot_sh *)(void *)(r->base + h->off_slots);
    r->journals = r->base + h->off_journals;
    r->rings = (struct shm_ring_sh *)(void *)(r->base + h->off_rings);
    r->mailboxes = (struct shm_mailbox_sh *)(void *)(r->base + h->off_mailboxes);
    r->shared = r->base + h->off_shared;
    r->extent_hints = (_Atomic uint32_t *)(void *)(r->base + h->off_extent_hints);
    r->span_words = (_Atomic uint64_t *)(void *)(r->base + h->off_span_words);
    r->span_metas = (struct shm_span_meta_sh *)(void *)(r->base + h->off_span_metas);
    r->nshards = h->shards;
    r->shard_bits = h->shard_bits;
    r->databases = h->databases;
    r->nslots = h->slots;
    r->hash_seed = h->hash_seed;
}

/* ---- mapping --------------------------------------------------------------------------------------- */

static bool
map(struct shm_region *r, struct shm_error *e)
{
    void *at = (void *)SHM_BASE_ADDRESS;
    void *p = mmap(at, r->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED_NOREPLACE | MAP_NORESERVE, r->fd, 0);
    if (p == MAP_FAILED || p != at)
        return fail(e, "cannot map %zu bytes of %s at %p: %s", r->bytes, r->path, at, strerror(errno));
    r->base = p;
    /* a dump of gigabytes would keep the dead process's locks held meanwhile */
    madvise(p, r->bytes, MADV_DONTDUMP);
    return true;
}

void
shm_region_boot_id(char out[40])
{
    memset(out, 0, 40);
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t n = read(fd, out, 36);
    (void)n;
    close(fd);
}

void
shm_region_init_mutex(pthread_mutex_t *m)
{
    pthread_mutexattr_t a;
    xassert(pthread_mutexattr_init(&a) == 0);
    xassert(pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED) == 0);
    xassert(pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST) == 0);
    xassert(pthread_mutex_init(m, &a) == 0);
    pthread_mutexattr_destroy(&a);
}

void
shm_region_reset_locks(struct shm_region *r)
{
    for (unsigned i = 0; i < r->nshards; i++) {
        struct shm_shard_sh *s = &r->shards[i];
        shm_region_init_mutex(&s->lock);
        atomic_store(&s->long_holder, 0);
        atomic_store(&s->parked, 0);
        atomic_store(&s->seq, (atomic_load(&s->seq) | 1) + 1);
    }
    for (unsigned i = 0; i < SHM_REGISTRIES; i++) {
        shm_region_init_mutex(&r->registries[i].lock);
        atomic_store(&r->registries[i].seq, (atomic_load(&r->registries[i].seq) | 1) + 1);
    }
    for (unsigned i = 0; i < r->nslots; i++) {
        shm_region_init_mutex(&r->slots[i].life);
        shm_region_init_mutex(&shm_region_journal(r, i)->recover);
        atomic_store(&r->slots[i].epoch, SHM_EPOCH_QUIESCENT);
    }
    shm_region_init_mutex(&r->header->master_life);
}

/* ---- create ----------------------------------------------------------------------------------------- */

static bool
check_options(const struct shm_region_options *o, struct shm_error *e)
{
    if (o->shards < 1 || o->shards > SHM_SHARDS_MAX || (o->shards & (o->shards - 1)))
        return fail(e, "shards is %u: must be a power of two from 1 to %u", o->shards, SHM_SHARDS_MAX);
    if (o->databases < 1 || o->databases > SHM_DATABASES_MAX)
        return fail(e, "databases is %u: must be from 1 to %u", o->databases, SHM_DATABASES_MAX);
    if (o->slots < 1 || o->slots > SHM_SLOTS_MAX)
        return fail(e, "process slots: %u asked for, must be from 1 to %u", o->slots, SHM_SLOTS_MAX);
    if (strlen(o->path) >= sizeof((struct shm_region *)0)->path)
        return fail(e, "region path %s is too long", o->path);
    return true;
}

/* Opens a new file of the full size with the fixed parts committed. */
static bool
create_file(struct shm_region *r, const struct shm_header_sh *h, struct shm_error *e)
{
    r->fd = open(r->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (r->fd < 0)
        return fail(e, "cannot create the region file %s: %s", r->path, strerror(errno));
    if (ftruncate(r->fd, (off_t)h->bytes) == 0 && fallocate(r->fd, 0, 0, (off_t)h->off_rings) == 0)
        return true;
    fail(e, "cannot get %lu bytes for the fixed part of the region %s: %s; give it a larger file system, or fewer "
            "workers, or another place with --region", (unsigned long)h->off_rings, r->path, strerror(errno));
    close(r->fd);
    unlink(r->path);
    return false;
}

static void
init_parts(struct shm_region *r)
{
    for (unsigned i = 0; i < r->nslots; i++) {
        struct shm_journal_sh *j = shm_region_journal(r, i);
        atomic_store(&j->commit_pos, UINT64_MAX);
        atomic_store(&j->floor, SHM_FLOOR_NONE);
    }
    shm_region_reset_locks(r);
}

static bool
is_hugetlbfs(int fd)
{
    struct statfs fs;
    return fstatfs(fd, &fs) == 0 && fs.f_type == HUGETLBFS_MAGIC;
}

/* A file of hugetlbfs has huge pages. Others are asked for; whether there are any shows when the first extent is
 * committed. The parts in front of the extents are touched by every command: they get huge pages too, as far as they
 * fill any. */
static void
advise_pages(struct shm_region *r, enum shm_hugepages wanted)
{
    r->header->page_kind = is_hugetlbfs(r->fd) ? SHM_PAGES_HUGETLB : SHM_PAGES_4K;
    if (r->header->page_kind == SHM_PAGES_HUGETLB || wanted == SHM_HUGEPAGES_NEVER || madvise(r->base, r->bytes, MADV_HUGEPAGE) != 0)
        return;
    r->header->page_kind = SHM_PAGES_THP;
    for (uint64_t off = 0; off + SHM_EXTENT_BYTES <= r->header->off_rings; off += SHM_EXTENT_BYTES)
        madvise(r->base + off, SHM_EXTENT_BYTES, MADV_COLLAPSE); /* refused: it stays as it is */
}

bool
shm_region_create(struct shm_region *r, const struct shm_region_options *o, struct shm_error *e)
{
    struct shm_header_sh h = {.magic = SHM_MAGIC, .core_version = SHM_CORE_VERSION};
    memset(r, 0, sizeof *r);
    r->fd = -1;
    if (!check_options(o, e))
        return false;
    h.bytes = align_up(o->bytes, SHM_EXTENT_BYTES);
    h.shards = o->shards;
    h.shard_bits = (uint32_t)__builtin_ctz(o->shards);
    h.databases = o->databases;
    h.slots = o->slots;
    if (!geometry(&h, o->shared_bytes))
        return fail(e, "region-size %lu is too small: at least %lu bytes are needed for %u process slots and %u shards",
            (unsigned long)o->bytes, (unsigned long)(h.off_extents + SHM_EXTENT_BYTES), h.slots, h.shards);
    h.layout_crc = geometry_crc(&h);
    if (getrandom(&h.hash_seed, sizeof h.hash_seed, 0) != sizeof h.hash_seed ||
        getrandom(h.lineage, sizeof h.lineage, 0) != sizeof h.lineage)
        return fail(e, "no randomness from the kernel: %s", strerror(errno));
    if (o->lineage)
        memcpy(h.lineage, o->lineage, sizeof h.lineage);
    shm_region_boot_id(h.boot_id);
    snprintf(r->path, sizeof r->path, "%s", o->path);
    r->bytes = h.bytes;
    if (!create_file(r, &h, e))
        return false;
    if (!map(r, e)) {
        close(r->fd);
        unlink(r->path);
        return false;
    }
    memcpy(r->base, &h, sizeof h);
    bind_handle(r);
    atomic_store(&r->header->ticket, 1);
    atomic_store(&r->header->epoch, 1);
    atomic_store(&r->header->committed_limit, h.extents);
    advise_pages(r, o->hugepages);
    init_parts(r);
    return true;
}

/* ---- attach ----------------------------------------------------------------------------------------- */

static bool
check_file(int fd, const char *path, struct stat *st, struct shm_error *e)
{
    if (fstat(fd, st) != 0)
        return fail(e, "cannot examine %s: %s", path, strerror(errno));
    if (!S_ISREG(st->st_mode) || st->st_uid != geteuid() || (st->st_mode & 0777) != 0600 || st->st_nlink != 1)
        return fail(e, "%s is not a region of this user: must be a regular file of uid %u, mode 0600, with one link; "
                       "remove it or name another with --region", path, (unsigned)geteuid());
    return true;
}

static bool
check_header(const struct shm_header_sh *h, uint64_t bytes, const char *path, struct shm_error *e)
{
    struct shm_header_sh expected = *h;
    if (h->magic != SHM_MAGIC)
        return fail(e, "%s is not a kv-stash region (magic %lx)", path, (unsigned long)h->magic);
    if (h->core_version != SHM_CORE_VERSION)
        return fail(e, "%s has region format %u, this program reads %u; start the program that wrote it, or remove the "
                       "file to start from the data directory", path, h->core_version, SHM_CORE_VERSION);
    if (h->bytes != bytes || h->shards < 1 || h->shards > SHM_SHARDS_MAX || h->databases < 1 ||
        h->databases > SHM_DATABASES_MAX || h->slots < 1 || h->slots > SHM_SLOTS_MAX ||
        h->shards != 1u << h->shard_bits || h->shared_bytes > bytes || !geometry(&expected, h->shared_bytes) ||
        geometry_crc(&expected) != h->layout_crc || geometry_crc(h) != h->layout_crc)
        return fail(e, "%s has a damaged header: its geometry does not fit its size of %lu bytes; remove the file to "
                       "start from the data directory", path, (unsigned long)bytes);
    return true;
}

bool
shm_region_attach(struct shm_region *r, const char *path, struct shm_error *e)
{
    struct stat st;
    struct shm_header_sh h;
    memset(r, 0, sizeof *r);
    if (strlen(path) >= sizeof r->path)
        return fail(e, "region path %s is too long", path);
    snprintf(r->path, sizeof r->path, "%s", path);
    r->fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (r->fd < 0)
        return fail(e, "cannot open the region %s: %s", path, strerror(errno));
    if (!check_file(r->fd, path, &st, e))
        goto close_it;
    if (pread(r->fd, &h, sizeof h, 0) != (ssize_t)sizeof h) {
        fail(e, "%s is too short for a region", path);
        goto close_it;
    }
    if (!check_header(&h, (uint64_t)st.st_size, path, e))
        goto close_it;
    r->bytes = h.bytes;
    if (!map(r, e))
        goto close_it;
    bind_handle(r);
    return true;
close_it:
    close(r->fd);
    r->fd = -1;
    return false;
}

void
shm_region_close(struct shm_region *r, bool unlink_file)
{
    if (unlink_file)
        unlink(r->path);
    if (r->base)
        munmap(r->base, r->bytes);
    if (r->fd >= 0)
        close(r->fd);
    r->base = NULL;
    r->progress = NULL;
    r->fd = -1;
}

/* ---- committing memory -------------------------------------------------------------------------------- */

/* Is there room for one more extent, with some left for others on the same file system? */
static bool
file_system_has_room(int fd)
{
    struct statvfs v;
    if (fstatvfs(fd, &v) != 0)
        return false;
    return (uint64_t)v.f_bavail * v.f_frsize >= 2ull * SHM_EXTENT_BYTES;
}

static void
uncommit(struct shm_region *r, uint64_t off, uint64_t bytes)
{
    int saved = errno;
    fallocate(r->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)off, (off_t)bytes);
    errno = saved;
}

/* Memory for [off, off + bytes). Only fallocate tells a full file system (ENOSPC) from a broken one. */
static bool
commit_range(struct shm_region *r, uint64_t off, uint64_t bytes)
{
    if (fallocate(r->fd, 0, (off_t)off, (off_t)bytes) != 0) {
        uncommit(r, off, bytes);
        return false;
    }
    return true;
}

/* Makes one huge page of an extent that has no memory yet, where the kernel has one to give; a failure leaves at most one
 * small page, and the caller commits in small ones. The first page comes by fallocate, because touching a hole of a full
 * file system is SIGBUS. Measured on Linux 6.18 with shmem_enabled=never: one page and MADV_COLLAPSE 0.58 ms, fallocate of
 * all and MADV_COLLAPSE 0.93, MADV_POPULATE_WRITE and MADV_COLLAPSE 1.6. */
static void
collapse(struct shm_region *r, uint64_t off)
{
    if (r->header->page_kind != SHM_PAGES_THP || fallocate(r->fd, 0, (off_t)off, 4096) != 0)
        return;
    if (madvise(r->base + off, SHM_EXTENT_BYTES, MADV_COLLAPSE) != 0 && errno == EINVAL)
        r->header->page_kind = SHM_PAGES_4K; /* this kernel or file system has none */
}

static bool
commit_extent(struct shm_region *r, uint64_t extent)
{
    struct shm_header_sh *h = r->header;
    uint64_t first = extent * SHM_SPANS_PER_EXTENT, off = h->off_extents + extent * SHM_EXTENT_BYTES;
    bool roomy = h->page_kind == SHM_PAGES_HUGETLB || file_system_has_room(r->fd); /* hugetlbfs tells no free blocks */
    if (SHM_FAILS() || !roomy) {
        errno = ENOSPC;
        return false;
    }
    if (!commit_range(r, h->off_span_metas + extent * META_BYTES_PER_EXTENT, META_BYTES_PER_EXTENT))
        return false;
    collapse(r, off);
    if (!commit_range(r, off, SHM_EXTENT_BYTES))
        return false;
    SHM_POINT();
    atomic_store(&r->extent_hints[extent], SHM_SPANS_PER_EXTENT);
    for (uint64_t s = first; s < first + SHM_SPANS_PER_EXTENT; s++) {
        uint64_t word = atomic_load(&r->span_words[s]);
        if (shm_span_word_state(word) == SHM_SPAN_FREE)
            continue; /* a housekeeper died here half-way */
        SHM_POINT();
        atomic_store(&r->span_words[s], shm_span_word(shm_span_word_generation(word) + 1, 0, 0, SHM_SPAN_FREE));
    }
    SHM_POINT();
    atomic_store(&h->committed_extents, extent + 1);
    SHM_POINT();
    return true;
}

unsigned
shm_region_commit(struct shm_region *r, unsigned n)
{
    struct shm_header_sh *h = r->header;
    for (unsigned i = 0; i < n; i++) {
        uint64_t extent = atomic_load(&h->committed_extents);
        if (extent >= h->extents || extent >= atomic_load(&h->committed_limit)) {
            errno = ENOSPC;
            return i;
        }
        if (!commit_extent(r, extent))
            return i;
    }
    return n;
}

/* ---- memory in use --------------------------------------------------------------------------------------- */

uint64_t
shm_region_fixed(const struct shm_region *r)
{
    bool rings = (atomic_load_explicit(&r->header->mode, memory_order_relaxed) & SHM_MODE_LOG_MASK) != 0;
    return r->header->off_rings + (rings ? atomic_load(&r->header->ring_slots) * sizeof(struct shm_ring_sh) : 0);
}

uint64_t
shm_region_used(const struct shm_region *r)
{
    uint64_t used = shm_region_fixed(r);
    for (unsigned i = 0; i < r->nshards; i++)
        used += *(volatile const uint64_t *)&r->shards[i].used_bytes;
    for (unsigned i = 0; i < r->nslots; i++)
        used += atomic_load_explicit(&r->header->private_bytes[i], memory_order_relaxed);
    return used;
}
