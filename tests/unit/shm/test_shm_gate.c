/* test_shm_gate.c - the gate, transactions that note nothing behind it, and the keyspace wiped. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "fixture.h"
#include "shm/shm_gate.h"
#include "shm/shm_read.h"
#include "shm/shm_wipe.h"

static void
put(struct shm_tx *tx, int from, int to, const char *value)
{
    char key[24];
    for (int i = from; i < to; i++) {
        snprintf(key, sizeof key, "key:%d", i);
        uint16_t shard = fixture_shard(tx->region, key);
        cr_assert(shm_tx_begin(tx));
        shm_tx_enter(tx, &shard, 1);
        cr_assert(fixture_put(tx, key, value, value ? strlen(value) : 0));
        cr_assert(shm_tx_commit(tx));
    }
}

/* What is filled without notes is what is filled with them, and the region check finds nothing. */
Test(gate, bare_is_the_same, .timeout = 60)
{
    struct fixture f;
    struct shm_tx bare;
    fixture_open(&f, 40);
    put(&f.tx, 0, 5000, "value");
    put(&f.tx, 100, 200, NULL);
    uint64_t want = fixture_digest(&f.region), seq = atomic_load(&f.region.shards[0].seq);
    shm_gate_close(&f.tx);
    shm_gate_load(&f.region);
    shm_wipe(&f.region);
    fixture_check(&f);
    cr_assert_neq(fixture_digest(&f.region), want);
    cr_assert(shm_tx_open(&bare, &f.region, 1));
    shm_tx_make_bare(&bare);
    put(&bare, 0, 5000, "other");
    put(&bare, 0, 5000, "value");
    put(&bare, 100, 200, NULL);
    cr_assert_eq(bare.undo_end, 0);
    fixture_check(&f);
    cr_assert_eq(fixture_digest(&f.region), want);
    shm_gate_open(&f.region);
    cr_assert_neq(atomic_load(&f.region.shards[0].seq), seq);
    shm_tx_close(&bare);
    f.tx.gate = SHM_TX_WAITS;
    put(&f.tx, 0, 100, NULL);
    fixture_check(&f);
    fixture_close(&f);
}

/* A half-made keyspace is wiped like any other. */
Test(gate, wipe_of_a_torn_one)
{
    struct fixture f;
    fixture_open(&f, 24);
    put(&f.tx, 0, 2000, "value");
    shm_gate_close(&f.tx);
    shm_gate_load(&f.region);
    for (unsigned i = 0; i < f.region.nshards; i++) {
        f.region.shards[i].used_bytes += 12345;
        shm_region_dbroot(&f.region, i, 0)->tree.count += 7;
    }
    shm_wipe(&f.region);
    fixture_check(&f);
    cr_assert_eq(fixture_digest(&f.region), 0);
    fixture_close(&f);
}

/* Who has no patience turns back, who has waits; readers without locks are told to try again. */
Test(gate, closed)
{
    struct fixture f;
    struct shm_tx other;
    uint64_t room[1024];
    uint16_t shard;
    fixture_open(&f, 24);
    put(&f.tx, 0, 10, "value");
    shard = fixture_shard(&f.region, "key:1");
    struct shm_tree t = shm_tree_of_db(&f.region, shard, 0);
    uint64_t position = shm_table_position(&f.region, "key:1", 5, false);
    cr_assert(shm_tx_open(&other, &f.region, 1));
    other.gate = SHM_TX_TURNS_BACK;
    cr_assert_eq(shm_read_entry(&t, position, "key:1", 5, room, sizeof room, SHM_READ_NO_TOUCH), SHM_READ_COPIED);
    shm_gate_close(&f.tx);
    cr_assert_eq(shm_read_entry(&t, position, "key:1", 5, room, sizeof room, SHM_READ_NO_TOUCH), SHM_READ_RETRY);
    cr_assert(shm_tx_begin(&other));
    shm_tx_enter(&other, &shard, 1);
    cr_assert_eq(other.want, SHM_WANT_LOCK);
    shm_tx_abort(&other);
    shm_tx_enter_read(&other, &shard, 1);
    cr_assert_eq(other.want, SHM_WANT_LOCK);
    shm_tx_leave_read(&other);
    put(&f.tx, 0, 10, "inside");
    shm_gate_open(&f.region);
    put(&other, 0, 10, "again");
    fixture_check(&f);
    shm_tx_close(&other);
    fixture_close(&f);
}

static void *
open_later(void *arg)
{
    struct fixture *f = arg;
    usleep(20000);
    shm_gate_open(&f->region);
    return NULL;
}

Test(gate, patience_waits)
{
    struct fixture f;
    struct shm_tx other;
    pthread_t opener;
    fixture_open(&f, 24);
    cr_assert(shm_tx_open(&other, &f.region, 1));
    shm_gate_close(&f.tx);
    cr_assert_eq(pthread_create(&opener, NULL, open_later, &f), 0);
    put(&other, 0, 10, "value");
    cr_assert(shm_gate_is_open(&f.region));
    pthread_join(opener, NULL);
    fixture_check(&f);
    shm_tx_close(&other);
    fixture_close(&f);
}
