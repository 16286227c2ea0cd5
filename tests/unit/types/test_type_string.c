/* test_type_string.c - random overwriting and extending of one string, inline and as a blob, against plain memory. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/decimal.h"
#include "base/rand.h"
#include "tests/unit/shm/fixture.h"
#include "types/type_value.h"

#define LONGEST 200000u

struct string {
    struct fixture f;
    struct shm_tree tree;
    uint64_t position;
    uint16_t shard;
    char *model;
    size_t len;
};

static struct shm_entry_sh *
present(struct string *s, struct shm_place *p)
{
    return shm_table_find(&s->tree, s->position, "key", 3, p) ? p->entry : NULL;
}

/* A new entry of the plan in the present one's place. */
static void
put(struct string *s, struct shm_place *p, const struct string_plan *plan)
{
    struct shm_entry_sh *old = p->entry;
    shm_off off = shm_tx_alloc(&s->f.tx, s->shard, shm_entry_size_for(3, plan->vlen, false));
    cr_assert(off);
    char *to = shm_entry_build(shm_at(&s->f.region, off), SHM_TYPE_STRING, plan->encoding, 0, 0, "key", 3, plan->vlen, -1);
    cr_assert(type_string_plan_write(&s->f.tx, s->shard, plan, to));
    if (old)
        cr_assert(shm_table_replace(&s->f.tx, p, off) && shm_entry_free(&s->f.tx, s->shard, old));
    else
        cr_assert(shm_table_insert(&s->f.tx, &s->tree, s->position, off, p));
}

/* As SETRANGE does it. */
static void
write_at(struct string *s, size_t at, const char *bytes, size_t n)
{
    struct shm_place p = {0};
    struct string_view old;
    struct string_plan plan;
    struct shm_entry_sh *e = present(s, &p);
    enum type_change done = e ? type_string_write(&s->f.tx, s->shard, e, at, bytes, n) : TYPE_REPLACE;
    cr_assert_neq(done, TYPE_FAILED);
    if (done == TYPE_REPLACE) {
        if (e)
            type_string_view(&old, &s->f.region, e);
        else
            type_string_view_bytes(&old, "", 0);
        type_string_plan_splice(&plan, &old, at, bytes, n, 3);
        put(s, &p, &plan);
    }
}

static void
model_write(struct string *s, size_t at, const char *bytes, size_t n)
{
    if (at > s->len)
        memset(s->model + s->len, 0, at - s->len);
    memcpy(s->model + at, bytes, n);
    s->len = at + n > s->len ? at + n : s->len;
}

static void
compare(struct string *s)
{
    struct shm_place p;
    struct string_view v;
    char *copy = malloc(LONGEST);
    type_string_view(&v, &s->f.region, present(s, &p));
    cr_assert_eq(v.len, s->len);
    type_string_copy(&v, 0, copy, v.len);
    cr_assert_eq(memcmp(copy, s->model, s->len), 0);
    for (size_t at = 0, n; at < v.len; at += n) {
        const char *piece = type_string_piece(&v, at, &n);
        cr_assert(n > 0 && memcmp(piece, s->model + at, n) == 0);
    }
    free(copy);
}

static void
run(size_t longest, size_t piece, int steps)
{
    struct string s = {0};
    struct rand r = {{longest, piece}};
    char *bytes = malloc(piece);
    s.model = malloc(LONGEST);
    fixture_open(&s.f, 24);
    s.position = shm_table_position(&s.f.region, "key", 3, false);
    s.shard = (uint16_t)shm_region_shard(&s.f.region, s.position);
    s.tree = shm_tree_of_db(&s.f.region, s.shard, 0);
    for (int i = 0; i < steps; i++) {
        size_t n = 1 + rand_below(&r, piece), at = rand_below(&r, longest - n);
        bool keep = rand_below(&r, 5) != 0; /* else the transaction is taken back */
        if (rand_below(&r, 3) == 0 && s.len + n <= longest)
            at = s.len; /* as APPEND does */
        memset(bytes, (int)('a' + rand_below(&r, 26)), n);
        cr_assert(shm_tx_begin(&s.f.tx));
        shm_tx_enter(&s.f.tx, &s.shard, 1);
        write_at(&s, at, bytes, n);
        if (keep || s.len == 0) {
            cr_assert(shm_tx_commit(&s.f.tx));
            model_write(&s, at, bytes, n);
        } else {
            shm_tx_abort(&s.f.tx);
        }
        if (i % 20 == 0)
            compare(&s);
    }
    compare(&s);
    fixture_check(&s.f);
    fixture_close(&s.f);
    free(s.model);
    free(bytes);
}

Test(string, inline_ones, .timeout = 60) { run(300, 40, 3000); }
Test(string, across_the_block_limit, .timeout = 60) { run(12000, 3000, 1500); }
Test(string, blobs, .timeout = 60) { run(LONGEST, 30000, 600); }

Test(string, numbers_are_exact)
{
    static const struct {
        const char *text;
        bool is_int;
        int64_t number;
    } cases[] = {{"0", true, 0}, {"-1", true, -1}, {"9223372036854775807", true, INT64_MAX},
        {"-9223372036854775808", true, INT64_MIN},
        {"9223372036854775808", false, 0}, {"-9223372036854775809", false, 0}, {"", false, 0}, {"-", false, 0},
        {"-0", false, 0},
        {"00", false, 0}, {"01", false, 0}, {"+1", false, 0}, {" 1", false, 0}, {"1 ", false, 0}, {"1.0", false, 0},
        {"99999999999999999999999", false, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t v = 0;
        char digits[TYPE_STRING_DIGITS];
        size_t n = strlen(cases[i].text);
        cr_assert_eq(decimal_read(cases[i].text, n, &v), cases[i].is_int, "%s", cases[i].text);
        if (cases[i].is_int) {
            cr_assert_eq(v, cases[i].number);
            cr_assert(type_string_render_int(v, digits) == n && memcmp(digits, cases[i].text, n) == 0);
        }
    }
}
