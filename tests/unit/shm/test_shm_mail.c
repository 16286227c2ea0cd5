/* test_shm_mail.c - mailboxes: sent if and only if committed, in one order, through every death, and nobody sleeps over mail. */
#include <criterion/criterion.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"
#include "shm/shm_crash.h"
#include "shm/shm_lock.h"
#include "shm/shm_mail.h"
#include "shm/shm_proc.h"
#include "shm/shm_recover.h"
#include "shm/shm_ring.h"
#include "shm/shm_span.h"
#include "types/type_value.h"

enum { SHORT_KIND = 1, LONG_KIND = 2, LOOK_KIND = 5 };
#define LONG_BYTES 100000u
#define RECEIVER 1u
#define SENDER 2u

static char long_bytes[LONG_BYTES];

static void
fill_long(void)
{
    for (unsigned i = 0; i < LONG_BYTES; i++)
        long_bytes[i] = (char)(i * 7 + i / 251);
}

/* ---- sending -------------------------------------------------------------------------------------------------------- */

static void
post(struct shm_tx *tx, struct shm_mail_address to, unsigned kind, const char *bytes, size_t n)
{
    shm_mail_send(tx, &to, 1, kind, kind == LOOK_KIND ? SHM_MAIL_LOOK : SHM_MAIL_PARK, bytes, n);
}

/* A transaction that sends one message. */
static bool
send_one(struct shm_tx *tx, struct shm_mail_address to, unsigned kind, const char *bytes, size_t n)
{
    if (!shm_tx_begin(tx))
        return false;
    post(tx, to, kind, bytes, n);
    return shm_tx_commit(tx);
}

/* ---- receiving ------------------------------------------------------------------------------------------------------ */

/* Takes the front message and asserts what it is. */
static void
expect(struct shm_region *r, unsigned slot, unsigned kind, const char *bytes, size_t n)
{
    static char got[LONG_BYTES];
    struct shm_letter letter;
    cr_assert(shm_mail_next(r, slot, &letter));
    cr_assert_eq(letter.kind, kind);
    cr_assert_eq(letter.length, n);
    shm_mail_read(r, slot, &letter, got);
    cr_assert_eq(memcmp(got, bytes, n), 0);
    shm_mail_take(r, slot, &letter);
}

static void
expect_none(struct shm_region *r, unsigned slot)
{
    struct shm_letter letter;
    cr_assert_not(shm_mail_next(r, slot, &letter));
    cr_assert_eq(shm_mail_looks(r, slot), 0);
}

/* Slot 1 is the test's too, as a receiver; its life lock is held by this process. */
static struct shm_mail_address
open_receiver(struct fixture *f, unsigned slot)
{
    cr_assert(shm_proc_take(&f->region, slot, SHM_PROC_TOOL));
    shm_mail_open(&f->region, slot);
    return shm_mail_address(&f->region, slot);
}

static uint64_t
used_spans(const struct shm_region *r)
{
    uint64_t n = 0;
    for (uint64_t s = 0; s < atomic_load(&r->header->committed_extents) * SHM_SPANS_PER_EXTENT; s++)
        n += shm_span_word_state(atomic_load(&r->span_words[s])) != SHM_SPAN_FREE;
    return n;
}

/* ---- what arrives --------------------------------------------------------------------------------------------------- */

Test(mail, arrives_with_the_commit_and_in_order)
{
    struct fixture f;
    fill_long();
    fixture_open(&f, 24);
    struct shm_mail_address to = open_receiver(&f, RECEIVER);
    uint64_t before = used_spans(&f.region);
    cr_assert(shm_tx_begin(&f.tx));
    post(&f.tx, to, SHORT_KIND, "one", 3);
    post(&f.tx, to, LONG_KIND, long_bytes, LONG_BYTES);
    post(&f.tx, to, SHORT_KIND, "", 0);
    expect_none(&f.region, RECEIVER);
    cr_assert(shm_tx_commit(&f.tx));
    cr_assert(send_one(&f.tx, to, SHORT_KIND, long_bytes, SHM_MAIL_INLINE));
    fixture_check(&f);
    expect(&f.region, RECEIVER, SHORT_KIND, "one", 3);
    expect(&f.region, RECEIVER, LONG_KIND, long_bytes, LONG_BYTES);
    expect(&f.region, RECEIVER, SHORT_KIND, "", 0);
    expect(&f.region, RECEIVER, SHORT_KIND, long_bytes, SHM_MAIL_INLINE);
    expect_none(&f.region, RECEIVER);
    cr_assert_eq(used_spans(&f.region), before);
    fixture_check(&f);
    fixture_close(&f);
}

