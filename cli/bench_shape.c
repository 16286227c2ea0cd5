/* bench_shape.c - what the requests of a test look like (see bench_shape.h).
 *
 * With one shape the batch is laid out once and then only its digits change, which is what makes the generator lean; with two,
 * every request is copied. All connections share the batch: what a socket does not take at once is its connection's to keep.
 */
#include "cli/bench_shape.h"

#include <stdio.h>
#include <string.h>

#include "base/xassert.h"

#define MSET_KEYS 10

/* A row of the table of tests. */
struct test {
    const char *name;
    bool sequential;
    bool (*shape)(struct bench_shape *s, const struct bench_options *o);
    bool (*second)(struct bench_shape *s, const struct bench_options *o); /* NULL: one shape */
};

/* ---- shapes ------------------------------------------------------------------------------------- */

static void
word(struct bench_shape *s, const char *text)
{
    buf_printf(&s->bytes, "$%zu\r\n%s\r\n", strlen(text), text);
}

/* A word of 16 bytes that ends with a hole. */
static void
numbered(struct bench_shape *s, const char *prefix, enum bench_hole_kind kind)
{
    xassert(s->holes < BENCH_SHAPE_HOLES_MAX && strlen(prefix) == 4);
    buf_printf(&s->bytes, "$%d\r\n%s", 4 + BENCH_DIGITS, prefix);
    s->hole[s->holes++] = (struct bench_hole){ kind, s->bytes.len };
    buf_append_str(&s->bytes, "000000000000\r\n");
}

/* Letters and digits in no order that compresses well; the same for every request. */
static void
value(struct bench_shape *s, const struct bench_options *o)
{
    size_t n = (size_t)o->value_bytes;
    uint32_t x = 2463534242u;
    buf_printf(&s->bytes, "$%zu\r\n", n);
    if (!buf_reserve(&s->bytes, n))
        return;
    for (size_t i = 0; i < n; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        s->bytes.data[s->bytes.len++] = "abcdefghijklmnopqrstuvwxyz012345"[x & 31];
    }
    buf_append(&s->bytes, "\r\n", 2);
}

static void
expect(struct bench_shape *s, const char *lead, size_t len)
{
    snprintf(s->hint.lead, sizeof s->hint.lead, "%s", lead);
    s->hint.bytes = strlen(s->hint.lead);
    s->hint.len = len;
}

static void
expect_value(struct bench_shape *s, const struct bench_options *o)
{
    char lead[24];
    int n = snprintf(lead, sizeof lead, "$%lld\r\n", (long long)o->value_bytes);
    expect(s, lead, (size_t)n + (size_t)o->value_bytes + 2);
}

static bool
shape_get(struct bench_shape *s, const struct bench_options *o)
{
    buf_append_str(&s->bytes, "*2\r\n");
    word(s, "GET");
    numbered(s, "key:", BENCH_HOLE_KEY);
    expect_value(s, o);
    return !buf_failed(&s->bytes);
}

static bool
shape_set(struct bench_shape *s, const struct bench_options *o)
{
    buf_append_str(&s->bytes, "*3\r\n");
    word(s, "SET");
    numbered(s, "key:", BENCH_HOLE_KEY);
    value(s, o);
    expect(s, "+OK\r\n", 5);
    return !buf_failed(&s->bytes);
}

static bool
shape_mset(struct bench_shape *s, const struct bench_options *o)
{
    buf_printf(&s->bytes, "*%d\r\n", 1 + 2 * MSET_KEYS);
    word(s, "MSET");
    for (int i = 0; i < MSET_KEYS; i++) {
        numbered(s, "key:", BENCH_HOLE_KEY);
        value(s, o);
    }
    expect(s, "+OK\r\n", 5);
    return !buf_failed(&s->bytes);
}

static bool
shape_incr(struct bench_shape *s, const struct bench_options *o)
{
    (void)o;
    buf_append_str(&s->bytes, "*2\r\n");
    word(s, "INCR");
    numbered(s, "cnt:", BENCH_HOLE_KEY);
    return !buf_failed(&s->bytes);
}

static bool
shape_hget(struct bench_shape *s, const struct bench_options *o)
{
    buf_append_str(&s->bytes, "*3\r\n");
    word(s, "HGET");
    numbered(s, "hsh:", BENCH_HOLE_HASH);
    numbered(s, "fld:", BENCH_HOLE_FIELD);
    expect_value(s, o);
    return !buf_failed(&s->bytes);
}

static bool
shape_hset(struct bench_shape *s, const struct bench_options *o)
{
    buf_append_str(&s->bytes, "*4\r\n");
    word(s, "HSET");
    numbered(s, "hsh:", BENCH_HOLE_HASH);
    numbered(s, "fld:", BENCH_HOLE_FIELD);
    value(s, o);
    expect(s, ":0\r\n", 4);
    return !buf_failed(&s->bytes);
}

