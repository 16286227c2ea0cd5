/* test_rdb_in.c - records of RDB images of all versions, built byte by byte (format/rdb.h names the format's sources). */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/crc.h"
#include "format/rdb_in.h"
#include "format/rdb_out.h"

/* ---- building ---- */

static void
add(struct buf *b, const void *bytes, size_t n)
{
    buf_append(b, bytes, n);
}
#define ADD(b, literal) add(b, literal, sizeof(literal) - 1)

/* The head of a version, and later the end with its checksum. */
static struct buf
begin(unsigned version)
{
    struct buf b;
    buf_init(&b);
    buf_printf(&b, "REDIS%04u", version);
    return b;
}

static void
end(struct buf *b, bool summed)
{
    ADD(b, "\xff");
    if (summed)
        rdb_out_sum(b, crc64(0, b->data, b->len));
}

#define LONG_KEY "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* A key that is compressed, with a short value. */
static void
add_compressed(struct buf *b)
{
    size_t at = b->len;
    ADD(b, "\x00");
    rdb_out_string(b, LONG_KEY, sizeof LONG_KEY - 1, true);
    cr_assert((unsigned char)b->data[at + 1] == 0xC3);
    ADD(b, "\x01x");
}

/* ---- reading ---- */

static enum rdb_in_item
next_item(struct rdb_in *in, enum rdb_in_item item)
{
    enum rdb_in_item got = rdb_in_next(in);
    cr_assert_eq(got, item, "%d, not %d; %s", (int)got, (int)item, in->r.wrong ? in->r.wrong : "");
    return got;
}

static void
next_key(struct rdb_in *in, const char *key, unsigned type, int64_t expires_ms)
{
    next_item(in, RDB_IN_KEY);
    cr_assert(in->key.len == strlen(key) && memcmp(rdb_string_bytes(&in->key), key, in->key.len) == 0, "%s", key);
    cr_assert_eq(in->type, type);
    cr_assert_eq(in->expires_ms, expires_ms, "%ld", (long)in->expires_ms);
}

/* What is said of an image that is wrong at its end. */
static void
complains(const void *bytes, size_t n, const char *text)
{
    struct rdb_in in;
    struct buf said;
    char *own = malloc(n ? n : 1); /* so that one byte too far is seen */
    memcpy(own, bytes, n);
    buf_init(&said);
    if (rdb_in_open(&in, own, n))
        for (enum rdb_in_item item; (item = rdb_in_next(&in)) != RDB_IN_WRONG;)
            cr_assert_neq(item, RDB_IN_END, "%s", text);
    rdb_in_complain(&in, &said);
    buf_append(&said, "", 1);
    cr_assert_str_eq(said.data, text);
    buf_destroy(&said);
    rdb_in_close(&in);
    free(own);
}
#define COMPLAINS(literal, text) complains(literal, sizeof(literal) - 1, text)

Test(rdb_in, every_opcode)
{
    struct rdb_in in;
    struct buf b = begin(12);
    ADD(&b, "\xfa\x09redis-ver\x05" "7.4.0");
    ADD(&b, "\xf5\x03" "abc");
    ADD(&b, "\xf7\x81\0\0\0\0\0\0\x04\x01" "\x02\x02" "\x01\x05" "\x03" "abcd" "\x04" "abcdefgh" "\x05\x02hi" "\x00");
    ADD(&b, "\xfe\x03" "\xfb\x02\x01" "\xf4\x05\x06\x07");
    ADD(&b, "\xfc\x01\0\0\0\0\0\0\x80" "\xf8\x40\xff" "\x00\x01" "a\xc0\x07");
    ADD(&b, "\xfd\x02\0\0\0" "\xf9\xc8" "\x00\xc1\x39\x30\x02" "hi");
    add_compressed(&b);
    ADD(&b, "\xf6\x01n\x03lua\x01\x01" "d\x01" "c" "\xf6\x01n\x03lua\x00\x01" "c");
    end(&b, true);
    ADD(&b, "rest");
    cr_assert(rdb_in_open(&in, b.data, b.len) && in.version == 12);
    next_item(&in, RDB_IN_AUX);
    cr_assert(in.key.len == 9 && in.value.len == 5 && memcmp(rdb_string_bytes(&in.value), "7.4.0", 5) == 0);
    next_item(&in, RDB_IN_FUNCTION);
    cr_assert(in.value.len == 3);
    next_item(&in, RDB_IN_MODULE_AUX);
    cr_assert(in.module == 1025 && in.to - in.from == 9 + 2 + 2 + 5 + 9 + 4 + 1);
    next_item(&in, RDB_IN_DATABASE);
    cr_assert_eq(in.db, 3);
    next_item(&in, RDB_IN_SIZES);
    cr_assert(in.keys == 2 && in.expires == 1);
    next_item(&in, RDB_IN_SLOT);
    cr_assert(in.slot == 5 && in.keys == 6 && in.expires == 7);
    next_key(&in, "a", RDB_FORM_STRING, INT64_MIN + 1);
    cr_assert(in.idle_s == 255 && in.freq == -1 && in.to - in.from == 2);
    next_key(&in, "12345", RDB_FORM_STRING, 2000);
    cr_assert(in.idle_s == -1 && in.freq == 200 && in.db == 3);
    next_key(&in, LONG_KEY, RDB_FORM_STRING, -1);
    next_item(&in, RDB_IN_FUNCTION_OLD);
    next_item(&in, RDB_IN_FUNCTION_OLD);
    next_item(&in, RDB_IN_END);
    cr_assert(in.sum != 0 && rdb_in_sum_fits(&in) && in.r.n - in.r.at == 4);
    in.sum++;
    cr_assert_not(rdb_in_sum_fits(&in));
    rdb_in_close(&in);
    buf_destroy(&b);
}

