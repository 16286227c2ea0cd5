/* shm_region.h - the mapping that all processes share: create, attach, commit memory, find things in it.
 *
 * A struct shm_region is one process's handle; the master fills it, children inherit it over fork. The
 * mapping is at SHM_BASE_ADDRESS in every process (the robust list of the kernel lies in it as
 * addresses). Errors are returned as false with a message that says what, where and what to do.
 */
#ifndef KVSTASH_SHM_REGION_H
#define KVSTASH_SHM_REGION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/xassert.h"
#include "shm/shm_layout.h"

enum shm_pages { SHM_PAGES_4K = 0, SHM_PAGES_THP = 1, SHM_PAGES_HUGETLB = 2 };
enum shm_hugepages { SHM_HUGEPAGES_AUTO, SHM_HUGEPAGES_ALWAYS, SHM_HUGEPAGES_NEVER };

#define SHM_ERROR_BYTES 512
struct shm_error {
    char text[SHM_ERROR_BYTES]; /* one line, no newline */
};

struct shm_region {
    char *base;                  /* SHM_BASE_ADDRESS once mapped; NULL before */
    size_t bytes;
    int fd;                      /* the region's file; close-on-exec */
    char path[256];
    struct shm_header_sh *header;
    struct shm_shard_sh *shards;
    struct shm_dbroot_sh *dbroots; /* [shard * databases + db] */
    struct shm_registry_sh *registries;
    uint32_t *keyslots;          /* T of the shard: keys of database 0 by key slot; [SHM_KEYSLOTS] */
    struct shm_slot_sh *slots;
    char *journals;              /* SHM_JOURNAL_BYTES each */
    struct shm_ring_sh *rings;
    struct shm_mailbox_sh *mailboxes;
    void *shared;                /* upper layers' shared structures */
    _Atomic uint32_t *extent_hints; /* about how many spans of an extent are FREE */
    _Atomic uint64_t *span_words;
    struct shm_span_meta_sh *span_metas;
    uint32_t nshards, shard_bits, databases, nslots;
    uint64_t hash_seed;
    _Atomic uint64_t *progress;  /* of this process's slot: see shm_region_progress; NULL before it has one */
    void (*wake)(void *arg, unsigned slot); /* makes the owner of a slot look at its mailbox, if it sleeps; NULL: nobody sleeps */
    void *wake_arg;
    bool cluster;                /* key slots from CRC16 and hash tags; keys longer than SHM_KEY_INLINE_MAX: not yet */
};

struct shm_region_options {
    const char *path;       /* file to create; must not exist */
    uint64_t bytes;         /* size of the whole region; rounded up to an extent */
    uint32_t shards;        /* power of two, 1 .. SHM_SHARDS_MAX */
    uint32_t databases;     /* 1 .. SHM_DATABASES_MAX */
    uint32_t slots;         /* process slots, 1 .. SHM_SLOTS_MAX */
    uint64_t shared_bytes;  /* room for upper layers, zeroed, committed */
    enum shm_hugepages hugepages;
    const uint8_t *lineage; /* of 16 bytes; NULL: a new one */
};

/* Creates, maps and initialises a region (state CREATING; the caller stores READY). */
bool shm_region_create(struct shm_region *r, const struct shm_region_options *o, struct shm_error *e);
/* Opens and maps an existing file after checking owner, mode, links, header, geometry. Nothing is changed. */
bool shm_region_attach(struct shm_region *r, const char *path, struct shm_error *e);
/* Unmaps; unlinks the file too if asked. */
void shm_region_close(struct shm_region *r, bool unlink_file);
/* After attach, with proof that nobody else is there and all journals recovered: initialises every
 * lock and makes every sequence even. O(shards + slots). */
void shm_region_reset_locks(struct shm_region *r);
/* This machine's boot id, zero-filled; a region of another boot is of no use. */
void shm_region_boot_id(char out[40]);
/* (Re)initialises one robust process-shared mutex in the region. */
void shm_region_init_mutex(pthread_mutex_t *m);

/* Commits up to n further extents (fallocate, then populate; huge pages as chosen). Returns how many; 0 and
 * errno: ENOSPC when the file system or the limit refuses. Housekeeper (or single-process set-up) only. */
unsigned shm_region_commit(struct shm_region *r, unsigned n);

/* Memory in use, as INFO tells it and maxmemory is compared with: the fixed part, with the log's rings if they are on, the
 * shards' blocks, the processes' buffers. Sums without locks: right but for what is under way. */
uint64_t shm_region_used(const struct shm_region *r);
/* The fixed part of it. */
uint64_t shm_region_fixed(const struct shm_region *r);

static inline void *
shm_at(const struct shm_region *r, shm_off off)
{
    xassert_debug(off != 0 && off < r->bytes);
    return r->base + off;
}
static inline shm_off
shm_off_of(const struct shm_region *r, const void *p)
{
    return (shm_off)((const char *)p - r->base);
}
static inline struct shm_journal_sh *
shm_region_journal(const struct shm_region *r, unsigned slot)
{
    return (struct shm_journal_sh *)(void *)(r->journals + (size_t)slot * SHM_JOURNAL_BYTES);
}
static inline struct shm_dbroot_sh *
shm_region_dbroot(const struct shm_region *r, unsigned shard, unsigned db)
{
    return &r->dbroots[(size_t)shard * r->databases + db];
}
/* The shard of a key's position (shm_table.h): its leading bits. */
static inline unsigned
shm_region_shard(const struct shm_region *r, uint64_t position)
{
    return r->shard_bits ? (unsigned)(position >> (64 - r->shard_bits)) : 0;
}
/* Tells who watches for stuck processes that this one goes on. Called by everything that may take long under a lock, at
 * each bounded piece of it: a process that holds up others and does not move for worker-timeout is killed. */
static inline void
shm_region_progress(const struct shm_region *r)
{
    if (r->progress) /* its only writer is this thread */
        atomic_store_explicit(r->progress, atomic_load_explicit(r->progress, memory_order_relaxed) + 1, memory_order_relaxed);
}
/* The offset of a span, and the span of an offset behind off_extents. */
static inline shm_off
shm_span_off(const struct shm_region *r, uint64_t span)
{
    return r->header->off_extents + span * SHM_SPAN_BYTES;
}
static inline uint64_t
shm_span_of(const struct shm_region *r, shm_off off)
{
    return (off - r->header->off_extents) / SHM_SPAN_BYTES;
}

#endif