static const struct test tests[] = {
    { "fill", true, shape_set, NULL },       { "hfill", true, shape_hset, NULL },
    { "get", false, shape_get, NULL },       { "set", false, shape_set, NULL },
    { "hget", false, shape_hget, NULL },     { "hset", false, shape_hset, NULL },
    { "mset", false, shape_mset, NULL },     { "incr", false, shape_incr, NULL },
    { "mixed", false, shape_get, shape_set },
};

static const struct test *
find(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        if (strlen(tests[i].name) == len && memcmp(tests[i].name, name, len) == 0)
            return &tests[i];
    return NULL;
}

bool
bench_test_exists(const char *name, size_t len)
{
    return find(name, len) != NULL;
}

bool
bench_test_is_fill(const char *name, size_t len)
{
    const struct test *t = find(name, len);
    xassert(t != NULL);
    return t->sequential;
}

bool
bench_requests_create(struct bench_requests *r, const char *name, size_t len, const struct bench_options *o)
{
    const struct test *t = find(name, len);
    xassert(t != NULL);
    *r = (struct bench_requests){ .shapes = t->second != NULL ? 2 : 1,
                                  .reads = (uint64_t)o->reads,
                                  .keys = (uint64_t)o->keys,
                                  .fields = (uint64_t)o->fields,
                                  .sequential = t->sequential,
                                  .hot = o->hot_key && !t->sequential,
                                  .random = { 88172645463325252u ^ (uint64_t)o->seed, 0x9e3779b97f4a7c15u } };
    buf_init(&r->batch);
    buf_init(&r->shape[0].bytes);
    buf_init(&r->shape[1].bytes);
    return t->shape(&r->shape[0], o) && (t->second == NULL || t->second(&r->shape[1], o));
}

void
bench_requests_destroy(struct bench_requests *r)
{
    buf_destroy(&r->batch);
    buf_destroy(&r->shape[0].bytes);
    buf_destroy(&r->shape[1].bytes);
}

size_t
bench_requests_longest(const struct bench_requests *r)
{
    size_t a = r->shape[0].bytes.len, b = r->shape[1].bytes.len;
    return a > b ? a : b;
}

/* ---- batches ------------------------------------------------------------------------------------ */

/* xorshift128+ (Sebastiano Vigna). */
static uint64_t
random_next(uint64_t s[2])
{
    uint64_t a = s[0], b = s[1];
    s[0] = b;
    a ^= a << 23;
    s[1] = a ^ b ^ (a >> 17) ^ (b >> 26);
    return s[1] + b;
}

/* Uniform below n, by the high half of a product. */
static uint64_t
random_below(uint64_t s[2], uint64_t n)
{
    return (uint64_t)(((unsigned __int128)random_next(s) * n) >> 64);
}

static uint64_t
draw(struct bench_requests *r)
{
    if (r->hot)
        return 0;
    if (!r->sequential)
        return random_below(r->random, r->keys);
    uint64_t k = r->next++;
    return k % r->keys;
}

static void
put_digits(char *at, uint64_t v)
{
    for (int i = BENCH_DIGITS - 2; i >= 0; i -= 2) {
        unsigned two = (unsigned)(v % 100);
        v /= 100;
        at[i] = (char)('0' + two / 10);
        at[i + 1] = (char)('0' + two % 10);
    }
}

static void
number(struct bench_requests *r, const struct bench_shape *s, char *request)
{
    uint64_t k = 0;
    for (unsigned i = 0; i < s->holes; i++) {
        const struct bench_hole *h = &s->hole[i];
        if (h->kind != BENCH_HOLE_FIELD)
            k = draw(r);
        uint64_t v = h->kind == BENCH_HOLE_KEY ? k : h->kind == BENCH_HOLE_HASH ? k / r->fields : k % r->fields;
        put_digits(request + h->at, v);
    }
}

/* The only shape: lays out what is missing, then changes digits. */
static size_t
batch_of_one(struct bench_requests *r, unsigned n)
{
    const struct bench_shape *s = &r->shape[0];
    for (; r->laid < n; r->laid++)
        buf_append(&r->batch, s->bytes.data, s->bytes.len);
    if (buf_failed(&r->batch))
        return 0;
    for (unsigned i = 0; i < n; i++)
        number(r, s, r->batch.data + i * s->bytes.len);
    return n * s->bytes.len;
}

static size_t
batch_of_two(struct bench_requests *r, unsigned n)
{
    buf_truncate(&r->batch, 0);
    for (unsigned i = 0; i < n; i++) {
        const struct bench_shape *s = &r->shape[random_below(r->random, 100) < r->reads ? 0 : 1];
        size_t at = r->batch.len;
        buf_append(&r->batch, s->bytes.data, s->bytes.len);
        if (buf_failed(&r->batch))
            return 0;
        number(r, s, r->batch.data + at);
    }
    return r->batch.len;
}

size_t
bench_requests_batch(struct bench_requests *r, unsigned n)
{
    return r->shapes == 1 ? batch_of_one(r, n) : batch_of_two(r, n);
}
