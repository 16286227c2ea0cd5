/* test_aof_in.c - append-only files: anybody's and ours, whole, torn and damaged; every flipped byte of a group is found. */
#include "format/aof_in.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

static const struct aof_head head = { .lineage = "lineage of a tes", .first_ticket = 10 };

/* ---- making files ----------------------------------------------------------------------------------------------------- */

static void
put(struct buf *to, const char *line)
{
    char words[200], *word, *rest;
    int n = 1;
    snprintf(words, sizeof words, "%s", line);
    for (const char *s = line; *s; s++)
        n += *s == ' ';
    buf_printf(to, "*%d\r\n", n);
    for (word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        buf_printf(to, "$%zu\r\n%s\r\n", strlen(word), word);
}

static void
put_head(struct buf *to)
{
    char line[AOF_HEAD_LINE];
    aof_head_render(line, &head);
    buf_append(to, line, sizeof line);
}

/* A group of lines that end with ';'. */
static void
put_group(struct buf *to, uint64_t first, uint64_t last, uint64_t durable, const char *lines)
{
    char line[AOF_GROUP_LINE], *copy = strdup(lines), *rest;
    struct buf inside;
    buf_init(&inside);
    for (char *one = strtok_r(copy, ";", &rest); one; one = strtok_r(NULL, ";", &rest)) {
        if (*one == '#')
            buf_printf(&inside, "%s\r\n", one);
        else
            put(&inside, one);
    }
    struct iovec piece[2] = { { buf_pending(&inside) ? buf_head(&inside) : line, buf_pending(&inside) / 2 } };
    piece[1] = (struct iovec){ (char *)piece[0].iov_base + piece[0].iov_len, buf_pending(&inside) - piece[0].iov_len };
    struct aof_group g = { .first = first, .last = last, .durable = durable, .bytes = buf_pending(&inside) };
    g.hash = aof_group_hash(piece, 2);
    aof_group_render(line, &head, &g);
    buf_append(to, line, sizeof line);
    if (g.bytes > 0)
        buf_append(to, buf_head(&inside), g.bytes);
    buf_destroy(&inside);
    free(copy);
}

/* Three groups, the first two durable by the third's word, and a mark. */
static void
put_ours(struct buf *to, bool mark)
{
    put_head(to);
    put_group(to, 10, 11, 0, "SELECT 0;SET a 1");
    put_group(to, 12, 12, 11, "#TS:1700000000;MULTI;SET b 2;SET c 3;EXEC");
    put_group(to, 15, 20, 12, "DEL a");
    if (mark)
        put_group(to, 21, 20, 20, "");
}

/* ---- reading them ----------------------------------------------------------------------------------------------------- */

struct told {
    char text[2048];
    enum aof_in_result result;
    size_t whole;
    struct aof_error error;
    bool grouped;
};

static void
read_all(const char *bytes, size_t n, size_t from, struct told *t)
{
    struct aof_in in;
    size_t at = 0;
    *t = (struct told){ .grouped = true };
    aof_in_open(&in, bytes, n, from, 0);
    while ((t->result = aof_in_next(&in)) == AOF_IN_COMMAND) {
        cr_assert(in.offset < in.end && in.end <= n && bytes[in.offset] == '*');
        for (int i = 0; i < in.argc; i++)
            at += (size_t)snprintf(t->text + at, sizeof t->text - at, "%.*s%s", (int)in.argv[i].len, in.argv[i].data, i + 1 < in.argc ? " " : in.multi ? "+" : "");
        at += (size_t)snprintf(t->text + at, sizeof t->text - at, ";");
        t->grouped &= in.grouped;
        cr_assert(at < sizeof t->text);
    }
    cr_assert_eq(aof_in_next(&in), t->result);
    t->whole = in.whole;
    t->error = in.error;
    cr_assert(in.whole <= n && (t->result == AOF_IN_END || in.error.offset < n));
    aof_in_close(&in);
}

static void
check_bytes(const char *bytes, size_t n, enum aof_in_result result, size_t whole, const char *text)
{
    struct told t;
    read_all(bytes, n, 0, &t);
    cr_assert_eq(t.result, result, "%d: %s", t.result, t.error.text);
    cr_assert_str_eq(t.text, text);
    cr_assert_eq(t.whole, whole, "%zu instead of %zu", t.whole, whole);
}

static void
check(const char *bytes, enum aof_in_result result, size_t whole, const char *text)
{
    check_bytes(bytes, strlen(bytes), result, whole, text);
}

#define SET "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n" /* 27 bytes */
#define MULTI "*1\r\n$5\r\nMULTI\r\n"                  /* 15 */
#define EXEC "*1\r\n$4\r\nexec\r\n"                    /* 14 */

Test(aof_in, anybodys)
{
    check("", AOF_IN_END, 0, "");
    check(SET, AOF_IN_END, 27, "SET a 1;");
    check("#TS:5\r\n" SET "# x\n" SET, AOF_IN_END, 65, "SET a 1;SET a 1;");
    check(SET MULTI "#TS:5\r\n" SET SET EXEC SET, AOF_IN_END, 144, "SET a 1;MULTI+;SET a 1+;SET a 1+;exec+;SET a 1;");
    check_bytes("*1\r\n$3\r\n\0\r\n\r\n", 13, AOF_IN_END, 13, ";");
}

Test(aof_in, anybodys_torn)
{
    check("*", AOF_IN_TORN, 0, "");
    check("*3", AOF_IN_TORN, 0, "");
    check("*3\r\n$3\r\nSE", AOF_IN_TORN, 0, "");
    check(SET "*1\r\n$4\r\nPING", AOF_IN_TORN, 27, "SET a 1;");
    check(SET "*1\r\n$4\r\nPING\r", AOF_IN_TORN, 27, "SET a 1;");
    check(SET "#TS:1\r\n" MULTI SET, AOF_IN_TORN, 27, "SET a 1;");
    check(SET MULTI SET "#TS", AOF_IN_TORN, 27, "SET a 1;");
    check(SET "#TS:17", AOF_IN_TORN, 27, "SET a 1;");
    check("*1\r\n$999\r\nPING\r\n", AOF_IN_TORN, 0, "");
}

Test(aof_in, anybodys_damaged)
{
    check("x", AOF_IN_BAD, 0, "");
    check("*0\r\n", AOF_IN_BAD, 0, "");
    check("*-1\r\n", AOF_IN_BAD, 0, "");
    check("*99999999999999999999\r\n", AOF_IN_BAD, 0, "");
    check("*2147483647\r\n", AOF_IN_BAD, 0, "");
    check("*1\n$4\r\nPING\r\n", AOF_IN_BAD, 0, "");
    check("*1\r\n:4\r\n", AOF_IN_BAD, 0, "");
    check("*1\r\n$4\r\nPINGx\n", AOF_IN_BAD, 0, "");
    check("*1\r\n$-1\r\n", AOF_IN_BAD, 0, "");
    check(SET "PING\r\n", AOF_IN_BAD, 27, "SET a 1;");
    check(SET EXEC, AOF_IN_BAD, 27, "SET a 1;");
    check(SET MULTI SET MULTI, AOF_IN_BAD, 27, "SET a 1;");
    check(SET MULTI SET "x" EXEC, AOF_IN_BAD, 27, "SET a 1;");
    check(SET MULTI "#KVG x\r\n" EXEC, AOF_IN_BAD, 27, "SET a 1;");
    check(SET "#KVG x\r\n", AOF_IN_BAD, 27, "SET a 1;");
}

Test(aof_in, behind_a_preamble)
{
    struct told t;
    cr_assert(aof_in_is_rdb("REDIS0010", 9) && !aof_in_is_rdb("REDI", 4) && !aof_in_is_rdb(SET, 27));
    read_all("REDIS" SET, 32, 5, &t);
    cr_assert(t.result == AOF_IN_END && strcmp(t.text, "SET a 1;") == 0);
    read_all("REDIS", 5, 5, &t);
    cr_assert_eq(t.result, AOF_IN_END);
}

#define OURS "SELECT 0;SET a 1;MULTI+;SET b 2+;SET c 3+;EXEC+;DEL a;"

Test(aof_in, ours)
{
    struct buf b;
    struct told t;
    struct aof_in in;
    buf_init(&b);
    put_ours(&b, true);
    check_bytes(buf_head(&b), buf_pending(&b), AOF_IN_END, buf_pending(&b), OURS);
    read_all(buf_head(&b), buf_pending(&b), 0, &t);
    cr_assert(t.grouped);
    aof_in_open(&in, buf_head(&b), buf_pending(&b), 0, AOF_IN_TRUST);
    while (aof_in_next(&in) == AOF_IN_COMMAND)
        cr_assert(in.group.first <= in.group.last);
    cr_assert(in.annotated && !in.foreign && in.groups == 4 && in.durable == 20 && in.stamp == 1700000000 && in.commands == 7);
    cr_assert(memcmp(&in.head, &head, sizeof head) == 0);
    aof_in_close(&in);
    buf_append_str(&b, SET "# comment\r\n" SET); /* redis-server went on with the file */
    check_bytes(buf_head(&b), buf_pending(&b), AOF_IN_END, buf_pending(&b), OURS "SET a 1;SET a 1;");
    read_all(buf_head(&b), buf_pending(&b), 0, &t);
    cr_assert_not(t.grouped);
    put_group(&b, 30, 30, 20, "SET d 4");
    read_all(buf_head(&b), buf_pending(&b), 0, &t);
    cr_assert_eq(t.result, AOF_IN_BAD);
    buf_destroy(&b);
}

/* Is the text a beginning of the other? */
static bool
begins(const char *text, const char *of)
{
    return strncmp(text, of, strlen(text)) == 0;
}

Test(aof_in, ours_cut_anywhere)
{
    struct buf b;
    struct told t;
    buf_init(&b);
    put_ours(&b, true);
    size_t n = buf_pending(&b), whole = 0, ends = 0;
    for (size_t cut = 0; cut < n; cut++) {
        char *part = malloc(cut + 1); /* exact, so that a sanitizer sees a step beyond */
        memcpy(part, buf_head(&b), cut);
        read_all(part, cut, 0, &t);
        free(part);
        cr_assert(t.result == AOF_IN_TORN || t.result == AOF_IN_END, "cut at %zu: %s", cut, t.error.text);
        cr_assert(begins(t.text, OURS) && t.whole >= whole);
        whole = t.whole;
        ends += t.result == AOF_IN_END;
    }
    cr_assert_eq(ends, 5, "%zu", ends); /* empty; behind the head line and each of three groups */
    buf_destroy(&b);
}

/* With a mark behind it, nothing of the file can be taken for a torn tail but the mark itself. */
Test(aof_in, ours_flipped_bytes)
{
    struct buf b;
    struct told t;
    buf_init(&b);
    put_ours(&b, true);
    size_t n = buf_pending(&b);
    for (size_t i = 0; i < n; i++) {
        char *byte = buf_head(&b) + i, was = *byte;
        for (unsigned with = 1; with < 256; with++) {
            *byte = (char)(was ^ (char)with);
            read_all(buf_head(&b), n, 0, &t);
            bool in_mark = i >= n - AOF_GROUP_LINE, in_head = i < AOF_HEAD_LINE;
            cr_assert(t.result == AOF_IN_BAD || ((in_mark || in_head) && t.result == AOF_IN_TORN), "offset %zu, byte %02x: %d", i,
                      (unsigned char)*byte, t.result);
            cr_assert(begins(t.text, OURS) && t.whole <= i && t.error.offset <= (in_head ? AOF_HEAD_LINE : i), "offset %zu, byte %02x", i, (unsigned char)*byte);
        }
        *byte = was;
    }
    buf_destroy(&b);
}

Test(aof_in, ours_torn_or_damaged)
{
    struct buf b;
    struct told t;
    buf_init(&b);
    put_ours(&b, false);
    char *last = memmem(buf_head(&b), buf_pending(&b), "DEL", 3);
    char *second = memmem(buf_head(&b), buf_pending(&b), "$1\r\nb", 5);
    *last ^= 1; /* nobody said that it was durable */
    read_all(buf_head(&b), buf_pending(&b), 0, &t);
    cr_assert(t.result == AOF_IN_TORN && strcmp(t.text, "SELECT 0;SET a 1;MULTI+;SET b 2+;SET c 3+;EXEC+;") == 0);
    *last ^= 1;
    memset(last, 0, buf_pending(&b) - (size_t)(last - buf_head(&b))); /* length was written, bytes were not */
    read_all(buf_head(&b), buf_pending(&b), 0, &t);
    cr_assert_eq(t.result, AOF_IN_TORN);
    *second ^= 1; /* the third group's line says that the second was durable */
    read_all(buf_head(&b), buf_pending(&b), 0, &t);
    cr_assert(t.result == AOF_IN_BAD && strcmp(t.text, "SELECT 0;SET a 1;") == 0);
    buf_destroy(&b);
}

Test(aof_in, ours_made_wrongly)
{
    static const char *const wrong[] = { "MULTI;SET a 1", "EXEC", "# comment", "#KVG x", "MULTI;# comment;EXEC" };
    struct told t;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct buf b;
        buf_init(&b);
        put_head(&b);
        put_group(&b, 10, 10, 0, wrong[i]);
        read_all(buf_head(&b), buf_pending(&b), 0, &t);
        cr_assert(t.result == AOF_IN_BAD && t.text[0] == '\0', "%s", wrong[i]);
        buf_destroy(&b);
    }
}

/* Groups are ours only with our lineage, in the order of their tickets. */
Test(aof_in, lines)
{
    char text[AOF_GROUP_LINE];
    struct aof_group g = { .first = 1, .last = 5, .durable = 3, .bytes = 9, .hash = 77 };
    struct aof_head other = head;
    struct aof_line line;
    aof_group_render(text, &head, &g);
    aof_line_read(&line, text, sizeof text, &head);
    cr_assert(line.kind == AOF_LINE_GROUP && memcmp(&line.group, &g, sizeof g) == 0 && line.bytes == sizeof text);
    other.lineage[3] ^= 1;
    aof_line_read(&line, text, sizeof text, &other);
    cr_assert_eq(line.kind, AOF_LINE_BAD);
    g.last = 0;
    aof_group_render(text, &head, &g);
    aof_line_read(&line, text, sizeof text, &head);
    cr_assert_eq(line.kind, AOF_LINE_BAD);
    char stamp[AOF_STAMP_LINE_MAX];
    size_t n = aof_stamp_render(stamp, 1700000000);
    aof_line_read(&line, stamp, n, NULL);
    cr_assert(line.kind == AOF_LINE_STAMP && line.seconds == 1700000000 && line.bytes == n);
}
