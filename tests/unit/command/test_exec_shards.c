/* test_exec_shards.c - commands on shards that are read-only or switched off: a clear error there, service elsewhere. */
#include <criterion/criterion.h>
#include <criterion/logging.h>
#include <stdio.h>
#include <string.h>

#include "command/control.h"
#include "shm/shm_table.h"
#include "tests/crash/rig.h"

static struct rig k;
static unsigned shard;   /* of the key a */
static char other[16];   /* a key of another shard */

static unsigned
shard_of(const char *key)
{
    return shm_region_shard(&k.region, shm_table_position(&k.region, key, strlen(key), false));
}

static void
set_up(void)
{
    rig_open(&k, 16);
    shard = shard_of("a");
    for (int i = 0; other[0] == '\0' || shard_of(other) == shard; i++)
        snprintf(other, sizeof other, "b%d", i);
    rig_do(&k, "SET a 1; HSET h f v", NULL);
}

static void
tear_down(void)
{
    rig_close(&k);
}

static void
switch_to(enum shm_shard_state state)
{
    atomic_store(&k.region.shards[shard].state, state);
}

/* Does the answer begin so? */
static bool
answers(const char *line, const char *begin)
{
    struct buf reply;
    buf_init(&reply);
    rig_do(&k, line, &reply);
    bool ok = reply.len >= strlen(begin) && memcmp(reply.data, begin, strlen(begin)) == 0;
    if (!ok)
        cr_log_info("%s answers %.*s", line, (int)reply.len, reply.data);
    buf_destroy(&reply);
    return ok;
}

static void
others_serve(void)
{
    char line[64];
    snprintf(line, sizeof line, "SET %s 2", other);
    cr_assert(answers(line, "+OK"));
    snprintf(line, sizeof line, "GET %s", other);
    cr_assert(answers(line, "$1\r\n2"));
}

TestSuite(exec_shards, .init = set_up, .fini = tear_down);

Test(exec_shards, read_only)
{
    switch_to(SHM_SHARD_READONLY);
    cr_assert(answers("GET a", "$1\r\n1"));
    cr_assert(answers("STRLEN a", ":1"));
    cr_assert(answers("SET a 2", "-ERR shard "));
    cr_assert(answers("DEL a", "-ERR shard "));
    cr_assert(answers("MSET a 2 b 3 c 4 d 5", "-ERR shard "));
    cr_assert(answers("FLUSHALL", "-ERR shard "));
    cr_assert(answers("GET a", "$1\r\n1"));
    others_serve();
}

Test(exec_shards, switched_off)
{
    switch_to(SHM_SHARD_OFF);
    shm_region_dbroot(&k.region, shard, 0)->tree.root = 0x123456789ABCull; /* who follows it dies */
    cr_assert(answers("GET a", "-ERR shard "));
    cr_assert(answers("EXISTS a", "-ERR shard "));
    cr_assert(answers("MGET a b c d", "-ERR shard "));
    cr_assert(answers("SET a 2", "-ERR shard "));
    cr_assert(answers("EXPIRE a 10", "-ERR shard "));
    cr_assert(answers("RENAME a z", "-ERR shard "));
    cr_assert(answers("FLUSHDB", "-ERR shard "));
    cr_assert(answers("KEYS *", "-ERR shard "));
    cr_assert(answers("DEBUG CHECK-REGION", "-ERR "));
    rig_do(&k, "!expire; !reclaim", NULL);
    others_serve();
}
