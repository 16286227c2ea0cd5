/* mail_cost.c - what a message costs its sender, and what one lock for all mailboxes costs two of them.
 *
 *     mail_cost [MESSAGES]      (default 300,000 for each sender)
 *
 * A sender commits transactions, each of which changes a word of a shard of its own (nothing, in the first line: what the
 * transaction costs by itself) and sends 64 bytes. Receivers are emptied by their senders as they fill, so that only sending is
 * timed. Prints nanoseconds per transaction of one sender, of its CPU and of the clock:
 *
 *     no mail                                    34 ns       34 ns
 *     one receiver                               80 ns       80 ns
 *     four receivers                            141 ns      141 ns
 *     one receiver each, two senders             97 ns      178 ns
 *     the same four receivers, two senders      141 ns      287 ns
 *
 * Two senders that do nothing else share the lock in turns: some 11 million transactions a second in all, several times what
 * one counter of tickets lets through. So one lock for all boxes is enough.
 *
 * Needs no server and a second or two. Status 0, or 1 with a message.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shm/shm_mail.h"
#include "shm/shm_proc.h"

#define BYTES 64
#define SENDERS 2
#define RECEIVERS 4 /* slots behind the senders' */
#define MESSAGES_MAX 100000000

static struct shm_region region;
static struct shm_mail_address receivers[RECEIVERS];

static _Noreturn void
fail(const char *what)
{
    fprintf(stderr, "mail_cost: %s\n", what);
    exit(1);
}

static void
open_region(void)
{
    char path[64];
    struct shm_error e;
    snprintf(path, sizeof path, "/dev/shm/kvstash-mail-cost-%d", (int)getpid());
    struct shm_region_options o = {.path = path, .bytes = 256u << 20, .shards = 4, .databases = 1, .slots = SENDERS + RECEIVERS,
        .shared_bytes = 4096, .hugepages = SHM_HUGEPAGES_NEVER};
    if (!shm_region_create(&region, &o, &e))
        fail(e.text);
    unlink(path);
    for (unsigned i = 0; i < RECEIVERS; i++) {
        if (!shm_proc_take(&region, SENDERS + i, SHM_PROC_TOOL))
            fail("no slot");
        shm_mail_open(&region, SENDERS + i);
        receivers[i] = shm_mail_address(&region, SENDERS + i);
    }
}

/* Empties the boxes; each has one who does. */
static void
read_all(const struct shm_mail_address *of, unsigned n)
{
    struct shm_letter letter;
    for (unsigned i = 0; i < n; i++)
        while (shm_mail_next(&region, of[i].slot, &letter))
            shm_mail_take(&region, of[i].slot, &letter);
}

static void
send_all(unsigned slot, const struct shm_mail_address *to, unsigned n, unsigned messages)
{
    static const char bytes[BYTES];
    const uint16_t shard = (uint16_t)slot;
    struct shm_tx tx;
    bool reads = n == 0 || to == receivers + slot || slot == 0;
    if (!shm_tx_open(&tx, &region, slot))
        fail("no private memory");
    for (unsigned i = 0; i < messages;) {
        if (!shm_tx_begin(&tx))
            fail("no transaction");
        shm_tx_enter(&tx, &shard, 1);
        shm_tx_set64(&tx, &region.shards[shard].reclaim_head, 0);
        if (n)
            shm_mail_send(&tx, to, n, 0, SHM_MAIL_PARK, bytes, sizeof bytes);
        i += shm_tx_commit(&tx);
        if (reads && (tx.want == SHM_WANT_MAIL || i % 256 == 0))
            read_all(to, n);
    }
    shm_tx_close(&tx);
}

static double
now_s(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The second sender has receivers from `second` on. */
static void
measure(const char *what, unsigned senders, unsigned n, unsigned second, unsigned messages)
{
    int status = 0;
    pid_t pid = senders > 1 ? fork() : 0;
    if (pid < 0)
        fail("cannot fork");
    if (senders > 1 && pid == 0) {
        send_all(1, receivers + second, n, messages);
        _exit(0);
    }
    double cpu = now_s(CLOCK_PROCESS_CPUTIME_ID), wall = now_s(CLOCK_MONOTONIC);
    send_all(0, receivers, n, messages);
    cpu = now_s(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    wall = now_s(CLOCK_MONOTONIC) - wall;
    if (pid > 0)
        read_all(receivers, n); /* what the other still has to send must find room */
    while (pid > 0 && waitpid(pid, &status, WNOHANG) == 0)
        read_all(receivers, second ? 0 : n);
    if (status)
        fail("a sender failed");
    printf("%-36s %8.0f ns %8.0f ns\n", what, cpu / messages * 1e9, wall / messages * 1e9);
}

int
main(int argc, char **argv)
{
    unsigned messages = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 300000;
    if (argc > 2 || messages < 1 || messages > MESSAGES_MAX)
        fail("usage: mail_cost [MESSAGES (1 to 100000000)]");
    open_region();
    measure("no mail", 1, 0, 0, messages);
    measure("one receiver", 1, 1, 0, messages);
    measure("four receivers", 1, 4, 0, messages);
    measure("one receiver each, two senders", 2, 1, 1, messages);
    measure("the same four receivers, two senders", 2, 4, 0, messages);
    shm_region_close(&region, false);
    return 0;
}
