/* test_shm_tx.c - long transactions: what needs no note, savepoints behind fresh memory, the undo log's length. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "fixture.h"

static bool
put_keys(struct shm_tx *tx, int from, int to, const char *value)
{
    char key[24];
    for (int i = from; i < to; i++) {
        snprintf(key, sizeof key, "key:%d", i);
        if (!fixture_put(tx, key, value, value ? strlen(value) : 0))
            return false;
    }
    return true;
}

static void
begin(struct fixture *f)
{
    cr_assert(shm_tx_begin(&f->tx));
    shm_tx_enter_all(&f->tx);
}

/* Rolling back to a savepoint that lies behind claimed spans restores what those held then. */
Test(tx, savepoint_behind_fresh_spans)
{
    struct fixture f;
    struct shm_savepoint sp;
    fixture_open(&f, 24);
    begin(&f);
    cr_assert(put_keys(&f.tx, 0, 3000, "first"));
    cr_assert_gt(f.tx.nclaims, 0);
    uint64_t before = fixture_digest(&f.region);
    shm_tx_savepoint(&f.tx, &sp);
    cr_assert(put_keys(&f.tx, 1000, 6000, "other"));
    cr_assert(put_keys(&f.tx, 0, 500, NULL));
    cr_assert_neq(fixture_digest(&f.region), before);
    shm_tx_rollback_to(&f.tx, &sp);
    cr_assert_eq(fixture_digest(&f.region), before);
    cr_assert(put_keys(&f.tx, 3000, 3100, "last"));
    uint64_t after = fixture_digest(&f.region);
    cr_assert(shm_tx_commit(&f.tx));
    cr_assert_eq(fixture_digest(&f.region), after);
    fixture_check(&f);
    fixture_close(&f);
}

/* A transaction of a hundred thousand keys can be taken back, and done. */
Test(tx, long_ones, .timeout = 60)
{
    struct fixture f;
    fixture_open(&f, 60);
    begin(&f);
    cr_assert(put_keys(&f.tx, 0, 20000, "old"));
    cr_assert(shm_tx_commit(&f.tx));
    uint64_t old = fixture_digest(&f.region);
    for (int round = 0; round < 2; round++) {
        begin(&f);
        cr_assert(put_keys(&f.tx, 0, 10000, NULL), "want %d", (int)f.tx.want);
        cr_assert(put_keys(&f.tx, 10000, 120000, "new"), "want %d", (int)f.tx.want);
        if (round == 0) {
            shm_tx_abort(&f.tx);
            cr_assert_eq(fixture_digest(&f.region), old);
        } else {
            cr_assert(shm_tx_commit(&f.tx));
            cr_assert_neq(fixture_digest(&f.region), old);
        }
        fixture_check(&f);
    }
    fixture_clear(&f);
    fixture_check(&f);
    fixture_close(&f);
}

/* Copying into fresh memory writes next to nothing into the undo log. */
Test(tx, fresh_memory_needs_no_notes, .timeout = 60)
{
    struct fixture f;
    fixture_open(&f, 60);
    begin(&f);
    for (int i = 0; i < 50000; i++) {
        char field[24];
        snprintf(field, sizeof field, "field:%d", i);
        cr_assert(fixture_hset(&f.tx, "h", field, "some value", 10));
    }
    cr_assert_lt(f.tx.undo_end, 2u << 20);
    cr_assert(shm_tx_commit(&f.tx));
    fixture_check(&f);
    fixture_close(&f);
}
