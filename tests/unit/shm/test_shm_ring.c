/* test_shm_ring.c - the log: order of tickets, long records, holes of the dead. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <sys/wait.h>
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
    struct shm_error e;
    uint64_t expected = 1;
    unsigned ring;
    const struct shm_record_sh *rec;
    fixture_open(&f, 24);
    cr_assert(shm_ring_switch(&f.region, 0, true, &e), "%s", e.text);
    memset(big, 'x', sizeof big);
    cr_assert(write_one(&f.tx, "a", "1", 1));
    cr_assert(write_one(&f.tx, "b", big, sizeof big));
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(shm_ring_next(&f.region, &expected, &ring, &rec), SHM_RING_RECORD);
        char *payload = malloc(rec->length);
        shm_ring_payload(&f.region, rec, payload);
        cr_assert_eq(memcmp(payload + 8 + 4, "SET", 3), 0);
        cr_assert_eq(payload[rec->length - 1], i ? 'x' : '1');
        free(payload);
        cr_assert(shm_ring_take(&f.region, ring, &expected));
    }
    cr_assert_eq(shm_ring_next(&f.region, &expected, &ring, &rec), SHM_RING_EMPTY);
    fixture_check(&f); /* the spill spans came back */
    fixture_close(&f);
}

#ifdef KVSTASH_CRASH_POINTS
Test(ring, the_dead_leave_a_record_or_a_hole, .timeout = 60)
{
    struct fixture f;
    struct shm_error e;
    uint64_t expected = 1;
    unsigned records = 0, holes = 0;
    fixture_open(&f, 24);
    cr_assert(shm_ring_switch(&f.region, 0, true, &e), "%s", e.text);
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
        unsigned ring;
        const struct shm_record_sh *rec;
        uint64_t last = atomic_load(&f.region.header->ticket);
        cr_assert(shm_recover_slot(&f.region, 1, 0));
        cr_assert(write_one(&f.tx, "a", "next", 4)); /* whoever comes goes on */
        while (expected <= last) {
            enum shm_ring_result got = shm_ring_next(&f.region, &expected, &ring, &rec);
            cr_assert(got == SHM_RING_RECORD || got == SHM_RING_HOLE);
            holes += got == SHM_RING_HOLE;
            records += got == SHM_RING_RECORD;
            if (got == SHM_RING_RECORD)
                cr_assert(shm_ring_take(&f.region, ring, &expected));
        }
        if (WIFEXITED(status))
            break;
    }
    cr_assert(holes > 0 && records > holes, "deaths between the draw and the record: %u holes, %u records", holes, records);
    fixture_close(&f);
}
#endif
