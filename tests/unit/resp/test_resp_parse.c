/* test_resp_parse.c - the request parser: every case in one piece, byte by byte and in pieces of seven.
 *
 * What Redis answers in these cases was measured with redis-server 7.0.15.
 */
#include "resp/resp_parse.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 4

static const struct resp_limits open_limits = { .bulk_max = RESP_BULK_DEFAULT_MAX };

/* Tells the requests as "[a][b];[c];" and the final error, so that a case is one string. */
static void
tell(struct buf *out, const struct resp_request *request)
{
    for (int i = 0; i < request->argc; i++) {
        buf_append(out, "[", 1);
        buf_append(out, request->argv[i].data, request->argv[i].len);
        buf_append(out, "]", 1);
    }
    buf_append(out, ";", 1);
}

/* Parses what is in the buffer in batches; false after an error. */
static bool
drain(struct resp_parser *p, struct buf *in, const struct resp_limits *limits, struct buf *told)
{
    for (;;) {
        struct resp_request request[BATCH];
        size_t bytes = 0;
        int n = 0;
        enum resp_parse_result result = RESP_PARSE_REQUEST;
        while (n < BATCH && (result = resp_parse(p, in, limits, &request[n])) == RESP_PARSE_REQUEST)
            bytes += request[n++].bytes;
        for (int i = 0; i < n; i++)
            tell(told, &request[i]);
        size_t before = buf_pending(in);
        resp_parser_release(p, in);
        cr_assert_geq(before - buf_pending(in), bytes);
        cr_assert_neq(result, RESP_PARSE_NOMEM);
        if (result == RESP_PARSE_BAD) {
            char text[64];
            resp_parser_error(p, text);
            buf_append_str(told, text);
            return false;
        }
        if (result == RESP_PARSE_MORE) {
            cr_assert_geq(p->wanted, 1);
            return true;
        }
    }
}

static void
parse_in_pieces(const char *bytes, size_t len, size_t piece, const struct resp_limits *limits,
                struct buf *told)
{
    struct resp_parser p;
    struct buf in;
    resp_parser_init(&p);
    buf_init(&in);
    bool going = true;
    for (size_t at = 0; at < len && going; at += piece) {
        buf_append(&in, bytes + at, len - at < piece ? len - at : piece);
        going = drain(&p, &in, limits, told);
    }
    buf_append(told, "", 1);
    resp_parser_destroy(&p);
    buf_destroy(&in);
}

static void
check_bytes(const char *bytes, size_t len, const struct resp_limits *limits, const char *expected)
{
    static const size_t pieces[] = { SIZE_MAX / 2, 1, 7 };
    for (size_t i = 0; i < sizeof(pieces) / sizeof(*pieces); i++) {
        struct buf told;
        buf_init(&told);
        parse_in_pieces(bytes, len, pieces[i], limits, &told);
        cr_assert_str_eq(buf_head(&told), expected, "in pieces of %zu: '%s' instead of '%s'",
                         pieces[i], buf_head(&told), expected);
        buf_destroy(&told);
    }
}

static void
check(const char *text, const char *expected)
{
    check_bytes(text, strlen(text), &open_limits, expected);
}

Test(resp_parse, multibulk)
{
    check("*1\r\n$4\r\nPING\r\n", "[PING];");
    check("*3\r\n$3\r\nSET\r\n$16\r\n0123456789abcdef\r\n$0\r\n\r\n", "[SET][0123456789abcdef][];");
    check("*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", "[PING];[GET][k];");
    check("*1\r\n$4\r\nPI\r\n\r\n", "[PI\r\n];");
    check("*1\r\n$4\r\nPI", "");
    check("*9\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n$1\r\n4\r\n$1\r\n5\r\n$1\r\n6\r\n$1\r\n7\r\n$1\r\n8\r\n$10\r\n0123456789\r\n",
        "[1][2][3][4][5][6][7][8][0123456789];");
    check("PING\r\n*1\r\n$01\r\na\r\n", "[PING];Protocol error: invalid bulk length"); /* the list of arguments is there already */
    check("PING\r\n*1\r\n$1a\r\na\r\n", "[PING];Protocol error: invalid bulk length");
    check("PING\r\n*1\r\n$:\r\na\r\n", "[PING];Protocol error: invalid bulk length");
    check("PING\r\n*1\rX$1\rXaxx*2\r\n$0\r\n\r\n$1\r\nb\r\n", "[PING];[a];[][b];");
    check("PING\r\n*1\r\n#1\r\na\r\n", "[PING];Protocol error: expected '$', got '#'");
}

