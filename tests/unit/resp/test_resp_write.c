/* test_resp_write.c - the reply writer: each type in both versions. */
#include "resp/resp_write.h"

#include <criterion/criterion.h>
#include <limits.h>
#include <math.h>

static struct buf buffer;
static struct resp_out out;

static void
start(int version)
{
    buf_init(&buffer);
    out = (struct resp_out){ .buf = &buffer, .version = version };
}

static void
expect(const char *wire)
{
    cr_assert_not(buf_failed(&buffer));
    buf_append(&buffer, "", 1);
    cr_assert_str_eq(buf_head(&buffer), wire);
    buf_destroy(&buffer);
}

/* One reply, written by `call`, in each version. */
#define BOTH(call, wire2, wire3) \
    do {                         \
        start(2);                \
        call;                    \
        expect(wire2);           \
        start(3);                \
        call;                    \
        expect(wire3);           \
    } while (0)
#define SAME(call, wire) BOTH(call, wire, wire)

Test(resp_write, plain)
{
    SAME(resp_out_ok(&out), "+OK\r\n");
    SAME(resp_out_simple(&out, "QUEUED"), "+QUEUED\r\n");
    SAME(resp_out_raw(&out, ":0\r\n", 4), ":0\r\n");
}

Test(resp_write, errors_hold_no_line_ends)
{
    SAME(resp_out_error(&out, "ERR syntax error"), "-ERR syntax error\r\n");
    SAME(resp_out_error(&out, "\r\nERR a\rb\nc\r\n\n"), "-ERR a b c\r\n");
    SAME(resp_out_errorf(&out, "ERR got '%c' %d", '\r', 7), "-ERR got ' ' 7\r\n");
    SAME(resp_out_error_bytes(&out, "ERR cut here", 7), "-ERR cut\r\n");
}

Test(resp_write, integers)
{
    SAME(resp_out_int(&out, 0), ":0\r\n");
    SAME(resp_out_int(&out, 9), ":9\r\n");
    SAME(resp_out_int(&out, 10), ":10\r\n");
    SAME(resp_out_int(&out, 99), ":99\r\n");
    SAME(resp_out_int(&out, 100), ":100\r\n");
    SAME(resp_out_int(&out, -1), ":-1\r\n");
    SAME(resp_out_int(&out, INT64_MAX), ":9223372036854775807\r\n");
    SAME(resp_out_int(&out, INT64_MIN), ":-9223372036854775808\r\n");
    SAME(resp_out_bulk_int(&out, INT64_MIN), "$20\r\n-9223372036854775808\r\n");
    SAME(resp_out_bulk_int(&out, 5), "$1\r\n5\r\n");
}

Test(resp_write, strings)
{
    SAME(resp_out_bulk(&out, "", 0), "$0\r\n\r\n");
    SAME(resp_out_bulk(&out, "a\r\n", 3), "$3\r\na\r\n\r\n");
    SAME(resp_out_bulk_str(&out, "hello world!"), "$12\r\nhello world!\r\n");
    SAME(resp_out_bulkf(&out, "%s=%d", "a", 1), "$3\r\na=1\r\n");
    SAME(memcpy(resp_out_bulk_begin(&out, 3), "abc", 3), "$3\r\nabc\r\n");
    BOTH(resp_out_verbatim(&out, "txt", "some", 4), "$4\r\nsome\r\n", "=8\r\ntxt:some\r\n");
}

Test(resp_write, nulls_and_booleans)
{
    BOTH(resp_out_null(&out), "$-1\r\n", "_\r\n");
    BOTH(resp_out_null_array(&out), "*-1\r\n", "_\r\n");
    BOTH(resp_out_bool(&out, true), ":1\r\n", "#t\r\n");
    BOTH(resp_out_bool(&out, false), ":0\r\n", "#f\r\n");
}

