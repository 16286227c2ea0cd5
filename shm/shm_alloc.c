/* shm_alloc.c - taking and giving back blocks (see shm_alloc.h).
 *
 * Each shard keeps, by class, a list of its spans with room. Allocation looks at the list's first span only, and takes
 * the first zero bit from the hint on. A span that fills up leaves the list; one that gets room again joins it at
 * the front; one that becomes empty while the class has other room goes back to the pool. As the class's only room it stays, until
 * the housekeeper takes it: a growing hash passes through a dozen classes, and would claim a span for each of its steps.
 *
 * Process: all that change the region. Locks: the shard's. Crash: class T, undone with the transaction; claimed spans
 * are swept. Fails: tx->want.
 */
#include "shm/shm_alloc.h"

#include <stdlib.h>
#include <time.h>

#include "shm/shm_span.h"

#define LONG_UNDO (256u << 10)
#define POOL_STEP_NS 200000
#define CACHE_LINE 64u
#define PREFETCH_BYTES 256u

enum shm_want
shm_alloc_want(const struct shm_region *r)
{
    uint64_t have = atomic_load(&r->header->committed_extents);
    uint64_t limit = atomic_load(&r->header->committed_limit);
    return have >= limit || have >= r->header->extents ? SHM_WANT_LIMIT : SHM_WANT_POOL;
}

/* Room for one more element in a growing private array. */
static bool
grow(struct shm_tx *tx, void **array, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return true;
    size_t more = *cap ? *cap * 2 : 64;
    void *p = realloc(*array, more * size);
    if (!p) {
        tx->want = SHM_WANT_HEAP;
        return false;
    }
    *array = p;
    *cap = more;
    return true;
}

bool
shm_alloc_claimed(struct shm_tx *tx, uint64_t span, uint64_t word, uint16_t owner, uint8_t class)
{
    void *claims = tx->claims;
    bool ok = grow(tx, &claims, tx->nclaims, &tx->claims_cap, sizeof *tx->claims);
    tx->claims = claims;
    if (!ok) {
        shm_span_unclaim(tx->region, span, word);
        return false;
    }
    tx->claims[tx->nclaims++] = (struct shm_claim){.span = span, .word = word, .owner = owner, .class = class};
    return true;
}

/* ---- lists of spans with room -------------------------------------------------------------------------- */

static struct shm_span_meta_sh *
meta_of(const struct shm_tx *tx, uint32_t number)
{
    xassert(number > 0 && number <= tx->region->header->spans);
    return &tx->region->span_metas[number - 1];
}

static bool
list_push(struct shm_tx *tx, struct shm_shard_sh *s, unsigned class, uint32_t number)
{
    struct shm_span_meta_sh *m = meta_of(tx, number);
    uint32_t head = s->room[class];
    if (!shm_tx_set32(tx, &m->next, head) || !shm_tx_set32(tx, &m->prev, 0) || !shm_tx_set32(tx, &m->listed, 1))
        return false;
    if (head && !shm_tx_set32(tx, &meta_of(tx, head)->prev, number))
        return false;
    return shm_tx_set32(tx, &s->room[class], number);
}

static bool
list_remove(struct shm_tx *tx, struct shm_shard_sh *s, unsigned class, uint32_t number)
{
    struct shm_span_meta_sh *m = meta_of(tx, number);
    xassert(m->listed);
    uint32_t *from = m->prev ? &meta_of(tx, m->prev)->next : &s->room[class];
    if (!shm_tx_set32(tx, from, m->next))
        return false;
    if (m->next && !shm_tx_set32(tx, &meta_of(tx, m->next)->prev, m->prev))
        return false;
    return shm_tx_set32(tx, &m->listed, 0);
}

/* ---- a fresh span ----------------------------------------------------------------------------------------- */

/* The meta of a claimed span: all blocks free; bits behind the last block are set for good. */
static void
meta_init(struct shm_span_meta_sh *m, unsigned shard, unsigned class)
{
    memset(m, 0, sizeof *m);
    m->blocks = shm_class_blocks(class);
    m->class = class;
    m->owner = shard;
    for (uint32_t w = m->blocks / 64; w < 16; w++)
        m->bitmap[w] = UINT64_MAX;
    if (m->blocks % 64)
        m->bitmap[m->blocks / 64] <<= m->blocks % 64;
}

