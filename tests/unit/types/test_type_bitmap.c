/* test_type_bitmap.c - bit work on strings of any shape against a bit-by-bit model. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/rand.h"
#include "tests/unit/shm/fixture.h"
#include "types/type_bitmap.h"

#define LONGEST 40000

static bool
model_get(const char *bytes, size_t len, uint64_t bit)
{
    return bit / 8 < len && ((unsigned char)bytes[bit / 8] >> (7 - bit % 8) & 1);
}

/* Random bytes, of few different values so that long runs come up. */
static void
fill(struct rand *r, char *bytes, size_t n)
{
    static const unsigned char values[] = {0x00, 0x00, 0x00, 0xFF, 0xFF, 0x01, 0x80, 0x5A};
    for (size_t i = 0, run; i < n; i += run) {
        run = 1 + rand_below(r, 300);
        run = run < n - i ? run : n - i;
        memset(bytes + i, values[rand_below(r, 8)], run);
    }
}

static void
compare(struct rand *r, const struct string_view *v, const char *bytes)
{
    uint64_t bits = v->len * 8ull;
    for (int i = 0; i < 40; i++) {
        uint64_t first = rand_below(r, bits), last = first + rand_below(r, bits - first), count = 0;
        int64_t zero = -1, one = -1;
        for (uint64_t b = first; b <= last; b++) {
            bool set = model_get(bytes, v->len, b);
            count += set;
            int64_t *place = set ? &one : &zero;
            *place = *place < 0 ? (int64_t)b : *place;
        }
        cr_assert_eq(type_bitmap_count(v, first, last), count);
        cr_assert_eq(type_bitmap_find(v, true, first, last), one);
        cr_assert_eq(type_bitmap_find(v, false, first, last), zero);
        cr_assert_eq(type_bitmap_get(v, first), model_get(bytes, v->len, first));
    }
    cr_assert_not(type_bitmap_get(v, bits));
    cr_assert_not(type_bitmap_get(v, UINT32_MAX));
}

Test(bitmap, plain_bytes)
{
    struct rand r = {{1, 2}};
    char *bytes = malloc(LONGEST);
    for (size_t n = 1; n < 3000; n = n * 3 / 2 + 1) {
        struct string_view v;
        fill(&r, bytes, n);
        type_string_view_bytes(&v, bytes, n);
        compare(&r, &v, bytes);
    }
    free(bytes);
}

Test(bitmap, blobs_with_holes)
{
    struct fixture f;
    struct rand r = {{3, 4}};
    struct shm_blob_sh b = {0, 0};
    uint16_t shard = 0;
    char *bytes = calloc(1, LONGEST);
    fixture_open(&f, 8);
    cr_assert(shm_tx_begin(&f.tx));
    shm_tx_enter(&f.tx, &shard, 1);
    cr_assert(shm_blob_resize(&f.tx, shard, &b, LONGEST));
    fill(&r, bytes + 9000, 1000);
    cr_assert(shm_blob_write(&f.tx, shard, &b, 9000, bytes + 9000, 1000));
    fill(&r, bytes + 32700, 200);
    cr_assert(shm_blob_write(&f.tx, shard, &b, 32700, bytes + 32700, 200));
    struct string_view v = {.len = LONGEST, .region = &f.region, .blob = b};
    compare(&r, &v, bytes);
    shm_tx_abort(&f.tx);
    fixture_close(&f);
    free(bytes);
}

