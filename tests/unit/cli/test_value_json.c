/* test_value_json.c - JSON lines into RDB values and back; mistakes are told; base64, filters, progress, state of an import. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/base64.h"
#include "cli/filter.h"
#include "cli/import_state.h"
#include "cli/plain.h"
#include "cli/progress.h"
#include "cli/value_commands.h"
#include "cli/value_json.h"

static void
end_text(struct buf *b)
{
    buf_append(b, "", 1);
}

/* The line made of what the line says. */
static void
go_round(const char *line, const char *expected)
{
    struct value_reader r = { 0 };
    struct rdb_value v = { 0 };
    struct item item = { 0 };
    struct buf again;
    char error[VALUE_ERROR_MAX] = "";
    buf_init(&again);
    cr_assert(value_from_json(&r, line, strlen(line), &item, error), "%s: %s", line, error);
    cr_assert(value_to_json(&again, &v, &item, error), "%s: %s", line, error);
    cr_assert(again.data[again.len - 1] == '\n');
    again.data[again.len - 1] = '\0';
    cr_assert_str_eq(again.data, expected);
    buf_destroy(&again);
    rdb_value_free(&v);
    value_reader_free(&r);
}

static void
same(const char *line)
{
    go_round(line, line);
}

Test(value_json, every_type)
{
    same("{\"db\":0,\"key\":\"k\",\"type\":\"string\",\"value\":\"v\"}");
    same("{\"db\":15,\"key\":\"\",\"type\":\"string\",\"expires_ms\":1767225600000,\"value\":\"-12\"}");
    same("{\"db\":0,\"key\":{\"base64\":\"/wA=\"},\"type\":\"list\",\"value\":[\"a\",{\"base64\":\"gA==\"},\"\"]}");
    same("{\"db\":0,\"key\":\"\xc3\xa4\xf0\x9f\x98\x80\",\"type\":\"set\",\"value\":[\"\\u0000\\n\\\"\\\\\\u007f\"]}");
    same("{\"db\":0,\"key\":\"z\",\"type\":\"zset\",\"value\":[[\"a\",1.5],[\"b\",\"inf\"],[\"c\",\"-inf\"],[\"d\",-0],[\"e\",0.1],[\"f\",1e+300]]}");
    same("{\"db\":0,\"key\":\"h\",\"type\":\"hash\",\"value\":{\"f\":\"1\",\"g\":{\"base64\":\"gA==\"}}}");
    same("{\"db\":0,\"key\":\"h\",\"type\":\"hash\",\"value\":[[\"f\",\"1\"],[{\"base64\":\"gA==\"},\"\"]]}");
    same("{\"db\":0,\"key\":\"h\",\"type\":\"hash\",\"value\":[[\"f\",\"1\",1767225600000],[\"g\",\"2\"],[\"h\",\"3\",1767225600777]]}");
    same("{\"db\":0,\"key\":\"m\",\"type\":\"module\",\"value\":{\"form\":7,\"rdb\":{\"base64\":\"AAECAw==\"}}}");
    same("{\"type\":\"function\",\"value\":\"#!lua name=x\\n\"}");
}

Test(value_json, streams)
{
    same("{\"db\":0,\"key\":\"x\",\"type\":\"stream\",\"value\":{\"entries\":[],\"length\":0,\"last_id\":\"0-0\",\"first_id\":\"0-0\","
         "\"max_deleted_id\":\"0-0\",\"entries_added\":0,\"groups\":[]}}");
    same("{\"db\":0,\"key\":\"x\",\"type\":\"stream\",\"value\":{\"entries\":[[\"1-1\",[\"f\",\"v\",\"g\",\"w\"]],[\"1-5\",[\"f\",\"v\",\"g\",\"2\"]],"
         "[\"2-0\",[\"f\",\"v\"]],[\"18446744073709551615-3\",[\"g\",\"\",\"f\",{\"base64\":\"/w==\"}]]],\"length\":4,\"last_id\":\"18446744073709551615-3\","
         "\"first_id\":\"1-1\",\"max_deleted_id\":\"1-3\",\"entries_added\":9,\"groups\":[{\"name\":\"g\",\"last_id\":\"2-0\",\"entries_read\":-1,"
         "\"consumers\":[{\"name\":\"c\",\"seen_ms\":5,\"pending\":[[\"1-5\",7,2]]},{\"name\":\"d\",\"seen_ms\":6,\"pending\":[[\"1-1\",8,1],"
         "[\"2-0\",9,1]]}]},{\"name\":\"none\",\"last_id\":\"0-0\",\"entries_read\":0,\"consumers\":[]}]}}");
}

