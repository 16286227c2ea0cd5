/* test_shm_ring.c - the log: order of tickets, long records, holes of the dead. */
#include <criterion/criterion.h>
#include <criterion/logging.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fixture.h"
#include "shm/shm_crash.h"
#include "shm/shm_recover.h"
#include "shm/shm_ring.h"

static bool
write_one(struct shm_tx *tx, const char *key, const char *value, size_t n)
{
    uint16_t shard = fixture_shard(tx->region, key);
    const struct shm_effect_arg effect[] = {{"SET", 3}, {key, strlen(key)}, {value, n}};
    if (!shm_tx_begin(tx))
        return false;
    shm_tx_enter(tx, &shard, 1);
    if (!fixture_put(tx, key, value, n)) {
        shm_tx_abort(tx);
        return false;
    }
    shm_tx_effect(tx, 0, 3, effect);
    return shm_tx_commit(tx);
}

Test(ring, records_come_in_order)
{
    static char big[90000];
    struct fixture f;
    struct buf room = {0};
    struct shm_error e;
    struct shm_ring_reader q;
    const struct shm_record_sh *rec;
    fixture_open(&f, 24);
    cr_assert(shm_ring_switch(&f.region, 0, true, &e), "%s", e.text);
    shm_ring_open(&q, &f.region, 1);
    memset(big, 'x', sizeof big);
    cr_assert(write_one(&f.tx, "a", "1", 1));
    cr_assert(write_one(&f.tx, "b", big, sizeof big));
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(shm_ring_next(&q, &rec), SHM_RING_RECORD);
        const char *payload = shm_ring_payload(&q, rec, &room);
        cr_assert_eq(memcmp(payload + 8 + 4, "SET", 3), 0);
        cr_assert_eq(payload[rec->length - 1], i ? 'x' : '1');
        shm_ring_pass(&q);
    }
    cr_assert_eq(shm_ring_next(&q, &rec), SHM_RING_EMPTY);
    cr_assert(q.spilled && shm_ring_release(&q, q.cursor, true));
    buf_destroy(&room);
    fixture_check(&f); /* the spill spans came back */
    fixture_close(&f);
}

#ifdef KVSTASH_CRASH_POINTS
Test(ring, the_dead_leave_a_record_or_a_hole, .timeout = 60)
{
    struct fixture f;
    struct shm_error e;
    struct shm_ring_reader q;
    unsigned records = 0, holes = 0;
    fixture_open(&f, 24);
    cr_assert(shm_ring_switch(&f.region, 0, true, &e), "%s", e.text);
    shm_ring_open(&q, &f.region, 1);
    for (uint64_t n = 1;; n++) {
        int status;
        pid_t pid = fork();
        if (pid == 0) {
            struct shm_tx tx;
            if (!shm_tx_open(&tx, &f.region, 1))
                _exit(3);
            shm_crash_arm(n);
            _exit(write_one(&tx, "a", "value", 5) ? 0 : 2);
        }
        waitpid(pid, &status, 0);
        const struct shm_record_sh *rec;
        uint64_t last = atomic_load(&f.region.header->ticket);
        cr_assert(shm_recover_slot(&f.region, 1, 0));
        cr_assert(write_one(&f.tx, "a", "next", 4)); /* whoever comes goes on */
        while (q.expected <= last) {
            enum shm_ring_result got = shm_ring_next(&q, &rec);
            cr_assert(got == SHM_RING_RECORD || got == SHM_RING_HOLE);
            holes += got == SHM_RING_HOLE;
            records += got == SHM_RING_RECORD;
            if (got == SHM_RING_RECORD)
                shm_ring_pass(&q);
        }
        cr_assert(shm_ring_release(&q, q.cursor, false));
        if (WIFEXITED(status))
            break;
    }
    cr_assert(holes > 0 && records > holes, "deaths between the draw and the record: %u holes, %u records", holes, records);
    fixture_close(&f);
}

/* ---- order under load: writers that die, a reader that is late ---- */

#define WRITERS 2 /* slots 1 and 2 */
#define RECORDS 60000u

static void
effect_of(struct shm_tx *tx, unsigned shard, uint64_t value)
{
    char text[24], number[8];
    int n = snprintf(text, sizeof text, "%lu", (unsigned long)value), k = snprintf(number, sizeof number, "%u", shard);
    const struct shm_effect_arg effect[] = {{"SET", 3}, {number, (size_t)k}, {text, (size_t)n}};
    shm_tx_effect(tx, 0, 3, effect);
}