Test(rdb_in, versions)
{
    for (unsigned version = 1; version <= 12; version++) {
        struct rdb_in in;
        struct buf b = begin(version);
        ADD(&b, "\xfe\x00\x00\x01k\x01v");
        end(&b, version >= 5);
        cr_assert(rdb_in_open(&in, b.data, b.len) && in.version == version);
        next_item(&in, RDB_IN_DATABASE);
        next_key(&in, "k", RDB_FORM_STRING, -1);
        next_item(&in, RDB_IN_END);
        cr_assert(in.r.at == b.len && rdb_in_sum_fits(&in) && (in.sum != 0) == (version >= 5));
        b.data[12] ^= 1;
        cr_assert_eq(rdb_in_sum_fits(&in), version < 5);
        in.sum = 0;
        cr_assert(rdb_in_sum_fits(&in), "a checksum of 0 is none");
        rdb_in_close(&in);
        buf_destroy(&b);
    }
}

Test(rdb_in, values_of_every_form_are_stepped_over)
{
    static const struct {
        unsigned type;
        const char *bytes;
        size_t n;
    } values[] = {
#define VALUE(type, literal) {RDB_FORM_##type, literal, sizeof(literal) - 1}
        VALUE(STRING, "\x05hello"),
        VALUE(LIST, "\x02\x01" "a\xc0\x01"),
        VALUE(SET, "\x01\xc2\x01\x02\x03\x04"),
        VALUE(ZSET, "\x04\x01" "a\xfd\x01" "b\xfe\x01" "c\xff\x01" "d\x03" "1.5"),
        VALUE(HASH, "\x01\x01" "f\x01v"),
        VALUE(ZSET_2, "\x01\x01" "a12345678"),
        VALUE(MODULE_2, "\x81\0\0\0\0\0\0\x04\x01" "\x02\x02\x05\x01x\x00"),
        VALUE(HASH_ZIPMAP, "\x01?"),
        VALUE(LIST_ZIPLIST, "\x01?"),
        VALUE(SET_INTSET, "\x01?"),
        VALUE(ZSET_ZIPLIST, "\x01?"),
        VALUE(HASH_ZIPLIST, "\x01?"),
        VALUE(LIST_QUICKLIST, "\x02\x01?\x01?"),
        VALUE(STREAM_LISTPACKS, "\x01\x02id\x01?" "\x01\x02\x03" "\x01\x01g\x01\x02" "\x01" "0123456789abcdef01234567\x03"
                                "\x01\x01" "c01234567" "\x01" "0123456789abcdef"),
        VALUE(HASH_LISTPACK, "\x01?"),
        VALUE(ZSET_LISTPACK, "\x01?"),
        VALUE(LIST_QUICKLIST_2, "\x02\x01\x01?\x02\x01?"),
        VALUE(STREAM_LISTPACKS_2, "\x00" "\x01\x02\x03\x04\x05\x06\x07\x08" "\x01\x01g\x01\x02\x03" "\x00"
                                  "\x01\x01" "c01234567" "\x00"),
        VALUE(SET_LISTPACK, "\x01?"),
        VALUE(STREAM_LISTPACKS_3, "\x00" "\x01\x02\x03\x04\x05\x06\x07\x08" "\x01\x01g\x01\x02\x03" "\x00"
                                  "\x01\x01" "c0123456701234567" "\x00"),
        VALUE(HASH_METADATA_PRE_GA, "\x01\x07\x01" "f\x01v"),
        VALUE(HASH_LISTPACK_EX_PRE_GA, "\x01?"),
        VALUE(HASH_METADATA, "01234567" "\x01\x07\x01" "f\x01v"),
        VALUE(HASH_LISTPACK_EX, "01234567" "\x01?"),
    };
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct rdb_in in;
        struct buf b = begin(12);
        rdb_out_byte(&b, values[i].type);
        ADD(&b, "\x01k");
        add(&b, values[i].bytes, values[i].n);
        end(&b, true);
        cr_assert(rdb_in_open(&in, b.data, b.len));
        next_key(&in, "k", values[i].type, -1);
        cr_assert_eq(in.to - in.from, values[i].n, "type %u", values[i].type);
        next_item(&in, RDB_IN_END);
        rdb_in_close(&in);
        for (size_t n = RDB_HEAD; n < b.len; n++) { /* wherever it is cut off, that is told */
            char *own = malloc(n);
            memcpy(own, b.data, n);
            enum rdb_in_item item = RDB_IN_KEY;
            for (rdb_in_open(&in, own, n); item == RDB_IN_KEY;)
                item = rdb_in_next(&in);
            cr_assert_eq(item, RDB_IN_WRONG, "type %u cut at %zu", values[i].type, n);
            rdb_in_close(&in);
            free(own);
        }
        buf_destroy(&b);
    }
}

