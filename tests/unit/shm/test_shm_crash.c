/* test_shm_crash.c - die at the N-th store, for every N, of each kind of change; and again while recovering.
 *
 * A child does the change on slot 1 and dies at its N-th crash point. The parent takes all locks, which finishes what
 * the child left, and finds the content of before or of after, never another, and a whole region.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"
#include "shm/shm_alloc.h"
#include "shm/shm_crash.h"
#include "shm/shm_recover.h"

#ifdef KVSTASH_CRASH_POINTS

static char big[100000];

/* One transaction over all shards; the change returns false for want of memory. */
static bool
transact(struct shm_tx *tx, bool (*change)(struct shm_tx *))
{
    if (!shm_tx_begin(tx))
        return false;
    shm_tx_enter_all(tx);
    if (change(tx))
        return shm_tx_commit(tx);
    shm_tx_abort(tx);
    return false;
}

static bool nothing(struct shm_tx *tx) { (void)tx; return true; }
static bool one_key(struct shm_tx *tx) { return fixture_put(tx, "a", "old value", 9); }
static bool set_new(struct shm_tx *tx) { return fixture_put(tx, "a", "value", 5); }
static bool set_same_size(struct shm_tx *tx) { return fixture_put(tx, "a", "new value", 9); }
static bool set_larger(struct shm_tx *tx) { return fixture_put(tx, "a", big, 500); }
static bool set_blob(struct shm_tx *tx) { return fixture_put(tx, "a", big, sizeof big); }
static bool delete_it(struct shm_tx *tx) { return fixture_put(tx, "a", NULL, 0); }
static bool
mset(struct shm_tx *tx)
{
    return fixture_put(tx, "a", "1", 1) && fixture_put(tx, "b", "2", 1) && fixture_put(tx, "c", "3", 1) &&
        fixture_put(tx, "d", "4", 1);
}
static bool
keys_from_to(struct shm_tx *tx, int from, int to)
{
    char key[16];
    for (int i = from; i < to; i++) {
        int n = snprintf(key, sizeof key, "k%d", i);
        if (!fixture_put(tx, key, key, (size_t)n))
            return false;
    }
    return true;
}
static bool many(struct shm_tx *tx) { return keys_from_to(tx, 0, 1380); }
static bool grow(struct shm_tx *tx) { return keys_from_to(tx, 1380, 1480); }
static bool hash_small(struct shm_tx *tx) { return fixture_hset(tx, "h", "f", "v", 1); }
static bool
fields(struct shm_tx *tx, int from, int to)
{
    char field[16];
    for (int i = from; i < to; i++) {
        snprintf(field, sizeof field, "f%d", i);
        if (!fixture_hset(tx, "h", field, "value", 5))
            return false;
    }
    return true;
}
static bool hash_chain(struct shm_tx *tx) { return fields(tx, 0, 512); }
static bool hash_convert(struct shm_tx *tx) { return fields(tx, 512, 513); }
static bool hash_large(struct shm_tx *tx) { return fields(tx, 0, 2000); }
static bool hash_change(struct shm_tx *tx) { return fixture_hset(tx, "h", "f77", big, 20000) && fields(tx, 2000, 2010); }
static bool hash_remove(struct shm_tx *tx) { return fixture_hset(tx, "h", "f77", NULL, 0); }
/* One key through many classes leaves a span without a block in use in each. */
static bool
sizes(struct shm_tx *tx)
{
    for (size_t n = 20; n < 2000; n += n / 2)
        if (!fixture_put(tx, "a", big, n))
            return false;
    return true;
}
static bool
spare_back(struct shm_tx *tx)
{
    for (unsigned shard = 0; shard < tx->region->nshards; shard++)
        if (!shm_alloc_give_spare(tx, shard))
            return false;
    return true;
}
static bool hash_drop(struct shm_tx *tx) { return fixture_put(tx, "h", NULL, 0); }

static const struct crash_case {
    const char *name;
    bool (*before)(struct shm_tx *);
    bool (*change)(struct shm_tx *);
} cases[] = {
    {"set, new key", nothing, set_new},
    {"set, in place", one_key, set_same_size},
    {"set, larger", one_key, set_larger},
    {"set, blob", one_key, set_blob},
    {"set, blob to small", set_blob, set_new},
    {"del", one_key, delete_it},
    {"del, blob", set_blob, delete_it},
    {"mset over shards", nothing, mset},
    {"mset again", mset, mset},
    {"growth and splits", many, grow},
    {"hash, new", nothing, hash_small},
    {"hash, chain to tree", hash_chain, hash_convert},
    {"hash, tree grows", hash_large, hash_change},
    {"hash, field removed", hash_large, hash_remove},
    {"hash, unlinked", hash_large, hash_drop},
    {"empty spans given back", sizes, spare_back},
};

/* Runs the change in a child that dies at its n-th point. True if it died there, false if it came to its end. */
static bool
die_at(struct fixture *f, unsigned slot, uint64_t n, bool (*change)(struct shm_tx *))
{
    int status;
    pid_t pid = fork();
    cr_assert(pid >= 0);
    if (pid == 0) {
        struct shm_tx tx;
        if (!shm_tx_open(&tx, &f->region, slot))
            _exit(3);
        shm_crash_arm(n);
        bool done = transact(&tx, change);
        shm_crash_arm(0);
        shm_tx_close(&tx);
        _exit(done ? 0 : 2);
    }
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 0, "child ended with %x", status);
    return WIFSIGNALED(status);
}

static void
recover(struct fixture *f)
{
    cr_assert(transact(&f->tx, nothing));
    for (unsigned slot = 1; slot < 3; slot++)
        cr_assert(shm_recover_slot(&f->region, slot, 0));
}

/* `every`: how many points to go on each time; second: die in the recovery of the first as well. */
static void
run_case(const struct crash_case *c, uint64_t step, bool second)
{
    struct fixture f;
    fixture_open(&f, 24);
    cr_assert(transact(&f.tx, c->before));
    uint64_t old = fixture_digest(&f.region);
    cr_assert(transact(&f.tx, c->change));
    uint64_t new = fixture_digest(&f.region);
    unsigned seen_old = 0, seen_new = 0;
    bool died = true;
    for (uint64_t n = 1; died; n += step) {
        fixture_clear(&f);
        cr_assert(transact(&f.tx, c->before));
        died = die_at(&f, 1, n, c->change);
        if (second && died)
            die_at(&f, 2, 1 + n * 7 % 61, nothing);
        recover(&f);
        uint64_t now = fixture_digest(&f.region);
        cr_assert(now == old || now == new, "%s: neither old nor new after death at point %lu", c->name, (unsigned long)n);
        seen_old += now == old;
        seen_new += now == new;
        fixture_check(&f);
    }
    cr_assert(seen_old > 0 && seen_new > 0, "%s: deaths on both sides of the commit point", c->name);
    fixture_close(&f);
}

Test(crash, at_every_store, .timeout = 900)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        run_case(&cases[i], 1, false);
}

Test(crash, in_recovery_too, .timeout = 900)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        run_case(&cases[i], 3, true);
}

#else
Test(crash, needs_crash_points)
{
    cr_skip_test("built without --enable-crash-points: no point to die at");
}
#endif