Test(mail, goes_round_the_ring)
{
    struct fixture f;
    char bytes[700];
    fixture_open(&f, 24);
    struct shm_mail_address to = open_receiver(&f, RECEIVER);
    for (unsigned i = 0; i < 2000; i++) {
        memset(bytes, (int)i, sizeof bytes);
        cr_assert(send_one(&f.tx, to, SHORT_KIND, bytes, i % sizeof bytes));
        if (i % 3 == 2)
            for (unsigned k = i - 2; k <= i; k++) {
                memset(bytes, (int)k, sizeof bytes);
                expect(&f.region, RECEIVER, SHORT_KIND, bytes, k % sizeof bytes);
            }
    }
    fixture_close(&f);
}

Test(mail, does_not_arrive_of_what_is_taken_back)
{
    struct fixture f;
    struct shm_savepoint sp;
    fill_long();
    fixture_open(&f, 24);
    struct shm_mail_address to = open_receiver(&f, RECEIVER);
    uint64_t before = used_spans(&f.region);
    cr_assert(shm_tx_begin(&f.tx));
    post(&f.tx, to, LONG_KIND, long_bytes, LONG_BYTES);
    shm_tx_abort(&f.tx);
    expect_none(&f.region, RECEIVER);
    cr_assert(shm_tx_begin(&f.tx));
    post(&f.tx, to, SHORT_KIND, "kept", 4);
    shm_tx_savepoint(&f.tx, &sp);
    post(&f.tx, to, SHORT_KIND, "not kept", 8);
    shm_tx_rollback_to(&f.tx, &sp);
    cr_assert(shm_tx_commit(&f.tx));
    expect(&f.region, RECEIVER, SHORT_KIND, "kept", 4);
    expect_none(&f.region, RECEIVER);
    cr_assert_eq(used_spans(&f.region), before);
    fixture_close(&f);
}

/* ---- a full box ------------------------------------------------------------------------------------------------------- */

Test(mail, full_box_refuses_the_transaction_whole)
{
    struct fixture f;
    static char bytes[1000];
    fixture_open(&f, 24);
    struct shm_mail_address to = open_receiver(&f, RECEIVER);
    unsigned sent = 0;
    while (send_one(&f.tx, to, SHORT_KIND, bytes, sizeof bytes))
        sent++;
    cr_assert_eq(f.tx.want, SHM_WANT_MAIL);
    cr_assert_eq(sent, SHM_MAIL_BYTES / (sizeof bytes + 16));
    uint16_t shard = fixture_shard(&f.region, "a");
    uint64_t before = fixture_digest(&f.region);
    cr_assert(shm_tx_begin(&f.tx));
    shm_tx_enter(&f.tx, &shard, 1);
    cr_assert(fixture_put(&f.tx, "a", "value", 5));
    post(&f.tx, to, SHORT_KIND, bytes, sizeof bytes);
    cr_assert_not(shm_tx_commit(&f.tx));
    cr_assert_eq(fixture_digest(&f.region), before);
    expect(&f.region, RECEIVER, SHORT_KIND, bytes, sizeof bytes);
    cr_assert(send_one(&f.tx, to, SHORT_KIND, bytes, sizeof bytes));
    fixture_check(&f);
    fixture_close(&f);
}

