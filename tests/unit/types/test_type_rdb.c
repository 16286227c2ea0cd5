/* test_type_rdb.c - values to bytes and back; bytes known from redis-server 7.0.15; damage is told, never followed. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/rand.h"
#include "tests/unit/shm/fixture.h"
#include "types/type_rdb.h"

#define DUMP_IS(bytes, n, literal)                                                                                     \
    do {                                                                                                               \
        struct buf out;                                                                                                \
        buf_init(&out);                                                                                                \
        type_rdb_save_string(&out, bytes, n, true);                                                                    \
        type_rdb_save_footer(&out);                                                                                    \
        cr_assert(out.len == sizeof literal - 1 && memcmp(out.data, literal, out.len) == 0);                           \
        cr_assert(type_rdb_verify(out.data, out.len));                                                                 \
        buf_destroy(&out);                                                                                             \
    } while (0)

/* As redis-server 7.0.15's DUMP answers. */
Test(rdb, known_strings)
{
    DUMP_IS("1", 1, "\x00\xc0\x01\x0a\x00\x26\x78\xe7\xb6\xd1\x01\x11\xfc");
    DUMP_IS("-1", 2, "\x00\xc0\xff\x0a\x00\x0c\x93\x7e\x24\x85\x08\x9d\xc5");
    DUMP_IS("k0", 2, "\x00\x02k0\x0a\x00\xe6\x79\x6b\xc6\x09\xcc\x54\x33");
    DUMP_IS("", 0, "\x00\x00\x0a\x00\x5d\x9b\x5c\x40\x0f\x7f\xa2\xda");
}

static void
round_trip(const char *bytes, size_t n, bool compress)
{
    struct buf out;
    struct type_rdb d;
    buf_init(&out);
    type_rdb_save_string(&out, bytes, n, compress);
    cr_assert_eq(type_rdb_open(&d, out.data, out.len, true), TYPE_RDB_OK);
    cr_assert(d.type == SHM_TYPE_STRING && d.string.len == n && memcmp(rdb_string_bytes(&d.string), bytes, n) == 0);
    type_rdb_close(&d);
    buf_destroy(&out);
}

Test(rdb, strings_come_back)
{
    static const char *const numbers[] = {"0", "127", "128", "-128", "-129", "32767", "32768", "2147483647",
        "-2147483648", "2147483648", "007"};
    struct rand r = {{1, 1}};
    char *bytes = malloc(70000);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        round_trip(numbers[i], strlen(numbers[i]), true);
    for (size_t n = 1; n < 70000; n = n * 5 / 4 + 1) {
        for (size_t i = 0; i < n; i++)
            bytes[i] = (char)(rand_below(&r, 8) ? 'a' : rand_next(&r));
        round_trip(bytes, n, true);
        round_trip(bytes, n, false);
    }
    free(bytes);
}

struct pairs {
    unsigned n;
    char text[400];
};

static bool
list_pair(void *arg, const struct rdb_string *field, const struct rdb_string *value)
{
    struct pairs *p = arg;
    size_t at = strlen(p->text);
    snprintf(p->text + at, sizeof p->text - at, "%.*s=%.*s ", (int)field->len, rdb_string_bytes(field),
        (int)value->len, rdb_string_bytes(value));
    p->n++;
    return true;
}

static void
reads_as(const char *bytes, size_t n, const char *text)
{
    struct type_rdb d;
    struct pairs p = {0};
    cr_assert_eq(type_rdb_open(&d, bytes, n, true), TYPE_RDB_OK, "%s", text);
    cr_assert_eq(type_rdb_each(&d, list_pair, &p), TYPE_RDB_OK);
    cr_assert_eq(p.n, d.count);
    cr_assert_str_eq(p.text, text);
    cr_assert_eq(type_rdb_each(&d, list_pair, &p), TYPE_RDB_OK, "a second time");
    type_rdb_close(&d);
}
#define READS_AS(literal, text) reads_as(literal, sizeof literal - 1, text)

Test(rdb, hashes_in_every_form)
{
    READS_AS("\x04\x01\x01" "f\x01v", "f=v ");
    READS_AS("\x04\x02\x01" "f\xc0\x05\x01g\xc1\x00\x80", "f=5 g=-32768 ");
    READS_AS("\x09\x09\x01\x01" "f\x02\x01" "ab?\xff", "f=ab ");
    READS_AS("\x0d\x11\x11\x00\x00\x00\x0d\x00\x00\x00\x02\x00\x00\x01" "f\x03\x01v\xff", "f=v ");
    READS_AS("\x10\x0d\x0d\x00\x00\x00\x02\x00\x81" "f\x02\x81" "v\x02\xff", "f=v ");
    READS_AS("\x10\x0c\x0c\x00\x00\x00\x02\x00\x81" "f\x02\x07\x01\xff", "f=7 ");
}

