/* rig_cut.c - see rig_cut.h. */
#include "tests/crash/rig_cut.h"

#include <time.h>

#define TRIES 10000
#define BYSTANDER_KEYS "other:"

static void
pause_a_little(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

void
rig_cut_begin(struct rig_cut *s, struct rig *k)
{
    enum shm_cut_result got = SHM_CUT_BUSY;
    s->k = k;
    image_of_region(&s->at_cut, &k->region, BYSTANDER_KEYS);
    image_open(&s->image, &k->region, BYSTANDER_KEYS);
    for (unsigned i = 0; got == SHM_CUT_BUSY && i < TRIES; i++) {
        got = shm_cut_begin(&k->engine.tx, i > 10, &s->cut);
        if (got == SHM_CUT_BUSY)
            pause_a_little();
    }
    if (got != SHM_CUT_DONE)
        rig_fail("the cut answers %d, want %d", (int)got, (int)k->engine.tx.want);
    type_walk_begin(&s->walk, &k->engine.tx, &s->cut);
}

bool
rig_cut_step(struct rig_cut *s, size_t budget)
{
    struct type_walk_sink sink = image_sink(&s->image);
    enum type_walk_result got = TYPE_WALK_BUSY;
    s->walk.tx = &s->k->engine.tx; /* the process's own */
    for (unsigned i = 0; got == TYPE_WALK_BUSY && i < TRIES; i++) {
        struct image_mark mark = image_mark(&s->image);
        got = type_walk_step(&s->walk, &sink, budget);
        if (got != TYPE_WALK_BUSY)
            break;
        image_rewind(&s->image, &mark);
        pause_a_little();
    }
    if (got != TYPE_WALK_MORE && got != TYPE_WALK_DONE)
        rig_fail("a step of the walk answers %d, want %d", (int)got, (int)s->k->engine.tx.want);
    return got == TYPE_WALK_MORE;
}

static void
close_images(struct rig_cut *s)
{
    image_close(&s->at_cut);
    image_close(&s->image);
}

void
rig_cut_finish(struct rig_cut *s, const char *what)
{
    while (rig_cut_step(s, 4096))
        ;
    const char *differs = image_differs(&s->at_cut, &s->image);
    if (differs)
        rig_fail("%s: the image is not the state at the cut: %s", what, differs);
    if (shm_cut_has_leavings(&s->k->region))
        rig_fail("%s: the snapshot is complete and has left something", what);
    rig_check(s->k, what);
    close_images(s);
}

void
rig_cut_drop(struct rig_cut *s, unsigned blocks, const char *what)
{
    shm_cut_abort(&s->k->region, s->cut.epoch);
    for (unsigned n = 0; shm_cut_has_leavings(&s->k->region); n++) {
        if (n == 1000000)
            rig_fail("%s: what is left of a snapshot is never freed", what);
        for (uint16_t shard = 0; shard < s->k->region.nshards; shard++)
            shm_cut_clean_step(&s->k->engine.tx, shard, blocks);
    }
    rig_check(s->k, what);
    close_images(s);
}
