/* test_cut.c - snapshots are exact: commands of every kind run between the walker's steps, in random order, and the image is
 * what the region held at the cut; nothing is left in the region afterwards. */
#include <criterion/criterion.h>
#include <criterion/logging.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/shm_reclaim.h"
#include "tests/crash/image.h"
#include "tests/crash/rig.h"

static struct rig k;
static struct shm_tx walker_tx;
static struct shm_cut cut;
static struct type_walk walk;
static struct image at_cut, image;
static uint64_t state;

static unsigned
below(unsigned n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)(state % n);
}

static void
set_up(void)
{
    rig_open(&k, 60);
    cr_assert(shm_tx_open(&walker_tx, &k.region, RIG_SECOND));
    walker_tx.patience_us = 1000;
    state = 88172645463325252ull;
}

static void
tear_down(void)
{
    shm_tx_close(&walker_tx);
    rig_close(&k);
}

TestSuite(cut, .init = set_up, .fini = tear_down, .timeout = 120);

/* ---- a snapshot, step by step --------------------------------------------------------------------------------- */

static void
begin(void)
{
    image_of_region(&at_cut, &k.region);
    image_open(&image, &k.region);
    k.region.progress = NULL;
    cr_assert_eq(shm_cut_begin(&walker_tx, true, &cut), SHM_CUT_DONE);
    type_walk_begin(&walk, &walker_tx, &cut);
}

static bool
step(size_t budget)
{
    struct type_walk_sink sink = image_sink(&image);
    enum type_walk_result got = type_walk_step(&walk, &sink, budget);
    cr_assert(got == TYPE_WALK_MORE || got == TYPE_WALK_DONE, "the walk answers %d, want %d", got, walker_tx.want);
    return got == TYPE_WALK_MORE;
}

static void
finish(const char *what)
{
    while (step(4096))
        ;
    const char *differs = image_differs(&at_cut, &image);
    cr_assert_null(differs, "%s: %s", what, differs);
    cr_assert_eq(walk.keys, at_cut.n);
    cr_assert_not(shm_cut_has_leavings(&k.region));
    rig_check(&k, what);
    image_close(&at_cut);
    image_close(&image);
}

/* ---- every kind of change ----------------------------------------------------------------------------------------- */

static const char base[] =
    "MSET a 1 b two c 3; SET long @bytes:x:300; SET ttl v PX 100000; HSET small f v g w;"
    "HSET chain @pairs:f:0:300; CONFIG SET hash-max-listpack-entries 400; HSET chain2 @pairs:g:0:350; CONFIG SET hash-max-listpack-entries 512;"
    "HSET tree @pairs:f:0:2000; HSET tree big @bytes:y:100000; HSET tree mid @bytes:z:9000;"
    "SET blob @bytes:b:50000; SET blob8 @bytes:b:8190; SET huge @bytes:h:300000; SETRANGE holes 200000 end;"
    "SET @bytes:K:5000 longkey; SET @bytes:L:20000 @bytes:v:20000; HSET @bytes:M:3000 @pairs:f:0:700;"
    "HSET lf @pairs:f:0:600; HSET lf @bytes:F:4000 v; !db 1; SET a other; HSET tree @pairs:q:0:600; SET blob @bytes:1:40000; !db 0";