/* Raises the numbers of one or two shards by one, again and again; dies at its n-th crash point. */
static _Noreturn void
keep_writing(struct fixture *f, unsigned slot, uint64_t n, unsigned seed)
{
    struct shm_tx tx;
    shm_crash_races_asked();
    if (!shm_tx_open(&tx, &f->region, slot))
        _exit(3);
    shm_crash_arm(n);
    for (;;) {
        uint16_t ids[2] = {(uint16_t)(seed % 3), (uint16_t)(seed % 3 + 1 + seed / 3 % (3 - seed % 3))};
        unsigned shards = 1 + seed / 16 % 2;
        seed = seed * 1103515245 + 12345;
        if (!shm_tx_begin(&tx)) { /* the ring is full: parks holding nothing */
            nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
            continue;
        }
        shm_tx_enter(&tx, ids, shards);
        for (unsigned i = 0; i < shards; i++) {
            struct shm_shard_sh *s = &f->region.shards[ids[i]];
            if (!shm_tx_set64(&tx, &s->unused[0], s->unused[0] + 1))
                _exit(4);
            effect_of(&tx, ids[i], s->unused[0]);
        }
        shm_tx_commit(&tx);
    }
}

static pid_t
writer_start(struct fixture *f, unsigned slot, uint64_t n)
{
    pid_t pid = fork();
    if (pid == 0)
        keep_writing(f, slot, n, (unsigned)n * 7 + slot);
    return pid;
}

/* A number that each effect of a record gives to its shard must be the next one. */
static void
follow_record(const struct shm_record_sh *rec, const char *at, uint64_t seen[4])
{
    for (unsigned e = 0; e < rec->effects; e++) {
        uint32_t head[2], len;
        char word[3][24] = {""};
        memcpy(head, at, sizeof head);
        at += sizeof head;
        cr_assert_eq(head[1], 3);
        for (unsigned i = 0; i < 3; i++) {
            memcpy(&len, at, sizeof len);
            cr_assert(len < sizeof word[i]);
            memcpy(word[i], at + 4, len);
            at += 4 + len;
        }
        unsigned shard = (unsigned)atoi(word[1]);
        cr_assert(shard < 4 && strtoul(word[2], NULL, 10) == seen[shard] + 1, "shard %u: %s after %lu, at ticket %lu", shard, word[2],
            (unsigned long)seen[shard], (unsigned long)rec->ticket);
        seen[shard]++;
    }
}

static bool
is_full(const struct fixture *f)
{
    for (unsigned slot = 1; slot <= WRITERS; slot++)
        if (shm_ring_filled(&f->region.rings[slot]) + SHM_RECORD_UNITS_MAX > SHM_RING_UNITS)
            return true;
    return false;
}

/* Whoever died is recovered and has a successor. */
static void
renew_writers(struct fixture *f, pid_t pid[WRITERS + 1], unsigned *deaths)
{
    for (unsigned slot = 1; slot <= WRITERS; slot++) {
        int status;
        if (waitpid(pid[slot], &status, WNOHANG) != pid[slot])
            continue;
        cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "writer ended with %x", status);
        cr_assert(shm_recover_slot(&f->region, slot, atomic_load(&f->region.slots[slot].generation)));
        pid[slot] = writer_start(f, slot, 1000 + ++*deaths * 7919 % 20000);
    }
}

Test(ring, order_under_load_with_deaths_and_a_full_ring, .timeout = 120)
{
    struct fixture f;
    struct shm_error e;
    uint64_t seen[4] = {0}, records = 0, holes = 0;
    struct shm_ring_reader q;
    struct buf room = {0};
    unsigned deaths = 0;
    pid_t pid[WRITERS + 1] = {0};
    fixture_open(&f, 24);
    cr_assert(shm_ring_switch(&f.region, 0, true, &e), "%s", e.text);
    shm_ring_open(&q, &f.region, 1);
    for (unsigned slot = 1; slot <= WRITERS; slot++)
        pid[slot] = writer_start(&f, slot, UINT64_MAX); /* these fill a ring */
    while (!is_full(&f))
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    cr_assert(is_full(&f), "a full ring parks its writer and drops nothing");
    for (unsigned slot = 1; slot <= WRITERS; slot++)
        kill(pid[slot], SIGKILL);
    while (records < RECORDS || deaths < 20) {
        const struct shm_record_sh *rec;
        switch (shm_ring_next(&q, &rec)) {
        case SHM_RING_RECORD:
            follow_record(rec, shm_ring_payload(&q, rec, &room), seen);
            shm_ring_pass(&q);
            if (++records % 64 == 0)
                cr_assert(shm_ring_release(&q, q.cursor, q.spilled));
            break;
        case SHM_RING_HOLE:
            holes++;
            break;
        default:
            renew_writers(&f, pid, &deaths);
        }
        if (records % 512 == 0)
            renew_writers(&f, pid, &deaths);
    }
    for (unsigned slot = 1; slot <= WRITERS; slot++) {
        kill(pid[slot], SIGKILL);
        waitpid(pid[slot], NULL, 0);
        cr_assert(shm_recover_slot(&f.region, slot, atomic_load(&f.region.slots[slot].generation)));
    }
    buf_destroy(&room);
    cr_log_info("%lu records, %lu holes, %u deaths", (unsigned long)records, (unsigned long)holes, deaths);
    for (unsigned shard = 0; shard < 4; shard++) {
        shm_tx_enter_read(&f.tx, &(uint16_t){(uint16_t)shard}, 1);
        cr_assert(f.region.shards[shard].unused[0] >= seen[shard]);
        shm_tx_leave_read(&f.tx);
    }
    fixture_close(&f);
}
#endif
