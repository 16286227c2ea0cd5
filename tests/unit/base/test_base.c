/* test_base.c - buffers and checksums. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/buf.h"
#include "base/crc.h"

Test(crc, check_values)
{
    cr_assert_eq(crc16("123456789", 9), 0x31c3);
    cr_assert_eq(crc64(0, "123456789", 9), 0xe9c6d914c4b8d9caull);
    cr_assert_eq(crc64(crc64(0, "1234", 4), "56789", 5), 0xe9c6d914c4b8d9caull);
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