/* A bare transaction cannot be undone and run again, so it waits here: nobody needs what it holds. UINT64_MAX: the limit. */
static uint64_t
wait_for_span(struct shm_tx *tx, unsigned class, uint64_t *word)
{
    uint64_t span = UINT64_MAX;
    while (span == UINT64_MAX && shm_alloc_want(tx->region) == SHM_WANT_POOL) {
        nanosleep(&(struct timespec){.tv_nsec = POOL_STEP_NS}, NULL);
        shm_region_progress(tx->region);
        span = shm_span_claim(tx->region, tx->slot, class, &tx->rover, word);
    }
    return span;
}

static bool
add_span(struct shm_tx *tx, unsigned shard, unsigned class)
{
    struct shm_region *r = tx->region;
    uint64_t word, span = shm_span_claim(r, tx->slot, class, &tx->rover, &word);
    if (span == UINT64_MAX && tx->bare)
        span = wait_for_span(tx, class, &word);
    if (span == UINT64_MAX) {
        tx->want = shm_alloc_want(r);
        return false;
    }
    if (!shm_alloc_claimed(tx, span, word, (uint16_t)shard, (uint8_t)class))
        return false;
    meta_init(&r->span_metas[span], shard, class);
    return list_push(tx, &r->shards[shard], class, (uint32_t)span + 1);
}

/* ---- blocks -------------------------------------------------------------------------------------------------- */

/* Sets the first zero bit at or behind the hint; the span has room. Returns the block's number, UINT32_MAX: tx->want. */
static uint32_t
take_bit(struct shm_tx *tx, struct shm_span_meta_sh *m)
{
    uint32_t w = m->hint;
    while (m->bitmap[w] == UINT64_MAX)
        w = (w + 1) % 16;
    uint32_t bit = (uint32_t)__builtin_ctzll(~m->bitmap[w]);
    if (!shm_tx_set64(tx, &m->bitmap[w], m->bitmap[w] | 1ull << bit) || !shm_tx_set32(tx, &m->used, m->used + 1))
        return UINT32_MAX;
    m->hint = w; /* only a hint: needs no note */
    return w * 64 + bit;
}

/* Is a fresh span worth having although there is room in others? In a transaction with a long undo log, because fresh
 * spans need no notes: so a collection of any size can be copied. */
static bool
prefers_fresh(const struct shm_tx *tx, uint32_t room)
{
    return __builtin_expect(tx->undo_end > LONG_UNDO, 0) && !shm_tx_is_fresh(tx, meta_of(tx, room));
}

/* Makes sure of a span with room. */
static bool
find_room(struct shm_tx *tx, unsigned shard, unsigned class)
{
    const struct shm_shard_sh *s = &tx->region->shards[shard];
    if (s->room[class] && !prefers_fresh(tx, s->room[class]))
        return true;
    if (add_span(tx, shard, class))
        return true;
    if (s->room[class] == 0 || tx->want != SHM_WANT_LIMIT)
        return false;
    tx->want = SHM_WANT_NOTHING; /* there is no more memory, but this room */
    return true;
}

/* Fetches the block behind the one that is given out: most likely the next one of its class, and nobody knows better where new
 * entries will be written. With a hundred shards' spans being filled at once the processor does not see the pattern by itself. */
static void
prefetch_next(const struct shm_region *r, shm_off off, uint32_t size)
{
    uint32_t n = size < PREFETCH_BYTES ? size : PREFETCH_BYTES;
    for (uint32_t at = 0; at < n; at += CACHE_LINE)
        __builtin_prefetch(r->base + off + at, 1); /* behind the region's end: nothing happens */
}

/* So many bytes more of the shard are in use, in a span from which its last free block may just have been taken. */
static bool
taken(struct shm_tx *tx, unsigned shard, struct shm_span_meta_sh *m, uint32_t number, uint32_t bytes)
{
    if (m->used == m->blocks && !list_remove(tx, &tx->region->shards[shard], m->class, number))
        return false;
    tx->used_delta[shard] += bytes;
    tx->resized = true;
    return true;
}

