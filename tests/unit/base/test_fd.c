/* test_fd.c - whole writes, and directories that are on the disk. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"

#define BYTES (1u << 20) /* more than a pipe holds: written in many pieces */

static void
on_signal(int number)
{
    (void)number;
}

/* Another process reads slowly, and interrupts the writer again and again. */
Test(fd, what_is_interrupted_is_written_whole)
{
    static char bytes[BYTES], seen[BYTES];
    int p[2], status;
    for (unsigned i = 0; i < BYTES; i++)
        bytes[i] = (char)(i * 7 + i / 251);
    sigaction(SIGUSR1, &(struct sigaction){.sa_handler = on_signal}, NULL);
    cr_assert_eq(pipe(p), 0);
    pid_t writer = getpid(), reader = fork();
    if (reader == 0) {
        size_t n = 0;
        ssize_t did = 1;
        close(p[1]);
        for (; n < BYTES && did > 0; n += did > 0 ? (size_t)did : 0) {
            kill(writer, SIGUSR1);
            did = read(p[0], seen + n, BYTES - n < 5000 ? BYTES - n : 5000);
        }
        _exit(n == BYTES && memcmp(seen, bytes, BYTES) == 0 ? 0 : 1);
    }
    close(p[0]);
    bool ok = fd_write_all(p[1], bytes, BYTES);
    close(p[1]);
    pid_t ended;
    while ((ended = waitpid(reader, &status, 0)) < 0 && errno == EINTR)
        ;
    cr_assert(ok && ended == reader && status == 0);
}

Test(fd, no_room_and_no_bytes)
{
    int full = open("/dev/full", O_WRONLY);
    cr_assert(fd_write_all(full, "", 0));
    cr_assert_not(fd_write_all(full, "x", 1));
    cr_assert_eq(errno, ENOSPC);
    close(full);
}

Test(fd, directories)
{
    char dir[] = "/tmp/test-fd-XXXXXX", path[64], longest[PATH_MAX + 1];
    cr_assert_not_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/file", dir);
    cr_assert(fd_sync_directory(dir));
    cr_assert(fd_sync_parent(path), "the file need not be there");
    rmdir(dir);
    cr_assert_not(fd_sync_parent(path));
    cr_assert_eq(errno, ENOENT);
    cr_assert_not(fd_sync_directory("/dev/null"));
    cr_assert_eq(errno, ENOTDIR);
    memset(longest, 'x', PATH_MAX);
    longest[PATH_MAX] = '\0';
    cr_assert_not(fd_sync_parent(longest));
    cr_assert_eq(errno, ENAMETOOLONG);
}
