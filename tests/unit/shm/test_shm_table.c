/* test_shm_table.c - the index under growth and shrinking, reads without locks, memory that is short, the check itself. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "fixture.h"
#include "shm/shm_alloc.h"
#include "shm/shm_class.h"
#include "shm/shm_read.h"
#include "types/type_value.h"

#define KEYS 30000

static void
put(struct fixture *f, const char *key, const char *value)
{
    uint16_t shard = fixture_shard(&f->region, key);
    cr_assert(shm_tx_begin(&f->tx));
    shm_tx_enter(&f->tx, &shard, 1);
    cr_assert(fixture_put(&f->tx, key, value, value ? strlen(value) : 0));
    cr_assert(shm_tx_commit(&f->tx));
}

/* Looking ahead ends, and at a bucket that has an entry with the key's tag, if one from its home to the segment's end has the key. */
static void
look_ahead(struct fixture *f, const struct shm_tree *t, uint64_t position, const struct shm_bucket_sh *home, const struct shm_place *found)
{
    struct shm_ahead a = {0};
    const struct shm_bucket_sh *last = NULL, *has = found ? (const void *)((uintptr_t)found->slot & ~(uintptr_t)63) : NULL;
    shm_table_ahead(t, position, &a);
    for (unsigned steps = 0; a.next; steps++) {
        cr_assert(steps < 64 / SHM_NODE_BITS + SHM_SEGMENT_BUCKETS_MAX, "looking ahead does not end");
        if (a.level == SHM_AHEAD_HOME || a.level == SHM_AHEAD_BEHIND)
            last = a.next;
        shm_table_ahead_step(&f->region, &a);
    }
    cr_assert(!has || has < home || (last && shm_table_match(last, position)));
}

static bool
present(struct fixture *f, const char *key)
{
    struct shm_place p;
    uint64_t position = shm_table_position(&f->region, key, strlen(key), false);
    struct shm_tree t = shm_tree_of_db(&f->region, shm_region_shard(&f->region, position), 0);
    uint64_t copy[1024];
    bool found = shm_table_find(&t, position, key, strlen(key), &p);
    enum shm_read_result read = shm_read_entry(&t, position, key, strlen(key), copy, sizeof copy, 5);
    cr_assert_eq(read, found ? SHM_READ_COPIED : SHM_READ_ABSENT);
    shm_table_fetch_node(&t, position);
    const struct shm_bucket_sh *home = shm_table_fetch_home(&t, position);
    cr_assert(!found || (home >= p.segment->bucket && home < p.segment->bucket + p.segment->buckets), "the home is in the key's segment");
    if (home)
        shm_table_fetch_behind(home);
    look_ahead(f, &t, position, home, found ? &p : NULL);
    return found;
}

/* Empties the region, which has then nothing left, and closes it. */
static void
give_all_back(struct fixture *f)
{
    fixture_check(f);
    fixture_clear(f);
    for (unsigned s = 0; s < f->region.nshards; s++)
        cr_assert_eq(f->region.shards[s].used_bytes, 0, "everything was given back");
    fixture_check(f);
    fixture_close(f);
}

Test(class, sizes_fit)
{
    for (uint32_t n = 1; n <= SHM_BLOCK_MAX; n++) {
        unsigned class = shm_class_of(n);
        cr_assert(shm_class_size(class) >= n, "size %u in class %u of %u", n, class, shm_class_size(class));
        cr_assert(class == 0 || shm_class_size(class - 1) < n);
        cr_assert(shm_class_size(class) * shm_class_blocks(class) <= SHM_SPAN_BYTES);
    }
}

Test(table, a_bucket_tells_the_slots_of_a_tag)
{
    static const uint64_t tags[] = {0, 1, 0x7FFF, 0x8000, 0xFFFF};
    _Alignas(64) struct shm_bucket_sh b = {0};
    for (unsigned filled = 0; filled < 64; filled++) {
        for (unsigned t = 0; t < 5; t++) {
            unsigned seen = 0, expected = 0;
            for (unsigned i = 0; i < SHM_BUCKET_SLOTS; i++) {
                uint64_t tag = tags[(i + filled) % 5];
                atomic_store(&b.slot[i], filled >> i & 1 ? tag << 48 | (tags[t] + 1) << 3 : 0);
                expected |= (unsigned)((filled >> i & 1) && tag == tags[t]) << i;
            }
            for (unsigned match = shm_table_match(&b, tags[t] | 0xABCDull << 48); match; match &= match - 1)
                seen |= 1u << shm_table_match_slot(match);
            cr_assert_eq(seen, expected, "%x instead of %x", seen, expected);
        }
    }
}

Test(table, grows_and_shrinks, .timeout = 120)
{
    struct fixture f;
    char key[32];
    fixture_open(&f, 24);
    for (int i = 0; i < KEYS; i++) {
        snprintf(key, sizeof key, "key:%d", i);
        put(&f, key, key);
    }
    fixture_check(&f);
    for (int i = 0; i < KEYS; i++) {
        snprintf(key, sizeof key, "key:%d", i);
        cr_assert(present(&f, key));
        if (i % 10)
            put(&f, key, NULL);
        cr_assert_eq(present(&f, key), i % 10 == 0);
    }
    give_all_back(&f);
}