Test(mail, full_box_says_look_for_kinds_that_allow_it)
{
    struct fixture f;
    static char bytes[1000];
    fixture_open(&f, 24);
    struct shm_mail_address to = open_receiver(&f, RECEIVER);
    while (send_one(&f.tx, to, SHORT_KIND, bytes, sizeof bytes))
        ;
    cr_assert(send_one(&f.tx, to, LOOK_KIND, bytes, sizeof bytes));
    cr_assert_eq(shm_mail_looks(&f.region, RECEIVER), 1u << LOOK_KIND);
    cr_assert_eq(shm_mail_looks(&f.region, RECEIVER), 0);
    expect(&f.region, RECEIVER, SHORT_KIND, bytes, sizeof bytes);
    cr_assert(send_one(&f.tx, to, LOOK_KIND, bytes, sizeof bytes));
    cr_assert_eq(shm_mail_looks(&f.region, RECEIVER), 0);
    fixture_close(&f);
}

Test(mail, want_of_spans_refuses_and_leaks_none)
{
    struct fixture f;
    fill_long();
    fixture_open(&f, 1);
    struct shm_mail_address to = open_receiver(&f, RECEIVER);
    unsigned sent = 0;
    while (send_one(&f.tx, to, LONG_KIND, long_bytes, LONG_BYTES))
        sent++;
    cr_assert_eq(f.tx.want, SHM_WANT_LIMIT);
    cr_assert_eq(sent, SHM_SPANS_PER_EXTENT / 4);
    fixture_check(&f);
    while (sent-- > 0)
        expect(&f.region, RECEIVER, LONG_KIND, long_bytes, LONG_BYTES);
    cr_assert_eq(used_spans(&f.region), 0);
    fixture_close(&f);
}

/* ---- owners pass ------------------------------------------------------------------------------------------------------- */

Test(mail, vanishes_with_its_receiver)
{
    struct fixture f;
    fill_long();
    fixture_open(&f, 24);
    uint64_t before = used_spans(&f.region);
    struct shm_mail_address old = open_receiver(&f, RECEIVER), to;
    cr_assert(send_one(&f.tx, old, LONG_KIND, long_bytes, LONG_BYTES));
    cr_assert(send_one(&f.tx, old, SHORT_KIND, "late", 4));
    shm_proc_leave(&f.region, RECEIVER);
    cr_assert_eq(used_spans(&f.region), before);
    cr_assert(send_one(&f.tx, old, LONG_KIND, long_bytes, LONG_BYTES)); /* nobody reads */
    to = open_receiver(&f, RECEIVER);
    cr_assert_neq(to.generation, old.generation);
    expect_none(&f.region, RECEIVER);
    cr_assert(send_one(&f.tx, old, LONG_KIND, long_bytes, LONG_BYTES)); /* somebody else does */
    expect_none(&f.region, RECEIVER);
    cr_assert(send_one(&f.tx, to, SHORT_KIND, "heir", 4));
    expect(&f.region, RECEIVER, SHORT_KIND, "heir", 4);
    cr_assert_eq(used_spans(&f.region), before);
    fixture_check(&f);
    fixture_close(&f);
}

Test(mail, is_gone_after_a_restart_of_everything)
{
    struct fixture f;
    fill_long();
    fixture_open(&f, 24);
    uint64_t before = used_spans(&f.region);
    struct shm_mail_address to = open_receiver(&f, RECEIVER);
    cr_assert(send_one(&f.tx, to, LONG_KIND, long_bytes, LONG_BYTES));
    shm_recover_all(&f.region);
    expect_none(&f.region, RECEIVER);
    cr_assert(send_one(&f.tx, to, LONG_KIND, long_bytes, LONG_BYTES));
    expect_none(&f.region, RECEIVER);
    cr_assert_eq(used_spans(&f.region), before);
    fixture_check(&f);
    fixture_close(&f);
}

Test(mail, that_nobody_holds_is_found_by_the_check)
{
    struct fixture f;
    struct shm_check_result result;
    fill_long();
    fixture_open(&f, 24);
    struct shm_mail_address to = open_receiver(&f, RECEIVER);
    struct shm_mailbox_sh *box = &f.region.mailboxes[RECEIVER];
    cr_assert(send_one(&f.tx, to, LONG_KIND, long_bytes, LONG_BYTES));
    uint64_t head = atomic_load(&box->head);
    atomic_store(&box->head, atomic_load(&box->tail));
    cr_assert_not(shm_check_region(&f.region, type_value_check, &result));
    cr_assert(strstr(result.first, "holds mail of slot 1"), "%s", result.first);
    atomic_store(&box->head, head + 8);
    cr_assert_not(shm_check_region(&f.region, type_value_check, &result));
    cr_assert(strstr(result.first, "mailbox of slot 1"), "%s", result.first);
    atomic_store(&box->head, head);
    fixture_check(&f);
    fixture_close(&f);
}

