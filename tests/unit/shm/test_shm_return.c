/* test_shm_return.c - extents go back to the file system when nobody can look at them any more, and come again. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <sys/stat.h>

#include "fixture.h"
#include "shm/shm_epoch.h"
#include "shm/shm_return.h"

#define EXTENTS 8u

static uint64_t
file_bytes(const struct shm_region *r)
{
    struct stat st;
    cr_assert_eq(fstat(r->fd, &st), 0);
    return (uint64_t)st.st_blocks * 512;
}

Test(give_back, and_commit_again)
{
    struct fixture f;
    struct shm_return t = {0};
    fixture_open(&f, EXTENTS);
    uint64_t before = file_bytes(&f.region);
    cr_assert_eq(shm_return_begin(&f.region, 2, &t, 3), 3);
    cr_assert_eq(atomic_load(&f.region.header->committed_extents), EXTENTS - 3);
    cr_assert(shm_return_finish(&f.region, 2, &t));
    cr_assert_eq(before - file_bytes(&f.region), 3 * SHM_EXTENT_BYTES);
    fixture_check(&f);
    cr_assert_eq(shm_region_commit(&f.region, 3), 3);
    cr_assert_eq(file_bytes(&f.region), before);
    fixture_check(&f);
    fixture_close(&f);
}

Test(give_back, waits_for_readers)
{
    struct fixture f;
    struct shm_return t = {0};
    fixture_open(&f, EXTENTS);
    shm_epoch_enter(&f.region, 1);
    cr_assert_eq(shm_return_begin(&f.region, 2, &t, 1), 1);
    cr_assert_not(shm_return_finish(&f.region, 2, &t));
    shm_epoch_leave(&f.region, 1);
    shm_epoch_enter(&f.region, 1); /* a later look cannot find what is given back */
    cr_assert(shm_return_finish(&f.region, 2, &t));
    fixture_close(&f);
}

Test(give_back, spares_what_is_used)
{
    struct fixture f;
    struct shm_return t = {0};
    static char value[8000];
    char key[16];
    fixture_open(&f, 2);
    for (int i = 0; i < 300; i++) { /* more than one extent */
        cr_assert(shm_tx_begin(&f.tx));
        snprintf(key, sizeof key, "k%d", i);
        uint16_t shard = fixture_shard(&f.region, key);
        shm_tx_enter(&f.tx, &shard, 1);
        cr_assert(fixture_put(&f.tx, key, value, sizeof value) && shm_tx_commit(&f.tx));
    }
    uint64_t digest = fixture_digest(&f.region);
    cr_assert_eq(shm_return_begin(&f.region, 2, &t, 2), 0);
    cr_assert_eq(fixture_digest(&f.region), digest);
    fixture_check(&f);
    fixture_close(&f);
}

/* A housekeeper that dies between the two steps leaves claims behind the committed extents. */
Test(give_back, dies_half_way)
{
    struct fixture f;
    struct shm_return t = {0};
    fixture_open(&f, EXTENTS);
    cr_assert_eq(shm_return_begin(&f.region, 2, &t, 2), 2);
    fixture_check(&f);
    cr_assert_eq(shm_region_commit(&f.region, 2), 2);
    fixture_check(&f);
    for (uint64_t s = 0; s < EXTENTS * SHM_SPANS_PER_EXTENT; s++)
        cr_assert_neq(shm_span_word_state(atomic_load(&f.region.span_words[s])), SHM_SPAN_CLAIMED);
    fixture_close(&f);
}
