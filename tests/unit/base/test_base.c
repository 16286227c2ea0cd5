/* test_base.c - buffers, checksums, shares of a core. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/crc.h"
#include "base/slice.h"

Test(crc, check_values)
{
    cr_assert_eq(crc16("123456789", 9), 0x31c3);
    cr_assert_eq(crc64(0, "123456789", 9), 0xe9c6d914c4b8d9caull);
    cr_assert_eq(crc64(crc64(0, "1234", 4), "56789", 5), 0xe9c6d914c4b8d9caull);
}

/* By tables, by folding, whole or in pieces: the same at every length and alignment. */
Test(crc, all_ways_agree)
{
    static uint8_t bytes[700];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * i * 31 + i * 7 + 1);
    for (size_t n = 0; n + 8 < sizeof bytes; n++) {
        const uint8_t *p = bytes + n % 8;
        uint64_t whole = crc64(n, p, n);
        cr_assert_eq(whole, crc64_tables(n, p, n), "%zu bytes", n);
        cr_assert_eq(whole, crc64(crc64(n, p, n / 3), p + n / 3, n - n / 3), "%zu bytes in two pieces", n);
    }
}

/* Each byte counts, at every length, and none behind the end. */
Test(bytes, equal)
{
    for (size_t n = 0; n <= 40; n++) {
        char a[42] = {0}, b[42] = {0};
        for (size_t i = 0; i < n; i++)
            a[i] = b[i] = (char)('a' + i % 26);
        b[n] = 1;
        cr_assert(bytes_equal(a, b, n), "%zu bytes", n);
        for (size_t i = 0; i < n; i++) {
            b[i] ^= 0x40;
            cr_assert_not(bytes_equal(a, b, n), "byte %zu of %zu", i, n);
            b[i] ^= 0x40;
        }
    }
}

Test(buf, appends_and_consumes)
{
    struct buf b;
    buf_init(&b);
    buf_append_str(&b, "hello ");
    buf_printf(&b, "%d", 42);
    cr_assert_eq(buf_pending(&b), 8);
    buf_consume(&b, 6);
    cr_assert_eq(memcmp(buf_head(&b), "42", 2), 0);
    buf_consume(&b, 2);
    cr_assert_eq(b.off, 0, "an empty buffer starts again at the front");
    buf_destroy(&b);
}

Test(buf, failure_is_sticky)
{
    struct buf b;
    buf_init(&b);
    buf_append_str(&b, "kept");
    cr_assert_not(buf_reserve(&b, (size_t)-1 / 2));
    buf_append_str(&b, "ignored");
    cr_assert(buf_failed(&b));
    cr_assert_eq(buf_pending(&b), 4);
    buf_destroy(&b);
}

Test(slice, is_had_and_given_back_where_there_are_slices)
{
    if (!slice_set(SLICE_LONG))
        cr_skip_test("this kernel has no slices (before Linux 6.12), or forbids them");
    cr_assert(slice_set(SLICE_USUAL), "needs no privileges");
    cr_assert(slice_set(SLICE_LONG), "nor does it again");
}

static _Atomic bool spinning;

static void *
spin(void *cpu_ns)
{
    struct timespec t;
    while (atomic_load(&spinning))
        ;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    *(int64_t *)cpu_ns = t.tv_sec * 1000000000 + t.tv_nsec;
    return NULL;
}

/* Work in pieces of 20 us for so long; its processor time. */
static int64_t
work_in_pieces(int64_t ns)
{
    struct slice_work work = {0};
    struct timespec t;
    int64_t began = clock_ns(), now = began;
    while (now - began < ns) {
        for (int64_t piece = clock_ns(); clock_ns() - piece < 20000;)
            ;
        now = slice_yield(&work);
    }
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Without what slice_yield remembers it is 20 us of every 4 ms. */
Test(slice, work_that_gives_the_core_up_has_a_part_of_it_beside_a_thread_that_never_sleeps)
{
    pthread_t other;
    int64_t others_ns = 0;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    cr_assert_eq(sched_setaffinity(0, sizeof one, &one), 0);
    atomic_store(&spinning, true);
    cr_assert_eq(pthread_create(&other, NULL, spin, &others_ns), 0);
    slice_set(SLICE_LONG);
    int64_t own_ns = work_in_pieces(500000000);
    atomic_store(&spinning, false);
    pthread_join(other, NULL);
    cr_assert_gt(own_ns, others_ns / 10, "%ld ns of work, %ld of the other", (long)own_ns, (long)others_ns);
}