/* ---- processes ----------------------------------------------------------------------------------------------------------- */

/* Runs fn in a child, which ends with the test, whatever becomes of that. */
static pid_t
start_child(struct fixture *f, int (*fn)(struct fixture *f, uint64_t n), uint64_t n)
{
    pid_t pid = fork();
    cr_assert(pid >= 0);
    if (pid > 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    _exit(fn(f, n));
}

/* The same; returns its status. */
static int
in_child(struct fixture *f, int (*fn)(struct fixture *f, uint64_t n), uint64_t n)
{
    int status;
    pid_t pid = start_child(f, fn, n);
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 0, "child ended with %x", status);
    return status;
}

#ifdef KVSTASH_CRASH_POINTS

static struct shm_mail_address first, second;

/* Changes a key, sends a short and a long message to one, a short one to another, a long one to somebody gone. */
static int
send_and_die(struct fixture *f, uint64_t n)
{
    struct shm_tx tx;
    const struct shm_mail_address both[] = {first, second};
    uint16_t shard = fixture_shard(&f->region, "a");
    if (!shm_tx_open(&tx, &f->region, SENDER))
        return 3;
    shm_crash_arm(n);
    if (!shm_tx_begin(&tx))
        return 3;
    shm_tx_enter(&tx, &shard, 1);
    if (!fixture_put(&tx, "a", "value", 5))
        return 3;
    shm_mail_send(&tx, both, 2, SHORT_KIND, SHM_MAIL_PARK, "short", 5);
    post(&tx, first, LONG_KIND, long_bytes, LONG_BYTES);
    post(&tx, (struct shm_mail_address){.slot = 0, .generation = 77}, LONG_KIND, long_bytes, LONG_BYTES);
    shm_tx_effect(&tx, 0, 1, &(struct shm_effect_arg){"SET", 3});
    bool done = shm_tx_commit(&tx);
    shm_crash_arm(0);
    shm_tx_close(&tx);
    return done ? 0 : 2;
}

/* Takes all locks, which finishes what the dead left, and may die of it. */
static int
take_locks(struct fixture *f, uint64_t n)
{
    shm_crash_arm(n);
    for (unsigned id = 0; id < f->region.nshards + SHM_REGISTRIES; id++) {
        shm_lock_take(&f->region, 3, id);
        shm_lock_drop(&f->region, id);
    }
    shm_crash_arm(0);
    return 0;
}

static void
run_sender_deaths(bool logging, bool second_death)
{
    struct fixture f;
    struct shm_error e;
    unsigned before = 0, after = 0;
    bool died = true;
    fill_long();
    fixture_open(&f, 24);
    if (logging)
        cr_assert(shm_ring_switch(&f.region, 0, true, &e), "%s", e.text);
    first = open_receiver(&f, RECEIVER);
    second = open_receiver(&f, 4);
    uint64_t spans = 0, empty = fixture_digest(&f.region);
    for (uint64_t n = 0; died || n < 2; n++) { /* first without a death: the shard keeps a span of the key's size */
        died = WIFSIGNALED(in_child(&f, send_and_die, n));
        if (second_death && died)
            in_child(&f, take_locks, 1 + n * 7 % 61);
        take_locks(&f, 0);
        cr_assert(shm_recover_slot(&f.region, SENDER, 0));
        cr_assert(shm_recover_slot(&f.region, 3, 0));
        fixture_check(&f);
        if (fixture_digest(&f.region) == empty) {
            before++;
        } else {
            after++;
            expect(&f.region, RECEIVER, SHORT_KIND, "short", 5);
            expect(&f.region, RECEIVER, LONG_KIND, long_bytes, LONG_BYTES);
            expect(&f.region, 4, SHORT_KIND, "short", 5);
        }
        expect_none(&f.region, RECEIVER);
        expect_none(&f.region, 4);
        fixture_clear(&f);
        spans = n ? spans : used_spans(&f.region);
        cr_assert_eq(used_spans(&f.region), spans, "death at point %lu leaks", (unsigned long)n);
    }
    cr_assert(before > 10 && after > 10, "%u deaths before the commit point, %u behind", before, after);
    fixture_close(&f);
}