Test(resp_parse, many_requests_and_many_arguments)
{
    struct buf in, expected;
    buf_init(&in);
    buf_init(&expected);
    for (int i = 0; i < 300; i++) { /* crowds the batch's first list of 64 arguments */
        int argc = i % 3 == 0 ? 40 : 1;
        buf_printf(&in, "*%d\r\n", argc);
        for (int k = 0; k < argc; k++) {
            buf_printf(&in, "$3\r\n%03d\r\n", i);
            buf_printf(&expected, "[%03d]", i);
        }
        buf_append(&expected, ";", 1);
    }
    buf_append(&expected, "", 1);
    check_bytes(buf_head(&in), buf_pending(&in), &open_limits, buf_head(&expected));
    buf_destroy(&in);
    buf_destroy(&expected);
}

Test(resp_parse, empty_requests_are_skipped)
{
    check("*0\r\n*1\r\n$1\r\na\r\n", "[a];");
    check("*-1\r\n*-9223372036854775808\r\nPING\r\n", "[PING];");
    check("\r\n\n \t\r\nPING\nECHO x\r\n", "[PING];[ECHO][x];");
    check("\r\n\r\n", "");
}

Test(resp_parse, skipped_bytes_leave_the_buffer)
{
    struct resp_parser p;
    struct resp_request request;
    struct buf in;
    resp_parser_init(&p);
    buf_init(&in);
    buf_append_str(&in, "\r\n*0\r\n\r\nPI");
    cr_assert_eq(resp_parse(&p, &in, &open_limits, &request), RESP_PARSE_MORE);
    resp_parser_release(&p, &in);
    cr_assert_eq(buf_pending(&in), 2);
    buf_append_str(&in, "NG\r\n");
    cr_assert_eq(resp_parse(&p, &in, &open_limits, &request), RESP_PARSE_REQUEST);
    cr_assert_eq(request.bytes, 6);
    resp_parser_release(&p, &in);
    cr_assert_eq(buf_pending(&in), 0);
    resp_parser_destroy(&p);
    buf_destroy(&in);
}

Test(resp_parse, line_corners)
{
    check("*1\rX$4\r\nPING\r\n", "[PING];"); /* the byte behind CR is not looked at */
    check("*1\r\n$4\rXPINGxx", "[PING];");
    check("*2147483647\r\n", "");
    check("*2147483648\r\n", "Protocol error: invalid multibulk length");
    check("*01\r\n", "Protocol error: invalid multibulk length");
    check("*-0\r\n", "Protocol error: invalid multibulk length");
    check("*+1\r\n", "Protocol error: invalid multibulk length");
    check("*\r\n", "Protocol error: invalid multibulk length");
    check("*1a\r\n", "Protocol error: invalid multibulk length");
    check("*-9223372036854775809\r\n", "Protocol error: invalid multibulk length");
    check("*99999999999999999999\r\n", "Protocol error: invalid multibulk length");
    check("PING\r\n*1\r\n$-1\r\n", "[PING];Protocol error: invalid bulk length");
    check("*1\r\n$\r\n", "Protocol error: invalid bulk length");
    check("*1\r\n$ 4\r\n", "Protocol error: invalid bulk length");
    check("*1\r\n$04\r\n", "Protocol error: invalid bulk length");
    check("*1\r\n$9223372036854775808\r\n", "Protocol error: invalid bulk length");
    check("*1\r\n:4\r\n", "Protocol error: expected '$', got ':'");
    check("*1\r\n\r\n", "Protocol error: expected '$', got '\r'");
}

Test(resp_parse, bulk_limit)
{
    struct resp_limits limits = { .bulk_max = 1024 * 1024 };
    check_bytes("*1\r\n$1048576\r\n", 14, &limits, "");
    check_bytes("*1\r\n$1048577\r\n", 14, &limits, "Protocol error: invalid bulk length");
    limits.bulk_max = INT64_MAX;
    check_bytes("*1\r\n$9223372036854775807\r\n", 26, &limits, "");
}

Test(resp_parse, before_auth)
{
    struct resp_limits limits = { .bulk_max = RESP_BULK_DEFAULT_MAX, .unauthenticated = true };
    check_bytes("*10\r\n$16384\r\n", 13, &limits, "");
    check_bytes("*11\r\n", 5, &limits, "Protocol error: unauthenticated multibulk length");
    check_bytes("*1\r\n$16385\r\n", 12, &limits, "Protocol error: unauthenticated bulk length");
}