Test(bitmap, combining)
{
    struct rand r = {{5, 6}};
    char a[500], b[300], c[1], out[600];
    struct string_view v[3];
    fill(&r, a, sizeof a);
    fill(&r, b, sizeof b);
    c[0] = 0x3C;
    type_string_view_bytes(&v[0], a, sizeof a);
    type_string_view_bytes(&v[1], b, sizeof b);
    type_string_view_bytes(&v[2], c, sizeof c);
    for (int op = TYPE_BITMAP_AND; op <= TYPE_BITMAP_NOT; op++) {
        type_bitmap_combine((enum type_bitmap_op)op, v, 3, 0, out, sizeof out);
        for (size_t i = 0; i < sizeof out; i++) {
            unsigned char x = i < sizeof a ? (unsigned char)a[i] : 0, y = i < sizeof b ? (unsigned char)b[i] : 0,
                          z = i < sizeof c ? (unsigned char)c[i] : 0;
            unsigned char want = op == TYPE_BITMAP_AND ? x & y & z
                : op == TYPE_BITMAP_OR                 ? x | y | z
                : op == TYPE_BITMAP_XOR                ? x ^ y ^ z
                                                       : (unsigned char)~x;
            cr_assert_eq((unsigned char)out[i], want);
        }
    }
}

/* Every width and place: what was put is read, and nothing beside it changed. */
Test(bitmap, fields_keep_to_their_bits)
{
    struct rand r = {{7, 8}};
    for (unsigned bits = 1; bits <= 64; bits++) {
        for (unsigned offset = 0; offset < 40; offset++) {
            struct bitmap_field field = {.offset = offset, .bits = bits, .is_signed = rand_below(&r, 2) || bits == 64};
            char string[32], before[32], bytes[TYPE_BITMAP_FIELD_BYTES];
            struct string_view v;
            size_t n;
            fill(&r, string, sizeof string);
            memcpy(before, string, sizeof string);
            type_string_view_bytes(&v, string, sizeof string);
            size_t at = type_bitmap_field_bytes(&v, &field, bytes, &n);
            int64_t value;
            type_bitmap_field_add(&field, TYPE_BITMAP_WRAP, (int64_t)rand_next(&r), 0, &value);
            type_bitmap_field_put(&field, bytes, value);
            memcpy(string + at, bytes, n);
            type_bitmap_field_bytes(&v, &field, bytes, &n);
            cr_assert_eq(type_bitmap_field_get(&field, bytes), value);
            for (uint64_t b = 0; b < sizeof string * 8; b++)
                if (b < offset || b >= offset + bits)
                    cr_assert_eq(model_get(string, sizeof string, b), model_get(before, sizeof before, b));
        }
    }
}

Test(bitmap, overflow)
{
    struct bitmap_field u8 = {.bits = 8}, i8 = {.bits = 8, .is_signed = true}, i64 = {.bits = 64, .is_signed = true},
        u63 = {.bits = 63};
    int64_t v;
    cr_assert(type_bitmap_field_add(&u8, TYPE_BITMAP_WRAP, 250, 10, &v) && v == 4);
    cr_assert(type_bitmap_field_add(&u8, TYPE_BITMAP_SAT, 250, 10, &v) && v == 255);
    cr_assert(type_bitmap_field_add(&u8, TYPE_BITMAP_SAT, 5, -10, &v) && v == 0);
    cr_assert(type_bitmap_field_add(&u8, TYPE_BITMAP_SAT, -1, 0, &v) && v == 255);
    cr_assert_not(type_bitmap_field_add(&u8, TYPE_BITMAP_FAIL, 250, 10, &v));
    cr_assert(type_bitmap_field_add(&u8, TYPE_BITMAP_FAIL, 250, 5, &v) && v == 255);
    cr_assert(type_bitmap_field_add(&i8, TYPE_BITMAP_WRAP, 127, 1, &v) && v == -128);
    cr_assert(type_bitmap_field_add(&i8, TYPE_BITMAP_SAT, -100, -100, &v) && v == -128);
    cr_assert(type_bitmap_field_add(&i64, TYPE_BITMAP_WRAP, INT64_MAX, 1, &v) && v == INT64_MIN);
    cr_assert(type_bitmap_field_add(&i64, TYPE_BITMAP_SAT, INT64_MIN, -1, &v) && v == INT64_MIN);
    cr_assert(type_bitmap_field_add(&u63, TYPE_BITMAP_SAT, INT64_MAX, INT64_MAX, &v) && v == INT64_MAX);
    cr_assert(type_bitmap_field_add(&u63, TYPE_BITMAP_SAT, INT64_MAX, INT64_MIN, &v) && v == 0);
}