Test(mail, is_sent_if_and_only_if_committed_at_every_death, .timeout = 120)
{
    run_sender_deaths(false, false);
}

Test(mail, is_sent_if_and_only_if_logged_at_every_death, .timeout = 120)
{
    run_sender_deaths(true, false);
}

Test(mail, is_sent_if_and_only_if_committed_with_deaths_in_recovery, .timeout = 120)
{
    run_sender_deaths(false, true);
}

/* The receiver: takes the slot, reads what comes. n: dies at that point. */
static int
receive_and_die(struct fixture *f, uint64_t n)
{
    struct shm_letter letter;
    static char got[LONG_BYTES];
    shm_crash_arm(n);
    if (!shm_proc_take(&f->region, RECEIVER, SHM_PROC_TOOL))
        return 3;
    shm_mail_open(&f->region, RECEIVER);
    first = shm_mail_address(&f->region, RECEIVER);
    shm_crash_arm(0);
    for (int i = 0; i < 3; i++)
        if (!send_one(&f->tx, first, i == 1 ? LONG_KIND : SHORT_KIND, long_bytes, i == 1 ? LONG_BYTES : 10))
            return 4;
    shm_crash_arm(n > 40 ? n - 40 : 0);
    while (shm_mail_next(&f->region, RECEIVER, &letter)) {
        shm_mail_read(&f->region, RECEIVER, &letter, got);
        if (memcmp(got, long_bytes, letter.length) != 0)
            return 5;
        shm_mail_take(&f->region, RECEIVER, &letter);
    }
    shm_proc_leave(&f->region, RECEIVER);
    shm_crash_arm(0);
    return 0;
}

static int
inherit_and_die(struct fixture *f, uint64_t n)
{
    shm_crash_arm(n);
    if (!shm_proc_take(&f->region, RECEIVER, SHM_PROC_TOOL))
        return 3;
    shm_crash_arm(0);
    struct shm_letter letter;
    if (shm_mail_next(&f->region, RECEIVER, &letter))
        return 6;
    shm_mail_open(&f->region, RECEIVER);
    if (!send_one(&f->tx, shm_mail_address(&f->region, RECEIVER), SHORT_KIND, "heir", 4))
        return 4;
    expect(&f->region, RECEIVER, SHORT_KIND, "heir", 4);
    shm_proc_leave(&f->region, RECEIVER);
    return 0;
}

Test(mail, leaves_nothing_when_receiver_and_heir_die, .timeout = 120)
{
    struct fixture f;
    fill_long();
    fixture_open(&f, 24);
    uint64_t spans = used_spans(&f.region);
    unsigned deaths = 0, heirs = 0;
    for (uint64_t n = 1; n < 120; n++) {
        bool died = WIFSIGNALED(in_child(&f, receive_and_die, n));
        deaths += died;
        if (died)
            heirs += WIFSIGNALED(in_child(&f, inherit_and_die, 1 + n * 5 % 29)) != 0;
        in_child(&f, inherit_and_die, 0);
        cr_assert_eq(used_spans(&f.region), spans, "after death at point %lu", (unsigned long)n);
        fixture_check(&f);
    }
    cr_assert(deaths > 20 && heirs > 5, "%u receivers and %u heirs died", deaths, heirs);
    fixture_close(&f);
}

/* ---- generations --------------------------------------------------------------------------------------------------------- */

#define RECEIVERS 150u