static unsigned
spans_in_use(const struct shm_region *r)
{
    unsigned n = 0;
    for (uint64_t s = 0; s < r->header->spans; s++)
        n += shm_span_word_state(atomic_load(&r->span_words[s])) == SHM_SPAN_USED;
    return n;
}

/* A value that grows leaves a span of each class on its way: kept as the class's only room, until somebody asks for them. */
Test(table, empty_spans_are_kept_and_given_back)
{
    struct fixture f;
    char value[2000];
    memset(value, 'v', sizeof value);
    fixture_open(&f, 24);
    uint16_t shard = fixture_shard(&f.region, "key");
    for (size_t n = 20; n < sizeof value; n += n / 2) {
        value[n] = '\0';
        put(&f, "key", value);
        value[n] = 'v';
    }
    unsigned before = spans_in_use(&f.region);
    cr_assert_geq(before, 10);
    cr_assert(shm_alloc_has_spare(&f.region, shard));
    cr_assert(shm_tx_begin(&f.tx));
    shm_tx_enter(&f.tx, &shard, 1);
    cr_assert(shm_alloc_give_spare(&f.tx, shard));
    cr_assert(shm_tx_commit(&f.tx));
    cr_assert_eq(spans_in_use(&f.region), 2, "the key's and its segment's of %u", before);
    cr_assert_not(shm_alloc_has_spare(&f.region, shard));
    fixture_check(&f);
    cr_assert(present(&f, "key"));
    put(&f, "key", "small again");
    fixture_check(&f);
    fixture_close(&f);
}

static unsigned
spans_of_class(const struct shm_region *r, unsigned class)
{
    unsigned n = 0;
    for (uint64_t s = 0; s < r->header->spans; s++) {
        uint64_t word = atomic_load(&r->span_words[s]);
        n += shm_span_word_state(word) == SHM_SPAN_USED && shm_span_word_class(word) == class;
    }
    return n;
}

/* The node that a shard has one of lies among the entries, whatever their size; further ones have spans of their own. */
Test(table, first_node_needs_no_span, .timeout = 120)
{
    static const size_t values[] = {1, 30, 100, 300, 500, 1000, 3000};
    char key[32], value[4000];
    memset(value, 'v', sizeof value);
    for (unsigned v = 0; v < sizeof values / sizeof values[0]; v++) {
        struct fixture f;
        fixture_open(&f, 64);
        value[values[v]] = '\0';
        for (int i = 0; i < KEYS / 3; i++) {
            snprintf(key, sizeof key, "key:%d", i);
            put(&f, key, value);
        }
        value[values[v]] = 'v';
        for (unsigned s = 0; s < f.region.nshards; s++)
            cr_assert(!shm_table_is_segment(shm_region_dbroot(&f.region, s, 0)->tree.root), "its root is a node");
        unsigned own = spans_of_class(&f.region, shm_class_of(sizeof(struct shm_node_sh)));
        cr_assert_eq(own, values[v] == 3000 ? f.region.nshards : 0, "%u spans beside values of %zu", own, values[v]);
        give_all_back(&f);
    }
}

/* Per cent of the memory lent to the index that holds segments. */
static unsigned
index_filled(const struct shm_region *r)
{
    uint64_t lent = 0, in_use = 0;
    for (uint64_t s = 0; s < r->header->spans; s++) {
        uint64_t word = atomic_load(&r->span_words[s]);
        unsigned class = shm_span_word_class(word);
        if (shm_span_word_state(word) != SHM_SPAN_USED || class < SHM_CLASS_TABLE || class >= SHM_CLASSES)
            continue;
        lent += SHM_SPAN_BYTES;
        in_use += r->span_metas[s].used * shm_class_size(class);
    }
    return lent ? (unsigned)(in_use * 100 / lent) : 0;
}

Test(table, spans_of_a_large_index_stay_filled, .timeout = 120)
{
    struct fixture f;
    char key[32];
    fixture_open(&f, 64);
    for (int i = 0; i < 90000; i++) {
        snprintf(key, sizeof key, "key:%d", i);
        put(&f, key, "v");
        if (i >= 30000 && i % 1000 == 0)
            cr_assert_geq(index_filled(&f.region), 80, "%u %% with %d keys", index_filled(&f.region), i);
    }
    fixture_close(&f);
}

/* Gives every shard's tree the form for so many entries. */
static void
presize(struct fixture *f, uint64_t entries)
{
    for (uint16_t s = 0; s < f->region.nshards; s++) {
        struct shm_tree t = shm_tree_of_db(&f->region, s, 0);
        cr_assert(shm_tx_begin(&f->tx));
        shm_tx_enter(&f->tx, &s, 1);
        cr_assert(shm_table_presize(&f->tx, &t, entries));
        cr_assert(shm_tx_commit(&f->tx));
    }
}