Test(rdb, hash_from_the_region)
{
    struct fixture f;
    struct buf out;
    struct type_rdb d;
    struct type_hash h;
    struct shm_place p;
    struct pairs seen = {0};
    uint16_t shard;
    fixture_open(&f, 8);
    shard = fixture_shard(&f.region, "h");
    cr_assert(shm_tx_begin(&f.tx));
    shm_tx_enter(&f.tx, &shard, 1);
    cr_assert(fixture_hset(&f.tx, "h", "a", "1", 1) && fixture_hset(&f.tx, "h", "b", "-300", 4));
    cr_assert(fixture_hset(&f.tx, "h", "c", "text", 4));
    cr_assert(shm_tx_commit(&f.tx));
    struct shm_tree t = shm_tree_of_db(&f.region, shard, 0);
    cr_assert(shm_table_find(&t, shm_table_position(&f.region, "h", 1, false), "h", 1, &p));
    type_hash_open(&h, &f.region, shard, p.entry);
    buf_init(&out);
    type_rdb_save_hash(&out, &h, true);
    cr_assert_eq(type_rdb_open(&d, out.data, out.len, true), TYPE_RDB_OK);
    cr_assert(d.packed && type_rdb_each(&d, list_pair, &seen) == TYPE_RDB_OK);
    cr_assert_str_eq(seen.text, "a=1 b=-300 c=text ");
    type_rdb_close(&d);
    buf_destroy(&out);
    fixture_close(&f);
}

static bool
touch_pair(void *arg, const struct rdb_string *field, const struct rdb_string *value)
{
    volatile char *sum = arg;
    for (size_t i = 0; i < field->len; i++)
        *sum += rdb_string_bytes(field)[i];
    for (size_t i = 0; i < value->len; i++)
        *sum += rdb_string_bytes(value)[i];
    return true;
}

/* Whatever the bytes are, reading ends, and what is handed out lies where it may (the sanitizers watch). */
static bool
survives(const char *bytes, size_t n)
{
    struct type_rdb d;
    char sum = 0;
    char *own = malloc(n ? n : 1); /* so that one byte too far is seen */
    memcpy(own, bytes, n);
    enum type_rdb_result got = type_rdb_open(&d, own, n, true);
    if (got == TYPE_RDB_OK && d.type == SHM_TYPE_HASH)
        cr_assert(d.count > 0 && type_rdb_each(&d, touch_pair, &sum) == TYPE_RDB_OK);
    type_rdb_close(&d);
    free(own);
    return got == TYPE_RDB_OK;
}

Test(rdb, damage_is_told, .timeout = 60)
{
    static const struct {
        const char *bytes;
        size_t n;
    } values[] = {
        {"\x00\x05hello", 7},
        {"\x00\xc3\x06\x14\x00" "aa\xe0\x07\x00\x00", 10},
        {"\x04\x02\x01" "f\xc0\x05\x01g\xc1\x00\x80", 12},
        {"\x09\x09\x01\x01" "f\x02\x01" "ab?\xff", 11},
        {"\x0d\x11\x11\x00\x00\x00\x0d\x00\x00\x00\x02\x00\x00\x01" "f\x03\x01v\xff", 19},
        {"\x10\x0d\x0d\x00\x00\x00\x02\x00\x81" "f\x02\x81" "v\x02\xff", 15},
    };
    struct rand r = {{3, 5}};
    unsigned good = 0, bad = 0;
    for (int i = 0; i < 200000; i++) {
        char bytes[40];
        size_t which = rand_below(&r, sizeof values / sizeof values[0]), n = values[which].n;
        memcpy(bytes, values[which].bytes, n);
        for (uint64_t k = rand_below(&r, 4); k > 0; k--)
            bytes[rand_below(&r, n)] = (char)rand_next(&r);
        n -= rand_below(&r, 8) == 0 ? rand_below(&r, n) : 0;
        if (survives(bytes, n))
            good++;
        else
            bad++;
    }
    cr_assert(good > 1000 && bad > 1000, "%u %u", good, bad);
    cr_assert_not(survives("", 0));
}

Test(rdb, promises_are_not_believed)
{
    static const char *const lies[] = {"\x00\x81\xff\xff\xff\xff\xff\xff\xff\xff", "\x00\x80\xff\xff\xff\xff",
        "\x04\x80\xff\xff\xff\xff\x01",
        "\x00\xc3\x01\x80\xff\xff\xff\xff\x01"};
    static const size_t sizes[] = {10, 6, 7, 9};
    for (size_t i = 0; i < 4; i++)
        cr_assert_not(survives(lies[i], sizes[i]));
}