/* Sends the generation that it means, in short and long messages, until told to end. */
static int
send_generations(struct fixture *f, uint64_t slot)
{
    static uint32_t bytes[LONG_BYTES / 4];
    const _Atomic uint32_t *ended = f->region.shared;
    struct shm_tx tx;
    if (!shm_tx_open(&tx, &f->region, (unsigned)slot))
        return 3;
    shm_crash_races(50);
    for (unsigned i = 0; !atomic_load(ended); i++) {
        struct shm_mail_address to = shm_mail_address(&f->region, RECEIVER);
        bytes[0] = to.generation;
        if (!send_one(&tx, to, i % 3 ? SHORT_KIND : LONG_KIND, (const char *)bytes, i % 3 ? 4 : LONG_BYTES) &&
            tx.want != SHM_WANT_MAIL && tx.want != SHM_WANT_LIMIT)
            return 4;
    }
    shm_tx_close(&tx);
    return 0;
}

/* Reads n messages and dies of the last one. */
static int
receive_generation(struct fixture *f, uint64_t n)
{
    static uint32_t got[LONG_BYTES / 4];
    struct shm_letter letter;
    shm_crash_races(50);
    if (!shm_proc_take(&f->region, RECEIVER, SHM_PROC_TOOL))
        return 3;
    shm_mail_open(&f->region, RECEIVER);
    for (uint64_t i = 0; i < n; i++) {
        while (!shm_mail_next(&f->region, RECEIVER, &letter))
            ;
        shm_mail_read(&f->region, RECEIVER, &letter, (char *)got);
        if (got[0] != atomic_load(&f->region.slots[RECEIVER].generation))
            return 4;
        if (i + 1 == n)
            kill(getpid(), SIGKILL);
        shm_mail_take(&f->region, RECEIVER, &letter);
    }
    return 0;
}

Test(mail, comes_to_the_generation_that_was_meant, .timeout = 120)
{
    struct fixture f;
    fixture_open(&f, 24);
    uint64_t spans = used_spans(&f.region);
    for (unsigned slot = 2; slot < 4; slot++)
        start_child(&f, send_generations, slot);
    for (unsigned i = 0; i < RECEIVERS; i++) {
        int status;
        pid_t pid = start_child(&f, receive_generation, 1 + i % 20);
        cr_assert_eq(waitpid(pid, &status, 0), pid);
        cr_assert(WIFSIGNALED(status), "receiver %u ended with %x", i, status);
    }
    atomic_store((_Atomic uint32_t *)f.region.shared, 1);
    for (int i = 0; i < 2; i++) {
        int status;
        cr_assert(wait(&status) > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0, "a sender ended with %x", status);
    }
    in_child(&f, inherit_and_die, 0);
    cr_assert_eq(used_spans(&f.region), spans);
    fixture_check(&f);
    fixture_close(&f);
}

/* ---- orders ---------------------------------------------------------------------------------------------------------------- */

#define BROADCASTS 2000u

/* Sends numbered messages to both receivers. */
static int
broadcast(struct fixture *f, uint64_t slot)
{
    struct shm_tx tx;
    const struct shm_mail_address both[] = {first, second};
    if (!shm_tx_open(&tx, &f->region, (unsigned)slot))
        return 3;
    shm_crash_races(20);
    for (uint32_t i = 0; i < BROADCASTS;) {
        if (!shm_tx_begin(&tx))
            return 4;
        shm_mail_send(&tx, both, 2, SHORT_KIND, SHM_MAIL_PARK, (const char *)&i, sizeof i);
        if (shm_tx_commit(&tx))
            i++;
        else if (tx.want != SHM_WANT_MAIL)
            return 5;
    }
    shm_tx_close(&tx);
    return 0;
}

/* Reads one message of a sender's sequence; true if there was one. */
static bool
read_number(struct shm_region *r, unsigned slot, uint64_t *out)
{
    struct shm_letter letter;
    uint32_t i;
    if (!shm_mail_next(r, slot, &letter))
        return false;
    shm_mail_read(r, slot, &letter, (char *)&i);
    shm_mail_take(r, slot, &letter);
    *out = (uint64_t)letter.from << 32 | i;
    return true;
}