struct kind {
    const char *line;
};
static const char *const kinds[] = {
    "SET a 2", "SET a 22222222222222222222222222222222222222222222222", "APPEND b more", "INCR c", "DEL a", "DEL long", "EXPIRE b 100",
    "PERSIST ttl", "PEXPIRE ttl 500000", "SETRANGE long 5 abc", "SETRANGE long 500 tail", "GETEX ttl PX 700", "GETDEL b", "RENAME a a2",
    "RENAME a b", "RENAME tree t2", "RENAME tree chain", "RENAME chain c2", "RENAME blob b2", "RENAME small tree", "MOVE b 2", "MOVE tree 2",
    "MOVE blob 2", "COPY tree t3", "COPY tree a REPLACE", "COPY tree tree DB 2", "COPY blob b3", "COPY small tree REPLACE", "SWAPDB 0 1", "SWAPDB 0 2", "FLUSHDB", "FLUSHALL",
    "HSET small f x", "HSET small h i", "HDEL small f", "HDEL small f g", "HSET small @pairs:s:0:60", "HSET small @pairs:s:0:600", "HSET chain f7 new", "HSET chain new f7", "HDEL chain f8",
    "HDEL chain @names:f:0:299", "HDEL chain @names:f:0:300", "HSET chain @pairs:n:0:400", "HSET chain long @bytes:w:200", "HSET tree f7 new", "HSET tree n 1", "HDEL tree f8", "HDEL tree big", "HSET tree big 1",
    "HSET tree big @bytes:q:90000", "HINCRBY tree num 5", "HDEL tree @names:f:0:1990", "HDEL tree @names:f:0:2000 big mid", "DEL tree", "SET tree x", "DEL chain", "SET blob s",
    "SETRANGE blob 100 xyz", "SETRANGE blob 20000 xyz", "SETRANGE blob 8190 xyzw", "APPEND blob tail", "APPEND blob @bytes:t:30000", "APPEND blob @bytes:t:4300000", "SETRANGE blob 0 @bytes:r:50000", "SETBIT huge 0 1", "SETBIT huge 2000000 1", "DEL huge",
    "SETRANGE holes 10 x", "SETRANGE holes 100000 y", "SETBIT holes 800000 1", "APPEND blob8 xxxxxxxxxx", "SETRANGE blob8 5 q", "DEL blob8", "APPEND @bytes:K:5000 x", "DEL @bytes:K:5000", "RENAME @bytes:K:5000 k",
    "SETRANGE @bytes:L:20000 100 zz", "EXPIRE @bytes:L:20000 100", "DEL @bytes:L:20000", "HSET @bytes:M:3000 f1 q", "DEL @bytes:M:3000", "HDEL lf @bytes:F:4000", "HSET lf @bytes:F:4000 w", "MSET a x b y new z", "MSET n1 1 n2 2 n3 3 n4 4",
    "HSET newtree @pairs:f:0:600", "!clock 200000; !expire", "!reclaim-all", "!db 1", "!db 0", "!db 2", "SETNX a 5", "HSETNX small f q", "GETSET a 77", "BITOP NOT huge blob", "BITFIELD long SET u8 0 7", "RESTORE r 0 @dump:small",
    "RESTORE tree 0 @dump:chain REPLACE",
};
#define KINDS (sizeof kinds / sizeof kinds[0])
#define ANYTIME (KINDS - 2) /* the last two need what they name */

static void
change(unsigned i)
{
    struct buf reply;
    buf_init(&reply);
    rig_do(&k, kinds[i], &reply); /* errors are right too: what it names may be gone */
    buf_destroy(&reply);
}

Test(cut, each_kind_of_change_alone)
{
    for (unsigned i = 0; i < KINDS; i++) {
        for (unsigned steps = 0; steps < 3; steps++) {
            rig_clear(&k);
            rig_do(&k, base, NULL);
            begin();
            for (unsigned n = 0; n < steps * 25; n++)
                step(300);
            change(i);
            rig_check(&k, kinds[i]);
            finish(kinds[i]);
        }
    }
}

Test(cut, changes_in_random_order_between_steps)
{
    for (unsigned round = 0; round < 120; round++) {
        char what[32];
        snprintf(what, sizeof what, "round %u", round);
        rig_clear(&k);
        rig_do(&k, base, NULL);
        for (unsigned n = below(20); n > 0; n--)
            change(below(ANYTIME));
        begin();
        for (unsigned n = 5 + below(60); n > 0; n--) {
            for (unsigned s = below(4); s > 0; s--)
                step(1 + below(6000));
            change(below(ANYTIME));
            if (below(10) == 0)
                rig_check(&k, what);
        }
        finish(what);
    }
}

Test(cut, tables_that_grow_and_shrink)
{
    char line[64];
    for (unsigned i = 0; i < 4000; i++) {
        snprintf(line, sizeof line, "SET key:%u %u", i, i);
        rig_do(&k, line, NULL);
    }
    begin();
    for (unsigned i = 0; i < 20000; i++) {
        if (i % 10 == 0)
            step(1 + below(800));
        snprintf(line, sizeof line, below(3) ? "SET key:%u x%u" : "DEL key:%u %u", below(12000), i);
        rig_do(&k, line, NULL);
    }
    finish("growing");
    begin();
    for (unsigned i = 0; i < 12000; i++) {
        if (i % 20 == 0)
            step(1 + below(800));
        snprintf(line, sizeof line, "DEL key:%u", i);
        rig_do(&k, line, NULL);
    }
    finish("shrinking");
}

Test(cut, given_up_in_the_middle)
{
    for (unsigned round = 0; round < 60; round++) {
        rig_clear(&k);
        rig_do(&k, base, NULL);
        begin();
        for (unsigned n = below(80); n > 0; n--) {
            if (below(3) == 0)
                step(1 + below(2000));
            change(below(ANYTIME));
        }
        shm_cut_abort(&k.region, cut.epoch);
        struct type_walk_sink sink = image_sink(&image);
        cr_assert_eq(type_walk_step(&walk, &sink, 100), TYPE_WALK_BROKEN);
        for (unsigned n = 0; shm_cut_has_leavings(&k.region); n++) {
            cr_assert(n < 1000000);
            if (below(4) == 0)
                change(below(ANYTIME));
            shm_cut_clean_step(&walker_tx, (uint16_t)below(k.region.nshards), 1 + below(20));
            if (below(50) == 0)
                rig_check(&k, "giving up");
        }
        rig_check(&k, "given up");
        image_close(&at_cut);
        image_close(&image);
    }
}