static shm_off
alloc_class(struct shm_tx *tx, unsigned shard, unsigned class)
{
    struct shm_shard_sh *s = &tx->region->shards[shard];
    xassert(tx->active && shm_tx_holds(tx, shard));
    shm_region_progress(tx->region);
    if (tx->want != SHM_WANT_NOTHING) /* what failed first says what becomes of the transaction */
        return 0;
    if (!find_room(tx, shard, class))
        return 0;
    uint32_t number = s->room[class];
    struct shm_span_meta_sh *m = meta_of(tx, number);
    xassert(m->used < m->blocks && m->class == class && m->owner == shard);
    uint32_t block = take_bit(tx, m), size = shm_class_size(class);
    if (block == UINT32_MAX || !taken(tx, shard, m, number, size))
        return 0;
    shm_off off = shm_span_off(tx->region, number - 1) + (shm_off)block * size;
    prefetch_next(tx->region, off + size, size);
    return off;
}

shm_off
shm_tx_alloc(struct shm_tx *tx, unsigned shard, size_t n)
{
    xassert(n >= 1 && n <= SHM_BLOCK_MAX);
    return alloc_class(tx, shard, shm_class_of((uint32_t)n));
}

shm_off
shm_tx_alloc_table(struct shm_tx *tx, unsigned shard, size_t n)
{
    return alloc_class(tx, shard, shm_class_of_table((uint32_t)n));
}

/* ---- runs: neighbouring blocks in the place of one larger one ------------------------------------------------------ */

/* The first of n neighbouring free blocks of a span; UINT32_MAX: it has no such. */
static uint32_t
find_run(const struct shm_span_meta_sh *m, uint32_t n)
{
    uint32_t free = 0;
    for (uint32_t b = 0; b < m->blocks; b++) {
        free = m->bitmap[b / 64] >> (b % 64) & 1 ? 0 : free + 1;
        if (free == n)
            return b + 1 - n;
    }
    return UINT32_MAX;
}

/* A run in the class's first span with room, if others use that too and half of the run at least will be used. 0: there is none, or
 * tx->want. */
static shm_off
run_of_class(struct shm_tx *tx, unsigned shard, unsigned class, uint32_t bytes)
{
    uint32_t number = tx->region->shards[shard].room[class], size = shm_class_size(class), n = (bytes + size - 1) / size;
    struct shm_span_meta_sh *m = number ? meta_of(tx, number) : NULL;
    if (!m || m->used == 0 || n * size > 2 * bytes)
        return 0;
    uint32_t first = find_run(m, n);
    if (first == UINT32_MAX)
        return 0;
    for (uint32_t b = first; b < first + n; b++)
        if (!shm_tx_set64(tx, &m->bitmap[b / 64], m->bitmap[b / 64] | 1ull << (b % 64)))
            return 0;
    if (!shm_tx_set32(tx, &m->used, m->used + n) || !taken(tx, shard, m, number, n * size))
        return 0;
    return shm_span_off(tx->region, number - 1) + (shm_off)first * size;
}

shm_off
shm_tx_alloc_run(struct shm_tx *tx, unsigned shard, size_t n)
{
    const struct shm_shard_sh *s = &tx->region->shards[shard];
    unsigned own = shm_class_of((uint32_t)n);
    shm_off off = 0;
    xassert(tx->active && shm_tx_holds(tx, shard));
    for (unsigned class = 0; class < SHM_CLASS_TABLE && !off && tx->want == SHM_WANT_NOTHING && !s->room[own]; class++)
        off = run_of_class(tx, shard, class, (uint32_t)n);
    return off ? off : alloc_class(tx, shard, own);
}

void
shm_tx_free_run(struct shm_tx *tx, shm_off run, size_t n)
{
    size_t size = shm_block_size(tx->region, run);
    for (size_t at = 0; at < n; at += size)
        shm_tx_free(tx, run + at);
}

void
shm_tx_free(struct shm_tx *tx, shm_off block)
{
    void *freed = tx->freed;
    xassert(tx->active && block >= tx->region->header->off_extents && block < tx->region->bytes);
    if (grow(tx, &freed, tx->nfreed, &tx->freed_cap, sizeof *tx->freed)) /* else the commit refuses */
        ((shm_off *)freed)[tx->nfreed++] = block;
    tx->freed = freed;
}

size_t
shm_block_size(const struct shm_region *r, shm_off block)
{
    return shm_class_size(shm_span_word_class(atomic_load_explicit(&r->span_words[shm_span_of(r, block)], memory_order_relaxed)));
}

size_t
shm_class_size_for(size_t n)
{
    return shm_class_size(shm_class_of((uint32_t)n));
}

/* ---- settling before the commit --------------------------------------------------------------------------------- */

