/* test_aof_manifest.c - manifests: what Redis writes is read, what is wrong is told with its line, every flipped byte is seen. */
#include "format/aof_manifest.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

/* The files as text: name|sequence|type, one after the other; or the error with its line. */
static void
tell(const char *bytes, size_t n, char told[2048])
{
    struct aof_manifest m;
    struct aof_error e;
    size_t at = 0;
    aof_manifest_init(&m);
    told[0] = '\0';
    if (aof_manifest_parse(&m, bytes, n, &e) != AOF_MANIFEST_OK)
        snprintf(told, 2048, "line %u offset %llu: %s", e.line, (unsigned long long)e.offset, e.text);
    for (size_t i = 0; i < m.files; i++)
        at += (size_t)snprintf(told + at, 2048 - at, "%s|%lld|%c ", m.file[i].name, (long long)m.file[i].sequence, m.file[i].type);
    aof_manifest_destroy(&m);
}

static void
check(const char *text, const char *expected)
{
    char told[2048];
    tell(text, strlen(text), told);
    cr_assert(strstr(told, expected) == told, "'%s'\ninstead of '%s'", told, expected);
}

Test(aof_manifest, what_redis_writes)
{
    check("file appendonly.aof.1.base.rdb seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n",
          "appendonly.aof.1.base.rdb|1|b appendonly.aof.1.incr.aof|1|i ");
    check("file \"a p\\\".aof\\x41\" seq 7 type i\n", "a p\".aofA|7|i ");
    check("# x\nTYPE h SEQ 0 FILE old\r\n  file b seq 3 type b  \nfile c seq 5 type i more words\n", "old|0|h b|3|b c|5|i ");
}

Test(aof_manifest, mistakes)
{
    check("", "line 0 offset 0: the manifest is empty");
    check("file a seq 1 type b", "line 1 offset 0: the last line has no end");
    check("file a seq 1 type b\n\n", "line 2 offset 20: the line does not say all");
    check("file a seq 1\n", "line 1 offset 0: the line does not say all");
    check("file a seq 1 type\n", "line 1 offset 0: the last word of the line has no value");
    check("file \"a seq 1 type b\n", "line 1 offset 0: a quote is not closed");
    check("file a/b seq 1 type b\n", "line 1 offset 0: 'a/b' is no name of a file");
    check("file \"\" seq 1 type b\n", "line 1 offset 0: '' is no name of a file");
    check("file .. seq 1 type b\n", "line 1 offset 0: '..' is no name of a file");
    check("file \"a\\x00\" seq 1 type b\n", "line 1 offset 0: the file's name is longer than 255 bytes or holds a NUL");
    check("file a seq 1x type b\n", "line 1 offset 0: seq is no whole number");
    check("file a seq -1 type b\n", "line 1 offset 0: seq is no whole number");
    check("file a seq 1 type x\n", "line 1 offset 0: type is neither");
    check("file a seq 1 type \"\\x00\"\n", "line 1 offset 0: type is neither");
    check("file a seq 1 type bh\n", "line 1 offset 0: type is neither");
    check("file a file b seq 1 type b\n", "line 1 offset 0: the line says 'file' twice");
    check("file a seq 1 type b\nfile c seq 2 type b\n", "line 2 offset 20: a second base file, 'c'");
    check("file a seq 2 type i\nfile c seq 2 type i\n", "line 2 offset 20: the increments' sequence does not rise: 2 after 2");
    check("file a seq 2 type i\nfile a seq 3 type i\n", "line 2 offset 20: the file 'a' is named a second time");
    check("file a seq 1 type b\n#KVM 0123456789abcdef\n", "line 2 offset 20: the manifest's checksum stands in another line");
    check("#KVM 0123456789abcdef\nfile a seq 1 type b\n", "line 1 offset 0: the manifest was changed after it was written");
    check("#KVM 0123456789abcde\n", "line 1 offset 0: the manifest was changed");
}

