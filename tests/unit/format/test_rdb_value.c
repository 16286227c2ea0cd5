/* test_rdb_value.c - values in forms that redis-server 7.0.15 only reads, or does not know, built byte by byte; damage is
 * told, never followed. (What it writes is read by tests/integration/test_rdb_forms.py.)
 *
 * Sources of the forms: format/rdb.h, format/rdb_pack.h; ziplist and zipmap as Redis 2.4 to 6.2 wrote them (the layouts at the
 * head of ziplist.c and zipmap.c), set-listpack and stream-v3 as 7.2, hashes with expiring fields as 7.4.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/rand.h"
#include "format/rdb_out.h"
#include "format/rdb_pack.h"
#include "format/rdb_value.h"

/* ---- building ----------------------------------------------------------------------------------------------------- */

static void
add(struct buf *b, const void *bytes, size_t n)
{
    buf_append(b, bytes, n);
}
#define ADD(b, literal) add(b, literal, sizeof(literal) - 1)

static void
add_little(struct buf *b, uint64_t v, size_t bytes)
{
    add(b, &v, bytes);
}

/* A string that holds what a builder left, which is emptied. */
static void
add_packed(struct buf *b, struct buf *pack)
{
    rdb_out_length(b, pack->len);
    add(b, pack->data, pack->len);
    buf_clear(pack, SIZE_MAX);
}

/* A ziplist: u32 bytes, u32 place of the last entry, u16 entries; entries that begin with the size of the one before. */
struct zip {
    struct buf b;
    size_t before;
    unsigned n;
    bool wide; /* sizes in 5 bytes even where 1 would do: Redis leaves that behind */
};

static void
zip_add(struct zip *z, const void *entry, size_t n)
{
    size_t at = z->b.len;
    if (z->before < 254 && !z->wide) {
        add_little(&z->b, z->before, 1);
    } else {
        ADD(&z->b, "\xfe");
        add_little(&z->b, z->before, 4);
    }
    add(&z->b, entry, n);
    z->before = z->b.len - at;
    z->n++;
}
#define ZIP_ADD(z, literal) zip_add(z, literal, sizeof(literal) - 1)

static void
zip_add_string(struct zip *z, const char *s)
{
    struct buf e;
    size_t n = strlen(s);
    buf_init(&e);
    if (n < 64) {
        add_little(&e, n, 1);
    } else if (n < 16384) {
        add_little(&e, 0x40 | n >> 8, 1);
        add_little(&e, n & 255, 1);
    } else {
        ADD(&e, "\x80");
        add_little(&e, __builtin_bswap32((uint32_t)n), 4);
    }
    add(&e, s, n);
    zip_add(z, e.data, e.len);
    buf_destroy(&e);
}

static void
zip_begin(struct zip *z)
{
    *z = (struct zip){0};
    ADD(&z->b, "0123456789");
}

static void
zip_end(struct zip *z)
{
    uint32_t tail = (uint32_t)(z->b.len - z->before), bytes = (uint32_t)z->b.len + 1;
    uint16_t n = (uint16_t)z->n;
    ADD(&z->b, "\xff");
    memcpy(z->b.data, &bytes, 4);
    memcpy(z->b.data + 4, &tail, 4);
    memcpy(z->b.data + 8, &n, 2);
}

/* A ziplist or listpack of strings that blanks part. */
static void
add_zip(struct buf *b, const char *words)
{
    struct zip z;
    char copy[200], *rest = copy;
    snprintf(copy, sizeof copy, "%s", words);
    zip_begin(&z);
    for (char *word; (word = strsep(&rest, " ")) != NULL;)
        zip_add_string(&z, word);
    zip_end(&z);
    add_packed(b, &z.b);
    buf_destroy(&z.b);
}

static void
add_listpack(struct buf *b, const char *words)
{
    struct buf pack;
    char copy[400], *rest = copy;
    uint64_t n = 0;
    snprintf(copy, sizeof copy, "%s", words);
    buf_init(&pack);
    size_t at = rdb_listpack_begin(&pack);
    for (char *word; (word = strsep(&rest, " ")) != NULL; n++)
        rdb_listpack_add(&pack, word, strlen(word));
    rdb_listpack_end(&pack, at, n);
    add_packed(b, &pack);
    buf_destroy(&pack);
}