/* Is a span with no block in use worth keeping? As its class's only room. Spans of the index go back all the same: all segments of
 * a shard are of about one size at a time. */
static bool
is_kept(const struct shm_shard_sh *s, uint64_t span, const struct shm_span_meta_sh *m)
{
    return m->class < SHM_CLASS_TABLE && s->room[m->class] == span + 1 && m->next == 0;
}

/* Gives a span with no block in use back to the pool. */
static bool
give_back(struct shm_tx *tx, struct shm_shard_sh *s, uint64_t span, struct shm_span_meta_sh *m)
{
    uint64_t word = atomic_load_explicit(&tx->region->span_words[span], memory_order_relaxed);
    if (shm_span_word_state(word) != SHM_SPAN_USED)
        return true; /* claimed by this very transaction */
    void *emptied = tx->emptied;
    bool ok = grow(tx, &emptied, tx->nemptied, &tx->emptied_cap, sizeof *tx->emptied);
    tx->emptied = emptied;
    if (!ok || !list_remove(tx, s, m->class, (uint32_t)span + 1))
        return false;
    tx->emptied[tx->nemptied++] = span;
    uint64_t epoch = atomic_load_explicit(&tx->region->header->epoch, memory_order_relaxed);
    return shm_tx_set64(tx, &m->unused[0], epoch); /* read if it goes to quarantine */
}

static bool
free_block(struct shm_tx *tx, shm_off block)
{
    struct shm_region *r = tx->region;
    uint64_t span = shm_span_of(r, block);
    struct shm_span_meta_sh *m = &r->span_metas[span];
    uint32_t size = shm_class_size(m->class), at = (uint32_t)((block - shm_span_off(r, span)) / size);
    struct shm_shard_sh *s = &r->shards[m->owner];
    xassert(m->owner < r->nshards && shm_tx_holds(tx, m->owner));
    xassert(shm_span_off(r, span) + (shm_off)at * size == block && m->bitmap[at / 64] >> (at % 64) & 1);
    if (!shm_tx_set64(tx, &m->bitmap[at / 64], m->bitmap[at / 64] & ~(1ull << (at % 64))) ||
        !shm_tx_set32(tx, &m->used, m->used - 1))
        return false;
    m->hint = at / 64;
    tx->used_delta[m->owner] -= size;
    tx->resized = true;
    if (!m->listed && !list_push(tx, s, m->class, (uint32_t)span + 1))
        return false;
    return m->used > 0 || is_kept(s, span, m) || give_back(tx, s, span, m);
}

/* The number + 1 of a class's first span with room, if no block of it is in use; else 0. Without the shard's lock only a hint: the
 * meta of what was ever in a list has memory. */
static uint32_t
spare_of(const struct shm_region *r, unsigned shard, unsigned class)
{
    uint32_t number = *(const volatile uint32_t *)&r->shards[shard].room[class];
    if (number == 0 || number > r->header->spans)
        return 0;
    return *(const volatile uint32_t *)&r->span_metas[number - 1].used == 0 ? number : 0;
}

bool
shm_alloc_has_spare(const struct shm_region *r, unsigned shard)
{
    for (unsigned class = 0; class < SHM_CLASSES; class++)
        if (spare_of(r, shard, class))
            return true;
    return false;
}

bool
shm_alloc_give_spare(struct shm_tx *tx, unsigned shard)
{
    xassert(tx->active && shm_tx_holds(tx, shard));
    for (unsigned class = 0; class < SHM_CLASSES; class++) {
        uint32_t number = spare_of(tx->region, shard, class);
        if (number && !give_back(tx, &tx->region->shards[shard], number - 1, meta_of(tx, number)))
            return false;
    }
    return true;
}

bool
shm_alloc_settle_blocks(struct shm_tx *tx)
{
    for (size_t i = 0; i < tx->nfreed; i++)
        if (!free_block(tx, tx->freed[i]))
            return false;
    for (unsigned i = 0; i < tx->nlocked && tx->locked[i] < tx->region->nshards; i++) {
        unsigned shard = tx->locked[i];
        struct shm_shard_sh *s = &tx->region->shards[shard];
        int64_t delta = tx->used_delta[shard];
        if (delta && !shm_tx_set64(tx, &s->used_bytes, s->used_bytes + (uint64_t)delta))
            return false;
    }
    return true;
}