Test(resp_write, doubles)
{
    BOTH(resp_out_double(&out, 3.1), "$18\r\n3.1000000000000001\r\n", ",3.1000000000000001\r\n");
    BOTH(resp_out_double(&out, 10), "$2\r\n10\r\n", ",10\r\n");
    BOTH(resp_out_double(&out, -1e300), "$24\r\n-1.0000000000000001e+300\r\n", ",-1.0000000000000001e+300\r\n");
    BOTH(resp_out_double(&out, INFINITY), "$3\r\ninf\r\n", ",inf\r\n");
    BOTH(resp_out_double(&out, -INFINITY), "$4\r\n-inf\r\n", ",-inf\r\n");
    BOTH(resp_out_double_text(&out, "0.5", 3), "$3\r\n0.5\r\n", ",0.5\r\n");
    BOTH(resp_out_bignum(&out, "123456789012345678901", 21), "$21\r\n123456789012345678901\r\n",
         "(123456789012345678901\r\n");
}

Test(resp_write, collections)
{
    SAME(resp_out_array(&out, 0), "*0\r\n");
    SAME(resp_out_array(&out, 1234567), "*1234567\r\n");
    BOTH(resp_out_map(&out, 2), "*4\r\n", "%2\r\n");
    BOTH(resp_out_set(&out, 3), "*3\r\n", "~3\r\n");
    BOTH(resp_out_push(&out, 3), "*3\r\n", ">3\r\n");
    start(3);
    resp_out_attribute(&out, 1);
    expect("|1\r\n");
}

/* An array of an empty map, a set of `n` and a map of one. */
static void
nest(int n)
{
    struct resp_deferred array = resp_out_deferred_begin(&out);
    resp_out_deferred_map(&out, resp_out_deferred_begin(&out), 0);
    struct resp_deferred set = resp_out_deferred_begin(&out);
    for (int i = 0; i < n; i++)
        resp_out_int(&out, 1);
    resp_out_deferred_set(&out, set, (size_t)n);
    struct resp_deferred map = resp_out_deferred_begin(&out);
    resp_out_int(&out, 7);
    resp_out_int(&out, 8);
    resp_out_deferred_map(&out, map, 1);
    resp_out_deferred_array(&out, array, 3);
}

Test(resp_write, deferred)
{
    BOTH(nest(1), "*3\r\n*0\r\n*1\r\n:1\r\n*2\r\n:7\r\n:8\r\n",
         "*3\r\n%0\r\n~1\r\n:1\r\n%1\r\n:7\r\n:8\r\n");
    BOTH(nest(10),
         "*3\r\n*0\r\n*10\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n"
         "*2\r\n:7\r\n:8\r\n",
         "*3\r\n%0\r\n~10\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n"
         "%1\r\n:7\r\n:8\r\n");
}

Test(resp_write, deferred_behind_consumed_bytes)
{
    start(2);
    buf_append(&buffer, "gone+A\r\n", 8);
    buf_consume(&buffer, 4);
    struct resp_deferred place = resp_out_deferred_begin(&out);
    for (int i = 0; i < 1000; i++)
        resp_out_ok(&out);
    resp_out_deferred_array(&out, place, 1000);
    cr_assert_eq(buf_pending(&buffer), 4 + 7 + 5000);
    cr_assert_eq(memcmp(buf_head(&buffer), "+A\r\n*1000\r\n+OK\r\n", 16), 0);
    buf_destroy(&buffer);
}

Test(resp_write, after_a_failure_nothing_is_written)
{
    start(3);
    resp_out_ok(&out);
    buffer.failed = true;
    struct resp_deferred place = resp_out_deferred_begin(&out);
    resp_out_bulk_str(&out, "x");
    resp_out_error(&out, "ERR x");
    resp_out_verbatim(&out, "txt", "x", 1);
    resp_out_double(&out, 1);
    cr_assert_null(resp_out_bulk_begin(&out, 1));
    resp_out_deferred_array(&out, place, 100);
    cr_assert_eq(buf_pending(&buffer), 5);
    buf_destroy(&buffer);
}