/* More entries than a node holds, of changing fields. */
Test(value_json, long_streams)
{
    struct buf line;
    buf_init(&line);
    buf_append_str(&line, "{\"db\":0,\"key\":\"x\",\"type\":\"stream\",\"value\":{\"entries\":[");
    for (int i = 1; i <= 450; i++)
        buf_printf(&line, "%s[\"%d-0\",[\"f\",\"%d\",\"%s\",\"%0*d\"]]", i > 1 ? "," : "", i, i, i % 70 == 0 ? "x" : "g", i % 200 + 1, i);
    buf_append_str(&line, "],\"length\":450,\"last_id\":\"450-0\",\"first_id\":\"1-0\",\"max_deleted_id\":\"0-0\",\"entries_added\":450,"
                          "\"groups\":[]}}");
    end_text(&line);
    same(line.data);
    buf_destroy(&line);
}

Test(value_json, other_ways_to_say_it)
{
    go_round(" { \"value\" : \"\\u00e4\\ud83d\\ude00\\/\" , \"type\":\"string\", \"more\":[{}, null, true], \"key\":\"k\" , \"expires_ms\": null } ",
             "{\"db\":0,\"key\":\"k\",\"type\":\"string\",\"value\":\"\xc3\xa4\xf0\x9f\x98\x80/\"}");
    go_round("{\"key\":\"h\",\"type\":\"hash\",\"value\":[[\"f\",\"1\"]]}", "{\"db\":0,\"key\":\"h\",\"type\":\"hash\",\"value\":{\"f\":\"1\"}}");
    go_round("{\"key\":\"z\",\"type\":\"zset\",\"value\":[[\"a\",10]]}", "{\"db\":0,\"key\":\"z\",\"type\":\"zset\",\"value\":[[\"a\",10]]}");
}

static void
refused(const char *line, const char *why)
{
    struct value_reader r = { 0 };
    struct item item = { 0 };
    char error[VALUE_ERROR_MAX] = "";
    cr_assert_not(value_from_json(&r, line, strlen(line), &item, error), "%s", line);
    cr_assert(strstr(error, why) != NULL, "%s: '%s' instead of '%s'", line, error, why);
    value_reader_free(&r);
}

#define KEY "{\"key\":\"k\",\"type\":"

Test(value_json, mistakes)
{
    refused("", "column 1: a value was expected");
    refused("{", "column 2: a name in quotes");
    refused("{\"a\"", "a colon was expected");
    refused("{\"a\":1", "a comma or an end was expected");
    refused("{\"a\":1]", "a comma or an end was expected");
    refused("{\"a\":\"x", "a string without an end");
    refused("{\"a\":\"\\x\"}", "an escape that JSON does not know");
    refused("{\"a\":\"\\u12\"}", "an escape that JSON does not know");
    refused("{\"a\":\"\t\"}", "a control character");
    refused("{\"a\":1..2}", "a number that is none");
    refused("{} x", "something stands behind the value");
    refused("[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]", "nested too deeply");
    refused("{}", "'type' or 'value' is missing");
    refused("[1]", "'type' or 'value' is missing");
    refused("{\"type\":\"string\",\"value\":\"x\"}", "'key' is missing");
    refused(KEY "\"tree\",\"value\":1}", "its type is not known");
    refused(KEY "\"string\",\"value\":1}", "a string, or {\"base64\"");
    refused(KEY "\"string\",\"value\":{\"base64\":\"AA\"}}", "a string, or {\"base64\"");
    refused(KEY "\"string\",\"value\":\"\\ud800\"}", "a string, or {\"base64\"");
    refused(KEY "\"string\",\"value\":\"x\",\"db\":-1}", "'db' is no number");
    refused(KEY "\"string\",\"value\":\"x\",\"expires_ms\":1.5}", "'expires_ms' is no whole number");
    refused(KEY "\"list\",\"value\":[]}", "an empty one");
    refused(KEY "\"zset\",\"value\":[[\"a\"]]}", "no pair of text and score");
    refused(KEY "\"zset\",\"value\":[[\"a\",\"b\"]]}", "a score is no number");
    refused(KEY "\"hash\",\"value\":{}}", "it is empty");
    refused(KEY "\"hash\",\"value\":[[\"a\"]]}", "a field is no pair");
    refused(KEY "\"hash\",\"value\":[[\"a\",\"b\",0]]}", "a field's expiry");
    refused(KEY "\"module\",\"value\":{\"form\":4,\"rdb\":\"\"}}", "none of a module's");
    refused(KEY "\"stream\",\"value\":{\"entries\":[]}}", "'groups' is missing");
    refused(KEY "\"stream\",\"value\":{\"entries\":[[\"2-0\",[\"f\",\"v\"]],[\"1-0\",[\"f\",\"v\"]]],\"groups\":[],\"length\":2,\"entries_added\":2,"
                "\"last_id\":\"2-0\",\"first_id\":\"2-0\",\"max_deleted_id\":\"0-0\"}}", "do not rise");
    refused(KEY "\"stream\",\"value\":{\"entries\":[],\"groups\":[],\"length\":1,\"entries_added\":2,\"last_id\":\"x\",\"first_id\":\"2-0\","
                "\"max_deleted_id\":\"0-0\"}}", "an id of its stream is none");
}

