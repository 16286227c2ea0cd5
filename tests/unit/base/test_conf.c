/* test_conf.c - reading and editing configuration files. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/conf.h"
#include "base/conf_edit.h"

static char seen[4096], error[CONF_ERROR_MAX];

static bool
note(void *arg, const struct conf_entry *e)
{
    size_t n = strlen(seen);
    (void)arg;
    snprintf(seen + n, sizeof seen - n, "%u %s.%s=[%s]%u\n", e->line, e->group ? e->group : "", e->name, e->text, e->count);
    return strcmp(e->name, "stop") != 0;
}

static bool
read_conf(const char *text)
{
    seen[0] = '\0';
    return conf_read_text(text, strlen(text), "f", note, NULL, error);
}

static bool
read_redis(const char *text)
{
    seen[0] = '\0';
    return conf_redis_read_text(text, strlen(text), "f", note, NULL, error);
}

Test(conf, values_become_words)
{
    cr_assert(read_conf("a: { b = 1; c = true; d = 1.5; e = \"x y\"; f = 5000000000L;\n g = [\"1\", \"2\"]; h = (1, [2, 3]); };\n"
                        "i: { j = { k = \"1 2\"; l = 3; }; };\ntop = 0x10;\n"));
    cr_assert_str_eq(seen, "1 a.b=[1]1\n1 a.c=[yes]1\n1 a.d=[1.5]1\n1 a.e=[x y]1\n1 a.f=[5000000000]1\n2 a.g=[1 2]2\n2 a.h=[1 2 3]3\n"
                           "3 i.j=[k 1 2 l 3]4\n4 .top=[16]1\n");
}

Test(conf, mistakes_have_file_and_line)
{
    cr_assert_not(read_conf("a: {\n b = ;\n};"));
    cr_assert_str_eq(error, "f:2: syntax error");
    cr_assert_not(conf_read_text("a\0b", 3, "f", note, NULL, error));
    cr_assert_not(read_conf("stop = 1; b = 2;"));
    cr_assert_str_eq(error, "", "the caller has said why");
    cr_assert_str_eq(seen, "1 .stop=[1]1\n");
    cr_assert_not(read_conf("a = ((((((1))))));"), "too deep");
}

Test(conf, lines_of_redis)
{
    cr_assert(read_redis("# comment\n\n  port 6379\nsave 900 1\r\nrequirepass \"a \\\"b\\x41\\n\"\nbind '1' \"2\"\nempty \"\"\nname 'it\\'s'\nlast"));
    cr_assert_str_eq(seen, "3 .port=[6379]1\n4 .save=[900 1]2\n5 .requirepass=[a \"bA\n]1\n6 .bind=[1 2]2\n7 .empty=[]1\n8 .name=[it's]1\n9 .last=[]0\n");
    cr_assert_not(read_redis("a 1\nb \"open\n"));
    cr_assert(strstr(error, "f:2: the value of 'b'"), "%s", error);
    cr_assert_not(read_redis("a \"x\"y\n"));
}

static void
edited(const char *before, const char *group, const char *name, const char *value, const char *after)
{
    struct buf text;
    buf_init(&text);
    buf_append_str(&text, before);
    cr_assert(conf_edit_set(&text, group, name, value), "%s", before);
    buf_append(&text, "", 1);
    cr_assert_str_eq(buf_head(&text), after, "got %s", buf_head(&text));
    buf_destroy(&text);
}

Test(conf_edit, replaces_and_adds)
{
    edited("# c\na: { b = 1; // one\n  c = [1, 2]; };\n", "a", "b", "7", "# c\na: { b = 7; // one\n  c = [1, 2]; };\n");
    edited("a: { b = 1; /* } */ c = { x = \"};\"; }; };", "a", "c", "\"y\"", "a: { b = 1; /* } */ c = \"y\"; };");
    edited("a: { bb = 1; };\nb: { b = \"1\" \"2\"; };", "b", "b", "3", "a: { bb = 1; };\nb: { b = 3; };");
    edited("a: {\n    b = 1;\n};\n", "a", "c", "2", "a: {\n    b = 1;\n    c = 2;\n};\n");
    edited("a = { b = 1 }", "a", "b", "2", "a = { b = 2 }");
    edited("a: { };", "n", "c", "2", "a: { };\n\nn: {\n    c = 2;\n};\n");
    edited("", "n", "c", "2", "\nn: {\n    c = 2;\n};\n");
}

Test(conf_edit, lines_of_redis)
{
    struct buf text;
    buf_init(&text);
    buf_append_str(&text, "# save 1 1\nsave 900 1\nSAVE 300 10\nslaveof a 1\nport 5");
    cr_assert(conf_edit_set_redis(&text, "save", NULL, "\"\""));
    cr_assert(conf_edit_set_redis(&text, "replicaof", "slaveof", "b 2"));
    cr_assert(conf_edit_set_redis(&text, "hz", NULL, "10"));
    buf_append(&text, "", 1);
    cr_assert_str_eq(buf_head(&text), "# save 1 1\nsave \"\"\nreplicaof b 2\nport 5\nhz 10\n");
    buf_destroy(&text);
}

Test(conf_edit, what_is_quoted_is_read_again)
{
    static const char text[] = "a \"b\\ \t\x01 c\xc3\xa9";
    for (int redis = 0; redis < 2; redis++) {
        struct buf line;
        buf_init(&line);
        buf_append_str(&line, redis ? "x " : "x = ");
        conf_edit_quote(&line, text, redis);
        buf_append(&line, redis ? "\n" : ";\n", redis ? 2 : 3);
        cr_assert(redis ? read_redis(buf_head(&line)) : read_conf(buf_head(&line)), "%s: %s", buf_head(&line), error);
        cr_assert(strstr(seen, text), "%s gave %s", buf_head(&line), seen);
        buf_destroy(&line);
    }
}