static void
fill(struct aof_manifest *m, const char *prefix)
{
    char name[AOF_NAME_MAX + 1];
    aof_manifest_init(m);
    cr_assert(aof_name_increment(name, prefix, 4) && aof_manifest_add(m, name, 4, AOF_FILE_INCREMENT));
    cr_assert(aof_name_increment(name, prefix, 3) && aof_manifest_add(m, name, 3, AOF_FILE_HISTORY));
    cr_assert(aof_name_increment(name, prefix, 5) && aof_manifest_add(m, name, 5, AOF_FILE_INCREMENT));
    cr_assert(aof_name_base(name, prefix, 2, true) && aof_manifest_add(m, name, 2, AOF_FILE_BASE));
}

Test(aof_manifest, written_and_read)
{
    static const char *const prefixes[] = { "appendonly.aof", "a b", "q\"u'o", "\xc3\xa4\n\t", "#x" };
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        struct aof_manifest m, again;
        struct aof_error e;
        struct buf text;
        fill(&m, prefixes[i]);
        buf_init(&text);
        aof_manifest_format(&m, &text);
        aof_manifest_init(&again);
        cr_assert_eq(aof_manifest_parse(&again, buf_head(&text), buf_pending(&text), &e), AOF_MANIFEST_OK, "%s", e.text);
        cr_assert(again.sealed && again.files == 4);
        cr_assert_str_eq(again.file[0].name, aof_manifest_base(&m)->name);
        cr_assert_str_eq(aof_manifest_last_increment(&again)->name, aof_manifest_last_increment(&m)->name);
        cr_assert_eq(aof_manifest_sequence(&again, AOF_FILE_INCREMENT), 5);
        aof_manifest_remove(&again, 1);
        cr_assert(again.files == 3 && again.file[1].type == AOF_FILE_INCREMENT);
        aof_manifest_destroy(&again);
        aof_manifest_destroy(&m);
        buf_destroy(&text);
    }
}

Test(aof_manifest, names)
{
    char name[AOF_NAME_MAX + 1], prefix[300];
    cr_assert(aof_name_base(name, "x", 12, false));
    cr_assert_str_eq(name, "x.12.base.aof");
    cr_assert(aof_name_manifest(name, "x"));
    cr_assert_str_eq(name, "x.manifest");
    memset(prefix, 'x', 299);
    prefix[299] = '\0';
    cr_assert_not(aof_name_increment(name, prefix, 1));
    prefix[255] = '\0';
    cr_assert(aof_name_ok(prefix));
    memset(prefix, '\xff', 255);
    cr_assert_not(aof_name_ok(prefix));
}

/* Each byte of a sealed manifest turned into each other byte, and each beginning of it: refused, or (where only the seal's own
 * name was hit) the same files. */
Test(aof_manifest, flipped_bytes)
{
    struct aof_manifest m;
    struct buf text;
    char right[2048], told[2048];
    fill(&m, "appendonly.aof");
    buf_init(&text);
    aof_manifest_format(&m, &text);
    size_t n = buf_pending(&text), kept = 0;
    tell(buf_head(&text), n, right);
    for (size_t i = 0; i < n; i++) {
        char *byte = buf_head(&text) + i, was = *byte;
        for (unsigned with = 1; with < 256; with++) {
            *byte = (char)(was ^ (char)with);
            tell(buf_head(&text), n, told);
            cr_assert(strncmp(told, "line ", 5) == 0 || strcmp(told, right) == 0, "offset %zu, byte %02x: %s", i, (unsigned char)*byte, told);
            kept += strcmp(told, right) == 0;
        }
        *byte = was;
        char *part = strndup(buf_head(&text), i);
        tell(part, i, told);
        free(part);
        cr_assert(strncmp(told, "line ", 5) == 0, "cut at %zu of %zu: %s", i, n, told);
    }
    cr_assert_leq(kept, 4 * 255, "of the seal's name only");
    aof_manifest_destroy(&m);
    buf_destroy(&text);
}