/* ---- commands --------------------------------------------------------------------------------------------------------------------- */

static bool
tell_command(void *arg, int argc, const struct resp_arg *argv)
{
    for (int i = 0; i < argc; i++)
        buf_printf(arg, "%.*s%s", (int)argv[i].len, argv[i].data, i + 1 < argc ? " " : ";");
    return true;
}

static void
commands(const char *line, const char *expected)
{
    struct value_reader r = { 0 };
    struct rdb_value v = { 0 };
    struct item item = { 0 };
    struct buf told;
    char error[VALUE_ERROR_MAX] = "";
    buf_init(&told);
    cr_assert(value_from_json(&r, line, strlen(line), &item, error), "%s", error);
    cr_assert(value_to_commands(&v, &item, tell_command, &told, error), "%s", error);
    end_text(&told);
    cr_assert_str_eq(told.data, expected);
    buf_destroy(&told);
    rdb_value_free(&v);
    value_reader_free(&r);
}

Test(value_json, as_commands)
{
    commands(KEY "\"string\",\"value\":\"v\",\"expires_ms\":7}", "SET k v;PEXPIREAT k 7;");
    commands(KEY "\"list\",\"value\":[\"a\",\"b\"]}", "RPUSH k a b;");
    commands(KEY "\"zset\",\"value\":[[\"a\",0.1],[\"b\",\"-inf\"]]}", "ZADD k 0.10000000000000001 a -inf b;");
    commands(KEY "\"hash\",\"value\":[[\"a\",\"1\",5],[\"b\",\"2\"]]}", "HSET k a 1;HPEXPIREAT k 5 FIELDS 1 a;HSET k b 2;");
    commands(KEY "\"stream\",\"value\":{\"entries\":[[\"1-0\",[\"f\",\"v\"]]],\"groups\":[{\"name\":\"g\",\"last_id\":\"1-0\",\"entries_read\":1,"
                 "\"consumers\":[{\"name\":\"c\",\"seen_ms\":1,\"pending\":[[\"1-0\",2,3]]}]}],\"length\":1,\"entries_added\":2,\"last_id\":\"2-0\","
                 "\"first_id\":\"1-0\",\"max_deleted_id\":\"2-0\"}}",
             "XADD k 1-0 f v;XSETID k 2-0 ENTRIESADDED 2 MAXDELETEDID 2-0;XGROUP CREATE k g 1-0 ENTRIESREAD 1;XGROUP CREATECONSUMER k g c;"
             "XCLAIM k g c 0 1-0 TIME 2 RETRYCOUNT 3 JUSTID FORCE;");
    commands(KEY "\"stream\",\"value\":{\"entries\":[],\"groups\":[],\"length\":0,\"entries_added\":0,\"last_id\":\"0-0\",\"first_id\":\"0-0\","
                 "\"max_deleted_id\":\"0-0\"}}", "XADD k MAXLEN 0 0-1 x y;XSETID k 0-0 ENTRIESADDED 0 MAXDELETEDID 0-0;");
}

/* ---- parts ------------------------------------------------------------------------------------------------------------------------ */