static uint64_t
index_spans(const struct fixture *f)
{
    uint64_t n = 0;
    for (uint64_t s = 0; s < atomic_load(&f->region.header->committed_extents) * SHM_SPANS_PER_EXTENT; s++) {
        uint64_t word = atomic_load(&f->region.span_words[s]);
        n += shm_span_word_state(word) == SHM_SPAN_USED && shm_span_word_class(word) >= SHM_CLASS_TABLE;
    }
    return n;
}

/* Made for none, too few, just so many, and too many: what is put in is found again, and goes again. */
Test(table, is_made_at_once, .timeout = 120)
{
    static const uint64_t shares[] = {0, 1, 50, 100, 400, 10000};
    for (unsigned i = 0; i < sizeof shares / sizeof shares[0]; i++) {
        struct fixture f;
        char key[32];
        fixture_open(&f, 32);
        presize(&f, KEYS * shares[i] / 100 / f.region.nshards);
        fixture_check(&f);
        uint64_t before = index_spans(&f);
        cr_assert_not(present(&f, "key:0"));
        for (int k = 0; k < KEYS; k++) {
            snprintf(key, sizeof key, "key:%d", k);
            put(&f, key, key);
        }
        fixture_check(&f);
        if (shares[i] >= 100)
            cr_assert(index_spans(&f) <= before + before / 4 + f.region.nshards, "it hardly grew: %lu, was %lu", (unsigned long)index_spans(&f), (unsigned long)before);
        for (int k = 0; k < KEYS; k++) {
            snprintf(key, sizeof key, "key:%d", k);
            cr_assert(present(&f, key));
            put(&f, key, NULL);
        }
        fixture_check(&f);
        fixture_clear(&f);
        fixture_check(&f);
        fixture_close(&f);
    }
}

static void
count_one(void *arg, uint64_t position, struct shm_place *p)
{
    (void)position;
    (void)p;
    ++*(unsigned *)arg;
}

Test(table, scan_sees_each_key_once_while_nothing_changes)
{
    struct fixture f;
    char key[32];
    unsigned seen = 0;
    fixture_open(&f, 24);
    for (int i = 0; i < 5000; i++) {
        snprintf(key, sizeof key, "%d", i);
        put(&f, key, "x");
    }
    for (unsigned shard = 0; shard < f.region.nshards; shard++) {
        struct shm_tree t = shm_tree_of_db(&f.region, shard, 0);
        uint64_t cursor = (uint64_t)shard << (64 - f.region.shard_bits);
        while (shm_table_scan(&t, &cursor, count_one, &seen))
            ;
        cr_assert_eq(cursor, (uint64_t)(shard + 1) << (64 - f.region.shard_bits), "ends where the next shard begins");
    }
    cr_assert_eq(seen, 5000);
    fixture_close(&f);
}

/* Every allocation of a long change fails in turn: the pool is exactly too small by one more span each time. */
Test(alloc, short_memory_changes_nothing, .timeout = 120)
{
    static char big[1 << 20];
    struct fixture f;
    fixture_open(&f, 1);
    put(&f, "a", "before");
    uint64_t old = fixture_digest(&f.region);
    unsigned failures = 0;
    for (size_t n = 10000; n <= sizeof big * 2; n *= 2) {
        size_t size = n < sizeof big ? n : sizeof big;
        for (int round = 0; round < 4; round++) {
            cr_assert(shm_tx_begin(&f.tx));
            shm_tx_enter_all(&f.tx);
            bool ok = fixture_put(&f.tx, "a", big, size) && fixture_hset(&f.tx, "a2", "f", big, size);
            enum shm_want want = f.tx.want;
            shm_tx_abort(&f.tx);
            failures += !ok;
            cr_assert(ok || want == SHM_WANT_LIMIT);
            cr_assert_eq(fixture_digest(&f.region), old);
            fixture_check(&f);
        }
    }
    cr_assert(failures > 0, "the pool of 2 MiB was too small for some");
    put(&f, "a", "after");
    fixture_close(&f);
}

Test(check, finds_planted_faults)
{
    struct fixture f;
    struct shm_check_result result;
    fixture_open(&f, 8);
    put(&f, "a", "1");
    fixture_check(&f);
    struct shm_shard_sh *s = &f.region.shards[fixture_shard(&f.region, "a")];
    s->used_bytes += 8;
    cr_assert_not(shm_check_region(&f.region, type_value_check, &result));
    s->used_bytes -= 8;
    struct shm_span_meta_sh *m = &f.region.span_metas[s->room[0] - 1];
    m->bitmap[0] ^= 1ull << 5; /* a leaked block */
    m->used++;
    cr_assert_not(shm_check_region(&f.region, type_value_check, &result));
    cr_assert(strstr(result.first, "nothing refers to it") != NULL, "%s", result.first);
    m->bitmap[0] ^= 1ull << 5;
    m->used--;
    fixture_check(&f);
    fixture_close(&f);
}