Test(rdb_in, says_what_is_wrong)
{
    COMPLAINS("", "byte 0: this is not an RDB file: it does not begin with REDIS");
    COMPLAINS("REDIX0009", "byte 0: this is not an RDB file: it does not begin with REDIS");
    COMPLAINS("REDIS00", "byte 0: the file ends within its head");
    COMPLAINS("REDIS0013", "byte 5: this version of RDB is not known (1 to 12 are) (it is 13)");
    COMPLAINS("REDIS00x1", "byte 5: this version of RDB is not known (1 to 12 are)");
    COMPLAINS("REDIS0010", "byte 9: the file ends without an end mark");
    COMPLAINS("REDIS0010\xff" "1234567", "byte 10: the data end too early");
    COMPLAINS("REDIS0010\x00\x05" "abc", "byte 10: a string is longer than the data");
    COMPLAINS("REDIS0010\xfe\x02\x01\x03" "a\"\n\x05",
        "byte 17: the data end too early (key \"a\\\"\\x0a\" in database 2, type list)");
    COMPLAINS("REDIS0010\x08\x01k", "byte 9: this type of value is not known (key \"k\" in database 0, type 8)");
    COMPLAINS("REDIS0010\x06\x01k\x81\x7d\x36\x9e\x6b\x37\xcd\x2c\x01\x00",
        "byte 12: a module's value in the old form does not say where it ends: nobody but the module can read on"
        " (key \"k\" in database 0, type module-v1 of module fTaeazfNL)");
    COMPLAINS("REDIS0010\x00\x01k\x82", "byte 12: no length begins with this byte (key \"k\" in database 0, type string)");
    COMPLAINS("REDIS0010\x00\x01k\xc4", "byte 12: this encoding of strings is not known (key \"k\" in database 0, type string)");
    COMPLAINS("REDIS0010\x01\x01k\xc0\x01", "byte 12: a length is wanted, and an encoding stands there (key \"k\" in database 0, type list)");
}

/* Whatever the bytes are, reading ends and stays inside (the sanitizers watch); with a checksum no flip goes unseen. */
Test(rdb_in, every_byte_flipped)
{
    struct buf b = begin(9);
    ADD(&b, "\xfa\x09redis-ver\x05" "7.0.1" "\xfe\x00\xfb\x02\x01");
    ADD(&b, "\xfc\x01\0\0\0\0\0\0\x00\x00\x01" "a\xc0\x07\x04\x01h\x01\x01" "f\x01v");
    add_compressed(&b);
    end(&b, true);
    for (size_t i = 0; i < b.len; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            struct rdb_in in;
            enum rdb_in_item item = RDB_IN_WRONG;
            b.data[i] ^= (char)(1 << bit);
            if (rdb_in_open(&in, b.data, b.len))
                while ((item = rdb_in_next(&in)) != RDB_IN_WRONG && item != RDB_IN_END)
                    cr_assert(in.from <= in.to && in.to <= b.len);
            bool whole = item == RDB_IN_END && in.r.at == b.len;
            cr_assert(!whole || !rdb_in_sum_fits(&in), "byte %zu bit %u", i, bit);
            rdb_in_close(&in);
            b.data[i] ^= (char)(1 << bit);
        }
    buf_destroy(&b);
}
