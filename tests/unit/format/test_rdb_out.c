/* test_rdb_out.c - pieces of RDB files: their bytes, and what redis-check-rdb says of a file made of them. */
#include "format/rdb_out.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <liblzf/lzf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/crc.h"
#include "format/rdb_lzf.h"

static struct buf out;

static void
expect(const char *bytes, size_t n)
{
    cr_assert_not(buf_failed(&out));
    cr_assert_eq(buf_pending(&out), n, "%zu bytes for %zu", buf_pending(&out), n);
    cr_assert_eq(memcmp(buf_head(&out), bytes, n), 0);
    buf_destroy(&out);
}
#define EXPECT(literal) expect(literal, sizeof(literal) - 1)

Test(rdb_out, lengths_take_the_shortest_form)
{
    rdb_out_length(&out, 63);
    rdb_out_length(&out, 64);
    rdb_out_length(&out, 16383);
    rdb_out_length(&out, 16384);
    rdb_out_length(&out, UINT32_MAX);
    rdb_out_length(&out, 1ull << 32);
    EXPECT("\x3f\x40\x40\x7f\xff\x80\x00\x00\x40\x00\x80\xff\xff\xff\xff\x81\x00\x00\x00\x01\x00\x00\x00\x00");
}

static void
string(const char *text, bool compress)
{
    rdb_out_string(&out, text, strlen(text), compress);
}

Test(rdb_out, small_numbers_are_numbers)
{
    string("0", true);
    string("-128", true);
    string("128", true);
    string("-32769", true);
    string("2147483647", true);
    EXPECT("\xc0\x00\xc0\x80\xc1\x80\x00\xc2\xff\x7f\xff\xff\xc2\xff\xff\xff\x7f");
}

Test(rdb_out, what_is_no_such_number_is_text)
{
    string("", true);
    string("2147483648", true);
    string("007", true);
    string("-0", true);
    EXPECT("\x00\x0a" "2147483648" "\x03" "007" "\x02" "-0");
}

Test(rdb_out, repeated_bytes_are_compressed_where_asked_for)
{
    char text[101];
    memset(text, 'x', sizeof text - 1);
    text[100] = '\0';
    string(text, false);
    cr_assert_eq(buf_pending(&out), 102);
    buf_destroy(&out);
    string(text, true);
    cr_assert_lt(buf_pending(&out), 20);
    cr_assert_eq(memcmp(buf_head(&out), "\xc3", 1), 0);
    buf_destroy(&out);
    string("xxxxxxxxxxxxxxxxxxxx", true); /* 20 bytes */
    EXPECT("\x14" "xxxxxxxxxxxxxxxxxxxx");
}

/* liblzf reads what was compressed here: every length, from bytes that repeat to bytes by chance; and never beyond the room. */
Test(rdb_out, short_strings_are_compressed_as_liblzf_reads_them)
{
    static uint8_t in[RDB_LZF_SHORT_MAX], packed[RDB_LZF_SHORT_MAX], back[RDB_LZF_SHORT_MAX];
    unsigned shortened = 0;
    for (unsigned letters = 1; letters <= 256; letters *= 4)
        for (size_t n = 1; n <= sizeof in; n += 1 + n / 16) {
            for (size_t i = 0; i < n; i++)
                in[i] = (uint8_t)((i * 2654435761u >> 7 ^ i * i / 5) % letters + (i % 50 < 30 ? 'a' : 0));
            for (size_t room = n; room + n / 3 + 1 > n; room -= 1 + n / 7) {
                memset(packed, 0xEE, sizeof packed);
                size_t len = rdb_lzf_short(in, n, packed, room);
                cr_assert_leq(len, room);
                cr_assert(room == sizeof packed || packed[room] == 0xEE, "nothing behind the room");
                shortened += len > 0;
                if (len > 0)
                    cr_assert(lzf_decompress(packed, (unsigned)len, back, (unsigned)n) == n && memcmp(in, back, n) == 0, "%zu bytes", n);
                if (room < 1 + n / 7)
                    break;
            }
        }
    cr_assert_gt(shortened, 100);
}

static void
key(const char *name, const char *value)
{
    rdb_out_byte(&out, RDB_FORM_STRING);
    string(name, true);
    string(value, true);
}

static void
file_of_two_databases(bool checksum)
{
    rdb_out_header(&out);
    rdb_out_aux(&out, "redis-ver", "7.0.15");
    rdb_out_aux_int(&out, "redis-bits", 64);
    rdb_out_database(&out, 0, 2, 1);
    key("", "");
    rdb_out_expiry(&out, INT64_MAX / 2);
    key("with an expiry", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    rdb_out_database(&out, 300, 1, 0);
    key("12", "-70000");
    rdb_out_end(&out);
    rdb_out_sum(&out, checksum ? crc64(0, buf_head(&out), buf_pending(&out)) : 0);
}

/* redis-check-rdb's exit status for the buffer; -1: it is not installed. */
static int
check(void)
{
    char path[] = "/tmp/kvstash-test-XXXXXX", command[128];
    int fd = mkstemp(path);
    cr_assert(fd >= 0 && write(fd, buf_head(&out), buf_pending(&out)) == (ssize_t)buf_pending(&out));
    close(fd);
    snprintf(command, sizeof command, "command -v redis-check-rdb >/dev/null || exit 99; redis-check-rdb %s >/dev/null", path);
    int status = system(command);
    unlink(path);
    buf_destroy(&out);
    return WEXITSTATUS(status) == 99 ? -1 : WEXITSTATUS(status);
}

Test(rdb_out, redis_accepts_a_file)
{
    file_of_two_databases(true);
    int status = check();
    if (status < 0)
        cr_skip_test("redis-check-rdb is not installed");
    cr_assert_eq(status, 0);
    file_of_two_databases(false); /* zeros: no checksum */
    cr_assert_eq(check(), 0);
    file_of_two_databases(true);
    buf_head(&out)[buf_pending(&out) - 1] ^= 1;
    cr_assert_neq(check(), 0);
}
