/* image.c - see image.h. */
#include "tests/crash/image.h"

#include <stdio.h>
#include <stdlib.h>

#include "types/type_hash.h"

/* ---- sums ---------------------------------------------------------------------------------------------------- */

#define SUM_START 0xcbf29ce484222325ull

static uint64_t
sum_bytes(uint64_t sum, const char *p, size_t n)
{
    for (; n >= 8; p += 8, n -= 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        sum = (sum ^ word) * 0x9E3779B97F4A7C15ull;
        sum ^= sum >> 29;
    }
    for (; n > 0; p++, n--)
        sum = (sum ^ (uint8_t)*p) * 0x100000001b3ull;
    return sum;
}

/* Pieces of any length give the same sum. */
struct stream {
    uint64_t sum;
};

static void
stream_add(struct stream *s, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        s->sum = (s->sum ^ (uint8_t)p[i]) * 0x100000001b3ull;
}

static uint64_t
sum_view(const struct string_view *v)
{
    struct stream s = {SUM_START};
    for (size_t at = 0, n; at < v->len; at += n) {
        const char *p = type_string_piece(v, at, &n);
        stream_add(&s, p, n);
    }
    return s.sum;
}

static uint64_t
mix(uint64_t a, uint64_t b)
{
    uint64_t words[2] = {a, b};
    return sum_bytes(SUM_START, (const char *)words, sizeof words);
}

/* ---- images ---------------------------------------------------------------------------------------------------- */

void
image_open(struct image *m, const struct shm_region *r, const char *without)
{
    *m = (struct image){.region = r, .without = without};
}

void
image_close(struct image *m)
{
    free(m->key);
    memset(m, 0, sizeof *m);
}

static bool
add_key(struct image *m, unsigned db, const struct shm_entry_sh *e)
{
    struct string_view name;
    if (m->n == m->cap) {
        m->cap = m->cap ? m->cap * 2 : 1024;
        m->key = realloc(m->key, m->cap * sizeof *m->key);
        if (!m->key)
            abort();
    }
    struct image_key *k = &m->key[m->n++];
    memset(k, 0, sizeof *k);
    type_string_view_key(&name, m->region, e);
    type_string_copy(&name, 0, k->name, name.len < IMAGE_NAME - 1 ? name.len : IMAGE_NAME - 1);
    k->name_sum = sum_view(&name);
    k->db = db;
    k->sum = mix(shm_entry_type(e), (uint64_t)shm_entry_expiry(e));
    return true;
}

static bool
sum_pair(void *arg, const struct string_view *field, const struct string_view *value)
{
    uint64_t *sum = arg;
    *sum += mix(sum_view(field), sum_view(value));
    return true;
}

static bool
is_left_out(const struct image *m, const struct shm_entry_sh *e)
{
    size_t n = m->without ? strlen(m->without) : 0;
    return n && !(e->flags & SHM_ENTRY_KEYBLOB) && shm_entry_klen(e) >= n && memcmp(shm_entry_key(e), m->without, n) == 0;
}

static bool
take_entry(void *arg, unsigned db, const struct shm_entry_sh *e)
{
    struct image *m = arg;
    uint64_t sum = 0;
    if (m->open)
        return false;
    if (is_left_out(m, e))
        return true;
    add_key(m, db, e);
    if (shm_entry_type(e) == SHM_TYPE_HASH) {
        struct type_hash h;
        type_hash_open(&h, (struct shm_region *)(uintptr_t)m->region, 0, (struct shm_entry_sh *)(uintptr_t)e);
        type_hash_each(&h, sum_pair, &sum);
    } else {
        struct string_view v;
        type_string_view(&v, m->region, e);
        sum = sum_view(&v);
    }
    m->key[m->n - 1].sum = mix(m->key[m->n - 1].sum, sum);
    return true;
}

/* ---- the walker's large values ---------------------------------------------------------------------------------- */

static bool
take_begin(void *arg, unsigned db, const struct shm_entry_sh *e, uint64_t count)
{
    struct image *m = arg;
    if (m->open)
        return false;
    m->open = true;
    m->in_field = false;
    bool hash = shm_entry_type(e) == SHM_TYPE_HASH;
    m->fields = hash ? count : 0;
    m->bytes = hash ? 0 : count;
    m->value_sum = hash ? 0 : SUM_START;
    return add_key(m, db, e);
}

/* The field whose value came in pieces is complete. */
static bool
close_field(struct image *m)
{
    if (!m->in_field)
        return true;
    m->in_field = false;
    m->value_sum += mix(m->field_sum, m->piece_sum);
    return m->bytes == 0;
}