Test(mail, of_two_senders_is_seen_in_one_order_by_all, .timeout = 60)
{
    static uint64_t seen[2][2 * BROADCASTS];
    struct fixture f;
    unsigned n[2] = {0, 0};
    fixture_open(&f, 24);
    first = open_receiver(&f, RECEIVER);
    second = open_receiver(&f, 4);
    for (unsigned slot = 2; slot < 4; slot++)
        start_child(&f, broadcast, slot);
    while (n[0] < 2 * BROADCASTS || n[1] < 2 * BROADCASTS) {
        n[0] += n[0] < 2 * BROADCASTS && read_number(&f.region, RECEIVER, &seen[0][n[0]]);
        n[1] += n[1] < 2 * BROADCASTS && read_number(&f.region, 4, &seen[1][n[1]]);
    }
    for (int i = 0; i < 2; i++) {
        int status;
        cr_assert(wait(&status) > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0, "a sender ended with %x", status);
    }
    uint32_t next[5] = {0}, turns = 0;
    for (unsigned i = 0; i < 2 * BROADCASTS; i++) {
        cr_assert_eq(seen[0][i], seen[1][i], "message %u differs", i);
        cr_assert_eq((uint32_t)seen[0][i], next[seen[0][i] >> 32]++, "a sender's own order");
        turns += i > 0 && seen[0][i] >> 32 != seen[0][i - 1] >> 32;
    }
    cr_assert(turns > 10, "the senders took turns %u times", turns);
    fixture_close(&f);
}

#endif

/* ---- waking ------------------------------------------------------------------------------------------------------------------- */

static int wake_fd = -1;

static void
wake(void *arg, unsigned slot)
{
    uint64_t one = 1;
    (void)arg;
    (void)slot;
    ssize_t n = write(wake_fd, &one, sizeof one);
    (void)n;
}

/* Up to some microseconds, other ones each time: so that falling asleep meets what comes. */
static void
dawdle(void)
{
    static uint32_t seed = 1;
    seed = seed * 1664525u + 1013904223u;
    for (unsigned k = seed >> 19; k > 0; k--)
        atomic_signal_fence(memory_order_seq_cst);
}

/* Waits for one message and takes it; false: it slept for seconds over it. */
static bool
wait_for_one(struct shm_region *r, unsigned slot)
{
    struct shm_letter letter;
    struct pollfd p = {.fd = wake_fd, .events = POLLIN};
    uint64_t count;
    while (!shm_mail_next(r, slot, &letter)) {
        dawdle();
        if (!shm_mail_sleep(r, slot))
            continue;
        int ready = poll(&p, 1, 5000);
        shm_mail_woken(r, slot);
        if (ready <= 0 || read(wake_fd, &count, sizeof count) != sizeof count)
            return false;
    }
    shm_mail_take(r, slot, &letter);
    return true;
}

/* Sends the next message when the last one was taken: while the receiver is about to sleep. */
static int
send_to_the_drowsy(struct fixture *f, uint64_t rounds)
{
    const struct shm_mail_address to = shm_mail_address(&f->region, RECEIVER);
    const struct shm_mailbox_sh *box = &f->region.mailboxes[RECEIVER];
    struct shm_tx tx;
    if (!shm_tx_open(&tx, &f->region, SENDER))
        return 3;
    for (uint64_t i = 0; i < rounds; i++) {
        while (atomic_load(&box->tail) != atomic_load(&box->head))
            ;
        if (!send_one(&tx, to, SHORT_KIND, "look", 4))
            return 4;
    }
    shm_tx_close(&tx);
    return 0;
}

/* KVSTASH_ROUNDS: how many. */
Test(mail, wakes_whoever_sleeps, .timeout = 600)
{
    struct fixture f;
    const char *text = getenv("KVSTASH_ROUNDS");
    unsigned rounds = text ? (unsigned)atoi(text) : 20000;
    fixture_open(&f, 24);
    f.region.wake = wake;
    wake_fd = eventfd(0, EFD_CLOEXEC);
    open_receiver(&f, RECEIVER);
    pid_t pid = start_child(&f, send_to_the_drowsy, rounds);
    for (unsigned i = 0; i < rounds; i++)
        cr_assert(wait_for_one(&f.region, RECEIVER), "slept over message %u", i);
    int status;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the sender ended with %x", status);
    expect_none(&f.region, RECEIVER);
    fixture_close(&f);
}