static void
add_intset(struct buf *b, unsigned width, unsigned n, const int64_t *numbers)
{
    struct buf set;
    buf_init(&set);
    add_little(&set, width, 4);
    add_little(&set, n, 4);
    for (unsigned i = 0; i < n; i++)
        add_little(&set, (uint64_t)numbers[i], width);
    add_packed(b, &set);
    buf_destroy(&set);
}

/* ---- reading ------------------------------------------------------------------------------------------------------ */

struct seen {
    char text[3000];
    uint64_t pieces, stop; /* stop: return false at this piece */
};

static bool
list_piece(void *arg, const struct rdb_piece *p)
{
    struct seen *s = arg;
    char *at = s->text + strlen(s->text);
    size_t room = sizeof s->text - strlen(s->text);
    int name_len = p->name.len > 20 ? 20 : (int)p->name.len, len = p->value.len > 20 ? 20 : (int)p->value.len;
    const char *name = rdb_string_bytes(&p->name), *value = rdb_string_bytes(&p->value);
    switch (p->kind) {
    case RDB_PIECE_STRING:
    case RDB_PIECE_ELEMENT:
        snprintf(at, room, "%.*s ", len, value);
        break;
    case RDB_PIECE_SCORED:
        snprintf(at, room, "%.*s=%.17g ", len, value, p->score);
        break;
    case RDB_PIECE_FIELD:
        snprintf(at, room, p->expires_ms == -1 ? "%.*s=%.*s " : "%.*s=%.*s@%ld ", name_len, name, len, value, (long)p->expires_ms);
        break;
    case RDB_PIECE_ENTRY:
        snprintf(at, room, "%lu-%lu(%lu) ", p->id.ms, p->id.seq, p->count);
        break;
    case RDB_PIECE_STREAM:
        snprintf(at, room, "n%lu %lu-%lu %lu-%lu %lu-%lu +%lu ", p->count, p->id.ms, p->id.seq, p->first.ms, p->first.seq,
            p->deleted.ms, p->deleted.seq, p->added);
        break;
    case RDB_PIECE_GROUP:
        snprintf(at, room, "group %.*s %lu-%lu %ld ", name_len, name, p->id.ms, p->id.seq, (long)p->read);
        break;
    case RDB_PIECE_CONSUMER:
        snprintf(at, room, "consumer %.*s %ld %ld ", name_len, name, (long)p->seen_ms, (long)p->active_ms);
        break;
    case RDB_PIECE_PENDING:
        snprintf(at, room, "%lu-%lu %ld x%lu ", p->id.ms, p->id.seq, (long)p->seen_ms, p->count);
        break;
    }
    return ++s->pieces != s->stop;
}

/* What a value is read as; or what is wrong, behind '!'. */
static const char *
read_as(unsigned form, const struct buf *b, enum rdb_depth depth, struct seen *seen)
{
    struct rdb_value v = {.depth = depth, .fn = list_piece, .arg = seen};
    char *own = malloc(b->len + 1); /* so that one byte too far is seen */
    memcpy(own, b->data ? b->data : "", b->len);
    struct rdb_read r = rdb_read_of(own, 0, b->len);
    memset(seen, 0, sizeof *seen);
    if (!rdb_value_read(&v, form, &r))
        snprintf(seen->text, sizeof seen->text, "!%s", r.wrong);
    else
        cr_assert_eq(r.at, b->len, "%u: %s: %zu of %zu", form, seen->text, r.at, b->len);
    rdb_value_free(&v);
    free(own);
    return seen->text;
}

