/* shm_read.c - copying an entry out without the lock (see shm_read.h for the idea).
 *
 * Every offset is followed only after the sequence was seen unchanged behind its load, so it was a true reference at
 * that moment; memory once committed stays readable, so what it leads to may be old but is never unmapped. The copy is
 * bounded by the block's class, and used only if the sequence is still the same behind it.
 */
#include "shm/shm_read.h"

#include "base/bytes.h"
#include "shm/shm_class.h"
#include "shm/shm_crash.h"
#include "shm/shm_gate.h"

#define TRIES 3

struct attempt {
    const struct shm_tree *tree;
    const _Atomic uint64_t *seq;
    uint64_t seen;
};

/* Nothing of the shard changed since the attempt began: what was loaded before this belongs together. */
static bool
unchanged(const struct attempt *a)
{
    atomic_thread_fence(memory_order_acquire);
    return atomic_load_explicit(a->seq, memory_order_relaxed) == a->seen;
}

/* The word of the position's segment, 0 if the tree is empty; false: changed meanwhile. */
static bool
find_segment(const struct attempt *a, uint64_t position, uint64_t *segment)
{
    const struct shm_region *r = a->tree->region;
    uint64_t word = *(volatile const uint64_t *)&a->tree->sh->root;
    for (unsigned level = a->tree->skip_bits; word && !shm_table_is_segment(word); level += SHM_NODE_BITS) {
        SHM_RACE_POINT();
        if (!unchanged(a))
            return false;
        SHM_RACE_POINT();
        const struct shm_node_sh *node = shm_at(r, word);
        word = atomic_load_explicit(&node->child[position << level >> (64 - SHM_NODE_BITS)], memory_order_relaxed);
    }
    *segment = word;
    return unchanged(a);
}

/* Copies the block at off into out. False: changed, or too large, or a key that lies elsewhere. */
static bool
copy_entry(const struct attempt *a, shm_off off, void *out, size_t room)
{
    const struct shm_region *r = a->tree->region;
    uint64_t head;
    SHM_RACE_POINT(); /* between bucket and entry */
    if (!unchanged(a))
        return false;
    SHM_RACE_POINT();
    uint64_t span = atomic_load_explicit(&r->span_words[shm_span_of(r, off)], memory_order_relaxed);
    unsigned class = shm_span_word_class(span);
    const void *block = shm_at(r, off);
    memcpy(&head, block, sizeof head);
    if (class >= SHM_CLASS_TABLE)
        return false;
    size_t bytes = shm_entry_bytes((const struct shm_entry_sh *)(const void *)&head), limit = shm_class_size(class);
    if (bytes > limit || bytes > room || (off - r->header->off_extents) % SHM_SPAN_BYTES + bytes > SHM_SPAN_BYTES)
        return false; /* a class that is another's by now must not lead behind the span: what follows may have no memory */
    memcpy(out, block, bytes);
    SHM_RACE_POINT(); /* between entry and sequence */
    return unchanged(a) && !(((struct shm_entry_sh *)out)->flags & SHM_ENTRY_KEYBLOB);
}

static enum shm_read_result
attempt_once(const struct attempt *a, uint64_t position, const char *key, size_t klen, void *out, size_t room, int clock_now)
{
    uint64_t word;
    if (!find_segment(a, position, &word))
        return SHM_READ_RETRY;
    if (!word)
        return SHM_READ_ABSENT;
    const struct shm_segment_sh *s = shm_at(a->tree->region, shm_table_off(word));
    unsigned buckets = shm_table_word_buckets(word), home = shm_table_home(position, shm_table_word_depth(word), buckets);
    unsigned reach = s->bucket[home].reach;
    if (!unchanged(a))
        return SHM_READ_RETRY;
    for (unsigned d = 0; d <= reach; d++) {
        struct shm_bucket_sh *b = (struct shm_bucket_sh *)(uintptr_t)&s->bucket[shm_table_behind_home(home, d, buckets)];
        for (unsigned match = shm_table_match(b, position); match; match &= match - 1) {
            unsigned i = shm_table_match_slot(match);
            uint64_t slot = atomic_load_explicit(&b->slot[i], memory_order_relaxed);
            if (!copy_entry(a, slot << 16 >> 16, out, room))
                return SHM_READ_RETRY;
            const struct shm_entry_sh *e = out;
            if (shm_entry_klen(e) != klen || !bytes_equal(shm_entry_key(e), key, klen))
                continue;
            if (clock_now >= 0 && atomic_load_explicit(&b->clock[i], memory_order_relaxed) != clock_now)
                atomic_store_explicit(&b->clock[i], (uint16_t)clock_now, memory_order_relaxed);
            return SHM_READ_COPIED;
        }
    }
    return unchanged(a) ? SHM_READ_ABSENT : SHM_READ_RETRY;
}

enum shm_read_result
shm_read_entry(const struct shm_tree *t, uint64_t position, const char *key, size_t klen, void *out, size_t room, int clock_now)
{
    struct attempt a = {.tree = t, .seq = &t->region->shards[t->shard].seq};
    for (int i = 0; i < TRIES; i++) {
        a.seen = atomic_load_explicit(a.seq, memory_order_acquire);
        if (a.seen & 1) {
            __builtin_ia32_pause();
            continue;
        }
        if (!shm_gate_is_open(t->region)) /* behind the sequence, which its closing changes */
            return SHM_READ_RETRY;
        /* stored before the sequence became even again */
        if (atomic_load_explicit(&t->region->shards[t->shard].state, memory_order_relaxed) == SHM_SHARD_OFF)
            return SHM_READ_RETRY;
        SHM_RACE_POINT(); /* behind the sequence */
        enum shm_read_result result = attempt_once(&a, position, key, klen, out, room, clock_now);
        if (result != SHM_READ_RETRY)
            return result;
    }
    return SHM_READ_RETRY;
}