static bool
take_field(void *arg, const struct string_view *field, const struct string_view *value)
{
    struct image *m = arg;
    if (!m->open || !close_field(m) || m->fields == 0)
        return false;
    m->fields--;
    return sum_pair(&m->value_sum, field, value);
}

static bool
take_field_begin(void *arg, const struct string_view *field, uint64_t bytes)
{
    struct image *m = arg;
    if (!m->open || !close_field(m) || m->fields == 0)
        return false;
    m->fields--;
    m->bytes = bytes;
    m->in_field = true;
    m->field_sum = sum_view(field);
    m->piece_sum = SUM_START;
    return true;
}

static bool
take_piece(void *arg, const char *bytes, size_t n)
{
    struct image *m = arg;
    if (!m->open || n > m->bytes)
        return false;
    struct stream s = {m->in_field ? m->piece_sum : m->value_sum};
    m->bytes -= n;
    stream_add(&s, bytes, n);
    *(m->in_field ? &m->piece_sum : &m->value_sum) = s.sum;
    return true;
}

static bool
take_end(void *arg)
{
    struct image *m = arg;
    if (!m->open || !close_field(m) || m->fields || m->bytes)
        return false;
    m->open = false;
    m->key[m->n - 1].sum = mix(m->key[m->n - 1].sum, m->value_sum);
    return true;
}

struct type_walk_sink
image_sink(struct image *m)
{
    return (struct type_walk_sink){.arg = m, .entry = take_entry, .begin = take_begin, .field = take_field,
        .field_begin = take_field_begin, .piece = take_piece, .end = take_end};
}

struct image_mark
image_mark(const struct image *m)
{
    struct image_mark mark = {.m = *m};
    if (m->n)
        mark.last = m->key[m->n - 1];
    return mark;
}

void
image_rewind(struct image *m, const struct image_mark *mark)
{
    struct image_key *key = m->key;
    size_t cap = m->cap;
    *m = mark->m;
    m->key = key;
    m->cap = cap;
    if (m->n)
        m->key[m->n - 1] = mark->last;
}

/* ---- the living trees -------------------------------------------------------------------------------------------- */

struct living {
    struct image *m;
    unsigned db;
};

static void
take_segment(void *arg, struct shm_segment_sh *s)
{
    struct living *l = arg;
    for (unsigned b = 0; b < s->buckets; b++)
        for (unsigned i = 0; i < SHM_BUCKET_SLOTS; i++)
            if (s->bucket[b].slot[i])
                take_entry(l->m, l->db, shm_at(l->m->region, s->bucket[b].slot[i] << 16 >> 16));
}

void
image_of_region(struct image *m, struct shm_region *r, const char *without)
{
    image_open(m, r, without);
    struct living l = {.m = m};
    for (unsigned shard = 0; shard < r->nshards; shard++) {
        for (l.db = 0; l.db < r->databases; l.db++) {
            struct shm_tree t = shm_tree_of_db(r, shard, l.db);
            uint64_t cursor = r->shard_bits ? (uint64_t)shard << (64 - r->shard_bits) : 0;
            while (shm_table_walk(&t, &cursor, take_segment, &l))
                ;
        }
    }
}

/* ---- comparing ------------------------------------------------------------------------------------------------------ */

static int
compare(const void *a, const void *b)
{
    const struct image_key *x = a, *y = b;
    if (x->db != y->db)
        return x->db < y->db ? -1 : 1;
    return x->name_sum == y->name_sum ? 0 : x->name_sum < y->name_sum ? -1 : 1;
}

const char *
image_differs(struct image *a, struct image *b)
{
    static char what[256];
    if (a->n)
        qsort(a->key, a->n, sizeof *a->key, compare);
    if (b->n)
        qsort(b->key, b->n, sizeof *b->key, compare);
    for (size_t i = 0; i < a->n || i < b->n; i++) {
        const struct image_key *x = i < a->n ? &a->key[i] : NULL, *y = i < b->n ? &b->key[i] : NULL;
        if (x && y && compare(x, y) == 0 && x->sum == y->sum)
            continue;
        bool other = x && y && compare(x, y) == 0;
        const struct image_key *k = !x || (y && compare(x, y) > 0) ? y : x;
        snprintf(what, sizeof what, "database %u key %s: %s (%zu and %zu keys)", k->db, k->name,
            other ? "differs" : k == x ? "only in the first" : "only in the second (or twice)", a->n, b->n);
        return what;
    }
    return NULL;
}