/* Both depths read the same; without a callback the count is the same; cut anywhere it is refused. Frees the bytes. */
static void
reads(unsigned form, struct buf *b, const char *text)
{
    struct seen seen;
    struct rdb_value v = {0};
    struct rdb_read r = rdb_read_of(b->data, 0, b->len);
    cr_assert_str_eq(read_as(form, b, RDB_DEEP, &seen), text);
    cr_assert_str_eq(read_as(form, b, RDB_HEADS, &seen), text);
    cr_assert(rdb_value_read(&v, form, &r) && r.at == b->len, "%s: %s", text, r.wrong);
    rdb_value_free(&v);
    r = rdb_read_of(b->data, 0, b->len);
    cr_assert(rdb_form_skip(&r, form) && r.at == b->len, "%s", text);
    for (struct buf cut = *b; cut.len > 0;) {
        cut.len--;
        cr_assert_eq(read_as(form, &cut, RDB_DEEP, &seen)[0], '!', "%s cut at %zu", text, cut.len);
    }
    buf_destroy(b);
}

/* Refused when read deeply; and when not, if everywhere. */
static void
wrong(unsigned form, struct buf *b, const char *what, bool everywhere)
{
    struct seen seen;
    cr_assert_str_eq(read_as(form, b, RDB_DEEP, &seen), what);
    cr_assert_eq(read_as(form, b, RDB_HEADS, &seen)[0] == '!', everywhere, "%s", seen.text);
    buf_destroy(b);
}

