/* test_resp_read.c - the reply reader: each type, in one piece and byte by byte, and a peer that lies. */
#include "resp/resp_read.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

/* Tells a value in a notation of this test. */
static void
tell(struct buf *told, const struct resp_value *v)
{
    static const char *const open[] = {
        [RESP_ARRAY] = "[", [RESP_MAP] = "{", [RESP_SET] = "<", [RESP_PUSH] = ">"
    };
    switch (v->type) {
    case RESP_SIMPLE:
        buf_printf(told, "+%s", v->text);
        break;
    case RESP_ERROR:
        buf_printf(told, "!%s", v->text);
        break;
    case RESP_INT:
        buf_printf(told, "%lld", (long long)v->integer);
        break;
    case RESP_BULK:
        buf_printf(told, "'%s'%zu", v->text, v->len);
        break;
    case RESP_NULL:
        buf_printf(told, v->null_array ? "nullarray" : "null");
        break;
    case RESP_DOUBLE:
        buf_printf(told, "d%g=%s", v->number, v->text);
        break;
    case RESP_BOOL:
        buf_printf(told, v->boolean ? "true" : "false");
        break;
    case RESP_BIGNUM:
        buf_printf(told, "(%s", v->text);
        break;
    case RESP_VERBATIM:
        buf_printf(told, "%s:%s", v->ext, v->text);
        break;
    default:
        buf_append_str(told, open[v->type]);
        for (size_t i = 0; i < v->count; i++) {
            tell(told, &v->child[i]);
            buf_append_str(told, ",");
        }
        buf_append_str(told, "]");
    }
}

/* Reads all of the bytes, `piece` at a time; tells every reply, and an error. */
static void
read_in_pieces(const char *bytes, size_t len, size_t piece, struct buf *told)
{
    struct resp_reader *r = resp_reader_create();
    struct buf in;
    buf_init(&in);
    enum resp_read_result result = RESP_READ_MORE;
    for (size_t at = 0; at < len && result == RESP_READ_MORE; at += piece) {
        buf_append(&in, bytes + at, len - at < piece ? len - at : piece);
        struct resp_value *value;
        while ((result = resp_read(r, &in, &value)) == RESP_READ_VALUE) {
            tell(told, value);
            buf_append_str(told, ";");
            resp_value_destroy(value);
        }
    }
    if (result == RESP_READ_BAD)
        buf_append_str(told, resp_reader_error(r));
    buf_append(told, "", 1);
    buf_destroy(&in);
    resp_reader_destroy(r);
}

static void
check_bytes(const char *bytes, size_t len, const char *expected)
{
    static const size_t pieces[] = { SIZE_MAX / 2, 1, 5 };
    for (size_t i = 0; i < sizeof(pieces) / sizeof(*pieces); i++) {
        struct buf told;
        buf_init(&told);
        read_in_pieces(bytes, len, pieces[i], &told);
        cr_assert_str_eq(buf_head(&told), expected, "'%s' instead of '%s'", buf_head(&told),
                         expected);
        buf_destroy(&told);
    }
}

static void
check(const char *text, const char *expected)
{
    check_bytes(text, strlen(text), expected);
}

Test(resp_read, scalars)
{
    check("+OK\r\n-ERR no\r\n:-5\r\n:+7\r\n", "+OK;!ERR no;-5;7;");
    check("$3\r\na\r\n\r\n$0\r\n\r\n$-1\r\n*-1\r\n", "'a\r\n'3;''0;null;nullarray;");
    check("_\r\n#t\r\n#f\r\n(123\r\n", "null;true;false;(123;");
    check(",1.5\r\n,inf\r\n,-inf\r\n,nan\r\n,1e3\r\n", "d1.5=1.5;dinf=inf;d-inf=-inf;dnan=nan;d1000=1e3;");
    check("=8\r\ntxt:some\r\n!5\r\nERR x\r\n=4\r\nmkd:\r\n", "txt:some;!ERR x;mkd:;");
    check_bytes("$3\r\na\0b\r\n", 9, "'a'3;");
}

Test(resp_read, collections)
{
    check("*0\r\n%0\r\n~0\r\n*2\r\n*1\r\n:1\r\n*0\r\n", "[];{];<];[[1,],[],];");
    check("%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n_\r\n", "{+a,1,+b,[null,],];");
    check(">2\r\n+message\r\n~1\r\n#t\r\n", ">+message,<true,],];");
    check("*10\r\n:0\r\n:1\r\n:2\r\n:3\r\n:4\r\n:5\r\n:6\r\n:7\r\n:8\r\n:9\r\n",
          "[0,1,2,3,4,5,6,7,8,9,];");
}

Test(resp_read, attributes_are_dropped)
{
    check("|1\r\n+ttl\r\n:5\r\n$1\r\nx\r\n", "'x'1;");
    check("*2\r\n|1\r\n+a\r\n*1\r\n|0\r\n:1\r\n:2\r\n|0\r\n:3\r\n", "[2,3,];");
}

Test(resp_read, lies)
{
    check("$-2\r\n", "invalid bulk length");
    check("$4294967297\r\n", "invalid bulk length");
    check("=3\r\nabc\r\n", "invalid bulk length");
    check("=4\r\nabcd\r\n", "verbatim string without format");
    check("$3\r\nabcde", "a string longer than announced");
    check("*-2\r\n", "invalid number of values");
    check("%-1\r\n", "invalid number of values");
    check("*67108865\r\n", "invalid number of values");
    check("%9223372036854775807\r\n", "invalid number of values");
    check("*1x\r\n", "invalid length");
    check("*99999999999999999999\r\n", "invalid length");
    check("hello\r\n", "unknown type byte");
    check("\r\n", "unknown type byte");
    check_bytes("\0\r\n", 3, "unknown type byte");
    check("+OK\n", "line without CRLF");
    check(":\r\n", "invalid integer");
    check(":1 \r\n", "invalid integer");
    check(",0x10\r\n", "invalid double");
    check(", 1\r\n", "invalid double");
    check(",\r\n", "invalid double");
    check("#x\r\n", "invalid boolean");
    check("_1\r\n", "invalid null");
    check("*2\r\n:1\r\n?\r\n", "unknown type byte");
}

Test(resp_read, depth_is_bounded)
{
    struct buf in;
    buf_init(&in);
    for (int i = 0; i < RESP_READ_DEPTH_MAX; i++)
        buf_append_str(&in, "*1\r\n");
    size_t fits = buf_pending(&in);
    struct buf told;
    buf_init(&told);
    buf_append_str(&in, ":1\r\n");
    read_in_pieces(buf_head(&in), buf_pending(&in), 3, &told);
    cr_assert(strstr(buf_head(&told), "[1,]") != NULL);
    buf_truncate(&in, fits);
    buf_append_str(&in, "*0\r\n");
    check_bytes(buf_head(&in), buf_pending(&in), "nested too deeply");
    buf_destroy(&told);
    buf_destroy(&in);
}

Test(resp_read, lines_are_bounded)
{
    struct buf in;
    buf_init(&in);
    buf_append_str(&in, "+");
    for (unsigned i = 0; i < RESP_READ_LINE_MAX; i++)
        buf_append(&in, "x", 1);
    check_bytes(buf_head(&in), buf_pending(&in), "line too long");
    buf_destroy(&in);
}