Test(resp_parse, inline_quotes)
{
    check("ECHO a b  c\n", "[ECHO][a][b][c];");
    check("'a\\'b' \"\\x41\\n\\q\\\\\" \"\"\r\n", "[a'b][A\nq\\][];");
    check("\"\\xZZ\\x4\"\r\n", "[xZZx4];");
    check("'\\n\"'\r\n", "[\\n\"];");
    check("ECHO a\"b c\" d\r\n", "[ECHO][ab c][d];");
    check("ECHO a\x0b" "b\x0b c\r\n", "[ECHO][a\x0b" "b\x0b][c];");
    check("ECHO a\rb\r\n", "[ECHO][a][b];");
    check("\"a\"b\r\n", "Protocol error: unbalanced quotes in request");
    check("\"a\r\n", "Protocol error: unbalanced quotes in request");
    check("'a\\'\r\n", "Protocol error: unbalanced quotes in request");
    check("$3\r\n", "[$3];");
}

/* head, then n times 'c', then tail. */
static void
check_long(const char *head, char c, size_t n, const char *tail, const char *expected)
{
    size_t len = strlen(head) + n + strlen(tail);
    char *bytes = malloc(len + 1);
    cr_assert(bytes != NULL);
    memcpy(bytes, head, strlen(head));
    memset(bytes + strlen(head), c, n);
    strcpy(bytes + strlen(head) + n, tail);
    struct buf told;
    for (size_t piece = 1; piece < 70000; piece += 34567) {
        buf_init(&told);
        parse_in_pieces(bytes, len, piece, &open_limits, &told);
        if (expected != NULL)
            cr_assert_str_eq(buf_head(&told), expected, "'%.80s'", buf_head(&told));
        else
            cr_assert_eq(buf_pending(&told), n + 4); /* the one argument, "[];" and NUL */
        buf_destroy(&told);
    }
    free(bytes);
}

Test(resp_parse, too_long_lines)
{
    check_long("", 'a', 65536, "\n", NULL);
    check_long("", 'a', 65535, "\r\n", NULL);
    check_long("", 'a', 65537, "\n", "Protocol error: too big inline request");
    check_long("", 'a', 65536, "\r\n", "Protocol error: too big inline request");
    check_long("*", '1', 65535, "", "");
    check_long("*", '1', 65536, "", "Protocol error: too big mbulk count string");
    check_long("*1\r\n$", '1', 65536, "", "Protocol error: too big bulk count string");
}

Test(resp_parse, nul_hides_the_end_of_line)
{
    check_bytes("PI\0NG\r\nPING\r\n", 13, &open_limits, "");
    check_bytes("*1\0\r\n$4\r\nPING\r\n", 16, &open_limits, "");
    check_bytes("*1\r\n\0\r\n", 7, &open_limits, "");
    check_bytes("*1\r\n$3\r\na\0b\r\nPING\r\n", 20, &open_limits, "[a");
}

Test(resp_parse, wanted_tells_the_rest_of_a_bulk)
{
    struct resp_parser p;
    struct resp_request request;
    struct buf in;
    resp_parser_init(&p);
    buf_init(&in);
    buf_append_str(&in, "*1\r\n$100000\r\nabc");
    cr_assert_eq(resp_parse(&p, &in, &open_limits, &request), RESP_PARSE_MORE);
    cr_assert_eq(p.wanted, 100000 + 2 - 3);
    resp_parser_release(&p, &in);
    cr_assert_eq(buf_pending(&in), 16); /* nothing of it may go */
    resp_parser_destroy(&p);
    buf_destroy(&in);
}

Test(resp_parse, trim_keeps_what_is_in_progress)
{
    struct resp_parser p;
    struct resp_request request;
    struct buf in;
    resp_parser_init(&p);
    buf_init(&in);
    buf_append_str(&in, "*2\r\n$1\r\na\r\n");
    cr_assert_eq(resp_parse(&p, &in, &open_limits, &request), RESP_PARSE_MORE);
    resp_parser_trim(&p);
    buf_append_str(&in, "$1\r\nb\r\n");
    cr_assert_eq(resp_parse(&p, &in, &open_limits, &request), RESP_PARSE_REQUEST);
    cr_assert_eq(request.argc, 2);
    cr_assert_eq(*request.argv[0].data, 'a');
    resp_parser_release(&p, &in);
    resp_parser_trim(&p);
    cr_assert_null(p.args);
    buf_destroy(&in);
}
