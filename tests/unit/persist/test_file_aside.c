/* test_file_aside.c - a file takes its place whole or not at all, and what went wrong is told. */
#include "persist/file_aside.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PIECE (1u << 20)
#define PIECES 10u

/* What the file system does with a write. */
static _Atomic enum { TAKES_ALL, TAKES_NONE_DIRECTLY, TAKES_SHORT_ONES } takes;
static _Atomic unsigned direct_writes;

/* In libc's place. */
ssize_t
write(int fd, const void *bytes, size_t n)
{
    bool direct = (fcntl(fd, F_GETFL) & O_DIRECT) != 0;
    direct_writes += direct;
    if (direct && takes == TAKES_NONE_DIRECTLY) {
        errno = EINVAL;
        return -1;
    }
    return syscall(SYS_write, fd, bytes, takes == TAKES_SHORT_ONES && n > 8192 ? 8192 : n);
}

static char path[] = "/tmp/kvstash-test-XXXXXX";
static int dir;
static struct file_thread *thread;

struct seen {
    int ends, error;
    bool kept;
    uint64_t bytes;
    char why[FILE_ASIDE_WHY_MAX];
};

static void
start(void)
{
    cr_assert(mkdtemp(path));
    dir = open(path, O_RDONLY | O_DIRECTORY);
    thread = file_thread_start("test");
    cr_assert(dir >= 0 && thread);
}

static void
end(void)
{
    file_thread_stop(thread);
    unlinkat(dir, "file", 0);
    close(dir);
    cr_assert_eq(rmdir(path), 0, "nothing else is left in the directory");
}

static void
note_end(void *arg, const struct file_aside_end *e)
{
    struct seen *seen = arg;
    seen->ends++;
    seen->error = e->error;
    seen->kept = e->kept;
    seen->bytes = e->bytes;
    snprintf(seen->why, sizeof seen->why, "%s", e->why);
}

/* Writes PIECES pieces of the letter, and waits for the end. */
static struct seen
write_file(char letter, bool keep)
{
    struct seen seen = {0};
    struct file_aside *f = file_aside_begin(thread, dir, "file", true);
    struct buf b;
    cr_assert(f);
    buf_init(&b);
    for (unsigned i = 0; i < PIECES; i++) {
        cr_assert(buf_reserve(&b, PIECE));
        memset(b.data, letter, PIECE);
        b.len = PIECE;
        cr_assert(file_aside_append(f, &b) && buf_pending(&b) == 0);
    }
    buf_destroy(&b);
    file_aside_finish(f, keep, note_end, &seen);
    file_thread_stop(thread);
    thread = file_thread_start("test");
    cr_assert_eq(seen.ends, 1);
    return seen;
}

/* The letter that the file has at its end; its size must be whole. '-': no file. */
static char
letter_of_file(void)
{
    char c = '-';
    int fd = openat(dir, "file", O_RDONLY);
    if (fd < 0)
        return c;
    cr_assert_eq(lseek(fd, 0, SEEK_END), (off_t)PIECES * PIECE);
    cr_assert_eq(pread(fd, &c, 1, PIECES * PIECE - 1), 1);
    close(fd);
    return c;
}

Test(file_aside, it_takes_its_place_or_leaves_nothing, .init = start, .fini = end)
{
    struct seen seen = write_file('a', false);
    cr_assert(seen.error == 0 && !seen.kept && letter_of_file() == '-');
    seen = write_file('b', true);
    cr_assert(seen.error == 0 && seen.kept && seen.bytes == PIECES * PIECE && letter_of_file() == 'b');
    seen = write_file('c', false);
    cr_assert(seen.error == 0 && letter_of_file() == 'b');
    seen = write_file('d', true);
    cr_assert(seen.error == 0 && letter_of_file() == 'd');
}

static char
byte_at(size_t i)
{
    return (char)(i * 2654435761u >> 13);
}

