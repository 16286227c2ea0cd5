/* test_cli_format.c - replies as text and as JSON. That the text equals redis-cli's is shown by tests/integration/test_cli.py. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli_format.h"
#include "cli/json.h"

/* The text of the reply that these wire bytes are; the caller frees. */
static char *
text_of(cli_format *format, const char *wire, size_t len)
{
    struct buf in, out;
    struct resp_value *value = NULL;
    struct resp_reader *reader = resp_reader_create();
    buf_init(&in);
    buf_init(&out);
    buf_append(&in, wire, len);
    cr_assert_eq(resp_read(reader, &in, &value), RESP_READ_VALUE, "%s", wire);
    format(&out, value);
    buf_append(&out, "", 1);
    char *text = strdup(buf_head(&out));
    resp_value_destroy(value);
    resp_reader_destroy(reader);
    buf_destroy(&in);
    buf_destroy(&out);
    return text;
}

static void
expect(cli_format *format, const char *wire, const char *text)
{
    char *got = text_of(format, wire, strlen(wire));
    cr_assert_str_eq(got, text);
    free(got);
}

Test(cli_format, typed_scalars)
{
    expect(cli_format_typed, ":-5\r\n", "(integer) -5\n");
    expect(cli_format_typed, "$3\r\na\"\x01\r\n", "\"a\\\"\\x01\"\n");
    expect(cli_format_typed, "$-1\r\n", "(nil)\n");
    expect(cli_format_typed, "-ERR no\r\n", "(error) ERR no\n");
    expect(cli_format_typed, ",1.5\r\n", "(double) 1.5\n");
    expect(cli_format_typed, "#t\r\n", "(true)\n");
    expect(cli_format_typed, "=6\r\ntxt:ab\r\n", "ab\n");
}

Test(cli_format, typed_collections_are_indented)
{
    expect(cli_format_typed, "*2\r\n:1\r\n*2\r\n:2\r\n*0\r\n", "1) (integer) 1\n2) 1) (integer) 2\n   2) (empty array)\n");
    expect(cli_format_typed, "%2\r\n+a\r\n:1\r\n+b\r\n*2\r\n:1\r\n:2\r\n",
           "1# a => (integer) 1\n2# b => \n   1) (integer) 1\n   2) (integer) 2\n");
    expect(cli_format_typed, "~1\r\n:1\r\n", "1~ (integer) 1\n");
    expect(cli_format_typed, "%0\r\n", "(empty hash)\n");
}

Test(cli_format, numbers_are_as_wide_as_the_last)
{
    struct buf wire;
    buf_init(&wire);
    buf_append_str(&wire, "*10\r\n");
    for (int i = 0; i < 10; i++)
        buf_append_str(&wire, ":7\r\n");
    char *got = text_of(cli_format_typed, buf_head(&wire), buf_pending(&wire));
    cr_assert_eq(strncmp(got, " 1) (integer) 7\n 2) ", 20), 0, "%s", got);
    cr_assert_not_null(strstr(got, "\n10) (integer) 7\n"));
    free(got);
    buf_destroy(&wire);
}

Test(cli_format, raw)
{
    expect(cli_format_raw, "*3\r\n:1\r\n$-1\r\n$1\r\nx\r\n", "1\n\nx\n");
    expect(cli_format_raw, "%1\r\n+a\r\n:1\r\n", "a 1\n");
    expect(cli_format_raw, "-ERR no\r\n", "ERR no\n\n");
    expect(cli_format_text, "$2\r\na\n\r\n", "a\n");
}

Test(cli_format, json)
{
    expect(cli_format_json, "*4\r\n:1\r\n$-1\r\n#f\r\n,inf\r\n", "[1,null,false,\"inf\"]\n");
    expect(cli_format_json, "%2\r\n$1\r\na\r\n,0.1\r\n:5\r\n~0\r\n", "{\"a\":0.1,\"5\":[]}\n");
    expect(cli_format_json, "-ERR \"x\"\r\n", "{\"error\":\"ERR \\\"x\\\"\"}\n");
    expect(cli_format_json, "(123456789012345678901234567890\r\n", "123456789012345678901234567890\n");
}

Test(json, bytes_that_are_no_utf8_are_escaped_one_by_one)
{
    static const struct {
        const char *bytes, *json;
    } cases[] = {
        { "gr\xc3\xbcn", "\"gr\xc3\xbcn\"" },       { "\xff\xc3", "\"\\u00ff\\u00c3\"" },
        { "\xc0\x80", "\"\\u00c0\\u0080\"" },       { "\xed\xa0\x80", "\"\\u00ed\\u00a0\\u0080\"" },
        { "\n\t\x7f\x1b", "\"\\n\\t\\u007f\\u001b\"" }, { "\\\"", "\"\\\\\\\"\"" },
        { "\xf4\x90\x80\x80", "\"\\u00f4\\u0090\\u0080\\u0080\"" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf to;
        buf_init(&to);
        json_string(&to, cases[i].bytes, strlen(cases[i].bytes));
        buf_append(&to, "", 1);
        cr_assert_str_eq(buf_head(&to), cases[i].json);
        buf_destroy(&to);
    }
}