Test(base64, both_ways)
{
    static const char *const pairs[][2] = { { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foobar", "Zm9vYmFy" } };
    static const char *const bad[] = { "Z", "Zg", "Zg=", "Z===", "====", "Zh==", "Zm9", "Zm9=", "Zg==Zg==", "Zm9v\n" };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        struct buf b;
        buf_init(&b);
        base64_encode(&b, pairs[i][0], strlen(pairs[i][0]));
        end_text(&b);
        cr_assert_str_eq(b.data, pairs[i][1]);
        buf_clear(&b, 0);
        cr_assert(base64_decode(pairs[i][1], strlen(pairs[i][1]), &b));
        end_text(&b);
        cr_assert_str_eq(b.data, pairs[i][0]);
        buf_destroy(&b);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct buf b;
        buf_init(&b);
        cr_assert_not(base64_decode(bad[i], strlen(bad[i]), &b), "%s", bad[i]);
        buf_destroy(&b);
    }
}

Test(filter, takes)
{
    struct tool_options o = { .match = "a*", .no_match = "*z", .type = "string,hash", .no_db = "3" };
    struct item item = { .kind = ITEM_KEY, .key = { .data = "ab", .len = 2 }, .form = 0 };
    struct filter f;
    char error[FLAG_ERROR_MAX];
    cr_assert(filter_make(&f, &o, error));
    cr_assert(filter_takes(&f, &item) && filter_one_type(&f) == NULL);
    item.form = 16;
    cr_assert(filter_takes(&f, &item));
    item.form = 1;
    cr_assert_not(filter_takes(&f, &item));
    item.form = 0;
    item.db = 3;
    cr_assert_not(filter_takes(&f, &item));
    item.db = 0;
    item.key = (struct resp_arg){ .data = "az", .len = 2 };
    cr_assert_not(filter_takes(&f, &item));
    o = (struct tool_options){ .type = "zset" };
    cr_assert(filter_make(&f, &o, error));
    cr_assert_str_eq(filter_one_type(&f), "zset");
    o = (struct tool_options){ .db = "1,x" };
    cr_assert_not(filter_make(&f, &o, error));
}

Test(progress, lines)
{
    struct progress p = { .what = "import", .total = 2048, .terminal = true };
    struct buf b;
    buf_init(&b);
    progress_line(&b, &p, 1024, 2000000, "5 keys");
    end_text(&b);
    cr_assert_str_eq(b.data, "import [###############...............] 50.0% 1.0 KiB, 512 B/s, 0:02 left, 5 keys");
    buf_clear(&b, 0);
    p = (struct progress){ .what = "export", .unit = PROGRESS_KEYS, .total = 1000000 };
    progress_line(&b, &p, 100, 1000000, NULL);
    end_text(&b);
    cr_assert_str_eq(b.data, "export 0.0% 100 keys, 100 keys/s, 2:46:39 left");
    buf_destroy(&b);
}

Test(plain, nothing_reaches_the_terminal_as_it_is)
{
    char *text;
    size_t n;
    FILE *to = open_memstream(&text, &n);
    plain_printf(to, "%s %s\n", "\x1b[31m\xff\t\x7f", "\xc3\xa4" "b");
    fclose(to);
    cr_assert_str_eq(text, "\\x1b[31m\\xff\\x09\\x7f \xc3\xa4" "b\n");
    free(text);
}

Test(import_state, kept)
{
    char path[] = "/tmp/test-import-state-XXXXXX", error[FILE_MAP_ERROR_MAX];
    struct import_state s;
    close(mkstemp(path));
    cr_assert(import_state_open(&s, path, 0xfeedbeef, false, error), "%s", error);
    s.done = 12345;
    s.sent = 23456;
    s.keys = 7;
    cr_assert(import_state_write(&s));
    import_state_close(&s, false);
    cr_assert(import_state_open(&s, path, 0xfeedbeef, true, error), "%s", error);
    cr_assert(s.done == 12345 && s.sent == 23456 && s.keys == 7 && s.rejected == 0);
    import_state_close(&s, false);
    cr_assert_not(import_state_open(&s, path, 0xfeed, true, error));
    cr_assert(strstr(error, "belongs to another file") != NULL);
    cr_assert(import_state_open(&s, path, 0xfeed, false, error) && s.done == 0);
    import_state_close(&s, true);
    cr_assert_neq(access(path, F_OK), 0);
    cr_assert_not(import_state_open(&s, path, 0xfeed, true, error));
}