/* Writes a file of n bytes in pieces of that many, and compares it. */
static void
check_bytes(size_t n, size_t piece, bool incremental)
{
    struct seen seen = {0};
    struct file_aside *f = file_aside_begin(thread, dir, "file", incremental);
    struct buf b;
    cr_assert(f);
    buf_init(&b);
    for (size_t at = 0; at < n;) {
        for (size_t end = at + piece < n ? at + piece : n; at < end; at++)
            buf_append(&b, &(char){byte_at(at)}, 1);
        cr_assert(file_aside_append(f, &b));
    }
    buf_destroy(&b);
    file_aside_finish(f, true, note_end, &seen);
    file_thread_stop(thread);
    thread = file_thread_start("test");
    cr_assert(seen.kept && seen.bytes == n, "%zu bytes: %s", n, seen.why);
    char *read_back = malloc(n + 1);
    int fd = openat(dir, "file", O_RDONLY);
    cr_assert_eq(read(fd, read_back, n + 1), (ssize_t)n);
    for (size_t i = 0; i < n; i++)
        cr_assert_eq(read_back[i], byte_at(i), "byte %zu of %zu", i, n);
    close(fd);
    free(read_back);
}

/* Past the cache or through it, whatever the file system makes of it: the same bytes. */
Test(file_aside, all_bytes_are_there, .init = start, .fini = end)
{
    static const size_t sizes[] = {0, 1, 4096, (256 << 10) - 1, 256 << 10, (256 << 10) + 1, 1000003};
    for (takes = TAKES_ALL; takes <= TAKES_SHORT_ONES; takes++)
        for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
            for (unsigned incremental = 0; incremental < 2; incremental++)
                check_bytes(sizes[i], i % 2 ? 100000 : 3 << 18, incremental);
    int fd = openat(dir, "file", O_WRONLY);
    if (fcntl(fd, F_SETFL, O_DIRECT) == 0)
        cr_assert_gt(direct_writes, 0, "no write went past the cache");
    else
        cr_log_warn("the file system of %s takes no write past its cache: only the way through it was tested", path);
    close(fd);
}

Test(file_aside, who_reads_the_old_file_or_has_a_link_to_it_keeps_it, .init = start, .fini = end)
{
    char c = '-';
    write_file('a', true);
    int reader = openat(dir, "file", O_RDONLY);
    cr_assert_eq(linkat(dir, "file", dir, "backup", 0), 0);
    write_file('b', true);
    cr_assert_eq(unlinkat(dir, "backup", 0), 0);
    write_file('c', true);
    cr_assert(pread(reader, &c, 1, PIECES * PIECE - 1) == 1 && c == 'a');
    close(reader);
    cr_assert_eq(letter_of_file(), 'c');
}

Test(file_aside, the_old_file_stays_when_the_disk_is_full, .init = start, .fini = end)
{
    struct rlimit limit = {3 * PIECE + 1, RLIM_INFINITY};
    write_file('a', true);
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    struct seen seen = write_file('b', true);
    cr_assert(seen.error == EFBIG && !seen.kept);
    cr_assert(strstr(seen.why, "cannot write the file temp-") && strstr(seen.why, strerror(EFBIG)), "%s", seen.why);
    limit.rlim_cur = RLIM_INFINITY;
    setrlimit(RLIMIT_FSIZE, &limit);
    cr_assert_eq(letter_of_file(), 'a');
}

Test(file_aside, a_directory_that_is_gone_is_told, .init = start)
{
    cr_assert_eq(rmdir(path), 0);
    struct seen seen = write_file('a', true);
    cr_assert_eq(seen.error, ENOENT);
    cr_assert(strstr(seen.why, "cannot make the file temp-"), "%s", seen.why);
    file_thread_stop(thread);
}

Test(file_aside, what_the_dead_left_is_removed, .init = start, .fini = end)
{
    static const char *const names[] = {"temp-1.rdb", "temp-12345.rdb", "temp-.rdb", "temp-1.rdb2", "a-temp-1.rdb"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        close(openat(dir, names[i], O_WRONLY | O_CREAT, 0600));
    file_aside_sweep(dir);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        cr_assert_eq(faccessat(dir, names[i], F_OK, 0) == 0, i >= 2, "%s", names[i]);
    for (size_t i = 2; i < sizeof names / sizeof names[0]; i++)
        unlinkat(dir, names[i], 0);
}
