/* test_pool.c - the reserve of committed memory: kept ahead, given back when writers rest, and still once it fits. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

#include "housekeeper/pool.h"
#include "shm/shm_span.h"

#define MIB (1u << 20)
#define RESERVE (32u * MIB)
#define SLACK (2u * MIB) /* what is given back goes by extents of so much */
#define SLOT 1
#define TURN_NS 50000000 /* of an idle housekeeper */
#define MANY 1000

struct here {
    struct shm_region region;
    struct pool pool;
    int64_t now_ns;
};

static void
open_here(struct here *h)
{
    char path[64];
    struct shm_error e;
    snprintf(path, sizeof path, "/dev/shm/kvstash-test-%d", (int)getpid());
    struct shm_region_options o = {.path = path, .bytes = 512u * MIB, .shards = 4, .databases = 2, .slots = 5, .shared_bytes = 4096,
        .hugepages = SHM_HUGEPAGES_NEVER};
    cr_assert(shm_region_create(&h->region, &o, &e), "%s", e.text);
    unlink(path);
    h->now_ns = TURN_NS;
    pool_init(&h->pool, &h->region, SLOT);
}

static uint64_t
free_bytes(struct here *h)
{
    return shm_span_count_free(&h->region) * SHM_SPAN_BYTES;
}

static void
turns(struct here *h, unsigned n)
{
    for (unsigned i = 0; i < n; i++, h->now_ns += TURN_NS)
        for (unsigned step = 0; step < MANY && pool_step(&h->pool, h->now_ns, false); step++)
            ;
}

Test(pool, keeps_its_reserve_ahead)
{
    struct here h;
    uint64_t rover = 0, word;
    open_here(&h);
    turns(&h, 1);
    cr_assert_geq(free_bytes(&h), RESERVE);
    for (unsigned i = 0; i < 16 * MIB / SHM_SPAN_BYTES; i++)
        cr_assert_neq(shm_span_claim(&h.region, 0, 0, &rover, &word), UINT64_MAX);
    turns(&h, 1);
    cr_assert_geq(free_bytes(&h), RESERVE);
    shm_region_close(&h.region, false);
}

Test(pool, gives_back_what_is_left_when_writers_rest)
{
    struct here h;
    open_here(&h);
    cr_assert_eq(shm_region_commit(&h.region, 100), 100);
    turns(&h, 200);
    cr_assert_geq(free_bytes(&h), RESERVE);
    cr_assert_lt(free_bytes(&h), RESERVE + SLACK);
    shm_region_close(&h.region, false);
}

Test(pool, stands_still_once_it_fits)
{
    struct here h;
    open_here(&h);
    turns(&h, 100);
    uint64_t committed = atomic_load(&h.region.header->committed_extents);
    for (unsigned i = 0; i < 200; i++) {
        turns(&h, 1);
        cr_assert_eq(atomic_load(&h.region.header->committed_extents), committed);
    }
    shm_region_close(&h.region, false);
}
