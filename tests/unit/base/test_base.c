/* test_base.c - buffers and checksums. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/crc.h"
#include "base/slice.h"

Test(crc, check_values)
{
    cr_assert_eq(crc16("123456789", 9), 0x31c3);
    cr_assert_eq(crc64(0, "123456789", 9), 0xe9c6d914c4b8d9caull);
    cr_assert_eq(crc64(crc64(0, "1234", 4), "56789", 5), 0xe9c6d914c4b8d9caull);
}

/* By tables, by folding, whole or in pieces: the same at every length and alignment. */
Test(crc, all_ways_agree)
{
    static uint8_t bytes[700];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * i * 31 + i * 7 + 1);
    for (size_t n = 0; n + 8 < sizeof bytes; n++) {
        const uint8_t *p = bytes + n % 8;
        uint64_t whole = crc64(n, p, n);
        cr_assert_eq(whole, crc64_tables(n, p, n), "%zu bytes", n);
        cr_assert_eq(whole, crc64(crc64(n, p, n / 3), p + n / 3, n - n / 3), "%zu bytes in two pieces", n);
    }
}

/* Each byte counts, at every length, and none behind the end. */
Test(bytes, equal)
{
    for (size_t n = 0; n <= 40; n++) {
        char a[42] = {0}, b[42] = {0};
        for (size_t i = 0; i < n; i++)
            a[i] = b[i] = (char)('a' + i % 26);
        b[n] = 1;
        cr_assert(bytes_equal(a, b, n), "%zu bytes", n);
        for (size_t i = 0; i < n; i++) {
            b[i] ^= 0x40;
            cr_assert_not(bytes_equal(a, b, n), "byte %zu of %zu", i, n);
            b[i] ^= 0x40;
        }
    }
}

Test(buf, appends_and_consumes)
{
    struct buf b;
    buf_init(&b);
    buf_append_str(&b, "hello ");
    buf_printf(&b, "%d", 42);
    cr_assert_eq(buf_pending(&b), 8);
    buf_consume(&b, 6);
    cr_assert_eq(memcmp(buf_head(&b), "42", 2), 0);
    buf_consume(&b, 2);
    cr_assert_eq(b.off, 0, "an empty buffer starts again at the front");
    buf_destroy(&b);
}

Test(buf, failure_is_sticky)
{
    struct buf b;
    buf_init(&b);
    buf_append_str(&b, "kept");
    cr_assert_not(buf_reserve(&b, (size_t)-1 / 2));
    buf_append_str(&b, "ignored");
    cr_assert(buf_failed(&b));
    cr_assert_eq(buf_pending(&b), 4);
    buf_destroy(&b);
}

Test(slice, is_had_and_given_back_where_there_are_slices)
{
    if (!slice_set(SLICE_LONG))
        cr_skip_test("this kernel has no slices (before Linux 6.12), or forbids them");
    cr_assert(slice_set(SLICE_USUAL), "needs no privileges");
    cr_assert(slice_set(SLICE_LONG), "nor does it again");
}