#define READS(form, literal, text)                                                                                          \
    do {                                                                                                                    \
        struct buf own = {0};                                                                                               \
        ADD(&own, literal);                                                                                                 \
        reads(RDB_FORM_##form, &own, text);                                                                                 \
    } while (0)
#define WRONG(form, literal, text, everywhere)                                                                              \
    do {                                                                                                                    \
        struct buf own = {0};                                                                                               \
        ADD(&own, literal);                                                                                                 \
        wrong(RDB_FORM_##form, &own, text, everywhere);                                                                     \
    } while (0)

/* ---- tests -------------------------------------------------------------------------------------------------------- */

Test(rdb_value, plain_forms)
{
    READS(STRING, "\x05hello", "hello ");
    READS(STRING, "\xc2\x00\x00\x00\x80", "-2147483648 ");
    READS(LIST, "\x03\x01" "a\xc0\xff\x01" "a", "a -1 a ");
    READS(SET, "\x02\x01" "a\xc1\x39\x30", "a 12345 ");
    READS(HASH, "\x02\x01" "f\x01v\x01g\x00", "f=v g= ");
    READS(ZSET, "\x04\x01" "a\xfe\x01" "b\xff\x01" "c\x03" "1.5\x01" "d\x16" "-1.7976931348623157e+1", "a=inf b=-inf c=1.5 d=-17.976931348623157 ");
    READS(ZSET_2, "\x02\x01" "a\0\0\0\0\0\0\xf8\x3f\x01" "b\0\0\0\0\0\0\xf0\xff", "a=1.5 b=-inf ");
    READS(MODULE_2, "\x81\0\0\0\0\0\0\x04\x01" "\x02\x02\x05\x01x\x03" "abcd\x00", "");
    WRONG(ZSET, "\x01\x01" "a\xfd", "!a score is not a number", true);
    WRONG(ZSET, "\x01\x01" "a\x03" "1.x", "!a score is not a number", true);
    WRONG(ZSET, "\x01\x01" "a\x00", "!a score is not a number", true);
    WRONG(ZSET_2, "\x01\x01" "a\0\0\0\0\0\0\xf8\x7f", "!a score is not a number", true);
    WRONG(SET, "\x02\x01" "7\xc0\x07", "!a member stands twice in a set", false);
    WRONG(HASH, "\x02\x01" "f\x01v\x01" "f\x01w", "!a field stands twice in a hash", false);
    WRONG(ZSET_2, "\x02\x01" "a\0\0\0\0\0\0\xf8\x3f\x01" "a\0\0\0\0\0\0\0\0", "!a member stands twice in a sorted set", false);
    WRONG(MODULE_2, "\x81\0\0\0\0\0\0\x04\x01\x06", "!this opcode of modules' data is not known", true);
}

Test(rdb_value, ziplists_in_every_encoding)
{
    static char middle[300], large[20000];
    struct zip z;
    struct buf b = {0};
    memset(middle, 'm', sizeof middle - 1);
    memset(large, 'l', sizeof large - 1);
    zip_begin(&z);
    zip_add_string(&z, "");
    zip_add_string(&z, middle);
    zip_add_string(&z, large);
    ZIP_ADD(&z, "\xfe\x80");
    ZIP_ADD(&z, "\xc0\x00\x80");
    ZIP_ADD(&z, "\xf0\x00\x00\x80");
    ZIP_ADD(&z, "\xd0\x00\x00\x00\x80");
    z.wide = true;
    ZIP_ADD(&z, "\xe0\x00\x00\x00\x00\x00\x00\x00\x80");
    ZIP_ADD(&z, "\xf1");
    ZIP_ADD(&z, "\xfd");
    zip_end(&z);
    add_packed(&b, &z.b);
    struct seen seen;
    cr_assert_str_eq(read_as(RDB_FORM_LIST_ZIPLIST, &b, RDB_DEEP, &seen),
        " mmmmmmmmmmmmmmmmmmmm llllllllllllllllllll -128 -32768 -8388608 -2147483648 -9223372036854775808 0 12 ");
    buf_destroy(&z.b);
    buf_destroy(&b);
}

Test(rdb_value, old_packs)
{
    struct buf b = {0};
    add_zip(&b, "f v g w");
    reads(RDB_FORM_HASH_ZIPLIST, &b, "f=v g=w ");
    add_zip(&b, "a 1.5 b inf c -3");
    reads(RDB_FORM_ZSET_ZIPLIST, &b, "a=1.5 b=inf c=-3 ");
    add_zip(&b, "a b a");
    reads(RDB_FORM_LIST_ZIPLIST, &b, "a b a ");
    ADD(&b, "\x03");
    add_zip(&b, "a b");
    add_zip(&b, "c");
    add_zip(&b, "d");
    reads(RDB_FORM_LIST_QUICKLIST, &b, "a b c d ");
    READS(HASH_ZIPMAP, "\x0e\x02\x01" "f\x02\x01" "ab?\x01g\x01\x00" "c\xff", "f=ab g=c ");
    ADD(&b, "\x41\x08\x01\x01" "f\xfe\xfe\x00\x00\x00\x00"); /* a long value has its length in 5 bytes */
    for (int i = 0; i < 254; i++)
        ADD(&b, "v");
    ADD(&b, "\xff");
    reads(RDB_FORM_HASH_ZIPMAP, &b, "f=vvvvvvvvvvvvvvvvvvvv ");
    WRONG(HASH_ZIPMAP, "\x0b\x01\x01" "f\xfe\x01\x00\x00\x00\x00" "v\xff", "!a zipmap is damaged", true);
    WRONG(HASH_ZIPMAP, "\x0c\x02\x01" "f\x01\x00" "a\x01" "f\x01\x00" "b\xff", "!a field stands twice in a hash", false);
    add_zip(&b, "f v g");
    wrong(RDB_FORM_HASH_ZIPLIST, &b, "!a ziplist is damaged", true);
    add_zip(&b, "a 1 b x");
    wrong(RDB_FORM_ZSET_ZIPLIST, &b, "!a score is not a number", true);
    add_zip(&b, "a nan");
    wrong(RDB_FORM_ZSET_ZIPLIST, &b, "!a score is not a number", true);
    add_zip(&b, "f v f w");
    wrong(RDB_FORM_HASH_ZIPLIST, &b, "!a field stands twice in a hash", false);
}

Test(rdb_value, listpacks)
{
    struct buf b = {0};
    add_listpack(&b, "f v g -300");
    reads(RDB_FORM_HASH_LISTPACK, &b, "f=v g=-300 ");
    add_listpack(&b, "a 1 b 2.5");
    reads(RDB_FORM_ZSET_LISTPACK, &b, "a=1 b=2.5 ");
    add_listpack(&b, "a 12 b");
    reads(RDB_FORM_SET_LISTPACK, &b, "a 12 b ");
    ADD(&b, "\x03\x02");
    add_listpack(&b, "a b");
    ADD(&b, "\x01\x05plain\x02");
    add_listpack(&b, "c");
    reads(RDB_FORM_LIST_QUICKLIST_2, &b, "a b plain c ");
    ADD(&b, "\x01\x03\x01?");
    wrong(RDB_FORM_LIST_QUICKLIST_2, &b, "!this kind of a list's node is not known", true);
    add_listpack(&b, "a b a");
    wrong(RDB_FORM_SET_LISTPACK, &b, "!a member stands twice in a set", false);
    add_listpack(&b, "a 1 a 2");
    wrong(RDB_FORM_ZSET_LISTPACK, &b, "!a member stands twice in a sorted set", false);
    add_listpack(&b, "a 1 b");
    wrong(RDB_FORM_ZSET_LISTPACK, &b, "!a listpack is damaged", true);
    WRONG(HASH_LISTPACK, "\xc0\x01", "!a listpack is damaged", true);
    WRONG(HASH_LISTPACK, "\x0d\x0d\x00\x00\x00\x02\x00\x81" "f\x02\x81" "v\x03\xff", "!a listpack is damaged", true);
}

Test(rdb_value, integers)
{
    static const int64_t numbers[] = {-3, -1, 0, 7, 1000}, tens[] = {-10000000000, 10000000000}, twice[] = {1, 1}, falling[] = {2, 1};
    struct buf b = {0};
    add_intset(&b, 2, 5, numbers);
    reads(RDB_FORM_SET_INTSET, &b, "-3 -1 0 7 1000 ");
    add_intset(&b, 4, 5, numbers);
    reads(RDB_FORM_SET_INTSET, &b, "-3 -1 0 7 1000 ");
    add_intset(&b, 8, 2, tens);
    reads(RDB_FORM_SET_INTSET, &b, "-10000000000 10000000000 ");
    add_intset(&b, 2, 2, twice);
    wrong(RDB_FORM_SET_INTSET, &b, "!a set's integers do not ascend", true);
    add_intset(&b, 2, 2, falling);
    wrong(RDB_FORM_SET_INTSET, &b, "!a set's integers do not ascend", true);
    add_intset(&b, 3, 2, numbers);
    wrong(RDB_FORM_SET_INTSET, &b, "!a set of integers is damaged", true);
    add_intset(&b, 2, 0, numbers);
    wrong(RDB_FORM_SET_INTSET, &b, "!a set of integers is damaged", true);
    WRONG(SET_INTSET, "\x0c\x02\0\0\0\x01\0\0\0\x01\0\x02\0", "!a set of integers is damaged", true);
}

/* 7.4: the least expiry in front; a field's is told from it, plus one; 0 is none. */
Test(rdb_value, fields_with_expiries)
{
    struct buf b = {0};
    READS(HASH_METADATA, "\xe8\x03\0\0\0\0\0\0\x03\x01\x01" "f\x01v\x0b\x01g\x01w\x00\x01h\x01x", "f=v@1000 g=w@1010 h=x ");
    READS(HASH_METADATA_PRE_GA, "\x02\x43\xe8\x01" "f\x01v\x00\x01g\x01w", "f=v@1000 g=w ");
    ADD(&b, "\xe8\x03\0\0\0\0\0\0");
    add_listpack(&b, "f v 1000 g w 2000 h x 0");
    reads(RDB_FORM_HASH_LISTPACK_EX, &b, "f=v@1000 g=w@2000 h=x ");
    add_listpack(&b, "f v 1000 h x 0");
    reads(RDB_FORM_HASH_LISTPACK_EX_PRE_GA, &b, "f=v@1000 h=x ");
    add_listpack(&b, "f v -1");
    wrong(RDB_FORM_HASH_LISTPACK_EX_PRE_GA, &b, "!a field's expiry is not a number", true);
    add_listpack(&b, "f v x");
    wrong(RDB_FORM_HASH_LISTPACK_EX_PRE_GA, &b, "!a field's expiry is not a number", true);
    add_listpack(&b, "f v 1000 h x");
    wrong(RDB_FORM_HASH_LISTPACK_EX_PRE_GA, &b, "!a listpack is damaged", true);
    add_listpack(&b, "f v 281474976710656");
    wrong(RDB_FORM_HASH_LISTPACK_EX_PRE_GA, &b, "!a field's expiry is out of range", true);
    WRONG(HASH_METADATA, "\xe8\x03\0\0\0\0\0\0\x01\x81\xff\xff\xff\xff\xff\xff\xff\xff\x01" "f\x01v", "!a field's expiry is out of range", true);
    WRONG(HASH_METADATA, "\0\0\0\0\0\0\x01\0\x01\x01\x01" "f\x01v", "!a field's expiry is out of range", true);
}

#define ID(ms, seq) "\0\0\0\0\0\0\0" ms "\0\0\0\0\0\0\0" seq

static void
add_stream(struct buf *b, const char *nodes)
{
    ADD(b, "\x01\x10" ID("\x05", "\x01"));
    add_listpack(b, nodes);
}

/* Two nodes: entries with common fields and with their own, one deleted. */
static void
add_entries(struct buf *b)
{
    ADD(b, "\x02\x10" ID("\x05", "\x01"));
    add_listpack(b, "2 1 2 f g 0 2 0 0 1 2 5 3 1 -1 x y 5 0 2 0 1 h 3 6");
    ADD(b, "\x10" ID("\x09", "\x00"));
    add_listpack(b, "1 0 1 f 0 2 0 7 v 4");
}
#define ENTRIES "5-1(2) f=1 g=2 7-1(1) h=3 9-7(1) f=v "

Test(rdb_value, streams)
{
    struct buf b = {0};
    add_entries(&b);
    ADD(&b, "\x03\x09\x07\x00");
    reads(RDB_FORM_STREAM_LISTPACKS, &b, ENTRIES "n3 9-7 5-1 0-0 +3 ");
    add_entries(&b);
    ADD(&b, "\x03\x09\x07\x01\x01g\x05\x01\x02" ID("\x05", "\x01") "\x10\0\0\0\0\0\0\0\x03" ID("\x07", "\x01") "\x11\0\0\0\0\0\0\0\x40\xff"
            "\x02\x04" "anna\x20\0\0\0\0\0\0\0\x02" ID("\x07", "\x01") ID("\x05", "\x01") "\x04" "bert\x21\0\0\0\0\0\0\0\x00");
    reads(RDB_FORM_STREAM_LISTPACKS, &b, ENTRIES "n3 9-7 5-1 0-0 +3 group g 5-1 1 "
                                                 "consumer anna 32 32 7-1 17 x255 5-1 16 x3 consumer bert 33 33 ");
    ADD(&b, "\x00\x00\x09\x07\x00\x00\x08\x01\x0a\x01\x01g\x05\x01\x81\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00");
    reads(RDB_FORM_STREAM_LISTPACKS_2, &b, "n0 9-7 0-0 8-1 +10 group g 5-1 -1 ");
    ADD(&b, "\x00\x00\x09\x07\x00\x00\x08\x01\x0a\x01\x01g\x05\x01\x06\x01" ID("\x07", "\x01") "\x11\0\0\0\0\0\0\0\x02"
            "\x02\x01" "a\x20\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\x00\x01" "b\x21\0\0\0\0\0\0\0\x22\0\0\0\0\0\0\0\x01" ID("\x07", "\x01"));
    reads(RDB_FORM_STREAM_LISTPACKS_3, &b, "n0 9-7 0-0 8-1 +10 group g 5-1 6 consumer a 32 -1 consumer b 33 34 7-1 17 x2 ");
}

Test(rdb_value, damaged_streams)
{
    static const struct {
        const char *nodes, *what;
    } lies[] = {
        {"1 0 1 f 1 2 0 7 v 4", "!a stream's listpack is damaged"},
        {"2 0 1 f 0 2 0 7 v 4", "!a stream's listpack is damaged"},
        {"1 1 1 f 0 2 0 7 v 4", "!a stream's listpack is damaged"},
        {"1 0 1 f 0 2 0 7 v 5", "!a stream's listpack is damaged"},
        {"1 0 1 f 0 2 0 7 v", "!a stream's listpack is damaged"},
        {"1 0 1 f 0 2 x 7 v 4", "!a stream's listpack is damaged"},
        {"1 0 1 f 0 x 0 7 v 4", "!a stream's listpack is damaged"},
        {"1 0 9 f 0 2 0 7 v 4", "!a stream's listpack is damaged"},
        {"1 0 -1 f 0 2 0 7 v 4", "!a stream's listpack is damaged"},
        {"1 0 1 f 0 0 0 7 5000 v 4", "!a stream's entries do not ascend, or are not as many as it says"},
        {"0 0 1 f 0 2 0 7 v 4", "!a stream's entries do not ascend, or are not as many as it says"},
        {"2 0 1 f 0 2 0 7 v 4 2 0 7 v 4", "!a stream's entries do not ascend, or are not as many as it says"},
        {"1 0 1 f 0 2 -5 -1 v 4", "!a stream's entries do not ascend, or are not as many as it says"},
    };
    struct buf b = {0};
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        add_stream(&b, lies[i].nodes);
        ADD(&b, "\x01\x09\x07\x00");
        wrong(RDB_FORM_STREAM_LISTPACKS, &b, lies[i].what, true);
    }
    ADD(&b, "\x01\x02id\x00");
    wrong(RDB_FORM_STREAM_LISTPACKS, &b, "!the id of a stream's node has not 16 bytes", true);
    add_entries(&b);
    ADD(&b, "\x04\x09\x07\x00");
    wrong(RDB_FORM_STREAM_LISTPACKS, &b, "!a stream has not as many entries as it says", false);
#define GROUP "\x00\x00\x09\x07\x01\x01g\x05\x01\x01" ID("\x07", "\x01") "\x11\0\0\0\0\0\0\0\x02"
    WRONG(STREAM_LISTPACKS, GROUP "\x00", "!a pending entry has no owner", false);
    WRONG(STREAM_LISTPACKS, GROUP "\x01\x01" "a\x20\0\0\0\0\0\0\0\x01" ID("\x07", "\x02"), "!a consumer's pending entry is not his group's", true);
    WRONG(STREAM_LISTPACKS, GROUP "\x01\x01" "a\x20\0\0\0\0\0\0\0\x02" ID("\x07", "\x01") ID("\x07", "\x01"), "!a pending entry has two owners", true);
    WRONG(STREAM_LISTPACKS, GROUP "\x02\x01" "a\x20\0\0\0\0\0\0\0\x00\x01" "a\x20\0\0\0\0\0\0\0\x00", "!a consumer stands twice in a group", true);
    WRONG(STREAM_LISTPACKS, "\x00\x00\x09\x07\x02\x01g\x05\x01\x00\x00\x01g\x05\x01\x00\x00", "!a group stands twice in a stream", true);
    WRONG(STREAM_LISTPACKS, "\x00\x00\x09\x07\x01\x01g\x05\x01\x02" ID("\x07", "\x01") "\x11\0\0\0\0\0\0\0\x02" ID("\x07", "\x01") "\x11\0\0\0\0\0\0\0\x02",
        "!a group's pending entries do not ascend", true);
    WRONG(STREAM_LISTPACKS, "\x00\x00\x09\x07\x01\x01g\x05\x01\x81\xff\xff\xff\xff\xff\xff\xff\xff", "!a group's pending entries are more than the data", true);
}

Test(rdb_value, many_members)
{
    struct buf b = {0};
    struct rdb_value v = {.depth = RDB_DEEP};
    char word[20];
    rdb_out_length(&b, 100000);
    for (int i = 0; i < 100000; i++)
        rdb_out_string(&b, word, (size_t)snprintf(word, sizeof word, "member:%d", i), false);
    struct rdb_read r = rdb_read_of(b.data, 0, b.len);
    cr_assert(rdb_value_read(&v, RDB_FORM_SET, &r) && v.count == 100000, "%s", r.wrong);
    b.data[b.len - 1] = '8';
    r = rdb_read_of(b.data, 0, b.len);
    cr_assert_not(rdb_value_read(&v, RDB_FORM_SET, &r));
    r = rdb_read_of(b.data, 0, b.len);
    v.depth = RDB_HEADS;
    cr_assert(rdb_value_read(&v, RDB_FORM_SET, &r) && v.count == 100000);
    rdb_value_free(&v);
    buf_destroy(&b);
}

/* A listpack's head has 16 bits for the number of its strings; 65535 means that it must be walked. */
Test(rdb_value, heads_that_do_not_tell)
{
    struct buf b = {0};
    struct rdb_value v = {.depth = RDB_HEADS};
    ADD(&b, "\x03\x02\x0a\x0a\x00\x00\x00\xff\xff\x81" "a\x02\xff\x01\x05plain\x02\x0a\x0a\x00\x00\x00\x01\x00\x81" "c\x02\xff");
    struct rdb_read r = rdb_read_of(b.data, 0, b.len);
    cr_assert(rdb_value_read(&v, RDB_FORM_LIST_QUICKLIST_2, &r), "%s", r.wrong);
    cr_assert_eq(v.count, UINT64_MAX);
    r = rdb_read_of(b.data, 0, b.len);
    v.depth = RDB_DEEP;
    cr_assert(rdb_value_read(&v, RDB_FORM_LIST_QUICKLIST_2, &r) && v.count == 3);
    rdb_value_free(&v);
    buf_destroy(&b);
}

Test(rdb_value, a_callback_can_stop)
{
    struct buf b = {0};
    struct seen seen = {.stop = 2};
    struct rdb_value v = {.fn = list_piece, .arg = &seen};
    add_listpack(&b, "a b c d");
    struct rdb_read r = rdb_read_of(b.data, 0, b.len);
    cr_assert_not(rdb_value_read(&v, RDB_FORM_SET_LISTPACK, &r));
    cr_assert_null(r.wrong);
    cr_assert_str_eq(seen.text, "a b ");
    rdb_value_free(&v);
    buf_destroy(&b);
}

/* Whatever stands in a value, reading it ends and stays inside (the sanitizers watch). */
Test(rdb_value, random_damage, .timeout = 60)
{
    struct rand dice = {{3, 7}};
    struct seen seen;
    unsigned good = 0, bad = 0;
    for (unsigned i = 0; i < 60000; i++) {
        struct buf b = {0};
        unsigned form = (unsigned[]){RDB_FORM_STREAM_LISTPACKS, RDB_FORM_HASH_ZIPLIST, RDB_FORM_LIST_QUICKLIST_2, RDB_FORM_ZSET_LISTPACK,
            RDB_FORM_HASH_ZIPMAP, RDB_FORM_HASH_LISTPACK_EX_PRE_GA}[i % 6];
        switch (i % 6) {
        case 0:
            add_entries(&b);
            ADD(&b, "\x03\x09\x07\x01\x01g\x05\x01\x01" ID("\x07", "\x01") "\x11\0\0\0\0\0\0\0\x02\x01\x01" "a\x20\0\0\0\0\0\0\0\x01" ID("\x07", "\x01"));
            break;
        case 1:
            add_zip(&b, "field value 12 -300");
            break;
        case 2:
            ADD(&b, "\x03\x02");
            add_listpack(&b, "a b 70000");
            ADD(&b, "\x01\x05plain\x02");
            add_listpack(&b, "c");
            break;
        case 3:
            add_listpack(&b, "a 1 b 2.5 c -7");
            break;
        case 4:
            ADD(&b, "\x0e\x02\x01" "f\x02\x01" "ab?\x01g\x01\x00" "c\xff");
            break;
        case 5:
            add_listpack(&b, "f v 1000 g w 0");
            break;
        }
        for (uint64_t k = rand_below(&dice, 4); k > 0; k--)
            b.data[rand_below(&dice, b.len)] = (char)rand_next(&dice);
        b.len -= rand_below(&dice, 8) == 0 ? rand_below(&dice, b.len) : 0;
        struct rdb_value v = {.depth = rand_below(&dice, 2) ? RDB_DEEP : RDB_HEADS, .fn = rand_below(&dice, 2) ? list_piece : NULL, .arg = &seen};
        char *own = malloc(b.len + 1);
        memcpy(own, b.data, b.len);
        struct rdb_read r = rdb_read_of(own, 0, b.len);
        memset(&seen, 0, sizeof seen);
        bool ok = rdb_value_read(&v, form, &r);
        cr_assert(ok || r.wrong);
        *(ok ? &good : &bad) += 1;
        rdb_value_free(&v);
        free(own);
        buf_destroy(&b);
    }
    cr_assert(good > 1000 && bad > 1000, "%u %u", good, bad);
}
